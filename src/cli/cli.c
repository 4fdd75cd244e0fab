/* Set-up written once: terminal, environment, signals, ONNX Runtime's places, worker threads. Only this folder reads the environment. */
#include "cli/cli.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/file.h"
#include "backends/backend.h"

enum { MAX_ORT = 16 };

/* Every file is replaced atomically, so a run that ends here leaves whole files behind. */
static void interrupted(int sig)
{
    static const char msg[] = "\ndsperse: interrupted\n";
    const ssize_t     n = write(STDERR_FILENO, msg, sizeof msg - 1);
    (void)n;
    (void)sig;
    _exit(EXIT_INTERRUPTED);
}

/* Files dir/libonnxruntime.so*, in any order. */
static void add_libraries(const char **list, size_t *n, dsp_arena *a, const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (struct dirent *e; *n + 3 < MAX_ORT && (e = readdir(d)) != NULL;)
        if (strncmp(e->d_name, "libonnxruntime.so", 17) == 0) {
            char *p = dsp_path_join(dir, e->d_name);
            list[*n] = p ? dsp_arena_strdup(a, p) : NULL;
            *n += list[*n] != NULL;
            dsp_free(p);
        }
    closedir(d);
}

const char *cli_exe_dir(cli *c)
{
    char          exe[4096];
    const ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (len <= 0)
        return NULL;
    exe[len] = 0;
    char       *dir = dsp_path_dir(exe);
    const char *out = dir ? dsp_arena_strdup(c->o.arena, dir) : NULL;
    dsp_free(dir);
    return out;
}

/* DSPERSE_ORT alone when it is set; else beside the build, below the installation prefix, then whatever the loader finds. */
static const char *const *ort_places(cli *c)
{
    static const char *const below[] = {"../deps/onnxruntime/onnxruntime/capi", "../lib/dsperse", "../lib/x86_64-linux-gnu/dsperse"};
    const char  *env = getenv("DSPERSE_ORT");
    const char **list = DSP_ARENA_N(c->o.arena, const char *, MAX_ORT);
    size_t       n = 0;
    const char  *dir = cli_exe_dir(c);
    if (!list)
        return NULL;
    if (env && *env) {
        list[0] = env;
        return list;
    }
    for (size_t i = 0; dir && i < sizeof below / sizeof *below; i++) {
        char *p = dsp_path_join(dir, below[i]);
        if (p)
            add_libraries(list, &n, c->o.arena, p);
        dsp_free(p);
    }
    list[n++] = "libonnxruntime.so.1";
    list[n++] = "libonnxruntime.so";
    return list;
}

static int log_level(cli *c)
{
    static const struct { const char *name; int level; } names[] = {
        {"DEBUG", DSP_SAY_DEBUG}, {"INFO", DSP_SAY_INFO}, {"WARNING", DSP_SAY_WARNING}, {"ERROR", DSP_SAY_ERROR}, {"CRITICAL", DSP_SAY_ERROR + 1}};
    const char *s = c->o.value[OPT_LOG_LEVEL];
    c->level = isatty(STDERR_FILENO) || c->o.given[OPT_VERBOSE] ? DSP_SAY_INFO : DSP_SAY_WARNING;
    if (!s)
        return EXIT_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t k = 0;
        while (s[k] && names[i].name[k] && toupper((unsigned char)s[k]) == names[i].name[k])
            k++;
        if (!s[k] && !names[i].name[k]) {
            c->level = names[i].level;
            return EXIT_OK;
        }
    }
    return cli_usage(c, "--log-level: DEBUG, INFO, WARNING, ERROR or CRITICAL expected, \"%s\" found", s);
}

static int version_json(cli *c)
{
    json_t *o = json_object();
    dsp_err err = {DSP_OK, ""};
    json_object_set_new(o, "program", json_string("dsperse"));
    json_object_set_new(o, "version", json_string(DSP_VERSION));
    json_object_set_new(o, "protocol_version", json_integer(DSP_PROTOCOL_VERSION));
    return cli_end(c, DSP_OK, &err, o);
}

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown compiler"
#endif

/* The start of the program's own SHA-256: the same for the same build. */
static const char *build_id(char out[17])
{
    uint8_t *p = NULL;
    size_t   n = 0;
    snprintf(out, 17, "unknown");
    if (dsp_file_read(&p, &n, "/proc/self/exe", (size_t)1 << 28, NULL) == DSP_OK) {
        const dsp_digest d = dsp_sha256(p, n);
        for (int i = 0; i < 8; i++)
            snprintf(out + 2 * i, 3, "%02x", d.b[i]);
    }
    dsp_free(p);
    return out;
}

static int version(cli *c)
{
    if (c->json)
        return version_json(c);
    printf("Dsperse CLI v%s\n", DSP_VERSION);
    if (c->o.given[OPT_VERBOSE]) {
        const uint32_t  cpu = dsp_cpu_bits();
        const dsp_ezkl *e = NULL;
        char            id[17];
        dsp_ort        *o = NULL;
        dsp_err         err = {DSP_OK, ""};
        printf("build: %s, %s\n", build_id(id), COMPILER);
        printf("backends: %s (protocol %d)", dsp_backend_native()->name, DSP_PROTOCOL_VERSION);
        if (cli_ezkl_places(c) == EXIT_OK && dsp_pipe_ezkl(&e, &c->pipe, &err) == DSP_OK)
            printf(", ezkl %s\n", dsp_ezkl_version(e));
        else
            printf(", ezkl not found\n");
        printf("processor: %u threads%s%s%s%s\njansson: %s\n", dsp_cpu_count(),
               cpu & DSP_CPU_AVX2 ? ", avx2" : "", cpu & DSP_CPU_AVX512 ? ", avx512" : "", cpu & DSP_CPU_AVX512IFMA ? ", ifma" : "",
               cpu & DSP_CPU_SHANI ? ", sha" : "", JANSSON_VERSION);
        c->pipe.ort_paths = ort_places(c);
        if (dsp_pipe_ort(&o, &c->pipe, &err) == DSP_OK)
            printf("ONNX Runtime: %s\n", dsp_ort_version(o));
        else
            printf("ONNX Runtime: not found\n");
    }
    return EXIT_OK;
}

/* What every command takes; EXIT_OK to go on. */
static int prepare(cli *c)
{
    uint64_t threads = 0;
    int      code = log_level(c);
    static const opt_id visible[] = {OPT_INPUT_VISIBILITY, OPT_OUTPUT_VISIBILITY, OPT_PARAMS_VISIBILITY};
    if (code != EXIT_OK)
        return code;
    if (c->o.given[OPT_THREADS] && !cli_number(c, OPT_THREADS, 1024, &threads, &code))
        return code;
    if (c->o.given[OPT_JOBS] && !cli_number(c, OPT_JOBS, 1024, &threads, &code))
        return code;
    if (c->o.given[OPT_MAX_MEMORY] && !cli_size(c, OPT_MAX_MEMORY, &c->pipe.max_memory_bytes, &code))
        return code;
    for (size_t i = 0; i < sizeof visible / sizeof *visible; i++) {
        const char *v = c->o.value[visible[i]];
        if (v && strcmp(v, "public") != 0)
            return strcmp(v, "private") == 0 ? cli_usage(c, "--%.*s private: this version proves public inputs, outputs and parameters only",
                                                         (int)strcspn(cli_option(visible[i])->names, " "), cli_option(visible[i])->names)
                                             : cli_usage(c, "--%.*s: public or private expected, \"%s\" found",
                                                         (int)strcspn(cli_option(visible[i])->names, " "), cli_option(visible[i])->names, v);
    }
    if ((c->cmd->run != cmd_bench && (code = cli_backend(c)) != EXIT_OK) || (code = cli_ezkl_places(c)) != EXIT_OK)
        return code;
    c->pipe.pool = threads == 1 ? NULL : dsp_pool_create((unsigned)threads);
    c->pipe.ort_paths = ort_places(c);
    c->pipe.say = cli_say;
    c->pipe.say_arg = c;
    c->pipe.progress = cli_on_progress;
    return EXIT_OK;
}

int cli_main(int argc, char **argv)
{
    cli         c = {0};
    bool        stop;
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    signal(SIGINT, interrupted);
    signal(SIGTERM, interrupted);
    signal(SIGPIPE, SIG_IGN);
    const bool dumb = !term || !*term || strcmp(term, "dumb") == 0;
    c.colour_out = isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && !dumb;
    c.colour_err = isatty(STDERR_FILENO) && !(no_colour && *no_colour) && !dumb;
    int code = cli_parse(&c, argc, argv, &stop);
    if (stop)
        goto done;
    c.json = c.o.given[OPT_JSON];
    c.quiet = c.o.given[OPT_QUIET];
    if (c.o.given[OPT_VERSION]) {
        code = version(&c);
        goto done;
    }
    if (!c.cmd) {
        cli_help(stderr, NULL);
        code = EXIT_USAGE;
        goto done;
    }
    if ((code = prepare(&c)) != EXIT_OK)
        goto done;
    if (!c.quiet)
        c.progress = cli_progress_start(isatty(STDERR_FILENO) && !dumb, c.colour_err, c.level <= DSP_SAY_INFO);
    /* A model folder stands for its slices and its runs. */
    if ((c.cmd->needed == OPT_SLICES || c.cmd->needed == OPT_RUN) && !c.o.given[c.cmd->needed] && c.o.given[OPT_MODEL_DIR]) {
        c.o.given[c.cmd->needed] = true;
        c.o.value[c.cmd->needed] = c.o.value[OPT_MODEL_DIR];
    }
    if ((code = cli_prompt(&c)) != EXIT_OK)
        goto done;
    if (c.cmd->needed != OPT_COUNT && !c.o.given[c.cmd->needed]) {
        const char *names = cli_option(c.cmd->needed)->names;
        code = cli_usage(&c, "missing option: --%.*s", (int)strcspn(names, " "), names);
        goto done;
    }
    code = c.cmd->run(&c);
done:
    cli_progress_stop(c.progress);
    dsp_pipe_release(&c.pipe);
    dsp_arena_free(c.o.arena);
    if (fflush(stdout) != 0 && code == EXIT_OK)
        code = EXIT_FAILED;
    return code;
}
