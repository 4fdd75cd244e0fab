#!/usr/bin/env python3
"""The sub-commands of the ezkl command line on top of the ezkl Python package, which has none.

usage: ezkl-driver.py --version | SUB-COMMAND OPTION...
Exit status: 0 done, 1 the stage failed, 2 bad usage, 4 the proof was rejected, 5 the package is missing.
Nothing is downloaded: every stage that needs an SRS is told where it lies.
"""
import argparse
import os
import sys

FAILED, REJECTED, UNAVAILABLE = 1, 4, 5


def gen_settings(ezkl, a):
    args = ezkl.PyRunArgs()
    args.input_scale = a.input_scale
    args.param_scale = a.param_scale
    args.logrows = a.logrows
    args.input_visibility = a.input_visibility
    args.output_visibility = a.output_visibility
    args.param_visibility = a.param_visibility
    return ezkl.gen_settings(a.model, a.settings_path, args)


def compile_circuit(ezkl, a):
    return ezkl.compile_circuit(a.model, a.compiled_circuit, a.settings_path)


def gen_srs(ezkl, a):
    ezkl.gen_srs(a.srs_path, a.logrows)
    return True


def setup(ezkl, a):
    return ezkl.setup(a.compiled_circuit, a.vk_path, a.pk_path, a.srs_path)


def gen_witness(ezkl, a):
    ezkl.gen_witness(a.data, a.compiled_circuit, a.output)
    return True


def mock(ezkl, a):
    return ezkl.mock(a.witness, a.compiled_circuit)


def prove(ezkl, a):
    ezkl.prove(a.witness, a.compiled_circuit, a.pk_path, a.proof_path, a.srs_path)
    return True


def verify(ezkl, a):
    try:
        good = ezkl.verify(a.proof_path, a.settings_path, a.vk_path, a.srs_path)
    except RuntimeError as e:
        print(e, file=sys.stderr)
        # The package raises for a false proof and for a missing file alike; only the former comes from the proof system.
        sys.exit(REJECTED if '[halo2]' in str(e) else FAILED)
    if not good:
        print('the proof was rejected', file=sys.stderr)
        sys.exit(REJECTED)
    return True


COMMANDS = {
    'gen-settings': (gen_settings, 'model', 'settings-path'),
    'compile-circuit': (compile_circuit, 'model', 'compiled-circuit', 'settings-path'),
    'gen-srs': (gen_srs, 'srs-path'),
    'setup': (setup, 'compiled-circuit', 'vk-path', 'pk-path', 'srs-path'),
    'gen-witness': (gen_witness, 'data', 'compiled-circuit', 'output'),
    'mock': (mock, 'witness', 'compiled-circuit'),
    'prove': (prove, 'witness', 'compiled-circuit', 'pk-path', 'proof-path', 'srs-path'),
    'verify': (verify, 'proof-path', 'settings-path', 'vk-path', 'srs-path'),
}


def parse():
    p = argparse.ArgumentParser(prog='ezkl-driver.py', allow_abbrev=False)
    p.add_argument('--version', action='store_true')
    sub = p.add_subparsers(dest='command')
    for name, (_, *paths) in COMMANDS.items():
        q = sub.add_parser(name, allow_abbrev=False)
        for path in paths:
            q.add_argument('--' + path, required=True)
        if name == 'gen-settings':
            q.add_argument('--input-scale', type=int, default=7)
            q.add_argument('--param-scale', type=int, default=7)
            q.add_argument('--logrows', type=int, default=17)
            q.add_argument('--input-visibility', default='public')
            q.add_argument('--output-visibility', default='public')
            q.add_argument('--param-visibility', default='fixed')
        elif name == 'gen-srs':
            q.add_argument('--logrows', type=int, required=True)
        elif name == 'prove':
            q.add_argument('--check-mode', choices=['unsafe'], default='unsafe')
    a = p.parse_args()
    if not a.version and not a.command:
        p.error('a sub-command is missing')
    return a


def main():
    a = parse()
    try:
        import ezkl
    except ImportError as e:
        print(f'the Python package ezkl is not there: {e}', file=sys.stderr)
        return UNAVAILABLE
    if a.version:
        print(f'ezkl {ezkl.__version__}')
        return 0
    # A missing SRS must not start a download.
    srs = getattr(a, 'srs_path', None)
    if srs and a.command != 'gen-srs' and not os.path.isfile(srs):
        print(f'{srs}: no such file', file=sys.stderr)
        return FAILED
    try:
        if not COMMANDS[a.command][0](ezkl, a):
            print(f'{a.command} failed', file=sys.stderr)
            return FAILED
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as e:  # a panic inside the package is no Exception
        print(f'{a.command}: {type(e).__name__}: {e}', file=sys.stderr)
        return FAILED
    return 0


if __name__ == '__main__':
    sys.exit(main())
