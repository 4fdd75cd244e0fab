"""Runs the program on copies of models, and checks exit codes, output and files. Arguments of a script: program, models folder."""
import json, os, shutil, subprocess, sys, tempfile, traceback

PROGRAM, MODELS = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
sys.dont_write_bytecode = True


class Failed(Exception):
    pass


def check(cond, text):
    if not cond:
        raise Failed(text)


def run(*args, code=0, env=None, has=None, cwd=None):
    """Runs dsperse; the exit code must be `code`, and `has` must occur in what it says. Returns the finished process."""
    e = {k: v for k, v in os.environ.items() if k != 'NO_COLOR'}
    e.update(env or {})
    p = subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, env=e, cwd=cwd, stdin=subprocess.DEVNULL)
    said = f'dsperse {" ".join(map(str, args))}\n-- exit {p.returncode}\n{p.stdout[-2000:]}\n--\n{p.stderr[-2000:]}'
    check(p.returncode == code, f'exit {code} expected:\n{said}')
    if code:
        check(p.stderr.strip(), f'a failure without a message:\n{said}')
    for t in [has] if isinstance(has, str) else has or []:
        check(t in p.stdout + p.stderr, f'"{t}" expected:\n{said}')
    return p


def result(*args, code=0, **kw):
    """The same with --json: stdout is one JSON object."""
    p = run(*args, '--json', code=code, **kw)
    j = json.loads(p.stdout)
    check(j['exit_code'] == code, f'exit_code in JSON: {j["exit_code"]}')
    return j


def have_runtime():
    return 'ONNX Runtime: not found' not in subprocess.run([PROGRAM, '--version', '--verbose'], capture_output=True, text=True).stdout


class Case:
    """A scratch folder that goes away."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='dsperse-')
        return self

    def __exit__(self, *a):
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, *p):
        return os.path.join(self.dir, *p)

    def model(self, name):
        """A fresh copy of a model folder."""
        to = self.path(name)
        os.makedirs(to)
        for f in ('model.onnx', 'input.json', 'eval.json'):
            src = os.path.join(MODELS, name, f)
            if os.path.exists(src):
                shutil.copyfile(src, os.path.join(to, f))
        return to

    def proved(self, name, *compile_args):
        m = self.model(name)
        run('slice', '-m', m)
        run('compile', '-s', m, *compile_args)
        r = result('run', '-s', m)
        run('prove', '--rd', r['run_dir'])
        return m, r['run_dir']


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def write(path, data):
    with open(path, 'wb' if isinstance(data, bytes) else 'w') as f:
        f.write(data)


def flip(path, at, bit=0):
    b = bytearray(read(path))
    b[at] ^= 1 << bit
    write(path, bytes(b))


def main(tests, needs_runtime=True):
    if needs_runtime and not have_runtime():
        print('SKIPPED: ONNX Runtime is not installed; tools/setup.sh installs it')
        sys.exit(77)
    bad = 0
    for t in tests:
        try:
            with Case() as c:
                t(c)
            print(f'ok      {t.__name__}')
        except Exception as e:
            bad += 1
            print(f'FAILED  {t.__name__}')
            print(str(e) if isinstance(e, Failed) else traceback.format_exc())
    print(f'{len(tests) - bad} of {len(tests)} passed')
    sys.exit(1 if bad else 0)
