/* The step compile: samples -> quantisation record -> tensor programs -> keys beside the segments. */
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "pipeline/compile_ezkl.h"
#include "pipeline/foreign_check.h"
#include "pipeline/lock.h"
#include "pipeline/model.h"
#include "pipeline/paths.h"

typedef struct {
    dsp_pipe               *p;
    const dsp_compile_args *a;
    char       *dir, *model_dir, *meta_path;
    json_t     *meta, *report;
    dsp_slices *slices;
    dsp_graph  *g;
    dsp_plan   *plan;
    bool       *selected;      /* by --layers */
    bool       *wanted;        /* of these, what ezkl is asked to prove */
    bool       *native;        /* the rest, and what ezkl refused */
    bool       *written;       /* native keys that are new */
    dsp_calibration *cal;
    dsp_ezkl_part   *ezkl;     /* NULL: no segment is asked of ezkl */
    double      span[2];       /* the native stages' place in the whole */
    dsp_array  *samples;       /* n_samples x n_inputs */
    size_t      n_samples;
    dsp_digest  stamp;         /* of everything the result depends on */
    dsp_record *record;
    uint8_t    *record_bytes; size_t record_len;
    json_t     *precision;     /* the table, and what was chosen */
    json_t     *ranges;
    dsp_circuits *circuits;
    bool        changed;
    dsp_lock    lock;          /* of dir */
} compile;

/* ---- where ---- */

/* A model file: one segment in <folder>/model, made now unless it is there already. */
static dsp_status whole_model(compile *c, dsp_err *err)
{
    char       *file = NULL, *dir = NULL;
    dsp_slices *old = NULL;
    dsp_graph  *g = NULL;
    json_t     *r = NULL;
    bool        reuse = false;
    dsp_status  s = dsp_find_model(&file, &dir, c->a->slices, err);
    if (s != DSP_OK)
        return s;
    c->dir = dsp_path_join(dir, "model");
    if (!c->dir) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        goto done;
    }
    if (dsp_slices_load(&old, c->dir, NULL) == DSP_OK && !c->a->n_binds && old->n_segments == 1) {
        if ((s = dsp_graph_load(&g, file, NULL, 0, err)) != DSP_OK)
            goto done;
        reuse = dsp_digest_eq(&g->digest, &old->model_digest);
    }
    if (!reuse) {
        const dsp_slice_args sl = {.model = file, .out = c->dir, .binds = c->a->binds, .n_binds = c->a->n_binds, .cuts = "none", .force = c->a->force};
        s = dsp_pipe_slice(c->p, &sl, &r, err);
    }
done:
    json_decref(r);
    dsp_graph_free(g);
    dsp_slices_free(old);
    dsp_free(file);
    dsp_free(dir);
    return s;
}

static dsp_status open_slices(compile *c, dsp_err *err)
{
    dsp_status   s;
    const size_t n = strlen(c->a->slices);
    if (n > 5 && strcmp(c->a->slices + n - 5, ".onnx") == 0 && dsp_file_exists(c->a->slices))
        s = whole_model(c, err);
    else
        s = dsp_find_slices(&c->dir, c->a->slices, err);
    if (s != DSP_OK)
        return s;
    if ((s = dsp_lock_take(&c->lock, c->dir, "compile", DSP_LOCK_WRITE, err)) != DSP_OK)
        return s;
    dsp_sweep_temporaries(c->dir, NULL, 2);
    c->model_dir = dsp_path_dir(c->dir);
    c->meta_path = dsp_path_join(c->dir, "metadata.json");
    if (!c->model_dir || !c->meta_path)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if ((s = dsp_json_load(&c->meta, c->meta_path, err)) != DSP_OK || (s = dsp_slices_load(&c->slices, c->dir, err)) != DSP_OK ||
        (s = dsp_graph_load(&c->g, c->slices->model_path, c->slices->binds, c->slices->n_binds, err)) != DSP_OK)
        return s == DSP_E_ARG ? dsp_context(err, DSP_E_FORMAT, "dims of %s", c->meta_path) : s;
    if (!dsp_digest_eq(&c->g->digest, &c->slices->model_digest))
        return dsp_fail(err, DSP_E_FORMAT, "%s: changed since it was sliced; slice it again", c->slices->model_path);
    for (uint32_t i = 0; i < c->slices->n_segments; i++) {
        uint8_t *p = NULL;
        size_t   len;
        if ((s = dsp_file_read(&p, &len, c->slices->segment_path[i], DSP_FILE_MAX, err)) != DSP_OK)
            return s;
        const dsp_digest d = dsp_sha256(p, len);
        dsp_free(p);
        if (!dsp_digest_eq(&d, &c->slices->segment_digest[i]))
            return dsp_fail(err, DSP_E_FORMAT, "%s: changed since the model was sliced; slice it again", c->slices->segment_path[i]);
    }
    return DSP_OK;
}

/* ---- samples ---- */

static dsp_status load_samples(compile *c, dsp_err *err)
{
    const char *const *files = c->a->inputs;
    size_t             n = c->a->n_inputs;
    const size_t       width = c->g->n_inputs;
    char              *own = NULL;
    const char        *one[1];
    dsp_status         s = DSP_OK;
    if (n == 0 && c->a->n_ranges == 0) {
        own = dsp_path_join(c->model_dir, "input.json");
        if (!own)
            return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        if (!dsp_file_exists(own)) {
            s = dsp_fail(err, DSP_E_ARG, "calibration needs --input-file or --input-range: %s does not exist", own);
            goto done;
        }
        one[0] = own;
        files = one;
        n = 1;
    }
    c->samples = DSP_NEW_N(dsp_array, n * width);
    if (!c->samples) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for %zu samples", n);
        goto done;
    }
    for (; c->n_samples < n; c->n_samples++) {
        dsp_array *in = NULL;
        if ((s = dsp_model_inputs_load(&in, c->g, files[c->n_samples], err)) != DSP_OK)
            goto done;
        memcpy(c->samples + c->n_samples * width, in, width * sizeof *in);
        dsp_free(in);
    }
done:
    dsp_free(own);
    return s;
}

static void make_stamp(compile *c)
{
    dsp_sha s;
    dsp_sha_init(&s);
    dsp_sha_text(&s, "dsperse compile " DSP_VERSION);
    dsp_sha_put(&s, c->g->digest.b, 32);
    dsp_sha_u64(&s, c->slices->n_cuts);
    for (size_t i = 0; i < c->slices->n_cuts; i++)
        dsp_sha_u32(&s, c->slices->cuts[i]);
    for (size_t i = 0; i < c->slices->n_binds; i++) {
        dsp_sha_text(&s, c->slices->binds[i].name);
        dsp_sha_u64(&s, (uint64_t)c->slices->binds[i].value);
    }
    const dsp_digest d = dsp_arrays_digest(c->samples, c->n_samples * c->g->n_inputs);
    dsp_sha_put(&s, d.b, 32);
    for (size_t i = 0; i < c->a->n_ranges; i++) {
        dsp_sha_text(&s, c->a->ranges[i].input ? c->a->ranges[i].input : "");
        dsp_sha_put(&s, &c->a->ranges[i].lo, sizeof(double));
        dsp_sha_put(&s, &c->a->ranges[i].hi, sizeof(double));
    }
    dsp_sha_u32(&s, c->a->precision);
    for (uint32_t i = 0; i < c->slices->n_segments; i++)
        dsp_sha_u8(&s, c->native[i]);
    for (uint32_t i = 0; i < c->slices->n_segments; i++)
        if (dsp_ezkl_part_has(c->ezkl, i)) {
            dsp_sha_u32(&s, i);
            dsp_sha_u32(&s, (uint32_t)dsp_ezkl_part_scale(c->ezkl));
        }
    c->stamp = dsp_sha_digest(&s);
}

static bool file_has_digest(const char *dir, const char *rel, const json_t *o, const char *key)
{
    dsp_digest want;
    uint8_t   *p = NULL;
    size_t     n;
    char      *path = dsp_path_is_safe(rel) ? dsp_path_join(dir, rel) : NULL;
    bool       same = false;
    if (path && dsp_json_digest(&want, o, key) && dsp_file_read(&p, &n, path, DSP_FILE_MAX, NULL) == DSP_OK) {
        const dsp_digest d = dsp_sha256(p, n);
        same = dsp_digest_eq(&d, &want);
    }
    dsp_free(p);
    dsp_free(path);
    return same;
}

/* Whether an earlier compilation from the same things is complete on disk. */
static bool up_to_date(compile *c)
{
    const json_t *all = json_object_get(json_object_get(c->meta, "compilation"), "native");
    dsp_digest    d;
    if (!dsp_json_digest(&d, all, "source_sha256") || !dsp_digest_eq(&d, &c->stamp) ||
        !file_has_digest(c->dir, "quantization.json", all, "record_sha256"))
        return false;
    for (uint32_t i = 0; i < c->slices->n_segments; i++) {
        const json_t *o = dsp_meta_segment(c->meta, i);
        if (!o)
            return false;
        if (strcmp(dsp_json_str(o, "status"), "compiled") == 0 &&
            (!file_has_digest(c->dir, dsp_json_str(o, "vk"), o, "vk_sha256") || !file_has_digest(c->dir, dsp_json_str(o, "pk"), o, "pk_sha256") ||
             !file_has_digest(c->dir, dsp_json_str(o, "circuit"), o, "circuit_sha256")))
            return false;
    }
    return true;
}

/* ---- record ---- */

/* Shares of the stages as measured on a ResNet-20 and a small CNN (two cores); segments are counted when their keys are written. */
static void stage(const compile *c, uint32_t done, double part)
{
    dsp_pipe_progress(c->p, "compile", c->ezkl ? 0 : done, c->slices->n_segments, c->span[0] + part * (c->span[1] - c->span[0]), 0);
}

static void swept(void *arg, uint64_t done, uint64_t total) { stage(arg, 0, 0.15 + 0.5 * (double)done / (double)total); }

/* Plan and calibration, on first use. */
static dsp_status calibrate(void *arg, const dsp_plan **plan, const dsp_calibration **cal, dsp_ort **ort, dsp_err *err)
{
    compile   *c = arg;
    dsp_status s = dsp_pipe_ort(ort, c->p, err);
    if (s == DSP_OK && !c->cal) {
        if ((s = dsp_graph_infer(c->g, *ort, err)) != DSP_OK ||
            (s = dsp_plan_make(&c->plan, c->g, c->slices->cuts, c->slices->n_cuts, false, err)) != DSP_OK)
            return s;
        if (c->plan->n_segments != c->slices->n_segments)
            return dsp_fail(err, DSP_E_FORMAT, "%s: %u segments listed, the cuts give %u; slice the model again", c->meta_path, c->slices->n_segments,
                            c->plan->n_segments);
        dsp_pipe_say(c->p, DSP_SAY_INFO, "calibrating on %zu sample%s", c->n_samples, c->n_samples == 1 ? "" : "s");
        s = dsp_calibrate(&c->cal, c->g, *ort, c->samples, c->n_samples, c->a->ranges, c->a->n_ranges, err);
        stage(c, 0, 0.15);
    }
    *plan = c->plan;
    *cal = c->cal;
    return s;
}

static dsp_status make_record(compile *c, dsp_err *err)
{
    dsp_record       *made = NULL;
    dsp_precision_row rows[DSP_N_PRECISIONS];
    const dsp_plan   *plan;
    const dsp_calibration *cal;
    dsp_ort          *ort;
    dsp_pin          *pins = NULL;
    size_t            n_pins = 0;
    dsp_buf           b = {0};
    dsp_status        s;
    const dsp_precision_tell tell = {swept, c};
    memset(rows, 0, sizeof rows);
    if ((s = calibrate(c, &plan, &cal, &ort, err)) != DSP_OK || (c->ezkl && (s = dsp_ezkl_part_pins(&pins, &n_pins, c->ezkl, plan, err)) != DSP_OK) ||
        (s = dsp_precision_choose(&made, rows, c->g, plan, cal, pins, n_pins, ort, c->a->precision, &tell, err)) != DSP_OK ||
        (s = dsp_record_write(&b, made, err)) != DSP_OK)
        goto done;
    stage(c, 0, 0.65);
    c->record_bytes = b.p;
    c->record_len = b.len;
    memset(&b, 0, sizeof b);
    /* Read back: what is lowered is what the file says. */
    if ((s = dsp_record_read(&c->record, c->record_bytes, c->record_len, err)) != DSP_OK)
        goto done;
    json_t *table = json_array();
    for (int i = 0; i < DSP_N_PRECISIONS; i++) {
        if (!rows[i].bits)
            continue;
        json_t *o = json_object();
        dsp_json_put(o, "bits", json_integer(rows[i].bits));
        dsp_json_put(o, "feasible", json_boolean(rows[i].feasible));
        if (rows[i].feasible) {
            dsp_json_put(o, "max_relative_error", json_real(rows[i].max_rel_err));
            dsp_json_put(o, "argmax_agrees", json_boolean(rows[i].argmax_agrees));
            dsp_json_put(o, "saturated_cells", json_integer((json_int_t)rows[i].saturated));
        }
        json_array_append_new(table, o);
    }
    c->precision = table;
    c->ranges = json_array();
    for (uint32_t i = 0; i < c->g->n_inputs; i++) {
        json_t *o = json_object();
        dsp_json_put(o, "name", json_string(c->g->values[c->g->inputs[i]].name));
        dsp_json_put(o, "lo", json_real(cal->in_lo[i]));
        dsp_json_put(o, "hi", json_real(cal->in_hi[i]));
        json_array_append_new(c->ranges, o);
    }
done:
    dsp_buf_release(&b);
    dsp_free(pins);
    dsp_record_free(made);
    return s;
}

/* ---- keys ---- */

/* Replaces a file unless it holds these bytes. */
static dsp_status put_file(compile *c, json_t *o, const char *rel, const char *key, const dsp_buf *b, dsp_err *err)
{
    char             name[32];
    const dsp_digest d = dsp_sha256(b->p, b->len);
    char            *path = dsp_path_join(c->dir, rel), *dir = path ? dsp_path_dir(path) : NULL;
    uint8_t         *old = NULL;
    size_t           n = 0;
    dsp_status       s = dir ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (s == DSP_OK && !c->a->force && dsp_file_read(&old, &n, path, DSP_FILE_MAX, NULL) == DSP_OK && n == b->len && memcmp(old, b->p, n) == 0)
        goto done;
    if (s == DSP_OK)
        s = dsp_mkdirs(dir, err);
    if (s == DSP_OK)
        s = dsp_file_write(path, b->p, b->len, 0644, err);
    c->changed = true;
done:
    snprintf(name, sizeof name, "%s_sha256", key);
    dsp_json_put(o, key, json_string(rel));
    dsp_json_put(o, name, dsp_json_hex(&d));
    snprintf(name, sizeof name, "%s_bytes", key);
    dsp_json_put(o, name, json_integer((json_int_t)b->len));
    dsp_free(old);
    dsp_free(dir);
    dsp_free(path);
    return s;
}

static json_t *cost_json(const dsp_cost *k)
{
    json_t *o = json_object();
    dsp_json_put(o, "rows", json_integer((json_int_t)k->rows));
    dsp_json_put(o, "cells", json_integer((json_int_t)k->cells));
    dsp_json_put(o, "lookups", json_integer((json_int_t)k->lookups));
    dsp_json_put(o, "proof_bytes", json_integer((json_int_t)k->proof_bytes));
    dsp_json_put(o, "prove_seconds", dsp_json_time((double)k->prove_ns / 1e9));
    dsp_json_put(o, "verify_seconds", dsp_json_time((double)k->verify_ns / 1e9));
    dsp_json_put(o, "memory_bytes", json_integer((json_int_t)k->peak_bytes));
    return o;
}

static dsp_status check_memory(compile *c, dsp_err *err)
{
    for (uint32_t i = 0; i < c->circuits->n_segments && c->p->max_memory_bytes; i++) {
        dsp_cost k;
        if (!c->circuits->segments[i].key)
            continue;
        dsp_cost_predict(&k, c->circuits->segments[i].D);
        if (k.peak_bytes > c->p->max_memory_bytes)
            return dsp_fail(err, DSP_E_LIMIT, "segment %u: proving is predicted to take %.1f MiB, --max-memory allows %.1f MiB", i,
                            (double)k.peak_bytes / 1048576, (double)c->p->max_memory_bytes / 1048576);
    }
    return DSP_OK;
}

/* Of a segment that is not asked of the native prover. */
static const char *why_not(const compile *c, uint32_t i) { return dsp_ezkl_part_has(c->ezkl, i) ? DSP_FOREIGN_REASON : "left out by --layers"; }

static dsp_status write_segment(compile *c, uint32_t i, json_t *o, dsp_err *err)
{
    const dsp_compiled *seg = &c->circuits->segments[i];
    const dsp_backend  *be = dsp_backend_native();
    dsp_slice  *sl = NULL;
    dsp_buf     vk = {0}, pk = {0}, circuit = {0};
    char        rel[3][96];
    static const char *const kind[] = {"circuit", "vk", "pk"};
    dsp_cost    k;
    dsp_status  s;
    dsp_json_put(o, "macs", json_integer((json_int_t)seg->macs));
    if (!seg->key) {
        dsp_json_put(o, "status", json_string(c->native[i] ? "unsupported" : "not selected"));
        dsp_json_put(o, "reason", json_string(c->native[i] && seg->reason ? seg->reason : why_not(c, i)));
        return DSP_OK;
    }
    for (int f = 0; f < 3; f++)
        snprintf(rel[f], sizeof rel[f], "segment_%u/%s/segment_%u_%s.bin", i, be->folder, i, kind[f]);
    c->changed = false;
    if ((s = dsp_key_check(seg->D, err)) != DSP_OK) {
        s = dsp_fail(err, DSP_E_BUG, "segment %u: the compiled key is not acceptable: %s", i, err ? err->msg : "");
        goto done;
    }
    if ((s = dsp_key_write(&vk, seg->key, err)) != DSP_OK || (s = be->load(&sl, vk.p, vk.len, err)) != DSP_OK ||
        (s = be->proving_key(&pk, sl, &c->circuits->run_key, err)) != DSP_OK || (s = dsp_circuit_write(&circuit, sl, i, c->record, err)) != DSP_OK ||
        (s = put_file(c, o, rel[0], kind[0], &circuit, err)) != DSP_OK || (s = put_file(c, o, rel[1], kind[1], &vk, err)) != DSP_OK ||
        (s = put_file(c, o, rel[2], kind[2], &pk, err)) != DSP_OK)
        goto done;
    dsp_cost_predict(&k, seg->D);
    dsp_json_put(o, "status", json_string("compiled"));
    dsp_json_put(o, "predicted", cost_json(&k));
    json_t *pub = json_array();
    for (uint32_t t = 0; t < sl->n_io; t++) {
        const dsp_segment_plan *q = &c->plan->segments[i];
        const uint32_t   v = dsp_io_value(c->g, q->in, q->n_in, q->out, q->n_out, sl->io[t].name, c->plan->arena);
        const dsp_value *gv = v == DSP_NONE ? NULL : &c->g->values[v];
        if (sl->io[t].pub && gv && !gv->is_input && !gv->is_output)
            json_array_append_new(pub, json_string(sl->io[t].name));
    }
    dsp_json_put(o, "public_boundaries", pub);
done:
    if (sl)
        be->free(sl);
    dsp_buf_release(&vk);
    dsp_buf_release(&pk);
    dsp_buf_release(&circuit);
    return s;
}

static dsp_status write_all(compile *c, dsp_err *err)
{
    json_t    *list = json_object_get(c->meta, "segments"), *seg;
    size_t     at;
    char      *path = dsp_path_join(c->dir, "quantization.json");
    dsp_status s = path ? dsp_file_write(path, c->record_bytes, c->record_len, 0644, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    dsp_free(path);
    json_array_foreach(list, at, seg) {
        const uint32_t i = (uint32_t)dsp_json_u64(seg, "index");
        if (s != DSP_OK || i >= c->circuits->n_segments)
            break;
        json_t *o = json_object();
        c->changed = false;
        s = write_segment(c, i, o, err);
        c->written[i] = c->written[i] || c->changed;
        stage(c, (uint32_t)at + 1, 0.75 + 0.25 * (double)(at + 1) / (double)json_array_size(list));
        dsp_json_put(dsp_json_object_at(seg, "compilation"), "native", o);
    }
    json_t *all = dsp_json_head();
    dsp_json_put(all, "protocol_version", json_integer(DSP_PROTOCOL_VERSION));
    dsp_json_put(all, "source_sha256", dsp_json_hex(&c->stamp));
    dsp_json_put(all, "record", json_string("quantization.json"));
    dsp_json_put(all, "record_sha256", dsp_json_hex(&c->record->digest));
    dsp_json_put(all, "model_id", dsp_json_hex(&c->circuits->model_id));
    dsp_json_put(all, "run_key", dsp_json_hex(&c->circuits->run_key));
    dsp_json_put(all, "precision_bits", json_integer(c->record->precision));
    dsp_json_put(all, "precision_table", json_incref(c->precision));
    dsp_json_put(all, "input_ranges", json_incref(c->ranges));
    dsp_json_put(dsp_json_object_at(c->meta, "compilation"), "native", all);
    if (s == DSP_OK)
        s = dsp_json_save(c->meta_path, c->meta, 4, true, err);
    return s;
}

/* No segment is asked of the native prover: metadata.json says so, older keys and records stay unused. */
static dsp_status write_none(compile *c, dsp_err *err)
{
    json_t *list = json_object_get(c->meta, "segments"), *seg;
    size_t  at;
    json_object_del(json_object_get(c->meta, "compilation"), "native");
    json_array_foreach(list, at, seg) {
        json_t *o = json_object();
        dsp_json_put(o, "macs", json_incref(json_object_get(seg, "macs")));
        dsp_json_put(o, "status", json_string("not selected"));
        dsp_json_put(o, "reason", json_string(why_not(c, (uint32_t)dsp_json_u64(seg, "index"))));
        dsp_json_put(dsp_json_object_at(seg, "compilation"), "native", o);
    }
    return dsp_json_save(c->meta_path, c->meta, 4, true, err);
}

static bool is_compiled(const json_t *o) { return strcmp(dsp_json_str(o, "status"), "compiled") == 0; }

/* What metadata.json says now, and what of it is new. */
static void make_report(compile *c)
{
    json_t  *rows = json_array(), *r = c->report;
    uint32_t n_new = 0, n_fresh = 0, n_unsupported = 0;
    json_object_update(r, json_object_get(json_object_get(c->meta, "compilation"), "native"));
    if (c->ezkl)
        dsp_json_put(r, "ezkl", json_deep_copy(json_object_get(json_object_get(c->meta, "compilation"), "ezkl")));
    for (uint32_t i = 0; i < c->slices->n_segments; i++) {
        const json_t *native = dsp_meta_segment(c->meta, i), *ezkl = c->ezkl ? dsp_ezkl_part_meta(c->meta, i) : NULL;
        const bool    mine = is_compiled(native), foreign = is_compiled(ezkl), fresh = mine ? c->written[i] : dsp_ezkl_part_changed(c->ezkl, i);
        json_t       *row = json_deep_copy(foreign || (c->wanted[i] && !mine && !c->native[i]) ? ezkl : native);
        if (!row)
            row = json_object();
        dsp_json_put(row, "index", json_integer(i));
        dsp_json_put(row, "backend", foreign ? json_string("ezkl") : mine ? json_string("native") : json_null());
        dsp_json_put(row, "result", json_string(!mine && !foreign ? "skipped" : fresh ? "compiled" : "up to date"));
        if (c->wanted[i] && !foreign)
            dsp_json_put(row, "ezkl", json_deep_copy(ezkl));
        n_new += (mine || foreign) && fresh;
        n_fresh += (mine || foreign) && !fresh;
        n_unsupported += !mine && !foreign && c->selected[i];
        json_array_append_new(rows, row);
    }
    dsp_json_put(r, "slices_dir", json_string(c->dir));
    dsp_json_put(r, "segments", rows);
    dsp_json_put(r, "compiled", json_integer(n_new));
    dsp_json_put(r, "up_to_date", json_integer(n_fresh));
    dsp_json_put(r, "unsupported", json_integer(n_unsupported));
    dsp_json_put(r, "skipped", json_integer((json_int_t)c->slices->n_segments - n_new - n_fresh));
}

/* With segments of ezkl the id is that of their statement: what a run of this compilation gets, and what verify --model-id pins. */
static dsp_status put_model_id(compile *c, dsp_err *err)
{
    dsp_model       *m = NULL;
    const dsp_status s = dsp_model_load(&m, c->dir, err);
    if (s == DSP_OK)
        dsp_json_put(c->report, "model_id", dsp_json_hex(&m->claim_id));
    dsp_model_free(m);
    return s;
}

/* The first selected segment that cannot be proved, where that was asked for. */
static dsp_status judge(compile *c, dsp_err *err)
{
    const json_t *rows = json_object_get(c->report, "segments"), *o;
    size_t        i;
    if (!c->a->layers && !c->a->no_fallback)
        return DSP_OK;
    json_array_foreach(rows, i, o)
        if (strcmp(dsp_json_str(o, "status"), "unsupported") == 0)
            return dsp_fail(err, DSP_E_UNSUPPORTED, "segment %zu cannot be proved: %s", i, dsp_json_str(o, "reason"));
    return DSP_OK;
}

/* The segments that ezkl does not prove. May be done again, when there are more of them. */
static dsp_status compile_native(compile *c, dsp_err *err)
{
    bool       any = false;
    dsp_status s;
    for (uint32_t i = 0; i < c->slices->n_segments; i++) {
        c->native[i] = c->selected[i] && !dsp_ezkl_part_has(c->ezkl, i);
        any = any || c->native[i];
    }
    if (!any)
        return write_none(c, err);
    make_stamp(c);
    if (!c->a->force && up_to_date(c))
        return DSP_OK;
    dsp_circuits_free(c->circuits);
    dsp_record_free(c->record);
    dsp_free(c->record_bytes);
    json_decref(c->precision);
    json_decref(c->ranges);
    c->circuits = NULL;
    c->record = NULL;
    c->record_bytes = NULL;
    c->precision = c->ranges = NULL;
    if ((s = make_record(c, err)) != DSP_OK)
        return s;
    dsp_pipe_say(c->p, DSP_SAY_INFO, "lowering at %u bits", c->record->precision);
    if ((s = dsp_lower_model(&c->circuits, c->g, c->plan, c->record, c->native, err)) != DSP_OK || (s = check_memory(c, err)) != DSP_OK)
        return s;
    stage(c, 0, 0.75);
    return write_all(c, err);
}

/* Which segments ezkl is asked for. */
static dsp_status choose_segments(compile *c, dsp_err *err)
{
    const uint32_t n = c->slices->n_segments;
    dsp_status     s;
    c->selected = DSP_NEW_N(bool, n);
    c->wanted = DSP_NEW_N(bool, n);
    c->native = DSP_NEW_N(bool, n);
    c->written = DSP_NEW_N(bool, n);
    if (!c->selected || !c->wanted || !c->native || !c->written)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", n);
    for (uint32_t i = 0; i < n; i++)
        c->selected[i] = true;
    if (c->a->layers && (s = dsp_layers_parse(c->selected, n, c->a->layers, err)) != DSP_OK)
        return s;
    if (!c->a->ezkl)
        return DSP_OK;
    if (strcmp(c->a->ezkl, "*") == 0)
        memcpy(c->wanted, c->selected, n * sizeof *c->wanted);
    else if ((s = dsp_layers_parse(c->wanted, n, c->a->ezkl, err)) != DSP_OK)
        return s;
    for (uint32_t i = 0; i < n; i++)
        if (c->wanted[i] && !c->selected[i])
            return dsp_fail(err, DSP_E_ARG, "segment %u is to be proved by ezkl, but left out by the layers \"%s\"", i, c->a->layers);
    return DSP_OK;
}

static dsp_digest samples_digest(const compile *c)
{
    dsp_sha          s;
    const dsp_digest d = dsp_arrays_digest(c->samples, c->n_samples * c->g->n_inputs);
    dsp_sha_init(&s);
    dsp_sha_put(&s, d.b, 32);
    for (size_t i = 0; i < c->a->n_ranges; i++) {
        dsp_sha_text(&s, c->a->ranges[i].input ? c->a->ranges[i].input : "");
        dsp_sha_put(&s, &c->a->ranges[i].lo, sizeof(double));
        dsp_sha_put(&s, &c->a->ranges[i].hi, sizeof(double));
    }
    return dsp_sha_digest(&s);
}

static dsp_status compile_all(compile *c, dsp_err *err)
{
    bool       any = false, again = false;
    dsp_status s = DSP_OK;
    for (uint32_t i = 0; i < c->slices->n_segments; i++)
        any = any || c->wanted[i];
    c->span[1] = any ? 0 : 1;
    if (any) {
        const dsp_ezkl_part_args e = {.p = c->p, .a = c->a, .dir = c->dir, .meta_path = c->meta_path, .meta = c->meta, .slices = c->slices, .g = c->g,
                                      .wanted = c->wanted, .samples = samples_digest(c), .calibrate = calibrate, .arg = c};
        if ((s = dsp_ezkl_part_create(&c->ezkl, &e, err)) != DSP_OK || (s = dsp_ezkl_part_prepare(c->ezkl, err)) != DSP_OK)
            return s;
        dsp_ezkl_part_span(c->ezkl, c->span);
    } else if (json_object_get(json_object_get(c->meta, "compilation"), "ezkl")) {
        dsp_ezkl_part_forget(c->meta);
        if ((s = dsp_json_save(c->meta_path, c->meta, 4, true, err)) != DSP_OK)
            return s;
    }
    do {
        if ((s = compile_native(c, err)) != DSP_OK || !c->ezkl)
            return s;
        s = dsp_ezkl_part_keys(c->ezkl, &again, err);
    } while (s == DSP_OK && again);
    return s;
}

dsp_status dsp_pipe_compile(dsp_pipe *p, const dsp_compile_args *a, json_t **report, dsp_err *err)
{
    compile        c = {.p = p, .a = a, .lock = DSP_LOCK_NONE};
    const uint64_t t0 = dsp_clock_ns();
    dsp_err        own;
    if (!err)
        err = &own;
    *report = NULL;
    dsp_status s = open_slices(&c, err);
    if (s != DSP_OK)
        goto done;
    if ((s = choose_segments(&c, err)) != DSP_OK || (s = load_samples(&c, err)) != DSP_OK)
        goto done;
    c.report = *report = json_object();
    stage(&c, 0, 0);
    s = compile_all(&c, err);
    if (s == DSP_OK)
        dsp_pipe_progress(p, "compile", c.slices->n_segments, c.slices->n_segments, 1, 0);
    if (s == DSP_OK || c.ezkl)
        make_report(&c);
    if (s == DSP_OK && c.ezkl)
        s = put_model_id(&c, err);
    if (s == DSP_OK)
        s = judge(&c, err);
    dsp_json_put(c.report, "seconds", dsp_json_time((double)(dsp_clock_ns() - t0) / 1e9));
done:
    for (size_t i = 0; c.samples && i < c.n_samples * c.g->n_inputs; i++)
        dsp_array_release(&c.samples[i]);
    dsp_free(c.samples);
    dsp_circuits_free(c.circuits);
    dsp_record_free(c.record);
    dsp_free(c.record_bytes);
    dsp_plan_free(c.plan);
    dsp_graph_free(c.g);
    dsp_slices_free(c.slices);
    json_decref(c.precision);
    json_decref(c.ranges);
    json_decref(c.meta);
    dsp_ezkl_part_free(c.ezkl);
    dsp_calibration_free(c.cal);
    dsp_free(c.selected);
    dsp_free(c.wanted);
    dsp_free(c.native);
    dsp_free(c.written);
    dsp_lock_release(&c.lock);
    dsp_free(c.dir);
    dsp_free(c.model_dir);
    dsp_free(c.meta_path);
    return s;
}
