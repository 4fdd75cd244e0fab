/* What a run keeps per finished segment until it is complete, so that a killed run goes on from there: segment_<i>/outputs.bin (0600), removed
 * when the run is complete.
 *
 * A container of kind "outputs". Chunk 1: nonce, digest of the run's input, digest of the segment's key (ezkl: compiled circuit; else ONNX file), u8 0
 * for ONNX Runtime, 1 for the native prover, 2 for ezkl, digest of the tensors it read, u64 saturated cells, u64 nanoseconds. Chunk 2: u32 count; per output: text name, then u64
 * count and cells, or i32 dtype, u32 rank, rank x i64 dimensions, u64 bytes, data.
 */
#ifndef DSP_PIPELINE_CHECKPOINT_H
#define DSP_PIPELINE_CHECKPOINT_H

#include "pipeline/model.h"

typedef struct { const char *dir; const uint8_t *nonce; dsp_digest input; } dsp_checkpoint;

/* A run saves its state when this much time has gone by since it last did: a kill costs no more than that and the segment at work. */
uint64_t dsp_checkpoint_pace_ns(void);
/* Writes the outputs of a segment that has run in this pass. */
DSP_MUST_USE dsp_status dsp_checkpoint_write(const dsp_checkpoint *c, dsp_model *m, const dsp_seg *s, const dsp_store *st, dsp_err *err);
/* Puts them back into the store: *done says whether they were there, whole, and of this run, segment and inputs. A file that is
 * damaged or of something else counts as none. Fails where running the segment would. */
DSP_MUST_USE dsp_status dsp_checkpoint_restore(bool *done, const dsp_checkpoint *c, dsp_model *m, dsp_seg *s, dsp_store *st, dsp_err *err);
void dsp_checkpoint_remove(const dsp_checkpoint *c, uint32_t segment);

#endif
