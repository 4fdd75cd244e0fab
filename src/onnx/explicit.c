#include "onnx/explicit.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "onnx.pb-c.h"
#include "onnx/wire.h"

enum { MAX_WINDOW = 6, TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 };

typedef struct { Onnx__GraphProto *g; dsp_arena *a; Onnx__NodeProto *n; size_t room; bool bad; } writer;

static const char *text(const char *s) { return s ? s : ""; }

static const Onnx__AttributeProto *find(const Onnx__NodeProto *n, const char *name)
{
    for (size_t i = 0; i < n->n_attribute; i++)
        if (strcmp(text(n->attribute[i]->name), name) == 0)
            return n->attribute[i];
    return NULL;
}

/* A new attribute at the end of the node's; NULL where it has one of that name already. */
static Onnx__AttributeProto *attribute(writer *w, const char *name, int32_t type)
{
    if (w->bad || find(w->n, name))
        return NULL;
    Onnx__AttributeProto *t = DSP_ARENA_NEW(w->a, Onnx__AttributeProto);
    char                 *copy = dsp_arena_strdup(w->a, name);
    if (!t || !copy || w->room == 0) {
        w->bad = true;
        return NULL;
    }
    onnx__attribute_proto__init(t);
    t->name = copy;
    t->has_type = 1;
    t->type = type;
    w->n->attribute[w->n->n_attribute++] = t;
    w->room--;
    return t;
}

static void put_int(writer *w, const char *name, int64_t v)
{
    Onnx__AttributeProto *t = attribute(w, name, TYPE_INT);
    if (t) {
        t->has_i = 1;
        t->i = v;
    }
}

static void put_float(writer *w, const char *name, float v)
{
    Onnx__AttributeProto *t = attribute(w, name, TYPE_FLOAT);
    if (t) {
        t->has_f = 1;
        t->f = v;
    }
}

/* n values: those of v, or all the same. */
static void put_ints(writer *w, const char *name, size_t n, const int64_t *v, int64_t same)
{
    Onnx__AttributeProto *t = attribute(w, name, TYPE_INTS);
    if (!t)
        return;
    if (!(t->ints = DSP_ARENA_N(w->a, int64_t, n))) {
        w->bad = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        t->ints[t->n_ints++] = v ? v[i] : same;
}

/* Spatial dimensions of a node's weight, where it is an initializer. */
static size_t weight_window(const writer *w, const int64_t **dims)
{
    if (w->n->n_input < 2)
        return 0;
    for (size_t i = 0; i < w->g->n_initializer; i++) {
        const Onnx__TensorProto *t = w->g->initializer[i];
        if (strcmp(text(t->name), text(w->n->input[1])) == 0 && t->n_dims > 2) {
            *dims = t->dims + 2;
            return t->n_dims - 2;
        }
    }
    return 0;
}

static void window(writer *w, bool weights, bool dilations)
{
    const Onnx__AttributeProto *k = find(w->n, "kernel_shape"), *pad = find(w->n, "auto_pad");
    const int64_t              *dims = NULL;
    size_t                      rank = k ? k->n_ints : weights ? weight_window(w, &dims) : 0;
    const bool                  decided = pad && !(pad->s.len == 6 && memcmp(pad->s.data, "NOTSET", 6) == 0);
    if (rank == 0 || rank > MAX_WINDOW)
        return;
    if (weights)
        put_ints(w, "kernel_shape", rank, dims, 1);
    put_ints(w, "strides", rank, NULL, 1);
    if (dilations)
        put_ints(w, "dilations", rank, NULL, 1);
    if (!decided)
        put_ints(w, "pads", 2 * rank, NULL, 0);
}

static void explain(writer *w)
{
    const char *op = text(w->n->op_type);
    if (*text(w->n->domain) && strcmp(w->n->domain, "ai.onnx") != 0)
        return;
    if (strcmp(op, "Conv") == 0 || strcmp(op, "ConvTranspose") == 0) {
        window(w, true, true);
        put_int(w, "group", 1);
    } else if (strcmp(op, "MaxPool") == 0 || strcmp(op, "AveragePool") == 0 || strcmp(op, "LpPool") == 0) {
        window(w, false, strcmp(op, "MaxPool") == 0);   /* the others have no dilations before version 19 */
    } else if (strcmp(op, "Gemm") == 0) {
        put_float(w, "alpha", 1);
        put_float(w, "beta", 1);
        put_int(w, "transA", 0);
        put_int(w, "transB", 0);
    } else if (strcmp(op, "BatchNormalization") == 0) {
        put_float(w, "epsilon", 1e-5f);
        put_float(w, "momentum", 0.9f);
    } else if (strcmp(op, "LeakyRelu") == 0) {
        put_float(w, "alpha", 0.01f);
    } else if (strcmp(op, "Elu") == 0) {
        put_float(w, "alpha", 1);
    } else if (strcmp(op, "Flatten") == 0) {
        put_int(w, "axis", 1);
    }
}

dsp_status dsp_onnx_explicit(uint8_t **out, size_t *out_len, const uint8_t *p, size_t len, dsp_err *err)
{
    enum { MOST = 5 };   /* attributes that one node may gain */
    Onnx__ModelProto *m = NULL;
    struct { size_t n; Onnx__AttributeProto **list; } *old = NULL;
    dsp_arena        *a = dsp_arena_create(0);
    size_t            n_old = 0;
    dsp_status        s = a ? dsp_wire_check(p, len, &onnx__model_proto__descriptor, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a model");
    *out = NULL;
    *out_len = 0;
    if (s != DSP_OK)
        goto done;
    if (!(m = onnx__model_proto__unpack(NULL, len, p)) || !m->graph) {
        s = dsp_fail(err, DSP_E_FORMAT, "not an ONNX model, or no memory for it");
        goto done;
    }
    old = dsp_arena_alloc(a, m->graph->n_node, sizeof *old);
    if (!old) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a model");
        goto done;
    }
    for (; n_old < m->graph->n_node; n_old++) {
        Onnx__NodeProto       *n = m->graph->node[n_old];
        Onnx__AttributeProto **list = DSP_ARENA_N(a, Onnx__AttributeProto *, n->n_attribute + MOST);
        writer                 w = {m->graph, a, n, MOST, list == NULL};
        old[n_old].n = n->n_attribute;
        old[n_old].list = n->attribute;
        if (list) {
            for (size_t i = 0; i < n->n_attribute; i++)
                list[i] = n->attribute[i];
            n->attribute = list;
            explain(&w);
        }
        if (w.bad) {
            n_old++;
            s = dsp_fail(err, DSP_E_NOMEM, "no memory for a model");
            goto done;
        }
    }
    *out_len = onnx__model_proto__get_packed_size(m);
    *out = DSP_NEW_N(uint8_t, *out_len);
    if (*out)
        onnx__model_proto__pack(m, *out);
    else
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a model of %zu bytes", *out_len);
done:
    /* The message frees what it was read with. */
    for (size_t i = 0; m && i < n_old; i++) {
        m->graph->node[i]->n_attribute = old[i].n;
        m->graph->node[i]->attribute = old[i].list;
    }
    if (m)
        onnx__model_proto__free_unpacked(m, NULL);
    dsp_arena_free(a);
    return s;
}
