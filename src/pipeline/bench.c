/* bench: medians of pipeline stages on a model, and of the kernels that the prover's time goes into. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "pcs/code.h"
#include "pcs/merkle.h"
#include "pipeline/bench.h"
#include "pipeline/paths.h"
#include "pipeline/runfiles.h"
#include "proto/fraction.h"
#include "proto/inner.h"

typedef struct {
    unsigned                 repeats;
    dsp_pool                *pool;
    const dsp_field_kernels *fk;
    dsp_ntt                 *ntt;
    dsp_arena               *arena;
    json_t                  *rows;
} bench;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One row: the median of the times, and how many units of work one run does. */
static void add(json_t *rows, const char *name, double *seconds, unsigned n, double units, const char *unit)
{
    json_t *o = json_object();
    qsort(seconds, n, sizeof *seconds, by_value);
    const double median = seconds[n / 2];
    dsp_json_put(o, "name", json_string(name));
    dsp_json_put(o, "seconds", json_real(median));
    dsp_json_put(o, "fastest", json_real(seconds[0]));
    dsp_json_put(o, "repeats", json_integer(n));
    if (units > 0) {
        dsp_json_put(o, "units", json_real(units));
        dsp_json_put(o, "unit", json_string(unit));
        dsp_json_put(o, "ns_per_unit", json_real(median * 1e9 / units));
    }
    json_array_append_new(rows, o);
}

typedef void kernel_fn(bench *b, void *arg);
enum { MAX_REPEATS = 101 };

static void measure(bench *b, const char *name, double units, const char *unit, kernel_fn *fn, void *arg)
{
    double t[MAX_REPEATS];
    fn(b, arg);
    for (unsigned i = 0; i < b->repeats; i++) {
        const uint64_t t0 = dsp_clock_ns();
        fn(b, arg);
        t[i] = (double)(dsp_clock_ns() - t0) / 1e9;
    }
    add(b->rows, name, t, b->repeats, units, unit);
}

/* ---- kernels ---- */

enum { LOG_N = 16, N = 1 << LOG_N, LOG_CODE = 13, ROWS = 64 };

typedef struct { dsp_fe *f, *rows; dsp_ke *k, *w, *copy; uint8_t *cols; dsp_digest *d; uint8_t *salts; dsp_fe sink; dsp_row row[ROWS]; } data;

static void k_mul(bench *b, void *arg)
{
    data  *d = arg;
    dsp_fe x = d->f[0];
    (void)b;
    for (size_t i = 0; i < N; i++)
        x = dsp_fe_add(dsp_fe_mul(x, d->f[i]), d->f[N - 1 - i]);
    d->sink = x;
}
static void k_dot(bench *b, void *arg)
{
    data        *d = arg;
    const dsp_ke r = b->fk->ke_dot(d->k, d->w, N);
    d->sink = r.a;
}
static void k_fold(bench *b, void *arg)
{
    data *d = arg;
    b->fk->ke_fold(d->copy, d->k, d->w, N, d->k[3]);
}
static void k_ntt(bench *b, void *arg)
{
    data *d = arg;
    memcpy(d->rows, d->f, N * sizeof *d->f);
    dsp_ntt_forward(b->ntt, d->rows, LOG_N);
}
static void k_nodes(bench *b, void *arg)
{
    data *d = arg;
    (void)b;
    dsp_hash_nodes(d->d, d->d + N / 8, N / 16);
}
static void k_leaves(bench *b, void *arg)
{
    data *d = arg;
    (void)b;
    dsp_hash_leaves(d->d, DSP_TREE_A, 1 << LOG_CODE, 0, 1 << LOG_CODE, d->salts, d->cols, ROWS * 8);
}
static void k_commit(bench *b, void *arg)
{
    data          *d = arg;
    dsp_tree       t;
    const dsp_mark m = dsp_arena_mark(b->arena);
    if (dsp_code_columns(d->cols, ROWS * 8, d->row, ROWS, b->ntt, LOG_CODE, b->arena, b->pool, NULL) == DSP_OK &&
        dsp_tree_build(&t, b->arena, b->pool, DSP_TREE_A, 1 << LOG_CODE, ROWS * 8, d->cols, d->salts, NULL) == DSP_OK)
        d->sink.v = t.root.b[0];
    dsp_arena_rewind(b->arena, m);
}
static void k_open(bench *b, void *arg)
{
    data          *d = arg;
    dsp_inner      s;
    dsp_ke         v[2];
    const dsp_mark m = dsp_arena_mark(b->arena);
    if (dsp_inner_init(&s, b->arena, LOG_N, N, b->fk, NULL) == DSP_OK) {
        memcpy(s.F, d->f, N * sizeof *s.F);
        memcpy(s.W, d->w, N * sizeof *s.W);
        for (unsigned i = 0; i < LOG_N; i++) {
            dsp_inner_round(&s, v);
            dsp_inner_bind(&s, v[0]);
        }
        d->sink = v[1].a;
    }
    dsp_arena_rewind(b->arena, m);
}
static void k_fraction(bench *b, void *arg)
{
    data          *d = arg;
    dsp_fraction   f;
    dsp_ke         s[2], xi[LOG_N];
    const dsp_mark m = dsp_arena_mark(b->arena);
    if (dsp_fraction_init(&f, b->arena, LOG_N, b->fk, NULL) == DSP_OK) {
        memcpy(f.leaf_p, d->f, N * sizeof *f.leaf_p);
        memcpy(f.leaf_q, d->k, N * sizeof *f.leaf_q);
        dsp_fraction_build(&f, b->pool);
        for (unsigned j = 1; j <= LOG_N; j++) {
            memcpy(xi, d->w, sizeof xi);
            dsp_fraction_layer(&f, j, xi, d->k[j]);
            for (unsigned r = 0; r + 1 < j; r++) {
                dsp_fraction_round(&f, s, b->pool);
                dsp_fraction_bind(&f, d->w[r], b->pool);
            }
        }
        d->sink = s[0].a;
    }
    dsp_arena_rewind(b->arena, m);
}

static dsp_status kernels(bench *b, json_t *report, dsp_err *err)
{
    dsp_rand          rnd;
    static const uint8_t seed[32] = {1};
    data              d = {0};
    const size_t      cols = (size_t)ROWS * 8 << LOG_CODE, leaves = (size_t)1 << LOG_CODE;
    b->arena = dsp_arena_create(0);
    b->ntt = dsp_ntt_create(LOG_N);
    if (!b->arena || !b->ntt || !(d.f = DSP_ARENA_N(b->arena, dsp_fe, N)) || !(d.rows = DSP_ARENA_N(b->arena, dsp_fe, N)) ||
        !(d.k = DSP_ARENA_N(b->arena, dsp_ke, N)) || !(d.w = DSP_ARENA_N(b->arena, dsp_ke, N)) || !(d.copy = DSP_ARENA_N(b->arena, dsp_ke, N)) ||
        !(d.cols = DSP_ARENA_N(b->arena, uint8_t, cols)) || !(d.d = DSP_ARENA_N(b->arena, dsp_digest, N)) ||
        !(d.salts = DSP_ARENA_N(b->arena, uint8_t, 16 * leaves)))
        return dsp_fail(err, DSP_E_NOMEM, "no memory for the kernels' data");
    dsp_rand_begin(&rnd, seed);
    dsp_rand_end(&rnd);
    dsp_rand_fe(&rnd, d.f, N, DSP_L_TAIL, 0);
    dsp_rand_ke(&rnd, d.k, N, DSP_L_PAD, 0);
    dsp_rand_ke(&rnd, d.w, N, DSP_L_PAD, 1);
    for (size_t i = 0; i < ROWS; i++)
        d.row[i] = (dsp_row){d.f + i * 512, (size_t)1 << (LOG_CODE - 2)};
    b->rows = json_array();
    measure(b, "field: dependent multiply-add, F", N, "operation", k_mul, &d);
    measure(b, "field: inner product, K", N, "product", k_dot, &d);
    measure(b, "sumcheck: fold, K", N, "element", k_fold, &d);
    measure(b, "transform: forward, 2^16", N, "element", k_ntt, &d);
    measure(b, "hash: nodes", N / 16, "node", k_nodes, &d);
    measure(b, "hash: leaves of 512 bytes", (double)leaves, "leaf", k_leaves, &d);
    measure(b, "commitment: 64 rows of 2048, code length 8192", (double)ROWS * 2048, "cell", k_commit, &d);
    measure(b, "opening: sumcheck of 2^16", N, "cell", k_open, &d);
    measure(b, "fraction tree: build and prove 2^16 leaves", N, "leaf", k_fraction, &d);
    dsp_json_put(report, "kernels", b->rows);
    dsp_json_put(report, "kernel_variant", json_string(b->fk->name));
    b->rows = NULL;
    dsp_rand_wipe(&rnd);
    return DSP_OK;
}

/* ---- stages ---- */

static dsp_status stages(bench *b, dsp_pipe *outer, const char *model, json_t *report, dsp_err *err)
{
    dsp_pipe   quiet = *outer, *p = &quiet;   /* the steps inside show no progress of their own */
    double     t[3][MAX_REPEATS];
    json_t    *rows = json_array(), *r = NULL;
    char      *dir = NULL, *slices = NULL, *root = NULL, *chain = NULL;
    dsp_status s = dsp_find_slices(&slices, model, err);
    uint64_t   bytes = 0;
    if (s != DSP_OK)
        goto done;
    dir = dsp_path_dir(slices);
    root = dir ? dsp_path_join(dir, "bench.tmpXXXXXX") : NULL;
    if (!root || !mkdtemp(root) || !(chain = dsp_path_join(root, "metadata.json"))) {
        s = dsp_fail(err, DSP_E_IO, "%s: cannot make a temporary folder", dir ? dir : "");
        goto done;
    }
    quiet.progress = NULL;
    for (unsigned i = 0; i <= b->repeats && s == DSP_OK; i++) { /* the first round warms up */
        const unsigned           k = i ? i - 1 : 0;
        dsp_pipe_progress(outer, "bench", i, b->repeats + 1, (double)i / (b->repeats + 1), 0);
        const dsp_run_args       ra = {.slices = slices, .run_metadata = chain, .fresh = true};
        const uint64_t           t0 = dsp_clock_ns();
        if ((s = dsp_pipe_run(p, &ra, &r, err)) != DSP_OK)
            break;
        char *run = dsp_strdup(dsp_json_str(r, "run_dir"));
        json_decref(r);
        r = NULL;
        const dsp_prove_run_args pa = {.run = run ? run : "", .no_self_verify = true};
        const dsp_verify_args    va = {.run = run ? run : "", .read_only = true};
        const uint64_t           t1 = dsp_clock_ns();
        s = dsp_pipe_prove(p, &pa, &r, err);
        const uint64_t t2 = dsp_clock_ns();
        bytes = dsp_json_u64(r, "proof_bytes");
        json_decref(r);
        r = NULL;
        if (s == DSP_OK)
            s = dsp_pipe_verify(p, &va, &r, err);
        const uint64_t t3 = dsp_clock_ns();
        json_decref(r);
        r = NULL;
        dsp_free(run);
        t[0][k] = (double)(t1 - t0) / 1e9;
        t[1][k] = (double)(t2 - t1) / 1e9;
        t[2][k] = (double)(t3 - t2) / 1e9;
    }
    outer->ort = p->ort;
    outer->ezkl = p->ezkl;
    if (s == DSP_OK) {
        dsp_pipe_progress(outer, "bench", b->repeats + 1, b->repeats + 1, 1, 0);
        add(rows, "run", t[0], b->repeats, 0, NULL);
        add(rows, "prove", t[1], b->repeats, 0, NULL);
        add(rows, "verify", t[2], b->repeats, 0, NULL);
        dsp_json_put(report, "stages", json_incref(rows));
        dsp_json_put(report, "proof_bytes", json_integer((json_int_t)bytes));
        dsp_json_put(report, "model", json_string(dsp_path_base(dir)));
    }
done:
    if (root)
        dsp_bench_remove(root, 0);
    json_decref(rows);
    json_decref(r);
    dsp_free(dir);
    dsp_free(slices);
    dsp_free(root);
    dsp_free(chain);
    return s;
}

dsp_status dsp_pipe_bench(dsp_pipe *p, const dsp_bench_args *a, json_t **report, dsp_err *err)
{
    bench      b = {.repeats = a->repeats ? a->repeats : 7, .pool = p->pool};
    dsp_status s = DSP_OK;
    *report = dsp_json_head();
    if (b.repeats > MAX_REPEATS)
        return dsp_fail(err, DSP_E_ARG, "at most %d repeats expected, %u given", MAX_REPEATS, b.repeats);
    b.fk = dsp_field_kernels_best(dsp_cpu_bits());
    dsp_json_put(*report, "threads", json_integer(dsp_pool_threads(p->pool)));
    if (a->kernels || (!a->model && !a->backends))
        s = kernels(&b, *report, err);
    if (s == DSP_OK && a->backends)
        s = dsp_bench_backends(p, a, *report, err);
    else if (s == DSP_OK && a->model)
        s = stages(&b, p, a->model, *report, err);
    dsp_json_put(*report, "peak_memory_bytes", json_integer((json_int_t)dsp_peak_rss_bytes()));
    json_decref(b.rows);
    dsp_ntt_free(b.ntt);
    dsp_arena_free(b.arena);
    return s;
}
