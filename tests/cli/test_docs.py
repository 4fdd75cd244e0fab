"""Manual pages and completions say what -h says, no more and no less, and other programs accept them."""
import re

from harness import *

import helptext as helps


def documents(c):
    run('__docs', '-o', c.path('share'))
    return c.path('share')


def commands():
    return helps.commands(run('-h').stdout)


def of(name):
    """Every spelling that -h of a command lists, with (value, help)."""
    return {o: (v, h) for names, v, h in helps.options(run(*([name] if name else []), '-h').stdout) for o in names}


def plain(roff):
    return roff.replace('\\-', '-').replace('\\&', '').replace('\\e', '\\')


def test_manual_equals_help(c):
    d = os.path.join(documents(c), 'man', 'man1')
    check(sorted(os.listdir(d)) == sorted(['dsperse.1'] + [f'dsperse-{n}.1' for n, _ in commands()]), str(os.listdir(d)))
    for name in [None] + [n for n, _ in commands()]:
        text = plain(read(os.path.join(d, f'dsperse-{name}.1' if name else 'dsperse.1')).decode())
        have = {}
        for tag, body in re.findall(r'^\.TP\n(\\fB-.*)\n(.*)$', text, re.M):
            value = re.search(r' (\[?)\\fI(.*?)\\fR(\]?)$', tag)
            for o in re.findall(r'\\fB(-[^\\]*)\\fR', tag):
                have[o] = (value.group(1) + value.group(2) + value.group(3) if value else None, body)
        want = of(name)
        check(have == want, f'{name}: {set(have.items()) ^ set(want.items())}')
        for section in ('NAME', 'SYNOPSIS', 'DESCRIPTION', 'EXIT STATUS', 'EXAMPLES', 'SEE ALSO'):
            check(f'\n.SH {section}\n' in text, f'{name}: {section}')
        for code in (0, 1, 2, 3, 4, 5, 130):
            check(f'\n.B {code}\n' in text, f'{name}: exit status {code}')
    top = plain(read(os.path.join(d, 'dsperse.1')).decode())
    for n, alias in commands():
        check(re.search(rf'^\.B {n}( \\fR\(\\fB{alias}\\fR\))?$' if alias else rf'^\.B {n}$', top, re.M), f'dsperse.1 lists {n}')
        check(f'dsperse-{n} (1)' in top, f'dsperse.1 refers to {n}')


def test_examples_in_the_manual_parse(c):
    d = os.path.join(documents(c), 'man', 'man1')
    seen = 0
    for f in os.listdir(d):
        for line in re.findall(r'^\.EX\ndsperse (.*)$', plain(read(os.path.join(d, f)).decode()), re.M):
            words = [w.strip('"') for w in line.split()]
            p = subprocess.run([PROGRAM, *words, '--frobnicate'], capture_output=True, text=True)
            check(p.returncode == 2 and '"--frobnicate"' in p.stderr, f'{line}: {p.stderr}')
            seen += 1
    check(seen >= len(commands()), 'an example per page')


def test_manual_pages_are_clean(c):
    d = os.path.join(documents(c), 'man', 'man1')
    for f in sorted(os.listdir(d)):
        path = os.path.join(d, f)
        if shutil.which('groff'):
            p = subprocess.run(['groff', '-man', '-Tutf8', '-Kutf8', '-ww', '-z', path], capture_output=True, text=True)
            check(p.returncode == 0 and not p.stderr, f'{f}: {p.stderr}')
        if shutil.which('mandoc'):
            p = subprocess.run(['mandoc', '-T', 'lint', '-W', 'error', path], capture_output=True, text=True)
            check(p.returncode == 0, f'{f}: {p.stdout}')
        check(all(len(line) == len(line.rstrip()) for line in read(path).decode().split('\n')), f'{f}: blanks at the end of a line')


def bash_complete(file, *words):
    """What bash offers for the last word."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dsperse; printf "%s\\n" "${COMPREPLY[@]}"'
    p = subprocess.run(['bash', '--norc', '-c', script, 'x', file, *words], capture_output=True, text=True)
    check(p.returncode == 0 and not p.stderr, p.stderr)
    return set(p.stdout.split())


def test_bash_equals_help(c):
    f = os.path.join(documents(c), 'bash-completion', 'completions', 'dsperse')
    check(subprocess.run(['bash', '-n', f]).returncode == 0, 'bash -n')
    names = {w for n, a in commands() for w in (n, a) if w}
    check(bash_complete(f, 'dsperse', '') == names | set(of(None)), 'commands and global options')
    for n, alias in commands():
        for word in (n, alias):
            if word:
                check(bash_complete(f, 'dsperse', word, '-') == set(of(n)), f'{word}: {bash_complete(f, "dsperse", word, "-") ^ set(of(n))}')
    check(bash_complete(f, 'dsperse', '--quiet', 'prove', '--no-') == {'--no-self-verify'}, 'a global option first')
    check(bash_complete(f, 'dsperse', '--log-level', 'D') == {'DEBUG'}, 'values')
    check(bash_complete(f, 'dsperse', 'slice', '--log-level', '=', 'W') == {'WARNING'}, 'values behind =')
    check(bash_complete(f, 'dsperse', 'slice', '--dim', '') == set(), 'nothing to offer')
    write(c.path('model.onnx'), '')
    check(bash_complete(f, 'dsperse', 'slice', '-m', c.path('mo')) == {c.path('model.onnx')}, 'files')


def test_zsh_equals_help(c):
    f = os.path.join(documents(c), 'zsh', 'site-functions', '_dsperse')
    text = read(f).decode()
    check(text.startswith('#compdef dsperse\n'), 'header')

    def spelled(part):
        have = set()
        for names in re.findall(r"^    '\*'?(\{[^}]*\}|--[^\[]*)'?\[", part, re.M):
            have |= {w.rstrip('=+') for w in names.strip('{}').split(',')}
        return have
    top = text[text.index('global=('):text.index('_arguments -C')]
    check(spelled(top) == set(of(None)), f'global: {spelled(top) ^ set(of(None))}')
    for n, alias in commands():
        check(f"'{n}:" in text and (not alias or f"'{alias}:" in text), n)
        part = text[text.index(f'    {n}|{alias}) ' if alias else f'    {n}) '):]
        part = part[:part.index(';;')]
        check(spelled(part) | set(of(None)) == set(of(n)), f'{n}: {(spelled(part) | set(of(None))) ^ set(of(n))}')
    if shutil.which('zsh'):
        p = subprocess.run(['zsh', '-n', f], capture_output=True, text=True)
        check(p.returncode == 0, p.stderr)


def test_fish_equals_help(c):
    f = os.path.join(documents(c), 'fish', 'vendor_completions.d', 'dsperse.fish')
    text = read(f).decode()

    def spelled(lines):
        return {'-' + w for line in lines for w in re.findall(r' -s (\S)', line)} | {'--' + w for line in lines for w in re.findall(r' -l (\S+)', line)}
    lines = [x for x in text.split('\n') if x.startswith('complete')]
    check(spelled([x for x in lines if '__fish' not in x]) == set(of(None)), 'global')
    for n, alias in commands():
        words = f'{n} {alias}' if alias else n
        mine = [x for x in lines if f"__fish_seen_subcommand_from {words}'" in x]
        check(spelled(mine) | set(of(None)) == set(of(n)), f'{n}')
        check(any(f"-a '{words}'" in x for x in lines), n)
    if shutil.which('fish'):
        p = subprocess.run(['fish', '--no-execute', f], capture_output=True, text=True)
        check(p.returncode == 0, p.stderr)


def test_same_bytes_every_time(c):
    run('__docs', '-o', c.path('a'))
    run('__docs', '-o', c.path('b'))
    for d, _, fs in os.walk(c.path('a')):
        for f in fs:
            check(read(os.path.join(d, f)) == read(os.path.join(d, f).replace(c.path('a'), c.path('b'))), f)


def source(name):
    """The file, or the folder of a corpus, behind a test's name (tests/CMakeLists.txt and those below); None: there is none."""
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folder, _, rest = name.partition('_')
    layer, _, unit = name.partition('_test_')
    rest = re.sub(r'_\d+$', '', rest) if folder == 'exhaustive' else rest
    places = [f'unit/{layer}/test_{unit}.c', f'{folder}/test_{rest}.c', f'{folder}/test_{rest}.py', f'{folder}/{rest}', f'fuzz/test_{rest}.py']
    return next((os.path.join(tests, p) for p in places if os.path.exists(os.path.join(tests, p))), None)


def test_guarantees_name_real_tests(c):
    """docs/guarantees.md: numbered without gaps, each row names tests, and every name is a test with that function; of this build, where that has all of them."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    text = read(os.path.join(root, 'docs', 'guarantees.md')).decode()
    rows = re.findall(r'^\| (G-\d\d) \| (.*) \| (.*) \|$', text, re.M)
    check(sorted(g for g, _, _ in rows) == [f'G-{i:02}' for i in range(1, len(rows) + 1)] and len(rows) >= 40, 'numbers')
    listed = None
    if os.environ.get('DSPERSE_EVERY_TEST') and shutil.which('ctest'):
        p = subprocess.run(['ctest', '--test-dir', os.path.dirname(PROGRAM), '-N'], capture_output=True, text=True)
        listed = set(re.findall(r'^ *Test +#\d+: (\S+)$', p.stdout, re.M))
        check('cli_docs' in listed, p.stderr)
    for g, _, kept in rows:
        names = re.findall(r'`([^`]*)`', kept)
        check(names and not re.sub(r'`[^`]*`', '', kept).strip(), f'{g}: tests expected, found "{kept}"')
        for name in names:
            test, _, function = name.partition('/')
            found = source(test)
            check(found, f'{g}: no source of the test {test}')
            check(listed is None or test in listed, f'{g}: {test} is no test of this build')
            code = read(found).decode() if os.path.isfile(found) else ''
            check(not function or re.search(rf'\bdef {function}\(|\bcmocka_unit_test\w*\({function}\b', code), f'{g}: {test} has no {function}')


main([v for k, v in sorted(globals().items()) if k.startswith('test_')], needs_runtime=False)
