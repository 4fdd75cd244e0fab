/* The step verify: one verdict for a run. It reads statement, keys, proofs and the quantisation record; with --model also a model
 * file, from which it derives the keys again without ONNX Runtime.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "format/container.h"
#include "pipeline/paths.h"
#include "pipeline/runfiles.h"
#include "verifier/verify.h"

typedef struct {
    dsp_pipe              *p;
    const dsp_verify_args *a;
    dsp_run_place          place;
    dsp_statement         *st;
    dsp_record            *record;
    dsp_slice_bytes       *in;
    uint64_t              *ns;
    bool                  *selected;   /* per slice; NULL: all */
    const char           **reason;     /* per unproved segment: what the model says, where it was asked */
    bool                   macs_checked;
    dsp_arena             *arena;
    dsp_verdict            verdict;
    uint32_t               n_accepted;
    json_t                *r;
} verifier;

static dsp_status load(verifier *v, dsp_err *err)
{
    uint8_t   *p = NULL;
    size_t     n = 0;
    char      *path = NULL;
    dsp_status s = dsp_statement_load(&v->st, v->place.dir, err);
    if (s != DSP_OK)
        return s;
    v->in = DSP_NEW_N(dsp_slice_bytes, v->st->n_slices);
    v->ns = DSP_NEW_N(uint64_t, v->st->n_slices);
    v->reason = DSP_ARENA_N(v->arena, const char *, v->st->n_unproved);
    path = dsp_path_join(v->place.dir, "quantization.json");
    if (!v->in || !v->ns || !path || !v->reason) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for the proofs");
        goto done;
    }
    if ((s = dsp_file_read(&p, &n, path, DSP_FILE_MAX, err)) != DSP_OK)
        goto done;
    const dsp_digest d = dsp_sha256(p, n);
    if (!dsp_digest_eq(&d, &v->st->record)) {
        s = dsp_fail(err, DSP_E_REJECTED, "record: %s is not the quantisation record that the statement names", path);
        goto done;
    }
    if ((s = dsp_record_read(&v->record, p, n, err)) != DSP_OK) {
        dsp_context(err, s, "%s", path);
        goto done;
    }
    for (uint32_t i = 0; i < v->st->n_slices && s == DSP_OK; i++) {
        char    *vk = dsp_segment_file(v->place.dir, v->st->slices[i].index, "vk.bin");
        char    *proof = dsp_segment_file(v->place.dir, v->st->slices[i].index, "proof.bin");
        uint8_t *q = NULL;
        s = vk && proof ? dsp_file_read(&q, &v->in[i].key_len, vk, DSP_FILE_MAX, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        v->in[i].key = q;
        q = NULL;
        if (s == DSP_OK && dsp_file_exists(proof))
            s = dsp_file_read(&q, &v->in[i].proof_len, proof, DSP_FILE_MAX, err);
        v->in[i].proof = q;
        dsp_free(vk);
        dsp_free(proof);
    }
done:
    dsp_free(p);
    dsp_free(path);
    return s;
}

/* A key that cannot even be read is an unusable artifact, not a false proof. */
static dsp_status unreadable_key(verifier *v, dsp_status s, dsp_err *err)
{
    dsp_key   *key = NULL;
    dsp_err    why = {DSP_OK, ""};
    const uint32_t i = v->verdict.slice;
    if (s != DSP_E_REJECTED || i >= v->st->n_slices || (v->verdict.check != DSP_V1 && v->verdict.check != DSP_R1))
        return s;
    if (dsp_key_read(&key, v->in[i].key, v->in[i].key_len, &why) != DSP_OK) {
        v->verdict.check = 0;
        s = dsp_fail(err, DSP_E_FORMAT, "%s/segment_%u/vk.bin: %s", v->place.dir, v->st->slices[i].index, why.msg);
    }
    dsp_key_free(key);
    return s;
}

/* Names and number of segments: the keys' names carry the numbers of the proved ones and the record the cuts, so that with keys
 * and record the list of what is not proved is fixed too. */
static dsp_status check_list(verifier *v, dsp_err *err)
{
    const dsp_statement *st = v->st;
    const size_t         n = (size_t)st->n_slices + st->n_unproved;
    for (size_t i = 0; i < n; i++) {
        const bool     proved = i < st->n_slices;
        const char    *name = proved ? st->slices[i].name : st->unproved[i - st->n_slices].name;
        const uint32_t index = proved ? st->slices[i].index : st->unproved[i - st->n_slices].index;
        char           want[24];
        snprintf(want, sizeof want, "segment_%u", index);
        if (strcmp(name, want) != 0) {
            v->verdict.check = DSP_R1;
            return dsp_fail(err, DSP_E_REJECTED, "R1 run: segment %u is called '%.80s'", index, name);
        }
    }
    if (n != v->record->n_cuts + 1) {
        v->verdict.check = DSP_R1;
        return dsp_fail(err, DSP_E_REJECTED, "R1 run: the statement lists %zu segments, the record cuts the model into %zu", n, v->record->n_cuts + 1);
    }
    return DSP_OK;
}

/* Which slices --layers means. A named segment without a proof is a rejection. */
static dsp_status select_slices(verifier *v, dsp_err *err)
{
    const dsp_statement *st = v->st;
    const uint32_t       n = st->n_slices + st->n_unproved;
    bool                *flags = DSP_NEW_N(bool, n);
    dsp_status           s = DSP_OK;
    v->selected = DSP_NEW_N(bool, st->n_slices);
    if (!flags || !v->selected)
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", n);
    if (s == DSP_OK)
        s = dsp_layers_parse(flags, n, v->a->layers, err);
    for (uint32_t i = 0; i < st->n_slices && s == DSP_OK; i++)
        v->selected[i] = st->slices[i].index < n && flags[st->slices[i].index];
    for (uint32_t i = 0; i < st->n_unproved && s == DSP_OK; i++)
        if (st->unproved[i].index < n && flags[st->unproved[i].index]) {
            v->verdict.check = DSP_R1;
            s = dsp_fail(err, DSP_E_REJECTED, "R1 run: segment_%u is not proved: %s", st->unproved[i].index, st->unproved[i].reason);
        }
    dsp_free(flags);
    return s;
}

/* ---- what was meant ---- */

static dsp_status match_keys(verifier *v, const dsp_circuits *c, dsp_err *err)
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
        v->reason[i] = dsp_arena_strdup(v->arena, c->segments[k].reason ? c->segments[k].reason : "");
    }
    return DSP_OK;
}

/* Multiply-accumulates as listed are those of the plan. Without inferred shapes a plan may know too few: *known says whether it was right. */
static dsp_status match_macs(const verifier *v, const dsp_plan *plan, bool *known, dsp_err *err)
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
static dsp_status match_names(verifier *v, const dsp_graph *g, dsp_arena *a, dsp_err *err)
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
static dsp_status derive(verifier *v, dsp_graph *g, const bool *prove, bool inferred, bool *lowered, dsp_err *err)
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
static dsp_status check_model(verifier *v, dsp_err *err)
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

/* What a public tensor's integers mean, by the record and the scale that was proved. */
static bool shown_as(dsp_qtensor *as, const verifier *v, const dsp_stmt_pub *p)
{
    const dsp_qtensor *q = dsp_record_find(v->record, p->name);
    if (!q || dsp_cells(q->layout.dims) != dsp_cells(p->dims) || q->layout.rank > DSP_MAX_RANK || p->scale_bits < -128 || p->scale_bits > 128)
        return false;
    *as = *q;
    as->scale_bits = (int32_t)p->scale_bits;
    return true;
}

/* One tensor of the file against what was proved. An input must quantise to the very integers. An output may also be written as the
 * float that the verifier shows, which has 24 bits where an accumulator may have more. */
static dsp_status expect_one(const dsp_array *x, const dsp_qtensor *as, const dsp_stmt_pub *p, int use, dsp_err *err)
{
    const char *what = use == DSP_STMT_INPUT ? "input" : "output";
    int64_t    *q = DSP_NEW_N(int64_t, x->count);
    float      *want = DSP_NEW_N(float, x->count), *have = DSP_NEW_N(float, x->count);
    uint64_t    clamped = 0;
    dsp_err     why = {DSP_OK, ""};
    dsp_status  s = q && want && have ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for the expected %s", what);
    if (s != DSP_OK)
        goto done;
    if (dsp_quantise_saturating(q, &clamped, x, as, &why) != DSP_OK || (clamped && use == DSP_STMT_INPUT)) {
        s = dsp_fail(err, DSP_E_REJECTED, "expected %s: \"%s\" differs from what was proved: %s", what, p->name, clamped ? "a value is outside its range" : why.msg);
        goto done;
    }
    dsp_dequantise(want, q, as);
    dsp_dequantise(have, p->cells, as);
    for (size_t i = 0; i < x->count; i++) {
        const double f = dsp_array_f64(x, i);
        if (use == DSP_STMT_OUTPUT ? have[i] == (float)f || (!clamped && have[i] == want[i]) : have[i] == want[i])
            continue;
        s = dsp_fail(err, DSP_E_REJECTED, "expected %s: \"%s\" differs from what was proved at element %zu: %.9g expected, %.9g proved", what, p->name, i, f,
                     (double)have[i]);
        goto done;
    }
    if (use == DSP_STMT_INPUT && memcmp(q, p->cells, x->count * sizeof *q) != 0)
        s = dsp_fail(err, DSP_E_REJECTED, "expected input: \"%s\" differs from what was proved", p->name);
done:
    dsp_free(q);
    dsp_free(want);
    dsp_free(have);
    return s;
}

/* Public tensors of one use against a tensor file. */
static dsp_status expect(verifier *v, const char *path, int use, dsp_err *err)
{
    dsp_tensor_spec *spec = DSP_NEW_N(dsp_tensor_spec, v->st->n_pubs);
    dsp_array       *x = DSP_NEW_N(dsp_array, v->st->n_pubs);
    dsp_qtensor     *as = DSP_NEW_N(dsp_qtensor, v->st->n_pubs);
    uint32_t        *pub = DSP_NEW_N(uint32_t, v->st->n_pubs), n = 0;
    const char      *what = use == DSP_STMT_INPUT ? "input" : "output";
    dsp_status       s = spec && x && as && pub ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for %s", path);
    for (uint32_t i = 0; i < v->st->n_pubs && s == DSP_OK; i++) {
        if (!(v->st->pubs[i].use & use))
            continue;
        if (!shown_as(&as[n], v, &v->st->pubs[i])) {
            s = dsp_fail(err, DSP_E_REJECTED, "record: no layout for the %s \"%s\"", what, v->st->pubs[i].name);
            break;
        }
        spec[n].name = v->st->pubs[i].name;
        spec[n].dtype = DSP_DT_FLOAT;
        spec[n].rank = as[n].layout.rank;
        memcpy(spec[n].dims, as[n].layout.onnx_dims, sizeof spec[n].dims);
        pub[n++] = i;
    }
    if (s == DSP_OK && n == 0)
        s = dsp_fail(err, DSP_E_REJECTED, "expected %s: no %s of the model is part of what is proved", what, what);
    if (s == DSP_OK)
        s = dsp_tensors_load(x, spec, n, path, use == DSP_STMT_OUTPUT, err);
    for (uint32_t k = 0; k < n && s == DSP_OK; k++)
        s = expect_one(&x[k], &as[k], &v->st->pubs[pub[k]], use, err);
    for (uint32_t k = 0; x && k < n; k++)
        dsp_array_release(&x[k]);
    dsp_free(spec);
    dsp_free(x);
    dsp_free(as);
    dsp_free(pub);
    return s;
}

static dsp_status check_meaning(verifier *v, dsp_err *err)
{
    dsp_digest want;
    dsp_status s = DSP_OK;
    if (v->a->model_id) {
        if (!dsp_digest_unhex(&want, v->a->model_id))
            return dsp_fail(err, DSP_E_ARG, "--model-id: 64 hexadecimal digits expected");
        if (!dsp_digest_eq(&want, &v->st->model_id)) {
            char found[65];
            dsp_digest_hex(found, &v->st->model_id);
            return dsp_fail(err, DSP_E_REJECTED, "model id: %s expected, %s found", v->a->model_id, found);
        }
    }
    if (v->a->model && (s = check_model(v, err)) != DSP_OK)
        return s;
    if (v->a->expect_input && (s = expect(v, v->a->expect_input, DSP_STMT_INPUT, err)) != DSP_OK)
        return s;
    if (v->a->expect_output && (s = expect(v, v->a->expect_output, DSP_STMT_OUTPUT, err)) != DSP_OK)
        return s;
    if (v->a->require_full && v->st->n_unproved)
        return dsp_fail(err, DSP_E_REJECTED, "coverage: %u of %u segments are not proved (first: segment_%u: %s)", v->st->n_unproved,
                        v->st->n_unproved + v->st->n_slices, v->st->unproved[0].index, v->st->unproved[0].reason);
    return DSP_OK;
}

/* ---- report ---- */

static json_t *pub_json(const verifier *v, const dsp_stmt_pub *p)
{
    const uint64_t   n = dsp_cells(p->dims);
    const dsp_digest d = dsp_cells_digest(p->cells, n);
    json_t          *o = NULL;
    dsp_qtensor      as;
    float           *f = shown_as(&as, v, p) ? DSP_NEW_N(float, (size_t)n) : NULL;
    if (f) {
        dsp_dequantise(f, p->cells, &as);
        dsp_array x = {.dtype = DSP_DT_FLOAT, .rank = as.layout.rank, .count = (size_t)n, .bytes = (size_t)n * 4, .data = f};
        memcpy(x.dims, as.layout.onnx_dims, sizeof x.dims);
        o = dsp_array_json(p->name, &x, n <= 65536);
    }
    dsp_free(f);
    if (!o)
        o = json_pack("{s:s}", "name", p->name);
    dsp_json_put(o, "scale_bits", json_integer((json_int_t)p->scale_bits));
    dsp_json_put(o, "sha256", dsp_json_hex(&d));
    return o;
}

/* What whoever made the record was free to choose: bits, the largest step and the narrowest range of a tensor. */
static void report_record(verifier *v)
{
    const dsp_record  *q = v->record;
    const dsp_qtensor *coarse = NULL, *narrow = NULL;
    double             least = 0;
    for (size_t i = 0; i < q->n_tensors; i++) {
        const dsp_qtensor *t = &q->tensors[i];
        const double       reach = ldexp(fmax(fabs((double)t->lo), fabs((double)t->hi)), -t->scale_bits);
        coarse = !coarse || t->scale_bits < coarse->scale_bits ? t : coarse;
        if (!narrow || reach < least) {
            narrow = t;
            least = reach;
        }
    }
    dsp_json_put(v->r, "precision_bits", json_integer(q->precision));
    if (!coarse)
        return;
    dsp_json_put(v->r, "coarsest_scale_bits", json_integer(coarse->scale_bits));
    dsp_json_put(v->r, "coarsest_step", json_real(ldexp(1.0, -coarse->scale_bits)));
    dsp_json_put(v->r, "coarsest_tensor", json_string(coarse->name));
    dsp_json_put(v->r, "narrowest_range", json_real(least));
    dsp_json_put(v->r, "narrowest_tensor", json_string(narrow->name));
}

static void report_statement(verifier *v)
{
    json_t  *in = json_array(), *out = json_array(), *inner = json_array(), *un = json_array(), *r = v->r;
    for (uint32_t i = 0; i < v->st->n_pubs; i++) {
        const dsp_stmt_pub *p = &v->st->pubs[i];
        if (p->use & DSP_STMT_INPUT)
            json_array_append_new(in, pub_json(v, p));
        if (p->use & DSP_STMT_OUTPUT)
            json_array_append_new(out, pub_json(v, p));
        if (!(p->use & (DSP_STMT_INPUT | DSP_STMT_OUTPUT)))
            json_array_append_new(inner, json_string(p->name));
    }
    for (uint32_t i = 0; i < v->st->n_unproved; i++)
        json_array_append_new(un, json_pack("{s:i,s:s,s:I}", "segment", (int)v->st->unproved[i].index, "reason", v->st->unproved[i].reason, "macs",
                                            (json_int_t)v->st->unproved[i].macs));
    dsp_json_put(r, "bundle", json_boolean(v->place.bundle));
    dsp_json_put(r, "run_dir", json_string(v->place.dir));
    dsp_json_put(r, "model_sha256", dsp_json_hex(&v->st->model));
    dsp_json_put(r, "model_id", dsp_json_hex(&v->st->model_id));
    dsp_json_put(r, "model_checked", json_string(v->a->model ? "keys derived from the model file" : v->a->model_id ? "model id as given" : "no"));
    dsp_json_put(r, "model_id_checked", json_boolean(v->a->model_id != NULL));
    dsp_json_put(r, "record_sha256", dsp_json_hex(&v->st->record));
    report_record(v);
    dsp_json_put(r, "inputs", in);
    dsp_json_put(r, "outputs", out);
    dsp_json_put(r, "public_boundaries", inner);
    dsp_json_put(r, "unproved", un);
    dsp_json_put(r, "input_checked", json_boolean(v->a->expect_input != NULL));
    dsp_json_put(r, "output_checked", json_boolean(v->a->expect_output != NULL));
}

static void report_verdict(verifier *v, dsp_status s, const dsp_err *err, const json_t *result)
{
    json_t  *rows = json_array(), *r = v->r, *coverage, *o;
    uint64_t bytes = 0, ns = 0, macs = 0;
    uint32_t n = 0;
    size_t   at;
    for (uint32_t i = 0; i < v->st->n_slices; i++)
        if (!v->selected || v->selected[i]) {
            macs += v->st->slices[i].macs;
            n++;
        }
    dsp_json_put(r, "coverage", coverage = dsp_coverage(v->st, n, macs));
    dsp_json_put(coverage, "macs_checked", json_boolean(v->macs_checked));
    json_array_foreach(json_object_get(r, "unproved"), at, o)
        if (v->reason && at < v->st->n_unproved && v->reason[at])
            dsp_json_put(o, "model_reason", json_string(v->reason[at]));
    for (uint32_t i = 0; i < v->st->n_slices; i++) {
        const json_t *pe = json_object_get(dsp_result_entry((json_t *)(uintptr_t)result, v->st->slices[i].index), "proof_execution");
        o = json_object();
        dsp_json_put(o, "segment", json_integer(v->st->slices[i].index));
        if (pe)
            dsp_json_put(o, "prove_seconds", dsp_json_time(dsp_json_num(pe, "proof_generation_time")));
        if (json_object_get(pe, "peak_memory_bytes"))
            dsp_json_put(o, "prove_peak_memory_bytes", json_incref(json_object_get(pe, "peak_memory_bytes")));
        dsp_json_put(o, "verify_seconds", dsp_json_time((double)v->ns[i] / 1e9));
        dsp_json_put(o, "proof_bytes", json_integer((json_int_t)v->in[i].proof_len));
        dsp_json_put(o, "verified", json_boolean(s == DSP_OK && (!v->selected || v->selected[i])));
        json_array_append_new(rows, o);
        bytes += v->in[i].proof_len;
        ns += v->ns[i];
    }
    dsp_json_put(r, "segments", rows);
    dsp_json_put(r, "proof_bytes", json_integer((json_int_t)bytes));
    dsp_json_put(r, "verify_seconds", dsp_json_time((double)ns / 1e9));
    dsp_json_put(r, "verdict", json_string(s == DSP_OK ? (v->selected ? "partial" : "accepted") : s == DSP_E_REJECTED ? "rejected" : "error"));
    if (s != DSP_OK) {
        char name[8];
        dsp_json_put(r, "error", json_string(err->msg));
        if (v->verdict.check) {
            const bool run = v->verdict.check >= DSP_R1;
            snprintf(name, sizeof name, "%c%u", run ? 'R' : 'V', (run ? v->verdict.check - DSP_R1 + 1 : v->verdict.check) % 100);
            dsp_json_put(r, "check", json_string(name));
        }
        if (v->verdict.slice < v->st->n_slices)
            dsp_json_put(r, "segment", json_integer(v->st->slices[v->verdict.slice].index));
    }
}

typedef struct { verifier *v; dsp_status verdict; } verdict_arg;

/* The floats that run_result.json shows are replaced by those that were verified, and with them the prediction. */
static void verified_outputs(verifier *v, json_t *result)
{
    json_t              *list = json_object_get(result, "outputs"), *proved, *o, *q;
    const dsp_stmt_pub  *only = NULL;
    uint32_t             n = 0;
    size_t               i, k;
    proved = json_object_get(v->r, "outputs");
    json_array_foreach(list, i, o) {
        bool found = false;
        json_array_foreach(proved, k, q)
            if (strcmp(dsp_json_str(o, "name"), dsp_json_str(q, "name")) == 0 && json_object_get(q, "data")) {
                dsp_json_put(o, "data", json_incref(json_object_get(q, "data")));
                dsp_json_put(o, "shape", json_incref(json_object_get(q, "shape")));
                found = true;
            }
        dsp_json_put(o, "verified", json_boolean(found));
    }
    for (uint32_t p = 0; p < v->st->n_pubs; p++)
        if (v->st->pubs[p].use & DSP_STMT_OUTPUT) {
            only = &v->st->pubs[p];
            n++;
        }
    dsp_qtensor as;
    float      *f = n == 1 && json_array_size(list) == 1 && shown_as(&as, v, only) ? DSP_NEW_N(float, (size_t)dsp_cells(only->dims)) : NULL;
    if (f) {
        dsp_array x = {.dtype = DSP_DT_FLOAT, .rank = as.layout.rank, .count = (size_t)dsp_cells(only->dims), .data = f};
        memcpy(x.dims, as.layout.onnx_dims, sizeof x.dims);
        dsp_dequantise(f, only->cells, &as);
        dsp_classify(result, &x, 1);
    }
    dsp_free(f);
}

/* The run's own file gets the verdict too. */
static void put_verdict(void *arg, json_t *result)
{
    const verdict_arg *a = arg;
    verifier          *v = a->v;
    const bool         ok = a->verdict == DSP_OK;
    json_t            *chain = dsp_json_object_at(result, "execution_chain"), *o = json_object();
    uint32_t           n = 0;
    for (uint32_t i = 0; i < v->st->n_slices; i++) {
        json_t *e = dsp_result_entry(result, v->st->slices[i].index);
        if (!e || (v->selected && !v->selected[i]))
            continue;
        json_t *x = json_object();
        n += ok;
        dsp_json_put(x, "verified", json_boolean(ok));
        dsp_json_put(x, "success", json_boolean(ok));
        dsp_json_put(x, "verification_time", dsp_json_time((double)v->ns[i] / 1e9));
        dsp_json_put(e, "verification_execution", x);
    }
    dsp_json_put(chain, "verified_slices", json_integer(n));
    dsp_json_put(chain, "ezkl_verified_slices", json_integer(0));
    if (ok && !v->selected)
        verified_outputs(v, result);
    static const char *const same[] = {"verdict", "check", "error", "model_id", "model_checked", "input_checked", "output_checked", "coverage", "inputs", "outputs",
                                       "public_boundaries", "unproved"};
    for (size_t k = 0; k < sizeof same / sizeof *same; k++)
        if (json_object_get(v->r, same[k]))
            dsp_json_put(o, same[k], json_incref(json_object_get(v->r, same[k])));
    dsp_json_put(result, "chain_verification", o);
}

static dsp_status update_result(verifier *v, json_t **result, dsp_status verdict, dsp_err *err)
{
    char             *path = dsp_path_join(v->place.dir, "run_result.json");
    verdict_arg       a = {v, verdict};
    const dsp_status  s = path ? dsp_json_update(result, path, put_verdict, &a, 2, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    dsp_free(path);
    return s;
}

/* Called before the first proof (DSP_NONE) and after each accepted one. A proof's bytes stand for the time it takes. */
static void on_accepted(void *arg, uint32_t slice)
{
    verifier *v = arg;
    uint32_t  n = 0;
    double    all = 0, seen = 0;
    for (uint32_t i = 0; i < v->st->n_slices; i++)
        if (!v->selected || v->selected[i]) {
            n++;
            all += (double)v->in[i].proof_len;
            seen += slice != DSP_NONE && i <= slice ? (double)v->in[i].proof_len : 0;
        }
    v->n_accepted += slice != DSP_NONE;
    dsp_pipe_progress(v->p, "verify", v->n_accepted, n, all > 0 ? seen / all : 0, 0);
}

dsp_status dsp_pipe_verify(dsp_pipe *p, const dsp_verify_args *a, json_t **report, dsp_err *err)
{
    dsp_err    own = {DSP_OK, ""};
    verifier   v = {.p = p, .a = a, .verdict = {.slice = DSP_NONE}};
    json_t    *result = NULL;
    *report = NULL;
    err = err ? err : &own;
    dsp_status s = dsp_find_run(&v.place, a->run, true, err);
    if (s != DSP_OK)
        return s;
    if (v.place.chosen)
        dsp_pipe_say(p, DSP_SAY_INFO, "the newest run: %s", dsp_path_base(v.place.dir));
    v.r = *report = dsp_json_head();
    v.arena = dsp_arena_create(0);
    if (!v.arena) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a verdict");
        goto done;
    }
    if (!v.place.bundle) {
        char *path = dsp_path_join(v.place.dir, "run_result.json");
        s = path ? dsp_json_load(&result, path, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        dsp_free(path);
        if (s != DSP_OK)
            goto done;
    }
    s = load(&v, err);
    if (s != DSP_OK && (s != DSP_E_REJECTED || !v.ns))
        goto done;
    if (s == DSP_OK) {
        if ((s = check_list(&v, err)) == DSP_OK && a->layers && (s = select_slices(&v, err)) != DSP_OK && s != DSP_E_REJECTED)
            goto done;
        report_statement(&v);
    }
    if (s == DSP_OK) {
        v.verdict.progress = on_accepted;
        v.verdict.progress_arg = &v;
        on_accepted(&v, DSP_NONE);
        v.verdict.clock = dsp_clock_ns;
        v.verdict.slice_ns = v.ns;
        v.verdict.selected = v.selected;
        s = unreadable_key(&v, dsp_verify_run(&v.verdict, v.st, v.in, 0, err), err);
    }
    if (s == DSP_OK)
        s = check_meaning(&v, err);
    report_verdict(&v, s, err, result);
    if (result && !a->read_only && (s == DSP_OK || s == DSP_E_REJECTED)) {
        dsp_err other = {DSP_OK, ""};
        if (update_result(&v, &result, s, &other) != DSP_OK)
            dsp_pipe_say(p, DSP_SAY_WARNING, "%s", other.msg);
    }
    if (a->output && (s == DSP_OK || s == DSP_E_REJECTED)) {
        dsp_err          other = {DSP_OK, ""};
        const dsp_status w = dsp_result_save_copy(a->output, result ? result : v.r, v.place.dir, &other);
        if (w != DSP_OK && s == DSP_OK) {
            s = w;
            *err = other;
        }
    }
done:
    json_decref(result);
    for (uint32_t i = 0; v.in && i < v.st->n_slices; i++) {
        dsp_free((void *)(uintptr_t)v.in[i].key);
        dsp_free((void *)(uintptr_t)v.in[i].proof);
    }
    dsp_free(v.in);
    dsp_free(v.ns);
    dsp_free(v.selected);
    dsp_arena_free(v.arena);
    dsp_record_free(v.record);
    dsp_statement_free(v.st);
    dsp_free(v.place.dir);
    return s;
}
