/* What follows from a slice key (S4.2 to S4.3, S7, S8.8): derived tensors, lookup segments, placement, claims to expect,
 * numbers of pads and bytes. Both sides and the compiler use this one derivation.
 */
#ifndef DSP_CIRCUIT_DERIVE_H
#define DSP_CIRCUIT_DERIVE_H

#include "circuit/key.h"
#include "pcs/params.h"

/* Which range of an op: rem, q, u, v of a lin; a, b of a max; the range op itself. */
enum { DSP_R_REM = 0, DSP_R_Q, DSP_R_U, DSP_R_V, DSP_R_A, DSP_R_B, DSP_R_X, DSP_R_KINDS };

typedef struct {                      /* ranged(r, dims, widths, x, off) */
    uint32_t  op;
    uint8_t   part;                   /* DSP_R_* */
    dsp_limbs limbs;
    uint8_t   shift[DSP_MAX_LIMBS];   /* o_i = w_0 + .. + w_(i-1) */
    uint32_t  seg0;                   /* segments seg0 .. seg0 + n - 1 */
    uint32_t  limb0;                  /* tensors limb0 .. limb0 + n - 2 hold the committed limbs; DSP_NONE when n = 1 */
    uint32_t  tensor;                 /* the committed tensor whose range this is, or DSP_NONE */
    int64_t   off;
    uint32_t  dims[3];
} dsp_range;

typedef struct {                      /* one lookup segment */
    uint32_t op, range;               /* range: index into ranges, DSP_NONE for a table op */
    uint8_t  limb, n_cols;
    uint32_t table;                   /* index into key->tables; tag = table + 1 */
    uint32_t dims[3];
    uint8_t  log2;                    /* padded size */
    uint64_t offset;                  /* in the fraction tree */
    uint32_t col0;                    /* place of its first column in the leaves message */
} dsp_segment;

typedef struct { uint32_t table, tensor; uint8_t log2; uint64_t offset; } dsp_used_table; /* tensor: mult.<tag> */

typedef struct {                      /* one group of the batched sumcheck: a product or a zero-check */
    uint32_t op;
    uint8_t  part;                    /* DSP_R_U, DSP_R_V: zero-check of that side; DSP_R_A: of a max; DSP_R_Q: conv terms (mode 0) */
    uint32_t member0, n_members;
} dsp_group;
typedef struct {
    uint32_t group, op;
    uint32_t term;                    /* conv: index into the op's terms; DSP_NONE for a zero-check */
    uint8_t  part;                    /* as in its group */
    uint8_t  n_vars;
    uint32_t final0;                  /* place of its first final value in message 31 */
} dsp_member;

/* A claim's label, in place of the text in the specification. */
enum { DSP_C_LIMB, DSP_C_RANGE, DSP_C_TERM, DSP_C_LIN, DSP_C_ZERO, DSP_C_MAX, DSP_C_TABLE_X, DSP_C_TABLE_Y, DSP_C_MULT };
typedef struct {
    uint8_t  kind;
    uint32_t a;  /* LIMB, RANGE: range index; TERM, LIN, ZERO, MAX, TABLE_*: op index; MULT: index into used tables */
    uint32_t b;  /* LIMB: limb; TERM: term; ZERO: 2 * DSP_R_U, DSP_R_V or DSP_R_A, + 0 or 1; MAX: DSP_R_A or DSP_R_B; else 0 */
} dsp_label;
typedef struct { dsp_label label; uint32_t n_tensors; const uint32_t *tensors; /* committed ones, in term order */ } dsp_expected;

typedef struct {
    uint32_t  edge;                   /* tensor index, DSP_NONE for A */
    uint8_t   kind;                   /* DSP_TREE_B or DSP_TREE_A */
    uint32_t  C, n, J, t;
    uint64_t  k;                      /* C + J t */
    uint32_t  R;
    uint8_t   lr, lc, m;              /* lg R, lg C, their sum */
    uint32_t  width;                  /* words of a column */
    uint32_t  n_tensors;
    const uint32_t *tensors;          /* what it holds, in the order of S4.3 */
    uint64_t  base;                   /* in the virtual stack; its prefix is base >> m, on M - m bits */
} dsp_tree_info;

typedef struct { uint32_t n, t, n_trees; const uint32_t *trees; bool is_mask; /* trees of this length in key order; a tree M_n exists */ } dsp_length;

typedef struct dsp_derived {
    const dsp_key *key;               /* borrowed */
    uint32_t       n_tensors;         /* key tensors first, with the same indices, then the derived ones */
    dsp_tensor    *tensors;
    uint8_t       *tensor_bits;       /* dlog of each tensor */
    uint32_t       n_aux;             /* tensors of tree A in order (mult last) */
    uint32_t      *aux;
    uint32_t       n_ranges;
    dsp_range     *ranges;
    uint32_t     (*op_range)[DSP_R_KINDS]; /* per op: range index or DSP_NONE */
    uint32_t     (*op_side)[2];       /* per lin: tensors n.u and n.v or DSP_NONE */
    uint32_t      *op_qcol;           /* per lin with an empty q list and a private output: the segment whose x column is q; else DSP_NONE */
    uint32_t      *op_seg;            /* per table op: its segment */
    bool          *op_at_tau;         /* per lin: its claim is at tau */
    uint32_t       n_segs;
    dsp_segment   *segs;
    uint32_t       n_used;
    dsp_used_table *used;
    uint32_t       n_columns;         /* columns of all segments */
    uint32_t       nu;                /* log2 of the fraction tree's leaves; 0 without segments */
    uint32_t       n_aux_vals;        /* mode 0: view terms of lins with a conv term */
    struct { uint32_t op, term; } *aux_vals;
    uint32_t       n_groups, n_members, M3, deg3, n_finals, ntau;
    dsp_group     *groups;
    dsp_member    *members;
    uint32_t       n_trees;
    dsp_tree_info *trees;             /* key order, A last */
    uint32_t      *tensor_tree;       /* per tensor: its tree, DSP_NONE for pub */
    uint64_t      *tensor_off;        /* per tensor: offset inside its tree */
    uint32_t       n_lengths;
    dsp_length    *lengths;           /* ascending code lengths */
    uint32_t       M;
    uint32_t       n_expect;
    dsp_expected  *expect;
    uint32_t       npad, nprod;
    uint32_t     (*triples)[2];       /* nprod: the two pads of each product */
    uint32_t       pad_w, pad_nw, pad_nq, pad_rows;
    uint64_t       fixed_bytes;       /* proof length without the siblings */
    uint64_t       max_bytes;         /* fixed + 32 sum t lg n */
    dsp_arena     *arena;
} dsp_derived;

/* Derives everything from a key as read. Limits of S12 come before anything is allocated for them. *D is the caller's.
 * Fails: DSP_E_FORMAT (V1: malformed), DSP_E_LIMIT (V1: a limit of S12), DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_derive(dsp_derived **D, const dsp_key *key, dsp_err *err);
void dsp_derived_free(dsp_derived *D);

/* The remaining rules of V1 (S5, S12): queries, no wrap, order of operations, ranges, names. DSP_E_REJECTED with a
 * message that starts with "V1". A key that was read and is accepted has its weights unpacked here. */
DSP_MUST_USE dsp_status dsp_key_check(const dsp_derived *D, dsp_err *err);

/* The text of a label as in the specification ("conv1.q.0"); for messages and tests. */
void dsp_label_text(char *out, size_t n, const dsp_derived *D, dsp_label l);

/* Layout digest of the edge of tree i (S4.1). */
dsp_digest dsp_layout_digest(const dsp_derived *D, uint32_t tree);
/* Run-key digest of slices in run order (S4.1). Edges are those of the keys, ascending by name bytes. */
DSP_MUST_USE dsp_status dsp_run_key_digest(dsp_digest *out, const dsp_derived *const *slices, uint32_t n, dsp_err *err);

/* Index in the padded cube of the valid cell (c, y, x). */
static inline uint64_t dsp_padded_index(const uint32_t dims[3], uint32_t c, uint32_t y, uint32_t x)
{
    unsigned ly = 0, lx = 0;
    while ((1ull << ly) < dims[1]) ly++;
    while ((1ull << lx) < dims[2]) lx++;
    return ((((uint64_t)c << ly) | y) << lx) | x;
}

#endif
