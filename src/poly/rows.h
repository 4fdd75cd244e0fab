/* The passes of a transform over rows: element j of the transform is the row of `step` words at a + j * step, and every word
 * of a row is transformed alike, with the same factors. step = 1 is a transform over F, 2 over K, and a code of rate 1/4 is
 * four quarter-length transforms side by side (ntt.c). Portable C is the definition of the variants. */
#ifndef DSP_POLY_ROWS_H
#define DSP_POLY_ROWS_H

#include "poly/poly.h"

/* Factors of the radix-4 pass that ends at length 2^m: v^j, v^2j, v^3j with v of order 2^m, j < 2^(m-2). A pass may
 * skip the products by entry 0. */
typedef struct { const dsp_fe *v1, *v2, *v3; } dsp_twiddles;

typedef struct {
    const char *name;
    uint32_t    cpu_bits;
    /* 2^m rows, row j of the input at the place with the bits of j reversed; natural order comes out. tw[l] for l <= m. */
    void (*passes)(dsp_fe *a, unsigned m, size_t step, const dsp_twiddles *tw);
} dsp_row_kernels;

const dsp_row_kernels *dsp_row_kernels_all(void);  /* entry 0 is portable; ends with name == NULL */
const dsp_row_kernels *dsp_row_kernels_best(uint32_t cpu_bits);

void dsp_row_passes_portable(dsp_fe *a, unsigned m, size_t step, const dsp_twiddles *tw);
void dsp_row_passes_avx2(dsp_fe *a, unsigned m, size_t step, const dsp_twiddles *tw);
void dsp_row_passes_avx512(dsp_fe *a, unsigned m, size_t step, const dsp_twiddles *tw);

/* x times the root of unity of order 4, which is 2^48 in the full field. */
static inline dsp_fe dsp_fe_mul_i(dsp_fe x)
{
#ifdef DSP_TOY_P
    return dsp_fe_mul(x, dsp_fe_root(4));
#else
    return dsp_fe_reduce128((dsp_u128)x.v << 48);
#endif
}

#endif
