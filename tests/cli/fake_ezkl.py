"""A stand-in for the ezkl command: its sub-commands and flags, the shape of its files, and on request its failures. It proves nothing.

FAKE_VERSION  what --version says (default 23.0.4)
FAKE_LOG      file that every call is appended to, as JSON lines
FAKE_HANG     stage that never ends (its process id goes to FAKE_LOG.pid)
FAKE_FAIL     stage that fails, FAKE_GARBAGE: that succeeds and writes nonsense, FAKE_KILL: that dies of signal 9, FAKE_EMPTY: that writes nothing
"""
import hashlib, json, os, signal, sys, time

VERSION = os.environ.get('FAKE_VERSION', '23.0.4')
# Flags with a value, as the command of this version has them.
RUN_ARGS = ('input-scale param-scale scale-rebase-multiplier lookup-range logrows num-inner-cols variables input-visibility output-visibility '
            'param-visibility check-mode decomp-base decomp-legs').split()
FLAGS = {
    'gen-settings': ['model', 'settings-path', *RUN_ARGS],
    'compile-circuit': ['model', 'compiled-circuit', 'settings-path'],
    'gen-srs': ['srs-path', 'logrows'],
    'setup': ['compiled-circuit', 'srs-path', 'vk-path', 'pk-path', 'witness'],
    'gen-witness': ['data', 'compiled-circuit', 'output', 'vk-path', 'srs-path'],
    'prove': ['witness', 'compiled-circuit', 'pk-path', 'proof-path', 'srs-path', 'check-mode'],
    'verify': ['settings-path', 'proof-path', 'vk-path', 'srs-path'],
}
if VERSION.startswith('22.'):
    FLAGS['gen-srs'].append('commitment')
    FLAGS['prove'].append('proof-type')
    FLAGS['gen-settings'].append('commitment')


def felt(n):
    return n.to_bytes(32, 'little').hex()


def load(path):
    with open(path, 'rb') as f:
        return f.read()


def save(path, data):
    if stage == os.environ.get('FAKE_GARBAGE'):
        data = b'\x00{nonsense'
    if stage != os.environ.get('FAKE_EMPTY'):
        with open(path, 'wb') as f:
            f.write(data if isinstance(data, bytes) else json.dumps(data).encode())


def digest(*parts):
    return hashlib.sha256(b'|'.join(parts)).digest()


def shapes_of(model):
    """The two segments of models/tiny; only the first reads the model's input."""
    return [[1, 64], [1, 16]] if b'input' in model else [[1, 16], [1, 10]]


def settings(o):
    scale = int(o['input-scale'])
    assert scale == int(o['param-scale'])
    args = {'input_scale': scale, 'param_scale': scale, 'logrows': int(o['logrows']), 'input_visibility': o['input-visibility'].capitalize(),
            'output_visibility': o['output-visibility'].capitalize(), 'param_visibility': o['param-visibility'].capitalize(), 'check_mode': 'UNSAFE',
            'decomp_base': 16384, 'decomp_legs': 2, 'num_inner_cols': 2, 'lookup_range': [-32768, 32768], 'variables': [['batch_size', 1]]}
    return {'run_args': args, 'num_rows': 200, 'model_instance_shapes': shapes_of(load(o['model'])), 'model_input_scales': [scale], 'model_output_scales': [scale],
            'module_sizes': {'polycommit': [], 'poseidon': [0, [0]]}, 'required_lookups': [], 'required_range_checks': [[-1, 1], [0, 63]], 'num_shuffles': 0,
            'num_dynamic_lookups': 0, 'check_mode': 'UNSAFE', 'version': VERSION}


def compiled(o):
    s = json.loads(load(o['settings-path']))
    return {'model': digest(load(o['model'])).hex(), 'shapes': s['model_instance_shapes']}


def verification_key(o):
    return digest(b'vk', load(o['compiled-circuit']))


def witness(o):
    shapes = json.loads(load(o['compiled-circuit']))['shapes']
    data = json.loads(load(o['data']))['input_data']
    assert [len(t) for t in data] == [shapes[0][1]] and all(isinstance(v, str) and len(v) == 64 for v in data[0])
    return {'inputs': data, 'outputs': [[felt(0)] * shapes[1][1]], 'pretty_elements': None, 'version': VERSION}


def prove(o):
    w = json.loads(load(o['witness']))
    instances = [v for t in w['inputs'] + w['outputs'] for v in t]
    proof = digest(load(o['pk-path'])[2:], json.dumps(instances).encode())
    return {'protocol': None, 'instances': [instances], 'proof': list(proof), 'hex_proof': '0x' + proof.hex(), 'transcript_type': 'EVM', 'version': VERSION}


def verify(o):
    p = json.loads(load(o['proof-path']))
    if bytes(p['proof']) != digest(load(o['vk-path']), json.dumps(p['instances'][0]).encode()):
        print('\x1b[31m[E]\x1b[0m ezkl - \x1b[1m[halo2] The constraint system is not satisfied\x1b[0m')
        sys.exit(1)


def main():
    global stage
    with open(os.environ.get('FAKE_LOG', os.devnull), 'a') as f:
        f.write(json.dumps(sys.argv) + '\n')
    if sys.argv[1:] == ['--version']:
        stage = 'version'
        if os.environ.get('FAKE_HANG') != stage:
            print(os.environ.get('FAKE_SAYS', f'ezkl {VERSION}'))
            return 0
    else:
        stage = sys.argv[1]
    if stage == os.environ.get('FAKE_HANG'):
        with open(os.environ['FAKE_LOG'] + '.pid', 'w') as f:
            f.write(str(os.getpid()))
        while True:
            time.sleep(0.1)
    o, rest = {}, sys.argv[2:]
    while rest:
        name = rest[0][2:]
        if not rest[0].startswith('--') or name not in FLAGS[stage] or len(rest) < 2:
            print(f"error: unexpected argument '{rest[0]}' found", file=sys.stderr)
            return 2
        o[name], rest = rest[1], rest[2:]
    for path in ('srs-path',):
        if path in o and stage != 'gen-srs' and not os.path.exists(o[path]):
            print('[E] ezkl - [srs] failed to load srs')
            return 1
    if stage == os.environ.get('FAKE_FAIL'):
        print('[E] ezkl - [graph] this is not to its taste')
        return 1
    if stage == os.environ.get('FAKE_KILL'):
        os.kill(os.getpid(), signal.SIGKILL)
    if stage == 'gen-settings':
        save(o['settings-path'], settings(o))
    elif stage == 'compile-circuit':
        save(o['compiled-circuit'], compiled(o))
    elif stage == 'gen-srs':
        save(o['srs-path'], bytes(4 + (128 << int(o['logrows'])) + 256))
    elif stage == 'setup':
        save(o['vk-path'], verification_key(o))
        save(o['pk-path'], b'pk' + verification_key(o))
    elif stage == 'gen-witness':
        save(o['output'], witness(o))
    elif stage == 'prove':
        save(o['proof-path'], prove(o))
    else:
        verify(o)
    return 0


sys.exit(main())
