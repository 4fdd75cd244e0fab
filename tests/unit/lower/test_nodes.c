/* ONNX's own node tests of the supported operators: each is either computed in integers as ONNX Runtime does in floats, or
 * refused with a reason. Weights are graph inputs there, so products of two inputs must be refused by name.
 */
#include <dirent.h>

#include "chain.h"

enum { BITS = 14 };

static const char *const families[] = {"test_conv_with", "test_basic_conv", "test_gemm", "test_matmul", "test_maxpool", "test_averagepool",
                                       "test_globalaveragepool", "test_batchnorm", "test_add", "test_sub", "test_relu", "test_flatten",
                                       "test_reshape", "test_dropout", "test_identity", "test_squeeze", "test_unsqueeze"};

static bool chosen(const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strncmp(name, families[i], strlen(families[i])) == 0)
            return true;
    return false;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }
static int pick(const struct dirent *d) { return chosen(d->d_name); }

/* 0: computed, 1: refused, 2: not a model of fixed shapes that can be planned, 3: wrong. */
static int node(const char *name, const char *path)
{
    chain   x = {.a = dsp_arena_create(0)};
    dsp_err err = {0};
    int     r = 2;
    if (dsp_graph_load(&x.g, path, NULL, 0, &err) != DSP_OK || dsp_graph_infer(x.g, chain_ort(), &err) != DSP_OK ||
        dsp_plan_make(&x.p, x.g, NULL, 0, true, &err) != DSP_OK) {
        print_message("%-50s not loaded: %s\n", name, err.msg);
        chain_release(&x);
        return r;
    }
    dsp_support *sup = DSP_ARENA_N(x.a, dsp_support, x.p->n_segments);
    CHAIN_OK(dsp_lower_support(sup, x.g, x.p, x.a, &err));
    for (uint32_t i = 0; i < x.p->n_segments && r != 1; i++)
        if (sup[i].reason) {
            print_message("%-50s refused: %s\n", name, sup[i].reason);
            r = 1;
        }
    if (r != 1) {
        CHAIN_OK(dsp_calibrate(&x.c, x.g, chain_ort(), chain_random(&x, 2, -1, 1, 5), 2, NULL, 0, &err));
        CHAIN_OK(dsp_record_make(&x.r, x.g, x.p, x.c, NULL, 0, BITS, &err));
        CHAIN_OK(dsp_lower_model(&x.k, x.g, x.p, x.r, NULL, &err));
        const double e = fmax(chain_execute(&x, 0, true), chain_execute(&x, 1, true));
        r = e <= 0.002 ? 0 : 3;
        print_message("%-50s error %.4f %%\n", name, 100 * e);
    }
    chain_release(&x);
    return r;
}

static void nodes(void **state)
{
    const char     *data = getenv("DSPERSE_TEST_DATA");
    struct dirent **list;
    char            path[1024];
    int             count[4] = {0};
    (void)state;
    if (!data || !chain_ort()) {
        print_message("SKIPPED: ONNX's node tests need DSPERSE_TEST_DATA and ONNX Runtime\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/onnx-node-tests", data);
    const int n = scandir(path, &list, pick, by_name);
    if (n <= 0) {
        print_message("SKIPPED: no node tests at %s\n", path);
        skip();
    }
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/onnx-node-tests/%s/model.onnx", data, list[i]->d_name);
        count[node(list[i]->d_name, path)]++;
        free(list[i]);
    }
    free(list);
    print_message("%d node tests: %d computed, %d refused, %d not loaded, %d wrong\n", n, count[0], count[1], count[2], count[3]);
    assert_int_equal(count[3], 0);
    assert_true(count[0] >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nodes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
