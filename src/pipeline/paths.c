#include "pipeline/paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"
#include "pipeline/json.h"
#include "pipeline/lock.h"

char *dsp_path_cat(const char *first, ...)
{
    va_list ap;
    char   *p = dsp_strdup(first);
    va_start(ap, first);
    for (const char *next; p && (next = va_arg(ap, const char *)) != NULL;) {
        char *q = dsp_path_join(p, next);
        dsp_free(p);
        p = q;
    }
    va_end(ap);
    return p;
}

char *dsp_path_from(const char *from, const char *to)
{
    size_t same = 0;
    for (size_t i = 0;; i++) {
        const bool fe = from[i] == 0 || from[i] == '/', te = to[i] == 0 || to[i] == '/';
        if (fe && te)
            same = i;
        if (from[i] != to[i] || from[i] == 0)
            break;
    }
    size_t ups = 0;
    for (const char *p = from + same; *p; p++)
        ups += p[0] == '/' && p[1] != 0 && p[1] != '/';
    const char *rest = to + same;
    while (*rest == '/')
        rest++;
    char *out = dsp_calloc(3 * ups + strlen(rest) + 2, 1);
    if (!out)
        return NULL;
    for (size_t i = 0; i < ups; i++)
        strcat(out, i + 1 < ups || *rest ? "../" : "..");
    strcat(out, rest);
    if (!*out)
        strcpy(out, ".");
    return out;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

dsp_status dsp_find_model(char **file, char **dir, const char *path, dsp_err *err)
{
    *file = *dir = NULL;
    if (dsp_file_exists(path)) {
        if (!ends_with(path, ".onnx"))
            return dsp_fail(err, DSP_E_MISSING, "%s: a .onnx file or a folder with model.onnx expected", path);
        *file = dsp_strdup(path);
        *dir = dsp_path_dir(path);
    } else if (dsp_dir_exists(path)) {
        *file = dsp_path_join(path, "model.onnx");
        *dir = dsp_strdup(path);
        if (*file && !dsp_file_exists(*file)) {
            const dsp_status s = dsp_fail(err, DSP_E_MISSING, "%s: no such file", *file);
            dsp_free(*file);
            dsp_free(*dir);
            *file = *dir = NULL;
            return s;
        }
    } else {
        return dsp_fail(err, DSP_E_MISSING, "%s: no such file or folder", path);
    }
    if (!*file || !*dir) {
        dsp_free(*file);
        dsp_free(*dir);
        *file = *dir = NULL;
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    }
    return DSP_OK;
}

static bool has(const char *dir, const char *name)
{
    char      *p = dsp_path_join(dir, name);
    const bool yes = p && dsp_file_exists(p);
    dsp_free(p);
    return yes;
}

dsp_status dsp_find_slices(char **dir, const char *path, dsp_err *err)
{
    *dir = NULL;
    if (dsp_file_exists(path))
        return dsp_fail(err, DSP_E_MISSING, "%s: a folder expected; slice the model first", path);
    if (!dsp_dir_exists(path))
        return dsp_fail(err, DSP_E_MISSING, "%s: no such folder", path);
    /* A run root has a metadata.json too; slices/ is looked for first. */
    if (has(path, "slices/metadata.json"))
        *dir = dsp_path_join(path, "slices");
    else if (has(path, "metadata.json"))
        *dir = dsp_strdup(path);
    else
        return dsp_fail(err, DSP_E_MISSING, "%s: neither metadata.json nor slices/metadata.json; slice the model first", path);
    return *dir ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
}

void dsp_utc_now(char out[32])
{
    struct timespec ts;
    struct tm       tm;
    char            text[24];
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, 32, "%.19s.%06ldZ", text, (ts.tv_nsec / 1000) % 1000000);
}

dsp_status dsp_run_create(char **dir, const char *root, dsp_err *err)
{
    char       stamp[32];
    struct tm  tm;
    time_t     now = time(NULL);
    dsp_status s = dsp_mkdirs(root, err);
    *dir = NULL;
    if (s != DSP_OK)
        return s;
    localtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "run_%Y%m%d_%H%M%S", &tm);
    for (unsigned n = 1; n < 10000; n++) {
        char name[48];
        if (n == 1)
            snprintf(name, sizeof name, "%s", stamp);
        else
            snprintf(name, sizeof name, "%s_%u", stamp, n);
        char *p = dsp_path_join(root, name);
        if (!p)
            return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        if (mkdir(p, 0755) == 0) {
            *dir = p;
            return DSP_OK;
        }
        const int e = errno;
        s = e == EEXIST ? DSP_OK : dsp_fail(err, DSP_E_IO, "%s: cannot create: %s", p, strerror(e));
        dsp_free(p);
        if (s != DSP_OK)
            return s;
    }
    return dsp_fail(err, DSP_E_IO, "%s: too many runs within one second", root);
}

typedef bool pick_fn(const char *dir, const json_t *result, const void *arg);

/* The run below root with the latest started_at among those that pick likes. */
static dsp_status newest(char **dir, unsigned *seen, const char *root, pick_fn *pick, const void *arg, dsp_err *err)
{
    DIR *d = opendir(root);
    char best[64] = "";
    *dir = NULL;
    *seen = 0;
    if (!d)
        return DSP_OK;
    dsp_status s = DSP_OK;
    for (struct dirent *e; s == DSP_OK && (e = readdir(d)) != NULL;) {
        if (strncmp(e->d_name, "run_", 4) != 0)
            continue;
        char   *run = dsp_path_join(root, e->d_name), *file = run ? dsp_path_join(run, "run_result.json") : NULL;
        json_t *j = NULL;
        if (!file)
            s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        else if (dsp_file_exists(file) && dsp_json_load(&j, file, NULL) == DSP_OK && pick(run, j, arg)) {
            const char *at = dsp_json_str(j, "started_at");
            *seen += 1;
            const int order = strcmp(at, best);
            if (!*dir || order > 0 || (order == 0 && strcmp(e->d_name, dsp_path_base(*dir)) > 0)) {
                dsp_free(*dir);
                *dir = run;
                run = NULL;
                snprintf(best, sizeof best, "%s", at);
            }
        }
        json_decref(j);
        dsp_free(file);
        dsp_free(run);
    }
    closedir(d);
    return s;
}

static bool pick_complete(const char *dir, const json_t *j, const void *arg)
{
    (void)dir;
    (void)arg;
    return strcmp(dsp_json_str(j, "status"), "complete") == 0;
}

static bool pick_fitting(const char *dir, const json_t *j, const void *arg)
{
    const dsp_run_fit *f = arg;
    dsp_lock           lock;
    if ((!f->complete_too && strcmp(dsp_json_str(j, "status"), "complete") == 0) || strcmp(dsp_json_str(j, "input_sha256"), f->input_sha256) != 0 ||
        strcmp(dsp_json_str(j, "run_key"), f->run_key) != 0 || strcmp(dsp_json_str(j, "model_sha256"), f->model_sha256) != 0 ||
        strcmp(dsp_json_str(j, "model_id"), f->model_id) != 0 ||
        !dsp_lock_try(&lock, dir, "run"))
        return false;
    dsp_lock_release(&lock);
    return true;
}

dsp_status dsp_run_fitting(char **dir, const char *root, const dsp_run_fit *fit, dsp_err *err)
{
    unsigned seen;
    return newest(dir, &seen, root, pick_fitting, fit, err);
}

/* Whether the folder is a run root: its metadata.json says so in a field. */
static bool is_run_root(const char *dir)
{
    char   *p = dsp_path_join(dir, "metadata.json");
    json_t *j = NULL;
    bool    yes = false;
    if (p && dsp_file_exists(p) && dsp_json_load(&j, p, NULL) == DSP_OK)
        yes = strcmp(dsp_json_str(j, "kind"), "run_root") == 0;
    json_decref(j);
    dsp_free(p);
    return yes;
}

dsp_status dsp_find_run(dsp_run_place *r, const char *path, bool bundles, dsp_err *err)
{
    memset(r, 0, sizeof *r);
    if (!dsp_dir_exists(path))
        return dsp_fail(err, DSP_E_MISSING, "%s: no such folder", path);
    if (has(path, "run_result.json")) {
        char   *p = dsp_path_join(path, "run_result.json");
        json_t *j = NULL;
        dsp_status s = p ? dsp_json_load(&j, p, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        if (s == DSP_OK && !pick_complete(path, j, NULL))
            s = dsp_fail(err, DSP_E_MISSING, "%s: the run is not complete (status \"%s\"); `dsperse run` continues it", path,
                         dsp_json_str(j, "status"));
        json_decref(j);
        dsp_free(p);
        if (s != DSP_OK)
            return s;
        r->dir = dsp_strdup(path);
        return r->dir ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    }
    if (bundles && (has(path, "statement.bin") || has(path, "foreign.bin"))) {
        r->dir = dsp_strdup(path);
        r->bundle = true;
        return r->dir ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    }
    char *root = is_run_root(path) ? dsp_strdup(path) : dsp_path_join(path, "run");
    if (!root)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    dsp_status s = DSP_OK;
    unsigned   seen = 0;
    if (!is_run_root(root))
        s = dsp_fail(err, DSP_E_MISSING, "%s: neither a run folder nor a run root%s; `dsperse run` makes one", path, bundles ? " nor a bundle" : "");
    else
        s = newest(&r->dir, &seen, root, pick_complete, NULL, err);
    if (s == DSP_OK && !r->dir)
        s = dsp_fail(err, DSP_E_MISSING, "%s: no complete run", root);
    r->chosen = seen > 1;
    dsp_free(root);
    return s;
}
