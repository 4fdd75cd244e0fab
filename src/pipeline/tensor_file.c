#include "pipeline/tensor_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"
#include "onnx/ort.h"

size_t dsp_dtype_size(int32_t t)
{
    switch (t) {
    case DSP_DT_FLOAT: case DSP_DT_INT32: return 4;
    case DSP_DT_INT64: case DSP_DT_DOUBLE: return 8;
    case DSP_DT_UINT8: case DSP_DT_INT8: case DSP_DT_BOOL: return 1;
    default: return 0;
    }
}

const char *dsp_dtype_text(int32_t t)
{
    switch (t) {
    case DSP_DT_FLOAT:   return "float32";
    case DSP_DT_UINT8:   return "uint8";
    case DSP_DT_INT8:    return "int8";
    case DSP_DT_INT32:   return "int32";
    case DSP_DT_INT64:   return "int64";
    case DSP_DT_STRING:  return "string";
    case DSP_DT_BOOL:    return "bool";
    case DSP_DT_FLOAT16: return "float16";
    case DSP_DT_DOUBLE:  return "float64";
    default:             return "unknown";
    }
}

dsp_digest dsp_arrays_digest(const dsp_array *a, size_t n)
{
    dsp_sha s;
    dsp_sha_init(&s);
    dsp_sha_text(&s, "dsperse tensors");
    for (size_t i = 0; i < n; i++) {
        dsp_sha_u32(&s, (uint32_t)a[i].dtype);
        dsp_sha_u32(&s, a[i].rank);
        for (uint32_t k = 0; k < a[i].rank; k++)
            dsp_sha_u64(&s, (uint64_t)a[i].dims[k]);
        dsp_sha_u64(&s, a[i].bytes);
        dsp_sha_put(&s, a[i].data, a[i].bytes);
    }
    return dsp_sha_digest(&s);
}

static void dims_text(char *out, size_t cap, const int64_t *d, uint32_t rank)
{
    size_t at = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < rank && at + 24 < cap; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s%jd", i ? "x" : "", (intmax_t)d[i]);
    if (rank == 0)
        snprintf(out, cap, "scalar");
}

/* Shape of nested lists of equal length; false when they are ragged or hold something else. */
static bool nested_shape(const dsp_jnode *n, int64_t *dims, uint32_t *rank, uint32_t depth)
{
    if (n->kind == DSP_J_NUMBER) {
        *rank = depth;
        return true;
    }
    if (depth == 32 || (n->kind != DSP_J_NUMBERS && n->kind != DSP_J_ARRAY))
        return false;
    dims[depth] = (int64_t)n->count;
    if (n->kind == DSP_J_NUMBERS) {
        *rank = depth + 1;
        return true;
    }
    if (!nested_shape(n->item[0], dims, rank, depth + 1))
        return false;
    for (size_t i = 1; i < n->count; i++) {
        int64_t  d2[32];
        uint32_t r2 = 0;
        if (!nested_shape(n->item[i], d2, &r2, depth + 1) || r2 != *rank ||
            memcmp(d2 + depth + 1, dims + depth + 1, (*rank - depth - 1) * sizeof *dims) != 0)
            return false;
    }
    return true;
}

static size_t squeeze_ones(int64_t *out, const int64_t *d, uint32_t rank)
{
    size_t n = 0;
    for (uint32_t i = 0; i < rank; i++)
        if (d[i] != 1)
            out[n++] = d[i];
    return n;
}

/* Writes one number as the declared type. False when it does not fit. */
static bool put(uint8_t *p, int32_t t, const dsp_jnum *v)
{
    const bool    integer = v->exact || (floor(v->d) == v->d && fabs(v->d) < 0x1p62);
    const int64_t i = v->exact ? v->i : integer ? (int64_t)v->d : 0;
    float         f;
    int32_t       i32;
    switch (t) {
    case DSP_DT_FLOAT:
        f = (float)v->d;
        if (!isfinite(f))
            return false;
        memcpy(p, &f, 4);
        return true;
    case DSP_DT_DOUBLE:
        memcpy(p, &v->d, 8);
        return true;
    case DSP_DT_INT64:
        memcpy(p, &i, 8);
        return integer;
    case DSP_DT_INT32:
        i32 = (int32_t)i;
        memcpy(p, &i32, 4);
        return integer && i == i32;
    case DSP_DT_UINT8:
        *p = (uint8_t)i;
        return integer && i >= 0 && i <= 255;
    case DSP_DT_INT8:
        *p = (uint8_t)i;
        return integer && i >= -128 && i <= 127;
    case DSP_DT_BOOL:
        *p = i != 0;
        return integer && (i == 0 || i == 1);
    default:
        return false;
    }
}

static bool fill(uint8_t **p, int32_t t, const dsp_jnode *n, const dsp_jnum **bad)
{
    const size_t size = dsp_dtype_size(t);
    if (n->kind == DSP_J_ARRAY) {
        for (size_t i = 0; i < n->count; i++)
            if (!fill(p, t, n->item[i], bad))
                return false;
        return true;
    }
    for (size_t i = 0; i < n->count; i++, *p += size)
        if (!put(*p, t, &n->num[i])) {
            *bad = &n->num[i];
            return false;
        }
    return true;
}

static dsp_status one(dsp_array *out, const dsp_tensor_spec *spec, const dsp_jnode *n, const char *what, dsp_err *err)
{
    int64_t  got[32], a[32], b[DSP_MAX_RANK];
    uint32_t rank = 0;
    size_t   want = 1, found = 1;
    char     shape[128], other[256];
    for (uint32_t i = 0; i < spec->rank; i++)
        if (spec->dims[i] < 0 || !dsp_mul_size(&want, want, (size_t)spec->dims[i]))
            return dsp_fail(err, DSP_E_UNSUPPORTED, "%s: \"%s\" has an unknown or impossible shape; bind it with --dim", what, spec->name);
    dims_text(shape, sizeof shape, spec->dims, spec->rank);
    const size_t size = dsp_dtype_size(spec->dtype);
    if (size == 0)
        return dsp_fail(err, DSP_E_UNSUPPORTED, "%s: \"%s\" has type %s, which tensor files cannot hold", what, spec->name, dsp_dtype_text(spec->dtype));
    if (!nested_shape(n, got, &rank, 0))
        return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": numbers in lists of equal length expected (shape %s)", what, spec->name, shape);
    for (uint32_t i = 0; i < rank; i++)
        if (!dsp_mul_size(&found, found, (size_t)got[i]))
            return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": too many values", what, spec->name);
    if (found != want) {
        const bool batch = want && found > want && found % want == 0;
        return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": %zu values expected (shape %s), %zu found%s", what, spec->name, want, shape, found,
                        batch ? "; batches are not read" : "");
    }
    /* Flat, or the declared shape up to axes of 1. */
    const size_t na = squeeze_ones(a, got, rank), nb = squeeze_ones(b, spec->dims, spec->rank);
    if (na > 1 && (na != nb || memcmp(a, b, na * sizeof *a) != 0)) {
        dims_text(other, sizeof other, got, rank);
        return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": shape %s or a flat list expected, %s found", what, spec->name, shape, other);
    }
    uint8_t *p = dsp_calloc(want, size), *w = p;
    if (!p)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for \"%s\"", what, spec->name);
    const dsp_jnum *bad = NULL;
    if (!fill(&w, spec->dtype, n, &bad)) {
        dsp_free(p);
        return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": %.17g is not a value of type %s", what, spec->name, bad->d, dsp_dtype_text(spec->dtype));
    }
    memset(out, 0, sizeof *out);
    out->dtype = spec->dtype;
    out->rank = spec->rank;
    memcpy(out->dims, spec->dims, sizeof out->dims);
    out->count = want;
    out->bytes = want * size;
    out->data = p;
    return DSP_OK;
}

/* A list entry {name, data[, shape]}. */
static dsp_status check_entry_shape(const dsp_jnode *e, const dsp_tensor_spec *spec, const char *what, dsp_err *err)
{
    const dsp_jnode *sh = dsp_jnode_get(e, "shape");
    if (!sh)
        return DSP_OK;
    int64_t a[32], b[DSP_MAX_RANK];
    bool    ok = sh->kind == DSP_J_NUMBERS && sh->count <= 32;
    for (size_t i = 0; ok && i < sh->count; i++) {
        ok = sh->num[i].exact;
        a[i] = sh->num[i].i;
    }
    const size_t na = ok ? squeeze_ones(a, a, (uint32_t)sh->count) : 0, nb = squeeze_ones(b, spec->dims, spec->rank);
    if (!ok || na != nb || memcmp(a, b, na * sizeof *a) != 0) {
        char shape[128];
        dims_text(shape, sizeof shape, spec->dims, spec->rank);
        return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": shape %s expected, another one stated", what, spec->name, shape);
    }
    return DSP_OK;
}

static dsp_status pick(const dsp_jnode **v, const dsp_tensor_spec *spec, size_t n, size_t i, const dsp_jnode *root, const char *what, dsp_err *err)
{
    *v = NULL;
    if (root->kind == DSP_J_OBJECT) {
        *v = dsp_jnode_get(root, spec[i].name);
        if (*v && (*v)->kind == DSP_J_OBJECT)
            *v = dsp_jnode_get(*v, "data");
        if (!*v)
            return dsp_fail(err, DSP_E_FORMAT, "%s: no data for \"%s\"", what, spec[i].name);
        if (root->count != n)
            return dsp_fail(err, DSP_E_FORMAT, "%s: %zu tensors expected, %zu keys found", what, n, root->count);
        return DSP_OK;
    }
    if (root->kind == DSP_J_ARRAY && root->item[0]->kind == DSP_J_OBJECT) {
        if (root->count != n)
            return dsp_fail(err, DSP_E_FORMAT, "%s: %zu tensors expected, %zu found", what, n, root->count);
        for (size_t k = 0; k < root->count; k++) {
            const dsp_jnode *name = dsp_jnode_get(root->item[k], "name");
            if (n == 1 ? (!name || (name->kind == DSP_J_STRING && strcmp(name->text, spec[i].name) == 0))
                       : (name && name->kind == DSP_J_STRING && strcmp(name->text, spec[i].name) == 0)) {
                *v = dsp_jnode_get(root->item[k], "data");
                const dsp_status s = check_entry_shape(root->item[k], &spec[i], what, err);
                if (s != DSP_OK)
                    return s;
                break;
            }
        }
        return *v ? DSP_OK : dsp_fail(err, DSP_E_FORMAT, "%s: no entry with name and data for \"%s\"", what, spec[i].name);
    }
    if (root->kind != DSP_J_ARRAY && root->kind != DSP_J_NUMBERS)
        return dsp_fail(err, DSP_E_FORMAT, "%s: a list of numbers expected", what);
    if (n == 1) {
        *v = root;
        return DSP_OK;
    }
    if (root->kind != DSP_J_ARRAY || root->count != n)
        return dsp_fail(err, DSP_E_FORMAT, "%s: one list per tensor expected (%zu), %zu items found", what, n, root->count);
    *v = root->item[i];
    return DSP_OK;
}

dsp_status dsp_tensors_from_json(dsp_array *out, const dsp_tensor_spec *spec, size_t n, const dsp_jnode *root, const char *what, bool outputs,
                                 dsp_err *err)
{
    static const char *const keys[] = {"output_data", "outputs", "input_data", "input", "data", "inputs"};
    dsp_status s = DSP_OK;
    size_t     i = 0;
    memset(out, 0, n * sizeof *out);
    if (root->kind == DSP_J_OBJECT) {
        const dsp_jnode *v = NULL;
        for (size_t k = outputs ? 0 : 2; k < sizeof keys / sizeof *keys && !v; k++)
            v = dsp_jnode_get(root, keys[k]);
        if (!v)
            return dsp_fail(err, DSP_E_FORMAT, "%s: a list, or an object with %sinput_data, input, data or inputs expected", what,
                            outputs ? "output_data, outputs, " : "");
        root = v;
    }
    for (; i < n && s == DSP_OK; i++) {
        const dsp_jnode *v;
        s = pick(&v, spec, n, i, root, what, err);
        if (s == DSP_OK)
            s = one(&out[i], &spec[i], v, what, err);
    }
    if (s != DSP_OK)
        for (size_t k = 0; k < n; k++)
            dsp_array_release(&out[k]);
    return s;
}

dsp_status dsp_tensors_load(dsp_array *out, const dsp_tensor_spec *spec, size_t n, const char *path, bool outputs, dsp_err *err)
{
    dsp_jdoc  *doc = NULL;
    dsp_status s = dsp_jdoc_load(&doc, path, err);
    if (s == DSP_OK)
        s = dsp_tensors_from_json(out, spec, n, dsp_jdoc_root(doc), path, outputs, err);
    dsp_jdoc_free(doc);
    return s;
}
