/* The executor against plain loops, its limits, and multiplicities. */
#include "circuit/exec.h"

#include "base/cpu.h"
#include "circuit/conv.h"
#include "unit/circuit/sample.h"

static void plain_conv(int64_t *acc, const int64_t *x, const uint32_t xd[3], const uint32_t od[3], const dsp_weight *w, const dsp_term *t)
{
    const int64_t cg = w->dims[1], og = w->dims[0] / (xd[0] / cg);
    for (int64_t o = 0; o < od[0]; o++)
        for (int64_t y = 0; y < od[1]; y++)
            for (int64_t z = 0; z < od[2]; z++)
                for (int64_t c = 0; c < cg; c++)
                    for (int64_t a = 0; a < w->dims[2]; a++)
                        for (int64_t b = 0; b < w->dims[3]; b++) {
                            const int64_t i = y * t->stride[0] + a * t->dil[0] - t->pad[0], j = z * t->stride[1] + b * t->dil[1] - t->pad[1];
                            if (i >= 0 && i < xd[1] && j >= 0 && j < xd[2])
                                acc[(o * od[1] + y) * od[2] + z] += w->v[((o * cg + c) * w->dims[2] + a) * w->dims[3] + b] *
                                                                     x[((o / og * cg + c) * xd[1] + i) * xd[2] + j];
                        }
}

static void test_convolutions(void **state)
{
    (void)state;
    /* x: C H W; out: O H W; cg kh kw; stride, pad, dilation per axis; |x|, |w| */
    static const struct { uint32_t x[3], o[3], k[3], s[2], p[2], d[2]; int64_t xm, wm; } list[] = {
        {{2, 6, 6}, {3, 6, 6}, {2, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 8, 7},
        {{4, 9, 8}, {6, 5, 4}, {2, 3, 2}, {2, 2}, {1, 0}, {1, 2}, 127, 127},
        {{5, 7, 11}, {5, 4, 12}, {1, 3, 3}, {2, 1}, {1, 2}, {1, 1}, 32767, 32767},
        {{3, 20, 20}, {9, 20, 20}, {3, 5, 5}, {1, 1}, {2, 2}, {1, 1}, 1 << 20, 1 << 20},
        {{3, 20, 20}, {9, 20, 20}, {3, 5, 5}, {1, 1}, {2, 2}, {1, 1}, INT32_MAX, 50},
        {{6, 5, 5}, {4, 1, 1}, {6, 5, 5}, {1, 1}, {0, 0}, {1, 1}, 100, 100},
        {{6, 5, 5}, {4, 1, 2}, {3, 5, 4}, {1, 1}, {0, 0}, {1, 1}, 100, 100},
        {{3, 6, 6}, {4, 6, 6}, {3, 1, 1}, {1, 1}, {0, 0}, {1, 1}, (int64_t)1 << 40, 1 << 16},
        {{40, 3, 17}, {17, 3, 17}, {40, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 255, 127},
        {{1, 4, 4}, {2, 6, 6}, {1, 2, 2}, {1, 1}, {9, 9}, {3, 3}, 5, 5},
    };
    dsp_pool *pool = dsp_pool_create(3);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        for (int known = 0; known < 2; known++) {
            dsp_arena    *a = dsp_arena_create(0);
            dsp_err       err = {0};
            dsp_weight    w = weight(a, "w", list[i].o[0], list[i].k[0], list[i].k[1], list[i].k[2], list[i].wm, 5 + i);
            const dsp_term t = {.stride = {list[i].s[0], list[i].s[1]}, .pad = {list[i].p[0], list[i].p[1]}, .dil = {list[i].d[0], list[i].d[1]}};
            const size_t  n = (size_t)dsp_cells(list[i].o);
            int64_t      *x = numbers(a, (size_t)dsp_cells(list[i].x), -list[i].xm, list[i].xm, 77 + i);
            int64_t      *want = numbers(a, n, -9, 9, 3), *got = numbers(a, n, -9, 9, 3);
            x[0] = -list[i].xm;
            plain_conv(want, x, list[i].x, list[i].o, &w, &t);
            assert_int_equal(dsp_conv_run(got, x, list[i].x, list[i].o, &w, &t, known ? (uint64_t)list[i].xm : UINT64_MAX, known ? pool : NULL, &err), DSP_OK);
            assert_memory_equal(got, want, n * sizeof *got);
            dsp_arena_free(a);
        }
    dsp_pool_free(pool);
}

/* Every variant this machine can run against the portable one, at the largest values that each kernel promises. */
static void test_gemm_variants(void **state)
{
    (void)state;
    const dsp_gemm *v[2] = {&dsp_gemm_portable, dsp_gemm_best()};
    enum { K = 37 };
    dsp_arena *a = dsp_arena_create(0);
    for (int wide = 0; wide < 2; wide++) {
        const int64_t most = wide ? 1 << 28 : 7000; /* 37 * 7000^2 < 2^31, 37 * 2^56 < 2^63 */
        int32_t       w[4 * K], p[16 * K];
        uint64_t      seed = 1;
        for (int i = 0; i < 4 * K; i++)
            w[i] = (int32_t)draw(&seed, -most, most);
        for (int i = 0; i < 16 * K; i++)
            p[i] = (int32_t)draw(&seed, -most, most);
        for (unsigned rows = 1; rows <= 4; rows++)
            for (unsigned cols = 1; cols <= 16; cols++) {
                int64_t got[2][4 * 20], want[4 * 20];
                for (int i = 0; i < 80; i++)
                    got[0][i] = got[1][i] = want[i] = i;
                for (unsigned r = 0; r < rows; r++)
                    for (unsigned j = 0; j < cols; j++)
                        for (int k = 0; k < K; k++)
                            want[20 * r + j] += (int64_t)w[4 * k + r] * p[16 * k + j];
                for (int i = 0; i < 2; i++) {
                    (wide ? v[i]->mul64 : v[i]->mul32)(got[i], 20, w, p, K, rows, cols);
                    assert_memory_equal(got[i], want, sizeof want);
                }
            }
    }
    dsp_arena_free(a);
}

static void test_views(void **state)
{
    (void)state;
    dsp_arena     *a = dsp_arena_create(0);
    const uint32_t xd[3] = {3, 4, 5}, od[3] = {2, 3, 4};
    const int64_t *x = numbers(a, 60, -50, 50, 4);
    const dsp_view v = {0, {1, 2, 2}, {1, -1, -2}};
    int64_t        out[24];
    dsp_view_cells(out, x, xd, od, &v, 99);
    for (int c = 0; c < 2; c++)
        for (int y = 0; y < 3; y++)
            for (int z = 0; z < 4; z++) {
                const int i = c + 1, j = 2 * y - 1, k = 2 * z - 2;
                const bool in = i < 3 && j >= 0 && j < 4 && k >= 0 && k < 5;
                assert_int_equal(out[(c * 3 + y) * 4 + z], in ? x[(i * 4 + j) * 5 + k] : 99);
            }
    dsp_arena_free(a);
}

typedef struct { dsp_key *k; dsp_derived *D; const int64_t *in[N_TENSORS]; } fixture;

static fixture make(void)
{
    fixture f = {.k = sample_key()};
    dsp_err err = {0};
    assert_int_equal(dsp_key_seal(f.k, &err), DSP_OK);
    assert_int_equal(dsp_derive(&f.D, f.k, &err), DSP_OK);
    f.in[X] = numbers(f.k->arena, 32, -8, 7, 21);
    f.in[Z] = numbers(f.k->arena, 16, -4, -1, 22);
    return f;
}

static void drop(fixture *f)
{
    dsp_derived_free(f->D);
    dsp_key_free(f->k);
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && a < 0); }

/* The sample program by hand: every tensor, every column, every multiplicity. */
static void test_program(void **state)
{
    (void)state;
    fixture      f = make();
    dsp_witness *w;
    dsp_err      err = {0};
    int64_t      acc[32] = {0}, h[32], u[32], v[32], rem[32], p[16], g[16], fr[16], y[3] = {0};
    uint64_t     saturated = 0;
    if (dsp_execute(&w, f.D, f.in, true, NULL, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    plain_conv(acc, f.in[X], f.k->tensors[X].dims, f.k->tensors[H].dims, &f.k->weights[W_CONV], &f.k->ops[O_CONV].terms[0]);
    for (int i = 0; i < 32; i++) {
        const int64_t t = 3 * (acc[i] + f.k->weights[W_BIAS].v[i / 16]), wide = floor_div(t + 8, 16);
        h[i] = wide < 0 ? 0 : wide > 15 ? 15 : wide;
        u[i] = wide > 15 ? wide - 15 : 0;
        v[i] = wide < 0 ? -wide : 0;
        rem[i] = t + 8 - 16 * wide;
        saturated += u[i] > 0;
    }
    assert_true(saturated > 0);
    assert_true(w->saturated == saturated);
    for (int i = 0; i < 16; i++) {
        p[i] = h[2 * i] > h[2 * i + 1] ? h[2 * i] : h[2 * i + 1];
        const int64_t t = 8 * (p[i] + 2 * f.in[Z][i]);
        g[i] = floor_div(t + 8, 16);
        fr[i] = g[i] < 0 ? 0 : g[i];
    }
    plain_conv(y, fr, f.k->tensors[F].dims, f.k->tensors[Y].dims, &f.k->weights[W_FC], &f.k->ops[O_FC].terms[0]);
    assert_memory_equal(w->cells[H], h, sizeof h);
    assert_memory_equal(w->cells[P], p, sizeof p);
    assert_memory_equal(w->cells[G], g, sizeof g);
    assert_memory_equal(w->cells[F], fr, sizeof fr);
    assert_memory_equal(w->cells[Y], y, sizeof y);
    assert_memory_equal(w->cells[f.D->op_side[O_CONV][0]], u, sizeof u);
    assert_memory_equal(w->cells[f.D->op_side[O_CONV][1]], v, sizeof v);
    assert_memory_equal(w->column[f.D->segs[f.D->ranges[f.D->op_range[O_CONV][DSP_R_REM]].seg0].col0], rem, sizeof rem);
    /* two limbs make u; the table columns are g and f */
    const dsp_range *ru = &f.D->ranges[f.D->op_range[O_CONV][DSP_R_U]];
    for (int i = 0; i < 32; i++)
        assert_int_equal(w->cells[ru->limb0][i] + 16 * w->column[f.D->segs[ru->seg0 + 1].col0][i], u[i]);
    assert_ptr_equal(w->column[f.D->segs[f.D->op_seg[O_ACT]].col0], w->cells[G]);
    assert_int_equal(dsp_witness_count(w, &err), DSP_OK);
    int64_t cells = 0, total = 0;
    for (uint32_t s = 0; s < f.D->n_segs; s++)
        cells += (int64_t)dsp_cells(f.D->segs[s].dims);
    for (uint32_t t = 0; t < f.D->n_used; t++)
        for (size_t r = 0; r < (size_t)1 << f.D->used[t].log2; r++)
            total += w->cells[f.D->used[t].tensor][r];
    assert_int_equal(total, cells);
    int64_t zero = 0;
    for (int i = 0; i < 16; i++)
        zero += g[i] == -1;
    assert_int_equal(w->cells[f.D->used[1].tensor][15], zero); /* row of x = -1 */
    dsp_witness_free(w);
    drop(&f);
}

static void test_refusals(void **state)
{
    (void)state;
    fixture      f = make();
    dsp_witness *w;
    dsp_err      err = {0};
    int64_t     *x = numbers(f.k->arena, 32, 0, 0, 0);
    x[17] = 8;
    f.in[X] = x;
    assert_int_equal(dsp_execute(&w, f.D, f.in, true, NULL, &err), DSP_E_RANGE);
    assert_non_null(strstr(err.msg, "boundary 'x', cell 17: -8 to 7 expected"));
    assert_null(strstr(err.msg, "found")); /* boundaries are private */
    assert_null(w);
    f.in[X] = NULL;
    assert_int_equal(dsp_execute(&w, f.D, f.in, false, NULL, &err), DSP_E_ARG);
    assert_non_null(strstr(err.msg, "no cells for 'x'"));
    x[17] = 7;
    f.in[X] = x;
    /* conv1 without room above */
    f.k->weights[W_BIAS].count = 2;
    for (int i = 0; i < 2; i++)
        ((int64_t *)(uintptr_t)f.k->weights[W_BIAS].v)[i] = 400;
    dsp_op *o = &f.k->ops[O_CONV];
    o->u.n = 0;
    dsp_derived_free(f.D);
    assert_int_equal(dsp_derive(&f.D, f.k, &err), DSP_OK);
    assert_int_equal(dsp_execute(&w, f.D, f.in, false, NULL, &err), DSP_E_BUG);
    assert_non_null(strstr(err.msg, "no saturation on that side"));
    o->u.n = 1;
    dsp_derived_free(f.D);
    assert_int_equal(dsp_derive(&f.D, f.k, &err), DSP_OK);
    assert_int_equal(dsp_execute(&w, f.D, f.in, true, NULL, &err), DSP_E_BUG);
    assert_non_null(strstr(err.msg, "saturates beyond 2^4"));
    o->u.n = 2;
    /* a table that lacks a row */
    dsp_derived_free(f.D);
    assert_int_equal(dsp_derive(&f.D, f.k, &err), DSP_OK);
    for (int i = 0; i < 64; i++)
        ((int64_t *)(uintptr_t)f.k->tables[1].pairs)[i] = 1;
    assert_int_equal(dsp_execute(&w, f.D, f.in, true, NULL, &err), DSP_E_BUG);
    assert_non_null(strstr(err.msg, "in no row of its table"));
    drop(&f);
}

/* A claimed public output stays as it is; where it is requantised, the remainder leaves its range as a field element. */
static void test_claimed_output(void **state)
{
    (void)state;
    fixture      f = make();
    dsp_witness *w, *honest;
    dsp_err      err = {0};
    int64_t      y[3] = {1, 2, 3};
    f.in[Y] = y;
    assert_int_equal(dsp_execute(&w, f.D, f.in, true, NULL, &err), DSP_OK);
    assert_memory_equal(w->cells[Y], y, sizeof y);
    dsp_witness_free(w);
    y[0] = 100001;
    assert_int_equal(dsp_execute(&w, f.D, f.in, true, NULL, &err), DSP_E_RANGE);
    y[0] = 1;
    dsp_op *o = &f.k->ops[O_FC];
    o->s = 4;
    o->rem = (dsp_limbs){1, {4}};
    dsp_derived_free(f.D);
    assert_int_equal(dsp_derive(&f.D, f.k, &err), DSP_OK);
    f.in[Y] = NULL;
    assert_int_equal(dsp_execute(&honest, f.D, f.in, true, NULL, &err), DSP_OK);
    f.in[Y] = y;
    assert_int_equal(dsp_execute(&w, f.D, f.in, true, NULL, &err), DSP_OK);
    const uint32_t c = f.D->segs[f.D->ranges[f.D->op_range[O_FC][DSP_R_REM]].seg0].col0;
    assert_null(honest->column_fe[c]);
    assert_non_null(w->column_fe[c]);
    for (int i = 0; i < 3; i++) {
        const int64_t want = honest->column[c][i] + 16 * (honest->cells[Y][i] - y[i]);
        assert_true(w->column_fe[c][i].v == dsp_fe_from_i64(want).v);
    }
    assert_int_equal(dsp_witness_count(w, &err), DSP_OK);
    dsp_witness_free(w);
    dsp_witness_free(honest);
    drop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions), cmocka_unit_test(test_gemm_variants), cmocka_unit_test(test_views),
        cmocka_unit_test(test_program),      cmocka_unit_test(test_refusals),      cmocka_unit_test(test_claimed_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
