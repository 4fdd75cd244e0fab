/* Lookups by a sum of fractions (S8.2) on tiny trees, at every alpha and beta: a column inside its table gives a numerator of 0 at all of
 * them; one that is not, or other multiplicities, at no more than max(1, l - 1) (N - 1) |K| of the |K|^2 pairs (S13: N leaves, l = 2 for
 * range tables, 3 for pairs). With N >= p leaves the sum is 0 for a false column: what the limit on lookups in S12 is for. Then one layer
 * of the tree, at every point, challenge and message. */
#include "proto/fraction.h"
#include "toy.h"

enum { PAIRS = TOY_K * TOY_K };

static dsp_arena *arena;

/* A segment of n cells padded to 2^m with tag, and the table's rows after it; l columns x, y. */
typedef struct {
    size_t        n, m, rows;
    unsigned      columns;
    const dsp_fe *x, *y, *tx, *ty, *mult;
    int64_t       tag;
} lookup;

static dsp_ke denominator(const lookup *c, dsp_ke alpha, dsp_ke beta, dsp_fe x, dsp_fe y)
{
    dsp_ke d = dsp_ke_sub(dsp_ke_sub(alpha, dsp_ke_from_i64(c->tag)), dsp_ke_scale(beta, x));
    return c->columns < 2 ? d : dsp_ke_sub(d, dsp_ke_scale(dsp_ke_mul(beta, beta), y));
}

static void fill(dsp_fraction *f, const lookup *c, dsp_ke alpha, dsp_ke beta)
{
    const dsp_ke padded = dsp_ke_sub(alpha, dsp_ke_from_i64(c->tag));
    const dsp_fe zero = {0};
    size_t       at = 0;
    for (; at < c->n; at++) {
        f->leaf_p[at] = (dsp_fe){1};
        f->leaf_q[at] = denominator(c, alpha, beta, c->x[at], c->columns < 2 ? zero : c->y[at]);
    }
    for (; at < (size_t)1 << c->m; at++) {
        f->leaf_p[at] = zero;
        f->leaf_q[at] = padded;
    }
    for (size_t i = 0; i < c->rows; i++, at++) {
        f->leaf_p[at] = dsp_fe_neg(c->mult[i]);
        f->leaf_q[at] = denominator(c, alpha, beta, c->tx[i], c->columns < 2 ? zero : c->ty[i]);
    }
    for (; at < (size_t)1 << f->nu; at++) {
        f->leaf_p[at] = zero;
        f->leaf_q[at] = dsp_ke_one();
    }
}

static dsp_fraction tree(unsigned nu)
{
    dsp_fraction f;
    assert_int_equal(dsp_fraction_init(&f, arena, nu, dsp_field_kernels_all(), NULL), DSP_OK);
    return f;
}

/* At how many (alpha, beta) the root's numerator is 0. */
static size_t accepted(dsp_fraction *f, const lookup *c)
{
    size_t n = 0;
    for (size_t ab = 0; ab < PAIRS; ab++) {
        fill(f, c, toy_ke(ab % TOY_K), toy_ke(ab / TOY_K));
        dsp_fraction_build(f, NULL);
        n += dsp_ke_is_zero(dsp_fraction_top(f));
    }
    return n;
}

static const dsp_fe bit[2] = {{0}, {1}}, flipped[2] = {{1}, {0}};

/* Every column of three bits against the table of one bit; a padded cell and filler leaves. */
static void true_columns(void **state)
{
    dsp_fraction f = tree(3);
    (void)state;
    for (unsigned v = 0; v < 8; v++) {
        const dsp_fe x[3] = {{v & 1}, {v >> 1 & 1}, {v >> 2}};
        const dsp_fe mult[2] = {{3 - x[0].v - x[1].v - x[2].v}, {x[0].v + x[1].v + x[2].v}};
        const lookup c = {.n = 3, .m = 2, .rows = 2, .columns = 1, .x = x, .tx = bit, .mult = mult, .tag = 1};
        assert_int_equal(accepted(&f, &c), PAIRS);
    }
    const dsp_fe x[2] = {{1}, {0}}, mult[2] = {{1}, {1}};
    const lookup c = {.n = 2, .m = 1, .rows = 2, .columns = 2, .x = x, .y = flipped + 1, .tx = bit, .ty = flipped, .mult = mult, .tag = 2};
    const dsp_fe y[2] = {{0}, {1}};
    lookup       d = c;
    d.y = y;
    assert_int_equal(accepted(&f, &d), PAIRS);
}

/* Every column of two cells that does not fit the multiplicities it comes with: those of its cells inside the table, and one off. */
static void false_columns(void **state)
{
    dsp_fraction f = tree(2);
    size_t       worst = 0, cases = 0;
    (void)state;
    for (size_t i = 0, k = 0; i < TOY_P; i++)
        for (size_t j = i; j < TOY_P; j++)
            for (unsigned e = 0; e < 3; e++, k++) {
                const dsp_fe x[2] = {{i}, {j}};
                dsp_fe       mult[2] = {{(i == 0) + (j == 0)}, {(i == 1) + (j == 1)}};
                if (e)
                    mult[e - 1] = dsp_fe_add(mult[e - 1], (dsp_fe){1});
                if ((e == 0 && j < 2) || (TOY_P == 17 && i > 1 && k % 12))
                    continue;
                const lookup c = {.n = 2, .m = 1, .rows = 2, .columns = 1, .x = x, .tx = bit, .mult = mult, .tag = 1};
                const size_t n = accepted(&f, &c);
                if (n > (size_t)3 * TOY_K)
                    fail_msg("column %zu, %zu: accepted at %zu of %d pairs, bound %d", i, j, n, PAIRS, 3 * TOY_K);
                worst = n > worst ? n : worst;
                cases++;
            }
    assert_true(worst > TOY_K); /* the count is of the bound's order: the test can fail */
    assert_true(cases > 40);
}

/* A pair (x, y) that is no row, beside a right one. */
static void false_pairs(void **state)
{
    dsp_fraction f = tree(2);
    size_t       worst = 0;
    (void)state;
    for (size_t v = 0; v < TOY_P * TOY_P; v += TOY_P == 17 ? 7 : 2) {
        const dsp_fe x[2] = {{v % TOY_P}, {1}}, y[2] = {{v / TOY_P}, {0}};
        if (x[0].v < 2 && y[0].v == 1 - x[0].v)
            continue;
        const dsp_fe mult[2] = {{0}, {1}};
        const lookup c = {.n = 2, .m = 1, .rows = 2, .columns = 2, .x = x, .y = y, .tx = bit, .ty = flipped, .mult = mult, .tag = 3};
        const size_t n = accepted(&f, &c);
        if (n > (size_t)2 * 3 * TOY_K)
            fail_msg("pair %zu, %zu: accepted at %zu of %d pairs, bound %d", (size_t)x[0].v, (size_t)y[0].v, n, PAIRS, 6 * TOY_K);
        worst = n > worst ? n : worst;
    }
    assert_true(worst > TOY_K);
}

/* p cells outside the table count p = 0 times: nothing is missing from the multiplicities 0, at any alpha and beta. One cell less shows. */
static void more_lookups_than_p(void **state)
{
    dsp_fraction f = tree(6);
    dsp_fe       x[TOY_P];
    const dsp_fe mult[2] = {{0}, {0}};
    (void)state;
    for (size_t i = 0; i < TOY_P; i++)
        x[i] = (dsp_fe){5};
    for (size_t less = 0; less < 2; less++) {
        const lookup c = {.n = TOY_P - less, .m = 5, .rows = 2, .columns = 1, .x = x, .tx = bit, .mult = mult, .tag = 1};
        size_t       n = 0;
        for (size_t ab = 0; ab < PAIRS; ab += 97) {
            fill(&f, &c, toy_ke(ab % TOY_K), toy_ke(ab / TOY_K));
            dsp_fraction_build(&f, NULL);
            n += dsp_ke_is_zero(dsp_fraction_top(&f));
        }
        if (less)
            assert_true(n < PAIRS / 97 / 2);
        else
            assert_int_equal(n, (PAIRS + 96) / 97);
    }
}

/* ---- layers ---- */

typedef struct { dsp_fe p[8]; dsp_ke q[8]; } leaves;

static void start(dsp_fraction *f, const leaves *l)
{
    memcpy(f->leaf_p, l->p, sizeof(dsp_fe) << f->nu);
    memcpy(f->leaf_q, l->q, sizeof(dsp_ke) << f->nu);
    dsp_fraction_build(f, NULL);
}

static leaves draw_leaves(uint64_t *seed)
{
    leaves l;
    for (size_t i = 0; i < 8; i++) {
        l.p[i] = toy_draw_fe(seed);
        l.q[i] = test_next(seed) % 5 ? toy_draw(seed) : dsp_ke_zero();
    }
    return l;
}

static dsp_ke line(dsp_ke a, dsp_ke b, dsp_ke x) { return dsp_ke_add(a, dsp_ke_mul(x, dsp_ke_sub(b, a))); }

/* p0 q1 + p1 q0 + lambda q0 q1 */
static dsp_ke node(const dsp_ke v[4], dsp_ke lambda)
{
    return dsp_ke_add(dsp_ke_mul(v[0], v[3]), dsp_ke_mul(v[2], dsp_ke_add(v[1], dsp_ke_mul(lambda, v[3]))));
}

static dsp_ke after_round(dsp_ke claim, dsp_ke xi, const dsp_ke s[2], dsp_ke rho)
{
    dsp_ke       w[3];
    const dsp_ke s1 = dsp_ke_mul(dsp_ke_sub(claim, dsp_ke_mul(dsp_ke_sub(dsp_ke_one(), xi), s[0])), dsp_ke_inv(xi));
    dsp_lagrange(w, rho, 2);
    return dsp_ke_add(dsp_ke_add(dsp_ke_mul(w[0], s[0]), dsp_ke_mul(w[1], s1)), dsp_ke_mul(w[2], s[1]));
}

/* The claim P + lambda Q of layer j at xi, all its rounds at rho: the prover's values satisfy it. Leaves the values in v. */
static bool layer_holds(dsp_fraction *f, unsigned j, dsp_ke P, dsp_ke Q, const dsp_ke *xi, dsp_ke lambda, const dsp_ke *rho, dsp_ke v[4])
{
    dsp_ke claim = dsp_ke_add(P, dsp_ke_mul(lambda, Q)), s[2];
    dsp_fraction_layer(f, j, xi, lambda);
    for (unsigned t = 0; t + 1 < j; t++) {
        dsp_fraction_round(f, s, NULL);
        claim = after_round(claim, xi[t], s, rho[t]);
        dsp_fraction_bind(f, rho[t], NULL);
    }
    dsp_fraction_values(f, v);
    return dsp_ke_eq(claim, node(v, lambda));
}

/* Two layers at every mu but 0 and every rho, 4 values of lambda; three layers at seeded points. */
static void layers_complete(void **state)
{
    dsp_fraction f = tree(2), g = tree(3);
    uint64_t     seed = 7;
    (void)state;
    for (size_t lam = 0; lam < 4; lam++) {
        const leaves l = draw_leaves(&seed);
        const dsp_ke lambda = lam < 2 ? toy_ke(lam) : toy_draw(&seed);
        for (size_t r = 0; r < PAIRS; r++) {
            const dsp_ke mu = toy_ke(r % TOY_K), rho = toy_ke(r / TOY_K);
            dsp_ke       v[4];
            if (dsp_ke_is_zero(mu)) /* V5 */
                continue;
            start(&f, &l);
            const dsp_ke top = dsp_fraction_top(&f);
            dsp_fraction_layer(&f, 1, NULL, dsp_ke_zero());
            dsp_fraction_values(&f, v);
            assert_true(dsp_ke_eq(node(v, dsp_ke_zero()), top));
            if (!layer_holds(&f, 2, line(v[0], v[1], mu), line(v[2], v[3], mu), &mu, lambda, &rho, v))
                fail_msg("lambda %zu, mu and rho %zu", lam, r);
        }
    }
    for (size_t k = 0; k < 20000; k++) {
        const leaves l = draw_leaves(&seed);
        dsp_ke       xi[3], rho[3], v[4];
        dsp_ke       P, Q;
        start(&g, &l);
        dsp_fraction_layer(&g, 1, NULL, dsp_ke_zero());
        dsp_fraction_values(&g, v);
        for (unsigned j = 2; j <= 4; j++) {
            memmove(xi + 1, rho, (j - 2) * sizeof *xi); /* xi = (mu, rho) */
            do
                xi[0] = toy_draw(&seed);
            while (dsp_ke_is_zero(xi[0]));
            P = line(v[0], v[1], xi[0]);
            Q = line(v[2], v[3], xi[0]);
            if (j == 4)
                break;
            for (unsigned t = 0; t + 1 < j; t++)
                do
                    rho[t] = toy_draw(&seed);
                while (dsp_ke_is_zero(rho[t])); /* they divide in the next layer */
            if (!layer_holds(&g, j, P, Q, xi, toy_draw(&seed), rho, v))
                fail_msg("tree %zu, layer %u", k, j);
        }
        /* the last claim is about the leaves' multilinear extension */
        dsp_ke e[8], p = dsp_ke_zero(), q = dsp_ke_zero();
        dsp_eq_table(e, xi, 3);
        for (size_t i = 0; i < 8; i++) {
            p = dsp_ke_add(p, dsp_ke_scale(e[i], l.p[i]));
            q = dsp_ke_add(q, dsp_ke_mul(e[i], l.q[i]));
        }
        assert_true(dsp_ke_eq(p, P) && dsp_ke_eq(q, Q));
    }
}

/* A false claim of layer 2 with every message s(0), s(2): the true values satisfy it at two rho at most. */
static void layer_sound(void **state)
{
    dsp_fraction f = tree(2);
    uint64_t     seed = 8;
    unsigned     reached = 0;
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        const leaves  l = draw_leaves(&seed);
        const dsp_ke  lambda = toy_draw(&seed), mu = toy_ke(1 + test_next(&seed) % (TOY_K - 1));
        static dsp_ke truth[TOY_K];
        dsp_ke        v[4], claim = dsp_ke_zero();
        for (size_t r = 0; r < TOY_K; r++) {
            start(&f, &l);
            dsp_fraction_layer(&f, 1, NULL, dsp_ke_zero());
            dsp_fraction_values(&f, v);
            const dsp_ke P = line(v[0], v[1], mu), Q = line(v[2], v[3], mu), rho = toy_ke(r);
            claim = dsp_ke_add(P, dsp_ke_mul(lambda, Q));
            assert_true(layer_holds(&f, 2, P, Q, &mu, lambda, &rho, v));
            truth[r] = node(v, lambda);
        }
        for (size_t delta = 1; delta < TOY_K; delta += 29)
            for (size_t s0 = 0; s0 < TOY_K; s0++) {
                static uint16_t hits[TOY_K];
                unsigned        every = 0;
                memset(hits, 0, sizeof hits);
                for (size_t r = 0; r < TOY_K; r++) { /* the s(2) that passes at this rho */
                    const dsp_ke s[2] = {toy_ke(s0), dsp_ke_zero()};
                    dsp_ke       w[3];
                    const dsp_ke miss = dsp_ke_sub(truth[r], after_round(dsp_ke_add(claim, toy_ke(delta)), mu, s, toy_ke(r)));
                    dsp_lagrange(w, toy_ke(r), 2);
                    if (dsp_ke_is_zero(w[2]))
                        every += dsp_ke_is_zero(miss);
                    else
                        hits[toy_index(dsp_ke_mul(miss, dsp_ke_inv(w[2])))]++;
                }
                for (size_t s2 = 0; s2 < TOY_K; s2++) {
                    if (hits[s2] + every > 2)
                        fail_msg("claim off by %zu, messages %zu, %zu: accepted at %u challenges", delta, s0, s2, hits[s2] + every);
                    reached |= hits[s2] + every == 2;
                }
            }
    }
    assert_true(reached);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(true_columns),        cmocka_unit_test(false_columns),   cmocka_unit_test(false_pairs),
        cmocka_unit_test(more_lookups_than_p), cmocka_unit_test(layers_complete), cmocka_unit_test(layer_sound),
    };
    arena = dsp_arena_create(0);
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    dsp_arena_free(arena);
    return r;
}
