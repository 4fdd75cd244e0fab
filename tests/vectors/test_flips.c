/* Every byte of a proof flipped, and every truncation, is rejected: one bit per byte, the bit walks with the position. Builds with
 * sanitizers, fifty times slower, take every 37th byte. */
#include "vectors/vec_slice.h"

#include "verifier/verify.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
enum { STEP = 37 };
#else
enum { STEP = 1 };
#endif

static void refuse(const vec_slice *v, size_t len, unsigned seen[64], const char *what, size_t at)
{
    dsp_err          e = {DSP_OK, ""};
    unsigned         check = 0;
    const dsp_status st = dsp_verify_slice(v->D, &v->st, v->proof, len, 0, &check, &e);
    if (st != DSP_E_REJECTED || check == 0 || check >= 64)
        fail_msg("%s, %s %zu: %s '%s'", v->key->name, what, at, dsp_status_name(st), e.msg);
    seen[check]++;
}

/* Proof `p` (mode) of slice `i`. */
static void run(size_t p, size_t i)
{
    json_t   *j = vec_load();
    vec_slice v;
    unsigned  flips[64] = {0}, cuts[64] = {0};
    vec_slice_load(&v, vec_at(vec_get(j, "proofs"), p), i);
    for (size_t at = 0; at < v.proof_len; at += STEP) {
        const uint8_t bit = (uint8_t)(1u << at % 8);
        v.proof[at] ^= bit;
        refuse(&v, v.proof_len, flips, "byte", at);
        v.proof[at] ^= bit;
    }
    size_t n_cuts = 0;
    for (size_t n = 0; n < v.proof_len; n += STEP, n_cuts++)
        refuse(&v, n, cuts, "length", n);
    /* flips reach the header, messages, openings of every kind; truncations are a matter of length alone */
    const unsigned expected[] = {DSP_V3, DSP_V17, DSP_V20, DSP_V23};
    for (size_t k = 0; k < sizeof expected / sizeof *expected; k++)
        assert_true(flips[expected[k]] > 0);
    assert_int_equal(cuts[DSP_V4], n_cuts);
    vec_slice_free(&v);
    json_decref(j);
}

static void test_every_byte_mode0(void **state) { (void)state; run(0, 1); }
static void test_every_byte_mode1(void **state) { (void)state; run(1, 0); }

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_byte_mode0), cmocka_unit_test(test_every_byte_mode1)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
