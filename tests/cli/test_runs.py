"""Runs as a whole: names and order, what segments hand to each other, what a failing step leaves, what stays private, what is said."""
import glob, hashlib, re, struct

from harness import *
from onnx_file import *
from statement import Statement


def chunks(path):
    """The chunks of a container (docs/formats.md) by their ids."""
    b = read(path)
    check(b[:4] == b'DSPF' and hashlib.sha256(b[:-32]).digest() == b[-32:], path)
    n = struct.unpack_from('<I', b, 16)[0]
    rows = [struct.unpack_from('<IQ', b, 20 + 12 * i) for i in range(n)]
    ends = [at for _, at in rows[1:]] + [struct.unpack_from('<Q', b, 20 + 12 * n)[0]]
    return {i: b[at:end] for (i, at), end in zip(rows, ends)}


def cells_of(chunk):
    w, n = chunk[0], struct.unpack_from('<Q', chunk, 1)[0]
    return [int.from_bytes(chunk[9 + w * i:9 + w * (i + 1)], 'little', signed=True) for i in range(n)]


def test_names_and_order(c):
    """Several runs a second, under any time zone: every one has a folder of its own, and the newest is the one that started last."""
    m = c.model('tiny')
    run('slice', '-m', m)
    run('compile', '-m', m)
    dirs = [result('run', '-m', m, '--new', env={'TZ': tz})['run_dir'] for tz in ('UTC', 'UTC', 'UTC', 'UTC', 'Asia/Tokyo', 'America/New_York')]
    check(len(set(dirs)) == len(dirs), str(dirs))
    for d in dirs:
        j = json.load(open(os.path.join(d, 'run_result.json')))
        check(j['run_id'] == os.path.basename(d) and re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z', j['started_at']), d)
    started = [json.load(open(os.path.join(d, 'run_result.json')))['started_at'] for d in dirs]
    check(started == sorted(started), 'in universal time')
    check(result('prove', '--rd', m)['run_dir'] == dirs[-1], 'the newest by its start, whatever its name')
    check(result('prove', '--rd', os.path.join(m, 'run'))['run_dir'] == dirs[-1], 'the same from the run root')
    check(result('verify', '--rd', m)['run_dir'] == dirs[-1], 'the same for verify')


def test_segments_hand_on_exact_integers(c):
    """What a proved segment makes and what the next one reads is one list of integers, never rounded in between."""
    m = c.model('net')
    run('slice', '-m', m)
    run('compile', '-m', m)
    rd = result('run', '-m', m)['run_dir']
    made = {}
    for f in glob.glob(os.path.join(rd, 'boundaries', '*.bin')):
        k = chunks(f)
        n = struct.unpack_from('<H', k[1], 64)[0]
        cells = cells_of(k[2])
        made[k[1][66:66 + n].decode()] = hashlib.sha256(b''.join(struct.pack('<q', v) for v in cells)).digest()
    st = Statement(os.path.join(rd, 'statement.bin'))
    for p in st.pubs:
        made[p['name']] = hashlib.sha256(b''.join(struct.pack('<q', v) for v in p['cells'])).digest()
    roles = {}
    for f in glob.glob(os.path.join(rd, 'segment_*', 'witness.bin')):
        b, at = chunks(f)[2], 4
        for _ in range(struct.unpack_from('<I', b, 0)[0]):
            n = struct.unpack_from('<H', b, at)[0]
            name, own, digest = b[at + 2:at + 2 + n].decode(), b[at + 3 + n], b[at + 8 + n:at + 40 + n]
            check(digest == made[name], f'{f}: {name}')
            roles.setdefault(name, []).append(own)
            at += 40 + n
        check(at == len(b), f)
    check(len(made) == 6 and sorted(map(sorted, roles.values())) == [[0], [0, 1], [0, 1], [0, 1], [0, 1], [1]], f'each of four boundaries: made once, read once: {roles}')


def test_full_run_stops_where_it_fails(c):
    """At the first step that fails, with its exit code; nothing later is started and nothing says that it is done."""
    def steps(m): return [os.path.exists(os.path.join(m, *f)) for f in (('slices', 'metadata.json'), ('slices', 'quantization.json'), ('run',))]
    m = c.model('tiny')
    write(os.path.join(m, 'model.onnx'), b'junk')
    p = run('full-run', '-m', m, code=3)
    check(steps(m) == [False, False, False] and '\u2713' not in p.stdout + p.stderr, 'slice')
    m = c.model('net')
    p = run('full-run', '-m', m, '--max-memory', '64K', code=1, has='--max-memory')
    check(steps(m) == [True, False, False], 'compile')
    write(c.path('x.json'), '[1, 2]')
    shutil.rmtree(m)
    m = c.model('net')
    run('full-run', '-m', m)
    shutil.rmtree(os.path.join(m, 'run'))
    p = run('full-run', '-m', m, '-s', os.path.join(m, 'slices'), '-i', c.path('x.json'), code=3, has='x.json')
    check(not glob.glob(os.path.join(m, 'run', '*', 'proof_results.json')) and 'accepted' not in p.stdout, 'run')
    j = result('full-run', '-m', m, '-l', '1', '--require-full', '--new', '--force', code=4)
    check(j['verify']['verdict'] == 'rejected', 'verify')


def test_no_tick_on_failure(c):
    m, rd = c.proved('tiny')
    flip(os.path.join(rd, 'segment_1', 'proof.bin'), 5000)
    os.remove(os.path.join(rd, 'segment_0', 'witness.bin'))
    for args, code in ((('verify', '--rd', rd), 4), (('prove', '--rd', rd, '--force'), 3), (('run', '-m', m, '-i', c.path('no')), 3), (('compile', '-m', m, '--max-memory', '1K', '--force'), 1),
                       (('slice', '-m', c.path('no')), 3), (('bundle', '--rd', c.path('no'), '-o', c.path('b')), 3)):
        p = run(*args, code=code)
        check('\u2713' not in p.stdout + p.stderr, f'{args}: {p.stdout}{p.stderr}')


def test_proofs_are_verified_when_made(c):
    m, rd = c.proved('tiny')
    for args, checked in (((), True), (('--no-self-verify',), False)):
        for s in result('prove', '--rd', rd, '--force', *args)['segments']:
            check(s['result'] == 'proved' and (s['self_verify_seconds'] > 0) == checked, str(s))


def test_boundaries_stay_private(c):
    """No file of a bundle holds a tensor that flows between two proved segments; what is public is named."""
    m = c.model('net')
    run('slice', '-m', m)
    run('compile', '-m', m)
    rd = result('run', '-m', m)['run_dir']
    run('prove', '--rd', rd)
    p = run('bundle', '--rd', rd, '-o', c.path('b'))
    check([x[8:] for x in p.stdout.splitlines() if x.startswith('public: ')] == ['input', 'output'], p.stdout)
    private = [chunks(f)[2] for f in glob.glob(os.path.join(rd, 'boundaries', '*.bin'))]
    check(len(private) == 4, 'four boundaries')
    files = [read(os.path.join(d, f)) for d, _, fs in os.walk(c.path('b')) for f in fs]
    for chunk in private:
        v = cells_of(chunk)
        at = max(range(len(v) - 8), key=lambda i: len(set(v[i:i + 8])))
        for w in (1, 2, 4, 8):
            if all(-(1 << 8 * w - 1) <= x < 1 << 8 * w - 1 for x in v[at:at + 8]):
                row = b''.join(x.to_bytes(w, 'little', signed=True) for x in v[at:at + 8])
                check(not any(row in f for f in files), 'cells of a boundary in a bundle')


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
