/* Status messages, sizes, heap and arena. */
#include <stdio.h>

#include "base/mem.h"
#include "base/size.h"
#include "dsperse/status.h"
#include "unit/test.h"

static void messages(void **state)
{
    (void)state;
    dsp_err err = {DSP_OK, ""};
    assert_int_equal(dsp_fail(&err, DSP_E_FORMAT, "%s, byte %d: %u expected", "key", 7, 3u), DSP_E_FORMAT);
    assert_int_equal(err.code, DSP_E_FORMAT);
    assert_string_equal(err.msg, "key, byte 7: 3 expected");
    assert_int_equal(dsp_context(&err, DSP_E_FORMAT, "slice %d", 2), DSP_E_FORMAT);
    assert_string_equal(err.msg, "slice 2: key, byte 7: 3 expected");
    assert_int_equal(dsp_context(&err, DSP_OK, "nothing"), DSP_OK); /* success leaves it alone */
    assert_string_equal(err.msg, "slice 2: key, byte 7: 3 expected");
    assert_int_equal(dsp_fail(NULL, DSP_E_IO, "nobody reads this"), DSP_E_IO);
    assert_int_equal(dsp_context(NULL, DSP_E_IO, "nor this"), DSP_E_IO);
    /* long messages and contexts are cut, never written past the end */
    char big[3000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    dsp_fail(&err, DSP_E_ARG, "%s", big);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    for (int i = 0; i < 10; i++)
        dsp_context(&err, DSP_E_ARG, "%s", big);
    assert_true(strlen(err.msg) < sizeof err.msg);
    for (int s = DSP_E_RANGE; s <= 0; s++) {
        assert_string_not_equal(dsp_status_name((dsp_status)s), "unknown");
        for (int t = s + 1; t <= 0; t++)
            assert_string_not_equal(dsp_status_name((dsp_status)s), dsp_status_name((dsp_status)t));
    }
    assert_string_equal(dsp_status_name((dsp_status)-99), "unknown");
}

static void sizes(void **state)
{
    (void)state;
    size_t r = 5;
    assert_true(dsp_mul_size(&r, 0, SIZE_MAX) && r == 0);
    assert_true(dsp_mul_size(&r, SIZE_MAX, 1) && r == SIZE_MAX);
    r = 5;
    assert_false(dsp_mul_size(&r, SIZE_MAX / 2 + 1, 2));
    assert_false(dsp_mul_size(&r, (size_t)1 << 32, (size_t)1 << 32));
    assert_false(dsp_add_size(&r, SIZE_MAX, 1));
    assert_int_equal(r, 5);
    assert_true(dsp_add_size(&r, SIZE_MAX, 0) && r == SIZE_MAX);
    assert_int_equal(dsp_lg(0), 0);
    assert_int_equal(dsp_lg(1), 0);
    for (unsigned b = 1; b < 64; b++) {
        assert_int_equal(dsp_lg((uint64_t)1 << b), b);
        assert_int_equal(dsp_lg(((uint64_t)1 << b) + 1), b + 1);
        assert_true(dsp_is_pow2((uint64_t)1 << b));
        assert_int_equal(dsp_is_pow2(((uint64_t)1 << b) + 1), false);
    }
    assert_int_equal(dsp_lg(UINT64_MAX), 64);
    assert_false(dsp_is_pow2(0));
}

static void heap(void **state)
{
    (void)state;
    uint64_t *p = DSP_NEW_N(uint64_t, 10);
    assert_non_null(p);
    for (int i = 0; i < 10; i++)
        assert_true(p[i] == 0);
    p[9] = 7;
    uint64_t *q = dsp_realloc(p, 1000, sizeof *q);
    assert_non_null(q);
    assert_true(q[9] == 7);
    assert_null(dsp_realloc(q, SIZE_MAX / 4, 8)); /* q stays */
    assert_true(q[9] == 7);
    dsp_free(q);
    assert_null(dsp_calloc(SIZE_MAX / 2, 3));
    p = DSP_NEW_N(uint64_t, 0);
    assert_non_null(p);
    dsp_free(p);
    char *s = dsp_strdup("abc");
    assert_string_equal(s, "abc");
    dsp_free(s);
    dsp_free(NULL);
    uint8_t b[33];
    memset(b, 9, sizeof b);
    dsp_wipe(b + 1, 31);
    assert_int_equal(b[0], 9);
    assert_int_equal(b[32], 9);
    for (int i = 1; i < 32; i++)
        assert_int_equal(b[i], 0);
    dsp_wipe(NULL, 0);
}

static void arena(void **state)
{
    (void)state;
    dsp_arena *a = dsp_arena_create(0);
    assert_non_null(a);
    uint8_t *p[200];
    for (size_t i = 0; i < 200; i++) {
        const size_t n = i * 97 % 5000;
        p[i] = dsp_arena_alloc(a, n, 1);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 64, 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(p[i][k], 0);
        memset(p[i], (int)i, n);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i * 97 % 5000; k++)
            assert_int_equal(p[i][k], (uint8_t)i); /* nothing overlaps */
    assert_string_equal(dsp_arena_strdup(a, "name"), "name");
    const dsp_mark m = dsp_arena_mark(a);
    uint8_t       *x = dsp_arena_alloc(a, 100, 1);
    memset(x, 5, 100);
    assert_non_null(dsp_arena_raw(a, 1 << 22, 1)); /* a chunk of its own */
    const size_t peak = dsp_arena_peak(a);
    assert_true(peak > 1 << 22);
    dsp_arena_rewind(a, m);
    uint8_t *y = dsp_arena_raw(a, 100, 1);
    assert_ptr_equal(x, y);
    for (int i = 0; i < 100; i++)
        assert_int_equal(y[i], 0); /* given back means wiped */
    assert_int_equal(dsp_arena_peak(a), peak);
    assert_null(dsp_arena_alloc(a, SIZE_MAX / 8, 16));
    assert_null(dsp_arena_alloc(a, SIZE_MAX, 1));
    dsp_arena_free(a);
    dsp_arena_free(NULL);
}

static void ceiling(void **state)
{
    (void)state;
    dsp_arena *a = dsp_arena_create(1 << 20);
    assert_non_null(a);
    assert_null(dsp_arena_alloc(a, 1 << 20, 1)); /* the chunk's header counts */
    size_t n = 0;
    while (dsp_arena_alloc(a, 1, 4096))
        n += 4096;
    assert_true(n > 1 << 18 && n <= 1 << 20);
    assert_true(dsp_arena_peak(a) <= 1 << 20);
    dsp_arena_free(a);
    a = dsp_arena_create(0); /* a mark in an empty arena gives back everything */
    const dsp_mark m = dsp_arena_mark(a);
    assert_non_null(dsp_arena_alloc(a, 10, 10));
    dsp_arena_rewind(a, m);
    assert_non_null(dsp_arena_alloc(a, 10, 10));
    dsp_arena_free(a);
}

static void reserved(void **state)
{
    (void)state;
    dsp_arena *a = dsp_arena_create(8 << 20);
    assert_non_null(a);
    assert_true(dsp_arena_reserve(a, 1 << 20));
    const dsp_mark m = dsp_arena_mark(a);
    const size_t   held = dsp_arena_peak(a);
    uint8_t       *first = NULL;
    for (int i = 0; i < 3; i++) { /* what fits stays on the same bytes, wiped in between */
        uint8_t *p = DSP_ARENA_RAW(a, uint8_t, 900000);
        assert_non_null(p);
        if (first)
            assert_true(p == first && p[0] == 0 && p[899999] == 0);
        first = p;
        memset(p, 0xa5, 900000);
        dsp_arena_rewind(a, m);
    }
    assert_int_equal(dsp_arena_peak(a), held);
    assert_true(dsp_arena_reserve(a, 1 << 19)); /* there is room */
    assert_int_equal(dsp_arena_peak(a), held);
    assert_true(dsp_arena_reserve(a, 2 << 20)); /* the empty piece is given up for a larger one */
    assert_true(dsp_arena_peak(a) < held + (2 << 20));
    assert_false(dsp_arena_reserve(a, 16 << 20));
    assert_non_null(DSP_ARENA_N(a, uint8_t, 100));
    assert_true(dsp_arena_reserve(a, 3 << 20)); /* a piece in use stays */
    assert_false(dsp_arena_reserve(a, SIZE_MAX));
    dsp_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(messages), cmocka_unit_test(sizes), cmocka_unit_test(heap),
                                       cmocka_unit_test(arena), cmocka_unit_test(ceiling),
                                       cmocka_unit_test(reserved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
