#include "claims/functional.h"

#include <string.h>

#include "base/size.h"

static dsp_status no_memory(dsp_err *err) { return dsp_fail(err, DSP_E_NOMEM, "functional: no memory for its tables"); }

/* Where the coordinates of each axis start in a point of the tensor's cube, and how many there are. */
typedef struct { unsigned m[3], at[3]; } axes;
static axes axes_of(const uint32_t dims[3])
{
    axes     x;
    unsigned at = 0;
    for (int i = 0; i < 3; i++) {
        x.m[i] = dsp_lg(dims[i]);
        x.at[i] = at;
        at += x.m[i];
    }
    return x;
}

/* ------------------------------------------------------------------ sums of eq over a range, without its table */

dsp_ke dsp_eq_prefix(const dsp_ke *z, unsigned m, uint64_t d)
{
    if (d >> m)
        return dsp_ke_one();
    dsp_ke sum = dsp_ke_zero(), p = dsp_ke_one(); /* p = eq of the leading bits of d */
    for (unsigned k = 0; k < m; k++) {
        const dsp_ke one = dsp_ke_mul(p, z[k]), zero = dsp_ke_sub(p, one);
        const bool   bit = d >> (m - 1 - k) & 1;
        if (bit)
            sum = dsp_ke_add(sum, zero);
        p = bit ? one : zero;
    }
    return sum;
}

/* sum over i < d of eq(z, i) eq(r, i). From the last coordinate: all = the sum over every low part, low = over those
 * below the low bits of d. */
static dsp_ke eq_eq_prefix(const dsp_ke *z, const dsp_ke *r, unsigned m, uint64_t d)
{
    dsp_ke all = dsp_ke_one(), low = dsp_ke_zero();
    for (unsigned k = m; k-- > 0;) {
        const dsp_ke w1 = dsp_ke_mul(z[k], r[k]);
        const dsp_ke w0 = dsp_ke_add(dsp_ke_sub(dsp_ke_sub(dsp_ke_one(), z[k]), r[k]), w1);
        low = d >> (m - 1 - k) & 1 ? dsp_ke_add(dsp_ke_mul(w0, all), dsp_ke_mul(w1, low)) : dsp_ke_mul(w0, low);
        all = dsp_ke_mul(all, dsp_ke_add(w0, w1));
    }
    return d >> m ? all : low;
}

dsp_ke dsp_valid_at(const uint32_t dims[3], const dsp_ke *z)
{
    const axes x = axes_of(dims);
    dsp_ke     r = dsp_ke_one();
    for (int i = 0; i < 3; i++)
        r = dsp_ke_mul(r, dsp_eq_prefix(z + x.at[i], x.m[i], dims[i]));
    return r;
}

/* The indices i of [0, n) for which i s + o lies in [0, d): [*from, *to), empty when from >= to. s >= 1. */
static void inside(int64_t *from, int64_t *to, int64_t n, int64_t d, int64_t s, int64_t o)
{
    *from = o >= 0 ? 0 : (-o + s - 1) / s;
    *to = d - 1 - o < 0 ? 0 : (d - 1 - o) / s + 1;
    if (*to > n)
        *to = n;
}

dsp_ke dsp_outside_at(const uint32_t xd[3], const uint32_t od[3], const dsp_view *v, const dsp_ke *z)
{
    const axes x = axes_of(od);
    dsp_ke     in = dsp_ke_one();
    for (int i = 0; i < 3; i++) {
        int64_t from, to;
        dsp_ke  sum = dsp_ke_zero();
        inside(&from, &to, od[i], xd[i], v->stride[i], v->off[i]);
        if (from < to)
            sum = dsp_ke_sub(dsp_eq_prefix(z + x.at[i], x.m[i], (uint64_t)to), dsp_eq_prefix(z + x.at[i], x.m[i], (uint64_t)from));
        in = dsp_ke_mul(in, sum);
    }
    return dsp_ke_sub(dsp_valid_at(od, z), in);
}

/* ------------------------------------------------------------------ tables of the output point */

static dsp_status eq_tables(dsp_ke *e[3], dsp_arena *a, const uint32_t dims[3], const dsp_ke *z, dsp_err *err)
{
    const axes x = axes_of(dims);
    for (int i = 0; i < 3; i++) {
        e[i] = DSP_ARENA_RAW(a, dsp_ke, dims[i]);
        if (!e[i])
            return no_memory(err);
        dsp_eq_table_cut(e[i], z + x.at[i], x.m[i], dims[i]);
    }
    return DSP_OK;
}

dsp_status dsp_scaled_eq(dsp_ke *e[3], dsp_arena *a, const dsp_derived *D, uint32_t op, const dsp_ke *z, dsp_err *err)
{
    const dsp_op   *o = &D->key->ops[op];
    const dsp_ints  m[3] = {o->M, o->My, o->Mx};
    const uint32_t *dims = D->tensors[o->out].dims;
    dsp_status      st = eq_tables(e, a, dims, z, err);
    for (int i = 0; st == DSP_OK && i < 3; i++)
        if (m[i].n)
            for (uint32_t j = 0; j < dims[i]; j++)
                e[i][j] = dsp_ke_scale(e[i][j], dsp_fe_from_i64(m[i].v[j]));
    return st;
}

dsp_status dsp_bias_at(dsp_ke *out, const dsp_derived *D, uint32_t op, const dsp_ke *z, dsp_arena *a, dsp_err *err)
{
    const dsp_op *o = &D->key->ops[op];
    *out = dsp_ke_zero();
    if (o->bias == DSP_NONE)
        return DSP_OK;
    const dsp_mark  mark = dsp_arena_mark(a);
    const uint32_t *dims = D->tensors[o->out].dims;
    const int64_t  *b = D->key->weights[o->bias].v;
    dsp_ke         *e[3], s[3] = {{{0}, {0}}, {{0}, {0}}, {{0}, {0}}};
    dsp_status      st = dsp_scaled_eq(e, a, D, op, z, err);
    if (st != DSP_OK)
        goto done;
    for (uint32_t i = 0; i < dims[0]; i++)
        s[0] = dsp_ke_add(s[0], dsp_ke_scale(e[0][i], dsp_fe_from_i64(b[i])));
    for (int k = 1; k < 3; k++)
        for (uint32_t i = 0; i < dims[k]; i++)
            s[k] = dsp_ke_add(s[k], e[k][i]);
    *out = dsp_ke_mul(s[0], dsp_ke_mul(s[1], s[2]));
done:
    dsp_arena_rewind(a, mark);
    return st;
}

/* ------------------------------------------------------------------ separable functionals */

void dsp_sep_point(dsp_functional *f, uint32_t tensor, const uint32_t dims[3], const dsp_ke *z)
{
    *f = (dsp_functional){.kind = DSP_F_SEP, .tensor = tensor, .coef = {{1}, {0}}, .z = z};
    memcpy(f->dims, dims, sizeof f->dims);
}

dsp_status dsp_sep_view(dsp_functional *f, dsp_arena *a, uint32_t tensor, const uint32_t xd[3], const uint32_t od[3],
                        const dsp_view *v, const dsp_ke *z, dsp_ke *const es[3], dsp_err *err)
{
    dsp_ke *own[3];
    *f = (dsp_functional){.kind = DSP_F_SEP, .tensor = tensor, .coef = {{1}, {0}}};
    memcpy(f->dims, xd, sizeof f->dims);
    for (int i = 0; i < 3; i++)
        if (!(f->v[i] = DSP_ARENA_N(a, dsp_ke, xd[i])))
            return no_memory(err);
    const dsp_mark mark = dsp_arena_mark(a);
    dsp_status     st = es ? DSP_OK : eq_tables(own, a, od, z, err);
    for (int i = 0; st == DSP_OK && i < 3; i++) {
        const dsp_ke *e = es ? es[i] : own[i];
        int64_t       from, to;
        inside(&from, &to, od[i], xd[i], v->stride[i], v->off[i]);
        for (int64_t j = from; j < to; j++)
            f->v[i][j * v->stride[i] + v->off[i]] = e[j];
    }
    dsp_arena_rewind(a, mark);
    return st;
}

static dsp_ke dot(const dsp_ke *x, const dsp_ke *y, size_t n)
{
    dsp_ke s = dsp_ke_zero();
    for (size_t i = 0; i < n; i++)
        s = dsp_ke_add(s, dsp_ke_mul(x[i], y[i]));
    return s;
}

static const dsp_field_kernels *kernels(const dsp_functional *f) { return f->fk ? f->fk : dsp_field_kernels_all(); }

/* sum A[c,a,b] u[c] v[a] w[b] */
static dsp_ke contract(const dsp_ke *A, const uint32_t d[3], const dsp_ke *u, const dsp_ke *v, const dsp_ke *w)
{
    dsp_ke s = dsp_ke_zero();
    for (uint32_t c = 0; c < d[0]; c++) {
        dsp_ke t = dsp_ke_zero();
        for (uint32_t a = 0; a < d[1]; a++, A += d[2])
            t = dsp_ke_add(t, dsp_ke_mul(v[a], dot(A, w, d[2])));
        s = dsp_ke_add(s, dsp_ke_mul(u[c], t));
    }
    return s;
}

/* ------------------------------------------------------------------ convolutions */

/* A sum of e x over field elements e and integers x, with 2^31 added to every x so that nothing is negative: a small x costs one
 * product per word and no reduction. At most 2^31 terms below 2^96 (larger x enter reduced) stay below 2^128. Public
 * data only: it branches on x. */
typedef struct { dsp_u128 a, b; } wide;
#define SHIFT ((uint64_t)1 << 31)
static inline void wide_add_var(wide *w, dsp_ke e, int64_t x)
{
    const uint64_t y = (uint64_t)x + SHIFT;
    if (y < 2 * SHIFT) {
        w->a += (dsp_u128)e.a.v * y;
        w->b += (dsp_u128)e.b.v * y;
    } else {
        const dsp_ke t = dsp_ke_scale(e, dsp_fe_from_i64(x));
        w->a += (dsp_u128)e.a.v * SHIFT + t.a.v;
        w->b += (dsp_u128)e.b.v * SHIFT + t.b.v;
    }
}

/* A(c,a,b) = sum over the outputs o of c's group of eo[o] W[o, c mod cg, a, b]: W is read once, in order. */
static void conv_kernel(dsp_conv *c, const dsp_weight *w, const dsp_ke *eo)
{
    enum { BLOCK = 64 };
    const size_t   n = (size_t)c->cg * c->kd[1] * c->kd[2];
    const uint32_t groups = c->xd[0] / c->cg, og = c->od[0] / groups;
    for (uint32_t g = 0; g < groups; g++) {
        const int64_t *W = w->v + (size_t)g * og * n;
        const dsp_ke  *e = eo + (size_t)g * og;
        dsp_ke         shift = dsp_ke_zero();
        for (uint32_t o = 0; o < og; o++)
            shift = dsp_ke_add(shift, e[o]);
        shift = dsp_ke_scale(shift, (dsp_fe){SHIFT});
        for (size_t i0 = 0; i0 < n; i0 += BLOCK) {
            const size_t len = n - i0 < BLOCK ? n - i0 : BLOCK;
            wide         acc[BLOCK];
            memset(acc, 0, len * sizeof *acc);
            for (uint32_t o = 0; o < og; o++)
                for (size_t i = 0; i < len; i++)
                    wide_add_var(&acc[i], e[o], W[o * n + i0 + i]);
            for (size_t i = 0; i < len; i++)
                c->A[g * n + i0 + i] = dsp_ke_sub((dsp_ke){dsp_fe_reduce128(acc[i].a), dsp_fe_reduce128(acc[i].b)}, shift);
        }
    }
}

dsp_status dsp_conv_make(dsp_conv **out, dsp_arena *a, const dsp_derived *D, uint32_t op, uint32_t term, const dsp_ke *z, dsp_err *err)
{
    const dsp_op     *o = &D->key->ops[op];
    const dsp_term   *t = &o->terms[term];
    const dsp_weight *w = &D->key->weights[t->weight];
    dsp_ke           *e[3];
    dsp_conv         *c = *out = DSP_ARENA_NEW(a, dsp_conv);
    if (!c)
        return no_memory(err);
    c->term = t;
    memcpy(c->xd, D->tensors[t->view.x].dims, sizeof c->xd);
    memcpy(c->od, D->tensors[o->out].dims, sizeof c->od);
    c->kd[0] = c->xd[0];
    c->kd[1] = w->dims[2];
    c->kd[2] = w->dims[3];
    c->cg = w->dims[1];
    size_t n;
    if (c->cg == 0 || c->xd[0] % c->cg || c->od[0] % (c->xd[0] / c->cg) || w->dims[0] != c->od[0] ||
        !dsp_mul_size(&n, (size_t)c->xd[0] * c->kd[1], c->kd[2]) || !dsp_mul_size(&n, n, sizeof(dsp_ke)))
        return dsp_fail(err, DSP_E_BUG, "conv term %u of op '%s': shapes that the key's rules exclude", term, o->name);
    c->A = DSP_ARENA_RAW(a, dsp_ke, n / sizeof(dsp_ke));
    if (!c->A)
        return no_memory(err);
    const dsp_status st = dsp_scaled_eq(e, a, D, op, z, err);
    if (st != DSP_OK)
        return st;
    c->ey = e[1];
    c->ex = e[2];
    conv_kernel(c, w, e[0]);
    return DSP_OK;
}

/* Taps of kernel row (column) a on axis ax (1 or 2): outputs y in [*from, *to) read input y stride + *base. */
static void taps(const dsp_conv *c, int ax, uint32_t a, int64_t *from, int64_t *to, int64_t *base)
{
    *base = (int64_t)a * c->term->dil[ax - 1] - c->term->pad[ax - 1];
    inside(from, to, c->od[ax], c->xd[ax], c->term->stride[ax - 1], *base);
}

/* s[a] = sum over the taps (a, y, i) of axis ax of e[y] x[i], kd[ax] entries: <S(a, .), x>. */
static void shifts(dsp_ke *s, const dsp_conv *c, int ax, const dsp_ke *x)
{
    const dsp_ke *e = ax == 1 ? c->ey : c->ex;
    const int64_t stride = c->term->stride[ax - 1];
    for (uint32_t a = 0; a < c->kd[ax]; a++) {
        int64_t from, to, base;
        dsp_ke  t = dsp_ke_zero();
        taps(c, ax, a, &from, &to, &base);
        for (int64_t y = from; y < to; y++)
            t = dsp_ke_add(t, dsp_ke_mul(e[y], x[y * stride + base]));
        s[a] = t;
    }
}

static dsp_status conv_at(dsp_ke *out, const dsp_conv *c, const dsp_ke *r, dsp_arena *a, dsp_err *err)
{
    dsp_ke    *e[3], *s[3];
    dsp_status st = eq_tables(e, a, c->xd, r, err);
    if (st != DSP_OK)
        return st;
    for (int ax = 1; ax < 3; ax++) {
        s[ax] = DSP_ARENA_RAW(a, dsp_ke, c->kd[ax]);
        if (!s[ax])
            return no_memory(err);
        shifts(s[ax], c, ax, e[ax]);
    }
    *out = contract(c->A, c->kd, e[0], s[1], s[2]);
    return DSP_OK;
}

dsp_status dsp_conv_kernel_at(dsp_ke *out, const dsp_conv *c, const dsp_ke *rho, dsp_arena *a, dsp_err *err)
{
    const dsp_mark   mark = dsp_arena_mark(a);
    dsp_ke          *e[3];
    const dsp_status st = eq_tables(e, a, c->kd, rho, err);
    if (st == DSP_OK)
        *out = contract(c->A, c->kd, e[0], e[1], e[2]);
    dsp_arena_rewind(a, mark);
    return st;
}

dsp_status dsp_conv_on_x(dsp_functional *f, dsp_arena *a, const dsp_conv *c, const dsp_ke *rho, dsp_err *err)
{
    *f = (dsp_functional){.kind = DSP_F_SEP, .tensor = c->term->view.x, .coef = {{1}, {0}}};
    memcpy(f->dims, c->xd, sizeof f->dims);
    for (int i = 0; i < 3; i++)
        if (!(f->v[i] = DSP_ARENA_N(a, dsp_ke, c->xd[i])))
            return no_memory(err);
    const dsp_mark mark = dsp_arena_mark(a);
    dsp_ke        *e[3];
    dsp_status     st = eq_tables(e, a, c->kd, rho, err);
    if (st != DSP_OK)
        goto done;
    memcpy(f->v[0], e[0], c->xd[0] * sizeof(dsp_ke));
    for (int ax = 1; ax < 3; ax++) {
        const dsp_ke *w = ax == 1 ? c->ey : c->ex;
        const int64_t stride = c->term->stride[ax - 1];
        for (uint32_t k = 0; k < c->kd[ax]; k++) {
            int64_t from, to, base;
            taps(c, ax, k, &from, &to, &base);
            for (int64_t y = from; y < to; y++) {
                dsp_ke *v = &f->v[ax][y * stride + base];
                *v = dsp_ke_add(*v, dsp_ke_mul(e[ax][k], w[y]));
            }
        }
    }
done:
    dsp_arena_rewind(a, mark);
    return st;
}

dsp_status dsp_conv_z(dsp_ke *out, const dsp_conv *c, const int64_t *x, dsp_arena *a, dsp_err *err)
{
    const dsp_mark mark = dsp_arena_mark(a);
    const size_t   kh = c->kd[1], kw = c->kd[2], H = c->xd[1], W = c->xd[2];
    const int64_t  sy = c->term->stride[0], sx = c->term->stride[1];
    dsp_status     st = DSP_OK;
    dsp_fe        *row = DSP_ARENA_RAW(a, dsp_fe, W);
    dsp_ke        *T = DSP_ARENA_RAW(a, dsp_ke, H * kw); /* T[i][b] = sum_x ex[x] X[c, i, x sx + b dx - px] */
    if (!row || !T) {
        st = no_memory(err);
        goto done;
    }
    for (uint32_t ch = 0; ch < c->xd[0]; ch++, x += H * W, out += kh * kw) {
        int64_t from, to, base;
        for (size_t i = 0; i < H; i++) {
            for (size_t j = 0; j < W; j++)
                row[j] = dsp_fe_from_i64(x[i * W + j]);
            for (uint32_t b = 0; b < kw; b++) {
                dsp_ke s = dsp_ke_zero();
                taps(c, 2, b, &from, &to, &base);
                for (int64_t q = from; q < to; q++)
                    s = dsp_ke_add(s, dsp_ke_scale(c->ex[q], row[q * sx + base]));
                T[i * kw + b] = s;
            }
        }
        for (uint32_t k = 0; k < kh; k++) {
            dsp_ke *z = out + k * kw;
            for (size_t b = 0; b < kw; b++)
                z[b] = dsp_ke_zero();
            taps(c, 1, k, &from, &to, &base);
            for (int64_t y = from; y < to; y++) {
                const dsp_ke *t = T + (size_t)(y * sy + base) * kw;
                for (size_t b = 0; b < kw; b++)
                    z[b] = dsp_ke_add(z[b], dsp_ke_mul(c->ey[y], t[b]));
            }
        }
    }
done:
    dsp_arena_rewind(a, mark);
    return st;
}

/* ------------------------------------------------------------------ the three uses */

dsp_status dsp_functional_at(dsp_ke *out, const dsp_functional *f, const dsp_ke *r, dsp_arena *a, dsp_err *err)
{
    const dsp_mark mark = dsp_arena_mark(a);
    const axes     x = axes_of(f->dims);
    dsp_status     st = DSP_OK;
    dsp_ke         v = dsp_ke_one();
    if (f->kind == DSP_F_CONV)
        st = conv_at(&v, f->conv, r, a, err);
    else if (f->z)
        for (int i = 0; i < 3; i++)
            v = dsp_ke_mul(v, eq_eq_prefix(f->z + x.at[i], r + x.at[i], x.m[i], f->dims[i]));
    else {
        dsp_ke *e[3];
        st = eq_tables(e, a, f->dims, r, err);
        for (int i = 0; st == DSP_OK && i < 3; i++)
            v = dsp_ke_mul(v, dot(f->v[i], e[i], f->dims[i]));
    }
    *out = dsp_ke_mul(f->coef, v);
    dsp_arena_rewind(a, mark);
    return st;
}

dsp_status dsp_functional_value(dsp_ke *out, const dsp_functional *f, const int64_t *cells, dsp_arena *a, dsp_err *err)
{
    const dsp_mark mark = dsp_arena_mark(a);
    dsp_status     st = DSP_OK;
    dsp_ke         sum = dsp_ke_zero(), *v[3];
    if (f->kind == DSP_F_CONV) {
        const dsp_conv *c = f->conv;
        const size_t    n = (size_t)c->kd[0] * c->kd[1] * c->kd[2];
        dsp_ke         *Z = DSP_ARENA_RAW(a, dsp_ke, n);
        st = Z ? dsp_conv_z(Z, c, cells, a, err) : no_memory(err);
        if (st == DSP_OK)
            sum = dot(c->A, Z, n);
    } else {
        memcpy(v, f->v, sizeof v);
        if (f->z)
            st = eq_tables(v, a, f->dims, f->z, err);
        for (uint32_t c = 0; st == DSP_OK && c < f->dims[0]; c++) {
            dsp_ke t = dsp_ke_zero();
            for (uint32_t y = 0; y < f->dims[1]; y++, cells += f->dims[2]) {
                dsp_ke s = dsp_ke_zero();
                for (uint32_t j = 0; j < f->dims[2]; j++)
                    s = dsp_ke_add(s, dsp_ke_scale(v[2][j], dsp_fe_from_i64(cells[j])));
                t = dsp_ke_add(t, dsp_ke_mul(v[1][y], s));
            }
            sum = dsp_ke_add(sum, dsp_ke_mul(v[0][c], t));
        }
    }
    *out = dsp_ke_mul(f->coef, sum);
    dsp_arena_rewind(a, mark);
    return st;
}

/* W[padded] += s V(c,i,j), V(c,i,j) = sum_{a,b} A(c,a,b) S_y(a,i) S_x(b,j): per channel T[a][j] = sum_b A(c,a,b) S_x(b,j),
 * then row i gets e_y[y] T[a] for every tap (a, y, i). */
static dsp_status conv_add(dsp_ke *W, const dsp_conv *c, dsp_ke s, const dsp_field_kernels *fk, dsp_arena *a, dsp_err *err)
{
    const size_t  kh = c->kd[1], kw = c->kd[2], wd = c->xd[2];
    const axes    x = axes_of(c->xd);
    const int64_t sy = c->term->stride[0], sx = c->term->stride[1];
    dsp_ke       *T = DSP_ARENA_RAW(a, dsp_ke, wd);
    dsp_ke       *ey = DSP_ARENA_RAW(a, dsp_ke, c->od[1]);
    if (!T || !ey)
        return no_memory(err);
    for (uint32_t y = 0; y < c->od[1]; y++)
        ey[y] = dsp_ke_mul(s, c->ey[y]);
    for (uint32_t ch = 0; ch < c->xd[0]; ch++) {
        dsp_ke *plane = W + ((size_t)ch << (x.m[1] + x.m[2]));
        for (uint32_t k = 0; k < kh; k++) {
            const dsp_ke *A = c->A + (ch * kh + k) * kw;
            int64_t       from, to, base;
            taps(c, 1, k, &from, &to, &base);
            if (from >= to)
                continue;
            int64_t lo = (int64_t)wd, hi = 0; /* columns that any tap reaches */
            memset(T, 0, wd * sizeof *T);
            for (uint32_t b = 0; b < kw; b++) {
                int64_t f2, t2, b2;
                taps(c, 2, b, &f2, &t2, &b2);
                for (int64_t q = f2; q < t2; q++)
                    T[q * sx + b2] = dsp_ke_add(T[q * sx + b2], dsp_ke_mul(A[b], c->ex[q]));
                if (f2 < t2 && f2 * sx + b2 < lo)
                    lo = f2 * sx + b2;
                if (f2 < t2 && (t2 - 1) * sx + b2 + 1 > hi)
                    hi = (t2 - 1) * sx + b2 + 1;
            }
            for (int64_t y = from; y < to; y++) {
                dsp_ke *row = plane + ((size_t)(y * sy + base) << x.m[2]);
                if (lo < hi)
                    fk->ke_axpy(row + lo, T + lo, (size_t)(hi - lo), ey[y]);
            }
        }
    }
    return DSP_OK;
}

dsp_status dsp_functional_add(dsp_ke *W, const dsp_functional *f, dsp_ke scale, dsp_arena *a, dsp_err *err)
{
    const dsp_mark mark = dsp_arena_mark(a);
    const dsp_ke   s = dsp_ke_mul(f->coef, scale);
    dsp_status     st = DSP_OK;
    dsp_ke        *v[3];
    if (f->kind == DSP_F_CONV) {
        st = conv_add(W, f->conv, s, kernels(f), a, err);
        goto done;
    }
    memcpy(v, f->v, sizeof v);
    if (f->z)
        st = eq_tables(v, a, f->dims, f->z, err);
    if (st != DSP_OK)
        goto done;
    const axes x = axes_of(f->dims);
    if (f->dims[1] == 1 && f->dims[2] == 1) { /* a vector: its cells are neighbours */
        kernels(f)->ke_axpy(W, v[0], f->dims[0], dsp_ke_mul(s, dsp_ke_mul(v[1][0], v[2][0])));
        goto done;
    }
    for (uint32_t c = 0; c < f->dims[0]; c++) {
        const dsp_ke sc = dsp_ke_mul(s, v[0][c]);
        if (dsp_ke_is_zero(sc)) /* a cell that no view reads; public */
            continue;
        for (uint32_t y = 0; y < f->dims[1]; y++) {
            const dsp_ke p = dsp_ke_mul(sc, v[1][y]);
            if (!dsp_ke_is_zero(p))
                kernels(f)->ke_axpy(W + ((((size_t)c << x.m[1]) | y) << x.m[2]), v[2], f->dims[2], p);
        }
    }
done:
    dsp_arena_rewind(a, mark);
    return st;
}
