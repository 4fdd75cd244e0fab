/* The opening sumcheck over the virtual stack, and the masked openings of its trees (S8.4, S8.5). */
#include <string.h>

#include "prover/internal.h"

/* Cells of the rows that a tree commits to. */
static uint64_t tree_cells(const dsp_tree_info *t) { return (uint64_t)t->R * t->C; }

#ifdef DSP_TEST_HOOKS
static dsp_ke claimed(const dsp_prover *P, const dsp_aff *f)
{
    dsp_ke v = f->c;
    for (uint32_t i = 0; i < f->n; i++)
        v = dsp_ke_add(v, dsp_ke_mul(f->coef[i], P->pad[f->var[i]]));
    return v;
}
#endif

dsp_status dsp_prover_op_begin(dsp_prover *P, const dsp_replay *r, dsp_err *err)
{
    const dsp_derived *D = P->D;
    uint64_t           live = 1;
    dsp_prover_new_phase(P);
    for (uint32_t i = 0; i < D->n_trees; i++)
        if (D->trees[i].base + tree_cells(&D->trees[i]) > live)
            live = D->trees[i].base + tree_cells(&D->trees[i]);
    dsp_status rc = dsp_inner_init(&P->op, P->arena, D->M, live, P->fk, err);
    if (rc != DSP_OK)
        return rc;
    for (uint32_t i = 0; i < D->n_trees; i++) {
        const dsp_tree_info *t = &D->trees[i];
        for (size_t row = 0; row < t->R; row++)
            memcpy(P->op.F + t->base + row * t->C, P->rows[i] + row * t->k, t->C * sizeof(dsp_fe));
    }
    dsp_ke w = dsp_ke_one();
    for (uint32_t c = 0; c < r->n_ledger; c++) {
        const dsp_claim *cl = &r->ledger[c];
        for (uint32_t i = 0; i < cl->n_terms; i++) {
            const dsp_functional *f = &cl->terms[i];
            const dsp_mark        mark = dsp_arena_mark(P->arena);
            rc = dsp_functional_add(P->op.W + D->trees[D->tensor_tree[f->tensor]].base + D->tensor_off[f->tensor], f, w, P->arena, err);
            dsp_arena_rewind(P->arena, mark);
            if (rc != DSP_OK)
                return rc;
        }
#ifdef DSP_TEST_HOOKS
        P->claim = dsp_ke_add(P->claim, dsp_ke_mul(w, claimed(P, &cl->value)));
#endif
        w = dsp_ke_mul(w, r->op_lambda);
    }
    return DSP_OK;
}

/* The point's last m coordinates. */
static const dsp_ke *tree_point(const dsp_derived *D, const dsp_replay *r, const dsp_tree_info *t) { return r->r + (D->M - t->m); }

typedef struct { dsp_ke *acc; const dsp_fe *rows; const dsp_ke *c; uint32_t R; size_t k, per; const dsp_field_kernels *fk; } combine_job;

static void combine_part(void *arg, size_t i, unsigned thread)
{
    const combine_job *j = arg;
    const size_t       at = i * j->per, n = j->k - at < j->per ? j->k - at : j->per;
    (void)thread;
    for (uint32_t r = 0; r < j->R; r++)
        j->fk->ke_axpy_fe(j->acc + at, j->rows + r * j->k + at, n, j->c[r]);
}

/* acc += sum_r c_r row_r of tree i. */
static void combine(const dsp_prover *P, uint32_t i, dsp_ke *acc, const dsp_ke *c)
{
    const dsp_tree_info *t = &P->D->trees[i];
    combine_job          j = {acc, P->rows[i], c, t->R, t->k, 512, P->fk};
    dsp_pool_run(P->pool, (j.k + j.per - 1) / j.per, combine_part, &j);
}

void dsp_prover_y(dsp_prover *P, const dsp_replay *r, dsp_ke *v)
{
    const dsp_derived *D = P->D;
    for (uint32_t i = 0; i < D->n_trees; i++) {
        const dsp_tree_info *t = &D->trees[i];
        dsp_eq_table(P->eq_col[i], tree_point(D, r, t) + t->lr, t->lc);
        combine(P, i, P->lc[i], r->a[i]);
        v[i] = P->fk->ke_dot(P->eq_col[i], P->lc[i], t->C);
    }
#ifdef DSP_TEST_HOOKS
    if (CHEAT(P, yshift)) { /* y of A such that C = W sum e_i y_i */
        const uint32_t last = D->n_trees - 1;
        dsp_ke         sum = dsp_ke_mul(P->claim, dsp_ke_inv(P->op.W[0])), e = dsp_ke_zero();
        for (uint32_t i = 0; i <= last; i++) {
            e = dsp_eq_index(r->r, D->M - D->trees[i].m, D->trees[i].base >> D->trees[i].m);
            sum = dsp_ke_sub(sum, dsp_ke_mul(e, v[i]));
        }
        P->shift = dsp_ke_mul(sum, dsp_ke_inv(e));
        v[last] = dsp_ke_add(v[last], P->shift);
    }
#endif
}

void dsp_prover_sigma(dsp_prover *P, dsp_ke *v)
{
    const dsp_ke X = {{0}, {1}};
    for (uint32_t i = 0; i < P->D->n_trees; i++) {
        const dsp_tree_info *t = &P->D->trees[i];
        const dsp_fe        *g = P->mask[i];
        v[i] = dsp_ke_add(P->fk->ke_dot_fe(P->eq_col[i], g, t->C), dsp_ke_mul(X, P->fk->ke_dot_fe(P->eq_col[i], g + t->k, t->C)));
    }
}

void dsp_prover_u(dsp_prover *P, const dsp_replay *r, dsp_ke *v)
{
    const uint32_t i = r->tree;
    const size_t   k = P->D->trees[i].k;
    const dsp_fe  *g = P->mask[i];
    for (size_t j = 0; j < k; j++)
        v[j] = (dsp_ke){g[j], g[k + j]};
    P->fk->ke_axpy(v, P->lc[i], k, r->gamma);
#ifdef DSP_TEST_HOOKS
    if (CHEAT(P, ufix) && i + 1 == P->D->n_trees)
        v[0] = dsp_ke_add(v[0], dsp_ke_mul(dsp_ke_mul(r->gamma, P->shift), dsp_ke_inv(P->eq_col[i][0])));
#endif
}

void dsp_prover_u2(dsp_prover *P, const dsp_replay *r, dsp_ke *v)
{
    const uint32_t i = r->tree;
    const size_t   k = P->D->trees[i].k;
    const dsp_fe  *g = P->mask[i] + 2 * k;
    const dsp_ke  *rho = r->row_rho;
    for (uint32_t t = 0; t < i; t++)
        rho += P->D->trees[t].R;
    for (size_t j = 0; j < k; j++)
        v[j] = (dsp_ke){g[j], g[k + j]};
    combine(P, i, v, rho);
#ifdef DSP_TEST_HOOKS
    if (CHEAT(P, u2))
        v[0] = dsp_ke_add(v[0], dsp_ke_one());
#endif
}
