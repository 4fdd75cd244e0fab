#include "pcs/merkle.h"
#include "unit/test.h"

enum { W = 40, N = 512 };

static uint8_t    cols[N * W], salts[N * DSP_SALT_BYTES];
static dsp_arena *arena;

static int setup(void **state)
{
    (void)state;
    uint64_t s = 1;
    for (size_t i = 0; i < sizeof cols; i++)
        cols[i] = (uint8_t)test_next(&s);
    for (size_t i = 0; i < sizeof salts; i++)
        salts[i] = (uint8_t)test_next(&s);
    arena = dsp_arena_create(0);
    return arena == NULL;
}

static int teardown(void **state)
{
    (void)state;
    dsp_arena_free(arena);
    return 0;
}

/* Roots by plain recursion. */
static dsp_digest top(uint32_t n, uint32_t lo, uint32_t len, uint8_t kind)
{
    dsp_sha s;
    dsp_sha_init(&s);
    if (len == 1) {
        dsp_sha_u8(&s, 0x40);
        dsp_sha_u8(&s, kind);
        dsp_sha_u32(&s, n);
        dsp_sha_u32(&s, lo);
        dsp_sha_put(&s, salts + 16 * (size_t)lo, 16);
        dsp_sha_put(&s, cols + W * (size_t)lo, W);
    } else {
        const dsp_digest l = top(n, lo, len / 2, kind), r = top(n, lo + len / 2, len / 2, kind);
        dsp_sha_u8(&s, 0x41);
        dsp_sha_put(&s, l.b, 32);
        dsp_sha_put(&s, r.b, 32);
    }
    return dsp_sha_digest(&s);
}

static void roots(void **state)
{
    (void)state;
    dsp_err   err;
    dsp_pool *pool = dsp_pool_create(3);
    for (uint32_t n = 1; n <= N; n *= 2)
        for (int p = 0; p < 2; p++) {
            dsp_tree t;
            assert_int_equal(dsp_tree_build(&t, arena, p ? pool : NULL, DSP_TREE_B, n, W, cols, salts, &err), DSP_OK);
            const dsp_digest d = top(n, 0, n, DSP_TREE_B);
            dsp_sha          s;
            dsp_sha_init(&s);
            dsp_sha_u8(&s, 0x42);
            dsp_sha_u8(&s, DSP_TREE_B);
            dsp_sha_u32(&s, n);
            dsp_sha_u32(&s, W);
            dsp_sha_put(&s, d.b, 32);
            const dsp_digest r = dsp_sha_digest(&s);
            assert_true(dsp_digest_eq(&r, &t.root));
            assert_true(dsp_digest_eq(&d, &t.node[2 * n - 2]));
        }
    dsp_pool_free(pool);
    dsp_tree t;
    assert_int_equal(dsp_tree_build(&t, arena, NULL, DSP_TREE_B, 3, W, cols, salts, &err), DSP_E_ARG);
    assert_int_equal(dsp_tree_build(&t, arena, NULL, DSP_TREE_B, 0, W, cols, salts, &err), DSP_E_ARG);
    dsp_arena *small = dsp_arena_create(1000);
    assert_non_null(small);
    assert_int_equal(dsp_tree_build(&t, small, NULL, DSP_TREE_B, N, W, cols, salts, &err), DSP_E_NOMEM);
    dsp_arena_free(small);
}

static bool check(const dsp_buf *b, size_t len, uint32_t n, uint8_t kind, const dsp_digest *root, const uint32_t *q, size_t nq,
                  bool *bad, size_t *left)
{
    dsp_err        err;
    dsp_rd         rd;
    bool           ok = true;
    const uint8_t *c[N];
    dsp_rd_init(&rd, b->p, len, "opening", &err);
    assert_int_equal(dsp_tree_check(&ok, c, &rd, arena, kind, n, W, root, q, nq, &err), DSP_OK);
    *bad = rd.bad;
    *left = dsp_rd_left(&rd);
    for (size_t i = 0; ok && i < nq; i++)
        assert_memory_equal(c[i], cols + W * (size_t)q[i], W);
    return ok && !rd.bad;
}

static void openings(void **state)
{
    (void)state;
    dsp_err  err;
    uint64_t s = 5;
    for (uint32_t n = 1; n <= N; n *= 4) {
        dsp_tree t;
        assert_int_equal(dsp_tree_build(&t, arena, NULL, DSP_TREE_M, n, W, cols, salts, &err), DSP_OK);
        for (int round = 0; round < 40; round++) {
            uint32_t q[N], scratch[N];
            size_t   nq = 0, left;
            bool     bad;
            const uint64_t keep = round == 0 ? 1 : 2 + test_next(&s) % 30; /* round 0: all columns */
            for (uint32_t i = 0; i < n; i++)
                if (test_next(&s) % keep == 0)
                    q[nq++] = i;
            if (nq == 0)
                q[nq++] = (uint32_t)(test_next(&s) % n);
            dsp_buf b = {0};
            dsp_tree_open(&b, &t, q, nq);
            assert_false(b.bad);
            assert_int_equal(b.len, nq * (16 + W) + 32 * dsp_tree_siblings(n, q, nq, scratch));
            dsp_buf_u8(&b, 1); /* a byte of what follows in the proof */
            assert_true(check(&b, b.len, n, DSP_TREE_M, &t.root, q, nq, &bad, &left));
            assert_int_equal(left, 1);
            assert_false(check(&b, b.len, n, DSP_TREE_A, &t.root, q, nq, &bad, &left)); /* kind is in the leaf */
            assert_false(bad);
            const size_t cut = (size_t)(test_next(&s) % (b.len - 1));
            assert_false(check(&b, cut, n, DSP_TREE_M, &t.root, q, nq, &bad, &left));
            assert_true(bad);
            assert_false(check(&b, b.len - 2, n, DSP_TREE_M, &t.root, q, nq, &bad, &left));
            assert_true(bad);
            for (int k = 0; k < 8; k++) {
                const size_t at = (size_t)(test_next(&s) % (b.len - 1));
                b.p[at] ^= 4;
                assert_false(check(&b, b.len, n, DSP_TREE_M, &t.root, q, nq, &bad, &left));
                b.p[at] ^= 4;
            }
            if (n > 1 && nq < n) { /* another position */
                uint32_t *last = &q[nq - 1];
                const uint32_t was = *last;
                if (was + 1 < n) {
                    *last = was ^ 1;
                    if (nq < 2 || *last > q[nq - 2])
                        assert_false(check(&b, b.len, n, DSP_TREE_M, &t.root, q, nq, &bad, &left));
                    *last = was;
                }
            }
            dsp_buf_release(&b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(roots), cmocka_unit_test(openings)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
