/* The slice key (S4.1): tensor program, weights, tables and geometry of one slice, and its canonical bytes.
 *
 * A key is read from bytes that anyone may have written. dsp_key_read checks the encoding (canonical, bounded, every
 * name resolves); dsp_derive (derive.h) computes what follows; dsp_key_check applies the rules of V1 on top. Indices
 * replace names inside; DSP_NONE where there is none.
 */
#ifndef DSP_CIRCUIT_KEY_H
#define DSP_CIRCUIT_KEY_H

#include "base/bytes.h"
#include "base/mem.h"
#include "hash/hash.h"

#define DSP_NONE UINT32_MAX
enum { DSP_PROTOCOL_VERSION = 1 };
enum { DSP_ROLE_PUB = 0, DSP_ROLE_EDGE = 1, DSP_ROLE_AUX = 2 };
enum { DSP_OP_LIN = 0, DSP_OP_MAX = 1, DSP_OP_TABLE = 2, DSP_OP_RANGE = 3 };
enum { DSP_TERM_CONV = 0, DSP_TERM_VIEW = 1 };
enum { DSP_TABLE_RANGE = 0, DSP_TABLE_PAIRS = 1 };
enum { DSP_MAX_LIMBS = 16 };

typedef struct {
    const char *name;
    uint8_t     role;
    uint32_t    dims[3];      /* C, H, W, each >= 1 */
    int64_t     lo, hi;       /* every cell lies in [lo, hi] */
    int64_t     scale_bits;   /* real value = integer / 2^scale_bits */
} dsp_tensor;

typedef struct { const char *name; uint32_t dims[4]; uint32_t count; const int64_t *v; } dsp_weight; /* O, C/groups, kh, kw */
typedef struct { const uint8_t *p; uint8_t width; } dsp_packed;  /* integers of width bytes, two's complement */
typedef struct { uint8_t kind, log2_rows; const int64_t *pairs; /* 2 * 2^log2_rows for pairs: x, y, x, y, .. */ } dsp_table;
typedef struct { uint8_t n, w[DSP_MAX_LIMBS]; } dsp_limbs;       /* widths, least significant first */
typedef struct { uint32_t x; uint32_t stride[3]; int64_t off[3]; } dsp_view;
typedef struct { uint32_t n; const int64_t *v; } dsp_ints;

typedef struct {
    uint8_t  kind;                       /* DSP_TERM_* */
    uint32_t weight;                     /* conv */
    uint32_t stride[2], pad[2], dil[2];  /* conv: y, x */
    int64_t  mult;                       /* view */
    dsp_view view;                       /* view.x is the tensor read, for both kinds */
} dsp_term;

typedef struct {
    uint8_t     kind;                    /* DSP_OP_* */
    const char *name;
    uint32_t    out;                     /* lin, max, table; DSP_NONE for range */
    /* lin */
    uint32_t    bias;                    /* weight index or DSP_NONE */
    dsp_ints    M, My, Mx;               /* My, Mx: n = 0 where all are 1 */
    uint8_t     s;
    dsp_limbs   rem, q, u, v;
    uint32_t    n_terms;
    dsp_term   *terms;
    /* max */
    dsp_view    a, b;
    dsp_limbs   w;                       /* max, range */
    /* table, range */
    uint32_t    x, table;
} dsp_op;

typedef struct { uint32_t edge; /* tensor index, DSP_NONE for tree A */ uint32_t C, n, J, t; } dsp_geometry;

typedef struct dsp_key {
    const char   *name;
    uint32_t      profile;
    uint8_t       mode;
    uint32_t      n_tensors, n_weights, n_tables, n_ops, n_trees;
    dsp_tensor   *tensors;
    dsp_weight   *weights;
    dsp_packed   *packed;                /* per weight, of a key that was read; NULL otherwise */
    dsp_table    *tables;
    dsp_op       *ops;
    dsp_geometry *trees;                 /* edges in the order of the edge tensors, A last */
    uint32_t      pad_k, pad_n, pad_t;
    dsp_digest    digest;                /* SHA-256 of the bytes; set by dsp_key_read and dsp_key_seal */
    dsp_arena    *arena;                 /* owns everything above when made by dsp_key_read or dsp_key_create */
} dsp_key;

/* An empty key with an arena of its own, for compilers to fill. NULL when memory is short. */
dsp_key *dsp_key_create(void);
void     dsp_key_free(dsp_key *key);
/* Appends the canonical bytes. Fails when a name is too long or memory is short. */
DSP_MUST_USE dsp_status dsp_key_write(dsp_buf *out, const dsp_key *key, dsp_err *err);
/* Sets key->digest from the canonical bytes. */
DSP_MUST_USE dsp_status dsp_key_seal(dsp_key *key, dsp_err *err);
/* Reads hostile bytes. *key is the caller's; NULL on failure (DSP_E_FORMAT, DSP_E_LIMIT, DSP_E_NOMEM). Weights stay packed (v is NULL) until
 * dsp_key_check has accepted the key: up to eight times their bytes are not for keys that are refused. Memory: below 64 MiB + 4 len. */
DSP_MUST_USE dsp_status dsp_key_read(dsp_key **key, const uint8_t *p, size_t len, dsp_err *err);

static inline uint64_t dsp_cells(const uint32_t dims[3]) { return (uint64_t)dims[0] * dims[1] * dims[2]; }

#endif
