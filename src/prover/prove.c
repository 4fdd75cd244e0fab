/* The prover: a party of dsp_replay_run that computes what the verifier reads (S8, S10). The order of messages and coins
 * lives in claims/replay; here are the values. Secrets: the witness is the caller's; pads, tails, masks and tables live in
 * arenas that are wiped when they are released. */
#include <string.h>

#include "base/cpu.h"
#include "prover/internal.h"

static const char MAGIC[8] = {'D', 'S', 'P', 'S', 'L', 'I', 'C', 'E'};

void dsp_prover_new_phase(dsp_prover *P) { dsp_arena_rewind(P->arena, P->phase); }

static void put(dsp_prover *P, uint16_t id, const void *p, size_t n)
{
    WATCH(P, sent, id, P->out->len, n);
    dsp_buf_put(P->out, p, n);
    (void)id;
}

static void put_ke(dsp_prover *P, uint16_t id, const dsp_ke *v, size_t n)
{
    uint8_t b[64 * 16];
    WATCH(P, sent, id, P->out->len, 16 * n);
    (void)id;
    while (n) {
        const size_t m = n < 64 ? n : 64;
        for (size_t i = 0; i < m; i++)
            dsp_ke_write(b + 16 * i, v[i]);
        dsp_buf_put(P->out, b, 16 * m);
        v += m;
        n -= m;
    }
}

/* ---- messages ---- */

static dsp_status root(void *arg, dsp_replay *r, dsp_digest *d, dsp_err *err)
{
    dsp_prover *P = arg;
    uint32_t    n = 0; /* A, M_n ascending, P */
    if (r->n_roots == n++) {
        *d = P->tree_A.root;
    } else {
        *d = P->pads.tree.root;
        for (uint32_t i = 0; i < P->D->n_lengths; i++)
            if (P->D->lengths[i].is_mask && r->n_roots == n++)
                *d = P->tree_M[i].root;
        if (r->n_roots > n)
            return dsp_fail(err, DSP_E_BUG, "root %u of %u asked for", r->n_roots, n + 1);
    }
#ifdef DSP_TEST_HOOKS
    if (CHEAT(P, root_A) && r->n_roots == 0)
        *d = *P->args->cheat->root_A;
    if (CHEAT(P, root_P) && r->n_roots > 0 && dsp_digest_eq(d, &P->pads.tree.root))
        *d = *P->args->cheat->root_P;
#endif
    put(P, DSP_M_ROOT, d->b, sizeof d->b);
    return DSP_OK;
}

static void tree_round(dsp_prover *P, const dsp_replay *r, dsp_ke *v)
{
    if (r->round == 0)
        dsp_fraction_layer(&P->frac, r->layer, r->xi, r->lambda);
    else
        dsp_fraction_bind(&P->frac, r->rho[r->round - 1], P->pool);
    dsp_fraction_round(&P->frac, v, P->pool);
}

static dsp_status tree_values(dsp_prover *P, const dsp_replay *r, dsp_ke *v, dsp_err *err)
{
    if (r->layer == 1) {
        dsp_prover_new_phase(P);
        const dsp_status rc = dsp_prover_leaves(P, &P->frac, P->arena, r->alpha, r->beta, err);
        if (rc != DSP_OK)
            return rc;
        dsp_fraction_layer(&P->frac, 1, NULL, dsp_ke_zero());
    } else {
        dsp_fraction_bind(&P->frac, r->rho[r->layer - 2], P->pool);
    }
    dsp_fraction_values(&P->frac, v);
#ifdef DSP_TEST_HOOKS
    if (CHEAT(P, top) && r->layer == 1)
        v[0] = dsp_ke_neg(dsp_ke_mul(dsp_ke_mul(v[1], v[2]), dsp_ke_inv(v[3])));
#endif
    return DSP_OK;
}

static dsp_status s3(dsp_prover *P, const dsp_replay *r, uint16_t id, dsp_ke *v, dsp_err *err)
{
    const dsp_derived *D = P->D;
    const uint32_t     bound = id == DSP_M_S3_VALS ? D->M3 : r->round;
    if (bound == 0) {
        const dsp_status rc = dsp_prover_s3_begin(P, r, err);
        if (rc != DSP_OK)
            return rc;
    } else {
        dsp_batched_bind(&P->s3, r->rho3[bound - 1]);
    }
    if (id == DSP_M_S3_ROUND) {
        dsp_batched_round(&P->s3, v);
        return DSP_OK;
    }
    for (uint32_t i = 0; i < D->n_members; i++) {
        dsp_ke f[2];
        dsp_batched_values(&P->s3, i, &f[0], &f[1]);
        if (D->members[i].term != DSP_NONE) {
            v[D->members[i].final0] = f[1];
        } else {
            v[D->members[i].final0] = f[0];
            v[D->members[i].final0 + 1] = f[1];
        }
    }
    return DSP_OK;
}

static dsp_status opening(dsp_prover *P, const dsp_replay *r, uint16_t id, dsp_ke *v, dsp_err *err)
{
    const uint32_t bound = id == DSP_M_Y ? P->D->M : r->round;
    if (bound == 0) {
        const dsp_status rc = dsp_prover_op_begin(P, r, err);
        if (rc != DSP_OK)
            return rc;
    } else {
        dsp_inner_bind(&P->op, r->r[bound - 1]);
#ifdef DSP_TEST_HOOKS
        dsp_ke       w[3];
        const dsp_ke s1 = dsp_ke_sub(P->claim, P->round_s[0]);
        dsp_lagrange(w, r->r[bound - 1], 2);
        P->claim = dsp_ke_add(dsp_ke_add(dsp_ke_mul(w[0], P->round_s[0]), dsp_ke_mul(w[1], s1)), dsp_ke_mul(w[2], P->round_s[1]));
#endif
    }
    if (id == DSP_M_Y) {
        dsp_prover_y(P, r, v);
        return DSP_OK;
    }
    dsp_inner_round(&P->op, v);
#ifdef DSP_TEST_HOOKS
    P->round_s[0] = v[0];
    P->round_s[1] = v[1];
#endif
    return DSP_OK;
}

static dsp_status message(void *arg, dsp_replay *r, uint16_t id, dsp_ke *v, size_t n, uint32_t hidden, dsp_err *err)
{
    dsp_prover *P = arg;
    dsp_status  rc = DSP_OK;
    switch (id) {
    case DSP_M_GKR_ROUND: tree_round(P, r, v); break;
    case DSP_M_GKR_VALS:  rc = tree_values(P, r, v, err); break;
    case DSP_M_LEAVES:    rc = dsp_prover_leaf_values(P, r, v, n, err); break;
    case DSP_M_S3_ROUND:
    case DSP_M_S3_VALS:   rc = s3(P, r, id, v, err); break;
    case DSP_M_OP_ROUND:
    case DSP_M_Y:         rc = opening(P, r, id, v, err); break;
    case DSP_M_SIGMA:     dsp_prover_sigma(P, v); break;
    case DSP_M_U:         dsp_prover_u(P, r, v); break;
    case DSP_M_U2:        dsp_prover_u2(P, r, v); break;
    default:              rc = dsp_fail(err, DSP_E_BUG, "message %02x asked for", id); break;
    }
    if (rc != DSP_OK)
        return rc;
    if (hidden != DSP_NONE) {
        WATCH(P, hidden, id, v, n);
        for (size_t i = 0; i < n; i++)
            v[i] = dsp_ke_sub(v[i], P->pad[hidden + i]);
    }
    put_ke(P, id, v, n);
    return DSP_OK;
}

/* ---- after the replay: S8.6, S8.7 ---- */

static dsp_status answers(dsp_prover *P, dsp_replay *r, dsp_err *err)
{
    const uint32_t k = P->D->key->pad_k;
    dsp_pad_coeffs c;
    dsp_status     rc = dsp_pad_coeffs_draw(&c, r, err);
    if (rc != DSP_OK)
        return rc;
    dsp_prover_new_phase(P);
    dsp_ke *ldt = DSP_ARENA_RAW(P->arena, dsp_ke, k), *dot = DSP_ARENA_RAW(P->arena, dsp_ke, 2 * (size_t)k);
    dsp_ke *q = DSP_ARENA_RAW(P->arena, dsp_ke, 2 * (size_t)k), *h = DSP_ARENA_RAW(P->arena, dsp_ke, k);
    if (!ldt || !dot || !q || !h)
        return dsp_fail(err, DSP_E_NOMEM, "answers of the pad prover: no memory");
    rc = dsp_pad_answer(ldt, dot, q, &P->pads, c.u, c.A, c.uq, P->arena, err);
    if (rc != DSP_OK)
        return rc;
#ifdef DSP_TEST_HOOKS
    const uint32_t t = P->D->key->pad_t;
    if (CHEAT(P, ldt))
        ldt[0] = dsp_ke_add(ldt[0], dsp_ke_one());
    if (CHEAT(P, dotfix)) {
        const dsp_ke miss = dsp_ke_sub(c.b, dsp_pad_slot_sum(dot, 2 * (size_t)k - 1, k, t, P->ntt, h));
        dot[0] = dsp_ke_add(dot[0], dsp_ke_scale(miss, dsp_fe_inv(dsp_fe_from_i64(k - t))));
    }
    if (CHEAT(P, quadfix)) {
        dsp_pad_on_h(h, q, 2 * (size_t)k - 1, k, P->ntt);
        memset(h, 0, t * sizeof *h);
        dsp_ntt_inverse_ke(P->ntt, h, dsp_lg(k));
        for (uint32_t i = 0; i < k; i++)
            q[i] = dsp_ke_sub(q[i], h[i]);
    }
    if (CHEAT(P, answers))
        P->args->cheat->answers(P->args->cheat->answers_arg, P->D, &c, ldt, dot, q);
#endif
    dsp_absorb_ke(&r->tr, DSP_M_Y_LDT, ldt, k);
    put_ke(P, DSP_M_Y_LDT, ldt, k);
    dsp_absorb_ke(&r->tr, DSP_M_Y_DOT, dot, 2 * (size_t)k - 1);
    put_ke(P, DSP_M_Y_DOT, dot, 2 * (size_t)k - 1);
    dsp_absorb_ke(&r->tr, DSP_M_Y_Q, q, 2 * (size_t)k - 1);
    put_ke(P, DSP_M_Y_Q, q, 2 * (size_t)k - 1);
    return DSP_OK;
}

static void open_tree(dsp_prover *P, const dsp_tree *t, const uint32_t *q, size_t n)
{
    const size_t at = P->out->len;
    dsp_tree_open(P->out, t, q, n);
    WATCH(P, sent, UINT16_MAX, at, P->out->len - at);
    (void)at;
}

static dsp_status openings(dsp_prover *P, dsp_replay *r, dsp_err *err)
{
    const dsp_derived *D = P->D;
    dsp_queries        q;
    const dsp_status   rc = dsp_queries_draw(&q, r, err);
    if (rc != DSP_OK)
        return rc;
    WATCH(P, queries, r, &q);
    for (uint32_t i = 0; i < D->n_lengths; i++) {
        const dsp_length *l = &D->lengths[i];
        for (uint32_t k = 0; k < l->n_trees; k++)
            open_tree(P, l->trees[k] + 1 == D->n_trees ? &P->tree_A : &P->args->edges[l->trees[k]]->tree, q.q[i], l->t);
        if (l->is_mask)
            open_tree(P, &P->tree_M[i], q.q[i], l->t);
    }
    open_tree(P, &P->pads.tree, q.qp, D->key->pad_t);
    return DSP_OK;
}

/* ---- */

static dsp_status witness_matches(const dsp_prove_args *a, dsp_err *err)
{
    const dsp_derived *D = a->D;
    if (!a->witness || a->witness->D != D || !a->secret)
        return dsp_fail(err, DSP_E_ARG, "slice '%s': the witness is of another slice, or the secret is missing", D->key->name);
    for (uint32_t i = 0; i + 1 < D->n_trees; i++) {
        const dsp_edge   *e = a->edges[i];
        const dsp_tensor *x = &D->tensors[D->trees[i].edge];
        if (!e || e->tree.n != D->trees[i].n || e->tree.width != 8 * (size_t)D->trees[i].R)
            return dsp_fail(err, DSP_E_ARG, "slice '%s': edge '%s' is not committed under this key", D->key->name, x->name);
#ifdef DSP_TEST_HOOKS
        if (a->cheat)
            continue;
#endif
        if (!dsp_digest_eq(&e->root, &a->st->root[i]) ||
            memcmp(e->cells, a->witness->cells[D->trees[i].edge], dsp_cells(x->dims) * sizeof(int64_t)) != 0)
            return dsp_fail(err, DSP_E_ARG, "slice '%s': edge '%s' is not what the statement records", D->key->name, x->name);
    }
#ifdef DSP_TEST_HOOKS
    if (a->cheat)
        return DSP_OK;
#endif
    for (uint32_t i = 0; i < D->key->n_tensors; i++)
        if (D->tensors[i].role == DSP_ROLE_PUB &&
            memcmp(a->st->pub[i], a->witness->cells[i], dsp_cells(D->tensors[i].dims) * sizeof(int64_t)) != 0)
            return dsp_fail(err, DSP_E_ARG, "slice '%s': public tensor '%s' is not what the statement records", D->key->name,
                            D->tensors[i].name);
    return DSP_OK;
}

/* Bytes of the arena that a proof takes: what lives until the end, and the largest step. A guess is enough: the arena grows. */
static size_t bytes_needed(const dsp_prover *P)
{
    const dsp_derived *D = P->D;
    const double       scratch = 64.0 * dsp_pool_threads(P->pool);
    double             all = 0, n_max = D->key->pad_n, s3 = 0, live = 0;
    for (uint32_t i = 0; i < D->n_trees; i++) {
        const dsp_tree_info *t = &D->trees[i];
        all += 48.0 * (double)t->k + 16.0 * t->C;
        live += (double)t->R * t->C;
        n_max = t->n > n_max ? t->n : n_max;
        if (i + 1 == D->n_trees)
            all += 8.0 * t->R * (double)t->k + t->n * (8.0 * t->width + 80);
    }
    for (uint32_t i = 0; i < D->n_lengths; i++)
        if (D->lengths[i].is_mask)
            all += D->lengths[i].n * (32.0 * D->lengths[i].n_trees + 80);
    all += 16.0 * D->pad_rows * (double)(D->key->pad_k + D->key->pad_n) + 80.0 * D->key->pad_n + 64.0 * (D->npad + D->nprod);
    for (uint32_t i = 0; i < D->n_members; i++)
        s3 += 56.0 * (double)((uint64_t)1 << D->members[i].n_vars);
    double step = 60.0 * (double)((uint64_t)1 << D->nu) + 4.0 * (double)D->n_columns * 16;
    step = s3 > step ? s3 : step;
    step = 32.0 * live > step ? 32.0 * live : step;
    step = scratch * n_max > step ? scratch * n_max : step;
    all += step + step / 8 + 65536;
    return all < (double)(SIZE_MAX / 4) ? (size_t)all : 0;
}

static dsp_status prepare(dsp_prover *P, dsp_err *err)
{
    const dsp_derived *D = P->D;
    unsigned           log2_max = dsp_lg(D->key->pad_n);
    for (uint32_t i = 0; i < D->n_trees; i++)
        if (dsp_lg(D->trees[i].n) > log2_max)
            log2_max = dsp_lg(D->trees[i].n);
    P->fk = dsp_field_kernels_best(dsp_cpu_bits());
    P->ntt = dsp_ntt_create(log2_max);
    P->arena = P->args->space ? P->args->space : dsp_arena_create(0);
    if (!P->ntt || !P->arena)
        return dsp_fail(err, DSP_E_NOMEM, "proof: no memory");
    dsp_arena_peak_restart(P->arena);
    P->start = dsp_arena_mark(P->arena);
    if (!dsp_arena_reserve(P->arena, bytes_needed(P)))
        return dsp_fail(err, DSP_E_NOMEM, "proof: no memory");
    P->start = P->phase = dsp_arena_mark(P->arena); /* the piece that was made stays with its owner */
    P->rows = DSP_ARENA_N(P->arena, const dsp_fe *, D->n_trees);
    P->mask = DSP_ARENA_N(P->arena, dsp_fe *, D->n_trees);
    P->lc = DSP_ARENA_N(P->arena, dsp_ke *, D->n_trees);
    P->eq_col = DSP_ARENA_N(P->arena, dsp_ke *, D->n_trees);
    P->tree_M = DSP_ARENA_N(P->arena, dsp_tree, D->n_lengths);
    if (!P->rows || !P->mask || !P->lc || !P->eq_col || !P->tree_M)
        return dsp_fail(err, DSP_E_NOMEM, "proof: no memory");
    for (uint32_t i = 0; i < D->n_trees; i++) {
        P->lc[i] = DSP_ARENA_N(P->arena, dsp_ke, D->trees[i].k);
        P->eq_col[i] = DSP_ARENA_RAW(P->arena, dsp_ke, D->trees[i].C);
        if (!P->lc[i] || !P->eq_col[i])
            return dsp_fail(err, DSP_E_NOMEM, "opening of tree %u: no memory", i);
    }
    for (uint32_t i = 0; i + 1 < D->n_trees; i++)
        P->rows[i] = P->args->edges[i]->rows;
    return DSP_OK;
}

static dsp_status record(const dsp_prover *P, dsp_err *err)
{
    const dsp_prove_args *a = P->args;
    const dsp_derived    *D = P->D;
    uint32_t              n = 0;
    if (!a->ledger)
        return DSP_OK;
    dsp_digest *roots = DSP_NEW_N(dsp_digest, (size_t)D->n_lengths + 2);
    if (!roots)
        return dsp_fail(err, DSP_E_NOMEM, "ledger entry: no memory");
    roots[n++] = P->tree_A.root;
    for (uint32_t i = 0; i < D->n_lengths; i++)
        if (D->lengths[i].is_mask)
            roots[n++] = P->tree_M[i].root;
    roots[n++] = P->pads.tree.root;
    const dsp_status rc = a->ledger(a->ledger_arg, &P->context, roots, n, err);
    dsp_free(roots);
    return rc;
}

dsp_status dsp_prove_slice(dsp_buf *proof, const dsp_prove_args *args, dsp_err *err)
{
    const dsp_derived *D = args->D;
    const size_t       start = proof->len;
    const dsp_party    party = {NULL, root, message};
    dsp_party          self = party;
    dsp_arena         *arena = NULL; /* of the replay */
    dsp_replay        *r = NULL;
    dsp_prover        *P = DSP_NEW(dsp_prover);
    dsp_status         rc = DSP_E_NOMEM;
    if (!P || !(r = DSP_NEW(dsp_replay)) || !(arena = dsp_arena_create(0))) {
        rc = dsp_fail(err, DSP_E_NOMEM, "proof: no memory");
        goto done;
    }
    *P = (dsp_prover){.args = args, .D = D, .w = args->witness, .pool = args->pool, .out = proof};
    self.arg = P;
    if ((rc = witness_matches(args, err)) != DSP_OK || (rc = prepare(P, err)) != DSP_OK ||
        (rc = dsp_replay_init(r, arena, D, args->st, err)) != DSP_OK)
        goto done;
#ifdef DSP_TEST_HOOKS
    if (args->rules) {
        r->skip = args->rules->skip;
        r->drop = args->rules->drop;
        r->n_drop = args->rules->n_drop;
        r->tr.forced = args->rules->coins;
    }
    if (args->watch) {
        r->tr.log = args->watch->log;
        r->tr.log_arg = args->watch->arg;
    }
#endif
    if ((rc = dsp_prover_commit(P, r, err)) != DSP_OK)
        goto done;
    P->phase = dsp_arena_mark(P->arena);
#ifdef DSP_TEST_HOOKS
    if (args->watch) {
        args->watch->context = P->context;
        args->watch->drawn = P->drawn;
        memcpy(args->watch->pads, P->pad, (D->npad < 4 ? D->npad : 4) * sizeof(dsp_ke));
    }
#endif
    if ((rc = record(P, err)) != DSP_OK)
        goto done;
    put(P, 0, MAGIC, sizeof MAGIC);
    put(P, 0, r->S.b, sizeof r->S.b);
    if ((rc = dsp_replay_run(r, &self, err)) == DSP_E_REJECTED) { /* V5: a coin 0 is not drawn again (S2) */
        rc = dsp_context(err, DSP_E_UNAVAILABLE, "slice '%s' has no proof under this run's coins (chance below 2^-118): "
                         "repeat the run with a new nonce", D->key->name);
        if (err)
            err->code = rc;
    }
    if (rc != DSP_OK)
        goto done;
    WATCH(P, replayed, r);
    if ((rc = answers(P, r, err)) != DSP_OK || (rc = openings(P, r, err)) != DSP_OK)
        goto done;
    if (proof->bad)
        rc = dsp_fail(err, DSP_E_NOMEM, "proof of slice '%s': no memory", D->key->name);
    else if (proof->len - start < D->fixed_bytes || proof->len - start > D->max_bytes)
        rc = dsp_fail(err, DSP_E_BUG, "proof of slice '%s': %zu bytes, the key allows %llu to %llu", D->key->name, proof->len - start,
                      (unsigned long long)D->fixed_bytes, (unsigned long long)D->max_bytes);
done:
    if (args->peak_bytes && P && P->arena && arena)
        *args->peak_bytes = dsp_arena_peak_used(P->arena) + dsp_arena_peak_used(arena);
#ifdef DSP_TEST_HOOKS
    if (args->watch && P && P->arena && arena)
        args->watch->peak = dsp_arena_peak(P->arena) + dsp_arena_peak(arena);
#endif
    if (P) {
        if (P->arena && args->space)
            dsp_arena_rewind(P->arena, P->start);
        else
            dsp_arena_free(P->arena);
        dsp_ntt_free(P->ntt);
        dsp_rand_wipe(&P->rnd);
        dsp_wipe(P, sizeof *P);
        dsp_free(P);
    }
    dsp_arena_free(arena);
    if (r)
        dsp_wipe(r, sizeof *r);
    dsp_free(r);
    if (rc != DSP_OK && proof->len > start) {
        dsp_wipe(proof->p + start, proof->len - start);
        proof->len = start;
    }
    return rc;
}
