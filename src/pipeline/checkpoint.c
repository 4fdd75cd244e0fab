#include "pipeline/checkpoint.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "format/container.h"
#include "pipeline/runfiles.h"

enum { BY_ORT, BY_NATIVE, BY_EZKL };

static const dsp_digest *source(const dsp_model *m, const dsp_seg *s)
{
    return s->slice ? &s->slice->digest : dsp_seg_by_ezkl(s) ? &s->ezkl->compiled_digest : &m->slices->segment_digest[s->index];
}

static uint8_t kind_of(const dsp_seg *s) { return s->slice ? BY_NATIVE : dsp_seg_by_ezkl(s) ? BY_EZKL : BY_ORT; }

/* Digest of all that a segment reads. A slice reads integers: those of the model's inputs are made here when they are not there yet. */
static dsp_status inputs_digest(dsp_digest *out, dsp_model *m, const dsp_seg *s, dsp_store *st, dsp_err *err)
{
    dsp_sha    sha;
    dsp_status r = DSP_OK;
    dsp_sha_init(&sha);
    for (uint32_t i = 0; s->slice && i < s->slice->n_io && r == DSP_OK; i++) {
        const dsp_io *io = &s->slice->io[i];
        if (io->made)
            continue;
        if ((r = dsp_store_need_cells(m, st, s->io_value[i], io, false, err)) == DSP_OK) {
            const dsp_digest d = dsp_cells_digest(st->v[s->io_value[i]].cells, io->count);
            dsp_sha_put(&sha, d.b, 32);
        }
    }
    for (uint32_t i = 0; dsp_seg_by_ezkl(s) && i < s->n_in && r == DSP_OK; i++)
        if ((r = dsp_store_need_ints(m, st, s->in[i], err)) == DSP_OK) {
            const dsp_digest d = dsp_cells_digest(st->v[s->in[i]].ints, st->v[s->in[i]].n_ints);
            dsp_sha_put(&sha, d.b, 32);
        }
    for (uint32_t i = 0; kind_of(s) == BY_ORT && i < s->n_in && r == DSP_OK; i++) {
        dsp_array a = {0};
        if ((r = dsp_store_array(&a, m, st, s->in[i], err)) == DSP_OK) {
            const dsp_digest d = dsp_arrays_digest(&a, 1);
            dsp_sha_put(&sha, d.b, 32);
        }
        dsp_array_release(&a);
    }
    *out = dsp_sha_digest(&sha);
    return r;
}

static void put_array(dsp_buf *b, const dsp_array *a)
{
    dsp_buf_u32(b, (uint32_t)a->dtype);
    dsp_buf_u32(b, a->rank);
    for (uint32_t k = 0; k < a->rank; k++)
        dsp_buf_i64(b, a->dims[k]);
    dsp_buf_u64(b, a->bytes);
    dsp_buf_put(b, a->data, a->bytes);
}

dsp_status dsp_checkpoint_write(const dsp_checkpoint *c, dsp_model *m, const dsp_seg *s, const dsp_store *st, dsp_err *err)
{
    dsp_buf    head = {0}, body = {0}, file = {0};
    dsp_digest in;
    char      *path = dsp_segment_file(c->dir, s->index, "outputs.bin"), *dir = path ? dsp_path_dir(path) : NULL;
    dsp_store  view = *st;
    dsp_status r = dir ? inputs_digest(&in, m, s, &view, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    uint32_t   n = 0;
    if (r != DSP_OK)
        goto done;
    dsp_buf_put(&head, c->nonce, 32);
    dsp_buf_put(&head, c->input.b, 32);
    dsp_buf_put(&head, source(m, s)->b, 32);
    dsp_buf_u8(&head, kind_of(s));
    dsp_buf_put(&head, in.b, 32);
    dsp_buf_u64(&head, s->saturated);
    dsp_buf_u64(&head, (uint64_t)(s->seconds * 1e9));
    for (uint32_t i = 0; s->slice && i < s->slice->n_io; i++)
        n += s->slice->io[i].made;
    dsp_buf_u32(&body, s->slice ? n : s->n_out);
    for (uint32_t i = 0; s->slice && i < s->slice->n_io; i++)
        if (s->slice->io[i].made) {
            dsp_buf_text(&body, s->slice->io[i].name);
            dsp_buf_u64(&body, s->slice->io[i].count);
            dsp_cells_write(&body, st->v[s->io_value[i]].cells, s->slice->io[i].count);
        }
    for (uint32_t i = 0; dsp_seg_by_ezkl(s) && i < s->n_out; i++) {
        const dsp_val *v = &st->v[s->out[i]];
        dsp_buf_text(&body, m->g->values[s->out[i]].name);
        dsp_buf_u64(&body, v->n_ints);
        dsp_cells_write(&body, v->ints, v->n_ints);
    }
    for (uint32_t i = 0; kind_of(s) == BY_ORT && i < s->n_out; i++) {
        dsp_buf_text(&body, m->g->values[s->out[i]].name);
        put_array(&body, &st->v[s->out[i]].f);
    }
    const dsp_chunk chunks[] = {{1, head.p, head.len}, {2, body.p, body.len}};
    if (head.bad || body.bad)
        r = dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", path);
    else if ((r = dsp_container_write(&file, "outputs", chunks, 2, err)) == DSP_OK && (r = dsp_mkdirs(dir, err)) == DSP_OK)
        r = dsp_file_write_fast(path, file.p, file.len, 0600, err);
done:
    dsp_buf_release(&file);
    dsp_buf_release(&body);
    dsp_buf_release(&head);
    dsp_free(dir);
    dsp_free(path);
    return r;
}

static bool is_text(dsp_rd *rd, const char *want)
{
    const char *t;
    uint16_t    n;
    return dsp_rd_text(rd, &t, &n) && n == strlen(want) && memcmp(t, want, n) == 0;
}

static bool is_digest(dsp_rd *rd, const uint8_t want[32])
{
    const uint8_t *p = dsp_rd_take(rd, 32);
    return p && memcmp(p, want, 32) == 0;
}

static bool take_array(dsp_array *a, dsp_rd *rd)
{
    a->dtype = (int32_t)dsp_rd_u32(rd);
    a->rank = dsp_rd_u32(rd);
    const size_t size = dsp_dtype_size(a->dtype);
    if (rd->bad || a->rank > DSP_MAX_RANK || size == 0)
        return false;
    for (uint32_t k = 0; k < a->rank; k++)
        a->dims[k] = dsp_rd_i64(rd);
    a->bytes = (size_t)dsp_rd_u64(rd);
    a->count = a->bytes / size;
    size_t count = 1;
    for (uint32_t k = 0; k < a->rank; k++) {
        if (a->dims[k] < 0 || (a->dims[k] && count > dsp_rd_left(rd) / (size_t)a->dims[k]))
            return false;
        count *= (size_t)a->dims[k];
    }
    const uint8_t *p = count == a->count && a->bytes == count * size ? dsp_rd_take(rd, a->bytes) : NULL;
    void *copy = p ? dsp_calloc(a->bytes ? a->bytes : 1, 1) : NULL;
    if (!copy)
        return false;
    memcpy(copy, p, a->bytes);
    a->data = copy;
    return true;
}

/* Everything fits, so the outputs go into the store; false leaves it as if the segment had not run. */
static bool restore(const uint8_t *p, size_t len, const dsp_checkpoint *c, const dsp_digest *in, dsp_model *m, dsp_seg *s, dsp_store *st)
{
    dsp_chunk ch[DSP_MAX_CHUNKS];
    uint32_t  n, made = 0;
    dsp_rd    rd;
    if (dsp_container_read(ch, &n, "outputs", p, len, "checkpoint", NULL) != DSP_OK)
        return false;
    dsp_chunk_open(&rd, ch, n, 1, "checkpoint", NULL);
    if (!is_digest(&rd, c->nonce) || !is_digest(&rd, c->input.b) || !is_digest(&rd, source(m, s)->b) || dsp_rd_u8(&rd) != kind_of(s) ||
        !is_digest(&rd, in->b))
        return false;
    const uint64_t saturated = dsp_rd_u64(&rd), ns = dsp_rd_u64(&rd);
    if (dsp_rd_done(&rd, true) != DSP_OK)
        return false;
    dsp_chunk_open(&rd, ch, n, 2, "checkpoint", NULL);
    for (uint32_t i = 0; s->slice && i < s->slice->n_io; i++)
        made += s->slice->io[i].made;
    if (dsp_rd_u32(&rd) != (s->slice ? made : s->n_out) || rd.bad)
        return false;
    for (uint32_t i = 0; s->slice && i < s->slice->n_io; i++) {
        const dsp_io *io = &s->slice->io[i];
        if (io->made && (!is_text(&rd, io->name) || dsp_rd_u64(&rd) != io->count || dsp_store_room(st, s->io_value[i], io, NULL) != DSP_OK ||
                         dsp_cells_read(st->v[s->io_value[i]].cells, io->count, &rd) != DSP_OK))
            return false;
    }
    for (uint32_t i = 0; dsp_seg_by_ezkl(s) && i < s->n_out; i++)
        if (!is_text(&rd, m->g->values[s->out[i]].name) || dsp_rd_u64(&rd) != s->ezkl->circuit.out[i] ||
            dsp_store_int_room(st, s->out[i], s->ezkl->circuit.out[i], NULL) != DSP_OK ||
            dsp_cells_read(st->v[s->out[i]].ints, s->ezkl->circuit.out[i], &rd) != DSP_OK)
            return false;
    for (uint32_t i = 0; kind_of(s) == BY_ORT && i < s->n_out; i++) {
        dsp_val  *v = &st->v[s->out[i]];
        dsp_array a = {0};
        if (!is_text(&rd, m->g->values[s->out[i]].name) || !take_array(&a, &rd))
            return false;
        if (v->owned)
            dsp_array_release(&v->f);
        v->f = a;
        v->owned = true;
    }
    if (dsp_rd_done(&rd, true) != DSP_OK)
        return false;
    s->saturated = saturated;
    s->seconds = (double)ns / 1e9;
    return true;
}

dsp_status dsp_checkpoint_restore(bool *done, const dsp_checkpoint *c, dsp_model *m, dsp_seg *s, dsp_store *st, dsp_err *err)
{
    uint8_t   *p = NULL;
    size_t     len = 0;
    dsp_digest in;
    char      *path = dsp_segment_file(c->dir, s->index, "outputs.bin");
    dsp_status r = path ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    *done = false;
    if (r != DSP_OK || dsp_file_read(&p, &len, path, DSP_FILE_MAX, NULL) != DSP_OK)
        goto done;
    if ((r = inputs_digest(&in, m, s, st, err)) == DSP_OK)
        *done = restore(p, len, c, &in, m, s, st);
done:
    if (p)
        dsp_wipe(p, len);
    dsp_free(p);
    dsp_free(path);
    return r;
}

void dsp_checkpoint_remove(const dsp_checkpoint *c, uint32_t segment)
{
    char *path = dsp_segment_file(c->dir, segment, "outputs.bin");
    if (path)
        unlink(path);
    dsp_free(path);
}
