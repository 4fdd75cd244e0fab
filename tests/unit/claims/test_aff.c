/* Linear combinations of affine forms: structure and values. */
#include "unit/test.h"

#include "claims/aff.h"

static dsp_ke k(int64_t a, int64_t b) { return (dsp_ke){dsp_fe_from_i64(a), dsp_fe_from_i64(b)}; }

static void test_sorted_and_empty_after(void **state)
{
    (void)state;
    dsp_arena *a = dsp_arena_create(0);
    dsp_acc    s;
    dsp_aff    f, g;
    assert_int_equal(dsp_acc_init(&s, a, 100, NULL), DSP_OK);
    for (uint32_t n = 3; n <= 100; n += 97) /* by insertion, by the flags */
    {
        for (uint32_t i = 0; i < n; i++)
            dsp_acc_var(&s, (i * 37 + 5) % 100, k(i, 1));
        dsp_acc_const(&s, k(9, 9));
        assert_int_equal(dsp_acc_take(&f, &s, a, NULL), DSP_OK);
        assert_int_equal(f.n, n);
        for (uint32_t i = 1; i < n; i++)
            assert_true(f.var[i - 1] < f.var[i]);
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < n; j++)
                if (f.var[j] == (i * 37 + 5) % 100)
                    assert_true(dsp_ke_eq(f.coef[j], k(i, 1)));
        assert_int_equal(dsp_acc_take(&g, &s, a, NULL), DSP_OK);
        assert_int_equal(g.n, 0);
        assert_true(dsp_ke_is_zero(g.c));
    }
    dsp_arena_free(a);
}

static void test_presence_is_structural(void **state)
{
    (void)state;
    dsp_arena *a = dsp_arena_create(0);
    dsp_acc    s;
    dsp_aff    f, g;
    assert_int_equal(dsp_acc_init(&s, a, 10, NULL), DSP_OK);
    dsp_acc_var(&s, 7, k(2, 3));
    dsp_acc_var(&s, 7, k(-2, -3)); /* cancels, stays present */
    dsp_acc_var(&s, 1, k(4, 0));
    dsp_acc_const(&s, k(5, 0));
    assert_int_equal(dsp_acc_take(&f, &s, a, NULL), DSP_OK);
    assert_int_equal(f.n, 2);
    assert_true(dsp_ke_is_zero(f.coef[1]));
    dsp_acc_aff(&s, &f, dsp_ke_zero());
    assert_int_equal(dsp_acc_take(&g, &s, a, NULL), DSP_OK);
    assert_int_equal(g.n, 2);
    dsp_acc_aff(&s, &f, k(0, 1));
    dsp_acc_aff(&s, &f, k(3, 0));
    assert_int_equal(dsp_acc_take(&g, &s, a, NULL), DSP_OK);
    assert_true(dsp_ke_eq(g.c, k(15, 5)) && dsp_ke_eq(g.coef[0], k(12, 4)) && g.var[0] == 1 && g.var[1] == 7);
    dsp_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sorted_and_empty_after), cmocka_unit_test(test_presence_is_structural)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
