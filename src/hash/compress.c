#include "hash/compress.h"

#include <stdatomic.h>
#include <string.h>

#include "base/cpu.h"

const uint32_t dsp_sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};
const uint32_t dsp_sha_start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static inline uint32_t ror(uint32_t x, unsigned k) { return x >> k | x << (32 - k); }

void dsp_sha_one_portable(uint32_t h[8], const uint8_t *p, size_t n)
{
    for (; n--; p += 64) {
        uint32_t w[64], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
        for (int i = 0; i < 16; i++)
            w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
        for (int i = 16; i < 64; i++)
            w[i] = w[i - 16] + w[i - 7] + (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) +
                   (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
        for (int i = 0; i < 64; i++) {
            const uint32_t s = k + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + (g ^ (e & (f ^ g))) + dsp_sha_k[i] + w[i];
            const uint32_t t = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) | (c & (a | b)));
            k = g;
            g = f;
            f = e;
            e = d + s;
            d = c;
            c = b;
            b = a;
            a = s + t;
        }
        h[0] += a;
        h[1] += b;
        h[2] += c;
        h[3] += d;
        h[4] += e;
        h[5] += f;
        h[6] += g;
        h[7] += k;
    }
}

void dsp_sha_two_portable(uint32_t h0[8], const uint8_t *p0, uint32_t h1[8], const uint8_t *p1, size_t n)
{
    dsp_sha_one_portable(h0, p0, n);
    dsp_sha_one_portable(h1, p1, n);
}

static const dsp_sha_kernels table[] = {
    {"portable", 0, dsp_sha_one_portable, dsp_sha_two_portable},
#ifdef DSP_SIMD_X86
    {"shani", DSP_CPU_SHANI, dsp_sha_one_shani, dsp_sha_two_shani},
#endif
    {NULL, 0, NULL, NULL}
};

const dsp_sha_kernels *dsp_sha_kernels_all(void) { return table; }

static bool agrees(const dsp_sha_kernels *k)
{
    uint8_t  m[4 * 64];
    uint32_t h[2][8], g[2][8];
    for (size_t i = 0; i < sizeof m; i++)
        m[i] = (uint8_t)(i * 167 + 13);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 8; j++)
            h[i][j] = g[i][j] = dsp_sha_start[j] + (uint32_t)i;
    k->two(h[0], m, h[1], m + 128, 2);
    k->one(h[0], m, 3);
    dsp_sha_two_portable(g[0], m, g[1], m + 128, 2);
    dsp_sha_one_portable(g[0], m, 3);
    return memcmp(h, g, sizeof h) == 0;
}

/* The index into the table plus one, 0 before the first call. Every thread computes the same value, so a race is
 * harmless; nothing else in the library remembers anything between calls. */
const dsp_sha_kernels *dsp_sha_kernels_best(void)
{
    static _Atomic unsigned chosen;
    unsigned                c = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (c == 0) {
        const uint32_t bits = dsp_cpu_bits();
        c = 1;
        for (unsigned i = 1; table[i].name; i++)
            if ((table[i].cpu_bits & ~bits) == 0 && agrees(&table[i]))
                c = i + 1;
        atomic_store_explicit(&chosen, c, memory_order_relaxed);
    }
    return &table[c - 1];
}
