/* Default attributes written out: what is added, what stays, and that it stays a model that loads. */
#include "unit/onnx/make.h"

#include "onnx.pb-c.h"
#include "onnx/explicit.h"

static msg node(const char *op, const char *in, const char *weight, const char *out)
{
    msg n = {0};
    put_str(&n, 1, in);
    if (weight)
        put_str(&n, 1, weight);
    put_str(&n, 2, out);
    put_str(&n, 4, op);
    return n;
}

static const Onnx__AttributeProto *attr(const Onnx__NodeProto *n, const char *name)
{
    const Onnx__AttributeProto *found = NULL;
    for (size_t i = 0; i < n->n_attribute; i++)
        if (strcmp(n->attribute[i]->name, name) == 0) {
            assert_null(found);
            found = n->attribute[i];
        }
    return found;
}

static void ints(const Onnx__NodeProto *n, const char *name, size_t count, int64_t v)
{
    const Onnx__AttributeProto *t = attr(n, name);
    assert_non_null(t);
    assert_int_equal(t->type, 7);
    assert_int_equal(t->n_ints, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(t->ints[i], v);
}

/* Conv(x, w 4x3x5x5), MaxPool with strides 2 and kernel 2, Gemm with alpha, Conv with auto_pad, Relu. */
static msg model(void)
{
    static const int64_t wdims[] = {4, 3, 5, 5};
    msg m = {0}, g = {0}, w = {0}, n, a, opset = {0};
    put_msg(&g, 1, node("Conv", "x", "w", "c"));
    n = node("MaxPool", "c", NULL, "p");
    for (int k = 0; k < 2; k++) {
        a = (msg){0};
        put_str(&a, 1, k ? "strides" : "kernel_shape");
        put_int(&a, 8, 2);
        put_int(&a, 8, 2);
        put_int(&a, 20, 7);
        put_msg(&n, 5, a);
    }
    put_msg(&g, 1, n);
    n = node("Gemm", "p", "v", "q");
    a = (msg){0};
    put_str(&a, 1, "alpha");
    put_float(&a, 2, 0.5f);
    put_int(&a, 20, 1);
    put_msg(&n, 5, a);
    put_msg(&g, 1, n);
    n = node("Conv", "q", "w", "r");
    a = (msg){0};
    put_str(&a, 1, "auto_pad");
    put_str(&a, 4, "SAME_UPPER");
    put_int(&a, 20, 3);
    put_msg(&n, 5, a);
    put_msg(&g, 1, n);
    put_msg(&g, 1, node("Relu", "r", NULL, "y"));
    put_msg(&g, 1, node("Conv", "y", "unknown", "z"));
    put_str(&g, 2, "g");
    for (size_t i = 0; i < 4; i++)
        put_int(&w, 1, wdims[i]);
    put_int(&w, 2, 1);
    put_str(&w, 8, "w");
    put_msg(&g, 5, w);
    put_int(&m, 1, 8);
    put_msg(&m, 7, g);
    put_int(&opset, 2, 18);
    put_msg(&m, 8, opset);
    return m;
}

static void defaults(void **state)
{
    msg      m = model();
    uint8_t *p, *again;
    size_t   n, k;
    (void)state;
    assert_int_equal(dsp_onnx_explicit(&p, &n, m.p, m.len, NULL), DSP_OK);
    Onnx__ModelProto *q = onnx__model_proto__unpack(NULL, n, p);
    assert_non_null(q);
    assert_int_equal(q->graph->n_node, 6);
    assert_int_equal(q->graph->n_initializer, 1);
    Onnx__NodeProto **o = q->graph->node;
    ints(o[0], "kernel_shape", 2, 5);
    ints(o[0], "strides", 2, 1);
    ints(o[0], "dilations", 2, 1);
    ints(o[0], "pads", 4, 0);
    assert_int_equal(attr(o[0], "group")->i, 1);
    ints(o[1], "kernel_shape", 2, 2);
    ints(o[1], "strides", 2, 2);   /* as it was */
    ints(o[1], "pads", 4, 0);
    assert_null(attr(o[1], "group"));
    assert_true(attr(o[2], "alpha")->f == 0.5f && attr(o[2], "beta")->f == 1.0f);
    assert_true(attr(o[2], "transA")->i == 0 && attr(o[2], "transB")->type == 2);
    assert_null(attr(o[3], "pads"));
    ints(o[3], "strides", 2, 1);
    assert_int_equal(o[4]->n_attribute, 0);
    assert_null(attr(o[5], "strides"));
    assert_int_equal(attr(o[5], "group")->i, 1);
    onnx__model_proto__free_unpacked(q, NULL);
    /* nothing is left to add */
    assert_int_equal(dsp_onnx_explicit(&again, &k, p, n, NULL), DSP_OK);
    assert_int_equal(k, n);
    assert_memory_equal(again, p, n);
    dsp_free(again);
    dsp_free(p);
    dsp_buf_release(&m);
}

static void hostile(void **state)
{
    msg      m = model();
    uint8_t *p;
    size_t   n;
    (void)state;
    assert_int_equal(dsp_onnx_explicit(&p, &n, (const uint8_t *)"\xff\xff", 2, NULL), DSP_E_FORMAT);
    assert_int_equal(dsp_onnx_explicit(&p, &n, (const uint8_t *)"", 0, NULL), DSP_E_FORMAT);
    for (size_t cut = 0; cut < m.len; cut++) {
        if (dsp_onnx_explicit(&p, &n, m.p, cut, NULL) == DSP_OK)
            dsp_free(p);
        else
            assert_null(p);
    }
    dsp_buf_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(defaults), cmocka_unit_test(hostile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
