/* The step bundle: what a verifier needs, and nothing else. An allow-list: secrets, witnesses and boundaries cannot slip in. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "pipeline/lock.h"
#include "pipeline/paths.h"
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
        for (int k = 0; k < 2 && s == DSP_OK; k++) {
            char *file = dsp_path_cat(dir, e->d_name, k ? "outputs.bin" : "witness.bin", (const char *)NULL);
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

dsp_status dsp_pipe_bundle(dsp_pipe *p, const dsp_bundle_args *a, json_t **report, dsp_err *err)
{
    dsp_run_place  place;
    dsp_statement *st = NULL;
    uint64_t       bytes = 0;
    bool           empty, writing = false;
    dsp_lock       lock = DSP_LOCK_NONE;
    *report = NULL;
    dsp_status s = dsp_find_run(&place, a->run, false, err);
    if (s != DSP_OK)
        return s;
    if (place.chosen)
        dsp_pipe_say(p, DSP_SAY_INFO, "the newest run: %s", dsp_path_base(place.dir));
    if ((s = dsp_statement_load(&st, place.dir, err)) != DSP_OK || (dsp_dir_exists(a->out) && (s = dsp_lock_take(&lock, a->out, "bundle", DSP_LOCK_WRITE, err)) != DSP_OK) ||
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
    for (uint32_t i = 0; i < st->n_slices && s == DSP_OK; i++) {
        char *proof = dsp_segment_file(place.dir, st->slices[i].index, "proof.bin");
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
    for (uint32_t i = 0; i < st->n_slices && s == DSP_OK; i++) {
        char *vk = dsp_segment_file("", st->slices[i].index, "vk.bin"), *proof = dsp_segment_file("", st->slices[i].index, "proof.bin");
        s = vk && proof ? copy(place.dir, a->out, vk, &bytes, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        if (s == DSP_OK)
            s = copy(place.dir, a->out, proof, &bytes, err);
        dsp_free(vk);
        dsp_free(proof);
    }
    if (s == DSP_OK)
        s = copy(place.dir, a->out, "quantization.json", &bytes, err);
    if (s == DSP_OK)
        s = copy(place.dir, a->out, "statement.bin", &bytes, err);
    if (s != DSP_OK)
        goto done;
    json_t  *r = *report = dsp_json_head(), *pub = json_array(), *un = json_array();
    uint64_t macs = 0;
    for (uint32_t i = 0; i < st->n_slices; i++)
        macs += st->slices[i].macs;
    for (uint32_t i = 0; i < st->n_pubs; i++)
        json_array_append_new(pub, json_string(st->pubs[i].name));
    for (uint32_t i = 0; i < st->n_unproved; i++)
        json_array_append_new(un, json_pack("{s:i,s:s}", "segment", (int)st->unproved[i].index, "reason", st->unproved[i].reason));
    dsp_json_put(r, "run_dir", json_string(place.dir));
    dsp_json_put(r, "bundle", json_string(a->out));
    dsp_json_put(r, "bytes", json_integer((json_int_t)bytes));
    dsp_json_put(r, "model_id", dsp_json_hex(&st->model_id));
    dsp_json_put(r, "segments", json_integer(st->n_slices));
    dsp_json_put(r, "public_tensors", pub);
    dsp_json_put(r, "unproved", un);
    dsp_json_put(r, "coverage", dsp_coverage(st, st->n_slices, macs));
done:
    if (s != DSP_OK && writing)
        dsp_lock_leave(&lock);
    dsp_lock_release(&lock);
    dsp_statement_free(st);
    dsp_free(place.dir);
    return s;
}
