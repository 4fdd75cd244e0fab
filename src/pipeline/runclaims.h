/* What a run claims: its statements, native (statement.bin), foreign (foreign.bin) or both, and one list of all segments over them. */
#ifndef DSP_PIPELINE_RUNCLAIMS_H
#define DSP_PIPELINE_RUNCLAIMS_H

#include "pipeline/foreign_check.h"
#include "pipeline/json.h"

typedef enum { DSP_BY_NOBODY, DSP_BY_NATIVE, DSP_BY_EZKL } dsp_by;
typedef struct {
    dsp_by      by;
    uint32_t    index;
    uint32_t    at;           /* in the statement's slices, the foreign statement's segments, or either's unproved ones */
    uint64_t    macs;
    const char *reason;       /* of one that nobody proves; borrowed */
} dsp_run_claim;

typedef struct {
    dsp_statement *st;        /* NULL: no native segment */
    dsp_foreign   *f;         /* NULL: no segment of ezkl */
    dsp_digest     st_digest; /* of statement.bin's bytes */
    dsp_digest     model, model_id;
    uint32_t       n, n_proved;
    dsp_run_claim     *list;      /* native ones, then ezkl's, then unproved ones; each in the order of its statement */
} dsp_run_claims;

/* Both statements of a run folder or bundle; at least one is there. Whether they fit together is the question of dsp_foreign_check_run; until then a list
 * may name a segment twice or not at all. Fails: DSP_E_MISSING, DSP_E_FORMAT, DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_run_claims_load(dsp_run_claims *c, const char *dir, dsp_err *err);
/* Takes statements over and makes list and ids. */
DSP_MUST_USE dsp_status dsp_run_claims_make(dsp_run_claims *c, dsp_err *err);
void dsp_run_claims_release(dsp_run_claims *c);
/* DSP_E_FORMAT where the statements do not name each other: what prove and bundle ask of our own files. */
DSP_MUST_USE dsp_status dsp_run_claims_fit(const dsp_run_claims *c, const char *dir, dsp_err *err);

/* Segments and multiply-accumulates of those with done[i] (NULL: all that somebody proves), together and per backend where both are there. */
json_t *dsp_run_coverage(const dsp_run_claims *c, const bool *done);
/* Orders a report's rows by their member "segment". */
void dsp_rows_by_segment(json_t *rows);
/* Whether an insecure reference string is behind a proof of this run. */
bool dsp_run_insecure(const dsp_run_claims *c);
static inline const char *dsp_by_text(dsp_by by) { return by == DSP_BY_NATIVE ? "native" : by == DSP_BY_EZKL ? "ezkl" : "none"; }
/* "segment_<i>/proof.bin" or "segment_<i>/proof.json". */
static inline const char *dsp_proof_file(dsp_by by) { return by == DSP_BY_EZKL ? "proof.json" : "proof.bin"; }

#endif
