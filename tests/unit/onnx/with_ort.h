/* ONNX Runtime for a group of tests: setup and teardown, and what they share. */
#ifndef DSP_TESTS_ONNX_WITH_ORT_H
#define DSP_TESTS_ONNX_WITH_ORT_H

#include "make.h"

static dsp_ort *ort; /* NULL: not there, which setup has said */

static int setup(void **state)
{
    (void)state;
    ort = find_ort();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dsp_ort_close(ort);
    return 0;
}

#endif
