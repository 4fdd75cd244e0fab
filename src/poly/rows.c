/* Decimation in time, two levels per pass: with v of order 4h and rows x0..x3 at distance h,
 *   y1 = x1 v^2j, y2 = x2 v^j, y3 = x3 v^3j,
 *   x0 = (x0 + y1) + (y2 + y3), x1 = (x0 - y1) + i (y2 - y3), x2 = (x0 + y1) - (y2 + y3), x3 = (x0 - y1) - i (y2 - y3). */
#include "poly/rows.h"

#include "base/cpu.h"
#include "base/mem.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

INLINE void cross(dsp_fe *x0, dsp_fe *x1, dsp_fe *x2, dsp_fe *x3, dsp_fe y1, dsp_fe y2, dsp_fe y3)
{
    const dsp_fe s = dsp_fe_add(*x0, y1), d = dsp_fe_sub(*x0, y1);
    const dsp_fe t = dsp_fe_add(y2, y3), u = dsp_fe_mul_i(dsp_fe_sub(y2, y3));
    *x0 = dsp_fe_add(s, t);
    *x1 = dsp_fe_add(d, u);
    *x2 = dsp_fe_sub(s, t);
    *x3 = dsp_fe_sub(d, u);
}

/* step is a constant where this is inlined, so that the inner loops disappear. */
INLINE void passes(dsp_fe *a, unsigned m, size_t step, const dsp_twiddles *tw)
{
    const size_t n = (size_t)1 << m;
    unsigned     l = m % 2;
    if (l)
        for (size_t i = 0; i < n; i += 2)
            for (size_t c = 0; c < step; c++) {
                dsp_fe      *x = a + i * step + c;
                const dsp_fe u = x[0], v = x[step];
                x[0] = dsp_fe_add(u, v);
                x[step] = dsp_fe_sub(u, v);
            }
    for (; l < m; l += 2) {
        const size_t       h = (size_t)1 << l;
        const dsp_twiddles w = tw[l + 2];
        for (size_t b = 0; b < n; b += 4 * h) {
            for (size_t c = 0; c < step; c++) { /* j = 0: the factors are 1 */
                dsp_fe *x = a + b * step + c;
                cross(x, x + h * step, x + 2 * h * step, x + 3 * h * step, x[h * step], x[2 * h * step], x[3 * h * step]);
            }
            for (size_t j = 1; j < h; j++)
                for (size_t c = 0; c < step; c++) {
                    dsp_fe *x0 = a + (b + j) * step + c, *x1 = x0 + h * step, *x2 = x1 + h * step, *x3 = x2 + h * step;
                    cross(x0, x1, x2, x3, dsp_fe_mul(*x1, w.v2[j]), dsp_fe_mul(*x2, w.v1[j]), dsp_fe_mul(*x3, w.v3[j]));
                }
        }
    }
}

void dsp_row_passes_portable(dsp_fe *a, unsigned m, size_t step, const dsp_twiddles *tw)
{
    if (step == 1)
        passes(a, m, 1, tw);
    else if (step == 2)
        passes(a, m, 2, tw);
    else if (step == 4)
        passes(a, m, 4, tw);
    else
        passes(a, m, step, tw);
}

static const dsp_row_kernels table[] = {
    {"portable", 0, dsp_row_passes_portable},
#if defined(DSP_SIMD_X86) && !defined(DSP_TOY_P)
    {"avx2", DSP_CPU_AVX2, dsp_row_passes_avx2},
    {"avx512", DSP_CPU_AVX2 | DSP_CPU_AVX512 | DSP_CPU_AVX512IFMA, dsp_row_passes_avx512},
#endif
    {NULL, 0, NULL}
};

const dsp_row_kernels *dsp_row_kernels_all(void) { return table; }

/* Against portable: 8 rows of 8 words, 16 of 4 and 64 of one, by factors that are arbitrary elements. */
static bool agrees(const dsp_row_kernels *k)
{
    dsp_fe       x[64], y[64], w[3][16];
    uint64_t     s = 1;
    dsp_twiddles tw[7];
    for (size_t i = 0; i < 64; i++) {
        s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        x[i] = y[i] = i % 5 ? dsp_fe_from_u64(s ^ s >> 31) : dsp_fe_neg((dsp_fe){1});
    }
    for (size_t i = 0; i < 48; i++)
        w[i / 16][i % 16] = i % 16 ? dsp_fe_neg(x[i + 7]) : (dsp_fe){1};
    for (size_t i = 0; i < 7; i++)
        tw[i] = (dsp_twiddles){w[0], w[1], w[2]};
    k->passes(x, 3, 8, tw);
    dsp_row_passes_portable(y, 3, 8, tw);
    k->passes(x, 4, 4, tw);
    dsp_row_passes_portable(y, 4, 4, tw);
    k->passes(x, 6, 1, tw);
    dsp_row_passes_portable(y, 6, 1, tw);
    bool same = true;
    for (size_t i = 0; i < 64; i++)
        same = same && dsp_fe_eq(x[i], y[i]);
    return same;
}

const dsp_row_kernels *dsp_row_kernels_best(uint32_t cpu_bits)
{
    const dsp_row_kernels *best = &table[0];
    for (const dsp_row_kernels *k = &table[1]; k->name; k++)
        if ((k->cpu_bits & ~cpu_bits) == 0 && agrees(k))
            best = k;
    return best;
}
