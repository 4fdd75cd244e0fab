/* What verify says, and what it leaves in the run's results. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format/container.h"
#include "pipeline/verify_step.h"

static json_t *pub_json(const dsp_shown *t)
{
    const dsp_stmt_pub *p = t->pub;
    const uint64_t      n = dsp_cells(p->dims);
    const dsp_digest    d = dsp_cells_digest(p->cells, n);
    json_t             *o = NULL;
    float              *f = t->known ? DSP_NEW_N(float, (size_t)n) : NULL;
    if (f) {
        dsp_dequantise(f, p->cells, &t->as);
        dsp_array x = {.dtype = DSP_DT_FLOAT, .rank = t->as.layout.rank, .count = (size_t)n, .bytes = (size_t)n * 4, .data = f};
        memcpy(x.dims, t->as.layout.onnx_dims, sizeof x.dims);
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
static void report_record(dsp_verifier *v)
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

void dsp_verify_report_statement(dsp_verifier *v)
{
    json_t *in = json_array(), *out = json_array(), *inner = json_array(), *un = json_array(), *r = v->r;
    for (uint32_t i = 0; i < v->n_shown; i++) {
        const dsp_stmt_pub *p = v->shown[i].pub;
        if (p->use & DSP_STMT_INPUT)
            json_array_append_new(in, pub_json(&v->shown[i]));
        if (p->use & DSP_STMT_OUTPUT)
            json_array_append_new(out, pub_json(&v->shown[i]));
        if (!(p->use & (DSP_STMT_INPUT | DSP_STMT_OUTPUT)))
            json_array_append_new(inner, json_string(p->name));
    }
    for (uint32_t i = v->claims.n_proved; i < v->claims.n; i++)
        json_array_append_new(un, json_pack("{s:i,s:s,s:I}", "segment", (int)v->claims.list[i].index, "reason", v->claims.list[i].reason, "macs",
                                            (json_int_t)v->claims.list[i].macs));
    dsp_json_put(r, "bundle", json_boolean(v->place.bundle));
    dsp_json_put(r, "run_dir", json_string(v->place.dir));
    dsp_json_put(r, "model_sha256", dsp_json_hex(&v->claims.model));
    dsp_json_put(r, "model_id", dsp_json_hex(&v->claims.model_id));
    dsp_json_put(r, "model_checked", json_string(v->a->model ? "keys derived from the model file" : v->a->model_id ? "model id as given" : "no"));
    dsp_json_put(r, "model_id_checked", json_boolean(v->a->model_id != NULL));
    if (v->st) {
        dsp_json_put(r, "record_sha256", dsp_json_hex(&v->st->record));
        report_record(v);
    }
    if (v->f) {
        dsp_json_put(r, "ezkl_scale_bits", json_integer(v->f->scale));
        dsp_json_put(r, "insecure_srs", json_boolean(dsp_run_insecure(&v->claims)));
    }
    dsp_json_put(r, "inputs", in);
    dsp_json_put(r, "outputs", out);
    dsp_json_put(r, "public_boundaries", inner);
    dsp_json_put(r, "unproved", un);
    dsp_json_put(r, "input_checked", json_boolean(v->a->expect_input != NULL));
    dsp_json_put(r, "output_checked", json_boolean(v->a->expect_output != NULL));
}

static uint64_t proof_bytes(const dsp_verifier *v, const dsp_run_claim *c)
{
    return c->by == DSP_BY_NATIVE ? v->in[c->at].proof_len : v->foreign ? v->foreign[c->at].proof_len : 0;
}

static uint64_t time_of(const dsp_verifier *v, const dsp_run_claim *c)
{
    return c->by == DSP_BY_NATIVE ? v->ns[c->at] : v->foreign_ns ? v->foreign_ns[c->at] : 0;
}

/* Which check spoke, and about which segment. What was meant has no numbers: those messages start with a name and a colon. */
static void report_check(dsp_verifier *v, dsp_status s, const dsp_err *err)
{
    char name[24] = "";
    if (v->foreign_verdict.check) {
        snprintf(name, sizeof name, "F%u", v->foreign_verdict.check % 100);
        if (v->foreign_verdict.at != DSP_NONE)
            dsp_json_put(v->r, "segment", json_integer(v->f->segments[v->foreign_verdict.at].index));
    } else if (v->verdict.check) {
        const bool run = v->verdict.check >= DSP_R1;
        snprintf(name, sizeof name, "%c%u", run ? 'R' : 'V', (run ? v->verdict.check - DSP_R1 + 1 : v->verdict.check) % 100);
        if (v->st && v->verdict.slice < v->st->n_slices)
            dsp_json_put(v->r, "segment", json_integer(v->st->slices[v->verdict.slice].index));
    } else if (s == DSP_E_REJECTED) {
        static const char *const meant[] = {"model id", "model", "expected input", "expected output", "coverage", "record"};
        for (size_t i = 0; i < sizeof meant / sizeof *meant && !*name; i++)
            if (strncmp(err->msg, meant[i], strlen(meant[i])) == 0 && err->msg[strlen(meant[i])] == ':')
                snprintf(name, sizeof name, "%s", meant[i]);
    }
    if (*name)
        dsp_json_put(v->r, "check", json_string(name));
}

void dsp_verify_report_verdict(dsp_verifier *v, dsp_status s, const dsp_err *err, const json_t *result)
{
    json_t    *rows = json_array(), *r = v->r, *coverage, *o;
    uint64_t   bytes = 0, ns = 0;
    size_t     at;
    const bool partial = v->selected || v->foreign_selected;
    bool      *wanted = DSP_NEW_N(bool, v->claims.n);
    for (uint32_t i = 0; wanted && i < v->claims.n; i++)
        wanted[i] = dsp_wanted(v, i);
    if (wanted) {
        dsp_json_put(r, "coverage", coverage = dsp_run_coverage(&v->claims, wanted));
        dsp_json_put(coverage, "macs_checked", json_boolean(v->macs_checked));
    }
    json_array_foreach(json_object_get(r, "unproved"), at, o) {
        const uint32_t k = v->claims.n_proved + at < v->claims.n ? v->claims.list[v->claims.n_proved + at].index : DSP_NONE;
        if (v->reason && k < v->claims.n && v->reason[k])
            dsp_json_put(o, "model_reason", json_string(v->reason[k]));
    }
    for (uint32_t i = 0; i < v->claims.n_proved; i++) {
        const dsp_run_claim *c = &v->claims.list[i];
        const json_t        *pe = json_object_get(dsp_result_entry((json_t *)(uintptr_t)result, c->index), "proof_execution");
        o = json_object();
        dsp_json_put(o, "segment", json_integer(c->index));
        dsp_json_put(o, "backend", json_string(dsp_by_text(c->by)));
        if (c->by == DSP_BY_EZKL)
            dsp_json_put(o, "insecure_srs", json_boolean(v->f->segments[c->at].insecure));
        if (pe)
            dsp_json_put(o, "prove_seconds", dsp_json_time(dsp_json_num(pe, "proof_generation_time")));
        if (json_object_get(pe, "peak_memory_bytes"))
            dsp_json_put(o, "prove_peak_memory_bytes", json_incref(json_object_get(pe, "peak_memory_bytes")));
        dsp_json_put(o, "verify_seconds", dsp_json_time((double)time_of(v, c) / 1e9));
        dsp_json_put(o, "proof_bytes", json_integer((json_int_t)proof_bytes(v, c)));
        dsp_json_put(o, "verified", json_boolean(s == DSP_OK && wanted && wanted[i]));
        json_array_append_new(rows, o);
        bytes += proof_bytes(v, c);
        ns += time_of(v, c);
    }
    dsp_free(wanted);
    dsp_rows_by_segment(rows);
    dsp_json_put(r, "segments", rows);
    dsp_json_put(r, "proof_bytes", json_integer((json_int_t)bytes));
    dsp_json_put(r, "verify_seconds", dsp_json_time((double)ns / 1e9));
    dsp_json_put(r, "verdict", json_string(s == DSP_OK ? (partial ? "partial" : "accepted") : s == DSP_E_REJECTED ? "rejected" : "error"));
    if (s != DSP_OK) {
        dsp_json_put(r, "error", json_string(err->msg));
        report_check(v, s, err);
    }
}

/* The floats that run_result.json shows are replaced by those that were verified, and with them the prediction. */
static void verified_outputs(dsp_verifier *v, json_t *result)
{
    json_t          *list = json_object_get(result, "outputs"), *proved, *o, *q;
    const dsp_shown *only = NULL;
    uint32_t         n = 0;
    size_t           i, k;
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
    for (uint32_t p = 0; p < v->n_shown; p++)
        if (v->shown[p].pub->use & DSP_STMT_OUTPUT) {
            only = &v->shown[p];
            n++;
        }
    float *f = n == 1 && json_array_size(list) == 1 && only->known ? DSP_NEW_N(float, (size_t)dsp_cells(only->pub->dims)) : NULL;
    if (f) {
        dsp_array x = {.dtype = DSP_DT_FLOAT, .rank = only->as.layout.rank, .count = (size_t)dsp_cells(only->pub->dims), .data = f};
        memcpy(x.dims, only->as.layout.onnx_dims, sizeof x.dims);
        dsp_dequantise(f, only->pub->cells, &only->as);
        dsp_classify(result, &x, 1);
    }
    dsp_free(f);
}

void dsp_verify_put_verdict(void *arg, json_t *result)
{
    const dsp_verdict_arg *a = arg;
    dsp_verifier          *v = a->v;
    const bool             ok = a->verdict == DSP_OK;
    json_t                *chain = dsp_json_object_at(result, "execution_chain"), *o = json_object();
    uint32_t               n[3] = {0};
    for (uint32_t i = 0; i < v->claims.n_proved; i++) {
        const dsp_run_claim *c = &v->claims.list[i];
        json_t              *e = dsp_result_entry(result, c->index);
        if (!e || !dsp_wanted(v, i))
            continue;
        json_t *x = json_object();
        n[c->by] += ok;
        dsp_json_put(x, "verified", json_boolean(ok));
        dsp_json_put(x, "success", json_boolean(ok));
        dsp_json_put(x, "verification_time", dsp_json_time((double)time_of(v, c) / 1e9));
        dsp_json_put(e, "verification_execution", x);
    }
    dsp_json_put(chain, "verified_slices", json_integer(n[DSP_BY_NATIVE] + n[DSP_BY_EZKL]));
    dsp_json_put(chain, "ezkl_verified_slices", json_integer(n[DSP_BY_EZKL]));
    if (ok && !v->selected && !v->foreign_selected)
        verified_outputs(v, result);
    static const char *const same[] = {"verdict", "check", "error", "model_id", "model_checked", "input_checked", "output_checked", "coverage", "inputs", "outputs",
                                       "public_boundaries", "unproved", "insecure_srs"};
    for (size_t k = 0; k < sizeof same / sizeof *same; k++)
        if (json_object_get(v->r, same[k]))
            dsp_json_put(o, same[k], json_incref(json_object_get(v->r, same[k])));
    dsp_json_put(result, "chain_verification", o);
}
