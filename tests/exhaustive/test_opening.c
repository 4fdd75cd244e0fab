/* Masked openings (S8.5) on tiny Reed-Solomon codes, without hashes: what an opening shows is counted exactly over all randomness; gamma's
 * part, proximity and queries are counted over all challenges.
 *
 * The code is that of the trees: coefficients C data cells, then t random ones, value q at w_n^q. */
#include "pcs/params.h"
#include "toy.h"
#include "transcript/transcript.h"

enum { MAX_N = 8, ROWS = TOY_P * TOY_P * TOY_P * TOY_P };

static dsp_ntt *ntt;

static size_t power(size_t b, unsigned e)
{
    size_t v = 1;
    while (e--)
        v *= b;
    return v;
}

/* Row number i: its k coefficients are the digits of i in base p, the first C of them data. */
static void row(dsp_fe *coef, unsigned k, size_t i)
{
    for (unsigned j = 0; j < k; j++, i /= TOY_P)
        coef[j] = (dsp_fe){i % TOY_P};
}

static unsigned bits_of(unsigned set)
{
    unsigned n = 0;
    for (; set; set &= set - 1)
        n++;
    return n;
}

/* t opened columns of a row with t random coefficients: every value exactly once over the tails, for every data and every query set. One
 * column more, or one coefficient less, and the values depend on the data. */
static void columns_hide(void **state)
{
    static uint8_t code[ROWS][MAX_N];
    static uint8_t hits[ROWS];
    const unsigned m = TOY_P == 13 ? 2 : 3, n = 1u << m;
    (void)state;
    for (unsigned C = 1; C <= 2; C++)
        for (unsigned t = 1; t <= 2; t++) {
            const size_t datas = power(TOY_P, C), tails = power(TOY_P, t);
            for (size_t i = 0; i < datas * tails; i++) {
                dsp_fe coef[4], v[MAX_N];
                row(coef, C + t, i);
                dsp_rs_encode(ntt, v, m, coef, C + t, (dsp_fe){1});
                for (unsigned q = 0; q < n; q++)
                    code[i][q] = (uint8_t)v[q].v;
            }
            unsigned leaks = 0;
            for (unsigned Q = 1; Q < 1u << n; Q++) {
                const unsigned seen = bits_of(Q);
                if (seen < t || seen > t + 1 || (seen > t && t == 2))
                    continue;
                size_t first[2] = {0, 0};
                for (size_t d = 0; d < datas; d++) {
                    const size_t values = power(TOY_P, seen);
                    memset(hits, 0, values);
                    for (size_t r = 0; r < tails; r++) {
                        size_t v = 0;
                        for (unsigned q = 0; q < n; q++)
                            if (Q >> q & 1)
                                v = v * TOY_P + code[d + datas * r][q];
                        hits[v]++;
                        if (d < 2 && r == 0)
                            first[d] = v;
                    }
                    for (size_t v = 0; v < values && seen == t; v++)
                        if (hits[v] != 1)
                            fail_msg("C %u, t %u, columns %x, data %zu: value %zu comes %u times", C, t, Q, d, v, hits[v]);
                    if (seen > t && d == 1)
                        leaks += hits[first[0]] == 0;
                }
            }
            assert_true(t == 2 || leaks > 0); /* t + 1 columns tell two data apart */
        }
}

/* u = g + gamma a p with the opened columns of row p and mask g: over all masks and tails every (u, p(q)) comes exactly once, whatever the
 * data (C = t = 1, k = 2, n = 4). g(q) follows from them. A mask with one coefficient fixed gives the data away. */
static void vectors_hide(void **state)
{
    static uint8_t hits[(size_t)TOY_K * TOY_K * TOY_P];
    enum { K2 = TOY_K * TOY_K, STEP = TOY_P == 13 ? 4 : 8 };
    const dsp_ke gammas[3] = {dsp_ke_one(), {{2}, {1}}, dsp_ke_zero()}, a = {{3}, {1}};
    const dsp_fe w = dsp_fe_root(4);
    (void)state;
    for (unsigned g3 = 0; g3 < (TOY_P == 13 ? 3 : 2); g3++)
        for (unsigned q = 0; q < 4; q += 1 + (TOY_P > 13)) {
            const dsp_ke c = dsp_ke_mul(gammas[g3], a);
            const dsp_fe x = dsp_fe_pow(w, q);
            for (uint64_t data = 0; data < TOY_P; data += STEP) {
                memset(hits, 0, sizeof hits);
                for (uint64_t tail = 0; tail < TOY_P; tail++) {
                    const dsp_fe p[2] = {{data}, {tail}};
                    const dsp_fe pq = dsp_fe_add(p[0], dsp_fe_mul(p[1], x));
                    const dsp_ke s0 = dsp_ke_scale(c, p[0]), s1 = dsp_ke_scale(c, p[1]);
                    for (size_t g = 0; g < K2; g++) {
                        const dsp_ke u0 = dsp_ke_add(toy_ke(g % TOY_K), s0), u1 = dsp_ke_add(toy_ke(g / TOY_K), s1);
                        hits[(toy_index(u0) + TOY_K * toy_index(u1)) * TOY_P + pq.v]++;
                    }
                }
                for (size_t v = 0; v < sizeof hits; v++)
                    if (hits[v] != 1)
                        fail_msg("gamma %u, column %u, data %zu: view %zu comes %u times", g3, q, (size_t)data, v, hits[v]);
            }
        }
    /* without the mask's constant term u_0 - gamma a data is constant: one data, one u_0 */
    for (uint64_t data = 0; data < TOY_P; data++)
        for (uint64_t other = 0; other < data; other++)
            assert_false(dsp_ke_eq(dsp_ke_scale(a, (dsp_fe){data}), dsp_ke_scale(a, (dsp_fe){other})));
}

/* sigma + gamma y = <b, u> with u = g + gamma a p as sent. With a known gamma every false y passes, by sigma' = sigma - gamma D; each pair
 * (y + D, sigma + E), D not 0, passes at exactly one gamma of K, and an honest u always does. */
static void gamma_binds(void **state)
{
    uint64_t seed = 9;
    dsp_ke   g[2] = {toy_draw(&seed), toy_draw(&seed)}, lc[2] = {toy_draw(&seed), toy_draw(&seed)};
    dsp_ke   b[2] = {toy_draw(&seed), toy_draw(&seed)}, right[TOY_K];
    (void)state;
    const dsp_ke sigma = dsp_ke_add(dsp_ke_mul(b[0], g[0]), dsp_ke_mul(b[1], g[1]));
    const dsp_ke y = dsp_ke_add(dsp_ke_mul(b[0], lc[0]), dsp_ke_mul(b[1], lc[1]));
    for (size_t gm = 0; gm < TOY_K; gm++) {
        dsp_ke u[2] = {g[0], g[1]};
        dsp_field_kernels_all()->ke_axpy(u, lc, 2, toy_ke(gm));
        right[gm] = dsp_ke_add(dsp_ke_mul(b[0], u[0]), dsp_ke_mul(b[1], u[1]));
        assert_true(dsp_ke_eq(dsp_ke_add(sigma, dsp_ke_mul(toy_ke(gm), y)), right[gm]));
    }
    for (size_t D = 1; D < TOY_K; D++)
        for (size_t E = 0; E < TOY_K; E++) {
            unsigned     accepted = 0;
            const dsp_ke y2 = dsp_ke_add(y, toy_ke(D)), s2 = dsp_ke_add(sigma, toy_ke(E));
            for (size_t gm = 0; gm < TOY_K; gm++)
                accepted += dsp_ke_eq(dsp_ke_add(s2, dsp_ke_mul(toy_ke(gm), y2)), right[gm]);
            if (accepted != 1)
                fail_msg("y off by %zu, sigma by %zu: accepted at %u gamma", D, E, accepted);
            if (dsp_ke_eq(toy_ke(E), dsp_ke_neg(toy_ke(D)))) /* the cheat against gamma = 1 */
                assert_true(dsp_ke_eq(dsp_ke_add(s2, y2), right[toy_index(dsp_ke_one())]));
        }
}

/* ---- proximity: n = 4, k = 2, unique decoding of e = 1 error. Words by their syndromes: coefficients 2 and 3 ---- */

typedef struct { dsp_ke s[2]; } syndrome;

static syndrome column[4]; /* of an error of 1 at position j */

static void columns_of_errors(void)
{
    for (size_t j = 0; j < 4; j++) {
        dsp_fe v[4] = {{0}, {0}, {0}, {0}};
        v[j].v = 1;
        dsp_ntt_inverse(ntt, v, 2);
        column[j] = (syndrome){{dsp_ke_from(v[2]), dsp_ke_from(v[3])}};
    }
}

static syndrome combine(const syndrome *f, dsp_ke c, const syndrome *h)
{
    return (syndrome){{dsp_ke_add(f->s[0], dsp_ke_mul(c, h->s[0])), dsp_ke_add(f->s[1], dsp_ke_mul(c, h->s[1]))}};
}

/* One error at j explains it. */
static bool at_position(const syndrome *x, size_t j)
{
    return dsp_ke_eq(dsp_ke_mul(x->s[0], column[j].s[1]), dsp_ke_mul(x->s[1], column[j].s[0]));
}

static bool near_code(const syndrome *x)
{
    for (size_t j = 0; j < 4; j++)
        if (at_position(x, j))
            return true;
    return false;
}

/* Pairs of words of which no single position explains both: at most n of |K| points of their line lie within e of the code (Ben-Sasson,
 * Carmon, Ishai, Kopparty, Saraf 2020, section 4), and n is reached: (n - k)/2 + 1 = 2 would not be a bound. All pairs over F. */
static void lines(void **state)
{
    unsigned worst = 0;
    (void)state;
    columns_of_errors();
    for (size_t f = 0; f < TOY_P * TOY_P; f++)
        for (size_t h = 0; h < TOY_P * TOY_P; h++) {
            const syndrome sf = {{dsp_ke_from((dsp_fe){f % TOY_P}), dsp_ke_from((dsp_fe){f / TOY_P})}};
            const syndrome sh = {{dsp_ke_from((dsp_fe){h % TOY_P}), dsp_ke_from((dsp_fe){h / TOY_P})}};
            bool           joint = false;
            for (size_t j = 0; j < 4; j++)
                joint |= at_position(&sf, j) && at_position(&sh, j);
            unsigned near = 0;
            for (size_t c = 0; c < TOY_K; c++) {
                const syndrome x = combine(&sf, toy_ke(c), &sh);
                near += near_code(&x);
            }
            if (joint)
                assert_int_equal(near, TOY_K);
            else if (near > 4)
                fail_msg("words %zu, %zu: %u points near the code", f, h, near);
            else
                worst = near > worst ? near : worst;
        }
    assert_int_equal(worst, 4);
}

/* The same for two rows under a mask: at most n |K| of the |K|^2 combinations. Seeded words over K, every challenge. */
static void planes(void **state)
{
    uint64_t seed = 10;
    size_t   worst = 0;
    (void)state;
    columns_of_errors();
    for (size_t k = 0; k < 6; k++) {
        syndrome w[3];
        bool     joint = false;
        for (size_t i = 0; i < 3; i++)
            w[i] = (syndrome){{toy_draw(&seed), toy_draw(&seed)}};
        if (k % 2) /* two of the three share an error */
            w[2] = combine(&(syndrome){{dsp_ke_zero(), dsp_ke_zero()}}, toy_draw(&seed), &column[0]), w[1] = combine(&w[2], toy_draw(&seed), &column[0]);
        for (size_t j = 0; j < 4; j++)
            joint |= at_position(&w[0], j) && at_position(&w[1], j) && at_position(&w[2], j);
        size_t near = 0;
        for (size_t c = 0; c < (size_t)TOY_K * TOY_K; c++) {
            const syndrome x = combine(&w[0], toy_ke(c % TOY_K), &w[1]), y = combine(&x, toy_ke(c / TOY_K), &w[2]);
            near += near_code(&y);
        }
        assert_true(joint || near <= (size_t)4 * TOY_K);
        worst = !joint && near > worst ? near : worst;
    }
    assert_true(worst > TOY_K);
}

/* Every word farther than e from the code agrees with every codeword in at most n - e - 1 <= (n + k)/2 places: so many query sets pass,
 * no more than binom((n + k)/2, t). */
static void queries(void **state)
{
    static uint8_t code[TOY_P * TOY_P][4];
    unsigned       worst = 0;
    (void)state;
    for (size_t i = 0; i < TOY_P * TOY_P; i++) {
        dsp_fe coef[2], v[4];
        row(coef, 2, i);
        dsp_rs_encode(ntt, v, 2, coef, 2, (dsp_fe){1});
        for (unsigned q = 0; q < 4; q++)
            code[i][q] = (uint8_t)v[q].v;
    }
    for (size_t i = 0; i < ROWS; i++) {
        dsp_fe   w[4];
        unsigned agree = 0;
        row(w, 4, i);
        for (size_t c = 0; c < TOY_P * TOY_P; c++) {
            unsigned same = 0;
            for (unsigned q = 0; q < 4; q++)
                same += w[q].v == code[c][q];
            agree = same > agree ? same : agree;
        }
        if (agree < 3) /* far */
            worst = agree > worst ? agree : worst;
    }
    assert_int_equal(worst, 2);
    /* with t = 2 of n = 4 queries one set of six passes at most; the rule of S3 counts with binom(3, 2) = 3 */
    assert_true(dsp_t_ok(4, 2, 2, 1));
    assert_false(dsp_t_ok(4, 2, 2, 2));
}

/* The positions drawn from a transcript reach every set of t = 2 of n = 4 about equally often. */
static void positions(void **state)
{
    unsigned hits[16] = {0};
    (void)state;
    for (uint32_t i = 0; i < 6000; i++) {
        dsp_transcript t;
        uint32_t       q[2];
        dsp_transcript_init(&t);
        dsp_absorb(&t, DSP_T_BYTES, DSP_M_LABEL, &i, sizeof i);
        assert_true(dsp_squeeze_indices(&t, DSP_Q_QUERY, q, 2, 4));
        assert_true(q[0] < q[1] && q[1] < 4);
        hits[1u << q[0] | 1u << q[1]]++;
    }
    for (unsigned s = 0; s < 16; s++)
        assert_true(bits_of(s) == 2 ? hits[s] > 850 && hits[s] < 1150 : hits[s] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_hide), cmocka_unit_test(vectors_hide), cmocka_unit_test(gamma_binds), cmocka_unit_test(lines),
        cmocka_unit_test(planes),       cmocka_unit_test(queries),      cmocka_unit_test(positions),
    };
    ntt = dsp_ntt_create(TOY_P == 13 ? 2 : 3);
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    dsp_ntt_free(ntt);
    return r;
}
