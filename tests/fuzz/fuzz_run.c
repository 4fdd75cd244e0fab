/* A whole run: statement, keys, proofs (runpack.h). First byte: bit 0 corrects the digest at the statement's end, bit 1 also what the statement says
 * about the keys (their digests, model id, run key), so that changed keys are looked at. */
#include "fuzz/fuzz.h"

#include "fuzz/runpack.h"
#include "verifier/verify.h"

const bool fuzz_by_path = false;

enum { MAX_SLICES = 4 };

/* Digests of the keys as they are into the statement. */
static void rekey(dsp_statement *st, const dsp_slice_bytes *in)
{
    const dsp_derived *D[MAX_SLICES];
    dsp_derived       *own[MAX_SLICES] = {0};
    dsp_key           *key[MAX_SLICES] = {0};
    dsp_digest         keys[MAX_SLICES];
    bool               all = true;
    for (uint32_t i = 0; i < st->n_slices; i++) {
        keys[i] = st->slices[i].key = dsp_sha256(in[i].key, in[i].key_len);
        all = all && dsp_key_read(&key[i], in[i].key, in[i].key_len, NULL) == DSP_OK && dsp_derive(&own[i], key[i], NULL) == DSP_OK;
        D[i] = own[i];
    }
    st->model_id = dsp_model_id(&st->model, &st->record, keys, st->n_slices);
    if (all)
        all = dsp_run_key_digest(&st->run_key, D, st->n_slices, NULL) == DSP_OK;
    for (uint32_t i = 0; i < st->n_slices; i++) {
        dsp_derived_free(own[i]);
        dsp_key_free(key[i]);
    }
}

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    part            part_of[1 + 2 * MAX_SLICES] = {{0}};
    dsp_slice_bytes in[MAX_SLICES] = {{0}};
    dsp_statement  *st = NULL;
    dsp_verdict     v = {0};
    const unsigned  flags = n ? p[0] : 0;
    split_parts(part_of, 1 + 2 * MAX_SLICES, p + (n > 0), n - (n > 0));
    const part  *s0 = &part_of[0];
    uint8_t     *own = flags & 1 && s0->n >= 32 ? fuzz_seal(s0->p, s0->n) : NULL;
    dsp_status   s = dsp_statement_read(&st, own ? own : s0->p ? s0->p : (const uint8_t *)"", s0->n, err);
    free(own);
    if (s != DSP_OK)
        return s;
    if (st->n_slices <= MAX_SLICES) {
        bool keys = true;
        for (uint32_t i = 0; i < st->n_slices; i++) {
            in[i] = (dsp_slice_bytes){part_of[1 + 2 * i].p, part_of[1 + 2 * i].n, part_of[2 + 2 * i].p, part_of[2 + 2 * i].n};
            keys = keys && in[i].key;
        }
        if (flags & 2 && keys)
            rekey(st, in);
        s = dsp_verify_run(&v, st, in, 0, err);
        FUZZ_CHECK(s == DSP_OK || s == DSP_E_REJECTED);
        FUZZ_CHECK(s == DSP_OK || v.check != 0);
    } else {
        s = dsp_fail(err, DSP_E_LIMIT, "more slices than this harness has room for");
    }
    dsp_statement_free(st);
    return s;
}
