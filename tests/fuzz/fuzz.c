#include "fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash/hash.h"

void fuzz_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

/* ---- files ---- */

static char folder[128];

static void remove_below(const char *dir)
{
    char path[512];
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (const struct dirent *e; (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        snprintf(path, sizeof path, "%.200s/%.255s", dir, e->d_name);
        if (unlink(path) != 0)
            remove_below(path);
    }
    closedir(d);
    rmdir(dir);
}

static void clean(void) { remove_below(folder); }

const char *fuzz_dir(void)
{
    static const char *const roots[] = {"/dev/shm", "/tmp", "."};
    for (size_t i = 0; !*folder && i < sizeof roots / sizeof *roots; i++) {
        snprintf(folder, sizeof folder, "%s/dsperse-fuzz-XXXXXX", roots[i]);
        if (!mkdtemp(folder))
            *folder = 0;
        else
            atexit(clean);
    }
    FUZZ_CHECK(*folder);
    return folder;
}

const char *fuzz_file(const char *name, const void *p, size_t n)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", fuzz_dir(), name);
    for (char *c = path + strlen(folder) + 1; (c = strchr(c, '/')); c++) {
        *c = 0;
        mkdir(path, 0700);
        *c = '/';
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0);
    for (size_t at = 0; at < n;) {
        const ssize_t k = write(fd, (const char *)p + at, n - at);
        FUZZ_CHECK(k > 0);
        at += (size_t)k;
    }
    close(fd);
    return path;
}

uint8_t *fuzz_source(const char *rel, size_t *n)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", DSP_SOURCE_DIR, rel);
    FILE *f = fopen(path, "rb");
    FUZZ_CHECK(f);
    FUZZ_CHECK(fseek(f, 0, SEEK_END) == 0);
    const long len = ftell(f);
    FUZZ_CHECK(len >= 0 && fseek(f, 0, SEEK_SET) == 0);
    uint8_t *p = malloc((size_t)len + 1);
    FUZZ_CHECK(p && fread(p, 1, (size_t)len, f) == (size_t)len);
    fclose(f);
    *n = (size_t)len;
    return p;
}

uint8_t *fuzz_seal(const uint8_t *p, size_t n)
{
    uint8_t *q = malloc(n + 1);
    FUZZ_CHECK(q && n >= 32);
    memcpy(q, p, n - 32);
    const dsp_digest d = dsp_sha256(q, n - 32);
    memcpy(q + n - 32, d.b, 32);
    return q;
}

/* ---- one input ---- */

dsp_status fuzz_twice(const uint8_t *p, size_t n, dsp_err *err)
{
    dsp_err          second = {DSP_OK, ""};
    *err = second;
    const dsp_status a = fuzz_one(p, n, err), b = fuzz_one(p, n, &second);
    FUZZ_CHECK(a == b && strcmp(err->msg, second.msg) == 0);
    FUZZ_CHECK(a == DSP_OK || *err->msg);
    FUZZ_CHECK(a != DSP_E_BUG);
    return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    dsp_err err;
    fuzz_twice(p, n, &err);
    return 0;
}
