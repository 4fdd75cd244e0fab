#include "pipeline/ezkl_check.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* The segment's inputs and outputs as the model computes them; out[i].data belongs to the caller unless it is an input of the graph. */
static dsp_status model_values(dsp_array *out, bool *own, const dsp_graph *g, const dsp_segment_plan *seg, const dsp_calibration *cal, dsp_ort *ort, dsp_err *err)
{
    const uint32_t n = seg->n_in + seg->n_out;
    uint32_t      *want = DSP_NEW_N(uint32_t, n + 1), *at = DSP_NEW_N(uint32_t, n + 1);
    dsp_array     *got = DSP_NEW_N(dsp_array, n + 1);
    size_t         k = 0;
    dsp_status     s = want && at && got ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for %u tensors", n);
    for (uint32_t i = 0; i < n && s == DSP_OK; i++) {
        const uint32_t v = i < seg->n_in ? seg->in[i] : seg->out[i - seg->n_in];
        bool           given = false;
        for (uint32_t j = 0; j < g->n_inputs; j++)
            if (g->inputs[j] == v) {
                out[i] = cal->inputs[j];
                given = true;
            }
        if (given)
            continue;
        at[k] = i;
        want[k++] = v;
    }
    if (s == DSP_OK && k)
        s = dsp_graph_run(g, ort, cal->inputs, want, k, got, err);
    for (size_t i = 0; i < k && s == DSP_OK; i++) {
        out[at[i]] = got[i];
        own[at[i]] = true;
    }
    dsp_free(want);
    dsp_free(at);
    dsp_free(got);
    return s;
}

static dsp_status quantise(int64_t *cells, const dsp_array *x, uint64_t n, const char *name, int scale, dsp_err *err)
{
    if (x->count != n)
        return dsp_fail(err, DSP_E_UNSUPPORTED, "tensor %s has %zu cells, the circuit %ju", name, x->count, (uintmax_t)n);
    for (size_t i = 0; i < x->count; i++) {
        const double v = floor(ldexp(dsp_array_f64(x, i), scale) + 0.5);
        if (!(fabs(v) < 0x1p62))
            return dsp_fail(err, DSP_E_UNSUPPORTED, "tensor %s: a value does not fit at scale %d", name, scale);
        cells[i] = (int64_t)v;
    }
    return DSP_OK;
}

/* How far integers at the scale are from floats. */
static void compare(double *off, const int64_t *cells, const dsp_array *x, int scale)
{
    double most = 0, diff = 0;
    for (size_t i = 0; i < x->count; i++) {
        const double want = dsp_array_f64(x, i);
        most = fmax(most, fabs(want));
        diff = fmax(diff, fabs(ldexp((double)cells[i], -scale) - want));
    }
    *off = fmax(*off, most > 0 ? diff / most : diff);
}

dsp_status dsp_ezkl_check(double *off, dsp_ezkl_use *use, const dsp_ezkl *e, const dsp_ezkl_files *files, const dsp_ezkl_circuit *c, const dsp_graph *g,
                          const dsp_segment_plan *seg, const dsp_calibration *cal, dsp_ort *ort, dsp_err *err)
{
    dsp_ezkl_files f = *files;
    const uint32_t n = seg->n_in + seg->n_out;
    dsp_array     *val = DSP_NEW_N(dsp_array, n + 1);
    bool          *own = DSP_NEW_N(bool, n + 1);
    int64_t       *in = DSP_NEW_N(int64_t, c->cells_in), *back = DSP_NEW_N(int64_t, c->cells_in), *out = DSP_NEW_N(int64_t, c->cells_out), *at = in;
    char          *input = dsp_path_join(f.log_dir, "check_input.json"), *witness = dsp_path_join(f.log_dir, "check_witness.json");
    dsp_status     s = DSP_OK;
    *off = 0;
    f.input = input;
    f.witness = witness;
    if (!val || !own || !in || !back || !out || !input || !witness) {
        s = dsp_fail(err, DSP_E_NOMEM, "no memory for a witness of %ju cells", (uintmax_t)(c->cells_in + c->cells_out));
        goto done;
    }
    if (seg->n_in != c->n_in || seg->n_out != c->n_out) {
        s = dsp_fail(err, DSP_E_UNSUPPORTED, "ezkl sees %u inputs and %u outputs, not the segment's", c->n_in, c->n_out);
        goto done;
    }
    if ((s = model_values(val, own, g, seg, cal, ort, err)) != DSP_OK)
        goto done;
    for (uint32_t i = 0; i < seg->n_in && s == DSP_OK; at += c->in[i++])
        s = quantise(at, &val[i], c->in[i], g->values[seg->in[i]].name, c->scale, err);
    if (s != DSP_OK || (s = dsp_ezkl_input_write(f.input, c, in, err)) != DSP_OK || (s = dsp_ezkl_witness(e, &f, use, err)) != DSP_OK ||
        (s = dsp_ezkl_witness_read(back, out, f.witness, c, err)) != DSP_OK)
        goto done;
    if (memcmp(in, back, (size_t)c->cells_in * sizeof *in) != 0) {
        s = dsp_fail(err, DSP_E_UNSUPPORTED, "ezkl does not take the integers that it is given");
        goto done;
    }
    at = out;
    for (uint32_t i = 0; i < seg->n_out; at += c->out[i++])
        if (val[seg->n_in + i].count == c->out[i])
            compare(off, at, &val[seg->n_in + i], c->scale);
done:
    if (input)
        unlink(input);
    if (witness)
        unlink(witness);
    for (uint32_t i = 0; val && own && i < n; i++)
        if (own[i])
            dsp_array_release(&val[i]);
    dsp_free(val);
    dsp_free(own);
    dsp_free(in);
    dsp_free(back);
    dsp_free(out);
    dsp_free(input);
    dsp_free(witness);
    return s;
}
