/* One segment of ezkl in the step prove. */
#ifndef DSP_PIPELINE_PROVE_EZKL_H
#define DSP_PIPELINE_PROVE_EZKL_H

#include "pipeline/ezkl_judge.h"

typedef struct {
    dsp_pipe          *p;
    const char        *dir;         /* the run's folder */
    const dsp_foreign *f;
    const json_t      *entry;       /* of the segment, in run_result.json: where circuit and proving key lie */
    bool               force, self_verify;
} dsp_prove_ezkl_args;

typedef struct {
    bool       fresh;               /* made now; otherwise a valid one was there */
    uint64_t   load_ns, prove_ns, verify_ns, bytes, peak_bytes;
    dsp_digest digest;
} dsp_prove_ezkl_use;

/* segment_<i>/proof.json of segment `at` of f, verified before it gets that name; logs in segment_<i>/logs. Fails: DSP_E_UNAVAILABLE (no ezkl, no reference
 * string), DSP_E_UNSUPPORTED (keys or witness are not those of the run any more; ezkl refused), DSP_E_LIMIT (--max-memory), DSP_E_IO (child killed). */
DSP_MUST_USE dsp_status dsp_prove_ezkl(dsp_prove_ezkl_use *use, const dsp_prove_ezkl_args *a, uint32_t at, dsp_err *err);
/* A guess from the number of rows alone. */
uint64_t dsp_prove_ezkl_cost_ns(const dsp_foreign_segment *g);

#endif
