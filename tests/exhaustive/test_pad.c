/* The pad tableau (S9) over small fields: where rows and slots lie, that the answers agree with the columns everywhere, and what answers and
 * opened columns show. y_ldt, y_dot and columns are linear in data and randomness, so what they show is a rank: with t opened columns
 * one fact, the public slot sum; with one column more, or without the row that blinds y_ldt, more. y_q is counted over its randomness. */
#include "pcs/pad.h"
#include "pcs/params.h"
#include "toy.h"

static dsp_arena *arena;
static dsp_ntt   *ntt;

#if DSP_TOY_P == 257
enum { K = 16, N = 64, T = 5, W = K - T, ROWS = 3, VARS = ROWS * K + K + 2 * K - 1, VIEWS = K + 2 * K - 1 + (T + 1) * (ROWS + 2) };

typedef struct { dsp_ke ldt[K], dot[2 * K], quad[2 * K], row[ROWS * K]; } tableau;

static dsp_pad_rows rows_of(tableau *t, uint32_t nw, uint32_t nq)
{
    return (dsp_pad_rows){.s = {K, N, T, nw, nq, 3 + nw + 3 * nq}, .ntt = ntt, .ldt = t->ldt, .dot = t->dot, .quad = t->quad, .row = t->row};
}

/* The tableau in which variable `e` is 1 and the others are 0: places of the rows (random ones first), then LDT, then DOT before its slot
 * sum is made 0. */
static void unit(tableau *t, size_t e)
{
    dsp_ke scratch[K];
    memset(t, 0, sizeof *t);
    if (e < ROWS * K) {
        t->row[e] = dsp_ke_one();
        dsp_ntt_inverse_ke(ntt, t->row + e / K * K, 4);
    } else if (e < ROWS * K + K) {
        t->ldt[e - ROWS * K] = dsp_ke_one();
    } else {
        t->dot[e - ROWS * K - K] = dsp_ke_one();
        const dsp_ke sum = dsp_pad_slot_sum(t->dot, 2 * K - 1, K, T, ntt, scratch);
        t->dot[0] = dsp_ke_sub(t->dot[0], dsp_ke_scale(sum, dsp_fe_inv(dsp_fe_from_i64(W))));
    }
}

static bool is_data(size_t e) { return e < ROWS * K && e % K >= T; }

typedef struct { dsp_ke u[ROWS], A[ROWS * W], uq[1]; } coins;

static coins draw_coins(uint64_t *seed)
{
    coins c;
    for (size_t i = 0; i < ROWS; i++)
        c.u[i] = toy_draw(seed);
    for (size_t i = 0; i < ROWS * W; i++)
        c.A[i] = toy_draw(seed);
    c.uq[0] = toy_draw(seed);
    return c;
}

/* What the verifier sees of a tableau: y_ldt, y_dot, and all five polynomials at the opened positions 5 q + 1. */
static size_t view(dsp_ke *out, tableau *t, const coins *c, unsigned opened)
{
    const dsp_pad_rows p = rows_of(t, ROWS, 0);
    const dsp_mark     mark = dsp_arena_mark(arena);
    dsp_ke             y_q[2 * K], code[N];
    size_t             n = K + 2 * K - 1;
    assert_int_equal(dsp_pad_answer(out, out + K, y_q, &p, c->u, c->A, c->uq, arena, NULL), DSP_OK);
    for (size_t i = 0; i < ROWS + 2; i++) {
        const dsp_ke *poly = i < ROWS ? t->row + i * K : i == ROWS ? t->ldt : t->dot;
        dsp_rs_encode_ke(ntt, code, 6, poly, i <= ROWS ? K : 2 * K - 1, (dsp_fe){7});
        for (unsigned q = 0; q < opened; q++)
            out[n++] = code[5 * q + 1];
    }
    dsp_arena_rewind(arena, mark);
    return n;
}

static dsp_ke matrix[VARS][VIEWS];

/* Rank of the rows e of the matrix with pick(e); n columns. */
static unsigned rank(bool (*pick)(size_t), bool ldt, size_t n)
{
    static dsp_ke m[VARS][VIEWS];
    unsigned      rows = 0, r = 0;
    for (size_t e = 0; e < VARS; e++)
        if (pick(e) && (ldt || e < ROWS * K || e >= ROWS * K + K))
            memcpy(m[rows++], matrix[e], n * sizeof(dsp_ke));
    for (size_t c = 0; c < n && r < rows; c++) {
        unsigned at = r;
        while (at < rows && dsp_ke_is_zero(m[at][c]))
            at++;
        if (at == rows)
            continue;
        for (size_t j = 0; j < n; j++) {
            const dsp_ke x = m[at][j];
            m[at][j] = m[r][j];
            m[r][j] = x;
        }
        const dsp_ke inv = dsp_ke_inv(m[r][c]);
        for (unsigned i = r + 1; i < rows; i++) {
            const dsp_ke f = dsp_ke_neg(dsp_ke_mul(m[i][c], inv));
            for (size_t j = c; j < n && !dsp_ke_is_zero(f); j++)
                m[i][j] = dsp_ke_add(m[i][j], dsp_ke_mul(f, m[r][j]));
        }
        r++;
    }
    return r;
}

static bool all(size_t e) { return e < VARS; }
static bool randomness(size_t e) { return !is_data(e); }

/* Facts about the slots that the view shows: combinations of it in which all randomness cancels and data does not. */
static unsigned facts(unsigned opened, bool ldt)
{
    static tableau t;
    uint64_t       seed = 11;
    const coins    c = draw_coins(&seed);
    size_t         n = 0;
    for (size_t e = 0; e < VARS; e++) {
        unit(&t, e);
        n = view(matrix[e], &t, &c, opened);
    }
    return rank(all, ldt, n) - rank(randomness, ldt, n);
}

static void hiding(void **state)
{
    (void)state;
    for (unsigned opened = 0; opened <= T; opened++)
        assert_int_equal(facts(opened, true), 1);
    assert_int_equal(facts(T + 1, true), 1 + ROWS);
    assert_int_equal(facts(T, false), 1 + W);
}

/* The one fact is the slot sum of y_dot: A at the slots, 0 at everything random. */
static void slot_sum(void **state)
{
    static tableau t;
    uint64_t       seed = 12;
    const coins    c = draw_coins(&seed);
    dsp_ke         v[VIEWS], scratch[K];
    (void)state;
    for (size_t e = 0; e < VARS; e++) {
        unit(&t, e);
        view(v, &t, &c, 0);
        const dsp_ke sum = dsp_pad_slot_sum(v + K, 2 * K - 1, K, T, ntt, scratch);
        assert_true(dsp_ke_eq(sum, is_data(e) ? c.A[e / K * W + e % K - T] : dsp_ke_zero()));
    }
}

/* The committed tableau: value i in row i / w, slot i % w; copies after the variables; blinding rows as S9 says. The answers equal the
 * combined columns at every position. */
static void committed(void **state)
{
    enum { VALUES = 2 * W + 3, PROD = W + 2, NW = 3, NQ = 2, ALL = NW + 3 * NQ };
    const dsp_pad_shape shape = {K, N, T, NW, NQ, 3 + ALL};
    const uint8_t       secret[32] = {3};
    uint64_t            seed = 13;
    dsp_ke              value[VALUES], x[PROD], y[PROD], z[PROD], h[2 * K], u[ALL], A[ALL * W], uq[NQ];
    dsp_ke              y_ldt[K], y_dot[2 * K], y_q[2 * K], L[N], D[N], Q[N], a[N][ALL];
    dsp_pad_rows        p;
    dsp_rand            rnd;
    (void)state;
    for (size_t i = 0; i < VALUES; i++)
        value[i] = toy_draw(&seed);
    for (size_t i = 0; i < PROD; i++) {
        x[i] = toy_draw(&seed);
        y[i] = toy_draw(&seed);
        z[i] = dsp_ke_mul(x[i], y[i]);
    }
    for (size_t i = 0; i < ALL * W; i++)
        A[i] = toy_draw(&seed);
    for (size_t i = 0; i < ALL; i++)
        u[i] = toy_draw(&seed);
    uq[0] = toy_draw(&seed);
    uq[1] = toy_draw(&seed);
    dsp_rand_begin(&rnd, secret);
    dsp_rand_end(&rnd);
    assert_int_equal(dsp_pad_commit(&p, arena, &shape, ntt, NULL, &rnd, value, VALUES, x, y, z, PROD, NULL), DSP_OK);
    for (size_t r = 0; r < ALL; r++) {
        const dsp_ke *v = r < NW ? value : r < NW + NQ ? x : r < NW + 2 * NQ ? y : z;
        const size_t  n = r < NW ? VALUES : PROD, from = (r < NW ? r : (r - NW) % NQ) * W;
        dsp_pad_on_h(h, p.row + r * K, K, K, ntt);
        for (size_t i = 0; i < W; i++)
            assert_true(dsp_ke_eq(h[T + i], from + i < n ? v[from + i] : dsp_ke_zero()));
    }
    assert_true(dsp_ke_is_zero(dsp_pad_slot_sum(p.dot, 2 * K - 1, K, T, ntt, h)));
    dsp_pad_on_h(h, p.quad, 2 * K - 1, K, ntt);
    for (size_t i = T; i < K; i++)
        assert_true(dsp_ke_is_zero(h[i]));
    assert_int_equal(dsp_pad_answer(y_ldt, y_dot, y_q, &p, u, A, uq, arena, NULL), DSP_OK);
    dsp_pad_on_h(h, y_q, 2 * K - 1, K, ntt);
    for (size_t i = T; i < K; i++)
        assert_true(dsp_ke_is_zero(h[i])); /* products hold */
    dsp_rs_encode_ke(ntt, L, 6, y_ldt, K, (dsp_fe){7});
    dsp_rs_encode_ke(ntt, D, 6, y_dot, 2 * K - 1, (dsp_fe){7});
    dsp_rs_encode_ke(ntt, Q, 6, y_q, 2 * K - 1, (dsp_fe){7});
    for (size_t r = 0; r < ALL; r++) {
        dsp_ke s[K] = {{{0}, {0}}}, code[N];
        memcpy(s + T, A + r * W, W * sizeof *s);
        dsp_ntt_inverse_ke(ntt, s, 4);
        dsp_rs_encode_ke(ntt, code, 6, s, K, (dsp_fe){7});
        for (size_t q = 0; q < N; q++)
            a[q][r] = code[q];
    }
    for (size_t q = 0; q < N; q++) {
        dsp_ke c[3 + ALL];
        for (size_t i = 0; i < 3 + ALL; i++)
            assert_true(dsp_ke_read(&c[i], p.tree.cols + q * p.tree.width + 16 * i));
        dsp_ke l = c[0], d = c[1], s = c[2];
        for (size_t i = 0; i < ALL; i++) {
            l = dsp_ke_add(l, dsp_ke_mul(u[i], c[3 + i]));
            d = dsp_ke_add(d, dsp_ke_mul(a[q][i], c[3 + i]));
        }
        for (size_t i = 0; i < NQ; i++) {
            const dsp_ke *r = c + 3 + NW + i;
            s = dsp_ke_add(s, dsp_ke_mul(uq[i], dsp_ke_sub(r[2 * NQ], dsp_ke_mul(r[0], r[NQ]))));
        }
        assert_true(dsp_ke_eq(L[q], l) && dsp_ke_eq(D[q], d) && dsp_ke_eq(Q[q], s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hiding), cmocka_unit_test(slot_sum), cmocka_unit_test(committed)};
    arena = dsp_arena_create(0);
    ntt = dsp_ntt_create(6);
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    dsp_ntt_free(ntt);
    dsp_arena_free(arena);
    return r;
}

#else

/* k = 2, n = 4, t = 1: one slot. y_q over all (lo, hi) of QUAD, elements of F: for right products the same set whatever the rows are, each
 * of its members once; it is the set of polynomials whose slot is 0. A wrong product never gives one of them. */
static void quadratic(void **state)
{
    enum { Q2 = TOY_P * TOY_P, CUBE = TOY_P * TOY_P * TOY_P };
    static uint8_t first[CUBE], hits[CUBE];
    dsp_ke         ldt[2] = {{{0}, {0}}, {{0}, {0}}}, dot[4], quad[4], row[6], y_ldt[2], y_dot[4], y_q[4], h[2];
    const dsp_ke   u[3] = {{{1}, {0}}, {{1}, {0}}, {{1}, {0}}}, A[3] = {{{1}, {0}}, {{1}, {0}}, {{1}, {0}}};
    bool           have = false;
    (void)state;
    memset(dot, 0, sizeof dot);
    for (uint64_t uq = 1; uq < TOY_P; uq += 5)
        for (uint64_t xy = 0; xy < Q2; xy += TOY_P == 13 ? 3 : 11)
            for (uint64_t blind = 0; blind < 8; blind++)
                for (uint64_t wrong = 0; wrong < 2; wrong++) {
                    const dsp_fe x = {xy % TOY_P}, y = {xy / TOY_P};
                    const dsp_fe slot[3] = {x, y, dsp_fe_add(dsp_fe_mul(x, y), (dsp_fe){wrong})};
                    const dsp_ke c = dsp_ke_from((dsp_fe){uq});
                    for (size_t i = 0; i < 3; i++) {
                        row[2 * i] = dsp_ke_from((dsp_fe){(blind >> i & 1) * (4 + i)}); /* the random place */
                        row[2 * i + 1] = dsp_ke_from(slot[i]);
                        dsp_ntt_inverse_ke(ntt, row + 2 * i, 1);
                    }
                    dsp_pad_rows p = {.s = {2, 4, 1, 0, 1, 6}, .ntt = ntt, .ldt = ldt, .dot = dot, .quad = quad, .row = row};
                    memset(hits, 0, sizeof hits);
                    for (uint64_t r = 0; r < Q2; r++) {
                        quad[0] = dsp_ke_from((dsp_fe){r % TOY_P});
                        quad[1] = dsp_ke_zero();
                        dsp_ntt_inverse_ke(ntt, quad, 1); /* lo */
                        quad[2] = dsp_ke_from((dsp_fe){r / TOY_P});
                        quad[0] = dsp_ke_sub(quad[0], quad[2]); /* (X^2 - 1) hi */
                        const dsp_mark m = dsp_arena_mark(arena);
                        assert_int_equal(dsp_pad_answer(y_ldt, y_dot, y_q, &p, u, A, &c, arena, NULL), DSP_OK);
                        dsp_arena_rewind(arena, m);
                        hits[y_q[0].a.v + TOY_P * (y_q[1].a.v + TOY_P * y_q[2].a.v)]++;
                        dsp_pad_on_h(h, y_q, 3, 2, ntt);
                        assert_int_equal(dsp_ke_is_zero(h[1]), !wrong);
                    }
                    if (!have)
                        memcpy(first, hits, sizeof first);
                    have = true;
                    if (!wrong && memcmp(first, hits, sizeof hits) != 0)
                        fail_msg("y_q depends on the rows: u_q %zu, x and y %zu, blinding %zu", (size_t)uq, (size_t)xy, (size_t)blind);
                }
    size_t members = 0;
    for (size_t i = 0; i < CUBE; i++) {
        assert_true(first[i] <= 1);
        members += first[i];
    }
    assert_int_equal(members, Q2); /* p^3 polynomials, one linear condition */
}

#if DSP_TOY_P == 17
enum { PLACES = 16 };

/* The value at x of the polynomial of degree < m through (at[i] + 1, word[at[i]]). */
static dsp_fe through(const unsigned *at, unsigned m, const dsp_fe *word, dsp_fe x)
{
    dsp_fe sum = {0};
    for (unsigned i = 0; i < m; i++) {
        dsp_fe up = word[at[i]], down = {1};
        for (unsigned j = 0; j < m; j++)
            if (j != i) {
                up = dsp_fe_mul(up, dsp_fe_sub(x, (dsp_fe){at[j] + 1}));
                down = dsp_fe_mul(down, dsp_fe_sub((dsp_fe){at[i] + 1}, (dsp_fe){at[j] + 1}));
            }
        sum = dsp_fe_add(sum, dsp_fe_mul(up, dsp_fe_inv(down)));
    }
    return sum;
}

/* How many polynomials of degree < m agree with word in more than a of the 16 places. Each is counted where its first m places of agreement are tried. */
static unsigned answers(const dsp_fe *word, unsigned m, unsigned a)
{
    unsigned count = 0;
    for (unsigned set = 0; set < 1u << PLACES; set++) {
        unsigned at[PLACES], n = 0, agree = 0;
        bool     first = true;
        for (unsigned q = 0; q < PLACES; q++)
            if (set >> q & 1)
                at[n++] = q;
        for (unsigned q = 0; n == m && q < PLACES && first; q++) {
            const bool same = dsp_fe_eq(through(at, m, word, (dsp_fe){q + 1}), word[q]);
            first = !same || set >> q & 1 || q > at[m - 1];
            agree += same;
        }
        count += n == m && first && agree > a;
    }
    return count;
}

/* DOT and QUAD are tested by no combination of low degree: a prover may commit any words there, and answers with every polynomial that
 * agrees with them in enough places. At a rate that the rule of S3 allows these are few; at k = n/2 there is one for every place left
 * out, each agreeing in more places than either binomial counts. */
static void any_word(void **state)
{
    uint64_t seed = 21;
    unsigned most = 0;
    (void)state;
    assert_int_not_equal(dsp_t_pads(16, 4, 1), 0);
    assert_int_equal(dsp_t_pads(16, 8, 1), 0);
    for (unsigned round = 0; round < 12; round++) { /* pieces of two polynomials of degree 6 with 6 places in common, then noise */
        const unsigned a = (16 + 4) / 2, m = 2 * 4 - 1;
        dsp_fe         word[PLACES];
        for (unsigned q = 0; q < PLACES; q++) {
            dsp_fe f = {1};
            for (unsigned i = 0; i < 6; i++)
                f = dsp_fe_mul(f, dsp_fe_sub((dsp_fe){q + 1}, (dsp_fe){i + 1}));
            word[q] = q >= 11 ? f : (dsp_fe){0};
            if (round && test_next(&seed) % 12 < round)
                word[q] = toy_draw_fe(&seed);
        }
        const unsigned n = answers(word, m, a);
        assert_true(n <= 16 * (11 - 6) / (11 * 11 - 16 * 6)); /* Johnson's bound at a + 1 places */
        most = n > most ? n : most;
    }
    assert_int_equal(most, 2);
    dsp_fe word[PLACES];
    for (unsigned q = 0; q < PLACES; q++)
        word[q] = (dsp_fe){q == 3};
    assert_int_equal(answers(word, 2 * 8 - 1, 2 * 8 - 2), PLACES);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quadratic),
#if DSP_TOY_P == 17
        cmocka_unit_test(any_word),
#endif
    };
    arena = dsp_arena_create(0);
    ntt = dsp_ntt_create(2);
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    dsp_ntt_free(ntt);
    dsp_arena_free(arena);
    return r;
}
#endif
