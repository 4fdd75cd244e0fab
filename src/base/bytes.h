/* Byte cursor (reading) and byte buffer (writing). All integers are little-endian.
 *
 * The cursor reads bytes that are hostile unless the caller says otherwise. It keeps its first error: after
 * one, every read returns zeros and leaves the position alone, so a reader may check once at the end of a
 * group. A count read from a file is compared with the bytes left before memory is asked for.
 */
#ifndef DSP_BASE_BYTES_H
#define DSP_BASE_BYTES_H

#include <stdbool.h>

#include "dsperse/status.h"

typedef struct {
    const uint8_t *p;
    size_t         len, pos;
    bool           bad;   /* a read went past the end or was refused */
    dsp_err       *err;   /* where the first failure is written; may be NULL */
    const char    *what;  /* what the bytes are, for messages; borrowed */
} dsp_rd;

void dsp_rd_init(dsp_rd *rd, const void *p, size_t len, const char *what, dsp_err *err);
static inline size_t dsp_rd_left(const dsp_rd *rd) { return rd->bad ? 0 : rd->len - rd->pos; }
uint8_t  dsp_rd_u8(dsp_rd *rd);
uint16_t dsp_rd_u16(dsp_rd *rd);
uint32_t dsp_rd_u32(dsp_rd *rd);
uint64_t dsp_rd_u64(dsp_rd *rd);
int64_t  dsp_rd_i64(dsp_rd *rd);
/* n bytes inside the input, borrowed from it; NULL when there are fewer. */
const uint8_t *dsp_rd_take(dsp_rd *rd, size_t n);
/* A count of items of at least item_bytes each: refused when the bytes left cannot hold them. */
uint32_t dsp_rd_count(dsp_rd *rd, size_t item_bytes, const char *items);
/* u16 length and that many bytes of valid UTF-8 without NUL; *s is borrowed and not terminated. */
bool     dsp_rd_text(dsp_rd *rd, const char **s, uint16_t *n);
/* Marks the cursor bad (first failure only) with a message that carries what and byte position. */
dsp_status dsp_rd_fail(dsp_rd *rd, dsp_status code, const char *fmt, ...) DSP_PRINTF(3, 4);
/* DSP_OK, or the code of the first failure; with `end`, bytes left over are a failure too. */
dsp_status dsp_rd_done(dsp_rd *rd, bool end);

bool dsp_utf8_valid(const uint8_t *p, size_t n);

typedef struct {
    uint8_t *p;
    size_t   len, cap;
    bool     bad;  /* memory ran out; what was written since is missing */
} dsp_buf;

void dsp_buf_release(dsp_buf *b);            /* wipes and frees; b is empty afterwards */
void dsp_buf_put(dsp_buf *b, const void *p, size_t n);
void dsp_buf_u8(dsp_buf *b, uint8_t v);
void dsp_buf_u16(dsp_buf *b, uint16_t v);
void dsp_buf_u32(dsp_buf *b, uint32_t v);
void dsp_buf_u64(dsp_buf *b, uint64_t v);
void dsp_buf_i64(dsp_buf *b, int64_t v);
void dsp_buf_text(dsp_buf *b, const char *s); /* u16 byte length, bytes; s is shorter than 65536 */
void dsp_buf_printf(dsp_buf *b, const char *fmt, ...) DSP_PRINTF(2, 3);

static inline void dsp_put64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}
static inline uint64_t dsp_get64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}
static inline void dsp_put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

#endif
