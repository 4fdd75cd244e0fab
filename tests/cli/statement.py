"""statement.bin as a Python object, so that a test can lie in it and keep everything else consistent (docs/formats.md)."""
import hashlib, struct

INPUT, OUTPUT, INNER = 1, 2, 4


def sha(*parts):
    h = hashlib.sha256()
    for p in parts:
        h.update(p)
    return h.digest()


class Statement:
    def __init__(self, path):
        self.b, self.at = open(path, 'rb').read(), 8
        assert self.b[:8] == b'DSPSTMT1' and sha(self.b[:-32]) == self.b[-32:]
        self.model, self.record, self.model_id, self.run_key, self.nonce = (self.take(32) for _ in range(5))
        self.slices = [dict(name=self.text(), index=self.u32(), key=self.take(32), macs=self.u64()) for _ in range(self.u32())]
        self.unproved = [dict(name=self.text(), reason=self.text(), index=self.u32(), macs=self.u64()) for _ in range(self.u32())]
        self.pubs = [dict(name=self.text(), use=self.take(1)[0], dims=[self.u32() for _ in range(3)], scale=self.i64(), cells=self.ints()) for _ in range(self.u32())]
        self.edges = [dict(name=self.text(), root=self.take(32)) for _ in range(self.u32())]
        assert self.at == len(self.b) - 32

    def take(self, n):
        self.at += n
        return self.b[self.at - n:self.at]

    def u32(self): return struct.unpack('<I', self.take(4))[0]
    def u64(self): return struct.unpack('<Q', self.take(8))[0]
    def i64(self): return struct.unpack('<q', self.take(8))[0]
    def text(self): return self.take(struct.unpack('<H', self.take(2))[0]).decode()

    def ints(self):
        w, n = self.take(1)[0], self.u32()
        return [int.from_bytes(self.take(w), 'little', signed=True) for _ in range(n)]

    def set_model_id(self):
        self.model_id = sha(self.model, self.record, *[s['key'] for s in self.slices])

    def pub(self, name): return next(p for p in self.pubs if p['name'] == name)

    def write(self, path):
        def text(s):
            return struct.pack('<H', len(s.encode())) + s.encode()

        def ints(v):
            w = next(w for w in (1, 2, 4, 8) if all(-(1 << 8 * w - 1) <= x < 1 << 8 * w - 1 for x in v))
            return bytes([w]) + struct.pack('<I', len(v)) + b''.join(x.to_bytes(w, 'little', signed=True) for x in v)

        o = [b'DSPSTMT1', self.model, self.record, self.model_id, self.run_key, self.nonce]
        o += [struct.pack('<I', len(self.slices))] + [text(s['name']) + struct.pack('<I', s['index']) + s['key'] + struct.pack('<Q', s['macs']) for s in self.slices]
        o += [struct.pack('<I', len(self.unproved))]
        o += [text(s['name']) + text(s['reason']) + struct.pack('<IQ', s['index'], s['macs']) for s in self.unproved]
        o += [struct.pack('<I', len(self.pubs))]
        o += [text(p['name']) + bytes([p['use']]) + struct.pack('<IIIq', *p['dims'], p['scale']) + ints(p['cells']) for p in self.pubs]
        o += [struct.pack('<I', len(self.edges))] + [text(e['name']) + e['root'] for e in self.edges]
        b = b''.join(o)
        with open(path, 'wb') as f:
            f.write(b + sha(b))
