/* What the files of this layer share about a loaded graph, beyond graph.h. */
#ifndef DSP_ONNX_INTERNAL_H
#define DSP_ONNX_INTERNAL_H

#include "onnx.pb-c.h"
#include "onnx/graph.h"

/* Names -> numbers; open addressing, keys borrowed. */
typedef struct { const char **key; uint32_t *val; uint32_t cap, n; } dsp_names;
bool     dsp_names_init(dsp_names *m, dsp_arena *a, size_t n);              /* room for n names */
bool     dsp_names_add(dsp_names *m, const char *key, uint32_t val);       /* false: already there */
uint32_t dsp_names_get(const dsp_names *m, const char *key);               /* DSP_NONE: not there */

/* A file beside the model that holds data of its initializers; mapped where a large tensor asked for it, to the end of the graph. */
typedef struct { const char *location; const uint8_t *map; size_t map_bytes; } dsp_data_file;
/* Where an initializer's bytes lie: file number, and the byte they start at. file DSP_NONE: in the model file. */
typedef struct { uint32_t file; uint64_t offset; } dsp_data_place;

/* A loaded graph with its book-keeping; what dsp_graph_load returns is its first member. */
typedef struct {
    dsp_graph     g;
    char         *path;
    dsp_names     names;
    dsp_dim_bind *binds; size_t n_binds;      /* every dimension that was bound, given or by default; first come first */
    uint32_t    **captures, *n_captures;      /* per node: outer values its subgraphs read */
    bool         *by_shape;                   /* per node: folded by way of a known shape (Shape, Size and what follows) */
    const Onnx__TensorProto       **tensor;   /* per value: its initializer */
    const Onnx__SparseTensorProto **sparse;
    uint64_t      external_bytes;             /* read so far */
    dsp_data_file  *data_file; uint32_t n_data_files, cap_data_files;   /* by first use */
    dsp_data_place *place;                    /* per value */
    dsp_sha       sha;                        /* of the file and of external data */
} dsp_model;

static inline const dsp_model *dsp_model_of(const dsp_graph *g) { return (const dsp_model *)(const void *)g; }
static inline const Onnx__GraphProto *dsp_graph_proto(const dsp_graph *g) { return ((const Onnx__ModelProto *)g->proto)->graph; }
static inline const Onnx__NodeProto *dsp_node_proto(const dsp_node *n) { return n->proto; }
static inline const char *dsp_text(const char *s) { return s ? s : ""; }

/* Whether v never depends on the model's inputs. */
static inline bool dsp_value_const(const dsp_graph *g, uint32_t v)
{
    const dsp_value *x = &g->values[v];
    return x->is_initializer || x->constant || (x->producer != DSP_NONE && g->nodes[x->producer].folded);
}
/* Whether node n reads values only for their shape, which is known: no data flows into it. */
static inline bool dsp_node_shape_only(const dsp_graph *g, const dsp_node *n)
{
    return n->folded && n->n_in == 1 && n->in[0] != DSP_NONE && !dsp_value_const(g, n->in[0]) && !g->values[n->out[0]].is_output;
}
/* The digest that dsp_graph_load computes, of a file whose graph need not hold together. */
DSP_MUST_USE dsp_status dsp_graph_digest(dsp_digest *digest, const char *path, dsp_err *err);
/* Read k of node n: its inputs, then its captures; false past the end. DSP_NONE for an empty name. */
bool dsp_node_read(const dsp_graph *g, const dsp_node *n, uint32_t k, uint32_t *v);
/* Marks every node whose data inputs are all constant; true when one was added. */
bool dsp_graph_mark_constant(dsp_graph *g);
bool dsp_dims_known(const dsp_value *v);
/* Product of the dimensions; false when one is unknown or the product overflows. */
bool dsp_dims_count(const dsp_value *v, uint64_t *count);

/* ---- tensors (tensor.c) ---- */
unsigned    dsp_dtype_bits(int32_t dtype);            /* of one element; 0: strings and unknown types */
const char *dsp_dtype_name(int32_t dtype);            /* "float32", "int64", ... */
bool        dsp_dtype_is_float(int32_t dtype);
bool        dsp_dtype_is_integer(int32_t dtype);      /* whole bytes, bool included */
/* A tensor as an array: borrowed from the message where its bytes are row-major already, else in the graph's arena. *dense is
 * false for what dsp_array cannot hold (strings, elements below a byte): checked all the same. what: for messages. */
DSP_MUST_USE dsp_status dsp_tensor_array(dsp_model *m, const Onnx__TensorProto *t, const char *what, dsp_array *out, bool *dense, dsp_err *err);
/* File and offset of a tensor whose data dsp_tensor_array has read; file is DSP_NONE for data inside the message. */
dsp_data_place dsp_tensor_place(const dsp_model *m, const Onnx__TensorProto *t);
void dsp_data_files_release(dsp_model *m);
/* Opens dir/location for reading without following a symbolic link in location; -1 and errno. */
int dsp_open_inside(const char *dir, const char *location);

/* ---- building messages (build.c) ---- */
Onnx__ValueInfoProto *dsp_build_value(dsp_arena *a, const dsp_value *v);                    /* name only when the type is unknown */
Onnx__TensorProto    *dsp_build_tensor(dsp_arena *a, const char *name, const dsp_array *x); /* borrows x's data */
/* Where the large external data of initializers are looked for by the reader of a built message: nowhere (they are put inside), beside the
 * original model, or beside the segment, as weights_<file number>.bin. */
typedef enum { DSP_DATA_INSIDE, DSP_DATA_BY_MODEL, DSP_DATA_BY_SEGMENT } dsp_data_mode;
/* Whether v's data stay in a file of their own: of at least 1 KiB, in a model with at least 16 MiB of external data. */
bool dsp_value_shared(const dsp_graph *g, uint32_t v);
/* The folder for a session over messages built in the mode DSP_DATA_BY_MODEL: g's, or NULL when all data are inside. */
const char *dsp_data_dir(const dsp_graph *g);
/* The initializer of v as written to a file of its own: the original message, or one made from its external data. */
const Onnx__TensorProto *dsp_build_initializer(dsp_arena *a, const dsp_graph *g, uint32_t v, dsp_data_mode mode);
/* A model with g's operator sets and functions around graph. ir: at least this version. *data is the caller's. */
DSP_MUST_USE dsp_status dsp_build_pack(uint8_t **data, size_t *len, const dsp_graph *g, const Onnx__GraphProto *graph, int64_t ir, dsp_err *err);

#endif
