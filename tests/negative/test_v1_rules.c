/* Rules of V1 that soundness rests on (S5, S12). For each a key that breaks it alone, and a proof of a false statement that the verifier
 * accepts when V1 is left out; with V1 the key is refused by that rule.
 *
 * Where the other rules are tested: unit/circuit/test_key.c breaks every rule once and names the message.
 *   rule                                               what it keeps
 *   limits of S12, powers of two, counts               memory and time
 *   one t per code length                              the columns that are read (a longer list than was opened)
 *   2k - 1 <= n of the pads                            y_dot and y_q fit their code
 *   weight, bias, multiplier and table op shapes       the arrays that are read
 *   limb lists of max and range not empty              segments exist
 *   names, one range table per width                   names mean one thing (the code itself goes by index)
 *   a producer for every aux tensor, one per tensor    dsp_derive refuses before V1 can be left out
 *   a range or a table for every private quotient      likewise
 *   sum of padded lookups < p                          the limit nu <= 27; exhaustive/test_fraction.c shows what happens beyond p
 *   budget J >= 1, J = 1 of A                          hiding; exhaustive/test_opening.c shows one column too many
 *   profile                                            vectors/test_release.c: a weak profile is no profile of the product
 *   mode, lo <= hi, a lin has terms, conv geometry     one meaning; nothing false passes without them */
#include "keys.h"

#include "pcs/pad.h"

enum { INF = 40 }; /* nonces that an attack by luck tries */

static const dsp_cheat anything;
static const int64_t   FAR = INT64_MIN + ((int64_t)1 << 32) - 2; /* congruent to INT64_MAX mod p, and smaller than p/2 in size */
static const int64_t   BIG = (int64_t)1 << 62;                   /* 4 BIG = 2^64 = 2^32 - 1 mod p */
static const int64_t   WRAPPED = ((int64_t)1 << 32) - 1;

/* The run of one slice with public y claimed to be `claim`: refused by V1 with `rule`, accepted without V1. mult: multiplicities of the
 * first used table, where the executor's count is not the cheat's. */
static void passes(dsp_key *key, const int64_t *x, size_t n, int64_t claim, const dsp_tamper *lie, const int64_t *mult, const char *rule)
{
    const dsp_tamper *tamper[SLICES_MAX] = {lie};
    slices            s;
    dsp_err           err = {DSP_OK, ""};
    slices_one(&s, key);
    if (x)
        slices_set(&s, "x", x, n);
    slices_set(&s, "y", &claim, 1);
    slices_run(&s, tamper);
    if (mult)
        memcpy(s.w[0]->cells[s.D[0]->used[0].tensor], mult, sizeof(int64_t) << s.D[0]->used[0].log2);
    dsp_buf p = slices_prove(&s, 0, &anything, NULL, NULL);
    assert_int_equal(slices_verify(&s, 0, p.p, p.len, 0, NULL, &err), DSP_V1);
    if (!strstr(err.msg, rule))
        fail_msg("'%s' expected, found: %s", rule, err.msg);
    const unsigned left = slices_verify(&s, 0, p.p, p.len, (uint64_t)1 << DSP_V1, NULL, &err);
    if (left)
        fail_msg("%s: without V1 still rejected: %s", rule, err.msg);
    dsp_buf_release(&p);
    slices_free(&s);
}

/* The same key and lie with the rule kept: V1 speaks no more, another check does. */
static void fails(dsp_key *key, const int64_t *x, size_t n, int64_t claim, const dsp_tamper *lie, int64_t truth)
{
    const dsp_tamper *tamper[SLICES_MAX] = {lie};
    dsp_err           err = {DSP_OK, ""};
    slices            s;
    slices_one(&s, key);
    slices_set(&s, "x", x, n);
    slices_set(&s, "y", &claim, 1);
    slices_run(&s, tamper);
    dsp_buf        p = slices_prove(&s, 0, &anything, NULL, NULL);
    const unsigned by = slices_verify(&s, 0, p.p, p.len, 0, NULL, &err);
    if (by <= DSP_V1)
        fail_msg("V%u spoke: %s", by, err.msg);
    dsp_buf_release(&p);
    slices_set(&s, "y", &truth, 1);
    slices_run(&s, NULL);
    p = slices_prove(&s, 0, NULL, NULL, NULL);
    assert_int_equal(slices_verify(&s, 0, p.p, p.len, 0, NULL, &err), 0);
    dsp_buf_release(&p);
    slices_free(&s);
}

/* ---- ranges of tensors and tables ---- */

/* y = f(x), one public cell each. */
static dsp_key *table_key(int64_t lo, int64_t hi, const int64_t rows[4])
{
    dsp_key *k = keys_new("table", 2, 1);
    keys_tensor(k, 0, "x", DSP_ROLE_PUB, 1, lo, hi);
    keys_tensor(k, 1, "y", DSP_ROLE_PUB, 1, 0, 1);
    keys_table(k, 0, "f", 1, 0, keys_pairs(k, 1, rows));
    keys_done(k, 1);
    return k;
}

/* x = 2^63 - 1 is in no row, but congruent to one: f is not defined there, and y = 1 passes. */
static void tensor_beyond_half(void **state)
{
    const int64_t rows[] = {FAR, 1, 0, 0}, x = INT64_MAX, mult[2] = {1, 0};
    (void)state;
    passes(table_key(INT64_MIN, INT64_MAX, rows), &x, 1, 1, NULL, mult, "tensor 'x': its range passes p/2");
}

/* Two rows, a function over the integers, with one x mod p: f(x) = 1, and y = 0 passes. */
static void pairs_beyond_half(void **state)
{
    const int64_t rows[] = {INT64_MAX, 0, FAR, 1}, x = FAR, mult[2] = {1, 0};
    (void)state;
    passes(table_key(FAR, 0, rows), &x, 1, 0, NULL, mult, "a value beyond p/2");
}

/* No function: both statements pass. */
static void pairs_no_function(void **state)
{
    const int64_t rows[] = {3, 0, 3, 1}, x = 3;
    (void)state;
    for (int64_t y = 0; y < 2; y++) {
        const int64_t mult[2] = {1 - y, y};
        passes(table_key(0, 7, rows), &x, 1, y, NULL, mult, "is no function");
    }
}

/* ---- order ---- */

/* b = y, y = b: every y passes. */
static void order(void **state)
{
    (void)state;
    for (int64_t y = -8; y < 8; y += 5) {
        dsp_key *k = keys_new("order", 2, 2);
        keys_tensor(k, 0, "b", DSP_ROLE_AUX, 1, -8, 7);
        keys_tensor(k, 1, "y", DSP_ROLE_PUB, 1, -8, 7);
        dsp_op *o = keys_lin(k, 0, "first", 0, 1);
        keys_view(o, 1, 1);
        o->q = keys_limbs(1, 4);
        keys_view(keys_lin(k, 1, "second", 1, 1), 0, 1);
        keys_done(k, 1);
        passes(k, NULL, 0, y, NULL, NULL, "order of operations: 'first' reads 'y' before it is made");
    }
}

/* ---- requantisation ---- */

/* y = floor((x + 2) / 4), the remainder looked up in `width` bits. */
static dsp_key *remainder_key(unsigned width)
{
    dsp_key *k = keys_new("rem", 2, 1);
    keys_tensor(k, 0, "x", DSP_ROLE_PUB, 1, -100, 100);
    keys_tensor(k, 1, "y", DSP_ROLE_PUB, 1, -100, 100);
    dsp_op *o = keys_lin(k, 0, "lin", 1, 1);
    keys_view(o, 0, 1);
    o->s = 2;
    o->rem = keys_limbs(1, width);
    keys_done(k, 1);
    return k;
}

static void remainder_wider(void **state)
{
    const int64_t x = 8; /* y = 2 */
    (void)state;
    passes(remainder_key(3), &x, 1, 1, NULL, NULL, "the remainder's limbs have 3 bits, the shift 2");
    fails(remainder_key(2), &x, 1, 1, NULL, 2);
}

static void no_saturation(void *arg, uint32_t op, int64_t *q, int64_t *u, int64_t *v, const int64_t *wide, size_t n)
{
    (void)arg, (void)v, (void)n;
    if (op == 0) {
        q[0] = wide[0];
        u[0] = 0;
    }
}

/* y = h = clamp(x, 0, hi), h looked up in 4 bits. */
static dsp_key *clamp_key(int64_t hi)
{
    dsp_key *k = keys_new("clamp", 3, 2);
    keys_tensor(k, 0, "x", DSP_ROLE_PUB, 1, -16, 40);
    keys_tensor(k, 1, "h", DSP_ROLE_AUX, 1, 0, hi);
    keys_tensor(k, 2, "y", DSP_ROLE_PUB, 1, 0, 40);
    dsp_op *o = keys_lin(k, 0, "lin", 1, 1);
    keys_view(o, 0, 1);
    o->q = keys_limbs(1, 4);
    o->u = o->v = keys_limbs(2, 4);
    keys_view(keys_lin(k, 1, "out", 2, 1), 1, 1);
    keys_done(k, 1);
    return k;
}

static void quotient_wider(void **state)
{
    const dsp_tamper lie = {.lin = no_saturation};
    const int64_t    x = 15, more = 20;
    (void)state;
    passes(clamp_key(14), &x, 1, 15, &lie, NULL, "range of q: 'lin': hi - lo + 1 must be 2^4"); /* y = 14 */
    fails(clamp_key(15), &more, 1, 20, &lie, 15);
}

/* y = f(clamp(x, 0, hi)) with f(x) = x on 0 .. 15; the table alone bounds h. */
static dsp_key *clamp_table_key(int64_t hi)
{
    int64_t  rows[32];
    dsp_key *k = keys_new("variant", 3, 2);
    for (int i = 0; i < 16; i++)
        rows[2 * i] = rows[2 * i + 1] = i;
    keys_tensor(k, 0, "x", DSP_ROLE_PUB, 1, 0, 40);
    keys_tensor(k, 1, "h", DSP_ROLE_AUX, 1, 0, hi);
    keys_tensor(k, 2, "y", DSP_ROLE_PUB, 1, 0, 15);
    dsp_op *o = keys_lin(k, 0, "lin", 1, 1);
    keys_view(o, 0, 1);
    o->u = keys_limbs(2, 4);
    keys_table(k, 1, "f", 2, 1, keys_pairs(k, 4, rows));
    keys_done(k, 1);
    return k;
}

static void table_wider_than_quotient(void **state)
{
    const dsp_tamper lie = {.lin = no_saturation};
    const int64_t    x = 12, more = 20;
    (void)state;
    passes(clamp_table_key(7), &x, 1, 12, &lie, NULL, "range of q: 'lin': row 8 of the table"); /* y = 7 */
    fails(clamp_table_key(15), &more, 1, 12, &lie, 15);
}

/* ---- wraps ---- */

/* y = 2^62 x at x = 4 is 2^64; 2^32 - 1 passes. */
static void accumulator_wraps(void **state)
{
    const int64_t x = 4;
    dsp_key      *k = keys_new("acc", 2, 1);
    (void)state;
    keys_tensor(k, 0, "x", DSP_ROLE_PUB, 1, -8, 7);
    keys_tensor(k, 1, "y", DSP_ROLE_PUB, 1, 0, 2 * WRAPPED);
    keys_view(keys_lin(k, 0, "lin", 1, BIG), 0, 1);
    keys_done(k, 1);
    passes(k, &x, 1, WRAPPED, NULL, NULL, "wrap: accumulator: 'lin'");
}

/* y = floor((x + 2^31) / 2^32) at x = 2^31 - 1 is 0; 2^32 passes, for 2^32 2^32 = 2^32 - 1 mod p. */
static void quotient_wraps(void **state)
{
    const int64_t x = ((int64_t)1 << 31) - 1, y = (int64_t)1 << 32;
    dsp_key      *k = keys_new("quotient", 2, 1);
    (void)state;
    keys_tensor(k, 0, "x", DSP_ROLE_PUB, 1, 0, y);
    keys_tensor(k, 1, "y", DSP_ROLE_PUB, 1, 0, y);
    dsp_op *o = keys_lin(k, 0, "lin", 1, 1);
    keys_view(o, 0, 1);
    o->s = 32;
    o->rem = keys_limbs(4, 8);
    keys_done(k, 1);
    passes(k, &x, 1, y, NULL, NULL, "wrap: q: 'lin'");
}

static void smaller(void *arg, uint32_t op, int64_t *out, const int64_t *a, const int64_t *b, size_t n)
{
    (void)arg, (void)op, (void)n;
    out[0] = a[0] < b[0] ? a[0] : b[0];
}

/* m = max(x_0, x_1), looked up in n limbs of 8 bits; y = m. */
static dsp_key *max_key(unsigned n)
{
    dsp_key *k = keys_new("max", 3, 2);
    keys_tensor(k, 0, "x", DSP_ROLE_PUB, 2, 0, 7);
    keys_tensor(k, 1, "m", DSP_ROLE_AUX, 1, 0, 7);
    keys_tensor(k, 2, "y", DSP_ROLE_PUB, 1, 0, 7);
    keys_max(k, 0, "max", 1, 0, 0, 1, keys_limbs(n, 8));
    keys_view(keys_lin(k, 1, "out", 2, 1), 1, 1);
    keys_done(k, 1);
    return k;
}

/* With 64 bits of limbs every residue is in range, so the smaller one passes. */
static void max_wraps(void **state)
{
    const dsp_tamper lie = {.out = smaller};
    const int64_t    x[2] = {3, 5};
    (void)state;
    passes(max_key(8), x, 2, 3, &lie, NULL, "wrap: max: 'max'");
    fails(max_key(7), x, 2, 3, &lie, 5);
}

/* ---- declared ranges that nothing enforces: the next operation wraps ---- */

/* m = max(x, x) is declared to be at most 1, x at most 7; y = 2^62 m. */
static void max_range(void **state)
{
    const int64_t x = 4;
    dsp_key      *k = keys_new("maxrange", 3, 2);
    (void)state;
    keys_tensor(k, 0, "x", DSP_ROLE_PUB, 1, 0, 7);
    keys_tensor(k, 1, "m", DSP_ROLE_AUX, 1, 0, 1);
    keys_tensor(k, 2, "y", DSP_ROLE_PUB, 1, 0, 2 * WRAPPED);
    keys_max(k, 0, "max", 1, 0, 0, 0, keys_limbs(1, 3));
    keys_view(keys_lin(k, 1, "out", 2, BIG), 1, 1);
    keys_done(k, 1);
    passes(k, &x, 1, WRAPPED, NULL, NULL, "max: 'max': the range of 'x' is not inside that of the output");
}

/* The same with a table value outside the range of its output. */
static void table_range(void **state)
{
    const int64_t x = 1, rows[] = {0, 0, 1, 4};
    dsp_key      *k = keys_new("tablerange", 3, 2);
    (void)state;
    keys_tensor(k, 0, "x", DSP_ROLE_PUB, 1, 0, 1);
    keys_tensor(k, 1, "g", DSP_ROLE_AUX, 1, 0, 1);
    keys_tensor(k, 2, "y", DSP_ROLE_PUB, 1, 0, 2 * WRAPPED);
    keys_table(k, 0, "f", 1, 0, keys_pairs(k, 1, rows));
    keys_view(keys_lin(k, 1, "out", 2, BIG), 1, 1);
    keys_done(k, 1);
    passes(k, &x, 1, WRAPPED, NULL, NULL, "table range: 'f'");
}

/* The same with a private input whose range check is wider than its range. */
static dsp_key *range_key(int64_t hi, int64_t m)
{
    dsp_key *k = keys_new("range", 2, 2);
    keys_tensor(k, 0, "x", DSP_ROLE_EDGE, 1, 0, hi);
    keys_tensor(k, 1, "y", DSP_ROLE_PUB, 1, 0, 2 * WRAPPED);
    keys_range(k, 0, "in", 0, keys_limbs(1, 3));
    keys_view(keys_lin(k, 1, "out", 1, m), 0, 1);
    keys_done(k, 1);
    return k;
}

static void range_wider(void **state)
{
    const int64_t x = 4;
    (void)state;
    passes(range_key(1, BIG), &x, 1, WRAPPED, NULL, NULL, "range: 'in': hi - lo + 1 must be 2^3");
    fails(range_key(7, 5), &x, 1, 21, NULL, 20);
}

/* ---- queries ---- */

static void load_chain(slices *s, const json_t *vec, uint32_t less, uint32_t pad_t)
{
    slices_load(s, vec, "chain, 12 bits, mode 1");
    for (uint32_t i = 0; i < s->n; i++) {
        for (uint32_t t = 0; t < s->key[i]->n_trees; t++)
            if (less)
                s->key[i]->trees[t].t = 1;
        if (pad_t)
            s->key[i]->pad_t = pad_t;
    }
    slices_rekey(s);
}

/* How many of `n` nonces give a proof of slice i that passes without V1; the last one is kept in *p. Stops at the first. */
static unsigned lucky(slices *s, uint32_t i, const dsp_cheat *c, unsigned n, dsp_buf *p)
{
    for (unsigned k = 0; k < n; k++) {
        dsp_buf_release(p);
        s->st[i].nonce[0] = (uint8_t)k;
        *p = slices_prove(s, i, c, NULL, NULL);
        if (slices_verify(s, i, p->p, p->len, (uint64_t)1 << DSP_V1, NULL, NULL) == 0)
            return k + 1;
    }
    return 0;
}

/* The boundary's tree holds the codewords of b at (n + k)/2 + 9 positions, so b is what it commits to, and those of another b at the rest;
 * the slice is proved for the other. One query tells them apart with probability 1/2, those of the key nearly always. */
static void few_queries(void **state)
{
    for (int weak = 1; weak >= 0; weak--) {
        slices    s;
        dsp_edge *other = NULL;
        dsp_err   err = {DSP_OK, ""};
        dsp_buf   p = {0};
        load_chain(&s, *state, (uint32_t)weak, 0);
        slices_run(&s, NULL);
        const slices_value *b = slices_get(&s, "b1");
        int64_t             cells[18];
        memcpy(cells, b->v, sizeof cells);
        for (size_t k = 0; k < 18; k++)
            cells[k] = 15 - cells[k];
        assert_int_equal(dsp_edge_commit(&other, s.D[1], 0, cells, &s.run_key, s.secret, NULL, &err), DSP_OK);
        const dsp_tree_info *t = &s.D[1]->trees[0];
        const dsp_tree      *a = &b->edge->tree, *c = &other->tree;
        const uint32_t       mine = (uint32_t)((t->n + t->k) / 2 + 9);
        dsp_arena           *arena = dsp_arena_create(0);
        uint8_t             *cols = DSP_ARENA_N(arena, uint8_t, a->n * a->width), *salts = DSP_ARENA_N(arena, uint8_t, 16 * (size_t)a->n);
        dsp_edge             mixed = {.cells = cells, .rows = other->rows};
        assert_true(cols && salts && mine < t->n);
        for (uint32_t q = 0; q < a->n; q++)
            memcpy(cols + q * a->width, (q < mine ? a : c)->cols + q * a->width, a->width);
        assert_int_equal(dsp_tree_build(&mixed.tree, arena, NULL, a->kind, a->n, a->width, cols, salts, &err), DSP_OK);
        mixed.root = mixed.tree.root;
        slices_reexecute(&s, 1, NULL, "b1", cells);
        const uint32_t y = slices_tensor(&s, 1, "y");
        assert_memory_not_equal(s.w[1]->cells[y], slices_get(&s, "y")->v, 3 * sizeof(int64_t)); /* the statement is false */
        s.pub[1][y] = s.w[1]->cells[y];
        s.root[1][0] = mixed.root;
        s.edge[1][0] = &mixed;
        assert_int_equal(lucky(&s, 1, &anything, INF, &p) > 0, weak);
        if (weak) {
            assert_int_equal(slices_verify(&s, 1, p.p, p.len, 0, NULL, &err), DSP_V1);
            assert_non_null(strstr(err.msg, "V1 queries: tree 'b1'"));
        }
        dsp_buf_release(&p);
        dsp_edge_free(other);
        dsp_arena_free(arena);
        slices_free(&s);
    }
}

/* y_dot moved by a polynomial with the slot sum that is missing and roots at 2k - 2 of the n positions: V20 holds, and a query sees
 * nothing at a root. */
static void hide_at_roots(void *arg, const dsp_derived *D, const dsp_pad_coeffs *c, dsp_ke *ldt, dsp_ke *dot, dsp_ke *q)
{
    enum { MOST = 128 };
    const uint32_t k = D->key->pad_k, t = D->key->pad_t;
    const dsp_fe   w = dsp_fe_root(D->key->pad_n);
    dsp_ke         poly[2 * MOST] = {{{1}, {0}}}, scratch[MOST];
    dsp_ntt       *ntt = dsp_ntt_create(10);
    (void)arg, (void)ldt, (void)q;
    assert_true(k <= MOST && ntt);
    for (uint32_t i = 0; i < 2 * k - 2; i++) { /* times X - 7 w^i */
        const dsp_fe root = dsp_fe_mul((dsp_fe){7}, dsp_fe_pow(w, i));
        for (uint32_t j = i + 1; j-- > 0;) {
            poly[j + 1] = dsp_ke_add(poly[j + 1], poly[j]);
            poly[j] = dsp_ke_neg(dsp_ke_scale(poly[j], root));
        }
    }
    const dsp_ke sum = dsp_pad_slot_sum(poly, 2 * k - 1, k, t, ntt, scratch);
    const dsp_ke miss = dsp_ke_sub(c->b, dsp_pad_slot_sum(dot, 2 * k - 1, k, t, ntt, scratch));
    assert_false(dsp_ke_is_zero(sum) || dsp_ke_is_zero(miss));
    const dsp_ke f = dsp_ke_mul(miss, dsp_ke_inv(sum));
    for (uint32_t j = 0; j < 2 * k - 1; j++)
        dot[j] = dsp_ke_add(dot[j], dsp_ke_mul(f, poly[j]));
    dsp_ntt_free(ntt);
}

static void few_pad_queries(void **state)
{
    const dsp_cheat c = {.answers = hide_at_roots};
    for (int weak = 1; weak >= 0; weak--) {
        slices  s;
        dsp_err err = {DSP_OK, ""};
        dsp_buf p = {0};
        int64_t y[3];
        load_chain(&s, *state, 0, weak ? 1 : 0);
        slices_run(&s, NULL);
        memcpy(y, slices_get(&s, "y")->v, sizeof y);
        y[1]++;
        slices_set(&s, "y", y, 3);
        slices_run(&s, NULL);
        assert_int_equal(lucky(&s, 1, &c, INF, &p) > 0, weak);
        if (weak) {
            assert_int_equal(slices_verify(&s, 1, p.p, p.len, 0, NULL, &err), DSP_V1);
            assert_non_null(strstr(err.msg, "V1 pads: 1 queries"));
        }
        dsp_buf_release(&p);
        slices_free(&s);
    }
}

static int load(void **state) { return (*state = vec_load()) == NULL; }
static int unload(void **state)
{
    json_decref(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensor_beyond_half),        cmocka_unit_test(pairs_beyond_half), cmocka_unit_test(pairs_no_function),
        cmocka_unit_test(order),                     cmocka_unit_test(remainder_wider),   cmocka_unit_test(quotient_wider),
        cmocka_unit_test(table_wider_than_quotient), cmocka_unit_test(accumulator_wraps), cmocka_unit_test(quotient_wraps),
        cmocka_unit_test(max_wraps),                 cmocka_unit_test(max_range),         cmocka_unit_test(table_range),
        cmocka_unit_test(range_wider),               cmocka_unit_test(few_queries),       cmocka_unit_test(few_pad_queries),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
