/* A look at JSON bytes before they are parsed into a tree: a tree of small values takes many times the memory of its text. */
#ifndef DSP_FORMAT_JSON_SCAN_H
#define DSP_FORMAT_JSON_SCAN_H

#include "dsperse/status.h"

/* Whether parsing p[0..n) would take at most max_bytes, by the sizes of the library's nodes. Looks at brackets, commas, colons and strings
 * only: what is no JSON at all is the parser's to refuse. Fails: DSP_E_FORMAT; the message starts with what. */
DSP_MUST_USE dsp_status dsp_json_scan(const uint8_t *p, size_t n, uint64_t max_bytes, const char *what, dsp_err *err);

#endif
