#include "cli/cli.h"

#include <math.h>
#include <string.h>

#include "pipeline/json.h"

enum { SHOWN = 16 };

static void print_output(cli *c, const json_t *o)
{
    char    line[1024], shape[128];
    size_t  i, at = 0, n = json_array_size(json_object_get(o, "data"));
    json_t *e;
    shape[0] = 0;
    json_array_foreach(json_object_get(o, "shape"), i, e)
        if (at + 16 < sizeof shape)
            at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%jd", i ? "x" : "", (intmax_t)json_integer_value(e));
    at = 0;
    line[0] = 0;
    json_array_foreach(json_object_get(o, "data"), i, e) {
        if (i == SHOWN)
            break;
        at += (size_t)snprintf(line + at, sizeof line - at, "%s%.6g", i ? " " : "", json_number_value(e));
    }
    cli_text(c, "%s %s [%s]: %s%s", dsp_json_str(o, "name"), dsp_json_str(o, "dtype"), shape, line, n > SHOWN ? " .." : "");
}

static void print_eval(cli *c, const json_t *r)
{
    cli_text(c, "samples %ju, segments as integers %ju of %ju", (uintmax_t)dsp_json_u64(r, "samples"), (uintmax_t)dsp_json_u64(r, "segments_as_integers"),
             (uintmax_t)dsp_json_u64(r, "segments"));
    cli_text(c, "integer accuracy %.4f", dsp_json_num(r, "integer_accuracy"));
    if (json_object_get(r, "float_accuracy"))
        cli_text(c, "float accuracy   %.4f%s%s", dsp_json_num(r, "float_accuracy"), json_object_get(r, "float_accuracy_from") ? ", from " : "",
                 dsp_json_str(r, "float_accuracy_from"));
    if (json_object_get(r, "argmax_agreement"))
        cli_text(c, "same class       %.4f", dsp_json_num(r, "argmax_agreement"));
    cli_text(c, "saturated cells %ju, samples out of the declared range %ju", (uintmax_t)dsp_json_u64(r, "saturated_cells"),
             (uintmax_t)dsp_json_u64(r, "samples_out_of_range"));
}

static void print(cli *c, const json_t *r)
{
    size_t  i;
    json_t *o;
    char    t[32];
    json_array_foreach(json_object_get(json_object_get(r, "execution_chain"), "execution_results"), i, o) {
        const json_t *w = json_object_get(o, "witness_execution");
        cli_text(c, "%s: %s, %s%s%s", dsp_json_str(o, "segment_id"), dsp_json_str(w, "method"), cli_seconds(t, dsp_json_num(w, "execution_time")),
                 *dsp_json_str(w, "reason") ? ", " : "", dsp_json_str(w, "reason"));
        if (*dsp_json_str(w, "error"))
            cli_text(c, "    %s", dsp_json_str(w, "error"));
    }
    json_array_foreach(json_object_get(r, "outputs"), i, o)
        print_output(c, o);
    if (json_object_get(r, "prediction"))
        cli_text(c, "prediction: %ju", (uintmax_t)dsp_json_u64(r, "prediction"));
    json_array_foreach(json_object_get(r, "comparison"), i, o)
        cli_text(c, "against the float model, %s: largest error %.3g (%.3g of the largest value), argmax %s", dsp_json_str(o, "name"),
                 dsp_json_num(o, "max_abs_error"), dsp_json_num(o, "max_rel_error"), json_is_true(json_object_get(o, "argmax_agrees")) ? "agrees" : "differs");
    if (dsp_json_u64(r, "saturated_cells"))
        cli_say(c, DSP_SAY_WARNING, "some cells saturated");
    if (dsp_json_u64(r, "saturated_cells"))
        cli_text(c, "saturated cells: %ju", (uintmax_t)dsp_json_u64(r, "saturated_cells"));
    if (dsp_json_u64(r, "clamped_cells"))
        cli_text(c, "cells of unproved segments clamped to their range: %ju", (uintmax_t)dsp_json_u64(r, "clamped_cells"));
}

dsp_status step_run(cli *c, const dsp_run_args *a, json_t **report, dsp_err *err)
{
    const dsp_status s = dsp_pipe_run(&c->pipe, a, report, err);
    cli_progress_end(c);
    if (s != DSP_OK)
        return s;
    if (a->eval) {
        print_eval(c, *report);
        return s;
    }
    print(c, *report);
    cli_insecure(c, json_is_true(json_object_get(*report, "insecure_srs")));
    cli_verdict(c, true, "run %s", dsp_json_str(*report, "run_dir"));
    return s;
}

int cmd_run(cli *c)
{
    dsp_err            err = {DSP_OK, ""};
    json_t            *report = NULL;
    const dsp_run_args a = {.slices = c->o.value[OPT_SLICES], .input = c->o.value[OPT_INPUT], .output = c->o.value[OPT_OUTPUT],
                            .run_metadata = c->o.value[OPT_RUN_METADATA], .eval = c->o.value[OPT_EVAL], .fresh = c->o.given[OPT_NEW],
                            .compare = c->o.given[OPT_COMPARE], .no_fallback = c->o.given[OPT_NO_FALLBACK]};
    if (c->o.n_inputs > 1)
        return cli_usage(c, "--input-file: one file expected, %zu given", c->o.n_inputs);
    const dsp_status s = step_run(c, &a, &report, &err);
    return cli_end(c, s, &err, report);
}
