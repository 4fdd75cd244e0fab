/* The step verify: one verdict for a run. It reads statements, keys, proofs and the quantisation record; with --model also a model
 * file, from which it derives the keys again. Order: what the native verifier and the rules F1 to F7 say, then what was meant, then ezkl's own
 * verdicts, then the model.
 */
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "pipeline/verify_step.h"

static dsp_status load_native(dsp_verifier *v, dsp_err *err)
{
    uint8_t   *p = NULL;
    size_t     n = 0;
    char      *path = NULL;
    dsp_status s;
    v->in = DSP_NEW_N(dsp_slice_bytes, v->st->n_slices);
    v->ns = DSP_NEW_N(uint64_t, v->st->n_slices);
    path = dsp_path_join(v->place.dir, "quantization.json");
    if (!v->in || !v->ns || !path) {
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
static dsp_status unreadable_key(dsp_verifier *v, dsp_status s, dsp_err *err)
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
static dsp_status check_list(dsp_verifier *v, dsp_err *err)
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

/* Boundary tensors of the native keys, once these have been verified. */
static dsp_status list_uses(dsp_verifier *v, dsp_err *err)
{
    size_t     n = 0;
    dsp_status s = DSP_OK;
    v->slices = DSP_ARENA_N(v->arena, dsp_slice *, v->st->n_slices);
    if (!v->slices)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for the keys");
    for (uint32_t i = 0; i < v->st->n_slices; i++) {
        if ((s = dsp_backend_native()->load(&v->slices[i], v->in[i].key, v->in[i].key_len, err)) != DSP_OK)
            return s;
        n += v->slices[i]->n_io;
    }
    if (!(v->uses = DSP_ARENA_N(v->arena, dsp_native_use, n)))
        return dsp_fail(err, DSP_E_NOMEM, "no memory for the keys");
    for (uint32_t i = 0; i < v->st->n_slices; i++)
        for (uint32_t k = 0; k < v->slices[i]->n_io; k++)
            v->uses[v->n_uses++] = (dsp_native_use){v->st->slices[i].index, v->slices[i]->io[k].name, v->slices[i]->io[k].made, v->slices[i]->io[k].pub};
    return s;
}

/* Which segments --layers means. A named segment without a proof is a rejection. */
static dsp_status select_segments(dsp_verifier *v, dsp_err *err)
{
    const uint32_t n = v->claims.n;
    bool          *flags = DSP_NEW_N(bool, n);
    dsp_status     s = DSP_OK;
    v->selected = DSP_NEW_N(bool, v->st ? v->st->n_slices : 0);
    v->foreign_selected = DSP_NEW_N(bool, v->f ? v->f->n_segments : 0);
    if (!flags || !v->selected || !v->foreign_selected)
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", n);
    if (s == DSP_OK)
        s = dsp_layers_parse(flags, n, v->a->layers, err);
    for (uint32_t i = 0; i < n && s == DSP_OK; i++) {
        const dsp_run_claim *c = &v->claims.list[i];
        const bool           named = c->index < n && flags[c->index];
        if (c->by == DSP_BY_NATIVE) {
            v->selected[c->at] = named;
        } else if (c->by == DSP_BY_EZKL) {
            v->foreign_selected[c->at] = named;
        } else if (named) {
            v->verdict.check = DSP_R1;
            s = dsp_fail(err, DSP_E_REJECTED, "R1 run: segment_%u is not proved: %s", c->index, c->reason);
        }
    }
    dsp_free(flags);
    return s;
}

/* ---- what was meant ---- */

static dsp_status check_meaning(dsp_verifier *v, dsp_err *err)
{
    dsp_digest want;
    dsp_status s = DSP_OK;
    if (v->a->model_id) {
        if (!dsp_digest_unhex(&want, v->a->model_id))
            return dsp_fail(err, DSP_E_ARG, "--model-id: 64 hexadecimal digits expected");
        if (!dsp_digest_eq(&want, &v->claims.model_id)) {
            char found[65];
            dsp_digest_hex(found, &v->claims.model_id);
            return dsp_fail(err, DSP_E_REJECTED, "model id: %s expected, %s found", v->a->model_id, found);
        }
    }
    if (v->a->model && v->st && (s = dsp_verify_model(v, err)) != DSP_OK)
        return s;
    if (v->a->expect_input && (s = dsp_verify_expect(v, v->a->expect_input, DSP_STMT_INPUT, err)) != DSP_OK)
        return s;
    if (v->a->expect_output && (s = dsp_verify_expect(v, v->a->expect_output, DSP_STMT_OUTPUT, err)) != DSP_OK)
        return s;
    if (v->a->require_full && v->claims.n_proved < v->claims.n)
        return dsp_fail(err, DSP_E_REJECTED, "coverage: %u of %u segments are not proved (first: segment_%u: %s)", v->claims.n - v->claims.n_proved, v->claims.n,
                        v->claims.list[v->claims.n_proved].index, v->claims.list[v->claims.n_proved].reason);
    return DSP_OK;
}

/* ---- order ---- */

static dsp_status update_result(dsp_verifier *v, json_t **result, dsp_status verdict, dsp_err *err)
{
    char             *path = dsp_path_join(v->place.dir, "run_result.json");
    dsp_verdict_arg   a = {v, verdict};
    const dsp_status  s = path ? dsp_json_update(result, path, dsp_verify_put_verdict, &a, 2, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    dsp_free(path);
    return s;
}

/* Called before the first proof and after each accepted one. A proof's bytes stand for the time it takes, those of ezkl many times over. */
static void on_accepted(dsp_verifier *v, uint32_t native, uint32_t foreign)
{
    uint32_t n = 0;
    double   all = 0, seen = 0;
    for (uint32_t i = 0; i < v->claims.n_proved; i++) {
        const dsp_run_claim *c = &v->claims.list[i];
        if (!dsp_wanted(v, i))
            continue;
        const double bytes = c->by == DSP_BY_NATIVE ? (double)v->in[c->at].proof_len : 100 * (double)v->foreign[c->at].proof_len;
        n++;
        all += bytes;
        seen += c->by == DSP_BY_NATIVE ? (foreign != DSP_NONE || (native != DSP_NONE && c->at <= native) ? bytes : 0) : foreign != DSP_NONE && c->at <= foreign ? bytes : 0;
    }
    v->n_accepted += native != DSP_NONE || foreign != DSP_NONE;
    dsp_pipe_progress(v->p, "verify", v->n_accepted, n, all > 0 ? seen / all : 0, 0);
}

static void native_accepted(void *arg, uint32_t slice) { on_accepted(arg, slice, DSP_NONE); }
static void foreign_accepted(void *arg, uint32_t at) { on_accepted(arg, DSP_NONE, at); }

static dsp_status verify_native(dsp_verifier *v, dsp_err *err)
{
    v->verdict.progress = native_accepted;
    v->verdict.progress_arg = v;
    v->verdict.clock = dsp_clock_ns;
    v->verdict.slice_ns = v->ns;
    v->verdict.selected = v->selected;
    return unreadable_key(v, dsp_verify_run(&v->verdict, v->st, v->in, 0, err), err);
}

/* Everything in order; what ezkl alone can say, and what takes longest, comes last. */
static dsp_status judge(dsp_verifier *v, dsp_err *err)
{
    dsp_foreign_run run = {.f = v->f, .st = v->st, .st_digest = v->claims.st_digest, .record = v->record, .bytes = v->foreign, .selected = v->foreign_selected};
    dsp_status      s = DSP_OK;
    on_accepted(v, DSP_NONE, DSP_NONE);
    if (v->st && (s = verify_native(v, err)) != DSP_OK)
        return s;
    if (v->f) {
        if (v->st && (s = list_uses(v, err)) != DSP_OK)
            return s;
        run.uses = v->uses;
        run.n_uses = v->n_uses;
        v->foreign_verdict.clock = dsp_clock_ns;
        v->foreign_verdict.ns = v->foreign_ns;
        v->foreign_verdict.progress = foreign_accepted;
        v->foreign_verdict.progress_arg = v;
        if ((s = dsp_foreign_check_run(&v->foreign_verdict, &run, 0, err)) != DSP_OK)
            return s;
    }
    if ((s = check_meaning(v, err)) != DSP_OK || !v->f)
        return s;
    dsp_ezkl_judge ezkl = {v->p, v->f, v->foreign};
    if ((s = dsp_foreign_check_proofs(&v->foreign_verdict, &run, dsp_ezkl_judge_proof, &ezkl, 0, err)) != DSP_OK)
        return s;
    return v->a->model ? dsp_verify_model_ezkl(v, err) : DSP_OK;
}

/* Both statements and what they name. DSP_E_REJECTED only where a verdict can be reported. */
static dsp_status load(dsp_verifier *v, dsp_err *err)
{
    dsp_status s = dsp_run_claims_load(&v->claims, v->place.dir, err);
    if (s != DSP_OK)
        return s;
    v->st = v->claims.st;
    v->f = v->claims.f;
    v->reason = DSP_ARENA_N(v->arena, const char *, (size_t)v->claims.n + (v->st ? (size_t)v->st->n_slices + v->st->n_unproved : 0));
    if (!v->reason)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a list of segments");
    if (v->f) {
        v->foreign_ns = DSP_NEW_N(uint64_t, v->f->n_segments);
        if (!v->foreign_ns)
            return dsp_fail(err, DSP_E_NOMEM, "no memory for the proofs");
        if ((s = dsp_foreign_bytes_load(&v->foreign, v->place.dir, v->f, err)) != DSP_OK)
            return s;
    }
    return v->st ? load_native(v, err) : DSP_OK;
}

static void release(dsp_verifier *v)
{
    for (uint32_t i = 0; v->in && i < v->st->n_slices; i++) {
        dsp_free((void *)(uintptr_t)v->in[i].key);
        dsp_free((void *)(uintptr_t)v->in[i].proof);
    }
    for (uint32_t i = 0; v->slices && i < v->st->n_slices; i++)
        if (v->slices[i])
            v->slices[i]->backend->free(v->slices[i]);
    dsp_foreign_bytes_free(v->foreign, v->f);
    dsp_free(v->foreign_ns);
    dsp_free(v->foreign_selected);
    dsp_free(v->in);
    dsp_free(v->ns);
    dsp_free(v->selected);
    dsp_record_free(v->record);
    dsp_run_claims_release(&v->claims);
    dsp_arena_free(v->arena);
    dsp_free(v->place.dir);
}

dsp_status dsp_pipe_verify(dsp_pipe *p, const dsp_verify_args *a, json_t **report, dsp_err *err)
{
    dsp_err      own = {DSP_OK, ""};
    dsp_verifier v = {.p = p, .a = a, .verdict = {.slice = DSP_NONE}, .foreign_verdict = {.at = DSP_NONE}};
    json_t      *result = NULL;
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
        if (v.st)
            s = check_list(&v, err);
        if (s == DSP_OK && a->layers && (s = select_segments(&v, err)) != DSP_OK && s != DSP_E_REJECTED)
            goto done;
        const dsp_status shown = dsp_verify_show(&v, s == DSP_OK ? err : NULL);
        s = s == DSP_OK ? shown : s;
        dsp_verify_report_statement(&v);
    }
    if (s == DSP_OK)
        s = judge(&v, err);
    dsp_verify_report_verdict(&v, s, err, result);
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
    release(&v);
    return s;
}
