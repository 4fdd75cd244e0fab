/* The compression function of SHA-256 (FIPS 180-4) and its variants. Portable C is the definition. */
#ifndef DSP_HASH_COMPRESS_H
#define DSP_HASH_COMPRESS_H

#include "hash/hash.h"

typedef struct {
    const char *name;
    uint32_t    cpu_bits;
    /* h <- h after n blocks of 64 bytes at p */
    void (*one)(uint32_t h[8], const uint8_t *p, size_t n);
    /* two independent streams of n blocks each */
    void (*two)(uint32_t h0[8], const uint8_t *p0, uint32_t h1[8], const uint8_t *p1, size_t n);
} dsp_sha_kernels;

extern const uint32_t dsp_sha_k[64];    /* round constants */
extern const uint32_t dsp_sha_start[8]; /* initial state */

const dsp_sha_kernels *dsp_sha_kernels_all(void); /* entry 0 is portable; ends with name == NULL */
/* The best entry this machine can run; the choice is made at the first call. */
const dsp_sha_kernels *dsp_sha_kernels_best(void);

void dsp_sha_one_portable(uint32_t h[8], const uint8_t *p, size_t n);
void dsp_sha_two_portable(uint32_t h0[8], const uint8_t *p0, uint32_t h1[8], const uint8_t *p1, size_t n);
void dsp_sha_one_shani(uint32_t h[8], const uint8_t *p, size_t n);
void dsp_sha_two_shani(uint32_t h0[8], const uint8_t *p0, uint32_t h1[8], const uint8_t *p1, size_t n);

/* The state as a digest: eight big-endian words. */
static inline void dsp_sha_store(uint8_t out[32], const uint32_t h[8])
{
    for (int i = 0; i < 8; i++) {
        out[4 * i] = (uint8_t)(h[i] >> 24);
        out[4 * i + 1] = (uint8_t)(h[i] >> 16);
        out[4 * i + 2] = (uint8_t)(h[i] >> 8);
        out[4 * i + 3] = (uint8_t)h[i];
    }
}

/* Length field of the last block: bits, big-endian, in its last 8 bytes. */
static inline void dsp_sha_put_bits(uint8_t end[8], uint64_t len_bytes)
{
    for (int i = 0; i < 8; i++)
        end[i] = (uint8_t)(len_bytes << 3 >> (56 - 8 * i));
}

#endif
