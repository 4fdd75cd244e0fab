/* The rules of V1 (S5, S12) that go beyond a key's encoding and limits: its program means what the proof shows.
 *
 * Sums and products saturate at 2^100, far above p, so a rule of the form "below p" never passes by overflow. */
#include "circuit/derive.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "circuit/codec.h"

#define TOP ((dsp_u128)1 << 100)

static dsp_u128 add(dsp_u128 a, dsp_u128 b) { return a > TOP - (b > TOP ? TOP : b) ? TOP : a + b; }
static dsp_u128 mul(dsp_u128 a, dsp_u128 b) { return a != 0 && b > TOP / a ? TOP : a * b; }
static dsp_u128 pow2(unsigned e) { return e >= 100 ? TOP : (dsp_u128)1 << e; }
static dsp_u128 mag(int64_t x) { return x < 0 ? (dsp_u128)(0 - (uint64_t)x) : (dsp_u128)(uint64_t)x; }
static dsp_u128 max_u(dsp_u128 a, dsp_u128 b) { return a > b ? a : b; }
static bool     below_p(dsp_u128 x) { return x < DSP_P; }

static dsp_u128 magnitude(const dsp_tensor *t) { return max_u(mag(t->lo), mag(t->hi)); }
static dsp_u128 span(const dsp_tensor *t) { return (dsp_u128)((dsp_i128)t->hi - t->lo); } /* lo <= hi is checked first */

static unsigned bits(const dsp_limbs *l)
{
    unsigned b = 0;
    for (unsigned i = 0; i < l->n; i++)
        b += l->w[i];
    return b;
}

#define RULE(ok, ...)                                           \
    do {                                                        \
        if (!(ok))                                              \
            return dsp_fail(err, DSP_E_REJECTED, "V1 " __VA_ARGS__); \
    } while (0)

static dsp_status check_geometry(const dsp_derived *D, dsp_err *err)
{
    const dsp_key *k = D->key;
    const unsigned b = dsp_profile_bits(k->profile);
    RULE(b != 0, "profile: %u is not one of this build", k->profile);
    for (uint32_t i = 0; i < D->n_trees; i++) {
        const dsp_tree_info *t = &D->trees[i];
        const char          *name = t->edge == DSP_NONE ? "A" : k->tensors[t->edge].name;
        for (uint32_t j = 0; j < D->n_lengths; j++)
            RULE(D->lengths[j].n != t->n || D->lengths[j].t == t->t, "trees: one t per code length: '%.80s' has %u, another of length %u has %u",
                 name, t->t, t->n, D->lengths[j].t);
        RULE(dsp_t_ok(t->n, t->k, t->t, b), "queries: tree '%.80s' (n %u, k %llu) asks for %u, too few or too many for 2^-%u", name, t->n,
             (unsigned long long)t->k, t->t, b);
        RULE(t->J >= 1, "trees: budget of '%.80s'", name);
    }
    RULE(D->trees[D->n_trees - 1].J == 1, "trees: budget of 'A' must be 1, %u found", D->trees[D->n_trees - 1].J);
    RULE(dsp_t_pads_ok(k->pad_n, k->pad_k, k->pad_t, b), "pads: %u queries at n %u, k %u, too few or too many for 2^-%u", k->pad_t, k->pad_n, k->pad_k, b);
    return DSP_OK;
}

/* No name looks like a derived one. All names of operations and tensors lie in one sorted table: those that start with
 * "NAME." are neighbours. */
static dsp_status check_names(const dsp_derived *D, dsp_err *err)
{
    const dsp_key *k = D->key;
    const size_t   n = (size_t)k->n_tensors + k->n_ops;
    dsp_name      *v = DSP_NEW_N(dsp_name, n);
    char          *text = NULL;
    size_t         longest = 8;
    dsp_status     s = DSP_OK;
    for (uint32_t i = 0; i < k->n_ops; i++)
        longest = strlen(k->ops[i].name) > longest ? strlen(k->ops[i].name) : longest;
    if (!v || !(text = dsp_calloc(longest + 2, 1))) {
        s = dsp_fail(err, DSP_E_NOMEM, "slice key: no memory");
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        v[i] = (dsp_name){i < k->n_tensors ? k->tensors[i].name : k->ops[i - k->n_tensors].name, (uint32_t)i};
    dsp_names_sort(v, n);
    for (uint32_t i = 0; i < k->n_tensors && s == DSP_OK; i++)
        if (strcmp(k->tensors[i].name, "A") == 0 || strncmp(k->tensors[i].name, "mult.", 5) == 0)
            s = dsp_fail(err, DSP_E_REJECTED, "V1 names: tensor '%.80s' has a name of the proof's own", k->tensors[i].name);
    for (uint32_t i = 0; i < k->n_ops && s == DSP_OK; i++) {
        const size_t len = strlen(k->ops[i].name);
        memcpy(text, k->ops[i].name, len);
        text[len] = '.';
        const size_t at = dsp_names_lower(v, n, text, len + 1);
        if (at < n && strncmp(v[at].s, text, len + 1) == 0)
            s = dsp_fail(err, DSP_E_REJECTED, "V1 names: '%.80s' may clash with what derives from operation '%.80s'", v[at].s, k->ops[i].name);
    }
done:
    dsp_free(v);
    dsp_free(text);
    return s;
}

static int by_pair(const void *x, const void *y)
{
    const int64_t *a = x, *b = y;
    for (int i = 0; i < 2; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static dsp_status check_tables(const dsp_derived *D, dsp_err *err)
{
    const dsp_key *k = D->key;
    dsp_status     s = DSP_OK;
    uint8_t        seen[DSP_MAX_TABLE_BITS + 1] = {0};
    int64_t       *v = DSP_NEW_N(int64_t, (size_t)2 << DSP_MAX_TABLE_BITS);
    if (!v)
        return dsp_fail(err, DSP_E_NOMEM, "slice key: no memory");
    for (uint32_t i = 0; i < k->n_tables && s == DSP_OK; i++) {
        const dsp_table *t = &k->tables[i];
        const size_t     rows = (size_t)1 << t->log2_rows;
        if (t->kind == DSP_TABLE_RANGE) {
            if (seen[t->log2_rows]++)
                s = dsp_fail(err, DSP_E_REJECTED, "V1 tables: one range table per width: two of %u bits", t->log2_rows);
            continue;
        }
        for (size_t j = 0; j < 2 * rows && s == DSP_OK; j++)
            if (!below_p(2 * mag(t->pairs[j])))
                s = dsp_fail(err, DSP_E_REJECTED, "V1 tables: table %u, row %zu: a value beyond p/2", i, j / 2);
        memcpy(v, t->pairs, 16 * rows);
        qsort(v, rows, 16, by_pair);
        for (size_t j = 1; j < rows && s == DSP_OK; j++)
            if (v[2 * j] == v[2 * j - 2] && v[2 * j + 1] != v[2 * j - 1])
                s = dsp_fail(err, DSP_E_REJECTED, "V1 tables: table %u is no function: two values for %lld", i, (long long)v[2 * j]);
    }
    dsp_free(v);
    return s;
}

/* Integer i of weight number w, packed or not. */
static int64_t weight_at(const dsp_key *k, uint32_t w, size_t i)
{
    return k->weights[w].v ? k->weights[w].v[i] : dsp_int_at(k->packed[w].p, k->packed[w].width, i);
}

/* Weights of a key that was read and is good, as the rest of the program reads them. */
static dsp_status unpack(const dsp_key *k, dsp_err *err)
{
    for (uint32_t i = 0; i < k->n_weights; i++) {
        dsp_weight *w = &k->weights[i];
        if (w->v)
            continue;
        int64_t *v = DSP_ARENA_RAW(k->arena, int64_t, w->count);
        if (!v)
            return dsp_fail(err, DSP_E_NOMEM, "slice key: no memory for %u integers", w->count);
        dsp_ints_unpack(v, k->packed[i].p, w->count, k->packed[i].width);
        w->v = v;
    }
    return DSP_OK;
}

static dsp_status check_conv(const dsp_key *k, const dsp_op *o, const dsp_term *t, dsp_err *err)
{
    const dsp_weight *w = &k->weights[t->weight];
    const uint32_t    cin = k->tensors[t->view.x].dims[0], O = k->tensors[o->out].dims[0];
    uint64_t          cells = 1;
    for (int a = 0; a < 4 && cells <= UINT32_MAX; a++) {
        RULE(w->dims[a] >= 1 && w->dims[a] <= DSP_MAX_AXIS, "weight '%.80s': dimension %u", w->name, w->dims[a]);
        cells *= w->dims[a];
    }
    RULE(cells == w->count, "weight '%.80s': its dimensions and its %u integers differ", w->name, w->count);
    RULE(cin % w->dims[1] == 0 && w->dims[0] == O && O % (cin / w->dims[1]) == 0,
         "conv shape: '%.80s': %u output and %u input channels with a weight of %u x %u", o->name, O, cin, w->dims[0], w->dims[1]);
    for (int a = 0; a < 2; a++)
        RULE(t->stride[a] >= 1 && t->stride[a] <= DSP_MAX_AXIS && t->pad[a] <= DSP_MAX_AXIS && t->dil[a] >= 1 && t->dil[a] <= DSP_MAX_AXIS,
             "conv shape: '%.80s': stride, padding or dilation", o->name);
    return DSP_OK;
}

static dsp_status check_view(const dsp_op *o, const dsp_view *v, dsp_err *err)
{
    for (int a = 0; a < 3; a++)
        RULE(v->stride[a] >= 1 && v->stride[a] <= DSP_MAX_AXIS && mag(v->off[a]) <= DSP_MAX_AXIS, "view: '%.80s': stride or offset", o->name);
    return DSP_OK;
}

/* The range of q: its own lookups, or those of the table operation that reads it. */
static dsp_status check_quotient(const dsp_derived *D, uint32_t i, dsp_err *err)
{
    const dsp_key    *k = D->key;
    const dsp_op     *o = &k->ops[i];
    const dsp_tensor *out = &k->tensors[o->out];
    if (out->role == DSP_ROLE_PUB) {
        RULE(o->q.n == 0, "range of q: '%.80s' has a public output and needs no lookups for it", o->name);
    } else if (o->q.n) {
        RULE(span(out) + 1 == pow2(bits(&o->q)), "range of q: '%.80s': hi - lo + 1 must be 2^%u", o->name, bits(&o->q));
    } else {
        const dsp_table *t = D->op_qcol[i] == DSP_NONE ? NULL : &k->tables[D->segs[D->op_qcol[i]].table];
        RULE(t && t->kind == DSP_TABLE_PAIRS, "range of q: '%.80s': no pairs table bounds it", o->name);
        for (size_t j = 0; j < (size_t)1 << t->log2_rows; j++)
            RULE(out->lo <= t->pairs[2 * j] && t->pairs[2 * j] <= out->hi, "range of q: '%.80s': row %zu of the table that reads it lies outside", o->name, j);
    }
    return DSP_OK;
}

static dsp_status check_lin(const dsp_derived *D, uint32_t i, dsp_err *err)
{
    const dsp_key    *k = D->key;
    const dsp_op     *o = &k->ops[i];
    const dsp_tensor *out = &k->tensors[o->out];
    const unsigned    s = o->s;
    dsp_u128          views = 0, top = 0, my = 0, mx = 0;
    dsp_status        st;
    RULE(o->n_terms > 0, "terms: '%.80s' has none", o->name);
    RULE(o->M.n == out->dims[0] && (o->My.n == 0 || o->My.n == out->dims[1]) && (o->Mx.n == 0 || o->Mx.n == out->dims[2]),
         "requantisation: '%.80s': multipliers and output differ in shape", o->name);
    RULE(bits(&o->rem) == s, "requantisation: '%.80s': the remainder's limbs have %u bits, the shift %u", o->name, bits(&o->rem), s);
    if ((st = check_quotient(D, i, err)) != DSP_OK)
        return st;
    for (uint32_t t = 0; t < o->n_terms; t++) {
        st = o->terms[t].kind == DSP_TERM_CONV ? check_conv(k, o, &o->terms[t], err) : check_view(o, &o->terms[t].view, err);
        if (st != DSP_OK)
            return st;
        if (o->terms[t].kind == DSP_TERM_VIEW)
            views = add(views, mul(mag(o->terms[t].mult), magnitude(&k->tensors[o->terms[t].view.x])));
    }
    RULE(o->bias == DSP_NONE || k->weights[o->bias].count == out->dims[0], "bias: '%.80s': %u integers expected", o->name, out->dims[0]);
    for (uint32_t c = 0; c < out->dims[0]; c++) {
        dsp_u128 acc = views;
        for (uint32_t t = 0; t < o->n_terms; t++) {
            const dsp_term *x = &o->terms[t];
            if (x->kind != DSP_TERM_CONV)
                continue;
            const dsp_weight *w = &k->weights[x->weight];
            const size_t      n = w->count / w->dims[0];
            dsp_u128          sum = 0; /* at most 2^32 2^63 */
            for (size_t j = 0; j < n; j++)
                sum += mag(weight_at(k, x->weight, c * n + j));
            acc = add(acc, mul(sum, magnitude(&k->tensors[x->view.x])));
        }
        if (o->bias != DSP_NONE)
            acc = add(acc, mag(weight_at(k, o->bias, c)));
        top = max_u(top, mul(acc, mag(o->M.v[c])));
    }
    for (uint32_t j = 0; j < o->My.n; j++)
        my = max_u(my, mag(o->My.v[j]));
    for (uint32_t j = 0; j < o->Mx.n; j++)
        mx = max_u(mx, mag(o->Mx.v[j]));
    top = mul(mul(top, o->My.n ? my : 1), o->Mx.n ? mx : 1);
    RULE(below_p(mul(2, add(top, s ? pow2(s - 1) : 0))), "wrap: accumulator: '%.80s' may pass p/2", o->name);
    const dsp_i128 low = -(dsp_i128)out->lo, q = low > out->hi ? low : out->hi; /* lo <= hi: not negative */
    RULE(below_p(mul(2, mul(add(add((dsp_u128)q, 1), add(pow2(bits(&o->u)), pow2(bits(&o->v)))), pow2(s)))), "wrap: q: '%.80s' may pass p/2", o->name);
    return DSP_OK;
}

static dsp_status check_max(const dsp_key *k, const dsp_op *o, dsp_err *err)
{
    const dsp_tensor *out = &k->tensors[o->out];
    for (int c = 0; c < 2; c++) {
        const dsp_view   *v = c ? &o->b : &o->a;
        const dsp_tensor *x = &k->tensors[v->x];
        const dsp_status  s = check_view(o, v, err);
        if (s != DSP_OK)
            return s;
        RULE(out->lo <= x->lo && x->hi <= out->hi, "max: '%.80s': the range of '%.80s' is not inside that of the output", o->name, x->name);
    }
    RULE(o->w.n > 0, "max: '%.80s' has no limbs", o->name);
    RULE(below_p(mul(2, add(pow2(bits(&o->w)), span(out)))), "wrap: max: '%.80s' may pass p/2", o->name);
    return DSP_OK;
}

static dsp_status check_table_op(const dsp_key *k, const dsp_op *o, dsp_err *err)
{
    const dsp_table  *t = &k->tables[o->table];
    const dsp_tensor *out = &k->tensors[o->out], *x = &k->tensors[o->x];
    RULE(t->kind == DSP_TABLE_PAIRS, "table: '%.80s' needs a pairs table", o->name);
    RULE(memcmp(out->dims, x->dims, sizeof x->dims) == 0, "table: '%.80s': input and output differ in shape", o->name);
    for (size_t j = 0; j < (size_t)1 << t->log2_rows; j++)
        RULE(out->lo <= t->pairs[2 * j + 1] && t->pairs[2 * j + 1] <= out->hi, "table range: '%.80s': row %zu lies outside the output's range", o->name, j);
    return DSP_OK;
}

/* Every input is made by an earlier operation or by none. */
static dsp_status check_order(const dsp_key *k, uint32_t i, const uint8_t *outs, const uint8_t *made, uint32_t x, dsp_err *err)
{
    RULE(made[x] || !outs[x], "order of operations: '%.80s' reads '%.80s' before it is made", k->ops[i].name, k->tensors[x].name);
    return DSP_OK;
}

static dsp_status check_ops(const dsp_derived *D, dsp_err *err)
{
    const dsp_key *k = D->key;
    dsp_status     s = DSP_OK;
    uint8_t       *outs = DSP_NEW_N(uint8_t, k->n_tensors), *made = DSP_NEW_N(uint8_t, k->n_tensors);
    if (!outs || !made)
        s = dsp_fail(err, DSP_E_NOMEM, "slice key: no memory");
    for (uint32_t i = 0; i < k->n_ops && s == DSP_OK; i++)
        if (k->ops[i].kind != DSP_OP_RANGE)
            outs[k->ops[i].out] = 1;
    for (uint32_t i = 0; i < k->n_ops && s == DSP_OK; i++) {
        const dsp_op *o = &k->ops[i];
        uint32_t      in[2] = {o->x, o->x};
        if (o->kind == DSP_OP_MAX) {
            in[0] = o->a.x;
            in[1] = o->b.x;
        }
        for (uint32_t t = 0; t < o->n_terms && o->kind == DSP_OP_LIN && s == DSP_OK; t++)
            s = check_order(k, i, outs, made, o->terms[t].view.x, err);
        for (int c = 0; c < 2 && o->kind != DSP_OP_LIN && s == DSP_OK; c++)
            s = check_order(k, i, outs, made, in[c], err);
        if (s != DSP_OK)
            break;
        if (o->kind == DSP_OP_LIN) {
            s = check_lin(D, i, err);
        } else if (o->kind == DSP_OP_MAX) {
            s = check_max(k, o, err);
        } else if (o->kind == DSP_OP_TABLE) {
            s = check_table_op(k, o, err);
        } else {
            const dsp_tensor *x = &k->tensors[o->x];
            if (o->w.n == 0 || x->role != DSP_ROLE_EDGE)
                s = dsp_fail(err, DSP_E_REJECTED, "V1 range: '%.80s': limbs and a boundary tensor expected", o->name);
            else if (span(x) + 1 != pow2(bits(&o->w)))
                s = dsp_fail(err, DSP_E_REJECTED, "V1 range: '%.80s': hi - lo + 1 must be 2^%u", o->name, bits(&o->w));
        }
        if (o->kind != DSP_OP_RANGE)
            made[o->out] = 1;
    }
    dsp_free(outs);
    dsp_free(made);
    return s;
}

dsp_status dsp_key_check(const dsp_derived *D, dsp_err *err)
{
    const dsp_key *k = D->key;
    dsp_status     s = check_geometry(D, err);
    RULE(s != DSP_OK || k->mode <= 1, "mode: 0 or 1 expected, %u found", k->mode);
    for (uint32_t i = 0; i < k->n_tensors && s == DSP_OK; i++) {
        const dsp_tensor *t = &k->tensors[i];
        RULE(t->lo <= t->hi, "tensor '%.80s': its range is empty", t->name);
        RULE(below_p(2 * magnitude(t)), "tensor '%.80s': its range passes p/2", t->name);
    }
    if (s == DSP_OK)
        s = check_names(D, err);
    if (s == DSP_OK)
        s = check_tables(D, err);
    if (s == DSP_OK)
        s = check_ops(D, err);
#ifdef DSP_TEST_HOOKS /* tests go on with keys that break a rule */
    if (s == DSP_E_REJECTED && unpack(k, NULL) != DSP_OK)
        s = DSP_E_NOMEM;
#endif
    return s == DSP_OK ? unpack(k, err) : s;
}
