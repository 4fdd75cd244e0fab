/* Files: whole-file reading with a size limit, atomic writing (temporary name, flush, rename), folders. */
#ifndef DSP_BASE_FILE_H
#define DSP_BASE_FILE_H

#include <stdbool.h>

#include "dsperse/status.h"

/* Reads a whole regular file of at most max_bytes. *data is the caller's (dsp_free); one NUL follows the
 * bytes, not counted. Fails: DSP_E_MISSING (no such file), DSP_E_LIMIT, DSP_E_IO, DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_file_read(uint8_t **data, size_t *len, const char *path, size_t max_bytes, dsp_err *err);

/* Replaces path by these bytes: written to a temporary name in the same folder, flushed (fsync of file and
 * folder) and renamed, so that path holds the old or the new content whenever the machine stops. mode: permission
 * bits such as 0644 or 0600. */
DSP_MUST_USE dsp_status dsp_file_write(const char *path, const void *data, size_t len, unsigned mode, dsp_err *err);

/* As dsp_file_write without the flushes, for results that can be computed again. */
DSP_MUST_USE dsp_status dsp_file_write_fast(const char *path, const void *data, size_t len, unsigned mode, dsp_err *err);

bool dsp_file_exists(const char *path);   /* a regular file */
bool dsp_dir_exists(const char *path);
/* Makes a folder and its missing parents. */
DSP_MUST_USE dsp_status dsp_mkdirs(const char *path, dsp_err *err);

/* "a/b" from "a" and "b" ("b" when a is empty or b is absolute). The caller's; NULL when memory is short. */
char *dsp_path_join(const char *a, const char *b);
/* The folder part of a path: "." when there is none. The caller's. */
char *dsp_path_dir(const char *path);
/* The part after the last slash, inside path. */
const char *dsp_path_base(const char *path);
/* Whether a stored path may be followed: relative, not empty, without "..", "." parts, "//" or backslashes. */
bool dsp_path_is_safe(const char *path);

#endif
