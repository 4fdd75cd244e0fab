/* Array kernels over F and K. Portable C is the definition; the other entries of the table give the same values.
 *
 * The choice is made once (dsp_field_kernels_best) and passed down; tests walk dsp_field_kernels_all() and compare
 * every variant that the machine can run with entry 0. All inputs and outputs canonical; n may be any number; out
 * may be the same array as an input, other overlaps are not allowed. Time does not depend on values.
 */
#ifndef DSP_FIELD_KERNELS_H
#define DSP_FIELD_KERNELS_H

#include "field/fe.h"

typedef struct dsp_field_kernels {
    const char *name;     /* "portable" is entry 0 */
    uint32_t    cpu_bits; /* features it needs */
    /* out[i] = lo[i] + r (hi[i] - lo[i]) */
    void   (*ke_fold)(dsp_ke *out, const dsp_ke *lo, const dsp_ke *hi, size_t n, dsp_ke r);
    /* the same from a base-field table */
    void   (*fe_fold)(dsp_ke *out, const dsp_fe *lo, const dsp_fe *hi, size_t n, dsp_ke r);
    /* sum x[i] y[i] */
    dsp_ke (*ke_dot)(const dsp_ke *x, const dsp_ke *y, size_t n);
    dsp_ke (*ke_dot_fe)(const dsp_ke *x, const dsp_fe *y, size_t n);
    /* acc[i] += c x[i] */
    void   (*ke_axpy)(dsp_ke *acc, const dsp_ke *x, size_t n, dsp_ke c);
    void   (*ke_axpy_fe)(dsp_ke *acc, const dsp_fe *x, size_t n, dsp_ke c);
    /* Opening sumcheck, one round: s[0] = sum f_lo w_lo, s[1] = value at 2 = sum (2 f_hi - f_lo)(2 w_hi - w_lo) */
    void   (*round_fw)(dsp_ke s[2], const dsp_ke *f_lo, const dsp_ke *f_hi, const dsp_ke *w_lo, const dsp_ke *w_hi, size_t n);
    void   (*round_fw_fe)(dsp_ke s[2], const dsp_fe *f_lo, const dsp_fe *f_hi, const dsp_ke *w_lo, const dsp_ke *w_hi, size_t n);
    /* Fraction tree, n pairs (y, h + y) of one round: s[X] for X = 0, 2 of sum_y E[y] (p0 q1 + p1 q0 + lambda q0 q1)(X, y) */
    void   (*round_frac)(dsp_ke s[2], const dsp_ke *E, const dsp_ke *p0, const dsp_ke *p1, const dsp_ke *q0,
                         const dsp_ke *q1, size_t h, size_t n, dsp_ke lambda);
    /* the same with numerators in F */
    void   (*round_leaf)(dsp_ke s[2], const dsp_ke *E, const dsp_fe *p0, const dsp_fe *p1, const dsp_ke *q0,
                         const dsp_ke *q1, size_t h, size_t n, dsp_ke lambda);
    /* Fraction tree, one layer up: p[i] = p0 q1 + p1 q0, q[i] = q0 q1 */
    void   (*frac_up)(dsp_ke *p, dsp_ke *q, const dsp_ke *p0, const dsp_ke *p1, const dsp_ke *q0, const dsp_ke *q1, size_t n);
    void   (*leaf_up)(dsp_ke *p, dsp_ke *q, const dsp_fe *p0, const dsp_fe *p1, const dsp_ke *q0, const dsp_ke *q1, size_t n);
} dsp_field_kernels;

const dsp_field_kernels *dsp_field_kernels_all(void);  /* ends with name == NULL */
/* The best entry for these cpu bits, after a cross-check against portable on a small input. */
const dsp_field_kernels *dsp_field_kernels_best(uint32_t cpu_bits);

#endif
