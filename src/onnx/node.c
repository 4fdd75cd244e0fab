/* What a node says of itself: attributes, parameters, multiply-accumulates. */
#include <string.h>

#include "onnx/segment.h"

/* AttributeProto.type; 0 in old files that leave it out. */
enum { A_FLOAT = 1, A_INT, A_STRING, A_TENSOR, A_FLOATS = 6, A_INTS };

static const Onnx__AttributeProto *find(const dsp_node *n, const char *name, int32_t type)
{
    const Onnx__NodeProto *p = dsp_node_proto(n);
    for (size_t i = 0; i < p->n_attribute; i++)
        if (!strcmp(dsp_text(p->attribute[i]->name), name))
            return type && p->attribute[i]->has_type && p->attribute[i]->type && p->attribute[i]->type != type ? NULL : p->attribute[i];
    return NULL;
}

bool dsp_attr_has(const dsp_node *n, const char *name) { return find(n, name, 0) != NULL; }

bool dsp_attr_int(const dsp_node *n, const char *name, int64_t *out)
{
    const Onnx__AttributeProto *a = find(n, name, A_INT);
    if (!a || (!a->has_i && !a->has_type))
        return false;
    *out = a->i;
    return true;
}

bool dsp_attr_float(const dsp_node *n, const char *name, float *out)
{
    const Onnx__AttributeProto *a = find(n, name, A_FLOAT);
    if (!a || (!a->has_f && !a->has_type))
        return false;
    *out = a->f;
    return true;
}

bool dsp_attr_string(const dsp_node *n, const char *name, const char **s, size_t *len)
{
    const Onnx__AttributeProto *a = find(n, name, A_STRING);
    if (!a || (!a->has_s && !a->has_type))
        return false;
    *s = a->s.data ? (const char *)a->s.data : "";
    *len = a->s.len;
    return true;
}

bool dsp_attr_ints(const dsp_node *n, const char *name, const int64_t **v, size_t *count)
{
    const Onnx__AttributeProto *a = find(n, name, A_INTS);
    if (!a)
        return false;
    *v = a->ints;
    *count = a->n_ints;
    return true;
}

bool dsp_attr_floats(const dsp_node *n, const char *name, const float **v, size_t *count)
{
    const Onnx__AttributeProto *a = find(n, name, A_FLOATS);
    if (!a)
        return false;
    *v = a->floats;
    *count = a->n_floats;
    return true;
}

bool dsp_attr_tensor(dsp_graph *g, const dsp_node *n, const char *name, const dsp_array **out)
{
    const Onnx__AttributeProto *a = find(n, name, A_TENSOR);
    if (!a || !a->t)
        return false;
    if (!strcmp(n->op, "Constant")) {
        *out = n->out[0] == DSP_NONE ? NULL : g->values[n->out[0]].constant;
        return *out != NULL;
    }
    dsp_array *x = DSP_ARENA_NEW(g->arena, dsp_array);
    bool       dense;
    if (!x || dsp_tensor_array((dsp_model *)(void *)g, a->t, name, x, &dense, NULL) != DSP_OK || !dense)
        return false;
    *out = x;
    return true;
}

/* ---- parameters ---- */

uint64_t dsp_value_params(const dsp_graph *g, uint32_t i)
{
    const dsp_value *v = &g->values[i];
    uint64_t n;
    if (!dsp_dtype_is_float(v->dtype) && v->dtype != DSP_DT_INT8 && v->dtype != DSP_DT_UINT8)
        return 0;
    if (!v->is_initializer && (v->producer == DSP_NONE || strcmp(g->nodes[v->producer].op, "Constant") != 0))
        return 0;
    return dsp_dims_count(v, &n) && (v->is_initializer || n > 1) ? n : 0;
}

enum { MAX_LEAVES = 256 };

uint64_t dsp_node_params(const dsp_graph *g, const dsp_node *n)
{
    uint32_t seen[MAX_LEAVES], n_seen = 0, v;
    uint64_t sum = 0;
    if (n->folded)
        return 0;
    /* Values reached through constant nodes, each once; the list is the queue too. */
    for (uint32_t at = 0; at <= n_seen; at++) {
        const uint32_t producer = at ? g->values[seen[at - 1]].producer : n->index;
        for (uint32_t k = 0; producer != DSP_NONE && dsp_node_read(g, &g->nodes[producer], k, &v); k++) {
            bool known = v == DSP_NONE || !dsp_value_const(g, v) || n_seen == MAX_LEAVES;
            for (uint32_t i = 0; i < n_seen && !known; i++)
                known = seen[i] == v;
            if (known)
                continue;
            seen[n_seen++] = v;
            sum += dsp_value_params(g, v);
        }
    }
    return sum;
}

/* ---- multiply-accumulates ---- */

static bool times(uint64_t *r, uint64_t a, uint64_t b)
{
    if (b && a > UINT64_MAX / b)
        return false;
    *r = a * b;
    return true;
}

uint64_t dsp_node_macs(const dsp_graph *g, const dsp_node *n)
{
    uint64_t out, w, r = 0;
    if (n->folded || *n->domain || n->n_in < 2 || n->in[0] == DSP_NONE || n->in[1] == DSP_NONE)
        return 0;
    const dsp_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    const bool conv = !strcmp(n->op, "Conv"), deconv = !strcmp(n->op, "ConvTranspose");
    if (conv || deconv) {
        /* every output cell of a Conv reads its channel's kernel; every input cell of a ConvTranspose is spread by one */
        const dsp_value *cells = conv ? (n->out[0] == DSP_NONE ? NULL : &g->values[n->out[0]]) : a;
        if (!cells || !dsp_dims_count(cells, &out) || !dsp_dims_count(b, &w) || b->rank < 1 || b->dims[0] < 1)
            return 0;
        return times(&r, out, w / (uint64_t)b->dims[0]) ? r : 0;
    }
    if (!strcmp(n->op, "Gemm") || !strcmp(n->op, "MatMul")) {
        int64_t trans = 0;
        if (n->op[0] == 'G')
            dsp_attr_int(n, "transA", &trans);
        if (n->out[0] == DSP_NONE || a->rank < 1 || !dsp_dims_count(&g->values[n->out[0]], &out))
            return 0;
        const int64_t k = a->dims[trans && a->rank == 2 ? 0 : a->rank - 1];
        return k > 0 && times(&r, out, (uint64_t)k) ? r : 0;
    }
    const bool recurrent = !strcmp(n->op, "LSTM") || !strcmp(n->op, "GRU") || !strcmp(n->op, "RNN");
    if (recurrent && n->n_in > 2 && n->in[2] != DSP_NONE && a->rank == 3 && dsp_dims_known(a)) {
        uint64_t rec;
        if (!dsp_dims_count(b, &w) || !dsp_dims_count(&g->values[n->in[2]], &rec) || rec > UINT64_MAX - w || !times(&r, (uint64_t)a->dims[0], (uint64_t)a->dims[1]) ||
            !times(&r, r, w + rec))
            return 0;
        return r;
    }
    return 0;
}
