/* slices/metadata.json beside the model it speaks of, with a key file that it may name: the folder as every step after slicing loads it. */
#include "fuzz/fuzz.h"

#include "pipeline/model.h"

const bool fuzz_by_path = true;

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    static bool ready;
    dsp_slices *s = NULL;
    dsp_model  *m = NULL;
    char        dir[512];
    if (!ready) {
        size_t   k;
        uint8_t *q = fuzz_source("models/tiny/model.onnx", &k);
        fuzz_file("model.onnx", q, k);
        free(q);
        q = fuzz_source("tests/corpus/key/good-chain-0.bin", &k);
        fuzz_file("slices/vk.bin", q, k);
        free(q);
        ready = true;
    }
    fuzz_file("slices/metadata.json", p, n);
    snprintf(dir, sizeof dir, "%s/slices", fuzz_dir());
    const dsp_status st = dsp_slices_load(&s, dir, err);
    FUZZ_CHECK((st == DSP_OK) == (s != NULL));
    dsp_slices_free(s);
    dsp_err          other = {DSP_OK, ""};
    const dsp_status whole = dsp_model_load(&m, dir, &other);
    FUZZ_CHECK(whole != DSP_E_BUG && (whole == DSP_OK || *other.msg) && (whole == DSP_OK) == (m != NULL));
    FUZZ_CHECK(whole != DSP_OK || st == DSP_OK);
    dsp_model_free(m);
    return st;
}
