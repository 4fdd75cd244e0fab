#include "pipeline/compile_ezkl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "onnx/explicit.h"
#include "pipeline/digest.h"
#include "pipeline/ezkl_check.h"
#include "pipeline/paths.h"

/* One digit of ezkl's decomposition (base 2^14, two digits): up to this scale what a rescaling leaves over is one digit. */
enum { MOST_SCALE = 14, LEAST_SCALE = 4, DIGIT_BITS = 28, LOOKUP_BITS = 15, RETRIES = 3, RETRY_STEP = 2, PERCENT_OFF = 5 };

typedef enum { F_MODEL, F_SETTINGS, F_COMPILED, F_VK, F_PK, N_FILES } file_id;
static const char *const file_key[N_FILES] = {"model", "settings", "compiled", "vk_key", "pk_key"};
static const char *const file_end[N_FILES] = {"explicit.onnx", "settings.json", "model.compiled", "vk.key", "pk.key"};

/* How far a segment is: each stage stands on those before. */
typedef enum { AT_NOTHING, AT_SETTINGS, AT_COMPILED, AT_CHECKED, AT_KEYS } progress;

typedef struct {
    bool     in;              /* ezkl proves it, as far as is known */
    bool     changed;
    progress at;
    char    *path[N_FILES], *log_dir;
    char     rel[N_FILES][96];
    dsp_ezkl_circuit  c;
    dsp_ezkl_forecast f;
    bool     lookups;
    json_t  *o;               /* its object in metadata.json, owned there */
    json_t  *attempts;        /* owned by o */
} part;

struct dsp_ezkl_part {
    dsp_ezkl_part_args a;
    const dsp_ezkl    *ezkl;
    uint32_t           n;
    part              *seg;
    json_t            *all;   /* metadata.json's compilation.ezkl; owned there */
    int                scale;
    bool               chosen;   /* the scale is ours to change */
    int                bits;     /* what the samples showed is below 2^(bits - 1); 0: not looked at */
    dsp_digest         stamp;
    struct { char *path; bool insecure; dsp_digest digest; } srs[DSP_EZKL_MAX_LOGROWS + 1];
};

/* ---- metadata ---- */

static json_t *segment_meta(const json_t *meta, uint32_t index)
{
    json_t *list = json_object_get(meta, "segments"), *o;
    size_t  i;
    json_array_foreach(list, i, o)
        if (json_is_integer(json_object_get(o, "index")) && json_integer_value(json_object_get(o, "index")) == (json_int_t)index)
            return o;
    return NULL;
}

const json_t *dsp_ezkl_part_meta(const json_t *meta, uint32_t index)
{
    return json_object_get(json_object_get(segment_meta(meta, index), "compilation"), "ezkl");
}

void dsp_ezkl_part_forget(json_t *meta)
{
    json_t *list = json_object_get(meta, "segments"), *o;
    size_t  i;
    json_object_del(json_object_get(meta, "compilation"), "ezkl");
    json_array_foreach(list, i, o) {
        json_t *e = json_object_get(json_object_get(o, "compilation"), "ezkl");
        if (e)
            dsp_json_put(e, "status", json_string("not selected"));
        json_object_del(o, "ezkl_circuitization");
    }
}

static dsp_status save(dsp_ezkl_part *x, dsp_err *err) { return dsp_json_save(x->a.meta_path, x->a.meta, 4, true, err); }

static void set_status(part *g, const char *status, const char *reason)
{
    dsp_json_put(g->o, "status", json_string(status));
    if (reason)
        dsp_json_put(g->o, "reason", json_string(reason));
    else
        json_object_del(g->o, "reason");
}

/* What the specification calls the circuit of a segment; an error makes it unusable for every reader. */
static void set_circuit(dsp_ezkl_part *x, uint32_t i, const char *error_key, const char *error)
{
    const part *g = &x->seg[i];
    json_t     *o = json_object();
    dsp_json_put(o, "settings", json_string(g->rel[F_SETTINGS]));
    dsp_json_put(o, "compiled", json_string(g->rel[F_COMPILED]));
    dsp_json_put(o, "vk_key", json_string(g->rel[F_VK]));
    dsp_json_put(o, "pk_key", json_string(g->rel[F_PK]));
    dsp_json_put(o, "calibration", json_null());
    if (error_key)
        dsp_json_put(o, error_key, json_string(error));
    dsp_json_put(segment_meta(x->a.meta, i), "ezkl_circuitization", o);
}

static void put_file(part *g, file_id f, const dsp_digest *d, uint64_t bytes)
{
    char name[32];
    dsp_json_put(g->o, file_key[f], json_string(g->rel[f]));
    snprintf(name, sizeof name, "%s_sha256", file_key[f]);
    dsp_json_put(g->o, name, dsp_json_hex(d));
    snprintf(name, sizeof name, "%s_bytes", file_key[f]);
    dsp_json_put(g->o, name, json_integer((json_int_t)bytes));
}

static void drop_file(part *g, file_id f)
{
    char name[32];
    json_object_del(g->o, file_key[f]);
    snprintf(name, sizeof name, "%s_sha256", file_key[f]);
    json_object_del(g->o, name);
    snprintf(name, sizeof name, "%s_bytes", file_key[f]);
    json_object_del(g->o, name);
}

/* Records a file that a stage has written. */
static dsp_status record_file(part *g, file_id f, dsp_err *err)
{
    dsp_digest       d;
    uint64_t         bytes = 0;
    const dsp_status s = dsp_file_sha256(&d, &bytes, g->path[f], err);
    if (s == DSP_OK)
        put_file(g, f, &d, bytes);
    return s;
}

/* Whether a file is the one that is recorded. */
static bool file_stands(const part *g, file_id f, const json_t *o)
{
    char       name[32];
    dsp_digest want, have;
    snprintf(name, sizeof name, "%s_sha256", file_key[f]);
    return dsp_json_digest(&want, o, name) && dsp_file_sha256(&have, NULL, g->path[f], NULL) == DSP_OK && dsp_digest_eq(&want, &have);
}

static void attempt(part *g, const char *stage, double seconds, const char *error)
{
    json_t *o = json_object();
    dsp_json_put(o, "backend", json_string("ezkl"));
    dsp_json_put(o, "stage", json_string(stage));
    dsp_json_put(o, "seconds", dsp_json_time(seconds));
    dsp_json_put(o, "error", error ? json_string(error) : json_null());
    json_array_append_new(g->attempts, o);
}

static void measured(part *g, const char *stage, const dsp_ezkl_use *use)
{
    char    name[64];
    json_t *m = dsp_json_object_at(g->o, "measured");
    snprintf(name, sizeof name, "%s_seconds", stage);
    dsp_json_put(m, name, dsp_json_time((double)use->ns / 1e9));
    snprintf(name, sizeof name, "%s_memory_bytes", stage);
    dsp_json_put(m, name, json_integer((json_int_t)use->peak_bytes));
}

/* Forgets what a stage and those after it have recorded, before it runs: a compilation that is cut short leaves nothing that looks whole. */
static dsp_status begin(dsp_ezkl_part *x, uint32_t i, progress before, dsp_err *err)
{
    part *g = &x->seg[i];
    g->changed = true;
    g->at = before;
    for (file_id f = before == AT_NOTHING ? F_SETTINGS : before == AT_SETTINGS ? F_COMPILED : F_VK; f < N_FILES; f++)
        drop_file(g, f);
    json_object_del(g->o, "srs");
    if (before < AT_CHECKED) {
        json_object_del(g->o, "check");
        json_object_del(g->o, "measured");
    }
    set_status(g, "failed", "the compilation was cut short; compile again to go on from there");
    set_circuit(x, i, "error", "the compilation was cut short");
    return save(x, err);
}

/* Whether a segment that ezkl refuses fails the compilation. */
static bool strict(const dsp_ezkl_part *x) { return x->a.a->no_fallback || x->a.a->layers; }

/* After a stage of segment i failed with s: recorded; DSP_OK when the segment only falls out. */
static dsp_status refused(dsp_ezkl_part *x, uint32_t i, const char *stage, dsp_status s, uint64_t t0, dsp_err *err)
{
    part *g = &x->seg[i];
    char  key[64], log[160];
    const bool own = s == DSP_E_UNSUPPORTED || s == DSP_E_LIMIT || s == DSP_E_FORMAT;   /* the segment's fault; else the machine's */
    attempt(g, stage, (double)(dsp_clock_ns() - t0) / 1e9, err->msg);
    set_status(g, own && strcmp(stage, "gen-settings") == 0 ? "unsupported" : "failed", err->msg);
    snprintf(log, sizeof log, "segment_%u/ezkl_circuitization/logs/ezkl-%s.log", i, stage);
    dsp_json_put(g->o, "log", json_string(log));
    snprintf(key, sizeof key, "%s_error", stage);
    set_circuit(x, i, strcmp(stage, "gen-witness") == 0 || strcmp(stage, "srs") == 0 ? "error" : key, err->msg);
    dsp_err          ignored;
    const dsp_status saved = save(x, own ? err : &ignored);
    if (!own)
        return dsp_context(err, s, "segment %u", i);
    g->in = false;
    if (saved != DSP_OK)
        return saved;
    if (strict(x))
        return dsp_context(err, DSP_E_UNSUPPORTED, "segment %u cannot be proved by ezkl", i);
    dsp_pipe_say(x->a.p, DSP_SAY_WARNING, "segment %u is left to the native prover: %s", i, err->msg);
    return DSP_OK;
}

/* ---- life ---- */

static dsp_status place(dsp_ezkl_part *x, uint32_t i, dsp_err *err)
{
    part *g = &x->seg[i];
    char  folder[96];
    snprintf(folder, sizeof folder, "segment_%u/ezkl_circuitization/logs", i);
    g->log_dir = dsp_path_join(x->a.dir, folder);
    for (int f = 0; f < N_FILES; f++) {
        snprintf(g->rel[f], sizeof g->rel[f], "segment_%u/ezkl_circuitization/segment_%u_%s", i, i, file_end[f]);
        if (!(g->path[f] = dsp_path_join(x->a.dir, g->rel[f])))
            return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    }
    return g->log_dir ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
}

static dsp_ezkl_files files_of(const dsp_ezkl_part *x, const part *g)
{
    return (dsp_ezkl_files){.model = g->path[F_MODEL], .settings = g->path[F_SETTINGS], .compiled = g->path[F_COMPILED], .vk = g->path[F_VK], .pk = g->path[F_PK],
                            .log_dir = g->log_dir, .allow_insecure = x->a.p->test_srs};
}

static void make_stamp(dsp_ezkl_part *x)
{
    dsp_sha s;
    dsp_sha_init(&s);
    dsp_sha_text(&s, "dsperse compile ezkl " DSP_VERSION);
    dsp_sha_text(&s, dsp_ezkl_version(x->ezkl));
    dsp_sha_put(&s, x->a.g->digest.b, 32);
    dsp_sha_u32(&s, x->n);
    for (uint32_t i = 0; i < x->n; i++) {
        dsp_sha_put(&s, x->a.slices->segment_digest[i].b, 32);
        dsp_sha_u8(&s, x->a.wanted[i]);
    }
    dsp_sha_put(&s, x->a.samples.b, 32);
    dsp_sha_u32(&s, (uint32_t)x->a.a->ezkl_scale);
    x->stamp = dsp_sha_digest(&s);
}

dsp_status dsp_ezkl_part_create(dsp_ezkl_part **out, const dsp_ezkl_part_args *args, dsp_err *err)
{
    dsp_ezkl_part *x = DSP_NEW(dsp_ezkl_part);
    dsp_status     s = DSP_OK;
    *out = NULL;
    if (!x || !(x->seg = DSP_NEW_N(part, args->slices->n_segments))) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", args->slices->n_segments);
        goto done;
    }
    x->a = *args;
    x->n = args->slices->n_segments;
    if (args->a->ezkl_scale && (args->a->ezkl_scale < 1 || args->a->ezkl_scale > DSP_PIN_MAX_SCALE)) {
        s = dsp_fail(err, DSP_E_ARG, "--ezkl-scale: 1 to %d bits are possible", DSP_PIN_MAX_SCALE);
        goto done;
    }
    if ((s = dsp_pipe_ezkl(&x->ezkl, args->p, err)) != DSP_OK)
        goto done;
    for (uint32_t i = 0; i < x->n; i++) {
        x->seg[i].in = args->wanted[i];
        if (!json_is_object(segment_meta(args->meta, i))) {
            s = dsp_fail(err, DSP_E_FORMAT, "%s: segment %u is missing", args->meta_path, i);
            goto done;
        }
        if ((s = place(x, i, err)) != DSP_OK)
            goto done;
    }
    make_stamp(x);
    *out = x;
    x = NULL;
done:
    dsp_ezkl_part_free(x);
    return s;
}

void dsp_ezkl_part_free(dsp_ezkl_part *x)
{
    if (!x)
        return;
    for (uint32_t i = 0; x->seg && i < x->n; i++) {
        for (int f = 0; f < N_FILES; f++)
            dsp_free(x->seg[i].path[f]);
        dsp_free(x->seg[i].log_dir);
    }
    for (unsigned k = 0; k <= DSP_EZKL_MAX_LOGROWS; k++)
        dsp_free(x->srs[k].path);
    dsp_free(x->seg);
    dsp_free(x);
}

bool dsp_ezkl_part_has(const dsp_ezkl_part *x, uint32_t segment) { return x && x->seg[segment].in; }
bool dsp_ezkl_part_changed(const dsp_ezkl_part *x, uint32_t segment) { return x && x->seg[segment].changed; }
int  dsp_ezkl_part_scale(const dsp_ezkl_part *x) { return x->scale; }

dsp_status dsp_ezkl_part_pins(dsp_pin **pins, size_t *n, const dsp_ezkl_part *x, const dsp_plan *plan, dsp_err *err)
{
    size_t most = 0;
    *n = 0;
    for (uint32_t i = 0; i < x->n; i++)
        most += x->seg[i].in ? (size_t)plan->segments[i].n_in + plan->segments[i].n_out : 0;
    *pins = DSP_NEW_N(dsp_pin, most + 1);
    if (!*pins)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for %zu tensors", most);
    for (uint32_t i = 0; i < x->n; i++)
        for (uint32_t k = 0; x->seg[i].in && k < plan->segments[i].n_in + plan->segments[i].n_out; k++) {
            const dsp_segment_plan *p = &plan->segments[i];
            (*pins)[(*n)++] = (dsp_pin){k < p->n_in ? p->in[k] : p->out[k - p->n_in], x->scale};
        }
    return DSP_OK;
}

/* ---- the segment file for ezkl ---- */

static json_t *tensors_json(const json_t *from)
{
    json_t       *list = json_array();
    const json_t *o, *d;
    size_t        i, k;
    json_array_foreach(from, i, o) {
        json_t    *t = json_object();
        json_int_t cells = 1;
        json_array_foreach(json_object_get(o, "shape"), k, d)
            cells = json_integer_value(d) > 0 && cells <= INT32_MAX && json_integer_value(d) <= INT32_MAX ? cells * json_integer_value(d) : 0;
        dsp_json_put(t, "name", json_string(dsp_json_str(o, "name")));
        dsp_json_put(t, "shape", json_deep_copy(json_object_get(o, "shape")));
        dsp_json_put(t, "cells", json_integer(cells));
        json_array_append_new(list, t);
    }
    return list;
}

/* What ezkl cannot be handed at all. NULL: nothing. */
static const char *hopeless(const dsp_ezkl_part *x, uint32_t i, const json_t *meta)
{
    static const char *const lists[] = {"inputs", "outputs"};
    const json_t *o;
    size_t        k;
    if (x->a.slices->has_data && x->a.slices->has_data[i])
        return "its weights lie in files of their own beside the segment";
    for (int l = 0; l < 2; l++) {
        const json_t *list = json_object_get(meta, lists[l]);
        if (json_array_size(list) == 0 || json_array_size(list) > DSP_EZKL_MAX_TENSORS)
            return "it has no inputs or outputs, or more than 64";
        json_array_foreach(list, k, o)
            if (strcmp(dsp_json_str(o, "dtype"), "float32") != 0)
                return "an input or output is not float32";
    }
    for (int l = 0; l < 2; l++)
        json_array_foreach(json_object_get(x->seg[i].o, lists[l]), k, o)
            if (dsp_json_u64(o, "cells") == 0)
                return "the shape of an input or output is not known";
    return NULL;
}

/* Writes the explicit copy of segment i and starts its object, keeping what the old one says of files that still stand. */
static dsp_status start(dsp_ezkl_part *x, uint32_t i, bool first, dsp_err *err)
{
    part         *g = &x->seg[i];
    json_t       *meta = segment_meta(x->a.meta, i), *old = json_incref(json_object_get(json_object_get(meta, "compilation"), "ezkl"));
    uint8_t      *raw = NULL, *full = NULL;
    size_t        n = 0, m = 0;
    const uint64_t t0 = dsp_clock_ns();
    /* Of a segment that is not asked for, everything stays on record for the day when it is. */
    g->o = x->a.wanted[i] || !json_is_object(old) ? json_object() : json_incref(old);
    dsp_json_put(dsp_json_object_at(meta, "compilation"), "ezkl", g->o);
    if (!first)
        dsp_json_put(g->o, "attempts", json_incref(json_object_get(old, "attempts")));
    g->attempts = dsp_json_array_at(g->o, "attempts");
    g->at = AT_NOTHING;
    dsp_json_put(g->o, "macs", json_incref(json_object_get(meta, "macs")));
    set_status(g, "not selected", NULL);
    dsp_status s = DSP_OK;
    if (!x->a.wanted[i]) {
        json_object_del(meta, "ezkl_circuitization");
        goto done;
    }
    dsp_json_put(g->o, "scale", json_integer(x->scale));
    dsp_json_put(g->o, "ezkl_version", json_string(dsp_ezkl_version(x->ezkl)));
    dsp_json_put(g->o, "inputs", tensors_json(json_object_get(meta, "inputs")));
    dsp_json_put(g->o, "outputs", tensors_json(json_object_get(meta, "outputs")));
    const char *why = hopeless(x, i, meta);
    if (why) {
        s = dsp_fail(err, DSP_E_UNSUPPORTED, "%s", why);
        s = refused(x, i, "gen-settings", s, t0, err);
        json_object_del(g->o, "log");
        goto done;
    }
    if ((s = dsp_mkdirs(g->log_dir, err)) != DSP_OK || (s = dsp_file_read(&raw, &n, x->a.slices->segment_path[i], DSP_FILE_MAX, err)) != DSP_OK ||
        (s = dsp_onnx_explicit(&full, &m, raw, n, err)) != DSP_OK)
        goto done;
    const dsp_digest d = dsp_sha256(full, m);
    /* What stands of an earlier compilation, and how it came about: same file, scale and version; then stage by stage. */
    dsp_digest was;
    const bool same = !x->a.a->force && dsp_json_digest(&was, old, "model_sha256") && dsp_digest_eq(&was, &d) && file_stands(g, F_MODEL, old) &&
                      (int)dsp_json_u64(old, "scale") == x->scale && strcmp(dsp_json_str(old, "ezkl_version"), dsp_ezkl_version(x->ezkl)) == 0;
    put_file(g, F_MODEL, &d, m);
    if (!same) {
        s = dsp_file_write_fast(g->path[F_MODEL], full, m, 0644, err);
        goto done;
    }
    const json_t *was_tried;
    size_t        at;
    json_array_foreach(json_object_get(old, "attempts"), at, was_tried)
        if (json_is_null(json_object_get(was_tried, "error")) && first)
            json_array_append(g->attempts, json_array_get(json_object_get(old, "attempts"), at));
    if (!file_stands(g, F_SETTINGS, old) || dsp_ezkl_settings_read(&g->c, g->path[F_SETTINGS], x->scale, NULL, NULL) != DSP_OK ||
        dsp_ezkl_forecast_make(&g->f, &g->lookups, &g->c, g->path[F_SETTINGS], NULL) != DSP_OK)
        goto done;
    static const char *const of_settings[] = {"logrows", "rows", "predicted", "settings", "settings_sha256", "settings_bytes"};
    static const char *const of_compiled[] = {"compiled", "compiled_sha256", "compiled_bytes", "measured"};
    static const char *const of_keys[] = {"vk_key", "vk_key_sha256", "vk_key_bytes", "pk_key", "pk_key_sha256", "pk_key_bytes", "srs"};
#define KEEP(names) for (size_t k = 0; k < sizeof names / sizeof *names; k++) \
        if (json_object_get(old, names[k])) dsp_json_put(g->o, names[k], json_incref(json_object_get(old, names[k])))
    KEEP(of_settings);
    g->at = AT_SETTINGS;
    if (!file_stands(g, F_COMPILED, old))
        goto done;
    KEEP(of_compiled);
    g->at = AT_COMPILED;
    dsp_digest samples;
    if (!dsp_json_digest(&samples, json_object_get(old, "check"), "samples_sha256") || !dsp_digest_eq(&samples, &x->a.samples))
        goto done;
    dsp_json_put(g->o, "check", json_incref(json_object_get(old, "check")));
    g->at = AT_CHECKED;
    if (!json_object_get(old, "srs") || !file_stands(g, F_VK, old) || !file_stands(g, F_PK, old))
        goto done;
    KEEP(of_keys);
#undef KEEP
    g->at = AT_KEYS;
done:
    if (x->a.wanted[i] && s == DSP_OK && g->in) {
        set_status(g, g->at == AT_KEYS ? "compiled" : "failed", g->at == AT_KEYS ? NULL : "not compiled yet");
        set_circuit(x, i, g->at == AT_KEYS ? NULL : "error", "not compiled yet");
    }
    json_decref(old);
    dsp_free(raw);
    dsp_free(full);
    return s;
}

/* ---- scale ---- */

/* The largest scale at which everything that the samples showed in these segments fits, with a bit to spare. */
static dsp_status choose_scale(dsp_ezkl_part *x, dsp_err *err)
{
    const dsp_plan        *plan;
    const dsp_calibration *cal;
    dsp_ort               *ort;
    double                 most = 0;
    int                    e = 0;
    dsp_status             s = x->a.calibrate(x->a.arg, &plan, &cal, &ort, err);
    if (s != DSP_OK)
        return s;
    for (uint32_t i = 0; i < x->n; i++) {
        if (!x->a.wanted[i])
            continue;
        for (uint32_t k = 0; k < plan->segments[i].n_in; k++)
            most = fmax(most, cal->max_abs[plan->segments[i].in[k]]);
        for (uint32_t n = plan->segments[i].first; n < plan->segments[i].last; n++)
            for (uint32_t k = 0; k < x->a.g->nodes[n].n_out; k++)
                if (x->a.g->nodes[n].out[k] != DSP_NONE)
                    most = fmax(most, cal->max_abs[x->a.g->nodes[n].out[k]]);
    }
    frexp(fmax(4 * most, 1), &e);   /* at least 1 */
    x->bits = e;
    x->scale = DIGIT_BITS - e;
    x->scale = x->scale > MOST_SCALE ? MOST_SCALE : x->scale < LEAST_SCALE ? LEAST_SCALE : x->scale;
    return DSP_OK;
}

/* ---- stages before keys ---- */

static dsp_status settings_stage(dsp_ezkl_part *x, uint32_t i, dsp_err *err)
{
    part          *g = &x->seg[i];
    const uint64_t t0 = dsp_clock_ns();
    dsp_ezkl_files f = files_of(x, g);
    dsp_ezkl_use   use;
    dsp_status     s = begin(x, i, AT_NOTHING, err);
    if (s != DSP_OK)
        return s;
    s = dsp_ezkl_settings(&g->c, x->ezkl, &f, x->scale, &use, err);
    const json_t *lists[2] = {json_object_get(g->o, "inputs"), json_object_get(g->o, "outputs")}, *o;
    size_t        k;
    for (int l = 0; l < 2 && s == DSP_OK; l++) {
        if (json_array_size(lists[l]) != (l ? g->c.n_out : g->c.n_in))
            s = dsp_fail(err, DSP_E_UNSUPPORTED, "ezkl sees %u inputs and %u outputs, not the segment's", g->c.n_in, g->c.n_out);
        for (k = 0; s == DSP_OK && (o = json_array_get(lists[l], k)) != NULL; k++)
            if (dsp_json_u64(o, "cells") != (l ? g->c.out : g->c.in)[k])
                s = dsp_fail(err, DSP_E_UNSUPPORTED, "ezkl sees another shape of %s", dsp_json_str(o, "name"));
    }
    if (s == DSP_OK)
        s = dsp_ezkl_forecast_make(&g->f, &g->lookups, &g->c, g->path[F_SETTINGS], err);
    if (s == DSP_OK)
        s = record_file(g, F_SETTINGS, err);
    if (s != DSP_OK)
        return refused(x, i, "gen-settings", s, t0, err);
    dsp_json_put(g->o, "logrows", json_integer(g->c.logrows));
    dsp_json_put(g->o, "rows", json_integer((json_int_t)g->c.rows));
    dsp_json_put(g->o, "predicted", dsp_ezkl_forecast_json(&g->f));
    attempt(g, "gen-settings", (double)(dsp_clock_ns() - t0) / 1e9, NULL);
    g->at = AT_SETTINGS;
    return save(x, err);
}

static dsp_status compile_stage(dsp_ezkl_part *x, uint32_t i, dsp_err *err)
{
    part          *g = &x->seg[i];
    const uint64_t t0 = dsp_clock_ns();
    dsp_ezkl_files f = files_of(x, g);
    dsp_ezkl_use   use;
    dsp_status     s = begin(x, i, AT_SETTINGS, err);
    if (s != DSP_OK)
        return s;
    if ((s = dsp_ezkl_compile(x->ezkl, &f, &use, err)) != DSP_OK || (s = record_file(g, F_COMPILED, err)) != DSP_OK)
        return refused(x, i, "compile-circuit", s, t0, err);
    attempt(g, "compile-circuit", (double)use.ns / 1e9, NULL);
    measured(g, "compile", &use);
    g->at = AT_COMPILED;
    return save(x, err);
}

/* *fits: ezkl computes this segment's outputs from the sample at this scale. */
static dsp_status check_stage(dsp_ezkl_part *x, uint32_t i, bool last, bool *fits, dsp_err *err)
{
    part                  *g = &x->seg[i];
    const uint64_t         t0 = dsp_clock_ns();
    const dsp_plan        *plan;
    const dsp_calibration *cal;
    dsp_ort               *ort;
    dsp_ezkl_files         f = files_of(x, g);
    dsp_ezkl_use           use = {0, 0};
    double                 off = 0;
    *fits = true;
    dsp_status s = x->a.calibrate(x->a.arg, &plan, &cal, &ort, err);
    if (s != DSP_OK)
        return s;
    s = dsp_ezkl_check(&off, &use, x->ezkl, &f, &g->c, x->a.g, &plan->segments[i], cal, ort, err);
    if (s == DSP_E_UNSUPPORTED && x->chosen && !last) {
        attempt(g, "gen-witness", (double)(dsp_clock_ns() - t0) / 1e9, err->msg);
        *fits = false;
        return DSP_OK;
    }
    if (s != DSP_OK)
        return refused(x, i, "gen-witness", s, t0, err);
    attempt(g, "gen-witness", (double)use.ns / 1e9, NULL);
    measured(g, "witness", &use);
    json_t *check = json_object();
    dsp_json_put(check, "max_relative_error", json_real(off));
    dsp_json_put(check, "samples_sha256", dsp_json_hex(&x->a.samples));
    dsp_json_put(g->o, "check", check);
    if (off > PERCENT_OFF / 100.0)
        dsp_pipe_say(x->a.p, DSP_SAY_WARNING, "segment %u: at scale %d ezkl's outputs differ from the model's by %.1f %% of the largest", i, x->scale, 100 * off);
    g->at = AT_CHECKED;
    return save(x, err);
}

/* Tells what the keys and proofs will take, and stops where that is too much. */
static dsp_status forecast(dsp_ezkl_part *x, dsp_err *err)
{
    const double most = (double)x->a.p->max_memory_bytes;
    for (uint32_t i = 0; i < x->n; i++) {
        const part *g = &x->seg[i];
        if (!g->in || g->at == AT_KEYS)
            continue;
        dsp_pipe_say(x->a.p, DSP_SAY_INFO, "segment %u: ezkl: %ju rows in 2^%u, about %.1f GB of memory, a proving key of %.1f GB, %.0f s for setup, %.0f s for a proof", i,
                     (uintmax_t)g->f.rows, g->f.logrows, (double)g->f.memory_bytes / 1e9, (double)g->f.pk_bytes / 1e9, g->f.setup_seconds, g->f.prove_seconds);
        if (most > 0 && (double)g->f.memory_bytes > most)
            return dsp_fail(err, DSP_E_LIMIT, "segment %u: ezkl needs %ju rows in 2^%u and is expected to take %.1f MiB for setup and proofs, --max-memory allows %.1f MiB", i,
                            (uintmax_t)g->f.rows, g->f.logrows, (double)g->f.memory_bytes / 1048576, most / 1048576);
    }
    return DSP_OK;
}

/* Scale at which lookups, whose range is fixed, hold what the samples showed. */
static void fit_lookups(dsp_ezkl_part *x)
{
    const int room = LOOKUP_BITS + 1 - x->bits;
    for (uint32_t i = 0; i < x->n && x->chosen && x->bits; i++)
        if (x->seg[i].in && x->seg[i].lookups && x->scale > room)
            x->scale = room < LEAST_SCALE ? LEAST_SCALE : room;
}

static uint32_t count_in(const dsp_ezkl_part *x)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < x->n; i++)
        n += x->seg[i].in;
    return n;
}

/* All stages before keys at the present scale. *fits: false when another scale has to be tried. */
static dsp_status try_scale(dsp_ezkl_part *x, bool first, bool last, bool *fits, dsp_err *err)
{
    dsp_status s = DSP_OK;
    *fits = true;
    for (uint32_t i = 0; i < x->n && s == DSP_OK; i++)
        if (first || x->seg[i].in)
            s = start(x, i, first, err);
    dsp_json_put(x->all, "scale", json_integer(x->scale));
    for (uint32_t i = 0; i < x->n && s == DSP_OK; i++)
        if (x->seg[i].in && x->seg[i].at < AT_SETTINGS)
            s = settings_stage(x, i, err);
    if (s == DSP_OK && first) {
        const int was = x->scale;
        fit_lookups(x);
        if ((*fits = was == x->scale) == false)
            return DSP_OK;
    }
    if (s == DSP_OK)
        s = forecast(x, err);
    for (uint32_t i = 0; i < x->n && s == DSP_OK; i++) {
        if (x->seg[i].in && x->seg[i].at < AT_COMPILED)
            s = compile_stage(x, i, err);
        if (s == DSP_OK && x->seg[i].in && x->seg[i].at < AT_CHECKED)
            s = check_stage(x, i, last, fits, err);
        if (s == DSP_OK && !*fits) {
            x->scale -= RETRY_STEP;
            return DSP_OK;
        }
    }
    return s;
}

dsp_status dsp_ezkl_part_prepare(dsp_ezkl_part *x, dsp_err *err)
{
    json_t    *comp = dsp_json_object_at(x->a.meta, "compilation"), *old_all = json_incref(json_object_get(comp, "ezkl"));
    dsp_digest was;
    dsp_status s = DSP_OK;
    x->chosen = x->a.a->ezkl_scale == 0;
    x->scale = x->a.a->ezkl_scale;
    if (x->chosen && !x->a.a->force && dsp_json_digest(&was, old_all, "source_sha256") && dsp_digest_eq(&was, &x->stamp))
        x->scale = (int)dsp_json_u64(old_all, "scale");
    if (x->scale < 1 || x->scale > DSP_PIN_MAX_SCALE)
        s = choose_scale(x, err);
    x->all = dsp_json_head();
    dsp_json_put(x->all, "source_sha256", dsp_json_hex(&x->stamp));
    dsp_json_put(x->all, "ezkl_version", json_string(dsp_ezkl_version(x->ezkl)));
    dsp_json_put(x->all, "insecure_srs", json_false());
    dsp_json_put(comp, "ezkl", x->all);
    bool fits = false;
    for (int round = 0; s == DSP_OK && !fits; round++)
        s = try_scale(x, round == 0, round >= RETRIES || x->scale - RETRY_STEP < LEAST_SCALE, &fits, err);
    if (s == DSP_OK && count_in(x))
        dsp_pipe_say(x->a.p, DSP_SAY_INFO, "ezkl %s: %u segments at scale %d", dsp_ezkl_version(x->ezkl), count_in(x), x->scale);
    json_decref(old_all);
    return s;
}

/* ---- keys ---- */

/* The reference string of a size, made where that is allowed. */
static dsp_status need_srs(dsp_ezkl_part *x, unsigned k, dsp_err *err)
{
    dsp_status s = DSP_OK;
    if (!x->srs[k].path && (s = dsp_pipe_srs(&x->srs[k].path, &x->srs[k].insecure, x->a.p, k, err)) == DSP_OK)
        s = dsp_file_sha256(&x->srs[k].digest, NULL, x->srs[k].path, err);
    return s;
}

/* Whether the keys of an earlier compilation belong to the reference string that proofs will use. */
static bool keys_stand(dsp_ezkl_part *x, const part *g)
{
    static const char *const none[] = {NULL};
    const json_t *srs = json_object_get(g->o, "srs");
    const bool    insecure = json_is_true(json_object_get(srs, "insecure"));
    char         *real = NULL;
    dsp_digest    was;
    const bool    have = dsp_ezkl_srs_find(&real, x->ezkl, x->a.p->srs_dirs ? x->a.p->srs_dirs : none, g->c.logrows, NULL) == DSP_OK;
    dsp_free(real);
    if (!have && !insecure)
        return true;
    if (!have && !x->a.p->test_srs)
        return false;
    return need_srs(x, g->c.logrows, NULL) == DSP_OK && insecure == x->srs[g->c.logrows].insecure && dsp_json_digest(&was, srs, "sha256") &&
           dsp_digest_eq(&was, &x->srs[g->c.logrows].digest);
}

static dsp_status setup_stage(dsp_ezkl_part *x, uint32_t i, dsp_err *err)
{
    part          *g = &x->seg[i];
    const unsigned k = g->c.logrows;
    const uint64_t t0 = dsp_clock_ns();
    dsp_ezkl_files f = files_of(x, g);
    dsp_ezkl_use   use = {0, 0};
    dsp_status     s = begin(x, i, AT_CHECKED, err);
    if (s != DSP_OK)
        return s;
    f.srs = x->srs[k].path;
    f.srs_insecure = x->srs[k].insecure;
    if ((s = dsp_ezkl_setup(x->ezkl, &f, &use, err)) != DSP_OK || (s = record_file(g, F_VK, err)) != DSP_OK || (s = record_file(g, F_PK, err)) != DSP_OK)
        return refused(x, i, "setup", s, t0, err);
    attempt(g, "setup", (double)use.ns / 1e9, NULL);
    measured(g, "setup", &use);
    json_t *srs = json_object();
    dsp_json_put(srs, "logrows", json_integer(k));
    dsp_json_put(srs, "insecure", json_boolean(x->srs[k].insecure));
    dsp_json_put(srs, "sha256", dsp_json_hex(&x->srs[k].digest));
    dsp_json_put(g->o, "srs", srs);
    g->at = AT_KEYS;
    set_status(g, "compiled", NULL);
    json_object_del(g->o, "log");
    set_circuit(x, i, NULL, NULL);
    return save(x, err);
}

dsp_status dsp_ezkl_part_keys(dsp_ezkl_part *x, bool *again, dsp_err *err)
{
    const uint32_t before = count_in(x);
    double         total = 0, done = 0;
    bool           insecure = false;
    uint32_t       at = x->n - before;
    dsp_status     s = DSP_OK;
    *again = false;
    for (uint32_t i = 0; i < x->n; i++) {
        part *g = &x->seg[i];
        if (!g->in)
            continue;
        if (g->at == AT_KEYS && !keys_stand(x, g))
            g->at = AT_CHECKED;
        total += g->at < AT_KEYS ? g->f.setup_seconds : 0;
    }
    /* Every reference string before the first setup. */
    for (uint32_t i = 0; i < x->n && s == DSP_OK; i++) {
        const uint64_t t0 = dsp_clock_ns();
        if (!x->seg[i].in || x->seg[i].at == AT_KEYS)
            continue;
        if (!x->srs[x->seg[i].c.logrows].path)
            dsp_pipe_say(x->a.p, DSP_SAY_INFO, "looking for the SRS of 2^%u rows%s", x->seg[i].c.logrows,
                         x->a.p->test_srs ? "; an insecure one is made where there is none" : "");
        if ((s = need_srs(x, x->seg[i].c.logrows, err)) != DSP_OK)
            s = refused(x, i, "srs", s, t0, err);
    }
    for (uint32_t i = 0; i < x->n && s == DSP_OK; i++) {
        part *g = &x->seg[i];
        if (!g->in)
            continue;
        dsp_pipe_progress(x->a.p, "compile", at, x->n, total > 0 ? 0.4 + 0.6 * done / total : 1, total);
        if (g->at < AT_KEYS) {
            dsp_pipe_say(x->a.p, DSP_SAY_INFO, "segment %u: ezkl setup, about %.0f s", i, g->f.setup_seconds);
            s = setup_stage(x, i, err);
            done += g->f.setup_seconds;
        }
        insecure = insecure || json_is_true(json_object_get(json_object_get(g->o, "srs"), "insecure"));
        at++;
    }
    if (s != DSP_OK)
        return s;
    *again = count_in(x) != before;
    dsp_json_put(x->all, "insecure_srs", json_boolean(insecure));
    dsp_pipe_progress(x->a.p, "compile", x->n, x->n, 1, total);
    return save(x, err);
}
