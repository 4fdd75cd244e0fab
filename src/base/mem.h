/* Memory: heap arrays with checked sizes, and arenas with a ceiling.
 *
 * An arena is made with a ceiling, grows by chunks, and is dropped at once. mark/rewind bracket a round.
 * Chunks are wiped when the arena is released, so witness and pads may live in one. Under AddressSanitizer
 * the gaps between allocations are poisoned. Not thread safe: one arena per thread of work.
 */
#ifndef DSP_BASE_MEM_H
#define DSP_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* count * size bytes, zeroed; NULL when that overflows or memory is short (count = 0 gives a valid pointer). */
void *dsp_calloc(size_t count, size_t size);
/* Resizes to count * size bytes; NULL leaves p as it was. New bytes are not set. */
void *dsp_realloc(void *p, size_t count, size_t size);
char *dsp_strdup(const char *s);
void  dsp_free(void *p);

#define DSP_NEW(type)         ((type *)dsp_calloc(1, sizeof(type)))
#define DSP_NEW_N(type, n)    ((type *)dsp_calloc((n), sizeof(type)))

/* Overwrites n bytes with zeros in a way the compiler keeps. */
void dsp_wipe(void *p, size_t n);

typedef struct dsp_arena dsp_arena;
typedef struct { void *chunk; size_t used; } dsp_mark;

/* An arena that holds at most max_bytes (0: no ceiling). NULL when memory is short. */
dsp_arena *dsp_arena_create(size_t max_bytes);
void       dsp_arena_free(dsp_arena *a);
/* count * size bytes, zeroed, 64-byte aligned; NULL at the ceiling, on overflow or when memory is short. */
void      *dsp_arena_alloc(dsp_arena *a, size_t count, size_t size);
/* The same without zeroing. */
void      *dsp_arena_raw(dsp_arena *a, size_t count, size_t size);
char      *dsp_arena_strdup(dsp_arena *a, const char *s);
/* Makes room for at least `bytes` more in one piece, so that what is taken and rewound later stays on the same pages.
 * False at the ceiling or when memory is short; nothing is lost then. */
bool       dsp_arena_reserve(dsp_arena *a, size_t bytes);
dsp_mark   dsp_arena_mark(const dsp_arena *a);
/* Gives back all that was taken since the mark. */
void       dsp_arena_rewind(dsp_arena *a, dsp_mark m);
/* Most bytes ever held. */
size_t     dsp_arena_peak(const dsp_arena *a);
/* Most bytes in use at once since the arena was made or the last restart: what one of several tasks took that share an arena. */
size_t     dsp_arena_peak_used(const dsp_arena *a);
void       dsp_arena_peak_restart(dsp_arena *a);

#define DSP_ARENA_NEW(a, type)      ((type *)dsp_arena_alloc((a), 1, sizeof(type)))
#define DSP_ARENA_N(a, type, n)     ((type *)dsp_arena_alloc((a), (n), sizeof(type)))
#define DSP_ARENA_RAW(a, type, n)   ((type *)dsp_arena_raw((a), (n), sizeof(type)))

#ifdef DSP_TEST_ALLOC
/* Test builds: the n-th allocation from now (1-based) and all after it fail; 0 turns that off. */
void dsp_alloc_fail_at(size_t n);
#endif

#endif
