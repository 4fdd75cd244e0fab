#include "pipeline/ezkl_part.h"

#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "onnx/explicit.h"
#include "pipeline/digest.h"

static const char *const file_key[N_FILES] = {"model", "settings", "compiled", "vk_key", "pk_key"};
static const char *const file_end[N_FILES] = {"explicit.onnx", "settings.json", "model.compiled", "vk.key", "pk.key"};

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

dsp_status dsp_ep_save(dsp_ezkl_part *x, dsp_err *err) { return dsp_json_save(x->a.meta_path, x->a.meta, 4, true, err); }

void dsp_ep_status(dsp_ep *g, const char *status, const char *reason)
{
    dsp_json_put(g->o, "status", json_string(status));
    if (reason)
        dsp_json_put(g->o, "reason", json_string(reason));
    else
        json_object_del(g->o, "reason");
}

void dsp_ep_circuit(dsp_ezkl_part *x, uint32_t i, const char *error_key, const char *error)
{
    const dsp_ep *g = &x->seg[i];
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

static void put_file(dsp_ep *g, dsp_ep_file f, const dsp_digest *d, uint64_t bytes)
{
    char name[32];
    dsp_json_put(g->o, file_key[f], json_string(g->rel[f]));
    snprintf(name, sizeof name, "%s_sha256", file_key[f]);
    dsp_json_put(g->o, name, dsp_json_hex(d));
    snprintf(name, sizeof name, "%s_bytes", file_key[f]);
    dsp_json_put(g->o, name, json_integer((json_int_t)bytes));
}

static void drop_file(dsp_ep *g, dsp_ep_file f)
{
    char name[32];
    json_object_del(g->o, file_key[f]);
    snprintf(name, sizeof name, "%s_sha256", file_key[f]);
    json_object_del(g->o, name);
    snprintf(name, sizeof name, "%s_bytes", file_key[f]);
    json_object_del(g->o, name);
}

dsp_status dsp_ep_record(dsp_ep *g, dsp_ep_file f, dsp_err *err)
{
    dsp_digest       d;
    uint64_t         bytes = 0;
    const dsp_status s = dsp_file_sha256(&d, &bytes, g->path[f], err);
    if (s == DSP_OK)
        put_file(g, f, &d, bytes);
    return s;
}

/* Whether a file is the one that is recorded. */
static bool file_stands(const dsp_ep *g, dsp_ep_file f, const json_t *o)
{
    char       name[32];
    dsp_digest want, have;
    snprintf(name, sizeof name, "%s_sha256", file_key[f]);
    return dsp_json_digest(&want, o, name) && dsp_file_sha256(&have, NULL, g->path[f], NULL) == DSP_OK && dsp_digest_eq(&want, &have);
}

void dsp_ep_attempt(dsp_ep *g, const char *stage, double seconds, const char *error)
{
    json_t *o = json_object();
    dsp_json_put(o, "backend", json_string("ezkl"));
    dsp_json_put(o, "stage", json_string(stage));
    dsp_json_put(o, "seconds", dsp_json_time(seconds));
    dsp_json_put(o, "error", error ? json_string(error) : json_null());
    json_array_append_new(g->attempts, o);
}

void dsp_ep_measured(dsp_ep *g, const char *stage, const dsp_ezkl_use *use)
{
    char    name[64];
    json_t *m = dsp_json_object_at(g->o, "measured");
    snprintf(name, sizeof name, "%s_seconds", stage);
    dsp_json_put(m, name, dsp_json_time((double)use->ns / 1e9));
    snprintf(name, sizeof name, "%s_memory_bytes", stage);
    dsp_json_put(m, name, json_integer((json_int_t)use->peak_bytes));
}

dsp_status dsp_ep_begin(dsp_ezkl_part *x, uint32_t i, dsp_ep_progress before, dsp_err *err)
{
    dsp_ep *g = &x->seg[i];
    g->changed = true;
    g->at = before;
    for (dsp_ep_file f = before == AT_NOTHING ? F_SETTINGS : before == AT_SETTINGS ? F_COMPILED : F_VK; f < N_FILES; f++)
        drop_file(g, f);
    json_object_del(g->o, "srs");
    if (before < AT_CHECKED) {
        json_object_del(g->o, "check");
        json_object_del(g->o, "measured");
    }
    dsp_ep_status(g, "failed", "the compilation was cut short; compile again to go on from there");
    dsp_ep_circuit(x, i, "error", "the compilation was cut short");
    return dsp_ep_save(x, err);
}

/* Whether a segment that ezkl refuses fails the compilation. */
static bool strict(const dsp_ezkl_part *x) { return x->a.a->no_fallback || x->a.a->layers; }

/* A message for metadata.json: paths below the slices folder are relative to it. */
static void relative_text(char *out, size_t cap, const char *text, const char *dir)
{
    const size_t n = strlen(dir);
    size_t       k = 0;
    while (*text && k + 1 < cap) {
        if (n && strncmp(text, dir, n) == 0 && text[n] == '/')
            text += n + 1;
        else
            out[k++] = *text++;
    }
    out[k] = 0;
}

dsp_status dsp_ep_refused(dsp_ezkl_part *x, uint32_t i, const char *stage, dsp_status s, uint64_t t0, dsp_err *err)
{
    dsp_ep *g = &x->seg[i];
    char  key[64], log[160], why[sizeof err->msg];
    const bool own = s == DSP_E_UNSUPPORTED || s == DSP_E_LIMIT || s == DSP_E_FORMAT;   /* the segment's fault; else the machine's */
    relative_text(why, sizeof why, err->msg, x->a.dir);
    dsp_ep_attempt(g, stage, (double)(dsp_clock_ns() - t0) / 1e9, why);
    dsp_ep_status(g, own && strcmp(stage, "gen-settings") == 0 ? "unsupported" : "failed", why);
    snprintf(log, sizeof log, "segment_%u/ezkl_circuitization/logs/ezkl-%s.log", i, stage);
    dsp_json_put(g->o, "log", json_string(log));
    snprintf(key, sizeof key, "%s_error", stage);
    dsp_ep_circuit(x, i, strcmp(stage, "gen-witness") == 0 || strcmp(stage, "srs") == 0 ? "error" : key, why);
    dsp_err other;
    if (dsp_ep_save(x, &other) != DSP_OK)   /* what went wrong first is said; the next save says the rest */
        dsp_pipe_say(x->a.p, DSP_SAY_WARNING, "%s", other.msg);
    if (!own)
        return dsp_context(err, s, "segment %u", i);
    g->in = false;
    if (strict(x)) {
        err->code = DSP_E_UNSUPPORTED;
        return dsp_context(err, DSP_E_UNSUPPORTED, "segment %u cannot be proved by ezkl", i);
    }
    dsp_pipe_say(x->a.p, DSP_SAY_WARNING, "segment %u is left to the native prover: %s", i, err->msg);
    return DSP_OK;
}

/* ---- life ---- */

static dsp_status place(dsp_ezkl_part *x, uint32_t i, dsp_err *err)
{
    dsp_ep *g = &x->seg[i];
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

dsp_ezkl_files dsp_ep_files(const dsp_ezkl_part *x, const dsp_ep *g)
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
    if (!x || !(x->seg = DSP_NEW_N(dsp_ep, args->slices->n_segments))) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", args->slices->n_segments);
        goto done;
    }
    x->a = *args;
    x->t0 = dsp_clock_ns();
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

dsp_status dsp_ep_start(dsp_ezkl_part *x, uint32_t i, bool first, dsp_err *err)
{
    dsp_ep         *g = &x->seg[i];
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
    dsp_ep_status(g, "not selected", NULL);
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
        s = dsp_ep_refused(x, i, "gen-settings", s, t0, err);
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
        dsp_ep_status(g, g->at == AT_KEYS ? "compiled" : "failed", g->at == AT_KEYS ? NULL : "not compiled yet");
        dsp_ep_circuit(x, i, g->at == AT_KEYS ? NULL : "error", "not compiled yet");
    }
    json_decref(old);
    dsp_free(raw);
    dsp_free(full);
    return s;
}
