#include "format/container.h"

#include <string.h>

enum { HEAD = 20, ROW = 12, KIND = 8 };

static void kind_bytes(uint8_t out[KIND], const char *kind)
{
    const size_t n = strlen(kind);
    for (size_t i = 0; i < KIND; i++)
        out[i] = i < n ? (uint8_t)kind[i] : ' ';
}

dsp_status dsp_container_write(dsp_buf *out, const char *kind, const dsp_chunk *chunks, uint32_t n, dsp_err *err)
{
    const size_t at0 = out->len;
    uint8_t      k[KIND];
    kind_bytes(k, kind);
    if (n > DSP_MAX_CHUNKS)
        return dsp_fail(err, DSP_E_ARG, "container %s: at most %d chunks expected, %u given", kind, DSP_MAX_CHUNKS, n);
    dsp_buf_put(out, "DSPF", 4);
    dsp_buf_u32(out, DSP_CONTAINER_VERSION);
    dsp_buf_put(out, k, KIND);
    dsp_buf_u32(out, n);
    uint64_t at = HEAD + (uint64_t)n * ROW + 8;
    for (uint32_t i = 0; i < n; i++) {
        if (i && chunks[i].id <= chunks[i - 1].id)
            return dsp_fail(err, DSP_E_ARG, "container %s: chunk ids must ascend", kind);
        dsp_buf_u32(out, chunks[i].id);
        dsp_buf_u64(out, at);
        at += chunks[i].len;
    }
    dsp_buf_u64(out, at);
    for (uint32_t i = 0; i < n; i++)
        dsp_buf_put(out, chunks[i].p, chunks[i].len);
    if (out->bad)
        return dsp_fail(err, DSP_E_NOMEM, "container %s: no memory", kind);
    const dsp_digest d = dsp_sha256(out->p + at0, out->len - at0);
    dsp_buf_put(out, d.b, sizeof d.b);
    return out->bad ? dsp_fail(err, DSP_E_NOMEM, "container %s: no memory", kind) : DSP_OK;
}

dsp_status dsp_container_read(dsp_chunk *chunks, uint32_t *n, const char *kind, const uint8_t *p, size_t len, const char *what,
                              dsp_err *err)
{
    dsp_rd  rd;
    uint8_t k[KIND];
    kind_bytes(k, kind);
    *n = 0;
    dsp_rd_init(&rd, p, len, what, err);
    if (len < HEAD + 8 + 32)
        return dsp_rd_fail(&rd, DSP_E_FORMAT, "at least %d bytes expected, %zu found", HEAD + 8 + 32, len);
    const uint8_t *magic = dsp_rd_take(&rd, 4);
    if (!magic || memcmp(magic, "DSPF", 4) != 0)
        return dsp_rd_fail(&rd, DSP_E_FORMAT, "not a dsperse container");
    const uint32_t version = dsp_rd_u32(&rd);
    if (version != DSP_CONTAINER_VERSION)
        return dsp_rd_fail(&rd, DSP_E_FORMAT, "container version %d expected, %u found", DSP_CONTAINER_VERSION, version);
    const uint8_t *found = dsp_rd_take(&rd, KIND);
    if (!found || memcmp(found, k, KIND) != 0)
        return dsp_rd_fail(&rd, DSP_E_FORMAT, "a container of kind \"%s\" expected", kind);
    const dsp_digest d = dsp_sha256(p, len - 32);
    if (memcmp(d.b, p + len - 32, 32) != 0)
        return dsp_rd_fail(&rd, DSP_E_FORMAT, "the digest at the end does not match the content");
    const uint32_t count = dsp_rd_count(&rd, ROW, "chunks");
    if (count > DSP_MAX_CHUNKS)
        return dsp_rd_fail(&rd, DSP_E_FORMAT, "at most %d chunks expected, %u found", DSP_MAX_CHUNKS, count);
    const uint64_t first = HEAD + (uint64_t)count * ROW + 8;
    uint64_t       off[DSP_MAX_CHUNKS + 1];
    for (uint32_t i = 0; i < count; i++) {
        chunks[i].id = dsp_rd_u32(&rd);
        off[i] = dsp_rd_u64(&rd);
        if ((i && chunks[i].id <= chunks[i - 1].id) || (i == 0 ? off[i] != first : off[i] < off[i - 1]) || off[i] > len - 32)
            return dsp_rd_fail(&rd, DSP_E_FORMAT, "chunk table: row %u is out of order", i);
    }
    off[count] = dsp_rd_u64(&rd);
    if (off[count] != len - 32 || off[count] < (count ? off[count - 1] : first) || (count == 0 && off[0] != first))
        return dsp_rd_fail(&rd, DSP_E_FORMAT, "chunk table: the chunks do not end at the digest");
    for (uint32_t i = 0; i < count; i++) {
        chunks[i].p = p + off[i];
        chunks[i].len = (size_t)(off[i + 1] - off[i]);
    }
    const dsp_status s = dsp_rd_done(&rd, false);
    if (s == DSP_OK)
        *n = count;
    return s;
}

void dsp_chunk_open(dsp_rd *rd, const dsp_chunk *chunks, uint32_t n, uint32_t id, const char *what, dsp_err *err)
{
    for (uint32_t i = 0; i < n; i++)
        if (chunks[i].id == id) {
            dsp_rd_init(rd, chunks[i].p, chunks[i].len, what, err);
            return;
        }
    dsp_rd_init(rd, NULL, 0, what, err);
    dsp_rd_fail(rd, DSP_E_FORMAT, "chunk %u is missing", id);
}

void dsp_cells_write(dsp_buf *out, const int64_t *cells, uint64_t count)
{
    int64_t lo = 0, hi = 0;
    for (uint64_t i = 0; i < count; i++) {
        lo = cells[i] < lo ? cells[i] : lo;
        hi = cells[i] > hi ? cells[i] : hi;
    }
    const unsigned w = lo >= INT8_MIN && hi <= INT8_MAX ? 1 : lo >= INT16_MIN && hi <= INT16_MAX ? 2
                     : lo >= INT32_MIN && hi <= INT32_MAX ? 4 : 8;
    dsp_buf_u8(out, (uint8_t)w);
    dsp_buf_u64(out, count);
    uint8_t        chunk[4096];
    const uint64_t step = sizeof chunk / w;
    for (uint64_t i = 0; i < count; i += step) {
        const uint64_t m = count - i < step ? count - i : step;
        for (uint64_t j = 0; j < m; j++)
            for (unsigned b = 0; b < w; b++)
                chunk[j * w + b] = (uint8_t)((uint64_t)cells[i + j] >> 8 * b);
        dsp_buf_put(out, chunk, (size_t)(m * w));
    }
}

dsp_status dsp_cells_read(int64_t *cells, uint64_t count, dsp_rd *rd)
{
    const uint8_t  w = dsp_rd_u8(rd);
    const uint64_t n = dsp_rd_u64(rd);
    if (rd->bad)
        return dsp_rd_done(rd, false);
    if (w != 1 && w != 2 && w != 4 && w != 8)
        return dsp_rd_fail(rd, DSP_E_FORMAT, "integers of 1, 2, 4 or 8 bytes expected, %u found", w);
    if (n != count)
        return dsp_rd_fail(rd, DSP_E_FORMAT, "%ju integers expected, %ju found", (uintmax_t)count, (uintmax_t)n);
    if (count > dsp_rd_left(rd) / w)
        return dsp_rd_fail(rd, DSP_E_FORMAT, "%ju integers of %u bytes declared, %zu bytes left", (uintmax_t)count, w, dsp_rd_left(rd));
    const uint8_t *p = dsp_rd_take(rd, (size_t)count * w);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t v = 0;
        for (unsigned b = 0; b < w; b++)
            v |= (uint64_t)p[i * w + b] << 8 * b;
        if (w < 8 && v >> (8 * w - 1))
            v |= ~(uint64_t)0 << 8 * w;
        cells[i] = (int64_t)v;
    }
    return dsp_rd_done(rd, false);
}

dsp_digest dsp_cells_digest(const int64_t *cells, uint64_t count)
{
    dsp_sha s;
    dsp_sha_init(&s);
    for (uint64_t i = 0; i < count; i++)
        dsp_sha_u64(&s, (uint64_t)cells[i]);
    return dsp_sha_digest(&s);
}
