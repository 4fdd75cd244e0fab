/* The JSON that slicing leaves behind. Key order, and with it every byte, follows from graph and plan. */
#ifndef DSP_ONNX_META_H
#define DSP_ONNX_META_H

#include <jansson.h>

#include "onnx/slice.h"

enum { DSP_SLICES_FORMAT = 1 };

/* Contents of slices/metadata.json and of analysis/model_metadata.json. model: the model's path as written there. NULL: no memory. */
json_t *dsp_meta_slices(const dsp_plan *p, const char *model);
json_t *dsp_meta_analysis(const dsp_graph *g, const dsp_plan *p, const char *model);

/* The path that leads from folder `dir` to the file `to`, both of which exist: "../model.onnx". The caller's; NULL on failure. */
char *dsp_path_relative(const char *dir, const char *to);

#endif
