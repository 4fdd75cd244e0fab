/* The verifier against the reference, stage by stage: transcript, constraints, verdict. The test names the first stage
 * that differs. */
#include "vectors/vec_slice.h"

#include <stdio.h>

#include "verifier/verify.h"

static const struct { uint16_t id; const char *name; } NAMES[] = {
    {DSP_M_ROOT, "root"}, {DSP_M_AGAIN, "again"}, {DSP_M_GKR_VALS, "gkr_vals"}, {DSP_M_GKR_ROUND, "gkr_round"}, {DSP_M_LEAVES, "leaves"},
    {DSP_M_S3_ROUND, "s3_round"}, {DSP_M_S3_VALS, "s3_vals"}, {DSP_M_OP_ROUND, "op_round"}, {DSP_M_Y, "y"}, {DSP_M_SIGMA, "sigma"},
    {DSP_M_U, "u"}, {DSP_M_U2, "u2"}, {DSP_M_Y_LDT, "y_ldt"}, {DSP_M_Y_DOT, "y_dot"}, {DSP_M_Y_Q, "y_q"},
    {DSP_Q_ALPHA, "squeeze alpha"}, {DSP_Q_BETA, "squeeze beta"}, {DSP_Q_TAU, "squeeze tau"}, {DSP_Q_GKR_LAMBDA, "squeeze gkr_lambda"},
    {DSP_Q_GKR_RHO, "squeeze gkr_rho"}, {DSP_Q_GKR_MU, "squeeze gkr_mu"}, {DSP_Q_ETA, "squeeze eta"}, {DSP_Q_S3_RHO, "squeeze s3_rho"},
    {DSP_Q_OP_LAMBDA, "squeeze op_lambda"}, {DSP_Q_OP_R, "squeeze op_r"}, {DSP_Q_GAMMA, "squeeze gamma"}, {DSP_Q_RHO, "squeeze rho"},
    {DSP_Q_U_LDT, "squeeze u_ldt"}, {DSP_Q_ALPHA_L, "squeeze alpha_l"}, {DSP_Q_ALPHA_Q, "squeeze alpha_q"}, {DSP_Q_U_Q, "squeeze u_q"},
};
static const char *name_of(uint16_t id)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (NAMES[i].id == id)
            return NAMES[i].name;
    return id >= DSP_Q_QUERY ? "indices" : "?";
}

typedef struct { const vec_slice *v; size_t at; uint32_t constraints; } seen;

static void on_log(void *arg, uint16_t id, const dsp_digest *d)
{
    seen         *s = arg;
    const json_t *log = vec_get(s->v->json, "transcript"), *row = vec_at(log, s->at);
    const char   *want = vec_str(vec_at(row, 0)), *have = name_of(id);
    char          hex[65];
    dsp_digest_hex(hex, d);
    if (strncmp(want, have, strlen(have)) != 0 || strcmp(hex, vec_str(vec_at(row, 1))) != 0)
        fail_msg("transcript entry %zu: expected %s %s, found %s %s", s->at, want, vec_str(vec_at(row, 1)), have, hex);
    s->at++;
}

static void on_replayed(void *arg, const dsp_replay *r)
{
    seen         *s = arg;
    const json_t *list = vec_get(s->v->json, "constraints");
    assert_int_equal(r->n_constraints, json_array_size(list));
    for (uint32_t i = 0; i < r->n_constraints; i++) {
        const dsp_constraint *c = &r->constraints[i];
        const json_t         *row = vec_at(list, i);
        char                  name[8], hex[65];
        uint8_t               b[16];
        dsp_sha               sha;
        snprintf(name, sizeof name, "V%u", c->check);
        assert_string_equal(name, vec_str(vec_at(row, 0)));
        if (c->form.n != vec_int(vec_at(row, 2)))
            fail_msg("constraint %u (%s): %u variables, expected %d", i, name, c->form.n, (int)vec_int(vec_at(row, 2)));
        dsp_ke_write(b, c->form.c);
        dsp_sha_init(&sha);
        dsp_sha_put(&sha, b, sizeof b);
        vec_expect_ke(vec_at(row, 1), c->form.c);
        for (uint32_t k = 0; k < c->form.n; k++) {
            dsp_ke_write(b, c->form.coef[k]);
            dsp_sha_u32(&sha, c->form.var[k]);
            dsp_sha_put(&sha, b, sizeof b);
        }
        const dsp_digest d = dsp_sha_digest(&sha);
        dsp_digest_hex(hex, &d);
        if (strcmp(hex, vec_str(vec_at(row, 3))) != 0)
            fail_msg("constraint %u (%s): coefficients differ", i, name);
    }
    s->constraints = r->n_constraints;
}

static void each(void (*f)(vec_slice *v, const char *title))
{
    json_t *j = vec_load();
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < 2; i++) {
            vec_slice     v;
            const json_t *proof = vec_at(vec_get(j, "proofs"), p);
            vec_slice_load(&v, proof, i);
            f(&v, vec_str(vec_get(proof, "title")));
            vec_slice_free(&v);
        }
    json_decref(j);
}

static void stages(vec_slice *v, const char *title)
{
    dsp_err  e = {DSP_OK, ""};
    unsigned check = 99;
    seen     s = {.v = v};
    while (strcmp(vec_str(vec_at(vec_at(vec_get(v->json, "transcript"), s.at), 0)), "root") != 0)
        s.at++;
    const dsp_verify_hooks h = {.log = on_log, .replayed = on_replayed, .arg = &s};
    const dsp_status       st = dsp_verify_slice_hooked(v->D, &v->st, v->proof, v->proof_len, 0, &h, &check, &e);
    if (st != DSP_OK)
        fail_msg("%s, %s: %s", title, v->key->name, e.msg);
    assert_int_equal(check, 0);
    assert_int_equal(s.at, json_array_size(vec_get(v->json, "transcript")));
    assert_true(s.constraints > 0);
}
static void test_stages(void **state)
{
    (void)state;
    each(stages);
}

/* ------------------------------------------------------------------ what the statement says is bound */

static void expect(const vec_slice *v, unsigned want, const char *what)
{
    dsp_err          e = {DSP_OK, ""};
    unsigned         check = 0;
    char             head[8];
    const dsp_status st = dsp_verify_slice(v->D, &v->st, v->proof, v->proof_len, 0, &check, &e);
    snprintf(head, sizeof head, "V%u ", want);
    if (st != DSP_E_REJECTED || check != want || strncmp(e.msg, head, strlen(head)) != 0)
        fail_msg("%s: expected V%u, found %s V%u '%s'", what, want, dsp_status_name(st), check, e.msg);
}

static void statement(vec_slice *v, const char *title)
{
    (void)title;
    for (uint32_t i = 0; i < v->key->n_tensors; i++) {
        if (!v->pub[i])
            continue;
        int64_t *cells = (int64_t *)(uintptr_t)v->pub[i], old = cells[1];
        cells[1] = old == v->key->tensors[i].hi ? old - 1 : old + 1;
        expect(v, DSP_V3, "another public cell");
        cells[1] = v->key->tensors[i].hi + 1;
        expect(v, DSP_V2, "public cell out of range");
        cells[1] = v->key->tensors[i].lo - 1;
        expect(v, DSP_V2, "public cell out of range");
        cells[1] = old;
    }
    v->st.nonce[31] ^= 1;
    expect(v, DSP_V3, "another nonce");
    v->st.nonce[31] ^= 1;
    v->st.run_key.b[0] ^= 1;
    expect(v, DSP_V3, "another run key");
    v->st.run_key.b[0] ^= 1;
    v->root[0].b[5] ^= 1;
    expect(v, DSP_V3, "another boundary root");
    v->root[0].b[5] ^= 1;
    v->st.tile = 1;
    expect(v, DSP_V2, "another tile");
    v->st.tile = 0;
}
static void test_statement(void **state)
{
    (void)state;
    each(statement);
}

/* ------------------------------------------------------------------ messages */

/* A word >= p in every message section, and a forced 0 where the tree divides. */
static void words(vec_slice *v, const char *title)
{
    const json_t *sections = vec_get(v->json, "sections");
    uint8_t       keep[8];
    (void)title;
    for (size_t i = 0; i < json_array_size(sections); i++) {
        const json_t *row = vec_at(sections, i);
        const char   *name = vec_str(vec_at(row, 0));
        const size_t  at = (size_t)vec_int(vec_at(row, 1)) + (strncmp(name, "open", 4) == 0 ? DSP_SALT_BYTES : 0);
        if (strcmp(name, "header") == 0 || strcmp(name, "root") == 0)
            continue;
        memcpy(keep, v->proof + at, 8);
        dsp_put64(v->proof + at, DSP_P);
        dsp_err    e = {DSP_OK, ""};
        unsigned   check = 0;
        dsp_status st = dsp_verify_slice(v->D, &v->st, v->proof, v->proof_len, 0, &check, &e);
        /* a word in an opening is seen after V20 and V22, which know nothing of it */
        if (st != DSP_E_REJECTED || check != DSP_V4)
            fail_msg("word >= p in '%s': %s V%u '%s'", name, dsp_status_name(st), check, e.msg);
        memcpy(v->proof + at, keep, 8);
    }
    const dsp_forced_coin  zero[] = {{DSP_Q_GKR_MU, {{0}, {0}}}, {0, {{0}, {0}}}};
    const dsp_verify_hooks h = {.forced = zero};
    dsp_err                e = {DSP_OK, ""};
    unsigned               check = 0;
    assert_int_equal(dsp_verify_slice_hooked(v->D, &v->st, v->proof, v->proof_len, 0, &h, &check, &e), DSP_E_REJECTED);
    assert_int_equal(check, DSP_V5);
    assert_int_equal(strncmp(e.msg, "V5 ", 3), 0);
}
static void test_words(void **state)
{
    (void)state;
    each(words);
}

/* V12: a claim that is dropped is missed by the ledger alone; with V12 left out the coins no longer fit. */
static void ledger(vec_slice *v, const char *title)
{
    (void)title;
    for (uint32_t i = 0; i < v->D->n_expect; i++) {
        const dsp_verify_hooks h = {.drop = &v->D->expect[i].label, .n_drop = 1};
        dsp_err                e = {DSP_OK, ""};
        unsigned               check = 0;
        assert_int_equal(dsp_verify_slice_hooked(v->D, &v->st, v->proof, v->proof_len, 0, &h, &check, &e), DSP_E_REJECTED);
        assert_int_equal(check, DSP_V12);
        check = 0;
        assert_int_equal(dsp_verify_slice_hooked(v->D, &v->st, v->proof, v->proof_len, UINT64_C(1) << DSP_V12, &h, &check, &e), DSP_E_REJECTED);
        assert_int_equal(check, DSP_V20);
    }
}
static void test_ledger(void **state)
{
    (void)state;
    each(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stages), cmocka_unit_test(test_statement), cmocka_unit_test(test_words), cmocka_unit_test(test_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
