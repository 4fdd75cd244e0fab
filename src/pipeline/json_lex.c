#include "pipeline/json_lex.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

enum { WINDOW = 1 << 18 };

const char *dsp_json_number(dsp_jnum *out, const char **end, const char *s)
{
    static const double p10[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *q = s;
    const bool  neg = *q == '-';
    uint64_t    mant = 0;
    bool        exact = true, plain = true;
    int         scale = 0;
    if (strncmp(s, "true", 4) == 0 || strncmp(s, "false", 5) == 0) {
        *out = (dsp_jnum){*s == 't', *s == 't', true};
        *end = s + (*s == 't' ? 4 : 5);
        return NULL;
    }
    q += neg;
    if (*q < '0' || *q > '9')
        return strncmp(q, "NaN", 3) == 0 || strncmp(q, "Inf", 3) == 0 ? "a finite number expected" : "a value expected";
    const char *digits = q;
    for (; *q >= '0' && *q <= '9'; q++) {
        exact = exact && mant <= (UINT64_MAX - 9) / 10;
        mant = exact ? mant * 10 + (uint64_t)(*q - '0') : mant;
    }
    if (*digits == '0' && q - digits > 1)
        return "a number starts with a zero";
    if (*q == '.') {
        const char *frac = ++q;
        plain = false;
        for (; *q >= '0' && *q <= '9'; q++, scale++) {
            exact = exact && mant <= (UINT64_MAX - 9) / 10;
            mant = exact ? mant * 10 + (uint64_t)(*q - '0') : mant;
        }
        if (q == frac)
            return "digits expected after the point";
    }
    if (*q == 'e' || *q == 'E') {
        plain = exact = false;
        q++;
        q += *q == '+' || *q == '-';
        const char *ex = q;
        while (*q >= '0' && *q <= '9')
            q++;
        if (q == ex)
            return "digits expected in the exponent";
    }
    if (exact && mant < (uint64_t)1 << 53 && scale <= 22) /* both exact doubles: one correctly rounded division */
        out->d = (double)mant / p10[scale];
    else
        out->d = fabs(strtod(s, NULL));
    out->d = neg ? -out->d : out->d;
    out->exact = plain && exact && mant <= (uint64_t)INT64_MAX;
    out->i = out->exact ? (neg ? -(int64_t)mant : (int64_t)mant) : 0;
    *end = q;
    return isfinite(out->d) ? NULL : "a finite number expected";
}

/* ---- the window ---- */

void dsp_lex_memory(dsp_lex *l, const char *p, size_t len, const char *what, dsp_err *err)
{
    *l = (dsp_lex){.at = p, .end = p + len, .base = p, .fd = -1, .eof = true, .line = 1, .what = what, .err = err};
}

dsp_status dsp_lex_file(dsp_lex *l, int fd, const char *what, dsp_err *err)
{
    *l = (dsp_lex){.fd = fd, .line = 1, .what = what, .err = err};
    l->window = dsp_calloc(WINDOW + 1, 1);
    if (!l->window)
        return dsp_fail(err, DSP_E_NOMEM, "%s: no memory for its content", what);
    l->at = l->end = l->base = l->window;
    return DSP_OK;
}

void dsp_lex_release(dsp_lex *l)
{
    if (l->window)
        dsp_wipe(l->window, WINDOW);
    dsp_free(l->window);
    l->window = NULL;
}

static uint64_t offset(const dsp_lex *l) { return l->base_at + (uint64_t)(l->at - l->base); }

/* Keeps what is unread and reads on. */
static void refill(dsp_lex *l)
{
    const size_t kept = (size_t)(l->end - l->at);
    l->base_at = offset(l);
    memmove(l->window, l->at, kept);
    size_t n = kept;
    while (n < WINDOW) {
        const ssize_t k = pread(l->fd, l->window + n, WINDOW - n, (off_t)(l->base_at + n));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0 && l->status == DSP_OK)
            l->status = dsp_fail(l->err, DSP_E_IO, "%s: cannot read: %s", l->what, strerror(errno));
        if (k <= 0) {
            l->eof = true;
            break;
        }
        n += (size_t)k;
    }
    l->window[n] = 0;
    l->at = l->window;
    l->end = l->window + n;
}

/* Room for one token, as far as there is more. */
static inline void ahead(dsp_lex *l)
{
    if (!l->eof && (size_t)(l->end - l->at) < DSP_LEX_TOKEN)
        refill(l);
}

dsp_lex_place dsp_lex_tell(const dsp_lex *l) { return (dsp_lex_place){offset(l), l->line, l->line_at}; }

void dsp_lex_seek(dsp_lex *l, dsp_lex_place to)
{
    l->line = to.line;
    l->line_at = to.line_at;
    if (to.at >= l->base_at && to.at <= l->base_at + (uint64_t)(l->end - l->base)) {
        l->at = l->base + (to.at - l->base_at);
        return;
    }
    l->base_at = to.at;
    l->at = l->end = l->base;
    l->eof = false;
    refill(l);
}

bool dsp_lex_fail(dsp_lex *l, dsp_status code, const char *msg)
{
    if (l->status == DSP_OK)
        l->status = dsp_fail(l->err, code, "%s: line %ju, column %ju: %s", l->what, (uintmax_t)l->line, (uintmax_t)(offset(l) - l->line_at + 1), msg);
    return false;
}

char dsp_lex_next(dsp_lex *l)
{
    for (;;) {
        ahead(l);
        if (l->at == l->end || l->status != DSP_OK)
            return 0;
        const char c = *l->at;
        if (c == '\n') {
            l->line++;
            l->line_at = offset(l) + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            if (c == 0)
                dsp_lex_fail(l, DSP_E_FORMAT, "a NUL byte");
            return c;
        }
        l->at++;
    }
}

bool dsp_lex_take(dsp_lex *l, char c)
{
    if (dsp_lex_next(l) != c)
        return false;
    l->at++;
    return true;
}

/* ---- tokens ---- */

bool dsp_lex_number(dsp_lex *l, dsp_jnum *n)
{
    const char *end;
    dsp_lex_next(l);
    if (l->status != DSP_OK)
        return false;
    const char *why = dsp_json_number(n, &end, l->at);
    if (!why && end - l->at >= DSP_LEX_TOKEN)
        why = "a number of more than 4095 characters";
    if (why)
        return dsp_lex_fail(l, DSP_E_FORMAT, why);
    l->at = end;
    return true;
}

bool dsp_lex_null(dsp_lex *l)
{
    if (dsp_lex_next(l) != 'n' || strncmp(l->at, "null", 4) != 0)
        return false;
    l->at += 4;
    return true;
}

static int hex4(const char *s)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        const char c = s[i];
        const int  d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static char *put_utf8(char *w, int v)
{
    if (v < 0x80) {
        *w++ = (char)v;
        return w;
    }
    if (v < 0x800) {
        *w++ = (char)(0xc0 | v >> 6);
    } else {
        *w++ = (char)(0xe0 | v >> 12);
        *w++ = (char)(0x80 | (v >> 6 & 0x3f));
    }
    *w++ = (char)(0x80 | (v & 0x3f));
    return w;
}

bool dsp_lex_string(dsp_lex *l, char out[DSP_LEX_TOKEN])
{
    static const char code[] = "\"\\/bfnrt", real[] = "\"\\/\b\f\n\r\t";
    char             *w = out;
    if (!dsp_lex_take(l, '"'))
        return dsp_lex_fail(l, DSP_E_FORMAT, "a string expected");
    for (;;) {
        ahead(l);
        const unsigned char c = (unsigned char)*l->at;
        if (l->at == l->end || c < 0x20)
            return dsp_lex_fail(l, DSP_E_FORMAT, "a string does not end");
        if (w - out > DSP_LEX_TOKEN - 8)
            return dsp_lex_fail(l, DSP_E_FORMAT, "a string of more than 4088 bytes");
        l->at++;
        if (c == '"')
            break;
        if (c != '\\') {
            *w++ = (char)c;
            continue;
        }
        const char *from = *l->at ? strchr(code, *l->at) : NULL;
        if (from) {
            *w++ = real[from - code];
            l->at++;
            continue;
        }
        const int v = *l->at == 'u' ? hex4(l->at + 1) : -1;
        if (*l->at != 'u')
            return dsp_lex_fail(l, DSP_E_FORMAT, "an unknown escape in a string");
        if (v <= 0 || (v >= 0xd800 && v < 0xe000))
            return dsp_lex_fail(l, DSP_E_FORMAT, "an escape that is not read here");
        w = put_utf8(w, v);
        l->at += 5;
    }
    *w = 0;
    return dsp_utf8_valid((const uint8_t *)out, (size_t)(w - out)) || dsp_lex_fail(l, DSP_E_FORMAT, "a string is not UTF-8");
}
