"""Keys are a function of model file and record, proofs of a run's folder: the same bytes for any number of threads, and for other builds of
the program, named in DSPERSE_TEST_PROGRAMS (separated by colons)."""
import glob

from harness import *
import harness

OTHERS = [p for p in os.environ.get('DSPERSE_TEST_PROGRAMS', '').split(':') if p]
NAMES = os.environ.get('DSPERSE_TEST_MODELS', 'tiny').split(',')


def contents(d, *patterns):
    return {os.path.relpath(f, d): read(f) for p in patterns for f in glob.glob(os.path.join(d, p))}


def programs():
    """Every program with every number of threads."""
    own = harness.PROGRAM
    for p in [own, *OTHERS]:
        harness.PROGRAM = p
        for threads in ('1', '2', '3'):
            yield f'{p} --threads {threads}', ['--threads', threads]
    harness.PROGRAM = own


def keys_and_proofs(c, name):
    m = c.model(name)
    run('slice', '-m', m)
    run('compile', '-m', m)
    slices = os.path.join(m, 'slices')
    first = contents(slices, 'quantization.json', '*/native_circuit/*')
    check(len(first) > 3, 'keys')
    rd = result('run', '-m', m)['run_dir']
    proofs, same = None, 0
    for what, threads in programs():
        # calibration may differ between machines; verify --model below derives the keys from the very record again
        run('compile', '-m', m, '--force', *threads)
        again = contents(slices, 'quantization.json', '*/native_circuit/*')
        if again['quantization.json'] == first['quantization.json']:
            same += 1
            check(again == first, f'{name}, {what}: another key: {[f for f in first if again.get(f) != first[f]]}')
        copy = c.path('copy')
        shutil.copytree(rd, copy)
        run('prove', '--rd', copy, *threads)
        made = contents(copy, 'segment_*/proof.bin')
        proofs = proofs or made
        check(made == proofs and len(made) == len(glob.glob(os.path.join(rd, 'segment_*'))), f'{name}, {what}: other proofs')
        run('verify', '--rd', copy, '--model', os.path.join(m, 'model.onnx'), *threads)
        check(len(read(os.path.join(copy, 'ledger.bin'))) == 40 + 80 * len(made), 'one record per proof')
        shutil.rmtree(copy)
    check(same >= 1, 'no two calibrations were equal')
    print(f'{name}: {same} of {3 + 3 * len(OTHERS)} records equal, keys and proofs equal')


def test_models(c):
    for name in NAMES:
        keys_and_proofs(c, name)


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
