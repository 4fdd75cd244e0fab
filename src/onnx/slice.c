/* The plan: where a graph is cut, and what flows across. By structure alone: names and order of exporters do not matter. */
#include "onnx/slice.h"

#include <stdio.h>
#include <string.h>

#include "onnx/segment.h"

enum { MAX_SEGMENTS = 16384 };

/* Conv, Gemm or MatMul with a constant among its inputs (initializer, Constant node, or a constant behind other nodes). */
static bool parametric(const dsp_graph *g, const dsp_node *n)
{
    if (n->folded || *n->domain || (strcmp(n->op, "Conv") != 0 && strcmp(n->op, "Gemm") != 0 && strcmp(n->op, "MatMul") != 0))
        return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != DSP_NONE && dsp_value_const(g, n->in[k]))
            return true;
    return false;
}

/* Whether shapes were inferred: without them a plan is still good for keys, whose shapes the lowering computes itself. */
static bool inferred(const dsp_graph *g)
{
    for (uint32_t v = 0; v < g->n_values; v++)
        if (g->values[v].producer != DSP_NONE && !g->values[v].is_output && !g->values[v].constant && (g->values[v].dtype || g->values[v].rank >= 0))
            return true;
    return false;
}

/* Marks the nodes before which no cut should be: something crosses there that is no tensor, or whose rank nothing tells. */
static bool find_barred(const dsp_graph *g, dsp_arena *a, uint8_t *barred)
{
    uint32_t *last = DSP_ARENA_N(a, uint32_t, g->n_values); /* 1 + last node with data reads of it */
    int32_t  *change = DSP_ARENA_N(a, int32_t, (size_t)g->n_nodes + 1), depth = 0;
    if (!last || !change)
        return false;
    if (!inferred(g))
        return true;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        uint32_t v;
        for (uint32_t k = 0; !dsp_node_shape_only(g, &g->nodes[i]) && dsp_node_read(g, &g->nodes[i], k, &v); k++)
            if (v != DSP_NONE)
                last[v] = i + 1;
    }
    for (uint32_t v = 0; v < g->n_values; v++) {
        const dsp_value *x = &g->values[v];
        if (x->producer == DSP_NONE || dsp_value_const(g, v) || (x->dtype && x->rank >= 0) || last[v] <= x->producer + 1)
            continue;
        change[x->producer + 1]++;
        change[last[v]]--;
    }
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        depth += change[i];
        barred[i] = depth > 0;
    }
    return true;
}

static dsp_status place_cuts(dsp_plan *p, const uint32_t *cuts, size_t n_cuts, bool default_cuts, dsp_err *err)
{
    const dsp_graph *g = p->g;
    uint32_t        *start = DSP_ARENA_N(p->arena, uint32_t, (size_t)g->n_nodes + 1), n = 1;
    uint8_t         *barred = DSP_ARENA_N(p->arena, uint8_t, g->n_nodes);
    if (!start || !barred)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    p->default_cuts = default_cuts;
    if (default_cuts) {
        bool first = true;
        if (!find_barred(g, p->arena, barred))
            return dsp_fail(err, DSP_E_NOMEM, "no memory");
        for (uint32_t i = 0; i < g->n_nodes; i++)
            if (parametric(g, &g->nodes[i])) {
                if (!first && !barred[i]) /* what comes before the first parametric node belongs to segment 0 */
                    start[n++] = i;
                first = false;
            }
    } else {
        for (size_t i = 0; i < n_cuts; i++) {
            if (cuts[i] <= start[n - 1] || cuts[i] >= g->n_nodes)
                return dsp_fail(err, DSP_E_ARG, "cut %zu: node %u: cuts are strictly increasing, above 0 and below %u", i, cuts[i], g->n_nodes);
            start[n++] = cuts[i];
        }
    }
    if (n > MAX_SEGMENTS)
        return dsp_fail(err, DSP_E_LIMIT, "at most %d segments expected, %u found", MAX_SEGMENTS, n);
    p->n_segments = n;
    p->segments = DSP_ARENA_N(p->arena, dsp_segment_plan, n);
    if (!p->segments)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    for (uint32_t k = 0; k < n; k++) {
        dsp_segment_plan *s = &p->segments[k];
        char              path[64];
        s->index = k;
        s->first = start[k];
        s->last = k + 1 < n ? start[k + 1] : g->n_nodes;
        snprintf(path, sizeof path, "segment_%u/segment_%u.onnx", k, k);
        if (!(s->path = dsp_arena_strdup(p->arena, path)))
            return dsp_fail(err, DSP_E_NOMEM, "no memory");
    }
    return DSP_OK;
}

/* What leaves its segment is a tensor; its shape may depend on data. */
static dsp_status check_edge(const dsp_graph *g, uint32_t v, bool crosses, dsp_err *err)
{
    const dsp_value *x = &g->values[v];
    if (x->dtype)
        return DSP_OK;
    return dsp_fail(err, DSP_E_UNSUPPORTED, "value \"%.200s\" (node #%u, %.60s) %s, and it is not known to be a tensor", x->name, x->producer,
                    x->producer == DSP_NONE ? "" : g->nodes[x->producer].op, crosses ? "crosses a cut" : "is a graph output");
}

static dsp_status find_edges(dsp_plan *p, dsp_err *err)
{
    const dsp_graph *g = p->g;
    const bool       known = inferred(g);
    uint32_t *last = DSP_ARENA_N(p->arena, uint32_t, g->n_values); /* 1 + last segment with data reads of it */
    uint32_t *seen = DSP_ARENA_N(p->arena, uint32_t, g->n_values); /* 1 + last segment that listed it as input */
    if (!last || !seen)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    for (uint32_t k = 0; k < p->n_segments; k++) {
        dsp_segment_plan *s = &p->segments[k];
        for (int pass = 0; pass < 2; pass++) {
            uint32_t n_in = 0, v;
            for (uint32_t i = s->first; i < s->last; i++) {
                const dsp_node *n = &g->nodes[i];
                if (dsp_node_shape_only(g, n))
                    continue;
                for (uint32_t j = 0; dsp_node_read(g, n, j, &v); j++) {
                    if (v == DSP_NONE || dsp_value_const(g, v))
                        continue;
                    last[v] = k + 1;
                    const uint32_t from = g->values[v].producer;
                    if ((from != DSP_NONE && from >= s->first) || seen[v] == 2 * k + 1 + (uint32_t)pass)
                        continue;
                    seen[v] = 2 * k + 1 + (uint32_t)pass;
                    if (pass)
                        s->in[n_in] = v;
                    n_in++;
                }
            }
            if (!pass && !(s->in = DSP_ARENA_N(p->arena, uint32_t, n_in)))
                return dsp_fail(err, DSP_E_NOMEM, "no memory");
            s->n_in = n_in;
        }
        for (uint32_t i = 0; known && i < s->n_in; i++) {
            const dsp_status r = check_edge(g, s->in[i], true, err);
            if (r != DSP_OK)
                return r;
        }
    }
    for (uint32_t k = 0; k < p->n_segments; k++) {
        dsp_segment_plan *s = &p->segments[k];
        for (int pass = 0; pass < 2; pass++) {
            uint32_t n_out = 0, spare = DSP_NONE;
            for (uint32_t i = s->first; i < s->last; i++)
                for (uint32_t j = 0; j < g->nodes[i].n_out; j++) {
                    const uint32_t v = g->nodes[i].out[j];
                    if (v == DSP_NONE)
                        continue;
                    if (!dsp_value_const(g, v))
                        spare = v;
                    if (!g->values[v].is_output && last[v] <= k + 1)
                        continue;
                    const dsp_status r = known ? check_edge(g, v, last[v] > k + 1, err) : DSP_OK;
                    if (r != DSP_OK)
                        return r;
                    if (pass)
                        s->out[n_out] = v;
                    n_out++;
                }
            if (!n_out) { /* nothing reads this segment: its last value stands for it */
                if (spare == DSP_NONE)
                    return dsp_fail(err, DSP_E_ARG, "segment %u (nodes %u to %u) holds constants only: move the cut", k, s->first, s->last - 1);
                if (pass)
                    s->out[0] = spare;
                n_out = 1;
            }
            if (!pass && !(s->out = DSP_ARENA_N(p->arena, uint32_t, n_out)))
                return dsp_fail(err, DSP_E_NOMEM, "no memory");
            s->n_out = n_out;
        }
    }
    return DSP_OK;
}

dsp_status dsp_plan_make(dsp_plan **out, const dsp_graph *g, const uint32_t *cuts, size_t n_cuts, bool default_cuts, dsp_err *err)
{
    *out = NULL;
    dsp_plan *p = DSP_NEW(dsp_plan);
    if (!p)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    p->g = g;
    p->arena = dsp_arena_create(0);
    dsp_status s = p->arena ? place_cuts(p, cuts, n_cuts, default_cuts, err) : dsp_fail(err, DSP_E_NOMEM, "no memory");
    if (s == DSP_OK)
        s = find_edges(p, err);
    if (s == DSP_OK)
        s = dsp_plan_weigh(p, err);
    if (s != DSP_OK) {
        dsp_plan_free(p);
        return s;
    }
    *out = p;
    return DSP_OK;
}

void dsp_plan_free(dsp_plan *p)
{
    if (!p)
        return;
    dsp_arena_free(p->arena);
    dsp_free(p);
}
