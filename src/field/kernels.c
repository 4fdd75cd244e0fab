/* Portable kernels, the table of variants, and the choice among them. */
#include "field/kernels.h"

#include "base/cpu.h"
#include "field/acc.h"
#include "field/variants.h"

static dsp_ke twice_minus(dsp_ke hi, dsp_ke lo) { return dsp_ke_sub(dsp_ke_add(hi, hi), lo); }
static dsp_fe twice_minus_fe(dsp_fe hi, dsp_fe lo) { return dsp_fe_sub(dsp_fe_add(hi, hi), lo); }

void dsp_ke_fold_portable(dsp_ke *out, const dsp_ke *lo, const dsp_ke *hi, size_t n, dsp_ke r)
{
    const dsp_ke_factor f = dsp_ke_factor_of(r);
    for (size_t i = 0; i < n; i++)
        out[i] = dsp_ke_muladd(lo[i], dsp_ke_sub(hi[i], lo[i]), f);
}

void dsp_fe_fold_portable(dsp_ke *out, const dsp_fe *lo, const dsp_fe *hi, size_t n, dsp_ke r)
{
    for (size_t i = 0; i < n; i++) {
        const dsp_fe d = dsp_fe_sub(hi[i], lo[i]); /* (p-1)^2 + p - 1 < 2^128 */
        out[i] = (dsp_ke){dsp_fe_reduce128((dsp_u128)r.a.v * d.v + lo[i].v), dsp_fe_mul(r.b, d)};
    }
}

dsp_ke dsp_ke_dot_portable(const dsp_ke *x, const dsp_ke *y, size_t n)
{
    dsp_acc_ke s = {{0, 0}, {0, 0}, {0, 0}};
    for (size_t i = 0; i < n; i++)
        dsp_acc_ke_mac(&s, x[i], y[i]);
    return dsp_acc_ke_reduce(&s);
}

dsp_ke dsp_ke_dot_fe_portable(const dsp_ke *x, const dsp_fe *y, size_t n)
{
    dsp_acc_ke s = {{0, 0}, {0, 0}, {0, 0}};
    for (size_t i = 0; i < n; i++)
        dsp_acc_ke_mac_fe(&s, x[i], y[i]);
    return dsp_acc_ke_reduce(&s);
}

void dsp_ke_axpy_portable(dsp_ke *acc, const dsp_ke *x, size_t n, dsp_ke c)
{
    const dsp_ke_factor f = dsp_ke_factor_of(c);
    for (size_t i = 0; i < n; i++)
        acc[i] = dsp_ke_muladd(acc[i], x[i], f);
}

void dsp_ke_axpy_fe_portable(dsp_ke *acc, const dsp_fe *x, size_t n, dsp_ke c)
{
    for (size_t i = 0; i < n; i++)
        acc[i] = (dsp_ke){dsp_fe_reduce128((dsp_u128)c.a.v * x[i].v + acc[i].a.v),
                          dsp_fe_reduce128((dsp_u128)c.b.v * x[i].v + acc[i].b.v)};
}

void dsp_round_fw_portable(dsp_ke s[2], const dsp_ke *f_lo, const dsp_ke *f_hi, const dsp_ke *w_lo, const dsp_ke *w_hi,
                           size_t n)
{
    dsp_acc_ke s0 = {{0, 0}, {0, 0}, {0, 0}}, s2 = s0;
    for (size_t i = 0; i < n; i++) {
        dsp_acc_ke_mac(&s0, f_lo[i], w_lo[i]);
        dsp_acc_ke_mac(&s2, twice_minus(f_hi[i], f_lo[i]), twice_minus(w_hi[i], w_lo[i]));
    }
    s[0] = dsp_acc_ke_reduce(&s0);
    s[1] = dsp_acc_ke_reduce(&s2);
}

void dsp_round_fw_fe_portable(dsp_ke s[2], const dsp_fe *f_lo, const dsp_fe *f_hi, const dsp_ke *w_lo,
                              const dsp_ke *w_hi, size_t n)
{
    dsp_acc_ke s0 = {{0, 0}, {0, 0}, {0, 0}}, s2 = s0;
    for (size_t i = 0; i < n; i++) {
        dsp_acc_ke_mac_fe(&s0, w_lo[i], f_lo[i]);
        dsp_acc_ke_mac_fe(&s2, twice_minus(w_hi[i], w_lo[i]), twice_minus_fe(f_hi[i], f_lo[i]));
    }
    s[0] = dsp_acc_ke_reduce(&s0);
    s[1] = dsp_acc_ke_reduce(&s2);
}

/* p0 q1 + p1 q0 + lambda q0 q1 = p0 q1 + q0 (p1 + lambda q1) */
static dsp_ke fraction(dsp_ke p0, dsp_ke p1, dsp_ke q0, dsp_ke q1, dsp_ke_factor lambda)
{
    return dsp_ke_mul2(p0, dsp_ke_factor_of(q1), dsp_ke_muladd(p1, q1, lambda), dsp_ke_factor_of(q0));
}

void dsp_round_frac_portable(dsp_ke s[2], const dsp_ke *E, const dsp_ke *p0, const dsp_ke *p1, const dsp_ke *q0,
                             const dsp_ke *q1, size_t h, size_t n, dsp_ke lambda)
{
    const dsp_ke_factor l = dsp_ke_factor_of(lambda);
    dsp_acc_ke          s0 = {{0, 0}, {0, 0}, {0, 0}}, s2 = s0;
    for (size_t i = 0; i < n; i++)
        dsp_acc_ke_mac(&s0, E[i], fraction(p0[i], p1[i], q0[i], q1[i], l));
    for (size_t i = 0; i < n; i++)
        dsp_acc_ke_mac(&s2, E[i], fraction(twice_minus(p0[h + i], p0[i]), twice_minus(p1[h + i], p1[i]),
                                           twice_minus(q0[h + i], q0[i]), twice_minus(q1[h + i], q1[i]), l));
    s[0] = dsp_acc_ke_reduce(&s0);
    s[1] = dsp_acc_ke_reduce(&s2);
}

/* the same with p0, p1 in F */
static dsp_ke fraction_leaf(dsp_fe p0, dsp_fe p1, dsp_ke q0, dsp_ke q1, dsp_ke_factor lambda)
{
    dsp_ke_sum s = {{0, 0}, {0, 0}};
    dsp_acc_mac(&s.a, q1.a, p0);
    dsp_acc_mac(&s.b, q1.b, p0);
    dsp_ke_sum_mac(&s, dsp_ke_muladd(dsp_ke_from(p1), q1, lambda), dsp_ke_factor_of(q0));
    return dsp_ke_sum_reduce(&s);
}

void dsp_round_leaf_portable(dsp_ke s[2], const dsp_ke *E, const dsp_fe *p0, const dsp_fe *p1, const dsp_ke *q0,
                             const dsp_ke *q1, size_t h, size_t n, dsp_ke lambda)
{
    const dsp_ke_factor l = dsp_ke_factor_of(lambda);
    dsp_acc_ke          s0 = {{0, 0}, {0, 0}, {0, 0}}, s2 = s0;
    for (size_t i = 0; i < n; i++) {
        dsp_acc_ke_mac(&s0, E[i], fraction_leaf(p0[i], p1[i], q0[i], q1[i], l));
        dsp_acc_ke_mac(&s2, E[i], fraction_leaf(twice_minus_fe(p0[h + i], p0[i]), twice_minus_fe(p1[h + i], p1[i]),
                                                twice_minus(q0[h + i], q0[i]), twice_minus(q1[h + i], q1[i]), l));
    }
    s[0] = dsp_acc_ke_reduce(&s0);
    s[1] = dsp_acc_ke_reduce(&s2);
}

void dsp_leaf_up_portable(dsp_ke *p, dsp_ke *q, const dsp_fe *p0, const dsp_fe *p1, const dsp_ke *q0, const dsp_ke *q1,
                          size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const dsp_ke t0 = q0[i], t1 = q1[i];
        dsp_ke_sum   s = {{0, 0}, {0, 0}};
        dsp_acc_mac(&s.a, t1.a, p0[i]);
        dsp_acc_mac(&s.a, t0.a, p1[i]);
        dsp_acc_mac(&s.b, t1.b, p0[i]);
        dsp_acc_mac(&s.b, t0.b, p1[i]);
        q[i] = dsp_ke_muladd(dsp_ke_zero(), t0, dsp_ke_factor_of(t1));
        p[i] = dsp_ke_sum_reduce(&s);
    }
}

void dsp_frac_up_portable(dsp_ke *p, dsp_ke *q, const dsp_ke *p0, const dsp_ke *p1, const dsp_ke *q0, const dsp_ke *q1,
                          size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const dsp_ke        r0 = p0[i], r1 = p1[i], t0 = q0[i];
        const dsp_ke_factor f0 = dsp_ke_factor_of(t0), f1 = dsp_ke_factor_of(q1[i]);
        q[i] = dsp_ke_muladd(dsp_ke_zero(), t0, f1);
        p[i] = dsp_ke_mul2(r0, f1, r1, f0);
    }
}

#define ENTRY(v, bits)                                                                                                 \
    {#v, bits, dsp_ke_fold_##v, dsp_fe_fold_##v, dsp_ke_dot_##v, dsp_ke_dot_fe_##v, dsp_ke_axpy_##v, dsp_ke_axpy_fe_##v, \
     dsp_round_fw_##v, dsp_round_fw_fe_##v, dsp_round_frac_##v, dsp_round_leaf_##v, dsp_frac_up_##v,            \
     dsp_leaf_up_##v}

static const dsp_field_kernels table[] = {
    ENTRY(portable, 0),
#if defined(DSP_SIMD_X86) && !defined(DSP_TOY_P)
    ENTRY(avx2, DSP_CPU_AVX2),
    ENTRY(avx512, DSP_CPU_AVX512 | DSP_CPU_AVX512IFMA | DSP_CPU_AVX2),
#endif
    {NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}
};

const dsp_field_kernels *dsp_field_kernels_all(void) { return table; }

enum { CHECK = 19 }; /* more than two vectors of 8 lanes, and a rest */

static bool same(const dsp_ke *x, const dsp_ke *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!dsp_ke_eq(x[i], y[i]))
            return false;
    return true;
}

/* Every kernel of k against entry 0 on one small input with extreme values in it. */
static bool agrees(const dsp_field_kernels *k)
{
    dsp_ke   x[6][2 * CHECK], out[2][6][CHECK], s[2][5][2];
    dsp_fe   f[2][2 * CHECK];
    uint64_t w = 1;
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < 2 * CHECK; j++) {
            w = w * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            x[i][j] = (dsp_ke){dsp_fe_from_u64(w ^ w >> 33), dsp_fe_from_u64(w * 0x9e3779b1u)};
            if ((i + j) % 5 == 0)
                x[i][j].a = dsp_fe_neg((dsp_fe){1});
            if ((i + j) % 7 == 0)
                x[i][j].b = dsp_fe_neg((dsp_fe){1});
        }
    for (size_t j = 0; j < 2 * CHECK; j++) {
        f[0][j] = x[0][j].b;
        f[1][j] = x[1][j].a;
    }
    for (int v = 0; v < 2; v++) {
        const dsp_field_kernels *q = v ? k : &table[0];
        q->ke_fold(out[v][0], x[0], x[1], CHECK, x[2][0]);
        q->fe_fold(out[v][1], f[0], f[1], CHECK, x[2][1]);
        q->frac_up(out[v][2], out[v][3], x[0], x[1], x[2], x[3], CHECK);
        s[v][0][0] = q->ke_dot(x[0], x[1], CHECK);
        s[v][0][1] = q->ke_dot_fe(x[0], f[0], CHECK);
        q->round_fw(s[v][1], x[0], x[1], x[2], x[3], CHECK);
        q->round_fw_fe(s[v][2], f[0], f[1], x[2], x[3], CHECK);
        q->round_frac(s[v][3], x[4], x[0], x[1], x[2], x[3], CHECK, CHECK, x[5][0]);
        q->round_leaf(s[v][4], x[4], f[0], f[1], x[2], x[3], CHECK, CHECK, x[5][0]);
        q->leaf_up(out[v][4], out[v][5], f[0], f[1], x[2], x[3], CHECK);
        q->ke_axpy(out[v][2], x[0], CHECK, x[3][0]);
        q->ke_axpy_fe(out[v][3], f[0], CHECK, x[3][1]);
    }
    return same(&out[0][0][0], &out[1][0][0], (size_t)6 * CHECK) && same(&s[0][0][0], &s[1][0][0], 10);
}

const dsp_field_kernels *dsp_field_kernels_best(uint32_t cpu_bits)
{
    const dsp_field_kernels *best = &table[0];
    for (const dsp_field_kernels *k = &table[1]; k->name; k++)
        if ((k->cpu_bits & ~cpu_bits) == 0 && agrees(k))
            best = k;
    return best;
}
