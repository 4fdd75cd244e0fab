/* Field laws, interpolation, eq tables, folding and transforms over all of F and K of a toy prime. */
#include "field/kernels.h"
#include "poly/poly.h"
#include "transcript/transcript.h"
#include "unit/test.h"

enum { Q = DSP_TOY_P * DSP_TOY_P };

static dsp_ke ke(size_t i) { return (dsp_ke){{i % DSP_TOY_P}, {i / DSP_TOY_P}}; }
static bool   valid(dsp_ke x) { return x.a.v < DSP_P && x.b.v < DSP_P; }

static void base_field(void **state)
{
    (void)state;
    for (uint64_t x = 0; x < DSP_P; x++) {
        const dsp_fe a = {x};
        unsigned     squares = 0;
        for (uint64_t y = 0; y < DSP_P; y++) {
            const dsp_fe b = {y};
            assert_true(dsp_fe_add(a, b).v == (x + y) % DSP_P);
            assert_true(dsp_fe_sub(a, b).v == (x + DSP_P - y) % DSP_P);
            assert_true(dsp_fe_mul(a, b).v == x * y % DSP_P);
            squares += dsp_fe_mul(b, b).v == 7 % DSP_P;
        }
        assert_int_equal(squares, 0); /* 7 is not a square, so K is a field */
        assert_true(dsp_fe_mul(a, dsp_fe_inv(a)).v == (x != 0));
        assert_true(dsp_fe_neg(a).v == (DSP_P - x) % DSP_P);
    }
    for (int64_t i = -100; i <= 100; i++)
        assert_true(dsp_fe_from_i64(i).v == (uint64_t)((i + 1300 * 17) % (int64_t)DSP_P));
}

static void extension_field(void **state)
{
    (void)state;
    unsigned units = 0;
    for (size_t i = 0; i < Q; i++) {
        const dsp_ke x = ke(i);
        assert_true(dsp_ke_eq(dsp_ke_mul(x, dsp_ke_one()), x));
        assert_true(dsp_ke_is_zero(dsp_ke_add(x, dsp_ke_neg(x))));
        assert_true(dsp_ke_eq(dsp_ke_pow(x, Q), x));
        units += dsp_ke_eq(dsp_ke_mul(x, dsp_ke_inv(x)), dsp_ke_one());
        for (size_t j = 0; j < Q; j++) {
            const dsp_ke y = ke(j), xy = dsp_ke_mul(x, y), s = dsp_ke_add(x, y);
            assert_true(valid(xy) && valid(s));
            assert_true(dsp_ke_eq(xy, dsp_ke_mul(y, x)));
            assert_true(dsp_ke_eq(dsp_ke_sub(s, y), x));
            assert_true(xy.a.v == (x.a.v * y.a.v + 7 * x.b.v * y.b.v) % DSP_P);
            assert_true(xy.b.v == (x.a.v * y.b.v + x.b.v * y.a.v) % DSP_P);
            for (size_t k = 0; k < Q; k += 1 + k % 3) {
                const dsp_ke z = ke(k);
                if (!dsp_ke_eq(dsp_ke_mul(xy, z), dsp_ke_mul(x, dsp_ke_mul(y, z))))
                    fail_msg("not associative at %zu %zu %zu", i, j, k);
                if (!dsp_ke_eq(dsp_ke_mul(s, z), dsp_ke_add(dsp_ke_mul(x, z), dsp_ke_mul(y, z))))
                    fail_msg("not distributive at %zu %zu %zu", i, j, k);
            }
        }
    }
    assert_int_equal(units, Q - 1);
}

/* At every r: the weights reproduce x^e, e <= d, and are the indicator at the nodes. */
static void lagrange(void **state)
{
    (void)state;
    for (unsigned d = 0; d <= 3; d++)
        for (size_t i = 0; i < Q; i++) {
            const dsp_ke r = ke(i);
            dsp_ke       w[4];
            dsp_lagrange(w, r, d);
            for (unsigned e = 0; e <= d; e++) {
                dsp_ke v = dsp_ke_zero();
                for (unsigned x = 0; x <= d; x++)
                    v = dsp_ke_add(v, dsp_ke_scale(w[x], dsp_fe_pow(dsp_fe_from_i64(x), e)));
                assert_true(dsp_ke_eq(v, dsp_ke_pow(r, e)));
            }
            for (unsigned x = 0; x <= d && i <= d; x++)
                assert_true(dsp_ke_eq(w[x], dsp_ke_from_i64(x == i)));
        }
}

static void eq_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < Q; i++)
        for (size_t j = 0; j < Q; j++) {
            const dsp_ke z[2] = {ke(i), ke(j)}, one = dsp_ke_one();
            const dsp_ke c0 = dsp_ke_sub(one, z[0]), c1 = dsp_ke_sub(one, z[1]);
            const dsp_ke want[4] = {dsp_ke_mul(c0, c1), dsp_ke_mul(c0, z[1]), dsp_ke_mul(z[0], c1), dsp_ke_mul(z[0], z[1])};
            dsp_ke       t[4];
            dsp_eq_table(t, z, 2);
            for (size_t k = 0; k < 4; k++) {
                const dsp_ke x[2] = {dsp_ke_from_i64((int64_t)k >> 1), dsp_ke_from_i64(k & 1)};
                assert_true(dsp_ke_eq(t[k], want[k]));
                assert_true(dsp_ke_eq(dsp_eq_index(z, 2, k), want[k]));
                assert_true(dsp_ke_eq(dsp_eq_point(z, x, 2), want[k]));
            }
            /* one coordinate, both arguments arbitrary */
            assert_true(dsp_ke_eq(dsp_eq_point(z, z + 1, 1), dsp_ke_add(dsp_ke_mul(z[0], z[1]), dsp_ke_mul(c0, c1))));
        }
}

/* Folding a table at r is its multilinear extension: (1 - r) lo + r hi. */
static void folding(void **state)
{
    (void)state;
    const dsp_field_kernels *k = dsp_field_kernels_all();
    static dsp_ke            lo[Q], hi[Q], out[Q];
    for (size_t r = 0; r < Q; r++)
        for (size_t i = 0; i < Q; i++) {
            for (size_t j = 0; j < Q; j++) {
                lo[j] = ke(i);
                hi[j] = ke(j);
            }
            k->ke_fold(out, lo, hi, Q, ke(r));
            const dsp_ke a = dsp_ke_mul(dsp_ke_sub(dsp_ke_one(), ke(r)), ke(i));
            for (size_t j = 0; j < Q; j++)
                if (!dsp_ke_eq(out[j], dsp_ke_add(a, dsp_ke_mul(ke(r), ke(j)))))
                    fail_msg("fold of %zu, %zu at %zu", i, j, r);
        }
}

static void transforms(void **state)
{
    (void)state;
    unsigned m = 0;
    while ((DSP_P - 1) % ((uint64_t)2 << m) == 0)
        m++;
    dsp_ntt *t = dsp_ntt_create(m);
    assert_non_null(t);
    assert_null(dsp_ntt_create(m + 1));
    /* both coordinates at once over every polynomial of two coefficients in K, padded to length 4 */
    for (size_t i = 0; i < Q; i++)
        for (size_t j = 0; j < Q; j++) {
            const dsp_ke c[2] = {ke(i), ke(j)};
            dsp_ke       v[4];
            dsp_rs_encode_ke(t, v, 2, c, 2, (dsp_fe){7});
            for (uint64_t q = 0; q < 4; q++) {
                const dsp_fe x = dsp_fe_mul((dsp_fe){7}, dsp_fe_pow(dsp_fe_root(4), q));
                assert_true(dsp_ke_eq(v[q], dsp_ke_add(c[0], dsp_ke_scale(c[1], x))));
            }
            dsp_ke w[4] = {c[0], c[1], dsp_ke_zero(), dsp_ke_one()};
            dsp_ntt_forward_ke(t, w, 2);
            dsp_ntt_inverse_ke(t, w, 2);
            assert_true(dsp_ke_eq(w[0], c[0]) && dsp_ke_eq(w[1], c[1]) && dsp_ke_is_zero(w[2]) && dsp_ke_eq(w[3], dsp_ke_one()));
        }
    dsp_ntt_free(t);
}

/* Drawing ends and reaches every element. */
static void sampling(void **state)
{
    (void)state;
    static dsp_ke  v[20 * Q];
    static bool    hit[Q];
    dsp_transcript t;
    dsp_rand       r;
    const uint8_t  secret[32] = {1};
    dsp_transcript_init(&t);
    dsp_squeeze(&t, DSP_Q_RHO, v, 20 * Q);
    for (int round = 0; round < 2; round++) {
        memset(hit, 0, sizeof hit);
        for (size_t i = 0; i < 20 * Q; i++) {
            assert_true(valid(v[i]));
            hit[v[i].a.v + DSP_TOY_P * v[i].b.v] = true;
        }
        for (size_t i = 0; i < Q; i++)
            assert_true(hit[i]);
        dsp_rand_begin(&r, secret);
        dsp_rand_end(&r);
        dsp_rand_ke(&r, v, 20 * Q, DSP_L_PAD, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base_field), cmocka_unit_test(extension_field), cmocka_unit_test(lagrange), cmocka_unit_test(eq_tables),
        cmocka_unit_test(folding), cmocka_unit_test(transforms), cmocka_unit_test(sampling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
