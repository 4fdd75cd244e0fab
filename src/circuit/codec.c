#include "circuit/codec.h"

#include <stdlib.h>
#include <string.h>

static unsigned width_of(const int64_t *v, size_t n)
{
    int64_t lo = 0, hi = 0;
    for (size_t i = 0; i < n; i++) {
        lo = v[i] < lo ? v[i] : lo;
        hi = v[i] > hi ? v[i] : hi;
    }
    return lo >= INT8_MIN && hi <= INT8_MAX ? 1 : lo >= INT16_MIN && hi <= INT16_MAX ? 2 : lo >= INT32_MIN && hi <= INT32_MAX ? 4 : 8;
}

void dsp_ints_write(dsp_buf *out, const int64_t *v, size_t n)
{
    uint8_t        b[4096];
    const unsigned w = width_of(v, n);
    size_t         at = 0;
    if (n > UINT32_MAX) {
        out->bad = true;
        return;
    }
    dsp_buf_u8(out, (uint8_t)w);
    dsp_buf_u32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < w; k++)
            b[at++] = (uint8_t)((uint64_t)v[i] >> 8 * k);
        if (at == sizeof b) {
            dsp_buf_put(out, b, at);
            at = 0;
        }
    }
    dsp_buf_put(out, b, at);
}

static unsigned packed_width(const uint8_t *p, size_t n, unsigned w)
{
    int64_t lo = 0, hi = 0;
    for (size_t i = 0; i < n; i++) {
        const int64_t v = dsp_int_at(p, w, i);
        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
    }
    return width_of((const int64_t[]){lo, hi}, 2);
}

const uint8_t *dsp_ints_take(dsp_rd *rd, uint32_t *n, uint8_t *width, const char *what)
{
    const uint8_t w = dsp_rd_u8(rd);
    *n = 0;
    *width = w;
    if (rd->bad)
        return NULL;
    if (w != 1 && w != 2 && w != 4 && w != 8) {
        dsp_rd_fail(rd, DSP_E_FORMAT, "%s: integer width 1, 2, 4 or 8 expected, %u found", what, w);
        return NULL;
    }
    const uint32_t count = dsp_rd_count(rd, w, "integers");
    const uint8_t *p = dsp_rd_take(rd, (size_t)count * w);
    if (!p)
        return NULL;
    if (w > 1 && packed_width(p, count, w) != w) {
        dsp_rd_fail(rd, DSP_E_FORMAT, "%s: integer width %u expected (the smallest that holds all), %u found", what, packed_width(p, count, w), w);
        return NULL;
    }
    *n = count;
    return p;
}

void dsp_ints_unpack(int64_t *v, const uint8_t *p, size_t n, unsigned w)
{
    switch (w) {
    case 1:
        for (size_t i = 0; i < n; i++)
            v[i] = (int8_t)p[i];
        break;
    case 2:
        for (size_t i = 0; i < n; i++)
            v[i] = (int16_t)(uint16_t)(p[2 * i] | p[2 * i + 1] << 8);
        break;
    case 4:
        for (size_t i = 0; i < n; i++)
            v[i] = (int32_t)(p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 | (uint32_t)p[4 * i + 3] << 24);
        break;
    default:
        for (size_t i = 0; i < n; i++)
            v[i] = (int64_t)dsp_get64(p + 8 * i);
    }
}

const int64_t *dsp_ints_read(dsp_rd *rd, dsp_arena *a, uint32_t *n, const char *what)
{
    uint8_t        w;
    const uint8_t *p = dsp_ints_take(rd, n, &w, what);
    if (!p)
        return NULL;
    int64_t *v = DSP_ARENA_RAW(a, int64_t, *n);
    if (!v) {
        dsp_rd_fail(rd, DSP_E_NOMEM, "%s: no memory for %u integers", what, *n);
        return NULL;
    }
    dsp_ints_unpack(v, p, *n, w);
    return v;
}

const char *dsp_name_read(dsp_rd *rd, dsp_arena *a, const char *what)
{
    const char *s;
    uint16_t    n;
    if (!dsp_rd_text(rd, &s, &n))
        return NULL;
    if (n == 0) {
        dsp_rd_fail(rd, DSP_E_FORMAT, "%s: empty name", what);
        return NULL;
    }
    char *t = dsp_arena_raw(a, (size_t)n + 1, 1);
    if (!t) {
        dsp_rd_fail(rd, DSP_E_NOMEM, "%s: no memory for a name", what);
        return NULL;
    }
    memcpy(t, s, n);
    t[n] = 0;
    return t;
}

bool dsp_name_write(dsp_buf *out, const char *s)
{
    const size_t n = s ? strlen(s) : 0;
    if (n == 0 || n > UINT16_MAX || !dsp_utf8_valid((const uint8_t *)s, n))
        return false;
    dsp_buf_text(out, s);
    return true;
}

static int by_name(const void *x, const void *y)
{
    const dsp_name *a = x, *b = y;
    const int       c = strcmp(a->s, b->s);
    return c ? c : a->i < b->i ? -1 : a->i > b->i;
}

void dsp_names_sort(dsp_name *v, size_t n) { qsort(v, n, sizeof *v, by_name); }

const char *dsp_names_twice(const dsp_name *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (strcmp(v[i - 1].s, v[i].s) == 0)
            return v[i].s;
    return NULL;
}

size_t dsp_names_lower(const dsp_name *v, size_t n, const char *s, size_t len)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (strncmp(v[mid].s, s, len) < 0) /* a name that goes on after len bytes is not below */
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t dsp_names_find(const dsp_name *v, size_t n, const char *s, size_t len)
{
    const size_t at = dsp_names_lower(v, n, s, len);
    return at < n && strncmp(v[at].s, s, len) == 0 && v[at].s[len] == 0 ? v[at].i : DSP_NONE;
}
