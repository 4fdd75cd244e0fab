/* Segment files before the checker of the Python package onnx, and sliced runs against whole ones. */
#ifndef DSP_TESTS_ONNX_CHECKER_H
#define DSP_TESTS_ONNX_CHECKER_H

#include <sys/wait.h>

#include "make.h"

/* Pairs of original and segment for check_models.py, collected in dir/list. */
typedef struct { FILE *f; char *path; } check_list;

static inline check_list check_open(const char *dir)
{
    check_list c = {.path = in_dir(dir, "list")};
    c.f = fopen(c.path, "w");
    assert_non_null(c.f);
    return c;
}

/* Segments whose edges have a rank; the checker wants one, where ONNX Runtime does not. Returns how many were left out. */
static inline unsigned check_add(const check_list *c, const char *original, const dsp_plan *p, const dsp_slices *s)
{
    unsigned left_out = 0;
    for (uint32_t k = 0; k < s->n_segments; k++) {
        const dsp_segment_plan *q = &p->segments[k];
        bool                    ranked = true;
        for (uint32_t i = 0; i < q->n_in; i++)
            ranked &= p->g->values[q->in[i]].rank >= 0;
        for (uint32_t i = 0; i < q->n_out; i++)
            ranked &= p->g->values[q->out[i]].rank >= 0;
        left_out += !ranked;
        if (ranked)
            fprintf(c->f, "%s\t%s\n", original, s->segment_path[k]);
    }
    return left_out;
}

/* Runs the checker with DSPERSE_PYTHON, else python3; says so where there is none. */
static inline void check_run(check_list *c)
{
    const char *python = getenv("DSPERSE_PYTHON");
    char        command[1024];
    assert_int_equal(fclose(c->f), 0);
    snprintf(command, sizeof command, "%s '%s/tests/unit/onnx/check_models.py' '%s' 2>&1", python ? python : "python3", DSP_SOURCE_DIR, c->path);
    fflush(stdout);
    const int status = system(command);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == 77 || code == 127)
        printf("SKIPPED: segments were not passed to ONNX's checker: no Python with the onnx package (DSPERSE_PYTHON names one)\n");
    else if (code != 0)
        fail_msg("ONNX's checker refuses segments");
    dsp_free(c->path);
}

/* Runs the segments that files lists, one after the other, on values in store (by value number; inputs are there already). Outputs have the
 * inferred types, and the inferred shapes where these are known. */
static inline void run_sliced(const dsp_plan *p, const dsp_slices *files, dsp_ort *ort, dsp_array *store)
{
    const dsp_graph *g = p->g;
    dsp_err          err;
    for (uint32_t k = 0; k < p->n_segments; k++) {
        const dsp_segment_plan *s = &p->segments[k];
        dsp_session            *session;
        const char            **in = DSP_NEW_N(const char *, s->n_in), **out = DSP_NEW_N(const char *, s->n_out);
        dsp_array              *in_data = DSP_NEW_N(dsp_array, s->n_in), *out_data = DSP_NEW_N(dsp_array, s->n_out);
        assert_true(in && out && in_data && out_data);
        for (uint32_t i = 0; i < s->n_in; i++) {
            in[i] = g->values[s->in[i]].name;
            in_data[i] = store[s->in[i]];
            assert_non_null(in_data[i].data); /* made before */
        }
        for (uint32_t i = 0; i < s->n_out; i++)
            out[i] = g->values[s->out[i]].name;
        if (dsp_session_create_file(&session, ort, files->segment_path[k], 1, 0, &err) != DSP_OK ||
            dsp_session_run(session, in, in_data, s->n_in, out, out_data, s->n_out, &err) != DSP_OK)
            fail_msg("segment %u: %s", k, err.msg);
        for (uint32_t i = 0; i < s->n_out; i++) {
            const dsp_value *v = &g->values[s->out[i]];
            assert_int_equal(out_data[i].dtype, v->dtype);
            assert_true(v->rank < 0 || (uint32_t)v->rank == out_data[i].rank);
            for (int32_t d = 0; d < v->rank; d++)
                assert_true(v->dims[d] < 0 || v->dims[d] == out_data[i].dims[d]);
            dsp_array_release(&store[s->out[i]]);
            store[s->out[i]] = out_data[i];
        }
        dsp_session_free(session);
        dsp_free(in);
        dsp_free(out);
        dsp_free(in_data);
        dsp_free(out_data);
    }
}

/* The whole file in ONNX Runtime: every output, on the values of store. */
static inline dsp_status run_whole(const dsp_graph *g, const char *path, dsp_ort *ort, const dsp_array *store, dsp_array *out, dsp_err *err)
{
    dsp_session *session;
    const char **in = DSP_NEW_N(const char *, g->n_inputs), **names = DSP_NEW_N(const char *, g->n_outputs);
    dsp_array   *data = DSP_NEW_N(dsp_array, g->n_inputs);
    assert_true(in && names && data);
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        in[i] = g->values[g->inputs[i]].name;
        data[i] = store[g->inputs[i]];
    }
    for (uint32_t i = 0; i < g->n_outputs; i++)
        names[i] = g->values[g->outputs[i]].name;
    dsp_status s = dsp_session_create_file(&session, ort, path, 1, 0, err);
    if (s == DSP_OK) {
        s = dsp_session_run(session, in, data, g->n_inputs, names, out, g->n_outputs, err);
        dsp_session_free(session);
    }
    dsp_free(in);
    dsp_free(names);
    dsp_free(data);
    return s;
}

static inline bool same_bytes(const dsp_array *a, const dsp_array *b)
{
    return a->dtype == b->dtype && a->rank == b->rank && !memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) && a->bytes == b->bytes &&
           (!a->bytes || !memcmp(a->data, b->data, a->bytes));
}

#endif
