/* Loading a model. Who wrote the bytes: anyone; they are hostile until the checks here have passed. */
#include "onnx/graph.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "onnx/internal.h"
#include "onnx/wire.h"

enum { MAX_NODES = 1 << 20, MAX_VALUES = 1 << 23 };
static const size_t max_file_bytes = INT32_MAX; /* what protobuf allows */

uint32_t dsp_graph_find(const dsp_graph *g, const char *name) { return dsp_names_get(&dsp_model_of(g)->names, name); }

bool dsp_node_read(const dsp_graph *g, const dsp_node *n, uint32_t k, uint32_t *v)
{
    const dsp_model *m = dsp_model_of(g);
    if (k < n->n_in)
        *v = n->in[k];
    else if (k - n->n_in < m->n_captures[n->index])
        *v = m->captures[n->index][k - n->n_in];
    else
        return false;
    return true;
}

bool dsp_dims_known(const dsp_value *v)
{
    for (int32_t i = 0; i < v->rank; i++)
        if (v->dims[i] < 0)
            return false;
    return v->rank >= 0;
}

bool dsp_dims_count(const dsp_value *v, uint64_t *count)
{
    uint64_t n = 1;
    bool     zero = false;
    if (!dsp_dims_known(v))
        return false;
    for (int32_t i = 0; i < v->rank; i++) {
        const uint64_t d = (uint64_t)v->dims[i];
        zero |= d == 0;
        if (d && n > UINT64_MAX / d)
            return false;
        n *= d ? d : 1;
    }
    *count = zero ? 0 : n;
    return true;
}

/* ---- constants ---- */

static bool default_domain(const char *d) { return !*d || !strcmp(d, "ai.onnx"); }

/* Whether equal inputs always give equal outputs, and evaluation ends. */
static bool foldable(const dsp_node *n)
{
    static const char *const drawn[] = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial",
                                        "If", "Loop", "Scan"};
    if (!default_domain(n->domain))
        return false;
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++)
        if (!strcmp(n->op, drawn[i]))
            return false;
    const Onnx__NodeProto *p = dsp_node_proto(n);
    for (size_t i = 0; i < p->n_attribute; i++)
        if (p->attribute[i]->g || p->attribute[i]->n_graphs)
            return false;
    return strcmp(n->op, "Constant") == 0 || n->n_in > 0;
}

bool dsp_graph_mark_constant(dsp_graph *g)
{
    bool *by_shape = dsp_model_of(g)->by_shape, added = false;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        dsp_node *n = &g->nodes[i];
        bool      all = !n->folded && foldable(n), shaped = false, any = !strcmp(n->op, "Constant");
        uint32_t  v;
        for (uint32_t k = 0; all && dsp_node_read(g, n, k, &v); k++) {
            if (v == DSP_NONE)
                continue;
            any = true;
            all = dsp_value_const(g, v);
            const uint32_t from = g->values[v].producer;
            shaped |= from != DSP_NONE && by_shape[from];
        }
        if (all && any) {
            n->folded = added = true;
            by_shape[i] = shaped;
        }
    }
    return added;
}

static dsp_status constant_node(dsp_model *m, const dsp_node *n, dsp_err *err)
{
    const Onnx__NodeProto *p = dsp_node_proto(n);
    char                   what[160];
    snprintf(what, sizeof what, "Constant node #%u (%.100s)", n->index, n->out[0] == DSP_NONE ? "" : m->g.values[n->out[0]].name);
    if (p->n_attribute != 1 || n->n_out != 1 || n->out[0] == DSP_NONE || n->n_in)
        return dsp_fail(err, DSP_E_FORMAT, "%s: one attribute and one output expected", what);
    const Onnx__AttributeProto *a = p->attribute[0];
    const char *name = dsp_text(a->name);
    dsp_value  *v = &m->g.values[n->out[0]];
    dsp_array  *x = DSP_ARENA_NEW(m->g.arena, dsp_array);
    bool        dense = true;
    if (!x)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory", what);
    if (!strcmp(name, "value") && a->t) {
        const dsp_status s = dsp_tensor_array(m, a->t, what, x, &dense, err);
        if (s != DSP_OK)
            return s;
    } else if (!strcmp(name, "value_float") && a->has_f) {
        *x = (dsp_array){.dtype = DSP_DT_FLOAT, .count = 1, .bytes = 4, .data = &a->f};
    } else if (!strcmp(name, "value_int") && a->has_i) {
        *x = (dsp_array){.dtype = DSP_DT_INT64, .count = 1, .bytes = 8, .data = &a->i};
    } else if (!strcmp(name, "value_floats")) {
        *x = (dsp_array){.dtype = DSP_DT_FLOAT, .rank = 1, .dims = {(int64_t)a->n_floats}, .count = a->n_floats, .bytes = 4 * a->n_floats,
                         .data = a->n_floats ? (const void *)a->floats : (const void *)a};
    } else if (!strcmp(name, "value_ints")) {
        *x = (dsp_array){.dtype = DSP_DT_INT64, .rank = 1, .dims = {(int64_t)a->n_ints}, .count = a->n_ints, .bytes = 8 * a->n_ints,
                         .data = a->n_ints ? (const void *)a->ints : (const void *)a};
    } else if (!strcmp(name, "value_string") || !strcmp(name, "value_strings")) {
        const bool one = name[12] == 0;
        *x = (dsp_array){.dtype = DSP_DT_STRING, .rank = one ? 0 : 1, .dims = {(int64_t)a->n_strings}};
        dense = false;
    } else if (!strcmp(name, "sparse_value") && a->sparse_tensor && a->sparse_tensor->values && a->sparse_tensor->n_dims <= DSP_MAX_RANK) {
        *x = (dsp_array){.dtype = a->sparse_tensor->values->data_type, .rank = (uint32_t)a->sparse_tensor->n_dims};
        for (uint32_t i = 0; i < x->rank; i++)
            x->dims[i] = a->sparse_tensor->dims[i];
        dense = false;
    } else {
        return dsp_fail(err, DSP_E_FORMAT, "%s: attribute \"%.60s\" holds no value", what, name);
    }
    v->dtype = x->dtype;
    v->rank = (int32_t)x->rank;
    memcpy(v->dims, x->dims, sizeof v->dims);
    v->constant = dense ? x : NULL;
    return DSP_OK;
}

/* ---- dimensions of the inputs ---- */

static bool binds_find(const dsp_dim_bind *b, size_t n, const char *name, int64_t *value)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(b[i].name, name)) {
            *value = b[i].value;
            return true;
        }
    return false;
}

static dsp_status bind(dsp_model *m, const char *name, int64_t value, dsp_err *err)
{
    int64_t have;
    if (binds_find(m->binds, m->n_binds, name, &have))
        return DSP_OK;
    char *copy = dsp_arena_strdup(m->g.arena, name);
    if (!copy)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    m->binds[m->n_binds++] = (dsp_dim_bind){copy, value};
    return DSP_OK;
}

/* Binds symbolic dimensions: the given value; 1 for a name that leads some input, or for an unnamed leading dimension; an unnamed one is
 * given as INPUT:AXIS. */
static dsp_status bind_inputs(dsp_model *m, const dsp_dim_bind *binds, size_t n_binds, dsp_err *err)
{
    dsp_graph  *g = &m->g;
    const Onnx__GraphProto *p = dsp_graph_proto(g);
    size_t      n_dims = 0;
    dsp_status  s = DSP_OK;
    for (size_t i = 0; i < n_binds; i++)
        if (!binds[i].name || binds[i].value < 1)
            return dsp_fail(err, DSP_E_ARG, "--dim %s: a value of at least 1 expected", binds[i].name ? binds[i].name : "");
    for (uint32_t i = 0; i < g->n_inputs; i++)
        n_dims += (size_t)g->values[g->inputs[i]].rank;
    m->binds = DSP_ARENA_N(g->arena, dsp_dim_bind, n_dims + 1);
    if (!m->binds)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    for (int pass = 0; pass < 2 && s == DSP_OK; pass++) { /* leading dimensions first: their names may come back elsewhere */
        for (size_t i = 0, at = 0; i < p->n_input && s == DSP_OK; i++) {
            const uint32_t vi = dsp_graph_find(g, dsp_text(p->input[i]->name));
            dsp_value     *v = &g->values[vi];
            if (!v->is_input || at >= g->n_inputs || g->inputs[at] != vi)
                continue;
            at++;
            const Onnx__TensorShapeProto *shape = p->input[i]->type->tensor_type->shape;
            for (int32_t k = 0; k < v->rank && s == DSP_OK; k++) {
                const Onnx__TensorShapeProto__Dimension *d = shape->dim[k];
                char                                     own[320];
                const char                              *name = own;
                int64_t                                  value = 1;
                if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value >= 0) {
                    v->dims[k] = d->dim_value; /* 0: a tensor without elements */
                    continue;
                }
                if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && *dsp_text(d->dim_param))
                    name = d->dim_param;
                else
                    snprintf(own, sizeof own, "%.300s:%d", v->name, k);
                if (!binds_find(binds, n_binds, name, &value) && !binds_find(m->binds, m->n_binds, name, &value) && k > 0) {
                    if (pass == 0)
                        continue;
                    return dsp_fail(err, DSP_E_UNSUPPORTED, "input %.200s: dimension %d (\"%.300s\") is not fixed; give --dim '%.300s=VALUE'", v->name, k,
                                    name, name);
                }
                v->dims[k] = value;
                s = bind(m, name, value, err);
            }
        }
    }
    for (size_t i = 0; i < n_binds && s == DSP_OK; i++) {
        int64_t value;
        if (!binds_find(m->binds, m->n_binds, binds[i].name, &value))
            s = dsp_fail(err, DSP_E_ARG, "--dim %.300s=%jd: no input of the model has a dimension of that name", binds[i].name, (intmax_t)binds[i].value);
        else if (value != binds[i].value)
            s = dsp_fail(err, DSP_E_ARG, "--dim %.300s: given twice", binds[i].name);
    }
    return s;
}

/* ---- values ---- */

static dsp_status add_value(dsp_model *m, const char *name, const char *what, uint32_t *out, dsp_err *err)
{
    dsp_graph *g = &m->g;
    if (!*name)
        return dsp_fail(err, DSP_E_FORMAT, "%s without a name", what);
    if (!dsp_names_add(&m->names, name, g->n_values))
        return dsp_fail(err, DSP_E_FORMAT, "%s \"%.300s\": the name is already that of another value", what, name);
    dsp_value *v = &g->values[g->n_values];
    *v = (dsp_value){.name = name, .rank = -1, .producer = DSP_NONE};
    *out = g->n_values++;
    return DSP_OK;
}

static dsp_status add_input(dsp_model *m, const Onnx__ValueInfoProto *p, dsp_err *err)
{
    dsp_graph *g = &m->g;
    uint32_t   v = 0;
    dsp_status s = add_value(m, dsp_text(p->name), "graph input", &v, err);
    if (s != DSP_OK)
        return s;
    if (!p->type || p->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return dsp_fail(err, p->type ? DSP_E_UNSUPPORTED : DSP_E_FORMAT, "graph input \"%.300s\": a tensor type expected", p->name);
    const Onnx__TypeProto__Tensor *t = p->type->tensor_type;
    if (!dsp_dtype_bits(t->elem_type) && t->elem_type != DSP_DT_STRING)
        return dsp_fail(err, DSP_E_FORMAT, "graph input \"%.300s\": element type %d is not known", p->name, t->elem_type);
    if (!t->shape)
        return dsp_fail(err, DSP_E_UNSUPPORTED, "graph input \"%.300s\": no shape declared", p->name);
    if (t->shape->n_dim > DSP_MAX_RANK)
        return dsp_fail(err, DSP_E_UNSUPPORTED, "graph input \"%.300s\": at most %d dimensions expected, %zu found", p->name, DSP_MAX_RANK, t->shape->n_dim);
    g->values[v].dtype = t->elem_type;
    g->values[v].rank = (int32_t)t->shape->n_dim;
    for (size_t k = 0; k < t->shape->n_dim; k++)
        g->values[v].dims[k] = -1;
    g->values[v].is_input = true;
    g->inputs[g->n_inputs++] = v;
    return DSP_OK;
}

static dsp_status add_initializer(dsp_model *m, const Onnx__TensorProto *t, const Onnx__SparseTensorProto *sparse, dsp_err *err)
{
    dsp_graph *g = &m->g;
    uint32_t   i = 0;
    dsp_status s = add_value(m, dsp_text(t->name), "initializer", &i, err);
    if (s != DSP_OK)
        return s;
    dsp_value *v = &g->values[i];
    v->is_initializer = true;
    v->dtype = t->data_type;
    if (sparse) {
        m->sparse[i] = sparse;
        if (sparse->n_dims > DSP_MAX_RANK)
            return dsp_fail(err, DSP_E_UNSUPPORTED, "sparse initializer \"%.300s\": at most %d dimensions expected", v->name, DSP_MAX_RANK);
        v->rank = (int32_t)sparse->n_dims;
        for (size_t k = 0; k < sparse->n_dims; k++) {
            if (sparse->dims[k] < 0)
                return dsp_fail(err, DSP_E_FORMAT, "sparse initializer \"%.300s\": dimension %zu is %jd", v->name, k, (intmax_t)sparse->dims[k]);
            v->dims[k] = sparse->dims[k];
        }
        return DSP_OK;
    }
    char what[340];
    bool dense;
    snprintf(what, sizeof what, "initializer \"%.300s\"", v->name);
    dsp_array *x = DSP_ARENA_NEW(g->arena, dsp_array);
    if (!x)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory", what);
    s = dsp_tensor_array(m, t, what, x, &dense, err);
    if (s != DSP_OK)
        return s;
    m->tensor[i] = t;
    m->place[i] = dsp_tensor_place(m, t);
    v->constant = dense ? x : NULL;
    v->rank = (int32_t)x->rank;
    memcpy(v->dims, x->dims, sizeof v->dims);
    return DSP_OK;
}

/* ---- what subgraphs read from outside ---- */

typedef struct scope { dsp_names own; const struct scope *up; } scope;
typedef struct { dsp_model *m; uint32_t node; uint32_t *list, n, cap; dsp_arena *tmp; dsp_err *err; } capture;

static dsp_status capture_name(capture *c, const scope *sc, const char *name)
{
    if (!*name)
        return DSP_OK;
    for (; sc; sc = sc->up)
        if (dsp_names_get(&sc->own, name) != DSP_NONE)
            return DSP_OK;
    const uint32_t v = dsp_graph_find(&c->m->g, name);
    if (v == DSP_NONE)
        return dsp_fail(c->err, DSP_E_FORMAT, "node #%u: a subgraph reads \"%.300s\", which nothing defines", c->node, name);
    for (uint32_t i = 0; i < c->n; i++)
        if (c->list[i] == v)
            return DSP_OK;
    if (c->n == c->cap) {
        const uint32_t cap = c->cap ? 2 * c->cap : 8;
        uint32_t      *bigger = DSP_ARENA_N(c->m->g.arena, uint32_t, cap);
        if (!bigger)
            return dsp_fail(c->err, DSP_E_NOMEM, "no memory");
        if (c->n)
            memcpy(bigger, c->list, c->n * sizeof *bigger);
        c->list = bigger;
        c->cap = cap;
    }
    c->list[c->n++] = v;
    return DSP_OK;
}

static dsp_status capture_graph(capture *c, const scope *up, const Onnx__GraphProto *p)
{
    size_t n = p->n_input + p->n_initializer + p->n_sparse_initializer;
    for (size_t i = 0; i < p->n_node; i++)
        n += p->node[i]->n_output;
    scope sc = {.up = up};
    if (!dsp_names_init(&sc.own, c->tmp, n))
        return dsp_fail(c->err, DSP_E_NOMEM, "no memory");
    for (size_t i = 0; i < p->n_input; i++)
        dsp_names_add(&sc.own, dsp_text(p->input[i]->name), 0);
    for (size_t i = 0; i < p->n_initializer; i++)
        dsp_names_add(&sc.own, dsp_text(p->initializer[i]->name), 0);
    for (size_t i = 0; i < p->n_sparse_initializer; i++)
        dsp_names_add(&sc.own, p->sparse_initializer[i]->values ? dsp_text(p->sparse_initializer[i]->values->name) : "", 0);
    for (size_t i = 0; i < p->n_node; i++)
        for (size_t k = 0; k < p->node[i]->n_output; k++)
            dsp_names_add(&sc.own, dsp_text(p->node[i]->output[k]), 0);
    dsp_status s = DSP_OK;
    for (size_t i = 0; i < p->n_node && s == DSP_OK; i++) {
        const Onnx__NodeProto *q = p->node[i];
        for (size_t k = 0; k < q->n_input && s == DSP_OK; k++)
            s = capture_name(c, &sc, dsp_text(q->input[k]));
        for (size_t k = 0; k < q->n_attribute && s == DSP_OK; k++) {
            if (q->attribute[k]->g)
                s = capture_graph(c, &sc, q->attribute[k]->g);
            for (size_t j = 0; j < q->attribute[k]->n_graphs && s == DSP_OK; j++)
                s = capture_graph(c, &sc, q->attribute[k]->graphs[j]);
        }
    }
    for (size_t i = 0; i < p->n_output && s == DSP_OK; i++)
        s = capture_name(c, &sc, dsp_text(p->output[i]->name));
    return s;
}

static dsp_status find_captures(dsp_model *m, uint32_t i, dsp_arena *tmp, dsp_err *err)
{
    const Onnx__NodeProto *p = dsp_node_proto(&m->g.nodes[i]);
    capture    c = {.m = m, .node = i, .tmp = tmp, .err = err};
    dsp_status s = DSP_OK;
    const dsp_mark mark = dsp_arena_mark(tmp);
    for (size_t k = 0; k < p->n_attribute && s == DSP_OK; k++) {
        if (p->attribute[k]->g)
            s = capture_graph(&c, NULL, p->attribute[k]->g);
        for (size_t j = 0; j < p->attribute[k]->n_graphs && s == DSP_OK; j++)
            s = capture_graph(&c, NULL, p->attribute[k]->graphs[j]);
    }
    dsp_arena_rewind(tmp, mark);
    m->captures[i] = c.list;
    m->n_captures[i] = c.n;
    return s;
}

/* ---- external data elsewhere than in the graph's own initializers ---- */

static bool tensor_outside(const Onnx__TensorProto *t) { return t && t->data_location; }
static bool sparse_outside(const Onnx__SparseTensorProto *t) { return t && (tensor_outside(t->values) || tensor_outside(t->indices)); }
static bool node_outside(const Onnx__NodeProto *n);

static bool graph_outside(const Onnx__GraphProto *g)
{
    bool out = false;
    for (size_t i = 0; i < g->n_initializer; i++)
        out |= tensor_outside(g->initializer[i]);
    for (size_t i = 0; i < g->n_sparse_initializer; i++)
        out |= sparse_outside(g->sparse_initializer[i]);
    for (size_t i = 0; i < g->n_node; i++)
        out |= node_outside(g->node[i]);
    return out;
}

static bool attribute_outside(const Onnx__AttributeProto *a)
{
    bool out = tensor_outside(a->t) || sparse_outside(a->sparse_tensor) || (a->g && graph_outside(a->g));
    for (size_t i = 0; i < a->n_tensors; i++)
        out |= tensor_outside(a->tensors[i]);
    for (size_t i = 0; i < a->n_sparse_tensors; i++)
        out |= sparse_outside(a->sparse_tensors[i]);
    for (size_t i = 0; i < a->n_graphs; i++)
        out |= graph_outside(a->graphs[i]);
    return out;
}

static bool node_outside(const Onnx__NodeProto *n)
{
    bool out = false;
    for (size_t i = 0; i < n->n_attribute; i++)
        out |= attribute_outside(n->attribute[i]);
    return out;
}

/* Only the graph's own initializers are read from other files, by us, inside the model's folder; the runtime is never told such a path. */
static dsp_status check_outside(const Onnx__ModelProto *m, dsp_err *err)
{
    bool out = false;
    for (size_t i = 0; i < m->graph->n_sparse_initializer; i++)
        out |= sparse_outside(m->graph->sparse_initializer[i]);
    for (size_t i = 0; i < m->graph->n_node; i++)
        out |= node_outside(m->graph->node[i]);
    for (size_t i = 0; i < m->n_functions; i++) {
        for (size_t k = 0; k < m->functions[i]->n_node; k++)
            out |= node_outside(m->functions[i]->node[k]);
        for (size_t k = 0; k < m->functions[i]->n_attribute_proto; k++)
            out |= attribute_outside(m->functions[i]->attribute_proto[k]);
    }
    return out ? dsp_fail(err, DSP_E_UNSUPPORTED, "external data in an attribute, a subgraph, a function or a sparse tensor") : DSP_OK;
}

/* ---- nodes ---- */

static dsp_status add_nodes(dsp_model *m, dsp_err *err)
{
    dsp_graph *g = &m->g;
    const Onnx__GraphProto *p = dsp_graph_proto(g);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const Onnx__NodeProto *q = p->node[i];
        dsp_node *n = &g->nodes[i];
        uint32_t *out = DSP_ARENA_N(g->arena, uint32_t, q->n_output);
        *n = (dsp_node){.name = dsp_text(q->name), .op = dsp_text(q->op_type), .domain = dsp_text(q->domain), .index = i,
                        .n_in = (uint32_t)q->n_input, .n_out = (uint32_t)q->n_output, .out = out, .proto = q};
        if (!out)
            return dsp_fail(err, DSP_E_NOMEM, "no memory");
        if (!*n->op || !n->n_out)
            return dsp_fail(err, DSP_E_FORMAT, "node #%u (%.200s): an operator and at least one output expected", i, n->name);
        if (!strcmp(n->domain, "ai.onnx"))
            n->domain = "";
        for (uint32_t k = 0; k < n->n_out; k++) {
            out[k] = DSP_NONE;
            if (!*q->output[k])
                continue;
            const dsp_status s = add_value(m, q->output[k], "node output", &out[k], err);
            if (s != DSP_OK)
                return dsp_context(err, s, "node #%u (%.100s)", i, n->op);
            g->values[out[k]].producer = i;
        }
    }
    return DSP_OK;
}

static dsp_status check_order(const dsp_graph *g, const dsp_node *n, uint32_t v, dsp_err *err)
{
    const uint32_t from = g->values[v].producer;
    if (from == DSP_NONE || from < n->index)
        return DSP_OK;
    return dsp_fail(err, DSP_E_FORMAT, "node #%u (%.100s) reads \"%.300s\" of node #%u (%.100s), which does not come before it: a cycle, or wrong order",
                    n->index, n->op, g->values[v].name, from, g->nodes[from].op);
}

static dsp_status connect_nodes(dsp_model *m, dsp_err *err)
{
    dsp_graph *g = &m->g;
    dsp_arena *tmp = dsp_arena_create(0);
    dsp_status s = tmp ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory");
    for (uint32_t i = 0; i < g->n_nodes && s == DSP_OK; i++) {
        dsp_node              *n = &g->nodes[i];
        const Onnx__NodeProto *q = dsp_node_proto(n);
        uint32_t              *in = DSP_ARENA_N(g->arena, uint32_t, n->n_in);
        n->in = in;
        if (!in) {
            s = dsp_fail(err, DSP_E_NOMEM, "no memory");
            break;
        }
        for (uint32_t k = 0; k < n->n_in; k++) {
            in[k] = *q->input[k] ? dsp_graph_find(g, q->input[k]) : DSP_NONE;
            if (in[k] == DSP_NONE && *q->input[k]) {
                s = dsp_fail(err, DSP_E_FORMAT, "node #%u (%.100s) reads \"%.300s\", which nothing defines", i, n->op, q->input[k]);
                goto done;
            }
        }
        s = find_captures(m, i, tmp, err);
        uint32_t v;
        for (uint32_t k = 0; s == DSP_OK && dsp_node_read(g, n, k, &v); k++)
            if (v != DSP_NONE)
                s = check_order(g, n, v, err);
        for (size_t k = 0; k < q->n_attribute && s == DSP_OK; k++) {
            const Onnx__AttributeProto *a = q->attribute[k];
            dsp_array x;
            bool      dense;
            char      what[256];
            if (!a->t || !strcmp(n->op, "Constant"))
                continue;
            snprintf(what, sizeof what, "node #%u (%.100s): attribute %.60s", i, n->op, dsp_text(a->name));
            s = dsp_tensor_array(m, a->t, what, &x, &dense, err);
        }
        if (s == DSP_OK && !strcmp(n->op, "Constant") && !*n->domain)
            s = constant_node(m, n, err);
    }
done:
    dsp_arena_free(tmp);
    return s;
}

static dsp_status add_outputs(dsp_model *m, dsp_err *err)
{
    dsp_graph *g = &m->g;
    const Onnx__GraphProto *p = dsp_graph_proto(g);
    for (size_t i = 0; i < p->n_output; i++) {
        const char    *name = dsp_text(p->output[i]->name);
        const uint32_t v = *name ? dsp_graph_find(g, name) : DSP_NONE;
        if (v == DSP_NONE)
            return dsp_fail(err, DSP_E_FORMAT, "graph output \"%.300s\": nothing defines it", name);
        if (g->values[v].is_output)
            return dsp_fail(err, DSP_E_FORMAT, "graph output \"%.300s\": named twice", name);
        g->values[v].is_output = true;
        g->outputs[g->n_outputs++] = v;
    }
    return DSP_OK;
}

static dsp_status read_opsets(dsp_model *m, dsp_err *err)
{
    const Onnx__ModelProto *p = m->g.proto;
    if (!p->has_ir_version || p->ir_version < 3)
        return dsp_fail(err, p->has_ir_version ? DSP_E_UNSUPPORTED : DSP_E_FORMAT, "IR version of at least 3 expected, %jd found", (intmax_t)p->ir_version);
    m->g.ir_version = p->ir_version;
    for (size_t i = 0; i < p->n_opset_import; i++) {
        const char *d = dsp_text(p->opset_import[i]->domain);
        if (p->opset_import[i]->version < 1)
            return dsp_fail(err, DSP_E_FORMAT, "operator set \"%.100s\": version %jd", d, (intmax_t)p->opset_import[i]->version);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(d, dsp_text(p->opset_import[k]->domain)))
                return dsp_fail(err, DSP_E_FORMAT, "operator set \"%.100s\": imported twice", d);
        if (default_domain(d))
            m->g.opset = p->opset_import[i]->version;
    }
    return p->n_opset_import ? DSP_OK : dsp_fail(err, DSP_E_FORMAT, "no operator set imported");
}

static dsp_status build(dsp_model *m, const dsp_dim_bind *binds, size_t n_binds, dsp_err *err)
{
    dsp_graph  *g = &m->g;
    dsp_status  s = read_opsets(m, err);
    if (s != DSP_OK)
        return s;
    const Onnx__GraphProto *p = dsp_graph_proto(g);
    if (!p || !p->n_node || !p->n_output)
        return dsp_fail(err, DSP_E_FORMAT, "a graph with nodes and outputs expected");
    s = check_outside(g->proto, err);
    if (s != DSP_OK)
        return s;
    size_t n = p->n_input + p->n_initializer + p->n_sparse_initializer;
    for (size_t i = 0; i < p->n_node; i++)
        n += p->node[i]->n_output;
    if (p->n_node > MAX_NODES || n > MAX_VALUES)
        return dsp_fail(err, DSP_E_LIMIT, "at most %d nodes and %d values expected, %zu and %zu found", MAX_NODES, MAX_VALUES, p->n_node, n);
    g->n_nodes = (uint32_t)p->n_node;
    g->nodes = DSP_ARENA_N(g->arena, dsp_node, p->n_node);
    g->values = DSP_ARENA_N(g->arena, dsp_value, n);
    g->inputs = DSP_ARENA_N(g->arena, uint32_t, p->n_input);
    g->outputs = DSP_ARENA_N(g->arena, uint32_t, p->n_output);
    m->captures = DSP_ARENA_N(g->arena, uint32_t *, p->n_node);
    m->n_captures = DSP_ARENA_N(g->arena, uint32_t, p->n_node);
    m->by_shape = DSP_ARENA_N(g->arena, bool, p->n_node);
    m->tensor = DSP_ARENA_N(g->arena, const Onnx__TensorProto *, n);
    m->sparse = DSP_ARENA_N(g->arena, const Onnx__SparseTensorProto *, n);
    m->place = DSP_ARENA_N(g->arena, dsp_data_place, n);
    dsp_arena *tmp = dsp_arena_create(0);
    dsp_names  inits;
    if (!tmp || !g->nodes || !g->values || !g->inputs || !g->outputs || !m->captures || !m->n_captures || !m->by_shape || !m->tensor || !m->sparse || !m->place ||
        !dsp_names_init(&m->names, g->arena, n) || !dsp_names_init(&inits, tmp, p->n_initializer + p->n_sparse_initializer)) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for %zu values", n);
        goto done;
    }
    for (size_t i = 0; i < p->n_initializer; i++)
        dsp_names_add(&inits, dsp_text(p->initializer[i]->name), 0);
    for (size_t i = 0; i < p->n_sparse_initializer; i++) {
        if (!p->sparse_initializer[i]->values) {
            s = dsp_fail(err, DSP_E_FORMAT, "sparse initializer %zu: no values", i);
            goto done;
        }
        dsp_names_add(&inits, dsp_text(p->sparse_initializer[i]->values->name), 0);
    }
    for (size_t i = 0; i < p->n_input && s == DSP_OK; i++)
        if (dsp_names_get(&inits, dsp_text(p->input[i]->name)) == DSP_NONE)
            s = add_input(m, p->input[i], err);
    for (size_t i = 0; i < p->n_initializer && s == DSP_OK; i++)
        s = add_initializer(m, p->initializer[i], NULL, err);
    for (size_t i = 0; i < p->n_sparse_initializer && s == DSP_OK; i++)
        s = add_initializer(m, p->sparse_initializer[i]->values, p->sparse_initializer[i], err);
    if (s == DSP_OK)
        s = bind_inputs(m, binds, n_binds, err);
    if (s == DSP_OK)
        s = add_nodes(m, err);
    if (s == DSP_OK)
        s = connect_nodes(m, err);
    if (s == DSP_OK)
        s = add_outputs(m, err);
    if (s == DSP_OK)
        dsp_graph_mark_constant(g);
done:
    dsp_arena_free(tmp);
    return s;
}

/* The file read, checked and parsed; nothing of the graph is there yet. What is there on failure is the caller's too. */
static dsp_status open_model(dsp_model **out, const char *path, dsp_err *err)
{
    *out = NULL;
    uint8_t   *data = NULL;
    size_t     len = 0;
    dsp_status s = dsp_file_read(&data, &len, path, max_file_bytes, err);
    if (s != DSP_OK)
        return s;
    dsp_model *m = *out = DSP_NEW(dsp_model);
    if (!m) {
        dsp_free(data);
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    }
    m->g.bytes = data;
    m->g.len = len;
    m->g.arena = dsp_arena_create(0);
    m->g.dir = dsp_path_dir(path);
    m->path = dsp_strdup(path);
    if (!m->g.arena || !m->g.dir || !m->path)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    dsp_sha_init(&m->sha);
    dsp_sha_put(&m->sha, data, len);
    s = dsp_wire_check(data, len, &onnx__model_proto__descriptor, err);
    if (s == DSP_OK && !(m->g.proto = onnx__model_proto__unpack(NULL, len, data)))
        s = dsp_fail(err, DSP_E_FORMAT, "not an ONNX model");
    return s;
}

dsp_status dsp_graph_load(dsp_graph **out, const char *path, const dsp_dim_bind *binds, size_t n_binds, dsp_err *err)
{
    dsp_model *m;
    *out = NULL;
    dsp_status s = open_model(&m, path, err);
    if (s == DSP_OK)
        s = build(m, binds, n_binds, err);
    if (s != DSP_OK) {
        dsp_graph_free(m ? &m->g : NULL);
        s = s == DSP_E_LIMIT ? DSP_E_FORMAT : s;
        return m ? dsp_context(err, s, "%s", path) : s;
    }
    m->g.digest = dsp_sha_digest(&m->sha);
    *out = &m->g;
    return DSP_OK;
}

dsp_status dsp_graph_digest(dsp_digest *digest, const char *path, dsp_err *err)
{
    dsp_model *m;
    dsp_status s = open_model(&m, path, err);
    const Onnx__GraphProto *p = s == DSP_OK ? dsp_graph_proto(&m->g) : NULL;
    for (size_t i = 0; p && i < p->n_initializer && s == DSP_OK; i++) {
        dsp_array x;
        bool      dense;
        if (p->initializer[i]->data_location == 1)
            s = dsp_tensor_array(m, p->initializer[i], dsp_text(p->initializer[i]->name), &x, &dense, err);
    }
    if (s == DSP_OK)
        *digest = dsp_sha_digest(&m->sha);
    else if (m)
        s = dsp_context(err, s, "%s", path);
    dsp_graph_free(m ? &m->g : NULL);
    return s;
}

void dsp_graph_free(dsp_graph *g)
{
    if (!g)
        return;
    dsp_model *m = (dsp_model *)(void *)g;
    if (g->proto)
        onnx__model_proto__free_unpacked(g->proto, NULL);
    dsp_data_files_release(m);
    dsp_arena_free(g->arena);
    dsp_free((void *)(uintptr_t)g->bytes);
    dsp_free(g->dir);
    dsp_free(m->path);
    dsp_free(m);
}
