"""models/tiny through the program with the real ezkl. Arguments: program, models folder. About a minute of proving on two cores.

The steps stand on each other (keys and proofs take seconds), so they share a folder and run in the order in which they are written.
DSPERSE_SRS names the folder that keeps the insecure SRS between runs.
"""
import os, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'cli'))
import signal
from harness import *

SRS = '--generate-test-srs'
LOUD = 'INSECURE SRS: whoever made it can forge these proofs'
HALVES = ('0:ezkl;1:native', '0:native;1:ezkl')


def found():
    rows = json.loads(subprocess.run([PROGRAM, 'doctor', '--json'], capture_output=True, text=True).stdout)['checks']
    return [k for k in rows if k['name'] == 'backend ezkl'][0]


def segment(rd, i, *names):
    return os.path.join(rd, f'segment_{i}', *names)


def copied(c, rd, name):
    """A run folder of its own, beside the same slices."""
    to = c.path(name, 'run', os.path.basename(rd))
    shutil.copytree(rd, to)
    os.symlink(os.path.join(c.m, 'slices'), c.path(name, 'slices'))
    return to


def rejected(rd, *args):
    j = result('verify', '--rd', rd, SRS, *args, code=4)
    check(j['verdict'] == 'rejected' and (j.get('check') or j['error'].startswith('expected ')), f'verdict {j["verdict"]}, {j["error"]}')


def proof_of(rd, i):
    path = segment(rd, i, 'proof.json')
    with open(path) as f:
        return path, json.load(f)


def changed(path, p):
    with open(path, 'w') as f:
        json.dump(p, f)


def test_full_run(c):
    c.m = c.model('tiny')
    t0 = time.monotonic()
    j = result('full-run', '-m', c.m, '--backend', 'ezkl', SRS)
    c.seconds = time.monotonic() - t0
    c.rd = j['run']['run_dir']
    check([s['backend'] for s in j['compile']['segments']] == ['ezkl'] * 2 and all(s['predicted']['logrows'] == 15 for s in j['compile']['segments']), str(j['compile']))
    check(j['compile']['ezkl']['insecure_srs'], 'marked in compile')
    chain = j['run']['execution_chain']
    check(chain['ezkl_witness_slices'] == 2 and all(e['witness_execution']['method'] == 'ezkl_gen_witness' for e in chain['execution_results']), str(chain))
    check(j['prove']['proved'] == 2 and j['verify']['verdict'] == 'accepted' and [s['verified'] for s in j['verify']['segments']] == [True] * 2, str(j['verify']))
    check(j['verify']['coverage']['segments_percent'] == 100 and not j['verify'].get('unproved'), str(j['verify']))
    c.model_id = j['verify']['model_id']
    saved = json.load(open(os.path.join(c.rd, 'run_result.json')))
    check(saved['execution_chain']['ezkl_proved_slices'] == 2 and saved['execution_chain']['ezkl_verified_slices'] == 2, str(saved['execution_chain']))
    check('nsecure' in json.dumps(saved['chain_verification']), 'the record of the verdict says so')
    a, b = (json.load(open(segment(c.rd, i, 'proof.json')))['instances'][0] for i in (0, 1))
    check(len(a) == 80 and len(b) == 26 and a[64:] == b[:16], 'what one proof makes the next one takes')


def test_model_id_and_model(c):
    check(LOUD in run('verify', '--rd', c.rd, SRS, '--model-id', c.model_id, '--require-full').stdout, 'loud')
    run('verify', '--rd', c.rd, SRS, '--model-id', '00' * 32, code=4)
    other = read(os.path.join(c.m, 'model.onnx'))
    write(c.path('other.onnx'), other[:-40] + bytes([other[-40] ^ 1]) + other[-39:])
    p = subprocess.run([PROGRAM, 'verify', '--rd', c.rd, SRS, '--model', c.path('other.onnx')], capture_output=True, text=True)
    check(p.returncode in (3, 4), f'another model: {p.returncode} {p.stderr}')


def test_could_not_verify_is_not_rejected(c):
    run('verify', '--rd', c.rd, code=5, has=SRS)
    none = {'DSPERSE_EZKL': c.path('none')}
    run('verify', '--rd', c.rd, SRS, code=5, env=none, has='install it with')
    run('verify', '--rd', c.rd, SRS, code=5, env={'DSPERSE_PYTHON': '/bin/false'})
    m = c.path('again')
    shutil.copytree(c.m, m)
    run('compile', '-m', m, '--backend', 'ezkl', '--force', env=none, code=5, has='install it with')
    p = run('compile', '-m', m, '--backend', '0:ezkl', '--force', env={'DSPERSE_SRS': c.path('empty'), 'HOME': c.path('home')}, code=5, has=['kzg15.srs', 'get-srs --logrows 15', SRS])
    check(not os.path.exists(c.path('empty')), p.stderr)


def test_bundle_elsewhere(c):
    run('bundle', '--rd', c.rd, '-o', c.path('bundle'))
    shutil.move(c.path('bundle'), c.path('far', 'away') if os.makedirs(c.path('far')) is None else '')
    have = sorted(os.path.relpath(os.path.join(d, f), c.path('far', 'away')) for d, _, fs in os.walk(c.path('far', 'away')) for f in fs)
    check(have == ['foreign.bin'] + [f'segment_{i}/{f}' for i in (0, 1) for f in ('proof.json', 'settings.json', 'vk.key')], str(have))
    j = result('verify', '--rd', c.path('far', 'away'), SRS, '--model-id', c.model_id, '--expect-input', os.path.join(c.m, 'input.json'))
    check(j['verdict'] == 'accepted', str(j))
    run('verify', '--rd', c.path('far', 'away'), code=5)


def test_false_proofs(c):
    rd = copied(c, c.rd, 'tampered')
    path, p = proof_of(rd, 0)
    p['proof'][100] ^= 1
    p['hex_proof'] = '0x' + bytes(p['proof']).hex()
    changed(path, p)
    rejected(rd)
    rd = copied(c, c.rd, 'hex')
    path, p = proof_of(rd, 1)
    p['hex_proof'] = p['hex_proof'][:-1] + ('0' if p['hex_proof'][-1] != '0' else '1')
    changed(path, p)
    rejected(rd)
    rd = copied(c, c.rd, 'swapped')
    shutil.copyfile(segment(rd, 1, 'proof.json'), segment(rd, 0, 'proof.json'))
    rejected(rd)
    rd = copied(c, c.rd, 'lost')
    os.remove(segment(rd, 1, 'proof.json'))
    rejected(rd)
    rd = copied(c, c.rd, 'garbage')
    write(segment(rd, 1, 'proof.json'), '{"proof": ')
    rejected(rd)
    for name, i, at in (('input', 0, 0), ('edge', 1, 0), ('output', 1, 16)):
        rd = copied(c, c.rd, f'changed-{name}')
        path, p = proof_of(rd, i)
        v = p['instances'][0][at]
        p['instances'][0][at] = ('00' if v[:2] != '00' else '01') + v[2:]
        changed(path, p)
        rejected(rd)


def test_other_input_and_output(c):
    x = json.load(open(os.path.join(c.m, 'input.json')))
    run('verify', '--rd', c.rd, SRS, '--expect-input', os.path.join(c.m, 'input.json'))
    x['input_data'][0][5] += 1
    write(c.path('x.json'), json.dumps(x))
    rejected(c.rd, '--expect-input', c.path('x.json'))
    out = json.load(open(os.path.join(c.rd, 'run_result.json')))['outputs'][0]
    y = {'input_data': [out['data']]}
    write(c.path('y.json'), json.dumps(y))
    run('verify', '--rd', c.rd, SRS, '--expect-output', c.path('y.json'))
    y['input_data'][0][3] += 0.5
    write(c.path('y.json'), json.dumps(y))
    rejected(c.rd, '--expect-output', c.path('y.json'))


def children(pid):
    out = []
    for t in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{t}/children') as f:
            out += [int(x) for x in f.read().split()]
    return out


def test_killed_child(c):
    """The first proof is kept, the second one's prover is killed: its own message, and the next run makes that one alone."""
    rd = copied(c, c.rd, 'killed')
    os.remove(segment(rd, 1, 'proof.json'))
    p = subprocess.Popen([PROGRAM, 'prove', '--rd', rd, SRS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    end = time.monotonic() + 60
    killed = False
    while not killed and p.poll() is None and time.monotonic() < end:
        for k in children(p.pid):
            try:
                if b'\0prove\0' in read(f'/proc/{k}/cmdline'):
                    time.sleep(0.3)
                    os.kill(k, signal.SIGKILL)
                    killed = True
            except (FileNotFoundError, ProcessLookupError):
                pass
        time.sleep(0.01)
    out, err = p.communicate(timeout=60)
    check(killed and p.returncode == 1 and 'killed by signal 9' in out + err, f'{p.returncode}\n{out}\n{err}')
    check(not os.path.exists(segment(rd, 1, 'proof.json')), 'no half of a proof')
    j = result('prove', '--rd', rd, SRS)
    check([s['result'] for s in j['segments']] == ['valid already', 'proved'], str(j['segments']))
    run('verify', '--rd', rd, SRS)


def test_limits(c):
    m = c.path('limits')
    shutil.copytree(c.m, m)
    shutil.rmtree(os.path.join(m, 'run'))
    j = result('compile', '-m', m, '--backend', '0:ezkl', SRS, '--force', '--max-memory', '100M', code=1)
    check('--max-memory' in j['error'] and 'segment 0' in j['error'], j['error'])
    run('compile', '-m', m, '--backend', '0:ezkl', SRS, '--force', '--timeout', '1', code=1, has='time limit of 1 s')


def test_mixed_with_native(c):
    for spec in HALVES:
        m = c.path('mixed-' + spec[2:3])
        shutil.copytree(c.m, m)
        shutil.rmtree(os.path.join(m, 'run'))
        j = result('compile', '-m', m, '--backend', spec, SRS)
        check([s['backend'] for s in j['segments']] == [x[2:] for x in spec.split(';')], str(j))
        rd = result('run', '-m', m)['run_dir']
        check(result('prove', '--rd', rd, SRS)['proved'] == 2, spec)
        j = result('verify', '--rd', rd, SRS, '--require-full')
        check(j['verdict'] == 'accepted' and j['coverage']['segments_percent'] == 100, str(j))
        run('bundle', '--rd', rd, '-o', os.path.join(m, 'b'))
        run('verify', '--rd', os.path.join(m, 'b'), SRS, '--model-id', j['model_id'])
        # the native side and ezkl's speak of the same integers
        i = 0 if spec.startswith('0:ezkl') else 1
        path, p = proof_of(rd, i)
        at = 70 if i == 0 else 3
        v = p['instances'][0][at]
        p['instances'][0][at] = ('00' if v[:2] != '00' else '01') + v[2:]
        changed(path, p)
        rejected(rd)


def test_bench(c):
    before = sorted(os.listdir(c.m))
    j = result('bench', '-m', c.m, '--backend', 'native,ezkl', '--repeats', '1')
    check({'native', 'ezkl'} == set(j['backends']) and all(b['proved_segments'] == 2 for b in j['backends'].values()), str(j))
    check(all(b[k] > 0 for b in j['backends'].values() for k in ('compile_seconds', 'witness_seconds', 'prove_seconds', 'verify_seconds', 'proof_bytes', 'vk_bytes', 'pk_bytes',
                                                               'peak_memory_bytes')), str(j))
    check(len(j['comparison']) == 8 and all(r['ratio'] > 0 for r in j['comparison']), str(j['comparison']))
    check(sorted(os.listdir(c.m)) == before, 'the model folder is left alone')


if __name__ == '__main__':
    k = found()
    if k['status'] != 'ok':
        print(f'SKIPPED, nothing about ezkl was tested through the program: {k.get("error")}')
        sys.exit(77)
    if not have_runtime():
        print('SKIPPED, nothing about ezkl was tested through the program: ONNX Runtime is not there')
        sys.exit(77)
    print(f'ezkl {k["version"]} at {k["path"]}')
    with Case() as case:
        bad = 0
        tests = [v for n, v in globals().items() if n.startswith('test_')]
        for t in tests:
            t0 = time.monotonic()
            try:
                t(case)
                print(f'ok      {t.__name__} ({time.monotonic() - t0:.1f} s)', flush=True)
            except Exception as e:
                bad += 1
                print(f'FAILED  {t.__name__}\n{e if isinstance(e, Failed) else traceback.format_exc()}', flush=True)
                if t is tests[0]:
                    break
        print(f'{len(tests) - bad} of {len(tests)} passed')
        sys.exit(1 if bad else 0)
