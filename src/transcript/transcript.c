#include "transcript/transcript.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

void dsp_transcript_init(dsp_transcript *t)
{
    memset(t, 0, sizeof *t);
    dsp_sha_init(&t->sha);
}

static void note(dsp_transcript *t, uint16_t id, const dsp_digest *d)
{
#ifdef DSP_TEST_HOOKS
    if (t->log) {
        const dsp_digest now = d ? *d : dsp_transcript_digest(t);
        t->log(t->log_arg, id, &now);
    }
#else
    (void)t;
    (void)id;
    (void)d;
#endif
}

static void header(dsp_transcript *t, uint8_t type, uint16_t id, uint64_t n)
{
    dsp_sha_u8(&t->sha, type);
    dsp_sha_u16(&t->sha, id);
    dsp_sha_u64(&t->sha, n);
    t->n_used = 0;
}

void dsp_absorb(dsp_transcript *t, uint8_t type, uint16_t id, const void *p, size_t n)
{
    header(t, type, id, n);
    dsp_sha_put(&t->sha, p, n);
    note(t, id, NULL);
}

static void put_ke(dsp_sha *s, const dsp_ke *v, size_t n)
{
    uint8_t b[64 * 16];
    while (n) {
        const size_t m = n < 64 ? n : 64;
        for (size_t i = 0; i < m; i++)
            dsp_ke_write(b + 16 * i, v[i]);
        dsp_sha_put(s, b, 16 * m);
        v += m;
        n -= m;
    }
}

void dsp_absorb_ke(dsp_transcript *t, uint16_t id, const dsp_ke *v, size_t n)
{
    header(t, DSP_T_KE, id, 16 * (uint64_t)n);
    put_ke(&t->sha, v, n);
    note(t, id, NULL);
}

void dsp_absorb_digest(dsp_transcript *t, uint16_t id, const dsp_digest *d)
{
    dsp_absorb(t, DSP_T_DIGEST, id, d->b, sizeof d->b);
}

dsp_digest dsp_transcript_digest(const dsp_transcript *t) { return dsp_sha_digest(&t->sha); }

/* The words of one squeeze: block c = SHA-256(10 || digest || u16 id || u64 c), four words each. */
typedef struct { dsp_sha prefix; uint64_t block; dsp_digest d; unsigned used; } words;

static void words_init(words *w, dsp_transcript *t, uint16_t id)
{
    enum { N = sizeof t->used / sizeof t->used[0] };
    for (unsigned i = 0; i < t->n_used && i < N; i++)
        assert(t->used[i] != id);
    t->used[t->n_used++ % N] = id;
    const dsp_digest d = dsp_transcript_digest(t);
    dsp_sha_init(&w->prefix);
    dsp_sha_u8(&w->prefix, 0x10);
    dsp_sha_put(&w->prefix, d.b, sizeof d.b);
    dsp_sha_u16(&w->prefix, id);
    w->block = 0;
    w->used = 4;
}

static uint64_t next_word(words *w)
{
    if (w->used == 4) {
        dsp_sha s = w->prefix;
        dsp_sha_u64(&s, w->block++);
        w->d = dsp_sha_digest(&s);
        w->used = 0;
    }
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v |= (uint64_t)w->d.b[8 * w->used + (unsigned)i] << 8 * i;
    w->used++;
    return v;
}

static dsp_fe next_fe(words *w)
{
    uint64_t v;
    do
        v = next_word(w) & dsp_fe_word_mask();
    while (v >= DSP_P);
    return (dsp_fe){v};
}

void dsp_squeeze(dsp_transcript *t, uint16_t id, dsp_ke *out, size_t n)
{
#ifdef DSP_TEST_HOOKS
    for (const dsp_forced_coin *f = t->forced; f && f->id; f++)
        if (f->id == id) {
            assert(n == 1);
            out[0] = f->value;
            return;
        }
#endif
    words w;
    words_init(&w, t, id);
    for (size_t i = 0; i < n; i++) {
        out[i].a = next_fe(&w);
        out[i].b = next_fe(&w);
    }
#ifdef DSP_TEST_HOOKS
    if (t->log) {
        dsp_sha s;
        dsp_sha_init(&s);
        put_ke(&s, out, n);
        const dsp_digest d = dsp_sha_digest(&s);
        note(t, id, &d);
    }
#endif
}

dsp_ke dsp_squeeze1(dsp_transcript *t, uint16_t id)
{
    dsp_ke r;
    dsp_squeeze(t, id, &r, 1);
    return r;
}

/* The cells of the identity permutation that the shuffle has changed: open addressing, key + 1 so that 0 is empty. */
typedef struct { uint32_t key1, val; } cell;

static cell *find(cell *map, uint32_t mask, uint32_t key)
{
    uint32_t i = key * 0x9e3779b1u & mask;
    while (map[i].key1 && map[i].key1 != key + 1)
        i = (i + 1) & mask;
    return &map[i];
}

static uint32_t get(cell *map, uint32_t mask, uint32_t key)
{
    const cell *c = find(map, mask, key);
    return c->key1 ? c->val : key;
}

static void set(cell *map, uint32_t mask, uint32_t key, uint32_t val) { *find(map, mask, key) = (cell){key + 1, val}; }

static void sort_u32(uint32_t *v, uint32_t n) /* heap sort: the count may be large */
{
    for (uint32_t phase = n / 2 + n; phase-- > 0;) {
        const uint32_t len = phase < n ? phase : n;
        uint32_t       i = phase < n ? 0 : phase - n;
        if (phase < n) {
            const uint32_t x = v[0];
            v[0] = v[phase];
            v[phase] = x;
        }
        for (uint32_t k; (k = 2 * i + 1) < len; i = k) {
            if (k + 1 < len && v[k + 1] > v[k])
                k++;
            if (v[i] >= v[k])
                break;
            const uint32_t x = v[i];
            v[i] = v[k];
            v[k] = x;
        }
    }
}

bool dsp_squeeze_indices(dsp_transcript *t, uint16_t id, uint32_t *out, uint32_t count, uint32_t n)
{
    uint32_t size = 4;
    while (size < 4 * (uint64_t)count) /* at most 2 count cells are stored */
        size *= 2;
    cell *map = DSP_NEW_N(cell, size);
    if (!map)
        return false;
    words w;
    words_init(&w, t, id);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t left = n - i;
        uint64_t       mask = left - 1, r;
        for (unsigned s = 1; s < 32; s *= 2)
            mask |= mask >> s;
        do
            r = next_word(&w) & mask;
        while (r >= left);
        const uint32_t j = i + (uint32_t)r, vi = get(map, size - 1, i), vj = get(map, size - 1, j);
        set(map, size - 1, i, vj);
        set(map, size - 1, j, vi);
        out[i] = vj;
    }
    dsp_free(map);
    sort_u32(out, count);
#ifdef DSP_TEST_HOOKS
    if (t->log) {
        dsp_sha s;
        dsp_sha_init(&s);
        for (uint32_t i = 0; i < count; i++)
            dsp_sha_u32(&s, out[i]);
        const dsp_digest d = dsp_sha_digest(&s);
        note(t, id, &d);
    }
#endif
    return true;
}
