/* Where ezkl may be: as a command, as a Python package behind the driver, and its SRS files. What the user names is the only place that is tried. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { MAX_PLACES = 8, MAX_TIMEOUT = 30 * 86400 };

bool cli_executable(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

const char *cli_on_path(cli *c, const char *name)
{
    const char *path = getenv("PATH");
    char        p[4096];
    for (const char *s = path ? path : ""; *s;) {
        const size_t n = strcspn(s, ":");
        const int    k = snprintf(p, sizeof p, "%.*s/%s", (int)n, s, name);
        if (n && k > 0 && (size_t)k < sizeof p && cli_executable(p))
            return dsp_arena_strdup(c->o.arena, p);
        s += n + (s[n] == ':');
    }
    return NULL;
}

static const char *env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

static const char *below(cli *c, const char *dir, const char *rest)
{
    char       *p = dir ? dsp_path_join(dir, rest) : NULL;
    const char *out = p ? dsp_arena_strdup(c->o.arena, p) : NULL;
    dsp_free(p);
    return out;
}

/* The first of these below the program's folder that is there. */
static const char *beside(cli *c, const char *const *rest)
{
    const char *dir = cli_exe_dir(c);
    for (; dir && *rest; rest++) {
        const char *p = below(c, dir, *rest);
        if (p && dsp_file_exists(p))
            return cli_path(c->o.arena, p);
    }
    return NULL;
}

/* A program: with a slash a path, else a name on PATH; as it is when there is none of that name. */
static const char *program(cli *c, const char *name)
{
    const char *found = strchr(name, '/') || name[0] == '~' ? cli_path(c->o.arena, name) : cli_on_path(c, name);
    return found ? found : name;
}

static void add(const char **list, size_t *n, const char *place)
{
    if (place && *n < MAX_PLACES)
        list[(*n)++] = place;
}

/* A private virtual environment keeps its interpreter's path: the link itself is what knows the packages. */
static const char *own_python(cli *c)
{
    static const char *const rest[] = {"../deps/ezkl/bin/python", NULL};
    return beside(c, rest);
}

static int commands(cli *c, const char **list, const char **pythons)
{
    const char *named = c->o.value[OPT_EZKL_PATH], *python = c->o.value[OPT_PYTHON], *xdg = env("XDG_CONFIG_HOME");
    size_t      n = 0, m = 0;
    if (named && python)
        return cli_usage(c, "--ezkl-path names a command and --python a package: one of them expected");
    if (!named && !python)
        named = env("DSPERSE_EZKL");
    if (!named && !python)
        python = env("DSPERSE_PYTHON");
    if (named) {
        c->places.command = program(c, named);
    } else if (python) {
        add(pythons, &m, program(c, python));
    } else {
        add(list, &n, program(c, "ezkl"));
        add(list, &n, below(c, env("HOME"), ".ezkl/ezkl"));
        add(list, &n, below(c, xdg, ".ezkl/ezkl"));
        add(pythons, &m, own_python(c));
        add(pythons, &m, program(c, "python3"));
    }
    c->places.commands = list;
    c->places.pythons = pythons;
    return EXIT_OK;
}

static const char *install(cli *c)
{
    static const char *const rest[] = {"../tools/setup-ezkl.sh", NULL};
    const char *own = beside(c, rest);
    return own ? own : "python3 -m venv DIR && DIR/bin/pip install ezkl; then give --python DIR/bin/python";
}

int cli_ezkl_places(cli *c)
{
    static const char *const drivers[] = {"../share/dsperse/ezkl-driver.py", "../src/backends/ezkl_driver.py", NULL};
    const char **list = DSP_ARENA_N(c->o.arena, const char *, MAX_PLACES + 1), **pythons = DSP_ARENA_N(c->o.arena, const char *, MAX_PLACES + 1);
    const char **dirs = DSP_ARENA_N(c->o.arena, const char *, MAX_PLACES + 1);
    const char  *cache = env("XDG_CACHE_HOME");
    uint64_t     seconds = 0, scale = 0;
    size_t       n = 0;
    int          code = EXIT_OK;
    if (!list || !pythons || !dirs)
        return cli_fail(c, EXIT_FAILED, "no memory");
    if ((c->o.given[OPT_TIMEOUT] && !cli_number(c, OPT_TIMEOUT, MAX_TIMEOUT, &seconds, &code)) ||
        (c->o.given[OPT_EZKL_SCALE] && !cli_number(c, OPT_EZKL_SCALE, DSP_PIN_MAX_SCALE, &scale, &code)))
        return code;
    if (c->o.given[OPT_TIMEOUT] && seconds == 0)
        return cli_usage(c, "--timeout: at least 1 second expected");
    if (c->o.given[OPT_EZKL_SCALE] && scale == 0)
        return cli_usage(c, "--ezkl-scale: 1 to %d bits expected", DSP_PIN_MAX_SCALE);
    if ((code = commands(c, list, pythons)) != EXIT_OK)
        return code;
    c->places.driver = beside(c, drivers);
    c->places.install = install(c);
    c->places.log_dir = env("TMPDIR") ? env("TMPDIR") : "/tmp";
    c->places.timeout_ms = seconds * 1000;
    add(dirs, &n, below(c, env("EZKL_REPO_PATH"), "srs"));
    add(dirs, &n, below(c, env("HOME"), ".ezkl/srs"));
    c->pipe.ezkl_places = &c->places;
    c->pipe.srs_dirs = dirs;
    c->pipe.srs_own = env("DSPERSE_SRS") ? cli_path(c->o.arena, env("DSPERSE_SRS"))
                      : cache            ? below(c, cache, "dsperse/srs")
                                         : below(c, env("HOME"), ".cache/dsperse/srs");
    c->pipe.test_srs = c->o.given[OPT_TEST_SRS];
    return EXIT_OK;
}
