#include "cli/cli.h"

#include "pipeline/json.h"

static void names(char *out, size_t cap, const json_t *list)
{
    size_t  i, at = 0;
    json_t *e;
    out[0] = 0;
    json_array_foreach(list, i, e)
        if (at + 8 < cap)
            at += (size_t)snprintf(out + at, cap - at, "%s%.40s", i ? ", " : "", json_string_value(e));
}

dsp_status step_slice(cli *c, const dsp_slice_args *a, json_t **report, dsp_err *err)
{
    const dsp_status s = dsp_pipe_slice(&c->pipe, a, report, err);
    cli_progress_end(c);
    if (s != DSP_OK)
        return s;
    size_t  i;
    json_t *o;
    cli_text(c, "%-8s %6s %11s %13s  %s", "segment", "nodes", "parameters", "MACs", "inputs -> outputs");
    json_array_foreach(json_object_get(*report, "segments"), i, o) {
        char in[160], out[160];
        names(in, sizeof in, json_object_get(o, "inputs"));
        names(out, sizeof out, json_object_get(o, "outputs"));
        cli_text(c, "%-8zu %6ju %11ju %13ju  %s -> %s", i, (uintmax_t)dsp_json_u64(o, "nodes"), (uintmax_t)dsp_json_u64(o, "parameters"),
                 (uintmax_t)dsp_json_u64(o, "macs"), in, out);
    }
    if (dsp_json_u64(*report, "opset") < 18)
        cli_say(c, DSP_SAY_WARNING, "the model's opset is below 18");
    cli_verdict(c, true, "%zu segments in %s", json_array_size(json_object_get(*report, "segments")), dsp_json_str(*report, "slices_dir"));
    if (json_object_get(*report, "analysis"))
        cli_text(c, "analysis: %s", dsp_json_str(*report, "analysis"));
    return s;
}

int cmd_slice(cli *c)
{
    dsp_err        err = {DSP_OK, ""};
    json_t        *report = NULL;
    dsp_dim_bind  *binds;
    int            code;
    dsp_slice_args a = {.model = c->o.value[OPT_MODEL_DIR], .out = c->o.value[OPT_OUTPUT], .save = c->o.value[OPT_SAVE],
                        .save_default = c->o.given[OPT_SAVE], .cuts = c->o.value[OPT_CUTS], .force = c->o.given[OPT_FORCE]};
    if (!cli_dims(c, &binds, &code) || (c->o.given[OPT_MAX_PARAMS] && !cli_number(c, OPT_MAX_PARAMS, INT64_MAX, &a.max_params, &code)) ||
        (c->o.given[OPT_MAX_MACS] && !cli_number(c, OPT_MAX_MACS, INT64_MAX, &a.max_macs, &code)) ||
        (c->o.given[OPT_MAX_SEGMENT_MEMORY] && !cli_size(c, OPT_MAX_SEGMENT_MEMORY, &a.max_segment_memory, &code)))
        return code;
    a.binds = binds;
    a.n_binds = c->o.n_dims;
    const dsp_status s = step_slice(c, &a, &report, &err);
    return cli_end(c, s, &err, report);
}
