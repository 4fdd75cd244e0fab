"""Questions and progress bars, on a pseudo-terminal."""
import fcntl, pty, re, select, signal, struct, termios, time

from harness import *


class Terminal:
    """dsperse on a terminal of its own. Standard error may be kept apart, in a file."""

    def __init__(self, *args, columns=80, env=None, cwd=None, stdout=None, stderr=None, stdin=None):
        self.main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        e = {k: v for k, v in os.environ.items() if k != 'NO_COLOR'}
        e.update({'TERM': 'xterm'})
        e.update(env or {})

        def own_terminal():
            os.setsid()
            fcntl.ioctl(side, termios.TIOCSCTTY, 0)
        self.p = subprocess.Popen([PROGRAM, *map(str, args)], stdin=stdin if stdin is not None else side, stdout=stdout if stdout is not None else side,
                                  stderr=stderr if stderr is not None else side, env=e, cwd=cwd, preexec_fn=own_terminal)
        os.close(side)
        self.text = ''

    def read(self, until=None, seconds=30):
        """Everything up to a pattern (colours left out), or to the end."""
        end = time.monotonic() + seconds
        start = len(self.text)
        while not (until and re.search(until, re.sub(r'\x1b\[\d*m', '', self.text[start:]))):
            if not select.select([self.main], [], [], max(0, end - time.monotonic()))[0]:
                raise Failed(f'"{until}" did not come:\n{self.text}')
            try:
                b = os.read(self.main, 65536)
            except OSError:
                b = b''
            if not b:
                check(until is None, f'"{until}" did not come before the end:\n{self.text}')
                break
            self.text += b.decode(errors='replace')
        return self.text[start:]

    def say(self, line):
        os.write(self.main, line.encode() + b'\n')

    def end(self, code=0):
        self.read()
        got = self.p.wait(60)
        os.close(self.main)
        check(got == code, f'exit {code} expected, {got} found:\n{self.text}')
        return self.text


def ask(*args, answers=(), code=0, **kw):
    """Runs with [(question, answer)]; each question must come, in this order. Returns all that was said."""
    t = Terminal(*args, **kw)
    for question, answer in answers:
        t.read(question)
        t.say(answer)
    return t.end(code)


SAVE = r'Save the results to a file\? \(y/n\) \[n\]: '


def test_slice(c):
    m = c.model('tiny')
    ask('slice', answers=[(r'Model folder or \.onnx file: ', m), (rf'Slices folder \[{m}/slices\]: ', '')])
    check(os.path.exists(os.path.join(m, 'slices', 'metadata.json')), 'the default')
    ask('slice', '-m', m, answers=[('Slices folder', c.path('elsewhere'))])
    check(os.path.exists(c.path('elsewhere', 'metadata.json')), 'the answer')
    check('folder' not in ask('slice', '-m', m, '-o', c.path('third')).split('segments in')[0], 'what was given is not asked for')


def test_required_repeats(c):
    m = c.model('tiny')
    text = ask('slice', '-o', c.path('s'), answers=[('Model folder', ''), ('Model folder', '   '), ('Model folder', m)])
    check(text.count('Model folder') == 3, text)


def test_quotes_and_expansion(c):
    m = c.model('tiny')
    for i, said in enumerate((f"'{m}'", f'"{m}"', f'  "{m}"  ', '~/tiny', '$WHERE/tiny')):
        ask('slice', '-o', c.path(f's{i}'), answers=[('Model folder', said)], env={'HOME': c.dir, 'WHERE': c.dir})
        check(os.path.exists(c.path(f's{i}', 'metadata.json')), said)


def test_compile_asks_for_slices_only(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    text = ask('compile', answers=[('Slices folder: ', m)])
    check(text.count('\x1b[33m') == 1, 'one question')


def test_run(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    run('compile', '-m', m)
    ask('run', answers=[('Slices folder: ', m), (rf'Input file \[{m}/input.json\]: ', ''), (SAVE, '')])
    check(not os.path.exists(os.path.join(m, 'output.json')), 'not asked for')
    ask('run', '-s', m, answers=[('Input file', ''), (SAVE, 'maybe'), (SAVE, 'y'), (rf'Output file \[{m}/output.json\]: ', '')])
    check(json.load(open(os.path.join(m, 'output.json')))['outputs'], 'saved')
    ask('run', '-m', m, answers=[('Input file', c.path('no.json')), (r'no such file(.|\n)*q to quit\): ', os.path.join(m, 'input.json')), (SAVE, 'no')])
    ask('run', '-m', m, answers=[('Input file', c.path('no.json')), ('q to quit', 'q')], code=3)
    ask('run', '-m', m, answers=[('Input file', c.path('no.json')), ('q to quit', '')], code=3)
    ask('run', '-m', m, answers=[('Input file', c.path('no.json')), ('q to quit', c.path('no2.json')), (SAVE, 'n')], code=3)
    check('Input' not in ask('run', '-m', m, '-i', os.path.join(m, 'input.json'), '-o', c.path('o.json')), 'nothing to ask')


def test_runs(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    run('compile', '-m', m)
    a, b = result('run', '-m', m)['run_dir'], result('run', '-m', m, '--new')['run_dir']
    proof = lambda d: os.path.exists(os.path.join(d, 'segment_0', 'proof.bin'))
    text = ask('prove', '--rd', m, answers=[(r'2 runs:(.|\n)*Run, by number or name \[.*\]: ', ''), (SAVE, '')])
    check(os.path.basename(a) in text and f'{os.path.basename(b)}  (newest)' in text and proof(b) and not proof(a), 'the newest')
    ask('prove', '--rd', m, answers=[('by number or name', '1'), (SAVE, 'yes'), (rf'Output file \[{m}/run/proof_results.json\]: ', '')])
    check(proof(a) and os.path.exists(os.path.join(m, 'run', 'proof_results.json')), 'by number')
    ask('verify', '--rd', os.path.join(m, 'run'), answers=[('by number or name', os.path.basename(a)), (SAVE, 'y'), ('verification_results.json', c.path('v.json'))])
    check(json.load(open(c.path('v.json')))['run_id'] == os.path.basename(a), 'by name')
    ask('prove', '--rd', m, answers=[('by number or name', '3')], code=2)
    ask('prove', '--rd', m, answers=[('by number or name', 'run_1')], code=2)
    ask('verify', '--rd', a, answers=[(SAVE, '')])
    ask('prove', answers=[(rf'Run folder \[{b}\]: ', ''), (SAVE, '')], cwd=m)
    ask('verify', answers=[('Run folder', os.path.basename(a)), (SAVE, '')], cwd=m)
    ask('verify', answers=[('Run folder: ', a), (SAVE, '')], cwd=c.dir)
    ask('bundle', answers=[('Run folder: ', a), ('Bundle folder: ', c.path('bundle'))], cwd=c.dir)
    check(os.path.exists(c.path('bundle', 'statement.bin')), 'bundle')
    ask('verify', '--rd', c.path('bundle'), answers=[(rf'{SAVE}', 'n')])


def test_full_run(c):
    m = c.model('tiny')
    ask('full-run', answers=[(r'Model folder, \.onnx file, or the name of a bundled model: ', m), (rf'Input file \[{m}/input.json\]: ', '')])
    ask('full-run', '-i', os.path.join(m, 'input.json'), answers=[(r'Model folder or \.onnx file: ', os.path.join(m, 'model.onnx'))])


def test_bundled_model(c):
    home = c.path('home')
    os.makedirs(home)
    if not os.path.exists(os.path.join(os.path.dirname(PROGRAM), '..', 'models', 'tiny', 'input.json')):
        return
    ask('full-run', answers=[('bundled model: ', 'tiny')], env={'HOME': home}, cwd=c.dir)
    check(os.path.exists(os.path.join(home, 'dsperse', 'tiny', 'run', 'verification_results.json')), 'in ~/dsperse/tiny')
    ask('full-run', answers=[('bundled model: ', 'no-such-model'), ], env={'HOME': home}, cwd=c.dir, code=3)


def test_interrupt_at_a_question(c):
    t = Terminal('slice')
    t.read('Model folder')
    os.write(t.main, b'\x03')
    check('interrupted' in t.end(130), 'a notice')


def test_end_of_input(c):
    m = c.model('tiny')
    t = Terminal('slice')
    t.read('Model folder')
    os.write(t.main, b'\x04')
    check('missing option: --model-dir' in t.end(2), 'no default to take')
    t = Terminal('slice', '-m', m)
    t.read('Slices folder')
    os.write(t.main, b'\x04')
    t.end(0)
    check(os.path.exists(os.path.join(m, 'slices', 'metadata.json')), 'the default')


def test_only_on_a_terminal(c):
    m = c.model('tiny')
    for flag in ('-y', '--yes', '--non-interactive'):
        check('missing option: --model-dir' in Terminal('slice', flag).end(2), flag)
        Terminal('slice', '-m', m, flag).end(0)
    with open(c.path('out'), 'wb') as f:
        check('missing option: --model-dir' in Terminal('slice', stdout=f).end(2), 'standard output is a file')
    check('missing option: --model-dir' in Terminal('slice', stdin=subprocess.DEVNULL).end(2), 'standard input is not a terminal')


def test_questions_go_to_stderr(c):
    m = c.model('tiny')
    with open(c.path('err'), 'wb') as f:
        t = Terminal('slice', stderr=f)
        for i, answer in enumerate((m, '')):
            end = time.monotonic() + 30
            while read(c.path('err')).count(b': ') <= i and time.monotonic() < end:
                time.sleep(0.01)
            t.say(answer)
        out = t.end(0)
    check('Model folder' not in out and b'Model folder' in read(c.path('err')), 'standard error')


def bars(text):
    """[(step, done, total, percent)] of every time the bar was drawn."""
    return [(s, int(a), int(b), int(p)) for s, a, b, p in re.findall(r'\r\x1b\[K(\w+) (\d+)/(\d+)  (?:\x1b\[36m)?[\u2588\u2591]+(?:\x1b\[0m)?  +(\d+) %', text)]


def test_bars(c):
    m = c.model('net')
    run('slice', '-m', m)
    run('compile', '-m', m)
    rd = result('run', '-m', m)['run_dir']
    for args, step in ((('compile', '-s', m, '--force'), 'compile'), (('run', '-s', m, '-i', os.path.join(m, 'input.json'), '-o', c.path('o.json'), '--new'), 'run'),
                       (('prove', '--rd', rd, '-y'), 'prove'), (('verify', '--rd', rd, '-y'), 'verify')):
        text = Terminal(*args).end(0)
        seen = bars(text)
        check(seen and {s for s, *_ in seen} == {step} and seen[0][1:3] == (0, 5) and seen[-1][3] == 100, f'{step}: {seen}\n{text!r}')
        check([x[3] for x in seen] == sorted(x[3] for x in seen), f'{step}: goes forward')
        check(re.search(r'\d s left', text), f'{step}: time left')
        check(text.rindex('\r\x1b[K') > text.rindex('\u2588') and '\u2588' not in text[text.rindex('\r\x1b[K'):], f'{step}: the bar is taken away')
    seen = bars(Terminal('slice', '-m', m, '-o', c.path('s'), '-y').end(0))
    check(seen and {s for s, *_ in seen} == {'slice'} and seen[-1][1:] == (5, 5, 100), f'slice: {seen}')
    seen = bars(Terminal('bundle', '--rd', rd, '-o', c.path('b'), '-y').end(0))
    check(seen and {s for s, *_ in seen} == {'bundle'} and seen[0][1:] == (0, 5, 0) and seen[-1][1:] == (5, 5, 100), f'bundle: {seen}')
    seen = bars(Terminal('bench', '-m', m, '--repeats', '2').end(0))
    check(seen and {s for s, *_ in seen} == {'bench'} and seen[0][1:] == (0, 3, 0) and seen[-1][1:] == (3, 3, 100), f'bench: {seen}')
    text = Terminal('prove', '--rd', rd, '--force', '-y', '--quiet').end(0)
    check(not bars(text) and text == '', 'quiet')


def test_bars_fit_and_colours(c):
    m, rd = c.proved('tiny')
    for columns in (200, 80, 40, 24, 12):
        text = Terminal('prove', '--rd', rd, '--force', '-y', columns=columns).end(0)
        for piece in re.findall(r'\r\x1b\[K([^\r\n]*)', text):
            shown = re.sub(r'\x1b\[\d*m', '', piece)
            check(len(shown) < columns or 'segment_' in shown or 'proved' in shown, f'{columns} columns: {shown!r}')
    text = Terminal('prove', '--rd', rd, '--force', '-y', env={'NO_COLOR': '1'}).end(0)
    check(bars(text) and not re.search(r'\x1b\[\d+m', text), 'NO_COLOR keeps the bar and drops colours')
    text = Terminal('prove', '--rd', rd, '--force', '-y', env={'TERM': 'dumb'}).end(0)
    check(not bars(text) and '\x1b' not in text and 'prove: 0 of' in text, 'plain lines on a dumb terminal')
    text = Terminal('verify', '--rd', rd, '-y', env={'NO_COLOR': ''}).end(0)
    check('\x1b[32m' in text, 'an empty NO_COLOR means nothing')


def test_json_on_a_terminal(c):
    m = c.model('tiny')
    with open(c.path('out'), 'wb') as f:
        Terminal('full-run', '-m', m, '--json', stdout=f).end(0)
    check(json.loads(read(c.path('out')))['verify']['verdict'] == 'accepted', 'one object on standard output')


def test_not_drawn_too_often(c):
    m, rd = c.proved('net')
    t0 = time.monotonic()
    text = Terminal('prove', '--rd', rd, '--force', '-y', '--threads', '1').end(0)
    check(len(bars(text)) <= 10 * (time.monotonic() - t0) + 4 + 2 * text.count('segment_'), 'ten a second, and once per line that is printed')


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
