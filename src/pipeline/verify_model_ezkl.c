/* --model, for the segments of ezkl: wiring, settings and keys once more, from the model file alone. It takes ezkl, its reference strings, ONNX Runtime (ezkl
 * wants the shapes of what crosses cuts), and the time and memory of ezkl's setup; without any of these there is no verdict.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "lower/lower.h"
#include "onnx/explicit.h"
#include "pipeline/digest.h"
#include "pipeline/verify_step.h"

typedef struct { const dsp_verifier *v; const dsp_graph *g; const dsp_plan *plan; dsp_arena *arena; } deriver;

/* A tensor of the table is this value of the graph. */
static bool same_tensor(const deriver *d, const dsp_foreign_tensor *t, uint32_t value)
{
    const dsp_value *x = &d->g->values[value];
    const char      *name = dsp_lower_tensor_name(d->g, value, d->arena);
    const uint8_t    use = (uint8_t)((x->is_input ? DSP_STMT_INPUT : 0) | (x->is_output ? DSP_STMT_OUTPUT : 0));
    return name && strcmp(name, t->name) == 0 && t->use == (use ? use : DSP_STMT_INNER) && x->rank == (int32_t)t->rank &&
           memcmp(x->dims, t->dims, t->rank * sizeof *t->dims) == 0;
}

static bool same_ends(const deriver *d, const char *const *names, uint32_t n, const uint32_t *values, uint32_t n_values)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < n_values; i++) {
        if (d->g->values[values[i]].constant)
            continue;
        const char *name = dsp_lower_tensor_name(d->g, values[i], d->arena);
        if (at == n || !name || strcmp(name, names[at++]) != 0)
            return false;
    }
    return at == n;
}

/* What the foreign statement says about the graph. */
static dsp_status check_wiring(const deriver *d, dsp_err *err)
{
    const dsp_foreign *f = d->v->f;
    if (d->plan->n_segments != d->v->claims.n)
        return dsp_fail(err, DSP_E_REJECTED, "model: foreign.bin lists %u segments, the model has %u", d->v->claims.n, d->plan->n_segments);
    if (!same_ends(d, f->inputs, f->n_inputs, d->g->inputs, d->g->n_inputs) || !same_ends(d, f->outputs, f->n_outputs, d->g->outputs, d->g->n_outputs))
        return dsp_fail(err, DSP_E_REJECTED, "model: inputs and outputs of foreign.bin are not those of the model");
    for (uint32_t i = 0; i < f->n_segments; i++) {
        const dsp_foreign_segment *g = &f->segments[i];
        const dsp_segment_plan    *x = &d->plan->segments[g->index];
        bool                       same = g->n_in == x->n_in && g->n_out == x->n_out;
        for (uint32_t k = 0; k < g->n_in && same; k++)
            same = same_tensor(d, &f->tensors[g->in[k]], x->in[k]);
        for (uint32_t k = 0; k < g->n_out && same; k++)
            same = same_tensor(d, &f->tensors[g->out[k]], x->out[k]);
        if (!same)
            return dsp_fail(err, DSP_E_REJECTED, "model: segment_%u reads or makes other tensors than foreign.bin says", g->index);
    }
    for (uint32_t i = 0; i < d->v->claims.n; i++) {
        const dsp_run_claim *c = &d->v->claims.list[i];
        if (c->by != DSP_BY_NATIVE && d->plan->segments[c->index].macs != c->macs)
            return dsp_fail(err, DSP_E_REJECTED, "model: segment_%u is listed with %ju multiply-accumulates, the model has %ju", c->index, (uintmax_t)c->macs,
                            (uintmax_t)d->plan->segments[c->index].macs);
    }
    return DSP_OK;
}

/* ---- keys ---- */

enum { MODEL, SETTINGS, COMPILED, VK, PK, N_FILES };
static const char *const names[N_FILES] = {"model.onnx", "settings.json", "model.compiled", "vk.key", "pk.key"};
static const char *const logs[] = {"ezkl-gen-settings.log", "ezkl-compile-circuit.log", "ezkl-setup.log"};

static dsp_status write_model(const deriver *d, uint32_t index, const char *path, dsp_err *err)
{
    uint8_t   *raw = NULL, *full = NULL;
    size_t     n = 0, m = 0;
    dsp_status s = dsp_segment_bytes(&raw, &n, d->plan, index, err);
    if (s == DSP_OK && (s = dsp_onnx_explicit(&full, &m, raw, n, err)) == DSP_OK)
        s = dsp_file_write_fast(path, full, m, 0600, err);
    dsp_free(raw);
    dsp_free(full);
    return s;
}

/* The settings that this ezkl makes are those of the run. Another version may write others for the same circuit. */
static dsp_status same_settings(const deriver *d, uint32_t at, const char *path, const dsp_ezkl *e, dsp_err *err)
{
    const dsp_foreign_bytes *b = &d->v->foreign[at];
    const uint32_t           index = d->v->f->segments[at].index;
    const int                scale = (int)d->v->f->scale;
    dsp_ezkl_circuit         have, own;
    dsp_buf                  again = {0};
    uint8_t                 *p = NULL;
    size_t                   n = 0;
    dsp_status               s = dsp_file_read(&p, &n, path, DSP_FILE_MAX, err);
    if (s == DSP_OK)
        s = dsp_ezkl_settings_parse(&own, &again, p, n, path, scale, err);
    if (s == DSP_OK)
        s = dsp_ezkl_settings_parse(&have, NULL, b->settings, b->settings_len, "settings.json", scale, err);
    if (s == DSP_OK && (again.len != b->settings_len || memcmp(again.p, b->settings, again.len) != 0)) {
        if (strcmp(own.version, have.version) != 0)
            s = dsp_fail(err, DSP_E_UNAVAILABLE, "model: segment_%u was compiled by ezkl %s, this is %s: its settings cannot be compared", index, have.version, dsp_ezkl_version(e));
        else
            s = dsp_fail(err, DSP_E_REJECTED, "model: the settings of segment_%u are not those that the model gives", index);
    }
    dsp_buf_release(&again);
    dsp_free(p);
    return s;
}

static dsp_status derive(const deriver *d, uint32_t at, const char *dir, dsp_err *err)
{
    const dsp_foreign_segment *g = &d->v->f->segments[at];
    char                      *path[N_FILES] = {NULL}, *srs = NULL;
    const dsp_ezkl            *e;
    dsp_ezkl_circuit           c;
    dsp_digest                 vk;
    dsp_status                 s = dsp_ezkl_srs_for(&srs, d->v->p, g, err);
    for (int i = 0; i < N_FILES && s == DSP_OK; i++)
        if (!(path[i] = dsp_path_join(dir, names[i])))
            s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    const dsp_ezkl_files f = {.model = path[MODEL], .settings = path[SETTINGS], .compiled = path[COMPILED], .vk = path[VK], .pk = path[PK], .log_dir = dir, .srs = srs,
                              .srs_insecure = g->insecure, .allow_insecure = d->v->p->test_srs};
    if (s != DSP_OK || (s = dsp_pipe_ezkl(&e, d->v->p, err)) != DSP_OK || (s = write_model(d, g->index, path[MODEL], err)) != DSP_OK)
        goto done;
    if ((s = dsp_ezkl_settings(&c, e, &f, (int)d->v->f->scale, NULL, err)) == DSP_E_UNSUPPORTED || s == DSP_E_LIMIT) {
        s = dsp_context(err, DSP_E_REJECTED, "model: ezkl refuses segment_%u", g->index);
        goto done;
    }
    if (s != DSP_OK || (s = same_settings(d, at, path[SETTINGS], e, err)) != DSP_OK || (s = dsp_ezkl_compile(e, &f, NULL, err)) != DSP_OK ||
        (s = dsp_ezkl_setup(e, &f, NULL, err)) != DSP_OK || (s = dsp_file_sha256(&vk, NULL, path[VK], err)) != DSP_OK)
        goto done;
    if (!dsp_digest_eq(&vk, &g->vk))
        s = dsp_fail(err, DSP_E_REJECTED, "model: the key of segment_%u is not the one that the model gives", g->index);
done:
    for (int i = 0; i < N_FILES; i++) {
        if (path[i])
            unlink(path[i]);
        dsp_free(path[i]);
    }
    dsp_free(srs);
    return s;
}

static dsp_status derive_all(const deriver *d, dsp_err *err)
{
    char      *dir = d->v->p->ezkl_places ? dsp_path_join(d->v->p->ezkl_places->log_dir, "verify-XXXXXX") : NULL;
    dsp_status s = DSP_OK;
    if (!d->v->p->ezkl_places)
        return dsp_fail(err, DSP_E_UNAVAILABLE, "model: ezkl: no place to look for it");
    if (!dir || !mkdtemp(dir)) {
        s = dsp_fail(err, dir ? DSP_E_IO : DSP_E_NOMEM, "%s: cannot make a folder: %s", dir ? dir : "", strerror(errno));
        dsp_free(dir);
        return s;
    }
    for (uint32_t i = 0; i < d->v->f->n_segments && s == DSP_OK; i++)
        if (!d->v->foreign_selected || d->v->foreign_selected[i])
            s = derive(d, i, dir, err);
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        char *log = dsp_path_join(dir, logs[i]);
        if (log)
            unlink(log);
        dsp_free(log);
    }
    rmdir(dir);
    dsp_free(dir);
    return s;
}

dsp_status dsp_verify_model_ezkl(dsp_verifier *v, dsp_err *err)
{
    dsp_graph *g = NULL;
    dsp_plan  *plan = NULL;
    dsp_ort   *ort;
    dsp_status s = dsp_graph_load(&g, v->a->model, v->f->binds, v->f->n_binds, err);
    if (s == DSP_E_ARG) /* foreign.bin binds a dimension that this model does not have */
        s = dsp_context(err, DSP_E_REJECTED, "model");
    if (s == DSP_OK && !dsp_digest_eq(&g->digest, &v->f->model))
        s = dsp_fail(err, DSP_E_REJECTED, "model: %s is not the model that foreign.bin names", v->a->model);
    if (s != DSP_OK || (s = dsp_pipe_ort(&ort, v->p, err)) != DSP_OK || (s = dsp_graph_infer(g, ort, err)) != DSP_OK)
        goto done;
    if ((s = dsp_plan_make(&plan, g, v->f->cuts, v->f->n_cuts, false, err)) != DSP_OK) {
        s = dsp_context(err, s == DSP_E_ARG ? DSP_E_REJECTED : s, "model: cuts of foreign.bin");
        goto done;
    }
    const deriver d = {v, g, plan, v->arena};
    if ((s = check_wiring(&d, err)) == DSP_OK)
        s = derive_all(&d, err);
    v->macs_checked = v->macs_checked || s == DSP_OK;
done:
    dsp_plan_free(plan);
    dsp_graph_free(g);
    return s;
}
