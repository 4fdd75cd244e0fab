/* A sliced and compiled model as `run` needs it: graph, segments, keys, record, and the store of tensors that flow between
 * segments. Values are named tensors; a value may be known as integers (in its boundary's layout and scale) and as floats.
 */
#ifndef DSP_PIPELINE_MODEL_H
#define DSP_PIPELINE_MODEL_H

#include "pipeline/artifacts.h"
#include "pipeline/foreign.h"
#include "pipeline/json.h"
#include "pipeline/pipeline.h"
#include "pipeline/tensor_file.h"

/* What a segment needs that ezkl proves. */
typedef struct {
    char            *compiled, *pk;            /* paths */
    dsp_digest       compiled_digest, pk_digest, vk_digest, settings_digest;   /* of the first two as metadata.json has them */
    uint8_t         *vk;  size_t vk_len;
    dsp_buf          settings;                 /* in their one spelling */
    dsp_ezkl_circuit circuit;
    bool             insecure;
    dsp_digest       srs;                      /* zero unless insecure */
} dsp_seg_ezkl;

typedef struct {
    uint32_t     index;
    char         name[24];          /* "segment_<i>" */
    dsp_slice   *slice;             /* NULL: not compiled for the native prover */
    dsp_seg_ezkl *ezkl;             /* NULL: not compiled for ezkl; at most one of the two is there */
    uint8_t     *vk;  size_t vk_len;
    uint32_t    *io_value;          /* per io of the slice: graph value */
    const char  *reason;            /* of an unproved one; borrowed from meta */
    uint64_t     macs, params;
    uint32_t     n_in, n_out;
    uint32_t    *in, *out;          /* graph values that cross its bounds, in the order of metadata.json */
    dsp_session *session;           /* of an unproved one, made on first use */
    /* of the last pass */
    double       seconds;
    uint64_t     saturated;
    bool         restored;          /* its outputs were on disk already */
    bool         fell_back;         /* ezkl could not do it: ONNX Runtime did, and it is unproved in this run */
    double       ezkl_seconds;      /* of the attempt */
    char         fall_error[480];   /* why, for the run's results */
} dsp_seg;

typedef struct {
    char       *slices_dir, *model_dir;
    json_t     *meta;               /* slices/metadata.json */
    dsp_slices *slices;
    dsp_graph  *g;                  /* as loaded; the types of values that cross cuts come from metadata.json */
    dsp_record *record;             /* NULL: nothing is compiled */
    uint8_t    *record_bytes; size_t record_len;
    uint32_t    n, n_proved;        /* n_proved: by the native prover */
    uint32_t    n_ezkl, scale;      /* segments of ezkl, and the scale of all that they read and make */
    dsp_digest  claim_id;           /* what --model-id pins: model_id, with segments of ezkl that of the foreign statement; zero without either */
    dsp_seg    *segs;
    dsp_arena  *arena;
    dsp_digest  run_key, model_id;  /* zero without compiled segments */
} dsp_model;

/* Loads slices, model file and, where compiled, keys and record; every digest that metadata.json states is checked.
 * Fails: DSP_E_MISSING, DSP_E_FORMAT (a digest differs: the message says what to do). */
DSP_MUST_USE dsp_status dsp_model_load(dsp_model **m, const char *slices, dsp_err *err);
void dsp_model_free(dsp_model *m);
/* metadata.json's object of a segment's native compilation; NULL where there is none. */
json_t *dsp_meta_segment(json_t *meta, uint32_t index);

/* Whether a segment is ezkl's in this run. */
static inline bool dsp_seg_by_ezkl(const dsp_seg *s) { return s->ezkl && !s->fell_back; }
/* Why a segment is not proved, as statements say it. */
static inline const char *dsp_seg_reason(const dsp_seg *s) { return s->fell_back ? "ezkl made no witness of it" : s->reason && *s->reason ? s->reason : "not compiled"; }
/* The segment's circuit as metadata.json describes it; nothing where its status is another than "compiled". (model_ezkl.c) */
DSP_MUST_USE dsp_status dsp_seg_ezkl_load(dsp_model *m, dsp_seg *s, dsp_err *err);
void dsp_seg_ezkl_free(dsp_seg_ezkl *e);
/* What the foreign statement of a run says before there are values: no cells, no nonce, no statement digest. Segments that fell back are unproved.
 * Names are borrowed from the model. */
DSP_MUST_USE dsp_status dsp_foreign_of_model(dsp_foreign **f, const dsp_model *m, dsp_err *err);

/* The graph's inputs from a tensor file: n_inputs arrays, the caller's. */
DSP_MUST_USE dsp_status dsp_model_inputs_load(dsp_array **in, const dsp_graph *g, const char *path, dsp_err *err);
void dsp_model_inputs_free(dsp_array *in, const dsp_graph *g);

/* The graph value that a slice's boundary tensor stands for; DSP_NONE. arena: scratch. */
uint32_t dsp_io_value(const dsp_graph *g, const uint32_t *in, uint32_t n_in, const uint32_t *out, uint32_t n_out, const char *io, dsp_arena *a);

/* ---- values of one pass ---- */
typedef struct {
    int64_t     *cells;             /* boundary layout; NULL unless known as integers */
    const dsp_io *io;               /* whose layout and scale these are */
    int64_t     *ints;              /* ONNX order at the scale of ezkl's segments; NULL unless known so */
    uint64_t     n_ints;
    dsp_array    f;                 /* floats (or integers of unproved segments), ONNX order; data NULL unless known */
    bool         owned;             /* f.data belongs to the store */
    uint64_t     clamped;           /* cells that were quantised out of range */
} dsp_val;
typedef struct { dsp_val *v; uint32_t n; } dsp_store;   /* per graph value */

DSP_MUST_USE dsp_status dsp_store_init(dsp_store *st, const dsp_model *m, dsp_err *err);
void dsp_store_release(dsp_store *st);   /* wipes */

/* One pass over all segments in order. inputs: n_inputs arrays, borrowed while the
 * store lives. saturate: quantise
 * model inputs that are out of range to the nearest value instead of refusing them. restore(arg, segment, &done) may put outputs of an
 * earlier pass into the store, and the segment is not run then; after(arg, segment) is called after each. Both may be NULL. */
typedef struct {
    bool         saturate, no_fallback;
    bool         keep_sessions;           /* of ONNX Runtime, for the next pass; else each goes with its segment */
    /* Runs a segment of ezkl; NULL: all of them run in ONNX Runtime, as after a failure. DSP_OK with s->fell_back: it could not. */
    dsp_status (*ezkl)(void *arg, dsp_seg *s, dsp_err *err);
    dsp_status (*restore)(void *arg, dsp_seg *s, bool *done, dsp_err *err);
    dsp_status (*after)(void *arg, dsp_seg *s, dsp_err *err);
    void        *arg;
} dsp_pass_opts;
DSP_MUST_USE dsp_status dsp_model_pass(dsp_model *m, dsp_store *st, dsp_pipe *p, const dsp_array *inputs, const dsp_pass_opts *o, dsp_err *err);
/* The integers of a value that a slice reads: those its producer left, or a float quantised once. */
DSP_MUST_USE dsp_status dsp_store_need_cells(dsp_model *m, dsp_store *st, uint32_t value, const dsp_io *io, bool saturate, dsp_err *err);
/* The integers of a value that ezkl reads, in ONNX order: those its producer left, or a float quantised once, half up. */
DSP_MUST_USE dsp_status dsp_store_need_ints(dsp_model *m, dsp_store *st, uint32_t value, dsp_err *err);
/* Fresh integers for a value that ezkl makes, zero. */
DSP_MUST_USE dsp_status dsp_store_int_room(dsp_store *st, uint32_t value, uint64_t count, dsp_err *err);
/* Fresh cells for a value that a slice makes, zero. */
DSP_MUST_USE dsp_status dsp_store_room(dsp_store *st, uint32_t value, const dsp_io *io, dsp_err *err);
/* A value as an ONNX tensor: its floats, or its integers converted. out is the caller's (dsp_array_release). */
DSP_MUST_USE dsp_status dsp_store_array(dsp_array *out, const dsp_model *m, const dsp_store *st, uint32_t value, dsp_err *err);

#endif
