/* The kernels of each variant, for the table in kernels.c; contracts in field/kernels.h. A vector variant handles whole
 * vectors and leaves the rest to the portable function of the same name. */
#ifndef DSP_FIELD_VARIANTS_H
#define DSP_FIELD_VARIANTS_H

#include "field/kernels.h"

#define DSP_FIELD_VARIANT(v)                                                                                           \
    void   dsp_ke_fold_##v(dsp_ke *out, const dsp_ke *lo, const dsp_ke *hi, size_t n, dsp_ke r);                       \
    void   dsp_fe_fold_##v(dsp_ke *out, const dsp_fe *lo, const dsp_fe *hi, size_t n, dsp_ke r);                       \
    dsp_ke dsp_ke_dot_##v(const dsp_ke *x, const dsp_ke *y, size_t n);                                                 \
    dsp_ke dsp_ke_dot_fe_##v(const dsp_ke *x, const dsp_fe *y, size_t n);                                              \
    void   dsp_ke_axpy_##v(dsp_ke *acc, const dsp_ke *x, size_t n, dsp_ke c);                                          \
    void   dsp_ke_axpy_fe_##v(dsp_ke *acc, const dsp_fe *x, size_t n, dsp_ke c);                                       \
    void   dsp_round_fw_##v(dsp_ke s[2], const dsp_ke *f_lo, const dsp_ke *f_hi, const dsp_ke *w_lo,                   \
                            const dsp_ke *w_hi, size_t n);                                                             \
    void   dsp_round_fw_fe_##v(dsp_ke s[2], const dsp_fe *f_lo, const dsp_fe *f_hi, const dsp_ke *w_lo,                \
                               const dsp_ke *w_hi, size_t n);                                                          \
    void   dsp_round_frac_##v(dsp_ke s[2], const dsp_ke *E, const dsp_ke *p0, const dsp_ke *p1, const dsp_ke *q0,      \
                              const dsp_ke *q1, size_t h, size_t n, dsp_ke lambda);                                    \
    void   dsp_round_leaf_##v(dsp_ke s[2], const dsp_ke *E, const dsp_fe *p0, const dsp_fe *p1, const dsp_ke *q0,      \
                              const dsp_ke *q1, size_t h, size_t n, dsp_ke lambda);                                    \
    void   dsp_frac_up_##v(dsp_ke *p, dsp_ke *q, const dsp_ke *p0, const dsp_ke *p1, const dsp_ke *q0,                 \
                           const dsp_ke *q1, size_t n);                                                                \
    void   dsp_leaf_up_##v(dsp_ke *p, dsp_ke *q, const dsp_fe *p0, const dsp_fe *p1, const dsp_ke *q0,                 \
                           const dsp_ke *q1, size_t n)

DSP_FIELD_VARIANT(portable);
DSP_FIELD_VARIANT(avx2);
DSP_FIELD_VARIANT(avx512);

#endif
