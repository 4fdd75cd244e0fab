#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline.h"

static const char *const no_paths[] = {NULL};

struct dsp_ort_ahead {
    pthread_t          thread;
    const char *const *paths;
    unsigned           threads;
    dsp_ort           *ort;
};

static void *open_ahead(void *arg)
{
    struct dsp_ort_ahead *a = arg;
    if (dsp_ort_open(&a->ort, a->paths, NULL) == DSP_OK && dsp_ort_prepare(a->ort, a->threads, NULL) != DSP_OK) {
        dsp_ort_close(a->ort);
        a->ort = NULL;
    }
    return NULL;
}

void dsp_pipe_ort_ahead(dsp_pipe *p)
{
    struct dsp_ort_ahead *a = p->ort || p->ort_ahead ? NULL : DSP_NEW(struct dsp_ort_ahead);
    if (!a)
        return;
    a->paths = p->ort_paths ? p->ort_paths : no_paths;
    a->threads = dsp_pool_threads(p->pool);
    dsp_ort_be_quiet();
    if (pthread_create(&a->thread, NULL, open_ahead, a) == 0)
        p->ort_ahead = a;
    else
        dsp_free(a);
}

/* What was opened ahead is p's. */
static void take_ahead(dsp_pipe *p)
{
    if (!p->ort_ahead)
        return;
    pthread_join(p->ort_ahead->thread, NULL);
    p->ort = p->ort_ahead->ort;
    dsp_free(p->ort_ahead);
    p->ort_ahead = NULL;
}

void dsp_pipe_release(dsp_pipe *p)
{
    take_ahead(p);
    dsp_ort_close(p->ort);
    p->ort = NULL;
    dsp_ezkl_free(p->ezkl);
    p->ezkl = NULL;
    dsp_pool_free(p->pool);
    p->pool = NULL;
}

dsp_status dsp_pipe_ort(dsp_ort **o, dsp_pipe *p, dsp_err *err)
{
    dsp_status s = DSP_OK;
    take_ahead(p);
    if (!p->ort)   /* or again, for the message */
        s = dsp_ort_open(&p->ort, p->ort_paths ? p->ort_paths : no_paths, err);
    *o = p->ort;
    return s;
}

dsp_status dsp_pipe_ezkl(const dsp_ezkl **e, dsp_pipe *p, dsp_err *err)
{
    dsp_status s = DSP_OK;
    if (!p->ezkl)
        s = p->ezkl_places ? dsp_ezkl_open(&p->ezkl, p->ezkl_places, err) : dsp_fail(err, DSP_E_UNAVAILABLE, "ezkl: no place to look for it");
    *e = p->ezkl;
    return s;
}

dsp_status dsp_pipe_srs(char **path, bool *insecure, dsp_pipe *p, unsigned logrows, dsp_err *err)
{
    static const char *const none[] = {NULL};
    const dsp_ezkl *e;
    *path = NULL;
    *insecure = false;
    dsp_status s = dsp_pipe_ezkl(&e, p, err);
    if (s != DSP_OK)
        return s;
    s = dsp_ezkl_srs_find(path, e, p->srs_dirs ? p->srs_dirs : none, logrows, err);
    if (s != DSP_E_UNAVAILABLE || !p->test_srs || !p->srs_own)
        return s;
    *insecure = true;
    return dsp_ezkl_srs_make(path, e, p->srs_own, logrows, NULL, err);
}

void dsp_pipe_say(const dsp_pipe *p, dsp_say level, const char *fmt, ...)
{
    char    text[1024];
    va_list ap;
    if (!p->say)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    p->say(p->say_arg, level, text);
}

void dsp_pipe_progress(const dsp_pipe *p, const char *step, uint64_t done, uint64_t total, double part, double expected_seconds)
{
    const char        *units = strcmp(step, "eval") == 0 ? "samples" : strcmp(step, "bench") == 0 ? "rounds" : "segments";
    const dsp_progress g = {step, units, done, total, part < 0 ? 0 : part > 1 ? 1 : part, expected_seconds};
    if (p->progress)
        p->progress(p->say_arg, &g);
}

static const char *skip_blanks(const char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

/* A decimal index; NULL when there is none or it does not fit. */
static const char *index_at(uint64_t *v, const char *s)
{
    if (*s < '0' || *s > '9')
        return NULL;
    for (*v = 0; *s >= '0' && *s <= '9'; s++)
        if ((*v = *v * 10 + (uint64_t)(*s - '0')) > UINT32_MAX)
            return NULL;
    return s;
}

dsp_status dsp_layers_parse(bool *flags, uint32_t n, const char *text, dsp_err *err)
{
    memset(flags, 0, n * sizeof *flags);
    for (const char *s = text;;) {
        uint64_t    a, b;
        const char *e = index_at(&a, skip_blanks(s));
        if (!e)
            return dsp_fail(err, DSP_E_ARG, "layers \"%s\": a number expected at character %zu", text, (size_t)(skip_blanks(s) - text) + 1);
        b = a;
        e = skip_blanks(e);
        if (*e == '-') {
            const char *at = skip_blanks(e + 1);
            e = index_at(&b, at);
            if (!e)
                return dsp_fail(err, DSP_E_ARG, "layers \"%s\": a number expected after '-' at character %zu", text, (size_t)(at - text) + 1);
            e = skip_blanks(e);
        }
        if (a > b)
            return dsp_fail(err, DSP_E_ARG, "layers \"%s\": %ju-%ju runs backwards", text, (uintmax_t)a, (uintmax_t)b);
        if (b >= n)
            return dsp_fail(err, DSP_E_ARG, "layers \"%s\": segment %ju does not exist, there are %u (0-%u)", text, (uintmax_t)b, n, n ? n - 1 : 0);
        for (uint64_t i = a; i <= b; i++)
            flags[i] = true;
        if (*e == 0)
            return DSP_OK;
        if (*e != ',')
            return dsp_fail(err, DSP_E_ARG, "layers \"%s\": ',' expected at character %zu", text, (size_t)(e - text) + 1);
        s = e + 1;
    }
}
