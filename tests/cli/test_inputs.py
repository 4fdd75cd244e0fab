from harness import *


def compiled(c, name='tiny', *args):
    m = c.model(name)
    run('slice', '-m', m)
    run('compile', '-m', m, *args)
    return m


def test_accepted_forms(c):
    """One tensor, many spellings: the same outputs."""
    m, name = compiled(c, 'net'), 'input'
    x = json.load(open(os.path.join(m, 'input.json')))['input_data'][0]
    grid = [[x[(k * 32 + i) * 32:(k * 32 + i + 1) * 32] for i in range(32)] for k in range(3)]
    forms = {
        'canonical': {'input_data': [x]}, 'input': {'input': [x]}, 'data': {'data': [x]}, 'inputs': {'inputs': [x]},
        'flat list': {'input_data': x}, 'bare': x, 'bare in a list': [x], 'nested': {'input_data': [grid]}, 'no batch axis': {'input_data': grid},
        'planes': grid, 'one list more': {'input_data': [[grid]]}, 'with output_data': {'input_data': [x], 'output_data': []},
        'named': [{'name': name, 'data': x}], 'named with shape': {'inputs': [{'name': name, 'data': x, 'shape': [1, 3, 32, 32]}]},
        'by name': {'input_data': {name: x}}, 'exponents': json.loads(json.dumps({'input_data': [[float(f'{v:e}') for v in x]]})),
    }
    first = None
    for k, v in forms.items():
        write(c.path('x.json'), json.dumps(v, indent=2 if 'nested' in k else None))
        out = result('run', '-m', m, '-i', c.path('x.json'))['outputs']
        first = first or out
        check(out == first, k)


def test_refused(c):
    m = compiled(c)
    x = json.load(open(os.path.join(m, 'input.json')))['input_data'][0]
    cases = {
        'short': ({'input_data': [x[:-1]]}, ['64 values expected', '63 found']), 'long': ({'input_data': [x + [0]]}, ['65 found']),
        'batch': ({'input_data': [x, x]}, ['128 found', 'batches']), 'empty': ({'input_data': []}, '0 found'), 'no key': ({'tensor': x}, 'input_data'),
        'ragged': ({'input_data': [x[:8], x[8:15]]}, 'equal length'), 'text': ({'input_data': ['a'] * 64}, 'numbers'),
        'wrong shape': ({'input_data': [[x[i * 16:(i + 1) * 16] for i in range(4)]]}, 'shape'),
        'wrong stated shape': ([{'name': 'input', 'data': x, 'shape': [4, 16]}], 'shape'), 'other name': ({'input_data': {'nobody': x}}, 'no data for'),
        'out of range': ({'input_data': [[1000.0] + x[1:]]}, ['input', '1000']), 'null': (None, 'expected'), 'number': (3, 'list'),
    }
    for k, (v, has) in cases.items():
        write(c.path('x.json'), json.dumps(v))
        run('run', '-m', m, '-i', c.path('x.json'), code=3, has=has)
    raw = {
        'NaN': '{"input_data": [[NaN' + ', 0' * 63 + ']]}', 'Infinity': '{"input_data": [[Infinity' + ', 0' * 63 + ']]}', 'overflow': '[1e999' + ', 0' * 63 + ']',
        'cut off': '{"input_data": [[1, 2', 'trailing': '{"input_data": [[]]} x', 'no value': '', 'leading zero': '[01]', 'twice': '{"data": [1], "data": [2]}',
        'deep': '[' * 5000, 'mixed': '[1, [2]]', 'bad escape': '{"\\q": 1}', 'not UTF-8': b'{"\xff": 1}', 'NUL': b'[0, \x00]', 'plus': '[+1]', 'hex': '[0x10]', 'point': '[1.]',
    }
    for k, v in raw.items():
        write(c.path('x.json'), v)
        run('run', '-m', m, '-i', c.path('x.json'), code=3, has='x.json')
    run('run', '-m', m, '-i', c.path('nothing.json'), code=3, has='nothing.json')
    run('run', '-m', m, '-i', c.dir, code=1)


def test_a_failed_run_leaves_earlier_ones(c):
    m, rd = c.proved('tiny')
    before = read(os.path.join(rd, 'statement.bin'))
    write(c.path('x.json'), json.dumps({'input_data': [[1e6] * 64]}))
    run('run', '-m', m, '-i', c.path('x.json'), code=3)
    check(read(os.path.join(rd, 'statement.bin')) == before, 'statement')
    check(result('verify', '--rd', m)['run_dir'] == rd, 'the newest complete run is the earlier one')


def test_calibration(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    x = os.path.join(m, 'input.json')
    os.rename(x, c.path('s.json'))
    run('compile', '-m', m, code=2, has=['--input-file', '--input-range'])
    run('compile', '-m', m, '-i', c.path('no.json'), code=3)
    a = result('compile', '-m', m, '-i', c.path('s.json'), '-i', c.path('s.json'), '--input-range', '-4:4')
    check(a['input_ranges'][0]['lo'] == -4 and a['input_ranges'][0]['hi'] == 4, 'declared range')
    b = result('compile', '-m', m, '--input-range', '0:1')
    d = result('compile', '-m', m, '--input-range', '0:1', '--force')
    check(b['model_id'] == d['model_id'], 'random samples are seeded')
    run('compile', '-m', m, '--input-range', 'nobody=0:1', code=2, has='nobody')


def test_eval_files(c):
    m = compiled(c)
    good = json.load(open(os.path.join(m, 'eval.json')))
    few = {'inputs': good['inputs'][:20], 'labels': good['labels'][:20], 'expand': good['expand']}
    write(c.path('e.json'), json.dumps(few))
    check(result('run', '-m', m, '--eval', c.path('e.json'))['samples'] == 20, 'samples')
    for k, v in {'labels': few['labels'][:5], 'inputs': [[1]] * 20, 'expand': {'from': [1, 8, 8], 'to': [1, 9, 9]}}.items():
        write(c.path('e.json'), json.dumps({**few, k: v}))
        run('run', '-m', m, '--eval', c.path('e.json'), code=3)


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
