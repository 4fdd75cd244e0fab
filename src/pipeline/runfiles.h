/* The files of a run: names, secret, statement, results. Used by run, prove, verify and bundle.
 *
 * <run dir>/  secret (0600)  ledger.bin (0600)  statement.bin  quantization.json  chain.json  run_result.json
 *             boundaries/<n>.bin (0600; n: index of the edge in the statement)
 *             segment_<i>/  vk.bin  witness.bin (0600)  proof.bin  outputs.bin (0600, until the run is complete: pipeline/checkpoint.h)
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

/* The key of slice i of the statement, which must be the one that the run was made with (else DSP_E_UNSUPPORTED). */
DSP_MUST_USE dsp_status dsp_run_key_load(dsp_slice **sl, const char *dir, const dsp_statement *st, uint32_t i, dsp_err *err);
/* Cells of every boundary tensor of a slice as the run recorded them; digests are checked. cells, own: sl->n_io entries, own[k] set where the
 * cells are the caller's. */
DSP_MUST_USE dsp_status dsp_witness_cells(int64_t **own, const int64_t **cells, const char *dir, const dsp_statement *st, const dsp_slice *sl, uint32_t segment,
                                          dsp_err *err);
/* Whether a complete run was made with this model's segments and keys, and everything a prover needs of it is there, digests included. */
bool dsp_run_intact(const char *dir, const json_t *result, const dsp_model *m);

/* ---- JSON ---- */
/* The entry of a segment in run_result.json's execution_results. Borrowed; NULL when there is none. */
json_t *dsp_result_entry(json_t *result, uint32_t index);

/* A value for people: name, dtype, shape, data. Takes nothing. */
json_t *dsp_array_json(const char *name, const dsp_array *a, bool data);
/* prediction and probabilities, where the only output is a float vector. */
void dsp_classify(json_t *o, const dsp_array *outputs, uint32_t n);
size_t dsp_argmax(const dsp_array *a);

/* The execution chain (chain.json); from: the folder of the file that will hold it. */
json_t *dsp_chain_json(const dsp_model *m, const char *from);

/* Writes a copy of run_result.json elsewhere. Its paths stay relative to the run's folder, which run_directory names from there. */
DSP_MUST_USE dsp_status dsp_result_save_copy(const char *path, const json_t *result, const char *run_dir, dsp_err *err);

/* Errors of one output against the float model: name, max_abs_error, max_rel_error (over the largest reference), argmax_agrees. */
json_t *dsp_compare_json(const char *name, const dsp_array *got, const dsp_array *ref);

/* Accuracy over a labelled set (run --eval). */
DSP_MUST_USE dsp_status dsp_eval(dsp_pipe *p, dsp_model *m, const char *path, json_t *report, dsp_err *err);

#endif
