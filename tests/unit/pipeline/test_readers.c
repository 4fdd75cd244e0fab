/* Layer lists, tensor files, relative paths and the ledger. */
#include <math.h>
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

/* Reads a file of these bytes; the message is left in why. */
static dsp_err why;
static dsp_status file_tensors(dsp_array *out, const dsp_tensor_spec *spec, size_t n, const char *suffix, const void *bytes, size_t len, bool outputs)
{
    char      path[] = "/tmp/dsp-tensor-XXXXXX", full[64];
    const int fd = mkstemp(path);
    snprintf(full, sizeof full, "%s%s", path, suffix);
    assert_int_equal(dsp_file_write_fast(full, bytes, len, 0600, NULL), DSP_OK);
    why = (dsp_err){DSP_OK, ""};
    const dsp_status s = dsp_tensors_load(out, spec, n, full, outputs, &why);
    close(fd);
    unlink(full);
    unlink(path);
    if (s != DSP_OK)
        for (size_t i = 0; i < n; i++)
            assert_null(out[i].data);
    return s;
}

static dsp_status tensors(dsp_array *out, const dsp_tensor_spec *spec, size_t n, const char *text, bool outputs)
{
    return file_tensors(out, spec, n, ".json", text, strlen(text), outputs);
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

/* Every variant of two inputs gives the same tensors; every refusal says what was expected and what was found. */
static void test_variants_of_two(void **state)
{
    (void)state;
    const dsp_tensor_spec    spec[] = {{"a", DSP_DT_FLOAT, 4, {1, 1, 2, 3}}, {"b", DSP_DT_INT32, 2, {1, 2}}};
    static const char *const value[] = {"[[1,2,3,4,5,6],[7,8]]", "[[[1,2,3],[4,5,6]],[7,8]]", "[[[[[1,2,3],[4,5,6]]]],[[7,8]]]", "[[[[1,2,3],[4,5,6]]],[7,8]]",
                                        "[{\"name\":\"a\",\"data\":[1,2,3,4,5,6]},{\"name\":\"b\",\"data\":[7,8]}]", "[{\"data\":[[7,8]],\"name\":\"b\"},{\"shape\":[1,1,2,3],\"data\":[1,2,3,4,5,6],\"name\":\"a\"}]",
                                        "[{\"name\":\"a\",\"data\":[[1,2,3],[4,5,6]],\"shape\":[2,3]},{\"name\":\"b\",\"data\":[7,8],\"x\":[{\"y\":null}]}]", "{\"b\":[7,8],\"a\":[1,2,3,4,5,6]}",
                                        "{\"a\":{\"data\":[1,2,3,4,5,6]},\"b\":[[7],[8]]}"};
    static const char *const wrap[] = {"%s", "{\"input_data\":%s}", "{\"input\":%s}", "{\"data\":%s}", "{\"inputs\":%s}", " {\n\"output_data\" : [ ] , \"x\":{\"k\":\"\\u00e9[\"}, \"input_data\" :\t%s }\r\n",
                                       "{\"inputs\":[1],\"input_data\":%s,\"data\":null}"};
    static const struct { const char *text, *says; } bad[] = {
        {"[[1,2,3,4,5,6]]", "one list per tensor expected (2), 1 items found"}, {"[[1,2,3,4,5,6],[7,8],[9]]", "(2), 3 items"}, {"[[1,2,3,4,5],[7,8]]", "\"a\": 6 values expected (shape 1x1x2x3), 5 found"},
        {"[[1,2,3,4,5,6,7],[7,8]]", "7 found"}, {"[[1,2,3,4,5,6],[7,8,9,0]]", "\"b\": 2 values expected (shape 1x2), 4 found; batches"}, {"[[[1,2],[3,4],[5,6]],[7,8]]", "shape 1x1x2x3 or a flat list expected, 3x2 found"},
        {"[[[1,2,3],[4,5]],[7,8]]", "equal length"}, {"[[1,2,3,4,5,6],[7,8.5]]", "type int32 expected, 8.5 found"}, {"[[1,2,3,4,5,6],[7,3000000000]]", "int32"}, {"[[1,2,3,4,5,1e39],[7,8]]", "type float32"},
        {"[[1,2,3,4,5,1e999],[7,8]]", "finite"}, {"[[1,2,3,4,5,NaN],[7,8]]", "finite number"}, {"[[NaN,2,3,4,5,6],[7,8]]", "a finite number expected"}, {"[[-Infinity,2,3,4,5,6],[7,8]]", "a finite number"},
        {"[[1,2,3,4,5,null],[7,8]]", "mixed"}, {"[[1,2,3,4,5,\"6\"],[7,8]]", "mixed"}, {"[[1,2,3,4,5,[6]],[7,8]]", "mixed"}, {"[\"a\",\"b\"]", "one list per tensor"}, {"[1,2]", "one list per tensor"}, {"[1,2,3,4,5,6,7,8]", "8 items"},
        {"{\"a\":[1,2,3,4,5,6]}", "a list, or an object"}, {"{\"input_data\":{\"a\":[1,2,3,4,5,6]}}", "2 tensors expected, 1 keys"}, {"{\"input_data\":{\"a\":[1,2,3,4,5,6],\"c\":[7,8]}}", "no data for \"b\""},
        {"{\"data\":{\"a\":[1,2,3,4,5,6],\"b\":[7,8],\"c\":[]}}", "2 tensors expected, 3 keys found"}, {"[{\"name\":\"a\",\"data\":[1,2,3,4,5,6]}]", "2 tensors expected, 1 entries found"},
        {"[{\"name\":\"a\",\"data\":[1,2,3,4,5,6]},{\"name\":\"a\",\"data\":[7,8]}]", "\"b\""}, {"[{\"name\":\"a\",\"data\":[1,2,3,4,5,6]},{\"name\":\"b\"}]", "\"b\""},
        {"[{\"name\":\"a\",\"data\":[1,2,3,4,5,6],\"shape\":[3,2]},{\"name\":\"b\",\"data\":[7,8]}]", "shape 1x1x2x3 expected, another one"}, {"[{\"name\":\"a\",\"data\":[1,2,3,4,5,6]},[7,8]]", "one list per tensor"},
        {"[[1,2,3,4,5,6],[7,8]", "line 1, column"}, {"[[1,2,3,4,5,6],[7,8]] 1", "something follows"}, {"[[1,2,3,4,5,6],[7,08]]", "zero"}, {"{\"data\":[[1]],\"data\":[[1]]}", "a key occurs twice"}, {"", "expected"}, {"[[1,2,3,4,5,6],[7,8,]]", "expected"},
        {"{\"data\" [1]}", "':' expected"}, {"{data:[1]}", "quotes"}, {"[[1 2]]", "',' or ']'"}, {"null", "list of numbers"}, {"{\"input_data\":null}", "list of numbers"}};
    dsp_array a[2];
    char      text[512];
    for (size_t i = 0; i < sizeof value / sizeof *value; i++)
        for (size_t k = value[i][0] == '{'; k < sizeof wrap / sizeof *wrap; k++) {
            snprintf(text, sizeof text, wrap[k], value[i]);
            if (tensors(a, spec, 2, text, false) != DSP_OK)
                fail_msg("%s: %s", text, why.msg);
            for (int m = 0; m < 6; m++)
                assert_true(((const float *)a[0].data)[m] == (float)(m + 1));
            assert_true(((const int32_t *)a[1].data)[0] == 7 && ((const int32_t *)a[1].data)[1] == 8 && a[0].rank == 4 && a[1].rank == 2);
            dsp_array_release(&a[0]);
            dsp_array_release(&a[1]);
        }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (tensors(a, spec, 2, bad[i].text, false) != DSP_E_FORMAT || !strstr(why.msg, bad[i].says))
            fail_msg("%s: %s", bad[i].text, why.msg);
}

/* Texts longer than the window that files are read through, with tokens across its ends. */
static void test_long_texts(void **state)
{
    (void)state;
    enum { N = 200000 };
    const dsp_tensor_spec spec[] = {{"a", DSP_DT_DOUBLE, 2, {N / 4, 4}}, {"b", DSP_DT_INT64, 1, {N}}};
    char                 *text = dsp_calloc(64 * N, 1);
    size_t                at = (size_t)sprintf(text, "{\"x\": \"%4000d\", \"input_data\": {\"b\": [", 0);
    dsp_array             a[2];
    for (int i = 0; i < N; i++)
        at += (size_t)sprintf(text + at, "%s%s%d", i ? "," : "", i % 7 ? "" : "  \n", i * 7919 % 1000003 - 500000);
    at += (size_t)sprintf(text + at, "],\"a\": [");
    for (int i = 0; i < N; i += 4)
        at += (size_t)sprintf(text + at, "%s[%d.25,%d,%de-2,0.000%d]", i ? ",\n" : "", i, i + 1, i + 2, i + 3);
    sprintf(text + at, "]}}");
    assert_int_equal(tensors(a, spec, 2, text, false), DSP_OK);
    for (int i = 0; i < N; i++)
        assert_true(((const int64_t *)a[1].data)[i] == i * 7919 % 1000003 - 500000);
    for (int i = 0; i < N; i += 4) {
        const double *d = (const double *)a[0].data + i;
        assert_true(d[0] == i + 0.25 && d[1] == i + 1 && d[2] == (i + 2) / 100.0);
    }
    dsp_array_release(&a[0]);
    dsp_array_release(&a[1]);
    text[at] = 'x';
    assert_int_equal(tensors(a, spec, 2, text, false), DSP_E_FORMAT);
    assert_non_null(strstr(why.msg, "line 78572, column"));
    memset(text, '1', 5000);
    text[0] = '[';
    strcpy(text + 5000, "]");
    assert_int_equal(tensors(a, spec, 1, text, false), DSP_E_FORMAT);
    assert_non_null(strstr(why.msg, "finite"));
    memset(text, '[', 40);
    text[40] = 0;
    assert_int_equal(tensors(a, spec, 1, text, false), DSP_E_FORMAT);
    assert_non_null(strstr(why.msg, "nesting"));
    dsp_free(text);
}

/* A .npy file: header with this text, then the bytes. */
static size_t npy(uint8_t *out, int major, const char *header, const void *data, size_t len)
{
    const size_t n = strlen(header), at = major == 1 ? 10 : 12;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (uint8_t)major;
    out[7] = 0;
    out[8] = (uint8_t)n;
    out[9] = (uint8_t)(n >> 8);
    out[10] = out[11] = 0;
    memcpy(out + at, header, n);
    memcpy(out + at + n, data, len);
    return at + n + len;
}

static void test_npy(void **state)
{
    (void)state;
    const dsp_tensor_spec f = {"x", DSP_DT_FLOAT, 3, {1, 2, 3}}, i64 = {"x", DSP_DT_INT64, 1, {2}}, u8 = {"x", DSP_DT_UINT8, 1, {2}}, flag = {"x", DSP_DT_BOOL, 1, {2}};
    const float           six[] = {1, 2, 3, 4, 5, 6}, nan[] = {1, 2, 3, 4, 5, NAN};
    const double          d6[] = {1, 2, 3, 4, 5, 6}, huge[] = {1, 2, 3, 4, 5, 1e300};
    const uint16_t        half[] = {0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600};
    const int8_t          i8[] = {1, 2, 3, 4, 5, 6};
    const int64_t         big[] = {INT64_C(9007199254740993), -1};
    const uint64_t        over[] = {1, UINT64_MAX};
    const uint8_t         bits[] = {0, 1}, three[] = {0, 3};
    static const char    *shapes[] = {"(1, 2, 3)", "(2, 3)", "(6,)", "(6, )", "(1,1,2,3)", "(1, 6)"};
    uint8_t               b[512];
    char                  h[128];
    dsp_array             a;
    const struct { const char *descr; const void *p; size_t n; } kinds[] = {{"<f4", six, 24}, {"<f8", d6, 48}, {"<f2", half, 12}, {"|i1", i8, 6}, {"|u1", i8, 6}};
    for (size_t k = 0; k < 5; k++)
        for (size_t s = 0; s < 6; s++)
            for (int v = 1; v <= 3; v++) {
                snprintf(h, sizeof h, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }   \n", kinds[k].descr, shapes[s]);
                if (file_tensors(&a, &f, 1, "", b, npy(b, v, h, kinds[k].p, kinds[k].n), false) != DSP_OK)
                    fail_msg("%s: %s", h, why.msg);
                assert_memory_equal(a.data, six, sizeof six);
                dsp_array_release(&a);
            }
    assert_int_equal(file_tensors(&a, &i64, 1, ".npy", b, npy(b, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", big, 16), false), DSP_OK);
    assert_memory_equal(a.data, big, 16);
    dsp_array_release(&a);
    assert_int_equal(file_tensors(&a, &flag, 1, ".npy", b, npy(b, 1, "{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", bits, 2), false), DSP_OK);
    dsp_array_release(&a);
    const struct { const dsp_tensor_spec *spec; const char *header; const void *p; size_t n; const char *says; } bad[] = {
        {&f, "{'descr': '>f4', 'fortran_order': False, 'shape': (6,)}", six, 24, "little-endian"}, {&f, "{'descr': '|O', 'fortran_order': False, 'shape': (6,)}", six, 24, "little-endian"},
        {&f, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}", six, 24, "little-endian"}, {&f, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", six, 24, "C order"},
        {&f, "{'descr': '<f4', 'fortran_order': False, 'shape': (5,)}", six, 20, "6 values expected (shape 1x2x3), 5 found"}, {&f, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 6)}", six, 24, "12 found; batches"},
        {&f, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}", six, 24, "3x2 found"}, {&f, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", six, 23, "24 bytes of data expected, 23 found"},
        {&f, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", d6, 25, "25 found"}, {&f, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", nan, 24, "finite"},
        {&f, "{'descr': '<f8', 'fortran_order': False, 'shape': (6,)}", huge, 48, "float32"}, {&f, "{'descr': '<f4', 'fortran_order': False, 'shape': 6}", six, 24, "shape"}, {&f, "{'descr': '<f4', 'fortran_order': False}", six, 24, "shape"},
        {&f, "{'descr': '<f4', 'fortran_order': False, 'shape': (-6,)}", six, 24, "shape"}, {&f, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", six, 24, "shape"},
        {&f, "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1099511627776)}", six, 24, "too many"}, {&i64, "{'descr': '<u8', 'fortran_order': False, 'shape': (2,)}", over, 16, "int64"},
        {&i64, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", (const float[]){1, 0.5f}, 8, "int64 expected, 0.5 found"}, {&u8, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", big, 16, "uint8"},
        {&flag, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", three, 2, "bool"}, {&f, "", six, 24, "little-endian"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (file_tensors(&a, bad[i].spec, 1, ".npy", b, npy(b, 1, bad[i].header, bad[i].p, bad[i].n), false) != DSP_E_FORMAT || !strstr(why.msg, bad[i].says))
            fail_msg("%s: %s", bad[i].header, why.msg);
    const size_t n = npy(b, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", six, 24);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(file_tensors(&a, &f, 1, ".npy", b, cut, false), DSP_E_FORMAT);
    const dsp_tensor_spec two[] = {f, i64};
    dsp_array             pair[2];
    assert_int_equal(file_tensors(pair, two, 2, ".npy", b, n, false), DSP_E_FORMAT);
    assert_non_null(strstr(why.msg, "2 tensors expected"));
}

static void test_tensor_proto(void **state)
{
    (void)state;
    const dsp_tensor_spec f = {"x", DSP_DT_FLOAT, 2, {1, 3}}, i64 = {"x", DSP_DT_INT64, 1, {3}}, i8 = {"x", DSP_DT_INT8, 1, {3}};
#define DIMS "\x08\x01\x08\x03"
    static const char raw[] = DIMS "\x10\x01" "B\x04" "name" "J\x0c\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40";
    static const char packed[] = "\x0a\x01\x03" "\x10\x01" "\x22\x0c\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40";
    static const char single[] = DIMS "\x10\x01" "\x25\0\0\x80\x3f" "\x25\0\0\0\x40" "\x25\0\0\x40\x40";
    static const char halves[] = "\x08\x03\x10\x0a" "\x2a\x08\x80\x78\x80\x80\x01\x80\x84\x01";
    static const char ints[] = "\x08\x03\x10\x07" "\x3a\x0c\x01\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    static const char bytes8[] = "\x08\x03\x10\x03" "\x2a\x0c\x01\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    const struct { const char *p; size_t n; } floats[] = {{raw, sizeof raw - 1}, {packed, sizeof packed - 1}, {single, sizeof single - 1}, {halves, sizeof halves - 1}};
    dsp_array         a;
    const float       want[] = {1, 2, 3};
    const int64_t     want64[] = {1, 2, -1};
    for (size_t i = 0; i < 4; i++) {
        if (file_tensors(&a, &f, 1, ".pb", floats[i].p, floats[i].n, false) != DSP_OK)
            fail_msg("%zu: %s", i, why.msg);
        if (memcmp(a.data, want, 12) != 0)
            fail_msg("%zu: %g %g %g", i, (double)((const float *)a.data)[0], (double)((const float *)a.data)[1], (double)((const float *)a.data)[2]);
        dsp_array_release(&a);
        for (size_t cut = 0; cut < floats[i].n; cut++)
            assert_int_equal(file_tensors(&a, &f, 1, ".pb", floats[i].p, cut, false), DSP_E_FORMAT);
    }
    assert_int_equal(file_tensors(&a, &i64, 1, ".pb", ints, sizeof ints - 1, false), DSP_OK);
    assert_memory_equal(a.data, want64, 24);
    dsp_array_release(&a);
    assert_int_equal(file_tensors(&a, &i8, 1, ".pb", bytes8, sizeof bytes8 - 1, false), DSP_OK);
    assert_memory_equal(a.data, "\1\2\xff", 3);
    dsp_array_release(&a);
#define BAD(text, says) {text, sizeof text - 1, says}
    static const struct { const char *p; size_t n; const char *says; } bad[] = {
        BAD("\x08\x04\x10\x01" "J\x10\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\0\0", "3 values expected (shape 1x3), 4 found"), BAD(DIMS "\x10\x01" "J\x08\0\0\x80\x3f\0\0\0\x40", "12 bytes of data expected, 8 found"),
        BAD(DIMS "\x10\x01" "\x22\x08\0\0\x80\x3f\0\0\0\x40", "3 values expected, 2 found"), BAD(DIMS "\x10\x01" "J\x0c\0\0\xc0\x7f\0\0\0\x40\0\0\x40\x40", "finite"), BAD(DIMS "\x10\x08" "2\x01" "a", "not read here"),
        BAD(DIMS "\x10\x01" "\x70\x01", "another file"), BAD(DIMS "\x10\x01" "\x0b", "no field"), BAD(DIMS "\x10\x01" "J\x7f", "does not fit"), BAD("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x01", "shape"),
        BAD(DIMS "J\x0c\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40", "element type 0"), BAD("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "does not end"), BAD("[1,2,3]", ""), BAD("", "element type 0")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (file_tensors(&a, &f, 1, ".pb", bad[i].p, bad[i].n, false) != DSP_E_FORMAT || !strstr(why.msg, bad[i].says))
            fail_msg("%zu: %s", i, why.msg);
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
                                       cmocka_unit_test(test_variants_of_two), cmocka_unit_test(test_long_texts), cmocka_unit_test(test_npy), cmocka_unit_test(test_tensor_proto), cmocka_unit_test(test_numbers), cmocka_unit_test(test_relative_paths), cmocka_unit_test(test_ledger)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
