#include "pipeline/foreign_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "circuit/codec.h"

/* Who makes and reads a tensor of the table. */
typedef struct { uint32_t makers, maker, readers, first_reader; } wiring;

typedef struct {
    const dsp_foreign_run *r;
    const dsp_foreign     *f;
    dsp_foreign_verdict   *v;
    uint64_t               skip;
    dsp_err               *err;
    dsp_name              *tensors, *pubs, *edges;   /* sorted */
    wiring                *wires;                    /* per tensor of the table */
    uint8_t               *pub_made;                 /* per public tensor of the statement: a native segment makes it */
} check;

static dsp_status reject(check *c, unsigned rule, uint32_t at, const char *fmt, ...) DSP_PRINTF(4, 5);
static dsp_status reject(check *c, unsigned rule, uint32_t at, const char *fmt, ...)
{
    char    text[768];
    va_list ap;
#ifdef DSP_TEST_HOOKS
    if (c->skip >> rule & 1)
        return DSP_OK;
#endif
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->v->check = rule;
    c->v->at = at;
    return dsp_fail(c->err, DSP_E_REJECTED, "F%u %s", rule, text);
}

static dsp_status no_memory(const check *c) { return dsp_fail(c->err, DSP_E_NOMEM, "no memory to check the run"); }

/* ---- F1, F2: what the run consists of ---- */

static dsp_status check_names_of(check *c)
{
    const dsp_foreign   *f = c->f;
    const dsp_statement *st = c->r->st;
    const dsp_record    *q = c->r->record;
    if ((f->n_native != 0) != (st != NULL))
        return reject(c, DSP_F1, DSP_NONE, "run: statement.bin is %s, foreign.bin lists %u native segments", st ? "there" : "missing", f->n_native);
    if (!st)
        return DSP_OK;
    dsp_status s = DSP_OK;
    if (!dsp_digest_eq(&f->statement, &c->r->st_digest))
        s = reject(c, DSP_F1, DSP_NONE, "run: statement.bin is not the one that foreign.bin names");
    if (s == DSP_OK && (!dsp_digest_eq(&f->model, &st->model) || !dsp_digest_eq(&f->record, &st->record)))
        s = reject(c, DSP_F1, DSP_NONE, "run: foreign.bin and statement.bin name different models or records");
    if (s == DSP_OK && memcmp(f->nonce, st->nonce, 32) != 0)
        s = reject(c, DSP_F1, DSP_NONE, "run: foreign.bin and statement.bin belong to different runs");
    bool same = f->n_cuts == q->n_cuts && f->n_binds == q->n_binds;
    for (uint32_t i = 0; i < f->n_cuts && same; i++)
        same = f->cuts[i] == q->cuts[i];
    for (uint32_t i = 0; i < f->n_binds && same; i++)
        same = strcmp(f->binds[i].name, q->binds[i].name) == 0 && f->binds[i].value == q->binds[i].value;
    if (s == DSP_OK && !same)
        s = reject(c, DSP_F1, DSP_NONE, "run: foreign.bin and the quantisation record cut the model differently");
    return s;
}

/* The statement's list of what is not native, in turn. Both sides ascend. */
static dsp_status same_others(check *c)
{
    const dsp_foreign   *f = c->f;
    const dsp_statement *st = c->r->st;
    uint32_t             a = 0, b = 0;
    if (st->n_unproved != f->n_segments + f->n_unproved)
        return reject(c, DSP_F2, DSP_NONE, "list: statement.bin lists %u segments as not native, foreign.bin %u", st->n_unproved, f->n_segments + f->n_unproved);
    for (uint32_t i = 0; i < st->n_unproved; i++) {
        const dsp_stmt_unproved *x = &st->unproved[i];
        const bool               ezkl = a < f->n_segments && (b == f->n_unproved || f->segments[a].index < f->unproved[b].index);
        const uint32_t           index = ezkl ? f->segments[a].index : f->unproved[b].index;
        const uint64_t           macs = ezkl ? f->segments[a].macs : f->unproved[b].macs;
        const char              *reason = ezkl ? DSP_FOREIGN_REASON : f->unproved[b].reason;
        if (x->index != index || x->macs != macs || strcmp(x->reason, reason) != 0)
            return reject(c, DSP_F2, ezkl ? a : DSP_NONE, "list: statement.bin and foreign.bin differ about segment %u", index);
        a += ezkl;
        b += !ezkl;
    }
    return DSP_OK;
}

static dsp_status check_list(check *c)
{
    const dsp_foreign   *f = c->f;
    const dsp_statement *st = c->r->st;
    const uint64_t       n = (uint64_t)f->n_segments + f->n_native + f->n_unproved;
    dsp_status           s = DSP_OK;
    if (n != (uint64_t)f->n_cuts + 1)
        return reject(c, DSP_F2, DSP_NONE, "list: %ju segments are listed, the cuts make %ju", (uintmax_t)n, (uintmax_t)f->n_cuts + 1);
    for (uint32_t i = 0, a = 0, b = 0, d = 0; i < n && s == DSP_OK; i++) {
        if (a < f->n_segments && f->segments[a].index == i)
            a++;
        else if (b < f->n_native && f->native[b] == i)
            b++;
        else if (d < f->n_unproved && f->unproved[d].index == i)
            d++;
        else
            return reject(c, DSP_F2, DSP_NONE, "list: segment %u is missing, or another is listed twice", i);
    }
    if (!st)
        return s;
    bool same = st->n_slices == f->n_native;
    for (uint32_t i = 0; i < f->n_native && same; i++)
        same = st->slices[i].index == f->native[i];
    if (!same)
        return reject(c, DSP_F2, DSP_NONE, "list: the native segments are not those of statement.bin");
    return same_others(c);
}

/* ---- F3, F4: keys and settings ---- */

static bool is_digest(const dsp_digest *d, const uint8_t *p, size_t n)
{
    const dsp_digest have = dsp_sha256(p, n);
    return dsp_digest_eq(&have, d);
}

/* What the settings of a segment must say. c: filled for the reader of instances. */
static void expected(dsp_ezkl_circuit *e, const dsp_foreign *f, const dsp_foreign_segment *g)
{
    memset(e, 0, sizeof *e);
    e->logrows = g->logrows;
    e->scale = (int)f->scale;
    e->n_in = g->n_in;
    e->n_out = g->n_out;
    for (uint32_t k = 0; k < g->n_in; k++)
        e->cells_in += e->in[k] = f->tensors[g->in[k]].count;
    for (uint32_t k = 0; k < g->n_out; k++)
        e->cells_out += e->out[k] = f->tensors[g->out[k]].count;
}

static dsp_status check_settings(check *c, uint32_t at)
{
    const dsp_foreign_segment *g = &c->f->segments[at];
    const dsp_foreign_bytes   *b = &c->r->bytes[at];
    dsp_ezkl_circuit           want, have;
    dsp_buf                    again = {0};
    dsp_err                    why = {DSP_OK, ""};
    dsp_status                 s = dsp_ezkl_settings_parse(&have, &again, b->settings, b->settings_len, "settings", (int)c->f->scale, &why);
    expected(&want, c->f, g);
    if (s == DSP_E_NOMEM)
        s = no_memory(c);
    else if (s != DSP_OK)
        s = reject(c, DSP_F4, at, "settings: segment %u: %s", g->index, why.msg);
    else if (again.len != b->settings_len || memcmp(again.p, b->settings, again.len) != 0)
        s = reject(c, DSP_F4, at, "settings: segment %u: not in their one spelling", g->index);
    else if (have.logrows != want.logrows)
        s = reject(c, DSP_F4, at, "settings: segment %u: 2^%u rows expected, 2^%u found", g->index, want.logrows, have.logrows);
    else if (have.n_in != want.n_in || have.n_out != want.n_out || memcmp(have.in, want.in, sizeof have.in) != 0 || memcmp(have.out, want.out, sizeof have.out) != 0)
        s = reject(c, DSP_F4, at, "settings: segment %u: inputs and outputs have other numbers of values than its tensors", g->index);
    dsp_buf_release(&again);
    return s;
}

static dsp_status check_keys(check *c)
{
    dsp_status s = DSP_OK;
    for (uint32_t i = 0; i < c->f->n_segments && s == DSP_OK; i++) {
        const dsp_foreign_segment *g = &c->f->segments[i];
        const dsp_foreign_bytes   *b = &c->r->bytes[i];
        if (!is_digest(&g->vk, b->vk, b->vk_len))
            s = reject(c, DSP_F3, i, "key: segment %u: vk.key is not the one that is listed", g->index);
        if (s == DSP_OK && !is_digest(&g->settings, b->settings, b->settings_len))
            s = reject(c, DSP_F3, i, "key: segment %u: settings.json is not the one that is listed", g->index);
        if (s == DSP_OK)
            s = check_settings(c, i);
    }
    return s;
}

/* ---- F5, F6: the table as a graph ---- */

static uint32_t tensor_of(const check *c, const char *name) { return dsp_names_find(c->tensors, c->f->n_tensors, name, strlen(name)); }
static uint32_t pub_of(const check *c, const char *name) { return c->r->st ? dsp_names_find(c->pubs, c->r->st->n_pubs, name, strlen(name)) : DSP_NONE; }

static void made_by(wiring *w, uint32_t segment)
{
    w->makers++;
    w->maker = segment;
}

static void read_by(wiring *w, uint32_t segment)
{
    w->first_reader = w->readers++ && w->first_reader < segment ? w->first_reader : segment;
}

static dsp_status wire(check *c)
{
    const dsp_foreign *f = c->f;
    const uint32_t     n_pubs = c->r->st ? c->r->st->n_pubs : 0, n_edges = c->r->st ? c->r->st->n_edges : 0;
    c->tensors = DSP_NEW_N(dsp_name, f->n_tensors);
    c->wires = DSP_NEW_N(wiring, f->n_tensors);
    c->pubs = DSP_NEW_N(dsp_name, n_pubs);
    c->pub_made = DSP_NEW_N(uint8_t, n_pubs);
    c->edges = DSP_NEW_N(dsp_name, n_edges);
    if (!c->tensors || !c->wires || !c->pubs || !c->pub_made || !c->edges)
        return no_memory(c);
    for (uint32_t i = 0; i < f->n_tensors; i++)
        c->tensors[i] = (dsp_name){f->tensors[i].name, i};
    for (uint32_t i = 0; i < n_pubs; i++)
        c->pubs[i] = (dsp_name){c->r->st->pubs[i].name, i};
    for (uint32_t i = 0; i < n_edges; i++)
        c->edges[i] = (dsp_name){c->r->st->edges[i].name, i};
    dsp_names_sort(c->tensors, f->n_tensors);
    dsp_names_sort(c->pubs, n_pubs);
    dsp_names_sort(c->edges, n_edges);
    for (uint32_t i = 0; i < f->n_segments; i++) {
        for (uint32_t k = 0; k < f->segments[i].n_in; k++)
            read_by(&c->wires[f->segments[i].in[k]], f->segments[i].index);
        for (uint32_t k = 0; k < f->segments[i].n_out; k++)
            made_by(&c->wires[f->segments[i].out[k]], f->segments[i].index);
    }
    for (size_t i = 0; i < c->r->n_uses; i++) {
        const dsp_native_use *u = &c->r->uses[i];
        const uint32_t        t = tensor_of(c, u->name), p = pub_of(c, u->name);
        if (t != DSP_NONE && u->made)
            made_by(&c->wires[t], u->segment);
        else if (t != DSP_NONE)
            read_by(&c->wires[t], u->segment);
        if (p != DSP_NONE && u->made)
            c->pub_made[p] = 1;
    }
    return DSP_OK;
}

static dsp_status check_producers(check *c)
{
    dsp_status s = DSP_OK;
    for (uint32_t i = 0; i < c->f->n_tensors && s == DSP_OK; i++) {
        const dsp_foreign_tensor *t = &c->f->tensors[i];
        const wiring             *w = &c->wires[i];
        if (w->makers > 1)
            s = reject(c, DSP_F5, DSP_NONE, "producers: tensor '%.80s' is made by %u segments", t->name, w->makers);
        else if (w->makers && t->use & DSP_STMT_INPUT)
            s = reject(c, DSP_F5, DSP_NONE, "producers: tensor '%.80s' is a model input that segment %u makes", t->name, w->maker);
        else if (w->makers && w->readers && w->first_reader <= w->maker)
            s = reject(c, DSP_F5, DSP_NONE, "producers: tensor '%.80s' is read by segment %u, before segment %u makes it", t->name, w->first_reader, w->maker);
    }
    return s;
}

/* The names listed as the model's are exactly those with this use; with every segment proved, each output is shown by somebody. */
static dsp_status check_ends(check *c, const char *const *names, uint32_t n, uint8_t use)
{
    const char *what = use == DSP_STMT_INPUT ? "input" : "output";
    uint32_t    shown = 0, used = 0;
    for (uint32_t i = 0; i < c->f->n_tensors; i++)
        used += (c->f->tensors[i].use & use) != 0;
    for (uint32_t i = 0; c->r->st && i < c->r->st->n_pubs; i++)
        used += c->r->st->pubs[i].use & use && tensor_of(c, c->r->st->pubs[i].name) == DSP_NONE;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t t = tensor_of(c, names[i]), p = pub_of(c, names[i]);
        const bool     is = t != DSP_NONE ? c->f->tensors[t].use & use : p != DSP_NONE && c->r->st->pubs[p].use & use;
        if (!is && (t != DSP_NONE || p != DSP_NONE))
            return reject(c, DSP_F6, DSP_NONE, "ends: tensor '%.80s' is listed as the model's %s, and is not used so", names[i], what);
        if (!is && use == DSP_STMT_OUTPUT && c->f->n_unproved == 0)
            return reject(c, DSP_F6, DSP_NONE, "ends: no segment makes the model's output '%.80s', with every segment proved", names[i]);
        shown += is;
    }
    if (shown != used)
        return reject(c, DSP_F6, DSP_NONE, "ends: %u tensors are used as the model's %ss, %u of them are listed so", used, what, shown);
    return DSP_OK;
}

static dsp_status check_uses(check *c)
{
    const dsp_foreign   *f = c->f;
    const dsp_statement *st = c->r->st;
    dsp_status           s = DSP_OK;
    for (uint32_t i = 0; i < f->n_tensors && s == DSP_OK; i++) {
        const dsp_foreign_tensor *t = &f->tensors[i];
        if (c->wires[i].makers == 0 && f->n_unproved == 0 && !(t->use & DSP_STMT_INPUT))
            s = reject(c, DSP_F6, DSP_NONE, "ends: tensor '%.80s' is neither a model input nor made by a segment", t->name);
        else if (c->wires[i].readers == 0 && f->n_unproved == 0 && !(t->use & DSP_STMT_OUTPUT))
            s = reject(c, DSP_F6, DSP_NONE, "ends: tensor '%.80s' is neither an output nor read by a segment", t->name);
    }
    for (uint32_t i = 0; st && i < st->n_pubs && f->n_unproved == 0 && s == DSP_OK; i++) {
        const dsp_stmt_pub *p = &st->pubs[i];
        if (tensor_of(c, p->name) != DSP_NONE)
            continue;
        if (!c->pub_made[i] && !(p->use & DSP_STMT_INPUT))
            s = reject(c, DSP_F6, DSP_NONE, "ends: public tensor '%.80s' is neither a model input nor made by a segment", p->name);
        else if (c->pub_made[i] && !(p->use & DSP_STMT_OUTPUT))
            s = reject(c, DSP_F6, DSP_NONE, "ends: public tensor '%.80s' is neither an output nor read by a segment of ezkl", p->name);
    }
    if (s == DSP_OK)
        s = check_ends(c, f->inputs, f->n_inputs, DSP_STMT_INPUT);
    return s == DSP_OK ? check_ends(c, f->outputs, f->n_outputs, DSP_STMT_OUTPUT) : s;
}

/* ---- F7: where native segments join ---- */

static dsp_status shared(check *c, const dsp_foreign_tensor *t, const dsp_stmt_pub *p)
{
    const dsp_qtensor *q = dsp_record_find(c->r->record, t->name);
    dsp_status         s;
    if (p->use != t->use)
        return reject(c, DSP_F7, DSP_NONE, "boundary: tensor '%.80s' has another use in statement.bin", t->name);
    if (p->scale_bits != (int64_t)c->f->scale)
        return reject(c, DSP_F7, DSP_NONE, "boundary: tensor '%.80s' has %jd scale bits in statement.bin, %u in foreign.bin", t->name, (intmax_t)p->scale_bits, c->f->scale);
    if (!q || memcmp(q->layout.dims, p->dims, sizeof p->dims) != 0 || q->layout.rank != t->rank || dsp_cells(p->dims) != t->count ||
        memcmp(q->layout.onnx_dims, t->dims, t->rank * sizeof *t->dims) != 0)
        return reject(c, DSP_F7, DSP_NONE, "boundary: tensor '%.80s' has another shape in statement.bin", t->name);
    int64_t *onnx = DSP_NEW_N(int64_t, t->count);
    if (!onnx)
        return no_memory(c);
    dsp_cells_to_onnx(onnx, p->cells, &q->layout);
    s = memcmp(onnx, t->cells, t->count * sizeof *onnx) == 0 ? DSP_OK
                                                              : reject(c, DSP_F7, DSP_NONE, "boundary: tensor '%.80s' has other integers in statement.bin", t->name);
    dsp_free(onnx);
    return s;
}

static dsp_status check_boundary(check *c)
{
    const dsp_statement *st = c->r->st;
    dsp_status           s = DSP_OK;
    for (uint32_t i = 0; st && i < c->f->n_tensors && s == DSP_OK; i++) {
        const dsp_foreign_tensor *t = &c->f->tensors[i];
        const uint32_t            p = pub_of(c, t->name);
        if (dsp_names_find(c->edges, st->n_edges, t->name, strlen(t->name)) != DSP_NONE)
            s = reject(c, DSP_F7, DSP_NONE, "boundary: tensor '%.80s' is committed in statement.bin", t->name);
        else if (p != DSP_NONE)
            s = shared(c, t, &st->pubs[p]);
    }
    for (size_t i = 0; i < c->r->n_uses && s == DSP_OK; i++)
        if (tensor_of(c, c->r->uses[i].name) != DSP_NONE && (!c->r->uses[i].pub || pub_of(c, c->r->uses[i].name) == DSP_NONE))
            s = reject(c, DSP_F7, DSP_NONE, "boundary: tensor '%.80s' is not public in segment %u", c->r->uses[i].name, c->r->uses[i].segment);
    return s;
}

dsp_status dsp_foreign_check_run(dsp_foreign_verdict *v, const dsp_foreign_run *r, uint64_t skip, dsp_err *err)
{
    dsp_err    own = {DSP_OK, ""};
    check      c = {.r = r, .f = r->f, .v = v, .skip = skip, .err = err ? err : &own};
    dsp_status s;
    v->check = 0;
    v->at = DSP_NONE;
    if ((s = check_names_of(&c)) == DSP_OK && (s = check_list(&c)) == DSP_OK && (s = check_keys(&c)) == DSP_OK && (s = wire(&c)) == DSP_OK &&
        (s = check_producers(&c)) == DSP_OK && (s = check_uses(&c)) == DSP_OK)
        s = check_boundary(&c);
    dsp_free(c.tensors);
    dsp_free(c.pubs);
    dsp_free(c.edges);
    dsp_free(c.wires);
    dsp_free(c.pub_made);
    return s;
}

/* ---- F8 to F10: one proof ---- */

static dsp_status check_instances(check *c, uint32_t at, const int64_t *have, const uint32_t *which, uint32_t n, const char *what)
{
    for (uint32_t k = 0; k < n; k++) {
        const dsp_foreign_tensor *t = &c->f->tensors[which[k]];
        for (uint32_t i = 0; i < t->count; i++)
            if (have[i] != t->cells[i])
                return reject(c, DSP_F9, at, "instances: segment %u: its proof shows another integer than %s '%.80s' has at element %u", c->f->segments[at].index, what,
                              t->name, i);
        have += t->count;
    }
    return DSP_OK;
}

static dsp_status check_proof(check *c, uint32_t at, dsp_foreign_verify *verify, void *arg)
{
    const dsp_foreign_segment *g = &c->f->segments[at];
    const dsp_foreign_bytes   *b = &c->r->bytes[at];
    dsp_ezkl_circuit           circuit;
    dsp_buf                    again = {0};
    dsp_err                    why = {DSP_OK, ""};
    dsp_status                 s;
    expected(&circuit, c->f, g);
    int64_t *in = DSP_NEW_N(int64_t, circuit.cells_in), *out = DSP_NEW_N(int64_t, circuit.cells_out);
    if (!in || !out) {
        s = no_memory(c);
        goto done;
    }
    if (!b->proof) {
        s = reject(c, DSP_F8, at, "proof: segment %u: the claimed proof is missing", g->index);
        goto done;
    }
    s = dsp_ezkl_proof_parse(in, out, &again, b->proof, b->proof_len, "proof.json", &circuit, &why);
    const bool read = s == DSP_OK;
    if (s == DSP_E_NOMEM)
        s = no_memory(c);
    else if (s != DSP_OK)
        s = reject(c, DSP_F8, at, "proof: segment %u: %s", g->index, why.msg);
    if (s == DSP_OK && read && (s = check_instances(c, at, in, g->in, g->n_in, "input")) == DSP_OK)
        s = check_instances(c, at, out, g->out, g->n_out, "output");
    if (s == DSP_OK)
        s = verify(arg, at, read ? again.p : b->proof, read ? again.len : b->proof_len, &why);
    if (s == DSP_E_REJECTED && c->v->check == 0)
        s = reject(c, DSP_F10, at, "verification: segment %u: %s", g->index, why.msg);
    else if (s != DSP_OK && s != DSP_E_REJECTED)
        s = dsp_fail(c->err, s, "segment %u could not be verified: %s", g->index, why.msg);
done:
    dsp_buf_release(&again);
    dsp_free(in);
    dsp_free(out);
    return s;
}

dsp_status dsp_foreign_check_proofs(dsp_foreign_verdict *v, const dsp_foreign_run *r, dsp_foreign_verify *verify, void *arg, uint64_t skip, dsp_err *err)
{
    dsp_err    own = {DSP_OK, ""};
    check      c = {.r = r, .f = r->f, .v = v, .skip = skip, .err = err ? err : &own};
    dsp_status s = DSP_OK;
    v->check = 0;
    v->at = DSP_NONE;
    for (uint32_t i = 0; i < r->f->n_segments && s == DSP_OK; i++) {
        const uint64_t t0 = v->clock ? v->clock() : 0;
        if (r->selected && !r->selected[i])
            continue;
        s = check_proof(&c, i, verify, arg);
        if (v->clock && v->ns)
            v->ns[i] = v->clock() - t0;
        if (s == DSP_OK && v->progress)
            v->progress(v->progress_arg, i);
    }
    return s;
}
