/* Plans, segment files and the slices folder, on models made here. */
#include "make.h"

#include <jansson.h>

static dsp_ort *ort;

static int setup(void **state)
{
    (void)state;
    ort = find_ort();
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    dsp_ort_close(ort);
    return 0;
}

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

static void unknown_edge(void **state)
{
    (void)state;
    if (!ort)
        skip();
    char *dir = temp_dir();
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
    dsp_err    err;
    assert_int_equal(dsp_plan_make(&p, graph, NULL, 0, true, &err), DSP_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "\"nf\""));
    assert_int_equal(dsp_plan_make(&p, graph, NULL, 0, false, &err), DSP_OK); /* uncut, only an output is open */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_of_residual), cmocka_unit_test(shape_across), cmocka_unit_test(unknown_edge), cmocka_unit_test(folder),
        cmocka_unit_test(external_weights),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
