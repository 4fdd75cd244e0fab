/* A slice key: bytes, derivation, the rules of V1. What all three accept is written back byte for byte, and its program runs within the bounds that
 * the rules promise. */
#include "fuzz/fuzz.h"

#include "circuit/exec.h"

const bool fuzz_by_path = false;

enum { MAX_RUN_CELLS = 1 << 14 };

/* The executor on inputs at the ends of their ranges and between. */
static void execute(const dsp_derived *D)
{
    const dsp_key *k = D->key;
    dsp_arena     *a = dsp_arena_create(0);
    uint64_t       cells = 0, work = 0;
    for (uint32_t i = 0; i < D->n_tensors; i++)
        cells += (uint64_t)1 << D->tensor_bits[i];
    for (uint32_t i = 0; i < D->n_segs; i++)
        cells += (uint64_t)1 << D->segs[i].log2;
    for (uint32_t i = 0; i < k->n_ops; i++)
        for (uint32_t t = 0; t < k->ops[i].n_terms; t++)
            if (k->ops[i].terms[t].kind == DSP_TERM_CONV)
                work += dsp_cells(k->tensors[k->ops[i].out].dims) * k->weights[k->ops[i].terms[t].weight].count;
    for (unsigned round = 0; round < 3 && cells <= MAX_RUN_CELLS && work <= 1 << 20; round++) {
        const int64_t **in = dsp_arena_alloc(a, k->n_tensors + 1, sizeof *in);
        dsp_witness    *w = NULL;
        dsp_err         err = {DSP_OK, ""};
        FUZZ_CHECK(in);
        for (uint32_t i = 0; i < k->n_tensors; i++) {
            const dsp_tensor *t = &k->tensors[i];
            const uint64_t    n = dsp_cells(t->dims);
            bool              made = false;
            for (uint32_t o = 0; o < k->n_ops; o++)
                made |= k->ops[o].kind != DSP_OP_RANGE && k->ops[o].out == i;
            int64_t *v = made ? NULL : DSP_ARENA_N(a, int64_t, n);
            for (uint64_t c = 0; v && c < n; c++)
                v[c] = round == 0 ? t->lo : round == 1 ? t->hi : (c * 7 + i) % 5 < 2 ? t->lo : t->lo / 2 + t->hi / 2;
            in[i] = v;
        }
        const dsp_status s = dsp_execute(&w, D, in, true, NULL, &err);
        FUZZ_CHECK(s == DSP_OK || *err.msg); /* a key may leave too little room for what saturates: DSP_E_BUG then */
        if (s == DSP_OK)
            FUZZ_CHECK(dsp_witness_count(w, &err) == DSP_OK);
        dsp_witness_free(w);
    }
    dsp_arena_free(a);
}

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_key     *k = NULL;
    dsp_derived *D = NULL;
    dsp_status   s = dsp_key_read(&k, p, n, err);
    FUZZ_CHECK((s == DSP_OK) == (k != NULL));
    if (s == DSP_OK) {
        dsp_buf b = {0};
        dsp_err other;
        FUZZ_CHECK(dsp_key_write(&b, k, &other) == DSP_OK && b.len == n && memcmp(b.p, p, n) == 0);
        dsp_buf_release(&b);
        s = dsp_derive(&D, k, err);
    }
    if (s == DSP_OK && (s = dsp_key_check(D, err)) == DSP_OK)
        execute(D);
    dsp_derived_free(D);
    dsp_key_free(k);
    return s;
}
