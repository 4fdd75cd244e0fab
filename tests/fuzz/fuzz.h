/* What the harnesses share. Each fuzz_<reader>.c defines fuzz_one; fuzz.c makes a libFuzzer target of it, replay.c a unit test over the
 * files of tests/corpus/<reader>.
 */
#ifndef DSP_TESTS_FUZZ_H
#define DSP_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dsperse/status.h"

/* Reads p[0..n) once with the reader under test and checks what must hold of whatever it accepts. Returns the reader's status and
 * message. Equal inputs give equal results. */
dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err);

/* Whether the reader opens a file itself, so that the bytes are in memory once; false: the caller holds them beside. */
extern const bool fuzz_by_path;

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* fuzz_one twice: equal results, a message with every failure, no DSP_E_BUG; ends the process otherwise. */
dsp_status fuzz_twice(const uint8_t *p, size_t n, dsp_err *err);

/* Writes a file below the process's own temporary folder, removed at exit. The path is borrowed until the next call. */
const char *fuzz_file(const char *name, const void *p, size_t n);
const char *fuzz_dir(void);
/* A whole file of the source tree; the caller's (free). */
uint8_t *fuzz_source(const char *rel, size_t *n);

/* A copy of p[0..n) whose last 32 bytes are the SHA-256 of all before (n >= 32), so that changes inside get past a digest at the end; the
 * caller's (free). */
uint8_t *fuzz_seal(const uint8_t *p, size_t n);

/* Ends the process when something that must hold does not. */
#define FUZZ_CHECK(c)                                 \
    do {                                              \
        if (!(c))                                     \
            fuzz_broken(__FILE__, __LINE__, #c);      \
    } while (0)
void fuzz_broken(const char *file, int line, const char *what);

#endif
