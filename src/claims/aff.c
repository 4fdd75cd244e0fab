#include "claims/aff.h"

#include <string.h>

dsp_status dsp_acc_init(dsp_acc *s, dsp_arena *a, uint32_t size, dsp_err *err)
{
    *s = (dsp_acc){.size = size};
    s->coef = DSP_ARENA_N(a, dsp_ke, size);
    s->on = DSP_ARENA_N(a, uint8_t, size);
    s->list = DSP_ARENA_N(a, uint32_t, size);
    if (!s->coef || !s->on || !s->list)
        return dsp_fail(err, DSP_E_NOMEM, "claims: no memory for forms over %u variables", size);
    return DSP_OK;
}

void dsp_acc_aff(dsp_acc *s, const dsp_aff *f, dsp_ke w)
{
    s->c = dsp_ke_add(s->c, dsp_ke_mul(f->c, w));
    for (uint32_t i = 0; i < f->n; i++)
        dsp_acc_var(s, f->var[i], dsp_ke_mul(f->coef[i], w));
}

/* Ascending order: short lists by insertion (they come nearly sorted), long ones by a walk over the flags. */
static void sort_list(dsp_acc *s)
{
    enum { SHORT = 32 };
    if (s->n > SHORT) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < s->size; i++)
            if (s->on[i])
                s->list[n++] = i;
        return;
    }
    for (uint32_t i = 1; i < s->n; i++) {
        const uint32_t v = s->list[i];
        uint32_t       j = i;
        for (; j > 0 && s->list[j - 1] > v; j--)
            s->list[j] = s->list[j - 1];
        s->list[j] = v;
    }
}

dsp_status dsp_acc_take(dsp_aff *out, dsp_acc *s, dsp_arena *a, dsp_err *err)
{
    *out = (dsp_aff){.c = s->c, .n = s->n};
    out->var = DSP_ARENA_RAW(a, uint32_t, s->n);
    out->coef = DSP_ARENA_RAW(a, dsp_ke, s->n);
    if (!out->var || !out->coef)
        return dsp_fail(err, DSP_E_NOMEM, "claims: no memory for a form of %u terms", s->n);
    sort_list(s);
    for (uint32_t i = 0; i < s->n; i++) {
        const uint32_t v = s->list[i];
        out->var[i] = v;
        out->coef[i] = s->coef[v];
        s->coef[v] = dsp_ke_zero();
        s->on[v] = 0;
    }
    s->c = dsp_ke_zero();
    s->n = 0;
    return DSP_OK;
}
