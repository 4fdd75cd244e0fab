/* A model from its file to integers: load, plan, calibrate, choose a record, lower, execute all segments. */
#ifndef DSP_TESTS_CHAIN_H
#define DSP_TESTS_CHAIN_H

#include <math.h>
#include <stdio.h>

#include <jansson.h>

#include "circuit/exec.h"
#include "lower/lower.h"
#include "unit/test.h"

typedef struct {
    dsp_graph       *g;
    dsp_plan        *p;
    dsp_calibration *c;
    dsp_record      *r;
    dsp_circuits    *k;
    dsp_arena       *a;
    dsp_precision_row rows[DSP_N_PRECISIONS];
} chain;

static inline dsp_ort *chain_ort(void)
{
    static dsp_ort *o;
    const char     *set = getenv("DSPERSE_ORT");
    const char     *names[] = {set ? set : DSP_SOURCE_DIR "/deps/onnxruntime/libonnxruntime.so",
                               DSP_SOURCE_DIR "/deps/onnxruntime/onnxruntime/capi/libonnxruntime.so.1.32.0", "libonnxruntime.so", NULL};
    dsp_err         err = {0};
    if (!o && dsp_ort_open(&o, names, &err) != DSP_OK) {
        print_message("SKIPPED, no ONNX Runtime: %s\n", err.msg);
        o = NULL;
    }
    return o;
}

static inline void chain_release(chain *x)
{
    dsp_circuits_free(x->k);
    dsp_record_free(x->r);
    dsp_calibration_free(x->c);
    dsp_plan_free(x->p);
    dsp_graph_free(x->g);
    dsp_arena_free(x->a);
    *x = (chain){0};
}

#define CHAIN_OK(e)                                            \
    do {                                                       \
        err.msg[0] = 0;                                        \
        if ((e) != DSP_OK)                                     \
            fail_msg("%s: %s", #e, err.msg);                   \
    } while (0)

static inline void chain_load(chain *x, const char *path)
{
    dsp_err err;
    *x = (chain){.a = dsp_arena_create(0)};
    CHAIN_OK(dsp_graph_load(&x->g, path, NULL, 0, &err));
    CHAIN_OK(dsp_graph_infer(x->g, chain_ort(), &err));
    CHAIN_OK(dsp_plan_make(&x->p, x->g, NULL, 0, true, &err));
}

static inline size_t chain_count(const dsp_value *v)
{
    size_t n = 1;
    for (int32_t i = 0; i < v->rank; i++)
        n *= (size_t)v->dims[i];
    return n;
}

/* Inputs from input.json: one flat list per graph input. */
static inline dsp_array *chain_json(chain *x, const char *path)
{
    json_t    *root = json_load_file(path, 0, NULL), *lists = json_object_get(root, "input_data");
    dsp_array *in = DSP_ARENA_N(x->a, dsp_array, x->g->n_inputs);
    assert_non_null(lists);
    for (uint32_t i = 0; i < x->g->n_inputs; i++) {
        const dsp_value *v = &x->g->values[x->g->inputs[i]];
        json_t          *list = json_array_get(lists, i);
        float           *f = DSP_ARENA_N(x->a, float, json_array_size(list));
        assert_int_equal(v->dtype, DSP_DT_FLOAT);
        assert_int_equal(json_array_size(list), chain_count(v));
        for (size_t j = 0; j < json_array_size(list); j++)
            f[j] = (float)json_number_value(json_array_get(list, j));
        in[i] = (dsp_array){.dtype = v->dtype, .rank = (uint32_t)v->rank, .count = chain_count(v), .bytes = chain_count(v) * sizeof *f, .data = f};
        memcpy(in[i].dims, v->dims, sizeof in[i].dims);
    }
    json_decref(root);
    return in;
}

/* Inputs drawn from lo .. hi; n sets. */
static inline dsp_array *chain_random(chain *x, size_t n, double lo, double hi, uint64_t seed)
{
    dsp_array *in = DSP_ARENA_N(x->a, dsp_array, n * x->g->n_inputs);
    for (size_t i = 0; i < n * x->g->n_inputs; i++) {
        const dsp_value *v = &x->g->values[x->g->inputs[i % x->g->n_inputs]];
        float           *f = DSP_ARENA_N(x->a, float, chain_count(v));
        for (size_t j = 0; j < chain_count(v); j++)
            f[j] = (float)(lo + (hi - lo) * (double)(test_next(&seed) >> 11) * 0x1p-53);
        in[i] = (dsp_array){.dtype = v->dtype, .rank = (uint32_t)v->rank, .count = chain_count(v), .bytes = chain_count(v) * sizeof *f, .data = f};
        memcpy(in[i].dims, v->dims, sizeof in[i].dims);
    }
    return in;
}

/* Largest difference between the integer outputs of sample k and its float outputs, over the output's largest value. */
static inline double chain_execute(chain *x, uint32_t k, bool columns)
{
    dsp_err   err;
    int64_t **cells = dsp_arena_alloc(x->a, x->g->n_values, sizeof *cells);
    for (uint32_t i = 0; i < x->g->n_inputs; i++) {
        const uint32_t     v = x->g->inputs[i];
        const dsp_qtensor *q = dsp_record_find(x->r, x->g->values[v].name);
        if (!q)
            continue;
        cells[v] = DSP_ARENA_N(x->a, int64_t, dsp_cells(q->layout.dims));
        CHAIN_OK(dsp_quantise(cells[v], &x->c->inputs[(size_t)k * x->g->n_inputs + i], q, &err));
    }
    for (uint32_t s = 0; s < x->p->n_segments; s++) {
        const dsp_segment_plan *sp = &x->p->segments[s];
        const dsp_key          *key = x->k->segments[s].key;
        dsp_witness            *w = NULL;
        assert_non_null(key);
        const int64_t **in = dsp_arena_alloc(x->a, key->n_tensors, sizeof *in);
        for (uint32_t pass = 0; pass < 2; pass++) {
            for (uint32_t i = 0; i < (pass ? sp->n_out : sp->n_in); i++) {
                const uint32_t v = pass ? sp->out[i] : sp->in[i];
                const char    *name = dsp_lower_tensor_name(x->g, v, x->a);
                for (uint32_t t = 0; t < key->n_tensors; t++)
                    if (strcmp(key->tensors[t].name, name) == 0) {
                        if (pass) {
                            cells[v] = DSP_ARENA_N(x->a, int64_t, dsp_cells(key->tensors[t].dims));
                            memcpy(cells[v], w->cells[t], dsp_cells(key->tensors[t].dims) * sizeof(int64_t));
                        } else
                            in[t] = cells[v];
                    }
            }
            if (!pass)
                CHAIN_OK(dsp_execute(&w, x->k->segments[s].D, in, columns, NULL, &err));
        }
        if (columns)
            CHAIN_OK(dsp_witness_count(w, &err));
        dsp_witness_free(w);
    }
    double worst = 0;
    for (uint32_t i = 0; i < x->g->n_outputs; i++) {
        const uint32_t     v = x->g->outputs[i];
        const dsp_array   *want = &x->c->outputs[(size_t)k * x->g->n_outputs + i];
        const dsp_qtensor *q = dsp_record_find(x->r, x->g->values[v].name);
        assert_non_null(q);
        assert_non_null(cells[v]);
        assert_int_equal(want->count, dsp_cells(q->layout.dims));
        float *got = DSP_ARENA_N(x->a, float, want->count);
        dsp_dequantise(got, cells[v], q);
        double most = 0, diff = 0;
        for (size_t j = 0; j < want->count; j++) {
            most = fmax(most, fabs(dsp_array_f64(want, j)));
            diff = fmax(diff, fabs(dsp_array_f64(want, j) - (double)got[j]));
        }
        worst = fmax(worst, most > 0 ? diff / most : diff);
    }
    return worst;
}

#endif
