/* Scales and ranges of every tensor: chosen from a calibration, or taken from a record and checked against the model. */
#include <math.h>
#include <string.h>

#include "lower/ir.h"

enum { MIN_PRECISION = 2, MAX_PRECISION = 16, LEAST_LOG2 = -20, MOST_LOG2 = 60, ACC_BITS = 61 };

void dsp_ir_record_layout(dsp_layout *l, const ir_tensor *t)
{
    *l = (dsp_layout){.dims = {t->dims[0], t->dims[1], t->dims[2]}, .rank = t->rank};
    memcpy(l->onnx_dims, t->onnx_dims, sizeof l->onnx_dims);
    /* Rows are the leading axes; in layout order they come last. */
    uint32_t split = 0;
    for (uint64_t before = 1; t->rows > 1 && before < t->rows && split < t->rank; split++)
        before *= (uint64_t)t->onnx_dims[split];
    for (uint32_t i = 0; i < t->rank && i < DSP_MAX_RANK; i++)
        l->perm[i] = (uint8_t)((i + split) % t->rank);
}

/* The value that names a tensor in the record; DSP_NONE for a partial maximum. */
static uint32_t record_value(const ir_tensor *t) { return t->name != DSP_NONE ? t->name : t->value; }

static bool recorded(const ir_tensor *t) { return record_value(t) != DSP_NONE && (t->segment != DSP_NONE || t->reads > 0); }

/* Smallest k with 2^k >= x, within limits. */
static int log2_above(double x)
{
    int k = 0;
    if (!(x > 0))
        return 0;
    if (frexp(x, &k) == 0.5)
        k--;
    return k < LEAST_LOG2 ? LEAST_LOG2 : k > MOST_LOG2 ? MOST_LOG2 : k;
}

static int64_t round_half_up(double x) { return (int64_t)floor(x + 0.5); }

static ir_q full_range(unsigned precision, int scale, bool nonneg)
{
    const int64_t top = (int64_t)1 << (precision - 1);
    return (ir_q){.scale = scale, .lo = nonneg ? 0 : -top, .hi = top - 1, .known = true};
}

/* Range of a public accumulator: the power of two that covers its interval. */
static void cover(ir_q *q, const ir_lin *l)
{
    unsigned k = 1;
    while (k < ACC_BITS && (l->wide_hi >= (int64_t)1 << k || l->wide_lo < -((int64_t)1 << k)))
        k++;
    *q = (ir_q){.scale = l->scale, .lo = -((int64_t)1 << k), .hi = ((int64_t)1 << k) - 1, .known = true};
}

static uint32_t input_index(const dsp_graph *g, uint32_t v)
{
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (g->inputs[i] == v)
            return i;
    return DSP_NONE;
}

/* What a pin asks of the tensor that leads a chain of equal scales: NO_PIN, or its scale. */
enum { NO_PIN = INT32_MIN };

/* Width of a pinned tensor whose cells are below `most` in size. */
static dsp_status pinned_bits(unsigned *bits, const ir *m, const ir_tensor *t, int scale, double most, dsp_err *err)
{
    const int n = scale + 1 + log2_above(most);
    *bits = n < MIN_PRECISION ? MIN_PRECISION : (unsigned)n;
    return n <= DSP_PIN_MAX_BITS ? DSP_OK
                                 : dsp_fail(err, DSP_E_ARG, "tensor %s: at scale %d its values need %d bits, %d are possible; choose a smaller scale (--ezkl-scale)",
                                            dsp_ir_name(m, record_value(t)), scale, n, DSP_PIN_MAX_BITS);
}

static dsp_status pin_tensors(int32_t *pin, ir *m, const dsp_pin *pins, size_t n_pins, dsp_err *err)
{
    for (uint32_t i = 0; i < m->n_tensors; i++)
        pin[i] = NO_PIN;
    for (uint32_t i = 0; i < m->n_tensors; i++)
        for (size_t k = 0; k < n_pins; k++) {
            uint32_t       root = i;
            const int32_t  s = pins[k].scale_bits;
            if (m->tensors[i].name != pins[k].value || pins[k].value == DSP_NONE)
                continue;
            while (m->tensors[root].like != DSP_NONE)
                root = m->tensors[root].like;
            if (s < 0 || s > DSP_PIN_MAX_SCALE || (pin[root] != NO_PIN && pin[root] != s))
                return dsp_fail(err, DSP_E_ARG, "tensor %s: scale %d %s; choose another one (--ezkl-scale)", dsp_ir_name(m, pins[k].value), s,
                                s < 0 || s > DSP_PIN_MAX_SCALE ? "is not one of 0 to 32" : "is not that of the tensor whose maximum it is");
            pin[root] = s;
            m->tensors[root].acc = false;
        }
    return DSP_OK;
}

static dsp_status choose(ir_q *q, const ir *m, const dsp_calibration *c, const ir_op *const *maker, uint32_t i, int32_t pin, unsigned precision, dsp_arena *a,
                         dsp_err *err)
{
    const ir_tensor *t = &m->tensors[i];
    const uint32_t   input = t->segment == DSP_NONE ? input_index(m->g, t->value) : DSP_NONE;
    unsigned         bits;
    if (t->like != DSP_NONE)
        q[i] = q[t->like];
    else if (input != DSP_NONE) {
        const double lo = c->in_lo[input], hi = c->in_hi[input];
        if (!(lo <= hi) || !isfinite(lo) || !isfinite(hi))
            return dsp_fail(err, DSP_E_ARG, "range %g:%g of input %s is empty or not finite", lo, hi, dsp_ir_name(m, t->value));
        const int        scale = pin != NO_PIN ? pin : (int)precision - 1 - log2_above(fmax(fabs(lo), fabs(hi)));
        const dsp_status st = pin != NO_PIN ? pinned_bits(&bits, m, t, pin, fmax(fabs(lo), fabs(hi)), err) : DSP_OK;
        if (st != DSP_OK)
            return st;
        q[i] = (ir_q){.scale = scale, .lo = round_half_up(ldexp(lo, scale)), .hi = round_half_up(ldexp(hi, scale)), .known = true};
    } else if (t->acc) {
        ir_lin         l;
        const dsp_mark mark = dsp_arena_mark(a);
        dsp_status     st = dsp_ir_quantise(&l, m, maker[i], q, precision, a, err);
        dsp_arena_rewind(a, mark);
        if (st != DSP_OK)
            return st;
        cover(&q[i], &l);
    } else if (pin != NO_PIN) {
        /* What the other proof system makes is never clamped: one bit of headroom more than usual. */
        const dsp_status st = pinned_bits(&bits, m, t, pin, 4 * c->max_abs[t->value], err);
        if (st != DSP_OK)
            return st;
        q[i] = full_range(bits, pin, t->nonneg);
    } else
        q[i] = full_range(precision, (int)precision - 1 - log2_above(2 * c->max_abs[t->value]), t->nonneg);
    return DSP_OK;
}

static const ir_op **makers(const ir *m, dsp_arena *a)
{
    const ir_op **maker = dsp_arena_alloc(a, m->n_tensors + 1, sizeof *maker);
    for (uint32_t i = 0; maker && i < m->n_ops; i++)
        maker[m->ops[i].out] = &m->ops[i];
    return maker;
}

dsp_status dsp_record_make(dsp_record **out, const dsp_graph *g, const dsp_plan *p, const dsp_calibration *c, const dsp_pin *pins, size_t n_pins,
                           unsigned precision, dsp_err *err)
{
    dsp_arena    *a = dsp_arena_create(0);
    dsp_record   *r = dsp_record_create();
    ir           *m = NULL;
    dsp_status    st = DSP_OK;
    *out = NULL;
    if (precision < MIN_PRECISION || precision > MAX_PRECISION) {
        st = dsp_fail(err, DSP_E_ARG, "precision is %u bits; 2 to 16 are possible", precision);
        goto done;
    }
    if (!a || !r) {
        st = dsp_fail(err, DSP_E_NOMEM, "quantisation record: out of memory");
        goto done;
    }
    if ((st = dsp_ir_make(&m, g, p, NULL, false, a, err)) != DSP_OK)
        goto done;
    const ir_op **maker = makers(m, a);
    ir_q         *q = DSP_ARENA_N(a, ir_q, m->n_tensors + 1);
    int32_t      *pin = DSP_ARENA_N(a, int32_t, m->n_tensors + 1);
    r->model = g->digest;
    r->precision = precision;
    r->n_cuts = p->n_segments - 1;
    r->cuts = DSP_ARENA_N(r->arena, uint32_t, p->n_segments);
    r->tensors = DSP_ARENA_N(r->arena, dsp_qtensor, m->n_tensors + 1);
    if (!maker || !q || !pin || !r->cuts || !r->tensors) {
        st = dsp_fail(err, DSP_E_NOMEM, "quantisation record: out of memory");
        goto done;
    }
    if ((st = pin_tensors(pin, m, pins, n_pins, err)) != DSP_OK)
        goto done;
    for (uint32_t i = 1; i < p->n_segments; i++)
        r->cuts[i - 1] = p->segments[i].first;
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        const ir_tensor *t = &m->tensors[i];
        if (t->segment == DSP_NONE && t->reads == 0)
            continue;
        if ((st = choose(q, m, c, maker, i, pin[i], precision, a, err)) != DSP_OK)
            goto done;
        if (!recorded(t))
            continue;
        dsp_qtensor *x = &r->tensors[r->n_tensors++];
        *x = (dsp_qtensor){.scale_bits = q[i].scale, .lo = q[i].lo, .hi = q[i].hi, .pinned = pin[i] != NO_PIN};
        dsp_ir_record_layout(&x->layout, t);
        const char *program = dsp_lower_tensor_name(g, record_value(t), r->arena);
        x->name = dsp_arena_strdup(r->arena, dsp_ir_name(m, record_value(t)));
        x->program = program && strcmp(program, dsp_ir_name(m, record_value(t))) != 0 ? program : NULL;
        if (!x->name || !program) {
            st = dsp_fail(err, DSP_E_NOMEM, "quantisation record: out of memory");
            goto done;
        }
    }
    st = dsp_record_seal(r, err);
done:
    dsp_arena_free(a);
    if (st == DSP_OK)
        *out = r;
    else
        dsp_record_free(r);
    return st;
}

static dsp_status mismatch(const ir *m, uint32_t v, const char *what, dsp_err *err)
{
    return dsp_fail(err, DSP_E_FORMAT, "quantisation record: tensor %s: %s", dsp_ir_name(m, v), what);
}

/* The range of a pinned tensor: some width's. */
static dsp_status take_pinned(ir *m, const dsp_qtensor *x, uint32_t i, dsp_err *err)
{
    ir_tensor     *t = &m->tensors[i];
    const uint32_t v = record_value(t);
    unsigned       bits = MIN_PRECISION;
    t->acc = false;
    if (t->like != DSP_NONE || x->scale_bits < 0 || x->scale_bits > DSP_PIN_MAX_SCALE)
        return mismatch(m, v, "it cannot be pinned, or not at this scale", err);
    while (bits < DSP_PIN_MAX_BITS && x->hi >= (int64_t)1 << (bits - 1))
        bits++;
    const ir_q want = full_range(bits, x->scale_bits, t->nonneg);
    const int64_t top = (int64_t)1 << (DSP_PIN_MAX_BITS - 1);
    const bool    input = t->segment == DSP_NONE && m->g->values[v].is_input;
    const bool    good = input ? x->lo >= -top && x->hi <= top && x->lo <= x->hi : x->lo == want.lo && x->hi == want.hi;
    return good ? DSP_OK : mismatch(m, v, "its range is not one of a pinned tensor", err);
}

static dsp_status take(ir_q *q, ir *m, const dsp_record *r, const ir_op *const *maker, uint32_t i, dsp_arena *a, dsp_err *err)
{
    const ir_tensor *t = &m->tensors[i];
    const uint32_t   v = record_value(t);
    if (v == DSP_NONE) {
        q[i] = q[t->like];
        return DSP_OK;
    }
    const dsp_qtensor *x = dsp_record_find(r, dsp_ir_name(m, v));
    dsp_layout         l;
    if (!x || strcmp(x->name, dsp_ir_name(m, v)) != 0)
        return mismatch(m, v, "not in the record", err);
    const char *program = dsp_lower_tensor_name(m->g, v, a);
    if (!program || strcmp(x->program ? x->program : x->name, program) != 0 || (x->program && strcmp(x->program, x->name) == 0))
        return mismatch(m, v, "its name in keys is not the model's", err);
    dsp_ir_record_layout(&l, t);
    bool same = memcmp(l.dims, x->layout.dims, sizeof l.dims) == 0 && l.rank == x->layout.rank;
    for (uint32_t k = 0; same && k < l.rank; k++)
        same = l.onnx_dims[k] == x->layout.onnx_dims[k] && l.perm[k] == x->layout.perm[k];
    if (!same)
        return mismatch(m, v, "its layout is not the model's", err);
    q[i] = (ir_q){.scale = x->scale_bits, .lo = x->lo, .hi = x->hi, .known = true};

    if (x->pinned)
        return take_pinned(m, x, i, err);
    ir_q            want = full_range(r->precision, x->scale_bits, t->nonneg);
    const int64_t   top = (int64_t)1 << (r->precision - 1);
    if (t->like != DSP_NONE)
        want = q[t->like];
    else if (t->segment == DSP_NONE && m->g->values[v].is_input) {
        if (x->lo < -top || x->hi > top || x->lo > x->hi)
            return mismatch(m, v, "its range is empty or wider than the precision", err);
        return DSP_OK;
    } else if (t->acc) {
        ir_lin         lin;
        const dsp_mark mark = dsp_arena_mark(a);
        q[i].known = false;
        dsp_status st = dsp_ir_quantise(&lin, m, maker[i], q, r->precision, a, err);
        dsp_arena_rewind(a, mark);
        if (st != DSP_OK)
            return st;
        cover(&want, &lin);
        q[i].known = true;
    }
    if (want.scale != x->scale_bits || want.lo != x->lo || want.hi != x->hi)
        return mismatch(m, v, "its scale or range is not what the model and the precision give", err);
    return DSP_OK;
}

dsp_status dsp_ir_scales(ir_q *q, ir *m, const dsp_record *r, dsp_err *err)
{
    dsp_arena  *a = dsp_arena_create(0);
    dsp_status  st = DSP_OK;
    size_t      n = 0;
    const ir_op **maker = a ? makers(m, a) : NULL;
    if (!maker)
        st = dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
    for (uint32_t i = 0; st == DSP_OK && i < m->n_tensors; i++)
        if (m->tensors[i].segment != DSP_NONE || m->tensors[i].reads > 0) {
            st = take(q, m, r, maker, i, a, err);
            n += recorded(&m->tensors[i]);
        }
    if (st == DSP_OK && n != r->n_tensors)
        st = dsp_fail(err, DSP_E_FORMAT, "quantisation record: %zu tensors, %zu expected", r->n_tensors, n);
    dsp_arena_free(a);
    return st;
}
