/* ONNX models with every default attribute written out, for readers that do not know the defaults. */
#ifndef DSP_ONNX_EXPLICIT_H
#define DSP_ONNX_EXPLICIT_H

#include "dsperse/status.h"

/* A copy of the model p[0..len) in which Conv, ConvTranspose, MaxPool, AveragePool, LpPool, Gemm, BatchNormalization, LeakyRelu, Elu and Flatten carry each
 * attribute that they leave to its default: strides, dilations, pads (unless auto_pad decides), group, kernel_shape of a weight that is an
 * initializer, and their numbers. Subgraphs and functions stay as they are; so does what cannot be known (a window without any shape).
 * *out is the caller's (dsp_free). Fails: DSP_E_FORMAT, DSP_E_LIMIT, DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_onnx_explicit(uint8_t **out, size_t *out_len, const uint8_t *p, size_t len, dsp_err *err);

#endif
