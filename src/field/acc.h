/* Sums of products with one reduction at the end. The 64-bit halves of the products are summed apart, so that no carry is
 * lost: good for 2^60 products. */
#ifndef DSP_FIELD_ACC_H
#define DSP_FIELD_ACC_H

#include "field/fe.h"

typedef struct { dsp_u128 lo, hi; } dsp_acc;

static inline void dsp_acc_mac(dsp_acc *s, dsp_fe x, dsp_fe y)
{
    const dsp_u128 p = (dsp_u128)x.v * y.v;
    s->lo += (uint64_t)p;
    s->hi += (uint64_t)(p >> 64);
}

static inline void dsp_acc_add(dsp_acc *s, dsp_fe x) { s->lo += x.v; }

/* For sums of fewer than 2^31 products: then hi + carry < 2^96, and the part worth 2^128 = -2^32 has less than 32 bits. */
static inline dsp_fe dsp_acc_reduce_short(const dsp_acc *s)
{
#ifdef DSP_TOY_P
    return dsp_fe_reduce128(s->lo); /* the products have no high half */
#else
    const dsp_u128 h = s->hi + (uint64_t)(s->lo >> 64);
    const dsp_fe   r = dsp_fe_reduce128((dsp_u128)(uint64_t)h << 64 | (uint64_t)s->lo);
    return dsp_fe_sub(r, (dsp_fe){(uint64_t)(h >> 64) << 32});
#endif
}

static inline dsp_fe dsp_acc_reduce(const dsp_acc *s)
{
    const dsp_fe two64 = dsp_fe_reduce128((dsp_u128)1 << 64);
    return dsp_fe_add(dsp_fe_reduce128(s->lo), dsp_fe_mul(dsp_fe_reduce128(s->hi), two64));
}

/* Sums of products in K: a = aa + 7 bb, b = ab. */
typedef struct { dsp_acc aa, bb, ab; } dsp_acc_ke;

static inline void dsp_acc_ke_mac(dsp_acc_ke *s, dsp_ke x, dsp_ke y)
{
    dsp_acc_mac(&s->aa, x.a, y.a);
    dsp_acc_mac(&s->bb, x.b, y.b);
    dsp_acc_mac(&s->ab, x.a, y.b);
    dsp_acc_mac(&s->ab, x.b, y.a);
}

static inline void dsp_acc_ke_mac_fe(dsp_acc_ke *s, dsp_ke x, dsp_fe y)
{
    dsp_acc_mac(&s->aa, x.a, y);
    dsp_acc_mac(&s->ab, x.b, y);
}

static inline dsp_ke dsp_acc_ke_reduce(const dsp_acc_ke *s)
{
    const dsp_fe seven = DSP_FE_CONST(DSP_NR);
    return (dsp_ke){dsp_fe_add(dsp_acc_reduce(&s->aa), dsp_fe_mul(seven, dsp_acc_reduce(&s->bb))), dsp_acc_reduce(&s->ab)};
}

/* A factor that meets many others: b7 = 7 b, so that a product needs no other multiplication by 7. */
typedef struct { dsp_fe a, b, b7; } dsp_ke_factor;

static inline dsp_ke_factor dsp_ke_factor_of(dsp_ke x)
{
    return (dsp_ke_factor){x.a, x.b, dsp_fe_mul(x.b, DSP_FE_CONST(DSP_NR))};
}

/* The coordinates of c + sum of products, before reduction. */
typedef struct { dsp_acc a, b; } dsp_ke_sum;

static inline void dsp_ke_sum_mac(dsp_ke_sum *s, dsp_ke x, dsp_ke_factor y)
{
    dsp_acc_mac(&s->a, x.a, y.a);
    dsp_acc_mac(&s->a, x.b, y.b7);
    dsp_acc_mac(&s->b, x.a, y.b);
    dsp_acc_mac(&s->b, x.b, y.a);
}

static inline dsp_ke_sum dsp_ke_sum_from(dsp_ke c) { return (dsp_ke_sum){{c.a.v, 0}, {c.b.v, 0}}; }
static inline dsp_ke dsp_ke_sum_reduce(const dsp_ke_sum *s)
{
    return (dsp_ke){dsp_acc_reduce_short(&s->a), dsp_acc_reduce_short(&s->b)};
}

/* c + x y, and x y + z w */
static inline dsp_ke dsp_ke_muladd(dsp_ke c, dsp_ke x, dsp_ke_factor y)
{
    dsp_ke_sum s = dsp_ke_sum_from(c);
    dsp_ke_sum_mac(&s, x, y);
    return dsp_ke_sum_reduce(&s);
}
static inline dsp_ke dsp_ke_mul2(dsp_ke x, dsp_ke_factor y, dsp_ke z, dsp_ke_factor w)
{
    dsp_ke_sum s = {{0, 0}, {0, 0}};
    dsp_ke_sum_mac(&s, x, y);
    dsp_ke_sum_mac(&s, z, w);
    return dsp_ke_sum_reduce(&s);
}

#endif
