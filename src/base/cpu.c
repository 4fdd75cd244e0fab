#define _GNU_SOURCE
#include "base/cpu.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

uint32_t dsp_cpu_bits(void)
{
    uint32_t b = 0;
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2"))
        b |= DSP_CPU_AVX2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw"))
        b |= DSP_CPU_AVX512;
    if (__builtin_cpu_supports("avx512ifma"))
        b |= DSP_CPU_AVX512IFMA;
    uint32_t a = 7, x, c = 0, d;
    __asm__("cpuid" : "+a"(a), "=b"(x), "+c"(c), "=d"(d));
    if ((x >> 29 & 1) && __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3"))
        b |= DSP_CPU_SHANI;
#endif
    return b;
}

unsigned dsp_cpu_count(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        const int n = CPU_COUNT(&set);
        if (n > 0)
            return (unsigned)n;
    }
#endif
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

uint64_t dsp_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t dsp_peak_rss_bytes(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) == 0 ? (uint64_t)u.ru_maxrss * 1024 : 0;
}
