/* The models of the test data: every one loads, has its shapes, and computes the same bytes in slices as whole. */
#include "checker.h"
#include "with_ort.h"

#include <dirent.h>
#include <jansson.h>

static const char *data_dir;

/* The inputs of a model from its input.json: one flat list an input. */
static dsp_array *read_inputs(const dsp_graph *g, const char *path)
{
    json_t    *j = json_load_file(path, 0, NULL);
    json_t    *lists = json_object_get(j, "input_data");
    dsp_array *in = DSP_NEW_N(dsp_array, g->n_inputs);
    assert_non_null(in);
    assert_int_equal(json_array_size(lists), g->n_inputs);
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const dsp_value *v = &g->values[g->inputs[i]];
        json_t          *list = json_array_get(lists, i);
        const size_t     n = json_array_size(list), size = v->dtype == DSP_DT_FLOAT ? 4 : 8;
        size_t           expected = 1;
        uint8_t         *data = dsp_calloc(n, size);
        assert_non_null(data);
        assert_true(v->dtype == DSP_DT_FLOAT || v->dtype == DSP_DT_INT64);
        in[i] = (dsp_array){.dtype = v->dtype, .rank = (uint32_t)v->rank, .count = n, .bytes = n * size, .data = data};
        for (int32_t k = 0; k < v->rank; k++)
            expected *= (size_t)(in[i].dims[k] = v->dims[k]);
        assert_int_equal(n, expected);
        for (size_t k = 0; k < n; k++) {
            const float   f = (float)json_number_value(json_array_get(list, k));
            const int64_t d = json_integer_value(json_array_get(list, k));
            memcpy(data + size * k, size == 4 ? (const void *)&f : (const void *)&d, size);
        }
    }
    json_decref(j);
    return in;
}

static void one_model(const char *name, const char *tmp, const check_list *list)
{
    char       *model_dir = in_dir(data_dir, name), *model = in_dir(model_dir, "model.onnx"), *input = in_dir(model_dir, "input.json");
    char       *slices_dir = in_dir(tmp, name);
    dsp_graph  *g, *g2 = NULL;
    dsp_plan   *p = NULL, *p2 = NULL;
    dsp_slices *s = NULL;
    dsp_err     err;
    if (dsp_graph_load(&g, model, NULL, 0, &err) != DSP_OK || dsp_graph_infer(g, ort, &err) != DSP_OK ||
        dsp_plan_make(&p, g, NULL, 0, true, &err) != DSP_OK || dsp_plan_write(p, slices_dir, model, false, &err) != DSP_OK ||
        dsp_slices_load(&s, slices_dir, &err) != DSP_OK)
        fail_msg("%s: %s", name, err.msg);
    for (uint32_t i = 0; i < g->n_values; i++)
        for (int32_t k = -1; k < g->values[i].rank; k++)
            if (g->values[i].dtype == 0 || g->values[i].rank < 0 || (k >= 0 && g->values[i].dims[k] < 0))
                fail_msg("%s: value %s has no known shape", name, g->values[i].name);

    /* the same plan from what the folder says */
    if (dsp_graph_load(&g2, s->model_path, s->binds, s->n_binds, &err) != DSP_OK || dsp_graph_infer(g2, ort, &err) != DSP_OK ||
        dsp_plan_make(&p2, g2, s->cuts, s->n_cuts, false, &err) != DSP_OK)
        fail_msg("%s: %s", name, err.msg);
    assert_true(dsp_digest_eq(&s->model_digest, &g2->digest));
    assert_int_equal(p->n_segments, p2->n_segments);
    for (uint32_t k = 0; k < p->n_segments; k++) {
        uint8_t *data;
        size_t   len;
        assert_int_equal(dsp_segment_bytes(&data, &len, p2, k, &err), DSP_OK);
        const dsp_digest d = dsp_sha256(data, len);
        assert_true(dsp_digest_eq(&d, &s->segment_digest[k]));
        dsp_free(data);
    }

    /* whole: the file itself */
    dsp_array    *in = read_inputs(g, input), *store = DSP_NEW_N(dsp_array, g->n_values), *whole = DSP_NEW_N(dsp_array, g->n_outputs),
              *mine = DSP_NEW_N(dsp_array, g->n_outputs);
    const char  **in_names = DSP_NEW_N(const char *, g->n_inputs), **out_names = DSP_NEW_N(const char *, g->n_outputs);
    dsp_session  *session;
    assert_true(store && whole && mine && in_names && out_names);
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        in_names[i] = g->values[g->inputs[i]].name;
        store[g->inputs[i]] = in[i];
    }
    for (uint32_t i = 0; i < g->n_outputs; i++)
        out_names[i] = g->values[g->outputs[i]].name;
    if (dsp_session_create_file(&session, ort, model, 1, 0, &err) != DSP_OK ||
        dsp_session_run(session, in_names, in, g->n_inputs, out_names, whole, g->n_outputs, &err) != DSP_OK ||
        dsp_graph_run(g, ort, in, g->outputs, g->n_outputs, mine, &err) != DSP_OK)
        fail_msg("%s: %s", name, err.msg);
    run_sliced(p, s, ort, store);
    assert_int_equal(check_add(list, model, p, s), 0);
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        const dsp_array *sliced = &store[g->outputs[i]];
        if (sliced->bytes != whole[i].bytes || memcmp(sliced->data, whole[i].data, sliced->bytes) != 0)
            fail_msg("%s: output %s differs between slices and the whole", name, out_names[i]);
        if (mine[i].bytes != whole[i].bytes || memcmp(mine[i].data, whole[i].data, mine[i].bytes) != 0)
            fail_msg("%s: output %s differs between dsp_graph_run and the file", name, out_names[i]);
    }
    printf("%s: %u nodes, %u segments\n", name, g->n_nodes, p->n_segments);
    for (uint32_t i = 0; i < g->n_values; i++)
        dsp_array_release(&store[i]);
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        dsp_array_release(&whole[i]);
        dsp_array_release(&mine[i]);
    }
    dsp_session_free(session);
    dsp_free(in);
    dsp_free(store);
    dsp_free(whole);
    dsp_free(mine);
    dsp_free(in_names);
    dsp_free(out_names);
    dsp_slices_free(s);
    dsp_plan_free(p);
    dsp_plan_free(p2);
    dsp_graph_free(g);
    dsp_graph_free(g2);
    dsp_free(slices_dir);
    dsp_free(model_dir);
    dsp_free(model);
    dsp_free(input);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void sliced_is_whole(void **state)
{
    (void)state;
    const char *root = getenv("DSPERSE_TEST_DATA");
    if (!root)
        printf("SKIP: DSPERSE_TEST_DATA is not set: no models\n");
    if (!ort || !root)
        skip();
    char *models = in_dir(root, "models"), *names[64];
    size_t n = 0;
    data_dir = models;
    DIR *d = opendir(models);
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) && n < 64;) {
        char *sub = in_dir(models, e->d_name), *file = in_dir(sub, "model.onnx");
        if (e->d_name[0] != '.' && dsp_file_exists(file))
            names[n++] = dsp_strdup(e->d_name);
        dsp_free(sub);
        dsp_free(file);
    }
    closedir(d);
    assert_true(n > 0);
    qsort(names, n, sizeof *names, by_name);
    char      *tmp = temp_dir();
    check_list list = check_open(tmp);
    for (size_t i = 0; i < n; i++) {
        one_model(names[i], tmp, &list);
        dsp_free(names[i]);
    }
    check_run(&list);
    rm_dir(tmp);
    dsp_free(models);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sliced_is_whole)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
