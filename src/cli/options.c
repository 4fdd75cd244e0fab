/* Options and commands as tables. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"

static const opt_row rows[] = {
    {OPT_HELP, 'h', "help", ARG_NONE, NULL, "this text"},
    {OPT_VERSION, 0, "version", ARG_NONE, NULL, "version, with --verbose also what the build contains"},
    {OPT_VERBOSE, 0, "verbose", ARG_NONE, NULL, "say more"},
    {OPT_QUIET, 'q', "quiet", ARG_NONE, NULL, "print errors only"},
    {OPT_JSON, 0, "json", ARG_NONE, NULL, "results as one JSON object on stdout"},
    {OPT_YES, 'y', "yes non-interactive", ARG_NONE, NULL, "never ask; take the documented defaults"},
    {OPT_LOG_LEVEL, 0, "log-level", ARG_TEXT, "LEVEL", "DEBUG, INFO, WARNING, ERROR or CRITICAL (default INFO on a terminal, else WARNING)"},
    {OPT_THREADS, 0, "threads", ARG_TEXT, "N", "worker threads (default: one per processor)"},
    {OPT_MODEL_DIR, 'm', "model-dir model-path mp", ARG_PATH, "PATH", "model folder or .onnx file"},
    {OPT_SLICES, 's', "slices-path slices-dir slices-directory slices sd", ARG_PATH, "DIR", "slices folder, or the model folder that holds it"},
    {OPT_INPUT, 'i', "input-file input if", ARG_PATH, "FILE", "input tensors (default: the model's input.json)"},
    {OPT_OUTPUT, 'o', "output-dir output-file output", ARG_PATH, "PATH", "where results go"},
    {OPT_RUN, 0, "run-dir rd", ARG_PATH, "DIR", "run folder, run root or model folder (the newest complete run)"},
    {OPT_LAYERS, 'l', "layers", ARG_TEXT, "LIST", "segments, such as 0,2-4 (default: all)"},
    {OPT_SAVE, 'S', "save-file save", ARG_OPTIONAL_PATH, "PATH", "write the analysis (default: <model>/analysis/model_metadata.json)"},
    {OPT_DIM, 0, "dim", ARG_TEXT, "NAME=VALUE", "bind a symbolic dimension; may be repeated"},
    {OPT_CUTS, 0, "cuts", ARG_TEXT, "LIST", "node indices where segments start, or none"},
    {OPT_MAX_PARAMS, 0, "max-params", ARG_TEXT, "N", "merge neighbouring segments up to N parameters"},
    {OPT_MAX_MACS, 0, "max-macs", ARG_TEXT, "N", "merge neighbouring segments up to N multiply-accumulates"},
    {OPT_MAX_SEGMENT_MEMORY, 0, "max-segment-memory", ARG_TEXT, "SIZE", "merge neighbouring segments up to this much of weights and tensors, such as 64M"},
    {OPT_FORCE, 0, "force", ARG_NONE, NULL, "do again, or overwrite, what is there"},
    {OPT_BACKEND, 0, "backend", ARG_TEXT, "SPEC", "proof system: native or ezkl, or by segments such as 0,2:ezkl;3-4:native (others run as plain ONNX)"},
    {OPT_INPUT_RANGE, 0, "input-range", ARG_TEXT, "[NAME=]LO:HI", "declared range of an input; may be repeated"},
    {OPT_PRECISION, 0, "precision", ARG_TEXT, "BITS", "bits of weights and activations: 4 to 16 (default: the fewest good ones)"},
    {OPT_MAX_MEMORY, 0, "max-memory", ARG_TEXT, "SIZE", "refuse what is predicted to take more, such as 512M or 4G"},
    {OPT_JOBS, 0, "jobs", ARG_TEXT, "N", "the same as --threads"},
    {OPT_NO_FALLBACK, 0, "no-fallback", ARG_NONE, NULL, "a segment that cannot be proved is a failure"},
    {OPT_INPUT_VISIBILITY, 0, "input-visibility", ARG_TEXT, "V", "public"},
    {OPT_OUTPUT_VISIBILITY, 0, "output-visibility", ARG_TEXT, "V", "public"},
    {OPT_PARAMS_VISIBILITY, 0, "params-visibility param-visibility", ARG_TEXT, "V", "public"},
    {OPT_RUN_METADATA, 0, "run-metadata-path", ARG_PATH, "FILE", "chain file; its folder becomes the run root"},
    {OPT_COMPARE, 0, "compare", ARG_NONE, NULL, "measure the outputs against the float model in ONNX Runtime"},
    {OPT_EVAL, 0, "eval", ARG_PATH, "FILE", "accuracy over a labelled set instead of a run"},
    {OPT_NEW, 0, "new", ARG_NONE, NULL, "start a new run instead of continuing an incomplete one"},
    {OPT_NO_SELF_VERIFY, 0, "no-self-verify", ARG_NONE, NULL, "do not verify each proof after making it"},
    {OPT_MODEL, 0, "model", ARG_PATH, "FILE", "derive the keys from this model and compare"},
    {OPT_MODEL_ID, 0, "model-id", ARG_TEXT, "HEX", "the model id that must be proved"},
    {OPT_EXPECT_INPUT, 0, "expect-input", ARG_PATH, "FILE", "the input that must be proved"},
    {OPT_EXPECT_OUTPUT, 0, "expect-output", ARG_PATH, "FILE", "the output that must be proved"},
    {OPT_REQUIRE_FULL, 0, "require-full", ARG_NONE, NULL, "an unproved segment is a rejection"},
    {OPT_KERNELS, 0, "kernels", ARG_NONE, NULL, "time the kernels (alone, unless -m is given)"},
    {OPT_REPEATS, 0, "repeats", ARG_TEXT, "N", "runs per measurement (default 7)"},
    {OPT_EZKL_PATH, 0, "ezkl-path", ARG_PATH, "FILE", "ezkl command; no other is looked for (default: DSPERSE_EZKL, PATH, ~/.ezkl/ezkl)"},
    {OPT_PYTHON, 0, "python", ARG_TEXT, "FILE", "Python that has the package ezkl, in place of a command (default: DSPERSE_PYTHON, deps/ezkl, python3)"},
    {OPT_EZKL_SCALE, 0, "ezkl-scale", ARG_TEXT, "BITS", "fraction bits of the numbers in segments that ezkl proves: 1 to 32 (default: as many as fit)"},
    {OPT_TEST_SRS, 0, "generate-test-srs", ARG_NONE, NULL, "for ezkl where no SRS is installed: make an insecure one here, and accept such (whoever made it can forge proofs)"},
    {OPT_TIMEOUT, 0, "timeout", ARG_TEXT, "SECONDS", "end a stage of ezkl that takes longer (default: none)"},
};

const opt_row *cli_option(opt_id id)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].id == id)
            return &rows[i];
    return NULL;
}

static const opt_id global[] = {OPT_JSON, OPT_QUIET, OPT_YES, OPT_THREADS, OPT_LOG_LEVEL, OPT_VERBOSE, OPT_VERSION, OPT_HELP, OPT_COUNT};
const opt_id *cli_global_options(void) { return global; }

static const opt_id slice_opts[] = {OPT_MODEL_DIR, OPT_OUTPUT, OPT_SAVE, OPT_DIM, OPT_CUTS, OPT_MAX_PARAMS, OPT_MAX_MACS, OPT_MAX_SEGMENT_MEMORY,
                                    OPT_FORCE, OPT_COUNT};
static const opt_id compile_opts[] = {OPT_SLICES, OPT_MODEL_DIR, OPT_INPUT, OPT_LAYERS, OPT_INPUT_RANGE, OPT_PRECISION, OPT_BACKEND, OPT_MAX_MEMORY, OPT_DIM,
                                      OPT_NO_FALLBACK, OPT_INPUT_VISIBILITY, OPT_OUTPUT_VISIBILITY, OPT_PARAMS_VISIBILITY, OPT_EZKL_PATH, OPT_PYTHON, OPT_EZKL_SCALE, OPT_TEST_SRS, OPT_TIMEOUT,
                                      OPT_JOBS, OPT_FORCE, OPT_COUNT};
static const opt_id run_opts[] = {OPT_SLICES, OPT_MODEL_DIR, OPT_INPUT, OPT_OUTPUT, OPT_RUN_METADATA, OPT_COMPARE, OPT_EVAL, OPT_NEW, OPT_NO_FALLBACK,
                                  OPT_EZKL_PATH, OPT_PYTHON, OPT_TEST_SRS, OPT_TIMEOUT, OPT_JOBS, OPT_COUNT};
static const opt_id prove_opts[] = {OPT_RUN, OPT_MODEL_DIR, OPT_OUTPUT, OPT_LAYERS, OPT_FORCE, OPT_NO_SELF_VERIFY, OPT_MAX_MEMORY, OPT_EZKL_PATH, OPT_PYTHON,
                                    OPT_TEST_SRS, OPT_TIMEOUT, OPT_JOBS, OPT_COUNT};
static const opt_id verify_opts[] = {OPT_RUN, OPT_MODEL_DIR, OPT_OUTPUT, OPT_LAYERS, OPT_MODEL, OPT_MODEL_ID, OPT_EXPECT_INPUT, OPT_EXPECT_OUTPUT,
                                     OPT_REQUIRE_FULL, OPT_MAX_MEMORY, OPT_EZKL_PATH, OPT_PYTHON, OPT_TEST_SRS, OPT_TIMEOUT, OPT_JOBS, OPT_COUNT};
static const opt_id bundle_opts[] = {OPT_RUN, OPT_MODEL_DIR, OPT_OUTPUT, OPT_FORCE, OPT_COUNT};
static const opt_id full_opts[] = {OPT_MODEL_DIR, OPT_INPUT, OPT_SLICES, OPT_OUTPUT, OPT_LAYERS, OPT_DIM, OPT_CUTS, OPT_MAX_PARAMS, OPT_MAX_MACS,
                                   OPT_MAX_SEGMENT_MEMORY, OPT_INPUT_RANGE,
                                   OPT_PRECISION, OPT_BACKEND, OPT_MAX_MEMORY, OPT_COMPARE, OPT_NEW, OPT_NO_FALLBACK, OPT_REQUIRE_FULL,
                                   OPT_NO_SELF_VERIFY, OPT_INPUT_VISIBILITY, OPT_OUTPUT_VISIBILITY, OPT_PARAMS_VISIBILITY, OPT_EZKL_PATH, OPT_PYTHON,
                                   OPT_EZKL_SCALE, OPT_TEST_SRS, OPT_TIMEOUT, OPT_JOBS, OPT_FORCE, OPT_COUNT};
static const opt_id bench_opts[] = {OPT_MODEL_DIR, OPT_BACKEND, OPT_INPUT, OPT_KERNELS, OPT_REPEATS, OPT_MAX_MEMORY, OPT_EZKL_PATH, OPT_PYTHON, OPT_EZKL_SCALE,
                                    OPT_TIMEOUT, OPT_COUNT};
static const opt_id doctor_opts[] = {OPT_EZKL_PATH, OPT_PYTHON, OPT_COUNT};
static const opt_id docs_opts[] = {OPT_OUTPUT, OPT_COUNT};

static const command commands[] = {
    {"slice", "s", cmd_slice, "cut a model into segments", slice_opts, OPT_MODEL_DIR},
    {"compile", "c", cmd_compile, "turn segments into circuits and keys", compile_opts, OPT_SLICES},
    {"run", "r", cmd_run, "run a model exactly, segment by segment", run_opts, OPT_SLICES},
    {"prove", "p", cmd_prove, "make a proof for each segment of a run", prove_opts, OPT_RUN},
    {"verify", "v", cmd_verify, "check the proofs of a run or bundle as one chain", verify_opts, OPT_RUN},
    {"bundle", NULL, cmd_bundle, "collect what a verifier needs", bundle_opts, OPT_RUN},
    {"full-run", "fr", cmd_full_run, "slice, compile, run, prove and verify", full_opts, OPT_MODEL_DIR},
    {"bench", NULL, cmd_bench, "time pipeline stages and kernels", bench_opts, OPT_COUNT},
    {"doctor", NULL, cmd_doctor, "say what is installed, and what is missing and how to install it", doctor_opts, OPT_COUNT},
    {"__docs", NULL, cmd_docs, "write manual and completions below a folder", docs_opts, OPT_OUTPUT},
    {NULL, NULL, NULL, NULL, NULL, OPT_COUNT},
};

const command *cli_commands(void) { return commands; }

bool cli_hidden(const command *k) { return k->name[0] == '_'; }

/* Where one command says more than the row does. */
static const struct { const char *command; opt_id id; const char *help; } own_help[] = {
    {"slice", OPT_OUTPUT, "slices folder (default: <model>/slices)"},
    {"slice", OPT_FORCE, "replace segments that are in the folder"},
    {"compile", OPT_INPUT, "calibration sample; may be repeated (default: the model's input.json where there is one)"},
    {"compile", OPT_SLICES, "slices folder, the model folder that holds it, or a model file"},
    {"compile", OPT_FORCE, "compile what is up to date again"},
    {"run", OPT_INPUT, "input tensors (default: <model>/input.json)"},
    {"run", OPT_OUTPUT, "file for outputs and methods (default: none; suggested: <model>/output.json)"},
    {"prove", OPT_OUTPUT, "copy of run_result.json (default: none; suggested: <run root>/proof_results.json)"},
    {"prove", OPT_FORCE, "prove again where a valid proof exists"},
    {"verify", OPT_RUN, "run folder, run root, model folder (the newest complete run) or bundle"},
    {"verify", OPT_OUTPUT, "copy of run_result.json (default: none; suggested: <run root>/verification_results.json)"},
    {"bundle", OPT_OUTPUT, "folder for the bundle; needed"},
    {"bundle", OPT_FORCE, "write into a folder that is not empty"},
    {"full-run", OPT_INPUT, "input tensors, also the calibration sample (default: <model>/input.json)"},
    {"full-run", OPT_SLICES, "slices made earlier; nothing is sliced then"},
    {"full-run", OPT_OUTPUT, "file for the results of the run (default: <run root>/inference_results.json)"},
    {"bench", OPT_MODEL_DIR, "model folder, with compiled slices unless --backend is given"},
    {"bench", OPT_BACKEND, "proof systems to compare side by side, such as native,ezkl; works in a copy and compiles by itself"},
    {"bench", OPT_INPUT, "with --backend: input tensors, also the calibration sample (default: <model>/input.json)"},
    {"bench", OPT_REPEATS, "runs per measurement (default 7, of ezkl 1)"},
};

const char *cli_option_help(const command *k, opt_id id)
{
    for (size_t i = 0; k && i < sizeof own_help / sizeof *own_help; i++)
        if (own_help[i].id == id && strcmp(own_help[i].command, k->name) == 0)
            return own_help[i].help;
    return cli_option(id)->help;
}

const char *cli_choices(opt_id id)
{
    switch (id) {
    case OPT_LOG_LEVEL:         return "DEBUG INFO WARNING ERROR CRITICAL";
    case OPT_BACKEND:           return "native ezkl";
    case OPT_INPUT_VISIBILITY:
    case OPT_OUTPUT_VISIBILITY:
    case OPT_PARAMS_VISIBILITY: return "public";
    case OPT_PRECISION:         return "4 6 8 10 12 14 16";
    default:                    return NULL;
    }
}

/* Spellings that are understood and not shown. */
static const struct { opt_id id; const char *name; } old_names[] = {{OPT_SLICES, "slices-directroy"}};

/* ---- help ---- */

static void help_row(FILE *f, const command *cmd, opt_id id)
{
    const opt_row *r = cli_option(id);
    const char    *help = cli_option_help(cmd, id);
    char           left[256];
    size_t         at = 0;
    if (r->letter)
        at += (size_t)snprintf(left + at, sizeof left - at, "-%c", r->letter);
    for (const char *n = r->names; *n;) {
        const size_t len = strcspn(n, " ");
        at += (size_t)snprintf(left + at, sizeof left - at, "%s--%.*s", at ? ", " : "", (int)len, n);
        n += len + (n[len] == ' ');
    }
    if (r->arg == ARG_OPTIONAL_PATH)
        at += (size_t)snprintf(left + at, sizeof left - at, " [%s]", r->value);
    else if (r->arg != ARG_NONE)
        at += (size_t)snprintf(left + at, sizeof left - at, " %s", r->value);
    if (at <= 26)
        fprintf(f, "  %-26s  %s\n", left, help);
    else
        fprintf(f, "  %s\n  %-26s  %s\n", left, "", help);
}

void cli_help(FILE *f, const command *cmd)
{
    if (!cmd) {
        fprintf(f, "usage: dsperse [global options] COMMAND [options]\n\n"
                   "Cuts an ONNX model into segments, runs them as exact integer programs, proves every segment and\n"
                   "verifies the proofs as one chain.\n\ncommands:\n");
        for (const command *k = commands; k->name; k++)
            if (!cli_hidden(k))
                fprintf(f, "  %-9s %-3s %s\n", k->name, k->alias ? k->alias : "", k->help);
        fprintf(f, "\nglobal options, before or after the command:\n");
        for (const opt_id *o = global; *o != OPT_COUNT; o++)
            help_row(f, cmd, *o);
        fprintf(f, "\nexit status: 0 done, 1 an operation failed, 2 bad usage, 3 a file is missing or malformed,\n"
                   "4 verification rejected, 5 a library or backend is not there, 130 interrupted\n"
                   "dsperse COMMAND -h tells more about a command.\n");
        return;
    }
    fprintf(f, "usage: dsperse %s [options]\n\n%s\n%s", cmd->name, cmd->help, *cmd->options == OPT_COUNT ? "" : "\noptions:\n");
    for (const opt_id *o = cmd->options; *o != OPT_COUNT; o++)
        help_row(f, cmd, *o);
    fprintf(f, "\nglobal options:\n");
    for (const opt_id *o = global; *o != OPT_COUNT; o++)
        help_row(f, cmd, *o);
}

/* ---- paths ---- */

static void put(char *out, size_t cap, size_t *at, const char *s, size_t n)
{
    if (*at + n < cap) {
        memcpy(out + *at, s, n);
        *at += n;
        out[*at] = 0;
    }
}

const char *cli_path(dsp_arena *a, const char *p)
{
    char   raw[8192], out[8192];
    size_t at = 0, n = 0;
    raw[0] = 0;
    if (p[0] == '~' && (p[1] == 0 || p[1] == '/')) {
        const char *home = getenv("HOME");
        if (home) {
            put(raw, sizeof raw, &at, home, strlen(home));
            p++;
        }
    }
    while (*p) {
        if (*p == '$') {
            const bool   brace = p[1] == '{';
            const char  *name = p + 1 + brace;
            size_t       len = 0;
            while (isalnum((unsigned char)name[len]) || name[len] == '_')
                len++;
            char var[256];
            if (len && len < sizeof var && (!brace || name[len] == '}')) {
                memcpy(var, name, len);
                var[len] = 0;
                const char *v = getenv(var);
                if (v) {
                    put(raw, sizeof raw, &at, v, strlen(v));
                    p = name + len + brace;
                    continue;
                }
            }
        }
        put(raw, sizeof raw, &at, p++, 1);
    }
    if (raw[0] != '/') {
        char cwd[4096];
        if (!getcwd(cwd, sizeof cwd) || strlen(cwd) + at + 2 > sizeof raw)
            return NULL;
        memmove(raw + strlen(cwd) + 1, raw, at + 1);
        memcpy(raw, cwd, strlen(cwd));
        raw[strlen(cwd)] = '/';
    }
    out[0] = 0;
    for (const char *s = raw; *s;) {
        while (*s == '/')
            s++;
        const size_t len = strcspn(s, "/");
        if (len == 2 && s[0] == '.' && s[1] == '.') {
            while (n && out[n - 1] != '/')
                n--;
            n -= n > 0;
            out[n] = 0;
        } else if (len && !(len == 1 && s[0] == '.')) {
            put(out, sizeof out, &n, "/", 1);
            put(out, sizeof out, &n, s, len);
        }
        s += len;
    }
    return dsp_arena_strdup(a, n ? out : "/");
}

/* ---- parsing ---- */

static bool has_name(const opt_row *r, const char *s, size_t n)
{
    for (const char *p = r->names; *p;) {
        const size_t len = strcspn(p, " ");
        if (len == n && memcmp(p, s, n) == 0)
            return true;
        p += len + (p[len] == ' ');
    }
    return false;
}

static bool in_list(const opt_id *list, opt_id id)
{
    for (; *list != OPT_COUNT; list++)
        if (*list == id)
            return true;
    return false;
}

static int store(cli *c, const opt_row *r, const char *value);
int cli_store(cli *c, opt_id id, const char *value) { return store(c, cli_option(id), value); }

static int store(cli *c, const opt_row *r, const char *value)
{
    opts *o = &c->o;
    o->given[r->id] = true;
    if (!value)
        return EXIT_OK;
    if (r->arg == ARG_PATH || r->arg == ARG_OPTIONAL_PATH) {
        if (!*value)
            return cli_usage(c, "--%.*s: a path expected", (int)strcspn(r->names, " "), r->names);
        value = cli_path(o->arena, value);
        if (!value)
            return cli_usage(c, "--%.*s: path too long", (int)strcspn(r->names, " "), r->names);
    }
    o->value[r->id] = value;
    const char **list = r->id == OPT_INPUT ? o->inputs : r->id == OPT_INPUT_RANGE ? o->ranges : r->id == OPT_DIM ? o->dims : NULL;
    size_t      *n = r->id == OPT_INPUT ? &o->n_inputs : r->id == OPT_INPUT_RANGE ? &o->n_ranges : &o->n_dims;
    if (list) {
        if (*n == MAX_REPEAT)
            return cli_usage(c, "--%.*s: at most %d", (int)strcspn(r->names, " "), r->names, MAX_REPEAT);
        list[(*n)++] = value;
    }
    return EXIT_OK;
}

static const command *find_command(const char *s)
{
    for (const command *k = commands; k->name; k++)
        if (strcmp(s, k->name) == 0 || (k->alias && strcmp(s, k->alias) == 0))
            return k;
    return NULL;
}

/* The option at argv[i]; *value points behind "=" or a short letter when the value is glued on. */
static const opt_row *find_option(const char *a, const char **value)
{
    *value = NULL;
    if (a[1] == '-') {
        const size_t n = strcspn(a + 2, "=");
        if (a[2 + n] == '=')
            *value = a + 2 + n + 1;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (has_name(&rows[i], a + 2, n))
                return &rows[i];
        for (size_t i = 0; i < sizeof old_names / sizeof *old_names; i++)
            if (strlen(old_names[i].name) == n && memcmp(old_names[i].name, a + 2, n) == 0)
                return cli_option(old_names[i].id);
        return NULL;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].letter && rows[i].letter == a[1]) {
            if (a[2])
                *value = a + 2 + (a[2] == '=');
            return &rows[i];
        }
    return NULL;
}

int cli_parse(cli *c, int argc, char **argv, bool *stop)
{
    int code = EXIT_OK;
    *stop = true;
    if (!(c->o.arena = dsp_arena_create(0)))
        return EXIT_FAILED;
    for (int i = 1; i < argc; i++) /* before all else: a wrong command line is reported as JSON too */
        c->json = c->json || strcmp(argv[i], "--json") == 0;
    /* The command first: it decides what a later word may be. */
    for (int i = 1; i < argc && !c->cmd; i++) {
        const char    *value;
        const opt_row *r = argv[i][0] == '-' && argv[i][1] ? find_option(argv[i], &value) : NULL;
        if (!r && argv[i][0] != '-') {
            c->cmd = find_command(argv[i]);
            if (!c->cmd)
                return cli_usage(c, "unknown command \"%s\"", argv[i]);
        }
        i += r && (r->arg == ARG_TEXT || r->arg == ARG_PATH) && !value;
    }
    bool seen = false;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *value;
        if (a[0] != '-' || a[1] == 0) {
            if (c->cmd && !seen && find_command(a) == c->cmd) {
                seen = true;
                continue;
            }
            return cli_usage(c, "unexpected word \"%s\"", a);
        }
        const opt_row *r = find_option(a, &value);
        if (!r)
            return cli_usage(c, "unknown option \"%s\"", a);
        if (!in_list(global, r->id) && !(c->cmd && in_list(c->cmd->options, r->id)))
            return cli_usage(c, "option \"%s\" does not belong to %s", a, c->cmd ? c->cmd->name : "the program");
        if (r->arg == ARG_NONE && value && !(a[1] != '-' && value))
            return cli_usage(c, "option \"%s\" takes no value", a);
        if (r->arg == ARG_NONE && value)
            return cli_usage(c, "unknown option \"%s\"", a);
        if ((r->arg == ARG_TEXT || r->arg == ARG_PATH) && !value) {
            if (i + 1 >= argc)
                return cli_usage(c, "option \"%s\" needs a value", a);
            value = argv[++i];
        }
        if (r->arg == ARG_OPTIONAL_PATH && !value && i + 1 < argc && argv[i + 1][0] != '-' && (seen || !find_command(argv[i + 1])))
            value = argv[++i];
        if ((code = store(c, r, value)) != EXIT_OK)
            return code;
    }
    if (c->o.given[OPT_HELP]) {
        cli_help(stdout, c->cmd);
        return EXIT_OK;
    }
    *stop = false;
    return EXIT_OK;
}
