/* --backend SPEC: NAME | group *(";" group), group = LAYERS ":" NAME; LAYERS as --layers has them. Segments that no group names
 * run as plain ONNX. */
#include <string.h>

#include "cli/cli.h"

enum { MAX_SEGMENTS = 1 << 16 };
enum { UNKNOWN, NATIVE, EZKL };

static int kind_of(const char *name, size_t n)
{
    return n == 6 && memcmp(name, "native", n) == 0 ? NATIVE : n == 4 && memcmp(name, "ezkl", n) == 0 ? EZKL : UNKNOWN;
}

static const char *blanks(const char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

/* The name from s on, without blanks at its end; s moves behind it. */
static size_t name_at(const char **s, const char **name)
{
    *name = *s = blanks(*s);
    size_t n = strcspn(*s, ";");
    *s += n;
    while (n && ((*name)[n - 1] == ' ' || (*name)[n - 1] == '\t'))
        n--;
    return n;
}

static bool wanted(uint8_t have, int kind) { return have && (kind == 0 || have == kind); }

/* Segments of a kind (0: of any) as a list such as 0,2-4; empty: none. */
static const char *list_text(dsp_arena *a, const uint8_t *set, int kind)
{
    size_t cap = 16, at = 0;
    for (uint32_t i = 0; i < MAX_SEGMENTS; i++)
        cap += set[i] ? 14 : 0;
    char *out = DSP_ARENA_N(a, char, cap);
    for (uint32_t i = 0; out && i < MAX_SEGMENTS; i++) {
        uint32_t e = i;
        if (!wanted(set[i], kind))
            continue;
        while (e + 1 < MAX_SEGMENTS && wanted(set[e + 1], kind))
            e++;
        at += (size_t)snprintf(out + at, cap - at, e > i ? "%s%u-%u" : "%s%u", at ? "," : "", i, e);
        i = e;
    }
    return out;
}

int cli_backend(cli *c)
{
    const char *s = c->o.value[OPT_BACKEND], *name;
    size_t      n;
    dsp_err     err = {DSP_OK, ""};
    if (!s)
        return EXIT_OK;
    if (!strchr(s, ':')) {
        const char *from = s;
        n = name_at(&s, &name);
        const int kind = *s ? UNKNOWN : kind_of(name, n);
        if (kind == UNKNOWN)
            return cli_usage(c, "--backend: native, ezkl or LAYERS:NAME;.. expected, \"%s\" found", from);
        c->ezkl = kind == EZKL ? "*" : NULL;
        return EXIT_OK;
    }
    uint8_t *set = DSP_ARENA_N(c->o.arena, uint8_t, MAX_SEGMENTS);     /* 0: not named, else the kind */
    bool    *flags = DSP_ARENA_N(c->o.arena, bool, MAX_SEGMENTS);
    if (!set || !flags)
        return EXIT_FAILED;
    for (;;) {
        const size_t len = strcspn(s, ":;");
        if (s[len] != ':')
            return cli_usage(c, "--backend: LAYERS:NAME expected, \"%.*s\" found", (int)len, s);
        char *layers = DSP_ARENA_N(c->o.arena, char, len + 1);
        if (!layers)
            return EXIT_FAILED;
        memcpy(layers, s, len);
        if (dsp_layers_parse(flags, MAX_SEGMENTS, layers, &err) != DSP_OK)
            return cli_usage(c, "--backend: %s", err.msg);
        s += len + 1;
        n = name_at(&s, &name);
        const int kind = kind_of(name, n);
        if (kind == UNKNOWN)
            return cli_usage(c, "--backend: native or ezkl expected after ':', \"%.*s\" found", (int)n, name);
        for (uint32_t i = 0; i < MAX_SEGMENTS; i++) {
            if (flags[i] && set[i] && set[i] != kind)
                return cli_usage(c, "--backend: segment %u is named twice, with different backends", i);
            if (flags[i])
                set[i] = (uint8_t)kind;
        }
        if (!*s)
            break;
        s++;
    }
    if (c->o.value[OPT_LAYERS]) {
        bool any = false;
        if (dsp_layers_parse(flags, MAX_SEGMENTS, c->o.value[OPT_LAYERS], &err) != DSP_OK)
            return cli_usage(c, "%s", err.msg);
        for (uint32_t i = 0; i < MAX_SEGMENTS; i++) {
            set[i] = flags[i] ? set[i] : 0;
            any = any || set[i];
        }
        if (!any)
            return cli_usage(c, "--backend and --layers have no segment in common");
    }
    c->o.value[OPT_LAYERS] = list_text(c->o.arena, set, 0);
    c->ezkl = list_text(c->o.arena, set, EZKL);
    if (!c->o.value[OPT_LAYERS] || !c->ezkl)
        return EXIT_FAILED;
    c->ezkl = *c->ezkl ? c->ezkl : NULL;
    return EXIT_OK;
}
