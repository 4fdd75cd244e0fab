/* quantization.json: accepted only in the one way it is written. */
#include "fuzz/fuzz.h"

#include "quant/record.h"

const bool fuzz_by_path = false;

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_record      *r = NULL;
    dsp_buf          b = {0};
    const dsp_status s = dsp_record_read(&r, p, n, err);
    FUZZ_CHECK((s == DSP_OK) == (r != NULL));
    if (r) {
        FUZZ_CHECK(dsp_record_write(&b, r, err) == DSP_OK && b.len == n && memcmp(b.p, p, n) == 0);
        for (size_t i = 0; i < r->n_tensors; i++)
            FUZZ_CHECK(dsp_record_find(r, r->tensors[i].name) == &r->tensors[i]);
    }
    dsp_buf_release(&b);
    dsp_record_free(r);
    return s;
}
