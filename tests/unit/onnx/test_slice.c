/* Plans, segment files and the slices folder, on models made here. */
#include "checker.h"
#include "with_ort.h"

#include <jansson.h>

static const float w[4] = {1, 2, 3, 4};

/* A residual graph: Relu, MatMul, Add of the input of the MatMul, MatMul that reads a Constant's transpose, Add of the first Relu; and a
 * second output. Nodes: 0 Relu a, 1 Constant c, 2 Transpose ct, 3 MatMul b, 4 Add d, 5 MatMul e, 6 Shape s, 7 Add y */
static msg residual(void)
{
    msg g = {0}, n;
    put_msg(&g, G_NODE, make_node("Relu", "x", "a"));
    n = make_node("Constant", "", "c");
    attr_tensor(&n, "value", make_tensor(NULL, 1, DIMS(2, 2), w, 16));
    put_msg(&g, G_NODE, n);
    put_msg(&g, G_NODE, make_node("Transpose", "c", "ct"));
    put_msg(&g, G_NODE, make_node("MatMul", "a w", "b"));
    put_msg(&g, G_NODE, make_node("Add", "b a", "d"));
    put_msg(&g, G_NODE, make_node("MatMul", "d ct", "e"));
    put_msg(&g, G_NODE, make_node("Add", "e a", "f"));
    put_msg(&g, G_NODE, make_node("Add", "f w", "y"));
    put_msg(&g, G_INIT, make_tensor("w", 1, DIMS(2, 2), w, 16));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(2, 2), NULL));
    put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(2, 2), NULL));
    put_msg(&g, G_OUTPUT, make_value("b", 1, DIMS(2, 2), NULL));
    return g;
}

static dsp_graph *inferred(const char *dir, msg model)
{
    dsp_graph *g;
    dsp_err    err;
    if (load_msg(&g, dir, model, &err) != DSP_OK || dsp_graph_infer(g, ort, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    return g;
}

static void names_are(const dsp_graph *g, const uint32_t *list, uint32_t n, const char *expected)
{
    char   all[256] = "";
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++)
        at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", i ? " " : "", g->values[list[i]].name);
    assert_string_equal(all, expected);
}

static void plan_of_residual(void **state)
{
    (void)state;
    if (!ort)
        skip();
    char      *dir = temp_dir();
    dsp_graph *g = inferred(dir, make_model(residual(), 8, 17));
    dsp_plan  *p;
    dsp_err    err;
    assert_int_equal(dsp_plan_make(&p, g, NULL, 0, true, &err), DSP_OK);
    assert_int_equal(p->n_segments, 2);
    assert_int_equal(p->segments[0].first, 0); /* the head belongs to segment 0 */
    assert_int_equal(p->segments[1].first, 5);
    assert_int_equal(p->segments[1].last, 8);
    names_are(g, p->segments[0].in, p->segments[0].n_in, "x");
    names_are(g, p->segments[0].out, p->segments[0].n_out, "a b d");
    names_are(g, p->segments[1].in, p->segments[1].n_in, "d a");
    names_are(g, p->segments[1].out, p->segments[1].n_out, "y");
    assert_int_equal(p->segments[0].params, 8);  /* w and the Constant that stands there */
    assert_int_equal(p->segments[1].params, 8);  /* its copy, and w */
    assert_int_equal(p->segments[0].macs, 8);
    assert_int_equal(p->segments[1].macs, 8);

    /* segment 1 alone: Constant and Transpose are copied into it */
    uint8_t *data, *again;
    size_t   len, len2;
    assert_int_equal(dsp_segment_bytes(&data, &len, p, 1, &err), DSP_OK);
    assert_int_equal(dsp_segment_bytes(&again, &len2, p, 1, &err), DSP_OK);
    assert_true(len == len2 && !memcmp(data, again, len));
    dsp_graph *part;
    assert_int_equal(load_bytes(&part, dir, data, len, NULL, 0, &err), DSP_OK);
    assert_int_equal(part->n_nodes, 5);
    assert_string_equal(part->nodes[0].op, "Constant");
    assert_string_equal(part->nodes[1].op, "Transpose");
    assert_int_equal(part->n_inputs, 2);
    assert_int_equal(part->opset, 17);
    assert_int_equal(part->ir_version, 8);
    dsp_graph_free(part);
    dsp_free(data);
    dsp_free(again);
    dsp_plan_free(p);

    const uint32_t cuts[] = {4, 6, 6, 9};
    assert_int_equal(dsp_plan_make(&p, g, cuts, 2, false, &err), DSP_OK);
    assert_int_equal(p->n_segments, 3);
    names_are(g, p->segments[1].in, p->segments[1].n_in, "b a");
    names_are(g, p->segments[1].out, p->segments[1].n_out, "e");
    names_are(g, p->segments[2].in, p->segments[2].n_in, "e a");
    dsp_plan_free(p);
    assert_int_equal(dsp_plan_make(&p, g, cuts, 3, false, &err), DSP_E_ARG);
    assert_int_equal(dsp_plan_make(&p, g, cuts + 3, 1, false, &err), DSP_E_ARG);
    assert_int_equal(dsp_plan_make(&p, g, (const uint32_t[]){0}, 1, false, &err), DSP_E_ARG);
    assert_int_equal(dsp_plan_make(&p, g, (const uint32_t[]){1, 3}, 2, false, &err), DSP_E_ARG); /* constants only */
    assert_non_null(strstr(err.msg, "constants only"));
    assert_int_equal(dsp_plan_make(&p, g, NULL, 0, false, &err), DSP_OK);
    assert_int_equal(p->n_segments, 1);
    dsp_plan_free(p);
    dsp_graph_free(g);
    rm_dir(dir);
}

/* A shape asked of a tensor of an earlier segment makes no edge: the known value stands in the file. */
static void shape_across(void **state)
{
    (void)state;
    if (!ort)
        skip();
    char *dir = temp_dir();
    msg   g = {0};
    put_msg(&g, G_NODE, make_node("Relu", "x", "a"));
    put_msg(&g, G_NODE, make_node("MatMul", "a w", "b"));
    put_msg(&g, G_NODE, make_node("MatMul", "b w", "c"));
    put_msg(&g, G_NODE, make_node("Shape", "a", "s"));
    put_msg(&g, G_NODE, make_node("Reshape", "c s", "y"));
    put_msg(&g, G_INIT, make_tensor("w", 1, DIMS(2, 2), w, 16));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(2, 2), NULL));
    put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(2, 2), NULL));
    for (int ir = 3; ir <= 8; ir += 5) {
        msg copy = {0};
        dsp_buf_put(&copy, g.p, g.len);
        dsp_graph *graph = inferred(dir, make_model(copy, ir, 13)), *part;
        dsp_plan  *p;
        dsp_err    err;
        uint8_t   *data;
        size_t     len;
        assert_int_equal(dsp_plan_make(&p, graph, NULL, 0, true, &err), DSP_OK);
        assert_int_equal(p->n_segments, 2);
        names_are(graph, p->segments[1].in, p->segments[1].n_in, "b");
        names_are(graph, p->segments[0].out, p->segments[0].n_out, "b");
        assert_int_equal(dsp_segment_bytes(&data, &len, p, 1, &err), DSP_OK);
        assert_int_equal(load_bytes(&part, dir, data, len, NULL, 0, &err), DSP_OK);
        assert_int_equal(part->n_nodes, 2);
        assert_int_equal(part->ir_version, ir);
        const dsp_value *s = &part->values[dsp_graph_find(part, "s")];
        assert_true(s->is_initializer && dsp_array_i64(s->constant, 1) == 2);
        dsp_session *session;
        if (dsp_session_create(&session, ort, data, len, NULL, 1, 0, &err) != DSP_OK)
            fail_msg("%s", err.msg);
        dsp_session_free(session);
        dsp_free(data);
        dsp_graph_free(part);
        dsp_plan_free(p);
        dsp_graph_free(graph);
    }
    dsp_buf_release(&g);
    rm_dir(dir);
}

static json_t *metadata(const char *out)
{
    char         *path = in_dir(out, "metadata.json");
    json_error_t  e;
    json_t       *j = json_load_file(path, 0, &e);
    if (!j)
        fail_msg("%s: %s", path, e.text);
    dsp_free(path);
    return j;
}

static json_t *segment_of(json_t *meta, size_t k) { return json_array_get(json_object_get(meta, "segments"), k); }

/* A dimension that depends on data crosses a cut: it is null in the metadata, and the file leaves it open. */
static void unknown_edge(void **state)
{
    (void)state;
    if (!ort)
        skip();
    char *dir = temp_dir(), *out = in_dir(dir, "slices"), *model = in_dir(dir, "model.onnx");
    msg   g = {0}, n = make_node("Cast", "nz", "nf");
    put_msg(&g, G_NODE, make_node("NonZero", "x", "nz"));
    attr_int(&n, "to", 1);
    put_msg(&g, G_NODE, make_node("MatMul", "x w", "a"));
    put_msg(&g, G_NODE, n);
    put_msg(&g, G_NODE, make_node("MatMul", "w nf", "y"));
    put_msg(&g, G_INIT, make_tensor("w", 1, DIMS(2, 2), w, 16));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(2, 2), NULL));
    put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(2, -1), "K"));
    put_msg(&g, G_OUTPUT, make_value("a", 1, DIMS(2, 2), NULL));
    dsp_graph *graph = inferred(dir, make_model(g, 8, 17));
    dsp_plan  *p;
    dsp_slices *s;
    dsp_err    err;
    assert_int_equal(dsp_plan_make(&p, graph, NULL, 0, true, &err), DSP_OK);
    assert_int_equal(p->n_segments, 2);
    names_are(graph, p->segments[1].in, p->segments[1].n_in, "nf");
    assert_int_equal(p->segments[1].memory_bytes, 16); /* w; nf and y count nothing */
    if (dsp_plan_write(p, out, model, false, &err) != DSP_OK || dsp_slices_load(&s, out, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    json_t       *meta = metadata(out);
    const json_t *in = json_array_get(json_object_get(segment_of(meta, 1), "inputs"), 0), *shape = json_object_get(in, "shape");
    assert_int_equal(json_array_size(shape), 2);
    assert_int_equal(json_integer_value(json_array_get(shape, 0)), 2);
    assert_true(json_is_null(json_array_get(shape, 1)));
    json_decref(meta);
    dsp_session *session;
    const float  x[6] = {1, 2, 3, 4, 5, 6};
    for (int64_t k = 2; k < 4; k++) { /* as long as it comes */
        const dsp_array a = {.dtype = 1, .rank = 2, .dims = {2, k}, .count = (size_t)(2 * k), .bytes = (size_t)(8 * k), .data = x};
        dsp_array       y;
        if (dsp_session_create_file(&session, ort, s->segment_path[1], 1, 0, &err) != DSP_OK ||
            dsp_session_run(session, (const char *const[]){"nf"}, &a, 1, (const char *const[]){"y"}, &y, 1, &err) != DSP_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(y.dims[1], k);
        dsp_array_release(&y);
        dsp_session_free(session);
    }
    dsp_slices_free(s);
    dsp_plan_free(p);
    dsp_graph_free(graph);
    dsp_free(out);
    dsp_free(model);
    rm_dir(dir);
}

/* Default cuts keep away from values of unknown rank; a cut by hand may cross them, and the shape as a whole is null. */
static void unknown_rank(void **state)
{
    (void)state;
    if (!ort)
        skip();
    char *dir = temp_dir(), *out = in_dir(dir, "slices"), *model = in_dir(dir, "model.onnx");
    msg   g = {0};
    put_msg(&g, G_NODE, make_node("MatMul", "x w", "a"));
    put_msg(&g, G_NODE, make_node("Reshape", "a i", "r"));
    put_msg(&g, G_NODE, make_node("MatMul", "x w", "b"));
    put_msg(&g, G_NODE, make_node("ReduceSum", "r", "s"));
    put_msg(&g, G_NODE, make_node("MatMul", "b w", "c"));
    put_msg(&g, G_NODE, make_node("Add", "c s", "y"));
    put_msg(&g, G_INIT, make_tensor("w", 1, DIMS(2, 2), w, 16));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(2, 2), NULL));
    put_msg(&g, G_INPUT, make_value("i", 7, DIMS(-1), "K"));
    put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(2, 2), NULL));
    dsp_graph *graph = inferred(dir, make_model(g, 8, 13));
    dsp_plan  *p;
    dsp_err    err;
    assert_int_equal(graph->values[dsp_graph_find(graph, "r")].rank, -1);
    assert_int_equal(dsp_plan_make(&p, graph, NULL, 0, true, &err), DSP_OK);
    const uint32_t s = dsp_graph_find(graph, "s");
    assert_int_equal(p->n_segments, graph->values[s].rank < 0 ? 1 : 2); /* not before node 2, which r crosses */
    for (uint32_t k = 1; k < p->n_segments; k++)
        assert_int_equal(p->segments[k].first, 4);
    dsp_plan_free(p);
    assert_int_equal(dsp_plan_make(&p, graph, (const uint32_t[]){2}, 1, false, &err), DSP_OK);
    if (dsp_plan_write(p, out, model, false, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    json_t *meta = metadata(out), *list = json_object_get(segment_of(meta, 0), "outputs");
    assert_int_equal(json_array_size(list), 1);
    assert_true(json_is_null(json_object_get(json_array_get(list, 0), "shape")));
    json_decref(meta);
    dsp_plan_free(p);
    dsp_graph_free(graph);
    dsp_free(out);
    dsp_free(model);
    rm_dir(dir);
}

/* A tensor without elements is a tensor: 0 is a size like others. */
static void empty_tensors(void **state)
{
    (void)state;
    if (!ort)
        skip();
    char *dir = temp_dir();
    msg   g = {0}, n = make_node("Concat", "x z", "c");
    attr_int(&n, "axis", 0);
    put_msg(&g, G_NODE, n);
    put_msg(&g, G_NODE, make_node("MatMul", "c w", "y"));
    put_msg(&g, G_NODE, make_node("MatMul", "z w", "e"));
    put_msg(&g, G_INIT, make_tensor("w", 1, DIMS(2, 2), w, 16));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(3, 2), NULL));
    put_msg(&g, G_INPUT, make_value("z", 1, DIMS(0, 2), NULL));
    put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(3, 2), NULL));
    put_msg(&g, G_OUTPUT, make_value("e", 1, DIMS(0, 2), NULL));
    dsp_graph *graph = inferred(dir, make_model(g, 8, 17));
    dsp_plan  *p;
    dsp_err    err;
    const dsp_value *e = &graph->values[dsp_graph_find(graph, "e")];
    assert_true(graph->values[dsp_graph_find(graph, "z")].dims[0] == 0 && e->rank == 2 && e->dims[0] == 0 && e->dims[1] == 2);
    assert_int_equal(graph->values[dsp_graph_find(graph, "c")].dims[0], 3);
    assert_int_equal(dsp_plan_make(&p, graph, NULL, 0, true, &err), DSP_OK);
    assert_int_equal(p->n_segments, 2);
    const float     x[6] = {1, 0, 0, 1, 1, 1};
    const dsp_array in[2] = {{.dtype = 1, .rank = 2, .dims = {3, 2}, .count = 6, .bytes = 24, .data = x}, {.dtype = 1, .rank = 2, .dims = {0, 2}, .data = x}};
    dsp_array       got[2];
    if (dsp_graph_run(graph, ort, in, graph->outputs, 2, got, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    assert_true(got[0].count == 6 && dsp_array_f64(&got[0], 5) == 6);
    assert_true(got[1].count == 0 && got[1].rank == 2 && got[1].dims[0] == 0);
    dsp_array_release(&got[0]);
    dsp_array_release(&got[1]);
    dsp_plan_free(p);
    dsp_graph_free(graph);
    rm_dir(dir);
}

static dsp_plan *grouped(const dsp_graph *g, uint64_t params, uint64_t macs, uint64_t memory)
{
    const dsp_plan_limits limits = {params, macs, memory};
    dsp_plan *p;
    dsp_err   err;
    if (dsp_plan_make(&p, g, NULL, 0, true, &err) != DSP_OK || dsp_plan_group(&p, &limits, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    for (uint32_t k = 0; k < p->n_segments; k++) { /* what a group adds up to is what its segment weighs */
        const dsp_segment_plan *s = &p->segments[k];
        assert_true(!params || s->params <= params || s->last - s->first == 1);
        assert_true(!macs || s->macs <= macs || s->last - s->first == 1);
        assert_true(!memory || s->memory_bytes <= memory || s->last - s->first == 1);
    }
    return p;
}

/* Six products of a 2 x 2 matrix with u, v, u, v, u, v: 8 MACs and 4 parameters each, 16 bytes a tensor. */
static void grouping(void **state)
{
    (void)state;
    if (!ort)
        skip();
    char *dir = temp_dir(), *out = in_dir(dir, "slices"), *model = in_dir(dir, "model.onnx");
    msg   g = {0};
    for (int i = 0; i < 6; i++) {
        char in[16], name[8];
        snprintf(in, sizeof in, "t%d %s", i, i % 2 ? "v" : "u");
        snprintf(name, sizeof name, "t%d", i + 1);
        put_msg(&g, G_NODE, make_node("MatMul", in, name));
    }
    put_msg(&g, G_INIT, make_tensor("u", 1, DIMS(2, 2), w, 16));
    put_msg(&g, G_INIT, make_tensor("v", 1, DIMS(2, 2), w, 16));
    put_msg(&g, G_INPUT, make_value("t0", 1, DIMS(2, 2), NULL));
    put_msg(&g, G_OUTPUT, make_value("t6", 1, DIMS(2, 2), NULL));
    dsp_graph *graph = inferred(dir, make_model(g, 8, 17));
    static const struct { uint64_t params, macs, memory; uint32_t segments; } cases[] = {
        {0, 0, 0, 1},   {4, 0, 0, 6},  {7, 0, 0, 6},   {8, 0, 0, 1}, /* u and v are all the weights there are */
        {0, 8, 0, 6},   {0, 15, 0, 6}, {0, 16, 0, 3},  {0, 24, 0, 2}, {0, 40, 0, 2}, {0, 48, 0, 1}, {0, 1, 0, 6},
        {0, 0, 48, 6},  {0, 0, 79, 6}, {0, 0, 80, 3}, /* t0 u t1 v t2 */
        {0, 0, 144, 1}, {0, 0, 143, 2}, {8, 16, 96, 3}, {4, 48, 144, 6},
    };
    dsp_plan *p;
    dsp_err   err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        p = grouped(graph, cases[i].params, cases[i].macs, cases[i].memory);
        if (p->n_segments != cases[i].segments)
            fail_msg("case %zu: %u segments, %u expected", i, p->n_segments, cases[i].segments);
        dsp_plan_free(p);
    }
    p = grouped(graph, 0, 40, 0); /* from the front: five, then what is left */
    assert_int_equal(p->segments[1].first, 5);
    assert_int_equal(p->segments[0].macs, 40);
    assert_int_equal(p->segments[0].params, 8);
    assert_int_equal(p->segments[0].memory_bytes, 16 * 8);
    if (dsp_plan_write(p, out, model, false, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    json_t *meta = metadata(out), *how = json_object_get(meta, "slicing");
    assert_string_equal(json_string_value(json_object_get(how, "cuts")), "default");
    assert_int_equal(json_integer_value(json_object_get(how, "max_macs")), 40);
    assert_true(json_is_null(json_object_get(how, "max_params")) && json_is_null(json_object_get(how, "max_segment_memory")));
    assert_int_equal(json_integer_value(json_object_get(segment_of(meta, 0), "memory_bytes")), 128);
    json_decref(meta);
    dsp_plan_free(p);
    assert_int_equal(dsp_plan_make(&p, graph, (const uint32_t[]){3}, 1, false, &err), DSP_OK);
    assert_int_equal(dsp_plan_write(p, out, model, false, &err), DSP_OK);
    meta = metadata(out);
    assert_string_equal(json_string_value(json_object_get(json_object_get(meta, "slicing"), "cuts")), "given");
    json_decref(meta);
    dsp_plan_free(p);
    dsp_graph_free(graph);
    dsp_free(out);
    dsp_free(model);
    rm_dir(dir);
}

static msg entry(const char *key, const char *value)
{
    msg e = {0};
    put_str(&e, 1, key);
    put_str(&e, 2, value);
    return e;
}

/* Quantisation annotations go with their tensors, and their parameters with them. */
static void annotations(void **state)
{
    (void)state;
    if (!ort)
        skip();
    enum { G_ANNOTATION = 14 };
    char *dir = temp_dir();
    msg   g = {0};
    put_msg(&g, G_NODE, make_node("MatMul", "x w", "a"));
    put_msg(&g, G_NODE, make_node("MatMul", "a w", "y"));
    put_msg(&g, G_INIT, make_tensor("w", 1, DIMS(2, 2), w, 16));
    put_msg(&g, G_INIT, make_tensor("scale", 1, SCALAR, w, 4));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(2, 2), NULL));
    put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(2, 2), NULL));
    static const char *const on[] = {"y", "x"};
    for (size_t i = 0; i < 2; i++) {
        msg a = {0};
        put_str(&a, 1, on[i]);
        put_msg(&a, 2, entry("SCALE_TENSOR", "scale"));
        put_msg(&g, G_ANNOTATION, a);
    }
    dsp_graph *graph = inferred(dir, make_model(g, 8, 17)), *part;
    dsp_plan  *p;
    dsp_err    err;
    assert_int_equal(dsp_plan_make(&p, graph, NULL, 0, true, &err), DSP_OK);
    assert_int_equal(p->n_segments, 2);
    for (uint32_t k = 0; k < 2; k++) {
        uint8_t *data;
        size_t   len;
        assert_int_equal(dsp_segment_bytes(&data, &len, p, k, &err), DSP_OK);
        assert_int_equal(load_bytes(&part, dir, data, len, NULL, 0, &err), DSP_OK);
        assert_int_not_equal(dsp_graph_find(part, "scale"), DSP_NONE);
        for (uint32_t q = 0; q < 2; q++) { /* y belongs to segment 1, x to segment 0 */
            const char text[] = {G_ANNOTATION << 3 | 2, 26, 10, 1, on[q][0], 18, 21};
            bool       found = false;
            for (size_t i = 0; i + sizeof text <= len; i++)
                found |= !memcmp(data + i, text, sizeof text);
            assert_int_equal(found, q != k);
        }
        dsp_graph_free(part);
        dsp_free(data);
    }
    dsp_plan_free(p);
    dsp_graph_free(graph);
    rm_dir(dir);
}

static void change(const char *path, const char *from, const char *to)
{
    uint8_t *data;
    size_t   len;
    dsp_err  err;
    assert_int_equal(dsp_file_read(&data, &len, path, 1 << 20, &err), DSP_OK);
    char *at = strstr((char *)data, from);
    assert_non_null(at);
    msg m = {0};
    dsp_buf_put(&m, data, (size_t)(at - (char *)data));
    dsp_buf_put(&m, to, strlen(to));
    dsp_buf_put(&m, at + strlen(from), strlen(at + strlen(from)));
    save(path, m.p, m.len);
    dsp_buf_release(&m);
    dsp_free(data);
}

static void folder(void **state)
{
    (void)state;
    if (!ort)
        skip();
    char *dir = temp_dir(), *out = in_dir(dir, "my slices"), *meta = in_dir(out, "metadata.json"), *stale = in_dir(out, "segment_2"),
         *model = in_dir(dir, "model.onnx"), *inside = in_dir(out, "segment_1/keep.bin"), *foreign = in_dir(out, "segment_7"),
         *analysis = in_dir(dir, "analysis/model_metadata.json");
    dsp_graph  *g = inferred(dir, make_model(residual(), 8, 17));
    dsp_plan   *p;
    dsp_slices *s;
    dsp_err     err;
    assert_int_equal(dsp_slices_load(&s, out, &err), DSP_E_MISSING);
    const uint32_t cuts[] = {4, 6};
    assert_int_equal(dsp_plan_make(&p, g, cuts, 2, false, &err), DSP_OK);
    if (dsp_plan_write(p, out, model, false, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    assert_true(dsp_dir_exists(stale));
    dsp_plan_free(p);

    assert_int_equal(dsp_slices_load(&s, out, &err), DSP_OK);
    assert_int_equal(s->n_segments, 3);
    assert_int_equal(s->n_cuts, 2);
    assert_memory_equal(s->cuts, cuts, sizeof cuts);
    assert_true(dsp_digest_eq(&s->model_digest, &g->digest));
    for (uint32_t i = 0; i < 3; i++) {
        uint8_t *data;
        size_t   len;
        assert_int_equal(dsp_file_read(&data, &len, s->segment_path[i], 1 << 20, &err), DSP_OK);
        const dsp_digest d = dsp_sha256(data, len);
        assert_true(dsp_digest_eq(&d, &s->segment_digest[i]));
        dsp_free(data);
    }
    dsp_graph *again;
    assert_int_equal(dsp_graph_load(&again, s->model_path, s->binds, s->n_binds, &err), DSP_OK);
    dsp_graph_free(again);
    dsp_slices_free(s);

    /* a new slicing removes what the old one listed, and keeps what lies in folders it goes on using */
    save(inside, "x", 1);
    assert_int_equal(dsp_plan_make(&p, g, NULL, 0, true, &err), DSP_OK);
    assert_int_equal(dsp_plan_write(p, out, model, false, &err), DSP_OK);
    assert_false(dsp_dir_exists(stale));
    assert_true(dsp_file_exists(inside));
    uint8_t *first, *second;
    size_t   len, len2;
    assert_int_equal(dsp_file_read(&first, &len, meta, 1 << 20, &err), DSP_OK);
    assert_int_equal(mkdir(foreign, 0700), 0);
    assert_int_equal(dsp_plan_write(p, out, model, false, &err), DSP_E_ARG);
    assert_non_null(strstr(err.msg, "segment_7"));
    assert_int_equal(dsp_plan_write(p, out, model, true, &err), DSP_OK);
    assert_false(dsp_dir_exists(foreign));
    assert_int_equal(dsp_file_read(&second, &len2, meta, 1 << 20, &err), DSP_OK);
    assert_true(len == len2 && !memcmp(first, second, len)); /* the same bytes every time */

    /* what the files say */
    json_t *j = json_loadb((const char *)first, len, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(j, "original_model")), "../model.onnx");
    assert_int_equal(json_integer_value(json_object_get(j, "total_parameters")), 8);
    const json_t *s1 = json_array_get(json_object_get(j, "segments"), 1), *in = json_object_get(s1, "inputs");
    assert_string_equal(json_string_value(json_object_get(json_array_get(in, 0), "producer")), "segment_0");
    assert_string_equal(json_string_value(json_object_get(json_array_get(in, 0), "dtype")), "float32");
    assert_string_equal(json_string_value(json_object_get(s1, "relative_path")), "segment_1/segment_1.onnx");
    assert_int_equal(json_array_size(json_object_get(s1, "layers")), 3);
    json_decref(j);
    assert_int_equal(dsp_analysis_write(g, p, analysis, &err), DSP_OK);
    j = json_load_file(analysis, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(j, "node_count")), 8);
    assert_int_equal(json_object_size(json_object_get(j, "nodes")), 8);
    assert_string_equal(json_string_value(json_object_get(j, "original_model")), "../model.onnx");
    json_decref(j);

    /* strictness */
    static const char *const broken[][2] = {
        {"\"../model.onnx\"", "\"/model.onnx\""},  {"\"../model.onnx\"", "\"../a/../model.onnx\""}, {"\"segment_1/segment_1.onnx\",\n            \"sha", "\"../segment_1.onnx\",\n            \"sha"},
        {"\"index\": 1,\n            \"file", "\"index\": 2,\n            \"file"}, {"\"slice_points\": [\n        0", "\"slice_points\": [\n        1"},
        {"\"sha256\": \"", "\"sha256\": \"0"},     {"\"dims\": {", "\"dims\": {\"N\": 0"},           {"\"format_version\": 1", "\"format_version\": \"1\""},
        {"\"model_type\"", "\"dims\""},            {"\"segments\": [", "\"segments\": ["}};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        save(meta, first, len);
        change(meta, broken[i][0], broken[i][1]);
        const bool same = !strcmp(broken[i][0], broken[i][1]);
        const dsp_status got = dsp_slices_load(&s, out, &err);
        if (got != (same ? DSP_OK : DSP_E_FORMAT))
            fail_msg("%s: status %d (%s)", broken[i][1], got, err.msg);
        dsp_slices_free(s);
    }
    save(meta, first, len);
    change(meta, "\"format_version\": 1", "\"format_version\": 2");
    assert_int_equal(dsp_slices_load(&s, out, &err), DSP_E_UNSUPPORTED);
    for (size_t n = 0; n + 1 < len; n += 7) {
        save(meta, first, n);
        assert_int_equal(dsp_slices_load(&s, out, &err), DSP_E_FORMAT);
    }
    dsp_free(first);
    dsp_free(second);
    dsp_plan_free(p);
    dsp_graph_free(g);
    dsp_free(out);
    dsp_free(meta);
    dsp_free(stale);
    dsp_free(model);
    dsp_free(inside);
    dsp_free(foreign);
    dsp_free(analysis);
    rm_dir(dir);
}

/* Weights outside the file end up inside the segments. */
static void external_weights(void **state)
{
    (void)state;
    if (!ort)
        skip();
    char *dir = temp_dir(), *file = in_dir(dir, "w.bin");
    save(file, w, sizeof w);
    msg g = {0}, t = make_tensor("w", 1, DIMS(2, 2), NULL, 0), e = {0};
    put_str(&e, 1, "location");
    put_str(&e, 2, "w.bin");
    put_msg(&t, 13, e);
    put_int(&t, 14, 1);
    put_msg(&g, G_NODE, make_node("MatMul", "x w", "y"));
    put_msg(&g, G_INIT, t);
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(1, 2), NULL));
    put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(1, 2), NULL));
    dsp_graph *graph = inferred(dir, make_model(g, 8, 17));
    dsp_plan  *p;
    dsp_err    err;
    uint8_t   *data;
    size_t     len;
    assert_int_equal(dsp_plan_make(&p, graph, NULL, 0, true, &err), DSP_OK);
    assert_int_equal(p->n_segments, 1);
    assert_int_equal(dsp_segment_bytes(&data, &len, p, 0, &err), DSP_OK);
    assert_int_equal(unlink(file), 0);
    dsp_session *s;
    if (dsp_session_create(&s, ort, data, len, NULL, 1, 0, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    const float     x[2] = {1, 10};
    const dsp_array in = {.dtype = 1, .rank = 2, .dims = {1, 2}, .count = 2, .bytes = 8, .data = x};
    dsp_array       out[2];
    const uint32_t  y = graph->outputs[0];
    assert_int_equal(dsp_session_run(s, (const char *const[]){"x"}, &in, 1, (const char *const[]){"y"}, &out[0], 1, &err), DSP_OK);
    assert_int_equal(dsp_graph_run(graph, ort, &in, &y, 1, &out[1], &err), DSP_OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(dsp_array_f64(&out[i], 0) == 31 && dsp_array_f64(&out[i], 1) == 42);
        dsp_array_release(&out[i]);
    }
    dsp_session_free(s);
    dsp_free(data);
    dsp_free(file);
    dsp_plan_free(p);
    dsp_graph_free(graph);
    rm_dir(dir);
}

/* Two matrices of 9 MiB in one file beside the model, a vector in another; small data and shapes inside. */
static msg large(const char *dir, float *m, size_t side)
{
    char *one = in_dir(dir, "data/all.bin"), *two = in_dir(dir, "bias"), *sub = in_dir(dir, "data");
    msg   g = {0}, t;
    char  bytes[24];
    assert_int_equal(mkdir(sub, 0700), 0);
    uint64_t state = 3;
    for (size_t i = 0; i < 2 * side * side; i++)
        m[i] = (float)(test_next(&state) % 1000) / 65536;
    save(one, m, 2 * side * side * 4);
    save(two, m, side * 4);
    put_msg(&g, G_NODE, make_node("MatMul", "x u", "a"));
    put_msg(&g, G_NODE, make_node("Add", "a b", "c"));
    put_msg(&g, G_NODE, make_node("Reshape", "c s", "d"));
    put_msg(&g, G_NODE, make_node("MatMul", "d v", "y"));
    for (int i = 0; i < 2; i++) {
        t = make_tensor(i ? "v" : "u", 1, DIMS((int64_t)side, (int64_t)side), NULL, 0);
        put_msg(&t, 13, entry("location", "data/all.bin"));
        snprintf(bytes, sizeof bytes, "%zu", (size_t)i * side * side * 4);
        if (i)
            put_msg(&t, 13, entry("offset", bytes));
        put_int(&t, 14, 1);
        put_msg(&g, G_INIT, t);
    }
    t = make_tensor("b", 1, DIMS((int64_t)side), NULL, 0);
    put_msg(&t, 13, entry("location", "bias"));
    put_int(&t, 14, 1);
    put_msg(&g, G_INIT, t);
    put_msg(&g, G_INIT, make_tensor("s", 7, DIMS(2), (int64_t[]){1, -1}, 16));
    put_msg(&g, G_INPUT, make_value("x", 1, DIMS(1, (int64_t)side), NULL));
    put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(1, (int64_t)side), NULL));
    dsp_free(one);
    dsp_free(two);
    dsp_free(sub);
    return make_model(g, 8, 17);
}

static uint64_t blocks_of(const char *dir)
{
    char     command[512];
    unsigned long kib = 0;
    snprintf(command, sizeof command, "du -sk '%s'", dir);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu", &kib), 1);
    pclose(f);
    return kib;
}

/* On another file system no name can be shared: each segment gets the bytes that it reads, at their old offsets. */
static void copied_weights(dsp_plan *p, const char *dir, const char *model, const dsp_slices *linked)
{
    char        shm[] = "/dev/shm/dsperse-onnx-XXXXXX", path[64];
    struct stat here, there;
    dsp_slices *s;
    dsp_err     err;
    if (!mkdtemp(shm))
        return;
    assert_int_equal(stat(dir, &here), 0);
    assert_int_equal(stat(shm, &there), 0);
    if (here.st_dev != there.st_dev) {
        if (dsp_plan_write(p, shm, model, false, &err) != DSP_OK || dsp_slices_load(&s, shm, &err) != DSP_OK)
            fail_msg("%s", err.msg);
        for (uint32_t k = 0; k < p->n_segments; k++) {
            assert_int_equal(dsp_slices_check_data(s, k, &err), DSP_OK);
            assert_true(dsp_digest_eq(&s->segment_digest[k], &linked->segment_digest[k]) && dsp_digest_eq(&s->data_digest[k], &linked->data_digest[k]));
        }
        snprintf(path, sizeof path, "%s/segment_1/weights_0.bin", shm);
        assert_int_equal(stat(path, &there), 0);
        assert_true(there.st_nlink == 1 && (uint64_t)there.st_blocks * 512 < (uint64_t)there.st_size * 3 / 4); /* one of two matrices */
        printf("weights are copied to another file system\n");
        dsp_slices_free(s);
    }
    rm_dir(dsp_strdup(shm));
}

/* Large weights stay outside the segment files, and take no second place on disk where the file system has links. */
static void shared_weights(void **state)
{
    (void)state;
    if (!ort)
        skip();
    enum { SIDE = 1536 };
    char  *dir = temp_dir(), *out = in_dir(dir, "slices"), *model = in_dir(dir, "model.onnx"), *data = in_dir(dir, "data/all.bin");
    char  *first = in_dir(out, "segment_0/weights_0.bin"), *second = in_dir(out, "segment_0/weights_1.bin"), *third = in_dir(out, "segment_1/weights_0.bin"),
          *stale = in_dir(out, "segment_1/weights_7.bin"), *other = in_dir(out, "segment_1/weights_x.bin");
    float *m = DSP_NEW_N(float, 2 * SIDE * SIDE), *x = DSP_NEW_N(float, SIDE);
    assert_true(m && x);
    dsp_graph  *g = inferred(dir, large(dir, m, SIDE)), *again;
    dsp_plan   *p;
    dsp_slices *s;
    dsp_err     err;
    struct stat a, b;
    const uint64_t before = blocks_of(dir);
    assert_int_equal(dsp_plan_make(&p, g, NULL, 0, true, &err), DSP_OK);
    assert_int_equal(p->n_segments, 2);
    for (int round = 0; round < 2; round++) { /* once more into the same folder */
        if (dsp_plan_write(p, out, model, false, &err) != DSP_OK || dsp_slices_load(&s, out, &err) != DSP_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(stat(third, &b), 0);
        assert_true(b.st_nlink == 1 || blocks_of(dir) < before + 256); /* a clone's blocks are counted twice, whoever counts them */
        assert_true(dsp_file_exists(first) && dsp_file_exists(second) && dsp_file_exists(third) && dsp_file_exists(other) == (round == 1));
        assert_false(dsp_file_exists(stale));
        assert_true(s->has_data[0] && s->has_data[1]);
        assert_int_equal(stat(s->segment_path[0], &a), 0);
        assert_true(a.st_size < 4096);
        for (uint32_t k = 0; k < 2; k++)
            assert_int_equal(dsp_slices_check_data(s, k, &err), DSP_OK);
        if (round == 0) {
            save(stale, "x", 1);
            save(other, "x", 1);
            dsp_slices_free(s);
        }
    }
    assert_int_equal(p->segments[0].params, SIDE * SIDE + SIDE);
    json_t *meta = metadata(out);
    const json_t *list = json_object_get(segment_of(meta, 0), "external_data");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_array_get(list, 1)), "segment_0/weights_1.bin");
    json_decref(meta);

    copied_weights(p, dir, model, s);

    /* the whole and its slices, from files and from bytes */
    for (size_t i = 0; i < SIDE; i++)
        x[i] = (float)i / SIDE;
    const dsp_array in = {.dtype = 1, .rank = 2, .dims = {1, SIDE}, .count = SIDE, .bytes = 4 * SIDE, .data = x};
    dsp_array      *store = DSP_NEW_N(dsp_array, g->n_values), whole = {0}, mine = {0};
    assert_non_null(store);
    store[g->inputs[0]] = in;
    if (run_whole(g, model, ort, store, &whole, &err) != DSP_OK || dsp_graph_run(g, ort, &in, g->outputs, 1, &mine, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    run_sliced(p, s, ort, store);
    assert_true(same_bytes(&store[g->outputs[0]], &whole) && same_bytes(&mine, &whole));
    uint8_t     *bytes;
    size_t       len;
    dsp_session *session;
    assert_int_equal(dsp_segment_bytes(&bytes, &len, p, 1, &err), DSP_OK);
    assert_true(len < 4096);
    if (dsp_session_create(&session, ort, bytes, len, g->dir, 1, 0, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    dsp_session_free(session);
    dsp_free(bytes);
    for (uint32_t i = 0; i < g->n_values; i++)
        if (i != g->inputs[0])
            dsp_array_release(&store[i]);
    dsp_free(store);
    dsp_array_release(&whole);
    dsp_array_release(&mine);

    /* A hard link is seen to change with the original, a clone or a copy on its own. The model's digest covers the original. */
    assert_int_equal(stat(data, &a), 0);
    assert_int_equal(stat(third, &b), 0);
    printf("weights are shared by %s\n", a.st_ino == b.st_ino ? "a hard link" : "a clone, or copied");
    const int fd = open(third, O_WRONLY);
    assert_int_equal(pwrite(fd, "\1\2\3\4", 4, 4 * SIDE * SIDE), 4);
    assert_int_equal(dsp_slices_check_data(s, 1, &err), DSP_E_FORMAT);
    assert_non_null(strstr(err.msg, "weights"));
    assert_int_equal(pwrite(fd, &m[SIDE * SIDE], 4, 4 * SIDE * SIDE), 4);
    close(fd);
    assert_int_equal(dsp_slices_check_data(s, 1, &err), DSP_OK);
    assert_int_equal(dsp_graph_load(&again, model, NULL, 0, &err), DSP_OK);
    assert_true(dsp_digest_eq(&again->digest, &g->digest));
    dsp_graph_free(again);
    assert_int_equal(unlink(third), 0);
    assert_int_equal(dsp_slices_check_data(s, 1, &err), DSP_E_MISSING);
    assert_int_equal(symlink(data, third), 0);
    assert_int_equal(dsp_slices_check_data(s, 1, &err), DSP_E_FORMAT); /* not followed */

    /* Files with a single name, as a folder that was copied has them, are what ONNX's checker asks for. */
    char command[1024];
    snprintf(command, sizeof command, "rm '%s' && cp '%s' '%s' && mv '%s' '%s.x' && cp '%s.x' '%s' && mv '%s' '%s.x' && cp '%s.x' '%s'", third, data, third, first,
             first, first, first, second, second, second, second);
    assert_int_equal(system(command), 0);
    check_list checks = check_open(dir);
    assert_int_equal(check_add(&checks, model, p, s), 0);
    check_run(&checks);
    for (uint32_t k = 0; k < 2; k++)
        assert_int_equal(dsp_slices_check_data(s, k, &err), DSP_OK);

    dsp_slices_free(s);
    dsp_plan_free(p);
    dsp_graph_free(g);
    char *const paths[] = {out, model, data, first, second, third, stale, other};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        dsp_free(paths[i]);
    dsp_free(m);
    dsp_free(x);
    rm_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_of_residual), cmocka_unit_test(shape_across), cmocka_unit_test(unknown_edge), cmocka_unit_test(unknown_rank),
        cmocka_unit_test(empty_tensors), cmocka_unit_test(grouping), cmocka_unit_test(annotations), cmocka_unit_test(folder),
        cmocka_unit_test(external_weights), cmocka_unit_test(shared_weights),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
