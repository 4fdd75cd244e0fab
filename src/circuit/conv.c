/* A convolution as blocks of a matrix product: for a block of output cells the inputs under every tap are laid side by side
 * (a panel), then every four output channels walk over it. Few output cells (fully connected layers) are dot products. */
#include "circuit/conv.h"

#include <string.h>

enum { ROWS = 4, COLS = 16, PANEL_CELLS = 1 << 16, MAX_BLOCKS = 16, FEW = 4 };

typedef struct {
    int64_t          *acc;
    const int64_t    *x;
    const uint32_t   *xd, *od;
    const dsp_weight *w;
    const dsp_term   *t;
    size_t            cg, og, groups, K, N, blocks, per_item;
    const int32_t    *packed;   /* per group and 4 of its channels: K times 4 weights */
    int32_t          *panels;   /* per thread */
    void (*mul)(int64_t *, size_t, const int32_t *, const int32_t *, size_t, unsigned, unsigned);
    int64_t          *wide;     /* per thread, when factors need 64 bits: one column of K inputs per cell */
} job;

/* x under tap (c, a, b) for output cell n; 0 outside */
static int64_t input(const job *j, size_t c, size_t a, size_t b, size_t n)
{
    const int64_t y = (int64_t)(n / j->od[2]) * j->t->stride[0] + (int64_t)a * j->t->dil[0] - j->t->pad[0];
    const int64_t z = (int64_t)(n % j->od[2]) * j->t->stride[1] + (int64_t)b * j->t->dil[1] - j->t->pad[1];
    return y < 0 || y >= j->xd[1] || z < 0 || z >= j->xd[2] ? 0 : j->x[(c * j->xd[1] + (size_t)y) * j->xd[2] + (size_t)z];
}

/* Panel of `cols` output cells from n0 for group g: K times 16 */
static void fill_panel(const job *j, int32_t *p, size_t g, size_t n0, unsigned cols)
{
    const size_t kh = j->w->dims[2], kw = j->w->dims[3];
    int64_t      y[COLS], z[COLS];
    for (unsigned i = 0; i < cols; i++) {
        y[i] = (int64_t)((n0 + i) / j->od[2]) * j->t->stride[0] - j->t->pad[0];
        z[i] = (int64_t)((n0 + i) % j->od[2]) * j->t->stride[1] - j->t->pad[1];
    }
    for (size_t c = 0; c < j->cg; c++) {
        const int64_t *plane = j->x + (g * j->cg + c) * j->xd[1] * j->xd[2];
        for (size_t a = 0; a < kh; a++)
            for (size_t b = 0; b < kw; b++, p += COLS) {
                const int64_t dy = (int64_t)a * j->t->dil[0], dz = (int64_t)b * j->t->dil[1];
                for (unsigned i = 0; i < cols; i++) {
                    const int64_t yy = y[i] + dy, zz = z[i] + dz;
                    p[i] = yy < 0 || yy >= j->xd[1] || zz < 0 || zz >= j->xd[2] ? 0 : (int32_t)plane[yy * j->xd[2] + zz];
                }
                for (unsigned i = cols; i < COLS; i++)
                    p[i] = 0;
            }
    }
}

static void product_item(void *arg, size_t item, unsigned thread)
{
    const job   *j = arg;
    const size_t g = item / j->blocks, first = item % j->blocks * j->per_item, tiles = (j->og + ROWS - 1) / ROWS;
    int32_t     *p = j->panels + (size_t)thread * j->K * COLS * j->per_item;
    size_t       n = 0;
    for (; n < j->per_item && (first + n) * COLS < j->N; n++) {
        const size_t n0 = (first + n) * COLS;
        fill_panel(j, p + n * j->K * COLS, g, n0, (unsigned)(j->N - n0 < COLS ? j->N - n0 : COLS));
    }
    for (size_t t = 0; t < tiles; t++)
        for (size_t i = 0; i < n; i++) {
            const size_t n0 = (first + i) * COLS, o = g * j->og + t * ROWS;
            j->mul(j->acc + o * j->N + n0, j->N, j->packed + (g * tiles + t) * j->K * ROWS, p + i * j->K * COLS, j->K,
                   (unsigned)(j->og - t * ROWS < ROWS ? j->og - t * ROWS : ROWS), (unsigned)(j->N - n0 < COLS ? j->N - n0 : COLS));
        }
}

/* All factors in 64 bits, one output cell at a time: item = group and cell */
static void dot_item(void *arg, size_t item, unsigned thread)
{
    const job   *j = arg;
    const size_t g = item / j->N, n = item % j->N, kh = j->w->dims[2], kw = j->w->dims[3];
    int64_t     *v = j->wide + (size_t)thread * j->K;
    size_t       k = 0;
    for (size_t c = 0; c < j->cg; c++)
        for (size_t a = 0; a < kh; a++)
            for (size_t b = 0; b < kw; b++)
                v[k++] = input(j, g * j->cg + c, a, b, n);
    for (size_t o = g * j->og; o < (g + 1) * j->og; o++) {
        const int64_t *w = j->w->v + o * j->K;
        uint64_t       s = 0;
        for (k = 0; k < j->K; k++)
            s += (uint64_t)w[k] * (uint64_t)v[k];
        j->acc[o * j->N + n] = (int64_t)((uint64_t)j->acc[o * j->N + n] + s);
    }
}

static uint64_t mag(int64_t x) { return x < 0 ? 0 - (uint64_t)x : (uint64_t)x; }

/* Largest |w| and largest sum of |w| over one output channel, which saturates. */
static void weight_bounds(const dsp_weight *w, size_t K, uint64_t *most, uint64_t *sum)
{
    *most = *sum = 0;
    for (size_t o = 0; o < w->dims[0]; o++) {
        uint64_t s = 0;
        for (size_t k = 0; k < K; k++) {
            const uint64_t m = mag(w->v[o * K + k]);
            *most = m > *most ? m : *most;
            s = m > UINT64_MAX - s ? UINT64_MAX : s + m;
        }
        *sum = s > *sum ? s : *sum;
    }
}

dsp_status dsp_conv_run(int64_t *acc, const int64_t *x, const uint32_t xd[3], const uint32_t od[3], const dsp_weight *w,
                        const dsp_term *t, uint64_t x_max, dsp_pool *pool, dsp_err *err)
{
    const dsp_gemm *gemm = dsp_gemm_best();
    const unsigned  threads = dsp_pool_threads(pool);
    job             j = {.acc = acc, .x = x, .xd = xd, .od = od, .w = w, .t = t, .cg = w->dims[1]};
    dsp_status      st = DSP_OK;
    int32_t        *packed = NULL;
    uint64_t        most, sum;
    j.groups = xd[0] / j.cg;
    j.og = w->dims[0] / j.groups;
    j.K = j.cg * w->dims[2] * w->dims[3];
    j.N = (size_t)od[1] * od[2];
    weight_bounds(w, j.K, &most, &sum);
    const bool narrow = x_max <= INT32_MAX && most <= INT32_MAX && (x_max == 0 || sum <= INT64_MAX / x_max);
    if (!narrow || j.N <= FEW) {
        if (!(j.wide = dsp_calloc(threads, j.K * sizeof *j.wide))) {
            st = dsp_fail(err, DSP_E_NOMEM, "convolution: no memory");
            goto done;
        }
        dsp_pool_run(pool, j.groups * j.N, dot_item, &j);
        goto done;
    }
    const size_t tiles = (j.og + ROWS - 1) / ROWS, blocks = (j.N + COLS - 1) / COLS;
    j.per_item = PANEL_CELLS / (j.K * COLS);
    j.per_item = j.per_item < 1 ? 1 : j.per_item > MAX_BLOCKS ? MAX_BLOCKS : j.per_item;
    j.blocks = (blocks + j.per_item - 1) / j.per_item;
    j.mul = sum == 0 || x_max <= INT32_MAX / sum ? gemm->mul32 : gemm->mul64;
    packed = dsp_calloc(j.groups * tiles * ROWS, j.K * sizeof *packed);
    j.panels = dsp_calloc((size_t)threads * j.per_item, j.K * COLS * sizeof *j.panels);
    if (!packed || !j.panels) {
        st = dsp_fail(err, DSP_E_NOMEM, "convolution: no memory");
        goto done;
    }
    for (size_t o = 0; o < w->dims[0]; o++) {
        const size_t g = o / j.og, i = o % j.og;
        int32_t     *p = packed + (g * tiles + i / ROWS) * j.K * ROWS + i % ROWS;
        for (size_t k = 0; k < j.K; k++)
            p[k * ROWS] = (int32_t)w->v[o * j.K + k];
    }
    j.packed = packed;
    dsp_pool_run(pool, j.groups * j.blocks, product_item, &j);
done:
    if (j.wide)
        dsp_wipe(j.wide, threads * j.K * sizeof *j.wide);
    if (j.panels)
        dsp_wipe(j.panels, (size_t)threads * j.per_item * j.K * COLS * sizeof *j.panels);
    dsp_free(j.wide);
    dsp_free(j.panels);
    dsp_free(packed);
    return st;
}
