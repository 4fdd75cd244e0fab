#include "pipeline/runfiles.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "pipeline/paths.h"
#include "prover/prove.h"

dsp_digest dsp_run_inputs_digest(const dsp_statement *st)
{
    dsp_sha s;
    dsp_sha_init(&s);
    for (uint32_t i = 0; i < st->n_pubs; i++)
        if (st->pubs[i].use & DSP_STMT_INPUT) {
            const uint64_t n = dsp_cells(st->pubs[i].dims);
            for (uint64_t k = 0; k < n; k++)
                dsp_sha_u64(&s, (uint64_t)st->pubs[i].cells[k]);
        }
    return dsp_sha_digest(&s);
}

dsp_status dsp_run_secret_load(uint8_t secret[32], const char *run_dir, const dsp_statement *st, dsp_err *err)
{
    uint8_t   *drawn = NULL;
    size_t     n = 0;
    char      *path = dsp_path_join(run_dir, "secret");
    dsp_status s = path ? dsp_file_read(&drawn, &n, path, 4096, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (s == DSP_OK && n != DSP_SECRET_BYTES)
        s = dsp_fail(err, DSP_E_FORMAT, "%s: %d bytes expected, %zu found", path, DSP_SECRET_BYTES, n);
    if (s == DSP_OK) {
        const dsp_digest in = dsp_run_inputs_digest(st);
        dsp_run_secret(secret, drawn, &st->run_key, st->nonce, &in);
    }
    if (drawn)
        dsp_wipe(drawn, n);
    dsp_free(drawn);
    dsp_free(path);
    return s;
}

dsp_status dsp_statement_load(dsp_statement **st, const char *dir, dsp_err *err)
{
    uint8_t   *p = NULL;
    size_t     n = 0;
    char      *path = dsp_path_join(dir, "statement.bin");
    *st = NULL;
    dsp_status s = path ? dsp_file_read(&p, &n, path, DSP_FILE_MAX, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (s == DSP_OK && (s = dsp_statement_read(st, p, n, err)) != DSP_OK) {
        dsp_context(err, s, "%s", path);
        s = s == DSP_E_LIMIT ? DSP_E_FORMAT : s;
    }
    dsp_free(p);
    dsp_free(path);
    return s;
}

char *dsp_segment_file(const char *dir, uint32_t index, const char *name)
{
    char rel[96];
    snprintf(rel, sizeof rel, "segment_%u/%.60s", index, name);
    return dsp_path_join(dir, rel);
}

json_t *dsp_result_entry(json_t *result, uint32_t index)
{
    char    name[24];
    json_t *list = json_object_get(json_object_get(result, "execution_chain"), "execution_results"), *o;
    size_t  i;
    snprintf(name, sizeof name, "segment_%u", index);
    json_array_foreach(list, i, o)
        if (strcmp(dsp_json_str(o, "segment_id"), name) == 0)
            return o;
    return NULL;
}


json_t *dsp_array_json(const char *name, const dsp_array *a, bool data)
{
    json_t *o = json_object(), *shape = json_array();
    for (uint32_t i = 0; i < a->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)a->dims[i]));
    dsp_json_put(o, "name", json_string(name));
    dsp_json_put(o, "dtype", json_string(dsp_dtype_text(a->dtype)));
    dsp_json_put(o, "shape", shape);
    if (data) {
        const bool real = a->dtype == DSP_DT_FLOAT || a->dtype == DSP_DT_DOUBLE || a->dtype == DSP_DT_FLOAT16;
        json_t    *v = json_array();
        for (size_t i = 0; i < a->count; i++) {
            const double d = real ? dsp_array_f64(a, i) : 0;
            json_array_append_new(v, !real ? json_integer((json_int_t)dsp_array_i64(a, i)) : isfinite(d) ? json_real(d) : json_null());
        }
        dsp_json_put(o, "data", v);
    }
    return o;
}

size_t dsp_argmax(const dsp_array *a)
{
    size_t best = 0;
    for (size_t i = 1; i < a->count; i++)
        if (dsp_array_f64(a, i) > dsp_array_f64(a, best))
            best = i;
    return best;
}

void dsp_classify(json_t *o, const dsp_array *out, uint32_t n)
{
    if (n != 1 || out->dtype != DSP_DT_FLOAT || out->count < 2 || out->count > 100000)
        return;
    for (uint32_t i = 0; i + 1 < out->rank; i++)
        if (out->dims[i] != 1)
            return;
    const size_t best = dsp_argmax(out);
    const double top = dsp_array_f64(out, best);
    double       sum = 0;
    json_t      *row = json_array(), *rows = json_array();
    for (size_t i = 0; i < out->count; i++)
        sum += exp(dsp_array_f64(out, i) - top);
    for (size_t i = 0; i < out->count; i++) {
        const double pr = exp(dsp_array_f64(out, i) - top) / sum;
        json_array_append_new(row, isfinite(pr) ? json_real(pr) : json_null());
    }
    json_array_append_new(rows, row);
    dsp_json_put(o, "prediction", json_integer((json_int_t)best));
    dsp_json_put(o, "probabilities", rows);
}

json_t *dsp_compare_json(const char *name, const dsp_array *got, const dsp_array *ref)
{
    double  max_abs = 0, largest = 0;
    bool    finite = true;
    json_t *o = json_object();
    for (size_t i = 0; i < ref->count && i < got->count; i++) {
        const double r = dsp_array_f64(ref, i), e = fabs(dsp_array_f64(got, i) - r);
        finite = finite && isfinite(e);
        max_abs = e > max_abs ? e : max_abs;
        largest = fabs(r) > largest ? fabs(r) : largest;
    }
    dsp_json_put(o, "name", json_string(name));
    dsp_json_put(o, "max_abs_error", finite ? json_real(max_abs) : json_null());
    dsp_json_put(o, "max_rel_error", finite ? json_real(largest > 0 ? max_abs / largest : max_abs) : json_null());
    dsp_json_put(o, "argmax_agrees", json_boolean(dsp_argmax(got) == dsp_argmax(ref)));
    return o;
}

static json_t *relative(const char *from, const char *path)
{
    char   *r = dsp_path_from(from, path);
    json_t *j = r ? json_string(r) : json_null();
    dsp_free(r);
    return j;
}

dsp_status dsp_result_save_copy(const char *path, const json_t *result, const char *run_dir, dsp_err *err)
{
    char            *dir = dsp_path_dir(path);
    json_t          *o = json_copy((json_t *)(uintptr_t)result);
    if (o && dir)
        dsp_json_put(o, "run_directory", relative(dir, run_dir));
    const dsp_status s = o && dir ? dsp_json_save(path, o, 2, true, err) : dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", path);
    json_decref(o);
    dsp_free(dir);
    return s;
}

json_t *dsp_chain_json(const dsp_model *m, const char *from)
{
    json_t *o = dsp_json_head(), *slices = json_object(), *nodes = json_object(), *map = json_object(), *have = json_object(), *chain = json_object();
    for (uint32_t i = 0; i < m->n; i++) {
        const dsp_seg *s = &m->segs[i];
        json_t *e = json_object(), *n = json_object(), *next = json_null();
        char    rel[96], nn[24];
        char   *circuit = NULL;
        json_t *meta_seg = json_array_get(json_object_get(m->meta, "segments"), i);
        json_t *shape = json_object_get(json_object_get(meta_seg, "shape"), "tensor_shape");
        const bool proved = s->slice || s->ezkl;
        snprintf(rel, sizeof rel, "%s/%s/%s_circuit.bin", s->name, dsp_backend_native()->folder, s->name);
        circuit = s->ezkl ? dsp_strdup(s->ezkl->compiled) : dsp_path_join(m->slices_dir, rel);
        json_t *onnx = relative(from, m->slices->segment_path[i]), *cp = circuit ? relative(from, circuit) : json_null();
        dsp_json_put(e, "path", json_incref(onnx));
        dsp_json_put(e, "sha256", dsp_json_hex(&m->slices->segment_digest[i]));
        dsp_json_put(e, "input_shape", json_deep_copy(json_object_get(shape, "input")));
        dsp_json_put(e, "output_shape", json_deep_copy(json_object_get(shape, "output")));
        dsp_json_put(e, "ezkl_compatible", json_true());
        dsp_json_put(e, "ezkl", json_boolean(s->ezkl != NULL));
        dsp_json_put(e, "native", json_boolean(s->slice != NULL));
        dsp_json_put(e, "backend", s->slice ? json_string("native") : s->ezkl ? json_string("ezkl") : json_null());
        dsp_json_put(e, "circuit_size", json_integer((json_int_t)(s->ezkl ? s->ezkl->vk_len : s->vk_len)));
        dsp_json_put(e, "dependencies", json_deep_copy(json_object_get(meta_seg, "dependencies")));
        dsp_json_put(e, "parameters", json_integer((json_int_t)s->params));
        dsp_json_put(e, "macs", json_integer((json_int_t)s->macs));
        if (s->slice) {
            char file[96];
            dsp_json_put(e, "circuit_path", json_incref(cp));
            for (int k = 0; k < 2; k++) {
                snprintf(file, sizeof file, "%s/%s/%s_%s.bin", s->name, s->slice->backend->folder, s->name, k ? "pk" : "vk");
                char *key = dsp_path_join(m->slices_dir, file);
                dsp_json_put(e, k ? "pk_path" : "vk_path", key ? relative(from, key) : json_null());
                dsp_free(key);
            }
            dsp_json_put(e, "vk_sha256", dsp_json_hex(&s->slice->digest));
        } else if (s->ezkl) {
            static const char *const keys[] = {"settings", "vk_key", "pk_key"}, *const as[] = {"settings_path", "vk_path", "pk_path"};
            const json_t            *z = json_object_get(json_object_get(meta_seg, "compilation"), "ezkl");
            dsp_json_put(e, "circuit_path", json_incref(cp));
            for (int k = 0; k < 3; k++) {
                char *file = dsp_path_join(m->slices_dir, dsp_json_str(z, keys[k]));
                dsp_json_put(e, as[k], file ? relative(from, file) : json_null());
                dsp_free(file);
            }
            dsp_json_put(e, "vk_sha256", dsp_json_hex(&s->ezkl->vk_digest));
            dsp_json_put(e, "compiled_sha256", dsp_json_hex(&s->ezkl->compiled_digest));
            dsp_json_put(e, "pk_sha256", dsp_json_hex(&s->ezkl->pk_digest));
            dsp_json_put(e, "settings_sha256", dsp_json_hex(&s->ezkl->settings_digest));
        } else {
            dsp_json_put(e, "reason", json_string(s->reason));
        }
        if (i + 1 < m->n) {
            snprintf(nn, sizeof nn, "segment_%u", i + 1);
            next = json_string(nn);
        }
        dsp_json_put(n, "segment_id", json_string(s->name));
        dsp_json_put(n, "primary", json_incref(proved ? cp : onnx));
        dsp_json_put(n, "fallback", json_incref(onnx));
        dsp_json_put(n, "use_circuit", json_boolean(proved));
        dsp_json_put(n, "next", next);
        dsp_json_put(n, "circuit_path", proved ? json_incref(cp) : json_null());
        dsp_json_put(n, "onnx_path", json_incref(onnx));
        dsp_json_put(map, proved && json_is_string(cp) ? json_string_value(cp) : s->name, json_incref(onnx));
        dsp_json_put(have, s->name, json_boolean(proved));
        dsp_json_put(slices, s->name, e);
        dsp_json_put(nodes, s->name, n);
        json_decref(onnx);
        json_decref(cp);
        dsp_free(circuit);
    }
    dsp_json_put(chain, "head", m->n ? json_string("segment_0") : json_null());
    dsp_json_put(chain, "nodes", nodes);
    dsp_json_put(chain, "fallback_map", map);
    dsp_json_put(o, "model_path", relative(from, m->model_dir));
    dsp_json_put(o, "model_sha256", dsp_json_hex(&m->g->digest));
    dsp_json_put(o, "slices_path", relative(from, m->slices_dir));
    if (m->n_proved) {
        dsp_json_put(o, "record_sha256", dsp_json_hex(&m->record->digest));
        dsp_json_put(o, "run_key", dsp_json_hex(&m->run_key));
    }
    if (m->n_proved || m->n_ezkl)
        dsp_json_put(o, "model_id", dsp_json_hex(&m->claim_id));
    dsp_json_put(o, "overall_security", json_real(m->n ? floor(1000.0 * (m->n_proved + m->n_ezkl) / m->n + 0.5) / 10 : 0));
    dsp_json_put(o, "overall_security_measures", json_string("segments with a circuit, percent"));
    dsp_json_put(o, "slices", slices);
    dsp_json_put(o, "execution_chain", chain);
    dsp_json_put(o, "circuit_slices", have);
    dsp_json_put(o, "run_directory", json_string("."));
    return o;
}
