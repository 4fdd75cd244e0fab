/* Unit costs of proving and verifying, in integers, for the compiler's choices and predictions.
 *
 * Choices end up in slice keys, so they must come out equal on every machine: nothing here uses floating point, the processor's
 * features or the clock. Times are those of one thread with the 512-bit kernels, in tenths of a nanosecond. They steer the trade of
 * bytes against time and are good to a factor of 1.5; the optimum is flat (twice or half a cost moves the bytes by under 5 %).
 * Measured on AMD EPYC (family 25 model 17, 3.69 GHz), gcc 12 -O3.
 */
#ifndef DSP_LOWER_COST_H
#define DSP_LOWER_COST_H

#include <stdint.h>

enum {
    DSP_COST_NS10_PER_BYTE = 1000, /* exchange rate: one byte of proof is worth 100 ns; least bytes alone double the time for 5 % fewer */
    DSP_COST_LEAF = 250,           /* a Merkle leaf without its bytes, a node, ten bytes of a column */
    DSP_COST_NODE = 330,
    DSP_COST_BYTE10 = 28,
    DSP_COST_CELL = 240,           /* a committed cell: encoding, hashing, opening sumcheck */
    DSP_COST_LOOKUP = 229,         /* a leaf of the fraction tree, counting included */
    DSP_COST_KMUL = 16,            /* a product in K */
    DSP_COST_MESSAGE = 2000        /* an element through the transcript */
};

/* Length n transform of one row, whole row: n (0.47 lg(n) / 2 + 0.55) ns. */
static inline uint64_t dsp_cost_ntt(unsigned lg_n) { return (((uint64_t)235 * lg_n + 550) << lg_n) / 100; }
/* Leaves and nodes of a tree of 2^lg_n columns. */
static inline uint64_t dsp_cost_tree(unsigned lg_n, uint64_t column_bytes)
{
    return (DSP_COST_LEAF + DSP_COST_NODE + column_bytes * DSP_COST_BYTE10 / 10) << lg_n;
}
/* Expected number of missing siblings, rounded up, in the opening of t distinct random leaves of 2^lg_n; lg_n <= 22, t <= 2^lg_n. */
uint64_t dsp_expected_siblings(unsigned lg_n, uint32_t t);

#endif
