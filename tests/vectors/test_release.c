/* The verifier that users run: no test profile, no check that can be left out. */
#include "vectors/vec.h"

#include "verifier/verify.h"

static void test_no_test_profile(void **state)
{
    (void)state;
    json_t       *j = vec_load();
    const json_t *slice = vec_at(vec_get(vec_at(vec_get(j, "proofs"), 0), "slices"), 0);
    size_t        key_len, proof_len;
    uint8_t      *key = vec_hex(vec_get(slice, "key_bytes"), &key_len), *proof = vec_hex(vec_get(slice, "proof"), &proof_len);
    dsp_statement *s = dsp_statement_create();
    assert_non_null(s);
    s->n_slices = 1;
    s->slices = DSP_ARENA_N(s->arena, dsp_stmt_slice, 1);
    assert_non_null(s->slices);
    s->slices[0] = (dsp_stmt_slice){.name = "segment_0", .key = vec_digest(vec_get(slice, "key_digest"))};
    const dsp_slice_bytes in = {key, key_len, proof, proof_len};
    for (int all = 0; all < 2; all++) { /* with and without a mask that asks for every check to be left out */
        dsp_verdict v = {0};
        dsp_err     e = {DSP_OK, ""};
        assert_int_equal(dsp_verify_run(&v, s, &in, all ? UINT64_MAX : 0, &e), DSP_E_REJECTED);
        assert_int_equal(v.check, DSP_V1);
        assert_int_equal(v.slice, 0);
        assert_int_equal(strncmp(e.msg, "V1 ", 3), 0);
    }
    dsp_statement_free(s);
    free(key);
    free(proof);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_test_profile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
