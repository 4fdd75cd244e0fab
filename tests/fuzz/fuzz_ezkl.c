/* JSON that ezkl writes: settings, witness, proof. The first byte picks which. */
#include "fuzz/fuzz.h"

#include "backends/ezkl.h"

const bool fuzz_by_path = true;

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_ezkl_circuit c = {.n_in = 2, .n_out = 1, .in = {2, 1}, .out = {3}, .cells_in = 3, .cells_out = 3}, read;
    int64_t          in[3], out[3];
    uint64_t         span = 0;
    const char      *path = fuzz_file("ezkl.json", p + (n > 0), n - (n > 0));
    const unsigned   pick = n ? p[0] % 3 : 0;
    if (pick == 1)
        return dsp_ezkl_witness_read(in, out, path, &c, err);
    if (pick == 2) {
        int64_t          in2[3], out2[3];
        dsp_buf          once = {0}, again = {0};
        const dsp_status r = dsp_ezkl_proof_read(in, out, path, &c, err);
        FUZZ_CHECK(dsp_ezkl_proof_parse(in2, out2, &once, p + 1, n - 1, "bytes", &c, NULL) == r);
        if (r == DSP_OK) { /* what ezkl is given says the same, and is written in one way */
            FUZZ_CHECK(dsp_ezkl_proof_parse(in2, out2, &again, once.p, once.len, "bytes", &c, NULL) == DSP_OK);
            FUZZ_CHECK(memcmp(in, in2, sizeof in) == 0 && memcmp(out, out2, sizeof out) == 0 && once.len == again.len && memcmp(once.p, again.p, once.len) == 0);
        }
        dsp_buf_release(&once);
        dsp_buf_release(&again);
        return r;
    }
    const dsp_status s = dsp_ezkl_settings_read(&read, path, 7, &span, err);
    if (s == DSP_OK) {
        uint64_t cells = 0;
        FUZZ_CHECK(span > 0 && read.n_in > 0 && read.n_in <= DSP_EZKL_MAX_TENSORS && read.n_out <= DSP_EZKL_MAX_TENSORS);
        for (uint32_t i = 0; i < read.n_in; i++)
            cells += read.in[i];
        FUZZ_CHECK(cells == read.cells_in);
        dsp_buf once = {0}, again = {0};
        FUZZ_CHECK(dsp_ezkl_settings_parse(&read, &once, p + 1, n - 1, "bytes", 7, NULL) == DSP_OK);
        FUZZ_CHECK(dsp_ezkl_settings_parse(&read, &again, once.p, once.len, "bytes", 7, NULL) == DSP_OK);
        FUZZ_CHECK(once.len == again.len && memcmp(once.p, again.p, once.len) == 0);
        dsp_buf_release(&once);
        dsp_buf_release(&again);
    }
    return s;
}
