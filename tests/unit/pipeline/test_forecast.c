/* What ezkl will cost, against what it did cost (ezkl 23.0.5, 2 cores, models/net cut in five; a Sigmoid, of which the keys were measured). */
#include <stdio.h>
#include <unistd.h>

#include "pipeline/compile_ezkl.h"
#include "unit/test.h"

static void told(const char *more, bool looks, unsigned logrows, double memory, double key, double setup, double prove)
{
    char              path[] = "/tmp/dsp-forecast-XXXXXX";
    dsp_ezkl_forecast f;
    dsp_err           err;
    bool              lookups = !looks;
    const int         fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");
    fprintf(out, "{\"required_lookups\": [%s], \"num_dynamic_lookups\": 0%s}", looks ? "{\"Sigmoid\": {\"scale\": 4096.0}}" : "", more);
    fclose(out);
    const dsp_ezkl_circuit c = {.logrows = logrows, .rows = 1000};
    assert_int_equal(dsp_ezkl_forecast_make(&f, &lookups, &c, path, &err), DSP_OK);
    unlink(path);
    assert_int_equal(lookups, looks);
    const double got[] = {(double)f.memory_bytes, (double)f.pk_bytes, f.setup_seconds, f.prove_seconds}, want[] = {memory, key, setup, prove};
    for (int i = 0; i < 4; i++)
        if (got[i] < 0.8 * want[i] || got[i] > 1.25 * want[i])
            fail_msg("2^%u rows, figure %d: %g told, %g measured", logrows, i, got[i], want[i]);
}

static void net(void **state)
{
    (void)state;
    told(", \"num_shuffles\": 1176", false, 19, 11.2e9, 4.6e9, 132, 171);
    told(", \"num_shuffles\": 400", false, 18, 5.5e9, 2.3e9, 65, 80);
    told("", false, 15, 0.3e9, 0.138e9, 4, 5);
    told("", true, 17, 1.57e9, 0.655e9, 19, 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(net)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
