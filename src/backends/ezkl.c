#include "backends/ezkl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/child.h"
#include "base/file.h"
#include "base/mem.h"

enum { MAX_ARGS = 32, LOG_TAIL = 400, PROBE_MS = 60000, EXIT_REJECTED = 4, EXIT_NO_PACKAGE = 5 };
/* Rows that a Halo2 circuit keeps for blinding, as ezkl counts them. */
enum { RESERVED_ROWS = 8, FIRST_LOGROWS = 17 };

struct dsp_ezkl {
    char    *head[2];       /* the command, or interpreter and driver */
    char     version[32];
    unsigned major;
    bool     driver;
    uint64_t timeout_ms;
};

/* ---- one child ---- */

typedef struct { const char *argv[MAX_ARGS]; size_t n; } args;

static void add(args *a, const char *s)
{
    if (a->n < MAX_ARGS - 1)
        a->argv[a->n++] = s;
}

static void add2(args *a, const char *option, const char *value)
{
    add(a, option);
    add(a, value);
}

static char *text2(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    char        *p = DSP_NEW_N(char, n + m + 1);
    if (p) {
        memcpy(p, a, n);
        memcpy(p + n, b, m);
    }
    return p;
}

static char *log_path(const char *dir, const char *stage)
{
    char name[64];
    snprintf(name, sizeof name, "ezkl-%s.log", stage);
    return dir ? dsp_path_join(dir, name) : NULL;
}

/* The end of a log as one line. */
static void tail_of(char out[LOG_TAIL + 1], const char *path)
{
    FILE  *f = fopen(path, "rb");
    size_t n = 0;
    if (f && fseek(f, -(long)LOG_TAIL, SEEK_END) != 0)
        rewind(f);
    if (f)
        n = fread(out, 1, LOG_TAIL, f);
    if (f)
        fclose(f);
    while (n && (out[n - 1] == '\n' || out[n - 1] == ' '))
        n--;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out[i] < 32 || (unsigned char)out[i] > 126)
            out[i] = ' ';
    out[n] = 0;
}

/* A rejection carries the proof system's name; a file that cannot be read does not. Only the end of the log counts. */
static bool says_rejected(const dsp_ezkl *e, const dsp_child_end *end, const char *tail)
{
    return e->driver ? end->code == EXIT_REJECTED : end->code == 1 && strstr(tail, "[halo2]") != NULL;
}

/* Runs e with these arguments. verify: a rejection is DSP_E_REJECTED. */
static dsp_status stage(const dsp_ezkl *e, const char *name, const args *rest, const char *log_dir, bool verify, dsp_ezkl_use *use, dsp_err *err)
{
    args          a = {.n = 0};
    dsp_child_end end;
    char          tail[LOG_TAIL + 1];
    char         *log = log_path(log_dir, name);
    if (!log)
        return dsp_fail(err, DSP_E_NOMEM, "ezkl %s: no log folder, or no memory", name);
    for (size_t i = 0; i < 2 && e->head[i]; i++)
        add(&a, e->head[i]);
    add(&a, name);
    for (size_t i = 0; i < rest->n; i++)
        add(&a, rest->argv[i]);
    dsp_status s = dsp_child_run(&end, a.argv, log, e->timeout_ms, err);
    if (s != DSP_OK)
        goto done;
    if (use) {
        use->ns = end.ns;
        use->peak_bytes = end.peak_bytes;
    }
    if (end.code == 0)
        goto done;
    tail_of(tail, log);
    if (end.timed_out)
        s = dsp_fail(err, DSP_E_IO, "ezkl %s: ended at its time limit of %ju s (log: %s)", name, (uintmax_t)(e->timeout_ms / 1000), log);
    else if (end.signal)
        s = dsp_fail(err, DSP_E_IO, "ezkl %s: killed by signal %d (log: %s)", name, end.signal, log);
    else if (e->driver && end.code == EXIT_NO_PACKAGE)
        s = dsp_fail(err, DSP_E_UNAVAILABLE, "ezkl %s: %s", name, tail);
    else if (verify && says_rejected(e, &end, tail))
        s = dsp_fail(err, DSP_E_REJECTED, "ezkl rejected the proof: %s", tail);
    else
        s = dsp_fail(err, DSP_E_UNSUPPORTED, "ezkl %s: exit status %d: %s (log: %s)", name, end.code, tail, log);
done:
    dsp_free(log);
    return s;
}

/* ---- finding it ---- */

/* "ezkl 23.0.5": the last word. */
static bool parse_version(dsp_ezkl *e, const char *log)
{
    char tail[LOG_TAIL + 1];
    tail_of(tail, log);
    const char  *word = strrchr(tail, ' ');
    const size_t n = word ? strlen(word + 1) : 0;
    if (n == 0 || n >= sizeof e->version || word[1] < '0' || word[1] > '9')
        return false;
    memcpy(e->version, word + 1, n + 1);
    e->major = (unsigned)strtoul(e->version, NULL, 10);
    return true;
}

typedef struct { char text[640]; size_t n; } notes;

static void note(notes *t, const char *what, const char *why)
{
    const int k = snprintf(t->text + t->n, sizeof t->text - t->n, "%s%s: %s", t->n ? "; " : "", what, why);
    if (k > 0 && t->n + (size_t)k < sizeof t->text)
        t->n += (size_t)k;
}

/* Whether this candidate is an ezkl that will do; otherwise why not. */
static bool probe(dsp_ezkl *e, const char *first, const char *driver, const char *log, notes *why)
{
    args          a = {.n = 0};
    dsp_child_end end;
    dsp_err       err = {DSP_OK, ""};
    add(&a, first);
    if (driver)
        add(&a, driver);
    add(&a, "--version");
    if (dsp_child_run(&end, a.argv, log, PROBE_MS, &err) != DSP_OK) {
        note(why, first, "not there");
        return false;
    }
    if (end.code != 0) {
        note(why, first, driver && end.code == EXIT_NO_PACKAGE ? "has no package ezkl" : "does not say its version");
        return false;
    }
    if (!parse_version(e, log)) {
        note(why, first, "does not say its version");
        return false;
    }
    if (e->major < DSP_EZKL_MIN_MAJOR) {
        note(why, first, "too old");
        return false;
    }
    return true;
}

dsp_status dsp_ezkl_open(dsp_ezkl **out, const dsp_ezkl_places *p, dsp_err *err)
{
    const char *const  named[] = {p->command, NULL};
    const char *const *commands = p->command ? named : p->commands;
    dsp_ezkl          *e = DSP_NEW(dsp_ezkl);
    char              *log = p->log_dir ? dsp_path_join(p->log_dir, "ezkl-version.XXXXXX") : NULL;
    notes              why = {.n = 0};
    bool               found = false;
    dsp_status         s = DSP_OK;
    *out = NULL;
    if (!e || !log) {
        s = dsp_fail(err, DSP_E_NOMEM, "no log folder, or no memory, to look for ezkl");
        goto done;
    }
    const int fd = mkstemp(log);   /* the folder may be shared */
    if (fd < 0) {
        s = dsp_fail(err, DSP_E_IO, "%s: no temporary file can be made there: %s", p->log_dir, strerror(errno));
        goto done;
    }
    close(fd);
    e->timeout_ms = p->timeout_ms;
    for (size_t i = 0; commands && commands[i] && !found; i++)
        if ((found = probe(e, commands[i], NULL, log, &why)) && !(e->head[0] = dsp_strdup(commands[i])))
            s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    for (size_t i = 0; !p->command && p->driver && p->pythons && p->pythons[i] && !found; i++)
        if ((found = probe(e, p->pythons[i], p->driver, log, &why))) {
            e->driver = true;
            e->head[0] = dsp_strdup(p->pythons[i]);
            e->head[1] = dsp_strdup(p->driver);
            if (!e->head[0] || !e->head[1])
                s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        }
    if (s == DSP_OK && !found)
        s = dsp_fail(err, DSP_E_UNAVAILABLE, "ezkl %d or newer is not there (%s)%s%s", DSP_EZKL_MIN_MAJOR, why.n ? why.text : "no place to look at",
                     p->install ? "; install it with: " : "", p->install ? p->install : "");
    if (s == DSP_OK) {
        *out = e;
        e = NULL;
    }
    unlink(log);
done:
    dsp_ezkl_free(e);
    dsp_free(log);
    return s;
}

void dsp_ezkl_free(dsp_ezkl *e)
{
    if (!e)
        return;
    dsp_free(e->head[0]);
    dsp_free(e->head[1]);
    dsp_free(e);
}

const char *dsp_ezkl_version(const dsp_ezkl *e) { return e->version; }
const char *dsp_ezkl_program(const dsp_ezkl *e, bool *package)
{
    *package = e->driver;
    return e->head[0];
}

/* ---- stages ---- */

static dsp_status need(const char *path, const char *name, dsp_err *err)
{
    if (!path)
        return dsp_fail(err, DSP_E_ARG, "ezkl %s: a path is missing", name);
    return dsp_file_exists(path) ? DSP_OK : dsp_fail(err, DSP_E_MISSING, "ezkl %s: %s: no such file", name, path);
}

static dsp_status need_srs(const dsp_ezkl_files *f, const char *name, dsp_err *err)
{
    if (!f->srs || !dsp_file_exists(f->srs))
        return dsp_fail(err, DSP_E_UNAVAILABLE, "ezkl %s: the SRS is missing: %s", name, f->srs ? f->srs : "no place is known");
    if (f->srs_insecure && !f->allow_insecure)
        return dsp_fail(err, DSP_E_UNAVAILABLE, "ezkl %s: %s was made locally, so that whoever made it can forge proofs; --generate-test-srs accepts it", name,
                        f->srs);
    return DSP_OK;
}

/* A result under its temporary name. */
typedef struct { const char *path; char *part; } result;

static dsp_status begin(result *r, size_t n, dsp_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!r[i].path)
            return dsp_fail(err, DSP_E_ARG, "ezkl: a path is missing");
        if (!(r[i].part = text2(r[i].path, ".part")))
            return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        unlink(r[i].part);
    }
    return DSP_OK;
}

/* Takes the results over, or away. */
static dsp_status finish(result *r, size_t n, dsp_status s, dsp_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (s == DSP_OK && rename(r[i].part, r[i].path) != 0)
            s = dsp_fail(err, DSP_E_IO, "%s: ezkl did not write it: %s", r[i].path, strerror(errno));
        if (s != DSP_OK && r[i].part)
            unlink(r[i].part);
        dsp_free(r[i].part);
        r[i].part = NULL;
    }
    return s;
}

static dsp_status gen_settings(const dsp_ezkl *e, const dsp_ezkl_files *f, const char *out, int scale, unsigned logrows, dsp_ezkl_use *use, dsp_err *err)
{
    args a = {.n = 0};
    char sc[16], k[16];
    snprintf(sc, sizeof sc, "%d", scale);
    snprintf(k, sizeof k, "%u", logrows);
    add2(&a, "--model", f->model);
    add2(&a, "--settings-path", out);
    add2(&a, "--input-scale", sc);
    add2(&a, "--param-scale", sc);
    add2(&a, "--logrows", k);
    add2(&a, "--input-visibility", "public");
    add2(&a, "--output-visibility", "public");
    add2(&a, "--param-visibility", "fixed");
    const dsp_status s = stage(e, "gen-settings", &a, f->log_dir, false, use, err);
    return s == DSP_OK && !dsp_file_exists(out) ? dsp_fail(err, DSP_E_IO, "%s: ezkl did not write it", out) : s;
}

dsp_status dsp_ezkl_settings(dsp_ezkl_circuit *c, const dsp_ezkl *e, const dsp_ezkl_files *f, int scale, dsp_ezkl_use *use, dsp_err *err)
{
    result     r = {f->settings, NULL};
    uint64_t   rows, span = 1;
    unsigned   k = DSP_EZKL_MIN_LOGROWS;
    dsp_status s = need(f->model, "gen-settings", err);
    if (s != DSP_OK)
        return s;
    if ((s = begin(&r, 1, err)) != DSP_OK || (s = gen_settings(e, f, r.part, scale, FIRST_LOGROWS, use, err)) != DSP_OK ||
        (s = dsp_ezkl_settings_read(c, r.part, scale, &span, err)) != DSP_OK)
        goto done;
    /* Rows of the circuit, of its widest table and of its public values all have to fit. */
    rows = c->rows > span ? c->rows : span;
    rows = rows > c->cells_in + c->cells_out ? rows : c->cells_in + c->cells_out;
    while (k <= DSP_EZKL_MAX_LOGROWS && (uint64_t)1 << k < rows + RESERVED_ROWS)
        k++;
    if (k > DSP_EZKL_MAX_LOGROWS) {
        s = dsp_fail(err, DSP_E_LIMIT, "ezkl gen-settings: %ju rows do not fit in 2^%d", (uintmax_t)rows, DSP_EZKL_MAX_LOGROWS);
        goto done;
    }
    if (k != c->logrows && (s = gen_settings(e, f, r.part, scale, k, use, err)) == DSP_OK && (s = dsp_ezkl_settings_read(c, r.part, scale, &span, err)) == DSP_OK &&
        c->logrows != k)
        s = dsp_fail(err, DSP_E_UNSUPPORTED, "ezkl gen-settings: 2^%u rows were asked for, 2^%u written", k, c->logrows);
    if (s == DSP_OK)
        s = dsp_ezkl_settings_settle(r.part, err);
done:
    return finish(&r, 1, s, err);
}

dsp_status dsp_ezkl_compile(const dsp_ezkl *e, const dsp_ezkl_files *f, dsp_ezkl_use *use, dsp_err *err)
{
    result     r = {f->compiled, NULL};
    args       a = {.n = 0};
    dsp_status s = need(f->model, "compile-circuit", err);
    if (s != DSP_OK || (s = need(f->settings, "compile-circuit", err)) != DSP_OK)
        return s;
    if ((s = begin(&r, 1, err)) == DSP_OK) {
        add2(&a, "--model", f->model);
        add2(&a, "--settings-path", f->settings);
        add2(&a, "--compiled-circuit", r.part);
        s = stage(e, "compile-circuit", &a, f->log_dir, false, use, err);
    }
    return finish(&r, 1, s, err);
}

dsp_status dsp_ezkl_setup(const dsp_ezkl *e, const dsp_ezkl_files *f, dsp_ezkl_use *use, dsp_err *err)
{
    result     r[2] = {{f->pk, NULL}, {f->vk, NULL}};
    args       a = {.n = 0};
    dsp_ezkl_files own = *f;
    dsp_status s = need(f->compiled, "setup", err);
    own.allow_insecure = true;   /* keys may be made; what they prove is refused by verify */
    if (s != DSP_OK || (s = need_srs(&own, "setup", err)) != DSP_OK)
        return s;
    if ((s = begin(r, 2, err)) == DSP_OK) {
        add2(&a, "--compiled-circuit", f->compiled);
        add2(&a, "--vk-path", r[1].part);
        add2(&a, "--pk-path", r[0].part);
        add2(&a, "--srs-path", f->srs);
        s = stage(e, "setup", &a, f->log_dir, false, use, err);
    }
    return finish(r, 2, s, err);
}

dsp_status dsp_ezkl_witness(const dsp_ezkl *e, const dsp_ezkl_files *f, dsp_ezkl_use *use, dsp_err *err)
{
    result     r = {f->witness, NULL};
    args       a = {.n = 0};
    dsp_status s = need(f->input, "gen-witness", err);
    if (s != DSP_OK || (s = need(f->compiled, "gen-witness", err)) != DSP_OK)
        return s;
    if ((s = begin(&r, 1, err)) == DSP_OK) {
        add2(&a, "--data", f->input);
        add2(&a, "--compiled-circuit", f->compiled);
        add2(&a, "--output", r.part);
        s = stage(e, "gen-witness", &a, f->log_dir, false, use, err);
    }
    return finish(&r, 1, s, err);
}

dsp_status dsp_ezkl_prove(const dsp_ezkl *e, const dsp_ezkl_files *f, dsp_ezkl_use *use, dsp_err *err)
{
    result         r = {f->proof, NULL};
    args           a = {.n = 0};
    dsp_ezkl_files own = *f;
    dsp_status     s = need(f->witness, "prove", err);
    own.allow_insecure = true;
    if (s != DSP_OK || (s = need(f->compiled, "prove", err)) != DSP_OK || (s = need(f->pk, "prove", err)) != DSP_OK || (s = need_srs(&own, "prove", err)) != DSP_OK)
        return s;
    if ((s = begin(&r, 1, err)) == DSP_OK) {
        add2(&a, "--check-mode", "unsafe");   /* the proof is verified anyway */
        add2(&a, "--witness", f->witness);
        add2(&a, "--compiled-circuit", f->compiled);
        add2(&a, "--proof-path", r.part);
        add2(&a, "--pk-path", f->pk);
        add2(&a, "--srs-path", f->srs);
        s = stage(e, "prove", &a, f->log_dir, false, use, err);
    }
    return finish(&r, 1, s, err);
}

dsp_status dsp_ezkl_verify(const dsp_ezkl *e, const dsp_ezkl_files *f, dsp_ezkl_use *use, dsp_err *err)
{
    args       a = {.n = 0};
    dsp_status s = need(f->settings, "verify", err);
    if (s != DSP_OK || (s = need(f->vk, "verify", err)) != DSP_OK || (s = need_srs(f, "verify", err)) != DSP_OK)
        return s;
    if ((s = need(f->proof, "verify", err)) != DSP_OK)
        return s == DSP_E_MISSING ? dsp_fail(err, DSP_E_REJECTED, "%s: the claimed proof is missing", f->proof) : s;
    add2(&a, "--proof-path", f->proof);
    add2(&a, "--settings-path", f->settings);
    add2(&a, "--vk-path", f->vk);
    add2(&a, "--srs-path", f->srs);
    return stage(e, "verify", &a, f->log_dir, true, use, err);
}

/* ---- SRS ---- */

/* k, the powers of the secret in two bases (64 bytes each), and two points of the other group. */
uint64_t dsp_ezkl_srs_bytes(unsigned logrows) { return 4 + ((uint64_t)128 << logrows) + 256; }

static bool right_size(const char *path, unsigned logrows)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == dsp_ezkl_srs_bytes(logrows);
}

dsp_status dsp_ezkl_srs_find(char **path, const dsp_ezkl *e, const char *const *dirs, unsigned logrows, dsp_err *err)
{
    char name[32];
    snprintf(name, sizeof name, "kzg%u.srs", logrows);
    *path = NULL;
    for (size_t i = 0; dirs && dirs[i]; i++) {
        char *p = dsp_path_join(dirs[i], name);
        if (!p)
            return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        if (right_size(p, logrows)) {
            *path = p;
            return DSP_OK;
        }
        dsp_free(p);
    }
    return dsp_fail(err, DSP_E_UNAVAILABLE, "the SRS for 2^%u rows (%s, %ju bytes) is not there; ezkl's command fetches it: ezkl get-srs --logrows %u%s; "
                                            "--generate-test-srs makes an insecure one",
                    logrows, name, (uintmax_t)dsp_ezkl_srs_bytes(logrows), logrows, e->major < 23 ? " --commitment kzg" : "");
}

dsp_status dsp_ezkl_srs_own(char **path, const char *dir, unsigned logrows, dsp_err *err)
{
    char name[48];
    snprintf(name, sizeof name, "insecure-kzg%u.srs", logrows);
    *path = NULL;
    char *p = dsp_path_join(dir, name);
    if (!p)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (right_size(p, logrows)) {
        *path = p;
        return DSP_OK;
    }
    dsp_free(p);
    return dsp_fail(err, DSP_E_UNAVAILABLE, "%s/%s, the insecure SRS that the keys were made with, is not there", dir, name);
}

/* Parts that processes left which are no more: up to gigabytes each. */
static void sweep_parts(const char *dir, const char *name)
{
    const size_t n = strlen(name);
    DIR         *d = opendir(dir);
    if (!d)
        return;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        const char *digits = strncmp(e->d_name, name, n) == 0 && e->d_name[n] == '.' ? e->d_name + n + 1 : "";
        char       *end;
        const long  pid = *digits >= '1' && *digits <= '9' ? strtol(digits, &end, 10) : 0;
        if (pid > 0 && pid < INT32_MAX && *end == 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
            unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
}

dsp_status dsp_ezkl_srs_make(char **path, const dsp_ezkl *e, const char *dir, unsigned logrows, dsp_ezkl_use *use, dsp_err *err)
{
    char       name[48], k[16], part[64];
    args       a = {.n = 0};
    result     r = {NULL, NULL};
    dsp_status s = DSP_OK;
    *path = NULL;
    if (logrows < DSP_EZKL_MIN_LOGROWS || logrows > DSP_EZKL_MAX_LOGROWS)
        return dsp_fail(err, DSP_E_ARG, "an SRS for 2^%u rows was asked for", logrows);
    snprintf(name, sizeof name, "insecure-kzg%u.srs", logrows);
    snprintf(part, sizeof part, "%s.%ld", name, (long)getpid());
    snprintf(k, sizeof k, "%u", logrows);
    char *own = dsp_path_join(dir, name);
    r.path = own;
    r.part = dsp_path_join(dir, part);   /* several processes may make one at the same time */
    if (!own || !r.part) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        goto done;
    }
    if (right_size(own, logrows)) {
        *path = own;
        own = NULL;
        goto done;
    }
    if ((s = dsp_mkdirs(dir, err)) != DSP_OK)
        goto done;
    sweep_parts(dir, name);
    add2(&a, "--srs-path", r.part);
    add2(&a, "--logrows", k);
    s = stage(e, "gen-srs", &a, dir, false, use, err);
    if (s == DSP_OK && !right_size(r.part, logrows))
        s = dsp_fail(err, DSP_E_IO, "%s: ezkl wrote an SRS of another size", own);
    if ((s = finish(&r, 1, s, err)) == DSP_OK) {
        *path = own;
        own = NULL;
    }
done:
    dsp_free(r.part);
    dsp_free(own);
    return s;
}
