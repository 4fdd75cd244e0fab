/* The step run: exact integers through the compiled segments, ONNX Runtime through the others, and the statement that the
 * proofs of this run will be about.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "format/container.h"
#include "pipeline/checkpoint.h"
#include "pipeline/paths.h"
#include "pipeline/resume.h"
#include "pipeline/run_ezkl.h"
#include "pipeline/runclaims.h"
#include "pipeline/runfiles.h"
#include "prover/prove.h"

typedef struct {
    dsp_pipe           *p;
    const dsp_run_args *a;
    dsp_model          *m;
    dsp_array          *in;
    char               *input_path, *root, *result_path;
    dsp_lock            slices_lock;
    dsp_run_folder      folder;
    dsp_checkpoint      check;
    json_t             *result;
    dsp_digest          input_digest;
    dsp_store           store;
    dsp_run_claims      claims;        /* with both statements */
    dsp_run_ezkl        ezkl;
    uint64_t            saturated, macs_done;
    uint32_t            n_witnessed, n_ezkl, n_done, n_restored;
    uint32_t            n_saved;       /* segments whose outputs are on disk, from the first on */
    uint64_t            saved_at;      /* when, dsp_clock_ns */
} runner;

/* ---- the run's folder ---- */

static dsp_status save(runner *r, bool flush, dsp_err *err) { return dsp_json_save(r->result_path, r->result, 2, flush, err); }

static json_t *rel(const char *from, const char *to)
{
    char   *p = dsp_path_from(from, to);
    json_t *j = json_string(p ? p : "");
    dsp_free(p);
    return j;
}

static dsp_status begin(runner *r, dsp_err *err)
{
    char             now[32];
    const dsp_digest nonce = *(const dsp_digest *)(const void *)r->folder.nonce;
    json_t          *o = r->result = dsp_json_head(), *chain = json_object();
    r->result_path = dsp_path_join(r->folder.dir, "run_result.json");
    if (!r->result_path)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    dsp_utc_now(now);
    dsp_json_put(o, "status", json_string("running"));
    dsp_json_put(o, "run_id", json_string(dsp_path_base(r->folder.dir)));
    dsp_json_put(o, "started_at", json_string(now));
    dsp_json_put(o, "model_path", rel(r->folder.dir, r->m->model_dir));
    dsp_json_put(o, "slices_path", rel(r->folder.dir, r->m->slices_dir));
    dsp_json_put(o, "input_path", rel(r->folder.dir, r->input_path));
    dsp_json_put(o, "input_sha256", dsp_json_hex(&r->input_digest));
    dsp_json_put(o, "model_sha256", dsp_json_hex(&r->m->g->digest));
    dsp_json_put(o, "model_id", dsp_json_hex(&r->m->claim_id));
    dsp_json_put(o, "run_key", dsp_json_hex(&r->m->run_key));
    dsp_json_put(o, "nonce", dsp_json_hex(&nonce));
    dsp_json_put(chain, "total_slices", json_integer(r->m->n));
    dsp_json_put(chain, "execution_results", json_array());
    dsp_json_put(o, "execution_chain", chain);
    return save(r, false, err);
}

/* A segment without multiply-accumulates counts a little too. */
static void report_progress(const runner *r)
{
    double all = 0;
    for (uint32_t i = 0; i < r->m->n; i++)
        all += (double)r->m->segs[i].macs + 1;
    dsp_pipe_progress(r->p, "run", r->n_done, r->m->n, all > 0 ? (double)r->macs_done / all : 0, 0);
}

/* What proving the segment takes: the circuit and the proving key are large and stay where compile put them. */
static json_t *circuit_json(const runner *r, const dsp_seg *s)
{
    json_t *o = json_object();
    dsp_json_put(o, "compiled", rel(r->folder.dir, s->ezkl->compiled));
    dsp_json_put(o, "compiled_sha256", dsp_json_hex(&s->ezkl->compiled_digest));
    dsp_json_put(o, "pk_key", rel(r->folder.dir, s->ezkl->pk));
    dsp_json_put(o, "pk_key_sha256", dsp_json_hex(&s->ezkl->pk_digest));
    dsp_json_put(o, "settings_sha256", dsp_json_hex(&s->ezkl->settings_digest));
    dsp_json_put(o, "scale", json_integer(r->m->scale));
    dsp_json_put(o, "logrows", json_integer(s->ezkl->circuit.logrows));
    dsp_json_put(o, "insecure_srs", json_boolean(s->ezkl->insecure));
    return o;
}

static dsp_status run_ezkl(void *arg, dsp_seg *s, dsp_err *err) { return dsp_run_ezkl_segment(&((const runner *)arg)->ezkl, s, err); }

/* The state as it is: outputs of the segments that ran since it was last saved, then the result so far. */
static dsp_status save_state(runner *r, dsp_err *err)
{
    dsp_status s = DSP_OK;
    for (; r->n_saved < r->n_done && s == DSP_OK; r->n_saved += s == DSP_OK)
        if (!r->m->segs[r->n_saved].restored)
            s = dsp_checkpoint_write(&r->check, r->m, &r->m->segs[r->n_saved], &r->store, err);
    if (s == DSP_OK)
        s = save(r, false, err);
    r->saved_at = dsp_clock_ns();
    return s;
}

static dsp_status after_segment(void *arg, dsp_seg *s, dsp_err *err)
{
    runner *r = arg;
    json_t *e = json_object(), *w = json_object(), *chain = json_object_get(r->result, "execution_chain");
    char    file[64];
    const bool ezkl = dsp_seg_by_ezkl(s);
    dsp_json_put(w, "method", json_string(s->slice ? s->slice->backend->method : ezkl ? "ezkl_gen_witness" : s->ezkl ? "ezkl_fallback_onnx" : "onnx_only"));
    dsp_json_put(w, "execution_time", dsp_json_time(s->seconds));
    dsp_json_put(w, "attempted_ezkl", json_boolean(s->ezkl != NULL));
    dsp_json_put(w, "attempted_backend", s->slice ? json_string(s->slice->backend->name) : s->ezkl ? json_string("ezkl") : json_null());
    dsp_json_put(w, "success", json_true());
    snprintf(file, sizeof file, "%s/input.json", s->name);
    dsp_json_put(w, "input_file", json_string(ezkl ? file : "unknown"));
    snprintf(file, sizeof file, "%s/witness.%s", s->name, ezkl ? "json" : "bin");
    dsp_json_put(w, "output_file", json_string(s->slice || ezkl ? file : "unknown"));
    dsp_json_put(w, "saturated_cells", json_integer((json_int_t)s->saturated));
    if (!s->slice && !ezkl)
        dsp_json_put(w, "reason", json_string(dsp_seg_reason(s)));
    if (s->fell_back) {
        dsp_json_put(w, "error", json_string(s->fall_error));
        dsp_json_put(w, "attempts", json_pack("[{s:s,s:s,s:o,s:s},{s:s,s:s,s:o,s:n}]", "backend", "ezkl", "stage", "gen-witness", "seconds", dsp_json_time(s->ezkl_seconds),
                                              "error", s->fall_error, "backend", "onnx", "stage", "run", "seconds", dsp_json_time(s->seconds - s->ezkl_seconds), "error"));
    }
    dsp_json_put(e, "segment_id", json_string(s->name));
    dsp_json_put(e, "backend", s->slice ? json_string(s->slice->backend->name) : ezkl ? json_string("ezkl") : json_null());
    if (s->slice || ezkl)
        dsp_json_put(e, "vk_sha256", dsp_json_hex(s->slice ? &s->slice->digest : &s->ezkl->vk_digest));
    if (ezkl)
        dsp_json_put(e, "ezkl", circuit_json(r, s));
    dsp_json_put(e, "macs", json_integer((json_int_t)s->macs));
    dsp_json_put(e, "witness_execution", w);
    json_array_append_new(dsp_json_array_at(chain, "execution_results"), e);
    r->n_witnessed += s->slice || ezkl;
    r->n_ezkl += ezkl;
    r->saturated += s->saturated;
    r->n_done++;
    r->macs_done += s->macs + 1;
    report_progress(r);
    dsp_json_put(chain, "ezkl_witness_slices", json_integer(r->n_ezkl));
    dsp_json_put(chain, "witness_slices", json_integer(r->n_witnessed));
    dsp_pipe_say(r->p, DSP_SAY_DEBUG, "%s: %s, %.3f s%s", s->name, s->slice ? "integers" : ezkl ? "ezkl" : "ONNX Runtime", s->seconds,
                 s->restored ? ", finished before" : "");
    return dsp_clock_ns() - r->saved_at < dsp_checkpoint_pace_ns() ? DSP_OK : save_state(r, err);
}

static dsp_status restore_segment(void *arg, dsp_seg *s, bool *done, dsp_err *err)
{
    runner          *r = arg;
    dsp_status       st = DSP_OK;
    *done = false;
    if (!s->ezkl || dsp_run_ezkl_ready(r->folder.dir, s))
        st = dsp_checkpoint_restore(done, &r->check, r->m, s, &r->store, err);
    r->n_restored += st == DSP_OK && *done;
    return st;
}

/* ---- the statement ---- */

/* Adds the boundary tensors of the slices that are public (or committed), each once; in graph order within inputs, then outputs,
 * then inner ones. */
static dsp_status add_pubs(runner *r, int use, dsp_err *err)
{
    const dsp_graph *g = r->m->g;
    for (uint32_t i = 0; i < r->m->n; i++) {
        const dsp_seg *s = &r->m->segs[i];
        for (uint32_t k = 0; s->slice && k < s->slice->n_io; k++) {
            const dsp_io    *io = &s->slice->io[k];
            const dsp_value *v = &g->values[s->io_value[k]];
            const int        is = v->is_input ? DSP_STMT_INPUT : v->is_output ? DSP_STMT_OUTPUT : DSP_STMT_INNER;
            if (!io->pub || is != use || dsp_statement_pub(r->claims.st, io->name) != DSP_NONE)
                continue;
            dsp_stmt_pub *q = &r->claims.st->pubs[r->claims.st->n_pubs++];
            q->name = dsp_arena_strdup(r->claims.st->arena, io->name);
            q->use = (uint8_t)((v->is_input ? DSP_STMT_INPUT : 0) | (v->is_output ? DSP_STMT_OUTPUT : 0) |
                               (!v->is_input && !v->is_output ? DSP_STMT_INNER : 0));
            memcpy(q->dims, io->dims, sizeof q->dims);
            q->scale_bits = io->scale_bits;
            q->cells = r->store.v[s->io_value[k]].cells;
            if (!q->name || !q->cells)
                return dsp_fail(err, DSP_E_BUG, "public tensor \"%s\" has no value", io->name);
        }
    }
    return DSP_OK;
}

static int by_name(const void *a, const void *b) { return strcmp(((const dsp_stmt_edge *)a)->name, ((const dsp_stmt_edge *)b)->name); }

/* Graph inputs and outputs in the order of the model. */
static void order_pubs(runner *r)
{
    dsp_statement *st = r->claims.st;
    uint32_t       at = 0;
    for (int pass = 0; pass < 2; pass++) {
        const uint32_t n = pass ? r->m->g->n_outputs : r->m->g->n_inputs, *v = pass ? r->m->g->outputs : r->m->g->inputs;
        for (uint32_t i = 0; i < n; i++) {
            const char    *name = dsp_lower_tensor_name(r->m->g, v[i], r->m->arena);
            const uint32_t k = name ? dsp_statement_pub(st, name) : DSP_NONE;
            if (k == DSP_NONE || k < at)
                continue;
            const dsp_stmt_pub t = st->pubs[k];
            st->pubs[k] = st->pubs[at];
            st->pubs[at++] = t;
        }
    }
}

static dsp_status commit_edges(runner *r, dsp_err *err)
{
    uint8_t    secret[32];
    dsp_status s = DSP_OK;
    const dsp_digest in = dsp_run_inputs_digest(r->claims.st);
    dsp_run_secret(secret, r->folder.drawn, &r->claims.st->run_key, r->claims.st->nonce, &in);
    for (uint32_t i = 0; i < r->m->n && s == DSP_OK; i++) {
        const dsp_seg *g = &r->m->segs[i];
        for (uint32_t k = 0; g->slice && k < g->slice->n_io && s == DSP_OK; k++) {
            const dsp_io *io = &g->slice->io[k];
            if (io->pub || dsp_statement_edge(r->claims.st, io->name) != DSP_NONE)
                continue;
            dsp_stmt_edge *e = &r->claims.st->edges[r->claims.st->n_edges];
            e->name = dsp_arena_strdup(r->claims.st->arena, io->name);
            const int64_t *cells = r->store.v[g->io_value[k]].cells;
            if (!e->name || !cells)
                s = dsp_fail(err, DSP_E_BUG, "boundary \"%s\" has no value", io->name);
            else
                s = g->slice->backend->commit(&e->root, g->slice, k, cells, &r->claims.st->run_key, secret, r->p->pool, err);
            r->claims.st->n_edges++;
        }
    }
    dsp_wipe(secret, sizeof secret);
    qsort(r->claims.st->edges, r->claims.st->n_edges, sizeof *r->claims.st->edges, by_name);
    return s;
}

static dsp_status make_statement(runner *r, dsp_err *err)
{
    const dsp_model *m = r->m;
    dsp_statement   *st = r->claims.st = dsp_statement_create();
    uint32_t         n_io = 0;
    dsp_status       s;
    for (uint32_t i = 0; i < m->n; i++)
        n_io += m->segs[i].slice ? m->segs[i].slice->n_io : 0;
    if (!st || !(st->slices = DSP_ARENA_N(st->arena, dsp_stmt_slice, m->n)) || !(st->unproved = DSP_ARENA_N(st->arena, dsp_stmt_unproved, m->n)) ||
        !(st->pubs = DSP_ARENA_N(st->arena, dsp_stmt_pub, n_io)) || !(st->edges = DSP_ARENA_N(st->arena, dsp_stmt_edge, n_io)))
        return dsp_fail(err, DSP_E_NOMEM, "no memory for the statement");
    st->model = m->g->digest;
    st->record = m->record->digest;
    st->model_id = m->model_id;
    st->run_key = m->run_key;
    memcpy(st->nonce, r->folder.nonce, 32);
    for (uint32_t i = 0; i < m->n; i++) {
        const dsp_seg *g = &m->segs[i];
        if (g->slice)
            st->slices[st->n_slices++] = (dsp_stmt_slice){g->name, i, g->slice->digest, g->macs};
        else
            st->unproved[st->n_unproved++] = (dsp_stmt_unproved){g->name, dsp_seg_by_ezkl(g) ? DSP_FOREIGN_REASON : dsp_seg_reason(g), i, g->macs};
    }
    if ((s = add_pubs(r, DSP_STMT_INPUT, err)) != DSP_OK || (s = add_pubs(r, DSP_STMT_OUTPUT, err)) != DSP_OK ||
        (s = add_pubs(r, DSP_STMT_INNER, err)) != DSP_OK)
        return s;
    order_pubs(r);
    return commit_edges(r, err);
}

/* ---- files ---- */

/* Every edge has cells: it was committed. */
static const dsp_val *edge_value(const runner *r, const char *name)
{
    for (uint32_t i = 0; i < r->m->n; i++) {
        const dsp_seg *g = &r->m->segs[i];
        for (uint32_t k = 0; g->slice && k < g->slice->n_io; k++)
            if (strcmp(g->slice->io[k].name, name) == 0)
                return &r->store.v[g->io_value[k]];
    }
    return NULL;
}

static dsp_status write_boundaries(runner *r, dsp_err *err)
{
    char      *dir = dsp_path_join(r->folder.dir, "boundaries");
    dsp_status s = dir ? dsp_mkdirs(dir, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    for (uint32_t e = 0; e < r->claims.st->n_edges && s == DSP_OK; e++) {
        const dsp_val *v = edge_value(r, r->claims.st->edges[e].name);
        char           name[32];
        snprintf(name, sizeof name, "%u.bin", e);
        char *path = dsp_path_join(dir, name);
        s = path ? dsp_boundary_write(path, r->claims.st->edges[e].name, v->io->dims, v->cells, r->claims.st, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        dsp_free(path);
    }
    dsp_free(dir);
    return s;
}

static dsp_status write_segment(runner *r, const dsp_seg *g, dsp_err *err)
{
    dsp_witness_row *rows = DSP_NEW_N(dsp_witness_row, g->slice->n_io);
    char            *vk = dsp_segment_file(r->folder.dir, g->index, "vk.bin"), *wit = dsp_segment_file(r->folder.dir, g->index, "witness.bin");
    char            *dir = vk ? dsp_path_dir(vk) : NULL;
    dsp_status       s = rows && vk && wit && dir ? dsp_mkdirs(dir, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for segment %u", g->index);
    for (uint32_t k = 0; k < g->slice->n_io && s == DSP_OK; k++) {
        const dsp_io *io = &g->slice->io[k];
        rows[k].place = io->pub ? dsp_statement_pub(r->claims.st, io->name) : dsp_statement_edge(r->claims.st, io->name);
        rows[k].digest = dsp_cells_digest(r->store.v[g->io_value[k]].cells, io->count);
    }
    if (s == DSP_OK)
        s = dsp_file_write_fast(vk, g->vk, g->vk_len, 0644, err);
    if (s == DSP_OK)
        s = dsp_witness_write(wit, g->slice, rows, r->claims.st, err);
    dsp_free(rows);
    dsp_free(vk);
    dsp_free(wit);
    dsp_free(dir);
    return s;
}

static dsp_status write_statement(runner *r, dsp_err *err)
{
    dsp_buf    b = {0};
    char      *path = dsp_path_join(r->folder.dir, "statement.bin"), *record = dsp_path_join(r->folder.dir, "quantization.json");
    dsp_status s = path && record ? dsp_statement_write(&b, r->claims.st, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (s == DSP_OK)
        s = dsp_file_write_fast(record, r->m->record_bytes, r->m->record_len, 0644, err);
    if (s == DSP_OK)
        s = dsp_file_write(path, b.p, b.len, 0644, err);
    if (s == DSP_OK) {
        r->claims.st_digest = dsp_sha256(b.p, b.len);
        dsp_json_put(r->result, "statement_sha256", dsp_json_hex(&r->claims.st_digest));
    }
    dsp_buf_release(&b);
    dsp_free(path);
    dsp_free(record);
    return s;
}

static dsp_status write_foreign(runner *r, dsp_err *err)
{
    dsp_digest d;
    dsp_status s = r->n_ezkl ? dsp_run_foreign(&r->claims.f, &r->ezkl, r->folder.nonce, r->claims.st ? &r->claims.st_digest : NULL, err) : DSP_OK;
    if (s == DSP_OK)
        s = dsp_run_foreign_write(&d, &r->ezkl, r->claims.f, err);
    if (s == DSP_OK && r->claims.f) {
        dsp_json_put(r->result, "foreign_sha256", dsp_json_hex(&d));
        dsp_json_put(r->result, "insecure_srs", json_boolean(dsp_run_insecure(&r->claims)));
    }
    if (s == DSP_OK && (r->claims.st || r->claims.f) && (s = dsp_run_claims_make(&r->claims, err)) == DSP_OK)
        dsp_json_put(r->result, "model_id", dsp_json_hex(&r->claims.model_id));
    return s;
}

/* The run root's chain file: the chain of the last run. */
static dsp_status write_root(runner *r, dsp_err *err)
{
    char   *path = r->a->run_metadata ? dsp_strdup(r->a->run_metadata) : dsp_path_join(r->root, "metadata.json");
    json_t *o = dsp_chain_json(r->m, r->root);
    dsp_json_put(o, "kind", json_string("run_root"));
    const dsp_status s = path ? dsp_json_save(path, o, 4, false, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    json_decref(o);
    dsp_free(path);
    return s;
}

static dsp_status write_chain(runner *r, dsp_err *err)
{
    char   *path = dsp_path_join(r->folder.dir, "chain.json");
    json_t *o = dsp_chain_json(r->m, r->folder.dir);
    dsp_json_put(o, "kind", json_string("run_chain"));
    dsp_status s = path ? dsp_json_save(path, o, 4, false, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (s == DSP_OK)
        s = write_root(r, err);
    json_decref(o);
    dsp_free(path);
    return s;
}

/* ---- results ---- */

static dsp_status compare(runner *r, const dsp_array *out, dsp_err *err)
{
    const dsp_graph *g = r->m->g;
    dsp_ort         *ort;
    dsp_array       *ref = DSP_NEW_N(dsp_array, g->n_outputs);
    json_t          *list = json_array();
    dsp_status       s = ref ? dsp_pipe_ort(&ort, r->p, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for the comparison");
    if (s == DSP_OK)
        s = dsp_graph_run(g, ort, r->in, g->outputs, g->n_outputs, ref, err);
    for (uint32_t i = 0; i < g->n_outputs && s == DSP_OK; i++)
        json_array_append_new(list, dsp_compare_json(g->values[g->outputs[i]].name, &out[i], &ref[i]));
    dsp_json_put(r->result, "comparison", list);
    for (uint32_t i = 0; ref && i < g->n_outputs; i++)
        dsp_array_release(&ref[i]);
    dsp_free(ref);
    return s;
}

static dsp_status write_output(runner *r, dsp_err *err)
{
    char       *own = r->a->output ? NULL : dsp_path_join(r->root, "inference_results.json");
    const char *path = r->a->output ? r->a->output : own;
    char       *dir = path ? dsp_path_dir(path) : NULL;
    json_t     *o = dsp_json_head(), *list = json_object(), *e, *shape;
    size_t      i;
    if (!dir) {
        dsp_free(own);
        json_decref(o);
        json_decref(list);
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    }
    static const char *const same[] = {"prediction", "probabilities", "outputs", "comparison", "run_id"};
    for (size_t k = 0; k < sizeof same / sizeof *same; k++)
        if (json_object_get(r->result, same[k]))
            dsp_json_put(o, same[k], json_deep_copy(json_object_get(r->result, same[k])));
    json_array_foreach(json_object_get(o, "outputs"), i, e)
        json_object_del(e, "verified");   /* of a run that was taken up: said by verify, not by this step */
    size_t total = 1;
    shape = json_object_get(json_array_get(json_object_get(r->result, "outputs"), 0), "shape");
    json_array_foreach(shape, i, e)
        total *= (size_t)json_integer_value(e);
    dsp_json_put(o, "tensor_shape", json_pack("[i,I]", 1, (json_int_t)total));
    json_array_foreach(json_object_get(json_object_get(r->result, "execution_chain"), "execution_results"), i, e) {
        json_t *w = json_copy(json_object_get(e, "witness_execution"));
        char   *file = dsp_path_join(r->folder.dir, dsp_json_str(w, "output_file"));
        if (file && strcmp(dsp_json_str(w, "output_file"), "unknown") != 0) {
            dsp_json_put(w, "output_file", rel(dir, file));
            dsp_json_put(w, "witness_path", rel(dir, file));
        }
        dsp_free(file);
        dsp_json_put(list, dsp_json_str(e, "segment_id"), w);
    }
    dsp_json_put(o, "slice_results", list);
    const dsp_status s = path ? dsp_json_save(path, o, 2, true, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    dsp_free(dir);
    dsp_free(own);
    json_decref(o);
    return s;
}

static dsp_status finish(runner *r, dsp_err *err)
{
    const dsp_graph *g = r->m->g;
    dsp_array       *out = DSP_NEW_N(dsp_array, g->n_outputs);
    json_t          *list = json_array(), *chain = json_object_get(r->result, "execution_chain");
    uint64_t         clamped = 0;
    char             text[16], now[32];
    dsp_status       s = out ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for the outputs");
    for (uint32_t i = 0; i < g->n_outputs && s == DSP_OK; i++) {
        s = dsp_store_array(&out[i], r->m, &r->store, g->outputs[i], err);
        if (s == DSP_OK) {
            const dsp_digest d = dsp_arrays_digest(&out[i], 1);
            json_t          *o = dsp_array_json(g->values[g->outputs[i]].name, &out[i], true);
            dsp_json_put(o, "tensor_sha256", dsp_json_hex(&d));
            json_array_append_new(list, o);
        }
    }
    dsp_json_put(r->result, "outputs", list);
    if (s == DSP_OK)
        dsp_classify(r->result, out, g->n_outputs);
    if (s == DSP_OK && r->a->compare)
        s = compare(r, out, err);
    if (s != DSP_OK)
        goto done;
    for (uint32_t i = 0; i < r->store.n; i++)
        clamped += r->store.v[i].clamped;
    snprintf(text, sizeof text, "%.1f%%", r->m->n ? 100.0 * r->n_witnessed / r->m->n : 0.0);
    dsp_json_put(chain, "overall_security", json_string(text));
    dsp_json_put(chain, "overall_security_measures", json_string("segments with a witness, percent"));
    if (r->claims.n)
        dsp_json_put(r->result, "witnessed", dsp_run_coverage(&r->claims, NULL));
    dsp_json_put(r->result, "saturated_cells", json_integer((json_int_t)r->saturated));
    dsp_json_put(r->result, "clamped_cells", json_integer((json_int_t)clamped));
    dsp_json_put(r->result, "performance_comparison", json_pack("{s:s}", "note", "integers are exact; --compare measures them against the float model"));
    dsp_utc_now(now);
    dsp_json_put(r->result, "finished_at", json_string(now));
    dsp_json_put(r->result, "peak_memory_bytes", json_integer((json_int_t)dsp_peak_rss_bytes()));
done:
    for (uint32_t i = 0; out && i < g->n_outputs; i++)
        dsp_array_release(&out[i]);
    dsp_free(out);
    return s;
}

static dsp_status find_root(runner *r, dsp_err *err)
{
    r->root = r->a->run_metadata ? dsp_path_dir(r->a->run_metadata) : dsp_path_join(r->m->model_dir, "run");
    r->input_path = r->a->input ? dsp_strdup(r->a->input) : dsp_path_join(r->m->model_dir, "input.json");
    return r->root && r->input_path ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
}

/* The last write but the results: what only an unfinished run needs goes away. */
static void drop_checkpoints(const runner *r)
{
    for (uint32_t i = 0; i < r->m->n; i++) {
        dsp_checkpoint_remove(&r->check, i);
        char *dir = r->m->segs[i].slice || dsp_seg_by_ezkl(&r->m->segs[i]) ? NULL : dsp_segment_file(r->folder.dir, i, "");
        if (dir)
            rmdir(dir);   /* of a segment that leaves nothing else */
        dsp_free(dir);
    }
}

static dsp_status make_report(runner *r, json_t **report)
{
    *report = json_copy(r->result);
    dsp_json_put(*report, "run_dir", json_string(r->folder.dir));
    dsp_json_put(*report, "continued", json_boolean(r->folder.continued));
    dsp_json_put(*report, "taken_up", json_boolean(r->folder.complete != NULL));
    dsp_json_put(*report, "segments_finished_before", json_integer(r->folder.complete ? r->m->n : r->n_restored));
    return DSP_OK;
}

static dsp_status execute(runner *r, dsp_err *err)
{
    const dsp_pass_opts opts = {.no_fallback = r->a->no_fallback, .restore = r->folder.continued ? restore_segment : NULL, .after = after_segment, .ezkl = run_ezkl,
                                .arg = r};
    r->ezkl = (dsp_run_ezkl){r->p, r->m, &r->store, r->folder.dir, r->a->no_fallback};
    dsp_status          s = dsp_store_init(&r->store, r->m, err);
    report_progress(r);
    r->saved_at = dsp_clock_ns();
    if (s == DSP_OK && (s = dsp_model_pass(r->m, &r->store, r->p, r->in, &opts, err)) != DSP_OK) {
        (void)save_state(r, NULL);   /* what is finished is for the next try; the caller says what failed */
        return s;
    }
    if (s == DSP_OK && r->m->n_proved && (s = make_statement(r, err)) == DSP_OK && (s = write_boundaries(r, err)) == DSP_OK) {
        for (uint32_t i = 0; i < r->m->n && s == DSP_OK; i++)
            if (r->m->segs[i].slice)
                s = write_segment(r, &r->m->segs[i], err);
        if (s == DSP_OK)
            s = write_statement(r, err);
    }
    if (s == DSP_OK)
        s = write_foreign(r, err);
    if (s == DSP_OK)
        s = finish(r, err);
    if (s == DSP_OK)
        s = write_chain(r, err);
    return s;
}

static dsp_status make_run(runner *r, json_t **report, dsp_err *err)
{
    dsp_status s;
    if ((s = find_root(r, err)) != DSP_OK || (s = dsp_model_inputs_load(&r->in, r->m->g, r->input_path, err)) != DSP_OK)
        return s;
    r->input_digest = dsp_arrays_digest(r->in, r->m->g->n_inputs);
    const dsp_run_choice choice = {.root = r->root, .input = r->input_digest, .fresh = r->a->fresh,
                                   .take_complete = r->a->take_complete && !r->a->compare && (!r->a->no_fallback || r->m->n_proved + r->m->n_ezkl == r->m->n)};
    if ((s = dsp_run_open(&r->folder, r->m, &choice, err)) != DSP_OK)
        return s;
    r->check = (dsp_checkpoint){r->folder.dir, r->folder.nonce, r->input_digest};
    dsp_pipe_say(r->p, DSP_SAY_INFO, "%s %s", r->folder.complete ? "taking up" : r->folder.continued ? "continuing" : "run", dsp_path_base(r->folder.dir));
    if (r->folder.complete) {
        r->result = json_incref(r->folder.complete);
        dsp_pipe_progress(r->p, "run", r->m->n, r->m->n, 1, 0);
        s = write_root(r, err);
        if (s == DSP_OK && (r->a->output || r->a->output_default))
            s = write_output(r, err);
        make_report(r, report);
        return s;
    }
    if ((s = begin(r, err)) != DSP_OK)
        return s;
    s = execute(r, err);
    if (s == DSP_OK && (r->a->output || r->a->output_default))
        s = write_output(r, err);
    if (s == DSP_OK)
        drop_checkpoints(r);
    dsp_json_put(r->result, "status", json_string(s == DSP_OK ? "complete" : "failed"));
    if (s != DSP_OK && err)
        dsp_json_put(r->result, "error", json_string(err->msg));
    const dsp_status saved = save(r, true, s == DSP_OK ? err : NULL);
    s = s == DSP_OK ? saved : s;
    make_report(r, report);
    return s;
}

dsp_status dsp_pipe_run(dsp_pipe *p, const dsp_run_args *a, json_t **report, dsp_err *err)
{
    runner     r = {.p = p, .a = a, .slices_lock = DSP_LOCK_NONE, .folder = {.lock = DSP_LOCK_NONE}};
    char      *slices = NULL;
    dsp_status s;
    *report = NULL;
    /* Nobody slices or compiles there meanwhile. */
    if ((s = dsp_find_slices(&slices, a->slices, err)) != DSP_OK || (s = dsp_lock_take(&r.slices_lock, slices, "run", DSP_LOCK_READ, err)) != DSP_OK ||
        (s = dsp_model_load(&r.m, a->slices, err)) != DSP_OK)
        goto done;
    if (r.m->n_proved < r.m->n)
        dsp_pipe_ort_ahead(p);
    if (a->eval) {
        *report = dsp_json_head();
        s = dsp_eval(p, r.m, a->eval, *report, err);
    } else {
        s = make_run(&r, report, err);
    }
done:
    dsp_run_claims_release(&r.claims);
    dsp_store_release(&r.store);
    if (r.m)
        dsp_model_inputs_free(r.in, r.m->g);
    dsp_model_free(r.m);
    json_decref(r.result);
    dsp_free(r.input_path);
    dsp_free(r.root);
    dsp_free(r.result_path);
    dsp_run_folder_release(&r.folder);
    dsp_lock_release(&r.slices_lock);
    dsp_free(slices);
    return s;
}
