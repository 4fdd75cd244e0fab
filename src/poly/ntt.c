#include "base/mem.h"
#include "poly/poly.h"

struct dsp_ntt {
    unsigned log2_max;
    dsp_fe  *fwd, *inv; /* w^j and w^-j, j < 2^(log2_max - 1), w of order 2^log2_max */
    dsp_fe   scale[64]; /* 2^-m */
};

dsp_ntt *dsp_ntt_create(unsigned log2_max)
{
    if (log2_max > 40 || ((DSP_P - 1) & (((uint64_t)1 << log2_max) - 1)) != 0)
        return NULL;
    dsp_ntt *t = DSP_NEW(dsp_ntt);
    if (!t)
        return NULL;
    const size_t half = log2_max ? (size_t)1 << (log2_max - 1) : 1;
    t->log2_max = log2_max;
    t->fwd = DSP_NEW_N(dsp_fe, half);
    t->inv = DSP_NEW_N(dsp_fe, half);
    if (!t->fwd || !t->inv) {
        dsp_ntt_free(t);
        return NULL;
    }
    const dsp_fe w = dsp_fe_root((uint64_t)1 << log2_max), v = dsp_fe_inv(w), h = dsp_fe_inv(dsp_fe_from_i64(2));
    t->fwd[0] = t->inv[0] = t->scale[0] = (dsp_fe){1};
    for (size_t j = 1; j < half; j++) {
        t->fwd[j] = dsp_fe_mul(t->fwd[j - 1], w);
        t->inv[j] = dsp_fe_mul(t->inv[j - 1], v);
    }
    for (unsigned m = 1; m <= log2_max; m++)
        t->scale[m] = dsp_fe_mul(t->scale[m - 1], h);
    return t;
}

void dsp_ntt_free(dsp_ntt *t)
{
    if (!t)
        return;
    dsp_free(t->fwd);
    dsp_free(t->inv);
    dsp_free(t);
}

static size_t reversed(size_t i, unsigned m)
{
    size_t r = 0;
    for (unsigned k = 0; k < m; k++)
        r |= (i >> k & 1) << (m - 1 - k);
    return r;
}

/* Element i is the step words at a[i * step]: step 1 for F, 2 for K (the same map on both coordinates). */
static void transform(const dsp_ntt *t, const dsp_fe *tw, dsp_fe *a, unsigned m, size_t step)
{
    const size_t n = (size_t)1 << m;
    for (size_t i = 0; i < n; i++) {
        const size_t j = reversed(i, m);
        for (size_t c = 0; i < j && c < step; c++) {
            const dsp_fe x = a[i * step + c];
            a[i * step + c] = a[j * step + c];
            a[j * step + c] = x;
        }
    }
    for (unsigned l = 1; l <= m; l++) {
        const size_t h = (size_t)1 << (l - 1);
        for (size_t b = 0; b < n; b += 2 * h)
            for (size_t j = 0; j < h; j++) {
                const dsp_fe w = tw[j << (t->log2_max - l)];
                for (size_t c = 0; c < step; c++) {
                    dsp_fe      *x = &a[(b + j) * step + c], *y = &a[(b + h + j) * step + c];
                    const dsp_fe u = *x, v = dsp_fe_mul(*y, w);
                    *x = dsp_fe_add(u, v);
                    *y = dsp_fe_sub(u, v);
                }
            }
    }
}

static void inverse(const dsp_ntt *t, dsp_fe *a, unsigned m, size_t step)
{
    transform(t, t->inv, a, m, step);
    for (size_t i = 0; i < step << m; i++)
        a[i] = dsp_fe_mul(a[i], t->scale[m]);
}

void dsp_ntt_forward(const dsp_ntt *t, dsp_fe *a, unsigned m) { transform(t, t->fwd, a, m, 1); }
void dsp_ntt_inverse(const dsp_ntt *t, dsp_fe *a, unsigned m) { inverse(t, a, m, 1); }
void dsp_ntt_forward_ke(const dsp_ntt *t, dsp_ke *a, unsigned m) { transform(t, t->fwd, &a->a, m, 2); }
void dsp_ntt_inverse_ke(const dsp_ntt *t, dsp_ke *a, unsigned m) { inverse(t, &a->a, m, 2); }

void dsp_rs_encode(const dsp_ntt *t, dsp_fe *out, unsigned m, const dsp_fe *coef, size_t n_coef, dsp_fe coset)
{
    dsp_fe x = {1};
    for (size_t i = 0; i < (size_t)1 << m; i++) {
        out[i] = i < n_coef ? dsp_fe_mul(coef[i], x) : (dsp_fe){0};
        x = dsp_fe_mul(x, coset);
    }
    dsp_ntt_forward(t, out, m);
}

void dsp_rs_encode_ke(const dsp_ntt *t, dsp_ke *out, unsigned m, const dsp_ke *coef, size_t n_coef, dsp_fe coset)
{
    dsp_fe x = {1};
    for (size_t i = 0; i < (size_t)1 << m; i++) {
        out[i] = i < n_coef ? dsp_ke_scale(coef[i], x) : dsp_ke_zero();
        x = dsp_fe_mul(x, coset);
    }
    dsp_ntt_forward_ke(t, out, m);
}
