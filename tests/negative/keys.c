#include "keys.h"

enum { MORE_TABLES = 2, MOST_TERMS = 3 };

dsp_key *keys_new(const char *name, uint32_t tensors, uint32_t ops)
{
    static const uint8_t widths[] = {1, 2, 3, 4, 8};
    dsp_key             *k = dsp_key_create();
    assert_non_null(k);
    k->name = name;
    k->profile = 0x8000 + KEYS_BITS;
    k->mode = 1;
    k->n_tensors = tensors;
    k->tensors = DSP_ARENA_N(k->arena, dsp_tensor, tensors);
    k->n_tables = sizeof widths;
    k->tables = DSP_ARENA_N(k->arena, dsp_table, sizeof widths + MORE_TABLES);
    for (size_t i = 0; i < sizeof widths; i++)
        k->tables[i] = (dsp_table){DSP_TABLE_RANGE, widths[i], NULL};
    k->n_ops = ops;
    k->ops = DSP_ARENA_N(k->arena, dsp_op, ops);
    for (uint32_t i = 0; i < ops; i++)
        k->ops[i].out = k->ops[i].bias = k->ops[i].x = k->ops[i].table = k->ops[i].a.x = k->ops[i].b.x = DSP_NONE;
    return k;
}

void keys_tensor(dsp_key *k, uint32_t i, const char *name, uint8_t role, uint32_t cells, int64_t lo, int64_t hi)
{
    k->tensors[i] = (dsp_tensor){name, role, {1, 1, cells}, lo, hi, 0};
}

dsp_limbs keys_limbs(unsigned n, unsigned width)
{
    dsp_limbs l = {.n = (uint8_t)n};
    for (unsigned i = 0; i < n; i++)
        l.w[i] = (uint8_t)width;
    return l;
}

uint32_t keys_pairs(dsp_key *k, unsigned log2_rows, const int64_t *rows)
{
    const size_t n = (size_t)2 << log2_rows;
    int64_t     *v = DSP_ARENA_N(k->arena, int64_t, n);
    assert_non_null(v);
    memcpy(v, rows, n * sizeof *v);
    k->tables[k->n_tables] = (dsp_table){DSP_TABLE_PAIRS, (uint8_t)log2_rows, v};
    return k->n_tables++;
}

dsp_op *keys_lin(dsp_key *k, uint32_t i, const char *name, uint32_t out, int64_t m)
{
    dsp_op  *o = &k->ops[i];
    int64_t *v = DSP_ARENA_N(k->arena, int64_t, 1);
    assert_non_null(v);
    v[0] = m;
    o->kind = DSP_OP_LIN;
    o->name = name;
    o->out = out;
    o->M = (dsp_ints){1, v};
    o->terms = DSP_ARENA_N(k->arena, dsp_term, MOST_TERMS);
    assert_non_null(o->terms);
    return o;
}

void keys_view(dsp_op *o, uint32_t x, int64_t mult)
{
    assert_true(o->n_terms < MOST_TERMS);
    o->terms[o->n_terms++] = (dsp_term){.kind = DSP_TERM_VIEW, .weight = DSP_NONE, .mult = mult, .view = {x, {1, 1, 1}, {0, 0, 0}}};
}

void keys_max(dsp_key *k, uint32_t i, const char *name, uint32_t out, uint32_t x, int64_t off_a, int64_t off_b, dsp_limbs w)
{
    dsp_op *o = &k->ops[i];
    o->kind = DSP_OP_MAX;
    o->name = name;
    o->out = out;
    o->a = (dsp_view){x, {1, 1, 1}, {0, 0, off_a}};
    o->b = (dsp_view){x, {1, 1, 1}, {0, 0, off_b}};
    o->w = w;
}

void keys_table(dsp_key *k, uint32_t i, const char *name, uint32_t out, uint32_t x, uint32_t table)
{
    k->ops[i].kind = DSP_OP_TABLE;
    k->ops[i].name = name;
    k->ops[i].out = out;
    k->ops[i].x = x;
    k->ops[i].table = table;
}

void keys_range(dsp_key *k, uint32_t i, const char *name, uint32_t x, dsp_limbs w)
{
    k->ops[i].kind = DSP_OP_RANGE;
    k->ops[i].name = name;
    k->ops[i].x = x;
    k->ops[i].w = w;
}

void keys_done(dsp_key *k, uint32_t J)
{
    const dsp_code_use edge = {16, J}, A = {64, 1};
    k->trees = DSP_ARENA_N(k->arena, dsp_geometry, (size_t)k->n_tensors + 1);
    assert_non_null(k->trees);
    for (uint32_t i = 0; i < k->n_tensors; i++)
        if (k->tensors[i].role == DSP_ROLE_EDGE)
            k->trees[k->n_trees++] = (dsp_geometry){i, edge.C, 256, J, dsp_t_for_trees(256, &edge, 1, KEYS_BITS)};
    k->trees[k->n_trees++] = (dsp_geometry){DSP_NONE, A.C, 1024, 1, dsp_t_for_trees(1024, &A, 1, KEYS_BITS)};
    k->pad_k = 64;
    k->pad_n = 512;
    k->pad_t = dsp_t_pads(512, 64, KEYS_BITS);
}
