#include <string.h>

#include "backends/backend.h"

const dsp_backend *dsp_backend_find(const char *name)
{
    const dsp_backend *const all[] = {dsp_backend_native()};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
