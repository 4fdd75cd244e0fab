/* Profiles, and the number of queries by exact integers (S3). */
#ifndef DSP_PCS_PARAMS_H
#define DSP_PCS_PARAMS_H

#include "dsperse/status.h"
#include "field/fe.h"

enum { DSP_PROFILE_G2_100 = 1, DSP_PROFILE_BYTES = 40 };

/* Query error 2^-bits of a profile; 0 for one this build does not know. 0x8000 + b exist with DSP_TEST_HOOKS only. */
unsigned dsp_profile_bits(uint32_t profile);
void     dsp_profile_bytes(uint8_t out[DSP_PROFILE_BYTES], uint32_t profile);

/* 0 < t <= n, k <= n and binom(floor((n+k)/2), t) 2^bits <= binom(n, t). n <= 2^22. */
bool     dsp_t_ok(uint32_t n, uint64_t k, uint32_t t, unsigned bits);
typedef struct { uint32_t C, J; } dsp_code_use;
/* The least t that is good for every (C, J) at length n; 0 when there is none. */
uint32_t dsp_t_for_trees(uint32_t n, const dsp_code_use *use, size_t n_use, unsigned bits);
/* The pad tree's condition, and its least t (0: none). It bounds the rate as well: a = floor((n+k)/2) has a^2 > n (2k - 2), so that few polynomials
 * of degree 2k - 2 agree with any one word in more than a places (S13, Q_P). Between powers of two: k <= n/8 (n = 16: k <= 4). */
bool     dsp_t_pads_ok(uint32_t n, uint32_t k, uint32_t t, unsigned bits);
uint32_t dsp_t_pads(uint32_t n, uint32_t k, unsigned bits);

#endif
