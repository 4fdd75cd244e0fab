/* Windows of Conv, MaxPool and AveragePool: kernel, stride, dilation, padding and output size, as ONNX has them. */
#include <string.h>

#include "lower/ir.h"

/* Reads one list of positive numbers of `spatial` entries into the last of two axes. */
static const char *read_ints(ir *m, const dsp_node *n, const char *name, unsigned spatial, uint32_t out[2])
{
    const int64_t *v;
    size_t         count;
    if (!dsp_attr_ints(n, name, &v, &count))
        return NULL;
    if (count != spatial)
        return dsp_ir_refuse(m, "attribute %s has %zu entries for %u spatial axes", name, count, spatial);
    for (unsigned i = 0; i < spatial; i++) {
        if (v[i] < 1 || v[i] > IR_MAX_AXIS)
            return dsp_ir_refuse(m, "attribute %s has an entry outside 1 .. 2^24", name);
        out[2 - spatial + i] = (uint32_t)v[i];
    }
    return NULL;
}

const char *dsp_ir_window(ir *m, const dsp_node *n, unsigned spatial, const uint32_t in[2], const int64_t *kernel, bool ceil_mode, ir_window *w)
{
    const char    *why, *mode = "NOTSET";
    const int64_t *pads = NULL;
    size_t         len = 6, n_pads = 0;

    *w = (ir_window){.k = {1, 1}, .stride = {1, 1}, .dil = {1, 1}};
    uint32_t given[2] = {0, 0};
    if ((why = read_ints(m, n, "kernel_shape", spatial, given)) || (why = read_ints(m, n, "strides", spatial, w->stride)) ||
        (why = read_ints(m, n, "dilations", spatial, w->dil)))
        return why;
    for (unsigned i = 2 - spatial; i < 2; i++) {
        if (!kernel && !given[i])
            return "attribute kernel_shape is missing";
        if (kernel && (kernel[i - (2 - spatial)] < 1 || kernel[i - (2 - spatial)] > IR_MAX_AXIS))
            return "its weights have an empty axis";
        w->k[i] = kernel ? (uint32_t)kernel[i - (2 - spatial)] : given[i];
        if (kernel && given[i] && given[i] != w->k[i])
            return "attribute kernel_shape is not the shape of its weights";
    }
    if (dsp_attr_ints(n, "pads", &pads, &n_pads) && n_pads != 2 * spatial)
        return dsp_ir_refuse(m, "attribute pads has %zu entries for %u spatial axes", n_pads, spatial);
    dsp_attr_string(n, "auto_pad", &mode, &len);
    const bool notset = len == 0 || (len == 6 && memcmp(mode, "NOTSET", 6) == 0), valid = len == 5 && memcmp(mode, "VALID", 5) == 0,
               upper = len == 10 && memcmp(mode, "SAME_UPPER", 10) == 0, lower = len == 10 && memcmp(mode, "SAME_LOWER", 10) == 0;
    if (!notset && !valid && !upper && !lower)
        return "attribute auto_pad is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER";
    for (unsigned i = 2 - spatial; i < 2; i++) {
        const int64_t s = w->stride[i], reach = (int64_t)(w->k[i] - 1) * w->dil[i] + 1, size = in[i];
        int64_t       before = 0, after = 0, out;
        if (reach > 4 * (int64_t)IR_MAX_AXIS)
            return "its window is larger than 2^26";
        if (upper || lower) {
            out = (size + s - 1) / s;
            const int64_t total = (out - 1) * s + reach > size ? (out - 1) * s + reach - size : 0;
            before = upper ? total / 2 : total - total / 2;
            after = total - before;
        } else {
            if (notset && pads) {
                before = pads[i - (2 - spatial)];
                after = pads[i - (2 - spatial) + spatial];
            }
            if (before < 0 || after < 0 || before > IR_MAX_AXIS || after > IR_MAX_AXIS)
                return "attribute pads has an entry outside 0 .. 2^24";
            const int64_t room = size + before + after - reach;
            if (room < 0)
                return "its window is larger than its padded input";
            out = (ceil_mode ? room + s - 1 : room) / s + 1;
            if (ceil_mode && (out - 1) * s >= size + before)
                out--;   /* a last window that starts in the padding behind is left out */
        }
        if (out < 1 || out > IR_MAX_AXIS)
            return "its output is empty or larger than 2^24 along an axis";
        w->pad[i] = (uint32_t)before;
        w->pad_end[i] = (uint32_t)after;
        w->out[i] = (uint32_t)out;
    }
    if (spatial == 1)
        w->out[0] = in[0];
    return NULL;
}
