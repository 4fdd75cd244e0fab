/* Keys, derivations, run keys, statements and witnesses of the reference implementation. */
#include "circuit/exec.h"
#include "circuit/statement.h"
#include "vectors/vec_key.h"

static json_t *vectors;

#define EACH_PROOF(p) for (size_t pi_ = 0; pi_ < json_array_size(vec_get(vectors, "proofs")); pi_++) \
                          for (const json_t *p = vec_at(vec_get(vectors, "proofs"), pi_); p; p = NULL)

static void ok(dsp_status s, const dsp_err *err)
{
    if (s != DSP_OK)
        fail_msg("%s: %s", dsp_status_name(s), err->msg);
}

typedef struct { dsp_key *key[8]; dsp_derived *D[8]; uint32_t n; } slices;

static slices load(const json_t *proof)
{
    slices        r = {.n = 0};
    dsp_err       err = {0};
    const json_t *list = vec_get(proof, "slices");
    for (; r.n < json_array_size(list); r.n++) {
        r.key[r.n] = vec_key(vec_get(vec_at(list, r.n), "key"));
        ok(dsp_derive(&r.D[r.n], r.key[r.n], &err), &err);
    }
    return r;
}

static void release(slices *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        dsp_derived_free(r->D[i]);
        dsp_key_free(r->key[i]);
    }
}

static void test_key_bytes(void **state)
{
    (void)state;
    EACH_PROOF(p) {
        slices r = load(p);
        for (uint32_t i = 0; i < r.n; i++) {
            const json_t *s = vec_at(vec_get(p, "slices"), i);
            dsp_buf       b = {0}, again = {0};
            dsp_err       err = {0};
            dsp_key      *k;
            ok(dsp_key_write(&b, r.key[i], &err), &err);
            vec_expect_digest(vec_get(s, "key_digest"), &r.key[i]->digest);
            if (strlen(vec_str(vec_get(s, "key_bytes"))) > 64)
                vec_expect(vec_get(s, "key_bytes"), b.p, b.len);
            ok(dsp_key_read(&k, b.p, b.len, &err), &err);
            assert_true(dsp_digest_eq(&k->digest, &r.key[i]->digest));
            ok(dsp_key_write(&again, k, &err), &err);
            assert_int_equal(again.len, b.len);
            assert_memory_equal(again.p, b.p, b.len);
            dsp_key_free(k);
            dsp_buf_release(&b);
            dsp_buf_release(&again);
        }
        release(&r);
    }
}

static void expect_segment(const json_t *j, const char *name, uint32_t table, unsigned log2, uint64_t off)
{
    assert_string_equal(vec_str(vec_at(j, 0)), name);
    assert_int_equal(vec_int(vec_at(j, 1)), table);
    assert_int_equal(vec_int(vec_at(j, 2)), log2);
    assert_int_equal(vec_int(vec_at(j, 3)), off);
}

static void check_derived(const dsp_derived *D, const json_t *d)
{
    static const char *const part[] = {".rem", ".q", ".u", ".v", ".a", ".b", ""};
    char text[256];
    assert_int_equal(D->nu, vec_int(vec_get(d, "nu")));
    assert_int_equal(D->M, vec_int(vec_get(d, "M")));
    assert_int_equal(D->M3, vec_int(vec_get(d, "M3")));
    assert_int_equal(D->ntau, vec_int(vec_get(d, "ntau")));
    assert_int_equal(D->npad, vec_int(vec_get(d, "npad")));
    assert_int_equal(D->fixed_bytes, vec_int(vec_get(d, "fixed")));
    const json_t *list = vec_get(d, "triples");
    assert_int_equal(json_array_size(list), D->nprod);
    for (uint32_t i = 0; i < D->nprod; i++)
        for (size_t e = 0; e < 2; e++)
            assert_int_equal(vec_int(vec_at(vec_at(list, i), e)), D->triples[i][e]);
    list = vec_get(d, "aux");
    assert_int_equal(json_array_size(list), D->n_aux);
    for (uint32_t i = 0; i < D->n_aux; i++)
        assert_string_equal(vec_str(vec_at(list, i)), D->tensors[D->aux[i]].name);
    list = vec_get(d, "segments");
    assert_int_equal(json_array_size(list), D->n_segs + D->n_used);
    for (uint32_t i = 0; i < D->n_segs; i++) {
        const dsp_segment *s = &D->segs[i];
        if (s->range == DSP_NONE)
            snprintf(text, sizeof text, "%s", D->key->ops[s->op].name);
        else
            snprintf(text, sizeof text, "%s%s.%u", D->key->ops[s->op].name, part[D->ranges[s->range].part], s->limb);
        expect_segment(vec_at(list, i), text, s->table, s->log2, s->offset);
    }
    for (uint32_t i = 0; i < D->n_used; i++) {
        snprintf(text, sizeof text, "table %u", D->used[i].table + 1);
        expect_segment(vec_at(list, D->n_segs + i), text, D->used[i].table, D->used[i].log2, D->used[i].offset);
        snprintf(text, sizeof text, "mult.%u", D->used[i].table + 1);
        assert_string_equal(D->tensors[D->used[i].tensor].name, text);
    }
    list = vec_get(d, "claims");
    assert_int_equal(json_array_size(list), D->n_expect);
    for (uint32_t i = 0; i < D->n_expect; i++) {
        dsp_label_text(text, sizeof text, D, D->expect[i].label);
        assert_string_equal(vec_str(vec_at(list, i)), text);
        assert_true(D->expect[i].n_tensors > 0);
        for (uint32_t t = 0; t < D->expect[i].n_tensors; t++)
            assert_int_not_equal(D->tensor_tree[D->expect[i].tensors[t]], DSP_NONE);
    }
    list = vec_get(d, "trees");
    assert_int_equal(json_array_size(list), D->n_trees);
    for (uint32_t i = 0; i < D->n_trees; i++) {
        const dsp_tree_info *t = &D->trees[i];
        const json_t        *j = vec_at(list, i), *off = vec_at(j, 7);
        const uint64_t       want[6] = {t->C, t->R, t->n, t->k, t->t, t->base};
        assert_string_equal(vec_str(vec_at(j, 0)), t->edge == DSP_NONE ? "A" : D->tensors[t->edge].name);
        for (size_t e = 0; e < 6; e++)
            assert_int_equal(vec_int(vec_at(j, e + 1)), want[e]);
        assert_int_equal(json_object_size(off), t->n_tensors);
        for (uint32_t e = 0; e < t->n_tensors; e++) {
            assert_int_equal(D->tensor_tree[t->tensors[e]], i);
            assert_int_equal(vec_int(vec_get(off, D->tensors[t->tensors[e]].name)), D->tensor_off[t->tensors[e]]);
        }
    }
}

static void test_derived(void **state)
{
    (void)state;
    EACH_PROOF(p) {
        slices     r = load(p);
        dsp_err    err = {0};
        dsp_digest run;
        for (uint32_t i = 0; i < r.n; i++) {
            const json_t *s = vec_at(vec_get(p, "slices"), i);
            ok(dsp_key_check(r.D[i], &err), &err);
            check_derived(r.D[i], vec_get(s, "derived"));
            assert_true(r.D[i]->fixed_bytes <= (uint64_t)vec_int(vec_get(s, "proof_len")));
            assert_true(r.D[i]->max_bytes >= (uint64_t)vec_int(vec_get(s, "proof_len")));
        }
        ok(dsp_run_key_digest(&run, (const dsp_derived *const *)r.D, r.n, &err), &err);
        vec_expect_digest(vec_get(p, "run_digest"), &run);
        release(&r);
    }
}

static void test_statement(void **state)
{
    (void)state;
    EACH_PROOF(p) {
        slices r = load(p);
        for (uint32_t i = 0; i < r.n; i++) {
            const json_t             *s = vec_at(vec_get(p, "slices"), i), *log = vec_get(s, "transcript");
            dsp_arena                *a = dsp_arena_create(0);
            const dsp_slice_statement st = vec_statement(a, r.D[i], vec_get(s, "statement"), vec_get(p, "run_digest"));
            dsp_transcript            t;
            size_t                    at = 0;
            dsp_transcript_init(&t);
            const dsp_digest S = dsp_statement_absorb(&t, r.key[i], &st);
            while (strcmp(vec_str(vec_at(vec_at(log, at + 1), 0)), "root") != 0) /* the state before the roots */
                at++;
            vec_expect_digest(vec_at(vec_at(log, at), 1), &S);
            dsp_arena_free(a);
        }
        release(&r);
    }
}

static void check_witness(const dsp_witness *w, const json_t *want, const json_t *values)
{
    const dsp_derived *D = w->D;
    const char        *name;
    json_t            *v;
    json_object_foreach((json_t *)(uintptr_t)want, name, v) {
        const uint32_t t = vec_tensor(D, name);
        assert_int_not_equal(t, DSP_NONE);
        assert_non_null(w->cells[t]);
        assert_int_equal(json_array_size(v), dsp_cells(D->tensors[t].dims));
        for (size_t i = 0; i < json_array_size(v); i++)
            if (vec_int(vec_at(v, i)) != w->cells[t][i])
                fail_msg("%s[%zu]: %lld expected, %lld found", name, i, (long long)vec_int(vec_at(v, i)), (long long)w->cells[t][i]);
    }
    for (uint32_t t = 0; t < D->key->n_tensors; t++)
        if (D->key->tensors[t].role != DSP_ROLE_AUX) {
            v = json_object_get(values, D->key->tensors[t].name);
            for (size_t i = 0; i < json_array_size(v); i++)
                assert_int_equal(vec_int(vec_at(v, i)), w->cells[t][i]);
        }
    for (uint32_t c = 0; c < D->n_columns; c++) {
        assert_non_null(w->column[c]);
        assert_null(w->column_fe[c]);
    }
}

static void test_witness(void **state)
{
    (void)state;
    dsp_pool *pool = dsp_pool_create(3);
    EACH_PROOF(p) {
        slices r = load(p);
        for (uint32_t i = 0; i < r.n; i++) {
            const json_t *s = vec_at(vec_get(p, "slices"), i), *values = vec_get(p, "values");
            dsp_arena    *a = dsp_arena_create(0);
            dsp_witness  *w, *plain, *same;
            dsp_err       err = {0};
            dsp_tamper    none = {0};
            const int64_t *const *in = vec_inputs(a, r.D[i], values);
            ok(dsp_execute(&w, r.D[i], in, true, pool, &err), &err);
            ok(dsp_witness_count(w, &err), &err);
            check_witness(w, vec_get(s, "witness"), values);
            ok(dsp_execute(&plain, r.D[i], in, false, NULL, &err), &err);
            ok(dsp_execute_tampered(&same, r.D[i], in, &none, &err), &err);
            ok(dsp_witness_count(same, &err), &err);
            check_witness(same, vec_get(s, "witness"), values);
            assert_int_equal(plain->saturated, w->saturated);
            for (uint32_t t = 0; t < r.key[i]->n_tensors; t++)
                assert_memory_equal(plain->cells[t], w->cells[t], 8 * (size_t)dsp_cells(r.key[i]->tensors[t].dims));
            dsp_witness_free(w);
            dsp_witness_free(plain);
            dsp_witness_free(same);
            dsp_arena_free(a);
        }
        release(&r);
    }
    dsp_pool_free(pool);
}

/* ---- a prover that lies about conv1 of `chain`: cell 5 ---- */

typedef struct { uint32_t op; int64_t acc, q; } lie;

static void lie_acc(void *arg, uint32_t op, int64_t *acc, size_t n)
{
    const lie *l = arg;
    assert_true(n > 5);
    if (op == l->op)
        acc[5] += l->acc;
}

static void lie_lin(void *arg, uint32_t op, int64_t *q, int64_t *u, int64_t *v, const int64_t *wide, size_t n)
{
    const lie *l = arg;
    for (size_t i = 0; i < n && op == l->op; i++)
        assert_int_equal(wide[i], q[i] + u[i] - v[i]);
    if (op == l->op)
        q[5] += l->q;
}

static void test_tampered(void **state)
{
    (void)state;
    const json_t *p = vec_at(vec_get(vectors, "proofs"), 0);
    slices        r = load(p);
    const dsp_derived *D = r.D[0];
    dsp_arena    *a = dsp_arena_create(0);
    lie           l = {.op = DSP_NONE};
    dsp_witness  *honest, *w;
    dsp_err       err = {0};
    const int64_t *const *in = vec_inputs(a, D, vec_get(p, "values"));
    for (uint32_t i = 0; i < D->key->n_ops; i++)
        l.op = strcmp(D->key->ops[i].name, "conv1") == 0 ? i : l.op;
    assert_int_not_equal(l.op, DSP_NONE);
    const uint32_t out = D->key->ops[l.op].out, rem = D->segs[D->ranges[D->op_range[l.op][DSP_R_REM]].seg0].col0;
    const uint32_t q = D->segs[D->ranges[D->op_range[l.op][DSP_R_Q]].seg0].col0;
    const dsp_tamper t = {.acc = lie_acc, .lin = lie_lin, .arg = &l};
    ok(dsp_execute(&honest, D, in, true, NULL, &err), &err);
    /* the quotient off by one: the remainder leaves [0, 2^s) and is no integer of the table */
    l.q = -1;
    ok(dsp_execute_tampered(&w, D, in, &t, &err), &err);
    assert_int_equal(w->cells[out][5], honest->cells[out][5] - 1);
    assert_non_null(w->column_fe[rem]);
    for (size_t i = 0; i < dsp_cells(D->tensors[out].dims); i++)
        assert_true(w->column_fe[rem][i].v == dsp_fe_from_i64(honest->column[rem][i] + (i == 5) * ((int64_t)1 << D->key->ops[l.op].s)).v);
    dsp_witness_free(w);
    /* far beyond the output's range: as a field element in the range of q too */
    l.q = -1000;
    ok(dsp_execute_tampered(&w, D, in, &t, &err), &err);
    assert_non_null(w->column_fe[q]);
    assert_true(w->column_fe[q][5].v == dsp_fe_from_i64(honest->cells[out][5] - 1000 - D->tensors[out].lo).v);
    ok(dsp_witness_count(w, &err), &err);
    ok(dsp_witness_count(honest, &err), &err);
    int64_t missing = 0;
    for (uint32_t u = 0; u < D->n_used; u++)
        for (size_t i = 0; i < (size_t)1 << D->used[u].log2; i++)
            missing += honest->cells[D->used[u].tensor][i] - w->cells[D->used[u].tensor][i];
    assert_true(missing >= 2); /* remainder, quotient, and what the pool makes of it */
    dsp_witness_free(w);
    /* a wrong accumulator is continued consistently */
    l.q = 0;
    l.acc = 1;
    ok(dsp_execute_tampered(&w, D, in, &t, &err), &err);
    for (uint32_t c = 0; c < D->n_columns; c++)
        assert_null(w->column_fe[c]);
    dsp_witness_free(w);
    dsp_witness_free(honest);
    dsp_arena_free(a);
    release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_bytes),
        cmocka_unit_test(test_derived),
        cmocka_unit_test(test_statement),
        cmocka_unit_test(test_witness),
        cmocka_unit_test(test_tampered),
    };
    vectors = vec_load();
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vectors);
    return r;
}
