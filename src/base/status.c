#include "dsperse/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

dsp_status dsp_fail(dsp_err *err, dsp_status code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        err->code = code;
        vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
    }
    return code;
}

dsp_status dsp_context(dsp_err *err, dsp_status code, const char *fmt, ...)
{
    if (err && code != DSP_OK) {
        char    head[256], tail[sizeof err->msg];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(head, sizeof head, fmt, ap);
        va_end(ap);
        memcpy(tail, err->msg, sizeof tail);
        tail[sizeof tail - 1] = 0;
        const size_t n = strlen(head);
        const size_t room = sizeof err->msg - n - 3;
        const size_t keep = strlen(tail) < room ? strlen(tail) : room;
        memcpy(err->msg, head, n);
        memcpy(err->msg + n, ": ", 2);
        memcpy(err->msg + n + 2, tail, keep);
        err->msg[n + 2 + keep] = 0;
        err->code = code;
    }
    return code;
}

const char *dsp_status_name(dsp_status s)
{
    switch (s) {
    case DSP_OK:            return "ok";
    case DSP_E_ARG:         return "bad argument";
    case DSP_E_NOMEM:       return "out of memory";
    case DSP_E_LIMIT:       return "over a limit";
    case DSP_E_FORMAT:      return "malformed";
    case DSP_E_UNSUPPORTED: return "unsupported";
    case DSP_E_REJECTED:    return "rejected";
    case DSP_E_IO:          return "input/output";
    case DSP_E_BUG:         return "internal error";
    case DSP_E_UNAVAILABLE: return "unavailable";
    case DSP_E_MISSING:     return "missing";
    case DSP_E_RANGE:       return "out of range";
    }
    return "unknown";
}
