/* The prover against the reference: every intermediate value of every recorded proof, and its bytes. */
#include "slices.h"

static json_t *vec;

/* Walks the lists of one slice in step with the prover. */
typedef struct {
    const json_t *slice;
    size_t        n_log, n_hidden, n_sections, at_section;
    uint16_t      section;
    size_t        section_len, section_at;
    bool          replayed, queries;
} follower;

static void on_log(void *arg, uint16_t id, const dsp_digest *d)
{
    follower     *f = arg;
    const json_t *list = vec_get(f->slice, "transcript");
    (void)id;
    if (f->n_log == 0) /* the statement is absorbed before the watch begins */
        while (strcmp(vec_str(vec_at(vec_at(list, f->n_log), 0)), "root") != 0)
            f->n_log++;
    const json_t *e = vec_at(list, f->n_log++);
    char          hex[65];
    dsp_digest_hex(hex, d);
    if (strcmp(hex, vec_str(vec_at(e, 1))) != 0)
        fail_msg("transcript entry %zu (%s, id %04x) differs", f->n_log - 1, vec_str(vec_at(e, 0)), id);
}

static void on_hidden(void *arg, uint16_t id, const dsp_ke *v, size_t n)
{
    follower     *f = arg;
    const json_t *e = vec_at(vec_get(f->slice, "values_before_padding"), f->n_hidden++), *list = vec_at(e, 1);
    if (json_array_size(list) != n)
        fail_msg("message %zu (%s, id %02x) has %zu values, %zu expected", f->n_hidden - 1, vec_str(vec_at(e, 0)), id, n,
                 json_array_size(list));
    for (size_t i = 0; i < n; i++)
        if (!dsp_ke_eq(v[i], vec_ke(vec_at(list, i))))
            fail_msg("message %zu (%s, id %02x): value %zu differs", f->n_hidden - 1, vec_str(vec_at(e, 0)), id, i);
}

static void close_section(follower *f)
{
    if (f->section_len == 0)
        return;
    const json_t *e = vec_at(vec_get(f->slice, "sections"), f->n_sections++);
    assert_int_equal(vec_int(vec_at(e, 1)), f->section_at);
    assert_int_equal(vec_int(vec_at(e, 2)), f->section_len);
    f->section_len = 0;
}

static void on_sent(void *arg, uint16_t id, size_t offset, size_t len)
{
    follower *f = arg;
    if (len == 0)
        return;
    if (f->section_len == 0 || id != f->section || id == UINT16_MAX) {
        close_section(f);
        f->section = id;
        f->section_at = offset;
    }
    f->section_len += len;
}

static dsp_digest form_digest(const dsp_aff *a)
{
    dsp_sha s;
    uint8_t b[16];
    dsp_sha_init(&s);
    dsp_ke_write(b, a->c);
    dsp_sha_put(&s, b, 16);
    for (uint32_t i = 0; i < a->n; i++) {
        dsp_sha_u32(&s, a->var[i]);
        dsp_ke_write(b, a->coef[i]);
        dsp_sha_put(&s, b, 16);
    }
    return dsp_sha_digest(&s);
}

static void on_replayed(void *arg, const dsp_replay *r)
{
    follower     *f = arg;
    const json_t *list = vec_get(f->slice, "constraints"), *u = vec_get(f->slice, "u_A_first2");
    f->replayed = true;
    assert_int_equal(json_array_size(list), r->n_constraints);
    for (uint32_t i = 0; i < r->n_constraints; i++) {
        const json_t     *e = vec_at(list, i);
        const dsp_digest d = form_digest(&r->constraints[i].form);
        assert_int_equal(atoi(vec_str(vec_at(e, 0)) + 1), r->constraints[i].check);
        vec_expect_ke(vec_at(e, 1), r->constraints[i].form.c);
        assert_int_equal(vec_int(vec_at(e, 2)), r->constraints[i].form.n);
        vec_expect_digest(vec_at(e, 3), &d);
    }
    vec_expect_ke(vec_at(u, 0), r->u[r->D->n_trees - 1][0]);
    vec_expect_ke(vec_at(u, 1), r->u[r->D->n_trees - 1][1]);
    const json_t *roots = vec_get(f->slice, "roots");
    vec_expect_digest(vec_get(roots, "A"), &r->roots[0]);
    vec_expect_digest(vec_get(roots, "P"), &r->roots[r->n_roots - 1]);
}

static void on_queries(void *arg, const dsp_replay *r, const dsp_queries *q)
{
    follower     *f = arg;
    const json_t *list = vec_get(f->slice, "queries"), *p = vec_get(f->slice, "queries_p");
    f->queries = true;
    for (uint32_t i = 0; i < r->D->n_lengths; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", r->D->lengths[i].n);
        const json_t *one = vec_get(list, name);
        assert_int_equal(json_array_size(one), r->D->lengths[i].t);
        for (uint32_t k = 0; k < r->D->lengths[i].t; k++)
            assert_int_equal(vec_int(vec_at(one, k)), q->q[i][k]);
    }
    assert_int_equal(json_array_size(p), r->D->key->pad_t);
    for (uint32_t k = 0; k < r->D->key->pad_t; k++)
        assert_int_equal(vec_int(vec_at(p, k)), q->qp[k]);
}

static void one_slice(slices *s, const json_t *slice, uint32_t i)
{
    follower        f = {.slice = slice};
    dsp_prove_watch w = {.arg = &f, .log = on_log, .hidden = on_hidden, .sent = on_sent, .replayed = on_replayed, .queries = on_queries};
    const dsp_derived *D = s->D[i];
    const json_t      *witness = vec_get(slice, "witness");
    assert_int_equal(D->fixed_bytes, vec_int(vec_get(vec_get(slice, "derived"), "fixed")));
    assert_int_equal(json_object_size(witness), D->n_aux);
    dsp_buf       b = slices_prove(s, i, NULL, NULL, &w);
    const json_t *pads = vec_get(slice, "pads_first4");
    close_section(&f);
    for (size_t k = 0; k < 4; k++)
        vec_expect_ke(vec_at(pads, k), w.pads[k]);
    assert_true(f.replayed && f.queries);
    assert_int_equal(f.n_log, json_array_size(vec_get(slice, "transcript")));
    assert_int_equal(f.n_hidden, json_array_size(vec_get(slice, "values_before_padding")));
    assert_int_equal(f.n_sections, json_array_size(vec_get(slice, "sections")));
    assert_int_equal(b.len, vec_int(vec_get(slice, "proof_len")));
    if (json_object_get(slice, "proof"))
        vec_expect(vec_get(slice, "proof"), b.p, b.len);
    const dsp_digest d = dsp_sha256(b.p, b.len);
    vec_expect_digest(vec_get(slice, "proof_sha256"), &d);
    assert_int_equal(slices_verify(s, i, b.p, b.len, 0, NULL, NULL), 0);
    dsp_buf_release(&b);
}

static void example(const char *title)
{
    const json_t *all = vec_get(vec, "proofs"), *p = NULL;
    slices        s;
    for (size_t i = 0; i < json_array_size(all); i++)
        if (strcmp(vec_str(vec_get(vec_at(all, i), "title")), title) == 0)
            p = vec_at(all, i);
    assert_non_null(p);
    slices_load(&s, vec, title);
    vec_expect_digest(vec_get(p, "run_digest"), &s.run_key);
    slices_run(&s, NULL);
    const char *name;
    json_t     *e;
    json_object_foreach((json_t *)(uintptr_t)vec_get(p, "edges"), name, e)
    {
        const dsp_edge *x = slices_get(&s, name)->edge;
        dsp_fe          code[8];
        vec_expect_digest(vec_get(e, "root"), &x->root);
        for (size_t i = 0; i < 8; i++)
            assert_true(dsp_fe_read(&code[i], x->tree.cols + i * x->tree.width));
        vec_expect_fe(vec_get(e, "code0_first8"), code, 8);
    }
    for (uint32_t i = 0; i < s.n; i++)
        one_slice(&s, vec_at(vec_get(p, "slices"), i), i);
    slices_free(&s);
}

static void chain_mode0(void **state) { (void)state; example("chain, 12 bits, mode 0"); }
static void chain_mode1(void **state) { (void)state; example("chain, 12 bits, mode 1"); }
static void dag_mode0(void **state) { (void)state; example("dag, 12 bits, mode 0"); }
static void dag_mode1(void **state) { (void)state; example("dag, 12 bits, mode 1"); }
static void chain_100_bits(void **state) { (void)state; example("chain, 100 bits, mode 0"); }

int main(void)
{
    vec = vec_load();
    const struct CMUnitTest tests[] = {cmocka_unit_test(chain_mode0), cmocka_unit_test(chain_mode1), cmocka_unit_test(dag_mode0),
                                       cmocka_unit_test(dag_mode1), cmocka_unit_test(chain_100_bits)};
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vec);
    return r;
}
