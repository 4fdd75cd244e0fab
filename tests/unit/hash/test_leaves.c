/* Leaf and node kernels against one hash at a time. */
#include "hash/hash.h"
#include "unit/test.h"

static dsp_digest leaf(uint8_t kind, uint32_t n, uint32_t i, const uint8_t *salt, const uint8_t *col, size_t width)
{
    dsp_sha s;
    dsp_sha_init(&s);
    dsp_sha_u8(&s, 0x40);
    dsp_sha_u8(&s, kind);
    dsp_sha_u32(&s, n);
    dsp_sha_u32(&s, i);
    dsp_sha_put(&s, salt, 16);
    dsp_sha_put(&s, col, width);
    return dsp_sha_digest(&s);
}

static uint8_t bytes[9 * 600];

static void leaves(void **state)
{
    (void)state;
    dsp_digest out[9];
    uint8_t    salts[9 * 16];
    uint64_t   s = 3;
    for (size_t i = 0; i < sizeof salts; i++)
        salts[i] = (uint8_t)test_next(&s);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)test_next(&s);
    for (size_t width = 0; width < 600; width += width < 200 ? 1 : 8)
        for (size_t n = 0; n <= 9; n += width % 3 + 1) {
            memset(out, 0, sizeof out);
            dsp_hash_leaves(out, 3, 4096, 1000, n, salts, bytes, width);
            for (size_t i = 0; i < n; i++) {
                const dsp_digest d = leaf(3, 4096, 1000 + (uint32_t)i, salts + 16 * i, bytes + width * i, width);
                assert_true(dsp_digest_eq(&d, &out[i]));
            }
        }
    static const uint32_t index[3] = {2, 77, 4095};
    dsp_hash_leaf_list(out, 1, 4096, index, 0, 3, bytes, 100, bytes + 16, 100, 84);
    for (size_t i = 0; i < 3; i++) {
        const dsp_digest d = leaf(1, 4096, index[i], bytes + 100 * i, bytes + 100 * i + 16, 84);
        assert_true(dsp_digest_eq(&d, &out[i]));
    }
}

static void nodes(void **state)
{
    (void)state;
    dsp_digest in[34], out[17];
    uint64_t   s = 4;
    for (size_t n = 0; n <= 17; n++) {
        for (size_t i = 0; i < sizeof in; i++)
            ((uint8_t *)in)[i] = (uint8_t)test_next(&s);
        dsp_hash_nodes(out, in, n);
        for (size_t i = 0; i < n; i++) {
            uint8_t m[65] = {0x41};
            memcpy(m + 1, in[2 * i].b, 64);
            const dsp_digest d = dsp_sha256(m, sizeof m);
            assert_true(dsp_digest_eq(&d, &out[i]));
        }
        dsp_hash_nodes(in, in, n);
        assert_memory_equal(in, out, n * sizeof *out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(leaves), cmocka_unit_test(nodes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
