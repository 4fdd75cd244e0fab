/* Lowering: ONNX segment + quantisation record -> tensor program and slice key. A form that is not supported is refused by
 * name, never approximated. Everything here is a function of the ONNX file and the record, byte-identical on every machine.
 */
#ifndef DSP_LOWER_LOWER_H
#define DSP_LOWER_LOWER_H

#include "circuit/derive.h"
#include "quant/calibrate.h"

/* Why a segment cannot be proved: first unsupported node and the reason; NULL reason: it can. */
typedef struct { uint32_t segment, node; const char *reason; } dsp_support;

/* Which segments can be proved, for the whole model at once, before any work. support: n_segments entries, reasons from arena. */
DSP_MUST_USE dsp_status dsp_lower_support(dsp_support *support, const dsp_graph *g, const dsp_plan *p, dsp_arena *a, dsp_err *err);

/* A boundary tensor that another proof system reads or makes too: it has this scale, whatever the precision. */
typedef struct { uint32_t value; int32_t scale_bits; } dsp_pin;
enum { DSP_PIN_MAX_SCALE = 32, DSP_PIN_MAX_BITS = 32 };

/* Chooses every scale, range and layout for the given precision. A pinned tensor gets its scale and a range of four times what the calibration
 * showed (an input: its declared range), and so does what keeps its scale (maxima); a pinned output is requantised. Pins of values that no
 * supported segment reads or makes say nothing. DSP_E_ARG: a pin cannot be met; the message names tensor and scale. pins: n_pins or NULL. */
DSP_MUST_USE dsp_status dsp_record_make(dsp_record **r, const dsp_graph *g, const dsp_plan *p, const dsp_calibration *c, const dsp_pin *pins, size_t n_pins,
                                        unsigned precision_bits, dsp_err *err);

/* One compiled segment. key == NULL: unproved, see reason. */
typedef struct {
    uint32_t     segment;
    dsp_key     *key;
    dsp_derived *D;
    const char  *reason;      /* of an unproved segment: node, operator, why */
    uint64_t     macs;
} dsp_compiled;

typedef struct {
    uint32_t      n_segments;
    dsp_compiled *segments;
    dsp_digest    run_key;    /* of the proved ones in order */
    dsp_digest    model_id;
    dsp_arena    *arena;
} dsp_circuits;

/* Lowers the whole model: programs, limb and table choice, roles of boundaries (private between proved segments, public next to
 * unproved ones and at the model's input and output), geometry for the run. prove: n_segments flags or NULL (all that can be). */
DSP_MUST_USE dsp_status dsp_lower_model(dsp_circuits **out, const dsp_graph *g, const dsp_plan *p, const dsp_record *r,
                                        const bool *prove, dsp_err *err);
void dsp_circuits_free(dsp_circuits *c);

/* The name that a boundary value has in keys and statements: its own, unless the protocol reserves that (or it is not UTF-8).
 * Borrowed from the graph or allocated in a; NULL when memory is short. */
const char *dsp_lower_tensor_name(const dsp_graph *g, uint32_t value, dsp_arena *a);

/* The precision sweep of `compile`: for 10, 12, 14, 16 bits the largest error of every output on the samples, relative to the output's
 * largest value, and whether every argmax agrees; the record of the fewest bits within 1 % (the best one otherwise). */
typedef struct { unsigned bits; double max_rel_err; bool argmax_agrees; bool feasible; uint64_t saturated; } dsp_precision_row;
enum { DSP_N_PRECISIONS = 4 };
/* How far the sweep is, in samples run; may be NULL. */
typedef struct { void (*told)(void *arg, uint64_t done, uint64_t total); void *arg; } dsp_precision_tell;
DSP_MUST_USE dsp_status dsp_precision_choose(dsp_record **r, dsp_precision_row rows[DSP_N_PRECISIONS], const dsp_graph *g, const dsp_plan *p,
                                             const dsp_calibration *c, const dsp_pin *pins, size_t n_pins, dsp_ort *o, unsigned forced_bits,
                                             const dsp_precision_tell *tell, dsp_err *err);

/* ---- geometry and cost (geometry.c, cost.c) ---- */
/* Table widths and limb lists for the ranges of one segment: needs[i] asks for sum of widths = bits over `cells` padded cells. Picks at most
 * three range-table widths of least cost; out[i] gets the limbs. widths: the chosen tables, ascending. */
typedef struct { unsigned bits; uint64_t cells; } dsp_range_need;
DSP_MUST_USE dsp_status dsp_limbs_choose(dsp_limbs *out, uint8_t widths[16], unsigned *n_widths, const dsp_range_need *needs, size_t n, dsp_err *err);

/* Fills trees (C, n, J, t) and pads of all keys of a run jointly: least cost of bytes and time (protocol S3, architecture "Geometry").
 * keys are complete but for their geometry; order is run order. Fails with DSP_E_LIMIT when nothing fits. */
DSP_MUST_USE dsp_status dsp_geometry_choose(dsp_key *const *keys, uint32_t n_keys, dsp_err *err);

typedef struct { uint64_t cells, rows, lookups, proof_bytes, prove_ns, verify_ns, peak_bytes; } dsp_cost;
/* Prediction for one slice, from its derivation alone. */
void dsp_cost_predict(dsp_cost *c, const dsp_derived *D);

#endif
