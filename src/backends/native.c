/* The prover of this project as a backend. */
#include <string.h>

#include "backends/backend.h"
#include "format/container.h"
#include "prover/prove.h"
#include "verifier/verify.h"

typedef struct {
    dsp_key     *key;
    dsp_derived *D;
    uint32_t    *tensor;   /* per io: key tensor */
    uint32_t    *tree;     /* per io: tree, DSP_NONE for public ones */
} native;

static void native_free(dsp_slice *s)
{
    if (!s)
        return;
    native *n = s->impl;
    if (n) {
        dsp_derived_free(n->D);
        dsp_key_free(n->key);
        dsp_free(n->tensor);
        dsp_free(n->tree);
        dsp_free(n);
    }
    dsp_free(s->io);
    dsp_free(s);
}

static dsp_status native_load(dsp_slice **out, const uint8_t *vk, size_t len, dsp_err *err)
{
    dsp_status s = DSP_OK;
    dsp_slice *sl = DSP_NEW(dsp_slice);
    native    *n = DSP_NEW(native);
    bool      *made = NULL;
    *out = NULL;
    if (!sl || !n) {
        dsp_free(n);
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a slice");
        goto done;
    }
    sl->backend = dsp_backend_native();
    sl->impl = n;
    s = dsp_key_read(&n->key, vk, len, err);
    if (s == DSP_OK)
        s = dsp_derive(&n->D, n->key, err);
    if (s == DSP_OK && (s = dsp_key_check(n->D, err)) == DSP_E_REJECTED) { /* executor and prover rely on V1 */
        s = DSP_E_FORMAT;
        if (err)
            err->code = s;
    }
    if (s != DSP_OK)
        goto done;
    const dsp_key *key = n->key;
    sl->digest = key->digest;
    sl->derived = n->D;
    made = DSP_NEW_N(bool, key->n_tensors);
    sl->io = DSP_NEW_N(dsp_io, key->n_tensors);
    n->tensor = DSP_NEW_N(uint32_t, key->n_tensors);
    n->tree = DSP_NEW_N(uint32_t, key->n_tensors);
    if (!made || !sl->io || !n->tensor || !n->tree) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a slice");
        goto done;
    }
    for (uint32_t i = 0; i < key->n_ops; i++)
        if (key->ops[i].kind != DSP_OP_RANGE && key->ops[i].out < key->n_tensors)
            made[key->ops[i].out] = true;
    for (uint32_t i = 0; i < key->n_tensors; i++) {
        const dsp_tensor *t = &key->tensors[i];
        if (t->role == DSP_ROLE_AUX)
            continue;
        dsp_io *io = &sl->io[sl->n_io];
        *io = (dsp_io){t->name, made[i], t->role == DSP_ROLE_PUB, {t->dims[0], t->dims[1], t->dims[2]}, t->lo, t->hi, t->scale_bits, dsp_cells(t->dims)};
        n->tensor[sl->n_io] = i;
        n->tree[sl->n_io] = DSP_NONE;
        for (uint32_t k = 0; k < n->D->n_trees && !io->pub; k++)
            if (n->D->trees[k].edge == i)
                n->tree[sl->n_io] = k;
        sl->n_io++;
    }
    *out = sl;
    sl = NULL;
done:
    dsp_free(made);
    native_free(sl);
    return s;
}

static dsp_status native_proving_key(dsp_buf *pk, const dsp_slice *s, const dsp_digest *run_key, dsp_err *err)
{
    /* The prover needs nothing beyond the key itself: weights are public and all tables follow from it. The file
     * binds that key to the run key under which proofs are made. */
    const dsp_chunk c[] = {{1, s->digest.b, 32}, {2, run_key->b, 32}};
    return dsp_container_write(pk, "provekey", c, 2, err);
}

/* Inputs for the executor: cells of every tensor that no op makes. */
static const int64_t **inputs_of(const dsp_slice *s, const int64_t *const *cells)
{
    const native   *n = s->impl;
    const int64_t **in = DSP_NEW_N(const int64_t *, n->key->n_tensors);
    for (uint32_t i = 0; in && i < s->n_io; i++)
        if (!s->io[i].made)
            in[n->tensor[i]] = cells[i];
    return in;
}

static dsp_status native_execute(const dsp_slice *s, int64_t *const *cells, uint64_t *saturated, dsp_pool *pool, dsp_err *err)
{
    const native   *n = s->impl;
    dsp_witness    *w = NULL;
    const int64_t **in = inputs_of(s, (const int64_t *const *)cells);
    if (!in)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a slice's inputs");
    dsp_status r = dsp_execute(&w, n->D, in, false, pool, err);
    if (r == DSP_OK) {
        for (uint32_t i = 0; i < s->n_io; i++)
            if (s->io[i].made)
                memcpy(cells[i], w->cells[n->tensor[i]], (size_t)s->io[i].count * sizeof(int64_t));
        *saturated += w->saturated;
    }
    dsp_witness_free(w);
    dsp_free(in);
    return r;
}

static dsp_status native_commit(dsp_digest *root, const dsp_slice *s, uint32_t io, const int64_t *cells, const dsp_digest *run_key,
                                const uint8_t secret[32], dsp_pool *pool, dsp_err *err)
{
    const native *n = s->impl;
    dsp_edge     *e = NULL;
    if (n->tree[io] == DSP_NONE)
        return dsp_fail(err, DSP_E_BUG, "tensor \"%s\" has no tree", s->io[io].name);
    const dsp_status r = dsp_edge_commit(&e, n->D, n->tree[io], cells, run_key, secret, pool, err);
    if (r == DSP_OK)
        *root = e->root;
    dsp_edge_free(e);
    return r;
}

static dsp_status native_run_key(dsp_digest *out, const dsp_slice *const *s, uint32_t n, dsp_err *err)
{
    const dsp_derived **D = DSP_NEW_N(const dsp_derived *, n);
    if (!D)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for %u slices", n);
    for (uint32_t i = 0; i < n; i++)
        D[i] = ((const native *)s[i]->impl)->D;
    const dsp_status r = dsp_run_key_digest(out, D, n, err);
    dsp_free(D);
    return r;
}

static dsp_status native_prove(dsp_buf *proof, const dsp_slice *s, const dsp_slice_prove *a, dsp_err *err)
{
    const native       *n = s->impl;
    dsp_witness        *w = NULL;
    dsp_arena          *arena = dsp_arena_create(0);
    dsp_edge          **edges = DSP_NEW_N(dsp_edge *, n->D->n_trees);
    const int64_t     **in = inputs_of(s, a->cells);
    dsp_slice_statement st;
    uint64_t            peak = 0;
    dsp_status          r = DSP_OK;
    if (!arena || !edges || !in) {
        r = dsp_fail(err, DSP_E_NOMEM, "no memory for a proof");
        goto done;
    }
    r = dsp_statement_slice(&st, arena, a->statement, n->D, err);
    if (r == DSP_OK)
        r = dsp_execute(&w, n->D, in, true, a->pool, err);
    if (r == DSP_OK)
        r = dsp_witness_count(w, err);
    for (uint32_t i = 0; i < s->n_io && r == DSP_OK; i++)
        if (n->tree[i] != DSP_NONE)
            r = dsp_edge_commit(&edges[n->tree[i]], n->D, n->tree[i], w->cells[n->tensor[i]], &a->statement->run_key, a->secret, a->pool, err);
    if (r != DSP_OK)
        goto done;
    const dsp_prove_args args = {.D = n->D, .st = &st, .edges = edges, .witness = w, .secret = a->secret, .pool = a->pool, .space = a->space,
                                 .ledger = a->ledger, .ledger_arg = a->ledger_arg, .peak_bytes = &peak};
    r = dsp_prove_slice(proof, &args, err);
    /* What lives beside the proof's own arenas, all of it until the end. */
    peak += dsp_arena_peak_used(w->arena) + dsp_arena_peak_used(arena) + proof->len;
    for (uint32_t i = 0; i < n->D->n_trees; i++)
        peak += edges[i] ? dsp_arena_peak_used(edges[i]->arena) : 0;
    if (a->peak_bytes)
        *a->peak_bytes = peak;
done:
    for (uint32_t i = 0; edges && i < n->D->n_trees; i++)
        dsp_edge_free(edges[i]);
    dsp_free(edges);
    dsp_witness_free(w);
    dsp_free(in);
    dsp_arena_free(arena);
    return r;
}

static dsp_status native_verify(const dsp_slice *s, const dsp_statement *run, const uint8_t *proof, size_t len, unsigned *check, dsp_err *err)
{
    const native       *n = s->impl;
    dsp_arena          *arena = dsp_arena_create(0);
    dsp_slice_statement st;
    if (!arena)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a check");
    dsp_status r = dsp_statement_slice(&st, arena, run, n->D, err);
    if (r == DSP_OK)
        r = dsp_verify_slice(n->D, &st, proof, len, 0, check, err);
    dsp_arena_free(arena);
    return r;
}

const dsp_backend *dsp_backend_native(void)
{
    static const dsp_backend b = {"native", "native_circuit", "native_gen_witness", native_proving_key, native_load, native_free,
                                  native_execute, native_commit, native_run_key, native_prove, native_verify};
    return &b;
}
