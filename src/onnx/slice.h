/* Slicing: cuts before every parametric node, segments as a DAG over named tensors, their ONNX
 * files and metadata.
 */
#ifndef DSP_ONNX_SLICE_H
#define DSP_ONNX_SLICE_H

#include "onnx/ort.h"

typedef struct {
    uint32_t  index, first, last;      /* nodes [first, last) */
    uint32_t  n_in, n_out;
    uint32_t *in, *out;                /* values read from outside / read outside or graph outputs; by first use / by production */
    uint64_t  params, macs;
    uint64_t  memory_bytes;            /* of its weights and of every tensor it reads or makes, in the model's own types; shapes that
                                          depend on data count nothing */
    uint32_t  n_data;                  /* files of shared weights beside the segment; with data_digest set once written */
    char    **data;                    /* relative to the slices folder: segment_<i>/weights_<k>.bin */
    dsp_digest data_digest;            /* SHA-256 of the segment file and of the external data after it, by initializer */
    char     *path;                    /* relative to the slices folder: segment_<i>/segment_<i>.onnx */
    dsp_digest sha256;                 /* of that file; set once written or loaded */
} dsp_segment_plan;

/* What a group of neighbouring segments may add up to; 0: no limit. */
typedef struct { uint64_t max_params, max_macs, max_memory_bytes; } dsp_plan_limits;

typedef struct {
    const dsp_graph  *g;               /* borrowed */
    uint32_t          n_segments;
    dsp_segment_plan *segments;
    bool              default_cuts;    /* where it was not cut by hand */
    dsp_plan_limits   limits;          /* of dsp_plan_group */
    dsp_arena        *arena;
} dsp_plan;

/* cuts: node indices where segments start, strictly increasing, without 0 (NULL, 0: before every node with weights of its own, less the cuts that
 * a value without a tensor type or of unknown rank crosses). A value that crosses a cut may have dimensions that depend on data; its
 * dims are -1, and the segments that read or make it cannot be proved. A cut given here may cross a value of unknown rank too; the segment files
 * then have no shape for it, which ONNX Runtime takes and ONNX's checker does not. Fails: DSP_E_ARG (order or range of a cut, a segment of constants
 * only), DSP_E_UNSUPPORTED (something else than a tensor crosses a cut or leaves the graph), DSP_E_LIMIT, DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_plan_make(dsp_plan **p, const dsp_graph *g, const uint32_t *cuts, size_t n_cuts, bool default_cuts, dsp_err *err);
void dsp_plan_free(dsp_plan *p);
/* Puts neighbouring segments of *p together, from the first node on, each group as long as it stays within every limit; a segment that
 * exceeds one alone stays as it is. Weights that several members read count once. *p is replaced; left as it was on failure. */
DSP_MUST_USE dsp_status dsp_plan_group(dsp_plan **p, const dsp_plan_limits *limits, dsp_err *err);

/* Writes segment files and metadata.json into dir (created). Where a model has at least 16 MiB of external data, tensors of 1 KiB or more stay
 * outside the segment files too: each data file they need appears in the segment's folder as weights_<k>.bin, as a clone of the original where
 * the file system can make one, else as a hard link, else as a copy of the bytes that the segment reads. Files of segment_* that an earlier slicing left and this one does not
 * write are removed when its metadata lists them; anything else there is refused without force. Leaves no partial files. */
DSP_MUST_USE dsp_status dsp_plan_write(dsp_plan *p, const char *dir, const char *model_path, bool force, dsp_err *err);
/* The bytes of one segment's ONNX model (deterministic), to be loaded with g->dir as folder for external data. *data is the caller's. */
DSP_MUST_USE dsp_status dsp_segment_bytes(uint8_t **data, size_t *len, const dsp_plan *p, uint32_t segment, dsp_err *err);

/* Writes analysis/model_metadata.json. */
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
    bool       *has_data;              /* per segment: weights are beside the file, and data_digest covers both */
    dsp_digest *data_digest;
    dsp_arena  *arena;
} dsp_slices;
/* dir: a slices folder. DSP_E_MISSING without metadata.json; DSP_E_FORMAT when it is malformed or unsafe. */
DSP_MUST_USE dsp_status dsp_slices_load(dsp_slices **s, const char *dir, dsp_err *err);
void dsp_slices_free(dsp_slices *s);
/* Whether the weights beside a segment's file are those that were sliced; the file itself is the caller's to check. DSP_E_FORMAT. */
DSP_MUST_USE dsp_status dsp_slices_check_data(const dsp_slices *s, uint32_t segment, dsp_err *err);

#endif
