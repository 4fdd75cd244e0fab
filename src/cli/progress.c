/* Bars with the time left on a terminal, plain lines elsewhere. A thread of its own redraws, so that a long segment shows that time passes;
 * everything else that is printed goes through cli_talk_begin and cli_talk_end, which take the bar away and put it back.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cpu.h"
#include "cli/cli.h"

enum { TICK_MS = 100, AT_ONCE_MS = 100, PLAIN_MS = 2000, NARROW = 20, DEFAULT_WIDTH = 80, BAR_MAX = 30 };

struct cli_progress {
    pthread_mutex_t lock;
    pthread_cond_t  wake;
    pthread_t       thread;
    bool            started, running, bar, drawn, colour, plain_always;
    dsp_progress    now;           /* step NULL: no step */
    char            step[24];
    uint64_t        t0, t_part;    /* of the step; of the last change of now.part */
    double          found;         /* share that was there at once: an earlier run's work */
    uint64_t        t_line;        /* of the last plain line */
};

static void duration(char *out, size_t cap, double s)
{
    const uint64_t n = s < 0 ? 0 : s > 1e9 ? 1000000000u : (uint64_t)(s + 0.5);
    if (n < 60)
        snprintf(out, cap, "%ju s", (uintmax_t)n);
    else if (n < 3600)
        snprintf(out, cap, "%ju:%02ju min", (uintmax_t)n / 60, (uintmax_t)n % 60);
    else
        snprintf(out, cap, "%ju:%02ju h", (uintmax_t)n / 3600, (uintmax_t)n / 60 % 60);
}

/* Seconds left: what the share done here so far took, carried forward; before anything is done, the prediction. Negative: not known. */
static double left(const cli_progress *g, uint64_t now)
{
    const double elapsed = (double)(now - g->t0) / 1e9;
    double       all = g->now.expected_seconds * (1 - g->found);
    if (g->now.part > g->found)
        all = (double)(g->t_part - g->t0) / 1e9 / (g->now.part - g->found) * (1 - g->found);
    if (g->now.part >= 1)
        return 0;
    return all <= 0 || elapsed > all ? -1 : all - elapsed;   /* a prediction that has passed says nothing */
}

static unsigned width(void)
{
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col)
        return w.ws_col;
    return DEFAULT_WIDTH;
}

static void draw(cli_progress *g)
{
    char           head[64], tail[64], time_left[32], cells[3 * BAR_MAX + 1];
    const uint64_t now = dsp_clock_ns();
    const double   s = left(g, now);
    const unsigned columns = width();
    snprintf(head, sizeof head, "%s", g->step);
    if (g->now.total)
        snprintf(head, sizeof head, "%s %ju/%ju", g->step, (uintmax_t)g->now.done, (uintmax_t)g->now.total);
    if (s >= 0) {
        duration(time_left, sizeof time_left, s);
        snprintf(tail, sizeof tail, "%3.0f %%  %s left", 100 * g->now.part, time_left);
    } else {
        duration(time_left, sizeof time_left, (double)(now - g->t0) / 1e9);
        snprintf(tail, sizeof tail, "%3.0f %%  %s", 100 * g->now.part, time_left);
    }
    /* One column stays free: a full line would wrap. */
    const size_t text = strlen(head) + strlen(tail) + 4;
    size_t       n = columns > text + 1 ? columns - text - 1 : 0, at = 0;
    n = n > BAR_MAX ? BAR_MAX : n;
    for (size_t i = 0; i < n; i++) {
        const char *cell = (double)i < (double)n * g->now.part ? "\xe2\x96\x88" : "\xe2\x96\x91";
        memcpy(cells + at, cell, 3);
        at += 3;
    }
    cells[at] = 0;
    if (columns < NARROW)
        fprintf(stderr, "\r\033[K%.*s", (int)columns - 1, head);
    else if (n < 4)
        fprintf(stderr, "\r\033[K%.*s", (int)columns - 1, strlen(head) + strlen(tail) + 2 < columns ? head : tail);
    else
        fprintf(stderr, "\r\033[K%s  %s%s%s  %s", head, g->colour ? "\033[36m" : "", cells, g->colour ? "\033[0m" : "", tail);
    fflush(stderr);
    g->drawn = true;
}

static void erase(cli_progress *g)
{
    if (!g->drawn)
        return;
    fprintf(stderr, "\r\033[K");
    fflush(stderr);
    g->drawn = false;
}

static void plain_line(cli_progress *g)
{
    char           text[32];
    const uint64_t now = dsp_clock_ns();
    const double   s = left(g, now);
    duration(text, sizeof text, s >= 0 ? s : (double)(now - g->t0) / 1e9);
    fprintf(stderr, "%s: ", g->step);
    if (g->now.total)
        fprintf(stderr, "%ju of %ju %s, ", (uintmax_t)g->now.done, (uintmax_t)g->now.total, g->now.units);
    fprintf(stderr, "%.0f %%, %s %s\n", 100 * g->now.part, text, s >= 0 ? "left" : "so far");
    g->t_line = now;
}

static void *tick(void *arg)
{
    cli_progress *g = arg;
    pthread_mutex_lock(&g->lock);
    while (g->running) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        const int rc = pthread_cond_timedwait(&g->wake, &g->lock, &until);
        if (rc != ETIMEDOUT || !g->running || !g->now.step)
            continue;
        if (g->bar)
            draw(g);
        else if (dsp_clock_ns() - g->t_line >= PLAIN_MS * 1000000ull)
            plain_line(g);
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

cli_progress *cli_progress_start(bool bar, bool colour, bool plain_always)
{
    cli_progress *g = DSP_NEW(cli_progress);
    if (!g)
        return NULL;
    g->bar = bar;
    g->colour = colour;
    g->plain_always = plain_always;
    if (pthread_mutex_init(&g->lock, NULL) != 0) {
        dsp_free(g);
        return NULL;
    }
    if (pthread_cond_init(&g->wake, NULL) != 0) {
        pthread_mutex_destroy(&g->lock);
        dsp_free(g);
        return NULL;
    }
    return g;
}

void cli_progress_stop(cli_progress *g)
{
    if (!g)
        return;
    pthread_mutex_lock(&g->lock);
    erase(g);
    g->now.step = NULL;
    g->running = false;
    pthread_cond_signal(&g->wake);
    pthread_mutex_unlock(&g->lock);
    if (g->started)
        pthread_join(g->thread, NULL);
    pthread_cond_destroy(&g->wake);
    pthread_mutex_destroy(&g->lock);
    dsp_free(g);
}

void cli_on_progress(void *arg, const dsp_progress *p)
{
    cli          *c = arg;
    cli_progress *g = c->progress;
    if (!g)
        return;
    const uint64_t now = dsp_clock_ns();
    pthread_mutex_lock(&g->lock);
    if (g->now.step && strcmp(g->step, p->step) == 0 && p->done == g->now.done && p->part == g->now.part && p->total == g->now.total) {
        pthread_mutex_unlock(&g->lock);
        return;
    }
    if (!g->now.step || strcmp(g->step, p->step) != 0 || p->part < g->now.part) {
        snprintf(g->step, sizeof g->step, "%s", p->step);
        g->t0 = g->t_line = now;
        g->found = 0;
    }
    if (p->part < 1 && p->done && now - g->t0 < AT_ONCE_MS * 1000000ull)
        g->found = p->part;
    if (p->part != g->now.part || !g->now.step)
        g->t_part = now;
    g->now = *p;
    /* The thread is made when there is something to redraw; without it the bar moves with the segments. */
    if (!g->started && p->part < 1) {
        g->running = true;
        g->started = pthread_create(&g->thread, NULL, tick, g) == 0;
    }
    if (g->bar && (p->done == 0 || p->part >= 1 || !g->started))
        draw(g);
    else if (!g->bar && (g->plain_always || now - g->t_line >= PLAIN_MS * 1000000ull))
        plain_line(g);
    pthread_mutex_unlock(&g->lock);
}

void cli_progress_end(cli *c)
{
    if (!c->progress)
        return;
    pthread_mutex_lock(&c->progress->lock);
    erase(c->progress);
    c->progress->now.step = NULL;
    pthread_mutex_unlock(&c->progress->lock);
}

void cli_talk_begin(cli *c)
{
    if (!c->progress)
        return;
    pthread_mutex_lock(&c->progress->lock);
    erase(c->progress);
}

void cli_talk_end(cli *c)
{
    if (!c->progress)
        return;
    if (c->progress->bar && c->progress->now.step)
        draw(c->progress);
    pthread_mutex_unlock(&c->progress->lock);
}
