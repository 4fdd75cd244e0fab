/* Deviations of a prover and a watch on its values, for tests only (DSP_TEST_HOOKS).
 *
 * What a cheat cannot say here is said before proving: tampered execution (dsp_execute_tampered), edited multiplicities (cells of
 * the mult tensors), edges and statements that do not belong together. Any cheat, even an empty one, turns off the check that the
 * witness is what the statement records.
 */
#ifndef DSP_PROVER_CHEAT_H
#define DSP_PROVER_CHEAT_H
#ifdef DSP_TEST_HOOKS

#include "prover/prove.h"

enum { DSP_WRONG_Z = 1, DSP_WRONG_Z_COPY = 2 };

struct dsp_cheat {
    const bool    *omit;        /* per segment: left out of the numerators; NULL: none */
    const int64_t *fake_cells;  /* what enters the tree in place of column fake_column; NULL: none */
    uint32_t       fake_column;
    bool           junk;        /* cells of A that no tensor covers hold 12345 */
    bool           frozen;      /* randomness from the first two context parts only */
    uint32_t       attempt;     /* last context part */
    bool           top;         /* layer 1: p0 such that the fractions sum to 0 */
    bool           yshift;      /* y of tree A such that the opening sumcheck ends well */
    bool           ufix;        /* u of tree A shifted with it */
    bool           u2;          /* u' of tree A (and all others) off by one */
    bool           ldt;         /* y_ldt off by one */
    bool           dotfix;      /* slot sum of y_dot made right */
    bool           quadfix;     /* slots of y_q made 0 */
    uint8_t        wrongz;      /* first product off by the tree's top: DSP_WRONG_Z also in the copy, DSP_WRONG_Z_COPY not (coins alpha, beta forced) */
    const dsp_digest *root_A, *root_P; /* roots sent in place of the true ones */
    /* Last: may change the answers of the pad prover (k, 2k - 1, 2k - 1 elements) before they are sent. */
    void (*answers)(void *arg, const dsp_derived *D, const dsp_pad_coeffs *c, dsp_ke *ldt, dsp_ke *dot, dsp_ke *q);
    void *answers_arg;
};

/* Both sides of a test share these. */
typedef struct dsp_prove_rules {
    const dsp_forced_coin *coins;
    uint64_t               skip;
    const dsp_label       *drop;
    uint32_t               n_drop;
} dsp_prove_rules;

typedef struct dsp_prove_watch {
    void *arg;
    void (*log)(void *arg, uint16_t id, const dsp_digest *d);                         /* as in dsp_transcript */
    void (*hidden)(void *arg, uint16_t id, const dsp_ke *v, size_t n);                /* values before padding */
    void (*sent)(void *arg, uint16_t id, size_t offset, size_t len);                  /* id 0: header; id 0xffff: an opening */
    void (*replayed)(void *arg, const dsp_replay *r);                                 /* constraints are there */
    void (*queries)(void *arg, const dsp_replay *r, const dsp_queries *q);
    dsp_digest context;      /* SHA-256 of the randomness context */
    uint64_t   drawn;        /* elements of F, and salts */
    dsp_ke     pads[4];      /* the first ones */
    size_t     peak;         /* most bytes held by the proof's arenas at once, the witness and edges not counted */
} dsp_prove_watch;

#endif
#endif
