/* Segments that ezkl proves: their circuits as compile left them, and what a run of them states. */
#include <string.h>

#include "base/file.h"
#include "circuit/codec.h"
#include "pipeline/foreign_check.h"
#include "pipeline/model.h"

void dsp_seg_ezkl_free(dsp_seg_ezkl *e)
{
    if (!e)
        return;
    dsp_free(e->compiled);
    dsp_free(e->pk);
    dsp_free(e->vk);
    dsp_buf_release(&e->settings);
    dsp_free(e);
}

/* The path that a member names; NULL and *s set otherwise. */
static char *path_of(const dsp_model *m, const dsp_seg *g, const json_t *o, const char *member, dsp_status *s, dsp_err *err)
{
    const char *rel = dsp_json_str(o, member);
    if (*s != DSP_OK)
        return NULL;
    if (!dsp_path_is_safe(rel)) {
        *s = dsp_fail(err, DSP_E_FORMAT, "%s/metadata.json: segment %u: no usable ezkl entry (%s); compile again", m->slices_dir, g->index, member);
        return NULL;
    }
    char *p = dsp_path_join(m->slices_dir, rel);
    if (!p)
        *s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    return p;
}

/* Bytes of a file that must be those that metadata.json names. */
static dsp_status read_named(uint8_t **p, size_t *n, const char *path, const dsp_digest *want, dsp_err *err)
{
    dsp_status s = dsp_file_read(p, n, path, DSP_FILE_MAX, err);
    if (s != DSP_OK)
        return s;
    const dsp_digest d = dsp_sha256(*p, *n);
    return dsp_digest_eq(&d, want) ? DSP_OK : dsp_fail(err, DSP_E_FORMAT, "%s: not the file that metadata.json names; compile again", path);
}

/* The circuit's tensors are those that cross the segment's bounds, in order. */
static dsp_status match_tensors(const dsp_model *m, const dsp_seg *g, const dsp_ezkl_circuit *c, dsp_err *err)
{
    bool same = c->n_in == g->n_in && c->n_out == g->n_out;
    for (uint32_t i = 0; i < g->n_in + g->n_out && same; i++) {
        const dsp_value *v = &m->g->values[i < g->n_in ? g->in[i] : g->out[i - g->n_in]];
        const uint64_t   want = i < g->n_in ? c->in[i] : c->out[i - g->n_in];
        uint64_t         count = 1;
        same = v->rank >= 0;
        for (int32_t k = 0; k < v->rank && same; k++) {
            same = v->dims[k] > 0 && (uint64_t)v->dims[k] <= DSP_MAX_PUB_CELLS / count;
            count *= same ? (uint64_t)v->dims[k] : 1;
        }
        same = same && count == want;
    }
    return same ? DSP_OK : dsp_fail(err, DSP_E_FORMAT, "segment %u: the settings of ezkl are about other tensors than metadata.json; compile again", g->index);
}

dsp_status dsp_seg_ezkl_load(dsp_model *m, dsp_seg *g, dsp_err *err)
{
    const json_t *o = json_object_get(json_object_get(json_array_get(json_object_get(m->meta, "segments"), g->index), "compilation"), "ezkl");
    const json_t *srs = json_object_get(o, "srs");
    dsp_digest    settings_file;
    char         *settings = NULL, *vk = NULL;
    uint8_t      *p = NULL;
    size_t        n = 0;
    if (strcmp(dsp_json_str(o, "status"), "compiled") != 0)
        return DSP_OK;
    dsp_seg_ezkl *e = g->ezkl = DSP_NEW(dsp_seg_ezkl);
    dsp_status    s = e ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for segment %u", g->index);
    const uint64_t scale = dsp_json_u64(o, "scale");
    if (s != DSP_OK)
        return s;
    if (scale > DSP_FOREIGN_MAX_SCALE || (m->n_ezkl && scale != m->scale) || !dsp_json_digest(&settings_file, o, "settings_sha256") ||
        !dsp_json_digest(&e->compiled_digest, o, "compiled_sha256") || !dsp_json_digest(&e->vk_digest, o, "vk_key_sha256") ||
        !dsp_json_digest(&e->pk_digest, o, "pk_key_sha256"))
        return dsp_fail(err, DSP_E_FORMAT, "%s/metadata.json: segment %u: no usable ezkl entry; compile again", m->slices_dir, g->index);
    m->scale = (uint32_t)scale;
    e->compiled = path_of(m, g, o, "compiled", &s, err);
    e->pk = path_of(m, g, o, "pk_key", &s, err);
    settings = path_of(m, g, o, "settings", &s, err);
    vk = path_of(m, g, o, "vk_key", &s, err);
    if (s != DSP_OK || (s = read_named(&e->vk, &e->vk_len, vk, &e->vk_digest, err)) != DSP_OK || (s = read_named(&p, &n, settings, &settings_file, err)) != DSP_OK ||
        (s = dsp_ezkl_settings_parse(&e->circuit, &e->settings, p, n, settings, (int)scale, err)) != DSP_OK || (s = match_tensors(m, g, &e->circuit, err)) != DSP_OK)
        goto done;
    e->settings_digest = dsp_sha256(e->settings.p, e->settings.len);
    e->insecure = !json_is_false(json_object_get(srs, "insecure"));
    if (e->insecure && !dsp_json_digest(&e->srs, srs, "sha256"))
        s = dsp_fail(err, DSP_E_FORMAT, "%s/metadata.json: segment %u: the reference string has no digest; compile again", m->slices_dir, g->index);
    m->n_ezkl++;
done:
    dsp_free(p);
    dsp_free(settings);
    dsp_free(vk);
    return s;
}

/* ---- the foreign statement ---- */

/* The tensor of a value, made when it is named for the first time. */
static uint32_t tensor_of(dsp_foreign *f, uint32_t *of_value, const dsp_model *m, uint32_t value)
{
    if (of_value[value])
        return of_value[value] - 1;
    const dsp_value    *v = &m->g->values[value];
    dsp_foreign_tensor *t = &f->tensors[f->n_tensors];
    t->name = dsp_lower_tensor_name(m->g, value, f->arena);
    t->use = (uint8_t)((v->is_input ? DSP_STMT_INPUT : 0) | (v->is_output ? DSP_STMT_OUTPUT : 0));
    t->use = t->use ? t->use : DSP_STMT_INNER;
    t->rank = (uint32_t)v->rank;
    t->count = 1;
    for (uint32_t k = 0; k < t->rank; k++) {
        t->dims[k] = v->dims[k];
        t->count *= (uint32_t)v->dims[k];   /* bounded by match_tensors */
    }
    of_value[value] = ++f->n_tensors;
    return f->n_tensors - 1;
}

static dsp_status put_segments(dsp_foreign *f, const dsp_model *m, dsp_err *err)
{
    uint32_t   n_wires = 0;
    uint32_t  *of_value = DSP_NEW_N(uint32_t, m->g->n_values);
    dsp_status s = DSP_OK;
    for (uint32_t i = 0; i < m->n; i++)
        n_wires += dsp_seg_by_ezkl(&m->segs[i]) ? m->segs[i].n_in + m->segs[i].n_out : 0;
    f->segments = DSP_ARENA_N(f->arena, dsp_foreign_segment, m->n);
    f->native = DSP_ARENA_N(f->arena, uint32_t, m->n);
    f->unproved = DSP_ARENA_N(f->arena, dsp_foreign_unproved, m->n);
    f->tensors = DSP_ARENA_N(f->arena, dsp_foreign_tensor, n_wires);
    uint32_t *wires = DSP_ARENA_N(f->arena, uint32_t, n_wires);
    if (!of_value || !f->segments || !f->native || !f->unproved || !f->tensors || !wires) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for the foreign statement");
        goto done;
    }
    for (uint32_t i = 0; i < m->n; i++) {
        const dsp_seg *g = &m->segs[i];
        if (g->slice) {
            f->native[f->n_native++] = i;
        } else if (!dsp_seg_by_ezkl(g)) {
            f->unproved[f->n_unproved++] = (dsp_foreign_unproved){i, g->macs, dsp_seg_reason(g)};
        } else {
            dsp_foreign_segment *x = &f->segments[f->n_segments++];
            *x = (dsp_foreign_segment){.index = i, .macs = g->macs, .vk = g->ezkl->vk_digest, .settings = g->ezkl->settings_digest, .logrows = g->ezkl->circuit.logrows,
                                       .insecure = g->ezkl->insecure, .srs = g->ezkl->srs, .n_in = g->n_in, .n_out = g->n_out, .in = wires, .out = wires + g->n_in};
            for (uint32_t k = 0; k < g->n_in + g->n_out; k++)
                *wires++ = tensor_of(f, of_value, m, k < g->n_in ? g->in[k] : g->out[k - g->n_in]);
        }
    }
    for (uint32_t i = 0; i < f->n_tensors && s == DSP_OK; i++)
        if (!f->tensors[i].name)
            s = dsp_fail(err, DSP_E_NOMEM, "no memory for the foreign statement");
done:
    dsp_free(of_value);
    return s;
}

/* Names of the graph's inputs or outputs, without constants. */
static const char **ends(dsp_foreign *f, const dsp_model *m, const uint32_t *values, uint32_t n, uint32_t *count)
{
    const char **names = DSP_ARENA_N(f->arena, const char *, n);
    for (uint32_t i = 0; names && i < n; i++)
        if (!m->g->values[values[i]].constant && !(names[(*count)++] = dsp_lower_tensor_name(m->g, values[i], f->arena)))
            return NULL;
    return names;
}

dsp_status dsp_foreign_of_model(dsp_foreign **out, const dsp_model *m, dsp_err *err)
{
    dsp_foreign *f = *out = dsp_foreign_create();
    dsp_status   s = f ? put_segments(f, m, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for the foreign statement");
    if (s != DSP_OK)
        goto done;
    f->model = m->g->digest;
    f->scale = m->scale;
    if (f->n_native)
        f->record = m->record->digest;
    f->n_cuts = (uint32_t)(m->record ? m->record->n_cuts : m->slices->n_cuts);
    f->cuts = m->record ? m->record->cuts : m->slices->cuts;
    f->n_binds = (uint32_t)(m->record ? m->record->n_binds : m->slices->n_binds);
    f->binds = m->record ? m->record->binds : m->slices->binds;
    f->inputs = ends(f, m, m->g->inputs, m->g->n_inputs, &f->n_inputs);
    f->outputs = ends(f, m, m->g->outputs, m->g->n_outputs, &f->n_outputs);
    if (!f->inputs || !f->outputs)
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for the foreign statement");
done:
    if (s != DSP_OK) {
        dsp_foreign_free(f);
        *out = NULL;
    }
    return s;
}
