/* Tensor files: input data, expected outputs, labelled sets. The first byte picks what is expected (bits 0 to 2), outputs (bit 3), a TensorProto (bit 6), a
 * labelled set (bit 7); JSON, a .npy file or a message follows. */
#include "fuzz/fuzz.h"

#include "base/mem.h"
#include "onnx/ort.h"
#include "pipeline/tensor_file.h"

const bool fuzz_by_path = true;

static const struct { size_t n; dsp_tensor_spec spec[3]; } wanted[8] = {
    {1, {{"input", DSP_DT_FLOAT, 2, {1, 64}}}},
    {1, {{"x", DSP_DT_FLOAT, 4, {1, 2, 1, 3}}}},
    {2, {{"a", DSP_DT_FLOAT, 2, {2, 2}}, {"b", DSP_DT_INT64, 1, {3}}}},
    {3, {{"u", DSP_DT_UINT8, 2, {2, 2}}, {"i", DSP_DT_INT8, 1, {2}}, {"t", DSP_DT_BOOL, 1, {2}}}},
    {1, {{"s", DSP_DT_DOUBLE, 0, {0}}}},
    {1, {{"e", DSP_DT_FLOAT, 2, {2, 0}}}},
    {1, {{"huge", DSP_DT_FLOAT, 4, {INT64_C(1) << 40, INT64_C(1) << 40, 3, 1}}}},
    {1, {{"x", DSP_DT_INT32, 3, {1, 1 << 11, 1 << 11}}}},
};

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_array      x[3] = {{0}};
    const unsigned pick = n ? p[0] & 7 : 0;
    const bool     outputs = n && p[0] & 8;
    const char    *path = fuzz_file(n && p[0] & 64 ? "input.pb" : "input.json", p + (n > 0), n - (n > 0));
    if (n && p[0] & 128) {
        dsp_jdoc        *doc = NULL;
        const dsp_status d = dsp_jdoc_load(&doc, path, err);
        FUZZ_CHECK((d == DSP_OK) == (doc != NULL));
        if (d == DSP_OK)
            (void)dsp_jnode_get(dsp_jdoc_root(doc), "labels");
        dsp_jdoc_free(doc);
        return d;
    }
    const dsp_status s = dsp_tensors_load(x, wanted[pick].spec, wanted[pick].n, path, outputs, err);
    for (size_t i = 0; i < wanted[pick].n; i++) {
        FUZZ_CHECK((s == DSP_OK) == (x[i].data != NULL));
        if (s == DSP_OK)
            for (size_t k = 0; k < x[i].count; k++)
                FUZZ_CHECK(dsp_array_f64(&x[i], k) == dsp_array_f64(&x[i], k)); /* no NaN comes out of a file */
        if (s == DSP_OK)
            dsp_array_release(&x[i]);
    }
    return s;
}
