/* Loops over a pool do every item once and give the same result for any number of threads. */
#include <stdatomic.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/pool.h"
#include "unit/test.h"

enum { N = 5000 };

typedef struct {
    uint64_t    out[N];
    atomic_uint times[N];
    atomic_uint bad_thread;
    unsigned    threads;
    dsp_pool   *pool;
} loop;

static void item(void *arg, size_t i, unsigned thread)
{
    loop    *l = arg;
    uint64_t s = i;
    for (int k = 0; k < 20; k++)
        s ^= test_next(&s);
    l->out[i] = s;
    atomic_fetch_add(&l->times[i], 1);
    if (thread >= l->threads)
        atomic_fetch_add(&l->bad_thread, 1);
}

static void every_item_once(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 17, 1000, N};
    loop *l = DSP_NEW(loop), *want = DSP_NEW(loop);
    assert_true(l && want);
    want->threads = 1;
    dsp_pool_run(NULL, N, item, want);
    assert_int_equal(dsp_pool_threads(NULL), 1);
    for (unsigned t = 0; t <= 8; t++) {
        dsp_pool *p = dsp_pool_create(t);
        assert_non_null(p);
        if (t)
            assert_int_equal(dsp_pool_threads(p), t);
        else
            assert_int_equal(dsp_pool_threads(p), dsp_cpu_count());
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
            for (int again = 0; again < 20; again++) {
                memset(l->out, 0, sizeof l->out);
                for (size_t i = 0; i < N; i++)
                    atomic_store(&l->times[i], 0);
                l->threads = dsp_pool_threads(p);
                dsp_pool_run(p, counts[c], item, l);
                for (size_t i = 0; i < N; i++)
                    assert_int_equal(atomic_load(&l->times[i]), i < counts[c]);
                assert_memory_equal(l->out, want->out, counts[c] * sizeof l->out[0]);
                assert_int_equal(atomic_load(&l->bad_thread), 0);
            }
        dsp_pool_free(p);
    }
    dsp_pool_free(NULL);
    dsp_free(l);
    dsp_free(want);
}

static void inner(void *arg, size_t i, unsigned thread)
{
    (void)i;
    if (thread == 0) /* a loop in a loop runs in the calling thread */
        atomic_fetch_add((atomic_uint *)arg, 1);
}

static void outer(void *arg, size_t i, unsigned thread)
{
    loop *l = arg;
    (void)thread;
    dsp_pool_run(l->pool, 10, inner, &l->times[i]);
}

static void nested(void **state)
{
    (void)state;
    loop *l = DSP_NEW(loop);
    assert_non_null(l);
    l->pool = dsp_pool_create(4);
    dsp_pool_run(l->pool, 100, outer, l);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(atomic_load(&l->times[i]), 10);
    dsp_pool_free(l->pool);
    dsp_free(l);
}

static void machine(void **state)
{
    (void)state;
    const uint64_t t = dsp_clock_ns();
    assert_true(dsp_cpu_count() >= 1);
    assert_true(dsp_clock_ns() >= t);
    assert_int_equal(dsp_cpu_bits(), dsp_cpu_bits());
    assert_true(!(dsp_cpu_bits() & DSP_CPU_AVX512) || (dsp_cpu_bits() & DSP_CPU_AVX2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_item_once), cmocka_unit_test(nested), cmocka_unit_test(machine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
