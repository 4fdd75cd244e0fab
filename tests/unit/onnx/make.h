/* Small ONNX files for tests, written field by field, so that they can be wrong in any place. */
#ifndef DSP_TESTS_ONNX_MAKE_H
#define DSP_TESTS_ONNX_MAKE_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/mem.h"
#include "onnx/slice.h"
#include "unit/test.h"

/* A message being written; sub-messages are made apart and put in (which releases them). */
typedef dsp_buf msg;

static inline void put_varint(msg *m, uint64_t v)
{
    for (; v > 127; v >>= 7)
        dsp_buf_u8(m, (uint8_t)(v | 128));
    dsp_buf_u8(m, (uint8_t)v);
}
static inline void put_int(msg *m, unsigned field, int64_t v)
{
    put_varint(m, (uint64_t)field << 3);
    put_varint(m, (uint64_t)v);
}
static inline void put_bytes(msg *m, unsigned field, const void *p, size_t n)
{
    put_varint(m, (uint64_t)field << 3 | 2);
    put_varint(m, n);
    dsp_buf_put(m, p, n);
}
static inline void put_str(msg *m, unsigned field, const char *s) { put_bytes(m, field, s, strlen(s)); }
static inline void put_float(msg *m, unsigned field, float f)
{
    put_varint(m, (uint64_t)field << 3 | 5);
    dsp_buf_put(m, &f, 4);
}
static inline void put_msg(msg *m, unsigned field, msg sub)
{
    put_bytes(m, field, sub.p ? (const void *)sub.p : "", sub.len);
    dsp_buf_release(&sub);
}

/* ValueInfoProto of a tensor; dims end with -2, -1 stands for the symbolic name sym. */
static inline msg make_value(const char *name, int dtype, const int64_t *dims, const char *sym)
{
    msg v = {0}, type = {0}, tensor = {0}, shape = {0};
    for (; *dims != -2; dims++) {
        msg d = {0};
        if (*dims == -1)
            put_str(&d, 2, sym ? sym : "");
        else
            put_int(&d, 1, *dims);
        put_msg(&shape, 1, d);
    }
    put_int(&tensor, 1, dtype);
    put_msg(&tensor, 2, shape);
    put_msg(&type, 1, tensor);
    put_str(&v, 1, name);
    put_msg(&v, 2, type);
    return v;
}
#define DIMS(...) ((const int64_t[]){__VA_ARGS__, -2})
#define SCALAR ((const int64_t[]){-2})

/* TensorProto with raw data. */
static inline msg make_tensor(const char *name, int dtype, const int64_t *dims, const void *raw, size_t n)
{
    msg t = {0};
    for (; *dims != -2; dims++)
        put_int(&t, 1, *dims);
    put_int(&t, 2, dtype);
    if (name)
        put_str(&t, 8, name);
    if (raw)
        put_bytes(&t, 9, raw, n);
    return t;
}

/* NodeProto; in and out are blank-separated names, "_" stands for an empty one. Attributes are put afterwards as field 5. */
static inline msg make_node(const char *op, const char *in, const char *out)
{
    msg         n = {0};
    const char *lists[2] = {in, out};
    for (unsigned k = 0; k < 2; k++)
        for (const char *s = lists[k]; *s;) {
            const size_t len = strcspn(s, " ");
            put_bytes(&n, k + 1, s, len == 1 && *s == '_' ? 0 : len);
            s += len + (s[len] == ' ');
        }
    put_str(&n, 4, op);
    return n;
}
static inline void attr_int(msg *node, const char *name, int64_t v)
{
    msg a = {0};
    put_str(&a, 1, name);
    put_int(&a, 3, v);
    put_int(&a, 20, 2);
    put_msg(node, 5, a);
}
static inline void attr_ints(msg *node, const char *name, const int64_t *v, size_t n)
{
    msg a = {0};
    put_str(&a, 1, name);
    for (size_t i = 0; i < n; i++)
        put_int(&a, 8, v[i]);
    put_int(&a, 20, 7);
    put_msg(node, 5, a);
}
static inline void attr_tensor(msg *node, const char *name, msg tensor)
{
    msg a = {0};
    put_str(&a, 1, name);
    put_msg(&a, 5, tensor);
    put_int(&a, 20, 4);
    put_msg(node, 5, a);
}
static inline void attr_graph(msg *node, const char *name, msg graph)
{
    msg a = {0};
    put_str(&a, 1, name);
    put_msg(&a, 6, graph);
    put_int(&a, 20, 5);
    put_msg(node, 5, a);
}

enum { G_NODE = 1, G_NAME = 2, G_INIT = 5, G_INPUT = 11, G_OUTPUT = 12 };

/* ModelProto around a graph. */
static inline msg make_model(msg graph, int ir, int opset)
{
    msg m = {0}, set = {0};
    put_int(&m, 1, ir);
    put_str(&set, 1, "");
    put_int(&set, 2, opset);
    put_msg(&m, 8, set);
    put_str(&graph, G_NAME, "g");
    put_msg(&m, 7, graph);
    return m;
}

/* A folder of its own for a test; removed by rm_dir with all it holds. */
static inline char *temp_dir(void)
{
    char *d = dsp_strdup("/tmp/dsperse-onnx-XXXXXX");
    assert_non_null(d);
    assert_non_null(mkdtemp(d));
    return d;
}
static inline void rm_dir(char *d)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", d);
    assert_int_equal(system(command), 0);
    dsp_free(d);
}
static inline char *in_dir(const char *dir, const char *name)
{
    char *p = dsp_path_join(dir, name);
    assert_non_null(p);
    return p;
}
static inline void save(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Loads bytes as dir/model.onnx. */
static inline dsp_status load_bytes(dsp_graph **g, const char *dir, const void *p, size_t n, const dsp_dim_bind *binds, size_t n_binds, dsp_err *err)
{
    char *path = in_dir(dir, "model.onnx");
    save(path, p, n);
    const dsp_status s = dsp_graph_load(g, path, binds, n_binds, err);
    dsp_free(path);
    return s;
}
/* Takes model. */
static inline dsp_status load_msg(dsp_graph **g, const char *dir, msg model, dsp_err *err)
{
    const dsp_status s = load_bytes(g, dir, model.p, model.len, NULL, 0, err);
    dsp_buf_release(&model);
    return s;
}

/* The runtime, or NULL with a note: DSPERSE_ORT, else deps/onnxruntime of the source folder. */
static inline dsp_ort *find_ort(void)
{
    const char *named = getenv("DSPERSE_ORT");
    const char *const candidates[] = {named ? named : DSP_SOURCE_DIR "/deps/onnxruntime", named ? DSP_SOURCE_DIR "/deps/onnxruntime" : NULL, NULL};
    dsp_ort *o = NULL;
    dsp_err  err;
    if (dsp_ort_open(&o, candidates, &err) != DSP_OK)
        printf("SKIP: %s\n", err.msg);
    return o;
}

#endif
