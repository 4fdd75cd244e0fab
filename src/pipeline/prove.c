/* The step prove: one proof per witnessed segment of a run. It touches neither the model file nor ONNX Runtime: keys, boundaries,
 * statement and secret of the run folder are all it reads; for ezkl also circuits and proving keys where compile left them.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "format/container.h"
#include "pipeline/lock.h"
#include "pipeline/paths.h"
#include "pipeline/prove_ezkl.h"
#include "pipeline/runclaims.h"
#include "pipeline/runfiles.h"

typedef struct {
    bool       selected;
    dsp_status status;
    dsp_err    err;
    bool       done, fresh;       /* a valid proof is on disk; it was made now */
    dsp_slice *slice;             /* loaded key; NULL when that failed, the status then says why */
    bool       alone;             /* large: proved by all threads together */
    uint64_t   load_ns, prove_ns, verify_ns, bytes, peak_bytes;
    dsp_cost   cost;
    dsp_digest digest;
} slot;

typedef struct {
    dsp_pipe                 *p;
    const dsp_prove_run_args *a;
    char                     *dir, *result_path, *ledger_path;
    dsp_run_claims            claims;
    dsp_statement            *st;           /* of claims */
    uint32_t                  n_native;     /* slots before those of ezkl */
    json_t                   *result;
    uint8_t                   secret[32];
    dsp_digest                secret_id;
    slot                     *slots;        /* per segment that somebody proves, in the order of claims */
    bool                     *proved;       /* per segment of claims */
    uint32_t                 *order;        /* slices by falling cost */
    uint32_t                  n_alone;      /* the first so many of order */
    dsp_arena               **space;        /* per thread */
    uint32_t                  n_selected, n_tried;
    uint64_t                  cost_ns, cost_tried_ns; /* predicted */
    pthread_mutex_t           lock;         /* result, ledger */
    dsp_status                save_status;
    dsp_err                  *save_err;
    dsp_lock                  folder;       /* shared with other provers */
} prover;

/* The ledger's record is one file for all slices: one at a time. */
typedef struct { prover *pr; dsp_ledger ledger; } ledger_arg;
static dsp_status record(void *arg, const dsp_digest *context, const dsp_digest *roots, uint32_t n, dsp_err *err)
{
    ledger_arg *l = arg;
    pthread_mutex_lock(&l->pr->lock);
    const dsp_status s = dsp_ledger_record(&l->ledger, context, roots, n, err);
    pthread_mutex_unlock(&l->pr->lock);
    return s;
}

/* Whether a valid proof of this slice is on disk. */
static bool have_proof(prover *pr, slot *t, const dsp_slice *sl, const char *path)
{
    uint8_t       *p = NULL;
    size_t         n = 0;
    unsigned       check;
    const uint64_t t0 = dsp_clock_ns();
    const bool     ok = dsp_file_read(&p, &n, path, DSP_FILE_MAX, NULL) == DSP_OK && sl->backend->verify(sl, pr->st, p, n, &check, NULL) == DSP_OK;
    if (ok) {
        t->bytes = n;
        t->digest = dsp_sha256(p, n);
        t->verify_ns = dsp_clock_ns() - t0;
    }
    dsp_free(p);
    return ok;
}

static dsp_status prove_slice(prover *pr, uint32_t i, unsigned thread, dsp_err *err)
{
    slot          *t = &pr->slots[i];
    const uint32_t segment = pr->st->slices[i].index;
    dsp_slice     *sl = t->slice;
    int64_t      **own = NULL;
    const int64_t **cells = NULL;
    dsp_buf        proof = {0};
    char          *path = dsp_segment_file(pr->dir, segment, "proof.bin");
    ledger_arg     la = {pr, {pr->ledger_path, pr->secret_id, segment, 0}};
    const uint64_t t0 = dsp_clock_ns();
    dsp_status     s = path ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (s != DSP_OK)
        goto done;
    if (!pr->a->force && have_proof(pr, t, sl, path)) {
        t->done = true;
        goto done;
    }
    if (pr->p->max_memory_bytes && t->cost.peak_bytes > pr->p->max_memory_bytes) {
        s = dsp_fail(err, DSP_E_LIMIT, "segment %u: proving is predicted to take %.1f MiB, --max-memory allows %.1f MiB", segment,
                     (double)t->cost.peak_bytes / 1048576, (double)pr->p->max_memory_bytes / 1048576);
        goto done;
    }
    own = DSP_NEW_N(int64_t *, sl->n_io);
    cells = DSP_NEW_N(const int64_t *, sl->n_io);
    if (!own || !cells) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for segment %u", segment);
        goto done;
    }
    if ((s = dsp_witness_cells(own, cells, pr->dir, pr->st, sl, segment, err)) != DSP_OK)
        goto done;
    const uint64_t        t1 = dsp_clock_ns();
    const dsp_slice_prove args = {.statement = pr->st, .cells = cells, .secret = pr->secret, .pool = pr->p->pool, .space = pr->space[thread], .ledger = record, .ledger_arg = &la,
                                    .peak_bytes = &t->peak_bytes};
    if ((s = sl->backend->prove(&proof, sl, &args, err)) != DSP_OK) {
        /* a caller's condition was broken: here, what is on disk does not fit together */
        s = s == DSP_E_ARG || s == DSP_E_REJECTED ? DSP_E_UNSUPPORTED : s;
        goto done;
    }
    const uint64_t t2 = dsp_clock_ns();
    if (!pr->a->no_self_verify) {
        unsigned check = 0;
        s = sl->backend->verify(sl, pr->st, proof.p, proof.len, &check, err);
        if (s != DSP_OK) {
            s = dsp_fail(err, DSP_E_BUG, "segment %u: the proof just made does not verify: %s", segment, err->msg);
            goto done;
        }
        t->verify_ns = dsp_clock_ns() - t2;
    }
    if ((s = dsp_file_write_fast(path, proof.p, proof.len, 0644, err)) != DSP_OK)
        goto done;
    t->done = t->fresh = true;
    t->load_ns += t1 - t0;
    t->prove_ns = t2 - t1;
    t->bytes = proof.len;
    t->digest = dsp_sha256(proof.p, proof.len);
done:
    for (uint32_t k = 0; own && k < sl->n_io; k++)
        if (own[k]) {
            dsp_wipe(own[k], (size_t)sl->io[k].count * sizeof(int64_t));
            dsp_free(own[k]);
        }
    dsp_free(own);
    dsp_free(cells);
    dsp_buf_release(&proof);
    dsp_free(path);
    return s;
}

typedef struct { prover *pr; uint32_t i; } note_arg;

/* One segment's entry of run_result.json. */
static void put_entry(void *arg, json_t *result)
{
    const note_arg *a = arg;
    const prover   *pr = a->pr;
    const slot     *t = &pr->slots[a->i];
    const uint32_t  index = pr->claims.list[a->i].index;
    json_t         *e = dsp_result_entry(result, index), *o = json_object();
    const json_t   *old = json_object_get(e, "proof_execution");
    json_t         *out;
    size_t          k;
    char            file[48];
    snprintf(file, sizeof file, "segment_%u/%s", index, dsp_proof_file(pr->claims.list[a->i].by));
    dsp_json_put(o, "proof_file", json_string(file));
    dsp_json_put(o, "success", json_boolean(t->done));
    if (t->done && !t->fresh && json_object_get(old, "proof_generation_time"))
        dsp_json_put(o, "proof_generation_time", json_incref(json_object_get(old, "proof_generation_time")));
    else
        dsp_json_put(o, "proof_generation_time", dsp_json_time((double)t->prove_ns / 1e9));
    if (t->done) {
        dsp_json_put(o, "skipped", json_boolean(!t->fresh));
        dsp_json_put(o, "proof_bytes", json_integer((json_int_t)t->bytes));
        dsp_json_put(o, "proof_sha256", dsp_json_hex(&t->digest));
        dsp_json_put(o, "self_verified", json_boolean(t->verify_ns != 0));
        if (t->verify_ns)
            dsp_json_put(o, "self_verification_time", dsp_json_time((double)t->verify_ns / 1e9));
        if (t->fresh && t->peak_bytes)
            dsp_json_put(o, "peak_memory_bytes", json_integer((json_int_t)t->peak_bytes));
        else if (!t->fresh && json_object_get(old, "peak_memory_bytes"))
            dsp_json_put(o, "peak_memory_bytes", json_incref(json_object_get(old, "peak_memory_bytes")));
        dsp_json_put(o, "process_peak_memory_bytes", json_integer((json_int_t)dsp_peak_rss_bytes()));
    } else {
        dsp_json_put(o, "error", json_string(t->err.msg));
    }
    if (e)
        dsp_json_put(e, "proof_execution", o);
    else
        json_decref(o);
    /* What a verifier said was about the proofs before. */
    json_object_del(e, "verification_execution");
    json_object_del(result, "verification");
    json_object_del(result, "chain_verification");
    json_array_foreach(json_object_get(result, "outputs"), k, out)
        json_object_del(out, "verified");
}

/* Counters over all slices of the run, whoever proved them. */
static void put_totals(void *arg, json_t *result)
{
    prover  *pr = arg;
    json_t  *chain = dsp_json_object_at(result, "execution_chain");
    uint32_t n[3] = {0};
    for (uint32_t i = 0; i < pr->claims.n_proved; i++) {
        const dsp_run_claim *c = &pr->claims.list[i];
        const json_t        *o = json_object_get(dsp_result_entry(result, c->index), "proof_execution");
        char                *file = dsp_segment_file(pr->dir, c->index, dsp_proof_file(c->by));
        pr->proved[i] = json_is_true(json_object_get(o, "success")) && file && dsp_file_exists(file);
        n[c->by] += pr->proved[i];
        dsp_free(file);
    }
    dsp_json_put(chain, "proved_slices", json_integer(n[DSP_BY_NATIVE] + n[DSP_BY_EZKL]));
    dsp_json_put(chain, "ezkl_proved_slices", json_integer(n[DSP_BY_EZKL]));
    dsp_json_put(chain, "verified_slices", json_integer(0));
    dsp_json_put(chain, "ezkl_verified_slices", json_integer(0));
    dsp_json_put(result, "proved", dsp_run_coverage(&pr->claims, pr->proved));
}

/* Keeps the first failure to save; proofs go on. */
static void update(prover *pr, dsp_json_change *change, void *arg)
{
    if (pr->save_status == DSP_OK)
        pr->save_status = dsp_json_update(&pr->result, pr->result_path, change, arg, 2, pr->save_err);
}

static void load_job(void *arg, size_t at, unsigned thread)
{
    prover        *pr = arg;
    slot          *t = &pr->slots[at];
    const uint64_t t0 = dsp_clock_ns();
    (void)thread;
    if (!t->selected)
        return;
    t->status = dsp_run_key_load(&t->slice, pr->dir, pr->st, (uint32_t)at, &t->err);
    if (t->slice && t->slice->derived)
        dsp_cost_predict(&t->cost, t->slice->derived);
    t->load_ns = dsp_clock_ns() - t0;
}

static void report_progress(const prover *pr)
{
    dsp_pipe_progress(pr->p, "prove", pr->n_tried, pr->n_selected, pr->cost_ns ? (double)pr->cost_tried_ns / (double)pr->cost_ns : 0,
                      (double)pr->cost_ns / 1e9 / dsp_pool_threads(pr->p->pool));
}

/* Says and writes down what became of a segment. */
static void finish_slot(prover *pr, uint32_t at)
{
    slot          *t = &pr->slots[at];
    const uint32_t index = pr->claims.list[at].index;
    pthread_mutex_lock(&pr->lock);
    note_arg note = {pr, at};
    update(pr, put_entry, &note);
    if (t->status != DSP_OK)
        dsp_pipe_say(pr->p, DSP_SAY_ERROR, "segment_%u: %s", index, t->err.msg);
    else
        dsp_pipe_say(pr->p, DSP_SAY_INFO, "segment_%u: %s, %ju bytes", index, t->fresh ? "proved" : "proof is valid already", (uintmax_t)t->bytes);
    pr->n_tried++;
    pr->cost_tried_ns += t->cost.prove_ns;
    report_progress(pr);
    pthread_mutex_unlock(&pr->lock);
}

static void job(void *arg, size_t k, unsigned thread)
{
    prover        *pr = arg;
    const uint32_t at = pr->order[k];
    slot          *t = &pr->slots[at];
    if (!t->selected)
        return;
    if (t->status == DSP_OK)
        t->status = prove_slice(pr, at, thread, &t->err);
    finish_slot(pr, at);
}

/* One after the other: each takes all cores, and gigabytes. */
static void prove_foreign(prover *pr)
{
    for (uint32_t at = pr->n_native; at < pr->claims.n_proved; at++) {
        slot                     *t = &pr->slots[at];
        dsp_prove_ezkl_use        use;
        const dsp_prove_ezkl_args args = {.p = pr->p, .dir = pr->dir, .f = pr->claims.f, .entry = dsp_result_entry(pr->result, pr->claims.list[at].index),
                                          .force = pr->a->force, .self_verify = !pr->a->no_self_verify};
        if (!t->selected)
            continue;
        t->status = dsp_prove_ezkl(&use, &args, pr->claims.list[at].at, &t->err);
        if (t->status == DSP_OK) {
            t->done = true;
            t->fresh = use.fresh;
            t->load_ns = use.load_ns;
            t->prove_ns = use.prove_ns;
            t->verify_ns = use.verify_ns;
            t->bytes = use.bytes;
            t->peak_bytes = use.peak_bytes;
            t->digest = use.digest;
        }
        finish_slot(pr, at);
    }
}

static void small_job(void *arg, size_t k, unsigned thread)
{
    prover *pr = arg;
    job(arg, pr->n_alone + k, thread);
}

/* Slices that would keep one thread busy for longer than all others together, or that take much memory, are proved by all threads one after
 * the other; the rest side by side, costly ones first. */
static dsp_status prove_all(prover *pr, dsp_err *err)
{
    const uint32_t n = pr->n_native;
    const unsigned threads = dsp_pool_threads(pr->p->pool);
    uint64_t       total = 0;
    pr->order = DSP_NEW_N(uint32_t, n);
    pr->space = DSP_NEW_N(dsp_arena *, threads);
    if (!pr->order || !pr->space)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", n);
    for (unsigned i = 0; i < threads; i++)
        if (!(pr->space[i] = dsp_arena_create(0)))
            return dsp_fail(err, DSP_E_NOMEM, "no memory for %u threads", threads);
    dsp_pool_run(pr->p->pool, n, load_job, pr);
    for (uint32_t i = 0; i < n; i++)
        total += pr->slots[i].cost.prove_ns;
    for (uint32_t i = 0; i < n; i++) {
        slot    *t = &pr->slots[i];
        uint32_t k = i;
        t->alone = n == 1 || t->cost.prove_ns > total / threads || t->cost.peak_bytes > (uint64_t)1 << 28 ||
                   (pr->p->max_memory_bytes && t->cost.peak_bytes > pr->p->max_memory_bytes / threads);
        for (; k && pr->slots[pr->order[k - 1]].alone <= t->alone &&
               (pr->slots[pr->order[k - 1]].alone < t->alone || pr->slots[pr->order[k - 1]].cost.prove_ns < t->cost.prove_ns); k--)
            pr->order[k] = pr->order[k - 1];
        pr->order[k] = i;
        pr->n_alone += t->alone;
    }
    for (uint32_t i = n; i < pr->claims.n_proved; i++)
        pr->slots[i].cost.prove_ns = dsp_prove_ezkl_cost_ns(&pr->claims.f->segments[pr->claims.list[i].at]);
    for (uint32_t i = 0; i < pr->claims.n_proved; i++) {
        pr->n_selected += pr->slots[i].selected;
        pr->cost_ns += pr->slots[i].selected ? pr->slots[i].cost.prove_ns : 0;
    }
    report_progress(pr);
    for (uint32_t k = 0; k < pr->n_alone; k++)
        job(pr, k, 0);
    dsp_pool_run(pr->p->pool, n - pr->n_alone, small_job, pr);
    prove_foreign(pr);
    return DSP_OK;
}

static json_t *row_json(const prover *pr, uint32_t i)
{
    const slot *t = &pr->slots[i];
    json_t     *o = json_object();
    dsp_json_put(o, "segment", json_integer(pr->claims.list[i].index));
    dsp_json_put(o, "backend", json_string(dsp_by_text(pr->claims.list[i].by)));
    dsp_json_put(o, "result", json_string(!t->selected ? "not selected" : t->status != DSP_OK ? "failed" : t->fresh ? "proved" : "valid already"));
    if (t->done) {
        dsp_json_put(o, "prove_seconds", dsp_json_time((double)t->prove_ns / 1e9));
        dsp_json_put(o, "load_seconds", dsp_json_time((double)t->load_ns / 1e9));
        dsp_json_put(o, "self_verify_seconds", dsp_json_time((double)t->verify_ns / 1e9));
        dsp_json_put(o, "proof_bytes", json_integer((json_int_t)t->bytes));
        dsp_json_put(o, "proof_sha256", dsp_json_hex(&t->digest));
        if (t->peak_bytes)
            dsp_json_put(o, "peak_memory_bytes", json_integer((json_int_t)t->peak_bytes));
    } else if (t->status != DSP_OK) {
        dsp_json_put(o, "error", json_string(t->err.msg));
    }
    return o;
}

static dsp_status select_slices(prover *pr, dsp_err *err)
{
    const uint32_t n = pr->claims.n;
    bool          *flags = DSP_NEW_N(bool, n);
    dsp_status     s = flags ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", n);
    if (s == DSP_OK && pr->a->layers)
        s = dsp_layers_parse(flags, n, pr->a->layers, err);
    for (uint32_t i = 0; i < pr->claims.n_proved && s == DSP_OK; i++)
        pr->slots[i].selected = !pr->a->layers || (pr->claims.list[i].index < n && flags[pr->claims.list[i].index]);
    dsp_free(flags);
    return s;
}

/* Results of all slices; a failed one decides the status. */
static dsp_status conclude(prover *pr, json_t **report, uint64_t t0, dsp_err *err)
{
    json_t    *r = *report = dsp_json_head(), *rows = json_array();
    uint32_t   n = 0, wanted = 0;
    uint64_t   bytes = 0, prove_ns = 0;
    dsp_status s = DSP_OK;
    for (uint32_t i = 0; i < pr->claims.n_proved; i++) {
        const slot *t = &pr->slots[i];
        json_array_append_new(rows, row_json(pr, i));
        wanted += t->selected;
        n += t->done;
        bytes += t->bytes;
        prove_ns += t->prove_ns;
        if (t->status != DSP_OK && s == DSP_OK) {
            s = t->status;
            if (err)
                *err = t->err;
            dsp_context(err, s, "segment_%u", pr->claims.list[i].index);
        }
    }
    dsp_rows_by_segment(rows);
    update(pr, put_totals, pr);
    dsp_json_put(r, "run_dir", json_string(pr->dir));
    dsp_json_put(r, "segments", rows);
    dsp_json_put(r, "proved", json_integer(n));
    dsp_json_put(r, "of", json_integer(wanted));
    if (pr->claims.f)
        dsp_json_put(r, "insecure_srs", json_boolean(dsp_run_insecure(&pr->claims)));
    dsp_json_put(r, "coverage", json_incref(json_object_get(pr->result, "proved")));
    dsp_json_put(r, "proof_bytes", json_integer((json_int_t)bytes));
    dsp_json_put(r, "prove_seconds", dsp_json_time((double)prove_ns / 1e9));
    dsp_json_put(r, "seconds", dsp_json_time((double)(dsp_clock_ns() - t0) / 1e9));
    dsp_json_put(r, "peak_memory_bytes", json_integer((json_int_t)dsp_peak_rss_bytes()));
    if (s == DSP_OK && pr->save_status != DSP_OK) {
        s = pr->save_status;
        if (err)
            *err = *pr->save_err;
    }
    if (s == DSP_OK && pr->a->output)
        s = dsp_result_save_copy(pr->a->output, pr->result, pr->dir, err);
    return s;
}

/* Provers of different segments work side by side; the first one to come sweeps. */
static dsp_status join_provers(prover *pr, dsp_err *err)
{
    if (!dsp_lock_try(&pr->folder, pr->dir, "prove"))
        return dsp_lock_take(&pr->folder, pr->dir, "prove", DSP_LOCK_JOIN, err);
    dsp_sweep_temporaries(pr->dir, NULL, 1);
    return dsp_lock_share(&pr->folder, err);
}

dsp_status dsp_pipe_prove(dsp_pipe *p, const dsp_prove_run_args *a, json_t **report, dsp_err *err)
{
    dsp_err        save_err = {DSP_OK, ""};
    prover         pr = {.p = p, .a = a, .save_err = &save_err, .folder = DSP_LOCK_NONE};
    dsp_run_place  place;
    const uint64_t t0 = dsp_clock_ns();
    *report = NULL;
    if (pthread_mutex_init(&pr.lock, NULL) != 0)
        return dsp_fail(err, DSP_E_NOMEM, "no lock");
    dsp_status s = dsp_find_run(&place, a->run, false, err);
    if (s != DSP_OK)
        goto done;
    pr.dir = place.dir;
    if ((s = join_provers(&pr, err)) != DSP_OK)
        goto done;
    if (place.chosen)
        dsp_pipe_say(p, DSP_SAY_INFO, "the newest run: %s", dsp_path_base(pr.dir));
    pr.result_path = dsp_path_join(pr.dir, "run_result.json");
    pr.ledger_path = dsp_path_join(pr.dir, "ledger.bin");
    if (!pr.result_path || !pr.ledger_path) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        goto done;
    }
    if ((s = dsp_json_load(&pr.result, pr.result_path, err)) != DSP_OK)
        goto done;
    /* Another version may lay out or draw something otherwise: under one secret that would open new columns. */
    if (strcmp(dsp_json_str(pr.result, "tool_version"), DSP_VERSION) != 0) {
        s = dsp_fail(err, DSP_E_UNSUPPORTED, "%s: made by version %s of the program, this is %s; make a new run", pr.dir, dsp_json_str(pr.result, "tool_version"),
                     DSP_VERSION);
        goto done;
    }
    if (dsp_json_u64(json_object_get(pr.result, "execution_chain"), "witness_slices") == 0) {
        s = dsp_fail(err, DSP_E_MISSING, "%s: no segment of this run was compiled, so there is nothing to prove", pr.dir);
        goto done;
    }
    if ((s = dsp_run_claims_load(&pr.claims, pr.dir, err)) != DSP_OK || (s = dsp_run_claims_fit(&pr.claims, pr.dir, err)) != DSP_OK)
        goto done;
    pr.st = pr.claims.st;
    pr.n_native = pr.st ? pr.st->n_slices : 0;
    pr.slots = DSP_NEW_N(slot, pr.claims.n_proved);
    pr.proved = DSP_NEW_N(bool, pr.claims.n);
    if (!pr.slots || !pr.proved) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", pr.claims.n);
        goto done;
    }
    if ((s = select_slices(&pr, err)) != DSP_OK || (pr.st && (s = dsp_run_secret_load(pr.secret, pr.dir, pr.st, err)) != DSP_OK))
        goto done;
    pr.secret_id = dsp_sha256(pr.secret, 32);
    if ((s = prove_all(&pr, err)) == DSP_OK)
        s = conclude(&pr, report, t0, err);
done:
    for (uint32_t i = 0; pr.slots && i < pr.n_native; i++)
        if (pr.slots[i].slice)
            pr.slots[i].slice->backend->free(pr.slots[i].slice);
    for (unsigned i = 0; pr.space && i < dsp_pool_threads(p->pool); i++)
        dsp_arena_free(pr.space[i]);
    dsp_free(pr.space);
    dsp_free(pr.order);
    pthread_mutex_destroy(&pr.lock);
    dsp_wipe(pr.secret, sizeof pr.secret);
    json_decref(pr.result);
    dsp_run_claims_release(&pr.claims);
    dsp_free(pr.proved);
    dsp_free(pr.slots);
    dsp_free(pr.result_path);
    dsp_free(pr.ledger_path);
    dsp_lock_release(&pr.folder);
    dsp_free(pr.dir);
    return s;
}
