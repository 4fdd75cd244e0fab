"""The contract of the command line as a table: per command every option with its spellings and value, aliases, defaults, exit codes.

Each row is checked against what -h prints (nothing more, nothing less) and against what the parser takes.
"""
import re

from harness import *
from helptext import commands, options

GLOBAL = [('--json', None), ('-q --quiet', None), ('-y --yes --non-interactive', None), ('--threads', 'N'), ('--log-level', 'LEVEL'), ('--verbose', None),
          ('--version', None), ('-h --help', None)]
MODEL = ('-m --model-dir --model-path --mp', 'PATH')
SLICES = ('-s --slices-path --slices-dir --slices-directory --slices --sd', 'DIR')
INPUT = ('-i --input-file --input --if', 'FILE')
OUTPUT = ('-o --output-dir --output-file --output', 'PATH')
RUN = ('--run-dir --rd', 'DIR')
LAYERS = ('-l --layers', 'LIST')
FORCE, JOBS, MEMORY, DIM = ('--force', None), ('--jobs', 'N'), ('--max-memory', 'SIZE'), ('--dim', 'NAME=VALUE')
GROUPING = [('--cuts', 'LIST'), ('--max-params', 'N'), ('--max-macs', 'N'), ('--max-segment-memory', 'SIZE')]
VISIBILITY = [('--input-visibility', 'V'), ('--output-visibility', 'V'), ('--params-visibility --param-visibility', 'V')]
NO_FALLBACK, COMPARE, NEW = ('--no-fallback', None), ('--compare', None), ('--new', None)
SELF, FULL, BACKEND, RANGE, BITS = ('--no-self-verify', None), ('--require-full', None), ('--backend', 'SPEC'), ('--input-range', '[NAME=]LO:HI'), ('--precision', 'BITS')
PLACES = [('--ezkl-path', 'FILE'), ('--python', 'FILE')]
SCALE, SRS, TIMEOUT = ('--ezkl-scale', 'BITS'), ('--generate-test-srs', None), ('--timeout', 'SECONDS')

COMMANDS = {
    'slice': ('s', [MODEL, OUTPUT, ('-S --save-file --save', '[PATH]'), DIM, *GROUPING, FORCE]),
    'compile': ('c', [SLICES, MODEL, INPUT, LAYERS, RANGE, BITS, BACKEND, MEMORY, DIM, NO_FALLBACK, *VISIBILITY, *PLACES, SCALE, SRS, TIMEOUT, JOBS, FORCE]),
    'run': ('r', [SLICES, MODEL, INPUT, OUTPUT, ('--run-metadata-path', 'FILE'), COMPARE, ('--eval', 'FILE'), NEW, NO_FALLBACK, *PLACES, SRS, TIMEOUT, JOBS]),
    'prove': ('p', [RUN, MODEL, OUTPUT, LAYERS, FORCE, SELF, MEMORY, *PLACES, SRS, TIMEOUT, JOBS]),
    'verify': ('v', [RUN, MODEL, OUTPUT, LAYERS, ('--model', 'FILE'), ('--model-id', 'HEX'), ('--expect-input', 'FILE'), ('--expect-output', 'FILE'), FULL, MEMORY, *PLACES, SRS,
                      TIMEOUT, JOBS]),
    'bundle': (None, [RUN, MODEL, OUTPUT, FORCE]),
    'full-run': ('fr', [MODEL, INPUT, SLICES, OUTPUT, LAYERS, DIM, *GROUPING, RANGE, BITS, BACKEND, MEMORY, COMPARE, NEW, NO_FALLBACK, FULL, SELF, *VISIBILITY, *PLACES, SCALE,
                        SRS, TIMEOUT, JOBS, FORCE]),
    'bench': (None, [MODEL, BACKEND, INPUT, ('--kernels', None), ('--repeats', 'N'), MEMORY, *PLACES, SCALE, TIMEOUT]),
    'doctor': (None, PLACES),
}

# Words that -h must say about an option of a command: its default.
DEFAULTS = [
    ('slice', '-o', '<model>/slices'), ('slice', '-S', '<model>/analysis/model_metadata.json'), ('compile', '-i', "model's input.json"), ('compile', '-l', 'default: all'),
    ('run', '-i', '<model>/input.json'), ('run', '-o', '<model>/output.json'), ('prove', '-o', '<run root>/proof_results.json'),
    ('verify', '-o', '<run root>/verification_results.json'), ('verify', '--run-dir', 'bundle'), ('full-run', '-i', '<model>/input.json'),
    ('full-run', '-l', 'default: all'), ('bench', '--repeats', 'default 7'),
    ('compile', '--ezkl-path', '~/.ezkl/ezkl'), ('compile', '--python', 'python3'), ('full-run', '--ezkl-scale', 'default: as many as fit'),
    ('verify', '--generate-test-srs', 'forge'), ('prove', '--timeout', 'default: none'), ('bench', '--backend', 'native,ezkl'),
]


def test_help_lists_exactly_the_contract(c):
    for name, (alias, rows) in COMMANDS.items():
        have = {(' '.join(n), v) for n, v, _ in options(run(name, '-h').stdout)}
        want = set(rows + GLOBAL)
        check(have == want, f'{name}: missing {want - have}, unexpected {have - want}')
        check(all(h for _, _, h in options(run(name, '-h').stdout)), f'{name}: an option without help')
        if alias:
            check(run(alias, '-h').stdout == run(name, '-h').stdout, alias)
    top = run('-h').stdout
    listed = commands(top)
    check(listed == [(n, COMMANDS[n][0]) for n in COMMANDS], f'commands: {listed}')
    check({(' '.join(n), v) for n, v, _ in options(top)} == set(GLOBAL), 'global options')
    check('__' not in top, 'hidden commands stay hidden')


def test_defaults_are_stated(c):
    for name, option, words in DEFAULTS:
        text = [h for n, _, h in options(run(name, '-h').stdout) if option in n]
        check(text and words in text[0], f'{name} {option}: "{words}" expected, "{text}" found')


def test_every_spelling_is_parsed(c):
    """`--frobnicate` comes last and is what is complained about: everything before it was taken."""
    for name, (_, rows) in COMMANDS.items():
        for names, value in rows + GLOBAL:
            for o in names.split():
                optional = value and value.startswith('[') and value.endswith(']')
                if value is None or optional:
                    forms = [[o]]
                    if value:
                        forms += [[o, 'x'], [f'{o}=x' if o.startswith('--') else f'{o}x']]
                else:
                    forms = [[o, 'x'], [f'{o}=x' if o.startswith('--') else f'{o}x']]
                for form in forms:
                    run(name, *form, '--frobnicate', code=2, has='"--frobnicate"')
                if value and not optional:
                    run(name, o, code=2, has='needs a value')
                if value is None and o.startswith('--'):
                    run(name, f'{o}=x', code=2, has='takes no value')
    run('full-run', '--slices-directroy', 'x', '--frobnicate', code=2, has='"--frobnicate"')


def test_options_of_other_commands_are_refused(c):
    every = {o: v for _, rows in COMMANDS.values() for names, v in rows for o in names.split()}
    for name, (_, rows) in COMMANDS.items():
        mine = {o for names, _ in rows + GLOBAL for o in names.split()}
        for o in every.keys() - mine:
            run(name, o, *([] if every[o] is None else ['x']), code=2, has='does not belong')


def test_exit_codes(c):
    write(c.path('x.json'), '{')
    write(c.path('m.onnx'), b'not a model')
    for code, args in [(0, ['-h']), (0, ['--version']), (0, ['slice', '-h']), (2, []), (2, ['nonsense']), (2, ['slice']), (2, ['-x']),
                       (3, ['slice', '-m', c.path('m.onnx'), '-o', c.path('s')]), (3, ['slice', '-m', c.path('no')]), (3, ['compile', '-s', c.dir]),
                       (3, ['run', '-s', c.dir, '-i', c.path('x.json')]), (3, ['prove', '--rd', c.dir]), (3, ['verify', '--rd', c.dir]),
                       (3, ['bundle', '--rd', c.dir, '-o', c.path('b')]), (3, ['full-run', '-m', c.dir]), (3, ['compile', '-s', c.dir, '--backend', 'ezkl'])]:
        p = run(*args, code=code)
        check(not code or p.stdout == '', f'{args}: a failure says nothing on stdout')


def test_json_on_every_exit(c):
    for code, args in [(2, ['slice']), (2, ['prove', '--cuts', '1']), (2, ['nonsense']), (2, ['slice', '--dim', 'x', '-m', '.']), (3, ['verify', '--rd', c.path('no')]),
                       (3, ['compile', '-s', c.dir, '--backend', 'ezkl'])]:
        j = result(*args, code=code)
        check(j['error'], str(j))
    check(result('--version')['version'] in run('--version').stdout, 'version')


def test_backend_grammar(c):
    """An accepted one gets as far as the missing slices (3)."""
    s = c.path('no')
    for spec in ('native', ' native ', '0:native', '0,2:native;3-4:native', '0-3 , 7 : native ; 9:native', '1:native;1:native', 'ezkl', ' ezkl', '0:ezkl',
                 '0,2:ezkl;3-4:native', '4:ezkl ; 0-3:native', '0-3:ezkl;2:ezkl'):
        run('compile', '-s', s, '--backend', spec, code=3)
    for spec in ('', ';', ':', 'native;', '0:', ':native', '0:native;', ';0:native', '0:magic', 'magic', '0-:native', '2-1:native', '0:native:native', 'native:0', '0,:native',
                 '0;native', 'Native', 'native,ezkl', '0:native;0:ezkl', '0:ezkl;0-1:native', 'ezkl2', 'ezk', 'EZKL', '70000:native'):
        run('compile', '-s', s, f'--backend={spec}', code=2, has='--backend')
    run('compile', '-s', s, '--backend', '0:native', '-l', '1', code=2, has='in common')


def test_backend_groups_select(c):
    m = c.model('tiny')
    n = len(result('slice', '-m', m)['segments'])
    j = result('compile', '-m', m, '--backend', '0:native')
    check([s['result'] for s in j['segments']] == ['compiled'] + ['skipped'] * (n - 1), str(j['segments']))
    run('compile', '-m', m, '--backend', f'0:native;{n}:native', code=2, has='does not exist')
    j = result('compile', '-m', m, '--backend', f'0-{n - 1}:native', '-l', '1')
    check([s['status'] for s in j['segments']].index('compiled') == 1, 'both together select what both name')


def test_quiet_and_colours(c):
    m = c.model('tiny')
    p = run('full-run', '-m', m, '--quiet')
    check(p.stdout == '' and p.stderr == '', f'quiet: {p.stdout}{p.stderr}')
    p = run('full-run', '-m', m)
    check('\033' not in p.stdout + p.stderr, 'no colours and no bars when not on a terminal')


def test_log_levels(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    for level in ('debug', 'Info', 'WARNING', 'error', 'CRITICAL'):
        run('slice', '-m', m, '--log-level', level)
    said = run('compile', '-m', m, '--log-level', 'info').stderr
    check('compile: 0 of' in said and 'calibrating' in said, said)
    check(run('compile', '-m', m, '--force', '--log-level', 'error').stderr == '', 'errors only')


def test_progress_lines(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    run('compile', '-m', m)
    r = result('run', '-m', m)
    n = r['execution_chain']['total_slices']
    for args, step in ((('run', '-m', m), 'run'), (('prove', '--rd', r['run_dir']), 'prove'), (('verify', '--rd', r['run_dir']), 'verify')):
        p = run(*args, '--verbose')
        lines = re.findall(rf'^{step}: (\d+) of {n} segments, (\d+) %, .*(?:left|so far)$', p.stderr, re.M)
        check([int(a) for a, _ in lines] == list(range(n + 1)), f'{step}: {p.stderr}')
        check([int(b) for _, b in lines] == sorted(int(b) for _, b in lines) and lines[-1][1] == '100', f'{step}: shares grow to 100 %')
        check(f'{step}: ' not in p.stdout, 'talk is not a result')
    if os.path.exists(os.path.join(MODELS, 'net', 'eval.json')):
        n = c.model('net')
        run('slice', '-m', n)
        run('compile', '-m', n)
        run('run', '-m', n, '--eval', os.path.join(n, 'eval.json'), '--verbose', has='eval: 1 of')


def test_compile_progress(c):
    """The sweep over precisions, which takes the most time, moves it; what is up to date is done at once."""
    m = c.model('tiny')
    run('slice', '-m', m)
    for again in (False, True):
        lines = re.findall(r'^compile: (\d+) of 2 segments, (\d+) %', run('compile', '-m', m, '--verbose').stderr, re.M)
        part = [int(p) for _, p in lines]
        check(part[0] == 0 and part[-1] == 100 and part == sorted(part) and int(lines[-1][0]) == 2, str(lines))
        check(again or len([p for p in part if 0 < p < 65]) >= 4, str(lines))


def test_full_run_leaves_its_results(c):
    m = c.model('tiny')
    j = result('full-run', '-m', m)
    root, rd = os.path.join(m, 'run'), j['run']['run_dir']
    for f in (os.path.join(root, 'inference_results.json'), os.path.join(root, 'verification_results.json'), os.path.join(rd, 'proof_results.json'),
              os.path.join(m, 'analysis', 'model_metadata.json')):
        check(os.path.exists(f), f)
    check(json.load(open(os.path.join(root, 'inference_results.json')))['outputs'] == j['run']['outputs'], 'inference results')
    check(json.load(open(os.path.join(root, 'verification_results.json')))['chain_verification']['verdict'] == 'accepted', 'verification results')
    check(json.load(open(os.path.join(rd, 'proof_results.json')))['execution_chain']['proved_slices'] == len(j['verify']['segments']), 'proof results')


def test_peak_memory_per_segment(c):
    m = c.model('tiny')
    j = result('full-run', '-m', m)
    for s in j['prove']['segments'] + j['verify']['segments']:
        have = s.get('peak_memory_bytes', s.get('prove_peak_memory_bytes', 0))
        check(4096 < have < j['peak_memory_bytes'], str(s))
    text = run('full-run', '-m', m, '--new').stdout
    table = text[text.rindex('segment '):].strip().split('\n')
    check('peak memory' in table[0] and table[-1].startswith('all') and len(table) == len(j['verify']['segments']) + 2, text)
    check(all(re.search(r'\d (KiB|MiB)$', row) for row in table[1:]), text)


def test_defaults(c):
    """Without -o and -i: slices, analysis and input where the table says."""
    m = c.model('tiny')
    run('slice', '-m', m, '-S')
    check(os.path.exists(os.path.join(m, 'slices', 'metadata.json')) and os.path.exists(os.path.join(m, 'analysis', 'model_metadata.json')), 'slice')
    os.makedirs(c.path('d'))
    run('slice', '-m', m, '-S', c.path('d'))
    check(os.path.exists(c.path('d', 'model_metadata.json')), '-S with a folder')
    run('slice', '-m', m, f'--save={c.path("a.json")}', '-o', c.path('other'))
    check(os.path.exists(c.path('a.json')) and os.path.exists(c.path('other', 'metadata.json')), '-S with a file, -o')
    run('compile', '-m', m)
    r = result('run', '-m', m)
    check(os.path.dirname(r['run_dir']) == os.path.join(m, 'run') and re.fullmatch(r'run_\d{8}_\d{6}(_\d+)?', os.path.basename(r['run_dir'])), r['run_dir'])
    check(not os.path.exists(os.path.join(m, 'output.json')), 'nothing is saved unasked')
    os.remove(os.path.join(m, 'input.json'))
    run('run', '-m', m, code=3, has='input.json')


def test_doctor(c):
    j = result('doctor')
    names = {k['name']: k for k in j['checks']}
    check(j['ok'] and names['ONNX Runtime']['status'] == 'ok' and os.path.exists(names['ONNX Runtime']['path']), str(j))
    for n in ('dsperse', 'backend native', 'OpenSSL', 'jansson', 'protobuf-c', 'ONNX Runtime'):
        check(re.match(r'(protocol )?\d', names[n]['version']), n)
    check(set(j['machine']['kernels']) == {'field', 'transforms', 'sha256'} and j['machine']['threads'] >= 1 and j['machine']['memory_bytes'] > 0, str(j['machine']))
    j = result('doctor', code=5, env={'DSPERSE_ORT': c.path('none.so')})
    missing = [k for k in j['checks'] if k['status'] == 'missing']
    check([k['name'] for k in missing] == ['ONNX Runtime'] and 'setup.sh' in missing[0]['install'] and not j['ok'], str(missing))
    run('doctor', code=5, env={'DSPERSE_ORT': c.path('none.so')}, has=['missing', 'install: ', 'setup.sh'])
    j = result('doctor', env={'PATH': '/nonexistent', 'HOME': c.dir})
    python = [k for k in j['checks'] if k['name'] == 'python3'][0]
    check(python['status'] == 'not available' and python['install'].startswith('apt-get install'), str(python))


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
