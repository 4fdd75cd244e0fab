/* Loading: what is accepted, and what each broken file is refused for. */
#include "make.h"

static const float two[2] = {1.5f, -2};

/* x [N, 2] -> Add w -> Relu -> y, with every part a reader looks at. */
static msg good_graph(void)
{
    msg g = {0};
    put_msg(&g, G_NODE, make_node("Add", "x w", "s"));
    put_msg(&g, G_NODE, make_node("Relu", "s", "y"));
    put_msg(&g, G_INIT, make_tensor("w", 1, DIMS(2), two, 8));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(-1, 2), "N"));
    put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(-1, 2), "N"));
    return g;
}

static void expect(const char *dir, msg model, dsp_status code, const char *words)
{
    dsp_graph *g;
    dsp_err    err = {.msg = ""};
    const dsp_status s = load_msg(&g, dir, model, &err);
    if (s != code || !strstr(err.msg, words))
        fail_msg("status %d (%s), expected %d with \"%s\"", s, err.msg, code, words);
    assert_null(g);
}

static void good(void **state)
{
    (void)state;
    char      *dir = temp_dir();
    dsp_graph *g;
    dsp_err    err;
    msg        m = make_model(good_graph(), 8, 17);
    const dsp_digest d = dsp_sha256(m.p, m.len);
    assert_int_equal(load_msg(&g, dir, m, &err), DSP_OK);
    assert_int_equal(g->n_nodes, 2);
    assert_int_equal(g->n_inputs, 1);
    assert_int_equal(g->n_outputs, 1);
    assert_int_equal(g->opset, 17);
    assert_int_equal(g->ir_version, 8);
    assert_true(dsp_digest_eq(&d, &g->digest));
    const dsp_value *x = &g->values[g->inputs[0]], *w = &g->values[dsp_graph_find(g, "w")];
    assert_string_equal(x->name, "x");
    assert_int_equal(x->dims[0], 1);
    assert_int_equal(x->dims[1], 2);
    assert_true(w->is_initializer && w->constant && w->constant->count == 2);
    assert_true(dsp_array_f64(w->constant, 0) == 1.5 && dsp_array_f64(w->constant, 1) == -2);
    assert_int_equal(dsp_node_params(g, &g->nodes[0]), 2);
    assert_int_equal(g->nodes[1].in[0], g->nodes[0].out[0]);
    assert_int_equal(dsp_graph_find(g, "nothing"), DSP_NONE);
    dsp_graph_free(g);
    rm_dir(dir);
}

static void missing_file(void **state)
{
    (void)state;
    dsp_graph *g;
    dsp_err    err;
    assert_int_equal(dsp_graph_load(&g, "/nonexistent/model.onnx", NULL, 0, &err), DSP_E_MISSING);
}

/* Every prefix is refused as malformed; every changed byte is refused or gives a graph, and touches nothing else. */
static void cut_and_flipped(void **state)
{
    (void)state;
    char      *dir = temp_dir();
    dsp_graph *g;
    dsp_err    err;
    msg        m = make_model(good_graph(), 8, 17);
    for (size_t n = 0; n < m.len; n++) {
        const dsp_status s = load_bytes(&g, dir, m.p, n, NULL, 0, &err);
        if (s != DSP_E_FORMAT)
            fail_msg("%zu of %zu bytes: status %d", n, m.len, s);
    }
    for (size_t i = 0; i < m.len; i++)
        for (unsigned k = 0; k < 8; k++) {
            m.p[i] ^= (uint8_t)(1u << k);
            if (load_bytes(&g, dir, m.p, m.len, NULL, 0, &err) == DSP_OK)
                dsp_graph_free(g);
            m.p[i] ^= (uint8_t)(1u << k);
        }
    dsp_buf_release(&m);
    rm_dir(dir);
}

static void bombs(void **state)
{
    (void)state;
    char *dir = temp_dir();
    msg   g = {0};
    for (unsigned i = 0; i < 3000; i++) { /* graph -> node -> attribute -> graph */
        msg a = {0}, n = {0}, outer = {0};
        put_msg(&a, 6, g);
        put_msg(&n, 5, a);
        put_msg(&outer, 1, n);
        g = outer;
    }
    msg m = {0};
    put_int(&m, 1, 8);
    put_msg(&m, 7, g);
    expect(dir, m, DSP_E_FORMAT, "nested more than 64");
    msg many = {0}, model = {0};
    for (unsigned i = 0; i < 1000000; i++) { /* a million empty nodes in two megabytes */
        const uint8_t empty[2] = {1 << 3 | 2, 0};
        dsp_buf_put(&many, empty, 2);
    }
    put_int(&model, 1, 8);
    put_msg(&model, 7, many);
    expect(dir, model, DSP_E_FORMAT, "of memory");
    msg groups = {0};
    dsp_buf_u8(&groups, 7 << 3 | 3);
    expect(dir, groups, DSP_E_FORMAT, "wire type 3");
    msg wrong = {0};
    put_int(&wrong, 7, 1);
    expect(dir, wrong, DSP_E_FORMAT, "wire type 2 expected");
    msg name = {0};
    put_bytes(&name, 2, "a\0b", 3);
    expect(dir, name, DSP_E_FORMAT, "not UTF-8");
    rm_dir(dir);
}

static void names_and_order(void **state)
{
    (void)state;
    char *dir = temp_dir();
    msg   g = good_graph();
    put_msg(&g, G_INIT, make_tensor("w", 1, DIMS(2), two, 8));
    expect(dir, make_model(g, 8, 17), DSP_E_FORMAT, "already that of another value");
    g = good_graph();
    put_msg(&g, G_NODE, make_node("Relu", "s", "y"));
    expect(dir, make_model(g, 8, 17), DSP_E_FORMAT, "already that of another value");
    g = good_graph();
    put_msg(&g, G_NODE, make_node("Relu", "s", "x"));
    expect(dir, make_model(g, 8, 17), DSP_E_FORMAT, "already that of another value");
    g = good_graph();
    put_msg(&g, G_NODE, make_node("Relu", "ghost", "z"));
    expect(dir, make_model(g, 8, 17), DSP_E_FORMAT, "\"ghost\", which nothing defines");
    g = (msg){0};
    put_msg(&g, G_NODE, make_node("Add", "x b", "a"));
    put_msg(&g, G_NODE, make_node("Relu", "a", "b"));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(2), NULL));
    put_msg(&g, G_OUTPUT, make_value("b", 1, DIMS(2), NULL));
    expect(dir, make_model(g, 8, 17), DSP_E_FORMAT, "a cycle, or wrong order");
    g = good_graph();
    put_msg(&g, G_OUTPUT, make_value("ghost", 1, DIMS(2), NULL));
    expect(dir, make_model(g, 8, 17), DSP_E_FORMAT, "graph output \"ghost\"");
    g = good_graph();
    put_msg(&g, G_NODE, make_node("", "s", "z"));
    expect(dir, make_model(g, 8, 17), DSP_E_FORMAT, "an operator");
    expect(dir, make_model((msg){0}, 8, 17), DSP_E_FORMAT, "nodes and outputs expected");
    expect(dir, make_model(good_graph(), 2, 17), DSP_E_UNSUPPORTED, "IR version");
    expect(dir, make_model(good_graph(), 8, 0), DSP_E_FORMAT, "operator set");
    rm_dir(dir);
}

static void with_tensor(const char *dir, msg t, dsp_status code, const char *words)
{
    msg g = good_graph();
    put_msg(&g, G_INIT, t);
    if (code != DSP_OK) {
        expect(dir, make_model(g, 8, 17), code, words);
        return;
    }
    dsp_graph *graph;
    dsp_err    err;
    if (load_msg(&graph, dir, make_model(g, 8, 17), &err) != DSP_OK)
        fail_msg("%s", err.msg);
    dsp_graph_free(graph);
}

static msg typed_tensor(int dtype, int64_t n, unsigned field, const int64_t *v, size_t count)
{
    msg t = make_tensor("t", dtype, DIMS(n), NULL, 0);
    for (size_t i = 0; i < count; i++)
        put_int(&t, field, v[i]);
    return t;
}

static void tensors(void **state)
{
    (void)state;
    char *dir = temp_dir();
    with_tensor(dir, make_tensor("t", 1, DIMS(2), two, 8), DSP_OK, "");
    with_tensor(dir, make_tensor("t", 1, DIMS(0, 5), two, 0), DSP_OK, "");
    with_tensor(dir, make_tensor("t", 22, DIMS(3), two, 2), DSP_OK, ""); /* three elements of four bits */
    with_tensor(dir, make_tensor("t", 1, DIMS(3), two, 8), DSP_E_FORMAT, "12 bytes of raw data expected from the shape, 8 found");
    with_tensor(dir, make_tensor("t", 1, DIMS(-5), two, 8), DSP_E_FORMAT, "dimension 0 is -5");
    with_tensor(dir, make_tensor("t", 1, DIMS(INT64_MAX, 2), two, 8), DSP_E_FORMAT, "too large");
    with_tensor(dir, make_tensor("t", 1, DIMS(INT64_C(1) << 32, INT64_C(1) << 32), two, 8), DSP_E_FORMAT, "too large");
    with_tensor(dir, make_tensor("t", 1, DIMS(1, 1, 1, 1, 1, 1, 1, 1, 2), two, 8), DSP_E_UNSUPPORTED, "at most 8 dimensions");
    with_tensor(dir, make_tensor("t", 0, DIMS(2), two, 8), DSP_E_FORMAT, "element type 0");
    with_tensor(dir, make_tensor("t", 99, DIMS(2), two, 8), DSP_E_UNSUPPORTED, "element type 99");
    with_tensor(dir, make_tensor("", 1, DIMS(2), two, 8), DSP_E_FORMAT, "without a name");
    with_tensor(dir, typed_tensor(3, 2, 5, (int64_t[]){-128, 127}, 2), DSP_OK, "");
    with_tensor(dir, typed_tensor(3, 2, 5, (int64_t[]){-129, 127}, 2), DSP_E_FORMAT, "outside the range of int8");
    with_tensor(dir, typed_tensor(9, 1, 5, (int64_t[]){2}, 1), DSP_E_FORMAT, "outside the range of bool");
    with_tensor(dir, typed_tensor(7, 3, 7, (int64_t[]){1, 2}, 2), DSP_E_FORMAT, "3 elements expected from the shape, 2 found in int64_data");
    msg both = make_tensor("t", 1, DIMS(2), two, 8);
    put_float(&both, 4, 1);
    with_tensor(dir, both, DSP_E_FORMAT, "beside typed data");
    rm_dir(dir);
}

static msg external(const char *location, const char *offset, const char *length)
{
    msg         t = make_tensor("t", 1, DIMS(2), NULL, 0);
    const char *kv[3][2] = {{"location", location}, {"offset", offset}, {"length", length}};
    for (unsigned i = 0; i < 3; i++) {
        msg e = {0};
        if (!kv[i][1])
            continue;
        put_str(&e, 1, kv[i][0]);
        put_str(&e, 2, kv[i][1]);
        put_msg(&t, 13, e);
    }
    put_int(&t, 14, 1);
    return t;
}

static void external_data(void **state)
{
    (void)state;
    char *dir = temp_dir(), *file = in_dir(dir, "w.bin"), *sub = in_dir(dir, "sub"), *inner = in_dir(dir, "sub/w.bin"), *link = in_dir(dir, "link"),
         *link_dir = in_dir(dir, "linked");
    uint8_t data[24] = {0};
    memcpy(data + 4, two, 8);
    save(file, data, sizeof data);
    assert_int_equal(mkdir(sub, 0700), 0);
    save(inner, data, sizeof data);
    assert_int_equal(symlink("w.bin", link), 0);
    assert_int_equal(symlink("sub", link_dir), 0);
    with_tensor(dir, external("w.bin", "4", "8"), DSP_OK, "");
    with_tensor(dir, external("sub/w.bin", "16", NULL), DSP_OK, "");
    with_tensor(dir, external("w.bin", "17", "8"), DSP_E_FORMAT, "17 + 8 of w.bin, which has 24");
    with_tensor(dir, external("w.bin", "18446744073709551615", "8"), DSP_E_FORMAT, "no number");
    with_tensor(dir, external("w.bin", "1844674407370955160", "8"), DSP_E_FORMAT, "which has 24");
    with_tensor(dir, external("w.bin", "-4", "8"), DSP_E_FORMAT, "no number");
    with_tensor(dir, external("w.bin", "0", "12"), DSP_E_FORMAT, "8 bytes expected from the shape");
    with_tensor(dir, external("../w.bin", NULL, NULL), DSP_E_FORMAT, "inside the model's folder");
    with_tensor(dir, external("/etc/hostname", NULL, NULL), DSP_E_FORMAT, "inside the model's folder");
    with_tensor(dir, external("sub/../w.bin", NULL, NULL), DSP_E_FORMAT, "inside the model's folder");
    with_tensor(dir, external(NULL, NULL, NULL), DSP_E_FORMAT, "inside the model's folder");
    with_tensor(dir, external("link", NULL, NULL), DSP_E_FORMAT, "links are not followed");
    with_tensor(dir, external("linked/w.bin", NULL, NULL), DSP_E_FORMAT, "links are not followed");
    with_tensor(dir, external("sub", NULL, NULL), DSP_E_FORMAT, "not a regular file");
    with_tensor(dir, external("gone.bin", NULL, NULL), DSP_E_MISSING, "no file gone.bin");

    /* nowhere else than in initializers */
    msg hidden = good_graph(), n = make_node("Constant", "", "c");
    attr_tensor(&n, "value", external("w.bin", "4", "8"));
    put_msg(&hidden, G_NODE, n);
    expect(dir, make_model(hidden, 8, 17), DSP_E_UNSUPPORTED, "external data in an attribute");
    msg inner_graph = {0};
    put_msg(&inner_graph, G_INIT, external("/etc/hostname", NULL, NULL));
    hidden = good_graph();
    n = make_node("Loop", "x", "c");
    attr_graph(&n, "body", inner_graph);
    put_msg(&hidden, G_NODE, n);
    expect(dir, make_model(hidden, 8, 17), DSP_E_UNSUPPORTED, "external data in an attribute");

    /* the values, and a digest that covers them */
    dsp_graph *g;
    dsp_err    err;
    dsp_digest before;
    for (unsigned pass = 0; pass < 2; pass++) {
        msg m = good_graph();
        put_msg(&m, G_INIT, external("w.bin", "4", "8"));
        assert_int_equal(load_msg(&g, dir, make_model(m, 8, 17), &err), DSP_OK);
        assert_true(dsp_array_f64(g->values[dsp_graph_find(g, "t")].constant, 1) == (pass ? -3 : -2));
        assert_true(!pass || !dsp_digest_eq(&before, &g->digest));
        before = g->digest;
        dsp_graph_free(g);
        const float three = -3;
        memcpy(data + 8, &three, 4);
        save(file, data, sizeof data);
    }
    dsp_free(file);
    dsp_free(sub);
    dsp_free(inner);
    dsp_free(link);
    dsp_free(link_dir);
    rm_dir(dir);
}

static void dimensions(void **state)
{
    (void)state;
    char *dir = temp_dir();
    msg   g = {0};
    put_msg(&g, G_NODE, make_node("MatMul", "x y", "z"));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(-1, 3), "N"));
    put_msg(&g, G_INPUT, make_value("y", 1, DIMS(3, -1), "M"));
    put_msg(&g, G_OUTPUT, make_value("z", 1, DIMS(-1, -1), "Z"));
    msg m = make_model(g, 8, 17);
    dsp_graph *graph;
    dsp_err    err;
    assert_int_equal(load_bytes(&graph, dir, m.p, m.len, NULL, 0, &err), DSP_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "--dim 'M=VALUE'"));
    const dsp_dim_bind binds[] = {{"M", 7}, {"N", 5}, {"Q", 2}, {"M", 8}, {"M", 0}};
    assert_int_equal(load_bytes(&graph, dir, m.p, m.len, binds, 2, &err), DSP_OK);
    assert_int_equal(graph->values[graph->inputs[0]].dims[0], 5);
    assert_int_equal(graph->values[graph->inputs[1]].dims[1], 7);
    dsp_graph_free(graph);
    assert_int_equal(load_bytes(&graph, dir, m.p, m.len, binds, 1, &err), DSP_OK);
    assert_int_equal(graph->values[graph->inputs[0]].dims[0], 1);
    dsp_graph_free(graph);
    assert_int_equal(load_bytes(&graph, dir, m.p, m.len, binds, 3, &err), DSP_E_ARG);
    assert_non_null(strstr(err.msg, "--dim Q=2"));
    assert_int_equal(load_bytes(&graph, dir, m.p, m.len, binds, 4, &err), DSP_E_ARG);
    assert_int_equal(load_bytes(&graph, dir, m.p, m.len, binds + 4, 1, &err), DSP_E_ARG);
    dsp_buf_release(&m);
    rm_dir(dir);
}

static msg constant(const char *out) { return make_node("Constant", "", out); }

static void constants(void **state)
{
    (void)state;
    char *dir = temp_dir();
    msg   g = good_graph(), n, a;
    n = constant("c0");
    attr_tensor(&n, "value", make_tensor(NULL, 1, DIMS(2), two, 8));
    put_msg(&g, G_NODE, n);
    n = constant("c1");
    attr_ints(&n, "value_ints", (int64_t[]){3, -1}, 2);
    put_msg(&g, G_NODE, n);
    n = constant("c2");
    attr_int(&n, "value_int", -9);
    put_msg(&g, G_NODE, n);
    n = constant("c3");
    a = (msg){0};
    put_str(&a, 1, "value_float");
    put_float(&a, 2, 0.25f);
    put_msg(&n, 5, a);
    put_msg(&g, G_NODE, n);
    n = constant("c4");
    a = (msg){0};
    put_str(&a, 1, "value_floats");
    put_float(&a, 7, 0.25f);
    put_float(&a, 7, 0.5f);
    put_msg(&n, 5, a);
    put_msg(&g, G_NODE, n);
    n = constant("c5");
    a = (msg){0};
    put_str(&a, 1, "value_string");
    put_str(&a, 4, "text");
    put_msg(&n, 5, a);
    put_msg(&g, G_NODE, n);
    put_msg(&g, G_NODE, make_node("Identity", "c0", "c6"));
    dsp_graph *graph;
    dsp_err    err;
    if (load_msg(&graph, dir, make_model(g, 8, 17), &err) != DSP_OK)
        fail_msg("%s", err.msg);
    const dsp_array *c[6];
    for (unsigned i = 0; i < 6; i++) {
        const char name[3] = {'c', (char)('0' + i), 0};
        const dsp_value *v = &graph->values[dsp_graph_find(graph, name)];
        c[i] = v->constant;
        assert_true(graph->nodes[v->producer].folded);
    }
    assert_true(c[0]->count == 2 && dsp_array_f64(c[0], 1) == -2);
    assert_true(c[1]->rank == 1 && c[1]->count == 2 && dsp_array_i64(c[1], 1) == -1);
    assert_true(c[2]->rank == 0 && dsp_array_i64(c[2], 0) == -9);
    assert_true(c[3]->rank == 0 && dsp_array_f64(c[3], 0) == 0.25);
    assert_true(c[4]->count == 2 && dsp_array_f64(c[4], 1) == 0.5);
    assert_null(c[5]);
    assert_true(graph->nodes[graph->values[dsp_graph_find(graph, "c6")].producer].folded);
    assert_false(graph->nodes[0].folded);
    dsp_graph_free(graph);
    g = good_graph();
    put_msg(&g, G_NODE, constant("c"));
    expect(dir, make_model(g, 8, 17), DSP_E_FORMAT, "one attribute");
    g = good_graph();
    n = constant("c");
    attr_int(&n, "valu", 1);
    put_msg(&g, G_NODE, n);
    expect(dir, make_model(g, 8, 17), DSP_E_FORMAT, "\"valu\" holds no value");
    rm_dir(dir);
}

static void attributes(void **state)
{
    (void)state;
    char *dir = temp_dir();
    msg   g = good_graph(), n = make_node("Thing", "x", "t");
    attr_int(&n, "i", -3);
    attr_ints(&n, "is", (int64_t[]){4, 5}, 2);
    attr_tensor(&n, "t", make_tensor(NULL, 1, DIMS(2), two, 8));
    put_msg(&g, G_NODE, n);
    dsp_graph *graph;
    dsp_err    err;
    assert_int_equal(load_msg(&graph, dir, make_model(g, 8, 17), &err), DSP_OK);
    const dsp_node  *t = &graph->nodes[2];
    const dsp_array *x;
    const int64_t   *v;
    const char      *s;
    size_t           k;
    int64_t          i = 77;
    float            f;
    assert_true(dsp_attr_int(t, "i", &i) && i == -3);
    assert_false(dsp_attr_int(t, "is", &i));
    assert_false(dsp_attr_int(t, "none", &i));
    assert_int_equal(i, -3);
    assert_true(dsp_attr_ints(t, "is", &v, &k) && k == 2 && v[1] == 5);
    assert_true(dsp_attr_tensor(graph, t, "t", &x) && x->count == 2 && dsp_array_f64(x, 0) == 1.5);
    assert_false(dsp_attr_float(t, "i", &f));
    assert_false(dsp_attr_string(t, "i", &s, &k));
    assert_true(dsp_attr_has(t, "t") && !dsp_attr_has(t, "u"));
    dsp_graph_free(graph);
    rm_dir(dir);
}

static void halves(void **state)
{
    (void)state;
    const uint16_t h[] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000};
    const dsp_array a = {.dtype = DSP_DT_FLOAT16, .rank = 1, .dims = {5}, .count = 5, .bytes = 10, .data = h};
    assert_true(dsp_array_f64(&a, 0) == 1 && dsp_array_f64(&a, 1) == -2 && dsp_array_f64(&a, 2) == 0x1p-24 && dsp_array_f64(&a, 3) == 65504);
    assert_true(dsp_array_f64(&a, 4) == 0 && dsp_array_i64(&a, 1) == -2);
}

/* What a subgraph reads from outside counts as read by its node. */
static void captures(void **state)
{
    (void)state;
    char *dir = temp_dir();
    for (unsigned late = 0; late < 2; late++) {
        msg then = {0}, other = {0}, g = {0}, n = make_node("If", "c", "y");
        put_msg(&then, G_NODE, make_node("Add", "x s", "r"));
        put_msg(&then, G_OUTPUT, make_value("r", 1, DIMS(2), NULL));
        put_str(&then, G_NAME, "then");
        put_msg(&other, G_NODE, make_node("Relu", "x", "q"));
        put_msg(&other, G_OUTPUT, make_value("q", 1, DIMS(2), NULL));
        put_str(&other, G_NAME, "else");
        attr_graph(&n, "then_branch", then);
        attr_graph(&n, "else_branch", other);
        put_msg(&g, G_INPUT, make_value("x", 1, DIMS(2), NULL));
        put_msg(&g, G_INPUT, make_value("c", 9, SCALAR, NULL));
        if (late)
            put_msg(&g, G_NODE, n);
        put_msg(&g, G_NODE, make_node("Neg", "x", "s"));
        if (!late)
            put_msg(&g, G_NODE, n);
        put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(2), NULL));
        if (late) {
            expect(dir, make_model(g, 8, 17), DSP_E_FORMAT, "a cycle, or wrong order");
            continue;
        }
        dsp_graph *graph;
        dsp_err    err;
        assert_int_equal(load_msg(&graph, dir, make_model(g, 8, 17), &err), DSP_OK);
        assert_false(graph->nodes[1].folded);
        dsp_graph_free(graph);
    }
    rm_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good), cmocka_unit_test(missing_file), cmocka_unit_test(cut_and_flipped), cmocka_unit_test(bombs),
        cmocka_unit_test(names_and_order), cmocka_unit_test(tensors), cmocka_unit_test(external_data), cmocka_unit_test(dimensions),
        cmocka_unit_test(constants), cmocka_unit_test(attributes), cmocka_unit_test(halves), cmocka_unit_test(captures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
