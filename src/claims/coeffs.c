/* The pad prover's coins and the coefficient rows they define (S8.6, S9), and the query positions (S8.7).
 *
 * Constraint l with form known + sum s_i d_i = 0 adds alpha_l s_i at variable i and -alpha_l known to the right-hand side. The
 * copies tie the product rows to the variables: for triple j and e = x, y, z: + alpha_q[3j+e] at slot j of row group e,
 * - alpha_q[3j+e] at the variable (V24). Source: Ames, Hazay, Ishai, Venkitasubramaniam, "Ligero" (CCS 2017), sections 4.1
 * to 4.3, over K; one sum for all constraints costs 1/|K| per coin vector.
 */
#include "claims/replay.h"

dsp_status dsp_pad_coeffs_draw(dsp_pad_coeffs *c, dsp_replay *r, dsp_err *err)
{
    const dsp_derived *D = r->D;
    const uint32_t     rows = D->pad_rows - 3, w = D->pad_w;
    dsp_ke            *al = DSP_ARENA_RAW(r->arena, dsp_ke, r->n_constraints), *aq = DSP_ARENA_RAW(r->arena, dsp_ke, 3 * (size_t)D->nprod);
    c->u = DSP_ARENA_RAW(r->arena, dsp_ke, rows);
    c->uq = DSP_ARENA_RAW(r->arena, dsp_ke, D->pad_nq);
    c->A = DSP_ARENA_N(r->arena, dsp_ke, (size_t)rows * w);
    c->b = dsp_ke_zero();
    if (!al || !aq || !c->u || !c->uq || !c->A)
        return dsp_fail(err, DSP_E_NOMEM, "pad prover: no memory for %u coefficient rows", rows);
    dsp_squeeze(&r->tr, DSP_Q_U_LDT, c->u, rows);
    dsp_squeeze(&r->tr, DSP_Q_ALPHA_L, al, r->n_constraints);
    dsp_squeeze(&r->tr, DSP_Q_ALPHA_Q, aq, 3 * (size_t)D->nprod);
    dsp_squeeze(&r->tr, DSP_Q_U_Q, c->uq, D->pad_nq);
#ifdef DSP_TEST_HOOKS
    for (uint32_t l = 0; l < r->n_constraints; l++)
        if (r->skip >> r->constraints[l].check & 1)
            al[l] = dsp_ke_zero();
    for (size_t i = 0; r->skip >> DSP_V24 & 1 && i < 3 * (size_t)D->nprod; i++)
        aq[i] = dsp_ke_zero();
#endif
    /* variable i stands in slot i of the rows laid end to end: row i / w, slot i % w */
    for (uint32_t l = 0; l < r->n_constraints; l++) {
        const dsp_aff *f = &r->constraints[l].form;
        for (uint32_t i = 0; i < f->n; i++)
            c->A[f->var[i]] = dsp_ke_add(c->A[f->var[i]], dsp_ke_mul(al[l], f->coef[i]));
        c->b = dsp_ke_sub(c->b, dsp_ke_mul(al[l], f->c));
    }
    for (uint32_t j = 0; j < D->nprod; j++) {
        const uint32_t var[3] = {D->triples[j][0], D->triples[j][1], D->npad + j};
        for (uint32_t e = 0; e < 3; e++) {
            const dsp_ke a = aq[3 * (size_t)j + e];
            dsp_ke      *slot = c->A + ((size_t)D->pad_nw + (size_t)e * D->pad_nq) * w + j;
            *slot = dsp_ke_add(*slot, a);
            c->A[var[e]] = dsp_ke_sub(c->A[var[e]], a);
        }
    }
    return DSP_OK;
}

dsp_status dsp_queries_draw(dsp_queries *q, dsp_replay *r, dsp_err *err)
{
    const dsp_derived *D = r->D;
    const dsp_key     *key = D->key;
    bool               ok = (q->q = DSP_ARENA_N(r->arena, uint32_t *, D->n_lengths)) != NULL;
    for (uint32_t i = 0; ok && i < D->n_lengths; i++)
        ok = (q->q[i] = DSP_ARENA_N(r->arena, uint32_t, D->lengths[i].t)) != NULL &&
             dsp_squeeze_indices(&r->tr, (uint16_t)(DSP_Q_QUERY + i), q->q[i], D->lengths[i].t, D->lengths[i].n);
    ok = ok && (q->qp = DSP_ARENA_N(r->arena, uint32_t, key->pad_t)) != NULL &&
         dsp_squeeze_indices(&r->tr, DSP_Q_QUERY_P, q->qp, key->pad_t, key->pad_n);
    return ok ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "queries: no memory");
}
