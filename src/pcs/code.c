#include "pcs/code.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/size.h"

enum { BLOCK = 8, BLOCK_KE = 4 }; /* rows per job: one cache line of every column */

typedef struct {
    uint8_t          *cols;
    size_t            width;
    const dsp_row    *rows;
    const dsp_row_ke *rows_ke;
    size_t            n_rows;
    const dsp_ntt    *ntt;
    unsigned          log2_n;
    dsp_fe           *scratch; /* per thread 8 n words */
} job;

static void encode_block(void *arg, size_t b, unsigned thread)
{
    const job   *j = arg;
    const size_t n = (size_t)1 << j->log2_n, r0 = b * BLOCK, rows = j->n_rows - r0 < BLOCK ? j->n_rows - r0 : BLOCK;
    dsp_fe      *s = j->scratch + thread * BLOCK * n;
    for (size_t i = 0; i < rows; i++)
        dsp_rs_encode(j->ntt, s + i * n, j->log2_n, j->rows[r0 + i].coef, j->rows[r0 + i].n, DSP_FE_CONST(1));
    for (size_t q = 0; q < n; q++) {
        uint8_t *col = j->cols + q * j->width + 8 * r0;
        for (size_t i = 0; i < rows; i++)
            dsp_fe_write(col + 8 * i, s[i * n + q]);
    }
}

static void encode_block_ke(void *arg, size_t b, unsigned thread)
{
    const job   *j = arg;
    const size_t n = (size_t)1 << j->log2_n, r0 = b * BLOCK_KE, rows = j->n_rows - r0 < BLOCK_KE ? j->n_rows - r0 : BLOCK_KE;
    dsp_ke      *s = (dsp_ke *)(void *)(j->scratch + thread * BLOCK * n);
    for (size_t i = 0; i < rows; i++)
        dsp_rs_encode_ke(j->ntt, s + i * n, j->log2_n, j->rows_ke[r0 + i].coef, j->rows_ke[r0 + i].n, DSP_FE_CONST(7));
    for (size_t q = 0; q < n; q++) {
        uint8_t *col = j->cols + q * j->width + 16 * r0;
        for (size_t i = 0; i < rows; i++)
            dsp_ke_write(col + 16 * i, s[i * n + q]);
    }
}

static dsp_status run(job *j, size_t per_block, void (*fn)(void *, size_t, unsigned), dsp_arena *a, dsp_pool *pool,
                      dsp_err *err)
{
    const size_t words = (size_t)BLOCK << j->log2_n, threads = dsp_pool_threads(pool);
    const dsp_mark mark = dsp_arena_mark(a);
    size_t       total;
    if (!dsp_mul_size(&total, words, threads) || !(j->scratch = DSP_ARENA_RAW(a, dsp_fe, total)))
        return dsp_fail(err, DSP_E_NOMEM, "encoding of %zu rows of length 2^%u: no memory", j->n_rows, j->log2_n);
    dsp_pool_run(pool, (j->n_rows + per_block - 1) / per_block, fn, j);
    dsp_arena_rewind(a, mark);
    return DSP_OK;
}

dsp_status dsp_code_columns(uint8_t *cols, size_t width, const dsp_row *rows, size_t n_rows, const dsp_ntt *ntt, unsigned log2_n,
                            dsp_arena *scratch, dsp_pool *pool, dsp_err *err)
{
    job j = {.cols = cols, .width = width, .rows = rows, .n_rows = n_rows, .ntt = ntt, .log2_n = log2_n};
    return run(&j, BLOCK, encode_block, scratch, pool, err);
}

dsp_status dsp_code_columns_ke(uint8_t *cols, size_t width, const dsp_row_ke *rows, size_t n_rows, const dsp_ntt *ntt,
                               unsigned log2_n, dsp_arena *scratch, dsp_pool *pool, dsp_err *err)
{
    job j = {.cols = cols, .width = width, .rows_ke = rows, .n_rows = n_rows, .ntt = ntt, .log2_n = log2_n};
    return run(&j, BLOCK_KE, encode_block_ke, scratch, pool, err);
}

/* One line of a tensor at a time: lines of the padded cube are aligned powers of two, but may be longer than a row. */
static void place(dsp_fe *rows, size_t stride, size_t width, uint64_t off, const uint32_t dims[3], const int64_t *cells,
                  const dsp_fe *cells_fe)
{
    const unsigned ly = dsp_lg(dims[1]), lx = dsp_lg(dims[2]), lw = dsp_lg(width);
    size_t         at = 0;
    for (uint64_t c = 0; c < dims[0]; c++)
        for (uint64_t y = 0; y < dims[1]; y++) {
            const uint64_t line = off + ((c << ly | y) << lx);
            for (uint64_t x = 0; x < dims[2]; x++, at++) {
                const uint64_t i = line + x;
                rows[(i >> lw) * stride + (i & (width - 1))] = cells_fe ? cells_fe[at] : dsp_fe_from_i64(cells[at]);
            }
        }
}

void dsp_code_place(dsp_fe *rows, size_t stride, size_t width, uint64_t off, const uint32_t dims[3], const int64_t *cells)
{
    place(rows, stride, width, off, dims, cells, NULL);
}

void dsp_code_place_fe(dsp_fe *rows, size_t stride, size_t width, uint64_t off, const uint32_t dims[3], const dsp_fe *cells)
{
    place(rows, stride, width, off, dims, NULL, cells);
}
