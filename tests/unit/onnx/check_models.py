"""Passes ONNX files to the checker of the onnx package.   usage: check_models.py LIST

LIST has lines of two paths, an original and a segment of it. A segment may fail only where its original does. Exit status 77: no onnx here.
"""
import sys

try:
    import onnx
    from onnx import checker
except ImportError:
    sys.exit(77)


def complaint(path):
    try:
        checker.check_model(path, full_check=True)
        return None
    except Exception as e:  # the checker raises several kinds
        return str(e).strip().splitlines()[0][:300] if str(e).strip() else type(e).__name__


def main():
    originals, checked, excused, bad = {}, 0, 0, 0
    with open(sys.argv[1], encoding="utf-8") as f:
        pairs = [line.rstrip("\n").split("\t") for line in f]
    for original, segment in pairs:
        checked += 1
        why = complaint(segment)
        if why is None:
            continue
        if original not in originals:
            originals[original] = complaint(original)
        if originals[original] is None:
            bad += 1
            print(f"{segment}: {why}")
        else:
            excused += 1
    print(f"onnx {onnx.__version__}: {checked} segments checked, {bad} refused, {excused} refused as their model is")
    sys.exit(1 if bad else 0)


main()
