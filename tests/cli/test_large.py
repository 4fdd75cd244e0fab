"""A large input takes little more memory than its tensor, in every format."""
import resource, struct
from harness import *


def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(n, v):
    return varint(n << 3) + varint(v) if isinstance(v, int) else varint(n << 3 | 2) + varint(len(v)) + v


def value_info(name, dims):
    shape = b''.join(field(1, field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def mean_model(path, dims):
    node = field(1, b'x') + field(2, b'y') + field(3, b'mean') + field(4, b'GlobalAveragePool')
    graph = field(1, node) + field(2, b'g') + field(11, value_info(b'x', dims)) + field(12, value_info(b'y', [1, 1, 1, 1]))
    write(path, field(1, 8) + field(8, field(2, 17)) + field(7, graph))


def peak(*args):
    """Peak memory of one command in bytes, and its JSON."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    j = result(*args)
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return after * 1024, j, after > before


def test_memory(c):
    rows, cols = 1000, 10000
    m = c.path('m')
    os.makedirs(m)
    mean_model(os.path.join(m, 'model.onnx'), [1, 1, rows, cols])
    run('slice', '-m', m)
    values = [((i * 7919) % 1000003) / 1000003 for i in range(cols)]
    row = '[' + ', '.join(f'{v:.6f}' for v in values) + ']'
    # smallest first: what children took is known by its maximum alone
    files = {'x.npy': None, 'x.pb': None, 'x.json': None}
    data = struct.pack(f'<{cols}f', *[float(f'{v:.6f}') for v in values])
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, {rows}, {cols}), }}".encode().ljust(117) + b'\n'
    with open(c.path('x.npy'), 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header)
        for _ in range(rows):
            f.write(data)
    with open(c.path('x.pb'), 'wb') as f:
        f.write(b''.join(field(1, d) for d in (1, 1, rows, cols)) + field(2, 1) + varint(9 << 3 | 2) + varint(4 * rows * cols))
        for _ in range(rows):
            f.write(data)
    with open(c.path('x.json'), 'w') as f:
        f.write('{"input_data": [[[')
        for i in range(rows):
            f.write((',\n' if i else '') + row)
        f.write(']]]}')
    tensor, out = 4 * rows * cols, None
    for name in files:
        size = os.path.getsize(c.path(name))
        took, j, grew = peak('run', '-m', m, '-i', c.path(name), '--threads', '1', '--new')
        out = out or j['outputs']
        check(j['outputs'] == out, f'{name}: another result')
        # ONNX Runtime's own 60 MiB or so, the tensor for this program and once more for the runtime
        check(took < 3 * max(size, tensor), f'{name}: {took >> 20} MiB for a file of {size >> 20} MiB')
        print(f'        {name}: {size >> 20} MiB, peak {took >> 20} MiB{"" if grew else " at most"}')


main([test_memory])
