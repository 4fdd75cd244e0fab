/* Boundary commitments and proofs by the library that users run: the root of an edge depends on run, name, layout, cells and secret
 * alone, so every slice that names it computes it alike; the run secret is the hash it is said to be. */
#include <string.h>

#include "prover/prove.h"
#include "unit/test.h"

static const int64_t weights[] = {1, -2, 3, 4, 5, -6}, ones[] = {1, 1, 1};

/* One linear op from x (3 cells) to y (2 cells), 100 bits. */
static dsp_key *linear(const char *name, const char *x, uint8_t x_role, const char *y, uint8_t y_role)
{
    dsp_key *k = dsp_key_create();
    assert_non_null(k);
    k->name = name;
    k->profile = DSP_PROFILE_G2_100;
    k->mode = 1;
    k->n_tensors = 2;
    k->tensors = DSP_ARENA_N(k->arena, dsp_tensor, 2);
    k->tensors[0] = (dsp_tensor){x, x_role, {3, 1, 1}, -8, 7, 0};
    k->tensors[1] = (dsp_tensor){y, y_role, {2, 1, 1}, -99, 99, 0};
    k->n_weights = 1;
    k->weights = DSP_ARENA_N(k->arena, dsp_weight, 1);
    k->weights[0] = (dsp_weight){"w", {2, 3, 1, 1}, 6, weights};
    k->n_ops = 1;
    k->ops = DSP_ARENA_N(k->arena, dsp_op, 1);
    k->ops[0] = (dsp_op){.kind = DSP_OP_LIN, .name = "fc", .out = 1, .bias = DSP_NONE, .M = {2, ones}, .n_terms = 1};
    k->ops[0].terms = DSP_ARENA_N(k->arena, dsp_term, 1);
    k->ops[0].terms[0] = (dsp_term){.kind = DSP_TERM_CONV, .stride = {1, 1}, .dil = {1, 1}};
    const dsp_code_use use[2] = {{16, 2}, {16, 1}};
    const uint32_t     t = dsp_t_for_trees(2048, use, 2, 100);
    assert_true(t != 0);
    k->trees = DSP_ARENA_N(k->arena, dsp_geometry, 3);
    for (uint32_t i = 0; i < 2; i++)
        if (k->tensors[i].role == DSP_ROLE_EDGE)
            k->trees[k->n_trees++] = (dsp_geometry){i, 16, 2048, 2, t};
    k->trees[k->n_trees++] = (dsp_geometry){DSP_NONE, 16, 2048, 1, t};
    k->pad_k = 256;
    k->pad_n = 2048;
    k->pad_t = dsp_t_pads(2048, 256, 100);
    dsp_err err;
    assert_int_equal(dsp_key_seal(k, &err), DSP_OK);
    return k;
}

static dsp_digest root_of(const dsp_derived *D, uint32_t tree, const int64_t *cells, uint8_t run, uint8_t secret, dsp_pool *pool)
{
    dsp_edge  *e;
    dsp_err    err;
    dsp_digest rk;
    uint8_t    s[32];
    memset(&rk, run, sizeof rk);
    memset(s, secret, sizeof s);
    assert_int_equal(dsp_edge_commit(&e, D, tree, cells, &rk, s, pool, &err), DSP_OK);
    const dsp_digest d = e->root;
    assert_ptr_equal(e->cells, cells);
    dsp_edge_free(e);
    return d;
}

static void edges(void **state)
{
    (void)state;
    dsp_err      err;
    dsp_pool    *pool = dsp_pool_create(3);
    dsp_key     *a = linear("a", "e", DSP_ROLE_EDGE, "z", DSP_ROLE_PUB), *b = linear("b", "e", DSP_ROLE_EDGE, "y", DSP_ROLE_PUB);
    dsp_key     *c = linear("c", "g", DSP_ROLE_EDGE, "y", DSP_ROLE_PUB);
    dsp_derived *A, *B, *C;
    assert_int_equal(dsp_derive(&A, a, &err), DSP_OK);
    assert_int_equal(dsp_derive(&B, b, &err), DSP_OK);
    assert_int_equal(dsp_derive(&C, c, &err), DSP_OK);
    const int64_t    cells[3] = {1, -2, 7}, other[3] = {1, -2, 6};
    const dsp_digest r = root_of(A, 0, cells, 1, 2, NULL);
    const dsp_digest same[] = {root_of(B, 0, cells, 1, 2, NULL), root_of(A, 0, cells, 1, 2, pool)};
    const dsp_digest differ[] = {root_of(A, 0, other, 1, 2, NULL), root_of(A, 0, cells, 3, 2, NULL), root_of(A, 0, cells, 1, 3, NULL),
                                 root_of(C, 0, cells, 1, 2, NULL)};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        assert_true(dsp_digest_eq(&r, &same[i]));
    for (size_t i = 0; i < sizeof differ / sizeof differ[0]; i++)
        assert_false(dsp_digest_eq(&r, &differ[i]));
    dsp_edge      *e;
    dsp_digest     rk = r;
    const uint8_t  s[32] = {0};
    assert_int_equal(dsp_edge_commit(&e, A, 1, cells, &rk, s, NULL, &err), DSP_E_ARG); /* tree A */
    assert_null(e);
    assert_int_equal(dsp_edge_commit(&e, A, 2, cells, &rk, s, NULL, &err), DSP_E_ARG);
    dsp_edge_free(NULL);
    dsp_derived_free(A);
    dsp_derived_free(B);
    dsp_derived_free(C);
    dsp_key_free(a);
    dsp_key_free(b);
    dsp_key_free(c);
    dsp_pool_free(pool);
}

static void secret(void **state)
{
    (void)state;
    uint8_t    drawn[32], nonce[32], out[32], all[18 + 4 * 32] = "dsperse run secret";
    dsp_digest run, inputs;
    for (uint8_t i = 0; i < 32; i++) {
        drawn[i] = i;
        run.b[i] = (uint8_t)(32 + i);
        nonce[i] = (uint8_t)(64 + i);
        inputs.b[i] = (uint8_t)(96 + i);
    }
    memcpy(all + 18, drawn, 32);
    memcpy(all + 50, run.b, 32);
    memcpy(all + 82, nonce, 32);
    memcpy(all + 114, inputs.b, 32);
    const dsp_digest want = dsp_sha256(all, sizeof all);
    dsp_run_secret(out, drawn, &run, nonce, &inputs);
    assert_memory_equal(out, want.b, 32);
}

/* A slice without lookups: the bytes have the length the key says, start with the statement's digest, and are the same again. */
static void proof(void **state)
{
    (void)state;
    dsp_err       err;
    dsp_key      *k = linear("a", "x", DSP_ROLE_PUB, "y", DSP_ROLE_PUB);
    dsp_derived  *D;
    dsp_witness  *w;
    const int64_t x[3] = {1, 2, -3}, *in[2] = {x, NULL};
    assert_int_equal(dsp_derive(&D, k, &err), DSP_OK);
    assert_int_equal(dsp_key_check(D, &err), DSP_OK);
    assert_int_equal(dsp_execute(&w, D, in, true, NULL, &err), DSP_OK);
    assert_int_equal(dsp_witness_count(w, &err), DSP_OK);
    const int64_t *const      pub[2] = {x, w->cells[1]};
    const dsp_derived *const  list[1] = {D};
    const uint8_t             s[32] = {5};
    dsp_edge *const           none[1] = {NULL};
    dsp_slice_statement       st = {.pub = pub};
    assert_int_equal(dsp_run_key_digest(&st.run_key, list, 1, &err), DSP_OK);
    dsp_prove_args a = {.D = D, .st = &st, .edges = none, .witness = w, .secret = s};
    dsp_buf        p = {0}, q = {0};
    assert_int_equal(dsp_prove_slice(&p, &a, &err), DSP_OK);
    assert_int_equal(dsp_prove_slice(&q, &a, &err), DSP_OK);
    assert_true(p.len >= D->fixed_bytes && p.len <= D->max_bytes && p.len == q.len);
    assert_memory_equal(p.p, q.p, p.len);
    dsp_transcript t;
    dsp_transcript_init(&t);
    const dsp_digest S = dsp_statement_absorb(&t, k, &st);
    assert_memory_equal(p.p, "DSPSLICE", 8);
    assert_memory_equal(p.p + 8, S.b, 32);
    const int64_t lie[3] = {1, 2, -4}, *const wrong[2] = {lie, w->cells[1]};
    st.pub = wrong;
    assert_int_equal(dsp_prove_slice(&q, &a, &err), DSP_E_ARG);
    st.pub = pub;
    a.secret = NULL;
    assert_int_equal(dsp_prove_slice(&q, &a, &err), DSP_E_ARG);
    assert_int_equal(q.len, p.len);
    dsp_buf_release(&p);
    dsp_buf_release(&q);
    dsp_witness_free(w);
    dsp_derived_free(D);
    dsp_key_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(edges), cmocka_unit_test(secret), cmocka_unit_test(proof)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
