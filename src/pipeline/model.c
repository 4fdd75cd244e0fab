#include "pipeline/model.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "pipeline/paths.h"

json_t *dsp_meta_segment(json_t *meta, uint32_t index)
{
    json_t *list = json_object_get(meta, "segments"), *o;
    size_t  i;
    json_array_foreach(list, i, o)
        if (json_is_integer(json_object_get(o, "index")) && json_integer_value(json_object_get(o, "index")) == (json_int_t)index)
            return json_object_get(json_object_get(o, "compilation"), "native");
    return NULL;
}

uint32_t dsp_io_value(const dsp_graph *g, const uint32_t *in, uint32_t n_in, const uint32_t *out, uint32_t n_out, const char *io, dsp_arena *a)
{
    for (uint32_t i = 0; i < n_in + n_out; i++) {
        const uint32_t v = i < n_in ? in[i] : out[i - n_in];
        const char    *name = dsp_lower_tensor_name(g, v, a);
        if (name && strcmp(name, io) == 0)
            return v;
    }
    return DSP_NONE;
}

/* One list of values from metadata.json; what it says about their types goes into the graph, which was loaded without inference. */
static dsp_status load_values(dsp_model *m, uint32_t **out, uint32_t *n, const json_t *list, uint32_t segment, dsp_err *err)
{
    static const int32_t types[] = {DSP_DT_FLOAT, DSP_DT_UINT8, DSP_DT_INT8, DSP_DT_INT32, DSP_DT_INT64, DSP_DT_BOOL, DSP_DT_DOUBLE, DSP_DT_FLOAT16};
    const size_t count = json_array_size(list);
    *n = 0;
    *out = DSP_ARENA_N(m->arena, uint32_t, count);
    if (!*out)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for segment %u", segment);
    for (size_t i = 0; i < count; i++) {
        const json_t  *o = json_array_get(list, i), *shape = json_object_get(o, "shape");
        const uint32_t v = dsp_graph_find(m->g, dsp_json_str(o, "name"));
        if (v == DSP_NONE)
            return dsp_fail(err, DSP_E_FORMAT, "%s/metadata.json: segment %u: \"%s\" is not in the model", m->slices_dir, segment, dsp_json_str(o, "name"));
        dsp_value *x = &m->g->values[v];
        for (size_t t = 0; t < sizeof types / sizeof *types && !x->dtype; t++)
            if (strcmp(dsp_json_str(o, "dtype"), dsp_dtype_text(types[t])) == 0)
                x->dtype = types[t];
        if (json_is_array(shape) && json_array_size(shape) <= DSP_MAX_RANK && x->rank < 0) {
            x->rank = (int32_t)json_array_size(shape);
            for (int32_t k = 0; k < x->rank; k++) {
                const json_t *d = json_array_get(shape, (size_t)k);
                x->dims[k] = json_is_integer(d) && json_integer_value(d) >= 0 ? (int64_t)json_integer_value(d) : -1;
            }
        }
        (*out)[(*n)++] = v;
    }
    return DSP_OK;
}

/* The key of one compiled segment, as metadata.json describes it. */
static dsp_status load_segment(dsp_model *m, dsp_seg *s, const json_t *native, dsp_err *err)
{
    const char *rel = dsp_json_str(native, "vk");
    char       *path = NULL;
    dsp_digest  want;
    dsp_status  r = DSP_OK;
    if (!dsp_path_is_safe(rel) || !dsp_json_digest(&want, native, "vk_sha256"))
        return dsp_fail(err, DSP_E_FORMAT, "%s/metadata.json: segment %u: no usable key entry; compile again", m->slices_dir, s->index);
    path = dsp_path_join(m->slices_dir, rel);
    if (!path)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    r = dsp_file_read(&s->vk, &s->vk_len, path, DSP_FILE_MAX, err);
    if (r != DSP_OK)
        goto done;
    r = dsp_backend_native()->load(&s->slice, s->vk, s->vk_len, err);
    if (r != DSP_OK) {
        dsp_context(err, r, "%s", path);
        r = r == DSP_E_LIMIT ? DSP_E_FORMAT : r;
        goto done;
    }
    if (!dsp_digest_eq(&want, &s->slice->digest)) {
        r = dsp_fail(err, DSP_E_FORMAT, "%s: not the key that metadata.json names; compile again", path);
        goto done;
    }
    s->io_value = DSP_NEW_N(uint32_t, s->slice->n_io);
    if (!s->io_value) {
        r = dsp_fail(err, DSP_E_NOMEM, "no memory for segment %u", s->index);
        goto done;
    }
    for (uint32_t i = 0; i < s->slice->n_io; i++) {
        s->io_value[i] = dsp_io_value(m->g, s->in, s->n_in, s->out, s->n_out, s->slice->io[i].name, m->arena);
        if (s->io_value[i] == DSP_NONE) {
            r = dsp_fail(err, DSP_E_FORMAT, "%s: tensor \"%s\" is not in the model; compile again", path, s->slice->io[i].name);
            goto done;
        }
    }
done:
    dsp_free(path);
    return r;
}

static dsp_status load_record(dsp_model *m, dsp_err *err)
{
    dsp_digest want;
    char      *path = dsp_path_join(m->slices_dir, "quantization.json");
    if (!path)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    dsp_status s = dsp_file_read(&m->record_bytes, &m->record_len, path, DSP_FILE_MAX, err);
    if (s == DSP_OK && (s = dsp_record_read(&m->record, m->record_bytes, m->record_len, err)) != DSP_OK)
        dsp_context(err, s, "%s", path);
    if (s == DSP_OK) {
        const json_t *all = json_object_get(json_object_get(m->meta, "compilation"), "native");
        if (!dsp_json_digest(&want, all, "record_sha256") || !dsp_digest_eq(&want, &m->record->digest))
            s = dsp_fail(err, DSP_E_FORMAT, "%s: not the record that the keys were made from; compile again", path);
        else if (!dsp_digest_eq(&m->record->model, &m->g->digest))
            s = dsp_fail(err, DSP_E_FORMAT, "%s: made for another model file; compile again", path);
    }
    dsp_free(path);
    return s;
}

static dsp_status load_keys(dsp_model *m, dsp_err *err)
{
    const dsp_slice **list = DSP_NEW_N(const dsp_slice *, m->n);
    dsp_digest       *keys = DSP_NEW_N(dsp_digest, m->n);
    dsp_status        s = list && keys ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", m->n);
    for (uint32_t i = 0; i < m->n && s == DSP_OK; i++) {
        dsp_seg      *g = &m->segs[i];
        const json_t *native = dsp_meta_segment(m->meta, i);
        g->index = i;
        snprintf(g->name, sizeof g->name, "segment_%u", i);
        const json_t *meta = json_array_get(json_object_get(m->meta, "segments"), i);
        g->macs = dsp_json_u64(meta, "macs");
        g->params = dsp_json_u64(meta, "parameters");
        if ((s = load_values(m, &g->in, &g->n_in, json_object_get(meta, "inputs"), i, err)) != DSP_OK ||
            (s = load_values(m, &g->out, &g->n_out, json_object_get(meta, "outputs"), i, err)) != DSP_OK)
            break;
        if (native && json_object_get(native, "macs"))
            g->macs = dsp_json_u64(native, "macs");
        g->reason = native ? dsp_json_str(native, "reason") : "not compiled";
        if ((s = dsp_seg_ezkl_load(m, g, err)) != DSP_OK)
            break;
        if (strcmp(dsp_json_str(native, "status"), "compiled") != 0 || g->ezkl)
            continue;
        if ((s = load_segment(m, g, native, err)) != DSP_OK)
            break;
        list[m->n_proved] = g->slice;
        keys[m->n_proved++] = g->slice->digest;
    }
    if (s == DSP_OK && m->n_proved) {
        s = load_record(m, err);
        if (s == DSP_OK)
            s = dsp_backend_native()->run_key(&m->run_key, list, m->n_proved, err);
        if (s == DSP_OK)
            m->model_id = dsp_model_id(&m->record->model, &m->record->digest, keys, m->n_proved);
        m->claim_id = m->model_id;
    }
    if (s == DSP_OK && m->n_ezkl) {
        dsp_foreign *f;
        if ((s = dsp_foreign_of_model(&f, m, err)) == DSP_OK)
            s = dsp_foreign_model_id(&m->claim_id, f, m->n_proved ? &m->model_id : NULL, err);
        dsp_foreign_free(f);
    }
    dsp_free(list);
    dsp_free(keys);
    return s;
}

dsp_status dsp_model_load(dsp_model **out, const char *path, dsp_err *err)
{
    dsp_model *m = DSP_NEW(dsp_model);
    char      *file = NULL;
    dsp_status s = DSP_OK;
    *out = NULL;
    if (!m)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a model");
    if ((s = dsp_find_slices(&m->slices_dir, path, err)) != DSP_OK)
        goto done;
    m->model_dir = dsp_path_dir(m->slices_dir);
    file = dsp_path_join(m->slices_dir, "metadata.json");
    m->arena = dsp_arena_create(0);
    if (!m->model_dir || !file || !m->arena) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        goto done;
    }
    if ((s = dsp_json_load(&m->meta, file, err)) != DSP_OK || (s = dsp_slices_load(&m->slices, m->slices_dir, err)) != DSP_OK ||
        (s = dsp_graph_load(&m->g, m->slices->model_path, m->slices->binds, m->slices->n_binds, err)) != DSP_OK) {
        if (s == DSP_E_ARG) /* not the caller's, but the file's */
            s = dsp_context(err, DSP_E_FORMAT, "dims of %s", file);
        goto done;
    }
    if (!dsp_digest_eq(&m->g->digest, &m->slices->model_digest)) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: changed since it was sliced; slice it again", m->slices->model_path);
        goto done;
    }
    m->n = m->slices->n_segments;
    if (m->n != json_array_size(json_object_get(m->meta, "segments"))) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: %u segments expected", file, m->n);
        goto done;
    }
    m->segs = DSP_NEW_N(dsp_seg, m->n);
    s = m->segs ? load_keys(m, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", m->n);
    if (s == DSP_OK) {
        *out = m;
        m = NULL;
    }
done:
    dsp_free(file);
    dsp_model_free(m);
    return s;
}

void dsp_model_free(dsp_model *m)
{
    if (!m)
        return;
    for (uint32_t i = 0; m->segs && i < m->n; i++) {
        dsp_seg *s = &m->segs[i];
        if (s->slice)
            s->slice->backend->free(s->slice);
        dsp_session_free(s->session);
        dsp_seg_ezkl_free(s->ezkl);
        dsp_free(s->vk);
        dsp_free(s->io_value);
    }
    dsp_free(m->segs);
    dsp_record_free(m->record);
    dsp_free(m->record_bytes);
    dsp_arena_free(m->arena);
    dsp_graph_free(m->g);
    dsp_slices_free(m->slices);
    json_decref(m->meta);
    dsp_free(m->slices_dir);
    dsp_free(m->model_dir);
    dsp_free(m);
}

dsp_status dsp_model_inputs_load(dsp_array **in, const dsp_graph *g, const char *path, dsp_err *err)
{
    dsp_tensor_spec *spec = DSP_NEW_N(dsp_tensor_spec, g->n_inputs);
    dsp_status       s = DSP_OK;
    *in = DSP_NEW_N(dsp_array, g->n_inputs);
    if (!spec || !*in)
        s = dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", path);
    for (uint32_t i = 0; i < g->n_inputs && s == DSP_OK; i++) {
        const dsp_value *v = &g->values[g->inputs[i]];
        spec[i].name = v->name;
        spec[i].dtype = v->dtype;
        if (v->rank < 0)
            s = dsp_fail(err, DSP_E_UNSUPPORTED, "input \"%s\" has no rank in the model file", v->name);
        spec[i].rank = v->rank < 0 ? 0 : (uint32_t)v->rank;
        memcpy(spec[i].dims, v->dims, sizeof spec[i].dims);
    }
    if (s == DSP_OK)
        s = dsp_tensors_load(*in, spec, g->n_inputs, path, false, err);
    dsp_free(spec);
    if (s != DSP_OK) {
        dsp_free(*in);
        *in = NULL;
    }
    return s;
}

void dsp_model_inputs_free(dsp_array *in, const dsp_graph *g)
{
    for (uint32_t i = 0; in && i < g->n_inputs; i++)
        dsp_array_release(&in[i]);
    dsp_free(in);
}
