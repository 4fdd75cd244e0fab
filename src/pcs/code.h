/* Rows of a committed matrix, their Reed-Solomon encoding, and the columns a Merkle tree hashes (S3, S4.3).
 *
 * A row is a polynomial given by coefficients: data cells, then random tail. Column q holds value q of every row, 8 bytes
 * little-endian each (16 for rows over K). Blocks of rows are independent, so they are spread over the threads.
 */
#ifndef DSP_PCS_CODE_H
#define DSP_PCS_CODE_H

#include "base/mem.h"
#include "base/pool.h"
#include "poly/poly.h"

typedef struct { const dsp_fe *coef; size_t n; } dsp_row;
typedef struct { const dsp_ke *coef; size_t n; } dsp_row_ke;

/* cols[q * width + 8 i ..] = value at w_n^q of row i, for q < n = 2^log2_n. width >= 8 n_rows; row lengths <= n.
 * Fails: DSP_E_NOMEM (scratch of 8 codewords per thread). */
DSP_MUST_USE dsp_status dsp_code_columns(uint8_t *cols, size_t width, const dsp_row *rows, size_t n_rows, const dsp_ntt *ntt,
                                         unsigned log2_n, dsp_arena *scratch, dsp_pool *pool, dsp_err *err);
/* cols[q * width + 16 i ..] = value at 7 w_n^q of row i over K. width >= 16 n_rows. */
DSP_MUST_USE dsp_status dsp_code_columns_ke(uint8_t *cols, size_t width, const dsp_row_ke *rows, size_t n_rows, const dsp_ntt *ntt,
                                            unsigned log2_n, dsp_arena *scratch, dsp_pool *pool, dsp_err *err);

/* Lays integer cells of a tensor (row-major, dims C, H, W) at offset `off` of a matrix whose rows of `stride` elements hold
 * `width` data cells each: padded cell i goes to row (off + i) / width, column (off + i) % width (S1, S4.3). width is a power of two. */
void dsp_code_place(dsp_fe *rows, size_t stride, size_t width, uint64_t off, const uint32_t dims[3], const int64_t *cells);
/* The same from field elements. */
void dsp_code_place_fe(dsp_fe *rows, size_t stride, size_t width, uint64_t off, const uint32_t dims[3], const dsp_fe *cells);

#endif
