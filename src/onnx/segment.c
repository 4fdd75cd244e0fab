#include "onnx/segment.h"

#include <stdio.h>
#include <string.h>

enum { WANT = 1, HERE = 2, STANDS_IN = 4, LISTED = 8 }; /* per value */

typedef struct { const dsp_graph *g; const dsp_segment_plan *s; uint8_t *value, *node; uint32_t *stack, n_stack; } walk;

static void want(walk *w, uint32_t v)
{
    if (v == DSP_NONE || w->value[v] & WANT)
        return;
    w->value[v] |= WANT;
    w->stack[w->n_stack++] = v;
}

/* Brings in what value v needs to be there. */
static void bring(walk *w, uint32_t v)
{
    const dsp_value *x = &w->g->values[v];
    const uint32_t   from = x->producer;
    uint32_t         r;
    if (from == DSP_NONE || w->value[v] & HERE || !w->g->nodes[from].folded)
        return;
    if (from >= w->s->first || (dsp_model_of(w->g)->by_shape[from] && x->constant)) {
        w->value[v] |= STANDS_IN; /* a node of ours that is left out, or one that follows from a shape elsewhere */
        return;
    }
    if (w->node[from])
        return;
    w->node[from] = 1;
    for (uint32_t k = 0; dsp_node_read(w->g, &w->g->nodes[from], k, &r); k++)
        want(w, r);
}

/* Annotations whose tensor is in the segment and whose parameters are initializers, which join the constants. */
static dsp_status annotate(dsp_closure *c, const dsp_graph *g, uint8_t *value, dsp_err *err)
{
    const Onnx__GraphProto *p = dsp_graph_proto(g);
    if (!p->n_quantization_annotation)
        return DSP_OK;
    uint32_t v;
    c->annotations = DSP_ARENA_N(c->arena, const Onnx__TensorAnnotation *, p->n_quantization_annotation);
    uint8_t *here = DSP_ARENA_N(c->arena, uint8_t, g->n_values);
    if (!c->annotations || !here)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        for (uint32_t k = 0; dsp_node_read(g, &g->nodes[c->nodes[i]], k, &v); k++)
            if (v != DSP_NONE)
                here[v] = 1;
        for (uint32_t k = 0; k < g->nodes[c->nodes[i]].n_out; k++)
            if (g->nodes[c->nodes[i]].out[k] != DSP_NONE)
                here[g->nodes[c->nodes[i]].out[k]] = 1;
    }
    for (size_t i = 0; i < p->n_quantization_annotation; i++) {
        const Onnx__TensorAnnotation *q = p->quantization_annotation[i];
        const uint32_t at = dsp_graph_find(g, dsp_text(q->tensor_name));
        bool           all = at != DSP_NONE && here[at];
        for (size_t k = 0; all && k < q->n_quant_parameter_tensor_names; k++) {
            v = dsp_graph_find(g, dsp_text(q->quant_parameter_tensor_names[k]->value));
            all = v != DSP_NONE && g->values[v].is_initializer;
        }
        if (!all)
            continue;
        c->annotations[c->n_annotations++] = q;
        for (size_t k = 0; k < q->n_quant_parameter_tensor_names; k++) {
            v = dsp_graph_find(g, dsp_text(q->quant_parameter_tensor_names[k]->value));
            if (value[v] & LISTED)
                continue;
            value[v] |= LISTED;
            c->constants[c->n_constants++] = v;
        }
    }
    return DSP_OK;
}

dsp_status dsp_closure_find(dsp_closure *c, const dsp_plan *p, uint32_t segment, dsp_err *err)
{
    const dsp_graph        *g = p->g;
    const dsp_segment_plan *s = &p->segments[segment];
    memset(c, 0, sizeof *c);
    c->arena = dsp_arena_create(0);
    walk w = {.g = g, .s = s};
    if (!c->arena || !(w.value = DSP_ARENA_N(c->arena, uint8_t, g->n_values)) || !(w.node = DSP_ARENA_N(c->arena, uint8_t, s->last)) ||
        !(w.stack = DSP_ARENA_N(c->arena, uint32_t, g->n_values)) || !(c->constants = DSP_ARENA_N(c->arena, uint32_t, g->n_values)) ||
        !(c->nodes = DSP_ARENA_N(c->arena, uint32_t, s->last))) {
        dsp_closure_free(c);
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    }
    for (uint32_t i = 0; i < s->n_in; i++)
        w.value[s->in[i]] |= HERE;
    uint32_t v;
    for (uint32_t i = s->first; i < s->last; i++) {
        const dsp_node *n = &g->nodes[i];
        if (dsp_node_shape_only(g, n) && !(w.value[n->in[0]] & HERE))
            continue;
        w.node[i] = 1;
        for (uint32_t k = 0; k < n->n_out; k++)
            if (n->out[k] != DSP_NONE)
                w.value[n->out[k]] |= HERE;
    }
    for (uint32_t i = s->first; i < s->last; i++)
        for (uint32_t k = 0; w.node[i] && dsp_node_read(g, &g->nodes[i], k, &v); k++)
            want(&w, v);
    while (w.n_stack)
        bring(&w, w.stack[--w.n_stack]);
    for (uint32_t i = 0; i < s->last; i++) {
        if (!w.node[i])
            continue;
        c->nodes[c->n_nodes++] = i;
        for (uint32_t k = 0; dsp_node_read(g, &g->nodes[i], k, &v); k++)
            if (v != DSP_NONE && !(w.value[v] & LISTED) && (g->values[v].is_initializer || w.value[v] & STANDS_IN)) {
                w.value[v] |= LISTED;
                c->constants[c->n_constants++] = v;
            }
    }
    const dsp_status r = annotate(c, g, w.value, err);
    if (r != DSP_OK)
        dsp_closure_free(c);
    return r;
}

void dsp_closure_free(dsp_closure *c)
{
    dsp_arena_free(c->arena);
    memset(c, 0, sizeof *c);
}

/* Value infos of the nodes' outputs that are not outputs of the segment, in order of production. */
static bool intermediates(Onnx__GraphProto *p, dsp_arena *a, const dsp_graph *g, const dsp_segment_plan *s, const dsp_closure *c)
{
    uint8_t *is_out = DSP_ARENA_N(a, uint8_t, g->n_values);
    size_t   n = 0;
    for (uint32_t i = 0; i < c->n_nodes; i++)
        n += g->nodes[c->nodes[i]].n_out;
    p->value_info = DSP_ARENA_N(a, Onnx__ValueInfoProto *, n);
    if (!is_out || !p->value_info)
        return false;
    for (uint32_t i = 0; i < s->n_out; i++)
        is_out[s->out[i]] = 1;
    for (uint32_t i = 0; i < c->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[c->nodes[i]].n_out; k++) {
            const uint32_t v = g->nodes[c->nodes[i]].out[k];
            if (v == DSP_NONE || is_out[v] || !g->values[v].dtype || g->values[v].rank < 0)
                continue;
            if (!(p->value_info[p->n_value_info++] = dsp_build_value(a, &g->values[v])))
                return false;
        }
    return true;
}

dsp_status dsp_segment_bytes(uint8_t **data, size_t *len, const dsp_plan *p, uint32_t segment, dsp_err *err)
{
    return dsp_segment_pack(data, len, p, segment, DSP_DATA_BY_MODEL, err);
}

dsp_status dsp_segment_pack(uint8_t **data, size_t *len, const dsp_plan *p, uint32_t segment, dsp_data_mode mode, dsp_err *err)
{
    const dsp_graph        *g = p->g;
    const dsp_segment_plan *s = &p->segments[segment];
    dsp_closure             c;
    *data = NULL;
    *len = 0;
    dsp_status r = dsp_closure_find(&c, p, segment, err);
    if (r != DSP_OK)
        return r;
    dsp_arena       *a = c.arena;
    Onnx__GraphProto m;
    char             name[32];
    bool             ok;
    onnx__graph_proto__init(&m);
    snprintf(name, sizeof name, "segment_%u", segment);
    m.name = name;
    m.node = DSP_ARENA_N(a, Onnx__NodeProto *, c.n_nodes);
    m.initializer = DSP_ARENA_N(a, Onnx__TensorProto *, c.n_constants);
    m.sparse_initializer = DSP_ARENA_N(a, Onnx__SparseTensorProto *, c.n_constants);
    m.input = DSP_ARENA_N(a, Onnx__ValueInfoProto *, (size_t)s->n_in + c.n_constants);
    m.output = DSP_ARENA_N(a, Onnx__ValueInfoProto *, s->n_out);
    ok = m.node && m.initializer && m.sparse_initializer && m.input && m.output;
    for (uint32_t i = 0; ok && i < c.n_nodes; i++)
        m.node[m.n_node++] = (Onnx__NodeProto *)(uintptr_t)g->nodes[c.nodes[i]].proto;
    for (uint32_t i = 0; ok && i < s->n_in; i++)
        ok = (m.input[m.n_input++] = dsp_build_value(a, &g->values[s->in[i]])) != NULL;
    for (uint32_t i = 0; ok && i < c.n_constants; i++) {
        const uint32_t v = c.constants[i];
        if (dsp_model_of(g)->sparse[v]) {
            m.sparse_initializer[m.n_sparse_initializer++] = (Onnx__SparseTensorProto *)(uintptr_t)dsp_model_of(g)->sparse[v];
            continue;
        }
        const Onnx__TensorProto *t = dsp_build_initializer(a, g, v, mode);
        ok = (m.initializer[m.n_initializer++] = (Onnx__TensorProto *)(uintptr_t)t) != NULL;
        if (ok && g->ir_version < 4) /* where initializers are inputs too */
            ok = (m.input[m.n_input++] = dsp_build_value(a, &g->values[v])) != NULL;
    }
    for (uint32_t i = 0; ok && i < s->n_out; i++)
        ok = (m.output[m.n_output++] = dsp_build_value(a, &g->values[s->out[i]])) != NULL;
    m.n_quantization_annotation = c.n_annotations;
    m.quantization_annotation = (Onnx__TensorAnnotation **)(uintptr_t)c.annotations;
    r = ok && intermediates(&m, a, g, s, &c) ? dsp_build_pack(data, len, g, &m, 0, err) : dsp_fail(err, DSP_E_NOMEM, "no memory");
    dsp_closure_free(&c);
    return r == DSP_OK ? r : dsp_context(err, r, "segment %u", segment);
}
