/* Runs that do not hang together, proved honestly slice by slice: which of R1 to R5 speaks, and that the same run passes when this
 * rule alone is left out. */
#include "slices.h"

static json_t *vec;

typedef struct {
    dsp_statement  *s;
    dsp_buf         key[SLICES_MAX], proof[SLICES_MAX];
    dsp_slice_bytes in[SLICES_MAX];
} file_run;

/* The statement of slices[i] of runs[i], i < n; names of pub tensors and edges from the last slice that holds them. */
static void assemble(file_run *f, slices *const *runs, uint32_t n, uint32_t listed)
{
    dsp_err err;
    memset(f, 0, sizeof *f);
    dsp_statement *s = f->s = dsp_statement_create();
    assert_non_null(s);
    s->slices = DSP_ARENA_N(s->arena, dsp_stmt_slice, SLICES_MAX);
    s->unproved = DSP_ARENA_N(s->arena, dsp_stmt_unproved, 1);
    s->pubs = DSP_ARENA_N(s->arena, dsp_stmt_pub, SLICES_VALUES);
    s->edges = DSP_ARENA_N(s->arena, dsp_stmt_edge, SLICES_VALUES);
    assert_true(s->slices && s->unproved && s->pubs && s->edges);
    memcpy(s->nonce, runs[0]->nonce, 32);
    s->run_key = runs[0]->run_key;
    s->n_slices = listed;
    dsp_digest keys[SLICES_MAX];
    for (uint32_t i = 0; i < listed; i++) {
        slices *r = runs[i];
        s->slices[i] = (dsp_stmt_slice){.name = r->key[i]->name, .index = i, .key = r->key[i]->digest};
        keys[i] = r->key[i]->digest;
        assert_int_equal(dsp_key_write(&f->key[i], r->key[i], &err), DSP_OK);
        if (i < n)
            f->proof[i] = slices_prove(r, i, NULL, NULL, NULL);
        f->in[i] = (dsp_slice_bytes){f->key[i].p, f->key[i].len, i < n ? f->proof[i].p : NULL, f->proof[i].len};
        for (uint32_t t = 0; t < r->key[i]->n_tensors; t++) {
            const dsp_tensor *x = &r->key[i]->tensors[t];
            bool              have = false;
            if (x->role == DSP_ROLE_PUB) {
                for (uint32_t k = 0; k < s->n_pubs; k++)
                    have |= strcmp(s->pubs[k].name, x->name) == 0;
                if (!have)
                    s->pubs[s->n_pubs++] = (dsp_stmt_pub){x->name, x->name[0] == 'x' ? DSP_STMT_INPUT : DSP_STMT_OUTPUT,
                                                          {x->dims[0], x->dims[1], x->dims[2]}, x->scale_bits, r->pub[i][t]};
            } else if (x->role == DSP_ROLE_EDGE) {
                for (uint32_t k = 0; k < s->n_edges; k++)
                    have |= strcmp(s->edges[k].name, x->name) == 0;
                if (!have)
                    s->edges[s->n_edges++] = (dsp_stmt_edge){x->name, slices_get(r, x->name)->edge->root};
            }
        }
    }
    s->model_id = dsp_model_id(&s->model, &s->record, keys, listed);
}

static void drop(file_run *f)
{
    dsp_statement_free(f->s);
    for (uint32_t i = 0; i < SLICES_MAX; i++) {
        dsp_buf_release(&f->key[i]);
        dsp_buf_release(&f->proof[i]);
    }
}

static unsigned verdict(file_run *f, uint64_t skip)
{
    dsp_verdict      v = {0};
    dsp_err          err = {DSP_OK, ""};
    const dsp_status st = dsp_verify_run(&v, f->s, f->in, skip, &err);
    if (st != DSP_OK && st != DSP_E_REJECTED)
        fail_msg("%s: %s", dsp_status_name(st), err.msg);
    assert_true((st == DSP_OK) == (v.check == 0));
    return v.check;
}

static void expect(file_run *f, unsigned check)
{
    assert_int_equal(verdict(f, 0), check);
    if (check)
        assert_int_equal(verdict(f, (uint64_t)1 << check), 0);
}

static void load(slices *s) { slices_load(s, vec, "chain, 12 bits, mode 1"); }

static void honest(void **state)
{
    (void)state;
    for (int d = 0; d < 2; d++) {
        slices   s;
        file_run f;
        slices_load(&s, vec, d ? "dag, 12 bits, mode 1" : "chain, 12 bits, mode 1");
        slices_run(&s, NULL);
        slices *const runs[SLICES_MAX] = {&s, &s, &s, &s};
        assemble(&f, runs, s.n, s.n);
        expect(&f, 0);
        drop(&f);
        slices_free(&s);
    }
}

/* The boundary of two honest runs mixed: a run statement holds one root per edge, so the other slice's proof is of another statement. */
static void mixed(void **state)
{
    (void)state;
    slices   a, b;
    file_run f;
    load(&a);
    load(&b);
    slices_get(&b, "x")->v[0] += 3;
    slices_run(&a, NULL);
    slices_run(&b, NULL);
    slices *const runs[] = {&a, &b};
    assemble(&f, runs, 2, 2);
    assert_int_equal(verdict(&f, 0), DSP_V3);
    drop(&f);
    slices_free(&a);
    slices_free(&b);
}

static void left_out(void **state)
{
    (void)state;
    slices   a;
    file_run f;
    load(&a);
    slices_run(&a, NULL);
    slices *const runs[] = {&a, &a};
    assemble(&f, runs, 1, 2);
    expect(&f, DSP_R1);
    drop(&f);
    slices_free(&a);
}

/* A proof under another nonce of the same secret. */
static void two_nonces(void **state)
{
    (void)state;
    slices   a, b;
    file_run f;
    load(&a);
    load(&b);
    memset(b.nonce, 0, 32);
    slices_run(&a, NULL);
    slices_run(&b, NULL);
    slices *const runs[] = {&a, &b};
    assemble(&f, runs, 2, 2);
    assert_int_equal(verdict(&f, 0), DSP_V3);
    drop(&f);
    slices_free(&a);
    slices_free(&b);
}

static void more_queries(void **state)
{
    (void)state;
    slices   a;
    file_run f;
    load(&a);
    for (uint32_t i = 0; i < a.n; i++)
        for (uint32_t k = 0; k < a.key[i]->n_trees; k++)
            a.key[i]->trees[k].t++;
    slices_rekey(&a);
    slices_run(&a, NULL);
    slices *const runs[] = {&a, &a};
    assemble(&f, runs, 2, 2);
    expect(&f, DSP_R5);
    drop(&f);
    slices_free(&a);
}

/* The consumer declares another range of the edge. */
static void other_layout(void **state)
{
    (void)state;
    slices   a;
    file_run f;
    load(&a);
    a.key[1]->tensors[slices_tensor(&a, 1, "b1")].hi = 31;
    slices_rekey(&a);
    slices_run(&a, NULL);
    slices *const runs[] = {&a, &a};
    assemble(&f, runs, 2, 2);
    expect(&f, DSP_R2);
    drop(&f);
    slices_free(&a);
}

int main(void)
{
    vec = vec_load();
    const struct CMUnitTest tests[] = {cmocka_unit_test(honest), cmocka_unit_test(mixed), cmocka_unit_test(left_out),
                                       cmocka_unit_test(two_nonces), cmocka_unit_test(more_queries), cmocka_unit_test(other_layout)};
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vec);
    return r;
}
