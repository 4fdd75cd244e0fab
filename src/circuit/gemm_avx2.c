#define GEMM_TABLE dsp_gemm_avx2
#include "circuit/gemm_body.h"
