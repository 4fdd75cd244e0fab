/* --model: the native keys once more, from the model file and the record. */
#include <string.h>

#include "pipeline/verify_step.h"

static dsp_status match_keys(dsp_verifier *v, const dsp_circuits *c, dsp_err *err)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < c->n_segments; i++) {
        const dsp_key *key = c->segments[i].key;
        if (!key)
            continue;
        if (at >= v->st->n_slices || v->st->slices[at].index != i || !dsp_digest_eq(&v->st->slices[at].key, &key->digest))
            return dsp_fail(err, DSP_E_REJECTED, "model: the key of segment_%u is not the one that the model and the record give", i);
        at++;
    }
    if (at != v->st->n_slices)
        return dsp_fail(err, DSP_E_REJECTED, "model: %u slices are proved, the model gives %u keys", v->st->n_slices, at);
    if (!dsp_digest_eq(&c->model_id, &v->st->model_id))
        return dsp_fail(err, DSP_E_REJECTED, "model: the model id is another one");
    for (uint32_t i = 0; i < v->st->n_unproved; i++) {
        const uint32_t k = v->st->unproved[i].index;
        if (k >= c->n_segments || c->segments[k].key)
            return dsp_fail(err, DSP_E_REJECTED, "model: segment_%u is not one that the model leaves unproved", k);
        v->reason[k] = dsp_arena_strdup(v->arena, c->segments[k].reason ? c->segments[k].reason : "");
    }
    return DSP_OK;
}

/* Multiply-accumulates as listed are those of the plan. Without inferred shapes a plan may know too few: *known says whether it was right. */
static dsp_status match_macs(const dsp_verifier *v, const dsp_plan *plan, bool *known, dsp_err *err)
{
    *known = false;
    for (uint32_t i = 0; i < v->st->n_slices + v->st->n_unproved; i++) {
        const bool     proved = i < v->st->n_slices;
        const uint32_t k = proved ? v->st->slices[i].index : v->st->unproved[i - v->st->n_slices].index;
        const uint64_t macs = proved ? v->st->slices[i].macs : v->st->unproved[i - v->st->n_slices].macs;
        if (k >= plan->n_segments || plan->segments[k].macs != macs)
            return dsp_fail(err, DSP_E_REJECTED, "model: segment_%u is listed with %ju multiply-accumulates, the model has %ju", k, (uintmax_t)macs,
                            (uintmax_t)(k < plan->n_segments ? plan->segments[k].macs : 0));
    }
    *known = true;
    return DSP_OK;
}

/* Inputs and outputs of the statement are those of the graph. */
static dsp_status match_names(dsp_verifier *v, const dsp_graph *g, dsp_arena *a, dsp_err *err)
{
    for (uint32_t i = 0; i < v->st->n_pubs; i++) {
        const dsp_stmt_pub *q = &v->st->pubs[i];
        const dsp_value    *gv = NULL;
        for (uint32_t k = 0; k < g->n_values && !gv; k++) {
            const char *name = dsp_lower_tensor_name(g, k, a);
            gv = name && strcmp(name, q->name) == 0 ? &g->values[k] : NULL;
        }
        const bool          in = q->use & DSP_STMT_INPUT, out = q->use & DSP_STMT_OUTPUT;
        if (!gv || gv->is_input != in || gv->is_output != out)
            return dsp_fail(err, DSP_E_REJECTED, "model: tensor \"%s\" is not the model's %s", q->name, in ? "input" : out ? "output" : "inner tensor");
    }
    for (uint32_t i = 0; i < g->n_outputs && v->st->n_unproved == 0; i++) {
        const char *name = dsp_lower_tensor_name(g, g->outputs[i], a);
        if (!name || (dsp_statement_pub(v->st, name) == DSP_NONE && !g->values[g->outputs[i]].constant))
            return dsp_fail(err, DSP_E_REJECTED, "model: the statement lacks the output \"%s\"", g->values[g->outputs[i]].name);
    }
    return DSP_OK;
}

/* Derives the keys and compares. lowered: every slice of the statement could be derived at all. */
static dsp_status derive(dsp_verifier *v, dsp_graph *g, const bool *prove, bool inferred, bool *lowered, dsp_err *err)
{
    dsp_err       other = {DSP_OK, ""};
    dsp_plan     *plan = NULL;
    dsp_circuits *c = NULL;
    dsp_status    s = dsp_plan_make(&plan, g, v->record->cuts, v->record->n_cuts, false, err);
    *lowered = false;
    if (s != DSP_OK)
        goto done;
    if (v->st->n_slices + v->st->n_unproved != plan->n_segments) {
        *lowered = true;
        s = dsp_fail(err, DSP_E_REJECTED, "model: the statement lists %u segments, the model has %u", v->st->n_slices + v->st->n_unproved, plan->n_segments);
        goto done;
    }
    if ((s = dsp_lower_model(&c, g, plan, v->record, prove, err)) != DSP_OK) {
        dsp_context(err, s, "deriving the keys from %s", v->a->model);
        goto done;
    }
    *lowered = true;
    for (uint32_t i = 0; i < v->st->n_slices; i++)
        *lowered = *lowered && v->st->slices[i].index < c->n_segments && c->segments[v->st->slices[i].index].key;
    if ((s = match_keys(v, c, err)) == DSP_OK)
        s = match_names(v, g, c->arena, err);
    if (s == DSP_OK && match_macs(v, plan, &v->macs_checked, &other) != DSP_OK && inferred)
        s = dsp_fail(err, DSP_E_REJECTED, "%s", other.msg);
done:
    dsp_circuits_free(c);
    dsp_plan_free(plan);
    return s;
}

/* The lowering computes every shape itself. Only where an operator's arguments are shape arithmetic does it need ONNX Runtime's
 * folding; so do the multiply-accumulates of a model that declares no shapes. */
dsp_status dsp_verify_model(dsp_verifier *v, dsp_err *err)
{
    dsp_graph *g = NULL;
    dsp_ort   *ort;
    bool       lowered;
    const uint32_t n = v->st->n_slices + v->st->n_unproved;
    bool      *prove = DSP_NEW_N(bool, n);
    dsp_err    other = {DSP_OK, ""};
    dsp_status s = prove ? dsp_graph_load(&g, v->a->model, v->record->binds, v->record->n_binds, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", n);
    if (s == DSP_E_ARG) /* the record binds a dimension that this model does not have */
        s = dsp_context(err, DSP_E_REJECTED, "model");
    if (s != DSP_OK)
        goto done;
    if (!dsp_digest_eq(&g->digest, &v->st->model)) {
        s = dsp_fail(err, DSP_E_REJECTED, "model: %s is not the model that the statement names", v->a->model);
        goto done;
    }
    for (uint32_t i = 0; i < v->st->n_slices; i++)
        if (v->st->slices[i].index < n)
            prove[v->st->slices[i].index] = true;
    s = derive(v, g, prove, false, &lowered, err);
    if ((s == DSP_OK && v->macs_checked) || s == DSP_E_NOMEM)
        goto done;
    if (dsp_pipe_ort(&ort, v->p, &other) == DSP_OK && dsp_graph_infer(g, ort, &other) == DSP_OK)
        s = derive(v, g, prove, true, &lowered, err);
    else if (!lowered)
        s = dsp_fail(err, DSP_E_UNAVAILABLE, "model: the keys cannot be derived without ONNX Runtime: %s", other.msg);
done:
    dsp_free(prove);
    dsp_graph_free(g);
    return s;
}

