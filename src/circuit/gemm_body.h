/* The micro-kernels of conv.h, compiled once per instruction set: 4 output channels times 16 output cells, sums in
 * registers. Includers define GEMM_TABLE. */
#include "circuit/conv.h"

#define KERNEL(name, sum)                                                                                                      \
    static void name(int64_t *acc, size_t ld, const int32_t *w, const int32_t *p, size_t k, unsigned rows, unsigned cols)      \
    {                                                                                                                          \
        sum s0[16] = {0}, s1[16] = {0}, s2[16] = {0}, s3[16] = {0};                                                            \
        for (size_t i = 0; i < k; i++, w += 4, p += 16)                                                                        \
            for (int j = 0; j < 16; j++) {                                                                                     \
                const sum x = p[j];                                                                                            \
                s0[j] += w[0] * x;                                                                                             \
                s1[j] += w[1] * x;                                                                                             \
                s2[j] += w[2] * x;                                                                                             \
                s3[j] += w[3] * x;                                                                                             \
            }                                                                                                                  \
        const sum *s[4] = {s0, s1, s2, s3};                                                                                    \
        for (unsigned r = 0; r < rows; r++)                                                                                    \
            for (unsigned j = 0; j < cols; j++)                                                                                \
                acc[r * ld + j] = (int64_t)((uint64_t)acc[r * ld + j] + (uint64_t)(int64_t)s[r][j]);                           \
    }

KERNEL(mul32, int32_t)
KERNEL(mul64, int64_t)

const dsp_gemm GEMM_TABLE = {mul32, mul64};
