/* Rules of a run that soundness rests on (S12): runs whose slices are proved honestly, each under a key that passes V1, which together say
 * something false. The rule speaks, and without it the run is accepted (unless a second guard is named).
 *
 * Elsewhere: every rule broken once, with the message and the slice it names (vectors/test_run.c); a slice left out, more queries, another
 * layout in a run that is accepted without the rule (test_runs.c). R3, the nonce and the cells of R4 cannot differ in one statement: a
 * proof of other roots, cells or nonce is refused by V3 (test_runs.c). Opening budgets keep boundaries hidden, not true; two
 * producers of one boundary both prove it. */
#include "keys.h"

static const int64_t BIG = (int64_t)1 << 62;                   /* 4 BIG = 2^64 = 2^32 - 1 mod p */
static const int64_t WRAPPED = ((int64_t)1 << 32) - 1;

typedef struct {
    slices          s;
    dsp_statement  *st;
    dsp_buf         key[SLICES_MAX], proof[SLICES_MAX];
    dsp_slice_bytes in[SLICES_MAX];
} whole;

/* Slices 0 .. n-1 in this order; values that no slice makes, and those of a cycle, are set before assemble. */
static void start(whole *r, uint32_t n, dsp_key *const *keys)
{
    memset(r, 0, sizeof *r);
    slices_one(&r->s, keys[0]);
    for (uint32_t i = 1; i < n; i++)
        r->s.key[i] = keys[i];
    r->s.n = n;
    slices_rekey(&r->s);
}

static uint8_t use_of(const char *name) { return name[0] == 'x' ? DSP_STMT_INPUT : name[0] == 'n' ? DSP_STMT_INNER : DSP_STMT_OUTPUT; }

/* Executes, proves, and writes the statement: public tensors x.. are inputs, n.. neither input nor output, others outputs. */
static void assemble(whole *r)
{
    slices    *s = &r->s;
    dsp_digest digests[SLICES_MAX];
    dsp_err    err;
    static const dsp_cheat anything;
    const dsp_tamper *const plain[SLICES_MAX] = {NULL}; /* honest, but nobody looks at declared ranges */
    slices_run(s, plain);
    dsp_statement *st = r->st = dsp_statement_create();
    assert_non_null(st);
    memcpy(st->nonce, s->nonce, 32);
    st->run_key = s->run_key;
    st->n_slices = s->n;
    st->slices = DSP_ARENA_N(st->arena, dsp_stmt_slice, SLICES_MAX);
    st->unproved = DSP_ARENA_N(st->arena, dsp_stmt_unproved, 1);
    st->pubs = DSP_ARENA_N(st->arena, dsp_stmt_pub, SLICES_VALUES);
    st->edges = DSP_ARENA_N(st->arena, dsp_stmt_edge, SLICES_VALUES);
    assert_true(st->slices && st->unproved && st->pubs && st->edges);
    for (uint32_t i = 0; i < s->n; i++) {
        const dsp_key *k = s->key[i];
        dsp_derived   *D = s->D[i];
        assert_int_equal(dsp_key_check(D, &err), DSP_OK);
        assert_int_equal(dsp_key_write(&r->key[i], k, &err), DSP_OK);
        r->proof[i] = slices_prove(s, i, &anything, NULL, NULL);
        r->in[i] = (dsp_slice_bytes){r->key[i].p, r->key[i].len, r->proof[i].p, r->proof[i].len};
        st->slices[i] = (dsp_stmt_slice){.name = k->name, .index = i, .key = k->digest};
        digests[i] = k->digest;
        for (uint32_t t = 0; t < k->n_tensors; t++) {
            const dsp_tensor *x = &k->tensors[t];
            bool              have = false;
            for (uint32_t p = 0; p < st->n_pubs && x->role == DSP_ROLE_PUB; p++)
                have |= strcmp(st->pubs[p].name, x->name) == 0;
            for (uint32_t e = 0; e < st->n_edges && x->role == DSP_ROLE_EDGE; e++)
                have |= strcmp(st->edges[e].name, x->name) == 0;
            if (!have && x->role == DSP_ROLE_PUB)
                st->pubs[st->n_pubs++] = (dsp_stmt_pub){x->name, use_of(x->name), {x->dims[0], x->dims[1], x->dims[2]}, x->scale_bits, s->pub[i][t]};
            if (!have && x->role == DSP_ROLE_EDGE)
                st->edges[st->n_edges++] = (dsp_stmt_edge){x->name, slices_get(s, x->name)->edge->root};
        }
    }
    st->model_id = dsp_model_id(&st->model, &st->record, digests, s->n);
}

/* `check` speaks; without it `left` does, 0: accepted. */
static void expect_left(whole *r, unsigned check, const char *says, unsigned left)
{
    for (int skip = 0; skip < 2; skip++) {
        dsp_verdict      v = {0};
        dsp_err          err = {DSP_OK, ""};
        const dsp_status st = dsp_verify_run(&v, r->st, r->in, skip ? (uint64_t)1 << check : 0, &err);
        if (skip ? (st == DSP_OK) != (left == 0) || v.check != left : st != DSP_E_REJECTED || v.check != check || !strstr(err.msg, says))
            fail_msg("'%s', %s the rule: %s, check %u: %s", says, skip ? "without" : "with", dsp_status_name(st), v.check, err.msg);
    }
    dsp_statement_free(r->st);
    for (uint32_t i = 0; i < r->s.n; i++) {
        dsp_buf_release(&r->key[i]);
        dsp_buf_release(&r->proof[i]);
    }
    slices_free(&r->s);
}

static void expect(whole *r, unsigned check, const char *says) { expect_left(r, check, says, 0); }

/* y = m a, one cell each; q in 4 bits where y is not public. */
static dsp_key *copy_key(const char *name, const char *from, uint8_t from_role, int64_t from_hi, const char *to, uint8_t to_role, int64_t to_hi,
                         int64_t m, uint32_t J)
{
    dsp_key *k = keys_new(name, 2, 1);
    keys_tensor(k, 0, from, from_role, 1, 0, from_hi);
    keys_tensor(k, 1, to, to_role, 1, 0, to_hi);
    dsp_op *o = keys_lin(k, 0, "copy", 1, m);
    keys_view(o, 0, 1);
    if (to_role != DSP_ROLE_PUB)
        o->q = keys_limbs(1, 4);
    keys_done(k, J);
    return k;
}

enum { PUB = DSP_ROLE_PUB, EDGE = DSP_ROLE_EDGE };

/* A boundary that nothing makes or bounds: b = 4, declared to be at most 1; y = 2^62 b wraps to 2^32 - 1. */
static void no_producer(void **state)
{
    whole          r;
    const int64_t  b = 4;
    dsp_key *const keys[] = {copy_key("s0", "b", EDGE, 1, "y", PUB, 2 * WRAPPED, BIG, 1)};
    (void)state;
    start(&r, 1, keys);
    slices_set(&r.s, "b", &b, 1);
    slices_set(&r.s, "y", &WRAPPED, 1);
    assemble(&r);
    expect(&r, DSP_R2, "0 producers");
}

/* e2 = e1 in the first slice, e1 = e2 in the second, y = e1 in the third: every y passes. */
static void cycle(void **state)
{
    (void)state;
    for (int64_t y = 3; y < 16; y += 7) {
        whole          r;
        dsp_key *const keys[] = {copy_key("s0", "e1", EDGE, 15, "e2", EDGE, 15, 1, 2), copy_key("s1", "e2", EDGE, 15, "e1", EDGE, 15, 1, 2),
                                 copy_key("s2", "e1", EDGE, 15, "y", PUB, 15, 1, 3)};
        for (int i = 0; i < 3; i++) { /* e1 is named by three slices, e2 by two; one code length, so one t */
            const dsp_code_use use[2] = {{16, 3}, {16, 2}};
            for (uint32_t t = 0; t + 1 < keys[i]->n_trees; t++) {
                keys[i]->trees[t].J = strcmp(keys[i]->tensors[keys[i]->trees[t].edge].name, "e1") == 0 ? 3 : 2;
                keys[i]->trees[t].t = dsp_t_for_trees(256, use, 2, KEYS_BITS);
            }
        }
        start(&r, 3, keys);
        slices_set(&r.s, "e1", &y, 1);
        assemble(&r);
        assert_int_equal(slices_get(&r.s, "y")->v[0], y);
        expect(&r, DSP_R2, "its producer comes after a user");
    }
}

/* The producer's e is at most 15, the consumer calls it at most 1: e = x = 4, and y = 2^62 e wraps. */
static void two_ranges(void **state)
{
    whole          r;
    const int64_t  x = 4;
    dsp_key *const keys[] = {copy_key("s0", "x", PUB, 15, "e", EDGE, 15, 1, 2), copy_key("s1", "e", EDGE, 1, "y", PUB, 2 * WRAPPED, BIG, 2)};
    (void)state;
    start(&r, 2, keys);
    slices_set(&r.s, "x", &x, 1);
    slices_set(&r.s, "y", &WRAPPED, 1);
    assemble(&r);
    expect(&r, DSP_R2, "layout differs");
}

/* A public tensor n that is neither an input nor made: y = n is whatever one likes. */
static void from_nowhere(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 16; n += 9) {
        whole          r;
        dsp_key *const keys[] = {copy_key("s0", "n", PUB, 15, "y", PUB, 15, 1, 1)};
        start(&r, 1, keys);
        slices_set(&r.s, "n", &n, 1);
        assemble(&r);
        assert_int_equal(slices_get(&r.s, "y")->v[0], n);
        expect(&r, DSP_R4, "neither a model input nor made by a slice");
    }
}

/* t = u, then u = t, in public: y = t passes for every value. */
static void public_cycle(void **state)
{
    (void)state;
    for (int64_t u = 2; u < 16; u += 11) {
        whole          r;
        dsp_key *const keys[] = {copy_key("s0", "u", PUB, 15, "t", PUB, 15, 1, 1), copy_key("s1", "t", PUB, 15, "u", PUB, 15, 1, 1),
                                 copy_key("s2", "t", PUB, 15, "y", PUB, 15, 1, 1)};
        start(&r, 3, keys);
        slices_set(&r.s, "u", &u, 1);
        assemble(&r);
        assert_int_equal(slices_get(&r.s, "y")->v[0], u);
        expect(&r, DSP_R4, "its producer comes after a user");
    }
}

/* Producer and user of a public tensor disagree on its scale: the integers are right, the numbers that they stand for are not. The
 * statement has one scale per tensor, so without the rule it lacks the second one. */
static void two_scales(void **state)
{
    whole          r;
    const int64_t  x = 4;
    dsp_key *const keys[] = {copy_key("s0", "x", PUB, 15, "t", PUB, 15, 1, 1), copy_key("s1", "t", PUB, 15, "y", PUB, 15, 1, 1)};
    (void)state;
    keys[1]->tensors[0].scale_bits = 2;
    start(&r, 2, keys);
    slices_set(&r.s, "x", &x, 1);
    assemble(&r);
    expect_left(&r, DSP_R4, "declared otherwise than in an earlier slice", DSP_V2);
}

/* A model input that a slice makes: the run's input would be an intermediate value, the true input is not in the statement's inputs. */
static void made_input(void **state)
{
    whole          r;
    const int64_t  z = 4;
    dsp_key *const keys[] = {copy_key("s0", "x0", PUB, 15, "x", PUB, 15, 1, 1), copy_key("s1", "x", PUB, 15, "y", PUB, 15, 1, 1)};
    (void)state;
    start(&r, 2, keys);
    slices_set(&r.s, "x0", &z, 1);
    assemble(&r);
    expect(&r, DSP_R4, "a model input that a slice makes");
}

/* y = x and y = 2 x, at x = 0: one tensor that two slices make, and whoever reads y cannot say by which function. */
static void two_makers(void **state)
{
    whole          r;
    const int64_t  x = 0;
    dsp_key *const keys[] = {copy_key("s0", "x", PUB, 15, "y", PUB, 15, 1, 1), copy_key("s1", "x", PUB, 15, "y", PUB, 15, 2, 1)};
    (void)state;
    start(&r, 2, keys);
    slices_set(&r.s, "x", &x, 1);
    assemble(&r);
    expect(&r, DSP_R4, "made by 2 slices");
}

/* A boundary e that the first slice makes, and a public tensor e that the second reads: nothing ties one to the other. */
static void two_roles(void **state)
{
    whole          r;
    const int64_t  x = 4;
    dsp_key *const keys[] = {copy_key("s0", "x", PUB, 15, "e", EDGE, 15, 1, 1), copy_key("s1", "e", PUB, 15, "y", PUB, 15, 1, 1)};
    (void)state;
    start(&r, 2, keys);
    slices_set(&r.s, "x", &x, 1);
    assemble(&r);
    expect(&r, DSP_R2, "two roles in one run");
}

/* One slice under a profile of 11 bits in a run of 12. */
static void two_profiles(void **state)
{
    whole          r;
    const int64_t  x = 4;
    dsp_key *const keys[] = {copy_key("s0", "x", PUB, 15, "t", PUB, 15, 1, 1), copy_key("s1", "t", PUB, 15, "y", PUB, 15, 1, 1)};
    (void)state;
    keys[1]->profile = 0x8000 + KEYS_BITS - 1;
    start(&r, 2, keys);
    slices_set(&r.s, "x", &x, 1);
    assemble(&r);
    expect(&r, DSP_R5, "profile 32779, expected 32780");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_producer),  cmocka_unit_test(cycle),      cmocka_unit_test(two_ranges), cmocka_unit_test(from_nowhere),
        cmocka_unit_test(public_cycle), cmocka_unit_test(two_scales), cmocka_unit_test(made_input), cmocka_unit_test(two_makers),
        cmocka_unit_test(two_roles),    cmocka_unit_test(two_profiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
