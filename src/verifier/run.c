/* The run's rules R1 to R5 (S12), then every slice proof under the recomputed run-key digest.
 *
 * What links the slices: an edge has one name, one layout and one root in the run, exactly one producer that stands before its users (or
 * none, and every user bounds it by a range op), and each slice proves its own half. A run statement stores roots, public tensors and the
 * nonce once, so R3 and the first half of R4 hold by construction once every name resolves; what can differ is checked.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/verify.h"

typedef struct {
    dsp_key     *key;
    dsp_derived *D;
    uint8_t     *made, *ranged;  /* per key tensor: some op makes it; a range op bounds it */
} slice;

/* One mention of a public tensor or an edge by a slice. */
typedef struct { const char *name; uint32_t slice, tensor; } use;

typedef struct {
    const dsp_statement   *s;
    const dsp_slice_bytes *in;
    dsp_arena             *arena;
    slice                 *sl;
    uint32_t               n_uses;
    use                   *uses;     /* by name bytes, then run order */
    dsp_verdict           *v;
    uint64_t               skip;
    dsp_err               *err;
} run;

/* Speaks for a check about a slice (DSP_NONE: the run): DSP_E_REJECTED, or DSP_OK where a test build leaves it out. */
static dsp_status reject(run *r, unsigned check, uint32_t at, const char *fmt, ...) DSP_PRINTF(4, 5);
static dsp_status reject(run *r, unsigned check, uint32_t at, const char *fmt, ...)
{
    char    msg[700];
    va_list ap;
#ifdef DSP_TEST_HOOKS
    if (r->skip >> check & 1)
        return DSP_OK;
#endif
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    r->v->check = check;
    r->v->slice = at;
    const char kind = check >= DSP_R1 ? 'R' : 'V';
    const unsigned number = check >= DSP_R1 ? check - DSP_R1 + 1 : check;
    if (at == DSP_NONE)
        return dsp_fail(r->err, DSP_E_REJECTED, "%c%u %s", kind, number, msg);
    return dsp_fail(r->err, DSP_E_REJECTED, "%c%u %s, slice '%.80s'", kind, number, msg, r->s->slices[at].name);
}

/* A failure of a slice's own checks: the verdict gets its place, the message the slice at its end. */
static dsp_status at_slice(run *r, dsp_status st, unsigned check, uint32_t at)
{
    char old[sizeof r->err->msg];
    r->v->check = st == DSP_E_REJECTED ? check : 0;
    r->v->slice = at;
    snprintf(old, sizeof old, "%s", r->err->msg);
    return dsp_fail(r->err, st, "%.800s, slice '%.80s'", old, r->s->slices[at].name);
}

static dsp_status no_memory(run *r) { return dsp_fail(r->err, DSP_E_NOMEM, "verifier: no memory"); }

/* ------------------------------------------------------------------ keys: R1, V1 */

static int by_name(const void *a, const void *b)
{
    const use *x = a, *y = b;
    const int  c = strcmp(x->name, y->name); /* compares bytes as unsigned */
    return c ? c : x->slice != y->slice ? (x->slice < y->slice ? -1 : 1) : (x->tensor > y->tensor) - (x->tensor < y->tensor);
}

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Slices are listed once each: names, and segment numbers among proved and unproved ones. */
static dsp_status list(run *r)
{
    const dsp_statement *s = r->s;
    const size_t         n = (size_t)s->n_slices + s->n_unproved;
    use                 *names = DSP_ARENA_N(r->arena, use, n);
    uint32_t            *numbers = DSP_ARENA_N(r->arena, uint32_t, n);
    dsp_status           st;
    if (!names || !numbers)
        return no_memory(r);
    for (uint32_t i = 0; i < s->n_slices; i++) {
        names[i] = (use){s->slices[i].name, i, 0};
        numbers[i] = s->slices[i].index;
        if (i > 0 && s->slices[i].index <= s->slices[i - 1].index && (st = reject(r, DSP_R1, i, "run: slices are not in run order")) != DSP_OK)
            return st;
    }
    for (uint32_t i = 0; i < s->n_unproved; i++) {
        names[s->n_slices + i] = (use){s->unproved[i].name, DSP_NONE, 0};
        numbers[s->n_slices + i] = s->unproved[i].index;
    }
    qsort(names, n, sizeof *names, by_name);
    qsort(numbers, n, sizeof *numbers, by_number);
    for (size_t i = 1; i < n; i++)
        if ((strcmp(names[i - 1].name, names[i].name) == 0 || numbers[i - 1] == numbers[i]) &&
            (st = reject(r, DSP_R1, DSP_NONE, "run: segment '%.80s' or number %u is listed twice", names[i].name, numbers[i])) != DSP_OK)
            return st;
    for (size_t i = 0; i < n; i++)
        if (numbers[i] != i && (st = reject(r, DSP_R1, DSP_NONE, "run: segment %zu is neither proved nor listed as not proved", i)) != DSP_OK)
            return st;
    return DSP_OK;
}

/* Reads and checks the key of slice i; which tensors its ops make and bound. */
static dsp_status load(run *r, uint32_t i)
{
    slice     *sl = &r->sl[i];
    dsp_status st = dsp_key_read(&sl->key, r->in[i].key, r->in[i].key_len, r->err);
    if (st == DSP_OK && !dsp_digest_eq(&sl->key->digest, &r->s->slices[i].key) &&
        (st = reject(r, DSP_R1, i, "run: the key is not the one that the statement lists")) != DSP_OK)
        return st;
    if (st == DSP_OK && strcmp(sl->key->name, r->s->slices[i].name) != 0 &&
        (st = reject(r, DSP_R1, i, "run: the key is that of '%.80s'", sl->key->name)) != DSP_OK)
        return st;
    if (st == DSP_OK)
        st = dsp_derive(&sl->D, sl->key, r->err);
    if (st == DSP_OK) {
        st = dsp_key_check(sl->D, r->err);
#ifdef DSP_TEST_HOOKS
        if (st == DSP_E_REJECTED && r->skip >> DSP_V1 & 1)
            st = DSP_OK;
#endif
    }
    if (st == DSP_E_NOMEM || st == DSP_E_BUG)
        return st;
    if (st != DSP_OK) { /* whatever is wrong with a key that anyone may have written, the run is not accepted */
        char msg[sizeof r->err->msg];
        snprintf(msg, sizeof msg, "%s", r->err->msg);
        if (strncmp(msg, "V1 ", 3) != 0)
            dsp_fail(r->err, DSP_E_REJECTED, "V1 %.900s", msg);
        return at_slice(r, DSP_E_REJECTED, DSP_V1, i);
    }
    sl->made = DSP_ARENA_N(r->arena, uint8_t, sl->key->n_tensors);
    sl->ranged = DSP_ARENA_N(r->arena, uint8_t, sl->key->n_tensors);
    if (!sl->made || !sl->ranged)
        return no_memory(r);
    for (uint32_t o = 0; o < sl->key->n_ops; o++) {
        const dsp_op *op = &sl->key->ops[o];
        if (op->kind == DSP_OP_RANGE)
            sl->ranged[op->x] = 1;
        else
            sl->made[op->out] = 1;
    }
    return DSP_OK;
}

/* Model id and run-key digest are those of the keys. */
static dsp_status digests(run *r)
{
    const uint32_t      n = r->s->n_slices;
    const dsp_derived **D = DSP_ARENA_N(r->arena, const dsp_derived *, n);
    dsp_digest         *keys = DSP_ARENA_N(r->arena, dsp_digest, n), d;
    dsp_status          st;
    if (!D || !keys)
        return no_memory(r);
    for (uint32_t i = 0; i < n; i++) {
        D[i] = r->sl[i].D;
        keys[i] = r->sl[i].key->digest;
    }
    d = dsp_model_id(&r->s->model, &r->s->record, keys, n);
    if (!dsp_digest_eq(&d, &r->s->model_id) && (st = reject(r, DSP_R1, DSP_NONE, "run: the model id is not that of the listed keys")) != DSP_OK)
        return st;
    if ((st = dsp_run_key_digest(&d, D, n, r->err)) != DSP_OK)
        return st;
    if (!dsp_digest_eq(&d, &r->s->run_key) && (st = reject(r, DSP_R1, DSP_NONE, "run: the run-key digest is not that of the listed keys")) != DSP_OK)
        return st;
    return DSP_OK;
}

/* ------------------------------------------------------------------ names: R2, R3, R4 */

static const dsp_tensor *tensor_of(const run *r, const use *u) { return &r->sl[u->slice].key->tensors[u->tensor]; }

/* All mentions of public tensors and edges, sorted. */
static dsp_status collect(run *r)
{
    size_t n = 0;
    for (uint32_t i = 0; i < r->s->n_slices; i++)
        n += r->sl[i].key->n_tensors;
    r->uses = DSP_ARENA_N(r->arena, use, n);
    if (!r->uses || n > UINT32_MAX)
        return no_memory(r);
    for (uint32_t i = 0; i < r->s->n_slices; i++)
        for (uint32_t t = 0; t < r->sl[i].key->n_tensors; t++)
            if (r->sl[i].key->tensors[t].role != DSP_ROLE_AUX)
                r->uses[r->n_uses++] = (use){r->sl[i].key->tensors[t].name, i, t};
    qsort(r->uses, r->n_uses, sizeof *r->uses, by_name);
    return DSP_OK;
}

/* n mentions of one edge, in run order. */
static dsp_status edge(run *r, const use *u, uint32_t n)
{
    const char *name = u[0].name;
    uint32_t    makers = 0, ranges = 0;
    dsp_status  st;
    dsp_digest  first = {{0}};
    for (uint32_t i = 0; i < n; i++) {
        const slice         *sl = &r->sl[u[i].slice];
        const uint32_t       t = sl->D->tensor_tree[u[i].tensor];
        const dsp_digest     d = dsp_layout_digest(sl->D, t);
        if (i == 0)
            first = d;
        if (!dsp_digest_eq(&d, &first) && (st = reject(r, DSP_R2, u[i].slice, "edge '%.80s': layout differs from that of an earlier slice", name)) != DSP_OK)
            return st;
        if (sl->D->trees[t].J != n &&
            (st = reject(r, DSP_R2, u[i].slice, "edge '%.80s': opening budget %u, named by %u slices", name, sl->D->trees[t].J, n)) != DSP_OK)
            return st;
        if (sl->made[u[i].tensor] && i > 0 && makers == 0 &&
            (st = reject(r, DSP_R2, u[i].slice, "edge '%.80s': its producer comes after a user", name)) != DSP_OK)
            return st;
        makers += sl->made[u[i].tensor];
        ranges += sl->ranged[u[i].tensor];
    }
    if (makers > 1 || (makers == 0 && ranges != n))
        return reject(r, DSP_R2, u[0].slice, "edge '%.80s': %u producers, bounded by a range op in %u of %u slices", name, makers, ranges, n);
    return DSP_OK;
}

/* n mentions of one public tensor against what the statement says. */
static dsp_status pub(run *r, const use *u, uint32_t n, const dsp_stmt_pub *p)
{
    const char       *name = u[0].name;
    const dsp_tensor *first = tensor_of(r, &u[0]);
    uint32_t          makers = 0;
    dsp_status        st;
    for (uint32_t i = 0; i < n; i++) {
        const dsp_tensor *t = tensor_of(r, &u[i]);
        const bool        made = r->sl[u[i].slice].made[u[i].tensor];
        if ((memcmp(t->dims, first->dims, sizeof t->dims) != 0 || t->lo != first->lo || t->hi != first->hi || t->scale_bits != first->scale_bits) &&
            (st = reject(r, DSP_R4, u[i].slice, "public tensor '%.80s': declared otherwise than in an earlier slice", name)) != DSP_OK)
            return st;
        if (made && i > 0 && makers == 0 &&
            (st = reject(r, DSP_R4, u[i].slice, "public tensor '%.80s': its producer comes after a user", name)) != DSP_OK)
            return st;
        makers += made;
    }
    if ((memcmp(p->dims, first->dims, sizeof p->dims) != 0 || p->scale_bits != first->scale_bits) &&
        (st = reject(r, DSP_R4, u[0].slice, "public tensor '%.80s': shape or scale differs between statement and key", name)) != DSP_OK)
        return st;
    if (makers > 1 && (st = reject(r, DSP_R4, u[0].slice, "public tensor '%.80s': made by %u slices", name, makers)) != DSP_OK)
        return st;
    if (makers == 1 && (p->use & DSP_STMT_INPUT) && (st = reject(r, DSP_R4, u[0].slice, "public tensor '%.80s': a model input that a slice makes", name)) != DSP_OK)
        return st;
    if (makers == 0 && r->s->n_unproved == 0 && !(p->use & DSP_STMT_INPUT))
        return reject(r, DSP_R4, u[0].slice, "public tensor '%.80s': neither a model input nor made by a slice", name);
    if (makers == 1 && r->s->n_unproved == 0 && !(p->use & DSP_STMT_OUTPUT))
        return reject(r, DSP_R4, u[0].slice, "public tensor '%.80s': made by a slice but not an output, with every segment proved", name);
    return DSP_OK;
}

/* The statement's names of one kind, sorted, against the groups of mentions: each exactly once, nothing more. */
static dsp_status names(run *r)
{
    const dsp_statement *s = r->s;
    use                 *pubs = DSP_ARENA_N(r->arena, use, s->n_pubs), *edges = DSP_ARENA_N(r->arena, use, s->n_edges);
    uint32_t             ip = 0, ie = 0;
    dsp_status           st;
    if (!pubs || !edges)
        return no_memory(r);
    for (uint32_t i = 0; i < s->n_pubs; i++)
        pubs[i] = (use){s->pubs[i].name, i, 0};
    for (uint32_t i = 0; i < s->n_edges; i++)
        edges[i] = (use){s->edges[i].name, i, 0};
    qsort(pubs, s->n_pubs, sizeof *pubs, by_name);
    qsort(edges, s->n_edges, sizeof *edges, by_name);
    for (uint32_t i = 0, j; i < r->n_uses; i = j) {
        const use    *u = &r->uses[i];
        const uint8_t role = tensor_of(r, u)->role;
        for (j = i + 1; j < r->n_uses && strcmp(r->uses[j].name, u->name) == 0; j++)
            if (tensor_of(r, &r->uses[j])->role != role || r->uses[j].slice == r->uses[j - 1].slice)
                return reject(r, DSP_R2, r->uses[j].slice, "tensor '%.80s': two roles in one run", u->name);
        if (role == DSP_ROLE_EDGE) {
            if (ie == s->n_edges || strcmp(edges[ie].name, u->name) != 0)
                return reject(r, DSP_R3, u->slice, "edges of the statement: '%.80s' expected, '%.80s' found", u->name, ie < s->n_edges ? edges[ie].name : "");
            ie++;
            st = edge(r, u, j - i);
        } else {
            if (ip == s->n_pubs || strcmp(pubs[ip].name, u->name) != 0)
                return reject(r, DSP_R4, u->slice, "public tensors of the statement: '%.80s' expected, '%.80s' found", u->name, ip < s->n_pubs ? pubs[ip].name : "");
            st = pub(r, u, j - i, &s->pubs[pubs[ip++].slice]);
        }
        if (st != DSP_OK)
            return st;
    }
    if (ie < s->n_edges)
        return reject(r, DSP_R3, DSP_NONE, "edges of the statement: no slice knows '%.80s'", edges[ie].name);
    if (ip < s->n_pubs)
        return reject(r, DSP_R4, DSP_NONE, "public tensors of the statement: no slice knows '%.80s'", pubs[ip].name);
    return DSP_OK;
}

/* ------------------------------------------------------------------ queries: R5 */

static int by_use(const void *a, const void *b)
{
    const dsp_code_use *x = a, *y = b;
    return x->C != y->C ? (x->C < y->C ? -1 : 1) : (x->J > y->J) - (x->J < y->J);
}

/* t of every tree is the joint least of its code length over the whole run. */
static dsp_status queries(run *r)
{
    const uint32_t n = r->s->n_slices;
    const unsigned bits = dsp_profile_bits(r->sl[0].key->profile);
    size_t         total = 0;
    dsp_status     st;
    for (uint32_t i = 0; i < n; i++) {
        const dsp_key *k = r->sl[i].key;
        total += k->n_trees;
        if (k->profile != r->sl[0].key->profile && (st = reject(r, DSP_R5, i, "profile %u, expected %u", k->profile, r->sl[0].key->profile)) != DSP_OK)
            return st;
    }
    dsp_code_use *uses = DSP_ARENA_N(r->arena, dsp_code_use, total);
    if (!uses)
        return no_memory(r);
    for (unsigned m = 0; m < 32; m++) {
        const uint32_t len = (uint32_t)1 << m;
        size_t         k = 0, d = 0;
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t t = 0; t < r->sl[i].key->n_trees; t++)
                if (r->sl[i].key->trees[t].n == len)
                    uses[k++] = (dsp_code_use){r->sl[i].key->trees[t].C, r->sl[i].key->trees[t].J};
        if (k == 0)
            continue;
        qsort(uses, k, sizeof *uses, by_use);
        for (size_t i = 0; i < k; i++)
            if (d == 0 || by_use(&uses[d - 1], &uses[i]) != 0)
                uses[d++] = uses[i];
        const uint32_t least = dsp_t_for_trees(len, uses, d, bits);
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t t = 0; t < r->sl[i].key->n_trees; t++)
                if (r->sl[i].key->trees[t].n == len && r->sl[i].key->trees[t].t != least &&
                    (st = reject(r, DSP_R5, i, "queries: %u at code length %u, the run's least is %u", r->sl[i].key->trees[t].t, len, least)) != DSP_OK)
                    return st;
    }
    for (uint32_t i = 0; i < n; i++) { /* slices mostly share one pad geometry */
        const dsp_key *k = r->sl[i].key, *p = i ? r->sl[i - 1].key : NULL;
        if (p && p->pad_n == k->pad_n && p->pad_k == k->pad_k && p->pad_t == k->pad_t)
            continue;
        const uint32_t least = dsp_t_pads(k->pad_n, k->pad_k, bits);
        if (k->pad_t != least && (st = reject(r, DSP_R5, i, "queries: %u into the pads, the least is %u", k->pad_t, least)) != DSP_OK)
            return st;
    }
    return DSP_OK;
}

/* ------------------------------------------------------------------ */

static dsp_status verify_one(run *r, uint32_t i)
{
    dsp_slice_statement st;
    unsigned            check = 0;
    const dsp_mark      mark = dsp_arena_mark(r->arena);
    dsp_status          s = dsp_statement_slice(&st, r->arena, r->s, r->sl[i].D, r->err);
    if (s == DSP_E_FORMAT) /* excluded by R3, R4 */
        s = dsp_fail(r->err, DSP_E_REJECTED, "V2 the statement lacks a tensor of the key"), check = DSP_V2;
    if (s == DSP_OK)
        s = dsp_verify_slice(r->sl[i].D, &st, r->in[i].proof, r->in[i].proof_len, r->skip, &check, r->err);
    dsp_arena_rewind(r->arena, mark);
    return s == DSP_OK ? s : at_slice(r, s, check, i);
}

dsp_status dsp_verify_run(dsp_verdict *v, const dsp_statement *s, const dsp_slice_bytes *slices, uint64_t skip, dsp_err *err)
{
    dsp_err        own = {DSP_OK, ""};
    const uint32_t n = s->n_slices;
    run            r = {.s = s, .in = slices, .v = v, .skip = skip, .err = err ? err : &own};
    dsp_status     st;
    v->check = 0;
    v->slice = DSP_NONE;
    r.arena = dsp_arena_create(0);
    r.sl = r.arena ? DSP_ARENA_N(r.arena, slice, n) : NULL;
    if (!r.sl) {
        st = no_memory(&r);
        goto done;
    }
    if (n == 0) { /* nothing proved is never accepted, skip or not */
        v->check = DSP_R1;
        st = dsp_fail(r.err, DSP_E_REJECTED, "R1 run: no slice is proved");
        goto done;
    }
    if ((st = list(&r)) != DSP_OK)
        goto done;
    for (uint32_t i = 0; i < n; i++)
        if ((!slices[i].key && (st = reject(&r, DSP_R1, i, "run: the key is missing")) != DSP_OK) ||
            (!slices[i].proof && (!v->selected || v->selected[i]) && (st = reject(&r, DSP_R1, i, "run: the proof is missing")) != DSP_OK))
            goto done;
    for (uint32_t i = 0; i < n; i++)
        if ((st = load(&r, i)) != DSP_OK)
            goto done;
    if ((st = digests(&r)) != DSP_OK || (st = collect(&r)) != DSP_OK || (st = names(&r)) != DSP_OK || (st = queries(&r)) != DSP_OK)
        goto done;
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t t0 = v->clock ? v->clock() : 0;
        if (v->selected && !v->selected[i])
            continue;
        if (slices[i].proof && (st = verify_one(&r, i)) != DSP_OK) /* NULL only where a test leaves R1 out */
            goto done;
        if (v->clock && v->slice_ns)
            v->slice_ns[i] = v->clock() - t0;
        if (v->progress)
            v->progress(v->progress_arg, i);
    }
done:
    for (uint32_t i = 0; r.sl && i < n; i++) {
        dsp_derived_free(r.sl[i].D);
        dsp_key_free(r.sl[i].key);
    }
    dsp_arena_free(r.arena);
    return st;
}
