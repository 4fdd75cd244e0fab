/* The passes of rows.c four words at a time: along a row where rows are long enough, otherwise across four or two of them. */
#include "field/avx2.h"
#include "poly/rows.h"

DSP_INLINE void cross(dsp_fe *p0, dsp_fe *p1, dsp_fe *p2, dsp_fe *p3, dsp_v4 y1, dsp_v4 y2, dsp_v4 y3)
{
    const dsp_v4 x = dsp_v4_load(p0);
    const dsp_v4 s = dsp_v4_add(x, y1), d = dsp_v4_sub(x, y1);
    const dsp_v4 t = dsp_v4_add(y2, y3), u = dsp_v4_mul_i(dsp_v4_sub(y2, y3));
    dsp_v4_store(p0, dsp_v4_add(s, t));
    dsp_v4_store(p1, dsp_v4_add(d, u));
    dsp_v4_store(p2, dsp_v4_sub(s, t));
    dsp_v4_store(p3, dsp_v4_sub(d, u));
}

/* Rows of a multiple of four words: one factor for the whole row. */
static void long_rows(dsp_fe *a, size_t n, size_t h, size_t step, dsp_twiddles w)
{
    const size_t d = h * step;
    for (size_t b = 0; b < n; b += 4 * h) {
        for (size_t c = 0; c < step; c += 4) {
            dsp_fe *x = a + b * step + c;
            cross(x, x + d, x + 2 * d, x + 3 * d, dsp_v4_load(x + d), dsp_v4_load(x + 2 * d), dsp_v4_load(x + 3 * d));
        }
        for (size_t j = 1; j < h; j++) {
            const dsp_v4 v1 = dsp_v4_set(w.v1[j].v), v2 = dsp_v4_set(w.v2[j].v), v3 = dsp_v4_set(w.v3[j].v);
            for (size_t c = 0; c < step; c += 4) {
                dsp_fe *x = a + (b + j) * step + c;
                cross(x, x + d, x + 2 * d, x + 3 * d, dsp_v4_mul(dsp_v4_load(x + d), v2), dsp_v4_mul(dsp_v4_load(x + 2 * d), v1),
                      dsp_v4_mul(dsp_v4_load(x + 3 * d), v3));
            }
        }
    }
}

/* Factors of the next 4/step rows, each once per word of its row. */
DSP_INLINE dsp_v4 factors(const dsp_fe *w, size_t step)
{
    return step == 1 ? dsp_v4_load(w)
                     : _mm256_permute4x64_epi64(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)w)), 0x50);
}

/* Rows of one or two words, h * step a multiple of four. */
DSP_INLINE void short_rows(dsp_fe *a, size_t n, size_t h, size_t step, dsp_twiddles w)
{
    const size_t d = h * step;
    for (size_t b = 0; b < n; b += 4 * h)
        for (size_t j = 0; j < h; j += 4 / step) {
            dsp_fe *x = a + (b + j) * step;
            cross(x, x + d, x + 2 * d, x + 3 * d, dsp_v4_mul(dsp_v4_load(x + d), factors(w.v2 + j, step)),
                  dsp_v4_mul(dsp_v4_load(x + 2 * d), factors(w.v1 + j, step)),
                  dsp_v4_mul(dsp_v4_load(x + 3 * d), factors(w.v3 + j, step)));
        }
}

void dsp_row_passes_avx2(dsp_fe *a, unsigned m, size_t step, const dsp_twiddles *tw)
{
    const size_t n = (size_t)1 << m;
    unsigned     l = m % 2;
    if (step != 1 && step != 2 && step % 4 != 0) {
        dsp_row_passes_portable(a, m, step, tw);
        return;
    }
    if (step % 4 == 0) {
        for (size_t i = 0; l && i < n; i += 2)
            for (size_t c = 0; c < step; c += 4) {
                dsp_fe      *x = a + i * step + c;
                const dsp_v4 u = dsp_v4_load(x), v = dsp_v4_load(x + step);
                dsp_v4_store(x, dsp_v4_add(u, v));
                dsp_v4_store(x + step, dsp_v4_sub(u, v));
            }
        for (; l < m; l += 2)
            long_rows(a, n, (size_t)1 << l, step, tw[l + 2]);
        return;
    }
    /* until rows are 4 apart: portable on blocks of 2^l rows */
    while (l < m && step << l < 4)
        l += 2;
    for (size_t b = 0; b < n; b += (size_t)1 << l)
        dsp_row_passes_portable(a + b * step, l, step, tw);
    for (; l < m; l += 2) {
        if (step == 1)
            short_rows(a, n, (size_t)1 << l, 1, tw[l + 2]);
        else
            short_rows(a, n, (size_t)1 << l, 2, tw[l + 2]);
    }
}
