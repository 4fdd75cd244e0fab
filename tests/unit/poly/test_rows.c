/* Every variant of the passes against portable, all row lengths, with the extreme values. */
#include "base/cpu.h"
#include "poly/rows.h"
#include "unit/field_values.h"

enum { TOP = 7, STEP = 17, WORDS = STEP << TOP };

static dsp_fe a[WORDS + 1], b[WORDS + 1], w[3][1 << TOP];

static void variants(void **state)
{
    (void)state;
    const dsp_row_kernels *d = dsp_row_kernels_all();
    dsp_twiddles           tw[TOP + 1];
    uint64_t               s = 1;
    for (size_t i = 0; i <= TOP; i++)
        tw[i] = (dsp_twiddles){w[0], w[1], w[2]};
    for (const dsp_row_kernels *k = d; k->name; k++) {
        if (k->cpu_bits & ~dsp_cpu_bits()) {
            print_message("          %s: not on this processor\n", k->name);
            continue;
        }
        for (int kind = 0; kind < 3; kind++)
            for (unsigned m = 0; m <= TOP; m++)
                for (size_t step = 1; step <= STEP; step++) {
                    for (size_t i = 0; i < 3u << TOP; i++)
                        w[i >> TOP][i & ((1 << TOP) - 1)] = kind ? test_fe(&s) : (dsp_fe){DSP_P - 1};
                    w[0][0] = w[1][0] = w[2][0] = (dsp_fe){1};
                    for (size_t i = 0; i < step << m; i++)
                        a[i] = b[i] = kind == 2 ? test_fe(&s) : (dsp_fe){i % 3 ? DSP_P - 1 : 0};
                    a[step << m].v = 99;
                    k->passes(a, m, step, tw);
                    d->passes(b, m, step, tw);
                    assert_memory_equal(a, b, (step << m) * sizeof *a);
                    assert_true(a[step << m].v == 99);
                }
    }
    assert_string_equal(dsp_row_kernels_best(0)->name, "portable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(variants)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
