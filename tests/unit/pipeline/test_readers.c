/* Layer lists, tensor files, relative paths and the ledger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "onnx/ort.h"
#include "pipeline/artifacts.h"
#include "pipeline/paths.h"
#include "pipeline/pipeline.h"
#include "pipeline/tensor_file.h"

static void test_layers(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "0,1", " 2 - 3 ", "0-4", "4,0,0,1-1", "3 ,\t4"};
    static const char *const marks[] = {"10000", "11000", "00110", "11111", "11001", "00011"};
    static const char *const bad[] = {"", " ", ",", "0,", ",0", "0,,1", "5", "0-5", "3-1", "x", "0x", "1-", "-1", "1-2-3", "0;1", "99999999999999999999", "4294967296", "0 1"};
    bool    flags[5];
    dsp_err err;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(dsp_layers_parse(flags, 5, good[i], &err), DSP_OK);
        for (int k = 0; k < 5; k++)
            assert_int_equal(flags[k], marks[i][k] == '1');
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(dsp_layers_parse(flags, 5, bad[i], &err), DSP_E_ARG);
}

static dsp_status tensors(dsp_array *out, const dsp_tensor_spec *spec, size_t n, const char *text, bool outputs)
{
    dsp_jdoc  *doc = NULL;
    dsp_err    err;
    char      *copy = dsp_strdup(text);
    dsp_status s = dsp_jdoc_read(&doc, (const uint8_t *)copy, strlen(copy), "text", &err);
    if (s == DSP_OK)
        s = dsp_tensors_from_json(out, spec, n, dsp_jdoc_root(doc), "text", outputs, &err);
    dsp_jdoc_free(doc);
    dsp_free(copy);
    return s;
}

static void test_one_tensor(void **state)
{
    (void)state;
    const dsp_tensor_spec    spec = {"x", DSP_DT_FLOAT, 3, {1, 2, 3}};
    static const char *const good[] = {"[1,2,3,4,5,6]", "[[1,2,3,4,5,6]]", "[[[1,2,3],[4,5,6]]]", "[[1,2,3],[4,5,6]]", "{\"input_data\":[[1,2,3,4,5,6]]}", "{\"x\":0,\"data\":[1,2,3,4,5,6.0]}",
                                       "{\"inputs\":{\"x\":[1,2,3,4,5,6]}}", "[{\"name\":\"x\",\"data\":[1,2,3,4,5,6],\"shape\":[2,3]}]", " [1e0,20E-1,3,4,5,600e-2]\n"};
    static const char *const bad[] = {"[1,2,3,4,5]", "[1,2,3,4,5,6,7]", "[[1,2],[3,4],[5,6]]", "[[1,2,3],[4,5]]", "[[1,2,3,4,5,6],[1,2,3,4,5,6]]", "{}", "[]", "3", "null", "\"x\"", "{\"y\":[1,2,3,4,5,6]}",
                                      "[{\"name\":\"y\",\"data\":[1,2,3,4,5,6]}]", "[{\"data\":[1,2,3,4,5,6],\"shape\":[6]}]", "[1,2,3,4,5,1e39]", "[1,2,3,4,5,null]", "{\"output_data\":[1,2,3,4,5,6]}"};
    dsp_array a;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (tensors(&a, &spec, 1, good[i], false) != DSP_OK)
            fail_msg("%s", good[i]);
        assert_int_equal(a.count, 6);
        for (int k = 0; k < 6; k++)
            assert_true(((const float *)a.data)[k] == (float)(k + 1));
        dsp_array_release(&a);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (tensors(&a, &spec, 1, bad[i], false) != DSP_E_FORMAT)
            fail_msg("%s", bad[i]);
    assert_int_equal(tensors(&a, &spec, 1, "{\"output_data\":[1,2,3,4,5,6]}", true), DSP_OK);
    dsp_array_release(&a);
}

static void test_several_tensors_and_types(void **state)
{
    (void)state;
    const dsp_tensor_spec spec[] = {{"a", DSP_DT_INT64, 1, {2}}, {"b", DSP_DT_BOOL, 0, {0}}, {"c", DSP_DT_DOUBLE, 1, {2}}};
    dsp_array             a[3];
    assert_int_equal(tensors(a, spec, 3, "[[9007199254740993,-9223372036854775807],[true],[0.1,-2]]", false), DSP_OK);
    assert_true(((const int64_t *)a[0].data)[0] == INT64_C(9007199254740993) && ((const int64_t *)a[0].data)[1] == -INT64_MAX);
    assert_true(*(const uint8_t *)a[1].data == 1 && ((const double *)a[2].data)[0] == 0.1);
    for (int i = 0; i < 3; i++)
        dsp_array_release(&a[i]);
    assert_int_equal(tensors(a, spec, 3, "{\"c\":[1,2],\"b\":0,\"a\":[3,4],\"inputs\":{\"c\":[1,2],\"b\":0,\"a\":[3,4]}}", false), DSP_OK);
    for (int i = 0; i < 3; i++)
        dsp_array_release(&a[i]);
    assert_int_equal(tensors(a, spec, 3, "[[1.5,2],[1],[1,2]]", false), DSP_E_FORMAT);
    assert_int_equal(tensors(a, spec, 3, "[[1,2],[2],[1,2]]", false), DSP_E_FORMAT);
    assert_int_equal(tensors(a, spec, 3, "[[1,2],[1]]", false), DSP_E_FORMAT);
    assert_int_equal(tensors(a, spec, 3, "[[1,2],[1],[1,2],[1]]", false), DSP_E_FORMAT);
    assert_int_equal(tensors(a, spec, 3, "[1,2,1,1,2]", false), DSP_E_FORMAT);
}

/* Decimal numbers as strtod reads them. */
static void test_numbers(void **state)
{
    (void)state;
    static const char *const n[] = {"0", "-0", "0.1", "123456789.123456789", "0.30000000000000004", "1e22", "1e23", "4.9e-324", "1.7976931348623157e308", "9007199254740993", "18446744073709551616",
                                    "0.0000000000000000000000001", "3.14159265358979323846264338327950288"};
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
        dsp_jdoc *doc = NULL;
        assert_int_equal(dsp_jdoc_read(&doc, (const uint8_t *)n[i], strlen(n[i]), "text", NULL), DSP_OK);
        const double want = strtod(n[i], NULL), got = dsp_jdoc_root(doc)->num->d;
        assert_memory_equal(&want, &got, sizeof want);
        dsp_jdoc_free(doc);
    }
}

static void test_relative_paths(void **state)
{
    (void)state;
    static const char *const t[][3] = {{"/a/b", "/a/b/c", "c"}, {"/a/b", "/a/c", "../c"}, {"/a/b", "/a", ".."}, {"/a/b/c", "/a", "../.."}, {"/a", "/a", "."}, {"/", "/x/y", "x/y"}, {"/ab", "/a", "../a"}, {"/a", "/ab", "../ab"}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *p = dsp_path_from(t[i][0], t[i][1]);
        assert_string_equal(p, t[i][2]);
        dsp_free(p);
    }
}

static void test_ledger(void **state)
{
    (void)state;
    char             path[] = "/tmp/dsp-ledger-XXXXXX";
    const int        fd = mkstemp(path);
    const dsp_digest secret = dsp_sha256("s", 1), other = dsp_sha256("t", 1), ctx = dsp_sha256("c", 1), roots[2] = {{{1}}, {{2}}}, moved[2] = {{{2}}, {{1}}};
    dsp_ledger       l = {path, secret, 3, 0};
    uint8_t         *p;
    size_t           n;
    dsp_err          err;
    close(fd);
    assert_int_equal(dsp_ledger_record(&l, &ctx, roots, 2, &err), DSP_OK);
    assert_int_equal(dsp_ledger_record(&l, &ctx, roots, 2, &err), DSP_OK);
    l.segment = 4;
    assert_int_equal(dsp_ledger_record(&l, &ctx, moved, 2, &err), DSP_OK);
    assert_int_equal(dsp_file_read(&p, &n, path, 4096, &err), DSP_OK);
    assert_int_equal(n, 40 + 2 * 80);
    l.segment = 3;
    assert_int_equal(dsp_ledger_record(&l, &ctx, moved, 2, &err), DSP_E_ARG);
    assert_int_equal(dsp_ledger_record(&l, &other, roots, 2, &err), DSP_E_ARG);
    l.secret = other;
    assert_int_equal(dsp_ledger_record(&l, &ctx, roots, 2, &err), DSP_E_ARG);
    l.secret = secret;
    for (size_t cut = 0; cut < n; cut++) { /* a crash at any byte: what was recorded whole still binds */
        assert_int_equal(dsp_file_write_fast(path, p, cut, 0600, &err), DSP_OK);
        assert_int_equal(dsp_ledger_record(&l, &ctx, moved, 2, &err), cut < 120 ? DSP_OK : DSP_E_ARG);
    }
    unlink(path);
    dsp_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layers), cmocka_unit_test(test_one_tensor), cmocka_unit_test(test_several_tensors_and_types),
                                       cmocka_unit_test(test_numbers), cmocka_unit_test(test_relative_paths), cmocka_unit_test(test_ledger)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
