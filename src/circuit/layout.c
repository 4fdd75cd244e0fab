/* Names and digests that follow from a derivation: labels of claims, layouts of edges, the run key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "circuit/codec.h"
#include "circuit/derive.h"

void dsp_label_text(char *out, size_t n, const dsp_derived *D, dsp_label l)
{
    static const char *const part[DSP_R_KINDS] = {".rem", ".q", ".u", ".v", ".a", ".b", ""};
    const dsp_key *k = D->key;
    const bool     by_range = l.kind == DSP_C_LIMB || l.kind == DSP_C_RANGE;
    const char    *op = by_range ? k->ops[D->ranges[l.a].op].name : l.kind == DSP_C_MULT ? "mult" : k->ops[l.a].name;
    switch (l.kind) {
    case DSP_C_LIMB:
        snprintf(out, n, "%s%s.%u", op, part[D->ranges[l.a].part], l.b);
        break;
    case DSP_C_RANGE:
        snprintf(out, n, "%s%s", op, part[D->ranges[l.a].part]);
        break;
    case DSP_C_TERM:
        snprintf(out, n, "%s.x%u", op, l.b);
        break;
    case DSP_C_LIN:
        snprintf(out, n, "%s.lin", op);
        break;
    case DSP_C_ZERO:
        snprintf(out, n, "%s.z%s.%u", op, l.b / 2 == DSP_R_U ? "u" : l.b / 2 == DSP_R_V ? "v" : "", l.b % 2);
        break;
    case DSP_C_MAX:
        snprintf(out, n, "%s%s", op, part[l.b]);
        break;
    case DSP_C_TABLE_X:
        snprintf(out, n, "%s.x", op);
        break;
    case DSP_C_TABLE_Y:
        snprintf(out, n, "%s.y", op);
        break;
    default:
        snprintf(out, n, "%s.%u", op, D->used[l.a].table + 1);
    }
}

dsp_digest dsp_layout_digest(const dsp_derived *D, uint32_t tree)
{
    const dsp_tree_info *t = &D->trees[tree];
    const dsp_tensor    *e = &D->key->tensors[t->edge];
    const uint32_t       shape[6] = {t->R, t->C, t->n, (uint32_t)t->k, t->t, t->J};
    dsp_sha              s;
    dsp_sha_init(&s);
    dsp_sha_put(&s, "DSPL", 4);
    dsp_sha_text(&s, e->name);
    for (int a = 0; a < 3; a++)
        dsp_sha_u32(&s, e->dims[a]);
    dsp_sha_u64(&s, (uint64_t)e->lo);
    dsp_sha_u64(&s, (uint64_t)e->hi);
    dsp_sha_u64(&s, (uint64_t)e->scale_bits);
    for (int i = 0; i < 6; i++)
        dsp_sha_u32(&s, shape[i]);
    return dsp_sha_digest(&s);
}

dsp_status dsp_run_key_digest(dsp_digest *out, const dsp_derived *const *slices, uint32_t n, dsp_err *err)
{
    uint32_t total = 0, edges = 0; /* at most 2^26 slices of 63 edges */
    dsp_sha  s;
    for (uint32_t i = 0; i < n; i++) {
        if (slices[i]->n_trees - 1 > UINT32_MAX - total)
            return dsp_fail(err, DSP_E_LIMIT, "run key: too many slices");
        total += slices[i]->n_trees - 1;
    }
    /* names[j].i = number of the use: slice and tree of use j lie beside it */
    dsp_name *names = DSP_NEW_N(dsp_name, total);
    uint32_t(*use)[2] = dsp_calloc(total, sizeof *use);
    dsp_status st = DSP_OK;
    if (!names || !use) {
        st = dsp_fail(err, DSP_E_NOMEM, "run key: no memory");
        goto done;
    }
    for (uint32_t i = 0, j = 0; i < n; i++)
        for (uint32_t t = 0; t + 1 < slices[i]->n_trees; t++, j++) {
            names[j] = (dsp_name){slices[i]->key->tensors[slices[i]->trees[t].edge].name, j};
            use[j][0] = i;
            use[j][1] = t;
        }
    dsp_names_sort(names, total); /* equal names by use: the first slice in run order comes first */
    for (uint32_t j = 0; j < total; j++)
        edges += j == 0 || strcmp(names[j - 1].s, names[j].s) != 0;
    dsp_sha_init(&s);
    dsp_sha_put(&s, "DSPR", 4);
    dsp_sha_u32(&s, DSP_PROTOCOL_VERSION);
    dsp_sha_u32(&s, n);
    for (uint32_t i = 0; i < n; i++)
        dsp_sha_put(&s, slices[i]->key->digest.b, 32);
    dsp_sha_u32(&s, edges);
    for (uint32_t j = 0; j < total; j++) {
        if (j > 0 && strcmp(names[j - 1].s, names[j].s) == 0)
            continue;
        const dsp_digest d = dsp_layout_digest(slices[use[names[j].i][0]], use[names[j].i][1]);
        dsp_sha_text(&s, names[j].s);
        dsp_sha_put(&s, d.b, 32);
    }
    *out = dsp_sha_digest(&s);
done:
    dsp_free(names);
    dsp_free(use);
    return st;
}
