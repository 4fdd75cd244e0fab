/* The steps of the command line as functions over artifacts on disk: slice, compile, run, prove, verify, bundle, and what
 * measures them. Files are written atomically and only when a step has something to say, so that a failure leaves earlier
 * results intact. All paths given here are absolute; paths written are relative to the file that holds them.
 *
 * Every step returns a report, a JSON object that is the caller's (json_decref) also when the step fails halfway (it may be NULL).
 */
#ifndef DSP_PIPELINE_PIPELINE_H
#define DSP_PIPELINE_PIPELINE_H

#include <jansson.h>

#include "backends/ezkl.h"
#include "base/pool.h"
#include "lower/lower.h"

typedef enum { DSP_SAY_DEBUG, DSP_SAY_INFO, DSP_SAY_WARNING, DSP_SAY_ERROR } dsp_say;

/* How far a long step is. */
typedef struct {
    const char *step;             /* "slice", "compile", "run", "prove", "verify", "bundle", "eval", "bench" */
    const char *units;            /* "segments"; "samples" of eval, "rounds" of bench */
    uint64_t    done, total;      /* of these */
    double      part;             /* 0 to 1: share of the work that is done, by predicted cost */
    double      expected_seconds; /* for all of it; 0: unknown */
} dsp_progress;

/* What every step is given. */
typedef struct dsp_pipe {
    dsp_pool          *pool;               /* may be NULL: one thread */
    const char *const *ort_paths;          /* candidates for the ONNX Runtime library, NULL at the end */
    uint64_t           max_memory_bytes;   /* 0: no limit */
    void             (*say)(void *arg, dsp_say level, const char *text);   /* may be NULL */
    void              *say_arg;
    void             (*progress)(void *arg, const dsp_progress *p);        /* may be NULL; called by one thread at a time, with say_arg */
    dsp_ort           *ort;                /* opened on first use */
    struct dsp_ort_ahead *ort_ahead;       /* being opened; NULL: not */
    const dsp_ezkl_places *ezkl_places;    /* where ezkl may be; NULL: not offered */
    const char *const *srs_dirs;           /* folders with kzg<k>.srs, NULL at the end; NULL: none */
    const char        *srs_own;            /* folder of insecure SRS files made here; NULL: none can be made */
    bool               test_srs;           /* --generate-test-srs: make insecure SRS files, prove and verify with them */
    dsp_ezkl          *ezkl;               /* opened on first use */
} dsp_pipe;

void dsp_pipe_release(dsp_pipe *p);
/* The runtime; opened when it is needed for the first time. Borrowed. */
DSP_MUST_USE dsp_status dsp_pipe_ort(dsp_ort **o, dsp_pipe *p, dsp_err *err);
/* Starts to open it beside the caller's work, for a step that is going to need it. What fails is said by dsp_pipe_ort. Until that returns the
 * caller changes nothing in the environment. */
void dsp_pipe_ort_ahead(dsp_pipe *p);
/* ezkl, likewise. DSP_E_UNAVAILABLE: none, or too old. */
DSP_MUST_USE dsp_status dsp_pipe_ezkl(const dsp_ezkl **e, dsp_pipe *p, dsp_err *err);
/* The SRS file of a size: a real one where there is one, else with test_srs an insecure one, made where there is none yet. *path is the caller's. */
DSP_MUST_USE dsp_status dsp_pipe_srs(char **path, bool *insecure, dsp_pipe *p, unsigned logrows, dsp_err *err);
/* part: 0 to 1. The first call of a step has done = 0. */
void dsp_pipe_progress(const dsp_pipe *p, const char *step, uint64_t done, uint64_t total, double part, double expected_seconds);
void dsp_pipe_say(const dsp_pipe *p, dsp_say level, const char *fmt, ...) DSP_PRINTF(3, 4);

/* ---- layers ---- */
/* item *("," item), item = N | A "-" B. flags: n entries, set where named. DSP_E_ARG names what is wrong. */
DSP_MUST_USE dsp_status dsp_layers_parse(bool *flags, uint32_t n, const char *text, dsp_err *err);

/* ---- slice ---- */
typedef struct {
    const char *model;            /* file or folder */
    const char *out;              /* slices folder; NULL: <model folder>/slices */
    const char *save;             /* analysis file; NULL: none */
    bool        save_default;     /* <model folder>/analysis/model_metadata.json */
    const dsp_dim_bind *binds;  size_t n_binds;
    const char *cuts;             /* "3,5,9" node indices, "none"; NULL: the default cut set */
    uint64_t    max_params, max_macs, max_segment_memory; /* merge neighbours of the default set up to these sums (dsp_plan_group); 0: no such limit */
    bool        force;
} dsp_slice_args;
DSP_MUST_USE dsp_status dsp_pipe_slice(dsp_pipe *p, const dsp_slice_args *a, json_t **report, dsp_err *err);

/* ---- compile ---- */
typedef struct {
    const char *slices;           /* slices or model folder, or a model file (compiled as one segment in <folder>/model) */
    const char *const *inputs;  size_t n_inputs;     /* sample files; none: the model's input.json where it exists */
    const dsp_range_arg *ranges; size_t n_ranges;
    const char *layers;           /* NULL: all */
    const char *ezkl;             /* the layers of these that ezkl proves (the others: native); "*": all; NULL: none */
    int         ezkl_scale;       /* bits; 0: chosen */
    unsigned    precision;        /* 0: chosen */
    bool        force, no_fallback;
    const dsp_dim_bind *binds;  size_t n_binds;      /* for a model file */
} dsp_compile_args;
DSP_MUST_USE dsp_status dsp_pipe_compile(dsp_pipe *p, const dsp_compile_args *a, json_t **report, dsp_err *err);

/* ---- run ---- */
typedef struct {
    const char *slices;           /* slices or model folder */
    const char *input;            /* NULL: the model's input.json */
    const char *output;           /* copy of the results; NULL: none */
    bool        output_default;   /* without output: <run root>/inference_results.json */
    const char *run_metadata;     /* chain file whose folder is the run root; NULL: <model folder>/run */
    const char *eval;             /* labelled set: measure accuracy instead of making a run */
    bool        fresh, compare, no_fallback;
    bool        take_complete;    /* a complete, intact run of this input under these keys is as good as a new one */
} dsp_run_args;
/* An unfinished run of the same input and keys is continued, unless fresh. report.run_dir names the run's folder. */
DSP_MUST_USE dsp_status dsp_pipe_run(dsp_pipe *p, const dsp_run_args *a, json_t **report, dsp_err *err);

/* ---- prove ---- */
typedef struct {
    const char *run;              /* run folder, run root or model folder */
    const char *output;
    const char *layers;
    bool        force;            /* prove again where a valid proof exists */
    bool        no_self_verify;
} dsp_prove_run_args;
DSP_MUST_USE dsp_status dsp_pipe_prove(dsp_pipe *p, const dsp_prove_run_args *a, json_t **report, dsp_err *err);

/* ---- verify ---- */
typedef struct {
    const char *run;              /* run folder, run root, model folder or bundle */
    const char *output;
    const char *layers;
    const char *model;            /* derive the keys from this model and the run's record */
    const char *model_id;         /* hex */
    const char *expect_input, *expect_output;
    bool        require_full;
    bool        read_only;        /* leave run_result.json as it is */
} dsp_verify_args;
/* DSP_E_REJECTED: report.check and the message name the check that spoke. */
DSP_MUST_USE dsp_status dsp_pipe_verify(dsp_pipe *p, const dsp_verify_args *a, json_t **report, dsp_err *err);

/* ---- bundle ---- */
typedef struct { const char *run, *out; bool force; } dsp_bundle_args;
DSP_MUST_USE dsp_status dsp_pipe_bundle(dsp_pipe *p, const dsp_bundle_args *a, json_t **report, dsp_err *err);

/* ---- bench ---- */
typedef struct {
    const char *model;
    bool        kernels;
    unsigned    repeats;          /* 0: 7, and 1 of a backend that takes long */
    const char *backends;         /* "native,ezkl": compiled and measured side by side in a folder of its own; NULL: the model's slices as they are */
    const char *input;            /* with backends; NULL: the model's input.json */
    int         ezkl_scale;       /* bits; 0: chosen */
    const char *tmp;              /* existing folder for temporary files; needed with backends */
} dsp_bench_args;
DSP_MUST_USE dsp_status dsp_pipe_bench(dsp_pipe *p, const dsp_bench_args *a, json_t **report, dsp_err *err);

#endif
