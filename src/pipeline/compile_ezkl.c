#include "pipeline/compile_ezkl.h"

#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "pipeline/digest.h"
#include "pipeline/ezkl_check.h"
#include "pipeline/ezkl_part.h"

/* One digit of ezkl's decomposition (base 2^14, two digits): up to this scale what a rescaling leaves over is one digit. */
enum { MOST_SCALE = 14, LEAST_SCALE = 4, DIGIT_BITS = 28, LOOKUP_BITS = 15, RETRIES = 3, RETRY_STEP = 2, PERCENT_OFF = 5 };

/* Making a reference string, measured with ezkl 23.0.5 on 2 cores: 7.6 s for 2^15 rows, 101 s for 2^19. */
static const double SRS_SECONDS_PER_ROW = 210e-6;

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
    dsp_ep          *g = &x->seg[i];
    const uint64_t t0 = dsp_clock_ns();
    dsp_ezkl_files f = dsp_ep_files(x, g);
    dsp_ezkl_use   use;
    dsp_status     s = dsp_ep_begin(x, i, AT_NOTHING, err);
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
        s = dsp_ep_record(g, F_SETTINGS, err);
    if (s != DSP_OK)
        return dsp_ep_refused(x, i, "gen-settings", s, t0, err);
    dsp_json_put(g->o, "logrows", json_integer(g->c.logrows));
    dsp_json_put(g->o, "rows", json_integer((json_int_t)g->c.rows));
    dsp_json_put(g->o, "predicted", dsp_ezkl_forecast_json(&g->f));
    dsp_ep_attempt(g, "gen-settings", (double)(dsp_clock_ns() - t0) / 1e9, NULL);
    g->at = AT_SETTINGS;
    return dsp_ep_save(x, err);
}

static dsp_status compile_stage(dsp_ezkl_part *x, uint32_t i, dsp_err *err)
{
    dsp_ep          *g = &x->seg[i];
    const uint64_t t0 = dsp_clock_ns();
    dsp_ezkl_files f = dsp_ep_files(x, g);
    dsp_ezkl_use   use;
    dsp_status     s = dsp_ep_begin(x, i, AT_SETTINGS, err);
    if (s != DSP_OK)
        return s;
    if ((s = dsp_ezkl_compile(x->ezkl, &f, &use, err)) != DSP_OK || (s = dsp_ep_record(g, F_COMPILED, err)) != DSP_OK)
        return dsp_ep_refused(x, i, "compile-circuit", s, t0, err);
    dsp_ep_attempt(g, "compile-circuit", (double)use.ns / 1e9, NULL);
    dsp_ep_measured(g, "compile", &use);
    g->at = AT_COMPILED;
    return dsp_ep_save(x, err);
}

/* *fits: ezkl computes this segment's outputs from the sample at this scale. */
static dsp_status check_stage(dsp_ezkl_part *x, uint32_t i, bool last, bool *fits, dsp_err *err)
{
    dsp_ep                  *g = &x->seg[i];
    const uint64_t         t0 = dsp_clock_ns();
    const dsp_plan        *plan;
    const dsp_calibration *cal;
    dsp_ort               *ort;
    dsp_ezkl_files         f = dsp_ep_files(x, g);
    dsp_ezkl_use           use = {0, 0};
    double                 off = 0;
    *fits = true;
    dsp_status s = x->a.calibrate(x->a.arg, &plan, &cal, &ort, err);
    if (s != DSP_OK)
        return s;
    s = dsp_ezkl_check(&off, &use, x->ezkl, &f, &g->c, x->a.g, &plan->segments[i], cal, ort, err);
    if (s == DSP_E_UNSUPPORTED && x->chosen && !last) {
        dsp_ep_attempt(g, "gen-witness", (double)(dsp_clock_ns() - t0) / 1e9, err->msg);
        *fits = false;
        return DSP_OK;
    }
    if (s != DSP_OK)
        return dsp_ep_refused(x, i, "gen-witness", s, t0, err);
    dsp_ep_attempt(g, "gen-witness", (double)use.ns / 1e9, NULL);
    dsp_ep_measured(g, "witness", &use);
    json_t *check = json_object();
    dsp_json_put(check, "max_relative_error", json_real(off));
    dsp_json_put(check, "samples_sha256", dsp_json_hex(&x->a.samples));
    dsp_json_put(g->o, "check", check);
    if (off > PERCENT_OFF / 100.0)
        dsp_pipe_say(x->a.p, DSP_SAY_WARNING, "segment %u: at scale %d ezkl's outputs differ from the model's by %.1f %% of the largest", i, x->scale, 100 * off);
    g->at = AT_CHECKED;
    return dsp_ep_save(x, err);
}

/* how_far: of the stages before keys, then beyond 1 of those of keys. Nothing is known before the forecast. */
static void tell(const dsp_ezkl_part *x, uint32_t done, double how_far)
{
    const double all = 2 * x->before + x->keys;
    dsp_pipe_progress(x->a.p, "compile", done, x->n, all > 0 ? (how_far < 1 ? 2 * x->before * how_far : 2 * x->before + x->keys * (how_far - 1)) / all : 0, all);
}

void dsp_ezkl_part_span(const dsp_ezkl_part *x, double span[2])
{
    const double all = 2 * x->before + x->keys;
    span[0] = all > 0 ? 1.5 * x->before / all : 0;
    span[1] = all > 0 ? 2 * x->before / all : 0;
}

/* Seconds that making a reference string is going to take. */
static double srs_seconds(const dsp_ezkl_part *x, unsigned k)
{
    static const char *const none[] = {NULL};
    char      *path = NULL;
    const bool have = x->srs[k].path || !x->a.p->test_srs || !x->a.p->srs_own ||
                      dsp_ezkl_srs_find(&path, x->ezkl, x->a.p->srs_dirs ? x->a.p->srs_dirs : none, k, NULL) == DSP_OK ||
                      dsp_ezkl_srs_own(&path, x->a.p->srs_own, k, NULL) == DSP_OK;
    dsp_free(path);
    return have ? 0 : ldexp(SRS_SECONDS_PER_ROW, (int)k);
}

/* All that is left to do for keys. */
static double key_seconds(const dsp_ezkl_part *x)
{
    bool   counted[DSP_EZKL_MAX_LOGROWS + 1] = {false};
    double all = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        const dsp_ep *g = &x->seg[i];
        if (!g->in || g->at == AT_KEYS)
            continue;
        all += g->f.setup_seconds + (counted[g->c.logrows] ? 0 : srs_seconds(x, g->c.logrows));
        counted[g->c.logrows] = true;
    }
    return all;
}

/* Tells what the keys and proofs will take, and stops where that is too much. */
static dsp_status forecast(dsp_ezkl_part *x, dsp_err *err)
{
    const double most = (double)x->a.p->max_memory_bytes;
    x->before = (double)(dsp_clock_ns() - x->t0) / 1e9;
    x->keys = key_seconds(x);
    for (uint32_t i = 0; i < x->n; i++) {
        dsp_ep *g = &x->seg[i];
        if (!g->in || g->at == AT_KEYS)
            continue;
        dsp_pipe_say(x->a.p, DSP_SAY_INFO, "segment %u: ezkl: %ju rows in 2^%u, about %.1f GB of memory, a proving key of %.1f GB, %.0f s for setup, %.0f s for a proof", i,
                     (uintmax_t)g->f.rows, g->f.logrows, (double)g->f.memory_bytes / 1e9, (double)g->f.pk_bytes / 1e9, g->f.setup_seconds, g->f.prove_seconds);
        if (most > 0 && (double)g->f.memory_bytes > most) {
            dsp_err          ignored;
            const dsp_status s = dsp_fail(err, DSP_E_LIMIT, "segment %u: ezkl needs %ju rows in 2^%u and is expected to take %.1f MiB for setup and proofs, --max-memory allows %.1f MiB", i,
                                          (uintmax_t)g->f.rows, g->f.logrows, (double)g->f.memory_bytes / 1048576, most / 1048576);
            dsp_ep_status(g, "failed", err->msg);
            if (dsp_ep_save(x, &ignored) != DSP_OK)
                dsp_pipe_say(x->a.p, DSP_SAY_WARNING, "%s", ignored.msg);
            return s;
        }
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
            s = dsp_ep_start(x, i, first, err);
    dsp_json_put(x->all, "scale", json_integer(x->scale));
    for (uint32_t i = 0; i < x->n && s == DSP_OK; i++)
        if (x->seg[i].in && x->seg[i].at < AT_SETTINGS) {
            tell(x, 0, 0);
            s = settings_stage(x, i, err);
        }
    if (s == DSP_OK && first) {
        const int was = x->scale;
        fit_lookups(x);
        if ((*fits = was == x->scale) == false)
            return DSP_OK;
    }
    if (s == DSP_OK)
        s = forecast(x, err);
    for (uint32_t i = 0; i < x->n && s == DSP_OK; i++) {
        tell(x, 0, 0.5 + 0.25 * i / x->n);
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
static bool keys_stand(dsp_ezkl_part *x, const dsp_ep *g)
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
    dsp_ep          *g = &x->seg[i];
    const unsigned k = g->c.logrows;
    const uint64_t t0 = dsp_clock_ns();
    dsp_ezkl_files f = dsp_ep_files(x, g);
    dsp_ezkl_use   use = {0, 0};
    dsp_status     s = dsp_ep_begin(x, i, AT_CHECKED, err);
    if (s != DSP_OK)
        return s;
    f.srs = x->srs[k].path;
    f.srs_insecure = x->srs[k].insecure;
    if ((s = dsp_ezkl_setup(x->ezkl, &f, &use, err)) != DSP_OK || (s = dsp_ep_record(g, F_VK, err)) != DSP_OK || (s = dsp_ep_record(g, F_PK, err)) != DSP_OK)
        return dsp_ep_refused(x, i, "setup", s, t0, err);
    dsp_ep_attempt(g, "setup", (double)use.ns / 1e9, NULL);
    dsp_ep_measured(g, "setup", &use);
    json_t *srs = json_object();
    dsp_json_put(srs, "logrows", json_integer(k));
    dsp_json_put(srs, "insecure", json_boolean(x->srs[k].insecure));
    dsp_json_put(srs, "sha256", dsp_json_hex(&x->srs[k].digest));
    dsp_json_put(g->o, "srs", srs);
    g->at = AT_KEYS;
    dsp_ep_status(g, "compiled", NULL);
    json_object_del(g->o, "log");
    dsp_ep_circuit(x, i, NULL, NULL);
    return dsp_ep_save(x, err);
}

dsp_status dsp_ezkl_part_keys(dsp_ezkl_part *x, bool *again, dsp_err *err)
{
    const uint32_t before = count_in(x);
    double         done = 0;
    bool           insecure = false;
    uint32_t       at = x->n - before;
    dsp_status     s = DSP_OK;
    *again = false;
    for (uint32_t i = 0; i < x->n; i++) {
        dsp_ep *g = &x->seg[i];
        if (!g->in)
            continue;
        if (g->at == AT_KEYS && !keys_stand(x, g))
            g->at = AT_CHECKED;
    }
    x->keys = key_seconds(x);
    /* Every reference string before the first setup. */
    for (uint32_t i = 0; i < x->n && s == DSP_OK; i++) {
        const uint64_t t0 = dsp_clock_ns();
        const unsigned k = x->seg[i].c.logrows;
        if (!x->seg[i].in || x->seg[i].at == AT_KEYS || x->srs[k].path)
            continue;
        const double takes = srs_seconds(x, k);
        tell(x, at, x->keys > 0 ? 1 + done / x->keys : 1);
        if (takes > 0)
            dsp_pipe_say(x->a.p, DSP_SAY_INFO, "making an insecure SRS of 2^%u rows, about %.0f s", k, takes);
        if ((s = need_srs(x, k, err)) != DSP_OK)
            s = dsp_ep_refused(x, i, "srs", s, t0, err);
        done += takes;
    }
    for (uint32_t i = 0; i < x->n && s == DSP_OK; i++) {
        dsp_ep *g = &x->seg[i];
        if (!g->in)
            continue;
        tell(x, at, x->keys > 0 ? 1 + done / x->keys : 2);
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
    tell(x, x->n, 2);
    return dsp_ep_save(x, err);
}
