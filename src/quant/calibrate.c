/* Calibration: float runs of the whole graph, the largest absolute value of every tensor, the declared range of every input. */
#include "quant/calibrate.h"

#include <math.h>
#include <string.h>

enum { RANDOM_SAMPLES = 4 };

static bool is_float(int32_t t) { return t == DSP_DT_FLOAT || t == DSP_DT_DOUBLE || t == DSP_DT_FLOAT16; }

/* SplitMix64 (Steele, Lea, Flood 2014): the same samples on every machine. */
static uint64_t next_random(uint64_t *s)
{
    uint64_t z = *s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Declared ranges from the arguments; *given per input. */
static dsp_status read_ranges(dsp_calibration *c, bool *given, const dsp_graph *g, const dsp_range_arg *ranges, size_t n, dsp_err *err)
{
    for (size_t k = 0; k < n; k++) {
        bool found = false;
        if (!isfinite(ranges[k].lo) || !isfinite(ranges[k].hi) || ranges[k].lo > ranges[k].hi || (ranges[k].lo == 0 && ranges[k].hi == 0))
            return dsp_fail(err, DSP_E_ARG, "input range %g:%g is empty or not finite", ranges[k].lo, ranges[k].hi);
        for (uint32_t i = 0; i < g->n_inputs; i++) {
            if (ranges[k].input && strcmp(ranges[k].input, g->values[g->inputs[i]].name) != 0)
                continue;
            /* A range with a name wins over one without, wherever it stands. */
            if (ranges[k].input || !given[i]) {
                c->in_lo[i] = ranges[k].lo;
                c->in_hi[i] = ranges[k].hi;
                given[i] = true;
            }
            found = true;
        }
        if (!found)
            return dsp_fail(err, DSP_E_ARG, "input range: the model has no input %s", ranges[k].input ? ranges[k].input : "");
    }
    for (size_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < g->n_inputs && ranges[k].input; i++)
            if (strcmp(ranges[k].input, g->values[g->inputs[i]].name) == 0) {
                c->in_lo[i] = ranges[k].lo;
                c->in_hi[i] = ranges[k].hi;
            }
    return DSP_OK;
}

/* Smallest 1-2-4-.. power at or above x > 0. */
static double pow2_above(double x)
{
    int e;
    return frexp(x, &e) == 0.5 ? ldexp(1, e - 1) : ldexp(1, e);
}

/* Samples drawn from the declared ranges. */
static dsp_status draw_samples(dsp_calibration *c, const dsp_graph *g, dsp_err *err)
{
    uint64_t seed = 0;
    for (uint32_t k = 0; k < RANDOM_SAMPLES; k++)
        for (uint32_t i = 0; i < g->n_inputs; i++) {
            const dsp_value *v = &g->values[g->inputs[i]];
            dsp_array       *x = &c->inputs[(size_t)k * g->n_inputs + i];
            size_t           count = 1;
            if (v->rank < 0 || (v->dtype != DSP_DT_FLOAT && v->dtype != DSP_DT_INT64))
                return dsp_fail(err, DSP_E_ARG, "input %s: random samples need a known shape and float or int64 cells; give a sample", v->name);
            x->dtype = v->dtype;
            x->rank = (uint32_t)v->rank;
            for (int32_t d = 0; d < v->rank; d++) {
                if (v->dims[d] < 1 || v->dims[d] > (1 << 28) || (count *= (size_t)v->dims[d]) > (size_t)1 << 28)
                    return dsp_fail(err, DSP_E_ARG, "input %s: random samples need a known shape; give a sample", v->name);
                x->dims[d] = v->dims[d];
            }
            const size_t size = v->dtype == DSP_DT_FLOAT ? sizeof(float) : sizeof(int64_t);
            void        *data = dsp_arena_raw(c->arena, count, size);
            if (!data)
                return dsp_fail(err, DSP_E_NOMEM, "calibration: out of memory");
            for (size_t j = 0; j < count; j++) {
                const double u = (double)(next_random(&seed) >> 11) * 0x1p-53, y = c->in_lo[i] + u * (c->in_hi[i] - c->in_lo[i]);
                if (v->dtype == DSP_DT_FLOAT)
                    ((float *)data)[j] = (float)y;
                else
                    ((int64_t *)data)[j] = (int64_t)floor(y + 0.5);
            }
            x->count = count;
            x->bytes = count * size;
            x->data = data;
        }
    return DSP_OK;
}

static dsp_status copy_sample(dsp_calibration *c, dsp_array *to, const dsp_array *from, dsp_err *err)
{
    void *p = dsp_arena_raw(c->arena, from->bytes ? from->bytes : 1, 1);
    if (!p)
        return dsp_fail(err, DSP_E_NOMEM, "calibration: out of memory");
    if (from->bytes)
        memcpy(p, from->data, from->bytes);
    *to = *from;
    to->data = p;
    return DSP_OK;
}

static void watch(dsp_calibration *c, uint32_t v, const dsp_array *x)
{
    if (!is_float(x->dtype))
        return;
    for (size_t i = 0; i < x->count; i++) {
        const double y = dsp_array_f64(x, i);
        if (!isfinite(y))
            continue;
        c->max_abs[v] = fabs(y) > c->max_abs[v] ? fabs(y) : c->max_abs[v];
        c->negative[v] = c->negative[v] || y < 0;
    }
}

static dsp_status check_sample(const dsp_calibration *c, const dsp_graph *g, uint32_t i, bool given, const dsp_array *x, dsp_err *err)
{
    const char *name = g->values[g->inputs[i]].name;
    for (size_t k = 0; is_float(x->dtype) && k < x->count; k++) {
        const double y = dsp_array_f64(x, k);
        if (!isfinite(y))
            return dsp_fail(err, DSP_E_RANGE, "input %s: cell %zu of a sample is not finite", name, k);
        if (given && (y < c->in_lo[i] || y > c->in_hi[i]))
            return dsp_fail(err, DSP_E_RANGE, "input %s: value %.9g at cell %zu of a sample is outside the declared range %g:%g", name, y, k, c->in_lo[i],
                            c->in_hi[i]);
    }
    return DSP_OK;
}

dsp_status dsp_calibrate(dsp_calibration **out, const dsp_graph *g, dsp_ort *o, const dsp_array *samples, size_t n_samples,
                         const dsp_range_arg *ranges, size_t n_ranges, dsp_err *err)
{
    dsp_calibration *c = DSP_NEW(dsp_calibration);
    uint32_t        *watched = DSP_NEW_N(uint32_t, g->n_values + 1);
    dsp_array       *seen = DSP_NEW_N(dsp_array, g->n_values + 1);
    bool            *given = DSP_NEW_N(bool, g->n_inputs + 1);
    size_t           n_watched = 0;
    dsp_status       st = DSP_OK;
    *out = NULL;
    const size_t n = n_samples ? n_samples : RANDOM_SAMPLES;
    if (!c || !watched || !seen || !given || !(c->arena = dsp_arena_create(0)) || !(c->max_abs = DSP_ARENA_N(c->arena, double, g->n_values + 1)) ||
        !(c->negative = DSP_ARENA_N(c->arena, bool, g->n_values + 1)) || !(c->in_lo = DSP_ARENA_N(c->arena, double, g->n_inputs + 1)) ||
        !(c->in_hi = DSP_ARENA_N(c->arena, double, g->n_inputs + 1)) || !(c->inputs = DSP_ARENA_N(c->arena, dsp_array, n * g->n_inputs + 1)) ||
        !(c->outputs = DSP_ARENA_N(c->arena, dsp_array, n * g->n_outputs + 1))) {
        st = dsp_fail(err, DSP_E_NOMEM, "calibration: out of memory");
        goto done;
    }
    if (n > UINT32_MAX || (st = read_ranges(c, given, g, ranges, n_ranges, err)) != DSP_OK)
        goto done;
    if (n_samples == 0) {
        for (uint32_t i = 0; i < g->n_inputs; i++)
            if (!given[i]) {
                st = dsp_fail(err, DSP_E_ARG, "input %s has neither a sample nor a declared range", g->values[g->inputs[i]].name);
                goto done;
            }
        if ((st = draw_samples(c, g, err)) != DSP_OK)
            goto done;
    }
    for (size_t k = 0; k < n_samples * g->n_inputs; k++)
        if ((st = copy_sample(c, &c->inputs[k], &samples[k], err)) != DSP_OK)
            goto done;
    c->n_samples = (uint32_t)n;
    /* Every float value that a node makes, and the outputs at the end. */
    for (uint32_t v = 0; v < g->n_values; v++)
        if (g->values[v].producer != DSP_NONE && !g->values[v].constant && !g->nodes[g->values[v].producer].folded && is_float(g->values[v].dtype))
            watched[n_watched++] = v;
    for (size_t k = 0; k < n && st == DSP_OK; k++) {
        const dsp_array *in = &c->inputs[k * g->n_inputs];
        for (uint32_t i = 0; i < g->n_inputs && st == DSP_OK; i++) {
            st = check_sample(c, g, i, given[i], &in[i], err);
            watch(c, g->inputs[i], &in[i]);
        }
        if (st != DSP_OK || (st = dsp_graph_run(g, o, in, watched, n_watched, seen, err)) != DSP_OK)
            break;
        for (size_t i = 0; i < n_watched; i++) {
            watch(c, watched[i], &seen[i]);
            dsp_array_release(&seen[i]);
            seen[i] = (dsp_array){0};
        }
        st = dsp_graph_run(g, o, in, g->outputs, g->n_outputs, seen, err);
        for (uint32_t i = 0; i < g->n_outputs && st == DSP_OK; i++)
            st = copy_sample(c, &c->outputs[k * g->n_outputs + i], &seen[i], err);
        for (uint32_t i = 0; i < g->n_outputs; i++) {
            dsp_array_release(&seen[i]);
            seen[i] = (dsp_array){0};
        }
    }
    for (uint32_t i = 0; i < g->n_inputs && st == DSP_OK; i++) {
        const uint32_t v = g->inputs[i];
        if (given[i] || !is_float(g->values[v].dtype))
            continue;
        c->in_hi[i] = c->max_abs[v] > 0 ? pow2_above(2 * c->max_abs[v]) : 1;
        c->in_lo[i] = c->negative[v] ? -c->in_hi[i] : 0;
    }
done:
    dsp_free(watched);
    dsp_free(seen);
    dsp_free(given);
    if (st == DSP_OK)
        *out = c;
    else
        dsp_calibration_free(c);
    return st;
}

void dsp_calibration_free(dsp_calibration *c)
{
    if (!c)
        return;
    dsp_arena_free(c->arena);
    dsp_free(c);
}
