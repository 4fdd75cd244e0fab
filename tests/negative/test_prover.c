/* What the prover promises beside being believed: equal bytes on every run and thread count, randomness drawn once and counted,
 * a length that depends on key and queries alone, refusal of what it must not prove, padding that is never read. */
#include "slices.h"

static json_t *vec;

enum { CHAIN = 2 };

static void load(slices *s, int mode)
{
    slices_load(s, vec, mode ? "chain, 12 bits, mode 1" : "chain, 12 bits, mode 0");
    slices_run(s, NULL);
}

static dsp_buf with_pool(slices *s, uint32_t i, unsigned threads)
{
    dsp_pool *pool = dsp_pool_create(threads);
    dsp_buf   b = {0};
    dsp_err   err;
    assert_non_null(pool);
    if (slices_prove_raw(s, i, NULL, NULL, NULL, pool, &b, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    dsp_pool_free(pool);
    return b;
}

static void same_bytes(void **state)
{
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        slices s;
        load(&s, mode);
        for (uint32_t i = 0; i < CHAIN; i++) {
            dsp_buf a = slices_prove(&s, i, NULL, NULL, NULL);
            for (unsigned threads = 1; threads <= 5; threads += 2) {
                dsp_buf b = with_pool(&s, i, threads);
                assert_int_equal(a.len, b.len);
                assert_memory_equal(a.p, b.p, a.len);
                dsp_buf_release(&b);
            }
            dsp_buf_release(&a);
        }
        slices_free(&s);
    }
}

/* Bytes are appended: what stood in the buffer stays. */
static void appended(void **state)
{
    (void)state;
    slices  s;
    dsp_err err;
    load(&s, 1);
    dsp_buf a = slices_prove(&s, 1, NULL, NULL, NULL), b = {0};
    dsp_buf_put(&b, "abc", 3);
    assert_int_equal(slices_prove_raw(&s, 1, NULL, NULL, NULL, NULL, &b, &err), DSP_OK);
    assert_int_equal(b.len, a.len + 3);
    assert_memory_equal(b.p, "abc", 3);
    assert_memory_equal(b.p + 3, a.p, a.len);
    dsp_buf_release(&a);
    dsp_buf_release(&b);
    slices_free(&s);
}

static void draws(void **state)
{
    (void)state;
    slices s;
    load(&s, 0);
    for (uint32_t i = 0; i < CHAIN; i++) {
        const dsp_derived   *D = s.D[i];
        const dsp_tree_info *A = &D->trees[D->n_trees - 1];
        const uint64_t       k = D->key->pad_k, n = D->key->pad_n, t = D->key->pad_t;
        uint64_t want = (uint64_t)A->R * A->t + 2 * (uint64_t)D->npad + 2 * t * (D->pad_rows - 3) + 2 * k + 2 * (2 * k - 1) + 2 * t + 2 * (k - 1) + A->n + n;
        for (uint32_t j = 0; j < D->n_trees; j++)
            want += 4 * D->trees[j].k;
        for (uint32_t j = 0; j < D->n_lengths; j++)
            want += D->lengths[j].is_mask ? D->lengths[j].n : 0;
        dsp_prove_watch w = {0};
        dsp_buf         b = slices_prove(&s, i, NULL, NULL, &w);
        assert_int_equal(w.drawn, want);
        if (i == 0)
            assert_int_equal(want, 2742); /* as the reference counts */
        dsp_buf_release(&b);
    }
    slices_free(&s);
}

typedef struct { uint64_t siblings; } counter;

static void on_queries(void *arg, const dsp_replay *r, const dsp_queries *q)
{
    counter           *c = arg;
    const dsp_derived *D = r->D;
    uint32_t           scratch[4096];
    for (uint32_t i = 0; i < D->n_lengths; i++)
        c->siblings += (D->lengths[i].n_trees + (D->lengths[i].is_mask ? 1u : 0)) * dsp_tree_siblings(D->lengths[i].n, q->q[i], D->lengths[i].t, scratch);
    c->siblings += dsp_tree_siblings(D->key->pad_n, q->qp, D->key->pad_t, scratch);
}

static void length(void **state)
{
    (void)state;
    for (int mode = 0; mode < 2; mode++)
        for (int64_t shift = 0; shift < 3; shift++) {
            slices s;
            slices_load(&s, vec, mode ? "chain, 12 bits, mode 1" : "chain, 12 bits, mode 0");
            slices_get(&s, "x")->v[0] = shift;
            slices_run(&s, NULL);
            for (uint32_t i = 0; i < CHAIN; i++) {
                counter         c = {0};
                dsp_prove_watch w = {.arg = &c, .queries = on_queries};
                dsp_buf         b = slices_prove(&s, i, NULL, NULL, &w);
                assert_int_equal(b.len, s.D[i]->fixed_bytes + 32 * c.siblings);
                dsp_buf_release(&b);
            }
            slices_free(&s);
        }
}

/* ---- ledger ---- */

typedef struct { bool have; dsp_digest context, root[8]; uint32_t n, calls; } ledger;

static dsp_status keep(void *arg, const dsp_digest *context, const dsp_digest *roots, uint32_t n, dsp_err *err)
{
    ledger *l = arg;
    l->calls++;
    assert_true(n >= 2 && n <= 8);
    if (l->have && (n != l->n || !dsp_digest_eq(context, &l->context) || memcmp(roots, l->root, n * sizeof *roots) != 0))
        return dsp_fail(err, DSP_E_ARG, "another proof of this slice was opened under this secret");
    l->have = true;
    l->context = *context;
    l->n = n;
    memcpy(l->root, roots, n * sizeof *roots);
    return DSP_OK;
}

static dsp_status prove_with(slices *s, uint32_t i, ledger *l, const dsp_cheat *c, dsp_prove_watch *w, dsp_buf *b)
{
    dsp_err              err;
    const dsp_prove_args a = {.D = s->D[i], .st = &s->st[i], .edges = s->edge[i], .witness = s->w[i], .secret = s->secret,
                              .ledger = keep, .ledger_arg = l, .cheat = c, .watch = w};
    return dsp_prove_slice(b, &a, &err);
}

static void ledger_refuses(void **state)
{
    (void)state;
    slices          a, b;
    ledger          l = {0};
    dsp_prove_watch wa = {0}, wb = {0};
    const dsp_cheat again = {.attempt = 1}, frozen = {.frozen = true};
    dsp_buf         p = {0};
    load(&a, 0);
    slices_load(&b, vec, "chain, 12 bits, mode 0");
    slices_get(&b, "x")->v[0] += 1;
    slices_run(&b, NULL);
    assert_int_equal(prove_with(&a, 0, &l, NULL, &wa, &p), DSP_OK);
    assert_int_equal(prove_with(&a, 0, &l, NULL, NULL, &p), DSP_OK);
    const size_t len = p.len;
    assert_int_equal(prove_with(&a, 0, &l, &again, NULL, &p), DSP_E_ARG);
    assert_int_equal(prove_with(&a, 0, &l, &frozen, NULL, &p), DSP_E_ARG);
    assert_int_equal(prove_with(&b, 0, &l, NULL, &wb, &p), DSP_E_ARG);
    assert_int_equal(p.len, len); /* a refusal lets nothing out */
    assert_int_equal(l.calls, 5);
    /* another witness shares no pad, unless randomness were frozen */
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            assert_false(dsp_ke_eq(wa.pads[i], wb.pads[j]));
    ledger la = {0}, lb = {0};
    assert_int_equal(prove_with(&a, 0, &la, &frozen, &wa, &p), DSP_OK);
    assert_int_equal(prove_with(&b, 0, &lb, &frozen, &wb, &p), DSP_OK);
    assert_memory_equal(wa.pads, wb.pads, sizeof wa.pads);
    dsp_buf_release(&p);
    slices_free(&a);
    slices_free(&b);
}

/* ---- refusals ---- */

static void refuses(slices *s, uint32_t i)
{
    dsp_buf b = {0};
    dsp_err err;
    assert_int_equal(slices_prove_raw(s, i, NULL, NULL, NULL, NULL, &b, &err), DSP_E_ARG);
    assert_int_equal(b.len, 0);
    dsp_buf_release(&b);
}

static void witness_must_match(void **state)
{
    (void)state;
    slices  s;
    int64_t x[36], b[18];
    load(&s, 1);
    memcpy(x, s.pub[0][slices_tensor(&s, 0, "x")], sizeof x);
    x[35]--;
    s.pub[0][slices_tensor(&s, 0, "x")] = x;
    refuses(&s, 0);
    memcpy(b, slices_get(&s, "b1")->v, sizeof b);
    b[17] ^= 1;
    slices_reexecute(&s, 1, NULL, "b1", b);
    s.pub[1][slices_tensor(&s, 1, "y")] = s.w[1]->cells[slices_tensor(&s, 1, "y")];
    refuses(&s, 1);
    slices_reexecute(&s, 1, NULL, NULL, NULL);
    s.pub[1][slices_tensor(&s, 1, "y")] = slices_get(&s, "y")->v;
    s.root[1][0].b[31] ^= 1;
    refuses(&s, 1);
    s.root[1][0].b[31] ^= 1;
    dsp_buf p = slices_prove(&s, 1, NULL, NULL, NULL);
    assert_int_equal(slices_verify(&s, 1, p.p, p.len, 0, NULL, NULL), 0);
    dsp_buf_release(&p);
    slices_free(&s);
}

/* A coin that has to be divided by is 0: the job fails and the message says what to do; the verifier refuses such a proof. */
static void divisor_zero(void **state)
{
    (void)state;
    slices                s;
    const dsp_forced_coin coins[] = {{DSP_Q_GKR_MU, {{0}, {0}}}, {0, {{0}, {0}}}};
    dsp_prove_rules       rules = {.coins = coins};
    dsp_verify_hooks      hooks = {.forced = coins};
    dsp_buf               b = {0};
    dsp_err               err;
    load(&s, 1);
    assert_int_equal(slices_prove_raw(&s, 0, NULL, &rules, NULL, NULL, &b, &err), DSP_E_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "new nonce"));
    assert_int_equal(b.len, 0);
    dsp_buf_release(&b);
    b = slices_prove(&s, 0, NULL, NULL, NULL);
    assert_int_equal(slices_verify(&s, 0, b.p, b.len, 0, &hooks, NULL), DSP_V5);
    dsp_buf_release(&b);
    slices_free(&s);
}

static void junk(void **state)
{
    (void)state;
    const dsp_cheat c = {.junk = true};
    for (int mode = 0; mode < 2; mode++) {
        slices s;
        load(&s, mode);
        for (uint32_t i = 0; i < CHAIN; i++) {
            dsp_buf a = slices_prove(&s, i, NULL, NULL, NULL), b = slices_prove(&s, i, &c, NULL, NULL);
            assert_int_equal(slices_verify(&s, i, b.p, b.len, 0, NULL, NULL), 0);
            assert_true(a.len != b.len || memcmp(a.p, b.p, a.len) != 0);
            dsp_buf_release(&a);
            dsp_buf_release(&b);
        }
        slices_free(&s);
    }
}

/* y = W x with neither lookups nor, in mode 1, step 3; x public (no committed tensor at all) or an edge. */
static dsp_key *bare(int mode, uint8_t role)
{
    static const int64_t w[6] = {1, -2, 3, 4, 5, -6}, M[2] = {1, 1};
    dsp_key *k = dsp_key_create();
    assert_non_null(k);
    k->name = "t";
    k->profile = 0x8000 + 12;
    k->mode = (uint8_t)mode;
    k->n_tensors = 2;
    k->tensors = DSP_ARENA_N(k->arena, dsp_tensor, 2);
    k->tensors[0] = (dsp_tensor){"x", role, {3, 1, 1}, -8, 7, 0};
    k->tensors[1] = (dsp_tensor){"y", DSP_ROLE_PUB, {2, 1, 1}, -99, 99, 0};
    k->n_weights = 1;
    k->weights = DSP_ARENA_N(k->arena, dsp_weight, 1);
    k->weights[0] = (dsp_weight){"w", {2, 3, 1, 1}, 6, w};
    k->n_ops = 1;
    k->ops = DSP_ARENA_N(k->arena, dsp_op, 1);
    dsp_op *o = &k->ops[0];
    o->kind = DSP_OP_LIN;
    o->name = "fc";
    o->out = 1;
    o->bias = DSP_NONE;
    o->M = (dsp_ints){2, M};
    o->n_terms = 1;
    o->terms = DSP_ARENA_N(k->arena, dsp_term, 1);
    o->terms[0] = (dsp_term){.kind = DSP_TERM_CONV, .weight = 0, .stride = {1, 1}, .dil = {1, 1}, .view = {.x = 0}};
    const dsp_code_use use = {8, 1};
    const uint32_t     t = dsp_t_for_trees(128, &use, 1, 12);
    k->n_trees = role == DSP_ROLE_EDGE ? 2 : 1;
    k->trees = DSP_ARENA_N(k->arena, dsp_geometry, 2);
    k->trees[0] = (dsp_geometry){0, 8, 128, 1, t};
    k->trees[k->n_trees - 1] = (dsp_geometry){DSP_NONE, 8, 128, 1, t};
    k->pad_k = 64;
    k->pad_n = 512;
    k->pad_t = dsp_t_pads(512, 64, 12);
    return k;
}

static void degenerate(void **state)
{
    (void)state;
    for (int mode = 0; mode < 2; mode++)
        for (int edge = 0; edge < 2; edge++) {
            slices        s;
            const int64_t x[3] = {1, 2, -3}, lied[2] = {-12, 33};
            slices_one(&s, bare(mode, edge ? DSP_ROLE_EDGE : DSP_ROLE_PUB));
            slices_set(&s, "x", x, 3);
            slices_run(&s, NULL);
            assert_int_equal(slices_get(&s, "y")->v[0], -12);
            assert_int_equal(slices_get(&s, "y")->v[1], 32);
            dsp_buf b = slices_prove(&s, 0, NULL, NULL, NULL);
            assert_int_equal(slices_verify(&s, 0, b.p, b.len, 0, NULL, NULL), 0);
            dsp_buf_release(&b);
            s.pub[0][1] = lied;
            slices_set(&s, "y", lied, 2);
            const dsp_cheat forge = {0};
            slices_reexecute(&s, 0, NULL, NULL, NULL);
            b = slices_prove(&s, 0, &forge, NULL, NULL);
            assert_int_equal(slices_verify(&s, 0, b.p, b.len, 0, NULL, NULL), DSP_V20);
            dsp_buf_release(&b);
            slices_free(&s);
        }
}

int main(void)
{
    vec = vec_load();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes), cmocka_unit_test(appended), cmocka_unit_test(draws), cmocka_unit_test(length),
        cmocka_unit_test(ledger_refuses), cmocka_unit_test(witness_must_match), cmocka_unit_test(divisor_zero), cmocka_unit_test(junk),
        cmocka_unit_test(degenerate)};
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vec);
    return r;
}
