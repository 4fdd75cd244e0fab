#include "field/fe.h"

dsp_fe dsp_fe_pow(dsp_fe x, uint64_t e)
{
    dsp_fe r = {1};
    for (; e; e >>= 1, x = dsp_fe_mul(x, x))
        if (e & 1)
            r = dsp_fe_mul(r, x);
    return r;
}

#ifdef DSP_TOY_P
dsp_fe dsp_fe_inv(dsp_fe x) { return dsp_fe_pow(x, DSP_P - 2); }
#else
/* x^(2^n) */
static dsp_fe squares(dsp_fe x, unsigned n)
{
    while (n--)
        x = dsp_fe_mul(x, x);
    return x;
}

/* x^(p-2) by a chain of 63 squarings and 10 products; a name eN holds x^(2^N - 1).
 * p - 2 = (2^31 - 1) 2^33 + (2^32 - 1). */
dsp_fe dsp_fe_inv(dsp_fe x)
{
    const dsp_fe e2 = dsp_fe_mul(squares(x, 1), x), e3 = dsp_fe_mul(squares(e2, 1), x);
    const dsp_fe e6 = dsp_fe_mul(squares(e3, 3), e3), e12 = dsp_fe_mul(squares(e6, 6), e6);
    const dsp_fe e24 = dsp_fe_mul(squares(e12, 12), e12), e30 = dsp_fe_mul(squares(e24, 6), e6);
    const dsp_fe e31 = dsp_fe_mul(squares(e30, 1), x), e32 = dsp_fe_mul(squares(e31, 1), x);
    return dsp_fe_mul(squares(e31, 33), e32);
}
#endif

dsp_fe dsp_fe_root(uint64_t n) { return dsp_fe_pow(DSP_FE_CONST(DSP_NR), (DSP_P - 1) / n); }

/* 1/(a + bX) = (a - bX)/(a^2 - 7 b^2); the norm is 0 only for 0, since 7 is not a square. */
dsp_ke dsp_ke_inv(dsp_ke x)
{
    const dsp_fe n = dsp_fe_sub(dsp_fe_mul(x.a, x.a), dsp_fe_mul(DSP_FE_CONST(DSP_NR), dsp_fe_mul(x.b, x.b)));
    const dsp_fe d = dsp_fe_inv(n);
    return (dsp_ke){dsp_fe_mul(x.a, d), dsp_fe_mul(dsp_fe_neg(x.b), d)};
}

dsp_ke dsp_ke_pow(dsp_ke x, uint64_t e)
{
    dsp_ke r = dsp_ke_one();
    for (; e; e >>= 1, x = dsp_ke_mul(x, x))
        if (e & 1)
            r = dsp_ke_mul(r, x);
    return r;
}
