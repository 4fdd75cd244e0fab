#include "pipeline/resume.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/paths.h"
#include "pipeline/runfiles.h"

/* A folder holds nothing but what is written before its first result. */
static bool only_a_secret(const char *dir)
{
    DIR *d = opendir(dir);
    bool yes = d != NULL;
    for (const struct dirent *e; yes && (e = readdir(d)) != NULL;)
        yes = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, "secret") == 0 || strcmp(e->d_name, DSP_LOCK_FILE) == 0;
    if (d)
        closedir(d);
    return yes;
}

static void remove_dead(const char *dir)
{
    dsp_lock lock;
    if (!dsp_lock_try(&lock, dir, "run"))
        return;
    dsp_sweep_temporaries(dir, NULL, 0);
    const bool dead = only_a_secret(dir);
    char      *secret = dead ? dsp_path_join(dir, "secret") : NULL;
    if (secret)
        unlink(secret);
    dsp_free(secret);
    dsp_lock_release(&lock);
    if (dead)
        rmdir(dir);
}

static void sweep_root(const char *root)
{
    DIR *d = opendir(root);
    dsp_sweep_temporaries(root, NULL, 0);
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char *dir = strncmp(e->d_name, "run_", 4) == 0 ? dsp_path_join(root, e->d_name) : NULL;
        char *result = dir ? dsp_path_join(dir, "run_result.json") : NULL;
        if (result && dsp_dir_exists(dir) && !dsp_file_exists(result))
            remove_dead(dir);
        dsp_free(result);
        dsp_free(dir);
    }
    if (d)
        closedir(d);
}

/* Secret and nonce of an earlier run; false when they cannot be read. */
static bool read_secret(dsp_run_folder *f, const json_t *result)
{
    dsp_digest nonce;
    uint8_t   *p = NULL;
    size_t     n = 0;
    char      *path = dsp_path_join(f->dir, "secret");
    const bool ok = path && dsp_json_digest(&nonce, result, "nonce") && dsp_file_read(&p, &n, path, 4096, NULL) == DSP_OK && n == DSP_SECRET_BYTES;
    if (ok) {
        memcpy(f->nonce, nonce.b, 32);
        memcpy(f->drawn, p, 32);
    }
    if (p)
        dsp_wipe(p, n);
    dsp_free(p);
    dsp_free(path);
    return ok;
}

static dsp_status new_folder(dsp_run_folder *f, const char *root, dsp_err *err)
{
    char      *path = NULL;
    dsp_status s = dsp_run_create(&f->dir, root, err);
    if (s != DSP_OK || (s = dsp_lock_take(&f->lock, f->dir, "run", DSP_LOCK_WRITE, err)) != DSP_OK || (s = dsp_random_bytes(f->nonce, 32, err)) != DSP_OK ||
        (s = dsp_random_bytes(f->drawn, 32, err)) != DSP_OK)
        return s;
    path = dsp_path_join(f->dir, "secret");
    s = path ? dsp_file_write(path, f->drawn, 32, 0600, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    dsp_free(path);
    return s;
}

/* A run that fits and that nobody works on. */
static dsp_status old_folder(dsp_run_folder *f, const dsp_model *m, const dsp_run_choice *c, dsp_err *err)
{
    char      *path = NULL;
    json_t    *result = NULL;
    char       input[65], key[65], model[65], id[65];
    dsp_digest_hex(id, &m->claim_id);
    dsp_digest_hex(input, &c->input);
    dsp_digest_hex(key, &m->run_key);
    dsp_digest_hex(model, &m->g->digest);
    const dsp_run_fit fit = {.input_sha256 = input, .run_key = key, .model_sha256 = model, .model_id = id, .complete_too = c->take_complete};
    dsp_status        s = dsp_run_fitting(&f->dir, c->root, &fit, err);
    if (s != DSP_OK || !f->dir)
        return s;
    path = dsp_path_join(f->dir, "run_result.json");
    bool ok = path && dsp_lock_try(&f->lock, f->dir, "run") && dsp_json_load(&result, path, NULL) == DSP_OK && read_secret(f, result);
    if (ok && strcmp(dsp_json_str(result, "status"), "complete") == 0) {
        ok = dsp_run_intact(f->dir, result, m);
        f->complete = ok ? json_incref(result) : NULL;
    } else {
        f->continued = ok;
    }
    if (ok)
        dsp_sweep_temporaries(f->dir, NULL, 1);
    else
        dsp_lock_release(&f->lock);
    if (!ok) {
        dsp_free(f->dir);
        f->dir = NULL;
    }
    json_decref(result);
    dsp_free(path);
    return DSP_OK;
}

dsp_status dsp_run_open(dsp_run_folder *f, const dsp_model *m, const dsp_run_choice *c, dsp_err *err)
{
    dsp_lock   root;
    dsp_status s = dsp_mkdirs(c->root, err);
    memset(f, 0, sizeof *f);
    f->lock = DSP_LOCK_NONE;
    if (s != DSP_OK || (s = dsp_lock_take(&root, c->root, "run", DSP_LOCK_WAIT, err)) != DSP_OK)
        return s;
    sweep_root(c->root);
    if (!c->fresh)
        s = old_folder(f, m, c, err);
    if (s == DSP_OK && !f->dir)
        s = new_folder(f, c->root, err);
    dsp_lock_release(&root);
    return s;
}

void dsp_run_folder_release(dsp_run_folder *f)
{
    dsp_lock_release(&f->lock);
    json_decref(f->complete);
    f->complete = NULL;
    dsp_free(f->dir);
    f->dir = NULL;
    dsp_wipe(f->drawn, sizeof f->drawn);
}
