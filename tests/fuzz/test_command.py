#!/usr/bin/env python3
"""The command over the hostile files of tests/corpus in the places where it reads them: exit code 3 (2 for bad --layers, 4 where a claimed proof or what it
is about is false), one message, nothing on stdout but verify's verdict, no slices
left behind.

  test_command.py DSPERSE SOURCE_DIR
"""
import glob, hashlib, os, shutil, subprocess, sys, tempfile

DSPERSE, SOURCE = sys.argv[1], sys.argv[2]
CORPUS = os.path.join(SOURCE, 'tests', 'corpus')
failures = []
count = 0


def run(what, codes, *args):
    global count
    count += 1
    p = subprocess.run([DSPERSE, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    lines = [l for l in p.stderr.decode('utf-8', 'replace').splitlines() if l.strip()]
    said = [l for l in lines if l.startswith('dsperse ')]
    if p.returncode not in codes or len(said) != 1 or (p.stdout and args[0] != 'verify'):
        failures.append('%s: exit %d (expected %s), stdout %r, stderr:\n  %s' % (what, p.returncode, codes, p.stdout[:80], '\n  '.join(lines)))


def files(reader, *kinds):
    for kind in kinds:
        for f in sorted(glob.glob(os.path.join(CORPUS, reader, kind + '-*'))):
            if not f.endswith(('.gen', '.pack')):
                yield os.path.basename(f), f


def read(f):
    with open(f, 'rb') as h:
        return h.read()


def write(f, data):
    os.makedirs(os.path.dirname(f), exist_ok=True)
    with open(f, 'wb') as h:
        h.write(data)


with tempfile.TemporaryDirectory() as tmp:
    at = lambda *p: os.path.join(tmp, *p)
    # a model
    for name, f in files('onnx', 'bad'):
        shutil.copy(f, at('model.onnx'))
        run('slice ' + name, [3], 'slice', '-m', at('model.onnx'), '-o', at('out'))
        if os.path.exists(at('out')):
            failures.append('slice %s: left %s' % (name, os.listdir(at('out'))))
            shutil.rmtree(at('out'))
    # a slices folder
    shutil.copy(os.path.join(SOURCE, 'models', 'tiny', 'model.onnx'), at('model.onnx'))
    for name, f in files('slices', 'bad'):
        write(at('slices', 'metadata.json'), read(f))
        run('compile ' + name, [3], 'compile', '-s', at('slices'))
        run('run ' + name, [3], 'run', '-s', at('slices'), '-i', os.path.join(SOURCE, 'models', 'tiny', 'input.json'))
    for name in ('good-types', 'good-key-escape', 'good-dims-unknown'):
        write(at('slices', 'metadata.json'), read(os.path.join(CORPUS, 'slices', name + '.json')))
        run('run ' + name, [3], 'run', '-s', at('slices'), '-i', os.path.join(SOURCE, 'models', 'tiny', 'input.json'))
    # a run
    for name, f in files('json', 'bad'):
        write(at('run', 'run_result.json'), read(f))
        run('prove ' + name, [3], 'prove', '--rd', at('run'))
        run('verify ' + name, [3], 'verify', '--rd', at('run'))
    shutil.rmtree(at('run'))
    # a bundle; files of the corpus start with a byte of flags, and those that count on the harness to mend a digest are bad all the same
    for name, f in files('statement', 'bad'):
        write(at('bundle', 'statement.bin'), read(f)[1:])
        run('verify ' + name, [3], 'verify', '--rd', at('bundle'))
    good = read(os.path.join(CORPUS, 'statement', 'good-chain.bin'))[1:]

    def statement(record):                            # one that names this record
        b = good[:40] + hashlib.sha256(record).digest() + good[72:-32]
        return b + hashlib.sha256(b).digest()
    for name, f in files('record', 'bad'):
        write(at('bundle', 'quantization.json'), read(f))
        write(at('bundle', 'statement.bin'), statement(read(f)))
        run('verify ' + name, [3], 'verify', '--rd', at('bundle'))
    record = read(os.path.join(CORPUS, 'record', 'good-two.json'))
    write(at('bundle', 'quantization.json'), record)
    write(at('bundle', 'statement.bin'), statement(record))
    for name, f in files('key', 'bad'):               # another key than the statement lists, readable or not
        for i in range(2):
            write(at('bundle', 'segment_%d' % i, 'vk.bin'), read(f))
            write(at('bundle', 'segment_%d' % i, 'proof.bin'), b'x')
        run('verify ' + name, [3, 4], 'verify', '--rd', at('bundle'))
    # --layers
    os.makedirs(at('run'))
    for name, f in files('layers', 'bad'):
        text = read(f)[1:].decode()
        write(at('slices', 'metadata.json'), read(os.path.join(CORPUS, 'slices', 'good-tiny.json')))
        if read(f)[0] and text:                       # segments that are not there, for two as for three
            run('compile --layers ' + name, [2, 3], 'compile', '-s', at('slices'), '--layers=' + text)

print('%d commands, %d wrong' % (count, len(failures)))
for f in failures:
    print(f)
sys.exit(bool(failures))
