/* Every supported form of an operator in integers against ONNX Runtime, and every unsupported one refused by name: the models
 * of tests/corpus/ops. Keys are derived and checked against the rules of V1 on the way.
 */
#include "chain.h"

enum { BITS = 14, SAMPLES = 3 };

static int check(const char *name, const char *verdict)
{
    chain   x;
    dsp_err err;
    char    path[1024];
    snprintf(path, sizeof path, "%s/tests/corpus/ops/%s.onnx", DSP_SOURCE_DIR, name);
    chain_load(&x, path);
    dsp_support *sup = DSP_ARENA_N(x.a, dsp_support, x.p->n_segments);
    const char  *reason = NULL;
    int          bad = 0;
    CHAIN_OK(dsp_lower_support(sup, x.g, x.p, x.a, &err));
    for (uint32_t i = 0; i < x.p->n_segments && !reason; i++)
        reason = sup[i].reason;
    if (strcmp(verdict, "ok") != 0) {
        if (!reason || !strstr(reason, verdict)) {
            print_error("%s: expected a reason with \"%s\", found: %s\n", name, verdict, reason ? reason : "supported");
            bad = 1;
        }
    } else if (reason) {
        print_error("%s: %s\n", name, reason);
        bad = 1;
    } else {
        CHAIN_OK(dsp_calibrate(&x.c, x.g, chain_ort(), chain_random(&x, SAMPLES, -1, 1, 7), SAMPLES, NULL, 0, &err));
        CHAIN_OK(dsp_record_make(&x.r, x.g, x.p, x.c, NULL, 0, BITS, &err));
        if (dsp_lower_model(&x.k, x.g, x.p, x.r, NULL, &err) != DSP_OK) {
            print_error("%s: %s\n", name, err.msg);
            bad = 1;
        }
        for (uint32_t k = 0; k < SAMPLES && !bad; k++) {
            const double e = chain_execute(&x, k, true);
            if (!(e <= 0.002)) {
                print_error("%s: error %.4f %%\n", name, 100 * e);
                bad = 1;
            }
        }
    }
    chain_release(&x);
    return bad;
}

static void corpus(void **state)
{
    char  line[512];
    int   n = 0, bad = 0;
    FILE *f = fopen(DSP_SOURCE_DIR "/tests/corpus/ops/index.txt", "r");
    (void)state;
    assert_non_null(f);
    if (!chain_ort()) {
        fclose(f);
        skip();
    }
    while (fgets(line, sizeof line, f)) {
        char *tab = strchr(line, '\t'), *end = tab ? strchr(tab + 1, '\t') : NULL;
        assert_non_null(end);
        *tab = *end = 0;
        bad += check(line, tab + 1);
        n++;
    }
    fclose(f);
    print_message("%d models, %d wrong\n", n, bad);
    assert_true(n > 80);
    assert_int_equal(bad, 0);
}

static uint8_t role(const chain *x, uint32_t segment, const char *name)
{
    const dsp_key *k = x->k->segments[segment].key;
    for (uint32_t i = 0; i < k->n_tensors; i++)
        if (strcmp(k->tensors[i].name, name) == 0)
            return k->tensors[i].role;
    fail_msg("segment_%u has no tensor %s", segment, name);
    return 0;
}

/* An unproved segment in the middle: its neighbours' boundaries are public, and the sweep runs it in floats. */
static void mixed(void **state)
{
    chain   x;
    dsp_err err;
    (void)state;
    if (!chain_ort())
        skip();
    chain_load(&x, DSP_SOURCE_DIR "/tests/corpus/ops/mixed.onnx");
    CHAIN_OK(dsp_calibrate(&x.c, x.g, chain_ort(), chain_random(&x, 1, -1, 1, 3), 1, NULL, 0, &err));
    CHAIN_OK(dsp_precision_choose(&x.r, x.rows, x.g, x.p, x.c, NULL, 0, chain_ort(), 0, NULL, &err));
    for (int i = 0; i < DSP_N_PRECISIONS; i++)
        assert_true(x.rows[i].feasible && x.rows[i].max_rel_err < 0.05);
    assert_true(x.rows[3].max_rel_err < 0.001);
    CHAIN_OK(dsp_lower_model(&x.k, x.g, x.p, x.r, NULL, &err));
    assert_int_equal(x.k->n_segments, 4);
    assert_null(x.k->segments[1].key);
    assert_non_null(strstr(x.k->segments[1].reason, "Tanh"));
    assert_int_equal(role(&x, 0, "v1"), DSP_ROLE_PUB);
    assert_int_equal(role(&x, 2, "v3"), DSP_ROLE_PUB);
    assert_int_equal(role(&x, 2, "v1"), DSP_ROLE_PUB);
    assert_int_equal(role(&x, 3, "v7"), DSP_ROLE_EDGE);
    dsp_circuits_free(x.k);
    /* Asked for three of four: what was an edge is public, and scales stay. */
    const bool prove[4] = {true, true, true, false};
    CHAIN_OK(dsp_lower_model(&x.k, x.g, x.p, x.r, prove, &err));
    assert_null(x.k->segments[3].key);
    assert_int_equal(role(&x, 2, "v7"), DSP_ROLE_PUB);
    chain_release(&x);
}

/* A record that is not the model's own is refused. */
static void foreign_record(void **state)
{
    chain   x;
    dsp_err err;
    (void)state;
    if (!chain_ort())
        skip();
    chain_load(&x, DSP_SOURCE_DIR "/tests/corpus/ops/residual.onnx");
    CHAIN_OK(dsp_calibrate(&x.c, x.g, chain_ort(), chain_random(&x, 1, -1, 1, 3), 1, NULL, 0, &err));
    CHAIN_OK(dsp_record_make(&x.r, x.g, x.p, x.c, NULL, 0, 12, &err));
    CHAIN_OK(dsp_lower_model(&x.k, x.g, x.p, x.r, NULL, &err));
    dsp_circuits *k = NULL;
#define REFUSED(change, undo)                                                                       \
    do {                                                                                            \
        change;                                                                                     \
        assert_int_equal(dsp_lower_model(&k, x.g, x.p, x.r, NULL, &err), DSP_E_FORMAT);             \
        undo;                                                                                       \
    } while (0)
    assert_true(x.r->n_tensors >= 3);
    REFUSED(x.r->model.b[3] ^= 1, x.r->model.b[3] ^= 1);
    REFUSED(x.r->cuts[0]++, x.r->cuts[0]--);
    REFUSED(x.r->tensors[1].hi--, x.r->tensors[1].hi++);
    REFUSED(x.r->tensors[1].lo--, x.r->tensors[1].lo++);
    REFUSED(x.r->tensors[1].layout.dims[0]++, x.r->tensors[1].layout.dims[0]--);
    REFUSED(x.r->tensors[1].name = "other", x.r->tensors[1].name = dsp_arena_strdup(x.a, "v1"));
    REFUSED(x.r->precision++, x.r->precision--);
    REFUSED(x.r->tensors[0].lo = -4096, x.r->tensors[0].lo = -2048);
    REFUSED(x.r->n_tensors--, x.r->n_tensors++);
    CHAIN_OK(dsp_lower_model(&k, x.g, x.p, x.r, NULL, &err));
    assert_true(dsp_digest_eq(&k->model_id, &x.k->model_id));
    dsp_circuits_free(k);
    chain_release(&x);
}

/* Without samples, seeded ones are drawn from the declared range; it bounds the input in the record. */
static void declared_range(void **state)
{
    chain               x;
    dsp_err             err;
    const dsp_range_arg all = {NULL, 0, 1}, named = {"x", -2, 0.5}, wrong = {"nothing", 0, 1}, empty = {NULL, 1, -1};
    (void)state;
    if (!chain_ort())
        skip();
    chain_load(&x, DSP_SOURCE_DIR "/tests/corpus/ops/conv_relu.onnx");
    CHAIN_OK(dsp_calibrate(&x.c, x.g, chain_ort(), NULL, 0, &all, 1, &err));
    assert_true(x.c->n_samples > 0 && x.c->in_lo[0] == 0 && x.c->in_hi[0] == 1);
    CHAIN_OK(dsp_record_make(&x.r, x.g, x.p, x.c, NULL, 0, 12, &err));
    assert_int_equal(x.r->tensors[0].lo, 0);
    assert_int_equal(x.r->tensors[0].hi, 2048);
    assert_int_equal(x.r->tensors[0].scale_bits, 11);
    dsp_calibration_free(x.c);
    const dsp_range_arg both[2] = {named, all};
    CHAIN_OK(dsp_calibrate(&x.c, x.g, chain_ort(), NULL, 0, both, 2, &err));
    assert_true(x.c->in_lo[0] == -2 && x.c->in_hi[0] == 0.5);
    dsp_calibration_free(x.c);
    assert_int_equal(dsp_calibrate(&x.c, x.g, chain_ort(), NULL, 0, NULL, 0, &err), DSP_E_ARG);
    assert_int_equal(dsp_calibrate(&x.c, x.g, chain_ort(), NULL, 0, &wrong, 1, &err), DSP_E_ARG);
    assert_int_equal(dsp_calibrate(&x.c, x.g, chain_ort(), NULL, 0, &empty, 1, &err), DSP_E_ARG);
    dsp_array *in = chain_random(&x, 1, -1, 1, 9);
    assert_int_equal(dsp_calibrate(&x.c, x.g, chain_ort(), in, 1, &all, 1, &err), DSP_E_RANGE);
    assert_non_null(strstr(err.msg, "input x"));
    CHAIN_OK(dsp_calibrate(&x.c, x.g, chain_ort(), in, 1, NULL, 0, &err));
    assert_true(x.c->in_lo[0] == -2 && x.c->in_hi[0] == 2);
    chain_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(corpus), cmocka_unit_test(mixed), cmocka_unit_test(foreign_record), cmocka_unit_test(declared_range)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
