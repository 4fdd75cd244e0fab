#define GEMM_TABLE dsp_gemm_portable
#include "circuit/gemm_body.h"

#include "base/cpu.h"

const dsp_gemm *dsp_gemm_best(void)
{
#ifdef DSP_SIMD_X86
    if (dsp_cpu_bits() & DSP_CPU_AVX2)
        return &dsp_gemm_avx2;
#endif
    return &dsp_gemm_portable;
}
