#include "pipeline/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { PIECE = 1 << 20 };

dsp_status dsp_file_sha256(dsp_digest *d, uint64_t *bytes, const char *path, dsp_err *err)
{
    uint8_t   *piece = DSP_NEW_N(uint8_t, PIECE);
    const int  fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t   total = 0;
    dsp_sha    sha;
    dsp_status s = DSP_OK;
    if (!piece)
        s = dsp_fail(err, DSP_E_NOMEM, "%s: no memory to read it", path);
    else if (fd < 0)
        s = dsp_fail(err, errno == ENOENT || errno == ENOTDIR ? DSP_E_MISSING : DSP_E_IO, "%s: %s", path, strerror(errno));
    dsp_sha_init(&sha);
    while (s == DSP_OK) {
        const ssize_t n = read(fd, piece, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            s = dsp_fail(err, DSP_E_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (n <= 0)
            break;
        dsp_sha_put(&sha, piece, (size_t)n);
        total += (uint64_t)n;
    }
    *d = dsp_sha_digest(&sha);
    if (bytes)
        *bytes = total;
    if (fd >= 0)
        close(fd);
    dsp_free(piece);
    return s;
}
