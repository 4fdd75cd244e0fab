/* SHA-256 and its variants against libcrypto; random streams against their definition. */
#include <openssl/evp.h>

#include "base/cpu.h"
#include "hash/compress.h"
#include "unit/test.h"

static dsp_digest openssl(const void *p, size_t n)
{
    dsp_digest d;
    assert_int_equal(EVP_Digest(p, n, d.b, NULL, EVP_sha256(), NULL), 1);
    return d;
}

static uint8_t text[5000];

static void fill(void)
{
    uint64_t s = 1;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)test_next(&s);
}

static void lengths(void **state)
{
    (void)state;
    char hex[65];
    dsp_digest d = dsp_sha256("abc", 3);
    dsp_digest_hex(hex, &d);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (size_t n = 0; n < 700; n++) {
        const dsp_digest a = dsp_sha256(text + n % 7, n), b = openssl(text + n % 7, n);
        assert_true(dsp_digest_eq(&a, &b));
    }
}

static void pieces(void **state)
{
    (void)state;
    uint64_t r = 2;
    for (int round = 0; round < 300; round++) {
        dsp_sha s;
        size_t  at = 0;
        dsp_sha_init(&s);
        while (at < 4000) {
            const uint64_t w = test_next(&r);
            const size_t   n = w % 3 == 0 ? (size_t)(w >> 8) % 200 : (size_t)(w >> 8) % 5;
            dsp_sha_put(&s, text + at, n);
            at += n;
            if (w % 11 == 0) {
                const dsp_digest a = dsp_sha_digest(&s), b = openssl(text, at); /* s goes on unchanged */
                assert_true(dsp_digest_eq(&a, &b));
            }
        }
        dsp_sha copy = s;
        dsp_sha_put(&copy, "x", 1);
        const dsp_digest a = dsp_sha_digest(&s), b = openssl(text, at), c = dsp_sha_digest(&copy);
        assert_true(dsp_digest_eq(&a, &b) && !dsp_digest_eq(&c, &b));
    }
}

static void numbers(void **state)
{
    (void)state;
    dsp_sha s;
    dsp_sha_init(&s);
    dsp_sha_u8(&s, 1);
    dsp_sha_u16(&s, 0x0302);
    dsp_sha_u32(&s, 0x07060504);
    dsp_sha_u64(&s, UINT64_C(0x0f0e0d0c0b0a0908));
    dsp_sha_text(&s, "hi");
    static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 2, 0, 'h', 'i'};
    const dsp_digest     a = dsp_sha_digest(&s), b = openssl(want, sizeof want);
    assert_true(dsp_digest_eq(&a, &b));
}

static void variants(void **state)
{
    (void)state;
    const dsp_sha_kernels *d = dsp_sha_kernels_all();
    for (const dsp_sha_kernels *k = d; k->name; k++) {
        if (k->cpu_bits & ~dsp_cpu_bits()) {
            print_message("          %s: not on this processor\n", k->name);
            continue;
        }
        for (size_t n = 0; n < 20; n++)
            for (size_t o = 0; o < 4; o++) {
                uint32_t h[3][8], g[3][8];
                for (size_t i = 0; i < 24; i++)
                    h[i / 8][i % 8] = g[i / 8][i % 8] = (uint32_t)(i * 0x9e3779b9u);
                k->one(h[0], text + o, n);
                k->two(h[1], text + o + 3, h[2], text + 2000 + o, n);
                for (size_t b = 0; b < n; b++) {
                    d->one(g[0], text + o + 64 * b, 1);
                    d->one(g[1], text + o + 3 + 64 * b, 1);
                    d->one(g[2], text + 2000 + o + 64 * b, 1);
                }
                assert_memory_equal(h, g, sizeof h);
            }
    }
}

static void hex(void **state)
{
    (void)state;
    const dsp_digest d = dsp_sha256("x", 1);
    dsp_digest       e;
    char             t[65];
    dsp_digest_hex(t, &d);
    assert_true(dsp_digest_unhex(&e, t) && dsp_digest_eq(&d, &e));
    t[5] = 'A';
    assert_true(dsp_digest_unhex(&e, t));
    t[63] = 'g';
    const dsp_digest was = e;
    assert_false(dsp_digest_unhex(&e, t));
    assert_true(dsp_digest_eq(&e, &was));
    dsp_digest_hex(t, &d);
    t[63] = 0;
    assert_false(dsp_digest_unhex(&e, t));
    assert_false(dsp_digest_unhex(&e, ""));
    char longer[80];
    dsp_digest_hex(longer, &d);
    strcpy(longer + 64, "0");
    assert_false(dsp_digest_unhex(&e, longer));
    for (size_t i = 0; i < 32; i++) {
        e = d;
        e.b[i] ^= 0x10;
        assert_false(dsp_digest_eq(&d, &e));
    }
}

/* Block(label, sub, c) by its definition. */
static dsp_digest block(const dsp_rand *r, uint16_t label, uint32_t sub, uint32_t c)
{
    uint8_t b[43] = {0x21};
    memcpy(b + 1, r->key.b, 32);
    for (int i = 0; i < 4; i++) {
        if (i < 2)
            b[33 + i] = (uint8_t)(label >> 8 * i);
        b[35 + i] = (uint8_t)(sub >> 8 * i);
        b[39 + i] = (uint8_t)(c >> 8 * i);
    }
    return openssl(b, sizeof b);
}

static void streams(void **state)
{
    (void)state;
    enum { N = 1003 };
    uint8_t  secret[32];
    dsp_rand r;
    dsp_fe   f[N];
    dsp_ke   k[N / 2];
    uint8_t  salt[DSP_SALT_BYTES];
    memset(secret, 9, sizeof secret);
    dsp_rand_begin(&r, secret);
    dsp_rand_part(&r, "part", 4);
    dsp_rand_end(&r);
    uint8_t m[1 + 32 + 8 + 4] = {0x20};
    memset(m + 1, 9, 32);
    m[33] = 4;
    memcpy(m + 41, "part", 4);
    const dsp_digest key = openssl(m, sizeof m);
    assert_true(dsp_digest_eq(&key, &r.key));
    dsp_rand_fe(&r, f, N, DSP_L_TAIL, 0x01020304);
    size_t got = 0;
    for (uint32_t c = 0; got < N; c++) {
        const dsp_digest d = block(&r, DSP_L_TAIL, 0x01020304, c);
        for (int w = 0; w < 4 && got < N; w++) {
            dsp_fe v;
            if (dsp_fe_read(&v, d.b + 8 * w))
                assert_true(dsp_fe_eq(v, f[got++]));
        }
    }
    dsp_rand_ke(&r, k, N / 2, DSP_L_TAIL, 0x01020304);
    for (size_t i = 0; i < N / 2; i++)
        assert_true(dsp_fe_eq(k[i].a, f[2 * i]) && dsp_fe_eq(k[i].b, f[2 * i + 1]));
    dsp_rand_ke(&r, k, 0, DSP_L_TAIL, 1);
    dsp_rand_salt(&r, salt, DSP_L_PAD_SALT, 5);
    const dsp_digest d = block(&r, DSP_L_PAD_SALT, 5, 0);
    assert_memory_equal(salt, d.b, sizeof salt);
    dsp_rand_wipe(&r);
    for (size_t i = 0; i < sizeof r; i++)
        assert_int_equal(((const uint8_t *)&r)[i], 0);
}

int main(void)
{
    fill();
    const struct CMUnitTest tests[] = {cmocka_unit_test(lengths), cmocka_unit_test(pieces), cmocka_unit_test(numbers),
                                       cmocka_unit_test(variants), cmocka_unit_test(hex), cmocka_unit_test(streams)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
