/* The verifier (S11, S12): bytes in, verdict out. No files, no threads, no ONNX, no JSON. */
#ifndef DSP_VERIFIER_VERIFY_H
#define DSP_VERIFIER_VERIFY_H

#include "circuit/statement.h"
#include "claims/replay.h"

/* One slice proof under a trusted key. run_key and pub, roots come with st. skip is 0 outside of DSP_TEST_HOOKS builds.
 * DSP_OK means accepted; DSP_E_REJECTED: err names the check first ("V17 ..."); *check gets its number. */
DSP_MUST_USE dsp_status dsp_verify_slice(const dsp_derived *D, const dsp_slice_statement *st, const uint8_t *proof, size_t len,
                                         uint64_t skip, unsigned *check, dsp_err *err);

typedef struct {
    const uint8_t *key;   size_t key_len;     /* bytes of the slice key */
    const uint8_t *proof; size_t proof_len;   /* NULL: the claimed proof is missing (rejected) */
} dsp_slice_bytes;

typedef struct {
    unsigned   check;                         /* 0, or the check that spoke */
    uint32_t   slice;                         /* where, DSP_NONE for the run */
    uint64_t  *slice_ns;                      /* optional, n entries: time per slice; needs clock */
    uint64_t (*clock)(void);                  /* optional */
} dsp_verdict;

/* The whole run: rules R1 to R5, then every slice proof. slices[i] belongs to statement->slices[i].
 * The keys are those whose digests the statement lists; whether these are the model's is the caller's question (model id).
 * DSP_OK: accepted. DSP_E_REJECTED: a proof is missing, malformed or false, or a rule is broken. */
DSP_MUST_USE dsp_status dsp_verify_run(dsp_verdict *v, const dsp_statement *s, const dsp_slice_bytes *slices, uint64_t skip, dsp_err *err);

#endif
