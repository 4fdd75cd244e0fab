"""The part of JSON Schema that docs/schemas/ uses. A keyword that is not known here is an error: nothing is checked by accident."""
import re

KNOWN = {'$schema', '$defs', '$ref', 'title', 'description', 'type', 'properties', 'required', 'additionalProperties', 'propertyNames', 'items', 'minItems', 'maxItems', 'enum', 'const',
         'pattern', 'minimum', 'maximum', 'anyOf'}
TYPES = {'object': dict, 'array': list, 'string': str, 'boolean': bool, 'null': type(None)}


def is_type(v, t):
    if t in ('integer', 'number'):
        return isinstance(v, int) and not isinstance(v, bool) or (t == 'number' and isinstance(v, float))
    return isinstance(v, TYPES[t])


def errors(v, s, root=None, at='$'):
    """What of v is not as schema s has it: a list of texts."""
    root = root or s
    if s is True or s is False:
        return [] if s else [f'{at}: not allowed']
    out = [f'schema {at}: unknown keyword {k}' for k in s if k not in KNOWN]
    if '$ref' in s:
        out += errors(v, root['$defs'][s['$ref'].rsplit('/', 1)[1]], root, at)
    if 'anyOf' in s:
        tried = [errors(v, a, root, at) for a in s['anyOf']]
        if all(tried):
            out.append(f'{at}: none of {len(tried)} forms; the first says {tried[0][0]}')
    if 'enum' in s and v not in s['enum'] or 'const' in s and (v != s['const'] or type(v) is not type(s['const'])):
        out.append(f'{at}: {v!r} is not one of {s.get("enum", [s.get("const")])}')
    if 'type' in s:
        types = s['type'] if isinstance(s['type'], list) else [s['type']]
        if not any(is_type(v, t) for t in types):
            return out + [f'{at}: {"/".join(types)} expected, {str(v)[:60]!r} found']
    if isinstance(v, str) and 'pattern' in s and not re.search(s['pattern'], v):
        out.append(f'{at}: {v!r} does not match {s["pattern"]}')
    if isinstance(v, (int, float)) and (v < s.get('minimum', v) or v > s.get('maximum', v)):
        out.append(f'{at}: {v} is out of range')
    if isinstance(v, list):
        if not s.get('minItems', 0) <= len(v) <= s.get('maxItems', len(v)):
            out.append(f'{at}: {len(v)} items')
        for i, e in enumerate(v if 'items' in s else []):
            out += errors(e, s['items'], root, f'{at}[{i}]')
    if isinstance(v, dict):
        out += [f'{at}: no {k}' for k in s.get('required', []) if k not in v]
        for k, e in v.items():
            if 'propertyNames' in s:
                out += errors(k, s['propertyNames'], root, f'{at}: name {k}')
            out += errors(e, s['properties'][k], root, f'{at}.{k}') if k in s.get('properties', {}) else errors(e, s.get('additionalProperties', True), root, f'{at}.{k}')
    return out
