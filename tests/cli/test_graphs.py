"""Graphs that are no chains, names that mislead, shapes and types of every kind: what the commands make of them."""
import glob, random

from harness import *
from onnx_file import *


def put(c, name, data, inputs):
    m = c.path(name)
    os.makedirs(m)
    write(os.path.join(m, 'model.onnx'), data)
    write(os.path.join(m, 'input.json'), json.dumps({'input_data': inputs}))
    return m


def metadata(m): return json.load(open(os.path.join(m, 'slices', 'metadata.json')))
def names(edges): return [e['name'] for e in edges]


def numbers(n, seed=1):
    r = random.Random(seed)
    return [r.uniform(-1, 1) for _ in range(n)]


def weights(name, rows, cols, seed): return tensor(name, [rows, cols], numbers(rows * cols, seed))


def branched():
    """Two inputs, three outputs; two branches; a skip over two cuts; leading nodes without weights; misleading, numeric and no names; a weight in a
    Constant node."""
    constant = field(2, 'my_input') + field(4, 'Constant') + field(5, field(1, 'value') + field(5, weights('', 4, 4, 5)) + field(20, 4))
    nodes = [node('Relu', 'x_weight', 'a'), node('Relu', 'x_bias', 'b'), node('MatMul', 'a,/data', '12'), node('Relu', '12', 'c'), constant,
             node('MatMul', 'c,my_input', 'd'), node('Add', 'd,a', 'e'), node('MatMul', 'b,W', 'f'), node('Add', 'e,f', 'y'), node('Sub', 'y,b', 'z'),
             node('MatMul', 'y,V', 'label')]
    return model(nodes, [value('x_weight', [1, 4]), value('x_bias', [1, 4])], [value('y', [1, 4]), value('z', [1, 4]), value('label', [1, 2])],
                 [weights('/data', 4, 4, 2), weights('W', 4, 4, 3), weights('V', 4, 2, 4)])


def branched_folder(c, name='m'): return put(c, name, branched(), [numbers(4, 8), numbers(4, 9)])


def test_branches_skips_and_many_outputs(c):
    m = branched_folder(c)
    run('slice', '-m', m)
    segments = metadata(m)['segments']
    check([s['index'] for s in segments] == list(range(4)), 'numbered from 0 without gaps')
    check([l['type'] for l in segments[0]['layers']][:2] == ['Relu', 'Relu'], 'leading nodes belong to segment 0')
    check([names(s['inputs']) for s in segments] == [['x_weight', 'x_bias'], ['c', 'a'], ['b', 'e'], ['y']], f'inputs: {[names(s["inputs"]) for s in segments]}')
    check([names(s['outputs']) for s in segments] == [['a', 'b', 'c'], ['e'], ['y', 'z'], ['label']], f'outputs: {[names(s["outputs"]) for s in segments]}')
    check([e['producer'] for e in segments[1]['inputs'] + segments[2]['inputs']] == ['segment_0', 'segment_0', 'segment_0', 'segment_1'], 'who makes what')
    # in floats: exactly the whole model
    j = result('run', '-m', m, '--compare')
    check([o['name'] for o in j['outputs']] == ['y', 'z', 'label'] and [o['shape'] for o in j['outputs']] == [[1, 4], [1, 4], [1, 2]], 'outputs')
    check(all(d['max_abs_error'] == 0 for d in j['comparison']) and len(j['comparison']) == 3, f'sliced is whole: {j["comparison"]}')
    # in integers: proved as one chain
    j = result('full-run', '-m', m, '--compare', '--new')
    check(j['verify']['verdict'] == 'accepted' and j['verify']['coverage']['segments'] == 4 and len(j['verify']['outputs']) == 3, str(j['verify']['coverage']))
    check(all(d['max_rel_error'] < 0.02 for d in j['run']['comparison']), str(j['run']['comparison']))


def test_outputs_are_what_the_model_says(c):
    """Raw values; a class is named only where the one output is a vector of floats."""
    m = branched_folder(c)
    run('slice', '-m', m)
    j = result('run', '-m', m)
    check('prediction' not in j and 'probabilities' not in j, 'three outputs: no class')
    one = put(c, 'one', model([node('MatMul', 'x,W', 'y')], [value('x', [1, 4])], [value('y', [1, 3])], [weights('W', 4, 3, 1)]), [[1, 0, 0, 0]])
    run('slice', '-m', one)
    j = result('run', '-m', one)
    w = numbers(12, 1)[:3]
    check(max(abs(a - b) for a, b in zip(j['outputs'][0]['data'], w)) < 1e-6, 'the raw output, not a distribution')
    check(j['prediction'] == w.index(max(w)), 'and its largest entry')
    plane = put(c, 'plane', model([node('MatMul', 'x,W', 'y')], [value('x', [2, 4])], [value('y', [2, 3])], [weights('W', 4, 3, 1)]), [[1, 0, 0, 0] * 2])
    run('slice', '-m', plane)
    j = result('run', '-m', plane)
    check(j['outputs'][0]['shape'] == [2, 3] and 'prediction' not in j, 'a matrix: no class')


def test_types(c):
    """Whole numbers and truth values go in, across a cut and out as what they are."""
    data = model([node('Gather', 'W,i', 'g', axis=0), node('MatMul', 'g,V', 'h'), node('Greater', 'h,zero', 'above'), node('ArgMax', 'h', 'best', axis=1, keepdims=0),
                  node('MatMul', 'h,U', 'y'), node('Where', 'above,h,zero', 'kept')],
                 [value('i', [3], INT64)], [value('best', [3], INT64), value('y', [3, 2]), value('kept', [3, 4]), value('above', [3, 4], BOOL)],
                 [weights('W', 8, 4, 1), weights('V', 4, 4, 2), weights('U', 4, 2, 3), tensor('zero', [1], [0.0])])
    m = put(c, 'm', data, [[7, 0, 3]])
    run('slice', '-m', m)
    types = {e['name']: e['dtype'] for s in metadata(m)['segments'] for e in s['inputs'] + s['outputs']}
    check(types['i'] == 'int64' and types['above'] == 'bool' and types['best'] == 'int64' and types['y'] == 'float32', str(types))
    j = result('run', '-m', m, '--compare')
    out = {o['name']: o for o in j['outputs']}
    check(out['best']['dtype'] == 'int64' and all(isinstance(v, int) for v in out['best']['data']), str(out['best']))
    check(out['above']['dtype'] == 'bool', str(out['above']))
    check(all(d['max_abs_error'] == 0 for d in j['comparison']), str(j['comparison']))
    for bad in ([[7, 0, 2.5]], [[7, 0, 1 << 70]]):
        write(os.path.join(m, 'x.json'), json.dumps(bad))
        run('run', '-m', m, '-i', os.path.join(m, 'x.json'), code=3)


def test_dimensions_are_bound_by_name(c):
    nodes, w = [node('MatMul', 'x,W', 'a'), node('Relu', 'a', 'b'), node('MatMul', 'b,W', 'y')], [weights('W', 4, 4, 1)]
    m = put(c, 'm', model(nodes, [value('x', ['batch', 'rows', 4])], [value('y', ['batch', 'rows', 4])], w, opset=9, ir=4), [numbers(12)])
    run('slice', '-m', m, code=1, has="--dim 'rows=VALUE'")
    run('slice', '-m', m, '--dim', 'rows=3', '--dim', 'nobody=2', code=2, has='nobody')
    run('slice', '-m', m, '--dim', 'rows=3')
    j = metadata(m)
    check(j['dims'] == {'batch': 1, 'rows': 3} or j['dims'] == {'rows': 3}, str(j['dims']))
    check(j['segments'][1]['inputs'][0]['shape'] == [1, 3, 4], 'the batch is 1, rows what was said')
    for f in glob.glob(os.path.join(m, 'slices', 'segment_*', '*.onnx')):
        check(field(8, field(2, 9)) in read(f) and read(f).startswith(field(1, 4)), f'{f}: operator set and format version of the model')
    j = result('run', '-m', m, '--compare')
    check(j['comparison'][0]['max_abs_error'] == 0 and j['outputs'][0]['shape'] == [1, 3, 4], str(j['comparison']))


def test_what_cannot_be_proved_is_named(c):
    """A segment with an unsupported operator says which and why, has no circuit files, and every file that the metadata names is there."""
    m = put(c, 'm', model([node('MatMul', 'x,W', 'a'), node('Relu', 'a', 'b'), node('MatMul', 'b,W', 'c'), node('Softmax', 'c', 'd', 'the_softmax'), node('MatMul', 'd,W', 'y')],
                          [value('x', [1, 4])], [value('y', [1, 4])], [weights('W', 4, 4, 1)]), [numbers(4)])
    run('slice', '-m', m)
    run('compile', '-m', m, '--no-fallback', code=1, has='Softmax')
    run('compile', '-m', m, '-l', '1', code=1, has='Softmax')
    j = result('compile', '-m', m, '--force')
    check([s['result'] for s in j['segments']] == ['compiled', 'skipped', 'compiled'] and 'Softmax' in j['segments'][1]['reason'], str(j['segments']))
    own = os.path.join(m, 'slices')
    segments = metadata(m)['segments']
    for s in segments:
        k = s['compilation']['native']
        for f in ('circuit', 'vk', 'pk'):
            check((f in k) == (k['status'] == 'compiled') and (f not in k or os.path.exists(os.path.join(own, k[f]))), f'{s["index"]}: {f}')
    k = segments[1]['compilation']['native']
    check(k['status'] == 'unsupported' and 'Softmax' in k['reason'] and 'the_softmax' in k['reason'], str(k))
    check(not os.path.exists(os.path.join(own, 'segment_1', 'native_circuit')), 'no circuit')
    r = result('run', '-m', m)
    check([e['witness_execution']['method'] for e in r['execution_chain']['execution_results']] == ['native_gen_witness', 'onnx_only', 'native_gen_witness'], 'it runs as plain ONNX')


def test_everything_is_counted(c):
    """All parameters, true features and channels, attributes of the layers."""
    m = c.model('net')
    run('slice', '-m', m, '-S')
    j = metadata(m)
    check(j['total_parameters'] == 62006 and [s['parameters'] for s in j['segments']] == [456, 2416, 48120, 10164, 850], str(j['total_parameters']))
    d = [l['parameter_details'] for s in j['segments'] for l in s['layers']]
    conv = [x for x in d if 'in_channels' in x]
    check([(x['in_channels'], x['out_channels'], x['kernel_size']) for x in conv] == [(3, 6, [5, 5]), (6, 16, [5, 5])], str(conv))
    check([(x['in_features'], x['out_features']) for x in d if 'in_features' in x] == [(400, 120), (120, 84), (84, 10)], 'Gemm')
    a = json.load(open(os.path.join(m, 'analysis', 'model_metadata.json')))['nodes']
    check(sum(n['parameters'] for n in a.values()) == 62006 and sum(n['macs'] for n in a.values()) == sum(s['macs'] for s in j['segments']) == 651720, 'analysis')
    # a MatMul without a transposed weight, a grouped convolution, normalisation and a bias of its own
    data = model([node('Conv', 'x,K', 'a', group=2, strides=[2, 1], pads=[1, 0, 1, 0], kernel_shape=[3, 1]), node('BatchNormalization', 'a,s,t,u,v', 'b'), node('Add', 'b,B', 'c'),
                  node('MatMul', 'c,W', 'y')], [value('x', [1, 4, 5, 6])], [value('y', [1, 6, 3, 7])],
                 [tensor('K', [6, 2, 3, 1], numbers(36)), *[tensor(n, [6], [1 + abs(v) for v in numbers(6)]) for n in 'stuv'], tensor('B', [6, 1, 1], numbers(6)), weights('W', 6, 7, 1)])
    m = put(c, 'm', data, [numbers(120)])
    run('slice', '-m', m)
    j = metadata(m)
    check(j['total_parameters'] == 36 + 24 + 6 + 42, str(j['total_parameters']))
    layers = [l['parameter_details'] for s in j['segments'] for l in s['layers']]
    k = layers[0]
    check((k['in_channels'], k['out_channels'], k['group'], k['stride'], k['padding'], k['kernel_size']) == (4, 6, 2, [2, 1], [1, 0, 1, 0], [3, 1]), str(k))
    check((layers[-1]['in_features'], layers[-1]['out_features']) == (6, 7), str(layers[-1]))


def test_slicing_again_gives_equal_bytes(c):
    m = branched_folder(c)
    for d in ('a', 'b'):
        run('slice', '-m', m, '-o', c.path(d), '-S', c.path(d + '.json'))

    def contents(d):
        return {os.path.relpath(os.path.join(base, f), d): read(os.path.join(base, f)) for base, _, files in os.walk(d) for f in files}
    check(contents(c.path('a')) == contents(c.path('b')) and len(contents(c.path('a'))) == 5, 'slices')
    check(read(c.path('a.json')) == read(c.path('b.json')), 'analysis')


def test_nothing_stale_is_taken(c):
    """A second slicing of the folder leaves no segment of the first and uses none of its circuits; what is not its own is not touched."""
    m = c.model('net')
    run('slice', '-m', m)
    run('compile', '-m', m)
    write(os.path.join(m, 'slices', 'mine.txt'), 'mine')
    run('slice', '-m', m, '--cuts', '6')
    check(sorted(f for f in os.listdir(os.path.join(m, 'slices')) if f.startswith('segment_')) == ['segment_0', 'segment_1'], 'two segments')
    check(os.path.exists(os.path.join(m, 'slices', 'mine.txt')), 'a file of somebody else')
    methods = {e['witness_execution']['method'] for e in result('run', '-m', m)['execution_chain']['execution_results']}
    check(methods == {'onnx_only'}, f'circuits of other segments: {methods}')
    j = result('compile', '-m', m)
    check(j['compiled'] == 2 and j['up_to_date'] == 0, str(j))
    os.makedirs(os.path.join(m, 'slices', 'segment_7'))
    run('slice', '-m', m, '--cuts', '3', code=2, has=['segment_7', '--force'])
    run('slice', '-m', m, '--cuts', '3', '--force')
    check(not os.path.exists(os.path.join(m, 'slices', 'segment_7')), '--force')


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
