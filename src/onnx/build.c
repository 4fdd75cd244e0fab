/* Making messages: values, tensors and models, deterministic in every byte. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "onnx/internal.h"

enum { SHARE_MODEL_BYTES = 16 << 20, SHARE_TENSOR_BYTES = 1 << 10 };

Onnx__ValueInfoProto *dsp_build_value(dsp_arena *a, const dsp_value *v)
{
    Onnx__ValueInfoProto *p = DSP_ARENA_NEW(a, Onnx__ValueInfoProto);
    if (!p)
        return NULL;
    onnx__value_info_proto__init(p);
    p->name = (char *)(uintptr_t)v->name;
    if (!v->dtype)
        return p;
    Onnx__TypeProto         *t = DSP_ARENA_NEW(a, Onnx__TypeProto);
    Onnx__TypeProto__Tensor *x = DSP_ARENA_NEW(a, Onnx__TypeProto__Tensor);
    if (!t || !x)
        return NULL;
    onnx__type_proto__init(t);
    onnx__type_proto__tensor__init(x);
    p->type = t;
    t->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    t->tensor_type = x;
    x->has_elem_type = 1;
    x->elem_type = v->dtype;
    if (v->rank < 0)
        return p;
    const size_t rank = (size_t)v->rank;
    Onnx__TensorShapeProto             *s = DSP_ARENA_NEW(a, Onnx__TensorShapeProto);
    Onnx__TensorShapeProto__Dimension **list = DSP_ARENA_N(a, Onnx__TensorShapeProto__Dimension *, rank);
    Onnx__TensorShapeProto__Dimension  *dim = DSP_ARENA_N(a, Onnx__TensorShapeProto__Dimension, rank);
    if (!s || !list || !dim)
        return NULL;
    onnx__tensor_shape_proto__init(s);
    x->shape = s;
    s->n_dim = rank;
    s->dim = list;
    for (size_t i = 0; i < rank; i++) {
        onnx__tensor_shape_proto__dimension__init(&dim[i]);
        list[i] = &dim[i];
        if (v->dims[i] >= 0) {
            dim[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim[i].dim_value = v->dims[i];
        }
    }
    return p;
}

Onnx__TensorProto *dsp_build_tensor(dsp_arena *a, const char *name, const dsp_array *x)
{
    Onnx__TensorProto *t = DSP_ARENA_NEW(a, Onnx__TensorProto);
    int64_t           *dims = DSP_ARENA_N(a, int64_t, x->rank);
    if (!t || !dims)
        return NULL;
    onnx__tensor_proto__init(t);
    memcpy(dims, x->dims, x->rank * sizeof *dims);
    t->name = (char *)(uintptr_t)name;
    t->n_dims = x->rank;
    t->dims = dims;
    t->has_data_type = 1;
    t->data_type = x->dtype;
    t->has_raw_data = 1;
    t->raw_data.len = x->bytes;
    t->raw_data.data = (uint8_t *)(uintptr_t)x->data;
    return t;
}

bool dsp_value_shared(const dsp_graph *g, uint32_t v)
{
    const dsp_model *m = dsp_model_of(g);
    return m->external_bytes >= SHARE_MODEL_BYTES && m->tensor[v] && m->place[v].file != DSP_NONE && g->values[v].constant &&
           g->values[v].constant->bytes >= SHARE_TENSOR_BYTES;
}

const char *dsp_data_dir(const dsp_graph *g) { return dsp_model_of(g)->external_bytes >= SHARE_MODEL_BYTES ? g->dir : NULL; }

static bool entry(dsp_arena *a, Onnx__StringStringEntryProto **slot, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *e = DSP_ARENA_NEW(a, Onnx__StringStringEntryProto);
    if (!e)
        return false;
    onnx__string_string_entry_proto__init(e);
    e->key = (char *)(uintptr_t)key;
    e->value = dsp_arena_strdup(a, value);
    *slot = e;
    return e->value != NULL;
}

/* A tensor whose data are elsewhere: location, offset, length. */
static Onnx__TensorProto *build_reference(dsp_arena *a, const dsp_graph *g, uint32_t v, dsp_data_mode mode)
{
    const dsp_model     *m = dsp_model_of(g);
    const dsp_data_place at = m->place[v];
    Onnx__TensorProto   *t = dsp_build_tensor(a, g->values[v].name, g->values[v].constant);
    Onnx__StringStringEntryProto **list = DSP_ARENA_N(a, Onnx__StringStringEntryProto *, 3);
    char name[32], offset[24], length[24];
    if (!t || !list)
        return NULL;
    snprintf(name, sizeof name, "weights_%u.bin", at.file);
    snprintf(offset, sizeof offset, "%" PRIu64, at.offset);
    snprintf(length, sizeof length, "%zu", g->values[v].constant->bytes);
    t->has_raw_data = 0;
    t->raw_data.len = 0;
    t->raw_data.data = NULL;
    t->has_data_location = 1;
    t->data_location = 1;
    t->n_external_data = 3;
    t->external_data = list;
    return entry(a, &list[0], "location", mode == DSP_DATA_BY_MODEL ? m->data_file[at.file].location : name) &&
                   entry(a, &list[1], "offset", offset) && entry(a, &list[2], "length", length)
               ? t
               : NULL;
}

const Onnx__TensorProto *dsp_build_initializer(dsp_arena *a, const dsp_graph *g, uint32_t v, dsp_data_mode mode)
{
    const Onnx__TensorProto *t = dsp_model_of(g)->tensor[v];
    if (mode != DSP_DATA_INSIDE && dsp_value_shared(g, v))
        return build_reference(a, g, v, mode);
    return t && t->data_location != 1 ? t : g->values[v].constant ? dsp_build_tensor(a, g->values[v].name, g->values[v].constant) : t;
}

dsp_status dsp_build_pack(uint8_t **data, size_t *len, const dsp_graph *g, const Onnx__GraphProto *graph, int64_t ir, dsp_err *err)
{
    const Onnx__ModelProto *from = g->proto;
    Onnx__ModelProto        m;
    *data = NULL;
    *len = 0;
    onnx__model_proto__init(&m);
    m.has_ir_version = 1;
    m.ir_version = from->ir_version > ir ? from->ir_version : ir;
    m.producer_name = (char *)(uintptr_t)"dsperse";
    m.producer_version = (char *)(uintptr_t)DSP_VERSION;
    m.graph = (Onnx__GraphProto *)(uintptr_t)graph;
    m.n_opset_import = from->n_opset_import;
    m.opset_import = from->opset_import;
    m.n_functions = from->n_functions;
    m.functions = from->functions;
    const size_t n = onnx__model_proto__get_packed_size(&m);
    if (n > INT32_MAX)
        return dsp_fail(err, DSP_E_LIMIT, "an ONNX model of %zu bytes: at most %d expected", n, INT32_MAX);
    uint8_t *p = dsp_calloc(n ? n : 1, 1);
    if (!p)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for an ONNX model of %zu bytes", n);
    *len = onnx__model_proto__pack(&m, p);
    *data = p;
    return DSP_OK;
}
