/* Bytes of statements, and what a slice takes from the statement of its run. */
#include "circuit/statement.h"

#include "unit/circuit/sample.h"

static dsp_digest digest(uint8_t x)
{
    dsp_digest d;
    memset(d.b, x, sizeof d.b);
    return d;
}

static dsp_statement *sample(void)
{
    dsp_statement *s = dsp_statement_create();
    assert_non_null(s);
    s->model = digest(1);
    s->record = digest(2);
    s->run_key = digest(3);
    memset(s->nonce, 4, 32);
    s->slices = DSP_ARENA_N(s->arena, dsp_stmt_slice, 2);
    s->slices[0] = (dsp_stmt_slice){"segment_0", 0, digest(5), 1234};
    s->slices[1] = (dsp_stmt_slice){"segment_2", 2, digest(6), UINT64_MAX};
    s->n_slices = 2;
    const dsp_digest keys[2] = {digest(5), digest(6)};
    s->model_id = dsp_model_id(&s->model, &s->record, keys, 2);
    s->unproved = DSP_ARENA_N(s->arena, dsp_stmt_unproved, 1);
    s->unproved[0] = (dsp_stmt_unproved){"segment_1", "Softmax is not covered", 1, 17};
    s->n_unproved = 1;
    s->pubs = DSP_ARENA_N(s->arena, dsp_stmt_pub, 2);
    s->pubs[0] = (dsp_stmt_pub){"z", DSP_STMT_INPUT, {2, 4, 2}, 3, numbers(s->arena, 16, -4, 3, 9)};
    s->pubs[1] = (dsp_stmt_pub){"y", DSP_STMT_OUTPUT | DSP_STMT_INNER, {3, 1, 1}, 6, numbers(s->arena, 3, -100000, 100000, 8)};
    s->n_pubs = 2;
    s->edges = DSP_ARENA_N(s->arena, dsp_stmt_edge, 1);
    s->edges[0] = (dsp_stmt_edge){"x", digest(7)};
    s->n_edges = 1;
    return s;
}

static dsp_buf bytes_of(const dsp_statement *s)
{
    dsp_buf b = {0};
    dsp_err err = {0};
    if (dsp_statement_write(&b, s, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    return b;
}

static void test_round_trip(void **state)
{
    (void)state;
    dsp_statement *s = sample(), *r;
    dsp_buf        b = bytes_of(s);
    dsp_err        err = {0};
    if (dsp_statement_read(&r, b.p, b.len, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    assert_true(dsp_digest_eq(&r->model_id, &s->model_id));
    assert_memory_equal(r->nonce, s->nonce, 32);
    assert_int_equal(r->n_slices, 2);
    assert_string_equal(r->slices[1].name, "segment_2");
    assert_int_equal(r->slices[1].index, 2);
    assert_true(r->slices[1].macs == UINT64_MAX);
    assert_string_equal(r->unproved[0].reason, "Softmax is not covered");
    assert_int_equal(r->pubs[1].use, DSP_STMT_OUTPUT | DSP_STMT_INNER);
    assert_memory_equal(r->pubs[1].cells, s->pubs[1].cells, 24);
    assert_true(dsp_digest_eq(&r->edges[0].root, &s->edges[0].root));
    dsp_buf again = bytes_of(r);
    assert_int_equal(again.len, b.len);
    assert_memory_equal(again.p, b.p, b.len);
    dsp_buf_release(&b);
    dsp_buf_release(&again);
    dsp_statement_free(s);
    dsp_statement_free(r);
}

/* As written by someone who knows the format: the checksum fits whatever the bytes say. */
static void sign(dsp_buf *b)
{
    const dsp_digest d = dsp_sha256(b->p, b->len - 32);
    memcpy(b->p + b->len - 32, d.b, 32);
}

static void test_truncated_or_changed(void **state)
{
    (void)state;
    dsp_statement *s = sample(), *r;
    dsp_buf        b = bytes_of(s);
    dsp_err        err = {0};
    for (size_t n = 0; n < b.len; n++) {
        uint8_t *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, b.p, n);
        assert_int_equal(dsp_statement_read(&r, copy, n, &err), DSP_E_FORMAT);
        assert_null(r);
        if (n >= 40) { /* with a checksum that fits */
            const dsp_digest d = dsp_sha256(copy, n - 32);
            memcpy(copy + n - 32, d.b, 32);
            assert_int_not_equal(dsp_statement_read(&r, copy, n, &err), DSP_OK);
        }
        free(copy);
    }
    for (size_t i = 0; i < b.len; i++) {
        b.p[i] ^= 0x40;
        assert_int_equal(dsp_statement_read(&r, b.p, b.len, &err), DSP_E_FORMAT);
        if (i < b.len - 32) {
            sign(&b);
            if (dsp_statement_read(&r, b.p, b.len, &err) == DSP_OK) {
                dsp_buf again = bytes_of(r);
                assert_int_equal(again.len, b.len);
                assert_memory_equal(again.p, b.p, b.len);
                dsp_buf_release(&again);
                dsp_statement_free(r);
            }
        }
        b.p[i] ^= 0x40;
        sign(&b);
    }
    dsp_buf_u8(&b, 0); /* one byte more, checksum right */
    sign(&b);
    assert_int_equal(dsp_statement_read(&r, b.p, b.len, NULL), DSP_E_FORMAT);
    dsp_buf_release(&b);
    dsp_statement_free(s);
}

static void test_limits(void **state)
{
    (void)state;
    static const struct { int what; const char *expected; } list[] = {
        {0, "two slices are called"}, {1, "two public tensors are called"}, {2, "use 1 to 7"},   {3, "1 to 67108864 cells"},
        {4, "cells expected"},        {5, "integer width 4 expected"},      {6, "two boundaries"}, {7, "two unproved segments"},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        dsp_statement *s = sample(), *r;
        dsp_err        err = {0};
        dsp_stmt_edge  two[2] = {s->edges[0], s->edges[0]};
        dsp_stmt_unproved both[2] = {s->unproved[0], s->unproved[0]};
        switch (list[i].what) {
        case 0: s->slices[1].name = "segment_0"; break;
        case 1: s->pubs[1].name = "z"; break;
        case 2: s->pubs[1].use = 8; break;
        case 6: s->edges = two, s->n_edges = 2; break;
        case 7: s->unproved = both, s->n_unproved = 2; break;
        default: break;
        }
        dsp_buf b = bytes_of(s);
        size_t  y = 0; /* where the axes of y begin: text, use */
        for (size_t j = 0; j + 16 < b.len; j++)
            if (memcmp(b.p + j, "\1\0y\6\3\0\0\0\1\0\0\0\1\0\0\0", 16) == 0)
                y = j + 4;
        assert_true(list[i].what == 1 || list[i].what == 2 || y > 0);
        if (list[i].what == 3)
            b.p[y + 3] = b.p[y + 7] = 1; /* 2^24 x 2^24 */
        if (list[i].what == 4)
            b.p[y] = 2;
        if (list[i].what == 5) { /* the cells of y in 8 bytes each */
            dsp_buf wide = {0};
            dsp_buf_put(&wide, b.p, y + 12 + 8);
            dsp_buf_u8(&wide, 8);
            dsp_buf_u32(&wide, 3);
            for (int c = 0; c < 3; c++)
                dsp_buf_i64(&wide, s->pubs[1].cells[c]);
            dsp_buf_put(&wide, b.p + y + 12 + 8 + 5 + 12, b.len - (y + 12 + 8 + 5 + 12));
            dsp_buf_release(&b);
            b = wide;
        }
        sign(&b);
        assert_int_not_equal(dsp_statement_read(&r, b.p, b.len, &err), DSP_OK);
        if (!strstr(err.msg, list[i].expected))
            fail_msg("'%s' expected, found: %s", list[i].expected, err.msg);
        dsp_buf_release(&b);
        dsp_statement_free(s);
    }
    dsp_statement *s = sample();
    dsp_buf        b = {0};
    dsp_err        err = {0};
    s->pubs[0].dims[0] = s->pubs[0].dims[1] = s->pubs[0].dims[2] = 1 << 24;
    assert_int_equal(dsp_statement_write(&b, s, &err), DSP_E_LIMIT);
    dsp_buf_release(&b);
    s->pubs[0].dims[0] = 2, s->pubs[0].dims[1] = 4, s->pubs[0].dims[2] = 2;
    s->slices[0].name = "";
    assert_int_equal(dsp_statement_write(&b, s, &err), DSP_E_ARG);
    dsp_buf_release(&b);
    dsp_statement_free(s);
}

static void test_slice_of_a_run(void **state)
{
    (void)state;
    dsp_statement      *s = sample();
    dsp_key            *k = sample_key();
    dsp_derived        *D;
    dsp_err             err = {0};
    dsp_slice_statement st;
    dsp_arena          *a = dsp_arena_create(0);
    assert_int_equal(dsp_key_seal(k, &err), DSP_OK);
    assert_int_equal(dsp_derive(&D, k, &err), DSP_OK);
    assert_int_equal(dsp_statement_slice(&st, a, s, D, &err), DSP_OK);
    assert_int_equal(st.tile, 0);
    assert_ptr_equal(st.pub[Z], s->pubs[0].cells);
    assert_ptr_equal(st.pub[Y], s->pubs[1].cells);
    assert_null(st.pub[X]);
    assert_true(dsp_digest_eq(&st.root[0], &s->edges[0].root));
    assert_true(dsp_digest_eq(&st.run_key, &s->run_key));
    /* every part of it moves S */
    dsp_transcript t;
    dsp_transcript_init(&t);
    const dsp_digest S = dsp_statement_absorb(&t, k, &st);
    for (int part = 0; part < 6; part++) {
        dsp_slice_statement other = st;
        dsp_digest          root = st.root[0];
        const int64_t     **pub = DSP_ARENA_N(a, const int64_t *, N_TENSORS);
        int64_t            *z = numbers(a, 16, 0, 0, 0);
        dsp_key             key = *k;
        memcpy(pub, st.pub, N_TENSORS * sizeof *pub);
        memcpy(z, st.pub[Z], 16 * sizeof *z);
        z[15] ^= 1;
        root.b[31] ^= 1;
        switch (part) {
        case 0: other.tile = 1; break;
        case 1: other.nonce[31] ^= 1; break;
        case 2: other.run_key.b[0] ^= 1; break;
        case 3: pub[Z] = z, other.pub = pub; break;
        case 4: other.root = &root; break;
        default: key.digest.b[0] ^= 1;
        }
        dsp_transcript_init(&t);
        const dsp_digest S2 = dsp_statement_absorb(&t, &key, &other);
        assert_false(dsp_digest_eq(&S, &S2));
    }
    /* what the run's statement must hold */
    s->pubs[0].scale_bits++;
    assert_int_equal(dsp_statement_slice(&st, a, s, D, &err), DSP_E_FORMAT);
    assert_non_null(strstr(err.msg, "'z' differs in shape or scale"));
    s->pubs[0].scale_bits--;
    s->pubs[0].dims[0] = 4, s->pubs[0].dims[1] = 2;
    assert_int_equal(dsp_statement_slice(&st, a, s, D, &err), DSP_E_FORMAT);
    s->pubs[0].name = "zz";
    assert_int_equal(dsp_statement_slice(&st, a, s, D, &err), DSP_E_FORMAT);
    assert_non_null(strstr(err.msg, "no public tensor 'z'"));
    s->pubs[0] = (dsp_stmt_pub){"z", 1, {2, 4, 2}, 3, s->pubs[0].cells};
    s->n_edges = 0;
    assert_int_equal(dsp_statement_slice(&st, a, s, D, &err), DSP_E_FORMAT);
    assert_non_null(strstr(err.msg, "no boundary 'x'"));
    dsp_arena_free(a);
    dsp_derived_free(D);
    dsp_key_free(k);
    dsp_statement_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_truncated_or_changed),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_slice_of_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
