#include "circuit/key.h"

#include <string.h>

#include "base/size.h"
#include "circuit/codec.h"

dsp_key *dsp_key_create(void)
{
    dsp_key *k = DSP_NEW(dsp_key);
    if (k && !(k->arena = dsp_arena_create(0))) {
        dsp_free(k);
        k = NULL;
    }
    return k;
}

void dsp_key_free(dsp_key *key)
{
    if (!key)
        return;
    dsp_arena_free(key->arena);
    dsp_free(key);
}

/* ---- writing ---- */

typedef struct { dsp_buf *out; const dsp_key *key; const char *bad_name; bool bad; } wr;

static void put_name(wr *w, const char *s)
{
    if (!w->bad && !dsp_name_write(w->out, s)) {
        w->bad = true;
        w->bad_name = s ? s : "";
    }
}

static void put_u32s(wr *w, const uint32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dsp_buf_u32(w->out, v[i]);
}

static void put_tensor_name(wr *w, uint32_t t) { put_name(w, t < w->key->n_tensors ? w->key->tensors[t].name : NULL); }
static void put_weight_name(wr *w, uint32_t t) { put_name(w, t < w->key->n_weights ? w->key->weights[t].name : NULL); }

static void put_limbs(wr *w, const dsp_limbs *l)
{
    dsp_buf_u8(w->out, l->n);
    dsp_buf_put(w->out, l->w, l->n);
}

static void put_geometry(wr *w, const dsp_view *v)
{
    put_u32s(w, v->stride, 3);
    for (int i = 0; i < 3; i++)
        dsp_buf_i64(w->out, v->off[i]);
}

static void put_view(wr *w, const dsp_view *v)
{
    put_tensor_name(w, v->x);
    put_geometry(w, v);
}

static void put_lin(wr *w, const dsp_op *o)
{
    put_tensor_name(w, o->out);
    if (o->bias == DSP_NONE)
        dsp_buf_u16(w->out, 0);
    else
        put_weight_name(w, o->bias);
    dsp_ints_write(w->out, o->M.v, o->M.n);
    dsp_ints_write(w->out, o->My.v, o->My.n);
    dsp_ints_write(w->out, o->Mx.v, o->Mx.n);
    dsp_buf_u8(w->out, o->s);
    put_limbs(w, &o->rem);
    put_limbs(w, &o->q);
    put_limbs(w, &o->u);
    put_limbs(w, &o->v);
    dsp_buf_u32(w->out, o->n_terms);
    for (uint32_t i = 0; i < o->n_terms; i++) {
        const dsp_term *t = &o->terms[i];
        dsp_buf_u8(w->out, t->kind);
        put_tensor_name(w, t->view.x);
        if (t->kind == DSP_TERM_CONV) {
            put_weight_name(w, t->weight);
            put_u32s(w, t->stride, 2);
            put_u32s(w, t->pad, 2);
            put_u32s(w, t->dil, 2);
        } else {
            dsp_buf_i64(w->out, t->mult);
            put_geometry(w, &t->view);
        }
    }
}

static void put_op(wr *w, const dsp_op *o)
{
    dsp_buf_u8(w->out, o->kind);
    put_name(w, o->name);
    switch (o->kind) {
    case DSP_OP_LIN:
        put_lin(w, o);
        break;
    case DSP_OP_MAX:
        put_tensor_name(w, o->out);
        put_view(w, &o->a);
        put_view(w, &o->b);
        put_limbs(w, &o->w);
        break;
    case DSP_OP_TABLE:
        put_tensor_name(w, o->out);
        put_tensor_name(w, o->x);
        dsp_buf_u32(w->out, o->table);
        break;
    default:
        put_tensor_name(w, o->x);
        put_limbs(w, &o->w);
    }
}

dsp_status dsp_key_write(dsp_buf *out, const dsp_key *key, dsp_err *err)
{
    wr w = {.out = out, .key = key};
    dsp_buf_put(out, "DSPK", 4);
    dsp_buf_u32(out, DSP_PROTOCOL_VERSION);
    dsp_buf_u32(out, key->profile);
    put_name(&w, key->name);
    dsp_buf_u8(out, key->mode);
    dsp_buf_u32(out, key->n_tensors);
    for (uint32_t i = 0; i < key->n_tensors; i++) {
        const dsp_tensor *t = &key->tensors[i];
        put_name(&w, t->name);
        dsp_buf_u8(out, t->role);
        put_u32s(&w, t->dims, 3);
        dsp_buf_i64(out, t->lo);
        dsp_buf_i64(out, t->hi);
        dsp_buf_i64(out, t->scale_bits);
    }
    dsp_buf_u32(out, key->n_weights);
    for (uint32_t i = 0; i < key->n_weights; i++) {
        put_name(&w, key->weights[i].name);
        put_u32s(&w, key->weights[i].dims, 4);
        if (key->weights[i].v) {
            dsp_ints_write(out, key->weights[i].v, key->weights[i].count);
        } else { /* as it was read */
            dsp_buf_u8(out, key->packed[i].width);
            dsp_buf_u32(out, key->weights[i].count);
            dsp_buf_put(out, key->packed[i].p, (size_t)key->weights[i].count * key->packed[i].width);
        }
    }
    dsp_buf_u32(out, key->n_tables);
    for (uint32_t i = 0; i < key->n_tables; i++) {
        const dsp_table *t = &key->tables[i];
        dsp_buf_u8(out, t->kind);
        dsp_buf_u8(out, t->log2_rows);
        for (size_t j = 0; t->kind == DSP_TABLE_PAIRS && j < (size_t)2 << t->log2_rows; j++)
            dsp_buf_i64(out, t->pairs[j]);
    }
    dsp_buf_u32(out, key->n_ops);
    for (uint32_t i = 0; i < key->n_ops; i++)
        put_op(&w, &key->ops[i]);
    dsp_buf_u32(out, key->n_trees);
    for (uint32_t i = 0; i < key->n_trees; i++) {
        const dsp_geometry *g = &key->trees[i];
        if (g->edge == DSP_NONE)
            put_name(&w, "A");
        else
            put_tensor_name(&w, g->edge);
        put_u32s(&w, (const uint32_t[]){g->C, g->n, g->J, g->t}, 4);
    }
    put_u32s(&w, (const uint32_t[]){key->pad_k, key->pad_n, key->pad_t}, 3);
    if (w.bad)
        return dsp_fail(err, DSP_E_ARG, "slice key: names have 1 to 65535 bytes of UTF-8, '%.80s' found", w.bad_name);
    return out->bad ? dsp_fail(err, DSP_E_NOMEM, "slice key: no memory for its bytes") : DSP_OK;
}

dsp_status dsp_key_seal(dsp_key *key, dsp_err *err)
{
    dsp_buf          b = {0};
    const dsp_status s = dsp_key_write(&b, key, err);
    if (s == DSP_OK)
        key->digest = dsp_sha256(b.p, b.len);
    dsp_buf_release(&b);
    return s;
}

/* ---- reading: the bytes may come from anyone ---- */

typedef struct {
    dsp_rd    rd;
    dsp_key  *key;
    dsp_name *tensors, *weights; /* sorted */
    uint64_t  room;              /* bytes of memory that may still be taken: 40 MiB + 2 len at first */
} in;

enum { NAME = 64 + sizeof(dsp_name) }; /* a short name in the arena, and its place in a sorted table */

/* Whether n items of `each` bytes still fit: the smallest encodings grow many times over. */
static bool fits(in *r, uint64_t n, uint64_t each, const char *what)
{
    if (r->rd.bad)
        return false;
    if (n > r->room / each) {
        dsp_rd_fail(&r->rd, DSP_E_LIMIT, "%s: too many for a file of %zu bytes", what, r->rd.len);
        return false;
    }
    r->room -= n * each;
    return true;
}

static bool memory(in *r, const void *p)
{
    if (!p && !r->rd.bad)
        dsp_rd_fail(&r->rd, DSP_E_NOMEM, "no memory");
    return p != NULL;
}

static uint32_t bounded(in *r, uint32_t lo, uint32_t hi, const char *what)
{
    const uint32_t v = dsp_rd_u32(&r->rd);
    if (!r->rd.bad && (v < lo || v > hi))
        dsp_rd_fail(&r->rd, DSP_E_LIMIT, "%s: %u to %u expected, %u found", what, lo, hi, v);
    return v;
}

static void bounded_n(in *r, uint32_t *v, size_t n, uint32_t lo, const char *what)
{
    for (size_t i = 0; i < n; i++)
        v[i] = bounded(r, lo, DSP_MAX_AXIS, what);
}

static uint32_t find(in *r, const dsp_name *names, uint32_t n, const char *what, bool may_be_empty)
{
    const char *s;
    uint16_t    len;
    if (!dsp_rd_text(&r->rd, &s, &len) || (len == 0 && may_be_empty))
        return DSP_NONE;
    const uint32_t i = len == 0 ? DSP_NONE : dsp_names_find(names, n, s, len);
    if (i == DSP_NONE)
        dsp_rd_fail(&r->rd, DSP_E_FORMAT, "no %s is called '%.*s'", what, len > 80 ? 80 : (int)len, s);
    return i;
}

static uint32_t read_tensor_name(in *r) { return find(r, r->tensors, r->key->n_tensors, "tensor", false); }

static dsp_limbs read_limbs(in *r)
{
    dsp_limbs l = {0};
    const unsigned n = dsp_rd_u8(&r->rd);
    if (!r->rd.bad && n > DSP_MAX_LIMBS) {
        dsp_rd_fail(&r->rd, DSP_E_LIMIT, "a range has at most %d limbs, %u found", DSP_MAX_LIMBS, n);
        return l;
    }
    const uint8_t *p = dsp_rd_take(&r->rd, n);
    for (unsigned i = 0; p && i < n; i++) {
        if (p[i] < 1 || p[i] > DSP_MAX_TABLE_BITS)
            dsp_rd_fail(&r->rd, DSP_E_LIMIT, "a limb has 1 to %d bits, %u found", DSP_MAX_TABLE_BITS, p[i]);
        l.w[i] = p[i];
    }
    l.n = (uint8_t)(p ? n : 0);
    return l;
}

static void read_geometry(in *r, dsp_view *v)
{
    bounded_n(r, v->stride, 3, 1, "stride");
    for (int i = 0; i < 3; i++) {
        v->off[i] = dsp_rd_i64(&r->rd);
        if (!r->rd.bad && (v->off[i] < -DSP_MAX_AXIS || v->off[i] > DSP_MAX_AXIS))
            dsp_rd_fail(&r->rd, DSP_E_LIMIT, "offset: -%d to %d expected, %lld found", DSP_MAX_AXIS, DSP_MAX_AXIS, (long long)v->off[i]);
    }
}

static void read_term(in *r, dsp_term *t)
{
    t->kind = dsp_rd_u8(&r->rd);
    if (t->kind > DSP_TERM_VIEW)
        dsp_rd_fail(&r->rd, DSP_E_FORMAT, "term of kind 0 or 1 expected, %u found", t->kind);
    t->weight = DSP_NONE;
    t->view.x = read_tensor_name(r);
    if (t->kind == DSP_TERM_CONV) {
        t->weight = find(r, r->weights, r->key->n_weights, "weight", false);
        bounded_n(r, t->stride, 2, 1, "stride");
        bounded_n(r, t->pad, 2, 0, "padding");
        bounded_n(r, t->dil, 2, 1, "dilation");
    } else {
        t->mult = dsp_rd_i64(&r->rd);
        read_geometry(r, &t->view);
    }
}

static void read_ints(in *r, dsp_ints *o, const char *what)
{
    uint32_t       n;
    uint8_t        width;
    const uint8_t *p = dsp_ints_take(&r->rd, &n, &width, what);
    int64_t       *v = p && fits(r, 8 + (uint64_t)n, 8, what) ? DSP_ARENA_RAW(r->key->arena, int64_t, n) : NULL;
    if (r->rd.bad || !memory(r, v))
        return;
    dsp_ints_unpack(v, p, n, width);
    *o = (dsp_ints){n, v};
}

static void read_lin(in *r, dsp_op *o)
{
    dsp_arena *a = r->key->arena;
    o->out = read_tensor_name(r);
    o->bias = find(r, r->weights, r->key->n_weights, "weight", true);
    read_ints(r, &o->M, "multipliers M");
    read_ints(r, &o->My, "multipliers My");
    read_ints(r, &o->Mx, "multipliers Mx");
    o->s = dsp_rd_u8(&r->rd);
    o->rem = read_limbs(r);
    o->q = read_limbs(r);
    o->u = read_limbs(r);
    o->v = read_limbs(r);
    const uint32_t n = dsp_rd_count(&r->rd, 1 + 2 + 2 + 24, "terms");
    if (!fits(r, n, sizeof(dsp_term), "terms"))
        return;
    if (!memory(r, o->terms = DSP_ARENA_N(a, dsp_term, n)))
        return;
    o->n_terms = n;
    for (uint32_t i = 0; i < n && !r->rd.bad; i++)
        read_term(r, &o->terms[i]);
}

static void read_op(in *r, dsp_op *o)
{
    o->kind = dsp_rd_u8(&r->rd);
    o->out = o->bias = o->x = o->table = o->a.x = o->b.x = DSP_NONE;
    o->name = dsp_name_read(&r->rd, r->key->arena, "operation");
    if (r->rd.bad)
        return;
    switch (o->kind) {
    case DSP_OP_LIN:
        read_lin(r, o);
        break;
    case DSP_OP_MAX:
        o->out = read_tensor_name(r);
        o->a.x = read_tensor_name(r);
        read_geometry(r, &o->a);
        o->b.x = read_tensor_name(r);
        read_geometry(r, &o->b);
        o->w = read_limbs(r);
        break;
    case DSP_OP_TABLE:
        o->out = read_tensor_name(r);
        o->x = read_tensor_name(r);
        o->table = dsp_rd_u32(&r->rd);
        if (!r->rd.bad && o->table >= r->key->n_tables)
            dsp_rd_fail(&r->rd, DSP_E_FORMAT, "table below %u expected, %u found", r->key->n_tables, o->table);
        break;
    case DSP_OP_RANGE:
        o->x = read_tensor_name(r);
        o->w = read_limbs(r);
        break;
    default:
        dsp_rd_fail(&r->rd, DSP_E_FORMAT, "operation of kind 0 to 3 expected, %u found", o->kind);
    }
    if (r->rd.bad) /* name the operation: its kind of mistake is already told */
        dsp_context(r->rd.err, r->rd.err->code, "operation '%.80s'", o->name);
}

static void read_tensors(in *r)
{
    dsp_key       *k = r->key;
    const uint32_t n = dsp_rd_count(&r->rd, 3 + 1 + 12 + 24, "tensors");
    if (!fits(r, n, sizeof(dsp_tensor) + NAME, "tensors"))
        return;
    k->tensors = DSP_ARENA_N(k->arena, dsp_tensor, n);
    r->tensors = DSP_NEW_N(dsp_name, n);
    if (!memory(r, k->tensors) || !memory(r, r->tensors))
        return;
    for (uint32_t i = 0; i < n && !r->rd.bad; i++) {
        dsp_tensor *t = &k->tensors[i];
        t->name = dsp_name_read(&r->rd, k->arena, "tensor");
        t->role = dsp_rd_u8(&r->rd);
        if (t->role > DSP_ROLE_AUX)
            dsp_rd_fail(&r->rd, DSP_E_FORMAT, "tensor '%.80s': role 0, 1 or 2 expected, %u found", t->name ? t->name : "", t->role);
        bounded_n(r, t->dims, 3, 1, "tensor dimension");
        t->lo = dsp_rd_i64(&r->rd);
        t->hi = dsp_rd_i64(&r->rd);
        t->scale_bits = dsp_rd_i64(&r->rd);
        r->tensors[i] = (dsp_name){t->name, i};
    }
    if (r->rd.bad)
        return;
    k->n_tensors = n;
    dsp_names_sort(r->tensors, n);
    const char *twice = dsp_names_twice(r->tensors, n);
    if (twice)
        dsp_rd_fail(&r->rd, DSP_E_FORMAT, "two tensors are called '%.80s'", twice);
}

static void read_weights(in *r)
{
    dsp_key       *k = r->key;
    const uint32_t n = dsp_rd_count(&r->rd, 3 + 16 + 5, "weights");
    if (!fits(r, n, sizeof(dsp_weight) + sizeof(dsp_packed) + NAME + 64, "weights"))
        return;
    k->weights = DSP_ARENA_N(k->arena, dsp_weight, n);
    k->packed = DSP_ARENA_N(k->arena, dsp_packed, n);
    r->weights = DSP_NEW_N(dsp_name, n);
    if (!memory(r, k->weights) || !memory(r, k->packed) || !memory(r, r->weights))
        return;
    for (uint32_t i = 0; i < n && !r->rd.bad; i++) {
        dsp_weight *w = &k->weights[i];
        w->name = dsp_name_read(&r->rd, k->arena, "weight");
        bounded_n(r, w->dims, 4, 1, "weight dimension");
        const uint8_t *p = dsp_ints_take(&r->rd, &w->count, &k->packed[i].width, "weight");
        const size_t   bytes = (size_t)w->count * k->packed[i].width;
        uint8_t       *own = p && fits(r, bytes, 1, "weight") ? dsp_arena_raw(k->arena, bytes, 1) : NULL;
        if (r->rd.bad || !memory(r, own))
            return;
        memcpy(own, p, bytes);
        k->packed[i].p = own;
        uint64_t cells = 1; /* below 2^32 after every step that goes on */
        for (int a = 0; a < 4 && cells <= UINT32_MAX; a++)
            cells *= w->dims[a];
        if (cells != w->count)
            dsp_rd_fail(&r->rd, DSP_E_FORMAT, "weight '%.80s': %u x %u x %u x %u integers expected, %u found", w->name, w->dims[0],
                        w->dims[1], w->dims[2], w->dims[3], w->count);
        r->weights[i] = (dsp_name){w->name, i};
    }
    if (r->rd.bad)
        return;
    k->n_weights = n;
    dsp_names_sort(r->weights, n);
    const char *twice = dsp_names_twice(r->weights, n);
    if (twice)
        dsp_rd_fail(&r->rd, DSP_E_FORMAT, "two weights are called '%.80s'", twice);
}

static void read_tables(in *r)
{
    dsp_key       *k = r->key;
    const uint32_t n = dsp_rd_count(&r->rd, 2, "tables");
    if (!fits(r, n, sizeof(dsp_table), "tables"))
        return;
    if (!memory(r, k->tables = DSP_ARENA_N(k->arena, dsp_table, n)))
        return;
    for (uint32_t i = 0; i < n && !r->rd.bad; i++) {
        dsp_table *t = &k->tables[i];
        t->kind = dsp_rd_u8(&r->rd);
        t->log2_rows = dsp_rd_u8(&r->rd);
        if (r->rd.bad)
            return;
        if (t->kind > DSP_TABLE_PAIRS)
            dsp_rd_fail(&r->rd, DSP_E_FORMAT, "table %u: kind 0 or 1 expected, %u found", i, t->kind);
        else if (t->log2_rows < 1 || t->log2_rows > DSP_MAX_TABLE_BITS)
            dsp_rd_fail(&r->rd, DSP_E_LIMIT, "table %u: 2^1 to 2^%d rows expected, 2^%u found", i, DSP_MAX_TABLE_BITS, t->log2_rows);
        else if (t->kind == DSP_TABLE_PAIRS) {
            const size_t   cells = (size_t)2 << t->log2_rows;
            const uint8_t *p = dsp_rd_take(&r->rd, 8 * cells);
            int64_t       *v = p && fits(r, cells, 8, "tables") ? DSP_ARENA_RAW(k->arena, int64_t, cells) : NULL;
            if (!p || r->rd.bad || !memory(r, v))
                return;
            for (size_t j = 0; j < cells; j++)
                v[j] = (int64_t)dsp_get64(p + 8 * j);
            t->pairs = v;
        }
    }
    k->n_tables = n;
}

static void read_ops(in *r)
{
    dsp_key       *k = r->key;
    const uint32_t n = dsp_rd_count(&r->rd, 1 + 3 + 3 + 1, "operations");
    if (!fits(r, n, sizeof(dsp_op) + NAME, "operations"))
        return;
    dsp_name      *names = DSP_NEW_N(dsp_name, n);
    k->ops = DSP_ARENA_N(k->arena, dsp_op, n);
    if (!memory(r, names) || !memory(r, k->ops))
        goto done;
    for (uint32_t i = 0; i < n && !r->rd.bad; i++) {
        read_op(r, &k->ops[i]);
        names[i] = (dsp_name){k->ops[i].name, i};
    }
    if (r->rd.bad)
        goto done;
    k->n_ops = n;
    dsp_names_sort(names, n);
    const char *twice = dsp_names_twice(names, n);
    if (twice)
        dsp_rd_fail(&r->rd, DSP_E_FORMAT, "two operations are called '%.80s'", twice);
done:
    dsp_free(names);
}

static uint32_t power(in *r, const char *what)
{
    const uint32_t v = dsp_rd_u32(&r->rd);
    if (!r->rd.bad && (!dsp_is_pow2(v) || v > DSP_MAX_CODE))
        dsp_rd_fail(&r->rd, DSP_E_LIMIT, "%s: a power of two up to %d expected, %u found", what, DSP_MAX_CODE, v);
    return v;
}

static void read_trees(in *r)
{
    dsp_key       *k = r->key;
    const uint32_t n = dsp_rd_count(&r->rd, 3 + 16, "trees");
    if (!r->rd.bad && (n < 1 || n > DSP_MAX_TREES))
        dsp_rd_fail(&r->rd, DSP_E_LIMIT, "trees: 1 to %d expected, %u found", DSP_MAX_TREES, n);
    if (r->rd.bad || !memory(r, k->trees = DSP_ARENA_N(k->arena, dsp_geometry, n)))
        return;
    k->n_trees = n;
    for (uint32_t i = 0; i < n && !r->rd.bad; i++) {
        dsp_geometry *g = &k->trees[i];
        if (i + 1 < n) {
            g->edge = read_tensor_name(r);
        } else {
            const char *s;
            uint16_t    len;
            g->edge = DSP_NONE;
            if (dsp_rd_text(&r->rd, &s, &len) && (len != 1 || s[0] != 'A'))
                dsp_rd_fail(&r->rd, DSP_E_FORMAT, "trees: the last one must be 'A', '%.*s' found", len > 80 ? 80 : (int)len, s);
        }
        g->C = power(r, "trees: columns C");
        g->n = power(r, "trees: code length n");
        g->J = bounded(r, 1, DSP_MAX_J, "trees: budget J");
        g->t = bounded(r, 1, DSP_MAX_CODE, "trees: queries t");
    }
    k->pad_k = power(r, "pads: dimension k");
    k->pad_n = power(r, "pads: code length n");
    k->pad_t = bounded(r, 1, DSP_MAX_CODE, "pads: queries t");
    if (!r->rd.bad && k->pad_t >= k->pad_k)
        dsp_rd_fail(&r->rd, DSP_E_LIMIT, "pads: fewer queries than the dimension %u expected, %u found", k->pad_k, k->pad_t);
}

dsp_status dsp_key_read(dsp_key **key, const uint8_t *p, size_t len, dsp_err *err)
{
    dsp_err local;
    in      r = {.key = dsp_key_create()};
    dsp_status s;
    *key = NULL;
    if (!r.key)
        return dsp_fail(err, DSP_E_NOMEM, "slice key: no memory");
    dsp_rd_init(&r.rd, p, len, "slice key", err ? err : &local);
    r.room = ((uint64_t)40 << 20) + 2 * (uint64_t)len;
    const uint8_t *magic = dsp_rd_take(&r.rd, 4);
    if (magic && memcmp(magic, "DSPK", 4) != 0)
        dsp_rd_fail(&r.rd, DSP_E_FORMAT, "'DSPK' expected at the start");
    const uint32_t version = dsp_rd_u32(&r.rd);
    if (!r.rd.bad && version != DSP_PROTOCOL_VERSION)
        dsp_rd_fail(&r.rd, DSP_E_FORMAT, "version %d expected, %u found", DSP_PROTOCOL_VERSION, version);
    r.key->profile = dsp_rd_u32(&r.rd);
    r.key->name = dsp_name_read(&r.rd, r.key->arena, "slice");
    r.key->mode = dsp_rd_u8(&r.rd);
    if (r.key->mode > 1)
        dsp_rd_fail(&r.rd, DSP_E_FORMAT, "mode 0 or 1 expected, %u found", r.key->mode);
    if (!r.rd.bad)
        read_tensors(&r);
    if (!r.rd.bad)
        read_weights(&r);
    if (!r.rd.bad)
        read_tables(&r);
    if (!r.rd.bad)
        read_ops(&r);
    if (!r.rd.bad)
        read_trees(&r);
    s = dsp_rd_done(&r.rd, true);
    if (s == DSP_OK) {
        r.key->digest = dsp_sha256(p, len);
        *key = r.key;
        r.key = NULL;
    }
    dsp_free(r.tensors);
    dsp_free(r.weights);
    dsp_key_free(r.key);
    return s;
}
