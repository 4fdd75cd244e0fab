#include "pipeline/runclaims.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "pipeline/artifacts.h"

static dsp_status read_both(dsp_run_claims *c, const char *dir, dsp_err *err)
{
    static const char *const names[] = {"statement.bin", "foreign.bin"};
    dsp_status s = DSP_OK;
    for (int k = 0; k < 2 && s == DSP_OK; k++) {
        uint8_t *p = NULL;
        size_t   n = 0;
        char    *path = dsp_path_join(dir, names[k]);
        s = path ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        /* One of the two must be there; the message of a folder without any names the first. */
        if (s == DSP_OK && (dsp_file_exists(path) || (k == 1 && !c->st))) {
            s = dsp_file_read(&p, &n, path, DSP_FILE_MAX, err);
            if (s == DSP_OK)
                s = k ? dsp_foreign_read(&c->f, p, n, err) : dsp_statement_read(&c->st, p, n, err);
            if (s == DSP_OK && k == 0)
                c->st_digest = dsp_sha256(p, n);
            if (s == DSP_E_FORMAT || s == DSP_E_LIMIT) {
                dsp_context(err, DSP_E_FORMAT, "%s", path);
                s = DSP_E_FORMAT;
            }
        }
        dsp_free(p);
        dsp_free(path);
    }
    return s;
}

/* Without foreign.bin nothing stands behind what statement.bin says of ezkl. */
static const char *alone(const char *reason) { return strcmp(reason, DSP_FOREIGN_REASON) == 0 ? "left to ezkl, and foreign.bin is not there" : reason; }

dsp_status dsp_run_claims_make(dsp_run_claims *c, dsp_err *err)
{
    const uint32_t n_native = c->st ? c->st->n_slices : 0, n_ezkl = c->f ? c->f->n_segments : 0, n_none = c->f ? c->f->n_unproved : c->st->n_unproved;
    dsp_run_claim     *x = c->list = DSP_NEW_N(dsp_run_claim, (size_t)n_native + n_ezkl + n_none);
    if (!x)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for a list of segments");
    for (uint32_t i = 0; i < n_native; i++)
        *x++ = (dsp_run_claim){DSP_BY_NATIVE, c->st->slices[i].index, i, c->st->slices[i].macs, NULL};
    for (uint32_t i = 0; i < n_ezkl; i++)
        *x++ = (dsp_run_claim){DSP_BY_EZKL, c->f->segments[i].index, i, c->f->segments[i].macs, NULL};
    for (uint32_t i = 0; i < n_none; i++)
        *x++ = c->f ? (dsp_run_claim){DSP_BY_NOBODY, c->f->unproved[i].index, i, c->f->unproved[i].macs, c->f->unproved[i].reason}
                    : (dsp_run_claim){DSP_BY_NOBODY, c->st->unproved[i].index, i, c->st->unproved[i].macs, alone(c->st->unproved[i].reason)};
    c->n_proved = n_native + n_ezkl;
    c->n = c->n_proved + n_none;
    c->model = c->f ? c->f->model : c->st->model;
    if (!c->f)
        c->model_id = c->st->model_id;
    else
        return dsp_foreign_model_id(&c->model_id, c->f, c->st ? &c->st->model_id : NULL, err);
    return DSP_OK;
}

dsp_status dsp_run_claims_load(dsp_run_claims *c, const char *dir, dsp_err *err)
{
    *c = (dsp_run_claims){0};
    dsp_status s = read_both(c, dir, err);
    for (uint32_t i = 0; s == DSP_OK && !c->f && i < c->st->n_unproved; i++)
        if (strcmp(c->st->unproved[i].reason, DSP_FOREIGN_REASON) == 0)
            s = dsp_fail(err, DSP_E_MISSING, "%s/foreign.bin: no such file; statement.bin says that ezkl proves segment %u", dir, c->st->unproved[i].index);
    return s == DSP_OK ? dsp_run_claims_make(c, err) : s;
}

void dsp_run_claims_release(dsp_run_claims *c)
{
    dsp_statement_free(c->st);
    dsp_foreign_free(c->f);
    dsp_free(c->list);
    *c = (dsp_run_claims){0};
}

dsp_status dsp_run_claims_fit(const dsp_run_claims *c, const char *dir, dsp_err *err)
{
    if (!c->f || (c->f->n_native ? c->st && dsp_digest_eq(&c->f->statement, &c->st_digest) : !c->st))
        return DSP_OK;
    return dsp_fail(err, DSP_E_FORMAT, "%s: statement.bin is not the one that foreign.bin names; make a new run", dir);
}

static void put_share(json_t *o, uint32_t n, uint32_t of, uint64_t macs, uint64_t of_macs)
{
    dsp_json_put(o, "segments", json_integer(n));
    dsp_json_put(o, "of_segments", json_integer(of));
    dsp_json_put(o, "segments_percent", json_real(of ? floor(1000.0 * n / of + 0.5) / 10 : 0));
    dsp_json_put(o, "macs", json_integer((json_int_t)macs));
    dsp_json_put(o, "of_macs", json_integer((json_int_t)of_macs));
    dsp_json_put(o, "macs_percent", json_real(of_macs ? floor(1000.0 * (double)macs / (double)of_macs + 0.5) / 10 : n == of ? 100 : 0));
}

json_t *dsp_run_coverage(const dsp_run_claims *c, const bool *done)
{
    uint64_t all = 0, macs[3] = {0};
    uint32_t n[3] = {0};
    json_t  *o = json_object();
    for (uint32_t i = 0; i < c->n; i++) {
        const dsp_run_claim *x = &c->list[i];
        all += x->macs;
        if (x->by == DSP_BY_NOBODY || (done && !done[i]))
            continue;
        n[x->by]++;
        macs[x->by] += x->macs;
    }
    put_share(o, n[1] + n[2], c->n, macs[1] + macs[2], all);
    if (c->f) {
        json_t *each = json_object();
        for (int by = DSP_BY_NATIVE; by <= DSP_BY_EZKL; by++) {
            json_t *e = json_object();
            put_share(e, n[by], c->n, macs[by], all);
            dsp_json_put(each, dsp_by_text((dsp_by)by), e);
        }
        dsp_json_put(o, "by_backend", each);
    }
    return o;
}

static int by_segment(const void *a, const void *b)
{
    const uint64_t x = dsp_json_u64(*(json_t *const *)a, "segment"), y = dsp_json_u64(*(json_t *const *)b, "segment");
    return (x > y) - (x < y);
}

void dsp_rows_by_segment(json_t *rows)
{
    const size_t n = json_array_size(rows);
    json_t     **list = DSP_NEW_N(json_t *, n);
    for (size_t i = 0; list && i < n; i++)
        list[i] = json_incref(json_array_get(rows, i));
    if (list)
        qsort(list, n, sizeof *list, by_segment);
    for (size_t i = 0; list && i < n; i++)
        json_array_set_new(rows, i, list[i]);
    dsp_free(list);
}

bool dsp_run_insecure(const dsp_run_claims *c)
{
    bool any = false;
    for (uint32_t i = 0; c->f && i < c->f->n_segments; i++)
        any = any || c->f->segments[i].insecure;
    return any;
}
