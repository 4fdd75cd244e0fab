#!/usr/bin/env python3
"""Writes tests/corpus/<reader>/: small files, good and hostile, for the harnesses of tests/fuzz, with index.txt (name, tab, one sentence). What each name
ending means stands in tests/fuzz/replay.c. Needs nothing but Python, ref/, models/tiny and tests/vectors/slice_proof.json; a run gives the same files.

  make_corpus.py                     writes the files (packs of inputs found by fuzzing are kept)
  make_corpus.py --unpack READER DIR inputs of a reader's corpus as single files: seeds for its fuzzer
  make_corpus.py --pack READER DIR   files found by the fuzzer as tests/corpus/READER/found.pack, smallest first up to 24 KiB
"""
import hashlib, json, os, struct, sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
CORPUS = os.path.join(ROOT, 'tests', 'corpus')
sys.path.insert(0, os.path.join(ROOT, 'ref'))
sys.dont_write_bytecode = True
from protocol_ref import t_for_trees, t_pads
PACK_BYTES = 24 << 10
sha = lambda b: hashlib.sha256(b).digest()
u8, u16, u32, u64 = (lambda f: lambda v: struct.pack(f, v))('<B'), (lambda v: struct.pack('<H', v)), (lambda v: struct.pack('<I', v)), (lambda v: struct.pack('<Q', v))
i64 = lambda v: struct.pack('<q', v)
files = {}                                            # reader -> name -> (bytes, sentence)


def put(reader, name, data, sentence):
    there = files.setdefault(reader, {})
    assert name not in there, name
    there[name] = (data.encode() if isinstance(data, str) else data, sentence)


def source(rel):
    with open(os.path.join(ROOT, rel), 'rb') as f:
        return f.read()


def escaped(b):
    return ''.join(chr(c) if 32 < c < 127 and c != 92 else '\\x%02x' % c for c in b)


def gen(*runs, digest=False):
    """A .gen file: (count, bytes) runs."""
    return ''.join('%d %s\n' % (n, escaped(b)) for n, b in runs) + ('sha256\n' if digest else '')


# ---------------------------------------------------------------------------------------------- ONNX
def varint(v):
    v &= (1 << 64) - 1
    out = b''
    while v >= 128:
        out += u8(v & 127 | 128)
        v >>= 7
    return out + u8(v)


def vi(field, v): return varint(field << 3) + varint(v)
def ln(field, b): return varint(field << 3 | 2) + varint(len(b)) + (b.encode() if isinstance(b, str) else b)
def dim(d): return ln(1, ln(2, d) if isinstance(d, str) else vi(1, d))
def info(name, dims, dtype=1): return ln(1, name) + ln(2, ln(1, vi(1, dtype) + ln(2, b''.join(dim(d) for d in dims))))
def tensor(name, dims, raw=None, dtype=1, more=b''):
    return b''.join(vi(1, d) for d in dims) + vi(2, dtype) + ln(8, name) + (b'' if raw is None else ln(9, raw)) + more
def floats(*v): return struct.pack('<%df' % len(v), *v)
def ints64(*v): return struct.pack('<%dq' % len(v), *v)
def attr_i(name, v): return ln(5, ln(1, name) + vi(20, 2) + vi(3, v))
def attr_ints(name, v): return ln(5, ln(1, name) + vi(20, 7) + b''.join(vi(8, x) for x in v))
def attr_g(name, g): return ln(5, ln(1, name) + vi(20, 5) + ln(6, g))
def attr_t(name, t): return ln(5, ln(1, name) + vi(20, 4) + ln(5, t))
def node(op, ins, outs, attrs=b'', name='', domain=''):
    return b''.join(ln(1, i) for i in ins) + b''.join(ln(2, o) for o in outs) + (ln(3, name) if name else b'') + ln(4, op) + attrs + (ln(7, domain) if domain else b'')
def graph(nodes, inits, ins, outs):
    return b''.join(ln(1, n) for n in nodes) + ln(2, 'g') + b''.join(ln(5, t) for t in inits) + b''.join(ln(11, i) for i in ins) + b''.join(ln(12, o) for o in outs)
def model(g, ir=8, opset=13, more=b''): return vi(1, ir) + ln(8, vi(2, opset)) + ln(7, g) + more


def gemm(w=None, ins=None, nodes=None, outs=None, inits=None):
    w = w if w is not None else tensor('w', [2, 3], floats(*range(6)))
    return graph(nodes or [node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], ['y'])], inits if inits is not None else [w],
                 ins or [info('x', [1, 2])], outs or [info('y', [1, 3])])


def external(location, offset='0', length='24'):
    entry = lambda k, v: ln(13, ln(1, k) + ln(2, v))
    return tensor('w', [2, 3], None, more=entry('location', location) + entry('offset', offset) + entry('length', length) + vi(14, 1))


def onnx():
    tiny, c = source('models/tiny/model.onnx'), 'onnx'
    put(c, 'good-tiny.onnx', tiny, 'The sample model of two dense layers, as its exporter wrote it.')
    put(c, 'good-matmul.onnx', model(gemm()), 'A product and a ReLU, written by hand.')
    conv = graph([node('Conv', ['x', 'w', 'b'], ['c'], attr_ints('kernel_shape', [3, 3]) + attr_ints('pads', [1, 1, 1, 1])),
                  node('MaxPool', ['c'], ['p'], attr_ints('kernel_shape', [2, 2]) + attr_ints('strides', [2, 2])),
                  node('Shape', ['p'], ['s']), node('Constant', [], ['i'], attr_t('value', tensor('', [1], ints64(-1), 7))),
                  node('Reshape', ['p', 'r'], ['f']), node('Gemm', ['f', 'v'], ['y'], attr_i('transB', 1))],
                 [tensor('w', [2, 1, 3, 3], floats(*range(18))), tensor('b', [2], floats(1, 2)), tensor('r', [2], ints64(1, -1), 7),
                  tensor('v', [2, 8], floats(*range(16)))], [info('x', ['N', 1, 4, 4])], [info('y', ['N', 2])])
    put(c, 'good-conv.onnx', model(conv), 'Convolution, pooling, a reshape by constants and a dense layer; one symbolic dimension.')
    body = graph([node('Add', ['x', 'w'], ['t'])], [], [], [info('t', [2, 3])])
    put(c, 'good-subgraph.onnx', model(gemm(nodes=[node('If', ['k'], ['h'], attr_g('then_branch', body) + attr_g('else_branch', body)), node('Relu', ['h'], ['y'])],
        inits=[tensor('w', [2, 3], floats(*range(6))), tensor('k', [], b'\1', 9)])), 'An If whose branches read values of the graph around them.')
    put(c, 'bad-external-missing.onnx', model(gemm(external('gone.bin'))), 'A weight in a file that is not there.')
    put(c, 'bad-external-escape.onnx', model(gemm(external('../../etc/passwd'))), 'A weight in a file outside the folder of the model.')
    put(c, 'bad-external-absolute.onnx', model(gemm(external('/etc/passwd'))), 'A weight in a file with an absolute path.')
    put(c, 'bad-external-huge.onnx', model(gemm(external('weights.bin', '18446744073709551600', '24'))), 'A weight whose offset and length wrap around.')
    put(c, 'bad-external-short.onnx', model(gemm(external('weights.bin'))), 'A weight of 24 bytes in a file of 16.')
    put(c, 'bad-empty.onnx', b'', 'No bytes at all.')
    put(c, 'bad-text.onnx', b'{"not": "protobuf"}', 'JSON in place of a model.')
    put(c, 'bad-truncated.onnx', tiny[:len(tiny) * 2 // 3], 'The sample model, cut off inside its weights.')
    put(c, 'bad-length.onnx', vi(1, 8) + varint(7 << 3 | 2) + varint(2**32 - 1) + b'abc', 'A graph that claims 2^32 - 1 bytes.')
    put(c, 'bad-length64.onnx', vi(1, 8) + varint(7 << 3 | 2) + varint(2**64 - 1) + b'abc', 'A graph that claims 2^64 - 1 bytes.')
    put(c, 'bad-varint.onnx', b'\x08' + b'\xff' * 11, 'A number of eleven bytes.')
    put(c, 'bad-group.onnx', b'\x0b\x0c', 'A group, which ONNX does not use.')
    put(c, 'bad-field-zero.onnx', b'\x00\x00', 'Field number 0.')
    put(c, 'bad-wire-type.onnx', varint(7 << 3) + b'\1', 'The graph as a number.')
    put(c, 'bad-utf8.onnx', model(gemm(nodes=[node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], [b'\xff\xfe'])])), 'A name that is no UTF-8.')
    put(c, 'bad-nul.onnx', model(gemm(nodes=[node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], ['y\0z'])])), 'A name with a NUL inside.')
    deep = gemm()
    for _ in range(200):
        deep = graph([node('If', ['k'], ['y'], attr_g('then_branch', deep))], [], [], [info('y', [1])])
    put(c, 'bad-nested.onnx', model(deep), 'Subgraphs 200 deep.')
    t = b''
    for _ in range(2000):
        t = ln(4, ln(1, t))                           # TypeProto.sequence_type.elem_type
    put(c, 'bad-nested-type.onnx', model(gemm(ins=[ln(1, 'x') + ln(2, t)])), 'A type of sequences of sequences, 2000 deep.')
    put(c, 'bad-cycle.onnx', model(gemm(nodes=[node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'], ['y'])])), 'Two nodes that read each other.')
    put(c, 'bad-self-cycle.onnx', model(gemm(nodes=[node('Add', ['y', 'x'], ['y'])])), 'A node that reads its own output.')
    inner = graph([node('Add', ['x', 'z'], ['t'])], [], [], [info('t', [1])])
    put(c, 'bad-cycle-capture.onnx', model(gemm(nodes=[node('If', ['x'], ['y'], attr_g('then_branch', inner)), node('Relu', ['y'], ['z'])])), 'A subgraph that reads what its node leads to.')
    put(c, 'bad-undefined.onnx', model(gemm(nodes=[node('MatMul', ['x', 'nothing'], ['y'])])), 'A node that reads a name nothing defines.')
    put(c, 'bad-duplicate-output.onnx', model(gemm(nodes=[node('Relu', ['x'], ['y']), node('Relu', ['x'], ['y'])])), 'Two nodes with one output name.')
    put(c, 'bad-duplicate-initializer.onnx', model(gemm(inits=[tensor('w', [2, 3], floats(*range(6)))] * 2)), 'Two initializers with one name.')
    put(c, 'bad-duplicate-input.onnx', model(gemm(ins=[info('x', [1, 2]), info('x', [1, 2])])), 'Two graph inputs with one name.')
    put(c, 'bad-duplicate-opset.onnx', vi(1, 8) + ln(8, vi(2, 13)) + ln(8, vi(2, 14)) + ln(7, gemm()), 'Two versions of the default operator set.')
    put(c, 'bad-overlap.onnx', model(gemm(tensor('w', [2, 3], floats(*range(6)), more=b''.join(varint(4 << 3 | 5) + floats(1) for _ in range(6))))), 'A tensor with raw and with typed data.')
    put(c, 'bad-dims-overflow.onnx', model(gemm(tensor('w', [2**62, 2**62, 16], b''))), 'Dimensions whose product does not fit in 64 bits.')
    put(c, 'bad-dims-wrap.onnx', model(gemm(tensor('w', [2**32, 2**32], b''))), 'Dimensions whose product is 2^64: zero when it wraps.')
    put(c, 'bad-dims-negative.onnx', model(gemm(tensor('w', [-1, 3], floats(*range(6))))), 'A dimension of -1.')
    put(c, 'bad-dims-large.onnx', model(gemm(tensor('w', [2**28, 2**10], floats(1)))), 'A tensor of 2^38 elements with four bytes of data.')
    put(c, 'bad-zero-and-huge.onnx', model(gemm(tensor('w', [0, 2**63 - 1, 2**63 - 1], b''))), 'A product that overflows beside a dimension of 0.')
    put(c, 'bad-dtype.onnx', model(gemm(tensor('w', [2, 3], floats(*range(6)), dtype=0))), 'A tensor of the undefined type.')
    put(c, 'unsupported-dtype.onnx', model(gemm(tensor('w', [2, 3], floats(*range(6)), dtype=99))), 'A tensor of a type that later versions may define.')
    put(c, 'unsupported-rank.onnx', model(gemm(tensor('w', [1] * 9, floats(1)))), 'A tensor of nine dimensions.')
    put(c, 'unsupported-rank-input.onnx', model(gemm(ins=[info('x', [1] * 40)])), 'An input of forty dimensions.')
    put(c, 'unsupported-ir.onnx', model(gemm(), ir=2), 'IR version 2, which has no operator sets.')
    put(c, 'bad-no-graph.onnx', vi(1, 8) + ln(8, vi(2, 13)), 'A model without a graph.')
    put(c, 'bad-no-nodes.onnx', model(graph([], [], [info('x', [1])], [info('x', [1])])), 'A graph without nodes.')
    put(c, 'bad-attribute-tensor.onnx', model(gemm(nodes=[node('Constant', [], ['w'], attr_t('value', tensor('', [1000000], floats(1)))), node('MatMul', ['x', 'w'], ['y'])], inits=[])),
        'A Constant that claims a million elements and holds one.')
    put(c, 'bad-constant-empty.onnx', model(gemm(nodes=[node('Constant', [], ['w']), node('MatMul', ['x', 'w'], ['y'])], inits=[])), 'A Constant without a value.')
    put(c, 'bad-node-empty.onnx', model(gemm(nodes=[b'', node('Relu', ['x'], ['y'])])), 'A node without operator and outputs.')
    put(c, 'bad-int32-narrow.onnx', model(gemm(tensor('w', [2], None, 3, b''.join(vi(5, v) for v in (1, 300))))), 'An int8 tensor with the value 300.')
    put(c, 'bad-nodes.gen', gen((1, vi(1, 8) + ln(8, vi(2, 13)) + varint(7 << 3 | 2) + varint(2 * 1500000)), (1500000, b'\x0a\x00')), 'One and a half million empty nodes, two bytes each.')
    put(c, 'bad-unknown-fields.gen', gen((1, vi(1, 8)), (1500000, varint(99 << 3) + b'\0')), 'Millions of fields that ONNX does not have.')
    put(c, 'bad-unpacked.gen', gen((1, vi(1, 8) + ln(8, vi(2, 13)) + varint(7 << 3 | 2) + varint(2 * 2000000 + 5) + varint(5 << 3 | 2) + varint(2 * 2000000)), (2000000, vi(7, 1)), ),
        'Two million numbers of a tensor, each with a tag of its own.')
    put(c, 'bad-packed.gen', gen((1, vi(1, 8) + varint(7 << 3 | 2) + varint(8000010) + varint(5 << 3 | 2) + varint(8000005) + varint(7 << 3 | 2) + varint(8000000)), (8000000, b'\1'), (1, b'\1')),
        'Eight million packed numbers of one byte that become eight each.')
    put(c, 'bad-strings.gen', gen((1, vi(1, 8) + ln(8, vi(2, 13)) + varint(7 << 3 | 2) + varint(2 * 1000000 + 4) + varint(1 << 3 | 2) + varint(2 * 1000000)), (1000000, ln(1, ''))),
        'A node with a million inputs without a name.')
    put(c, 'bad-dims.gen', gen((1, vi(1, 8) + ln(8, vi(2, 13)) + varint(7 << 3 | 2) + varint(2 * 1000000 + 4) + varint(5 << 3 | 2) + varint(2 * 1000000)), (1000000, vi(1, 1))),
        'A tensor of a million dimensions.')
    put(c, 'bad-padding.gen', gen((1, vi(1, 8)), (1, varint(2 << 3 | 2) + varint(20000000)), (20000000, b'a')), 'A producer name of twenty million letters and no graph.')


# ---------------------------------------------------------------------------------------------- lowering
def lower():
    c, tiny = 'lower', source('models/tiny/model.onnx')
    p = b'\x0a'                                       # 12 bits
    put(c, 'good-tiny.bin', p + tiny, 'The sample model of two dense layers.')
    put(c, 'good-conv.bin', p + files['onnx']['good-conv.onnx'][0], 'Convolution, pooling, reshape, dense layer.')
    put(c, 'good-two-bits.bin', b'\x00' + files['onnx']['good-matmul.onnx'][0], 'Two bits of precision.')
    x = lambda *d: [info('x', list(d))]
    big = lambda n, *a, **k: model(graph(n, *a, **k))
    put(c, 'good-nothing-provable.bin', p + model(gemm(nodes=[node('MatMul', ['x', 'w'], ['h']), node('Whatever', ['h'], ['y'], domain='my.ops')])),
        'A segment with an operator of another domain: it stays unproved.')
    nan = floats(*([float('nan')] * 6))
    put(c, 'good-nan-weights.bin', p + model(gemm(tensor('w', [2, 3], nan))), 'Weights that are NaN: a segment that cannot be proved.')
    put(c, 'good-huge-weights.bin', p + model(gemm(tensor('w', [2, 3], floats(*([3e38] * 6))))), 'Weights at the end of the range of floats: a segment that cannot be proved.')
    expand = big([node('Expand', ['x', 's'], ['e']), node('Relu', ['e'], ['y'])], [tensor('s', [4], ints64(2**31, 2**31, 2**31, 2**31), 7)], x(1), [info('y', [1])])
    put(c, 'good-expand.bin', p + expand, 'An Expand to 2^124 cells: a segment that cannot be proved.')
    fill = big([node('ConstantOfShape', ['s'], ['e']), node('Add', ['x', 'e'], ['y'])], [tensor('s', [2], ints64(2**20, 2**20), 7)], x(1), [info('y', [1])])
    put(c, 'good-constant-of-shape.bin', p + fill, 'A ConstantOfShape of 2^40 cells: a segment that cannot be proved.')
    conv = lambda attrs, w, d: big([node('Conv', ['x', 'w'], ['y'], attrs)], [w], x(*d), [info('y', [1])])
    k = tensor('w', [1, 1, 3, 3], floats(*range(9)))
    put(c, 'good-conv-stride-zero.bin', p + conv(attr_ints('strides', [0, 0]), k, [1, 1, 4, 4]), 'A stride of 0: a segment that cannot be proved.')
    put(c, 'good-conv-pads-huge.bin', p + conv(attr_ints('pads', [2**62] * 4), k, [1, 1, 4, 4]), 'Paddings whose sum overflows: a segment that cannot be proved.')
    put(c, 'good-conv-negative.bin', p + conv(attr_ints('dilations', [-5, 2**63 - 1]), k, [1, 1, 4, 4]), 'Dilations below zero and beyond all sizes: a segment that cannot be proved.')
    put(c, 'good-conv-group.bin', p + conv(attr_i('group', 0), k, [1, 1, 4, 4]), 'No groups: a segment that cannot be proved.')
    put(c, 'good-input-huge.bin', p + model(gemm(ins=[info('x', [2**40, 2])], outs=[info('y', [2**40, 3])])), 'An input of 2^41 numbers: a segment that cannot be proved.')
    pool = big([node('AveragePool', ['x'], ['y'], attr_ints('kernel_shape', [2**31, 2**31]))], [], x(1, 1, 4, 4), [info('y', [1])])
    put(c, 'good-pool-huge.bin', p + pool, 'A pooling window of 2^62 cells: a segment that cannot be proved.')
    resh = big([node('Reshape', ['x', 's'], ['y'])], [tensor('s', [3], ints64(-1, -1, 0), 7)], x(1, 4), [info('y', [1])])
    put(c, 'good-reshape.bin', p + resh, 'A Reshape with two free dimensions: a segment that cannot be proved.')
    chain = [node('Add', ['v%d' % i, 'v%d' % i], ['v%d' % (i + 1)]) for i in range(200)]
    put(c, 'good-doubling.bin', p + big(chain, [], [info('v0', [1, 2])], [info('v200', [1, 2])]), 'Two hundred doublings: 2^200 times the input.')


# ---------------------------------------------------------------------------------------------- JSON
def metadata(**change):
    tiny = source('models/tiny/model.onnx')
    seg = lambda i, ins, outs: {'index': i, 'filename': 'segment_%d.onnx' % i, 'path': 'segment_%d/segment_%d.onnx' % (i, i), 'relative_path': 'segment_%d/segment_%d.onnx' % (i, i),
                                'sha256': '00' * 32, 'parameters': 1, 'macs': 1, 'inputs': ins, 'outputs': outs}
    value = lambda n: {'name': n, 'dtype': 'float32', 'shape': [1, 64], 'producer': 'model_input'}
    o = {'format_version': 1, 'tool_version': '0.1.0', 'original_model': '../model.onnx', 'original_model_sha256': sha(tiny).hex(), 'model_type': 'ONNX',
         'total_parameters': 2410, 'input_shape': [['batch_size', 64]], 'output_shapes': [['batch_size', 10]], 'dims': {'batch_size': 1}, 'slice_points': [0, 2],
         'segments': [seg(0, [value('input')], []), seg(1, [], [])]}
    o.update(change)
    return {k: v for k, v in o.items() if v is not None}


def slices():
    c = 'slices'
    js = lambda **k: json.dumps(metadata(**k), indent=4)
    put(c, 'good-tiny.json', js(), 'Two segments of the sample model, not compiled.')
    seg = metadata()['segments']
    comp = lambda **k: [dict(seg[0], compilation={'native': dict({'status': 'compiled', 'vk': 'vk.bin', 'vk_sha256': sha(key_bytes()[0]).hex()}, **k)}), seg[1]]
    put(c, 'good-compiled.json', js(segments=comp()), 'A segment that names a key: good slices; the key is that of another model.')
    put(c, 'good-key-escape.json', js(segments=comp(vk='../../../etc/passwd')), 'A key outside the folder: good slices, refused where keys are loaded.')
    put(c, 'good-types.json', js(segments=[dict(seg[0], inputs=3, outputs={'a': []}, compilation=[]), dict(seg[1], inputs=[[], None, {'name': 5, 'shape': 'x'}])]),
        'Members of other types where slices do not look: good slices, refused where values are looked up.')
    put(c, 'good-dims-unknown.json', js(dims={'N': 1}), 'A bound dimension that the model does not have: good slices, refused where the model is loaded.')
    put(c, 'bad-empty.json', '', 'No bytes at all.')
    put(c, 'bad-array.json', '[]', 'An array.')
    put(c, 'bad-truncated.json', js()[:600], 'Cut off in the middle.')
    put(c, 'bad-duplicate-key.json', js()[:-1] + ', "dims": {}}', 'One key twice.')
    put(c, 'bad-nul.json', js().replace('ONNX', 'ON\0NX'), 'A NUL byte.')
    put(c, 'bad-utf8.json', js().encode().replace(b'ONNX', b'\xc3\x28'), 'Bytes that are no UTF-8.')
    put(c, 'bad-version.json', js(format_version='1'), 'A format version in quotes.')
    put(c, 'unsupported-version.json', js(format_version=2), 'A format version that later programs may write.')
    put(c, 'bad-model-escape.json', js(original_model='a/../../../model.onnx'), 'A model path that climbs after it went down.')
    put(c, 'bad-model-absolute.json', js(original_model='/model.onnx'), 'An absolute model path.')
    put(c, 'bad-digest.json', js(original_model_sha256='zz'), 'A digest that is none.')
    put(c, 'bad-points-order.json', js(slice_points=[0, 0]), 'Overlapping segments: one starts where the one before starts.')
    put(c, 'bad-points-back.json', js(slice_points=[2, 0]), 'Segments that run backwards.')
    put(c, 'bad-points-huge.json', js(slice_points=[0, 2**62]), 'A segment that starts beyond all nodes.')
    put(c, 'bad-points-real.json', js(slice_points=[0, 1.5]), 'A segment that starts between two nodes.')
    put(c, 'bad-points-number.json', js().replace('"slice_points": [', '"slice_points": [' + '9' * 400 + ', '), 'A whole number of 400 digits.')
    put(c, 'bad-segments-fewer.json', js(segments=seg[:1]), 'Fewer segments than starting points.')
    put(c, 'bad-segments-index.json', js(segments=[seg[1], seg[0]]), 'Segments out of order.')
    put(c, 'bad-segments-null.json', js(segments=[None, None]), 'Segments that are null.')
    put(c, 'bad-segment-escape.json', js(segments=[dict(seg[0], relative_path='../x.onnx'), seg[1]]), 'A segment file outside the folder.')
    put(c, 'bad-dims.json', js(dims={'N': -1}), 'A dimension bound to -1.')
    put(c, 'bad-dims-list.json', js(dims=[1]), 'Bound dimensions as a list.')
    put(c, 'bad-nested.gen', gen((100000, b'[')), 'Arrays 100,000 deep.')
    put(c, 'bad-nested-objects.gen', gen((100000, b'{"a":')), 'Objects 100,000 deep.')
    put(c, 'bad-many-arrays.gen', gen((1, b'{"a":['), (1500000, b'[],'), (1, b'[]]}')), 'A million and a half empty arrays.')
    put(c, 'bad-many-objects.gen', gen((1, b'{"a":['), (1500000, b'{},'), (1, b'{}]}')), 'A million and a half empty objects.')
    put(c, 'bad-many-numbers.gen', gen((1, b'{"a":['), (4000000, b'0,'), (1, b'0]}')), 'Four million numbers of one digit.')
    put(c, 'bad-many-strings.gen', gen((1, b'{"a":['), (1500000, b'"",'), (1, b'0]}')), 'A million and a half empty strings.')
    put(c, 'bad-long-string.gen', gen((1, b'{"a":"'), (6000000, b'x'), (1, b'"}')), 'A string of six million letters.')
    put(c, 'bad-escapes.gen', gen((1, b'{"a":"'), (1000000, b'\\u0041'), (1, b'"}')), 'A string of a million escapes.')
    put(c, 'bad-blanks.gen', gen((6000000, b' ')), 'Six million blanks.')


def run_json():
    c = 'json'
    entry = {'segment_id': 'segment_0', 'witness_execution': {'method': 'native_gen_witness', 'success': True}}
    good = {'format_version': 1, 'status': 'complete', 'nonce': '20' * 32, 'execution_chain': {'total_slices': 1, 'execution_results': [entry]},
            'segments': [{'index': 0, 'compilation': {'native': {'macs': 5, 'vk_sha256': '00' * 32}}}]}
    put(c, 'good-run.json', json.dumps(good, indent=2), 'The results of a complete run.')
    put(c, 'good-empty.json', '{}', 'An empty object: good JSON, no run.')
    put(c, 'good-types.json', json.dumps({'status': [], 'execution_chain': [{'execution_results': 5}], 'segments': {'0': 0}}), 'Members of other types than expected: good JSON, no run.')
    put(c, 'good-chain-types.json', json.dumps({'execution_chain': {'execution_results': [1, None, [], {'segment_id': 7}, {'segment_id': 'segment_1', 'proof_execution': 'x'}]}}),
        'Results of other types than expected.')
    put(c, 'good-deep.json', '{"a":' + '[' * 2000 + ']' * 2000 + '}', 'Arrays 2000 deep, which the JSON library still takes.')
    put(c, 'bad-array.json', '[1]', 'An array where an object belongs.')
    put(c, 'bad-empty.json', '', 'No bytes at all.')
    put(c, 'bad-nan.json', '{"a": NaN}', 'NaN, which is no JSON.')
    put(c, 'bad-infinite.json', '{"a": 1e999}', 'A number beyond all floats.')
    put(c, 'bad-integer.json', '{"a": 123456789012345678901234567890}', 'A whole number beyond 64 bits.')
    put(c, 'bad-duplicate.json', '{"status": "complete", "status": "incomplete"}', 'One key twice.')
    put(c, 'bad-comment.json', '{"a": 1} // end', 'A comment.')
    put(c, 'bad-trailing.json', '{"a": 1,}', 'A comma before the end.')
    put(c, 'bad-two.json', '{}{}', 'Two values.')
    put(c, 'bad-surrogate.json', '{"a": "\\ud800"}', 'Half of a surrogate pair.')
    put(c, 'bad-nul-key.json', '{"a\\u0000b": 1}', 'A key with a NUL inside.')
    put(c, 'bad-utf8.json', b'{"a": "\xff"}', 'Bytes that are no UTF-8.')
    put(c, 'bad-nested.gen', gen((3000, b'{"a":'), (1, b'1'), (3000, b'}')), 'Objects 3000 deep.')
    put(c, 'bad-nested-open.gen', gen((5000000, b'[')), 'Five million arrays that never end.')
    put(c, 'bad-many-objects.gen', gen((1, b'{"a":['), (1500000, b'{},'), (1, b'0')), 'A million and a half objects, cut off.')
    put(c, 'bad-many-numbers.gen', gen((1, b'{"a":['), (4000000, b'1,'), (1, b'0')), 'Four million numbers, cut off.')
    put(c, 'bad-many-keys.gen', gen((1, b'{'), (1000000, b'"k":0,'), (1, b'"k":1}')), 'One key a million times.')


def record():
    c = 'record'
    t = lambda **k: dict({'name': 'x', 'scale_bits': 11, 'lo': -2048, 'hi': 2047, 'dims': [1, 1, 4], 'onnx_dims': [1, 4], 'perm': [0, 1]}, **k)
    def js(tensors=None, **k):
        return json.dumps({**{'version': 1, 'model': 'ab' * 32, 'precision': 12, 'cuts': [2], 'dims': [{'name': 'N', 'value': 1}], 'tensors': [t(), t(name='y')] if tensors is None else tensors}, **k},
                          separators=(',', ':')) + '\n'
    put(c, 'good-two.json', js(), 'Two tensors.')
    put(c, 'good-none.json', js(tensors=[], cuts=[], dims=[]), 'Nothing quantised.')
    put(c, 'bad-empty.json', '', 'No bytes at all.')
    put(c, 'bad-blanks.json', js().replace(',', ', '), 'The same record with blanks: not the canonical bytes.')
    put(c, 'bad-newline.json', js()[:-1], 'Without the line end.')
    put(c, 'bad-order.json', '{"model":"%s","version":1,"precision":12,"cuts":[],"dims":[],"tensors":[]}\n' % ('ab' * 32), 'Keys in another order.')
    put(c, 'bad-upper-case.json', js(model='AB' * 32), 'A digest in capital letters.')
    put(c, 'bad-duplicate-name.json', js(tensors=[t(), t()]), 'Two tensors with one name.')
    put(c, 'bad-duplicate-key.json', js().replace('"precision":12', '"precision":12,"precision":12'), 'One key twice.')
    put(c, 'bad-real.json', js(tensors=[t(lo=-1.5)]), 'A bound that is no whole number.')
    put(c, 'bad-range.json', js(tensors=[t(lo=5, hi=4)]), 'An empty range.')
    put(c, 'bad-bounds.json', js(tensors=[t(hi=2**63 - 1)]), 'A bound of 2^63 - 1.')
    put(c, 'bad-scale.json', js(tensors=[t(scale_bits=2**40)]), 'A scale of 2^(2^40).')
    put(c, 'bad-cells.json', js(tensors=[t(dims=[2**24, 2**24, 2**24])]), 'A tensor of 2^72 cells.')
    put(c, 'bad-onnx-cells.json', js(tensors=[t(onnx_dims=[2**32, 2**32], perm=[0, 1])]), 'ONNX dimensions whose product wraps.')
    put(c, 'bad-perm.json', js(tensors=[t(perm=[0, 0])]), 'A permutation that names an axis twice.')
    put(c, 'bad-perm-out.json', js(tensors=[t(perm=[0, 64])]), 'A permutation of an axis that is not there.')
    put(c, 'bad-rank.json', js(tensors=[t(onnx_dims=[1] * 9, perm=list(range(9)))]), 'Nine dimensions.')
    put(c, 'bad-cuts.json', js(cuts=[3, 3]), 'Cuts that do not increase.')
    put(c, 'bad-precision.json', js(precision=64), 'A precision of 64 bits.')
    put(c, 'bad-field.json', js(extra=1), 'A field that does not belong.')
    put(c, 'bad-nested.gen', gen((100000, b'[')), 'Arrays 100,000 deep.')
    put(c, 'bad-many-tensors.gen', gen((1, b'{"version":1,"model":"%s","precision":12,"cuts":[],"dims":[],"tensors":[' % (b'ab' * 32)), (200000, json.dumps(t(), separators=(',', ':')).encode() + b','),
        (1, json.dumps(t(name='z'), separators=(',', ':')).encode() + b']}\n')), 'Two hundred thousand tensors of one name.')
    put(c, 'bad-many-cuts.gen', gen((1, b'{"version":1,"model":"%s","precision":12,"cuts":[' % (b'ab' * 32)), (4000000, b'1,'), (1, b'2],"dims":[],"tensors":[]}\n')), 'Four million cuts.')


def tensors():
    c = 'tensor'
    put(c, 'good-input.json', b'0' + source('models/tiny/input.json'), 'The input of the sample model.')
    put(c, 'good-nested.json', '1{"input_data": [[[[1, 2.5, -3e2]], [[0, 1e-3, -0.0]]]]}', 'Numbers nested as declared.')
    put(c, 'good-named.json', '2{"inputs": [{"name": "b", "data": [1, 2, 3], "shape": [3]}, {"name": "a", "data": [[1, 2], [3, 4]]}]}', 'Two tensors by name, in another order.')
    put(c, 'good-keyed.json', '2{"input_data": {"a": [1, 2, 3, 4], "b": [9007199254740993, 0, -1]}}', 'Two tensors as an object; a whole number beyond 2^53.')
    put(c, 'good-types.json', '3[[0, 255, 1, 2], [-128, 127], [true, false]]', 'Bytes, signed bytes, booleans.')
    put(c, 'good-scalar.json', '41.5'.replace('41.5', '4{"data": [1.5]}'), 'A scalar as a list of one.')
    put(c, 'good-empty.json', '5[]', 'A tensor without elements.')
    put(c, 'bad-empty.json', '0', 'No bytes at all.')
    put(c, 'bad-count.json', '1[1, 2, 3]', 'Too few numbers.')
    put(c, 'bad-batch.json', '1[1,2,3,4,5,6,1,2,3,4,5,6]', 'Two samples at once.')
    put(c, 'bad-ragged.json', '1[[1, 2, 3], [4, 5]]', 'Lists of unequal length.')
    put(c, 'bad-mixed.json', '1[1, [2], 3]', 'Numbers and lists mixed.')
    put(c, 'bad-shape.json', '1[[1, 2], [3, 4], [5, 6]]', 'The right number of values in another shape.')
    put(c, 'bad-nan.json', '1[NaN, 1, 2, 3, 4, 5]', 'NaN, which is no JSON.')
    put(c, 'bad-infinite.json', '1[1e999, 1, 2, 3, 4, 5]', 'A number beyond all floats.')
    put(c, 'bad-float32.json', '1[1e39, 1, 2, 3, 4, 5]', 'A number beyond float32.')
    put(c, 'bad-digits.json', '1[' + '9' * 5000 + ', 1, 2, 3, 4, 5]', 'A number of 5000 digits.')
    put(c, 'good-digits.json', '1[0.' + '3' * 3000 + ', 1, 2, 3, 4, 5]', 'A fraction of 3000 digits.')
    put(c, 'bad-byte.json', '3[[0, 256, 1, 2], [0, 0], [0, 1]]', 'A byte of 256.')
    put(c, 'bad-bool.json', '3[[0, 1, 1, 2], [0, 0], [0, 2]]', 'A truth value of 2.')
    put(c, 'bad-fraction.json', '2[[1, 2, 3, 4], [1, 2, 2.5]]', 'A fraction where a whole number belongs.')
    put(c, 'bad-integer.json', '2[[1, 2, 3, 4], [9223372036854775808, 2, 3]]', 'A whole number of 2^63.')
    put(c, 'bad-duplicate-key.json', '2{"input_data": {"a": [1, 2, 3, 4], "a": [1, 2, 3, 4]}}', 'One key twice.')
    put(c, 'bad-name.json', '2{"inputs": [{"name": "a", "data": [1, 2, 3, 4]}, {"name": "a", "data": [1, 2, 3]}]}', 'Two entries with one name.')
    put(c, 'bad-name-type.json', '2{"inputs": [{"name": 5, "data": [1]}, {"name": {}, "data": [1]}]}', 'Names that are no text.')
    put(c, 'bad-entry-shape.json', '2{"inputs": [{"name": "b", "data": [1, 2, 3], "shape": [1e300]}, {"name": "a", "data": [1, 2, 3, 4]}]}', 'A stated shape that is no whole number.')
    put(c, 'bad-entry-null.json', '2{"inputs": [{"name": "a", "data": null}, {"name": "b"}]}', 'No data.')
    put(c, 'bad-list-of-null.json', '1[null]', 'A list of null.')
    put(c, 'bad-first-null.json', '1[null, {"name": "x"}]', 'Null before an entry.')
    put(c, 'bad-key-missing.json', '1{"values": [1, 2, 3, 4, 5, 6]}', 'None of the keys that are known.')
    put(c, 'bad-string.json', '1"x"', 'A string.')
    put(c, 'bad-escape.json', '1{"input_dat\\u0000a": []}', 'An escape for NUL in a key.')
    put(c, 'bad-utf8.json', b'1{"input_data\xff": []}', 'Bytes that are no UTF-8.')
    put(c, 'bad-nul.json', b'1[1, 2,\x003, 4, 5, 6]', 'A NUL byte.')
    put(c, 'bad-open-string.json', '1{"input_data', 'A string that does not end.')
    put(c, 'bad-open-escape.json', '1{"input_data\\', 'A string that ends in an escape.')
    put(c, 'bad-minus.json', '1[-]', 'A minus without a number.')
    put(c, 'bad-zeros.json', '1[01, 2, 3, 4, 5, 6]', 'A number that starts with a zero.')
    put(c, 'unsupported-dims.json', '6[1]', 'A model whose input has 2^80 elements.')
    put(c, 'bad-nested.json', '1' + '[' * 40 + '1' + ']' * 40, 'Lists 40 deep.')
    put(c, 'bad-nested.gen', gen((1, b'1'), (5000000, b'[')), 'Five million lists that never end.')
    put(c, 'bad-many-numbers.gen', gen((1, b'1['), (5000000, b'0,'), (1, b'0]')), 'Five million numbers of one digit.')
    put(c, 'bad-many-lists.gen', gen((1, b'1['), (2000000, b'[],'), (1, b'[]]')), 'Two million empty lists.')
    put(c, 'bad-many-lists-of-one.gen', gen((1, b'1['), (1500000, b'[1],'), (1, b'[1]]')), 'A million and a half lists of one number.')
    put(c, 'bad-many-strings.gen', gen((1, b'1['), (1500000, b'"",'), (1, b'""]')), 'A million and a half empty strings.')
    put(c, 'bad-many-objects.gen', gen((1, b'1['), (1500000, b'{},'), (1, b'{}]')), 'A million and a half empty objects.')
    put(c, 'bad-last-number.gen', gen((1, b'7['), (2**22 - 1, b'1,'), (1, b'0.5]')), 'Four million numbers, and the last one does not fit the type.')
    put(c, 'good-many-numbers.gen', gen((1, b'7['), (2**22 - 1, b'1234567,'), (1, b'1]')), 'Four million numbers of seven digits.')


    npy = lambda descr, shape, data, fortran=False, v=1: (lambda h: b'\x93NUMPY' + u8(v) + b'\0' + (u16(len(h)) if v == 1 else u32(len(h))) + h + data)(
        ("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, fortran, shape)).encode().ljust(117) + b'\n')
    six = floats(*range(6))
    put(c, 'good-npy.bin', b'1' + npy('<f4', '(1, 2, 1, 3)', six), 'An array of NumPy.')
    put(c, 'good-npy-flat.bin', b'1' + npy('<f8', '(6,)', struct.pack('<6d', *range(6)), v=2), 'A flat array of doubles, with the longer header.')
    put(c, 'bad-npy-short.bin', b'1' + npy('<f4', '(1, 2, 1, 3)', six[:-1]), 'An array that lacks a byte.')
    put(c, 'bad-npy-long.bin', b'1' + npy('<f4', '(1, 2, 1, 3)', six + b'x'), 'A byte after the array.')
    put(c, 'bad-npy-nan.bin', b'1' + npy('<f4', '(6,)', floats(*([float('nan')] * 6))), 'NaN in an array.')
    put(c, 'bad-npy-shape.bin', b'1' + npy('<f4', '(4611686018427387904, 4611686018427387904, 4)', six), 'A shape whose product wraps.')
    put(c, 'bad-npy-shape-open.bin', b'1' + npy('<f4', '(6', six), 'A shape that does not end.')
    put(c, 'bad-npy-negative.bin', b'1' + npy('<f4', '(-6,)', six), 'A negative dimension.')
    put(c, 'bad-npy-descr.bin', b'1' + npy('|O', '(6,)', six), 'An array of Python objects.')
    put(c, 'bad-npy-header.bin', b'1\x93NUMPY\2\0' + u32(2**32 - 1) + b'{', 'A header that claims 2^32 - 1 bytes.')
    put(c, 'bad-npy-cut.bin', b'1\x93NUMPY\1', 'A header cut off after its magic.')
    pb = b'q'                                         # as '1', with bit 6
    put(c, 'good-proto.bin', pb + tensor('x', [1, 2, 1, 3], six), 'A TensorProto.')
    put(c, 'bad-proto-dims.bin', pb + tensor('x', [2**62, 4], six), 'A TensorProto whose dimensions wrap.')
    put(c, 'bad-proto-short.bin', pb + tensor('x', [1, 2, 1, 3], six[:8]), 'A TensorProto that lacks data.')
    put(c, 'bad-proto-external.bin', pb + external('/etc/passwd'), 'A TensorProto with its data elsewhere.')
    put(c, 'bad-proto-text.bin', pb + b'[1, 2, 3, 4, 5, 6]', 'JSON in place of a TensorProto.')
    put(c, 'bad-proto-packed.gen', gen((1, pb + vi(1, 6) + vi(2, 7) + varint(7 << 3 | 2) + varint(8000000)), (8000000, b'\1')), 'Eight million packed numbers of one byte.')
    put(c, 'bad-proto-unpacked.gen', gen((1, pb + vi(1, 6) + vi(2, 1)), (1000000, varint(4 << 3 | 5) + floats(1))), 'A million numbers, each with a tag of its own.')
    lab = b'\xb1'                                     # as '1', with bit 7
    put(c, 'good-labelled.json', lab + b'{"inputs": [[1, 2], [3, 4]], "labels": [0, 1], "expand": {"from": [1, 1, 2], "to": [1, 2, 4], "scale": 0.5}}', 'A labelled set.')
    put(c, 'bad-labelled-nested.gen', gen((1, lab), (5000000, b'[')), 'A labelled set of lists that never end.')
    put(c, 'bad-labelled-numbers.gen', gen((1, lab + b'['), (5000000, b'0,'), (1, b'0]')), 'Five million numbers of one digit in a labelled set.')
    put(c, 'bad-labelled-keys.gen', gen((1, lab + b'{'), (1000000, b'"k":0,'), (1, b'"k":0}')), 'An object of a million keys in a labelled set.')
    put(c, 'bad-labelled-objects.gen', gen((1, lab + b'['), (1500000, b'{},'), (1, b'{}]')), 'A million and a half empty objects in a labelled set.')


def ezkl():
    c = 'ezkl'
    felt = lambda v: (v % 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001).to_bytes(32, 'little').hex()
    seen = {'input_visibility': 'Public', 'output_visibility': 'Public', 'param_visibility': 'Fixed'}
    args = {'logrows': 12, 'lookup_range': [-10, 10], **seen}
    def settings(**k):
        return '0' + json.dumps({**{'run_args': args, 'num_rows': 4000, 'model_instance_shapes': [[1, 2], [1], [3]], 'model_input_scales': [7, 7],
                                    'model_output_scales': [7], 'required_range_checks': [[-1, 1], [0, 127]], 'required_lookups': []}, **k})
    wit = lambda i, o: '1' + json.dumps({'inputs': i, 'outputs': o})
    raw = bytes(range(8))
    def proof(inst=None, b=list(raw), h='0x' + raw.hex()):
        return '2' + json.dumps({'instances': [[felt(v) for v in (1, -2, 3, 4, 5, -6)]] if inst is None else inst, 'proof': b, 'hex_proof': h})
    three = [felt(v) for v in (1, 0, -2**62)]
    put(c, 'good-settings.json', settings(), 'Settings of a circuit with two inputs.')
    put(c, 'good-witness.json', wit([three[:2], three[2:]], [three]), 'A witness.')
    put(c, 'good-proof.json', proof(), 'A proof of eight bytes.')
    put(c, 'unsupported-scale.json', settings(model_output_scales=[8]), 'An output of another scale.')
    put(c, 'bad-shape.json', settings(model_instance_shapes=[[2**62, 4], [1], [3]]), 'A shape whose product wraps.')
    put(c, 'bad-shape-zero.json', settings(model_instance_shapes=[[0], [1], [3]]), 'A tensor without cells.')
    put(c, 'bad-shapes.json', settings(model_instance_shapes=[[1, 2]]), 'Fewer shapes than scales.')
    put(c, 'bad-tensors.json', settings(model_input_scales=[7] * 1000, model_instance_shapes=[[1]] * 1001), 'A thousand inputs.')
    put(c, 'bad-logrows.json', settings(run_args={**args, 'logrows': 2**40}), 'A circuit of 2^(2^40) rows.')
    for n, v in (('input', 'Private'), ('output', {'Hashed': {'hash_is_public': True, 'outlets': []}}), ('param', 'Public')):
        put(c, 'bad-visibility-%s.json' % n, settings(run_args={**args, n + '_visibility': v}), 'A circuit of another visibility (%s).' % n)
    put(c, 'good-timestamp.json', settings(timestamp=1795375506548, version='23.0.5'), 'Settings as they are written, with the time.')
    put(c, 'bad-timestamp.json', settings(timestamp=2**70), 'A time beyond 64 bits.')
    put(c, 'bad-types.json', settings(run_args=[], num_rows='x', required_range_checks={'a': 1}), 'Members of other types.')
    put(c, 'good-checks.json', settings(required_range_checks=[None, [], [5], ['a', 'b'], [2**63 - 1, -2**63]]), 'Range checks that are none.')
    put(c, 'bad-array.json', '0[]', 'An array.')
    put(c, 'bad-empty.json', '1', 'No bytes at all.')
    put(c, 'bad-felt-large.json', wit([[felt(2**100), three[1]], three[2:]], [three]), 'A field element beyond 63 bits.')
    put(c, 'bad-felt-unreduced.json', wit([['ff' * 32, three[1]], three[2:]], [three]), 'A field element that is not reduced.')
    put(c, 'bad-felt-short.json', wit([['01', three[1]], three[2:]], [three]), 'A field element of one byte.')
    put(c, 'bad-felt-number.json', wit([[1, 2], three[2:]], [three]), 'Numbers in place of field elements.')
    put(c, 'bad-witness-fewer.json', wit([three[:2]], [three]), 'A witness that lacks a tensor.')
    put(c, 'bad-proof-hex.json', proof(h='0x' + raw[::-1].hex()), 'Two forms of a proof that differ.')
    put(c, 'bad-proof-bytes.json', proof(b=[256] * 8), 'A byte of 256.')
    put(c, 'bad-proof-none.json', proof(b=[], h='0x'), 'A proof without bytes.')
    put(c, 'bad-proof-instances.json', proof(inst=[[felt(1)]]), 'Fewer public values.')
    put(c, 'bad-proof-two.json', proof(inst=[[], []]), 'Two lists of public values.')
    put(c, 'bad-nested.gen', gen((1, b'0'), (5000000, b'[')), 'Arrays that never end.')
    put(c, 'bad-many-objects.gen', gen((1, b'1{"inputs":['), (1500000, b'{},'), (1, b'{}]}')), 'A million and a half empty objects.')
    put(c, 'bad-many-bytes.gen', gen((1, b'2{"proof":['), (4000000, b'0,'), (1, b'0]}')), 'A proof of four million bytes.')


# ---------------------------------------------------------------------------------------------- binary files
def container(kind, chunks, n=None, rows=None, end=None):
    n = len(chunks) if n is None else n
    head = b'DSPF' + u32(1) + kind.encode().ljust(8) + u32(n)
    at = len(head) + 12 * len(chunks) + 8
    table = b''
    for i, (cid, data) in enumerate(chunks):
        table += u32(cid) + u64(at if rows is None else rows[i])
        at += len(data)
    b = head + table + u64(at if end is None else end) + b''.join(d for _, d in chunks)
    return b + sha(b)


def cells(v, w=1): return u8(w) + u64(len(v)) + b''.join(x.to_bytes(w, 'little', signed=True) for x in v)


def containers():
    c, raw, seal = 'container', b'\0', b'\1'
    two = [(1, b'head'), (2, cells(range(-9, 9)))]
    good = container('boundary', two)
    put(c, 'good-two.bin', raw + good, 'Two chunks, one with cells.')
    put(c, 'good-none.bin', raw + container('boundary', []), 'No chunks.')
    put(c, 'good-empty-chunks.bin', raw + container('boundary', [(i, b'') for i in range(16)]), 'Sixteen empty chunks.')
    put(c, 'good-cells-declared.bin', raw + container('boundary', [(1, u8(8) + u64(2**61) + b'12345678')]), 'A good container; cells in it that declare 2^64 bytes.')
    put(c, 'bad-empty.bin', raw, 'No bytes at all.')
    put(c, 'bad-short.bin', raw + good[:40], 'Shorter than any container.')
    put(c, 'bad-truncated.bin', raw + good[:-1], 'The last byte is missing.')
    put(c, 'bad-digest.bin', raw + good[:-1] + bytes([good[-1] ^ 1]), 'A changed digest.')
    put(c, 'bad-flipped.bin', raw + good[:60] + bytes([good[60] ^ 1]) + good[61:], 'A changed byte.')
    put(c, 'bad-magic.bin', seal + b'DSPG' + good[4:], 'Another magic.')
    put(c, 'bad-version.bin', seal + good[:4] + u32(2) + good[8:], 'Another version.')
    put(c, 'bad-kind.bin', raw + container('witness', two), 'A container of another kind.')
    put(c, 'bad-count.bin', seal + container('boundary', two, n=2**32 - 1), 'Chunks that claim to be 2^32 - 1.')
    put(c, 'bad-count-17.bin', raw + container('boundary', [(i, b'') for i in range(17)]), 'Seventeen chunks.')
    put(c, 'bad-duplicate.bin', raw + container('boundary', [(1, b'a'), (1, b'b')]), 'Two chunks with one id.')
    put(c, 'bad-order.bin', raw + container('boundary', [(2, b'a'), (1, b'b')]), 'Ids out of order.')
    put(c, 'bad-overlap.bin', raw + container('boundary', two, rows=[52, 50]), 'Chunks that overlap: the second begins before the first.')
    put(c, 'bad-overlap-table.bin', raw + container('boundary', two, rows=[20, 56]), 'A chunk that lies over the table.')
    put(c, 'bad-overlap-digest.bin', raw + container('boundary', two, rows=[52, 2**20]), 'A chunk that lies over the digest and beyond the file.')
    put(c, 'bad-gap.bin', raw + container('boundary', two, rows=[53, 56]), 'A gap after the table.')
    put(c, 'bad-end.bin', raw + container('boundary', two, end=2**63), 'An end beyond the file.')
    put(c, 'bad-offset-wrap.bin', raw + container('boundary', two, rows=[52, 2**64 - 4]), 'An offset that wraps around.')
    put(c, 'bad-trailing.bin', seal + good + b'x', 'A byte after the end.')


def text16(s): s = s.encode() if isinstance(s, str) else s; return u16(len(s)) + s


def vectors():
    return json.loads(source('tests/vectors/slice_proof.json'))['proofs'][0]


def key_bytes(): return [bytes.fromhex(s['key_bytes']) for s in vectors()['slices']]


def statement(proof, keys, **k):
    s0 = proof['slices'][0]['statement']
    model, rec = b'\0' * 32, b'\0' * 32
    pub = {n: v for s in proof['slices'] for n, v in s['statement']['pub'].items()}
    roots = {n: v for s in proof['slices'] for n, v in s['statement']['roots'].items()}
    d = dict(slices=[(s['key']['name'], i, sha(b), 0) for i, (s, b) in enumerate(zip(proof['slices'], keys))], unproved=[], use={'x': 1, 'y': 2},
             pubs=[('x', 1, (1, 6, 6), pub['x']), ('y', 2, (3, 1, 1), pub['y'])], edges=[('b1', bytes.fromhex(roots['b1']))], run=bytes.fromhex(proof['run_digest']), tail=b'',
             counts={})
    d.update(k)
    def narrow(v):
        w = next(w for w in (1, 2, 4, 8) if all(-(1 << 8 * w - 1) <= x < 1 << 8 * w - 1 for x in v))
        return u8(w) + u32(len(v)) + b''.join(x.to_bytes(w, 'little', signed=True) for x in v)
    cnt = lambda name, v: u32(d['counts'].get(name, len(v)))
    b = b'DSPSTMT1' + model + rec + sha(model + rec + b''.join(s[2] for s in d['slices'])) + d['run'] + bytes.fromhex(s0['nonce'])
    b += cnt('slices', d['slices']) + b''.join(text16(n) + u32(i) + k + u64(m) for n, i, k, m in d['slices'])
    b += cnt('unproved', d['unproved']) + b''.join(text16(n) + text16(r) + u32(i) + u64(m) for n, r, i, m in d['unproved'])
    b += cnt('pubs', d['pubs']) + b''.join(text16(n) + u8(u) + b''.join(map(u32, dims)) + i64(0) + (v if isinstance(v, bytes) else narrow(v)) for n, u, dims, v in d['pubs'])
    b += cnt('edges', d['edges']) + b''.join(text16(n) + r for n, r in d['edges']) + d['tail']
    return b + sha(b)


def pack(*parts): return b''.join(u32(2**32 - 1) if p is None else u32(len(p)) + p for p in parts)


def keys():
    c, both = 'key', key_bytes()
    a, b = both
    for i, k in enumerate(both):
        put(c, 'good-chain-%d.bin' % i, k, 'Key %d of the chain of the reference implementation (12-bit profile of test builds).' % i)
    put(c, 'bad-empty.bin', b'', 'No bytes at all.')
    put(c, 'bad-magic.bin', b'DSPL' + a[4:], 'Another magic.')
    put(c, 'bad-version.bin', a[:4] + u32(2) + a[8:], 'Another version.')
    put(c, 'bad-profile.bin', a[:8] + u32(77) + a[12:], 'A profile that nobody knows.')
    put(c, 'bad-truncated.bin', a[:len(a) // 2], 'Cut off in the middle.')
    put(c, 'bad-trailing.bin', a + b'\0', 'A byte after the end.')
    name_end = 12 + 2 + struct.unpack('<H', a[12:14])[0]
    put(c, 'bad-name-long.bin', a[:12] + u16(65535) + a[14:], 'A name longer than the file.')
    put(c, 'bad-name-empty.bin', a[:12] + u16(0) + a[name_end:], 'A slice without a name.')
    put(c, 'bad-name-utf8.bin', a[:14] + b'\xff' + a[15:], 'A name that is no UTF-8.')
    put(c, 'bad-mode.bin', a[:name_end] + b'\2' + a[name_end + 1:], 'Mode 2.')
    at = name_end + 1
    put(c, 'bad-tensors-count.bin', a[:at] + u32(2**32 - 1) + a[at + 4:], 'Tensors that claim to be 2^32 - 1.')
    first = at + 4
    tname = 2 + struct.unpack('<H', a[first:first + 2])[0]
    put(c, 'bad-role.bin', a[:first + tname] + b'\3' + a[first + tname + 1:], 'A tensor of role 3.')
    dims = first + tname + 1
    put(c, 'bad-dims-zero.bin', a[:dims] + u32(0) + a[dims + 4:], 'A tensor with an axis of length 0.')
    put(c, 'bad-dims-huge.bin', a[:dims] + u32(2**32 - 1) * 3 + a[dims + 12:], 'A tensor of 2^96 cells.')
    put(c, 'bad-dims-large.bin', a[:dims] + u32(2**24) * 3 + a[dims + 12:], 'A tensor of 2^72 cells, each axis within bounds.')
    put(c, 'bad-range.bin', a[:dims + 12] + i64(5) + i64(4) + a[dims + 28:], 'A tensor with an empty range.')
    put(c, 'bad-range-wide.bin', a[:dims + 12] + i64(-2**63) + i64(2**63 - 1) + a[dims + 28:], 'A tensor with the range of all 64-bit numbers.')
    put(c, 'bad-duplicate.bin', a.replace(b'\2\0b1', b'\1\0x').replace(b'\2\0b1', b'\1\0x'), 'Two tensors with one name.')
    head = b'DSPK' + u32(1) + u32(0x8000 + 12) + text16('s') + u8(0)
    none = u32(0)
    put(c, 'bad-nothing.bin', head + none * 5, 'A key without tensors, operations and trees.')
    geometry = text16('A') + u32(4) + u32(256) + u32(1) + u32(t_for_trees(256, [(4, 1)], 12)) + u32(64) + u32(512) + u32(t_pads(512, 64, 12))
    t = lambda n, role=0, d=(1, 1, 1), lo=0, hi=1: text16(n) + u8(role) + b''.join(map(u32, d)) + i64(lo) + i64(hi) + i64(0)
    put(c, 'bad-ints-width.bin', head + none + u32(1) + text16('w') + u32(1) * 4 + u8(8) + u32(1) + i64(1), 'A weight written wider than it needs.')
    put(c, 'bad-ints-count.bin', head + none + u32(1) + text16('w') + u32(2**24) * 4 + u8(1) + u32(2**32 - 1) + b'1', 'A weight of 2^96 integers with one byte.')
    put(c, 'bad-table.bin', head + none * 2 + u32(1) + u8(1) + u8(16), 'A table of 2^16 pairs without any.')
    put(c, 'bad-table-bits.bin', head + none * 2 + u32(1) + u8(0) + u8(63) + none * 2, 'A table of 2^63 rows.')
    put(c, 'bad-op-kind.bin', head + u32(1) + t('x') + none * 2 + u32(1) + u8(9) + text16('o') + bytes(40), 'An operation of kind 9.')
    put(c, 'bad-op-self.bin', head + u32(1) + t('x', 2) + none + u32(1) + u8(0) + u8(4) + u32(1) + u8(2) + text16('o') + text16('x') + text16('x') + u32(0) + u32(1) + geometry,
        'A cycle: an operation that reads the tensor it makes.')
    two = lambda n, o, i: u8(2) + text16(n) + text16(o) + text16(i) + u32(0)
    put(c, 'bad-op-cycle.bin', head + u32(2) + t('x', 2) + t('y', 2) + none + u32(1) + u8(0) + u8(4) + u32(2) + two('p', 'x', 'y') + two('q', 'y', 'x') + u32(1) + geometry,
        'A cycle: two operations that read each other.')
    put(c, 'bad-op-twice.bin', head + u32(2) + t('x') + t('y', 2) + none + u32(1) + u8(0) + u8(4) + u32(2) + two('p', 'y', 'x') + two('q', 'y', 'x') + u32(1) + geometry,
        'Two operations that make one tensor.')
    put(c, 'bad-trees-count.bin', head + none * 4 + u32(2**32 - 1) + bytes(60), 'Trees that claim to be 2^32 - 1.')
    put(c, 'bad-tree-huge.bin', head + u32(1) + t('e', 1) + none * 3 + u32(2) + text16('e') + u32(2**22) + u32(2**22) + u32(65535) + u32(2**22) + text16('A') + u32(1) * 4 + u32(2**22) + u32(2**22) + u32(2**22 - 1),
        'The largest tree geometry for one cell.')
    put(c, 'bad-limbs.bin', head + u32(1) + t('x', 1) + none * 2 + u32(1) + u8(3) + text16('o') + text16('x') + u8(200) + bytes(60), 'A range of 200 limbs.')
    put(c, 'bad-many-tensors.gen', gen((1, head + u32(400000)), (400000, t('x'))), 'Four hundred thousand tensors of one name.')
    put(c, 'bad-many-weights.gen', gen((1, head + none + u32(700000)), (700000, text16('w') + u32(1) * 4 + u8(1) + u32(1) + b'\1')), 'Seven hundred thousand weights of one name.')
    put(c, 'bad-many-tables.gen', gen((1, head + none * 2 + u32(4000000)), (4000000, b'\0\4')), 'Four million tables of two bytes each.')
    put(c, 'bad-many-ops.gen', gen((1, head + u32(1) + t('x', 1) + none * 2 + u32(1000000)), (1000000, u8(3) + text16('o') + text16('x') + u8(0))), 'A million operations of one name.')
    put(c, 'bad-many-ints.gen', gen((1, head + none + u32(1) + text16('w') + u32(2**22) + u32(3) + u32(1) * 2 + u8(1) + u32(3 * 2**22)), (3 * 2**22, b'\1')), 'Twelve million weights of one byte, and then nothing.')


def statements():
    c, raw, seal = 'statement', b'\0', b'\1'
    p, k = vectors(), key_bytes()
    st = lambda **a: statement(p, k, **a)
    good = st()
    put(c, 'good-chain.bin', raw + good, 'The statement of the chain of the reference implementation.')
    put(c, 'good-unproved.bin', raw + st(unproved=[('segment_9', 'Softmax is not supported', 9, 5)]), 'A segment without proof.')
    put(c, 'bad-empty.bin', raw, 'No bytes at all.')
    put(c, 'bad-truncated.bin', raw + good[:200], 'Cut off in the middle.')
    put(c, 'bad-truncated-sealed.bin', seal + good[:200] + bytes(32), 'Cut off in the middle, with a digest of its own.')
    put(c, 'bad-flipped.bin', raw + good[:100] + bytes([good[100] ^ 4]) + good[101:], 'A changed byte.')
    put(c, 'bad-magic.bin', seal + b'DSPSTMT2' + good[8:], 'Another magic.')
    put(c, 'bad-trailing.bin', raw + st(tail=b'x'), 'A byte before the digest.')
    for n in ('slices', 'unproved', 'pubs', 'edges'):
        put(c, 'bad-count-%s.bin' % n, raw + st(counts={n: 2**32 - 1}), 'A list (%s) that claims 2^32 - 1 entries.' % n)
    sl, pub, ed = (('a', 0, bytes(32), 0), ('a', 1, bytes(32), 0)), ('x', 1, (1, 1, 1), [1]), ('e', bytes(32))
    put(c, 'bad-duplicate-slice.bin', raw + st(slices=list(sl)), 'Two slices with one name.')
    put(c, 'bad-duplicate-pub.bin', raw + st(pubs=[pub, pub]), 'Two public tensors with one name.')
    put(c, 'bad-duplicate-edge.bin', raw + st(edges=[ed, ed]), 'Two boundaries with one name.')
    put(c, 'bad-use.bin', raw + st(pubs=[('x', 8, (1, 1, 1), [1])]), 'A public tensor of a use that is not known.')
    put(c, 'bad-dims-overflow.bin', raw + st(pubs=[('x', 1, (2**31, 2**31, 4), [1])]), 'A public tensor of 2^64 cells: zero when the product wraps.')
    put(c, 'bad-dims-zero.bin', raw + st(pubs=[('x', 1, (0, 5, 5), [])]), 'A public tensor without cells.')
    put(c, 'bad-cells-count.bin', raw + st(pubs=[('x', 1, (1, 1, 5), [1, 2])]), 'Fewer cells than the shape says.')
    put(c, 'bad-cells-width.bin', raw + st(pubs=[('x', 1, (1, 1, 1), u8(2) + u32(1) + b'\1\0')]), 'Cells written wider than they need.')
    put(c, 'bad-cells-width-3.bin', raw + st(pubs=[('x', 1, (1, 1, 1), u8(3) + u32(1) + b'\1\0\0')]), 'Cells of three bytes.')
    put(c, 'bad-name-empty.bin', raw + st(edges=[('', bytes(32))]), 'A boundary without a name.')
    put(c, 'bad-name-utf8.bin', raw + st(edges=[(b'\xc0\xaf', bytes(32))]), 'An overlong UTF-8 sequence.')
    head = b'\0DSPSTMT1' + bytes(160) + u32(0) * 2
    put(c, 'bad-many-cells.gen', gen((1, head + u32(1) + text16('x') + u8(1) + u32(1) + u32(3) + u32(2**22) + i64(0) + u8(1) + u32(3 * 2**22)), (3 * 2**22, b'\1'), (1, u32(7)), digest=True),
        'Twelve million cells of one byte, and a list that is cut off.')
    put(c, 'bad-many-edges.gen', gen((1, head + u32(0) + u32(400000)), (400000, text16('e') + bytes(32)), digest=True), 'Four hundred thousand boundaries of one name.')


def runs():
    c, raw, seal, re = 'run', b'\0', b'\1', b'\3'
    p, k = vectors(), key_bytes()
    proofs = [bytes.fromhex(s['proof']) for s in p['slices']]
    st = lambda **a: statement(p, k, **a)
    good = st()
    put(c, 'good-chain.bin', raw + pack(good, k[0], proofs[0], k[1], proofs[1]), 'Two slices of the reference implementation with their proofs (12-bit profile of test builds).')
    short = [q[:64] for q in proofs]                  # enough to tell which rule speaks first
    put(c, 'bad-empty.bin', raw, 'No bytes at all.')
    put(c, 'bad-missing-proof.bin', raw + pack(good, k[0], None, k[1], short[1]), 'A proof is missing.')
    put(c, 'bad-missing-key.bin', raw + pack(good, None, short[0], k[1], short[1]), 'A key is missing.')
    put(c, 'bad-no-slices.bin', raw + pack(st(slices=[])), 'A run without slices.')
    put(c, 'bad-short-proof.bin', raw + pack(good, k[0], short[0], k[1], short[1]), 'Proofs cut off after 64 bytes.')
    put(c, 'bad-swapped-keys.bin', raw + pack(good, k[1], short[0], k[0], short[1]), 'The keys in the wrong order.')
    put(c, 'bad-duplicate-slice.bin', re + pack(st(slices=[(p['slices'][0]['key']['name'], 0, bytes(32), 0), ('other', 1, bytes(32), 0)]), k[0], short[0], k[0], short[0]), 'One key twice.')
    put(c, 'bad-duplicate-number.bin', re + pack(st(unproved=[('u', 'because', 1, 0)]), k[0], short[0], k[1], short[1]), 'A segment number among proved and unproved ones.')
    put(c, 'bad-run-order.bin', re + pack(st(slices=[(p['slices'][1]['key']['name'], 0, bytes(32), 0), (p['slices'][0]['key']['name'], 1, bytes(32), 0)]), k[1], short[1], k[0], short[0]),
        'A user of a boundary before its producer.')
    put(c, 'bad-edge-missing.bin', raw + pack(st(edges=[]), k[0], short[0], k[1], short[1]), 'A statement without the root of a boundary.')
    put(c, 'bad-edge-more.bin', raw + pack(st(edges=[('b1', bytes(32)), ('b2', bytes(32))]), k[0], short[0], k[1], short[1]), 'A boundary that no slice knows.')
    put(c, 'bad-key-flipped.bin', re + pack(good, k[0][:-9] + bytes([k[0][-9] ^ 1]) + k[0][-8:], short[0], k[1], short[1]), 'A changed key with digests to match.')
    put(c, 'bad-pub-missing.bin', re + pack(st(pubs=[('x', 1, (1, 6, 6), [0] * 36)]), k[0], short[0], k[1], short[1]), 'A statement without the output.')


def proofs():
    c = 'proof'
    honest = [bytes.fromhex(s['proof']) for s in vectors()['slices']]
    for i, q in enumerate(honest):
        put(c, 'good-chain-%d.bin' % i, u8(i) + q, 'Proof %d of the chain of the reference implementation.' % i)
    q = honest[1]
    put(c, 'bad-empty.bin', b'\1', 'No bytes at all.')
    put(c, 'bad-magic.bin', b'\1DSPSLICF' + q[8:64], 'Another magic.')
    put(c, 'bad-header.bin', b'\1' + q[:8] + bytes(32), 'A header of zeros.')
    put(c, 'bad-truncated.bin', b'\1' + q[:400], 'Cut off inside the first messages.')
    put(c, 'bad-ones.gen', gen((1, b'\1' + q[:40]), (len(q) - 40, b'\xff')), 'The length of a proof, and every number is not canonical.')
    put(c, 'bad-zeros.gen', gen((1, b'\1' + q[:40]), (len(q) - 40, b'\0')), 'The length of a proof, and every byte is zero.')
    put(c, 'bad-long.gen', gen((1, b'\1' + q[:40]), (20000000, b'\0')), 'A proof of twenty million bytes.')


def boundaries():
    c = 'boundary'
    who = b'k' * 32 + b'n' * 32
    head = lambda n='b1', d=(2, 3, 3), w=who: w + text16(n) + b''.join(map(u32, d))
    b = lambda h=None, v=None: container('boundary', [(1, head() if h is None else h), (2, cells(range(18)) if v is None else v)])
    raw = b'\0'
    put(c, 'good-boundary.bin', raw + b(), 'Cells of one byte.')
    put(c, 'good-boundary-wide.bin', raw + b(v=cells([-2**62] * 18, 8)), 'Cells of eight bytes.')
    put(c, 'bad-run.bin', raw + b(head(w=bytes(64))), 'The boundary of another run.')
    put(c, 'bad-name.bin', raw + b(head('b2')), 'Another boundary.')
    put(c, 'bad-name-long.bin', raw + b(who + u16(65535) + b'b1'), 'A name longer than the file.')
    put(c, 'bad-dims.bin', raw + b(head(d=(3, 2, 3))), 'Another shape of as many cells.')
    put(c, 'bad-cells-fewer.bin', raw + b(v=cells(range(17))), 'Fewer cells than the shape says.')
    put(c, 'bad-cells-count.bin', raw + b(v=u8(8) + u64(2**61) + bytes(8)), 'Cells that claim 2^64 bytes.')
    put(c, 'bad-cells-short.bin', raw + b(v=u8(8) + u64(18) + bytes(8)), 'Fewer bytes than the cells need.')
    put(c, 'bad-cells-width.bin', raw + b(v=u8(5) + u64(18) + bytes(90)), 'Cells of five bytes.')
    put(c, 'bad-chunk.bin', raw + container('boundary', [(1, head())]), 'No cells.')
    put(c, 'bad-trailing.bin', raw + b(v=cells(range(18)) + b'x'), 'A byte after the cells.')
    row = lambda n, pub, made: text16(n) + u8(pub) + u8(made) + u32(0) + b'h' * 32
    w = lambda rows=None, n=2, d=b'd' * 32: b'\2' + container('witness', [(1, d + who), (2, u32(n) + (row('x', 1, 0) + row('b1', 0, 1) if rows is None else rows))])
    put(c, 'good-witness.bin', w(), 'A witness file of two boundary tensors.')
    put(c, 'bad-witness-key.bin', w(d=bytes(32)), 'The witness of another key.')
    put(c, 'bad-witness-count.bin', w(n=2**32 - 1), 'Tensors that claim to be 2^32 - 1.')
    put(c, 'bad-witness-fewer.bin', w(row('x', 1, 0), 1), 'A tensor is missing.')
    put(c, 'bad-witness-twice.bin', w(row('x', 1, 0) * 2), 'A tensor twice.')
    put(c, 'bad-witness-role.bin', w(row('x', 0, 0) + row('b1', 0, 1)), 'A tensor in another role.')
    put(c, 'bad-many-bytes.gen', gen((1, raw + b()), (20000000, b'x')), 'Twenty million bytes after a boundary.')


def foreigns():
    c, raw, seal = 'foreign', b'\0', b'\1'
    zero, some = bytes(32), b's' * 32
    def narrow(v):
        w = next(w for w in (1, 2, 4, 8) if all(-(1 << 8 * w - 1) <= x < 1 << 8 * w - 1 for x in v))
        return u8(w) + u32(len(v)) + b''.join(x.to_bytes(w, 'little', signed=True) for x in v)
    lst = lambda v: u32(len(v)) + b''.join(map(u32, v))
    names = lambda v: u32(len(v)) + b''.join(map(text16, v))
    def head(record=zero, statement=zero, scale=7, cuts=(3,), binds=(), inputs=('x',), outputs=('y',)):
        return (b'm' * 32 + record + statement + b'n' * 32 + u32(scale) + lst(cuts) + u32(len(binds)) + b''.join(text16(n) + i64(v) for n, v in binds) + names(inputs) +
                names(outputs))
    def seg(i, ins, outs, rows=15, insecure=0, srs=zero): return u32(i) + u64(5) + b'v' * 32 + b't' * 32 + u8(rows) + u8(insecure) + srs + lst(ins) + lst(outs)
    segs = lambda *v: u32(len(v)) + b''.join(v)
    def rest(native=(), unproved=()): return lst(native) + u32(len(unproved)) + b''.join(u32(i) + u64(1) + text16(r) for i, r in unproved)
    def tensor(n, use, dims, v): return text16(n) + u32(len(dims)) + b''.join(map(i64, dims)) + u8(use) + (v if isinstance(v, bytes) else narrow(v))
    three = segs(tensor('x', 1, (1, 2), [1, -2]), tensor('a', 4, (2, 1), [300, 4]), tensor('y', 2, (), [-2**40]))
    two = segs(seg(0, [0], [1]), seg(1, [1], [2]))
    def f(h=None, s=None, o=None, t=None): return container('foreign', [(1, head() if h is None else h), (2, two if s is None else s), (3, rest() if o is None else o), (4, three if t is None else t)])
    good = f()
    put(c, 'good-chain.bin', raw + good, 'Two segments in a chain.')
    put(c, 'good-mixed.bin', raw + f(head(record=some, statement=some, cuts=(1, 2), binds=(('N', 1),)), segs(seg(0, [0], [1]), seg(2, [1], [2], insecure=1, srs=some)), rest([1])), 'A native segment between two of ezkl.')
    put(c, 'good-unproved.bin', raw + f(head(cuts=(1, 2)), None, rest((), [(2, 'Softmax')])), 'A segment without proof.')
    put(c, 'bad-empty.bin', raw, 'No bytes at all.')
    put(c, 'bad-truncated-sealed.bin', seal + good[:300] + bytes(32), 'Cut off in the middle, with a digest of its own.')
    put(c, 'bad-flipped.bin', raw + good[:200] + bytes([good[200] ^ 4]) + good[201:], 'A changed byte.')
    put(c, 'bad-kind.bin', raw + container('outputs', [(i, b'') for i in range(1, 5)]), 'Another kind.')
    put(c, 'bad-chunks.bin', raw + container('foreign', [(1, head()), (2, two), (3, rest())]), 'A chunk is missing.')
    put(c, 'bad-chunks-more.bin', raw + container('foreign', [(1, head()), (2, two), (3, rest()), (4, three), (5, b'')]), 'A chunk too many.')
    for i, n in enumerate(('head', 'segments', 'others', 'tensors')):
        put(c, 'bad-trailing-%s.bin' % n, raw + f(**{'hsot'[i]: (head(), two, rest(), three)[i] + b'x'}), 'A byte after the %s.' % n)
    put(c, 'bad-scale.bin', raw + f(head(scale=63)), 'A scale beyond 62 bits.')
    put(c, 'bad-cut-zero.bin', raw + f(head(cuts=(0,))), 'A cut before the first node.')
    put(c, 'bad-cuts.bin', raw + f(head(cuts=(3, 3))), 'A cut twice.')
    put(c, 'bad-binds.bin', raw + f(head(binds=(('N', 1), ('N', 2)))), 'A dimension bound twice.')
    put(c, 'bad-inputs.bin', raw + f(head(inputs=('x', 'x'))), 'An input twice.')
    put(c, 'bad-count-cuts.bin', raw + f(head()[:132] + u32(2**32 - 1)), 'Cuts that claim to be 2^32 - 1.')
    put(c, 'bad-none.bin', raw + f(s=segs(), t=segs()), 'No segment.')
    put(c, 'bad-count-segments.bin', raw + f(s=u32(2**32 - 1) + two), 'Segments that claim to be 2^32 - 1.')
    put(c, 'bad-segment-order.bin', raw + f(s=segs(seg(1, [0], [1]), seg(0, [1], [2]))), 'Segments out of order.')
    put(c, 'bad-segment-twice.bin', raw + f(s=segs(seg(1, [0], [1]), seg(1, [1], [2]))), 'A segment twice.')
    put(c, 'bad-rows.bin', raw + f(s=segs(seg(0, [0], [1], 27), seg(1, [1], [2]))), 'More rows than any circuit has.')
    put(c, 'bad-flag.bin', raw + f(s=segs(seg(0, [0], [1], insecure=2, srs=some), seg(1, [1], [2]))), 'A flag that is neither 0 nor 1.')
    put(c, 'bad-insecure.bin', raw + f(s=segs(seg(0, [0], [1], insecure=1), seg(1, [1], [2]))), 'A local reference string without digest.')
    put(c, 'bad-secure.bin', raw + f(s=segs(seg(0, [0], [1], srs=some), seg(1, [1], [2]))), 'A digest of a reference string that is not local.')
    put(c, 'bad-wire-none.bin', raw + f(s=segs(seg(0, [], [0, 1, 2]))), 'A segment that reads nothing.')
    put(c, 'bad-wire-skip.bin', raw + f(s=segs(seg(0, [1], [0]), seg(1, [1], [2]))), 'Tensors that are not numbered as they are named.')
    put(c, 'bad-wire-twice.bin', raw + f(s=segs(seg(0, [0, 0], [1]), seg(1, [1], [2]))), 'A tensor twice in one list.')
    put(c, 'bad-wire-beyond.bin', raw + f(s=segs(seg(0, [0], [1]), seg(1, [2**32 - 1], [2]))), 'A tensor far beyond the table.')
    put(c, 'bad-wire-many.bin', raw + f(s=segs(seg(0, range(65), [65]))), 'More inputs than a circuit has.')
    put(c, 'bad-native.bin', raw + f(o=rest([1, 1])), 'A native segment twice.')
    put(c, 'bad-native-unnamed.bin', raw + f(o=rest([2])), 'A native segment, and no statement of it.')
    put(c, 'bad-native-none.bin', raw + f(head(record=some, statement=some)), 'A statement, and no native segment.')
    put(c, 'bad-unproved.bin', raw + f(o=rest((), [(3, 'a'), (2, 'b')])), 'Unproved segments out of order.')
    put(c, 'bad-reason.bin', raw + f(o=rest((), [(2, '')])), 'No reason.')
    put(c, 'bad-tensors-fewer.bin', raw + f(t=segs(tensor('x', 1, (1,), [1]))), 'A tensor that segments name is not listed.')
    put(c, 'bad-tensors-more.bin', raw + f(s=segs(seg(0, [0], [1]))), 'A tensor that no segment names.')
    one = segs(seg(0, [0], [1]))
    pair = lambda t: raw + f(s=one, t=segs(tensor('x', 1, (1,), [1]), t))
    put(c, 'bad-tensor-twice.bin', pair(tensor('x', 1, (1,), [1])), 'Two tensors of one name.')
    put(c, 'bad-use-zero.bin', pair(tensor('y', 0, (1,), [1])), 'A tensor without a use.')
    put(c, 'bad-use.bin', pair(tensor('y', 5, (1,), [1])), 'An inner tensor that is an input.')
    put(c, 'bad-rank.bin', pair(tensor('y', 2, (1,) * 9, [1])), 'A rank of 9.')
    put(c, 'bad-dims-zero.bin', pair(tensor('y', 2, (0, 2), [])), 'A tensor without cells.')
    put(c, 'bad-dims-overflow.bin', pair(tensor('y', 2, (2**31, 2**31, 4), [])), 'A tensor of 2^64 cells: zero when the product wraps.')
    put(c, 'bad-cells-count.bin', pair(tensor('y', 2, (3,), [1, 2])), 'Fewer cells than the shape says.')
    put(c, 'bad-cells-width.bin', pair(tensor('y', 2, (1,), u8(2) + u32(1) + b'\1\0')), 'Cells written wider than they need.')
    put(c, 'bad-many-cells.gen', gen((1, raw + b'DSPF' + u32(1) + b'foreign ' + u32(1) + u32(1) + u64(40) + u64(40 + 12 * 2**20)), (12 * 2**20, b'\1'), digest=True), 'Twelve million bytes that are no head.')


def checkpoints():
    c = 'checkpoint'
    head = bytes(4 * 32 + 1) + u64(3) + u64(10**9)    # what bit 1 of the flags puts in, then saturated cells and nanoseconds
    box = lambda body, h=head: container('outputs', [(1, h), (2, body)])
    ints = lambda name='h', n=4, v=None: text16(name) + u64(n) + (cells(range(n)) if v is None else v)
    array = lambda name='y', dtype=1, dims=(2, 3), size=24, data=bytes(24): text16(name) + u32(dtype) + u32(len(dims)) + b''.join(map(i64, dims)) + u64(size) + data
    one = u32(1)
    put(c, 'good-integers.bin', b'\6' + box(one + ints()), 'The integers that a compiled segment made.')
    put(c, 'good-array.bin', b'\7' + box(one + array()), 'The tensor that a segment in ONNX Runtime made.')
    put(c, 'good-array-empty.bin', b'\7' + box(one + array(dims=(0, 3), size=0, data=b'')), 'A tensor without elements.')
    put(c, 'good-array-scalar.bin', b'\7' + box(one + array(dims=(), size=4, data=bytes(4))), 'A tensor of rank 0.')
    put(c, 'bad-run.bin', b'\4' + box(one + ints()), 'The outputs of another run.')
    put(c, 'bad-digest.bin', b'\2' + box(one + ints()), 'A digest that is not that of the bytes.')
    put(c, 'bad-head-short.bin', b'\6' + box(one + ints() + bytes(40), head[:-1]), 'A time of seven bytes.')
    put(c, 'bad-head-long.bin', b'\6' + box(one + ints(), head + b'x'), 'A byte after the time.')
    put(c, 'bad-kind.bin', b'\6' + container('boundary', [(1, head), (2, one + ints())]), 'A container of another kind.')
    put(c, 'bad-chunk.bin', b'\6' + container('outputs', [(1, head), (3, one + ints())]), 'No outputs.')
    put(c, 'bad-none.bin', b'\6' + box(u32(0)), 'No outputs, where one is made.')
    put(c, 'bad-count.bin', b'\6' + box(u32(2**32 - 1) + ints()), 'Outputs that claim to be 2^32 - 1.')
    put(c, 'bad-name.bin', b'\6' + box(one + ints('x')), 'Another tensor.')
    put(c, 'bad-cells-count.bin', b'\6' + box(one + ints(n=5)), 'One cell more than the tensor has.')
    put(c, 'bad-cells-huge.bin', b'\6' + box(one + ints(v=u8(8) + u64(2**61) + bytes(8))), 'Cells that claim 2^64 bytes.')
    put(c, 'bad-integers-trailing.bin', b'\6' + box(one + ints() + b'x'), 'A byte after the integers.')
    put(c, 'bad-array-dtype.bin', b'\7' + box(one + array(dtype=99)), 'A tensor of no known type.')
    put(c, 'bad-array-string.bin', b'\7' + box(one + array(dtype=8)), 'A tensor of strings.')
    put(c, 'bad-array-rank.bin', b'\7' + box(one + text16('y') + u32(1) + u32(2**32 - 1) + bytes(64)), 'A rank of 2^32 - 1.')
    put(c, 'bad-array-negative.bin', b'\7' + box(one + array(dims=(-2, -3))), 'Negative dimensions whose product is right.')
    put(c, 'bad-array-wrap.bin', b'\7' + box(one + array(dims=(2**32, 2**32), size=0, data=b'')), 'Dimensions whose product wraps to 0.')
    put(c, 'bad-array-zero-huge.bin', b'\7' + box(one + array(dims=(2**62, 0), size=0, data=b'')), 'A dimension beyond the file before one of 0.')
    put(c, 'bad-array-size.bin', b'\7' + box(one + array(size=25, data=bytes(25))), 'Bytes that are not those of the dimensions.')
    put(c, 'bad-array-size-huge.bin', b'\7' + box(one + array(size=2**64 - 1)), 'A tensor of 2^64 - 1 bytes.')
    put(c, 'bad-array-trailing.bin', b'\7' + box(one + array() + b'x'), 'A byte after the tensor.')
    put(c, 'bad-many-bytes.gen', gen((1, b'\6' + box(one + ints())), (20000000, b'x')), 'Twenty million bytes after a good file.')


def ledgers():
    c = 'ledger'
    head = b'DSPLEDG1' + b's' * 32
    def row(seg, tile=0, context=b'c' * 32, roots=sha(b'r' * 64)):
        r = u32(seg) + u32(tile) + context + roots
        return r + sha(r)[:8]
    put(c, 'good-empty.bin', b'', 'No ledger yet.')
    put(c, 'good-torn-head.bin', head[:17], 'A head that was not written to its end.')
    put(c, 'good-torn.bin', head + row(0) + row(2)[:31], 'A record that was not written to its end.')
    put(c, 'good-same.bin', head + row(0) + row(1), 'The same proof is there already.')
    put(c, 'bad-other.bin', head + row(1, context=b'x' * 32), 'Another proof of the same segment under this secret.')
    put(c, 'bad-roots.bin', head + row(1, roots=bytes(32)), 'Another proof with the same context.')
    put(c, 'bad-secret.bin', b'DSPLEDG1' + b't' * 32 + row(1), 'The ledger of another secret.')
    put(c, 'bad-magic.bin', b'DSPLEDG2' + b's' * 32, 'Another magic.')
    put(c, 'bad-record.bin', head + row(0)[:-1] + b'!' + row(1), 'A damaged record.')
    put(c, 'bad-many.gen', gen((1, head), (100000, row(0)), (1, row(1, context=b'y' * 32))), 'One segment a hundred thousand times, and then another proof.')


def layers():
    c = 'layers'
    for name, n, s, why in (
            ('good-one', 3, '0', 'One segment.'), ('good-range', 9, '0-3,5, 7 - 8', 'Ranges with blanks.'), ('good-overlap', 9, '0-5,3-8,4', 'Ranges that overlap.'),
            ('bad-empty', 3, '', 'Nothing.'), ('bad-range', 3, '2-1', 'A range that runs backwards.'), ('bad-beyond', 3, '3', 'A segment that is not there.'),
            ('bad-huge', 3, '99999999999999999999999999', 'A number beyond all bounds.'), ('bad-wrap', 3, '4294967296', 'A number that is 0 when it wraps.'),
            ('bad-wide', 3, '0-18446744073709551615', 'A range that wraps around.'), ('bad-comma', 3, '0,', 'A comma at the end.'), ('bad-commas', 3, '0,,1', 'Two commas.'),
            ('bad-minus', 3, '-1', 'A negative number.'), ('bad-open', 3, '0-', 'A range without an end.'), ('bad-word', 3, 'all', 'A word.'), ('bad-none', 0, '0', 'No segments at all.')):
        put(c, name + '.txt', u8(n) + s.encode(), why)
    put(c, 'bad-many.gen', gen((1, b'\3'), (3000000, b'0,')), 'Three million numbers and a comma at the end.')


# ---------------------------------------------------------------------------------------------- writing
def write():
    for make in (onnx, lower, slices, run_json, record, tensors, ezkl, containers, keys, statements, runs, proofs, boundaries, checkpoints, foreigns, ledgers, layers):
        make()
    for reader, there in sorted(files.items()):
        d = os.path.join(CORPUS, reader)
        os.makedirs(d, exist_ok=True)
        keep = [n for n in os.listdir(d) if n.endswith('.pack') or n.startswith('bad-found-') or n.startswith('good-found-')]
        for n in os.listdir(d):
            if n not in there and n not in keep and n != 'index.txt':
                os.remove(os.path.join(d, n))
        for n, (data, _) in there.items():
            with open(os.path.join(d, n), 'wb') as f:
                f.write(data)
        lines = {n: s for n, (_, s) in there.items()}
        if 'found.pack' in keep:
            lines['found.pack'] = 'Inputs that reached new code when the reader was fuzzed.'
        with open(os.path.join(d, 'index.txt'), 'w') as f:
            f.writelines('%s\t%s\n' % x for x in sorted(lines.items()))
        for n in keep:
            assert n in lines, 'no sentence for ' + n


def unpack(reader, out):
    os.makedirs(out, exist_ok=True)
    d = os.path.join(CORPUS, reader)
    for n in sorted(os.listdir(d)):
        with open(os.path.join(d, n), 'rb') as f:
            data = f.read()
        if n.endswith('.pack'):
            at = i = 0
            while at < len(data):
                k = struct.unpack_from('<I', data, at)[0]
                with open(os.path.join(out, '%s-%d' % (n, i)), 'wb') as f:
                    f.write(data[at + 4:at + 4 + k])
                at, i = at + 4 + k, i + 1
        elif n != 'index.txt' and not n.endswith('.gen'):
            with open(os.path.join(out, n), 'wb') as f:
                f.write(data)


def collect(reader, found):
    known = {f.read() for f in (open(os.path.join(CORPUS, reader, n), 'rb') for n in os.listdir(os.path.join(CORPUS, reader)))}
    inputs = sorted({open(os.path.join(found, n), 'rb').read() for n in os.listdir(found)} - known, key=lambda b: (len(b), b))
    out = b''
    for b in inputs:
        if len(out) + len(b) + 4 <= PACK_BYTES:
            out += u32(len(b)) + b
    with open(os.path.join(CORPUS, reader, 'found.pack'), 'wb') as f:
        f.write(out)


if len(sys.argv) == 4 and sys.argv[1] == '--unpack':
    unpack(sys.argv[2], sys.argv[3])
elif len(sys.argv) == 4 and sys.argv[1] == '--pack':
    collect(sys.argv[2], sys.argv[3])
elif len(sys.argv) == 1:
    write()
else:
    sys.exit(__doc__)
