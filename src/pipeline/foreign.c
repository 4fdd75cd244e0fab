#include "pipeline/foreign.h"

#include <string.h>

#include "circuit/codec.h"
#include "format/container.h"

enum { HEAD = 1, SEGMENTS = 2, OTHERS = 3, TENSORS = 4 };
static const char   kind[] = "foreign", label[] = "dsperse foreign model 1";
static const size_t tree_bytes = (size_t)40 << 20; /* names and tables while a file is read, besides twice its bytes */

dsp_foreign *dsp_foreign_create(void)
{
    dsp_foreign *f = DSP_NEW(dsp_foreign);
    if (f && !(f->arena = dsp_arena_create(0))) {
        dsp_free(f);
        f = NULL;
    }
    return f;
}

void dsp_foreign_free(dsp_foreign *f)
{
    if (!f)
        return;
    dsp_arena_free(f->arena);
    dsp_free(f);
}

uint32_t dsp_foreign_tensor_find(const dsp_foreign *f, const char *name)
{
    for (uint32_t i = 0; i < f->n_tensors; i++)
        if (strcmp(f->tensors[i].name, name) == 0)
            return i;
    return DSP_NONE;
}

/* ---- writing ---- */

static bool put_names(dsp_buf *out, const char *const *names, uint32_t n)
{
    bool good = true;
    dsp_buf_u32(out, n);
    for (uint32_t i = 0; i < n; i++)
        good = dsp_name_write(out, names[i]) && good;
    return good;
}

static bool put_model(dsp_buf *out, const dsp_foreign *f)
{
    bool good = true;
    dsp_buf_u32(out, f->scale);
    dsp_buf_u32(out, f->n_cuts);
    for (uint32_t i = 0; i < f->n_cuts; i++)
        dsp_buf_u32(out, f->cuts[i]);
    dsp_buf_u32(out, f->n_binds);
    for (uint32_t i = 0; i < f->n_binds; i++) {
        good = dsp_name_write(out, f->binds[i].name) && good;
        dsp_buf_i64(out, f->binds[i].value);
    }
    good = put_names(out, f->inputs, f->n_inputs) && good;
    return put_names(out, f->outputs, f->n_outputs) && good;
}

static void put_list(dsp_buf *out, const uint32_t *v, uint32_t n)
{
    dsp_buf_u32(out, n);
    for (uint32_t i = 0; i < n; i++)
        dsp_buf_u32(out, v[i]);
}

static bool put_shape(dsp_buf *out, const dsp_foreign_tensor *t)
{
    const bool good = dsp_name_write(out, t->name);
    dsp_buf_u32(out, t->rank);
    for (uint32_t k = 0; k < t->rank; k++)
        dsp_buf_i64(out, t->dims[k]);
    return good;
}

dsp_status dsp_foreign_write(dsp_buf *out, const dsp_foreign *f, dsp_err *err)
{
    dsp_buf    b[4] = {{0}};
    bool       names = true;
    dsp_status s;
    dsp_buf_put(&b[0], f->model.b, 32);
    dsp_buf_put(&b[0], f->record.b, 32);
    dsp_buf_put(&b[0], f->statement.b, 32);
    dsp_buf_put(&b[0], f->nonce, 32);
    names = put_model(&b[0], f);
    dsp_buf_u32(&b[1], f->n_segments);
    for (uint32_t i = 0; i < f->n_segments; i++) {
        const dsp_foreign_segment *g = &f->segments[i];
        dsp_buf_u32(&b[1], g->index);
        dsp_buf_u64(&b[1], g->macs);
        dsp_buf_put(&b[1], g->vk.b, 32);
        dsp_buf_put(&b[1], g->settings.b, 32);
        dsp_buf_u8(&b[1], (uint8_t)g->logrows);
        dsp_buf_u8(&b[1], g->insecure);
        dsp_buf_put(&b[1], g->srs.b, 32);
        put_list(&b[1], g->in, g->n_in);
        put_list(&b[1], g->out, g->n_out);
    }
    put_list(&b[2], f->native, f->n_native);
    dsp_buf_u32(&b[2], f->n_unproved);
    for (uint32_t i = 0; i < f->n_unproved; i++) {
        dsp_buf_u32(&b[2], f->unproved[i].index);
        dsp_buf_u64(&b[2], f->unproved[i].macs);
        names = dsp_name_write(&b[2], f->unproved[i].reason) && names;
    }
    dsp_buf_u32(&b[3], f->n_tensors);
    for (uint32_t i = 0; i < f->n_tensors; i++) {
        names = put_shape(&b[3], &f->tensors[i]) && names;
        dsp_buf_u8(&b[3], f->tensors[i].use);
        dsp_ints_write(&b[3], f->tensors[i].cells, f->tensors[i].count);
    }
    if (!names)
        s = dsp_fail(err, DSP_E_ARG, "foreign statement: names have 1 to 65535 bytes of UTF-8");
    else if (b[0].bad || b[1].bad || b[2].bad || b[3].bad)
        s = dsp_fail(err, DSP_E_NOMEM, "foreign statement: no memory for its bytes");
    else {
        const dsp_chunk c[] = {{HEAD, b[0].p, b[0].len}, {SEGMENTS, b[1].p, b[1].len}, {OTHERS, b[2].p, b[2].len}, {TENSORS, b[3].p, b[3].len}};
        s = dsp_container_write(out, kind, c, 4, err);
    }
    for (int i = 0; i < 4; i++)
        dsp_buf_release(&b[i]);
    return s;
}

dsp_status dsp_foreign_model_id(dsp_digest *id, const dsp_foreign *f, const dsp_digest *native_id, dsp_err *err)
{
    dsp_buf b = {0};
    bool    names = true;
    dsp_buf_put(&b, label, sizeof label - 1);
    dsp_buf_u8(&b, native_id != NULL);
    dsp_buf_put(&b, native_id ? native_id->b : f->model.b, 32);
    names = put_model(&b, f);
    dsp_buf_u32(&b, f->n_segments);
    for (uint32_t i = 0; i < f->n_segments; i++) {
        const dsp_foreign_segment *g = &f->segments[i];
        dsp_buf_u32(&b, g->index);
        dsp_buf_put(&b, g->vk.b, 32);
        dsp_buf_put(&b, g->settings.b, 32);
        dsp_buf_u8(&b, (uint8_t)g->logrows);
        dsp_buf_u32(&b, g->n_in);
        for (uint32_t k = 0; k < g->n_in; k++)
            names = put_shape(&b, &f->tensors[g->in[k]]) && names;
        dsp_buf_u32(&b, g->n_out);
        for (uint32_t k = 0; k < g->n_out; k++)
            names = put_shape(&b, &f->tensors[g->out[k]]) && names;
    }
    *id = dsp_sha256(b.p, b.len);
    const bool bad = b.bad;
    dsp_buf_release(&b);
    if (!names)
        return dsp_fail(err, DSP_E_ARG, "foreign statement: names have 1 to 65535 bytes of UTF-8");
    return bad ? dsp_fail(err, DSP_E_NOMEM, "no memory for a model id") : DSP_OK;
}

/* ---- reading: the bytes may come from anyone ---- */

static void read32(dsp_rd *rd, uint8_t out[32])
{
    const uint8_t *p = dsp_rd_take(rd, 32);
    if (p)
        memcpy(out, p, 32);
}

static bool zero(const dsp_digest *d)
{
    uint8_t any = 0;
    for (int i = 0; i < 32; i++)
        any |= d->b[i];
    return any == 0;
}

/* Room for a list of at least item_bytes per entry; NULL and a bad cursor otherwise. */
static void *list(dsp_rd *rd, dsp_arena *a, uint32_t *n, size_t item_bytes, size_t entry, uint32_t most, const char *what)
{
    *n = dsp_rd_count(rd, item_bytes, what);
    if (!rd->bad && *n > most)
        dsp_rd_fail(rd, DSP_E_LIMIT, "%s: at most %u expected, %u found", what, most, *n);
    void *v = rd->bad ? NULL : dsp_arena_alloc(a, *n, entry);
    if (!rd->bad && !v)
        dsp_rd_fail(rd, DSP_E_NOMEM, "no memory for %u %s", *n, what);
    if (rd->bad)
        *n = 0;
    return v;
}

/* Names of one list are unique. */
static void unique(dsp_rd *rd, const char *const *names, uint32_t n, size_t step, const char *what)
{
    dsp_name *sorted = rd->bad ? NULL : DSP_NEW_N(dsp_name, n);
    if (!rd->bad && !sorted)
        dsp_rd_fail(rd, DSP_E_NOMEM, "no memory for %u %s", n, what);
    if (rd->bad)
        return;
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = (dsp_name){*(const char *const *)(const void *)((const char *)names + i * step), i};
    dsp_names_sort(sorted, n);
    const char *twice = dsp_names_twice(sorted, n);
    if (twice)
        dsp_rd_fail(rd, DSP_E_FORMAT, "two %s are called '%.80s'", what, twice);
    dsp_free(sorted);
}

static const char **read_names(dsp_rd *rd, dsp_arena *a, uint32_t *n, const char *what)
{
    const char **v = list(rd, a, n, 3, sizeof *v, DSP_FOREIGN_MAX_SEGMENTS, what);
    for (uint32_t i = 0; i < *n && !rd->bad; i++)
        v[i] = dsp_name_read(rd, a, what);
    unique(rd, v, *n, sizeof *v, what);
    return v;
}

/* Numbers that ascend strictly. */
static uint32_t *read_ascending(dsp_rd *rd, dsp_arena *a, uint32_t *n, const char *what)
{
    uint32_t *v = list(rd, a, n, 4, sizeof *v, DSP_FOREIGN_MAX_SEGMENTS, what);
    for (uint32_t i = 0; i < *n && !rd->bad; i++) {
        v[i] = dsp_rd_u32(rd);
        if (!rd->bad && i && v[i] <= v[i - 1])
            dsp_rd_fail(rd, DSP_E_FORMAT, "%s: %u after %u", what, v[i], v[i - 1]);
    }
    return v;
}

static void read_head(dsp_rd *rd, dsp_foreign *f)
{
    read32(rd, f->model.b);
    read32(rd, f->record.b);
    read32(rd, f->statement.b);
    read32(rd, f->nonce);
    f->scale = dsp_rd_u32(rd);
    if (!rd->bad && f->scale > DSP_FOREIGN_MAX_SCALE)
        dsp_rd_fail(rd, DSP_E_FORMAT, "a scale of at most %d bits expected, %u found", DSP_FOREIGN_MAX_SCALE, f->scale);
    f->cuts = read_ascending(rd, f->arena, &f->n_cuts, "cuts");
    if (!rd->bad && f->n_cuts && f->cuts[0] == 0)
        dsp_rd_fail(rd, DSP_E_FORMAT, "a cut before the first node");
    f->binds = list(rd, f->arena, &f->n_binds, 3 + 8, sizeof *f->binds, DSP_FOREIGN_MAX_SEGMENTS, "bindings");
    for (uint32_t i = 0; i < f->n_binds && !rd->bad; i++) {
        f->binds[i].name = dsp_name_read(rd, f->arena, "binding");
        f->binds[i].value = dsp_rd_i64(rd);
    }
    unique(rd, f->binds ? &f->binds->name : NULL, f->n_binds, sizeof *f->binds, "bindings");
    f->inputs = read_names(rd, f->arena, &f->n_inputs, "inputs");
    f->outputs = read_names(rd, f->arena, &f->n_outputs, "outputs");
}

/* Tensors of one segment: new ones are numbered in turn, none stands in one list twice. */
static uint32_t *read_wires(dsp_rd *rd, dsp_foreign *f, uint32_t *n, uint32_t *next, const char *what)
{
    uint32_t *v = list(rd, f->arena, n, 4, sizeof *v, DSP_EZKL_MAX_TENSORS, what);
    if (!rd->bad && *n == 0)
        dsp_rd_fail(rd, DSP_E_FORMAT, "a segment without %s", what);
    for (uint32_t i = 0; i < *n && !rd->bad; i++) {
        v[i] = dsp_rd_u32(rd);
        if (rd->bad)
            break;
        if (v[i] > *next) {
            dsp_rd_fail(rd, DSP_E_FORMAT, "%s: tensor %u is named before tensor %u", what, v[i], *next);
            break;
        }
        *next += v[i] == *next;
        for (uint32_t k = 0; k < i && !rd->bad; k++)
            if (v[k] == v[i])
                dsp_rd_fail(rd, DSP_E_FORMAT, "%s: tensor %u twice", what, v[i]);
    }
    return v;
}

static void read_segments(dsp_rd *rd, dsp_foreign *f, uint32_t *n_wired)
{
    f->segments = list(rd, f->arena, &f->n_segments, 4 + 8 + 64 + 2 + 32 + 16, sizeof *f->segments, DSP_FOREIGN_MAX_SEGMENTS, "segments");
    if (!rd->bad && f->n_segments == 0)
        dsp_rd_fail(rd, DSP_E_FORMAT, "no segment that ezkl proves");
    for (uint32_t i = 0; i < f->n_segments && !rd->bad; i++) {
        dsp_foreign_segment *g = &f->segments[i];
        g->index = dsp_rd_u32(rd);
        g->macs = dsp_rd_u64(rd);
        read32(rd, g->vk.b);
        read32(rd, g->settings.b);
        g->logrows = dsp_rd_u8(rd);
        const uint8_t insecure = dsp_rd_u8(rd);
        g->insecure = insecure == 1;
        read32(rd, g->srs.b);
        if (rd->bad)
            return;
        if (i && g->index <= f->segments[i - 1].index)
            dsp_rd_fail(rd, DSP_E_FORMAT, "segment %u after segment %u", g->index, f->segments[i - 1].index);
        else if (g->logrows < DSP_EZKL_MIN_LOGROWS || g->logrows > DSP_EZKL_MAX_LOGROWS)
            dsp_rd_fail(rd, DSP_E_FORMAT, "segment %u: 2^%d to 2^%d rows expected, 2^%u found", g->index, DSP_EZKL_MIN_LOGROWS, DSP_EZKL_MAX_LOGROWS, g->logrows);
        else if (insecure > 1 || (insecure == 0) != zero(&g->srs))
            dsp_rd_fail(rd, DSP_E_FORMAT, "segment %u: a reference string made locally has a digest, no other has", g->index);
        g->in = read_wires(rd, f, &g->n_in, n_wired, "inputs");
        g->out = read_wires(rd, f, &g->n_out, n_wired, "outputs");
    }
}

static void read_others(dsp_rd *rd, dsp_foreign *f)
{
    f->native = read_ascending(rd, f->arena, &f->n_native, "native segments");
    f->unproved = list(rd, f->arena, &f->n_unproved, 4 + 8 + 3, sizeof *f->unproved, DSP_FOREIGN_MAX_SEGMENTS, "unproved segments");
    for (uint32_t i = 0; i < f->n_unproved && !rd->bad; i++) {
        f->unproved[i].index = dsp_rd_u32(rd);
        f->unproved[i].macs = dsp_rd_u64(rd);
        f->unproved[i].reason = dsp_name_read(rd, f->arena, "reason");
        if (!rd->bad && i && f->unproved[i].index <= f->unproved[i - 1].index)
            dsp_rd_fail(rd, DSP_E_FORMAT, "segment %u after segment %u", f->unproved[i].index, f->unproved[i - 1].index);
    }
    if (!rd->bad && ((f->n_native == 0) != zero(&f->record) || (f->n_native == 0) != zero(&f->statement)))
        dsp_rd_fail(rd, DSP_E_FORMAT, "record and statement are named where native segments are");
}

/* keep: false checks the cells and leaves them out. */
static void read_tensors(dsp_rd *rd, dsp_foreign *f, uint32_t n_wired, bool keep)
{
    uint64_t total = 0;
    f->tensors = list(rd, f->arena, &f->n_tensors, 3 + 4 + 1 + 5, sizeof *f->tensors, UINT32_MAX, "tensors");
    if (!rd->bad && f->n_tensors != n_wired)
        dsp_rd_fail(rd, DSP_E_FORMAT, "%u tensors are named by segments, %u listed", n_wired, f->n_tensors);
    for (uint32_t i = 0; i < f->n_tensors && !rd->bad; i++) {
        dsp_foreign_tensor *t = &f->tensors[i];
        uint64_t            count = 1;
        uint32_t            n;
        uint8_t             width;
        t->name = dsp_name_read(rd, f->arena, "tensor");
        t->rank = dsp_rd_u32(rd);
        if (!rd->bad && t->rank > DSP_MAX_RANK)
            dsp_rd_fail(rd, DSP_E_FORMAT, "tensor '%.80s': a rank of at most %d expected, %u found", t->name, DSP_MAX_RANK, t->rank);
        for (uint32_t k = 0; k < t->rank && !rd->bad; k++) {
            t->dims[k] = dsp_rd_i64(rd);
            if (!rd->bad && (t->dims[k] < 1 || (uint64_t)t->dims[k] > DSP_MAX_PUB_CELLS / count))
                dsp_rd_fail(rd, DSP_E_FORMAT, "tensor '%.80s': 1 to %d cells expected", t->name, DSP_MAX_PUB_CELLS);
            else
                count *= (uint64_t)t->dims[k];
        }
        t->use = dsp_rd_u8(rd);
        if (rd->bad)
            return;
        total += count;
        if (t->use == 0 || t->use > DSP_STMT_INNER)
            dsp_rd_fail(rd, DSP_E_FORMAT, "tensor '%.80s': use 1 to %d expected, %u found", t->name, DSP_STMT_INNER, t->use);
        else if (total > DSP_MAX_PUB_CELLS)
            dsp_rd_fail(rd, DSP_E_LIMIT, "all tensors together have more than %d cells", DSP_MAX_PUB_CELLS);
        if (keep)
            t->cells = dsp_ints_read(rd, f->arena, &n, t->name);
        else
            (void)dsp_ints_take(rd, &n, &width, t->name);
        if (!rd->bad && n != count)
            dsp_rd_fail(rd, DSP_E_FORMAT, "tensor '%.80s': %ju cells expected, %u found", t->name, (uintmax_t)count, n);
        t->count = (uint32_t)count;
    }
    unique(rd, f->tensors ? &f->tensors->name : NULL, f->n_tensors, sizeof *f->tensors, "tensors");
}

static dsp_status read_all(dsp_foreign **out, const dsp_chunk *c, uint32_t n, size_t len, bool keep, dsp_err *err)
{
    dsp_rd       rd;
    uint32_t     n_wired = 0;
    dsp_foreign *f = DSP_NEW(dsp_foreign);
    dsp_status   s;
    *out = NULL;
    if (!f || !(f->arena = dsp_arena_create(keep ? 0 : tree_bytes + 2 * len))) {
        dsp_free(f);
        return dsp_fail(err, DSP_E_NOMEM, "foreign statement: no memory");
    }
    for (uint32_t i = HEAD;; i++) {
        dsp_chunk_open(&rd, c, n, i, "foreign statement", err);
        if (i == HEAD)
            read_head(&rd, f);
        else if (i == SEGMENTS)
            read_segments(&rd, f, &n_wired);
        else if (i == OTHERS)
            read_others(&rd, f);
        else
            read_tensors(&rd, f, n_wired, keep);
        if ((s = dsp_rd_done(&rd, true)) != DSP_OK || i == TENSORS)
            break;
    }
    if (s == DSP_OK)
        *out = f;
    else
        dsp_foreign_free(f);
    return s;
}

/* Twice: cells of one byte become eight, which is not for bytes that are refused in the end. */
dsp_status dsp_foreign_read(dsp_foreign **f, const uint8_t *p, size_t len, dsp_err *err)
{
    dsp_err    own = {DSP_OK, ""};
    dsp_chunk  c[DSP_MAX_CHUNKS];
    uint32_t   n;
    dsp_status s = dsp_container_read(c, &n, kind, p, len, "foreign statement", err ? err : &own);
    *f = NULL;
    if (s == DSP_OK && n != 4)
        s = dsp_fail(err, DSP_E_FORMAT, "foreign statement: 4 chunks expected, %u found", n);
    if (s != DSP_OK)
        return s;
    s = read_all(f, c, n, len, false, err ? err : &own);
    if (s == DSP_E_NOMEM)
        return dsp_fail(err, DSP_E_LIMIT, "foreign statement: its %zu bytes take more than %zu bytes of memory", len, tree_bytes + 2 * len);
    if (s != DSP_OK)
        return s;
    dsp_foreign_free(*f);
    return read_all(f, c, n, len, true, err ? err : &own);
}
