#include "pipeline/artifacts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "format/container.h"

static dsp_status write_container(const char *path, const char *kind, const dsp_chunk *c, uint32_t n, dsp_err *err)
{
    dsp_buf    b = {0};
    dsp_status s = dsp_container_write(&b, kind, c, n, err);
    if (s == DSP_OK)
        s = dsp_file_write_fast(path, b.p, b.len, 0600, err);
    dsp_buf_release(&b);
    return s;
}

dsp_status dsp_boundary_write(const char *path, const char *name, const uint32_t dims[3], const int64_t *cells, const dsp_statement *st, dsp_err *err)
{
    dsp_buf head = {0}, body = {0};
    dsp_buf_put(&head, st->run_key.b, 32);
    dsp_buf_put(&head, st->nonce, 32);
    dsp_buf_text(&head, name);
    for (int i = 0; i < 3; i++)
        dsp_buf_u32(&head, dims[i]);
    dsp_cells_write(&body, cells, dsp_cells(dims));
    dsp_status s = DSP_OK;
    if (head.bad || body.bad)
        s = dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", path);
    else {
        const dsp_chunk c[] = {{1, head.p, head.len}, {2, body.p, body.len}};
        s = write_container(path, "boundary", c, 2, err);
    }
    dsp_buf_release(&head);
    dsp_buf_release(&body);
    return s;
}

/* The run key and nonce at the cursor are those of the statement. */
static dsp_status same_run(dsp_rd *rd, const dsp_statement *st)
{
    const uint8_t *key = dsp_rd_take(rd, 32), *nonce = dsp_rd_take(rd, 32);
    if (key && nonce && (memcmp(key, st->run_key.b, 32) != 0 || memcmp(nonce, st->nonce, 32) != 0))
        return dsp_rd_fail(rd, DSP_E_FORMAT, "belongs to another run");
    return dsp_rd_done(rd, false);
}

static bool same_text(dsp_rd *rd, const char *want)
{
    const char *s;
    uint16_t    n;
    return dsp_rd_text(rd, &s, &n) && n == strlen(want) && memcmp(s, want, n) == 0;
}

dsp_status dsp_boundary_read(int64_t *cells, const char *path, const char *name, const uint32_t dims[3], const dsp_statement *st, dsp_err *err)
{
    uint8_t   *p = NULL;
    size_t     len = 0;
    dsp_chunk  c[DSP_MAX_CHUNKS];
    uint32_t   n;
    dsp_rd     rd;
    dsp_status s = dsp_file_read(&p, &len, path, DSP_FILE_MAX, err);
    if (s != DSP_OK)
        return s;
    s = dsp_container_read(c, &n, "boundary", p, len, path, err);
    if (s == DSP_OK) {
        dsp_chunk_open(&rd, c, n, 1, path, err);
        s = same_run(&rd, st);
        if (s == DSP_OK && !same_text(&rd, name))
            s = dsp_rd_fail(&rd, DSP_E_FORMAT, "the boundary \"%s\" expected", name);
        for (int i = 0; i < 3 && s == DSP_OK; i++)
            if (dsp_rd_u32(&rd) != dims[i])
                s = dsp_rd_fail(&rd, DSP_E_FORMAT, "another shape than %ux%ux%u", dims[0], dims[1], dims[2]);
        if (s == DSP_OK)
            s = dsp_rd_done(&rd, true);
    }
    if (s == DSP_OK) {
        dsp_chunk_open(&rd, c, n, 2, path, err);
        s = dsp_cells_read(cells, dsp_cells(dims), &rd);
        if (s == DSP_OK)
            s = dsp_rd_done(&rd, true);
    }
    if (p)
        dsp_wipe(p, len);
    dsp_free(p);
    return s;
}

dsp_status dsp_witness_write(const char *path, const dsp_slice *sl, const dsp_witness_row *rows, const dsp_statement *st, dsp_err *err)
{
    dsp_buf head = {0}, body = {0};
    dsp_buf_put(&head, sl->digest.b, 32);
    dsp_buf_put(&head, st->run_key.b, 32);
    dsp_buf_put(&head, st->nonce, 32);
    dsp_buf_u32(&body, sl->n_io);
    for (uint32_t i = 0; i < sl->n_io; i++) {
        dsp_buf_text(&body, sl->io[i].name);
        dsp_buf_u8(&body, sl->io[i].pub);
        dsp_buf_u8(&body, sl->io[i].made);
        dsp_buf_u32(&body, rows[i].place);
        dsp_buf_put(&body, rows[i].digest.b, 32);
    }
    dsp_status s = DSP_OK;
    if (head.bad || body.bad)
        s = dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", path);
    else {
        const dsp_chunk c[] = {{1, head.p, head.len}, {2, body.p, body.len}};
        s = write_container(path, "witness", c, 2, err);
    }
    dsp_buf_release(&head);
    dsp_buf_release(&body);
    return s;
}

dsp_status dsp_witness_read(dsp_witness_row *rows, const char *path, const dsp_slice *sl, const dsp_statement *st, dsp_err *err)
{
    uint8_t   *p = NULL;
    size_t     len = 0;
    dsp_chunk  c[DSP_MAX_CHUNKS];
    uint32_t   n;
    dsp_rd     rd;
    dsp_status s = dsp_file_read(&p, &len, path, DSP_FILE_MAX, err);
    if (s != DSP_OK)
        return s;
    s = dsp_container_read(c, &n, "witness", p, len, path, err);
    if (s == DSP_OK) {
        dsp_chunk_open(&rd, c, n, 1, path, err);
        const uint8_t *key = dsp_rd_take(&rd, 32);
        if (key && memcmp(key, sl->digest.b, 32) != 0)
            dsp_rd_fail(&rd, DSP_E_FORMAT, "made for another key");
        s = same_run(&rd, st);
        if (s == DSP_OK)
            s = dsp_rd_done(&rd, true);
    }
    if (s == DSP_OK) {
        dsp_chunk_open(&rd, c, n, 2, path, err);
        if (dsp_rd_count(&rd, 40, "boundary tensors") != sl->n_io && !rd.bad)
            dsp_rd_fail(&rd, DSP_E_FORMAT, "%u boundary tensors expected", sl->n_io);
        for (uint32_t i = 0; i < sl->n_io && !rd.bad; i++) {
            const bool name = same_text(&rd, sl->io[i].name);
            if (!name || dsp_rd_u8(&rd) != sl->io[i].pub || dsp_rd_u8(&rd) != sl->io[i].made)
                dsp_rd_fail(&rd, DSP_E_FORMAT, "the entry of \"%s\" expected", sl->io[i].name);
            rows[i].place = dsp_rd_u32(&rd);
            const uint8_t *d = dsp_rd_take(&rd, 32);
            if (d)
                memcpy(rows[i].digest.b, d, 32);
        }
        s = dsp_rd_done(&rd, true);
    }
    if (p) /* digests of private values confirm a guess */
        dsp_wipe(p, len);
    dsp_free(p);
    return s;
}

dsp_status dsp_circuit_write(dsp_buf *out, const dsp_slice *sl, uint32_t segment, const dsp_record *r, dsp_err *err)
{
    dsp_buf head = {0}, body = {0};
    dsp_buf_put(&head, sl->digest.b, 32);
    dsp_buf_put(&head, r->model.b, 32);
    dsp_buf_put(&head, r->digest.b, 32);
    dsp_buf_u32(&head, segment);
    dsp_buf_u32(&body, sl->n_io);
    for (uint32_t i = 0; i < sl->n_io; i++) {
        const dsp_io      *io = &sl->io[i];
        const dsp_qtensor *q = dsp_record_find(r, io->name);
        dsp_buf_text(&body, io->name);
        dsp_buf_u8(&body, io->pub);
        dsp_buf_u8(&body, io->made);
        for (int k = 0; k < 3; k++)
            dsp_buf_u32(&body, io->dims[k]);
        dsp_buf_i64(&body, io->lo);
        dsp_buf_i64(&body, io->hi);
        dsp_buf_i64(&body, io->scale_bits);
        const uint32_t rank = q ? q->layout.rank : 0;
        dsp_buf_u32(&body, rank);
        for (uint32_t k = 0; k < rank; k++)
            dsp_buf_i64(&body, q->layout.onnx_dims[k]);
        for (uint32_t k = 0; k < rank; k++)
            dsp_buf_u8(&body, q->layout.perm[k]);
    }
    dsp_status s = DSP_OK;
    if (head.bad || body.bad)
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a circuit file");
    else {
        const dsp_chunk c[] = {{1, head.p, head.len}, {2, body.p, body.len}};
        s = dsp_container_write(out, "circuit", c, 2, err);
    }
    dsp_buf_release(&head);
    dsp_buf_release(&body);
    return s;
}

uint32_t dsp_statement_edge(const dsp_statement *st, const char *name)
{
    for (uint32_t i = 0; i < st->n_edges; i++)
        if (strcmp(st->edges[i].name, name) == 0)
            return i;
    return DSP_NONE;
}

uint32_t dsp_statement_pub(const dsp_statement *st, const char *name)
{
    for (uint32_t i = 0; i < st->n_pubs; i++)
        if (strcmp(st->pubs[i].name, name) == 0)
            return i;
    return DSP_NONE;
}

/* ---- ledger ---- */

enum { LEDGER_HEAD = 40, LEDGER_ROW = 80 };
static const char ledger_magic[] = "DSPLEDG1";

static dsp_status write_all(int fd, const uint8_t *p, size_t n, const char *path, dsp_err *err)
{
    for (size_t at = 0; at < n;) {
        const ssize_t k = write(fd, p + at, n - at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return dsp_fail(err, DSP_E_IO, "%s: cannot write: %s", path, strerror(errno));
        at += (size_t)k;
    }
    return DSP_OK;
}

static dsp_status read_fd(uint8_t **out, size_t *len, int fd, const char *path, dsp_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size < 0 || st.st_size > DSP_FILE_MAX)
        return dsp_fail(err, DSP_E_IO, "%s: cannot read", path);
    const size_t n = (size_t)st.st_size;
    if (!(*out = dsp_calloc(n, 1)))
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", path);
    for (*len = 0; *len < n;) {
        const ssize_t k = pread(fd, *out + *len, n - *len, (off_t)*len);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return dsp_fail(err, DSP_E_IO, "%s: cannot read", path);
        *len += (size_t)k;
    }
    return DSP_OK;
}

/* Makes the name of a new file durable. */
static dsp_status flush_folder(const char *path, dsp_err *err)
{
    char     *dir = dsp_path_dir(path);
    const int fd = dir ? open(dir, O_RDONLY | O_CLOEXEC) : -1;
    const bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    dsp_free(dir);
    return ok ? DSP_OK : dsp_fail(err, DSP_E_IO, "%s: cannot flush its folder", path);
}

static void ledger_row(uint8_t row[LEDGER_ROW], const dsp_ledger *l, const dsp_digest *context, const dsp_digest *roots)
{
    dsp_put32(row, l->segment);
    dsp_put32(row + 4, l->tile);
    memcpy(row + 8, context->b, 32);
    memcpy(row + 40, roots->b, 32);
    const dsp_digest d = dsp_sha256(row, 72);
    memcpy(row + 72, d.b, 8);
}

dsp_status dsp_ledger_record(void *arg, const dsp_digest *context, const dsp_digest *roots, uint32_t n_roots, dsp_err *err)
{
    const dsp_ledger *l = arg;
    uint8_t          *p = NULL, row[LEDGER_ROW];
    size_t            len = 0, good = 0;
    bool              known = false;
    dsp_sha           sha;
    dsp_status        s = DSP_OK;
    dsp_sha_init(&sha);
    for (uint32_t i = 0; i < n_roots; i++)
        dsp_sha_put(&sha, roots[i].b, 32);
    const dsp_digest all = dsp_sha_digest(&sha);
    ledger_row(row, l, context, &all);
    const int fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return dsp_fail(err, DSP_E_IO, "%s: cannot open: %s", l->path, strerror(errno));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    while (fcntl(fd, F_SETLKW, &lock) != 0)
        if (errno != EINTR) {
            s = dsp_fail(err, DSP_E_IO, "%s: cannot lock: %s", l->path, strerror(errno));
            goto done;
        }
    /* Read through this descriptor: closing another one of the same file would drop the lock. */
    if ((s = read_fd(&p, &len, fd, l->path, err)) != DSP_OK)
        goto done;
    if (len >= LEDGER_HEAD) {
        if (memcmp(p, ledger_magic, 8) != 0 || memcmp(p + 8, l->secret.b, 32) != 0) {
            s = dsp_fail(err, DSP_E_ARG, "%s: the ledger belongs to another run secret; make a new run", l->path);
            goto done;
        }
        for (good = LEDGER_HEAD; len - good >= LEDGER_ROW && !known; good += LEDGER_ROW) {
            const uint8_t   *r = p + good;
            const dsp_digest d = dsp_sha256(r, 72);
            if (memcmp(d.b, r + 72, 8) != 0) {
                s = dsp_fail(err, DSP_E_ARG, "%s: record %zu is damaged; make a new run", l->path, (good - LEDGER_HEAD) / LEDGER_ROW);
                goto done;
            }
            if (memcmp(r, row, 8) != 0)
                continue;
            if (memcmp(r, row, LEDGER_ROW) != 0) {
                s = dsp_fail(err, DSP_E_ARG, "segment %u: the ledger %s holds another proof under this secret; make a new run", l->segment, l->path);
                goto done;
            }
            known = true;
        }
    }
    if (known)
        goto done;
    if (ftruncate(fd, (off_t)good) != 0 || lseek(fd, (off_t)good, SEEK_SET) < 0) {
        s = dsp_fail(err, DSP_E_IO, "%s: cannot extend: %s", l->path, strerror(errno));
        goto done;
    }
    if (good == 0) {
        uint8_t head[LEDGER_HEAD];
        memcpy(head, ledger_magic, 8);
        memcpy(head + 8, l->secret.b, 32);
        s = write_all(fd, head, sizeof head, l->path, err);
    }
    if (s == DSP_OK)
        s = write_all(fd, row, sizeof row, l->path, err);
    if (s == DSP_OK && fsync(fd) != 0)
        s = dsp_fail(err, DSP_E_IO, "%s: cannot flush: %s", l->path, strerror(errno));
    if (s == DSP_OK && good == 0)
        s = flush_folder(l->path, err);
done:
    close(fd);
    dsp_free(p);
    return s;
}
