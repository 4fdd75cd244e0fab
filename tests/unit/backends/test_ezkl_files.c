/* What is read from and written for ezkl, and its discovery, without ezkl: scripts stand in for the command where only its answers matter. */
#include "unit/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/ezkl.h"
#include "base/file.h"
#include "base/mem.h"

static char dir[64];

static const char *at(const char *name)
{
    static char path[4][128];
    static int  k;
    char       *p = path[k++ & 3];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const char *content, unsigned mode)
{
    assert_int_equal(dsp_file_write_fast(at(name), content, strlen(content), mode, NULL), DSP_OK);
    assert_int_equal(chmod(at(name), mode), 0);
}

static void felts(void **state)
{
    static const int64_t v[] = {0, 1, -1, 24, 371, -12345678901, INT64_MAX, -INT64_MAX};
    char                 text[65];
    int64_t              back;
    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        dsp_ezkl_felt(text, v[i]);
        assert_true(dsp_ezkl_felt_read(&back, text));
        assert_true(back == v[i]);
    }
    dsp_ezkl_felt(text, 24);
    assert_string_equal(text, "1800000000000000000000000000000000000000000000000000000000000000");
    dsp_ezkl_felt(text, -1);
    assert_string_equal(text, "000000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430");
    /* the order itself, above it, 2^63, other text */
    assert_false(dsp_ezkl_felt_read(&back, "010000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430"));
    assert_false(dsp_ezkl_felt_read(&back, "020000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430"));
    assert_false(dsp_ezkl_felt_read(&back, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"));
    assert_false(dsp_ezkl_felt_read(&back, "0000000000000080000000000000000000000000000000000000000000000000"));
    assert_false(dsp_ezkl_felt_read(&back, "0000000000000000000000000000000000000000000000000000000000000001"));
    assert_false(dsp_ezkl_felt_read(&back, "18"));
    assert_false(dsp_ezkl_felt_read(&back, "x800000000000000000000000000000000000000000000000000000000000000"));
}

#define ZERO "\"0000000000000000000000000000000000000000000000000000000000000000\""
#define ONE  "\"0100000000000000000000000000000000000000000000000000000000000000\""

static dsp_status proof(const char *content, int64_t in[1], int64_t out[2])
{
    const dsp_ezkl_circuit c = {.n_in = 1, .n_out = 1, .in = {1}, .out = {2}, .cells_in = 1, .cells_out = 2};
    put("proof.json", content, 0644);
    return dsp_ezkl_proof_read(in, out, at("proof.json"), &c, NULL);
}

static void proofs(void **state)
{
    int64_t in[1], out[2];
    (void)state;
    assert_int_equal(proof("{\"instances\": [[" ZERO ", " ONE ", " ONE "]], \"proof\": [16, 255], \"hex_proof\": \"0x10fF\"}", in, out), DSP_OK);
    assert_true(in[0] == 0 && out[0] == 1 && out[1] == 1);
    static const char *const bad[] = {
        "{\"instances\": [[" ZERO ", " ONE ", " ONE "]], \"proof\": [16, 255], \"hex_proof\": \"0x10fe\"}",
        "{\"instances\": [[" ZERO ", " ONE ", " ONE "]], \"proof\": [16, 255], \"hex_proof\": \"0x10ff00\"}",
        "{\"instances\": [[" ZERO ", " ONE ", " ONE "]], \"proof\": [16, 511], \"hex_proof\": \"0x10ff\"}",
        "{\"instances\": [[" ZERO ", " ONE ", " ONE "]], \"proof\": [16, 255]}",
        "{\"instances\": [[" ZERO ", " ONE ", " ONE "]], \"hex_proof\": \"0x10ff\"}",
        "{\"instances\": [[" ZERO ", " ONE ", " ONE "]], \"proof\": [], \"hex_proof\": \"0x\"}",
        "{\"instances\": [[" ZERO ", " ONE "]], \"proof\": [16, 255], \"hex_proof\": \"0x10ff\"}",
        "{\"instances\": [[" ZERO ", " ONE ", 1]], \"proof\": [16, 255], \"hex_proof\": \"0x10ff\"}",
        "{\"instances\": [[" ZERO ", " ONE ", " ONE "], []], \"proof\": [16, 255], \"hex_proof\": \"0x10ff\"}",
        "{\"instances\": [[" ZERO ", " ONE ", " ONE "]], \"proof\": [1], \"proof\": [16, 255], \"hex_proof\": \"0x10ff\"}",
        "[]", "{", "",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(proof(bad[i], in, out), DSP_E_REJECTED);
}

#define SETTINGS(k, si, so, shapes) \
    "{\"run_args\": {\"logrows\": " k ", \"input_visibility\": \"Public\", \"output_visibility\": \"Public\", \"param_visibility\": \"Fixed\"}, \"num_rows\": 1504, \"model_instance_shapes\": " shapes ", \"model_input_scales\": [" si "], " \
    "\"model_output_scales\": [" so "], \"required_lookups\": [], \"required_range_checks\": [[-1, 1], [0, 16383]]}"

static dsp_status settings(dsp_ezkl_circuit *c, uint64_t *span, const char *content)
{
    put("settings.json", content, 0644);
    return dsp_ezkl_settings_read(c, at("settings.json"), 7, span, NULL);
}

static void read_settings(void **state)
{
    dsp_ezkl_circuit c;
    uint64_t         span;
    (void)state;
    assert_int_equal(settings(&c, &span, SETTINGS("15", "7", "7", "[[1, 64], [1, 16]]")), DSP_OK);
    assert_true(c.logrows == 15 && c.rows == 1504 && c.cells_in == 64 && c.cells_out == 16 && c.n_in == 1 && c.n_out == 1 && span == 16384);
    assert_int_equal(settings(&c, NULL, SETTINGS("15", "7", "14", "[[1, 64], [1, 16]]")), DSP_E_UNSUPPORTED);
    assert_int_equal(settings(&c, NULL, SETTINGS("15", "6", "7", "[[1, 64], [1, 16]]")), DSP_E_UNSUPPORTED);
    assert_int_equal(settings(&c, NULL, SETTINGS("15", "7", "7", "[[1, 64]]")), DSP_E_FORMAT);
    assert_int_equal(settings(&c, NULL, SETTINGS("15", "7", "7", "[[1, 0], [1, 16]]")), DSP_E_FORMAT);
    assert_int_equal(settings(&c, NULL, SETTINGS("15", "7", "7", "[[1000000, 1000000], [1, 16]]")), DSP_E_FORMAT);
    assert_int_equal(settings(&c, NULL, SETTINGS("99", "7", "7", "[[1, 64], [1, 16]]")), DSP_E_FORMAT);
    assert_int_equal(settings(&c, NULL, "{}"), DSP_E_FORMAT);
}

static dsp_status opened(dsp_ezkl **e, const char *command, dsp_err *err)
{
    const dsp_ezkl_places p = {.command = command, .install = "tools/setup-ezkl.sh", .log_dir = dir, .timeout_ms = 1000};
    return dsp_ezkl_open(e, &p, err);
}

static void discovery(void **state)
{
    dsp_ezkl *e;
    dsp_err   err = {DSP_OK, ""};
    char      good[128], old[128];
    (void)state;
    put("good", "#!/bin/sh\necho ezkl 22.2.1\n", 0755);
    put("old", "#!/bin/sh\necho ezkl 12.0.0\n", 0755);
    put("mute", "#!/bin/sh\nexit 1\n", 0755);
    snprintf(good, sizeof good, "%s", at("good"));
    snprintf(old, sizeof old, "%s", at("old"));
    assert_int_equal(opened(&e, good, &err), DSP_OK);
    assert_string_equal(dsp_ezkl_version(e), "22.2.1");
    dsp_ezkl_free(e);
    assert_int_equal(opened(&e, old, &err), DSP_E_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "too old"));
    assert_non_null(strstr(err.msg, "tools/setup-ezkl.sh"));
    assert_int_equal(opened(&e, at("mute"), NULL), DSP_E_UNAVAILABLE);
    assert_int_equal(opened(&e, at("none"), &err), DSP_E_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "not there"));
    /* the first that will do */
    const char *const     list[] = {"/nowhere/ezkl", old, good, NULL};
    const dsp_ezkl_places p = {.commands = list, .log_dir = dir};
    assert_int_equal(dsp_ezkl_open(&e, &p, NULL), DSP_OK);
    assert_string_equal(dsp_ezkl_version(e), "22.2.1");
    dsp_ezkl_free(e);
    const dsp_ezkl_places none = {.log_dir = dir};
    assert_int_equal(dsp_ezkl_open(&e, &none, NULL), DSP_E_UNAVAILABLE);
}

/* Failures of stages: each has its own status, and leaves no result behind. */
static void failures(void **state)
{
    dsp_ezkl      *e;
    dsp_err        err = {DSP_OK, ""};
    char           model[128], settings_file[128], compiled[128], proof_file[128], vk[128], srs[128], command[128], *path;
    (void)state;
    put("fake", "#!/bin/sh\ncase $1 in\n--version) echo ezkl 22.2.1 ;;\ncompile-circuit) while [ $# -gt 0 ]; do [ \"$1\" = --compiled-circuit ] && echo half >\"$2\"; shift; done\n"
                "kill -KILL $$ ;;\ngen-settings) exec sleep 600 ;;\nverify) cat \"$3\"; exit 1 ;;\n*) echo no good; exit 1 ;;\nesac\n", 0755);
    snprintf(command, sizeof command, "%s", at("fake"));
    snprintf(model, sizeof model, "%s", at("model.onnx"));
    snprintf(settings_file, sizeof settings_file, "%s", at("s.json"));
    snprintf(compiled, sizeof compiled, "%s", at("m.compiled"));
    snprintf(proof_file, sizeof proof_file, "%s", at("p.json"));
    snprintf(vk, sizeof vk, "%s", at("vk.key"));
    snprintf(srs, sizeof srs, "%s", at("kzg4.srs"));
    dsp_ezkl_files   f = {.model = model, .settings = settings_file, .compiled = compiled, .proof = proof_file, .vk = vk, .pk = at("pk.key"), .log_dir = dir};
    dsp_ezkl_circuit c;
    assert_int_equal(opened(&e, command, NULL), DSP_OK);
    assert_int_equal(dsp_ezkl_settings(&c, e, &f, 7, NULL, &err), DSP_E_MISSING);
    put("model.onnx", "x", 0644);
    assert_int_equal(dsp_ezkl_settings(&c, e, &f, 7, NULL, &err), DSP_E_IO);
    assert_non_null(strstr(err.msg, "time limit"));
    put("s.json", "{}", 0644);
    assert_int_equal(dsp_ezkl_compile(e, &f, NULL, &err), DSP_E_IO);
    assert_non_null(strstr(err.msg, "signal 9"));
    assert_false(dsp_file_exists(compiled));
    assert_false(dsp_file_exists(at("m.compiled.part")));
    put("m.compiled", "x", 0644);
    assert_int_equal(dsp_ezkl_setup(e, &f, NULL, &err), DSP_E_UNAVAILABLE);   /* no SRS */
    const char *const dirs[] = {"/nowhere", dir, NULL};
    assert_int_equal(dsp_ezkl_srs_find(&path, e, dirs, 4, &err), DSP_E_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "get-srs --logrows 4 --commitment kzg"));
    put("kzg4.srs", "short", 0644);
    assert_int_equal(dsp_ezkl_srs_find(&path, e, dirs, 4, NULL), DSP_E_UNAVAILABLE);
    assert_int_equal(truncate(srs, (off_t)dsp_ezkl_srs_bytes(4)), 0);
    assert_int_equal(dsp_ezkl_srs_find(&path, e, dirs, 4, NULL), DSP_OK);
    assert_string_equal(path, srs);
    dsp_free(path);
    f.srs = srs;
    assert_int_equal(dsp_ezkl_setup(e, &f, NULL, &err), DSP_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "no good"));
    put("vk.key", "x", 0644);
    assert_int_equal(dsp_ezkl_verify(e, &f, NULL, NULL), DSP_E_REJECTED);     /* no proof */
    put("p.json", "[halo2] invalid", 0644);
    assert_int_equal(dsp_ezkl_verify(e, &f, NULL, NULL), DSP_E_REJECTED);
    put("p.json", "[io] cannot read", 0644);
    assert_int_equal(dsp_ezkl_verify(e, &f, NULL, NULL), DSP_E_UNSUPPORTED);  /* could not verify is not invalid */
    f.srs_insecure = true;
    assert_int_equal(dsp_ezkl_verify(e, &f, NULL, &err), DSP_E_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "--generate-test-srs"));
    dsp_ezkl_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(felts), cmocka_unit_test(proofs), cmocka_unit_test(read_settings), cmocka_unit_test(discovery),
                                       cmocka_unit_test(failures)};
    snprintf(dir, sizeof dir, "/tmp/dsp-ezkl-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    const int   r = cmocka_run_group_tests(tests, NULL, NULL);
    char        command[96];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? r : 1;
}
