/* Linear functionals on tensors (S6): axis-separable ones and whole convolutions.
 *
 * Coefficients exist on valid cells only: padding is never read (S1). Three uses: the value at a point of the tensor's cube
 * (verifier), the value on known cells (public tensors), the table added into the opening's W (prover).
 *
 * Source: docs/protocol.md, S6. A separable functional is v0 (x) v1 (x) v2; eq and its products over truncated axes are
 * those of Thaler, "Proofs, Arguments, and Zero-Knowledge", section 3.5. A convolution at an output point z is
 * linear in its input X with the public kernel A(c,a,b) = sum over the outputs o of c's group of e_o W[o,c,a,b]: one
 * pass over the weights, and no proof of the product is needed (mode 1).
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
    dsp_ke  *ey, *ex;               /* truncated eq of the output point times My, Mx: od[1], od[2] entries */
    dsp_ke  *A;                     /* kd cells: sum over the group's outputs of eq M W */
} dsp_conv;

typedef struct {
    uint8_t  kind;                  /* DSP_F_* */
    uint32_t tensor;                /* index into D->tensors */
    dsp_ke   coef;
    uint32_t dims[3];
    const dsp_ke *z;                /* separable, at a point: v is the truncated eq tables of z (dlog coordinates, borrowed)
                                     * and is made where it is needed only: v[] is NULL then */
    dsp_ke  *v[3];                  /* separable, z NULL: dims[a] entries each */
    dsp_conv *conv;                 /* convolution */
    const dsp_field_kernels *fk;    /* NULL: portable */
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

/* The separable functional on x whose value is Z~(rho) (coefficient 1). */
DSP_MUST_USE dsp_status dsp_conv_on_x(dsp_functional *f, dsp_arena *a, const dsp_conv *c, const dsp_ke *rho, dsp_err *err);

/* The functional of conv term t of op at output point z (m coordinates of the output's cube). From the arena. */
DSP_MUST_USE dsp_status dsp_conv_make(dsp_conv **c, dsp_arena *a, const dsp_derived *D, uint32_t op, uint32_t term, const dsp_ke *z, dsp_err *err);
/* The point functional (coefficient 1): z is borrowed for the functional's life. */
void dsp_sep_point(dsp_functional *f, uint32_t tensor, const uint32_t dims[3], const dsp_ke *z);
/* The view's value at z as a functional on x (coefficient 1); es: output-axis weights in place of eq (three arrays of od entries), or NULL. */
DSP_MUST_USE dsp_status dsp_sep_view(dsp_functional *f, dsp_arena *a, uint32_t tensor, const uint32_t xd[3], const uint32_t od[3],
                                     const dsp_view *v, const dsp_ke *z, dsp_ke *const es[3], dsp_err *err);

/* The truncated eq tables of z times the multipliers of a lin op: e[a] has dims[a] entries, from the arena. */
DSP_MUST_USE dsp_status dsp_scaled_eq(dsp_ke *e[3], dsp_arena *a, const dsp_derived *D, uint32_t op, const dsp_ke *z, dsp_err *err);
/* bias~(z) of a lin op: (sum e_o bias[o]) (sum e_y) (sum e_x). */
DSP_MUST_USE dsp_status dsp_bias_at(dsp_ke *out, const dsp_derived *D, uint32_t op, const dsp_ke *z, dsp_arena *a, dsp_err *err);

/* sum over the first d of 2^m indices i of eq(z, i); d <= 2^m. Time O(m). */
dsp_ke dsp_eq_prefix(const dsp_ke *z, unsigned m, uint64_t d);
/* sum over the valid cells of eq(z, cell). */
dsp_ke dsp_valid_at(const uint32_t dims[3], const dsp_ke *z);
/* Indicator of the view's cells that lie outside x, at z: valid~(z) minus the cells inside. */
dsp_ke dsp_outside_at(const uint32_t xd[3], const uint32_t od[3], const dsp_view *v, const dsp_ke *z);
static inline unsigned dsp_dlog(const uint32_t dims[3]) { unsigned m = 0; for (int i = 0; i < 3; i++) { unsigned b = 0; while ((1ull << b) < dims[i]) b++; m += b; } return m; }

#endif
