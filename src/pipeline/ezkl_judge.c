#include "pipeline/ezkl_judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/artifacts.h"
#include "pipeline/digest.h"
#include "pipeline/runfiles.h"

dsp_status dsp_ezkl_srs_for(char **path, dsp_pipe *p, const dsp_foreign_segment *g, dsp_err *err)
{
    static const char *const none[] = {NULL};
    const dsp_ezkl *e;
    dsp_digest      d;
    *path = NULL;
    dsp_status s = dsp_pipe_ezkl(&e, p, err);
    if (s != DSP_OK)
        return s;
    if (!g->insecure)
        return dsp_ezkl_srs_find(path, e, p->srs_dirs ? p->srs_dirs : none, g->logrows, err);
    if (!p->test_srs)
        return dsp_fail(err, DSP_E_UNAVAILABLE, "its keys were made with an insecure SRS, so that whoever made that can forge proofs; --generate-test-srs accepts it");
    if (!p->srs_own)
        return dsp_fail(err, DSP_E_UNAVAILABLE, "no folder of insecure SRS files is known");
    if ((s = dsp_ezkl_srs_own(path, p->srs_own, g->logrows, err)) != DSP_OK)
        return s;
    if ((s = dsp_file_sha256(&d, NULL, *path, err)) == DSP_OK && !dsp_digest_eq(&d, &g->srs))
        s = dsp_fail(err, DSP_E_UNAVAILABLE, "%s is not the insecure SRS that the keys were made with; one made elsewhere verifies nothing here", *path);
    if (s != DSP_OK) {
        dsp_free(*path);
        *path = NULL;
    }
    return s;
}

/* ---- bytes ---- */

static dsp_status load_file(const uint8_t **p, size_t *n, const char *dir, uint32_t index, const char *name, bool optional, dsp_err *err)
{
    uint8_t   *q = NULL;
    char      *path = dsp_segment_file(dir, index, name);
    dsp_status s = path ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (s == DSP_OK && (!optional || dsp_file_exists(path)))
        s = dsp_file_read(&q, n, path, DSP_FILE_MAX, err);
    *p = q;
    dsp_free(path);
    return s;
}

dsp_status dsp_foreign_bytes_load(dsp_foreign_bytes **bytes, const char *dir, const dsp_foreign *f, dsp_err *err)
{
    dsp_foreign_bytes *b = *bytes = DSP_NEW_N(dsp_foreign_bytes, f->n_segments);
    dsp_status         s = b ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for %u segments", f->n_segments);
    for (uint32_t i = 0; i < f->n_segments && s == DSP_OK; i++) {
        const uint32_t k = f->segments[i].index;
        if ((s = load_file(&b[i].vk, &b[i].vk_len, dir, k, "vk.key", false, err)) == DSP_OK &&
            (s = load_file(&b[i].settings, &b[i].settings_len, dir, k, "settings.json", false, err)) == DSP_OK)
            s = load_file(&b[i].proof, &b[i].proof_len, dir, k, "proof.json", true, err);
    }
    return s;
}

void dsp_foreign_bytes_free(dsp_foreign_bytes *b, const dsp_foreign *f)
{
    for (uint32_t i = 0; b && i < f->n_segments; i++) {
        dsp_free((void *)(uintptr_t)b[i].vk);
        dsp_free((void *)(uintptr_t)b[i].settings);
        dsp_free((void *)(uintptr_t)b[i].proof);
    }
    dsp_free(b);
}

/* ---- the verdict ---- */

enum { SETTINGS, VK, PROOF, LOG, N_FILES };
static const char *const names[N_FILES] = {"settings.json", "vk.key", "proof.json", "ezkl-verify.log"};

dsp_status dsp_ezkl_judge_proof(void *arg, uint32_t at, const uint8_t *proof, size_t len, dsp_err *err)
{
    const dsp_ezkl_judge      *j = arg;
    const dsp_foreign_bytes   *b = &j->bytes[at];
    const dsp_foreign_segment *g = &j->f->segments[at];
    const void *const          data[] = {b->settings, b->vk, proof};
    const size_t               sizes[] = {b->settings_len, b->vk_len, len};
    const dsp_ezkl            *e;
    char                      *srs = NULL, *dir = NULL, *path[N_FILES] = {NULL};
    bool                       made = false;
    dsp_status                 s = dsp_ezkl_srs_for(&srs, j->p, g, err);
    if (s != DSP_OK || (s = dsp_pipe_ezkl(&e, j->p, err)) != DSP_OK)
        goto done;
    dir = dsp_path_join(j->p->ezkl_places->log_dir, "verify-XXXXXX");
    if (!dir) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        goto done;
    }
    if (!(made = mkdtemp(dir) != NULL)) {
        s = dsp_fail(err, DSP_E_IO, "%s: cannot make a folder: %s", dir, strerror(errno));
        goto done;
    }
    for (int i = 0; i < N_FILES && s == DSP_OK; i++) {
        path[i] = dsp_path_join(dir, names[i]);
        if (!path[i])
            s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        else if (i != LOG)
            s = dsp_file_write_fast(path[i], data[i], sizes[i], 0600, err);
    }
    if (s == DSP_OK) {
        const dsp_ezkl_files f = {.settings = path[SETTINGS], .vk = path[VK], .proof = path[PROOF], .log_dir = dir, .srs = srs, .srs_insecure = g->insecure,
                                  .allow_insecure = j->p->test_srs};
        s = dsp_ezkl_verify(e, &f, NULL, err);
    }
done:
    for (int i = 0; i < N_FILES; i++) {
        if (path[i])
            unlink(path[i]);
        dsp_free(path[i]);
    }
    if (made)
        rmdir(dir);
    dsp_free(dir);
    dsp_free(srs);
    return s;
}
