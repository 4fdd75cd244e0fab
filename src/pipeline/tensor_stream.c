/* Tensors out of JSON, read twice: the first time for where the lists are and what shape they have, the second time for the numbers, straight into
 * the tensors. Besides those, memory does not depend on the file.
 */
#include <string.h>

#include "onnx/ort.h"
#include "pipeline/json_lex.h"
#include "pipeline/tensor_values.h"

enum { MAX_DEPTH = 32, MAX_KEYS = 1024 };

/* A value that was looked over. */
enum { IS_OTHER, IS_NUMBERS, IS_RAGGED };   /* ragged: lists without one shape, or of something else than numbers */
typedef struct {
    dsp_lex_place at;
    uint8_t       is;
    bool          list;
    uint32_t      rank;          /* of IS_NUMBERS; a number has rank 0 */
    int64_t       dims[MAX_DEPTH];
} span;

/* One item of a list, or one key of an object. */
typedef struct {
    const char *name;            /* the key, or what the object says; NULL */
    bool        object, data, shape_ok, shape;
    span        value;           /* of an object: its data */
    uint32_t    rank;            /* of shape */
    int64_t     dims[MAX_DEPTH];
} item;

/* What stands under input_data and its like. */
typedef struct {
    span   whole;
    bool   keyed, objects;       /* an object; a list of objects */
    size_t count;                /* items there are; the first max of them are kept */
    item  *items;
} table;

typedef struct {
    dsp_lex    lex;
    dsp_arena *arena;
    size_t     max;              /* tensors expected */
    char       text[DSP_LEX_TOKEN];
} scanner;

static bool scan(scanner *s, span *v, unsigned depth);

/* A key that the object did not have before. keys: MAX_KEYS entries. */
static bool key(scanner *s, const char **keys, size_t *n, const char **out)
{
    char *text = s->text;
    if (dsp_lex_next(&s->lex) != '"')
        return dsp_lex_fail(&s->lex, DSP_E_FORMAT, "a key in quotes expected");
    if (!dsp_lex_string(&s->lex, text))
        return false;
    for (size_t i = 0; i < *n; i++)
        if (strcmp(keys[i], text) == 0)
            return dsp_lex_fail(&s->lex, DSP_E_FORMAT, "a key occurs twice");
    if (*n == MAX_KEYS)
        return dsp_lex_fail(&s->lex, DSP_E_FORMAT, "an object has more than 1024 keys");
    if (!(*out = keys[(*n)++] = dsp_arena_strdup(s->arena, text)))
        return dsp_lex_fail(&s->lex, DSP_E_NOMEM, "no memory");
    return dsp_lex_take(&s->lex, ':') || dsp_lex_fail(&s->lex, DSP_E_FORMAT, "':' expected");
}

typedef bool member_fn(scanner *s, void *arg, const char *name, unsigned depth);

/* An object; each member's value is taken by member. */
static bool object(scanner *s, unsigned depth, member_fn *member, void *arg)
{
    const char **keys = DSP_ARENA_N(s->arena, const char *, MAX_KEYS), *name = NULL;
    size_t       n = 0;
    if (!keys)
        return dsp_lex_fail(&s->lex, DSP_E_NOMEM, "no memory");
    s->lex.at++;
    if (dsp_lex_take(&s->lex, '}'))
        return true;
    do {
        if (!key(s, keys, &n, &name) || !member(s, arg, name, depth + 1))
            return false;
    } while (dsp_lex_take(&s->lex, ','));
    return dsp_lex_take(&s->lex, '}') || dsp_lex_fail(&s->lex, DSP_E_FORMAT, "',' or '}' expected");
}

static bool skip_member(scanner *s, void *arg, const char *name, unsigned depth)
{
    span v;
    (void)arg;
    (void)name;
    return scan(s, &v, depth);
}

/* The items of a list after its bracket. */
static bool list(scanner *s, span *v, unsigned depth)
{
    dsp_lex *l = &s->lex;
    span     sub;
    size_t   count = 0;
    v->list = true;
    v->is = IS_NUMBERS;
    v->rank = 1;
    if (dsp_lex_take(l, ']'))
        return true;
    const bool numbers = dsp_lex_starts_number(dsp_lex_next(l));
    do {
        const char c = dsp_lex_next(l);
        dsp_jnum   x;
        if (numbers ? c && strchr("[{\"n", c) : dsp_lex_starts_number(c))
            return dsp_lex_fail(l, DSP_E_FORMAT, "numbers and something else are mixed in one list");
        if (numbers ? !dsp_lex_number(l, &x) : !scan(s, &sub, depth + 1))
            return false;
        if (!numbers && count == 0 && sub.is == IS_NUMBERS && sub.list && sub.rank < MAX_DEPTH) {
            v->rank = sub.rank + 1;
            memcpy(v->dims + 1, sub.dims, sub.rank * sizeof *sub.dims);
        } else if (!numbers && (sub.is != IS_NUMBERS || !sub.list || sub.rank + 1 != v->rank || memcmp(v->dims + 1, sub.dims, sub.rank * sizeof *sub.dims) != 0)) {
            v->is = IS_RAGGED;
        }
        count++;
    } while (dsp_lex_take(l, ','));
    v->dims[0] = (int64_t)count;
    return dsp_lex_take(l, ']') || dsp_lex_fail(l, DSP_E_FORMAT, "',' or ']' expected");
}

static bool scan(scanner *s, span *v, unsigned depth)
{
    dsp_lex   *l = &s->lex;
    const char c = dsp_lex_next(l);
    dsp_jnum   x;
    memset(v, 0, sizeof *v);
    v->at = dsp_lex_tell(l);
    if (depth > MAX_DEPTH)
        return dsp_lex_fail(l, DSP_E_FORMAT, "nesting deeper than 32");
    if (c == '[') {
        l->at++;
        return list(s, v, depth);
    }
    if (c == '{') {
        const dsp_mark m = dsp_arena_mark(s->arena);
        const bool     ok = object(s, depth, skip_member, NULL);
        dsp_arena_rewind(s->arena, m);
        return ok;
    }
    if (c == '"')
        return dsp_lex_string(l, s->text);
    if (dsp_lex_null(l))
        return true;
    v->is = IS_NUMBERS;
    return dsp_lex_number(l, &x);
}

/* ---- what the files may look like ---- */

/* shape: a short list of integers. */
static bool shape(scanner *s, item *it, unsigned depth)
{
    dsp_jnum x;
    span     v;
    dsp_lex_next(&s->lex);
    const dsp_lex_place at = dsp_lex_tell(&s->lex);
    it->shape = true;
    if (!scan(s, &v, depth))
        return false;
    if (!v.list || v.is != IS_NUMBERS || v.rank != 1 || v.dims[0] > MAX_DEPTH)
        return true;
    const dsp_lex_place after = dsp_lex_tell(&s->lex);
    dsp_lex_seek(&s->lex, at);
    dsp_lex_take(&s->lex, '[');
    it->shape_ok = true;
    for (it->rank = 0; it->rank < (uint32_t)v.dims[0]; it->rank++) {
        if (!dsp_lex_number(&s->lex, &x))
            return false;
        it->shape_ok = it->shape_ok && x.exact;
        it->dims[it->rank] = x.i;
        dsp_lex_take(&s->lex, ',');
    }
    dsp_lex_seek(&s->lex, after);
    return true;
}

/* A member of {name, data, shape}. */
static bool item_member(scanner *s, void *arg, const char *name, unsigned depth)
{
    item *it = arg;
    span  v;
    if (strcmp(name, "data") == 0) {
        it->data = true;
        return scan(s, &it->value, depth);
    }
    if (strcmp(name, "shape") == 0)
        return shape(s, it, depth);
    if (strcmp(name, "name") == 0 && dsp_lex_next(&s->lex) == '"') {
        if (!dsp_lex_string(&s->lex, s->text))
            return false;
        it->name = dsp_arena_strdup(s->arena, s->text);
        return it->name || dsp_lex_fail(&s->lex, DSP_E_NOMEM, "no memory");
    }
    return scan(s, &v, depth);
}

/* The next item; what more than expected are there is looked over and forgotten. */
static bool read_item(scanner *s, table *t, const char *name, unsigned depth, bool *is_object)
{
    const bool     spare = t->count >= s->max;
    const dsp_mark m = dsp_arena_mark(s->arena);
    item          *it = &t->items[spare ? s->max : t->count];
    memset(it, 0, sizeof *it);
    t->count++;
    *is_object = it->object = dsp_lex_next(&s->lex) == '{';
    it->data = !it->object;
    const bool ok = it->object ? object(s, depth, item_member, it) : scan(s, &it->value, depth);
    if (spare)
        dsp_arena_rewind(s->arena, m);
    if (name)
        it->name = name;
    return ok;
}

static bool keyed_member(scanner *s, void *arg, const char *name, unsigned depth)
{
    bool is_object;
    return read_item(s, arg, name, depth, &is_object);
}

static bool read_table(scanner *s, table *t, unsigned depth)
{
    dsp_lex   *l = &s->lex;
    const char c = dsp_lex_next(l);
    t->items = DSP_ARENA_N(s->arena, item, s->max + 1);
    if (!t->items)
        return dsp_lex_fail(l, DSP_E_NOMEM, "no memory");
    t->whole.at = dsp_lex_tell(l);
    if (c == '{') {
        t->keyed = true;
        return object(s, depth, keyed_member, t);
    }
    if (c != '[' || s->max == 1) {
        const dsp_lex_place at = t->whole.at;
        if (!scan(s, &t->whole, depth))
            return false;
        if (c != '[')
            return true;
        /* One tensor: is it in a list of one object? */
        const dsp_lex_place after = dsp_lex_tell(l);
        dsp_lex_seek(l, at);
        dsp_lex_take(l, '[');
        if (dsp_lex_next(l) != '{') {
            dsp_lex_seek(l, after);
            t->count = t->whole.dims[0] > 0 ? (size_t)t->whole.dims[0] : 0;
            return true;
        }
        dsp_lex_seek(l, at);
    }
    t->whole.list = true;
    l->at++;
    if (dsp_lex_take(l, ']'))
        return true;
    do {
        bool is_object;
        if (!read_item(s, t, NULL, depth + 1, &is_object))
            return false;
        t->objects = t->count == 1 ? is_object : t->objects && is_object;
    } while (dsp_lex_take(l, ','));
    return dsp_lex_take(l, ']') || dsp_lex_fail(l, DSP_E_FORMAT, "',' or ']' expected");
}

static const char *const keys_known[] = {"output_data", "outputs", "input_data", "input", "data", "inputs"};
enum { N_KEYS = sizeof keys_known / sizeof *keys_known };
typedef struct { table best; size_t first, rank; } choice;   /* rank: place among the keys, N_KEYS when there is none */

static bool root_member(scanner *s, void *arg, const char *name, unsigned depth)
{
    choice *c = arg;
    span    v;
    size_t  k = c->first;
    while (k < N_KEYS && strcmp(keys_known[k], name) != 0)
        k++;
    if (k >= c->rank)
        return scan(s, &v, depth);
    c->rank = k;
    memset(&c->best, 0, sizeof c->best);
    return read_table(s, &c->best, depth);
}

static bool read_root(scanner *s, table *t, bool outputs)
{
    choice c = {.first = outputs ? 0 : 2, .rank = N_KEYS};
    if (dsp_lex_next(&s->lex) == '{') {
        if (!object(s, 0, root_member, &c))
            return false;
        if (c.rank == N_KEYS && s->lex.status == DSP_OK)
            s->lex.status = dsp_fail(s->lex.err, DSP_E_FORMAT, "%s: a list, or an object with %sinput_data, input, data or inputs expected", s->lex.what,
                                     outputs ? "output_data, outputs, " : "");
        *t = c.best;
    } else if (!read_table(s, t, 0)) {
        return false;
    }
    if (s->lex.status == DSP_OK && dsp_lex_next(&s->lex) != 0)
        dsp_lex_fail(&s->lex, DSP_E_FORMAT, "something follows the value");
    return s->lex.status == DSP_OK;
}

/* ---- which list is which tensor ---- */

static dsp_status check_shape(const item *it, const dsp_tensor_spec *spec, const char *what, dsp_err *err)
{
    int64_t      a[MAX_DEPTH], b[DSP_MAX_RANK];
    char         text[128];
    const size_t na = it->shape_ok ? dsp_dims_squeeze(a, it->dims, it->rank) : 0, nb = dsp_dims_squeeze(b, spec->dims, spec->rank);
    if (!it->shape || (it->shape_ok && na == nb && memcmp(a, b, na * sizeof *a) == 0))
        return DSP_OK;
    dsp_dims_text(text, sizeof text, spec->dims, spec->rank);
    return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": shape %s expected, another one stated", what, spec->name, text);
}

static dsp_status choose(const span **v, const table *t, const dsp_tensor_spec *spec, size_t n, size_t i, const char *what, dsp_err *err)
{
    const item *it = NULL;
    if (t->keyed || t->objects) {
        const size_t kept = t->count < n ? t->count : n;
        for (size_t k = 0; k < kept && !it; k++)
            if (t->items[k].name ? strcmp(t->items[k].name, spec[i].name) == 0 : n == 1 && !t->keyed)
                it = &t->items[k];
        if (t->count != n && (it || t->count > n || t->objects))
            return dsp_fail(err, DSP_E_FORMAT, "%s: %zu tensors expected, %zu %s found", what, n, t->count, t->keyed ? "keys" : "entries");
        if (!it || !it->data)
            return dsp_fail(err, DSP_E_FORMAT, "%s: no %s\"%s\"", what, t->keyed ? "data for " : "entry with name and data for ", spec[i].name);
        *v = &it->value;
        return check_shape(it, &spec[i], what, err);
    }
    if (!t->whole.list)
        return dsp_fail(err, DSP_E_FORMAT, "%s: a list of numbers expected", what);
    if (n == 1) {
        *v = &t->whole;
        return DSP_OK;
    }
    if (t->count != n)
        return dsp_fail(err, DSP_E_FORMAT, "%s: one list per tensor expected (%zu), %zu items found", what, n, t->count);
    *v = &t->items[i].value;
    return t->items[i].value.list && !t->items[i].object ? DSP_OK : dsp_fail(err, DSP_E_FORMAT, "%s: one list per tensor expected, something else found at item %zu", what, i);
}

/* The numbers of a list whose shape is known. */
static dsp_status fill(dsp_array *out, scanner *s, const dsp_tensor_spec *spec, const span *v, const char *what, dsp_err *err)
{
    dsp_lex     *l = &s->lex;
    const size_t size = dsp_dtype_size(spec->dtype);
    uint8_t     *p;
    dsp_jnum     x;
    char         text[128];
    if (v->is != IS_NUMBERS) {
        dsp_dims_text(text, sizeof text, spec->dims, spec->rank);
        return dsp_fail(err, DSP_E_FORMAT, "%s: \"%s\": numbers in lists of equal length expected (shape %s)", what, spec->name, text);
    }
    dsp_status r = dsp_spec_fits(spec, v->dims, v->rank, what, err);
    if (r != DSP_OK || (r = dsp_spec_room(out, &p, spec, what, err)) != DSP_OK)
        return r;
    dsp_lex_seek(l, v->at);
    for (size_t i = 0; i < out->count && r == DSP_OK; i++, p += size) {
        for (char c = dsp_lex_next(l); c == '[' || c == ']' || c == ','; c = dsp_lex_next(l))
            l->at++;
        if (!dsp_lex_number(l, &x))
            r = l->status;
        else if (!dsp_value_put(p, spec->dtype, &x))
            r = dsp_value_refused(spec, &x, what, err);
    }
    return r;
}

dsp_status dsp_tensors_read_json(dsp_array *out, const dsp_tensor_spec *spec, size_t n, int fd, const char *what, bool outputs, dsp_err *err)
{
    scanner    s = {.max = n};
    table      t = {0};
    dsp_status r = dsp_lex_file(&s.lex, fd, what, err);
    memset(out, 0, n * sizeof *out);
    s.arena = dsp_arena_create(0);
    if (r == DSP_OK && !s.arena)
        r = dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", what);
    if (r == DSP_OK && !read_root(&s, &t, outputs))
        r = s.lex.status;
    for (size_t i = 0; i < n && r == DSP_OK; i++) {
        const span *v = NULL;
        r = choose(&v, &t, spec, n, i, what, err);
        if (r == DSP_OK)
            r = fill(&out[i], &s, &spec[i], v, what, err);
    }
    if (r != DSP_OK)
        for (size_t i = 0; i < n; i++)
            dsp_array_release(&out[i]);
    dsp_arena_free(s.arena);
    dsp_lex_release(&s.lex);
    return r;
}
