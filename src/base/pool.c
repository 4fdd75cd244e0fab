#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/cpu.h"
#include "base/mem.h"

typedef struct { dsp_pool *pool; unsigned index; } worker;

struct dsp_pool {
    unsigned        n;        /* threads, the caller included */
    pthread_t      *thread;   /* n - 1 */
    worker         *worker;
    pthread_mutex_t lock;
    pthread_cond_t  go, idle;
    unsigned        epoch, busy;
    bool            stop;
    atomic_bool     running;
    atomic_size_t   next;
    size_t          count;
    void          (*fn)(void *, size_t, unsigned);
    void           *arg;
};

static void drain(dsp_pool *p, unsigned index)
{
    size_t i;
    while ((i = atomic_fetch_add(&p->next, 1)) < p->count)
        p->fn(p->arg, i, index);
}

static void *work(void *arg)
{
    const worker *w = arg;
    dsp_pool     *p = w->pool;
    unsigned      seen = 0;
    for (;;) {
        pthread_mutex_lock(&p->lock);
        while (!p->stop && p->epoch == seen)
            pthread_cond_wait(&p->go, &p->lock);
        seen = p->epoch;
        const bool stop = p->stop;
        pthread_mutex_unlock(&p->lock);
        if (stop)
            return NULL;
        drain(p, w->index);
        pthread_mutex_lock(&p->lock);
        if (--p->busy == 0)
            pthread_cond_signal(&p->idle);
        pthread_mutex_unlock(&p->lock);
    }
}

dsp_pool *dsp_pool_create(unsigned n_threads)
{
    if (n_threads == 0)
        n_threads = dsp_cpu_count();
    if (n_threads > 256)
        n_threads = 256;
    dsp_pool *p = DSP_NEW(dsp_pool);
    if (!p)
        return NULL;
    p->n = 1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->go, NULL);
    pthread_cond_init(&p->idle, NULL);
    p->thread = DSP_NEW_N(pthread_t, n_threads);
    p->worker = DSP_NEW_N(worker, n_threads);
    if (!p->thread || !p->worker) {
        dsp_pool_free(p);
        return NULL;
    }
    while (p->n < n_threads) {
        worker *w = &p->worker[p->n - 1];
        *w = (worker){p, p->n};
        if (pthread_create(&p->thread[p->n - 1], NULL, work, w) != 0)
            break;
        p->n++;
    }
    return p;
}

void dsp_pool_free(dsp_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->go);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i + 1 < p->n; i++)
        pthread_join(p->thread[i], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->go);
    pthread_cond_destroy(&p->idle);
    dsp_free(p->thread);
    dsp_free(p->worker);
    dsp_free(p);
}

unsigned dsp_pool_threads(const dsp_pool *p) { return p ? p->n : 1; }

void dsp_pool_run(dsp_pool *p, size_t n, void (*fn)(void *, size_t, unsigned), void *arg)
{
    bool idle = false;
    if (!p || p->n == 1 || n < 2 || !atomic_compare_exchange_strong(&p->running, &idle, true)) {
        for (size_t i = 0; i < n; i++)
            fn(arg, i, 0);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->fn = fn;
    p->arg = arg;
    p->count = n;
    atomic_store(&p->next, 0);
    p->busy = p->n - 1;
    p->epoch++;
    pthread_cond_broadcast(&p->go);
    pthread_mutex_unlock(&p->lock);
    drain(p, 0);
    pthread_mutex_lock(&p->lock);
    while (p->busy)
        pthread_cond_wait(&p->idle, &p->lock);
    pthread_mutex_unlock(&p->lock);
    atomic_store(&p->running, false);
}
