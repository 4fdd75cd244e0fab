/* Sumcheck on an inner product sum_x F(x) W(x), prover's side (S8.4): F over the base field, W over K, degree 2.
 *
 * The tables hold the first `live` entries of 2^m; the rest is 0 and takes neither memory nor time. */
#ifndef DSP_PROTO_INNER_H
#define DSP_PROTO_INNER_H

#include "base/mem.h"
#include "poly/poly.h"

typedef struct {
    unsigned                 m;     /* variables left */
    size_t                   live;  /* entries of the current tables that may not be 0 */
    const dsp_field_kernels *fk;
    dsp_fe                  *F;     /* round 0 */
    dsp_ke                  *FK;    /* later rounds */
    dsp_ke                  *W;
    dsp_arena               *arena;
} dsp_inner;

/* F and W of `live` <= 2^m entries, zeroed, for the caller to fill. Storage from the arena. Fails: DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_inner_init(dsp_inner *s, dsp_arena *a, unsigned m, size_t live, const dsp_field_kernels *fk, dsp_err *err);
/* s(0), s(2). */
void dsp_inner_round(const dsp_inner *s, dsp_ke v[2]);
void dsp_inner_bind(dsp_inner *s, dsp_ke r);

#endif
