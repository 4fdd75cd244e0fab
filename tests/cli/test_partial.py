"""Models of which only a part is proved."""
from harness import *


def partial(c, layers):
    m = c.model('net')
    run('slice', '-m', m)
    run('compile', '-m', m, '-l', layers)
    r = result('run', '-m', m)
    return m, r


def test_some_layers(c):
    m, r = partial(c, '0,2-3')
    methods = [e['witness_execution']['method'] for e in r['execution_chain']['execution_results']]
    check(methods == ['native_gen_witness', 'onnx_only', 'native_gen_witness', 'native_gen_witness', 'onnx_only'], str(methods))
    run('prove', '--rd', r['run_dir'])
    v = result('verify', '--rd', r['run_dir'])
    check(v['verdict'] == 'accepted' and [u['segment'] for u in v['unproved']] == [1, 4] and v['coverage']['segments'] == 3, 'coverage')
    check(len(v['public_boundaries']) == 3, f'boundaries next to unproved segments are public: {v["public_boundaries"]}')
    run('verify', '--rd', r['run_dir'], '--require-full', code=4, has='coverage')
    run('verify', '--rd', r['run_dir'], '--model', os.path.join(m, 'model.onnx'), '--expect-input', os.path.join(m, 'input.json'))
    run('bundle', '--rd', r['run_dir'], '-o', c.path('b'), has=['unproved: segment 1', 'unproved: segment 4', 'public: '])
    run('verify', '--rd', c.path('b'), has='unproved')


def test_values_stay_close(c):
    m, r = partial(c, '1,3')
    run('slice', '-m', m, '-o', c.path('slices'))
    run('compile', '-s', c.path('slices'), '-i', os.path.join(m, 'input.json'))
    whole = result('run', '-s', c.path('slices'), '-i', os.path.join(m, 'input.json'))
    a, b = r['outputs'][0]['data'], whole['outputs'][0]['data']
    check(max(abs(x - y) for x, y in zip(a, b)) < 0.05 * max(map(abs, b)) and r['prediction'] == whole['prediction'], 'same model')


def test_no_fallback(c):
    m, r = partial(c, '0')
    run('run', '-m', m, '--no-fallback', code=1, has='--no-fallback')
    run('run', '-m', m, '--new', code=5, env={'DSPERSE_ORT': '/nonexistent'}, has='ONNX Runtime')


def test_nothing_compiled(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    r = result('run', '-m', m)
    check(all(e['witness_execution']['method'] == 'onnx_only' for e in r['execution_chain']['execution_results']), 'plain inference')
    run('prove', '--rd', r['run_dir'], code=3, has='nothing to prove')
    run('verify', '--rd', r['run_dir'], code=3)


def test_segment_file_changed(c):
    m, r = partial(c, '0')
    f = os.path.join(m, 'slices', 'segment_3', 'segment_3.onnx')
    flip(f, len(read(f)) // 2)
    run('run', '-m', m, code=3, has='segment_3.onnx')


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
