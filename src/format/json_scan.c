#include "format/json_scan.h"

/* Of jansson 2.13 on a 64-bit machine, allocator included: what a comma stands for (a number or literal, its place in a list, that place once more while
 * the list grows), what a string takes beyond that and its bytes, an empty array (room for 8), an empty object (8 buckets), one more key. */
enum { ITEM = 56, STRING = 64, ARRAY = 152, OBJECT = 272, KEY = 112 };

dsp_status dsp_json_scan(const uint8_t *p, size_t n, uint64_t max_bytes, const char *what, dsp_err *err)
{
    uint64_t bytes = 0, longest = 0; /* the longest string is held twice while it is read */
    for (size_t i = 0; i < n; i++) {
        switch (p[i]) {
        case '"': {
            const size_t from = i + 1;
            for (i++; i < n && p[i] != '"'; i++)
                i += p[i] == '\\';
            bytes += STRING + (uint64_t)(i - from);
            longest = i - from > longest ? i - from : longest;
            break;
        }
        case '[':
            bytes += ARRAY;
            break;
        case '{':
            bytes += OBJECT;
            break;
        case ',':
            bytes += ITEM;
            break;
        case ':':
            bytes += KEY;
            break;
        default:
            break;
        }
        if (bytes + longest > max_bytes)
            return dsp_fail(err, DSP_E_FORMAT, "%s: byte %zu of %zu: parsing would take more than %ju bytes of memory", what, i < n ? i : n, n, (uintmax_t)max_bytes);
    }
    return DSP_OK;
}
