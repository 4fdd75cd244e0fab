/* The relative path between two places that exist. */
#define _XOPEN_SOURCE 700 /* realpath */
#include <stdlib.h>
#include <string.h>

#include "onnx/meta.h"

char *dsp_path_relative(const char *dir, const char *to)
{
    char  *a = realpath(dir, NULL), *b = realpath(to, NULL), *out = NULL;
    size_t common = 0, ups = 0;
    if (!a || !b)
        goto done;
    if (!a[1])
        a[0] = 0; /* the root: no name before its slash */
    for (size_t i = 0; ; i++) { /* common: length of the shared folders, without the slash after them */
        if ((!a[i] || a[i] == '/') && b[i] == '/')
            common = i;
        if (!a[i] || a[i] != b[i])
            break;
    }
    for (const char *c = a + common; *c; c++)
        ups += *c == '/';
    const char  *below = b + common + 1;
    const size_t n = strlen(below);
    out = dsp_calloc(3 * ups + n + 1, 1);
    if (!out)
        goto done;
    for (size_t i = 0; i < ups; i++)
        memcpy(out + 3 * i, "../", 3);
    memcpy(out + 3 * ups, below, n);
done:
    free(a);
    free(b);
    return out;
}
