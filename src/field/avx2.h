/* F in AVX2, four elements per vector, for the *_avx2.c files. Values are canonical in and out of every function here. */
#ifndef DSP_FIELD_AVX2_H
#define DSP_FIELD_AVX2_H

#include <immintrin.h>

#include "field/fe.h"

#if defined(__GNUC__)
#define DSP_INLINE static inline __attribute__((always_inline))
#else
#define DSP_INLINE static inline
#endif

typedef __m256i dsp_v4;

DSP_INLINE dsp_v4 dsp_v4_load(const dsp_fe *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
DSP_INLINE void   dsp_v4_store(dsp_fe *p, dsp_v4 x) { _mm256_storeu_si256((__m256i *)(void *)p, x); }
DSP_INLINE dsp_v4 dsp_v4_set(uint64_t x) { return _mm256_set1_epi64x((long long)x); }
DSP_INLINE dsp_v4 dsp_v4_sign(void) { return _mm256_set1_epi64x((long long)(UINT64_C(1) << 63)); }

/* a + b = a - (p - b), plus p when that borrows. Comparisons are signed, so both sides are moved by 2^63. */
DSP_INLINE dsp_v4 dsp_v4_add(dsp_v4 a, dsp_v4 b)
{
    const dsp_v4 c = _mm256_sub_epi64(dsp_v4_set(DSP_P ^ UINT64_C(1) << 63), b), x = _mm256_xor_si256(a, dsp_v4_sign());
    const dsp_v4 borrow = _mm256_cmpgt_epi64(c, x);
    return _mm256_add_epi64(_mm256_sub_epi64(x, c), _mm256_and_si256(borrow, dsp_v4_set(DSP_P)));
}

DSP_INLINE dsp_v4 dsp_v4_sub(dsp_v4 a, dsp_v4 b)
{
    const dsp_v4 borrow = _mm256_cmpgt_epi64(_mm256_xor_si256(b, dsp_v4_sign()), _mm256_xor_si256(a, dsp_v4_sign()));
    return _mm256_add_epi64(_mm256_sub_epi64(a, b), _mm256_and_si256(borrow, dsp_v4_set(DSP_P)));
}

/* A mask shifted right by 32 is 2^32 - 1 = 2^64 mod p. */
DSP_INLINE dsp_v4 dsp_v4_wrap(dsp_v4 mask) { return _mm256_srli_epi64(mask, 32); }

/* lo + 2^64 hi mod p, as dsp_fe_reduce128. */
DSP_INLINE dsp_v4 dsp_v4_reduce(dsp_v4 lo, dsp_v4 hi)
{
    const dsp_v4 l = _mm256_xor_si256(lo, dsp_v4_sign());
    dsp_v4       t = _mm256_sub_epi64(l, _mm256_srli_epi64(hi, 32));
    t = _mm256_sub_epi64(t, dsp_v4_wrap(_mm256_cmpgt_epi64(t, l)));
    dsp_v4 r = _mm256_add_epi64(t, _mm256_mul_epu32(hi, dsp_v4_set(0xffffffffu)));
    r = _mm256_add_epi64(r, dsp_v4_wrap(_mm256_cmpgt_epi64(t, r)));
    r = _mm256_add_epi64(r, dsp_v4_wrap(_mm256_cmpgt_epi64(r, dsp_v4_set((DSP_P - 1) ^ UINT64_C(1) << 63)))); /* -p */
    return _mm256_xor_si256(r, dsp_v4_sign());
}

/* The upper halves of the lanes, in their lower halves (what is above is ignored by the multiplier). */
DSP_INLINE dsp_v4 dsp_v4_upper(dsp_v4 x) { return _mm256_castps_si256(_mm256_movehdup_ps(_mm256_castsi256_ps(x))); }

DSP_INLINE void dsp_v4_wide(dsp_v4 *lo, dsp_v4 *hi, dsp_v4 x, dsp_v4 y)
{
    const dsp_v4 x1 = dsp_v4_upper(x), y1 = dsp_v4_upper(y);
    const dsp_v4 ll = _mm256_mul_epu32(x, y), lh = _mm256_mul_epu32(x, y1), hl = _mm256_mul_epu32(x1, y), hh = _mm256_mul_epu32(x1, y1);
    const dsp_v4 t = _mm256_add_epi64(hl, _mm256_srli_epi64(ll, 32));
    const dsp_v4 u = _mm256_add_epi64(lh, _mm256_and_si256(t, dsp_v4_set(0xffffffffu)));
    *hi = _mm256_add_epi64(_mm256_add_epi64(hh, _mm256_srli_epi64(t, 32)), _mm256_srli_epi64(u, 32));
    *lo = _mm256_blend_epi32(ll, _mm256_slli_epi64(u, 32), 0xaa);
}

DSP_INLINE dsp_v4 dsp_v4_mul(dsp_v4 x, dsp_v4 y)
{
    dsp_v4 lo, hi;
    dsp_v4_wide(&lo, &hi, x, y);
    return dsp_v4_reduce(lo, hi);
}

/* x times 2^48, the root of unity of order 4 */
DSP_INLINE dsp_v4 dsp_v4_mul_i(dsp_v4 x) { return dsp_v4_reduce(_mm256_slli_epi64(x, 48), _mm256_srli_epi64(x, 16)); }

#endif
