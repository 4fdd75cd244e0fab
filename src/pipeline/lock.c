#include "pipeline/lock.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "pipeline/paths.h"

/* The holder's line, without what would spoil a message. */
static void read_holder(char *out, size_t cap, int fd)
{
    const ssize_t n = pread(fd, out, cap - 1, 0);
    size_t        k = 0;
    out[n > 0 ? n : 0] = 0;
    while (isprint((unsigned char)out[k]))
        k++;
    out[k] = 0;
}

static void write_holder(int fd, const char *what)
{
    char now[32], line[128];
    dsp_utc_now(now);
    const int n = snprintf(line, sizeof line, "%.40s, process %ld, since %.19sZ\n", what, (long)getpid(), now);
    /* A message without a name is all that is lost when this fails. A reader stops at the line's end. */
    if (n > 0 && pwrite(fd, line, (size_t)n, 0) == n && ftruncate(fd, n) != 0)
        return;
}

static bool locked(int fd, int how)
{
    int r;
    while ((r = flock(fd, how)) != 0 && errno == EINTR)
        ;
    return r == 0;
}

/* Whether the descriptor is still the file of that name: a holder removes it before it lets go. */
static bool same_file(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static dsp_status take(dsp_lock *l, const char *dir, const char *what, dsp_lock_kind kind, dsp_err *err)
{
    const bool shared = kind == DSP_LOCK_READ || kind == DSP_LOCK_JOIN, wait = kind == DSP_LOCK_WAIT || kind == DSP_LOCK_JOIN;
    const int  how = (shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB);
    char       holder[128];
    for (;;) {
        l->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (l->fd < 0 && shared && (errno == EROFS || errno == EACCES || errno == EPERM))
            return DSP_OK;
        if (l->fd < 0)
            return dsp_fail(err, DSP_E_IO, "%s: cannot lock: %s", l->path, strerror(errno));
        if (!locked(l->fd, how)) {
            const bool busy = errno == EWOULDBLOCK;
            const int  e = errno;
            read_holder(holder, sizeof holder, l->fd);
            close(l->fd);
            l->fd = -1;
            return busy ? dsp_fail(err, DSP_E_IO, "%s: in use (%s); try again when that has ended", dir, *holder ? holder : "another process")
                        : dsp_fail(err, DSP_E_IO, "%s: cannot lock: %s", l->path, strerror(e));
        }
        if (same_file(l->fd, l->path))
            break;
        close(l->fd);
    }
    if (!shared) {
        read_holder(holder, sizeof holder, l->fd);
        holder[strcspn(holder, ",")] = 0;
        snprintf(l->left, sizeof l->left, "%.63s", holder);
    }
    write_holder(l->fd, what);
    return DSP_OK;
}

dsp_status dsp_lock_take(dsp_lock *l, const char *dir, const char *what, dsp_lock_kind kind, dsp_err *err)
{
    *l = DSP_LOCK_NONE;
    l->path = dsp_path_join(dir, DSP_LOCK_FILE);
    const dsp_status s = l->path ? take(l, dir, what, kind, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    if (s != DSP_OK)
        dsp_lock_release(l);
    return s;
}

bool dsp_lock_try(dsp_lock *l, const char *dir, const char *what) { return dsp_lock_take(l, dir, what, DSP_LOCK_WRITE, NULL) == DSP_OK; }

dsp_status dsp_lock_share(dsp_lock *l, dsp_err *err)
{
    return l->fd < 0 || locked(l->fd, LOCK_SH) ? DSP_OK : dsp_fail(err, DSP_E_IO, "%s: cannot lock: %s", l->path, strerror(errno));
}

void dsp_lock_release(dsp_lock *l)
{
    if (l->fd >= 0) {
        /* The last one removes the file, while nobody else can hold it. */
        if (locked(l->fd, LOCK_EX | LOCK_NB) && same_file(l->fd, l->path))
            unlink(l->path);
        close(l->fd);
    }
    dsp_free(l->path);
    *l = DSP_LOCK_NONE;
}

void dsp_lock_leave(dsp_lock *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    dsp_lock_release(l);
}

/* ---- temporary files ---- */

static bool is_temporary(const char *name, const char *stem)
{
    const size_t n = strlen(name);
    if (n < 11 || memcmp(name + n - 10, ".tmp", 4) != 0)
        return false;
    for (size_t i = n - 6; i < n; i++)
        if (!isalnum((unsigned char)name[i]))
            return false;
    return !stem || (strlen(stem) == n - 10 && memcmp(stem, name, n - 10) == 0);
}

static void sweep(int fd, const char *stem, unsigned depth)
{
    DIR        *d = fdopendir(fd);
    struct stat st;
    if (!d) {
        close(fd);
        return;
    }
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(st.st_mode) && is_temporary(e->d_name, stem))
            unlinkat(fd, e->d_name, 0);
        if (S_ISDIR(st.st_mode) && depth) {
            const int sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (sub >= 0)
                sweep(sub, stem, depth - 1);
        }
    }
    closedir(d);
}

void dsp_sweep_temporaries(const char *dir, const char *stem, unsigned depth)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        sweep(fd, stem, depth);
}
