#include "claims/replay.h"

#include <string.h>

#include "base/cpu.h"
#include "claims/claims.h"

static dsp_status no_memory(dsp_err *err) { return dsp_fail(err, DSP_E_NOMEM, "replay: no memory"); }

static bool skipped(const dsp_replay *r, unsigned check)
{
#ifdef DSP_TEST_HOOKS
    return r->skip >> check & 1;
#else
    (void)r;
    (void)check;
    return false;
#endif
}

/* How many constraints and claims the key can give at most. */
static uint32_t constraint_bound(const dsp_derived *D)
{
    uint64_t n = (uint64_t)D->nu + 4 + D->n_trees + D->n_segs + D->n_ranges + D->n_used;
    for (uint32_t i = 0; i < D->key->n_ops; i++)
        n += (uint64_t)D->key->ops[i].n_terms + 4;
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

dsp_status dsp_replay_init(dsp_replay *r, dsp_arena *arena, const dsp_derived *D, const dsp_slice_statement *st, dsp_err *err)
{
    memset(r, 0, sizeof *r);
    r->D = D;
    r->st = st;
    r->arena = arena;
    r->fk = dsp_field_kernels_best(dsp_cpu_bits());
    size_t rows = 0;
    for (uint32_t i = 0; i < D->n_trees; i++)
        rows += D->trees[i].R;
    r->roots = DSP_ARENA_N(arena, dsp_digest, (size_t)D->n_lengths + 2);
    r->sent = DSP_ARENA_N(arena, dsp_ke, D->npad);
    r->tau = DSP_ARENA_N(arena, dsp_ke, D->ntau);
    r->xi = DSP_ARENA_N(arena, dsp_ke, D->nu);
    r->rho = DSP_ARENA_N(arena, dsp_ke, D->nu);
    r->rho3 = DSP_ARENA_N(arena, dsp_ke, D->M3);
    r->member_conv = DSP_ARENA_N(arena, dsp_conv *, D->n_members);
    r->r = DSP_ARENA_N(arena, dsp_ke, D->M);
    r->row_rho = DSP_ARENA_N(arena, dsp_ke, rows);
    r->a = DSP_ARENA_N(arena, dsp_ke *, D->n_trees);
    r->u = DSP_ARENA_N(arena, dsp_ke *, D->n_trees);
    r->u2 = DSP_ARENA_N(arena, dsp_ke *, D->n_trees);
    r->constraints = DSP_ARENA_N(arena, dsp_constraint, constraint_bound(D));
    if (!r->roots || !r->sent || !r->tau || !r->xi || !r->rho || !r->rho3 || !r->member_conv || !r->r || !r->row_rho || !r->a ||
        !r->u || !r->u2 || !r->constraints)
        return no_memory(err);
    for (uint32_t i = 0; i < D->n_trees; i++) {
        r->a[i] = DSP_ARENA_N(arena, dsp_ke, D->trees[i].R);
        r->u[i] = DSP_ARENA_N(arena, dsp_ke, D->trees[i].k);
        r->u2[i] = DSP_ARENA_N(arena, dsp_ke, D->trees[i].k);
        if (!r->a[i] || !r->u[i] || !r->u2[i])
            return no_memory(err);
    }
    dsp_transcript_init(&r->tr);
    r->S = dsp_statement_absorb(&r->tr, D->key, st);
    return DSP_OK;
}

/* The next n hidden values: asked for, kept, absorbed. *first: index of their first pad. */
static dsp_status hidden(dsp_replay *r, const dsp_party *p, uint16_t id, size_t n, uint32_t *first, dsp_err *err)
{
    if (n > r->D->npad - r->n_sent)
        return dsp_fail(err, DSP_E_BUG, "replay: message %02x needs more than the %u pads of the key", id, r->D->npad);
    const dsp_status st = p->message(p->arg, r, id, r->sent + r->n_sent, n, r->n_sent, err);
    if (st != DSP_OK)
        return st;
    dsp_absorb_ke(&r->tr, id, r->sent + r->n_sent, n);
    *first = r->n_sent;
    r->n_sent += (uint32_t)n;
    return DSP_OK;
}

/* acc += w * (hidden i) * (hidden j), by the next product variable: f^ g^ + f^ d_j + g^ d_i + d_z. */
static dsp_status product(dsp_builder *b, uint32_t i, uint32_t j, dsp_ke w, dsp_err *err)
{
    dsp_replay        *r = b->r;
    const dsp_derived *D = r->D;
    if (r->n_products >= D->nprod || D->triples[r->n_products][0] != i || D->triples[r->n_products][1] != j)
        return dsp_fail(err, DSP_E_BUG, "replay: product %u of pads %u, %u is not the key's", r->n_products, i, j);
    const dsp_ke fw = dsp_ke_mul(r->sent[i], w);
    dsp_acc_const(&b->acc, dsp_ke_mul(fw, r->sent[j]));
    dsp_acc_var(&b->acc, i, dsp_ke_mul(r->sent[j], w));
    dsp_acc_var(&b->acc, j, fw);
    dsp_acc_var(&b->acc, D->npad + r->n_products++, w);
    return DSP_OK;
}

/* Lagrange weights of the nodes 0 .. d at x for d = 2, 3. */
static void weights(dsp_ke *w, dsp_ke x, unsigned d, dsp_fe half, dsp_fe sixth)
{
    const dsp_ke one = dsp_ke_one(), x1 = dsp_ke_sub(x, one), x2 = dsp_ke_sub(x1, one);
    const dsp_ke a = dsp_ke_mul(x1, x2), b = dsp_ke_mul(x, x2), c = dsp_ke_mul(x, x1);
    if (d == 2) {
        w[0] = dsp_ke_scale(a, half);
        w[1] = dsp_ke_neg(b);
        w[2] = dsp_ke_scale(c, half);
        return;
    }
    const dsp_ke x3 = dsp_ke_sub(x2, one);
    w[0] = dsp_ke_neg(dsp_ke_scale(dsp_ke_mul(a, x3), sixth));
    w[1] = dsp_ke_scale(dsp_ke_mul(b, x3), half);
    w[2] = dsp_ke_neg(dsp_ke_scale(dsp_ke_mul(c, x3), half));
    w[3] = dsp_ke_scale(dsp_ke_mul(c, x2), sixth);
}

/* A sumcheck's claim after its rounds: C <- w_C C + sum_i w_i (hidden i) per round. The products of the later rounds' w_C
 * are multiplied from the end, so every coefficient is touched once. */
typedef struct { dsp_ke c, h[3]; uint32_t first; } round_map;

/* acc += the rounds' part; returns the factor of the starting claim. n_h hidden values per round. */
static dsp_ke rounds_end(dsp_builder *b, const round_map *m, uint32_t n, unsigned n_h)
{
    dsp_ke scale = dsp_ke_one();
    for (uint32_t t = n; t-- > 0;) {
        for (unsigned i = 0; i < n_h; i++)
            dsp_hidden(b, m[t].first + i, dsp_ke_mul(scale, m[t].h[i]));
        scale = dsp_ke_mul(scale, m[t].c);
    }
    return scale;
}

/* inv[i] = 1 / x[i] by one inversion; all x non-zero. */
static void invert_all(dsp_ke *inv, const dsp_ke *x, uint32_t n)
{
    dsp_ke p = dsp_ke_one();
    for (uint32_t i = 0; i < n; i++) {
        inv[i] = p;
        p = dsp_ke_mul(p, x[i]);
    }
    p = dsp_ke_inv(p);
    for (uint32_t i = n; i-- > 0;) {
        inv[i] = dsp_ke_mul(inv[i], p);
        p = dsp_ke_mul(p, x[i]);
    }
}

/* ------------------------------------------------------------------ S8.1 */

static dsp_status roots(dsp_replay *r, const dsp_party *p, dsp_err *err)
{
    uint32_t n = 2;
    for (uint32_t i = 0; i < r->D->n_lengths; i++)
        n += r->D->lengths[i].is_mask;
    for (r->n_roots = 0; r->n_roots < n;) {
        const dsp_status st = p->digest(p->arg, r, &r->roots[r->n_roots], err);
        if (st != DSP_OK)
            return st;
        dsp_absorb_digest(&r->tr, DSP_M_ROOT, &r->roots[r->n_roots++]);
    }
    dsp_absorb_digest(&r->tr, DSP_M_AGAIN, &r->S);
    return DSP_OK;
}

/* ------------------------------------------------------------------ S8.2 */

/* V8, V9: the claims P, Q at xi against the leaves: (1, alpha - tag - beta x [- beta^2 y]) on segments' valid cells,
 * (-mult, fingerprint) on tables, (0, 1) on filler. v: pads of p0, p1, q0, q1 of the last layer. */
static dsp_status leaves(dsp_builder *b, uint32_t v, dsp_ke mu, dsp_err *err)
{
    dsp_replay        *r = b->r;
    const dsp_derived *D = r->D;
    const dsp_ke       one = dsp_ke_one(), nu1 = dsp_ke_sub(one, mu), beta2 = dsp_ke_mul(r->beta, r->beta);
    dsp_ke             filler = one, pconst = dsp_ke_zero();
    dsp_status         st;
    /* numerators: p - sum e_s valid~ + sum e_t mult~ */
    dsp_hidden(b, v, nu1);
    dsp_hidden(b, v + 1, mu);
    for (uint32_t i = 0; i < D->n_segs; i++) {
        const dsp_segment *s = &D->segs[i];
        const dsp_ke      *z;
        if ((st = dsp_last(&z, r->xi, D->nu, s->log2, err)) != DSP_OK)
            return st;
        const dsp_ke e = dsp_eq_index(r->xi, D->nu - s->log2, s->offset >> s->log2);
        pconst = dsp_ke_add(pconst, dsp_ke_mul(e, dsp_valid_at(s->dims, z)));
    }
    dsp_acc_const(&b->acc, dsp_ke_neg(pconst));
    for (uint32_t i = 0; i < D->n_used; i++)
        dsp_hidden(b, b->hm0 + i, dsp_eq_index(r->xi, D->nu - D->used[i].log2, D->used[i].offset >> D->used[i].log2));
    if ((st = dsp_constrain(b, DSP_V8, err)) != DSP_OK)
        return st;
    /* denominators: q - sum e (alpha - tag - beta x~ - beta^2 y~) - (1 - sum e) */
    dsp_hidden(b, v + 2, nu1);
    dsp_hidden(b, v + 3, mu);
    for (uint32_t i = 0; i < D->n_segs; i++) {
        const dsp_segment *s = &D->segs[i];
        const dsp_ke       e = dsp_eq_index(r->xi, D->nu - s->log2, s->offset >> s->log2);
        filler = dsp_ke_sub(filler, e);
        dsp_acc_const(&b->acc, dsp_ke_neg(dsp_ke_mul(e, dsp_ke_sub(r->alpha, dsp_ke_from_i64((int64_t)s->table + 1)))));
        dsp_hidden(b, b->h0 + s->col0, dsp_ke_mul(e, r->beta));
        if (s->n_cols == 2)
            dsp_hidden(b, b->h0 + s->col0 + 1, dsp_ke_mul(e, beta2));
    }
    for (uint32_t i = 0; i < D->n_used; i++) {
        const dsp_used_table *t = &D->used[i];
        const dsp_table      *tab = &D->key->tables[t->table];
        const dsp_ke          e = dsp_eq_index(r->xi, D->nu - t->log2, t->offset >> t->log2);
        const dsp_ke         *z;
        dsp_ke                fp = dsp_ke_zero();
        if ((st = dsp_last(&z, r->xi, D->nu, t->log2, err)) != DSP_OK)
            return st;
        if (tab->kind == DSP_TABLE_RANGE) { /* x~ = sum 2^(w-1-j) z_j */
            for (unsigned j = 0; j < t->log2; j++)
                fp = dsp_ke_add(dsp_ke_add(fp, fp), z[j]);
            fp = dsp_ke_mul(fp, r->beta);
        } else {
            const dsp_mark mark = dsp_arena_mark(r->arena);
            const size_t   n = (size_t)1 << t->log2;
            dsp_ke        *eq = DSP_ARENA_RAW(r->arena, dsp_ke, n), xs = dsp_ke_zero(), ys = dsp_ke_zero();
            if (!eq)
                return no_memory(err);
            dsp_eq_table(eq, z, t->log2);
            for (size_t j = 0; j < n; j++) {
                xs = dsp_ke_add(xs, dsp_ke_scale(eq[j], dsp_fe_from_i64(tab->pairs[2 * j])));
                ys = dsp_ke_add(ys, dsp_ke_scale(eq[j], dsp_fe_from_i64(tab->pairs[2 * j + 1])));
            }
            dsp_arena_rewind(r->arena, mark);
            fp = dsp_ke_add(dsp_ke_mul(r->beta, xs), dsp_ke_mul(beta2, ys));
        }
        filler = dsp_ke_sub(filler, e);
        const dsp_ke tag = dsp_ke_from_i64((int64_t)t->table + 1);
        dsp_acc_const(&b->acc, dsp_ke_neg(dsp_ke_mul(e, dsp_ke_sub(dsp_ke_sub(r->alpha, tag), fp))));
    }
    dsp_acc_const(&b->acc, dsp_ke_neg(filler));
    return dsp_constrain(b, DSP_V9, err);
}

/* One layer of the tree: rounds, values, constraint V6 or V7; then the claim at the next layer's point. v: pads of the values. */
static dsp_status layer(dsp_builder *b, const dsp_party *p, round_map *map, dsp_ke *inv, uint32_t *v, dsp_ke *mu, dsp_fe sixth, dsp_err *err)
{
    dsp_replay  *r = b->r;
    const dsp_ke one = dsp_ke_one();
    uint32_t     prev = *v; /* values of the layer above: the claim P + lambda Q */
    dsp_status   st;
    r->lambda = dsp_ke_zero();
    if (r->layer > 1) {
        const uint32_t n = r->layer - 1;
        r->lambda = dsp_squeeze1(&r->tr, DSP_Q_GKR_LAMBDA);
        for (uint32_t t = 0; t < n; t++)
            if (dsp_ke_is_zero(r->xi[t]) && !skipped(r, DSP_V5))
                return dsp_fail(err, DSP_E_REJECTED, "V5 layer %u: coordinate %u of the claim's point is 0", r->layer, t);
        invert_all(inv, r->xi, n);
        for (uint32_t t = 0; t < n; t++) { /* s(1) = (C - (1 - xi_t) s(0)) / xi_t */
            dsp_ke w[3];
            r->round = t;
            if ((st = hidden(r, p, DSP_M_GKR_ROUND, 2, &map[t].first, err)) != DSP_OK)
                return st;
            r->rho[t] = dsp_squeeze1(&r->tr, DSP_Q_GKR_RHO);
            weights(w, r->rho[t], 2, b->half, sixth);
            map[t].c = dsp_ke_mul(w[1], inv[t]);
            map[t].h[0] = dsp_ke_sub(w[0], dsp_ke_mul(map[t].c, dsp_ke_sub(one, r->xi[t])));
            map[t].h[1] = w[2];
        }
        const dsp_ke s = rounds_end(b, map, n, 2), m0 = dsp_ke_mul(s, dsp_ke_sub(one, *mu)), m1 = dsp_ke_mul(s, *mu);
        dsp_hidden(b, prev, m0);
        dsp_hidden(b, prev + 1, m1);
        dsp_hidden(b, prev + 2, dsp_ke_mul(r->lambda, m0));
        dsp_hidden(b, prev + 3, dsp_ke_mul(r->lambda, m1));
    }
    if ((st = hidden(r, p, DSP_M_GKR_VALS, 4, v, err)) != DSP_OK)
        return st;
    const dsp_ke minus = dsp_ke_neg(one); /* C - p0 q1 - p1 q0 - lambda q0 q1 = 0 */
    *mu = dsp_squeeze1(&r->tr, DSP_Q_GKR_MU);
    if ((st = product(b, *v, *v + 3, minus, err)) != DSP_OK || (st = product(b, *v + 1, *v + 2, minus, err)) != DSP_OK)
        return st;
    if (r->layer > 1 && (st = product(b, *v + 2, *v + 3, dsp_ke_neg(r->lambda), err)) != DSP_OK)
        return st;
    if ((st = dsp_constrain(b, r->layer == 1 ? DSP_V6 : DSP_V7, err)) != DSP_OK)
        return st;
    r->xi[0] = *mu; /* xi = (mu, rho) */
    if (r->layer > 1)
        memcpy(r->xi + 1, r->rho, (r->layer - 1) * sizeof *r->xi);
    return DSP_OK;
}

static dsp_status fraction_tree(dsp_builder *b, const dsp_party *p, round_map *map, dsp_fe sixth, dsp_err *err)
{
    dsp_replay        *r = b->r;
    const dsp_derived *D = r->D;
    uint32_t           v = 0, first;
    dsp_ke             mu = dsp_ke_zero();
    dsp_ke            *inv = DSP_ARENA_RAW(r->arena, dsp_ke, D->nu);
    dsp_status         st;
    if (!inv)
        return no_memory(err);
    r->alpha = dsp_squeeze1(&r->tr, DSP_Q_ALPHA);
    r->beta = dsp_squeeze1(&r->tr, DSP_Q_BETA);
    dsp_squeeze(&r->tr, DSP_Q_TAU, r->tau, D->ntau);
    for (r->layer = 1; r->layer <= D->nu; r->layer++)
        if ((st = layer(b, p, map, inv, &v, &mu, sixth, err)) != DSP_OK)
            return st;
    r->layer = D->nu;
    if ((st = hidden(r, p, DSP_M_LEAVES, (size_t)D->n_columns + D->n_used + D->n_aux_vals, &first, err)) != DSP_OK)
        return st;
    b->h0 = first;
    b->hm0 = b->h0 + D->n_columns;
    b->aux0 = b->hm0 + D->n_used;
    return D->nu ? leaves(b, v, mu, err) : DSP_OK;
}

/* ------------------------------------------------------------------ S8.3 */

static dsp_status batched(dsp_builder *b, const dsp_party *p, round_map *map, dsp_fe sixth, dsp_err *err)
{
    dsp_replay        *r = b->r;
    const dsp_derived *D = r->D;
    dsp_status         st;
    if (D->n_members == 0)
        return DSP_OK;
    r->eta = dsp_squeeze1(&r->tr, DSP_Q_ETA);
    for (uint32_t i = 0; i < D->n_members; i++) {
        const dsp_member *m = &D->members[i];
        const dsp_ke     *z;
        if (m->term != DSP_NONE && ((st = dsp_op_point(&z, r, m->op, err)) != DSP_OK ||
                                    (st = dsp_conv_make(&r->member_conv[i], r->arena, D, m->op, m->term, z, err)) != DSP_OK))
            return st;
    }
    for (uint32_t t = 0; t < D->M3; t++) { /* s(1) = C - s(0) */
        dsp_ke w[4];
        r->round = t;
        if ((st = hidden(r, p, DSP_M_S3_ROUND, D->deg3, &map[t].first, err)) != DSP_OK)
            return st;
        r->rho3[t] = dsp_squeeze1(&r->tr, DSP_Q_S3_RHO);
        weights(w, r->rho3[t], D->deg3, b->half, sixth);
        map[t].c = w[1];
        map[t].h[0] = dsp_ke_sub(w[0], w[1]);
        map[t].h[1] = w[2];
        map[t].h[2] = w[3 - (D->deg3 == 2)];
    }
    if ((st = hidden(r, p, DSP_M_S3_VALS, D->n_finals, &b->fin0, err)) != DSP_OK)
        return st;
    /* the groups' claims, scaled through the rounds: T(z) less the view terms, 0 for zero-checks */
    dsp_ke w = rounds_end(b, map, D->M3, D->deg3);
    for (uint32_t g = 0; g < D->n_groups; g++, w = dsp_ke_mul(w, r->eta)) {
        const dsp_ke *z;
        const uint32_t op = D->groups[g].op;
        if (D->groups[g].part != DSP_R_Q)
            continue;
        if ((st = dsp_op_point(&z, r, op, err)) != DSP_OK || (st = dsp_target(b, op, z, w, err)) != DSP_OK)
            return st;
        for (uint32_t i = 0; i < D->n_aux_vals; i++)
            if (D->aux_vals[i].op == op) {
                const dsp_ke mult = dsp_ke_from_i64(D->key->ops[op].terms[D->aux_vals[i].term].mult);
                dsp_hidden(b, b->aux0 + i, dsp_ke_neg(dsp_ke_mul(w, mult)));
            }
    }
    /* less eta^l 2^-(M3-v) f(last v variables) of every member */
    dsp_ke   eta = dsp_ke_one();
    uint32_t at = 0;
    for (uint32_t i = 0; i < D->n_members; i++) {
        const dsp_member *m = &D->members[i];
        const dsp_ke     *z, *tz;
        for (; at < m->group; at++)
            eta = dsp_ke_mul(eta, r->eta);
        dsp_ke f = dsp_ke_neg(dsp_ke_scale(eta, dsp_fe_pow(b->half, D->M3 - m->n_vars)));
        if ((st = dsp_last(&z, r->rho3, D->M3, m->n_vars, err)) != DSP_OK)
            return st;
        if (m->term == DSP_NONE) {
            if ((st = dsp_last(&tz, r->tau, D->ntau, m->n_vars, err)) != DSP_OK)
                return st;
            f = dsp_ke_mul(f, dsp_eq_point(tz, z, m->n_vars));
            if ((st = product(b, b->fin0 + m->final0, b->fin0 + m->final0 + 1, f, err)) != DSP_OK)
                return st;
        } else {
            dsp_ke A;
            if ((st = dsp_conv_kernel_at(&A, r->member_conv[i], z, r->arena, err)) != DSP_OK)
                return st;
            dsp_hidden(b, b->fin0 + m->final0, dsp_ke_mul(f, A));
        }
    }
    return dsp_constrain(b, DSP_V11, err);
}

/* ------------------------------------------------------------------ S8.4, S8.5 */

/* W~(r) without the trees' factors: sum lambda^c eq(first coordinates, prefix of the tensor) functional(last(r, dlog)). */
static dsp_status combined_functional(dsp_ke *W, dsp_replay *r, dsp_err *err)
{
    const dsp_derived *D = r->D;
    dsp_ke             w = dsp_ke_one();
    *W = dsp_ke_zero();
    for (uint32_t c = 0; c < r->n_ledger; c++, w = dsp_ke_mul(w, r->op_lambda))
        for (uint32_t i = 0; i < r->ledger[c].n_terms; i++) {
            const dsp_functional *f = &r->ledger[c].terms[i];
            const uint32_t        m = D->tensor_bits[f->tensor];
            const uint64_t        off = D->trees[D->tensor_tree[f->tensor]].base + D->tensor_off[f->tensor];
            const dsp_ke         *z;
            dsp_ke                v;
            dsp_status            st;
            if ((st = dsp_last(&z, r->r, D->M, m, err)) != DSP_OK || (st = dsp_functional_at(&v, f, z, r->arena, err)) != DSP_OK)
                return st;
            *W = dsp_ke_add(*W, dsp_ke_mul(dsp_ke_mul(w, v), dsp_eq_index(r->r, D->M - m, off >> m)));
        }
    return DSP_OK;
}

static dsp_status opening(dsp_builder *b, const dsp_party *p, round_map *map, dsp_fe sixth, dsp_err *err)
{
    dsp_replay        *r = b->r;
    const dsp_derived *D = r->D;
    const dsp_ke       one = dsp_ke_one();
    uint32_t           y, sigma;
    dsp_ke             W;
    dsp_status         st;
    r->op_lambda = dsp_squeeze1(&r->tr, DSP_Q_OP_LAMBDA);
    for (uint32_t t = 0; t < D->M; t++) {
        dsp_ke w[3];
        r->round = t;
        if ((st = hidden(r, p, DSP_M_OP_ROUND, 2, &map[t].first, err)) != DSP_OK)
            return st;
        r->r[t] = dsp_squeeze1(&r->tr, DSP_Q_OP_R);
        weights(w, r->r[t], 2, b->half, sixth);
        map[t].c = w[1];
        map[t].h[0] = dsp_ke_sub(w[0], w[1]);
        map[t].h[1] = w[2];
    }
    for (uint32_t i = 0; i < D->n_trees; i++)
        dsp_eq_table_cut(r->a[i], r->r + (D->M - D->trees[i].m), D->trees[i].lr, D->trees[i].R);
    if ((st = hidden(r, p, DSP_M_Y, D->n_trees, &y, err)) != DSP_OK)
        return st;
    /* V13: C = W~(r) sum_i eq(first coordinates, prefix_i) y_i */
    dsp_ke w = rounds_end(b, map, D->M, 2);
    for (uint32_t c = 0; c < r->n_ledger; c++, w = dsp_ke_mul(w, r->op_lambda))
        dsp_acc_aff(&b->acc, &r->ledger[c].value, w);
    if ((st = combined_functional(&W, r, err)) != DSP_OK)
        return st;
    for (uint32_t i = 0; i < D->n_trees; i++) {
        const dsp_tree_info *t = &D->trees[i];
        dsp_hidden(b, y + i, dsp_ke_neg(dsp_ke_mul(W, dsp_eq_index(r->r, D->M - t->m, t->base >> t->m))));
    }
    if ((st = dsp_constrain(b, DSP_V13, err)) != DSP_OK)
        return st;
    /* masked openings */
    if ((st = hidden(r, p, DSP_M_SIGMA, D->n_trees, &sigma, err)) != DSP_OK)
        return st;
    size_t rows = 0, width = 0;
    for (uint32_t i = 0; i < D->n_trees; i++) {
        rows += D->trees[i].R;
        width = D->trees[i].C > width ? D->trees[i].C : width;
    }
    dsp_ke *col = DSP_ARENA_RAW(r->arena, dsp_ke, width);
    if (!col)
        return no_memory(err);
    r->gamma = dsp_squeeze1(&r->tr, DSP_Q_GAMMA);
    dsp_squeeze(&r->tr, DSP_Q_RHO, r->row_rho, rows);
    for (r->tree = 0; r->tree < D->n_trees; r->tree++) {
        const uint32_t       i = r->tree;
        const dsp_tree_info *t = &D->trees[i];
        for (int k = 0; k < 2; k++) {
            dsp_ke        *u = k ? r->u2[i] : r->u[i];
            const uint16_t id = k ? DSP_M_U2 : DSP_M_U;
            if ((st = p->message(p->arg, r, id, u, t->k, DSP_NONE, err)) != DSP_OK)
                return st;
            dsp_absorb_ke(&r->tr, id, u, t->k);
        }
        /* V14: sigma_i + gamma y_i = sum_{j<C} b_j u_{i,j}, one constraint per tree, never summed */
        dsp_eq_table_cut(col, r->r + (D->M - t->lc), t->lc, t->C);
        dsp_hidden(b, sigma + i, one);
        dsp_hidden(b, y + i, r->gamma);
        dsp_acc_const(&b->acc, dsp_ke_neg(r->fk->ke_dot(col, r->u[i], t->C)));
        if ((st = dsp_constrain(b, DSP_V14, err)) != DSP_OK)
            return st;
    }
    return DSP_OK;
}

dsp_status dsp_replay_run(dsp_replay *r, const dsp_party *party, dsp_err *err)
{
    const dsp_derived *D = r->D;
    dsp_builder        b = {.r = r, .max_constraints = constraint_bound(D), .half = dsp_fe_inv((dsp_fe){2})};
    const dsp_fe       sixth = dsp_fe_inv((dsp_fe){6});
    const uint32_t     rounds = D->nu > D->M ? D->nu : D->M;
    dsp_status         st;
    if (r->n_sent || r->n_constraints)
        return dsp_fail(err, DSP_E_ARG, "replay: run twice on one state");
    round_map *map = DSP_ARENA_RAW(r->arena, round_map, rounds > D->M3 ? rounds : D->M3);
    if (!map)
        return no_memory(err);
    if ((st = dsp_acc_init(&b.acc, r->arena, D->npad + D->nprod, err)) != DSP_OK || (st = roots(r, party, err)) != DSP_OK ||
        (st = fraction_tree(&b, party, map, sixth, err)) != DSP_OK || (st = batched(&b, party, map, sixth, err)) != DSP_OK ||
        (st = dsp_claims_build(&b, err)) != DSP_OK || (st = opening(&b, party, map, sixth, err)) != DSP_OK)
        return st;
    if (r->n_sent != D->npad || r->n_products != D->nprod)
        return dsp_fail(err, DSP_E_BUG, "replay: %u of %u pads and %u of %u products used", r->n_sent, D->npad, r->n_products, D->nprod);
    return DSP_OK;
}
