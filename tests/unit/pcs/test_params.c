/* Numbers of queries by the defining inequality, with binomials in 128 bits. */
#include "pcs/params.h"
#include "unit/test.h"

static dsp_u128 binom[61][61]; /* binom(60, 30) < 2^57 */

static void fill(void)
{
    for (int n = 0; n <= 60; n++)
        for (int k = 0; k <= n; k++)
            binom[n][k] = k == 0 || k == n ? 1 : binom[n - 1][k - 1] + binom[n - 1][k];
}

static bool ok(uint32_t n, uint64_t k, uint32_t t, unsigned bits)
{
    return t > 0 && t <= n && k <= n && binom[(n + k) / 2][t] << bits <= binom[n][t];
}
static bool pads_ok(uint32_t n, uint32_t k, uint32_t t, unsigned bits)
{
    return t > 0 && t < k && 2 * k - 1 <= n && (n + k) / 2 * ((n + k) / 2) > n * (2 * k - 2) && (binom[(n + k) / 2][t] + binom[2 * k - 2][t]) << bits <= binom[n][t];
}

static void definition(void **state)
{
    (void)state;
    for (uint32_t n = 0; n <= 60; n++)
        for (uint32_t k = 0; k <= n + 1; k++)
            for (uint32_t t = 0; t <= n + 1; t++)
                for (unsigned bits = 1; bits < 60; bits += n < 32 ? 5 : 19) {
                    assert_int_equal(dsp_t_ok(n, k, t, bits), ok(n, k, t, bits));
                    assert_int_equal(dsp_t_pads_ok(n, k, t, bits), pads_ok(n, k, t, bits));
                }
    assert_false(dsp_t_ok(64, UINT64_MAX, 3, 1));
    assert_false(dsp_t_ok(64, UINT64_MAX - 63, 3, 1));
}

static void least(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 60; n++)
        for (uint32_t C = 1; C <= n; C += 1 + n / 16)
            for (uint32_t J = 0; J <= 4; J++)
                for (unsigned bits = 1; bits < 40; bits += 6) {
                    const dsp_code_use use[2] = {{C, J}, {C / 2 + 1, 5 - J}};
                    for (size_t n_use = 1; n_use <= 2; n_use++) {
                        uint32_t want = 0;
                        for (uint32_t t = 1; t <= n && !want; t++) {
                            bool all = true;
                            for (size_t i = 0; i < n_use; i++)
                                all = all && ok(n, use[i].C + use[i].J * t, t, bits);
                            want = all ? t : 0;
                        }
                        assert_int_equal(dsp_t_for_trees(n, use, n_use, bits), want);
                    }
                }
    for (uint32_t n = 1; n <= 60; n++)
        for (uint32_t k = 0; k <= n; k++)
            for (unsigned bits = 1; bits < 40; bits += 6) {
                uint32_t want = 0;
                for (uint32_t t = 1; t < k && !want; t++)
                    want = pads_ok(n, k, t, bits) ? t : 0;
                assert_int_equal(dsp_t_pads(n, k, bits), want);
            }
}

static void examples(void **state)
{
    (void)state;
    const dsp_code_use use[2] = {{2048, 1}, {2048, 2}};
    assert_int_equal(dsp_t_for_trees(8192, use, 1, 100), 151);
    assert_int_equal(dsp_t_for_trees(8192, use + 1, 1, 100), 156);
    assert_int_equal(dsp_t_for_trees(8192, use, 2, 100), 156);
    assert_int_equal(dsp_t_pads(2048, 256, 100), 116);
    assert_int_equal(dsp_t_pads(8192, 512, 100), 109);
    assert_int_equal(dsp_t_pads(1024, 256, 100), 0); /* too dense for what S13 says, whatever the number of queries */
    for (unsigned lk = 3; lk <= 19; lk++) {
        assert_int_equal(dsp_t_pads(4u << lk, 1u << lk, 1), 0);
        assert_int_not_equal(dsp_t_pads(8u << lk, 1u << lk, 1), 0);
    }
    /* hostile shapes end soon */
    const dsp_code_use near = {(1u << 22) - 10000, 1};
    const uint32_t     t = dsp_t_for_trees(1u << 22, &near, 1, 100);
    assert_true(t == 0 || dsp_t_ok(1u << 22, near.C + (uint64_t)t, t, 100));
    assert_int_equal(dsp_t_for_trees(1u << 22, &(dsp_code_use){1u << 22, 0}, 1, 100), 0);
    assert_int_equal(dsp_t_for_trees(1u << 22, &(dsp_code_use){(1u << 22) - 40000, 1}, 1, 100), 0);
    assert_int_equal(dsp_t_for_trees(1u << 22, &(dsp_code_use){(1u << 22) - 140000, 1}, 1, 100), 4247);
    assert_int_equal(dsp_t_for_trees(1u << 22, &(dsp_code_use){(1u << 22) - 240000, 1}, 1, 100), 2412);
}

static void profiles(void **state)
{
    (void)state;
    uint8_t b[DSP_PROFILE_BYTES];
    static const uint8_t want[DSP_PROFILE_BYTES] = {1, 0, 0, 0, 100, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
                                                    7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0, 32, 0, 0, 0, 2, 0, 0, 0};
    assert_int_equal(dsp_profile_bits(1), 100);
    dsp_profile_bytes(b, DSP_PROFILE_G2_100);
    assert_memory_equal(b, want, sizeof want);
    static const uint32_t unknown[] = {0, 2, 0x8000, 0x8001 + 100, UINT32_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_int_equal(dsp_profile_bits(unknown[i]), 0);
#ifdef DSP_TEST_HOOKS
    assert_int_equal(dsp_profile_bits(0x800c), 12);
#else
    assert_int_equal(dsp_profile_bits(0x800c), 0); /* weak profiles are not in the product */
    assert_int_equal(dsp_profile_bits(0x8064), 0);
#endif
}

int main(void)
{
    fill();
    const struct CMUnitTest tests[] = {cmocka_unit_test(definition), cmocka_unit_test(least), cmocka_unit_test(examples),
                                       cmocka_unit_test(profiles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
