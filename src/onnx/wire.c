#include "onnx/wire.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

typedef struct {
    const uint8_t *p;
    uint64_t       size, budget;       /* what parsing leaves: so far; allowed */
    uint64_t       passing, on_the_way; /* with what it holds for the messages it is in: so far; allowed */
    dsp_err       *err;
} scan;

static bool varint(const scan *s, size_t *at, size_t end, uint64_t *v)
{
    *v = 0;
    for (unsigned k = 0; k < 10; k++) {
        if (*at >= end)
            return false;
        const uint8_t b = s->p[(*at)++];
        *v |= (uint64_t)(b & 127) << 7 * k;
        if (!(b & 128))
            return k < 9 || b <= 1;
    }
    return false;
}

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LEN = 2, WIRE_32 = 5 };

static unsigned wire_of(ProtobufCType t)
{
    switch (t) {
    case PROTOBUF_C_TYPE_FLOAT: case PROTOBUF_C_TYPE_FIXED32: case PROTOBUF_C_TYPE_SFIXED32:
        return WIRE_32;
    case PROTOBUF_C_TYPE_DOUBLE: case PROTOBUF_C_TYPE_FIXED64: case PROTOBUF_C_TYPE_SFIXED64:
        return WIRE_64;
    case PROTOBUF_C_TYPE_STRING: case PROTOBUF_C_TYPE_BYTES: case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_LEN;
    default:
        return WIRE_VARINT;
    }
}

static dsp_status spend(scan *s, uint64_t n, size_t at)
{
    s->size += n;
    if (s->size > s->budget || s->size + s->passing > s->on_the_way)
        return dsp_fail(s->err, DSP_E_LIMIT, "ONNX bytes: byte %zu: parsing would take more than %ju bytes of memory", at,
                        (uintmax_t)(s->size > s->budget ? s->budget : s->on_the_way));
    return DSP_OK;
}

/* A packed list of numbers in [at, end). */
static dsp_status scan_packed(scan *s, size_t at, size_t end, unsigned wire, const char *field)
{
    uint64_t n = 0, v;
    if (wire != WIRE_VARINT) {
        const size_t k = wire == WIRE_32 ? 4 : 8;
        if ((end - at) % k)
            return dsp_fail(s->err, DSP_E_FORMAT, "ONNX bytes: byte %zu: %s: %zu bytes are no list of %zu-byte numbers", at, field, end - at, k);
        n = (end - at) / k;
    } else {
        for (size_t q = at; q < end; n++)
            if (!varint(s, &q, end, &v))
                return dsp_fail(s->err, DSP_E_FORMAT, "ONNX bytes: byte %zu: %s: number cut off or too long", q, field);
    }
    return spend(s, 8 * n, at);
}

static dsp_status scan_text(scan *s, size_t at, size_t len, const char *field)
{
    if (strcmp(field, "doc_string") != 0 && (!dsp_utf8_valid(s->p + at, len) || memchr(s->p + at, 0, len)))
        return dsp_fail(s->err, DSP_E_FORMAT, "ONNX bytes: byte %zu: %s: not UTF-8 text", at, field);
    return DSP_OK;
}

/* The parser lists the fields of a message, 40 bytes each in slabs that double, before it goes into any of them. */
static uint64_t field_list_bytes(const scan *s, size_t at, size_t end)
{
    uint64_t n = 0, tag, v;
    while (at < end && varint(s, &at, end, &tag)) {
        n++;
        switch (tag & 7) {
        case WIRE_VARINT: at = varint(s, &at, end, &v) ? at : end; break;
        case WIRE_64: at = end - at >= 8 ? at + 8 : end; break;
        case WIRE_32: at = end - at >= 4 ? at + 4 : end; break;
        default: at = varint(s, &at, end, &v) && v <= end - at ? at + (size_t)v : end; break;
        }
    }
    return n <= 16 ? 0 : 80 * n; /* the first 16 are on the stack */
}

static dsp_status scan_message(scan *s, size_t at, size_t end, const ProtobufCMessageDescriptor *d, unsigned depth)
{
    if (depth > DSP_WIRE_MAX_DEPTH)
        return dsp_fail(s->err, DSP_E_LIMIT, "ONNX bytes: byte %zu: messages nested more than %d deep", at, DSP_WIRE_MAX_DEPTH);
    const uint64_t list = field_list_bytes(s, at, end);
    s->passing += list;
    dsp_status r = spend(s, d->sizeof_message + 24, at);
    while (r == DSP_OK && at < end) {
        const size_t start = at;
        uint64_t     tag, v = 0;
        if (!varint(s, &at, end, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
            return dsp_fail(s->err, DSP_E_FORMAT, "ONNX bytes: byte %zu: bad field tag in %s", start, d->short_name);
        const unsigned wire = tag & 7;
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(d, (unsigned)(tag >> 3));
        const char *name = f ? f->name : "unknown field";
        bool ok = true;
        switch (wire) {
        case WIRE_VARINT: ok = varint(s, &at, end, &v); break;
        case WIRE_64: ok = end - at >= 8; at += ok ? 8 : 0; break;
        case WIRE_32: ok = end - at >= 4; at += ok ? 4 : 0; break;
        case WIRE_LEN: ok = varint(s, &at, end, &v) && v <= end - at; break;
        default:
            return dsp_fail(s->err, DSP_E_FORMAT, "ONNX bytes: byte %zu: wire type %u of %s.%s is not used by ONNX", start, wire, d->short_name, name);
        }
        if (!ok)
            return dsp_fail(s->err, DSP_E_FORMAT, "ONNX bytes: byte %zu: %s.%s runs past the end of its message (%zu bytes left)", start,
                            d->short_name, name, end - at);
        const size_t len = wire == WIRE_LEN ? (size_t)v : 0;
        if (!f) {
            r = spend(s, 64 + (wire == WIRE_LEN ? (uint64_t)len : 10), at);
        } else if (wire == WIRE_LEN && wire_of(f->type) != WIRE_LEN && f->label == PROTOBUF_C_LABEL_REPEATED) {
            r = scan_packed(s, at, at + len, wire_of(f->type), name);
        } else if (wire != wire_of(f->type)) {
            return dsp_fail(s->err, DSP_E_FORMAT, "ONNX bytes: byte %zu: %s.%s: wire type %u expected, %u found", start, d->short_name, name,
                            wire_of(f->type), wire);
        } else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
            r = scan_message(s, at, at + len, f->descriptor, depth + 1);
        } else {
            if (f->type == PROTOBUF_C_TYPE_STRING)
                r = scan_text(s, at, len, name);
            if (r == DSP_OK) /* a string or bytes: its place, its bytes, the allocator's share; a number: its place */
                r = spend(s, wire == WIRE_LEN ? 40 + (uint64_t)len : 8, at);
        }
        at += len;
    }
    s->passing -= list;
    return r;
}

dsp_status dsp_wire_check(const uint8_t *p, size_t n, const ProtobufCMessageDescriptor *d, dsp_err *err)
{
    scan s = {.p = p, .budget = ((uint64_t)24 << 20) + (uint64_t)n / 4 * 5, .on_the_way = ((uint64_t)40 << 20) + 2 * (uint64_t)n, .err = err};
    return scan_message(&s, 0, n, d, 1);
}

const char *dsp_wire_library_version(void) { return protobuf_c_version(); }
