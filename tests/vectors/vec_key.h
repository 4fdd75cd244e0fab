/* Slice keys of the vectors: the JSON form of ref/protocol_ref.py as a dsp_key. */
#ifndef DSP_TESTS_VEC_KEY_H
#define DSP_TESTS_VEC_KEY_H

#include "circuit/derive.h"
#include "circuit/statement.h"
#include "vectors/vec.h"

/* Builds and seals the key; the caller's (dsp_key_free). Fails the running test on anything unexpected. */
dsp_key *vec_key(const json_t *key);
/* Index of a tensor by name, DSP_NONE when there is none. */
uint32_t vec_tensor(const dsp_derived *D, const char *name);
/* The integers of a JSON array in the arena. */
const int64_t *vec_cells(dsp_arena *a, const json_t *j, size_t n);
/* The statement of one slice of a run of the vectors; pub and root come from the arena. */
dsp_slice_statement vec_statement(dsp_arena *a, const dsp_derived *D, const json_t *statement, const json_t *run_digest);
/* inputs of dsp_execute from the `values` of a run: key tensors that no operation makes, NULL otherwise. */
const int64_t *const *vec_inputs(dsp_arena *a, const dsp_derived *D, const json_t *values);

#endif
