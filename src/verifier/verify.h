/* The verifier (S11, S12): bytes in, verdict out. No files, no threads, no ONNX, no JSON.
 *
 * Checks and where they live: V1 dsp_derive and dsp_key_check; V2 to V4, V15 to V23 verify.c; V5, V12 the replay; V6 to V11, V13, V14, V24 are
 * linear constraints that the replay collects and V20 settles. R1 to R5 run.c.
 * Soundness (docs/protocol.md): a query term of 2^-100 per squeeze, (T + S m) 2^-100 + 4.5 T^2 / 2^256 for T hash evaluations
 * over a run of S slices with m squeezes each; classical random-oracle model. Only DSP_OK ever means accepted.
 */
#ifndef DSP_VERIFIER_VERIFY_H
#define DSP_VERIFIER_VERIFY_H

#include "circuit/statement.h"
#include "claims/replay.h"

/* One slice proof under a trusted key: D comes from dsp_derive and has passed dsp_key_check (V1). run_key and pub, roots come with st.
 * skip: bit V of a check that must not fail, in DSP_TEST_HOOKS builds; it has no effect in others. check may be NULL.
 * DSP_OK means accepted; DSP_E_REJECTED: err names the check first ("V17 ..."); *check gets its number. */
DSP_MUST_USE dsp_status dsp_verify_slice(const dsp_derived *D, const dsp_slice_statement *st, const uint8_t *proof, size_t len,
                                         uint64_t skip, unsigned *check, dsp_err *err);

#ifdef DSP_TEST_HOOKS
/* What tests may change or see: forced coins, claims dropped, the transcript's log (from the first root on), and the state
 * after the last constraint, borrowed for the call. Members may be zero. */
typedef struct {
    const dsp_forced_coin *forced;
    const dsp_label       *drop;
    uint32_t               n_drop;
    void (*log)(void *arg, uint16_t id, const dsp_digest *d);
    void (*replayed)(void *arg, const dsp_replay *r);
    void  *arg;
} dsp_verify_hooks;
DSP_MUST_USE dsp_status dsp_verify_slice_hooked(const dsp_derived *D, const dsp_slice_statement *st, const uint8_t *proof, size_t len,
                                                uint64_t skip, const dsp_verify_hooks *hooks, unsigned *check, dsp_err *err);
#endif

typedef struct {
    const uint8_t *key;   size_t key_len;     /* bytes of the slice key */
    const uint8_t *proof; size_t proof_len;   /* NULL: the claimed proof is missing (rejected) */
} dsp_slice_bytes;

typedef struct {
    unsigned   check;                         /* 0, or the check that spoke */
    uint32_t   slice;                         /* where, DSP_NONE for the run */
    uint64_t  *slice_ns;                      /* optional, n entries: time per slice; needs clock */
    uint64_t (*clock)(void);                  /* optional */
    const bool *selected;                     /* optional, n entries: proofs of the others are not read and may be missing */
    void      (*progress)(void *arg, uint32_t slice);  /* optional: the proof of this slice was accepted */
    void       *progress_arg;
} dsp_verdict;

/* The whole run: rules R1 to R5, then every slice proof. slices[i] belongs to statement->slices[i].
 * The keys are those whose digests the statement lists; whether these are the model's is the caller's question (model id).
 * Rules beyond S12: segments, proved and not, are numbered from 0 without gaps. At most one slice makes a public tensor, before its users;
 * one that no slice makes is a model input unless segments without proof are listed, one that a slice makes is an output of
 * the model then; a model input is made by none.
 * With v->selected a yes is about these slices alone: all keys and the run's rules were checked, the chain was not.
 * DSP_E_REJECTED messages start with the check and end with the slice they are about.
 * DSP_OK: accepted. DSP_E_REJECTED: a proof is missing, malformed or false, or a rule is broken. */
DSP_MUST_USE dsp_status dsp_verify_run(dsp_verdict *v, const dsp_statement *s, const dsp_slice_bytes *slices, uint64_t skip, dsp_err *err);

#endif
