/* Segments that ezkl proves, in the step run: witnesses from exact field elements, and the foreign statement. */
#ifndef DSP_PIPELINE_RUN_EZKL_H
#define DSP_PIPELINE_RUN_EZKL_H

#include "pipeline/model.h"

typedef struct { dsp_pipe *p; dsp_model *m; dsp_store *st; const char *dir; bool no_fallback; } dsp_run_ezkl;

/* Runs one segment through ezkl: segment_<i>/input.json, witness.json (0600) and logs in the run's folder, outputs in the store. Where ezkl refuses, s->fell_back
 * is set and DSP_OK comes back, unless no_fallback. Fails: DSP_E_UNAVAILABLE (no ezkl), DSP_E_IO (the child was killed, or ended at its time limit: the next
 * run goes on from here), DSP_E_FORMAT (the circuit is not the one that was compiled). */
DSP_MUST_USE dsp_status dsp_run_ezkl_segment(const dsp_run_ezkl *r, dsp_seg *s, dsp_err *err);
/* Whether the files of a segment that ran before are still there. */
bool dsp_run_ezkl_ready(const char *dir, const dsp_seg *s);
/* The statement over the values of a run. statement: SHA-256 of statement.bin, NULL without native segments. *f: the caller's, cells borrowed from the store. */
DSP_MUST_USE dsp_status dsp_run_foreign(dsp_foreign **f, const dsp_run_ezkl *r, const uint8_t nonce[32], const dsp_digest *statement, dsp_err *err);
/* foreign.bin and the keys and settings of its segments; without f, what an earlier attempt left goes away. */
DSP_MUST_USE dsp_status dsp_run_foreign_write(dsp_digest *digest, const dsp_run_ezkl *r, const dsp_foreign *f, dsp_err *err);

#endif
