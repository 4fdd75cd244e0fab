/* One slice proof (S11). Everything in the proof is hostile; key and statement have passed V1 and V2.
 *
 * Sources: the opening of the data trees is Ligero's (Ames, Hazay, Ishai, Venkitasubramaniam, CCS 2017) with the row combination given
 * as a polynomial and unique decoding radius (n - k)/2; the pad prover is ZK Ligero over K on a multiplicative coset.
 * Differences: one set of query positions per code length for all its trees, which joint t of S3 pays for; all 2k - 1
 * coefficients of y_q are sent, so that V22 reads its slots directly.
 */
#include "verifier/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "pcs/merkle.h"

static const char MAGIC[8] = {'D', 'S', 'P', 'S', 'L', 'I', 'C', 'E'};
enum { HEADER_BYTES = 40, COSET = 7, WHOLE_LOG2 = 16 };
static const size_t ARENA_BYTES = (size_t)3 << 30;

typedef struct {
    const dsp_derived         *D;
    const dsp_slice_statement *st;
    dsp_arena                 *arena;
    dsp_rd                     rd;
    uint64_t                   skip;
    unsigned                   check;    /* the one that spoke */
    dsp_replay                 r;
    dsp_queries                q;
    dsp_ntt                   *ntt;
    dsp_fe                   **cols;     /* per tree: t x width, in the order of the queries */
    dsp_fe                   **masks;    /* per tree: the 4 mask words of query i at masks[.] + i * stride[.] */
    size_t                    *stride;
    dsp_ke                    *pcols;    /* pad tree: t x pad_rows */
    dsp_ke                    *y_ldt, *y_dot, *y_q;
    dsp_pad_coeffs             c;
} state;

/* Speaks for a check: DSP_E_REJECTED, or DSP_OK where a test build leaves the check out. */
static dsp_status reject(state *v, unsigned check, dsp_err *err, const char *fmt, ...) DSP_PRINTF(4, 5);
static dsp_status reject(state *v, unsigned check, dsp_err *err, const char *fmt, ...)
{
    char    msg[512];
    va_list ap;
#ifdef DSP_TEST_HOOKS
    if (v->skip >> check & 1)
        return DSP_OK;
#endif
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    v->check = check;
    return dsp_fail(err, DSP_E_REJECTED, "V%u %s", check, msg);
}

/* V4 where leaving it out would read what is not there. */
static dsp_status malformed(state *v, dsp_err *err, const char *what)
{
    v->check = DSP_V4;
    return dsp_fail(err, DSP_E_REJECTED, "V4 %s", what);
}

static dsp_status no_memory(dsp_err *err) { return dsp_fail(err, DSP_E_NOMEM, "verifier: no memory"); }

/* ------------------------------------------------------------------ V2 */

static dsp_status statement(state *v, dsp_err *err)
{
    const dsp_key *key = v->D->key;
    if (v->st->tile != 0)
        return reject(v, DSP_V2, err, "statement: tile %u, expected 0", v->st->tile);
    if (v->D->n_trees > 1 && !v->st->root)
        return dsp_fail(err, DSP_E_ARG, "verifier: statement without boundary roots");
    for (uint32_t i = 0; i < key->n_tensors; i++) {
        const dsp_tensor *t = &key->tensors[i];
        if (t->role != DSP_ROLE_PUB)
            continue;
        if (!v->st->pub || !v->st->pub[i])
            return dsp_fail(err, DSP_E_ARG, "verifier: statement without public tensor '%s'", t->name);
        const uint64_t n = dsp_cells(t->dims);
        for (uint64_t c = 0; c < n; c++)
            if (v->st->pub[i][c] < t->lo || v->st->pub[i][c] > t->hi) {
                const dsp_status st = reject(v, DSP_V2, err, "statement: public tensor '%s', cell %llu is %lld, declared range [%lld, %lld]", t->name,
                                             (unsigned long long)c, (long long)v->st->pub[i][c], (long long)t->lo, (long long)t->hi);
                if (st != DSP_OK)
                    return st;
            }
    }
    return DSP_OK;
}

/* ------------------------------------------------------------------ messages */

static dsp_status take(state *v, dsp_ke *out, size_t n, const char *what, dsp_err *err)
{
    size_t bytes;
    if (!dsp_mul_size(&bytes, n, 16) || bytes > dsp_rd_left(&v->rd))
        return malformed(v, err, "proof ends inside a message");
    const uint8_t *p = dsp_rd_take(&v->rd, bytes);
    for (size_t i = 0; i < n; i++)
        if (!p || !dsp_ke_read(&out[i], p + 16 * i)) {
            char msg[96];
            snprintf(msg, sizeof msg, "%s: element %zu is not canonical", what, i);
            return malformed(v, err, msg);
        }
    return DSP_OK;
}

static dsp_status read_digest(void *arg, dsp_replay *r, dsp_digest *d, dsp_err *err)
{
    state         *v = arg;
    const uint8_t *p = dsp_rd_take(&v->rd, sizeof d->b);
    (void)r;
    if (!p)
        return malformed(v, err, "proof ends inside its roots");
    memcpy(d->b, p, sizeof d->b);
    return DSP_OK;
}

static dsp_status read_message(void *arg, dsp_replay *r, uint16_t id, dsp_ke *out, size_t n, uint32_t hidden, dsp_err *err)
{
    char what[24];
    (void)r;
    (void)hidden;
    snprintf(what, sizeof what, "message %02x", id);
    return take(arg, out, n, what, err);
}

static dsp_status vector(state *v, dsp_ke **out, uint16_t id, size_t n, dsp_err *err)
{
    *out = DSP_ARENA_RAW(v->arena, dsp_ke, n);
    if (!*out)
        return no_memory(err);
    const dsp_status st = read_message(v, &v->r, id, *out, n, DSP_NONE, err);
    if (st == DSP_OK)
        dsp_absorb_ke(&v->r.tr, id, *out, n);
    return st;
}

/* Slot values of a long polynomial: mod X^k - 1, then the values on H_k. out: k elements, slots from t on. */
static void slots(const state *v, dsp_ke *out, const dsp_ke *y)
{
    const uint32_t k = v->D->key->pad_k;
    for (uint32_t i = 0; i < k; i++)
        out[i] = i + k < 2 * k - 1 ? dsp_ke_add(y[i], y[i + k]) : y[i];
    dsp_ntt_forward_ke(v->ntt, out, dsp_lg(k));
}

/* V20, V22 */
static dsp_status pad_messages(state *v, dsp_err *err)
{
    const dsp_key *key = v->D->key;
    const size_t   k = key->pad_k;
    dsp_status     st;
    if ((st = dsp_pad_coeffs_draw(&v->c, &v->r, err)) != DSP_OK || (st = vector(v, &v->y_ldt, DSP_M_Y_LDT, k, err)) != DSP_OK ||
        (st = vector(v, &v->y_dot, DSP_M_Y_DOT, 2 * k - 1, err)) != DSP_OK || (st = vector(v, &v->y_q, DSP_M_Y_Q, 2 * k - 1, err)) != DSP_OK)
        return st;
    dsp_ke *s = DSP_ARENA_RAW(v->arena, dsp_ke, k), sum = dsp_ke_zero();
    if (!s)
        return no_memory(err);
    slots(v, s, v->y_dot);
    for (size_t i = key->pad_t; i < k; i++)
        sum = dsp_ke_add(sum, s[i]);
    if (!dsp_ke_eq(sum, v->c.b) && (st = reject(v, DSP_V20, err, "linear constraints: the slots of y_dot have another sum")) != DSP_OK)
        return st;
    slots(v, s, v->y_q);
    for (size_t i = key->pad_t; i < k; i++)
        if (!dsp_ke_is_zero(s[i]) && (st = reject(v, DSP_V22, err, "products: slot %zu of y_q is not 0", i - key->pad_t)) != DSP_OK)
            return st;
    return DSP_OK;
}

/* ------------------------------------------------------------------ openings */

/* One opening: columns as field elements (nq x width), V4 for words, V17 or V23 for the root. */
static dsp_status open_tree(state *v, dsp_fe **out, uint8_t kind, uint32_t n, const dsp_digest *root, const uint32_t *q, size_t nq, size_t width,
                            const char *name, dsp_err *err)
{
    bool            ok = false;
    const uint8_t **cols = DSP_ARENA_RAW(v->arena, const uint8_t *, nq);
    size_t          words;
    if (!dsp_mul_size(&words, nq, width) || !cols || !(*out = DSP_ARENA_RAW(v->arena, dsp_fe, words)))
        return no_memory(err);
    const dsp_mark mark = dsp_arena_mark(v->arena);
    dsp_status     st = dsp_tree_check(&ok, cols, &v->rd, v->arena, kind, n, 8 * width, root, q, nq, err);
    if (v->rd.bad)
        st = malformed(v, err, "proof ends inside an opening");
    for (size_t i = 0; st == DSP_OK && i < nq; i++)
        for (size_t j = 0; st == DSP_OK && j < width; j++)
            if (!dsp_fe_read(&(*out)[i * width + j], cols[i] + 8 * j))
                st = malformed(v, err, "opening: a word is not canonical");
    if (st == DSP_OK && !ok)
        st = reject(v, kind == DSP_TREE_P ? DSP_V23 : DSP_V17, err, "Merkle opening of %s does not lead to its root", name);
    dsp_arena_rewind(v->arena, mark);
    return st;
}

static dsp_status openings(state *v, dsp_err *err)
{
    const dsp_derived *D = v->D;
    const dsp_key     *key = D->key;
    const uint32_t     A = D->n_trees - 1;
    uint32_t           root = 1; /* roots: A, M_n ascending, P */
    dsp_status         st;
    dsp_fe            *p;
    v->cols = DSP_ARENA_N(v->arena, dsp_fe *, D->n_trees);
    v->masks = DSP_ARENA_N(v->arena, dsp_fe *, D->n_trees);
    v->stride = DSP_ARENA_N(v->arena, size_t, D->n_trees);
    if (!v->cols || !v->masks || !v->stride)
        return no_memory(err);
    for (uint32_t l = 0; l < D->n_lengths; l++) {
        const dsp_length *len = &D->lengths[l];
        dsp_fe           *m = NULL;
        size_t            stride = 4 * (size_t)len->n_trees, shift = 0;
        char              name[32];
        for (uint32_t i = 0; i < len->n_trees; i++) {
            const uint32_t       t = len->trees[i];
            const dsp_tree_info *ti = &D->trees[t];
            st = open_tree(v, &v->cols[t], ti->kind, ti->n, t == A ? &v->r.roots[0] : &v->st->root[t], v->q.q[l], len->t, ti->width,
                           t == A ? "tree A" : D->tensors[ti->edge].name, err);
            if (st != DSP_OK)
                return st;
        }
        if (len->is_mask) {
            snprintf(name, sizeof name, "mask tree %u", len->n);
            if ((st = open_tree(v, &m, DSP_TREE_M, len->n, &v->r.roots[root++], v->q.q[l], len->t, stride, name, err)) != DSP_OK)
                return st;
        } else { /* the masks of A's length are the last rows of A's columns */
            m = v->cols[A];
            stride = D->trees[A].width;
            shift = D->trees[A].R;
        }
        for (uint32_t i = 0; i < len->n_trees; i++) {
            v->masks[len->trees[i]] = m + shift + 4 * (size_t)i;
            v->stride[len->trees[i]] = stride;
        }
    }
    st = open_tree(v, &p, DSP_TREE_P, key->pad_n, &v->r.roots[root], v->q.qp, key->pad_t, 2 * (size_t)D->pad_rows, "the pad tree", err);
    if (st != DSP_OK)
        return st;
    const size_t n = (size_t)key->pad_t * D->pad_rows;
    v->pcols = DSP_ARENA_RAW(v->arena, dsp_ke, n);
    if (!v->pcols)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        v->pcols[i] = (dsp_ke){p[2 * i], p[2 * i + 1]};
    return DSP_OK;
}

/* ------------------------------------------------------------------ sent vectors against columns */

/* The logarithm of how many values of a codeword of length 2^m of a polynomial of k <= 2^m coefficients are computed at once: all of a short one. */
static unsigned piece(size_t k, unsigned m)
{
    const unsigned l = dsp_lg(k) > WHOLE_LOG2 ? dsp_lg(k) : WHOLE_LOG2;
    return l < m ? l : m;
}

/* out[i] = value q[i] of the codeword of length 2^m of a polynomial of k coefficients: at coset w^q. Position q = r mod 2^(m - l) lies on the
 * coset r of length 2^l, l = piece(k, m): only cosets that hold a position are transformed, and no memory is as long as a long code, whose
 * length is the key's word alone. Time: at most that of the whole codeword. */
static dsp_status values_at(state *v, dsp_ke *out, const dsp_ke *coef, size_t k, unsigned m, dsp_fe coset, const uint32_t *q, size_t nq, dsp_err *err)
{
    const dsp_mark mark = dsp_arena_mark(v->arena);
    const unsigned l = piece(k, m);
    const uint32_t step = (uint32_t)1 << (m - l);
    const dsp_fe   w = dsp_fe_root((uint64_t)1 << m);
    dsp_ke        *part = DSP_ARENA_RAW(v->arena, dsp_ke, (size_t)1 << l);
    uint8_t       *done = DSP_ARENA_N(v->arena, uint8_t, nq);
    dsp_status     st = part && done ? DSP_OK : no_memory(err);
    for (size_t i = 0; st == DSP_OK && i < nq; i++) {
        const uint32_t r = q[i] & (step - 1);
        if (done[i])
            continue;
        dsp_rs_encode_ke(v->ntt, part, l, coef, k, dsp_fe_mul(coset, dsp_fe_pow(w, r)));
        for (size_t j = i; j < nq; j++)
            if ((q[j] & (step - 1)) == r) {
                out[j] = part[q[j] >> (m - l)];
                done[j] = 1;
            }
    }
    dsp_arena_rewind(v->arena, mark);
    return st;
}

/* V15, V16: u and u' of every tree at the opened positions. */
static dsp_status data_columns(state *v, dsp_err *err)
{
    const dsp_derived       *D = v->D;
    const dsp_field_kernels *fk = v->r.fk;
    const dsp_ke            *rr = v->r.row_rho;
    dsp_status               st = DSP_OK;
    for (uint32_t l = 0; l < D->n_trees; l++) {
        const dsp_tree_info *t = &D->trees[l];
        const dsp_mark       mark = dsp_arena_mark(v->arena);
        const unsigned       m = dsp_lg(t->n);
        uint32_t             li = 0;
        while (D->lengths[li].n != t->n)
            li++;
        dsp_ke *U = DSP_ARENA_RAW(v->arena, dsp_ke, t->t), *U2 = DSP_ARENA_RAW(v->arena, dsp_ke, t->t);
        if (!U || !U2)
            return no_memory(err);
        if ((st = values_at(v, U, v->r.u[l], t->k, m, (dsp_fe){1}, v->q.q[li], t->t, err)) != DSP_OK ||
            (st = values_at(v, U2, v->r.u2[l], t->k, m, (dsp_fe){1}, v->q.q[li], t->t, err)) != DSP_OK)
            return st;
        for (uint32_t i = 0; i < t->t; i++) {
            const uint32_t q = v->q.q[li][i];
            const dsp_fe  *col = v->cols[l] + (size_t)i * t->width, *g = v->masks[l] + i * v->stride[l];
            const dsp_ke   d = dsp_ke_mul(v->r.gamma, fk->ke_dot_fe(v->r.a[l], col, t->R)), d2 = fk->ke_dot_fe(rr, col, t->R);
            if (!dsp_ke_eq(U[i], dsp_ke_add((dsp_ke){g[0], g[1]}, d)) &&
                (st = reject(v, DSP_V15, err, "u of tree %u differs from column %u", l, q)) != DSP_OK)
                return st;
            if (!dsp_ke_eq(U2[i], dsp_ke_add((dsp_ke){g[2], g[3]}, d2)) &&
                (st = reject(v, DSP_V16, err, "u' of tree %u differs from column %u", l, q)) != DSP_OK)
                return st;
        }
        rr += t->R;
        dsp_arena_rewind(v->arena, mark);
    }
    return st;
}

/* V18, V19, V21 */
static dsp_status pad_columns(state *v, dsp_err *err)
{
    const dsp_derived *D = v->D;
    const dsp_key     *key = D->key;
    const size_t       k = key->pad_k, nq = key->pad_t;
    const uint32_t     rows = D->pad_rows - 3;
    const unsigned     mk = dsp_lg(k), mn = dsp_lg(key->pad_n);
    const dsp_fe       coset = {COSET};
    dsp_status         st;
    dsp_ke *a = DSP_ARENA_RAW(v->arena, dsp_ke, k), *E = DSP_ARENA_RAW(v->arena, dsp_ke, nq), *dot = DSP_ARENA_N(v->arena, dsp_ke, nq);
    if (!a || !E || !dot)
        return no_memory(err);
    for (uint32_t i = 0; i < rows; i++) { /* dot[q] = sum_i A_i(x_q) row_i(x_q) */
        memset(a, 0, key->pad_t * sizeof *a);
        memcpy(a + key->pad_t, v->c.A + (size_t)i * D->pad_w, D->pad_w * sizeof *a);
        dsp_ntt_inverse_ke(v->ntt, a, mk);
        if ((st = values_at(v, E, a, k, mn, coset, v->q.qp, nq, err)) != DSP_OK)
            return st;
        for (size_t j = 0; j < nq; j++)
            dot[j] = dsp_ke_add(dot[j], dsp_ke_mul(E[j], v->pcols[j * D->pad_rows + 3 + i]));
    }
    if ((st = values_at(v, E, v->y_ldt, k, mn, coset, v->q.qp, nq, err)) != DSP_OK)
        return st;
    for (size_t j = 0; j < nq; j++) {
        const dsp_ke *col = v->pcols + j * D->pad_rows;
        if (!dsp_ke_eq(E[j], dsp_ke_add(col[0], v->r.fk->ke_dot(v->c.u, col + 3, rows))) &&
            (st = reject(v, DSP_V18, err, "y_ldt differs from column %u", v->q.qp[j])) != DSP_OK)
            return st;
    }
    if ((st = values_at(v, E, v->y_dot, 2 * k - 1, mn, coset, v->q.qp, nq, err)) != DSP_OK)
        return st;
    for (size_t j = 0; j < nq; j++)
        if (!dsp_ke_eq(E[j], dsp_ke_add(v->pcols[j * D->pad_rows + 1], dot[j])) &&
            (st = reject(v, DSP_V19, err, "y_dot differs from column %u", v->q.qp[j])) != DSP_OK)
            return st;
    if ((st = values_at(v, E, v->y_q, 2 * k - 1, mn, coset, v->q.qp, nq, err)) != DSP_OK)
        return st;
    for (size_t j = 0; j < nq; j++) {
        const dsp_ke *col = v->pcols + j * D->pad_rows, *X = col + 3 + D->pad_nw, *Y = X + D->pad_nq, *Z = Y + D->pad_nq;
        dsp_ke        s = col[2];
        for (uint32_t i = 0; i < D->pad_nq; i++)
            s = dsp_ke_add(s, dsp_ke_mul(v->c.uq[i], dsp_ke_sub(Z[i], dsp_ke_mul(X[i], Y[i]))));
        if (!dsp_ke_eq(E[j], s) && (st = reject(v, DSP_V21, err, "y_q differs from column %u", v->q.qp[j])) != DSP_OK)
            return st;
    }
    return DSP_OK;
}

/* ------------------------------------------------------------------ */

/* Tables for the longest pieces of codewords, of polynomials of k coefficients in trees and 2 k_P - 1 in pads, and for the slots. */
static dsp_status transforms(state *v, dsp_err *err)
{
    const dsp_key *key = v->D->key;
    unsigned       l = piece(2 * (size_t)key->pad_k - 1, dsp_lg(key->pad_n));
    for (uint32_t i = 0; i < v->D->n_trees; i++) {
        const unsigned x = piece(v->D->trees[i].k, dsp_lg(v->D->trees[i].n));
        l = x > l ? x : l;
    }
    v->ntt = dsp_ntt_create(l > dsp_lg(key->pad_k) ? l : dsp_lg(key->pad_k));
    return v->ntt ? DSP_OK : no_memory(err);
}

#ifndef DSP_TEST_HOOKS
typedef void dsp_verify_hooks;
#endif

static dsp_status verify(const dsp_derived *D, const dsp_slice_statement *st, const uint8_t *proof, size_t len, uint64_t skip,
                         const dsp_verify_hooks *hooks, unsigned *check, dsp_err *err)
{
    dsp_err         own = {DSP_OK, ""};
    const dsp_party party_ = {NULL, read_digest, read_message};
    dsp_party       party = party_;
    dsp_status      s;
    state           v;
    memset(&v, 0, sizeof v);
    err = err ? err : &own;
    v.D = D;
    v.st = st;
#ifdef DSP_TEST_HOOKS
    v.skip = skip;
#else
    (void)skip;
    (void)hooks;
#endif
    party.arg = &v;
    v.arena = dsp_arena_create(ARENA_BYTES);
    if (!v.arena) {
        s = no_memory(err);
        goto done;
    }
    if ((s = statement(&v, err)) != DSP_OK)
        goto done;
    if (len < D->fixed_bytes || len > D->max_bytes) {
        s = reject(&v, DSP_V4, err, "proof has %zu bytes, expected %llu to %llu", len, (unsigned long long)D->fixed_bytes, (unsigned long long)D->max_bytes);
        if (s != DSP_OK)
            goto done;
    }
    dsp_rd_init(&v.rd, proof, len, "proof", NULL);
    if ((s = transforms(&v, err)) != DSP_OK || (s = dsp_replay_init(&v.r, v.arena, D, st, err)) != DSP_OK)
        goto done;
#ifdef DSP_TEST_HOOKS
    v.r.skip = skip;
    if (hooks) {
        v.r.tr.forced = hooks->forced;
        v.r.tr.log = hooks->log;
        v.r.tr.log_arg = hooks->arg;
        v.r.drop = hooks->drop;
        v.r.n_drop = hooks->n_drop;
    }
#endif
    const uint8_t *head = dsp_rd_take(&v.rd, HEADER_BYTES);
    if (!head) {
        s = malformed(&v, err, "proof ends inside its header");
        goto done;
    }
    if ((memcmp(head, MAGIC, sizeof MAGIC) != 0 || memcmp(head + sizeof MAGIC, v.r.S.b, sizeof v.r.S.b) != 0) &&
        (s = reject(&v, DSP_V3, err, "header: the proof is about another statement")) != DSP_OK)
        goto done;
    if ((s = dsp_replay_run(&v.r, &party, err)) != DSP_OK) {
        if (s == DSP_E_REJECTED && v.check == 0 && err->msg[0] == 'V') /* V5, V12: the replay names them */
            v.check = (unsigned)strtoul(err->msg + 1, NULL, 10);
        goto done;
    }
#ifdef DSP_TEST_HOOKS
    if (hooks && hooks->replayed)
        hooks->replayed(hooks->arg, &v.r);
#endif
    if ((s = pad_messages(&v, err)) != DSP_OK || (s = dsp_queries_draw(&v.q, &v.r, err)) != DSP_OK || (s = openings(&v, err)) != DSP_OK)
        goto done;
    if (v.rd.pos != len && (s = reject(&v, DSP_V4, err, "%zu bytes after the proof's end", len - v.rd.pos)) != DSP_OK)
        goto done;
    if ((s = data_columns(&v, err)) == DSP_OK)
        s = pad_columns(&v, err);
done:
    if (check)
        *check = v.check;
    dsp_ntt_free(v.ntt);
    dsp_arena_free(v.arena);
    return s;
}

dsp_status dsp_verify_slice(const dsp_derived *D, const dsp_slice_statement *st, const uint8_t *proof, size_t len, uint64_t skip, unsigned *check,
                            dsp_err *err)
{
    return verify(D, st, proof, len, skip, NULL, check, err);
}

#ifdef DSP_TEST_HOOKS
dsp_status dsp_verify_slice_hooked(const dsp_derived *D, const dsp_slice_statement *st, const uint8_t *proof, size_t len, uint64_t skip,
                                   const dsp_verify_hooks *hooks, unsigned *check, dsp_err *err)
{
    return verify(D, st, proof, len, skip, hooks, check, err);
}
#endif
