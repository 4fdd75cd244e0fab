#include "vectors/vec_key.h"

static dsp_arena *arena; /* of the key being built */

static const char *name_of(const json_t *j) { return dsp_arena_strdup(arena, vec_str(j)); }

static void u32s(uint32_t *out, const json_t *j, size_t n)
{
    assert_int_equal(json_array_size(j), n);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint32_t)vec_int(vec_at(j, i));
}

static dsp_ints ints(const json_t *j)
{
    const size_t n = json_array_size(j);
    return (dsp_ints){(uint32_t)n, vec_cells(arena, j, n)};
}

static dsp_limbs limbs(const json_t *j)
{
    dsp_limbs l = {.n = (uint8_t)json_array_size(j)};
    for (unsigned i = 0; i < l.n; i++)
        l.w[i] = (uint8_t)vec_int(vec_at(j, i));
    return l;
}

static uint32_t find_tensor(const dsp_key *k, const json_t *j)
{
    for (uint32_t i = 0; i < k->n_tensors; i++)
        if (strcmp(k->tensors[i].name, vec_str(j)) == 0)
            return i;
    fail_msg("no tensor '%s'", vec_str(j));
    return DSP_NONE;
}

static uint32_t find_weight(const dsp_key *k, const json_t *j)
{
    for (uint32_t i = 0; i < k->n_weights; i++)
        if (strcmp(k->weights[i].name, vec_str(j)) == 0)
            return i;
    fail_msg("no weight '%s'", vec_str(j));
    return DSP_NONE;
}

static void geometry(dsp_view *v, const json_t *stride, const json_t *off)
{
    u32s(v->stride, stride, 3);
    for (size_t a = 0; a < 3; a++)
        v->off[a] = vec_int(vec_at(off, a));
}

static dsp_view view(const dsp_key *k, const json_t *j)
{
    dsp_view v = {.x = find_tensor(k, vec_at(j, 0))};
    geometry(&v, vec_at(j, 1), vec_at(j, 2));
    return v;
}

static dsp_term term(const dsp_key *k, const json_t *j)
{
    dsp_term t = {.weight = DSP_NONE, .view = {.x = find_tensor(k, vec_at(j, 1))}};
    if (strcmp(vec_str(vec_at(j, 0)), "conv") == 0) {
        t.kind = DSP_TERM_CONV;
        t.weight = find_weight(k, vec_at(j, 2));
        u32s(t.stride, vec_at(j, 3), 2);
        u32s(t.pad, vec_at(j, 4), 2);
        u32s(t.dil, vec_at(j, 5), 2);
    } else {
        t.kind = DSP_TERM_VIEW;
        t.mult = vec_int(vec_at(j, 2));
        geometry(&t.view, vec_at(j, 3), vec_at(j, 4));
    }
    return t;
}

static void op(dsp_key *k, dsp_op *o, const json_t *j)
{
    const char *kind = vec_str(vec_get(j, "op"));
    *o = (dsp_op){.name = name_of(vec_get(j, "name")), .out = DSP_NONE, .bias = DSP_NONE, .x = DSP_NONE, .table = DSP_NONE};
    o->a.x = o->b.x = DSP_NONE;
    if (strcmp(kind, "lin") == 0) {
        const json_t *terms = vec_get(j, "terms"), *bias = json_object_get(j, "bias");
        o->kind = DSP_OP_LIN;
        o->out = find_tensor(k, vec_get(j, "out"));
        o->bias = json_is_string(bias) && *json_string_value(bias) ? find_weight(k, bias) : DSP_NONE;
        o->M = ints(vec_get(j, "M"));
        o->My = ints(vec_get(j, "My"));
        o->Mx = ints(vec_get(j, "Mx"));
        o->s = (uint8_t)vec_int(vec_get(j, "s"));
        o->rem = limbs(vec_get(j, "rem"));
        o->q = limbs(vec_get(j, "q"));
        o->u = limbs(vec_get(j, "u"));
        o->v = limbs(vec_get(j, "v"));
        o->n_terms = (uint32_t)json_array_size(terms);
        o->terms = DSP_ARENA_N(arena, dsp_term, o->n_terms);
        for (uint32_t i = 0; i < o->n_terms; i++)
            o->terms[i] = term(k, vec_at(terms, i));
    } else if (strcmp(kind, "max") == 0) {
        o->kind = DSP_OP_MAX;
        o->out = find_tensor(k, vec_get(j, "out"));
        o->a = view(k, vec_get(j, "a"));
        o->b = view(k, vec_get(j, "b"));
        o->w = limbs(vec_get(j, "w"));
    } else if (strcmp(kind, "table") == 0) {
        o->kind = DSP_OP_TABLE;
        o->out = find_tensor(k, vec_get(j, "out"));
        o->x = find_tensor(k, vec_get(j, "x"));
        o->table = (uint32_t)vec_int(vec_get(j, "table"));
    } else {
        assert_string_equal(kind, "range");
        o->kind = DSP_OP_RANGE;
        o->x = find_tensor(k, vec_get(j, "x"));
        o->w = limbs(vec_get(j, "w"));
    }
}

dsp_key *vec_key(const json_t *j)
{
    static const char *const role[] = {"pub", "edge", "aux"};
    dsp_key      *k = dsp_key_create();
    dsp_err       err = {0};
    const char   *name;
    const json_t *list, *v;
    size_t        i = 0;
    assert_non_null(k);
    arena = k->arena;
    k->name = name_of(vec_get(j, "name"));
    k->profile = (uint32_t)vec_int(vec_get(j, "profile"));
    k->mode = (uint8_t)vec_int(vec_get(j, "mode"));
    list = vec_get(j, "tensors");
    const json_t *scales = json_object_get(j, "scales");
    k->n_tensors = (uint32_t)json_object_size(list);
    k->tensors = DSP_ARENA_N(arena, dsp_tensor, k->n_tensors);
    json_object_foreach((json_t *)(uintptr_t)list, name, v) {
        dsp_tensor *t = &k->tensors[i++];
        t->name = dsp_arena_strdup(arena, name);
        while (strcmp(role[t->role], vec_str(vec_at(v, 0))) != 0)
            assert_true(++t->role < 3);
        u32s(t->dims, vec_at(v, 1), 3);
        t->lo = vec_int(vec_at(v, 2));
        t->hi = vec_int(vec_at(v, 3));
        t->scale_bits = json_integer_value(json_object_get(scales, name));
    }
    list = vec_get(j, "weights");
    k->n_weights = (uint32_t)json_object_size(list);
    k->weights = DSP_ARENA_N(arena, dsp_weight, k->n_weights);
    i = 0;
    json_object_foreach((json_t *)(uintptr_t)list, name, v) {
        dsp_weight    *w = &k->weights[i++];
        const dsp_ints x = ints(vec_at(v, 1));
        w->name = dsp_arena_strdup(arena, name);
        u32s(w->dims, vec_at(v, 0), 4);
        w->count = x.n;
        w->v = x.v;
    }
    list = vec_get(j, "tables");
    k->n_tables = (uint32_t)json_array_size(list);
    k->tables = DSP_ARENA_N(arena, dsp_table, k->n_tables);
    for (i = 0; i < k->n_tables; i++) {
        dsp_table *t = &k->tables[i];
        v = vec_at(list, i);
        t->log2_rows = (uint8_t)vec_int(vec_at(v, 1));
        if (strcmp(vec_str(vec_at(v, 0)), "pairs") == 0) {
            const json_t *rows = vec_at(v, 2);
            int64_t      *p = DSP_ARENA_N(arena, int64_t, (size_t)2 << t->log2_rows);
            t->kind = DSP_TABLE_PAIRS;
            assert_int_equal(json_array_size(rows), (size_t)1 << t->log2_rows);
            for (size_t r = 0; r < json_array_size(rows); r++) {
                p[2 * r] = vec_int(vec_at(vec_at(rows, r), 0));
                p[2 * r + 1] = vec_int(vec_at(vec_at(rows, r), 1));
            }
            t->pairs = p;
        }
    }
    list = vec_get(j, "ops");
    k->n_ops = (uint32_t)json_array_size(list);
    k->ops = DSP_ARENA_N(arena, dsp_op, k->n_ops);
    for (i = 0; i < k->n_ops; i++)
        op(k, &k->ops[i], vec_at(list, i));
    list = vec_get(j, "trees");
    k->n_trees = (uint32_t)json_array_size(list);
    k->trees = DSP_ARENA_N(arena, dsp_geometry, k->n_trees);
    for (i = 0; i < k->n_trees; i++) {
        uint32_t g[4];
        v = vec_at(list, i);
        for (size_t a = 0; a < 4; a++)
            g[a] = (uint32_t)vec_int(vec_at(v, a + 1));
        const bool is_a = strcmp(vec_str(vec_at(v, 0)), "A") == 0;
        k->trees[i] = (dsp_geometry){is_a ? DSP_NONE : find_tensor(k, vec_at(v, 0)), g[0], g[1], g[2], g[3]};
    }
    uint32_t pads[3];
    u32s(pads, vec_get(j, "pads"), 3);
    k->pad_k = pads[0];
    k->pad_n = pads[1];
    k->pad_t = pads[2];
    if (dsp_key_seal(k, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    return k;
}

uint32_t vec_tensor(const dsp_derived *D, const char *name)
{
    for (uint32_t i = 0; i < D->n_tensors; i++)
        if (strcmp(D->tensors[i].name, name) == 0)
            return i;
    return DSP_NONE;
}

const int64_t *vec_cells(dsp_arena *a, const json_t *j, size_t n)
{
    int64_t *v = DSP_ARENA_N(a, int64_t, n);
    assert_non_null(v);
    assert_int_equal(json_array_size(j), n);
    for (size_t i = 0; i < n; i++)
        v[i] = vec_int(vec_at(j, i));
    return v;
}

dsp_slice_statement vec_statement(dsp_arena *a, const dsp_derived *D, const json_t *st, const json_t *run_digest)
{
    const dsp_key      *k = D->key;
    dsp_slice_statement out = {.tile = (uint32_t)vec_int(vec_get(st, "tile")), .run_key = vec_digest(run_digest)};
    const dsp_digest    nonce = vec_digest(vec_get(st, "nonce"));
    const int64_t     **pub = DSP_ARENA_N(a, const int64_t *, k->n_tensors);
    dsp_digest         *root = DSP_ARENA_N(a, dsp_digest, k->n_trees);
    assert_non_null(pub);
    assert_non_null(root);
    memcpy(out.nonce, nonce.b, 32);
    for (uint32_t i = 0; i < k->n_tensors; i++)
        if (k->tensors[i].role == DSP_ROLE_PUB)
            pub[i] = vec_cells(a, vec_get(vec_get(st, "pub"), k->tensors[i].name), (size_t)dsp_cells(k->tensors[i].dims));
    for (uint32_t i = 0; i + 1 < k->n_trees; i++)
        root[i] = vec_digest(vec_get(vec_get(st, "roots"), k->tensors[k->trees[i].edge].name));
    out.pub = pub;
    out.root = root;
    return out;
}

const int64_t *const *vec_inputs(dsp_arena *a, const dsp_derived *D, const json_t *values)
{
    const dsp_key  *k = D->key;
    const int64_t **in = DSP_ARENA_N(a, const int64_t *, k->n_tensors);
    assert_non_null(in);
    for (uint32_t i = 0; i < k->n_tensors; i++) {
        bool made = false;
        for (uint32_t j = 0; j < k->n_ops; j++)
            made = made || (k->ops[j].kind != DSP_OP_RANGE && k->ops[j].out == i);
        if (!made)
            in[i] = vec_cells(a, vec_get(values, k->tensors[i].name), (size_t)dsp_cells(k->tensors[i].dims));
    }
    return in;
}
