/* The trees A, M_n and P of a proof, and the randomness that all of it follows from (S2, S4.3, S9). */
#include <string.h>

#include "prover/internal.h"

/* SHA-256 of all data of tree A: valid cells as field elements, tensors in order. */
static dsp_digest aux_digest(const dsp_prover *P)
{
    enum { N = 64 };
    const dsp_derived *D = P->D;
    uint8_t            b[8 * N];
    dsp_sha            s;
    dsp_sha_init(&s);
    for (uint32_t i = 0; i < D->n_aux; i++) {
        const uint32_t t = D->aux[i];
        const dsp_fe  *fe = P->w->cells_fe ? P->w->cells_fe[t] : NULL;
        const int64_t *v = P->w->cells[t];
        const uint64_t n = dsp_cells(D->tensors[t].dims);
        for (uint64_t at = 0; at < n;) {
            const uint64_t m = n - at < N ? n - at : N;
            for (uint64_t k = 0; k < m; k++)
                dsp_fe_write(b + 8 * k, fe ? fe[at + k] : dsp_fe_from_i64(v[at + k]));
            dsp_sha_put(&s, b, 8 * m);
            at += m;
        }
    }
    const dsp_digest d = dsp_sha_digest(&s);
    dsp_wipe(b, sizeof b);
    dsp_wipe(&s, sizeof s);
    return d;
}

/* Context parts go to the stream key, and concatenated to the digest that the ledger stores. */
typedef struct { dsp_rand *rnd; dsp_sha sha; unsigned n, most; } context;

static void part(context *c, const void *p, size_t n)
{
    if (c->n++ >= c->most)
        return;
    dsp_rand_part(c->rnd, p, n);
    dsp_sha_put(&c->sha, p, n);
}

static dsp_status randomness(dsp_prover *P, const dsp_replay *r, dsp_err *err)
{
    const dsp_derived         *D = P->D;
    const dsp_slice_statement *st = P->args->st;
    uint8_t                    profile[DSP_PROFILE_BYTES], w[4];
    const uint32_t             n_edges = D->n_trees - 1;
    context                    c = {.rnd = &P->rnd, .most = UINT32_MAX};
    uint8_t                   *roots = DSP_ARENA_N(P->arena, uint8_t, 32 * (size_t)n_edges);
    if (!roots)
        return dsp_fail(err, DSP_E_NOMEM, "roots of %u edges: no memory", n_edges);
    for (uint32_t i = 0; i < n_edges; i++)
        memcpy(roots + 32 * (size_t)i, st->root[i].b, 32);
#ifdef DSP_TEST_HOOKS
    if (CHEAT(P, frozen))
        c.most = 2;
#endif
    dsp_sha_init(&c.sha);
    dsp_rand_begin(&P->rnd, P->args->secret);
    part(&c, "proof", 5);
    dsp_put32(w, DSP_PROTOCOL_VERSION);
    part(&c, w, 4);
    dsp_profile_bytes(profile, D->key->profile);
    part(&c, profile, sizeof profile);
    part(&c, D->key->digest.b, 32);
    dsp_put32(w, st->tile);
    part(&c, w, 4);
    part(&c, r->S.b, 32);
    part(&c, roots, 32 * (size_t)n_edges);
    const dsp_digest data = aux_digest(P);
    part(&c, data.b, 32);
    dsp_put32(w, 0);
#ifdef DSP_TEST_HOOKS
    if (P->args->cheat)
        dsp_put32(w, P->args->cheat->attempt);
#endif
    part(&c, w, 4);
    dsp_rand_end(&P->rnd);
    P->context = dsp_sha_digest(&c.sha);
    return DSP_OK;
}

static dsp_status salts_of(dsp_prover *P, uint8_t **salts, uint32_t n, uint16_t label, uint32_t base, dsp_err *err)
{
    *salts = DSP_ARENA_RAW(P->arena, uint8_t, (size_t)n * DSP_SALT_BYTES);
    if (!*salts)
        return dsp_fail(err, DSP_E_NOMEM, "salts of %u leaves: no memory", n);
    dsp_tree_salts(*salts, n, &P->rnd, label, base, P->pool);
    P->drawn += n;
    return DSP_OK;
}

/* Encodes rows and builds their tree. */
static dsp_status tree_of(dsp_prover *P, dsp_tree *tree, uint8_t kind, uint32_t n, const dsp_row *rows, size_t n_rows, uint16_t label,
                          uint32_t base, dsp_err *err)
{
    const size_t width = 8 * n_rows;
    size_t       bytes = 0;
    uint8_t     *salts = NULL, *cols = dsp_mul_size(&bytes, n, width) ? DSP_ARENA_RAW(P->arena, uint8_t, bytes) : NULL;
    if (!cols)
        return dsp_fail(err, DSP_E_NOMEM, "%zu codewords of length %u: no memory", n_rows, n);
    dsp_status rc = salts_of(P, &salts, n, label, base, err);
    if (rc == DSP_OK)
        rc = dsp_code_columns(cols, width, rows, n_rows, P->ntt, dsp_lg(n), P->arena, P->pool, err);
    if (rc == DSP_OK)
        rc = dsp_tree_build(tree, P->arena, P->pool, kind, n, width, cols, salts, err);
    return rc;
}

/* Rows of tree A: its tensors at their offsets, zero where none covers, and tails. */
static dsp_status rows_of_A(dsp_prover *P, dsp_err *err)
{
    const dsp_derived   *D = P->D;
    const dsp_tree_info *t = &D->trees[D->n_trees - 1];
    size_t               words;
    dsp_fe              *rows = dsp_mul_size(&words, t->R, t->k) ? DSP_ARENA_N(P->arena, dsp_fe, words) : NULL;
    if (!rows)
        return dsp_fail(err, DSP_E_NOMEM, "tree A of %u rows: no memory", t->R);
#ifdef DSP_TEST_HOOKS
    for (size_t i = 0; CHEAT(P, junk) && i < words; i++)
        rows[i] = (dsp_fe){12345};
#endif
    for (uint32_t i = 0; i < t->n_tensors; i++) {
        const uint32_t  x = t->tensors[i];
        const uint32_t *dims = D->tensors[x].dims;
        if (P->w->cells_fe && P->w->cells_fe[x])
            dsp_code_place_fe(rows, t->k, t->C, D->tensor_off[x], dims, P->w->cells_fe[x]);
        else
            dsp_code_place(rows, t->k, t->C, D->tensor_off[x], dims, P->w->cells[x]);
    }
    for (uint32_t i = 0; i < t->R; i++)
        dsp_rand_fe(&P->rnd, rows + (size_t)i * t->k + t->C, t->k - t->C, DSP_L_TAIL, i);
    P->drawn += (uint64_t)t->R * (t->k - t->C);
    P->rows[D->n_trees - 1] = rows;
    return DSP_OK;
}

/* Two masks over K per tree, kept as four rows over F. */
static dsp_status masks(dsp_prover *P, dsp_err *err)
{
    const dsp_derived *D = P->D;
    for (uint32_t i = 0; i < D->n_trees; i++) {
        const size_t k = D->trees[i].k;
        P->mask[i] = DSP_ARENA_RAW(P->arena, dsp_fe, 4 * k);
        const dsp_mark mark = dsp_arena_mark(P->arena);
        dsp_ke        *g = DSP_ARENA_RAW(P->arena, dsp_ke, k);
        if (!g || !P->mask[i])
            return dsp_fail(err, DSP_E_NOMEM, "masks of tree %u: no memory", i);
        for (uint32_t v = 0; v < 2; v++) {
            dsp_rand_ke(&P->rnd, g, k, DSP_L_MASK, 2 * i + v);
            for (size_t j = 0; j < k; j++) {
                P->mask[i][2 * v * k + j] = g[j].a;
                P->mask[i][(2 * v + 1) * k + j] = g[j].b;
            }
        }
        P->drawn += 4 * (uint64_t)k;
        dsp_arena_rewind(P->arena, mark);
    }
    return DSP_OK;
}

static size_t put_masks(const dsp_prover *P, const dsp_length *l, dsp_row *row)
{
    size_t n = 0;
    for (uint32_t i = 0; i < l->n_trees; i++) {
        const uint32_t t = l->trees[i];
        const size_t   k = P->D->trees[t].k;
        for (size_t e = 0; e < 4; e++)
            row[n++] = (dsp_row){P->mask[t] + e * k, k};
    }
    return n;
}

static dsp_status matrices(dsp_prover *P, dsp_err *err)
{
    const dsp_derived   *D = P->D;
    const dsp_tree_info *A = &D->trees[D->n_trees - 1];
    dsp_row             *row = DSP_ARENA_N(P->arena, dsp_row, (size_t)A->R + 4 * (size_t)D->n_trees);
    uint32_t             m = 0;
    if (!row)
        return dsp_fail(err, DSP_E_NOMEM, "rows of tree A: no memory");
    for (uint32_t i = 0; i < D->n_lengths; i++) {
        const dsp_length *l = &D->lengths[i];
        size_t            n = 0;
        dsp_status        rc;
        if (l->is_mask) {
            n = put_masks(P, l, row);
            rc = tree_of(P, &P->tree_M[i], DSP_TREE_M, l->n, row, n, DSP_L_MASK_SALT, m++ << 24, err);
        } else {
            for (n = 0; n < A->R; n++)
                row[n] = (dsp_row){P->rows[D->n_trees - 1] + n * A->k, A->k};
            n += put_masks(P, l, row + n);
            rc = tree_of(P, &P->tree_A, DSP_TREE_A, l->n, row, n, DSP_L_SALT, 0, err);
        }
        if (rc != DSP_OK)
            return rc;
    }
    return DSP_OK;
}

static dsp_status pads(dsp_prover *P, dsp_err *err)
{
    const dsp_derived *D = P->D;
    const uint32_t     n = D->nprod;
    dsp_ke            *x = DSP_ARENA_RAW(P->arena, dsp_ke, n), *y = DSP_ARENA_RAW(P->arena, dsp_ke, n), *z = DSP_ARENA_RAW(P->arena, dsp_ke, n);
    P->pad = DSP_ARENA_RAW(P->arena, dsp_ke, (size_t)D->npad + n);
    if (!x || !y || !z || !P->pad)
        return dsp_fail(err, DSP_E_NOMEM, "%u pads and %u products: no memory", D->npad, n);
    dsp_rand_ke(&P->rnd, P->pad, D->npad, DSP_L_PAD, 0);
    P->drawn += 2 * (uint64_t)D->npad;
    for (uint32_t i = 0; i < n; i++) {
        x[i] = P->pad[D->triples[i][0]];
        y[i] = P->pad[D->triples[i][1]];
        z[i] = P->pad[D->npad + i] = dsp_ke_mul(x[i], y[i]);
    }
#ifdef DSP_TEST_HOOKS
    if (CHEAT(P, wrongz) && n) {
        dsp_fraction f;
        dsp_ke       ab[2] = {{{0}, {0}}, {{0}, {0}}};
        for (const dsp_forced_coin *c = P->args->rules->coins; c->id; c++)
            if (c->id == DSP_Q_ALPHA || c->id == DSP_Q_BETA)
                ab[c->id == DSP_Q_BETA] = c->value;
        const dsp_status rc = dsp_prover_leaves(P, &f, P->arena, ab[0], ab[1], err);
        if (rc != DSP_OK)
            return rc;
        P->pad[D->npad] = dsp_ke_sub(P->pad[D->npad], dsp_fraction_top(&f));
        if (P->args->cheat->wrongz == DSP_WRONG_Z)
            z[0] = P->pad[D->npad];
    }
#endif
    const dsp_pad_shape shape = {D->key->pad_k, D->key->pad_n, D->key->pad_t, D->pad_nw, D->pad_nq, D->pad_rows};
    const dsp_status    rc = dsp_pad_commit(&P->pads, P->arena, &shape, P->ntt, P->pool, &P->rnd, P->pad, (size_t)D->npad + n, x, y,
                                            z, n, err);
    P->drawn += P->pads.drawn;
    return rc;
}

dsp_status dsp_prover_commit(dsp_prover *P, const dsp_replay *r, dsp_err *err)
{
    dsp_status rc = randomness(P, r, err);
    if (rc == DSP_OK)
        rc = rows_of_A(P, err);
    if (rc == DSP_OK)
        rc = masks(P, err);
    if (rc == DSP_OK)
        rc = matrices(P, err);
    if (rc == DSP_OK)
        rc = pads(P, err);
    return rc;
}
