#include "poly/poly.h"
#include "unit/field_values.h"

static void eq_tables(void **state)
{
    (void)state;
    uint64_t s = 1;
    dsp_ke   z[9] = {{{0}, {0}}}, x[9] = {{{0}, {0}}}, t[513], u[513];
    for (unsigned m = 0; m <= 9; m++) {
        for (unsigned j = 0; j < m; j++)
            z[j] = test_ke(&s);
        const size_t n = (size_t)1 << m;
        dsp_eq_table(t, z, m);
        dsp_ke sum = dsp_ke_zero();
        for (size_t i = 0; i < n; i++) {
            assert_true(dsp_ke_eq(t[i], dsp_eq_index(z, m, i)));
            for (unsigned j = 0; j < m; j++)
                x[j] = dsp_ke_from_i64(i >> (m - 1 - j) & 1);
            assert_true(dsp_ke_eq(t[i], dsp_eq_point(z, x, m)));
            sum = dsp_ke_add(sum, t[i]);
        }
        assert_true(dsp_ke_eq(sum, dsp_ke_one()));
        const dsp_ke guard = {{5}, {6}};
        for (size_t d = 0; d <= n; d++) {
            u[d] = guard;
            dsp_eq_table_cut(u, z, m, d);
            for (size_t i = 0; i < d; i++)
                assert_true(dsp_ke_eq(u[i], t[i]));
            assert_true(dsp_ke_eq(u[d], guard));
        }
    }
}

static void lagrange(void **state)
{
    (void)state;
    uint64_t s = 2;
    for (unsigned d = 0; d <= 3; d++)
        for (int k = 0; k < 50; k++) {
            /* a random polynomial of degree d: its values at 0..d give the value at r */
            dsp_ke c[4], w[4], r = k < 5 ? dsp_ke_from_i64(k) : test_ke(&s), want = dsp_ke_zero(), got = dsp_ke_zero();
            for (unsigned i = 0; i <= d; i++)
                c[i] = test_ke(&s);
            for (unsigned i = d + 1; i-- > 0;)
                want = dsp_ke_add(dsp_ke_mul(want, r), c[i]);
            dsp_lagrange(w, r, d);
            for (unsigned x = 0; x <= d; x++) {
                dsp_ke v = dsp_ke_zero();
                for (unsigned i = d + 1; i-- > 0;)
                    v = dsp_ke_add(dsp_ke_scale(v, dsp_fe_from_i64(x)), c[i]);
                got = dsp_ke_add(got, dsp_ke_mul(w[x], v));
            }
            assert_true(dsp_ke_eq(got, want));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(eq_tables), cmocka_unit_test(lagrange)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
