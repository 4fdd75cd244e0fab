/* JSON files: strict reading with a size limit, atomic writing, short helpers. */
#ifndef DSP_PIPELINE_JSON_H
#define DSP_PIPELINE_JSON_H

#include <jansson.h>

#include "hash/hash.h"

enum { DSP_JSON_FORMAT_VERSION = 1, DSP_JSON_MAX_BYTES = 1 << 28 };

/* Reads a JSON object (no duplicate keys). *j is the caller's (json_decref). Fails: DSP_E_MISSING, DSP_E_FORMAT, DSP_E_LIMIT. */
DSP_MUST_USE dsp_status dsp_json_load(json_t **j, const char *path, dsp_err *err);
/* Replaces path atomically; floats with nine significant digits (enough for float32). flush: survive a power failure. */
DSP_MUST_USE dsp_status dsp_json_save(const char *path, const json_t *j, int indent, bool flush, dsp_err *err);

/* Reads path, lets change(arg, j) alter it and replaces it, all under an exclusive lock on path.lock, so that processes that
 * work on one run do not lose each other's results. *out (may be NULL) gets the new content, the caller's. */
typedef void dsp_json_change(void *arg, json_t *j);
DSP_MUST_USE dsp_status dsp_json_update(json_t **out, const char *path, dsp_json_change *change, void *arg, int indent, dsp_err *err);

/* o[key] = v; takes v. */
void        dsp_json_put(json_t *o, const char *key, json_t *v);
json_t     *dsp_json_hex(const dsp_digest *d);
json_t     *dsp_json_time(double seconds);            /* seconds, to the microsecond */
const char *dsp_json_str(const json_t *o, const char *key);    /* "" when it is not a string */
uint64_t    dsp_json_u64(const json_t *o, const char *key);    /* 0 when it is not a non-negative integer */
double      dsp_json_num(const json_t *o, const char *key);
bool        dsp_json_digest(dsp_digest *d, const json_t *o, const char *key);
/* Object with format_version and tool_version. */
json_t     *dsp_json_head(void);
/* The array under key, made when missing. Borrowed. */
json_t     *dsp_json_array_at(json_t *o, const char *key);
json_t     *dsp_json_object_at(json_t *o, const char *key);

#endif
