/* Whole models: every segment provable, integers within 2 % of the floats, keys the same without ONNX Runtime. */
#include "chain.h"

static void same_without_runtime(const chain *x, const char *path)
{
    dsp_err       err;
    dsp_graph    *g = NULL;
    dsp_plan     *p = NULL;
    dsp_record   *r = NULL;
    dsp_circuits *k = NULL;
    dsp_buf       b = {0};
    CHAIN_OK(dsp_record_write(&b, x->r, &err));
    CHAIN_OK(dsp_record_read(&r, b.p, b.len, &err));
    assert_true(dsp_digest_eq(&r->digest, &x->r->digest));
    CHAIN_OK(dsp_graph_load(&g, path, NULL, 0, &err));
    CHAIN_OK(dsp_plan_make(&p, g, r->cuts, r->n_cuts, false, &err));
    CHAIN_OK(dsp_lower_model(&k, g, p, r, NULL, &err));
    assert_true(dsp_digest_eq(&k->run_key, &x->k->run_key));
    assert_true(dsp_digest_eq(&k->model_id, &x->k->model_id));
    dsp_circuits_free(k);
    dsp_plan_free(p);
    dsp_graph_free(g);
    dsp_record_free(r);
    dsp_buf_release(&b);
}

static void whole(const char *dir, const char *name)
{
    chain   x;
    dsp_err err;
    char    path[1024], input[1024];
    if (!chain_ort())
        skip();
    if (!dir) {
        print_message("SKIPPED %s: DSPERSE_TEST_DATA is not set\n", name);
        skip();
    }
    snprintf(path, sizeof path, "%s/%s/model.onnx", dir, name);
    snprintf(input, sizeof input, "%s/%s/input.json", dir, name);
    chain_load(&x, path);
    dsp_support *sup = DSP_ARENA_N(x.a, dsp_support, x.p->n_segments);
    CHAIN_OK(dsp_lower_support(sup, x.g, x.p, x.a, &err));
    for (uint32_t i = 0; i < x.p->n_segments; i++)
        if (sup[i].reason)
            fail_msg("%s: segment_%u: %s", name, i, sup[i].reason);
    CHAIN_OK(dsp_calibrate(&x.c, x.g, chain_ort(), chain_json(&x, input), 1, NULL, 0, &err));
    CHAIN_OK(dsp_precision_choose(&x.r, x.rows, x.g, x.p, x.c, NULL, 0, chain_ort(), 0, NULL, &err));
    for (int i = 0; i < DSP_N_PRECISIONS; i++)
        print_message("%-14s %2u bits: error %.4f %%, argmax %s, %llu saturated%s\n", name, x.rows[i].bits, 100 * x.rows[i].max_rel_err,
                      x.rows[i].argmax_agrees ? "kept" : "lost", (unsigned long long)x.rows[i].saturated,
                      x.rows[i].bits == x.r->precision ? " <" : "");
    CHAIN_OK(dsp_lower_model(&x.k, x.g, x.p, x.r, NULL, &err));
    const double e = chain_execute(&x, 0, true);
    print_message("%-14s error %.4f %%\n", name, 100 * e);
    assert_true(e <= 0.02);
    same_without_runtime(&x, path);
    chain_release(&x);
}

#define MODEL(fn, dir, name) static void fn(void **state) { (void)state; whole(dir, name); }
static const char *data(void)
{
    static char buf[900];
    const char *s = getenv("DSPERSE_TEST_DATA");
    snprintf(buf, sizeof buf, "%s/models", s ? s : "");
    return s ? buf : NULL;
}
MODEL(tiny, DSP_SOURCE_DIR "/models", "tiny")
MODEL(net, DSP_SOURCE_DIR "/models", "net")
MODEL(mini_resnet, DSP_SOURCE_DIR "/models", "mini_resnet")
MODEL(iris, data(), "01_iris_mlp")
MODEL(acasxu, data(), "02_acasxu_1_1")
MODEL(mnist, data(), "03_mnist_cntk")
MODEL(cifar, data(), "06_cifar_cnn")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiny),   cmocka_unit_test(net),   cmocka_unit_test(mini_resnet), cmocka_unit_test(iris),
        cmocka_unit_test(acasxu), cmocka_unit_test(mnist), cmocka_unit_test(cifar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
