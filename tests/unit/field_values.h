/* Field elements for tests: random ones, and the edges where carries and reductions happen. */
#ifndef DSP_TESTS_FIELD_VALUES_H
#define DSP_TESTS_FIELD_VALUES_H

#include "field/fe.h"
#include "unit/test.h"

static const uint64_t field_edges[] = {
    0, 1, 2, 6, 7, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, UINT64_C(0x100000000), UINT64_C(0x100000001),
    UINT64_C(0x1ffffffff), UINT64_C(0x7fffffff80000000), UINT64_C(0x7fffffff80000001), UINT64_C(0x8000000000000000),
    UINT64_C(0xfffffffe00000000), UINT64_C(0xfffffffe00000001), UINT64_C(0xfffffffeffffffff), UINT64_C(0xfffffffefffffffe),
    UINT64_C(0xffffffff00000000) - 1, UINT64_C(0xffffffff00000000)
};
enum { N_FIELD_EDGES = sizeof field_edges / sizeof field_edges[0] };

/* One value in four is an edge. */
static inline dsp_fe test_fe(uint64_t *state)
{
    const uint64_t w = test_next(state);
    if (w % 4 == 0)
        return (dsp_fe){field_edges[(w >> 8) % N_FIELD_EDGES]};
    return (dsp_fe){w % DSP_P};
}
static inline dsp_ke test_ke(uint64_t *state)
{
    const dsp_fe a = test_fe(state), b = test_fe(state);
    return (dsp_ke){a, b};
}

#endif
