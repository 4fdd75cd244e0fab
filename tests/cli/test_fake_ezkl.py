"""ezkl as the program sees it, with a script in its place: where it is looked for, what it is asked, and what becomes of its failures."""
import signal, time

from harness import *

FAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'fake_ezkl.py')


def place(path, version=None):
    """The stand-in as a command at path, of a version of its own."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    lines = ['#!/bin/sh'] + ([f'export FAKE_VERSION={version}'] if version else []) + [f'exec "{sys.executable}" "{FAKE}" "$@"', '']
    write(path, '\n'.join(lines))
    os.chmod(path, 0o755)
    return path


class World:
    """An environment without any ezkl but ours."""

    def __init__(self, c, **more):
        self.c = c
        os.makedirs(c.path('home'), exist_ok=True)
        os.makedirs(c.path('bin'), exist_ok=True)
        self.env = {'HOME': c.path('home'), 'PATH': c.path('bin') + ':/usr/bin:/bin', 'XDG_CONFIG_HOME': '', 'XDG_CACHE_HOME': '', 'EZKL_REPO_PATH': '', 'DSPERSE_EZKL': '',
                    'DSPERSE_PYTHON': '', 'DSPERSE_SRS': c.path('srs'), 'FAKE_LOG': c.path('calls'), **more}

    def calls(self, stage=None):
        """Arguments of what was asked since the last time."""
        f = self.c.path('calls')
        lines = [json.loads(x)[1:] for x in open(f)] if os.path.exists(f) else []
        write(f, '')
        return [x for x in lines if x != ['--version'] and (stage is None or x[0] == stage)]

    def stages(self):
        return [x[0] for x in self.calls()]

    def sliced(self):
        m = self.c.model('tiny')
        run('slice', '-m', m, env=self.env)
        return m

    def compiled(self, *args):
        m = self.sliced()
        run('compile', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', '--generate-test-srs', *args, env=self.env)
        return m


def row(name, env, *args, code=0):
    return [k for k in result('doctor', *args, env=env, code=code)['checks'] if k['name'] == name][0]


def test_places_in_their_order(c):
    w = World(c)
    own, xdg = os.path.join(os.path.dirname(PROGRAM), '..', 'deps', 'ezkl', 'bin', 'python'), c.path('xdg', '.ezkl', 'ezkl')
    order = [(c.path('named'), ['--ezkl-path', c.path('named')], {}), (c.path('env'), [], {'DSPERSE_EZKL': c.path('env')}), (c.path('bin', 'ezkl'), [], {}),
             (c.path('home', '.ezkl', 'ezkl'), [], {}), (xdg, [], {'XDG_CONFIG_HOME': c.path('xdg')})]
    for i, (path, _, _) in enumerate(order):
        place(path, f'22.0.{i}')
    env = dict(w.env)
    for _, _, e in order:
        env.update(e)
    for i, (path, args, e) in enumerate(order):
        k = row('backend ezkl', env, *args)
        check(k['status'] == 'ok' and k['path'] == path and k['version'] == f'22.0.{i}' and k['form'] == 'command', f'{path}: {k}')
        os.remove(path)
        if args or 'DSPERSE_EZKL' in e:      # what was named is the only place
            k = row('backend ezkl', env, *args)
            check(k['status'] == 'not available' and 'not there' in k['error'], f'{path}: {k}')
        env.update({x: '' for x in e})
    k = row('backend ezkl', env)
    check(k['status'] == 'ok' and k['form'] == 'Python package' if os.path.exists(own) else k['status'] == 'not available', str(k))


def test_what_will_not_do(c):
    w = World(c)
    place(c.path('bin', 'ezkl'), '21.9.9')
    place(c.path('home', '.ezkl', 'ezkl'), '22.1.0')
    k = row('backend ezkl', w.env)
    check(k['path'] == c.path('home', '.ezkl', 'ezkl'), f'the next one is taken: {k}')
    for env, word in (({'DSPERSE_EZKL': c.path('bin', 'ezkl')}, 'too old'), ({'DSPERSE_EZKL': c.path('none')}, 'not there'), ({'DSPERSE_PYTHON': '/bin/true'}, 'does not say its version'),
                      ({'DSPERSE_EZKL': c.path('home', '.ezkl', 'ezkl'), 'FAKE_SAYS': 'ezkl source - no compatibility guaranteed'}, 'does not say its version')):
        k = row('backend ezkl', {**w.env, **env})
        check(k['status'] == 'not available' and word in k['error'] and 'setup-ezkl.sh' in k['install'], f'{env}: {k}')
        m = c.path('tiny') if os.path.exists(c.path('tiny')) else w.sliced()
        p = run('compile', '-m', m, '--backend', 'ezkl', env={**w.env, **env}, code=5, has=[word, 'install it with', 'setup-ezkl.sh'])
        check(p.stdout == '', p.stdout)
    check(not os.path.exists(os.path.join(m, 'slices', 'segment_0', 'ezkl_circuitization')), 'nothing was begun')


def test_flags_of_both_versions(c):
    """The stand-in refuses flags that the version lacks: every stage goes through under both."""
    for version in ('22.0.0', '23.0.4'):
        w = World(c, DSPERSE_EZKL=place(c.path('bin', f'ezkl-{version}')), FAKE_VERSION=version)
        m = w.compiled()
        model_id = result('compile', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', '--generate-test-srs', env=w.env)['model_id']
        rd = result('run', '-m', m, env=w.env)['run_dir']
        run('prove', '--rd', rd, '--generate-test-srs', env=w.env, has='INSECURE SRS')
        j = result('verify', '--rd', rd, '--generate-test-srs', '--model-id', model_id, env=w.env)
        check(j['verdict'] == 'accepted', str(j))
        calls = w.calls()
        check({x[0] for x in calls} >= {'gen-settings', 'compile-circuit', 'gen-srs', 'setup', 'gen-witness', 'prove', 'verify'}, str(calls))
        for x in calls:
            check(all(os.path.isabs(v) for o, v in zip(x[1::2], x[2::2]) if os.sep in v), f'paths are absolute: {x}')
        shutil.rmtree(m)
        shutil.rmtree(c.path('srs'))


def test_missing_srs_names_the_command(c):
    for version, words in (('22.2.1', 'ezkl get-srs --logrows 8 --commitment kzg'), ('23.0.4', 'ezkl get-srs --logrows 8;')):
        w = World(c, DSPERSE_EZKL=place(c.path('bin', 'ezkl')), FAKE_VERSION=version)
        m = w.sliced()
        run('compile', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', env=w.env, code=5, has=[words, '--generate-test-srs'])
        check('setup' not in w.stages() and not os.path.exists(c.path('srs')), 'no SRS was made unasked')
        shutil.rmtree(m)
    # where ezkl itself has it
    for env, d in (({}, c.path('home', '.ezkl', 'srs')), ({'EZKL_REPO_PATH': c.path('repo')}, c.path('repo', 'srs'))):
        m = w.sliced()
        os.makedirs(d)
        write(os.path.join(d, 'kzg8.srs'), bytes(4 + (128 << 8) + 256))
        check(row('ezkl SRS', {**w.env, **env})['version'] == '2^ 8', 'doctor')
        j = result('compile', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', env={**w.env, **env})
        check([s['srs']['insecure'] for s in j['segments']] == [False, False] and not j['ezkl']['insecure_srs'], str(j))
        shutil.rmtree(m)
        shutil.rmtree(d)


def test_insecure_srs_is_marked(c):
    w = World(c, DSPERSE_EZKL=place(c.path('bin', 'ezkl')))
    m = w.sliced()
    text = run('full-run', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', '--generate-test-srs', env=w.env).stdout
    check(text.count('INSECURE SRS: whoever made it can forge these proofs') >= 3, text)
    check(row('insecure SRS', w.env)['version'] == '2^ 8' and row('ezkl SRS', w.env)['status'] == 'not available', 'doctor')
    w.calls()
    run('verify', '-m', m, env=w.env, code=5, has='--generate-test-srs')
    check('verify' not in w.stages(), 'nothing was verified')
    run('verify', '-m', m, '--generate-test-srs', env=w.env, has='INSECURE SRS')
    check('gen-srs' not in w.stages(), 'the SRS is kept')


def test_resume_by_stage(c):
    """What fails at a stage ends with its code; the next compilation does the stages that are left, and no other."""
    w = World(c, DSPERSE_EZKL=place(c.path('bin', 'ezkl')))
    m = w.sliced()
    args = ['compile', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', '--generate-test-srs']
    done = []
    for stage in ('gen-settings', 'compile-circuit', 'gen-witness', 'setup'):
        run(*args, env={**w.env, 'FAKE_KILL': stage}, code=1, has=['killed by signal 9', f'ezkl {stage}', f'ezkl-{stage}.log'])
        seen = w.stages()
        check(stage in seen and not set(seen) & set(done), f'{stage}: {seen}')
        done = [x for x in ('gen-settings', 'compile-circuit', 'gen-witness') if x in seen and x != stage] if stage == 'setup' else []
    run(*args, env=w.env)
    check(w.stages() == ['setup', 'setup'], 'only keys were left')
    j = result(*args, env=w.env)
    check(w.stages() == [] and [s['result'] for s in j['segments']] == ['up to date'] * 2, 'nothing was left')
    os.remove(os.path.join(m, 'slices', 'segment_1', 'ezkl_circuitization', 'segment_1_vk.key'))
    j = result(*args, env=w.env)
    check(w.stages() == ['setup'] and [s['result'] for s in j['segments']] == ['up to date', 'compiled'], 'one key was lost')


def test_refusal_falls_back(c):
    w = World(c, DSPERSE_EZKL=place(c.path('bin', 'ezkl')))
    m = w.sliced()
    args = ['compile', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', '--generate-test-srs']
    env = {**w.env, 'FAKE_FAIL': 'gen-settings'}
    j = result(*args, env=env)
    check([s['backend'] for s in j['segments']] == ['native'] * 2 and all('not to its taste' in s['ezkl']['reason'] for s in j['segments']), str(j))
    check(all(a['backend'] == 'ezkl' and a['stage'] == 'gen-settings' and a['error'] for s in j['segments'] for a in s['ezkl']['attempts']), 'attempts')
    run(*args, env=env, has='not by ezkl')
    run(*args, '--no-fallback', env=env, code=1, has='not to its taste')
    run(*args, '-l', '0', env=env, code=1, has='not to its taste')
    check(result('run', '-m', m, env=env)['execution_chain']['witness_slices'] == 2, 'runs')


def test_garbage(c):
    """Nonsense in place of results is never taken for one."""
    w = World(c, DSPERSE_EZKL=place(c.path('bin', 'ezkl')))
    for kind in ('FAKE_GARBAGE', 'FAKE_EMPTY'):
        for stage in ('gen-settings', 'gen-witness'):
            m = w.sliced()
            w.calls()
            p = run('compile', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', '--generate-test-srs', '--no-fallback', env={**w.env, kind: stage}, code=1)
            check('setup' not in w.stages(), f'{kind} {stage}: {p.stderr}')
            said = read(os.path.join(m, 'slices', 'metadata.json')).decode()
            check('_error"' in said or '"error": "' in said, f'{kind} {stage}: the cause is recorded')
            check(m + os.sep not in said, f'{kind} {stage}: an absolute path is recorded')
            shutil.rmtree(m)
        m = w.compiled()
        rd = result('run', '-m', m, env=w.env)['run_dir']
        run('prove', '--rd', rd, '--generate-test-srs', env={**w.env, kind: 'prove'}, code=1)
        check(not os.path.exists(os.path.join(rd, 'segment_0', 'proof.json')), 'no proof is left behind')
        run('verify', '--rd', rd, '--generate-test-srs', env=w.env, code=4)
        shutil.rmtree(m)
    # an SRS of another size
    m = w.sliced()
    shutil.rmtree(c.path('srs'))
    run('compile', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', '--generate-test-srs', env={**w.env, 'FAKE_GARBAGE': 'gen-srs'}, code=1, has='another size')
    check(not [f for f in os.listdir(c.path('srs')) if f.endswith('.srs')], 'not kept')
    # what a process left that is no more
    ended = subprocess.Popen(['true'])
    ended.wait()
    for k in range(4, 27):
        for pid in (ended.pid, os.getpid()):
            write(c.path('srs', f'insecure-kzg{k}.srs.{pid}'), b'part')
    run('compile', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', '--generate-test-srs', env=w.env)
    made = [f for f in os.listdir(c.path('srs')) if f.endswith('.srs')]
    check(made, 'an SRS is made')
    for f in made:
        check(not os.path.exists(c.path('srs', f'{f}.{ended.pid}')) and os.path.exists(c.path('srs', f'{f}.{os.getpid()}')), f'parts of {f}')


def test_timeout(c):
    w = World(c, DSPERSE_EZKL=place(c.path('bin', 'ezkl')))
    m = w.sliced()
    args = ['compile', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', '--generate-test-srs', '--timeout', '10']
    run(*args, env={**w.env, 'FAKE_HANG': 'setup'}, code=1, has=['ezkl setup', 'time limit of 10 s', '.log'])
    gone(w)
    w.calls()
    run(*args, env=w.env)
    check(w.stages() == ['setup', 'setup'], 'goes on from there')


def gone(w):
    pid = int(read(w.c.path('calls.pid')))
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if read(f'/proc/{pid}/stat').split(b') ')[1][:1] == b'Z':
            return
        time.sleep(0.02)
    raise Failed(f'process {pid} lives on')


def test_interrupt(c):
    """Ctrl-C ends the child too, with exit status 130, and the next compilation goes on."""
    w = World(c, DSPERSE_EZKL=place(c.path('bin', 'ezkl')))
    m = w.sliced()
    args = ['compile', '-m', m, '--backend', 'ezkl', '--ezkl-scale', '7', '--generate-test-srs']
    for signum in (signal.SIGINT, signal.SIGTERM):
        if os.path.exists(c.path('calls.pid')):
            os.remove(c.path('calls.pid'))
        e = {**os.environ, **w.env, 'FAKE_HANG': 'compile-circuit'}
        p = subprocess.Popen([PROGRAM, *args], env=e, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not (os.path.exists(c.path('calls.pid')) and read(c.path('calls.pid'))):
            check(p.poll() is None and time.monotonic() < end, 'the stage did not begin')
            time.sleep(0.02)
        p.send_signal(signum)          # to the program alone, as a supervisor does
        _, err = p.communicate(timeout=30)
        check(p.returncode == 130 and b'interrupted' in err, f'{p.returncode}: {err}')
        gone(w)
    w.calls()
    run(*args, env=w.env)
    check('gen-settings' not in w.stages(), 'settings were there')


def test_run_falls_back(c):
    """What ezkl refuses runs in ONNX Runtime, is said, and is unproved in this run; --no-fallback makes it a failure."""
    w = World(c, DSPERSE_EZKL=place(c.path('bin', 'ezkl')))
    m = w.compiled()
    env = {**w.env, 'FAKE_FAIL': 'gen-witness'}
    j = result('run', '-m', m, env=env)
    for e in j['execution_chain']['execution_results']:
        x = e['witness_execution']
        check(x['method'] == 'ezkl_fallback_onnx' and x['attempted_ezkl'] and 'not to its taste' in x['error'] and e['backend'] is None, str(x))
        check([(a['backend'], bool(a['error'])) for a in x['attempts']] == [('ezkl', True), ('onnx', False)], str(x['attempts']))
    check(j['execution_chain']['witness_slices'] == 0 and j['execution_chain']['overall_security'] == '0.0%', str(j['execution_chain']))
    run('prove', '--rd', j['run_dir'], '--generate-test-srs', env=w.env, code=3, has='nothing to prove')
    run('run', '-m', m, '--new', '--no-fallback', env=env, code=1, has='not to its taste')
    j = result('run', '-m', m, '--new', env={**w.env, 'FAKE_GARBAGE': 'gen-witness'})
    check(j['execution_chain']['ezkl_witness_slices'] == 0, 'nonsense is no witness')


def test_run_goes_on(c):
    """A child that is killed ends the run; the next one does what is left, and so does the next prove."""
    w = World(c, DSPERSE_EZKL=place(c.path('bin', 'ezkl')))
    m = w.compiled()
    w.calls()
    run('run', '-m', m, env={**w.env, 'FAKE_KILL': 'gen-witness'}, code=1, has=['killed by signal 9', 'ezkl gen-witness'])
    run('run', '-m', m, env={**w.env, 'DSPERSE_EZKL': c.path('none')}, code=5)
    w.calls()
    j = result('run', '-m', m, env=w.env)
    check(j['continued'] and w.stages() == ['gen-witness'] * 2, 'the same run goes on')
    check(j['execution_chain']['ezkl_witness_slices'] == 2 and j['insecure_srs'], str(j['execution_chain']))
    rd = j['run_dir']
    run('prove', '--rd', rd, '--generate-test-srs', env={**w.env, 'FAKE_KILL': 'prove'}, code=1, has='killed by signal 9')
    check(not os.path.exists(os.path.join(rd, 'segment_0', 'proof.json')) and not os.path.exists(os.path.join(rd, 'segment_0', 'proof.new.json')), 'no half of a proof')
    run('prove', '--rd', rd, env=w.env, code=5, has='--generate-test-srs')
    run('prove', '--rd', rd, '--generate-test-srs', '--max-memory', '10', env=w.env, code=1, has='--max-memory')
    check(result('prove', '--rd', rd, '--generate-test-srs', env=w.env)['proved'] == 2, 'proves')
    check(result('verify', '--rd', rd, '--generate-test-srs', '--require-full', env=w.env)['verdict'] == 'accepted', 'verifies')
    run('verify', '--rd', rd, env=w.env, code=5)
    # a reference string of somebody else is no reason to reject
    srs = [os.path.join(w.env['DSPERSE_SRS'], f) for f in os.listdir(w.env['DSPERSE_SRS'])]
    data = read(srs[0])
    write(srs[0], b'x' + data[1:])
    run('verify', '--rd', rd, '--generate-test-srs', env=w.env, code=5, has='not the insecure SRS')
    write(srs[0], data)
    # what changed since the run
    for name, text in (('vk.key', 'changed since the run'), ('witness.json', None)):
        f = os.path.join(rd, 'segment_1', name)
        old = read(f)
        write(f, old[:-3] + b'   ')
        os.rename(os.path.join(rd, 'segment_1', 'proof.json'), os.path.join(rd, 'kept'))
        run('prove', '--rd', rd, '-l', '1', '--generate-test-srs', env=w.env, code=1 if text else 3, has=text or '')
        os.rename(os.path.join(rd, 'kept'), os.path.join(rd, 'segment_1', 'proof.json'))
        write(f, old)
    run('verify', '--rd', rd, '--generate-test-srs', env=w.env)


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
