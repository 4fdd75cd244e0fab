/* The container of files that a run or a compilation leaves behind (boundaries, witnesses, circuit notes).
 *
 *   "DSPF"  u32 version  8 bytes kind  u32 n  n x (u32 id, u64 offset)  u64 end  chunks  SHA-256 of all before
 *
 * Ids ascend strictly, chunks follow the table without gaps in that order, end is where the digest starts. Kinds are eight
 * bytes of ASCII padded with spaces. A file of another version is refused; there are no reserved bits.
 */
#ifndef DSP_FORMAT_CONTAINER_H
#define DSP_FORMAT_CONTAINER_H

#include "base/bytes.h"
#include "hash/hash.h"

enum { DSP_CONTAINER_VERSION = 1, DSP_MAX_CHUNKS = 16 };

typedef struct { uint32_t id; const uint8_t *p; size_t len; } dsp_chunk;

/* Appends a container. chunks: ids strictly ascending. */
DSP_MUST_USE dsp_status dsp_container_write(dsp_buf *out, const char *kind, const dsp_chunk *chunks, uint32_t n, dsp_err *err);

/* Reads a container of this kind from hostile bytes. chunks (DSP_MAX_CHUNKS entries) borrow from p. what names the file in
 * messages. Fails with DSP_E_FORMAT: wrong kind, version, layout or digest. */
DSP_MUST_USE dsp_status dsp_container_read(dsp_chunk *chunks, uint32_t *n, const char *kind, const uint8_t *p, size_t len,
                                           const char *what, dsp_err *err);

/* A cursor on the chunk with this id; a missing chunk marks it bad (DSP_E_FORMAT). */
void dsp_chunk_open(dsp_rd *rd, const dsp_chunk *chunks, uint32_t n, uint32_t id, const char *what, dsp_err *err);

/* Integers at the smallest width of 1, 2, 4, 8 bytes that holds all: u8 width, u64 count, two's complement. */
void dsp_cells_write(dsp_buf *out, const int64_t *cells, uint64_t count);
/* Reads exactly count of them into cells. */
DSP_MUST_USE dsp_status dsp_cells_read(int64_t *cells, uint64_t count, dsp_rd *rd);
/* SHA-256 of the cells as i64. */
dsp_digest dsp_cells_digest(const int64_t *cells, uint64_t count);

#endif
