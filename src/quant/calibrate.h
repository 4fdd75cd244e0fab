/* Calibration: float runs of the whole graph on samples, from which scales follow (architecture, "Quantisation record"). */
#ifndef DSP_QUANT_CALIBRATE_H
#define DSP_QUANT_CALIBRATE_H

#include "quant/record.h"

typedef struct { const char *input; double lo, hi; } dsp_range_arg;   /* --input-range; input NULL: every input */

/* What the samples showed: per value of the graph its largest absolute value and sign; and per sample every graph output. */
typedef struct {
    uint32_t   n_samples;
    double    *max_abs;       /* per graph value; 0 where never seen */
    bool      *negative;      /* per graph value: some cell was below 0 */
    double    *in_lo, *in_hi; /* per graph input: declared range */
    dsp_array *inputs;        /* n_samples x n_inputs, owned */
    dsp_array *outputs;       /* n_samples x n_outputs, float results, owned */
    dsp_arena *arena;
} dsp_calibration;

/* samples: n_samples sets of n_inputs arrays (borrowed). With none and ranges given, seeded random samples are drawn from the range. */
DSP_MUST_USE dsp_status dsp_calibrate(dsp_calibration **c, const dsp_graph *g, dsp_ort *o, const dsp_array *samples, size_t n_samples,
                                      const dsp_range_arg *ranges, size_t n_ranges, dsp_err *err);
void dsp_calibration_free(dsp_calibration *c);

#endif
