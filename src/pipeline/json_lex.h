/* Tokens of a JSON text, from memory or from a file of any size through a window: what is read of a file is never held as a whole. The bytes are
 * anyone's.
 */
#ifndef DSP_PIPELINE_JSON_LEX_H
#define DSP_PIPELINE_JSON_LEX_H

#include "base/mem.h"
#include "pipeline/tensor_file.h"

enum { DSP_LEX_TOKEN = 4096 };   /* longest number or string */

typedef struct { uint64_t at, line, line_at; } dsp_lex_place;

typedef struct {
    const char *at, *end;        /* unread part of the window; *end is 0 */
    char       *window;          /* of a file; NULL: all is in memory */
    int         fd;              /* -1: memory */
    bool        eof;             /* the window reaches the end */
    const char *base;            /* first byte of the window, at offset base_at */
    uint64_t    base_at, line, line_at;
    const char *what;
    dsp_err    *err;
    dsp_status  status;          /* the first failure */
} dsp_lex;

/* p[len] is 0; what is borrowed. */
void dsp_lex_memory(dsp_lex *l, const char *p, size_t len, const char *what, dsp_err *err);
/* fd is borrowed; reads from its start. */
DSP_MUST_USE dsp_status dsp_lex_file(dsp_lex *l, int fd, const char *what, dsp_err *err);
void dsp_lex_release(dsp_lex *l);

dsp_lex_place dsp_lex_tell(const dsp_lex *l);
/* Goes back (or on) to a place that tell gave. */
void dsp_lex_seek(dsp_lex *l, dsp_lex_place to);

/* "what: line l, column c: msg", unless a failure came before. Always false. */
bool dsp_lex_fail(dsp_lex *l, dsp_status code, const char *msg);
/* The next byte that is no blank, not taken; 0 at the end (a NUL byte is a failure). */
char dsp_lex_next(dsp_lex *l);
/* The next byte that is no blank is c: taken. */
bool dsp_lex_take(dsp_lex *l, char c);
/* A number in JSON's grammar, true, or false. */
bool dsp_lex_number(dsp_lex *l, dsp_jnum *n);
static inline bool dsp_lex_starts_number(char c) { return c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f'; }
/* A string without NUL; out gets its text and a terminator. */
bool dsp_lex_string(dsp_lex *l, char out[DSP_LEX_TOKEN]);
bool dsp_lex_null(dsp_lex *l);

/* Reads one number at s, which ends in a NUL; *end is set after it. NULL, or what is wrong. */
const char *dsp_json_number(dsp_jnum *out, const char **end, const char *s);

#endif
