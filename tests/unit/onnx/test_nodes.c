/* ONNX's node tests: every model that ONNX Runtime accepts loads, has its shapes, and computes the same bytes in slices as whole, cut by default
 * and cut before every node.
 */
#include "checker.h"
#include "with_ort.h"

#include <dirent.h>

typedef struct { unsigned models, refused, accepted, open, plans, segments, compared, random, unranked, failed; } counts;

/* A TensorProto file as an array; the graph that holds it is the caller's. The file becomes an initializer of a small model, where it is
 * checked as any; its name is set anew. */
static const dsp_array *read_tensor(dsp_graph **g, const char *dir, const char *path)
{
    uint8_t *p;
    size_t   n;
    dsp_err  err;
    *g = NULL;
    if (dsp_file_read(&p, &n, path, 1 << 28, &err) != DSP_OK)
        return NULL;
    msg t = {0}, graph = {0};
    dsp_buf_put(&t, p, n);
    put_str(&t, 8, "t");
    dsp_free(p);
    put_msg(&graph, G_NODE, make_node("Identity", "t", "u"));
    put_msg(&graph, G_INIT, t);
    put_msg(&graph, G_OUTPUT, make_value("u", 1, DIMS(1), "N"));
    if (load_msg(g, dir, make_model(graph, 8, 17), &err) != DSP_OK)
        fail_msg("%s: %s", path, err.msg);
    return (*g)->values[dsp_graph_find(*g, "t")].constant;
}

/* Inputs of data set 0 into store; false when one is missing or has another shape than the bound one. */
static bool read_data(const dsp_graph *g, const char *dir, const char *scratch, dsp_array *store)
{
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        char       path[1100];
        dsp_graph *holder;
        snprintf(path, sizeof path, "%s/test_data_set_0/input_%u.pb", dir, i);
        const dsp_array *x = read_tensor(&holder, scratch, path);
        const dsp_value *v = &g->values[g->inputs[i]];
        bool             ok = x && x->dtype == v->dtype && (int32_t)x->rank == v->rank;
        for (int32_t k = 0; ok && k < v->rank; k++)
            ok = x->dims[k] == v->dims[k];
        if (ok) {
            void *copy = dsp_calloc(x->bytes + 1, 1);
            assert_non_null(copy);
            memcpy(copy, x->data, x->bytes);
            store[g->inputs[i]] = *x;
            store[g->inputs[i]].data = copy;
        }
        dsp_graph_free(holder);
        if (!ok)
            return false;
    }
    return true;
}

/* Cuts before every node that computes something, but the first. */
static size_t all_cuts(const dsp_graph *g, uint32_t *cuts)
{
    size_t n = 0;
    bool   first = true;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i].folded)
            continue;
        if (!first)
            cuts[n++] = i;
        first = false;
    }
    return n;
}

static bool open_shapes(const dsp_graph *g)
{
    for (uint32_t i = 0; i < g->n_values; i++) {
        bool open = g->values[i].rank < 0;
        for (int32_t k = 0; k < g->values[i].rank; k++)
            open |= g->values[i].dims[k] < 0;
        if (open)
            return true;
    }
    return false;
}

/* One way of cutting; false when it fails where it should not. */
static bool one_plan(const dsp_graph *g, const char *name, const char *model, const char *out, bool finest, bool have_data, dsp_array *store,
                     const dsp_array *whole, const check_list *list, counts *c)
{
    dsp_plan   *p = NULL;
    dsp_slices *s = NULL;
    dsp_err     err = {0};
    uint32_t   *cuts = DSP_NEW_N(uint32_t, g->n_nodes);
    assert_non_null(cuts);
    const size_t n = finest ? all_cuts(g, cuts) : 0;
    dsp_status   r = dsp_plan_make(&p, g, cuts, n, !finest, &err);
    dsp_free(cuts);
    if (r == DSP_E_UNSUPPORTED && finest) /* a sequence or the like crosses a cut */
        return true;
    if (r == DSP_OK)
        r = dsp_plan_write(p, out, model, false, &err);
    if (r == DSP_OK)
        r = dsp_slices_load(&s, out, &err);
    if (r != DSP_OK) {
        print_message("%s: %s\n", name, err.msg);
        dsp_plan_free(p);
        return false;
    }
    c->plans++;
    c->segments += p->n_segments;
    const unsigned unranked = check_add(list, model, p, s);
    c->unranked += unranked;
    bool ok = unranked == 0 || finest; /* the default cuts avoid values without a rank */
    for (uint32_t k = 0; k < p->n_segments && ok && !have_data; k++) {
        dsp_session *session;
        ok = dsp_session_create_file(&session, ort, s->segment_path[k], 1, 0, &err) == DSP_OK;
        if (ok)
            dsp_session_free(session);
        else
            print_message("%s: segment %u: %s\n", name, k, err.msg);
    }
    if (have_data)
        run_sliced(p, s, ort, store);
    for (uint32_t i = 0; have_data && whole && i < g->n_outputs; i++)
        if (!same_bytes(&store[g->outputs[i]], &whole[i])) {
            print_message("%s: output %s differs between %u slices and the whole\n", name, g->values[g->outputs[i]].name, p->n_segments);
            ok = false;
        }
    c->compared += have_data && whole;
    dsp_slices_free(s);
    dsp_plan_free(p);
    return ok;
}

static bool one_model(const char *name, const char *dir, const char *scratch, const check_list *list, counts *c)
{
    char         model[1100], out[600];
    dsp_session *session;
    dsp_graph   *g = NULL;
    dsp_err      err = {0};
    snprintf(model, sizeof model, "%s/model.onnx", dir);
    if (!dsp_file_exists(model))
        return true;
    c->models++;
    if (dsp_session_create_file(&session, ort, model, 1, 0, &err) != DSP_OK) {
        c->refused++;
        return true;
    }
    dsp_session_free(session);
    c->accepted++;
    if (dsp_graph_load(&g, model, NULL, 0, &err) != DSP_OK || dsp_graph_infer(g, ort, &err) != DSP_OK) {
        print_message("%s: %s\n", name, err.msg);
        dsp_graph_free(g);
        return false;
    }
    c->open += open_shapes(g);
    dsp_array *store = DSP_NEW_N(dsp_array, g->n_values), *whole = DSP_NEW_N(dsp_array, g->n_outputs), *again = DSP_NEW_N(dsp_array, g->n_outputs);
    assert_true(store && whole && again);
    bool data = read_data(g, dir, scratch, store) && run_whole(g, model, ort, store, whole, &err) == DSP_OK, equal = data, ok = true;
    if (data)
        data = run_whole(g, model, ort, store, again, &err) == DSP_OK;
    for (uint32_t i = 0; equal && i < g->n_outputs; i++)
        equal = same_bytes(&whole[i], &again[i]);
    c->random += data && !equal; /* two runs of the whole differ: nothing to compare */
    for (int finest = 0; finest < 2; finest++) {
        snprintf(out, sizeof out, "%s/%s_%d", scratch, name, finest);
        ok &= one_plan(g, name, model, out, finest, data, store, equal ? whole : NULL, list, c);
    }
    for (uint32_t i = 0; i < g->n_values; i++)
        dsp_array_release(&store[i]);
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        dsp_array_release(&whole[i]);
        dsp_array_release(&again[i]);
    }
    dsp_free(store);
    dsp_free(whole);
    dsp_free(again);
    dsp_graph_free(g);
    return ok;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void all_nodes(void **state)
{
    (void)state;
    const char     *root = getenv("DSPERSE_TEST_DATA");
    char            path[512];
    struct dirent **list = NULL;
    counts          c = {0};
    snprintf(path, sizeof path, "%s/onnx-node-tests", root ? root : "");
    const int n = root ? scandir(path, &list, NULL, by_name) : -1;
    if (!ort || n < 0) {
        print_message("SKIPPED: ONNX's node tests need ONNX Runtime and DSPERSE_TEST_DATA with onnx-node-tests in it\n");
        skip();
    }
    char      *scratch = temp_dir();
    check_list checks = check_open(scratch);
    for (int i = 0; i < n; i++) {
        char dir[1024];
        snprintf(dir, sizeof dir, "%s/%s", path, list[i]->d_name);
        if (list[i]->d_name[0] != '.' && !one_model(list[i]->d_name, dir, scratch, &checks, &c))
            c.failed++;
        free(list[i]);
    }
    free(list);
    print_message("%u models: %u not accepted by ONNX Runtime, %u accepted, %u of them with shapes that depend on data; %u plans with %u segments, %u "
                  "compared with the whole, %u models random; %u segments without a rank at an edge; %u failed\n",
                  c.models, c.refused, c.accepted, c.open, c.plans, c.segments, c.compared, c.random, c.unranked, c.failed);
    check_run(&checks);
    rm_dir(scratch);
    assert_int_equal(c.failed, 0);
    assert_true(c.accepted > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_nodes)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
