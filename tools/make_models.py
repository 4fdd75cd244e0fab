#!/usr/bin/env python3
"""Trains the example models on scikit-learn's handwritten digits (8x8 grey, 1797 images) and writes them as ONNX files:

  models/net          convolutional classifier: 2 convolutions, 3 dense layers, 62,006 parameters (input 3x32x32)
  models/mini_resnet  convolution with batch normalisation, two residual blocks, global average pooling (input 1x8x8)
  models/tiny         two dense layers (input 64)

Each folder gets model.onnx, input.json (one test image) and eval.json (the held-back test set: original pixels, how to expand them to the
model's input, labels, float accuracy). Training is plain numpy with fixed seeds; a run on the same numpy gives the same files.
Needs numpy, scikit-learn, onnx:  python3 -m venv V && V/bin/pip install numpy scikit-learn onnx && V/bin/python tools/make_models.py
"""
import json, os, sys
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'models')
N_TEST = 400
F = np.float32


# ---------------------------------------------------------------------------------------------- layers: forward, backward
class Conv:
    def __init__(self, rng, cin, cout, k, stride=1, pad=0, bias=True):
        self.stride, self.pad, self.k = stride, pad, k
        self.p = {'W': (rng.standard_normal((cout, cin, k, k)) * np.sqrt(2 / (cin * k * k))).astype(F)}
        if bias:
            self.p['b'] = np.zeros(cout, F)

    def forward(self, x, train):
        p, s, k = self.pad, self.stride, self.k
        xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        win = np.lib.stride_tricks.sliding_window_view(xp, (k, k), (2, 3))[:, :, ::s, ::s]
        n, c, h, w = win.shape[:4]
        self.cols = win.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, c * k * k)
        self.xs, self.hw = x.shape, (h, w)
        y = self.cols @ self.p['W'].reshape(len(self.p['W']), -1).T
        if 'b' in self.p:
            y = y + self.p['b']
        return y.reshape(n, h, w, -1).transpose(0, 3, 1, 2)

    def backward(self, d):
        n, o, h, w = d.shape
        s, p, k = self.stride, self.pad, self.k
        dm = d.transpose(0, 2, 3, 1).reshape(-1, o)
        self.g = {'W': (dm.T @ self.cols).reshape(self.p['W'].shape)}
        if 'b' in self.p:
            self.g['b'] = dm.sum(0)
        dc = (dm @ self.p['W'].reshape(o, -1)).reshape(n, h, w, self.xs[1], k, k)
        dx = np.zeros((n, self.xs[1], self.xs[2] + 2 * p, self.xs[3] + 2 * p), F)
        for a in range(k):
            for b in range(k):
                dx[:, :, a:a + s * h:s, b:b + s * w:s] += dc[..., a, b].transpose(0, 3, 1, 2)
        return dx[:, :, p:p + self.xs[2], p:p + self.xs[3]]


class Dense:
    def __init__(self, rng, cin, cout):
        self.p = {'W': (rng.standard_normal((cout, cin)) * np.sqrt(2 / cin)).astype(F), 'b': np.zeros(cout, F)}

    def forward(self, x, train):
        self.x = x
        return x @ self.p['W'].T + self.p['b']

    def backward(self, d):
        self.g = {'W': d.T @ self.x, 'b': d.sum(0)}
        return d @ self.p['W']


class Norm:
    """Batch normalisation with running statistics."""
    EPS = F(1e-5)

    def __init__(self, c):
        self.p = {'g': np.ones(c, F), 'b': np.zeros(c, F)}
        self.mean, self.var = np.zeros(c, F), np.ones(c, F)

    def forward(self, x, train):
        ax = (0, 2, 3)
        m, v = (x.mean(ax), x.var(ax)) if train else (self.mean, self.var)
        if train:
            self.mean, self.var = F(0.9) * self.mean + F(0.1) * m, F(0.9) * self.var + F(0.1) * v
        self.inv = 1 / np.sqrt(v + self.EPS)
        self.xh = (x - m[:, None, None]) * self.inv[:, None, None]
        return self.p['g'][:, None, None] * self.xh + self.p['b'][:, None, None]

    def backward(self, d):
        ax, n = (0, 2, 3), d.size // d.shape[1]
        self.g = {'g': (d * self.xh).sum(ax), 'b': d.sum(ax)}
        k = (self.p['g'] * self.inv)[:, None, None]
        return k * (d - (self.g['b'] / n)[:, None, None] - self.xh * (self.g['g'] / n)[:, None, None])


class Relu:
    p = {}

    def forward(self, x, train):
        self.on = x > 0
        return x * self.on

    def backward(self, d):
        return d * self.on


class MaxPool:
    p = {}

    def forward(self, x, train):
        n, c, h, w = x.shape
        v = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.i, self.s = v.argmax(-1), x.shape
        return v.max(-1)

    def backward(self, d):
        n, c, h, w = self.s
        v = np.zeros((n, c, h // 2, w // 2, 4), F)
        np.put_along_axis(v, self.i[..., None], d[..., None], -1)
        return v.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)


class Flatten:
    p = {}

    def forward(self, x, train):
        self.s = x.shape
        return x.reshape(len(x), -1)

    def backward(self, d):
        return d.reshape(self.s)


class AveragePool:
    p = {}

    def forward(self, x, train):
        self.s = x.shape
        return x.mean((2, 3))

    def backward(self, d):
        return np.broadcast_to(d[:, :, None, None] / F(self.s[2] * self.s[3]), self.s).astype(F)


class Residual:
    """relu(x + conv-norm-relu-conv-norm(x))"""
    p = {}

    def __init__(self, rng, c):
        self.inner = [Conv(rng, c, c, 3, 1, 1, False), Norm(c), Relu(), Conv(rng, c, c, 3, 1, 1, False), Norm(c)]
        self.relu = Relu()

    def forward(self, x, train):
        y = x
        for layer in self.inner:
            y = layer.forward(y, train)
        return self.relu.forward(x + y, train)

    def backward(self, d):
        d = e = self.relu.backward(d)
        for layer in self.inner[::-1]:
            e = layer.backward(e)
        return d + e


def flat(layers):
    return [y for x in layers for y in (flat(x.inner) if isinstance(x, Residual) else [x])]


def forward(layers, x, train=False):
    for layer in layers:
        x = layer.forward(x, train)
    return x


def train(layers, x, y, augment, epochs, seed, rate=2e-3, decay=1e-4):
    """Adam with a cosine rate on softmax cross-entropy, labels smoothed by 0.05."""
    rng, params = np.random.default_rng(seed), [(layer, k) for layer in flat(layers) for k in layer.p]
    m = {(id(layer), k): np.zeros_like(layer.p[k]) for layer, k in params}
    v, step, batch = {k: np.zeros_like(a) for k, a in m.items()}, 0, 64
    total = epochs * (len(x) // batch)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for i in range(0, len(x) - batch + 1, batch):
            at = order[i:i + batch]
            z = forward(layers, augment(rng, x[at]), True)
            e = np.exp(z - z.max(1, keepdims=True))
            d = e / e.sum(1, keepdims=True)
            d -= F(0.005)
            d[np.arange(batch), y[at]] -= F(0.95)
            d = (d / batch).astype(F)
            for layer in layers[::-1]:
                d = layer.backward(d)
            step += 1
            lr = rate * 0.5 * (1 + np.cos(np.pi * step / total))
            for layer, k in params:
                a, g = (id(layer), k), layer.g[k]
                m[a] = F(0.9) * m[a] + F(0.1) * g
                v[a] = F(0.999) * v[a] + F(0.001) * g * g
                layer.p[k] -= (lr * (m[a] / (1 - 0.9 ** step) / (np.sqrt(v[a] / (1 - 0.999 ** step)) + 1e-8) + decay * layer.p[k])).astype(F)


# ---------------------------------------------------------------------------------------------- data
def digits():
    """Pixels 0..16 as 8x8 integers, labels; a fixed shuffle, the last N_TEST images held back."""
    d = load_digits()
    order = np.random.default_rng(7).permutation(len(d.target))
    x, y = d.images.astype(np.int64)[order], d.target[order]
    return x[:-N_TEST], y[:-N_TEST], x[-N_TEST:], y[-N_TEST:]


def shifted(rng, x):
    """Half of the 8x8 images moved by at most one pixel in each direction."""
    out, by = np.zeros_like(x), rng.integers(-1, 2, (len(x), 2)) * rng.integers(0, 2, (len(x), 1))
    for i, (a, b) in enumerate(by):
        out[i, max(a, 0):8 + min(a, 0), max(b, 0):8 + min(b, 0)] = x[i, max(-a, 0):8 - max(a, 0), max(-b, 0):8 - max(b, 0)]
    return out


def expand(x, to):
    """Original images -> model inputs: divided by 16, each pixel repeated to the new size, equal channels."""
    c, h, w = to
    v = (x / 16).astype(F).repeat(h // 8, 1).repeat(w // 8, 2)
    return np.broadcast_to(v[:, None], (len(x), c, h, w)).astype(F)


# ---------------------------------------------------------------------------------------------- files
def init(name, a):
    return numpy_helper.from_array(np.ascontiguousarray(a, F), name)


def save(name, nodes, inits, in_shape, feed, to, tx, ty, comment, opset=18):
    folder = os.path.join(ROOT, name)
    os.makedirs(folder, exist_ok=True)
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info('input', TensorProto.FLOAT, ['batch_size'] + in_shape)],
                              [helper.make_tensor_value_info('output', TensorProto.FLOAT, ['batch_size', 10])], inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], producer_name='make_models', doc_string=comment)
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(folder, 'model.onnx'))
    got = feed(tx)
    accuracy = float((got.argmax(1) == ty).mean())
    try:
        import onnxruntime
        ref = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider']).run(
            None, {'input': expand(tx, to).reshape([len(tx)] + in_shape)})[0]
        assert np.abs(ref - got).max() < 1e-3 and (ref.argmax(1) == got.argmax(1)).all()
    except ImportError:
        pass
    line = lambda a: '[' + ','.join(f'{v:g}' for v in a) + ']'
    with open(os.path.join(folder, 'input.json'), 'w') as f:
        f.write('{"input_data":[' + line(expand(tx[:1], to).ravel()) + ']}\n')
    with open(os.path.join(folder, 'eval.json'), 'w') as f:
        f.write('{"inputs":[\n' + ',\n'.join(line(v.ravel()) for v in tx) + '\n],\n"labels":' + line(ty))
        f.write(',\n"expand":{"from":[1,8,8],"to":[%s],"scale":0.0625}' % ','.join(map(str, to)))
        f.write(',\n"float32_accuracy":%.6g}\n' % accuracy)
    size = sum(int(np.prod(numpy_helper.to_array(i).shape)) for i in inits)
    print(f'{name}: {size} parameters, {len(nodes)} nodes, float accuracy {100 * accuracy:.2f} % on {len(ty)} images')
    return accuracy


def make_net(x, y, tx, ty):
    rng = np.random.default_rng(11)
    c1, c2, d1, d2, d3 = Conv(rng, 3, 6, 5), Conv(rng, 6, 16, 5), Dense(rng, 400, 120), Dense(rng, 120, 84), Dense(rng, 84, 10)
    layers = [c1, Relu(), MaxPool(), c2, Relu(), MaxPool(), Flatten(), d1, Relu(), d2, Relu(), d3]
    to = (3, 32, 32)
    train(layers, x, y, lambda r, v: expand(shifted(r, v), to), 30, 12)
    node, names = helper.make_node, ['conv1', 'conv2', 'fc1', 'fc2', 'fc3']
    inits = [init(f'{n}.{w}', a.p[k]) for n, a in zip(names, (c1, c2, d1, d2, d3)) for w, k in (('weight', 'W'), ('bias', 'b'))]
    conv = lambda n, i, o: node('Conv', [i, n + '.weight', n + '.bias'], [o], n, dilations=[1, 1], group=1, kernel_shape=[5, 5],
                                pads=[0, 0, 0, 0], strides=[1, 1])
    pool = lambda n, i, o: node('MaxPool', [i], [o], n, ceil_mode=0, dilations=[1, 1], kernel_shape=[2, 2], pads=[0, 0, 0, 0], strides=[2, 2])
    gemm = lambda n, i, o: node('Gemm', [i, n + '.weight', n + '.bias'], [o], n, alpha=1.0, beta=1.0, transB=1)
    relu = lambda n, i, o: node('Relu', [i], [o], n)
    nodes = [conv('conv1', 'input', 'c1'), relu('relu1', 'c1', 'r1'), pool('pool1', 'r1', 'p1'),
             conv('conv2', 'p1', 'c2'), relu('relu2', 'c2', 'r2'), pool('pool2', 'r2', 'p2'), node('Flatten', ['p2'], ['flat'], 'flatten', axis=1),
             gemm('fc1', 'flat', 'f1'), relu('relu3', 'f1', 'r3'), gemm('fc2', 'r3', 'f2'), relu('relu4', 'f2', 'r4'), gemm('fc3', 'r4', 'output')]
    assert len(nodes) == 12 and sum(numpy_helper.to_array(i).size for i in inits) == 62006
    return save('net', nodes, inits, [3, 32, 32], lambda v: forward(layers, expand(v, to)), to, tx, ty, 'Handwritten digits, 8x8 scaled up to 32x32.')


def make_mini_resnet(x, y, tx, ty):
    rng = np.random.default_rng(21)
    c0, n0, b1, b2, d = Conv(rng, 1, 12, 3, 1, 1, False), Norm(12), Residual(rng, 12), Residual(rng, 12), Dense(rng, 12, 10)
    layers = [c0, n0, Relu(), b1, b2, AveragePool(), d]
    to = (1, 8, 8)
    train(layers, x, y, lambda r, v: expand(shifted(r, v), to), 24, 22, 4e-3)
    nodes, inits, node = [], [], helper.make_node

    def conv_norm(name, c, n, i, o):
        inits.append(init(name + '.weight', c.p['W']))
        for k, a in (('gamma', n.p['g']), ('beta', n.p['b']), ('mean', n.mean), ('var', n.var)):
            inits.append(init(f'{name}.{k}', a))
        nodes.append(node('Conv', [i, name + '.weight'], [name], name, dilations=[1, 1], group=1, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]))
        nodes.append(node('BatchNormalization', [name] + [f'{name}.{k}' for k in ('gamma', 'beta', 'mean', 'var')], [o], name + '_norm', epsilon=1e-5))

    conv_norm('stem', c0, n0, 'input', 'stem_n')
    nodes.append(node('Relu', ['stem_n'], ['x0'], 'stem_relu'))
    for b, blk in enumerate((b1, b2)):
        p, i = f'block{b + 1}_', f'x{b}'
        conv_norm(p + 'a', blk.inner[0], blk.inner[1], i, p + 'an')
        nodes.append(node('Relu', [p + 'an'], [p + 'ar'], p + 'relu_a'))
        conv_norm(p + 'b', blk.inner[3], blk.inner[4], p + 'ar', p + 'bn')
        nodes.append(node('Add', [i, p + 'bn'], [p + 'sum'], p + 'add'))
        nodes.append(node('Relu', [p + 'sum'], [f'x{b + 1}'], p + 'relu_b'))
    inits.extend([init('fc.weight', d.p['W']), init('fc.bias', d.p['b'])])
    nodes.extend([node('GlobalAveragePool', ['x2'], ['gap'], 'gap'), node('Flatten', ['gap'], ['flat'], 'flatten', axis=1),
                  node('Gemm', ['flat', 'fc.weight', 'fc.bias'], ['output'], 'fc', alpha=1.0, beta=1.0, transB=1)])
    return save('mini_resnet', nodes, inits, [1, 8, 8], lambda v: forward(layers, expand(v, to)), to, tx, ty, 'Handwritten digits, two residual blocks.')


def make_tiny(x, y, tx, ty):
    rng = np.random.default_rng(31)
    d1, d2 = Dense(rng, 64, 16), Dense(rng, 16, 10)
    layers, to = [Flatten(), d1, Relu(), d2], (1, 8, 8)
    train(layers, x, y, lambda r, v: expand(v, to), 150, 32, 2e-3, 1e-1)
    gemm = lambda n, i, o: helper.make_node('Gemm', [i, n + '.weight', n + '.bias'], [o], n, alpha=1.0, beta=1.0, transB=1)
    nodes = [gemm('fc1', 'input', 'h'), helper.make_node('Relu', ['h'], ['r'], 'relu'), gemm('fc2', 'r', 'output')]
    inits = [init(f'{n}.{w}', a.p[k]) for n, a in (('fc1', d1), ('fc2', d2)) for w, k in (('weight', 'W'), ('bias', 'b'))]
    return save('tiny', nodes, inits, [64], lambda v: forward(layers, expand(v, to)), to, tx, ty, 'Handwritten digits, two dense layers.')


if __name__ == '__main__':
    data, want = digits(), sys.argv[1:] or ['net', 'mini_resnet', 'tiny']
    for name in want:
        {'net': make_net, 'mini_resnet': make_mini_resnet, 'tiny': make_tiny}[name](*data)
