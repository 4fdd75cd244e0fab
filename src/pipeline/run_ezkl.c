#include "pipeline/run_ezkl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/digest.h"
#include "pipeline/runfiles.h"

typedef struct { char *input, *witness, *logs; } files;

static void release(files *f)
{
    dsp_free(f->input);
    dsp_free(f->witness);
    dsp_free(f->logs);
}

static dsp_status paths(files *f, const char *dir, uint32_t index, dsp_err *err)
{
    *f = (files){dsp_segment_file(dir, index, "input.json"), dsp_segment_file(dir, index, "witness.json"), dsp_segment_file(dir, index, "logs")};
    return f->input && f->witness && f->logs ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
}

bool dsp_run_ezkl_ready(const char *dir, const dsp_seg *s)
{
    char      *path = dsp_segment_file(dir, s->index, "witness.json");
    const bool yes = path && dsp_file_exists(path);
    dsp_free(path);
    return yes;
}

/* The circuit is the one that the key was made from. */
static dsp_status check_circuit(const dsp_seg *s, dsp_err *err)
{
    dsp_digest       d;
    const dsp_status r = dsp_file_sha256(&d, NULL, s->ezkl->compiled, err);
    return r != DSP_OK || dsp_digest_eq(&d, &s->ezkl->compiled_digest) ? r
                                                                       : dsp_fail(err, DSP_E_FORMAT, "%s: not the circuit that metadata.json names; compile again", s->ezkl->compiled);
}

/* The integers that the segment reads, one tensor after the other. */
static dsp_status gather(int64_t *given, const dsp_run_ezkl *r, const dsp_seg *s, dsp_err *err)
{
    const dsp_ezkl_circuit *c = &s->ezkl->circuit;
    dsp_status              st = DSP_OK;
    for (uint32_t i = 0; i < s->n_in && (st = dsp_store_need_ints(r->m, r->st, s->in[i], err)) == DSP_OK; i++) {
        const dsp_val *v = &r->st->v[s->in[i]];
        if (v->n_ints != c->in[i])
            return dsp_fail(err, DSP_E_FORMAT, "input %u has %ju values, ezkl's circuit takes %ju; compile again", i, (uintmax_t)v->n_ints, (uintmax_t)c->in[i]);
        memcpy(given, v->ints, (size_t)v->n_ints * sizeof *given);
        given += v->n_ints;
    }
    return st;
}

static dsp_status execute(const dsp_run_ezkl *r, dsp_seg *s, const files *f, const dsp_ezkl *e, const int64_t *given, int64_t *in, int64_t *out, dsp_err *err)
{
    const dsp_ezkl_circuit *c = &s->ezkl->circuit;
    const dsp_ezkl_files    run = {.compiled = s->ezkl->compiled, .input = f->input, .witness = f->witness, .log_dir = f->logs};
    dsp_status              st;
    if ((st = dsp_ezkl_input_write(f->input, c, given, err)) != DSP_OK || (st = dsp_ezkl_witness(e, &run, NULL, err)) != DSP_OK)
        return st;
    if (chmod(f->witness, 0600) != 0)
        return dsp_fail(err, DSP_E_IO, "%s: cannot be made private: %s", f->witness, strerror(errno));
    if ((st = dsp_ezkl_witness_read(in, out, f->witness, c, err)) != DSP_OK)
        return st;
    if (memcmp(in, given, (size_t)c->cells_in * sizeof *in) != 0)
        return dsp_fail(err, DSP_E_FORMAT, "%s: the witness has other inputs than were given", f->witness);
    const int64_t *from = out;
    for (uint32_t i = 0; i < s->n_out && st == DSP_OK; i++) {
        if ((st = dsp_store_int_room(r->st, s->out[i], c->out[i], err)) == DSP_OK)
            memcpy(r->st->v[s->out[i]].ints, from, (size_t)c->out[i] * sizeof *from);
        from += c->out[i];
    }
    return st;
}

dsp_status dsp_run_ezkl_segment(const dsp_run_ezkl *r, dsp_seg *s, dsp_err *err)
{
    const dsp_ezkl_circuit *c = &s->ezkl->circuit;
    const dsp_ezkl         *e;
    files                   f = {NULL, NULL, NULL};
    dsp_err                 why = {DSP_OK, ""};
    int64_t                *given = DSP_NEW_N(int64_t, c->cells_in), *in = DSP_NEW_N(int64_t, c->cells_in), *out = DSP_NEW_N(int64_t, c->cells_out);
    dsp_status              st = given && in && out ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for segment %u", s->index);
    s->fell_back = false;
    if (st != DSP_OK || (st = dsp_pipe_ezkl(&e, r->p, err)) != DSP_OK || (st = paths(&f, r->dir, s->index, err)) != DSP_OK || (st = dsp_mkdirs(f.logs, err)) != DSP_OK ||
        (st = check_circuit(s, err)) != DSP_OK)
        goto done;
    if ((st = gather(given, r, s, &why)) == DSP_E_FORMAT) {
        st = dsp_fail(err, st, "segment %u: %s", s->index, why.msg);
        goto done;
    }
    if (st == DSP_OK)
        st = execute(r, s, &f, e, given, in, out, &why);
    /* Only what ezkl itself cannot do is a reason to do without it. */
    if ((st == DSP_E_UNSUPPORTED || st == DSP_E_FORMAT || st == DSP_E_RANGE) && !r->no_fallback) {
        s->fell_back = true;
        snprintf(s->fall_error, sizeof s->fall_error, "%.*s", (int)sizeof s->fall_error - 1, why.msg);
        dsp_pipe_say(r->p, DSP_SAY_WARNING, "%s: ONNX Runtime does what ezkl could not, and the segment is not proved in this run: %s", s->name, why.msg);
        unlink(f.input);
        unlink(f.witness);
        st = DSP_OK;
    } else if (st != DSP_OK) {
        st = dsp_fail(err, st, "segment %u: %s", s->index, why.msg);
    }
done:
    if (given)
        dsp_wipe(given, (size_t)c->cells_in * sizeof *given);
    dsp_free(given);
    dsp_free(in);
    dsp_free(out);
    release(&f);
    return st;
}

dsp_status dsp_run_foreign(dsp_foreign **out, const dsp_run_ezkl *r, const uint8_t nonce[32], const dsp_digest *statement, dsp_err *err)
{
    dsp_status s = dsp_foreign_of_model(out, r->m, err);
    if (s != DSP_OK)
        return s;
    dsp_foreign *f = *out;
    memcpy(f->nonce, nonce, 32);
    if (statement)
        f->statement = *statement;
    for (uint32_t i = 0, k = 0; i < r->m->n; i++) {
        const dsp_seg *g = &r->m->segs[i];
        if (!dsp_seg_by_ezkl(g))
            continue;
        const dsp_foreign_segment *x = &f->segments[k++];
        for (uint32_t t = 0; t < x->n_in + x->n_out; t++) {
            const dsp_val      *v = &r->st->v[t < x->n_in ? g->in[t] : g->out[t - x->n_in]];
            dsp_foreign_tensor *to = &f->tensors[t < x->n_in ? x->in[t] : x->out[t - x->n_in]];
            if (!v->ints || v->n_ints != to->count)
                s = dsp_fail(err, DSP_E_BUG, "tensor \"%s\" has no integers", to->name);
            to->cells = v->ints;
        }
    }
    if (s != DSP_OK) {
        dsp_foreign_free(f);
        *out = NULL;
    }
    return s;
}

static dsp_status put_file(const char *dir, uint32_t index, const char *name, const void *p, size_t n, dsp_err *err)
{
    char      *path = dsp_segment_file(dir, index, name);
    dsp_status s = path ? dsp_file_write_fast(path, p, n, 0644, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    dsp_free(path);
    return s;
}

dsp_status dsp_run_foreign_write(dsp_digest *digest, const dsp_run_ezkl *r, const dsp_foreign *f, dsp_err *err)
{
    dsp_buf    b = {0};
    char      *path = dsp_path_join(r->dir, "foreign.bin");
    dsp_status s = path ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (s == DSP_OK && !f) {
        unlink(path);
        goto done;
    }
    for (uint32_t i = 0; i < r->m->n && s == DSP_OK; i++) {
        const dsp_seg *g = &r->m->segs[i];
        if (!dsp_seg_by_ezkl(g))
            continue;
        s = put_file(r->dir, i, "vk.key", g->ezkl->vk, g->ezkl->vk_len, err);
        if (s == DSP_OK)
            s = put_file(r->dir, i, "settings.json", g->ezkl->settings.p, g->ezkl->settings.len, err);
    }
    if (s == DSP_OK && (s = dsp_foreign_write(&b, f, err)) == DSP_OK)
        s = dsp_file_write(path, b.p, b.len, 0644, err);
    *digest = dsp_sha256(b.p, b.len);
done:
    dsp_buf_release(&b);
    dsp_free(path);
    return s;
}
