/* The fields of the proof (protocol section S1): F = Z/p with p = 2^64 - 2^32 + 1, and K = F[X]/(X^2 - 7).
 *
 * Every element is canonical (< p) at every function boundary. Builds with DSP_TOY_P = 13 or 17 use that prime
 * instead (7 is a non-residue in both), so that sub-protocols can be tried on every input and every challenge.
 * Two doors for outside values: dsp_fe_read() for bytes from anyone, which can refuse, and DSP_FE_CONST() for
 * literals. Signed integers enter by dsp_fe_from_i64(). No operation here branches on values.
 */
#ifndef DSP_FIELD_FE_H
#define DSP_FIELD_FE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef DSP_TOY_P
#define DSP_P ((uint64_t)DSP_TOY_P)
#else
#define DSP_P UINT64_C(0xffffffff00000001)
#endif
#define DSP_NR 7 /* X^2 = 7; also the generator of F* for the full prime */

typedef struct { uint64_t v; } dsp_fe;
typedef struct { dsp_fe a, b; } dsp_ke; /* a + b X; an array of n is 2n adjacent words a, b, a, b, .. */
_Static_assert(sizeof(dsp_fe) == 8 && sizeof(dsp_ke) == 16, "arrays of elements are arrays of words");

#define DSP_FE_CONST(x) ((dsp_fe){(uint64_t)(x) + 0 * sizeof(char[(uint64_t)(x) < DSP_P ? 1 : -1])})
#define DSP_KE_CONST(x) ((dsp_ke){DSP_FE_CONST(x), {0}})

__extension__ typedef unsigned __int128 dsp_u128;
__extension__ typedef __int128 dsp_i128;

/* All ones for 1, 0 for 0. The empty assembly keeps clang from turning what depends on the mask into a branch, which would
 * be slow (carries are random) and would leak values by time; gcc makes no branch here. */
static inline uint64_t dsp_fe_mask(bool bit)
{
    uint64_t m = -(uint64_t)bit;
#ifdef __clang__
    __asm__("" : "+r"(m));
#endif
    return m;
}

/* v mod p of any 128-bit value. */
static inline dsp_fe dsp_fe_reduce128(dsp_u128 x)
{
#ifdef DSP_TOY_P
    return (dsp_fe){(uint64_t)(x % DSP_P)};
#else
    /* x = lo + 2^64 (h0 + 2^32 h1); 2^64 = 2^32 - 1, 2^96 = -1 (mod p) */
    const uint64_t lo = (uint64_t)x, hi = (uint64_t)(x >> 64), h1 = hi >> 32, h0 = hi & 0xffffffffu;
    uint64_t       t = lo - h1;
    t -= 0xffffffffu & dsp_fe_mask(lo < h1);
    const uint64_t m = (h0 << 32) - h0;
    uint64_t       r = t + m;
    r += 0xffffffffu & dsp_fe_mask(r < m);
    r -= DSP_P & dsp_fe_mask(r >= DSP_P);
    return (dsp_fe){r};
#endif
}

static inline dsp_fe dsp_fe_add(dsp_fe x, dsp_fe y)
{
#ifdef DSP_TOY_P
    return (dsp_fe){(x.v + y.v) % DSP_P};
#else
    uint64_t r = x.v - (DSP_P - y.v);
    r += DSP_P & dsp_fe_mask(x.v < DSP_P - y.v);
    return (dsp_fe){r};
#endif
}

static inline dsp_fe dsp_fe_sub(dsp_fe x, dsp_fe y)
{
    uint64_t r = x.v - y.v;
    r += DSP_P & dsp_fe_mask(x.v < y.v);
    return (dsp_fe){r};
}

static inline dsp_fe dsp_fe_neg(dsp_fe x) { return dsp_fe_sub((dsp_fe){0}, x); }
static inline dsp_fe dsp_fe_mul(dsp_fe x, dsp_fe y) { return dsp_fe_reduce128((dsp_u128)x.v * y.v); }
static inline bool   dsp_fe_eq(dsp_fe x, dsp_fe y) { return x.v == y.v; }
static inline bool   dsp_fe_is_zero(dsp_fe x) { return x.v == 0; }

/* The residue of a signed integer. */
static inline dsp_fe dsp_fe_from_i64(int64_t x)
{
#ifdef DSP_TOY_P
    const int64_t r = x % (int64_t)DSP_P;
    return (dsp_fe){(uint64_t)(r < 0 ? r + (int64_t)DSP_P : r)};
#else
    const uint64_t u = (uint64_t)x;                 /* x < 0: u = x + 2^64, so u - 2^64 + p = u - (2^32 - 1) */
    uint64_t       r = u - (0xffffffffu & -(u >> 63));
    r -= DSP_P & dsp_fe_mask(r >= DSP_P);
    return (dsp_fe){r};
#endif
}
static inline dsp_fe dsp_fe_from_u64(uint64_t x) { return dsp_fe_reduce128(x); }

/* Bytes from anyone: 8 bytes little-endian; false (r unchanged) when the word is not canonical. */
static inline bool dsp_fe_read(dsp_fe *r, const uint8_t b[8])
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v |= (uint64_t)b[i] << 8 * i;
    if (v >= DSP_P)
        return false;
    r->v = v;
    return true;
}
/* Which bits of a random word are kept before words >= p are drawn again: all 64 of the full field; the bit length of
 * p - 1 in a toy field, so that drawing ends. */
static inline uint64_t dsp_fe_word_mask(void)
{
#ifdef DSP_TOY_P
    uint64_t m = DSP_P - 1;
    for (unsigned s = 1; s < 64; s *= 2)
        m |= m >> s;
    return m;
#else
    return UINT64_MAX;
#endif
}
static inline void dsp_fe_write(uint8_t b[8], dsp_fe x)
{
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(x.v >> 8 * i);
}

dsp_fe dsp_fe_pow(dsp_fe x, uint64_t e);
dsp_fe dsp_fe_inv(dsp_fe x);                    /* 1/x; 0 for 0 */
/* 7^((p-1)/n): the root of unity of order n, n a power of two that divides p - 1. */
dsp_fe dsp_fe_root(uint64_t n);

static inline dsp_ke dsp_ke_zero(void) { return (dsp_ke){{0}, {0}}; }
static inline dsp_ke dsp_ke_one(void) { return (dsp_ke){{1}, {0}}; }
static inline dsp_ke dsp_ke_from(dsp_fe a) { return (dsp_ke){a, {0}}; }
static inline dsp_ke dsp_ke_from_i64(int64_t x) { return dsp_ke_from(dsp_fe_from_i64(x)); }
static inline dsp_ke dsp_ke_add(dsp_ke x, dsp_ke y) { return (dsp_ke){dsp_fe_add(x.a, y.a), dsp_fe_add(x.b, y.b)}; }
static inline dsp_ke dsp_ke_sub(dsp_ke x, dsp_ke y) { return (dsp_ke){dsp_fe_sub(x.a, y.a), dsp_fe_sub(x.b, y.b)}; }
static inline dsp_ke dsp_ke_neg(dsp_ke x) { return (dsp_ke){dsp_fe_neg(x.a), dsp_fe_neg(x.b)}; }
static inline bool   dsp_ke_eq(dsp_ke x, dsp_ke y) { return dsp_fe_eq(x.a, y.a) && dsp_fe_eq(x.b, y.b); }
static inline bool   dsp_ke_is_zero(dsp_ke x) { return (x.a.v | x.b.v) == 0; }
static inline dsp_ke dsp_ke_scale(dsp_ke x, dsp_fe c) { return (dsp_ke){dsp_fe_mul(x.a, c), dsp_fe_mul(x.b, c)}; }

static inline dsp_ke dsp_ke_mul(dsp_ke x, dsp_ke y)
{
#ifdef DSP_TOY_P
    const uint64_t a = x.a.v * y.a.v + DSP_NR * x.b.v * y.b.v, b = x.a.v * y.b.v + x.b.v * y.a.v;
    return (dsp_ke){{a % DSP_P}, {b % DSP_P}};
#else
    /* a = xa ya + 7 xb yb, b = xa yb + xb ya; a sum of two products may pass 2^128: reduce the parts */
    const dsp_fe bb = dsp_fe_mul(x.b, y.b);
    const dsp_fe a = dsp_fe_reduce128((dsp_u128)x.a.v * y.a.v + (dsp_u128)bb.v * DSP_NR); /* < 2^128 - 2^97 + 2^67 */
    const dsp_u128 p = (dsp_u128)x.a.v * y.b.v, q = (dsp_u128)x.b.v * y.a.v;
    dsp_u128       s = p + q;
    /* a carry out of 128 bits is worth 2^128 = -2^32 (mod p); s is then small enough not to wrap below 0 */
    const dsp_fe lo = dsp_fe_reduce128(s), c = {(uint64_t)(s < p) << 32};
    return (dsp_ke){a, dsp_fe_sub(lo, c)};
#endif
}

dsp_ke dsp_ke_inv(dsp_ke x);                    /* 1/x; 0 for 0 */
dsp_ke dsp_ke_pow(dsp_ke x, uint64_t e);

/* Bytes from anyone: 16 bytes; false when a word is not canonical. */
static inline bool dsp_ke_read(dsp_ke *r, const uint8_t b[16])
{
    dsp_ke t;
    if (!dsp_fe_read(&t.a, b) || !dsp_fe_read(&t.b, b + 8))
        return false;
    *r = t;
    return true;
}
static inline void dsp_ke_write(uint8_t b[16], dsp_ke x)
{
    dsp_fe_write(b, x.a);
    dsp_fe_write(b + 8, x.b);
}

#endif
