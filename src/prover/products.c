/* Tables of the batched sumcheck: convolutions in mode 0, and zero-checks (S8.3). */
#include <string.h>

#include "prover/internal.h"

static dsp_ke *padded_ke(const dsp_prover *P, const uint32_t dims[3], const dsp_ke *v)
{
    dsp_ke *out = DSP_ARENA_N(P->arena, dsp_ke, (size_t)1 << dsp_dlog(dims));
    for (uint32_t c = 0; out && c < dims[0]; c++)
        for (uint32_t y = 0; y < dims[1]; y++)
            memcpy(out + dsp_padded_index(dims, c, y, 0), v + ((size_t)c * dims[1] + y) * dims[2], dims[2] * sizeof *v);
    return out;
}

/* scale * x + shift over the valid cells, 0 in padding; x as integers. */
static void padded_fe(dsp_fe *out, const uint32_t dims[3], const int64_t *x, int sign, int64_t shift)
{
    const dsp_fe s = dsp_fe_from_i64(shift);
    size_t       at = 0;
    for (uint32_t c = 0; c < dims[0]; c++)
        for (uint32_t y = 0; y < dims[1]; y++) {
            dsp_fe *line = out + dsp_padded_index(dims, c, y, 0);
            for (uint32_t k = 0; k < dims[2]; k++, at++) {
                const dsp_fe v = dsp_fe_from_i64(x[at]);
                line[k] = sign > 0 ? dsp_fe_add(v, s) : dsp_fe_sub(s, v);
            }
        }
}

static dsp_status add_conv(dsp_prover *P, const dsp_conv *cv, unsigned v, dsp_ke coef, dsp_err *err)
{
    const uint32_t *kd = cv->kd;
    dsp_ke         *z = DSP_ARENA_RAW(P->arena, dsp_ke, (size_t)kd[0] * kd[1] * kd[2]);
    if (!z)
        return dsp_fail(err, DSP_E_NOMEM, "products of a convolution: no memory");
    const dsp_status rc = dsp_conv_z(z, cv, P->w->cells[cv->term->view.x], P->arena, err);
    if (rc != DSP_OK)
        return rc;
    dsp_ke *a = padded_ke(P, kd, cv->A), *b = padded_ke(P, kd, z);
    if (!a || !b)
        return dsp_fail(err, DSP_E_NOMEM, "products of a convolution: no memory");
    dsp_batched_add_product(&P->s3, v, coef, a, b);
    return DSP_OK;
}

static dsp_status add_zero(dsp_prover *P, const dsp_replay *r, const dsp_member *m, dsp_ke coef, dsp_err *err)
{
    const dsp_derived *D = P->D;
    const dsp_op      *op = &D->key->ops[m->op];
    const dsp_tensor  *out = &D->tensors[op->out];
    const size_t       n = (size_t)1 << m->n_vars, cells = dsp_cells(out->dims);
    const int64_t     *q = P->w->cells[op->out];
    dsp_fe            *g1 = DSP_ARENA_N(P->arena, dsp_fe, n), *g2 = DSP_ARENA_N(P->arena, dsp_fe, n);
    if (!g1 || !g2)
        return dsp_fail(err, DSP_E_NOMEM, "zero-check of op '%s': no memory", op->name);
    if (op->kind == DSP_OP_LIN) {
        const bool upper = m->part == DSP_R_U;
        padded_fe(g1, out->dims, P->w->cells[D->op_side[m->op][upper ? 0 : 1]], 1, 0);
        if (upper)
            padded_fe(g2, out->dims, q, -1, out->hi);
        else
            padded_fe(g2, out->dims, q, 1, -out->lo);
    } else {
        int64_t *buf = DSP_ARENA_RAW(P->arena, int64_t, cells);
        if (!buf)
            return dsp_fail(err, DSP_E_NOMEM, "zero-check of op '%s': no memory", op->name);
        for (int i = 0; i < 2; i++) {
            const dsp_view   *v = i ? &op->b : &op->a;
            const dsp_tensor *x = &D->tensors[v->x];
            dsp_view_cells(buf, P->w->cells[v->x], x->dims, out->dims, v, x->lo);
            for (size_t k = 0; k < cells; k++)
                buf[k] = q[k] - buf[k];
            padded_fe(i ? g2 : g1, out->dims, buf, 1, 0);
        }
    }
    return dsp_batched_add_zero(&P->s3, P->arena, m->n_vars, coef, g1, g2, r->tau + (D->ntau - m->n_vars), err);
}

dsp_status dsp_prover_s3_begin(dsp_prover *P, const dsp_replay *r, dsp_err *err)
{
    const dsp_derived *D = P->D;
    dsp_prover_new_phase(P);
    dsp_status rc = dsp_batched_init(&P->s3, P->arena, D->M3, D->deg3, D->n_members, P->fk, err);
    dsp_ke coef = dsp_ke_one();
    for (uint32_t g = 0; rc == DSP_OK && g < D->n_groups; g++) {
        for (uint32_t i = 0; rc == DSP_OK && i < D->groups[g].n_members; i++) {
            const uint32_t    k = D->groups[g].member0 + i;
            const dsp_member *m = &D->members[k];
            if (m->term != DSP_NONE)
                rc = add_conv(P, r->member_conv[k], m->n_vars, coef, err);
            else
                rc = add_zero(P, r, m, coef, err);
        }
        coef = dsp_ke_mul(coef, r->eta);
    }
    return rc;
}
