/* The table of section S11: for every check of the verifier a prover that only this check catches. The proof is rejected by the check
 * that is named, and one and the same proof is accepted when that check alone is left out. Linear constraints (V6 to V11, V13, V14,
 * V24) are settled by the pad prover and speak through V20 or V19. */
#include "slices.h"

static json_t *vec;

/* ---- lies in the execution ---- */

enum { NONE, ACC_BUMP, OUT_BUMP, OUT_SMALLER, OFF_BY_ONE, NO_CLAMP, HALF_CLAMP };

typedef struct { int kind; const char *op; size_t cell; int64_t by; uint32_t index; bool done; } lie;

static void lie_acc(void *arg, uint32_t op, int64_t *acc, size_t n)
{
    lie *l = arg;
    if (l->kind == ACC_BUMP && op == l->index) {
        assert_true(l->cell < n);
        acc[l->cell] += l->by;
        l->done = true;
    }
}

/* A saturated cell whose pooling window (2x2 of a plane of 6x6) lets the other lookups hold. */
static bool window_allows(const int64_t *q, const int64_t *wide, size_t i)
{
    for (size_t a = 0; a < 2; a++)
        for (size_t b = 0; b < 2; b++)
            if (wide[i] - q[(i / 6 / 2 * 2 + a) * 6 + i % 6 / 2 * 2 + b] > 15)
                return false;
    return true;
}

static void lie_lin(void *arg, uint32_t op, int64_t *q, int64_t *u, int64_t *v, const int64_t *wide, size_t n)
{
    lie *l = arg;
    (void)v;
    if (op != l->index)
        return;
    for (size_t i = 0; i < n && !l->done; i++)
        switch (l->kind) {
        case OFF_BY_ONE:
            if (wide[i] > 0 && wide[i] < 14) {
                q[i]++;
                l->done = true;
            }
            break;
        case NO_CLAMP:
            if (u[i] > 0 && window_allows(q, wide, i)) {
                q[i] = wide[i];
                u[i] = 0;
                l->done = true;
            }
            break;
        case HALF_CLAMP:
            if (wide[i] > 2) {
                q[i]--;
                u[i] = 1;
                l->done = true;
            }
            break;
        default: break;
        }
}

static void lie_out(void *arg, uint32_t op, int64_t *out, const int64_t *a, const int64_t *b, size_t n)
{
    lie *l = arg;
    if (op != l->index)
        return;
    if (l->kind == OUT_BUMP) {
        assert_true(l->cell < n);
        out[l->cell] += l->by;
        l->done = true;
    }
    for (size_t i = 0; l->kind == OUT_SMALLER && i < n && !l->done; i++)
        if (a[i] != b[i]) {
            out[i] = a[i] < b[i] ? a[i] : b[i];
            l->done = true;
        }
}

/* ---- the table ---- */

enum { OMIT = 1, FAKE = 2, MULT = 4, FALSE_PUB = 8, OTHER_X = 16, BIG_X = 32, OTHER_B = 64, DROP = 128, ROOT = 256, WEAK = 512, FORCE = 1024,
       ROOT_A = 2048, ROOT_P = 4096, EDIT_HEADER = 8192, TRAILING = 16384 };

typedef struct {
    const char *what;
    bool        dag;
    uint32_t    slice;
    unsigned    check[2]; /* mode 0, mode 1; 0: as in mode 0 and not tried again */
    lie         l;
    unsigned    how;
    dsp_cheat   c;
} row;

#define MULT_ONE .how = MULT
static const row table[] = {
    {"wrong conv output, continued", 0, 0, {DSP_V11, DSP_V10}, .l = {ACC_BUMP, "conv1", 7, 16, 0, 0}},
    {"wrong gemm output, continued", 0, 1, {DSP_V11, DSP_V13}, .l = {ACC_BUMP, "fc1", 4, 8, 0, 0}},
    {"wrong residual sum, continued", 1, 1, {DSP_V11, DSP_V13}, .l = {ACC_BUMP, "res", 0, 16, 0, 0}},
    {"wrong table output", 1, 2, {DSP_V6, 0}, .l = {OUT_BUMP, "act", 0, 1, 0, 0}},
    {"wrong quotient before a table", 1, 2, {DSP_V6, 0}, .l = {OFF_BY_ONE, "add", 0, 0, 0, 0}},
    {"wrong quotient, remainder outside 2^s", 0, 0, {DSP_V6, 0}, .l = {OFF_BY_ONE, "conv1", 0, 0, 0, 0}},
    {"q beyond its range, no saturation", 0, 0, {DSP_V6, 0}, .l = {NO_CLAMP, "conv1", 0, 0, 0, 0}},
    {"saturates although in range", 0, 0, {DSP_V11, DSP_V11}, .l = {HALF_CLAMP, "conv1", 0, 0, 0, 0}},
    {"q beyond its range, its lookups not counted", 0, 0, {DSP_V8, 0}, .l = {NO_CLAMP, "conv1", 0, 0, 0, 0}, .how = OMIT},
    {"q beyond its range, the tree holds another column", 0, 0, {DSP_V9, 0}, .l = {NO_CLAMP, "conv1", 0, 0, 0, 0}, .how = FAKE},
    {"max-pool output too large", 0, 0, {DSP_V11, DSP_V11}, .l = {OUT_BUMP, "pool2", 3, 1, 0, 0}},
    {"max-pool output too small", 0, 0, {DSP_V6, 0}, .l = {OUT_SMALLER, "pool2", 0, 0, 0, 0}},
    {"wrong multiplicity", 0, 0, {DSP_V6, 0}, MULT_ONE},
    {"wrong multiplicity, whole linear system unchecked", 0, 0, {DSP_V20, 0}, MULT_ONE},
    {"wrong multiplicity, top of the tree fitted", 0, 0, {DSP_V7, 0}, MULT_ONE, .c = {.top = true}},
    {"wrong multiplicity, y_dot fitted", 0, 0, {DSP_V19, 0}, MULT_ONE, .c = {.dotfix = true}},
    {"changed public output", 0, 1, {DSP_V11, DSP_V13}, .how = FALSE_PUB},
    {"other public input than stated", 0, 0, {DSP_V10, DSP_V10}, .how = OTHER_X},
    {"public input outside its declared range", 0, 0, {DSP_V2, 0}, .how = BIG_X},
    {"boundary tensor is not the committed one", 0, 1, {DSP_V13, DSP_V13}, .how = OTHER_B},
    {"the same, y of tree A fitted", 0, 1, {DSP_V14, 0}, .how = OTHER_B, .c = {.yshift = true}},
    {"the same, u of tree A fitted", 0, 1, {DSP_V15, 0}, .how = OTHER_B, .c = {.yshift = true, .ufix = true}},
    {"wrong u'", 0, 1, {DSP_V16, 0}, .c = {.u2 = true}},
    {"boundary cheat, its claim dropped", 0, 1, {DSP_V12, DSP_V12}, .how = OTHER_B | DROP},
    {"wrong boundary root in the statement", 0, 1, {DSP_V17, 0}, .how = ROOT},
    {"wrong root of tree A", 0, 1, {DSP_V17, 0}, .how = ROOT_A},
    {"wrong root of tree P", 0, 1, {DSP_V23, 0}, .how = ROOT_P},
    {"y_ldt off by one", 0, 1, {DSP_V18, 0}, .c = {.ldt = true}},
    {"wrong pad product hides a bad lookup", 0, 0, {DSP_V22, 0}, .l = {OFF_BY_ONE, "conv1", 0, 0, 0, 0}, .how = FORCE, .c = {.wrongz = DSP_WRONG_Z}},
    {"the same, y_q fitted", 0, 0, {DSP_V21, 0}, .l = {OFF_BY_ONE, "conv1", 0, 0, 0, 0}, .how = FORCE, .c = {.wrongz = DSP_WRONG_Z, .quadfix = true}},
    {"the same, product rows hold another triple", 0, 0, {DSP_V24, 0}, .l = {OFF_BY_ONE, "conv1", 0, 0, 0, 0}, .how = FORCE, .c = {.wrongz = DSP_WRONG_Z_COPY}},
    {"header of another statement", 0, 1, {DSP_V3, 0}, .how = EDIT_HEADER},
    {"trailing byte", 0, 1, {DSP_V4, 0}, .how = TRAILING},
    {"key with fewer queries", 0, 1, {DSP_V1, 0}, .how = WEAK},
};

/* What speaks when `check` is broken: constraints are one linear system; copies alone leave its sum right and y_dot wrong. */
static unsigned speaker(unsigned check)
{
    return check == DSP_V24 ? DSP_V19 : check >= DSP_V6 && check <= DSP_V14 ? DSP_V20 : check;
}

/* Adds `by` to the multiplicity of each cell of lookup segment g that its range table holds. */
static void recount(slices *s, uint32_t i, uint32_t g, const int64_t *cells, int by)
{
    const dsp_derived *D = s->D[i];
    const dsp_segment *seg = &D->segs[g];
    const dsp_witness *w = s->w[i];
    for (uint32_t u = 0; u < D->n_used; u++)
        for (uint64_t k = 0; D->used[u].table == seg->table && k < dsp_cells(seg->dims); k++) {
            const int64_t x = cells ? cells[k] : w->column_fe[seg->col0] ? (int64_t)w->column_fe[seg->col0][k].v : w->column[seg->col0][k];
            if (x >= 0 && x >> D->used[u].log2 == 0)
                w->cells[D->used[u].tensor][x] += by;
        }
}

static void attempt(const row *r, int mode)
{
    const unsigned  check = r->check[mode];
    slices          s, other;
    dsp_cheat       c = r->c;
    lie             l = r->l;
    const lie       nothing = {0};
    lie             idle = nothing;
    dsp_tamper      t = {lie_acc, lie_lin, lie_out, &l}, none = {NULL, NULL, NULL, &idle};
    const dsp_tamper *tamper[SLICES_MAX] = {NULL};
    bool            omit[64] = {false};
    int64_t         fake[256];
    dsp_digest      zero;
    dsp_label       drop;
    dsp_prove_rules rules = {.skip = (uint64_t)1 << check};
    dsp_verify_hooks hooks = {0};
    const dsp_forced_coin coins[] = {{DSP_Q_ALPHA, {{12345}, {678}}}, {DSP_Q_BETA, {{91011}, {1213}}}, {0, {{0}, {0}}}};
    char            title[32];
    snprintf(title, sizeof title, "%s, 12 bits, mode %d", r->dag ? "dag" : "chain", mode);
    memset(&zero, 0, sizeof zero);
    slices_load(&s, vec, title);
    if (r->how & WEAK) {
        for (uint32_t i = 0; i < s.n; i++)
            for (uint32_t k = 0; k < s.key[i]->n_trees; k++)
                s.key[i]->trees[k].t -= 3;
        slices_rekey(&s);
    }
    if (l.kind != NONE) {
        l.index = slices_op(&s, r->slice, l.op);
        tamper[r->slice] = &t;
    }
    if (r->how & BIG_X) {
        slices_get(&s, "x")->v[9] = 8;
        tamper[0] = &none;
    }
    int64_t x[36];
    if (!r->dag)
        memcpy(x, slices_get(&s, "x")->v, sizeof x);
    if (r->how & OTHER_X)
        slices_get(&s, "x")->v[5]--;
    slices_run(&s, tamper);
    if (l.kind != NONE)
        assert_true(l.done);
    if (r->how & OTHER_X)
        s.pub[0][slices_tensor(&s, 0, "x")] = x;
    if (r->how & FALSE_PUB) {
        int64_t y[8];
        const slices_value *v = slices_get(&s, "y");
        memcpy(y, v->v, v->n * sizeof *y);
        y[1]++;
        slices_set(&s, "y", y, v->n);
        slices_run(&s, NULL);
    }
    if (r->how & OTHER_B) {
        int64_t b[18];
        memcpy(b, slices_get(&s, "b1")->v, sizeof b);
        b[2]++;
        slices_reexecute(&s, 1, NULL, "b1", b);
        s.pub[1][slices_tensor(&s, 1, "y")] = s.w[1]->cells[slices_tensor(&s, 1, "y")];
    }
    if (r->how & ROOT) {
        slices_load(&other, vec, title);
        memset(other.secret, 0, 32);
        slices_get(&other, "x")->v[0]++;
        slices_run(&other, NULL);
        s.root[r->slice][0] = other.root[r->slice][0];
        slices_free(&other);
    }
    for (uint32_t u = 0; r->how & MULT && u < s.D[r->slice]->n_used; u++)
        s.w[r->slice]->cells[s.D[r->slice]->used[u].tensor][1]++;
    if (r->how & (OMIT | FAKE)) { /* segment conv1.q.0 */
        const uint32_t     range = s.D[0]->op_range[slices_op(&s, 0, "conv1")][DSP_R_Q], g = s.D[0]->ranges[range].seg0;
        const dsp_segment *seg = &s.D[0]->segs[g];
        recount(&s, 0, g, NULL, -1);
        if (r->how & OMIT) {
            assert_true(s.D[0]->n_segs <= 64);
            omit[g] = true;
            c.omit = omit;
        } else {
            assert_true(dsp_cells(seg->dims) <= 256);
            for (uint64_t k = 0; k < dsp_cells(seg->dims); k++) {
                const uint64_t v = s.w[0]->column_fe[seg->col0] ? s.w[0]->column_fe[seg->col0][k].v : (uint64_t)s.w[0]->column[seg->col0][k];
                fake[k] = v < 15 ? (int64_t)v : 15;
            }
            recount(&s, 0, g, fake, 1);
            c.fake_cells = fake;
            c.fake_column = seg->col0;
        }
    }
    if (r->how & ROOT_A)
        c.root_A = &zero;
    if (r->how & ROOT_P)
        c.root_P = &zero;
    if (r->how & FORCE)
        rules.coins = hooks.forced = coins;
    if (r->how & DROP) {
        drop = (dsp_label){mode ? DSP_C_LIN : DSP_C_TERM, slices_op(&s, 1, "fc1"), 0};
        rules.drop = &drop;
        rules.n_drop = 1;
    }

    dsp_err err = {DSP_OK, ""};
    dsp_buf p = slices_prove(&s, r->slice, &c, &rules, NULL);
    if (r->how & EDIT_HEADER)
        p.p[12] ^= 1;
    if (r->how & TRAILING)
        dsp_buf_u8(&p, 0);
    const unsigned by = slices_verify(&s, r->slice, p.p, p.len, 0, &hooks, &err);
    if (by != speaker(check))
        fail_msg("mode %d, %s: V%u should speak, V%u did: %s", mode, r->what, speaker(check), by, err.msg);
    if (r->how & DROP) {
        hooks.drop = &drop;
        hooks.n_drop = 1;
        assert_int_equal(slices_verify(&s, r->slice, p.p, p.len, 0, &hooks, &err), DSP_V12);
    }
    const unsigned left = slices_verify(&s, r->slice, p.p, p.len, rules.skip, &hooks, &err);
    if (left)
        fail_msg("mode %d, %s: with V%u left out still rejected by V%u: %s", mode, r->what, check, left, err.msg);
    dsp_buf_release(&p);
    slices_free(&s);
}

static void cheats_mode0(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        attempt(&table[i], 0);
}

static void cheats_mode1(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].check[1])
            attempt(&table[i], 1);
}

/* Every check but V5 (test_prover.c) has a row. */
static void all_checks(void **state)
{
    (void)state;
    for (unsigned v = DSP_V1; v <= DSP_V24; v++) {
        bool found = v == DSP_V5;
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
            found |= table[i].check[0] == v || table[i].check[1] == v;
        if (!found)
            fail_msg("no cheat for V%u", v);
    }
}

int main(void)
{
    vec = vec_load();
    const struct CMUnitTest tests[] = {cmocka_unit_test(cheats_mode0), cmocka_unit_test(cheats_mode1), cmocka_unit_test(all_checks)};
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vec);
    return r;
}
