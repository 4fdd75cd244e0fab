#include "cli/cli.h"

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

int cmd_bench(cli *c)
{
    dsp_err  err = {DSP_OK, ""};
    json_t  *report = NULL;
    uint64_t repeats = 0;
    int      code;
    char     b[32];
    if (c->o.given[OPT_REPEATS] && !cli_number(c, OPT_REPEATS, 101, &repeats, &code))
        return code;
    const dsp_bench_args a = {.model = c->o.value[OPT_MODEL_DIR], .kernels = c->o.given[OPT_KERNELS], .repeats = (unsigned)repeats};
    const dsp_status     s = dsp_pipe_bench(&c->pipe, &a, &report, &err);
    if (s == DSP_OK) {
        cli_text(c, "medians, %ju threads%s%s", (uintmax_t)dsp_json_u64(report, "threads"), json_object_get(report, "kernel_variant") ? ", kernels " : "",
                 dsp_json_str(report, "kernel_variant"));
        print(c, json_object_get(report, "kernels"));
        print(c, json_object_get(report, "stages"));
        if (json_object_get(report, "proof_bytes"))
            cli_text(c, "proofs of %s: %s", dsp_json_str(report, "model"), cli_bytes(b, dsp_json_num(report, "proof_bytes")));
    }
    return cli_end(c, s, &err, report);
}
