"""A large input takes little more memory than its tensor, in every format."""
import resource, struct
from harness import *
from onnx_file import *


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
    write(os.path.join(m, 'model.onnx'), model([node('GlobalAveragePool', 'x', 'y', 'mean')], [value('x', [1, 1, rows, cols])], [value('y', [1, 1, 1, 1])]))
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
