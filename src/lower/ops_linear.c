/* Linear operators: Conv, Gemm, MatMul by a constant, Add, Sub, BatchNormalization, Relu. Each becomes part of one `lin`.
 *
 * Products are convolutions: a fully connected layer has the whole input as its kernel, rows times a matrix a 1x1 kernel with the
 * contracted axis as channels. What a single reader adds (bias, BatchNormalization, a residual, Relu) joins it.
 * Error: weights to `precision` bits per channel, output rounded once.
 */
#include <math.h>
#include <string.h>

#include "lower/ir.h"

static const char *no_memory(ir *m)
{
    m->oom = true;
    return "out of memory";
}

static const char *need_constant(ir *m, const dsp_node *n, uint32_t i, const char *what)
{
    return dsp_ir_refuse(m, "its %s %s is not a constant that is folded here", what, i < n->n_in ? dsp_ir_name(m, n->in[i]) : "");
}

static bool has_in(const dsp_node *n, uint32_t i) { return i < n->n_in && n->in[i] != DSP_NONE; }

/* Adds sign * c, one number per channel, to an expression. */
static bool add_bias(ir *m, ir_expr *e, const double *c, double factor)
{
    if (!e->bias && !(e->bias = DSP_ARENA_N(m->arena, double, e->dims[0]))) {
        m->oom = true;
        return false;
    }
    e->has_bias = true;
    for (uint32_t i = 0; i < e->dims[0]; i++)
        e->bias[i] += factor * c[i];
    return true;
}

static const char *conv(ir *m, const dsp_node *n)
{
    ir_const *w = n->n_in > 1 ? dsp_ir_const(m, n->in[1]) : NULL, *b = NULL;
    int64_t   group = 1;
    uint32_t  img[3], layout[3];
    uint64_t  rows;
    ir_window win;

    if (!dsp_ir_is_act(m, n->in[0]))
        return "its data input is a constant";
    const ir_value *x = &m->val[n->in[0]];
    if (x->rank != 3 && x->rank != 4)
        return dsp_ir_refuse(m, "its input has %u axes; 1-D and 2-D convolutions are supported", x->rank);
    if (!w)
        return need_constant(m, n, 1, "weight");
    if (has_in(n, 2) && !(b = dsp_ir_const(m, n->in[2])))
        return need_constant(m, n, 2, "bias");
    if (!dsp_ir_image(m, n->in[0], img))
        return dsp_ir_refuse(m, "its batch axis is %lld; only 1 is supported", (long long)x->dims[0]);
    dsp_ir_layout(m, n->in[0], layout, &rows);
    if (memcmp(layout, img, sizeof img) != 0 || rows != 1)
        return dsp_ir_refuse(m, "its input lies as (%u, %u, %u), not as (%u, %u, %u)", layout[0], layout[1], layout[2], img[0], img[1], img[2]);
    dsp_attr_int(n, "group", &group);
    if (w->rank != x->rank || group < 1 || w->dims[0] < 1 || w->dims[1] < 1 || w->dims[0] > IR_MAX_AXIS || w->dims[0] % group || group > IR_MAX_AXIS ||
        w->dims[1] * group != img[0])
        return "weight shape, group and input channels do not fit";
    if (b && (b->rank != 1 || b->dims[0] != w->dims[0]))
        return "its bias does not have one number per output channel";
    const unsigned spatial = x->rank - 2;
    const char    *why = dsp_ir_window(m, n, spatial, img + 1, w->dims + 2, false, &win);
    if (why)
        return why;
    const uint32_t xt = dsp_ir_tensor(m, n->in[0]), O = (uint32_t)w->dims[0], od[3] = {O, win.out[0], win.out[1]};
    ir_expr       *e = xt == DSP_NONE ? NULL : dsp_ir_expr(m, n->index, od, 1);
    if (!e)
        return no_memory(m);
    ir_term *t = &e->terms[e->n_terms++];
    *t = (ir_term){.kind = DSP_TERM_CONV, .x = xt, .wdims = {O, (uint32_t)w->dims[1], win.k[0], win.k[1]}};
    for (int i = 0; i < 2; i++) {
        t->stride[i] = win.stride[i];
        t->pad[i] = win.pad[i];
        t->dil[i] = win.dil[i];
    }
    if (!m->dry && !(t->w = dsp_ir_numbers(m, w)))
        return no_memory(m);
    if (b) {
        const double *bv = dsp_ir_numbers(m, b);
        if (!bv || !add_bias(m, e, bv, 1))
            return no_memory(m);
    }
    const int64_t od4[4] = {1, O, spatial == 2 ? win.out[0] : win.out[1], win.out[1]};
    return dsp_ir_set_expr(m, n->out[0], e, x->rank, od4);
}

/* A matrix product of an activation x, seen as (rows, K) or, transposed, as (K, rows), with weights w[N][K]: a convolution.
 * `left`: the weights stand on the left of a (K, rows) matrix and the result is (N, rows). */
static const char *product(ir *m, const dsp_node *n, uint32_t v, uint64_t rows, uint64_t K, uint64_t N, bool k_first, bool left,
                           double *w, ir_expr **out)
{
    uint32_t layout[3], wd[4] = {(uint32_t)N, 0, 1, 1}, od[3] = {(uint32_t)N, 1, 1};
    uint64_t lrows;
    dsp_ir_layout(m, v, layout, &lrows);
    if (N > IR_MAX_AXIS || K > IR_MAX_AXIS || rows > IR_MAX_AXIS)
        return "a matrix axis is longer than 2^24";
    if (rows == 1) {
        if (lrows != 1)
            return "its input is a transposed matrix read as one row";
        memcpy(wd + 1, layout, sizeof layout);
    } else if (k_first ? lrows == 1 && layout[0] == K : lrows == rows && layout[0] == K) {
        wd[1] = (uint32_t)K;
        od[1] = layout[1];
        od[2] = layout[2];
    } else
        return dsp_ir_refuse(m, "the axis it sums over is not the channel axis of its input, which lies as (%u, %u, %u)", layout[0], layout[1], layout[2]);
    const uint32_t x = dsp_ir_tensor(m, v);
    ir_expr       *e = x == DSP_NONE ? NULL : dsp_ir_expr(m, n->index, od, rows == 1 || N == 1 || left ? 1 : rows);
    if (!e)
        return no_memory(m);
    e->terms[e->n_terms++] =
        (ir_term){.kind = DSP_TERM_CONV, .x = x, .w = w, .wdims = {wd[0], wd[1], wd[2], wd[3]}, .stride = {1, 1}, .dil = {1, 1}};
    *out = e;
    return NULL;
}

/* w[n][k] = factor * c at (k, n) or, transposed, at (n, k). NULL in a dry run. */
static const char *matrix(ir *m, ir_const *c, uint64_t K, uint64_t N, bool n_first, double factor, double **w)
{
    *w = NULL;
    if (m->dry)
        return NULL;
    const double *v = dsp_ir_numbers(m, c);
    if (!v || !(*w = dsp_arena_raw(m->arena, (size_t)(K * N), sizeof **w)))
        return no_memory(m);
    for (uint64_t i = 0; i < N; i++)
        for (uint64_t k = 0; k < K; k++)
            (*w)[i * K + k] = factor * (n_first ? v[i * K + k] : v[k * N + i]);
    return NULL;
}

static const char *add_terms(ir *m, const dsp_node *n, uint32_t a, uint32_t b, double sign, uint32_t rank, const int64_t *dims, ir_expr *first);

static const char *gemm(ir *m, const dsp_node *n)
{
    float   alpha = 1, beta = 1;
    int64_t ta = 0, tb = 0;
    if (!has_in(n, 1))
        return "it has fewer than two inputs";
    dsp_attr_float(n, "alpha", &alpha);
    dsp_attr_float(n, "beta", &beta);
    dsp_attr_int(n, "transA", &ta);
    dsp_attr_int(n, "transB", &tb);
    ir_const       *ca = dsp_ir_const(m, n->in[0]), *cb = dsp_ir_const(m, n->in[1]);
    const ir_value *a = &m->val[n->in[0]], *b = &m->val[n->in[1]];
    if (a->rank != 2 || b->rank != 2)
        return "an operand is not a matrix";
    if (!ca && !cb)
        return "it multiplies two activations";
    const int64_t M = a->dims[ta ? 1 : 0], K = a->dims[ta ? 0 : 1], N = b->dims[tb ? 0 : 1], dims[2] = {M, N};
    if (b->dims[tb ? 1 : 0] != K || M < 1 || K < 1 || N < 1)
        return "its matrices do not fit";
    ir_expr    *e = NULL;
    double     *w;
    const char *why = cb ? matrix(m, cb, (uint64_t)K, (uint64_t)N, tb != 0, alpha, &w) : matrix(m, ca, (uint64_t)K, (uint64_t)M, ta == 0, alpha, &w);
    if (!why)
        why = cb ? product(m, n, n->in[0], (uint64_t)M, (uint64_t)K, (uint64_t)N, ta != 0, false, w, &e)
                 : product(m, n, n->in[1], (uint64_t)N, (uint64_t)K, (uint64_t)M, tb == 0, true, w, &e);
    if (why)
        return why;
    if (has_in(n, 2) && beta != 0) {
        ir_const *c = dsp_ir_const(m, n->in[2]);
        if (!c) {
            if (beta != 1)
                return "it adds an activation with beta other than 1";
            return add_terms(m, n, DSP_NONE, n->in[2], 1, 2, dims, e);
        }
        const double *bv = dsp_ir_per_channel(m, c, 2, dims, e->dims, e->rows);
        if (!bv)
            return "its matrix C differs inside a channel of its output";
        if (!add_bias(m, e, bv, beta))
            return no_memory(m);
    }
    return dsp_ir_set_expr(m, n->out[0], e, 2, dims);
}

/* Leading axes of 1 dropped down to two axes; false when a matrix does not remain. */
static bool as_matrix(const ir_const *c, int64_t out[2])
{
    for (uint32_t i = 0; i + 2 < c->rank; i++)
        if (c->dims[i] != 1)
            return false;
    out[0] = c->dims[c->rank - 2];
    out[1] = c->dims[c->rank - 1];
    return true;
}

static const char *matmul(ir *m, const dsp_node *n)
{
    ir_const *ca = dsp_ir_const(m, n->in[0]), *cb = n->n_in > 1 ? dsp_ir_const(m, n->in[1]) : NULL;
    int64_t   mat[2], dims[DSP_MAX_RANK];
    uint32_t  rank = 0;
    uint64_t  rows = 1;
    double   *w;
    ir_expr  *e = NULL;
    if (n->n_in != 2 || !has_in(n, 1))
        return "it does not have two inputs";
    if (!ca && !cb)
        return "it multiplies two activations";
    const ir_value *x = &m->val[n->in[cb ? 0 : 1]];
    const ir_const *c = cb ? cb : ca;
    if (x->rank == 0 || c->rank == 0)
        return "an operand is a scalar";
    if (c->rank == 1) {
        mat[0] = cb ? c->dims[0] : 1;
        mat[1] = cb ? 1 : c->dims[0];
    } else if (!as_matrix(c, mat))
        return "its constant is a batch of matrices";
    for (uint32_t i = x->rank > 2 ? x->rank : 2; i < c->rank; i++)
        dims[rank++] = 1;
    const char *why;
    if (cb) {
        for (uint32_t i = 0; i + 1 < x->rank; i++) {
            rows *= (uint64_t)x->dims[i];
            dims[rank++] = x->dims[i];
        }
        if (x->dims[x->rank - 1] != mat[0] || mat[0] < 1 || mat[1] < 1)
            return "its matrices do not fit";
        if (c->rank > 1)
            dims[rank++] = mat[1];
        why = matrix(m, cb, (uint64_t)mat[0], (uint64_t)mat[1], false, 1, &w);
        why = why ? why : product(m, n, n->in[0], rows, (uint64_t)mat[0], (uint64_t)mat[1], false, false, w, &e);
    } else {
        const int64_t K = x->rank > 1 ? x->dims[x->rank - 2] : x->dims[0], N = x->rank > 1 ? x->dims[x->rank - 1] : 1;
        for (uint32_t i = 0; i + 2 < x->rank; i++) {
            if (x->dims[i] != 1)
                return "it multiplies a batch of matrices from the left";
            dims[rank++] = 1;
        }
        if (mat[1] != K || mat[0] < 1 || N < 1)
            return "its matrices do not fit";
        if (c->rank > 1)
            dims[rank++] = mat[0];
        if (x->rank > 1)
            dims[rank++] = N;
        why = matrix(m, ca, (uint64_t)K, (uint64_t)mat[0], true, 1, &w);
        why = why ? why : product(m, n, n->in[1], (uint64_t)N, (uint64_t)K, (uint64_t)mat[0], true, true, w, &e);
    }
    return why ? why : dsp_ir_set_expr(m, n->out[0], e, rank, dims);
}

static void negate(ir *m, ir_expr *e)
{
    for (uint32_t i = 0; i < e->n_terms; i++) {
        ir_term *t = &e->terms[i];
        t->sign = -t->sign;
        if (t->kind != DSP_TERM_CONV || !t->w)
            continue;
        const size_t count = (size_t)t->wdims[0] * t->wdims[1] * t->wdims[2] * t->wdims[3];
        double      *w = DSP_ARENA_RAW(m->arena, double, count);
        if (!w) {
            m->oom = true;
            return;
        }
        for (size_t k = 0; k < count; k++)
            w[k] = -t->w[k];
        t->w = w;
    }
    for (uint32_t i = 0; e->bias && i < e->dims[0]; i++)
        e->bias[i] = -e->bias[i];
}

/* The expression of v to go on with: its own when nothing else reads it, else a view of its tensor. */
static ir_expr *take(ir *m, const dsp_node *n, uint32_t v)
{
    ir_expr *e = dsp_ir_open(m, v);
    return e && !e->pool ? e : dsp_ir_view(m, n->index, v);
}

static bool same_shape(const ir_value *x, uint32_t rank, const int64_t *dims)
{
    const uint32_t extra = rank > x->rank ? rank - x->rank : 0;
    if (x->rank > rank)
        return false;
    for (uint32_t i = 0; i < rank; i++)
        if (dims[i] != (i < extra ? 1 : x->dims[i - extra]))
            return false;
    return true;
}

/* a + sign * b of two activations; `first` stands for a where it has no value. */
static const char *add_terms(ir *m, const dsp_node *n, uint32_t a, uint32_t b, double sign, uint32_t rank, const int64_t *dims, ir_expr *first)
{
    if ((!first && !same_shape(&m->val[a], rank, dims)) || !same_shape(&m->val[b], rank, dims))
        return "it broadcasts an activation";
    ir_expr *x = first ? first : a == b ? dsp_ir_view(m, n->index, a) : take(m, n, a), *y = x ? take(m, n, b) : NULL;
    if (!x || !y)
        return no_memory(m);
    if (memcmp(x->dims, y->dims, sizeof x->dims) != 0 || x->rows != y->rows)
        return dsp_ir_refuse(m, "its operands lie as (%u, %u, %u) and (%u, %u, %u)", x->dims[0], x->dims[1], x->dims[2], y->dims[0], y->dims[1], y->dims[2]);
    if (x->n_terms + y->n_terms > IR_MAX_TERMS && !(y = dsp_ir_view(m, n->index, b)))
        return no_memory(m);
    if (x->n_terms + y->n_terms > IR_MAX_TERMS)
        return dsp_ir_refuse(m, "a sum of more than %d terms", IR_MAX_TERMS);
    if (sign < 0)
        negate(m, y);
    memcpy(x->terms + x->n_terms, y->terms, y->n_terms * sizeof *y->terms);
    x->n_terms += y->n_terms;
    x->node = n->index;
    if (y->bias && !add_bias(m, x, y->bias, 1))
        return no_memory(m);
    return m->oom ? no_memory(m) : dsp_ir_set_expr(m, n->out[0], x, rank, dims);
}

/* Before opset 7 the second operand is aligned at `axis`: axes of 1 behind it. */
static const char *old_broadcast(ir *m, const dsp_node *n, uint32_t rank, ir_const **c)
{
    int64_t axis, on = 0;
    if (m->g->opset >= 7)
        return NULL;
    dsp_attr_int(n, "broadcast", &on);
    if (!on || !dsp_attr_int(n, "axis", &axis))
        return NULL;
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis + (*c)->rank > rank)
        return "attribute axis is outside its operand";
    ir_const *d = DSP_ARENA_NEW(m->arena, ir_const);
    if (!d)
        return no_memory(m);
    *d = **c;
    for (d->rank = (*c)->rank; d->rank + axis < rank; d->rank++)
        d->dims[d->rank] = 1;
    *c = d;
    return NULL;
}

static const char *add_sub(ir *m, const dsp_node *n)
{
    if (n->n_in != 2 || !has_in(n, 1))
        return "it does not have two inputs";
    const double sign = n->op[0] == 'S' ? -1 : 1;
    ir_const    *ca = dsp_ir_const(m, n->in[0]), *cb = dsp_ir_const(m, n->in[1]), *c = cb ? cb : ca;
    if (ca && cb)
        return "its constants are not folded here";
    int64_t  dims[DSP_MAX_RANK];
    uint32_t rank = m->val[n->in[0]].rank > m->val[n->in[1]].rank ? m->val[n->in[0]].rank : m->val[n->in[1]].rank;
    const uint32_t v = n->in[ca ? 1 : 0];
    const ir_value *x = &m->val[v];
    if (!c) {
        const ir_value *y = &m->val[n->in[1]];
        for (uint32_t i = 0; i < rank; i++)
            dims[i] = (x->rank >= y->rank ? x : y)->dims[i];
        return add_terms(m, n, n->in[0], n->in[1], sign, rank, dims, NULL);
    }
    const char *why = old_broadcast(m, n, x->rank, &c);
    if (why)
        return why;
    rank = x->rank > c->rank ? x->rank : c->rank;
    for (uint32_t i = 0; i < rank; i++) {
        const uint32_t extra = rank - x->rank;
        dims[i] = i < extra ? 1 : x->dims[i - extra];
    }
    uint32_t layout[3];
    uint64_t rows;
    dsp_ir_layout(m, v, layout, &rows);
    const double *bv = dsp_ir_per_channel(m, c, rank, dims, layout, rows);
    if (!bv)
        return dsp_ir_refuse(m, "its constant differs inside a channel of %s, which lies as (%u, %u, %u), or widens it", dsp_ir_name(m, v), layout[0],
                             layout[1], layout[2]);
    ir_expr *e = take(m, n, v);
    if (!e)
        return no_memory(m);
    if (ca && sign < 0)
        negate(m, e);
    e->node = n->index;
    if (!add_bias(m, e, bv, cb ? sign : 1) || m->oom)
        return no_memory(m);
    return dsp_ir_set_expr(m, n->out[0], e, rank, dims);
}

static const char *batch_norm(ir *m, const dsp_node *n)
{
    float    eps = 1e-5f;
    int64_t  train = 0, spatial = 1, test = 1;
    const double *v[4];
    if (n->n_in < 5 || !dsp_ir_is_act(m, n->in[0]))
        return "it does not have one activation and four constants";
    dsp_attr_float(n, "epsilon", &eps);
    dsp_attr_int(n, "training_mode", &train);
    dsp_attr_int(n, "spatial", &spatial);
    dsp_attr_int(n, "is_test", &test);
    for (uint32_t i = 1; i < n->n_out; i++)
        if (n->out[i] != DSP_NONE && (m->uses[n->out[i]] || m->outside[n->out[i]]))
            train = 1;
    if (train || (m->g->opset < 7 && !test))
        return "it is in training mode";
    if (!spatial)
        return "attribute spatial = 0";
    const ir_value *x = &m->val[n->in[0]];
    if (x->rank < 2)
        return "its input has no channel axis";
    int64_t  cd[DSP_MAX_RANK];
    uint32_t layout[3];
    uint64_t rows;
    dsp_ir_layout(m, n->in[0], layout, &rows);
    for (uint32_t i = 0; i < x->rank; i++)
        cd[i] = i == 1 ? x->dims[1] : 1;
    for (uint32_t i = 0; i < 4; i++) {
        const ir_const *c = dsp_ir_const(m, n->in[1 + i]);
        if (!c)
            return need_constant(m, n, 1 + i, "parameter");
        if (c->count != (size_t)x->dims[1])
            return "a parameter does not have one number per channel";
        ir_const *d = DSP_ARENA_NEW(m->arena, ir_const);
        if (!d)
            return no_memory(m);
        *d = *c;
        d->rank = x->rank;
        memcpy(d->dims, cd, sizeof d->dims);
        if (!(v[i] = dsp_ir_per_channel(m, d, x->rank, x->dims, layout, rows)))
            return dsp_ir_refuse(m, "its channels are not those of its input, which lies as (%u, %u, %u)", layout[0], layout[1], layout[2]);
    }
    const uint32_t O = layout[0];
    double        *scale = DSP_ARENA_RAW(m->arena, double, O), *shift = DSP_ARENA_RAW(m->arena, double, O);
    if (!scale || !shift)
        return no_memory(m);
    for (uint32_t o = 0; o < O; o++) {
        scale[o] = v[0][o] / sqrt(v[3][o] + (double)eps);
        shift[o] = v[1][o] - v[2][o] * scale[o];
        if (!isfinite(scale[o]) || !isfinite(shift[o]))
            return "a parameter is not finite, or a variance is negative";
    }
    ir_expr *e = dsp_ir_open(m, n->in[0]);
    for (uint32_t i = 0; e && i < e->n_terms; i++)
        if (e->pool || e->terms[i].kind != DSP_TERM_CONV)
            e = NULL;
    if (!e) {
        const uint32_t xt = dsp_ir_tensor(m, n->in[0]);
        if (xt == DSP_NONE || !(e = dsp_ir_expr(m, n->index, layout, rows)))
            return no_memory(m);
        e->terms[e->n_terms++] =
            (ir_term){.kind = DSP_TERM_CONV, .x = xt, .w = m->dry ? NULL : scale, .wdims = {O, 1, 1, 1}, .stride = {1, 1}, .dil = {1, 1}};
    } else {
        for (uint32_t i = 0; i < e->n_terms && !m->dry; i++) {
            ir_term     *t = &e->terms[i];
            const size_t per = (size_t)t->wdims[1] * t->wdims[2] * t->wdims[3];
            double      *w = dsp_arena_raw(m->arena, per * O, sizeof *w);
            if (!w)
                return no_memory(m);
            for (size_t k = 0; k < per * O; k++)
                w[k] = t->w[k] * scale[k / per];
            t->w = w;
        }
        for (uint32_t o = 0; e->bias && o < O; o++)
            e->bias[o] *= scale[o];
        e->node = n->index;
    }
    return add_bias(m, e, shift, 1) ? dsp_ir_set_expr(m, n->out[0], e, x->rank, x->dims) : no_memory(m);
}

static const char *relu(ir *m, const dsp_node *n)
{
    const uint32_t  v = n->in[0];
    const ir_value *x = &m->val[v];
    if (!dsp_ir_is_act(m, v))
        return "its input is a constant";
    if (x->kind == IR_TENSOR ? m->tensors[x->tensor].nonneg : x->e->relu || (x->e->tensor != DSP_NONE && m->tensors[x->e->tensor].nonneg))
        return dsp_ir_set_alias(m, n->out[0], v, x->rank, x->dims);
    ir_expr *e = dsp_ir_open(m, v);
    if (!e && !(e = dsp_ir_view(m, n->index, v)))
        return no_memory(m);
    e->relu = true;
    e->node = n->index;
    return dsp_ir_set_expr(m, n->out[0], e, x->rank, x->dims);
}

const ir_operator dsp_ir_ops_linear[] = {
    {"Conv", conv}, {"Gemm", gemm}, {"MatMul", matmul}, {"Add", add_sub}, {"Sub", add_sub},
    {"BatchNormalization", batch_norm}, {"Relu", relu}, {NULL, NULL},
};
