/* Leaves and nodes of Merkle trees, two hashes at a time. */
#include <string.h>

#include "base/bytes.h"
#include "hash/compress.h"

enum { HEAD = 26 }; /* 40 || kind || u32 n || u32 i || salt(16) */

typedef struct {
    uint8_t first[64], last[128];
    size_t  n_mid, n_last; /* whole blocks inside the column; blocks in last */
    const uint8_t *mid;
} message;

/* The message of leaf i cut into blocks: the head and the column's start, blocks that lie in the column, and the end with
 * its padding. A short message has everything in `last`. */
static void leaf_message(message *m, uint8_t kind, uint32_t n, uint32_t i, const uint8_t *salt, const uint8_t *col,
                         size_t width)
{
    const size_t total = HEAD + width, in_first = 64 - HEAD;
    uint8_t     *head = total < 64 ? m->last : m->first;
    size_t       rest = total % 64;
    head[0] = 0x40;
    head[1] = kind;
    dsp_put32(head + 2, n);
    dsp_put32(head + 6, i);
    memcpy(head + 10, salt, DSP_SALT_BYTES);
    if (total < 64) {
        memcpy(head + HEAD, col, width);
        m->n_mid = 0;
        m->mid = NULL;
    } else {
        memcpy(head + HEAD, col, in_first);
        m->mid = col + in_first;
        m->n_mid = (total - 64) / 64;
        if (rest)
            memcpy(m->last, m->mid + 64 * m->n_mid, rest);
    }
    m->n_last = rest < 56 ? 1 : 2;
    memset(m->last + rest, 0, 64 * m->n_last - rest);
    m->last[rest] = 0x80;
    dsp_sha_put_bits(m->last + 64 * m->n_last - 8, total);
}

void dsp_hash_leaf_list(dsp_digest *out, uint8_t kind, uint32_t n_leaves, const uint32_t *index, uint32_t i0, size_t n,
                        const uint8_t *salts, size_t salt_step, const uint8_t *cols, size_t col_step, size_t width)
{
    const dsp_sha_kernels *k = dsp_sha_kernels_best();
    const bool             has_first = HEAD + width >= 64;
    message                m[2];
    uint32_t               h[2][8];
    for (size_t i = 0; i < n; i += 2) {
        const size_t two = n - i < 2 ? 1 : 2;
        for (size_t j = 0; j < two; j++) {
            const uint32_t at = index ? index[i + j] : i0 + (uint32_t)(i + j);
            leaf_message(&m[j], kind, n_leaves, at, salts + (i + j) * salt_step, cols + (i + j) * col_step, width);
            memcpy(h[j], dsp_sha_start, sizeof h[j]);
        }
        if (two == 2) {
            if (has_first)
                k->two(h[0], m[0].first, h[1], m[1].first, 1);
            if (m[0].n_mid)
                k->two(h[0], m[0].mid, h[1], m[1].mid, m[0].n_mid);
            k->two(h[0], m[0].last, h[1], m[1].last, m[0].n_last);
            dsp_sha_store(out[i + 1].b, h[1]);
        } else {
            if (has_first)
                k->one(h[0], m[0].first, 1);
            if (m[0].n_mid)
                k->one(h[0], m[0].mid, m[0].n_mid);
            k->one(h[0], m[0].last, m[0].n_last);
        }
        dsp_sha_store(out[i].b, h[0]);
    }
}

void dsp_hash_leaves(dsp_digest *out, uint8_t kind, uint32_t n_leaves, uint32_t i0, size_t n, const uint8_t *salts,
                     const uint8_t *cols, size_t width)
{
    dsp_hash_leaf_list(out, kind, n_leaves, NULL, i0, n, salts, DSP_SALT_BYTES, cols, width, width);
}

/* A node's message is 65 bytes: 41 || left || right; its second block is one byte, padding and length. */
static void node_message(uint8_t b[128], const dsp_digest *in)
{
    b[0] = 0x41;
    memcpy(b + 1, in[0].b, 32);
    memcpy(b + 33, in[1].b, 32);
}

void dsp_hash_nodes(dsp_digest *out, const dsp_digest *in, size_t n)
{
    const dsp_sha_kernels *k = dsp_sha_kernels_best();
    uint8_t                b[2][128] = {{0}};
    uint32_t               h[2][8];
    for (int j = 0; j < 2; j++) {
        b[j][65] = 0x80;
        dsp_sha_put_bits(b[j] + 120, 65);
    }
    for (size_t i = 0; i < n; i += 2) {
        const bool two = n - i > 1;
        for (size_t j = 0; j < (two ? 2u : 1u); j++) {
            node_message(b[j], in + 2 * (i + j)); /* both are read before out[i], which may lie in in[] */
            memcpy(h[j], dsp_sha_start, sizeof h[j]);
        }
        if (two) {
            k->two(h[0], b[0], h[1], b[1], 2);
            dsp_sha_store(out[i + 1].b, h[1]);
        } else {
            k->one(h[0], b[0], 2);
        }
        dsp_sha_store(out[i].b, h[0]);
    }
}
