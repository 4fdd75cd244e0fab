"""Files that are missing, cut off or changed: the right exit code, a message that names the file, never acceptance."""
import glob, random

from harness import *


def spots(n, count, seed):
    return sorted({0, n - 1, *random.Random(seed).sample(range(n), min(count, n))})


def test_model_file(c):
    m = c.model('tiny')
    data = read(os.path.join(m, 'model.onnx'))
    for k in (0, 1, 10, len(data) // 2, len(data) - 1):
        write(c.path('cut.onnx'), data[:k])
        p = subprocess.run([PROGRAM, 'slice', '-m', c.path('cut.onnx'), '-o', c.path('s')], capture_output=True, text=True)
        check(p.returncode in (1, 3) and p.stderr, f'cut at {k}: exit {p.returncode}')
    run('slice', '-m', m)
    run('compile', '-m', m)
    write(os.path.join(m, 'model.onnx'), data[:-1])
    run('compile', '-m', m, '--force', code=3)
    write(os.path.join(m, 'model.onnx'), read(os.path.join(MODELS, 'net', 'model.onnx')))
    run('compile', '-m', m, '--force', code=3, has='slice it again')
    run('run', '-m', m, code=3, has='slice it again')


def test_metadata(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    run('compile', '-m', m)
    f = os.path.join(m, 'slices', 'metadata.json')
    good = read(f)
    for bad in (b'', b'{', b'[]', b'{}', b'{"segments": []}', good[:len(good) // 2], good.replace(b'"segment_0/segment_0.onnx"', b'"../../../etc/passwd"'),
                good.replace(b'"segment_0/segment_0.onnx"', b'"/etc/passwd"')):
        write(f, bad)
        run('compile', '-m', m, code=3)
        run('run', '-m', m, code=3)
    write(f, good)
    os.remove(os.path.join(m, 'slices', 'segment_0', 'segment_0.onnx'))
    run('compile', '-m', m, '--force', code=3, has='segment_0.onnx')


def test_circuits(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    run('compile', '-m', m)
    vk = os.path.join(m, 'slices', 'segment_0', 'native_circuit', 'segment_0_vk.bin')
    good = read(vk)
    for at in spots(len(good), 6, 1):
        flip(vk, at)
        run('run', '-m', m, code=3, has='vk.bin')
        write(vk, good)
    for bad in (b'', good[:-1], good + b'x'):
        write(vk, bad)
        run('run', '-m', m, code=3, has='vk.bin')
    os.remove(vk)
    run('run', '-m', m, code=3, has='vk.bin')
    write(vk, good)
    q = os.path.join(m, 'slices', 'quantization.json')
    text = read(q)
    write(q, text.replace(b'"lo":', b'"lo": ', 1))
    run('run', '-m', m, code=3, has='quantization.json')
    write(q, text[:-9])
    run('run', '-m', m, code=3, has='quantization.json')
    run('compile', '-m', m)
    run('run', '-m', m)


def test_run_files(c):
    m, rd = c.proved('tiny')
    segment = os.path.join(rd, 'segment_1')
    for f, codes in {os.path.join(segment, 'witness.bin'): (3,), os.path.join(rd, 'boundaries', '0.bin'): (3,), os.path.join(rd, 'statement.bin'): (3,),
                     os.path.join(segment, 'vk.bin'): (1,)}.items():
        good = read(f)
        for bad in [good[:-1], good[:5], b'', good + b'x'] + [None] * 6:
            if bad is None:
                write(f, good)
                flip(f, random.Random(len(good)).randrange(len(good)))
            else:
                write(f, bad)
            p = subprocess.run([PROGRAM, 'prove', '--rd', rd, '--force'], capture_output=True, text=True)
            check(p.returncode in codes, f'{f}: exit {p.returncode}: {p.stderr}')
        os.remove(f)
        p = subprocess.run([PROGRAM, 'prove', '--rd', rd, '--force'], capture_output=True, text=True)
        check(p.returncode == 3, f'{f} missing: exit {p.returncode}: {p.stderr}')
        write(f, good)
    run('prove', '--rd', rd, '--force')
    run('verify', '--rd', rd)


def test_changed_key_needs_a_new_run(c):
    m, rd = c.proved('tiny')
    run('compile', '-m', m, '--precision', '16')
    run('prove', '--rd', rd, '--force')   # the run holds its own keys
    shutil.copyfile(os.path.join(m, 'slices', 'segment_0', 'native_circuit', 'segment_0_vk.bin'), os.path.join(rd, 'segment_0', 'vk.bin'))
    run('prove', '--rd', rd, '--force', code=1, has='new run')
    check(result('run', '-m', m)['run_dir'] != rd, 'a new run')
    run('prove', '--rd', m)
    run('verify', '--rd', m)


def test_secret_and_ledger(c):
    m, rd = c.proved('tiny')
    secret, ledger = os.path.join(rd, 'secret'), os.path.join(rd, 'ledger.bin')
    s, l = read(secret), read(ledger)
    write(secret, s[:-1])
    run('prove', '--rd', rd, '--force', code=3, has='32 bytes')
    write(secret, bytes(32))
    run('prove', '--rd', rd, '--force', code=1)
    write(secret, s)
    write(ledger, l[:-7])                # a crash while a record was written: nothing had left
    run('prove', '--rd', rd, '--force')
    check(sorted(read(ledger)) == sorted(l), 'the record is written again')
    write(ledger, b'x' * len(l))
    run('prove', '--rd', rd, '--force', code=1, has='new run')
    write(ledger, l[:50] + bytes([l[50] ^ 1]) + l[51:])
    run('prove', '--rd', rd, '--force', code=1, has='new run')
    write(ledger, l)
    run('prove', '--rd', rd, '--force')


def test_tampered_bundle(c):
    m, rd = c.proved('tiny')
    b = c.path('b')
    run('bundle', '--rd', rd, '-o', b)
    kinds = {'proof.bin': (4,), 'statement.bin': (3,), 'vk.bin': (3, 4), 'quantization.json': (4,)}
    for f in glob.glob(os.path.join(b, '**', '*.*'), recursive=True):
        codes, good = kinds[os.path.basename(f)], read(f)
        for at in spots(len(good), 25, len(good)):
            flip(f, at, at % 8)
            p = subprocess.run([PROGRAM, 'verify', '--rd', b], capture_output=True, text=True)
            check(p.returncode in codes and p.stderr, f'{f} byte {at}: exit {p.returncode}: {p.stdout} {p.stderr}')
            write(f, good)
        for bad in (b'', good[:-1], good[:len(good) // 2], good + b'\0'):
            write(f, bad)
            p = subprocess.run([PROGRAM, 'verify', '--rd', b], capture_output=True, text=True)
            check(p.returncode in codes and p.stderr, f'{f} of {len(bad)} bytes: exit {p.returncode}: {p.stderr}')
            write(f, good)
        os.remove(f)
        p = subprocess.run([PROGRAM, 'verify', '--rd', b], capture_output=True, text=True)
        check(p.returncode == (4 if f.endswith('proof.bin') else 3) and p.stderr, f'{f} missing: exit {p.returncode}: {p.stderr}')
        write(f, good)
    run('verify', '--rd', b)


def test_rejection_names_the_check(c):
    m, rd = c.proved('tiny')
    f = os.path.join(rd, 'segment_0', 'proof.bin')
    flip(f, len(read(f)) // 2)
    j = result('verify', '--rd', rd, code=4)
    check(j['verdict'] == 'rejected' and j['check'][0] in 'VR' and j['segment'] == 0, str(j.get('check')))
    e = json.load(open(os.path.join(rd, 'run_result.json')))
    check(e['chain_verification']['verdict'] == 'rejected' and e['execution_chain']['verified_slices'] == 0, 'recorded')


def test_proofs_of_another_run(c):
    m, rd = c.proved('tiny')
    x = json.load(open(os.path.join(m, 'input.json')))
    x['input_data'][0] = x['input_data'][0][::-1]
    write(c.path('x.json'), json.dumps(x))
    other = result('run', '-m', m, '-i', c.path('x.json'))['run_dir']
    run('prove', '--rd', other)
    shutil.copyfile(os.path.join(other, 'segment_0', 'proof.bin'), os.path.join(rd, 'segment_0', 'proof.bin'))
    run('verify', '--rd', rd, code=4)
    os.remove(os.path.join(other, 'segment_1', 'proof.bin'))
    run('verify', '--rd', other, code=4, has='missing')
    run('bundle', '--rd', other, '-o', c.path('b'), code=3, has='proof.bin')


def test_no_runtime(c):
    """Only slicing and compiling need ONNX Runtime where every segment is proved."""
    m, rd = c.proved('tiny')
    none = {'DSPERSE_ORT': '/nonexistent/libonnxruntime.so'}
    run('slice', '-m', m, '-o', c.path('s'), code=5, env=none)
    run('compile', '-m', m, '--force', code=5, env=none)
    check(result('compile', '-m', m, env=none)['up_to_date'] > 0, 'nothing to do')
    r = result('run', '-m', m, env=none)
    run('run', '-m', m, '--compare', code=5, env=none)
    run('prove', '--rd', r['run_dir'], env=none)
    run('verify', '--rd', r['run_dir'], '--model', os.path.join(m, 'model.onnx'), env=none)


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
