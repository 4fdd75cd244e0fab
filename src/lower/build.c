/* Slice keys from the ir: tensors with their roles, weights, operations, range tables and limbs. */
#include <stdio.h>
#include <string.h>

#include "lower/ir.h"
#include "pcs/params.h"

typedef struct {
    ir         *m;
    dsp_key    *key;
    const ir_q *q;
    const bool *proved;
    unsigned    precision;
    uint32_t   *index;          /* ir tensor -> key tensor, DSP_NONE: not in this slice */
    char        stem[16];
    uint32_t    n_needs;
    dsp_range_need *needs;
    dsp_limbs **slots;          /* where the limbs of need i go */
    dsp_err    *err;
} builder;

static dsp_status no_memory(builder *b) { return dsp_fail(b->err, DSP_E_NOMEM, "slice %s: out of memory", b->key->name); }

static bool reserved(const char *name) { return strcmp(name, "A") == 0 || strncmp(name, "mult.", 5) == 0; }

const char *dsp_lower_tensor_name(const dsp_graph *g, uint32_t value, dsp_arena *a)
{
    const char  *name = g->values[value].name;
    const size_t n = strlen(name);
    if (n > 0 && n < 4096 && !reserved(name) && dsp_utf8_valid((const uint8_t *)name, n))
        return name;
    char buf[64];
    snprintf(buf, sizeof buf, "value%u", value);
    while (dsp_graph_find(g, buf) != DSP_NONE && strlen(buf) + 1 < sizeof buf)
        strcat(buf, "_");
    return dsp_arena_strdup(a, buf);
}

/* Generated names are a letter, the stem and a number; the stem grows until no value of the graph looks like one. */
static void choose_stem(builder *b)
{
    const dsp_graph *g = b->m->g;
    size_t           n = 0;
    for (uint32_t i = 0; i < g->n_values && n + 1 < sizeof b->stem; i++) {
        const char *s = g->values[i].name;
        if ((*s == 'l' || *s == 'm' || *s == 't') && strncmp(s + 1, b->stem, n) == 0 && s[1 + n] >= '0' && s[1 + n] <= '9') {
            b->stem[n++] = '_';
            i = UINT32_MAX;
        }
    }
}

static char *generated(builder *b, char letter, uint32_t i)
{
    char buf[48];
    snprintf(buf, sizeof buf, "%c%s%u", letter, b->stem, i);
    return dsp_arena_strdup(b->key->arena, buf);
}

/* Private only between two proved segments. */
static uint8_t role_of(const builder *b, const ir_tensor *t)
{
    const dsp_graph *g = b->m->g;
    const dsp_plan  *p = b->m->p;
    if (t->name == DSP_NONE)
        return DSP_ROLE_AUX;
    if (t->segment == DSP_NONE || !b->proved[t->segment] || g->values[t->name].is_input || g->values[t->name].is_output)
        return DSP_ROLE_PUB;
    for (uint32_t s = 0; s < p->n_segments; s++)
        for (uint32_t k = 0; k < p->segments[s].n_in; k++)
            if (p->segments[s].in[k] == t->name && !b->proved[s])
                return DSP_ROLE_PUB;
    return DSP_ROLE_EDGE;
}

static dsp_status add_tensor(builder *b, uint32_t t)
{
    const ir_tensor *x = &b->m->tensors[t];
    if (b->index[t] != DSP_NONE)
        return DSP_OK;
    dsp_tensor *k = &b->key->tensors[b->key->n_tensors];
    *k = (dsp_tensor){.role = role_of(b, x), .dims = {x->dims[0], x->dims[1], x->dims[2]}, .lo = b->q[t].lo, .hi = b->q[t].hi, .scale_bits = b->q[t].scale};
    const char *name = x->name == DSP_NONE ? generated(b, 't', b->key->n_tensors) : dsp_lower_tensor_name(b->m->g, x->name, b->key->arena);
    if (!name || !(k->name = dsp_arena_strdup(b->key->arena, name)))
        return no_memory(b);
    b->index[t] = b->key->n_tensors++;
    return DSP_OK;
}

static void need(builder *b, dsp_limbs *slot, unsigned bits, const uint32_t dims[3])
{
    if (bits == 0)
        return;
    b->needs[b->n_needs] = (dsp_range_need){bits, (uint64_t)1 << (dsp_lg(dims[0]) + dsp_lg(dims[1]) + dsp_lg(dims[2]))};
    b->slots[b->n_needs++] = slot;
}

static uint32_t add_weight(builder *b, const char *name, const uint32_t dims[4], const int64_t *v)
{
    dsp_weight *w = &b->key->weights[b->key->n_weights];
    *w = (dsp_weight){.name = name, .dims = {dims[0], dims[1], dims[2], dims[3]}, .count = dims[0] * dims[1] * dims[2] * dims[3], .v = v};
    return b->key->n_weights++;
}

static dsp_status add_lin(builder *b, dsp_op *o, const ir_op *x)
{
    const ir_expr    *e = x->e;
    const dsp_tensor *out = &b->key->tensors[o->out];
    ir_lin            l;
    dsp_status        st = dsp_ir_quantise(&l, b->m, x, b->q, b->precision, b->key->arena, b->err);
    if (st != DSP_OK)
        return st;
    o->bias = DSP_NONE;
    o->M = (dsp_ints){e->dims[0], l.M};
    o->My = l.My ? (dsp_ints){e->dims[1], l.My} : (dsp_ints){0};
    o->Mx = l.Mx ? (dsp_ints){e->dims[2], l.Mx} : (dsp_ints){0};
    o->s = (uint8_t)l.s;
    o->n_terms = e->n_terms;
    if (!(o->terms = DSP_ARENA_N(b->key->arena, dsp_term, e->n_terms)))
        return no_memory(b);
    for (uint32_t k = 0; k < e->n_terms; k++) {
        const ir_term *t = &e->terms[k];
        dsp_term      *d = &o->terms[k];
        *d = (dsp_term){.kind = t->kind, .weight = DSP_NONE, .mult = l.mult[k], .view = {.x = b->index[t->x], .stride = {1, 1, 1}}};
        if (t->kind == DSP_TERM_VIEW) {
            memcpy(d->view.stride, t->vstride, sizeof t->vstride);
            memcpy(d->view.off, t->voff, sizeof t->voff);
            continue;
        }
        char name[64];
        snprintf(name, sizeof name, "%s.w%u", o->name, k);
        const char *kept = dsp_arena_strdup(b->key->arena, name);
        if (!kept)
            return no_memory(b);
        d->weight = add_weight(b, kept, t->wdims, l.w[k]);
        for (int i = 0; i < 2; i++) {
            d->stride[i] = t->stride[i];
            d->pad[i] = t->pad[i];
            d->dil[i] = t->dil[i];
        }
    }
    if (l.bias) {
        char name[64];
        snprintf(name, sizeof name, "%s.b", o->name);
        const char *kept = dsp_arena_strdup(b->key->arena, name);
        if (!kept)
            return no_memory(b);
        o->bias = add_weight(b, kept, (uint32_t[4]){e->dims[0], 1, 1, 1}, l.bias);
    }
    need(b, &o->rem, l.s, e->dims);
    if (out->role != DSP_ROLE_PUB)
        need(b, &o->q, dsp_lg((uint64_t)(out->hi - out->lo) + 1), e->dims);
    need(b, &o->u, l.u_bits, e->dims);
    need(b, &o->v, l.v_bits, e->dims);
    return DSP_OK;
}

static dsp_status add_op(builder *b, const ir_op *x)
{
    dsp_op    *o = &b->key->ops[b->key->n_ops];
    dsp_status st;
    *o = (dsp_op){.kind = x->kind, .bias = DSP_NONE, .x = DSP_NONE, .table = DSP_NONE};
    o->name = generated(b, x->kind == DSP_OP_LIN ? 'l' : 'm', b->key->n_ops);
    if (!o->name)
        return no_memory(b);
    for (uint32_t k = 0; x->kind == DSP_OP_LIN && k < x->e->n_terms; k++)
        if ((st = add_tensor(b, x->e->terms[k].x)) != DSP_OK)
            return st;
    if (x->kind == DSP_OP_MAX && ((st = add_tensor(b, x->a.x)) != DSP_OK || (st = add_tensor(b, x->b.x)) != DSP_OK))
        return st;
    if ((st = add_tensor(b, x->out)) != DSP_OK)
        return st;
    o->out = b->index[x->out];
    b->key->n_ops++;
    if (x->kind == DSP_OP_LIN)
        return add_lin(b, o, x);
    const dsp_tensor *out = &b->key->tensors[o->out];
    o->a = x->a;
    o->b = x->b;
    o->a.x = b->index[x->a.x];
    o->b.x = b->index[x->b.x];
    const unsigned bits = dsp_lg((uint64_t)(out->hi - out->lo) + 1);
    need(b, &o->w, bits ? bits : 1, out->dims);
    return DSP_OK;
}

/* Widths for everything that is looked up, and the range tables they need. */
static dsp_status choose_limbs(builder *b)
{
    uint8_t    widths[16];
    unsigned   n = 0;
    dsp_limbs *limbs = DSP_ARENA_N(b->key->arena, dsp_limbs, b->n_needs + 1);
    if (!limbs)
        return no_memory(b);
    dsp_status st = dsp_limbs_choose(limbs, widths, &n, b->needs, b->n_needs, b->err);
    if (st != DSP_OK)
        return st;
    for (uint32_t i = 0; i < b->n_needs; i++)
        *b->slots[i] = limbs[i];
    if (!(b->key->tables = DSP_ARENA_N(b->key->arena, dsp_table, n + 1)))
        return no_memory(b);
    for (unsigned i = 0; i < n; i++)
        b->key->tables[i] = (dsp_table){.kind = DSP_TABLE_RANGE, .log2_rows = widths[i]};
    b->key->n_tables = n;
    return DSP_OK;
}

dsp_status dsp_ir_provisional(dsp_key *key, dsp_err *err)
{
    uint32_t n = 1, at = 0;
    for (uint32_t i = 0; i < key->n_tensors; i++)
        n += key->tensors[i].role == DSP_ROLE_EDGE;
    if (!(key->trees = DSP_ARENA_N(key->arena, dsp_geometry, n)))
        return dsp_fail(err, DSP_E_NOMEM, "slice %s: out of memory", key->name);
    key->n_trees = n;
    for (uint32_t i = 0; i <= key->n_tensors; i++)
        if (i == key->n_tensors || key->tensors[i].role == DSP_ROLE_EDGE)
            key->trees[at++] = (dsp_geometry){i == key->n_tensors ? DSP_NONE : i, 1u << 17, 1u << 19, 1, 1};
    key->pad_k = 256;
    key->pad_n = 2048;
    key->pad_t = 116;
    return DSP_OK;
}

dsp_status dsp_ir_build(dsp_key **out, ir *m, uint32_t segment, const ir_q *q, const bool *proved, unsigned precision, dsp_err *err)
{
    builder    b = {.m = m, .key = dsp_key_create(), .q = q, .proved = proved, .precision = precision, .err = err};
    dsp_arena *a = dsp_arena_create(0);
    uint32_t   n_ops = 0, n_terms = 0;
    dsp_status st = DSP_OK;
    char       name[32];
    *out = NULL;
    snprintf(name, sizeof name, "segment_%u", segment);
    if (!b.key || !a || !(b.key->name = dsp_arena_strdup(b.key->arena, name))) {
        st = dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
        goto done;
    }
    b.key->profile = DSP_PROFILE_G2_100;
    b.key->mode = 1;
    for (uint32_t i = 0; i < m->n_ops; i++)
        if (m->ops[i].segment == segment) {
            n_ops++;
            n_terms += m->ops[i].kind == DSP_OP_LIN ? m->ops[i].e->n_terms + 1 : 2;
        }
    b.index = DSP_ARENA_RAW(a, uint32_t, m->n_tensors + 1);
    b.needs = DSP_ARENA_N(a, dsp_range_need, 4 * (size_t)n_ops + 1);
    b.slots = dsp_arena_alloc(a, 4 * (size_t)n_ops + 1, sizeof *b.slots);
    b.key->tensors = DSP_ARENA_N(b.key->arena, dsp_tensor, n_ops + n_terms + 1);
    b.key->weights = DSP_ARENA_N(b.key->arena, dsp_weight, n_terms + 1);
    b.key->ops = DSP_ARENA_N(b.key->arena, dsp_op, n_ops + 1);
    if (!b.index || !b.needs || !b.slots || !b.key->tensors || !b.key->weights || !b.key->ops) {
        st = no_memory(&b);
        goto done;
    }
    memset(b.index, 0xff, m->n_tensors * sizeof *b.index);
    choose_stem(&b);
    for (uint32_t i = 0; i < m->n_ops && st == DSP_OK; i++)
        if (m->ops[i].segment == segment)
            st = add_op(&b, &m->ops[i]);
    if (st == DSP_OK)
        st = choose_limbs(&b);
    if (st == DSP_OK)
        st = dsp_ir_provisional(b.key, err);
done:
    dsp_arena_free(a);
    if (st == DSP_OK)
        *out = b.key;
    else
        dsp_key_free(b.key);
    return st;
}
