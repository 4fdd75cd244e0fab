/* An ONNX file: pre-scan, graph, cuts, segment files, metadata. */
#include "fuzz/fuzz.h"

#include "onnx/meta.h"
#include "onnx/wire.h"

const bool fuzz_by_path = true;

extern const ProtobufCMessageDescriptor onnx__model_proto__descriptor; /* generated */

/* What slicing makes of an accepted model is a message again, and JSON. */
static void slice(const dsp_graph *g)
{
    dsp_plan  *p = NULL;
    dsp_err    err = {DSP_OK, ""};
    dsp_status s = dsp_plan_make(&p, g, NULL, 0, true, &err);
    FUZZ_CHECK(s != DSP_E_BUG && (s == DSP_OK || *err.msg));
    if (s != DSP_OK)
        return;
    for (uint32_t i = 0; i < p->n_segments && i < 16; i++) {
        uint8_t *data = NULL;
        size_t   n = 0;
        s = dsp_segment_bytes(&data, &n, p, i, &err);
        FUZZ_CHECK(s != DSP_E_BUG && (s == DSP_OK || *err.msg));
        if (s == DSP_OK)
            FUZZ_CHECK(dsp_wire_check(data, n, &onnx__model_proto__descriptor, &err) == DSP_OK);
        dsp_free(data);
    }
    json_decref(dsp_meta_slices(p, "../model.onnx"));
    json_decref(dsp_meta_analysis(g, p, "../model.onnx"));
    dsp_plan_free(p);
}

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_graph *g = NULL;
    fuzz_file("weights.bin", "external data!!!", 16);
    const dsp_status s = dsp_graph_load(&g, fuzz_file("model.onnx", p, n), NULL, 0, err);
    FUZZ_CHECK((s == DSP_OK) == (g != NULL));
    if (strlen(err->msg) > strlen(fuzz_dir())) /* the folder's name differs from process to process */
        memset(err->msg, '-', strlen(fuzz_dir()));
    if (s == DSP_OK)
        slice(g);
    dsp_graph_free(g);
    return s;
}
