/* Pooling: MaxPool as pairwise maxima along x, then along y; AveragePool and GlobalAveragePool as a depthwise sum with the
 * divisor as a multiplier. MaxPool keeps scale and range of its input and is exact; an average rounds its divisor's inverse to
 * at most 12 bits and its result once.
 */
#include <string.h>

#include "lower/ir.h"

static const char *no_memory(ir *m)
{
    m->oom = true;
    return "out of memory";
}

/* Channels and plane of the input, and its window. */
static const char *open_pool(ir *m, const dsp_node *n, uint32_t img[3], ir_window *w)
{
    uint32_t layout[3];
    uint64_t rows;
    int64_t  ceil_mode = 0;
    if (!dsp_ir_is_act(m, n->in[0]))
        return "its input is a constant";
    const ir_value *x = &m->val[n->in[0]];
    if (x->rank != 3 && x->rank != 4)
        return dsp_ir_refuse(m, "its input has %u axes; 1-D and 2-D pooling are supported", x->rank);
    if (!dsp_ir_image(m, n->in[0], img))
        return dsp_ir_refuse(m, "its batch axis is %lld; only 1 is supported", (long long)x->dims[0]);
    dsp_ir_layout(m, n->in[0], layout, &rows);
    if (memcmp(layout, img, 3 * sizeof *img) != 0 || rows != 1)
        return dsp_ir_refuse(m, "its input lies as (%u, %u, %u), not as (%u, %u, %u)", layout[0], layout[1], layout[2], img[0], img[1], img[2]);
    dsp_attr_int(n, "ceil_mode", &ceil_mode);
    return w ? dsp_ir_window(m, n, x->rank - 2, img + 1, NULL, ceil_mode != 0, w) : NULL;
}

static const char *set_image(ir *m, const dsp_node *n, ir_expr *e, uint32_t tensor, const uint32_t od[3])
{
    const uint32_t rank = m->val[n->in[0]].rank;
    const int64_t  dims[4] = {1, od[0], rank == 4 ? od[1] : od[2], od[2]};
    return e ? dsp_ir_set_expr(m, n->out[0], e, rank, dims) : dsp_ir_set_tensor(m, n->out[0], tensor, rank, dims);
}

/* Cells of window i that lie inside [0, end), and inside [0, padded) for the divisor. */
static uint32_t inside(const ir_window *w, unsigned axis, uint32_t i, int64_t from, int64_t end)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < w->k[axis]; k++) {
        const int64_t at = (int64_t)i * w->stride[axis] + (int64_t)k * w->dil[axis] - w->pad[axis];
        count += at >= from && at < end;
    }
    return count;
}

static bool too_wide(const ir_window *w)
{
    return (uint64_t)w->k[0] * w->out[0] > IR_MAX_CELLS || (uint64_t)w->k[1] * w->out[1] > IR_MAX_CELLS;
}

static const char *no_padding_alone(const ir_window *w, const uint32_t in[2])
{
    if (too_wide(w))
        return "its windows hold more than 2^28 cells along an axis";
    for (unsigned a = 0; a < 2; a++)
        for (uint32_t i = 0; i < w->out[a]; i++)
            if (inside(w, a, i, 0, in[a]) == 0)
                return "one of its windows holds padding alone";
    return NULL;
}

/* One axis: out = max over k cells of x, by k - 1 operations. other: stride and offset of the other axis, taken along. */
static uint32_t max_axis(ir *m, const dsp_node *n, uint32_t x, unsigned axis, const ir_window *w, bool other, const uint32_t od[3], bool last)
{
    uint32_t acc = DSP_NONE;
    dsp_view v = {.x = x, .stride = {1, 1, 1}};
    v.stride[1 + axis] = w->stride[axis];
    if (other) {
        v.stride[2 - axis] = w->stride[1 - axis];
        v.off[2 - axis] = -(int64_t)w->pad[1 - axis];
    }
    for (uint32_t k = 1; k < w->k[axis]; k++) {
        dsp_view a = v, b = v;
        a.off[1 + axis] = -(int64_t)w->pad[axis];
        b.off[1 + axis] = (int64_t)k * w->dil[axis] - w->pad[axis];
        if (acc != DSP_NONE)
            a = (dsp_view){.x = acc, .stride = {1, 1, 1}};
        const bool     end = last && k + 1 == w->k[axis];
        const uint32_t out = dsp_ir_new_tensor(m, DSP_NONE, m->segment, od);
        const ir_op    op = {.kind = DSP_OP_MAX, .segment = m->segment, .node = n->index, .out = out, .a = a, .b = b};
        if (out == DSP_NONE || !dsp_ir_add_op(m, &op))
            return DSP_NONE;
        m->tensors[out].like = x;
        m->tensors[out].nonneg = m->tensors[x].nonneg;
        if (end)
            m->tensors[out].value = n->out[0];
        acc = out;
    }
    return acc;
}

static const char *max_pool(ir *m, const dsp_node *n)
{
    uint32_t  img[3];
    ir_window w;
    for (uint32_t i = 1; i < n->n_out; i++)
        if (n->out[i] != DSP_NONE && (m->uses[n->out[i]] || m->outside[n->out[i]]))
            return "its output Indices is used";
    const char *why = open_pool(m, n, img, &w);
    if (!why)
        why = no_padding_alone(&w, img + 1);
    if (why)
        return why;
    if (w.k[0] > 64 || w.k[1] > 64)
        return "its window is longer than 64 along an axis";
    const uint32_t od[3] = {img[0], w.out[0], w.out[1]};
    const uint32_t x = dsp_ir_tensor(m, n->in[0]);
    if (x == DSP_NONE)
        return no_memory(m);
    if (w.k[0] == 1 && w.k[1] == 1) {
        ir_expr *e = dsp_ir_expr(m, n->index, od, 1);
        if (!e)
            return no_memory(m);
        e->terms[e->n_terms++] = (ir_term){.kind = DSP_TERM_VIEW, .x = x, .sign = 1, .vstride = {1, w.stride[0], w.stride[1]}};
        return set_image(m, n, e, DSP_NONE, od);
    }
    uint32_t t = x;
    if (w.k[1] > 1) {
        const uint32_t mid[3] = {img[0], w.k[0] > 1 ? img[1] : w.out[0], w.out[1]};
        t = max_axis(m, n, t, 1, &w, w.k[0] == 1, mid, w.k[0] == 1);
    }
    if (t != DSP_NONE && w.k[0] > 1)
        t = max_axis(m, n, t, 0, &w, w.k[1] == 1, od, true);
    return t == DSP_NONE ? no_memory(m) : set_image(m, n, NULL, t, od);
}

static const char *average(ir *m, const dsp_node *n, const uint32_t img[3], const ir_window *w, bool include_pad)
{
    const uint32_t od[3] = {img[0], w->out[0], w->out[1]}, x = dsp_ir_tensor(m, n->in[0]);
    ir_expr       *e = x == DSP_NONE ? NULL : dsp_ir_expr(m, n->index, od, 1);
    if (!e)
        return no_memory(m);
    if (too_wide(w))
        return "its windows hold more than 2^28 cells along an axis";
    e->pool = true;
    for (unsigned a = 0; a < 2; a++) {
        uint32_t *div = DSP_ARENA_N(m->arena, uint32_t, w->out[a]), *cells = DSP_ARENA_N(m->arena, uint32_t, w->out[a]);
        if (!div || !cells)
            return no_memory(m);
        for (uint32_t i = 0; i < w->out[a]; i++) {
            cells[i] = inside(w, a, i, 0, img[1 + a]);
            div[i] = include_pad ? inside(w, a, i, -(int64_t)w->pad[a], (int64_t)img[1 + a] + w->pad_end[a]) : cells[i];
            if (cells[i] == 0)
                return "one of its windows holds padding alone";
        }
        *(a ? &e->bx : &e->by) = div;
        *(a ? &e->cx : &e->cy) = cells;
    }
    ir_term *t = &e->terms[e->n_terms++];
    *t = (ir_term){.kind = DSP_TERM_CONV, .x = x, .wdims = {img[0], 1, w->k[0], w->k[1]}};
    for (int i = 0; i < 2; i++) {
        t->stride[i] = w->stride[i];
        t->pad[i] = w->pad[i];
        t->dil[i] = w->dil[i];
    }
    return set_image(m, n, e, DSP_NONE, od);
}

static const char *average_pool(ir *m, const dsp_node *n)
{
    uint32_t    img[3];
    ir_window   w;
    int64_t     include = 0;
    const char *why = open_pool(m, n, img, &w);
    if (why)
        return why;
    dsp_attr_int(n, "count_include_pad", &include);
    return average(m, n, img, &w, include != 0);
}

static const char *global_average_pool(ir *m, const dsp_node *n)
{
    uint32_t    img[3];
    const char *why = open_pool(m, n, img, NULL);
    if (why)
        return why;
    const ir_window w = {.k = {img[1], img[2]}, .stride = {1, 1}, .dil = {1, 1}, .out = {1, 1}};
    return average(m, n, img, &w, false);
}

const ir_operator dsp_ir_ops_pool[] = {
    {"MaxPool", max_pool}, {"AveragePool", average_pool}, {"GlobalAveragePool", global_average_pool}, {NULL, NULL},
};
