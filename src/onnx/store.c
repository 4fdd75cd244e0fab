/* The slices folder: segment files and metadata.json, written and read back. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "format/json_scan.h"
#include "onnx/internal.h"
#include "onnx/meta.h"
#include "onnx/segment.h"

enum { MAX_METADATA_BYTES = 1 << 28, MAX_SEGMENTS = 16384, MAX_FOLDER_DEPTH = 32 };
static const uint64_t max_metadata_tree = (uint64_t)26 << 20; /* memory for the parsed JSON, besides once its text */

/* ---- metadata.json ---- */

static dsp_status save_json(const char *path, json_t *j, dsp_err *err)
{
    char *s = j ? json_dumps(j, JSON_INDENT(4)) : NULL;
    if (!s)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory", path);
    const size_t n = strlen(s);
    char        *line = dsp_realloc(NULL, n + 2, 1);
    dsp_status   r = line ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "%s: no memory", path);
    if (line) {
        memcpy(line, s, n);
        line[n] = '\n';
        r = dsp_file_write(path, line, n + 1, 0644, err);
    }
    dsp_free(line);
    free(s);
    return r;
}

static dsp_status bad(dsp_err *err, const char *what) { return dsp_fail(err, DSP_E_FORMAT, "metadata.json: %s", what); }

/* Relative, going up first if at all: "../model.onnx". */
static bool model_path_ok(const char *s)
{
    while (!strncmp(s, "../", 3))
        s += 3;
    return dsp_path_is_safe(s);
}

static dsp_status read_dims(dsp_slices *s, const json_t *dims, dsp_err *err)
{
    const char *name;
    json_t     *v;
    if (!json_is_object(dims))
        return bad(err, "\"dims\" is no object");
    s->binds = DSP_ARENA_N(s->arena, dsp_dim_bind, json_object_size(dims));
    if (!s->binds)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    json_object_foreach((json_t *)(uintptr_t)dims, name, v) {
        char *copy = dsp_arena_strdup(s->arena, name);
        if (!json_is_integer(v) || json_integer_value(v) < 1)
            return bad(err, "\"dims\" holds something else than numbers of at least 1");
        if (!copy)
            return dsp_fail(err, DSP_E_NOMEM, "no memory");
        s->binds[s->n_binds++] = (dsp_dim_bind){copy, json_integer_value(v)};
    }
    return DSP_OK;
}

static char *keep_joined(dsp_arena *a, const char *dir, const char *path)
{
    char *joined = dsp_path_join(dir, path), *kept = joined ? dsp_arena_strdup(a, joined) : NULL;
    dsp_free(joined);
    return kept;
}

static dsp_status read_segments(dsp_slices *s, const char *dir, const json_t *points, const json_t *segments, dsp_err *err)
{
    const size_t n = json_array_size(segments);
    if (!n || n > MAX_SEGMENTS || json_array_size(points) != n)
        return bad(err, "\"segments\" and \"slice_points\" of equal length, at least 1, expected");
    s->n_segments = (uint32_t)n;
    s->n_cuts = n - 1;
    s->cuts = DSP_ARENA_N(s->arena, uint32_t, n);
    s->segment_digest = DSP_ARENA_N(s->arena, dsp_digest, n);
    s->segment_path = DSP_ARENA_N(s->arena, char *, n);
    s->has_data = DSP_ARENA_N(s->arena, bool, n);
    s->data_digest = DSP_ARENA_N(s->arena, dsp_digest, n);
    if (!s->has_data || !s->data_digest || !s->cuts || !s->segment_digest || !s->segment_path)
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    json_int_t before = -1;
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(points, i), *o = json_array_get(segments, i), *index = json_object_get(o, "index");
        const json_int_t at = json_integer_value(p);
        if (!json_is_integer(p) || at <= before || at > INT32_MAX || (i == 0 && at != 0))
            return bad(err, "\"slice_points\" is not an increasing list of node numbers from 0");
        before = at;
        if (i)
            s->cuts[i - 1] = (uint32_t)at;
        const char *path = json_string_value(json_object_get(o, "relative_path")), *digest = json_string_value(json_object_get(o, "sha256"));
        if (!json_is_integer(index) || json_integer_value(index) != (json_int_t)i)
            return dsp_fail(err, DSP_E_FORMAT, "metadata.json: segment %zu: \"index\" is not %zu", i, i);
        if (!path || !dsp_path_is_safe(path))
            return dsp_fail(err, DSP_E_FORMAT, "metadata.json: segment %zu: \"relative_path\" is not a path inside the slices folder", i);
        if (!digest || !dsp_digest_unhex(&s->segment_digest[i], digest))
            return dsp_fail(err, DSP_E_FORMAT, "metadata.json: segment %zu: \"sha256\" is not 64 hexadecimal digits", i);
        const json_t *data = json_object_get(o, "data_sha256");
        if (data && (!json_is_string(data) || !dsp_digest_unhex(&s->data_digest[i], json_string_value(data))))
            return dsp_fail(err, DSP_E_FORMAT, "metadata.json: segment %zu: \"data_sha256\" is not 64 hexadecimal digits", i);
        s->has_data[i] = data != NULL;
        if (!(s->segment_path[i] = keep_joined(s->arena, dir, path)))
            return dsp_fail(err, DSP_E_NOMEM, "no memory");
    }
    return DSP_OK;
}

static dsp_status read_slices(dsp_slices *s, const char *dir, const json_t *j, dsp_err *err)
{
    const char   *model = json_string_value(json_object_get(j, "original_model"));
    const char   *digest = json_string_value(json_object_get(j, "original_model_sha256"));
    const json_t *version = json_object_get(j, "format_version");
    if (!json_is_object(j))
        return bad(err, "no JSON object");
    if (!json_is_integer(version))
        return bad(err, "no \"format_version\": slice the model again with this program");
    if (json_integer_value(version) != DSP_SLICES_FORMAT)
        return dsp_fail(err, DSP_E_UNSUPPORTED, "metadata.json: format version %d expected, %jd found", DSP_SLICES_FORMAT,
                        (intmax_t)json_integer_value(version));
    if (!model || !model_path_ok(model))
        return bad(err, "\"original_model\" is not a relative path");
    if (!digest || !dsp_digest_unhex(&s->model_digest, digest))
        return bad(err, "\"original_model_sha256\" is not 64 hexadecimal digits");
    if (!(s->model_path = keep_joined(s->arena, dir, model)))
        return dsp_fail(err, DSP_E_NOMEM, "no memory");
    const dsp_status r = read_dims(s, json_object_get(j, "dims"), err);
    return r == DSP_OK ? read_segments(s, dir, json_object_get(j, "slice_points"), json_object_get(j, "segments"), err) : r;
}

dsp_status dsp_slices_load(dsp_slices **out, const char *dir, dsp_err *err)
{
    *out = NULL;
    uint8_t    *data = NULL;
    size_t      len;
    json_t     *j = NULL;
    char       *path = dsp_path_join(dir, "metadata.json");
    dsp_slices *s = DSP_NEW(dsp_slices);
    dsp_status  r = DSP_E_NOMEM;
    if (!path || !s || !(s->arena = dsp_arena_create(0))) {
        r = dsp_fail(err, DSP_E_NOMEM, "no memory");
        goto done;
    }
    r = dsp_file_read(&data, &len, path, MAX_METADATA_BYTES, err);
    if (r != DSP_OK)
        goto done;
    if ((r = dsp_json_scan(data, len, max_metadata_tree + len, path, err)) != DSP_OK)
        goto done;
    json_error_t e;
    j = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, &e);
    r = j ? read_slices(s, dir, j, err) : dsp_fail(err, DSP_E_FORMAT, "metadata.json: line %d: %s", e.line, e.text);
    if (r != DSP_OK)
        r = dsp_context(err, r, "%s", dir);
done:
    json_decref(j);
    dsp_free(data);
    dsp_free(path);
    if (r != DSP_OK) {
        dsp_slices_free(s);
        return r;
    }
    *out = s;
    return DSP_OK;
}

void dsp_slices_free(dsp_slices *s)
{
    if (!s)
        return;
    dsp_arena_free(s->arena);
    dsp_free(s);
}

dsp_status dsp_slices_check_data(const dsp_slices *s, uint32_t i, dsp_err *err)
{
    dsp_digest d;
    if (!s->has_data[i])
        return DSP_OK;
    const dsp_status r = dsp_graph_digest(&d, s->segment_path[i], err);
    if (r != DSP_OK)
        return r;
    return dsp_digest_eq(&d, &s->data_digest[i])
               ? DSP_OK
               : dsp_fail(err, DSP_E_FORMAT, "%s: the weights beside it changed since the model was sliced; slice it again", s->segment_path[i]);
}

/* ---- the folder ---- */

/* i of "segment_<i>", written in the one way we write it; DSP_NONE otherwise. */
static uint32_t segment_number(const char *name)
{
    uint64_t v = 0;
    if (strncmp(name, "segment_", 8) != 0 || !name[8] || (name[8] == '0' && name[9]))
        return DSP_NONE;
    for (const char *c = name + 8; *c; c++) {
        if (*c < '0' || *c > '9' || v > INT32_MAX)
            return DSP_NONE;
        v = 10 * v + (uint64_t)(*c - '0');
    }
    return v < INT32_MAX ? (uint32_t)v : DSP_NONE;
}

/* Removes name in the folder fd, with all below it; symbolic links are removed, not followed. */
static bool remove_tree(int fd, const char *name, unsigned depth)
{
    if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
        return true;
    const int sub = depth < MAX_FOLDER_DEPTH ? openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (sub < 0)
        return false;
    DIR *d = fdopendir(sub);
    if (!d) {
        close(sub);
        return false;
    }
    bool ok = true;
    for (const struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ok &= remove_tree(sub, e->d_name, depth + 1);
    closedir(d);
    return ok && unlinkat(fd, name, AT_REMOVEDIR) == 0;
}

/* Walks the segment_* entries of dir: refuses those an earlier slicing did not list (listed: how many it had), or, with remove, removes
 * those at or above keep. */
static dsp_status sweep(const char *dir, uint32_t listed, uint32_t keep, bool force, bool remove, dsp_err *err)
{
    DIR *d = opendir(dir);
    if (!d)
        return errno == ENOENT ? DSP_OK : dsp_fail(err, DSP_E_IO, "%s: cannot open: %s", dir, strerror(errno));
    dsp_status r = DSP_OK;
    for (const struct dirent *e; r == DSP_OK && (e = readdir(d));) {
        const uint32_t i = segment_number(e->d_name);
        if (strncmp(e->d_name, "segment_", 8) != 0)
            continue;
        if (!remove && !force && (i == DSP_NONE || i >= listed))
            r = dsp_fail(err, DSP_E_ARG, "%s: %s is not listed in this folder's metadata.json; use --force, or another folder", dir, e->d_name);
        if (remove && i != DSP_NONE && i >= keep && !remove_tree(dirfd(d), e->d_name, 0))
            r = dsp_fail(err, DSP_E_IO, "%s: cannot remove %s: %s", dir, e->d_name, strerror(errno));
    }
    closedir(d);
    return r;
}

static dsp_status write_segment(dsp_plan *p, uint32_t i, const char *dir, bool *made, dsp_err *err)
{
    uint8_t   *data = NULL;
    size_t     len;
    char      *path = dsp_path_join(dir, p->segments[i].path), *folder = path ? dsp_path_dir(path) : NULL;
    dsp_status r = folder ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory");
    if (r == DSP_OK)
        r = dsp_segment_pack(&data, &len, p, i, DSP_DATA_BY_SEGMENT, err);
    if (r == DSP_OK) {
        p->segments[i].sha256 = dsp_sha256(data, len);
        *made = !dsp_dir_exists(folder);
        r = dsp_mkdirs(folder, err);
    }
    if (r == DSP_OK)
        r = dsp_share_write(p, i, dir, data, len, err);
    if (r == DSP_OK)
        r = dsp_file_write_fast(path, data, len, 0644, err);
    dsp_free(data);
    dsp_free(path);
    dsp_free(folder);
    return r;
}

dsp_status dsp_plan_write(dsp_plan *p, const char *dir, const char *model_path, bool force, dsp_err *err)
{
    const bool  new_dir = !dsp_dir_exists(dir);
    char       *meta = dsp_path_join(dir, "metadata.json"), *model = NULL;
    uint8_t    *made = DSP_NEW_N(uint8_t, p->n_segments);
    dsp_slices *old = NULL;
    json_t     *j = NULL;
    uint32_t    listed = 0, written = 0;
    dsp_status  r = meta && made ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory");
    if (r != DSP_OK)
        goto done;
    if (dsp_slices_load(&old, dir, NULL) == DSP_OK)
        listed = old->n_segments;
    r = sweep(dir, listed, 0, force, false, err);
    if (r == DSP_OK)
        r = dsp_mkdirs(dir, err);
    if (r == DSP_OK && !(model = dsp_path_relative(dir, model_path ? model_path : dsp_model_of(p->g)->path)))
        r = dsp_fail(err, DSP_E_IO, "%s: no relative path from %s", model_path ? model_path : dsp_model_of(p->g)->path, dir);
    for (; written < p->n_segments && r == DSP_OK; written++) {
        bool fresh = false;
        r = write_segment(p, written, dir, &fresh, err);
        made[written] = fresh;
    }
    if (r == DSP_OK && !(j = dsp_meta_slices(p, model)))
        r = dsp_fail(err, DSP_E_NOMEM, "no memory for metadata.json");
    if (r == DSP_OK)
        r = save_json(meta, j, err);
    if (r == DSP_OK)
        r = sweep(dir, listed, p->n_segments, force, true, err);
    if (r != DSP_OK && j == NULL) { /* nothing names what was written so far */
        const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (uint32_t i = 0; fd >= 0 && i < written; i++) {
            char name[32];
            snprintf(name, sizeof name, "segment_%u", i);
            if (made[i])
                remove_tree(fd, name, 0);
        }
        if (fd >= 0)
            close(fd);
        if (new_dir)
            rmdir(dir);
    }
done:
    json_decref(j);
    dsp_slices_free(old);
    dsp_free(made);
    dsp_free(model);
    dsp_free(meta);
    return r;
}

dsp_status dsp_analysis_write(const dsp_graph *g, const dsp_plan *p, const char *path, dsp_err *err)
{
    char      *dir = dsp_path_dir(path), *model = NULL;
    json_t    *j = NULL;
    dsp_status r = dir ? dsp_mkdirs(dir, err) : dsp_fail(err, DSP_E_NOMEM, "no memory");
    if (r == DSP_OK && !(model = dsp_path_relative(dir, dsp_model_of(g)->path)))
        r = dsp_fail(err, DSP_E_IO, "%s: no relative path from %s", dsp_model_of(g)->path, dir);
    if (r == DSP_OK && !(j = dsp_meta_analysis(g, p, model)))
        r = dsp_fail(err, DSP_E_NOMEM, "%s: no memory", path);
    if (r == DSP_OK)
        r = save_json(path, j, err);
    json_decref(j);
    dsp_free(model);
    dsp_free(dir);
    return r;
}
