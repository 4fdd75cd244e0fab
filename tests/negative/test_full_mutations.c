/* Mutations at full parameters (profile 1, 100 bits), on an honest proof of every slice of the example in both modes: 2,000 seeded bit
 * flips, the first and last byte of every field of S10 (header, roots, every hidden value, the ends of every vector, salt, column and
 * sibling of every opening), words that are not canonical, and lengths around every boundary. All are rejected, none crashes. The
 * mutations are shared out over the threads of a pool, each on its own copy of the proof. */
#include "slices.h"

#include "base/pool.h"
#include "unit/test.h"

static json_t *vec;

enum { SEEDED = 2000, PER_JOB = 32, MOST = 1 << 16 };
enum { FLIP, WORD, LENGTH };

typedef struct { uint8_t kind, bit; size_t at; const char *what; unsigned expected; } mutation; /* expected 0: any check */

typedef struct {
    slices         *s;
    uint32_t        i;
    dsp_buf         proof;
    size_t          n, opening;  /* openings so far */
    mutation       *m;
    uint8_t        *check;       /* per mutation: what spoke, 0: it was not rejected */
} work;

static void add(work *w, uint8_t kind, size_t at, uint8_t bit, const char *what, unsigned expected)
{
    assert_true(w->n < MOST);
    w->m[w->n++] = (mutation){kind, bit, at, what, expected};
}

/* First and last byte of a field. */
static void ends(work *w, size_t at, size_t len, const char *what)
{
    add(w, FLIP, at, (uint8_t)(at % 8), what, 0);
    add(w, FLIP, at + len - 1, (uint8_t)(w->n % 8), what, 0);
}

static void edge_of(work *w, size_t at, const char *what)
{
    for (size_t d = 0; d < 3; d++)
        if (at + d >= 1 && at + d - 1 != w->proof.len)
            add(w, LENGTH, at + d - 1, 0, what, DSP_V4);
}

/* Opening `o` in proof order: how many columns, and the bytes of one. */
static void opened(const work *w, size_t o, uint32_t *t, size_t *width)
{
    const dsp_derived *D = w->s->D[w->i];
    for (uint32_t l = 0; l < D->n_lengths; l++) {
        const dsp_length *len = &D->lengths[l];
        *t = len->t;
        for (uint32_t k = 0; k < len->n_trees; k++)
            if (o-- == 0) {
                *width = 8 * (size_t)D->trees[len->trees[k]].width;
                return;
            }
        if (len->is_mask && o-- == 0) {
            *width = 32 * (size_t)len->n_trees;
            return;
        }
    }
    assert_int_equal(o, 0);
    *t = D->key->pad_t;
    *width = 16 * (size_t)D->pad_rows;
}

static void sent(void *arg, uint16_t id, size_t at, size_t len)
{
    work *w = arg;
    if (len == 0)
        return;
    edge_of(w, at, "length at a message's start");
    if (id == UINT16_MAX) {
        uint32_t t;
        size_t   width;
        opened(w, w->opening++, &t, &width);
        const size_t part = DSP_SALT_BYTES + width;
        assert_true(len >= t * part && (len - t * part) % 32 == 0);
        for (uint32_t k = 0; k < t; k++) {
            ends(w, at + k * part, DSP_SALT_BYTES, "salt");
            ends(w, at + k * part + DSP_SALT_BYTES, width, "column");
        }
        for (size_t k = at + t * part; k < at + len; k += 32)
            ends(w, k, 32, "sibling");
        edge_of(w, at + t * part, "length at the siblings' start");
        add(w, WORD, at + DSP_SALT_BYTES, 0, "column word", DSP_V4);
        add(w, WORD, at + t * part - 8, 0, "column word", DSP_V4);
        return;
    }
    ends(w, at, len, "message");
    if (id == 0 || id == DSP_M_ROOT)
        return;
    add(w, WORD, at, 0, "first word", DSP_V4);
    add(w, WORD, at + len - 8, 0, "last word", DSP_V4);
    if (id < DSP_M_U) /* every hidden value */
        for (size_t k = 0; k < len; k += 16)
            ends(w, at + k, 16, "hidden value");
}

static void item(void *arg, size_t job, unsigned thread)
{
    work    *w = arg;
    uint8_t *p = malloc(w->proof.len);
    (void)thread;
    if (!p)
        return;
    memcpy(p, w->proof.p, w->proof.len);
    for (size_t k = job * PER_JOB; k < (job + 1) * PER_JOB && k < w->n; k++) {
        const mutation *m = &w->m[k];
        unsigned        check = 0;
        uint8_t         old[8] = {0};
        size_t          len = w->proof.len;
        dsp_err         err;
        if (m->kind == LENGTH) {
            len = m->at;
        } else if (m->kind == FLIP) {
            p[m->at] ^= (uint8_t)(1u << m->bit);
        } else {
            memcpy(old, p + m->at, 8);
            dsp_put64(p + m->at, DSP_P + k % 3);
        }
        const dsp_status st = dsp_verify_slice(w->s->D[w->i], &w->s->st[w->i], p, len, 0, &check, &err);
        w->check[k] = (uint8_t)(st == DSP_E_REJECTED && check < 64 ? check : 0);
        if (m->kind == FLIP)
            p[m->at] ^= (uint8_t)(1u << m->bit);
        else if (m->kind == WORD)
            memcpy(p + m->at, old, 8);
    }
    free(p);
}

static void mutate(slices *s, uint32_t i, dsp_pool *pool, uint64_t seed, unsigned seen[64])
{
    dsp_err         err;
    work            w = {.s = s, .i = i, .m = calloc(MOST, sizeof *w.m)};
    dsp_prove_watch watch = {.arg = &w, .sent = sent};
    assert_non_null(w.m);
    w.proof.len = SIZE_MAX; /* unknown while the prover speaks */
    dsp_buf p = {0};
    if (slices_prove_raw(s, i, NULL, NULL, &watch, pool, &p, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    w.proof = p;
    assert_int_equal(slices_verify(s, i, p.p, p.len, 0, NULL, &err), 0);
    edge_of(&w, p.len - 1, "one byte less");
    for (size_t k = 0; k < SEEDED; k++) {
        const uint64_t r = test_next(&seed);
        add(&w, FLIP, (size_t)(r >> 3) % p.len, (uint8_t)(r & 7), "seeded", 0);
    }
    w.check = calloc(w.n, 1);
    assert_non_null(w.check);
    dsp_pool_run(pool, (w.n + PER_JOB - 1) / PER_JOB, item, &w);
    for (size_t k = 0; k < w.n; k++) {
        const mutation *m = &w.m[k];
        if (w.check[k] == 0 || (m->expected && w.check[k] != m->expected))
            fail_msg("mode %u, slice %u, %s, byte %zu of %zu, bit %u: V%u spoke", s->key[i]->mode, i, m->what, m->at, p.len, m->bit, w.check[k]);
        seen[w.check[k]]++;
    }
    /* one byte more, of any value */
    for (unsigned b = 0; b < 256; b += 51) {
        dsp_buf_u8(&p, (uint8_t)b);
        assert_int_equal(slices_verify(s, i, p.p, p.len, 0, NULL, NULL), DSP_V4);
        p.len--;
    }
    free(w.check);
    free(w.m);
    dsp_buf_release(&p);
}

static void full_mode(uint8_t mode)
{
    dsp_pool *pool = dsp_pool_create(0);
    unsigned  seen[64] = {0};
    slices    s;
    slices_load(&s, vec, "chain, 100 bits, mode 0");
    for (uint32_t i = 0; i < s.n; i++)
        s.key[i]->mode = mode;
    slices_rekey(&s);
    slices_run(&s, NULL);
    for (uint32_t i = 0; i < s.n; i++) {
        assert_int_equal(s.key[i]->profile, DSP_PROFILE_G2_100);
        mutate(&s, i, pool, 1000 * mode + i, seen);
    }
    const unsigned expected[] = {DSP_V3, DSP_V4, DSP_V17, DSP_V20, DSP_V22, DSP_V23};
    for (size_t k = 0; k < sizeof expected / sizeof *expected; k++)
        assert_true(seen[expected[k]] > 0);
    slices_free(&s);
    dsp_pool_free(pool);
}

static void full_mode0(void **state) { (void)state; full_mode(0); }
static void full_mode1(void **state) { (void)state; full_mode(1); }

int main(void)
{
    vec = vec_load();
    const struct CMUnitTest tests[] = {cmocka_unit_test(full_mode0), cmocka_unit_test(full_mode1)};
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vec);
    return r;
}
