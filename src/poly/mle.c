#include "poly/poly.h"

/* The prefix of length 2^j becomes that of 2^(j+1): v becomes (v (1 - c), v c). Only the entries that lead to the first
 * d of 2^m are kept, ceil(d / 2^(m-j)) at step j, so nothing past out[d-1] is written. */
void dsp_eq_table_cut(dsp_ke *out, const dsp_ke *z, unsigned m, size_t d)
{
    if (d == 0)
        return;
    out[0] = dsp_ke_one();
    for (unsigned j = 0; j < m; j++) {
        const unsigned s = m - j;
        const size_t   have = s < 64 ? ((d - 1) >> s) + 1 : 1, want = ((d - 1) >> (s - 1)) + 1;
        for (size_t i = have; i-- > 0;) {
            const dsp_ke v = out[i], h = dsp_ke_mul(v, z[j]);
            if (2 * i + 1 < want)
                out[2 * i + 1] = h;
            out[2 * i] = dsp_ke_sub(v, h);
        }
    }
}

void dsp_eq_table(dsp_ke *out, const dsp_ke *z, unsigned m) { dsp_eq_table_cut(out, z, m, (size_t)1 << m); }

dsp_ke dsp_eq_index(const dsp_ke *z, unsigned m, uint64_t idx)
{
    dsp_ke r = dsp_ke_one();
    for (unsigned j = 0; j < m; j++)
        r = dsp_ke_mul(r, (idx >> (m - 1 - j) & 1) ? z[j] : dsp_ke_sub(dsp_ke_one(), z[j]));
    return r;
}

dsp_ke dsp_eq_point(const dsp_ke *z, const dsp_ke *x, unsigned m)
{
    dsp_ke r = dsp_ke_one();
    for (unsigned j = 0; j < m; j++) {
        const dsp_ke p = dsp_ke_mul(z[j], x[j]); /* z x + (1 - z)(1 - x) = 2 z x - z - x + 1 */
        r = dsp_ke_mul(r, dsp_ke_add(dsp_ke_sub(dsp_ke_sub(dsp_ke_add(p, p), z[j]), x[j]), dsp_ke_one()));
    }
    return r;
}

void dsp_lagrange(dsp_ke *w, dsp_ke r, unsigned d)
{
    for (unsigned i = 0; i <= d; i++) {
        dsp_ke  num = dsp_ke_one();
        int64_t den = 1;
        for (unsigned j = 0; j <= d; j++)
            if (j != i) {
                num = dsp_ke_mul(num, dsp_ke_sub(r, dsp_ke_from_i64(j)));
                den *= (int64_t)i - (int64_t)j;
            }
        w[i] = dsp_ke_scale(num, dsp_fe_inv(dsp_fe_from_i64(den)));
    }
}
