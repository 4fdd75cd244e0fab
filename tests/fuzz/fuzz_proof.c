/* Slice proofs under a fixed key and statement (those of tests/corpus/run/good-chain.bin, 12-bit profile). First byte: bit 0 picks the slice. Only the honest
 * bytes are accepted: no other proof of the same statement is known to whoever changes some of them. */
#include "fuzz/fuzz.h"

#include "fuzz/runpack.h"
#include "verifier/verify.h"

const bool fuzz_by_path = false;

typedef struct {
    dsp_key            *key;
    dsp_derived        *D;
    dsp_slice_statement st;
    part                proof;
} fixed;

static fixed both[2];

static void load(void)
{
    static dsp_statement *st;
    static dsp_arena     *a;
    static uint8_t       *bytes;
    part    in[5];
    dsp_err err;
    size_t  n;
    bytes = fuzz_source("tests/corpus/run/good-chain.bin", &n);
    FUZZ_CHECK(split_parts(in, 5, bytes + 1, n - 1) == 5);
    FUZZ_CHECK((a = dsp_arena_create(0)) && dsp_statement_read(&st, in[0].p, in[0].n, &err) == DSP_OK && st->n_slices == 2);
    for (size_t i = 0; i < 2; i++) {
        fixed *f = &both[i];
        FUZZ_CHECK(dsp_key_read(&f->key, in[1 + 2 * i].p, in[1 + 2 * i].n, &err) == DSP_OK && dsp_derive(&f->D, f->key, &err) == DSP_OK);
        FUZZ_CHECK(dsp_key_check(f->D, &err) == DSP_OK && dsp_statement_slice(&f->st, a, st, f->D, &err) == DSP_OK);
        f->proof = in[2 + 2 * i];
    }
}

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    unsigned check = 0;
    if (!both[0].key)
        load();
    const fixed     *f = &both[n ? p[0] & 1 : 0];
    const size_t     len = n - (n > 0);
    const uint8_t   *proof = p + (n > 0);
    const dsp_status s = dsp_verify_slice(f->D, &f->st, n ? proof : (const uint8_t *)"", len, 0, &check, err);
    FUZZ_CHECK(s == DSP_OK || (s == DSP_E_REJECTED && check != 0));
    FUZZ_CHECK((s == DSP_OK) == (len == f->proof.n && memcmp(proof, f->proof.p, len) == 0));
    return s;
}
