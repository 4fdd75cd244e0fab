/* What makes an ezkl run, or a mixed one, a chain: the rules F1 to F10 (docs/protocol.md, S19). Bytes in, verdict out: no files, and
 * ezkl itself behind a function. The native part has rules of its own (verifier/verify.h); F7 is where the two meet.
 *
 * Everything that is looked at may have been written by someone who wants a false statement accepted.
 */
#ifndef DSP_PIPELINE_FOREIGN_CHECK_H
#define DSP_PIPELINE_FOREIGN_CHECK_H

#include "pipeline/foreign.h"
#include "quant/record.h"

enum {
    DSP_F1 = 1,   /* statement.bin, record, model and nonce are those that foreign.bin names; cuts and bindings are the record's */
    DSP_F2,       /* every segment is proved once or listed as not proved, and statement.bin says the same */
    DSP_F3,       /* key and settings are those that are listed */
    DSP_F4,       /* settings: public inputs and outputs, fixed parameters, the scale, the rows, the tensors' cells */
    DSP_F5,       /* a tensor has at most one producer, which stands before its readers; a model input has none */
    DSP_F6,       /* what nobody makes is a model input, what somebody makes is read or an output; inputs and outputs are those that are listed */
    DSP_F7,       /* a tensor that native segments share is public there, with the same use, scale, shape and integers */
    DSP_F8,       /* the proof is there and well formed: two equal forms, canonical instances, exactly as many as there are cells */
    DSP_F9,       /* its instances are the tensors' integers, inputs before outputs */
    DSP_F10       /* ezkl accepts it */
};

/* In statement.bin: the reason of a segment that ezkl proves. */
#define DSP_FOREIGN_REASON "proved by ezkl"

/* A boundary tensor of a native segment. */
typedef struct { uint32_t segment; const char *name; bool made, pub; } dsp_native_use;
/* Files of one ezkl segment. proof may be NULL: missing. */
typedef struct { const uint8_t *vk, *settings, *proof; size_t vk_len, settings_len, proof_len; } dsp_foreign_bytes;
/* ezkl's verdict about a proof that is well formed: DSP_OK, DSP_E_REJECTED, or why there is none (DSP_E_UNAVAILABLE). proof: as it was understood. */
typedef dsp_status dsp_foreign_verify(void *arg, uint32_t at, const uint8_t *proof, size_t len, dsp_err *err);

typedef struct {
    const dsp_foreign       *f;
    const dsp_statement     *st;          /* NULL: there is no statement.bin */
    dsp_digest               st_digest;   /* of its bytes */
    const dsp_record        *record;      /* NULL without st */
    const dsp_native_use    *uses;        /* of all native segments */
    size_t                   n_uses;
    const dsp_foreign_bytes *bytes;       /* per segment of f */
    const bool              *selected;    /* per segment of f; NULL: all. Proofs of the others are not looked at */
} dsp_foreign_run;

typedef struct {
    unsigned   check;                                /* 0, or the rule that spoke */
    uint32_t   at;                                   /* index into f->segments; DSP_NONE: the run */
    uint64_t  *ns;                                   /* optional, per segment: time; needs clock */
    uint64_t (*clock)(void);
    void      (*progress)(void *arg, uint32_t at);   /* optional: this proof was accepted */
    void      *progress_arg;
} dsp_foreign_verdict;

/* F1 to F7. skip: bit F of a rule that must not fail, in DSP_TEST_HOOKS builds; no effect in others. DSP_E_REJECTED messages start with the rule. */
DSP_MUST_USE dsp_status dsp_foreign_check_run(dsp_foreign_verdict *v, const dsp_foreign_run *r, uint64_t skip, dsp_err *err);
/* F8 to F10 of every selected segment, after F1 to F7. */
DSP_MUST_USE dsp_status dsp_foreign_check_proofs(dsp_foreign_verdict *v, const dsp_foreign_run *r, dsp_foreign_verify *verify, void *arg, uint64_t skip, dsp_err *err);

#endif
