/* The building blocks of the slice proof against the reference implementation. */
#include "vectors/vec.h"

#include "base/mem.h"
#include "pcs/merkle.h"
#include "pcs/params.h"
#include "poly/poly.h"
#include "transcript/transcript.h"

static json_t *vec;

static void field(void **state)
{
    (void)state;
    const json_t *f = vec_get(vec, "field");
    const dsp_ke  a = vec_ke(vec_get(f, "a")), b = vec_ke(vec_get(f, "b")), ab[2] = {a, b}, ba[2] = {b, a};
    dsp_ke        w[4];
    vec_expect_ke(vec_get(f, "sum"), dsp_ke_add(a, b));
    vec_expect_ke(vec_get(f, "dif"), dsp_ke_sub(a, b));
    vec_expect_ke(vec_get(f, "mul"), dsp_ke_mul(a, b));
    vec_expect_ke(vec_get(f, "inv"), dsp_ke_inv(a));
    dsp_lagrange(w, a, 3);
    vec_expect_kes(vec_get(f, "lagrange3"), w, 4);
    dsp_eq_table(w, ab, 2);
    vec_expect_kes(vec_get(f, "eqv"), w, 4);
    vec_expect_ke(vec_get(f, "eq"), dsp_eq_point(ab, ba, 2));
    const char *n;
    json_t     *r;
    json_object_foreach((json_t *)(uintptr_t)vec_get(f, "root_of_unity"), n, r)
    {
        const dsp_fe root = dsp_fe_root(strtoull(n, NULL, 10));
        vec_expect_fe(r, &root, 1);
    }
}

static void indices_equal(const json_t *a, const uint32_t *q, size_t n)
{
    assert_int_equal(json_array_size(a), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(vec_int(vec_at(a, i)), q[i]);
}

static void transcript(void **state)
{
    (void)state;
    const json_t  *v = vec_get(vec, "transcript"), *f = vec_get(vec, "field");
    const dsp_ke   ab[2] = {vec_ke(vec_get(f, "a")), vec_ke(vec_get(f, "b"))};
    dsp_ke         alpha[3];
    uint32_t       q[20];
    dsp_transcript t;
    dsp_transcript_init(&t);
    dsp_absorb(&t, DSP_T_BYTES, DSP_M_LABEL, "dsperse slice proof 1", 21);
    dsp_digest d = dsp_transcript_digest(&t);
    vec_expect_digest(vec_get(v, "after_label"), &d);
    dsp_absorb_ke(&t, DSP_M_LEAVES, ab, 2);
    d = dsp_transcript_digest(&t);
    vec_expect_digest(vec_get(v, "after_two_K"), &d);
    dsp_squeeze(&t, DSP_Q_ALPHA, alpha, 3);
    vec_expect_kes(vec_get(v, "alpha"), alpha, 3);
    assert_true(dsp_squeeze_indices(&t, DSP_Q_QUERY, q, 20, 256));
    indices_equal(vec_get(v, "query"), q, 20);
    assert_true(dsp_squeeze_indices(&t, DSP_Q_QUERY_P, q, 15, 512));
    indices_equal(vec_get(v, "query_p"), q, 15);
}

static void randomness(void **state)
{
    (void)state;
    const json_t *v = vec_get(vec, "random"), *context = vec_get(v, "context");
    size_t        n;
    uint8_t      *secret = vec_hex(vec_get(v, "secret"), &n);
    dsp_rand      r;
    dsp_fe        row[5];
    dsp_ke        pad[2];
    assert_int_equal(n, 32);
    dsp_rand_begin(&r, secret);
    free(secret);
    for (size_t i = 0; i < json_array_size(context); i++) {
        uint8_t *part = vec_hex(vec_at(context, i), &n);
        dsp_rand_part(&r, part, n);
        free(part);
    }
    dsp_rand_end(&r);
    vec_expect_digest(vec_get(v, "key"), &r.key);
    dsp_rand_fe(&r, row, 5, DSP_L_TAIL, 3);
    vec_expect_fe(vec_get(v, "tail_row_3"), row, 5);
    dsp_rand_ke(&r, pad, 2, DSP_L_PAD, 0);
    vec_expect_kes(vec_get(v, "pad"), pad, 2);
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t salt[DSP_SALT_BYTES];
        dsp_rand_salt(&r, salt, DSP_L_SALT, i);
        vec_expect(vec_at(vec_get(v, "salts"), i), salt, sizeof salt);
    }
    dsp_rand_wipe(&r);
}

static void code(void **state)
{
    (void)state;
    const json_t *v = vec_get(vec, "code"), *c = vec_get(v, "coefficients");
    dsp_fe        row[8], word[16];
    dsp_ntt      *t = dsp_ntt_create(6);
    assert_non_null(t);
    for (size_t i = 0; i < 8; i++)
        row[i] = dsp_fe_from_i64(vec_int(vec_at(c, i)));
    dsp_rs_encode(t, word, 4, row, 8, DSP_FE_CONST(1));
    vec_expect_fe(vec_get(v, "codeword_n16"), word, 16);
    dsp_rs_encode(t, word, 4, row, 8, DSP_FE_CONST(7));
    vec_expect_fe(vec_get(v, "coset7_n16"), word, 16);
    dsp_ntt_inverse(t, row, 3);
    vec_expect_fe(vec_get(v, "interpolation_H8"), row, 8);
    dsp_ntt_free(t);
}

static void merkle(void **state)
{
    (void)state;
    const json_t *v = vec_get(vec, "merkle"), *queries = vec_get(v, "queries");
    uint8_t       cols[8][16], salts[8][16];
    uint32_t      q[3], scratch[3];
    dsp_err       err;
    dsp_tree      t;
    dsp_buf       b = {0};
    dsp_arena    *a = dsp_arena_create(0);
    assert_non_null(a);
    for (uint8_t i = 0; i < 8; i++) {
        dsp_put64(cols[i], i);
        dsp_put64(cols[i] + 8, (uint64_t)i + 1);
        memset(salts[i], i, 16);
    }
    assert_int_equal(dsp_tree_build(&t, a, NULL, DSP_TREE_A, 8, 16, &cols[0][0], &salts[0][0], &err), DSP_OK);
    vec_expect_digest(vec_get(v, "leaf0"), &t.node[0]);
    vec_expect_digest(vec_get(v, "root"), &t.root);
    for (size_t i = 0; i < 3; i++)
        q[i] = (uint32_t)vec_int(vec_at(queries, i));
    assert_int_equal(dsp_tree_siblings(8, q, 3, scratch), json_array_size(vec_get(v, "siblings")));
    dsp_tree_open(&b, &t, q, 3);
    assert_false(b.bad);
    vec_expect(vec_get(v, "opening"), b.p, b.len);
    dsp_rd         rd;
    bool           ok;
    const uint8_t *col[3];
    dsp_rd_init(&rd, b.p, b.len, "opening", &err);
    assert_int_equal(dsp_tree_check(&ok, col, &rd, a, DSP_TREE_A, 8, 16, &t.root, q, 3, &err), DSP_OK);
    assert_true(ok);
    assert_int_equal(dsp_rd_done(&rd, true), DSP_OK);
    assert_memory_equal(col[2], cols[6], 16);
    dsp_buf_release(&b);
    dsp_arena_free(a);
}

static void queries(void **state)
{
    (void)state;
    const json_t *v = vec_get(vec, "t"), *trees = vec_get(v, "trees"), *pads = vec_get(v, "pads");
    assert_true(json_array_size(trees) > 3 && json_array_size(pads) > 2);
    for (size_t i = 0; i < json_array_size(trees); i++) {
        const json_t *r = vec_at(trees, i);
        dsp_code_use  u = {(uint32_t)vec_int(vec_at(r, 1)), (uint32_t)vec_int(vec_at(r, 2))};
        assert_int_equal(dsp_t_for_trees((uint32_t)vec_int(vec_at(r, 0)), &u, 1, (unsigned)vec_int(vec_at(r, 3))),
                         vec_int(vec_at(r, 4)));
    }
    for (size_t i = 0; i < json_array_size(pads); i++) {
        const json_t *r = vec_at(pads, i);
        assert_int_equal(dsp_t_pads((uint32_t)vec_int(vec_at(r, 0)), (uint32_t)vec_int(vec_at(r, 1)),
                                    (unsigned)vec_int(vec_at(r, 2))), vec_int(vec_at(r, 3)));
    }
}

int main(void)
{
    vec = vec_load();
    const struct CMUnitTest tests[] = {cmocka_unit_test(field), cmocka_unit_test(transcript), cmocka_unit_test(randomness),
                                       cmocka_unit_test(code), cmocka_unit_test(merkle), cmocka_unit_test(queries)};
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vec);
    return r;
}
