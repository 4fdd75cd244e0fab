/* The values of a run on disk: read back for a prover, and checked before a finished run is taken up again. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "format/container.h"
#include "pipeline/runclaims.h"
#include "pipeline/runfiles.h"

dsp_status dsp_run_key_load(dsp_slice **sl, const char *dir, const dsp_statement *st, uint32_t i, dsp_err *err)
{
    const dsp_stmt_slice *x = &st->slices[i];
    uint8_t   *p = NULL;
    size_t     n = 0;
    char      *path = dsp_segment_file(dir, x->index, "vk.bin");
    *sl = NULL;
    dsp_status s = path ? dsp_file_read(&p, &n, path, DSP_FILE_MAX, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (s == DSP_OK) {
        const dsp_digest d = dsp_sha256(p, n);
        if (!dsp_digest_eq(&d, &x->key))
            s = dsp_fail(err, DSP_E_UNSUPPORTED, "%s: the key changed since the run; make a new run", path);
    }
    if (s == DSP_OK && (s = dsp_backend_native()->load(sl, p, n, err)) != DSP_OK)
        dsp_context(err, s, "%s", path);
    dsp_free(p);
    dsp_free(path);
    return s;
}

dsp_status dsp_witness_cells(int64_t **own, const int64_t **cells, const char *dir, const dsp_statement *st, const dsp_slice *sl, uint32_t segment,
                             dsp_err *err)
{
    dsp_witness_row *rows = DSP_NEW_N(dsp_witness_row, sl->n_io);
    char            *path = dsp_segment_file(dir, segment, "witness.bin");
    dsp_status       s = rows && path ? dsp_witness_read(rows, path, sl, st, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a witness");
    for (uint32_t k = 0; k < sl->n_io && s == DSP_OK; k++) {
        const dsp_io  *io = &sl->io[k];
        const uint32_t place = io->pub ? dsp_statement_pub(st, io->name) : dsp_statement_edge(st, io->name);
        if (place == DSP_NONE || place != rows[k].place) {
            s = dsp_fail(err, DSP_E_FORMAT, "%s: tensor \"%s\" is not where the statement has it", path, io->name);
        } else if (io->pub) {
            cells[k] = memcmp(st->pubs[place].dims, io->dims, sizeof io->dims) == 0 ? st->pubs[place].cells : NULL;
            if (!cells[k])
                s = dsp_fail(err, DSP_E_FORMAT, "statement.bin: tensor \"%s\" has another shape than the key", io->name);
        } else {
            char  name[48];
            snprintf(name, sizeof name, "boundaries/%u.bin", place);
            char *file = dsp_path_join(dir, name);
            own[k] = DSP_NEW_N(int64_t, (size_t)io->count);
            cells[k] = own[k];
            s = file && own[k] ? dsp_boundary_read(own[k], file, io->name, io->dims, st, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a boundary");
            dsp_free(file);
        }
        if (s == DSP_OK) {
            const dsp_digest d = dsp_cells_digest(cells[k], io->count);
            if (!dsp_digest_eq(&d, &rows[k].digest))
                s = dsp_fail(err, DSP_E_FORMAT, "%s: the values of \"%s\" are not those of the witness", path, io->name);
        }
    }
    dsp_free(rows);
    dsp_free(path);
    return s;
}

/* Key, witness and boundaries of one slice are there and belong together. */
static dsp_status slice_intact(const char *dir, const dsp_statement *st, uint32_t i, dsp_err *err)
{
    dsp_slice      *sl = NULL;
    int64_t       **own = NULL;
    const int64_t **cells = NULL;
    dsp_status      s = dsp_run_key_load(&sl, dir, st, i, err);
    if (s != DSP_OK)
        return s;
    own = DSP_NEW_N(int64_t *, sl->n_io);
    cells = DSP_NEW_N(const int64_t *, sl->n_io);
    s = own && cells ? dsp_witness_cells(own, cells, dir, st, sl, st->slices[i].index, err)
                     : dsp_fail(err, DSP_E_NOMEM, "no memory for segment %u", st->slices[i].index);
    for (uint32_t k = 0; own && k < sl->n_io; k++)
        if (own[k]) {
            dsp_wipe(own[k], (size_t)sl->io[k].count * sizeof(int64_t));
            dsp_free(own[k]);
        }
    dsp_free(own);
    dsp_free(cells);
    sl->backend->free(sl);
    return s;
}

static bool file_is(const char *dir, const char *name, const dsp_digest *want)
{
    uint8_t   *p = NULL;
    size_t     n = 0;
    char      *path = dsp_path_join(dir, name);
    bool       same = false;
    if (path && dsp_file_read(&p, &n, path, DSP_FILE_MAX, NULL) == DSP_OK) {
        const dsp_digest d = dsp_sha256(p, n);
        same = dsp_digest_eq(&d, want);
    }
    dsp_free(p);
    dsp_free(path);
    return same;
}

static bool segment_file_is(const char *dir, uint32_t index, const char *name, const dsp_digest *want)
{
    char rel[64];
    snprintf(rel, sizeof rel, "segment_%u/%s", index, name);
    return file_is(dir, rel, want);
}

/* Statement, keys, settings and witnesses of the segments that ezkl proves. */
static bool foreign_intact(const char *dir, const json_t *result, const dsp_model *m)
{
    dsp_run_claims c;
    dsp_digest     want;
    bool           ok = dsp_run_claims_load(&c, dir, NULL) == DSP_OK && c.f && dsp_run_claims_fit(&c, dir, NULL) == DSP_OK && dsp_digest_eq(&c.model_id, &m->claim_id) &&
              dsp_json_digest(&want, result, "foreign_sha256") && file_is(dir, "foreign.bin", &want);
    for (uint32_t i = 0; ok && i < c.f->n_segments; i++) {
        const dsp_foreign_segment *g = &c.f->segments[i];
        char                      *witness = dsp_segment_file(dir, g->index, "witness.json");
        ok = witness && dsp_file_exists(witness) && segment_file_is(dir, g->index, "vk.key", &g->vk) && segment_file_is(dir, g->index, "settings.json", &g->settings);
        dsp_free(witness);
    }
    dsp_run_claims_release(&c);
    return ok;
}

bool dsp_run_intact(const char *dir, const json_t *result, const dsp_model *m)
{
    dsp_statement *st = NULL;
    dsp_digest     want;
    uint8_t        secret[32];
    char          *path = dsp_path_join(dir, "chain.json");
    json_t        *chain = NULL, *now = dsp_chain_json(m, dir);
    bool           ok = path && now && dsp_json_load(&chain, path, NULL) == DSP_OK;
    /* The same segments, keys and record, at the same places, by this version of the program: prove refuses another one's. */
    if (ok)
        json_object_del(chain, "kind");
    ok = ok && json_equal(chain, now) && strcmp(dsp_json_str(result, "tool_version"), DSP_VERSION) == 0;
    if (ok && m->n_proved) {
        ok = dsp_json_digest(&want, result, "statement_sha256") && file_is(dir, "statement.bin", &want) && dsp_statement_load(&st, dir, NULL) == DSP_OK &&
             dsp_digest_eq(&st->run_key, &m->run_key) && dsp_digest_eq(&st->model_id, &m->model_id) && file_is(dir, "quantization.json", &st->record) &&
             dsp_run_secret_load(secret, dir, st, NULL) == DSP_OK;
        dsp_wipe(secret, sizeof secret);
        for (uint32_t i = 0; ok && i < st->n_slices; i++)
            ok = slice_intact(dir, st, i, NULL) == DSP_OK;
    }
    ok = ok && (m->n_ezkl == 0 || foreign_intact(dir, result, m));
    dsp_statement_free(st);
    json_decref(chain);
    json_decref(now);
    dsp_free(path);
    return ok;
}
