#include "onnx/meta.h"

#include <stdio.h>
#include <string.h>

#include "onnx/segment.h"

/* jansson passes failures on: putting NULL fails, and the count below tells. */
typedef struct { const dsp_graph *g; const dsp_plan *p; bool bad; } maker;

static void put(maker *m, json_t *o, const char *key, json_t *v) { m->bad |= json_object_set_new(o, key, v) != 0; }
static void add(maker *m, json_t *list, json_t *v) { m->bad |= json_array_append_new(list, v) != 0; }
static json_t *text(const char *s) { return json_string(s); }
static json_t *number(uint64_t v) { return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v); }

static json_t *hex(const dsp_digest *d)
{
    char s[65];
    dsp_digest_hex(s, d);
    return json_string(s);
}

/* ---- shapes ---- */

/* As inferred; null: it depends on data, one dimension or, where even the rank is unknown, all of it. */
static json_t *shape_of(maker *m, const dsp_value *v)
{
    if (v->rank < 0)
        return json_null();
    json_t *list = json_array();
    for (int32_t i = 0; i < v->rank; i++)
        add(m, list, v->dims[i] >= 0 ? json_integer(v->dims[i]) : json_null());
    return list;
}

/* As the model declares it: numbers, symbolic names, null. */
static json_t *declared_shape(maker *m, const Onnx__ValueInfoProto *p)
{
    json_t *list = json_array();
    if (!p->type || p->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !p->type->tensor_type->shape)
        return list;
    const Onnx__TensorShapeProto *s = p->type->tensor_type->shape;
    for (size_t i = 0; i < s->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *d = s->dim[i];
        if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value > 0)
            add(m, list, json_integer(d->dim_value));
        else if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && *dsp_text(d->dim_param))
            add(m, list, text(d->dim_param));
        else
            add(m, list, json_null());
    }
    return list;
}

static json_t *input_shapes(maker *m)
{
    const Onnx__GraphProto *p = dsp_graph_proto(m->g);
    json_t *list = json_array();
    for (size_t i = 0; i < p->n_input; i++) {
        const uint32_t v = dsp_graph_find(m->g, dsp_text(p->input[i]->name));
        if (v != DSP_NONE && m->g->values[v].is_input)
            add(m, list, declared_shape(m, p->input[i]));
    }
    return list;
}

static json_t *output_shapes(maker *m)
{
    const Onnx__GraphProto *p = dsp_graph_proto(m->g);
    json_t *list = json_array();
    for (size_t i = 0; i < p->n_output; i++)
        add(m, list, declared_shape(m, p->output[i]));
    return list;
}

/* ---- nodes ---- */

/* The constant inputs of a node: {name: {shape, size}}. */
static json_t *parameter_details(maker *m, const dsp_node *n)
{
    json_t *o = json_object();
    for (uint32_t k = 0; k < n->n_in; k++) {
        const uint32_t v = n->in[k];
        uint64_t       size;
        if (v == DSP_NONE || !dsp_value_const(m->g, v) || !dsp_dims_count(&m->g->values[v], &size))
            continue;
        json_t *d = json_object();
        put(m, d, "shape", shape_of(m, &m->g->values[v]));
        put(m, d, "size", number(size));
        put(m, o, m->g->values[v].name, d);
    }
    return o;
}

static const dsp_value *weight_of(const dsp_graph *g, const dsp_node *n)
{
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != DSP_NONE && dsp_value_const(g, n->in[k]) && g->values[n->in[k]].rank >= 2 && dsp_dims_known(&g->values[n->in[k]]))
            return &g->values[n->in[k]];
    return NULL;
}

/* Features of a dense layer, channels of a convolution; false when the node is neither. */
static bool features(const dsp_graph *g, const dsp_node *n, int64_t *in, int64_t *out, bool *channels)
{
    const dsp_value *w = weight_of(g, n);
    int64_t          group = 1, trans = 0;
    *channels = !strcmp(n->op, "Conv") || !strcmp(n->op, "ConvTranspose");
    if (!w || (!*channels && strcmp(n->op, "Gemm") != 0 && strcmp(n->op, "MatMul") != 0))
        return false;
    if (*channels) {
        dsp_attr_int(n, "group", &group);
        *in = !strcmp(n->op, "Conv") ? w->dims[1] * group : w->dims[0];
        *out = !strcmp(n->op, "Conv") ? w->dims[0] : w->dims[1] * group;
        return true;
    }
    const bool left = n->in[0] != DSP_NONE && &g->values[n->in[0]] == w; /* the constant is the first factor */
    dsp_attr_int(n, left ? "transA" : "transB", &trans);
    const int64_t rows = w->dims[w->rank - 2], cols = w->dims[w->rank - 1];
    *in = (trans != 0) != left ? cols : rows;
    *out = (trans != 0) != left ? rows : cols;
    return true;
}

static void put_ints(maker *m, json_t *o, const char *key, const dsp_node *n, const char *attribute)
{
    const int64_t *v;
    size_t         count;
    if (!dsp_attr_ints(n, attribute, &v, &count))
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        add(m, list, json_integer(v[i]));
    put(m, o, key, list);
}

static json_t *layer(maker *m, const dsp_node *n)
{
    json_t *o = json_object(), *d = parameter_details(m, n);
    char    name[32 + 64];
    int64_t in, out, group;
    bool    channels;
    snprintf(name, sizeof name, "%.64s_%u", n->op, n->index);
    put(m, o, "name", text(*n->name ? n->name : name));
    put(m, o, "index", number(n->index));
    put(m, o, "type", text(n->op));
    put(m, o, "activation", text(!strcmp(n->op, "Relu") ? "ReLU" : n->op));
    if (features(m->g, n, &in, &out, &channels)) {
        put(m, d, channels ? "in_channels" : "in_features", json_integer(in));
        put(m, d, channels ? "out_channels" : "out_features", json_integer(out));
    }
    put_ints(m, d, "kernel_size", n, "kernel_shape");
    put_ints(m, d, "stride", n, "strides");
    put_ints(m, d, "padding", n, "pads");
    put_ints(m, d, "dilation", n, "dilations");
    if (dsp_attr_int(n, "group", &group))
        put(m, d, "group", json_integer(group));
    put(m, o, "parameter_details", d);
    return o;
}

/* ---- segments ---- */

static uint32_t segment_of(const dsp_plan *p, uint32_t node)
{
    uint32_t lo = 0, hi = p->n_segments;
    while (hi - lo > 1) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (p->segments[mid].first <= node)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static json_t *edge_list(maker *m, const uint32_t *list, uint32_t n)
{
    json_t *out = json_array();
    for (uint32_t i = 0; i < n; i++) {
        const dsp_value *v = &m->g->values[list[i]];
        json_t          *o = json_object();
        char             producer[32] = "model_input";
        if (v->producer != DSP_NONE)
            snprintf(producer, sizeof producer, "segment_%u", segment_of(m->p, v->producer));
        put(m, o, "name", text(v->name));
        put(m, o, "dtype", text(dsp_dtype_name(v->dtype)));
        put(m, o, "shape", shape_of(m, v));
        put(m, o, "producer", text(producer));
        add(m, out, o);
    }
    return out;
}

/* Tensors read before the segment makes them, weights included, and all it makes. */
static json_t *dependencies(maker *m, const dsp_segment_plan *s)
{
    const dsp_graph *g = m->g;
    json_t *o = json_object(), *in = json_array(), *out = json_array(), *real = json_array();
    uint8_t *seen = dsp_calloc(g->n_values, 1);
    m->bad |= !seen;
    for (uint32_t i = s->first; seen && i < s->last; i++) {
        const dsp_node *n = &g->nodes[i];
        uint32_t        v;
        for (uint32_t k = 0; dsp_node_read(g, n, k, &v); k++)
            if (v != DSP_NONE && !seen[v]) {
                seen[v] = 1;
                add(m, in, text(g->values[v].name));
            }
        for (uint32_t k = 0; k < n->n_out; k++)
            if (n->out[k] != DSP_NONE) {
                seen[n->out[k]] = 1;
                add(m, out, text(g->values[n->out[k]].name));
            }
    }
    dsp_free(seen);
    for (uint32_t i = 0; i < s->n_in; i++)
        add(m, real, text(g->values[s->in[i]].name));
    put(m, o, "input", in);
    put(m, o, "output", out);
    put(m, o, "filtered_inputs", real);
    return o;
}

static const dsp_value *first_constant(const dsp_graph *g, const dsp_node *n, int32_t rank)
{
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != DSP_NONE && dsp_value_const(g, n->in[k]) && (rank < 0 ? g->values[n->in[k]].rank > 1 || rank == -2 : g->values[n->in[k]].rank == rank))
            return &g->values[n->in[k]];
    return NULL;
}

/* What older readers take for the sizes of a segment: shapes of its first weight and of the next segment's. */
static json_t *weight_shape(maker *m, const dsp_segment_plan *s)
{
    json_t          *o = json_object(), *in = NULL, *out = NULL;
    const dsp_value *v;
    if (s->index == 0)
        in = input_shapes(m);
    else if ((v = first_constant(m->g, &m->g->nodes[s->first], -2)))
        in = shape_of(m, v);
    if (s->index + 1 == m->p->n_segments) {
        out = output_shapes(m);
    } else {
        const dsp_node *next = &m->g->nodes[s->last];
        if ((v = first_constant(m->g, next, 4)) || (v = first_constant(m->g, next, 2)) || (v = first_constant(m->g, next, -1)))
            out = shape_of(m, v);
    }
    put(m, o, "input", in ? in : json_array());
    put(m, o, "output", out ? out : json_array());
    return o;
}

static json_t *tensor_shape(maker *m, const dsp_segment_plan *s)
{
    json_t     *o = json_object(), *in = json_array(), *out = json_array();
    dsp_closure c;
    m->bad |= dsp_closure_find(&c, m->p, s->index, NULL) != DSP_OK;
    for (uint32_t i = 0; i < c.n_constants; i++)
        add(m, in, shape_of(m, &m->g->values[c.constants[i]]));
    dsp_closure_free(&c);
    for (uint32_t i = 0; i < s->n_in; i++)
        add(m, in, shape_of(m, &m->g->values[s->in[i]]));
    for (uint32_t i = 0; i < s->n_out; i++)
        add(m, out, shape_of(m, &m->g->values[s->out[i]]));
    put(m, o, "input", in);
    put(m, o, "output", out);
    return o;
}

static json_t *segment(maker *m, const dsp_segment_plan *s)
{
    json_t *o = json_object(), *shape = json_object(), *layers = json_array();
    char    name[32];
    snprintf(name, sizeof name, "segment_%u.onnx", s->index);
    put(m, o, "index", number(s->index));
    put(m, o, "filename", text(name));
    put(m, o, "path", text(s->path));
    put(m, o, "relative_path", text(s->path));
    put(m, o, "sha256", hex(&s->sha256));
    put(m, o, "parameters", number(s->params));
    put(m, o, "macs", number(s->macs));
    put(m, o, "memory_bytes", number(s->memory_bytes));
    if (s->n_data) {
        json_t *data = json_array();
        for (uint32_t i = 0; i < s->n_data; i++)
            add(m, data, text(s->data[i]));
        put(m, o, "external_data", data);
        put(m, o, "data_sha256", hex(&s->data_digest));
    }
    put(m, o, "inputs", edge_list(m, s->in, s->n_in));
    put(m, o, "outputs", edge_list(m, s->out, s->n_out));
    put(m, shape, "weight_shape", weight_shape(m, s));
    put(m, shape, "tensor_shape", tensor_shape(m, s));
    put(m, o, "shape", shape);
    put(m, o, "dependencies", dependencies(m, s));
    for (uint32_t i = s->first; i < s->last; i++)
        add(m, layers, layer(m, &m->g->nodes[i]));
    put(m, o, "layers", layers);
    return o;
}

static uint64_t total_params(const dsp_graph *g)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < g->n_values; i++)
        n += dsp_value_params(g, i);
    return n;
}

static json_t *head(maker *m, const char *model)
{
    json_t *o = json_object(), *dims = json_object();
    const dsp_model *full = dsp_model_of(m->g);
    put(m, o, "format_version", json_integer(DSP_SLICES_FORMAT));
    put(m, o, "tool_version", text(DSP_VERSION));
    put(m, o, "original_model", text(model));
    put(m, o, "original_model_sha256", hex(&m->g->digest));
    put(m, o, "model_type", text("ONNX"));
    put(m, o, "total_parameters", number(total_params(m->g)));
    put(m, o, "input_shape", input_shapes(m));
    put(m, o, "output_shapes", output_shapes(m));
    for (size_t i = 0; i < full->n_binds; i++)
        put(m, dims, full->binds[i].name, json_integer(full->binds[i].value));
    put(m, o, "dims", dims);
    return o;
}

static json_t *finish(const maker *m, json_t *o)
{
    if (!m->bad)
        return o;
    json_decref(o);
    return NULL;
}

/* How the cuts came about; a limit that is null does not hold. */
static json_t *slicing(maker *m)
{
    json_t         *o = json_object();
    const uint64_t  limit[] = {m->p->limits.max_params, m->p->limits.max_macs, m->p->limits.max_memory_bytes};
    static const char *const key[] = {"max_params", "max_macs", "max_segment_memory"};
    put(m, o, "cuts", text(m->p->default_cuts ? "default" : "given"));
    for (size_t i = 0; i < 3; i++)
        put(m, o, key[i], limit[i] ? number(limit[i]) : json_null());
    return o;
}

json_t *dsp_meta_slices(const dsp_plan *p, const char *model)
{
    maker   m = {.g = p->g, .p = p};
    json_t *o = head(&m, model), *points = json_array(), *segments = json_array();
    put(&m, o, "slicing", slicing(&m));
    for (uint32_t i = 0; i < p->n_segments; i++) {
        add(&m, points, number(p->segments[i].first));
        add(&m, segments, segment(&m, &p->segments[i]));
    }
    put(&m, o, "slice_points", points);
    put(&m, o, "segments", segments);
    return finish(&m, o);
}

static json_t *analysed_node(maker *m, const dsp_node *n)
{
    json_t *o = json_object(), *deps = json_object(), *in = json_array(), *out = json_array();
    char    name[96];
    int64_t fi, fo;
    bool    channels;
    snprintf(name, sizeof name, "%.64s_%u", n->op, n->index);
    const bool known = features(m->g, n, &fi, &fo, &channels);
    put(m, o, "index", number(n->index));
    put(m, o, "segment_name", text(name));
    put(m, o, "parameters", number(dsp_node_params(m->g, n)));
    put(m, o, "macs", number(dsp_node_macs(m->g, n)));
    put(m, o, "node_type", text(n->op));
    put(m, o, "in_features", known ? json_integer(fi) : json_null());
    put(m, o, "out_features", known ? json_integer(fo) : json_null());
    put(m, o, "parameter_details", parameter_details(m, n));
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != DSP_NONE)
            add(m, in, text(m->g->values[n->in[k]].name));
    for (uint32_t k = 0; k < n->n_out; k++)
        if (n->out[k] != DSP_NONE)
            add(m, out, text(m->g->values[n->out[k]].name));
    put(m, deps, "input", in);
    put(m, deps, "output", out);
    put(m, o, "dependencies", deps);
    if (m->p)
        put(m, o, "segment", number(segment_of(m->p, n->index)));
    return o;
}

json_t *dsp_meta_analysis(const dsp_graph *g, const dsp_plan *p, const char *model)
{
    maker   m = {.g = g, .p = p};
    json_t *o = head(&m, model), *opsets = json_array(), *nodes = json_object();
    const Onnx__ModelProto *proto = g->proto;
    put(&m, o, "node_count", number(g->n_nodes));
    put(&m, o, "initializer_count", number(dsp_graph_proto(g)->n_initializer + dsp_graph_proto(g)->n_sparse_initializer));
    put(&m, o, "opset_version", g->opset ? json_integer(g->opset) : json_null());
    for (size_t i = 0; i < proto->n_opset_import; i++) {
        const char *d = dsp_text(proto->opset_import[i]->domain);
        json_t     *e = json_object();
        put(&m, e, "domain", text(*d ? d : "ai.onnx"));
        put(&m, e, "version", json_integer(proto->opset_import[i]->version));
        add(&m, opsets, e);
    }
    put(&m, o, "opset_imports", opsets);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const dsp_node *n = &g->nodes[i];
        const size_t    len = strlen(n->name) + strlen(n->op) + 32;
        char           *key = dsp_calloc(len, 1);
        if (!key) {
            m.bad = true;
            break;
        }
        if (*n->name)
            snprintf(key, len, "%s", n->name);
        else
            snprintf(key, len, "%s_%u", n->op, i);
        if (json_object_get(nodes, key)) /* a name used before */
            snprintf(key, len, "%s%s_%u", n->name, n->op, i);
        put(&m, nodes, key, analysed_node(&m, n));
        dsp_free(key);
    }
    put(&m, o, "nodes", nodes);
    return finish(&m, o);
}
