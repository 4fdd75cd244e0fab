#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

dsp_status dsp_file_read(uint8_t **data, size_t *len, const char *path, size_t max_bytes, dsp_err *err)
{
    *data = NULL;
    *len = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused below, not waited for */
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? dsp_fail(err, DSP_E_MISSING, "%s: no such file", path)
                   : dsp_fail(err, DSP_E_IO, "%s: cannot open: %s", path, strerror(errno));
    struct stat st;
    dsp_status  s = DSP_OK;
    uint8_t    *p = NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        s = dsp_fail(err, DSP_E_IO, "%s: not a regular file", path);
        goto done;
    }
    if (st.st_size < 0 || (uintmax_t)st.st_size > max_bytes) {
        s = dsp_fail(err, DSP_E_LIMIT, "%s: at most %zu bytes expected, %jd found", path, max_bytes, (intmax_t)st.st_size);
        goto done;
    }
    const size_t n = (size_t)st.st_size;
    p = n < SIZE_MAX ? dsp_realloc(NULL, n + 1, 1) : NULL;
    if (!p) {
        s = dsp_fail(err, DSP_E_NOMEM, "%s: no memory for %zu bytes", path, n);
        goto done;
    }
    size_t at = 0;
    while (at < n) {
        const ssize_t k = read(fd, p + at, n - at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            s = dsp_fail(err, DSP_E_IO, "%s: %zu bytes expected, reading stopped at %zu", path, n, at);
            goto done;
        }
        at += (size_t)k;
    }
    p[n] = 0;
    *data = p;
    *len = n;
    p = NULL;
done:
    dsp_free(p);
    close(fd);
    return s;
}

static dsp_status write_file(const char *path, const void *data, size_t len, unsigned mode, bool flush, dsp_err *err)
{
    const size_t n = strlen(path);
    char        *tmp = dsp_calloc(n + 16, 1), *dir = NULL;
    int          fd = -1;
    dsp_status   s = DSP_OK;
    if (!tmp)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for a file name", path);
    snprintf(tmp, n + 16, "%s.tmpXXXXXX", path);
    fd = mkstemp(tmp);
    if (fd < 0) {
        s = dsp_fail(err, DSP_E_IO, "%s: cannot create: %s", path, strerror(errno));
        dsp_free(tmp);
        return s;
    }
    size_t at = 0;
    while (at < len) {
        const ssize_t k = write(fd, (const char *)data + at, len - at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            s = dsp_fail(err, DSP_E_IO, "%s: cannot write: %s", path, strerror(errno));
            goto done;
        }
        at += (size_t)k;
    }
    if (fchmod(fd, (mode_t)mode) != 0 || (flush && fsync(fd) != 0)) {
        s = dsp_fail(err, DSP_E_IO, "%s: cannot flush: %s", path, strerror(errno));
        goto done;
    }
    if (close(fd) != 0) {
        fd = -1;
        s = dsp_fail(err, DSP_E_IO, "%s: cannot close: %s", path, strerror(errno));
        goto done;
    }
    fd = -1;
    if (rename(tmp, path) != 0) {
        s = dsp_fail(err, DSP_E_IO, "%s: cannot rename: %s", path, strerror(errno));
        goto done;
    }
    if (flush && (dir = dsp_path_dir(path)) != NULL) {
        const int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (d >= 0) {
            (void)fsync(d);
            close(d);
        }
    }
done:
    if (fd >= 0)
        close(fd);
    if (s != DSP_OK)
        unlink(tmp);
    dsp_free(dir);
    dsp_free(tmp);
    return s;
}

dsp_status dsp_file_write(const char *path, const void *data, size_t len, unsigned mode, dsp_err *err)
{
    return write_file(path, data, len, mode, true, err);
}

dsp_status dsp_file_write_fast(const char *path, const void *data, size_t len, unsigned mode, dsp_err *err)
{
    return write_file(path, data, len, mode, false, err);
}

bool dsp_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool dsp_dir_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

dsp_status dsp_mkdirs(const char *path, dsp_err *err)
{
    char *p = dsp_strdup(path);
    if (!p)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for a folder name", path);
    dsp_status s = DSP_OK;
    for (char *q = p + 1; s == DSP_OK; q++) {
        if (*q != '/' && *q != 0)
            continue;
        const char c = *q;
        *q = 0;
        if (mkdir(p, 0777) != 0 && !(errno == EEXIST && dsp_dir_exists(p)))
            s = dsp_fail(err, DSP_E_IO, "%s: cannot create folder: %s", p, strerror(errno));
        *q = c;
        if (c == 0)
            break;
    }
    dsp_free(p);
    return s;
}

char *dsp_path_join(const char *a, const char *b)
{
    if (*a == 0 || *b == '/')
        return dsp_strdup(b);
    const size_t n = strlen(a), m = strlen(b);
    char        *r = dsp_calloc(n + m + 2, 1);
    if (r)
        snprintf(r, n + m + 2, "%s%s%s", a, a[n - 1] == '/' ? "" : "/", b);
    return r;
}

char *dsp_path_dir(const char *path)
{
    const char *s = strrchr(path, '/');
    if (!s)
        return dsp_strdup(".");
    char *r = dsp_strdup(path);
    if (r)
        r[s == path ? 1 : s - path] = 0;
    return r;
}

const char *dsp_path_base(const char *path)
{
    const char *s = strrchr(path, '/');
    return s ? s + 1 : path;
}

bool dsp_path_is_safe(const char *path)
{
    if (*path == 0 || *path == '/' || strchr(path, '\\'))
        return false;
    for (const char *p = path; *p;) {
        const char  *e = strchr(p, '/');
        const size_t n = e ? (size_t)(e - p) : strlen(p);
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n;
        if (*p == '/' && *++p == 0)
            return false;
    }
    return true;
}
