/* Geometry of all trees of a run: rows, columns and code lengths of least cost (protocol S3, S4.1).
 *
 * What is chosen: (C, n) of every boundary and of every slice's tree A, then (k, n) of every pad tree. All trees of one code length share
 * one number of queries, which grows with the largest C and J among them, and every length other than A's costs its slice a mask tree.
 * So the choice is made for the run as a whole: the best starts with one length for all, then descent by single trees and by slices.
 * Cost = bytes of all proofs at a fixed rate plus time to encode and hash. Integers only: the result is part of the keys.
 */
#include <string.h>

#include "base/size.h"
#include "lower/cost.h"
#include "lower/lower.h"

enum {
    MIN_LG_C = 4, MAX_LG_C = 17, MIN_RATE = 2, MAX_RATE = 6,     /* n = C 2^rate */
    N_C = MAX_LG_C - MIN_LG_C + 1, N_RATE = MAX_RATE - MIN_RATE + 1,
    MAX_LG_N = 22, N_LG = MAX_LG_N + 1,
    MAX_T = 2047, N_STARTS = 5, MAX_ROUNDS = 8,
    MIN_LG_K = 4, MAX_LG_K = 13,
    /* A proof a little above the ceiling is pushed below it: each byte between counts that much more. A proof far above is left alone. */
    CEILING = 244 << 10, CEILING_SPAN = 40 << 10, CEILING_WEIGHT = 8
};
static const uint64_t FAIL = UINT64_MAX;

typedef struct { uint8_t lg_c, lg_n; } choice;
typedef struct {               /* a boundary, or one slice's tree A */
    uint64_t    cells;         /* N, holes included */
    uint32_t    J, cls;        /* cls: index of J among the budgets of the run */
    const char *name;          /* NULL: tree A */
} item;
typedef struct {               /* a slice: its boundaries in key order, then its A, in `links` */
    uint32_t first, n;
    uint64_t other_bytes;      /* of its proof: messages and the pad tree */
} span;

typedef struct {
    unsigned     bits;
    uint32_t     n_slices, n_items, n_links, n_cls;
    item        *items;
    span        *slices;
    uint32_t    *links;
    uint32_t    *budget;       /* J of each class, ascending */
    uint16_t   (*t1)[N_C][N_RATE];   /* per class: queries of one tree alone, 0: not usable, UNSET */
    uint32_t   (*siblings)[MAX_T + 1];
    choice      *now, *best;
    uint64_t    *slice_cost;
    uint16_t     t[N_LG];
    dsp_arena   *arena;
} run;
enum { UNSET = 0xffff };

/* ---------------------------------------------------------------------------------------------- costs */

uint64_t dsp_expected_siblings(unsigned lg_n, uint32_t t)
{
    /* z(m) = binom(n - m, t) / binom(n, t): no query among m given leaves. A digest is sent for a node without a query whose parent has
     * one: level by level 2^d (z(n >> d) - z(n >> (d - 1))). Fractions of 2^40: (n - m - i) < 2^22, so products stay below 2^62. */
    const uint64_t n = (uint64_t)1 << lg_n;
    uint64_t       sum = 0, above = 0;
    for (unsigned d = 1; d <= lg_n; d++) {
        const uint64_t m = n >> d;
        uint64_t       z = (uint64_t)1 << 40;
        for (uint32_t i = 0; i < t && z; i++)
            z = n - m > i ? z * (n - m - i) / (n - i) : 0;
        sum += (z - above) << d >> 20;
        above = z;
    }
    return (sum + ((1u << 20) - 1)) >> 20;
}

static uint32_t siblings(run *r, unsigned lg_n, uint32_t t)
{
    uint32_t *s = &r->siblings[lg_n][t];
    if (*s == UINT32_MAX)
        *s = (uint32_t)dsp_expected_siblings(lg_n, t);
    return *s;
}

/* Queries of one tree by itself; 0 where the rate is too high for them. Keeps J t <= n / 4 and k <= n / 2: there one more query always
 * helps, so that the least t is found by halving and trees that share a length need the largest t of any. */
static uint32_t queries(run *r, uint32_t cls, unsigned lg_c, unsigned lg_n)
{
    uint16_t *v = &r->t1[cls][lg_c - MIN_LG_C][lg_n - lg_c - MIN_RATE];
    if (*v == UNSET) {
        const uint64_t n = (uint64_t)1 << lg_n, C = (uint64_t)1 << lg_c, J = r->budget[cls];
        uint64_t       hi = n / 4 / J, lo = 0;
        if (hi > MAX_T)
            hi = MAX_T;
        if (hi > (n / 2 - C) / J)
            hi = (n / 2 - C) / J;
        *v = 0;
        if (hi > 0 && dsp_t_ok((uint32_t)n, C + J * hi, (uint32_t)hi, r->bits)) {
            while (hi - lo > 1) {
                const uint64_t mid = (lo + hi) / 2;
                if (dsp_t_ok((uint32_t)n, C + J * mid, (uint32_t)mid, r->bits))
                    hi = mid;
                else
                    lo = mid;
            }
            *v = (uint16_t)hi;
        }
    }
    return *v;
}

static uint64_t rows(const item *x, choice c) { return ((x->cells - 1) >> c.lg_c) + 1; }

/* A choice that can be made at all, whatever the others are. Rows longer than the tree only add bytes, but a small tree that many
 * slices open needs the code length that goes with them. */
static bool usable(run *r, uint32_t i, choice c)
{
    const uint64_t least = 64 * (uint64_t)r->items[i].J, cells = r->items[i].cells > least ? r->items[i].cells : least;
    return c.lg_n <= MAX_LG_N && (c.lg_c == MIN_LG_C || (uint64_t)1 << (c.lg_c - 1) < cells) && rows(&r->items[i], c) <= 1u << 16 && queries(r, r->items[i].cls, c.lg_c, c.lg_n) != 0;
}

static void joint_queries(run *r, uint16_t t[N_LG])
{
    memset(t, 0, N_LG * sizeof t[0]);
    for (uint32_t i = 0; i < r->n_items; i++) {
        const uint16_t q = (uint16_t)queries(r, r->items[i].cls, r->now[i].lg_c, r->now[i].lg_n);
        if (q > t[r->now[i].lg_n])
            t[r->now[i].lg_n] = q;
    }
}

/* lg of the sum of the trees' sizes: variables of the virtual stack. */
static unsigned stack_bits(const run *r, span s)
{
    uint64_t sum = 0;
    for (uint32_t j = 0; j < s.n; j++) {
        const uint32_t i = r->links[s.first + j];
        sum += (uint64_t)1 << (dsp_lg(rows(&r->items[i], r->now[i])) + r->now[i].lg_c);
    }
    return dsp_lg(sum);
}

/* One slice: its proof's bytes that depend on geometry, and the time for what it encodes and hashes. A boundary is encoded once, which
 * joint_cost adds. */
static uint64_t slice_cost(run *r, span s, const uint16_t t[N_LG])
{
    const uint32_t a = r->links[s.first + s.n - 1];
    const unsigned lg_a = r->now[a].lg_n;
    uint32_t       per_length[N_LG] = {0};
    uint64_t       bytes = 0, work = 0;
    for (uint32_t j = 0; j < s.n; j++)
        per_length[r->now[r->links[s.first + j]].lg_n]++;
    for (uint32_t j = 0; j < s.n; j++) {
        const uint32_t i = r->links[s.first + j];
        const choice   c = r->now[i];
        const uint64_t q = t[c.lg_n], width = rows(&r->items[i], c) + (i == a ? 4u * per_length[lg_a] : 0);
        bytes += 32 * (((uint64_t)1 << c.lg_c) + r->items[i].J * q) + q * (16 + 8 * width) + 32 * (uint64_t)siblings(r, c.lg_n, (uint32_t)q);
        if (i == a)
            work += width * dsp_cost_ntt(c.lg_n) + dsp_cost_tree(c.lg_n, 16 + 8 * width);
    }
    for (unsigned l = 0; l < N_LG; l++)
        if (l != lg_a && per_length[l]) {
            bytes += t[l] * (16 + 32u * (uint64_t)per_length[l]) + 32 * (uint64_t)siblings(r, l, t[l]) + 32;
            work += 4u * per_length[l] * dsp_cost_ntt(l) + dsp_cost_tree(l, 16 + 32u * (uint64_t)per_length[l]);
        }
    bytes += 32 * (uint64_t)stack_bits(r, s) + s.other_bytes;
    const uint64_t above = bytes > CEILING ? bytes - CEILING : 0;
    return (bytes + CEILING_WEIGHT * (above < CEILING_SPAN ? above : CEILING_SPAN)) * DSP_COST_NS10_PER_BYTE + work;
}

static uint64_t item_cost(const run *r, uint32_t i)
{
    const item *x = &r->items[i];
    if (!x->name)
        return 0;
    const uint64_t R = rows(x, r->now[i]);
    return R * dsp_cost_ntt(r->now[i].lg_n) + dsp_cost_tree(r->now[i].lg_n, 16 + 8 * R);
}

/* Cost of r->now with joint queries; slices without a changed tree or query number keep their last cost (fresh: none does). */
static uint64_t joint_cost(run *r, bool fresh, const choice *before)
{
    uint16_t t[N_LG];
    uint64_t sum = 0;
    joint_queries(r, t);
    for (uint32_t s = 0; s < r->n_slices; s++) {
        bool same = !fresh;
        for (uint32_t j = 0; same && j < r->slices[s].n; j++) {
            const uint32_t i = r->links[r->slices[s].first + j];
            same = r->now[i].lg_c == before[i].lg_c && r->now[i].lg_n == before[i].lg_n && t[r->now[i].lg_n] == r->t[r->now[i].lg_n];
        }
        sum += same ? r->slice_cost[s] : slice_cost(r, r->slices[s], t);
    }
    for (uint32_t i = 0; i < r->n_items; i++)
        sum += item_cost(r, i);
    return sum;
}

/* Makes r->now the state that later costs are compared with. */
static void settle(run *r, choice *before)
{
    joint_queries(r, r->t);
    for (uint32_t s = 0; s < r->n_slices; s++)
        r->slice_cost[s] = slice_cost(r, r->slices[s], r->t);
    memcpy(before, r->now, r->n_items * sizeof r->now[0]);
}

/* ---------------------------------------------------------------------------------------------- search */

/* Bytes and work of one tree at length n if it has t queries, for choosing its C. */
static uint64_t alone_cost(run *r, uint32_t i, choice c, uint32_t t)
{
    const uint64_t R = rows(&r->items[i], c), users = r->items[i].J;
    const uint64_t bytes = users * (32 * (((uint64_t)1 << c.lg_c) + users * t) + t * (16 + 8 * R));
    return bytes * DSP_COST_NS10_PER_BYTE + R * dsp_cost_ntt(c.lg_n) + dsp_cost_tree(c.lg_n, 16 + 8 * R);
}

/* The best C of item i at length lg_n with C <= 2^max_lg_c and at most t queries (t = 0: its own number). */
static bool best_dimension(run *r, uint32_t i, unsigned lg_n, unsigned max_lg_c, uint32_t t, choice *out)
{
    uint64_t best = FAIL;
    for (unsigned c = MIN_LG_C; c <= max_lg_c && c <= MAX_LG_C; c++) {
        const choice x = {(uint8_t)c, (uint8_t)lg_n};
        if (lg_n < c + MIN_RATE || lg_n > c + MAX_RATE || !usable(r, i, x))
            continue;
        const uint32_t own = queries(r, r->items[i].cls, c, lg_n);
        if (t && own > t)
            continue;
        const uint64_t cost = alone_cost(r, i, x, t ? t : own);
        if (cost < best) {
            best = cost;
            *out = x;
        }
    }
    return best != FAIL;
}

/* All trees at one length, none with C above 2^max_lg_c. */
static bool uniform(run *r, unsigned lg_n, unsigned max_lg_c)
{
    for (uint32_t i = 0; i < r->n_items; i++)
        if (!best_dimension(r, i, lg_n, max_lg_c, 0, &r->now[i]))
            return false;
    uint16_t t[N_LG];
    joint_queries(r, t);
    for (uint32_t i = 0; i < r->n_items; i++)
        if (!best_dimension(r, i, lg_n, max_lg_c, t[lg_n], &r->now[i]))
            return false;
    return true;
}

/* Every tree at the length that is best for it alone. */
static bool each_alone(run *r)
{
    for (uint32_t i = 0; i < r->n_items; i++) {
        uint64_t best = FAIL;
        for (unsigned n = MIN_LG_C + MIN_RATE; n <= MAX_LG_N; n++) {
            choice c;
            if (!best_dimension(r, i, n, MAX_LG_C, 0, &c))
                continue;
            const uint32_t q = queries(r, r->items[i].cls, c.lg_c, c.lg_n);
            const uint64_t cost = alone_cost(r, i, c, q) + 32 * (uint64_t)siblings(r, n, q) * r->items[i].J * DSP_COST_NS10_PER_BYTE;
            if (cost < best) {
                best = cost;
                r->now[i] = c;
            }
        }
        if (best == FAIL)
            return false;
    }
    return true;
}

/* Single trees, then whole slices, then all trees of one length move to whatever is cheaper, until nothing is. */
static uint64_t descend(run *r, choice *before)
{
    settle(r, before);
    uint64_t cost = joint_cost(r, true, before);
    for (int round = 0; round < MAX_ROUNDS; round++) {
        const uint64_t start = cost;
        for (uint32_t i = 0; i < r->n_items; i++) {
            choice keep = r->now[i];
            for (unsigned c = MIN_LG_C; c <= MAX_LG_C; c++)
                for (unsigned q = MIN_RATE; q <= MAX_RATE; q++) {
                    const choice x = {(uint8_t)c, (uint8_t)(c + q)};
                    if ((x.lg_c == keep.lg_c && x.lg_n == keep.lg_n) || !usable(r, i, x))
                        continue;
                    r->now[i] = x;
                    const uint64_t got = joint_cost(r, false, before);
                    if (got < cost) {
                        cost = got;
                        keep = x;
                    }
                }
            r->now[i] = keep;
            if (keep.lg_c != before[i].lg_c || keep.lg_n != before[i].lg_n)
                settle(r, before);
        }
        for (uint32_t s = 0; s < r->n_slices; s++)
            for (unsigned n = MIN_LG_C + MIN_RATE; n <= MAX_LG_N; n++) {
                const span w = r->slices[s];
                bool       can = true;
                for (uint32_t j = 0; can && j < w.n; j++) {
                    const uint32_t i = r->links[w.first + j];
                    can = best_dimension(r, i, n, MAX_LG_C, r->t[n], &r->now[i]) || best_dimension(r, i, n, MAX_LG_C, 0, &r->now[i]);
                }
                const uint64_t got = can ? joint_cost(r, false, before) : FAIL;
                if (got < cost) {
                    cost = got;
                    settle(r, before);
                } else {
                    memcpy(r->now, before, r->n_items * sizeof r->now[0]);
                }
            }
        for (unsigned from = MIN_LG_C + MIN_RATE; from <= MAX_LG_N; from++)
            for (unsigned n = MIN_LG_C + MIN_RATE; n <= MAX_LG_N; n++) {
                bool any = false, can = n != from;
                for (uint32_t i = 0; can && i < r->n_items; i++) {
                    const choice x = {r->now[i].lg_c, (uint8_t)n};
                    if (r->now[i].lg_n != from)
                        continue;
                    any = true;
                    if (n >= x.lg_c + (unsigned)MIN_RATE && n <= x.lg_c + (unsigned)MAX_RATE && usable(r, i, x))
                        r->now[i] = x;
                    else
                        can = best_dimension(r, i, n, MAX_LG_C, 0, &r->now[i]);
                }
                const uint64_t got = can && any ? joint_cost(r, false, before) : FAIL;
                if (got < cost) {
                    cost = got;
                    settle(r, before);
                } else {
                    memcpy(r->now, before, r->n_items * sizeof r->now[0]);
                }
            }
        if (cost == start)
            break;
    }
    return cost;
}

static bool search(run *r)
{
    choice  *before = DSP_ARENA_N(r->arena, choice, r->n_items), *start[N_STARTS];
    uint64_t cost[N_STARTS], best = FAIL;
    int      n = 0;
    if (!before)
        return false;
    for (int i = 0; i < N_STARTS; i++)
        if (!(start[i] = DSP_ARENA_N(r->arena, choice, r->n_items)))
            return false;
    if (each_alone(r)) {
        memcpy(start[0], r->now, r->n_items * sizeof r->now[0]);
        cost[0] = 0;       /* always tried */
        n = 1;
    }
    for (unsigned l = MIN_LG_C + MIN_RATE; l <= MAX_LG_N; l++) {
        uint64_t here = FAIL;
        for (unsigned q = MIN_RATE; q <= MAX_RATE && q + MIN_LG_C <= l; q++) {
            if (!uniform(r, l, l - q))
                continue;
            const uint64_t c = joint_cost(r, true, before);
            if (c < here) {
                here = c;
                memcpy(r->best, r->now, r->n_items * sizeof r->now[0]);
            }
        }
        if (here == FAIL)
            continue;
        int at = n < N_STARTS ? n++ : -1;
        if (at < 0)
            for (int i = 0; i < N_STARTS; i++)
                if (cost[i] > here && (at < 0 || cost[i] > cost[at]))
                    at = i;
        if (at >= 0) {
            cost[at] = here;
            memcpy(start[at], r->best, r->n_items * sizeof r->now[0]);
        }
    }
    for (int i = 0; i < n; i++) {
        memcpy(r->now, start[i], r->n_items * sizeof r->now[0]);
        const uint64_t c = descend(r, before);
        if (c < best) {
            best = c;
            memcpy(r->best, r->now, r->n_items * sizeof r->now[0]);
        }
    }
    memcpy(r->now, r->best, r->n_items * sizeof r->now[0]);
    return best != FAIL;
}

/* ---------------------------------------------------------------------------------------------- pads */

/* Rows of the pad tree (S9). */
static uint64_t pad_rows(uint64_t n_pads, uint64_t n_products, uint64_t slots)
{
    return 3 + (n_pads + n_products + slots - 1) / slots + 3 * ((n_products + slots - 1) / slots);
}

typedef struct { uint16_t t[MAX_LG_K + 1][N_RATE]; } pad_table;

/* Sets the pads of key; the bytes of that tree and of its vectors, 0 when no tree holds them. */
static uint64_t choose_pads(dsp_key *key, run *r, pad_table *p, uint64_t n_pads, uint64_t n_products)
{
    uint64_t best = FAIL, best_bytes = 0;
    for (unsigned lk = MIN_LG_K; lk <= MAX_LG_K; lk++) {
        if (((uint64_t)80 << lk) * DSP_COST_NS10_PER_BYTE >= best)
            break;          /* the vectors alone cost more than all of a shorter code */
        for (unsigned q = 0; q < N_RATE; q++) {
            const unsigned ln = lk + MIN_RATE + q;
            const uint32_t k = (uint32_t)1 << lk, n = (uint32_t)1 << ln;
            if (p->t[lk][q] == UNSET) {
                const uint32_t t = dsp_t_pads(n, k, r->bits);
                p->t[lk][q] = (uint16_t)(t <= MAX_T ? t : 0);
            }
            const uint32_t t = p->t[lk][q];
            if (t == 0 || k - t < 8)
                continue;
            const uint64_t R = pad_rows(n_pads, n_products, k - t);
            if (R > 1u << 16)
                continue;
            const uint64_t bytes = 16 * (5 * (uint64_t)k - 2) + t * (16 + 16 * R) + 32 * (uint64_t)siblings(r, ln, t);
            const uint64_t cost = bytes * DSP_COST_NS10_PER_BYTE + 2 * R * dsp_cost_ntt(ln) + dsp_cost_tree(ln, 16 + 16 * R);
            if (cost < best) {
                best = cost;
                best_bytes = bytes;
                key->pad_k = k;
                key->pad_n = n;
                key->pad_t = t;
            }
        }
    }
    return best_bytes;
}

/* ---------------------------------------------------------------------------------------------- reading the keys */

/* A geometry that is inside every limit, so that the rest of a key can be derived. */
static dsp_status provisional(dsp_key *key, dsp_err *err)
{
    uint32_t n = 1;
    for (uint32_t i = 0; i < key->n_tensors; i++)
        n += key->tensors[i].role == DSP_ROLE_EDGE;
    if (key->n_trees != n || !key->trees) {
        key->trees = DSP_ARENA_N(key->arena, dsp_geometry, n);
        if (!key->trees)
            return dsp_fail(err, DSP_E_NOMEM, "slice %s: no memory for %u trees", key->name, n);
        key->n_trees = n;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i <= key->n_tensors; i++)
        if (i == key->n_tensors || key->tensors[i].role == DSP_ROLE_EDGE)
            key->trees[at++] = (dsp_geometry){i == key->n_tensors ? DSP_NONE : i, 1u << MAX_LG_C, 1u << (MAX_LG_C + MIN_RATE), 1, 1};
    key->pad_k = 256;
    key->pad_n = 2048;
    key->pad_t = 116;
    return DSP_OK;
}

static uint64_t tree_cells(const dsp_derived *D)
{
    uint64_t end = 1;
    for (uint32_t i = 0; i < D->n_aux; i++) {
        const uint32_t x = D->aux[i];
        if (D->tensor_off[x] + ((uint64_t)1 << D->tensor_bits[x]) > end)
            end = D->tensor_off[x] + ((uint64_t)1 << D->tensor_bits[x]);
    }
    return end;
}

static uint32_t find_or_add(run *r, const dsp_key *key, uint32_t tensor)
{
    const dsp_tensor *x = &key->tensors[tensor];
    uint32_t          i = 0;
    while (i < r->n_items && !(r->items[i].name && strcmp(r->items[i].name, x->name) == 0))
        i++;
    if (i == r->n_items) {
        r->items[i] = (item){.cells = (uint64_t)1 << (dsp_lg(x->dims[0]) + dsp_lg(x->dims[1]) + dsp_lg(x->dims[2])), .name = x->name};
        r->n_items++;
    }
    r->items[i].J++;
    return i;
}

static void budgets(run *r)
{
    for (uint32_t i = 0; i < r->n_items; i++) {
        uint32_t at = 0;
        while (at < r->n_cls && r->budget[at] != r->items[i].J)
            at++;
        if (at == r->n_cls)
            r->budget[r->n_cls++] = r->items[i].J;
        r->items[i].cls = at;
    }
}

dsp_status dsp_geometry_choose(dsp_key *const *keys, uint32_t n_keys, dsp_err *err)
{
    run           r = {0};
    pad_table    *pads = NULL;
    dsp_derived **D = NULL;
    dsp_status    st = DSP_OK;
    size_t        n_links = 0;

    if (n_keys == 0)
        return DSP_OK;
    if (!(r.bits = dsp_profile_bits(keys[0]->profile)))
        return dsp_fail(err, DSP_E_ARG, "slice %s: profile %u is not known", keys[0]->name, keys[0]->profile);
    if (!(r.arena = dsp_arena_create(0)) || !(D = DSP_ARENA_N(r.arena, dsp_derived *, n_keys))) {
        st = dsp_fail(err, DSP_E_NOMEM, "geometry of %u slices: out of memory", n_keys);
        goto done;
    }
    for (uint32_t s = 0; s < n_keys; s++) {
        if (keys[s]->profile != keys[0]->profile) {
            st = dsp_fail(err, DSP_E_ARG, "slices %s and %s have different profiles", keys[0]->name, keys[s]->name);
            goto done;
        }
        if ((st = provisional(keys[s], err)) != DSP_OK || (st = dsp_derive(&D[s], keys[s], err)) != DSP_OK)
            goto done;
        n_links += keys[s]->n_trees;
    }
    r.n_slices = n_keys;
    r.items = DSP_ARENA_N(r.arena, item, n_links);
    r.links = DSP_ARENA_N(r.arena, uint32_t, n_links);
    r.slices = DSP_ARENA_N(r.arena, span, n_keys);
    r.slice_cost = DSP_ARENA_N(r.arena, uint64_t, n_keys);
    r.now = DSP_ARENA_N(r.arena, choice, n_links);
    r.best = DSP_ARENA_N(r.arena, choice, n_links);
    r.budget = DSP_ARENA_N(r.arena, uint32_t, n_links);
    r.siblings = dsp_arena_alloc(r.arena, N_LG, sizeof r.siblings[0]);
    pads = DSP_ARENA_NEW(r.arena, pad_table);
    if (!r.items || !r.links || !r.slices || !r.slice_cost || !r.now || !r.best || !r.budget || !r.siblings || !pads) {
        st = dsp_fail(err, DSP_E_NOMEM, "geometry of %u slices: out of memory", n_keys);
        goto done;
    }
    memset(r.siblings, 0xff, N_LG * sizeof r.siblings[0]);
    memset(pads, 0xff, sizeof *pads);
    for (uint32_t s = 0; s < n_keys; s++) {
        const uint64_t pad_bytes = choose_pads(keys[s], &r, pads, D[s]->npad, D[s]->nprod);
        r.slices[s] = (span){r.n_links, keys[s]->n_trees, 8 + 32 + 64 + 16 * ((uint64_t)D[s]->npad - 2 * D[s]->M) + pad_bytes};
        for (uint32_t j = 0; j + 1 < keys[s]->n_trees; j++)
            r.links[r.n_links++] = find_or_add(&r, keys[s], keys[s]->trees[j].edge);
        r.items[r.n_items] = (item){.cells = tree_cells(D[s]), .J = 1};
        r.links[r.n_links++] = r.n_items++;
    }
    budgets(&r);
    if (!(r.t1 = dsp_arena_alloc(r.arena, r.n_cls, sizeof r.t1[0]))) {
        st = dsp_fail(err, DSP_E_NOMEM, "geometry of %u slices: out of memory", n_keys);
        goto done;
    }
    memset(r.t1, 0xff, r.n_cls * sizeof r.t1[0]);
    if (!search(&r)) {
        uint64_t most = 0;
        for (uint32_t i = 0; i < r.n_items; i++)
            most = r.items[i].cells > most ? r.items[i].cells : most;
        st = dsp_fail(err, DSP_E_LIMIT, "no geometry fits the run: its largest tree has %llu cells; cut the model into smaller segments",
                      (unsigned long long)most);
        goto done;
    }
    /* The exact joint number of queries (S3) per length. */
    uint32_t t[N_LG] = {0};
    for (unsigned l = 0; l < N_LG; l++) {
        dsp_code_use *use = DSP_ARENA_N(r.arena, dsp_code_use, r.n_items);
        size_t        n_use = 0;
        if (!use) {
            st = dsp_fail(err, DSP_E_NOMEM, "geometry of %u slices: out of memory", n_keys);
            goto done;
        }
        for (uint32_t i = 0; i < r.n_items; i++) {
            const dsp_code_use u = {1u << r.now[i].lg_c, r.items[i].J};
            size_t             k = 0;
            if (r.now[i].lg_n != l)
                continue;
            while (k < n_use && (use[k].C != u.C || use[k].J != u.J))
                k++;
            if (k == n_use)
                use[n_use++] = u;
        }
        if (n_use && !(t[l] = dsp_t_for_trees(1u << l, use, n_use, r.bits))) {
            st = dsp_fail(err, DSP_E_BUG, "no number of queries serves all trees of length 2^%u", l);
            goto done;
        }
    }
    for (uint32_t s = 0; s < n_keys; s++) {
        for (uint32_t j = 0; j < keys[s]->n_trees; j++) {
            const uint32_t i = r.links[r.slices[s].first + j];
            keys[s]->trees[j] = (dsp_geometry){keys[s]->trees[j].edge, 1u << r.now[i].lg_c, 1u << r.now[i].lg_n, r.items[i].J, t[r.now[i].lg_n]};
        }
        const uint64_t n_pads = D[s]->npad - 2 * (uint64_t)D[s]->M + 2 * (uint64_t)stack_bits(&r, r.slices[s]);
        if (choose_pads(keys[s], &r, pads, n_pads, D[s]->nprod) == 0) {
            st = dsp_fail(err, DSP_E_LIMIT, "slice %s: no pad tree holds %llu hidden values", keys[s]->name, (unsigned long long)n_pads);
            goto done;
        }
    }
done:
    for (uint32_t s = 0; D && s < n_keys; s++)
        if (D[s])
            dsp_derived_free(D[s]);
    if (r.arena)
        dsp_arena_free(r.arena);
    return st;
}
