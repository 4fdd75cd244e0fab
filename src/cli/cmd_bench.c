#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/json.h"

static void print(cli *c, const json_t *rows)
{
    size_t  i;
    json_t *o;
    char    t[32];
    json_array_foreach(rows, i, o) {
        if (json_object_get(o, "ns_per_unit"))
            cli_text(c, "%-48s %12s %10.2f ns per %s", dsp_json_str(o, "name"), cli_seconds(t, dsp_json_num(o, "seconds")), dsp_json_num(o, "ns_per_unit"),
                     dsp_json_str(o, "unit"));
        else
            cli_text(c, "%-48s %12s", dsp_json_str(o, "name"), cli_seconds(t, dsp_json_num(o, "seconds")));
    }
}

static const struct { const char *key, *text; bool bytes; } figures[] = {
    {"compile_seconds", "compile", false}, {"witness_seconds", "witness", false}, {"prove_seconds", "prove", false}, {"verify_seconds", "verify", false},
    {"proof_bytes", "proofs", true}, {"vk_bytes", "verification keys", true}, {"pk_bytes", "proving keys", true}, {"peak_memory_bytes", "memory of prove", true}};

/* One column per backend, and how many times the second is the first. */
static void print_backends(cli *c, const json_t *report)
{
    const json_t *all = json_object_get(report, "backends"), *o;
    const char   *name;
    char          line[160], b[32];
    size_t        i, at;
    if (!all)
        return;
    at = (size_t)snprintf(line, sizeof line, "%-18s", dsp_json_str(report, "model"));
    json_object_foreach((json_t *)(uintptr_t)all, name, o)
        at += (size_t)snprintf(line + at, sizeof line - at, " %12s", name);
    cli_text(c, "%s%s", line, json_object_size(all) > 1 ? "        ratio" : "");
    for (size_t f = 0; f < sizeof figures / sizeof *figures; f++) {
        double v[2] = {0, 0};
        i = 0;
        at = (size_t)snprintf(line, sizeof line, "%-18s", figures[f].text);
        json_object_foreach((json_t *)(uintptr_t)all, name, o) {
            v[i] = dsp_json_num(o, figures[f].key);
            at += (size_t)snprintf(line + at, sizeof line - at, " %12s", figures[f].bytes ? cli_bytes(b, v[i]) : cli_seconds(b, v[i]));
            i++;
        }
        if (i == 2 && v[0] > 0)
            snprintf(line + at, sizeof line - at, " %12.2f", v[1] / v[0]);
        cli_text(c, "%s", line);
    }
    json_object_foreach((json_t *)(uintptr_t)all, name, o) {
        cli_text(c, "%s: %ju of %ju segments proved, median of %ju", name, (uintmax_t)dsp_json_u64(o, "proved_segments"),
                 (uintmax_t)dsp_json_u64(o, "segments"), (uintmax_t)dsp_json_u64(o, "repeats"));
        if (json_is_true(json_object_get(o, "insecure_srs")))
            cli_text(c, "%s: measured under an INSECURE SRS", name);
    }
}

int cmd_bench(cli *c)
{
    dsp_err  err = {DSP_OK, ""};
    json_t  *report = NULL;
    uint64_t repeats = 0, scale = 0;
    int      code;
    char     b[32];
    if ((c->o.given[OPT_REPEATS] && !cli_number(c, OPT_REPEATS, 101, &repeats, &code)) ||
        (c->o.given[OPT_EZKL_SCALE] && !cli_number(c, OPT_EZKL_SCALE, INT16_MAX, &scale, &code)))
        return code;
    if (c->o.n_inputs > 1)
        return cli_usage(c, "--input-file: one file expected, %zu given", c->o.n_inputs);
    const dsp_bench_args a = {.model = c->o.value[OPT_MODEL_DIR], .kernels = c->o.given[OPT_KERNELS], .repeats = (unsigned)repeats,
                              .backends = c->o.value[OPT_BACKEND], .input = c->o.value[OPT_INPUT], .ezkl_scale = (int)scale, .tmp = c->places.log_dir};
    const dsp_status     s = dsp_pipe_bench(&c->pipe, &a, &report, &err);
    cli_progress_end(c);
    if (s == DSP_OK) {
        cli_text(c, "%s, %ju threads%s%s", a.backends ? "side by side" : "medians",
                 (uintmax_t)dsp_json_u64(report, "threads"), json_object_get(report, "kernel_variant") ? ", kernels " : "",
                 dsp_json_str(report, "kernel_variant"));
        print(c, json_object_get(report, "kernels"));
        print(c, json_object_get(report, "stages"));
        print_backends(c, report);
        if (json_object_get(report, "proof_bytes"))
            cli_text(c, "proofs of %s: %s", dsp_json_str(report, "model"), cli_bytes(b, dsp_json_num(report, "proof_bytes")));
    }
    return cli_end(c, s, &err, report);
}
