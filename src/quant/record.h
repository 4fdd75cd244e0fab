/* The quantisation record, slices/quantization.json: the only thing that calibration leaves behind. Integers and digests only.
 * With the ONNX file it determines every key (architecture, "Determinism").
 */
#ifndef DSP_QUANT_RECORD_H
#define DSP_QUANT_RECORD_H

#include "base/bytes.h"
#include "onnx/slice.h"

/* How an ONNX tensor lies in (C, H, W): cell order is row-major over dims; axis[i] names the ONNX axis (after dropping
 * the batch axis of 1) that each of C, H, W runs over, several ONNX axes may merge into one. Defined by the lowering. */
typedef struct {
    uint32_t dims[3];
    uint32_t rank;
    int64_t  onnx_dims[DSP_MAX_RANK];
    uint8_t  perm[DSP_MAX_RANK];       /* cells in (C,H,W) order are the ONNX tensor transposed by perm; identity in most cases */
} dsp_layout;

typedef struct {
    const char *name;                  /* ONNX value */
    const char *program;               /* its name in keys and statements where that is another one; NULL: the same */
    int32_t     scale_bits;            /* real = integer / 2^scale_bits; may be negative */
    int64_t     lo, hi;                /* integers; hi - lo + 1 is a power of two for what is requantised */
    dsp_layout  layout;
    bool        pinned;                /* the scale was given, the range follows from the calibration: not those of the precision */
} dsp_qtensor;

typedef struct dsp_record {
    dsp_digest     model;
    uint32_t       precision;          /* bits */
    size_t         n_cuts;   uint32_t *cuts;
    size_t         n_binds;  dsp_dim_bind *binds;
    size_t         n_tensors; dsp_qtensor *tensors;  /* every quantised value of the whole graph, in order of production */
    dsp_digest     digest;             /* SHA-256 of the file's bytes */
    dsp_arena     *arena;
} dsp_record;

/* Canonical JSON bytes; the same record gives the same bytes. */
DSP_MUST_USE dsp_status dsp_record_write(dsp_buf *out, const dsp_record *r, dsp_err *err);
DSP_MUST_USE dsp_status dsp_record_read(dsp_record **r, const uint8_t *p, size_t len, dsp_err *err);
/* Sets digest from the bytes that dsp_record_write gives: after a change of fields. */
DSP_MUST_USE dsp_status dsp_record_seal(dsp_record *r, dsp_err *err);
dsp_record *dsp_record_create(void);
void        dsp_record_free(dsp_record *r);
/* By ONNX name or by the name in keys and statements (no name is both of two tensors). NULL: not in the record. */
const dsp_qtensor *dsp_record_find(const dsp_record *r, const char *name);

/* Float cells (ONNX order) -> integers (layout order): floor(x 2^s + 1/2). DSP_E_RANGE names tensor, value and range for a value
 * outside [lo, hi] or not finite. And back: integer / 2^scale_bits in ONNX order. */
DSP_MUST_USE dsp_status dsp_quantise(int64_t *out, const dsp_array *x, const dsp_qtensor *q, dsp_err *err);
void dsp_dequantise(float *out, const int64_t *cells, const dsp_qtensor *q);
/* As dsp_quantise, saturating: for a float that an unproved segment hands to a proved one. *clamped counts. */
DSP_MUST_USE dsp_status dsp_quantise_saturating(int64_t *out, uint64_t *clamped, const dsp_array *x, const dsp_qtensor *q, dsp_err *err);
/* Integers in layout order, (C, H, W), to ONNX order and back. from and to are different, of the layout's number of cells each. */
void dsp_cells_to_onnx(int64_t *to, const int64_t *from, const dsp_layout *l);
void dsp_cells_from_onnx(int64_t *to, const int64_t *from, const dsp_layout *l);

#endif
