/* What the readers of tensor files share: shapes, counts, and one number as a declared type. */
#ifndef DSP_PIPELINE_TENSOR_VALUES_H
#define DSP_PIPELINE_TENSOR_VALUES_H

#include "pipeline/tensor_file.h"

/* "1x3x32x32", "scalar". */
void dsp_dims_text(char *out, size_t cap, const int64_t *d, uint32_t rank);
/* The entries that are not 1; out may be d. How many there are. */
size_t dsp_dims_squeeze(int64_t *out, const int64_t *d, uint32_t rank);
/* Values that the declared shape holds. DSP_E_UNSUPPORTED for unknown dimensions and for types that tensor files cannot hold. */
DSP_MUST_USE dsp_status dsp_spec_count(size_t *count, const dsp_tensor_spec *spec, const char *what, dsp_err *err);
/* Whether a tensor of this shape can be the declared one: as many values, and flat or the same shape up to axes of 1. */
DSP_MUST_USE dsp_status dsp_spec_fits(const dsp_tensor_spec *spec, const int64_t *dims, uint32_t rank, const char *what, dsp_err *err);
/* An array of the declared type and shape, zero; data is *p too. The caller's. */
DSP_MUST_USE dsp_status dsp_spec_room(dsp_array *a, uint8_t **p, const dsp_tensor_spec *spec, const char *what, dsp_err *err);
/* Writes one number as type t; false when it does not fit or is not finite. */
bool dsp_value_put(uint8_t *p, int32_t t, const dsp_jnum *v);
DSP_MUST_USE dsp_status dsp_value_refused(const dsp_tensor_spec *spec, const dsp_jnum *v, const char *what, dsp_err *err);

/* The readers behind dsp_tensors_load; fd is borrowed. */
DSP_MUST_USE dsp_status dsp_tensors_read_json(dsp_array *out, const dsp_tensor_spec *spec, size_t n, int fd, const char *what, bool outputs, dsp_err *err);
DSP_MUST_USE dsp_status dsp_tensor_read_npy(dsp_array *out, const dsp_tensor_spec *spec, int fd, uint64_t len, const char *what, dsp_err *err);
DSP_MUST_USE dsp_status dsp_tensor_read_proto(dsp_array *out, const dsp_tensor_spec *spec, int fd, uint64_t len, const char *what, dsp_err *err);

#endif
