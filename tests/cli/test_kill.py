"""Commands killed at any instant, disks that fill up, and commands side by side. The program under test draws its secrets from a seed, so that whole
folders can be compared; it is otherwise the one that is installed."""
import hashlib, random, re, signal, struct, threading, time
from harness import *

SEED = {'DSPERSE_TEST_SEED': 'kill'}
TIMES = re.compile(r'(_at|_time|seconds|_seconds|peak_memory_bytes|execution_time)$')
SAME = ('run_id', 'skipped', 'self_verified')     # names of runs, and whether a proof was there already
KILLS = 200
if os.access('/dev/shm', os.W_OK):      # flushes to a disk are most of the time otherwise
    tempfile.tempdir = '/dev/shm'


def start(*args, **kw):
    return subprocess.Popen([PROGRAM, *map(str, args), '--threads', '1'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, **SEED}, **kw)


def full_run(m, code=0, **kw):
    return run('full-run', '-m', m, '--threads', '1', env=SEED, code=code, **kw)


def timeless(j):
    if isinstance(j, dict):
        return {k: timeless(v) for k, v in j.items() if not TIMES.search(k) and k not in SAME}
    return [timeless(v) for v in j] if isinstance(j, list) else j


def whole(name, data):
    """Whether a file under its final name is whole."""
    if name.endswith('.json'):
        json.loads(data)
    elif data[:4] == b'DSPF' or data[:8] == b'DSPSTMT1':
        check(hashlib.sha256(data[:-32]).digest() == data[-32:], f'{name}: digest')
    elif name.endswith('/secret'):
        check(len(data) == 32, name)


def state(m):
    """Path -> content of everything in the model folder, run ids and times aside."""
    out = {}
    for d, _, files in os.walk(m):
        for f in files:
            data = read(os.path.join(d, f))
            path = re.sub(r'run_\d{8}_\d{6}(_\d+)?', 'RUN', os.path.relpath(os.path.join(d, f), m))
            check(path not in out, f'two runs: {path}')
            whole(path, data) if '.tmp' not in path else None
            out[path] = timeless(json.loads(re.sub(rb'run_\d{8}_\d{6}(_\d+)?', b'RUN', data))) if f.endswith('.json') else data
    return out


def same(a, b, what):
    check(sorted(a) == sorted(b), f'{what}: files {sorted(set(a) ^ set(b))}')
    for k in a:
        check(a[k] == b[k], f'{what}: {k} differs:\n{a[k]}\n{b[k]}'[:2000])


def partly(m, want):
    """A killed command left only whole files, and where a result is final it is the right one."""
    for d, _, files in os.walk(m):
        for f in files:
            path = re.sub(r'run_\d{8}_\d{6}(_\d+)?', 'RUN', os.path.relpath(os.path.join(d, f), m))
            data = read(os.path.join(d, f))
            if re.search(r'\.tmp\w{6}$', f) or f in ('.dsperse.lock', 'run_result.json.lock', 'ledger.bin'):
                continue
            whole(path, data)
            if not f.endswith('.json') and f != 'outputs.bin':
                check(want.get(path) == data, f'{path} differs')


def test_killed_and_run_again(c):
    rng = random.Random(1)
    ref = c.model('tiny')
    full_run(ref)
    t0 = time.monotonic()
    want = state(ref)
    full_run(ref)
    same(state(ref), want, 'run twice')
    seconds = []
    for i in range(5):
        m = c.model('tiny') if not os.path.exists(c.path('tiny')) else shutil.copytree(ref, c.path(f'w{i}'), ignore=shutil.ignore_patterns('run', 'slices', 'analysis'))
        t0 = time.monotonic()
        full_run(m)
        seconds.append(time.monotonic() - t0)
        same(state(m), want, 'another folder')
    span = 1.1 * sorted(seconds)[2]
    kills, late, left = 0, 0, {}
    while kills < KILLS:
        check(late < 10 * KILLS, f'{kills} kills, {late} too late')
        m = shutil.copytree(ref, c.path(f'm{kills}'), ignore=shutil.ignore_patterns('run', 'slices', 'analysis'))
        for _ in range(rng.choice((1, 1, 2, 4))):     # what is killed may be a run that goes on after a kill
            p = start('full-run', '-m', m)
            time.sleep(rng.uniform(0, span))
            if p.poll() is None:
                kills += 1
                span *= 1.01
            else:       # as fast as the machine is at the moment
                late += 1
                span *= 0.97
            p.kill()
            p.communicate()
            partly(m, want)
        for d, _, files in os.walk(m):
            for f in files:
                left[re.sub(r'\.tmp\w{6}$', '.tmp', f)] = left.get(f, 0) + 1
        full_run(m)
        same(state(m), want, f'after kill {kills}')
        shutil.rmtree(m)
    print(f'        {kills} kills, {late} more too late; temporary files seen: {sum(".tmp" in k for k in left)} kinds, locks left: {left.get(".dsperse.lock", 0)}')


def test_single_steps_killed(c):
    """Each command on its own, killed and repeated until it gets through."""
    rng = random.Random(2)
    ref = c.model('tiny')
    steps = [('slice', '-m'), ('compile', '-m'), ('run', '-m'), ('prove', '--rd'), ('verify', '--rd')]
    for s in steps:
        run(*s, ref, env=SEED)
    want = state(ref)
    for i in range(6):
        m = shutil.copytree(ref, c.path(f'm{i}'), ignore=shutil.ignore_patterns('run', 'slices', 'analysis'))
        for s in steps:
            for _ in range(2):
                p = start(*s, m)
                time.sleep(rng.uniform(0, 0.05))
                if p.poll() is None:
                    p.kill()
                p.communicate()
                if p.returncode == 0:
                    break
            else:
                run(*s, m, env=SEED)
            if s[0] == 'run':       # killed between its last write and its end: the next one is another run
                for r in sorted(r for r in os.listdir(os.path.join(m, 'run')) if r.startswith('run_'))[:-1]:
                    shutil.rmtree(os.path.join(m, 'run', r))
        same(state(m), want, f'steps {i}')


def damage(data, rng):
    b = bytearray(data)
    how = rng.randrange(3)
    if how == 0 and b:
        b[rng.randrange(len(b))] ^= 1 << rng.randrange(8)
    return bytes(b) if how == 0 else data[:rng.randrange(len(data))] if how == 1 else b''


def test_checkpoints_are_verified(c):
    """A run that goes on takes finished segments only when they are whole and of this run."""
    rng = random.Random(3)
    ref = c.model('net')
    for s in (('slice', '-m', ref), ('compile', '-m', ref, '-l', '0,2-4')):
        run(*s)
    a = result('run', '-m', ref, env=SEED)
    statement = read(os.path.join(a['run_dir'], 'statement.bin'))
    done = 0
    for i in range(12):
        m = shutil.copytree(ref, c.path(f'm{i}'), ignore=shutil.ignore_patterns('run'))
        rd = None
        for _ in range(40):
            p = start('run', '-m', m)
            found = []
            while p.poll() is None and len(found) < 1 + i % 4:
                found = [os.path.join(d, f) for d, _, fs in os.walk(os.path.join(m, 'run')) for f in fs if f == 'outputs.bin']
            p.kill()
            p.communicate()
            found = [f for f in found if os.path.exists(f)]
            if found:
                break
            shutil.rmtree(os.path.join(m, 'run'), ignore_errors=True)
        if not found:
            continue
        broken = found[rng.randrange(len(found))] if i % 3 else None
        if broken:
            before = read(broken)
            write(broken, damage(before, rng))
            broken = broken if read(broken) != before else None
        b = result('run', '-m', m, env=SEED)
        check(b['continued'], 'continued')
        have = len(found) - (broken is not None)
        check(b['segments_finished_before'] >= (have if not broken else 0) and (not broken or b['segments_finished_before'] < 5), f'{found} {b["segments_finished_before"]}')
        check(b['outputs'] == a['outputs'] and read(os.path.join(b['run_dir'], 'statement.bin')) == statement, 'the same result')
        check(not [f for d, _, fs in os.walk(m) for f in fs if f == 'outputs.bin' or '.tmp' in f], 'nothing is left')
        done += b['segments_finished_before'] > 0
    check(done > 0, 'no run was caught between two segments')
    print(f'        {done} of 12 went on behind a finished segment')


def test_other_values_are_not_taken_up(c):
    m = c.model('tiny')
    full_run(m)
    rd = os.path.join(m, 'run', next(r for r in os.listdir(os.path.join(m, 'run')) if r.startswith('run_')))
    for f in ('boundaries/0.bin', 'segment_0/witness.bin', 'segment_1/vk.bin', 'statement.bin', 'quantization.json', 'secret'):
        p, n = os.path.join(rd, f), len(os.listdir(os.path.join(m, 'run')))
        before = read(p)
        write(p, before[:-1])
        j = json.loads(run('full-run', '-m', m, '--json', env=SEED).stdout)
        check(not j['run']['taken_up'] and j['run']['run_dir'] != rd and len(os.listdir(os.path.join(m, 'run'))) == n + 1, f'{f}: a damaged run was taken up')
        shutil.rmtree(j['run']['run_dir'])
        write(p, before)
    proof = os.path.join(rd, 'segment_0', 'proof.bin')
    before = read(proof)
    flip(proof, 5000)
    j = json.loads(run('full-run', '-m', m, '--json', env=SEED).stdout)
    check(j['run']['run_dir'] == rd and read(proof) == before, 'a damaged proof is made again')
    write(os.path.join(m, 'input.json'), json.dumps({'input_data': [[0.5] * 64]}))
    check(json.loads(run('full-run', '-m', m, '--json', env=SEED).stdout)['run']['run_dir'] != rd, 'another input')


def test_bundle_killed(c):
    """A bundle that was cut short is completed; what others have put there is not touched."""
    rng = random.Random(4)
    m = c.model('net')
    full_run(m)
    run('bundle', '--rd', m, '-o', c.path('whole'))
    want = state(c.path('whole'))
    for i in range(12):
        out = c.path(f'b{i}')
        for _ in range(3):
            p = start('bundle', '--rd', m, '-o', out)
            time.sleep(rng.uniform(0, 0.03))
            p.kill()
            p.communicate()
        lock = os.path.join(out, '.dsperse.lock')
        # One that was killed before it had signed its lock has changed nothing: the folder is as it was found.
        half = os.path.exists(out) and (os.path.exists(lock) and read(lock).startswith(b'bundle') or not set(os.listdir(out)) - {'.dsperse.lock'})
        run('bundle', '--rd', m, '-o', out, *([] if half or not os.path.exists(out) else ['--force']))
        same(state(out), want, f'bundle {i}')
        run('verify', '--rd', out)
    os.makedirs(c.path('mine'))
    write(c.path('mine', 'x'), b'x')
    run('bundle', '--rd', m, '-o', c.path('mine'), code=1, has='not empty')
    run('bundle', '--rd', m, '-o', c.path('mine'), code=1, has='not empty')


# ---- full disks ----

def small_disk(path, kib):
    return subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={kib}k', 'none', path], capture_output=True).returncode == 0


def test_full_disk(c):
    ref = c.model('tiny')
    full_run(ref)
    want = state(ref)
    need = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(ref) for f in fs) // 1024
    at = c.path('disk')
    os.makedirs(at)
    if not small_disk(at, 64):
        print('        NOT TESTED: A FULL DISK. A tmpfs cannot be mounted here; a limit on the size of files stands in for it.')
        return limited_files(c, ref, want)
    subprocess.run(['umount', at], check=True)
    full = 0
    for kib in range(76, need + 80, 12):
        check(small_disk(at, kib), 'mount')
        try:
            m = os.path.join(at, 'm')
            shutil.copytree(ref, m, ignore=shutil.ignore_patterns('run', 'slices', 'analysis', 'eval.json'))
            p = start('full-run', '-m', m)
            said = p.communicate()[1]
            check(p.returncode in (0, 1), f'{kib} KiB: exit {p.returncode}: {said}')
            full += p.returncode == 1
            check(p.returncode == 0 or 'No space left' in said, said)
            partly(m, want)
            subprocess.run(['mount', '-o', 'remount,size=64m', at], check=True)
            full_run(m)
            shutil.copyfile(os.path.join(ref, 'eval.json'), os.path.join(m, 'eval.json'))
            same(state(m), want, f'after {kib} KiB')
        finally:
            subprocess.run(['umount', at], check=True)
    check(full > 5, f'{full} disks were full')


def limited_files(c, ref, want):
    import resource
    full = 0
    for n in [2 ** k for k in range(5, 18)]:
        m = shutil.copytree(ref, c.path(f'f{n}'), ignore=shutil.ignore_patterns('run', 'slices', 'analysis'))

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (n, n))
        p = start('full-run', '-m', m, preexec_fn=limit)
        said = p.communicate()[1]
        check(p.returncode in (0, 1), f'{n} bytes: exit {p.returncode}: {said}')
        full += p.returncode == 1
        partly(m, want)
        full_run(m)
        same(state(m), want, f'after files of at most {n} bytes')
    check(full > 5, f'{full} limits were reached')


# ---- side by side ----

def test_two_at_once(c):
    """On one folder: either waits its turn, or says who is at work there."""
    ref = c.model('tiny')
    full_run(ref)
    want = state(ref)
    refused = 0
    for i in range(8):
        m = shutil.copytree(ref, c.path(f'm{i}'), ignore=shutil.ignore_patterns('run', 'slices', 'analysis'))
        ps = [start('full-run', '-m', m) for _ in range(3)]
        for p in ps:
            said = p.communicate()[1]
            check(p.returncode in (0, 1), f'exit {p.returncode}: {said}')
            if p.returncode:
                refused += 1
                check('in use (' in said and 'process' in said, said)   # without its number, where it has just begun
        j = json.loads(run('full-run', '-m', m, '--json', env=SEED).stdout)
        for r in os.listdir(os.path.join(m, 'run')):
            if r.startswith('run_') and os.path.join(m, 'run', r) != j['run']['run_dir']:
                run('verify', '--rd', os.path.join(m, 'run', r), code=0) if os.path.exists(os.path.join(m, 'run', r, 'segment_1', 'proof.bin')) else None
                shutil.rmtree(os.path.join(m, 'run', r))
        same(state(m), want, f'side by side {i}')
    print(f'        {refused} of 24 were refused')


def test_temporary_files_go_away(c):
    m = c.model('tiny')
    full_run(m)
    want = state(m)
    rd = next(r for r in os.listdir(os.path.join(m, 'run')) if r.startswith('run_'))
    left = ['slices/metadata.json.tmpaB3dE6', 'slices/segment_0/segment_0.onnx.tmp000000', 'slices/segment_1/native_circuit/segment_1_vk.bin.tmpABCDEF', 'analysis/model_metadata.json.tmpZZZZZZ',
            'run/metadata.json.tmpabcdef', f'run/{rd}/secret.tmp1a2B3c', f'run/{rd}/boundaries/0.bin.tmpq1w2e3', f'run/{rd}/segment_1/proof.bin.tmpq1w2e3']
    others = ['slices/notes.tmp', 'slices/x.tmp12345', 'slices/y.tmp1234-6', 'analysis/other.tmpZZZZZZ']
    for f in left + others:
        write(os.path.join(m, f), b'half a fi')
    os.makedirs(os.path.join(m, 'run', 'run_20250101_000000'))
    write(os.path.join(m, 'run', 'run_20250101_000000', 'secret'), b'x')
    os.makedirs(os.path.join(m, 'run', 'run_mine'))
    write(os.path.join(m, 'run', 'run_mine', 'notes'), b'x')
    full_run(m)
    check(not [f for f in left if os.path.exists(os.path.join(m, f))], 'left behind')
    check(not os.path.exists(os.path.join(m, 'run', 'run_20250101_000000')), 'a run that never began')
    for f in others + ['run/run_mine/notes']:
        check(os.path.exists(os.path.join(m, f)), f'{f} is not ours')
        os.remove(os.path.join(m, f))
    same(state(m), want, 'otherwise')


def test_lock_names_its_holder(c):
    import fcntl
    m = c.model('tiny')
    run('slice', '-m', m)
    lock = os.path.join(m, 'slices', '.dsperse.lock')
    with open(lock, 'w') as f:
        f.write('compile, process 4711, since 2025-01-01T00:00:00Z\n')
        f.flush()
        fcntl.flock(f, fcntl.LOCK_EX)
        for a in (('slice', '-m', m), ('compile', '-m', m), ('run', '-m', m)):
            run(*a, env=SEED, code=1, has=['in use (compile, process 4711, since 2025-01-01T00:00:00Z)', 'slices'])
    run('compile', '-m', m)
    check(not os.path.exists(lock), 'the lock of a killed process is taken over and removed')


def test_provers_share_a_run(c):
    m = c.model('net')
    run('slice', '-m', m)
    run('compile', '-m', m)
    rd = result('run', '-m', m, env=SEED)['run_dir']
    write(os.path.join(rd, 'segment_0', 'proof.bin.tmpAbC123'), b'left behind')
    ps = [start('prove', '--rd', rd, '-l', k) for k in ('0,1', '2', '3-4', '0')]
    for p in ps:
        said = p.communicate()[1]
        check(p.returncode == 0, said)
    run('verify', '--rd', rd)
    check(not os.path.exists(os.path.join(rd, 'segment_0', 'proof.bin.tmpAbC123')) and not os.path.exists(os.path.join(rd, '.dsperse.lock')), 'nothing is left')


def test_release_has_no_seed(c):
    program = os.path.join(os.path.dirname(PROGRAM), 'dsperse')
    if not os.path.exists(program):
        return
    check(b'DSPERSE_TEST_SEED' not in read(program) and b'DSPERSE_TEST_SEED' in read(PROGRAM), 'the seed is in the test program alone')


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
