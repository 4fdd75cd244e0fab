#!/usr/bin/env python3
"""Regenerates tests/vectors/slice_proof.json by the reference implementation (ref/protocol_ref.py).

usage: make_vectors.py          write the file
       make_vectors.py --check  compare instead of writing; exit 1 when it differs

The run secret is 00 01 .. 1f, so the file comes out the same byte for byte. Layout: `field`, `transcript`, `random`, `code`,
`merkle` and `t` are the building blocks; `proofs` holds whole runs with every intermediate value of section S15. Bytes, field
elements (8 bytes little-endian) and elements of K (16 bytes) are hex strings. It takes
some seconds."""
import os, runpy, sys, tempfile

here = os.path.dirname(os.path.abspath(__file__))
reference = os.path.join(here, '..', 'ref', 'protocol_ref.py')
target = os.path.join(here, '..', 'tests', 'vectors', 'slice_proof.json')


def generate(path):
    argv, sys.argv = sys.argv, [reference, '--vectors', path]
    try:
        runpy.run_path(reference, run_name='__main__')
    finally:
        sys.argv = argv


def main():
    check = sys.argv[1:] == ['--check']
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as d:
        new = os.path.join(d, 'vectors.json')
        generate(new)
        with open(new, 'rb') as f:
            data = f.read().rstrip(b'\n') + b'\n'
    if check:
        with open(target, 'rb') as f:
            if f.read() != data:
                sys.exit('tests/vectors/slice_proof.json differs from what the reference writes')
        return
    with open(target, 'wb') as f:
        f.write(data)


if __name__ == '__main__':
    main()
