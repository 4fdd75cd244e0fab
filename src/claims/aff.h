/* Linear combinations of affine forms (S7), by a dense accumulator with a list of the variables it touched.
 *
 * A variable is present in a form once it was touched, whatever its coefficient: which ones are present depends on the key
 * alone, never on values. Cost of an addition: one multiplication and one addition in K per term.
 */
#ifndef DSP_CLAIMS_AFF_H
#define DSP_CLAIMS_AFF_H

#include "claims/replay.h"

typedef struct {
    dsp_ke    c;        /* known part */
    dsp_ke   *coef;     /* size entries, 0 where not touched */
    uint8_t  *on;
    uint32_t *list;     /* the n touched ones, in any order */
    uint32_t  n, size;
} dsp_acc;

/* An empty accumulator over variables 0 .. size-1; memory from the arena. */
DSP_MUST_USE dsp_status dsp_acc_init(dsp_acc *s, dsp_arena *a, uint32_t size, dsp_err *err);
/* Moves the form out, variables ascending, arrays from the arena; s is empty afterwards. */
DSP_MUST_USE dsp_status dsp_acc_take(dsp_aff *out, dsp_acc *s, dsp_arena *a, dsp_err *err);
/* s += w f */
void dsp_acc_aff(dsp_acc *s, const dsp_aff *f, dsp_ke w);

static inline void dsp_acc_const(dsp_acc *s, dsp_ke c) { s->c = dsp_ke_add(s->c, c); }
/* s += w * variable i; i < size */
static inline void dsp_acc_var(dsp_acc *s, uint32_t i, dsp_ke w)
{
    if (!s->on[i]) {
        s->on[i] = 1;
        s->list[s->n++] = i;
    }
    s->coef[i] = dsp_ke_add(s->coef[i], w);
}

#endif
