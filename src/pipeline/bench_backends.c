/* bench --backend: proof systems side by side on one model, in a folder that goes away. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"
#include "pipeline/bench.h"
#include "pipeline/json.h"
#include "pipeline/paths.h"

enum { MAX_BACKENDS = 2, MAX_ROUNDS = 101, DEFAULT_ROUNDS = 7 };
enum { COMPILE, WITNESS, PROVE, VERIFY, PROOF_BYTES, VK_BYTES, PK_BYTES, MEMORY, N_FIGURES };

static const char *const key[N_FIGURES] = {"compile_seconds", "witness_seconds", "prove_seconds", "verify_seconds",
                                           "proof_bytes",     "vk_bytes",        "pk_bytes",      "peak_memory_bytes"};
static const char *const known[MAX_BACKENDS] = {"native", "ezkl"};

typedef struct {
    const char *name;
    unsigned    rounds;
    double      figure[N_FIGURES];
    uint32_t    proved, segments;
    bool        insecure;
} measured;

void dsp_bench_remove(const char *dir, int depth)
{
    DIR *d = depth < 8 ? opendir(dir) : NULL;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        struct stat st;
        char       *p;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || !(p = dsp_path_join(dir, e->d_name)))
            continue;
        if (lstat(p, &st) == 0 && S_ISDIR(st.st_mode))
            dsp_bench_remove(p, depth + 1);
        else
            unlink(p);
        dsp_free(p);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *t, unsigned n)
{
    qsort(t, n, sizeof *t, by_value);
    return t[n / 2];
}

static double seconds_since(uint64_t t0) { return (double)(dsp_clock_ns() - t0) / 1e9; }

/* The sum, or the largest, of a number over the rows of a report. */
static double over_rows(const json_t *report, const char *name, const char *other, bool largest)
{
    const json_t *o;
    size_t        i;
    double        all = 0;
    json_array_foreach(json_object_get(report, "segments"), i, o) {
        const double v = dsp_json_num(o, json_object_get(o, name) ? name : other);
        all = !largest ? all + v : v > all ? v : all;
    }
    return all;
}

/* ---- one backend ---- */

typedef struct { dsp_pipe *p, *outer; unsigned done, total; } clock_of;

static void tick(clock_of *k) { dsp_pipe_progress(k->outer, "bench", k->done, k->total, (double)k->done / k->total, 0); k->done++; }

static dsp_status one_round(measured *m, double t[3], clock_of *k, const char *slices, const char *chain, const char *input, dsp_err *err)
{
    json_t            *r = NULL;
    char              *run = NULL;
    const dsp_run_args ra = {.slices = slices, .run_metadata = chain, .input = input, .fresh = true};
    uint64_t           t0 = dsp_clock_ns();
    tick(k);
    dsp_status s = dsp_pipe_run(k->p, &ra, &r, err);
    t[0] = seconds_since(t0);
    if (s != DSP_OK)
        goto done;
    run = dsp_strdup(dsp_json_str(r, "run_dir"));
    json_decref(r);
    r = NULL;
    const dsp_prove_run_args pa = {.run = run ? run : "", .no_self_verify = true};
    const dsp_verify_args    va = {.run = run ? run : "", .read_only = true};
    t0 = dsp_clock_ns();
    s = dsp_pipe_prove(k->p, &pa, &r, err);
    t[1] = seconds_since(t0);
    if (s != DSP_OK)
        goto done;
    m->figure[PROOF_BYTES] = dsp_json_num(r, "proof_bytes");
    m->figure[MEMORY] = over_rows(r, "peak_memory_bytes", "peak_memory_bytes", true);
    m->proved = (uint32_t)dsp_json_u64(r, "proved");
    json_decref(r);
    r = NULL;
    t0 = dsp_clock_ns();
    s = dsp_pipe_verify(k->p, &va, &r, err);
    t[2] = seconds_since(t0);
done:
    json_decref(r);
    dsp_free(run);
    return s;
}

static dsp_status measure(measured *m, clock_of *k, const dsp_bench_args *a, const char *file, const char *dir, const char *input, dsp_err *err)
{
    const bool is_ezkl = strcmp(m->name, "ezkl") == 0;
    const unsigned warm = is_ezkl ? 0 : 1;
    double      t[3][MAX_ROUNDS], now[3];
    char       *slices = dsp_path_join(dir, "slices"), *chain = dsp_path_cat(dir, "run", "metadata.json", NULL), *root = dsp_path_join(dir, "run");
    json_t     *r = NULL;
    dsp_status  s = slices && chain && root ? dsp_mkdirs(root, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    const dsp_slice_args sa = {.model = file, .out = slices};
    if (s != DSP_OK || (s = dsp_pipe_slice(k->p, &sa, &r, err)) != DSP_OK)
        goto done;
    m->segments = (uint32_t)json_array_size(json_object_get(r, "segments"));
    json_decref(r);
    r = NULL;
    const dsp_compile_args ca = {.slices = slices, .inputs = &input, .n_inputs = 1, .ezkl = is_ezkl ? "*" : NULL, .ezkl_scale = a->ezkl_scale};
    const uint64_t         t0 = dsp_clock_ns();
    tick(k);
    if ((s = dsp_pipe_compile(k->p, &ca, &r, err)) != DSP_OK)
        goto done;
    m->figure[COMPILE] = seconds_since(t0);
    m->figure[VK_BYTES] = over_rows(r, "vk_bytes", "vk_key_bytes", false);
    m->figure[PK_BYTES] = over_rows(r, "pk_bytes", "pk_key_bytes", false);
    const json_t *o;
    size_t        at;
    json_array_foreach(json_object_get(r, "segments"), at, o)
        if (*dsp_json_str(o, "backend") && strcmp(dsp_json_str(o, "backend"), m->name) != 0) {
            s = dsp_fail(err, DSP_E_UNSUPPORTED, "segment %zu: %s cannot prove it, %s does", at, m->name, dsp_json_str(o, "backend"));
            goto done;
        }
    json_array_foreach(json_object_get(r, "segments"), at, o)
        m->insecure = m->insecure || json_is_true(json_object_get(json_object_get(o, "srs"), "insecure"));
    for (unsigned i = 0; i < warm + m->rounds; i++) {
        if ((s = one_round(m, now, k, slices, chain, input, err)) != DSP_OK)
            goto done;
        for (int j = 0; j < 3 && i >= warm; j++)
            t[j][i - warm] = now[j];
    }
    for (int j = 0; j < 3; j++)
        m->figure[WITNESS + j] = median(t[j], m->rounds);
done:
    json_decref(r);
    dsp_free(slices);
    dsp_free(chain);
    dsp_free(root);
    return s;
}

/* ---- side by side ---- */

static dsp_status names(measured *m, size_t *n, const dsp_bench_args *a, dsp_err *err)
{
    for (const char *s = a->backends;; s++) {
        const size_t len = strcspn(s, ",");
        size_t       k = 0;
        while (k < MAX_BACKENDS && !(strlen(known[k]) == len && memcmp(known[k], s, len) == 0))
            k++;
        if (k == MAX_BACKENDS)
            return dsp_fail(err, DSP_E_ARG, "--backend: names such as native,ezkl expected, \"%.*s\" found", (int)(len < 64 ? len : 64), s);
        for (size_t i = 0; i < *n; i++)
            if (m[i].name == known[k])
                return dsp_fail(err, DSP_E_ARG, "--backend: %s is named twice", known[k]);
        m[(*n)++] = (measured){.name = known[k], .rounds = a->repeats ? a->repeats : k == 0 ? DEFAULT_ROUNDS : 1};
        s += len;
        if (!*s)
            return DSP_OK;
    }
}

static void write_report(json_t *report, const measured *m, size_t n, const char *model)
{
    json_t *all = json_object(), *rows = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();
        for (int f = 0; f < N_FIGURES; f++)
            dsp_json_put(o, key[f], f <= VERIFY ? dsp_json_time(m[i].figure[f]) : json_integer((json_int_t)m[i].figure[f]));
        dsp_json_put(o, "repeats", json_integer(m[i].rounds));
        dsp_json_put(o, "proved_segments", json_integer(m[i].proved));
        dsp_json_put(o, "segments", json_integer(m[i].segments));
        dsp_json_put(o, "insecure_srs", json_boolean(m[i].insecure));
        dsp_json_put(all, m[i].name, o);
    }
    for (int f = 0; n > 1 && f < N_FIGURES; f++) {
        json_t *o = json_object();
        dsp_json_put(o, "figure", json_string(key[f]));
        for (size_t i = 0; i < n; i++)
            dsp_json_put(o, m[i].name, json_real(m[i].figure[f]));
        if (m[0].figure[f] > 0)
            dsp_json_put(o, "ratio", json_real(m[1].figure[f] / m[0].figure[f]));
        json_array_append_new(rows, o);
    }
    dsp_json_put(report, "backends", all);
    dsp_json_put(report, "comparison", rows);
    dsp_json_put(report, "model", json_string(model));
}

dsp_status dsp_bench_backends(dsp_pipe *p, const dsp_bench_args *a, json_t *report, dsp_err *err)
{
    measured    m[MAX_BACKENDS + 1];
    size_t      n = 0;
    dsp_pipe    quiet = *p;                    /* the steps inside show no progress of their own */
    clock_of    k = {.p = &quiet, .outer = p};
    char       *file = NULL, *model_dir = NULL, *root = NULL, *input = NULL, *dir = NULL;
    dsp_status  s = names(m, &n, a, err);
    if (s != DSP_OK)
        return s;
    if (!a->model || !a->tmp)
        return dsp_fail(err, DSP_E_ARG, "missing option: --model-dir");
    quiet.progress = NULL;
    quiet.test_srs = true;                     /* times do not depend on who knows the secret */
    if ((s = dsp_find_model(&file, &model_dir, a->model, err)) != DSP_OK)
        return s;
    root = dsp_path_join(a->tmp, "dsperse-bench.XXXXXX");
    input = a->input ? dsp_strdup(a->input) : dsp_path_join(model_dir, "input.json");
    if (!root || !input) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        goto done;
    }
    if (!dsp_file_exists(input)) {
        s = dsp_fail(err, DSP_E_MISSING, "%s: no such file; --input-file names one", input);
        goto done;
    }
    if (!mkdtemp(root)) {
        s = dsp_fail(err, DSP_E_IO, "%s: cannot make a temporary folder", a->tmp);
        dsp_free(root);
        root = NULL;
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        k.total += 1 + m[i].rounds + (m[i].name == known[0]);
    for (size_t i = 0; i < n && s == DSP_OK; i++) {
        dir = dsp_path_join(root, m[i].name);
        s = dir ? measure(&m[i], &k, a, file, dir, input, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        dsp_free(dir);
    }
    p->ort = quiet.ort;
    p->ezkl = quiet.ezkl;
    if (s == DSP_OK) {
        dsp_pipe_progress(p, "bench", k.total, k.total, 1, 0);
        write_report(report, m, n, dsp_path_base(model_dir));
    }
done:
    if (root)
        dsp_bench_remove(root, 0);
    dsp_free(root);
    dsp_free(input);
    dsp_free(file);
    dsp_free(model_dir);
    return s;
}
