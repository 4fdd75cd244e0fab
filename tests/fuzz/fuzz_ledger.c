/* The ledger: whatever the file holds, what was recorded once cannot be recorded otherwise. */
#include "fuzz/fuzz.h"

#include "pipeline/artifacts.h"

const bool fuzz_by_path = true;

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_digest context, roots[2];
    dsp_ledger l = {.path = fuzz_file("ledger.bin", p, n), .segment = 1, .tile = 0};
    dsp_err    other = {DSP_OK, ""};
    memset(l.secret.b, 's', sizeof l.secret.b);
    memset(context.b, 'c', sizeof context.b);
    memset(roots, 'r', sizeof roots);
    const dsp_status s = dsp_ledger_record(&l, &context, roots, 2, err);
    if (s == DSP_OK) {
        FUZZ_CHECK(dsp_ledger_record(&l, &context, roots, 2, &other) == DSP_OK);
        context.b[0] ^= 1;
        FUZZ_CHECK(dsp_ledger_record(&l, &context, roots, 2, &other) == DSP_E_ARG);
    }
    return s;
}
