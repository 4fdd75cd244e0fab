#include "proto/inner.h"

#include <string.h>

dsp_status dsp_inner_init(dsp_inner *s, dsp_arena *a, unsigned m, size_t live, const dsp_field_kernels *fk, dsp_err *err)
{
    *s = (dsp_inner){.m = m, .live = live, .fk = fk, .arena = a};
    const size_t half = m ? (size_t)1 << (m - 1) : 1;
    s->F = DSP_ARENA_N(a, dsp_fe, live);
    s->W = DSP_ARENA_N(a, dsp_ke, live);
    s->FK = DSP_ARENA_RAW(a, dsp_ke, live < half ? live : half);
    if (!s->F || !s->W || !s->FK)
        return dsp_fail(err, DSP_E_NOMEM, "opening sumcheck over 2^%u cells: no memory", m);
    return DSP_OK;
}

/* n_hi pairs have both ends, the entries from n_hi to n_lo have a low end only. */
static void split(const dsp_inner *s, size_t *half, size_t *n_hi, size_t *n_lo)
{
    *half = (size_t)1 << (s->m - 1);
    *n_hi = s->live > *half ? s->live - *half : 0;
    *n_lo = s->live < *half ? s->live : *half;
}

void dsp_inner_round(const dsp_inner *s, dsp_ke v[2])
{
    size_t half, n_hi, n_lo;
    split(s, &half, &n_hi, &n_lo);
    dsp_ke rest; /* f_hi = w_hi = 0: the values at 0 and at 2, (-f)(-w), are the same */
    if (s->F) {
        s->fk->round_fw_fe(v, s->F, s->F + half, s->W, s->W + half, n_hi);
        rest = s->fk->ke_dot_fe(s->W + n_hi, s->F + n_hi, n_lo - n_hi);
    } else {
        s->fk->round_fw(v, s->FK, s->FK + half, s->W, s->W + half, n_hi);
        rest = s->fk->ke_dot(s->FK + n_hi, s->W + n_hi, n_lo - n_hi);
    }
    v[0] = dsp_ke_add(v[0], rest);
    v[1] = dsp_ke_add(v[1], rest);
}

/* v[i] *= c */
static void scale(const dsp_field_kernels *fk, dsp_ke *v, size_t n, dsp_ke c)
{
    enum { N = 256 };
    dsp_ke part[N];
    for (size_t i = 0; i < n; i += N) {
        const size_t m = n - i < N ? n - i : N;
        memcpy(part, v + i, m * sizeof *part);
        memset(v + i, 0, m * sizeof *part);
        fk->ke_axpy(v + i, part, m, c);
    }
    dsp_wipe(part, sizeof part);
}

void dsp_inner_bind(dsp_inner *s, dsp_ke r)
{
    size_t half, n_hi, n_lo;
    split(s, &half, &n_hi, &n_lo);
    const dsp_ke c = dsp_ke_sub(dsp_ke_one(), r);
    if (s->F) {
        s->fk->fe_fold(s->FK, s->F, s->F + half, n_hi, r);
        memset(s->FK + n_hi, 0, (n_lo - n_hi) * sizeof *s->FK);
        s->fk->ke_axpy_fe(s->FK + n_hi, s->F + n_hi, n_lo - n_hi, c);
        s->F = NULL;
    } else {
        s->fk->ke_fold(s->FK, s->FK, s->FK + half, n_hi, r);
        scale(s->fk, s->FK + n_hi, n_lo - n_hi, c);
    }
    s->fk->ke_fold(s->W, s->W, s->W + half, n_hi, r);
    scale(s->fk, s->W + n_hi, n_lo - n_hi, c);
    s->live = n_lo;
    s->m--;
}
