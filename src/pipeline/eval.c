/* Accuracy over a labelled set: {"inputs": [[numbers], ..], "labels": [..], "float32_accuracy", "expand"}.
 * expand {"from": [c,h,w], "to": [C,H,W], "scale": s}: samples of shape from are enlarged by nearest neighbour, channels repeated,
 * values multiplied by s.
 */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "pipeline/runfiles.h"

typedef struct { bool on; int64_t from[3], to[3]; double scale; } expansion;

static bool three(int64_t out[3], const dsp_jnode *n)
{
    if (!n || n->kind != DSP_J_NUMBERS || n->count != 3)
        return false;
    for (int i = 0; i < 3; i++) {
        if (!n->num[i].exact || n->num[i].i < 1 || n->num[i].i > 1 << 16)
            return false;
        out[i] = n->num[i].i;
    }
    return true;
}

static dsp_status read_expansion(expansion *e, const dsp_jnode *root, const char *path, dsp_err *err)
{
    const dsp_jnode *x = dsp_jnode_get(root, "expand"), *s = dsp_jnode_get(x, "scale");
    e->on = x != NULL;
    e->scale = s && s->kind == DSP_J_NUMBER ? s->num->d : 1;
    if (x && (!three(e->from, dsp_jnode_get(x, "from")) || !three(e->to, dsp_jnode_get(x, "to"))))
        return dsp_fail(err, DSP_E_FORMAT, "%s: expand needs from and to with three sizes each", path);
    return DSP_OK;
}

/* One sample as the model's input; f has as many cells as that input. */
static dsp_status sample(float *f, size_t count, const dsp_jnode *row, const expansion *e, const char *path, size_t index, dsp_err *err)
{
    if (row->kind != DSP_J_NUMBERS)
        return dsp_fail(err, DSP_E_FORMAT, "%s: sample %zu: a flat list of numbers expected", path, index);
    const size_t want = e->on ? (size_t)(e->from[0] * e->from[1] * e->from[2]) : count;
    const size_t to = e->on ? (size_t)(e->to[0] * e->to[1] * e->to[2]) : count;
    if (row->count != want || to != count)
        return dsp_fail(err, DSP_E_FORMAT, "%s: sample %zu: %zu values for an input of %zu expected, %zu for %zu found", path, index, want, count,
                        row->count, to);
    if (!e->on) {
        for (size_t i = 0; i < count; i++)
            f[i] = (float)row->num[i].d;
        return DSP_OK;
    }
    size_t at = 0;
    for (int64_t c = 0; c < e->to[0]; c++)
        for (int64_t y = 0; y < e->to[1]; y++)
            for (int64_t x = 0; x < e->to[2]; x++) {
                const int64_t sc = c % e->from[0], sy = y * e->from[1] / e->to[1], sx = x * e->from[2] / e->to[2];
                f[at++] = (float)(row->num[(sc * e->from[1] + sy) * e->from[2] + sx].d * e->scale);
            }
    return DSP_OK;
}

/* The float model's own answers, where the runtime is there. */
static dsp_session *float_model(dsp_pipe *p, const dsp_graph *g)
{
    dsp_ort     *ort;
    dsp_session *s = NULL;
    if (dsp_pipe_ort(&ort, p, NULL) != DSP_OK || dsp_session_create(&s, ort, g->bytes, g->len, g->dir, dsp_pool_threads(p->pool), 1, NULL) != DSP_OK)
        return NULL;
    return s;
}

dsp_status dsp_eval(dsp_pipe *p, dsp_model *m, const char *path, json_t *report, dsp_err *err)
{
    const dsp_graph *g = m->g;
    const dsp_value *in = &g->values[g->inputs[0]], *ou = &g->values[g->outputs[0]];
    dsp_jdoc        *doc = NULL;
    dsp_session     *ref = NULL;
    float           *f = NULL;
    expansion        e;
    dsp_array        x = {.dtype = DSP_DT_FLOAT};
    size_t           hits = 0, float_hits = 0, agree = 0, clamped_samples = 0;
    uint64_t         saturated = 0, ns = 0, clamped = 0;
    dsp_status       s;
    if (g->n_inputs != 1 || in->dtype != DSP_DT_FLOAT || in->rank < 0)
        return dsp_fail(err, DSP_E_UNSUPPORTED, "--eval: a model with one float32 input expected");
    if ((s = dsp_jdoc_load(&doc, path, err)) != DSP_OK || (s = read_expansion(&e, dsp_jdoc_root(doc), path, err)) != DSP_OK)
        goto done;
    const dsp_jnode *rows = dsp_jnode_get(dsp_jdoc_root(doc), "inputs"), *labels = dsp_jnode_get(dsp_jdoc_root(doc), "labels");
    const dsp_jnode *stated = dsp_jnode_get(dsp_jdoc_root(doc), "float32_accuracy");
    if (!rows || rows->kind != DSP_J_ARRAY || !labels || labels->kind != DSP_J_NUMBERS || labels->count != rows->count) {
        s = dsp_fail(err, DSP_E_FORMAT, "%s: inputs (a list of lists) and as many labels expected", path);
        goto done;
    }
    x.rank = (uint32_t)in->rank;
    memcpy(x.dims, in->dims, sizeof x.dims);
    x.count = 1;
    for (uint32_t i = 0; i < x.rank; i++)
        x.count *= in->dims[i] > 0 ? (size_t)in->dims[i] : 1;
    x.bytes = x.count * sizeof(float);
    f = DSP_NEW_N(float, x.count);
    if (!f) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a sample");
        goto done;
    }
    x.data = f;
    ref = float_model(p, g);
    dsp_pipe_progress(p, "eval", 0, rows->count, 0, 0);
    for (size_t i = 0; i < rows->count && s == DSP_OK; i++) {
        const dsp_pass_opts o = {.saturate = true, .keep_sessions = true};
        dsp_store           st = {0};
        dsp_array           out = {0}, want = {0};
        const uint64_t      t0 = dsp_clock_ns();
        if ((s = sample(f, x.count, rows->item[i], &e, path, i, err)) == DSP_OK && (s = dsp_store_init(&st, m, err)) == DSP_OK &&
            (s = dsp_model_pass(m, &st, p, &x, &o, err)) == DSP_OK && (s = dsp_store_array(&out, m, &st, g->outputs[0], err)) == DSP_OK) {
            const size_t best = dsp_argmax(&out);
            ns += dsp_clock_ns() - t0;
            hits += (double)best == labels->num[i].d;
            const uint64_t c = st.v[g->inputs[0]].clamped;
            clamped += c;
            clamped_samples += c != 0;
            for (uint32_t k = 0; k < m->n; k++)
                saturated += m->segs[k].saturated;
            if (ref && dsp_session_run(ref, &in->name, &x, 1, &ou->name, &want, 1, NULL) == DSP_OK) {
                const size_t fb = dsp_argmax(&want);
                float_hits += (double)fb == labels->num[i].d;
                agree += fb == best;
            }
        }
        dsp_array_release(&out);
        dsp_array_release(&want);
        dsp_store_release(&st);
        dsp_pipe_progress(p, "eval", i + 1, rows->count, (double)(i + 1) / (double)rows->count, 0);
    }
    if (s != DSP_OK)
        goto done;
    const double n = rows->count ? (double)rows->count : 1;
    dsp_json_put(report, "samples", json_integer((json_int_t)rows->count));
    dsp_json_put(report, "integer_accuracy", json_real((double)hits / n));
    if (ref) {
        dsp_json_put(report, "float_accuracy", json_real((double)float_hits / n));
        dsp_json_put(report, "argmax_agreement", json_real((double)agree / n));
    } else if (stated && stated->kind == DSP_J_NUMBER) {
        dsp_json_put(report, "float_accuracy", json_real(stated->num->d));
        dsp_json_put(report, "float_accuracy_from", json_string("the file"));
    }
    dsp_json_put(report, "segments_as_integers", json_integer(m->n_proved));
    dsp_json_put(report, "segments", json_integer(m->n));
    dsp_json_put(report, "saturated_cells", json_integer((json_int_t)saturated));
    dsp_json_put(report, "samples_out_of_range", json_integer((json_int_t)clamped_samples));
    dsp_json_put(report, "input_cells_out_of_range", json_integer((json_int_t)clamped));
    dsp_json_put(report, "seconds_per_sample", dsp_json_time((double)ns / 1e9 / n));
done:
    dsp_session_free(ref);
    dsp_jdoc_free(doc);
    dsp_free(f);
    return s;
}
