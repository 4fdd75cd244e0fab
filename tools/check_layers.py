#!/usr/bin/env python3
"""Compares the includes of src/ with the layer order in layers.txt. Exit status 0: all allowed, 1: violations (listed), 2: bad order file."""
import os, re, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, '..')
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def order(path):
    allowed, external = {}, {}
    for number, line in enumerate(open(path, encoding='utf-8'), 1):
        line = line.split('#')[0].strip()
        if not line:
            continue
        name, _, rest = line.partition(':')
        names = rest.split()
        if name.startswith('external '):
            external[name.split()[1]] = set(names)
            continue
        unknown = [x for x in names if x not in allowed]
        if unknown:
            sys.exit(f'{path}:{number}: {name} names {", ".join(unknown)}, which no line above defines')
        allowed[name] = {name}.union(*(allowed[x] for x in names))
    return allowed, external


def main():
    allowed, external = order(os.path.join(HERE, 'layers.txt'))
    bad, files = [], 0
    src = os.path.join(ROOT, 'src')
    for folder, _, names in sorted(os.walk(src)):
        for name in sorted(names):
            if not name.endswith(('.c', '.h')):
                continue
            path = os.path.join(folder, name)
            rel = os.path.relpath(path, src).replace(os.sep, '/')
            layer = rel.split('/')[0] if '/' in rel else 'cli'
            files += 1
            if layer not in allowed:
                bad.append(f'src/{rel}: layer {layer} is not in layers.txt')
                continue
            text = open(path, encoding='utf-8').read()
            for m in INCLUDE.finditer(text):
                header, line = m.group(2), text.count('\n', 0, m.start()) + 1
                for prefix, layers in external.items():
                    if header.startswith(prefix) and layer not in layers:
                        bad.append(f'src/{rel}:{line}: {layer} may not include {header}')
                if m.group(1) == '<' or header.startswith('dsperse/'):
                    continue
                to = header.split('/')[0] if '/' in header else layer
                if to in allowed and to not in allowed[layer]:
                    bad.append(f'src/{rel}:{line}: {layer} may not include {header}')
                elif to not in allowed:
                    bad.append(f'src/{rel}:{line}: {header} belongs to no layer')
    print('\n'.join(bad) if bad else f'{files} files keep the order of {len(allowed)} layers')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
