"""The program file itself: what it needs, and what it has no means to do."""
from harness import *

ALLOWED = ('libc.so', 'libm.so', 'libcrypto.so', 'libjansson.so', 'libprotobuf-c.so', 'ld-linux', 'libdl.so', 'libpthread.so', 'linux-vdso', 'libasan.so', 'libubsan.so', 'libgcc_s.so', 'librt.so')
NETWORK = {'socket', 'connect', 'bind', 'listen', 'accept', 'accept4', 'getaddrinfo', 'gethostbyname', 'sendto', 'recvfrom', 'sendmsg', 'recvmsg', 'BIO_new_connect', 'BIO_s_connect', 'system'}


def tool(*args):
    if not shutil.which(args[0]):
        print(f'        NOT TESTED: {args[0]} is not installed')
        return None
    p = subprocess.run(args, capture_output=True, text=True)
    check(p.returncode == 0, p.stderr)
    return p.stdout


def test_no_network(c):
    """It has no socket and no resolver; the functions that it takes from elsewhere say so."""
    if b'__asan_init' in read(PROGRAM):
        return                         # a sanitizer brings functions of its own
    out = tool('nm', '-D', '--undefined-only', PROGRAM)
    if out:
        have = {line.split()[-1].split('@')[0] for line in out.splitlines()}
        check(len(have) > 50 and 'dlopen' in have, 'the list is a list')
        check(not have & NETWORK, f'{have & NETWORK}')


def test_few_libraries(c):
    """C library, hashing, JSON, protocol buffers. ONNX Runtime is loaded by the steps that need it."""
    out = tool('readelf', '-d', PROGRAM)
    if out:
        need = [line.split('[')[1].split(']')[0] for line in out.splitlines() if '(NEEDED)' in line]
        check(need and all(n.startswith(ALLOWED) for n in need), str(need))


def test_same_words_every_time(c):
    """The same words for the same call, and no ornaments off a terminal."""
    for args in ((), ('-h',), ('--version',), ('slice', '-h'), ('doctor', '-h'), ('slice',), ('nonsense',)):
        said = {(p.returncode, p.stdout, p.stderr) for p in (subprocess.run([PROGRAM, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL) for _ in range(5))}
        check(len(said) == 1 and '\033' not in str(said), f'{args}: {said}')


def test_installed(c):
    """From where it was installed it finds ONNX Runtime, the bundled models, manual and completions, and the whole pipeline runs."""
    build = os.path.dirname(PROGRAM)
    if 'DSPERSE_ORT' in os.environ or not have_runtime():
        print('        NOT TESTED: ONNX Runtime is not that of tools/setup.sh')
        return
    if tool('cmake', '--install', build, '--prefix', c.path('x')) is None:
        return
    bin = c.path('x', 'bin', 'dsperse')

    def installed(*args):
        p = subprocess.run([bin, *args, '--json'], capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=c.dir, env={'HOME': c.path('home'), 'PATH': '/usr/bin:/bin'})
        check(p.returncode == 0, p.stdout + p.stderr)
        return json.loads(p.stdout)
    ort = [k for k in installed('doctor')['checks'] if k['name'] == 'ONNX Runtime'][0]
    check(ort['path'].startswith(os.path.realpath(c.path('x'))), f'its own ONNX Runtime: {ort}')
    shutil.copytree(c.path('x', 'share', 'dsperse', 'models', 'tiny'), c.path('tiny'))
    check(installed('full-run', '-m', 'tiny')['verify']['verdict'] == 'accepted', 'the pipeline')
    for f in ('man/man1/dsperse.1', 'man/man1/dsperse-verify.1', 'bash-completion/completions/dsperse', 'zsh/site-functions/_dsperse', 'fish/vendor_completions.d/dsperse.fish',
              'doc/dsperse/README.md', 'doc/dsperse/docs/formats.md'):
        check(os.path.exists(c.path('x', 'share', f)), f)


main([v for k, v in sorted(globals().items()) if k.startswith('test_')], needs_runtime=False)
