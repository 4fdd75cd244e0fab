/* Functionals against their definitions: every use of one functional (value on cells, table, value at a point) agrees with a
 * direct sum over the cells. */
#include "unit/field_values.h"

#include "base/size.h"
#include "claims/functional.h"

static uint64_t seed;
static int64_t  between(int64_t lo, int64_t hi) { return lo + (int64_t)(test_next(&seed) % (uint64_t)(hi - lo + 1)); }
static dsp_ke   coin(void) { return test_ke(&seed); }
static void     coins(dsp_ke *z, size_t n) { for (size_t i = 0; i < n; i++) z[i] = coin(); }

/* eq(z, cell) of a valid cell */
static dsp_ke eq_cell(const uint32_t d[3], const dsp_ke *z, uint32_t c, uint32_t y, uint32_t x)
{
    return dsp_eq_index(z, dsp_dlog(d), dsp_padded_index(d, c, y, x));
}

/* The three uses of f agree with each other on random cells and a random point; its value on those cells is returned. */
static dsp_ke agree(const dsp_functional *f, const int64_t *cells, dsp_arena *a)
{
    const unsigned m = dsp_dlog(f->dims);
    dsp_ke        *W = DSP_ARENA_N(a, dsp_ke, (size_t)1 << m), r[24], at, v, sum = dsp_ke_zero(), direct = dsp_ke_zero();
    const dsp_ke   scale = coin();
    coins(r, m);
    assert_int_equal(dsp_functional_at(&at, f, r, a, NULL), DSP_OK);
    assert_int_equal(dsp_functional_value(&v, f, cells, a, NULL), DSP_OK);
    assert_int_equal(dsp_functional_add(W, f, scale, a, NULL), DSP_OK);
    size_t used = 0;
    for (uint32_t c = 0; c < f->dims[0]; c++)
        for (uint32_t y = 0; y < f->dims[1]; y++)
            for (uint32_t x = 0; x < f->dims[2]; x++) {
                dsp_ke *w = &W[dsp_padded_index(f->dims, c, y, x)];
                direct = dsp_ke_add(direct, dsp_ke_mul(*w, dsp_ke_from_i64(cells[used++])));
                sum = dsp_ke_add(sum, dsp_ke_mul(*w, eq_cell(f->dims, r, c, y, x)));
                *w = dsp_ke_zero();
            }
    for (size_t i = 0; i < (size_t)1 << m; i++)
        assert_true(dsp_ke_is_zero(W[i])); /* padding is never touched */
    assert_true(dsp_ke_eq(sum, dsp_ke_mul(scale, at)));
    assert_true(dsp_ke_eq(direct, dsp_ke_mul(scale, v)));
    return v;
}

static int64_t *random_cells(dsp_arena *a, const uint32_t d[3], int64_t lo, int64_t hi)
{
    int64_t *x = DSP_ARENA_N(a, int64_t, dsp_cells(d));
    assert_non_null(x);
    for (uint64_t i = 0; i < dsp_cells(d); i++)
        x[i] = between(lo, hi);
    return x;
}

static void test_prefix(void **state)
{
    (void)state;
    for (unsigned m = 0; m < 6; m++) {
        dsp_ke z[6], sum = dsp_ke_zero();
        coins(z, m);
        for (uint64_t d = 0; d <= (uint64_t)1 << m; d++) {
            assert_true(dsp_ke_eq(dsp_eq_prefix(z, m, d), sum));
            if (d < (uint64_t)1 << m)
                sum = dsp_ke_add(sum, dsp_eq_index(z, m, d));
        }
        assert_true(dsp_ke_eq(sum, dsp_ke_one()));
    }
}

static void test_point(void **state)
{
    static const uint32_t shapes[][3] = {{1, 1, 1}, {3, 1, 1}, {8, 4, 2}, {3, 5, 7}, {1, 6, 6}, {16, 1, 3}};
    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const uint32_t *d = shapes[s];
        dsp_arena      *a = dsp_arena_create(0);
        dsp_ke          z[16], v = dsp_ke_zero(), valid = dsp_ke_zero();
        int64_t        *x = random_cells(a, d, -1000, INT64_C(1) << 40), *p = x;
        dsp_functional  f;
        coins(z, dsp_dlog(d));
        dsp_sep_point(&f, 5, d, z);
        f.coef = coin();
        for (uint32_t c = 0; c < d[0]; c++)
            for (uint32_t y = 0; y < d[1]; y++)
                for (uint32_t i = 0; i < d[2]; i++) {
                    const dsp_ke e = eq_cell(d, z, c, y, i);
                    v = dsp_ke_add(v, dsp_ke_mul(e, dsp_ke_from_i64(*p++)));
                    valid = dsp_ke_add(valid, e);
                }
        assert_true(dsp_ke_eq(agree(&f, x, a), dsp_ke_mul(f.coef, v)));
        assert_true(dsp_ke_eq(dsp_valid_at(d, z), valid));
        dsp_arena_free(a);
    }
}

static void test_view(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        dsp_arena     *a = dsp_arena_create(0);
        uint32_t       xd[3], od[3];
        dsp_view       view = {0};
        dsp_functional f;
        dsp_ke         z[16], in = dsp_ke_zero(), out = dsp_ke_zero();
        for (int i = 0; i < 3; i++) {
            xd[i] = (uint32_t)between(1, 7);
            od[i] = (uint32_t)between(1, 7);
            view.stride[i] = (uint32_t)between(1, 3);
            view.off[i] = between(-9, 9);
        }
        int64_t *x = random_cells(a, xd, -50, 50);
        coins(z, dsp_dlog(od));
        for (uint32_t c = 0; c < od[0]; c++)
            for (uint32_t y = 0; y < od[1]; y++)
                for (uint32_t i = 0; i < od[2]; i++) {
                    const uint32_t at[3] = {c, y, i};
                    int64_t        p[3];
                    bool           inside = true;
                    for (int k = 0; k < 3; k++) {
                        p[k] = (int64_t)at[k] * view.stride[k] + view.off[k];
                        inside = inside && p[k] >= 0 && p[k] < xd[k];
                    }
                    const dsp_ke e = eq_cell(od, z, c, y, i);
                    if (inside)
                        in = dsp_ke_add(in, dsp_ke_mul(e, dsp_ke_from_i64(x[(p[0] * xd[1] + p[1]) * xd[2] + p[2]])));
                    else
                        out = dsp_ke_add(out, e);
                }
        assert_int_equal(dsp_sep_view(&f, a, 0, xd, od, &view, z, NULL, NULL), DSP_OK);
        assert_true(dsp_ke_eq(agree(&f, x, a), in));
        assert_true(dsp_ke_eq(dsp_outside_at(xd, od, &view, z), out));
        dsp_arena_free(a);
    }
}

/* One lin op with one conv term, bias and multipliers: everything that a functional needs of a derivation. */
typedef struct {
    dsp_key     key;
    dsp_derived D;
    dsp_tensor  tensors[2];
    dsp_weight  weights[2];
    dsp_op      op;
    dsp_term    term;
} one_conv;

static void test_conv(void **state)
{
    (void)state;
    for (int round = 0; round < 150; round++) {
        dsp_arena *a = dsp_arena_create(0);
        one_conv   o;
        memset(&o, 0, sizeof o);
        const bool     big = round % 5 == 4; /* weights beyond 31 bits, public multipliers of both signs */
        const uint32_t groups = (uint32_t)between(1, 3), cg = (uint32_t)between(1, 3), og = (uint32_t)between(1, 3);
        uint32_t      *xd = o.tensors[0].dims, *od = o.tensors[1].dims;
        xd[0] = groups * cg;
        od[0] = groups * og;
        for (int i = 1; i < 3; i++) {
            xd[i] = (uint32_t)between(1, 9);
            od[i] = (uint32_t)between(1, 6);
            o.term.stride[i - 1] = (uint32_t)between(1, 3);
            o.term.pad[i - 1] = (uint32_t)between(0, 3);
            o.term.dil[i - 1] = (uint32_t)between(1, 3);
        }
        const uint32_t kh = (uint32_t)between(1, 4), kw = (uint32_t)between(1, 4), wd[3] = {od[0], cg, kh * kw};
        const int64_t  top = big ? INT64_C(1) << 40 : 127;
        o.weights[0] = (dsp_weight){"w", {od[0], cg, kh, kw}, od[0] * cg * kh * kw, random_cells(a, wd, -top, top)};
        o.weights[1] = (dsp_weight){"b", {od[0], 1, 1, 1}, od[0], random_cells(a, (const uint32_t[3]){od[0], 1, 1}, -500, 500)};
        o.term.kind = DSP_TERM_CONV;
        o.op = (dsp_op){.kind = DSP_OP_LIN, .name = "c", .out = 1, .bias = 1, .n_terms = 1, .terms = &o.term};
        o.op.M = (dsp_ints){od[0], random_cells(a, (const uint32_t[3]){od[0], 1, 1}, -9, 9)};
        if (round & 1)
            o.op.My = (dsp_ints){od[1], random_cells(a, (const uint32_t[3]){od[1], 1, 1}, -9, 9)};
        if (round & 2)
            o.op.Mx = (dsp_ints){od[2], random_cells(a, (const uint32_t[3]){od[2], 1, 1}, -9, 9)};
        o.key = (dsp_key){.n_tensors = 2, .n_weights = 2, .n_ops = 1, .tensors = o.tensors, .weights = o.weights, .ops = &o.op};
        o.D = (dsp_derived){.key = &o.key, .n_tensors = 2, .tensors = o.tensors};
        int64_t       *x = random_cells(a, xd, -128, 127);
        const int64_t *w = o.weights[0].v;
        dsp_ke         z[16], v = dsp_ke_zero(), bias = dsp_ke_zero(), got;
        coins(z, dsp_dlog(od));
        for (uint32_t oc = 0; oc < od[0]; oc++)
            for (uint32_t y = 0; y < od[1]; y++)
                for (uint32_t i = 0; i < od[2]; i++) {
                    const int64_t m = o.op.M.v[oc] * (o.op.My.n ? o.op.My.v[y] : 1) * (o.op.Mx.n ? o.op.Mx.v[i] : 1);
                    const dsp_ke  e = dsp_ke_mul(eq_cell(od, z, oc, y, i), dsp_ke_from_i64(m));
                    int64_t       acc = 0;
                    for (uint32_t c = 0; c < cg; c++)
                        for (uint32_t p = 0; p < kh; p++)
                            for (uint32_t q = 0; q < kw; q++) {
                                const int64_t r = (int64_t)y * o.term.stride[0] + (int64_t)p * o.term.dil[0] - o.term.pad[0];
                                const int64_t s = (int64_t)i * o.term.stride[1] + (int64_t)q * o.term.dil[1] - o.term.pad[1];
                                if (r >= 0 && s >= 0 && r < xd[1] && s < xd[2])
                                    acc += w[((oc * cg + c) * kh + p) * kw + q] * x[((oc / og * cg + c) * xd[1] + r) * xd[2] + s];
                            }
                    v = dsp_ke_add(v, dsp_ke_mul(e, dsp_ke_from_i64(acc)));
                    bias = dsp_ke_add(bias, dsp_ke_mul(e, dsp_ke_from_i64(o.weights[1].v[oc])));
                }
        dsp_functional f = {.kind = DSP_F_CONV, .coef = {{1}, {0}}}, g;
        memcpy(f.dims, xd, sizeof f.dims);
        assert_int_equal(dsp_conv_make(&f.conv, a, &o.D, 0, 0, z, NULL), DSP_OK);
        assert_true(dsp_ke_eq(agree(&f, x, a), v));
        assert_int_equal(dsp_bias_at(&got, &o.D, 0, z, a, NULL), DSP_OK);
        assert_true(dsp_ke_eq(got, bias));
        /* mode 0: sum over the kernel of A Z is the value; Z~(rho) is a functional on x; A~(rho) */
        const uint32_t *kd = f.conv->kd;
        const size_t    n = (size_t)kd[0] * kd[1] * kd[2];
        dsp_ke         *Z = DSP_ARENA_N(a, dsp_ke, n), rho[16], s = dsp_ke_zero(), zr = dsp_ke_zero(), ar = dsp_ke_zero();
        assert_int_equal(dsp_conv_z(Z, f.conv, x, a, NULL), DSP_OK);
        coins(rho, dsp_dlog(kd));
        for (uint32_t c = 0, i = 0; c < kd[0]; c++)
            for (uint32_t p = 0; p < kd[1]; p++)
                for (uint32_t q = 0; q < kd[2]; q++, i++) {
                    const dsp_ke e = eq_cell(kd, rho, c, p, q);
                    s = dsp_ke_add(s, dsp_ke_mul(f.conv->A[i], Z[i]));
                    zr = dsp_ke_add(zr, dsp_ke_mul(e, Z[i]));
                    ar = dsp_ke_add(ar, dsp_ke_mul(e, f.conv->A[i]));
                }
        assert_true(dsp_ke_eq(s, v));
        assert_int_equal(dsp_conv_on_x(&g, a, f.conv, rho, NULL), DSP_OK);
        assert_true(dsp_ke_eq(agree(&g, x, a), zr));
        assert_int_equal(dsp_conv_kernel_at(&got, f.conv, rho, a, NULL), DSP_OK);
        assert_true(dsp_ke_eq(got, ar));
        dsp_arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prefix), cmocka_unit_test(test_point), cmocka_unit_test(test_view), cmocka_unit_test(test_conv)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
