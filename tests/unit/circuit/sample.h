/* A slice key with every kind of operation, for tests: boundary x with its own range check, convolution with saturation on
 * both sides, pooling, a quotient bounded by a table, a public input and a public output at accumulator scale. */
#ifndef DSP_TESTS_SAMPLE_H
#define DSP_TESTS_SAMPLE_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "circuit/derive.h"

enum { X, H, P, G, F, Y, Z, N_TENSORS };                             /* tensors */
enum { W_CONV, W_BIAS, W_FC, N_WEIGHTS };                            /* weights */
enum { O_IN, O_CONV, O_POOL, O_ADD, O_ACT, O_FC, N_OPS };            /* operations */

/* Deterministic numbers in [lo, hi]. */
static inline int64_t draw(uint64_t *s, int64_t lo, int64_t hi)
{
    *s = *s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return lo + (int64_t)((*s >> 33) % (uint64_t)(hi - lo + 1));
}

static inline int64_t *numbers(dsp_arena *a, size_t n, int64_t lo, int64_t hi, uint64_t seed)
{
    int64_t *v = DSP_ARENA_N(a, int64_t, n);
    assert_non_null(v);
    for (size_t i = 0; i < n; i++)
        v[i] = draw(&seed, lo, hi);
    return v;
}

static inline dsp_ints same(dsp_arena *a, uint32_t n, int64_t x) { return (dsp_ints){n, numbers(a, n, x, x, 0)}; }

static inline dsp_weight weight(dsp_arena *a, const char *name, uint32_t o, uint32_t c, uint32_t h, uint32_t w, int64_t most, uint64_t seed)
{
    return (dsp_weight){name, {o, c, h, w}, o * c * h * w, numbers(a, (size_t)o * c * h * w, -most, most, seed)};
}

/* Least t for the geometry as it stands; one per code length. */
static inline void fix_queries(dsp_key *k)
{
    for (uint32_t i = 0; i < k->n_trees; i++) {
        dsp_code_use use[8];
        size_t       n = 0;
        for (uint32_t j = 0; j < k->n_trees; j++)
            if (k->trees[j].n == k->trees[i].n)
                use[n++] = (dsp_code_use){k->trees[j].C, k->trees[j].J};
        k->trees[i].t = dsp_t_for_trees(k->trees[i].n, use, n, 100);
    }
    k->pad_t = dsp_t_pads(k->pad_n, k->pad_k, 100);
}

static inline dsp_key *sample_key(void)
{
    dsp_key   *k = dsp_key_create();
    assert_non_null(k);
    dsp_arena *a = k->arena;
    k->name = "sample";
    k->profile = DSP_PROFILE_G2_100;
    k->n_tensors = N_TENSORS;
    k->tensors = DSP_ARENA_N(a, dsp_tensor, N_TENSORS + 2);
    k->tensors[X] = (dsp_tensor){"x", DSP_ROLE_EDGE, {2, 4, 4}, -8, 7, 3};
    k->tensors[H] = (dsp_tensor){"h", DSP_ROLE_AUX, {2, 4, 4}, 0, 15, 3};
    k->tensors[P] = (dsp_tensor){"p", DSP_ROLE_AUX, {2, 4, 2}, 0, 15, 3};
    k->tensors[G] = (dsp_tensor){"g", DSP_ROLE_AUX, {2, 4, 2}, -16, 15, 3};
    k->tensors[F] = (dsp_tensor){"f", DSP_ROLE_AUX, {2, 4, 2}, 0, 15, 3};
    k->tensors[Y] = (dsp_tensor){"y", DSP_ROLE_PUB, {3, 1, 1}, -100000, 100000, 6};
    k->tensors[Z] = (dsp_tensor){"z", DSP_ROLE_PUB, {2, 4, 2}, -4, 3, 3};
    k->n_weights = N_WEIGHTS;
    k->weights = DSP_ARENA_N(a, dsp_weight, N_WEIGHTS);
    k->weights[W_CONV] = weight(a, "w", 2, 2, 3, 3, 7, 1);
    k->weights[W_BIAS] = weight(a, "b", 2, 1, 1, 1, 200, 2);
    ((int64_t *)(uintptr_t)k->weights[W_BIAS].v)[0] = 90;  /* some cells of h saturate above, */
    ((int64_t *)(uintptr_t)k->weights[W_BIAS].v)[1] = -30; /* some below */
    k->weights[W_FC] = weight(a, "fc.w", 3, 2, 4, 2, 100, 3);
    k->n_tables = 2;
    k->tables = DSP_ARENA_N(a, dsp_table, 4);
    k->tables[0] = (dsp_table){DSP_TABLE_RANGE, 4, NULL};
    int64_t *pairs = DSP_ARENA_N(a, int64_t, 64);
    for (int i = 0; i < 32; i++) {
        pairs[2 * i] = i - 16;
        pairs[2 * i + 1] = i < 16 ? 0 : i - 16;
    }
    k->tables[1] = (dsp_table){DSP_TABLE_PAIRS, 5, pairs};
    k->n_ops = N_OPS;
    k->ops = DSP_ARENA_N(a, dsp_op, N_OPS);
    for (int i = 0; i < N_OPS; i++) {
        k->ops[i].out = k->ops[i].bias = k->ops[i].x = k->ops[i].table = k->ops[i].a.x = k->ops[i].b.x = DSP_NONE;
        k->ops[i].terms = DSP_ARENA_N(a, dsp_term, 2);
    }
    const dsp_limbs four = {1, {4}}, eight = {2, {4, 4}};
    dsp_op *o = &k->ops[O_IN];
    o->kind = DSP_OP_RANGE, o->name = "in", o->x = X, o->w = four;
    o = &k->ops[O_CONV];
    o->kind = DSP_OP_LIN, o->name = "conv1", o->out = H, o->bias = W_BIAS, o->s = 4, o->rem = o->q = four, o->u = eight, o->v = eight;
    o->M = same(a, 2, 3), o->My = same(a, 0, 0), o->Mx = same(a, 0, 0), o->n_terms = 1;
    o->terms[0] = (dsp_term){.kind = DSP_TERM_CONV, .weight = W_CONV, .stride = {1, 1}, .pad = {1, 1}, .dil = {1, 1}, .view = {.x = X}};
    o = &k->ops[O_POOL];
    o->kind = DSP_OP_MAX, o->name = "pool1", o->out = P, o->w = four;
    o->a = (dsp_view){H, {1, 1, 2}, {0, 0, 0}}, o->b = (dsp_view){H, {1, 1, 2}, {0, 0, 1}};
    o = &k->ops[O_ADD];
    o->kind = DSP_OP_LIN, o->name = "add", o->out = G, o->s = 4, o->rem = four, o->n_terms = 2;
    o->M = same(a, 2, 1), o->My = same(a, 4, 2), o->Mx = same(a, 2, 4);
    o->terms[0] = (dsp_term){.kind = DSP_TERM_VIEW, .weight = DSP_NONE, .mult = 1, .view = {P, {1, 1, 1}, {0, 0, 0}}};
    o->terms[1] = (dsp_term){.kind = DSP_TERM_VIEW, .weight = DSP_NONE, .mult = 2, .view = {Z, {1, 1, 1}, {0, 0, 0}}};
    o = &k->ops[O_ACT];
    o->kind = DSP_OP_TABLE, o->name = "act", o->out = F, o->x = G, o->table = 1;
    o = &k->ops[O_FC];
    o->kind = DSP_OP_LIN, o->name = "fc", o->out = Y, o->n_terms = 1;
    o->M = same(a, 3, 1), o->My = same(a, 0, 0), o->Mx = same(a, 0, 0);
    o->terms[0] = (dsp_term){.kind = DSP_TERM_CONV, .weight = W_FC, .stride = {1, 1}, .dil = {1, 1}, .view = {.x = F}};
    k->n_trees = 2;
    k->trees = DSP_ARENA_N(a, dsp_geometry, 4);
    k->trees[0] = (dsp_geometry){X, 16, 2048, 2, 0};
    k->trees[1] = (dsp_geometry){DSP_NONE, 64, 2048, 1, 0};
    k->pad_k = 256;
    k->pad_n = 2048;
    fix_queries(k);
    return k;
}

/* Bytes, then reading, derivation and V1, as a verifier does. DSP_OK or the first refusal. */
static inline dsp_status judge_bytes(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_key     *k;
    dsp_derived *D = NULL;
    dsp_status   s = dsp_key_read(&k, p, n, err);
    if (s == DSP_OK)
        s = dsp_derive(&D, k, err);
    if (s == DSP_OK)
        s = dsp_key_check(D, err);
    dsp_derived_free(D);
    dsp_key_free(k);
    return s;
}

#endif
