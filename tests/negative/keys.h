/* Small slice keys written out by hand, for tests of the rules about keys: tensors of one line, at 12 bits. */
#ifndef DSP_TESTS_KEYS_H
#define DSP_TESTS_KEYS_H

#include "slices.h"

enum { KEYS_BITS = 12 };

/* A key of mode 1 with range tables of 1, 2, 3, 4 and 8 bits, its arrays zeroed. */
dsp_key *keys_new(const char *name, uint32_t tensors, uint32_t ops);
void     keys_tensor(dsp_key *k, uint32_t i, const char *name, uint8_t role, uint32_t cells, int64_t lo, int64_t hi);
dsp_limbs keys_limbs(unsigned n, unsigned width);
/* Appends a pairs table: 2^log2_rows rows x, y. Returns its index. */
uint32_t keys_pairs(dsp_key *k, unsigned log2_rows, const int64_t *rows);
/* Operation i; a lin has multiplier m for its channel and no terms yet. */
dsp_op *keys_lin(dsp_key *k, uint32_t i, const char *name, uint32_t out, int64_t m);
void    keys_view(dsp_op *o, uint32_t x, int64_t mult);
void    keys_max(dsp_key *k, uint32_t i, const char *name, uint32_t out, uint32_t x, int64_t off_a, int64_t off_b, dsp_limbs w);
void    keys_table(dsp_key *k, uint32_t i, const char *name, uint32_t out, uint32_t x, uint32_t table);
void    keys_range(dsp_key *k, uint32_t i, const char *name, uint32_t x, dsp_limbs w);
/* Trees: edges (C 16, n 256, budget J) in tensor order and A (C 64, n 1024); pads (64, 512); the least queries. */
void keys_done(dsp_key *k, uint32_t J);

#endif
