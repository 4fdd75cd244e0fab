/* Weights beside a segment's file: the original's data files, there without a second copy of their bytes where that can be had.
 *
 * Readers of ONNX files want external data inside the model's folder, and refuse links that lead out of it. A clone (two files, one storage)
 * is what every reader takes; not every file system has it. A hard link is the next best: ONNX Runtime takes it, and so do ONNX checkers but
 * the latest, which want a file with one name. Where neither can be had, as across file systems, the bytes that the segment reads are
 * copied to the offsets they have in the original.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#endif

#include "base/file.h"
#include "onnx/segment.h"

static const char temporary[] = "weights.tmp";

static bool clone(int folder, int from)
{
#ifdef FICLONE
    const int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    const bool ok = ioctl(fd, FICLONE, from) == 0;
    if (close(fd) == 0 && ok)
        return true;
    unlinkat(folder, temporary, 0);
#else
    (void)folder;
    (void)from;
#endif
    return false;
}

/* A second name for the very file that is open as from. */
static bool hard_link(int folder, int from, const char *path)
{
    struct stat a, b;
    if (linkat(AT_FDCWD, path, folder, temporary, 0) != 0)
        return false;
    if (fstat(from, &a) == 0 && fstatat(folder, temporary, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return true;
    unlinkat(folder, temporary, 0);
    return false;
}

static bool write_at(int fd, const uint8_t *p, size_t n, uint64_t at)
{
    while (n) {
        const ssize_t k = pwrite(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
        at += (uint64_t)k;
    }
    return true;
}

static bool copy(int folder, const dsp_graph *g, const dsp_closure *c, uint32_t file)
{
    const int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool      ok = fd >= 0;
    for (uint32_t i = 0; ok && i < c->n_constants; i++) {
        const uint32_t       v = c->constants[i];
        const dsp_data_place at = dsp_model_of(g)->place[v];
        if (dsp_value_shared(g, v) && at.file == file)
            ok = write_at(fd, g->values[v].constant->data, g->values[v].constant->bytes, at.offset);
    }
    if (fd >= 0 && close(fd) != 0)
        ok = false;
    return ok;
}

static dsp_status place_file(int folder, const dsp_graph *g, const dsp_closure *c, uint32_t file, const char *name, dsp_err *err)
{
    const char *location = dsp_model_of(g)->data_file[file].location;
    char       *path = dsp_path_join(g->dir, location);
    const int   from = path ? dsp_open_inside(g->dir, location) : -1;
    dsp_status  r = path ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
    unlinkat(folder, temporary, 0); /* of a run that was cut off */
    if (r == DSP_OK && !(from >= 0 && (clone(folder, from) || hard_link(folder, from, path))) && !copy(folder, g, c, file))
        r = dsp_fail(err, DSP_E_IO, "weights of %s cannot be written: %s", location, strerror(errno));
    /* two names of one file: renaming one to the other does nothing, and the first goes on to be there */
    if (r == DSP_OK && renameat(folder, temporary, folder, name) != 0)
        r = dsp_fail(err, DSP_E_IO, "%s cannot be written: %s", name, strerror(errno));
    unlinkat(folder, temporary, 0);
    if (from >= 0)
        close(from);
    dsp_free(path);
    return r;
}

/* k of "weights_<k>.bin", as written here; DSP_NONE otherwise. */
static uint32_t weights_number(const char *name)
{
    unsigned k;
    char     again[32];
    if (sscanf(name, "weights_%9u.bin", &k) != 1)
        return DSP_NONE;
    snprintf(again, sizeof again, "weights_%u.bin", k);
    return strcmp(again, name) == 0 ? k : DSP_NONE;
}

/* Removes data files that are not needed. fd is taken. */
static void sweep(int fd, const bool *needed, uint32_t n)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return;
    }
    for (const struct dirent *e; (e = readdir(d));) {
        const uint32_t k = weights_number(e->d_name);
        if (k != DSP_NONE && (k >= n || !needed[k]))
            unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
}

dsp_status dsp_share_write(dsp_plan *p, uint32_t segment, const char *dir, const uint8_t *file, size_t len, dsp_err *err)
{
    const dsp_graph  *g = p->g;
    const dsp_model  *m = dsp_model_of(g);
    dsp_segment_plan *s = &p->segments[segment];
    dsp_closure       c;
    char              name[64];
    dsp_sha           sha;
    int               folder = -1;
    char             *path = NULL;
    s->n_data = 0;
    dsp_status r = dsp_closure_find(&c, p, segment, err);
    if (r != DSP_OK)
        return r;
    bool *needed = DSP_ARENA_N(c.arena, bool, m->n_data_files + 1u);
    s->data = DSP_ARENA_N(p->arena, char *, m->n_data_files + 1u);
    snprintf(name, sizeof name, "segment_%u", segment);
    if (!needed || !s->data || !(path = dsp_path_join(dir, name))) {
        r = dsp_fail(err, DSP_E_NOMEM, "no memory");
        goto done;
    }
    dsp_sha_init(&sha);
    dsp_sha_put(&sha, file, len);
    for (uint32_t i = 0; i < c.n_constants; i++)
        if (dsp_value_shared(g, c.constants[i])) {
            needed[m->place[c.constants[i]].file] = true;
            dsp_sha_put(&sha, g->values[c.constants[i]].constant->data, g->values[c.constants[i]].constant->bytes);
        }
    s->data_digest = dsp_sha_digest(&sha);
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        r = dsp_fail(err, DSP_E_IO, "%s: cannot open: %s", path, strerror(errno));
        goto done;
    }
    for (uint32_t k = 0; k < m->n_data_files && r == DSP_OK; k++) {
        if (!needed[k])
            continue;
        snprintf(name, sizeof name, "weights_%u.bin", k);
        if ((r = place_file(folder, g, &c, k, name, err)) != DSP_OK)
            break;
        snprintf(name, sizeof name, "segment_%u/weights_%u.bin", segment, k);
        if (!(s->data[s->n_data++] = dsp_arena_strdup(p->arena, name)))
            r = dsp_fail(err, DSP_E_NOMEM, "no memory");
    }
    if (r == DSP_OK) {
        sweep(folder, needed, m->n_data_files);
        folder = -1;
    }
done:
    if (folder >= 0)
        close(folder);
    dsp_free(path);
    dsp_closure_free(&c);
    return r == DSP_OK ? r : dsp_context(err, r, "segment %u", segment);
}
