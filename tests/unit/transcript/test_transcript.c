#include "transcript/transcript.h"
#include "unit/field_values.h"

/* The state is SHA-256 over the messages' bytes. */
static void framing(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0,    0x05, 0, 3, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c',
                                    2,    0x41, 0, 16, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0};
    const dsp_ke   v = {{1}, {2}};
    dsp_transcript t;
    dsp_transcript_init(&t);
    dsp_absorb(&t, DSP_T_BYTES, DSP_M_TILE, "abc", 3);
    dsp_absorb_ke(&t, DSP_M_Y, &v, 1);
    const dsp_digest a = dsp_transcript_digest(&t), b = dsp_sha256(bytes, sizeof bytes);
    assert_true(dsp_digest_eq(&a, &b));
}

static void squeezing(void **state)
{
    (void)state;
    dsp_transcript t;
    dsp_ke         a[200], b[200];
    dsp_transcript_init(&t);
    dsp_absorb(&t, DSP_T_BYTES, DSP_M_NONCE, "n", 1);
    const dsp_digest d = dsp_transcript_digest(&t);
    dsp_squeeze(&t, DSP_Q_RHO, a, 200);
    dsp_squeeze(&t, DSP_Q_GAMMA, b, 1);
    assert_false(dsp_ke_eq(a[0], b[0])); /* the id is in the block */
    const dsp_digest e = dsp_transcript_digest(&t);
    assert_true(dsp_digest_eq(&d, &e)); /* squeezing does not change the state */
    uint8_t m[1 + 32 + 2 + 8] = {0x10};
    memcpy(m + 1, d.b, 32);
    m[33] = (uint8_t)DSP_Q_RHO;
    m[34] = (uint8_t)(DSP_Q_RHO >> 8);
    size_t got = 0;
    for (unsigned c = 0; got < 400; c++) {
        m[35] = (uint8_t)c;
        const dsp_digest w = dsp_sha256(m, sizeof m);
        for (int i = 0; i < 4 && got < 400; i++) {
            dsp_fe x;
            if (dsp_fe_read(&x, w.b + 8 * i)) {
                assert_true(dsp_fe_eq(x, got % 2 ? a[got / 2].b : a[got / 2].a));
                got++;
            }
        }
    }
    const dsp_digest again = dsp_sha256("again", 5);
    dsp_absorb_digest(&t, DSP_M_AGAIN, &again);
    dsp_squeeze(&t, DSP_Q_RHO, b, 1);
    assert_false(dsp_ke_eq(a[0], b[0]));
}

static void one_set(dsp_transcript *t, uint32_t count, uint32_t n)
{
    uint32_t *q = malloc((count + 1) * sizeof *q);
    assert_non_null(q);
    q[count] = 12345;
    dsp_absorb(t, DSP_T_BYTES, DSP_M_NONCE, "n", 1);
    assert_true(dsp_squeeze_indices(t, DSP_Q_QUERY, q, count, n));
    for (uint32_t i = 0; i < count; i++) {
        assert_true(q[i] < n);
        assert_true(i == 0 || q[i - 1] < q[i]);
    }
    assert_int_equal(q[count], 12345);
    free(q);
}

static void indices(void **state)
{
    (void)state;
    dsp_transcript t;
    dsp_transcript_init(&t);
    for (uint32_t n = 1; n <= 20; n++)
        for (uint32_t count = 0; count <= n; count++)
            one_set(&t, count, n);
    one_set(&t, 1000, 1024);
    one_set(&t, 5000, 5000);
    one_set(&t, 151, 1u << 22);
    /* every pair of 5 comes up */
    unsigned seen = 0;
    for (int i = 0; i < 400; i++) {
        uint32_t q[2];
        dsp_absorb(&t, DSP_T_BYTES, DSP_M_NONCE, "n", 1);
        assert_true(dsp_squeeze_indices(&t, DSP_Q_QUERY, q, 2, 5));
        seen |= 1u << (5 * q[0] + q[1]);
    }
    unsigned want = 0;
    for (unsigned i = 0; i < 5; i++)
        for (unsigned j = i + 1; j < 5; j++)
            want |= 1u << (5 * i + j);
    assert_int_equal(seen, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(framing), cmocka_unit_test(squeezing), cmocka_unit_test(indices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
