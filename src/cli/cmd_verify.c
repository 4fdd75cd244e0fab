#include "cli/cli.h"

#include <string.h>

#include "pipeline/json.h"

enum { SHOWN = 12 };

static void print_tensor(cli *c, const char *what, const json_t *o)
{
    char    line[768];
    size_t  i, at = 0;
    json_t *e;
    line[0] = 0;
    json_array_foreach(json_object_get(o, "data"), i, e) {
        if (i == SHOWN)
            break;
        at += (size_t)snprintf(line + at, sizeof line - at, " %.6g", json_number_value(e));
    }
    cli_text(c, "%s %s: sha256 %.16s..%s%s", what, dsp_json_str(o, "name"), dsp_json_str(o, "sha256"), line,
             json_array_size(json_object_get(o, "data")) > SHOWN ? " .." : "");
}

static void print_table(cli *c, const json_t *r)
{
    size_t  i;
    json_t *o;
    char    a[32], b[32], d[32], m[32], by[16];
    const bool several = cli_several(json_object_get(r, "segments"));
    cli_text(c, "%-8s%s %12s %12s %12s %12s", "segment", cli_backend_column(by, several, "by"), "prove", "verify", "proof", "peak memory");
    json_array_foreach(json_object_get(r, "segments"), i, o)
        cli_text(c, "%-8ju%s %12s %12s %12s %12s  %s", (uintmax_t)dsp_json_u64(o, "segment"), cli_backend_column(by, several, dsp_json_str(o, "backend")),
                 json_object_get(o, "prove_seconds") ? cli_seconds(a, dsp_json_num(o, "prove_seconds")) : "-", cli_seconds(b, dsp_json_num(o, "verify_seconds")),
                 cli_bytes(d, dsp_json_num(o, "proof_bytes")),
                 json_object_get(o, "prove_peak_memory_bytes") ? cli_bytes(m, dsp_json_num(o, "prove_peak_memory_bytes")) : "-", json_is_true(json_object_get(o, "verified")) ? "verified" : "");
    json_array_foreach(json_object_get(r, "unproved"), i, o)
        cli_text(c, "%-8ju unproved: %s%s%s%s", (uintmax_t)dsp_json_u64(o, "segment"), dsp_json_str(o, "reason"),
                 *dsp_json_str(o, "model_reason") ? " (by the model: " : "", dsp_json_str(o, "model_reason"), *dsp_json_str(o, "model_reason") ? ")" : "");
}

static void print(cli *c, const json_t *r)
{
    size_t        i;
    json_t       *o;
    const json_t *k = json_object_get(r, "coverage");
    print_table(c, r);
    json_array_foreach(json_object_get(r, "inputs"), i, o)
        print_tensor(c, "input ", o);
    json_array_foreach(json_object_get(r, "outputs"), i, o)
        print_tensor(c, "output", o);
    json_array_foreach(json_object_get(r, "public_boundaries"), i, o)
        cli_text(c, "public boundary %s", json_string_value(o));
    if (*dsp_json_str(r, "record_sha256"))
        cli_text(c, "record %s, %ju bits, coarsest step %g (%s), narrowest range %g (%s)", dsp_json_str(r, "record_sha256"),
                 (uintmax_t)dsp_json_u64(r, "precision_bits"), dsp_json_num(r, "coarsest_step"), dsp_json_str(r, "coarsest_tensor"),
                 dsp_json_num(r, "narrowest_range"), dsp_json_str(r, "narrowest_tensor"));
    cli_text(c, "model id %s", dsp_json_str(r, "model_id"));
    cli_text(c, "coverage: %ju of %ju segments (%.1f %%), %.1f %% of multiply-accumulates%s", (uintmax_t)dsp_json_u64(k, "segments"),
             (uintmax_t)dsp_json_u64(k, "of_segments"), dsp_json_num(k, "segments_percent"), dsp_json_num(k, "macs_percent"),
             json_array_size(json_object_get(r, "unproved")) && !json_is_true(json_object_get(k, "macs_checked")) ? ", as the statement has it" : "");
    if (strcmp(dsp_json_str(r, "model_checked"), "no") == 0)
        cli_text(c, "the keys were not checked against a model: give --model FILE or --model-id HEX");
    else if (!json_is_true(json_object_get(r, "model_id_checked")))
        cli_text(c, "scales and ranges are those of the run's record: --model-id HEX pins them too");
}

dsp_status step_verify(cli *c, const dsp_verify_args *a, json_t **report, dsp_err *err)
{
    const dsp_status s = dsp_pipe_verify(&c->pipe, a, report, err);
    cli_progress_end(c);
    const json_t    *r = *report;
    cli_insecure(c, json_is_true(json_object_get(r, "insecure_srs")));
    if (r && json_object_get(r, "verdict")) {
        if (s == DSP_OK)
            print(c, r);
        if (s == DSP_OK && strcmp(dsp_json_str(r, "verdict"), "partial") == 0)
            cli_verdict(c, true, "the selected proofs hold; the chain was not checked");
        else if (s == DSP_OK)
            cli_verdict(c, true, "accepted: %zu proofs hold as one chain%s", json_array_size(json_object_get(r, "segments")),
                        json_array_size(json_object_get(r, "unproved")) ? ", some segments are not proved" : "");
        else
            cli_verdict(c, false, "%s%s%s", s == DSP_E_REJECTED ? "rejected" : "not verified", json_object_get(r, "check") ? " by check " : "",
                        dsp_json_str(r, "check"));
    }
    return s;
}

int cmd_verify(cli *c)
{
    dsp_err               err = {DSP_OK, ""};
    json_t               *report = NULL;
    const dsp_verify_args a = {.run = c->o.value[OPT_RUN], .output = c->o.value[OPT_OUTPUT], .layers = c->o.value[OPT_LAYERS], .model = c->o.value[OPT_MODEL],
                               .model_id = c->o.value[OPT_MODEL_ID], .expect_input = c->o.value[OPT_EXPECT_INPUT],
                               .expect_output = c->o.value[OPT_EXPECT_OUTPUT], .require_full = c->o.given[OPT_REQUIRE_FULL]};
    const dsp_status s = step_verify(c, &a, &report, &err);
    return cli_end(c, s, &err, report);
}
