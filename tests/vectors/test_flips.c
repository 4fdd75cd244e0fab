/* Every byte of a proof flipped, and every truncation, is rejected: one bit per byte, the bit walks with the position. The positions are
 * shared out over the threads of a pool: each works on its own copy of the proof. */
#include "vectors/vec_slice.h"

#include "base/pool.h"
#include "verifier/verify.h"

typedef struct {
    const vec_slice *v;
    size_t           step;
    bool             cut;   /* truncations, else flips */
    uint8_t         *check; /* per job: the check that spoke, 0: something else happened */
    dsp_err         *err;   /* one per thread: the last message */
} sweep;

enum { PER_JOB = 64 };

static void item(void *arg, size_t job, unsigned thread)
{
    const sweep *s = arg;
    uint8_t     *p = malloc(s->v->proof_len);
    memcpy(p, s->v->proof, s->v->proof_len);
    for (size_t i = job * PER_JOB; i < (job + 1) * PER_JOB && i * s->step < s->v->proof_len; i++) {
        const size_t  at = i * s->step;
        const uint8_t bit = (uint8_t)(1u << at % 8);
        unsigned      check = 0;
        s->err[thread].code = DSP_OK;
        p[at] ^= s->cut ? 0 : bit;
        const dsp_status st = dsp_verify_slice(s->v->D, &s->v->st, p, s->cut ? at : s->v->proof_len, 0, &check, &s->err[thread]);
        p[at] ^= s->cut ? 0 : bit;
        s->check[i] = (uint8_t)(st == DSP_E_REJECTED && check < 64 ? check : 0);
    }
    free(p);
}

/* How often each check spoke for flips (or lengths) at every `step`-th position. */
static void count(const vec_slice *v, dsp_pool *pool, size_t step, bool cut, unsigned seen[64])
{
    const size_t n = (v->proof_len + step - 1) / step;
    sweep        s = {v, step, cut, calloc(n, 1), calloc(dsp_pool_threads(pool), sizeof(dsp_err))};
    assert_true(s.check && s.err);
    dsp_pool_run(pool, (n + PER_JOB - 1) / PER_JOB, item, &s);
    for (size_t i = 0; i < n; i++) {
        if (s.check[i] == 0)
            fail_msg("%s, %s %zu: not rejected", v->key->name, cut ? "length" : "byte", i * step);
        seen[s.check[i]]++;
    }
    free(s.check);
    free(s.err);
}

/* Proof `p` (mode) of slice `i`; flips of every `step`-th byte, every length. */
static void run(size_t p, size_t i, size_t step)
{
    json_t   *j = vec_load();
    dsp_pool *pool = dsp_pool_create(0);
    vec_slice v;
    unsigned  flips[64] = {0}, cuts[64] = {0};
    vec_slice_load(&v, vec_at(vec_get(j, "proofs"), p), i);
    assert_int_equal(dsp_verify_slice(v.D, &v.st, v.proof, v.proof_len, 0, NULL, NULL), DSP_OK);
    count(&v, pool, step, false, flips);
    count(&v, pool, 1, true, cuts);
    /* flips reach the header, messages, openings of every kind; truncations are a matter of length alone */
    const unsigned expected[] = {DSP_V3, DSP_V17, DSP_V20, DSP_V23};
    for (size_t k = 0; k < sizeof expected / sizeof *expected; k++)
        assert_true(flips[expected[k]] > 0);
    assert_int_equal(cuts[DSP_V4], v.proof_len);
    vec_slice_free(&v);
    dsp_pool_free(pool);
    json_decref(j);
}

/* Step 3 is prime to the 8 and 16 bytes of words: the second proof is tried at every place inside them too. */
static void test_every_byte_mode0(void **state) { (void)state; run(0, 1, 1); }
static void test_every_third_byte_mode1(void **state) { (void)state; run(1, 0, 3); }

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_byte_mode0), cmocka_unit_test(test_every_third_byte_mode1)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
