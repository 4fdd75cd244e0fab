/* A batched sumcheck of members with different numbers of variables, prover's side (S8.3).
 *
 * A member of v variables takes part in the last v of m rounds with f(last v variables) = a z (degree 2), or eq(tau, .) f1 f2
 * (degree 3) over base-field tables; in an idle round it adds the constant coef sum_f / 2^(i+1). In the second kind the factor
 * eq(tau_t, X) of the round's own variable is taken out: what is left has degree 2, and E shrinks by adding its halves.
 */
#ifndef DSP_PROTO_BATCHED_H
#define DSP_PROTO_BATCHED_H

#include "base/mem.h"
#include "poly/poly.h"

typedef struct {
    unsigned      v;
    dsp_ke        coef;       /* weight of the member; halved by idle rounds, and the bound eq factors of a zero-check */
    dsp_ke        total;      /* sum of f over the cube */
    dsp_ke       *f1, *f2;    /* tables over K */
    dsp_fe       *g1, *g2;    /* zero-check before its first bind: base-field tables; else NULL */
    const dsp_ke *tau;        /* zero-check: v coordinates (borrowed); product: NULL */
    dsp_ke       *E;          /* zero-check: eq over the variables after the current one */
    dsp_ke        g[3];       /* zero-check: sums at X = 0, 1, 2 of the first round */
} dsp_batched_member;

typedef struct {
    unsigned                 m, round, degree; /* degree 2 or 3: degree values a round */
    size_t                   n;
    dsp_batched_member      *member;
    const dsp_field_kernels *fk;
} dsp_batched;

/* Members are added in order; n is the number there will be. */
DSP_MUST_USE dsp_status dsp_batched_init(dsp_batched *b, dsp_arena *a, unsigned m, unsigned degree, size_t n, const dsp_field_kernels *fk,
                                         dsp_err *err);
/* A product of two tables of 2^v elements, taken (folded in place). */
void dsp_batched_add_product(dsp_batched *b, unsigned v, dsp_ke coef, dsp_ke *x, dsp_ke *z);
/* eq(tau, .) g1 g2; tables of 2^v elements and tau are borrowed until the end. Storage from the arena. Fails: DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_batched_add_zero(dsp_batched *b, dsp_arena *a, unsigned v, dsp_ke coef, dsp_fe *g1, dsp_fe *g2,
                                             const dsp_ke *tau, dsp_err *err);
/* s(0), s(2) and, where degree is 3, s(3). */
void dsp_batched_round(dsp_batched *b, dsp_ke *s);
void dsp_batched_bind(dsp_batched *b, dsp_ke r);
/* The two tables' values at the point, when all rounds are bound. */
void dsp_batched_values(const dsp_batched *b, size_t i, dsp_ke *f1, dsp_ke *f2);

#endif
