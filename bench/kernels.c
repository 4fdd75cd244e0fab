/* Times of the kernels below the protocol, one thread, ns per unit: best of several runs after a warm-up.
 *
 * Build from the root after the libraries: cc -std=c17 -O3 -D_POSIX_C_SOURCE=200809L -Isrc -Iinclude bench/kernels.c
 *     build/libdsp_poly.a build/libdsp_hash.a build/libdsp_field.a build/libdsp_base.a -lpthread -o build/bench_kernels
 */
#include <stdio.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "hash/hash.h"
#include "poly/poly.h"

enum { N = 4096, RUNS = 15 };

typedef struct {
    const dsp_field_kernels *k;
    const dsp_ntt           *t;
    dsp_ke                  *x[6], *out[2];
    dsp_fe                  *f[2];
    dsp_digest              *d;
    unsigned                 m;
    size_t                   n_coef, width;
    dsp_ke                   sink[2];
} env;

/* One row: fn does `reps` passes of `units` units each. */
static void row(const char *name, const char *variant, env *e, void (*fn)(env *), double units)
{
    uint64_t best = UINT64_MAX;
    unsigned reps = 1;
    for (;;) { /* passes that take a millisecond together */
        const uint64_t t = dsp_clock_ns();
        for (unsigned i = 0; i < reps; i++)
            fn(e);
        if (dsp_clock_ns() - t > 1000000)
            break;
        reps *= 2;
    }
    for (int r = 0; r < RUNS; r++) {
        const uint64_t t = dsp_clock_ns();
        for (unsigned i = 0; i < reps; i++)
            fn(e);
        const uint64_t d = dsp_clock_ns() - t;
        best = d < best ? d : best;
    }
    printf("%-34s %-9s %9.2f\n", name, variant, (double)best / reps / units);
}

static void fe_mul(env *e)
{
    for (size_t i = 0; i < N; i++)
        e->f[0][i] = dsp_fe_mul(e->f[0][i], e->f[1][i]);
}
static void ke_mul(env *e)
{
    for (size_t i = 0; i < N; i++)
        e->out[0][i] = dsp_ke_mul(e->x[0][i], e->x[1][i]);
}
static void ke_fold(env *e) { e->k->ke_fold(e->out[0], e->x[0], e->x[1], N, e->x[2][0]); }
static void fe_fold(env *e) { e->k->fe_fold(e->out[0], e->f[0], e->f[1], N, e->x[2][0]); }
static void ke_dot(env *e) { e->sink[0] = e->k->ke_dot(e->x[0], e->x[1], N); }
static void ke_dot_fe(env *e) { e->sink[0] = e->k->ke_dot_fe(e->x[0], e->f[1], N); }
static void ke_axpy(env *e) { e->k->ke_axpy(e->out[0], e->x[1], N, e->x[2][0]); }
static void ke_axpy_fe(env *e) { e->k->ke_axpy_fe(e->out[0], e->f[1], N, e->x[2][0]); }
static void round_fw(env *e) { e->k->round_fw(e->sink, e->x[0], e->x[1], e->x[2], e->x[3], N); }
static void round_fw_fe(env *e) { e->k->round_fw_fe(e->sink, e->f[0], e->f[1], e->x[2], e->x[3], N); }
static void round_frac(env *e)
{
    e->k->round_frac(e->sink, e->x[4], e->x[0], e->x[1], e->x[2], e->x[3], N / 2, N / 2, e->x[5][0]);
}
static void frac_up(env *e) { e->k->frac_up(e->out[0], e->out[1], e->x[0], e->x[1], e->x[2], e->x[3], N); }
static void ntt(env *e) { dsp_ntt_forward(e->t, e->f[0], e->m); }
static void ntt_ke(env *e) { dsp_ntt_forward_ke(e->t, e->x[0], e->m); }
static void encode(env *e) { dsp_rs_encode(e->t, &e->out[0]->a, e->m, e->f[0], e->n_coef, DSP_FE_CONST(1)); }
static void encode_ke(env *e) { dsp_rs_encode_ke(e->t, e->out[0], e->m, e->x[0], e->n_coef, DSP_FE_CONST(7)); }
static void eq_table(env *e) { dsp_eq_table(e->out[0], e->x[0], 12); }
static void leaves(env *e)
{
    dsp_hash_leaves(e->d, 1, 4096, 0, 64, (const uint8_t *)e->x[0], (const uint8_t *)e->x[1], e->width);
}
static void nodes(env *e) { dsp_hash_nodes(e->d, (const dsp_digest *)e->x[0], 1024); }
static void one_sha(env *e) { e->d[0] = dsp_sha256(e->x[0], 65536); }
static void stream(env *e)
{
    dsp_rand r;
    dsp_rand_begin(&r, (const uint8_t *)e->x[0]);
    dsp_rand_end(&r);
    dsp_rand_fe(&r, e->f[0], N, DSP_L_PAD, 0);
}

int main(void)
{
    env      e = {.t = dsp_ntt_create(14)};
    uint64_t s = 1;
    e.d = DSP_NEW_N(dsp_digest, 4096);
    for (int i = 0; i < 8; i++) {
        dsp_ke *p = DSP_NEW_N(dsp_ke, (size_t)1 << 14);
        if (!p || !e.t || !e.d)
            return 1;
        for (size_t j = 0; j < (size_t)1 << 14; j++) {
            s = s * UINT64_C(6364136223846793005) + 1;
            p[j] = (dsp_ke){dsp_fe_from_u64(s), dsp_fe_from_u64(s * s)};
        }
        *(i < 6 ? &e.x[i] : &e.out[i - 6]) = p;
    }
    for (int i = 0; i < 2; i++) {
        e.f[i] = DSP_NEW_N(dsp_fe, (size_t)1 << 14);
        if (!e.f[i])
            return 1;
        for (size_t j = 0; j < (size_t)1 << 14; j++)
            e.f[i][j] = e.x[i][j].b;
    }
    printf("%-34s %-9s %9s\n", "what, unit", "variant", "ns/unit");
    row("product in F, independent", "", &e, fe_mul, N);
    row("product in K", "", &e, ke_mul, N);
    for (e.k = dsp_field_kernels_all(); e.k->name; e.k++) {
        if (e.k->cpu_bits & ~dsp_cpu_bits())
            continue;
        row("ke_fold, element out", e.k->name, &e, ke_fold, N);
        row("fe_fold, element out", e.k->name, &e, fe_fold, N);
        row("ke_dot, product", e.k->name, &e, ke_dot, N);
        row("ke_dot_fe, product", e.k->name, &e, ke_dot_fe, N);
        row("ke_axpy, element", e.k->name, &e, ke_axpy, N);
        row("ke_axpy_fe, element", e.k->name, &e, ke_axpy_fe, N);
        row("round_fw, pair", e.k->name, &e, round_fw, N);
        row("round_fw_fe, pair", e.k->name, &e, round_fw_fe, N);
        row("round_frac, pair", e.k->name, &e, round_frac, N / 2.0);
        row("frac_up, node", e.k->name, &e, frac_up, N);
    }
    for (e.m = 10; e.m <= 14; e.m += 2) {
        char name[64];
        const double n = (double)((size_t)1 << e.m);
        snprintf(name, sizeof name, "transform of 2^%u in F, element", e.m);
        row(name, "", &e, ntt, n);
        snprintf(name, sizeof name, "transform of 2^%u in K, element", e.m);
        row(name, "", &e, ntt_ke, n);
        e.n_coef = ((size_t)1 << e.m) / 4 + 100;
        snprintf(name, sizeof name, "code n = 2^%u, k = n/4 + 100, F", e.m);
        row(name, "", &e, encode, n);
        snprintf(name, sizeof name, "code n = 2^%u, k = n/4 + 100, K", e.m);
        row(name, "", &e, encode_ke, n);
        e.n_coef = ((size_t)1 << e.m) / 8;
        snprintf(name, sizeof name, "code n = 2^%u, k = n/8, F", e.m);
        row(name, "", &e, encode, n);
    }
    row("eq table of 2^12, element", "", &e, eq_table, 4096);
    e.width = 8 * 64;
    row("leaf of 64 words", "", &e, leaves, 64);
    e.width = 8 * 8;
    row("leaf of 8 words", "", &e, leaves, 64);
    row("node", "", &e, nodes, 1024);
    row("SHA-256 of 64 KiB, byte", "", &e, one_sha, 65536);
    row("random element of F", "", &e, stream, N);
    for (int i = 0; i < 6; i++)
        dsp_free(e.x[i]);
    for (int i = 0; i < 2; i++) {
        dsp_free(e.out[i]);
        dsp_free(e.f[i]);
    }
    dsp_free(e.d);
    dsp_ntt_free((dsp_ntt *)(uintptr_t)e.t);
    return 0;
}
