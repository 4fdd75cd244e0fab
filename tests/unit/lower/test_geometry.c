/* Limb lists, geometry and predictions of the compiler, on a run shaped like the example model `net`. */
#include "../test.h"

#include <stdio.h>

#include "lower/cost.h"
#include "lower/lower.h"

/* ---------------------------------------------------------------- limbs */

static unsigned sum_of(const dsp_limbs *l)
{
    unsigned s = 0;
    for (unsigned i = 0; i < l->n; i++)
        s += l->w[i];
    return s;
}

static void test_limbs_serve_every_need(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 60; round++) {
        dsp_range_need need[12];
        dsp_limbs      out[12];
        uint8_t        w[16];
        unsigned       n_w = 99;
        const size_t   n = test_next(&seed) % 12 + 1;
        dsp_err        err = {0};
        for (size_t i = 0; i < n; i++)
            need[i] = (dsp_range_need){(unsigned)(test_next(&seed) % 31), (uint64_t)1 << test_next(&seed) % 18};
        assert_int_equal(dsp_limbs_choose(out, w, &n_w, need, n, &err), DSP_OK);
        assert_true(n_w <= 3);
        unsigned used = 0;
        for (unsigned i = 1; i < n_w; i++)
            assert_true(w[i - 1] < w[i]);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(sum_of(&out[i]), need[i].bits);
            assert_true(out[i].n <= DSP_MAX_LIMBS);
            for (unsigned j = 0; j < out[i].n; j++) {
                bool found = false;
                for (unsigned k = 0; k < n_w; k++)
                    if (w[k] == out[i].w[j]) {
                        found = true;
                        used |= 1u << k;
                    }
                assert_true(found);
            }
        }
        assert_int_equal(used, (1u << n_w) - 1); /* no table that nobody looks into */
    }
}

static void test_limbs_follow_size(void **state)
{
    (void)state;
    dsp_limbs out[1];
    uint8_t   w[16];
    unsigned  n_w;
    dsp_err   err = {0};
    /* Many cells pay for one wide table; few cells do not. */
    assert_int_equal(dsp_limbs_choose(out, w, &n_w, &(dsp_range_need){12, 1u << 18}, 1, &err), DSP_OK);
    assert_int_equal(out[0].n, 1);
    assert_int_equal(w[0], 12);
    assert_int_equal(dsp_limbs_choose(out, w, &n_w, &(dsp_range_need){12, 16}, 1, &err), DSP_OK);
    assert_true(out[0].n > 1);
    /* Nothing to look up: no table. */
    assert_int_equal(dsp_limbs_choose(out, w, &n_w, &(dsp_range_need){0, 16}, 1, &err), DSP_OK);
    assert_int_equal(n_w, 0);
    assert_int_equal(out[0].n, 0);
    assert_int_equal(dsp_limbs_choose(out, w, &n_w, &(dsp_range_need){257, 16}, 1, &err), DSP_E_LIMIT);
}

/* ---------------------------------------------------------------- siblings */

/* Siblings in the opening of the leaves in mask of a tree of n <= 16. */
static unsigned siblings_of(unsigned mask, unsigned n)
{
    unsigned count = 0;
    for (; n > 1; n /= 2) {
        unsigned up = 0;
        for (unsigned i = 0; i < n; i += 2) {
            const unsigned pair = mask >> i & 3;
            count += pair == 1 || pair == 2;
            up |= (unsigned)(pair != 0) << i / 2;
        }
        mask = up;
    }
    return count;
}

static void test_expected_siblings(void **state)
{
    (void)state;
    for (unsigned lg = 0; lg <= 4; lg++)
        for (uint32_t t = 1; t <= 1u << lg; t++) {
            uint64_t sum = 0, sets = 0;
            for (uint32_t m = 0; m < (uint64_t)1 << (1u << lg); m++) {
                unsigned bits = 0;
                for (unsigned i = 0; i < 1u << lg; i++)
                    bits += m >> i & 1;
                if (bits == t) {
                    sum += siblings_of(m, 1u << lg);
                    sets++;
                }
            }
            const uint64_t mean_up = (sum + sets - 1) / sets, got = dsp_expected_siblings(lg, t);
            assert_true(got == mean_up || got == mean_up + 1 || got + 1 == mean_up);
        }
    assert_in_range(dsp_expected_siblings(22, 160), 160 * 10, 160 * 22);
}

/* ---------------------------------------------------------------- geometry */

enum { BITS = 12, N_SEGMENTS = 5 };

static uint32_t add_tensor(dsp_key *k, const char *name, uint8_t role, uint32_t c, uint32_t h, uint32_t w, int64_t lo, int64_t hi)
{
    k->tensors[k->n_tensors] = (dsp_tensor){name, role, {c, h, w}, lo, hi, 0};
    return k->n_tensors++;
}

static uint32_t add_weight(dsp_key *k, const char *name, uint32_t o, uint32_t c, uint32_t h, uint32_t w)
{
    const uint32_t n = o * c * h * w;
    int64_t       *v = DSP_ARENA_N(k->arena, int64_t, n);
    uint64_t       seed = n;
    assert_non_null(v);
    for (uint32_t i = 0; i < n; i++)
        v[i] = (int64_t)(test_next(&seed) % 4095) - 2047;
    k->weights[k->n_weights] = (dsp_weight){name, {o, c, h, w}, n, v};
    return k->n_weights++;
}

static uint64_t padded(const dsp_key *k, uint32_t x)
{
    uint64_t n = 1;
    for (int i = 0; i < 3; i++) {
        uint64_t p = 1;
        while (p < k->tensors[x].dims[i])
            p *= 2;
        n *= p;
    }
    return n;
}

static dsp_op *add_lin(dsp_key *k, const char *name, uint32_t out, uint32_t x, uint32_t weight, uint8_t s)
{
    dsp_op   *op = &k->ops[k->n_ops++];
    dsp_term *t = DSP_ARENA_NEW(k->arena, dsp_term);
    int64_t  *m = DSP_ARENA_N(k->arena, int64_t, k->tensors[out].dims[0]);
    assert_true(t && m);
    for (uint32_t i = 0; i < k->tensors[out].dims[0]; i++)
        m[i] = 1;
    *t = (dsp_term){.kind = DSP_TERM_CONV, .weight = weight, .stride = {1, 1}, .dil = {1, 1}, .view = {.x = x}};
    *op = (dsp_op){.kind = DSP_OP_LIN, .name = name, .out = out, .bias = DSP_NONE, .M = {k->tensors[out].dims[0], m}, .s = s, .n_terms = 1, .terms = t};
    return op;
}

static dsp_op *add_max(dsp_key *k, const char *name, uint32_t out, uint32_t x, int axis)
{
    dsp_op *op = &k->ops[k->n_ops++];
    *op = (dsp_op){.kind = DSP_OP_MAX, .name = name, .out = out, .bias = DSP_NONE, .a = {x, {1, 1, 1}, {0, 0, 0}}, .b = {x, {1, 1, 1}, {0, 0, 0}}};
    op->a.stride[axis] = op->b.stride[axis] = 2;
    op->b.off[axis] = 1;
    return op;
}

/* Limb lists and tables of everything that is ranged. */
static void choose_limbs(dsp_key *k)
{
    dsp_range_need need[64] = {0};
    dsp_limbs     *to[64], out[64];
    uint8_t        w[16];
    unsigned       n_w;
    size_t         n = 0;
    dsp_err        err = {0};
    for (uint32_t i = 0; i < k->n_ops; i++) {
        dsp_op        *op = &k->ops[i];
        const uint64_t cells = padded(k, op->out);
        if (op->kind == DSP_OP_LIN && op->s) {
            need[n] = (dsp_range_need){op->s, cells}; to[n++] = &op->rem;
            need[n] = (dsp_range_need){BITS, cells};  to[n++] = &op->q;
            need[n] = (dsp_range_need){BITS + 4, cells}; to[n++] = &op->u;
            need[n] = (dsp_range_need){BITS + 4, cells}; to[n++] = &op->v;
        } else if (op->kind == DSP_OP_MAX) {
            need[n] = (dsp_range_need){BITS, cells}; to[n++] = &op->w;
        }
    }
    assert_int_equal(dsp_limbs_choose(out, w, &n_w, need, n, &err), DSP_OK);
    for (size_t i = 0; i < n; i++)
        *to[i] = out[i];
    for (unsigned i = 0; i < n_w; i++)
        k->tables[k->n_tables++] = (dsp_table){DSP_TABLE_RANGE, w[i], NULL};
}

static dsp_key *new_key(const char *name)
{
    dsp_key *k = dsp_key_create();
    assert_non_null(k);
    k->name = name;
    k->profile = DSP_PROFILE_G2_100;
    k->mode = 1;
    k->tensors = DSP_ARENA_N(k->arena, dsp_tensor, 16);
    k->weights = DSP_ARENA_N(k->arena, dsp_weight, 4);
    k->tables = DSP_ARENA_N(k->arena, dsp_table, 4);
    k->ops = DSP_ARENA_N(k->arena, dsp_op, 8);
    assert_true(k->tensors && k->weights && k->tables && k->ops);
    return k;
}

static void net(dsp_key *keys[N_SEGMENTS])
{
    const int64_t hi = (1 << BITS) - 1;
    dsp_key      *k = keys[0] = new_key("segment_0");
    uint32_t      x = add_tensor(k, "x", DSP_ROLE_PUB, 3, 32, 32, 0, hi);
    uint32_t      q = add_tensor(k, "q0", DSP_ROLE_AUX, 6, 28, 28, 0, hi), r = add_tensor(k, "r0", DSP_ROLE_AUX, 6, 28, 14, 0, hi);
    uint32_t      b = add_tensor(k, "b0", DSP_ROLE_EDGE, 6, 14, 14, 0, hi);
    add_lin(k, "conv0", q, x, add_weight(k, "w0", 6, 3, 5, 5), 13);
    add_max(k, "px0", r, q, 2);
    add_max(k, "py0", b, r, 1);
    choose_limbs(k);

    k = keys[1] = new_key("segment_1");
    x = add_tensor(k, "b0", DSP_ROLE_EDGE, 6, 14, 14, 0, hi);
    q = add_tensor(k, "q1", DSP_ROLE_AUX, 16, 10, 10, 0, hi);
    r = add_tensor(k, "r1", DSP_ROLE_AUX, 16, 10, 5, 0, hi);
    b = add_tensor(k, "b1", DSP_ROLE_EDGE, 16, 5, 5, 0, hi);
    add_lin(k, "conv1", q, x, add_weight(k, "w1", 16, 6, 5, 5), 14);
    add_max(k, "px1", r, q, 2);
    add_max(k, "py1", b, r, 1);
    choose_limbs(k);

    k = keys[2] = new_key("segment_2");
    x = add_tensor(k, "b1", DSP_ROLE_EDGE, 16, 5, 5, 0, hi);
    b = add_tensor(k, "b2", DSP_ROLE_EDGE, 120, 1, 1, 0, hi);
    add_lin(k, "fc0", b, x, add_weight(k, "w2", 120, 16, 5, 5), 15);
    choose_limbs(k);

    k = keys[3] = new_key("segment_3");
    x = add_tensor(k, "b2", DSP_ROLE_EDGE, 120, 1, 1, 0, hi);
    b = add_tensor(k, "b3", DSP_ROLE_EDGE, 84, 1, 1, 0, hi);
    add_lin(k, "fc1", b, x, add_weight(k, "w3", 84, 120, 1, 1), 14);
    choose_limbs(k);

    k = keys[4] = new_key("segment_4");
    x = add_tensor(k, "b3", DSP_ROLE_EDGE, 84, 1, 1, 0, hi);
    b = add_tensor(k, "y", DSP_ROLE_PUB, 10, 1, 1, -((int64_t)1 << 40), ((int64_t)1 << 40) - 1);
    add_lin(k, "fc2", b, x, add_weight(k, "w4", 10, 84, 1, 1), 0);
    choose_limbs(k);
}

static void test_geometry_of_a_run(void **state)
{
    (void)state;
    dsp_key *keys[N_SEGMENTS], *again[N_SEGMENTS];
    dsp_err  err = {0};
    uint64_t total = 0;
    net(keys);
    net(again);
    if (dsp_geometry_choose(keys, N_SEGMENTS, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(dsp_geometry_choose(again, N_SEGMENTS, &err), DSP_OK);
    for (int s = 0; s < N_SEGMENTS; s++) {
        const dsp_key *k = keys[s];
        dsp_derived   *D = NULL;
        dsp_cost       c;
        assert_int_equal(k->n_trees, s == 0 ? 2 : s == 4 ? 2 : 3);
        assert_int_equal(k->trees[k->n_trees - 1].edge, DSP_NONE);
        assert_int_equal(k->trees[k->n_trees - 1].J, 1);
        assert_int_equal(k->pad_t, dsp_t_pads(k->pad_n, k->pad_k, 100));
        assert_memory_equal(k->trees, again[s]->trees, k->n_trees * sizeof k->trees[0]);
        assert_true(k->pad_k == again[s]->pad_k && k->pad_n == again[s]->pad_n && k->pad_t == again[s]->pad_t);
        for (uint32_t i = 0; i < k->n_trees; i++) {
            const dsp_geometry *g = &k->trees[i];
            dsp_code_use        use[16];
            size_t              n = 0;
            /* One t for all trees of the length, and the least. */
            for (int z = 0; z < N_SEGMENTS; z++)
                for (uint32_t j = 0; j < keys[z]->n_trees; j++)
                    if (keys[z]->trees[j].n == g->n)
                        use[n++] = (dsp_code_use){keys[z]->trees[j].C, keys[z]->trees[j].J};
            assert_int_equal(g->t, dsp_t_for_trees(g->n, use, n, 100));
            if (g->edge != DSP_NONE) {
                assert_int_equal(g->J, 2);
                assert_int_equal(k->tensors[g->edge].role, DSP_ROLE_EDGE);
            }
        }
        if (s > 0) { /* a boundary has one geometry in both slices */
            const dsp_geometry *mine = &k->trees[0], *theirs = &keys[s - 1]->trees[keys[s - 1]->n_trees - 2];
            assert_string_equal(k->tensors[mine->edge].name, keys[s - 1]->tensors[theirs->edge].name);
            assert_true(mine->C == theirs->C && mine->n == theirs->n && mine->t == theirs->t && mine->J == theirs->J);
        }
        if (dsp_derive(&D, k, &err) != DSP_OK || dsp_key_check(D, &err) != DSP_OK)
            fail_msg("%s", err.msg);
        dsp_cost_predict(&c, D);
        assert_true(c.proof_bytes > D->fixed_bytes && c.proof_bytes < D->max_bytes);
        assert_true(c.rows > 0 && c.prove_ns > 0 && c.verify_ns > 0 && c.peak_bytes > 0);
        assert_true(c.proof_bytes <= 250 * 1024);
        total += c.proof_bytes;
        dsp_derived_free(D);
    }
    assert_true(total <= 900 * 1024);
    for (int s = 0; s < N_SEGMENTS; s++) {
        dsp_key_free(keys[s]);
        dsp_key_free(again[s]);
    }
}

static void test_geometry_refuses_unknown_profile(void **state)
{
    (void)state;
    dsp_key *keys[N_SEGMENTS];
    dsp_err  err = {0};
    net(keys);
    keys[0]->profile = 77;
    assert_int_equal(dsp_geometry_choose(keys, N_SEGMENTS, &err), DSP_E_ARG);
    keys[0]->profile = DSP_PROFILE_G2_100;
    keys[2]->profile = 78;
    assert_int_equal(dsp_geometry_choose(keys, N_SEGMENTS, &err), DSP_E_ARG);
    assert_int_equal(dsp_geometry_choose(keys, 0, &err), DSP_OK);
    for (int s = 0; s < N_SEGMENTS; s++)
        dsp_key_free(keys[s]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limbs_serve_every_need), cmocka_unit_test(test_limbs_follow_size), cmocka_unit_test(test_expected_siblings),
        cmocka_unit_test(test_geometry_of_a_run),      cmocka_unit_test(test_geometry_refuses_unknown_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
