#include "pipeline/prove_ezkl.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/file.h"
#include "pipeline/artifacts.h"
#include "pipeline/digest.h"
#include "pipeline/runfiles.h"

/* Two cores: 5 s at 2^15 rows, 171 s at 2^19 (net, segment 0). */
uint64_t dsp_prove_ezkl_cost_ns(const dsp_foreign_segment *g) { return (uint64_t)300000 << g->logrows; }

typedef struct { char *proof, *fresh, *witness, *logs, *compiled, *pk, *srs; } files;

static char *beside(const char *dir, const json_t *entry, const char *member)
{
    const char *rel = dsp_json_str(json_object_get(entry, "ezkl"), member);
    return *rel ? dsp_path_join(dir, rel) : NULL;
}

/* One proof against the statement, by every rule about proofs. */
static dsp_status check(const dsp_prove_ezkl_args *a, dsp_foreign_bytes *bytes, uint32_t at, const uint8_t *p, size_t n, dsp_err *err)
{
    bool               *only = DSP_NEW_N(bool, a->f->n_segments);
    dsp_ezkl_judge      judge = {a->p, a->f, bytes};
    dsp_foreign_run     run = {.f = a->f, .bytes = bytes, .selected = only};
    dsp_foreign_verdict v = {.at = DSP_NONE};
    const uint8_t      *was = bytes[at].proof;
    const size_t        was_len = bytes[at].proof_len;
    dsp_status          s = only ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory to verify a proof");
    if (s == DSP_OK) {
        only[at] = true;
        bytes[at].proof = p;
        bytes[at].proof_len = n;
        s = dsp_foreign_check_proofs(&v, &run, dsp_ezkl_judge_proof, &judge, 0, err);
        bytes[at].proof = was;
        bytes[at].proof_len = was_len;
    }
    dsp_free(only);
    return s;
}

static bool named(const uint8_t *p, size_t n, const dsp_digest *want)
{
    const dsp_digest d = dsp_sha256(p, n);
    return dsp_digest_eq(&d, want);
}

/* Files that compile left: still those of the run. */
static dsp_status unchanged(const char *path, const dsp_prove_ezkl_args *a, const char *member, uint64_t *bytes, dsp_err *err)
{
    dsp_digest have, want;
    if (!path || !dsp_json_digest(&want, json_object_get(a->entry, "ezkl"), member))
        return dsp_fail(err, DSP_E_FORMAT, "%s/run_result.json: does not say where the circuit of ezkl lies; make a new run", a->dir);
    const dsp_status s = dsp_file_sha256(&have, bytes, path, err);
    return s != DSP_OK || dsp_digest_eq(&have, &want) ? s : dsp_fail(err, DSP_E_UNSUPPORTED, "%s: changed since the run; make a new run", path);
}

/* The witness shows what the statement says. */
static dsp_status check_witness(const char *path, const dsp_foreign *f, const dsp_foreign_segment *g, const dsp_ezkl_circuit *c, dsp_err *err)
{
    int64_t   *in = DSP_NEW_N(int64_t, c->cells_in), *out = DSP_NEW_N(int64_t, c->cells_out);
    dsp_status s = in && out ? dsp_ezkl_witness_read(in, out, path, c, err) : dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", path);
    const int64_t *at = in;
    for (uint32_t k = 0; k < g->n_in + g->n_out && s == DSP_OK; k++) {
        const dsp_foreign_tensor *t = &f->tensors[k < g->n_in ? g->in[k] : g->out[k - g->n_in]];
        at = k == g->n_in ? out : at;
        if (memcmp(at, t->cells, t->count * sizeof *at) != 0)
            s = dsp_fail(err, DSP_E_UNSUPPORTED, "%s: not the witness of this run; make a new run", path);
        at += t->count;
    }
    dsp_free(in);
    dsp_free(out);
    return s;
}

static dsp_status make(dsp_prove_ezkl_use *use, const dsp_prove_ezkl_args *a, uint32_t at, const files *f, dsp_foreign_bytes *bytes, dsp_err *err)
{
    const dsp_foreign_segment *g = &a->f->segments[at];
    const dsp_ezkl_files       run = {.compiled = f->compiled, .pk = f->pk, .witness = f->witness, .proof = f->fresh, .log_dir = f->logs, .srs = f->srs,
                                      .srs_insecure = g->insecure, .allow_insecure = a->p->test_srs};
    const dsp_ezkl  *e;
    dsp_ezkl_circuit c;
    dsp_ezkl_use     took = {0, 0};
    uint8_t         *p = NULL;
    size_t           n = 0;
    uint64_t         pk_bytes = 0, t0 = dsp_clock_ns();
    dsp_status       s = dsp_pipe_ezkl(&e, a->p, err);
    if (s != DSP_OK || (s = dsp_ezkl_settings_parse(&c, NULL, bytes[at].settings, bytes[at].settings_len, "settings.json", (int)a->f->scale, err)) != DSP_OK ||
        (s = check_witness(f->witness, a->f, g, &c, err)) != DSP_OK || (s = unchanged(f->compiled, a, "compiled_sha256", NULL, err)) != DSP_OK ||
        (s = unchanged(f->pk, a, "pk_key_sha256", &pk_bytes, err)) != DSP_OK)
        goto done;
    /* The proving key is in memory once, and as much again and a half of what is computed from it. */
    if (a->p->max_memory_bytes && pk_bytes / 2 * 5 > a->p->max_memory_bytes) {
        s = dsp_fail(err, DSP_E_LIMIT, "segment %u: proving with ezkl is predicted to take %.1f MiB, --max-memory allows %.1f MiB", g->index,
                     (double)(pk_bytes / 2 * 5) / 1048576, (double)a->p->max_memory_bytes / 1048576);
        goto done;
    }
    use->load_ns = dsp_clock_ns() - t0;
    if ((s = dsp_mkdirs(f->logs, err)) != DSP_OK || (s = dsp_ezkl_prove(e, &run, &took, err)) != DSP_OK)
        goto done;
    use->prove_ns = took.ns;
    use->peak_bytes = took.peak_bytes;
    t0 = dsp_clock_ns();
    if ((s = dsp_file_read(&p, &n, f->fresh, DSP_FILE_MAX, err)) != DSP_OK)
        goto done;
    if (a->self_verify) {
        s = check(a, bytes, at, p, n, err);
        if (s == DSP_E_REJECTED) {
            s = DSP_E_BUG;
            dsp_context(err, s, "segment %u: the proof just made does not verify", g->index);
        }
        use->verify_ns = dsp_clock_ns() - t0;
    }
    if (s == DSP_OK && (s = dsp_file_write_fast(f->proof, p, n, 0644, err)) == DSP_OK) {
        use->fresh = true;
        use->bytes = n;
        use->digest = dsp_sha256(p, n);
    }
done:
    unlink(f->fresh);
    dsp_free(p);
    return s;
}

dsp_status dsp_prove_ezkl(dsp_prove_ezkl_use *use, const dsp_prove_ezkl_args *a, uint32_t at, dsp_err *err)
{
    const dsp_foreign_segment *g = &a->f->segments[at];
    dsp_foreign_bytes         *bytes = NULL;
    files                      f = {.proof = dsp_segment_file(a->dir, g->index, "proof.json"), .fresh = dsp_segment_file(a->dir, g->index, "proof.new.json"),
                                    .witness = dsp_segment_file(a->dir, g->index, "witness.json"), .logs = dsp_segment_file(a->dir, g->index, "logs"),
                                    .compiled = beside(a->dir, a->entry, "compiled"), .pk = beside(a->dir, a->entry, "pk_key")};
    dsp_status                 s = f.proof && f.fresh && f.witness && f.logs ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    *use = (dsp_prove_ezkl_use){.fresh = false};
    if (s != DSP_OK || (s = dsp_foreign_bytes_load(&bytes, a->dir, a->f, err)) != DSP_OK)
        goto done;
    if (!named(bytes[at].vk, bytes[at].vk_len, &g->vk) || !named(bytes[at].settings, bytes[at].settings_len, &g->settings)) {
        s = dsp_fail(err, DSP_E_UNSUPPORTED, "%s/segment_%u: key or settings changed since the run; make a new run", a->dir, g->index);
        goto done;
    }
    if ((s = dsp_ezkl_srs_for(&f.srs, a->p, g, err)) != DSP_OK)
        goto done;
    if (!a->force && bytes[at].proof) {
        const uint64_t t0 = dsp_clock_ns();
        if (check(a, bytes, at, bytes[at].proof, bytes[at].proof_len, NULL) == DSP_OK) {
            use->verify_ns = dsp_clock_ns() - t0;
            use->bytes = bytes[at].proof_len;
            use->digest = dsp_sha256(bytes[at].proof, bytes[at].proof_len);
            goto done;
        }
    }
    s = make(use, a, at, &f, bytes, err);
done:
    dsp_foreign_bytes_free(bytes, a->f);
    dsp_free(f.proof);
    dsp_free(f.fresh);
    dsp_free(f.witness);
    dsp_free(f.logs);
    dsp_free(f.compiled);
    dsp_free(f.pk);
    dsp_free(f.srs);
    return s;
}
