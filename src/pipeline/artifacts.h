/* Binary files of a compilation and of a run, all in the container of format/container.h.
 *
 * boundary  chunk 1: run key, nonce, text name, 3 u32 dims; chunk 2: cells. Private to the run (mode 0600).
 * witness   chunk 1: key digest, run key, nonce; chunk 2: u32 count, per boundary tensor of the slice: text name, u8 public, u8 made,
 *           u32 place (boundary number, or index among the statement's public tensors), SHA-256 of the cells as i64. From these
 *           the prover computes the witness again; a number of digests is all that is stored.
 * circuit   chunk 1: key digest, model digest, record digest, u32 segment; chunk 2: u32 count, per boundary tensor: text name,
 *           u8 public, u8 made, 3 u32 dims, i64 lo, hi, scale, u32 rank, rank x i64 ONNX dims, rank x u8 permutation.
 */
#ifndef DSP_PIPELINE_ARTIFACTS_H
#define DSP_PIPELINE_ARTIFACTS_H

#include "backends/backend.h"
#include "quant/record.h"

enum { DSP_FILE_MAX = 1 << 30 };

DSP_MUST_USE dsp_status dsp_boundary_write(const char *path, const char *name, const uint32_t dims[3], const int64_t *cells,
                                           const dsp_statement *st, dsp_err *err);
/* Reads a boundary of this run. cells: dims[0] dims[1] dims[2] entries of the caller. Refuses another name, shape or run. */
DSP_MUST_USE dsp_status dsp_boundary_read(int64_t *cells, const char *path, const char *name, const uint32_t dims[3],
                                          const dsp_statement *st, dsp_err *err);

typedef struct { uint32_t place; dsp_digest digest; } dsp_witness_row;   /* one per io of the slice */
DSP_MUST_USE dsp_status dsp_witness_write(const char *path, const dsp_slice *s, const dsp_witness_row *rows, const dsp_statement *st, dsp_err *err);
DSP_MUST_USE dsp_status dsp_witness_read(dsp_witness_row *rows, const char *path, const dsp_slice *s, const dsp_statement *st, dsp_err *err);

/* The bytes of a circuit file. */
DSP_MUST_USE dsp_status dsp_circuit_write(dsp_buf *out, const dsp_slice *s, uint32_t segment, const dsp_record *r, dsp_err *err);

/* Index of a name among the statement's edges or public tensors; DSP_NONE. */
uint32_t dsp_statement_edge(const dsp_statement *st, const char *name);
uint32_t dsp_statement_pub(const dsp_statement *st, const char *name);

/* The ledger of a run (protocol S12): one record per proof made, on disk before an opened column leaves the process.
 * File: "DSPLEDG1", SHA-256 of the secret, then records of u32 segment, u32 tile, context digest, digest of the roots, and the first 8 bytes of the
 * SHA-256 of the record. A torn record at the end (nothing had left yet) is dropped. */
typedef struct {
    const char *path;
    dsp_digest  secret;     /* SHA-256 of the run secret */
    uint32_t    segment, tile;
} dsp_ledger;
/* A dsp_ledger_fn: arg is a dsp_ledger. DSP_E_REJECTED is never returned; a second, different record is DSP_E_ARG. */
dsp_status dsp_ledger_record(void *arg, const dsp_digest *context, const dsp_digest *roots, uint32_t n_roots, dsp_err *err);

#endif
