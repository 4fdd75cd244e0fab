/* The step compile when something is in the way: between it and the real ezkl stands a script that breaks one stage. */
#include <sys/stat.h>

#include "ezkl/compile.h"

static workshop w;
static char     script[96];

/* rule: shell lines that look at the arguments and end the stage, or do nothing. */
static void put_rule(const char *rule)
{
    FILE *f = fopen(script, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\nexec %s %s \"$@\"\n", rule, PYTHON, DRIVER);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(script, 0755), 0);
}

static dsp_status compile(const dsp_compile_args *more, json_t **r, dsp_err *err)
{
    dsp_compile_args a = *more;
    a.slices = w.slices;
    *err = (dsp_err){DSP_OK, ""};
    return dsp_pipe_compile(&w.p, &a, r, err);
}

static json_t *metadata(void)
{
    char    path[128];
    json_t *j;
    dsp_err err;
    snprintf(path, sizeof path, "%s/metadata.json", w.slices);
    OK(dsp_json_load(&j, path, &err));
    return j;
}

static const json_t *part_of(const json_t *meta, size_t i, const char *backend)
{
    return json_object_get(json_object_get(json_array_get(json_object_get(meta, "segments"), i), "compilation"), backend);
}

static void status_is(const json_t *meta, size_t i, const char *ezkl, const char *native)
{
    assert_string_equal(dsp_json_str(part_of(meta, i, "ezkl"), "status"), ezkl);
    assert_string_equal(dsp_json_str(part_of(meta, i, "native"), "status"), native);
}

/* The last stage that was tried, and whether it went wrong. */
static void last_attempt(const json_t *meta, size_t i, size_t n, const char *stage, bool wrong)
{
    const json_t *list = json_object_get(part_of(meta, i, "ezkl"), "attempts"), *o = json_array_get(list, json_array_size(list) - 1);
    assert_int_equal(json_array_size(list), n);
    assert_string_equal(dsp_json_str(o, "stage"), stage);
    assert_string_equal(dsp_json_str(o, "backend"), "ezkl");
    assert_int_equal(json_is_string(json_object_get(o, "error")), wrong);
}

static const json_t *circuit_of(const json_t *meta, size_t i) { return json_object_get(json_array_get(json_object_get(meta, "segments"), i), "ezkl_circuitization"); }

static void no_ezkl(void **state)
{
    static const char *const none[] = {"/nowhere/python", NULL};
    dsp_ezkl_places          places = w.places;
    dsp_pipe                 p = w.p;
    json_t                  *r = NULL;
    dsp_err                  err;
    (void)state;
    places.command = NULL;
    places.commands = NULL;
    places.pythons = none;
    p.ezkl_places = &places;
    p.ezkl = NULL;
    const dsp_compile_args a = {.slices = w.slices, .ezkl = "0"};
    assert_int_equal(dsp_pipe_compile(&p, &a, &r, &err), DSP_E_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "tools/setup-ezkl.sh"));
    json_decref(r);
}

static void arguments(void **state)
{
    json_t *r;
    dsp_err err;
    (void)state;
    assert_int_equal(compile(&(dsp_compile_args){.ezkl = "2"}, &r, &err), DSP_E_ARG);
    json_decref(r);
    assert_int_equal(compile(&(dsp_compile_args){.ezkl = "0", .layers = "1"}, &r, &err), DSP_E_ARG);
    json_decref(r);
    assert_int_equal(compile(&(dsp_compile_args){.ezkl = "0", .ezkl_scale = 33}, &r, &err), DSP_E_ARG);
    assert_non_null(strstr(err.msg, "--ezkl-scale"));
    json_decref(r);
}

/* Told before anything expensive. */
static void too_large(void **state)
{
    json_t *r;
    dsp_err err;
    (void)state;
    w.p.max_memory_bytes = 100 << 20;
    assert_int_equal(compile(&(dsp_compile_args){.ezkl = "1"}, &r, &err), DSP_E_LIMIT);
    assert_true(strstr(err.msg, "segment 1") && strstr(err.msg, "2^15") && strstr(err.msg, "100.0 MiB") && strstr(err.msg, "--max-memory"));
    w.p.max_memory_bytes = 0;
    json_decref(r);
    json_t *meta = metadata();
    last_attempt(meta, 1, 1, "gen-settings", false);
    json_decref(meta);
}

/* A stage that ezkl refuses: native's, or a failure where that was said. */
static void unsupported(void **state)
{
    json_t *r, *meta;
    dsp_err err;
    (void)state;
    put_rule("case \"$1 $*\" in gen-settings*segment_0*) echo 'this node is not known'; exit 1;; esac");
    assert_int_equal(compile(&(dsp_compile_args){.ezkl = "0", .no_fallback = true}, &r, &err), DSP_E_UNSUPPORTED);
    assert_true(strstr(err.msg, "segment 0") && strstr(err.msg, "this node is not known"));
    json_decref(r);
    assert_int_equal(compile(&(dsp_compile_args){.ezkl = "0", .layers = "0"}, &r, &err), DSP_E_UNSUPPORTED);
    json_decref(r);
    OK(compile(&(dsp_compile_args){.ezkl = "0"}, &r, &err));
    meta = metadata();
    status_is(meta, 0, "unsupported", "compiled");
    status_is(meta, 1, "not selected", "compiled");
    last_attempt(meta, 0, 1, "gen-settings", true);
    assert_non_null(strstr(dsp_json_str(part_of(meta, 0, "ezkl"), "reason"), "this node is not known"));
    assert_non_null(strstr(dsp_json_str(part_of(meta, 0, "ezkl"), "log"), "ezkl-gen-settings.log"));
    assert_non_null(strstr(dsp_json_str(circuit_of(meta, 0), "gen-settings_error"), "this node is not known"));
    assert_null(circuit_of(meta, 1));
    const json_t *row = json_array_get(json_object_get(r, "segments"), 0);
    assert_string_equal(dsp_json_str(row, "backend"), "native");
    assert_string_equal(dsp_json_str(json_object_get(row, "ezkl"), "status"), "unsupported");
    json_decref(meta);
    json_decref(r);
    put_rule("");
}

/* What ezkl is never asked. */
static void not_for_ezkl(void **state)
{
    json_t *r, *meta = metadata();
    char    path[128];
    dsp_err err;
    (void)state;
    snprintf(path, sizeof path, "%s/metadata.json", w.slices);
    json_t *in = json_array_get(json_object_get(json_array_get(json_object_get(meta, "segments"), 0), "inputs"), 0);
    dsp_json_put(in, "dtype", json_string("uint8"));
    OK(dsp_json_save(path, meta, 4, false, &err));
    json_decref(meta);
    put_rule("echo 'nobody should call'; exit 1");
    OK(compile(&(dsp_compile_args){.ezkl = "0"}, &r, &err));
    json_decref(r);
    meta = metadata();
    status_is(meta, 0, "unsupported", "compiled");
    assert_non_null(strstr(dsp_json_str(part_of(meta, 0, "ezkl"), "reason"), "not float32"));
    in = json_array_get(json_object_get(json_array_get(json_object_get(meta, "segments"), 0), "inputs"), 0);
    dsp_json_put(in, "dtype", json_string("float32"));
    OK(dsp_json_save(path, meta, 4, false, &err));
    json_decref(meta);
    put_rule("");
}

/* No reference string: everything before stays, and the next compilation goes on behind it. */
static void no_srs(void **state)
{
    json_t *r, *meta;
    dsp_err err;
    (void)state;
    w.p.test_srs = false;
    assert_int_equal(compile(&(dsp_compile_args){.ezkl = "0"}, &r, &err), DSP_E_UNAVAILABLE);
    assert_true(strstr(err.msg, "segment 0") && strstr(err.msg, "ezkl get-srs --logrows 15") && strstr(err.msg, "--generate-test-srs"));
    json_decref(r);
    meta = metadata();
    status_is(meta, 0, "failed", "not selected");
    status_is(meta, 1, "not selected", "compiled");
    last_attempt(meta, 0, 4, "srs", true);
    json_decref(meta);
    assert_int_equal(compile(&(dsp_compile_args){.ezkl = "0"}, &r, &err), DSP_E_UNAVAILABLE);
    json_decref(r);
    meta = metadata();
    last_attempt(meta, 0, 4, "srs", true);
    json_decref(meta);
    w.p.test_srs = true;
}

/* A child that is killed ends the step; the next one goes on with its stage. */
static void killed(void **state)
{
    json_t *r, *meta;
    dsp_err err;
    (void)state;
    put_rule("case \"$1\" in setup) kill -9 $$;; esac");
    assert_int_equal(compile(&(dsp_compile_args){.ezkl = "0"}, &r, &err), DSP_E_IO);
    assert_true(strstr(err.msg, "segment 0") && strstr(err.msg, "signal 9"));
    json_decref(r);
    meta = metadata();
    status_is(meta, 0, "failed", "not selected");
    last_attempt(meta, 0, 4, "setup", true);
    assert_non_null(json_object_get(circuit_of(meta, 0), "setup_error"));
    json_decref(meta);
    put_rule("");
    OK(compile(&(dsp_compile_args){.ezkl = "0"}, &r, &err));
    json_decref(r);
    meta = metadata();
    status_is(meta, 0, "compiled", "not selected");
    last_attempt(meta, 0, 4, "setup", false);
    assert_int_equal(json_object_size(circuit_of(meta, 0)), 5);
    json_decref(meta);
    /* keys of a local reference string are not good enough without consent */
    w.p.test_srs = false;
    assert_int_equal(compile(&(dsp_compile_args){.ezkl = "0"}, &r, &err), DSP_E_UNAVAILABLE);
    json_decref(r);
    w.p.test_srs = true;
}

/* Setup refused after the native keys were made: they are made again, for both segments. */
static void refused_late(void **state)
{
    json_t *r, *meta;
    dsp_err err;
    (void)state;
    put_rule("case \"$1 $*\" in setup*segment_0*) echo 'no such thing'; exit 1;; esac");
    char vk[256];
    snprintf(vk, sizeof vk, "%s/segment_0/ezkl_circuitization/segment_0_vk.key", w.slices);
    assert_int_equal(remove(vk), 0);
    OK(compile(&(dsp_compile_args){.ezkl = "0"}, &r, &err));
    json_decref(r);
    meta = metadata();
    status_is(meta, 0, "failed", "compiled");
    status_is(meta, 1, "not selected", "compiled");
    json_decref(meta);
    dsp_model *m;
    OK(dsp_model_load(&m, w.slices, &err));
    assert_int_equal(m->n_proved, 2);
    for (size_t i = 0; i < m->record->n_tensors; i++)
        assert_false(m->record->tensors[i].pinned);
    dsp_model_free(m);
    put_rule("");
}

/* What does not fit is tried at a smaller scale; at a scale that was asked for, it is refused. */
static void scales(void **state)
{
    json_t *r, *meta;
    char    rule[256];
    dsp_err err;
    (void)state;
    w.p.test_srs = false;
    snprintf(rule, sizeof rule, "case \"$1\" in gen-witness) if ! [ -e %s/once ]; then touch %s/once; echo 'too large to be represented'; exit 1; fi;; esac", w.dir, w.dir);
    put_rule(rule);
    assert_int_equal(compile(&(dsp_compile_args){.ezkl = "*", .force = true}, &r, &err), DSP_E_UNAVAILABLE);
    json_decref(r);
    meta = metadata();
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(dsp_json_u64(part_of(meta, i, "ezkl"), "scale"), 12);
        assert_non_null(json_object_get(part_of(meta, i, "ezkl"), "check"));
    }
    assert_int_equal(dsp_json_u64(json_object_get(json_object_get(meta, "compilation"), "ezkl"), "scale"), 12);
    last_attempt(meta, 1, 4, "gen-witness", false);   /* its settings twice */
    json_decref(meta);
    snprintf(rule, sizeof rule, "%s/once", w.dir);
    assert_int_equal(remove(rule), 0);
    OK(compile(&(dsp_compile_args){.ezkl = "0", .ezkl_scale = 9}, &r, &err));
    json_decref(r);
    meta = metadata();
    status_is(meta, 0, "failed", "compiled");
    assert_int_equal(dsp_json_u64(part_of(meta, 0, "ezkl"), "scale"), 9);
    assert_non_null(strstr(dsp_json_str(circuit_of(meta, 0), "error"), "too large"));
    json_decref(meta);
    w.p.test_srs = true;
    put_rule("");
}

/* A function that ezkl looks up has a range of 16 bits: a scale at which the sample fits there. */
static void looked_up(void **state)
{
    static const int64_t dims[] = {1, 4, -2};
    static const char    sample[] = "{\"input_data\": [[3, -2, 0.5, 0]]}";
    char                 folder[96], path[128];
    msg                  g = {0};
    json_t              *r;
    dsp_err              err;
    (void)state;
    put_msg(&g, 1, make_node("Sigmoid", "x", "y"));
    put_msg(&g, 11, make_value("x", 1, dims, NULL));
    put_msg(&g, 12, make_value("y", 1, dims, NULL));
    put_str(&g, 2, "g");
    msg m = make_model(g, 8, 13);
    snprintf(folder, sizeof folder, "%s/curve", w.dir);
    OK(dsp_mkdirs(folder, &err));
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    OK(dsp_file_write_fast(path, m.p, m.len, 0644, &err));
    dsp_buf_release(&m);
    snprintf(path, sizeof path, "%s/input.json", folder);
    OK(dsp_file_write_fast(path, sample, strlen(sample), 0644, &err));
    const dsp_slice_args a = {.model = folder, .cuts = "none"};
    OK(dsp_pipe_slice(&w.p, &a, &r, &err));
    json_decref(r);
    w.p.test_srs = false;
    snprintf(path, sizeof path, "%s/slices", folder);
    const dsp_compile_args c = {.slices = path, .ezkl = "*"};
    assert_int_equal(dsp_pipe_compile(&w.p, &c, &r, &err), DSP_E_UNAVAILABLE);   /* no reference string */
    assert_non_null(strstr(err.msg, "SRS"));
    json_decref(r);
    snprintf(w.slices, sizeof w.slices, "%s/curve/slices", w.dir);
    json_t *meta = metadata();
    snprintf(w.slices, sizeof w.slices, "%s/slices", w.dir);
    assert_int_equal(dsp_json_u64(part_of(meta, 0, "ezkl"), "scale"), 12);   /* 3 < 2^2, a bit to spare, and the sign */
    assert_true(dsp_json_num(json_object_get(part_of(meta, 0, "ezkl"), "check"), "max_relative_error") < 0.01);
    json_decref(meta);
    w.p.test_srs = true;
}

/* Without ezkl again: native alone, and nothing of ezkl in force. */
static void forgotten(void **state)
{
    json_t *r, *meta;
    dsp_err err;
    (void)state;
    OK(compile(&(dsp_compile_args){0}, &r, &err));
    json_decref(r);
    meta = metadata();
    for (size_t i = 0; i < 2; i++) {
        status_is(meta, i, "not selected", "compiled");
        assert_null(circuit_of(meta, i));
    }
    assert_null(json_object_get(json_object_get(meta, "compilation"), "ezkl"));
    json_decref(meta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_ezkl), cmocka_unit_test(arguments), cmocka_unit_test(too_large), cmocka_unit_test(unsupported), cmocka_unit_test(not_for_ezkl),
                                       cmocka_unit_test(no_srs), cmocka_unit_test(killed), cmocka_unit_test(refused_late), cmocka_unit_test(scales), cmocka_unit_test(looked_up),
                                       cmocka_unit_test(forgotten)};
    int r = SKIPPED;
    if (workshop_open(&w, "tiny")) {
        dsp_ezkl_free(w.p.ezkl);
        w.p.ezkl = NULL;
        snprintf(script, sizeof script, "%s/ezkl", w.dir);
        put_rule("");
        w.places.command = script;
        r = cmocka_run_group_tests(tests, NULL, NULL);
    }
    workshop_close(&w);
    return r;
}
