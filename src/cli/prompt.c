/* Questions, on a terminal only: asked on stderr, answered on stdin. An empty line or the end of input takes
 * the default; a required answer without one is asked for again, and the end of input is then bad usage. Ctrl-C ends the program
 * with 130, as everywhere. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "pipeline/artifacts.h"
#include "pipeline/paths.h"

static const char *short_name(opt_id id, char out[48])
{
    const char *names = cli_option(id)->names;
    snprintf(out, 48, "--%.*s", (int)strcspn(names, " "), names);
    return out;
}

bool cli_can_ask(const cli *c) { return !c->o.given[OPT_YES] && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO); }

/* Blanks around it and one pair of quotes taken away. */
static const char *tidy(dsp_arena *a, char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    size_t n = strlen(s);
    while (n && (s[n - 1] == '\n' || s[n - 1] == '\r' || s[n - 1] == ' ' || s[n - 1] == '\t'))
        n--;
    if (n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n - 1] == s[0]) {
        s++;
        n -= 2;
    }
    s[n] = 0;
    return dsp_arena_strdup(a, s);
}

/* One answer; def when the line is empty. NULL: end of input without a default. required: asks until there is one. */
static const char *ask(cli *c, const char *question, const char *def, bool required)
{
    const char *answer = NULL;
    char       *line = NULL;
    size_t      cap = 0;
    bool        end = false;
    while (!answer && !end) {
        fprintf(stderr, "%s%s%s", c->colour_err ? "\033[33m" : "", question, def ? " [" : "");
        cli_put(stderr, def ? def : "");
        fprintf(stderr, "%s:%s ", def ? "]" : "", c->colour_err ? "\033[0m" : "");
        fflush(stderr);
        end = getline(&line, &cap, stdin) < 0;
        if (end)
            fputc('\n', stderr);
        answer = end ? NULL : tidy(c->o.arena, line);
        if (answer && !*answer)
            answer = NULL;
        if (!answer && (def || !required))
            answer = def;
        if (!answer && !required)
            break;
    }
    clearerr(stdin);
    free(line);
    return answer;
}

static bool ask_yes(cli *c, const char *question)
{
    for (;;) {
        const char *a = ask(c, question, "n", false);
        if (!a || strcmp(a, "n") == 0 || strcmp(a, "N") == 0 || strcmp(a, "no") == 0)
            return false;
        if (strcmp(a, "y") == 0 || strcmp(a, "Y") == 0 || strcmp(a, "yes") == 0)
            return true;
        fprintf(stderr, "y or n expected\n");
    }
}

/* Asks for a path unless it was given. */
static int ask_path(cli *c, opt_id id, const char *question, const char *def)
{
    char        name[48];
    if (c->o.given[id])
        return EXIT_OK;
    const char *a = ask(c, question, def, true);
    return a ? cli_store(c, id, a) : cli_usage(c, "missing option: %s", short_name(id, name));
}

static const char *keep(cli *c, char *p)
{
    const char *q = p ? dsp_arena_strdup(c->o.arena, p) : NULL;
    dsp_free(p);
    return q;
}

static const char *below(cli *c, const char *dir, const char *name) { return dir ? keep(c, dsp_path_join(dir, name)) : NULL; }
static const char *parent(cli *c, const char *path) { return path ? keep(c, dsp_path_dir(path)) : NULL; }

/* The model's folder, whatever the command was given; NULL when there is none, which the command will say. */
static const char *model_dir(cli *c)
{
    char *file = NULL, *dir = NULL;
    if (c->o.given[OPT_MODEL_DIR] && dsp_find_model(&file, &dir, c->o.value[OPT_MODEL_DIR], NULL) == DSP_OK) {
        dsp_free(file);
        return keep(c, dir);
    }
    if (c->o.given[OPT_SLICES] && dsp_find_slices(&dir, c->o.value[OPT_SLICES], NULL) == DSP_OK)
        return parent(c, keep(c, dir));
    return NULL;
}

/* An input file that is there: asked for once more when it is not, where q gives up. */
static int ask_input(cli *c)
{
    if (c->o.given[OPT_INPUT])
        return EXIT_OK;
    int code = ask_path(c, OPT_INPUT, "Input file", below(c, model_dir(c), "input.json"));
    if (code != EXIT_OK || dsp_file_exists(c->o.value[OPT_INPUT]))
        return code;
    fprintf(stderr, "%s: no such file\n", c->o.value[OPT_INPUT]);
    const char *again = ask(c, "Input file (q to quit)", NULL, false);
    if (!again || strcmp(again, "q") == 0) {
        fprintf(stderr, "dsperse %s: no input file\n", c->cmd->name);
        return EXIT_MISSING;
    }
    c->o.n_inputs = 0;
    return cli_store(c, OPT_INPUT, again);
}

/* Where a copy of the results goes, if anywhere. */
static int ask_output(cli *c, const char *def)
{
    if (c->o.given[OPT_OUTPUT] || !def || !ask_yes(c, "Save the results to a file? (y/n)"))
        return EXIT_OK;
    return ask_path(c, OPT_OUTPUT, "Output file", def);
}

/* ---- runs ---- */

/* One of the complete runs below a run root or model folder: the newest, a position or a name. */
static int choose_run(cli *c)
{
    char     **dirs = NULL;
    size_t     n = 0;
    dsp_status s = dsp_run_list(&dirs, &n, c->o.value[OPT_RUN], NULL);
    int        code = EXIT_OK;
    if (s != DSP_OK || n < 2)
        goto done;
    fprintf(stderr, "%zu runs:\n", n);
    for (size_t i = 0; i < n; i++) {
        fprintf(stderr, "  %zu  ", i + 1);
        cli_put(stderr, dsp_path_base(dirs[i]));
        fprintf(stderr, "%s\n", i + 1 == n ? "  (newest)" : "");
    }
    const char *a = ask(c, "Run, by number or name", dsp_path_base(dirs[n - 1]), false), *found = NULL;
    char       *end = NULL;
    const unsigned long k = a && *a >= '0' && *a <= '9' ? strtoul(a, &end, 10) : 0;
    if (end && !*end && k >= 1 && k <= n)
        found = dirs[k - 1];
    for (size_t i = 0; a && i < n && !found; i++)
        if (strcmp(a, dsp_path_base(dirs[i])) == 0)
            found = dirs[i];
    code = found ? cli_store(c, OPT_RUN, found) : cli_usage(c, "--run-dir: there is no run \"%s\"", a ? a : "");
done:
    for (size_t i = 0; i < n; i++)
        dsp_free(dirs[i]);
    dsp_free(dirs);
    return code;
}

static int ask_run(cli *c, const char *results)
{
    int code = EXIT_OK;
    if (!c->o.given[OPT_RUN]) {
        char       *cwd = getcwd(NULL, 0);
        const char *here = cwd ? below(c, dsp_arena_strdup(c->o.arena, cwd), "run") : NULL, *def = NULL;
        char      **dirs = NULL;
        size_t      n = 0;
        free(cwd);
        if (here && dsp_run_list(&dirs, &n, here, NULL) == DSP_OK && n)
            def = dsp_arena_strdup(c->o.arena, dirs[n - 1]);
        for (size_t i = 0; i < n; i++)
            dsp_free(dirs[i]);
        dsp_free(dirs);
        const char *a = ask(c, "Run folder", def, true);
        if (!a)
            return cli_usage(c, "missing option: --run-dir");
        /* A bare run_... is a name below ./run. */
        const char *named = strncmp(a, "run_", 4) == 0 && !strchr(a, '/') && def ? below(c, here, a) : NULL;
        if ((code = cli_store(c, OPT_RUN, named && dsp_dir_exists(named) ? named : a)) != EXIT_OK)
            return code;
    }
    if ((code = choose_run(c)) != EXIT_OK || !results)
        return code;
    dsp_run_place place;
    if (dsp_find_run(&place, c->o.value[OPT_RUN], true, NULL) != DSP_OK)
        return EXIT_OK; /* the command says what is wrong */
    return ask_output(c, below(c, parent(c, keep(c, place.dir)), results));
}

/* ---- bundled models ---- */

static bool copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    char    *from = dsp_path_join(from_dir, name), *to = dsp_path_join(to_dir, name);
    uint8_t *p = NULL;
    size_t   n = 0;
    const bool ok = from && to && dsp_file_read(&p, &n, from, DSP_FILE_MAX, NULL) == DSP_OK && dsp_file_write(to, p, n, 0644, NULL) == DSP_OK;
    dsp_free(p);
    dsp_free(from);
    dsp_free(to);
    return ok;
}

/* A name such as "net" that is no path: the bundled model of that name, copied to ~/dsperse/<name>. NULL: there is none. */
static const char *bundled(cli *c, const char *name)
{
    static const char *const places[] = {"../models", "../share/dsperse/models"};
    const char *home = getenv("HOME"), *exe = cli_exe_dir(c);
    if (!home || !*home || !exe || strchr(name, '/') || name[0] == '.' || dsp_file_exists(name) || dsp_dir_exists(name))
        return NULL;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *from = below(c, below(c, exe, places[i]), name);
        const char *model = below(c, from, "model.onnx"), *to = below(c, below(c, home, "dsperse"), name);
        if (!model || !to || !dsp_file_exists(model) || dsp_mkdirs(to, NULL) != DSP_OK || !copy_file(from, to, "model.onnx"))
            continue;
        if (!copy_file(from, to, "input.json"))
            continue;
        fprintf(stderr, "the bundled model %s in %s\n", name, to);
        return to;
    }
    return NULL;
}

static int ask_model(cli *c)
{
    if (c->o.given[OPT_MODEL_DIR])
        return EXIT_OK;
    const bool  names = c->cmd->run == cmd_full_run && !c->o.given[OPT_INPUT];
    const char *a = ask(c, names ? "Model folder, .onnx file, or the name of a bundled model" : "Model folder or .onnx file", NULL, true), *own = NULL;
    if (!a)
        return cli_usage(c, "missing option: --model-dir");
    if (names && (own = bundled(c, a)) != NULL) {
        const char *input = below(c, own, "input.json");
        const int   code = input ? cli_store(c, OPT_INPUT, input) : EXIT_OK;
        return code == EXIT_OK ? cli_store(c, OPT_MODEL_DIR, own) : code;
    }
    return cli_store(c, OPT_MODEL_DIR, a);
}

/* ---- per command ---- */

int cli_prompt(cli *c)
{
    int code = EXIT_OK;
    if (!cli_can_ask(c) || c->cmd->needed == OPT_COUNT)
        return EXIT_OK;
    if (c->cmd->run == cmd_slice) {
        if ((code = ask_model(c)) == EXIT_OK && model_dir(c))
            code = ask_path(c, OPT_OUTPUT, "Slices folder", below(c, model_dir(c), "slices"));
    } else if (c->cmd->run == cmd_compile) {
        code = ask_path(c, OPT_SLICES, "Slices folder", NULL);
    } else if (c->cmd->run == cmd_run) {
        code = ask_path(c, OPT_SLICES, "Slices folder", NULL);
        if (code == EXIT_OK && !c->o.given[OPT_EVAL] && (code = ask_input(c)) == EXIT_OK)
            code = ask_output(c, below(c, model_dir(c), "output.json"));
    } else if (c->cmd->run == cmd_prove) {
        code = ask_run(c, "proof_results.json");
    } else if (c->cmd->run == cmd_verify) {
        code = ask_run(c, "verification_results.json");
    } else if (c->cmd->run == cmd_bundle) {
        if ((code = ask_run(c, NULL)) == EXIT_OK)
            code = ask_path(c, OPT_OUTPUT, "Bundle folder", NULL);
    } else if (c->cmd->run == cmd_full_run) {
        if ((code = ask_model(c)) == EXIT_OK && model_dir(c))
            code = ask_input(c);
    }
    return code;
}
