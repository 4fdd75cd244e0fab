#include "pcs/pad.h"

#include <string.h>

#include "base/size.h"

void dsp_pad_on_h(dsp_ke *out, const dsp_ke *poly, size_t n, uint32_t k, const dsp_ntt *ntt)
{
    for (uint32_t i = 0; i < k; i++)
        out[i] = (size_t)i + k < n ? dsp_ke_add(poly[i], poly[i + k]) : i < n ? poly[i] : dsp_ke_zero();
    dsp_ntt_forward_ke(ntt, out, dsp_lg(k));
}

dsp_ke dsp_pad_slot_sum(const dsp_ke *poly, size_t n, uint32_t k, uint32_t t, const dsp_ntt *ntt, dsp_ke *scratch)
{
    dsp_pad_on_h(scratch, poly, n, k, ntt);
    dsp_ke s = dsp_ke_zero();
    for (uint32_t i = t; i < k; i++)
        s = dsp_ke_add(s, scratch[i]);
    return s;
}

/* Row `index` (after the blinding rows): t random values, then the slots [from, from + w) of v, 0 beyond the end. */
static void fill_row(dsp_pad_rows *p, const dsp_rand *rnd, uint32_t index, const dsp_ke *v, size_t n, size_t from)
{
    const dsp_pad_shape *s = &p->s;
    const size_t         w = s->k - s->t;
    dsp_ke              *row = p->row + (size_t)index * s->k;
    dsp_rand_ke(rnd, row, s->t, DSP_L_SLOT, index);
    p->drawn += 2 * (uint64_t)s->t;
    for (size_t i = 0; i < w; i++)
        row[s->t + i] = from + i < n ? v[from + i] : dsp_ke_zero();
    dsp_ntt_inverse_ke(p->ntt, row, dsp_lg(s->k));
}

static void blinding_rows(dsp_pad_rows *p, const dsp_rand *rnd, dsp_ke *scratch)
{
    const dsp_pad_shape *s = &p->s;
    const uint32_t       k = s->k, w = k - s->t;
    dsp_rand_ke(rnd, p->ldt, k, DSP_L_LDT, 0);
    /* slot values of DOT sum to 0: a constant moves every slot alike */
    dsp_rand_ke(rnd, p->dot, 2 * (size_t)k - 1, DSP_L_DOT, 0);
    const dsp_ke sum = dsp_pad_slot_sum(p->dot, 2 * (size_t)k - 1, k, s->t, p->ntt, scratch);
    p->dot[0] = dsp_ke_sub(p->dot[0], dsp_ke_scale(sum, dsp_fe_inv(dsp_fe_from_i64(w))));
    /* QUAD = lo + (X^k - 1) hi with zero slots in lo */
    dsp_ke *lo = p->quad, *hi = p->quad + k;
    dsp_rand_ke(rnd, lo, s->t, DSP_L_QUAD, 0);
    memset(lo + s->t, 0, w * sizeof *lo);
    dsp_ntt_inverse_ke(p->ntt, lo, dsp_lg(k));
    dsp_rand_ke(rnd, hi, k - 1, DSP_L_QUAD, 1);
    for (uint32_t i = 0; i + 1 < k; i++)
        lo[i] = dsp_ke_sub(lo[i], hi[i]);
    p->drawn += 2 * ((uint64_t)k + 2 * (uint64_t)k - 1 + s->t + k - 1);
}

dsp_status dsp_pad_commit(dsp_pad_rows *p, dsp_arena *a, const dsp_pad_shape *shape, const dsp_ntt *ntt, dsp_pool *pool,
                          const dsp_rand *rnd, const dsp_ke *values, size_t n_values, const dsp_ke *x, const dsp_ke *y,
                          const dsp_ke *z, size_t nprod, dsp_err *err)
{
    const uint32_t k = shape->k, n = shape->n, w = k - shape->t, rows = shape->n_rows - 3;
    const size_t   width = 16 * (size_t)shape->n_rows;
    *p = (dsp_pad_rows){.s = *shape, .ntt = ntt};
    p->ldt = DSP_ARENA_RAW(a, dsp_ke, k);
    p->dot = DSP_ARENA_RAW(a, dsp_ke, 2 * (size_t)k);
    p->quad = DSP_ARENA_RAW(a, dsp_ke, 2 * (size_t)k);
    p->row = DSP_ARENA_RAW(a, dsp_ke, (size_t)rows * k);
    dsp_ke     *scratch = DSP_ARENA_RAW(a, dsp_ke, k);
    dsp_row_ke *poly = DSP_ARENA_RAW(a, dsp_row_ke, shape->n_rows);
    uint8_t    *salts = DSP_ARENA_RAW(a, uint8_t, (size_t)n * DSP_SALT_BYTES);
    size_t      bytes = 0;
    uint8_t    *cols = dsp_mul_size(&bytes, n, width) ? DSP_ARENA_RAW(a, uint8_t, bytes) : NULL;
    if (!p->ldt || !p->dot || !p->quad || !p->row || !scratch || !poly || !salts || !cols)
        return dsp_fail(err, DSP_E_NOMEM, "pad tableau of %u rows of length %u: no memory", shape->n_rows, n);
    const dsp_ke *copy[3] = {x, y, z};
    uint32_t      r = 0;
    for (uint32_t i = 0; i < shape->nw; i++, r++)
        fill_row(p, rnd, r, values, n_values, (size_t)i * w);
    for (int e = 0; e < 3; e++)
        for (uint32_t i = 0; i < shape->nq; i++, r++)
            fill_row(p, rnd, r, copy[e], nprod, (size_t)i * w);
    blinding_rows(p, rnd, scratch);
    poly[0] = (dsp_row_ke){p->ldt, k};
    poly[1] = (dsp_row_ke){p->dot, 2 * (size_t)k - 1};
    poly[2] = (dsp_row_ke){p->quad, 2 * (size_t)k - 1};
    for (uint32_t i = 0; i < rows; i++)
        poly[3 + i] = (dsp_row_ke){p->row + (size_t)i * k, k};
    const dsp_status rc = dsp_code_columns_ke(cols, width, poly, shape->n_rows, ntt, dsp_lg(n), a, pool, err);
    if (rc != DSP_OK)
        return rc;
    dsp_tree_salts(salts, n, rnd, DSP_L_PAD_SALT, 0, pool);
    p->drawn += n;
    return dsp_tree_build(&p->tree, a, pool, DSP_TREE_P, n, width, cols, salts, err);
}

/* acc[i] += x[i] y[i] over 2k points, x and y of degree < k by their coefficients; both are overwritten by their values. */
static void mul_acc(dsp_ke *acc, dsp_ke *x, dsp_ke *y, uint32_t k, const dsp_ntt *ntt)
{
    const unsigned m = dsp_lg(k) + 1;
    memset(x + k, 0, k * sizeof *x);
    memset(y + k, 0, k * sizeof *y);
    dsp_ntt_forward_ke(ntt, x, m);
    dsp_ntt_forward_ke(ntt, y, m);
    for (uint32_t i = 0; i < 2 * k; i++)
        acc[i] = dsp_ke_add(acc[i], dsp_ke_mul(x[i], y[i]));
}

dsp_status dsp_pad_answer(dsp_ke *y_ldt, dsp_ke *y_dot, dsp_ke *y_q, const dsp_pad_rows *p, const dsp_ke *u, const dsp_ke *A,
                          const dsp_ke *uq, dsp_arena *a, dsp_err *err)
{
    const dsp_pad_shape *s = &p->s;
    const uint32_t       k = s->k, t = s->t, w = k - t, rows = s->n_rows - 3;
    const dsp_mark       mark = dsp_arena_mark(a);
    dsp_ke              *acc = DSP_ARENA_N(a, dsp_ke, 2 * (size_t)k), *x = DSP_ARENA_RAW(a, dsp_ke, 2 * (size_t)k);
    dsp_ke              *y = DSP_ARENA_RAW(a, dsp_ke, 2 * (size_t)k);
    if (!acc || !x || !y) {
        dsp_arena_rewind(a, mark);
        return dsp_fail(err, DSP_E_NOMEM, "answers of the pad tableau: no memory");
    }
    memcpy(y_ldt, p->ldt, k * sizeof *y_ldt);
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t i = 0; i < k; i++)
            y_ldt[i] = dsp_ke_add(y_ldt[i], dsp_ke_mul(u[r], p->row[(size_t)r * k + i]));

    for (uint32_t r = 0; r < rows; r++) {
        memset(x, 0, t * sizeof *x);
        memcpy(x + t, A + (size_t)r * w, w * sizeof *x);
        dsp_ntt_inverse_ke(p->ntt, x, dsp_lg(k));
        memcpy(y, p->row + (size_t)r * k, k * sizeof *y);
        mul_acc(acc, x, y, k, p->ntt);
    }
    dsp_ntt_inverse_ke(p->ntt, acc, dsp_lg(k) + 1);
    for (uint32_t i = 0; i < 2 * k - 1; i++)
        y_dot[i] = dsp_ke_add(p->dot[i], acc[i]);

    memset(acc, 0, 2 * (size_t)k * sizeof *acc);
    memcpy(y_q, p->quad, (2 * (size_t)k - 1) * sizeof *y_q);
    const dsp_ke *X = p->row + (size_t)s->nw * k, *Y = X + (size_t)s->nq * k, *Z = Y + (size_t)s->nq * k;
    for (uint32_t j = 0; j < s->nq; j++) {
        for (uint32_t i = 0; i < k; i++) {
            x[i] = dsp_ke_mul(dsp_ke_neg(uq[j]), X[(size_t)j * k + i]);
            y[i] = Y[(size_t)j * k + i];
            y_q[i] = dsp_ke_add(y_q[i], dsp_ke_mul(uq[j], Z[(size_t)j * k + i]));
        }
        mul_acc(acc, x, y, k, p->ntt);
    }
    dsp_ntt_inverse_ke(p->ntt, acc, dsp_lg(k) + 1);
    for (uint32_t i = 0; i < 2 * k - 1; i++)
        y_q[i] = dsp_ke_add(y_q[i], acc[i]);
    dsp_arena_rewind(a, mark);
    return DSP_OK;
}
