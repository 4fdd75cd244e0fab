/* The container and the lists of cells in it. First byte: bit 0 corrects the digest at the end. */
#include "fuzz/fuzz.h"

#include "base/mem.h"
#include "format/container.h"

const bool fuzz_by_path = false;

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_chunk  c[DSP_MAX_CHUNKS];
    uint32_t   count = 0;
    const bool seal = n > 32 && p[0] & 1;
    uint8_t   *own = seal ? fuzz_seal(p + 1, n - 1) : NULL;
    const uint8_t *q = own ? own : p + (n > 0);
    const size_t   len = n - (n > 0);
    const dsp_status s = dsp_container_read(c, &count, "boundary", q, len, "a file", err);
    if (s == DSP_OK) {
        dsp_buf b = {0};
        FUZZ_CHECK(dsp_container_write(&b, "boundary", c, count, err) == DSP_OK);
        FUZZ_CHECK(b.len == len && memcmp(b.p, q, len) == 0); /* one way to write it */
        dsp_buf_release(&b);
    } else {
        FUZZ_CHECK(count == 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        dsp_rd   rd;
        dsp_err  other = {DSP_OK, ""};
        dsp_chunk_open(&rd, c, count, c[i].id, "a file", &other);
        const uint64_t cells = c[i].len < 9 ? 0 : dsp_get64(c[i].p + 1) % 4096;
        int64_t *v = DSP_NEW_N(int64_t, (size_t)cells);
        FUZZ_CHECK(v);
        if (dsp_cells_read(v, cells, &rd) == DSP_OK)
            (void)dsp_cells_digest(v, cells);
        else
            FUZZ_CHECK(*other.msg);
        dsp_free(v);
    }
    free(own);
    return s;
}
