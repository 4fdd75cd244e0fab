/* Derivation in two walks over the operations by one and the same code: the first counts and applies the limits, the second
 * fills arrays of exactly that size. Order is that of the specification everywhere (S4.2, S4.3, S7, S8.3). */
#include "circuit/derive.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "circuit/codec.h"
#include "pcs/merkle.h"

enum { MAX_DERIVED_BYTES = 24 << 20, MAX_TREE_LOG2 = 38, PROOF_HEADER = 40, SALT = 16 }; /* 2^38 = most rows times most columns */

static const char *const part_name[DSP_R_KINDS] = {".rem", ".q", ".u", ".v", ".a", ".b", ""};

static unsigned dlog(const uint32_t d[3]) { return dsp_lg(d[0]) + dsp_lg(d[1]) + dsp_lg(d[2]); }

typedef struct {
    const dsp_key *key;
    dsp_derived   *D;
    dsp_err       *err;
    bool           fill;
    dsp_status     status;
    uint32_t       table_of[DSP_MAX_TABLE_BITS + 1]; /* range table of a width */
    uint8_t       *used;                             /* per table */
    /* running totals */
    uint64_t n_tensors, n_aux, n_ranges, n_segs, n_expect, n_expect_tensors, n_groups, n_members, n_aux_vals, n_columns, n_finals;
    uint64_t text, leaves;
    char     *texts;
    uint32_t *expect_tensors;
    unsigned  M3, ntau;
    uint32_t  max_terms;
    bool      zero_checks;
} walk;

#define REFUSE(w, code, ...)                                        \
    do {                                                            \
        if ((w)->status == DSP_OK)                                  \
            (w)->status = dsp_fail((w)->err, (code), __VA_ARGS__);  \
    } while (0)

static const dsp_tensor *tensor(const walk *w, uint32_t i) { return &w->D->tensors[i]; }
static bool private_tensor(const walk *w, uint32_t i) { return i >= w->key->n_tensors || w->key->tensors[i].role != DSP_ROLE_PUB; }

/* A committed tensor, called op part [.limb]; limb < 0: none. Its index. */
static uint32_t commit(walk *w, const char *op, const char *part, int limb, const uint32_t dims[3], unsigned bits)
{
    char         tail[16] = "";
    const size_t n_op = strlen(op), n_part = strlen(part);
    if (limb >= 0)
        snprintf(tail, sizeof tail, ".%d", limb);
    const size_t n_tail = strlen(tail), n = n_op + n_part + n_tail + 1;
    if (w->fill) {
        char       *s = w->texts + w->text;
        dsp_tensor *t = &w->D->tensors[w->n_tensors];
        memcpy(s, op, n_op);
        memcpy(s + n_op, part, n_part);
        memcpy(s + n_op + n_part, tail, n_tail + 1);
        *t = (dsp_tensor){.name = s, .role = DSP_ROLE_AUX, .lo = 0, .hi = bits < 63 ? ((int64_t)1 << bits) - 1 : INT64_MAX};
        memcpy(t->dims, dims, sizeof t->dims);
        w->D->aux[w->n_aux] = (uint32_t)w->n_tensors;
    }
    w->text += n;
    w->n_aux++;
    return (uint32_t)w->n_tensors++;
}

static void made(walk *w, uint32_t t)
{
    if (w->key->tensors[t].role != DSP_ROLE_AUX)
        return;
    if (w->fill)
        w->D->aux[w->n_aux] = t;
    w->n_aux++;
}

static void expect(walk *w, dsp_label label, const uint32_t *tensors, size_t n)
{
    uint32_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (private_tensor(w, tensors[i])) {
            if (w->fill)
                w->expect_tensors[w->n_expect_tensors + kept] = tensors[i];
            kept++;
        }
    if (kept == 0)
        return;
    if (w->fill)
        w->D->expect[w->n_expect] = (dsp_expected){label, kept, w->expect_tensors + w->n_expect_tensors};
    w->n_expect++;
    w->n_expect_tensors += kept;
}

static void segment(walk *w, uint32_t op, uint32_t range, unsigned limb, unsigned cols, uint32_t table, const uint32_t dims[3])
{
    const unsigned m = dlog(dims);
    w->leaves += m > DSP_MAX_NU ? 0 : (uint64_t)1 << m;
    if (m > DSP_MAX_NU || w->leaves > (uint64_t)1 << DSP_MAX_NU)
        REFUSE(w, DSP_E_LIMIT, "operation '%.80s': the lookups do not fit in a fraction tree of 2^%d leaves", w->key->ops[op].name, DSP_MAX_NU);
    if (w->fill) {
        dsp_segment *s = &w->D->segs[w->n_segs];
        *s = (dsp_segment){.op = op, .range = range, .limb = (uint8_t)limb, .n_cols = (uint8_t)cols, .table = table,
                           .log2 = (uint8_t)m, .col0 = (uint32_t)w->n_columns};
        memcpy(s->dims, dims, sizeof s->dims);
    }
    w->used[table] = 1;
    w->n_segs++;
    w->n_columns += cols;
}

/* ranged(r, dims, widths, x, off) of S4.2 */
static void ranged(walk *w, uint32_t op, unsigned part, const uint32_t dims[3], const dsp_limbs *l, uint32_t x, int64_t off)
{
    const dsp_op  *o = &w->key->ops[op];
    const uint32_t r = (uint32_t)w->n_ranges++;
    dsp_range     *range = w->fill ? &w->D->ranges[r] : NULL;
    if (range) {
        *range = (dsp_range){.op = op, .part = (uint8_t)part, .limbs = *l, .seg0 = (uint32_t)w->n_segs,
                             .limb0 = l->n > 1 ? (uint32_t)w->n_tensors : DSP_NONE, .tensor = x, .off = off};
        memcpy(range->dims, dims, sizeof range->dims);
        for (unsigned i = 1; i < l->n; i++)
            range->shift[i] = (uint8_t)(range->shift[i - 1] + l->w[i - 1]);
        w->D->op_range[op][part] = r;
    }
    for (unsigned i = 0; i < l->n; i++) {
        const uint32_t table = w->table_of[l->w[i]];
        if (table == DSP_NONE) {
            REFUSE(w, DSP_E_FORMAT, "operation '%.80s': no range table of %u bits", o->name, l->w[i]);
            return;
        }
        segment(w, op, r, i, 1, table, dims);
        if (i + 1 < l->n) {
            const uint32_t t = commit(w, o->name, part_name[part], (int)i, dims, l->w[i]);
            expect(w, (dsp_label){DSP_C_LIMB, r, i}, &t, 1);
        }
    }
    if (x != DSP_NONE)
        expect(w, (dsp_label){DSP_C_RANGE, r, 0}, &x, 1);
}

static void group(walk *w, uint32_t op, unsigned part)
{
    if (w->fill)
        w->D->groups[w->n_groups] = (dsp_group){.op = op, .part = (uint8_t)part, .member0 = (uint32_t)w->n_members};
    w->n_groups++;
}

static void member(walk *w, uint32_t op, uint32_t term, unsigned part, unsigned vars)
{
    if (w->fill) {
        w->D->members[w->n_members] = (dsp_member){.group = (uint32_t)w->n_groups - 1, .op = op, .term = term, .part = (uint8_t)part,
                                                   .n_vars = (uint8_t)vars, .final0 = (uint32_t)w->n_finals};
        w->D->groups[w->n_groups - 1].n_members++;
    }
    w->n_members++;
    w->n_finals += term == DSP_NONE ? 2 : 1;
    w->M3 = vars > w->M3 ? vars : w->M3;
    if (term == DSP_NONE) {
        w->zero_checks = true;
        w->ntau = vars > w->ntau ? vars : w->ntau;
    }
}

static void lin_terms(walk *w, uint32_t i, uint32_t *scratch)
{
    const dsp_op *o = &w->key->ops[i];
    bool          conv = false;
    for (uint32_t t = 0; t < o->n_terms; t++)
        conv = conv || o->terms[t].kind == DSP_TERM_CONV;
    if (w->key->mode != 0 || !conv) {
        for (uint32_t t = 0; t < o->n_terms; t++)
            scratch[t] = o->terms[t].view.x;
        expect(w, (dsp_label){DSP_C_LIN, i, 0}, scratch, o->n_terms);
        return;
    }
    group(w, i, DSP_R_Q);
    for (uint32_t t = 0; t < o->n_terms; t++)
        if (o->terms[t].kind == DSP_TERM_CONV) {
            const dsp_term   *c = &o->terms[t];
            const dsp_weight *wt = &w->key->weights[c->weight];
            const uint32_t    kd[3] = {tensor(w, c->view.x)->dims[0], wt->dims[2], wt->dims[3]};
            member(w, i, t, DSP_R_Q, dlog(kd));
        }
    for (uint32_t t = 0; t < o->n_terms; t++)
        if (o->terms[t].kind == DSP_TERM_VIEW) {
            if (w->fill) {
                w->D->aux_vals[w->n_aux_vals].op = i;
                w->D->aux_vals[w->n_aux_vals].term = t;
            }
            w->n_aux_vals++;
            expect(w, (dsp_label){DSP_C_TERM, i, t}, &o->terms[t].view.x, 1);
        }
    for (uint32_t t = 0; t < o->n_terms; t++)
        if (o->terms[t].kind == DSP_TERM_CONV)
            expect(w, (dsp_label){DSP_C_TERM, i, t}, &o->terms[t].view.x, 1);
}

static void walk_lin(walk *w, uint32_t i, uint32_t *scratch)
{
    const dsp_op     *o = &w->key->ops[i];
    const dsp_tensor *out = tensor(w, o->out);
    const bool        priv = private_tensor(w, o->out);
    uint32_t          dims[3];
    memcpy(dims, out->dims, sizeof dims);
    const int64_t lo = out->lo;
    made(w, o->out);
    if (o->s)
        ranged(w, i, DSP_R_REM, dims, &o->rem, DSP_NONE, 0);
    if (priv && o->q.n)
        ranged(w, i, DSP_R_Q, dims, &o->q, o->out, lo);
    for (unsigned c = 0; c < 2; c++) {
        const dsp_limbs *l = c ? &o->v : &o->u;
        const unsigned   part = c ? DSP_R_V : DSP_R_U;
        unsigned         bits = 0;
        if (l->n == 0)
            continue;
        for (unsigned k = 0; k < l->n; k++)
            bits += l->w[k];
        const uint32_t t = commit(w, o->name, part_name[part], -1, dims, bits);
        if (w->fill)
            w->D->op_side[i][c] = t;
        ranged(w, i, part, dims, l, t, 0);
    }
    const bool at_tau = !(o->s || priv || o->u.n || o->v.n);
    if (w->fill)
        w->D->op_at_tau[i] = at_tau;
    if (at_tau && dlog(dims) > w->ntau)
        w->ntau = dlog(dims);
    lin_terms(w, i, scratch);
    for (unsigned c = 0; c < 2; c++) {
        const unsigned part = c ? DSP_R_V : DSP_R_U;
        if ((c ? o->v.n : o->u.n) == 0)
            continue;
        group(w, i, part);
        member(w, i, DSP_NONE, part, dlog(dims));
        const uint32_t side = w->fill ? w->D->op_side[i][c] : w->key->n_tensors; /* committed: counted alike */
        expect(w, (dsp_label){DSP_C_ZERO, i, 2 * part}, &side, 1);
        expect(w, (dsp_label){DSP_C_ZERO, i, 2 * part + 1}, &o->out, 1);
    }
}

static void walk_op(walk *w, uint32_t i, uint32_t *scratch)
{
    const dsp_op *o = &w->key->ops[i];
    if (o->kind == DSP_OP_LIN) {
        walk_lin(w, i, scratch);
    } else if (o->kind == DSP_OP_MAX) {
        uint32_t dims[3];
        memcpy(dims, tensor(w, o->out)->dims, sizeof dims);
        const uint32_t ins[2][2] = {{o->out, o->a.x}, {o->out, o->b.x}};
        made(w, o->out);
        for (unsigned c = 0; c < 2; c++) {
            const unsigned part = c ? DSP_R_B : DSP_R_A;
            ranged(w, i, part, dims, &o->w, DSP_NONE, 0);
            expect(w, (dsp_label){DSP_C_MAX, i, part}, ins[c], 2);
        }
        group(w, i, DSP_R_A);
        member(w, i, DSP_NONE, DSP_R_A, dlog(dims));
        for (unsigned c = 0; c < 2; c++)
            expect(w, (dsp_label){DSP_C_ZERO, i, 2 * DSP_R_A + c}, ins[c], 2);
    } else if (o->kind == DSP_OP_TABLE) {
        made(w, o->out);
        if (w->fill)
            w->D->op_seg[i] = (uint32_t)w->n_segs;
        segment(w, i, DSP_NONE, 0, 2, o->table, tensor(w, o->out)->dims);
        expect(w, (dsp_label){DSP_C_TABLE_X, i, 0}, &o->x, 1);
        expect(w, (dsp_label){DSP_C_TABLE_Y, i, 0}, &o->out, 1);
    } else {
        ranged(w, i, DSP_R_X, tensor(w, o->x)->dims, &o->w, o->x, tensor(w, o->x)->lo);
    }
}

static void walk_all(walk *w, uint32_t *scratch)
{
    const dsp_key *k = w->key;
    char           text[16];
    w->n_tensors = k->n_tensors;
    w->n_aux = w->n_ranges = w->n_segs = w->n_expect = w->n_expect_tensors = w->n_groups = w->n_members = w->n_aux_vals = 0;
    w->n_columns = w->n_finals = w->text = w->leaves = 0;
    w->M3 = w->ntau = 0;
    w->zero_checks = false;
    memset(w->used, 0, k->n_tables);
    for (uint32_t i = 0; i < k->n_ops && w->status == DSP_OK; i++) {
        walk_op(w, i, scratch);
        if (w->n_expect > DSP_MAX_CLAIMS)
            REFUSE(w, DSP_E_LIMIT, "more than %d claims", DSP_MAX_CLAIMS);
    }
    uint32_t u = 0;
    for (uint32_t t = 0; t < k->n_tables && w->status == DSP_OK; t++) {
        if (!w->used[t])
            continue;
        const uint32_t dims[3] = {(uint32_t)1 << k->tables[t].log2_rows, 1, 1};
        snprintf(text, sizeof text, ".%u", t + 1);
        const uint32_t m = commit(w, "mult", text, -1, dims, 63);
        if (w->fill)
            w->D->used[u] = (dsp_used_table){.table = t, .tensor = m, .log2 = k->tables[t].log2_rows};
        expect(w, (dsp_label){DSP_C_MULT, u, 0}, &m, 1);
        w->leaves += dims[0];
        u++;
    }
    w->D->n_used = u;
    if (w->n_expect > DSP_MAX_CLAIMS)
        REFUSE(w, DSP_E_LIMIT, "more than %d claims", DSP_MAX_CLAIMS);
    if (w->leaves > (uint64_t)1 << DSP_MAX_NU)
        REFUSE(w, DSP_E_LIMIT, "a fraction tree of %llu leaves, at most 2^%d", (unsigned long long)w->leaves, DSP_MAX_NU);
}

/* Limits that stand before everything: sizes of tensors, makers, trees. */
static void before(walk *w)
{
    const dsp_key *k = w->key;
    uint64_t       pub = 0;
    uint32_t       edge = 0;
    uint8_t       *maker = DSP_NEW_N(uint8_t, k->n_tensors);
    if (!maker) {
        REFUSE(w, DSP_E_NOMEM, "slice key: no memory");
        return;
    }
    for (uint32_t i = 0; i < k->n_tensors && w->status == DSP_OK; i++) {
        const dsp_tensor *t = &k->tensors[i];
        for (int a = 0; a < 3; a++)
            if (t->dims[a] < 1 || t->dims[a] > DSP_MAX_AXIS)
                REFUSE(w, DSP_E_LIMIT, "tensor '%.80s': dimensions 1 to %d expected, %u found", t->name, DSP_MAX_AXIS, t->dims[a]);
        if (t->role == DSP_ROLE_PUB) {
            if (dlog(t->dims) <= 29) /* 2^26 cells pad to at most 2^29 */
                pub += dsp_cells(t->dims);
            if (dlog(t->dims) > 29 || pub > DSP_MAX_PUB_CELLS)
                REFUSE(w, DSP_E_LIMIT, "public tensors hold more than %d cells", DSP_MAX_PUB_CELLS);
        } else if (dlog(t->dims) > MAX_TREE_LOG2) {
            REFUSE(w, DSP_E_LIMIT, "tensor '%.80s': 2^%u padded cells, at most 2^%d", t->name, dlog(t->dims), MAX_TREE_LOG2);
        }
        if (t->role == DSP_ROLE_EDGE) {
            if (edge + 1 >= k->n_trees || k->trees[edge].edge != i)
                REFUSE(w, DSP_E_FORMAT, "trees: entry %u must be edge '%.80s'", edge, t->name);
            edge++;
        }
    }
    if (w->status == DSP_OK && (k->n_trees != edge + 1 || k->n_trees > DSP_MAX_TREES || k->trees[edge].edge != DSP_NONE))
        REFUSE(w, DSP_E_FORMAT, "trees: %u edges and 'A' expected, %u entries found", edge, k->n_trees);
    for (uint32_t i = 0; i < k->n_ops && w->status == DSP_OK; i++) {
        const uint32_t out = k->ops[i].kind == DSP_OP_RANGE ? DSP_NONE : k->ops[i].out;
        if (out != DSP_NONE && maker[out]++)
            REFUSE(w, DSP_E_FORMAT, "tensor '%.80s' is made twice, again by '%.80s'", k->tensors[out].name, k->ops[i].name);
        w->max_terms = k->ops[i].kind == DSP_OP_LIN && k->ops[i].n_terms > w->max_terms ? k->ops[i].n_terms : w->max_terms;
    }
    for (uint32_t i = 0; i < k->n_tensors && w->status == DSP_OK; i++)
        if (k->tensors[i].role == DSP_ROLE_AUX && !maker[i])
            REFUSE(w, DSP_E_FORMAT, "tensor '%.80s' is made by no operation", k->tensors[i].name);
    for (unsigned b = 0; b <= DSP_MAX_TABLE_BITS; b++)
        w->table_of[b] = DSP_NONE;
    for (uint32_t t = 0; t < k->n_tables && w->status == DSP_OK; t++) {
        if (k->tables[t].log2_rows < 1 || k->tables[t].log2_rows > DSP_MAX_TABLE_BITS)
            REFUSE(w, DSP_E_LIMIT, "table %u: 2^1 to 2^%d rows expected, 2^%u found", t, DSP_MAX_TABLE_BITS, k->tables[t].log2_rows);
        else if (k->tables[t].kind == DSP_TABLE_RANGE) {
            if (w->table_of[k->tables[t].log2_rows] != DSP_NONE)
                REFUSE(w, DSP_E_FORMAT, "one range table per width: two of %u bits", k->tables[t].log2_rows);
            w->table_of[k->tables[t].log2_rows] = t;
        }
    }
    dsp_free(maker);
}

/* place() of S4.3: offsets in order of decreasing size, ties in list order. Returns the end. */
static uint64_t place(uint64_t *off, const uint8_t *log2, size_t n)
{
    uint64_t at = 0;
    uint8_t  top = 0;
    for (size_t i = 0; i < n; i++)
        top = log2[i] > top ? log2[i] : top;
    for (unsigned m = top + 1u; m-- > 0;)
        for (size_t i = 0; i < n; i++)
            if (log2[i] == m) {
                off[i] = at;
                at += (uint64_t)1 << m;
            }
    return at;
}

static void *get(walk *w, size_t n, size_t size)
{
    void *p = w->status == DSP_OK ? dsp_arena_alloc(w->D->arena, n, size) : NULL;
    if (!p)
        REFUSE(w, DSP_E_NOMEM, "slice key: no memory for what follows from it");
    return p;
}

/* The smallest operations stand for the most: a limb of one byte is a tensor, a segment and a claim. No compiled key comes near. */
static void check_memory(walk *w)
{
    const dsp_derived *D = w->D;
    const uint64_t bytes = w->n_tensors * (sizeof *D->tensors + 13) + w->n_aux * sizeof *D->aux + w->n_ranges * sizeof *D->ranges + w->n_segs * sizeof *D->segs +
                           w->n_expect * sizeof *D->expect + w->n_expect_tensors * 4 + w->n_groups * sizeof *D->groups + w->n_members * sizeof *D->members +
                           w->n_aux_vals * sizeof *D->aux_vals + w->text + (uint64_t)w->key->n_ops * 64;
    if (bytes > MAX_DERIVED_BYTES)
        REFUSE(w, DSP_E_LIMIT, "what follows from the key takes %llu bytes, at most %d", (unsigned long long)bytes, MAX_DERIVED_BYTES);
}

static void allocate(walk *w)
{
    dsp_derived   *D = w->D;
    const dsp_key *k = w->key;
    D->n_tensors = (uint32_t)w->n_tensors;
    D->n_aux = (uint32_t)w->n_aux;
    D->n_ranges = (uint32_t)w->n_ranges;
    D->n_segs = (uint32_t)w->n_segs;
    D->n_columns = (uint32_t)w->n_columns;
    D->n_expect = (uint32_t)w->n_expect;
    D->n_groups = (uint32_t)w->n_groups;
    D->n_members = (uint32_t)w->n_members;
    D->n_finals = (uint32_t)w->n_finals;
    D->n_aux_vals = (uint32_t)w->n_aux_vals;
    D->tensors = get(w, D->n_tensors, sizeof *D->tensors);
    D->tensor_bits = get(w, D->n_tensors, 1);
    D->tensor_tree = get(w, D->n_tensors, sizeof *D->tensor_tree);
    D->tensor_off = get(w, D->n_tensors, sizeof *D->tensor_off);
    D->aux = get(w, D->n_aux, sizeof *D->aux);
    D->ranges = get(w, D->n_ranges, sizeof *D->ranges);
    D->segs = get(w, D->n_segs, sizeof *D->segs);
    D->used = get(w, D->n_used, sizeof *D->used);
    D->expect = get(w, D->n_expect, sizeof *D->expect);
    D->groups = get(w, D->n_groups, sizeof *D->groups);
    D->members = get(w, D->n_members, sizeof *D->members);
    D->aux_vals = get(w, D->n_aux_vals, sizeof *D->aux_vals);
    D->op_range = get(w, k->n_ops, sizeof *D->op_range);
    D->op_side = get(w, k->n_ops, sizeof *D->op_side);
    D->op_qcol = get(w, k->n_ops, sizeof *D->op_qcol);
    D->op_seg = get(w, k->n_ops, sizeof *D->op_seg);
    D->op_at_tau = get(w, k->n_ops, sizeof *D->op_at_tau);
    w->texts = get(w, w->text, 1);
    w->expect_tensors = get(w, w->n_expect_tensors, sizeof *w->expect_tensors);
    if (w->status != DSP_OK)
        return;
    if (k->n_tensors)
        memcpy(D->tensors, k->tensors, k->n_tensors * sizeof *D->tensors);
    for (uint32_t i = 0; i < k->n_ops; i++) {
        memset(D->op_range[i], 0xff, sizeof D->op_range[i]);
        memset(D->op_side[i], 0xff, sizeof D->op_side[i]);
        D->op_qcol[i] = D->op_seg[i] = DSP_NONE;
    }
}

/* The column that bounds q of a lin without a range of its own: the x column of the first table op that reads it. */
static void quotient_columns(walk *w)
{
    const dsp_key *k = w->key;
    dsp_derived   *D = w->D;
    uint32_t      *reader = DSP_NEW_N(uint32_t, k->n_tensors);
    if (!reader) {
        REFUSE(w, DSP_E_NOMEM, "slice key: no memory");
        return;
    }
    for (uint32_t i = 0; i < k->n_tensors; i++)
        reader[i] = DSP_NONE;
    for (uint32_t i = k->n_ops; i-- > 0;)
        if (k->ops[i].kind == DSP_OP_TABLE)
            reader[k->ops[i].x] = D->op_seg[i];
    for (uint32_t i = 0; i < k->n_ops; i++) {
        const dsp_op *o = &k->ops[i];
        if (o->kind != DSP_OP_LIN || o->q.n || !private_tensor(w, o->out))
            continue;
        D->op_qcol[i] = reader[o->out];
        if (D->op_qcol[i] == DSP_NONE)
            REFUSE(w, DSP_E_FORMAT, "operation '%.80s': its output has no range, and no table operation reads it", o->name);
    }
    dsp_free(reader);
}

static void fraction_tree(walk *w)
{
    dsp_derived *D = w->D;
    const size_t n = (size_t)D->n_segs + D->n_used;
    uint64_t    *off = DSP_NEW_N(uint64_t, n);
    uint8_t     *log2 = DSP_NEW_N(uint8_t, n);
    if (!off || !log2) {
        REFUSE(w, DSP_E_NOMEM, "slice key: no memory");
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        log2[i] = i < D->n_segs ? D->segs[i].log2 : D->used[i - D->n_segs].log2;
    D->nu = dsp_lg(place(off, log2, n));
    for (size_t i = 0; i < n; i++)
        *(i < D->n_segs ? &D->segs[i].offset : &D->used[i - D->n_segs].offset) = off[i];
done:
    dsp_free(off);
    dsp_free(log2);
}

/* Places tensors list[0..n) in a tree and sets its shape. */
static void fill_tree(walk *w, dsp_tree_info *t, uint32_t index, const uint32_t *list, uint32_t n)
{
    dsp_derived *D = w->D;
    uint64_t    *off = DSP_NEW_N(uint64_t, n), N = n ? 0 : 1, sum = 0;
    uint8_t     *log2 = DSP_NEW_N(uint8_t, n);
    if (!off || !log2) {
        REFUSE(w, DSP_E_NOMEM, "slice key: no memory");
        goto done;
    }
    for (uint32_t i = 0; i < n; i++) {
        log2[i] = D->tensor_bits[list[i]];
        sum += log2[i] > MAX_TREE_LOG2 ? UINT64_MAX / 2 : (uint64_t)1 << log2[i];
        if (sum > (uint64_t)1 << MAX_TREE_LOG2) {
            REFUSE(w, DSP_E_LIMIT, "trees: the tensors of entry %u have more than 2^%d cells", index, MAX_TREE_LOG2);
            goto done;
        }
    }
    place(off, log2, n);
    for (uint32_t i = 0; i < n; i++) {
        D->tensor_tree[list[i]] = index;
        D->tensor_off[list[i]] = off[i];
        N = off[i] + ((uint64_t)1 << log2[i]) > N ? off[i] + ((uint64_t)1 << log2[i]) : N;
    }
    const uint64_t R = (N - 1) / t->C + 1;
    if (R > DSP_MAX_ROWS) {
        REFUSE(w, DSP_E_LIMIT, "trees: entry %u has %llu rows, at most %d", index, (unsigned long long)R, DSP_MAX_ROWS);
        goto done;
    }
    t->R = (uint32_t)R;
    t->lr = (uint8_t)dsp_lg(R);
    t->lc = (uint8_t)dsp_lg(t->C);
    t->m = (uint8_t)(t->lr + t->lc);
    t->tensors = list;
    t->n_tensors = n;
done:
    dsp_free(off);
    dsp_free(log2);
}

static void trees(walk *w)
{
    const dsp_key *k = w->key;
    dsp_derived   *D = w->D;
    uint8_t        log2[DSP_MAX_TREES];
    uint64_t       off[DSP_MAX_TREES];
    D->n_trees = k->n_trees;
    D->trees = get(w, k->n_trees, sizeof *D->trees);
    uint32_t *edges = get(w, k->n_trees, sizeof *edges), *lists = get(w, k->n_trees, sizeof *lists);
    D->lengths = get(w, k->n_trees, sizeof *D->lengths);
    if (w->status != DSP_OK)
        return;
    for (uint32_t i = 0; i < D->n_tensors; i++)
        D->tensor_tree[i] = DSP_NONE;
    for (uint32_t i = 0; i < k->n_trees && w->status == DSP_OK; i++) {
        const dsp_geometry *g = &k->trees[i];
        dsp_tree_info      *t = &D->trees[i];
        const bool          is_a = i + 1 == k->n_trees;
        if (!dsp_is_pow2(g->C) || !dsp_is_pow2(g->n) || g->C > DSP_MAX_CODE || g->n > DSP_MAX_CODE || g->J > DSP_MAX_J || g->t > DSP_MAX_CODE) {
            REFUSE(w, DSP_E_LIMIT, "trees: entry %u: geometry out of bounds (C %u, n %u, J %u, t %u)", i, g->C, g->n, g->J, g->t);
            return;
        }
        *t = (dsp_tree_info){.edge = g->edge, .kind = is_a ? DSP_TREE_A : DSP_TREE_B, .C = g->C, .n = g->n, .J = g->J, .t = g->t,
                             .k = g->C + (uint64_t)g->J * g->t};
        edges[i] = g->edge;
        fill_tree(w, t, i, is_a ? D->aux : &edges[i], is_a ? D->n_aux : 1);
    }
    if (w->status != DSP_OK)
        return;
    /* distinct lengths, ascending; trees of each in key order */
    uint32_t at = 0;
    for (uint32_t last = 0;;) {
        uint32_t next = UINT32_MAX;
        for (uint32_t i = 0; i < D->n_trees; i++)
            if (D->trees[i].n > last && D->trees[i].n < next)
                next = D->trees[i].n;
        if (next == UINT32_MAX)
            break;
        dsp_length *l = &D->lengths[D->n_lengths++];
        *l = (dsp_length){.n = next, .trees = lists + at, .is_mask = next != D->trees[D->n_trees - 1].n};
        for (uint32_t i = 0; i < D->n_trees; i++)
            if (D->trees[i].n == next) {
                lists[at++] = i;
                l->n_trees++;
                l->t = D->trees[i].t;
            }
        last = next;
    }
    for (uint32_t i = 0; i < D->n_trees; i++) {
        D->trees[i].width = D->trees[i].R;
        log2[i] = D->trees[i].m;
    }
    for (uint32_t i = 0; i < D->n_lengths; i++)
        if (!D->lengths[i].is_mask)
            D->trees[D->n_trees - 1].width += 4 * D->lengths[i].n_trees;
    D->M = dsp_lg(place(off, log2, D->n_trees));
    for (uint32_t i = 0; i < D->n_trees; i++)
        D->trees[i].base = off[i];
}

/* Pads in sending order, products, lengths (S7, S8.8, S10). */
static void pads(walk *w)
{
    const dsp_key *k = w->key;
    dsp_derived   *D = w->D;
    const uint64_t nu = D->nu, zero = (uint64_t)D->n_finals - D->n_members; /* a zero-check has two finals, a term one */
    const uint64_t nprod = (nu ? 3 * nu - 1 : 0) + zero;
    const uint64_t before_finals = nu * nu + 3 * nu + D->n_columns + D->n_used + D->n_aux_vals + (uint64_t)D->deg3 * D->M3;
    const uint64_t npad = before_finals + D->n_finals + 2 * D->M + 2 * D->n_trees;
    if (npad + nprod > INT32_MAX)
        REFUSE(w, DSP_E_LIMIT, "%llu hidden values", (unsigned long long)(npad + nprod));
    if (!dsp_is_pow2(k->pad_k) || !dsp_is_pow2(k->pad_n) || k->pad_k > DSP_MAX_CODE || k->pad_n > DSP_MAX_CODE || k->pad_t >= k->pad_k)
        REFUSE(w, DSP_E_LIMIT, "pads: geometry out of bounds (k %u, n %u, t %u)", k->pad_k, k->pad_n, k->pad_t);
    D->triples = get(w, (size_t)nprod, sizeof *D->triples);
    if (w->status != DSP_OK)
        return;
    D->npad = (uint32_t)npad;
    D->nprod = (uint32_t)nprod;
    uint32_t at = 0, p = 0;
    for (uint32_t j = 1; j <= D->nu; j++) {
        at += 2 * (j - 1) + 4;
        const uint32_t v = at - 4; /* p0, p1, q0, q1 */
        D->triples[p][0] = v, D->triples[p++][1] = v + 3;
        D->triples[p][0] = v + 1, D->triples[p++][1] = v + 2;
        if (j > 1)
            D->triples[p][0] = v + 2, D->triples[p++][1] = v + 3;
    }
    for (uint32_t i = 0; i < D->n_members; i++)
        if (D->members[i].term == DSP_NONE) {
            D->triples[p][0] = (uint32_t)before_finals + D->members[i].final0;
            D->triples[p++][1] = (uint32_t)before_finals + D->members[i].final0 + 1;
        }
    D->pad_w = k->pad_k - k->pad_t;
    D->pad_nw = (uint32_t)((npad + nprod + D->pad_w - 1) / D->pad_w);
    D->pad_nq = (uint32_t)((nprod + D->pad_w - 1) / D->pad_w);
    const uint64_t rows = 3 + (uint64_t)D->pad_nw + 3 * (uint64_t)D->pad_nq;
    if (rows > INT32_MAX) {
        REFUSE(w, DSP_E_LIMIT, "pads: %llu rows", (unsigned long long)rows);
        return;
    }
    D->pad_rows = (uint32_t)rows;
    /* the largest addend is t_P 16 rows < 2^22 2^4 2^31 */
    uint64_t fixed = PROOF_HEADER + 32 * 2 + 16 * npad + 16 * ((uint64_t)k->pad_k + 2 * (2 * (uint64_t)k->pad_k - 1)), open = 0;
    for (uint32_t i = 0; i < D->n_trees; i++) {
        const dsp_tree_info *t = &D->trees[i];
        fixed += 32 * t->k + (uint64_t)t->t * (SALT + 8 * (uint64_t)t->width);
        open += (uint64_t)t->t * dsp_lg(t->n);
    }
    for (uint32_t i = 0; i < D->n_lengths; i++)
        if (D->lengths[i].is_mask) {
            fixed += 32 + (uint64_t)D->lengths[i].t * (SALT + 32 * (uint64_t)D->lengths[i].n_trees);
            open += (uint64_t)D->lengths[i].t * dsp_lg(D->lengths[i].n);
        }
    D->fixed_bytes = fixed + k->pad_t * (SALT + 16 * rows);
    D->max_bytes = D->fixed_bytes + 32 * (open + (uint64_t)k->pad_t * dsp_lg(k->pad_n));
}

dsp_status dsp_derive(dsp_derived **out, const dsp_key *key, dsp_err *err)
{
    dsp_derived *D = DSP_NEW(dsp_derived);
    uint32_t    *scratch = NULL;
    walk         w = {.key = key, .D = D, .err = err};
    *out = NULL;
    if (!D || !(D->arena = dsp_arena_create(0)) || !(w.used = DSP_NEW_N(uint8_t, key->n_tables))) {
        REFUSE(&w, DSP_E_NOMEM, "slice key: no memory");
        goto done;
    }
    D->key = key;
    before(&w);
    if (w.status != DSP_OK)
        goto done;
    if (!(scratch = DSP_NEW_N(uint32_t, w.max_terms))) {
        REFUSE(&w, DSP_E_NOMEM, "slice key: no memory");
        goto done;
    }
    D->tensors = key->tensors; /* the counting walk looks at key tensors only */
    walk_all(&w, scratch);
    check_memory(&w);
    if (w.status != DSP_OK)
        goto done;
    allocate(&w);
    if (w.status != DSP_OK)
        goto done;
    w.fill = true;
    walk_all(&w, scratch);
    D->M3 = w.M3;
    D->ntau = w.ntau;
    D->deg3 = w.zero_checks ? 3 : 2;
    for (uint32_t i = 0; i < D->n_tensors; i++)
        D->tensor_bits[i] = (uint8_t)dlog(D->tensors[i].dims);
    if (w.status == DSP_OK)
        quotient_columns(&w);
    if (w.status == DSP_OK)
        fraction_tree(&w);
    if (w.status == DSP_OK)
        trees(&w);
    if (w.status == DSP_OK)
        pads(&w);
done:
    dsp_free(w.used);
    dsp_free(scratch);
    if (w.status == DSP_OK)
        *out = D;
    else
        dsp_derived_free(D);
    return w.status;
}

void dsp_derived_free(dsp_derived *D)
{
    if (!D)
        return;
    dsp_arena_free(D->arena);
    dsp_free(D);
}
