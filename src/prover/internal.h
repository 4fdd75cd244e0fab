/* State of one proof, shared by the files of this folder. */
#ifndef DSP_PROVER_INTERNAL_H
#define DSP_PROVER_INTERNAL_H

#include "base/size.h"
#include "pcs/pad.h"
#include "proto/batched.h"
#include "proto/fraction.h"
#include "proto/inner.h"
#include "prover/prove.h"
#ifdef DSP_TEST_HOOKS
#include "prover/cheat.h"
#endif

typedef struct {
    const dsp_prove_args    *args;
    const dsp_derived       *D;
    const dsp_witness       *w;
    dsp_pool                *pool;
    const dsp_field_kernels *fk;
    dsp_ntt                 *ntt;
    dsp_arena               *arena;   /* rows, columns, trees, pads up to phase; tables of the current step after it */
    dsp_mark                 start, phase;
    dsp_buf                 *out;
    dsp_rand                 rnd;
    uint64_t                 drawn;
    dsp_digest               context; /* SHA-256 of the randomness context */
    /* S8.1 */
    const dsp_fe           **rows;    /* per tree: R rows of k coefficients */
    dsp_fe                 **mask;    /* per tree: four rows of k: g.a, g.b, g'.a, g'.b */
    dsp_tree                 tree_A;
    dsp_tree                *tree_M;  /* per code length; those of is_mask are built */
    dsp_pad_rows             pads;
    dsp_ke                  *pad;     /* npad pads, then nprod products */
    /* steps */
    dsp_fraction             frac;
    dsp_batched              s3;
    dsp_inner                op;
    dsp_ke                 **lc;      /* per tree: sum_r a_r p_r, k coefficients */
    dsp_ke                 **eq_col;  /* per tree: eqv(r_col), C entries */
#ifdef DSP_TEST_HOOKS
    dsp_ke                   claim, round_s[2], shift; /* running claim of the opening; what y was moved by */
#endif
} dsp_prover;

#ifdef DSP_TEST_HOOKS
#define CHEAT(P, field) ((P)->args->cheat && (P)->args->cheat->field)
#define WATCH(P, call, ...)                                                                                           \
    do {                                                                                                              \
        if ((P)->args->watch && (P)->args->watch->call)                                                               \
            (P)->args->watch->call((P)->args->watch->arg, __VA_ARGS__);                                               \
    } while (0)
#else
#define CHEAT(P, field) 0
#define WATCH(P, call, ...) ((void)0)
#endif

/* Rows, masks, pads and their trees (commit.c). S is known. */
dsp_status dsp_prover_commit(dsp_prover *P, const dsp_replay *r, dsp_err *err);
/* Fills the leaves of the fraction tree and builds its layers (lookup.c). */
dsp_status dsp_prover_leaves(dsp_prover *P, dsp_fraction *f, dsp_arena *a, dsp_ke alpha, dsp_ke beta, dsp_err *err);
/* Message 22 (lookup.c). */
dsp_status dsp_prover_leaf_values(dsp_prover *P, const dsp_replay *r, dsp_ke *v, size_t n, dsp_err *err);
/* Tables of the batched sumcheck (products.c). */
dsp_status dsp_prover_s3_begin(dsp_prover *P, const dsp_replay *r, dsp_err *err);
/* Tables of the opening sumcheck (opening.c). */
dsp_status dsp_prover_op_begin(dsp_prover *P, const dsp_replay *r, dsp_err *err);
void       dsp_prover_y(dsp_prover *P, const dsp_replay *r, dsp_ke *v);
void       dsp_prover_sigma(dsp_prover *P, dsp_ke *v);
void       dsp_prover_u(dsp_prover *P, const dsp_replay *r, dsp_ke *v);
void       dsp_prover_u2(dsp_prover *P, const dsp_replay *r, dsp_ke *v);
/* Releases the tables of a step (wiped) and starts the next. */
void dsp_prover_new_phase(dsp_prover *P);

#endif
