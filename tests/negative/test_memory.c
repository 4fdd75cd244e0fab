/* Every allocation of prover and verifier fails once: the call says so, leaks nothing (sanitizer builds), lets no byte out, and
 * never turns into a verdict. */
#include <stdio.h>
#include <sys/resource.h>

#include "keys.h"

#if defined(__SANITIZE_ADDRESS__)
#define LIMITED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define LIMITED 0
#endif
#endif
#if !defined(LIMITED) && defined(__GLIBC__) && defined(__linux__)
#define LIMITED 1
#include <malloc.h>
#endif
#ifndef LIMITED
#define LIMITED 0
#endif

static json_t *vec;

static void prover_and_verifier(void **state)
{
    (void)state;
    slices s;
    slices_load(&s, vec, "chain, 12 bits, mode 0");
    slices_run(&s, NULL);
    for (uint32_t i = 0; i < s.n; i++) {
        dsp_buf    good = slices_prove(&s, i, NULL, NULL, NULL);
        dsp_status st = DSP_E_NOMEM;
        size_t     n = 0;
        while (st != DSP_OK) {
            dsp_buf b = {0};
            dsp_err err = {DSP_OK, ""};
            dsp_alloc_fail_at(++n);
            st = slices_prove_raw(&s, i, NULL, NULL, NULL, NULL, &b, &err);
            dsp_alloc_fail_at(0);
            if (st == DSP_OK) {
                assert_int_equal(b.len, good.len);
                assert_memory_equal(b.p, good.p, b.len);
            } else {
                if (st != DSP_E_NOMEM)
                    fail_msg("allocation %zu: %s, %s", n, dsp_status_name(st), err.msg);
                assert_int_equal(b.len, 0);
            }
            dsp_buf_release(&b);
        }
        assert_true(n > 20);
        st = DSP_E_NOMEM;
        for (n = 0; st != DSP_OK;) {
            unsigned check = 0;
            dsp_err  err = {DSP_OK, ""};
            dsp_alloc_fail_at(++n);
            st = dsp_verify_slice(s.D[i], &s.st[i], good.p, good.len, 0, &check, &err);
            dsp_alloc_fail_at(0);
            if (st != DSP_OK && st != DSP_E_NOMEM)
                fail_msg("verifier, allocation %zu: %s, %s", n, dsp_status_name(st), err.msg);
        }
        assert_true(n > 20);
        dsp_buf_release(&good);
    }
    slices_free(&s);
}

static void edges(void **state)
{
    (void)state;
    slices s;
    slices_load(&s, vec, "chain, 12 bits, mode 0");
    slices_run(&s, NULL);
    const slices_value *v = slices_get(&s, "b1");
    dsp_status          st = DSP_E_NOMEM;
    for (size_t n = 1; st != DSP_OK; n++) {
        dsp_edge *e = NULL;
        dsp_err   err;
        dsp_alloc_fail_at(n);
        st = dsp_edge_commit(&e, s.D[0], 0, v->v, &s.run_key, s.secret, NULL, &err);
        dsp_alloc_fail_at(0);
        if (st == DSP_OK)
            assert_true(dsp_digest_eq(&e->root, &v->edge->root));
        else
            assert_true(st == DSP_E_NOMEM && e == NULL);
        dsp_edge_free(e);
    }
    slices_free(&s);
}

/* Memory kept by the caller: one owner, many proofs, the same bytes, and all of it given back. */
static void kept_space(void **state)
{
    (void)state;
    slices     s;
    dsp_arena *space = dsp_arena_create(0), *small = dsp_arena_create(1 << 16);
    dsp_err    err;
    slices_load(&s, vec, "chain, 12 bits, mode 1");
    slices_run(&s, NULL);
    assert_true(space && small);
    const dsp_mark before = dsp_arena_mark(space);
    (void)before;
    for (int round = 0; round < 3; round++)
        for (uint32_t i = 0; i < s.n; i++) {
            dsp_buf              good = slices_prove(&s, i, NULL, NULL, NULL), b = {0};
            const dsp_prove_args a = {.D = s.D[i], .st = &s.st[i], .edges = s.edge[i], .witness = s.w[i], .secret = s.secret, .space = space};
            dsp_prove_args       tight = a;
            tight.space = small;
            assert_int_equal(dsp_prove_slice(&b, &a, &err), DSP_OK);
            assert_int_equal(b.len, good.len);
            assert_memory_equal(b.p, good.p, b.len);
            const dsp_mark m = dsp_arena_mark(space);
            assert_int_equal(m.used, 0);
            b.len = 0;
            assert_int_equal(dsp_prove_slice(&b, &tight, &err), DSP_E_NOMEM);
            assert_int_equal(b.len, 0);
            dsp_buf_release(&b);
            dsp_buf_release(&good);
        }
    dsp_arena_free(space);
    dsp_arena_free(small);
    slices_free(&s);
}

#if LIMITED
/* Bytes of data of this process, as RLIMIT_DATA counts them. */
static rlim_t data_bytes(void)
{
    char               line[256];
    unsigned long long kib = 0;
    FILE              *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmData: %llu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    assert_true(kib > 0);
    return (rlim_t)kib << 10;
}
#endif

/* The length of a code is a word of the key, and a proof under a code of 2^20 positions is short: the verifier's memory goes by the proof,
 * accepted or not. */
static void long_code(void **state)
{
    const int64_t      x = 3;
    const dsp_code_use A = {16, 1};
    dsp_key           *k = keys_new("long", 2, 1);
    slices             s;
    (void)state;
    keys_tensor(k, 0, "x", DSP_ROLE_PUB, 1, -8, 7);
    keys_tensor(k, 1, "y", DSP_ROLE_PUB, 1, -8, 7);
    keys_view(keys_lin(k, 0, "lin", 1, 1), 0, 1);
    keys_done(k, 1);
    k->trees[0].C = A.C;
    k->trees[0].n = k->pad_n = 1u << 20;
    k->trees[0].t = dsp_t_for_trees(k->trees[0].n, &A, 1, KEYS_BITS);
    k->pad_t = dsp_t_pads(k->pad_n, k->pad_k, KEYS_BITS);
#if LIMITED
    mallopt(M_MMAP_THRESHOLD, 1 << 16); /* nothing large stays behind when it is freed */
#endif
    slices_one(&s, k);
    slices_set(&s, "x", &x, 1);
    slices_run(&s, NULL);
    dsp_buf p = slices_prove(&s, 0, NULL, NULL, NULL);
    assert_true(p.len < 1 << 18);
    for (int good = 1; good >= 0; good--) {
        unsigned check = 0;
        dsp_err  err = {DSP_OK, ""};
#if LIMITED
        struct rlimit old, tight;
        malloc_trim(0);
        assert_int_equal(getrlimit(RLIMIT_DATA, &old), 0);
        tight = old;
        tight.rlim_cur = data_bytes() + ((rlim_t)8 << 20);
        assert_int_equal(setrlimit(RLIMIT_DATA, &tight), 0);
#endif
        p.p[p.len - 1] ^= (uint8_t)!good;
        const dsp_status st = dsp_verify_slice(s.D[0], &s.st[0], p.p, p.len, 0, &check, &err);
#if LIMITED
        assert_int_equal(setrlimit(RLIMIT_DATA, &old), 0);
#endif
        if (st != (good ? DSP_OK : DSP_E_REJECTED))
            fail_msg("%s: %s", dsp_status_name(st), err.msg);
    }
    dsp_buf_release(&p);
    slices_free(&s);
}

/* Vectors of 2^19 coefficients in K, and a proof of 40 bytes: refused by its length, before memory for them is taken. */
static void short_proof(void **state)
{
    const dsp_code_use A = {1u << 19, 1};
    dsp_key           *k = keys_new("short", 2, 1);
    const uint8_t      proof[40] = "DSPSLICE";
    const int64_t      x = 3;
    const int64_t     *pub[2] = {&x, &x};
    unsigned           check = 0;
    dsp_derived       *D = NULL;
    dsp_err            err = {DSP_OK, ""};
    (void)state;
    keys_tensor(k, 0, "x", DSP_ROLE_PUB, 1, -8, 7);
    keys_tensor(k, 1, "y", DSP_ROLE_PUB, 1, -8, 7);
    keys_view(keys_lin(k, 0, "lin", 1, 1), 0, 1);
    keys_done(k, 1);
    k->trees[0].C = A.C;
    k->trees[0].n = 1u << 22;
    k->trees[0].t = dsp_t_for_trees(k->trees[0].n, &A, 1, KEYS_BITS);
    assert_int_equal(dsp_key_seal(k, &err), DSP_OK);
    assert_int_equal(dsp_derive(&D, k, &err), DSP_OK);
    assert_int_equal(dsp_key_check(D, &err), DSP_OK);
    const dsp_slice_statement st = {.pub = pub};
#if LIMITED
    struct rlimit old, tight;
    malloc_trim(0);
    assert_int_equal(getrlimit(RLIMIT_DATA, &old), 0);
    tight = old;
    tight.rlim_cur = data_bytes() + ((rlim_t)8 << 20);
    assert_int_equal(setrlimit(RLIMIT_DATA, &tight), 0);
#endif
    const dsp_status s = dsp_verify_slice(D, &st, proof, sizeof proof, 0, &check, &err);
#if LIMITED
    assert_int_equal(setrlimit(RLIMIT_DATA, &old), 0);
#endif
    if (s != DSP_E_REJECTED || check != DSP_V4 || !strstr(err.msg, "proof has 40 bytes"))
        fail_msg("%s: %s", dsp_status_name(s), err.msg);
    dsp_derived_free(D);
    dsp_key_free(k);
}

int main(void)
{
    vec = vec_load();
    const struct CMUnitTest tests[] = {cmocka_unit_test(prover_and_verifier), cmocka_unit_test(edges), cmocka_unit_test(kept_space),
                                       cmocka_unit_test(long_code), cmocka_unit_test(short_proof)};
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vec);
    return r;
}
