#include "base/bytes.h"
#include "unit/test.h"

static void round_trip(void **state)
{
    (void)state;
    dsp_buf b = {0};
    dsp_err err;
    dsp_rd  rd;
    dsp_buf_u8(&b, 0xfe);
    dsp_buf_u16(&b, 0x1234);
    dsp_buf_u32(&b, 0x89abcdef);
    dsp_buf_u64(&b, UINT64_C(0x0123456789abcdef));
    dsp_buf_i64(&b, INT64_MIN);
    dsp_buf_i64(&b, -2);
    dsp_buf_text(&b, "caf\xc3\xa9");
    dsp_buf_text(&b, "");
    dsp_buf_printf(&b, "%d%%", 50);
    for (int i = 0; i < 1000; i++)
        dsp_buf_u32(&b, (uint32_t)i);
    assert_false(b.bad);
    static const uint8_t start[] = {0xfe, 0x34, 0x12, 0xef, 0xcd, 0xab, 0x89, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01};
    assert_memory_equal(b.p, start, sizeof start);
    const size_t whole = b.len;
    for (size_t len = 0; len <= whole; len++) { /* every truncation */
        const char *s, *e;
        uint16_t    n, m;
        dsp_rd_init(&rd, b.p, len, "sample", &err);
        const uint8_t  v8 = dsp_rd_u8(&rd);
        const uint16_t v16 = dsp_rd_u16(&rd);
        const uint32_t v32 = dsp_rd_u32(&rd);
        const uint64_t v64 = dsp_rd_u64(&rd);
        const int64_t  i0 = dsp_rd_i64(&rd), i1 = dsp_rd_i64(&rd);
        const bool     t0 = dsp_rd_text(&rd, &s, &n), t1 = dsp_rd_text(&rd, &e, &m);
        const uint8_t *tail = dsp_rd_take(&rd, 3);
        uint32_t       sum = 0;
        for (int i = 0; i < 1000; i++)
            sum += dsp_rd_u32(&rd);
        if (len < whole) {
            assert_int_equal(dsp_rd_done(&rd, true), DSP_E_FORMAT);
            assert_true(rd.bad && rd.pos <= len && dsp_rd_left(&rd) == 0);
            assert_non_null(strstr(err.msg, "sample, byte "));
            assert_true(len >= 1 || v8 == 0); /* what cannot be read is 0 */
            assert_true(len >= 3 || v16 == 0);
            assert_true(len >= 7 || v32 == 0);
            assert_true(len >= 15 || v64 == 0);
            continue;
        }
        assert_int_equal(dsp_rd_done(&rd, true), DSP_OK);
        assert_true(v8 == 0xfe && v16 == 0x1234 && v32 == 0x89abcdef && v64 == UINT64_C(0x0123456789abcdef));
        assert_true(i0 == INT64_MIN && i1 == -2 && t0 && t1);
        assert_true(n == 5 && memcmp(s, "caf\xc3\xa9", 5) == 0 && m == 0);
        assert_memory_equal(tail, "50%", 3);
        assert_int_equal(sum, 999 * 1000 / 2);
    }
    dsp_rd_init(&rd, b.p, whole, "sample", &err);
    dsp_rd_u8(&rd);
    assert_int_equal(dsp_rd_done(&rd, false), DSP_OK);
    assert_int_equal(dsp_rd_done(&rd, true), DSP_E_FORMAT); /* bytes left over */
    dsp_buf_release(&b);
    assert_null(b.p);
    assert_int_equal(b.len, 0);
}

static void first_failure_stays(void **state)
{
    (void)state;
    static const uint8_t p[4] = {1, 2, 3, 4};
    dsp_err              err;
    dsp_rd               rd;
    dsp_rd_init(&rd, p, 4, "x", &err);
    dsp_rd_u16(&rd);
    assert_int_equal(dsp_rd_fail(&rd, DSP_E_LIMIT, "%d is too many", 9), DSP_E_LIMIT);
    assert_string_equal(err.msg, "x, byte 2: 9 is too many");
    assert_null(dsp_rd_take(&rd, 1));
    assert_int_equal(dsp_rd_fail(&rd, DSP_E_FORMAT, "later"), DSP_E_LIMIT);
    assert_string_equal(err.msg, "x, byte 2: 9 is too many");
    assert_int_equal(dsp_rd_done(&rd, true), DSP_E_LIMIT);
    assert_int_equal(rd.pos, 2);
    dsp_rd_init(&rd, p, 4, "x", NULL);
    assert_null(dsp_rd_take(&rd, 5));
    assert_null(dsp_rd_take(&rd, SIZE_MAX));
    assert_int_equal(dsp_rd_done(&rd, false), DSP_E_FORMAT);
}

static void counts(void **state)
{
    (void)state;
    uint8_t p[4 + 24] = {3};
    dsp_err err;
    dsp_rd  rd;
    dsp_rd_init(&rd, p, sizeof p, "x", &err);
    assert_int_equal(dsp_rd_count(&rd, 8, "rows"), 3);
    p[0] = 4;
    dsp_rd_init(&rd, p, sizeof p, "x", &err);
    assert_int_equal(dsp_rd_count(&rd, 8, "rows"), 0);
    assert_string_equal(err.msg, "x, byte 4: 4 rows declared, room for 3");
    memset(p, 0xff, 4);
    dsp_rd_init(&rd, p, sizeof p, "x", &err);
    assert_int_equal(dsp_rd_count(&rd, 1, "rows"), 0);
    assert_true(rd.bad);
}

static void utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                                       "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "x\xe2\x82\xacy"};
    static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2x", "\xe0\x9f\xbf", "\xe2\x82",
                                      "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
                                      "\xff", "\xf0\x90\x80", "ab\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(dsp_utf8_valid((const uint8_t *)good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(dsp_utf8_valid((const uint8_t *)bad[i], strlen(bad[i])));
    static const uint8_t nul[] = {3, 0, 'a', 0, 'b'}, broken[] = {1, 0, 0xff};
    dsp_rd               rd;
    const char          *s;
    uint16_t             n;
    dsp_rd_init(&rd, nul, sizeof nul, "x", NULL);
    assert_false(dsp_rd_text(&rd, &s, &n));
    dsp_rd_init(&rd, broken, sizeof broken, "x", NULL);
    assert_false(dsp_rd_text(&rd, &s, &n));
    assert_true(rd.bad);
}

static void long_text(void **state)
{
    (void)state;
    char *t = malloc(70000);
    assert_non_null(t);
    memset(t, 'a', 69999);
    t[69999] = 0;
    dsp_buf b = {0};
    dsp_buf_text(&b, t + 69999 - 65535);
    assert_false(b.bad);
    assert_int_equal(b.len, 65537);
    dsp_buf_text(&b, t);
    assert_true(b.bad); /* a length that does not fit is not written */
    assert_int_equal(b.len, 65537);
    dsp_buf_u8(&b, 1);
    assert_int_equal(b.len, 65537);
    dsp_buf_release(&b);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(first_failure_stays),
                                       cmocka_unit_test(counts), cmocka_unit_test(utf8), cmocka_unit_test(long_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
