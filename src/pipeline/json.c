#include "pipeline/json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/json_scan.h"

/* Memory for a tree, besides once its text: metadata.json is held twice while a model is loaded. */
static const uint64_t json_bytes = (uint64_t)26 << 20;

dsp_status dsp_json_load(json_t **j, const char *path, dsp_err *err)
{
    uint8_t *p = NULL;
    size_t   n = 0;
    *j = NULL;
    dsp_status s = dsp_file_read(&p, &n, path, DSP_JSON_MAX_BYTES, err);
    if (s != DSP_OK)
        return s;
    json_error_t e;
    s = dsp_json_scan(p, n, json_bytes + n, path, err);
    *j = s == DSP_OK ? json_loadb((const char *)p, n, JSON_REJECT_DUPLICATES, &e) : NULL;
    if (s == DSP_OK && !*j)
        s = dsp_fail(err, DSP_E_FORMAT, "%s: line %d, column %d: %s", path, e.line, e.column, e.text);
    else if (s == DSP_OK && !json_is_object(*j)) {
        json_decref(*j);
        *j = NULL;
        s = dsp_fail(err, DSP_E_FORMAT, "%s: a JSON object expected", path);
    }
    dsp_free(p);
    return s;
}

dsp_status dsp_json_save(const char *path, const json_t *j, int indent, bool flush, dsp_err *err)
{
    char *text = j ? json_dumps(j, JSON_INDENT(indent) | JSON_REAL_PRECISION(9)) : NULL;
    if (!text)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", path);
    const size_t n = strlen(text);
    text[n] = '\n';   /* in place of the terminator: the length is passed on */
    const dsp_status s = flush ? dsp_file_write(path, text, n + 1, 0644, err) : dsp_file_write_fast(path, text, n + 1, 0644, err);
    free(text);
    return s;
}

dsp_status dsp_json_update(json_t **out, const char *path, dsp_json_change *change, void *arg, int indent, dsp_err *err)
{
    const size_t n = strlen(path);
    char        *name = dsp_calloc(n + 6, 1);
    json_t      *j = NULL;
    int          fd = -1;
    dsp_status   s = DSP_OK;
    if (!name)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for a file name", path);
    snprintf(name, n + 6, "%s.lock", path);
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    while (fd >= 0 && fcntl(fd, F_SETLKW, &lock) != 0)
        if (errno != EINTR) {
            close(fd);
            fd = -1;
        }
    if (fd < 0) {
        s = dsp_fail(err, DSP_E_IO, "%s: cannot lock: %s", name, strerror(errno));
        goto done;
    }
    if ((s = dsp_json_load(&j, path, err)) != DSP_OK)
        goto done;
    change(arg, j);
    s = dsp_json_save(path, j, indent, false, err);
done:
    if (s == DSP_OK && out) {
        json_decref(*out);
        *out = json_incref(j);
    }
    json_decref(j);
    if (fd >= 0)
        close(fd);
    dsp_free(name);
    return s;
}

void dsp_json_put(json_t *o, const char *key, json_t *v) { json_object_set_new(o, key, v); }

json_t *dsp_json_hex(const dsp_digest *d)
{
    char hex[65];
    dsp_digest_hex(hex, d);
    return json_string(hex);
}

json_t *dsp_json_time(double seconds) { return json_real(floor(seconds * 1e6 + 0.5) / 1e6); }

const char *dsp_json_str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

uint64_t dsp_json_u64(const json_t *o, const char *key)
{
    const json_int_t v = json_integer_value(json_object_get(o, key));
    return v > 0 ? (uint64_t)v : 0;
}

double dsp_json_num(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

bool dsp_json_digest(dsp_digest *d, const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s && dsp_digest_unhex(d, s);
}

json_t *dsp_json_head(void)
{
    json_t *o = json_object();
    dsp_json_put(o, "format_version", json_integer(DSP_JSON_FORMAT_VERSION));
    dsp_json_put(o, "tool_version", json_string(DSP_VERSION));
    return o;
}

json_t *dsp_json_array_at(json_t *o, const char *key)
{
    json_t *a = json_object_get(o, key);
    if (!json_is_array(a)) {
        dsp_json_put(o, key, json_array());
        a = json_object_get(o, key);
    }
    return a;
}

json_t *dsp_json_object_at(json_t *o, const char *key)
{
    json_t *a = json_object_get(o, key);
    if (!json_is_object(a)) {
        dsp_json_put(o, key, json_object());
        a = json_object_get(o, key);
    }
    return a;
}
