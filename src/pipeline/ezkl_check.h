/* A real witness of one segment: whether ezkl's numbers fit at the scale, and how far they are from the model's. */
#ifndef DSP_PIPELINE_EZKL_CHECK_H
#define DSP_PIPELINE_EZKL_CHECK_H

#include "backends/ezkl.h"
#include "lower/lower.h"

/* The first sample of the calibration, run through the model up to the segment, quantised at c->scale and given to ezkl. *off: largest difference of
 * an output cell, relative to the largest output cell. f: model and compiled circuit; files of the check go to its log folder and are removed.
 * DSP_E_UNSUPPORTED: ezkl cannot compute it. */
DSP_MUST_USE dsp_status dsp_ezkl_check(double *off, dsp_ezkl_use *use, const dsp_ezkl *e, const dsp_ezkl_files *f, const dsp_ezkl_circuit *c, const dsp_graph *g,
                                       const dsp_segment_plan *seg, const dsp_calibration *cal, dsp_ort *ort, dsp_err *err);

#endif
