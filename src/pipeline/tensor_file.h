/* The one reader of tensor files: input data, expected outputs, labelled sets.
 *
 * Accepted: .npy, TensorProto, and JSON: a bare array, or an object with input_data | input | data | inputs (output_data | outputs for outputs). The value is a flat list, one
 * flat list per tensor, nested arrays of the declared shape with or without leading axes of 1, a list of
 * {name, data[, shape]}, or an object keyed by name. Counts must match exactly. Anyone may have written these bytes.
 */
#ifndef DSP_PIPELINE_TENSOR_FILE_H
#define DSP_PIPELINE_TENSOR_FILE_H

#include "onnx/graph.h"

/* A JSON document whose arrays of numbers are stored flat (labelled sets). */
typedef struct dsp_jdoc dsp_jdoc;
typedef struct dsp_jnode dsp_jnode;
enum { DSP_J_NULL, DSP_J_NUMBER, DSP_J_STRING, DSP_J_NUMBERS, DSP_J_ARRAY, DSP_J_OBJECT };
typedef struct { double d; int64_t i; bool exact; } dsp_jnum;   /* exact: i holds the value */
struct dsp_jnode {
    uint8_t     kind;
    size_t      count;         /* items of an array or object, numbers of a list */
    dsp_jnum   *num;           /* NUMBER: one; NUMBERS: count */
    dsp_jnode **item;          /* ARRAY, OBJECT */
    const char **key;          /* OBJECT */
    const char *text;          /* STRING */
};
/* One NUL follows the len bytes. Fails with DSP_E_FORMAT (line and column; also for nesting beyond 32). Booleans count as
 * numbers 0 and 1. */
DSP_MUST_USE dsp_status dsp_jdoc_read(dsp_jdoc **doc, const uint8_t *p, size_t len, const char *what, dsp_err *err);
DSP_MUST_USE dsp_status dsp_jdoc_load(dsp_jdoc **doc, const char *path, dsp_err *err);
void             dsp_jdoc_free(dsp_jdoc *doc);
const dsp_jnode *dsp_jdoc_root(const dsp_jdoc *doc);
const dsp_jnode *dsp_jnode_get(const dsp_jnode *o, const char *key);   /* NULL: absent or not an object */

/* What a tensor must look like. */
typedef struct { const char *name; int32_t dtype; uint32_t rank; int64_t dims[DSP_MAX_RANK]; } dsp_tensor_spec;

/* Reads n tensors; out[i].data is the caller's (dsp_array_release), none on failure. JSON (pipeline/tensor_stream.c), a .npy file, or a file
 * NAME.pb with an ONNX TensorProto; the last two hold one tensor. outputs: the keys output_data and outputs are looked for first. Memory: the
 * tensors, and for a TensorProto its bytes. Fails with DSP_E_FORMAT, saying what was expected and found. */
DSP_MUST_USE dsp_status dsp_tensors_load(dsp_array *out, const dsp_tensor_spec *spec, size_t n, const char *path, bool outputs, dsp_err *err);

/* SHA-256 over dtype, dims and data of arrays: what a run was made from. */
dsp_digest dsp_arrays_digest(const dsp_array *a, size_t n);
size_t     dsp_dtype_size(int32_t dtype);      /* 0: not a dense numeric type of ours */
const char *dsp_dtype_text(int32_t dtype);     /* "float32", ... */

#endif
