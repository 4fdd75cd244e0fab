/* A proof system as a table of functions. What is above (slicing, runs, resume, scheduling, the chain) is written once
 * against this table; what is below is one proof system's business.
 *
 * A slice is one compiled segment, loaded from the bytes of its verification key. Its boundary tensors (dsp_io) are
 * integers in the layout and scale fixed at compile time.
 */
#ifndef DSP_BACKENDS_BACKEND_H
#define DSP_BACKENDS_BACKEND_H

#include "base/pool.h"
#include "circuit/statement.h"

/* A boundary tensor of a slice: read (made = false) or produced by it. pub: in the statement; otherwise committed. */
typedef struct {
    const char *name;
    bool        made, pub;
    uint32_t    dims[3];
    int64_t     lo, hi, scale_bits;
    uint64_t    count;           /* cells */
} dsp_io;

typedef struct dsp_slice {
    const struct dsp_backend *backend;
    dsp_digest digest;           /* of the key's bytes */
    uint32_t   n_io;
    dsp_io    *io;
    const dsp_derived *derived;  /* of a native slice, for predictions; NULL for foreign proof systems */
    void      *impl;
} dsp_slice;

typedef dsp_status dsp_ledger_fn(void *arg, const dsp_digest *context, const dsp_digest *roots, uint32_t n_roots, dsp_err *err);

typedef struct {
    const dsp_statement  *statement;
    const int64_t *const *cells;     /* per io: what the run recorded; NULL where it is only made (computed again) */
    const uint8_t        *secret;    /* 32 bytes, dsp_run_secret */
    dsp_pool             *pool;
    dsp_arena            *space;     /* working memory kept from proof to proof, or NULL */
    dsp_ledger_fn        *ledger;
    void                 *ledger_arg;
    uint64_t             *peak_bytes; /* or NULL: gets the most memory that the proof took at once, witness included; 0: not known */
} dsp_slice_prove;

typedef struct dsp_backend {
    const char *name;      /* "native" */
    const char *folder;    /* of its artifacts in a segment folder */
    const char *method;    /* of a witness in run_result.json */
    /* Bytes of the proving key, which a prover may have besides the verification key. */
    dsp_status (*proving_key)(dsp_buf *pk, const dsp_slice *s, const dsp_digest *run_key, dsp_err *err);
    /* Reads a key from hostile bytes. Fails: DSP_E_FORMAT, DSP_E_LIMIT, DSP_E_NOMEM. */
    dsp_status (*load)(dsp_slice **s, const uint8_t *vk, size_t len, dsp_err *err);
    void       (*free)(dsp_slice *s);
    /* Computes the made tensors from the read ones; cells: per io, memory of the caller. *saturated counts clamped cells.
     * DSP_E_RANGE for a read cell outside its range. */
    dsp_status (*execute)(const dsp_slice *s, int64_t *const *cells, uint64_t *saturated, dsp_pool *pool, dsp_err *err);
    /* Root of a committed boundary tensor. */
    dsp_status (*commit)(dsp_digest *root, const dsp_slice *s, uint32_t io, const int64_t *cells, const dsp_digest *run_key,
                         const uint8_t secret[32], dsp_pool *pool, dsp_err *err);
    /* Run key of slices in run order. */
    dsp_status (*run_key)(dsp_digest *out, const dsp_slice *const *s, uint32_t n, dsp_err *err);
    dsp_status (*prove)(dsp_buf *proof, const dsp_slice *s, const dsp_slice_prove *args, dsp_err *err);
    /* One proof under this key and the run's statement; DSP_E_REJECTED names the check first. */
    dsp_status (*verify)(const dsp_slice *s, const dsp_statement *st, const uint8_t *proof, size_t len, unsigned *check, dsp_err *err);
} dsp_backend;

/* By name; NULL: no such backend in this build. */
const dsp_backend *dsp_backend_find(const char *name);
const dsp_backend *dsp_backend_native(void);

#endif
