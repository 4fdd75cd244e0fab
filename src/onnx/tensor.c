/* TensorProto -> array: element types, lengths, typed fields, external data. The bytes are hostile. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/size.h"
#include "onnx/internal.h"

enum { DT_UINT16 = 4, DT_INT16 = 5, DT_UINT32 = 12, DT_UINT64 = 13, DT_COMPLEX64 = 14, DT_COMPLEX128 = 15, DT_BFLOAT16 = 16,
       DT_LAST = 26 };
enum { MAP_BYTES = 1 << 20, MAP_ALIGN = 16 };
static const uint64_t external_max = (uint64_t)1 << 38;

static const struct { const char *name; uint8_t bits; } dtypes[DT_LAST + 1] = {
    {"undefined", 0}, {"float32", 32}, {"uint8", 8}, {"int8", 8}, {"uint16", 16}, {"int16", 16}, {"int32", 32}, {"int64", 64},
    {"string", 0}, {"bool", 8}, {"float16", 16}, {"float64", 64}, {"uint32", 32}, {"uint64", 64}, {"complex64", 64},
    {"complex128", 128}, {"bfloat16", 16}, {"float8e4m3fn", 8}, {"float8e4m3fnuz", 8}, {"float8e5m2", 8}, {"float8e5m2fnuz", 8},
    {"uint4", 4}, {"int4", 4}, {"float4e2m1", 4}, {"float8e8m0", 8}, {"uint2", 2}, {"int2", 2}};

unsigned    dsp_dtype_bits(int32_t t) { return t >= 0 && t <= DT_LAST ? dtypes[t].bits : 0; }
const char *dsp_dtype_name(int32_t t) { return t >= 0 && t <= DT_LAST ? dtypes[t].name : "unknown"; }
bool        dsp_dtype_is_float(int32_t t) { return t == DSP_DT_FLOAT || t == DSP_DT_FLOAT16 || t == DSP_DT_DOUBLE || t == DT_BFLOAT16; }
bool        dsp_dtype_is_integer(int32_t t)
{
    return (t >= DSP_DT_UINT8 && t <= DSP_DT_INT64) || t == DSP_DT_BOOL || t == DT_UINT32 || t == DT_UINT64;
}

static double half_to_double(uint16_t h)
{
    const int    e = h >> 10 & 31, m = h & 1023;
    const double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
    return h >> 15 ? -v : v;
}

double dsp_array_f64(const dsp_array *a, size_t i)
{
    const uint8_t *p = a->data;
    union { float f; uint32_t u; } x;
    uint16_t h;
    uint64_t u64;
    double   d;
    switch (a->dtype) {
    case DSP_DT_FLOAT: memcpy(&x.f, p + 4 * i, 4); return x.f;
    case DSP_DT_DOUBLE: memcpy(&d, p + 8 * i, 8); return d;
    case DSP_DT_FLOAT16: memcpy(&h, p + 2 * i, 2); return half_to_double(h);
    case DT_BFLOAT16: memcpy(&h, p + 2 * i, 2); x.u = (uint32_t)h << 16; return x.f;
    case DT_UINT64: memcpy(&u64, p + 8 * i, 8); return (double)u64;
    default: return (double)dsp_array_i64(a, i);
    }
}

int64_t dsp_array_i64(const dsp_array *a, size_t i)
{
    const uint8_t *p = a->data;
    int16_t  s16;
    uint16_t u16;
    int32_t  s32;
    uint32_t u32;
    int64_t  s64;
    switch (a->dtype) {
    case DSP_DT_BOOL: return p[i] != 0;
    case DSP_DT_UINT8: return p[i];
    case DSP_DT_INT8: return ((const int8_t *)p)[i];
    case DT_UINT16: memcpy(&u16, p + 2 * i, 2); return u16;
    case DT_INT16: memcpy(&s16, p + 2 * i, 2); return s16;
    case DSP_DT_INT32: memcpy(&s32, p + 4 * i, 4); return s32;
    case DT_UINT32: memcpy(&u32, p + 4 * i, 4); return u32;
    case DSP_DT_INT64: case DT_UINT64: memcpy(&s64, p + 8 * i, 8); return s64;
    case DSP_DT_FLOAT: case DSP_DT_FLOAT16: case DSP_DT_DOUBLE: case DT_BFLOAT16: {
        const double d = dsp_array_f64(a, i);
        return d >= 0x1p63 ? INT64_MAX : d >= -0x1p63 ? (int64_t)d : d < 0 ? INT64_MIN : 0;
    }
    default: return 0;
    }
}

int dsp_open_inside(const char *dir, const char *location)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char part[256];
    while (fd >= 0) {
        const char  *slash = strchr(location, '/');
        const size_t n = slash ? (size_t)(slash - location) : strlen(location);
        if (n >= sizeof part) {
            close(fd);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(part, location, n);
        part[n] = 0;
        const int next = openat(fd, part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (slash ? O_DIRECTORY : 0));
        const int e = errno;
        close(fd);
        errno = e;
        fd = next;
        if (!slash)
            break;
        location = slash + 1;
    }
    return fd;
}

static bool decimal(const char *s, uint64_t *v)
{
    *v = 0;
    if (!*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || *v > (UINT64_MAX - 9) / 10)
            return false;
        *v = 10 * *v + (uint64_t)(*s - '0');
    }
    return true;
}

/* ---- external data ---- */

/* Its number; DSP_NONE when memory is short. */
static uint32_t data_file(dsp_model *m, const char *location)
{
    uint32_t i = m->n_data_files;
    while (i > 0 && strcmp(m->data_file[i - 1].location, location) != 0) /* the last one is the likeliest */
        i--;
    if (i > 0)
        return i - 1;
    if (m->n_data_files == m->cap_data_files) {
        const uint32_t cap = m->cap_data_files ? 2 * m->cap_data_files : 8;
        dsp_data_file *bigger = DSP_ARENA_N(m->g.arena, dsp_data_file, cap);
        if (!bigger)
            return DSP_NONE;
        if (m->n_data_files)
            memcpy(bigger, m->data_file, m->n_data_files * sizeof *bigger);
        m->data_file = bigger;
        m->cap_data_files = cap;
    }
    m->data_file[m->n_data_files].location = location;
    return m->n_data_files++;
}

void dsp_data_files_release(dsp_model *m)
{
    for (uint32_t i = 0; i < m->n_data_files; i++)
        if (m->data_file[i].map)
            munmap((void *)(uintptr_t)m->data_file[i].map, m->data_file[i].map_bytes);
    m->n_data_files = 0;
}

/* The file's bytes in memory, shared with the system's cache, so that weights take no memory of their own; NULL: they are read instead. Who
 * cuts the file short while the graph is in use ends the program. */
static const uint8_t *map_file(dsp_data_file *f, int fd, uint64_t size)
{
    if (!f->map && size <= SIZE_MAX) {
        void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
        f->map = p == MAP_FAILED ? NULL : p;
        f->map_bytes = (size_t)size;
    }
    return f->map && f->map_bytes == size ? f->map : NULL;
}

dsp_data_place dsp_tensor_place(const dsp_model *m, const Onnx__TensorProto *t)
{
    dsp_data_place at = {DSP_NONE, 0};
    for (size_t i = 0; t->data_location == 1 && i < t->n_external_data; i++) {
        const char *k = dsp_text(t->external_data[i]->key), *v = dsp_text(t->external_data[i]->value);
        if (!strcmp(k, "offset"))
            decimal(v, &at.offset);
        for (uint32_t f = m->n_data_files; f-- > 0 && !strcmp(k, "location");)
            if (!strcmp(m->data_file[f].location, v)) {
                at.file = f;
                break;
            }
    }
    return at;
}

/* want bytes of external data: mapped, or read into the graph's arena. */
static dsp_status read_external(dsp_model *m, const Onnx__TensorProto *t, const char *what, size_t want, const void **data, dsp_err *err)
{
    const char *location = NULL;
    uint64_t    offset = 0, length = want;
    for (size_t i = 0; i < t->n_external_data; i++) {
        const char *k = dsp_text(t->external_data[i]->key), *v = dsp_text(t->external_data[i]->value);
        if (!strcmp(k, "location"))
            location = v;
        else if ((!strcmp(k, "offset") && !decimal(v, &offset)) || (!strcmp(k, "length") && !decimal(v, &length)))
            return dsp_fail(err, DSP_E_FORMAT, "%s: external data: %s is no number: \"%s\"", what, k, v);
    }
    if (!location || !dsp_path_is_safe(location))
        return dsp_fail(err, DSP_E_FORMAT, "%s: external data: a path inside the model's folder expected, \"%s\" found", what, dsp_text(location));
    if (length != want)
        return dsp_fail(err, DSP_E_FORMAT, "%s: external data: %zu bytes expected from the shape, length %ju found", what, want, (uintmax_t)length);
    if (want > external_max - m->external_bytes)
        return dsp_fail(err, DSP_E_LIMIT, "%s: external data: more than %ju bytes in all", what, (uintmax_t)external_max);
    const int fd = dsp_open_inside(m->g.dir, location);
    if (fd < 0)
        return errno == ENOENT
                   ? dsp_fail(err, DSP_E_MISSING, "%s: external data: no file %s beside the model", what, location)
                   : dsp_fail(err, DSP_E_FORMAT, "%s: external data: cannot open %s inside the model's folder (links are not followed): %s", what,
                              location, strerror(errno));
    struct stat st;
    dsp_status  s = DSP_OK;
    uint8_t    *p = NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: external data: %s is not a regular file", what, location);
        goto done;
    }
    if (offset > (uint64_t)st.st_size || length > (uint64_t)st.st_size - offset) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: external data: bytes %ju + %ju of %s, which has %jd", what, (uintmax_t)offset, (uintmax_t)length,
                     location, (intmax_t)st.st_size);
        goto done;
    }
    const uint32_t file = data_file(m, location);
    const uint8_t *map = file != DSP_NONE && want >= MAP_BYTES && offset % MAP_ALIGN == 0 ? map_file(&m->data_file[file], fd, (uint64_t)st.st_size) : NULL;
    if (map) {
        m->external_bytes += want;
        *data = map + offset;
        goto done;
    }
    p = file != DSP_NONE ? dsp_arena_raw(m->g.arena, want ? want : 1, 1) : NULL;
    if (!p) {
        s = dsp_fail(err, DSP_E_NOMEM, "%s: no memory for %zu bytes of external data", what, want);
        goto done;
    }
    for (size_t at = 0; at < want;) {
        const ssize_t k = pread(fd, p + at, want - at, (off_t)(offset + at));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            s = dsp_fail(err, DSP_E_IO, "%s: external data: reading %s stopped at byte %ju", what, location, (uintmax_t)(offset + at));
            goto done;
        }
        at += (size_t)k;
    }
    m->external_bytes += want;
    *data = p;
done:
    close(fd);
    return s;
}

/* int32_data holds every type of at most 32 bits but FLOAT; narrows to the element's size. */
static dsp_status narrow(dsp_model *m, const Onnx__TensorProto *t, const char *what, size_t n, unsigned bits, dsp_array *out, dsp_err *err)
{
    const bool is_signed = t->data_type == DSP_DT_INT8 || t->data_type == DT_INT16;
    const int64_t lo = is_signed ? -((int64_t)1 << (bits - 1)) : 0, hi = t->data_type == DSP_DT_BOOL ? 1 : ((int64_t)1 << (bits - is_signed)) - 1;
    uint8_t *p = dsp_arena_raw(m->g.arena, n ? n : 1, bits / 8);
    if (!p)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for %zu elements", what, n);
    for (size_t i = 0; i < n; i++) {
        const int32_t v = t->int32_data[i];
        if (v < lo || v > hi)
            return dsp_fail(err, DSP_E_FORMAT, "%s: element %zu is outside the range of %s", what, i, dsp_dtype_name(t->data_type));
        if (bits == 8) {
            p[i] = (uint8_t)v;
        } else {
            const uint16_t h = (uint16_t)v;
            memcpy(p + 2 * i, &h, 2);
        }
    }
    out->data = p;
    return DSP_OK;
}

static dsp_status wrong_count(dsp_err *err, const char *what, const char *field, size_t want, size_t have)
{
    return dsp_fail(err, DSP_E_FORMAT, "%s: %zu elements expected from the shape, %zu found in %s", what, want, have, field);
}

static dsp_status typed(dsp_model *m, const Onnx__TensorProto *t, const char *what, size_t n, unsigned bits, dsp_array *out, dsp_err *err)
{
    const int32_t dt = t->data_type;
    if (dt == DSP_DT_STRING)
        return t->n_string_data == n ? DSP_OK : wrong_count(err, what, "string_data", n, t->n_string_data);
    if (dt == DSP_DT_FLOAT || dt == DT_COMPLEX64) {
        const size_t k = dt == DSP_DT_FLOAT ? 1 : 2;
        out->data = t->float_data;
        return t->n_float_data / k == n && t->n_float_data % k == 0 ? DSP_OK : wrong_count(err, what, "float_data", n, t->n_float_data / k);
    }
    if (dt == DSP_DT_DOUBLE || dt == DT_COMPLEX128) {
        const size_t k = dt == DSP_DT_DOUBLE ? 1 : 2;
        out->data = t->double_data;
        return t->n_double_data / k == n && t->n_double_data % k == 0 ? DSP_OK : wrong_count(err, what, "double_data", n, t->n_double_data / k);
    }
    if (dt == DSP_DT_INT64) {
        out->data = t->int64_data;
        return t->n_int64_data == n ? DSP_OK : wrong_count(err, what, "int64_data", n, t->n_int64_data);
    }
    if (dt == DT_UINT64 || dt == DT_UINT32) {
        if (t->n_uint64_data != n)
            return wrong_count(err, what, "uint64_data", n, t->n_uint64_data);
        out->data = t->uint64_data;
        if (dt == DT_UINT32) {
            uint32_t *p = DSP_ARENA_RAW(m->g.arena, uint32_t, n ? n : 1);
            if (!p)
                return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for %zu elements", what, n);
            for (size_t i = 0; i < n; i++)
                p[i] = (uint32_t)t->uint64_data[i];
            out->data = p;
        }
        return DSP_OK;
    }
    if (bits < 8)  /* packed 8 / bits to a byte, a byte to an int32 */
        return t->n_int32_data == (n * bits + 7) / 8 ? DSP_OK : wrong_count(err, what, "int32_data (packed)", (n * bits + 7) / 8, t->n_int32_data);
    if (t->n_int32_data != n)
        return wrong_count(err, what, "int32_data", n, t->n_int32_data);
    out->data = t->int32_data;
    return dt == DSP_DT_INT32 ? DSP_OK : narrow(m, t, what, n, bits, out, err);
}

dsp_status dsp_tensor_array(dsp_model *m, const Onnx__TensorProto *t, const char *what, dsp_array *out, bool *dense, dsp_err *err)
{
    static const char empty[16] = {0};
    memset(out, 0, sizeof *out);
    out->dtype = t->data_type;
    const unsigned bits = dsp_dtype_bits(out->dtype);
    *dense = bits >= 8;
    if (t->data_type != DSP_DT_STRING && !bits)
        return dsp_fail(err, t->data_type > DT_LAST ? DSP_E_UNSUPPORTED : DSP_E_FORMAT, "%s: element type %d is not known", what, t->data_type);
    if (t->segment)
        return dsp_fail(err, DSP_E_UNSUPPORTED, "%s: a tensor stored in segments", what);
    if (t->n_dims > DSP_MAX_RANK)
        return dsp_fail(err, DSP_E_UNSUPPORTED, "%s: at most %d dimensions expected, %zu found", what, DSP_MAX_RANK, t->n_dims);
    size_t n = 1, total;
    bool   zero = false;
    for (size_t i = 0; i < t->n_dims; i++) {
        if (t->dims[i] < 0)
            return dsp_fail(err, DSP_E_FORMAT, "%s: dimension %zu is %jd", what, i, (intmax_t)t->dims[i]);
        out->dims[i] = t->dims[i];
        zero |= t->dims[i] == 0;
        if (t->dims[i] && ((uint64_t)t->dims[i] > SIZE_MAX / 16 || !dsp_mul_size(&n, n, (size_t)t->dims[i])))
            return dsp_fail(err, DSP_E_FORMAT, "%s: the product of the dimensions is too large", what);
    }
    if (!dsp_mul_size(&total, n, bits ? bits : 8))
        return dsp_fail(err, DSP_E_FORMAT, "%s: the product of the dimensions is too large", what);
    n = zero ? 0 : n;
    out->rank = (uint32_t)t->n_dims;
    out->count = n;
    out->bytes = zero ? 0 : total / 8 + (total % 8 != 0);

    const size_t n_typed = t->n_float_data + t->n_int32_data + t->n_string_data + t->n_int64_data + t->n_double_data + t->n_uint64_data;
    const uint16_t order = 1;
    uint8_t        low;
    memcpy(&low, &order, 1);
    dsp_status s = DSP_OK;
    if (t->data_location == 1) {
        if (t->has_raw_data || n_typed)
            return dsp_fail(err, DSP_E_FORMAT, "%s: data both inside and outside the file", what);
        if (!bits)
            return dsp_fail(err, DSP_E_FORMAT, "%s: text cannot be external data", what);
        s = read_external(m, t, what, out->bytes, &out->data, err);
        if (s == DSP_OK)
            dsp_sha_put(&m->sha, out->data, out->bytes);
    } else if (t->has_raw_data && (t->raw_data.len || !n_typed)) {
        if (n_typed || !bits)
            return dsp_fail(err, DSP_E_FORMAT, "%s: raw data beside typed data", what);
        if (t->raw_data.len != out->bytes)
            return dsp_fail(err, DSP_E_FORMAT, "%s: %zu bytes of raw data expected from the shape, %zu found", what, out->bytes, t->raw_data.len);
        out->data = t->raw_data.data;
    } else {
        s = typed(m, t, what, n, bits, out, err);
        low = 1;
    }
    if (s == DSP_OK && low != 1 && bits > 8)
        return dsp_fail(err, DSP_E_UNSUPPORTED, "%s: raw data on a big-endian machine", what);
    if (!out->data)
        out->data = empty;
    return s;
}
