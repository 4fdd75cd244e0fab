/* The step slice: model -> segment files and slices/metadata.json. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onnx/meta.h"
#include "pipeline/json.h"
#include "pipeline/lock.h"
#include "pipeline/paths.h"
#include "pipeline/pipeline.h"

/* "3,5,9" -> indices; "none" -> no cut. */
static dsp_status parse_cuts(uint32_t **cuts, size_t *n, const char *text, dsp_err *err)
{
    size_t cap = 1;
    for (const char *s = text; *s; s++)
        cap += *s == ',';
    *n = 0;
    *cuts = DSP_NEW_N(uint32_t, cap);
    if (!*cuts)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for the cut list");
    if (strcmp(text, "none") == 0)
        return DSP_OK;
    for (const char *s = text;;) {
        char *end;
        while (*s == ' ')
            s++;
        const unsigned long v = *s >= '0' && *s <= '9' ? strtoul(s, &end, 10) : ULONG_MAX;
        if (v >= UINT32_MAX)
            return dsp_fail(err, DSP_E_ARG, "--cuts \"%s\": a node index expected at \"%s\"", text, s);
        if (*n && v <= (*cuts)[*n - 1])
            return dsp_fail(err, DSP_E_ARG, "--cuts \"%s\": %lu does not come after %u", text, v, (*cuts)[*n - 1]);
        if (v != 0)          /* segment 0 starts at node 0 anyway */
            (*cuts)[(*n)++] = (uint32_t)v;
        while (*end == ' ')
            end++;
        if (*end == 0)
            return DSP_OK;
        if (*end != ',')
            return dsp_fail(err, DSP_E_ARG, "--cuts \"%s\": ',' expected at \"%s\"", text, end);
        s = end + 1;
    }
}

/* Whether dir holds this very slicing, compiled or not: every segment file is what would be written now, and metadata.json says so. Where weights
 * lie beside the segments they are written again instead. */
static bool is_current(dsp_plan *plan, const char *dir, const char *file)
{
    char   *path = dsp_path_join(dir, "metadata.json"), *model = dsp_path_relative(dir, file);
    json_t *old = NULL, *now = NULL, *o;
    size_t  i;
    bool    same = path && model && dsp_json_load(&old, path, NULL) == DSP_OK;
    for (uint32_t k = 0; same && k < plan->n_segments; k++) {
        uint8_t *want = NULL, *have = NULL;
        size_t   n = 0, m = 0;
        char    *seg = dsp_path_join(dir, plan->segments[k].path);
        same = seg && dsp_segment_bytes(&want, &n, plan, k, NULL) == DSP_OK && dsp_file_read(&have, &m, seg, n, NULL) == DSP_OK && n == m && memcmp(want, have, n) == 0;
        if (same)
            plan->segments[k].sha256 = dsp_sha256(want, n);
        dsp_free(want);
        dsp_free(have);
        dsp_free(seg);
    }
    if (same) {
        now = dsp_meta_slices(plan, model);
        json_object_del(old, "compilation");
        json_array_foreach(json_object_get(old, "segments"), i, o)
            json_object_del(o, "compilation");
        same = json_equal(old, now);
    }
    json_decref(old);
    json_decref(now);
    dsp_free(model);
    dsp_free(path);
    return same;
}

/* Under the folder's lock. Segments that no metadata.json lists are a killed slicing's when its lock is still there. */
static dsp_status write_slices(dsp_plan *plan, const char *dir, const char *file, bool force, bool *current, dsp_err *err)
{
    dsp_lock   lock;
    const bool was_there = dsp_dir_exists(dir);
    dsp_status s = dsp_mkdirs(dir, err);
    if (s != DSP_OK || (s = dsp_lock_take(&lock, dir, "slice", DSP_LOCK_WRITE, err)) != DSP_OK)
        return s;
    dsp_sweep_temporaries(dir, NULL, 2);
    *current = !force && is_current(plan, dir, file);
    if (!*current)
        s = dsp_plan_write(plan, dir, file, force || strcmp(lock.left, "slice") == 0, err);
    dsp_lock_release(&lock);
    if (s != DSP_OK && !was_there)
        rmdir(dir);
    return s;
}

dsp_status dsp_pipe_slice(dsp_pipe *p, const dsp_slice_args *a, json_t **report, dsp_err *err)
{
    char      *file = NULL, *dir = NULL, *out = NULL, *save = NULL;
    uint32_t  *cuts = NULL;
    size_t     n_cuts = 0;
    dsp_graph *g = NULL;
    dsp_plan  *plan = NULL;
    dsp_ort   *ort;
    dsp_lock   lock = DSP_LOCK_NONE;   /* of the analysis' folder */
    bool       current = false;
    dsp_status s;
    *report = NULL;
    const dsp_plan_limits limits = {.max_params = a->max_params, .max_macs = a->max_macs, .max_memory_bytes = a->max_segment_memory};
    const bool            group = a->max_params || a->max_macs || a->max_segment_memory;
    if (a->cuts && group)
        return dsp_fail(err, DSP_E_ARG, "--cuts says where segments start: it goes without --max-params, --max-macs and --max-segment-memory");
    if (a->cuts && (s = parse_cuts(&cuts, &n_cuts, a->cuts, err)) != DSP_OK)
        goto done;
    if ((s = dsp_find_model(&file, &dir, a->model, err)) != DSP_OK)
        goto done;
    out = a->out ? dsp_strdup(a->out) : dsp_path_join(dir, "slices");
    if (a->save || a->save_default)
        save = !a->save ? dsp_path_cat(dir, "analysis", "model_metadata.json", (const char *)NULL)
             : dsp_dir_exists(a->save) ? dsp_path_join(a->save, "model_metadata.json") : dsp_strdup(a->save);
    if (!out || ((a->save || a->save_default) && !save)) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        goto done;
    }
    dsp_pipe_say(p, DSP_SAY_INFO, "slicing %s", file);
    dsp_pipe_progress(p, "slice", 0, 0, 0, 0);   /* shapes of the whole model take the most time */
    if ((s = dsp_graph_load(&g, file, a->binds, a->n_binds, err)) != DSP_OK || (s = dsp_pipe_ort(&ort, p, err)) != DSP_OK ||
        (s = dsp_graph_infer(g, ort, err)) != DSP_OK || (s = dsp_plan_make(&plan, g, cuts, n_cuts, a->cuts == NULL, err)) != DSP_OK)
        goto done;
    if (group && (s = dsp_plan_group(&plan, &limits, err)) != DSP_OK)
        goto done;
    dsp_pipe_progress(p, "slice", 0, plan->n_segments, 0.7, 0);
    if ((s = write_slices(plan, out, file, a->force, &current, err)) != DSP_OK)
        goto done;
    dsp_pipe_progress(p, "slice", plan->n_segments, plan->n_segments, 1, 0);
    if (save) {
        char *folder = dsp_path_dir(save);
        s = folder ? dsp_mkdirs(folder, err) : dsp_fail(err, DSP_E_NOMEM, "no memory for a path");
        if (s == DSP_OK)
            s = dsp_lock_take(&lock, folder, "slice", DSP_LOCK_WAIT, err);
        if (s == DSP_OK)
            dsp_sweep_temporaries(folder, dsp_path_base(save), 0);
        dsp_free(folder);
        if (s != DSP_OK || (s = dsp_analysis_write(g, plan, save, err)) != DSP_OK)
            goto done;
    }
    json_t *r = *report = dsp_json_head(), *list = json_array();
    uint64_t params = 0, macs = 0;
    for (uint32_t i = 0; i < plan->n_segments; i++) {
        const dsp_segment_plan *q = &plan->segments[i];
        json_t *in = json_array(), *ou = json_array(), *o = json_object();
        for (uint32_t k = 0; k < q->n_in; k++)
            json_array_append_new(in, json_string(g->values[q->in[k]].name));
        for (uint32_t k = 0; k < q->n_out; k++)
            json_array_append_new(ou, json_string(g->values[q->out[k]].name));
        dsp_json_put(o, "index", json_integer(i));
        dsp_json_put(o, "nodes", json_integer((json_int_t)(q->last - q->first)));
        dsp_json_put(o, "parameters", json_integer((json_int_t)q->params));
        dsp_json_put(o, "macs", json_integer((json_int_t)q->macs));
        dsp_json_put(o, "memory_bytes", json_integer((json_int_t)q->memory_bytes));
        dsp_json_put(o, "inputs", in);
        dsp_json_put(o, "outputs", ou);
        json_array_append_new(list, o);
        params += q->params;
        macs += q->macs;
    }
    dsp_json_put(r, "model", json_string(file));
    dsp_json_put(r, "model_sha256", dsp_json_hex(&g->digest));
    dsp_json_put(r, "slices_dir", json_string(out));
    dsp_json_put(r, "up_to_date", json_boolean(current));
    if (save)
        dsp_json_put(r, "analysis", json_string(save));
    dsp_json_put(r, "parameters", json_integer((json_int_t)params));
    dsp_json_put(r, "macs", json_integer((json_int_t)macs));
    dsp_json_put(r, "opset", json_integer((json_int_t)g->opset));
    dsp_json_put(r, "segments", list);
done:
    dsp_lock_release(&lock);
    dsp_plan_free(plan);
    dsp_graph_free(g);
    dsp_free(cuts);
    dsp_free(save);
    dsp_free(out);
    dsp_free(dir);
    dsp_free(file);
    return s;
}
