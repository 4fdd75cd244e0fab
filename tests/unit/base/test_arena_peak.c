#include "base/mem.h"
#include "unit/test.h"

/* What one of several tasks took of an arena that they share. */
static void each_task_has_its_own_peak(void **state)
{
    (void)state;
    dsp_arena *a = dsp_arena_create(0);
    assert_non_null(a);
    assert_int_equal(dsp_arena_peak_used(a), 0);
    const dsp_mark m = dsp_arena_mark(a);
    assert_non_null(dsp_arena_alloc(a, 1, 1 << 20));
    const size_t large = dsp_arena_peak_used(a);
    assert_true(large >= 1 << 20 && large < (1 << 20) + 4096);
    dsp_arena_rewind(a, m);
    assert_int_equal(dsp_arena_peak_used(a), large);
    dsp_arena_peak_restart(a);
    assert_int_equal(dsp_arena_peak_used(a), 0);
    const dsp_mark n = dsp_arena_mark(a);
    for (int i = 0; i < 3; i++) { /* several chunks, given back each time */
        assert_non_null(dsp_arena_alloc(a, 1, 300000));
        assert_non_null(dsp_arena_alloc(a, 1, 300000));
        dsp_arena_rewind(a, n);
    }
    const size_t small = dsp_arena_peak_used(a);
    assert_true(small >= 600000 && small < 600000 + 8192);
    assert_true(dsp_arena_peak(a) >= large);
    dsp_arena_free(a);
}

/* Memory that is still held when a task starts counts. */
static void held_memory_counts(void **state)
{
    (void)state;
    dsp_arena *a = dsp_arena_create(0);
    assert_non_null(dsp_arena_alloc(a, 1, 5000));
    dsp_arena_peak_restart(a);
    const size_t held = dsp_arena_peak_used(a);
    assert_true(held >= 5000);
    assert_non_null(dsp_arena_raw(a, 1, 64));
    assert_true(dsp_arena_peak_used(a) > held);
    dsp_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_task_has_its_own_peak), cmocka_unit_test(held_memory_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
