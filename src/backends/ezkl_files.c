/* JSON that ezkl reads and writes. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "backends/ezkl.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/json_scan.h"

enum { MAX_BYTES = 1 << 28, MAX_CELLS = 1 << 26 };
static const uint64_t tree_bytes = (uint64_t)44 << 20; /* memory for the parsed JSON, besides 5/2 of its text: field elements fit in that */

/* Order of the scalar field of BN254, little-endian. */
static const uint8_t order[32] = {0x01, 0x00, 0x00, 0xf0, 0x93, 0xf5, 0xe1, 0x43, 0x91, 0x70, 0xb9, 0x79, 0x48, 0xe8, 0x33, 0x28,
                                  0x5d, 0x58, 0x81, 0x81, 0xb6, 0x45, 0x50, 0xb8, 0x29, 0xa0, 0x31, 0xe1, 0x72, 0x4e, 0x64, 0x30};

/* order - v */
static void negate(uint8_t out[32], const uint8_t v[32])
{
    int borrow = 0;
    for (int i = 0; i < 32; i++) {
        const int d = order[i] - v[i] - borrow;
        borrow = d < 0;
        out[i] = (uint8_t)(d + (borrow << 8));
    }
}

void dsp_ezkl_felt(char out[65], int64_t v)
{
    static const char digit[] = "0123456789abcdef";
    uint8_t           b[32] = {0};
    dsp_put64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
    if (v < 0) {
        uint8_t m[32];
        memcpy(m, b, 32);
        negate(b, m);
    }
    for (int i = 0; i < 32; i++) {
        out[2 * i] = digit[b[i] >> 4];
        out[2 * i + 1] = digit[b[i] & 15];
    }
    out[64] = 0;
}

static int digit_of(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

static bool small(const uint8_t b[32])
{
    for (int i = 8; i < 32; i++)
        if (b[i])
            return false;
    return b[7] < 128;
}

bool dsp_ezkl_felt_read(int64_t *v, const char *text)
{
    uint8_t b[32], m[32];
    if (strlen(text) != 64)
        return false;
    for (int i = 0; i < 32; i++) {
        const int hi = digit_of(text[2 * i]), lo = digit_of(text[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        b[i] = (uint8_t)(hi << 4 | lo);
    }
    if (small(b)) {
        *v = (int64_t)dsp_get64(b);
        return true;
    }
    negate(m, b);   /* what is not reduced wraps to something large */
    *v = -(int64_t)dsp_get64(m);
    return small(m) && dsp_get64(m) != 0;
}

/* what names the bytes in messages. */
static dsp_status parse(json_t **j, const uint8_t *p, size_t n, const char *what, dsp_err *err)
{
    json_error_t why;
    dsp_status   s = n <= MAX_BYTES ? dsp_json_scan(p, n, tree_bytes + n / 2 * 5, what, err) : dsp_fail(err, DSP_E_LIMIT, "%s: more than %d bytes", what, MAX_BYTES);
    *j = NULL;
    if (s == DSP_OK && !(*j = json_loadb((const char *)p, n, JSON_REJECT_DUPLICATES, &why)))
        s = dsp_fail(err, DSP_E_FORMAT, "%s: not JSON: %s at byte %d", what, why.text, why.position);
    if (s == DSP_OK && !json_is_object(*j)) {
        json_decref(*j);
        *j = NULL;
        s = dsp_fail(err, DSP_E_FORMAT, "%s: not a JSON object", what);
    }
    return s;
}

static dsp_status load(json_t **j, const char *path, dsp_err *err)
{
    uint8_t   *p = NULL;
    size_t     n = 0;
    dsp_status s = dsp_file_read(&p, &n, path, MAX_BYTES, err);
    *j = NULL;
    if (s == DSP_OK)
        s = parse(j, p, n, path, err);
    dsp_free(p);
    return s;
}

static int append(const char *text, size_t n, void *arg)
{
    dsp_buf *b = arg;
    dsp_buf_put(b, text, n);
    return b->bad ? -1 : 0;
}

/* One spelling: keys sorted, no blanks. */
static dsp_status dump(dsp_buf *out, const json_t *j, const char *what, dsp_err *err)
{
    return json_dump_callback(j, append, out, JSON_COMPACT | JSON_SORT_KEYS) == 0 ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "%s: no memory to write it anew", what);
}

/* ---- settings ---- */

static bool count(uint64_t *n, const json_t *o)
{
    if (!json_is_integer(o) || json_integer_value(o) < 0)
        return false;
    *n = (uint64_t)json_integer_value(o);
    return true;
}

/* Cells of a shape; 0: not one, or too large. */
static uint64_t cells_of(const json_t *shape)
{
    uint64_t      n = 1, d;
    size_t        i;
    const json_t *o;
    if (!json_is_array(shape))
        return 0;
    json_array_foreach(shape, i, o) {
        if (!count(&d, o) || d == 0 || d > MAX_CELLS || n > MAX_CELLS / d)
            return 0;
        n *= d;
    }
    return n;
}

/* Values of the widest range check, or of the lookups' common range where there is a lookup; at least 1. */
static uint64_t widest(const json_t *j)
{
    const json_t *checks = json_object_get(j, "required_range_checks"), *o, *range = json_object_get(json_object_get(j, "run_args"), "lookup_range");
    uint64_t      most = 1;
    size_t        i;
    json_array_foreach(checks, i, o) {
        const json_int_t lo = json_integer_value(json_array_get(o, 0)), hi = json_integer_value(json_array_get(o, 1));
        if (lo > -((json_int_t)1 << 40) && hi < (json_int_t)1 << 40 && hi >= lo && (uint64_t)(hi - lo) + 1 > most)
            most = (uint64_t)(hi - lo) + 1;
    }
    if (json_array_size(json_object_get(j, "required_lookups"))) {
        const json_int_t lo = json_integer_value(json_array_get(range, 0)), hi = json_integer_value(json_array_get(range, 1));
        if (lo > -((json_int_t)1 << 40) && hi < (json_int_t)1 << 40 && hi >= lo && (uint64_t)(hi - lo) + 1 > most)
            most = (uint64_t)(hi - lo) + 1;
    }
    return most;
}

/* "Public", "Fixed"; other spellings of these have arguments. */
static bool visible(const json_t *args, const char *which, const char *as)
{
    const char *have = json_string_value(json_object_get(args, which));
    return have && strcmp(have, as) == 0;
}

static dsp_status settings(dsp_ezkl_circuit *c, const json_t *j, const char *path, int scale, uint64_t *span, dsp_err *err)
{
    uint64_t k;
    memset(c, 0, sizeof *c);
    const json_t *shapes = json_object_get(j, "model_instance_shapes"), *si = json_object_get(j, "model_input_scales"),
                 *so = json_object_get(j, "model_output_scales"), *args = json_object_get(j, "run_args");
    const char   *version = json_string_value(json_object_get(j, "version"));
    const size_t  n_in = json_array_size(si), n_out = json_array_size(so);
    if (!count(&k, json_object_get(args, "logrows")) || !count(&c->rows, json_object_get(j, "num_rows")) || n_in == 0 || n_out == 0 ||
        n_in > DSP_EZKL_MAX_TENSORS || n_out > DSP_EZKL_MAX_TENSORS || json_array_size(shapes) != n_in + n_out || k > DSP_EZKL_MAX_LOGROWS)
        return dsp_fail(err, DSP_E_FORMAT, "%s: not the settings of a circuit with public inputs and outputs", path);
    if (!visible(args, "input_visibility", "Public") || !visible(args, "output_visibility", "Public") || !visible(args, "param_visibility", "Fixed"))
        return dsp_fail(err, DSP_E_FORMAT, "%s: not the settings of a circuit with public inputs, public outputs and fixed parameters", path);
    c->logrows = (unsigned)k;
    if (version && strlen(version) < sizeof c->version)
        memcpy(c->version, version, strlen(version));
    if (span)
        *span = widest(j);
    c->scale = scale;
    for (size_t i = 0; i < n_in + n_out; i++) {
        const json_t  *at = i < n_in ? json_array_get(si, i) : json_array_get(so, i - n_in);
        const uint64_t cells = cells_of(json_array_get(shapes, i));
        if (!json_is_integer(at) || cells == 0)
            return dsp_fail(err, DSP_E_FORMAT, "%s: tensor %zu has no usable shape or scale", path, i);
        if (json_integer_value(at) != scale)
            return dsp_fail(err, DSP_E_UNSUPPORTED, "%s: %s %zu has scale %lld where %d was asked for, so that its integers would not fit its neighbours'", path,
                            i < n_in ? "input" : "output", i < n_in ? i : i - n_in, (long long)json_integer_value(at), scale);
        if (i < n_in) {
            c->in[c->n_in++] = cells;
            c->cells_in += cells;
        } else {
            c->out[c->n_out++] = cells;
            c->cells_out += cells;
        }
    }
    return DSP_OK;
}

dsp_status dsp_ezkl_settings_read(dsp_ezkl_circuit *c, const char *path, int scale, uint64_t *span, dsp_err *err)
{
    json_t    *j;
    dsp_status s = load(&j, path, err);
    memset(c, 0, sizeof *c);
    if (s == DSP_OK)
        s = settings(c, j, path, scale, span, err);
    json_decref(j);
    return s;
}

dsp_status dsp_ezkl_settings_parse(dsp_ezkl_circuit *c, dsp_buf *again, const uint8_t *p, size_t len, const char *what, int scale, dsp_err *err)
{
    json_t    *j;
    dsp_status s = parse(&j, p, len, what, err);
    memset(c, 0, sizeof *c);
    if (s == DSP_OK)
        s = settings(c, j, what, scale, NULL, err);
    if (s == DSP_OK && again) {
        if (json_object_get(j, "timestamp"))
            json_object_set_new(j, "timestamp", json_integer(0));
        s = dump(again, j, what, err);
    }
    json_decref(j);
    return s;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Sorts a list by the one spelling of its entries. */
static bool sort_list(json_t *list)
{
    const size_t n = json_array_size(list);
    char       **text = DSP_NEW_N(char *, n);
    bool         good = text != NULL;
    for (size_t i = 0; i < n && good; i++)
        good = (text[i] = json_dumps(json_array_get(list, i), JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY)) != NULL;
    if (good)
        qsort(text, n, sizeof *text, by_text);
    for (size_t i = 0; i < n && good; i++)
        good = json_array_set_new(list, i, json_loads(text[i], JSON_DECODE_ANY, NULL)) == 0;
    for (size_t i = 0; text && i < n; i++)
        free(text[i]);
    dsp_free(text);
    return good;
}

dsp_status dsp_ezkl_settings_settle(const char *path, dsp_err *err)
{
    static const char *const sets[] = {"required_range_checks", "required_lookups"};
    json_t    *j;
    dsp_buf    b = {0};
    dsp_status s = load(&j, path, err);
    for (size_t i = 0; i < sizeof sets / sizeof *sets && s == DSP_OK; i++)
        if (json_is_array(json_object_get(j, sets[i])) && !sort_list(json_object_get(j, sets[i])))
            s = dsp_fail(err, DSP_E_NOMEM, "%s: no memory to write it anew", path);
    if (s == DSP_OK && json_object_get(j, "timestamp"))
        json_object_set_new(j, "timestamp", json_integer(0));
    if (s == DSP_OK && (s = dump(&b, j, path, err)) == DSP_OK)
        s = dsp_file_write_fast(path, b.p, b.len, 0644, err);
    dsp_buf_release(&b);
    json_decref(j);
    return s;
}

/* ---- integers ---- */

dsp_status dsp_ezkl_input_write(const char *path, const dsp_ezkl_circuit *c, const int64_t *cells, dsp_err *err)
{
    dsp_buf    b = {0};
    char       felt[65];
    uint64_t   at = 0;
    dsp_buf_printf(&b, "{\"input_data\": [");
    for (uint32_t t = 0; t < c->n_in; t++) {
        dsp_buf_printf(&b, "%s[", t ? ", " : "");
        for (uint64_t i = 0; i < c->in[t]; i++) {
            dsp_ezkl_felt(felt, cells[at++]);
            dsp_buf_printf(&b, "%s\"%s\"", i ? ", " : "", felt);
        }
        dsp_buf_printf(&b, "]");
    }
    dsp_buf_printf(&b, "]}\n");
    /* Inputs of a segment are public in its proof; until then they are the run's. */
    const dsp_status s = b.bad ? dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", path) : dsp_file_write_fast(path, b.p, b.len, 0600, err);
    dsp_buf_release(&b);
    return s;
}

/* One list of field elements. */
static bool read_list(int64_t *out, const json_t *list, uint64_t n)
{
    if (!json_is_array(list) || json_array_size(list) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(list, i);
        if (!json_is_string(o) || !dsp_ezkl_felt_read(&out[i], json_string_value(o)))
            return false;
    }
    return true;
}

static bool read_tensors(int64_t *out, const json_t *lists, uint32_t n, const uint64_t *cells)
{
    if (!json_is_array(lists) || json_array_size(lists) != n)
        return false;
    for (uint32_t t = 0; t < n; t++) {
        if (!read_list(out, json_array_get(lists, t), cells[t]))
            return false;
        out += cells[t];
    }
    return true;
}

dsp_status dsp_ezkl_witness_read(int64_t *in, int64_t *out, const char *path, const dsp_ezkl_circuit *c, dsp_err *err)
{
    json_t    *j;
    dsp_status s = load(&j, path, err);
    if (s == DSP_OK && (!read_tensors(in, json_object_get(j, "inputs"), c->n_in, c->in) || !read_tensors(out, json_object_get(j, "outputs"), c->n_out, c->out)))
        s = dsp_fail(err, DSP_E_FORMAT, "%s: not a witness of %ju inputs and %ju outputs", path, (uintmax_t)c->cells_in, (uintmax_t)c->cells_out);
    json_decref(j);
    return s;
}

/* Whether the two forms of the proof's bytes agree: ezkl verifies `proof`, contracts are given `hex_proof`. */
static bool same_bytes(const json_t *bytes, const char *hex)
{
    const size_t n = json_array_size(bytes);
    if (!json_is_array(bytes) || n == 0 || !hex || strncmp(hex, "0x", 2) != 0 || strlen(hex) != 2 + 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t  b;
        const int hi = digit_of(hex[2 + 2 * i]), lo = digit_of(hex[3 + 2 * i]);
        if (!count(&b, json_array_get(bytes, i)) || b > 255 || hi < 0 || lo < 0 || b != (uint64_t)(hi << 4 | lo))
            return false;
    }
    return true;
}

/* Whatever is wrong with the bytes of a proof, it is no proof. */
static dsp_status malformed(dsp_status s, dsp_err *err)
{
    if (s != DSP_E_FORMAT && s != DSP_E_LIMIT && s != DSP_E_MISSING)
        return s;
    s = dsp_context(err, DSP_E_REJECTED, "malformed proof");
    if (err)
        err->code = s;
    return s;
}

static dsp_status proof(int64_t *in, int64_t *out, const json_t *j, const char *path, const dsp_ezkl_circuit *c, dsp_err *err)
{
    int64_t      *all = DSP_NEW_N(int64_t, c->cells_in + c->cells_out);
    const json_t *lists = json_object_get(j, "instances");
    dsp_status    s = all ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", path);
    if (s == DSP_OK && !same_bytes(json_object_get(j, "proof"), json_string_value(json_object_get(j, "hex_proof"))))
        s = dsp_fail(err, DSP_E_REJECTED, "malformed proof: %s: proof and hex_proof are missing or differ", path);
    else if (s == DSP_OK && (json_array_size(lists) != 1 || !read_list(all, json_array_get(lists, 0), c->cells_in + c->cells_out)))
        s = dsp_fail(err, DSP_E_REJECTED, "malformed proof: %s: not %ju public inputs and %ju public outputs", path, (uintmax_t)c->cells_in, (uintmax_t)c->cells_out);
    if (s == DSP_OK) {
        memcpy(in, all, (size_t)c->cells_in * sizeof *in);
        memcpy(out, all + c->cells_in, (size_t)c->cells_out * sizeof *out);
    }
    dsp_free(all);
    return s;
}

dsp_status dsp_ezkl_proof_read(int64_t *in, int64_t *out, const char *path, const dsp_ezkl_circuit *c, dsp_err *err)
{
    json_t    *j;
    dsp_status s = malformed(load(&j, path, err), err);
    if (s == DSP_OK)
        s = proof(in, out, j, path, c, err);
    json_decref(j);
    return s;
}

dsp_status dsp_ezkl_proof_parse(int64_t *in, int64_t *out, dsp_buf *again, const uint8_t *p, size_t len, const char *what, const dsp_ezkl_circuit *c, dsp_err *err)
{
    json_t    *j;
    dsp_status s = malformed(parse(&j, p, len, what, err), err);
    if (s == DSP_OK && (s = proof(in, out, j, what, c, err)) == DSP_OK && again)
        s = dump(again, j, what, err);
    json_decref(j);
    return s;
}
