/* The statement of a run. First byte: bit 0 corrects the digest at the end. */
#include "fuzz/fuzz.h"

#include "circuit/statement.h"

const bool fuzz_by_path = false;

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_statement *st = NULL;
    const bool     seal = n > 32 && p[0] & 1;
    uint8_t       *own = seal ? fuzz_seal(p + 1, n - 1) : NULL;
    const uint8_t *q = own ? own : p + (n > 0);
    const size_t   len = n - (n > 0);
    const dsp_status s = dsp_statement_read(&st, q, len, err);
    FUZZ_CHECK((s == DSP_OK) == (st != NULL));
    if (s == DSP_OK) {
        dsp_buf b = {0};
        FUZZ_CHECK(dsp_statement_write(&b, st, err) == DSP_OK);
        FUZZ_CHECK(b.len == len && memcmp(b.p, q, len) == 0);
        dsp_buf_release(&b);
    }
    dsp_statement_free(st);
    free(own);
    return s;
}
