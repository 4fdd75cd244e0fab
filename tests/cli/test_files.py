"""What the program writes is as docs/schemas/ and docs/formats.md have it, holds relative paths, and works from another place."""
import glob, re, stat
import schema
from harness import *

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'docs')
SCHEMAS = {os.path.basename(f)[:-5]: json.load(open(f)) for f in glob.glob(os.path.join(DOCS, 'schemas', '*.json'))}


def fits(path, name):
    bad = schema.errors(json.load(open(path)), SCHEMAS[name])
    check(not bad, f'{path} against {name}:\n' + '\n'.join(bad[:8]))


def name_of(rel):
    """The schema of a file; None for what is no JSON."""
    for pattern, name in ((r'^slices/metadata\.json$', 'slices_metadata'), (r'^analysis/model_metadata\.json$', 'model_metadata'), (r'^run/metadata\.json$', 'chain'), (r'chain\.json$', 'chain'),
                          (r'run_result\.json$', 'run_result'), (r'(proof|verification)_results\.json$', 'run_result'), (r'(inference_results|output)\.json$', 'inference_results'),
                          (r'quantization\.json$', 'quantization'), (r'^input\.json$', 'tensor_file'), (r'^eval\.json$', None)):
        if re.search(pattern, rel):
            return name
    check(not rel.endswith('.json'), f'{rel}: a file without a schema')
    return None


def all_fit(m):
    seen = set()
    for d, _, files in os.walk(m):
        for f in files:
            rel = os.path.relpath(os.path.join(d, f), m)
            name = name_of(rel)
            if name:
                fits(os.path.join(d, f), name)
                seen.add(name)
    return seen


def strings(v):
    if isinstance(v, dict):
        for k, e in v.items():
            yield k
            yield from strings(e)
    elif isinstance(v, list):
        for e in v:
            yield from strings(e)
    elif isinstance(v, str):
        yield v


def test_schemas_can_fail(c):
    s = {'type': 'object', 'required': ['a'], 'properties': {'a': {'type': 'integer', 'minimum': 1}, 'b': {'anyOf': [{'type': 'null'}, {'type': 'string', 'pattern': '^x'}]}}, 'additionalProperties': False}
    check(not schema.errors({'a': 1, 'b': None}, s) and not schema.errors({'a': 1, 'b': 'xy'}, s), 'good')
    for bad in ({}, {'a': 0}, {'a': True}, {'a': 1.5}, {'a': 1, 'b': 'y'}, {'a': 1, 'c': 2}, []):
        check(schema.errors(bad, s), f'{bad} accepted')
    check(schema.errors(1, {'typo': 1}), 'unknown keyword')
    for name, s in SCHEMAS.items():
        check(schema.errors({}, s) and schema.errors([{'x': []}], s), f'{name} accepts anything')


def test_everything_written_fits(c):
    m = c.model('net')
    run('slice', '-m', m, '-S')
    all_fit(m)
    run('compile', '-m', m, '-l', '0,2-4')
    all_fit(m)
    r = result('run', '-m', m, '-o', os.path.join(m, 'output.json'), '--compare')
    all_fit(m)
    run('prove', '--rd', m, '-o', os.path.join(m, 'run', 'proof_results.json'))
    all_fit(m)
    run('verify', '--rd', m, '--model', os.path.join(m, 'model.onnx'), '-o', os.path.join(m, 'run', 'verification_results.json'))
    check(all_fit(m) == set(SCHEMAS), f'a schema of nothing: {set(SCHEMAS) - all_fit(m)}')
    j = json.load(open(os.path.join(m, 'run', 'verification_results.json')))
    check(os.path.samefile(os.path.join(m, 'run', j['run_directory']), r['run_dir']), 'run_directory')
    run('verify', '--rd', m, '-l', '2')
    all_fit(m)
    flip(os.path.join(r['run_dir'], 'segment_2', 'proof.bin'), 3000)
    run('verify', '--rd', m, code=4)
    all_fit(m)
    run('full-run', '-m', m)
    all_fit(m)


def test_a_failed_run_fits(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    run('compile', '-m', m, '--input-range', '0:0.1')
    run('run', '-m', m, code=3)
    f = glob.glob(os.path.join(m, 'run', 'run_*', 'run_result.json'))
    check(len(f) == 1 and json.load(open(f[0]))['status'] == 'failed' and json.load(open(f[0]))['error'], 'status and error')
    all_fit(m)


def test_documented(c):
    """Every file that is there is named in docs/formats.md, and no private one can be read by others."""
    text = open(os.path.join(DOCS, 'formats.md')).read()
    m = c.model('tiny')
    run('full-run', '-m', m)
    run('bundle', '--rd', m, '-o', c.path('b'))
    for d, _, files in os.walk(c.dir):
        for f in files:
            p = os.path.join(d, f)
            generic = re.sub(r'segment_\d+_', 'segment_<i>_', re.sub(r'^segment_\d+\.onnx$', 'segment_<i>.onnx', re.sub(r'^\d+\.bin$', '<n>.bin', f)))
            check(generic in text, f'docs/formats.md does not name {generic}')
            private = f in ('secret', 'ledger.bin', 'witness.bin', 'outputs.bin') or 'boundaries' in d
            check(not private or stat.S_IMODE(os.stat(p).st_mode) == 0o600, f'{p}: mode {oct(os.stat(p).st_mode)}')
    for name in SCHEMAS:
        check(f'schemas/{name}.json' in text, f'docs/formats.md does not name the schema {name}')


def test_moved(c):
    """A model folder runs, proves and verifies somewhere else, as far as it had come."""
    here = c.model('net')
    steps = [('slice', '-m'), ('compile', '-m'), ('run', '-m'), ('prove', '--rd'), ('verify', '--rd')]
    for i, s in enumerate(steps):
        run(*s, here, cwd=c.dir)
        for d, _, files in os.walk(here):
            for f in files:
                data = read(os.path.join(d, f))
                check(c.dir.encode() not in data, f'{f} holds an absolute path')
                if f.endswith('.json'):
                    for t in strings(json.loads(data)):
                        check(not t.startswith('/'), f'{f}: {t}')
        there = c.path(f'other {i}', 'place')
        os.makedirs(os.path.dirname(there))
        shutil.move(here, there)
        here = there
    for s in steps:
        run(*s, here)
    run('verify', '--rd', here, '--model', os.path.join(here, 'model.onnx'), '--expect-input', os.path.join(here, 'input.json'), cwd='/')
    run('bundle', '--rd', here, '-o', c.path('b'))
    os.rename(c.path('b'), c.path('moved'))
    shutil.rmtree(here)
    run('verify', '--rd', c.path('moved'))


def test_read_only(c):
    """A finished run can be verified where nothing can be written."""
    if os.geteuid() == 0:
        print('        NOT TESTED: READ-ONLY FOLDERS. Root writes everywhere.')
        return
    m, rd = c.proved('tiny')
    for d, ds, fs in os.walk(m):
        for f in fs:
            os.chmod(os.path.join(d, f), 0o400)
        os.chmod(d, 0o500)
    try:
        run('verify', '--rd', rd)
        run('verify', '--rd', m, '--model', os.path.join(m, 'model.onnx'))
    finally:
        for d, ds, fs in os.walk(m):
            os.chmod(d, 0o700)


def test_slices_elsewhere(c):
    """Slices outside the model folder, run chain in a third place."""
    m = c.model('tiny')
    run('slice', '-m', m, '-o', c.path('s', 'cuts'))
    run('compile', '-s', c.path('s', 'cuts'), '-i', os.path.join(m, 'input.json'))
    r = result('run', '-s', c.path('s', 'cuts'), '-i', os.path.join(m, 'input.json'), '--run-metadata-path', c.path('r', 'chain.json'))
    check(os.path.dirname(r['run_dir']) == c.path('r'), r['run_dir'])
    fits(c.path('r', 'chain.json'), 'chain')
    fits(c.path('s', 'cuts', 'metadata.json'), 'slices_metadata')
    fits(os.path.join(r['run_dir'], 'run_result.json'), 'run_result')
    run('prove', '--rd', r['run_dir'])
    run('verify', '--rd', r['run_dir'], '--model', os.path.join(m, 'model.onnx'))


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
