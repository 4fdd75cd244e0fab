/* Lookups: the leaves of the fraction tree, and the values of columns, multiplicities and views at its point (S8.2). */
#include <string.h>

#include "prover/internal.h"

/* Column `c` of the leaves message as field elements are needed one at a time: integers, or elements where a test left them. */
typedef struct { const int64_t *v; const dsp_fe *fe; } column;

static dsp_fe at(const column *c, uint64_t i) { return c->fe ? c->fe[i] : dsp_fe_from_i64(c->v[i]); }

static column true_column(const dsp_prover *P, uint32_t c)
{
    return (column){P->w->column[c], P->w->column_fe ? P->w->column_fe[c] : NULL};
}

static column tree_column(const dsp_prover *P, uint32_t c)
{
#ifdef DSP_TEST_HOOKS
    if (CHEAT(P, fake_cells) && P->args->cheat->fake_column == c)
        return (column){P->args->cheat->fake_cells, NULL};
#endif
    return true_column(P, c);
}

typedef struct { const dsp_prover *P; dsp_fraction *f; dsp_ke alpha, beta, beta2; } leaves_job;

static void segment_leaves(const leaves_job *j, const dsp_segment *s)
{
    const unsigned ly = dsp_lg(s->dims[1]), lx = dsp_lg(s->dims[2]);
    const dsp_ke   base = dsp_ke_sub(j->alpha, dsp_ke_from_i64((int64_t)s->table + 1));
    const column   x = tree_column(j->P, s->col0), y = s->n_cols > 1 ? tree_column(j->P, s->col0 + 1) : x;
    dsp_fe        *p = j->f->leaf_p + s->offset;
    dsp_ke        *q = j->f->leaf_q + s->offset;
    dsp_fe         one = {1};
    uint64_t       cell = 0, next = 0;
#ifdef DSP_TEST_HOOKS
    if (CHEAT(j->P, omit) && j->P->args->cheat->omit[s - j->P->D->segs])
        one = (dsp_fe){0};
#endif
    for (uint32_t c = 0; c < s->dims[0]; c++)
        for (uint32_t r = 0; r < s->dims[1]; r++) {
            const uint64_t i = ((uint64_t)c << ly | r) << lx;
            for (; next < i; next++) {
                p[next] = (dsp_fe){0};
                q[next] = base;
            }
            for (uint32_t k = 0; k < s->dims[2]; k++, cell++, next++) {
                p[next] = one;
                q[next] = dsp_ke_sub(base, dsp_ke_scale(j->beta, at(&x, cell)));
                if (s->n_cols > 1)
                    q[next] = dsp_ke_sub(q[next], dsp_ke_scale(j->beta2, at(&y, cell)));
            }
        }
    for (; next < (uint64_t)1 << s->log2; next++) {
        p[next] = (dsp_fe){0};
        q[next] = base;
    }
}

static void table_leaves(const leaves_job *j, const dsp_used_table *u)
{
    const dsp_table *t = &j->P->D->key->tables[u->table];
    const dsp_ke     base = dsp_ke_sub(j->alpha, dsp_ke_from_i64((int64_t)u->table + 1));
    const column     m = {j->P->w->cells[u->tensor], j->P->w->cells_fe ? j->P->w->cells_fe[u->tensor] : NULL};
    dsp_fe          *p = j->f->leaf_p + u->offset;
    dsp_ke          *q = j->f->leaf_q + u->offset, v = base;
    for (uint64_t i = 0; i < (uint64_t)1 << u->log2; i++) {
        p[i] = dsp_fe_neg(at(&m, i));
        if (t->kind == DSP_TABLE_RANGE) {
            q[i] = v;
            v = dsp_ke_sub(v, j->beta);
        } else {
            q[i] = dsp_ke_sub(base, dsp_ke_add(dsp_ke_scale(j->beta, dsp_fe_from_i64(t->pairs[2 * i])),
                                               dsp_ke_scale(j->beta2, dsp_fe_from_i64(t->pairs[2 * i + 1]))));
        }
    }
}

static void leaves_item(void *arg, size_t i, unsigned thread)
{
    const leaves_job  *j = arg;
    const dsp_derived *D = j->P->D;
    (void)thread;
    if (i < D->n_segs)
        segment_leaves(j, &D->segs[i]);
    else
        table_leaves(j, &D->used[i - D->n_segs]);
}

dsp_status dsp_prover_leaves(dsp_prover *P, dsp_fraction *f, dsp_arena *a, dsp_ke alpha, dsp_ke beta, dsp_err *err)
{
    const dsp_derived *D = P->D;
    const dsp_status   rc = dsp_fraction_init(f, a, D->nu, P->fk, err);
    if (rc != DSP_OK)
        return rc;
    leaves_job j = {P, f, alpha, beta, dsp_ke_mul(beta, beta)};
    dsp_pool_run(P->pool, (size_t)D->n_segs + D->n_used, leaves_item, &j);
    uint64_t end = 0;
    for (uint32_t i = 0; i < D->n_segs; i++)
        if (D->segs[i].offset + ((uint64_t)1 << D->segs[i].log2) > end)
            end = D->segs[i].offset + ((uint64_t)1 << D->segs[i].log2);
    for (uint32_t i = 0; i < D->n_used; i++)
        if (D->used[i].offset + ((uint64_t)1 << D->used[i].log2) > end)
            end = D->used[i].offset + ((uint64_t)1 << D->used[i].log2);
    for (; end < (uint64_t)1 << D->nu; end++) {
        f->leaf_p[end] = (dsp_fe){0};
        f->leaf_q[end] = dsp_ke_one();
    }
    dsp_fraction_build(f, P->pool);
    return DSP_OK;
}

/* ---- values at the tree's point ---- */

/* eq weights of the valid cells of a shape at last(xi, m): outer[c] and inner[y * W + x]; one of the two is the whole shape
 * where the plane is a single cell. */
typedef struct { uint32_t dims[3]; dsp_ke *outer, *inner; uint64_t plane; } weights;

static dsp_status weights_at(weights *w, dsp_arena *a, const uint32_t dims[3], const dsp_ke *z, dsp_err *err)
{
    const unsigned l0 = dsp_lg(dims[0]), l1 = dsp_lg(dims[1]), l2 = dsp_lg(dims[2]);
    memcpy(w->dims, dims, sizeof w->dims);
    w->plane = (uint64_t)dims[1] * dims[2];
    w->outer = DSP_ARENA_RAW(a, dsp_ke, dims[0]);
    w->inner = DSP_ARENA_RAW(a, dsp_ke, w->plane);
    dsp_ke *y = DSP_ARENA_RAW(a, dsp_ke, dims[1]), *x = DSP_ARENA_RAW(a, dsp_ke, dims[2]);
    if (!w->outer || !w->inner || !y || !x)
        return dsp_fail(err, DSP_E_NOMEM, "values of lookup columns: no memory");
    dsp_eq_table_cut(w->outer, z, l0, dims[0]);
    dsp_eq_table_cut(y, z + l0, l1, dims[1]);
    dsp_eq_table_cut(x, z + l0 + l1, l2, dims[2]);
    for (uint64_t i = 0; i < dims[1]; i++)
        for (uint64_t k = 0; k < dims[2]; k++)
            w->inner[i * dims[2] + k] = dsp_ke_mul(y[i], x[k]);
    return DSP_OK;
}

static dsp_ke dot_column(const dsp_field_kernels *fk, const dsp_ke *e, const column *c, uint64_t from, uint64_t n)
{
    enum { N = 256 };
    if (c->fe)
        return fk->ke_dot_fe(e, c->fe + from, n);
    dsp_fe buf[N];
    dsp_ke s = dsp_ke_zero();
    for (uint64_t i = 0; i < n; i += N) {
        const uint64_t m = n - i < N ? n - i : N;
        for (uint64_t k = 0; k < m; k++)
            buf[k] = dsp_fe_from_i64(c->v[from + i + k]);
        s = dsp_ke_add(s, fk->ke_dot_fe(e + i, buf, m));
    }
    dsp_wipe(buf, sizeof buf);
    return s;
}

static dsp_ke value_at(const dsp_field_kernels *fk, const weights *w, const column *c)
{
    if (w->plane == 1)
        return dsp_ke_mul(w->inner[0], dot_column(fk, w->outer, c, 0, w->dims[0]));
    dsp_ke s = dsp_ke_zero();
    for (uint32_t i = 0; i < w->dims[0]; i++)
        s = dsp_ke_add(s, dsp_ke_mul(w->outer[i], dot_column(fk, w->inner, c, i * w->plane, w->plane)));
    return s;
}

/* Value with multipliers of a view term at its op's point, on the witness. */
static dsp_status view_value(dsp_prover *P, const dsp_replay *r, uint32_t op, uint32_t term, dsp_ke *v, dsp_err *err)
{
    const dsp_derived *D = P->D;
    const dsp_op      *o = &D->key->ops[op];
    const dsp_term    *t = &o->terms[term];
    const uint32_t    *od = D->tensors[o->out].dims, *xd = D->tensors[t->view.x].dims;
    const unsigned     m = dsp_dlog(od);
    const dsp_ke      *z = D->op_at_tau[op] ? r->tau + (D->ntau - m) : r->xi + (D->nu - m);
    dsp_ke            *es[3];
    dsp_functional     f;
    dsp_status         rc = dsp_scaled_eq(es, P->arena, D, op, z, err);
    if (rc == DSP_OK)
        rc = dsp_sep_view(&f, P->arena, t->view.x, xd, od, &t->view, z, es, err);
    if (rc == DSP_OK)
        rc = dsp_functional_value(v, &f, P->w->cells[t->view.x], P->arena, err);
    return rc;
}

dsp_status dsp_prover_leaf_values(dsp_prover *P, const dsp_replay *r, dsp_ke *v, size_t n, dsp_err *err)
{
    const dsp_derived *D = P->D;
    weights            w = {{0, 0, 0}, NULL, NULL, 0};
    dsp_status         rc;
    if (n != (size_t)D->n_columns + D->n_used + D->n_aux_vals)
        return dsp_fail(err, DSP_E_BUG, "leaf values: %zu asked for, %u columns, %u tables, %u views", n, D->n_columns, D->n_used, D->n_aux_vals);
    for (uint32_t i = 0; i < D->n_segs; i++) {
        const dsp_segment *s = &D->segs[i];
        if (memcmp(w.dims, s->dims, sizeof w.dims) != 0 &&
            (rc = weights_at(&w, P->arena, s->dims, r->xi + (D->nu - s->log2), err)) != DSP_OK)
            return rc;
        for (uint32_t k = 0; k < s->n_cols; k++) {
            const column c = true_column(P, s->col0 + k);
            v[s->col0 + k] = value_at(P->fk, &w, &c);
        }
    }
    for (uint32_t i = 0; i < D->n_used; i++) {
        const dsp_used_table *u = &D->used[i];
        const column          c = {P->w->cells[u->tensor], P->w->cells_fe ? P->w->cells_fe[u->tensor] : NULL};
        if ((rc = weights_at(&w, P->arena, D->tensors[u->tensor].dims, r->xi + (D->nu - u->log2), err)) != DSP_OK)
            return rc;
        v[D->n_columns + i] = value_at(P->fk, &w, &c);
    }
    for (uint32_t i = 0; i < D->n_aux_vals; i++)
        if ((rc = view_value(P, r, D->aux_vals[i].op, D->aux_vals[i].term, &v[D->n_columns + D->n_used + i], err)) != DSP_OK)
            return rc;
    return DSP_OK;
}
