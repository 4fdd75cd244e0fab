/* Child processes: started without a shell, output captured in a file, ended at a time limit. */
#ifndef DSP_BACKENDS_CHILD_H
#define DSP_BACKENDS_CHILD_H

#include <stdbool.h>

#include "dsperse/status.h"

typedef struct {
    int      code;         /* exit status; -1 when a signal ended it */
    int      signal;       /* that ended it; 0: none */
    bool     timed_out;
    uint64_t ns;           /* wall-clock */
    uint64_t peak_bytes;   /* most memory it held; 0: not known */
} dsp_child_end;

/* Runs argv (NULL at the end; argv[0] with a slash is a path, else looked up in PATH) with the caller's environment, nothing on stdin, and
 * stdout and stderr in the file log, which is replaced. After timeout_ms (0: never) it is told to end, and killed two seconds later. It dies
 * with this process where the system can do that (Linux), and takes part in its process group, so that Ctrl-C reaches both.
 * DSP_OK: it was started and has ended, *end says how. Fails: DSP_E_UNAVAILABLE (argv[0] cannot be run), DSP_E_IO. */
DSP_MUST_USE dsp_status dsp_child_run(dsp_child_end *end, const char *const *argv, const char *log, uint64_t timeout_ms, dsp_err *err);

#endif
