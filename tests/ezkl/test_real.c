/* The stages with the real ezkl, over the two segments of models/tiny: exact chaining, and what must be refused. */
#include "unit/onnx/make.h"

#include "backends/ezkl.h"
#include "onnx/explicit.h"

enum { SCALE = 7, SKIPPED = 77, N = 2 };
#define PYTHON DSP_SOURCE_DIR "/deps/ezkl/bin/python"
#define DRIVER DSP_SOURCE_DIR "/src/backends/ezkl_driver.py"

static char      dir[64];
static dsp_ezkl *ezkl;
static dsp_ort  *ort;     /* ezkl wants the shapes of what crosses cuts */

/* One segment's files and public integers. */
static struct segment {
    char             model[160], settings[160], compiled[160], vk[160], pk[160], input[160], witness[160], proof[160], bad[160];
    char            *srs;
    dsp_ezkl_files   f;
    dsp_ezkl_circuit c;
    int64_t          in[64], out[64], proved_in[64], proved_out[64];
} seg[N];

static void place(int i)
{
    struct segment *s = &seg[i];
#define AT(member, name) snprintf(s->member, sizeof s->member, "%s/%d-%s", dir, i, name)
    AT(model, "model.onnx");
    AT(settings, "settings.json");
    AT(compiled, "model.compiled");
    AT(vk, "vk.key");
    AT(pk, "pk.key");
    AT(input, "input.json");
    AT(witness, "witness.json");
    AT(proof, "proof.json");
    AT(bad, "bad.json");
    s->f = (dsp_ezkl_files){.model = s->model, .settings = s->settings, .compiled = s->compiled, .vk = s->vk, .pk = s->pk, .input = s->input, .witness = s->witness,
                            .proof = s->proof, .log_dir = dir, .srs_insecure = true, .allow_insecure = true};
}

static void write_segments(void)
{
    dsp_graph *g;
    dsp_plan  *p;
    assert_int_equal(dsp_graph_load(&g, DSP_SOURCE_DIR "/models/tiny/model.onnx", NULL, 0, NULL), DSP_OK);
    assert_int_equal(dsp_graph_infer(g, ort, NULL), DSP_OK);
    assert_int_equal(dsp_plan_make(&p, g, NULL, 0, true, NULL), DSP_OK);
    assert_int_equal(p->n_segments, N);
    for (uint32_t i = 0; i < N; i++) {
        uint8_t *raw, *full;
        size_t   n, m;
        assert_int_equal(dsp_segment_bytes(&raw, &n, p, i, NULL), DSP_OK);
        assert_int_equal(dsp_onnx_explicit(&full, &m, raw, n, NULL), DSP_OK);
        assert_int_equal(dsp_file_write_fast(seg[i].model, full, m, 0644, NULL), DSP_OK);
        dsp_free(raw);
        dsp_free(full);
    }
    dsp_plan_free(p);
    dsp_graph_free(g);
}

#define OK(call) do { if ((call) != DSP_OK) fail_msg("%s", err.msg); } while (0)

/* Every stage up to the proof, the second segment on the very integers that the first one made. */
static void chain(void **state)
{
    dsp_err err = {DSP_OK, ""};
    (void)state;
    write_segments();
    for (int i = 0; i < N; i++) {
        struct segment *s = &seg[i];
        OK(dsp_ezkl_settings(&s->c, ezkl, &s->f, SCALE, NULL, &err));
        assert_int_equal(s->c.n_in, 1);
        assert_int_equal(s->c.n_out, 1);
        assert_true(s->c.cells_in == (i ? 16 : 64) && s->c.cells_out == (i ? 10 : 16));
        assert_true(s->c.logrows == 15);   /* of the range check */
        OK(dsp_ezkl_compile(ezkl, &s->f, NULL, &err));
        OK(dsp_ezkl_srs_make(&s->srs, ezkl, DSP_BINARY_DIR "/ezkl-srs", s->c.logrows, NULL, &err));
        s->f.srs = s->srs;
        OK(dsp_ezkl_setup(ezkl, &s->f, NULL, &err));
        int64_t given[64];
        for (int k = 0; k < 64; k++)
            given[k] = i ? seg[0].out[k] : k * 37 % 129;
        OK(dsp_ezkl_input_write(s->input, &s->c, given, &err));
        OK(dsp_ezkl_witness(ezkl, &s->f, NULL, &err));
        OK(dsp_ezkl_witness_read(s->in, s->out, s->witness, &s->c, &err));
        assert_memory_equal(s->in, given, (size_t)s->c.cells_in * sizeof *given);
        dsp_ezkl_use use;
        OK(dsp_ezkl_prove(ezkl, &s->f, &use, &err));
        assert_true(use.ns > 0 && use.peak_bytes > 0);
        OK(dsp_ezkl_verify(ezkl, &s->f, NULL, &err));
        OK(dsp_ezkl_proof_read(s->proved_in, s->proved_out, s->proof, &s->c, &err));
        assert_memory_equal(s->proved_in, s->in, (size_t)s->c.cells_in * sizeof *given);
        assert_memory_equal(s->proved_out, s->out, (size_t)s->c.cells_out * sizeof *given);
    }
    assert_memory_equal(seg[0].proved_out, seg[1].proved_in, 16 * sizeof(int64_t));
    bool any = false;
    for (int k = 0; k < 10; k++)
        any = any || seg[1].out[k] != 0;
    assert_true(any);
}

/* A proof file of segment i with one change; what reading and verifying it says. */
static void changed(int i, const char *from, const char *to, dsp_status read, dsp_status verify)
{
    struct segment *s = &seg[i];
    dsp_ezkl_files  f = s->f;
    uint8_t        *p;
    size_t          n;
    int64_t         in[64], out[64];
    assert_int_equal(dsp_file_read(&p, &n, s->proof, 1 << 24, NULL), DSP_OK);
    char *at = strstr((char *)p, from);
    assert_non_null(at);
    at += strlen(from);
    /* the last digit before the next comma, bracket or quote changes */
    if (to) {
        memcpy(at, to, strlen(to));
    } else {
        char *digit = strpbrk(at, ",]");
        assert_non_null(digit);
        digit[-1] = digit[-1] == '1' ? '2' : '1';
    }
    assert_int_equal(dsp_file_write_fast(s->bad, p, n, 0644, NULL), DSP_OK);
    dsp_free(p);
    f.proof = s->bad;
    assert_int_equal(dsp_ezkl_proof_read(in, out, s->bad, &s->c, NULL), read);
    assert_int_equal(dsp_ezkl_verify(ezkl, &f, NULL, NULL), verify);
}

/* The first field of input or output `at` of the proof, one more. */
static void changed_instance(uint64_t at)
{
    struct segment *s = &seg[0];
    char            old[65], more[65];
    uint8_t        *p;
    size_t          n;
    dsp_ezkl_files  f = s->f;
    const int64_t   v = at < s->c.cells_in ? s->in[at] : s->out[at - s->c.cells_in];
    dsp_ezkl_felt(old, v);
    dsp_ezkl_felt(more, v + 1);
    assert_int_equal(dsp_file_read(&p, &n, s->proof, 1 << 24, NULL), DSP_OK);
    char *q = strstr((char *)p, "\"instances\"");
    for (uint64_t k = 0; q && k <= at; k++)      /* strings of 64 digits */
        for (q = strchr(q + (k ? 66 : 11), '"'); q && strspn(q + 1, "0123456789abcdef") != 64;)
            q = strchr(q + 1, '"');
    assert_non_null(q);
    assert_memory_equal(q + 1, old, 64);
    memcpy(q + 1, more, 64);
    assert_int_equal(dsp_file_write_fast(s->bad, p, n, 0644, NULL), DSP_OK);
    dsp_free(p);
    f.proof = s->bad;
    assert_int_equal(dsp_ezkl_verify(ezkl, &f, NULL, NULL), DSP_E_REJECTED);
}

static void refused(void **state)
{
    dsp_err err = {DSP_OK, ""};
    (void)state;
    for (int i = 0; i < N; i++)
        assert_true(dsp_file_exists(seg[i].proof));
    changed_instance(1);                       /* an input */
    changed_instance(seg[0].c.cells_in);       /* an output */
    /* ezkl never looks at hex_proof: reading does */
    changed(0, "\"hex_proof\":\"0x", "ffffffffffffffffffffffff", DSP_E_REJECTED, DSP_OK);
    /* bytes of the proof; hex_proof then differs, and ezkl rejects it by itself */
    changed(0, "\"proof\":[", NULL, DSP_E_REJECTED, DSP_E_REJECTED);
    /* the other segment's proof */
    dsp_ezkl_files f = seg[0].f;
    f.proof = seg[1].proof;
    assert_int_equal(dsp_ezkl_verify(ezkl, &f, NULL, NULL), DSP_E_REJECTED);
    int64_t in[64], out[64];
    assert_int_equal(dsp_ezkl_proof_read(in, out, seg[1].proof, &seg[0].c, NULL), DSP_E_REJECTED);
    /* a local SRS without consent, and none */
    f = seg[0].f;
    f.allow_insecure = false;
    assert_int_equal(dsp_ezkl_verify(ezkl, &f, NULL, &err), DSP_E_UNAVAILABLE);
    f.srs = "/nowhere/kzg15.srs";
    assert_int_equal(dsp_ezkl_prove(ezkl, &f, NULL, &err), DSP_E_UNAVAILABLE);
    /* "could not verify" is not "invalid" */
    f = seg[0].f;
    f.vk = seg[0].settings;
    const dsp_status s = dsp_ezkl_verify(ezkl, &f, NULL, &err);
    assert_true(s != DSP_OK && s != DSP_E_REJECTED);
}

/* y = Conv(x [1,1,6,6], w [1,1,3,3]) without any attribute. */
static msg bare_convolution(void)
{
    static const int64_t xd[] = {1, 1, 6, 6, -2}, yd[] = {1, 1, 4, 4, -2}, wd[] = {1, 1, 3, 3};
    float                half[9];
    msg                  m = {0}, g = {0}, n = {0}, w = {0}, opset = {0};
    put_str(&n, 1, "x");
    put_str(&n, 1, "w");
    put_str(&n, 2, "y");
    put_str(&n, 3, "conv");
    put_str(&n, 4, "Conv");
    put_msg(&g, 1, n);
    put_str(&g, 2, "g");
    for (size_t i = 0; i < 4; i++)
        put_int(&w, 1, wd[i]);
    for (size_t i = 0; i < 9; i++)
        half[i] = 0.5f;
    put_int(&w, 2, 1);
    put_str(&w, 8, "w");
    put_bytes(&w, 9, half, sizeof half);
    put_msg(&g, 5, w);
    put_msg(&g, 11, make_value("x", 1, xd, NULL));
    put_msg(&g, 12, make_value("y", 1, yd, NULL));
    put_int(&m, 1, 8);
    put_msg(&m, 7, g);
    put_int(&opset, 2, 13);
    put_msg(&m, 8, opset);
    return m;
}

/* Refused as it is; taken with every attribute written out. */
static void convolution(void **state)
{
    dsp_err          err = {DSP_OK, ""};
    dsp_ezkl_circuit c;
    msg              raw = bare_convolution();
    uint8_t         *full;
    size_t           n;
    char             model[160], settings[160];
    (void)state;
    snprintf(model, sizeof model, "%s/conv.onnx", dir);
    snprintf(settings, sizeof settings, "%s/conv.json", dir);
    const dsp_ezkl_files f = {.model = model, .settings = settings, .log_dir = dir};
    OK(dsp_file_write_fast(model, raw.p, raw.len, 0644, &err));
    assert_int_equal(dsp_ezkl_settings(&c, ezkl, &f, SCALE, NULL, &err), DSP_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "stride"));
    assert_false(dsp_file_exists(settings));
    OK(dsp_onnx_explicit(&full, &n, raw.p, raw.len, &err));
    OK(dsp_file_write_fast(model, full, n, 0644, &err));
    OK(dsp_ezkl_settings(&c, ezkl, &f, SCALE, NULL, &err));
    assert_true(c.cells_in == 36 && c.cells_out == 16);
    dsp_free(full);
    dsp_buf_release(&raw);
}

int main(void)
{
    const char *const       pythons[] = {PYTHON, NULL};
    const struct CMUnitTest tests[] = {cmocka_unit_test(convolution), cmocka_unit_test(chain), cmocka_unit_test(refused)};
    dsp_err                 err = {DSP_OK, ""};
    char                    command[96];
    snprintf(dir, sizeof dir, "/tmp/dsp-ezkl-real-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    for (int i = 0; i < N; i++)
        place(i);
    const dsp_ezkl_places places = {.pythons = pythons, .driver = DRIVER, .install = "tools/setup-ezkl.sh", .log_dir = dir, .timeout_ms = 600000};
    int                   r = SKIPPED;
    if (!(ort = find_ort())) {
        printf("SKIPPED, nothing about ezkl was tested: ONNX Runtime is not there\n");
    } else if (dsp_ezkl_open(&ezkl, &places, &err) == DSP_OK) {
        printf("ezkl %s\n", dsp_ezkl_version(ezkl));
        r = cmocka_run_group_tests(tests, NULL, NULL);
    } else {
        printf("SKIPPED, nothing about ezkl was tested: %s\n", err.msg);
    }
    for (int i = 0; i < N; i++)
        dsp_free(seg[i].srs);
    dsp_ezkl_free(ezkl);
    dsp_ort_close(ort);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? r : 1;
}
