/* The statement of a run about what ezkl proves in it: foreign.bin (docs/formats.md). With statement.bin, which speaks of the native proofs, it
 * is all that the verifier is told: which segments ezkl proves under which keys, and one table of every tensor that such a segment reads or
 * makes, as the integers that its proofs show. One table serves all segments, so neighbours agree when each proof agrees with the table.
 *
 * Canonical: segments ascend, tensors are numbered as the segments name them first (reads before what is made), integers have the least width.
 */
#ifndef DSP_PIPELINE_FOREIGN_H
#define DSP_PIPELINE_FOREIGN_H

#include "backends/ezkl.h"
#include "circuit/statement.h"
#include "onnx/graph.h"

enum { DSP_FOREIGN_MAX_SCALE = 62, DSP_FOREIGN_MAX_SEGMENTS = 1 << 16 };

typedef struct {
    const char    *name;                 /* as in keys and statements: dsp_lower_tensor_name */
    uint8_t        use;                  /* DSP_STMT_INPUT and DSP_STMT_OUTPUT of the whole model, or DSP_STMT_INNER */
    uint32_t       rank;
    int64_t        dims[DSP_MAX_RANK];   /* ONNX */
    uint32_t       count;                /* their product */
    const int64_t *cells;                /* ONNX order; real = integer / 2^scale */
} dsp_foreign_tensor;

typedef struct {
    uint32_t   index;
    uint64_t   macs;
    dsp_digest vk, settings;             /* SHA-256 of the files; settings as dsp_ezkl_settings_parse writes them again */
    uint32_t   logrows;
    bool       insecure;                 /* the keys were made with a reference string made locally, */
    dsp_digest srs;                      /* whose SHA-256 this is; zero otherwise */
    uint32_t   n_in, n_out;
    uint32_t  *in, *out;                 /* tensors of the table, in the order of the circuit's instances */
} dsp_foreign_segment;

typedef struct { uint32_t index; uint64_t macs; const char *reason; } dsp_foreign_unproved;

typedef struct dsp_foreign {
    dsp_digest            model;         /* SHA-256 of the ONNX file */
    dsp_digest            record;        /* of quantization.json; zero without native segments, */
    dsp_digest            statement;     /* of statement.bin; likewise */
    uint8_t               nonce[32];     /* of the run */
    uint32_t              scale;
    uint32_t              n_cuts, n_binds, n_inputs, n_outputs, n_segments, n_native, n_unproved, n_tensors;
    uint32_t             *cuts;          /* nodes where segments start; one fewer than there are segments */
    dsp_dim_bind         *binds;
    const char          **inputs, **outputs;   /* of the whole model, in its order; outputs that are constants are left out */
    dsp_foreign_segment  *segments;
    uint32_t             *native;        /* indices */
    dsp_foreign_unproved *unproved;
    dsp_foreign_tensor   *tensors;
    dsp_arena            *arena;
} dsp_foreign;

dsp_foreign *dsp_foreign_create(void);   /* empty, with its arena; NULL when memory is short */
void         dsp_foreign_free(dsp_foreign *f);
DSP_MUST_USE dsp_status dsp_foreign_write(dsp_buf *out, const dsp_foreign *f, dsp_err *err);
/* Reads hostile bytes; canonical encodings only. Memory until they are refused: below 64 MiB + 4 len. DSP_E_FORMAT, DSP_E_LIMIT, DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_foreign_read(dsp_foreign **f, const uint8_t *p, size_t len, dsp_err *err);

/* What --model-id pins: SHA-256 over cuts, bindings, scale, names of the model's inputs and outputs, every ezkl segment with its keys, settings and
 * tensors, and the model id of the native part (NULL: the model's own digest). Cells are not part of it. DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_foreign_model_id(dsp_digest *id, const dsp_foreign *f, const dsp_digest *native_id, dsp_err *err);
/* Index of a tensor; DSP_NONE. */
uint32_t dsp_foreign_tensor_find(const dsp_foreign *f, const char *name);

#endif
