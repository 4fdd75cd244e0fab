#include "proto/fraction.h"

dsp_status dsp_fraction_init(dsp_fraction *f, dsp_arena *a, unsigned nu, const dsp_field_kernels *fk, dsp_err *err)
{
    const size_t n = (size_t)1 << nu;
    *f = (dsp_fraction){.nu = nu, .fk = fk};
    f->leaf_p = DSP_ARENA_RAW(a, dsp_fe, n);
    f->leaf_q = DSP_ARENA_RAW(a, dsp_ke, n);
    f->p = DSP_ARENA_RAW(a, dsp_ke, n);
    f->q = DSP_ARENA_RAW(a, dsp_ke, n);
    f->E = DSP_ARENA_RAW(a, dsp_ke, n >= 4 ? n / 4 : 1);
    if (!f->leaf_p || !f->leaf_q || !f->p || !f->q || !f->E)
        return dsp_fail(err, DSP_E_NOMEM, "fraction tree of 2^%u leaves: no memory", nu);
    return DSP_OK;
}

enum { PER_JOB = 2048 };

typedef struct { dsp_fraction *f; size_t n; } up_job;

/* Nodes [i0, i0 + n) of layer nu - 1: numerators of the leaves are in F. */
static void up_leaves(void *arg, size_t job, unsigned thread)
{
    const up_job *j = arg;
    dsp_fraction *f = j->f;
    const size_t  h = j->n, i0 = job * PER_JOB, i1 = h - i0 < PER_JOB ? h : i0 + PER_JOB;
    (void)thread;
    for (size_t i = i0; i < i1; i++) {
        const dsp_ke q0 = f->leaf_q[i], q1 = f->leaf_q[h + i];
        f->p[h + i] = dsp_ke_add(dsp_ke_scale(q1, f->leaf_p[i]), dsp_ke_scale(q0, f->leaf_p[h + i]));
        f->q[h + i] = dsp_ke_mul(q0, q1);
    }
}

static void up_layer(void *arg, size_t job, unsigned thread)
{
    const up_job *j = arg;
    dsp_fraction *f = j->f;
    const size_t  h = j->n, i0 = job * PER_JOB, n = h - i0 < PER_JOB ? h - i0 : PER_JOB;
    const dsp_ke *p = f->p + 2 * h + i0, *q = f->q + 2 * h + i0;
    (void)thread;
    f->fk->frac_up(f->p + h + i0, f->q + h + i0, p, p + h, q, q + h, n);
}

void dsp_fraction_build(dsp_fraction *f, dsp_pool *pool)
{
    up_job j = {f, (size_t)1 << (f->nu - 1)};
    dsp_pool_run(pool, (j.n + PER_JOB - 1) / PER_JOB, up_leaves, &j);
    for (j.n /= 2; j.n; j.n /= 2)
        dsp_pool_run(j.n > PER_JOB ? pool : NULL, (j.n + PER_JOB - 1) / PER_JOB, up_layer, &j);
}

void dsp_fraction_layer(dsp_fraction *f, unsigned j, const dsp_ke *xi, dsp_ke lambda)
{
    f->layer = j;
    f->round = 0;
    f->lambda = lambda;
    f->len = (size_t)1 << (j - 1);
    f->p_fe = j == f->nu ? f->leaf_p : NULL;
    f->p0 = f->p + 2 * f->len; /* past the end for j = nu: set when the first round is bound */
    f->p1 = f->p0 + f->len;
    f->q0 = j == f->nu ? f->leaf_q : f->q + 2 * f->len;
    f->q1 = f->q0 + f->len;
    if (j == f->nu)
        f->p0 = f->p1 = f->p;
    if (j >= 2)
        dsp_eq_table(f->E, xi + 1, j - 2);
}

/* round_frac with numerators in F: p (X) and q (X) at X = 0 and 2. */
static void round_leaves(dsp_fraction *f, dsp_ke s[2])
{
    const size_t  h = f->len / 2;
    const dsp_fe *p0 = f->p_fe, *p1 = p0 + f->len;
    const dsp_ke *q0 = f->q0, *q1 = f->q1;
    dsp_ke        s0 = dsp_ke_zero(), s2 = dsp_ke_zero();
    for (size_t y = 0; y < h; y++) {
        const dsp_ke c = q0[y], d = q1[y];
        const dsp_ke v = dsp_ke_add(dsp_ke_scale(d, p0[y]), dsp_ke_mul(c, dsp_ke_add(dsp_ke_from(p1[y]), dsp_ke_mul(f->lambda, d))));
        const dsp_fe a2 = dsp_fe_sub(dsp_fe_add(p0[h + y], p0[h + y]), p0[y]), b2 = dsp_fe_sub(dsp_fe_add(p1[h + y], p1[h + y]), p1[y]);
        const dsp_ke c2 = dsp_ke_sub(dsp_ke_add(q0[h + y], q0[h + y]), c), d2 = dsp_ke_sub(dsp_ke_add(q1[h + y], q1[h + y]), d);
        const dsp_ke v2 = dsp_ke_add(dsp_ke_scale(d2, a2), dsp_ke_mul(c2, dsp_ke_add(dsp_ke_from(b2), dsp_ke_mul(f->lambda, d2))));
        s0 = dsp_ke_add(s0, dsp_ke_mul(f->E[y], v));
        s2 = dsp_ke_add(s2, dsp_ke_mul(f->E[y], v2));
    }
    s[0] = s0;
    s[1] = s2;
}

void dsp_fraction_round(dsp_fraction *f, dsp_ke s[2], dsp_pool *pool)
{
    (void)pool;
    if (f->p_fe)
        round_leaves(f, s);
    else
        f->fk->round_frac(s, f->E, f->p0, f->p1, f->q0, f->q1, f->len / 2, f->lambda);
}

void dsp_fraction_bind(dsp_fraction *f, dsp_ke rho, dsp_pool *pool)
{
    const size_t h = f->len / 2;
    (void)pool;
    if (f->p_fe) { /* the upper layers are used up: their storage takes the folded numerators */
        f->p0 = f->p;
        f->p1 = f->p + h;
        f->fk->fe_fold(f->p0, f->p_fe, f->p_fe + h, h, rho);
        f->fk->fe_fold(f->p1, f->p_fe + f->len, f->p_fe + f->len + h, h, rho);
        f->p_fe = NULL;
    } else {
        f->fk->ke_fold(f->p0, f->p0, f->p0 + h, h, rho);
        f->fk->ke_fold(f->p1, f->p1, f->p1 + h, h, rho);
    }
    f->fk->ke_fold(f->q0, f->q0, f->q0 + h, h, rho);
    f->fk->ke_fold(f->q1, f->q1, f->q1 + h, h, rho);
    for (size_t y = 0; y < h / 2; y++)
        f->E[y] = dsp_ke_add(f->E[y], f->E[h / 2 + y]);
    f->len = h;
    f->round++;
}

void dsp_fraction_values(const dsp_fraction *f, dsp_ke v[4])
{
    v[0] = f->p_fe ? dsp_ke_from(f->p_fe[0]) : f->p0[0];
    v[1] = f->p_fe ? dsp_ke_from(f->p_fe[1]) : f->p1[0];
    v[2] = f->q0[0];
    v[3] = f->q1[0];
}
