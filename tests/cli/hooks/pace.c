/* The pace at which runs save their state in the program that tests kill: after every segment, or as DSPERSE_TEST_PACE says in milliseconds. */
#include <stdlib.h>

#include "pipeline/checkpoint.h"

uint64_t dsp_checkpoint_pace_ns(void)
{
    const char *ms = getenv("DSPERSE_TEST_PACE");
    return ms ? (uint64_t)strtoul(ms, NULL, 10) * 1000000u : 0;
}
