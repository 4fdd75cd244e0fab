"""Small ONNX models, written field by field (onnx.proto)."""
import struct

FLOAT, INT64, BOOL = 1, 7, 9


def varint(n):
    out, n = b'', n & (1 << 64) - 1
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(n, v):
    """A field: numbers as varint, text and bytes with their length."""
    if isinstance(v, int):
        return varint(n << 3) + varint(v)
    v = v.encode() if isinstance(v, str) else v
    return varint(n << 3 | 2) + varint(len(v)) + v


def value(name, dims, dtype=FLOAT):
    """An input or output; a dimension is a number or a symbolic name."""
    shape = b''.join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, shape)))


def tensor(name, dims, values, dtype=FLOAT):
    raw = struct.pack(f'<{len(values)}{"q" if dtype == INT64 else "f"}', *values)
    return b''.join(field(1, d) for d in dims) + field(2, dtype) + field(8, name) + field(9, raw)


def node(op, ins, outs, name='', **attributes):
    """Attributes: whole numbers and lists of them."""
    b = b''.join(field(1, i) for i in ins.split(',')) + b''.join(field(2, o) for o in outs.split(','))
    b += (field(3, name) if name else b'') + field(4, op)
    for k, v in attributes.items():
        b += field(5, field(1, k) + (b''.join(field(8, x) for x in v) + field(20, 7) if isinstance(v, list) else field(3, v) + field(20, 2)))
    return b


def model(nodes, inputs, outputs, tensors=(), opset=17, ir=8):
    graph = b''.join(field(1, n) for n in nodes) + field(2, 'g') + b''.join(field(5, t) for t in tensors)
    graph += b''.join(field(11, v) for v in inputs) + b''.join(field(12, v) for v in outputs)
    return field(1, ir) + field(8, field(2, opset)) + field(7, graph)
