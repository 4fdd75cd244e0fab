/* Convolutions over integers (S5), for the executor. */
#ifndef DSP_CIRCUIT_CONV_H
#define DSP_CIRCUIT_CONV_H

#include "base/pool.h"
#include "circuit/key.h"

/* acc[o, y, x] += sum_{c,a,b} W[o, c, a, b] x[g cg + c, y sy + a dy - py, x sx + b dx - px], out of range = 0.
 * |x| <= x_max for every cell; x_max = UINT64_MAX: not known. Sums are taken mod 2^64, so the result is right where it
 * fits in 64 bits. Parallel over blocks of output cells. Fails: DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_conv_run(int64_t *acc, const int64_t *x, const uint32_t xd[3], const uint32_t od[3], const dsp_weight *w,
                                     const dsp_term *t, uint64_t x_max, dsp_pool *pool, dsp_err *err);

/* acc[r * ld + j] += sum_k w[4 k + r] p[16 k + j] for r < rows <= 4, j < cols <= 16; panels are padded with zeros.
 * mul32: every partial sum fits in 32 bits. mul64: factors fit in 32 bits, sums in 64. */
typedef struct {
    void (*mul32)(int64_t *acc, size_t ld, const int32_t *w, const int32_t *p, size_t k, unsigned rows, unsigned cols);
    void (*mul64)(int64_t *acc, size_t ld, const int32_t *w, const int32_t *p, size_t k, unsigned rows, unsigned cols);
} dsp_gemm;
extern const dsp_gemm dsp_gemm_portable, dsp_gemm_avx2;
const dsp_gemm *dsp_gemm_best(void);

#endif
