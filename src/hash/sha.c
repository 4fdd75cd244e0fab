#include <string.h>

#include "hash/compress.h"

void dsp_sha_init(dsp_sha *s)
{
    memset(s, 0, sizeof *s);
    memcpy(s->h, dsp_sha_start, sizeof s->h);
}

void dsp_sha_put(dsp_sha *s, const void *p, size_t n)
{
    const uint8_t *b = p;
    const size_t   have = s->len % 64;
    s->len += n;
    if (have + n < 64) {
        if (n)
            memcpy(s->buf + have, b, n);
        return;
    }
    const dsp_sha_kernels *k = dsp_sha_kernels_best();
    if (have) {
        memcpy(s->buf + have, b, 64 - have);
        b += 64 - have;
        n -= 64 - have;
        k->one(s->h, s->buf, 1);
    }
    if (n / 64)
        k->one(s->h, b, n / 64);
    if (n % 64)
        memcpy(s->buf, b + n / 64 * 64, n % 64);
}

static void put_number(dsp_sha *s, uint64_t v, size_t n)
{
    uint8_t b[8];
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(v >> 8 * i);
    dsp_sha_put(s, b, n);
}

void dsp_sha_u8(dsp_sha *s, uint8_t v) { put_number(s, v, 1); }
void dsp_sha_u16(dsp_sha *s, uint16_t v) { put_number(s, v, 2); }
void dsp_sha_u32(dsp_sha *s, uint32_t v) { put_number(s, v, 4); }
void dsp_sha_u64(dsp_sha *s, uint64_t v) { put_number(s, v, 8); }

void dsp_sha_text(dsp_sha *s, const char *t)
{
    const size_t n = strlen(t);
    dsp_sha_u16(s, (uint16_t)n);
    dsp_sha_put(s, t, n & 0xffff);
}

dsp_digest dsp_sha_digest(const dsp_sha *s)
{
    uint8_t      end[128] = {0};
    uint32_t     h[8];
    dsp_digest   d;
    const size_t have = s->len % 64, blocks = have < 56 ? 1 : 2;
    memcpy(h, s->h, sizeof h);
    memcpy(end, s->buf, have);
    end[have] = 0x80;
    dsp_sha_put_bits(end + 64 * blocks - 8, s->len);
    dsp_sha_kernels_best()->one(h, end, blocks);
    dsp_sha_store(d.b, h);
    return d;
}

dsp_digest dsp_sha256(const void *p, size_t n)
{
    dsp_sha s;
    dsp_sha_init(&s);
    dsp_sha_put(&s, p, n);
    return dsp_sha_digest(&s);
}

bool dsp_digest_eq(const dsp_digest *a, const dsp_digest *b)
{
    unsigned x = 0;
    for (size_t i = 0; i < sizeof a->b; i++)
        x |= (unsigned)(a->b[i] ^ b->b[i]);
    return x == 0;
}

void dsp_digest_hex(char out[65], const dsp_digest *d)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof d->b; i++) {
        out[2 * i] = digit[d->b[i] >> 4];
        out[2 * i + 1] = digit[d->b[i] & 15];
    }
    out[64] = 0;
}

bool dsp_digest_unhex(dsp_digest *d, const char *hex)
{
    dsp_digest r;
    for (size_t i = 0; i < 64; i++) {
        const char c = hex[i];
        unsigned   v;
        if (c >= '0' && c <= '9')
            v = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            v = (unsigned)(c - 'A') + 10;
        else
            return false;
        r.b[i / 2] = (uint8_t)(i % 2 ? r.b[i / 2] | v : v << 4);
    }
    if (hex[64] != 0)
        return false;
    *d = r;
    return true;
}
