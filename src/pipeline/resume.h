/* Which folder a run gets: an unfinished one of the same input and keys, a complete one on request, or a new one. All choices are made under
 * the lock of the run root; the lock of the run's own folder stays with the caller.
 */
#ifndef DSP_PIPELINE_RESUME_H
#define DSP_PIPELINE_RESUME_H

#include "pipeline/lock.h"
#include "pipeline/model.h"

typedef struct {
    char      *dir;
    dsp_lock   lock;         /* of dir, alone */
    uint8_t    nonce[32], drawn[32];
    bool       continued;    /* an earlier, unfinished run */
    json_t    *complete;     /* of a complete run that was taken up: its run_result.json */
} dsp_run_folder;

typedef struct {
    const char *root;
    dsp_digest  input;       /* dsp_arrays_digest */
    bool        fresh;       /* neither continue nor take up */
    bool        take_complete;
} dsp_run_choice;

/* Removes what killed runs left in root: temporary files and folders that no result was ever written to. */
DSP_MUST_USE dsp_status dsp_run_open(dsp_run_folder *f, const dsp_model *m, const dsp_run_choice *c, dsp_err *err);
void dsp_run_folder_release(dsp_run_folder *f);   /* gives the lock back, wipes drawn */

#endif
