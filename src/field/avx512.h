/* F in AVX-512 with IFMA, eight elements per vector, for the *_avx512.c files. Values are canonical in and out of every
 * function here. A word is cut as a0 + a1 2^52 (the multiplier ignores the bits above 52); c0 + c1 2^52 + c2 2^104 is
 * reduced by 2^64 = 2^32 - 1, 2^96 = -1 and 2^104 = -2^8 (mod p). */
#ifndef DSP_FIELD_AVX512_H
#define DSP_FIELD_AVX512_H

#include <immintrin.h>

#include "field/fe.h"

#if defined(__GNUC__)
#define DSP_INLINE static inline __attribute__((always_inline))
#else
#define DSP_INLINE static inline
#endif

typedef __m512i dsp_v8;

DSP_INLINE dsp_v8 dsp_v8_load(const dsp_fe *p) { return _mm512_loadu_si512(p); }
DSP_INLINE void   dsp_v8_store(dsp_fe *p, dsp_v8 x) { _mm512_storeu_si512(p, x); }
DSP_INLINE dsp_v8 dsp_v8_set(uint64_t x) { return _mm512_set1_epi64((long long)x); }

/* x - p for x >= p, else x: below p the difference wraps to a larger number. */
DSP_INLINE dsp_v8 dsp_v8_canonical(dsp_v8 x) { return _mm512_min_epu64(x, _mm512_sub_epi64(x, dsp_v8_set(DSP_P))); }

/* Any x plus y < p, and any x minus y < p: not canonical. */
DSP_INLINE dsp_v8 dsp_v8_add_lazy(dsp_v8 x, dsp_v8 y)
{
    const dsp_v8 r = _mm512_add_epi64(x, y);
    return _mm512_mask_add_epi64(r, _mm512_cmplt_epu64_mask(r, y), r, dsp_v8_set(0xffffffffu));
}
DSP_INLINE dsp_v8 dsp_v8_sub_lazy(dsp_v8 x, dsp_v8 y)
{
    const dsp_v8 r = _mm512_sub_epi64(x, y);
    return _mm512_mask_sub_epi64(r, _mm512_cmplt_epu64_mask(x, y), r, dsp_v8_set(0xffffffffu));
}

DSP_INLINE dsp_v8 dsp_v8_add(dsp_v8 x, dsp_v8 y) { return dsp_v8_canonical(dsp_v8_add_lazy(x, y)); }
DSP_INLINE dsp_v8 dsp_v8_sub(dsp_v8 x, dsp_v8 y)
{
    const dsp_v8 r = _mm512_sub_epi64(x, y);
    return _mm512_mask_add_epi64(r, _mm512_cmplt_epu64_mask(x, y), r, dsp_v8_set(DSP_P));
}

/* lo + 2^52 (c1 - c1 mod 2^12) + 2^104 c2, c2 < 2^40. The bits of c1 from 12 on are worth 2^64: 32 of them times 2^32 - 1, the
 * rest minus 1. (c1 >> 44) + 2^8 c2 and the product are below p. */
DSP_INLINE dsp_v8 dsp_v8_reduce(dsp_v8 lo, dsp_v8 c1, dsp_v8 c2)
{
    const dsp_v8 plus = _mm512_mul_epu32(_mm512_srli_epi64(c1, 12), dsp_v8_set(0xffffffffu));
    const dsp_v8 minus = _mm512_add_epi64(_mm512_srli_epi64(c1, 44), _mm512_slli_epi64(c2, 8));
    return dsp_v8_canonical(dsp_v8_add_lazy(dsp_v8_sub_lazy(lo, minus), plus));
}

DSP_INLINE dsp_v8 dsp_v8_upper(dsp_v8 x) { return _mm512_srli_epi64(x, 52); }

/* The low 64 bits of the product hold c0 and the low 12 bits of c1, so c0 itself is not needed. */
DSP_INLINE dsp_v8 dsp_v8_mul(dsp_v8 x, dsp_v8 y)
{
    const dsp_v8 z = _mm512_setzero_si512(), x1 = dsp_v8_upper(x), y1 = dsp_v8_upper(y);
    dsp_v8       c1 = _mm512_madd52hi_epu64(z, x, y), c2 = _mm512_madd52hi_epu64(z, x, y1);
    c1 = _mm512_madd52lo_epu64(c1, x, y1);
    c1 = _mm512_madd52lo_epu64(c1, x1, y);
    c2 = _mm512_madd52hi_epu64(c2, x1, y);
    c2 = _mm512_madd52lo_epu64(c2, x1, y1);
    return dsp_v8_reduce(_mm512_mullo_epi64(x, y), c1, c2);
}

/* x times 2^48, the root of unity of order 4: x 2^48 = (x << 48) + 2^64 (x >> 16), and 2^64 (x >> 16) = low (2^32 - 1) - high */
DSP_INLINE dsp_v8 dsp_v8_mul_i(dsp_v8 x)
{
    const dsp_v8 plus = _mm512_mul_epu32(_mm512_srli_epi64(x, 16), dsp_v8_set(0xffffffffu));
    return dsp_v8_canonical(
        dsp_v8_add_lazy(dsp_v8_sub_lazy(_mm512_slli_epi64(x, 48), _mm512_srli_epi64(x, 48)), plus));
}

#endif
