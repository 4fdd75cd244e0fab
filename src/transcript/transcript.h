/* Typed Fiat-Shamir (S2 "Transcript"): one running hash over messages u8 type, u16 id, u64 length, data.
 *
 * A squeeze does not change the state; two squeezes between two absorbs must have different ids (asserted).
 * Message and squeeze ids are those of section S8. In DSP_TEST_HOOKS builds coins can be forced by id.
 */
#ifndef DSP_TRANSCRIPT_TRANSCRIPT_H
#define DSP_TRANSCRIPT_TRANSCRIPT_H

#include "field/fe.h"
#include "hash/hash.h"

enum { DSP_T_BYTES = 0, DSP_T_KE = 2, DSP_T_DIGEST = 3 };
enum { /* message ids */
    DSP_M_LABEL = 0x01, DSP_M_PROFILE, DSP_M_RUN_KEY, DSP_M_SLICE_KEY, DSP_M_TILE, DSP_M_NONCE, DSP_M_PUBLIC, DSP_M_EDGE,
    DSP_M_ROOT = 0x10, DSP_M_AGAIN, DSP_M_GKR_VALS = 0x20, DSP_M_GKR_ROUND, DSP_M_LEAVES, DSP_M_S3_ROUND = 0x30, DSP_M_S3_VALS,
    DSP_M_OP_ROUND = 0x40, DSP_M_Y, DSP_M_SIGMA = 0x50, DSP_M_U, DSP_M_U2, DSP_M_Y_LDT = 0x60, DSP_M_Y_DOT, DSP_M_Y_Q
};
enum { /* squeeze ids */
    DSP_Q_ALPHA = 0x8001, DSP_Q_BETA, DSP_Q_TAU, DSP_Q_GKR_LAMBDA = 0x8010, DSP_Q_GKR_RHO, DSP_Q_GKR_MU, DSP_Q_ETA = 0x8020,
    DSP_Q_S3_RHO, DSP_Q_OP_LAMBDA = 0x8030, DSP_Q_OP_R, DSP_Q_GAMMA = 0x8040, DSP_Q_RHO, DSP_Q_U_LDT = 0x8050, DSP_Q_ALPHA_L,
    DSP_Q_ALPHA_Q, DSP_Q_U_Q, DSP_Q_QUERY = 0x8100, DSP_Q_QUERY_P = 0x81ff
};

#ifdef DSP_TEST_HOOKS
typedef struct { uint16_t id; dsp_ke value; } dsp_forced_coin; /* the first element of every squeeze with this id */
#endif

typedef struct {
    dsp_sha  sha;
    uint16_t used[8];  /* squeeze ids since the last absorb */
    unsigned n_used;
#ifdef DSP_TEST_HOOKS
    const dsp_forced_coin *forced; /* borrowed; ends with id 0; NULL: none */
    void (*log)(void *arg, uint16_t id, const dsp_digest *d); /* after every absorb (state) and squeeze (SHA-256 of it) */
    void *log_arg;
#endif
} dsp_transcript;

void       dsp_transcript_init(dsp_transcript *t);
void       dsp_absorb(dsp_transcript *t, uint8_t type, uint16_t id, const void *p, size_t n);
void       dsp_absorb_ke(dsp_transcript *t, uint16_t id, const dsp_ke *v, size_t n);
void       dsp_absorb_digest(dsp_transcript *t, uint16_t id, const dsp_digest *d);
dsp_digest dsp_transcript_digest(const dsp_transcript *t);
void       dsp_squeeze(dsp_transcript *t, uint16_t id, dsp_ke *out, size_t n);
dsp_ke     dsp_squeeze1(dsp_transcript *t, uint16_t id);
/* count distinct indices below n <= 2^22, ascending; count <= n. False when memory is short. */
bool       dsp_squeeze_indices(dsp_transcript *t, uint16_t id, uint32_t *out, uint32_t count, uint32_t n);

#endif
