/* Boundary and witness files of a run. First byte: bit 0 corrects the digest at the end, bit 1 picks the witness file. */
#include "fuzz/fuzz.h"

#include "pipeline/artifacts.h"

const bool fuzz_by_path = true;

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    static const uint32_t dims[3] = {2, 3, 3};
    dsp_statement st = {0};
    dsp_io        io[2] = {{.name = "x", .pub = true, .dims = {1, 1, 4}, .count = 4}, {.name = "b1", .made = true, .dims = {2, 3, 3}, .count = 18}};
    dsp_slice     sl = {.n_io = 2, .io = io};
    memset(st.run_key.b, 'k', sizeof st.run_key.b);
    memset(st.nonce, 'n', sizeof st.nonce);
    memset(sl.digest.b, 'd', sizeof sl.digest.b);
    const unsigned flags = n ? p[0] : 0;
    const size_t   len = n - (n > 0);
    uint8_t       *own = flags & 1 && len >= 32 ? fuzz_seal(p + 1, len) : NULL;
    const char    *path = fuzz_file("artifact.bin", own ? own : p + (n > 0), len);
    free(own);
    if (flags & 2) {
        dsp_witness_row rows[2];
        return dsp_witness_read(rows, path, &sl, &st, err);
    }
    int64_t cells[18];
    return dsp_boundary_read(cells, path, "b1", dims, &st, err);
}
