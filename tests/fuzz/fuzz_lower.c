/* From ONNX bytes to slice keys, with made-up calibration instead of float runs: shapes, constant folding, records, geometry. The first byte
 * picks the precision (2 to 16 bits). */
#include "fuzz/fuzz.h"

#include "lower/lower.h"

const bool fuzz_by_path = true;

static dsp_status lower(const dsp_graph *g, const dsp_plan *p, unsigned precision, dsp_arena *a, dsp_err *err)
{
    dsp_calibration c = {.max_abs = DSP_ARENA_N(a, double, g->n_values), .negative = DSP_ARENA_N(a, bool, g->n_values),
                         .in_lo = DSP_ARENA_N(a, double, g->n_inputs + 1), .in_hi = DSP_ARENA_N(a, double, g->n_inputs + 1)};
    dsp_support    *support = DSP_ARENA_N(a, dsp_support, p->n_segments);
    dsp_record     *r = NULL, *again = NULL;
    dsp_circuits   *k = NULL;
    dsp_buf         b = {0};
    FUZZ_CHECK(c.max_abs && c.negative && c.in_lo && c.in_hi && support);
    for (uint32_t i = 0; i < g->n_values; i++) {
        c.max_abs[i] = 1 + i % 7;
        c.negative[i] = i % 3 != 0;
    }
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        c.in_lo[i] = -1;
        c.in_hi[i] = 1;
    }
    dsp_status s = dsp_lower_support(support, g, p, a, err);
    if (s == DSP_OK)
        s = dsp_record_make(&r, g, p, &c, NULL, 0, precision, err);
    if (s == DSP_OK) { /* a record as made is one that can be read */
        FUZZ_CHECK(dsp_record_write(&b, r, err) == DSP_OK);
        FUZZ_CHECK(dsp_record_read(&again, b.p, b.len, err) == DSP_OK);
        s = dsp_lower_model(&k, g, p, again, NULL, err);
        FUZZ_CHECK(s != DSP_E_REJECTED && s != DSP_E_FORMAT);
    }
    for (uint32_t i = 0; k && i < k->n_segments; i++)
        FUZZ_CHECK((k->segments[i].key != NULL) != (k->segments[i].reason != NULL));
    dsp_circuits_free(k);
    dsp_buf_release(&b);
    dsp_record_free(again);
    dsp_record_free(r);
    return s;
}

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_graph *g = NULL;
    dsp_plan  *plan = NULL;
    dsp_arena *a = dsp_arena_create(0);
    dsp_status s = dsp_graph_load(&g, fuzz_file("model.onnx", p + (n > 0), n - (n > 0)), NULL, 0, err);
    if (s == DSP_OK)
        s = dsp_plan_make(&plan, g, NULL, 0, true, err);
    if (s == DSP_OK)
        s = lower(g, plan, 2 + p[0] % 15, a, err);
    dsp_plan_free(plan);
    dsp_graph_free(g);
    dsp_arena_free(a);
    return s;
}
