"""Reads what -h prints."""
import re


def options(text):
    """[(names, value, help)] in the order of -h."""
    rows, last = [], None
    for line in text.split('\n'):
        m = re.match(r'  (-\S.*?)(?:  +(\S.*))?$', line)
        if m:
            words = m.group(1).split(', ')
            value = words[-1].split(' ', 1)[1] if ' ' in words[-1] else None
            words[-1] = words[-1].split(' ', 1)[0]
            last = [words, value, m.group(2) or '']
            rows.append(last)
        elif line.startswith(' ' * 28) and last:
            last[2] += line.strip()
    return [tuple(r) for r in rows]


def commands(text):
    """[(name, alias or None)] of the program's -h."""
    return [(a, b or None) for a, b in re.findall(r'^  ([a-z][a-z-]*) +([a-z]{1,2})? ', text, re.M)]
