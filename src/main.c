#include <features.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "cli/cli.h"

int main(int argc, char **argv)
{
#if defined(__GLIBC__) && defined(M_TRIM_THRESHOLD)
    mallopt(M_TRIM_THRESHOLD, 1 << 26);   /* not back to the system, and from it again, between two segments */
    mallopt(M_MMAP_THRESHOLD, 1 << 25);
#endif
    return cli_main(argc, argv);
}
