/* run_result.json and its like: the strict JSON reader, finding a run, and looking things up in whatever shape they have. */
#include "fuzz/fuzz.h"

#include "pipeline/paths.h"
#include "pipeline/runfiles.h"

const bool fuzz_by_path = true;

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    json_t       *j = NULL;
    dsp_run_place place;
    dsp_digest    d;
    dsp_err       other = {DSP_OK, ""};
    const dsp_status s = dsp_json_load(&j, fuzz_file("run_result.json", p, n), err);
    FUZZ_CHECK((s == DSP_OK) == (j != NULL));
    for (uint32_t i = 0; j && i < 3; i++) {
        json_t *e = dsp_result_entry(j, i), *seg = dsp_meta_segment(j, i);
        dsp_json_str(e, "method");
        dsp_json_num(json_object_get(e, "proof_execution"), "proof_generation_time");
        dsp_json_u64(seg, "macs");
        (void)dsp_json_digest(&d, seg, "vk_sha256");
    }
    const dsp_status f = dsp_find_run(&place, fuzz_dir(), true, &other);
    FUZZ_CHECK(f == DSP_OK || *other.msg);
    FUZZ_CHECK(s == DSP_OK || f != DSP_OK);
    if (f == DSP_OK)
        dsp_free(place.dir);
    if (j) { /* what was read can be written and read again */
        json_t *k = NULL;
        char    path[512];
        snprintf(path, sizeof path, "%s/again.json", fuzz_dir());
        FUZZ_CHECK(dsp_json_save(path, dsp_json_object_at(j, "execution_chain"), 2, false, &other) == DSP_OK);
        FUZZ_CHECK(dsp_json_load(&k, path, &other) == DSP_OK);
        json_decref(k);
    }
    json_decref(j);
    return s;
}
