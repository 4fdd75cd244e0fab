/* Where things lie: model, slices and run folders found from what a user gives. */
#ifndef DSP_PIPELINE_PATHS_H
#define DSP_PIPELINE_PATHS_H

#include "base/file.h"

/* Joins any number of parts, NULL at the end. The caller's; NULL when memory is short. */
char *dsp_path_cat(const char *first, ...);
/* The path as seen from folder `from`; both absolute and normalised. The caller's. */
char *dsp_path_from(const char *from, const char *to);

/* A model given as file or folder: *file is the .onnx, *dir its folder. DSP_E_MISSING names what was looked for. */
DSP_MUST_USE dsp_status dsp_find_model(char **file, char **dir, const char *path, dsp_err *err);
/* A slices folder, or a model folder that holds slices/metadata.json. */
DSP_MUST_USE dsp_status dsp_find_slices(char **dir, const char *path, dsp_err *err);

/* What verify and prove may be pointed at. */
typedef struct {
    char *dir;         /* the run folder or the bundle */
    bool  bundle;      /* no run_result.json there */
    bool  chosen;      /* the newest of several */
} dsp_run_place;
/* A run folder, a run root or a model folder (the newest complete run of either), or, with bundles, a bundle. */
DSP_MUST_USE dsp_status dsp_find_run(dsp_run_place *r, const char *path, bool bundles, dsp_err *err);

/* The complete runs of a run root or model folder, oldest first; none is no error. Folders and list are the caller's (dsp_free). */
DSP_MUST_USE dsp_status dsp_run_list(char ***dirs, size_t *n, const char *path, dsp_err *err);

/* Makes a new run folder run_YYYYMMDD_HHMMSS[_n] below root. */
DSP_MUST_USE dsp_status dsp_run_create(char **dir, const char *root, dsp_err *err);
/* UTC time to the microsecond, as 2025-01-31T12:00:00.000000Z. */
void dsp_utc_now(char out[32]);

/* What a run must have been made from; hexadecimal digests. */
typedef struct { const char *input_sha256, *run_key, *model_sha256, *model_id; bool complete_too; } dsp_run_fit;
/* The newest run below root that fits, is incomplete (or, with complete_too, complete) and that no process holds the lock of: *dir NULL when
 * there is none. */
DSP_MUST_USE dsp_status dsp_run_fitting(char **dir, const char *root, const dsp_run_fit *fit, dsp_err *err);

#endif
