/* Every kernel variant this machine can run: entry 0 against the scalar formulas, the others against entry 0, at lengths
 * around the lane widths, at odd offsets, in place, with p - 1 everywhere. */
#include "base/cpu.h"
#include "field/kernels.h"
#include "unit/field_values.h"

enum { MAX = 8300, ROOM = MAX + 8 }; /* the longest sums carry twice in eight lanes */

typedef struct {
    dsp_ke x[6][2 * ROOM];
    dsp_fe f[2][ROOM];
} inputs;

static void fill(inputs *in, int kind)
{
    uint64_t s = 7 + (uint64_t)kind;
    const dsp_fe top = {DSP_P - 1};
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < 2 * ROOM; j++)
            in->x[i][j] = kind == 0 ? (dsp_ke){top, top} : kind == 1 ? (dsp_ke){{0}, {0}} : test_ke(&s);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < ROOM; j++)
            in->f[i][j] = kind == 0 ? top : kind == 1 ? (dsp_fe){0} : test_fe(&s);
    if (kind == 3) /* lo = p - 1, hi = 0 and the other way round */
        for (size_t j = 0; j < 2 * ROOM; j++) {
            in->x[0][j] = j % 2 ? (dsp_ke){top, {0}} : (dsp_ke){{0}, top};
            in->x[1][j] = j % 2 ? (dsp_ke){{0}, top} : (dsp_ke){top, {0}};
        }
}

static void same(const char *what, const dsp_ke *a, const dsp_ke *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!dsp_ke_eq(a[i], b[i]))
            fail_msg("%s differs at %zu of %zu", what, i, n);
}

static inputs in;
static dsp_ke a[ROOM], b[ROOM], a2[ROOM], b2[ROOM];

static void arrays(const dsp_field_kernels *k, const dsp_field_kernels *d, size_t n, size_t o)
{
    const dsp_ke r = in.x[5][3];
    const dsp_ke guard = {{11}, {12}};
    a[n] = a2[n] = guard;
    k->ke_fold(a, in.x[0] + o, in.x[1] + o, n, r);
    d->ke_fold(b, in.x[0] + o, in.x[1] + o, n, r);
    same("ke_fold", a, b, n);
    memcpy(a, in.x[0] + o, n * sizeof *a);
    k->ke_fold(a, a, in.x[1] + o, n, r);
    same("ke_fold into lo", a, b, n);
    memcpy(a, in.x[1] + o, n * sizeof *a);
    k->ke_fold(a, in.x[0] + o, a, n, r);
    same("ke_fold into hi", a, b, n);
    k->fe_fold(a, in.f[0] + o, in.f[1] + o, n, r);
    d->fe_fold(b, in.f[0] + o, in.f[1] + o, n, r);
    same("fe_fold", a, b, n);
    memcpy(a, in.x[2] + o, n * sizeof *a);
    memcpy(b, in.x[2] + o, n * sizeof *b);
    k->ke_axpy(a, in.x[0] + o, n, r);
    d->ke_axpy(b, in.x[0] + o, n, r);
    same("ke_axpy", a, b, n);
    k->ke_axpy_fe(a, in.f[0] + o, n, r);
    d->ke_axpy_fe(b, in.f[0] + o, n, r);
    same("ke_axpy_fe", a, b, n);
    k->frac_up(a, a2, in.x[0] + o, in.x[1] + o, in.x[2] + o, in.x[3] + o, n);
    d->frac_up(b, b2, in.x[0] + o, in.x[1] + o, in.x[2] + o, in.x[3] + o, n);
    same("frac_up p", a, b, n);
    same("frac_up q", a2, b2, n);
    assert_true(dsp_ke_eq(a[n], guard) && dsp_ke_eq(a2[n], guard));
    memcpy(a, in.x[0] + o, n * sizeof *a);
    memcpy(a2, in.x[2] + o, n * sizeof *a2);
    k->frac_up(a, a2, a, in.x[1] + o, a2, in.x[3] + o, n);
    same("frac_up p in place", a, b, n);
    same("frac_up q in place", a2, b2, n);
    k->leaf_up(a, a2, in.f[0] + o, in.f[1] + o, in.x[2] + o, in.x[3] + o, n);
    d->leaf_up(b, b2, in.f[0] + o, in.f[1] + o, in.x[2] + o, in.x[3] + o, n);
    same("leaf_up p", a, b, n);
    same("leaf_up q", a2, b2, n);
}

static void sums(const dsp_field_kernels *k, const dsp_field_kernels *d, size_t n, size_t o)
{
    dsp_ke s[2], t[2];
    s[0] = k->ke_dot(in.x[0] + o, in.x[1] + o, n);
    t[0] = d->ke_dot(in.x[0] + o, in.x[1] + o, n);
    same("ke_dot", s, t, 1);
    s[0] = k->ke_dot_fe(in.x[0] + o, in.f[1] + o, n);
    t[0] = d->ke_dot_fe(in.x[0] + o, in.f[1] + o, n);
    same("ke_dot_fe", s, t, 1);
    k->round_fw(s, in.x[0] + o, in.x[1] + o, in.x[2] + o, in.x[3] + o, n);
    d->round_fw(t, in.x[0] + o, in.x[1] + o, in.x[2] + o, in.x[3] + o, n);
    same("round_fw", s, t, 2);
    k->round_fw_fe(s, in.f[0] + o, in.f[1] + o, in.x[2] + o, in.x[3] + o, n);
    d->round_fw_fe(t, in.f[0] + o, in.f[1] + o, in.x[2] + o, in.x[3] + o, n);
    same("round_fw_fe", s, t, 2);
    k->round_frac(s, in.x[4] + o, in.x[0] + o, in.x[1] + o, in.x[2] + o, in.x[3] + o, n, n, in.x[5][1]);
    d->round_frac(t, in.x[4] + o, in.x[0] + o, in.x[1] + o, in.x[2] + o, in.x[3] + o, n, n, in.x[5][1]);
    same("round_frac", s, t, 2);
    k->round_frac(s, in.x[4] + o, in.x[0] + o, in.x[1] + o, in.x[2] + o, in.x[3] + o, n, n / 2, in.x[5][1]);
    d->round_frac(t, in.x[4] + o, in.x[0] + o, in.x[1] + o, in.x[2] + o, in.x[3] + o, n, n / 2, in.x[5][1]);
    same("round_frac, half", s, t, 2);
    k->round_leaf(s, in.x[4] + o, in.f[0] + o, in.f[1] + o, in.x[2] + o, in.x[3] + o, n / 2, n / 2, in.x[5][1]);
    d->round_leaf(t, in.x[4] + o, in.f[0] + o, in.f[1] + o, in.x[2] + o, in.x[3] + o, n / 2, n / 2, in.x[5][1]);
    same("round_leaf", s, t, 2);
}

static void variants(void **state)
{
    (void)state;
    static const size_t more[] = {63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 513, MAX};
    const uint32_t      cpu = dsp_cpu_bits();
    const dsp_field_kernels *d = dsp_field_kernels_all();
    assert_string_equal(d->name, "portable");
    for (const dsp_field_kernels *k = d; k->name; k++) {
        if (k->cpu_bits & ~cpu) {
            print_message("          %s: not on this processor\n", k->name);
            continue;
        }
        print_message("          %s\n", k->name);
        for (int kind = 0; kind < 5; kind++) {
            fill(&in, kind);
            for (size_t i = 0; i < 36 + sizeof more / sizeof more[0]; i++)
                for (size_t o = 0; o < 3; o++) {
                    const size_t n = i < 36 ? i : more[i - 36];
                    arrays(k, d, n, o);
                    sums(k, d, n, o);
                }
        }
    }
}

/* Entry 0 is the definition of the rest, so it is checked against the formulas of the header. */
static void portable_is_right(void **state)
{
    (void)state;
    const dsp_field_kernels *k = dsp_field_kernels_all();
    enum { N = 5 };
    dsp_ke s0 = dsp_ke_zero(), s2 = dsp_ke_zero(), f0 = dsp_ke_zero(), f2 = dsp_ke_zero(), dot = dsp_ke_zero(), s[2];
    const dsp_ke two = dsp_ke_from_i64(2);
    fill(&in, 2);
    const dsp_ke r = in.x[5][0], lambda = in.x[5][1];
    k->ke_fold(a, in.x[0], in.x[1], N, r);
    for (size_t i = 0; i < N; i++) {
        const dsp_ke lo = in.x[0][i], hi = in.x[1][i], one = dsp_ke_one();
        assert_true(dsp_ke_eq(a[i], dsp_ke_add(dsp_ke_mul(dsp_ke_sub(one, r), lo), dsp_ke_mul(r, hi))));
    }
    k->fe_fold(a, in.f[0], in.f[1], N, r);
    for (size_t i = 0; i < N; i++) {
        const dsp_ke lo = dsp_ke_from(in.f[0][i]), hi = dsp_ke_from(in.f[1][i]), one = dsp_ke_one();
        assert_true(dsp_ke_eq(a[i], dsp_ke_add(dsp_ke_mul(dsp_ke_sub(one, r), lo), dsp_ke_mul(r, hi))));
    }
    for (size_t i = 0; i < N; i++)
        dot = dsp_ke_add(dot, dsp_ke_mul(in.x[0][i], in.x[1][i]));
    assert_true(dsp_ke_eq(dot, k->ke_dot(in.x[0], in.x[1], N)));
    /* values at 2 by folding with r = 2 */
    for (size_t i = 0; i < N; i++) {
        dsp_ke v[4][2];
        for (size_t c = 0; c < 4; c++) {
            v[c][0] = in.x[c][i];
            k->ke_fold(&v[c][1], &in.x[c][i], &in.x[c][N + i], 1, two);
        }
        for (size_t e = 0; e < 2; e++) {
            const dsp_ke p0 = v[0][e], p1 = v[1][e], q0 = v[2][e], q1 = v[3][e];
            const dsp_ke g = dsp_ke_add(dsp_ke_add(dsp_ke_mul(p0, q1), dsp_ke_mul(p1, q0)),
                                        dsp_ke_mul(lambda, dsp_ke_mul(q0, q1)));
            dsp_ke *t = e ? &f2 : &f0;
            *t = dsp_ke_add(*t, dsp_ke_mul(in.x[4][i], g));
        }
        s0 = dsp_ke_add(s0, dsp_ke_mul(v[0][0], v[1][0]));
        s2 = dsp_ke_add(s2, dsp_ke_mul(v[0][1], v[1][1]));
    }
    k->round_frac(s, in.x[4], in.x[0], in.x[1], in.x[2], in.x[3], N, N, lambda);
    assert_true(dsp_ke_eq(s[0], f0) && dsp_ke_eq(s[1], f2));
    k->round_fw(s, in.x[0], in.x[0] + N, in.x[1], in.x[1] + N, N);
    assert_true(dsp_ke_eq(s[0], s0) && dsp_ke_eq(s[1], s2));
    /* numerators in F are those in K with b = 0 */
    dsp_ke p[2][2 * N], t[2];
    for (size_t i = 0; i < 2 * N; i++) {
        p[0][i] = dsp_ke_from(in.f[0][i]);
        p[1][i] = dsp_ke_from(in.f[1][i]);
    }
    k->round_leaf(s, in.x[4], in.f[0], in.f[1], in.x[2], in.x[3], N, N, lambda);
    k->round_frac(t, in.x[4], p[0], p[1], in.x[2], in.x[3], N, N, lambda);
    same("round_leaf", s, t, 2);
    k->leaf_up(a, a2, in.f[0], in.f[1], in.x[2], in.x[3], N);
    k->frac_up(b, b2, p[0], p[1], in.x[2], in.x[3], N);
    same("leaf_up p", a, b, N);
    same("leaf_up q", a2, b2, N);
}

static void choice(void **state)
{
    (void)state;
    assert_string_equal(dsp_field_kernels_best(0)->name, "portable");
    const dsp_field_kernels *k = dsp_field_kernels_best(dsp_cpu_bits());
    assert_int_equal(k->cpu_bits & ~dsp_cpu_bits(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(portable_is_right), cmocka_unit_test(variants), cmocka_unit_test(choice)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
