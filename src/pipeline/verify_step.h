/* The step verify, in parts: verify.c (order of the checks), verify_model.c and verify_model_ezkl.c (--model), verify_values.c (--expect-*),
 * verify_report.c. Internal to these.
 */
#ifndef DSP_PIPELINE_VERIFY_STEP_H
#define DSP_PIPELINE_VERIFY_STEP_H

#include "pipeline/ezkl_judge.h"
#include "pipeline/paths.h"
#include "pipeline/runclaims.h"
#include "pipeline/runfiles.h"
#include "verifier/verify.h"

/* A public tensor of either statement, and how its integers are shown. */
typedef struct {
    const dsp_stmt_pub *pub;
    dsp_qtensor         as;
    bool                known;     /* as is what it means; false: the record has no layout for it */
} dsp_shown;

typedef struct {
    dsp_pipe              *p;
    const dsp_verify_args *a;
    dsp_run_place          place;
    dsp_run_claims         claims;
    dsp_statement         *st;         /* of claims; NULL: only ezkl */
    dsp_foreign           *f;          /* of claims; NULL: only native */
    dsp_record            *record;     /* NULL without st */
    dsp_slice_bytes       *in;         /* per native slice */
    dsp_foreign_bytes     *foreign;    /* per segment of f */
    dsp_native_use        *uses;       /* boundary tensors of the native slices; names in their keys */
    size_t                 n_uses;
    dsp_slice            **slices;
    uint64_t              *ns, *foreign_ns;
    bool                  *selected, *foreign_selected;   /* NULL: all */
    const char           **reason;     /* per segment: why the model leaves it unproved, where that was asked */
    bool                   macs_checked;
    dsp_shown             *shown;      /* inputs, outputs, then inner tensors; inputs and outputs in the model's order */
    uint32_t               n_shown;
    dsp_arena             *arena;
    dsp_verdict            verdict;
    dsp_foreign_verdict    foreign_verdict;
    uint32_t               n_accepted;
    json_t                *r;
} dsp_verifier;

/* Whether claim i is among what was asked for. */
static inline bool dsp_wanted(const dsp_verifier *v, uint32_t i)
{
    const dsp_run_claim *c = &v->claims.list[i];
    return c->by == DSP_BY_NATIVE ? !v->selected || v->selected[c->at] : c->by == DSP_BY_EZKL && (!v->foreign_selected || v->foreign_selected[c->at]);
}

/* Native keys derived from the model file and the record (verify_model.c). */
DSP_MUST_USE dsp_status dsp_verify_model(dsp_verifier *v, dsp_err *err);
/* Wiring, settings and keys of ezkl's segments derived from the model file (verify_model_ezkl.c). DSP_E_UNAVAILABLE: cannot be done here. */
DSP_MUST_USE dsp_status dsp_verify_model_ezkl(dsp_verifier *v, dsp_err *err);
/* The public tensors of both statements, once each. */
DSP_MUST_USE dsp_status dsp_verify_show(dsp_verifier *v, dsp_err *err);
/* Public tensors of one use (DSP_STMT_INPUT, DSP_STMT_OUTPUT) against a tensor file. */
DSP_MUST_USE dsp_status dsp_verify_expect(dsp_verifier *v, const char *path, int use, dsp_err *err);

void dsp_verify_report_statement(dsp_verifier *v);
void dsp_verify_report_verdict(dsp_verifier *v, dsp_status s, const dsp_err *err, const json_t *result);
/* The run's own file gets the verdict too. */
typedef struct { dsp_verifier *v; dsp_status verdict; } dsp_verdict_arg;
void dsp_verify_put_verdict(void *arg, json_t *result);

#endif
