/* All five steps; the first one that fails ends it with its exit code. */
#include "cli/cli.h"

#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "pipeline/json.h"
#include "pipeline/paths.h"

static void announce(cli *c, int step, const char *what) { cli_text(c, "%s%d/5 %s", step > 1 ? "\n" : "", step, what); }

/* Per segment: times, bytes. */
static void print_table(cli *c, const json_t *all)
{
    const json_t *rows = json_object_get(json_object_get(all, "verify"), "segments"), *o;
    size_t        i;
    char          a[32], b[32], d[32], m[32], by[16];
    const bool    several = cli_several(rows);
    cli_text(c, "\n%-8s%s %12s %12s %12s %12s", "segment", cli_backend_column(by, several, "by"), "prove", "verify", "proof", "peak memory");
    json_array_foreach(rows, i, o)
        cli_text(c, "%-8ju%s %12s %12s %12s %12s", (uintmax_t)dsp_json_u64(o, "segment"), cli_backend_column(by, several, dsp_json_str(o, "backend")),
                 cli_seconds(a, dsp_json_num(o, "prove_seconds")),
                 cli_seconds(b, dsp_json_num(o, "verify_seconds")), cli_bytes(d, dsp_json_num(o, "proof_bytes")),
                 json_object_get(o, "prove_peak_memory_bytes") ? cli_bytes(m, dsp_json_num(o, "prove_peak_memory_bytes")) : "-");
    cli_text(c, "%-8s%s %12s %12s %12s %12s", "all", cli_backend_column(by, several, ""), cli_seconds(a, dsp_json_num(json_object_get(all, "prove"), "seconds")),
             cli_seconds(b, dsp_json_num(json_object_get(all, "verify"), "verify_seconds")),
             cli_bytes(d, dsp_json_num(json_object_get(all, "verify"), "proof_bytes")), cli_bytes(m, (double)dsp_peak_rss_bytes()));
}

int cmd_full_run(cli *c)
{
    dsp_err          err = {DSP_OK, ""};
    json_t          *all = dsp_json_head(), *r = NULL;
    char            *file = NULL, *dir = NULL, *proofs = NULL, *verdicts = NULL;
    dsp_compile_args ca;
    dsp_dim_bind    *binds;
    dsp_slice_args   sa = {.model = c->o.value[OPT_MODEL_DIR], .save_default = true, .cuts = c->o.value[OPT_CUTS], .force = c->o.given[OPT_FORCE]};
    int              code;
    dsp_status       s;
    if (!compile_args(c, &ca, &code) || !cli_dims(c, &binds, &code) ||
        (c->o.given[OPT_MAX_PARAMS] && !cli_number(c, OPT_MAX_PARAMS, INT64_MAX, &sa.max_params, &code)) ||
        (c->o.given[OPT_MAX_MACS] && !cli_number(c, OPT_MAX_MACS, INT64_MAX, &sa.max_macs, &code)) ||
        (c->o.given[OPT_MAX_SEGMENT_MEMORY] && !cli_size(c, OPT_MAX_SEGMENT_MEMORY, &sa.max_segment_memory, &code))) {
        json_decref(all);
        return code;
    }
    sa.binds = binds;
    sa.n_binds = c->o.n_dims;
    ca.binds = NULL;
    ca.n_binds = 0;
    if ((s = dsp_find_model(&file, &dir, sa.model, &err)) != DSP_OK)
        goto done;
    const char *slices = c->o.value[OPT_SLICES];
    if (!slices) {
        announce(c, 1, "slice");
        s = step_slice(c, &sa, &r, &err);
        dsp_json_put(all, "slice", r ? r : json_null());
        if (s != DSP_OK)
            goto done;
        slices = dsp_arena_strdup(c->o.arena, dsp_json_str(r, "slices_dir"));
    } else {
        announce(c, 1, "slice: skipped, --slices-dir is given");
    }
    announce(c, 2, "compile");
    ca.slices = slices;
    r = NULL;
    s = step_compile(c, &ca, &r, &err);
    dsp_json_put(all, "compile", r ? r : json_null());
    if (s != DSP_OK)
        goto done;
    announce(c, 3, "run");
    const dsp_run_args ra = {.slices = slices, .input = c->o.value[OPT_INPUT], .output = c->o.value[OPT_OUTPUT], .output_default = true, .fresh = c->o.given[OPT_NEW], .take_complete = true,
                             .compare = c->o.given[OPT_COMPARE], .no_fallback = c->o.given[OPT_NO_FALLBACK]};
    r = NULL;
    s = step_run(c, &ra, &r, &err);
    dsp_json_put(all, "run", r ? r : json_null());
    if (s != DSP_OK)
        goto done;
    const char *run = dsp_arena_strdup(c->o.arena, dsp_json_str(r, "run_dir"));
    char       *root = run ? dsp_path_dir(run) : NULL;
    proofs = run ? dsp_path_join(run, "proof_results.json") : NULL;
    verdicts = root ? dsp_path_join(root, "verification_results.json") : NULL;
    dsp_free(root);
    if (!run || !proofs || !verdicts) {
        s = dsp_fail(&err, DSP_E_NOMEM, "no memory for a path");
        goto done;
    }
    announce(c, 4, "prove");
    const dsp_prove_run_args pa = {.run = run, .output = proofs, .no_self_verify = c->o.given[OPT_NO_SELF_VERIFY]};
    r = NULL;
    s = step_prove(c, &pa, &r, &err);
    dsp_json_put(all, "prove", r ? r : json_null());
    if (s != DSP_OK)
        goto done;
    announce(c, 5, "verify");
    const dsp_verify_args va = {.run = run, .output = verdicts, .model = file, .expect_input = c->o.value[OPT_INPUT], .require_full = c->o.given[OPT_REQUIRE_FULL]};
    r = NULL;
    s = step_verify(c, &va, &r, &err);
    dsp_json_put(all, "verify", r ? r : json_null());
    if (s == DSP_OK)
        print_table(c, all);
done:
    dsp_json_put(all, "peak_memory_bytes", json_integer((json_int_t)dsp_peak_rss_bytes()));
    dsp_free(file);
    dsp_free(dir);
    dsp_free(proofs);
    dsp_free(verdicts);
    return cli_end(c, s, &err, all);
}
