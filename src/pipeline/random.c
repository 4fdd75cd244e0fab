/* The system's randomness, in a file of its own: tests that compare whole runs link another one. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "pipeline/runfiles.h"

dsp_status dsp_random_bytes(uint8_t *out, size_t n, dsp_err *err)
{
    for (size_t at = 0; at < n;) {
        const ssize_t k = getrandom(out + at, n - at, 0);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return dsp_fail(err, DSP_E_IO, "no random bytes from the system: %s", strerror(errno));
        at += (size_t)k;
    }
    return DSP_OK;
}
