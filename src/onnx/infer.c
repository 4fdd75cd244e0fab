/* Shapes and folding through ONNX Runtime, and whole-graph runs.
 *
 * Shapes: a copy of the model, its input dimensions bound and every node output named as an output, is loaded and asked for its types; nothing
 * runs. Large float constants become inputs of that copy (their values say nothing about shapes), so it is small. Whole-number constants
 * are then evaluated, and the next copy holds them as initializers; that resolves Reshape, Slice and the like behind them. The runtime
 * reports an unknown rank as 0: such values are asked for again through a Shape node, whose own length is the rank.
 */
#include <stdio.h>
#include <string.h>

#include "onnx/internal.h"
#include "onnx/ort_session.h"

enum { MAX_ROUNDS = 32, SMALL_FLOATS = 64, SMALL_CELLS = 4096, MAX_FOLD_CELLS = 1 << 24 };

/* A graph message that grows. */
typedef struct {
    Onnx__GraphProto p;
    dsp_arena       *a;
    bool             bad;
} copy;

/* Room for every node, value and Shape question of g. */
static bool copy_init(copy *c, const dsp_graph *g)
{
    memset(c, 0, sizeof *c);
    c->a = dsp_arena_create(0);
    if (!c->a)
        return false;
    onnx__graph_proto__init(&c->p);
    c->p.name = (char *)(uintptr_t)"graph";
    c->p.node = DSP_ARENA_N(c->a, Onnx__NodeProto *, (size_t)g->n_nodes + g->n_values);
    c->p.initializer = DSP_ARENA_N(c->a, Onnx__TensorProto *, g->n_values);
    c->p.sparse_initializer = DSP_ARENA_N(c->a, Onnx__SparseTensorProto *, g->n_values);
    c->p.input = DSP_ARENA_N(c->a, Onnx__ValueInfoProto *, g->n_values);
    c->p.output = DSP_ARENA_N(c->a, Onnx__ValueInfoProto *, g->n_values);
    return c->p.node && c->p.initializer && c->p.sparse_initializer && c->p.input && c->p.output;
}

static void copy_free(copy *c)
{
    dsp_arena_free(c->a);
    c->a = NULL;
}

static void add_node(copy *c, const dsp_node *n) { c->p.node[c->p.n_node++] = (Onnx__NodeProto *)(uintptr_t)n->proto; }

static void add_input(copy *c, const dsp_value *v)
{
    Onnx__ValueInfoProto *p = dsp_build_value(c->a, v);
    c->bad |= !p;
    c->p.input[c->p.n_input++] = p;
}

static void add_output(copy *c, const dsp_value *v, bool typed)
{
    const dsp_value untyped = {.name = v->name};
    Onnx__ValueInfoProto *p = dsp_build_value(c->a, typed ? v : &untyped);
    c->bad |= !p;
    c->p.output[c->p.n_output++] = p;
}

static void add_constant(copy *c, const dsp_graph *g, uint32_t v)
{
    const Onnx__TensorProto *t = dsp_build_initializer(c->a, g, v, DSP_DATA_BY_MODEL);
    if (dsp_model_of(g)->sparse[v]) {
        c->p.sparse_initializer[c->p.n_sparse_initializer++] = (Onnx__SparseTensorProto *)(uintptr_t)dsp_model_of(g)->sparse[v];
        return;
    }
    c->bad |= !t;
    c->p.initializer[c->p.n_initializer++] = (Onnx__TensorProto *)(uintptr_t)t;
}

/* A session over c; its bytes are dropped again. */
static dsp_status copy_session(dsp_session **s, copy *c, const dsp_graph *g, dsp_ort *o, unsigned level, dsp_err *err)
{
    uint8_t *data = NULL;
    size_t   len;
    *s = NULL;
    if (c->bad)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    dsp_status r = dsp_build_pack(&data, &len, g, &c->p, 4, err);
    if (r == DSP_OK)
        r = dsp_session_create(s, o, data, len, dsp_data_dir(g), 1, level, err);
    dsp_free(data);
    return r;
}

/* ---- shapes ---- */

static bool all_constant(const dsp_graph *g, const dsp_node *n)
{
    for (uint32_t k = 0; k < n->n_out; k++)
        if (n->out[k] != DSP_NONE && !g->values[n->out[k]].constant)
            return false;
    return true;
}

/* Everything but the graph outputs. light: large float constants as inputs. */
static void fill(copy *c, const dsp_graph *g, bool light)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (!all_constant(g, &g->nodes[i]))
            add_node(c, &g->nodes[i]);
    for (uint32_t i = 0; i < g->n_values; i++) {
        const dsp_value *v = &g->values[i];
        const bool big = v->constant && (v->constant->count > SMALL_CELLS || (dsp_dtype_is_float(v->dtype) && v->constant->count > SMALL_FLOATS));
        const bool node_kept = v->producer != DSP_NONE && !all_constant(g, &g->nodes[v->producer]);
        if (v->is_input || (v->constant && !node_kept && big && light))
            add_input(c, v);
        else if (v->is_initializer || (v->constant && !node_kept))
            add_constant(c, g, i);
    }
}

/* Types of the values in list (n_list of them) into their entries; hint: per value, its shape is known and stated. */
static dsp_status ask_types(dsp_graph *g, dsp_ort *o, bool light, const uint8_t *hint, const uint32_t *list, size_t n_list, dsp_err *err)
{
    copy         c;
    dsp_session *s = NULL;
    dsp_status   r = copy_init(&c, g) ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory");
    if (r == DSP_OK) {
        fill(&c, g, light);
        for (size_t i = 0; i < n_list; i++)
            add_output(&c, &g->values[list[i]], hint[list[i]]);
        r = copy_session(&s, &c, g, o, 0, err);
    }
    for (size_t i = 0; i < n_list && r == DSP_OK; i++) {
        dsp_value got = g->values[list[i]];
        r = dsp_session_output_type(s, i, &got, err);
        g->values[list[i]] = got;
    }
    dsp_session_free(s);
    copy_free(&c);
    return r;
}

/* A name that no value of g has. */
static char *free_name(const dsp_graph *g, dsp_arena *a, uint32_t i)
{
    char name[64];
    for (unsigned k = 0;; k++) {
        snprintf(name, sizeof name, "dsperse:rank:%u:%u", i, k);
        if (dsp_graph_find(g, name) == DSP_NONE)
            return dsp_arena_strdup(a, name);
    }
}

/* For values reported with rank 0: -1 where the rank is unknown. */
static dsp_status ask_ranks(dsp_graph *g, dsp_ort *o, bool light, const uint32_t *list, size_t n_list, dsp_err *err)
{
    copy         c;
    dsp_session *s = NULL;
    dsp_status   r = copy_init(&c, g) ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory");
    if (r == DSP_OK)
        fill(&c, g, light);
    for (size_t i = 0; i < n_list && r == DSP_OK; i++) {
        Onnx__NodeProto *n = DSP_ARENA_NEW(c.a, Onnx__NodeProto);
        char           **names = DSP_ARENA_N(c.a, char *, 2);
        if (!n || !names || !(names[1] = free_name(g, c.a, list[i]))) {
            r = dsp_fail(err, DSP_E_NOMEM, "no memory");
            break;
        }
        onnx__node_proto__init(n);
        names[0] = (char *)(uintptr_t)g->values[list[i]].name;
        n->op_type = (char *)(uintptr_t)"Shape";
        n->n_input = n->n_output = 1;
        n->input = &names[0];
        n->output = &names[1];
        c.p.node[c.p.n_node++] = n;
        add_output(&c, &(dsp_value){.name = names[1]}, false);
    }
    if (r == DSP_OK)
        r = copy_session(&s, &c, g, o, 0, err);
    for (size_t i = 0; i < n_list && r == DSP_OK; i++) {
        dsp_value got = {.name = c.p.output[i]->name};
        r = dsp_session_output_type(s, i, &got, err);
        if (got.rank != 1 || got.dims[0] != 0)
            g->values[list[i]].rank = -1;
    }
    dsp_session_free(s);
    copy_free(&c);
    return r;
}

static dsp_status ask(dsp_graph *g, dsp_ort *o, uint32_t *list, bool light, const uint8_t *hint, dsp_err *err)
{
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_values; i++)
        if (g->values[i].producer != DSP_NONE && !all_constant(g, &g->nodes[g->values[i].producer]) && !g->values[i].constant)
            list[n++] = i;
    dsp_status s = n ? ask_types(g, o, light, hint, list, n, err) : DSP_OK;
    size_t doubtful = 0;
    for (size_t i = 0; i < n && s == DSP_OK; i++)
        if (g->values[list[i]].dtype && g->values[list[i]].rank == 0 && !hint[list[i]])
            list[doubtful++] = list[i];
    return s == DSP_OK && doubtful ? ask_ranks(g, o, light, list, doubtful, err) : s;
}

/* Broadcast of a and b; false when they do not fit or are not known. */
static bool broadcast(dsp_value *out, const dsp_value *a, const dsp_value *b)
{
    if (!dsp_dims_known(a) || !dsp_dims_known(b))
        return false;
    const int32_t rank = a->rank > b->rank ? a->rank : b->rank;
    for (int32_t i = 1; i <= rank; i++) {
        const int64_t x = i <= a->rank ? a->dims[a->rank - i] : 1, y = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1)
            return false;
        out->dims[rank - i] = x == 1 ? y : x;
    }
    out->rank = rank;
    return true;
}

/* Shapes that the runtime's schemas leave out: comparisons of operator set 12, the mask of an old Dropout. */
static bool fill_gaps(dsp_graph *g, uint8_t *hint)
{
    bool added = false;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const dsp_node *n = &g->nodes[i];
        const bool      compare = !strcmp(n->op, "LessOrEqual") || !strcmp(n->op, "GreaterOrEqual"), drop = !strcmp(n->op, "Dropout");
        const uint32_t  at = drop ? 1 : 0;
        if (*n->domain || (!compare && !drop) || n->n_out <= at || n->out[at] == DSP_NONE || n->n_in < 1 || n->in[0] == DSP_NONE)
            continue;
        dsp_value       *v = &g->values[n->out[at]];
        const dsp_value *a = &g->values[n->in[0]];
        if (v->rank >= 0 || !v->dtype)
            continue;
        const dsp_value *b = drop ? a : n->n_in == 2 && n->in[1] != DSP_NONE ? &g->values[n->in[1]] : NULL;
        if (b && broadcast(v, a, b))
            hint[n->out[at]] = added = true;
    }
    return added;
}

/* Shapes that the model itself declares, for values of which not even the rank is known; dimensions without a number stay unknown. */
static bool fill_declared(dsp_graph *g, uint8_t *hint)
{
    const Onnx__GraphProto *p = dsp_graph_proto(g);
    bool added = false;
    for (size_t i = 0; i < p->n_output + p->n_value_info; i++) {
        const Onnx__ValueInfoProto *info = i < p->n_output ? p->output[i] : p->value_info[i - p->n_output];
        const uint32_t at = dsp_graph_find(g, dsp_text(info->name));
        if (at == DSP_NONE || !info->type || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !info->type->tensor_type->shape)
            continue;
        const Onnx__TensorShapeProto *shape = info->type->tensor_type->shape;
        dsp_value *v = &g->values[at];
        const bool fits = v->producer != DSP_NONE && v->rank < 0 && v->dtype && v->dtype == info->type->tensor_type->elem_type && shape->n_dim <= DSP_MAX_RANK;
        if (!fits)
            continue;
        v->rank = (int32_t)shape->n_dim;
        for (size_t k = 0; k < shape->n_dim; k++) {
            const bool number = shape->dim[k]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && shape->dim[k]->dim_value > 0;
            v->dims[k] = number ? shape->dim[k]->dim_value : -1;
        }
        hint[at] = added = true;
    }
    return added;
}

/* ---- folding ---- */

static bool set_constant(dsp_graph *g, uint32_t v, const dsp_array *x, bool copy_data)
{
    dsp_array *own = DSP_ARENA_NEW(g->arena, dsp_array);
    if (!own)
        return false;
    *own = *x;
    if (copy_data) {
        uint8_t *p = dsp_arena_raw(g->arena, x->bytes ? x->bytes : 1, 1);
        if (!p)
            return false;
        if (x->bytes)
            memcpy(p, x->data, x->bytes);
        own->data = p;
    }
    dsp_value *value = &g->values[v];
    value->constant = own;
    value->dtype = own->dtype;
    value->rank = (int32_t)own->rank;
    memcpy(value->dims, own->dims, sizeof value->dims);
    return true;
}

/* Shape and Size of values whose shape is known. */
static dsp_status fold_shapes(dsp_graph *g, bool *progress, dsp_err *err)
{
    bool *by_shape = dsp_model_of(g)->by_shape;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        dsp_node  *n = &g->nodes[i];
        const bool shape = !strcmp(n->op, "Shape"), size = !strcmp(n->op, "Size");
        if ((!shape && !size) || *n->domain || n->n_in != 1 || n->n_out != 1 || n->in[0] == DSP_NONE || n->out[0] == DSP_NONE ||
            g->values[n->out[0]].constant)
            continue;
        const dsp_value *v = &g->values[n->in[0]];
        uint64_t         count;
        int64_t          start = 0, end = v->rank, result[DSP_MAX_RANK];
        dsp_array        x = {.dtype = DSP_DT_INT64, .count = 1, .data = result};
        if (!dsp_dims_count(v, &count) || count > INT64_MAX)
            continue;
        if (shape) {
            dsp_attr_int(n, "start", &start);
            dsp_attr_int(n, "end", &end);
            start = start < 0 ? start + v->rank : start;
            end = end < 0 ? end + v->rank : end;
            start = start < 0 ? 0 : start > v->rank ? v->rank : start;
            end = end < start ? start : end > v->rank ? v->rank : end;
            x.rank = 1;
            x.count = (size_t)(end - start);
            x.dims[0] = end - start;
            memcpy(result, v->dims + start, x.count * sizeof *result);
        } else {
            result[0] = (int64_t)count;
        }
        x.bytes = 8 * x.count;
        const uint32_t from = v->producer;
        if (!set_constant(g, n->out[0], &x, true))
            return dsp_fail(err, DSP_E_NOMEM, "no memory");
        by_shape[i] = !dsp_value_const(g, n->in[0]) || (from != DSP_NONE && by_shape[from]);
        n->folded = *progress = true;
    }
    return DSP_OK;
}

/* Whole-number outputs of constant nodes that are not evaluated yet, and what they need, run as a model of their own. */
static dsp_status fold_integers(dsp_graph *g, dsp_ort *o, bool *progress, dsp_err *err)
{
    copy         c;
    dsp_session *s = NULL;
    dsp_array   *out = NULL;
    const char **names = NULL;
    uint32_t    *want = NULL;
    uint8_t     *need = NULL; /* per value */
    size_t       n_want = 0;
    dsp_status   r = DSP_OK;
    if (!copy_init(&c, g) || !(need = DSP_ARENA_N(c.a, uint8_t, g->n_values)) || !(want = DSP_ARENA_N(c.a, uint32_t, g->n_values))) {
        r = dsp_fail(err, DSP_E_NOMEM, "no memory");
        goto done;
    }
    for (uint32_t i = 0; i < g->n_values; i++) {
        const dsp_value *v = &g->values[i];
        uint64_t         count = 0;
        if (v->constant || v->producer == DSP_NONE || !g->nodes[v->producer].folded || !dsp_dtype_is_integer(v->dtype))
            continue;
        if (dsp_dims_known(v) && (!dsp_dims_count(v, &count) || count > MAX_FOLD_CELLS))
            continue;
        want[n_want++] = i;
        need[i] = 1;
    }
    if (!n_want)
        goto done;
    /* backwards: which nodes are needed */
    uint8_t *node = DSP_ARENA_N(c.a, uint8_t, g->n_nodes);
    if (!node) {
        r = dsp_fail(err, DSP_E_NOMEM, "no memory");
        goto done;
    }
    for (uint32_t i = g->n_nodes; i-- > 0;) {
        const dsp_node *n = &g->nodes[i];
        uint32_t        v;
        for (uint32_t k = 0; k < n->n_out; k++)
            node[i] |= n->out[k] != DSP_NONE && need[n->out[k]] && !g->values[n->out[k]].constant;
        for (uint32_t k = 0; node[i] && dsp_node_read(g, n, k, &v); k++)
            if (v != DSP_NONE)
                need[v] = 1;
    }
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (node[i])
            add_node(&c, &g->nodes[i]);
    for (uint32_t i = 0; i < g->n_values; i++) {
        const dsp_value *v = &g->values[i];
        if (need[i] && (v->is_initializer || (v->constant && !node[v->producer])))
            add_constant(&c, g, i);
    }
    out = DSP_NEW_N(dsp_array, n_want);
    names = DSP_NEW_N(const char *, n_want);
    if (!out || !names) {
        r = dsp_fail(err, DSP_E_NOMEM, "no memory");
        goto done;
    }
    for (size_t i = 0; i < n_want; i++) {
        names[i] = g->values[want[i]].name;
        add_output(&c, &g->values[want[i]], false);
    }
    r = copy_session(&s, &c, g, o, 0, err);
    if (r == DSP_OK)
        r = dsp_session_run(s, NULL, NULL, 0, names, out, n_want, err);
    if (r != DSP_OK) {
        r = dsp_context(err, r, "folding whole-number constants");
        goto done;
    }
    for (size_t i = 0; i < n_want; i++) {
        if (r == DSP_OK && !set_constant(g, want[i], &out[i], true))
            r = dsp_fail(err, DSP_E_NOMEM, "no memory");
        dsp_array_release(&out[i]);
    }
    *progress = true;
done:
    dsp_session_free(s);
    dsp_free(out);
    dsp_free(names);
    copy_free(&c);
    return r;
}

/* Float constants that only change their shape keep their data. */
static dsp_status fold_views(dsp_graph *g, bool *progress, dsp_err *err)
{
    static const char *const ops[] = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"};
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const dsp_node *n = &g->nodes[i];
        bool            is_view = n->folded && !*n->domain && n->n_in && n->n_out == 1 && n->in[0] != DSP_NONE && n->out[0] != DSP_NONE;
        if (!is_view || g->values[n->out[0]].constant || !g->values[n->in[0]].constant)
            continue;
        is_view = false;
        for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
            is_view |= !strcmp(n->op, ops[k]);
        const dsp_value *v = &g->values[n->out[0]];
        dsp_array        x = *g->values[n->in[0]].constant;
        uint64_t         count;
        if (!is_view || !dsp_dims_count(v, &count) || count != x.count || v->dtype != x.dtype)
            continue;
        x.rank = (uint32_t)v->rank;
        memcpy(x.dims, v->dims, sizeof x.dims);
        if (!set_constant(g, n->out[0], &x, false))
            return dsp_fail(err, DSP_E_NOMEM, "no memory");
        *progress = true;
    }
    return DSP_OK;
}

static bool all_known(const dsp_graph *g)
{
    for (uint32_t i = 0; i < g->n_values; i++)
        if (!dsp_dims_known(&g->values[i]))
            return false;
    return true;
}

dsp_status dsp_graph_infer(dsp_graph *g, dsp_ort *o, dsp_err *err)
{
    uint32_t  *list = DSP_NEW_N(uint32_t, g->n_values);
    uint8_t   *hint = DSP_NEW_N(uint8_t, g->n_values);
    dsp_status s = list && hint ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory");
    bool       light = true;
    for (unsigned round = 0; round < MAX_ROUNDS && s == DSP_OK; round++) {
        bool progress;
        s = ask(g, o, list, light, hint, err);
        if (s != DSP_OK && s != DSP_E_NOMEM && light && round == 0) { /* an operator that wants its weights as constants */
            light = false;
            s = ask(g, o, list, light, hint, err);
        }
        progress = s == DSP_OK && fill_gaps(g, hint);
        /* a constant folded here may make the next Shape or whole-number node constant */
        for (bool more = s == DSP_OK; more && s == DSP_OK;) {
            more = false;
            s = fold_shapes(g, &more, err);
            more |= dsp_graph_mark_constant(g);
            if (s == DSP_OK)
                s = fold_integers(g, o, &more, err);
            if (s == DSP_OK)
                s = fold_views(g, &more, err);
            progress |= more;
        }
        if (all_known(g) || (!progress && !(s == DSP_OK && fill_declared(g, hint))))
            break;
    }
    dsp_free(list);
    dsp_free(hint);
    return s;
}

/* ---- whole-graph runs ---- */

static dsp_status check_inputs(const dsp_graph *g, const dsp_array *in, dsp_err *err)
{
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const dsp_value *v = &g->values[g->inputs[i]];
        bool             same = in[i].dtype == v->dtype && in[i].rank == (uint32_t)v->rank;
        for (int32_t k = 0; same && k < v->rank; k++)
            same = in[i].dims[k] == v->dims[k];
        if (!same)
            return dsp_fail(err, DSP_E_ARG, "input \"%.200s\": the declared element type (%s) and shape expected", v->name, dsp_dtype_name(v->dtype));
    }
    return DSP_OK;
}

static dsp_status copy_array(dsp_array *out, const dsp_array *in, dsp_err *err)
{
    uint8_t *p = dsp_calloc(in->bytes ? in->bytes : 1, 1);
    if (!p)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    *out = *in;
    if (in->bytes)
        memcpy(p, in->data, in->bytes);
    out->data = p;
    return DSP_OK;
}

dsp_status dsp_graph_session(dsp_session **s, const dsp_graph *g, dsp_ort *o, const uint32_t *values, size_t n_values, unsigned threads, dsp_err *err)
{
    copy       c;
    uint8_t   *data = NULL;
    size_t     len;
    dsp_status r = copy_init(&c, g) ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory");
    *s = NULL;
    if (r != DSP_OK)
        goto done;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        add_node(&c, &g->nodes[i]);
    for (uint32_t i = 0; i < g->n_values; i++)
        if (g->values[i].is_initializer)
            add_constant(&c, g, i);
        else if (g->values[i].is_input)
            add_input(&c, &g->values[i]);
    for (size_t i = 0; i < n_values; i++)
        if (g->values[values[i]].producer != DSP_NONE)
            add_output(&c, &g->values[values[i]], false);
    if (c.bad)
        r = dsp_fail(err, DSP_E_NOMEM, "no memory");
    if (r == DSP_OK)
        r = dsp_build_pack(&data, &len, g, &c.p, 4, err);
    if (r == DSP_OK)
        r = dsp_session_create(s, o, data, len, dsp_data_dir(g), threads, 0, err);
done:
    dsp_free(data);
    copy_free(&c);
    return r;
}

dsp_status dsp_graph_run(const dsp_graph *g, dsp_ort *o, const dsp_array *inputs, const uint32_t *values, size_t n_values, dsp_array *out, dsp_err *err)
{
    dsp_session *s = NULL;
    const char **in_names = DSP_NEW_N(const char *, g->n_inputs), **names = DSP_NEW_N(const char *, n_values);
    dsp_array   *got = DSP_NEW_N(dsp_array, n_values);
    uint32_t    *first = DSP_NEW_N(uint32_t, g->n_values), *ask_for = DSP_NEW_N(uint32_t, n_values); /* first: 1 + place among those asked for */
    size_t       n = 0, ran = 0;
    dsp_status   r = DSP_OK;
    memset(out, 0, n_values * sizeof *out);
    if (!in_names || !names || !got || !first || !ask_for) {
        r = dsp_fail(err, DSP_E_NOMEM, "no memory");
        goto done;
    }
    for (size_t i = 0; i < n_values; i++) {
        if (values[i] >= g->n_values) {
            r = dsp_fail(err, DSP_E_ARG, "value %u of %u", values[i], g->n_values);
            goto done;
        }
        if (g->values[values[i]].producer != DSP_NONE && !first[values[i]]) {
            names[n] = g->values[values[i]].name;
            ask_for[n++] = values[i];
            first[values[i]] = (uint32_t)n;
        }
    }
    r = check_inputs(g, inputs, err);
    for (uint32_t i = 0; i < g->n_inputs; i++)
        in_names[i] = g->values[g->inputs[i]].name;
    if (r == DSP_OK && n)
        r = dsp_graph_session(&s, g, o, ask_for, n, 1, err);
    if (r == DSP_OK && n)
        r = dsp_session_run(s, in_names, inputs, g->n_inputs, names, got, n, err);
    if (r != DSP_OK)
        goto done;
    ran = n;
    for (size_t i = 0; i < n_values && r == DSP_OK; i++) {
        const dsp_value *v = &g->values[values[i]];
        const dsp_array *from = v->constant;
        for (uint32_t k = 0; v->is_input && k < g->n_inputs; k++)
            if (g->inputs[k] == values[i])
                from = &inputs[k];
        if (v->producer != DSP_NONE) {
            dsp_array *mine = &got[first[values[i]] - 1];
            if (mine->data && ask_for[first[values[i]] - 1] == values[i]) { /* the first asker takes it; later ones copy its copy */
                out[i] = *mine;
                memset(mine, 0, sizeof *mine);
                continue;
            }
            for (size_t k = 0; k < i; k++)
                if (values[k] == values[i])
                    from = &out[k];
        }
        r = from ? copy_array(&out[i], from, err) : dsp_fail(err, DSP_E_UNSUPPORTED, "value \"%.200s\" is no dense tensor", v->name);
    }
done:
    for (size_t i = 0; i < ran; i++)
        dsp_array_release(&got[i]);
    for (size_t i = 0; r != DSP_OK && i < n_values; i++)
        dsp_array_release(&out[i]);
    dsp_session_free(s);
    dsp_free(in_names);
    dsp_free(names);
    dsp_free(got);
    dsp_free(first);
    dsp_free(ask_for);
    return r;
}
