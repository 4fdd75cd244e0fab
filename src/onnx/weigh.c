/* What segments cost, and neighbours put together up to a cost. */
#include <string.h>

#include "onnx/segment.h"

/* The sums of one or more segments; what several of them read counts once: seen[v] is the number of the sum that has v. */
typedef struct {
    const dsp_plan *p;
    uint32_t       *seen, *weight_seen, number;
    uint64_t        params, macs, memory_bytes;
} sums;

static bool sums_init(sums *s, const dsp_plan *p, dsp_arena *a)
{
    *s = (sums){.p = p, .seen = DSP_ARENA_N(a, uint32_t, p->g->n_values), .weight_seen = DSP_ARENA_N(a, uint32_t, p->g->n_values), .number = 1};
    return s->seen && s->weight_seen;
}

static void sums_clear(sums *s)
{
    s->number++;
    s->params = s->macs = s->memory_bytes = 0;
}

static uint64_t plus(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

static void tensor(sums *s, uint32_t v)
{
    const dsp_value *x = &s->p->g->values[v];
    uint64_t         n;
    if (s->seen[v] == s->number)
        return;
    s->seen[v] = s->number;
    const uint64_t bits = dsp_dtype_bits(x->dtype);
    if (!dsp_dims_count(x, &n) || !bits)
        return;
    s->memory_bytes = plus(s->memory_bytes, n > UINT64_MAX / bits ? UINT64_MAX : (n * bits + 7) / 8);
}

static void weight(sums *s, uint32_t v)
{
    if (s->weight_seen[v] != s->number)
        s->params = plus(s->params, dsp_value_params(s->p->g, v));
    s->weight_seen[v] = s->number;
    tensor(s, v);
}

/* Adds segment k. */
static dsp_status add(sums *s, uint32_t k, dsp_err *err)
{
    const dsp_graph        *g = s->p->g;
    const dsp_segment_plan *q = &s->p->segments[k];
    dsp_closure             c;
    const dsp_status        r = dsp_closure_find(&c, s->p, k, err);
    if (r != DSP_OK)
        return r;
    for (uint32_t i = 0; i < q->n_in; i++)
        tensor(s, q->in[i]);
    for (uint32_t i = 0; i < c.n_constants; i++)
        weight(s, c.constants[i]);
    for (uint32_t i = 0; i < c.n_nodes; i++) {
        const dsp_node *n = &g->nodes[c.nodes[i]];
        for (uint32_t j = 0; j < n->n_out; j++)
            if (n->out[j] != DSP_NONE && !strcmp(n->op, "Constant"))
                weight(s, n->out[j]);
            else if (n->out[j] != DSP_NONE)
                tensor(s, n->out[j]);
    }
    dsp_closure_free(&c);
    for (uint32_t i = q->first; i < q->last; i++)
        s->macs = plus(s->macs, dsp_node_macs(g, &g->nodes[i]));
    return DSP_OK;
}

dsp_status dsp_plan_weigh(dsp_plan *p, dsp_err *err)
{
    dsp_arena *a = dsp_arena_create(0);
    sums       s;
    dsp_status r = a && sums_init(&s, p, a) ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory");
    for (uint32_t k = 0; k < p->n_segments && r == DSP_OK; k++) {
        sums_clear(&s);
        r = add(&s, k, err);
        p->segments[k].params = s.params;
        p->segments[k].macs = s.macs;
        p->segments[k].memory_bytes = s.memory_bytes;
    }
    dsp_arena_free(a);
    return r;
}

static bool within(const sums *s, const dsp_plan_limits *l)
{
    return (!l->max_params || s->params <= l->max_params) && (!l->max_macs || s->macs <= l->max_macs) &&
           (!l->max_memory_bytes || s->memory_bytes <= l->max_memory_bytes);
}

dsp_status dsp_plan_group(dsp_plan **plan, const dsp_plan_limits *limits, dsp_err *err)
{
    dsp_plan  *p = *plan, *grouped = NULL;
    dsp_arena *a = dsp_arena_create(0);
    uint32_t  *cuts = a ? DSP_ARENA_N(a, uint32_t, p->n_segments) : NULL;
    size_t     n = 0;
    sums       s;
    dsp_status r = cuts && sums_init(&s, p, a) ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory");
    for (uint32_t k = 0; k < p->n_segments && r == DSP_OK; k++) {
        r = add(&s, k, err);
        if (r != DSP_OK || k == 0 || within(&s, limits))
            continue;
        cuts[n++] = p->segments[k].first;
        sums_clear(&s);
        r = add(&s, k, err);
    }
    if (r == DSP_OK)
        r = dsp_plan_make(&grouped, p->g, cuts, n, false, err);
    if (r == DSP_OK) {
        grouped->default_cuts = p->default_cuts;
        grouped->limits = *limits;
        dsp_plan_free(p);
        *plan = grouped;
    }
    dsp_arena_free(a);
    return r;
}
