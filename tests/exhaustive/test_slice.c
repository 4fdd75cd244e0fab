/* Whole slices over small fields, prover against verifier, under many nonces, so that coins meet every special value: 0, 1, equal ones, a
 * denominator 0. Over F_17 (|K| = 289) a coin takes each value about once in 289 nonces.
 *
 * An honest proof is accepted under every nonce, unless a divisor coin is 0 and the prover says so (V5). A false one is accepted in no
 * larger part of the nonces than the sum of the errors of S13, and in some over F_17: the bound is about something. */
#include "prover/cheat.h"
#include "prover/prove.h"
#include "toy.h"
#include "verifier/verify.h"

enum { X, H, M, Y, N_TENSORS };
enum { BIG = DSP_TOY_P > 17 }; /* room for sides u and v and a second limb */

static const dsp_limbs none = {0, {0}}, one_bit = {1, {1}};

static dsp_ints ints(dsp_key *k, uint32_t n, int64_t x)
{
    int64_t *v = DSP_ARENA_N(k->arena, int64_t, n);
    for (uint32_t i = 0; i < n; i++)
        v[i] = x;
    return (dsp_ints){n, v};
}

static dsp_term view_of(uint32_t x, int64_t mult, uint32_t stride, int64_t off)
{
    return (dsp_term){.kind = DSP_TERM_VIEW, .weight = DSP_NONE, .mult = mult, .view = {x, {1, 1, stride}, {0, 0, off}}};
}

/* x -> h = requantised w x -> m = max of neighbours -> y = 2 m + 1 m, public. x public, or a boundary with its range check. */
static dsp_key *toy_key(uint8_t mode, bool edge)
{
    const uint32_t w = BIG || !edge ? 4 : 2; /* fewer than 17 lookups */
    dsp_key       *k = dsp_key_create();
    assert_non_null(k);
    k->name = "toy";
    k->profile = 0x8001;
    k->mode = mode;
    k->n_tensors = N_TENSORS;
    k->tensors = DSP_ARENA_N(k->arena, dsp_tensor, N_TENSORS);
    k->tensors[X] = (dsp_tensor){"x", edge ? DSP_ROLE_EDGE : DSP_ROLE_PUB, {1, 1, w}, BIG ? -4 : 0, BIG ? 3 : 1, 0};
    k->tensors[H] = (dsp_tensor){"h", DSP_ROLE_AUX, {1, 1, w}, 0, BIG ? 3 : 1, 0};
    k->tensors[M] = (dsp_tensor){"m", DSP_ROLE_AUX, {1, 1, w / 2}, 0, BIG ? 3 : 1, 0};
    k->tensors[Y] = (dsp_tensor){"y", DSP_ROLE_PUB, {1, 1, w / 2}, BIG ? -20 : 0, BIG ? 20 : 4, 0};
    int64_t *weight = DSP_ARENA_N(k->arena, int64_t, 2);
    weight[0] = BIG ? 5 : 2;
    weight[1] = BIG ? -1 : 0;
    k->n_weights = 2;
    k->weights = DSP_ARENA_N(k->arena, dsp_weight, 2);
    k->weights[0] = (dsp_weight){"w", {1, 1, 1, 1}, 1, weight};
    k->weights[1] = (dsp_weight){"b", {1, 1, 1, 1}, 1, weight + 1};
    k->n_tables = BIG ? 3 : 1;
    k->tables = DSP_ARENA_N(k->arena, dsp_table, 3);
    for (uint8_t i = 0; i < 3; i++)
        k->tables[i] = (dsp_table){DSP_TABLE_RANGE, (uint8_t)(i + 1), NULL};
    k->ops = DSP_ARENA_N(k->arena, dsp_op, 4);
    for (int i = 0; i < 4; i++) {
        k->ops[i].out = k->ops[i].bias = k->ops[i].x = k->ops[i].table = k->ops[i].a.x = k->ops[i].b.x = DSP_NONE;
        k->ops[i].terms = DSP_ARENA_N(k->arena, dsp_term, 2);
    }
    dsp_op *o = k->ops;
    if (edge) {
        o->kind = DSP_OP_RANGE, o->name = "in", o->x = X, o->w = BIG ? (dsp_limbs){1, {3}} : one_bit;
        o++;
    }
    o->kind = DSP_OP_LIN, o->name = "lin", o->out = H, o->bias = 1, o->s = 1, o->rem = one_bit, o->M = ints(k, 1, 1);
    o->q = BIG ? (dsp_limbs){2, {1, 1}} : one_bit;
    o->u = BIG ? (dsp_limbs){1, {3}} : none;
    o->v = BIG ? (dsp_limbs){2, {2, 2}} : none;
    o->n_terms = 1;
    o->terms[0] = (dsp_term){.kind = DSP_TERM_CONV, .weight = 0, .stride = {1, 1}, .pad = {0, 0}, .dil = {1, 1}, .view = {.x = X}};
    o++;
    o->kind = DSP_OP_MAX, o->name = "max", o->out = M, o->w = BIG ? (dsp_limbs){1, {2}} : one_bit;
    o->a = (dsp_view){H, {1, 1, 2}, {0, 0, 0}};
    o->b = (dsp_view){H, {1, 1, 2}, {0, 0, 1}};
    o++;
    o->kind = DSP_OP_LIN, o->name = "out", o->out = Y, o->M = ints(k, 1, 1), o->n_terms = 2;
    o->terms[0] = view_of(M, 2, 1, 0);
    o->terms[1] = view_of(M, 1, 1, 0);
    o++;
    k->n_ops = (uint32_t)(o - k->ops);
    k->n_trees = 1 + edge;
    k->trees = DSP_ARENA_N(k->arena, dsp_geometry, 2);
    const uint32_t n = BIG ? 64 : 16, C = BIG ? 8 : 2;
    k->trees[0] = (dsp_geometry){X, BIG ? 4 : 2, n, 1, 0};
    k->trees[edge] = (dsp_geometry){DSP_NONE, C, n, 1, 0};
    const dsp_code_use use[2] = {{C, 1}, {C, 1}};
    for (uint32_t i = 0; i < k->n_trees; i++)
        k->trees[i].t = dsp_t_for_trees(n, use, 1, 1);
    k->pad_k = BIG ? 8 : 4;
    k->pad_n = BIG ? 64 : 16;
    k->pad_t = dsp_t_pads(k->pad_n, k->pad_k, 1);
    return k;
}

/* What an adversary wins by luck at most: the errors of S13 but for queries and proximity (all rows are codewords), times |K|. */
static double errors(const dsp_derived *D)
{
    uint64_t leaves = 0;
    for (uint32_t i = 0; i < D->n_segs; i++)
        leaves += (uint64_t)1 << D->segs[i].log2;
    for (uint32_t i = 0; i < D->n_used; i++)
        leaves += (uint64_t)1 << D->used[i].log2;
    double e = (double)leaves - 1 + D->ntau;
    for (uint32_t j = 1; j <= D->nu; j++)
        e += 1 + 2.0 * (j - 1) + 1;                                  /* lambda, rounds, mu */
    e += D->n_groups ? D->n_groups - 1 + 3.0 * D->M3 : 0;            /* eta, rounds */
    e += D->n_expect - 1 + 2.0 * D->M;                               /* op_lambda, rounds */
    e += D->n_trees + 3 + 1;                                         /* gamma; alpha_l, alpha_q, u_q; the claim of the run */
    return e;
}

typedef struct {
    dsp_key            *key;
    dsp_derived        *D;
    int64_t             x[4], y[2];
    const int64_t      *pub[N_TENSORS];
    dsp_edge           *edge;
    dsp_digest          root[2];
    dsp_slice_statement st;
    dsp_witness        *w;
    uint8_t             secret[32];
} run;

/* lie: what the tampered execution does, NULL: honest. Public cells are those of the witness, plus by[0] for y[0]. */
static void start(run *r, uint8_t mode, bool edge, uint64_t input, const dsp_tamper *lie, int64_t by)
{
    dsp_err        err = {DSP_OK, ""};
    const int64_t *in[N_TENSORS] = {NULL};
    memset(r, 0, sizeof *r);
    r->key = toy_key(mode, edge);
    assert_int_equal(dsp_key_seal(r->key, &err), DSP_OK);
    if (dsp_derive(&r->D, r->key, &err) != DSP_OK || dsp_key_check(r->D, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    for (int i = 0; i < 4; i++, input /= 8)
        r->x[i] = r->key->tensors[X].lo + (int64_t)(input % 8 % (uint64_t)(r->key->tensors[X].hi - r->key->tensors[X].lo + 1));
    in[X] = r->x;
    const dsp_status s = lie ? dsp_execute_tampered(&r->w, r->D, in, lie, &err) : dsp_execute(&r->w, r->D, in, true, NULL, &err);
    if (s != DSP_OK || dsp_witness_count(r->w, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    memcpy(r->y, r->w->cells[Y], dsp_cells(r->key->tensors[Y].dims) * sizeof *r->y);
    r->y[0] += by;
    r->pub[X] = edge ? NULL : r->x;
    r->pub[Y] = r->y;
    const dsp_derived *D = r->D;
    assert_int_equal(dsp_run_key_digest(&r->st.run_key, &D, 1, &err), DSP_OK);
    if (edge) {
        assert_int_equal(dsp_edge_commit(&r->edge, r->D, 0, r->x, &r->st.run_key, r->secret, NULL, &err), DSP_OK);
        r->root[0] = r->edge->root;
    }
    r->st.pub = r->pub;
    r->st.root = r->root;
}

static void stop(run *r)
{
    dsp_witness_free(r->w);
    dsp_edge_free(r->edge);
    dsp_derived_free(r->D);
    dsp_key_free(r->key);
}

enum { ACCEPTED, REJECTED, NO_PROOF };

static int attempt(run *r, uint32_t nonce, bool cheat)
{
    static const dsp_cheat anything;
    dsp_err                err = {DSP_OK, ""};
    dsp_buf                p = {0};
    unsigned               check = 0;
    memcpy(r->st.nonce, &nonce, sizeof nonce);
    memcpy(r->secret, &nonce, sizeof nonce);
    const dsp_prove_args a = {.D = r->D, .st = &r->st, .edges = &r->edge, .witness = r->w, .secret = r->secret, .cheat = cheat ? &anything : NULL};
    dsp_status           s = dsp_prove_slice(&p, &a, &err);
    if (s == DSP_E_UNAVAILABLE) {
        assert_non_null(strstr(err.msg, "V5"));
        dsp_buf_release(&p);
        return NO_PROOF;
    }
    if (s != DSP_OK)
        fail_msg("nonce %u: %s", nonce, err.msg);
    s = dsp_verify_slice(r->D, &r->st, p.p, p.len, 0, &check, &err);
    dsp_buf_release(&p);
    if (s != DSP_OK && !cheat)
        fail_msg("nonce %u: an honest proof is refused: %s", nonce, err.msg);
    return s == DSP_OK ? ACCEPTED : REJECTED;
}

static void honest(void **state)
{
    unsigned count[3] = {0};
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++)
        for (uint64_t input = 0; input < 8; input++) {
            run r;
            start(&r, kind & 1, kind >> 1, input * 0x1357, NULL, 0);
            for (uint32_t nonce = 0; nonce < (BIG ? 8 : 40); nonce++)
                count[attempt(&r, (uint32_t)input << 16 | nonce, false)]++;
            stop(&r);
        }
    assert_true(count[ACCEPTED] > 0);
    assert_true(BIG ? count[NO_PROOF] == 0 : count[NO_PROOF] > 0); /* over F_17 coins are 0 now and then */
}

/* ---- false statements ---- */

static void more(void *arg, uint32_t op, int64_t *q, int64_t *u, int64_t *v, const int64_t *wide, size_t n)
{
    (void)u, (void)v, (void)wide, (void)n;
    if (op == *(const uint32_t *)arg)
        q[0] += q[0] == 0 ? 1 : -1; /* inside its range; the remainder is not */
}

static void other(void *arg, uint32_t op, int64_t *out, const int64_t *a, const int64_t *b, size_t n)
{
    (void)a, (void)b, (void)n;
    if (op == *(const uint32_t *)arg)
        out[0] = out[0] == 0 ? 1 : 0;
}

/* lie: of operation `op` counted without the range check of x, NULL: none. */
static void false_statement(const dsp_tamper *lie, uint32_t op, int64_t by, const char *what)
{
    const unsigned tries = BIG ? 30 : 250;
    unsigned       total = 0;
    for (unsigned kind = 0; kind < 4; kind++) {
        unsigned   count[3] = {0};
        uint32_t   index = op + (kind >> 1);
        dsp_tamper t = lie ? *lie : (dsp_tamper){.arg = NULL};
        run        r;
        t.arg = &index;
        start(&r, kind & 1, kind >> 1, 0x1357, lie ? &t : NULL, by);
        for (uint32_t nonce = 0; nonce < tries; nonce++)
            count[attempt(&r, nonce, true)]++;
        const double bound = errors(r.D) / TOY_K * tries;
        if (count[ACCEPTED] > bound)
            fail_msg("%s, mode %u: %u of %u accepted, bound %.1f", what, kind & 1, count[ACCEPTED], tries, bound);
        total += count[ACCEPTED];
        stop(&r);
    }
    assert_true(BIG ? total == 0 : total > 0);
}

static void wrong_output(void **state) { (void)state; false_statement(NULL, 0, 1, "public output off by one"); }
static void wrong_quotient(void **state)
{
    const dsp_tamper t = {.lin = more};
    (void)state;
    false_statement(&t, 0, 0, "wrong quotient");
}
static void wrong_maximum(void **state)
{
    const dsp_tamper t = {.out = other};
    (void)state;
    false_statement(&t, 1, 0, "wrong maximum");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(honest), cmocka_unit_test(wrong_output), cmocka_unit_test(wrong_quotient),
                                       cmocka_unit_test(wrong_maximum)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
