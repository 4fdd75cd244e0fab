#include "circuit/statement.h"

#include <string.h>

#include "circuit/codec.h"

static const size_t tree_bytes = (size_t)40 << 20; /* names and tables while a file is read, besides twice its bytes */
enum { MAX_SLICES = 1 << 16, USE_ALL = DSP_STMT_INPUT | DSP_STMT_OUTPUT | DSP_STMT_INNER };

static const char magic[8] = {'D', 'S', 'P', 'S', 'T', 'M', 'T', '1'};

/* ---- absorbing ---- */

/* Message 07: name, dims, cells; hashed piecewise, as one message of type 0. */
static void absorb_pub(dsp_transcript *t, const dsp_tensor *x, const int64_t *cells)
{
    uint8_t        b[1024];
    const uint64_t n = dsp_cells(x->dims);
    size_t         at = 0;
    dsp_sha_u8(&t->sha, DSP_T_BYTES);
    dsp_sha_u16(&t->sha, DSP_M_PUBLIC);
    dsp_sha_u64(&t->sha, 2 + strlen(x->name) + 12 + 8 * n);
    t->n_used = 0;
    dsp_sha_text(&t->sha, x->name);
    for (int a = 0; a < 3; a++)
        dsp_sha_u32(&t->sha, x->dims[a]);
    for (uint64_t i = 0; i < n; i++) {
        dsp_put64(b + at, (uint64_t)cells[i]);
        at += 8;
        if (at == sizeof b || i + 1 == n) {
            dsp_sha_put(&t->sha, b, at);
            at = 0;
        }
    }
#ifdef DSP_TEST_HOOKS
    if (t->log) {
        const dsp_digest d = dsp_transcript_digest(t);
        t->log(t->log_arg, DSP_M_PUBLIC, &d);
    }
#endif
}

static void absorb_edge(dsp_transcript *t, const char *name, const dsp_digest *root)
{
    uint8_t      b[2 + UINT16_MAX + 32]; /* names are shorter than 65536 bytes */
    const size_t n = strlen(name);
    b[0] = (uint8_t)n;
    b[1] = (uint8_t)(n >> 8);
    memcpy(b + 2, name, n);
    memcpy(b + 2 + n, root->b, 32);
    dsp_absorb(t, DSP_T_BYTES, DSP_M_EDGE, b, 2 + n + 32);
}

dsp_digest dsp_statement_absorb(dsp_transcript *t, const dsp_key *key, const dsp_slice_statement *st)
{
    static const char label[] = "dsperse slice proof 1";
    uint8_t           b[sizeof label - 1 + 4], profile[DSP_PROFILE_BYTES], tile[4];
    memcpy(b, label, sizeof label - 1);
    dsp_put32(b + sizeof label - 1, DSP_PROTOCOL_VERSION);
    dsp_absorb(t, DSP_T_BYTES, DSP_M_LABEL, b, sizeof b);
    dsp_profile_bytes(profile, key->profile);
    dsp_absorb(t, DSP_T_BYTES, DSP_M_PROFILE, profile, sizeof profile);
    dsp_absorb_digest(t, DSP_M_RUN_KEY, &st->run_key);
    dsp_absorb_digest(t, DSP_M_SLICE_KEY, &key->digest);
    dsp_put32(tile, st->tile);
    dsp_absorb(t, DSP_T_BYTES, DSP_M_TILE, tile, sizeof tile);
    dsp_absorb(t, DSP_T_BYTES, DSP_M_NONCE, st->nonce, sizeof st->nonce);
    for (uint32_t i = 0; i < key->n_tensors; i++)
        if (key->tensors[i].role == DSP_ROLE_PUB)
            absorb_pub(t, &key->tensors[i], st->pub[i]);
    for (uint32_t i = 0; i + 1 < key->n_trees; i++)
        absorb_edge(t, key->tensors[key->trees[i].edge].name, &st->root[i]);
    return dsp_transcript_digest(t);
}

/* ---- life cycle, writing ---- */

dsp_statement *dsp_statement_create(void)
{
    dsp_statement *s = DSP_NEW(dsp_statement);
    if (s && !(s->arena = dsp_arena_create(0))) {
        dsp_free(s);
        s = NULL;
    }
    return s;
}

void dsp_statement_free(dsp_statement *s)
{
    if (!s)
        return;
    dsp_arena_free(s->arena);
    dsp_free(s);
}

dsp_digest dsp_model_id(const dsp_digest *model, const dsp_digest *record, const dsp_digest *keys, size_t n)
{
    dsp_sha s;
    dsp_sha_init(&s);
    dsp_sha_put(&s, model->b, 32);
    dsp_sha_put(&s, record->b, 32);
    for (size_t i = 0; i < n; i++)
        dsp_sha_put(&s, keys[i].b, 32);
    return dsp_sha_digest(&s);
}

/* A whole number of cells, or 0 when the axes or their product are out of bounds. */
static uint64_t cells_of(const uint32_t dims[3])
{
    uint64_t n = 1;
    for (int a = 0; a < 3; a++) {
        if (dims[a] < 1 || dims[a] > DSP_MAX_AXIS)
            return 0;
        n *= dims[a]; /* below 2^26 2^24 */
        if (n > DSP_MAX_PUB_CELLS)
            return 0;
    }
    return n;
}

dsp_status dsp_statement_write(dsp_buf *out, const dsp_statement *s, dsp_err *err)
{
    const size_t at = out->len;
    bool         names = true;
    dsp_buf_put(out, magic, sizeof magic);
    dsp_buf_put(out, s->model.b, 32);
    dsp_buf_put(out, s->record.b, 32);
    dsp_buf_put(out, s->model_id.b, 32);
    dsp_buf_put(out, s->run_key.b, 32);
    dsp_buf_put(out, s->nonce, 32);
    dsp_buf_u32(out, s->n_slices);
    for (uint32_t i = 0; i < s->n_slices; i++) {
        names = dsp_name_write(out, s->slices[i].name) && names;
        dsp_buf_u32(out, s->slices[i].index);
        dsp_buf_put(out, s->slices[i].key.b, 32);
        dsp_buf_u64(out, s->slices[i].macs);
    }
    dsp_buf_u32(out, s->n_unproved);
    for (uint32_t i = 0; i < s->n_unproved; i++) {
        names = dsp_name_write(out, s->unproved[i].name) && names;
        names = dsp_name_write(out, s->unproved[i].reason) && names;
        dsp_buf_u32(out, s->unproved[i].index);
        dsp_buf_u64(out, s->unproved[i].macs);
    }
    dsp_buf_u32(out, s->n_pubs);
    for (uint32_t i = 0; i < s->n_pubs; i++) {
        const dsp_stmt_pub *p = &s->pubs[i];
        const uint64_t      n = cells_of(p->dims);
        if (n == 0)
            return dsp_fail(err, DSP_E_LIMIT, "statement: public tensor '%.80s' has no or more than %d cells", p->name ? p->name : "", DSP_MAX_PUB_CELLS);
        names = dsp_name_write(out, p->name) && names;
        dsp_buf_u8(out, p->use);
        for (int a = 0; a < 3; a++)
            dsp_buf_u32(out, p->dims[a]);
        dsp_buf_i64(out, p->scale_bits);
        dsp_ints_write(out, p->cells, (size_t)n);
    }
    dsp_buf_u32(out, s->n_edges);
    for (uint32_t i = 0; i < s->n_edges; i++) {
        names = dsp_name_write(out, s->edges[i].name) && names;
        dsp_buf_put(out, s->edges[i].root.b, 32);
    }
    if (!names)
        return dsp_fail(err, DSP_E_ARG, "statement: names have 1 to 65535 bytes of UTF-8");
    if (!out->bad) {
        const dsp_digest d = dsp_sha256(out->p + at, out->len - at);
        dsp_buf_put(out, d.b, 32);
    }
    return out->bad ? dsp_fail(err, DSP_E_NOMEM, "statement: no memory for its bytes") : DSP_OK;
}

/* ---- reading: the bytes may come from anyone ---- */

static void read32(dsp_rd *rd, uint8_t out[32])
{
    const uint8_t *p = dsp_rd_take(rd, 32);
    if (p)
        memcpy(out, p, 32);
}

/* Names of one list are unique. names: n of them; sorts them. */
static void unique(dsp_rd *rd, dsp_name *names, uint32_t n, const char *what)
{
    if (rd->bad)
        return;
    dsp_names_sort(names, n);
    const char *twice = dsp_names_twice(names, n);
    if (twice)
        dsp_rd_fail(rd, DSP_E_FORMAT, "two %s are called '%.80s'", what, twice);
}

/* A list of at least item_bytes per entry: allocates entries in the arena and a name table beside it. */
static void *list(dsp_rd *rd, dsp_arena *a, uint32_t *n, size_t item_bytes, size_t entry, dsp_name **names, uint32_t most, const char *what)
{
    *n = dsp_rd_count(rd, item_bytes, what);
    if (!rd->bad && *n > most)
        dsp_rd_fail(rd, DSP_E_LIMIT, "%s: at most %u expected, %u found", what, most, *n);
    void *v = rd->bad ? NULL : dsp_arena_alloc(a, *n, entry);
    *names = v ? DSP_NEW_N(dsp_name, *n) : NULL;
    if (!rd->bad && !*names)
        dsp_rd_fail(rd, DSP_E_NOMEM, "no memory for %u %s", *n, what);
    if (rd->bad)
        *n = 0;
    return v;
}

static void read_slices(dsp_rd *rd, dsp_statement *s)
{
    dsp_name *names;
    s->slices = list(rd, s->arena, &s->n_slices, 3 + 4 + 32 + 8, sizeof *s->slices, &names, MAX_SLICES, "slices");
    for (uint32_t i = 0; i < s->n_slices && !rd->bad; i++) {
        dsp_stmt_slice *x = &s->slices[i];
        x->name = dsp_name_read(rd, s->arena, "slice");
        x->index = dsp_rd_u32(rd);
        read32(rd, x->key.b);
        x->macs = dsp_rd_u64(rd);
        names[i] = (dsp_name){x->name, i};
    }
    unique(rd, names, s->n_slices, "slices");
    dsp_free(names);
    s->unproved = list(rd, s->arena, &s->n_unproved, 3 + 3 + 4 + 8, sizeof *s->unproved, &names, MAX_SLICES, "unproved segments");
    for (uint32_t i = 0; i < s->n_unproved && !rd->bad; i++) {
        dsp_stmt_unproved *x = &s->unproved[i];
        x->name = dsp_name_read(rd, s->arena, "segment");
        x->reason = dsp_name_read(rd, s->arena, "reason");
        x->index = dsp_rd_u32(rd);
        x->macs = dsp_rd_u64(rd);
        names[i] = (dsp_name){x->name, i};
    }
    unique(rd, names, s->n_unproved, "unproved segments");
    dsp_free(names);
}

/* keep: false checks the cells and leaves them out. */
static void read_pubs(dsp_rd *rd, dsp_statement *s, bool keep)
{
    dsp_name *names;
    uint64_t  total = 0;
    s->pubs = list(rd, s->arena, &s->n_pubs, 3 + 1 + 12 + 8 + 5, sizeof *s->pubs, &names, MAX_SLICES, "public tensors");
    for (uint32_t i = 0; i < s->n_pubs && !rd->bad; i++) {
        dsp_stmt_pub *x = &s->pubs[i];
        uint32_t      n;
        uint8_t       width;
        x->name = dsp_name_read(rd, s->arena, "public tensor");
        x->use = dsp_rd_u8(rd);
        for (int a = 0; a < 3; a++)
            x->dims[a] = dsp_rd_u32(rd);
        x->scale_bits = dsp_rd_i64(rd);
        if (rd->bad)
            break;
        const uint64_t want = cells_of(x->dims);
        total += want;
        if (x->use == 0 || x->use > USE_ALL)
            dsp_rd_fail(rd, DSP_E_FORMAT, "public tensor '%.80s': use 1 to %d expected, %u found", x->name, USE_ALL, x->use);
        else if (want == 0 || total > DSP_MAX_PUB_CELLS)
            dsp_rd_fail(rd, DSP_E_LIMIT, "public tensor '%.80s': all together have 1 to %d cells", x->name, DSP_MAX_PUB_CELLS);
        if (keep)
            x->cells = dsp_ints_read(rd, s->arena, &n, x->name);
        else
            (void)dsp_ints_take(rd, &n, &width, x->name);
        if (!rd->bad && n != want)
            dsp_rd_fail(rd, DSP_E_FORMAT, "public tensor '%.80s': %llu cells expected, %u found", x->name, (unsigned long long)want, n);
        names[i] = (dsp_name){x->name, i};
    }
    unique(rd, names, s->n_pubs, "public tensors");
    dsp_free(names);
}

static void read_edges(dsp_rd *rd, dsp_statement *s)
{
    dsp_name *names;
    s->edges = list(rd, s->arena, &s->n_edges, 3 + 32, sizeof *s->edges, &names, UINT32_MAX, "boundaries");
    for (uint32_t i = 0; i < s->n_edges && !rd->bad; i++) {
        s->edges[i].name = dsp_name_read(rd, s->arena, "boundary");
        read32(rd, s->edges[i].root.b);
        names[i] = (dsp_name){s->edges[i].name, i};
    }
    unique(rd, names, s->n_edges, "boundaries");
    dsp_free(names);
}

static dsp_status read_all(dsp_statement **out, const uint8_t *p, size_t len, bool keep, dsp_err *err)
{
    dsp_rd         rd;
    dsp_statement *s = DSP_NEW(dsp_statement);
    *out = NULL;
    if (!s || !(s->arena = dsp_arena_create(keep ? 0 : tree_bytes + 2 * len))) {
        dsp_free(s);
        return dsp_fail(err, DSP_E_NOMEM, "statement: no memory");
    }
    const size_t body = len < 32 ? len : len - 32;
    dsp_rd_init(&rd, p, body, "statement", err);
    const uint8_t *m = dsp_rd_take(&rd, sizeof magic);
    if (m && memcmp(m, magic, sizeof magic) != 0)
        dsp_rd_fail(&rd, DSP_E_FORMAT, "'%.8s' expected at the start", magic);
    if (!rd.bad && !keep) {
        const dsp_digest d = dsp_sha256(p, body);
        if (len < 32 || memcmp(d.b, p + body, 32) != 0)
            dsp_rd_fail(&rd, DSP_E_FORMAT, "the SHA-256 at its end is not that of its bytes: cut off or changed");
    }
    read32(&rd, s->model.b);
    read32(&rd, s->record.b);
    read32(&rd, s->model_id.b);
    read32(&rd, s->run_key.b);
    read32(&rd, s->nonce);
    read_slices(&rd, s);
    read_pubs(&rd, s, keep);
    read_edges(&rd, s);
    const dsp_status st = dsp_rd_done(&rd, true);
    if (st == DSP_OK)
        *out = s;
    else
        dsp_statement_free(s);
    return st;
}

/* Twice: cells of one byte become eight, which is not for bytes that are refused in the end. */
dsp_status dsp_statement_read(dsp_statement **out, const uint8_t *p, size_t len, dsp_err *err)
{
    dsp_err          local = {DSP_OK, ""};
    const dsp_status st = read_all(out, p, len, false, err ? err : &local);
    if (st == DSP_E_NOMEM)
        return dsp_fail(err, DSP_E_LIMIT, "statement: its %zu bytes take more than %zu bytes of memory", len, tree_bytes + 2 * len);
    if (st != DSP_OK)
        return st;
    dsp_statement_free(*out);
    return read_all(out, p, len, true, err ? err : &local);
}

/* ---- one slice of a run ---- */

dsp_status dsp_statement_slice(dsp_slice_statement *out, dsp_arena *a, const dsp_statement *s, const dsp_derived *D, dsp_err *err)
{
    const dsp_key   *k = D->key;
    dsp_name        *pubs = DSP_NEW_N(dsp_name, s->n_pubs), *edges = DSP_NEW_N(dsp_name, s->n_edges);
    const int64_t  **pub = DSP_ARENA_N(a, const int64_t *, k->n_tensors);
    dsp_digest      *root = DSP_ARENA_N(a, dsp_digest, k->n_trees);
    dsp_status       st = DSP_OK;
    if (!pubs || !edges || !pub || !root) {
        st = dsp_fail(err, DSP_E_NOMEM, "statement: no memory");
        goto done;
    }
    for (uint32_t i = 0; i < s->n_pubs; i++)
        pubs[i] = (dsp_name){s->pubs[i].name, i};
    for (uint32_t i = 0; i < s->n_edges; i++)
        edges[i] = (dsp_name){s->edges[i].name, i};
    dsp_names_sort(pubs, s->n_pubs);
    dsp_names_sort(edges, s->n_edges);
    for (uint32_t i = 0; i < k->n_tensors; i++) {
        const dsp_tensor *t = &k->tensors[i];
        if (t->role != DSP_ROLE_PUB)
            continue;
        const uint32_t j = dsp_names_find(pubs, s->n_pubs, t->name, strlen(t->name));
        if (j == DSP_NONE) {
            st = dsp_fail(err, DSP_E_FORMAT, "statement: no public tensor '%.80s', which slice '%.80s' uses", t->name, k->name);
            goto done;
        }
        const dsp_stmt_pub *p = &s->pubs[j];
        if (memcmp(p->dims, t->dims, sizeof t->dims) != 0 || p->scale_bits != t->scale_bits) {
            st = dsp_fail(err, DSP_E_FORMAT, "statement: public tensor '%.80s' differs in shape or scale from that of slice '%.80s'", t->name, k->name);
            goto done;
        }
        pub[i] = p->cells;
    }
    for (uint32_t i = 0; i + 1 < k->n_trees; i++) {
        const char    *name = k->tensors[k->trees[i].edge].name;
        const uint32_t j = dsp_names_find(edges, s->n_edges, name, strlen(name));
        if (j == DSP_NONE) {
            st = dsp_fail(err, DSP_E_FORMAT, "statement: no boundary '%.80s', which slice '%.80s' uses", name, k->name);
            goto done;
        }
        root[i] = s->edges[j].root;
    }
    *out = (dsp_slice_statement){.tile = 0, .run_key = s->run_key, .pub = pub, .root = root};
    memcpy(out->nonce, s->nonce, sizeof out->nonce);
done:
    dsp_free(pubs);
    dsp_free(edges);
    return st;
}
