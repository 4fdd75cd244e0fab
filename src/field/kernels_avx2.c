/* The kernels over K four elements at a time.
 *
 * A product of two 64-bit words is cut into four 32-bit digits; sums of digits are kept apart and reduced once. With
 * u = 2^32: u^2 = u - 1 and u^3 = -1 (mod p), so c0 + c1 u + c2 u^2 + c3 u^3 = (c0 - c2 - c3) + (c1 + c2) u. */
#include "field/avx2.h"
#include "field/variants.h"

/* Four elements, coordinates apart, with their upper halves moved down for the multiplier. Lane order is that of the two
 * unpack instructions, the same for every operand and undone by store. */
typedef struct { dsp_v4 a, b; } ke4;
typedef struct { dsp_v4 a, b, a1, b1; } factor;
typedef struct { dsp_v4 c0, c1, c2, c3; } digits;

DSP_INLINE ke4 load(const dsp_ke *p)
{
    const dsp_v4 x = dsp_v4_load(&p->a), y = dsp_v4_load(&p[2].a);
    return (ke4){_mm256_unpacklo_epi64(x, y), _mm256_unpackhi_epi64(x, y)};
}
DSP_INLINE void store(dsp_ke *p, ke4 x)
{
    dsp_v4_store(&p->a, _mm256_unpacklo_epi64(x.a, x.b));
    dsp_v4_store(&p[2].a, _mm256_unpackhi_epi64(x.a, x.b));
}
/* Four words in the lane order of load: 0 2 1 3. */
DSP_INLINE dsp_v4 load_fe(const dsp_fe *p) { return _mm256_permute4x64_epi64(dsp_v4_load(p), 0xd8); }

DSP_INLINE factor factor_of(ke4 x) { return (factor){x.a, x.b, dsp_v4_upper(x.a), dsp_v4_upper(x.b)}; }
DSP_INLINE factor factor_set(dsp_fe a, dsp_fe b) { return factor_of((ke4){dsp_v4_set(a.v), dsp_v4_set(b.v)}); }
DSP_INLINE ke4    sub(ke4 x, ke4 y) { return (ke4){dsp_v4_sub(x.a, y.a), dsp_v4_sub(x.b, y.b)}; }
DSP_INLINE ke4    twice_minus(ke4 hi, ke4 lo)
{
    return (ke4){dsp_v4_sub(dsp_v4_add(hi.a, hi.a), lo.a), dsp_v4_sub(dsp_v4_add(hi.b, hi.b), lo.b)};
}

DSP_INLINE dsp_v4 low(dsp_v4 x) { return _mm256_and_si256(x, dsp_v4_set(0xffffffffu)); }
DSP_INLINE dsp_v4 high(dsp_v4 x) { return _mm256_srli_epi64(x, 32); }
DSP_INLINE dsp_v4 plus(dsp_v4 x, dsp_v4 y) { return _mm256_add_epi64(x, y); }

DSP_INLINE digits zero(void)
{
    const dsp_v4 z = _mm256_setzero_si256();
    return (digits){z, z, z, z};
}
DSP_INLINE digits digits_of(dsp_v4 x) { return (digits){low(x), high(x), _mm256_setzero_si256(), _mm256_setzero_si256()}; }

/* s += x y; x1, y1 the upper halves. Adds less than 2^32 to every digit sum. */
DSP_INLINE void mac(digits *s, dsp_v4 x, dsp_v4 x1, dsp_v4 y, dsp_v4 y1)
{
    const dsp_v4 ll = _mm256_mul_epu32(x, y), lh = _mm256_mul_epu32(x, y1), hl = _mm256_mul_epu32(x1, y), hh = _mm256_mul_epu32(x1, y1);
    const dsp_v4 t = plus(hl, high(ll)), u = plus(lh, low(t)), h = plus(plus(hh, high(t)), high(u));
    s->c0 = plus(s->c0, low(ll));
    s->c1 = plus(s->c1, low(u));
    s->c2 = plus(s->c2, low(h));
    s->c3 = plus(s->c3, high(h));
}

DSP_INLINE dsp_v4 by7(dsp_v4 x) { return _mm256_sub_epi64(_mm256_slli_epi64(x, 3), x); }
DSP_INLINE void   add7(digits *s, const digits *t)
{
    s->c0 = plus(s->c0, by7(t->c0));
    s->c1 = plus(s->c1, by7(t->c1));
    s->c2 = plus(s->c2, by7(t->c2));
    s->c3 = plus(s->c3, by7(t->c3));
}

/* Digit sums below 2^37. Adding 2^38 - 2^6 u = 0 and p = 1 + (2^32 - 1) u makes both parts positive: A < 2^39, B < 2^39;
 * then B u = (B mod 2^32) 2^32 + (B >> 32) (2^32 - 1), and the sum passes 2^64 at most once. */
DSP_INLINE dsp_v4 reduce(const digits *s)
{
    const dsp_v4 A = plus(_mm256_sub_epi64(s->c0, plus(s->c2, s->c3)), dsp_v4_set((UINT64_C(1) << 38) + 1));
    const dsp_v4 B = plus(plus(s->c1, s->c2), dsp_v4_set(0xffffffffu - 64));
    const dsp_v4 e = plus(A, _mm256_mul_epu32(high(B), dsp_v4_set(0xffffffffu)));
    const dsp_v4 x = _mm256_xor_si256(_mm256_slli_epi64(B, 32), dsp_v4_sign());
    dsp_v4       r = plus(x, e);
    r = plus(r, dsp_v4_wrap(_mm256_cmpgt_epi64(x, r)));
    r = plus(r, dsp_v4_wrap(_mm256_cmpgt_epi64(r, dsp_v4_set((DSP_P - 1) ^ UINT64_C(1) << 63)))); /* -p */
    return _mm256_xor_si256(r, dsp_v4_sign());
}

/* Constants: a, b, and 7 b. */
typedef struct { factor f, f7; } constant;
static constant constant_of(dsp_ke r)
{
    const dsp_fe s = dsp_fe_mul(r.b, DSP_FE_CONST(DSP_NR));
    return (constant){factor_set(r.a, r.b), factor_set(s, s)};
}

/* c + x r */
DSP_INLINE ke4 muladd(ke4 c, ke4 x, const constant *r)
{
    const factor f = factor_of(x);
    digits       a = digits_of(c.a), b = digits_of(c.b);
    mac(&a, f.a, f.a1, r->f.a, r->f.a1);
    mac(&a, f.b, f.b1, r->f7.a, r->f7.a1);
    mac(&b, f.a, f.a1, r->f.b, r->f.b1);
    mac(&b, f.b, f.b1, r->f.a, r->f.a1);
    return (ke4){reduce(&a), reduce(&b)};
}

/* Sums over K: value (aa + 7 bb, ab). */
typedef struct { digits aa, bb, ab; } sum;
DSP_INLINE sum sum_zero(void) { return (sum){zero(), zero(), zero()}; }
DSP_INLINE void sum_mac(sum *s, factor x, factor y)
{
    mac(&s->aa, x.a, x.a1, y.a, y.a1);
    mac(&s->bb, x.b, x.b1, y.b, y.b1);
    mac(&s->ab, x.a, x.a1, y.b, y.b1);
    mac(&s->ab, x.b, x.b1, y.a, y.a1);
}
/* After at most two products: digits below 2 * 8 * 2^32 = 2^36. */
DSP_INLINE ke4 sum_reduce(sum s)
{
    add7(&s.aa, &s.bb);
    return (ke4){reduce(&s.aa), reduce(&s.ab)};
}

/* Long sums: digit sums stay below 2^63 for LONG vectors, then move to the total. */
enum { LONG = 1 << 24 };

static dsp_fe total_fe(const digits *s)
{
    const dsp_v4 c[4] = {s->c0, s->c1, s->c2, s->c3};
    dsp_fe       r = {0};
    for (int i = 4; i-- > 0;) {
        dsp_fe lane[4];
        dsp_v4_store(lane, c[i]);
        r = dsp_fe_reduce128((dsp_u128)r.v << 32);
        for (int k = 0; k < 4; k++)
            r = dsp_fe_add(r, dsp_fe_from_u64(lane[k].v));
    }
    return r;
}
static dsp_ke total(const sum *s)
{
    return (dsp_ke){dsp_fe_add(total_fe(&s->aa), dsp_fe_mul(total_fe(&s->bb), DSP_FE_CONST(DSP_NR))), total_fe(&s->ab)};
}

void dsp_ke_fold_avx2(dsp_ke *out, const dsp_ke *lo, const dsp_ke *hi, size_t n, dsp_ke r)
{
    const constant c = constant_of(r);
    size_t         i = 0;
    for (; i + 4 <= n; i += 4) {
        const ke4 x = load(lo + i);
        store(out + i, muladd(x, sub(load(hi + i), x), &c));
    }
    dsp_ke_fold_portable(out + i, lo + i, hi + i, n - i, r);
}

void dsp_fe_fold_avx2(dsp_ke *out, const dsp_fe *lo, const dsp_fe *hi, size_t n, dsp_ke r)
{
    const constant c = constant_of(r);
    size_t         i = 0;
    for (; i + 4 <= n; i += 4) {
        const dsp_v4 x = load_fe(lo + i), d = dsp_v4_sub(load_fe(hi + i), x), d1 = dsp_v4_upper(d);
        digits       a = digits_of(x), b = zero();
        mac(&a, d, d1, c.f.a, c.f.a1);
        mac(&b, d, d1, c.f.b, c.f.b1);
        store(out + i, (ke4){reduce(&a), reduce(&b)});
    }
    dsp_fe_fold_portable(out + i, lo + i, hi + i, n - i, r);
}

dsp_ke dsp_ke_dot_avx2(const dsp_ke *x, const dsp_ke *y, size_t n)
{
    dsp_ke r = dsp_ke_zero();
    size_t i = 0;
    while (i + 4 <= n) {
        sum s = sum_zero();
        for (size_t end = n - i > 4 * (size_t)LONG ? i + 4 * (size_t)LONG : n; i + 4 <= end; i += 4)
            sum_mac(&s, factor_of(load(x + i)), factor_of(load(y + i)));
        r = dsp_ke_add(r, total(&s));
    }
    return dsp_ke_add(r, dsp_ke_dot_portable(x + i, y + i, n - i));
}

dsp_ke dsp_ke_dot_fe_avx2(const dsp_ke *x, const dsp_fe *y, size_t n)
{
    dsp_ke r = dsp_ke_zero();
    size_t i = 0;
    while (i + 4 <= n) {
        sum s = sum_zero();
        for (size_t end = n - i > 4 * (size_t)LONG ? i + 4 * (size_t)LONG : n; i + 4 <= end; i += 4) {
            const factor f = factor_of(load(x + i));
            const dsp_v4 w = load_fe(y + i), w1 = dsp_v4_upper(w);
            mac(&s.aa, f.a, f.a1, w, w1);
            mac(&s.ab, f.b, f.b1, w, w1);
        }
        r = dsp_ke_add(r, total(&s));
    }
    return dsp_ke_add(r, dsp_ke_dot_fe_portable(x + i, y + i, n - i));
}

void dsp_ke_axpy_avx2(dsp_ke *acc, const dsp_ke *x, size_t n, dsp_ke c)
{
    const constant k = constant_of(c);
    size_t         i = 0;
    for (; i + 4 <= n; i += 4)
        store(acc + i, muladd(load(acc + i), load(x + i), &k));
    dsp_ke_axpy_portable(acc + i, x + i, n - i, c);
}

void dsp_ke_axpy_fe_avx2(dsp_ke *acc, const dsp_fe *x, size_t n, dsp_ke c)
{
    const constant k = constant_of(c);
    size_t         i = 0;
    for (; i + 4 <= n; i += 4) {
        const ke4    y = load(acc + i);
        const dsp_v4 w = load_fe(x + i), w1 = dsp_v4_upper(w);
        digits       a = digits_of(y.a), b = digits_of(y.b);
        mac(&a, w, w1, k.f.a, k.f.a1);
        mac(&b, w, w1, k.f.b, k.f.b1);
        store(acc + i, (ke4){reduce(&a), reduce(&b)});
    }
    dsp_ke_axpy_fe_portable(acc + i, x + i, n - i, c);
}

void dsp_round_fw_avx2(dsp_ke s[2], const dsp_ke *f_lo, const dsp_ke *f_hi, const dsp_ke *w_lo, const dsp_ke *w_hi, size_t n)
{
    size_t i = 0;
    dsp_ke r0 = dsp_ke_zero(), r2 = r0;
    while (i + 4 <= n) {
        sum s0 = sum_zero(), s2 = s0;
        for (size_t end = n - i > 4 * (size_t)LONG ? i + 4 * (size_t)LONG : n; i + 4 <= end; i += 4) {
            const ke4 f = load(f_lo + i), w = load(w_lo + i);
            sum_mac(&s0, factor_of(f), factor_of(w));
            sum_mac(&s2, factor_of(twice_minus(load(f_hi + i), f)), factor_of(twice_minus(load(w_hi + i), w)));
        }
        r0 = dsp_ke_add(r0, total(&s0));
        r2 = dsp_ke_add(r2, total(&s2));
    }
    dsp_round_fw_portable(s, f_lo + i, f_hi + i, w_lo + i, w_hi + i, n - i);
    s[0] = dsp_ke_add(s[0], r0);
    s[1] = dsp_ke_add(s[1], r2);
}

void dsp_round_fw_fe_avx2(dsp_ke s[2], const dsp_fe *f_lo, const dsp_fe *f_hi, const dsp_ke *w_lo, const dsp_ke *w_hi, size_t n)
{
    size_t i = 0;
    dsp_ke r0 = dsp_ke_zero(), r2 = r0;
    while (i + 4 <= n) {
        sum s0 = sum_zero(), s2 = s0;
        for (size_t end = n - i > 4 * (size_t)LONG ? i + 4 * (size_t)LONG : n; i + 4 <= end; i += 4) {
            const dsp_v4 f = load_fe(f_lo + i), h = load_fe(f_hi + i), g = dsp_v4_sub(dsp_v4_add(h, h), f);
            const dsp_v4 f1 = dsp_v4_upper(f), g1 = dsp_v4_upper(g);
            const ke4    w = load(w_lo + i);
            const factor x = factor_of(w), y = factor_of(twice_minus(load(w_hi + i), w));
            mac(&s0.aa, x.a, x.a1, f, f1);
            mac(&s0.ab, x.b, x.b1, f, f1);
            mac(&s2.aa, y.a, y.a1, g, g1);
            mac(&s2.ab, y.b, y.b1, g, g1);
        }
        r0 = dsp_ke_add(r0, total(&s0));
        r2 = dsp_ke_add(r2, total(&s2));
    }
    dsp_round_fw_fe_portable(s, f_lo + i, f_hi + i, w_lo + i, w_hi + i, n - i);
    s[0] = dsp_ke_add(s[0], r0);
    s[1] = dsp_ke_add(s[1], r2);
}

/* p0 q1 + q0 (p1 + lambda q1) */
DSP_INLINE ke4 fraction(ke4 p0, ke4 p1, ke4 q0, ke4 q1, const constant *lambda)
{
    sum s = sum_zero();
    sum_mac(&s, factor_of(p0), factor_of(q1));
    sum_mac(&s, factor_of(q0), factor_of(muladd(p1, q1, lambda)));
    return sum_reduce(s);
}

/* The rest of fewer than four pairs is copied to small arrays of the shape that the portable function expects. */
static void frac_rest(dsp_ke s[2], const dsp_ke *E, const dsp_ke *const x[4], size_t i, size_t h, size_t end, dsp_ke lambda)
{
    dsp_ke       t[4][6];
    const size_t n = end - i;
    for (size_t c = 0; c < 4; c++)
        for (size_t k = 0; k < n; k++) {
            t[c][k] = x[c][i + k];
            t[c][n + k] = x[c][h + i + k];
        }
    dsp_round_frac_portable(s, E + i, t[0], t[1], t[2], t[3], n, n, lambda);
}

void dsp_round_frac_avx2(dsp_ke s[2], const dsp_ke *E, const dsp_ke *p0, const dsp_ke *p1, const dsp_ke *q0, const dsp_ke *q1,
                         size_t h, size_t n, dsp_ke lambda)
{
    const constant      l = constant_of(lambda);
    const dsp_ke *const x[4] = {p0, p1, q0, q1};
    size_t              i = 0;
    dsp_ke              r0 = dsp_ke_zero(), r2 = r0;
    while (i + 4 <= n) {
        sum s0 = sum_zero(), s2 = s0;
        for (size_t end = n - i > 4 * (size_t)LONG ? i + 4 * (size_t)LONG : n; i + 4 <= end; i += 4) {
            const ke4    a = load(p0 + i), b = load(p1 + i), c = load(q0 + i), d = load(q1 + i);
            const factor e = factor_of(load(E + i));
            sum_mac(&s0, e, factor_of(fraction(a, b, c, d, &l)));
            sum_mac(&s2, e, factor_of(fraction(twice_minus(load(p0 + h + i), a), twice_minus(load(p1 + h + i), b),
                                               twice_minus(load(q0 + h + i), c), twice_minus(load(q1 + h + i), d), &l)));
        }
        r0 = dsp_ke_add(r0, total(&s0));
        r2 = dsp_ke_add(r2, total(&s2));
    }
    frac_rest(s, E, x, i, h, n, lambda);
    s[0] = dsp_ke_add(s[0], r0);
    s[1] = dsp_ke_add(s[1], r2);
}

/* the same with p0, p1 in F */
DSP_INLINE ke4 fraction_leaf(dsp_v4 p0, dsp_v4 p1, ke4 q0, ke4 q1, const constant *lambda)
{
    const factor f1 = factor_of(q1);
    const dsp_v4 p01 = dsp_v4_upper(p0);
    sum          s = sum_zero();
    mac(&s.aa, f1.a, f1.a1, p0, p01);
    mac(&s.ab, f1.b, f1.b1, p0, p01);
    sum_mac(&s, factor_of(q0), factor_of(muladd((ke4){p1, _mm256_setzero_si256()}, q1, lambda)));
    return sum_reduce(s);
}

static void leaf_rest(dsp_ke s[2], const dsp_ke *E, const dsp_fe *const p[2], const dsp_ke *const q[2], size_t i, size_t h, size_t end,
                      dsp_ke lambda)
{
    dsp_fe       t[2][6];
    dsp_ke       u[2][6];
    const size_t n = end - i;
    for (size_t c = 0; c < 2; c++)
        for (size_t k = 0; k < n; k++) {
            t[c][k] = p[c][i + k];
            t[c][n + k] = p[c][h + i + k];
            u[c][k] = q[c][i + k];
            u[c][n + k] = q[c][h + i + k];
        }
    dsp_round_leaf_portable(s, E + i, t[0], t[1], u[0], u[1], n, n, lambda);
}

DSP_INLINE dsp_v4 twice_minus_fe(dsp_v4 hi, dsp_v4 lo) { return dsp_v4_sub(dsp_v4_add(hi, hi), lo); }

void dsp_round_leaf_avx2(dsp_ke s[2], const dsp_ke *E, const dsp_fe *p0, const dsp_fe *p1, const dsp_ke *q0, const dsp_ke *q1,
                         size_t h, size_t n, dsp_ke lambda)
{
    const constant      l = constant_of(lambda);
    const dsp_fe *const p[2] = {p0, p1};
    const dsp_ke *const q[2] = {q0, q1};
    size_t              i = 0;
    dsp_ke              r0 = dsp_ke_zero(), r2 = r0;
    while (i + 4 <= n) {
        sum s0 = sum_zero(), s2 = s0;
        for (size_t end = n - i > 4 * (size_t)LONG ? i + 4 * (size_t)LONG : n; i + 4 <= end; i += 4) {
            const dsp_v4 a = load_fe(p0 + i), b = load_fe(p1 + i);
            const ke4    c = load(q0 + i), d = load(q1 + i);
            const factor e = factor_of(load(E + i));
            sum_mac(&s0, e, factor_of(fraction_leaf(a, b, c, d, &l)));
            sum_mac(&s2, e, factor_of(fraction_leaf(twice_minus_fe(load_fe(p0 + h + i), a), twice_minus_fe(load_fe(p1 + h + i), b),
                                                    twice_minus(load(q0 + h + i), c), twice_minus(load(q1 + h + i), d), &l)));
        }
        r0 = dsp_ke_add(r0, total(&s0));
        r2 = dsp_ke_add(r2, total(&s2));
    }
    leaf_rest(s, E, p, q, i, h, n, lambda);
    s[0] = dsp_ke_add(s[0], r0);
    s[1] = dsp_ke_add(s[1], r2);
}

void dsp_leaf_up_avx2(dsp_ke *p, dsp_ke *q, const dsp_fe *p0, const dsp_fe *p1, const dsp_ke *q0, const dsp_ke *q1, size_t n)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const factor f0 = factor_of(load(q0 + i)), f1 = factor_of(load(q1 + i));
        const dsp_v4 a = load_fe(p0 + i), b = load_fe(p1 + i), a1 = dsp_v4_upper(a), b1 = dsp_v4_upper(b);
        digits       x = zero(), y = x;
        sum          t = sum_zero();
        mac(&x, f1.a, f1.a1, a, a1);
        mac(&x, f0.a, f0.a1, b, b1);
        mac(&y, f1.b, f1.b1, a, a1);
        mac(&y, f0.b, f0.b1, b, b1);
        sum_mac(&t, f0, f1);
        store(p + i, (ke4){reduce(&x), reduce(&y)});
        store(q + i, sum_reduce(t));
    }
    dsp_leaf_up_portable(p + i, q + i, p0 + i, p1 + i, q0 + i, q1 + i, n - i);
}

void dsp_frac_up_avx2(dsp_ke *p, dsp_ke *q, const dsp_ke *p0, const dsp_ke *p1, const dsp_ke *q0, const dsp_ke *q1, size_t n)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const factor f0 = factor_of(load(q0 + i)), f1 = factor_of(load(q1 + i));
        sum          s = sum_zero(), t = s;
        sum_mac(&s, factor_of(load(p0 + i)), f1);
        sum_mac(&s, factor_of(load(p1 + i)), f0);
        sum_mac(&t, f0, f1);
        store(p + i, sum_reduce(s));
        store(q + i, sum_reduce(t));
    }
    dsp_frac_up_portable(p + i, q + i, p0 + i, p1 + i, q0 + i, q1 + i, n - i);
}
