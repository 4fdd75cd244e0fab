/* One round of every sumcheck on every message and every challenge: an honest prover passes at every challenge, and after a false claim no
 * message passes at more challenges than the degree of the round (S13: 2 for the opening, 3 for products and zero-checks; one per
 * coordinate of tau, groups - 1 for eta). The bounds are also shown to be reached. */
#include "proto/batched.h"
#include "proto/inner.h"
#include "toy.h"

enum { FEWER = TOY_P == 13 ? 1 : 4 };

typedef struct { dsp_ke w[4]; } weights;
static weights lagrange[TOY_K]; /* of degree d, at every challenge */

static void set_degree(unsigned d)
{
    for (size_t r = 0; r < TOY_K; r++)
        dsp_lagrange(lagrange[r].w, toy_ke(r), d);
}

/* The claim after the round with messages s(0), s(2) [, s(3)]: s(1) = C - s(0). */
static dsp_ke next_claim(size_t r, dsp_ke c, const dsp_ke *s, unsigned d)
{
    const dsp_ke *w = lagrange[r].w;
    dsp_ke        v = dsp_ke_add(dsp_ke_mul(w[0], s[0]), dsp_ke_mul(w[1], dsp_ke_sub(c, s[0])));
    for (unsigned i = 2; i <= d; i++)
        v = dsp_ke_add(v, dsp_ke_mul(w[i], s[i - 1]));
    return v;
}

/* For claim c, first message(s) s[0..d-2) given, and the true claims after the round: how many challenges accept each last message; the
 * most over the last messages other than `honest` (TOY_K: none), and the number for that one. */
static unsigned most_accepting(dsp_ke c, dsp_ke *s, unsigned d, const dsp_ke *truth, size_t honest, unsigned *for_honest)
{
    static uint16_t hits[TOY_K];
    unsigned        every = 0, most = 0;
    memset(hits, 0, sizeof hits);
    s[d - 1] = dsp_ke_zero();
    for (size_t r = 0; r < TOY_K; r++) {
        /* next_claim + w_d x = truth: one x, or all, or none */
        const dsp_ke miss = dsp_ke_sub(truth[r], next_claim(r, c, s, d)), w = lagrange[r].w[d];
        if (!dsp_ke_is_zero(w))
            hits[toy_index(dsp_ke_mul(miss, dsp_ke_inv(w)))]++;
        else
            every += dsp_ke_is_zero(miss);
    }
    for (size_t x = 0; x < TOY_K; x++)
        if (x != honest && hits[x] + every > most)
            most = hits[x] + every;
    *for_honest = honest < TOY_K ? hits[honest] + every : 0;
    return most;
}

/* ---- the opening sumcheck (S8.4) ---- */

typedef struct { dsp_fe F[4]; dsp_ke W[4]; size_t live; unsigned m; } inner_case;

static void inner_start(dsp_inner *s, dsp_arena *a, const inner_case *c)
{
    assert_int_equal(dsp_inner_init(s, a, c->m, c->live, dsp_field_kernels_all(), NULL), DSP_OK);
    memcpy(s->F, c->F, c->live * sizeof *c->F);
    memcpy(s->W, c->W, c->live * sizeof *c->W);
}

static dsp_ke inner_sum(const inner_case *c)
{
    dsp_ke v = dsp_ke_zero();
    for (size_t i = 0; i < c->live; i++)
        v = dsp_ke_add(v, dsp_ke_scale(c->W[i], c->F[i]));
    return v;
}

static inner_case draw_case(uint64_t *seed, unsigned m, size_t live)
{
    inner_case c = {.live = live, .m = m};
    for (size_t i = 0; i < live; i++) {
        c.F[i] = toy_draw_fe(seed);
        c.W[i] = test_next(seed) % 4 ? toy_draw(seed) : dsp_ke_from_i64((int64_t)(test_next(seed) % 2));
    }
    return c;
}

/* Completeness: every F of two cells, seeded W, every challenge; seeded tables of 1 to 4 of 4 cells at every pair of challenges. */
static void inner_complete(void **state)
{
    dsp_arena *a = dsp_arena_create(0);
    uint64_t   seed = 1;
    (void)state;
    set_degree(2);
    for (size_t k = 0; k < 8; k++)
        for (size_t f = 0; f < TOY_P * TOY_P; f++) {
            inner_case c = draw_case(&seed, 1, 1 + k % 2);
            c.F[0].v = f % TOY_P;
            c.F[1].v = f / TOY_P;
            for (size_t r = 0; r < TOY_K; r++) {
                const dsp_mark m = dsp_arena_mark(a);
                dsp_inner      s;
                dsp_ke         v[2];
                inner_start(&s, a, &c);
                dsp_inner_round(&s, v);
                dsp_inner_bind(&s, toy_ke(r));
                if (!dsp_ke_eq(next_claim(r, inner_sum(&c), v, 2), dsp_ke_mul(s.FK[0], s.W[0])))
                    fail_msg("F %zu, case %zu, challenge %zu", f, k, r);
                dsp_arena_rewind(a, m);
            }
        }
    for (size_t k = 0; k < 4; k++) {
        const inner_case c = draw_case(&seed, 2, 1 + k % 4);
        for (size_t r = 0; r < (size_t)TOY_K * TOY_K; r++) {
            const dsp_mark m = dsp_arena_mark(a);
            dsp_inner      s;
            dsp_ke         v[2], claim = inner_sum(&c);
            inner_start(&s, a, &c);
            for (unsigned t = 0; t < 2; t++) {
                const size_t x = t ? r / TOY_K : r % TOY_K;
                dsp_inner_round(&s, v);
                claim = next_claim(x, claim, v, 2);
                dsp_inner_bind(&s, toy_ke(x));
            }
            if (!dsp_ke_eq(claim, dsp_ke_mul(s.FK[0], s.W[0])))
                fail_msg("case %zu, challenges %zu", k, r);
            dsp_arena_rewind(a, m);
        }
    }
    dsp_arena_free(a);
}

/* Soundness of a round: every false claim of one variable (over F_17 every fourth; of two variables every
 * sixteenth), every message, every challenge. */
static void inner_sound(void **state)
{
    dsp_arena *a = dsp_arena_create(0);
    uint64_t   seed = 2;
    unsigned   reached = 0;
    (void)state;
    set_degree(2);
    for (unsigned m = 1; m <= 2; m++) {
        static dsp_ke    truth[TOY_K];
        const inner_case c = draw_case(&seed, m, m == 1 ? 2 : 3);
        dsp_ke           honest[2];
        for (size_t r = 0; r < TOY_K; r++) { /* the true claim after the round */
            const dsp_mark mark = dsp_arena_mark(a);
            dsp_inner      s;
            inner_start(&s, a, &c);
            dsp_inner_round(&s, honest);
            dsp_inner_bind(&s, toy_ke(r));
            truth[r] = dsp_ke_zero();
            for (size_t i = 0; i < s.live; i++)
                truth[r] = dsp_ke_add(truth[r], dsp_ke_mul(s.FK[i], s.W[i]));
            dsp_arena_rewind(a, mark);
        }
        for (size_t delta = 0; delta < TOY_K; delta += delta == 0 ? 1 : m == 1 ? FEWER : 16)
            for (size_t s0 = 0; s0 < TOY_K; s0++) {
                const bool   true_start = delta == 0 && s0 == toy_index(honest[0]);
                const dsp_ke claim = dsp_ke_add(inner_sum(&c), toy_ke(delta));
                dsp_ke       s[2] = {toy_ke(s0)};
                unsigned     all;
                const unsigned most = most_accepting(claim, s, 2, truth, true_start ? toy_index(honest[1]) : TOY_K, &all);
                if (most > 2)
                    fail_msg("%u variables, claim off by %zu, s(0) = %zu: accepted at %u challenges", m, delta, s0, most);
                if (true_start)
                    assert_int_equal(all, TOY_K);
                reached |= delta != 0 && most == 2;
            }
    }
    assert_true(reached);
    dsp_arena_free(a);
}

/* ---- products and zero-checks (S8.3) ---- */

enum { NV = 2 };

typedef struct { dsp_ke A[4], Z[4], eta, tau[2]; dsp_fe g1[4], g2[4]; unsigned v_zero; } batch_case;

static batch_case draw_batch(uint64_t *seed, unsigned v_zero)
{
    batch_case c = {.v_zero = v_zero, .eta = toy_draw(seed)};
    for (size_t i = 0; i < 4; i++) {
        c.A[i] = toy_draw(seed);
        c.Z[i] = toy_draw(seed);
        c.g1[i] = i % 2 ? (dsp_fe){0} : toy_draw_fe(seed); /* a true zero-check */
        c.g2[i] = i % 2 ? toy_draw_fe(seed) : (dsp_fe){0};
    }
    c.tau[0] = toy_draw(seed);
    c.tau[1] = toy_draw(seed);
    return c;
}

/* Groups in order: a product of two variables, a zero-check of v_zero. scratch tables are folded. */
static void batch_start(dsp_batched *b, dsp_arena *a, const batch_case *c, dsp_ke *A, dsp_ke *Z, dsp_fe *g1, dsp_fe *g2)
{
    memcpy(A, c->A, sizeof c->A);
    memcpy(Z, c->Z, sizeof c->Z);
    memcpy(g1, c->g1, sizeof c->g1);
    memcpy(g2, c->g2, sizeof c->g2);
    assert_int_equal(dsp_batched_init(b, a, NV, 3, 2, dsp_field_kernels_all(), NULL), DSP_OK);
    dsp_batched_add_product(b, 2, dsp_ke_one(), A, Z);
    assert_int_equal(dsp_batched_add_zero(b, a, c->v_zero, c->eta, g1, g2, c->tau, NULL), DSP_OK);
}

/* What the verifier recomputes at the end: A Z + eta 2^-(m - v) eq(tau, last v) f1 f2. */
static dsp_ke batch_end(const dsp_batched *b, const batch_case *c, const dsp_ke rho[NV])
{
    dsp_ke x, y, f1, f2;
    dsp_batched_values(b, 0, &x, &y);
    dsp_batched_values(b, 1, &f1, &f2);
    dsp_ke z = dsp_ke_mul(dsp_ke_mul(c->eta, dsp_eq_point(c->tau, rho + NV - c->v_zero, c->v_zero)), dsp_ke_mul(f1, f2));
    for (unsigned i = c->v_zero; i < NV; i++)
        z = dsp_ke_scale(z, dsp_fe_inv(dsp_fe_from_i64(2)));
    return dsp_ke_add(dsp_ke_mul(x, y), z);
}

static dsp_ke product_sum(const batch_case *c)
{
    dsp_ke v = dsp_ke_zero();
    for (size_t i = 0; i < 4; i++)
        v = dsp_ke_add(v, dsp_ke_mul(c->A[i], c->Z[i]));
    return v;
}

static void batched_complete(void **state)
{
    dsp_arena *a = dsp_arena_create(0);
    uint64_t   seed = 3;
    (void)state;
    set_degree(3);
    for (size_t k = 0; k < 3; k++) {
        const batch_case c = draw_batch(&seed, (unsigned)k);
        for (size_t r = 0; r < (size_t)TOY_K * TOY_K; r++) {
            const dsp_mark m = dsp_arena_mark(a);
            const dsp_ke   rho[NV] = {toy_ke(r % TOY_K), toy_ke(r / TOY_K)};
            dsp_batched    b;
            dsp_ke         A[4], Z[4], s[3], claim = product_sum(&c);
            dsp_fe         g1[4], g2[4];
            batch_start(&b, a, &c, A, Z, g1, g2);
            for (unsigned t = 0; t < NV; t++) {
                dsp_batched_round(&b, s);
                claim = next_claim(toy_index(rho[t]), claim, s, 3);
                dsp_batched_bind(&b, rho[t]);
            }
            if (!dsp_ke_eq(claim, batch_end(&b, &c, rho)))
                fail_msg("case %zu, challenges %zu", k, r);
            dsp_arena_rewind(a, m);
        }
    }
    dsp_arena_free(a);
}

/* The last round of a zero-check: degree 3 in the challenge; every s(0), every second s(2) (over F_17 every
 * eighth), every s(3). The honest message is among them. */
static void batched_sound(void **state)
{
    dsp_arena *a = dsp_arena_create(0);
    uint64_t   seed = 4;
    unsigned   reached = 0;
    (void)state;
    set_degree(3);
    const batch_case c = draw_batch(&seed, 2);
    const size_t     rho0 = 5;
    static dsp_ke    truth[TOY_K];
    dsp_ke           claim = dsp_ke_zero(), honest[3], s[3];
    for (size_t r = 0; r < TOY_K; r++) {
        const dsp_mark m = dsp_arena_mark(a);
        const dsp_ke   rho[NV] = {toy_ke(rho0), toy_ke(r)};
        dsp_batched    b;
        dsp_ke         A[4], Z[4];
        dsp_fe         g1[4], g2[4];
        batch_start(&b, a, &c, A, Z, g1, g2);
        dsp_batched_round(&b, s);
        claim = next_claim(rho0, product_sum(&c), s, 3);
        dsp_batched_bind(&b, rho[0]);
        dsp_batched_round(&b, honest);
        dsp_batched_bind(&b, rho[1]);
        truth[r] = batch_end(&b, &c, rho);
        dsp_arena_rewind(a, m);
    }
    for (size_t delta = 0; delta < 2; delta++)
        for (size_t s0 = 0; s0 < TOY_K; s0++)
            for (size_t s2 = delta ? 0 : toy_index(honest[1]) % 7; s2 < TOY_K; s2 += delta ? 2 * FEWER : 7) {
                const bool     true_start = !delta && s0 == toy_index(honest[0]) && s2 == toy_index(honest[1]);
                unsigned       all;
                dsp_ke         v[3] = {toy_ke(s0), toy_ke(s2)};
                const unsigned most = most_accepting(dsp_ke_add(claim, toy_ke(delta)), v, 3, truth, true_start ? toy_index(honest[2]) : TOY_K, &all);
                if (most > 3)
                    fail_msg("claim off by %zu, s(0) = %zu, s(2) = %zu: accepted at %u challenges", delta, s0, s2, most);
                if (true_start)
                    assert_int_equal(all, TOY_K);
                reached |= delta && most == 3;
            }
    assert_true(reached);
    dsp_arena_free(a);
}

/* A false zero-check sums to 0 at few tau: at most one for one coordinate (tables of two cells, every g1, four g2), at most 2 |K| pairs
 * for two coordinates; a true one at all. */
static void tau(void **state)
{
    dsp_arena *a = dsp_arena_create(0);
    uint64_t   seed = 5;
    unsigned   reached = 0;
    (void)state;
    for (size_t i = 0; i < (size_t)TOY_P * TOY_P * 4; i += FEWER) {
        dsp_fe       g1[2] = {{i % TOY_P}, {i / TOY_P % TOY_P}}, g2[2] = {{1 + i / (TOY_P * TOY_P)}, {i / (TOY_P * TOY_P) * 2}};
        const bool   holds = dsp_fe_is_zero(dsp_fe_mul(g1[0], g2[0])) && dsp_fe_is_zero(dsp_fe_mul(g1[1], g2[1]));
        unsigned     zeros = 0;
        for (size_t t = 0; t < TOY_K; t++) {
            const dsp_mark m = dsp_arena_mark(a);
            const dsp_ke   z = toy_ke(t);
            dsp_batched    b;
            assert_int_equal(dsp_batched_init(&b, a, 1, 3, 1, dsp_field_kernels_all(), NULL), DSP_OK);
            assert_int_equal(dsp_batched_add_zero(&b, a, 1, dsp_ke_one(), g1, g2, &z, NULL), DSP_OK);
            zeros += dsp_ke_is_zero(b.member[0].total);
            dsp_arena_rewind(a, m);
        }
        if (holds ? zeros != TOY_K : zeros > 1)
            fail_msg("tables %zu: the sum vanishes at %u of %u tau", i, zeros, TOY_K);
        reached |= !holds && zeros == 1;
    }
    assert_true(reached);
    for (size_t k = 0; k < (TOY_P == 13 ? 2 : 1); k++) {
        size_t zeros = 0;
        dsp_fe g1[4] = {{1}, {0}, {0}, {0}}, g2[4] = {{1}, {1}, {1}, {1}};
        for (size_t i = 1; k && i < 4; i++)
            g1[i] = toy_draw_fe(&seed);
        for (size_t t = 0; t < (size_t)TOY_K * TOY_K; t++) {
            const dsp_mark m = dsp_arena_mark(a);
            const dsp_ke   z[2] = {toy_ke(t % TOY_K), toy_ke(t / TOY_K)};
            dsp_batched    b;
            assert_int_equal(dsp_batched_init(&b, a, 2, 3, 1, dsp_field_kernels_all(), NULL), DSP_OK);
            assert_int_equal(dsp_batched_add_zero(&b, a, 2, dsp_ke_one(), g1, g2, z, NULL), DSP_OK);
            zeros += dsp_ke_is_zero(b.member[0].total);
            dsp_arena_rewind(a, m);
        }
        assert_true(zeros <= (size_t)2 * TOY_K);
        if (k == 0) /* a single cell: (1 - tau_0)(1 - tau_1) */
            assert_int_equal(zeros, 2 * TOY_K - 1);
    }
    dsp_arena_free(a);
}

/* Two groups whose claims are wrong by d_0 and d_1: eta^0 d_0 + eta^1 d_1 = 0 for at most one eta, whatever the d. */
static void eta(void **state)
{
    dsp_arena *a = dsp_arena_create(0);
    uint64_t   seed = 6;
    (void)state;
    batch_case c = draw_batch(&seed, 2);
    c.g1[1] = c.g2[1] = (dsp_fe){1}; /* the zero-check is false */
    for (size_t d0 = 0; d0 < TOY_K; d0++) {
        unsigned accepted = 0;
        for (size_t e = 0; e < TOY_K; e++) {
            const dsp_mark m = dsp_arena_mark(a);
            dsp_batched    b;
            dsp_ke         A[4], Z[4], s[3];
            dsp_fe         g1[4], g2[4];
            c.eta = toy_ke(e);
            batch_start(&b, a, &c, A, Z, g1, g2);
            const dsp_ke truth = dsp_ke_add(b.member[0].total, dsp_ke_mul(b.member[1].coef, b.member[1].total));
            dsp_batched_round(&b, s);
            accepted += dsp_ke_eq(dsp_ke_add(product_sum(&c), toy_ke(d0)), truth);
            dsp_arena_rewind(a, m);
        }
        if (accepted > 1)
            fail_msg("product off by %zu: accepted at %u eta", d0, accepted);
    }
    dsp_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inner_complete), cmocka_unit_test(inner_sound), cmocka_unit_test(batched_complete),
        cmocka_unit_test(batched_sound),  cmocka_unit_test(tau),         cmocka_unit_test(eta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
