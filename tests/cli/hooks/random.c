/* The randomness of the program that tests compare whole runs with: DSPERSE_TEST_SEED decides it. The linker takes this instead of the
 * library's; the program that is installed holds neither this code nor the variable's name.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/runfiles.h"

dsp_status dsp_random_bytes(uint8_t *out, size_t n, dsp_err *err)
{
    const char *seed = getenv("DSPERSE_TEST_SEED");
    if (!seed)
        return dsp_fail(err, DSP_E_ARG, "this program is for tests: DSPERSE_TEST_SEED is not set");
    for (size_t at = 0; at < n; at += 32) {
        dsp_sha s;
        dsp_sha_init(&s);
        dsp_sha_text(&s, seed);
        dsp_sha_u64(&s, at);
        const dsp_digest d = dsp_sha_digest(&s);
        memcpy(out + at, d.b, n - at < 32 ? n - at : 32);
    }
    return DSP_OK;
}
