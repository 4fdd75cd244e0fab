/* Building blocks of the ir: values, expressions, tensors, per-channel constants. */
#include "lower/ir.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *dsp_ir_refuse(ir *m, const char *fmt, ...)
{
    char    buf[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    const char *s = dsp_arena_strdup(m->arena, buf);
    if (!s)
        m->oom = true;
    return s ? s : "out of memory";
}

const double *dsp_ir_numbers(ir *m, ir_const *c)
{
    if (!c->v) {
        double *v = DSP_ARENA_RAW(m->arena, double, c->count ? c->count : 1);
        if (!v) {
            m->oom = true;
            return NULL;
        }
        for (size_t i = 0; i < c->count; i++)
            v[i] = dsp_array_f64(c->array, i);
        c->v = v;
    }
    return c->v;
}

/* One more place in a list of n items of that size. */
static void *more(ir *m, void *list, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap)
        return list;
    const uint32_t grown = *cap ? 2 * *cap : 64;
    void          *p = dsp_arena_alloc(m->arena, grown, size);
    if (!p) {
        m->oom = true;
        return NULL;
    }
    if (n)
        memcpy(p, list, n * size);
    *cap = grown;
    return p;
}

uint32_t dsp_ir_new_tensor(ir *m, uint32_t value, uint32_t segment, const uint32_t dims[3])
{
    ir_tensor *t = more(m, m->tensors, m->n_tensors, &m->cap_tensors, sizeof *t);
    if (!t)
        return DSP_NONE;
    m->tensors = t;
    t += m->n_tensors;
    *t = (ir_tensor){.value = value, .name = DSP_NONE, .segment = segment, .like = DSP_NONE, .dims = {dims[0], dims[1], dims[2]}, .rows = 1};
    if (value != DSP_NONE) {
        t->rank = m->val[value].rank;
        memcpy(t->onnx_dims, m->val[value].dims, sizeof t->onnx_dims);
    }
    return m->n_tensors++;
}

bool dsp_ir_add_op(ir *m, const ir_op *op)
{
    ir_op *o = more(m, m->ops, m->n_ops, &m->cap_ops, sizeof *o);
    if (!o)
        return false;
    m->ops = o;
    o[m->n_ops++] = *op;
    return true;
}

static bool term_nonneg(const ir *m, const ir_expr *e)
{
    for (uint32_t i = 0; i < e->n_terms; i++)
        if (!m->tensors[e->terms[i].x].nonneg || (e->terms[i].kind == DSP_TERM_VIEW ? e->terms[i].sign < 0 : !e->pool))
            return false;
    return !e->has_bias;
}

/* Computes an expression: a tensor of its own, and the operation that makes it. */
static uint32_t compute(ir *m, ir_expr *e)
{
    if (e->tensor != DSP_NONE)
        return e->tensor;
    const uint32_t t = dsp_ir_new_tensor(m, e->value, m->segment, e->dims);
    const ir_op    op = {.kind = DSP_OP_LIN, .segment = m->segment, .node = e->node, .out = t, .e = e};
    if (t == DSP_NONE || !dsp_ir_add_op(m, &op))
        return DSP_NONE;
    m->tensors[t].rows = e->rows;
    m->tensors[t].nonneg = e->relu || term_nonneg(m, e);
    return e->tensor = t;
}

uint32_t dsp_ir_tensor(ir *m, uint32_t v)
{
    const ir_value *x = &m->val[v];
    return x->kind == IR_TENSOR ? x->tensor : compute(m, x->e);
}

void dsp_ir_layout(const ir *m, uint32_t v, uint32_t dims[3], uint64_t *rows)
{
    const ir_value *x = &m->val[v];
    const uint32_t *d = x->kind == IR_TENSOR ? m->tensors[x->tensor].dims : x->e->dims;
    memcpy(dims, d, 3 * sizeof *dims);
    *rows = x->kind == IR_TENSOR ? m->tensors[x->tensor].rows : x->e->rows;
}

ir_expr *dsp_ir_open(ir *m, uint32_t v)
{
    ir_value *x = &m->val[v];
    return x->kind == IR_EXPR && x->single && x->e->tensor == DSP_NONE && !x->e->relu ? x->e : NULL;
}

ir_expr *dsp_ir_expr(ir *m, uint32_t node, const uint32_t dims[3], uint64_t rows)
{
    ir_expr *e = DSP_ARENA_NEW(m->arena, ir_expr);
    if (!e) {
        m->oom = true;
        return NULL;
    }
    memcpy(e->dims, dims, sizeof e->dims);
    e->rows = rows;
    e->node = node;
    e->value = e->tensor = DSP_NONE;
    return e;
}

ir_expr *dsp_ir_view(ir *m, uint32_t node, uint32_t v)
{
    const uint32_t x = dsp_ir_tensor(m, v);
    if (x == DSP_NONE)
        return NULL;
    ir_expr *e = dsp_ir_expr(m, node, m->tensors[x].dims, m->tensors[x].rows);
    if (e)
        e->terms[e->n_terms++] = (ir_term){.kind = DSP_TERM_VIEW, .x = x, .sign = 1, .vstride = {1, 1, 1}};
    return e;
}

/* The shape that a lowering computed against the one that inference found. */
static const char *set_shape(ir *m, uint32_t v, uint32_t rank, const int64_t *dims)
{
    const dsp_value *known = &m->g->values[v];
    bool             same = known->rank < 0 || (uint32_t)known->rank == rank;
    for (uint32_t i = 0; same && known->rank >= 0 && i < rank; i++)
        same = known->dims[i] < 0 || known->dims[i] == dims[i];
    if (!same)
        return dsp_ir_refuse(m, "the shape of its output %s is not the one that shape inference found", known->name);
    uint64_t cells = 1;
    for (uint32_t i = 0; i < rank; i++)
        if (dims[i] < 1 || dims[i] > IR_MAX_CELLS || (cells *= (uint64_t)dims[i]) > IR_MAX_CELLS)
            return dsp_ir_refuse(m, "its output %s has more than 2^28 cells", known->name);
    m->val[v].rank = rank;
    memmove(m->val[v].dims, dims, rank * sizeof *dims);
    m->val[v].single = m->uses[v] == 1 && !m->outside[v];
    return NULL;
}

const char *dsp_ir_set_expr(ir *m, uint32_t v, ir_expr *e, uint32_t rank, const int64_t *dims)
{
    const char *why = set_shape(m, v, rank, dims);
    m->val[v].kind = IR_EXPR;
    m->val[v].e = e;
    e->value = v;
    return why;
}

const char *dsp_ir_set_tensor(ir *m, uint32_t v, uint32_t tensor, uint32_t rank, const int64_t *dims)
{
    const char *why = set_shape(m, v, rank, dims);
    m->val[v].kind = IR_TENSOR;
    m->val[v].tensor = tensor;
    if (m->tensors[tensor].rank == 0 && m->tensors[tensor].segment == m->segment) {
        m->tensors[tensor].rank = rank;
        memcpy(m->tensors[tensor].onnx_dims, dims, rank * sizeof *dims);
    }
    return why;
}

const char *dsp_ir_set_alias(ir *m, uint32_t v, uint32_t of, uint32_t rank, const int64_t *dims)
{
    uint32_t layout[3];
    uint64_t rows;
    dsp_ir_layout(m, of, layout, &rows);
    /* A transposed tensor can be named by every shape that still ends a group of axes after `rows` cells. */
    uint64_t before = 1;
    bool     split = rows == 1;
    for (uint32_t i = 0; i < rank && !split; i++) {
        before *= (uint64_t)dims[i];
        split = before == rows;
    }
    if (!split)
        return dsp_ir_refuse(m, "it regroups the axes of a matrix product (%s)", dsp_ir_name(m, of));
    const bool  single = m->val[of].single;
    const char *why = set_shape(m, v, rank, dims);
    m->val[v].kind = m->val[of].kind;
    m->val[v].e = m->val[of].e;
    m->val[v].tensor = m->val[of].tensor;
    m->val[v].single = m->val[v].single && single;
    return why;
}

double *dsp_ir_per_channel(ir *m, ir_const *c, uint32_t rank, const int64_t *dims, const uint32_t layout[3], uint64_t rows)
{
    if (c->count == 0)
        return NULL;
    const double  *v = dsp_ir_numbers(m, c);
    const uint32_t n = layout[0];
    const uint64_t plane = (uint64_t)layout[1] * layout[2], cells = n * plane, cols = cells / rows;
    double        *out = DSP_ARENA_RAW(m->arena, double, n);
    if (!v || !out) {
        m->oom = true;
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++)
        out[i] = v[0];
    if (c->count == 1)
        return out;
    size_t   step[DSP_MAX_RANK] = {0}, at = 0, s = 1;
    int64_t  idx[DSP_MAX_RANK] = {0};
    if (c->rank > rank)
        return NULL;
    for (uint32_t i = 0; i < c->rank; i++) {
        const uint32_t from = c->rank - 1 - i, to = rank - 1 - i;
        if (c->dims[from] != 1 && c->dims[from] != dims[to])
            return NULL;
        step[to] = c->dims[from] == 1 ? 0 : s;
        s *= (size_t)c->dims[from];
    }
    bool *seen = DSP_ARENA_N(m->arena, bool, n);
    if (!seen) {
        m->oom = true;
        return NULL;
    }
    for (uint64_t j = 0; j < cells; j++) {
        const uint64_t i = rows == 1 ? j : j % cols * rows + j / cols, ch = i / plane;
        if (seen[ch] && out[ch] != v[at])
            return NULL;
        seen[ch] = true;
        out[ch] = v[at];
        for (uint32_t k = rank; k-- > 0;) {
            at += step[k];
            if (++idx[k] < dims[k])
                break;
            at -= step[k] * (size_t)dims[k];
            idx[k] = 0;
        }
    }
    return out;
}

bool dsp_ir_image(const ir *m, uint32_t v, uint32_t dims[3])
{
    const ir_value *x = &m->val[v];
    if (x->rank < 3 || x->rank > 4 || x->dims[0] != 1)
        return false;
    dims[0] = (uint32_t)x->dims[1];
    dims[1] = x->rank == 4 ? (uint32_t)x->dims[2] : 1;
    dims[2] = (uint32_t)x->dims[x->rank - 1];
    return true;
}
