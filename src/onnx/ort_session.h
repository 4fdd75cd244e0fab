/* Inside the ONNX Runtime module: handles, and the types of a session's outputs. */
#ifndef DSP_ONNX_ORT_SESSION_H
#define DSP_ONNX_ORT_SESSION_H

#include <pthread.h>

#include "onnx/ort.h"
#include "onnx/ort_api.h"

struct dsp_ort {
    ort_api        api;
    void          *library;
    pthread_mutex_t mutex;           /* while env is made */
    OrtEnv        *env;              /* NULL before the first session */
    unsigned       shared_threads;   /* of env; 0: none */
    OrtMemoryInfo *memory;
    OrtAllocator  *allocator;
    char           version[32];
};

struct dsp_session {
    const dsp_ort *ort;
    OrtSession    *session;
};

/* Type and shape of output `index` into v (dtype, rank, dims; unknown: 0, -1, -1) if its name is v's. rank 0 may stand for an unknown
 * rank. */
DSP_MUST_USE dsp_status dsp_session_output_type(const dsp_session *s, size_t index, dsp_value *v, dsp_err *err);

#endif
