/* The statement of a run about what ezkl proves. First byte: bit 0 corrects the digest at the end. */
#include "fuzz/fuzz.h"

#include "pipeline/foreign.h"

const bool fuzz_by_path = false;

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_foreign   *f = NULL;
    const bool     seal = n > 32 && p[0] & 1;
    uint8_t       *own = seal ? fuzz_seal(p + 1, n - 1) : NULL;
    const uint8_t *q = own ? own : p + (n > 0);
    const size_t   len = n - (n > 0);
    const dsp_status s = dsp_foreign_read(&f, q, len, err);
    FUZZ_CHECK((s == DSP_OK) == (f != NULL));
    if (s == DSP_OK) {
        dsp_buf    b = {0};
        dsp_digest id;
        FUZZ_CHECK(dsp_foreign_write(&b, f, err) == DSP_OK);
        FUZZ_CHECK(b.len == len && memcmp(b.p, q, len) == 0); /* one way to write it */
        FUZZ_CHECK(dsp_foreign_model_id(&id, f, NULL, err) == DSP_OK);
        for (uint32_t i = 0; i < f->n_segments; i++)
            for (uint32_t k = 0; k < f->segments[i].n_in + f->segments[i].n_out; k++)
                FUZZ_CHECK((k < f->segments[i].n_in ? f->segments[i].in[k] : f->segments[i].out[k - f->segments[i].n_in]) < f->n_tensors);
        dsp_buf_release(&b);
    }
    dsp_foreign_free(f);
    free(own);
    return s;
}
