#include "pcs/merkle.h"

#include <string.h>

enum { PER_JOB = 128 };

typedef struct { const dsp_tree *t; dsp_digest *out; const dsp_digest *in; size_t n; } level_job;

static void hash_leaves(void *arg, size_t job, unsigned thread)
{
    const level_job *j = arg;
    const dsp_tree  *t = j->t;
    const size_t     i0 = job * PER_JOB, n = j->n - i0 < PER_JOB ? j->n - i0 : PER_JOB;
    (void)thread;
    dsp_hash_leaves(j->out + i0, t->kind, t->n, (uint32_t)i0, n, t->salts + i0 * DSP_SALT_BYTES, t->cols + i0 * t->width,
                    t->width);
}

static void hash_nodes(void *arg, size_t job, unsigned thread)
{
    const level_job *j = arg;
    const size_t     i0 = job * PER_JOB, n = j->n - i0 < PER_JOB ? j->n - i0 : PER_JOB;
    (void)thread;
    dsp_hash_nodes(j->out + i0, j->in + 2 * i0, n);
}

typedef struct { uint8_t *salts; const dsp_rand *r; uint32_t n, base; uint16_t label; } salt_job;

static void make_salts(void *arg, size_t job, unsigned thread)
{
    const salt_job *j = arg;
    const size_t    i0 = job * PER_JOB, n = j->n - i0 < PER_JOB ? j->n - i0 : PER_JOB;
    (void)thread;
    dsp_rand_salts(j->r, j->salts + i0 * DSP_SALT_BYTES, n, j->label, j->base + (uint32_t)i0);
}

void dsp_tree_salts(uint8_t *salts, uint32_t n, const dsp_rand *r, uint16_t label, uint32_t base, dsp_pool *pool)
{
    salt_job j = {salts, r, n, base, label};
    dsp_pool_run(pool, (n + PER_JOB - 1) / PER_JOB, make_salts, &j);
}

static dsp_digest root_hash(uint8_t kind, uint32_t n, size_t width, const dsp_digest *top)
{
    dsp_sha s;
    dsp_sha_init(&s);
    dsp_sha_u8(&s, 0x42);
    dsp_sha_u8(&s, kind);
    dsp_sha_u32(&s, n);
    dsp_sha_u32(&s, (uint32_t)width);
    dsp_sha_put(&s, top->b, sizeof top->b);
    return dsp_sha_digest(&s);
}

static bool shape_ok(uint32_t n, size_t width)
{
    return n != 0 && (n & (n - 1)) == 0 && n <= (uint32_t)1 << 22 && width <= UINT32_MAX;
}

dsp_status dsp_tree_build(dsp_tree *t, dsp_arena *a, dsp_pool *pool, uint8_t kind, uint32_t n, size_t width,
                          const uint8_t *cols, const uint8_t *salts, dsp_err *err)
{
    if (!shape_ok(n, width))
        return dsp_fail(err, DSP_E_ARG, "Merkle tree: %u leaves of %zu bytes; a power of two up to 2^22 expected", n, width);
    *t = (dsp_tree){.kind = kind, .n = n, .width = width, .cols = cols, .salts = salts};
    t->node = DSP_ARENA_RAW(a, dsp_digest, 2 * (size_t)n - 1);
    if (!t->node)
        return dsp_fail(err, DSP_E_NOMEM, "Merkle tree of %u leaves: no memory", n);
    level_job j = {t, t->node, NULL, n};
    dsp_pool_run(pool, (j.n + PER_JOB - 1) / PER_JOB, hash_leaves, &j);
    while (j.n > 1) {
        j.in = j.out;
        j.out += j.n;
        j.n /= 2;
        dsp_pool_run(j.n > PER_JOB ? pool : NULL, (j.n + PER_JOB - 1) / PER_JOB, hash_nodes, &j);
    }
    t->root = root_hash(kind, n, width, j.out);
    return DSP_OK;
}

/* One level up: cur[0..m) sorted and distinct become their parents, in place; need_sibling is called for every index whose
 * sibling is not among them, ascending. Returns the number of parents. */
static size_t climb(uint32_t *cur, size_t m, void (*need_sibling)(void *arg, uint32_t sibling), void *arg)
{
    size_t k = 0;
    for (size_t i = 0; i < m; i++) {
        const uint32_t c = cur[i];
        if (i + 1 < m && cur[i + 1] == (c ^ 1) && !(c & 1))
            i++;
        else
            need_sibling(arg, c ^ 1);
        cur[k++] = c >> 1;
    }
    return k;
}

typedef struct { dsp_buf *out; const dsp_digest *level; } opener;

static void put_sibling(void *arg, uint32_t i)
{
    const opener *o = arg;
    dsp_buf_put(o->out, o->level[i].b, sizeof o->level[i].b);
}

void dsp_tree_open(dsp_buf *out, const dsp_tree *t, const uint32_t *q, size_t nq)
{
    for (size_t i = 0; i < nq; i++) {
        dsp_buf_put(out, t->salts + (size_t)q[i] * DSP_SALT_BYTES, DSP_SALT_BYTES);
        dsp_buf_put(out, t->cols + (size_t)q[i] * t->width, t->width);
    }
    uint32_t *cur = DSP_NEW_N(uint32_t, nq);
    if (!cur) {
        out->bad = true;
        return;
    }
    if (nq)
        memcpy(cur, q, nq * sizeof *q);
    opener o = {out, t->node};
    for (size_t n = t->n; n > 1; n /= 2) {
        nq = climb(cur, nq, put_sibling, &o);
        o.level += n;
    }
    dsp_free(cur);
}

static void count_sibling(void *arg, uint32_t i)
{
    (void)i;
    ++*(size_t *)arg;
}

size_t dsp_tree_siblings(uint32_t n, const uint32_t *q, size_t nq, uint32_t *scratch)
{
    size_t count = 0;
    if (nq)
        memcpy(scratch, q, nq * sizeof *q);
    for (; n > 1; n /= 2)
        nq = climb(scratch, nq, count_sibling, &count);
    return count;
}

dsp_status dsp_tree_check(bool *ok, const uint8_t **cols, dsp_rd *rd, dsp_arena *a, uint8_t kind, uint32_t n, size_t width,
                          const dsp_digest *root, const uint32_t *q, size_t nq, dsp_err *err)
{
    *ok = false;
    if (!shape_ok(n, width) || nq == 0 || nq > n)
        return dsp_fail(err, DSP_E_ARG, "Merkle opening: %zu queries, %u leaves of %zu bytes", nq, n, width);
    if (dsp_rd_left(rd) / (DSP_SALT_BYTES + width) < nq) {
        (void)dsp_rd_fail(rd, DSP_E_FORMAT, "Merkle opening of %zu columns of %zu bytes: %zu bytes left", nq, width,
                          dsp_rd_left(rd));
        return DSP_OK;
    }
    const size_t   step = DSP_SALT_BYTES + width;
    const uint8_t *p = dsp_rd_take(rd, nq * step);
    const dsp_mark mark = dsp_arena_mark(a);
    dsp_digest    *d = DSP_ARENA_RAW(a, dsp_digest, nq);
    dsp_digest    *pair = DSP_ARENA_RAW(a, dsp_digest, 2 * nq);
    uint32_t      *cur = DSP_ARENA_RAW(a, uint32_t, nq);
    if (!d || !pair || !cur) {
        dsp_arena_rewind(a, mark);
        return dsp_fail(err, DSP_E_NOMEM, "Merkle opening of %zu columns: no memory", nq);
    }
    for (size_t i = 0; i < nq; i++)
        cols[i] = p + i * step + DSP_SALT_BYTES;
    dsp_hash_leaf_list(d, kind, n, q, 0, nq, p, step, p + DSP_SALT_BYTES, step, width);
    memcpy(cur, q, nq * sizeof *q);
    size_t m = nq;
    for (uint32_t len = n; len > 1 && !rd->bad; len /= 2) {
        size_t k = 0;
        for (size_t i = 0; i < m; i++, k++) {
            const uint32_t c = cur[i];
            pair[2 * k + (c & 1)] = d[i];
            if (i + 1 < m && cur[i + 1] == (c ^ 1) && !(c & 1)) {
                pair[2 * k + 1] = d[++i];
            } else {
                const uint8_t *s = dsp_rd_take(rd, sizeof d->b);
                if (!s)
                    break;
                memcpy(pair[2 * k + !(c & 1)].b, s, sizeof d->b);
            }
            cur[k] = c >> 1;
        }
        dsp_hash_nodes(d, pair, k);
        m = k;
    }
    if (!rd->bad) {
        const dsp_digest r = root_hash(kind, n, width, &d[0]);
        *ok = dsp_digest_eq(&r, root);
    }
    dsp_arena_rewind(a, mark);
    return DSP_OK;
}
