/* The prover's sumchecks against their definitions: round values by brute force over the cube, running claims, final values, with
 * and without threads. */
#include "base/cpu.h"
#include "proto/batched.h"
#include "proto/fraction.h"
#include "proto/inner.h"
#include "unit/field_values.h"

static uint64_t seed = 5;

static const dsp_field_kernels *fk(void) { return dsp_field_kernels_best(dsp_cpu_bits()); }

static dsp_ke at012(const dsp_ke s[3], dsp_ke r) /* polynomial of degree 2 */
{
    dsp_ke w[3], v = dsp_ke_zero();
    dsp_lagrange(w, r, 2);
    for (int i = 0; i < 3; i++)
        v = dsp_ke_add(v, dsp_ke_mul(w[i], s[i]));
    return v;
}

static dsp_ke at0123(const dsp_ke s[4], dsp_ke r)
{
    dsp_ke w[4], v = dsp_ke_zero();
    dsp_lagrange(w, r, 3);
    for (int i = 0; i < 4; i++)
        v = dsp_ke_add(v, dsp_ke_mul(w[i], s[i]));
    return v;
}

/* sum over the cube of eq(z, i) v[i]: the extension at z. */
static dsp_ke extension(const dsp_ke *v, const dsp_ke *z, unsigned m)
{
    dsp_ke s = dsp_ke_zero();
    for (size_t i = 0; i < (size_t)1 << m; i++)
        s = dsp_ke_add(s, dsp_ke_mul(dsp_eq_index(z, m, i), v[i]));
    return s;
}

/* ---- fractions ---- */

static void fractions(unsigned nu, dsp_pool *pool)
{
    const size_t n = (size_t)1 << nu;
    dsp_arena   *a = dsp_arena_create(0);
    dsp_err      err;
    dsp_fraction f;
    assert_int_equal(dsp_fraction_init(&f, a, nu, fk(), &err), DSP_OK);
    dsp_ke *p = DSP_ARENA_N(a, dsp_ke, 2 * n), *q = DSP_ARENA_N(a, dsp_ke, 2 * n); /* layer j at 2^j */
    for (size_t i = 0; i < n; i++) {
        f.leaf_p[i] = test_fe(&seed);
        f.leaf_q[i] = test_ke(&seed);
        p[n + i] = dsp_ke_from(f.leaf_p[i]);
        q[n + i] = f.leaf_q[i];
    }
    for (unsigned j = nu; j-- > 0;)
        for (size_t i = 0, h = (size_t)1 << j; i < h; i++) {
            const size_t lo = 2 * h + i, hi = 3 * h + i;
            p[h + i] = dsp_ke_add(dsp_ke_mul(p[lo], q[hi]), dsp_ke_mul(p[hi], q[lo]));
            q[h + i] = dsp_ke_mul(q[lo], q[hi]);
        }
    dsp_fraction_build(&f, pool);
    assert_true(dsp_ke_eq(dsp_fraction_top(&f), p[1]));
    dsp_ke xi[32], rho[32], P = p[1], Q = q[1];
    for (unsigned j = 1; j <= nu; j++) {
        const size_t h = (size_t)1 << (j - 1);
        const dsp_ke lambda = j == 1 ? dsp_ke_zero() : test_ke(&seed);
        dsp_ke       v[4], claim = dsp_ke_add(P, dsp_ke_mul(lambda, Q));
        dsp_fraction_layer(&f, j, xi, lambda);
        for (unsigned t = 0; t + 1 < j; t++) {
            dsp_ke s[2], all[3];
            dsp_fraction_round(&f, s, pool);
            all[0] = s[0];
            all[2] = s[1];
            /* claim = (1 - xi_t) s(0) + xi_t s(1) */
            all[1] = dsp_ke_mul(dsp_ke_sub(claim, dsp_ke_mul(dsp_ke_sub(dsp_ke_one(), xi[t]), s[0])), dsp_ke_inv(xi[t]));
            rho[t] = test_ke(&seed);
            claim = at012(all, rho[t]);
            dsp_fraction_bind(&f, rho[t], pool);
        }
        dsp_fraction_values(&f, v);
        const dsp_ke *child[4] = {p + 2 * h, p + 3 * h, q + 2 * h, q + 3 * h};
        for (int i = 0; i < 4; i++)
            assert_true(dsp_ke_eq(v[i], extension(child[i], rho, j - 1)));
        if (j > 1)
            assert_true(dsp_ke_eq(claim, dsp_ke_add(dsp_ke_add(dsp_ke_mul(v[0], v[3]), dsp_ke_mul(v[1], v[2])),
                                                    dsp_ke_mul(lambda, dsp_ke_mul(v[2], v[3])))));
        const dsp_ke mu = test_ke(&seed);
        P = dsp_ke_add(v[0], dsp_ke_mul(mu, dsp_ke_sub(v[1], v[0])));
        Q = dsp_ke_add(v[2], dsp_ke_mul(mu, dsp_ke_sub(v[3], v[2])));
        for (unsigned t = j; t-- > 1;)
            xi[t] = rho[t - 1];
        xi[0] = mu;
        for (unsigned t = 0; t < j; t++)
            if (dsp_ke_is_zero(xi[t]))
                xi[t] = dsp_ke_one(), P = extension(p + 2 * h, xi, j), Q = extension(q + 2 * h, xi, j);
        assert_true(dsp_ke_eq(P, extension(p + 2 * h, xi, j)) && dsp_ke_eq(Q, extension(q + 2 * h, xi, j)));
    }
    dsp_arena_free(a);
}

static void fraction_tree(void **state)
{
    (void)state;
    dsp_pool *pool = dsp_pool_create(3);
    for (unsigned nu = 1; nu <= 9; nu++)
        fractions(nu, NULL);
    fractions(14, NULL);
    fractions(14, pool);
    dsp_pool_free(pool);
}

/* ---- inner product ---- */

static void inner_one(unsigned m, size_t live)
{
    dsp_arena *a = dsp_arena_create(0);
    dsp_err    err;
    dsp_inner  s;
    const size_t n = (size_t)1 << m;
    assert_int_equal(dsp_inner_init(&s, a, m, live, fk(), &err), DSP_OK);
    dsp_ke *F = DSP_ARENA_N(a, dsp_ke, n), *W = DSP_ARENA_N(a, dsp_ke, n), claim = dsp_ke_zero(), r[16];
    for (size_t i = 0; i < live; i++) {
        s.F[i] = test_fe(&seed);
        s.W[i] = test_ke(&seed);
        F[i] = dsp_ke_from(s.F[i]);
        W[i] = s.W[i];
        claim = dsp_ke_add(claim, dsp_ke_mul(F[i], W[i]));
    }
    for (unsigned t = 0; t < m; t++) {
        dsp_ke v[2], all[3];
        dsp_inner_round(&s, v);
        all[0] = v[0];
        all[1] = dsp_ke_sub(claim, v[0]);
        all[2] = v[1];
        r[t] = test_ke(&seed);
        claim = at012(all, r[t]);
        dsp_inner_bind(&s, r[t]);
    }
    const dsp_ke f = extension(F, r, m), w = extension(W, r, m);
    assert_true(dsp_ke_eq(claim, dsp_ke_mul(f, w)));
    assert_true(dsp_ke_eq(w, s.W[0]));
    dsp_arena_free(a);
}

static void inner(void **state)
{
    (void)state;
    for (unsigned m = 0; m <= 7; m++)
        for (size_t live = 1; live <= (size_t)1 << m; live++)
            inner_one(m, live);
    inner_one(12, 2049);
    inner_one(12, 3000);
}

/* ---- batched ---- */

static void batched_one(unsigned m, unsigned degree, const unsigned *v, const bool *zero, size_t n)
{
    dsp_arena  *a = dsp_arena_create(0);
    dsp_err     err;
    dsp_batched b;
    dsp_ke      tau[12], r[12], claim = dsp_ke_zero(), coef[8], *t1[8], *t2[8];
    assert_int_equal(dsp_batched_init(&b, a, m, degree, n, fk(), &err), DSP_OK);
    for (unsigned i = 0; i < m; i++)
        tau[i] = test_ke(&seed);
    for (size_t k = 0; k < n; k++) {
        const size_t size = (size_t)1 << v[k];
        dsp_fe      *g1 = DSP_ARENA_N(a, dsp_fe, size), *g2 = DSP_ARENA_N(a, dsp_fe, size);
        dsp_ke      *x = DSP_ARENA_N(a, dsp_ke, size), *y = DSP_ARENA_N(a, dsp_ke, size), sum = dsp_ke_zero();
        t1[k] = DSP_ARENA_N(a, dsp_ke, size);
        t2[k] = DSP_ARENA_N(a, dsp_ke, size);
        coef[k] = test_ke(&seed);
        for (size_t i = 0; i < size; i++) {
            g1[i] = test_fe(&seed);
            g2[i] = test_fe(&seed);
            x[i] = t1[k][i] = zero[k] ? dsp_ke_from(g1[i]) : test_ke(&seed);
            y[i] = t2[k][i] = zero[k] ? dsp_ke_from(g2[i]) : test_ke(&seed);
            const dsp_ke e = zero[k] ? dsp_eq_index(tau + (m - v[k]), v[k], i) : dsp_ke_one();
            sum = dsp_ke_add(sum, dsp_ke_mul(e, dsp_ke_mul(x[i], y[i])));
        }
        if (zero[k])
            assert_int_equal(dsp_batched_add_zero(&b, a, v[k], coef[k], g1, g2, tau + (m - v[k]), &err), DSP_OK);
        else
            dsp_batched_add_product(&b, v[k], coef[k], x, y);
        claim = dsp_ke_add(claim, dsp_ke_mul(coef[k], sum));
    }
    for (unsigned t = 0; t < m; t++) {
        dsp_ke s[3], all[4];
        dsp_batched_round(&b, s);
        all[0] = s[0];
        all[1] = dsp_ke_sub(claim, s[0]);
        all[2] = s[1];
        if (degree == 3)
            all[3] = s[2];
        r[t] = test_ke(&seed);
        claim = degree == 3 ? at0123(all, r[t]) : at012(all, r[t]);
        dsp_batched_bind(&b, r[t]);
    }
    dsp_ke       sum = dsp_ke_zero();
    const dsp_fe half = dsp_fe_inv(dsp_fe_from_i64(2));
    for (size_t k = 0; k < n; k++) {
        const dsp_ke *z = r + (m - v[k]);
        dsp_ke        f1, f2, w = dsp_ke_scale(coef[k], dsp_fe_pow(half, m - v[k]));
        dsp_batched_values(&b, k, &f1, &f2);
        assert_true(dsp_ke_eq(f1, extension(t1[k], z, v[k])) && dsp_ke_eq(f2, extension(t2[k], z, v[k])));
        if (zero[k])
            w = dsp_ke_mul(w, dsp_eq_point(tau + (m - v[k]), z, v[k]));
        sum = dsp_ke_add(sum, dsp_ke_mul(w, dsp_ke_mul(f1, f2)));
    }
    assert_true(dsp_ke_eq(claim, sum));
    dsp_arena_free(a);
}

static void batched(void **state)
{
    (void)state;
    const bool yes[4] = {true, true, true, true}, no[4] = {false, false, false, false}, both[4] = {true, false, true, false};
    for (unsigned m = 0; m <= 6; m++) {
        const unsigned v[4] = {m, m > 2 ? m - 2 : 0, m ? m - 1 : 0, 0};
        batched_one(m, 3, v, yes, 4);
        batched_one(m, 2, v, no, 4);
        batched_one(m, 3, v, no, 4);
        batched_one(m, 3, v, both, 4);
        batched_one(m, 3, v, both, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fraction_tree), cmocka_unit_test(inner), cmocka_unit_test(batched)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
