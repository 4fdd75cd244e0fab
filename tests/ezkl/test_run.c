/* run, prove, verify and bundle with the real ezkl over models/tiny: alone, and mixed with the native prover both ways round. */
#include "ezkl/compile.h"

#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/runclaims.h"
#include "pipeline/runfiles.h"

static workshop w;
static char     input[96], bundle[96];

static dsp_status verified(const dsp_verify_args *more, const char *where, char *check, dsp_err *err)
{
    json_t          *r = NULL;
    dsp_verify_args  a = *more;
    a.run = where;
    a.read_only = true;
    const dsp_status s = dsp_pipe_verify(&w.p, &a, &r, err);
    if (check)
        snprintf(check, 24, "%.23s", r ? dsp_json_str(r, "check") : "");
    json_decref(r);
    return s;
}

static void expect(const dsp_verify_args *a, const char *where, dsp_status want, const char *check)
{
    char             found[24];
    dsp_err          err = {DSP_OK, ""};
    const dsp_status s = verified(a, where, found, &err);
    if (s != want || (check && strcmp(found, check) != 0))
        fail_msg("status %d, check \"%s\" (%s); %d, \"%s\" expected", s, found, err.msg, want, check ? check : "");
}

/* Compiles, runs and proves; run: its folder. */
static json_t *proved(const char *layers, char run[256], bool fallback)
{
    dsp_err  err = {DSP_OK, ""};
    json_t  *r = NULL, *p = NULL;
    const dsp_compile_args c = {.slices = w.slices, .ezkl = layers};
    OK(dsp_pipe_compile(&w.p, &c, &r, &err));
    json_decref(r);
    const dsp_run_args a = {.slices = w.slices, .input = input, .fresh = true, .no_fallback = !fallback, .compare = true};
    OK(dsp_pipe_run(&w.p, &a, &r, &err));
    snprintf(run, 256, "%s", dsp_json_str(r, "run_dir"));
    const dsp_prove_run_args b = {.run = run};
    OK(dsp_pipe_prove(&w.p, &b, &p, &err));
    json_decref(p);
    return r;
}

static const json_t *entry(const json_t *result, uint32_t i) { return dsp_result_entry((json_t *)(uintptr_t)result, i); }

static json_t *result_of(const char *run)
{
    char    path[300];
    json_t *j;
    dsp_err err;
    snprintf(path, sizeof path, "%s/run_result.json", run);
    OK(dsp_json_load(&j, path, &err));
    return j;
}

/* Everything that a verifier can be asked about a good run; then its bundle. */
static void good(const char *run, const json_t *report, const char *segments_of_ezkl)
{
    dsp_err  err = {DSP_OK, ""};
    json_t  *r = NULL, *j;
    char     output[300], id[65], command[600];
    snprintf(id, sizeof id, "%s", dsp_json_str(report, "model_id"));
    snprintf(output, sizeof output, "%s/output.json", w.dir);
    json_t *list = json_array(), *x = json_pack("{s:o}", "input_data", list), *o;
    for (size_t i = 0; (o = json_array_get(json_object_get(report, "outputs"), i)) != NULL; i++)
        json_array_append(list, json_object_get(o, "data"));
    OK(dsp_json_save(output, x, 0, false, &err));
    json_decref(x);
    const dsp_verify_args all = {.run = run, .model_id = id, .expect_input = input, .expect_output = output, .require_full = true};
    OK(dsp_pipe_verify(&w.p, &all, &r, &err));
    assert_string_equal(dsp_json_str(r, "verdict"), "accepted");
    assert_true(json_is_true(json_object_get(r, "insecure_srs")));
    assert_string_equal(dsp_json_str(r, "model_id"), id);
    j = json_object_get(r, "coverage");
    assert_int_equal(dsp_json_u64(j, "segments"), 2);
    assert_int_equal(dsp_json_u64(json_object_get(json_object_get(j, "by_backend"), "ezkl"), "segments"), strlen(segments_of_ezkl));
    assert_int_equal(dsp_json_u64(json_object_get(json_object_get(j, "by_backend"), "native"), "segments"), 2 - strlen(segments_of_ezkl));
    json_decref(r);
    j = result_of(run);
    const json_t *chain = json_object_get(j, "execution_chain");
    assert_int_equal(dsp_json_u64(chain, "ezkl_verified_slices"), strlen(segments_of_ezkl));
    assert_int_equal(dsp_json_u64(chain, "ezkl_proved_slices"), strlen(segments_of_ezkl));
    assert_int_equal(dsp_json_u64(chain, "ezkl_witness_slices"), strlen(segments_of_ezkl));
    assert_int_equal(dsp_json_u64(chain, "verified_slices"), 2);
    assert_true(json_is_true(json_object_get(json_object_get(j, "chain_verification"), "insecure_srs")));
    for (const char *s = segments_of_ezkl; *s; s++) {
        const json_t *e = entry(j, (uint32_t)(*s - '0'));
        assert_string_equal(dsp_json_str(json_object_get(e, "witness_execution"), "method"), "ezkl_gen_witness");
        assert_string_equal(dsp_json_str(e, "backend"), "ezkl");
        assert_true(json_is_true(json_object_get(json_object_get(e, "verification_execution"), "verified")));
        assert_true(dsp_json_u64(json_object_get(e, "proof_execution"), "peak_memory_bytes") > 0);
    }
    json_decref(j);
    /* without consent, and without ezkl, there is no verdict; neither is a rejection */
    w.p.test_srs = false;
    expect(&(dsp_verify_args){.run = run}, run, DSP_E_UNAVAILABLE, "");
    w.p.test_srs = true;
    /* the bundle says the same, and holds nothing private */
    snprintf(command, sizeof command, "rm -rf %s", bundle);
    assert_int_equal(system(command), 0);
    const dsp_bundle_args b = {.run = run, .out = bundle};
    OK(dsp_pipe_bundle(&w.p, &b, &r, &err));
    assert_string_equal(dsp_json_str(r, "model_id"), id);
    json_decref(r);
    snprintf(command, sizeof command, "test -z \"$(find %s -name 'witness*' -o -name 'input.json' -o -name secret -o -name '*.log' -o -name 'pk*')\"", bundle);
    assert_int_equal(system(command), 0);
    expect(&all, bundle, DSP_OK, "");
}

static void spoil_file(const char *name, size_t at_end, uint8_t flip)
{
    char     path[300];
    uint8_t *p;
    size_t   n;
    snprintf(path, sizeof path, "%s/%s", bundle, name);
    assert_int_equal(dsp_file_read(&p, &n, path, 1 << 28, NULL), DSP_OK);
    p[n - at_end] ^= flip;
    assert_int_equal(dsp_file_write_fast(path, p, n, 0644, NULL), DSP_OK);
    dsp_free(p);
}

static void copy_bundle(bool there)
{
    char command[400];
    snprintf(command, sizeof command, there ? "rm -rf %s && cp -r %s.good %s" : "rm -rf %s.good && cp -r %s %s.good", bundle, bundle, bundle);
    assert_int_equal(system(command), 0);
}

/* One tensor of the bundle's foreign statement gets another integer; everything else is made to fit as far as its producer can. */
static void forge(uint32_t tensor, uint32_t cell)
{
    char         path[300];
    uint8_t     *p;
    size_t       n;
    dsp_foreign *f;
    dsp_buf      b = {0};
    snprintf(path, sizeof path, "%s/foreign.bin", bundle);
    assert_int_equal(dsp_file_read(&p, &n, path, 1 << 28, NULL), DSP_OK);
    assert_int_equal(dsp_foreign_read(&f, p, n, NULL), DSP_OK);
    ((int64_t *)(uintptr_t)f->tensors[tensor].cells)[cell] += 1;
    assert_int_equal(dsp_foreign_write(&b, f, NULL), DSP_OK);
    assert_int_equal(dsp_file_write_fast(path, b.p, b.len, 0644, NULL), DSP_OK);
    /* the proofs' instances follow, so that only ezkl can tell */
    for (uint32_t i = 0; i < f->n_segments; i++) {
        const dsp_foreign_segment *g = &f->segments[i];
        json_t                    *j;
        char                       felt[65];
        snprintf(path, sizeof path, "%s/segment_%u/proof.json", bundle, g->index);
        assert_int_equal(dsp_json_load(&j, path, NULL), DSP_OK);
        json_t *list = json_array_get(json_object_get(j, "instances"), 0);
        json_array_clear(list);
        for (uint32_t k = 0; k < g->n_in + g->n_out; k++) {
            const dsp_foreign_tensor *t = &f->tensors[k < g->n_in ? g->in[k] : g->out[k - g->n_in]];
            for (uint32_t c = 0; c < t->count; c++) {
                dsp_ezkl_felt(felt, t->cells[c]);
                json_array_append_new(list, json_string(felt));
            }
        }
        assert_int_equal(dsp_json_save(path, j, 0, false, NULL), DSP_OK);
        json_decref(j);
    }
    dsp_buf_release(&b);
    dsp_foreign_free(f);
    dsp_free(p);
}

static void alone(void **state)
{
    char                  run[256], command[900], from[300];
    const dsp_verify_args plain = {.run = NULL};
    dsp_err               err = {DSP_OK, ""};
    json_t               *r = proved("*", run, false), *again = NULL;
    struct stat           st;
    (void)state;
    snprintf(from, sizeof from, "%s/statement.bin", run);
    assert_false(dsp_file_exists(from));
    snprintf(from, sizeof from, "%s/segment_0/witness.json", run);
    assert_true(stat(from, &st) == 0 && (st.st_mode & 0777) == 0600);
    snprintf(from, sizeof from, "%s/segment_0/input.json", run);
    assert_true(stat(from, &st) == 0 && (st.st_mode & 0777) == 0600);
    assert_true(dsp_json_num(json_array_get(json_object_get(r, "comparison"), 0), "max_rel_error") < 0.05);
    good(run, r, "01");
    /* from the model file: settings and keys come out the same */
    expect(&(dsp_verify_args){.model = DSP_SOURCE_DIR "/models/tiny/model.onnx"}, bundle, DSP_OK, "");
    expect(&(dsp_verify_args){.model = DSP_SOURCE_DIR "/models/net/model.onnx"}, bundle, DSP_E_REJECTED, "model");
    expect(&(dsp_verify_args){.model_id = "0000000000000000000000000000000000000000000000000000000000000000"}, bundle, DSP_E_REJECTED, "model id");
    expect(&(dsp_verify_args){.layers = "1"}, bundle, DSP_OK, "");
    /* proofs that are there stay */
    const dsp_prove_run_args b = {.run = run};
    OK(dsp_pipe_prove(&w.p, &b, &again, &err));
    assert_string_equal(dsp_json_str(json_array_get(json_object_get(again, "segments"), 0), "result"), "valid already");
    json_decref(again);
    copy_bundle(false);
    spoil_file("segment_0/vk.key", 40, 1);
    expect(&plain, bundle, DSP_E_REJECTED, "F3");
    copy_bundle(true);
    spoil_file("segment_1/settings.json", 40, 1);
    expect(&plain, bundle, DSP_E_REJECTED, "F3");
    copy_bundle(true);
    snprintf(command, sizeof command, "cp %s/segment_0/proof.json %s/segment_1/proof.json", bundle, bundle);
    assert_int_equal(system(command), 0);
    expect(&plain, bundle, DSP_E_REJECTED, "F8");
    copy_bundle(true);
    snprintf(command, sizeof command, "rm %s/segment_0/proof.json", bundle);
    assert_int_equal(system(command), 0);
    expect(&plain, bundle, DSP_E_REJECTED, "F8");
    expect(&(dsp_verify_args){.layers = "1"}, bundle, DSP_OK, "");
    for (uint32_t t = 0; t < 3; t++) {   /* input, what both segments share, output */
        copy_bundle(true);
        forge(t, 3);
        expect(&plain, bundle, DSP_E_REJECTED, "F10");
    }
    copy_bundle(true);
    spoil_file("foreign.bin", 60, 1);
    expect(&plain, bundle, DSP_E_FORMAT, "");
    json_decref(r);
}

static void mixed(void **state)
{
    static const char *const layers[] = {"0", "1"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char                  run[256], command[700];
        const dsp_verify_args plain = {.run = NULL};
        json_t               *r = proved(layers[i], run, false);
        assert_true(dsp_json_num(json_array_get(json_object_get(r, "comparison"), 0), "max_rel_error") < 0.05);
        good(run, r, layers[i]);
        expect(&(dsp_verify_args){.model = DSP_SOURCE_DIR "/models/tiny/model.onnx"}, bundle, DSP_OK, "");
        copy_bundle(false);
        /* the tensor between the two: its integers in foreign.bin, then which statement there is */
        forge(i ? 0 : 1, 2);
        expect(&plain, bundle, DSP_E_REJECTED, "F7");
        copy_bundle(true);
        forge(i ? 1 : 0, 2);
        expect(&plain, bundle, DSP_E_REJECTED, "F10");
        copy_bundle(true);
        snprintf(command, sizeof command, "rm %s/statement.bin", bundle);
        assert_int_equal(system(command), 0);
        expect(&plain, bundle, DSP_E_REJECTED, "F1");
        copy_bundle(true);
        snprintf(command, sizeof command, "rm %s/foreign.bin", bundle);
        assert_int_equal(system(command), 0);
        expect(&plain, bundle, DSP_E_MISSING, "");
        json_decref(r);
    }
}

/* ---- several inputs and outputs ---- */

static void put_text(const char *path, const char *text) { assert_int_equal(dsp_file_write_fast(path, text, strlen(text), 0644, NULL), DSP_OK); }

/* b = Relu(x W), d = b + z V; then e = d U. Inputs are (z, x), outputs (e, b): neither is the order in which they are named first. */
static void write_model(const char *dir)
{
    static const float wv[] = {0.5f, -0.25f, 0.75f, 1.0f, -0.5f, 0.125f}, vv[] = {1.0f, 0.25f, -0.75f, 0.5f},
                       uv[] = {0.5f, -1.0f, 0.25f, 0.75f, 1.0f, 0.5f, -0.25f, -0.5f};
    msg         g = {0};
    char        path[160];
    static const char *const nodes[][3] = {{"MatMul", "x W", "a"}, {"Relu", "a", "b"}, {"MatMul", "z V", "c"}, {"Add", "b c", "d"}, {"MatMul", "d U", "e"}};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        put_msg(&g, G_NODE, make_node(nodes[i][0], nodes[i][1], nodes[i][2]));
    put_str(&g, G_NAME, "g");
    put_msg(&g, G_INIT, make_tensor("W", 1, DIMS(3, 2), wv, sizeof wv));
    put_msg(&g, G_INIT, make_tensor("V", 1, DIMS(2, 2), vv, sizeof vv));
    put_msg(&g, G_INIT, make_tensor("U", 1, DIMS(2, 4), uv, sizeof uv));
    put_msg(&g, G_INPUT, make_value("z", 1, DIMS(1, 2), NULL));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(1, 3), NULL));
    put_msg(&g, G_OUTPUT, make_value("e", 1, DIMS(1, 4), NULL));
    put_msg(&g, G_OUTPUT, make_value("b", 1, DIMS(1, 2), NULL));
    msg m = make_model(g, 8, 13);
    snprintf(path, sizeof path, "%s/model.onnx", dir);
    assert_int_equal(dsp_file_write_fast(path, m.p, m.len, 0644, NULL), DSP_OK);
    dsp_buf_release(&m);
    snprintf(path, sizeof path, "%s/input.json", dir);
    put_text(path, "{\"input_data\": [[0.5, -1.25], [1.5, 0.25, -0.75]]}");
}

static double value(const json_t *report, size_t output, size_t i)
{
    return json_number_value(json_array_get(json_object_get(json_array_get(json_object_get(report, "outputs"), output), "data"), i));
}

static void many(void **state)
{
    static const char *const layers[] = {"*", "0", "1"}, *const by[] = {"01", "0", "1"};
    dsp_err err = {DSP_OK, ""};
    json_t *r = NULL;
    char    dir[96], other[160];
    (void)state;
    snprintf(dir, sizeof dir, "%s/many", w.dir);
    OK(dsp_mkdirs(dir, &err));
    write_model(dir);
    snprintf(w.slices, sizeof w.slices, "%s/many/slices", w.dir);
    snprintf(input, sizeof input, "%s/many/input.json", w.dir);
    snprintf(other, sizeof other, "%s/many/other.json", w.dir);
    const dsp_slice_args a = {.model = dir, .cuts = "4"};
    OK(dsp_pipe_slice(&w.p, &a, &r, &err));
    json_decref(r);
    for (int i = 0; i < 3; i++) {
        char run[256];
        r = proved(layers[i], run, false);
        /* x W = (1.3125, -0.21875), b = (1.3125, 0), z V = (1.4375, -0.5), d = (2.75, -0.5) */
        const double want_e[] = {0.875, -3.0, 0.8125, 2.3125}, want_b[] = {1.3125, 0};
        for (size_t k = 0; k < 4; k++)
            assert_true(value(r, 0, k) > want_e[k] - 0.01 && value(r, 0, k) < want_e[k] + 0.01);
        for (size_t k = 0; k < 2; k++)
            assert_true(value(r, 1, k) > want_b[k] - 0.01 && value(r, 1, k) < want_b[k] + 0.01);
        good(run, r, by[i]);
        /* the inputs the other way round, and one of the outputs */
        put_text(other, "{\"input_data\": {\"x\": [1.5, 0.25, -0.75], \"z\": [-1.25, 0.5]}}");
        expect(&(dsp_verify_args){.expect_input = other}, bundle, DSP_E_REJECTED, "expected input");
        put_text(other, "{\"input_data\": {\"x\": [1.5, 0.25, -0.75], \"z\": [0.5, -1.25]}}");
        expect(&(dsp_verify_args){.expect_input = other}, bundle, DSP_OK, "");
        snprintf(other, sizeof other, "%s/many/model.onnx", w.dir);
        expect(&(dsp_verify_args){.model = other}, bundle, DSP_OK, "");
        snprintf(other, sizeof other, "%s/many/other.json", w.dir);
        json_decref(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(alone), cmocka_unit_test(mixed), cmocka_unit_test(many)};
    int r = SKIPPED;
    if (workshop_open(&w, "tiny")) {
        snprintf(input, sizeof input, "%s/input.json", w.dir);
        snprintf(bundle, sizeof bundle, "%s/bundle", w.dir);
        r = cmocka_run_group_tests(tests, NULL, NULL);
    }
    workshop_close(&w);
    return r;
}
