/* The quantisation record: canonical bytes, strict reading, rounding and ranges. */
#include <math.h>

#include "quant/record.h"
#include "unit/test.h"

static dsp_record *sample(void)
{
    dsp_record *r = dsp_record_create();
    assert_non_null(r);
    for (int i = 0; i < 32; i++)
        r->model.b[i] = (uint8_t)i;
    r->precision = 12;
    r->n_cuts = 2;
    r->cuts = DSP_ARENA_N(r->arena, uint32_t, 2);
    r->cuts[0] = 3;
    r->cuts[1] = 7;
    r->n_binds = 1;
    r->binds = DSP_ARENA_N(r->arena, dsp_dim_bind, 1);
    r->binds[0] = (dsp_dim_bind){"batch", 1};
    r->n_tensors = 2;
    r->tensors = DSP_ARENA_N(r->arena, dsp_qtensor, 2);
    r->tensors[0] = (dsp_qtensor){"in/\"put\"", NULL, 9, -2048, 2047, {{2, 1, 3}, 3, {1, 2, 3}, {0, 1, 2}}, false};
    r->tensors[1] = (dsp_qtensor){"\xc3\xa9", "value1", -3, 0, 2047, {{3, 2, 1}, 2, {2, 3}, {1, 0}}, true};
    return r;
}

static void round_trip(void **state)
{
    (void)state;
    dsp_err     err;
    dsp_record *r = sample(), *again = NULL;
    dsp_buf     a = {0}, b = {0};
    assert_int_equal(dsp_record_write(&a, r, &err), DSP_OK);
    assert_int_equal(dsp_record_seal(r, &err), DSP_OK);
    assert_int_equal(dsp_record_read(&again, a.p, a.len, &err), DSP_OK);
    assert_true(dsp_digest_eq(&again->digest, &r->digest));
    assert_int_equal(dsp_record_write(&b, again, &err), DSP_OK);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
    const dsp_qtensor *t = dsp_record_find(again, "\xc3\xa9");
    assert_non_null(t);
    assert_int_equal(t->scale_bits, -3);
    assert_true(t->pinned && !again->tensors[0].pinned);
    assert_int_equal(t->layout.perm[0], 1);
    assert_ptr_equal(dsp_record_find(again, "value1"), t);
    assert_null(dsp_record_find(again, "other"));
    assert_int_equal(again->cuts[1], 7);
    assert_string_equal(again->binds[0].name, "batch");
    dsp_buf_release(&a);
    dsp_buf_release(&b);
    dsp_record_free(again);
    dsp_record_free(r);
}

/* Replaces one piece of the canonical text and expects DSP_E_FORMAT. */
static void refused(const char *from, const char *to)
{
    dsp_err     err;
    dsp_record *r = sample(), *again = NULL;
    dsp_buf     a = {0}, b = {0};
    assert_int_equal(dsp_record_write(&a, r, &err), DSP_OK);
    dsp_buf_u8(&a, 0);
    char *at = strstr((char *)a.p, from);
    if (!at)
        fail_msg("no %s in %s", from, (char *)a.p);
    dsp_buf_put(&b, a.p, (size_t)(at - (char *)a.p));
    dsp_buf_put(&b, to, strlen(to));
    dsp_buf_put(&b, at + strlen(from), strlen(at + strlen(from)));
    const dsp_status st = dsp_record_read(&again, b.p, b.len, &err);
    if (st != DSP_E_FORMAT)
        fail_msg("%s for %s: status %d", to, from, st);
    assert_null(again);
    dsp_buf_release(&a);
    dsp_buf_release(&b);
    dsp_record_free(r);
}

static void strict(void **state)
{
    (void)state;
    refused("\"version\":1", "\"version\":2");
    refused("\"version\":1", "\"version\":1.0");
    refused("\"version\":1", "\"version\": 1");
    refused("\"version\":1,", "");
    refused("\"version\":1", "\"version\":1,\"more\":0");
    refused("\"version\":1", "\"version\":1,\"version\":1");
    refused("0001", "0g01");
    refused("0001", "00001");
    refused("0a0b", "0A0B");
    refused("\"precision\":12", "\"precision\":17");
    refused("\"precision\":12", "\"precision\":1");
    refused("[3,7]", "[7,3]");
    refused("[3,7]", "[3,3]");
    refused("[3,7]", "[0,3]");
    refused("[3,7]", "[3,4294967296]");
    refused("[3,7]", "[3,-7]");
    refused("\"value\":1", "\"value\":0");
    refused("\"scale_bits\":9", "\"scale_bits\":999");
    refused("\"scale_bits\":9", "\"scale_bits\":\"9\"");
    refused("\"lo\":-2048", "\"lo\":4096");
    refused("\"hi\":2047", "\"hi\":9223372036854775807");
    refused("\"hi\":2047", "\"hi\":9223372036854775808");
    refused("\"dims\":[2,1,3]", "\"dims\":[2,1,0]");
    refused("\"dims\":[2,1,3]", "\"dims\":[2,1,4]");
    refused("\"dims\":[2,1,3]", "\"dims\":[2,3]");
    refused("\"dims\":[2,1,3]", "\"dims\":[16777216,16777216,16777216]");
    refused("\"onnx_dims\":[1,2,3]", "\"onnx_dims\":[1,2,-3]");
    refused("\"onnx_dims\":[1,2,3]", "\"onnx_dims\":[1,1,1,1,1,1,1,2,3]");
    refused("\"perm\":[0,1,2]", "\"perm\":[0,1,1]");
    refused("\"perm\":[0,1,2]", "\"perm\":[0,1]");
    refused("\"perm\":[0,1,2]", "\"perm\":[0,1,3]");
    refused("\\u00E9", "in/\\\"put\\\"");
    refused("\\u00E9", "");
    refused("\\u00E9", "\\u0000");
    refused("\"value1\"", "\"in/\\\"put\\\"\"");
    refused("\"value1\"", "\"\\u00E9\"");
    refused("\"value1\"", "1");
    refused("\"pinned\":true", "\"pinned\":false");
    refused("\"pinned\":true", "\"pinned\":1");
    refused("\"pinned\":true", "\"pinned\":true,\"more\":0");
    refused("\n", "");
    refused("\n", "\n\n");
}

static void truncated(void **state)
{
    (void)state;
    dsp_err     err;
    dsp_record *r = sample(), *again = NULL;
    dsp_buf     a = {0};
    assert_int_equal(dsp_record_write(&a, r, &err), DSP_OK);
    for (size_t n = 0; n < a.len; n++)
        assert_int_equal(dsp_record_read(&again, a.p, n, &err), DSP_E_FORMAT);
    for (size_t n = 0; n < a.len; n++) {
        a.p[n] ^= 0x80;
        assert_int_equal(dsp_record_read(&again, a.p, a.len, &err), DSP_E_FORMAT);
        a.p[n] ^= 0x80;
    }
    dsp_buf_release(&a);
    dsp_record_free(r);
}

static void rounding(void **state)
{
    (void)state;
    dsp_err           err = {0};
    const dsp_qtensor q = {"t", NULL, 2, -8, 7, {{3, 2, 1}, 2, {2, 3}, {1, 0}}, true};
    const float       f[6] = {0.125f, -0.125f, 0.375f, -0.375f, 1.75f, -2.0f};
    const dsp_array   x = {.dtype = DSP_DT_FLOAT, .rank = 2, .dims = {2, 3}, .count = 6, .bytes = sizeof f, .data = f};
    int64_t           c[6];
    float             back[6];
    uint64_t          clamped = 0;
    /* floor(4 x + 1/2), cells transposed */
    assert_int_equal(dsp_quantise(c, &x, &q, &err), DSP_OK);
    const int64_t want[6] = {1, -1, 0, 7, 2, -8};
    assert_memory_equal(c, want, sizeof want);
    dsp_dequantise(back, c, &q);
    const float floats[6] = {0.25f, 0, 0.5f, -0.25f, 1.75f, -2.0f};
    assert_memory_equal(back, floats, sizeof floats);

    float           g[6] = {0, 0, 0, 0, 1.875f, 0};
    const dsp_array y = {.dtype = DSP_DT_FLOAT, .rank = 2, .dims = {2, 3}, .count = 6, .bytes = sizeof g, .data = g};
    assert_int_equal(dsp_quantise(c, &y, &q, &err), DSP_E_RANGE);
    assert_non_null(strstr(err.msg, "tensor t"));
    assert_non_null(strstr(err.msg, "1.875"));
    assert_int_equal(dsp_quantise_saturating(c, &clamped, &y, &q, &err), DSP_OK);
    assert_int_equal(clamped, 1);
    assert_int_equal(c[3], 7);
    g[4] = -INFINITY;
    assert_int_equal(dsp_quantise(c, &y, &q, &err), DSP_E_RANGE);
    assert_int_equal(dsp_quantise_saturating(c, &clamped, &y, &q, &err), DSP_E_RANGE);
    g[4] = NAN;
    assert_int_equal(dsp_quantise(c, &y, &q, &err), DSP_E_RANGE);
    dsp_array z = y;
    z.count = 5;
    assert_int_equal(dsp_quantise(c, &z, &q, &err), DSP_E_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(strict), cmocka_unit_test(truncated), cmocka_unit_test(rounding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
