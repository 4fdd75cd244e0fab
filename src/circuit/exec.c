#include "circuit/exec.h"

#include <string.h>

#include "circuit/conv.h"

#ifndef DSP_TEST_HOOKS
typedef struct dsp_tamper dsp_tamper; /* exists in test builds only */
#endif

typedef struct {
    const dsp_derived *D;
    const dsp_key     *key;
    dsp_witness       *w;
    bool               columns;
    const dsp_tamper  *tamper;
    dsp_pool          *pool;
    dsp_err           *err;
} run;

static bool honest(const run *r) { return r->tamper == NULL; }

static dsp_status no_memory(const run *r) { return dsp_fail(r->err, DSP_E_NOMEM, "execution of '%.80s': no memory", r->key->name); }

void dsp_view_cells(int64_t *out, const int64_t *x, const uint32_t xd[3], const uint32_t od[3], const dsp_view *v, int64_t fill)
{
    for (uint32_t c = 0; c < od[0]; c++) {
        const int64_t i = (int64_t)c * v->stride[0] + v->off[0];
        for (uint32_t y = 0; y < od[1]; y++, out += od[2]) {
            const int64_t j = (int64_t)y * v->stride[1] + v->off[1];
            const bool    inside = i >= 0 && i < xd[0] && j >= 0 && j < xd[1];
            const int64_t *row = inside ? x + ((size_t)i * xd[1] + (size_t)j) * xd[2] : NULL;
            int64_t        k = v->off[2];
            for (uint32_t z = 0; z < od[2]; z++, k += v->stride[2])
                out[z] = inside && k >= 0 && k < xd[2] ? row[k] : fill;
        }
    }
}

/* ---- limbs: columns of one range ---- */

static dsp_fe fe_of(dsp_i128 x)
{
    return x < 0 ? dsp_fe_neg(dsp_fe_reduce128((dsp_u128)-x)) : dsp_fe_reduce128((dsp_u128)x);
}

static unsigned bits(const dsp_limbs *l)
{
    unsigned b = 0;
    for (unsigned i = 0; i < l->n; i++)
        b += l->w[i];
    return b;
}

/* Splits n values in [0, 2^sum of widths) of range g into limbs. v is in the witness arena and becomes the last column. */
static dsp_status split(const run *r, const dsp_range *g, int64_t *v, size_t n)
{
    const dsp_segment *segs = r->D->segs + g->seg0;
    for (unsigned i = 0; i + 1 < g->limbs.n; i++) {
        const unsigned b = g->limbs.w[i];
        int64_t       *low = DSP_ARENA_RAW(r->w->arena, int64_t, n);
        if (!low)
            return no_memory(r);
        for (size_t k = 0; k < n; k++) {
            low[k] = v[k] & (((int64_t)1 << b) - 1);
            v[k] >>= b;
        }
        r->w->cells[g->limb0 + i] = r->w->column[segs[i].col0] = low;
    }
    r->w->column[segs[g->limbs.n - 1].col0] = v;
    return DSP_OK;
}

/* The same for values that may lie anywhere: as field elements, limbs taken from the residue (a false claim or a lie). */
static dsp_status split_fe(const run *r, const dsp_range *g, dsp_fe *v, size_t n)
{
    const dsp_segment *segs = r->D->segs + g->seg0;
    int64_t           *ints = DSP_ARENA_RAW(r->w->arena, int64_t, n);
    if (!ints)
        return no_memory(r);
    for (unsigned i = 0; i + 1 < g->limbs.n; i++) {
        const unsigned b = g->limbs.w[i];
        const dsp_fe   inv = dsp_fe_inv((dsp_fe){(uint64_t)1 << b});
        int64_t       *low = DSP_ARENA_RAW(r->w->arena, int64_t, n);
        if (!low)
            return no_memory(r);
        for (size_t k = 0; k < n; k++) {
            low[k] = (int64_t)(v[k].v & (((uint64_t)1 << b) - 1));
            v[k] = dsp_fe_mul(dsp_fe_sub(v[k], (dsp_fe){(uint64_t)low[k]}), inv);
        }
        r->w->cells[g->limb0 + i] = r->w->column[segs[i].col0] = low;
    }
    for (size_t k = 0; k < n; k++)
        ints[k] = v[k].v <= INT64_MAX ? (int64_t)v[k].v : -1;
    r->w->column[segs[g->limbs.n - 1].col0] = ints;
    r->w->column_fe[segs[g->limbs.n - 1].col0] = v;
    return DSP_OK;
}

/* Value k of a range whose operands may be anything. */
typedef struct { const int64_t *x, *y; int64_t off; const int64_t *acc, *q, *u, *v; unsigned s; } operands;
static dsp_i128 value_of(const operands *o, size_t k)
{
    if (!o->acc)
        return (dsp_i128)o->x[k] - (o->y ? o->y[k] : 0) - o->off;
    const dsp_i128 wide = (dsp_i128)o->q[k] + (o->u ? o->u[k] : 0) - (o->v ? o->v[k] : 0);
    return (dsp_i128)o->acc[k] + ((dsp_i128)1 << (o->s - 1)) - wide * ((dsp_i128)1 << o->s);
}

/* Columns of range `index` (DSP_NONE: nothing) for the values of o. strict: values outside its width are an error. */
static dsp_status ranged(const run *r, uint32_t index, const operands *o, size_t n, bool strict)
{
    if (index == DSP_NONE || !r->columns)
        return DSP_OK;
    const dsp_range *g = &r->D->ranges[index];
    const unsigned   b = bits(&g->limbs);
    int64_t         *v = DSP_ARENA_RAW(r->w->arena, int64_t, n);
    bool             inside = true;
    if (!v)
        return no_memory(r);
    for (size_t k = 0; k < n; k++) {
        const dsp_i128 x = value_of(o, k);
        inside = inside && x >= 0 && x <= INT64_MAX && (b >= 63 || (int64_t)x >> b == 0);
        v[k] = (int64_t)(uint64_t)(dsp_u128)x;
    }
    if (inside)
        return split(r, g, v, n);
    if (strict)
        return dsp_fail(r->err, DSP_E_BUG, "operation '%.80s': a value outside its range of %u bits", r->key->ops[g->op].name, b);
    dsp_fe *f = DSP_ARENA_RAW(r->w->arena, dsp_fe, n);
    if (!f)
        return no_memory(r);
    for (size_t k = 0; k < n; k++)
        f[k] = fe_of(value_of(o, k));
    return split_fe(r, g, f, n);
}

/* ---- operations ---- */

static const int64_t *cells(const run *r, uint32_t op, uint32_t t, dsp_status *s)
{
    if (!r->w->cells[t])
        *s = dsp_fail(r->err, DSP_E_ARG, "operation '%.80s' reads '%.80s' before it is made", r->key->ops[op].name, r->key->tensors[t].name);
    return r->w->cells[t];
}

/* acc = the sum of the terms, times the multipliers: T of S5. Mod 2^64; the rule against wraps makes that exact. */
static dsp_status accumulate(const run *r, uint32_t i, int64_t *acc, size_t n)
{
    const dsp_key    *k = r->key;
    const dsp_op     *o = &k->ops[i];
    const uint32_t   *od = k->tensors[o->out].dims;
    const size_t      W = od[2], plane = (size_t)od[1] * W;
    int64_t          *seen = NULL;
    dsp_status        s = DSP_OK;
    for (uint32_t t = 0; t < o->n_terms && s == DSP_OK; t++) {
        const dsp_term   *term = &o->terms[t];
        const dsp_tensor *x = &k->tensors[term->view.x];
        const int64_t    *v = cells(r, i, term->view.x, &s);
        if (s != DSP_OK)
            break;
        if (term->kind == DSP_TERM_CONV) {
            const uint64_t lo = x->lo < 0 ? 0 - (uint64_t)x->lo : (uint64_t)x->lo, hi = x->hi < 0 ? 0 - (uint64_t)x->hi : (uint64_t)x->hi;
            s = dsp_conv_run(acc, v, x->dims, od, &k->weights[term->weight], term, honest(r) ? (lo > hi ? lo : hi) : UINT64_MAX, r->pool, r->err);
        } else {
            if (!seen && !(seen = DSP_NEW_N(int64_t, n))) {
                s = no_memory(r);
                break;
            }
            dsp_view_cells(seen, v, x->dims, od, &term->view, 0);
            for (size_t j = 0; j < n; j++)
                acc[j] = (int64_t)((uint64_t)acc[j] + (uint64_t)term->mult * (uint64_t)seen[j]);
        }
    }
    for (size_t c = 0; c < od[0] && s == DSP_OK; c++) {
        const uint64_t bias = o->bias == DSP_NONE ? 0 : (uint64_t)k->weights[o->bias].v[c], m = (uint64_t)o->M.v[c];
        int64_t       *a = acc + c * plane;
        for (size_t j = 0; j < plane; j++)
            a[j] = (int64_t)(((uint64_t)a[j] + bias) * m);
        for (size_t y = 0; y < od[1] && (o->My.n || o->Mx.n); y++)
            for (size_t x = 0; x < W; x++)
                a[y * W + x] = (int64_t)((uint64_t)a[y * W + x] * (uint64_t)(o->My.n ? o->My.v[y] : 1) * (uint64_t)(o->Mx.n ? o->Mx.v[x] : 1));
    }
    if (seen)
        dsp_wipe(seen, n * sizeof *seen);
    dsp_free(seen);
    return s;
}

static int64_t above(int64_t x, int64_t bound) /* max(x - bound, 0), at most INT64_MAX */
{
    const uint64_t d = x > bound ? (uint64_t)x - (uint64_t)bound : 0;
    return d > INT64_MAX ? INT64_MAX : (int64_t)d;
}

/* q, u, v, wide from acc; counts saturated cells. */
static dsp_status requantise(const run *r, const dsp_op *o, const int64_t *acc, int64_t *q, int64_t *u, int64_t *v, int64_t *wide, size_t n)
{
    const dsp_tensor *t = &r->key->tensors[o->out];
    const uint64_t    half = o->s ? (uint64_t)1 << (o->s - 1) : 0;
    const unsigned    bu = bits(&o->u), bv = bits(&o->v);
    for (size_t j = 0; j < n; j++) {
        const int64_t w = (int64_t)((uint64_t)acc[j] + half) >> o->s; /* >> of a negative number rounds down */
        wide[j] = w;
        q[j] = w > t->hi ? t->hi : w < t->lo ? t->lo : w;
        u[j] = above(w, t->hi);
        v[j] = w < t->lo ? above(t->lo, w) : 0;
        if ((w > t->hi && !o->u.n) || (w < t->lo && !o->v.n)) {
            if (honest(r))
                return dsp_fail(r->err, DSP_E_BUG, "operation '%.80s': cell %zu lies outside the range of its output, which has no saturation on that side", o->name, j);
            q[j] = w;
        } else {
            r->w->saturated += w > t->hi || (w < t->lo && t->lo != 0); /* at 0 it is a fused ReLU */
        }
        if (honest(r) && ((o->u.n && bu < 63 && u[j] >> bu != 0) || (o->v.n && bv < 63 && v[j] >> bv != 0)))
            return dsp_fail(r->err, DSP_E_BUG, "operation '%.80s': cell %zu saturates beyond 2^%u", o->name, j, u[j] ? bu : bv);
    }
    return DSP_OK;
}

static dsp_status run_lin(const run *r, uint32_t i)
{
    const dsp_op     *o = &r->key->ops[i];
    const dsp_tensor *t = &r->key->tensors[o->out];
    const size_t      n = (size_t)dsp_cells(t->dims);
    dsp_arena        *a = r->w->arena;
    int64_t          *acc = DSP_NEW_N(int64_t, n), *wide = DSP_NEW_N(int64_t, n);
    int64_t          *q = DSP_ARENA_RAW(a, int64_t, n), *side[2] = {NULL, NULL};
    const uint32_t   *range = r->D->op_range[i], *committed = r->D->op_side[i];
    const bool        given = r->w->cells[o->out] != NULL;
    dsp_status        s = DSP_OK;
    for (int c = 0; c < 2; c++) /* a side that is not recorded is still computed */
        side[c] = committed[c] != DSP_NONE && r->columns ? DSP_ARENA_RAW(a, int64_t, n) : DSP_NEW_N(int64_t, n);
    if (!acc || !wide || !q || !side[0] || !side[1]) {
        s = no_memory(r);
        goto done;
    }
    if ((s = accumulate(r, i, acc, n)) != DSP_OK)
        goto done;
#ifdef DSP_TEST_HOOKS
    if (r->tamper && r->tamper->acc)
        r->tamper->acc(r->tamper->arg, i, acc, n);
#endif
    if ((s = requantise(r, o, acc, q, side[0], side[1], wide, n)) != DSP_OK)
        goto done;
#ifdef DSP_TEST_HOOKS
    if (r->tamper && r->tamper->lin)
        r->tamper->lin(r->tamper->arg, i, q, side[0], side[1], wide, n);
#endif
    if (!given)
        r->w->cells[o->out] = q;
    if (!r->columns)
        goto done;
    for (int c = 0; c < 2; c++)
        if (committed[c] != DSP_NONE)
            r->w->cells[committed[c]] = side[c];
    if (range[DSP_R_REM] != DSP_NONE && honest(r) && !given) { /* the remainder of T + 2^(s-1) by 2^s */
        int64_t       *rem = DSP_ARENA_RAW(a, int64_t, n);
        const uint64_t half = (uint64_t)1 << (o->s - 1), mask = ((uint64_t)1 << o->s) - 1;
        if (!rem) {
            s = no_memory(r);
            goto done;
        }
        for (size_t j = 0; j < n; j++)
            rem[j] = (int64_t)(((uint64_t)acc[j] + half) & mask);
        s = split(r, &r->D->ranges[range[DSP_R_REM]], rem, n);
    } else {
        s = ranged(r, range[DSP_R_REM],
                   &(operands){.acc = acc, .q = r->w->cells[o->out], .u = o->u.n ? side[0] : NULL, .v = o->v.n ? side[1] : NULL, .s = o->s}, n, false);
    }
    if (s == DSP_OK)
        s = ranged(r, range[DSP_R_Q], &(operands){.x = r->w->cells[o->out], .off = t->lo}, n, false);
    for (int c = 0; c < 2 && s == DSP_OK; c++)
        s = ranged(r, range[c ? DSP_R_V : DSP_R_U], &(operands){.x = side[c]}, n, false);
done:
    for (int c = 0; c < 2; c++)
        if (side[c] && (committed[c] == DSP_NONE || !r->columns)) {
            dsp_wipe(side[c], n * sizeof *side[c]);
            dsp_free(side[c]);
        }
    if (acc)
        dsp_wipe(acc, n * sizeof *acc);
    if (wide)
        dsp_wipe(wide, n * sizeof *wide);
    dsp_free(acc);
    dsp_free(wide);
    return s;
}

static dsp_status run_max(const run *r, uint32_t i)
{
    const dsp_op   *o = &r->key->ops[i];
    const uint32_t *dims = r->key->tensors[o->out].dims;
    const size_t    n = (size_t)dsp_cells(dims);
    int64_t        *in[2] = {DSP_NEW_N(int64_t, n), DSP_NEW_N(int64_t, n)}, *out = DSP_ARENA_RAW(r->w->arena, int64_t, n);
    dsp_status      s = DSP_OK;
    if (!in[0] || !in[1] || !out) {
        s = no_memory(r);
        goto done;
    }
    for (int c = 0; c < 2; c++) {
        const dsp_view   *v = c ? &o->b : &o->a;
        const dsp_tensor *x = &r->key->tensors[v->x];
        const int64_t    *p = cells(r, i, v->x, &s);
        if (s != DSP_OK)
            goto done;
        dsp_view_cells(in[c], p, x->dims, dims, v, x->lo);
    }
    for (size_t j = 0; j < n; j++)
        out[j] = in[0][j] > in[1][j] ? in[0][j] : in[1][j];
#ifdef DSP_TEST_HOOKS
    if (r->tamper && r->tamper->out)
        r->tamper->out(r->tamper->arg, i, out, in[0], in[1], n);
#endif
    const bool given = r->w->cells[o->out] != NULL;
    if (!given)
        r->w->cells[o->out] = out;
    for (int c = 0; c < 2 && s == DSP_OK; c++)
        s = ranged(r, r->D->op_range[i][c ? DSP_R_B : DSP_R_A], &(operands){.x = r->w->cells[o->out], .y = in[c]}, n, honest(r) && !given);
done:
    for (int c = 0; c < 2; c++) {
        if (in[c])
            dsp_wipe(in[c], n * sizeof *in[c]);
        dsp_free(in[c]);
    }
    return s;
}

/* ---- tables ---- */

/* First row of every x of a pairs table, by x. */
typedef struct { int64_t lo; uint64_t span; uint32_t *row; const dsp_table *t; size_t n; } index_of;

enum { DIRECT = 1 << 20 };

static bool index_init(index_of *ix, const dsp_table *t)
{
    const size_t rows = (size_t)1 << t->log2_rows;
    int64_t      lo = t->pairs[0], hi = lo;
    for (size_t i = 0; i < rows; i++) {
        lo = t->pairs[2 * i] < lo ? t->pairs[2 * i] : lo;
        hi = t->pairs[2 * i] > hi ? t->pairs[2 * i] : hi;
    }
    *ix = (index_of){.lo = lo, .span = (uint64_t)hi - (uint64_t)lo, .t = t, .n = rows};
    if (ix->span >= DIRECT) { /* sparse: a hash table of twice the rows */
        ix->row = DSP_NEW_N(uint32_t, 2 * rows);
        for (size_t i = 0; ix->row && i < rows; i++) {
            size_t h = ((uint64_t)t->pairs[2 * i] * UINT64_C(0x9e3779b97f4a7c15)) >> (63 - t->log2_rows);
            while (ix->row[h] && t->pairs[2 * (ix->row[h] - 1)] != t->pairs[2 * i])
                h = (h + 1) % (2 * rows);
            if (!ix->row[h])
                ix->row[h] = (uint32_t)i + 1;
        }
    } else {
        ix->row = DSP_NEW_N(uint32_t, ix->span + 1);
        for (size_t i = rows; ix->row && i-- > 0;)
            ix->row[t->pairs[2 * i] - lo] = (uint32_t)i + 1;
    }
    return ix->row != NULL;
}

static uint32_t index_find(const index_of *ix, int64_t x) /* DSP_NONE: no such row */
{
    const uint64_t d = (uint64_t)x - (uint64_t)ix->lo;
    if (x < ix->lo || d > ix->span)
        return DSP_NONE;
    if (ix->span < DIRECT)
        return ix->row[d] - 1;
    size_t h = ((uint64_t)x * UINT64_C(0x9e3779b97f4a7c15)) >> (63 - ix->t->log2_rows);
    while (ix->row[h]) {
        if (ix->t->pairs[2 * (ix->row[h] - 1)] == x)
            return ix->row[h] - 1;
        h = (h + 1) % (2 * ix->n);
    }
    return DSP_NONE;
}

static dsp_status run_table(const run *r, uint32_t i)
{
    const dsp_op    *o = &r->key->ops[i];
    const dsp_table *t = &r->key->tables[o->table];
    const size_t     n = (size_t)dsp_cells(r->key->tensors[o->out].dims);
    dsp_status       s = DSP_OK;
    index_of         ix = {0};
    const int64_t   *x = cells(r, i, o->x, &s);
    int64_t         *y = DSP_ARENA_RAW(r->w->arena, int64_t, n);
    if (s != DSP_OK)
        return s;
    if (!y || !index_init(&ix, t))
        return no_memory(r);
    for (size_t j = 0; j < n; j++) {
        const uint32_t row = index_find(&ix, x[j]);
        if (row == DSP_NONE && honest(r)) {
            s = dsp_fail(r->err, DSP_E_BUG, "operation '%.80s': cell %zu is in no row of its table", o->name, j);
            goto done;
        }
        y[j] = row == DSP_NONE ? 0 : t->pairs[2 * (size_t)row + 1];
    }
#ifdef DSP_TEST_HOOKS
    if (r->tamper && r->tamper->out)
        r->tamper->out(r->tamper->arg, i, y, NULL, NULL, n);
#endif
    if (!r->w->cells[o->out])
        r->w->cells[o->out] = y;
    if (r->columns) {
        const uint32_t c = r->D->segs[r->D->op_seg[i]].col0;
        r->w->column[c] = r->w->cells[o->x];
        r->w->column[c + 1] = r->w->cells[o->out];
    }
done:
    dsp_free(ix.row);
    return s;
}

static dsp_status run_range(const run *r, uint32_t i)
{
    const dsp_op     *o = &r->key->ops[i];
    const dsp_tensor *x = &r->key->tensors[o->x];
    dsp_status        s = DSP_OK;
    const int64_t    *v = cells(r, i, o->x, &s);
    return s != DSP_OK ? s : ranged(r, r->D->op_range[i][DSP_R_X], &(operands){.x = v, .off = x->lo}, (size_t)dsp_cells(x->dims), honest(r));
}

/* ---- the program ---- */

static dsp_status take_inputs(const run *r, const int64_t *const *inputs)
{
    const dsp_key *k = r->key;
    dsp_status     s = DSP_OK;
    uint8_t       *made = DSP_NEW_N(uint8_t, k->n_tensors);
    if (!made)
        return no_memory(r);
    for (uint32_t i = 0; i < k->n_ops; i++)
        if (k->ops[i].kind != DSP_OP_RANGE)
            made[k->ops[i].out] = 1;
    for (uint32_t i = 0; i < k->n_tensors && s == DSP_OK; i++) {
        const dsp_tensor *t = &k->tensors[i];
        const size_t      n = (size_t)dsp_cells(t->dims);
        if (made[i] && (t->role != DSP_ROLE_PUB || !inputs[i]))
            continue;
        if (!inputs[i]) {
            s = dsp_fail(r->err, DSP_E_ARG, "execution of '%.80s': no cells for '%.80s'", k->name, t->name);
            break;
        }
        for (size_t j = 0; j < n && honest(r) && s == DSP_OK; j++)
            if (inputs[i][j] < t->lo || inputs[i][j] > t->hi)
                s = t->role == DSP_ROLE_PUB ? dsp_fail(r->err, DSP_E_RANGE, "tensor '%.80s', cell %zu: %lld to %lld expected, %lld found", t->name, j,
                                                       (long long)t->lo, (long long)t->hi, (long long)inputs[i][j])
                                            : dsp_fail(r->err, DSP_E_RANGE, "boundary '%.80s', cell %zu: %lld to %lld expected", t->name, j,
                                                       (long long)t->lo, (long long)t->hi);
        if (s != DSP_OK)
            break;
        int64_t *v = DSP_ARENA_RAW(r->w->arena, int64_t, n);
        if (!v)
            s = no_memory(r);
        else
            r->w->cells[i] = memcpy(v, inputs[i], n * sizeof *v);
    }
    dsp_free(made);
    return s;
}

static dsp_status execute(dsp_witness **out, const dsp_derived *D, const int64_t *const *inputs, bool columns, const dsp_tamper *tamper,
                          dsp_pool *pool, dsp_err *err)
{
    static dsp_status (*const step[4])(const run *, uint32_t) = {run_lin, run_max, run_table, run_range};
    dsp_witness *w = DSP_NEW(dsp_witness);
    run          r = {.D = D, .key = D->key, .w = w, .columns = columns, .tamper = tamper, .pool = pool, .err = err};
    dsp_status   s = DSP_OK;
    *out = NULL;
    if (!w || !(w->arena = dsp_arena_create(0))) {
        dsp_free(w);
        return no_memory(&r);
    }
    w->D = D;
    w->cells = DSP_ARENA_N(w->arena, int64_t *, D->n_tensors);
    w->cells_fe = DSP_ARENA_N(w->arena, dsp_fe *, D->n_tensors);
    w->column = DSP_ARENA_N(w->arena, int64_t *, D->n_columns);
    w->column_fe = DSP_ARENA_N(w->arena, dsp_fe *, D->n_columns);
    if (!w->cells || !w->cells_fe || !w->column || !w->column_fe)
        s = no_memory(&r);
    if (s == DSP_OK)
        s = take_inputs(&r, inputs);
    for (uint32_t i = 0; i < D->key->n_ops && s == DSP_OK; i++)
        s = step[D->key->ops[i].kind](&r, i);
    if (s == DSP_OK)
        *out = w;
    else
        dsp_witness_free(w);
    return s;
}

dsp_status dsp_execute(dsp_witness **w, const dsp_derived *D, const int64_t *const *inputs, bool columns, dsp_pool *pool, dsp_err *err)
{
    return execute(w, D, inputs, columns, NULL, pool, err);
}

#ifdef DSP_TEST_HOOKS
dsp_status dsp_execute_tampered(dsp_witness **w, const dsp_derived *D, const int64_t *const *inputs, const dsp_tamper *tamper, dsp_err *err)
{
    return execute(w, D, inputs, true, tamper, NULL, err);
}
#endif

void dsp_witness_free(dsp_witness *w)
{
    if (!w)
        return;
    dsp_arena_free(w->arena);
    dsp_free(w);
}

/* ---- multiplicities ---- */

/* A column's value as an integer: a residue above p/2 is a negative number. */
static int64_t column_value(const dsp_witness *w, uint32_t c, size_t i)
{
    const dsp_fe *f = w->column_fe[c];
    if (!f)
        return w->column[c][i];
    return f[i].v > DSP_P / 2 ? -(int64_t)(DSP_P - f[i].v) : (int64_t)f[i].v;
}

dsp_status dsp_witness_count(dsp_witness *w, dsp_err *err)
{
    const dsp_derived *D = w->D;
    const dsp_key     *k = D->key;
    int64_t          **mult = DSP_NEW_N(int64_t *, k->n_tables);
    index_of          *ix = DSP_NEW_N(index_of, k->n_tables);
    dsp_status         s = DSP_OK;
    if (!mult || !ix)
        s = dsp_fail(err, DSP_E_NOMEM, "multiplicities: no memory");
    for (uint32_t u = 0; u < D->n_used && s == DSP_OK; u++) {
        const dsp_table *t = &k->tables[D->used[u].table];
        mult[D->used[u].table] = DSP_ARENA_N(w->arena, int64_t, (size_t)1 << t->log2_rows);
        if (!mult[D->used[u].table] || (t->kind == DSP_TABLE_PAIRS && !index_init(&ix[D->used[u].table], t)))
            s = dsp_fail(err, DSP_E_NOMEM, "multiplicities: no memory");
        w->cells[D->used[u].tensor] = mult[D->used[u].table];
    }
    for (uint32_t g = 0; g < D->n_segs && s == DSP_OK; g++) {
        const dsp_segment *seg = &D->segs[g];
        const dsp_table   *t = &k->tables[seg->table];
        const size_t       n = (size_t)dsp_cells(seg->dims);
        int64_t           *m = mult[seg->table];
        if (!w->column[seg->col0]) {
            s = dsp_fail(err, DSP_E_ARG, "multiplicities: the execution kept no columns");
            break;
        }
        for (size_t i = 0; i < n; i++) {
            const int64_t x = column_value(w, seg->col0, i);
            if (t->kind == DSP_TABLE_RANGE) {
                if (x >= 0 && x >> t->log2_rows == 0)
                    m[x]++;
            } else {
                const uint32_t row = index_find(&ix[seg->table], x);
                if (row != DSP_NONE && (seg->n_cols < 2 || t->pairs[2 * (size_t)row + 1] == column_value(w, seg->col0 + 1, i)))
                    m[row]++;
            }
        }
    }
    for (uint32_t t = 0; ix && t < k->n_tables; t++)
        dsp_free(ix[t].row);
    dsp_free(ix);
    dsp_free(mult);
    return s;
}
