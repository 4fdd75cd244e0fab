/* Linear functionals on tensors (S6): axis-separable ones and whole convolutions.
 *
 * Coefficients exist on valid cells only. A functional carries its coefficient in the claim. Three uses: its value at a point of
 * the tensor's cube (verifier), its value on known cells (public tensors), its table added into the opening's W (prover).
 */
#ifndef DSP_CLAIMS_FUNCTIONAL_H
#define DSP_CLAIMS_FUNCTIONAL_H

#include "circuit/derive.h"
#include "poly/poly.h"

enum { DSP_F_SEP, DSP_F_CONV };

/* A convolution term at an output point, multipliers folded in. */
typedef struct {
    const dsp_term *term;
    uint32_t xd[3], od[3], kd[3];   /* input, output, kernel (C_x, kh, kw) */
    uint32_t cg;                    /* channels per group */
    dsp_ke  *ey, *ex;               /* truncated eq of the output point times My, Mx */
    dsp_ke  *A;                     /* kd cells: sum over the group's outputs of eq M W */
} dsp_conv;

typedef struct {
    uint8_t  kind;                  /* DSP_F_* */
    uint32_t tensor;                /* index into D->tensors */
    dsp_ke   coef;
    uint32_t dims[3];
    dsp_ke  *v[3];                  /* separable: dims[a] entries each */
    dsp_conv *conv;
} dsp_functional;

/* Value (coefficient included) at point r of the tensor's cube (dlog coordinates, axis order). Scratch from the arena. */
DSP_MUST_USE dsp_status dsp_functional_at(dsp_ke *out, const dsp_functional *f, const dsp_ke *r, dsp_arena *a, dsp_err *err);
/* Value (coefficient included) on integer cells, row-major. */
DSP_MUST_USE dsp_status dsp_functional_value(dsp_ke *out, const dsp_functional *f, const int64_t *cells, dsp_arena *a, dsp_err *err);
/* W[padded index] += scale * coefficient * f(cell) over the valid cells. */
DSP_MUST_USE dsp_status dsp_functional_add(dsp_ke *W, const dsp_functional *f, dsp_ke scale, dsp_arena *a, dsp_err *err);

/* Mode 0: a convolution's kernel function A~ at rho, and Z(c,a,b) over the cells of x (kd cells out). */
DSP_MUST_USE dsp_status dsp_conv_kernel_at(dsp_ke *out, const dsp_conv *c, const dsp_ke *rho, dsp_arena *a, dsp_err *err);
DSP_MUST_USE dsp_status dsp_conv_z(dsp_ke *out, const dsp_conv *c, const int64_t *x, dsp_arena *a, dsp_err *err);

/* The functional of conv term t of op at output point z (m coordinates of the output's cube). From the arena. */
DSP_MUST_USE dsp_status dsp_conv_make(dsp_conv **c, dsp_arena *a, const dsp_derived *D, uint32_t op, uint32_t term, const dsp_ke *z, dsp_err *err);
/* Point and view functionals; es: output-axis weights in place of eq (three arrays), or NULL. */
DSP_MUST_USE dsp_status dsp_sep_point(dsp_functional *f, dsp_arena *a, uint32_t tensor, const uint32_t dims[3], const dsp_ke *z, dsp_err *err);
DSP_MUST_USE dsp_status dsp_sep_view(dsp_functional *f, dsp_arena *a, uint32_t tensor, const uint32_t xd[3], const uint32_t od[3],
                                     const dsp_view *v, const dsp_ke *z, dsp_ke *const es[3], dsp_err *err);

/* sum over the valid cells of eq(z, cell). */
DSP_MUST_USE dsp_status dsp_valid_at(dsp_ke *out, const uint32_t dims[3], const dsp_ke *z, dsp_arena *a, dsp_err *err);
static inline unsigned dsp_dlog(const uint32_t dims[3]) { unsigned m = 0; for (int i = 0; i < 3; i++) { unsigned b = 0; while ((1ull << b) < dims[i]) b++; m += b; } return m; }

#endif
