/* The prover of one slice (S8 to S10) and the commitments to boundary tensors. */
#ifndef DSP_PROVER_PROVE_H
#define DSP_PROVER_PROVE_H

#include "circuit/exec.h"
#include "claims/replay.h"
#include "pcs/merkle.h"

/* Tree B of one boundary tensor: the same bytes for producer and consumers (S2, S4.3). */
typedef struct dsp_edge {
    const int64_t *cells;   /* borrowed */
    dsp_fe        *rows;    /* R x k: data and tail of every row */
    dsp_tree       tree;
    dsp_digest     root;
    dsp_arena     *arena;
} dsp_edge;
/* tree: index into D->trees. cells: the edge's valid cells, borrowed while the edge lives. */
DSP_MUST_USE dsp_status dsp_edge_commit(dsp_edge **e, const dsp_derived *D, uint32_t tree, const int64_t *cells,
                                        const dsp_digest *run_key, const uint8_t secret[32], dsp_pool *pool, dsp_err *err);
void dsp_edge_free(dsp_edge *e);

/* SHA-256("dsperse run secret" || drawn || run-key digest || nonce || SHA-256 of the run's input integers) (S12). */
void dsp_run_secret(uint8_t out[32], const uint8_t drawn[32], const dsp_digest *run_key, const uint8_t nonce[32], const dsp_digest *inputs);

#ifdef DSP_TEST_HOOKS
typedef struct dsp_cheat dsp_cheat;   /* prover/cheat.h */
struct dsp_prove_rules;
struct dsp_prove_watch;
#endif

typedef struct {
    const dsp_derived         *D;
    const dsp_slice_statement *st;
    dsp_edge *const           *edges;    /* per tree but the last */
    const dsp_witness         *witness;  /* with columns and multiplicities */
    const uint8_t             *secret;   /* 32 bytes: dsp_run_secret */
    dsp_pool                  *pool;
    dsp_arena                 *space;    /* NULL, or memory that its owner keeps from proof to proof; given back wiped */
    /* Called before any opened column leaves the prover with SHA-256 of the randomness context and the roots (A, M_n, P): records it
     * durably, or refuses when another pair was recorded for this slice. */
    dsp_status (*ledger)(void *arg, const dsp_digest *context, const dsp_digest *roots, uint32_t n_roots, dsp_err *err);
    void *ledger_arg;
    uint64_t                  *peak_bytes; /* or NULL: most bytes used at once, witness and edges not counted */
#ifdef DSP_TEST_HOOKS
    const dsp_cheat        *cheat;    /* NULL: honest */
    const struct dsp_prove_rules *rules; /* or NULL */
    struct dsp_prove_watch *watch;    /* or NULL */
#endif
} dsp_prove_args;

/* Appends the proof's bytes (S10). The same arguments give the same bytes, whatever the number of threads.
 * Fails: DSP_E_ARG (the witness is not what the statement records), DSP_E_NOMEM, or what the ledger returns. */
DSP_MUST_USE dsp_status dsp_prove_slice(dsp_buf *proof, const dsp_prove_args *args, dsp_err *err);

#endif
