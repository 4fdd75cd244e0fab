#include "cli/cli.h"

#include <string.h>

#include "pipeline/json.h"

dsp_status step_prove(cli *c, const dsp_prove_run_args *a, json_t **report, dsp_err *err)
{
    const dsp_status s = dsp_pipe_prove(&c->pipe, a, report, err);
    cli_progress_end(c);
    size_t  i;
    json_t *o;
    char    t[32], b[32], v[32], m[32], peak[48];
    bool    insecure;
    if (!*report)
        return s;
    insecure = json_is_true(json_object_get(*report, "insecure_srs"));
    json_array_foreach(json_object_get(*report, "segments"), i, o) {
        const char *by = strcmp(dsp_json_str(o, "backend"), "ezkl") == 0 ? " by ezkl" : "";
        const bool  failed = strcmp(dsp_json_str(o, "result"), "failed") == 0;
        if (failed)
            cli_text(c, "segment_%ju: failed: %s", (uintmax_t)dsp_json_u64(o, "segment"), dsp_json_str(o, "error"));
        else if (!json_object_get(o, "prove_seconds"))
            cli_text(c, "segment_%ju: %s", (uintmax_t)dsp_json_u64(o, "segment"), dsp_json_str(o, "result"));
        else {
            snprintf(peak, sizeof peak, "%s%s", json_object_get(o, "peak_memory_bytes") ? ", peak memory " : "",
                     json_object_get(o, "peak_memory_bytes") ? cli_bytes(m, dsp_json_num(o, "peak_memory_bytes")) : "");
            cli_text(c, "segment_%ju: %s%s, prove %s, verify %s, proof %s%s", (uintmax_t)dsp_json_u64(o, "segment"), dsp_json_str(o, "result"), by,
                     cli_seconds(t, dsp_json_num(o, "prove_seconds")), cli_seconds(v, dsp_json_num(o, "self_verify_seconds")),
                     cli_bytes(b, dsp_json_num(o, "proof_bytes")), peak);
        }
    }
    cli_insecure(c, insecure);
    cli_verdict(c, s == DSP_OK, "proved %ju of %ju witnesses in %s, peak memory %s", (uintmax_t)dsp_json_u64(*report, "proved"),
                (uintmax_t)dsp_json_u64(*report, "of"), cli_seconds(t, dsp_json_num(*report, "seconds")), cli_bytes(m, dsp_json_num(*report, "peak_memory_bytes")));
    return s;
}

int cmd_prove(cli *c)
{
    dsp_err                  err = {DSP_OK, ""};
    json_t                  *report = NULL;
    const dsp_prove_run_args a = {.run = c->o.value[OPT_RUN], .output = c->o.value[OPT_OUTPUT], .layers = c->o.value[OPT_LAYERS],
                                  .force = c->o.given[OPT_FORCE], .no_self_verify = c->o.given[OPT_NO_SELF_VERIFY]};
    const dsp_status s = step_prove(c, &a, &report, &err);
    return cli_end(c, s, &err, report);
}
