/* ONNX Runtime by dlopen: library, sessions, runs. */
#include "onnx/ort.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "onnx/internal.h"
#include "onnx/ort_session.h"

static const char install_hint[] = "python3 -m pip install --target DIR --no-deps onnxruntime, then set DSPERSE_ORT=DIR (or run tools/setup.sh)";

/* Takes st. */
static dsp_status failed(const ort_api *a, OrtStatus *st, dsp_status code, const char *what, dsp_err *err)
{
    const dsp_status s = dsp_fail(err, code, "ONNX Runtime: %s: %s", what, a->GetErrorMessage(st));
    a->ReleaseStatus(st);
    return s;
}

/* The library's file in a folder: libonnxruntime.so, or the last by name of libonnxruntime.so.*. The caller's. */
static char *library_in(const char *dir)
{
    static const char prefix[] = "libonnxruntime.so";
    DIR  *d = opendir(dir);
    char *best = NULL;
    if (!d)
        return NULL;
    for (const struct dirent *e; (e = readdir(d));) {
        if (strncmp(e->d_name, prefix, sizeof prefix - 1) != 0 || (e->d_name[sizeof prefix - 1] && e->d_name[sizeof prefix - 1] != '.'))
            continue;
        if (!best || strcmp(e->d_name, best) > 0) {
            dsp_free(best);
            best = dsp_strdup(e->d_name);
        }
    }
    closedir(d);
    char *path = best ? dsp_path_join(dir, best) : NULL;
    dsp_free(best);
    return path;
}

/* Opens one candidate: a library, or a folder that holds one (a wheel's layout included). */
static void *open_library(const char *candidate)
{
    static const char *const below[] = {"", "capi", "onnxruntime/capi", "lib"};
    if (!dsp_dir_exists(candidate))
        return dlopen(candidate, RTLD_NOW | RTLD_LOCAL);
    void *h = NULL;
    for (size_t i = 0; i < sizeof below / sizeof *below && !h; i++) {
        char *dir = *below[i] ? dsp_path_join(candidate, below[i]) : dsp_strdup(candidate);
        char *file = dir ? library_in(dir) : NULL;
        if (file)
            h = dlopen(file, RTLD_NOW | RTLD_LOCAL);
        dsp_free(file);
        dsp_free(dir);
    }
    return h;
}

/* Builds of the runtime from 1.29 on report over the network to their maker, and keep an identifier and a data base in the user's cache
 * folder. These variables are the only way to have none of it: the interface's switch comes after the first report. */
void dsp_ort_be_quiet(void)
{
    static const char *const names[] = {"ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *now = getenv(names[i]);
        if (!now || strcmp(now, "1") != 0)
            setenv(names[i], "1", 1);
    }
}

static dsp_status start(dsp_ort *o, dsp_err *err)
{
    typedef void (*function)(void);
    const OrtApiBase *(*base_of)(void);
    void *symbol = dlsym(o->library, "OrtGetApiBase");
    if (!symbol)
        return dsp_fail(err, DSP_E_UNAVAILABLE, "a library without OrtGetApiBase is not ONNX Runtime");
    memcpy(&base_of, &symbol, sizeof base_of);
    const OrtApiBase *base = base_of();
    const char       *version = base->GetVersionString();
    snprintf(o->version, sizeof o->version, "%.31s", version ? version : "unknown");
    const function *table = base->GetApi(ORT_API_VERSION);
    if (!table)
        return dsp_fail(err, DSP_E_UNAVAILABLE, "ONNX Runtime 1.%d or newer expected, %s found", ORT_API_VERSION, o->version);
#define ORT_TAKE(slot, ret, name, params) o->api.name = (ret (*) params)table[slot];
    ORT_FUNCTIONS(ORT_TAKE)
#undef ORT_TAKE
    OrtStatus *st = o->api.CreateCpuMemoryInfo(1, 0, &o->memory);
    if (!st)
        st = o->api.GetAllocatorWithDefaultOptions(&o->allocator);
    return st ? failed(&o->api, st, DSP_E_UNAVAILABLE, "start", err) : DSP_OK;
}

dsp_status dsp_ort_open(dsp_ort **out, const char *const *candidates, dsp_err *err)
{
    *out = NULL;
    dsp_ort *o = DSP_NEW(dsp_ort);
    if (!o || pthread_mutex_init(&o->mutex, NULL) != 0) {
        dsp_free(o);
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    }
    size_t n = 0, at = 0;
    char   tried[640] = "";
    dsp_ort_be_quiet();
    for (; candidates[n] && !o->library; n++) {
        o->library = open_library(candidates[n]);
        if (!o->library && at < sizeof tried)
            at += (size_t)snprintf(tried + at, sizeof tried - at, "%s%.200s", n ? ", " : "", candidates[n]);
    }
    dsp_status s = o->library ? start(o, err)
                              : dsp_fail(err, DSP_E_UNAVAILABLE, "ONNX Runtime's library is not there (looked at: %s); install it with: %s", tried, install_hint);
    if (s != DSP_OK) {
        dsp_ort_close(o);
        return s;
    }
    *out = o;
    return DSP_OK;
}

/* The library stays mapped: it keeps threads and state of its own that do not survive dlclose. */
void dsp_ort_close(dsp_ort *o)
{
    if (!o)
        return;
    if (o->memory)
        o->api.ReleaseMemoryInfo(o->memory);
    if (o->env)
        o->api.ReleaseEnv(o->env);
    pthread_mutex_destroy(&o->mutex);
    dsp_free(o);
}

const char *dsp_ort_version(const dsp_ort *o) { return o->version; }

/* The environment, made for the first session. Its threads serve every later session that asks for as many: a model in fifty segments does
 * not start and stop threads fifty times. Others bring their own. */
static OrtStatus *environment(dsp_ort *o, unsigned threads)
{
    const ort_api       *a = &o->api;
    OrtThreadingOptions *t = NULL;
    OrtStatus           *st = NULL;
    pthread_mutex_lock(&o->mutex);
    if (!o->env && threads <= 1) {
        st = a->CreateEnv(ORT_LOG_FATAL, "dsperse", &o->env);
    } else if (!o->env) {
        st = a->CreateThreadingOptions(&t);
        if (!st)
            st = a->SetGlobalIntraOpNumThreads(t, (int)threads);
        if (!st)
            st = a->SetGlobalSpinControl(t, 0);
        if (!st)
            st = a->CreateEnvWithGlobalThreadPools(ORT_LOG_FATAL, "dsperse", t, &o->env);
        if (t)
            a->ReleaseThreadingOptions(t);
        o->shared_threads = st ? 0 : threads;
    }
    pthread_mutex_unlock(&o->mutex);
    return st;
}

dsp_status dsp_ort_prepare(dsp_ort *o, unsigned threads, dsp_err *err)
{
    OrtStatus *st = environment(o, threads);
    return st ? failed(&o->api, st, DSP_E_UNAVAILABLE, "start", err) : DSP_OK;
}

static dsp_status create(dsp_session **out, dsp_ort *o, const void *model, size_t len, const char *path, const char *dir, unsigned threads,
                         unsigned opt_level, dsp_err *err)
{
    const ort_api *a = &o->api;
    OrtSessionOptions *options = NULL;
    dsp_status s = DSP_OK;
    *out = NULL;
    dsp_session *session = DSP_NEW(dsp_session);
    if (!session)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    session->ort = o;
    OrtStatus *st = environment(o, threads);
    if (!st)
        st = a->CreateSessionOptions(&options);
    if (!st)
        st = a->SetSessionLogSeverityLevel(options, ORT_LOG_FATAL);
    if (!st)
        st = a->SetSessionGraphOptimizationLevel(options, (int)opt_level);
    const bool shared = threads > 1 && threads == o->shared_threads;
    if (!st)
        st = shared ? a->DisablePerSessionThreads(options) : a->SetIntraOpNumThreads(options, threads > 1 ? (int)threads : 1);
    if (!st && threads > 1 && !shared)
        st = a->AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0");
    if (!st)
        st = a->DisableCpuMemArena(options);
    if (!st && dir)
        st = a->AddSessionConfigEntry(options, "session.model_external_initializers_file_folder_path", dir);
    if (!st)
        st = path ? a->CreateSession(o->env, path, options, &session->session)
                  : a->CreateSessionFromArray(o->env, model, len, options, &session->session);
    if (st)
        s = failed(a, st, DSP_E_UNSUPPORTED, "the model cannot be loaded", err);
    if (options)
        a->ReleaseSessionOptions(options);
    if (s != DSP_OK) {
        dsp_free(session);
        return s;
    }
    *out = session;
    return DSP_OK;
}

dsp_status dsp_session_create(dsp_session **s, dsp_ort *o, const void *model, size_t len, const char *dir, unsigned threads, unsigned opt_level,
                              dsp_err *err)
{
    return create(s, o, model, len, NULL, dir, threads, opt_level, err);
}

dsp_status dsp_session_create_file(dsp_session **s, dsp_ort *o, const char *path, unsigned threads, unsigned opt_level, dsp_err *err)
{
    *s = NULL;
    if (!dsp_file_exists(path))
        return dsp_fail(err, DSP_E_MISSING, "%s: no such file", path);
    const dsp_status r = create(s, o, NULL, 0, path, NULL, threads, opt_level, err);
    return r == DSP_OK ? r : dsp_context(err, r, "%s", path);
}

void dsp_session_free(dsp_session *s)
{
    if (!s)
        return;
    s->ort->api.ReleaseSession(s->session);
    dsp_free(s);
}

/* dtype, rank, dims of a tensor type; a rank above DSP_MAX_RANK leaves rank at -1. */
static OrtStatus *read_type(const ort_api *a, const OrtTensorTypeAndShapeInfo *t, int32_t *dtype, int32_t *rank, int64_t *dims)
{
    int        type = 0;
    size_t     n = 0;
    OrtStatus *st = a->GetTensorElementType(t, &type);
    if (!st)
        st = a->GetDimensionsCount(t, &n);
    *dtype = type;
    *rank = n <= DSP_MAX_RANK ? (int32_t)n : -1;
    if (!st && n && n <= DSP_MAX_RANK)
        st = a->GetDimensions(t, dims, n);
    return st;
}

dsp_status dsp_session_output_type(const dsp_session *s, size_t index, dsp_value *v, dsp_err *err)
{
    const ort_api *a = &s->ort->api;
    const OrtTensorTypeAndShapeInfo *tensor = NULL;
    OrtTypeInfo *info = NULL;
    char        *name = NULL;
    dsp_status   r = DSP_OK;
    OrtStatus   *st = a->SessionGetOutputName(s->session, index, s->ort->allocator, &name);
    if (!st && strcmp(name, v->name) != 0)
        r = dsp_fail(err, DSP_E_BUG, "ONNX Runtime: output %zu is \"%.200s\", \"%.200s\" expected", index, name, v->name);
    if (!st && r == DSP_OK)
        st = a->SessionGetOutputTypeInfo(s->session, index, &info);
    if (!st && info)
        st = a->CastTypeInfoToTensorInfo(info, &tensor);
    v->dtype = DSP_DT_UNKNOWN;
    v->rank = -1;
    if (!st && tensor)
        st = read_type(a, tensor, &v->dtype, &v->rank, v->dims);
    for (int32_t i = 0; i < v->rank; i++)
        v->dims[i] = v->dims[i] < 0 ? -1 : v->dims[i];
    if (st)
        r = failed(a, st, DSP_E_BUG, "type of an output", err);
    if (info)
        a->ReleaseTypeInfo(info);
    if (name && (st = a->AllocatorFree(s->ort->allocator, name)))
        a->ReleaseStatus(st);
    return r;
}

void dsp_array_release(dsp_array *x)
{
    dsp_free((void *)(uintptr_t)x->data);
    memset(x, 0, sizeof *x);
}

/* A copy of a run's result. */
static dsp_status take(const dsp_session *s, OrtValue *value, const char *name, dsp_array *out, dsp_err *err)
{
    const ort_api *a = &s->ort->api;
    OrtTensorTypeAndShapeInfo *t = NULL;
    dsp_status r = DSP_OK;
    dsp_value  v = {.name = name};
    void      *data = NULL;
    int        is_tensor = 0;
    memset(out, 0, sizeof *out);
    OrtStatus *st = value ? a->IsTensor(value, &is_tensor) : NULL;
    if (!st && is_tensor)
        st = a->GetTensorTypeAndShape(value, &t);
    if (!st && t)
        st = read_type(a, t, &v.dtype, &v.rank, v.dims);
    const unsigned bits = dsp_dtype_bits(v.dtype);
    uint64_t       n = 0;
    if (!st && (!t || bits < 8 || !dsp_dims_count(&v, &n) || n > SIZE_MAX / 16)) {
        r = dsp_fail(err, DSP_E_UNSUPPORTED, "output \"%.200s\": a numeric tensor of at most %d dimensions expected, %s found", name, DSP_MAX_RANK,
                     t ? dsp_dtype_name(v.dtype) : "something else");
        goto done;
    }
    if (!st)
        st = a->GetTensorMutableData(value, &data);
    if (st) {
        r = failed(a, st, DSP_E_BUG, "result", err);
        goto done;
    }
    uint8_t *copy = dsp_realloc(NULL, n ? (size_t)n : 1, bits / 8);
    if (!copy) {
        r = dsp_fail(err, DSP_E_NOMEM, "output \"%.200s\": no memory for %ju elements", name, (uintmax_t)n);
        goto done;
    }
    *out = (dsp_array){.dtype = v.dtype, .rank = (uint32_t)v.rank, .count = (size_t)n, .bytes = (size_t)n * (bits / 8), .data = copy};
    memcpy(out->dims, v.dims, sizeof out->dims);
    if (n)
        memcpy(copy, data, out->bytes);
done:
    if (t)
        a->ReleaseTensorTypeAndShapeInfo(t);
    return r;
}

dsp_status dsp_session_run(dsp_session *s, const char *const *in_names, const dsp_array *in, size_t n_in, const char *const *out_names,
                           dsp_array *out, size_t n_out, dsp_err *err)
{
    const ort_api *a = &s->ort->api;
    OrtValue  **iv = DSP_NEW_N(OrtValue *, n_in), **ov = DSP_NEW_N(OrtValue *, n_out);
    OrtStatus  *st = NULL;
    dsp_status  r = DSP_OK;
    size_t      taken = 0;
    if (!iv || !ov) {
        r = dsp_fail(err, DSP_E_NOMEM, "no memory");
        goto done;
    }
    for (size_t i = 0; i < n_in && !st; i++)
        st = a->CreateTensorWithDataAsOrtValue(s->ort->memory, (void *)(uintptr_t)in[i].data, in[i].bytes, in[i].dims, in[i].rank, in[i].dtype, &iv[i]);
    if (!st)
        st = a->Run(s->session, NULL, in_names, (const OrtValue *const *)iv, n_in, out_names, n_out, ov);
    if (st) {
        r = failed(a, st, DSP_E_UNSUPPORTED, "the model cannot be run", err);
        goto done;
    }
    for (; taken < n_out && r == DSP_OK; taken++) {
        r = take(s, ov[taken], out_names[taken], &out[taken], err);
        if (ov[taken])
            a->ReleaseValue(ov[taken]);
        ov[taken] = NULL;
    }
done:
    for (size_t i = 0; r != DSP_OK && i < taken; i++)
        dsp_array_release(&out[i]);
    for (size_t i = 0; iv && i < n_in; i++)
        if (iv[i])
            a->ReleaseValue(iv[i]);
    for (size_t i = 0; ov && i < n_out; i++)
        if (ov[i])
            a->ReleaseValue(ov[i]);
    dsp_free(iv);
    dsp_free(ov);
    return r;
}
