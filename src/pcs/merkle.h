/* Merkle trees with salted leaves and multi-openings (S2). */
#ifndef DSP_PCS_MERKLE_H
#define DSP_PCS_MERKLE_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/pool.h"
#include "hash/hash.h"

enum { DSP_TREE_B = 1, DSP_TREE_A = 2, DSP_TREE_M = 3, DSP_TREE_P = 4 };

/* A tree over n columns of width bytes. cols ([n][width]) and salts ([n][16]) are borrowed for the tree's life. */
typedef struct {
    uint8_t        kind;
    uint32_t       n;
    size_t         width;
    const uint8_t *cols, *salts;
    dsp_digest    *node;   /* 2n - 1: level 0 (leaves) first, the top last */
    dsp_digest     root;
} dsp_tree;

/* Salts of leaves base .. base + n - 1 of a stream (S2), 16 bytes each. */
void dsp_tree_salts(uint8_t *salts, uint32_t n, const dsp_rand *r, uint16_t label, uint32_t base, dsp_pool *pool);
/* Node storage comes from the arena. n a power of two, 1 <= n <= 2^22. pool may be NULL. */
DSP_MUST_USE dsp_status dsp_tree_build(dsp_tree *t, dsp_arena *a, dsp_pool *pool, uint8_t kind, uint32_t n, size_t width,
                                       const uint8_t *cols, const uint8_t *salts, dsp_err *err);
/* Appends the opening of sorted distinct q[0..nq): per query salt and column, then the missing siblings. */
void dsp_tree_open(dsp_buf *out, const dsp_tree *t, const uint32_t *q, size_t nq);
/* How many siblings an opening holds. scratch: nq words. */
size_t dsp_tree_siblings(uint32_t n, const uint32_t *q, size_t nq, uint32_t *scratch);
/* Reads an opening. cols[i] (borrowed from rd) is set to the column of query i. *ok: whether it leads to root (a short
 * input marks rd bad). Scratch from the arena. */
DSP_MUST_USE dsp_status dsp_tree_check(bool *ok, const uint8_t **cols, dsp_rd *rd, dsp_arena *a, uint8_t kind, uint32_t n,
                                       size_t width, const dsp_digest *root, const uint32_t *q, size_t nq, dsp_err *err);

#endif
