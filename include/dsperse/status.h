/* Status codes and messages of every fallible function.
 *
 * The code tells the program what to do; the message tells a person where to look: what, where, expected,
 * found. The first failure writes the message, callers may put context in front of it, success leaves it
 * alone. Messages never contain witness values, weights or secrets.
 */
#ifndef DSPERSE_STATUS_H
#define DSPERSE_STATUS_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    DSP_OK            =  0,
    DSP_E_ARG         = -1,  /* the caller broke a documented condition  */
    DSP_E_NOMEM       = -2,  /* memory, or an arena's ceiling            */
    DSP_E_LIMIT       = -3,  /* well formed, larger than we were allowed */
    DSP_E_FORMAT      = -4,  /* the bytes are not what they claim        */
    DSP_E_UNSUPPORTED = -5,  /* legal, and not implemented here          */
    DSP_E_REJECTED    = -6,  /* well formed, and the proof is false      */
    DSP_E_IO          = -7,
    DSP_E_BUG         = -8,  /* our own invariant failed                 */
    DSP_E_UNAVAILABLE = -9,  /* a backend or library that is not there   */
    DSP_E_MISSING     = -10, /* a file or artifact that is not there     */
    DSP_E_RANGE       = -11  /* an input outside its declared range      */
} dsp_status;

typedef struct {
    dsp_status code;
    char       msg[1024];
} dsp_err;

#if defined(__GNUC__)
#define DSP_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define DSP_MUST_USE     __attribute__((warn_unused_result))
#else
#define DSP_PRINTF(f, a)
#define DSP_MUST_USE
#endif

/* Writes code and message into err (which may be NULL) and returns code. */
dsp_status dsp_fail(dsp_err *err, dsp_status code, const char *fmt, ...) DSP_PRINTF(3, 4);

/* Puts "context: " in front of an error already written; code is unchanged and returned. */
dsp_status dsp_context(dsp_err *err, dsp_status code, const char *fmt, ...) DSP_PRINTF(3, 4);

/* A short name of a status: "rejected", "malformed", ... Static storage. */
const char *dsp_status_name(dsp_status s);

#endif
