/* One pass over all segments: exact integers where a segment is compiled, ONNX Runtime elsewhere. */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "pipeline/foreign_check.h"
#include "pipeline/model.h"

dsp_status dsp_store_init(dsp_store *st, const dsp_model *m, dsp_err *err)
{
    st->n = m->g->n_values;
    st->v = DSP_NEW_N(dsp_val, st->n);
    return st->v ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for %u values", st->n);
}

static void drop_cells(dsp_val *v)
{
    if (v->cells)
        dsp_wipe(v->cells, (size_t)v->io->count * sizeof *v->cells);
    dsp_free(v->cells);
    v->cells = NULL;
}

static void drop_ints(dsp_val *v)
{
    if (v->ints)
        dsp_wipe(v->ints, (size_t)v->n_ints * sizeof *v->ints);
    dsp_free(v->ints);
    v->ints = NULL;
}

void dsp_store_release(dsp_store *st)
{
    for (uint32_t i = 0; st->v && i < st->n; i++) {
        drop_cells(&st->v[i]);
        drop_ints(&st->v[i]);
        if (st->v[i].owned)
            dsp_array_release(&st->v[i].f);
    }
    dsp_free(st->v);
    st->v = NULL;
    st->n = 0;
}

dsp_status dsp_store_room(dsp_store *st, uint32_t value, const dsp_io *io, dsp_err *err)
{
    dsp_val *v = &st->v[value];
    drop_cells(v);
    v->io = io;
    v->cells = io->count <= SIZE_MAX / sizeof *v->cells ? DSP_NEW_N(int64_t, (size_t)io->count) : NULL;
    return v->cells ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for tensor \"%s\"", io->name);
}

dsp_status dsp_store_int_room(dsp_store *st, uint32_t value, uint64_t count, dsp_err *err)
{
    dsp_val *v = &st->v[value];
    drop_ints(v);
    v->n_ints = count;
    v->ints = DSP_NEW_N(int64_t, (size_t)count);
    return v->ints ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for %ju integers", (uintmax_t)count);
}

/* What ezkl made, as a slice reads it: the same integers, which must lie in the range that its key proves. */
static dsp_status cells_from_ints(dsp_model *m, dsp_store *st, uint32_t value, const dsp_io *io, dsp_err *err)
{
    dsp_val           *v = &st->v[value];
    const dsp_qtensor *q = dsp_record_find(m->record, m->g->values[value].name);
    if (!q || q->scale_bits != io->scale_bits || io->scale_bits != (int64_t)m->scale || dsp_cells(q->layout.dims) != io->count || v->n_ints != io->count)
        return dsp_fail(err, DSP_E_FORMAT, "tensor \"%s\": ezkl and the native key disagree on shape or scale; compile again", io->name);
    dsp_status s = dsp_store_room(st, value, io, err);
    if (s != DSP_OK)
        return s;
    dsp_cells_from_onnx(v->cells, v->ints, &q->layout);
    for (uint64_t i = 0; i < io->count && s == DSP_OK; i++)
        if (v->cells[i] < io->lo || v->cells[i] > io->hi)
            s = dsp_fail(err, DSP_E_RANGE, "tensor \"%s\": what ezkl made of this input is outside the range that the native key proves; compile with this input as sample",
                         io->name);
    if (s != DSP_OK)
        drop_cells(v);
    return s;
}

dsp_status dsp_store_need_cells(dsp_model *m, dsp_store *st, uint32_t value, const dsp_io *io, bool saturate, dsp_err *err)
{
    dsp_val         *v = &st->v[value];
    const dsp_value *gv = &m->g->values[value];
    if (v->cells) {
        if (v->io->count != io->count || v->io->scale_bits != io->scale_bits)
            return dsp_fail(err, DSP_E_FORMAT, "tensor \"%s\": producer and consumer disagree on shape or scale; compile again", io->name);
        return DSP_OK;
    }
    if (v->ints)
        return cells_from_ints(m, st, value, io, err);
    if (!v->f.data)
        return dsp_fail(err, DSP_E_BUG, "tensor \"%s\" has no value yet", io->name);
    const dsp_qtensor *q = dsp_record_find(m->record, gv->name);
    if (!q || q->scale_bits != io->scale_bits || dsp_cells(q->layout.dims) != io->count)
        return dsp_fail(err, DSP_E_FORMAT, "tensor \"%s\" is not in the quantisation record as the key has it; compile again", io->name);
    dsp_status s = dsp_store_room(st, value, io, err);
    if (s == DSP_OK)
        s = gv->is_input && !saturate ? dsp_quantise(v->cells, &v->f, q, err) : dsp_quantise_saturating(v->cells, &v->clamped, &v->f, q, err);
    if (s != DSP_OK)
        drop_cells(v);
    return s;
}

/* How a slice reads or makes a value; NULL: none does. */
static const dsp_io *native_io(const dsp_model *m, uint32_t value)
{
    for (uint32_t i = 0; i < m->n; i++)
        for (uint32_t k = 0; m->segs[i].slice && k < m->segs[i].slice->n_io; k++)
            if (m->segs[i].io_value[k] == value)
                return &m->segs[i].slice->io[k];
    return NULL;
}

dsp_status dsp_store_need_ints(dsp_model *m, dsp_store *st, uint32_t value, dsp_err *err)
{
    dsp_val         *v = &st->v[value];
    const dsp_value *gv = &m->g->values[value];
    const dsp_io    *io = native_io(m, value);
    dsp_status       s = DSP_OK;
    if (v->ints)
        return DSP_OK;
    /* A slice that shares the tensor says what its integers are; both must speak of the same. */
    if (io && !v->cells && (s = dsp_store_need_cells(m, st, value, io, false, err)) != DSP_OK)
        return s;
    if (v->cells) {
        const dsp_qtensor *q = dsp_record_find(m->record, gv->name);
        if (!q || v->io->scale_bits != (int64_t)m->scale || dsp_cells(q->layout.dims) != v->io->count)
            return dsp_fail(err, DSP_E_FORMAT, "tensor \"%s\": ezkl and the native key disagree on shape or scale; compile again", gv->name);
        if ((s = dsp_store_int_room(st, value, v->io->count, err)) == DSP_OK)
            dsp_cells_to_onnx(v->ints, v->cells, &q->layout);
        return s;
    }
    if (!v->f.data)
        return dsp_fail(err, DSP_E_BUG, "tensor \"%s\" has no value yet", gv->name);
    s = dsp_store_int_room(st, value, v->f.count, err);
    for (size_t i = 0; i < v->f.count && s == DSP_OK; i++) {
        const double x = floor(ldexp(dsp_array_f64(&v->f, i), (int)m->scale) + 0.5);
        if (!(x > -0x1p62 && x < 0x1p62))
            s = dsp_fail(err, DSP_E_RANGE, "tensor \"%s\": a value is not finite, or too large for ezkl", gv->name);
        else
            v->ints[i] = (int64_t)x;
    }
    if (s != DSP_OK)
        drop_ints(v);
    return s;
}

static dsp_status pass_native(dsp_model *m, dsp_seg *s, dsp_store *st, dsp_pipe *p, bool saturate, dsp_err *err)
{
    int64_t  **cells = DSP_NEW_N(int64_t *, s->slice->n_io);
    dsp_status r = cells ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for segment %u", s->index);
    for (uint32_t i = 0; i < s->slice->n_io && r == DSP_OK; i++) {
        const dsp_io *io = &s->slice->io[i];
        r = io->made ? dsp_store_room(st, s->io_value[i], io, err) : dsp_store_need_cells(m, st, s->io_value[i], io, saturate, err);
        cells[i] = st->v[s->io_value[i]].cells;
    }
    if (r == DSP_OK)
        r = s->slice->backend->execute(s->slice, cells, &s->saturated, p->pool, err);
    dsp_free(cells);
    return r;
}

dsp_status dsp_store_array(dsp_array *out, const dsp_model *m, const dsp_store *st, uint32_t value, dsp_err *err)
{
    const dsp_value *gv = &m->g->values[value];
    const dsp_val   *v = &st->v[value];
    const dsp_array *from = v->f.data ? &v->f : gv->constant;
    memset(out, 0, sizeof *out);
    if (!from && v->cells) {
        const dsp_qtensor *q = dsp_record_find(m->record, gv->name);
        if (!q || dsp_cells(q->layout.dims) != v->io->count)
            return dsp_fail(err, DSP_E_FORMAT, "tensor \"%s\" is not in the quantisation record; compile again", gv->name);
        dsp_qtensor as = *q;
        as.scale_bits = (int32_t)v->io->scale_bits;
        float *f = DSP_NEW_N(float, (size_t)v->io->count);
        if (!f)
            return dsp_fail(err, DSP_E_NOMEM, "no memory for tensor \"%s\"", gv->name);
        dsp_dequantise(f, v->cells, &as);
        *out = (dsp_array){.dtype = DSP_DT_FLOAT, .rank = q->layout.rank, .count = (size_t)v->io->count, .bytes = (size_t)v->io->count * 4, .data = f};
        memcpy(out->dims, q->layout.onnx_dims, sizeof out->dims);
        return DSP_OK;
    }
    if (!from && v->ints) {
        float *f = DSP_NEW_N(float, (size_t)v->n_ints);
        if (!f)
            return dsp_fail(err, DSP_E_NOMEM, "no memory for tensor \"%s\"", gv->name);
        for (uint64_t i = 0; i < v->n_ints; i++)
            f[i] = (float)ldexp((double)v->ints[i], -(int)m->scale);
        *out = (dsp_array){.dtype = DSP_DT_FLOAT, .rank = (uint32_t)gv->rank, .count = (size_t)v->n_ints, .bytes = (size_t)v->n_ints * 4, .data = f};
        memcpy(out->dims, gv->dims, sizeof out->dims);
        return DSP_OK;
    }
    if (!from)
        return dsp_fail(err, DSP_E_BUG, "tensor \"%s\" has no value", gv->name);
    void *copy = dsp_calloc(from->bytes, 1);
    if (!copy)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for tensor \"%s\"", gv->name);
    memcpy(copy, from->data, from->bytes);
    *out = *from;
    out->data = copy;
    return DSP_OK;
}

static dsp_status open_session(dsp_model *m, dsp_seg *s, dsp_pipe *p, dsp_err *err)
{
    dsp_ort   *ort;
    uint8_t   *bytes = NULL;
    size_t     len = 0;
    char      *dir = NULL;
    dsp_status r = dsp_pipe_ort(&ort, p, err);
    if (r != DSP_OK)
        return dsp_context(err, r, "segment %u is not compiled and runs in ONNX Runtime", s->index);
    const char *path = m->slices->segment_path[s->index];
    r = dsp_file_read(&bytes, &len, path, DSP_FILE_MAX, err);
    if (r == DSP_OK) {
        const dsp_digest d = dsp_sha256(bytes, len);
        if (!dsp_digest_eq(&d, &m->slices->segment_digest[s->index]))
            r = dsp_fail(err, DSP_E_FORMAT, "%s: changed since the model was sliced; slice it again", path);
    }
    if (r == DSP_OK)
        r = dsp_slices_check_data(m->slices, s->index, err);
    if (r == DSP_OK && !(dir = dsp_path_dir(path)))
        r = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (r == DSP_OK)
        r = dsp_session_create(&s->session, ort, bytes, len, dir, dsp_pool_threads(p->pool), 0, err);
    dsp_free(dir);
    dsp_free(bytes);
    return r;
}

static dsp_status pass_float(dsp_model *m, dsp_seg *s, dsp_store *st, dsp_pipe *p, dsp_err *err)
{
    dsp_array   *in = DSP_NEW_N(dsp_array, s->n_in), *out = DSP_NEW_N(dsp_array, s->n_out);
    const char **names = DSP_NEW_N(const char *, (size_t)s->n_in + s->n_out);
    dsp_status   r = in && out && names ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for segment %u", s->index);
    if (r == DSP_OK && !s->session)
        r = open_session(m, s, p, err);
    for (uint32_t i = 0; i < s->n_in && r == DSP_OK; i++) {
        names[i] = m->g->values[s->in[i]].name;
        if (st->v[s->in[i]].f.data)
            in[i] = st->v[s->in[i]].f; /* borrowed */
        else
            r = dsp_store_array(&in[i], m, st, s->in[i], err);
    }
    for (uint32_t i = 0; i < s->n_out && r == DSP_OK; i++)
        names[s->n_in + i] = m->g->values[s->out[i]].name;
    if (r == DSP_OK)
        r = dsp_session_run(s->session, names, in, s->n_in, names + s->n_in, out, s->n_out, err);
    for (uint32_t i = 0; i < s->n_out && r == DSP_OK; i++) {
        dsp_val *v = &st->v[s->out[i]];
        if (v->owned)
            dsp_array_release(&v->f);
        v->f = out[i];
        v->owned = true;
        memset(&out[i], 0, sizeof out[i]);
    }
    if (r != DSP_OK)
        dsp_context(err, r, "segment %u", s->index);
    for (uint32_t i = 0; in && i < s->n_in; i++)
        if (in[i].data != st->v[s->in[i]].f.data)
            dsp_array_release(&in[i]);
    for (uint32_t i = 0; out && i < s->n_out; i++)
        dsp_array_release(&out[i]);
    dsp_free(in);
    dsp_free(out);
    dsp_free(names);
    return r;
}

dsp_status dsp_model_pass(dsp_model *m, dsp_store *st, dsp_pipe *p, const dsp_array *inputs, const dsp_pass_opts *o, dsp_err *err)
{
    dsp_status s = DSP_OK;
    for (uint32_t i = 0; i < m->g->n_inputs; i++)
        st->v[m->g->inputs[i]].f = inputs[i];
    for (uint32_t i = 0; i < m->n && s == DSP_OK; i++) {
        dsp_seg       *g = &m->segs[i];
        const uint64_t t0 = dsp_clock_ns();
        if (!g->slice && !g->ezkl && o->no_fallback)
            return dsp_fail(err, DSP_E_UNSUPPORTED, "segment %u is not compiled (%s), and --no-fallback is given", i, g->reason);
        g->restored = false;
        if (o->restore && (s = o->restore(o->arg, g, &g->restored, err)) != DSP_OK)
            return s;
        if (!g->restored) {
            g->saturated = 0;
            g->fell_back = g->ezkl && !o->ezkl;
            if (g->ezkl && o->ezkl) {
                s = o->ezkl(o->arg, g, err);
                g->ezkl_seconds = (double)(dsp_clock_ns() - t0) / 1e9;
            }
            if (s == DSP_OK && !dsp_seg_by_ezkl(g))
                s = g->slice ? pass_native(m, g, st, p, o->saturate, err) : pass_float(m, g, st, p, err);
            if (!o->keep_sessions) { /* weights and work space of a segment that is done */
                dsp_session_free(g->session);
                g->session = NULL;
            }
            g->seconds = (double)(dsp_clock_ns() - t0) / 1e9;
        }
        if (s == DSP_OK && o->after)
            s = o->after(o->arg, g, err);
    }
    return s;
}
