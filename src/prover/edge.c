/* Trees B: one boundary tensor, the same bytes for producer and consumers. */
#include <string.h>

#include "base/size.h"
#include "pcs/code.h"
#include "prover/prove.h"

void dsp_run_secret(uint8_t out[32], const uint8_t drawn[32], const dsp_digest *run_key, const uint8_t nonce[32],
                    const dsp_digest *inputs)
{
    dsp_sha s;
    dsp_sha_init(&s);
    dsp_sha_put(&s, "dsperse run secret", 18);
    dsp_sha_put(&s, drawn, 32);
    dsp_sha_put(&s, run_key->b, 32);
    dsp_sha_put(&s, nonce, 32);
    dsp_sha_put(&s, inputs->b, 32);
    dsp_digest d = dsp_sha_digest(&s);
    memcpy(out, d.b, 32);
    dsp_wipe(&d, sizeof d);
    dsp_wipe(&s, sizeof s);
}

/* SHA-256 of the cells as i64. */
static dsp_digest cells_digest(const int64_t *cells, uint64_t n)
{
    uint8_t b[64 * 8];
    dsp_sha s;
    dsp_sha_init(&s);
    while (n) {
        const uint64_t m = n < 64 ? n : 64;
        for (uint64_t i = 0; i < m; i++)
            dsp_put64(b + 8 * i, (uint64_t)cells[i]);
        dsp_sha_put(&s, b, 8 * m);
        cells += m;
        n -= m;
    }
    const dsp_digest d = dsp_sha_digest(&s);
    dsp_wipe(b, sizeof b);
    dsp_wipe(&s, sizeof s);
    return d;
}

dsp_status dsp_edge_commit(dsp_edge **out, const dsp_derived *D, uint32_t tree, const int64_t *cells, const dsp_digest *run_key,
                           const uint8_t secret[32], dsp_pool *pool, dsp_err *err)
{
    *out = NULL;
    if (tree >= D->n_trees || D->trees[tree].edge == DSP_NONE)
        return dsp_fail(err, DSP_E_ARG, "edge: tree %u of slice '%s' holds no boundary tensor", tree, D->key->name);
    const dsp_tree_info *t = &D->trees[tree];
    const dsp_tensor    *x = &D->tensors[t->edge];
    dsp_status           rc = DSP_E_NOMEM;
    dsp_rand             rnd;
    dsp_row             *row = NULL;
    uint8_t             *cols = NULL, *salts = NULL;
    size_t               words;
    dsp_ntt             *ntt = NULL;
    dsp_edge            *e = DSP_NEW(dsp_edge);
    memset(&rnd, 0, sizeof rnd);
    if (!e || !(e->arena = dsp_arena_create(0)) || !(ntt = dsp_ntt_create(dsp_lg(t->n))))
        goto memory;
    e->cells = cells;
    e->rows = dsp_mul_size(&words, t->R, t->k) ? DSP_ARENA_N(e->arena, dsp_fe, words) : NULL;
    row = DSP_ARENA_N(e->arena, dsp_row, t->R);
    cols = dsp_mul_size(&words, t->n, 8 * (size_t)t->R) ? DSP_ARENA_RAW(e->arena, uint8_t, words) : NULL;
    salts = DSP_ARENA_RAW(e->arena, uint8_t, (size_t)t->n * DSP_SALT_BYTES);
    if (!e->rows || !row || !cols || !salts)
        goto memory;

    const dsp_digest layout = dsp_layout_digest(D, tree), data = cells_digest(cells, dsp_cells(x->dims));
    dsp_rand_begin(&rnd, secret);
    dsp_rand_part(&rnd, "B", 1);
    dsp_rand_part(&rnd, run_key->b, sizeof run_key->b);
    dsp_rand_part(&rnd, x->name, strlen(x->name));
    dsp_rand_part(&rnd, layout.b, sizeof layout.b);
    dsp_rand_part(&rnd, data.b, sizeof data.b);
    dsp_rand_end(&rnd);

    dsp_code_place(e->rows, t->k, t->C, 0, x->dims, cells);
    for (uint32_t i = 0; i < t->R; i++) {
        dsp_fe *r = e->rows + (size_t)i * t->k;
        dsp_rand_fe(&rnd, r + t->C, t->k - t->C, DSP_L_TAIL, i);
        row[i] = (dsp_row){r, t->k};
    }
    dsp_tree_salts(salts, t->n, &rnd, DSP_L_SALT, 0, pool);
    rc = dsp_code_columns(cols, 8 * (size_t)t->R, row, t->R, ntt, dsp_lg(t->n), e->arena, pool, err);
    if (rc == DSP_OK)
        rc = dsp_tree_build(&e->tree, e->arena, pool, DSP_TREE_B, t->n, 8 * (size_t)t->R, cols, salts, err);
    if (rc != DSP_OK) {
        (void)dsp_context(err, rc, "edge '%s'", x->name);
        goto done;
    }
    e->root = e->tree.root;
    *out = e;
    goto done;
memory:
    rc = dsp_fail(err, DSP_E_NOMEM, "edge '%s': no memory", x->name);
done:
    dsp_ntt_free(ntt);
    dsp_rand_wipe(&rnd);
    if (rc != DSP_OK)
        dsp_edge_free(e);
    return rc;
}

void dsp_edge_free(dsp_edge *e)
{
    if (!e)
        return;
    dsp_arena_free(e->arena);
    dsp_free(e);
}
