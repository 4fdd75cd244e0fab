#include "cli/cli.h"

#include <string.h>

#include "pipeline/json.h"

static void print_precision(cli *c, const json_t *r)
{
    size_t  i;
    json_t *o;
    json_array_foreach(json_object_get(r, "input_ranges"), i, o)
        cli_text(c, "input %s: %g to %g", dsp_json_str(o, "name"), dsp_json_num(o, "lo"), dsp_json_num(o, "hi"));
    if (json_array_size(json_object_get(r, "precision_table")) == 0)
        return;
    cli_text(c, "%-6s %-22s %-14s %s", "bits", "largest error/output", "argmax agrees", "saturated cells");
    json_array_foreach(json_object_get(r, "precision_table"), i, o) {
        const bool mine = dsp_json_u64(o, "bits") == dsp_json_u64(r, "precision_bits");
        if (json_is_true(json_object_get(o, "feasible")))
            cli_text(c, "%-6ju %-22.3g %-14s %ju%s", (uintmax_t)dsp_json_u64(o, "bits"), dsp_json_num(o, "max_relative_error"),
                     json_is_true(json_object_get(o, "argmax_agrees")) ? "yes" : "no", (uintmax_t)dsp_json_u64(o, "saturated_cells"), mine ? "   <- chosen" : "");
        else
            cli_text(c, "%-6ju does not fit the field", (uintmax_t)dsp_json_u64(o, "bits"));
    }
}

static bool by_ezkl(const json_t *o) { return strcmp(dsp_json_str(o, "backend"), "ezkl") == 0; }

/* Segments that ezkl proves: what the settings foretell, and what setup took. True: there are some. */
static bool print_ezkl(cli *c, const json_t *r)
{
    const json_t *rows = json_object_get(r, "segments"), *all = json_object_get(r, "ezkl"), *o;
    size_t        i;
    bool          any = false, insecure = false;
    json_array_foreach(rows, i, o) {
        const json_t *p = json_object_get(o, "predicted"), *m = json_object_get(o, "measured");
        char a[32], b[32], d[32], e[32], f[32];
        if (!by_ezkl(o))
            continue;
        if (!any)
            cli_text(c, "%-8s %-11s %10s %8s %12s %12s %12s %12s %12s", "segment", "by ezkl", "rows", "in 2^", "proving key", "set-up", "prove", "memory", "set-up took");
        any = true;
        insecure = insecure || json_is_true(json_object_get(json_object_get(o, "srs"), "insecure"));
        cli_text(c, "%-8zu %-11s %10ju %8ju %12s %12s %12s %12s %12s", i, dsp_json_str(o, "result"), (uintmax_t)dsp_json_u64(p, "rows"),
                 (uintmax_t)dsp_json_u64(p, "logrows"), cli_bytes(a, dsp_json_num(p, "pk_bytes")), cli_seconds(b, dsp_json_num(p, "setup_seconds")),
                 cli_seconds(d, dsp_json_num(p, "prove_seconds")), cli_bytes(e, dsp_json_num(p, "memory_bytes")),
                 json_object_get(m, "setup_seconds") ? cli_seconds(f, dsp_json_num(m, "setup_seconds")) : "-");
    }
    if (any)
        cli_text(c, "ezkl %s, all its segments at scale %ju; proving key, set-up, prove and memory are predictions", dsp_json_str(all, "ezkl_version"),
                 (uintmax_t)dsp_json_u64(all, "scale"));
    cli_insecure(c, insecure || json_is_true(json_object_get(all, "insecure_srs")));
    return any;
}

static void print(cli *c, const json_t *r)
{
    size_t        i, k;
    const json_t *o;
    json_t       *t;
    bool          head = false, open = false;
    char          a[32], b[32], d[32], e[32];
    print_precision(c, r);
    const bool ezkl = print_ezkl(c, r);
    json_array_foreach(json_object_get(r, "segments"), i, o) {
        const json_t *p = json_object_get(o, "predicted");
        if (by_ezkl(o))
            continue;
        if (!head)
            cli_text(c, "%-8s %-11s %10s %10s %12s %12s %12s %12s", "segment", ezkl ? "native" : "result", "cells", "lookups", "key", "proof", "prove", "memory");
        head = true;
        if (p && strcmp(dsp_json_str(o, "result"), "skipped") != 0)
            cli_text(c, "%-8zu %-11s %10ju %10ju %12s %12s %12s %12s", i, dsp_json_str(o, "result"), (uintmax_t)dsp_json_u64(p, "cells"),
                     (uintmax_t)dsp_json_u64(p, "lookups"), cli_bytes(a, dsp_json_num(o, "vk_bytes")), cli_bytes(b, dsp_json_num(p, "proof_bytes")),
                     cli_seconds(d, dsp_json_num(p, "prove_seconds")), cli_bytes(e, dsp_json_num(p, "memory_bytes")));
        else
            cli_text(c, "%-8zu %-11s %s", i, dsp_json_str(o, "result"), dsp_json_str(o, "reason"));
        const char *why = dsp_json_str(json_object_get(o, "ezkl"), "reason");
        if (*why && strcmp(why, dsp_json_str(o, "reason")) != 0)
            cli_text(c, "         not by ezkl: %s", why);
    }
    json_array_foreach(json_object_get(r, "segments"), i, o)
        json_array_foreach(json_object_get(o, "public_boundaries"), k, t) {
            cli_text(c, "public boundary of segment %zu: %s", i, json_string_value(t));
            open = true;
        }
    if (open)
        cli_say(c, DSP_SAY_WARNING, ezkl ? "a boundary next to an unproved segment or one of ezkl is public" : "a boundary next to an unproved segment is public");
    if (ezkl)
        cli_text(c, "inputs and outputs of every segment that ezkl proves are public");
    if (head)
        cli_text(c, "proof, prove and memory are predictions");
    if (*dsp_json_str(r, "model_id"))
        cli_text(c, "model id %s", dsp_json_str(r, "model_id"));
    cli_text(c, "compiled %ju, up to date %ju, skipped %ju", (uintmax_t)dsp_json_u64(r, "compiled"), (uintmax_t)dsp_json_u64(r, "up_to_date"),
             (uintmax_t)dsp_json_u64(r, "skipped"));
}

dsp_status step_compile(cli *c, const dsp_compile_args *a, json_t **report, dsp_err *err)
{
    const dsp_status s = dsp_pipe_compile(&c->pipe, a, report, err);
    cli_progress_end(c);
    if (*report && json_object_get(*report, "segments"))
        print(c, *report);
    if (s == DSP_OK)
        cli_verdict(c, true, "circuits in %s", dsp_json_str(*report, "slices_dir"));
    return s;
}

bool compile_args(cli *c, dsp_compile_args *a, int *code)
{
    uint64_t       bits = 0, scale = 0;
    dsp_range_arg *ranges;
    dsp_dim_bind  *binds;
    if (c->o.given[OPT_PRECISION] && !cli_number(c, OPT_PRECISION, 16, &bits, code))
        return false;
    if (c->o.given[OPT_PRECISION] && bits < 4) {
        *code = cli_usage(c, "--precision: 4 to 16 bits expected");
        return false;
    }
    if (!cli_ranges(c, &ranges, code) || !cli_dims(c, &binds, code) || (c->o.given[OPT_EZKL_SCALE] && !cli_number(c, OPT_EZKL_SCALE, INT16_MAX, &scale, code)))
        return false;
    *a = (dsp_compile_args){.slices = c->o.value[OPT_SLICES], .inputs = c->o.inputs, .n_inputs = c->o.n_inputs, .ranges = ranges, .n_ranges = c->o.n_ranges,
                            .layers = c->o.value[OPT_LAYERS], .ezkl = c->ezkl, .ezkl_scale = (int)scale, .precision = (unsigned)bits, .force = c->o.given[OPT_FORCE],
                            .no_fallback = c->o.given[OPT_NO_FALLBACK], .binds = binds, .n_binds = c->o.n_dims};
    return true;
}

int cmd_compile(cli *c)
{
    dsp_err          err = {DSP_OK, ""};
    json_t          *report = NULL;
    dsp_compile_args a;
    int              code;
    if (!compile_args(c, &a, &code))
        return code;
    const dsp_status s = step_compile(c, &a, &report, &err);
    return cli_end(c, s, &err, report);
}
