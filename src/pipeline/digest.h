/* SHA-256 of files of any size: proving keys and reference strings are larger than memory. */
#ifndef DSP_PIPELINE_DIGEST_H
#define DSP_PIPELINE_DIGEST_H

#include "hash/hash.h"

/* *bytes (may be NULL): its length. Fails: DSP_E_MISSING, DSP_E_IO, DSP_E_NOMEM. */
DSP_MUST_USE dsp_status dsp_file_sha256(dsp_digest *d, uint64_t *bytes, const char *path, dsp_err *err);

#endif
