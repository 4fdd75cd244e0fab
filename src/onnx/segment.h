/* What one segment's file holds, and its bytes. */
#ifndef DSP_ONNX_SEGMENT_H
#define DSP_ONNX_SEGMENT_H

#include "onnx/internal.h"
#include "onnx/slice.h"

/* Nodes in file order: constant nodes copied from before the segment, then its own (less those that only ask for the shape of a tensor
 * that is not there). constants: initializers, and values known beforehand that stand in for nodes left out; by first use. */
typedef struct {
    uint32_t  n_nodes, n_constants;
    uint32_t *nodes, *constants;
    uint32_t  n_annotations;          /* quantisation annotations of its values, whose parameters are among the constants */
    const Onnx__TensorAnnotation **annotations;
    dsp_arena *arena;
} dsp_closure;
DSP_MUST_USE dsp_status dsp_closure_find(dsp_closure *c, const dsp_plan *p, uint32_t segment, dsp_err *err);
void dsp_closure_free(dsp_closure *c);

/* As dsp_segment_bytes, with large external data where mode says. */
DSP_MUST_USE dsp_status dsp_segment_pack(uint8_t **data, size_t *len, const dsp_plan *p, uint32_t segment, dsp_data_mode mode, dsp_err *err);

/* Params, macs and memory_bytes of every segment. */
DSP_MUST_USE dsp_status dsp_plan_weigh(dsp_plan *p, dsp_err *err);

/* Puts the data files of a segment beside it, in folder dir/segment_<i>, and notes their names and the digest; file: the segment file's
 * bytes. Removes weights_*.bin that it does not need. */
DSP_MUST_USE dsp_status dsp_share_write(dsp_plan *p, uint32_t segment, const char *dir, const uint8_t *file, size_t len, dsp_err *err);

/* Elements of v that count as parameters: float and 8-bit initializers, Constant nodes with several elements. */
uint64_t dsp_value_params(const dsp_graph *g, uint32_t v);

#endif
