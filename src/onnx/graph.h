/* An ONNX model as a graph of nodes over named values: loaded from hostile bytes, folded, shapes inferred.
 *
 * Values are graph inputs, initializers and node outputs; every name is one value. Nodes stand in file order (which is a
 * topological order, checked). Leading dimensions that are symbolic are bound to 1 unless told otherwise.
 */
#ifndef DSP_ONNX_GRAPH_H
#define DSP_ONNX_GRAPH_H

#include "base/mem.h"
#include "hash/hash.h"

enum { DSP_MAX_RANK = 8 };
#ifndef DSP_NONE
#define DSP_NONE UINT32_MAX
#endif
/* ONNX TensorProto.DataType */
enum { DSP_DT_UNKNOWN = 0, DSP_DT_FLOAT = 1, DSP_DT_UINT8 = 2, DSP_DT_INT8 = 3, DSP_DT_INT32 = 6, DSP_DT_INT64 = 7, DSP_DT_STRING = 8,
       DSP_DT_BOOL = 9, DSP_DT_FLOAT16 = 10, DSP_DT_DOUBLE = 11 };

/* A dense constant or run-time tensor; data is row-major, host order. */
typedef struct {
    int32_t  dtype;
    uint32_t rank;
    int64_t  dims[DSP_MAX_RANK];
    size_t   count, bytes;      /* elements; bytes of data */
    const void *data;
} dsp_array;

typedef struct {
    const char *name;
    int32_t     dtype;          /* 0: unknown */
    int32_t     rank;           /* -1: unknown */
    int64_t     dims[DSP_MAX_RANK];  /* -1: unknown (depends on data); symbolic ones are bound */
    uint32_t    producer;       /* node index, DSP_NONE for inputs and initializers */
    const dsp_array *constant;  /* initializer, Constant node or folded value; else NULL */
    bool        is_input, is_output, is_initializer;
} dsp_value;

typedef struct {
    const char     *name, *op, *domain;   /* domain "" is ai.onnx */
    uint32_t        index, n_in, n_out;
    const uint32_t *in, *out;             /* value indices, DSP_NONE for an empty optional name */
    bool            folded;               /* depends on constants (or known shapes) only; whole-number outputs have constant set
                                             after dsp_graph_infer, float ones where they are Constant or a reshaped constant */
    const void     *proto;                /* for attribute access */
} dsp_node;

typedef struct dsp_graph {
    uint32_t    n_nodes, n_values, n_inputs, n_outputs;
    dsp_node   *nodes;
    dsp_value  *values;
    uint32_t   *inputs, *outputs;         /* values, in file order; initializers left out of inputs */
    int64_t     opset;                    /* default domain */
    int64_t     ir_version;
    dsp_digest  digest;                   /* SHA-256 of the model file's bytes (and of external data after it, when there is any) */
    const uint8_t *bytes; size_t len;     /* the file */
    char       *dir;                      /* its folder, for external data */
    void       *proto;                    /* ModelProto */
    dsp_arena  *arena;
} dsp_graph;

typedef struct { const char *name; int64_t value; } dsp_dim_bind;

/* Loads and checks a model: pre-scan (nesting, lengths), parse, names, topological order, initializers (external data inside the
 * model's folder only), constants. Shapes come from dsp_graph_infer. Memory until it is refused: below 64 MiB + 4 times
 * the file. Fails: DSP_E_MISSING, DSP_E_FORMAT, DSP_E_UNSUPPORTED. */
DSP_MUST_USE dsp_status dsp_graph_load(dsp_graph **g, const char *path, const dsp_dim_bind *binds, size_t n_binds, dsp_err *err);
void dsp_graph_free(dsp_graph *g);
uint32_t dsp_graph_find(const dsp_graph *g, const char *value_name);     /* DSP_NONE: no such value */

/* Attributes of a node; false when absent (out unchanged). Pointers are borrowed from the graph. */
bool dsp_attr_int(const dsp_node *n, const char *name, int64_t *out);
bool dsp_attr_float(const dsp_node *n, const char *name, float *out);
bool dsp_attr_string(const dsp_node *n, const char *name, const char **s, size_t *len);
bool dsp_attr_ints(const dsp_node *n, const char *name, const int64_t **v, size_t *count);
bool dsp_attr_floats(const dsp_node *n, const char *name, const float **v, size_t *count);
/* A tensor attribute as an array in the graph's arena. */
bool dsp_attr_tensor(dsp_graph *g, const dsp_node *n, const char *name, const dsp_array **out);
bool dsp_attr_has(const dsp_node *n, const char *name);

/* Element i of a numeric array as double / int64 (any numeric dtype). */
double  dsp_array_f64(const dsp_array *a, size_t i);
int64_t dsp_array_i64(const dsp_array *a, size_t i);

/* Parameters and multiply-accumulates of a node for the inferred shapes; 0 where unknown. */
uint64_t dsp_node_params(const dsp_graph *g, const dsp_node *n);
uint64_t dsp_node_macs(const dsp_graph *g, const dsp_node *n);

#endif
