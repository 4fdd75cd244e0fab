/* All elements of a toy field by number, and a few that are drawn. */
#ifndef DSP_TESTS_TOY_H
#define DSP_TESTS_TOY_H

#include "base/mem.h"
#include "field/kernels.h"
#include "poly/poly.h"
#include "unit/test.h"

enum { TOY_P = DSP_TOY_P, TOY_K = DSP_TOY_P * DSP_TOY_P };

static inline dsp_ke toy_ke(size_t i) { return (dsp_ke){{i % TOY_P}, {i / TOY_P % TOY_P}}; }
static inline size_t toy_index(dsp_ke x) { return (size_t)(x.a.v + TOY_P * x.b.v); }
static inline dsp_fe toy_draw_fe(uint64_t *s) { return (dsp_fe){test_next(s) % TOY_P}; }
static inline dsp_ke toy_draw(uint64_t *s) { return toy_ke(test_next(s) % TOY_K); }

#endif
