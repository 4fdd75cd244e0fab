/* What ezkl does in the step compile: circuits and keys of the segments that it is asked to prove. Internal to compile.c.
 *
 * Order: prepare (settings, scale, forecast, circuits, a real witness of each), then the native segments with the shared tensors pinned to the
 * scale, then keys (reference string, setup). Every stage is skipped when what it reads and what it wrote are those that metadata.json records,
 * and metadata.json is saved after every stage. A segment that ezkl refuses falls out, and is native's.
 */
#ifndef DSP_PIPELINE_COMPILE_EZKL_H
#define DSP_PIPELINE_COMPILE_EZKL_H

#include "pipeline/model.h"

typedef struct dsp_ezkl_part dsp_ezkl_part;

typedef struct {
    dsp_pipe               *p;
    const dsp_compile_args *a;
    const char             *dir, *meta_path;   /* slices folder and its metadata.json */
    json_t                 *meta;
    const dsp_slices       *slices;
    const dsp_graph        *g;
    const bool             *wanted;            /* per segment: ezkl is asked to prove it */
    dsp_digest              samples;           /* digest of samples and ranges */
    /* Plan and calibration, made on first use; borrowed. */
    dsp_status            (*calibrate)(void *arg, const dsp_plan **plan, const dsp_calibration **cal, dsp_ort **ort, dsp_err *err);
    void                   *arg;
} dsp_ezkl_part_args;

/* Opens ezkl. args are borrowed while the part lives, except the struct itself. DSP_E_UNAVAILABLE: no ezkl. */
DSP_MUST_USE dsp_status dsp_ezkl_part_create(dsp_ezkl_part **x, const dsp_ezkl_part_args *args, dsp_err *err);
void dsp_ezkl_part_free(dsp_ezkl_part *x);

/* Everything before keys. DSP_E_LIMIT: a forecast exceeds --max-memory; DSP_E_UNSUPPORTED: a segment is refused that may not be. */
DSP_MUST_USE dsp_status dsp_ezkl_part_prepare(dsp_ezkl_part *x, dsp_err *err);
/* Reference strings and keys. *again: another segment has fallen out, so that the native part has to be made again. DSP_E_UNAVAILABLE: no
 * reference string; DSP_E_IO: a child was killed. What was done is recorded and kept. */
DSP_MUST_USE dsp_status dsp_ezkl_part_keys(dsp_ezkl_part *x, bool *again, dsp_err *err);

bool dsp_ezkl_part_has(const dsp_ezkl_part *x, uint32_t segment);   /* ezkl proves it, as far as is known */
int  dsp_ezkl_part_scale(const dsp_ezkl_part *x);
/* Every tensor that its segments read or make. *pins is the caller's. */
DSP_MUST_USE dsp_status dsp_ezkl_part_pins(dsp_pin **pins, size_t *n, const dsp_ezkl_part *x, const dsp_plan *plan, dsp_err *err);
/* Shares of the whole step's work that are done when prepare is, and when keys begin. */
void dsp_ezkl_part_span(const dsp_ezkl_part *x, double span[2]);
/* Whether a stage of this segment ran now. */
bool dsp_ezkl_part_changed(const dsp_ezkl_part *x, uint32_t segment);

/* A compilation without ezkl: nothing of it is in force any more. Files stay, and what is recorded of them. */
void dsp_ezkl_part_forget(json_t *meta);
/* metadata.json's object of a segment's ezkl compilation; NULL where there is none. */
const json_t *dsp_ezkl_part_meta(const json_t *meta, uint32_t index);

/* ---- forecast (ezkl_forecast.c) ---- */
typedef struct {
    uint64_t rows, memory_bytes, pk_bytes, vk_bytes;
    unsigned logrows;
    double   setup_seconds, prove_seconds;
} dsp_ezkl_forecast;
/* From the settings file. lookups (may be NULL): the circuit looks values up, in ezkl's fixed range of 16 bits. */
DSP_MUST_USE dsp_status dsp_ezkl_forecast_make(dsp_ezkl_forecast *f, bool *lookups, const dsp_ezkl_circuit *c, const char *settings, dsp_err *err);
json_t *dsp_ezkl_forecast_json(const dsp_ezkl_forecast *f);

#endif
