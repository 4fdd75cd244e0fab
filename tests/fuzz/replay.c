/* A harness over the files of its corpus folder, as a unit test: replay FOLDER.
 *
 * FOLDER/index.txt names every file with one sentence, a tab between. The beginning of a name is the verdict: good- is accepted,
 * unsupported- is refused as DSP_E_UNSUPPORTED, bad- is refused for another reason. Two endings have a meaning:
 *   .gen   text: lines of COUNT, a blank, and bytes (escapes \xHH \n \t \\) to be repeated COUNT times; the input is all of them in a row.
 *          A line "sha256" appends the digest of what stands before (without its first byte, the harness's flags).
 *   .pack  inputs found by fuzzing, any verdict: u32 length and bytes, again and again.
 * Every input, and every good file cut short at a few places, must use less than 64 MiB + 4 times its size until it is refused; the heap is counted where
 * the C library allows it.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "hash/hash.h"

/* ---- the heap, counted ---- */

#if defined(__SANITIZE_ADDRESS__)
#define COUNTED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define COUNTED 0
#endif
#endif
#if !defined(COUNTED) && defined(__GLIBC__)
#define COUNTED 1
#endif
#ifndef COUNTED
#define COUNTED 0
#endif

static size_t held, most;

#if COUNTED
#include <errno.h>
#include <malloc.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void  __libc_free(void *p);

static void *took(void *p)
{
    held += p ? malloc_usable_size(p) : 0;
    most = held > most ? held : most;
    return p;
}
static void gave(void *p) { held -= p ? malloc_usable_size(p) : 0; }

void *malloc(size_t n) { return took(__libc_malloc(n)); }
void *calloc(size_t n, size_t size) { return took(__libc_calloc(n, size)); }
void *memalign(size_t align, size_t n) { return took(__libc_memalign(align, n)); }
void *aligned_alloc(size_t align, size_t n) { return took(__libc_memalign(align, n)); }
int   posix_memalign(void **p, size_t align, size_t n) { return (*p = took(__libc_memalign(align, n))) ? 0 : ENOMEM; }
void  free(void *p)
{
    gave(p);
    __libc_free(p);
}
/* Old and new count together while one is copied to the other. */
void *realloc(void *p, size_t n)
{
    const size_t before = p ? malloc_usable_size(p) : 0;
    void        *q = __libc_realloc(p, n);
    if (!q && n)
        return NULL;
    took(q);
    held -= before;
    return q;
}
#endif

/* ---- inputs ---- */

typedef struct { uint8_t *p; size_t n, cap; } bytes;

static void append(bytes *b, const void *p, size_t n)
{
    if (n > b->cap - b->n) {
        b->cap = 2 * (b->n + n) + 64;
        FUZZ_CHECK((b->p = realloc(b->p, b->cap)));
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static bytes load(const char *path)
{
    bytes  b = {0};
    char   part[4096];
    FILE  *f = fopen(path, "rb");
    size_t k;
    FUZZ_CHECK(f);
    while ((k = fread(part, 1, sizeof part, f)) > 0)
        append(&b, part, k);
    fclose(f);
    append(&b, "", 1);
    b.n--;
    return b;
}

static unsigned hex_digit(char c) { return (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10); }

/* Expands a .gen file. */
static bytes expand(const bytes *text)
{
    bytes out = {0}, unit = {0};
    char *s = (char *)text->p, *end = s + text->n;
    while (s < end) {
        char *line = s, *stop = memchr(s, '\n', (size_t)(end - s));
        stop = stop ? stop : end;
        s = stop + 1;
        if (stop - line == 6 && !memcmp(line, "sha256", 6)) {
            FUZZ_CHECK(out.n > 0);
            const dsp_digest d = dsp_sha256(out.p + 1, out.n - 1);
            append(&out, d.b, 32);
            continue;
        }
        unsigned long count = strtoul(line, &line, 10);
        FUZZ_CHECK(*line == ' ');
        unit.n = 0;
        for (line++; line < stop; line++) {
            char c = *line;
            if (c == '\\') {
                c = *++line;
                if (c == 'x') {
                    c = (char)(hex_digit(line[1]) << 4 | hex_digit(line[2]));
                    line += 2;
                } else {
                    c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
                }
            }
            append(&unit, &c, 1);
        }
        while (count--)
            append(&out, unit.p, unit.n);
    }
    free(unit.p);
    append(&out, "", 1);
    out.n--;
    return out;
}

/* ---- replay ---- */

static size_t n_files, n_inputs, worst;

static dsp_status run(const uint8_t *p, size_t n, const char *name, dsp_err *err)
{
    const size_t base = most = held;
    fuzz_dir();
    const dsp_status s = fuzz_twice(p, n, err);
    const size_t     used = most - base, fair = ((size_t)64 << 20) + (fuzz_by_path ? 4 : 3) * n;
    worst = used > worst ? used : worst;
    n_inputs++;
    if (s != DSP_OK && used > fair) {
        fprintf(stderr, "%s: %zu bytes: %zu bytes of memory before it was refused, at most %zu expected (%s)\n", name, n, used, fair, err->msg);
        exit(1);
    }
    return s;
}

static void replay(const char *dir, const char *name)
{
    char        path[1024];
    dsp_err     err;
    const char *dot = strrchr(name, '.');
    snprintf(path, sizeof path, "%s/%s", dir, name);
    bytes b = load(path);
    n_files++;
    if (dot && !strcmp(dot, ".pack")) {
        for (size_t at = 0; at < b.n;) {
            FUZZ_CHECK(b.n - at >= 4);
            const size_t n = b.p[at] | (size_t)b.p[at + 1] << 8 | (size_t)b.p[at + 2] << 16 | (size_t)b.p[at + 3] << 24;
            FUZZ_CHECK(n <= b.n - at - 4);
            uint8_t *exact = malloc(n ? n : 1);   /* a piece of its own, so that a sanitizer sees its end */
            FUZZ_CHECK(exact);
            memcpy(exact, b.p + at + 4, n);
            run(exact, n, name, &err);
            free(exact);
            at += 4 + n;
        }
        free(b.p);
        return;
    }
    const bool made = dot && !strcmp(dot, ".gen");
    if (made) {
        const bytes e = expand(&b);
        free(b.p);
        b = e;
    }
    const dsp_status s = run(b.p, b.n, name, &err);
    const bool       good = !strncmp(name, "good-", 5), bad = !strncmp(name, "bad-", 4), unsupported = !strncmp(name, "unsupported-", 12);
    FUZZ_CHECK(good || bad || unsupported);
    if ((s == DSP_OK) != good || (s == DSP_E_UNSUPPORTED) != unsupported || s == DSP_E_NOMEM || s == DSP_E_IO) {
        fprintf(stderr, "%s: %s: %s\n", path, dsp_status_name(s), s == DSP_OK ? "accepted" : err.msg);
        exit(1);
    }
    for (size_t k = 1; good && !made && k < 32; k++)
        run(b.p, b.n * k / 32, name, &err);
    free(b.p);
}

static int has_line(const bytes *index, const char *name)
{
    const size_t n = strlen(name);
    for (const char *s = (const char *)index->p; *s;) {
        const char *stop = strchr(s, '\n');
        if (!strncmp(s, name, n) && s[n] == '\t' && stop && stop - s > (ptrdiff_t)n + 5)
            return 1;
        s = stop ? stop + 1 : s + strlen(s);
    }
    return 0;
}

int main(int argc, char **argv)
{
    FUZZ_CHECK(argc == 2);
    char path[1024];
    snprintf(path, sizeof path, "%s/index.txt", argv[1]);
    const bytes index = load(path);
    size_t      lines = 0;
    for (size_t i = 0; i < index.n; i++)
        lines += index.p[i] == '\n';
    DIR *d = opendir(argv[1]);
    FUZZ_CHECK(d);
    for (const struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.' || !strcmp(e->d_name, "index.txt"))
            continue;
        if (!has_line(&index, e->d_name)) {
            fprintf(stderr, "%s: index.txt has no sentence about %s\n", argv[1], e->d_name);
            return 1;
        }
        replay(argv[1], e->d_name);
    }
    closedir(d);
    free(index.p);
    if (lines != n_files || n_files == 0) {
        fprintf(stderr, "%s: %zu files, %zu lines in index.txt\n", argv[1], n_files, lines);
        return 1;
    }
    printf("%s: %zu files, %zu inputs, %s %zu KiB of heap at most\n", argv[1], n_files, n_inputs, COUNTED ? "" : "not counted:", worst >> 10);
    return 0;
}
