#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void dsp_rd_init(dsp_rd *rd, const void *p, size_t len, const char *what, dsp_err *err)
{
    *rd = (dsp_rd){.p = p, .len = len, .what = what, .err = err};
}

dsp_status dsp_rd_fail(dsp_rd *rd, dsp_status code, const char *fmt, ...)
{
    if (!rd->bad) {
        char    msg[512];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(msg, sizeof msg, fmt, ap);
        va_end(ap);
        rd->bad = true;
        return dsp_fail(rd->err, code, "%s, byte %zu: %s", rd->what, rd->pos, msg);
    }
    return rd->err ? rd->err->code : code;
}

const uint8_t *dsp_rd_take(dsp_rd *rd, size_t n)
{
    if (rd->bad)
        return NULL;
    if (n > rd->len - rd->pos) {
        dsp_rd_fail(rd, DSP_E_FORMAT, "%zu bytes expected, %zu left", n, rd->len - rd->pos);
        return NULL;
    }
    const uint8_t *p = rd->p + rd->pos;
    rd->pos += n;
    return p;
}

static uint64_t number(dsp_rd *rd, size_t n)
{
    const uint8_t *p = dsp_rd_take(rd, n);
    uint64_t       v = 0;
    for (size_t i = 0; p && i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

uint8_t  dsp_rd_u8(dsp_rd *rd)  { return (uint8_t)number(rd, 1); }
uint16_t dsp_rd_u16(dsp_rd *rd) { return (uint16_t)number(rd, 2); }
uint32_t dsp_rd_u32(dsp_rd *rd) { return (uint32_t)number(rd, 4); }
uint64_t dsp_rd_u64(dsp_rd *rd) { return number(rd, 8); }
int64_t  dsp_rd_i64(dsp_rd *rd) { return (int64_t)number(rd, 8); }

uint32_t dsp_rd_count(dsp_rd *rd, size_t item_bytes, const char *items)
{
    const uint32_t n = dsp_rd_u32(rd);
    if (!rd->bad && item_bytes && n > dsp_rd_left(rd) / item_bytes) {
        dsp_rd_fail(rd, DSP_E_FORMAT, "%u %s declared, room for %zu", n, items, dsp_rd_left(rd) / item_bytes);
        return 0;
    }
    return rd->bad ? 0 : n;
}

bool dsp_utf8_valid(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        const uint8_t c = p[i];
        size_t        m;
        uint32_t      v;
        if (c < 0x80) { i++; continue; }
        if (c >= 0xc2 && c < 0xe0) { m = 1; v = c & 0x1f; }
        else if (c >= 0xe0 && c < 0xf0) { m = 2; v = c & 0x0f; }
        else if (c >= 0xf0 && c < 0xf5) { m = 3; v = c & 0x07; }
        else return false;
        if (n - i <= m)
            return false;
        for (size_t k = 1; k <= m; k++) {
            if ((p[i + k] & 0xc0) != 0x80)
                return false;
            v = v << 6 | (p[i + k] & 0x3f);
        }
        if ((m == 2 && v < 0x800) || (m == 3 && (v < 0x10000 || v > 0x10ffff)) || (v >= 0xd800 && v < 0xe000))
            return false;
        i += m + 1;
    }
    return true;
}

bool dsp_rd_text(dsp_rd *rd, const char **s, uint16_t *n)
{
    *n = dsp_rd_u16(rd);
    const uint8_t *p = dsp_rd_take(rd, *n);
    *s = (const char *)p;
    if (!p)
        return false;
    if (memchr(p, 0, *n) || !dsp_utf8_valid(p, *n)) {
        dsp_rd_fail(rd, DSP_E_FORMAT, "a name is not UTF-8 text");
        return false;
    }
    return true;
}

dsp_status dsp_rd_done(dsp_rd *rd, bool end)
{
    if (!rd->bad && end && rd->pos != rd->len)
        return dsp_rd_fail(rd, DSP_E_FORMAT, "end expected, %zu more bytes found", rd->len - rd->pos);
    return rd->bad ? (rd->err ? rd->err->code : DSP_E_FORMAT) : DSP_OK;
}

void dsp_buf_release(dsp_buf *b)
{
    dsp_wipe(b->p, b->len);
    dsp_free(b->p);
    *b = (dsp_buf){0};
}

void dsp_buf_put(dsp_buf *b, const void *p, size_t n)
{
    if (b->bad || n == 0)
        return;
    if (n > b->cap - b->len) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap - b->len < n) {
            if (cap > SIZE_MAX / 2) { b->bad = true; return; }
            cap *= 2;
        }
        uint8_t *q = dsp_calloc(cap, 1);
        if (!q) { b->bad = true; return; }
        if (b->len)
            memcpy(q, b->p, b->len);
        dsp_wipe(b->p, b->len);
        dsp_free(b->p);
        b->p = q;
        b->cap = cap;
    }
    memcpy(b->p + b->len, p, n);
    b->len += n;
}

static void put_le(dsp_buf *b, uint64_t v, size_t n)
{
    uint8_t t[8];
    dsp_put64(t, v);
    dsp_buf_put(b, t, n);
}

void dsp_buf_u8(dsp_buf *b, uint8_t v)   { put_le(b, v, 1); }
void dsp_buf_u16(dsp_buf *b, uint16_t v) { put_le(b, v, 2); }
void dsp_buf_u32(dsp_buf *b, uint32_t v) { put_le(b, v, 4); }
void dsp_buf_u64(dsp_buf *b, uint64_t v) { put_le(b, v, 8); }
void dsp_buf_i64(dsp_buf *b, int64_t v)  { put_le(b, (uint64_t)v, 8); }

void dsp_buf_text(dsp_buf *b, const char *s)
{
    const size_t n = strlen(s);
    if (n > UINT16_MAX) { b->bad = true; return; }
    dsp_buf_u16(b, (uint16_t)n);
    dsp_buf_put(b, s, n);
}

void dsp_buf_printf(dsp_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) { b->bad = true; return; }
    char *t = dsp_calloc((size_t)n + 1, 1);
    if (!t) { b->bad = true; return; }
    va_start(ap, fmt);
    vsnprintf(t, (size_t)n + 1, fmt, ap);
    va_end(ap);
    dsp_buf_put(b, t, (size_t)n);
    dsp_free(t);
}
