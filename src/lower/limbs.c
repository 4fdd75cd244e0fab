/* Range tables and limb lists of one segment (protocol S4.2: a range of b bits is a sum of table widths, exactly).
 *
 * A need of b bits over c padded cells that is split in l limbs commits l - 1 limb tensors and looks up l columns; a table of width w
 * commits 2^w multiplicities and adds 2^w leaves to the fraction tree. All sets of up to three widths are tried: at most 696.
 */
#include "base/size.h"
#include "lower/cost.h"
#include "lower/lower.h"

enum { MAX_WIDTH = 16, MAX_BITS = DSP_MAX_LIMBS * MAX_WIDTH, BYTES_PER_LIMB = 32, NO_WAY = 255 };

typedef struct { uint64_t cells[MAX_BITS + 1], count[MAX_BITS + 1]; unsigned max_bits; } demand;

static uint64_t isqrt(uint64_t x)
{
    uint64_t r = 0;
    for (uint64_t b = (uint64_t)1 << 31; b; b >>= 1)
        if ((r + b) * (r + b) <= x)
            r += b;
    return r;
}

/* fewest[b]: least number of limbs of the given widths that sum to b, and last[b] the widest one of such a list. */
static void split(uint8_t fewest[MAX_BITS + 1], uint8_t last[MAX_BITS + 1], const uint8_t *w, unsigned n_w, unsigned max_bits)
{
    fewest[0] = 0;
    last[0] = 0;
    for (unsigned b = 1; b <= max_bits; b++) {
        fewest[b] = NO_WAY;
        last[b] = 0;
        for (unsigned i = n_w; i-- > 0;)
            if (w[i] <= b && fewest[b - w[i]] < DSP_MAX_LIMBS && fewest[b - w[i]] + 1 < fewest[b]) {
                fewest[b] = (uint8_t)(fewest[b - w[i]] + 1);
                last[b] = w[i];
            }
    }
}

/* Cost of a set of widths in tenths of ns, UINT64_MAX where a need cannot be met or a width is not used. */
static uint64_t cost_of(const demand *d, const uint8_t *w, unsigned n_w, uint64_t base)
{
    uint8_t  fewest[MAX_BITS + 1], last[MAX_BITS + 1];
    uint64_t cells = base, leaves = 0, columns = n_w;
    unsigned used = 0;
    split(fewest, last, w, n_w, d->max_bits);
    for (unsigned b = 1; b <= d->max_bits; b++) {
        if (d->count[b] == 0)
            continue;
        if (fewest[b] == NO_WAY)
            return UINT64_MAX;
        cells += d->cells[b] * (fewest[b] - 1u);
        leaves += d->cells[b] * fewest[b];
        columns += d->count[b] * fewest[b];
        for (unsigned r = b; r; r -= last[r])
            used |= 1u << last[r];
    }
    for (unsigned i = 0; i < n_w; i++) {
        if (!(used >> w[i] & 1))
            return UINT64_MAX;
        cells += (uint64_t)1 << w[i];
        leaves += (uint64_t)1 << w[i];
    }
    /* Columns of an opened tree of N cells with u vectors: about 390 sqrt(N) bytes; the fraction tree: 40 per squared level. */
    const uint64_t nu = dsp_lg(leaves);
    const uint64_t bytes = 390 * isqrt(cells) + 40 * nu * nu + BYTES_PER_LIMB * columns;
    return cells * DSP_COST_CELL + leaves * DSP_COST_LOOKUP + bytes * DSP_COST_NS10_PER_BYTE;
}

dsp_status dsp_limbs_choose(dsp_limbs *out, uint8_t widths[16], unsigned *n_widths, const dsp_range_need *needs, size_t n, dsp_err *err)
{
    demand   d = {0};
    uint64_t base = 0, best = UINT64_MAX;
    uint8_t  pick[3] = {0};
    unsigned n_pick = 0;

    *n_widths = 0;
    for (size_t i = 0; i < n; i++) {
        if (needs[i].bits > MAX_BITS)
            return dsp_fail(err, DSP_E_LIMIT, "range of %u bits: at most %d can be looked up", needs[i].bits, MAX_BITS);
        if (needs[i].cells > (uint64_t)1 << 40)
            return dsp_fail(err, DSP_E_LIMIT, "range over %llu cells", (unsigned long long)needs[i].cells);
        d.cells[needs[i].bits] += needs[i].cells;
        d.count[needs[i].bits]++;
        if (needs[i].bits > d.max_bits)
            d.max_bits = needs[i].bits;
        /* What is ranged is committed too in three cases of four (outputs and both saturation sides; not remainders). */
        base += needs[i].cells - needs[i].cells / 4;
        if (base > (uint64_t)1 << 44)
            return dsp_fail(err, DSP_E_LIMIT, "more than 2^44 cells to look up in one segment");
    }
    if (d.max_bits > 0) {
        for (unsigned a = 1; a <= MAX_WIDTH; a++)
            for (unsigned b = a; b <= MAX_WIDTH; b++)
                for (unsigned c = b; c <= MAX_WIDTH; c++) {
                    /* a = b: two widths b, c; a = b = c: one */
                    if (a != b && b == c)
                        continue;
                    const uint8_t  set[3] = {(uint8_t)c, (uint8_t)b, (uint8_t)a};
                    const unsigned k = a == b ? (b == c ? 1 : 2) : 3;
                    uint8_t        asc[3];
                    for (unsigned i = 0; i < k; i++)
                        asc[i] = set[k - 1 - i];
                    const uint64_t cost = cost_of(&d, asc, k, base);
                    if (cost < best) {
                        best = cost;
                        n_pick = k;
                        for (unsigned i = 0; i < k; i++)
                            pick[i] = asc[i];
                    }
                }
        if (best == UINT64_MAX)
            return dsp_fail(err, DSP_E_LIMIT, "no three range tables serve the ranges of the segment with at most %d limbs each", DSP_MAX_LIMBS);
    }
    uint8_t fewest[MAX_BITS + 1], last[MAX_BITS + 1];
    split(fewest, last, pick, n_pick, d.max_bits);
    for (size_t i = 0; i < n; i++) {
        out[i] = (dsp_limbs){0};
        for (unsigned r = needs[i].bits; r; r -= last[r])
            out[i].w[out[i].n++] = last[r];
    }
    for (unsigned i = 0; i < n_pick; i++)
        widths[i] = pick[i];
    *n_widths = n_pick;
    return DSP_OK;
}
