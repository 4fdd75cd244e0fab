/* The integer executor (S5): the meaning of a tensor program, and the witness of its proof. */
#ifndef DSP_CIRCUIT_EXEC_H
#define DSP_CIRCUIT_EXEC_H

#include "base/pool.h"
#include "circuit/derive.h"

#ifdef DSP_TEST_HOOKS
/* A prover that lies: called with the values of one op before they are recorded. */
typedef struct {
    /* lin: accumulator before requantisation */
    void (*acc)(void *arg, uint32_t op, int64_t *acc, size_t n);
    /* lin: after it. q, u, v, wide: n cells each; u and v hold the side's true value even where the op has no such side */
    void (*lin)(void *arg, uint32_t op, int64_t *q, int64_t *u, int64_t *v, const int64_t *wide, size_t n);
    /* max (with its two inputs) and table outputs (a, b NULL) */
    void (*out)(void *arg, uint32_t op, int64_t *out, const int64_t *a, const int64_t *b, size_t n);
    void *arg;
} dsp_tamper;
#endif

/* Values of every tensor of the program and columns of every lookup segment. */
typedef struct {
    const dsp_derived *D;
    int64_t  **cells;      /* per tensor of D: row-major valid cells; mult tensors included after dsp_witness_count */
    int64_t  **column;     /* per column of the leaves message (segs[i].col0 + j): valid cells */
    dsp_fe   **column_fe;  /* the same as field elements where a tampered witness leaves the integers; NULL in honest use */
    dsp_fe   **cells_fe;   /* likewise for limb tensors of a tampered witness; NULL entries in honest use */
    uint64_t   saturated;  /* cells that were clamped; zeros of a fused ReLU are not counted */
    dsp_arena *arena;      /* wiped on release */
} dsp_witness;

/* Runs the program. inputs[i]: cells of key tensor i for every tensor that no op makes; for a public output it may
 * hold a claimed value instead of NULL (kept as it is). Fails: DSP_E_RANGE (an input cell outside [lo, hi]: the message names
 * tensor, value and range), DSP_E_BUG (the compiler's bound did not hold), DSP_E_NOMEM.
 * With columns = false only cells of key tensors are computed (inference without a proof). */
DSP_MUST_USE dsp_status dsp_execute(dsp_witness **w, const dsp_derived *D, const int64_t *const *inputs, bool columns,
                                    dsp_pool *pool, dsp_err *err);
#ifdef DSP_TEST_HOOKS
DSP_MUST_USE dsp_status dsp_execute_tampered(dsp_witness **w, const dsp_derived *D, const int64_t *const *inputs,
                                             const dsp_tamper *tamper, dsp_err *err);
#endif
/* Counts multiplicities over valid cells and sets the cells of the mult tensors. */
DSP_MUST_USE dsp_status dsp_witness_count(dsp_witness *w, dsp_err *err);
void dsp_witness_free(dsp_witness *w);

/* Cell values of a view of shape od on x (dims xd): cells outside x read fill. out: product of od cells. */
void dsp_view_cells(int64_t *out, const int64_t *x, const uint32_t xd[3], const uint32_t od[3], const dsp_view *v, int64_t fill);

#endif
