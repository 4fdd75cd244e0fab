/* The files of a run: names, secret, statement, results. Used by run, prove, verify and bundle.
 *
 * <run dir>/  secret (0600)  ledger.bin (0600)  statement.bin  quantization.json  chain.json  run_result.json
 *             boundaries/<n>.bin (0600; n: index of the edge in the statement)
 *             segment_<i>/  vk.bin  witness.bin (0600)  proof.bin
 */
#ifndef DSP_PIPELINE_RUNFILES_H
#define DSP_PIPELINE_RUNFILES_H

#include "pipeline/model.h"

enum { DSP_SECRET_BYTES = 32 };

/* SHA-256 of the run's public input integers: what the run secret is bound to (protocol S12). */
dsp_digest dsp_run_inputs_digest(const dsp_statement *st);
/* The 32 bytes drawn by the run, bound to run key, nonce and input. secret is wiped by the caller. */
DSP_MUST_USE dsp_status dsp_run_secret_load(uint8_t secret[32], const char *run_dir, const dsp_statement *st, dsp_err *err);
DSP_MUST_USE dsp_status dsp_random_bytes(uint8_t *out, size_t n, dsp_err *err);

/* statement.bin of a run or bundle. DSP_E_MISSING, DSP_E_FORMAT. */
DSP_MUST_USE dsp_status dsp_statement_load(dsp_statement **st, const char *dir, dsp_err *err);
/* <dir>/segment_<index>/<name>. The caller's; NULL when memory is short. */
char *dsp_segment_file(const char *dir, uint32_t index, const char *name);

/* ---- JSON ---- */
/* The entry of a segment in run_result.json's execution_results. Borrowed; NULL when there is none. */
json_t *dsp_result_entry(json_t *result, uint32_t index);
/* Coverage of a run: segments and multiply-accumulates, in all and among those for which has(arg, i) holds. */
json_t *dsp_coverage(const dsp_statement *st, uint32_t n_done, uint64_t macs_done);

/* A value for people: name, dtype, shape, data. Takes nothing. */
json_t *dsp_array_json(const char *name, const dsp_array *a, bool data);
/* prediction and probabilities, where the only output is a float vector. */
void dsp_classify(json_t *o, const dsp_array *outputs, uint32_t n);
size_t dsp_argmax(const dsp_array *a);

/* The execution chain (specification 2.4); from: the folder of the file that will hold it. */
json_t *dsp_chain_json(const dsp_model *m, const char *from);

/* Errors of one output against the float model: name, max_abs_error, max_rel_error (over the largest reference), argmax_agrees. */
json_t *dsp_compare_json(const char *name, const dsp_array *got, const dsp_array *ref);

/* Accuracy over a labelled set (run --eval). */
DSP_MUST_USE dsp_status dsp_eval(dsp_pipe *p, dsp_model *m, const char *path, json_t *report, dsp_err *err);

#endif
