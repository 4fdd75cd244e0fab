/* Transforms and codes against evaluation by Horner's rule. */
#include "poly/poly.h"
#include "unit/field_values.h"

enum { TOP = 11, BIG = 14 };

static dsp_fe horner(const dsp_fe *c, size_t n, dsp_fe x)
{
    dsp_fe r = {0};
    while (n-- > 0)
        r = dsp_fe_add(dsp_fe_mul(r, x), c[n]);
    return r;
}

static dsp_fe f[1 << BIG], g[1 << BIG], h[1 << BIG];
static dsp_ke k[1 << BIG], l[1 << BIG];

static void forward_and_back(void **state)
{
    const dsp_ntt *t = *state;
    uint64_t       s = 1;
    for (unsigned m = 0; m <= BIG; m++) {
        const size_t n = (size_t)1 << m, step = n > 512 ? 61 : 1;
        const dsp_fe w = dsp_fe_root(n);
        for (int worst = 0; worst < 2; worst++) {
            for (size_t i = 0; i < n; i++) {
                f[i] = g[i] = worst ? (dsp_fe){DSP_P - 1} : test_fe(&s);
                k[i] = (dsp_ke){f[i], test_fe(&s)};
                h[i] = k[i].b;
                l[i] = k[i];
            }
            dsp_ntt_forward(t, g, m);
            for (size_t q = 0; q < n; q += step)
                assert_true(dsp_fe_eq(g[q], horner(f, n, dsp_fe_pow(w, q))));
            dsp_ntt_forward_ke(t, l, m);
            dsp_ntt_forward(t, h, m);
            for (size_t q = 0; q < n; q++)
                assert_true(dsp_fe_eq(l[q].a, g[q]) && dsp_fe_eq(l[q].b, h[q]));
            dsp_ntt_inverse(t, g, m);
            dsp_ntt_inverse_ke(t, l, m);
            for (size_t q = 0; q < n; q++)
                assert_true(dsp_fe_eq(f[q], g[q]) && dsp_ke_eq(k[q], l[q]));
        }
    }
}

static void codes(void **state)
{
    const dsp_ntt *t = *state;
    uint64_t       s = 2;
    static const uint64_t coset[] = {1, 7, 49};
    for (unsigned m = 0; m <= TOP; m++) {
        const size_t n = (size_t)1 << m;
        const dsp_fe w = dsp_fe_root(n);
        for (int c = 0; c < 12; c++) {
            const size_t n_coef = c == 0 ? 0 : c == 1 ? n : c == 2 ? n / 2 : c == 3 ? n / 4 : c == 4 ? n / 4 + 1
                                : c == 5 ? n / 8 : c == 6 ? 1 : (size_t)(test_next(&s) % (n + 1));
            const dsp_fe x = {coset[c % 3]};
            for (size_t i = 0; i < n_coef; i++) {
                f[i] = test_fe(&s);
                k[i] = (dsp_ke){test_fe(&s), f[i]};
            }
            for (size_t i = 0; i < n; i++) {
                g[i] = (dsp_fe){DSP_P - 1}; /* what was there does not matter */
                l[i] = (dsp_ke){{3}, {4}};
            }
            dsp_rs_encode(t, g, m, f, n_coef, x);
            dsp_rs_encode_ke(t, l, m, k, n_coef, x);
            for (size_t i = 0; i < n_coef; i++)
                h[i] = k[i].a;
            for (size_t q = 0; q < n; q += n > 256 ? 37 : 1) {
                const dsp_fe at = dsp_fe_mul(x, dsp_fe_pow(w, q));
                assert_true(dsp_fe_eq(g[q], horner(f, n_coef, at)));
                assert_true(dsp_fe_eq(l[q].b, g[q]));
                assert_true(dsp_fe_eq(l[q].a, horner(h, n_coef, at)));
            }
        }
    }
}

static void limits(void **state)
{
    (void)state;
    assert_null(dsp_ntt_create(33)); /* p - 1 = 2^32 (2^32 - 1) */
    dsp_ntt *t = dsp_ntt_create(0);
    dsp_fe   x = {9};
    assert_non_null(t);
    dsp_ntt_forward(t, &x, 0);
    dsp_ntt_inverse(t, &x, 0);
    assert_true(x.v == 9);
    dsp_ntt_free(t);
    dsp_ntt_free(NULL);
}

int main(void)
{
    dsp_ntt *t = dsp_ntt_create(BIG);
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(forward_and_back, t), cmocka_unit_test_prestate(codes, t),
                                       cmocka_unit_test(limits)};
    const int r = t ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    dsp_ntt_free(t);
    return r;
}
