/* A look at protobuf bytes before they are parsed: nesting, lengths, wire types, text, and the memory that parsing would take.
 * The parser recurses without a limit and allocates per message; hostile files stop here.
 */
#ifndef DSP_ONNX_WIRE_H
#define DSP_ONNX_WIRE_H

#include <protobuf-c/protobuf-c.h>

#include "dsperse/status.h"

enum { DSP_WIRE_MAX_DEPTH = 64 };

/* Whether p[0..n) is a message of type d: every length inside its parent, at most 64 messages deep, wire types as declared, groups
 * refused, names in UTF-8 without NUL. Memory: what parsing leaves within 24 MiB + 5/4 n, what it holds on the way within 40 MiB + 2 n; a
 * graph's own tables take about as much as the former, so that loading stays below 64 MiB + 4 n. Fails: DSP_E_FORMAT, DSP_E_LIMIT, with the byte. */
DSP_MUST_USE dsp_status dsp_wire_check(const uint8_t *p, size_t n, const ProtobufCMessageDescriptor *d, dsp_err *err);

/* Version of the protobuf library that is loaded. */
const char *dsp_wire_library_version(void);

#endif
