#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"

#if defined(__SANITIZE_ADDRESS__)
#define DSP_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DSP_ASAN 1
#endif
#endif
#ifdef DSP_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define GAP            64
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#define GAP            0
#endif

#ifdef DSP_TEST_ALLOC
static size_t fail_at, seen;
void dsp_alloc_fail_at(size_t n) { fail_at = n; seen = 0; }
static int refuse(void) { return fail_at != 0 && ++seen >= fail_at; }
#else
static int refuse(void) { return 0; }
#endif

void *dsp_calloc(size_t count, size_t size)
{
    size_t n;
    if (!dsp_mul_size(&n, count, size) || refuse())
        return NULL;
    return calloc(1, n ? n : 1);
}

void *dsp_realloc(void *p, size_t count, size_t size)
{
    size_t n;
    if (!dsp_mul_size(&n, count, size) || refuse())
        return NULL;
    return realloc(p, n ? n : 1);
}

char *dsp_strdup(const char *s)
{
    const size_t n = strlen(s) + 1;
    char        *r = dsp_calloc(n, 1);
    if (r)
        memcpy(r, s, n);
    return r;
}

void dsp_free(void *p) { free(p); }

void dsp_wipe(void *p, size_t n)
{
    volatile unsigned char *v = p;
    if (!p)
        return;
    memset(p, 0, n);
    if (n)          /* the volatile access keeps the memset alive */
        v[0] = v[n - 1] = 0;
#if defined(__GNUC__)
    __asm__ __volatile__("" : : "r"(p) : "memory");
#endif
}

enum { ALIGN = 64, CHUNK = 1 << 18 };

typedef struct chunk {
    struct chunk *prev;
    size_t        cap, used; /* bytes after the header */
} chunk;

struct dsp_arena {
    chunk *top;
    size_t max, held, peak;
    size_t live, peak_live; /* bytes taken and not given back */
};

#define HEAD ((sizeof(chunk) + ALIGN - 1) / ALIGN * ALIGN)
static unsigned char *data_of(chunk *c) { return (unsigned char *)c + HEAD; }

dsp_arena *dsp_arena_create(size_t max_bytes)
{
    dsp_arena *a = DSP_NEW(dsp_arena);
    if (a)
        a->max = max_bytes;
    return a;
}

static void drop(dsp_arena *a, chunk *c)
{
    UNPOISON(data_of(c), c->cap);
    dsp_wipe(data_of(c), c->used);
    a->held -= c->cap + HEAD;
    a->live -= c->used;
    free(c);
}

void dsp_arena_free(dsp_arena *a)
{
    if (!a)
        return;
    while (a->top) {
        chunk *p = a->top->prev;
        drop(a, a->top);
        a->top = p;
    }
    free(a);
}

/* A new chunk of cap bytes on top. */
static bool grow(dsp_arena *a, size_t cap)
{
    if (a->max && (cap + HEAD > a->max || a->held > a->max - cap - HEAD))
        return false;
    chunk *c = aligned_alloc(ALIGN, cap + HEAD);
    if (!c)
        return false;
    c->prev = a->top;
    c->cap = cap;
    c->used = 0;
    a->top = c;
    a->held += cap + HEAD;
    if (a->held > a->peak)
        a->peak = a->held;
    POISON(data_of(c), cap);
    return true;
}

bool dsp_arena_reserve(dsp_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2 || refuse())
        return false;
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (a->top && a->top->cap - a->top->used >= bytes)
        return true;
    if (a->top && a->top->used == 0 && !a->top->prev) { /* a mark that names it means the empty arena, and rewinds to that */
        drop(a, a->top);
        a->top = NULL;
    }
    return grow(a, bytes > CHUNK ? bytes : CHUNK);
}

void *dsp_arena_raw(dsp_arena *a, size_t count, size_t size)
{
    size_t n, need;
    if (!dsp_mul_size(&n, count, size) || n > SIZE_MAX / 2 || refuse())
        return NULL;
    n = (n + ALIGN - 1) / ALIGN * ALIGN;
    if (n == 0)
        n = ALIGN;
    need = n + GAP;
    if ((!a->top || a->top->cap - a->top->used < need) && !grow(a, need > CHUNK ? need : CHUNK))
        return NULL;
    chunk         *c = a->top;
    unsigned char *p = data_of(c) + c->used;
    c->used += need;
    a->live += need;
    if (a->live > a->peak_live)
        a->peak_live = a->live;
    UNPOISON(p, n);
    return p;
}

void *dsp_arena_alloc(dsp_arena *a, size_t count, size_t size)
{
    void *p = dsp_arena_raw(a, count, size);
    if (p)
        memset(p, 0, count * size);
    return p;
}

char *dsp_arena_strdup(dsp_arena *a, const char *s)
{
    const size_t n = strlen(s) + 1;
    char        *p = dsp_arena_raw(a, n, 1);
    if (p)
        memcpy(p, s, n);
    return p;
}

dsp_mark dsp_arena_mark(const dsp_arena *a)
{
    return (dsp_mark){a->top, a->top ? a->top->used : 0};
}

void dsp_arena_rewind(dsp_arena *a, dsp_mark m)
{
    while (a->top && a->top != m.chunk) {
        chunk *p = a->top->prev;
        drop(a, a->top);
        a->top = p;
    }
    if (a->top) {
        unsigned char *p = data_of(a->top) + m.used;
        UNPOISON(p, a->top->used - m.used);
        dsp_wipe(p, a->top->used - m.used);
        POISON(p, a->top->used - m.used);
        a->live -= a->top->used - m.used;
        a->top->used = m.used;
    }
}

size_t dsp_arena_peak(const dsp_arena *a) { return a->peak; }
size_t dsp_arena_peak_used(const dsp_arena *a) { return a->peak_live; }
void   dsp_arena_peak_restart(dsp_arena *a) { a->peak_live = a->live; }
