/* models/tiny sliced in a folder of its own, and a pipe that knows the real ezkl. */
#ifndef DSP_TESTS_EZKL_COMPILE_H
#define DSP_TESTS_EZKL_COMPILE_H

#include "unit/onnx/make.h"

#include "pipeline/json.h"
#include "pipeline/model.h"

#define PYTHON DSP_SOURCE_DIR "/deps/ezkl/bin/python"
#define DRIVER DSP_SOURCE_DIR "/src/backends/ezkl_driver.py"
#define OWN_SRS DSP_BINARY_DIR "/ezkl-srs"
#define OK(call) do { if ((call) != DSP_OK) fail_msg("%s", err.msg); } while (0)

enum { SKIPPED = 77 };

typedef struct {
    char                  dir[64], slices[96];
    const char           *pythons[2], *ort[4];
    dsp_ezkl_places       places;
    dsp_pipe              p;
} workshop;

static inline void say_nothing(void *arg, dsp_say level, const char *text)
{
    (void)arg;
    if (level != DSP_SAY_DEBUG)
        print_message("  %s\n", text);
}

/* False: ezkl or ONNX Runtime is not there; said. */
static inline bool workshop_open(workshop *w, const char *model)
{
    char        command[512];
    dsp_err     err = {DSP_OK, ""};
    json_t     *r = NULL;
    dsp_ort    *o;
    const dsp_ezkl *e;
    *w = (workshop){.pythons = {PYTHON, NULL},
                    .ort = {getenv("DSPERSE_ORT") ? getenv("DSPERSE_ORT") : DSP_SOURCE_DIR "/deps/onnxruntime/libonnxruntime.so",
                            DSP_SOURCE_DIR "/deps/onnxruntime/onnxruntime/capi/libonnxruntime.so.1.32.0", "libonnxruntime.so", NULL}};
    snprintf(w->dir, sizeof w->dir, "/tmp/dsp-ezkl-compile-XXXXXX");
    if (!mkdtemp(w->dir))
        return false;
    w->places = (dsp_ezkl_places){.pythons = w->pythons, .driver = DRIVER, .install = "tools/setup-ezkl.sh", .log_dir = w->dir, .timeout_ms = 600000};
    w->p = (dsp_pipe){.ort_paths = w->ort, .ezkl_places = &w->places, .srs_own = OWN_SRS, .test_srs = true, .say = say_nothing};
    if (dsp_pipe_ort(&o, &w->p, &err) != DSP_OK || dsp_pipe_ezkl(&e, &w->p, &err) != DSP_OK) {
        printf("SKIPPED, nothing about compiling for ezkl was tested: %s\n", err.msg);
        return false;
    }
    snprintf(command, sizeof command, "cp %s/models/%s/model.onnx %s/models/%s/input.json %s/", DSP_SOURCE_DIR, model, DSP_SOURCE_DIR, model, w->dir);
    snprintf(w->slices, sizeof w->slices, "%s/slices", w->dir);
    if (system(command) != 0)
        return false;
    const dsp_slice_args a = {.model = w->dir};
    const dsp_status     s = dsp_pipe_slice(&w->p, &a, &r, &err);
    if (s != DSP_OK)
        printf("%s\n", err.msg);
    json_decref(r);
    return s == DSP_OK;
}

static inline void workshop_close(workshop *w)
{
    char command[96];
    dsp_pipe_release(&w->p);
    snprintf(command, sizeof command, "rm -rf %s", w->dir);
    if (system(command) != 0)
        printf("%s stays\n", w->dir);
}

#endif
