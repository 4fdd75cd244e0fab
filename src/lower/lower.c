/* The whole model: which segments are proved, their keys, the geometry of the run, and what binds them. */
#include <string.h>

#include "circuit/statement.h"
#include "lower/ir.h"

static dsp_status same_model(const dsp_graph *g, const dsp_plan *p, const dsp_record *r, dsp_err *err)
{
    if (!dsp_digest_eq(&g->digest, &r->model))
        return dsp_fail(err, DSP_E_FORMAT, "quantisation record: it was made from another model file");
    bool same = r->n_cuts + 1 == p->n_segments;
    for (size_t i = 0; same && i < r->n_cuts; i++)
        same = r->cuts[i] == p->segments[i + 1].first;
    return same ? DSP_OK : dsp_fail(err, DSP_E_FORMAT, "quantisation record: it was made for other cuts");
}

/* A failure that takes one segment out and leaves the rest. */
static bool only_this(dsp_status st) { return st == DSP_E_UNSUPPORTED || st == DSP_E_LIMIT; }

/* Keys of all proved segments. A segment that cannot be built changes its neighbours' roles, so all start again without it. */
static dsp_status build_keys(dsp_circuits *c, ir *m, const ir_q *q, bool *proved, unsigned precision, dsp_err *err)
{
    for (uint32_t i = 0; i < c->n_segments; i++) {
        dsp_compiled *s = &c->segments[i];
        dsp_key_free(s->key);
        s->key = NULL;
    }
    for (uint32_t i = 0; i < c->n_segments; i++) {
        dsp_compiled *s = &c->segments[i];
        dsp_derived  *D = NULL;
        dsp_err       why = {0};
        if (!proved[i])
            continue;
        dsp_status st = dsp_ir_build(&s->key, m, i, q, proved, precision, &why);
        if (st == DSP_OK)
            st = dsp_derive(&D, s->key, &why);
        dsp_derived_free(D);
        if (st == DSP_OK)
            continue;
        if (!only_this(st))
            return dsp_fail(err, st, "%s", why.msg);
        proved[i] = false;
        if (!(s->reason = dsp_arena_strdup(c->arena, why.msg)))
            return dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
        return build_keys(c, m, q, proved, precision, err);
    }
    return DSP_OK;
}

/* Geometry, digests and the rules that a verifier will apply. */
static dsp_status finish(dsp_circuits *c, const dsp_record *r, dsp_err *err)
{
    uint32_t            n = 0;
    dsp_key           **keys = DSP_ARENA_N(c->arena, dsp_key *, c->n_segments + 1);
    const dsp_derived **D = dsp_arena_alloc(c->arena, c->n_segments + 1, sizeof *D);
    dsp_digest         *digests = DSP_ARENA_N(c->arena, dsp_digest, c->n_segments + 1);
    if (!keys || !D || !digests)
        return dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
    for (uint32_t i = 0; i < c->n_segments; i++)
        if (c->segments[i].key)
            keys[n++] = c->segments[i].key;
    dsp_status st = dsp_geometry_choose(keys, n, err);
    n = 0;
    for (uint32_t i = 0; i < c->n_segments && st == DSP_OK; i++) {
        dsp_compiled *s = &c->segments[i];
        if (!s->key)
            continue;
        if ((st = dsp_key_seal(s->key, err)) != DSP_OK || (st = dsp_derive(&s->D, s->key, err)) != DSP_OK)
            break;
        dsp_err why = {0};
        if (dsp_key_check(s->D, &why) != DSP_OK)
            return dsp_fail(err, DSP_E_BUG, "segment_%u: the compiled key breaks a rule of its own: %s", i, why.msg);
        digests[n] = s->key->digest;
        D[n++] = s->D;
    }
    if (st == DSP_OK)
        st = dsp_run_key_digest(&c->run_key, D, n, err);
    c->model_id = dsp_model_id(&r->model, &r->digest, digests, n);
    return st;
}

/* Sources that no proved segment reads are not in the record; where shapes are known, the walk that tries layouts for them too
 * comes further and names what really stands in the way. */
static dsp_status better_reasons(ir *m, dsp_arena *a, dsp_err *err)
{
    ir  *tried = NULL;
    bool any = false;
    for (uint32_t i = 0; i < m->p->n_segments; i++)
        any = any || m->support[i].reason;
    if (!any)
        return DSP_OK;
    dsp_status st = dsp_ir_make(&tried, m->g, m->p, NULL, true, a, err);
    for (uint32_t i = 0; st == DSP_OK && i < m->p->n_segments; i++)
        if (m->support[i].reason && tried->support[i].reason && tried->support[i].node >= m->support[i].node)
            m->support[i] = tried->support[i];
    return st;
}

dsp_status dsp_lower_model(dsp_circuits **out, const dsp_graph *g, const dsp_plan *p, const dsp_record *r, const bool *prove, dsp_err *err)
{
    dsp_circuits *c = DSP_NEW(dsp_circuits);
    dsp_arena    *a = dsp_arena_create(0);
    ir           *m = NULL;
    dsp_status    st = DSP_OK;
    *out = NULL;
    if (!c || !a || !(c->arena = dsp_arena_create(0)) || !(c->segments = DSP_ARENA_N(c->arena, dsp_compiled, p->n_segments))) {
        st = dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
        goto done;
    }
    c->n_segments = p->n_segments;
    if ((st = same_model(g, p, r, err)) != DSP_OK || (st = dsp_ir_make(&m, g, p, r, false, a, err)) != DSP_OK)
        goto done;
    ir_q *q = DSP_ARENA_N(a, ir_q, m->n_tensors + 1);
    bool *proved = DSP_ARENA_N(a, bool, p->n_segments);
    if (!q || !proved) {
        st = dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
        goto done;
    }
    if ((st = dsp_ir_scales(q, m, r, err)) != DSP_OK || (st = better_reasons(m, a, err)) != DSP_OK)
        goto done;
    for (uint32_t i = 0; i < p->n_segments; i++) {
        dsp_compiled *s = &c->segments[i];
        *s = (dsp_compiled){.segment = i, .macs = p->segments[i].macs};
        const char *why = m->support[i].reason ? m->support[i].reason : prove && !prove[i] ? "not among the layers to be proved" : NULL;
        proved[i] = why == NULL;
        if (why && !(s->reason = dsp_arena_strdup(c->arena, why))) {
            st = dsp_fail(err, DSP_E_NOMEM, "lowering: out of memory");
            goto done;
        }
    }
    if ((st = build_keys(c, m, q, proved, r->precision, err)) == DSP_OK)
        st = finish(c, r, err);
done:
    dsp_arena_free(a);
    if (st == DSP_OK)
        *out = c;
    else
        dsp_circuits_free(c);
    return st;
}

void dsp_circuits_free(dsp_circuits *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->n_segments && c->segments; i++) {
        dsp_derived_free(c->segments[i].D);
        dsp_key_free(c->segments[i].key);
    }
    dsp_arena_free(c->arena);
    dsp_free(c);
}
