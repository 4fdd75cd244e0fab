/* Reading JSON with many numbers: one pass, numbers stored flat, everything in one arena. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/mem.h"
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
    const char *at, *end, *start;   /* *end is 0 */
    const char *what;
    dsp_arena  *arena;
    dsp_err    *err;
    dsp_status  status;
} parser;

static dsp_status fail_at(parser *p, dsp_status code, const char *msg)
{
    size_t line = 1, col = 1;
    if (p->status != DSP_OK)
        return p->status;
    for (const char *c = p->start; c < p->at; c++) {
        col = *c == '\n' ? 1 : col + 1;
        line += *c == '\n';
    }
    p->status = dsp_fail(p->err, code, "%s: line %zu, column %zu: %s", p->what, line, col, msg);
    return p->status;
}

/* Memory is short, or, more likely, the ceiling is reached. */
static dsp_status no_memory(parser *p)
{
    if (p->status == DSP_OK)
        p->status = dsp_fail(p->err, DSP_E_FORMAT, "%s: its %zu bytes take more than %zu bytes of memory", p->what, (size_t)(p->end - p->start),
                             tree_bytes + 2 * (size_t)(p->end - p->start));
    return p->status;
}

static void blanks(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

static bool word(parser *p, const char *w)
{
    const size_t n = strlen(w);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, w, n) != 0)
        return false;
    p->at += n;
    return true;
}

static bool number(parser *p, dsp_jnum *out)
{
    const char *why = dsp_json_number(out, &p->at, p->at);
    if (why)
        fail_at(p, DSP_E_FORMAT, why);
    return !why;
}

static unsigned hex4(const char *s, bool *ok)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        const char c = s[i];
        const int  d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0) {
            *ok = false;
            return 0;
        }
        v = v << 4 | (unsigned)d;
    }
    return v;
}

static const char *string(parser *p)
{
    const char *s = ++p->at, *q = s;
    while (q < p->end && *q != '"' && (unsigned char)*q >= 0x20)
        q += *q == '\\' && q + 1 < p->end ? 2 : 1;
    if (q >= p->end || *q != '"') {
        fail_at(p, DSP_E_FORMAT, "a string does not end");
        return NULL;
    }
    char *out = dsp_arena_alloc(p->arena, (size_t)(q - s) + 1, 1), *w = out;
    if (!out) {
        no_memory(p);
        return NULL;
    }
    for (; s < q; s++) {
        if (*s != '\\') {
            *w++ = *s;
            continue;
        }
        static const char code[] = "\"\\/bfnrt", real[] = "\"\\/\b\f\n\r\t";
        const char *from = *++s ? strchr(code, *s) : NULL;
        if (from) {
            *w++ = real[from - code];
        } else if (*s == 'u' && q - s > 4) {
            bool           ok = true;
            const unsigned v = hex4(s + 1, &ok);
            if (!ok || v == 0 || (v >= 0xd800 && v < 0xe000)) {
                p->at = s;
                fail_at(p, DSP_E_FORMAT, "an escape that is not read here");
                return NULL;
            }
            if (v < 0x80)
                *w++ = (char)v;
            else if (v < 0x800) {
                *w++ = (char)(0xc0 | v >> 6);
                *w++ = (char)(0x80 | (v & 0x3f));
            } else {
                *w++ = (char)(0xe0 | v >> 12);
                *w++ = (char)(0x80 | (v >> 6 & 0x3f));
                *w++ = (char)(0x80 | (v & 0x3f));
            }
            s += 4;
        } else {
            p->at = s;
            fail_at(p, DSP_E_FORMAT, "an unknown escape in a string");
            return NULL;
        }
    }
    if (!dsp_utf8_valid((const uint8_t *)out, (size_t)(w - out))) {
        fail_at(p, DSP_E_FORMAT, "a string is not UTF-8");
        return NULL;
    }
    p->at = q + 1;
    return out;
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
    for (const char *c = p->at; c < p->end; c++)
        switch (*c) {
        case '"':
            for (c++; c < p->end && *c != '"'; c++)
                c += *c == '\\' && c + 1 < p->end;
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

static bool starts_number(char c) { return c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f'; }

static dsp_jnode *array(parser *p, unsigned depth)
{
    dsp_jnode *n = node(p, DSP_J_ARRAY);
    size_t     cap = 0;
    p->at++;
    blanks(p);
    if (!n)
        return NULL;
    if (*p->at == ']') {
        p->at++;
        n->kind = DSP_J_NUMBERS;   /* an empty list of numbers */
        return n;
    }
    n->kind = starts_number(*p->at) ? DSP_J_NUMBERS : DSP_J_ARRAY;
    cap = count_items(p);
    if (n->kind == DSP_J_NUMBERS ? !(n->num = room(p, cap, sizeof *n->num)) : !(n->item = room(p, cap, sizeof *n->item)))
        return NULL;
    for (;;) {
        if (n->count == cap) {
            fail_at(p, DSP_E_FORMAT, "brackets that do not match");
            return NULL;
        }
        blanks(p);
        if (n->kind == DSP_J_NUMBERS) {
            if (!number(p, &n->num[n->count]))
                return NULL;
        } else {
            if (starts_number(*p->at)) {
                fail_at(p, DSP_E_FORMAT, "numbers and lists are mixed in one list");
                return NULL;
            }
            if (!(n->item[n->count] = value(p, depth + 1)))
                return NULL;
        }
        n->count++;
        blanks(p);
        if (*p->at == ',') {
            p->at++;
            continue;
        }
        if (*p->at != ']') {
            fail_at(p, DSP_E_FORMAT, "',' or ']' expected");
            return NULL;
        }
        p->at++;
        return n;
    }
}

static dsp_jnode *object(parser *p, unsigned depth)
{
    dsp_jnode *n = node(p, DSP_J_OBJECT);
    size_t     cap = 0;
    p->at++;
    blanks(p);
    if (!n)
        return NULL;
    if (*p->at == '}') {
        p->at++;
        return n;
    }
    cap = count_items(p);
    if (cap > MAX_KEYS) {
        fail_at(p, DSP_E_FORMAT, "an object has more than 1024 keys");
        return NULL;
    }
    if (!(n->item = room(p, cap, sizeof *n->item)) || !(n->key = room(p, cap, sizeof *n->key)))
        return NULL;
    for (;;) {
        if (n->count == cap) {
            fail_at(p, DSP_E_FORMAT, "brackets that do not match");
            return NULL;
        }
        blanks(p);
        if (*p->at != '"') {
            fail_at(p, DSP_E_FORMAT, "a key in quotes expected");
            return NULL;
        }
        if (!(n->key[n->count] = string(p)))
            return NULL;
        for (size_t i = 0; i < n->count; i++)
            if (strcmp(n->key[i], n->key[n->count]) == 0) {
                fail_at(p, DSP_E_FORMAT, "a key occurs twice");
                return NULL;
            }
        blanks(p);
        if (*p->at != ':') {
            fail_at(p, DSP_E_FORMAT, "':' expected");
            return NULL;
        }
        p->at++;
        if (!(n->item[n->count] = value(p, depth + 1)))
            return NULL;
        n->count++;
        blanks(p);
        if (*p->at == ',') {
            p->at++;
            continue;
        }
        if (*p->at != '}') {
            fail_at(p, DSP_E_FORMAT, "',' or '}' expected");
            return NULL;
        }
        p->at++;
        return n;
    }
}

static dsp_jnode *value(parser *p, unsigned depth)
{
    if (depth > MAX_DEPTH) {
        fail_at(p, DSP_E_FORMAT, "nesting deeper than 32");
        return NULL;
    }
    blanks(p);
    if (*p->at == '[')
        return array(p, depth);
    if (*p->at == '{')
        return object(p, depth);
    dsp_jnode *n = node(p, DSP_J_NULL);
    if (!n || word(p, "null"))
        return n;
    if (*p->at == '"') {
        n->kind = DSP_J_STRING;
        n->text = string(p);
        return n->text ? n : NULL;
    }
    n->kind = DSP_J_NUMBER;
    n->count = 1;
    n->num = DSP_ARENA_NEW(p->arena, dsp_jnum);
    if (!n->num) {
        no_memory(p);
        return NULL;
    }
    return number(p, n->num) ? n : NULL;
}

dsp_status dsp_jdoc_read(dsp_jdoc **doc, const uint8_t *bytes, size_t len, const char *what, dsp_err *err)
{
    parser    p = {(const char *)bytes, (const char *)bytes + len, (const char *)bytes, what, NULL, err, DSP_OK};
    dsp_jdoc *d = DSP_NEW(dsp_jdoc);
    *doc = NULL;
    if (!d || !(d->arena = dsp_arena_create(tree_bytes + 2 * len))) {
        dsp_free(d);
        return no_memory(&p);
    }
    p.arena = d->arena;
    if (memchr(bytes, 0, len))
        fail_at(&p, DSP_E_FORMAT, "a NUL byte");
    else if ((d->root = value(&p, 0)) != NULL) {
        blanks(&p);
        if (p.at != p.end)
            fail_at(&p, DSP_E_FORMAT, "something follows the value");
    }
    if (p.status != DSP_OK) {
        dsp_jdoc_free(d);
        return p.status;
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
