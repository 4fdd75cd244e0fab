/* Reading JSON with many numbers: one pass, numbers stored flat, everything in one arena. */
#include <string.h>

#include "base/file.h"
#include "pipeline/json_lex.h"

enum { MAX_DEPTH = 32, MAX_KEYS = 1024, MAX_FILE = 1 << 30 };
/* Memory for a document of n bytes: this and 2 n. With the text itself and tensors made of its numbers it stays below 64 MiB + 4 n; numbers of
 * twelve bytes or more always fit. */
static const size_t tree_bytes = (size_t)40 << 20;

struct dsp_jdoc {
    dsp_arena *arena;
    dsp_jnode *root;
};

typedef struct {
    dsp_lex    lex;             /* over memory: lex.at and lex.end are the text that is left */
    dsp_arena *arena;
    char       text[DSP_LEX_TOKEN];
} parser;

static void *refuse(parser *p, const char *msg)
{
    dsp_lex_fail(&p->lex, DSP_E_FORMAT, msg);
    return NULL;
}

/* Memory is short, or, more likely, the ceiling is reached. */
static dsp_status no_memory(parser *p)
{
    dsp_lex     *l = &p->lex;
    const size_t len = (size_t)(l->end - l->base);
    if (l->status == DSP_OK)
        l->status = dsp_fail(l->err, DSP_E_FORMAT, "%s: its %zu bytes take more than %zu bytes of memory", l->what, len, tree_bytes + 2 * len);
    return l->status;
}

static const char *string(parser *p)
{
    if (!dsp_lex_string(&p->lex, p->text))
        return NULL;
    const char *s = dsp_arena_strdup(p->arena, p->text);
    if (!s)
        no_memory(p);
    return s;
}

static dsp_jnode *value(parser *p, unsigned depth);

static dsp_jnode *node(parser *p, uint8_t kind)
{
    dsp_jnode *n = DSP_ARENA_NEW(p->arena, dsp_jnode);
    if (!n) {
        no_memory(p);
        return NULL;
    }
    n->kind = kind;
    return n;
}

/* Items of the list that starts here, by the commas up to its bracket: at least as many as it has where it is well formed. */
static size_t count_items(const parser *p)
{
    size_t items = 1, depth = 0;
    const char *const end = p->lex.end;
    for (const char *c = p->lex.at; c < end; c++)
        switch (*c) {
        case '"':
            for (c++; c < end && *c != '"'; c++)
                c += *c == '\\' && c + 1 < end;
            break;
        case '[': case '{':
            depth++;
            break;
        case ']': case '}':
            if (depth-- == 0)
                return items;
            break;
        case ',':
            items += depth == 0;
            break;
        default:
            break;
        }
    return items;
}

/* Room for count items. */
static void *room(parser *p, size_t count, size_t size)
{
    void *q = dsp_arena_raw(p->arena, count, size);
    if (!q)
        no_memory(p);
    return q;
}

static dsp_jnode *array(parser *p, unsigned depth)
{
    dsp_lex   *l = &p->lex;
    dsp_jnode *n = node(p, DSP_J_NUMBERS);
    if (!n || !dsp_lex_take(l, '['))
        return NULL;
    if (dsp_lex_take(l, ']'))
        return n; /* an empty list of numbers */
    const size_t cap = count_items(p);
    if (dsp_lex_starts_number(dsp_lex_next(l)))
        n->num = room(p, cap, sizeof *n->num);
    else {
        n->kind = DSP_J_ARRAY;
        n->item = room(p, cap, sizeof *n->item);
    }
    if (!n->num && !n->item)
        return NULL;
    do {
        if (n->count == cap)
            return refuse(p, "brackets that do not match");
        if (n->kind == DSP_J_NUMBERS) {
            if (!dsp_lex_number(l, &n->num[n->count]))
                return NULL;
        } else {
            if (dsp_lex_starts_number(dsp_lex_next(l)))
                return refuse(p, "numbers and lists are mixed in one list");
            if (!(n->item[n->count] = value(p, depth + 1)))
                return NULL;
        }
        n->count++;
    } while (dsp_lex_take(l, ','));
    return dsp_lex_take(l, ']') ? n : refuse(p, "',' or ']' expected");
}

static dsp_jnode *object(parser *p, unsigned depth)
{
    dsp_lex   *l = &p->lex;
    dsp_jnode *n = node(p, DSP_J_OBJECT);
    if (!n || !dsp_lex_take(l, '{'))
        return NULL;
    if (dsp_lex_take(l, '}'))
        return n;
    const size_t cap = count_items(p);
    if (cap > MAX_KEYS)
        return refuse(p, "an object has more than 1024 keys");
    if (!(n->item = room(p, cap, sizeof *n->item)) || !(n->key = room(p, cap, sizeof *n->key)))
        return NULL;
    do {
        if (n->count == cap)
            return refuse(p, "brackets that do not match");
        if (dsp_lex_next(l) != '"')
            return refuse(p, "a key in quotes expected");
        if (!(n->key[n->count] = string(p)))
            return NULL;
        for (size_t i = 0; i < n->count; i++)
            if (strcmp(n->key[i], n->key[n->count]) == 0)
                return refuse(p, "a key occurs twice");
        if (!dsp_lex_take(l, ':'))
            return refuse(p, "':' expected");
        if (!(n->item[n->count] = value(p, depth + 1)))
            return NULL;
        n->count++;
    } while (dsp_lex_take(l, ','));
    return dsp_lex_take(l, '}') ? n : refuse(p, "',' or '}' expected");
}

static dsp_jnode *value(parser *p, unsigned depth)
{
    const char c = dsp_lex_next(&p->lex);
    if (depth > MAX_DEPTH)
        return refuse(p, "nesting deeper than 32");
    if (c == '[')
        return array(p, depth);
    if (c == '{')
        return object(p, depth);
    dsp_jnode *n = node(p, DSP_J_NULL);
    if (!n || dsp_lex_null(&p->lex))
        return n;
    if (c == '"') {
        n->kind = DSP_J_STRING;
        n->text = string(p);
        return n->text ? n : NULL;
    }
    n->kind = DSP_J_NUMBER;
    n->count = 1;
    n->num = room(p, 1, sizeof *n->num);
    return n->num && dsp_lex_number(&p->lex, n->num) ? n : NULL;
}

dsp_status dsp_jdoc_read(dsp_jdoc **doc, const uint8_t *bytes, size_t len, const char *what, dsp_err *err)
{
    parser    p;
    dsp_jdoc *d = DSP_NEW(dsp_jdoc);
    *doc = NULL;
    dsp_lex_memory(&p.lex, (const char *)bytes, len, what, err);
    if (!d || !(d->arena = dsp_arena_create(tree_bytes + 2 * len))) {
        dsp_free(d);
        return no_memory(&p);
    }
    p.arena = d->arena;
    d->root = value(&p, 0);
    if (d->root && dsp_lex_next(&p.lex) != 0)
        refuse(&p, "something follows the value");
    if (p.lex.status != DSP_OK) {
        dsp_jdoc_free(d);
        return p.lex.status;
    }
    *doc = d;
    return DSP_OK;
}

dsp_status dsp_jdoc_load(dsp_jdoc **doc, const char *path, dsp_err *err)
{
    uint8_t *p = NULL;
    size_t   n = 0;
    *doc = NULL;
    dsp_status s = dsp_file_read(&p, &n, path, MAX_FILE, err);
    if (s == DSP_E_LIMIT)
        s = DSP_E_FORMAT;
    if (s == DSP_OK)
        s = dsp_jdoc_read(doc, p, n, path, err);
    dsp_free(p);
    return s;
}

void dsp_jdoc_free(dsp_jdoc *doc)
{
    if (!doc)
        return;
    dsp_arena_free(doc->arena);
    dsp_free(doc);
}

const dsp_jnode *dsp_jdoc_root(const dsp_jdoc *doc) { return doc->root; }

const dsp_jnode *dsp_jnode_get(const dsp_jnode *o, const char *key)
{
    if (o && o->kind == DSP_J_OBJECT)
        for (size_t i = 0; i < o->count; i++)
            if (strcmp(o->key[i], key) == 0)
                return o->item[i];
    return NULL;
}
