/* The passes of rows.c eight words at a time: along a row where rows are long enough, otherwise across two, four or eight. */
#include "field/avx512.h"
#include "poly/rows.h"

DSP_INLINE void cross(dsp_fe *p0, dsp_fe *p1, dsp_fe *p2, dsp_fe *p3, dsp_v8 y1, dsp_v8 y2, dsp_v8 y3)
{
    const dsp_v8 x = dsp_v8_load(p0);
    const dsp_v8 s = dsp_v8_add(x, y1), d = dsp_v8_sub(x, y1);
    const dsp_v8 t = dsp_v8_add(y2, y3), u = dsp_v8_mul_i(dsp_v8_sub(y2, y3));
    dsp_v8_store(p0, dsp_v8_add(s, t));
    dsp_v8_store(p1, dsp_v8_add(d, u));
    dsp_v8_store(p2, dsp_v8_sub(s, t));
    dsp_v8_store(p3, dsp_v8_sub(d, u));
}

/* Rows of a multiple of eight words: one factor for the whole row. */
static void long_rows(dsp_fe *a, size_t n, size_t h, size_t step, dsp_twiddles w)
{
    const size_t d = h * step;
    for (size_t b = 0; b < n; b += 4 * h) {
        for (size_t c = 0; c < step; c += 8) {
            dsp_fe *x = a + b * step + c;
            cross(x, x + d, x + 2 * d, x + 3 * d, dsp_v8_load(x + d), dsp_v8_load(x + 2 * d), dsp_v8_load(x + 3 * d));
        }
        for (size_t j = 1; j < h; j++) {
            const dsp_v8 v1 = dsp_v8_set(w.v1[j].v), v2 = dsp_v8_set(w.v2[j].v), v3 = dsp_v8_set(w.v3[j].v);
            for (size_t c = 0; c < step; c += 8) {
                dsp_fe *x = a + (b + j) * step + c;
                cross(x, x + d, x + 2 * d, x + 3 * d, dsp_v8_mul(dsp_v8_load(x + d), v2), dsp_v8_mul(dsp_v8_load(x + 2 * d), v1),
                      dsp_v8_mul(dsp_v8_load(x + 3 * d), v3));
            }
        }
    }
}

/* Factors of the next 8/step rows, each once per word of its row; only those words are read. */
DSP_INLINE dsp_v8 factors(const dsp_fe *w, size_t step)
{
    if (step == 1)
        return dsp_v8_load(w);
    if (step == 2)
        return _mm512_permutexvar_epi64(_mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0), _mm512_maskz_loadu_epi64(0x0f, w));
    return _mm512_permutexvar_epi64(_mm512_set_epi64(1, 1, 1, 1, 0, 0, 0, 0), _mm512_maskz_loadu_epi64(0x03, w));
}

/* Rows of one, two or four words, h * step a multiple of eight. */
DSP_INLINE void short_rows(dsp_fe *a, size_t n, size_t h, size_t step, dsp_twiddles w)
{
    const size_t d = h * step;
    for (size_t b = 0; b < n; b += 4 * h)
        for (size_t j = 0; j < h; j += 8 / step) {
            dsp_fe *x = a + (b + j) * step;
            cross(x, x + d, x + 2 * d, x + 3 * d, dsp_v8_mul(dsp_v8_load(x + d), factors(w.v2 + j, step)),
                  dsp_v8_mul(dsp_v8_load(x + 2 * d), factors(w.v1 + j, step)),
                  dsp_v8_mul(dsp_v8_load(x + 3 * d), factors(w.v3 + j, step)));
        }
}

void dsp_row_passes_avx512(dsp_fe *a, unsigned m, size_t step, const dsp_twiddles *tw)
{
    const size_t n = (size_t)1 << m;
    unsigned     l = m % 2;
    if (step != 1 && step != 2 && step != 4 && step % 8 != 0) {
        dsp_row_passes_avx2(a, m, step, tw);
        return;
    }
    if (step % 8 == 0) {
        for (size_t i = 0; l && i < n; i += 2)
            for (size_t c = 0; c < step; c += 8) {
                dsp_fe      *x = a + i * step + c;
                const dsp_v8 u = dsp_v8_load(x), v = dsp_v8_load(x + step);
                dsp_v8_store(x, dsp_v8_add(u, v));
                dsp_v8_store(x + step, dsp_v8_sub(u, v));
            }
        for (; l < m; l += 2)
            long_rows(a, n, (size_t)1 << l, step, tw[l + 2]);
        return;
    }
    /* until 8 words lie between rows: half as wide, on blocks of 2^l rows */
    while (l < m && step << l < 8)
        l += 2;
    for (size_t b = 0; b < n; b += (size_t)1 << l)
        dsp_row_passes_avx2(a + b * step, l, step, tw);
    for (; l < m; l += 2) {
        if (step == 1)
            short_rows(a, n, (size_t)1 << l, 1, tw[l + 2]);
        else if (step == 2)
            short_rows(a, n, (size_t)1 << l, 2, tw[l + 2]);
        else
            short_rows(a, n, (size_t)1 << l, 4, tw[l + 2]);
    }
}
