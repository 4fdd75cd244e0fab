#include "cli/cli.h"

#include "pipeline/json.h"

int cmd_bundle(cli *c)
{
    dsp_err               err = {DSP_OK, ""};
    json_t               *report = NULL, *o;
    size_t                i;
    char                  b[32];
    const dsp_bundle_args a = {.run = c->o.value[OPT_RUN], .out = c->o.value[OPT_OUTPUT], .force = c->o.given[OPT_FORCE]};
    if (!a.out)
        return cli_usage(c, "missing option: --output-dir");
    const dsp_status s = dsp_pipe_bundle(&c->pipe, &a, &report, &err);
    cli_progress_end(c);
    if (s == DSP_OK) {
        json_array_foreach(json_object_get(report, "public_tensors"), i, o)
            cli_text(c, "public: %s", json_string_value(o));
        json_array_foreach(json_object_get(report, "unproved"), i, o)
            cli_text(c, "unproved: segment %ju: %s", (uintmax_t)dsp_json_u64(o, "segment"), dsp_json_str(o, "reason"));
        cli_insecure(c, json_is_true(json_object_get(report, "insecure_srs")));
        cli_text(c, "model id %s", dsp_json_str(report, "model_id"));
        cli_verdict(c, true, "%s: %ju segments, %s", a.out, (uintmax_t)dsp_json_u64(report, "segments"), cli_bytes(b, dsp_json_num(report, "bytes")));
    }
    return cli_end(c, s, &err, report);
}
