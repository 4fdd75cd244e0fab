/* Coins forced by id, and the log, in the library built with test hooks. */
#include "transcript/transcript.h"
#include "unit/test.h"

typedef struct { unsigned n; uint16_t id[8]; dsp_digest d[8]; } seen;

static void log_one(void *arg, uint16_t id, const dsp_digest *d)
{
    seen *s = arg;
    assert_true(s->n < 8);
    s->id[s->n] = id;
    s->d[s->n++] = *d;
}

static void forced_and_logged(void **state)
{
    (void)state;
    const dsp_forced_coin forced[] = {{DSP_Q_ETA, {{41}, {42}}}, {DSP_Q_ALPHA, {{0}, {0}}}, {0, {{0}, {0}}}};
    seen                  s = {0};
    dsp_transcript        t;
    dsp_ke                v[2];
    uint32_t              q[2];
    dsp_transcript_init(&t);
    t.forced = forced;
    t.log = log_one;
    t.log_arg = &s;
    dsp_absorb(&t, DSP_T_BYTES, DSP_M_NONCE, "n", 1);
    dsp_ke r = dsp_squeeze1(&t, DSP_Q_ALPHA);
    assert_true(dsp_ke_is_zero(r));
    r = dsp_squeeze1(&t, DSP_Q_ETA);
    assert_true(r.a.v == 41 && r.b.v == 42);
    dsp_squeeze(&t, DSP_Q_BETA, v, 2);
    assert_true(dsp_squeeze_indices(&t, DSP_Q_QUERY, q, 2, 100));
    assert_int_equal(s.n, 3); /* forced coins come from outside and are not logged */
    assert_int_equal(s.id[0], DSP_M_NONCE);
    assert_int_equal(s.id[1], DSP_Q_BETA);
    assert_int_equal(s.id[2], DSP_Q_QUERY);
    const dsp_digest d = dsp_transcript_digest(&t);
    assert_true(dsp_digest_eq(&d, &s.d[0]));
    uint8_t b[32], i[8] = {(uint8_t)q[0], 0, 0, 0, (uint8_t)q[1], 0, 0, 0};
    dsp_ke_write(b, v[0]);
    dsp_ke_write(b + 16, v[1]);
    const dsp_digest e = dsp_sha256(b, 32), f = dsp_sha256(i, 8);
    assert_true(dsp_digest_eq(&e, &s.d[1]) && dsp_digest_eq(&f, &s.d[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forced_and_logged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
