/* Numbers of queries, decided by exact integers.
 *
 * binom(a, t) 2^bits <= binom(n, t) is 2^bits prod_{i<t} (a - i) <= prod_{i<t} (n - i): t! cancels. Every factor on the left
 * is at most the one on the right, so once the inequality holds for some t it holds for every larger one, and the loops
 * below stop there. */
#include "pcs/params.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

enum { G2_100_BITS = 100, MAX_LOG2_N = 22 };

unsigned dsp_profile_bits(uint32_t profile)
{
    if (profile == DSP_PROFILE_G2_100)
        return G2_100_BITS;
#ifdef DSP_TEST_HOOKS
    if (profile > 0x8000 && profile <= 0x8000 + 100)
        return profile - 0x8000;
#endif
    return 0;
}

void dsp_profile_bytes(uint8_t out[DSP_PROFILE_BYTES], uint32_t profile)
{
    dsp_put32(out, profile);
    dsp_put32(out + 4, dsp_profile_bits(profile));
    dsp_put64(out + 8, DSP_P);
    dsp_put64(out + 16, DSP_NR);
    dsp_put32(out + 24, 2);  /* degree of K */
    dsp_put32(out + 28, 16); /* salt bytes */
    dsp_put32(out + 32, 32); /* digest bytes */
    dsp_put32(out + 36, 2);  /* vectors per opening */
}

/* A natural number of 32-bit limbs, least significant first, without leading zeros. */
typedef struct { uint32_t *limb; size_t len, cap; } nat;

static bool grow(nat *x)
{
    if (x->len < x->cap)
        return true;
    const size_t cap = x->cap ? 2 * x->cap : 64;
    uint32_t    *p = dsp_realloc(x->limb, cap, sizeof *p);
    if (!p)
        return false;
    x->limb = p;
    x->cap = cap;
    return true;
}

static bool set_pow2(nat *x, unsigned bits)
{
    for (x->len = 0; x->len <= bits / 32; x->len++) {
        if (!grow(x))
            return false;
        x->limb[x->len] = 0;
    }
    x->limb[bits / 32] = (uint32_t)1 << bits % 32;
    return true;
}

static bool mul_small(nat *x, uint32_t c)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < x->len; i++) {
        carry += (uint64_t)x->limb[i] * c;
        x->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (c == 0)
        x->len = 0;
    if (carry) {
        if (!grow(x))
            return false;
        x->limb[x->len++] = (uint32_t)carry;
    }
    return true;
}

/* a + b <= c, b of any length (b->len 0: zero) */
static bool sum_at_most(const nat *a, const nat *b, const nat *c)
{
    const size_t top = a->len > b->len ? a->len : b->len;
    if (top > c->len)
        return false;
    if (top + 1 < c->len)
        return true;
    /* from the top down: need = what the digits of c seen so far have more than those of a + b, in units of the digit at
     * hand. Below those digits lie less than two units of a + b and at least 0 of c. */
    int64_t need = 0;
    for (size_t i = c->len; i-- > 0;) {
        const int64_t x = (i < a->len ? (int64_t)a->limb[i] : 0) + (i < b->len ? (int64_t)b->limb[i] : 0);
        need = need * ((int64_t)1 << 32) + (int64_t)c->limb[i] - x;
        if (need < 0)
            return false;
        if (need >= 2)
            return true;
    }
    return true;
}

static void nat_free(nat *x) { dsp_free(x->limb); }

/* Whether 2^bits [prod (a - i) + prod (b - i)] <= prod (n - i), i < t; b < 0: without the second product. a, b <= n. False
 * when memory is short too, which refuses. */
static bool products_ok(uint32_t a, int64_t b, uint32_t n, uint32_t t, unsigned bits)
{
    nat  x = {0}, y = {0}, z = {0};
    bool ok = set_pow2(&x, bits) && set_pow2(&z, 0) && (b < 0 || set_pow2(&y, bits)), yes = false;
    for (uint32_t i = 0; i < t && ok && !yes; i++) {
        ok = mul_small(&x, a >= i ? a - i : 0) && mul_small(&z, n - i) && (b < 0 || mul_small(&y, b >= i ? (uint32_t)b - i : 0));
        yes = ok && sum_at_most(&x, &y, &z);
    }
    nat_free(&x);
    nat_free(&y);
    nat_free(&z);
    return yes;
}

/* What decides all but the closest cases without long numbers: ok is L >= bits ln 2 with L = sum over i < t of ln((n - i)/(h - i)), 0 < t <= h <= n.
 * With N = n - i and H = h - i, 2 (N - H)/(N + H) <= ln(N/H) <= (N - H)(1/N + 1/H)/2; both are convex in i, so a sum over i is at least t times
 * the value in the middle and at most t times the mean of the two ends. 1 yes, 0 no, -1 not said. n <= 2^22, so t (n - h) <= 2^42. */
static int bounds_say(uint32_t n, uint32_t h, uint32_t t, unsigned bits)
{
    const uint64_t P = (uint64_t)t * (n - h);
    if (bits > 4096)
        return -1;
    if (2000000 * P >= (uint64_t)693148 * bits * ((uint64_t)n + h - t + 1)) /* ln 2 < 0.693148 */
        return 1;
    const uint64_t ends[] = {n, (uint64_t)n - t + 1, h, (uint64_t)h - t + 1};
    uint64_t       sum = 0; /* at least 2^18 L */
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        sum += (P << 16) / ends[i] + 1;
    return sum < ((uint64_t)69314718 * bits << 18) / 100000000 ? 0 : -1; /* ln 2 > 0.69314718 */
}

bool dsp_t_ok(uint32_t n, uint64_t k, uint32_t t, unsigned bits)
{
    if (t == 0 || t > n || k > n || n > (uint32_t)1 << MAX_LOG2_N)
        return false;
    const uint32_t h = (uint32_t)((n + k) / 2);
    if (t > h)
        return true; /* binom(h, t) = 0 */
    const int said = bounds_say(n, h, t, bits);
    if (said >= 0)
        return said;
    /* binom(h, t)/binom(n, t) = binom(n - t, n - h)/binom(n, n - h): the shorter products keep the work below that of
     * about sqrt(70 n) factors, whatever the numbers are */
    return t <= n - h ? products_ok(h, -1, n, t, bits) : products_ok(n - t, -1, n, n - h, bits);
}

/* The least t in [from, n] that is ok for fixed k, which is the same as ok for every larger t. 0: none. */
static uint32_t least_t(uint32_t n, uint64_t k, uint32_t from, unsigned bits)
{
    uint32_t lo = from, hi = from;
    if (k > n)
        return 0;
    for (uint32_t step = 1; !dsp_t_ok(n, k, hi, bits); step *= 2) {
        if (hi == n)
            return 0;
        lo = hi + 1;
        hi = n - hi < step ? n : hi + step;
    }
    while (lo < hi) { /* hi is ok, everything below lo is not */
        const uint32_t mid = lo + (hi - lo) / 2;
        if (dsp_t_ok(n, k, mid, bits))
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* ok(n, C + J t, t) gets harder with the dimension, so the answer is at least the least t for the dimension of any smaller
 * t: climb from 1 until t stands for every tree. */
uint32_t dsp_t_for_trees(uint32_t n, const dsp_code_use *use, size_t n_use, unsigned bits)
{
    for (uint32_t t = 1; t != 0 && t <= n;) {
        const uint32_t start = t;
        for (size_t i = 0; i < n_use && t != 0; i++)
            t = least_t(n, use[i].C + (uint64_t)use[i].J * t, t, bits);
        if (t == start)
            return t;
    }
    return 0;
}

bool dsp_t_pads_ok(uint32_t n, uint32_t k, uint32_t t, unsigned bits)
{
    if (t == 0 || t >= k || n > (uint32_t)1 << MAX_LOG2_N || 2 * (uint64_t)k - 1 > n)
        return false;
    const uint64_t a = ((uint64_t)n + k) / 2;
    if (a * a <= (uint64_t)n * (2 * (uint64_t)k - 2)) /* at most 2^44 */
        return false;
    return products_ok((uint32_t)a, 2 * (int64_t)k - 2, n, t, bits);
}

uint32_t dsp_t_pads(uint32_t n, uint32_t k, unsigned bits)
{
    if (k < 2 || !dsp_t_pads_ok(n, k, k - 1, bits))
        return 0;
    uint32_t lo = 1, hi = k - 1;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (dsp_t_pads_ok(n, k, mid, bits))
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}
