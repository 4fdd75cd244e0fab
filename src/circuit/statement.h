/* The statement of a run: what its proofs are about, in one binary file that the verifier reads (no JSON).
 *
 * It names the model and the quantisation record by digest, lists the slices with their keys by digest and the segments
 * that are not proved, holds every public tensor once and the root of every boundary.
 */
#ifndef DSP_CIRCUIT_STATEMENT_H
#define DSP_CIRCUIT_STATEMENT_H

#include "circuit/derive.h"
#include "transcript/transcript.h"

/* What one slice proof is about (S8.0). Pointers are borrowed. */
typedef struct {
    uint32_t              tile;      /* 0 */
    uint8_t               nonce[32];
    dsp_digest            run_key;
    const int64_t *const *pub;       /* per key tensor: cells of the pub ones, NULL otherwise */
    const dsp_digest     *root;      /* per tree but the last */
} dsp_slice_statement;

/* Absorbs messages 01 to 08 and returns S. */
dsp_digest dsp_statement_absorb(dsp_transcript *t, const dsp_key *key, const dsp_slice_statement *st);

typedef struct { const char *name; uint32_t index; dsp_digest key; uint64_t macs; } dsp_stmt_slice;     /* index: segment number */
typedef struct { const char *name, *reason; uint32_t index; uint64_t macs; } dsp_stmt_unproved;
enum { DSP_STMT_INPUT = 1, DSP_STMT_OUTPUT = 2, DSP_STMT_INNER = 4 };                                     /* of the whole model */
typedef struct { const char *name; uint8_t use; uint32_t dims[3]; int64_t scale_bits; const int64_t *cells; } dsp_stmt_pub;
typedef struct { const char *name; dsp_digest root; } dsp_stmt_edge;

typedef struct dsp_statement {
    dsp_digest         model, record;   /* SHA-256 of the ONNX file and of quantization.json */
    dsp_digest         model_id;        /* SHA-256(model || record || slice keys in run order) */
    dsp_digest         run_key;
    uint8_t            nonce[32];
    uint32_t           n_slices, n_unproved, n_pubs, n_edges;
    dsp_stmt_slice    *slices;          /* run order */
    dsp_stmt_unproved *unproved;
    dsp_stmt_pub      *pubs;
    dsp_stmt_edge     *edges;
    dsp_arena         *arena;
} dsp_statement;

dsp_statement *dsp_statement_create(void);      /* empty, with its arena; NULL when memory is short */
void           dsp_statement_free(dsp_statement *s);
dsp_digest     dsp_model_id(const dsp_digest *model, const dsp_digest *record, const dsp_digest *keys, size_t n);
/* Bytes: "DSPSTMT1", fields as in docs/formats.md, SHA-256 of all before at the end. */
DSP_MUST_USE dsp_status dsp_statement_write(dsp_buf *out, const dsp_statement *s, dsp_err *err);
/* Reads hostile bytes; canonical encodings only. Memory until they are refused: below 64 MiB + 4 len. */
DSP_MUST_USE dsp_status dsp_statement_read(dsp_statement **s, const uint8_t *p, size_t len, dsp_err *err);
/* The statement of one slice, taken from that of the run. pub and root arrays come from the arena; DSP_E_FORMAT when the run
 * statement lacks a name that the key uses. */
DSP_MUST_USE dsp_status dsp_statement_slice(dsp_slice_statement *out, dsp_arena *a, const dsp_statement *s,
                                            const dsp_derived *D, dsp_err *err);

#endif
