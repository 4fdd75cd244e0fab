/* Parts of bench. */
#ifndef DSP_PIPELINE_BENCH_H
#define DSP_PIPELINE_BENCH_H

#include "pipeline/pipeline.h"

/* a->backends side by side: slices, compiles, runs, proves and verifies a->model under each below a->tmp, and adds "backends", "comparison",
 * "model" to report. DSP_E_ARG: a name that is not known, or given twice. */
DSP_MUST_USE dsp_status dsp_bench_backends(dsp_pipe *p, const dsp_bench_args *a, json_t *report, dsp_err *err);
/* Removes a folder of ours and what is below it; depth: of dir. */
void dsp_bench_remove(const char *dir, int depth);

#endif
