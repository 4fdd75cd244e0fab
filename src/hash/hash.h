/* SHA-256 in its uses (S2): digests, the prover's random streams, leaves and nodes of Merkle trees. */
#ifndef DSP_HASH_HASH_H
#define DSP_HASH_HASH_H

#include "dsperse/status.h"
#include "field/fe.h"

typedef struct { uint8_t b[32]; } dsp_digest;

/* Incremental SHA-256; plain data, may be copied (a copy continues independently) and holds no pointers. */
typedef struct { uint32_t h[8]; uint64_t len; uint8_t buf[64]; } dsp_sha;
void       dsp_sha_init(dsp_sha *s);
void       dsp_sha_put(dsp_sha *s, const void *p, size_t n);
void       dsp_sha_u8(dsp_sha *s, uint8_t v);
void       dsp_sha_u16(dsp_sha *s, uint16_t v);
void       dsp_sha_u32(dsp_sha *s, uint32_t v);
void       dsp_sha_u64(dsp_sha *s, uint64_t v);
void       dsp_sha_text(dsp_sha *s, const char *t);       /* u16 length, bytes */
dsp_digest dsp_sha_digest(const dsp_sha *s);              /* of what was put so far; s goes on unchanged */
dsp_digest dsp_sha256(const void *p, size_t n);
bool       dsp_digest_eq(const dsp_digest *a, const dsp_digest *b);
void       dsp_digest_hex(char out[65], const dsp_digest *d);
bool       dsp_digest_unhex(dsp_digest *d, const char *hex); /* exactly 64 hex digits */

/* The crypto library that is loaded: its version, and whether it is new enough (3.0). */
const char *dsp_crypto_version(void);
bool        dsp_crypto_usable(void);

/* ---- random streams of the prover (S2 "Randomness") ---- */
enum { DSP_L_TAIL = 1, DSP_L_SALT, DSP_L_MASK, DSP_L_MASK_SALT, DSP_L_PAD, DSP_L_SLOT, DSP_L_LDT, DSP_L_DOT, DSP_L_QUAD, DSP_L_PAD_SALT };
enum { DSP_SALT_BYTES = 16 };

/* The key of a stream. Building it: dsp_rand_begin, then every context part, then dsp_rand_end. */
typedef struct { dsp_sha sha; dsp_digest key; uint64_t drawn; } dsp_rand;
void dsp_rand_begin(dsp_rand *r, const uint8_t secret[32]);
void dsp_rand_part(dsp_rand *r, const void *p, size_t n);    /* u64 length, bytes */
void dsp_rand_end(dsp_rand *r);
void dsp_rand_wipe(dsp_rand *r);
/* n elements of stream (label, sub). Thread safe (r is const); each (label, sub) is drawn once per key. */
void dsp_rand_fe(const dsp_rand *r, dsp_fe *out, size_t n, uint16_t label, uint32_t sub);
void dsp_rand_ke(const dsp_rand *r, dsp_ke *out, size_t n, uint16_t label, uint32_t sub);
/* Salts of leaves (label, sub) .. (label, sub + n - 1), 16 bytes each. */
void dsp_rand_salts(const dsp_rand *r, uint8_t *out, size_t n, uint16_t label, uint32_t sub);
/* Salt of leaf (label, sub). */
void dsp_rand_salt(const dsp_rand *r, uint8_t out[DSP_SALT_BYTES], uint16_t label, uint32_t sub);

/* ---- kernels: many independent hashes at once ---- */
/* Leaves i0 .. i0+n-1: out[i] = SHA-256(40 || kind || n_leaves || i || salt_i || column_i). Column i is width bytes at
 * cols + (i - i0) * width; salt i is 16 bytes at salts + 16 (i - i0). */
void dsp_hash_leaves(dsp_digest *out, uint8_t kind, uint32_t n_leaves, uint32_t i0, size_t n, const uint8_t *salts,
                     const uint8_t *cols, size_t width);
/* The same for leaves named by a list (index, or i0 + j when NULL), salts and columns of leaf j at salts + j * salt_step and
 * cols + j * col_step. */
void dsp_hash_leaf_list(dsp_digest *out, uint8_t kind, uint32_t n_leaves, const uint32_t *index, uint32_t i0, size_t n,
                        const uint8_t *salts, size_t salt_step, const uint8_t *cols, size_t col_step, size_t width);
/* out[i] = SHA-256(41 || in[2i] || in[2i+1]), i < n; out may be in. */
void dsp_hash_nodes(dsp_digest *out, const dsp_digest *in, size_t n);

#endif
