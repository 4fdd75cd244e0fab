/* What the processor and the operating system offer; only this file asks. */
#ifndef DSP_BASE_CPU_H
#define DSP_BASE_CPU_H

#include <stdint.h>

enum {
    DSP_CPU_AVX2 = 1u << 0,
    DSP_CPU_AVX512 = 1u << 1,      /* F, DQ, VL, BW */
    DSP_CPU_AVX512IFMA = 1u << 2,
    DSP_CPU_SHANI = 1u << 3
};

uint32_t dsp_cpu_bits(void);
unsigned dsp_cpu_count(void);      /* processors this process may use, at least 1 */
uint64_t dsp_clock_ns(void);       /* monotonic */
uint64_t dsp_peak_rss_bytes(void); /* of this process so far; 0 where unknown */

#endif
