/* Folding of constants, in double and without contraction, so that every machine gets the same weights. What is not
 * folded here leaves its reader unproved. Integers are exact up to 2^53; larger ones (the ends of open slices) saturate.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "lower/ir.h"

static bool is_int(int32_t t) { return t == DSP_DT_INT64 || t == DSP_DT_INT32 || t == DSP_DT_UINT8 || t == DSP_DT_INT8 || t == DSP_DT_BOOL; }
static bool is_float(int32_t t) { return t == DSP_DT_FLOAT || t == DSP_DT_DOUBLE; }

int64_t dsp_ir_int(ir *m, ir_const *c, size_t i)
{
    if (c->array && is_int(c->dtype))
        return dsp_array_i64(c->array, i);
    const double *v = dsp_ir_numbers(m, c);
    if (!v || isnan(v[i]))
        return 0;
    return v[i] >= 9.2e18 ? INT64_MAX : v[i] <= -9.2e18 ? INT64_MIN : (int64_t)v[i];
}

/* A new constant of that shape; its numbers are to be set (v is not NULL) unless it shares those of another. */
static ir_const *fresh(ir *m, int32_t dtype, uint32_t rank, const int64_t *dims, double **v)
{
    ir_const *c = DSP_ARENA_NEW(m->arena, ir_const);
    size_t    count = 1;
    if (!c || rank > DSP_MAX_RANK) {
        m->oom = m->oom || !c;
        return NULL;
    }
    for (uint32_t i = 0; i < rank; i++)
        if (dims[i] < 0 || !dsp_mul_size(&count, count, (size_t)dims[i]) || count > (size_t)1 << 28)
            return NULL;
    c->dtype = dtype;
    c->rank = rank;
    if (rank)
        memcpy(c->dims, dims, rank * sizeof *dims);
    c->count = count;
    if (v) {
        if (!(*v = DSP_ARENA_RAW(m->arena, double, count ? count : 1))) {
            m->oom = true;
            return NULL;
        }
        c->v = *v;
    }
    return c;
}

static ir_const *reshaped(ir *m, const ir_const *x, uint32_t rank, const int64_t *dims)
{
    ir_const *c = fresh(m, x->dtype, rank, dims, NULL);
    if (!c || c->count != x->count)
        return NULL;
    c->v = x->v;
    c->array = x->array;
    return c;
}

static ir_const *in(const ir *m, const dsp_node *n, uint32_t i) { return i < n->n_in ? dsp_ir_const(m, n->in[i]) : NULL; }

static ir_const *fold_constant(ir *m, const dsp_node *n)
{
    const dsp_array *t = n->n_out == 1 && n->out[0] != DSP_NONE ? m->g->values[n->out[0]].constant : NULL;
    if (!t || t->rank > DSP_MAX_RANK)
        return NULL;
    ir_const *c = fresh(m, t->dtype, t->rank, t->dims, NULL);
    if (c)
        c->array = t;
    return c;
}

static ir_const *fold_identity(ir *m, const dsp_node *n)
{
    const ir_const *x = in(m, n, 0);
    return reshaped(m, x, x->rank, x->dims);
}

static ir_const *fold_reshape(ir *m, const dsp_node *n)
{
    ir_const      *x = in(m, n, 0), *s = in(m, n, 1);
    int64_t        dims[DSP_MAX_RANK], zero = 0, known = 1;
    const int64_t *attr = NULL;
    size_t         rank = 0;
    int            open = -1;
    if (s)
        rank = s->count;
    else if (!dsp_attr_ints(n, "shape", &attr, &rank))
        return NULL;
    dsp_attr_int(n, "allowzero", &zero);
    if (rank > DSP_MAX_RANK)
        return NULL;
    for (size_t i = 0; i < rank; i++) {
        dims[i] = s ? dsp_ir_int(m, s, i) : attr[i];
        if (dims[i] == 0 && !zero) {
            if (i >= x->rank)
                return NULL;
            dims[i] = x->dims[i];
        }
        if (dims[i] == -1 && open < 0)
            open = (int)i;
        else if (dims[i] < 0 || (dims[i] && known > INT64_MAX / dims[i]))
            return NULL;
        else
            known *= dims[i];
    }
    if (open >= 0) {
        if (known == 0 || x->count % (size_t)known)
            return NULL;
        dims[open] = (int64_t)(x->count / (size_t)known);
    }
    return reshaped(m, x, (uint32_t)rank, dims);
}

static ir_const *fold_transpose(ir *m, const dsp_node *n)
{
    ir_const      *x = in(m, n, 0);
    const int64_t *perm = NULL;
    size_t         np = 0, step[DSP_MAX_RANK], s = 1;
    int64_t        dims[DSP_MAX_RANK], idx[DSP_MAX_RANK] = {0};
    size_t         p[DSP_MAX_RANK];
    unsigned       seen = 0;
    double        *v;
    if (dsp_attr_ints(n, "perm", &perm, &np) && np != x->rank)
        return NULL;
    for (uint32_t i = x->rank; i-- > 0;) {
        step[i] = s;
        s *= (size_t)x->dims[i];
    }
    for (uint32_t i = 0; i < x->rank; i++) {
        const int64_t a = perm ? perm[i] : (int64_t)(x->rank - 1 - i);
        if (a < 0 || a >= x->rank || (seen >> a & 1))
            return NULL;
        seen |= 1u << a;
        p[i] = (size_t)a;
        dims[i] = x->dims[a];
    }
    const double *xv = dsp_ir_numbers(m, x);
    ir_const     *c = fresh(m, x->dtype, x->rank, dims, &v);
    if (!c || !xv)
        return NULL;
    size_t at = 0;
    for (size_t i = 0; i < c->count; i++) {
        v[i] = xv[at];
        for (uint32_t k = x->rank; k-- > 0;) {
            at += step[p[k]];
            if (++idx[k] < dims[k])
                break;
            at -= step[p[k]] * (size_t)dims[k];
            idx[k] = 0;
        }
    }
    return c;
}

static ir_const *fold_cast(ir *m, const dsp_node *n)
{
    ir_const *x = in(m, n, 0);
    int64_t   to;
    double   *v;
    if (!dsp_attr_int(n, "to", &to))
        return NULL;
    if ((is_float((int32_t)to) && (is_float(x->dtype) || is_int(x->dtype))) || (int32_t)to == x->dtype) {
        ir_const *same = reshaped(m, x, x->rank, x->dims);
        if (same && same->array) {
            if (!dsp_ir_numbers(m, x))
                return NULL;
            same->v = x->v;
            same->array = NULL;
        }
        if (same)
            same->dtype = (int32_t)to;
        return same;
    }
    if (to != DSP_DT_INT64 && to != DSP_DT_INT32)
        return NULL;
    const double *xv = dsp_ir_numbers(m, x);
    ir_const     *c = fresh(m, (int32_t)to, x->rank, x->dims, &v);
    for (size_t i = 0; c && xv && i < c->count; i++)
        v[i] = trunc(xv[i]);
    return xv ? c : NULL;
}

/* An axis attribute as an index below rank; -1: out of range. */
static int64_t axis_of(int64_t a, uint32_t rank)
{
    a = a < 0 ? a + rank : a;
    return a >= 0 && a < rank ? a : -1;
}

static ir_const *fold_concat(ir *m, const dsp_node *n)
{
    int64_t axis = 1, dims[DSP_MAX_RANK], a;
    double *v;
    dsp_attr_int(n, "axis", &axis);
    ir_const *first = in(m, n, 0);
    if (!first || (a = axis_of(axis, first->rank)) < 0)
        return NULL;
    memcpy(dims, first->dims, sizeof dims);
    for (uint32_t i = 1; i < n->n_in; i++) {
        const ir_const *x = in(m, n, i);
        if (!x || x->rank != first->rank)
            return NULL;
        for (uint32_t k = 0; k < x->rank; k++)
            if (k != a && x->dims[k] != dims[k])
                return NULL;
        dims[a] += x->dims[a];
    }
    ir_const *c = fresh(m, first->dtype, first->rank, dims, &v);
    if (!c)
        return NULL;
    size_t outer = 1, inner = 1, at = 0;
    for (uint32_t k = 0; k < c->rank; k++)
        *(k < a ? &outer : &inner) *= k == a ? 1 : (size_t)dims[k];
    for (size_t o = 0; o < outer; o++)
        for (uint32_t i = 0; i < n->n_in; i++) {
            ir_const     *x = in(m, n, i);
            const size_t  part = (size_t)x->dims[a] * inner;
            const double *xv = dsp_ir_numbers(m, x);
            if (!xv)
                return NULL;
            memcpy(v + at, xv + o * part, part * sizeof *v);
            at += part;
        }
    return c;
}

static ir_const *fold_slice(ir *m, const dsp_node *n)
{
    ir_const      *x = in(m, n, 0), *lists[4] = {in(m, n, 1), in(m, n, 2), in(m, n, 3), in(m, n, 4)};
    const int64_t *attr[3] = {0};
    size_t         len[3] = {0}, count;
    int64_t        start[DSP_MAX_RANK], step[DSP_MAX_RANK], dims[DSP_MAX_RANK], idx[DSP_MAX_RANK] = {0}, jump[DSP_MAX_RANK];
    double        *v;
    if (n->n_in == 1) {
        if (!dsp_attr_ints(n, "starts", &attr[0], &len[0]) || !dsp_attr_ints(n, "ends", &attr[1], &len[1]) || len[0] != len[1])
            return NULL;
        if (dsp_attr_ints(n, "axes", &attr[2], &len[2]) && len[2] != len[0])
            return NULL;
        count = len[0];
    } else {
        if (!lists[0] || !lists[1] || lists[0]->count != lists[1]->count)
            return NULL;
        count = lists[0]->count;
        for (uint32_t i = 2; i < 4; i++)
            if (lists[i] && lists[i]->count != count)
                return NULL;
    }
    int64_t s = 1;
    for (uint32_t i = x->rank; i-- > 0;) {
        start[i] = 0;
        step[i] = 1;
        dims[i] = x->dims[i];
        jump[i] = s;
        s *= x->dims[i];
    }
    for (size_t i = 0; i < count; i++) {
        const int64_t a = axis_of(lists[2] ? dsp_ir_int(m, lists[2], i) : attr[2] ? attr[2][i] : (int64_t)i, x->rank);
        if (a < 0)
            return NULL;
        const int64_t d = x->dims[a], st = lists[3] ? dsp_ir_int(m, lists[3], i) : 1;
        int64_t       b = lists[0] ? dsp_ir_int(m, lists[0], i) : attr[0][i], e = lists[1] ? dsp_ir_int(m, lists[1], i) : attr[1][i];
        if (st == 0 || st > INT_MAX || st < -INT_MAX)
            return NULL;
        b = b < 0 ? (b < -d ? -1 : b + d) : b;
        e = e < 0 ? (e < -d ? -1 : e + d) : e;
        if (st > 0) {
            b = b < 0 ? 0 : b > d ? d : b;
            e = e < 0 ? 0 : e > d ? d : e;
            dims[a] = e > b ? (e - b + st - 1) / st : 0;
        } else {
            b = b < 0 ? 0 : b > d - 1 ? d - 1 : b;
            e = e > d - 1 ? d - 1 : e;
            dims[a] = b > e ? (b - e - st - 1) / -st : 0;
        }
        start[a] = b;
        step[a] = st;
    }
    const double *xv = dsp_ir_numbers(m, x);
    ir_const     *c = fresh(m, x->dtype, x->rank, dims, &v);
    if (!c || !xv)
        return NULL;
    for (size_t i = 0; i < c->count; i++) {
        int64_t at = 0;
        for (uint32_t k = 0; k < x->rank; k++)
            at += (start[k] + idx[k] * step[k]) * jump[k];
        v[i] = xv[at];
        for (uint32_t k = x->rank; k-- > 0;) {
            if (++idx[k] < dims[k])
                break;
            idx[k] = 0;
        }
    }
    return c;
}

static ir_const *fold_binary(ir *m, const dsp_node *n)
{
    ir_const *x = in(m, n, 0), *y = in(m, n, 1);
    int64_t   dims[DSP_MAX_RANK], idx[DSP_MAX_RANK] = {0};
    size_t    step[2][DSP_MAX_RANK] = {{0}}, at[2] = {0};
    double   *v;
    if (!x || !y || is_int(x->dtype) != is_int(y->dtype) || (m->g->opset < 7 && (x->rank != y->rank || dsp_attr_has(n, "axis"))))
        return NULL;
    const uint32_t rank = x->rank > y->rank ? x->rank : y->rank;
    for (int k = 0; k < 2; k++) {
        const ir_const *z = k ? y : x;
        size_t          s = 1;
        for (uint32_t i = 0; i < z->rank; i++) {
            const int64_t d = z->dims[z->rank - 1 - i];
            step[k][rank - 1 - i] = d == 1 ? 0 : s;
            s *= (size_t)d;
        }
    }
    for (uint32_t i = 0; i < rank; i++) {
        const int64_t a = i < x->rank ? x->dims[x->rank - 1 - i] : 1, b = i < y->rank ? y->dims[y->rank - 1 - i] : 1;
        if (a != b && a != 1 && b != 1)
            return NULL;
        dims[rank - 1 - i] = a == 1 ? b : a;
    }
    const double *xv = dsp_ir_numbers(m, x), *yv = dsp_ir_numbers(m, y);
    ir_const     *c = fresh(m, x->dtype, rank, dims, &v);
    if (!c || !xv || !yv)
        return NULL;
    for (size_t i = 0; i < c->count; i++) {
        const double a = xv[at[0]], b = yv[at[1]];
        switch (n->op[0]) {
        case 'A': v[i] = a + b; break;
        case 'S': v[i] = a - b; break;
        case 'M': v[i] = a * b; break;
        default:
            if (is_int(x->dtype) && b == 0)
                return NULL;
            v[i] = is_int(x->dtype) ? trunc(a / b) : a / b;
        }
        for (uint32_t k = rank; k-- > 0;) {
            at[0] += step[0][k];
            at[1] += step[1][k];
            if (++idx[k] < dims[k])
                break;
            at[0] -= step[0][k] * (size_t)dims[k];
            at[1] -= step[1][k] * (size_t)dims[k];
            idx[k] = 0;
        }
    }
    return c;
}

static ir_const *fold_sqrt(ir *m, const dsp_node *n)
{
    ir_const     *x = in(m, n, 0);
    double       *v;
    const double *xv = dsp_ir_numbers(m, x);
    ir_const     *c = fresh(m, x->dtype, x->rank, x->dims, &v);
    for (size_t i = 0; c && xv && i < c->count; i++)
        v[i] = sqrt(xv[i]);
    return xv ? c : NULL;
}

static ir_const *fold_squeeze(ir *m, const dsp_node *n)
{
    ir_const      *x = in(m, n, 0), *list = in(m, n, 1);
    const int64_t *attr = NULL;
    size_t         count = 0;
    const bool     un = n->op[0] == 'U';
    int64_t        dims[DSP_MAX_RANK];
    unsigned       axes = 0;
    if (list)
        count = list->count;
    else if (n->n_in > 1 && n->in[1] != DSP_NONE)
        return NULL;
    else
        dsp_attr_ints(n, "axes", &attr, &count);
    const uint32_t full = un ? x->rank + (uint32_t)count : x->rank;
    if (full > DSP_MAX_RANK || (un && count == 0))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const int64_t a = axis_of(list ? dsp_ir_int(m, list, i) : attr[i], full);
        if (a < 0 || (axes >> a & 1) || (!un && x->dims[a] != 1))
            return NULL;
        axes |= 1u << a;
    }
    uint32_t rank = 0, from = 0;
    for (uint32_t i = 0; i < full; i++)
        if (un)
            dims[rank++] = axes >> i & 1 ? 1 : x->dims[from++];
        else if (count ? !(axes >> i & 1) : x->dims[i] != 1)
            dims[rank++] = x->dims[i];
    return reshaped(m, x, rank, dims);
}

static ir_const *fold_flatten(ir *m, const dsp_node *n)
{
    const ir_const *x = in(m, n, 0);
    int64_t         axis = 1, dims[2] = {1, 1};
    dsp_attr_int(n, "axis", &axis);
    axis = axis < 0 ? axis + x->rank : axis;
    if (axis < 0 || axis > x->rank)
        return NULL;
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i >= axis] *= x->dims[i];
    return reshaped(m, x, 2, dims);
}

static ir_const *fold_gather(ir *m, const dsp_node *n)
{
    ir_const *x = in(m, n, 0), *y = in(m, n, 1);
    int64_t   axis = 0, dims[DSP_MAX_RANK];
    double   *v;
    dsp_attr_int(n, "axis", &axis);
    if (!y || (axis = axis_of(axis, x->rank)) < 0 || x->rank - 1 + y->rank > DSP_MAX_RANK)
        return NULL;
    uint32_t rank = 0;
    size_t   outer = 1, inner = 1;
    for (uint32_t i = 0; i < x->rank; i++) {
        if (i == axis) {
            for (uint32_t k = 0; k < y->rank; k++)
                dims[rank++] = y->dims[k];
            continue;
        }
        dims[rank++] = x->dims[i];
        *(i < axis ? &outer : &inner) *= (size_t)x->dims[i];
    }
    const double *xv = dsp_ir_numbers(m, x);
    ir_const     *c = fresh(m, x->dtype, rank, dims, &v);
    if (!c || !xv)
        return NULL;
    for (size_t o = 0; o < outer; o++)
        for (size_t k = 0; k < y->count; k++) {
            int64_t j = dsp_ir_int(m, y, k);
            j = j < 0 ? j + x->dims[axis] : j;
            if (j < 0 || j >= x->dims[axis])
                return NULL;
            memcpy(v + (o * y->count + k) * inner, xv + (o * (size_t)x->dims[axis] + (size_t)j) * inner, inner * sizeof *v);
        }
    return c;
}

static ir_const *fold_constant_of_shape(ir *m, const dsp_node *n)
{
    ir_const        *x = in(m, n, 0);
    const dsp_array *t = NULL;
    int64_t          dims[DSP_MAX_RANK];
    double          *v;
    if (x->count > DSP_MAX_RANK || (dsp_attr_has(n, "value") && !dsp_attr_tensor((dsp_graph *)m->g, n, "value", &t)))
        return NULL;
    for (size_t i = 0; i < x->count; i++)
        dims[i] = dsp_ir_int(m, x, i);
    ir_const *c = fresh(m, t ? t->dtype : DSP_DT_FLOAT, (uint32_t)x->count, dims, &v);
    for (size_t i = 0; c && i < c->count; i++)
        v[i] = t ? dsp_array_f64(t, 0) : 0;
    return c;
}

static ir_const *fold_shape(ir *m, const dsp_node *n)
{
    const ir_value *x = &m->val[n->in[0]];
    const int64_t   count = x->rank;
    int64_t         start = 0, end = count;
    double         *v;
    if (x->kind == IR_NONE)
        return NULL;
    dsp_attr_int(n, "start", &start);
    dsp_attr_int(n, "end", &end);
    start = start < 0 ? start + count : start;
    end = end < 0 ? end + count : end;
    start = start < 0 ? 0 : start > count ? count : start;
    end = end < start ? start : end > count ? count : end;
    const int64_t len = end - start;
    ir_const     *c = fresh(m, DSP_DT_INT64, 1, &len, &v);
    for (int64_t i = 0; c && i < len; i++)
        v[i] = (double)x->dims[start + i];
    return c;
}

typedef struct { const char *op; ir_const *(*fold)(ir *m, const dsp_node *n); bool of_shape; } folding;
static const folding foldings[] = {
    {"Constant", fold_constant, false},   {"Identity", fold_identity, false}, {"Reshape", fold_reshape, false},
    {"Transpose", fold_transpose, false}, {"Cast", fold_cast, false},         {"Concat", fold_concat, false},
    {"Slice", fold_slice, false},         {"Add", fold_binary, false},        {"Sub", fold_binary, false},
    {"Mul", fold_binary, false},          {"Div", fold_binary, false},        {"Sqrt", fold_sqrt, false},
    {"Squeeze", fold_squeeze, false},     {"Unsqueeze", fold_squeeze, false}, {"Flatten", fold_flatten, false},
    {"Gather", fold_gather, false},       {"Shape", fold_shape, true},        {"ConstantOfShape", fold_constant_of_shape, false},
};

bool dsp_ir_fold(ir *m, const dsp_node *n)
{
    const folding *f = NULL;
    for (size_t i = 0; i < sizeof foldings / sizeof *foldings && !f; i++)
        if (strcmp(foldings[i].op, n->op) == 0)
            f = &foldings[i];
    if (!f || n->n_out != 1 || n->out[0] == DSP_NONE)
        return false;
    for (uint32_t i = 0; i < n->n_in && !f->of_shape; i++)
        if (n->in[i] != DSP_NONE && !dsp_ir_const(m, n->in[i]))
            return false;
    if (n->n_in > 0 && n->in[0] == DSP_NONE)
        return false;
    if (f->fold != fold_constant && n->n_in == 0)
        return false;
    ir_const *c = f->fold(m, n);
    if (!c)
        return false;
    ir_value *o = &m->val[n->out[0]];
    *o = (ir_value){.kind = IR_CONST, .c = c, .rank = c->rank};
    memcpy(o->dims, c->dims, sizeof c->dims);
    return true;
}
