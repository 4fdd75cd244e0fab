/* Integers of one linear operation: weight scales, multipliers, shift, and the interval that its result can reach.
 *
 * Channel o has its own power-of-two weight scale: weights are round(w 2^(A_o - scale of x)), the accumulator has scale A_o, and
 * M[o] = 2^(A - A_o) brings all channels to A = max A_o. With view terms all channels share one A, since their multipliers do.
 * Every step is in double without contraction or in int64 below 2^62 (checked), so every machine gets the same integers.
 */
#include <math.h>
#include <string.h>

#include "lower/ir.h"

enum { FIELD_BITS = 62, BIAS_BITS = 46, MULT_BITS = 12, MAX_GAIN = 3, MAX_SCALE = 100, NO_SCALE = 1 << 20 };
static const double nothing = 0x1p-200;   /* weights below count as 0: no float32 is */

static int64_t round_half_up(double x) { return (int64_t)floor(x + 0.5); }

static unsigned bit_len(int64_t x)
{
    unsigned b = 0;
    while (b < 63 && (x >> b) != 0)
        b++;
    return b;
}

static int64_t shift_down(int64_t x, unsigned s)
{
    /* Floor division, whatever the implementation does with the sign. */
    return x >= 0 ? x >> s : -((-(x + 1)) >> s) - 1;
}

/* Largest e with |w| 2^e rounded within limit. */
static int fit(double w, int64_t limit)
{
    int e;
    frexp((double)limit / w, &e);
    while (floor(ldexp(w, e) + 0.5) > (double)limit)
        e--;
    return e;
}

typedef struct { double size; int64_t lo, hi; } reach;   /* sum |w| |x|max; interval of the accumulator */

/* Adds weight w on a tensor in [lo, hi] whose cell may lie outside (then 0). */
static void add_reach(reach *r, int64_t w, const ir_q *x, bool outside)
{
    r->size += fabs((double)w) * fmax(-(double)x->lo, (double)x->hi);
    if (r->size >= 0x1p62)
        return;   /* the caller refuses by size; the interval is left alone so that it cannot overflow */
    const int64_t a = w * (w > 0 ? x->lo : x->hi), b = w * (w > 0 ? x->hi : x->lo);
    r->lo += outside && a > 0 ? 0 : a;
    r->hi += outside && b < 0 ? 0 : b;
}

static bool reads_outside(const ir *m, const ir_term *t, const uint32_t od[3])
{
    const uint32_t *xd = m->tensors[t->x].dims;
    for (unsigned a = 0; a < 3; a++) {
        int64_t first, last;
        if (t->kind == DSP_TERM_VIEW) {
            first = t->voff[a];
            last = first + (int64_t)(od[a] - 1) * t->vstride[a];
        } else if (a == 0)
            continue;
        else {
            first = -(int64_t)t->pad[a - 1];
            last = first + (int64_t)(od[a] - 1) * t->stride[a - 1] + (int64_t)(t->wdims[1 + a] - 1) * t->dil[a - 1];
        }
        if (first < 0 || last >= xd[a])
            return true;
    }
    return false;
}

static dsp_status too_large(const ir *m, const ir_op *op, dsp_err *err)
{
    return dsp_fail(err, DSP_E_UNSUPPORTED, "node %u (%s): its accumulator does not fit the field at this precision", op->node, m->g->nodes[op->node].op);
}

/* Requantisation, sides and bounds, once l->scale and the reach of T are known. */
static dsp_status finish(ir_lin *l, const ir *m, const ir_op *op, const ir_q *out, double size, int64_t t_lo, int64_t t_hi, dsp_err *err)
{
    const bool acc = m->tensors[op->out].acc;
    if (size >= 0x1p62)
        return too_large(m, op, err);
    l->s = acc ? 0 : (unsigned)(l->scale - out->scale);
    if (l->s > FIELD_BITS - 2)
        return too_large(m, op, err);
    const int64_t half = l->s ? (int64_t)1 << (l->s - 1) : 0;
    l->wide_lo = shift_down(t_lo + half, l->s);
    l->wide_hi = shift_down(t_hi + half, l->s);
    l->u_bits = l->v_bits = 0;
    if (acc && !out->known)
        return DSP_OK;
    if (l->wide_hi > out->hi)
        l->u_bits = bit_len(l->wide_hi - out->hi);
    if (l->wide_lo < out->lo)
        l->v_bits = bit_len(out->lo - l->wide_lo);
    const double q = fmax(-(double)out->lo, (double)out->hi) + ldexp(1, (int)l->u_bits) + ldexp(1, (int)l->v_bits) + 1;
    return ldexp(q, (int)l->s) + size + (double)half >= 0x1p62 ? too_large(m, op, err) : DSP_OK;
}

/* Average pooling: weights are ones; the divisor goes into the shift where it is a power of two, else into a multiplier. */
static dsp_status quantise_pool(ir_lin *l, const ir *m, const ir_op *op, const ir_q *q, unsigned precision, dsp_arena *a, dsp_err *err)
{
    const ir_expr *e = op->e;
    const ir_term *t = &e->terms[0];
    const ir_q    *x = &q[t->x], *out = &q[op->out];
    const unsigned bits = precision < MULT_BITS ? precision : MULT_BITS;
    const size_t   taps = (size_t)t->wdims[0] * t->wdims[2] * t->wdims[3];
    int64_t        best[2] = {1, 1}, hi_sum[2] = {0, 0};
    uint32_t       n[2] = {e->dims[1], e->dims[2]};
    const uint32_t *div[2] = {e->by, e->bx}, *cells[2] = {e->cy, e->cx};
    bool           uniform[2] = {true, true};

    l->w[0] = DSP_ARENA_N(a, int64_t, taps);
    l->M = DSP_ARENA_N(a, int64_t, e->dims[0]);
    if (!l->w[0] || !l->M)
        return dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
    for (size_t i = 0; i < taps; i++)
        l->w[0][i] = 1;
    l->scale = x->scale;
    for (unsigned k = 0; k < 2; k++)
        for (uint32_t i = 1; i < n[k]; i++)
            uniform[k] = uniform[k] && div[k][i] == div[k][0];
    /* Axes with one divisor share the channel multiplier; the others get a vector of their own. */
    uint64_t common = (uniform[0] ? div[0][0] : 1) * (uint64_t)(uniform[1] ? div[1][0] : 1);
    int64_t  M = 1;
    if (dsp_is_pow2(common))
        l->scale += (int32_t)dsp_lg(common);
    else {
        const unsigned sh = bits + dsp_lg(common) - 1;
        M = round_half_up(ldexp(1, (int)sh) / (double)common);
        l->scale += (int32_t)sh;
    }
    for (unsigned k = 0; k < 2; k++) {
        int64_t *v = NULL;
        if (!uniform[k]) {
            uint32_t most = 1;
            for (uint32_t i = 0; i < n[k]; i++)
                most = div[k][i] > most ? div[k][i] : most;
            const unsigned sh = bits + dsp_lg(most) - (dsp_is_pow2(most) ? 0 : 1);
            if (!(v = DSP_ARENA_N(a, int64_t, n[k])))
                return dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
            for (uint32_t i = 0; i < n[k]; i++)
                v[i] = round_half_up(ldexp(1, (int)sh) / (double)div[k][i]);
            l->scale += (int32_t)sh;
        }
        for (uint32_t i = 0; i < n[k]; i++) {
            const int64_t mu = v ? v[i] : 1;
            best[k] = mu > best[k] ? mu : best[k];
            hi_sum[k] = mu * cells[k][i] > hi_sum[k] ? mu * cells[k][i] : hi_sum[k];
        }
        *(k ? &l->Mx : &l->My) = v;
    }
    const int32_t target = m->tensors[op->out].acc ? l->scale : out->scale;
    if (l->scale < target) {
        if (target - l->scale > 40)
            return too_large(m, op, err);
        M <<= target - l->scale;
        l->scale = target;
    }
    for (uint32_t o = 0; o < e->dims[0]; o++)
        l->M[o] = M;
    /* Windows at the border hold fewer cells but weigh them more: bound sum and multiplier together, per axis. */
    const double big = fmax(-(double)x->lo, (double)x->hi);
    const double size = (double)M * (double)t->wdims[2] * (double)t->wdims[3] * big * (double)best[0] * (double)best[1];
    const double most = (double)M * (double)hi_sum[0] * (double)hi_sum[1] * big;
    if (size >= 0x1p62 || most >= 0x1p62)
        return too_large(m, op, err);
    const int64_t f = M * hi_sum[0] * hi_sum[1];
    int64_t lo = f * (x->lo < 0 ? x->lo : 0), hi = f * (x->hi > 0 ? x->hi : 0);
    return finish(l, m, op, out, size, lo, hi, err);
}

/* Scale A_o of every channel; *one: whether all share one. */
static dsp_status channel_scales(int32_t *A, const ir *m, const ir_op *op, const ir_q *q, unsigned precision, dsp_err *err)
{
    const ir_expr *e = op->e;
    const bool     acc = m->tensors[op->out].acc;
    const int64_t  limit = ((int64_t)1 << (precision - 1)) - 1;
    int32_t        least = NO_SCALE, view = -NO_SCALE;
    uint64_t       taps = 0;
    bool           views = false;

    for (uint32_t k = 0; k < e->n_terms; k++) {
        const ir_term *t = &e->terms[k];
        if (t->kind == DSP_TERM_CONV)
            taps += (uint64_t)t->wdims[1] * t->wdims[2] * t->wdims[3];
        else {
            views = true;
            view = q[t->x].scale > view ? q[t->x].scale : view;
        }
    }
    /* Beyond this the rounding of weights is lost in that of the output: further bits only lengthen the remainder. */
    const int32_t useful = acc ? MAX_SCALE : q[op->out].scale + (int32_t)precision + (int32_t)(dsp_lg(taps) + 1) / 2;
    for (uint32_t o = 0; o < e->dims[0]; o++) {
        A[o] = NO_SCALE;
        for (uint32_t k = 0; k < e->n_terms; k++) {
            const ir_term *t = &e->terms[k];
            if (t->kind != DSP_TERM_CONV)
                continue;
            const size_t per = (size_t)t->wdims[1] * t->wdims[2] * t->wdims[3];
            double       most = 0;
            for (size_t i = 0; i < per; i++) {
                const double w = fabs(t->w[o * per + i]);
                if (!isfinite(w))
                    return dsp_fail(err, DSP_E_UNSUPPORTED, "node %u (%s): a weight is not finite", op->node, m->g->nodes[op->node].op);
                most = w > most ? w : most;
            }
            if (most > nothing) {
                const int32_t f = q[t->x].scale + fit(most, limit);
                A[o] = f < A[o] ? f : A[o];
            }
        }
        if (e->bias) {
            const double b = fabs(e->bias[o]);
            if (!isfinite(b))
                return dsp_fail(err, DSP_E_UNSUPPORTED, "node %u (%s): a bias is not finite", op->node, m->g->nodes[op->node].op);
            if (b > nothing) {
                const int32_t f = fit(b, (int64_t)1 << BIAS_BITS);
                A[o] = f < A[o] ? f : A[o];
            }
        }
        if (A[o] != NO_SCALE)
            A[o] = A[o] < useful ? A[o] : useful;
        least = A[o] < least ? A[o] : least;
    }
    if (least == NO_SCALE)
        least = views ? view : acc ? q[e->terms[0].x].scale : q[op->out].scale;
    /* Channels with small weights keep up to three more bits, as long as they cost no second remainder limb. */
    const int32_t s = acc ? 0 : least - q[op->out].scale;
    int32_t       gain = s > 16 || s < 0 ? MAX_GAIN : 16 - s < MAX_GAIN ? 16 - s : MAX_GAIN;
    if (views) {
        least = least > view ? least : view;
        least = !acc && least < q[op->out].scale ? q[op->out].scale : least;   /* a bias is rounded no coarser than the output */
        gain = 0;
    }
    for (uint32_t o = 0; o < e->dims[0]; o++)
        A[o] = views || A[o] == NO_SCALE ? least : A[o] < least + gain ? A[o] : least + gain;
    return DSP_OK;
}

dsp_status dsp_ir_quantise(ir_lin *l, const ir *m, const ir_op *op, const ir_q *q, unsigned precision, dsp_arena *a, dsp_err *err)
{
    const ir_expr *e = op->e;
    const uint32_t O = e->dims[0];
    const bool     acc = m->tensors[op->out].acc;
    *l = (ir_lin){0};
    if (e->pool)
        return quantise_pool(l, m, op, q, precision, a, err);

    int32_t *A = DSP_ARENA_N(a, int32_t, O);
    reach   *r = DSP_ARENA_N(a, reach, O);
    l->M = DSP_ARENA_N(a, int64_t, O);
    if (!A || !r || !l->M)
        return dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
    dsp_status st = channel_scales(A, m, op, q, precision, err);
    if (st != DSP_OK)
        return st;
    l->scale = A[0];
    for (uint32_t o = 1; o < O; o++)
        l->scale = A[o] > l->scale ? A[o] : l->scale;
    if (!acc && l->scale < q[op->out].scale)
        l->scale = q[op->out].scale;
    for (uint32_t o = 0; o < O; o++) {
        if (l->scale - A[o] > 40)
            return too_large(m, op, err);
        l->M[o] = (int64_t)1 << (l->scale - A[o]);
    }
    for (uint32_t k = 0; k < e->n_terms; k++) {
        const ir_term *t = &e->terms[k];
        const ir_q    *x = &q[t->x];
        const bool     outside = reads_outside(m, t, e->dims);
        if (t->kind == DSP_TERM_VIEW) {
            if (A[0] - x->scale > 40)
                return too_large(m, op, err);
            l->mult[k] = t->sign * ((int64_t)1 << (A[0] - x->scale));
            for (uint32_t o = 0; o < O; o++)
                add_reach(&r[o], l->mult[k], x, outside);
            continue;
        }
        const size_t per = (size_t)t->wdims[1] * t->wdims[2] * t->wdims[3];
        if (!(l->w[k] = dsp_arena_alloc(a, per * O, sizeof(int64_t))))
            return dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
        for (uint32_t o = 0; o < O; o++)
            for (size_t i = 0; i < per; i++) {
                const double w = ldexp(t->w[o * per + i], A[o] - x->scale);
                if (fabs(w) >= 0x1p52)
                    return too_large(m, op, err);
                l->w[k][o * per + i] = round_half_up(w);
                add_reach(&r[o], l->w[k][o * per + i], x, outside);
            }
    }
    if (e->bias && !(l->bias = DSP_ARENA_N(a, int64_t, O)))
        return dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
    double  size = 0;
    int64_t lo = INT64_MAX, hi = INT64_MIN;
    for (uint32_t o = 0; o < O; o++) {
        if (l->bias) {
            const double b = ldexp(e->bias[o], A[o]);
            if (!(fabs(b) < 0x1p52))
                return too_large(m, op, err);
            l->bias[o] = round_half_up(b);
            r[o].size += fabs(b) + 1;
            r[o].lo += l->bias[o];
            r[o].hi += l->bias[o];
        }
        const double mine = r[o].size * (double)l->M[o];
        if (mine >= 0x1p62)
            return too_large(m, op, err);
        size = mine > size ? mine : size;
        lo = r[o].lo * l->M[o] < lo ? r[o].lo * l->M[o] : lo;
        hi = r[o].hi * l->M[o] > hi ? r[o].hi * l->M[o] : hi;
    }
    return finish(l, m, op, &q[op->out], size, lo, hi, err);
}
