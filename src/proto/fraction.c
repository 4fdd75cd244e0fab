#include "proto/fraction.h"

#include <string.h>

enum { PER_JOB = 2048 }; /* pairs or nodes: 128 KiB of q0 and q1 stay in a core's cache */

dsp_status dsp_fraction_init(dsp_fraction *f, dsp_arena *a, unsigned nu, const dsp_field_kernels *fk, dsp_err *err)
{
    const size_t n = (size_t)1 << nu;
    *f = (dsp_fraction){.nu = nu, .fk = fk};
    f->leaf_p = DSP_ARENA_RAW(a, dsp_fe, n);
    f->leaf_q = DSP_ARENA_RAW(a, dsp_ke, n);
    f->p = DSP_ARENA_RAW(a, dsp_ke, n);
    f->q = DSP_ARENA_RAW(a, dsp_ke, n);
    f->E = DSP_ARENA_RAW(a, dsp_ke, n >= 4 ? n / 4 : 1);
    f->part = dsp_arena_raw(a, n / 4 / PER_JOB + 1, sizeof *f->part);
    if (!f->leaf_p || !f->leaf_q || !f->p || !f->q || !f->E || !f->part)
        return dsp_fail(err, DSP_E_NOMEM, "fraction tree of 2^%u leaves: no memory", nu);
    return DSP_OK;
}

typedef struct { dsp_fraction *f; size_t n; } up_job;

/* Nodes [i0, i0 + n) of layer nu - 1: numerators of the leaves are in F. */
static void up_leaves(void *arg, size_t job, unsigned thread)
{
    const up_job *j = arg;
    dsp_fraction *f = j->f;
    const size_t  h = j->n, i0 = job * PER_JOB, n = h - i0 < PER_JOB ? h - i0 : PER_JOB;
    (void)thread;
    f->fk->leaf_up(f->p + h + i0, f->q + h + i0, f->leaf_p + i0, f->leaf_p + h + i0, f->leaf_q + i0, f->leaf_q + h + i0, n);
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

/* dsp_eq_table from the last coordinate to the first: each doubles the table by whole halves, which the kernels do fast. */
static void eq_table(dsp_ke *out, const dsp_ke *z, unsigned m, const dsp_field_kernels *fk)
{
    out[0] = dsp_ke_one();
    for (unsigned k = m; k-- > 0;) {
        const size_t n = (size_t)1 << (m - 1 - k);
        memset(out + n, 0, n * sizeof *out);
        fk->ke_axpy(out + n, out, n, z[k]);
        for (size_t i = 0; i < n; i++)
            out[i] = dsp_ke_sub(out[i], out[n + i]);
    }
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
        eq_table(f->E, xi + 1, j - 2, f->fk);
}

typedef struct { const dsp_fraction *f; dsp_ke rho, (*part)[2]; } round_job;

static void round_part(void *arg, size_t job, unsigned thread)
{
    const round_job    *j = arg;
    const dsp_fraction *f = j->f;
    const size_t        h = f->len / 2, i = job * PER_JOB, n = h - i < PER_JOB ? h - i : PER_JOB;
    (void)thread;
    if (f->p_fe)
        f->fk->round_leaf(j->part[job], f->E + i, f->p_fe + i, f->p_fe + f->len + i, f->q0 + i, f->q1 + i, h, n, f->lambda);
    else
        f->fk->round_frac(j->part[job], f->E + i, f->p0 + i, f->p1 + i, f->q0 + i, f->q1 + i, h, n, f->lambda);
}

void dsp_fraction_round(dsp_fraction *f, dsp_ke s[2], dsp_pool *pool)
{
    const size_t jobs = (f->len / 2 + PER_JOB - 1) / PER_JOB;
    round_job    j = {.f = f, .part = f->part};
    dsp_pool_run(pool, jobs, round_part, &j);
    s[0] = f->part[0][0];
    s[1] = f->part[0][1];
    for (size_t i = 1; i < jobs; i++) {
        s[0] = dsp_ke_add(s[0], f->part[i][0]);
        s[1] = dsp_ke_add(s[1], f->part[i][1]);
    }
}

/* Entries [i, i + n) of the next round's tables. Each job reads and writes its own entries of the lower half, and reads the upper. */
static void bind_part(void *arg, size_t job, unsigned thread)
{
    const round_job         *j = arg;
    const dsp_fraction      *f = j->f;
    const dsp_field_kernels *fk = f->fk;
    const size_t             h = f->len / 2, i = job * PER_JOB, n = h - i < PER_JOB ? h - i : PER_JOB;
    (void)thread;
    if (f->p_fe) {
        const dsp_fe *p0 = f->p_fe + i, *p1 = p0 + f->len;
        fk->fe_fold(f->p + i, p0, p0 + h, n, j->rho);
        fk->fe_fold(f->p + h + i, p1, p1 + h, n, j->rho);
    } else {
        fk->ke_fold(f->p0 + i, f->p0 + i, f->p0 + h + i, n, j->rho);
        fk->ke_fold(f->p1 + i, f->p1 + i, f->p1 + h + i, n, j->rho);
    }
    fk->ke_fold(f->q0 + i, f->q0 + i, f->q0 + h + i, n, j->rho);
    fk->ke_fold(f->q1 + i, f->q1 + i, f->q1 + h + i, n, j->rho);
}

void dsp_fraction_bind(dsp_fraction *f, dsp_ke rho, dsp_pool *pool)
{
    const size_t h = f->len / 2;
    round_job    j = {.f = f, .rho = rho};
    dsp_pool_run(pool, (h + PER_JOB - 1) / PER_JOB, bind_part, &j);
    if (f->p_fe) { /* the upper layers are used up: their storage took the folded numerators */
        f->p0 = f->p;
        f->p1 = f->p + h;
        f->p_fe = NULL;
    }
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
