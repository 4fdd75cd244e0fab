/* The kernels over K eight elements at a time. Products are kept as sums of 52-bit limbs and reduced once (avx512.h). */
#include "field/avx512.h"
#include "field/variants.h"

/* Eight elements, coordinates apart, with their upper 12 bits moved down for the multiplier. Lane order is that of the two
 * unpack instructions, the same for every operand and undone by store. */
typedef struct { dsp_v8 a, b; } ke8;
typedef struct { dsp_v8 a, b, a1, b1; } factor;
typedef struct { dsp_v8 c0, c1, c2; } limbs;

DSP_INLINE ke8 load(const dsp_ke *p)
{
    const dsp_v8 x = dsp_v8_load(&p->a), y = dsp_v8_load(&p[4].a);
    return (ke8){_mm512_unpacklo_epi64(x, y), _mm512_unpackhi_epi64(x, y)};
}
DSP_INLINE void store(dsp_ke *p, ke8 x)
{
    dsp_v8_store(&p->a, _mm512_unpacklo_epi64(x.a, x.b));
    dsp_v8_store(&p[4].a, _mm512_unpackhi_epi64(x.a, x.b));
}
/* Eight words in the lane order of load. */
DSP_INLINE dsp_v8 load_fe(const dsp_fe *p)
{
    return _mm512_permutexvar_epi64(_mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0), dsp_v8_load(p));
}

DSP_INLINE factor factor_of(ke8 x) { return (factor){x.a, x.b, dsp_v8_upper(x.a), dsp_v8_upper(x.b)}; }
DSP_INLINE factor factor_set(dsp_fe a, dsp_fe b) { return factor_of((ke8){dsp_v8_set(a.v), dsp_v8_set(b.v)}); }
DSP_INLINE ke8    sub(ke8 x, ke8 y) { return (ke8){dsp_v8_sub(x.a, y.a), dsp_v8_sub(x.b, y.b)}; }
DSP_INLINE ke8    twice_minus(ke8 hi, ke8 lo)
{
    return (ke8){dsp_v8_sub(dsp_v8_add(hi.a, hi.a), lo.a), dsp_v8_sub(dsp_v8_add(hi.b, hi.b), lo.b)};
}

DSP_INLINE dsp_v8 plus(dsp_v8 x, dsp_v8 y) { return _mm512_add_epi64(x, y); }
DSP_INLINE dsp_v8 low(dsp_v8 x) { return _mm512_and_si512(x, dsp_v8_set((UINT64_C(1) << 52) - 1)); }

DSP_INLINE limbs zero(void)
{
    const dsp_v8 z = _mm512_setzero_si512();
    return (limbs){z, z, z};
}
DSP_INLINE limbs limbs_of(dsp_v8 x) { return (limbs){low(x), dsp_v8_upper(x), _mm512_setzero_si512()}; }

/* s += x y; x1, y1 the upper parts. Adds less than 2^52, 3 * 2^52 and 2^25 to the limbs. */
DSP_INLINE void mac(limbs *s, dsp_v8 x, dsp_v8 x1, dsp_v8 y, dsp_v8 y1)
{
    s->c0 = _mm512_madd52lo_epu64(s->c0, x, y);
    s->c1 = _mm512_madd52hi_epu64(s->c1, x, y);
    s->c1 = _mm512_madd52lo_epu64(s->c1, x, y1);
    s->c1 = _mm512_madd52lo_epu64(s->c1, x1, y);
    s->c2 = _mm512_madd52hi_epu64(s->c2, x, y1);
    s->c2 = _mm512_madd52hi_epu64(s->c2, x1, y);
    s->c2 = _mm512_madd52lo_epu64(s->c2, x1, y1);
}

DSP_INLINE dsp_v8 by7(dsp_v8 x) { return _mm512_sub_epi64(_mm512_slli_epi64(x, 3), x); }
DSP_INLINE void   add7(limbs *s, const limbs *t)
{
    s->c0 = plus(s->c0, by7(t->c0));
    s->c1 = plus(s->c1, by7(t->c1));
    s->c2 = plus(s->c2, by7(t->c2));
}

/* At most 16 products (c0 < 2^56, c1 < 2^58, c2 < 2^29): the one carry of c0 + (c1 mod 2^12) 2^52 is worth 2^32 - 1 and leaves
 * a number below 2^57, so a second cannot happen. */
DSP_INLINE dsp_v8 reduce(const limbs *s)
{
    const dsp_v8 h = _mm512_slli_epi64(s->c1, 52), lo = plus(s->c0, h);
    return dsp_v8_reduce(_mm512_mask_add_epi64(lo, _mm512_cmplt_epu64_mask(lo, h), lo, dsp_v8_set(0xffffffffu)), s->c1, s->c2);
}

/* Constants: a, b, and 7 b. */
typedef struct { factor f, f7; } constant;
static constant constant_of(dsp_ke r)
{
    const dsp_fe s = dsp_fe_mul(r.b, DSP_FE_CONST(DSP_NR));
    return (constant){factor_set(r.a, r.b), factor_set(s, s)};
}

/* c + x r */
DSP_INLINE ke8 muladd(ke8 c, ke8 x, const constant *r)
{
    const factor f = factor_of(x);
    limbs       a = limbs_of(c.a), b = limbs_of(c.b);
    mac(&a, f.a, f.a1, r->f.a, r->f.a1);
    mac(&a, f.b, f.b1, r->f7.a, r->f7.a1);
    mac(&b, f.a, f.a1, r->f.b, r->f.b1);
    mac(&b, f.b, f.b1, r->f.a, r->f.a1);
    return (ke8){reduce(&a), reduce(&b)};
}

/* Sums over K: value (aa + 7 bb, ab). */
typedef struct { limbs aa, bb, ab; } sum;
DSP_INLINE sum sum_zero(void) { return (sum){zero(), zero(), zero()}; }
DSP_INLINE void sum_mac(sum *s, factor x, factor y)
{
    mac(&s->aa, x.a, x.a1, y.a, y.a1);
    mac(&s->bb, x.b, x.b1, y.b, y.b1);
    mac(&s->ab, x.a, x.a1, y.b, y.b1);
    mac(&s->ab, x.b, x.b1, y.a, y.a1);
}
/* After at most two products: the weight of 16 products. */
DSP_INLINE ke8 sum_reduce(sum s)
{
    add7(&s.aa, &s.bb);
    return (ke8){reduce(&s.aa), reduce(&s.ab)};
}

/* Long sums: after LONG vectors, two products each, the limbs stay below 2^63 (512 * 6 * 2^52), then carries move up; c2
 * gains less than 2^36 each time. */
enum { LONG = 512 };

DSP_INLINE void carry(limbs *s)
{
    s->c1 = plus(s->c1, dsp_v8_upper(s->c0));
    s->c0 = low(s->c0);
    s->c2 = plus(s->c2, dsp_v8_upper(s->c1));
    s->c1 = low(s->c1);
}
DSP_INLINE void sum_carry(sum *s)
{
    carry(&s->aa);
    carry(&s->bb);
    carry(&s->ab);
}

static dsp_fe total_fe(const limbs *s)
{
    const dsp_v8 c[3] = {s->c0, s->c1, s->c2};
    dsp_fe       r = {0};
    for (int i = 3; i-- > 0;) {
        dsp_fe lane[8];
        dsp_v8_store(lane, c[i]);
        r = dsp_fe_reduce128((dsp_u128)r.v << 52);
        for (int k = 0; k < 8; k++)
            r = dsp_fe_add(r, dsp_fe_from_u64(lane[k].v));
    }
    return r;
}
static dsp_ke total(const sum *s)
{
    return (dsp_ke){dsp_fe_add(total_fe(&s->aa), dsp_fe_mul(total_fe(&s->bb), DSP_FE_CONST(DSP_NR))), total_fe(&s->ab)};
}

void dsp_ke_fold_avx512(dsp_ke *out, const dsp_ke *lo, const dsp_ke *hi, size_t n, dsp_ke r)
{
    const constant c = constant_of(r);
    size_t         i = 0;
    for (; i + 8 <= n; i += 8) {
        const ke8 x = load(lo + i);
        store(out + i, muladd(x, sub(load(hi + i), x), &c));
    }
    dsp_ke_fold_portable(out + i, lo + i, hi + i, n - i, r);
}

void dsp_fe_fold_avx512(dsp_ke *out, const dsp_fe *lo, const dsp_fe *hi, size_t n, dsp_ke r)
{
    const constant c = constant_of(r);
    size_t         i = 0;
    for (; i + 8 <= n; i += 8) {
        const dsp_v8 x = load_fe(lo + i), d = dsp_v8_sub(load_fe(hi + i), x), d1 = dsp_v8_upper(d);
        limbs       a = limbs_of(x), b = zero();
        mac(&a, d, d1, c.f.a, c.f.a1);
        mac(&b, d, d1, c.f.b, c.f.b1);
        store(out + i, (ke8){reduce(&a), reduce(&b)});
    }
    dsp_fe_fold_portable(out + i, lo + i, hi + i, n - i, r);
}

dsp_ke dsp_ke_dot_avx512(const dsp_ke *x, const dsp_ke *y, size_t n)
{
    size_t i = 0;
    sum s = sum_zero();
    while (i + 8 <= n) {
        for (size_t end = n - i > 8 * (size_t)LONG ? i + 8 * (size_t)LONG : n; i + 8 <= end; i += 8)
            sum_mac(&s, factor_of(load(x + i)), factor_of(load(y + i)));
        sum_carry(&s);
    }
    return dsp_ke_add(total(&s), dsp_ke_dot_portable(x + i, y + i, n - i));
}

dsp_ke dsp_ke_dot_fe_avx512(const dsp_ke *x, const dsp_fe *y, size_t n)
{
    size_t i = 0;
    sum s = sum_zero();
    while (i + 8 <= n) {
        for (size_t end = n - i > 8 * (size_t)LONG ? i + 8 * (size_t)LONG : n; i + 8 <= end; i += 8) {
            const factor f = factor_of(load(x + i));
            const dsp_v8 w = load_fe(y + i), w1 = dsp_v8_upper(w);
            mac(&s.aa, f.a, f.a1, w, w1);
            mac(&s.ab, f.b, f.b1, w, w1);
        }
        sum_carry(&s);
    }
    return dsp_ke_add(total(&s), dsp_ke_dot_fe_portable(x + i, y + i, n - i));
}

void dsp_ke_axpy_avx512(dsp_ke *acc, const dsp_ke *x, size_t n, dsp_ke c)
{
    const constant k = constant_of(c);
    size_t         i = 0;
    for (; i + 8 <= n; i += 8)
        store(acc + i, muladd(load(acc + i), load(x + i), &k));
    dsp_ke_axpy_portable(acc + i, x + i, n - i, c);
}

void dsp_ke_axpy_fe_avx512(dsp_ke *acc, const dsp_fe *x, size_t n, dsp_ke c)
{
    const constant k = constant_of(c);
    size_t         i = 0;
    for (; i + 8 <= n; i += 8) {
        const ke8    y = load(acc + i);
        const dsp_v8 w = load_fe(x + i), w1 = dsp_v8_upper(w);
        limbs       a = limbs_of(y.a), b = limbs_of(y.b);
        mac(&a, w, w1, k.f.a, k.f.a1);
        mac(&b, w, w1, k.f.b, k.f.b1);
        store(acc + i, (ke8){reduce(&a), reduce(&b)});
    }
    dsp_ke_axpy_fe_portable(acc + i, x + i, n - i, c);
}

void dsp_round_fw_avx512(dsp_ke s[2], const dsp_ke *f_lo, const dsp_ke *f_hi, const dsp_ke *w_lo, const dsp_ke *w_hi, size_t n)
{
    size_t i = 0;
    sum s0 = sum_zero(), s2 = s0;
    while (i + 8 <= n) {
        for (size_t end = n - i > 8 * (size_t)LONG ? i + 8 * (size_t)LONG : n; i + 8 <= end; i += 8) {
            const ke8 f = load(f_lo + i), w = load(w_lo + i);
            sum_mac(&s0, factor_of(f), factor_of(w));
            sum_mac(&s2, factor_of(twice_minus(load(f_hi + i), f)), factor_of(twice_minus(load(w_hi + i), w)));
        }
        sum_carry(&s0);
        sum_carry(&s2);
    }
    dsp_round_fw_portable(s, f_lo + i, f_hi + i, w_lo + i, w_hi + i, n - i);
    s[0] = dsp_ke_add(s[0], total(&s0));
    s[1] = dsp_ke_add(s[1], total(&s2));
}

void dsp_round_fw_fe_avx512(dsp_ke s[2], const dsp_fe *f_lo, const dsp_fe *f_hi, const dsp_ke *w_lo, const dsp_ke *w_hi, size_t n)
{
    size_t i = 0;
    sum s0 = sum_zero(), s2 = s0;
    while (i + 8 <= n) {
        for (size_t end = n - i > 8 * (size_t)LONG ? i + 8 * (size_t)LONG : n; i + 8 <= end; i += 8) {
            const dsp_v8 f = load_fe(f_lo + i), h = load_fe(f_hi + i), g = dsp_v8_sub(dsp_v8_add(h, h), f);
            const dsp_v8 f1 = dsp_v8_upper(f), g1 = dsp_v8_upper(g);
            const ke8    w = load(w_lo + i);
            const factor x = factor_of(w), y = factor_of(twice_minus(load(w_hi + i), w));
            mac(&s0.aa, x.a, x.a1, f, f1);
            mac(&s0.ab, x.b, x.b1, f, f1);
            mac(&s2.aa, y.a, y.a1, g, g1);
            mac(&s2.ab, y.b, y.b1, g, g1);
        }
        sum_carry(&s0);
        sum_carry(&s2);
    }
    dsp_round_fw_fe_portable(s, f_lo + i, f_hi + i, w_lo + i, w_hi + i, n - i);
    s[0] = dsp_ke_add(s[0], total(&s0));
    s[1] = dsp_ke_add(s[1], total(&s2));
}

/* p0 q1 + q0 (p1 + lambda q1) */
DSP_INLINE ke8 fraction(ke8 p0, ke8 p1, ke8 q0, ke8 q1, const constant *lambda)
{
    sum s = sum_zero();
    sum_mac(&s, factor_of(p0), factor_of(q1));
    sum_mac(&s, factor_of(q0), factor_of(muladd(p1, q1, lambda)));
    return sum_reduce(s);
}

/* The rest of fewer than eight pairs is copied to small arrays of the shape that the portable function expects. */
static void frac_rest(dsp_ke s[2], const dsp_ke *E, const dsp_ke *const x[4], size_t i, size_t h, size_t end, dsp_ke lambda)
{
    dsp_ke       t[4][14];
    const size_t n = end - i;
    for (size_t c = 0; c < 4; c++)
        for (size_t k = 0; k < n; k++) {
            t[c][k] = x[c][i + k];
            t[c][n + k] = x[c][h + i + k];
        }
    dsp_round_frac_portable(s, E + i, t[0], t[1], t[2], t[3], n, n, lambda);
}

void dsp_round_frac_avx512(dsp_ke s[2], const dsp_ke *E, const dsp_ke *p0, const dsp_ke *p1, const dsp_ke *q0, const dsp_ke *q1,
                         size_t h, size_t n, dsp_ke lambda)
{
    const constant      l = constant_of(lambda);
    const dsp_ke *const x[4] = {p0, p1, q0, q1};
    size_t              i = 0;
    sum s0 = sum_zero(), s2 = s0;
    while (i + 8 <= n) {
        for (size_t end = n - i > 8 * (size_t)LONG ? i + 8 * (size_t)LONG : n; i + 8 <= end; i += 8) {
            const ke8    a = load(p0 + i), b = load(p1 + i), c = load(q0 + i), d = load(q1 + i);
            const factor e = factor_of(load(E + i));
            sum_mac(&s0, e, factor_of(fraction(a, b, c, d, &l)));
            sum_mac(&s2, e, factor_of(fraction(twice_minus(load(p0 + h + i), a), twice_minus(load(p1 + h + i), b),
                                               twice_minus(load(q0 + h + i), c), twice_minus(load(q1 + h + i), d), &l)));
        }
        sum_carry(&s0);
        sum_carry(&s2);
    }
    frac_rest(s, E, x, i, h, n, lambda);
    s[0] = dsp_ke_add(s[0], total(&s0));
    s[1] = dsp_ke_add(s[1], total(&s2));
}

void dsp_frac_up_avx512(dsp_ke *p, dsp_ke *q, const dsp_ke *p0, const dsp_ke *p1, const dsp_ke *q0, const dsp_ke *q1, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
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

/* Numerators in F are met once per leaf, in the last layer's first round: four lanes do. A processor with AVX-512 has AVX2. */
void dsp_round_leaf_avx512(dsp_ke s[2], const dsp_ke *E, const dsp_fe *p0, const dsp_fe *p1, const dsp_ke *q0, const dsp_ke *q1,
                           size_t h, size_t n, dsp_ke lambda)
{
    dsp_round_leaf_avx2(s, E, p0, p1, q0, q1, h, n, lambda);
}

void dsp_leaf_up_avx512(dsp_ke *p, dsp_ke *q, const dsp_fe *p0, const dsp_fe *p1, const dsp_ke *q0, const dsp_ke *q1, size_t n)
{
    dsp_leaf_up_avx2(p, q, p0, p1, q0, q1, n);
}
