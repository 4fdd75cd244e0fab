/* The symbolic verifier (S7, S8): one pass over the messages of a slice proof in which every sent value is an affine form
 * in the pads. Prover and verifier run this same code; they differ in where a message comes from (dsp_party). It draws
 * every coin, derives every claim, and ends in the linear constraints that the pad prover settles.
 *
 * Sources: fraction tree: Papini and Haboeck, "Improving logarithmic derivative lookups using GKR" (ePrint 2023/1284), the factor
 * eq(xi_t, X) of a round taken out as in Gruen, ePrint 2024/108; hidden messages with one-time pads and the linear
 * constraints on them: Frigo and shelat, "Anonymous credentials from ECDSA" (ePrint 2024/2010). Renamed here: claims
 * P, Q, points xi, coins rho, lambda, mu. Soundness, per coin over |K| = 2^128: tree lambda 1, round 2, mu 1; eta groups - 1; step-3 round
 * 3; op_lambda claims - 1; op round 2; gamma n + 1, rho n (docs/protocol.md). A hidden value never decides a branch here:
 * the forms depend on sent values and coins alone.
 */
#ifndef DSP_CLAIMS_REPLAY_H
#define DSP_CLAIMS_REPLAY_H

#include "circuit/statement.h"
#include "claims/functional.h"

/* Checks of the verifier (S11, S12), as bit numbers of masks and in verdicts. */
enum { DSP_V1 = 1, DSP_V2, DSP_V3, DSP_V4, DSP_V5, DSP_V6, DSP_V7, DSP_V8, DSP_V9, DSP_V10, DSP_V11, DSP_V12, DSP_V13, DSP_V14,
       DSP_V15, DSP_V16, DSP_V17, DSP_V18, DSP_V19, DSP_V20, DSP_V21, DSP_V22, DSP_V23, DSP_V24,
       DSP_R1 = 32, DSP_R2, DSP_R3, DSP_R4, DSP_R5 };

/* Known part + sum of coefficients times pads (variables 0 .. npad-1) and products (npad ..), indices ascending. */
typedef struct { dsp_ke c; uint32_t n; uint32_t *var; dsp_ke *coef; } dsp_aff;

typedef struct { uint8_t check; dsp_aff form; } dsp_constraint;   /* form = 0; check: DSP_V6 .. */

typedef struct {
    dsp_label       label;
    uint32_t        n_terms;
    dsp_functional *terms;    /* committed terms only, coefficient included */
    dsp_aff         value;
} dsp_claim;

typedef struct dsp_replay dsp_replay;

/* Where messages come from. What of the state is valid when a message is asked for (each row adds to those above it):
 *
 *   root (digest)  D, st, S, tr (its digest is S); n_roots: how many roots were given so far
 *   GKR_VALS       alpha, beta, tau[0..ntau); layer = j; lambda of this layer (0 for j = 1); xi[0..j-1) the claim's point; rho[0..j-1)
 *   GKR_ROUND      layer = j >= 2; round = t; lambda; xi[0..j-1); rho[0..t)
 *   LEAVES         xi[0..nu); layer = nu; no other field of the tree
 *   S3_ROUND       eta; round = t; rho3[0..t); member_conv
 *   S3_VALS        rho3[0..M3)
 *   OP_ROUND       ledger[0..n_ledger) with forms, op_lambda; round = t; r[0..t)
 *   Y              r[0..M); a[i][0..R_i)
 *   SIGMA          the same (y was given)
 *   U, U2          gamma, row_rho; tree = i; u[0..i) and u2[0..i), at U2 also u[i]
 *
 * sent[0..hidden) holds the hidden messages so far, as sent. Messages whose step is absent (S3 without groups, layers
 * without segments) are not asked for; LEAVES is asked for with n = 0 when it is empty. */
typedef struct {
    void *arg;
    /* Digest message (root): the verifier reads it, the prover supplies it. Absorbed by the caller. */
    dsp_status (*digest)(void *arg, dsp_replay *st, dsp_digest *d, dsp_err *err);
    /* Message `id` of n elements as sent (padded where the specification says so). The prover computes it from the
     * coins in st, the verifier reads it. Absorbed by the caller. hidden: index of its first pad, or DSP_NONE when sent in clear. */
    dsp_status (*message)(void *arg, dsp_replay *st, uint16_t id, dsp_ke *v, size_t n, uint32_t hidden, dsp_err *err);
} dsp_party;

/* Public view of the state for parties. */
struct dsp_replay {
    const dsp_derived         *D;
    const dsp_slice_statement *st;
    dsp_transcript             tr;
    dsp_arena                 *arena;
    dsp_digest                 S;
    dsp_digest                *roots;      /* A; M_n ascending; P */
    uint32_t                   n_roots;
    /* S8.2 */
    const dsp_field_kernels   *fk;         /* the best for this machine */
    dsp_ke                    *sent;       /* npad hidden values as sent; the form of pad i is sent[i] + pad i */
    uint32_t                   n_sent;
    dsp_ke                     alpha, beta, *tau;
    uint32_t                   layer;      /* j, 1 .. nu */
    uint32_t                   round;      /* of the current sumcheck */
    dsp_ke                     lambda;     /* of the current layer */
    dsp_ke                    *xi;         /* claim point of the current layer (layer - 1 coordinates); after the tree: nu coordinates */
    dsp_ke                    *rho;        /* coins of the current layer's rounds so far */
    /* S8.3 */
    dsp_ke                     eta, *rho3; /* M3 coins, `round` of them drawn so far */
    dsp_conv                 **member_conv; /* n_members; the conv of every conv member, else NULL */
    /* S8.4 */
    uint32_t                   n_ledger;
    dsp_claim                 *ledger;
    dsp_ke                     op_lambda, *r; /* M coins */
    /* S8.5 */
    dsp_ke                     gamma, *row_rho; /* sum of R elements, trees in key order */
    uint32_t                   tree;       /* tree of the current u or u' message */
    dsp_ke                   **a;          /* per tree: R row weights eqv(r_row), without gamma; set before Y */
    dsp_ke                   **u, **u2;    /* per tree: k coefficients */
    /* results */
    uint32_t                   n_constraints;
    dsp_constraint            *constraints;
    uint32_t                   n_products;
#ifdef DSP_TEST_HOOKS
    uint64_t                   skip;       /* checks left out: V5, V12 here; V6 .. V24 through their coins */
    const dsp_label           *drop;       /* claims dropped on both sides */
    uint32_t                   n_drop;
#endif
};

/* dsp_replay_init absorbs the statement and sets S; D, st and the arena are borrowed for r's life. In DSP_TEST_HOOKS builds skip,
 * drop, tr.forced and tr.log are set between init and run. dsp_replay_run runs messages 10 to 52 with this party: once per init.
 * Fails: DSP_E_REJECTED (message starts with the check: "V5 ..", "V12 .."), DSP_E_NOMEM, or what the party returns. */
DSP_MUST_USE dsp_status dsp_replay_init(dsp_replay *r, dsp_arena *arena, const dsp_derived *D, const dsp_slice_statement *st, dsp_err *err);
DSP_MUST_USE dsp_status dsp_replay_run(dsp_replay *r, const dsp_party *party, dsp_err *err);

/* Coins of S8.6 and the coefficient rows they define (S9): u_ldt per row but the three; A[row][w] slot coefficients of rows
 * 3 ..; b the right-hand side; u_q per copy row. Same on both sides. */
typedef struct { dsp_ke *u, *A, *uq, b; } dsp_pad_coeffs;   /* A: (pad_rows - 3) * w */
DSP_MUST_USE dsp_status dsp_pad_coeffs_draw(dsp_pad_coeffs *c, dsp_replay *r, dsp_err *err);

/* Query positions of every code length (ascending lengths), then of the pad tree (S8.7). q[i] from the arena. */
typedef struct { uint32_t **q, *qp; } dsp_queries;
DSP_MUST_USE dsp_status dsp_queries_draw(dsp_queries *q, dsp_replay *r, dsp_err *err);

#endif
