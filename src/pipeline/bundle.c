/* The step bundle: what a verifier needs, and nothing else. An allow-list: secrets, witnesses and boundaries cannot slip in. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "pipeline/lock.h"
#include "pipeline/paths.h"
#include "pipeline/runclaims.h"
#include "pipeline/runfiles.h"

static dsp_status is_empty(bool *empty, const char *dir, dsp_err *err)
{
    DIR *d = opendir(dir);
    *empty = true;
    if (!d)
        return errno == ENOENT ? DSP_OK : dsp_fail(err, DSP_E_IO, "%s: cannot open: %s", dir, strerror(errno));
    for (struct dirent *e; *empty && (e = readdir(d)) != NULL;)
        *empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, DSP_LOCK_FILE) == 0;
    closedir(d);
    return DSP_OK;
}

/* A folder with a prover's own files is no place for a bundle, whatever --force says. */
static dsp_status refuse_private(const char *dir, dsp_err *err)
{
    static const char *const own[] = {"secret", "ledger.bin", "boundaries"};
    DIR       *d = opendir(dir);
    dsp_status s = DSP_OK;
    for (struct dirent *e; d && s == DSP_OK && (e = readdir(d)) != NULL;) {
        for (size_t i = 0; i < sizeof own / sizeof *own && s == DSP_OK; i++)
            if (strcmp(e->d_name, own[i]) == 0)
                s = dsp_fail(err, DSP_E_IO, "%s: holds \"%s\" of a run; choose another folder", dir, own[i]);
        if (s != DSP_OK || strncmp(e->d_name, "segment_", 8) != 0)
            continue;
        static const char *const private[] = {"outputs.bin", "witness.bin", "witness.json", "input.json"};
        for (size_t k = 0; k < sizeof private / sizeof *private && s == DSP_OK; k++) {
            char *file = dsp_path_cat(dir, e->d_name, private[k], (const char *)NULL);
            if (!file)
                s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
            else if (dsp_file_exists(file))
                s = dsp_fail(err, DSP_E_IO, "%s: belongs to a run; choose another folder", file);
            dsp_free(file);
        }
    }
    if (d)
        closedir(d);
    return s;
}

static dsp_status copy(const char *from_dir, const char *to_dir, const char *name, uint64_t *bytes, dsp_err *err)
{
    uint8_t   *p = NULL;
    size_t     n = 0;
    char      *from = dsp_path_join(from_dir, name), *to = dsp_path_join(to_dir, name), *dir = to ? dsp_path_dir(to) : NULL;
    dsp_status s = from && dir ? dsp_file_read(&p, &n, from, DSP_FILE_MAX, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (s == DSP_OK)
        s = dsp_mkdirs(dir, err);
    if (s == DSP_OK)
        s = dsp_file_write(to, p, n, 0644, err);
    *bytes += n;
    dsp_free(p);
    dsp_free(from);
    dsp_free(to);
    dsp_free(dir);
    return s;
}

/* What the verifier of one segment needs. */
static dsp_status copy_segment(const char *from, const char *to, const dsp_run_claim *c, uint64_t *bytes, dsp_err *err)
{
    static const char *const native[] = {"vk.bin", "proof.bin", NULL}, *const ezkl[] = {"settings.json", "vk.key", "proof.json", NULL};
    dsp_status               s = DSP_OK;
    for (const char *const *name = c->by == DSP_BY_EZKL ? ezkl : native; *name && s == DSP_OK; name++) {
        char *file = dsp_segment_file("", c->index, *name);
        s = file ? copy(from, to, file, bytes, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        dsp_free(file);
    }
    return s;
}

dsp_status dsp_pipe_bundle(dsp_pipe *p, const dsp_bundle_args *a, json_t **report, dsp_err *err)
{
    dsp_run_place  place;
    dsp_run_claims claims = {0};
    uint64_t       bytes = 0;
    bool           empty, writing = false;
    dsp_lock       lock = DSP_LOCK_NONE;
    *report = NULL;
    dsp_status s = dsp_find_run(&place, a->run, false, err);
    if (s != DSP_OK)
        return s;
    if (place.chosen)
        dsp_pipe_say(p, DSP_SAY_INFO, "the newest run: %s", dsp_path_base(place.dir));
    if ((s = dsp_run_claims_load(&claims, place.dir, err)) != DSP_OK || (s = dsp_run_claims_fit(&claims, place.dir, err)) != DSP_OK ||
        (dsp_dir_exists(a->out) && (s = dsp_lock_take(&lock, a->out, "bundle", DSP_LOCK_WRITE, err)) != DSP_OK) ||
        (s = is_empty(&empty, a->out, err)) != DSP_OK)
        goto done;
    /* What a bundle that was cut short has left is its to complete. */
    if (strcmp(lock.left, "bundle") == 0)
        dsp_sweep_temporaries(a->out, NULL, 1);
    else if (!empty && !a->force) {
        s = dsp_fail(err, DSP_E_IO, "%s: not empty; --force writes into it all the same", a->out);
        goto done;
    }
    if ((s = refuse_private(a->out, err)) != DSP_OK)
        goto done;
    /* Everything is there before anything is written. */
    for (uint32_t i = 0; i < claims.n_proved && s == DSP_OK; i++) {
        char *proof = dsp_segment_file(place.dir, claims.list[i].index, dsp_proof_file(claims.list[i].by));
        if (!proof)
            s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        else if (!dsp_file_exists(proof))
            s = dsp_fail(err, DSP_E_MISSING, "%s: no such file; prove the run first", proof);
        dsp_free(proof);
    }
    if (s == DSP_OK)
        s = dsp_mkdirs(a->out, err);
    if (s == DSP_OK && !lock.path)
        s = dsp_lock_take(&lock, a->out, "bundle", DSP_LOCK_WRITE, err);
    writing = s == DSP_OK;
    if (s == DSP_OK)
        dsp_pipe_progress(p, "bundle", 0, claims.n_proved, 0, 0);
    for (uint32_t i = 0; i < claims.n_proved && s == DSP_OK; i++)
        if ((s = copy_segment(place.dir, a->out, &claims.list[i], &bytes, err)) == DSP_OK)
            dsp_pipe_progress(p, "bundle", i + 1, claims.n_proved, (double)(i + 1) / claims.n_proved, 0);
    if (s == DSP_OK && claims.st)
        s = copy(place.dir, a->out, "quantization.json", &bytes, err);
    if (s == DSP_OK && claims.st)
        s = copy(place.dir, a->out, "statement.bin", &bytes, err);
    if (s == DSP_OK && claims.f)
        s = copy(place.dir, a->out, "foreign.bin", &bytes, err);
    if (s != DSP_OK)
        goto done;
    json_t *r = *report = dsp_json_head(), *pub = json_array(), *un = json_array();
    for (uint32_t i = 0; claims.st && i < claims.st->n_pubs; i++)
        json_array_append_new(pub, json_string(claims.st->pubs[i].name));
    for (uint32_t i = 0; claims.f && i < claims.f->n_tensors; i++)
        if (!claims.st || dsp_statement_pub(claims.st, claims.f->tensors[i].name) == DSP_NONE)
            json_array_append_new(pub, json_string(claims.f->tensors[i].name));
    for (uint32_t i = claims.n_proved; i < claims.n; i++)
        json_array_append_new(un, json_pack("{s:i,s:s}", "segment", (int)claims.list[i].index, "reason", claims.list[i].reason));
    dsp_json_put(r, "run_dir", json_string(place.dir));
    dsp_json_put(r, "bundle", json_string(a->out));
    dsp_json_put(r, "bytes", json_integer((json_int_t)bytes));
    dsp_json_put(r, "model_id", dsp_json_hex(&claims.model_id));
    dsp_json_put(r, "segments", json_integer(claims.n_proved));
    dsp_json_put(r, "public_tensors", pub);
    dsp_json_put(r, "unproved", un);
    if (claims.f)
        dsp_json_put(r, "insecure_srs", json_boolean(dsp_run_insecure(&claims)));
    dsp_json_put(r, "coverage", dsp_run_coverage(&claims, NULL));
done:
    if (s != DSP_OK && writing)
        dsp_lock_leave(&lock);
    dsp_lock_release(&lock);
    dsp_run_claims_release(&claims);
    dsp_free(place.dir);
    return s;
}
