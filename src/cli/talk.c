/* Printing, and reading of option values. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "pipeline/json.h"

static const char *const red = "\033[31m", *const green = "\033[32m", *const yellow = "\033[33m", *const cyan = "\033[36m", *const plain = "\033[0m";

/* Names and reasons may come from anyone: control characters become '?'. Line breaks stay where lines is set, and at the start. */
static void put_clean(FILE *f, const char *s, bool lines)
{
    bool start = true;
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];
        if (c == 0xc2 && next >= 0x80 && next < 0xa0) { /* U+0080 to U+009F */
            fputc('?', f);
            s++;
        } else {
            fputc((c < 0x20 && c != '\t' && !(c == '\n' && (lines || start))) || c == 0x7f ? '?' : c, f);
        }
        start = start && c == '\n';
    }
}

static void put_format(FILE *f, const char *fmt, va_list ap)
{
    char    text[2048], *all = text;
    va_list again;
    va_copy(again, ap);
    const int n = vsnprintf(text, sizeof text, fmt, ap);
    if (n >= (int)sizeof text && (all = dsp_calloc((size_t)n + 1, 1)) != NULL)
        vsnprintf(all, (size_t)n + 1, fmt, again);
    va_end(again);
    put_clean(f, all ? all : text, strchr(fmt, '\n') != NULL);
    if (all != text)
        dsp_free(all);
}

void cli_say(void *arg, dsp_say level, const char *text)
{
    cli *c = arg;
    if ((int)level < c->level || (c->quiet && level < DSP_SAY_ERROR))
        return;
    const char *colour = level == DSP_SAY_ERROR ? red : level == DSP_SAY_WARNING ? yellow : cyan;
    cli_talk_begin(c);
    fprintf(stderr, "%s%s", c->colour_err ? colour : "", level == DSP_SAY_WARNING ? "warning: " : "");
    put_clean(stderr, text, false);
    fprintf(stderr, "%s\n", c->colour_err ? plain : "");
    cli_talk_end(c);
}

void cli_put(FILE *f, const char *text) { put_clean(f, text, false); }

static void error_line(cli *c, const char *text)
{
    fprintf(stderr, "%sdsperse%s%s: ", c->colour_err ? red : "", c->cmd ? " " : "", c->cmd ? c->cmd->name : "");
    put_clean(stderr, text, false);
    fprintf(stderr, "%s\n", c->colour_err ? plain : "");
}

static void print_json(cli *c, json_t *o, int code, const char *error)
{
    if (c->cmd)
        json_object_set_new(o, "command", json_string(c->cmd->name));
    json_object_set_new(o, "exit_code", json_integer(code));
    if (error)
        json_object_set_new(o, "error", json_string(error));
    json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
}

int cli_fail(cli *c, int code, const char *text)
{
    error_line(c, text);
    if (c->json) {
        json_t *o = json_object();
        print_json(c, o, code, text);
        json_decref(o);
    }
    return code;
}

int cli_usage(cli *c, const char *fmt, ...)
{
    char    text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cli_fail(c, EXIT_USAGE, text);
    fprintf(stderr, "try: dsperse %s%s-h\n", c->cmd ? c->cmd->name : "", c->cmd ? " " : "");
    return EXIT_USAGE;
}

int cli_exit_code(dsp_status s)
{
    switch (s) {
    case DSP_OK:            return EXIT_OK;
    case DSP_E_ARG:         return EXIT_USAGE;
    case DSP_E_FORMAT:
    case DSP_E_MISSING:
    case DSP_E_RANGE:       return EXIT_MISSING;
    case DSP_E_REJECTED:    return EXIT_REJECTED;
    case DSP_E_UNAVAILABLE: return EXIT_NO_BACKEND;
    default:                return EXIT_FAILED;
    }
}

int cli_end(cli *c, dsp_status s, const dsp_err *err, json_t *report)
{
    const int code = cli_exit_code(s);
    if (s != DSP_OK)
        error_line(c, err->msg);
    if (c->json) {
        json_t *o = report ? json_incref(report) : json_object();
        print_json(c, o, code, s != DSP_OK ? err->msg : NULL);
        json_decref(o);
    }
    json_decref(report);
    return code;
}

void cli_text(cli *c, const char *fmt, ...)
{
    va_list ap;
    if (c->json || c->quiet)
        return;
    va_start(ap, fmt);
    put_format(stdout, fmt, ap);
    va_end(ap);
    putchar('\n');
}

void cli_insecure(cli *c, bool insecure)
{
    if (insecure && !c->json && !c->quiet)
        printf("%sINSECURE SRS: whoever made it can forge these proofs%s\n", c->colour_out ? red : "", c->colour_out ? plain : "");
}

bool cli_several(const json_t *rows)
{
    const json_t *o;
    size_t        i;
    json_array_foreach(rows, i, o)
        if (*dsp_json_str(o, "backend") && strcmp(dsp_json_str(o, "backend"), "native") != 0)
            return true;
    return false;
}

const char *cli_backend_column(char out[16], bool several, const char *name)
{
    out[0] = 0;
    if (several)
        snprintf(out, 16, " %-8.8s", *name ? name : "-");
    return out;
}

void cli_verdict(cli *c, bool good, const char *fmt, ...)
{
    va_list ap;
    if (c->json || c->quiet)
        return;
    printf("%s%s", c->colour_out ? (good ? green : red) : "", good ? "\xe2\x9c\x93 " : "\xe2\x9c\x97 ");
    va_start(ap, fmt);
    put_format(stdout, fmt, ap);
    va_end(ap);
    printf("%s\n", c->colour_out ? plain : "");
}

const char *cli_bytes(char out[32], double b)
{
    if (b < 1024)
        snprintf(out, 32, "%.0f B", b);
    else if (b < 1048576)
        snprintf(out, 32, "%.1f KiB", b / 1024);
    else if (b < 1073741824)
        snprintf(out, 32, "%.1f MiB", b / 1048576);
    else
        snprintf(out, 32, "%.2f GiB", b / 1073741824);
    return out;
}

const char *cli_seconds(char out[32], double s)
{
    if (s < 1)
        snprintf(out, 32, "%.1f ms", s * 1000);
    else
        snprintf(out, 32, "%.2f s", s);
    return out;
}

/* ---- values ---- */

static const char *shown(opt_id id, char out[48])
{
    const opt_row *r = cli_option(id);
    snprintf(out, 48, "--%.*s", (int)strcspn(r->names, " "), r->names);
    return out;
}

bool cli_number(cli *c, opt_id id, uint64_t max, uint64_t *out, int *code)
{
    const char *s = c->o.value[id];
    char        name[48];
    uint64_t    v = 0;
    bool        ok = s && *s;
    for (const char *p = s; ok && *p; p++) {
        ok = *p >= '0' && *p <= '9' && v <= (UINT64_MAX - 9) / 10;
        v = ok ? v * 10 + (uint64_t)(*p - '0') : 0;
    }
    if (!ok || v > max) {
        *code = cli_usage(c, "%s: a number up to %ju expected, \"%s\" found", shown(id, name), (uintmax_t)max, s ? s : "");
        return false;
    }
    *out = v;
    return true;
}

bool cli_size(cli *c, opt_id id, uint64_t *out, int *code)
{
    const char  *s = c->o.value[id];
    char         name[48], *end = NULL;
    const double v = s && ((*s >= '0' && *s <= '9') || *s == '.') ? strtod(s, &end) : -1;
    double       unit = 1;
    if (end && *end) {
        const char u = *end++;
        unit = u == 'k' || u == 'K' ? 1024.0 : u == 'm' || u == 'M' ? 1048576.0 : u == 'g' || u == 'G' ? 1073741824.0 : u == 't' || u == 'T' ? 1099511627776.0 : 0;
        if (strcmp(end, "iB") == 0 || strcmp(end, "B") == 0)
            end = end + strlen(end);
    }
    if (!(v > 0) || unit == 0 || (end && *end) || v * unit > 1e18) {
        *code = cli_usage(c, "%s: a size such as 512M or 4G expected, \"%s\" found", shown(id, name), s ? s : "");
        return false;
    }
    *out = (uint64_t)(v * unit);
    return true;
}

bool cli_dims(cli *c, dsp_dim_bind **binds, int *code)
{
    dsp_dim_bind *b = DSP_ARENA_N(c->o.arena, dsp_dim_bind, c->o.n_dims);
    *binds = b;
    for (size_t i = 0; b && i < c->o.n_dims; i++) {
        const char *eq = strchr(c->o.dims[i], '=');
        char       *end = NULL, *name = dsp_arena_strdup(c->o.arena, c->o.dims[i]);
        const long long v = eq ? strtoll(eq + 1, &end, 10) : 0;
        if (!eq || eq == c->o.dims[i] || !end || *end || end == eq + 1 || v < 1 || v > 1 << 24 || !name) {
            *code = cli_usage(c, "--dim: NAME=VALUE with a value of 1 to %d expected, \"%s\" found", 1 << 24, c->o.dims[i]);
            return false;
        }
        name[eq - c->o.dims[i]] = 0;
        b[i] = (dsp_dim_bind){name, v};
    }
    return true;
}

bool cli_ranges(cli *c, dsp_range_arg **ranges, int *code)
{
    dsp_range_arg *r = DSP_ARENA_N(c->o.arena, dsp_range_arg, c->o.n_ranges);
    *ranges = r;
    for (size_t i = 0; r && i < c->o.n_ranges; i++) {
        const char *s = c->o.ranges[i], *eq = strrchr(s, '='), *from = eq ? eq + 1 : s;
        char       *end = NULL, *end2 = NULL, *name = NULL;
        const double lo = strtod(from, &end), hi = end && *end == ':' ? strtod(end + 1, &end2) : 0;
        if (end == from || !end2 || end2 == end + 1 || *end2 || !isfinite(lo) || !isfinite(hi) || !(lo < hi) || eq == s) {
            *code = cli_usage(c, "--input-range: [NAME=]LO:HI with LO < HI expected, \"%s\" found", s);
            return false;
        }
        if (eq) {
            name = dsp_arena_strdup(c->o.arena, s);
            if (name)
                name[eq - s] = 0;
        }
        r[i] = (dsp_range_arg){name, lo, hi};
    }
    return true;
}
