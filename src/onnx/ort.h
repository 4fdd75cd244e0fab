/* ONNX Runtime through its C interface, loaded at run time. Float inference, shape inference, integer folding; never part of
 * a proof's statement.
 */
#ifndef DSP_ONNX_ORT_H
#define DSP_ONNX_ORT_H

#include "onnx/graph.h"

typedef struct dsp_ort dsp_ort;
typedef struct dsp_session dsp_session;

/* candidates: paths or names to try in order, NULL at the end (the caller builds it: DSPERSE_ORT, deps/onnxruntime, <prefix>/lib/dsperse,
 * the loader's path). Turns the runtime's telemetry off, which takes two variables in the process's environment; no other thread may change
 * the environment meanwhile. Fails with DSP_E_UNAVAILABLE and a message that names the install command. */
DSP_MUST_USE dsp_status dsp_ort_open(dsp_ort **o, const char *const *candidates, dsp_err *err);
/* Makes what the first session with this many threads would make: environment and threads. */
DSP_MUST_USE dsp_status dsp_ort_prepare(dsp_ort *o, unsigned threads, dsp_err *err);
/* The two variables alone, before dsp_ort_open in another thread: it leaves them as they are then. */
void        dsp_ort_be_quiet(void);
void        dsp_ort_close(dsp_ort *o);
const char *dsp_ort_version(const dsp_ort *o);

/* A session over model bytes (optimisations off, one thread unless threads > 1). dir: folder for external data, or NULL. */
DSP_MUST_USE dsp_status dsp_session_create(dsp_session **s, dsp_ort *o, const void *model, size_t len, const char *dir,
                                           unsigned threads, unsigned opt_level, dsp_err *err);
DSP_MUST_USE dsp_status dsp_session_create_file(dsp_session **s, dsp_ort *o, const char *path, unsigned threads, unsigned opt_level, dsp_err *err);
void dsp_session_free(dsp_session *s);

/* Runs: inputs by name, outputs by name; out[i].data is allocated (dsp_free by the caller through dsp_array_release). */
DSP_MUST_USE dsp_status dsp_session_run(dsp_session *s, const char *const *in_names, const dsp_array *in, size_t n_in,
                                        const char *const *out_names, dsp_array *out, size_t n_out, dsp_err *err);
void dsp_array_release(dsp_array *a);

/* Fills dtype, rank and dims of every value of g: asks the runtime with every intermediate named as an output; what depends on data
 * stays -1. Also marks nodes that depend on constants only and folds INTEGER and shape arithmetic (float folding is the lowering's; a float
 * constant that is only renamed or reshaped is known too). */
DSP_MUST_USE dsp_status dsp_graph_infer(dsp_graph *g, dsp_ort *o, dsp_err *err);

/* A session over the whole model (dimensions bound, optimisations off) with these node outputs as its outputs, for many runs: inputs by the
 * names of g->inputs. */
DSP_MUST_USE dsp_status dsp_graph_session(dsp_session **s, const dsp_graph *g, dsp_ort *o, const uint32_t *values, size_t n_values,
                                          unsigned threads, dsp_err *err);

/* Runs the whole model on one input set and returns every named value asked for (intermediates included): calibration. */
DSP_MUST_USE dsp_status dsp_graph_run(const dsp_graph *g, dsp_ort *o, const dsp_array *inputs, const uint32_t *values, size_t n_values,
                                      dsp_array *out, dsp_err *err);

#endif
