/* Claims and ledger (S7).
 *
 * A claim is (label, sum of coefficient * functional on tensor, value as affine form). Terms on public tensors are evaluated
 * here and moved to the value; a claim without committed terms is a linear constraint (V10); the others form the
 * ledger. V12 compares the ledger with the list that dsp_derive made from the key alone, which is what makes a claim
 * that was forgotten, here or in the derivation, a rejection and not a hole.
 */
#include "claims/claims.h"

#include <stdlib.h>
#include <string.h>

static dsp_status no_memory(dsp_err *err) { return dsp_fail(err, DSP_E_NOMEM, "claims: no memory"); }

static dsp_ke pow2(unsigned k)
{
    return dsp_ke_from(k < 64 ? dsp_fe_from_u64((uint64_t)1 << k) : dsp_fe_pow((dsp_fe){2}, k));
}

dsp_status dsp_constrain(dsp_builder *b, uint8_t check, dsp_err *err)
{
    dsp_replay *r = b->r;
    if (r->n_constraints == b->max_constraints)
        return dsp_fail(err, DSP_E_BUG, "claims: more than %u constraints", b->max_constraints);
    r->constraints[r->n_constraints].check = check;
    return dsp_acc_take(&r->constraints[r->n_constraints++].form, &b->acc, r->arena, err);
}

dsp_status dsp_last(const dsp_ke **out, const dsp_ke *z, uint32_t len, uint32_t m, dsp_err *err)
{
    *out = NULL;
    if (m > len)
        return dsp_fail(err, DSP_E_BUG, "claims: %u coordinates of a point of %u", m, len);
    *out = z + (len - m);
    return DSP_OK;
}

static dsp_status last_xi(const dsp_ke **z, const dsp_replay *r, uint32_t m, dsp_err *err) { return dsp_last(z, r->xi, r->D->nu, m, err); }
static dsp_status last_rho(const dsp_ke **z, const dsp_replay *r, uint32_t m, dsp_err *err) { return dsp_last(z, r->rho3, r->D->M3, m, err); }

dsp_status dsp_op_point(const dsp_ke **z, const dsp_replay *r, uint32_t op, dsp_err *err)
{
    const dsp_derived *D = r->D;
    const uint32_t     m = D->tensor_bits[D->key->ops[op].out];
    *z = NULL;
    return D->op_at_tau[op] ? dsp_last(z, r->tau, D->ntau, m, err) : last_xi(z, r, m, err);
}

/* acc += w val(range): sum of 2^{o_i} times the limbs' columns. */
static void add_range(dsp_builder *b, uint32_t range, dsp_ke w)
{
    const dsp_derived *D = b->r->D;
    const dsp_range   *g = &D->ranges[range];
    for (uint32_t i = 0; i < g->limbs.n; i++)
        dsp_hidden(b, b->h0 + D->segs[g->seg0 + i].col0, dsp_ke_mul(w, pow2(g->shift[i])));
}

static void add_const(dsp_builder *b, dsp_ke w, dsp_ke c) { dsp_acc_const(&b->acc, dsp_ke_mul(w, c)); }

dsp_status dsp_target(dsp_builder *b, uint32_t op, const dsp_ke *z, dsp_ke w, dsp_err *err)
{
    dsp_replay        *r = b->r;
    const dsp_derived *D = r->D;
    const dsp_op      *o = &D->key->ops[op];
    const dsp_tensor  *out = &D->tensors[o->out];
    const uint32_t    *rg = D->op_range[op];
    const dsp_ke       valid = dsp_valid_at(out->dims, z), ws = dsp_ke_mul(w, pow2(o->s));
    dsp_ke             t;
    dsp_status         st;
    if (rg[DSP_R_Q] != DSP_NONE) {
        add_range(b, rg[DSP_R_Q], ws);
        add_const(b, ws, dsp_ke_mul(valid, dsp_ke_from_i64(out->lo)));
    } else if (D->op_qcol[op] != DSP_NONE)
        dsp_hidden(b, b->h0 + D->segs[D->op_qcol[op]].col0, ws);
    else {
        dsp_functional f;
        dsp_sep_point(&f, o->out, out->dims, z);
        if (!r->st->pub[o->out])
            return dsp_fail(err, DSP_E_BUG, "op '%s': the value of a committed output is bounded by no lookup", o->name);
        if ((st = dsp_functional_value(&t, &f, r->st->pub[o->out], r->arena, err)) != DSP_OK)
            return st;
        add_const(b, ws, t);
    }
    if (rg[DSP_R_U] != DSP_NONE)
        add_range(b, rg[DSP_R_U], ws);
    if (rg[DSP_R_V] != DSP_NONE)
        add_range(b, rg[DSP_R_V], dsp_ke_neg(ws));
    if (o->s) {
        add_range(b, rg[DSP_R_REM], w);
        add_const(b, dsp_ke_neg(w), dsp_ke_mul(valid, pow2(o->s - 1u)));
    }
    if ((st = dsp_bias_at(&t, D, op, z, r->arena, err)) != DSP_OK)
        return st;
    add_const(b, dsp_ke_neg(w), t);
    return DSP_OK;
}

/* ------------------------------------------------------------------ one claim */

static bool dropped(const dsp_replay *r, dsp_label l)
{
#ifdef DSP_TEST_HOOKS
    for (uint32_t i = 0; i < r->n_drop; i++)
        if (r->drop[i].kind == l.kind && r->drop[i].a == l.a && r->drop[i].b == l.b)
            return true;
#else
    (void)r;
    (void)l;
#endif
    return false;
}

/* The claim sum of terms = acc. Takes the accumulator. */
static dsp_status claim(dsp_builder *b, dsp_label label, const dsp_functional *terms, uint32_t n, dsp_err *err)
{
    dsp_replay *r = b->r;
    dsp_status  st;
    dsp_claim   c = {.label = label};
    if (dropped(r, label))
        return dsp_acc_take(&c.value, &b->acc, r->arena, err);
    c.terms = DSP_ARENA_RAW(r->arena, dsp_functional, n);
    if (!c.terms)
        return no_memory(err);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t t = terms[i].tensor;
        if (r->D->tensors[t].role != DSP_ROLE_PUB) {
            c.terms[c.n_terms] = terms[i];
            c.terms[c.n_terms++].fk = r->fk;
            continue;
        }
        dsp_ke v;
        if ((st = dsp_functional_value(&v, &terms[i], r->st->pub[t], r->arena, err)) != DSP_OK)
            return st;
        dsp_acc_const(&b->acc, dsp_ke_neg(v));
    }
    if (c.n_terms == 0)
        return dsp_constrain(b, DSP_V10, err);
    if ((st = dsp_acc_take(&c.value, &b->acc, r->arena, err)) != DSP_OK)
        return st;
    r->ledger[r->n_ledger++] = c;
    return DSP_OK;
}

static dsp_label label(uint8_t kind, uint32_t a, uint32_t b) { return (dsp_label){.kind = kind, .a = a, .b = b}; }

/* point(z) on a tensor = acc, with a coefficient of 1 or -1 */
static dsp_status point_claim(dsp_builder *b, dsp_label l, uint32_t tensor, const dsp_ke *z, bool minus, dsp_err *err)
{
    dsp_functional f;
    dsp_sep_point(&f, tensor, b->r->D->tensors[tensor].dims, z);
    if (minus)
        f.coef = dsp_ke_neg(f.coef);
    return claim(b, l, &f, 1, err);
}

static dsp_status range_claims(dsp_builder *b, uint32_t range, dsp_err *err)
{
    const dsp_derived *D = b->r->D;
    const dsp_range   *g = &D->ranges[range];
    const dsp_ke      *z;
    dsp_status         st = last_xi(&z, b->r, dsp_dlog(g->dims), err);
    for (uint32_t i = 0; st == DSP_OK && i + 1u < g->limbs.n; i++) {
        dsp_hidden(b, b->h0 + D->segs[g->seg0 + i].col0, dsp_ke_one());
        st = point_claim(b, label(DSP_C_LIMB, range, i), g->limb0 + i, z, false, err);
    }
    if (st != DSP_OK || g->tensor == DSP_NONE)
        return st;
    add_range(b, range, dsp_ke_one());
    add_const(b, dsp_valid_at(g->dims, z), dsp_ke_from_i64(g->off));
    return point_claim(b, label(DSP_C_RANGE, range, 0), g->tensor, z, false, err);
}

/* ------------------------------------------------------------------ the claims of each op */

/* First final value of the member (op, part, term); members stand in op order from *at on. */
static dsp_status final_of(uint32_t *out, const dsp_builder *b, uint32_t op, uint8_t part, uint32_t term, dsp_err *err)
{
    const dsp_derived *D = b->r->D;
    uint32_t           lo = 0, hi = D->n_members;
    while (lo < hi) { /* members are in op order */
        const uint32_t mid = lo + (hi - lo) / 2;
        if (D->members[mid].op < op)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < D->n_members && D->members[lo].op == op; lo++)
        if (D->members[lo].part == part && D->members[lo].term == term) {
            *out = b->fin0 + D->members[lo].final0;
            return DSP_OK;
        }
    return dsp_fail(err, DSP_E_BUG, "op '%s': no member of the batched sumcheck", D->key->ops[op].name);
}

static bool products_in_step3(const dsp_derived *D, uint32_t op)
{
    const dsp_op *o = &D->key->ops[op];
    for (uint32_t i = 0; D->key->mode == 0 && i < o->n_terms; i++)
        if (o->terms[i].kind == DSP_TERM_CONV)
            return true;
    return false;
}

/* The functional of a term at z with M folded in; the multiplier of a view is not in it. */
static dsp_status term_functional(dsp_functional *f, dsp_builder *b, uint32_t op, uint32_t term, const dsp_ke *z, dsp_err *err)
{
    const dsp_derived *D = b->r->D;
    const dsp_op      *o = &D->key->ops[op];
    const dsp_term    *t = &o->terms[term];
    const uint32_t    *xd = D->tensors[t->view.x].dims, *od = D->tensors[o->out].dims;
    dsp_ke            *es[3];
    dsp_status         st;
    if (t->kind == DSP_TERM_CONV) {
        *f = (dsp_functional){.kind = DSP_F_CONV, .tensor = t->view.x, .coef = {{1}, {0}}};
        memcpy(f->dims, xd, sizeof f->dims);
        return dsp_conv_make(&f->conv, b->r->arena, D, op, term, z, err);
    }
    st = dsp_scaled_eq(es, b->r->arena, D, op, z, err);
    return st == DSP_OK ? dsp_sep_view(f, b->r->arena, t->view.x, xd, od, &t->view, z, es, err) : st;
}

static dsp_status term_claims(dsp_builder *b, uint32_t op, dsp_err *err)
{
    dsp_replay        *r = b->r;
    const dsp_derived *D = r->D;
    const dsp_op      *o = &D->key->ops[op];
    const dsp_ke      *z;
    dsp_functional     f;
    dsp_status         st = dsp_op_point(&z, r, op, err);
    if (st != DSP_OK)
        return st;
    if (!products_in_step3(D, op)) {
        dsp_functional *fs = DSP_ARENA_RAW(r->arena, dsp_functional, o->n_terms);
        if (!fs)
            return no_memory(err);
        for (uint32_t i = 0; i < o->n_terms; i++) {
            if ((st = term_functional(&fs[i], b, op, i, z, err)) != DSP_OK)
                return st;
            if (o->terms[i].kind == DSP_TERM_VIEW)
                fs[i].coef = dsp_ke_from_i64(o->terms[i].mult);
        }
        st = dsp_target(b, op, z, dsp_ke_one(), err);
        return st == DSP_OK ? claim(b, label(DSP_C_LIN, op, 0), fs, o->n_terms, err) : st;
    }
    for (uint32_t i = 0; st == DSP_OK && i < o->n_terms; i++) {
        uint32_t v = 0;
        if (o->terms[i].kind == DSP_TERM_VIEW) {
            while (v < D->n_aux_vals && (D->aux_vals[v].op != op || D->aux_vals[v].term != i))
                v++;
            if (v == D->n_aux_vals)
                return dsp_fail(err, DSP_E_BUG, "op '%s': term %u has no aux value", o->name, i);
            v += b->aux0;
            st = term_functional(&f, b, op, i, z, err);
        } else {
            st = final_of(&v, b, op, DSP_R_Q, i, err);
            for (uint32_t m = 0; st == DSP_OK && m < D->n_members; m++)
                if (D->members[m].op == op && D->members[m].term == i && r->member_conv[m]) {
                    const dsp_ke *rho;
                    if ((st = last_rho(&rho, r, D->members[m].n_vars, err)) == DSP_OK)
                        st = dsp_conv_on_x(&f, r->arena, r->member_conv[m], rho, err);
                    break;
                }
        }
        if (st != DSP_OK)
            break;
        dsp_hidden(b, v, dsp_ke_one());
        st = claim(b, label(DSP_C_TERM, op, i), &f, 1, err);
    }
    return st;
}

static dsp_status lin_claims(dsp_builder *b, uint32_t op, dsp_err *err)
{
    dsp_replay        *r = b->r;
    const dsp_derived *D = r->D;
    const dsp_op      *o = &D->key->ops[op];
    const dsp_tensor  *out = &D->tensors[o->out];
    dsp_status         st = DSP_OK;
    for (int c = DSP_R_REM; st == DSP_OK && c <= DSP_R_V; c++)
        if (D->op_range[op][c] != DSP_NONE)
            st = range_claims(b, D->op_range[op][c], err);
    if (st == DSP_OK)
        st = term_claims(b, op, err);
    for (uint8_t side = 0; st == DSP_OK && side < 2; side++) { /* zero-checks u (hi - q) = 0, v (q - lo) = 0 */
        const uint8_t part = side ? DSP_R_V : DSP_R_U;
        const dsp_ke *z;
        uint32_t      v;
        if (D->op_side[op][side] == DSP_NONE)
            continue;
        if ((st = last_rho(&z, r, dsp_dlog(out->dims), err)) != DSP_OK || (st = final_of(&v, b, op, part, DSP_NONE, err)) != DSP_OK)
            break;
        dsp_hidden(b, v, dsp_ke_one());
        if ((st = point_claim(b, label(DSP_C_ZERO, op, 2u * part), D->op_side[op][side], z, false, err)) != DSP_OK)
            break;
        dsp_hidden(b, v + 1, dsp_ke_one());
        const dsp_ke valid = dsp_valid_at(out->dims, z);
        add_const(b, valid, side ? dsp_ke_from_i64(out->lo) : dsp_ke_neg(dsp_ke_from_i64(out->hi)));
        st = point_claim(b, label(DSP_C_ZERO, op, 2u * part + 1), o->out, z, side == 0, err);
    }
    return st;
}

static dsp_status max_claims(dsp_builder *b, uint32_t op, dsp_err *err)
{
    dsp_replay        *r = b->r;
    const dsp_derived *D = r->D;
    const dsp_op      *o = &D->key->ops[op];
    const uint32_t    *od = D->tensors[o->out].dims;
    for (uint32_t i = 0; i < 4; i++) { /* a, b at xi; a, b at rho */
        const bool       at_rho = i >= 2;
        const dsp_view  *v = i & 1 ? &o->b : &o->a;
        const uint8_t    part = i & 1 ? DSP_R_B : DSP_R_A;
        const dsp_tensor *x = &D->tensors[v->x];
        const uint32_t   m = dsp_dlog(od), range = D->op_range[op][part];
        const dsp_ke    *z;
        dsp_functional   f[2];
        uint32_t         val;
        dsp_status       st = at_rho ? last_rho(&z, r, m, err) : last_xi(&z, r, m, err);
        if (st != DSP_OK)
            return st;
        if (!at_rho) {
            if ((st = range_claims(b, range, err)) != DSP_OK)
                return st;
            add_range(b, range, dsp_ke_one());
        } else {
            if ((st = final_of(&val, b, op, DSP_R_A, DSP_NONE, err)) != DSP_OK)
                return st;
            dsp_hidden(b, val + (i & 1), dsp_ke_one());
        }
        add_const(b, dsp_outside_at(x->dims, od, v, z), dsp_ke_from_i64(x->lo));
        dsp_sep_point(&f[0], o->out, od, z);
        if ((st = dsp_sep_view(&f[1], r->arena, v->x, x->dims, od, v, z, NULL, err)) != DSP_OK)
            return st;
        f[1].coef = dsp_ke_neg(f[1].coef);
        const dsp_label l = at_rho ? label(DSP_C_ZERO, op, 2u * DSP_R_A + (i & 1)) : label(DSP_C_MAX, op, part);
        if ((st = claim(b, l, f, 2, err)) != DSP_OK)
            return st;
    }
    return DSP_OK;
}

static dsp_status table_claims(dsp_builder *b, uint32_t op, dsp_err *err)
{
    const dsp_derived *D = b->r->D;
    const dsp_op      *o = &D->key->ops[op];
    const uint32_t     col = b->h0 + D->segs[D->op_seg[op]].col0;
    const dsp_ke      *z;
    dsp_status         st = last_xi(&z, b->r, D->tensor_bits[o->out], err);
    if (st != DSP_OK)
        return st;
    dsp_hidden(b, col, dsp_ke_one());
    if ((st = point_claim(b, label(DSP_C_TABLE_X, op, 0), o->x, z, false, err)) != DSP_OK)
        return st;
    dsp_hidden(b, col + 1, dsp_ke_one());
    return point_claim(b, label(DSP_C_TABLE_Y, op, 0), o->out, z, false, err);
}

/* ------------------------------------------------------------------ V12 */

typedef struct { dsp_label label; uint32_t n; const uint32_t *tensors; } entry;

static int compare(const void *pa, const void *pb)
{
    const entry   *a = pa, *b = pb;
    const uint32_t x[4] = {a->label.kind, a->label.a, a->label.b, a->n}, y[4] = {b->label.kind, b->label.a, b->label.b, b->n};
    for (int i = 0; i < 4; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->tensors[i] != b->tensors[i])
            return a->tensors[i] < b->tensors[i] ? -1 : 1;
    return 0;
}

/* The ledger is, as a multiset of (label, committed tensors), the expected one, and every committed tensor occurs. */
static dsp_status balance(dsp_replay *r, dsp_err *err)
{
    const dsp_derived *D = r->D;
    const dsp_mark     mark = dsp_arena_mark(r->arena);
    dsp_status         st = DSP_OK;
    char               text[256] = "";
    entry             *have = DSP_ARENA_RAW(r->arena, entry, r->n_ledger), *want = DSP_ARENA_RAW(r->arena, entry, D->n_expect);
    uint8_t           *seen = DSP_ARENA_N(r->arena, uint8_t, D->n_tensors);
    if (!have || !want || !seen) {
        st = no_memory(err);
        goto done;
    }
    for (uint32_t i = 0; i < r->n_ledger; i++) {
        const dsp_claim *c = &r->ledger[i];
        uint32_t        *t = DSP_ARENA_RAW(r->arena, uint32_t, c->n_terms);
        if (!t) {
            st = no_memory(err);
            goto done;
        }
        for (uint32_t j = 0; j < c->n_terms; j++) {
            t[j] = c->terms[j].tensor;
            seen[t[j]] = 1;
        }
        have[i] = (entry){c->label, c->n_terms, t};
    }
    for (uint32_t i = 0; i < D->n_expect; i++)
        want[i] = (entry){D->expect[i].label, D->expect[i].n_tensors, D->expect[i].tensors};
    qsort(have, r->n_ledger, sizeof *have, compare);
    qsort(want, D->n_expect, sizeof *want, compare);
    for (uint32_t i = 0; i < r->n_ledger || i < D->n_expect; i++) {
        if (i < r->n_ledger && i < D->n_expect && compare(&have[i], &want[i]) == 0)
            continue;
        const bool missing = i == r->n_ledger || (i < D->n_expect && compare(&have[i], &want[i]) > 0);
        dsp_label_text(text, sizeof text, D, missing ? want[i].label : have[i].label);
        st = dsp_fail(err, DSP_E_REJECTED, "V12 ledger: claim %s %s", text, missing ? "is missing" : "was not expected");
        goto done;
    }
    for (uint32_t t = 0; t < D->n_tensors; t++)
        if (D->tensors[t].role != DSP_ROLE_PUB && !seen[t]) {
            st = dsp_fail(err, DSP_E_REJECTED, "V12 ledger: no claim on tensor '%s'", D->tensors[t].name);
            goto done;
        }
done:
    dsp_arena_rewind(r->arena, mark);
    return st;
}

dsp_status dsp_claims_build(dsp_builder *b, dsp_err *err)
{
    dsp_replay        *r = b->r;
    const dsp_derived *D = r->D;
    dsp_status         st = DSP_OK;
    size_t             n = (size_t)D->n_segs + D->n_ranges + D->n_used;
    for (uint32_t i = 0; i < D->key->n_ops; i++)
        n += (size_t)D->key->ops[i].n_terms + 4;
    r->ledger = DSP_ARENA_RAW(r->arena, dsp_claim, n);
    if (!r->ledger)
        return no_memory(err);
    for (uint32_t i = 0; st == DSP_OK && i < D->key->n_ops; i++)
        switch (D->key->ops[i].kind) {
        case DSP_OP_LIN:   st = lin_claims(b, i, err); break;
        case DSP_OP_MAX:   st = max_claims(b, i, err); break;
        case DSP_OP_TABLE: st = table_claims(b, i, err); break;
        default:           st = range_claims(b, D->op_range[i][DSP_R_X], err); break;
        }
    for (uint32_t i = 0; st == DSP_OK && i < D->n_used; i++) {
        const dsp_ke *z;
        if ((st = last_xi(&z, r, D->used[i].log2, err)) != DSP_OK)
            break;
        dsp_hidden(b, b->hm0 + i, dsp_ke_one());
        st = point_claim(b, label(DSP_C_MULT, i, 0), D->used[i].tensor, z, false, err);
    }
    if (st != DSP_OK)
        return st;
    st = balance(r, err);
#ifdef DSP_TEST_HOOKS
    if (st == DSP_E_REJECTED && r->skip >> DSP_V12 & 1)
        st = DSP_OK;
#endif
    return st;
}
