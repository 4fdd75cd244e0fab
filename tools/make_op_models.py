#!/usr/bin/env python3
"""Writes small models, one form of an operator each, to tests/corpus/ops: NAME.onnx, and index.txt with one line per file:
name, tab, "ok" or the part of the reason for which its segment is refused, tab, one sentence.
The lowering's tests run the integers of each supported one against ONNX Runtime. Weights are seeded; a run gives the same files.
Needs numpy and onnx:  python3 -m venv V && V/bin/pip install numpy onnx && V/bin/python tools/make_op_models.py
"""
import os
import sys
import numpy as np
from onnx import TensorProto, helper, numpy_helper

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'corpus', 'ops')
F = TensorProto.FLOAT
index = []


class Model:
    """Collects nodes and initializers; `x` is the input of the model unless said otherwise."""

    def __init__(self, name, opset=13, ir=8):
        self.name, self.opset, self.ir = name, opset, ir
        self.nodes, self.inits, self.ins, self.outs = [], [], [], []
        self.rng = np.random.default_rng(abs(hash_name(name)))

    def input(self, shape, name='x', dtype=F):
        self.ins.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def w(self, *shape, name=None, scale=None, positive=False, dtype=np.float32):
        fan = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        v = self.rng.standard_normal(shape) * (scale or 1 / np.sqrt(fan))
        return self.const(np.abs(v) + 0.2 if positive else v, name, dtype)

    def const(self, v, name=None, dtype=np.float32):
        name = name or f'c{len(self.inits)}'
        self.inits.append(numpy_helper.from_array(np.asarray(v, dtype), name))
        return name

    def ints(self, *v):
        return self.const(v, dtype=np.int64)

    def node(self, op, *ins, out=None, n_out=1, **attrs):
        outs = out if isinstance(out, list) else [out or f'v{len(self.nodes)}'] + [f'v{len(self.nodes)}_{i}' for i in range(1, n_out)]
        self.nodes.append(helper.make_node(op, list(ins), outs, name=f'{op}_{len(self.nodes)}', **attrs))
        return outs[0]

    def output(self, name, dtype=F):
        self.outs.append(helper.make_tensor_value_info(name, dtype, None))

    def save(self, verdict, sentence):
        g = helper.make_graph(self.nodes, 'ops', self.ins, self.outs, self.inits)
        m = helper.make_model(g, opset_imports=[helper.make_opsetid('', self.opset)], ir_version=self.ir, producer_name='make_op_models')
        with open(os.path.join(OUT, self.name + '.onnx'), 'wb') as f:
            f.write(m.SerializeToString(deterministic=True))
        index.append((self.name, verdict, sentence))


def hash_name(s):
    h = 5381
    for c in s.encode():
        h = (h * 33 + c) & 0x7fffffff
    return h


def one(name, shape, op, *args, sentence, verdict='ok', opset=13, **attrs):
    """A model of one node; args: shapes of weights, or arrays."""
    m = Model(name, opset)
    ins = [m.input(shape)]
    for a in args:
        ins.append('' if a is None else m.const(a) if isinstance(a, np.ndarray) else m.w(*a))
    m.output(m.node(op, *ins, out='y', **attrs))
    m.save(verdict, sentence)


def chain(name, shape, sentence, verdict='ok', opset=13):
    def wrap(build):
        m = Model(name, opset)
        y = build(m, m.input(shape))
        for o in y if isinstance(y, list) else [y]:
            m.output(o)
        m.save(verdict, sentence)
    return wrap


# ---------------------------------------------------------------------------------------------- Conv
one('conv_plain', [1, 3, 6, 7], 'Conv', (4, 3, 3, 2), (4,), sentence='2-D, no padding, bias')
one('conv_no_bias', [1, 3, 6, 7], 'Conv', (4, 3, 3, 3), sentence='2-D, no bias')
one('conv_stride_pads', [1, 2, 9, 8], 'Conv', (3, 2, 3, 3), (3,), strides=[2, 3], pads=[1, 0, 2, 1], sentence='strides and uneven padding')
one('conv_dilated', [1, 2, 9, 9], 'Conv', (3, 2, 3, 2), dilations=[2, 3], pads=[2, 1, 2, 1], sentence='dilation')
one('conv_same_upper', [1, 2, 7, 8], 'Conv', (3, 2, 4, 3), (3,), auto_pad='SAME_UPPER', strides=[2, 2], sentence='auto_pad SAME_UPPER')
one('conv_same_lower', [1, 2, 7, 8], 'Conv', (3, 2, 4, 3), (3,), auto_pad='SAME_LOWER', strides=[2, 2], sentence='auto_pad SAME_LOWER')
one('conv_valid', [1, 2, 7, 8], 'Conv', (3, 2, 4, 3), auto_pad='VALID', sentence='auto_pad VALID')
one('conv_groups', [1, 4, 5, 5], 'Conv', (6, 2, 3, 3), (6,), group=2, pads=[1, 1, 1, 1], sentence='two groups')
one('conv_depthwise', [1, 5, 6, 6], 'Conv', (5, 1, 3, 3), (5,), group=5, pads=[1, 1, 1, 1], sentence='depthwise')
one('conv_depthwise_twice', [1, 3, 5, 5], 'Conv', (6, 1, 3, 3), group=3, sentence='depthwise, two outputs a channel')
one('conv_1d', [1, 3, 11], 'Conv', (4, 3, 3), (4,), sentence='1-D')
one('conv_1d_all', [1, 4, 16], 'Conv', (6, 2, 3), (6,), group=2, strides=[2], pads=[2, 1], dilations=[2], sentence='1-D with stride, padding, dilation, groups')
one('conv_1d_same', [1, 2, 9], 'Conv', (3, 2, 4), auto_pad='SAME_UPPER', strides=[2], sentence='1-D, auto_pad')
one('conv_3d', [1, 2, 4, 4, 4], 'Conv', (3, 2, 2, 2, 2), verdict='1-D and 2-D convolutions', sentence='3-D')
one('conv_batch', [2, 2, 4, 4], 'Conv', (3, 2, 3, 3), verdict='its batch axis is 2', sentence='a batch of two')


@chain('conv_weight_input', [1, 2, 4, 4], 'the weights are an input', verdict='is not a constant')
def _(m, x):
    return m.node('Conv', x, m.input([2, 2, 3, 3], 'w'))


@chain('conv_relu', [1, 2, 6, 6], 'a fused Relu')
def _(m, x):
    return m.node('Relu', m.node('Conv', x, m.w(4, 2, 3, 3), m.w(4)))


@chain('conv_add_bias', [1, 2, 6, 6], 'the bias is an Add of (C, 1, 1)')
def _(m, x):
    return m.node('Relu', m.node('Add', m.node('Conv', x, m.w(4, 2, 3, 3)), m.w(4, 1, 1)))


@chain('conv_bn_relu', [1, 2, 6, 6], 'BatchNormalization folds into the Conv before it, channels of unlike size')
def _(m, x):
    c = m.node('Conv', x, m.w(5, 2, 3, 3), m.w(5))
    return m.node('Relu', m.node('BatchNormalization', c, m.const([4, .5, 1, .05, 2]), m.w(5), m.w(5), m.w(5, positive=True), epsilon=1e-3))


@chain('conv_twice_read', [1, 2, 6, 6], 'the result of Conv has two readers')
def _(m, x):
    c = m.node('Conv', x, m.w(3, 2, 3, 3), m.w(3))
    return m.node('Add', m.node('Relu', c), m.node('MaxPool', c, kernel_shape=[1, 1]))


# ---------------------------------------------------------------------------------------------- Gemm, MatMul
one('gemm', [1, 7], 'Gemm', (7, 5), (5,), sentence='plain')
one('gemm_no_c', [1, 7], 'Gemm', (7, 5), sentence='without C')
one('gemm_scaled', [1, 7], 'Gemm', (5, 7), (1, 5), alpha=0.5, beta=-2.0, transB=1, sentence='alpha, beta, transB')
one('gemm_trans_a', [7, 1], 'Gemm', (7, 5), (5,), transA=1, sentence='transA of a column')
one('gemm_trans_a_rows', [7, 3], 'Gemm', (7, 5), (5,), transA=1, sentence='transA of a matrix')
one('gemm_rows', [3, 7], 'Gemm', (7, 5), (5,), sentence='three rows')
one('gemm_scalar_c', [1, 7], 'Gemm', (7, 5), np.array(0.25), sentence='C is a scalar')


@chain('gemm_cell_c', [3, 7], 'C differs by row', verdict='differs inside a channel')
def _(m, x):
    return m.node('Gemm', m.node('Relu', m.node('MatMul', x, m.w(7, 6))), m.w(6, 5), m.w(3, 5))


@chain('gemm_left', [7, 4], 'the constant stands on the left')
def _(m, x):
    return m.node('Gemm', m.w(3, 7), x)


@chain('gemm_left_trans', [4, 7], 'both transposed, the constant on the left')
def _(m, x):
    return m.node('Relu', m.node('Gemm', m.w(7, 3), m.node('Relu', x), transA=1, transB=1))


@chain('gemm_c_activation', [1, 6], 'C is an activation')
def _(m, x):
    return m.node('Gemm', x, m.w(6, 6), m.node('Relu', x))


@chain('gemm_rows_chain', [3, 7], 'rows through two products, bias and Relu')
def _(m, x):
    h = m.node('Relu', m.node('Gemm', x, m.w(7, 6), m.w(6)))
    return m.node('Add', m.node('MatMul', h, m.w(6, 4)), m.w(4))


@chain('rows_residual', [1, 5, 6], 'rows of a sequence: bias on the input, product, residual, Relu, product')
def _(m, x):
    x = m.node('Add', x, m.w(6))
    h = m.node('Add', x, m.node('MatMul', x, m.w(6, 6)))
    return m.node('MatMul', m.node('Relu', h), m.w(6, 3))


@chain('gemm_two_activations', [4, 4], 'no constant operand', verdict='two activations')
def _(m, x):
    return m.node('Gemm', x, m.node('Relu', x))


one('matmul', [1, 7], 'MatMul', (7, 5), sentence='plain')
one('matmul_vector', [1, 7], 'MatMul', (7,), sentence='the constant is a vector')
one('matmul_from_vector', [7], 'MatMul', (7, 5), sentence='the activation is a vector')
one('matmul_rows', [1, 4, 7], 'MatMul', (7, 5), sentence='rows of a sequence')
one('matmul_rank4', [1, 1, 1, 7], 'MatMul', (7, 5), sentence='leading axes of 1')
one('matmul_batched', [2, 3, 7], 'MatMul', (2, 7, 5), verdict='a batch of matrices', sentence='the constant is a batch')


@chain('matmul_left', [7, 4], 'the constant stands on the left')
def _(m, x):
    return m.node('MatMul', m.w(3, 7), x)


@chain('matmul_two_activations', [4, 4], 'no constant operand', verdict='two activations')
def _(m, x):
    return m.node('MatMul', x, m.node('Relu', x))


@chain('flatten_gemm', [1, 3, 4, 5], 'Flatten of a plane, read by a product in another segment')
def _(m, x):
    c = m.node('Flatten', m.node('Relu', m.node('Conv', x, m.w(4, 3, 3, 3))))
    return m.node('Gemm', c, m.w(4 * 2 * 3, 6), m.w(6))


# ---------------------------------------------------------------------------------------------- Add, Sub, BatchNormalization, Relu
one('add_scalar', [1, 3, 4, 4], 'Add', np.array(0.7), sentence='a scalar')
one('add_channel', [1, 3, 4, 4], 'Add', (3, 1, 1), sentence='one number per channel')
one('add_vector', [1, 9], 'Add', (9,), sentence='a vector')
one('sub_cells', [1, 1, 1, 5], 'Sub', (1, 1, 1, 5), sentence='cells along the last axis of an input, which is laid out as channels')
one('add_cells', [1, 3, 4, 4], 'Add', (3, 4, 4), sentence='a constant per cell: the input is laid out as channels')
one('add_widens', [1, 3, 1, 1], 'Add', (1, 3, 2, 2), verdict='widens', sentence='the constant is larger than the activation')
one('relu', [1, 3, 4, 4], 'Relu', sentence='Relu alone')
one('bn_alone', [1, 4, 5, 5], 'BatchNormalization', np.array([2., -.5, 1, 3]), np.array([.1, .2, -.3, 0]), np.array([.5, 0, -.2, 1]),
    np.array([1., 2, .5, 3]), sentence='BatchNormalization alone')
one('bn_vector', [1, 4], 'BatchNormalization', np.array([2., -.5, 1, 3]), np.array([.1, .2, -.3, 0]), np.array([.5, 0, -.2, 1]), np.array([1., 2, .5, 3]),
    opset=9, sentence='BatchNormalization of a vector')
one('bn_1d', [1, 3, 8], 'BatchNormalization', np.array([2., -.5, 1]), np.array([.1, .2, -.3]), np.array([.5, 0, -.2]), np.array([1., 2, .5]),
    sentence='BatchNormalization of a sequence')


@chain('bn_training', [1, 3, 8], 'BatchNormalization in training mode', verdict='training mode', opset=15)
def _(m, x):
    m.nodes.append(helper.make_node('BatchNormalization', [x, m.w(3), m.w(3), m.w(3), m.w(3, positive=True)], ['y', 'mean', 'var'], training_mode=1))
    return 'y'



@chain('add_cells_conv', [1, 2, 4, 4], 'a constant per cell before a Conv', verdict='its input lies as')
def _(m, x):
    return m.node('Conv', m.node('Add', x, m.w(2, 4, 4)), m.w(3, 2, 3, 3))


@chain('sub_from_constant', [1, 3, 4, 4], 'constant minus activation')
def _(m, x):
    return m.node('Relu', m.node('Sub', m.w(3, 1, 1), m.node('Conv', x, m.w(3, 3, 1, 1))))


@chain('residual', [1, 3, 6, 6], 'a residual block over two segments')
def _(m, x):
    a = m.node('Relu', m.node('Conv', x, m.w(3, 3, 3, 3), m.w(3), pads=[1, 1, 1, 1]))
    b = m.node('Conv', a, m.w(3, 3, 3, 3), m.w(3), pads=[1, 1, 1, 1])
    return m.node('Relu', m.node('Add', b, a))


@chain('residual_down', [1, 3, 6, 6], 'a residual block with a convolution on the short way')
def _(m, x):
    a = m.node('Relu', m.node('Conv', x, m.w(4, 3, 3, 3), m.w(4), pads=[1, 1, 1, 1], strides=[2, 2]))
    b = m.node('Conv', a, m.w(4, 4, 3, 3), m.w(4), pads=[1, 1, 1, 1])
    s = m.node('Conv', x, m.w(4, 3, 1, 1), strides=[2, 2])
    return m.node('Relu', m.node('Add', b, s))


@chain('add_self', [1, 3, 4, 4], 'a value added to itself')
def _(m, x):
    r = m.node('Relu', x)
    return m.node('Add', r, r)


@chain('sub_activations', [1, 3, 4, 4], 'difference of two activations of unlike scale')
def _(m, x):
    a = m.node('Relu', m.node('Conv', x, m.w(3, 3, 1, 1, scale=6)))
    return m.node('Sub', m.node('Relu', x), a)


@chain('add_broadcast', [1, 3, 4, 4], 'an activation that broadcasts', verdict='broadcasts an activation')
def _(m, x):
    return m.node('Add', x, m.node('GlobalAveragePool', x))


@chain('relu_bn_pool', [1, 3, 6, 6], 'BatchNormalization after Relu, then MaxPool')
def _(m, x):
    r = m.node('Relu', m.node('Conv', x, m.w(4, 3, 3, 3), m.w(4)))
    b = m.node('BatchNormalization', r, m.w(4), m.w(4), m.w(4), m.w(4, positive=True))
    return m.node('MaxPool', b, kernel_shape=[2, 2], strides=[2, 2])


# ---------------------------------------------------------------------------------------------- pools
one('maxpool', [1, 3, 6, 6], 'MaxPool', kernel_shape=[2, 2], strides=[2, 2], sentence='2x2')
one('maxpool_pads', [1, 2, 7, 7], 'MaxPool', kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], sentence='3x3, stride 2, padding 1')
one('maxpool_uneven', [1, 2, 7, 8], 'MaxPool', kernel_shape=[2, 4], strides=[1, 3], pads=[0, 2, 1, 1], sentence='uneven window and padding')
one('maxpool_ceil', [1, 2, 7, 8], 'MaxPool', kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, sentence='ceil_mode')
one('maxpool_ceil_drop', [1, 1, 4, 4], 'MaxPool', kernel_shape=[1, 1], strides=[2, 2], ceil_mode=1, opset=22, sentence='ceil_mode, 1x1 window')
one('maxpool_dilated', [1, 2, 9, 9], 'MaxPool', kernel_shape=[3, 2], dilations=[2, 3], sentence='dilation')
one('maxpool_same', [1, 2, 7, 8], 'MaxPool', kernel_shape=[3, 2], strides=[2, 2], auto_pad='SAME_UPPER', sentence='auto_pad')
one('maxpool_1d', [1, 3, 11], 'MaxPool', kernel_shape=[3], strides=[2], pads=[1, 1], sentence='1-D')
one('maxpool_row', [1, 2, 6, 6], 'MaxPool', kernel_shape=[1, 3], strides=[2, 1], sentence='a row window with stride across it')
one('maxpool_column', [1, 2, 6, 6], 'MaxPool', kernel_shape=[3, 1], strides=[1, 2], sentence='a column window with stride across it')
one('maxpool_stride_only', [1, 2, 6, 6], 'MaxPool', kernel_shape=[1, 1], strides=[2, 3], sentence='1x1 window: a view')
one('avgpool', [1, 3, 6, 6], 'AveragePool', kernel_shape=[2, 2], strides=[2, 2], sentence='2x2: a shift')
one('avgpool_3', [1, 3, 7, 7], 'AveragePool', kernel_shape=[3, 3], strides=[2, 2], sentence='3x3: one multiplier')
one('avgpool_pads', [1, 2, 7, 7], 'AveragePool', kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], sentence='divisor by row and column')
one('avgpool_include', [1, 2, 7, 7], 'AveragePool', kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1, sentence='count_include_pad')
one('avgpool_uneven', [1, 2, 7, 9], 'AveragePool', kernel_shape=[2, 3], strides=[1, 2], pads=[1, 0, 0, 2], sentence='uneven padding')
one('avgpool_ceil', [1, 2, 8, 8], 'AveragePool', kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, opset=19, sentence='ceil_mode')
one('avgpool_ceil_include', [1, 2, 8, 8], 'AveragePool', kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1, opset=19,
    sentence='ceil_mode and count_include_pad')
one('avgpool_same', [1, 2, 7, 8], 'AveragePool', kernel_shape=[3, 2], strides=[2, 2], auto_pad='SAME_LOWER', sentence='auto_pad')
one('avgpool_1d', [1, 3, 11], 'AveragePool', kernel_shape=[4], strides=[3], pads=[1, 1], sentence='1-D')
one('avgpool_dilated', [1, 2, 9, 9], 'AveragePool', kernel_shape=[2, 2], dilations=[3, 2], opset=19, sentence='dilation')
one('gap_7', [1, 3, 7, 7], 'GlobalAveragePool', sentence='49 cells')
one('gap_8', [1, 3, 8, 8], 'GlobalAveragePool', sentence='64 cells: a shift')
one('gap_1d', [1, 3, 10], 'GlobalAveragePool', sentence='1-D')


@chain('maxpool_indices', [1, 2, 4, 4], 'the indices are read', verdict='Indices')
def _(m, x):
    y = m.node('MaxPool', x, out=['y', 'i'], kernel_shape=[2, 2])
    m.outs.append(helper.make_tensor_value_info('i', TensorProto.INT64, None))
    return y


@chain('gap_gemm', [1, 3, 6, 6], 'an average that a product reads in another segment')
def _(m, x):
    c = m.node('Relu', m.node('Conv', x, m.w(6, 3, 3, 3), m.w(6)))
    return m.node('Gemm', m.node('Flatten', m.node('GlobalAveragePool', c)), m.w(6, 4), m.w(4))


@chain('avgpool_relu', [1, 3, 6, 6], 'Relu after an average')
def _(m, x):
    return m.node('Relu', m.node('AveragePool', x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))


@chain('avgpool_add', [1, 3, 6, 6], 'a sum of two averages')
def _(m, x):
    return m.node('Add', m.node('AveragePool', x, kernel_shape=[2, 2]), m.node('AveragePool', x, kernel_shape=[2, 2]))


@chain('maxpool_output', [1, 3, 6, 6], 'MaxPool after Relu is the output')
def _(m, x):
    return m.node('MaxPool', m.node('Relu', m.node('Conv', x, m.w(4, 3, 3, 3))), kernel_shape=[2, 2], strides=[2, 2])


# ---------------------------------------------------------------------------------------------- shapes
@chain('shapes', [1, 3, 4, 5], 'Identity, Dropout, Reshape with 0 and -1, Squeeze, Unsqueeze, Transpose of axes of 1')
def _(m, x):
    a = m.node('Dropout', m.node('Identity', m.node('Relu', x)))
    a = m.node('Reshape', a, m.ints(0, 3, 1, -1))
    a = m.node('Squeeze', a, m.ints(2))
    a = m.node('Unsqueeze', a, m.ints(0))
    a = m.node('Transpose', a, perm=[1, 0, 2, 3])
    return m.node('Gemm', m.node('Reshape', a, m.ints(1, -1)), m.w(60, 4))


@chain('flatten_0', [1, 3, 4, 5], 'Flatten at axis 0')
def _(m, x):
    return m.node('Gemm', m.node('Flatten', x, axis=0), m.w(60, 4))


@chain('reshape_regroups', [1, 12], 'a product reshaped to a plane that a Conv reads', verdict='its input lies as')
def _(m, x):
    return m.node('Conv', m.node('Reshape', m.node('Gemm', x, m.w(12, 18)), m.ints(1, 2, 3, 3)), m.w(2, 2, 2, 2))


@chain('reshape_input', [1, 18], 'an input reshaped to a plane that a Conv reads')
def _(m, x):
    return m.node('Conv', m.node('Reshape', x, m.ints(1, 2, 3, 3)), m.w(2, 2, 2, 2))


@chain('transpose_ones', [1, 6, 5, 1], 'channels last, one channel: a Transpose of axes of 1 before a Conv')
def _(m, x):
    return m.node('Conv', m.node('Transpose', x, perm=[0, 3, 1, 2]), m.w(2, 1, 3, 3), m.w(2))


@chain('transpose_cells', [1, 3, 4], 'a Transpose that moves cells', verdict='moves cells')
def _(m, x):
    return m.node('Relu', m.node('Transpose', x, perm=[0, 2, 1]))


@chain('dropout_mask', [1, 6], 'the mask is read', verdict='mask', opset=12)
def _(m, x):
    y = m.node('Dropout', x, out=['y', 'mask'])
    m.outs.append(helper.make_tensor_value_info('mask', TensorProto.BOOL, None))
    return y


@chain('outputs', [1, 3, 6, 6], 'outputs that are also read, an alias of the input, an alias of an output')
def _(m, x):
    a = m.node('Relu', m.node('Conv', x, m.w(4, 3, 3, 3), m.w(4)))
    f = m.node('Flatten', a)
    return [a, f, m.node('Gemm', f, m.w(64, 5)), m.node('Identity', x, out='same')]


@chain('names', [1, 6], 'names that the protocol or the generated names use')
def _(m, x):
    m.ins[0].name = 'A'
    a = m.node('Relu', m.node('Gemm', 'A', m.w(6, 5), m.w(5)), out='mult.1')
    b = m.node('Relu', m.node('Gemm', a, m.w(5, 5)), out='l0.q')
    c = m.node('Relu', m.node('Gemm', b, m.w(5, 5)), out='t3')
    return m.node('Gemm', c, m.w(5, 4), out='m_1')


# ---------------------------------------------------------------------------------------------- constants
@chain('folded', [1, 2, 5, 5], 'weights through every operator that is folded')
def _(m, x):
    w = m.w(4, 2, 3, 3, dtype=np.float64)
    g, v = m.w(4, 1, 1, 1, positive=True), m.w(4, positive=True)
    w = m.node('Cast', w, to=F)
    scale = m.node('Div', g, m.node('Sqrt', m.node('Reshape', v, m.ints(4, 1, 1, 1))))
    w = m.node('Mul', w, scale)
    w = m.node('Transpose', m.node('Transpose', w, perm=[2, 3, 1, 0]), perm=[3, 2, 0, 1])
    w = m.node('Concat', m.node('Slice', w, m.ints(2), m.ints(4), m.ints(0)), m.node('Slice', w, m.ints(0), m.ints(2), m.ints(0)), axis=0)
    b = m.node('Squeeze', m.node('Unsqueeze', m.node('Add', m.w(4), m.node('Sub', m.w(4), m.w(4))), m.ints(0)), m.ints(0))
    k = m.node('Identity', m.node('Constant', value=numpy_helper.from_array(m.rng.standard_normal((36, 3)).astype(np.float32))))
    y = m.node('Relu', m.node('Conv', x, w, b))
    return m.node('MatMul', m.node('Flatten', y), m.node('Flatten', k))


@chain('folded_shape', [1, 2, 3, 4], 'a shape computed from a shape')
def _(m, x):
    n = m.node('Gather', m.node('Shape', x), m.const(0, dtype=np.int64), axis=0)
    s = m.node('Concat', m.node('Unsqueeze', n, m.ints(0)), m.ints(-1), axis=0)
    return m.node('Gemm', m.node('Reshape', x, s), m.w(24, 3))


@chain('unfolded', [1, 6], 'weights through an operator that is not folded', verdict='cannot be proved')
def _(m, x):
    return m.node('MatMul', x, m.node('Pow', m.w(6, 4), m.const(2.0)))


# ---------------------------------------------------------------------------------------------- old operator sets
@chain('old_shapes', [1, 3, 4, 4], 'Squeeze, Unsqueeze and Slice with attributes, opset 9', opset=9)
def _(m, x):
    a = m.node('Unsqueeze', m.node('Squeeze', m.node('Relu', x), axes=[0]), axes=[0])
    return m.node('Conv', a, m.node('Slice', m.w(5, 3, 2, 2), starts=[1], ends=[5], axes=[0]))


# ---------------------------------------------------------------------------------------------- not supported
one('tanh', [1, 6], 'Tanh', verdict='cannot be proved', sentence='an operator that is not supported')


@chain('mixed', [1, 2, 6, 6], 'a segment in the middle that is not proved', verdict='cannot be proved')
def _(m, x):
    a = m.node('Relu', m.node('Conv', x, m.w(4, 2, 3, 3), m.w(4), pads=[1, 1, 1, 1]))
    b = m.node('Tanh', m.node('Conv', a, m.w(4, 4, 3, 3), m.w(4), pads=[1, 1, 1, 1]))
    c = m.node('Relu', m.node('Add', m.node('Conv', b, m.w(4, 4, 3, 3), m.w(4), pads=[1, 1, 1, 1]), a))
    return m.node('Gemm', m.node('Flatten', c), m.w(144, 5), m.w(5))


os.makedirs(OUT, exist_ok=True)
with open(os.path.join(OUT, 'index.txt'), 'w') as f:
    for row in index:
        f.write('\t'.join(row) + '\n')
print(f'{len(index)} models in {OUT}')
