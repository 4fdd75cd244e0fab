/* The run's rules R1 to R5 on the chain of the reference: one thing wrong per case, and which rule speaks. Keys are changed and written
 * again, so that every other part of the run (digests, ids) is consistent with the change. */
#include "vectors/vec_slice.h"

#include <stdio.h>

#include "base/mem.h"
#include "verifier/verify.h"

enum { N = 2 };

typedef struct {
    json_t         *json;
    vec_slice       v[N];
    dsp_statement  *s;
    dsp_slice_bytes in[N];
    dsp_buf         bytes[N];
} fixture;

static void seal(fixture *f);
static void more_queries(fixture *f);

/* The honest run of proof `p`: statement as the pipeline writes it. */
static void start(fixture *f, size_t p)
{
    memset(f, 0, sizeof *f);
    f->json = vec_load();
    const json_t *proof = vec_at(vec_get(f->json, "proofs"), p);
    for (size_t i = 0; i < N; i++)
        vec_slice_load(&f->v[i], proof, i);
    dsp_statement *s = f->s = dsp_statement_create();
    assert_non_null(s);
    memcpy(s->nonce, f->v[0].st.nonce, 32);
    s->n_slices = N;
    s->slices = DSP_ARENA_N(s->arena, dsp_stmt_slice, N + 1);
    s->unproved = DSP_ARENA_N(s->arena, dsp_stmt_unproved, 1);
    s->n_pubs = 2;
    s->pubs = DSP_ARENA_N(s->arena, dsp_stmt_pub, 3);
    s->n_edges = 1;
    s->edges = DSP_ARENA_N(s->arena, dsp_stmt_edge, 2);
    assert_true(s->slices && s->unproved && s->pubs && s->edges);
    for (uint32_t i = 0; i < N; i++)
        s->slices[i] = (dsp_stmt_slice){.name = f->v[i].key->name, .index = i};
    s->pubs[0] = (dsp_stmt_pub){.name = "x", .use = DSP_STMT_INPUT, .dims = {1, 6, 6}, .cells = f->v[0].pub[0]};
    s->pubs[1] = (dsp_stmt_pub){.name = "y", .use = DSP_STMT_OUTPUT, .dims = {3, 1, 1}, .cells = f->v[1].pub[2]};
    s->edges[0] = (dsp_stmt_edge){"b1", f->v[0].root[0]};
    seal(f);
}

/* Keys as they are now: bytes, digests, run key, model id. */
static void seal(fixture *f)
{
    const dsp_derived *D[N] = {NULL, NULL};
    dsp_derived       *own[N] = {NULL, NULL};
    dsp_digest         keys[N];
    dsp_err            e = {DSP_OK, ""};
    for (size_t i = 0; i < N; i++) {
        dsp_buf_release(&f->bytes[i]);
        if (dsp_key_write(&f->bytes[i], f->v[i].key, &e) != DSP_OK || dsp_key_seal(f->v[i].key, &e) != DSP_OK || dsp_derive(&own[i], f->v[i].key, &e) != DSP_OK)
            fail_msg("%s", e.msg);
        D[i] = own[i];
        keys[i] = f->s->slices[i].key = f->v[i].key->digest;
        f->in[i] = (dsp_slice_bytes){f->bytes[i].p, f->bytes[i].len, f->v[i].proof, f->v[i].proof_len};
    }
    assert_int_equal(dsp_run_key_digest(&f->s->run_key, D, N, &e), DSP_OK);
    f->s->model_id = dsp_model_id(&f->s->model, &f->s->record, keys, N);
    for (size_t i = 0; i < N; i++)
        dsp_derived_free(own[i]);
}

static void stop(fixture *f)
{
    dsp_statement_free(f->s);
    for (size_t i = 0; i < N; i++) {
        dsp_buf_release(&f->bytes[i]);
        vec_slice_free(&f->v[i]);
    }
    json_decref(f->json);
}

/* The verdict: the check's name ("R2", "V20", "" accepted) and the slice. */
static const char *verdict_name(unsigned c)
{
    static const char *const r[] = {"R1", "R2", "R3", "R4", "R5"};
    static const char *const v[] = {"", "V1", "V2", "V3", "V4"};
    return c >= DSP_R1 ? r[c - DSP_R1] : c <= DSP_V4 ? v[c] : "V5 or more";
}
static void expect(fixture *f, uint64_t skip, unsigned check, uint32_t slice, const char *what)
{
    dsp_err          e = {DSP_OK, ""};
    dsp_verdict      v = {.check = 77, .slice = 77};
    const dsp_status st = dsp_verify_run(&v, f->s, f->in, skip, &e);
    if (st != (check ? DSP_E_REJECTED : DSP_OK) || v.check != check || v.slice != slice)
        fail_msg("%s: expected '%s' at %d, found %s, '%s' at %d: %s", what, verdict_name(check), (int)slice, dsp_status_name(st), verdict_name(v.check), (int)v.slice, e.msg);
    if (check && strncmp(e.msg, verdict_name(check), 2) != 0)
        fail_msg("%s: the message '%s' does not start with '%s'", what, e.msg, verdict_name(check));
}
#define BIT(c) (UINT64_C(1) << (c))

static void test_accepted(void **state)
{
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        fixture f;
        start(&f, p);
        assert_memory_equal(f.s->run_key.b, f.v[0].st.run_key.b, 32);
        expect(&f, 0, 0, DSP_NONE, "honest run");
        stop(&f);
    }
}

static void test_slices(void **state) /* R1, V1 */
{
    fixture f;
    (void)state;
    start(&f, 0);
    f.in[1].proof = NULL;
    expect(&f, 0, DSP_R1, 1, "a slice left out");
    expect(&f, BIT(DSP_R1), 0, DSP_NONE, "a slice left out, R1 left out");
    f.in[1].proof = f.v[1].proof;
    f.in[0].key = NULL;
    expect(&f, 0, DSP_R1, 0, "a key left out");
    f.in[0].key = f.bytes[0].p;
    f.s->n_slices = 0;
    expect(&f, 0, DSP_R1, DSP_NONE, "nothing proved");
    expect(&f, UINT64_MAX, DSP_R1, DSP_NONE, "nothing proved, all checks left out");
    f.s->n_slices = N;
    f.s->slices[0].key.b[3] ^= 1;
    expect(&f, 0, DSP_R1, 0, "another key digest");
    f.s->slices[0].key.b[3] ^= 1;
    f.s->slices[1].name = "other";
    expect(&f, 0, DSP_R1, 1, "another slice name");
    f.s->slices[1].name = f.s->slices[0].name;
    expect(&f, 0, DSP_R1, DSP_NONE, "a slice twice");
    f.s->slices[1].name = f.v[1].key->name;
    f.s->slices[1].index = 0;
    expect(&f, 0, DSP_R1, 1, "a segment number twice");
    f.s->slices[1].index = 1;
    f.s->n_unproved = 1;
    f.s->unproved[0] = (dsp_stmt_unproved){.name = "segment_2", .reason = "softmax", .index = 1};
    expect(&f, 0, DSP_R1, DSP_NONE, "a segment both proved and not");
    f.s->unproved[0].index = 2;
    expect(&f, 0, 0, DSP_NONE, "a segment without proof is listed");
    f.s->unproved[0].index = 3;
    expect(&f, 0, DSP_R1, DSP_NONE, "a segment that nobody lists");
    expect(&f, BIT(DSP_R1), 0, DSP_NONE, "a segment that nobody lists, R1 left out");
    f.s->n_unproved = 0;
    f.s->run_key.b[0] ^= 1;
    expect(&f, 0, DSP_R1, DSP_NONE, "another run key");
    expect(&f, BIT(DSP_R1), DSP_V3, 0, "another run key, R1 left out");
    f.s->run_key.b[0] ^= 1;
    f.s->model_id.b[0] ^= 1;
    expect(&f, 0, DSP_R1, DSP_NONE, "another model id");
    f.s->model_id.b[0] ^= 1;
    f.in[0].key_len--;
    expect(&f, 0, DSP_V1, 0, "a key cut short");
    f.in[0].key_len++;
    f.in[0].proof_len--;
    expect(&f, 0, DSP_V4, 0, "a proof cut short");
    f.in[0].proof_len++;
    dsp_slice_bytes t = f.in[0];
    f.in[0].proof = f.in[1].proof;
    f.in[0].proof_len = f.in[1].proof_len;
    expect(&f, 0, DSP_V3, 0, "the proof of another slice");
    f.in[0] = t;
    expect(&f, 0, 0, DSP_NONE, "all put right");
    stop(&f);
}

static void test_names(void **state) /* R3, R4 by the statement */
{
    fixture f;
    (void)state;
    start(&f, 1);
    f.s->edges[0].root.b[0] ^= 1;
    expect(&f, 0, DSP_V3, 0, "root of another run");
    f.s->edges[0].root.b[0] ^= 1;
    f.s->edges[0].name = "b2";
    expect(&f, 0, DSP_R3, 0, "an edge renamed");
    f.s->edges[0].name = "b1";
    f.s->n_edges = 0;
    expect(&f, 0, DSP_R3, 0, "an edge left out");
    f.s->n_edges = 2;
    f.s->edges[1] = (dsp_stmt_edge){"b2", f.s->edges[0].root};
    expect(&f, 0, DSP_R3, DSP_NONE, "an edge too many");
    f.s->edges[1].name = "b1";
    expect(&f, 0, DSP_R3, DSP_NONE, "an edge twice");
    f.s->n_edges = 1;
    f.s->n_pubs = 1;
    expect(&f, 0, DSP_R4, 1, "a public tensor left out");
    f.s->n_pubs = 3;
    f.s->pubs[2] = f.s->pubs[1];
    f.s->pubs[2].name = "z";
    expect(&f, 0, DSP_R4, DSP_NONE, "a public tensor too many");
    f.s->n_pubs = 2;
    f.s->pubs[1].scale_bits = 1;
    expect(&f, 0, DSP_R4, 1, "another scale");
    f.s->pubs[1].scale_bits = 0;
    f.s->pubs[0].dims[1] = 3;
    f.s->pubs[0].dims[2] = 12;
    expect(&f, 0, DSP_R4, 0, "another shape");
    f.s->pubs[0].dims[1] = f.s->pubs[0].dims[2] = 6;
    f.s->pubs[1].use = DSP_STMT_INPUT;
    expect(&f, 0, DSP_R4, 1, "an output declared as input");
    f.s->pubs[1].use = DSP_STMT_INPUT | DSP_STMT_OUTPUT;
    expect(&f, 0, DSP_R4, 1, "an output declared as input too");
    expect(&f, BIT(DSP_R4), 0, DSP_NONE, "an output declared as input too, R4 left out");
    f.s->pubs[1].use = DSP_STMT_INNER;
    expect(&f, 0, DSP_R4, 1, "an output hidden among the inner tensors");
    expect(&f, BIT(DSP_R4), 0, DSP_NONE, "an output hidden among the inner tensors, R4 left out");
    f.s->pubs[1].use = DSP_STMT_OUTPUT;
    f.s->pubs[0].use = DSP_STMT_INNER;
    expect(&f, 0, DSP_R4, 0, "a public tensor from nowhere");
    f.s->pubs[0].use = DSP_STMT_INPUT;
    f.s->nonce[0] ^= 1;
    expect(&f, 0, DSP_V3, 0, "another nonce");
    f.s->nonce[0] ^= 1;
    expect(&f, 0, 0, DSP_NONE, "all put right");
    stop(&f);
}

static dsp_status some(fixture *f, const bool *selected, unsigned check)
{
    dsp_err          e = {DSP_OK, ""};
    dsp_verdict      v = {.selected = selected};
    const dsp_status st = dsp_verify_run(&v, f->s, f->in, 0, &e);
    assert_int_equal(v.check, check);
    return st;
}

/* Proofs of the selected slices alone; the rules of the run hold for all. */
static void test_selected(void **state)
{
    fixture    f;
    const bool first[N] = {true}, second[N] = {false, true};
    (void)state;
    start(&f, 1);
    f.in[1].proof = NULL;
    assert_int_equal(some(&f, first, 0), DSP_OK);
    assert_int_equal(some(&f, second, DSP_R1), DSP_E_REJECTED);
    f.in[1].proof = f.v[1].proof;
    f.in[0].proof_len--;
    assert_int_equal(some(&f, first, DSP_V4), DSP_E_REJECTED);
    assert_int_equal(some(&f, second, 0), DSP_OK);
    f.in[0].proof_len++;
    f.s->model_id.b[5] ^= 1;
    assert_int_equal(some(&f, first, DSP_R1), DSP_E_REJECTED);
    f.s->model_id.b[5] ^= 1;
    more_queries(&f);
    seal(&f);
    assert_int_equal(some(&f, first, DSP_R5), DSP_E_REJECTED);
    stop(&f);
}

/* After a change of keys the proofs no longer fit, so with the rule left out V3 speaks. */
static void key_case(void (*change)(fixture *f), unsigned check, uint32_t slice, const char *what)
{
    fixture f;
    start(&f, 1);
    change(&f);
    seal(&f);
    expect(&f, 0, check, slice, what);
    expect(&f, BIT(check), DSP_V3, 0, what);
    stop(&f);
}
static void other_range(fixture *f) { f->v[1].key->tensors[0].hi = 31; }
static void other_scale(fixture *f) { f->v[1].key->tensors[0].scale_bits = 3; }
static void one_budget(fixture *f) { f->v[0].key->trees[0].J = f->v[1].key->trees[0].J = 1; }
static void more_queries(fixture *f)
{
    for (int i = 0; i < N; i++)
        for (uint32_t t = 0; t < f->v[i].key->n_trees; t++)
            f->v[i].key->trees[t].t++;
}
static void more_pad_queries(fixture *f) { f->v[1].key->pad_t++; }
static void other_profile(fixture *f) { f->v[1].key->profile = 0x8000 + 11; }
/* the producer writes under another name: nothing makes the edge that the consumer reads */
static void no_producer(fixture *f)
{
    f->v[0].key->tensors[3].name = "b0";
    for (int i = 0; i < N; i++)
        f->v[i].key->trees[0].J = 1;
    f->s->edges[0].name = "b0";
    f->s->edges[1] = (dsp_stmt_edge){"b1", f->s->edges[0].root};
    f->s->n_edges = 2;
}
static void test_keys(void **state) /* R2, R4, R5 by the keys */
{
    (void)state;
    key_case(other_range, DSP_R2, 1, "consumer declares another range");
    key_case(other_scale, DSP_R2, 1, "consumer declares another scale");
    key_case(one_budget, DSP_R2, 0, "opening budget below the number of users");
    key_case(more_queries, DSP_R5, 1, "t one too large");
    key_case(more_pad_queries, DSP_R5, 1, "t of the pads one too large");
    key_case(other_profile, DSP_R5, 1, "two profiles");
    fixture f;
    start(&f, 1);
    no_producer(&f);
    seal(&f);
    expect(&f, 0, DSP_R2, 1, "an edge without producer and range op");
    stop(&f);
    /* consumer first: the edge would prove itself */
    start(&f, 1);
    vec_slice t = f.v[0];
    f.v[0] = f.v[1];
    f.v[1] = t;
    for (uint32_t i = 0; i < N; i++)
        f.s->slices[i].name = f.v[i].key->name;
    seal(&f);
    expect(&f, 0, DSP_R2, 1, "a producer after its user");
    expect(&f, BIT(DSP_R2), DSP_V3, 0, "a producer after its user, R2 left out");
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_accepted), cmocka_unit_test(test_slices), cmocka_unit_test(test_names), cmocka_unit_test(test_selected),
                                       cmocka_unit_test(test_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
