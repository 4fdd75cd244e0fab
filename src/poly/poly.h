/* Multilinear tables, Lagrange weights, number-theoretic transforms and Reed-Solomon codes (S1, S3).
 *
 * Coordinate 0 of a point belongs to the most significant index bit, everywhere. Transforms take and give natural order:
 * out[q] = sum_j a[j] w^(jq), w = dsp_fe_root(n).
 */
#ifndef DSP_POLY_POLY_H
#define DSP_POLY_POLY_H

#include "dsperse/status.h"
#include "field/fe.h"
#include "field/kernels.h"

/* out[i] = eq(z, i) for i < 2^m; out has 2^m elements; m = 0 gives [1]. */
void   dsp_eq_table(dsp_ke *out, const dsp_ke *z, unsigned m);
/* The first d <= 2^m entries of the same table; writes d elements only. */
void   dsp_eq_table_cut(dsp_ke *out, const dsp_ke *z, unsigned m, size_t d);
/* eq(z, bits of idx), m coordinates, most significant bit first. */
dsp_ke dsp_eq_index(const dsp_ke *z, unsigned m, uint64_t idx);
dsp_ke dsp_eq_point(const dsp_ke *z, const dsp_ke *x, unsigned m);
/* w[0..d]: weights of the values at 0..d for the value at r; d <= 3. */
void   dsp_lagrange(dsp_ke *w, dsp_ke r, unsigned d);

/* Twiddle factors for lengths up to 2^log2_max; read-only after creation, shared by threads. */
typedef struct dsp_ntt dsp_ntt;
dsp_ntt *dsp_ntt_create(unsigned log2_max);    /* NULL: no memory, or p - 1 has no such root */
void     dsp_ntt_free(dsp_ntt *t);
/* In place, length 2^m. */
void dsp_ntt_forward(const dsp_ntt *t, dsp_fe *a, unsigned m);
void dsp_ntt_inverse(const dsp_ntt *t, dsp_fe *a, unsigned m);   /* values -> coefficients */
/* Values at coset * w_n^q, q < n = 2^m, of the polynomial with n_coef <= n coefficients. out has n elements, no alias. */
void dsp_rs_encode(const dsp_ntt *t, dsp_fe *out, unsigned m, const dsp_fe *coef, size_t n_coef, dsp_fe coset);
/* The same maps on both coordinates of K; scratch-free interfaces, a has 2^m elements. */
void dsp_ntt_forward_ke(const dsp_ntt *t, dsp_ke *a, unsigned m);
void dsp_ntt_inverse_ke(const dsp_ntt *t, dsp_ke *a, unsigned m);
void dsp_rs_encode_ke(const dsp_ntt *t, dsp_ke *out, unsigned m, const dsp_ke *coef, size_t n_coef, dsp_fe coset);

#endif
