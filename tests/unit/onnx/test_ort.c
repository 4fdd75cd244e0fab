/* ONNX Runtime as a guest: it leaves nothing behind in the user's folders, and says nothing to anyone. */
#include "make.h"

#include <dirent.h>

static void leaves_nothing(void **state)
{
    (void)state;
    char *home = temp_dir(), *dir = temp_dir();
    static const char *const places[] = {"HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "TMPDIR"};
    /* what suppresses telemetry besides being told to */
    static const char *const hints[] = {"CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"};
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        assert_int_equal(unsetenv(hints[i]), 0);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        assert_int_equal(setenv(places[i], home, 1), 0);
    dsp_ort *ort = find_ort();
    if (ort) {
        msg        g = {0};
        dsp_graph *graph;
        dsp_array  y;
        dsp_err    err;
        const float     x = 3;
        const dsp_array in = {.dtype = 1, .rank = 1, .dims = {1}, .count = 1, .bytes = 4, .data = &x};
        put_msg(&g, G_NODE, make_node("Neg", "x", "y"));
        put_msg(&g, G_INPUT, make_value("x", 1, DIMS(1), NULL));
        put_msg(&g, G_OUTPUT, make_value("y", 1, DIMS(1), NULL));
        if (load_msg(&graph, dir, make_model(g, 8, 17), &err) != DSP_OK || dsp_graph_infer(graph, ort, &err) != DSP_OK ||
            dsp_graph_run(graph, ort, &in, graph->outputs, 1, &y, &err) != DSP_OK)
            fail_msg("%s", err.msg);
        assert_true(dsp_array_f64(&y, 0) == -3);
        dsp_array_release(&y);
        dsp_graph_free(graph);
        dsp_ort_close(ort);
        DIR *d = opendir(home);
        assert_non_null(d);
        for (const struct dirent *e; (e = readdir(d));)
            if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
                fail_msg("the runtime left %s in the user's folder", e->d_name);
        closedir(d);
    }
    rm_dir(home);
    rm_dir(dir);
    if (!ort)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(leaves_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
