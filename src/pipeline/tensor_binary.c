/* Tensors out of .npy files (NumPy's format 1.0 to 3.0) and ONNX TensorProto files. The bytes are anyone's. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/size.h"
#include "onnx/ort.h"
#include "pipeline/tensor_values.h"

enum { MAX_HEADER = 1 << 16, CHUNK = 1 << 16, MAX_DIMS = 32 };
enum { DT_UINT16 = 4, DT_INT16 = 5, DT_UINT32 = 12, DT_UINT64 = 13 };

static dsp_status read_at(void *p, size_t n, int fd, uint64_t at, const char *what, dsp_err *err)
{
    for (size_t k = 0; k < n;) {
        const ssize_t r = pread(fd, (uint8_t *)p + k, n - k, (off_t)(at + k));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return dsp_fail(err, DSP_E_IO, "%s: cannot read: %s", what, strerror(errno));
        if (r == 0)
            return dsp_fail(err, DSP_E_FORMAT, "%s: ends after %ju bytes", what, (uintmax_t)(at + k));
        k += (size_t)r;
    }
    return DSP_OK;
}

/* count values of type from, little-endian, into the declared type. */
static dsp_status convert(uint8_t *to, const dsp_tensor_spec *spec, const uint8_t *p, int32_t from, size_t count, const char *what, dsp_err *err)
{
    const dsp_array a = {.dtype = from, .count = count, .data = p};
    const bool      real = from == DSP_DT_FLOAT || from == DSP_DT_DOUBLE || from == DSP_DT_FLOAT16;
    const size_t    size = dsp_dtype_size(spec->dtype);
    for (size_t i = 0; i < count; i++, to += size) {
        dsp_jnum x = {.d = dsp_array_f64(&a, i)};
        if (!real && (from != DT_UINT64 || x.d < 0x1p63)) {
            x.i = dsp_array_i64(&a, i);
            x.exact = true;
        }
        if (!isfinite(x.d) || !dsp_value_put(to, spec->dtype, &x))
            return dsp_value_refused(spec, &x, what, err);
    }
    return DSP_OK;
}

/* ---- .npy ---- */

static const struct { const char *descr; int32_t dtype; uint8_t size; } kinds[] = {
    {"|b1", DSP_DT_BOOL, 1}, {"|u1", DSP_DT_UINT8, 1}, {"|i1", DSP_DT_INT8, 1}, {"<u2", DT_UINT16, 2}, {"<i2", DT_INT16, 2}, {"<u4", DT_UINT32, 4},
    {"<i4", DSP_DT_INT32, 4}, {"<u8", DT_UINT64, 8}, {"<i8", DSP_DT_INT64, 8}, {"<f2", DSP_DT_FLOAT16, 2}, {"<f4", DSP_DT_FLOAT, 4}, {"<f8", DSP_DT_DOUBLE, 8}};

/* Just after the colon of 'key': in the header; NULL. */
static const char *entry(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *s = strstr(header, quoted);
    if (!s)
        return NULL;
    for (s += strlen(quoted); *s == ' '; s++)
        ;
    if (*s++ != ':')
        return NULL;
    while (*s == ' ')
        s++;
    return s;
}

/* "(1, 3, 32)", "(5,)", "()". */
static bool tuple(const char *s, int64_t *dims, uint32_t *rank)
{
    if (!s || *s++ != '(')
        return false;
    for (*rank = 0;;) {
        while (*s == ' ')
            s++;
        if (*s == ')')
            return true;
        if (*rank == MAX_DIMS || !isdigit((unsigned char)*s))
            return false;
        int64_t v = 0;
        for (; isdigit((unsigned char)*s); s++)
            if ((v = v * 10 + (*s - '0')) > INT64_C(1) << 40)
                return false;
        dims[(*rank)++] = v;
        while (*s == ' ')
            s++;
        if (*s == ',')
            s++;
        else if (*s != ')')
            return false;
    }
}

dsp_status dsp_tensor_read_npy(dsp_array *out, const dsp_tensor_spec *spec, int fd, uint64_t len, const char *what, dsp_err *err)
{
    uint8_t    head[12], *buf = NULL, *p;
    int64_t    dims[MAX_DIMS];
    uint32_t   rank;
    size_t     kind = 0, count;
    dsp_status s = read_at(head, sizeof head, fd, 0, what, err);
    if (s != DSP_OK)
        return s;
    const uint64_t start = head[6] == 1 ? 10 : 12;
    const uint32_t n = head[6] == 1 ? (uint32_t)(head[8] | head[9] << 8) : (uint32_t)head[8] | (uint32_t)head[9] << 8 | (uint32_t)head[10] << 16 | (uint32_t)head[11] << 24;
    if (head[6] < 1 || head[6] > 3 || n > MAX_HEADER || start + n > len)
        return dsp_fail(err, DSP_E_FORMAT, "%s: a .npy header of version 1 to 3 and at most %d bytes expected", what, MAX_HEADER);
    buf = dsp_calloc(n + 1 > CHUNK ? n + 1 : CHUNK, 1);
    if (!buf)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", what);
    if ((s = read_at(buf, n, fd, start, what, err)) != DSP_OK)
        goto done;
    const char *text = (const char *)buf, *descr = entry(text, "descr"), *order = entry(text, "fortran_order");
    while (kind < sizeof kinds / sizeof *kinds &&
           !(descr && strlen(descr) > 5 && (*descr == '\'' || *descr == '"') && strncmp(descr + 1, kinds[kind].descr, 3) == 0 && descr[4] == *descr))
        kind++;
    if (kind == sizeof kinds / sizeof *kinds) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: little-endian numbers of 1 to 8 bytes expected, %.16s found", what, descr ? descr : "no descr");
        goto done;
    }
    if (!order || strncmp(order, "False", 5) != 0) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: rows in C order expected (fortran_order False)", what);
        goto done;
    }
    if (!tuple(entry(text, "shape"), dims, &rank)) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: no shape that can be read", what);
        goto done;
    }
    if ((s = dsp_spec_fits(spec, dims, rank, what, err)) != DSP_OK || (s = dsp_spec_count(&count, spec, what, err)) != DSP_OK)
        goto done;
    const uint64_t data = start + n;
    if (len - data != (uint64_t)count * kinds[kind].size) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: %ju bytes of data expected, %ju found", what, (uintmax_t)count * kinds[kind].size, (uintmax_t)(len - data));
        goto done;
    }
    if ((s = dsp_spec_room(out, &p, spec, what, err)) != DSP_OK)
        goto done;
    for (size_t i = 0, step = CHUNK / kinds[kind].size; i < count && s == DSP_OK; i += step) {
        const size_t k = count - i < step ? count - i : step;
        s = read_at(buf, k * kinds[kind].size, fd, data + (uint64_t)i * kinds[kind].size, what, err);
        if (s == DSP_OK)
            s = convert(p + i * dsp_dtype_size(spec->dtype), spec, buf, kinds[kind].dtype, k, what, err);
    }
    if (s != DSP_OK)
        dsp_array_release(out);
done:
    dsp_free(buf);
    return s;
}

/* ---- TensorProto ---- */

static bool varint(dsp_rd *rd, uint64_t *v)
{
    *v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        const uint8_t b = dsp_rd_u8(rd);
        if (rd->bad)
            return false;
        if (shift == 63 && b > 1)
            break;
        *v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128))
            return true;
    }
    dsp_rd_fail(rd, DSP_E_FORMAT, "a number that does not end");
    return false;
}

typedef struct {
    int64_t  dims[MAX_DIMS];
    uint32_t rank;
    int32_t  dtype;
    dsp_rd   raw;                /* raw_data */
    bool     has_raw;
} proto;

/* Numbers in a typed field: fixed width 4 or 8, or varints (width 0); packed or one at a time. out NULL: only counts. */
typedef struct { uint8_t *out; size_t n, max; const dsp_tensor_spec *spec; const char *what; dsp_err *err; int32_t dtype; } sink;

static dsp_status put(sink *k, double d, int64_t i, bool exact)
{
    const dsp_jnum x = {d, i, exact};
    if (k->n++ >= k->max)
        return DSP_OK;
    if (!isfinite(d) || !dsp_value_put(k->out, k->spec->dtype, &x))
        return dsp_value_refused(k->spec, &x, k->what, k->err);
    k->out += dsp_dtype_size(k->spec->dtype);
    return DSP_OK;
}

/* One element of a typed field at the cursor, as the element type has it. */
static dsp_status element(sink *k, dsp_rd *rd, unsigned width)
{
    uint64_t v = 0;
    if (width == 0 ? !varint(rd, &v) : (v = width == 4 ? dsp_rd_u32(rd) : dsp_rd_u64(rd), rd->bad))
        return dsp_rd_done(rd, false);
    if (width) {
        uint8_t bytes[8];
        dsp_put64(bytes, v);
        const dsp_array a = {.dtype = width == 4 ? DSP_DT_FLOAT : DSP_DT_DOUBLE, .count = 1, .data = bytes};
        return put(k, dsp_array_f64(&a, 0), 0, false);
    }
    if (k->dtype == DSP_DT_FLOAT16) {
        const uint16_t  h = (uint16_t)v;
        const dsp_array a = {.dtype = DSP_DT_FLOAT16, .count = 1, .data = &h};
        return put(k, dsp_array_f64(&a, 0), 0, false);
    }
    if (k->dtype == DT_UINT64 && v > INT64_MAX)
        return put(k, (double)v, 0, false);
    return put(k, (double)(int64_t)v, (int64_t)v, true);
}

/* Which typed field holds elements of this type. */
static uint64_t field_of(int32_t dtype)
{
    switch (dtype) {
    case DSP_DT_FLOAT: return 4;
    case DSP_DT_DOUBLE: return 10;
    case DSP_DT_INT64: return 7;
    case DT_UINT32: case DT_UINT64: return 11;
    default: return 5;
    }
}

static size_t width_of(int32_t dtype)
{
    switch (dtype) {
    case DSP_DT_UINT8: case DSP_DT_INT8: case DSP_DT_BOOL: return 1;
    case DT_UINT16: case DT_INT16: case DSP_DT_FLOAT16: return 2;
    case DSP_DT_FLOAT: case DSP_DT_INT32: case DT_UINT32: return 4;
    case DSP_DT_DOUBLE: case DSP_DT_INT64: case DT_UINT64: return 8;
    default: return 0;
    }
}

/* One walk over the fields: without sink for shape and type, with one for the numbers of its typed field. */
static dsp_status walk(proto *t, sink *k, const uint8_t *p, size_t len, const char *what, dsp_err *err)
{
    dsp_rd   rd, sub;
    uint64_t tag, v;
    dsp_rd_init(&rd, p, len, what, err);
    while (dsp_rd_left(&rd)) {
        if (!varint(&rd, &tag))
            break;
        const uint64_t field = tag >> 3;
        const unsigned wire = tag & 7;
        const uint8_t *bytes = NULL;
        if (wire == 0 && !(k && field == field_of(k->dtype))) {
            if (!varint(&rd, &v))
                break;
            if (!k && field == 1) {
                if (t->rank == MAX_DIMS || v > (uint64_t)1 << 40)
                    return dsp_rd_fail(&rd, DSP_E_FORMAT, "an impossible shape");
                t->dims[t->rank++] = (int64_t)v;
            } else if (!k && field == 2) {
                t->dtype = v > 100 ? 0 : (int32_t)v;
            } else if (field == 14 && v) {
                return dsp_rd_fail(&rd, DSP_E_FORMAT, "data in another file is not read here");
            }
            continue;
        }
        if (wire == 2) {
            if (!varint(&rd, &v) || v > dsp_rd_left(&rd) || !(bytes = dsp_rd_take(&rd, (size_t)v))) {
                if (!rd.bad)
                    dsp_rd_fail(&rd, DSP_E_FORMAT, "a field of %ju bytes does not fit", (uintmax_t)v);
                break;
            }
            dsp_rd_init(&sub, bytes, (size_t)v, what, err);
            if (!k && field == 1)
                while (dsp_rd_left(&sub)) {
                    if (!varint(&sub, &v) || t->rank == MAX_DIMS || v > (uint64_t)1 << 40)
                        return dsp_rd_fail(&sub, DSP_E_FORMAT, "an impossible shape");
                    t->dims[t->rank++] = (int64_t)v;
                }
            else if (!k && field == 9) {
                t->raw = sub;
                t->has_raw = true;
            } else if (field == 3 || field == 6 || field == 13)
                return dsp_rd_fail(&rd, DSP_E_FORMAT, "text, segments and data in other files are not read here");
            if (k && field == field_of(k->dtype))
                while (dsp_rd_left(&sub)) {
                    const dsp_status s = element(k, &sub, field == 4 ? 4 : field == 10 ? 8 : 0);
                    if (s != DSP_OK)
                        return s;
                }
            continue;
        }
        if (k && field == field_of(k->dtype) && (wire == 0 || (wire == 5 && field == 4) || (wire == 1 && field == 10))) {
            const dsp_status s = element(k, &rd, wire == 5 ? 4 : wire == 1 ? 8 : 0);
            if (s != DSP_OK)
                return s;
        } else if (wire == 5 || wire == 1) {
            dsp_rd_take(&rd, wire == 5 ? 4 : 8);
        } else {
            return dsp_rd_fail(&rd, DSP_E_FORMAT, "no field of a TensorProto");
        }
    }
    return dsp_rd_done(&rd, false);
}

dsp_status dsp_tensor_read_proto(dsp_array *out, const dsp_tensor_spec *spec, int fd, uint64_t len, const char *what, dsp_err *err)
{
    proto      t = {0};
    uint8_t   *p = NULL, *to;
    size_t     count;
    dsp_status s = DSP_OK;
    p = dsp_calloc((size_t)len + 1, 1);
    if (!p)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", what);
    if ((s = read_at(p, (size_t)len, fd, 0, what, err)) != DSP_OK || (s = walk(&t, NULL, p, (size_t)len, what, err)) != DSP_OK)
        goto done;
    const size_t width = width_of(t.dtype);
    if (width == 0) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: a TensorProto of numbers expected, element type %d found", what, t.dtype);
        goto done;
    }
    if ((s = dsp_spec_fits(spec, t.dims, t.rank, what, err)) != DSP_OK || (s = dsp_spec_count(&count, spec, what, err)) != DSP_OK)
        goto done;
    if (t.has_raw && t.raw.len != count * width) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: %zu bytes of data expected, %zu found", what, count * width, t.raw.len);
        goto done;
    }
    /* A number takes a byte at least: nothing is allocated for a shape that the file cannot fill. */
    if (!t.has_raw && count > len) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: %zu values expected, fewer found", what, count);
        goto done;
    }
    if ((s = dsp_spec_room(out, &to, spec, what, err)) != DSP_OK)
        goto done;
    if (t.has_raw) {
        s = convert(to, spec, t.raw.p, t.dtype, count, what, err);
    } else {
        sink k = {.out = to, .max = count, .spec = spec, .what = what, .err = err, .dtype = t.dtype};
        s = walk(&t, &k, p, (size_t)len, what, err);
        if (s == DSP_OK && k.n != count)
            s = dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": %zu values expected, %zu found", what, spec->name, count, k.n);
    }
    if (s != DSP_OK)
        dsp_array_release(out);
done:
    dsp_free(p);
    return s;
}
