/* Containers: what is written is read again; every truncation and every flipped bit is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "format/container.h"

static dsp_buf sample(void)
{
    dsp_buf         b = {0};
    dsp_err         err = {DSP_OK, ""};
    const dsp_chunk c[] = {{1, (const uint8_t *)"head", 4}, {3, (const uint8_t *)"", 0}, {7, (const uint8_t *)"body of it", 10}};
    assert_int_equal(dsp_container_write(&b, "test", c, 3, &err), DSP_OK);
    return b;
}

static void test_round_trip(void **state)
{
    (void)state;
    dsp_buf   b = sample();
    dsp_chunk c[DSP_MAX_CHUNKS];
    uint32_t  n;
    dsp_rd    rd;
    dsp_err   err = {DSP_OK, ""};
    assert_int_equal(dsp_container_read(c, &n, "test", b.p, b.len, "sample", &err), DSP_OK);
    assert_int_equal(n, 3);
    dsp_chunk_open(&rd, c, n, 7, "sample", &err);
    assert_memory_equal(dsp_rd_take(&rd, 10), "body of it", 10);
    assert_int_equal(dsp_rd_done(&rd, true), DSP_OK);
    dsp_chunk_open(&rd, c, n, 3, "sample", &err);
    assert_int_equal(dsp_rd_done(&rd, true), DSP_OK);
    dsp_chunk_open(&rd, c, n, 2, "sample", &err);
    assert_int_equal(dsp_rd_done(&rd, false), DSP_E_FORMAT);
    assert_int_equal(dsp_container_read(c, &n, "tesT", b.p, b.len, "sample", &err), DSP_E_FORMAT);
    dsp_buf_release(&b);
}

static void test_every_change_is_refused(void **state)
{
    (void)state;
    dsp_buf   b = sample();
    dsp_chunk c[DSP_MAX_CHUNKS];
    uint32_t  n;
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(dsp_container_read(c, &n, "test", b.p, i, "sample", NULL), DSP_E_FORMAT);
    for (size_t i = 0; i < 8 * b.len; i++) {
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(dsp_container_read(c, &n, "test", b.p, b.len, "sample", NULL), DSP_E_FORMAT);
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    dsp_buf_release(&b);
}

/* A table that lies under a correct digest. */
static void test_tables_that_lie(void **state)
{
    (void)state;
    dsp_buf   b = sample();
    dsp_chunk c[DSP_MAX_CHUNKS];
    uint32_t  n;
    for (size_t at = 16; at < 20 + 3 * 12 + 8; at++)
        for (unsigned v = 0; v < 256; v += 51) {
            const uint8_t old = b.p[at];
            if (old == v)
                continue;
            b.p[at] = (uint8_t)v;
            const dsp_digest d = dsp_sha256(b.p, b.len - 32);
            memcpy(b.p + b.len - 32, d.b, 32);
            if (dsp_container_read(c, &n, "test", b.p, b.len, "sample", NULL) == DSP_OK)
                for (uint32_t i = 0; i < n; i++)
                    assert_true(c[i].p >= b.p && c[i].p + c[i].len <= b.p + b.len - 32);
            b.p[at] = old;
        }
    dsp_buf_release(&b);
}

static void test_cells(void **state)
{
    (void)state;
    static const int64_t last[] = {0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32769, INT32_MAX, (int64_t)INT32_MAX + 1, INT64_MAX, INT64_MIN};
    static const size_t  width[] = {1, 1, 1, 1, 2, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    int64_t              in[1500], out[1500];
    for (size_t k = 0; k < sizeof last / sizeof *last; k++) {
        dsp_buf b = {0};
        dsp_rd  rd;
        for (int i = 0; i < 1500; i++)
            in[i] = i % 100 - 50;
        in[1499] = last[k];
        dsp_cells_write(&b, in, 1500);
        assert_int_equal(b.len, 9 + 1500 * width[k]);
        dsp_rd_init(&rd, b.p, b.len, "cells", NULL);
        assert_int_equal(dsp_cells_read(out, 1500, &rd), DSP_OK);
        assert_memory_equal(in, out, sizeof in);
        dsp_rd_init(&rd, b.p, b.len, "cells", NULL);
        assert_int_equal(dsp_cells_read(out, 1499, &rd), DSP_E_FORMAT);
        dsp_rd_init(&rd, b.p, b.len - 1, "cells", NULL);
        assert_int_equal(dsp_cells_read(out, 1500, &rd), DSP_E_FORMAT);
        b.p[0] = 3;
        dsp_rd_init(&rd, b.p, b.len, "cells", NULL);
        assert_int_equal(dsp_cells_read(out, 1500, &rd), DSP_E_FORMAT);
        dsp_buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_every_change_is_refused),
                                       cmocka_unit_test(test_tables_that_lie), cmocka_unit_test(test_cells)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
