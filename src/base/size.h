/* Checked sizes: a product or sum is checked as it grows. */
#ifndef DSP_BASE_SIZE_H
#define DSP_BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *r = a * b; false on overflow, *r then unchanged. */
static inline bool dsp_mul_size(size_t *r, size_t a, size_t b)
{
    if (a != 0 && b > SIZE_MAX / a)
        return false;
    *r = a * b;
    return true;
}

/* *r = a + b; false on overflow, *r then unchanged. */
static inline bool dsp_add_size(size_t *r, size_t a, size_t b)
{
    if (b > SIZE_MAX - a)
        return false;
    *r = a + b;
    return true;
}

/* ceil(log2 n), lg(0) = lg(1) = 0. */
static inline unsigned dsp_lg(uint64_t n)
{
    unsigned b = 0;
    while (b < 64 && ((uint64_t)1 << b) < n)
        b++;
    return b;
}

static inline bool dsp_is_pow2(uint64_t n) { return n != 0 && (n & (n - 1)) == 0; }

#endif
