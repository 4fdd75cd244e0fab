/* The grammar of --layers. First byte: how many segments there are. */
#include "fuzz/fuzz.h"

#include "pipeline/pipeline.h"

const bool fuzz_by_path = false;

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    bool           flags[256];
    const unsigned count = n ? p[0] : 0;
    char          *text = calloc(n + 1, 1);
    FUZZ_CHECK(text);
    if (n)
        memcpy(text, p + 1, n - 1);
    const dsp_status s = dsp_layers_parse(flags, count, text, err);
    bool             any = false;
    for (unsigned i = 0; s == DSP_OK && i < count; i++)
        any |= flags[i];
    FUZZ_CHECK(s == DSP_E_ARG || any);
    free(text);
    return s;
}
