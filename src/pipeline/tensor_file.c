#include "pipeline/tensor_values.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/size.h"
#include "onnx/ort.h"

enum { MAX_FILE = 1 << 30 };

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

void dsp_dims_text(char *out, size_t cap, const int64_t *d, uint32_t rank)
{
    size_t at = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < rank && at + 24 < cap; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s%jd", i ? "x" : "", (intmax_t)d[i]);
    if (rank == 0)
        snprintf(out, cap, "scalar");
}

size_t dsp_dims_squeeze(int64_t *out, const int64_t *d, uint32_t rank)
{
    size_t n = 0;
    for (uint32_t i = 0; i < rank; i++)
        if (d[i] != 1)
            out[n++] = d[i];
    return n;
}

bool dsp_value_put(uint8_t *p, int32_t t, const dsp_jnum *v)
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

dsp_status dsp_value_refused(const dsp_tensor_spec *spec, const dsp_jnum *v, const char *what, dsp_err *err)
{
    return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": a finite value of type %s expected, %.17g found", what, spec->name, dsp_dtype_text(spec->dtype), v->d);
}

dsp_status dsp_spec_count(size_t *count, const dsp_tensor_spec *spec, const char *what, dsp_err *err)
{
    *count = 1;
    for (uint32_t i = 0; i < spec->rank; i++)
        if (spec->dims[i] < 0 || !dsp_mul_size(count, *count, (size_t)spec->dims[i]))
            return dsp_fail(err, DSP_E_UNSUPPORTED, "%s: \"%s\" has an unknown or impossible shape; bind it with --dim", what, spec->name);
    if (dsp_dtype_size(spec->dtype) == 0)
        return dsp_fail(err, DSP_E_UNSUPPORTED, "%s: \"%s\" has type %s, which tensor files cannot hold", what, spec->name, dsp_dtype_text(spec->dtype));
    return DSP_OK;
}

dsp_status dsp_spec_fits(const dsp_tensor_spec *spec, const int64_t *dims, uint32_t rank, const char *what, dsp_err *err)
{
    int64_t    a[32], b[DSP_MAX_RANK];
    size_t     want, found = 1;
    char       shape[128], other[256];
    dsp_status s = dsp_spec_count(&want, spec, what, err);
    if (s != DSP_OK)
        return s;
    dsp_dims_text(shape, sizeof shape, spec->dims, spec->rank);
    for (uint32_t i = 0; i < rank; i++)
        if (dims[i] < 0 || !dsp_mul_size(&found, found, (size_t)dims[i]))
            return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": %zu values expected (shape %s), too many found", what, spec->name, want, shape);
    if (found != want) {
        const bool batch = want && found > want && found % want == 0;
        return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": %zu values expected (shape %s), %zu found%s", what, spec->name, want, shape, found,
                        batch ? "; batches are not read" : "");
    }
    const size_t na = dsp_dims_squeeze(a, dims, rank), nb = dsp_dims_squeeze(b, spec->dims, spec->rank);
    if (na > 1 && (na != nb || memcmp(a, b, na * sizeof *a) != 0)) {
        dsp_dims_text(other, sizeof other, dims, rank);
        return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": shape %s or a flat list expected, %s found", what, spec->name, shape, other);
    }
    return DSP_OK;
}

dsp_status dsp_spec_room(dsp_array *a, uint8_t **p, const dsp_tensor_spec *spec, const char *what, dsp_err *err)
{
    const size_t size = dsp_dtype_size(spec->dtype);
    size_t       count;
    dsp_status   s = dsp_spec_count(&count, spec, what, err);
    if (s != DSP_OK)
        return s;
    *p = dsp_calloc(count, size);
    if (!*p)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for \"%s\"", what, spec->name);
    *a = (dsp_array){.dtype = spec->dtype, .rank = spec->rank, .count = count, .bytes = count * size, .data = *p};
    memcpy(a->dims, spec->dims, sizeof a->dims);
    return DSP_OK;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

dsp_status dsp_tensors_load(dsp_array *out, const dsp_tensor_spec *spec, size_t n, const char *path, bool outputs, dsp_err *err)
{
    static const uint8_t npy[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    uint8_t              start[6];
    struct stat          st;
    dsp_status           s = DSP_OK;
    memset(out, 0, n * sizeof *out);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? dsp_fail(err, DSP_E_MISSING, "%s: no such file", path)
                                                   : dsp_fail(err, DSP_E_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        s = dsp_fail(err, DSP_E_IO, "%s: not a regular file", path);
        goto done;
    }
    if (st.st_size > MAX_FILE) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: at most %d bytes expected, %jd found", path, MAX_FILE, (intmax_t)st.st_size);
        goto done;
    }
    const bool is_npy = pread(fd, start, sizeof start, 0) == (ssize_t)sizeof start && memcmp(start, npy, sizeof npy) == 0, is_proto = ends_with(path, ".pb");
    if ((is_npy || is_proto) && n != 1)
        s = dsp_fail(err, DSP_E_FORMAT, "%s: %zu tensors expected, a file of this kind holds 1; use JSON", path, n);
    else if (is_npy)
        s = dsp_tensor_read_npy(out, spec, fd, (uint64_t)st.st_size, path, err);
    else if (is_proto)
        s = dsp_tensor_read_proto(out, spec, fd, (uint64_t)st.st_size, path, err);
    else
        s = dsp_tensors_read_json(out, spec, n, fd, path, outputs, err);
done:
    close(fd);
    return s;
}
