/* A run in one input: statement, then key and proof of every slice, each behind a u32 length; 2^32 - 1: it is missing. */
#ifndef DSP_TESTS_RUNPACK_H
#define DSP_TESTS_RUNPACK_H

#include "base/bytes.h"

typedef struct { const uint8_t *p; size_t n; } part;

/* Splits p[0..n) into at most max parts; a length that does not fit takes what is left. Returns their number. */
static inline size_t split_parts(part *out, size_t max, const uint8_t *p, size_t n)
{
    size_t count = 0;
    while (n >= 4 && count < max) {
        size_t len = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
        p += 4;
        n -= 4;
        if (len == UINT32_MAX) {
            out[count++] = (part){NULL, 0};
            continue;
        }
        len = len < n ? len : n;
        out[count++] = (part){p, len};
        p += len;
        n -= len;
    }
    return count;
}

#endif
