/* The walk over the graph: node by node, segment by segment; what is not supported takes its segment out. */
#include <stdlib.h>
#include <string.h>

#include "lower/ir.h"

static const ir_operator *find(const char *op)
{
    static const ir_operator *const tables[] = {dsp_ir_ops_linear, dsp_ir_ops_pool, dsp_ir_ops_shape};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const ir_operator *r = tables[i]; r->op; r++)
            if (strcmp(r->op, op) == 0)
                return r;
    return NULL;
}

static bool ai_onnx(const char *domain) { return !domain || !*domain || strcmp(domain, "ai.onnx") == 0; }

static bool is_float(int32_t t) { return t == DSP_DT_FLOAT || t == DSP_DT_DOUBLE || t == DSP_DT_FLOAT16; }

/* The layouts that a source of that shape can have; 0 when this one is not different from an earlier one or does not exist. */
static bool source_dims(uint32_t out[3], uint32_t rank, const int64_t *dims, unsigned layout)
{
    uint64_t cells = 1;
    for (uint32_t i = 0; i < rank; i++) {
        if (dims[i] < 1 || dims[i] > IR_MAX_AXIS || cells * (uint64_t)dims[i] > (uint64_t)1 << 26)
            return false;
        cells *= (uint64_t)dims[i];
    }
    const uint32_t skip = rank > 1 && dims[0] == 1;
    uint32_t       r = rank - skip;
    const int64_t *d = dims + skip;
    out[0] = out[1] = out[2] = 1;
    switch (layout) {
    case IR_LAYOUT_NATURAL:
        if (r > 0)
            out[0] = (uint32_t)d[0];
        if (r > 1)
            out[2] = (uint32_t)d[r - 1];
        for (uint32_t i = 1; i + 1 < r; i++)
            if ((uint64_t)out[1] * (uint64_t)d[i] > IR_MAX_AXIS)
                return false;
            else
                out[1] *= (uint32_t)d[i];
        return true;
    case IR_LAYOUT_CHANNELS:
        out[0] = (uint32_t)cells;
        return r > 1 && cells <= IR_MAX_AXIS;
    default:
        while (r > 0 && d[r - 1] == 1)
            r--;
        if (r == 0 || cells / (uint64_t)d[r - 1] > IR_MAX_AXIS)
            return false;
        out[0] = (uint32_t)d[r - 1];
        out[1] = (uint32_t)(cells / out[0]);
        return out[1] > 1 && out[0] > 1;
    }
}

/* The value that v is renamed to before anything computes with it. */
static uint32_t renamed(const dsp_graph *g, uint32_t v)
{
    static const char *const names[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout"};
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const dsp_node *n = &g->nodes[i];
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (n->n_in > 0 && n->in[0] == v && n->n_out > 0 && n->out[0] != DSP_NONE && strcmp(n->op, names[k]) == 0) {
                v = n->out[0];
                break;
            }
    }
    return v;
}

/* The layout of source v under one of the candidates, from its inferred shape. */
static bool candidate(uint32_t out[3], const dsp_graph *g, uint32_t v, unsigned layout)
{
    const dsp_value *x = &g->values[v], *y = layout == IR_LAYOUT_READER ? &g->values[renamed(g, v)] : x;
    uint32_t         own[3];
    if (x->rank < 0 || x->rank > DSP_MAX_RANK || y->rank < 0 || y->rank > DSP_MAX_RANK || !source_dims(own, (uint32_t)x->rank, x->dims, IR_LAYOUT_NATURAL))
        return false;
    if (layout == IR_LAYOUT_READER)
        return y != x && source_dims(out, (uint32_t)y->rank, y->dims, IR_LAYOUT_NATURAL) &&
               (uint64_t)out[0] * out[1] * out[2] == (uint64_t)own[0] * own[1] * own[2];
    return source_dims(out, (uint32_t)x->rank, x->dims, layout);
}

/* A value that no proved operation makes: graph input, or result of an unproved segment. */
static bool add_source(ir *m, uint32_t v)
{
    const dsp_value *x = &m->g->values[v];
    ir_value        *o = &m->val[v];
    uint32_t         dims[3];
    uint64_t         rows = 1;

    m->source[v] = true;
    o->kind = IR_NONE;
    const dsp_qtensor *q = m->record ? dsp_record_find(m->record, x->name) : NULL;
    if (q) {
        o->rank = q->layout.rank;
        memcpy(o->dims, q->layout.onnx_dims, sizeof o->dims);
        memcpy(dims, q->layout.dims, sizeof dims);
        /* A transposed matrix is a rotation of the axes. */
        const uint32_t split = o->rank ? q->layout.perm[0] : 0;
        for (uint32_t i = 0; i < split; i++)
            rows *= (uint64_t)o->dims[i];
        for (uint32_t i = 0; i < o->rank; i++)
            if (q->layout.perm[i] != (i + split) % o->rank)
                return true;
        if (rows > 1 && (dims[1] != rows || dims[2] != 1))
            return true;
    } else {
        if (x->rank < 0 || x->rank > DSP_MAX_RANK || (x->dtype != DSP_DT_UNKNOWN && !is_float(x->dtype)))
            return true;
        o->rank = (uint32_t)x->rank;
        memcpy(o->dims, x->dims, sizeof o->dims);
        if (!candidate(dims, m->g, v, m->layout[v]))
            return true;
        rows = m->layout[v] == IR_LAYOUT_ROWS ? dims[1] : 1;
    }
    const uint32_t t = dsp_ir_new_tensor(m, v, DSP_NONE, dims);
    if (t == DSP_NONE)
        return false;
    m->tensors[t].name = v;
    m->tensors[t].rows = rows;
    o->kind = IR_TENSOR;
    o->tensor = t;
    return true;
}

static const char *lower_node(ir *m, const dsp_node *n)
{
    const ir_operator *op = ai_onnx(n->domain) ? find(n->op) : NULL;
    if (!op)
        return "this operator cannot be proved";
    if (n->n_in == 0 || n->in[0] == DSP_NONE || n->n_out == 0 || n->out[0] == DSP_NONE)
        return "its first input or output is missing";
    for (uint32_t i = 0; i < n->n_in; i++) {
        const uint32_t v = n->in[i];
        if (v == DSP_NONE || m->val[v].kind != IR_NONE)
            continue;
        const int32_t t = m->g->values[v].dtype;
        if (t != DSP_DT_UNKNOWN && !is_float(t))
            return dsp_ir_refuse(m, "its input %s is %s", dsp_ir_name(m, v), i ? "not a constant that is folded here" : "not a float tensor");
        return dsp_ir_refuse(m, "its input %s has no fixed shape that fits (channels, height, width), or is not folded here", dsp_ir_name(m, v));
    }
    return op->lower(m, n);
}

/* What leaves the segment gets a tensor under its own name. */
static const char *export(ir *m, uint32_t v, uint32_t node)
{
    if (dsp_ir_const(m, v))
        return m->g->values[v].is_output ? dsp_ir_refuse(m, "the graph output %s is a constant", dsp_ir_name(m, v)) : NULL;
    uint32_t t = dsp_ir_tensor(m, v);
    if (t != DSP_NONE && (m->tensors[t].segment != m->segment || m->tensors[t].name != DSP_NONE)) {
        ir_expr *copy = dsp_ir_view(m, node, v);
        if (!copy)
            return dsp_ir_refuse(m, "out of memory");
        const char *why = dsp_ir_set_expr(m, v, copy, m->val[v].rank, m->val[v].dims);
        if (why)
            return why;
        t = dsp_ir_tensor(m, v);
    }
    if (t == DSP_NONE)
        return dsp_ir_refuse(m, "out of memory");
    ir_tensor *x = &m->tensors[t];
    x->name = v;
    x->rank = m->val[v].rank;
    memcpy(x->onnx_dims, m->val[v].dims, sizeof x->onnx_dims);
    m->val[v].kind = IR_TENSOR;
    m->val[v].tensor = t;
    return NULL;
}

static void lower_segment(ir *m, const dsp_segment_plan *s)
{
    dsp_support   *sup = &m->support[s->index];
    const uint32_t n_tensors = m->n_tensors, n_ops = m->n_ops;

    *sup = (dsp_support){.segment = s->index, .node = s->first};
    m->segment = s->index;
    for (uint32_t i = s->first; i < s->last && !m->oom; i++) {
        const dsp_node *n = &m->g->nodes[i];
        if ((ai_onnx(n->domain) && dsp_ir_fold(m, n)) || sup->reason)
            continue;
        bool dead = true;
        for (uint32_t k = 0; k < n->n_out; k++)
            dead = dead && (n->out[k] == DSP_NONE || (m->uses[n->out[k]] == 0 && !m->outside[n->out[k]]));
        if (dead)
            continue;
        const char *why = lower_node(m, n);
        if (why) {
            sup->node = i;
            sup->reason = n->name && *n->name ? dsp_ir_refuse(m, "node %u (%s, %s): %s", i, n->op, n->name, why)
                                              : dsp_ir_refuse(m, "node %u (%s): %s", i, n->op, why);
        }
    }
    for (uint32_t i = 0; i < s->n_out && !sup->reason && !m->oom; i++) {
        const char *why = export(m, s->out[i], s->last - 1);
        if (why) {
            sup->node = s->last - 1;
            sup->reason = why;
        }
    }
    if (!sup->reason && m->n_ops == n_ops) {
        sup->node = s->first;
        sup->reason = "nothing in it depends on an input";
    }
    if (!sup->reason)
        return;
    m->n_tensors = n_tensors;
    m->n_ops = n_ops;
    for (uint32_t i = s->first; i < s->last; i++)
        for (uint32_t k = 0; k < m->g->nodes[i].n_out; k++) {
            const uint32_t v = m->g->nodes[i].out[k];
            if (v != DSP_NONE && m->val[v].kind != IR_CONST)
                m->val[v].kind = IR_NONE;
        }
    for (uint32_t i = 0; i < s->n_out && !m->oom; i++)
        if (m->val[s->out[i]].kind == IR_NONE && !add_source(m, s->out[i]))
            m->oom = true;
}

static void count_reads(ir *m)
{
    for (uint32_t i = 0; i < m->n_ops; i++) {
        const ir_op *o = &m->ops[i];
        if (o->kind == DSP_OP_MAX) {
            m->tensors[o->a.x].reads++;
            m->tensors[o->b.x].reads++;
        } else
            for (uint32_t k = 0; k < o->e->n_terms; k++)
                m->tensors[o->e->terms[k].x].reads++;
    }
    for (uint32_t i = 0; i < m->n_ops; i++) {
        const ir_op *o = &m->ops[i];
        ir_tensor   *t = &m->tensors[o->out];
        t->acc = o->kind == DSP_OP_LIN && !o->e->relu && t->name != DSP_NONE && m->g->values[t->name].is_output && m->uses[t->name] == 0;
    }
}

/* One walk with the layouts as they stand. */
static ir *walk(const dsp_graph *g, const dsp_plan *p, const dsp_record *record, const uint8_t *layout, bool dry, dsp_arena *a)
{
    ir *m = DSP_ARENA_NEW(a, ir);
    if (!m)
        return NULL;
    *m = (ir){.g = g, .p = p, .record = record, .arena = a, .dry = dry};
    m->val = DSP_ARENA_N(a, ir_value, g->n_values);
    m->uses = DSP_ARENA_N(a, uint32_t, g->n_values);
    m->outside = DSP_ARENA_N(a, bool, g->n_values);
    m->source = DSP_ARENA_N(a, bool, g->n_values);
    m->layout = DSP_ARENA_N(a, uint8_t, g->n_values);
    m->support = DSP_ARENA_N(a, dsp_support, p->n_segments);
    if (!m->val || !m->uses || !m->outside || !m->source || !m->layout || !m->support)
        return NULL;
    if (layout)
        memcpy(m->layout, layout, g->n_values);
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] != DSP_NONE)
                m->uses[g->nodes[i].in[k]]++;
    for (uint32_t i = 0; i < p->n_segments; i++)
        for (uint32_t k = 0; k < p->segments[i].n_out; k++)
            m->outside[p->segments[i].out[k]] = true;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        m->outside[g->outputs[i]] = true;
    for (uint32_t i = 0; i < g->n_values && !m->oom; i++)
        if (g->values[i].is_initializer && g->values[i].constant) {
            const dsp_array *t = g->values[i].constant;
            ir_const        *c = DSP_ARENA_NEW(a, ir_const);
            if (!c)
                return NULL;
            *c = (ir_const){.dtype = t->dtype, .rank = t->rank, .count = t->count, .array = t};
            memcpy(c->dims, t->dims, sizeof c->dims);
            m->val[i] = (ir_value){.kind = IR_CONST, .c = c, .rank = t->rank};
            memcpy(m->val[i].dims, t->dims, sizeof t->dims);
        }
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (!add_source(m, g->inputs[i]))
            return NULL;
    for (uint32_t i = 0; i < p->n_segments && !m->oom; i++)
        lower_segment(m, &p->segments[i]);
    if (m->oom)
        return NULL;
    count_reads(m);
    return m;
}

/* How far the walk came: a segment that is supported counts more than any of its nodes. */
static uint64_t progress(const ir *m)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < m->p->n_segments; i++) {
        const dsp_segment_plan *s = &m->p->segments[i];
        n += m->support[i].reason ? m->support[i].node - s->first : s->last - s->first + ((uint64_t)1 << 32);
    }
    return n;
}

dsp_status dsp_ir_make(ir **out, const dsp_graph *g, const dsp_plan *p, const dsp_record *record, bool dry, dsp_arena *a, dsp_err *err)
{
    uint8_t *layout = dsp_calloc(g->n_values, 1);
    ir      *m = NULL;
    if (layout && !record) {
        /* Sources are tried one after the other, in the order of the graph's values. */
        bool *source = dsp_calloc(g->n_values, sizeof *source);
        const dsp_mark mark = dsp_arena_mark(a);
        if (source && (m = walk(g, p, NULL, layout, true, a)) != NULL) {
            const uint64_t all = ((uint64_t)p->n_segments << 32) + g->n_nodes;
            uint64_t       best = progress(m);
            memcpy(source, m->source, g->n_values * sizeof *source);
            for (uint32_t v = 0; m && v < g->n_values && best < all; v++)
                for (uint8_t l = 1; m && source[v] && l < IR_N_LAYOUTS && best < all; l++) {
                    const uint8_t was = layout[v];
                    uint32_t      d[3];
                    if (!candidate(d, g, v, l))
                        continue;
                    layout[v] = l;
                    dsp_arena_rewind(a, mark);
                    m = walk(g, p, NULL, layout, true, a);
                    if (m && progress(m) > best)
                        best = progress(m);
                    else
                        layout[v] = was;
                }
        }
        dsp_arena_rewind(a, mark);
        dsp_free(source);
        if (m)
            m = walk(g, p, NULL, layout, dry, a);
    } else if (layout)
        m = walk(g, p, record, layout, dry, a);
    dsp_free(layout);
    *out = m;
    return m ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "lowering of %u nodes: out of memory", g->n_nodes);
}

dsp_status dsp_lower_support(dsp_support *support, const dsp_graph *g, const dsp_plan *p, dsp_arena *a, dsp_err *err)
{
    dsp_arena *own = dsp_arena_create(0);
    ir        *m = NULL;
    dsp_status st = own ? dsp_ir_make(&m, g, p, NULL, true, own, err) : dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
    for (uint32_t i = 0; st == DSP_OK && i < p->n_segments; i++) {
        support[i] = m->support[i];
        if (support[i].reason && !(support[i].reason = dsp_arena_strdup(a, support[i].reason)))
            st = dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
    }
    dsp_arena_free(own);
    return st;
}
