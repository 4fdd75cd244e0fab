/* A sum of fractions as a layered circuit, prover's side (S8.2): node (p, q) = (p0 q1 + p1 q0, q0 q1), children by the first index
 * bit; layer j has 2^j nodes, layer nu holds the leaves.
 *
 * For each layer j >= 2 a sumcheck over j - 1 variables on eq(xi, y) [p0 q1 + p1 q0 + lambda q0 q1](y), the factor of the round's
 * own variable taken out: the E table of round t is the previous one's halves added. Layers are folded in place, so each is used
 * once and in ascending order. Numerators of the leaves are elements of F.
 *
 * Sources: Papini and Haboeck, "Improving logarithmic derivative lookups using GKR" (ePrint 2023/1284); Gruen, "Some
 * improvements for the PIOP for ZeroCheck" (ePrint 2024/108), section 3.2, for the factor.
 */
#ifndef DSP_PROTO_FRACTION_H
#define DSP_PROTO_FRACTION_H

#include "base/mem.h"
#include "base/pool.h"
#include "poly/poly.h"

typedef struct {
    unsigned                 nu;
    const dsp_field_kernels *fk;
    dsp_fe                  *leaf_p; /* 2^nu, set by the caller before build */
    dsp_ke                  *leaf_q; /* 2^nu, likewise */
    dsp_ke                  *p, *q;  /* layer j < nu at [2^j, 2^(j+1)) */
    dsp_ke                  *E;      /* 2^(nu-2) */
    dsp_ke                 (*part)[2]; /* sums of the jobs of a round */
    unsigned                 layer, round;
    dsp_ke                   lambda;
    size_t                   len;    /* elements of each of the four tables of the current round */
    dsp_fe                  *p_fe;   /* round 0 of the last layer: numerators, both halves; else NULL */
    dsp_ke                  *p0, *p1, *q0, *q1;
} dsp_fraction;

/* Storage for 2^nu leaves from the arena (56 * 2^nu bytes and the table E). nu >= 1. Fails: DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_fraction_init(dsp_fraction *f, dsp_arena *a, unsigned nu, const dsp_field_kernels *fk, dsp_err *err);
/* All layers from the leaves. */
void dsp_fraction_build(dsp_fraction *f, dsp_pool *pool);
/* The root, numerator first; valid until layer 1 is begun. */
static inline dsp_ke dsp_fraction_top(const dsp_fraction *f) { return f->p[1]; }
/* Begins layer j = 1 .. nu, in ascending order, at the claim's point xi[0..j-1). */
void dsp_fraction_layer(dsp_fraction *f, unsigned j, const dsp_ke *xi, dsp_ke lambda);
/* s(0), s(2) of the current round of layer j (j - 1 rounds). */
void dsp_fraction_round(dsp_fraction *f, dsp_ke s[2], dsp_pool *pool);
/* Binds the round's variable. */
void dsp_fraction_bind(dsp_fraction *f, dsp_ke rho, dsp_pool *pool);
/* p0, p1, q0, q1 when all rounds are bound. */
void dsp_fraction_values(const dsp_fraction *f, dsp_ke v[4]);

#endif
