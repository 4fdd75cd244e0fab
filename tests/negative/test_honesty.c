/* Lies that a run must not survive, told by a prover that is consistent in all else: a weight other than the key's, a boundary tensor
 * exchanged with its neighbour's, segments of two honest runs joined at a cut, keys of an earlier compilation. Each is
 * rejected by the check that is named, and accepted when that check alone is left out. */
#include "slices.h"

static json_t *vec;

static const char *example(char out[32], const char *name, int mode)
{
    snprintf(out, 32, "%s, 12 bits, mode %d", name, mode);
    return out;
}

/* One proof that breaks `check` alone; what speaks is the sum of all constraints. */
static void breaks(slices *s, uint32_t i, unsigned check, const char *what)
{
    const dsp_cheat       c = {0};
    const dsp_prove_rules rules = {.skip = (uint64_t)1 << check};
    dsp_err               err = {DSP_OK, ""};
    dsp_buf               p = slices_prove(s, i, &c, &rules, NULL);
    const unsigned        by = slices_verify(s, i, p.p, p.len, 0, NULL, &err);
    if (by != DSP_V20)
        fail_msg("%s: V%u speaks: %s", what, by, err.msg);
    const unsigned left = slices_verify(s, i, p.p, p.len, rules.skip, NULL, &err);
    if (left)
        fail_msg("%s: with V%u left out V%u speaks: %s", what, check, left, err.msg);
    dsp_buf_release(&p);
}

/* The run is made with one weight changed; keys, statement and proofs are about the true one. */
static void weight(void **state)
{
    (void)state;
    static const struct { const char *run; uint32_t slice, weight; size_t at; unsigned check[2]; } cases[] = {
        {"chain", 0, 0, 4, {DSP_V11, DSP_V10}},  /* convolution of a public input */
        {"chain", 1, 0, 7, {DSP_V11, DSP_V13}},  /* fully connected, of a boundary */
        {"chain", 0, 1, 1, {DSP_V11, DSP_V10}},  /* a bias */
        {"dag", 1, 0, 5, {DSP_V11, DSP_V13}},    /* beside a residual */
        {"dag", 2, 1, 2, {DSP_V11, DSP_V13}},    /* the second convolution of a sum */
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int mode = 0; mode < 2; mode++) {
            slices s;
            char   title[32];
            slices_load(&s, vec, example(title, cases[k].run, mode));
            dsp_weight *w = &s.key[cases[k].slice]->weights[cases[k].weight];
            int64_t    *v = (int64_t *)(uintptr_t)w->v;
            assert_true(cases[k].at < w->count);
            const dsp_digest digest = s.key[cases[k].slice]->digest;
            v[cases[k].at] += 3;
            const dsp_tamper *const honest[SLICES_MAX] = {NULL};
            slices_run(&s, honest);
            v[cases[k].at] -= 3;
            dsp_err err;
            assert_int_equal(dsp_key_seal(s.key[cases[k].slice], &err), DSP_OK);
            assert_memory_equal(&digest, &s.key[cases[k].slice]->digest, sizeof digest);
            char what[96];
            snprintf(what, sizeof what, "%s, slice %u, weight %u", title, cases[k].slice, cases[k].weight);
            breaks(&s, cases[k].slice, cases[k].check[mode], what);
            slices_free(&s);
        }
}

static void swap_values(slices *s)
{
    slices_value *a = slices_get(s, "e1"), *b = slices_get(s, "e2");
    int64_t      *t = a->v;
    assert_int_equal(a->n, b->n);
    a->v = b->v;
    b->v = t;
}

/* The head of the residual example reads e1 and e2, which have one shape; it is run with one in place of the other, while the statement
 * holds both roots as they are. Trees of two boundaries with unequal numbers of users cannot be exchanged themselves. */
static void neighbours(void **state)
{
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        slices s;
        char   title[32];
        slices_load(&s, vec, example(title, "dag", mode));
        slices_run(&s, NULL);
        assert_memory_not_equal(slices_get(&s, "e1")->v, slices_get(&s, "e2")->v, slices_get(&s, "e1")->n * sizeof(int64_t));
        swap_values(&s);
        slices_reexecute(&s, 2, NULL, NULL, NULL);
        swap_values(&s);
        s.pub[2][slices_tensor(&s, 2, "y")] = s.w[2]->cells[slices_tensor(&s, 2, "y")];
        breaks(&s, 2, DSP_V13, title);
        slices_free(&s);
    }
}

/* ---- whole runs ---- */

typedef struct {
    dsp_statement  *st;
    dsp_buf         key[SLICES_MAX];
    dsp_slice_bytes in[SLICES_MAX];
} whole;

/* The statement of run a, in which the values that slices from `cut` on name first are b's. proof[0], proof[1]: of all slices of a, b. */
static void join(whole *f, slices *a, slices *b, dsp_buf proof[2][SLICES_MAX], uint32_t cut, bool late)
{
    dsp_err    err;
    dsp_digest keys[SLICES_MAX];
    memset(f, 0, sizeof *f);
    dsp_statement *s = f->st = dsp_statement_create();
    assert_non_null(s);
    s->slices = DSP_ARENA_N(s->arena, dsp_stmt_slice, SLICES_MAX);
    s->unproved = DSP_ARENA_N(s->arena, dsp_stmt_unproved, 1);
    s->pubs = DSP_ARENA_N(s->arena, dsp_stmt_pub, SLICES_VALUES);
    s->edges = DSP_ARENA_N(s->arena, dsp_stmt_edge, SLICES_VALUES);
    assert_true(s->slices && s->unproved && s->pubs && s->edges);
    memcpy(s->nonce, a->nonce, 32);
    s->run_key = a->run_key;
    s->n_slices = a->n;
    for (uint32_t i = 0; i < a->n; i++) {
        slices *from = i < cut ? a : b;
        s->slices[i] = (dsp_stmt_slice){.name = a->key[i]->name, .index = i, .key = keys[i] = a->key[i]->digest};
        assert_int_equal(dsp_key_write(&f->key[i], a->key[i], &err), DSP_OK);
        const dsp_buf *p = &proof[i >= cut][i];
        f->in[i] = (dsp_slice_bytes){f->key[i].p, f->key[i].len, p->p, p->len};
        for (uint32_t t = 0; t < a->key[i]->n_tensors; t++) {
            const dsp_tensor *x = &a->key[i]->tensors[t];
            uint32_t          at = 0;
            if (x->role == DSP_ROLE_AUX)
                continue;
            const bool pub = x->role == DSP_ROLE_PUB;
            for (at = 0; at < (pub ? s->n_pubs : s->n_edges) && strcmp(pub ? s->pubs[at].name : s->edges[at].name, x->name) != 0; at++)
                ;
            const bool have = at < (pub ? s->n_pubs : s->n_edges);
            if (have && !late) /* first mention decides; late: the last one */
                continue;
            slices_value *v = slices_get(from, x->name);
            if (pub) {
                s->pubs[at] = (dsp_stmt_pub){x->name, x->name[0] == 'x' ? DSP_STMT_INPUT : DSP_STMT_OUTPUT, {x->dims[0], x->dims[1], x->dims[2]}, x->scale_bits, v->v};
                s->n_pubs += !have;
            } else {
                s->edges[at] = (dsp_stmt_edge){x->name, v->edge->root};
                s->n_edges += !have;
            }
        }
    }
    s->model_id = dsp_model_id(&s->model, &s->record, keys, a->n);
}

static void drop(whole *f)
{
    dsp_statement_free(f->st);
    for (uint32_t i = 0; i < SLICES_MAX; i++)
        dsp_buf_release(&f->key[i]);
}

static unsigned verdict(whole *f, uint64_t skip, uint32_t *at)
{
    dsp_verdict      v = {0};
    dsp_err          err = {DSP_OK, ""};
    const dsp_status st = dsp_verify_run(&v, f->st, f->in, skip, &err);
    if (st != DSP_OK && st != DSP_E_REJECTED)
        fail_msg("%s: %s", dsp_status_name(st), err.msg);
    assert_true((st == DSP_OK) == (v.check == 0));
    if (at)
        *at = v.slice;
    return v.check;
}

/* Every proof is one of an honest run under one nonce and secret and is accepted beside its own values; joined they are not. */
static void cuts(void **state)
{
    (void)state;
    static const char *const runs[] = {"chain", "dag"};
    for (int r = 0; r < 2; r++)
        for (int mode = 0; mode < 2; mode++) {
            slices  s[2];
            dsp_buf proof[2][SLICES_MAX] = {0};
            char    title[32];
            whole   f;
            for (int k = 0; k < 2; k++) {
                slices_load(&s[k], vec, example(title, runs[r], mode));
                slices_value *x = slices_get(&s[k], "x");
                for (uint64_t i = 0; k && i < x->n; i++)
                    x->v[i] = -x->v[i] < 8 ? -x->v[i] : 7;
                slices_run(&s[k], NULL);
                for (uint32_t i = 0; i < s[k].n; i++) {
                    proof[k][i] = slices_prove(&s[k], i, NULL, NULL, NULL);
                    /* what a verifier without the links between slices would look at */
                    assert_int_equal(slices_verify(&s[k], i, proof[k][i].p, proof[k][i].len, 0, NULL, NULL), 0);
                }
                join(&f, &s[k], &s[k], proof, k ? 0 : s[k].n, false);
                assert_int_equal(verdict(&f, 0, NULL), 0);
                drop(&f);
            }
            for (uint32_t cut = 1; cut < s[0].n; cut++)
                for (int late = 0; late < 2; late++) {
                    uint32_t at;
                    join(&f, &s[0], &s[1], proof, cut, late);
                    if (verdict(&f, 0, &at) != DSP_V3)
                        fail_msg("%s joined at %u is not rejected by V3", title, cut);
                    assert_true(late ? at < cut : at >= cut && at < s[0].n);
                    drop(&f);
                }
            for (int k = 0; k < 2; k++) {
                for (uint32_t i = 0; i < s[k].n; i++)
                    dsp_buf_release(&proof[k][i]);
                slices_free(&s[k]);
            }
        }
}

/* The statement names the keys of a new compilation; keys and proofs beside it are those of the old one. */
static void stale(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        slices  old, new;
        dsp_buf proof[2][SLICES_MAX] = {0};
        whole   f;
        dsp_err err;
        slices_load(&old, vec, "chain, 12 bits, mode 1");
        slices_load(&new, vec, "chain, 12 bits, mode 1");
        ((int64_t *)(uintptr_t)new.key[i]->weights[0].v)[0] += 1;
        slices_rekey(&new);
        slices_run(&old, NULL);
        for (uint32_t k = 0; k < old.n; k++)
            proof[0][k] = slices_prove(&old, k, NULL, NULL, NULL);
        join(&f, &old, &old, proof, old.n, false);
        assert_int_equal(verdict(&f, 0, NULL), 0);
        f.st->slices[i].key = new.key[i]->digest;
        dsp_digest keys[SLICES_MAX];
        for (uint32_t k = 0; k < old.n; k++)
            keys[k] = f.st->slices[k].key;
        f.st->model_id = dsp_model_id(&f.st->model, &f.st->record, keys, old.n);
        assert_int_equal(verdict(&f, 0, NULL), DSP_R1);
        assert_int_equal(verdict(&f, (uint64_t)1 << DSP_R1, NULL), 0);
        /* and with the new key in place the old proof is about another statement */
        dsp_buf_release(&f.key[i]);
        assert_int_equal(dsp_key_write(&f.key[i], new.key[i], &err), DSP_OK);
        f.in[i].key = f.key[i].p;
        f.in[i].key_len = f.key[i].len;
        assert_int_equal(verdict(&f, 0, NULL), DSP_R1);
        f.st->run_key = new.run_key;
        assert_int_equal(verdict(&f, 0, NULL), DSP_V3);
        drop(&f);
        for (uint32_t k = 0; k < old.n; k++)
            dsp_buf_release(&proof[0][k]);
        slices_free(&old);
        slices_free(&new);
    }
}

int main(void)
{
    vec = vec_load();
    const struct CMUnitTest tests[] = {cmocka_unit_test(weight), cmocka_unit_test(neighbours), cmocka_unit_test(cuts), cmocka_unit_test(stale)};
    const int               r = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vec);
    return r;
}
