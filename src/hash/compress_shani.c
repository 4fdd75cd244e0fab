/* SHA-256 compression by the SHA instructions of x86, one and two streams. Each sha256rnds2 does two rounds on the state
 * split as (a b e f) and (c d g h); two streams hide its latency. */
#include <immintrin.h>

#include "hash/compress.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

typedef struct { __m128i abef, cdgh; } state;

INLINE state load(const uint32_t h[8])
{
    const __m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)h), 0xb1);     /* c d a b */
    const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(h + 4)), 0x1b); /* e f g h */
    return (state){_mm_alignr_epi8(dcba, hgfe, 8), _mm_blend_epi16(hgfe, dcba, 0xf0)};
}

INLINE void store(uint32_t h[8], state s)
{
    const __m128i feba = _mm_shuffle_epi32(s.abef, 0x1b), dchg = _mm_shuffle_epi32(s.cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)h, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(h + 4), _mm_alignr_epi8(dchg, feba, 8));
}

INLINE __m128i words(const uint8_t *p)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), swap);
}

INLINE __m128i constants(int i) { return _mm_loadu_si128((const __m128i *)(const void *)(dsp_sha_k + 4 * i)); }

/* Rounds 4i .. 4i+3 with message words w. */
INLINE state rounds(state s, __m128i w, int i)
{
    const __m128i k = _mm_add_epi32(w, constants(i));
    s.cdgh = _mm_sha256rnds2_epu32(s.cdgh, s.abef, k);
    s.abef = _mm_sha256rnds2_epu32(s.abef, s.cdgh, _mm_shuffle_epi32(k, 0x0e));
    return s;
}

/* The next four message words from the last sixteen, w0 the oldest. */
INLINE __m128i schedule(__m128i w0, __m128i w1, __m128i w2, __m128i w3)
{
    return _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4)), w3);
}

INLINE state sum(state s, state t)
{
    return (state){_mm_add_epi32(s.abef, t.abef), _mm_add_epi32(s.cdgh, t.cdgh)};
}

void dsp_sha_one_shani(uint32_t h[8], const uint8_t *p, size_t n)
{
    state s = load(h);
    for (; n--; p += 64) {
        const state old = s;
        __m128i     w[4] = {words(p), words(p + 16), words(p + 32), words(p + 48)};
        for (int i = 0; i < 16; i += 4) {
            for (int j = 0; j < 4; j++) {
                s = rounds(s, w[j], i + j);
                if (i < 12)
                    w[j] = schedule(w[j], w[(j + 1) & 3], w[(j + 2) & 3], w[(j + 3) & 3]);
            }
        }
        s = sum(s, old);
    }
    store(h, s);
}

void dsp_sha_two_shani(uint32_t h0[8], const uint8_t *p0, uint32_t h1[8], const uint8_t *p1, size_t n)
{
    state s = load(h0), t = load(h1);
    for (; n--; p0 += 64, p1 += 64) {
        const state s_old = s, t_old = t;
        __m128i     v[4] = {words(p0), words(p0 + 16), words(p0 + 32), words(p0 + 48)};
        __m128i     w[4] = {words(p1), words(p1 + 16), words(p1 + 32), words(p1 + 48)};
        for (int i = 0; i < 16; i += 4) {
            for (int j = 0; j < 4; j++) {
                s = rounds(s, v[j], i + j);
                t = rounds(t, w[j], i + j);
                if (i < 12) {
                    v[j] = schedule(v[j], v[(j + 1) & 3], v[(j + 2) & 3], v[(j + 3) & 3]);
                    w[j] = schedule(w[j], w[(j + 1) & 3], w[(j + 2) & 3], w[(j + 3) & 3]);
                }
            }
        }
        s = sum(s, s_old);
        t = sum(t, t_old);
    }
    store(h0, s);
    store(h1, t);
}
