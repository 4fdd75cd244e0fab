import re

from harness import *

COMMANDS = {'slice': 's', 'compile': 'c', 'run': 'r', 'prove': 'p', 'verify': 'v', 'bundle': None, 'full-run': 'fr', 'bench': None}


def test_no_command(c):
    p = run(code=2)
    check(p.stdout == '' and 'usage:' in p.stderr, 'help goes to stderr')


def test_help(c):
    check('usage:' in run('-h').stdout, 'help')
    for name, alias in COMMANDS.items():
        text = run(name, '--help').stdout
        check(f'usage: dsperse {name} ' in text, name)
        if alias:
            check(run(alias, '-h').stdout == text, f'alias {alias}')


def test_version(c):
    check(re.fullmatch(r'Dsperse CLI v\d+\.\d+\.\d+\n', run('--version').stdout), 'one line')
    check(run('slice', '--version').stdout == run('--version').stdout, 'also after a command')
    run('--version', '--verbose', has=['backends: native', ', ezkl ', 'build: '])


def test_unknown(c):
    run('frobnicate', code=2, has='frobnicate')
    run('slice', '--frobnicate', code=2, has='--frobnicate')
    run('slice', '-Q', code=2, has='-Q')
    run('slice', 'x', code=2, has='unexpected')
    run('slice', '-m', code=2, has='needs a value')
    run('prove', '--cuts', '3', code=2, has='does not belong')
    run('slice', '--force=1', '-m', '.', code=2, has='takes no value')


def test_missing_option(c):
    for name, option in {'slice': '--model-dir', 'compile': '--slices-path', 'run': '--slices-path', 'prove': '--run-dir', 'verify': '--run-dir',
                         'bundle': '--run-dir', 'full-run': '--model-dir'}.items():
        run(name, code=2, has=option)
    run('bundle', '--rd', c.dir, code=2, has='--output-dir')
    run('full-run', '-i', c.path('input.json'), code=2, has='--model-dir')


def test_bad_values(c):
    run('slice', '-m', '.', '--dim', 'N', code=2, has='--dim')
    run('slice', '-m', '.', '--dim', 'N=0', code=2, has='--dim')
    run('compile', '-s', '.', '--input-range', '1:0', code=2, has='--input-range')
    run('compile', '-s', '.', '--input-range', 'x=nan:1', code=2, has='--input-range')
    run('compile', '-s', '.', '--precision', '17', code=2, has='--precision')
    run('compile', '-s', '.', '--precision', '3', code=2, has='--precision')
    run('compile', '-s', '.', '--max-memory', 'lots', code=2, has='--max-memory')
    run('compile', '-s', '.', '--backend', 'magic', code=2, has='--backend')
    run('compile', '-s', '.', '--threads', 'x', code=2, has='--threads')
    run('slice', '-m', '.', '--log-level', 'LOUD', code=2, has='--log-level')
    run('bench', '--repeats', '1000', code=2, has='--repeats')


def test_private_needs_a_later_version(c):
    for o in ('--input-visibility', '--params-visibility', '--output-visibility'):
        run('compile', '-s', '.', o, 'private', code=2, has='private')
        run('compile', '-s', '.', o, 'secret', code=2, has='secret')


def test_ezkl_options(c):
    for option, values in {'--ezkl-scale': ('0', '33', 'x', ''), '--timeout': ('0', '-1', '1s', '99999999999')}.items():
        for v in values:
            run('compile', '-s', '.', '--backend', 'ezkl', f'{option}={v}', code=2, has=option)
    run('compile', '-s', '.', '--ezkl-path', 'ezkl', '--python', 'python3', code=2, has='one of them')
    run('bench', '-m', '.', '--backend', 'native,magic', code=2, has='magic')
    run('bench', '-m', '.', '--backend', 'native,native', code=2, has='--backend')
    run('bench', '-m', '.', '--backend', '0:native', code=2, has='--backend')
    run('bench', '--backend', 'native', code=2, has='--model-dir')


def test_missing_paths(c):
    run('slice', '-m', c.path('nothing'), code=3, has='nothing')
    run('slice', '-m', c.dir, code=3, has='model.onnx')
    write(c.path('model.txt'), 'x')
    run('slice', '-m', c.path('model.txt'), code=3, has='.onnx')
    run('compile', '-s', c.dir, code=3, has='slice the model first')
    run('compile', '-s', c.path('model.txt'), code=3, has='slice the model first')
    run('run', '-s', c.dir, code=3, has='slice the model first')
    run('prove', '--rd', c.dir, code=3, has='run')
    run('verify', '--rd', c.dir, code=3, has='bundle')
    run('verify', '--rd', c.path('nothing'), code=3)
    run('bundle', '--rd', c.dir, '-o', c.path('b'), code=3)


def test_spellings(c):
    """Every spelling of a concept reaches the same message."""
    for o in ('-m', '--mp', '--model-dir', '--model-path'):
        run('slice', o, c.path('no'), code=3, has=c.path('no'))
        run('slice', f'{o}={c.path("no")}', code=3, has=c.path('no'))
    run('slice', f'-m{c.path("no")}', code=3, has=c.path('no'))
    for o in ('-s', '--sd', '--slices', '--slices-dir', '--slices-directory', '--slices-path', '-m'):
        run('compile', o, c.path('no'), code=3, has=c.path('no'))
        run('run', o, c.path('no'), code=3, has=c.path('no'))
    for o in ('--rd', '--run-dir'):
        run('prove', o, c.path('no'), code=3, has=c.path('no'))


def test_paths_are_expanded(c):
    run('slice', '-m', '~/no', code=3, env={'HOME': c.dir}, has=c.path('no'))
    run('slice', '-m', '$WHERE/x/../no', code=3, env={'WHERE': c.dir}, has=c.path('no'))
    run('slice', '-m', '${WHERE}/no', code=3, env={'WHERE': c.dir}, has=c.path('no'))
    run('slice', '-m', 'no/./', code=3, cwd=c.dir, has=c.path('no'))


def test_global_options_anywhere(c):
    for args in (('--quiet', 'prove'), ('prove', '--quiet'), ('--threads', '2', 'prove', '-y'), ('--log-level=debug', 'prove', '--json')):
        run(*args, code=2, has='--run-dir')


def test_json_on_failure(c):
    j = result('verify', '--rd', c.path('no'), code=3)
    check('no such folder' in j['error'] and j['command'] == 'verify', str(j))


def test_kernels(c):
    j = result('bench', '--kernels', '--repeats', '1')
    check(len(j['kernels']) >= 8 and all(k['seconds'] >= 0 for k in j['kernels']), 'kernel rows')


main([v for k, v in sorted(globals().items()) if k.startswith('test_')], needs_runtime=False)
