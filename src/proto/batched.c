#include "proto/batched.h"

#include "field/acc.h"

dsp_status dsp_batched_init(dsp_batched *b, dsp_arena *a, unsigned m, unsigned degree, size_t n, const dsp_field_kernels *fk,
                            dsp_err *err)
{
    *b = (dsp_batched){.m = m, .degree = degree, .fk = fk, .member = DSP_ARENA_N(a, dsp_batched_member, n)};
    return b->member ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "batched sumcheck of %zu members: no memory", n);
}

void dsp_batched_add_product(dsp_batched *b, unsigned v, dsp_ke coef, dsp_ke *x, dsp_ke *z)
{
    b->member[b->n++] = (dsp_batched_member){.v = v, .coef = coef, .f1 = x, .f2 = z, .total = b->fk->ke_dot(x, z, (size_t)1 << v)};
}

/* sum_y E[y] f1(X, y) f2(X, y) at X = 0, 1, 2 from base-field tables. */
static void sums_fe(dsp_ke g[3], const dsp_ke *E, const dsp_fe *x, const dsp_fe *y, size_t h)
{
    dsp_acc_ke s[3] = {{{0, 0}, {0, 0}, {0, 0}}, {{0, 0}, {0, 0}, {0, 0}}, {{0, 0}, {0, 0}, {0, 0}}};
    for (size_t i = 0; i < h; i++) {
        const dsp_fe x2 = dsp_fe_sub(dsp_fe_add(x[h + i], x[h + i]), x[i]), y2 = dsp_fe_sub(dsp_fe_add(y[h + i], y[h + i]), y[i]);
        dsp_acc_ke_mac_fe(&s[0], E[i], dsp_fe_mul(x[i], y[i]));
        dsp_acc_ke_mac_fe(&s[1], E[i], dsp_fe_mul(x[h + i], y[h + i]));
        dsp_acc_ke_mac_fe(&s[2], E[i], dsp_fe_mul(x2, y2));
    }
    for (int k = 0; k < 3; k++)
        g[k] = dsp_acc_ke_reduce(&s[k]);
}

static void sums_ke(dsp_ke g[3], const dsp_ke *E, const dsp_ke *x, const dsp_ke *y, size_t h)
{
    dsp_acc_ke s[3] = {{{0, 0}, {0, 0}, {0, 0}}, {{0, 0}, {0, 0}, {0, 0}}, {{0, 0}, {0, 0}, {0, 0}}};
    for (size_t i = 0; i < h; i++) {
        const dsp_ke x2 = dsp_ke_sub(dsp_ke_add(x[h + i], x[h + i]), x[i]), y2 = dsp_ke_sub(dsp_ke_add(y[h + i], y[h + i]), y[i]);
        dsp_acc_ke_mac(&s[0], E[i], dsp_ke_mul(x[i], y[i]));
        dsp_acc_ke_mac(&s[1], E[i], dsp_ke_mul(x[h + i], y[h + i]));
        dsp_acc_ke_mac(&s[2], E[i], dsp_ke_mul(x2, y2));
    }
    for (int k = 0; k < 3; k++)
        g[k] = dsp_acc_ke_reduce(&s[k]);
}

dsp_status dsp_batched_add_zero(dsp_batched *b, dsp_arena *a, unsigned v, dsp_ke coef, dsp_fe *g1, dsp_fe *g2, const dsp_ke *tau,
                                dsp_err *err)
{
    const size_t       h = v ? (size_t)1 << (v - 1) : 1;
    dsp_batched_member e = {.v = v, .coef = coef, .g1 = g1, .g2 = g2, .tau = tau};
    e.f1 = DSP_ARENA_RAW(a, dsp_ke, h);
    e.f2 = DSP_ARENA_RAW(a, dsp_ke, h);
    e.E = DSP_ARENA_RAW(a, dsp_ke, h);
    if (!e.f1 || !e.f2 || !e.E)
        return dsp_fail(err, DSP_E_NOMEM, "zero-check over 2^%u cells: no memory", v);
    if (v == 0) {
        e.f1[0] = dsp_ke_from(g1[0]);
        e.f2[0] = dsp_ke_from(g2[0]);
        e.total = dsp_ke_mul(e.f1[0], e.f2[0]);
    } else {
        dsp_eq_table(e.E, tau + 1, v - 1);
        sums_fe(e.g, e.E, g1, g2, h);
        e.total = dsp_ke_add(e.g[0], dsp_ke_mul(tau[0], dsp_ke_sub(e.g[1], e.g[0])));
    }
    b->member[b->n++] = e;
    return DSP_OK;
}

static dsp_ke times(dsp_ke x, int64_t c) { return dsp_ke_scale(x, dsp_fe_from_i64(c)); }

/* The value at 3 of a polynomial of degree 2 from those at 0, 1, 2. */
static dsp_ke at3(const dsp_ke g[3]) { return dsp_ke_add(g[0], times(dsp_ke_sub(g[2], g[1]), 3)); }

/* Contribution of an active member at 0, 2 (and 3). */
static void active(const dsp_batched *b, const dsp_batched_member *e, unsigned t, dsp_ke out[3])
{
    const size_t h = (size_t)1 << (e->v - t - 1);
    dsp_ke       g[3];
    if (!e->tau) {
        dsp_ke s[2];
        b->fk->round_fw(s, e->f1, e->f1 + h, e->f2, e->f2 + h, h);
        g[0] = s[0];
        g[1] = b->fk->ke_dot(e->f1 + h, e->f2 + h, h);
        g[2] = s[1];
        out[0] = g[0];
        out[1] = g[2];
        out[2] = at3(g);
        return;
    }
    if (e->g1)
        for (int i = 0; i < 3; i++)
            g[i] = e->g[i];
    else
        sums_ke(g, e->E, e->f1, e->f2, h);
    /* eq(tau, X) = (1 - tau)(1 - X) + tau X: 1 - tau, 3 tau - 1, 5 tau - 2 at 0, 2, 3 */
    const dsp_ke tau = e->tau[t], one = dsp_ke_one();
    out[0] = dsp_ke_mul(dsp_ke_sub(one, tau), g[0]);
    out[1] = dsp_ke_mul(dsp_ke_sub(times(tau, 3), one), g[2]);
    out[2] = dsp_ke_mul(dsp_ke_sub(times(tau, 5), dsp_ke_from_i64(2)), at3(g));
}

void dsp_batched_round(dsp_batched *b, dsp_ke *s)
{
    const dsp_fe half = dsp_fe_inv(dsp_fe_from_i64(2));
    for (unsigned i = 0; i < b->degree; i++)
        s[i] = dsp_ke_zero();
    for (size_t k = 0; k < b->n; k++) {
        dsp_batched_member *e = &b->member[k];
        dsp_ke              v[3];
        if (b->round < b->m - e->v) {
            e->coef = dsp_ke_scale(e->coef, half);
            v[0] = v[1] = v[2] = e->total;
        } else {
            active(b, e, b->round - (b->m - e->v), v);
        }
        for (unsigned i = 0; i < b->degree; i++)
            s[i] = dsp_ke_add(s[i], dsp_ke_mul(e->coef, v[i]));
    }
}

void dsp_batched_bind(dsp_batched *b, dsp_ke r)
{
    for (size_t k = 0; k < b->n; k++) {
        dsp_batched_member *e = &b->member[k];
        if (b->round < b->m - e->v)
            continue;
        const unsigned t = b->round - (b->m - e->v);
        const size_t   h = (size_t)1 << (e->v - t - 1);
        if (e->g1) {
            b->fk->fe_fold(e->f1, e->g1, e->g1 + h, h, r);
            b->fk->fe_fold(e->f2, e->g2, e->g2 + h, h, r);
            e->g1 = e->g2 = NULL;
        } else {
            b->fk->ke_fold(e->f1, e->f1, e->f1 + h, h, r);
            b->fk->ke_fold(e->f2, e->f2, e->f2 + h, h, r);
        }
        if (e->tau) {
            e->coef = dsp_ke_mul(e->coef, dsp_eq_point(&e->tau[t], &r, 1));
            for (size_t y = 0; y < h / 2; y++)
                e->E[y] = dsp_ke_add(e->E[y], e->E[h / 2 + y]);
        }
    }
    b->round++;
}

void dsp_batched_values(const dsp_batched *b, size_t i, dsp_ke *f1, dsp_ke *f2)
{
    *f1 = b->member[i].f1[0];
    *f2 = b->member[i].f2[0];
}
