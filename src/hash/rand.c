/* The random streams of the prover. Block(label, sub, c) = SHA-256(21 || key || u16 label || u32 sub || u32 c): 43 bytes,
 * so one compression; blocks are made two at a time. */
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "hash/compress.h"

void dsp_rand_begin(dsp_rand *r, const uint8_t secret[32])
{
    memset(r, 0, sizeof *r);
    dsp_sha_init(&r->sha);
    dsp_sha_u8(&r->sha, 0x20);
    dsp_sha_put(&r->sha, secret, 32);
}

void dsp_rand_part(dsp_rand *r, const void *p, size_t n)
{
    dsp_sha_u64(&r->sha, n);
    dsp_sha_put(&r->sha, p, n);
}

void dsp_rand_end(dsp_rand *r) { r->key = dsp_sha_digest(&r->sha); }

void dsp_rand_wipe(dsp_rand *r) { dsp_wipe(r, sizeof *r); }

enum { COUNTER = 39, MESSAGE = 43 };

static void block_init(uint8_t b[64], const dsp_rand *r, uint16_t label, uint32_t sub)
{
    memset(b, 0, 64);
    b[0] = 0x21;
    memcpy(b + 1, r->key.b, 32);
    b[33] = (uint8_t)label;
    b[34] = (uint8_t)(label >> 8);
    dsp_put32(b + 35, sub);
    b[MESSAGE] = 0x80;
    dsp_sha_put_bits(b + 56, MESSAGE);
}

static uint64_t word(const uint32_t h[8], int i)
{
    uint8_t b[8];
    for (int k = 0; k < 8; k++)
        b[k] = (uint8_t)(h[2 * i + k / 4] >> (24 - 8 * (k % 4)));
    return dsp_get64(b);
}

void dsp_rand_fe(const dsp_rand *r, dsp_fe *out, size_t n, uint16_t label, uint32_t sub)
{
    const dsp_sha_kernels *k = dsp_sha_kernels_best();
    uint8_t                b[2][64];
    uint32_t               h[2][8];
    size_t                 got = 0;
    block_init(b[0], r, label, sub);
    block_init(b[1], r, label, sub);
    for (uint32_t c = 0; got < n; c += 2) {
        dsp_put32(b[0] + COUNTER, c);
        dsp_put32(b[1] + COUNTER, c + 1);
        memcpy(h[0], dsp_sha_start, sizeof h[0]);
        memcpy(h[1], dsp_sha_start, sizeof h[1]);
        k->two(h[0], b[0], h[1], b[1], 1);
        for (int i = 0; i < 8 && got < n; i++) {
            const uint64_t v = word(h[i / 4], i % 4) & dsp_fe_word_mask();
            if (v < DSP_P)
                out[got++] = (dsp_fe){v};
        }
    }
    dsp_wipe(b, sizeof b);
    dsp_wipe(h, sizeof h);
}

void dsp_rand_ke(const dsp_rand *r, dsp_ke *out, size_t n, uint16_t label, uint32_t sub)
{
    if (n)
        dsp_rand_fe(r, &out->a, 2 * n, label, sub);
}

void dsp_rand_salt(const dsp_rand *r, uint8_t out[DSP_SALT_BYTES], uint16_t label, uint32_t sub)
{
    uint8_t  b[64], d[32];
    uint32_t h[8];
    block_init(b, r, label, sub);
    memcpy(h, dsp_sha_start, sizeof h);
    dsp_sha_kernels_best()->one(h, b, 1);
    dsp_sha_store(d, h);
    memcpy(out, d, DSP_SALT_BYTES);
    dsp_wipe(b, sizeof b);
    dsp_wipe(d, sizeof d);
    dsp_wipe(h, sizeof h);
}

/* Two blocks at a time; what differs between them is the sub number, bytes 35 to 38. */
void dsp_rand_salts(const dsp_rand *r, uint8_t *out, size_t n, uint16_t label, uint32_t sub)
{
    const dsp_sha_kernels *k = dsp_sha_kernels_best();
    uint8_t                b[2][64], d[32];
    uint32_t               h[2][8];
    block_init(b[0], r, label, sub);
    block_init(b[1], r, label, sub);
    for (size_t i = 0; i < n; i += 2) {
        dsp_put32(b[0] + COUNTER - 4, sub + (uint32_t)i);
        dsp_put32(b[1] + COUNTER - 4, sub + (uint32_t)i + 1);
        memcpy(h[0], dsp_sha_start, sizeof h[0]);
        memcpy(h[1], dsp_sha_start, sizeof h[1]);
        k->two(h[0], b[0], h[1], b[1], 1);
        for (size_t j = 0; j < 2 && i + j < n; j++) {
            dsp_sha_store(d, h[j]);
            memcpy(out + (i + j) * DSP_SALT_BYTES, d, DSP_SALT_BYTES);
        }
    }
    dsp_wipe(b, sizeof b);
    dsp_wipe(d, sizeof d);
    dsp_wipe(h, sizeof h);
}
