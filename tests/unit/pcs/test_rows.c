/* Rows, columns and the pad tableau: columns hold what evaluation of the rows gives; the tableau's answers are what the
 * openings say they are, its blinding rows vanish where they must, and equal inputs give equal bytes for every number of threads. */
#include "base/size.h"
#include "pcs/code.h"
#include "pcs/pad.h"
#include "unit/field_values.h"

static uint64_t seed = 3;

static dsp_fe value(const dsp_fe *c, size_t n, dsp_fe x)
{
    dsp_fe v = {0};
    while (n-- > 0)
        v = dsp_fe_add(dsp_fe_mul(v, x), c[n]);
    return v;
}
static dsp_ke value_ke(const dsp_ke *c, size_t n, dsp_fe x)
{
    dsp_ke v = dsp_ke_zero();
    while (n-- > 0)
        v = dsp_ke_add(dsp_ke_scale(v, x), c[n]);
    return v;
}

static void columns(void **state)
{
    (void)state;
    enum { M = 6, N = 1 << M, ROWS = 19, WIDTH = 8 * ROWS + 24 };
    dsp_arena *a = dsp_arena_create(0);
    dsp_pool  *pool = dsp_pool_create(3);
    dsp_ntt   *ntt = dsp_ntt_create(M + 1);
    dsp_err    err;
    dsp_row    row[ROWS];
    uint8_t   *one = DSP_ARENA_N(a, uint8_t, N * WIDTH), *two = DSP_ARENA_N(a, uint8_t, N * WIDTH);
    assert_true(a && pool && ntt && one && two);
    for (size_t i = 0; i < ROWS; i++) {
        const size_t n = i * 4 % (N + 1);
        dsp_fe      *c = DSP_ARENA_N(a, dsp_fe, N);
        for (size_t k = 0; k < n; k++)
            c[k] = test_fe(&seed);
        row[i] = (dsp_row){c, n};
    }
    assert_int_equal(dsp_code_columns(one, WIDTH, row, ROWS, ntt, M, a, NULL, &err), DSP_OK);
    assert_int_equal(dsp_code_columns(two, WIDTH, row, ROWS, ntt, M, a, pool, &err), DSP_OK);
    assert_memory_equal(one, two, N * WIDTH);
    dsp_fe x = {1};
    for (size_t q = 0; q < N; q++, x = dsp_fe_mul(x, dsp_fe_root(N))) {
        for (size_t i = 0; i < ROWS; i++) {
            dsp_fe v = {0};
            assert_true(dsp_fe_read(&v, one + q * WIDTH + 8 * i));
            assert_true(dsp_fe_eq(v, value(row[i].coef, row[i].n, x)));
        }
        for (size_t i = 8 * ROWS; i < WIDTH; i++) /* the rest of a column is left alone */
            assert_int_equal(one[q * WIDTH + i], 0);
    }
    dsp_ntt_free(ntt);
    dsp_pool_free(pool);
    dsp_arena_free(a);
}

static void placed(void **state)
{
    (void)state;
    enum { WIDTH = 8, STRIDE = 11, ROWS = 16 };
    const uint32_t dims[3] = {3, 2, 3}; /* padded to 4 x 2 x 4 */
    int64_t        cells[18];
    dsp_fe         rows[ROWS * STRIDE], again[ROWS * STRIDE], fe[18];
    memset(rows, 0, sizeof rows);
    memset(again, 0, sizeof again);
    for (int i = 0; i < 18; i++) {
        cells[i] = i % 2 ? -i - 1 : i + 1;
        fe[i] = dsp_fe_from_i64(cells[i]);
    }
    dsp_code_place(rows, STRIDE, WIDTH, 32, dims, cells);
    dsp_code_place_fe(again, STRIDE, WIDTH, 32, dims, fe);
    assert_memory_equal(rows, again, sizeof rows);
    size_t seen = 0;
    for (uint32_t c = 0; c < 3; c++)
        for (uint32_t y = 0; y < 2; y++)
            for (uint32_t x = 0; x < 3; x++) {
                const size_t i = 32 + ((c * 2 + y) * 4 + x);
                assert_true(dsp_fe_eq(rows[i / WIDTH * STRIDE + i % WIDTH], fe[(c * 2 + y) * 3 + x]));
            }
    for (size_t i = 0; i < ROWS * STRIDE; i++)
        seen += rows[i].v != 0;
    assert_int_equal(seen, 18);
}

static void pads(void **state)
{
    (void)state;
    enum { K = 16, N = 64, T = 5, W = K - T, VALUES = 25, PROD = 13 };
    const dsp_pad_shape shape = {K, N, T, (VALUES + PROD + W - 1) / W, (PROD + W - 1) / W, 3 + (VALUES + PROD + W - 1) / W + 3 * ((PROD + W - 1) / W)};
    const uint32_t      rows = shape.n_rows - 3;
    dsp_arena          *a = dsp_arena_create(0);
    dsp_ntt            *ntt = dsp_ntt_create(6);
    dsp_err             err;
    dsp_rand            rnd;
    dsp_pad_rows        p, again;
    const uint8_t       secret[32] = {9};
    dsp_pool           *pool = dsp_pool_create(2);
    dsp_ke v[VALUES + PROD], x[PROD], y[PROD], z[PROD], u[16], uq[8], ldt[K], dot[2 * K], q[2 * K], h[K];
    dsp_ke *A = DSP_ARENA_N(a, dsp_ke, (size_t)rows * W);
    assert_true(a && ntt && pool && A && rows <= 16 && shape.nq <= 8);
    dsp_rand_begin(&rnd, secret);
    dsp_rand_end(&rnd);
    for (size_t i = 0; i < VALUES; i++)
        v[i] = test_ke(&seed);
    for (size_t i = 0; i < PROD; i++) {
        x[i] = v[i];
        y[i] = v[i + 7];
        z[i] = v[VALUES + i] = dsp_ke_mul(x[i], y[i]);
    }
    assert_int_equal(dsp_pad_commit(&p, a, &shape, ntt, NULL, &rnd, v, VALUES + PROD, x, y, z, PROD, &err), DSP_OK);
    assert_int_equal(dsp_pad_commit(&again, a, &shape, ntt, pool, &rnd, v, VALUES + PROD, x, y, z, PROD, &err), DSP_OK);
    assert_true(dsp_digest_eq(&p.tree.root, &again.tree.root));
    assert_int_equal(p.drawn, 2 * T * rows + 2 * K + 2 * (2 * K - 1) + 2 * T + 2 * (K - 1) + N);
    /* slots of the variable rows, blinding rows */
    for (uint32_t i = 0; i < rows; i++) {
        const dsp_ke *src[4] = {v, x, y, z};
        const uint32_t e = i < shape.nw ? 0 : 1 + (i - shape.nw) / shape.nq, at = i < shape.nw ? i : (i - shape.nw) % shape.nq;
        const size_t   n = e ? PROD : VALUES + PROD;
        dsp_pad_on_h(h, p.row + (size_t)i * K, K, K, ntt);
        for (size_t s = 0; s < W; s++)
            assert_true(dsp_ke_eq(h[T + s], at * W + s < n ? src[e][at * W + s] : dsp_ke_zero()));
    }
    assert_true(dsp_ke_is_zero(dsp_pad_slot_sum(p.dot, 2 * K - 1, K, T, ntt, h)));
    dsp_pad_on_h(h, p.quad, 2 * K - 1, K, ntt);
    for (size_t s = T; s < K; s++)
        assert_true(dsp_ke_is_zero(h[s]));
    /* answers */
    dsp_ke sum = dsp_ke_zero();
    for (uint32_t i = 0; i < rows; i++) {
        u[i] = test_ke(&seed);
        dsp_pad_on_h(h, p.row + (size_t)i * K, K, K, ntt);
        for (size_t s = 0; s < W; s++) {
            A[(size_t)i * W + s] = test_ke(&seed);
            sum = dsp_ke_add(sum, dsp_ke_mul(A[(size_t)i * W + s], h[T + s]));
        }
    }
    for (uint32_t j = 0; j < shape.nq; j++)
        uq[j] = test_ke(&seed);
    assert_int_equal(dsp_pad_answer(ldt, dot, q, &p, u, A, uq, a, &err), DSP_OK);
    assert_true(dsp_ke_eq(dsp_pad_slot_sum(dot, 2 * K - 1, K, T, ntt, h), sum));
    dsp_pad_on_h(h, q, 2 * K - 1, K, ntt);
    for (size_t s = T; s < K; s++)
        assert_true(dsp_ke_is_zero(h[s]));
    dsp_fe pt = {7};
    for (size_t c = 0; c < N; c++, pt = dsp_fe_mul(pt, dsp_fe_root(N))) {
        dsp_ke col[19] = {{{0}, {0}}}, l, d, g;
        for (uint32_t i = 0; i < shape.n_rows; i++)
            assert_true(dsp_ke_read(&col[i], p.tree.cols + c * p.tree.width + 16 * i));
        l = col[0];
        d = col[1];
        g = col[2];
        for (uint32_t i = 0; i < rows; i++) {
            dsp_ke poly[K];
            memset(poly, 0, sizeof poly);
            memcpy(poly + T, A + (size_t)i * W, W * sizeof *poly);
            dsp_ntt_inverse_ke(ntt, poly, 4);
            l = dsp_ke_add(l, dsp_ke_mul(u[i], col[3 + i]));
            d = dsp_ke_add(d, dsp_ke_mul(value_ke(poly, K, pt), col[3 + i]));
        }
        for (uint32_t j = 0; j < shape.nq; j++) {
            const dsp_ke *X = col + 3 + shape.nw;
            g = dsp_ke_add(g, dsp_ke_mul(uq[j], dsp_ke_sub(X[2 * shape.nq + j], dsp_ke_mul(X[j], X[shape.nq + j]))));
        }
        assert_true(dsp_ke_eq(l, value_ke(ldt, K, pt)) && dsp_ke_eq(d, value_ke(dot, 2 * K - 1, pt)) && dsp_ke_eq(g, value_ke(q, 2 * K - 1, pt)));
    }
    dsp_pool_free(pool);
    dsp_ntt_free(ntt);
    dsp_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns), cmocka_unit_test(placed), cmocka_unit_test(pads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
