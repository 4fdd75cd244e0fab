/* The command line: options as data, one file per command.
 *
 * A command's row names its options; the table parses them, prints -h and feeds the manual. Results go to stdout, talk to stderr.
 */
#ifndef DSP_CLI_CLI_H
#define DSP_CLI_CLI_H

#include <stdio.h>

#include "pipeline/pipeline.h"

/* Exit codes. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_MISSING = 3, EXIT_REJECTED = 4, EXIT_NO_BACKEND = 5, EXIT_INTERRUPTED = 130 };

typedef enum {
    OPT_HELP, OPT_VERSION, OPT_VERBOSE, OPT_QUIET, OPT_JSON, OPT_YES, OPT_LOG_LEVEL, OPT_THREADS,
    OPT_MODEL_DIR, OPT_SLICES, OPT_INPUT, OPT_OUTPUT, OPT_RUN, OPT_LAYERS, OPT_SAVE, OPT_DIM, OPT_CUTS, OPT_MAX_PARAMS, OPT_MAX_MACS, OPT_MAX_SEGMENT_MEMORY,
    OPT_FORCE, OPT_BACKEND, OPT_INPUT_RANGE, OPT_PRECISION, OPT_MAX_MEMORY, OPT_JOBS, OPT_NO_FALLBACK, OPT_INPUT_VISIBILITY,
    OPT_OUTPUT_VISIBILITY, OPT_PARAMS_VISIBILITY, OPT_RUN_METADATA, OPT_COMPARE, OPT_EVAL, OPT_NEW, OPT_NO_SELF_VERIFY, OPT_MODEL,
    OPT_MODEL_ID, OPT_EXPECT_INPUT, OPT_EXPECT_OUTPUT, OPT_REQUIRE_FULL, OPT_KERNELS, OPT_REPEATS, OPT_EZKL_PATH, OPT_PYTHON, OPT_EZKL_SCALE, OPT_TEST_SRS,
    OPT_TIMEOUT, OPT_COUNT
} opt_id;

/* How an option takes a value. */
typedef enum { ARG_NONE, ARG_TEXT, ARG_PATH, ARG_OPTIONAL_PATH } opt_arg;

typedef struct {
    opt_id      id;
    char        letter;          /* 0: none */
    const char *names;           /* long names without dashes, separated by blanks; the first one is shown first */
    opt_arg     arg;
    const char *value;           /* name of the value in -h */
    const char *help;
} opt_row;

enum { MAX_REPEAT = 256 };

/* What was given. Paths are absolute and normalised. */
typedef struct {
    bool        given[OPT_COUNT];
    const char *value[OPT_COUNT];                          /* the last one; NULL without a value */
    const char *inputs[MAX_REPEAT];  size_t n_inputs;
    const char *ranges[MAX_REPEAT];  size_t n_ranges;
    const char *dims[MAX_REPEAT];    size_t n_dims;
    dsp_arena  *arena;
} opts;

struct cli;
typedef struct {
    const char *name, *alias;
    int       (*run)(struct cli *c);
    const char *help;
    const opt_id *options;       /* ends with OPT_COUNT */
    opt_id      needed;          /* an option that must be given; OPT_COUNT: none */
} command;

typedef struct cli_progress cli_progress;

typedef struct cli {
    const command *cmd;
    opts           o;
    dsp_pipe       pipe;
    dsp_ezkl_places places;      /* what pipe.ezkl_places points to */
    const char    *ezkl;         /* --backend: segments that ezkl proves, "*" for all; NULL: none */
    bool           json, quiet, colour_out, colour_err;
    cli_progress  *progress;     /* NULL: none is shown */
    int            level;        /* of talk: dsp_say and above */
    json_t        *result;       /* what --json prints */
} cli;

const command *cli_commands(void);               /* ends with name NULL */
const opt_row *cli_option(opt_id id);
const opt_id  *cli_global_options(void);         /* ends with OPT_COUNT */
/* What an option does in this command (NULL: in general), its default included. */
const char    *cli_option_help(const command *k, opt_id id);
const char    *cli_choices(opt_id id);           /* the values it may have, separated by blanks; NULL: others */
bool           cli_hidden(const command *k);     /* left out of help, manual and completions */

/* Parses argv. Returns EXIT_OK, or the exit code after a message on stderr (*stop is set: end with that code, help included). */
int  cli_parse(cli *c, int argc, char **argv, bool *stop);
void cli_help(FILE *f, const command *cmd);      /* NULL: the program */
/* ~, $VAR and ${VAR} expanded, absolute, without "." and ".." parts; from the arena. NULL: too long. */
const char *cli_path(dsp_arena *a, const char *p);
/* Takes a value as if it had been given on the command line. */
int  cli_store(cli *c, opt_id id, const char *value);
/* --backend: EXIT_OK, or the code after a message. Groups become --layers, those of ezkl c->ezkl. */
int  cli_backend(cli *c);
/* Where ezkl, its Python package and SRS files may be, for the pipe (ezkl_places.c). EXIT_OK, or the code after a message. */
int  cli_ezkl_places(cli *c);
/* A program on PATH, from the arena; NULL: none. */
const char *cli_on_path(cli *c, const char *name);
bool cli_executable(const char *path);
const char *cli_exe_dir(cli *c);                 /* folder of the program; NULL: not known */

/* ---- questions (prompt.c) ---- */
bool cli_can_ask(const cli *c);
/* Asks for what the command needs and was not given. EXIT_OK, or the code after a message. */
int  cli_prompt(cli *c);

/* ---- progress (progress.c) ---- */
/* bar: on a terminal; else lines, all of them or one in two seconds. NULL when it cannot be had. */
cli_progress *cli_progress_start(bool bar, bool colour, bool plain_always);
void cli_progress_stop(cli_progress *g);
void cli_on_progress(void *cli, const dsp_progress *p);
void cli_progress_end(cli *c);                   /* a step is over, well or not */
/* Around everything printed while a step runs. */
void cli_talk_begin(cli *c);
void cli_talk_end(cli *c);

/* ---- talk ---- */
void cli_say(void *arg, dsp_say level, const char *text);
int  cli_usage(cli *c, const char *fmt, ...) DSP_PRINTF(2, 3);
/* A message on stderr, and with --json the object that says the same on stdout. Returns code. */
int  cli_fail(cli *c, int code, const char *text);
int  cli_exit_code(dsp_status s);
/* Ends a command: a message for a failure, the report for --json. Takes report. */
int  cli_end(cli *c, dsp_status s, const dsp_err *err, json_t *report);
void cli_text(cli *c, const char *fmt, ...) DSP_PRINTF(2, 3);   /* a line of results on stdout, unless --json or --quiet */
const char *cli_bytes(char out[32], double bytes);
const char *cli_seconds(char out[32], double seconds);
void cli_put(FILE *f, const char *text);                        /* control characters become '?' */
/* The loud line on stdout for proofs under a local SRS, where there are such. */
void cli_insecure(cli *c, bool insecure);
/* Whether rows of a report name another backend than the native one; then name is a column: "  ezkl    ", else nothing. */
bool cli_several(const json_t *rows);
const char *cli_backend_column(char out[16], bool several, const char *name);
/* A tick or a cross. */
void cli_verdict(cli *c, bool good, const char *fmt, ...) DSP_PRINTF(3, 4);

/* ---- values of options ---- */
bool cli_number(cli *c, opt_id id, uint64_t max, uint64_t *out, int *code);        /* false with *code set: not a number */
bool cli_size(cli *c, opt_id id, uint64_t *out, int *code);                          /* bytes with K, M, G */
bool cli_dims(cli *c, dsp_dim_bind **binds, int *code);                              /* o.n_dims entries from the arena */
bool cli_ranges(cli *c, dsp_range_arg **ranges, int *code);

/* The program: parses, runs one command, returns its exit code. */
int cli_main(int argc, char **argv);

int cmd_slice(cli *c);
int cmd_compile(cli *c);
int cmd_run(cli *c);
int cmd_prove(cli *c);
int cmd_verify(cli *c);
int cmd_bundle(cli *c);
int cmd_full_run(cli *c);
int cmd_bench(cli *c);
int cmd_doctor(cli *c);
int cmd_docs(cli *c);

/* Steps with their printing; reports are the caller's. */
dsp_status step_slice(cli *c, const dsp_slice_args *a, json_t **report, dsp_err *err);
dsp_status step_compile(cli *c, const dsp_compile_args *a, json_t **report, dsp_err *err);
dsp_status step_run(cli *c, const dsp_run_args *a, json_t **report, dsp_err *err);
dsp_status step_prove(cli *c, const dsp_prove_run_args *a, json_t **report, dsp_err *err);
dsp_status step_verify(cli *c, const dsp_verify_args *a, json_t **report, dsp_err *err);
bool compile_args(cli *c, dsp_compile_args *a, int *code);

#endif
