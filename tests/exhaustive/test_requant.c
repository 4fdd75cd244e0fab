/* Where integers follow from residues (S5): under every key that V1 accepts, for every accumulator and every value that the lookups let
 * pass, the constraints of a lin have at most one solution, the executor's; those of a max have exactly the maximum. Keys that the rules
 * against wraps refuse have false solutions: each rule is shown one. All keys of a grid, all inputs, all values mod p. */
#include "circuit/exec.h"
#include "toy.h"

enum { MAX_CELLS = 256 };

typedef struct { int64_t lo_x, hi_x, mult, lo; unsigned s, b, u, v; } lin_case; /* widths; u, v = 0: no such side */
typedef struct { unsigned accepted, refused, wrap_acc, wrap_q, false_acc, false_q; } tally;

static dsp_limbs limbs(unsigned bits) { return bits ? (dsp_limbs){1, {(uint8_t)bits}} : (dsp_limbs){0, {0}}; }

/* n_tensors and n_ops to be filled; range tables of 1 to 8 bits; a geometry that passes V1 at one bit. */
static dsp_key *empty_key(uint32_t n_tensors, uint32_t n_ops)
{
    dsp_key *k = dsp_key_create();
    assert_non_null(k);
    k->name = "toy";
    k->profile = 0x8001;
    k->mode = 1;
    k->n_tensors = n_tensors;
    k->tensors = DSP_ARENA_N(k->arena, dsp_tensor, n_tensors);
    k->n_tables = 8;
    k->tables = DSP_ARENA_N(k->arena, dsp_table, 8);
    for (uint8_t i = 0; i < 8; i++)
        k->tables[i] = (dsp_table){DSP_TABLE_RANGE, (uint8_t)(i + 1), NULL};
    k->n_ops = n_ops;
    k->ops = DSP_ARENA_N(k->arena, dsp_op, n_ops);
    for (uint32_t i = 0; i < n_ops; i++)
        k->ops[i].out = k->ops[i].bias = k->ops[i].x = k->ops[i].table = k->ops[i].a.x = k->ops[i].b.x = DSP_NONE;
    k->n_trees = 1;
    k->trees = DSP_ARENA_N(k->arena, dsp_geometry, 1);
    k->trees[0] = (dsp_geometry){DSP_NONE, 64, 1024, 1, 0};
    k->trees[0].t = dsp_t_for_trees(1024, &(dsp_code_use){64, 1}, 1, 1);
    k->pad_k = 64;
    k->pad_n = 512;
    k->pad_t = dsp_t_pads(512, 64, 1);
    return k;
}

static dsp_ints ones(dsp_arena *a, uint32_t n, int64_t x)
{
    int64_t *v = DSP_ARENA_N(a, int64_t, n);
    for (uint32_t i = 0; i < n; i++)
        v[i] = x;
    return (dsp_ints){n, v};
}

/* q = requantised mult x, cells of x: every integer of its range. */
static dsp_key *lin_key(const lin_case *c)
{
    const uint32_t n = (uint32_t)(c->hi_x - c->lo_x + 1);
    dsp_key       *k = empty_key(2, 1);
    k->tensors[0] = (dsp_tensor){"x", DSP_ROLE_PUB, {1, 1, n}, c->lo_x, c->hi_x, 0};
    k->tensors[1] = (dsp_tensor){"q", DSP_ROLE_AUX, {1, 1, n}, c->lo, c->lo + ((int64_t)1 << c->b) - 1, 0};
    dsp_op *o = &k->ops[0];
    o->kind = DSP_OP_LIN, o->name = "lin", o->out = 1, o->s = (uint8_t)c->s;
    o->rem = limbs(c->s), o->q = limbs(c->b), o->u = limbs(c->u), o->v = limbs(c->v);
    o->M = ones(k->arena, 1, 1);
    o->n_terms = 1;
    o->terms = DSP_ARENA_N(k->arena, dsp_term, 1);
    o->terms[0] = (dsp_term){.kind = DSP_TERM_VIEW, .weight = DSP_NONE, .mult = c->mult, .view = {0, {1, 1, 1}, {0, 0, 0}}};
    return k;
}

static int64_t floor_div(int64_t a, unsigned s) { return a >= 0 ? a >> s : -((-a + ((int64_t)1 << s) - 1) >> s); }
static uint64_t residue(int64_t x) { return dsp_fe_from_i64(x).v; }

/* Solutions (q, u, v) of the constraints for accumulator T, each in the range that its lookups allow, everything mod p; *truth counts
 * those that are the integers of S5. */
static unsigned solutions(const lin_case *c, int64_t T, unsigned *truth)
{
    const int64_t half = c->s ? (int64_t)1 << (c->s - 1) : 0, hi = c->lo + ((int64_t)1 << c->b) - 1, wide = floor_div(T + half, c->s);
    const int64_t q0 = wide < c->lo ? c->lo : wide > hi ? hi : wide, u0 = wide > hi ? wide - hi : 0, v0 = wide < c->lo ? c->lo - wide : 0;
    unsigned      n = 0;
    *truth = 0;
    for (int64_t q = c->lo; q <= hi; q++)
        for (int64_t u = 0; u < (c->u ? (int64_t)1 << c->u : 1); u++)
            for (int64_t v = 0; v < (c->v ? (int64_t)1 << c->v : 1); v++) {
                const uint64_t rem = residue(T + half - (q + u - v) * ((int64_t)1 << c->s));
                if (rem >= (uint64_t)1 << c->s || residue(u * (hi - q)) || residue(v * (q - c->lo)))
                    continue;
                n++;
                *truth += q == q0 && u == u0 && v == v0;
            }
    return n;
}

static void try_lin(const lin_case *c, tally *sum)
{
    dsp_key     *k = lin_key(c);
    dsp_derived *D = NULL;
    dsp_err      err = {DSP_OK, ""};
    int64_t      x[MAX_CELLS];
    unsigned     wrong = 0;
    const size_t n = (size_t)(c->hi_x - c->lo_x + 1);
    assert_true(n <= MAX_CELLS);
    assert_int_equal(dsp_derive(&D, k, &err), DSP_OK);
    const bool ok = dsp_key_check(D, &err) == DSP_OK;
    bool       all = true; /* every cell is in the range of its output or has a side that takes it */
    for (size_t i = 0; i < n; i++) {
        unsigned       truth;
        const unsigned found = solutions(c, c->mult * (x[i] = c->lo_x + (int64_t)i), &truth);
        if (ok && (found > 1 || truth != found))
            fail_msg("s %u, b %u from %lld, u %u, v %u, accumulator %lld: %u solutions, %u true", c->s, c->b, (long long)c->lo, c->u, c->v,
                     (long long)(c->mult * x[i]), found, truth);
        wrong += found > truth;
        all = all && truth == 1;
    }
    if (ok) {
        sum->accepted++;
        const int64_t *in[2] = {x, NULL};
        dsp_witness   *w = NULL;
        const bool     runs = dsp_execute(&w, D, in, true, NULL, &err) == DSP_OK;
        assert_int_equal(runs, all); /* completeness: what has a solution runs, and it is the one found */
        for (size_t i = 0; runs && i < n; i++) {
            const int64_t T = c->mult * x[i], half = c->s ? (int64_t)1 << (c->s - 1) : 0, wide = floor_div(T + half, c->s), q = w->cells[1][i];
            assert_true(q == (wide < c->lo ? c->lo : wide > k->tensors[1].hi ? k->tensors[1].hi : wide));
        }
        dsp_witness_free(w);
    } else {
        sum->refused++;
        sum->wrap_acc += strstr(err.msg, "wrap: accumulator") != NULL;
        sum->wrap_q += strstr(err.msg, "wrap: q") != NULL;
        sum->false_acc += wrong && strstr(err.msg, "wrap: accumulator");
        sum->false_q += wrong && strstr(err.msg, "wrap: q");
        if (!strstr(err.msg, "wrap: ") && !strstr(err.msg, "passes p/2"))
            fail_msg("%s", err.msg);
    }
    dsp_derived_free(D);
    dsp_key_free(k);
}

static void requantisation(void **state)
{
    tally sum = {0};
    (void)state;
    for (unsigned s = 0; s <= 4; s++)
        for (unsigned b = 1; b <= 4; b++)
            for (unsigned sides = 0; sides < 16; sides++)
                for (int sign = 0; sign < 2; sign++)
                    for (int64_t x = 1; x <= 64; x *= 2)
                        for (int64_t mult = 1; mult <= 3; mult += 2) {
                            const lin_case c = {.lo_x = -x, .hi_x = x - 1, .mult = mult, .lo = sign ? -((int64_t)1 << (b - 1)) : 0,
                                                .s = s, .b = b, .u = sides & 3, .v = sides >> 2};
                            try_lin(&c, &sum);
                        }
    assert_true(sum.accepted > 0 && sum.refused > 0);
    /* the rules are needed: false solutions exist behind each of them */
    assert_true(sum.false_acc > 0 && sum.false_q > 0);
}

/* ---- max ---- */

typedef struct { int64_t lo, hi, in_lo, in_hi; unsigned w; } max_case;

static void try_max(const max_case *c, unsigned *accepted, unsigned *wrong_refused)
{
    const uint32_t r = (uint32_t)(c->in_hi - c->in_lo + 1), n = r * r;
    dsp_key       *k = empty_key(3, 1);
    dsp_derived   *D = NULL;
    dsp_err        err = {DSP_OK, ""};
    int64_t        a[MAX_CELLS], b[MAX_CELLS];
    unsigned       wrong = 0;
    bool           all = true;
    assert_true(n <= MAX_CELLS);
    k->tensors[0] = (dsp_tensor){"a", DSP_ROLE_PUB, {1, 1, n}, c->in_lo, c->in_hi, 0};
    k->tensors[1] = (dsp_tensor){"b", DSP_ROLE_PUB, {1, 1, n}, c->in_lo, c->in_hi, 0};
    k->tensors[2] = (dsp_tensor){"m", DSP_ROLE_AUX, {1, 1, n}, c->lo, c->hi, 0};
    k->ops[0].kind = DSP_OP_MAX, k->ops[0].name = "max", k->ops[0].out = 2, k->ops[0].w = limbs(c->w);
    k->ops[0].a = (dsp_view){0, {1, 1, 1}, {0, 0, 0}};
    k->ops[0].b = (dsp_view){1, {1, 1, 1}, {0, 0, 0}};
    assert_int_equal(dsp_derive(&D, k, &err), DSP_OK);
    const bool ok = dsp_key_check(D, &err) == DSP_OK;
    for (uint32_t i = 0; i < n; i++) {
        unsigned found = 0, truth = 0;
        a[i] = c->in_lo + (int64_t)(i / r);
        b[i] = c->in_lo + (int64_t)(i % r);
        for (uint64_t out = 0; out < TOY_P; out++) { /* nothing else bounds out */
            const dsp_fe da = dsp_fe_sub((dsp_fe){out}, dsp_fe_from_i64(a[i])), db = dsp_fe_sub((dsp_fe){out}, dsp_fe_from_i64(b[i]));
            if (da.v >> c->w || db.v >> c->w || !dsp_fe_is_zero(dsp_fe_mul(da, db)))
                continue;
            found++;
            truth += out == residue(a[i] > b[i] ? a[i] : b[i]);
        }
        if (ok && found != truth)
            fail_msg("max of %lld, %lld, %u bits: %u solutions, %u true", (long long)a[i], (long long)b[i], c->w, found, truth);
        wrong += found > truth;
        all = all && truth == 1;
    }
    if (ok) {
        const int64_t *in[3] = {a, b, NULL};
        dsp_witness   *w = NULL;
        const bool     runs = dsp_execute(&w, D, in, true, NULL, &err) == DSP_OK;
        assert_int_equal(runs, all);
        for (uint32_t i = 0; runs && i < n; i++)
            assert_true(w->cells[2][i] == (a[i] > b[i] ? a[i] : b[i]));
        dsp_witness_free(w);
        ++*accepted;
    } else if (strstr(err.msg, "wrap: max")) {
        *wrong_refused += wrong > 0;
    }
    dsp_derived_free(D);
    dsp_key_free(k);
}

static void maximum(void **state)
{
    unsigned accepted = 0, wrong = 0;
    (void)state;
    for (unsigned w = 1; w <= 8; w++)
        for (int64_t span = 1; span <= 15; span++)
            for (int64_t lo = -8; lo <= 0; lo += 4)
                for (int64_t out = 0; out < 2; out++) { /* the output's range: as the inputs', and one wider on both ends */
                    const max_case c = {lo - out, lo + span + out, lo, lo + span, w};
                    try_max(&c, &accepted, &wrong);
                }
    assert_true(accepted > 0 && wrong > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(requantisation), cmocka_unit_test(maximum)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
