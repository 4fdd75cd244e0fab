/* Operators that only rename: Identity, Dropout, Flatten, Reshape, Squeeze, Unsqueeze, and a Transpose that moves axes of 1.
 * The output is an alias: cells stay where their producer put them, so nothing is computed or proved.
 */
#include <string.h>

#include "lower/ir.h"

static const char *identity(ir *m, const dsp_node *n)
{
    return dsp_ir_set_alias(m, n->out[0], n->in[0], m->val[n->in[0]].rank, m->val[n->in[0]].dims);
}

static const char *dropout(ir *m, const dsp_node *n)
{
    int64_t test = 1;
    for (uint32_t i = 1; i < n->n_out; i++)
        if (n->out[i] != DSP_NONE && (m->uses[n->out[i]] || m->outside[n->out[i]]))
            return "its output mask is used";
    if (m->g->opset < 7 && dsp_attr_int(n, "is_test", &test) && !test)
        return "it is in training mode";
    if (n->n_in > 2 && n->in[2] != DSP_NONE) {
        ir_const *c = dsp_ir_const(m, n->in[2]);
        if (!c || c->count != 1 || dsp_ir_int(m, c, 0) != 0)
            return "it is in training mode";
    }
    return identity(m, n);
}

static const char *flatten(ir *m, const dsp_node *n)
{
    const ir_value *x = &m->val[n->in[0]];
    int64_t         axis = 1, dims[2] = {1, 1};
    dsp_attr_int(n, "axis", &axis);
    axis = axis < 0 ? axis + x->rank : axis;
    if (axis < 0 || axis > x->rank)
        return "attribute axis is outside its input";
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i >= axis] *= x->dims[i];
    return dsp_ir_set_alias(m, n->out[0], n->in[0], 2, dims);
}

static const char *reshape(ir *m, const dsp_node *n)
{
    const ir_value *x = &m->val[n->in[0]];
    const int64_t  *attr = NULL;
    int64_t         dims[DSP_MAX_RANK], zero = 0, known = 1, cells = 1;
    size_t          rank = 0;
    int             open = -1;
    ir_const       *s = n->n_in > 1 ? dsp_ir_const(m, n->in[1]) : NULL;
    if (s)
        rank = s->count;
    else if (n->n_in > 1 || !dsp_attr_ints(n, "shape", &attr, &rank))
        return "its shape is not a constant that is folded here";
    if (rank > DSP_MAX_RANK)
        return dsp_ir_refuse(m, "its shape has more than %d axes", DSP_MAX_RANK);
    dsp_attr_int(n, "allowzero", &zero);
    for (uint32_t i = 0; i < x->rank; i++)
        cells *= x->dims[i];
    for (size_t i = 0; i < rank; i++) {
        dims[i] = s ? dsp_ir_int(m, s, i) : attr[i];
        if (dims[i] == 0 && !zero && i < x->rank)
            dims[i] = x->dims[i];
        if (dims[i] == -1 && open < 0) {
            open = (int)i;
            continue;
        }
        if (dims[i] < 1 || dims[i] > cells || known > cells / dims[i])
            return "its shape does not have as many cells as its input";
        known *= dims[i];
    }
    if (open >= 0)
        dims[open] = cells / known;
    if (open >= 0 ? cells % known != 0 : known != cells)
        return "its shape does not have as many cells as its input";
    return dsp_ir_set_alias(m, n->out[0], n->in[0], (uint32_t)rank, dims);
}

static const char *squeeze(ir *m, const dsp_node *n)
{
    const ir_value *x = &m->val[n->in[0]];
    const bool      un = n->op[0] == 'U';
    const int64_t  *attr = NULL;
    int64_t         dims[DSP_MAX_RANK];
    size_t          count = 0;
    unsigned        axes = 0;
    uint32_t        rank = 0, from = 0;
    ir_const       *list = n->n_in > 1 ? dsp_ir_const(m, n->in[1]) : NULL;
    if (list)
        count = list->count;
    else if (n->n_in > 1 && n->in[1] != DSP_NONE)
        return "its axes are not a constant that is folded here";
    else
        dsp_attr_ints(n, "axes", &attr, &count);
    const size_t full = un ? x->rank + count : x->rank;
    if (full > DSP_MAX_RANK || (un && count == 0))
        return "its axes are missing, or too many";
    for (size_t i = 0; i < count; i++) {
        int64_t a = list ? dsp_ir_int(m, list, i) : attr[i];
        a = a < 0 ? a + (int64_t)full : a;
        if (a < 0 || a >= (int64_t)full || (axes >> a & 1) || (!un && x->dims[a] != 1))
            return "one of its axes is out of range, named twice or not 1";
        axes |= 1u << a;
    }
    for (size_t i = 0; i < full; i++)
        if (un)
            dims[rank++] = axes >> i & 1 ? 1 : x->dims[from++];
        else if (count ? !(axes >> i & 1) : x->dims[i] != 1)
            dims[rank++] = x->dims[i];
    return dsp_ir_set_alias(m, n->out[0], n->in[0], rank, dims);
}

static const char *transpose(ir *m, const dsp_node *n)
{
    const ir_value *x = &m->val[n->in[0]];
    const int64_t  *perm = NULL;
    int64_t         dims[DSP_MAX_RANK], last = -1;
    size_t          len = 0;
    unsigned        seen = 0;
    if (dsp_attr_ints(n, "perm", &perm, &len) && len != x->rank)
        return "attribute perm does not name every axis";
    for (uint32_t i = 0; i < x->rank; i++) {
        const int64_t a = perm ? perm[i] : (int64_t)(x->rank - 1 - i);
        if (a < 0 || a >= x->rank || (seen >> a & 1))
            return "attribute perm does not name every axis";
        seen |= 1u << a;
        dims[i] = x->dims[a];
        if (dims[i] != 1 && a < last)
            return "it moves cells; only axes of 1 may change place";
        last = dims[i] != 1 ? a : last;
    }
    return dsp_ir_set_alias(m, n->out[0], n->in[0], x->rank, dims);
}

const ir_operator dsp_ir_ops_shape[] = {
    {"Identity", identity}, {"Dropout", dropout},     {"Flatten", flatten},     {"Reshape", reshape},
    {"Squeeze", squeeze},   {"Unsqueeze", squeeze}, {"Transpose", transpose}, {NULL, NULL},
};
