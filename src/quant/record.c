/* The quantisation record as canonical JSON: keys in one order, no spaces, integers and digests. A file is read strictly and
 * accepted only if writing it again gives the same bytes.
 */
#include "quant/record.h"

#include <jansson.h>
#include <string.h>

#include "format/json_scan.h"

enum { RECORD_VERSION = 1, MAX_TENSORS = 1 << 20, MAX_CUTS = 1 << 20, MAX_BINDS = 1 << 12, MAX_AXIS = 1 << 24, MAX_NAME = 4096 };
static const uint64_t max_tree_bytes = (uint64_t)20 << 20; /* memory for the parsed JSON; there are two while a record is read */
static const int64_t MAX_RANGE = (int64_t)1 << 62;

dsp_record *dsp_record_create(void)
{
    dsp_record *r = DSP_NEW(dsp_record);
    if (r && !(r->arena = dsp_arena_create(0))) {
        dsp_free(r);
        r = NULL;
    }
    return r;
}

void dsp_record_free(dsp_record *r)
{
    if (!r)
        return;
    dsp_arena_free(r->arena);
    dsp_free(r);
}

const dsp_qtensor *dsp_record_find(const dsp_record *r, const char *name)
{
    for (size_t i = 0; i < r->n_tensors; i++)
        if (strcmp(r->tensors[i].name, name) == 0 || (r->tensors[i].program && strcmp(r->tensors[i].program, name) == 0))
            return &r->tensors[i];
    return NULL;
}

/* ---- writing ---- */

static bool put(json_t *o, const char *key, json_t *v) { return json_object_set_new(o, key, v) == 0; }

static json_t *list64(const int64_t *v, size_t n)
{
    json_t *a = json_array();
    for (size_t i = 0; a && i < n; i++)
        if (json_array_append_new(a, json_integer(v[i])) != 0) {
            json_decref(a);
            return NULL;
        }
    return a;
}

static json_t *list32(const uint32_t *v, size_t n)
{
    json_t *a = json_array();
    for (size_t i = 0; a && i < n; i++)
        if (json_array_append_new(a, json_integer(v[i])) != 0) {
            json_decref(a);
            return NULL;
        }
    return a;
}

static json_t *tensor_json(const dsp_qtensor *t)
{
    json_t  *o = json_object();
    int64_t  perm[DSP_MAX_RANK];
    for (uint32_t i = 0; i < t->layout.rank; i++)
        perm[i] = t->layout.perm[i];
    if (o && put(o, "name", json_string(t->name)) && (!t->program || put(o, "program", json_string(t->program))) && put(o, "scale_bits", json_integer(t->scale_bits)) && put(o, "lo", json_integer(t->lo)) &&
        put(o, "hi", json_integer(t->hi)) && put(o, "dims", list32(t->layout.dims, 3)) &&
        put(o, "onnx_dims", list64(t->layout.onnx_dims, t->layout.rank)) && put(o, "perm", list64(perm, t->layout.rank)) && (!t->pinned || put(o, "pinned", json_true())))
        return o;
    json_decref(o);
    return NULL;
}

dsp_status dsp_record_write(dsp_buf *out, const dsp_record *r, dsp_err *err)
{
    json_t *root = json_object(), *binds = json_array(), *tensors = json_array();
    char    hex[65], *text = NULL;
    bool    ok = root && binds && tensors;
    dsp_digest_hex(hex, &r->model);
    for (size_t i = 0; i < r->n_binds && ok; i++) {
        json_t *b = json_object();
        ok = b && put(b, "name", json_string(r->binds[i].name)) && put(b, "value", json_integer(r->binds[i].value));
        ok = json_array_append_new(binds, b) == 0 && ok;
    }
    for (size_t i = 0; i < r->n_tensors && ok; i++)
        ok = json_array_append_new(tensors, tensor_json(&r->tensors[i])) == 0;
    ok = ok && put(root, "version", json_integer(RECORD_VERSION)) && put(root, "model", json_string(hex)) &&
         put(root, "precision", json_integer(r->precision)) && put(root, "cuts", list32(r->cuts, r->n_cuts)) &&
         json_object_set(root, "dims", binds) == 0 && json_object_set(root, "tensors", tensors) == 0 &&
         (text = json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII)) != NULL;
    json_decref(root);
    json_decref(binds);
    json_decref(tensors);
    if (!ok)
        return dsp_fail(err, DSP_E_FORMAT, "quantisation record: a name is not UTF-8, or memory is short");
    dsp_buf_put(out, text, strlen(text));
    dsp_buf_u8(out, '\n');
    free(text);
    return out->bad ? dsp_fail(err, DSP_E_NOMEM, "quantisation record: out of memory") : DSP_OK;
}

dsp_status dsp_record_seal(dsp_record *r, dsp_err *err)
{
    dsp_buf    b = {0};
    dsp_status st = dsp_record_write(&b, r, err);
    if (st == DSP_OK)
        r->digest = dsp_sha256(b.p, b.len);
    dsp_buf_release(&b);
    return st;
}

/* ---- reading: the bytes may be anyone's ---- */

typedef struct { dsp_record *r; dsp_err *err; dsp_status st; } reader;

static bool bad(reader *x, const char *what)
{
    if (x->st == DSP_OK)
        x->st = dsp_fail(x->err, DSP_E_FORMAT, "quantisation record: %s", what);
    return false;
}

static bool memory(reader *x, const void *p)
{
    if (!p && x->st == DSP_OK)
        x->st = dsp_fail(x->err, DSP_E_NOMEM, "quantisation record: out of memory");
    return p != NULL;
}

static bool get_int(reader *x, const json_t *v, int64_t lo, int64_t hi, int64_t *out, const char *what)
{
    if (!json_is_integer(v) || json_integer_value(v) < lo || json_integer_value(v) > hi)
        return bad(x, what);
    *out = json_integer_value(v);
    return true;
}

static bool get_list(reader *x, const json_t *v, size_t max, size_t *n, const char *what)
{
    if (!json_is_array(v) || json_array_size(v) > max)
        return bad(x, what);
    *n = json_array_size(v);
    return true;
}

static bool get_name(reader *x, const json_t *v, const char **out, const char *what)
{
    const char *s = json_string_value(v);
    if (!s || !*s || json_string_length(v) > MAX_NAME || strlen(s) != json_string_length(v))
        return bad(x, what);
    return memory(x, *out = dsp_arena_strdup(x->r->arena, s));
}

static bool get_tensor(reader *x, const json_t *o, dsp_qtensor *t)
{
    int64_t  v;
    size_t   n;
    unsigned seen = 0;
    uint64_t cells = 1, onnx = 1;
    const json_t *program = json_object_get(o, "program"), *pinned = json_object_get(o, "pinned");
    if (!json_is_object(o) || json_object_size(o) != (size_t)7 + (program != NULL) + (pinned != NULL))
        return bad(x, "a tensor is not an object of seven fields, and program and pinned");
    if (pinned && !json_is_true(pinned))
        return bad(x, "pinned is something else than true");
    t->pinned = pinned != NULL;
    if ((program && !get_name(x, program, &t->program, "program is not a name")) || !get_name(x, json_object_get(o, "name"), &t->name, "a tensor has no name") ||
        !get_int(x, json_object_get(o, "scale_bits"), -128, 128, &v, "scale_bits is not an integer in -128 .. 128"))
        return false;
    t->scale_bits = (int32_t)v;
    if (!get_int(x, json_object_get(o, "lo"), -MAX_RANGE, MAX_RANGE, &t->lo, "lo is not an integer below 2^62") ||
        !get_int(x, json_object_get(o, "hi"), t->lo, MAX_RANGE, &t->hi, "hi is not an integer from lo to 2^62"))
        return false;
    const json_t *dims = json_object_get(o, "dims"), *od = json_object_get(o, "onnx_dims"), *perm = json_object_get(o, "perm");
    if (!get_list(x, dims, 3, &n, "dims is not a list") || n != 3)
        return bad(x, "dims does not have three entries");
    for (size_t i = 0; i < 3; i++) {
        if (!get_int(x, json_array_get(dims, i), 1, MAX_AXIS, &v, "an entry of dims is outside 1 .. 2^24"))
            return false;
        t->layout.dims[i] = (uint32_t)v;
        cells *= (uint64_t)v;
        if (cells > (uint64_t)1 << 32)
            return bad(x, "a tensor has more than 2^32 cells");
    }
    if (!get_list(x, od, DSP_MAX_RANK, &n, "onnx_dims is not a list of at most eight entries"))
        return false;
    t->layout.rank = (uint32_t)n;
    if (!get_list(x, perm, DSP_MAX_RANK, &n, "perm is not a list") || n != t->layout.rank)
        return bad(x, "perm does not have as many entries as onnx_dims");
    for (size_t i = 0; i < n; i++) {
        if (!get_int(x, json_array_get(od, i), 1, (int64_t)cells, &t->layout.onnx_dims[i], "an entry of onnx_dims does not fit dims") ||
            !get_int(x, json_array_get(perm, i), 0, (int64_t)n - 1, &v, "an entry of perm is out of range"))
            return false;
        if (seen >> v & 1)
            return bad(x, "perm names an axis twice");
        seen |= 1u << v;
        t->layout.perm[i] = (uint8_t)v;
        onnx *= (uint64_t)t->layout.onnx_dims[i];
        if (onnx > cells)
            return bad(x, "onnx_dims and dims have different numbers of cells");
    }
    return onnx == cells || bad(x, "onnx_dims and dims have different numbers of cells");
}

static bool get_record(reader *x, const json_t *root)
{
    dsp_record *r = x->r;
    int64_t     v;
    if (!json_is_object(root) || json_object_size(root) != 6)
        return bad(x, "it is not an object of six fields");
    if (!get_int(x, json_object_get(root, "version"), RECORD_VERSION, RECORD_VERSION, &v, "version is not 1"))
        return false;
    const char *hex = json_string_value(json_object_get(root, "model"));
    if (!hex || !dsp_digest_unhex(&r->model, hex))
        return bad(x, "model is not a digest");
    if (!get_int(x, json_object_get(root, "precision"), 2, 16, &v, "precision is not in 2 .. 16"))
        return false;
    r->precision = (unsigned)v;
    const json_t *cuts = json_object_get(root, "cuts"), *binds = json_object_get(root, "dims"), *tensors = json_object_get(root, "tensors");
    if (!get_list(x, cuts, MAX_CUTS, &r->n_cuts, "cuts is not a list") || !memory(x, r->cuts = DSP_ARENA_N(r->arena, uint32_t, r->n_cuts + 1)))
        return false;
    for (size_t i = 0; i < r->n_cuts; i++) {
        if (!get_int(x, json_array_get(cuts, i), i ? (int64_t)r->cuts[i - 1] + 1 : 1, UINT32_MAX - 1, &v, "cuts does not increase"))
            return false;
        r->cuts[i] = (uint32_t)v;
    }
    if (!get_list(x, binds, MAX_BINDS, &r->n_binds, "dims is not a list") || !memory(x, r->binds = DSP_ARENA_N(r->arena, dsp_dim_bind, r->n_binds + 1)))
        return false;
    for (size_t i = 0; i < r->n_binds; i++) {
        const json_t *b = json_array_get(binds, i);
        if (!json_is_object(b) || json_object_size(b) != 2)
            return bad(x, "a bound dimension is not an object of two fields");
        if (!get_name(x, json_object_get(b, "name"), &r->binds[i].name, "a bound dimension has no name") ||
            !get_int(x, json_object_get(b, "value"), 1, INT32_MAX, &r->binds[i].value, "a bound dimension is not positive"))
            return false;
    }
    if (!get_list(x, tensors, MAX_TENSORS, &r->n_tensors, "tensors is not a list") ||
        !memory(x, r->tensors = DSP_ARENA_N(r->arena, dsp_qtensor, r->n_tensors + 1)))
        return false;
    for (size_t i = 0; i < r->n_tensors; i++)
        if (!get_tensor(x, json_array_get(tensors, i), &r->tensors[i]))
            return false;
    /* Names are unique: an object keyed by them has as many members. */
    json_t *names = json_object();
    bool    unique = names != NULL;
    size_t  n = r->n_tensors;
    for (size_t i = 0; i < r->n_tensors && unique; i++) {
        const char *alias = r->tensors[i].program;
        unique = json_object_set_new(names, r->tensors[i].name, json_null()) == 0 && (!alias || json_object_set_new(names, alias, json_null()) == 0);
        n += alias != NULL;
    }
    unique = unique && json_object_size(names) == n;
    json_decref(names);
    return unique || bad(x, "two tensors have one name");
}

dsp_status dsp_record_read(dsp_record **out, const uint8_t *p, size_t len, dsp_err *err)
{
    *out = NULL;
    const dsp_status small = dsp_json_scan(p, len, max_tree_bytes, "quantisation record", err);
    if (small != DSP_OK)
        return small;
    json_error_t je;
    json_t      *root = json_loadb((const char *)p, len, JSON_REJECT_DUPLICATES, &je);
    reader       x = {.r = dsp_record_create(), .err = err, .st = DSP_OK};
    dsp_buf      again = {0};
    if (!x.r)
        x.st = dsp_fail(err, DSP_E_NOMEM, "quantisation record: out of memory");
    else if (!root)
        x.st = dsp_fail(err, DSP_E_FORMAT, "quantisation record: not JSON at byte %d: %s", je.position, je.text);
    else if (get_record(&x, root) && (x.st = dsp_record_write(&again, x.r, err)) == DSP_OK) {
        if (again.len != len || memcmp(again.p, p, len) != 0)
            bad(&x, "its bytes are not the canonical ones");
        x.r->digest = dsp_sha256(p, len);
    }
    dsp_buf_release(&again);
    json_decref(root);
    if (x.st == DSP_OK)
        *out = x.r;
    else
        dsp_record_free(x.r);
    return x.st;
}
