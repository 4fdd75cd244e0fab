/* Pinned scales: what another proof system shares with native segments has the scale asked for, in the record, in the keys and when executed. */
#include "chain.h"

static bool has_key(const chain *x, uint32_t s) { return x->k->segments[s].key != NULL; }

static const dsp_tensor *key_tensor(const chain *x, uint32_t segment, uint32_t v)
{
    const dsp_key *k = x->k->segments[segment].key;
    const char    *name = dsp_lower_tensor_name(x->g, v, x->a);
    for (uint32_t i = 0; i < k->n_tensors; i++)
        if (strcmp(k->tensors[i].name, name) == 0)
            return &k->tensors[i];
    return NULL;
}

static dsp_array *samples(chain *x, const char *name)
{
    char input[1024];
    snprintf(input, sizeof input, DSP_SOURCE_DIR "/models/%s/input.json", name);
    return chain_json(x, input);
}

/* All that segments outside prove read or make, at this scale. */
static size_t pins_of(dsp_pin **pins, chain *x, const bool *prove, int32_t scale)
{
    size_t n = 0;
    *pins = dsp_arena_alloc(x->a, 2 * (size_t)x->g->n_values, sizeof **pins);
    for (uint32_t s = 0; s < x->p->n_segments; s++) {
        const dsp_segment_plan *sp = &x->p->segments[s];
        for (uint32_t i = 0; i < sp->n_in + sp->n_out && !prove[s]; i++)
            (*pins)[n++] = (dsp_pin){i < sp->n_in ? sp->in[i] : sp->out[i - sp->n_in], scale};
    }
    return n;
}

static void mixed(const char *name, const bool *prove, int32_t scale)
{
    chain         x;
    dsp_err       err;
    char          path[1024];
    dsp_pin      *pins;
    dsp_circuits *all = NULL, *again = NULL;
    dsp_record   *r = NULL;
    dsp_graph    *g = NULL;
    dsp_plan     *p = NULL;
    dsp_buf       b = {0};
    if (!chain_ort())
        skip();
    snprintf(path, sizeof path, DSP_SOURCE_DIR "/models/%s/model.onnx", name);
    chain_load(&x, path);
    CHAIN_OK(dsp_calibrate(&x.c, x.g, chain_ort(), samples(&x, name), 1, NULL, 0, &err));
    const size_t n = pins_of(&pins, &x, prove, scale);
    assert_true(n > 0);
    CHAIN_OK(dsp_precision_choose(&x.r, x.rows, x.g, x.p, x.c, pins, n, chain_ort(), 0, NULL, &err));
    CHAIN_OK(dsp_lower_model(&x.k, x.g, x.p, x.r, prove, &err));
    for (size_t i = 0; i < n; i++) {
        const dsp_qtensor *q = dsp_record_find(x.r, x.g->values[pins[i].value].name);
        assert_non_null(q);
        assert_int_equal(q->scale_bits, scale);
        const double most = ldexp(x.c->max_abs[pins[i].value], scale);
        assert_true((double)q->hi >= most && (double)q->hi < 16 * most + 16);
    }
    for (uint32_t s = 0; s < x.p->n_segments; s++) {
        assert_int_equal(has_key(&x, s), prove[s]);
        for (size_t i = 0; i < n && prove[s]; i++) {
            const dsp_tensor *t = key_tensor(&x, s, pins[i].value);
            assert_true(!t || (t->role == DSP_ROLE_PUB && t->scale_bits == scale));
        }
        if (prove[s])
            CHAIN_OK(dsp_key_check(x.k->segments[s].D, &err));
    }
    /* The record, read and lowered without samples and without ONNX Runtime, gives the same keys. */
    CHAIN_OK(dsp_record_write(&b, x.r, &err));
    CHAIN_OK(dsp_record_read(&r, b.p, b.len, &err));
    assert_true(dsp_digest_eq(&r->digest, &x.r->digest));
    CHAIN_OK(dsp_graph_load(&g, path, NULL, 0, &err));
    CHAIN_OK(dsp_plan_make(&p, g, r->cuts, r->n_cuts, false, &err));
    CHAIN_OK(dsp_lower_model(&again, g, p, r, prove, &err));
    assert_true(dsp_digest_eq(&again->run_key, &x.k->run_key));
    assert_true(dsp_digest_eq(&again->model_id, &x.k->model_id));
    /* Executed, with native integers at the same scale in the place of the other proof system. */
    CHAIN_OK(dsp_lower_model(&all, x.g, x.p, x.r, NULL, &err));
    for (uint32_t s = 0; s < x.p->n_segments; s++)
        if (!prove[s]) {
            const dsp_compiled mine = x.k->segments[s];
            x.k->segments[s] = all->segments[s];
            all->segments[s] = mine;
        }
    const double e = chain_execute(&x, 0, true);
    print_message("%s at scale %d: error %.4f %%, precision %u\n", name, scale, 100 * e, x.r->precision);
    assert_true(e <= 0.04);
    dsp_circuits_free(all);
    dsp_circuits_free(again);
    dsp_record_free(r);
    dsp_plan_free(p);
    dsp_graph_free(g);
    dsp_buf_release(&b);
    chain_release(&x);
}

static void tiny(void **state)
{
    static const bool first[] = {true, false}, second[] = {false, true}, none[] = {false, false};
    (void)state;
    mixed("tiny", first, 7);
    mixed("tiny", second, 10);
    mixed("tiny", none, 7);
}

static void mini_resnet(void **state)
{
    bool prove[64];
    (void)state;
    for (unsigned i = 0; i < 64; i++)
        prove[i] = i % 3 != 1;
    mixed("mini_resnet", prove, 10);
    for (unsigned i = 0; i < 64; i++)
        prove[i] = i % 2;
    mixed("mini_resnet", prove, 8);
}

/* Boundaries behind MaxPool keep the scale of what they are the maximum of. */
static void net(void **state)
{
    static const bool even[] = {true, false, true, false, true}, odd[] = {false, true, false, true, false};
    (void)state;
    mixed("net", even, 9);
    mixed("net", odd, 11);
}

/* What a pin cannot ask for; and what a record cannot claim. */
static void refused(void **state)
{
    chain       x;
    dsp_err     err;
    dsp_record *r = NULL;
    (void)state;
    if (!chain_ort())
        skip();
    chain_load(&x, DSP_SOURCE_DIR "/models/tiny/model.onnx");
    CHAIN_OK(dsp_calibrate(&x.c, x.g, chain_ort(), samples(&x, "tiny"), 1, NULL, 0, &err));
    const uint32_t edge = x.p->segments[1].in[0];
    const dsp_pin  wide[] = {{edge, 32}}, far[] = {{edge, 33}}, below[] = {{edge, -1}}, two[] = {{edge, 7}, {edge, 8}}, good[] = {{edge, 13}};
    assert_int_equal(dsp_record_make(&r, x.g, x.p, x.c, wide, 1, 12, &err), DSP_E_ARG);
    assert_true(strstr(err.msg, x.g->values[edge].name) && strstr(err.msg, "32") && strstr(err.msg, "--ezkl-scale"));
    assert_int_equal(dsp_record_make(&r, x.g, x.p, x.c, far, 1, 12, &err), DSP_E_ARG);
    assert_true(strstr(err.msg, x.g->values[edge].name) && strstr(err.msg, "33"));
    assert_int_equal(dsp_record_make(&r, x.g, x.p, x.c, below, 1, 12, &err), DSP_E_ARG);
    assert_int_equal(dsp_record_make(&r, x.g, x.p, x.c, two, 2, 12, &err), DSP_E_ARG);
    assert_int_equal(dsp_precision_choose(&r, x.rows, x.g, x.p, x.c, wide, 1, chain_ort(), 0, NULL, &err), DSP_E_ARG);
    assert_null(r);
    CHAIN_OK(dsp_record_make(&x.r, x.g, x.p, x.c, good, 1, 12, &err));
    for (size_t i = 0; i < x.r->n_tensors; i++) {
        dsp_qtensor *t = &x.r->tensors[i];
        assert_int_equal(t->pinned, strcmp(t->name, x.g->values[edge].name) == 0);
        if (!t->pinned)
            continue;
        dsp_circuits     *k = NULL;
        const dsp_qtensor was = *t;
        t->hi++;
        assert_int_equal(dsp_lower_model(&k, x.g, x.p, x.r, NULL, &err), DSP_E_FORMAT);
        *t = was;
        t->scale_bits = 40;
        assert_int_equal(dsp_lower_model(&k, x.g, x.p, x.r, NULL, &err), DSP_E_FORMAT);
        *t = was;
        t->pinned = false;
        assert_int_equal(dsp_lower_model(&k, x.g, x.p, x.r, NULL, &err), DSP_E_FORMAT);
        *t = was;
    }
    chain_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tiny), cmocka_unit_test(mini_resnet), cmocka_unit_test(net), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
