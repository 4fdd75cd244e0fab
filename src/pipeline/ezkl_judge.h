/* ezkl's own verdict about proofs of a foreign statement: the function behind F10. It works on copies of exactly the bytes that were checked, in a folder
 * of its own, so that nothing that changes meanwhile, and nothing that another reader of JSON would understand otherwise, is what ezkl looks at.
 */
#ifndef DSP_PIPELINE_EZKL_JUDGE_H
#define DSP_PIPELINE_EZKL_JUDGE_H

#include "pipeline/foreign_check.h"
#include "pipeline/pipeline.h"

typedef struct {
    dsp_pipe                *p;
    const dsp_foreign       *f;
    const dsp_foreign_bytes *bytes;   /* per segment of f */
} dsp_ezkl_judge;

/* A dsp_foreign_verify; arg: a dsp_ezkl_judge. DSP_E_UNAVAILABLE: no ezkl, no reference string, or an insecure one without test_srs or of another maker. */
dsp_status dsp_ezkl_judge_proof(void *arg, uint32_t at, const uint8_t *proof, size_t len, dsp_err *err);

/* The reference string that the keys of a segment were made with. *path is the caller's. DSP_E_UNAVAILABLE as above; never made here: a fresh one
 * fits no key. */
DSP_MUST_USE dsp_status dsp_ezkl_srs_for(char **path, dsp_pipe *p, const dsp_foreign_segment *g, dsp_err *err);

/* Bytes of key, settings and proof of every segment of f below dir; a missing proof stays NULL. *bytes: dsp_foreign_bytes_free, also after a failure. */
DSP_MUST_USE dsp_status dsp_foreign_bytes_load(dsp_foreign_bytes **bytes, const char *dir, const dsp_foreign *f, dsp_err *err);
void dsp_foreign_bytes_free(dsp_foreign_bytes *bytes, const dsp_foreign *f);

#endif
