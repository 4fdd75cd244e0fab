/* A pool of worker threads for loops over independent items.
 *
 * Results never depend on the number of threads: every item writes only its own place. A NULL pool runs
 * everything in the calling thread.
 */
#ifndef DSP_BASE_POOL_H
#define DSP_BASE_POOL_H

#include <stddef.h>

typedef struct dsp_pool dsp_pool;

/* A pool in which n_threads threads work, the caller among them; n_threads = 0: one per processor. NULL when threads
 * cannot be made (the NULL pool works too). */
dsp_pool *dsp_pool_create(unsigned n_threads);
void      dsp_pool_free(dsp_pool *p);
unsigned  dsp_pool_threads(const dsp_pool *p);

/* Calls fn(arg, i, thread) for every i < n, in any order, from any of the threads (thread < dsp_pool_threads(p));
 * returns when all are done. A call from inside a running loop runs in the calling thread with its thread index 0. */
void dsp_pool_run(dsp_pool *p, size_t n, void (*fn)(void *arg, size_t i, unsigned thread), void *arg);

#endif
