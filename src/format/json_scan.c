#include "format/json_scan.h"

/* Of jansson 2.13 on a 64-bit machine, allocator included: a number or literal with its place in a list (twice while the list grows), a string, an
 * empty array (room for 8), an empty object (8 buckets), one more key. A string may be held twice while it is read. */
enum { SCALAR = 56, STRING = 96, ARRAY = 152, OBJECT = 272, KEY = 112 };

dsp_status dsp_json_scan(const uint8_t *p, size_t n, uint64_t max_bytes, const char *what, dsp_err *err)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        switch (p[i]) {
        case '"': {
            const size_t from = i + 1;
            for (i++; i < n && p[i] != '"'; i++)
                i += p[i] == '\\';
            bytes += STRING + 2 * (uint64_t)(i - from);
            break;
        }
        case '[':
            bytes += ARRAY;
            break;
        case '{':
            bytes += OBJECT;
            break;
        case ',':
            bytes += SCALAR; /* what follows may be more, and is counted for itself then */
            break;
        case ':':
            bytes += KEY;
            break;
        default:
            break;
        }
        if (bytes > max_bytes)
            return dsp_fail(err, DSP_E_FORMAT, "%s: byte %zu of %zu: parsing would take more than %ju bytes of memory", what, i < n ? i : n, n, (uintmax_t)max_bytes);
    }
    return DSP_OK;
}
