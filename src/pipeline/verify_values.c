/* What the public integers mean, and whether they are those of a file. */
#include <stdlib.h>
#include <string.h>

#include "circuit/codec.h"
#include "pipeline/verify_step.h"

/* By the record and the scale that was proved. */
static bool native_as(dsp_qtensor *as, const dsp_verifier *v, const dsp_stmt_pub *p)
{
    const dsp_qtensor *q = dsp_record_find(v->record, p->name);
    if (!q || dsp_cells(q->layout.dims) != dsp_cells(p->dims) || q->layout.rank > DSP_MAX_RANK || p->scale_bits < -128 || p->scale_bits > 128)
        return false;
    *as = *q;
    as->scale_bits = (int32_t)p->scale_bits;
    return true;
}

/* A tensor of ezkl: ONNX order, one scale, no range of its own. */
static dsp_status add_foreign(dsp_verifier *v, const dsp_foreign_tensor *t, dsp_err *err)
{
    dsp_stmt_pub *p = DSP_ARENA_NEW(v->arena, dsp_stmt_pub);
    dsp_shown    *s = &v->shown[v->n_shown++];
    if (!p)
        return dsp_fail(err, DSP_E_NOMEM, "no memory for the public tensors");
    *p = (dsp_stmt_pub){t->name, t->use, {1, 1, t->count}, v->f->scale, t->cells};
    *s = (dsp_shown){.pub = p, .known = true,
                     .as = {.name = t->name, .scale_bits = (int32_t)v->f->scale, .lo = -((int64_t)1 << 62), .hi = (int64_t)1 << 62, .layout = {{1, 1, t->count}, t->rank, {0}, {0}}}};
    memcpy(s->as.layout.onnx_dims, t->dims, sizeof t->dims);
    for (uint32_t k = 0; k < t->rank; k++)
        s->as.layout.perm[k] = (uint8_t)k;
    return DSP_OK;
}

/* Place of a tensor among inputs, then outputs, then the rest. */
static uint64_t rank_of(const dsp_verifier *v, const dsp_name *in, const dsp_name *out, const dsp_stmt_pub *p, uint32_t at)
{
    const size_t   len = strlen(p->name);
    const uint32_t i = p->use & DSP_STMT_INPUT ? dsp_names_find(in, v->f->n_inputs, p->name, len) : DSP_NONE,
                   o = p->use & DSP_STMT_OUTPUT ? dsp_names_find(out, v->f->n_outputs, p->name, len) : DSP_NONE;
    const uint64_t group = p->use & DSP_STMT_INPUT ? 0 : p->use & DSP_STMT_OUTPUT ? 1 : 2;
    return group << 40 | (group == 0 ? i : group == 1 ? o : at);
}

typedef struct { uint64_t rank; dsp_shown s; } ranked;
static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* The model's own order, which no single statement has. */
static dsp_status order(dsp_verifier *v, dsp_err *err)
{
    dsp_name  *in = DSP_NEW_N(dsp_name, v->f->n_inputs), *out = DSP_NEW_N(dsp_name, v->f->n_outputs);
    ranked    *list = DSP_NEW_N(ranked, v->n_shown);
    dsp_status s = in && out && list ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for the public tensors");
    if (s != DSP_OK)
        goto done;
    for (uint32_t i = 0; i < v->f->n_inputs; i++)
        in[i] = (dsp_name){v->f->inputs[i], i};
    for (uint32_t i = 0; i < v->f->n_outputs; i++)
        out[i] = (dsp_name){v->f->outputs[i], i};
    dsp_names_sort(in, v->f->n_inputs);
    dsp_names_sort(out, v->f->n_outputs);
    for (uint32_t i = 0; i < v->n_shown; i++)
        list[i] = (ranked){rank_of(v, in, out, v->shown[i].pub, i), v->shown[i]};
    qsort(list, v->n_shown, sizeof *list, by_rank);
    for (uint32_t i = 0; i < v->n_shown; i++)
        v->shown[i] = list[i].s;
done:
    dsp_free(in);
    dsp_free(out);
    dsp_free(list);
    return s;
}

dsp_status dsp_verify_show(dsp_verifier *v, dsp_err *err)
{
    const uint32_t n_pubs = v->st ? v->st->n_pubs : 0, n_tensors = v->f ? v->f->n_tensors : 0;
    dsp_name      *names = DSP_NEW_N(dsp_name, n_pubs);
    dsp_status     s = DSP_OK;
    v->shown = DSP_ARENA_N(v->arena, dsp_shown, (size_t)n_pubs + n_tensors);
    if (!names || !v->shown) {
        dsp_free(names);
        return dsp_fail(err, DSP_E_NOMEM, "no memory for the public tensors");
    }
    for (uint32_t i = 0; i < n_pubs; i++) {
        dsp_shown *x = &v->shown[v->n_shown++];
        x->pub = &v->st->pubs[i];
        x->known = native_as(&x->as, v, x->pub);
        names[i] = (dsp_name){x->pub->name, i};
    }
    dsp_names_sort(names, n_pubs);
    for (uint32_t i = 0; i < n_tensors && s == DSP_OK; i++)
        if (dsp_names_find(names, n_pubs, v->f->tensors[i].name, strlen(v->f->tensors[i].name)) == DSP_NONE)
            s = add_foreign(v, &v->f->tensors[i], err);
    dsp_free(names);
    return s == DSP_OK && v->f ? order(v, err) : s;
}

/* One tensor of the file against what was proved. An input must quantise to the very integers. An output may also be written as the
 * float that the verifier shows, which has 24 bits where an accumulator may have more. */
static dsp_status expect_one(const dsp_array *x, const dsp_qtensor *as, const dsp_stmt_pub *p, int use, dsp_err *err)
{
    const char *what = use == DSP_STMT_INPUT ? "input" : "output";
    int64_t    *q = DSP_NEW_N(int64_t, x->count);
    float      *want = DSP_NEW_N(float, x->count), *have = DSP_NEW_N(float, x->count);
    uint64_t    clamped = 0;
    dsp_err     why = {DSP_OK, ""};
    dsp_status  s = q && want && have ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for the expected %s", what);
    if (s != DSP_OK)
        goto done;
    if (dsp_quantise_saturating(q, &clamped, x, as, &why) != DSP_OK || (clamped && use == DSP_STMT_INPUT)) {
        s = dsp_fail(err, DSP_E_REJECTED, "expected %s: \"%s\" differs from what was proved: %s", what, p->name, clamped ? "a value is outside its range" : why.msg);
        goto done;
    }
    dsp_dequantise(want, q, as);
    dsp_dequantise(have, p->cells, as);
    for (size_t i = 0; i < x->count; i++) {
        const double f = dsp_array_f64(x, i);
        if (use == DSP_STMT_OUTPUT ? have[i] == (float)f || (!clamped && have[i] == want[i]) : have[i] == want[i])
            continue;
        s = dsp_fail(err, DSP_E_REJECTED, "expected %s: \"%s\" differs from what was proved at element %zu: %.9g expected, %.9g proved", what, p->name, i, f,
                     (double)have[i]);
        goto done;
    }
    if (use == DSP_STMT_INPUT && memcmp(q, p->cells, x->count * sizeof *q) != 0)
        s = dsp_fail(err, DSP_E_REJECTED, "expected input: \"%s\" differs from what was proved", p->name);
done:
    dsp_free(q);
    dsp_free(want);
    dsp_free(have);
    return s;
}

dsp_status dsp_verify_expect(dsp_verifier *v, const char *path, int use, dsp_err *err)
{
    dsp_tensor_spec *spec = DSP_NEW_N(dsp_tensor_spec, v->n_shown);
    dsp_array       *x = DSP_NEW_N(dsp_array, v->n_shown);
    uint32_t        *which = DSP_NEW_N(uint32_t, v->n_shown), n = 0;
    const char      *what = use == DSP_STMT_INPUT ? "input" : "output";
    dsp_status       s = spec && x && which ? DSP_OK : dsp_fail(err, DSP_E_NOMEM, "no memory for %s", path);
    for (uint32_t i = 0; i < v->n_shown && s == DSP_OK; i++) {
        const dsp_shown *t = &v->shown[i];
        if (!(t->pub->use & use))
            continue;
        if (!t->known) {
            s = dsp_fail(err, DSP_E_REJECTED, "record: no layout for the %s \"%s\"", what, t->pub->name);
            break;
        }
        spec[n].name = t->pub->name;
        spec[n].dtype = DSP_DT_FLOAT;
        spec[n].rank = t->as.layout.rank;
        memcpy(spec[n].dims, t->as.layout.onnx_dims, sizeof spec[n].dims);
        which[n++] = i;
    }
    if (s == DSP_OK && n == 0)
        s = dsp_fail(err, DSP_E_REJECTED, "expected %s: no %s of the model is part of what is proved", what, what);
    if (s == DSP_OK)
        s = dsp_tensors_load(x, spec, n, path, use == DSP_STMT_OUTPUT, err);
    for (uint32_t k = 0; k < n && s == DSP_OK; k++)
        s = expect_one(&x[k], &v->shown[which[k]].as, v->shown[which[k]].pub, use, err);
    for (uint32_t k = 0; x && k < n; k++)
        dsp_array_release(&x[k]);
    dsp_free(spec);
    dsp_free(x);
    dsp_free(which);
    return s;
}
