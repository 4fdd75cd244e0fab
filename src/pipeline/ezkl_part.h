/* The segments that ezkl is asked to prove while they are compiled, and what metadata.json says of them. Internal to compile_ezkl.c. */
#ifndef DSP_PIPELINE_EZKL_PART_H
#define DSP_PIPELINE_EZKL_PART_H

#include "pipeline/compile_ezkl.h"

typedef enum { F_MODEL, F_SETTINGS, F_COMPILED, F_VK, F_PK, N_FILES } dsp_ep_file;

/* How far a segment is: each stage stands on those before. */
typedef enum { AT_NOTHING, AT_SETTINGS, AT_COMPILED, AT_CHECKED, AT_KEYS } dsp_ep_progress;

typedef struct {
    bool     in;              /* ezkl proves it, as far as is known */
    bool     changed;
    dsp_ep_progress at;
    char    *path[N_FILES], *log_dir;
    char     rel[N_FILES][96];
    dsp_ezkl_circuit  c;
    dsp_ezkl_forecast f;
    bool     lookups;
    json_t  *o;               /* its object in metadata.json, owned there */
    json_t  *attempts;        /* owned by o */
} dsp_ep;

struct dsp_ezkl_part {
    dsp_ezkl_part_args a;
    const dsp_ezkl    *ezkl;
    uint32_t           n;
    dsp_ep            *seg;
    json_t            *all;   /* metadata.json's compilation.ezkl; owned there */
    int                scale;
    bool               chosen;   /* the scale is ours to change */
    int                bits;     /* what the samples showed is below 2^(bits - 1); 0: not looked at */
    dsp_digest         stamp;
    /* Progress: what is before the forecast is taken to be half of what is before keys. */
    uint64_t           t0;
    double             before, keys;   /* seconds; 0: not known yet */
    struct { char *path; bool insecure; dsp_digest digest; } srs[DSP_EZKL_MAX_LOGROWS + 1];
};

/* Saves metadata.json. */
DSP_MUST_USE dsp_status dsp_ep_save(dsp_ezkl_part *x, dsp_err *err);
/* Status of a segment; reason may be NULL: none. */
void dsp_ep_status(dsp_ep *g, const char *status, const char *reason);
/* What the specification calls the circuit of a segment; an error makes it unusable for every reader. */
void dsp_ep_circuit(dsp_ezkl_part *x, uint32_t i, const char *error_key, const char *error);
/* Records a file that a stage has written. */
DSP_MUST_USE dsp_status dsp_ep_record(dsp_ep *g, dsp_ep_file f, dsp_err *err);
/* Records that a stage ran; error NULL: it did what it should. */
void dsp_ep_attempt(dsp_ep *g, const char *stage, double seconds, const char *error);
void dsp_ep_measured(dsp_ep *g, const char *stage, const dsp_ezkl_use *use);
/* Forgets what a stage and those after it have recorded, before it runs: a compilation that is cut short leaves nothing that looks whole. */
DSP_MUST_USE dsp_status dsp_ep_begin(dsp_ezkl_part *x, uint32_t i, dsp_ep_progress before, dsp_err *err);
/* After a stage of segment i failed with s, as err says: recorded. DSP_OK when the segment falls out and all else goes on. */
DSP_MUST_USE dsp_status dsp_ep_refused(dsp_ezkl_part *x, uint32_t i, const char *stage, dsp_status s, uint64_t t0, dsp_err *err);
dsp_ezkl_files dsp_ep_files(const dsp_ezkl_part *x, const dsp_ep *g);
/* Writes the explicit copy of segment i and starts its object; what the old one says of files that still stand is kept, and with it how far the
 * segment is. first: the old one is an earlier compilation's; else this one's, at another scale. */
DSP_MUST_USE dsp_status dsp_ep_start(dsp_ezkl_part *x, uint32_t i, bool first, dsp_err *err);

#endif
