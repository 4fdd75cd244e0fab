/* A small run of slices in memory, for tests: keys and input values of an example of slice_proof.json, execution (honest or not),
 * edges, statements, proofs. Every helper fails the running test when something that must work does not. */
#ifndef DSP_TESTS_SLICES_H
#define DSP_TESTS_SLICES_H

#include "vectors/vec.h"

#include "prover/cheat.h"
#include "verifier/verify.h"

enum { SLICES_MAX = 4, SLICES_VALUES = 16, SLICES_TENSORS = 16 };

typedef struct {
    char      name[32];
    int64_t  *v;
    uint64_t  n;
    bool      given;     /* an input of the run, or a claimed public output */
    dsp_edge *edge;
} slices_value;

typedef struct {
    uint32_t            n, n_values;
    dsp_key            *key[SLICES_MAX];
    dsp_derived        *D[SLICES_MAX];
    slices_value        value[SLICES_VALUES];
    dsp_digest          run_key;
    uint8_t             secret[32], nonce[32];
    dsp_slice_statement st[SLICES_MAX];
    const int64_t      *pub[SLICES_MAX][SLICES_TENSORS];
    dsp_digest          root[SLICES_MAX][SLICES_TENSORS];
    dsp_edge           *edge[SLICES_MAX][SLICES_TENSORS];
    dsp_witness        *w[SLICES_MAX];
} slices;

/* Keys of example `title`, not executed; the input values recorded there. */
void slices_load(slices *s, const json_t *vec, const char *title);
/* One slice of its own; takes the key. */
void slices_one(slices *s, dsp_key *key);
void slices_free(slices *s);
/* Seals and derives anew after keys were changed; run-key digest. Nothing may be executed yet. */
void slices_rekey(slices *s);
/* Sets an input, or the claimed value of a public output. */
void slices_set(slices *s, const char *name, const int64_t *v, uint64_t n);
slices_value *slices_get(slices *s, const char *name);
uint32_t slices_tensor(const slices *s, uint32_t i, const char *name);
uint32_t slices_op(const slices *s, uint32_t i, const char *name);
/* Executes every slice in order (tamper: one per slice, or NULL), commits the edges, makes the statements. */
void slices_run(slices *s, const dsp_tamper *const *tamper);
/* The witness of slice i alone, run again with other cells for one tensor (NULL: none). Replaces w[i]. */
void slices_reexecute(slices *s, uint32_t i, const dsp_tamper *tamper, const char *name, const int64_t *cells);
dsp_status slices_prove_raw(slices *s, uint32_t i, const dsp_cheat *cheat, const dsp_prove_rules *rules, dsp_prove_watch *watch,
                            dsp_pool *pool, dsp_buf *proof, dsp_err *err);
/* The same; must succeed. The buffer is the caller's (dsp_buf_release). */
dsp_buf slices_prove(slices *s, uint32_t i, const dsp_cheat *cheat, const dsp_prove_rules *rules, dsp_prove_watch *watch);
/* 0 when accepted, else the check that spoke. */
unsigned slices_verify(slices *s, uint32_t i, const uint8_t *proof, size_t len, uint64_t skip, const dsp_verify_hooks *hooks,
                       dsp_err *err);

#endif
