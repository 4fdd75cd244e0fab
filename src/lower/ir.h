/* The model between ONNX and integers: fused linear and max operations over tensors in (C, H, W), with real weights.
 *
 * One ir covers the whole graph; its operations are grouped by segment, and nothing is fused across a boundary. It depends on
 * the ONNX file, the cuts and the layouts of sources alone: not on calibration, precision or inferred shapes. A value of the
 * graph is a constant, a tensor, or an expression: a linear form that no operation computes yet, so that what reads it alone
 * (bias, BatchNormalization, residual, Relu) can join it.
 */
#ifndef DSP_LOWER_IR_H
#define DSP_LOWER_IR_H

#include "base/size.h"
#include "lower/lower.h"

enum { IR_MAX_TERMS = 16, IR_MAX_AXIS = 1 << 24, IR_MAX_CELLS = 1 << 28 };

/* A constant of the graph. v is NULL until asked for (dsp_ir_numbers): large weights stay in their file form. */
typedef struct {
    int32_t          dtype;
    uint32_t         rank;
    int64_t          dims[DSP_MAX_RANK];
    size_t           count;
    const double    *v;
    const dsp_array *array;
} ir_const;

typedef struct {
    uint32_t value;             /* ONNX value it holds, whose calibrated maximum gives the scale; DSP_NONE: a partial maximum */
    uint32_t name;              /* ONNX value that it is named after outside its segment, DSP_NONE inside */
    uint32_t segment;           /* that makes it; DSP_NONE: graph input or made by an unproved segment */
    uint32_t like;              /* an earlier tensor whose scale and range it keeps (maxima), or DSP_NONE */
    uint32_t dims[3];
    uint64_t rows;              /* > 1: cells are the ONNX tensor, seen as rows x columns, transposed; 1: in ONNX order */
    uint32_t rank;
    int64_t  onnx_dims[DSP_MAX_RANK];
    uint32_t reads;             /* terms and views of supported segments that read it */
    bool     nonneg;            /* no cell can be negative */
    bool     acc;               /* public at accumulator scale: graph output of a linear op that nothing else reads */
} ir_tensor;

typedef struct {
    uint8_t       kind;         /* DSP_TERM_* */
    uint32_t      x;            /* tensor */
    const double *w;            /* conv: real weights (NULL in a dry run) */
    uint32_t      wdims[4];
    uint32_t      stride[2], pad[2], dil[2];
    int           sign;         /* view: +1 or -1 */
    uint32_t      vstride[3];
    int64_t       voff[3];
} ir_term;

typedef struct {
    uint32_t  dims[3];
    uint64_t  rows;
    uint32_t  n_terms;
    ir_term   terms[IR_MAX_TERMS];
    double   *bias;             /* dims[0] numbers, or NULL */
    bool      relu, has_bias;
    bool      pool;             /* one depthwise term of ones; by, bx: divisor per output row and column; cy, cx: cells inside x */
    uint32_t *by, *bx, *cy, *cx;
    uint32_t  value;            /* last value that it stands for */
    uint32_t  node;             /* last node that joined it */
    uint32_t  tensor;           /* once computed; DSP_NONE before */
} ir_expr;

typedef struct {
    uint8_t  kind;              /* DSP_OP_LIN or DSP_OP_MAX */
    uint32_t segment, node, out;
    ir_expr *e;                 /* lin */
    dsp_view a, b;              /* max: x is an ir tensor */
} ir_op;

enum { IR_NONE = 0, IR_CONST, IR_TENSOR, IR_EXPR };
typedef struct {
    uint8_t   kind;
    bool      single;           /* exactly one node reads it (and every value it is an alias of), and no one outside */
    uint32_t  tensor;
    ir_expr  *e;
    ir_const *c;
    uint32_t  rank;
    int64_t   dims[DSP_MAX_RANK];
} ir_value;

/* Natural: ONNX axes as they are. Channels: all cells along C. Rows: a matrix transposed, its last axis
 * as channels, as products make it. Reader: as the shape that it is reshaped to before something computes with it. */
enum { IR_LAYOUT_NATURAL = 0, IR_LAYOUT_CHANNELS, IR_LAYOUT_ROWS, IR_LAYOUT_READER, IR_N_LAYOUTS };

typedef struct {
    const dsp_graph  *g;
    const dsp_plan   *p;
    const dsp_record *record;   /* layouts of sources, where there is one */
    dsp_arena        *arena;
    bool              dry;      /* structure only, no weights */
    bool              oom;
    ir_value         *val;      /* per graph value */
    uint32_t         *uses;     /* nodes (counted by input) that read it */
    bool             *outside;  /* read by another segment, or a graph output */
    uint8_t          *layout;   /* per graph value: IR_LAYOUT_* where it is a source */
    bool             *source;
    uint32_t          segment;  /* being lowered */
    uint32_t          n_tensors, cap_tensors, n_ops, cap_ops;
    ir_tensor        *tensors;
    ir_op            *ops;
    dsp_support      *support;  /* per segment */
} ir;

/* ---- ir.c ---- */
/* Makes the ir of a plan. With a record, sources lie as it says; without, layouts are tried and the first with most segments
 * supported is kept. Everything lives in the arena. */
DSP_MUST_USE dsp_status dsp_ir_make(ir **m, const dsp_graph *g, const dsp_plan *p, const dsp_record *record, bool dry, dsp_arena *a, dsp_err *err);

/* A reason to refuse, in the arena. Sets oom when memory is short; never NULL. */
const char *dsp_ir_refuse(ir *m, const char *fmt, ...) DSP_PRINTF(2, 3);
/* The numbers of a constant; NULL when memory is short (oom is set). */
const double *dsp_ir_numbers(ir *m, ir_const *c);
static inline ir_const *dsp_ir_const(const ir *m, uint32_t v) { return v != DSP_NONE && m->val[v].kind == IR_CONST ? m->val[v].c : NULL; }
static inline bool dsp_ir_is_act(const ir *m, uint32_t v) { return v != DSP_NONE && (m->val[v].kind == IR_TENSOR || m->val[v].kind == IR_EXPR); }
/* The name of a value for messages. */
static inline const char *dsp_ir_name(const ir *m, uint32_t v) { return v == DSP_NONE ? "" : m->g->values[v].name; }

/* Layout of a value that is an expression or a tensor. */
void     dsp_ir_layout(const ir *m, uint32_t v, uint32_t dims[3], uint64_t *rows);
/* The tensor of a value, computing its expression if need be; DSP_NONE when memory is short. */
uint32_t dsp_ir_tensor(ir *m, uint32_t v);
/* The expression of a value when the reader may change it: not computed, read by no one else, not yet rectified. */
ir_expr *dsp_ir_open(ir *m, uint32_t v);
/* An empty expression of those dims, made at a node; NULL when memory is short. */
ir_expr *dsp_ir_expr(ir *m, uint32_t node, const uint32_t dims[3], uint64_t rows);
/* An expression that is the tensor of v. */
ir_expr *dsp_ir_view(ir *m, uint32_t node, uint32_t v);
/* Says what a node's output is: an expression, an alias of another value, a tensor. A reason when the inferred shape differs. */
const char *dsp_ir_set_expr(ir *m, uint32_t v, ir_expr *e, uint32_t rank, const int64_t *dims);
const char *dsp_ir_set_alias(ir *m, uint32_t v, uint32_t of, uint32_t rank, const int64_t *dims);
const char *dsp_ir_set_tensor(ir *m, uint32_t v, uint32_t tensor, uint32_t rank, const int64_t *dims);
uint32_t dsp_ir_new_tensor(ir *m, uint32_t value, uint32_t segment, const uint32_t dims[3]);
bool     dsp_ir_add_op(ir *m, const ir_op *op);
/* The constant c, broadcast over a value of that shape and layout, as dims[0] numbers; NULL when it is not the same all over a
 * channel, or when memory is short. */
double  *dsp_ir_per_channel(ir *m, ir_const *c, uint32_t rank, const int64_t *dims, const uint32_t layout[3], uint64_t rows);
/* (C, H, W) of a value with a batch axis of 1 and at most two spatial axes. */
bool     dsp_ir_image(const ir *m, uint32_t v, uint32_t dims[3]);

/* ---- operators: one row each ---- */
typedef const char *ir_lower_fn(ir *m, const dsp_node *n);   /* NULL: lowered; else why not */
typedef struct { const char *op; ir_lower_fn *lower; } ir_operator;
/* Rows end with op NULL. */
extern const ir_operator dsp_ir_ops_linear[], dsp_ir_ops_pool[], dsp_ir_ops_shape[];

/* ---- ops_window.c ---- */
/* Window of a convolution or pool, axes y and x; of a 1-D one, y has extent 1. */
typedef struct { uint32_t k[2], stride[2], dil[2], pad[2], pad_end[2], out[2]; } ir_window;
/* kernel: sizes from the weights, NULL for pools (kernel_shape). */
const char *dsp_ir_window(ir *m, const dsp_node *n, unsigned spatial, const uint32_t in[2], const int64_t *kernel, bool ceil_mode, ir_window *w);

/* ---- fold.c ---- */
/* Folds a node whose inputs are all constants (or Shape of a known value): all outputs become constants. False: it cannot. */
bool dsp_ir_fold(ir *m, const dsp_node *n);
int64_t dsp_ir_int(ir *m, ir_const *c, size_t i);            /* element as an integer, saturating */

/* ---- interval.c ---- */
typedef struct { int32_t scale; int64_t lo, hi; bool known; } ir_q;
/* A linear operation in integers. */
typedef struct {
    int64_t *M, *My, *Mx;       /* My, Mx: NULL where all are 1 */
    int64_t *w[IR_MAX_TERMS], mult[IR_MAX_TERMS], *bias;
    int32_t  scale;             /* of T = M My Mx acc */
    unsigned s, u_bits, v_bits;
    int64_t  wide_lo, wide_hi;  /* interval of floor((T + round) / 2^s) */
} ir_lin;
/* Integers of a linear op for `precision` bits. q: per ir tensor; that of the op's output gives s, lo, hi, unless acc: then
 * s = 0 and the caller takes the scale from the result. DSP_E_UNSUPPORTED: the numbers do not fit the field. */
DSP_MUST_USE dsp_status dsp_ir_quantise(ir_lin *l, const ir *m, const ir_op *op, const ir_q *q, unsigned precision, dsp_arena *a, dsp_err *err);

/* ---- scales.c ---- */
/* Scale and range of every tensor, from a record; outputs that it pins are no accumulators from then on. DSP_E_FORMAT when the record is not of this
 * model. */
DSP_MUST_USE dsp_status dsp_ir_scales(ir_q *q, ir *m, const dsp_record *r, dsp_err *err);
void dsp_ir_record_layout(dsp_layout *l, const ir_tensor *t);

/* ---- build.c ---- */
/* The key of a segment without geometry. proved: per segment. DSP_E_UNSUPPORTED: it cannot be proved, the message says why. */
DSP_MUST_USE dsp_status dsp_ir_build(dsp_key **key, ir *m, uint32_t segment, const ir_q *q, const bool *proved, unsigned precision, dsp_err *err);
/* Any geometry inside the limits: enough to derive and execute. */
DSP_MUST_USE dsp_status dsp_ir_provisional(dsp_key *key, dsp_err *err);

#endif
