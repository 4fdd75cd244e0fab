/* The step compile with the real ezkl: alone, mixed with native segments, resumed, refused. */
#include "ezkl/compile.h"

static workshop w;

static json_t *compiled(const dsp_compile_args *more, dsp_status want)
{
    dsp_err          err = {DSP_OK, ""};
    json_t          *r = NULL;
    dsp_compile_args a = *more;
    a.slices = w.slices;
    const dsp_status s = dsp_pipe_compile(&w.p, &a, &r, &err);
    if (s != want)
        fail_msg("status %d (%s), %d expected", s, err.msg, want);
    if (s != DSP_OK)
        json_object_set_new(r, "error", json_string(err.msg));
    return r;
}

static const char *row(const json_t *r, size_t i, const char *key) { return dsp_json_str(json_array_get(json_object_get(r, "segments"), i), key); }

static json_t *metadata(void)
{
    char    path[128];
    json_t *j;
    dsp_err err;
    snprintf(path, sizeof path, "%s/metadata.json", w.slices);
    OK(dsp_json_load(&j, path, &err));
    return j;
}

static json_t *ezkl_of(const json_t *meta, size_t i)
{
    return json_object_get(json_object_get(json_array_get(json_object_get(meta, "segments"), i), "compilation"), "ezkl");
}

static const char *native_status(const json_t *meta, size_t i)
{
    return dsp_json_str(json_object_get(json_object_get(json_array_get(json_object_get(meta, "segments"), i), "compilation"), "native"), "status");
}

/* Files, digests and circuit of a compiled segment. */
static void whole(const json_t *meta, size_t i)
{
    static const char *const files[] = {"model", "settings", "compiled", "vk_key", "pk_key"};
    const json_t *o = ezkl_of(meta, i), *c = json_object_get(json_array_get(json_object_get(meta, "segments"), i), "ezkl_circuitization");
    char          path[256], key[64];
    assert_string_equal(dsp_json_str(o, "status"), "compiled");
    assert_null(json_object_get(o, "reason"));
    for (size_t f = 0; f < 5; f++) {
        uint8_t   *p;
        size_t     n;
        dsp_digest want;
        snprintf(path, sizeof path, "%s/%s", w.slices, dsp_json_str(o, files[f]));
        snprintf(key, sizeof key, "%s_sha256", files[f]);
        assert_int_equal(dsp_file_read(&p, &n, path, 1 << 30, NULL), DSP_OK);
        assert_true(dsp_json_digest(&want, o, key));
        const dsp_digest have = dsp_sha256(p, n);
        assert_true(dsp_digest_eq(&have, &want));
        snprintf(key, sizeof key, "%s_bytes", files[f]);
        assert_true(dsp_json_u64(o, key) == n);
        if (f)
            assert_string_equal(dsp_json_str(c, files[f]), dsp_json_str(o, files[f]));
        dsp_free(p);
    }
    assert_true(json_is_null(json_object_get(c, "calibration")));
    assert_int_equal(json_object_size(c), 5);
    assert_int_equal(dsp_json_u64(o, "logrows"), 15);
    assert_true(json_is_true(json_object_get(json_object_get(o, "srs"), "insecure")));
    const json_t *in = json_array_get(json_object_get(o, "inputs"), 0), *out = json_array_get(json_object_get(o, "outputs"), 0);
    assert_int_equal(dsp_json_u64(in, "cells"), i ? 16 : 64);
    assert_int_equal(dsp_json_u64(out, "cells"), i ? 10 : 16);
    assert_true(dsp_json_num(json_object_get(o, "check"), "max_relative_error") < 0.01);
    assert_true(dsp_json_num(json_object_get(o, "measured"), "setup_seconds") > 0);
    const double most = dsp_json_num(json_object_get(o, "measured"), "setup_memory_bytes"), told = dsp_json_num(json_object_get(o, "predicted"), "memory_bytes");
    assert_true(told < 3 * most && most < 3 * told);
    const double pk = dsp_json_num(o, "pk_key_bytes"), pk_told = dsp_json_num(json_object_get(o, "predicted"), "pk_bytes");
    assert_true(pk_told < 1.1 * pk && pk < 1.1 * pk_told);
    const double vk = dsp_json_num(o, "vk_key_bytes"), vk_told = dsp_json_num(json_object_get(o, "predicted"), "vk_bytes");
    assert_true(vk_told < 1.1 * vk && vk < 1.1 * vk_told);
}

static void alone(void **state)
{
    dsp_model *m;
    dsp_err    err;
    (void)state;
    json_t *r = compiled(&(dsp_compile_args){.ezkl = "*"}, DSP_OK), *meta = metadata();
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(row(r, i, "backend"), "ezkl");
        assert_string_equal(row(r, i, "result"), "compiled");
        assert_string_equal(native_status(meta, i), "not selected");
        whole(meta, i);
    }
    const json_t *all = json_object_get(json_object_get(meta, "compilation"), "ezkl");
    assert_true(json_is_true(json_object_get(all, "insecure_srs")));
    assert_int_equal(dsp_json_u64(all, "scale"), dsp_json_u64(ezkl_of(meta, 0), "scale"));
    assert_null(json_object_get(json_object_get(meta, "compilation"), "native"));
    OK(dsp_model_load(&m, w.slices, &err));
    dsp_model_free(m);
    json_decref(r);
    json_decref(meta);
    /* nothing to do */
    r = compiled(&(dsp_compile_args){.ezkl = "*"}, DSP_OK);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(row(r, i, "result"), "up to date");
    json_decref(r);
}

static void mixed(void **state)
{
    static const char *const layers[] = {"1", "0"};
    dsp_err err;
    (void)state;
    for (size_t e = 2; e-- > 0;) {   /* e: what ezkl proves */
        const size_t ez = e ? 1 : 0, na = 1 - ez;
        json_t      *r = compiled(&(dsp_compile_args){.ezkl = layers[ez ? 0 : 1]}, DSP_OK), *meta = metadata();
        dsp_model   *m;
        assert_string_equal(row(r, ez, "backend"), "ezkl");
        assert_string_equal(row(r, ez, "result"), "up to date");   /* kept from before, or never touched */
        assert_string_equal(row(r, na, "backend"), "native");
        assert_string_equal(native_status(meta, na), "compiled");
        assert_string_equal(native_status(meta, ez), "not selected");
        assert_string_equal(dsp_json_str(ezkl_of(meta, na), "status"), "not selected");
        whole(meta, ez);
        OK(dsp_model_load(&m, w.slices, &err));
        assert_int_equal(m->n_proved, 1);
        const dsp_qtensor *q = dsp_record_find(m->record, m->g->values[m->segs[1].in[0]].name);
        assert_int_equal(q->scale_bits, dsp_json_u64(ezkl_of(meta, ez), "scale"));
        dsp_model_free(m);
        json_decref(r);
        json_decref(meta);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(alone), cmocka_unit_test(mixed)};
    int r = SKIPPED;
    if (workshop_open(&w, "tiny"))
        r = cmocka_run_group_tests(tests, NULL, NULL);
    workshop_close(&w);
    return r;
}
