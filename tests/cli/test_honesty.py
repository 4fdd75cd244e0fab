"""Statements, runs and bundles that lie at one point and are consistent everywhere else: exit code 4, by the right check."""
import copy, hashlib, struct

from harness import *
from statement import *


def bundle(c, rd, name):
    b = c.path(name)
    run('bundle', '--rd', rd, '-o', b)
    return b


def statement(d): return Statement(os.path.join(d, 'statement.bin'))
def put(st, d): st.write(os.path.join(d, 'statement.bin'))


def changed(d, change):
    """The statement of d with one change; a way back."""
    st = statement(d)
    was = copy.deepcopy(st)
    change(st)
    put(st, d)
    return was


def rejected(d, *args, check='', has=None):
    j = result('verify', '--rd', d, *args, code=4, has=has)
    checked = j.get('check', '')
    if check != checked:
        raise Failed(f'check {check!r} expected, {checked!r} found: {j["error"]}')
    return j


def other_input(c, m, name):
    x = json.load(open(os.path.join(m, 'input.json')))
    x['input_data'][0] = x['input_data'][0][::-1]
    write(c.path(name), json.dumps(x))
    return c.path(name)


def test_single_layers_under_the_rules_of_the_run(c):
    m, rd = c.proved('tiny')
    b = bundle(c, rd, 'b')
    model = os.path.join(m, 'model.onnx')
    run('verify', '--rd', b, '-l', '0', '--model', model)

    def id_(st): st.model_id = bytes(32)
    was = changed(b, id_)
    rejected(b, '-l', '0', '--model-id', '00' * 32, check='R1')
    rejected(b, '-l', '0', check='R1')
    put(was, b)
    os.remove(os.path.join(b, 'segment_1', 'proof.bin'))
    v = result('verify', '--rd', b, '-l', '0')
    check(v['verdict'] == 'partial' and v['coverage']['segments'] == 1 and [s['verified'] for s in v['segments']][:2] == [True, False], 'one segment')
    rejected(b, '-l', '1', check='R1', has='missing')
    rejected(b, check='R1', has='missing')
    # keys of other segments count although their proofs were not asked for
    vk = os.path.join(b, 'segment_1', 'vk.bin')
    shutil.copyfile(os.path.join(b, 'segment_0', 'vk.bin'), vk)
    rejected(b, '-l', '0', check='R1')


def test_mixed_runs_at_every_cut(c):
    """Two runs with the same nonce and the same drawn secret (only a prover that cheats has such runs), every proof honest."""
    m = c.model('net')
    run('slice', '-m', m)
    run('compile', '-m', m)
    a = result('run', '-m', m)['run_dir']
    # a second run is made to continue one with the first one's secret and nonce
    x = other_input(c, m, 'x.json')
    first = json.load(open(os.path.join(a, 'run_result.json')))
    probe = result('run', '-m', m, '-i', x)['run_dir']
    j = json.load(open(os.path.join(probe, 'run_result.json')))
    j.update(status='running', nonce=first['nonce'])
    write(os.path.join(probe, 'run_result.json'), json.dumps(j))
    shutil.copyfile(os.path.join(a, 'secret'), os.path.join(probe, 'secret'))
    r = result('run', '-m', m, '-i', x)
    check(r['run_dir'] == probe and r['continued'] and r['nonce'] == first['nonce'], 'continued')
    for rd in (a, probe):
        run('prove', '--rd', rd)
        run('verify', '--rd', rd, '--model', os.path.join(m, 'model.onnx'))
    A, B = bundle(c, a, 'A'), bundle(c, probe, 'B')
    sa, sb = statement(A), statement(B)
    n = len(sa.slices)
    check(n == 5 and len(sa.edges) == n - 1 and sa.nonce == sb.nonce and sa.run_key == sb.run_key, 'five segments in a chain')
    check(all(p['root'] != q['root'] for p, q in zip(sa.edges, sb.edges)), 'every boundary differs')
    root = {e['name']: e['root'] for e in sb.edges}
    # which segment makes an edge, by its key: the name stands in two keys, the earlier one makes it
    keys = [read(os.path.join(A, f'segment_{i}', 'vk.bin')) for i in range(n)]
    maker = {e['name']: min(i for i in range(n) if e['name'].encode() in keys[i]) for e in sa.edges}
    for cut in range(1, n):
        M = c.path(f'mix{cut}')
        shutil.copytree(A, M)
        for i in range(cut, n):
            shutil.copyfile(os.path.join(B, f'segment_{i}', 'proof.bin'), os.path.join(M, f'segment_{i}', 'proof.bin'))
        rejected(M, check='V3')                       # the statement of one of them
        put(sb, M)
        rejected(M, check='V3')
        for at_cut in (0, 1):                         # input and earlier roots of A, later ones and output of B, either root at the cut
            st = copy.deepcopy(sa)
            for e in st.edges:
                if maker[e['name']] >= cut - at_cut:
                    e['root'] = root[e['name']]
            for p, q in zip(st.pubs, sb.pubs):
                if p['use'] == OUTPUT:
                    p['cells'] = q['cells']
            put(st, M)
            j = rejected(M, check='V3')
            check(j['segment'] == (cut if at_cut == 0 else cut - 1), f'cut {cut}: the segment whose boundary root is not its own: {j["segment"]}')


def a_weight(model):
    """Where the largest of many floats in a row lies: a weight of the model file."""
    best = 0, 0, 0
    for shift in range(4):
        v = struct.unpack(f'<{(len(model) - shift) // 4}f', model[shift:shift + (len(model) - shift) // 4 * 4])
        start = 0
        for i in range(len(v) + 1):
            if i < len(v) and 1e-5 < abs(v[i]) < 8:
                continue
            if i - start > best[0]:
                best = i - start, shift + 4 * max(range(start, i), key=lambda k: abs(v[k])), 0
            start = i + 1
    check(best[0] > 16, 'weights in the model file')
    return best[1]


def test_weight_other_than_the_keys(c):
    """A model with one weight changed, honestly compiled, run and proved, then passed off as the original."""
    m, rd = c.proved('tiny')
    honest = statement(rd)
    good = read(os.path.join(m, 'model.onnx'))
    other = c.path('other')
    os.makedirs(other)
    shutil.copyfile(os.path.join(m, 'input.json'), os.path.join(other, 'input.json'))
    bad = bytearray(good)
    bad[a_weight(good) + 3] ^= 0x80       # its sign
    write(os.path.join(other, 'model.onnx'), bytes(bad))
    for step in ('slice', 'compile', 'run', 'prove'):
        run(step, *(['--rd', other] if step == 'prove' else ['-m', other]))
    b = bundle(c, other, 'b')
    run('verify', '--rd', b, '--model', os.path.join(other, 'model.onnx'))
    original = os.path.join(m, 'model.onnx')
    rejected(b, '--model', original, check='model', has='not the model')
    # model and record digests of the statement and the record changed to fit
    q = os.path.join(b, 'quantization.json')
    record = read(q).replace(hashlib.sha256(bad).hexdigest().encode(), hashlib.sha256(good).hexdigest().encode())
    write(q, record)

    def lie(st):
        st.model, st.record = hashlib.sha256(good).digest(), hashlib.sha256(record).digest()
        st.set_model_id()
    changed(b, lie)
    v = result('verify', '--rd', b)
    check(v['model_checked'] == 'no', 'the verdict says that nobody compared the keys with a model')
    rejected(b, '--model', original, check='model', has='model')
    rejected(b, '--model-id', honest.model_id.hex(), check='model id', has='model id')
    # and with the honest record: scales and keys that do not belong together
    shutil.copyfile(os.path.join(rd, 'quantization.json'), q)
    changed(b, lambda st: (setattr(st, 'record', honest.record), st.set_model_id()))
    rejected(b, '--model', original, check='model', has='the key of segment_')
    # one changed weight inside an otherwise honest bundle
    h = bundle(c, rd, 'h')
    f = os.path.join(h, 'segment_0', 'vk.bin')
    key = bytearray(read(f))
    key[len(key) // 2] ^= 1
    write(f, bytes(key))
    rejected(h, check='R1', has='the key is not the one')

    def listed(st):
        st.slices[0]['key'] = hashlib.sha256(key).digest()
        st.set_model_id()
    changed(h, listed)
    p = subprocess.run([PROGRAM, 'verify', '--rd', h, '--json'], capture_output=True, text=True)
    check(p.returncode == 4 and json.loads(p.stdout)['check'] in ('R1', 'V1'), p.stderr)
    run('verify', '--rd', h, '--model', original, code=4)


def test_stale_key(c):
    m, rd = c.proved('tiny')
    b = bundle(c, rd, 'b')
    run('compile', '-m', m, '--precision', '14')
    new = result('run', '-m', m)['run_dir']
    run('prove', '--rd', new)
    fresh = statement(new)
    for i in range(len(fresh.slices)):
        vk = os.path.join(b, f'segment_{i}', 'vk.bin')
        old = read(vk)
        shutil.copyfile(os.path.join(new, f'segment_{i}', 'vk.bin'), vk)
        rejected(b, check='R1', has='the key is not the one')

        def listed(st):
            st.slices[i]['key'] = fresh.slices[i]['key']
            st.set_model_id()
        was = changed(b, listed)
        p = subprocess.run([PROGRAM, 'verify', '--rd', b, '--json'], capture_output=True, text=True)
        check(p.returncode == 4 and json.loads(p.stdout)['check'][0] == 'R', p.stdout)
        put(was, b)
        write(vk, old)
    run('verify', '--rd', b)
    # proofs under the old keys in a bundle with the new ones
    n = bundle(c, new, 'n')
    shutil.copyfile(os.path.join(b, 'segment_0', 'proof.bin'), os.path.join(n, 'segment_0', 'proof.bin'))
    p = subprocess.run([PROGRAM, 'verify', '--rd', n, '--json'], capture_output=True, text=True)
    check(p.returncode == 4 and json.loads(p.stdout)['check'] in ('V3', 'V4'), p.stdout)
    # the verifier's own compilation is what counts
    rejected(b, '--model-id', fresh.model_id.hex(), check='model id', has='model id')


def test_public_values_and_links(c):
    m, rd = c.proved('tiny')
    b = bundle(c, rd, 'b')
    st = statement(b)
    out = next(p['name'] for p in st.pubs if p['use'] == OUTPUT)
    inp = next(p['name'] for p in st.pubs if p['use'] == INPUT)
    for name in (inp, out):
        def cell(s):
            s.pub(name)['cells'][0] ^= 1
        was = changed(b, cell)
        rejected(b, check='V3')
        put(was, b)
    for change, check_ in [
        (lambda s: s.pub(out).update(scale=s.pub(out)['scale'] + 1), 'R4'),
        (lambda s: s.pub(out).update(scale=1 << 40), 'R4'),
        (lambda s: s.pub(out).update(scale=-(1 << 63)), 'R4'),
        (lambda s: s.pub(inp).update(scale=s.pub(inp)['scale'] - 1), 'R4'),
        (lambda s: s.pub(out).update(use=INNER), 'R4'),
        (lambda s: s.pub(out).update(use=INPUT | OUTPUT), 'R4'),
        (lambda s: s.pub(inp).update(use=INNER), 'R4'),
        (lambda s: s.pub(out).update(name='another'), 'R4'),
        (lambda s: s.edges[0].update(root=bytes(32)), 'V3'),
        (lambda s: s.edges[0].update(name='another'), 'R3'),
        (lambda s: setattr(s, 'nonce', bytes(32)), 'V3'),
        (lambda s: setattr(s, 'run_key', bytes(32)), 'R1'),
        (lambda s: setattr(s, 'record', bytes(32)), 'record'),
        (lambda s: s.slices[0].update(name='other'), 'R1'),
        (lambda s: (s.slices.pop(), s.set_model_id()), 'R1'),
        (lambda s: s.unproved.append(dict(name='segment_9', reason='r', index=9, macs=0)), 'R1'),
        (lambda s: s.unproved.append(dict(name=f'segment_{len(s.slices)}', reason='r', index=len(s.slices), macs=0)), 'R1'),
    ]:
        was = changed(b, change)
        rejected(b, check=check_)
        put(was, b)
    run('verify', '--rd', b)
    first, second = (read(os.path.join(b, f'segment_{i}', 'proof.bin')) for i in (0, 1))
    write(os.path.join(b, 'segment_0', 'proof.bin'), second)
    write(os.path.join(b, 'segment_1', 'proof.bin'), first)
    p = subprocess.run([PROGRAM, 'verify', '--rd', b], capture_output=True, text=True)
    check(p.returncode == 4, p.stderr)


def partial(c, layers):
    m = c.model('net')
    run('slice', '-m', m)
    run('compile', '-m', m, '-l', layers)
    rd = result('run', '-m', m)['run_dir']
    run('prove', '--rd', rd)
    return m, bundle(c, rd, 'b')


def test_what_is_not_proved(c):
    m, b = partial(c, '1-3')
    model = os.path.join(m, 'model.onnx')
    v = result('verify', '--rd', b, '--model', model)
    check([u['segment'] for u in v['unproved']] == [0, 4] and v['coverage']['segments'] == 3 and v['coverage']['macs_checked'], str(v['coverage']))
    check(all('not among the layers' in u['model_reason'] for u in v['unproved']), 'the model would have allowed more, and the verdict says so')
    run('verify', '--rd', b, '-l', '1')
    rejected(b, '-l', '0', check='R1', has='not proved')
    # a segment kept quiet: the record says into how many pieces the model was cut
    was = changed(b, lambda st: st.unproved.pop())
    rejected(b, check='R1', has='segments')
    put(was, b)
    was = changed(b, lambda st: st.unproved.pop(0))
    rejected(b, check='R1')
    put(was, b)
    # proved segments under the numbers of others: the first one, which is not proved, would seem to be the fourth
    def renumber(st):
        for s in st.slices:
            s['index'] -= 1
        st.unproved[0].update(index=3)
    was = changed(b, renumber)
    for i in range(3):
        os.rename(os.path.join(b, f'segment_{i + 1}'), os.path.join(b, f'segment_{i}'))
    rejected(b, check='R1', has='segment 0 is called')
    for i in reversed(range(3)):
        os.rename(os.path.join(b, f'segment_{i}'), os.path.join(b, f'segment_{i + 1}'))
    put(was, b)
    # multiply-accumulates
    for change in (lambda st: st.unproved[0].update(macs=1), lambda st: st.slices[0].update(macs=1 << 40)):
        was = changed(b, change)
        check(not result('verify', '--rd', b)['coverage']['macs_checked'], 'without the model nobody knows')
        rejected(b, '--model', model, check='model', has='multiply-accumulates')
        put(was, b)
    # reasons are the prover's words; control characters do not reach the terminal
    was = changed(b, lambda st: st.unproved[0].update(reason='\x1b[2J\nall proved\u009b1m'))
    p = run('verify', '--rd', b, '--model', model)
    check('\x1b' not in p.stdout and '\u009b' not in p.stdout and '\nall proved' not in p.stdout, repr(p.stdout))
    check('not among the layers' in p.stdout, 'what the model says is shown beside it')
    put(was, b)
    # inputs and outputs are those of the graph
    st = statement(b)
    names = [p['name'] for p in st.pubs]
    check(all(p['use'] == INNER for p in st.pubs) and len(names) == 2, 'both ends are next to unproved segments')
    for name, use in ((names[0], INPUT), (names[1], OUTPUT)):
        was = changed(b, lambda s: s.pub(name).update(use=use))
        rejected(b, '--model', model, check='model', has='is not the model')
        put(was, b)
    rejected(b, '--expect-input', os.path.join(m, 'input.json'), check='expected input', has='no input')
    rejected(b, '--require-full', check='coverage', has='coverage')


def test_more_is_proved_than_the_model_allows(c):
    """Keys of a whole compilation under a statement that says one segment is not proved, and the reverse."""
    m, b = partial(c, '0-3')
    full = c.path('full')
    os.makedirs(full)
    for f in ('model.onnx', 'input.json'):
        shutil.copyfile(os.path.join(m, f), os.path.join(full, f))
    run('full-run', '-m', full)
    w = bundle(c, full, 'w')

    def less(st):
        last = st.slices.pop()
        st.unproved.append(dict(name=last['name'], reason='r', index=last['index'], macs=last['macs']))
        st.set_model_id()
    changed(w, less)
    rejected(w, check='R1')


def test_verifier_shows_what_was_proved(c):
    m, rd = c.proved('tiny')
    f = os.path.join(rd, 'run_result.json')
    good = json.load(open(f))
    lie = copy.deepcopy(good)
    lie['outputs'][0]['data'] = [-v for v in lie['outputs'][0]['data']]
    lie['prediction'] = 7
    write(f, json.dumps(lie))
    v = result('verify', '--rd', rd, '-o', c.path('v.json'))
    check(v['outputs'][0]['data'] == good['outputs'][0]['data'], 'the verdict')
    for path in (c.path('v.json'), f):
        j = json.load(open(path))
        check(j['outputs'][0]['data'] == good['outputs'][0]['data'] and j['prediction'] == good['prediction'] and j['outputs'][0]['verified'], path)
        check(j['chain_verification']['outputs'] == v['outputs'], 'and beside the verdict')


def test_expectations_are_exact(c):
    m, rd = c.proved('tiny')
    st = statement(rd)
    inp = st.pub(next(p['name'] for p in st.pubs if p['use'] == INPUT))
    step = 2.0 ** -inp['scale']
    x = json.load(open(os.path.join(m, 'input.json')))
    flat = x['input_data'][0]
    check(len(flat) == len(inp['cells']), 'a flat input')

    def given(i, v):
        y = list(flat)
        y[i] = v
        write(c.path('y.json'), json.dumps({'input_data': [y]}))
        return c.path('y.json')
    i = next(k for k, v in enumerate(inp['cells']) if v > 2)
    cell = inp['cells'][i]
    # integer = floor(x / step + 1/2): the lower border belongs to the cell, the upper one to the next
    run('verify', '--rd', rd, '--expect-input', given(i, (cell - 0.5) * step))
    run('verify', '--rd', rd, '--expect-input', given(i, (cell + 0.4999) * step))
    rejected(rd, '--expect-input', given(i, (cell + 0.5) * step), check='expected input', has='expected input')
    rejected(rd, '--expect-input', given(i, (cell - 0.5001) * step), check='expected input', has='expected input')
    rejected(rd, '--expect-input', given(i, 1e30), check='expected input', has='expected input')
    out = result('verify', '--rd', rd)['outputs']
    write(c.path('o.json'), json.dumps(out))
    run('verify', '--rd', rd, '--expect-output', c.path('o.json'))
    o = st.pub(out[0]['name'])
    out[0]['data'][0] += 0.6 * 2.0 ** -o['scale'] if abs(o['cells'][0]) < 1 << 22 else abs(out[0]['data'][0]) * 2.0 ** -20
    write(c.path('o.json'), json.dumps(out))
    rejected(rd, '--expect-output', c.path('o.json'), check='expected output', has='expected output')


def test_files_that_are_none(c):
    m, rd = c.proved('tiny')
    for f, code in (('segment_0/vk.bin', 3), ('segment_0/proof.bin', 4), ('quantization.json', 3), ('statement.bin', 3)):
        b = bundle(c, rd, 'b-' + os.path.basename(f))
        os.remove(os.path.join(b, f))
        os.mkfifo(os.path.join(b, f))
        p = subprocess.run([PROGRAM, 'verify', '--rd', b], capture_output=True, text=True, timeout=60)
        check(p.returncode in (1, code) and p.stderr, f'{f}: exit {p.returncode}: {p.stderr}')
        os.remove(os.path.join(b, f))
        os.symlink('/dev/zero', os.path.join(b, f))
        p = subprocess.run([PROGRAM, 'verify', '--rd', b], capture_output=True, text=True, timeout=60)
        check(p.returncode in (1, code) and p.stderr, f'{f}: exit {p.returncode}: {p.stderr}')


def test_nothing_secret_is_bundled(c):
    m, rd = c.proved('tiny')
    run('bundle', '--rd', rd, '-o', rd, '--force', code=1, has='choose another folder')
    d = c.path('d')
    os.makedirs(os.path.join(d, 'segment_0'))
    write(os.path.join(d, 'segment_0', 'witness.bin'), b'x')
    run('bundle', '--rd', rd, '-o', d, '--force', code=1, has='witness.bin')
    # neither files nor messages of prove and verify hold the secret or a boundary's bytes
    secret = read(os.path.join(rd, 'secret'))
    p = run('prove', '--rd', rd, '--force', '--log-level', 'DEBUG')
    said = p.stdout + p.stderr
    check(secret.hex() not in said, 'secret in a message')
    b = bundle(c, rd, 'b')
    for base, _, files in os.walk(b):
        for f in files:
            data = read(os.path.join(base, f))
            check(secret not in data and secret.hex().encode() not in data, f'secret in {f}')
    for f in ('run_result.json', 'chain.json', 'ledger.bin'):
        data = read(os.path.join(rd, f))
        check(secret not in data and secret.hex().encode() not in data, f'secret in {f}')


def test_another_version_needs_a_new_run(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    run('compile', '-m', m)
    rd = result('run', '-m', m)['run_dir']
    f = os.path.join(rd, 'run_result.json')
    j = json.load(open(f))
    write(f, json.dumps({**j, 'tool_version': '0.0.1'}))
    for args in ([], ['-l', '0'], ['--force']):
        run('prove', '--rd', rd, *args, code=1, has='new run')
    fresh = result('full-run', '-m', m)
    check(fresh['run']['run_dir'] != rd, 'a run of another version is not taken up')
    write(f, json.dumps(j))
    was = changed(rd, lambda st: setattr(st, 'run_key', bytes(31) + b'\1'))   # as another protocol version would have it
    run('prove', '--rd', rd, code=3, has='another run')
    check(not os.path.exists(os.path.join(rd, 'ledger.bin')), 'nothing was opened')
    put(was, rd)
    run('prove', '--rd', rd)
    run('verify', '--rd', rd)


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
