/* Slicing (specification section 3): cuts before every parametric node, segments as a DAG over named tensors, their ONNX
 * files and metadata.
 */
#ifndef DSP_ONNX_SLICE_H
#define DSP_ONNX_SLICE_H

#include "onnx/ort.h"

typedef struct {
    uint32_t  index, first, last;      /* nodes [first, last) */
    uint32_t  n_in, n_out;
    uint32_t *in, *out;                /* values read from outside / read outside or graph outputs; ordered as in spec 3.3 (R) */
    uint64_t  params, macs;
    char     *path;                    /* relative to the slices folder: segment_<i>/segment_<i>.onnx */
    dsp_digest sha256;                 /* of that file; set once written or loaded */
} dsp_segment_plan;

typedef struct {
    const dsp_graph  *g;               /* borrowed */
    uint32_t          n_segments;
    dsp_segment_plan *segments;
    dsp_arena        *arena;
} dsp_plan;

/* cuts: node indices where segments start, strictly increasing, without 0 (NULL, 0: the default cut set of spec 3.1 R). */
DSP_MUST_USE dsp_status dsp_plan_make(dsp_plan **p, const dsp_graph *g, const uint32_t *cuts, size_t n_cuts, bool default_cuts, dsp_err *err);
void dsp_plan_free(dsp_plan *p);

/* Writes segment files and metadata.json into dir (created). Files of segment_* that an earlier slicing left and this one does not
 * write are removed when its metadata lists them; anything else there is refused without force. Leaves no partial files. */
DSP_MUST_USE dsp_status dsp_plan_write(dsp_plan *p, const char *dir, const char *model_path, bool force, dsp_err *err);
/* The bytes of one segment's ONNX model (deterministic). *data is the caller's. */
DSP_MUST_USE dsp_status dsp_segment_bytes(uint8_t **data, size_t *len, const dsp_plan *p, uint32_t segment, dsp_err *err);

/* Writes analysis/model_metadata.json (spec 2.2). */
DSP_MUST_USE dsp_status dsp_analysis_write(const dsp_graph *g, const dsp_plan *p, const char *path, dsp_err *err);

/* What slices/metadata.json says, enough to load the model again and rebuild the same plan. */
typedef struct {
    char       *model_path;            /* resolved */
    dsp_digest  model_digest;
    uint32_t   *cuts; size_t n_cuts;
    dsp_dim_bind *binds; size_t n_binds;
    uint32_t    n_segments;
    dsp_digest *segment_digest;
    char      **segment_path;          /* resolved */
    dsp_arena  *arena;
} dsp_slices;
/* dir: a slices folder. DSP_E_MISSING without metadata.json; DSP_E_FORMAT when it is malformed or unsafe. */
DSP_MUST_USE dsp_status dsp_slices_load(dsp_slices **s, const char *dir, dsp_err *err);
void dsp_slices_free(dsp_slices *s);

#endif
