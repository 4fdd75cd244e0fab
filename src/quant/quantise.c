/* Floats to integers and back, by the scale, range and layout of one tensor. */
#include <math.h>

#include "quant/record.h"

typedef struct { size_t step[DSP_MAX_RANK]; int64_t dims[DSP_MAX_RANK], idx[DSP_MAX_RANK]; uint32_t rank; size_t at, count; } walk;

/* Visits the cells in (C, H, W) order; at is their place in the ONNX tensor. */
static void walk_init(walk *w, const dsp_layout *l)
{
    size_t step[DSP_MAX_RANK] = {0}, s = 1;
    *w = (walk){.rank = l->rank, .count = (size_t)l->dims[0] * l->dims[1] * l->dims[2]};
    for (uint32_t i = l->rank; i-- > 0;) {
        step[i] = s;
        s *= (size_t)l->onnx_dims[i];
    }
    for (uint32_t i = 0; i < l->rank; i++) {
        w->step[i] = step[l->perm[i]];
        w->dims[i] = l->onnx_dims[l->perm[i]];
    }
}

static void walk_next(walk *w)
{
    for (uint32_t k = w->rank; k-- > 0;) {
        w->at += w->step[k];
        if (++w->idx[k] < w->dims[k])
            return;
        w->at -= w->step[k] * (size_t)w->dims[k];
        w->idx[k] = 0;
    }
}

static dsp_status quantise(int64_t *out, uint64_t *clamped, const dsp_array *x, const dsp_qtensor *q, dsp_err *err)
{
    walk w;
    walk_init(&w, &q->layout);
    if (x->count != w.count)
        return dsp_fail(err, DSP_E_RANGE, "tensor %s: %zu cells, %zu expected", q->name, x->count, w.count);
    for (size_t i = 0; i < w.count; i++, walk_next(&w)) {
        const double v = dsp_array_f64(x, w.at), r = floor(ldexp(v, q->scale_bits) + 0.5);
        if (!isfinite(v) || (!clamped && !(r >= (double)q->lo && r <= (double)q->hi)))
            return dsp_fail(err, DSP_E_RANGE, "tensor %s: value %.9g at cell %zu is outside its range %.9g .. %.9g", q->name, v, w.at,
                            ldexp((double)q->lo, -q->scale_bits), ldexp((double)q->hi, -q->scale_bits));
        out[i] = r <= (double)q->lo ? q->lo : r >= (double)q->hi ? q->hi : (int64_t)r;
        if (clamped)
            *clamped += r < (double)q->lo || r > (double)q->hi;
    }
    return DSP_OK;
}

dsp_status dsp_quantise(int64_t *out, const dsp_array *x, const dsp_qtensor *q, dsp_err *err) { return quantise(out, NULL, x, q, err); }

dsp_status dsp_quantise_saturating(int64_t *out, uint64_t *clamped, const dsp_array *x, const dsp_qtensor *q, dsp_err *err)
{
    return quantise(out, clamped, x, q, err);
}

void dsp_dequantise(float *out, const int64_t *cells, const dsp_qtensor *q)
{
    walk w;
    walk_init(&w, &q->layout);
    for (size_t i = 0; i < w.count; i++, walk_next(&w))
        out[w.at] = (float)ldexp((double)cells[i], -q->scale_bits);
}

void dsp_cells_to_onnx(int64_t *to, const int64_t *from, const dsp_layout *l)
{
    walk w;
    walk_init(&w, l);
    for (size_t i = 0; i < w.count; i++, walk_next(&w))
        to[w.at] = from[i];
}

void dsp_cells_from_onnx(int64_t *to, const int64_t *from, const dsp_layout *l)
{
    walk w;
    walk_init(&w, l);
    for (size_t i = 0; i < w.count; i++, walk_next(&w))
        to[i] = from[w.at];
}
