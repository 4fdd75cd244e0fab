/* Inside the claims layer: from hidden values to claims and linear constraints (S7). */
#ifndef DSP_CLAIMS_CLAIMS_H
#define DSP_CLAIMS_CLAIMS_H

#include "claims/aff.h"

/* Where the parts of the hidden values start among the pads, and the accumulator that forms are built in (empty between uses). */
typedef struct {
    dsp_replay *r;
    dsp_acc     acc;
    uint32_t    h0, hm0, aux0, fin0;   /* columns, multiplicities, aux values, step-3 finals */
    uint32_t    max_constraints;
    dsp_fe      half;                  /* 1/2 */
} dsp_builder;

/* acc += w * hidden value i (its form is sent[i] + pad i) */
static inline void dsp_hidden(dsp_builder *b, uint32_t i, dsp_ke w)
{
    dsp_acc_const(&b->acc, dsp_ke_mul(w, b->r->sent[i]));
    dsp_acc_var(&b->acc, i, w);
}
/* Moves the accumulator into the next constraint, form = 0. */
DSP_MUST_USE dsp_status dsp_constrain(dsp_builder *b, uint8_t check, dsp_err *err);

/* The last m coordinates of z, which has len of them: m <= len by the key's derivation (DSP_E_BUG otherwise). */
DSP_MUST_USE dsp_status dsp_last(const dsp_ke **out, const dsp_ke *z, uint32_t len, uint32_t m, dsp_err *err);
/* The point of a lin op's claim: xi, or tau where the op is at tau. */
DSP_MUST_USE dsp_status dsp_op_point(const dsp_ke **z, const dsp_replay *r, uint32_t op, dsp_err *err);
/* acc += w T(z): the value at z of (sum of the terms of op) * M, without bias. */
DSP_MUST_USE dsp_status dsp_target(dsp_builder *b, uint32_t op, const dsp_ke *z, dsp_ke w, dsp_err *err);

/* Every claim in order: public terms evaluated, the rest into r->ledger, those without committed terms as V10; then V12. */
DSP_MUST_USE dsp_status dsp_claims_build(dsp_builder *b, dsp_err *err);

#endif
