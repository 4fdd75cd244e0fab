/* The weak profiles of test builds; tests/unit/pcs/test_params.c asserts that the product has none. */
#include "pcs/params.h"
#include "unit/test.h"

static void weak_profiles(void **state)
{
    (void)state;
    assert_int_equal(dsp_profile_bits(DSP_PROFILE_G2_100), 100);
    for (uint32_t b = 1; b <= 100; b++)
        assert_int_equal(dsp_profile_bits(0x8000 + b), b);
    assert_int_equal(dsp_profile_bits(0x8000), 0);
    assert_int_equal(dsp_profile_bits(0x8065), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(weak_profiles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
