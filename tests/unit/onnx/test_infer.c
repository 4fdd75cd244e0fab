/* Shapes, folding and runs through ONNX Runtime, on models made here. */
#include "with_ort.h"

static void need_ort(void)
{
    if (!ort)
        skip();
}

static void not_there(void **state)
{
    (void)state;
    const char *const candidates[] = {"/nonexistent/libonnxruntime.so", DSP_SOURCE_DIR "/src", NULL};
    dsp_ort *o;
    dsp_err  err;
    assert_int_equal(dsp_ort_open(&o, candidates, &err), DSP_E_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "/nonexistent/libonnxruntime.so"));
    assert_non_null(strstr(err.msg, "pip install"));
    assert_null(o);
}

static const dsp_value *value(const dsp_graph *g, const char *name)
{
    const uint32_t v = dsp_graph_find(g, name);
    assert_int_not_equal(v, DSP_NONE);
    return &g->values[v];
}

static dsp_graph *inferred(const char *dir, msg model)
{
    dsp_graph *g;
    dsp_err    err;
    if (load_msg(&g, dir, model, &err) != DSP_OK || dsp_graph_infer(g, ort, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    return g;
}

static msg int_tensor(const char *name, const int64_t *dims, const int64_t *v, size_t n) { return make_tensor(name, 7, dims, v, 8 * n); }

/* x [N,3,4] -> Shape -> Gather 0 -> Unsqueeze -> Concat with [-1] -> Reshape -> [N,12], N bound to 1. */
static msg reshape_graph(void)
{
    msg g = {0}, n;
    put_msg(&g, G_NODE, make_node("Relu", "x", "r"));
    put_msg(&g, G_NODE, make_node("Shape", "r", "s"));
    put_msg(&g, G_NODE, make_node("Gather", "s zero", "b"));
    put_msg(&g, G_NODE, make_node("Unsqueeze", "b axes", "u"));
    n = make_node("Concat", "u rest", "t");
    attr_int(&n, "axis", 0);
    put_msg(&g, G_NODE, n);
    put_msg(&g, G_NODE, make_node("Reshape", "r t", "y"));
    put_msg(&g, G_INIT, int_tensor("zero", SCALAR, (int64_t[]){0}, 1));
    put_msg(&g, G_INIT, int_tensor("axes", DIMS(1), (int64_t[]){0}, 1));
    put_msg(&g, G_INIT, int_tensor("rest", DIMS(1), (int64_t[]){-1}, 1));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(-1, 3, 4), "N"));
    put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(-1, 12), "N"));
    return g;
}

static void shapes_fold(void **state)
{
    (void)state;
    need_ort();
    char            *dir = temp_dir();
    dsp_graph       *g = inferred(dir, make_model(reshape_graph(), 8, 17));
    const dsp_value *s = value(g, "s"), *b = value(g, "b"), *t = value(g, "t"), *y = value(g, "y"), *r = value(g, "r");
    assert_true(s->constant && s->constant->count == 3 && dsp_array_i64(s->constant, 2) == 4);
    assert_true(b->constant && b->constant->rank == 0 && dsp_array_i64(b->constant, 0) == 1);
    assert_true(t->constant && t->constant->count == 2 && dsp_array_i64(t->constant, 1) == -1);
    assert_true(y->rank == 2 && y->dims[0] == 1 && y->dims[1] == 12 && y->dtype == DSP_DT_FLOAT);
    assert_true(r->rank == 3 && !r->constant);
    for (uint32_t i = 0; i < g->n_nodes; i++)
        assert_int_equal(g->nodes[i].folded, i > 0 && i < 5);
    dsp_graph_free(g);
    rm_dir(dir);
}

/* Scalars are told from unknown ranks; what depends on data stays unknown; comparisons of operator set 12 have shapes. */
static void ranks(void **state)
{
    (void)state;
    need_ort();
    char *dir = temp_dir();
    msg   g = {0}, n = make_node("ReduceSum", "x", "sum");
    attr_int(&n, "keepdims", 0);
    put_msg(&g, G_NODE, n);
    put_msg(&g, G_NODE, make_node("NonZero", "x", "nz"));
    put_msg(&g, G_NODE, make_node("Reshape", "x i", "unknown"));
    put_msg(&g, G_NODE, make_node("LessOrEqual", "x row", "le"));
    n = make_node("Cast", "le", "lef");
    attr_int(&n, "to", 1);
    put_msg(&g, G_NODE, n);
    put_msg(&g, G_INIT, make_tensor("row", 1, DIMS(1, 3), (float[]){1, 2, 3}, 12));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(2, 1), NULL));
    put_msg(&g, G_INPUT, make_value("i", 7, DIMS(-1), "K"));
    put_msg(&g, G_OUTPUT, make_value("sum", 1, SCALAR, NULL));
    put_msg(&g, G_OUTPUT, make_value("lef", 1, DIMS(2, 3), NULL));
    msg m = make_model(g, 7, 13);
    dsp_graph *graph;
    dsp_err    err;
    const dsp_dim_bind bind = {"K", 2};
    assert_int_equal(load_bytes(&graph, dir, m.p, m.len, &bind, 1, &err), DSP_OK);
    dsp_buf_release(&m);
    if (dsp_graph_infer(graph, ort, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(value(graph, "sum")->rank, 0);
    assert_int_equal(value(graph, "nz")->rank, 2);
    assert_int_equal(value(graph, "nz")->dims[0], 2);
    assert_int_equal(value(graph, "nz")->dims[1], -1);
    assert_true(value(graph, "unknown")->rank == -1 || value(graph, "unknown")->dims[0] == -1);
    assert_int_equal(value(graph, "lef")->rank, 2);
    assert_int_equal(value(graph, "lef")->dims[1], 3);
    assert_int_equal(value(graph, "le")->dtype, DSP_DT_BOOL);
    dsp_graph_free(graph);
    rm_dir(dir);
}

/* Float constants are marked, not evaluated; whole numbers behind them are; drawn values are neither. */
static void constants_fold(void **state)
{
    (void)state;
    need_ort();
    char *dir = temp_dir();
    msg   g = {0}, n;
    put_msg(&g, G_NODE, make_node("Mul", "a a", "aa"));
    n = make_node("Cast", "aa", "k");
    attr_int(&n, "to", 7);
    put_msg(&g, G_NODE, n);
    put_msg(&g, G_NODE, make_node("Unsqueeze", "a zero", "col"));
    put_msg(&g, G_NODE, make_node("RandomNormalLike", "a", "noise"));
    put_msg(&g, G_NODE, make_node("Add", "x aa", "y"));
    put_msg(&g, G_NODE, make_node("Add", "y noise", "z"));
    put_msg(&g, G_INIT, make_tensor("a", 1, DIMS(2), (float[]){1.5f, 3}, 8));
    put_msg(&g, G_INIT, int_tensor("zero", DIMS(1), (int64_t[]){0}, 1));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(2), NULL));
    put_msg(&g, G_OUTPUT, make_value("z", 1, DIMS(2), NULL));
    dsp_graph *graph = inferred(dir, make_model(g, 8, 17));
    assert_true(graph->nodes[0].folded && !value(graph, "aa")->constant);
    assert_true(value(graph, "k")->constant && dsp_array_i64(value(graph, "k")->constant, 0) == 2 && dsp_array_i64(value(graph, "k")->constant, 1) == 9);
    assert_true(value(graph, "col")->constant && value(graph, "col")->constant->rank == 2 && dsp_array_f64(value(graph, "col")->constant, 1) == 3);
    assert_false(graph->nodes[3].folded);
    assert_false(graph->nodes[4].folded);
    dsp_graph_free(graph);
    rm_dir(dir);
}

static void whole_run(void **state)
{
    (void)state;
    need_ort();
    char      *dir = temp_dir();
    dsp_graph *g = inferred(dir, make_model(reshape_graph(), 8, 17));
    float      x[12];
    for (unsigned i = 0; i < 12; i++)
        x[i] = (float)i - 5;
    dsp_array in = {.dtype = DSP_DT_FLOAT, .rank = 3, .dims = {1, 3, 4}, .count = 12, .bytes = 48, .data = x}, out[5];
    const uint32_t ask[5] = {dsp_graph_find(g, "y"), dsp_graph_find(g, "x"), dsp_graph_find(g, "t"), dsp_graph_find(g, "y"), dsp_graph_find(g, "rest")};
    dsp_err err;
    if (dsp_graph_run(g, ort, &in, ask, 5, out, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    assert_true(out[0].rank == 2 && out[0].dims[1] == 12 && out[0].count == 12);
    for (unsigned i = 0; i < 12; i++)
        assert_true(dsp_array_f64(&out[0], i) == (x[i] > 0 ? x[i] : 0));
    assert_memory_equal(out[1].data, x, sizeof x);
    assert_true(out[2].dtype == DSP_DT_INT64 && dsp_array_i64(&out[2], 1) == -1);
    assert_memory_equal(out[3].data, out[0].data, 48);
    assert_true(dsp_array_i64(&out[4], 0) == -1);
    for (unsigned i = 0; i < 5; i++)
        dsp_array_release(&out[i]);
    in.dims[1] = 4;
    assert_int_equal(dsp_graph_run(g, ort, &in, ask, 5, out, &err), DSP_E_ARG);
    dsp_graph_free(g);
    rm_dir(dir);
}

static void runtime_refuses(void **state)
{
    (void)state;
    need_ort();
    char *dir = temp_dir();
    msg   g = {0};
    put_msg(&g, G_NODE, make_node("NoSuchOperator", "x", "y"));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(2), NULL));
    put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(2), NULL));
    dsp_graph   *graph;
    dsp_session *s;
    dsp_err      err;
    assert_int_equal(load_msg(&graph, dir, make_model(g, 8, 17), &err), DSP_OK);
    assert_int_equal(dsp_graph_infer(graph, ort, &err), DSP_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "NoSuchOperator"));
    assert_int_equal(dsp_session_create(&s, ort, "junk", 4, NULL, 1, 0, &err), DSP_E_UNSUPPORTED);
    assert_int_equal(dsp_session_create_file(&s, ort, "/nonexistent/m.onnx", 1, 0, &err), DSP_E_MISSING);
    dsp_graph_free(graph);
    rm_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_there), cmocka_unit_test(shapes_fold), cmocka_unit_test(ranks), cmocka_unit_test(constants_fold),
        cmocka_unit_test(whole_run), cmocka_unit_test(runtime_refuses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
