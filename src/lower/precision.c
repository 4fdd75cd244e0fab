/* The precision sweep: the whole model in integers at 10, 12, 14 and 16 bits, against the float results of the calibration. */
#include <math.h>
#include <string.h>

#include "circuit/exec.h"
#include "lower/ir.h"

static const unsigned bits_of[DSP_N_PRECISIONS] = {10, 12, 14, 16};

/* A model made ready to run in integers: keys without geometry. */
typedef struct {
    const dsp_graph  *g;
    const dsp_plan   *p;
    const dsp_record *r;
    dsp_arena        *arena;
    ir               *m;
    bool             *proved;
    dsp_key         **key;
    dsp_derived     **D;
} program;

static void program_release(program *x)
{
    for (uint32_t i = 0; x->key && x->D && i < x->p->n_segments; i++) {
        dsp_derived_free(x->D[i]);
        dsp_key_free(x->key[i]);
    }
    dsp_arena_free(x->arena);
    *x = (program){0};
}

static dsp_status program_make(program *x, const dsp_graph *g, const dsp_plan *p, const dsp_record *r, dsp_err *err)
{
    *x = (program){.g = g, .p = p, .r = r, .arena = dsp_arena_create(0)};
    if (!x->arena || !(x->proved = DSP_ARENA_N(x->arena, bool, p->n_segments)) || !(x->key = DSP_ARENA_N(x->arena, dsp_key *, p->n_segments)) ||
        !(x->D = DSP_ARENA_N(x->arena, dsp_derived *, p->n_segments)))
        return dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
    dsp_status st = dsp_ir_make(&x->m, g, p, r, false, x->arena, err);
    ir_q      *q = st == DSP_OK ? DSP_ARENA_N(x->arena, ir_q, x->m->n_tensors + 1) : NULL;
    if (st == DSP_OK && !q)
        st = dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
    if (st != DSP_OK || (st = dsp_ir_scales(q, x->m, r, err)) != DSP_OK)
        return st;
    for (uint32_t i = 0; i < p->n_segments; i++)
        x->proved[i] = x->m->support[i].reason == NULL;
    for (uint32_t i = 0; i < p->n_segments && st == DSP_OK; i++) {
        if (!x->proved[i])
            continue;
        if ((st = dsp_ir_build(&x->key[i], x->m, i, q, x->proved, r->precision, err)) == DSP_OK)
            st = dsp_derive(&x->D[i], x->key[i], err);
        if (st == DSP_E_UNSUPPORTED || st == DSP_E_LIMIT) {
            /* It will run in floats; what its neighbours compute does not depend on its role. */
            dsp_key_free(x->key[i]);
            x->key[i] = NULL;
            x->proved[i] = false;
            st = DSP_OK;
        }
    }
    return st;
}

/* Values of one run: floats, integers, or both. */
typedef struct { dsp_array f; bool own; int64_t *cells; } cellset;

typedef struct {
    const program *x;
    dsp_ort       *o;
    dsp_session  **sessions;    /* per segment, made on first use */
    cellset       *val;         /* per graph value */
    uint64_t       saturated;
    dsp_err       *err;
} run;

static void run_clear(run *r)
{
    for (uint32_t i = 0; i < r->x->g->n_values; i++) {
        if (r->val[i].own)
            dsp_array_release(&r->val[i].f);
        dsp_free(r->val[i].cells);
        r->val[i] = (cellset){0};
    }
}

static dsp_status need_float(run *r, uint32_t v)
{
    cellset *c = &r->val[v];
    if (c->f.data)
        return DSP_OK;
    const dsp_qtensor *q = c->cells ? dsp_record_find(r->x->r, r->x->g->values[v].name) : NULL;
    if (!q)
        return dsp_fail(r->err, DSP_E_BUG, "precision sweep: value %s was not computed", r->x->g->values[v].name);
    const size_t count = (size_t)q->layout.dims[0] * q->layout.dims[1] * q->layout.dims[2];
    float       *f = DSP_NEW_N(float, count);
    if (!f)
        return dsp_fail(r->err, DSP_E_NOMEM, "precision sweep: out of memory");
    dsp_dequantise(f, c->cells, q);
    c->f = (dsp_array){.dtype = DSP_DT_FLOAT, .rank = q->layout.rank, .count = count, .bytes = count * sizeof *f, .data = f};
    memcpy(c->f.dims, q->layout.onnx_dims, sizeof c->f.dims);
    c->own = true;
    return DSP_OK;
}

static dsp_status need_cells(run *r, uint32_t v)
{
    cellset           *c = &r->val[v];
    const dsp_qtensor *q = dsp_record_find(r->x->r, r->x->g->values[v].name);
    uint64_t           clamped = 0;
    if (c->cells)
        return DSP_OK;
    if (!q || !c->f.data)
        return dsp_fail(r->err, DSP_E_BUG, "precision sweep: value %s was not computed", r->x->g->values[v].name);
    if (!(c->cells = dsp_calloc((size_t)q->layout.dims[0] * q->layout.dims[1] * q->layout.dims[2], sizeof(int64_t))))
        return dsp_fail(r->err, DSP_E_NOMEM, "precision sweep: out of memory");
    dsp_status st = dsp_quantise_saturating(c->cells, &clamped, &c->f, q, r->err);
    r->saturated += clamped;
    return st;
}

static uint32_t key_tensor(const run *r, uint32_t segment, uint32_t v, dsp_arena *a)
{
    const dsp_key *k = r->x->key[segment];
    const char    *name = dsp_lower_tensor_name(r->x->g, v, a);
    for (uint32_t i = 0; name && i < k->n_tensors; i++)
        if (strcmp(k->tensors[i].name, name) == 0)
            return i;
    return DSP_NONE;
}

static dsp_status run_integers(run *r, const dsp_segment_plan *s, dsp_arena *a)
{
    const program *x = r->x;
    const dsp_key *k = x->key[s->index];
    dsp_witness   *w = NULL;
    dsp_status     st = DSP_OK;
    const int64_t **in = dsp_arena_alloc(a, k->n_tensors + 1, sizeof *in);
    if (!in)
        return dsp_fail(r->err, DSP_E_NOMEM, "precision sweep: out of memory");
    for (uint32_t i = 0; i < s->n_in; i++) {
        const uint32_t t = key_tensor(r, s->index, s->in[i], a);
        if (t == DSP_NONE)
            continue;
        if ((st = need_cells(r, s->in[i])) != DSP_OK)
            return st;
        in[t] = r->val[s->in[i]].cells;
    }
    if ((st = dsp_execute(&w, x->D[s->index], in, false, NULL, r->err)) != DSP_OK)
        return st;
    r->saturated += w->saturated;
    for (uint32_t i = 0; i < s->n_out && st == DSP_OK; i++) {
        const uint32_t t = key_tensor(r, s->index, s->out[i], a);
        if (t == DSP_NONE || !w->cells[t])
            continue;
        const size_t count = (size_t)dsp_cells(k->tensors[t].dims);
        int64_t     *cells = dsp_calloc(count, sizeof *cells);
        if (!cells)
            st = dsp_fail(r->err, DSP_E_NOMEM, "precision sweep: out of memory");
        else
            r->val[s->out[i]].cells = memcpy(cells, w->cells[t], count * sizeof *cells);
    }
    dsp_witness_free(w);
    return st;
}

static dsp_status run_floats(run *r, const dsp_segment_plan *s, dsp_arena *a)
{
    const dsp_graph *g = r->x->g;
    dsp_status       st = DSP_OK;
    const char     **in_name = dsp_arena_alloc(a, s->n_in + 1, sizeof *in_name), **out_name = dsp_arena_alloc(a, s->n_out + 1, sizeof *out_name);
    dsp_array       *in = DSP_ARENA_N(a, dsp_array, s->n_in + 1), *out = DSP_ARENA_N(a, dsp_array, s->n_out + 1);
    if (!in_name || !out_name || !in || !out)
        return dsp_fail(r->err, DSP_E_NOMEM, "precision sweep: out of memory");
    for (uint32_t i = 0; i < s->n_in; i++) {
        if ((st = need_float(r, s->in[i])) != DSP_OK)
            return st;
        in_name[i] = g->values[s->in[i]].name;
        in[i] = r->val[s->in[i]].f;
    }
    for (uint32_t i = 0; i < s->n_out; i++)
        out_name[i] = g->values[s->out[i]].name;
    if (!r->sessions[s->index]) {
        uint8_t *bytes = NULL;
        size_t   len = 0;
        if (!r->o)
            return dsp_fail(r->err, DSP_E_UNAVAILABLE, "segment_%u is not proved and needs ONNX Runtime", s->index);
        if ((st = dsp_segment_bytes(&bytes, &len, r->x->p, s->index, r->err)) != DSP_OK)
            return st;
        st = dsp_session_create(&r->sessions[s->index], r->o, bytes, len, g->dir, 1, 0, r->err);
        dsp_free(bytes);
        if (st != DSP_OK)
            return st;
    }
    if ((st = dsp_session_run(r->sessions[s->index], in_name, in, s->n_in, out_name, out, s->n_out, r->err)) != DSP_OK)
        return st;
    for (uint32_t i = 0; i < s->n_out; i++)
        r->val[s->out[i]] = (cellset){.f = out[i], .own = true};
    return DSP_OK;
}

/* Error of one output against its float reference, and whether the largest cell is among the reference's largest. */
static void compare(dsp_precision_row *row, const dsp_array *got, const dsp_array *want)
{
    double most = 0, diff = 0, top = -INFINITY;
    size_t at = 0;
    if (want->dtype != DSP_DT_FLOAT && want->dtype != DSP_DT_DOUBLE && want->dtype != DSP_DT_FLOAT16)
        return;
    for (size_t i = 0; i < want->count && i < got->count; i++) {
        const double a = dsp_array_f64(got, i), b = dsp_array_f64(want, i);
        most = fabs(b) > most ? fabs(b) : most;
        diff = fabs(a - b) > diff ? fabs(a - b) : diff;
        if (a > dsp_array_f64(got, at))
            at = i;
        top = b > top ? b : top;
    }
    diff = most > 0 ? diff / most : diff;
    row->max_rel_err = diff > row->max_rel_err ? diff : row->max_rel_err;
    if (want->count && got->count && dsp_array_f64(want, at) != top)
        row->argmax_agrees = false;
}

/* One row of the table. The record is kept for the caller. */
static dsp_status try_precision(dsp_precision_row *row, dsp_record **rec, unsigned bits, const dsp_graph *g, const dsp_plan *p, const dsp_calibration *c,
                                const dsp_pin *pins, size_t n_pins, dsp_ort *o, dsp_session **sessions, const dsp_precision_tell *tell, uint64_t before,
                                dsp_err *err)
{
    program    x = {0};
    run        r = {.x = &x, .o = o, .sessions = sessions, .val = DSP_NEW_N(cellset, g->n_values), .err = err};
    dsp_arena *a = dsp_arena_create(0);
    dsp_status st = r.val && a ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "precision sweep: out of memory");
    *row = (dsp_precision_row){.bits = bits, .argmax_agrees = true, .feasible = true};
    *rec = NULL;
    if (st != DSP_OK || (st = dsp_record_make(rec, g, p, c, pins, n_pins, bits, err)) != DSP_OK || (st = program_make(&x, g, p, *rec, err)) != DSP_OK)
        goto done;
    for (uint32_t k = 0; k < c->n_samples && st == DSP_OK; k++) {
        const dsp_mark mark = dsp_arena_mark(a);
        for (uint32_t i = 0; i < g->n_inputs; i++)
            r.val[g->inputs[i]].f = c->inputs[(size_t)k * g->n_inputs + i];
        for (uint32_t i = 0; i < p->n_segments && st == DSP_OK; i++)
            st = x.proved[i] ? run_integers(&r, &p->segments[i], a) : run_floats(&r, &p->segments[i], a);
        for (uint32_t i = 0; i < g->n_outputs && st == DSP_OK; i++)
            if ((st = need_float(&r, g->outputs[i])) == DSP_OK)
                compare(row, &r.val[g->outputs[i]].f, &c->outputs[(size_t)k * g->n_outputs + i]);
        run_clear(&r);
        dsp_arena_rewind(a, mark);
        if (tell)
            tell->told(tell->arg, before + k + 1, (uint64_t)c->n_samples * DSP_N_PRECISIONS);
    }
    row->saturated = r.saturated;
done:
    program_release(&x);
    dsp_free(r.val);
    dsp_arena_free(a);
    if (st == DSP_E_UNSUPPORTED || st == DSP_E_LIMIT) {
        row->feasible = row->argmax_agrees = false;
        row->max_rel_err = INFINITY;
        dsp_record_free(*rec);
        *rec = NULL;
        return DSP_OK;
    }
    return st;
}

dsp_status dsp_precision_choose(dsp_record **out, dsp_precision_row rows[DSP_N_PRECISIONS], const dsp_graph *g, const dsp_plan *p,
                                const dsp_calibration *c, const dsp_pin *pins, size_t n_pins, dsp_ort *o, unsigned forced_bits, const dsp_precision_tell *tell,
                                dsp_err *err)
{
    dsp_record   *rec[DSP_N_PRECISIONS] = {0};
    dsp_session **sessions = DSP_NEW_N(dsp_session *, p->n_segments);
    dsp_status    st = sessions ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "precision sweep: out of memory");
    int           best = -1;
    *out = NULL;
    for (int i = 0; i < DSP_N_PRECISIONS && st == DSP_OK; i++) {
        st = try_precision(&rows[i], &rec[i], bits_of[i], g, p, c, pins, n_pins, o, sessions, tell, (uint64_t)c->n_samples * (unsigned)i, err);
        if (st != DSP_OK || !rows[i].feasible)
            continue;
        const bool good = rows[i].max_rel_err <= 0.01 && rows[i].argmax_agrees;
        const bool kept = best >= 0 && rows[best].max_rel_err <= 0.01 && rows[best].argmax_agrees;
        if (!kept && (best < 0 || good || (rows[i].argmax_agrees && !rows[best].argmax_agrees) ||
                      (rows[i].argmax_agrees == rows[best].argmax_agrees && rows[i].max_rel_err < rows[best].max_rel_err)))
            best = i;
    }
    if (st == DSP_OK && forced_bits)
        st = dsp_record_make(out, g, p, c, pins, n_pins, forced_bits, err);
    else if (st == DSP_OK && best < 0)
        st = dsp_fail(err, DSP_E_UNSUPPORTED, "no precision from 10 to 16 bits fits the field");
    else if (st == DSP_OK) {
        *out = rec[best];
        rec[best] = NULL;
    }
    for (int i = 0; i < DSP_N_PRECISIONS; i++)
        dsp_record_free(rec[i]);
    for (uint32_t i = 0; i < p->n_segments && sessions; i++)
        dsp_session_free(sessions[i]);
    dsp_free(sessions);
    return st;
}
