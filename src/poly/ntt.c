/* Transforms and codes over the passes of rows.h.
 *
 * A code of length n is four transforms of length h = n/4 side by side: with w of order n and q = 4 q' + s,
 *   value(q) = sum_{j<h} w^(sj) [sum_{i<4} c_{j+hi} i^(si)] w_h^(jq'),
 * so word s of row j is a transform of length 4 of the coefficients j, j+h, j+2h, j+3h times w^(sj), and the rows come out
 * with the values in natural order. Where only the first n/8 or n/16 coefficients are there, rows of 8 or 16 words save
 * another level: word s of row j is c_j w^(sj). */
#include "base/cpu.h"
#include "base/mem.h"
#include "poly/rows.h"

enum { MAX_LOG2 = 32 };

struct dsp_ntt {
    unsigned               log2_max;
    const dsp_row_kernels *k;
    dsp_fe                *words;               /* all factors */
    dsp_twiddles           tw[MAX_LOG2 + 1];    /* from 2 on */
    dsp_fe                 scale[MAX_LOG2 + 1]; /* 2^-m */
};

dsp_ntt *dsp_ntt_create(unsigned log2_max)
{
    if (log2_max > MAX_LOG2 || ((DSP_P - 1) & (((uint64_t)1 << log2_max) - 1)) != 0)
        return NULL;
    dsp_ntt *t = DSP_NEW(dsp_ntt);
    if (!t)
        return NULL;
    t->log2_max = log2_max;
    t->k = dsp_row_kernels_best(dsp_cpu_bits());
    /* 3 * 2^(m-2) words for m = 2 .. log2_max */
    t->words = DSP_NEW_N(dsp_fe, log2_max < 2 ? 1 : 3 * (((size_t)1 << (log2_max - 1)) - 1));
    if (!t->words) {
        dsp_ntt_free(t);
        return NULL;
    }
    dsp_fe *p = t->words;
    for (unsigned m = 2; m <= log2_max; m++) {
        const size_t h = (size_t)1 << (m - 2);
        const dsp_fe v = dsp_fe_root((uint64_t)1 << m);
        t->tw[m] = (dsp_twiddles){p, p + h, p + 2 * h};
        dsp_fe x = {1};
        for (size_t j = 0; j < h; j++, x = dsp_fe_mul(x, v)) {
            p[j] = x;
            p[h + j] = dsp_fe_mul(x, x);
            p[2 * h + j] = dsp_fe_mul(p[h + j], x);
        }
        p += 3 * h;
    }
    const dsp_fe half = dsp_fe_inv(dsp_fe_from_i64(2));
    t->scale[0] = (dsp_fe){1};
    for (unsigned m = 1; m <= log2_max; m++)
        t->scale[m] = dsp_fe_mul(t->scale[m - 1], half);
    return t;
}

void dsp_ntt_free(dsp_ntt *t)
{
    if (!t)
        return;
    dsp_free(t->words);
    dsp_free(t);
}

/* The next index in bit-reversed order: adds 1 at the top bit, carries run down. */
static inline size_t next_reversed(size_t r, size_t n)
{
    size_t bit = n >> 1;
    while (r & bit) {
        r ^= bit;
        bit >>= 1;
    }
    return r | bit;
}

static void swap_reversed(dsp_fe *a, unsigned m, size_t step)
{
    const size_t n = (size_t)1 << m;
    for (size_t i = 0, j = 0; i < n; i++, j = next_reversed(j, n))
        for (size_t c = 0; i < j && c < step; c++) {
            const dsp_fe x = a[i * step + c];
            a[i * step + c] = a[j * step + c];
            a[j * step + c] = x;
        }
}

static void forward(const dsp_ntt *t, dsp_fe *a, unsigned m, size_t step)
{
    swap_reversed(a, m, step);
    t->k->passes(a, m, step, t->tw);
}

/* The inverse is the forward transform with the indices 1 .. n-1 turned round, over n. */
static void inverse(const dsp_ntt *t, dsp_fe *a, unsigned m, size_t step)
{
    const size_t n = (size_t)1 << m;
    const dsp_fe s = t->scale[m];
    forward(t, a, m, step);
    for (size_t i = 0; i <= n / 2; i++) {
        const size_t j = (n - i) % n;
        for (size_t c = 0; c < step; c++) {
            const dsp_fe x = dsp_fe_mul(a[i * step + c], s), y = dsp_fe_mul(a[j * step + c], s);
            a[i * step + c] = y;
            a[j * step + c] = x;
        }
    }
}

void dsp_ntt_forward(const dsp_ntt *t, dsp_fe *a, unsigned m) { forward(t, a, m, 1); }
void dsp_ntt_inverse(const dsp_ntt *t, dsp_fe *a, unsigned m) { inverse(t, a, m, 1); }
void dsp_ntt_forward_ke(const dsp_ntt *t, dsp_ke *a, unsigned m) { forward(t, &a->a, m, 2); }
void dsp_ntt_inverse_ke(const dsp_ntt *t, dsp_ke *a, unsigned m) { inverse(t, &a->a, m, 2); }

/* Short codes: the coefficients with their powers of the coset, and a transform. */
static void encode_short(const dsp_ntt *t, dsp_fe *out, unsigned m, const dsp_fe *coef, size_t n_coef, dsp_fe coset, size_t co)
{
    dsp_fe x = {1};
    for (size_t i = 0; i < (size_t)1 << m; i++, x = dsp_fe_mul(x, coset))
        for (size_t c = 0; c < co; c++)
            out[i * co + c] = i < n_coef ? dsp_fe_mul(coef[i * co + c], x) : (dsp_fe){0};
    forward(t, out, m, co);
}

/* co: coordinates per element, 1 (F) or 2 (K). */
static void encode(const dsp_ntt *t, dsp_fe *out, unsigned m, const dsp_fe *coef, size_t n_coef, dsp_fe coset, size_t co)
{
    if (m < 4) {
        encode_short(t, out, m, coef, n_coef, coset, co);
        return;
    }
    unsigned lw = 2; /* rows of 2^lw words */
    while (lw < 4 && n_coef <= (size_t)1 << (m - lw - 1))
        lw++;
    const size_t       width = (size_t)1 << lw, h = (size_t)1 << (m - lw);
    const dsp_twiddles w = t->tw[m];
    const dsp_fe       turn = dsp_fe_pow(coset, h), turn2 = dsp_fe_mul(turn, turn), turn3 = dsp_fe_mul(turn2, turn);
    const bool         plain = coset.v == 1;
    dsp_fe             x = {1};
    for (size_t j = 0, r = 0; j < h; j++, r = next_reversed(r, h), x = plain ? x : dsp_fe_mul(x, coset)) {
        for (size_t c = 0; c < co; c++) {
            dsp_fe *row = out + r * width * co + c;
            if (j >= n_coef) {
                for (size_t s = 0; s < width; s++)
                    row[s * co] = (dsp_fe){0};
                continue;
            }
            dsp_fe c0 = coef[j * co + c], c1 = c0, c2 = c0, c3 = c0;
            if (!plain)
                c0 = c1 = c2 = c3 = dsp_fe_mul(c0, x);
            if (j + h < n_coef) { /* width 4 only */
                const size_t i1 = (j + h) * co + c, i2 = i1 + h * co, i3 = i2 + h * co;
                dsp_fe y1 = coef[i1], y2 = {0}, y3 = {0};
                if (j + 2 * h < n_coef)
                    y2 = coef[i2];
                if (j + 3 * h < n_coef)
                    y3 = coef[i3];
                if (!plain) {
                    y1 = dsp_fe_mul(dsp_fe_mul(y1, x), turn);
                    y2 = dsp_fe_mul(dsp_fe_mul(y2, x), turn2);
                    y3 = dsp_fe_mul(dsp_fe_mul(y3, x), turn3);
                }
                const dsp_fe u = dsp_fe_add(c0, y2), v = dsp_fe_sub(c0, y2);
                const dsp_fe y = dsp_fe_add(y1, y3), z = dsp_fe_mul_i(dsp_fe_sub(y1, y3));
                c0 = dsp_fe_add(u, y);
                c1 = dsp_fe_add(v, z);
                c2 = dsp_fe_sub(u, y);
                c3 = dsp_fe_sub(v, z);
            }
            row[0] = c0;
            row[co] = dsp_fe_mul(c1, w.v1[j]);
            row[2 * co] = dsp_fe_mul(c2, w.v2[j]);
            row[3 * co] = dsp_fe_mul(c3, w.v3[j]);
            if (width > 4) {
                const dsp_fe v4 = dsp_fe_mul(w.v2[j], w.v2[j]);
                for (size_t s = 4; s < width; s++)
                    row[s * co] = dsp_fe_mul(row[(s - 4) * co], v4);
            }
        }
    }
    t->k->passes(out, m - lw, width * co, t->tw);
}

void dsp_rs_encode(const dsp_ntt *t, dsp_fe *out, unsigned m, const dsp_fe *coef, size_t n_coef, dsp_fe coset)
{
    encode(t, out, m, coef, n_coef, coset, 1);
}

void dsp_rs_encode_ke(const dsp_ntt *t, dsp_ke *out, unsigned m, const dsp_ke *coef, size_t n_coef, dsp_fe coset)
{
    encode(t, &out->a, m, (const dsp_fe *)(const void *)coef, n_coef, coset, 2);
}
