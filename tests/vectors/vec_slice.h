/* One slice of a proof in slice_proof.json: key, derivation, statement and proof bytes, ready for the verifier. Only the proofs of
 * `chain` at 12 bits carry whole key and proof bytes. */
#ifndef DSP_TESTS_VEC_SLICE_H
#define DSP_TESTS_VEC_SLICE_H

#include "vectors/vec.h"

#include "circuit/statement.h"

typedef struct {
    const json_t       *json;      /* borrowed */
    uint8_t            *key_bytes, *proof;
    size_t              key_len, proof_len;
    dsp_key            *key;
    dsp_derived        *D;
    dsp_slice_statement st;
    const int64_t     **pub;
    dsp_digest         *root;
} vec_slice;

static inline void vec_slice_load(vec_slice *v, const json_t *proof, size_t index)
{
    dsp_err e = {DSP_OK, ""};
    size_t  n;
    memset(v, 0, sizeof *v);
    v->json = vec_at(vec_get(proof, "slices"), index);
    v->key_bytes = vec_hex(vec_get(v->json, "key_bytes"), &v->key_len);
    v->proof = vec_hex(vec_get(v->json, "proof"), &v->proof_len);
    if (dsp_key_read(&v->key, v->key_bytes, v->key_len, &e) != DSP_OK || dsp_derive(&v->D, v->key, &e) != DSP_OK || dsp_key_check(v->D, &e) != DSP_OK)
        fail_msg("key: %s", e.msg);
    const json_t *s = vec_get(v->json, "statement"), *pub = vec_get(s, "pub"), *roots = vec_get(s, "roots");
    uint8_t      *nonce = vec_hex(vec_get(s, "nonce"), &n);
    assert_int_equal(n, 32);
    memcpy(v->st.nonce, nonce, 32);
    free(nonce);
    v->st.tile = (uint32_t)vec_int(vec_get(s, "tile"));
    v->st.run_key = vec_digest(vec_get(proof, "run_digest"));
    v->pub = calloc(v->key->n_tensors, sizeof *v->pub);
    v->root = calloc(v->key->n_trees, sizeof *v->root);
    assert_true(v->pub && v->root);
    for (uint32_t i = 0; i < v->key->n_tensors; i++)
        if (v->key->tensors[i].role == DSP_ROLE_PUB) {
            const json_t *a = vec_get(pub, v->key->tensors[i].name);
            int64_t      *x = calloc(json_array_size(a), sizeof *x);
            assert_true(x && json_array_size(a) == dsp_cells(v->key->tensors[i].dims));
            for (size_t j = 0; j < json_array_size(a); j++)
                x[j] = vec_int(vec_at(a, j));
            v->pub[i] = x;
        }
    for (uint32_t i = 0; i + 1 < v->key->n_trees; i++)
        v->root[i] = vec_digest(vec_get(roots, v->key->tensors[v->key->trees[i].edge].name));
    v->st.pub = v->pub;
    v->st.root = v->root;
}

static inline void vec_slice_free(vec_slice *v)
{
    for (uint32_t i = 0; i < v->key->n_tensors; i++)
        free((void *)(uintptr_t)v->pub[i]);
    free(v->pub);
    free(v->root);
    dsp_derived_free(v->D);
    dsp_key_free(v->key);
    free(v->key_bytes);
    free(v->proof);
}

#endif
