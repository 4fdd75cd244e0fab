/* The pad tableau: ZK Ligero over K for the pads, their products and linear constraints on them (S9).
 *
 * Rows are polynomials given by their values on H_k = {w_k^i}: t random values, then w = k - t slots; the code is their value at
 * 7 w_n^q. Rows 0 LDT, 1 DOT, 2 QUAD blind the three answers; then nw rows of variables (pads, products), then nq rows each of
 * the copies X, Y, Z with Z = X Y slot by slot.
 *
 * Source: Ames, Hazay, Ishai and Venkitasubramaniam, "Ligero" (CCS 2017; ePrint 2022/1608), sections 4.3 and 4.7, the quadratic test
 * with a public slot pattern instead of a product row; the answers are sent as whole polynomials. Differences: one field
 * extension K for rows and coins, and DOT's slots sum to 0 so that the slot sum of y_dot is the public right-hand side.
 * Soundness: n over |K| for u_ldt, 1 over |K| for the other coins, and the query term of S3 with both binomials.
 */
#ifndef DSP_PCS_PAD_H
#define DSP_PCS_PAD_H

#include "pcs/code.h"
#include "pcs/merkle.h"

typedef struct {
    uint32_t k, n, t;        /* dimension, code length, random places; powers of two k and n, 0 < t < k, 2k - 1 <= n */
    uint32_t nw, nq, n_rows; /* n_rows = 3 + nw + 3 nq */
} dsp_pad_shape;

typedef struct {
    dsp_pad_shape  s;
    const dsp_ntt *ntt;      /* borrowed; lengths up to max(n, 2k) */
    dsp_ke        *ldt, *dot, *quad; /* k, 2k - 1, 2k - 1 coefficients */
    dsp_ke        *row;      /* n_rows - 3 rows of k coefficients */
    dsp_tree       tree;     /* columns of n_rows elements of K */
    uint64_t       drawn;    /* random elements of F, and salts */
} dsp_pad_rows;

/* Builds rows and tree. values: n_values = pads then products; x, y, z: the nprod copies. Randomness from rnd (labels SLOT, LDT, DOT,
 * QUAD, PAD_SALT). Everything lives in the arena. Fails: DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_pad_commit(dsp_pad_rows *p, dsp_arena *a, const dsp_pad_shape *shape, const dsp_ntt *ntt, dsp_pool *pool,
                                       const dsp_rand *rnd, const dsp_ke *values, size_t n_values, const dsp_ke *x, const dsp_ke *y,
                                       const dsp_ke *z, size_t nprod, dsp_err *err);

/* The answers to coins u (n_rows - 3), A ((n_rows - 3) w slot coefficients) and uq (nq):
 *   y_ldt = LDT + sum u_i row_i (k), y_dot = DOT + sum A_i row_i (2k - 1), y_q = QUAD + sum uq_j (Z_j - X_j Y_j) (2k - 1). */
DSP_MUST_USE dsp_status dsp_pad_answer(dsp_ke *y_ldt, dsp_ke *y_dot, dsp_ke *y_q, const dsp_pad_rows *p, const dsp_ke *u,
                                       const dsp_ke *A, const dsp_ke *uq, dsp_arena *scratch, dsp_err *err);

/* Values on H_k of a polynomial with n <= 2k coefficients: reduced mod X^k - 1, then transformed. out: k elements. */
void dsp_pad_on_h(dsp_ke *out, const dsp_ke *poly, size_t n, uint32_t k, const dsp_ntt *ntt);
/* Sum of the slot values (places t .. k-1) of such a polynomial. scratch: k elements. */
dsp_ke dsp_pad_slot_sum(const dsp_ke *poly, size_t n, uint32_t k, uint32_t t, const dsp_ntt *ntt, dsp_ke *scratch);

#endif
