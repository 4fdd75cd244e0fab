#include "unit/field_values.h"

/* The definition: __int128 remainders. */
static uint64_t mul_mod(uint64_t x, uint64_t y) { return (uint64_t)((dsp_u128)x * y % DSP_P); }
static uint64_t add_mod(uint64_t x, uint64_t y) { return (uint64_t)(((dsp_u128)x + y) % DSP_P); }
static uint64_t sub_mod(uint64_t x, uint64_t y) { return (uint64_t)(((dsp_u128)x + DSP_P - y) % DSP_P); }

static void one_pair(uint64_t x, uint64_t y)
{
    const dsp_fe a = {x}, b = {y};
    assert_true(dsp_fe_add(a, b).v == add_mod(x, y));
    assert_true(dsp_fe_sub(a, b).v == sub_mod(x, y));
    assert_true(dsp_fe_mul(a, b).v == mul_mod(x, y));
    assert_true(dsp_fe_neg(a).v == sub_mod(0, x));
}

static void four_operations(void **state)
{
    (void)state;
    uint64_t s = 1;
    for (size_t i = 0; i < N_FIELD_EDGES; i++)
        for (size_t j = 0; j < N_FIELD_EDGES; j++)
            one_pair(field_edges[i], field_edges[j]);
    for (int i = 0; i < 200000; i++) {
        const uint64_t x = test_fe(&s).v, y = test_fe(&s).v;
        one_pair(x, y);
    }
}

static void reduction(void **state)
{
    (void)state;
    uint64_t s = 2;
    for (int i = 0; i < 200000; i++) {
        uint64_t hi = test_next(&s), lo = test_next(&s);
        if (i % 3 == 0)
            hi = UINT64_MAX << hi % 64;
        if (i % 5 == 0)
            lo = UINT64_MAX >> lo % 64;
        if (i % 7 == 0)
            lo = field_edges[lo % N_FIELD_EDGES] + (hi % 3);
        const dsp_u128 x = (dsp_u128)hi << 64 | lo;
        assert_true(dsp_fe_reduce128(x).v == (uint64_t)(x % DSP_P));
        assert_true(dsp_fe_from_u64(lo).v == lo % DSP_P);
    }
}

static void signed_numbers(void **state)
{
    (void)state;
    static const int64_t v[] = {0, 1, -1, 7, -7, INT64_MAX, INT64_MIN, INT64_MIN + 1, INT32_MIN, -(INT64_C(1) << 32), 1 - (INT64_C(1) << 32)};
    uint64_t s = 3;
    for (size_t i = 0; i < 10000; i++) {
        const int64_t  x = i < sizeof v / sizeof v[0] ? v[i] : (int64_t)(test_next(&s) >> i % 60) * (i % 2 ? 1 : -1);
        const dsp_i128 r = ((dsp_i128)x % (dsp_i128)DSP_P + (dsp_i128)DSP_P) % (dsp_i128)DSP_P;
        assert_true(dsp_fe_from_i64(x).v == (uint64_t)r);
    }
}

static void one_product(dsp_ke x, dsp_ke y)
{
    const uint64_t a = add_mod(mul_mod(x.a.v, y.a.v), mul_mod(7, mul_mod(x.b.v, y.b.v)));
    const uint64_t b = add_mod(mul_mod(x.a.v, y.b.v), mul_mod(x.b.v, y.a.v));
    const dsp_ke   z = dsp_ke_mul(x, y);
    assert_true(z.a.v == a && z.b.v == b);
}

static void extension(void **state)
{
    (void)state;
    uint64_t s = 4;
    for (size_t i = 0; i < N_FIELD_EDGES; i++)
        for (size_t j = 0; j < N_FIELD_EDGES; j++)
            for (size_t k = 0; k < N_FIELD_EDGES; k++)
                for (size_t l = 0; l < N_FIELD_EDGES; l += 3)
                    one_product((dsp_ke){{field_edges[i]}, {field_edges[j]}}, (dsp_ke){{field_edges[k]}, {field_edges[l]}});
    for (int i = 0; i < 200000; i++) {
        const dsp_ke x = test_ke(&s), y = test_ke(&s);
        one_product(x, y);
        const dsp_ke sum = dsp_ke_add(x, y), dif = dsp_ke_sub(x, y), neg = dsp_ke_neg(x), mul = dsp_ke_scale(x, y.b);
        assert_true(sum.a.v == add_mod(x.a.v, y.a.v) && sum.b.v == add_mod(x.b.v, y.b.v));
        assert_true(dif.a.v == sub_mod(x.a.v, y.a.v) && dif.b.v == sub_mod(x.b.v, y.b.v));
        assert_true(dsp_ke_is_zero(dsp_ke_add(x, neg)));
        assert_true(mul.a.v == mul_mod(x.a.v, y.b.v) && mul.b.v == mul_mod(x.b.v, y.b.v));
    }
}

static void inverses(void **state)
{
    (void)state;
    uint64_t s = 5;
    assert_true(dsp_fe_is_zero(dsp_fe_inv(DSP_FE_CONST(0))));
    assert_true(dsp_ke_is_zero(dsp_ke_inv(dsp_ke_zero())));
    for (int i = 0; i < 2000; i++) {
        const dsp_fe x = test_fe(&s);
        const dsp_ke y = test_ke(&s);
        if (!dsp_fe_is_zero(x)) {
            assert_true(dsp_fe_mul(x, dsp_fe_inv(x)).v == 1);
            assert_true(dsp_fe_pow(x, DSP_P - 2).v == dsp_fe_inv(x).v);
        }
        if (!dsp_ke_is_zero(y))
            assert_true(dsp_ke_eq(dsp_ke_mul(y, dsp_ke_inv(y)), dsp_ke_one()));
    }
    const dsp_ke x = test_ke(&s);
    dsp_ke       r = dsp_ke_one();
    for (uint64_t e = 0; e < 40; e++, r = dsp_ke_mul(r, x))
        assert_true(dsp_ke_eq(dsp_ke_pow(x, e), r));
}

static void roots(void **state)
{
    (void)state;
    assert_true(dsp_fe_root(1).v == 1);
    for (unsigned m = 1; m <= 32; m++) {
        const uint64_t n = (uint64_t)1 << m;
        const dsp_fe   w = dsp_fe_root(n);
        assert_true(dsp_fe_pow(w, n / 2).v == DSP_P - 1); /* order exactly n */
        assert_true(dsp_fe_mul(w, w).v == dsp_fe_root(n / 2).v);
    }
}

static void bytes(void **state)
{
    (void)state;
    uint8_t  b[16];
    dsp_fe   x = {5};
    dsp_ke   y = {{1}, {2}};
    uint64_t s = 6;
    for (int i = 0; i < 1000; i++) {
        const dsp_ke v = test_ke(&s);
        dsp_ke_write(b, v);
        assert_int_equal(b[9], (uint8_t)(v.b.v >> 8));
        assert_true(dsp_ke_read(&y, b) && dsp_ke_eq(y, v));
        assert_true(dsp_fe_read(&x, b) && dsp_fe_eq(x, v.a));
    }
    static const uint64_t bad[] = {DSP_P, DSP_P + 1, UINT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        const dsp_fe was = {77};
        const dsp_ke kwas = {{1}, {2}};
        x = was;
        y = kwas;
        dsp_fe_write(b, (dsp_fe){3});
        dsp_fe_write(b + 8, (dsp_fe){bad[i]});
        assert_false(dsp_fe_read(&x, b + 8));
        assert_false(dsp_ke_read(&y, b)); /* the second word is refused */
        assert_true(dsp_fe_eq(x, was) && dsp_ke_eq(y, kwas));
        dsp_fe_write(b, (dsp_fe){bad[i]});
        dsp_fe_write(b + 8, (dsp_fe){3});
        assert_false(dsp_ke_read(&y, b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_operations), cmocka_unit_test(reduction), cmocka_unit_test(signed_numbers),
        cmocka_unit_test(extension), cmocka_unit_test(inverses), cmocka_unit_test(roots), cmocka_unit_test(bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
