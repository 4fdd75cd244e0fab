/* Every rule of a run with ezkl segments has cases that break just it: refused by that rule, and accepted where a build with hooks leaves it out. */
#include "unit/test.h"

#include <stdio.h>

#include "pipeline/foreign_check.h"

enum { SCALE = 7, LOGROWS = 15, N = 2, T = 4 };

/* Segment 0 (ezkl): x -> a. Segment 1 (native): a -> b. Segment 2 (ezkl): b, a -> y. b lies transposed in the native program. */
typedef struct {
    dsp_foreign          f;
    dsp_foreign_segment  seg[N];
    dsp_foreign_tensor   t[T];
    uint32_t             wires[N][4], cuts[2], native[2];
    dsp_foreign_unproved unproved[1];
    const char          *inputs[2], *outputs[2];
    int64_t              x[4], a[4], b[6], y[3], pub_a[4], pub_b[6];
    dsp_statement        st;
    dsp_stmt_slice       slice[2];
    dsp_stmt_unproved    other[3];
    dsp_stmt_pub         pub[3];
    dsp_stmt_edge        edge[1];
    dsp_record           record;
    uint32_t             record_cuts[2];
    dsp_qtensor          q[2];
    dsp_native_use       use[3];
    char                 settings[N][1024], proof[N][4096], vk[N][8];
    dsp_foreign_bytes    bytes[N];
    dsp_foreign_run      run;
    dsp_status           says;      /* ezkl's verdict */
    unsigned             asked;
} fixture;

enum { X, A, B, Y };

static void write_settings(fixture *x, int i, const char *in_vis, const char *out_vis, const char *params, int scale, int logrows, const char *shapes)
{
    const char *in = i ? "%d,%d" : "%d";
    char        scales[32];
    snprintf(scales, sizeof scales, in, scale, scale);
    snprintf(x->settings[i], sizeof x->settings[i],
             "{\"model_input_scales\":[%s],\"model_instance_shapes\":%s,\"model_output_scales\":[%d],\"num_rows\":100,\"run_args\":{\"input_visibility\":\"%s\","
             "\"logrows\":%d,\"output_visibility\":\"%s\",\"param_visibility\":\"%s\"},\"timestamp\":0,\"version\":\"23.0.5\"}",
             scales, shapes, scale, in_vis, logrows, out_vis, params);
}

static void write_proof(fixture *x, int i)
{
    const dsp_foreign_segment *g = &x->seg[i];
    char                      *p = x->proof[i], felt[65];
    p += sprintf(p, "{\"hex_proof\":\"0x0a0b\",\"instances\":[[");
    for (uint32_t k = 0; k < g->n_in + g->n_out; k++) {
        const dsp_foreign_tensor *t = &x->t[k < g->n_in ? g->in[k] : g->out[k - g->n_in]];
        for (uint32_t c = 0; c < t->count; c++) {
            dsp_ezkl_felt(felt, t->cells[c]);
            p += sprintf(p, "%s\"%s\"", k || c ? "," : "", felt);
        }
    }
    sprintf(p, "]],\"proof\":[10,11]}");
}

/* Digests and lengths of what stands in the texts. */
static void seal(fixture *x)
{
    for (int i = 0; i < N; i++) {
        x->bytes[i] = (dsp_foreign_bytes){(const uint8_t *)x->vk[i], (const uint8_t *)x->settings[i], (const uint8_t *)x->proof[i],
                                          strlen(x->vk[i]), strlen(x->settings[i]), strlen(x->proof[i])};
        x->seg[i].vk = dsp_sha256(x->vk[i], strlen(x->vk[i]));
        x->seg[i].settings = dsp_sha256(x->settings[i], strlen(x->settings[i]));
    }
}

static void init(fixture *x)
{
    memset(x, 0, sizeof *x);
    for (int i = 0; i < 6; i++) {
        if (i < 4)
            x->x[i] = 100 - 60 * i, x->a[i] = x->pub_a[i] = 7 * i - 9;
        x->b[i] = 1000 + i;
        if (i < 3)
            x->y[i] = -((int64_t)1 << (20 + i));
    }
    /* (C, H, W) = (3, 1, 2) from ONNX [1, 2, 3]: transposed */
    for (int c = 0; c < 3; c++)
        for (int w = 0; w < 2; w++)
            x->pub_b[2 * c + w] = x->b[3 * w + c];
    x->t[X] = (dsp_foreign_tensor){"x", DSP_STMT_INPUT, 2, {1, 4}, 4, x->x};
    x->t[A] = (dsp_foreign_tensor){"a", DSP_STMT_INNER, 2, {2, 2}, 4, x->a};
    x->t[B] = (dsp_foreign_tensor){"b", DSP_STMT_INNER, 3, {1, 2, 3}, 6, x->b};
    x->t[Y] = (dsp_foreign_tensor){"y", DSP_STMT_OUTPUT, 1, {3}, 3, x->y};
    memcpy(x->wires[0], (uint32_t[]){X, A}, 2 * sizeof(uint32_t));
    memcpy(x->wires[1], (uint32_t[]){B, A, Y}, 3 * sizeof(uint32_t));
    x->seg[0] = (dsp_foreign_segment){.index = 0, .macs = 11, .logrows = LOGROWS, .n_in = 1, .n_out = 1, .in = x->wires[0], .out = x->wires[0] + 1};
    x->seg[1] = (dsp_foreign_segment){.index = 2, .macs = 33, .logrows = LOGROWS, .n_in = 2, .n_out = 1, .in = x->wires[1], .out = x->wires[1] + 2};
    x->cuts[0] = x->record_cuts[0] = 3;
    x->cuts[1] = x->record_cuts[1] = 5;
    x->native[0] = 1;
    x->inputs[0] = "x";
    x->outputs[0] = "y";
    x->f = (dsp_foreign){.scale = SCALE, .n_cuts = 2, .cuts = x->cuts, .n_inputs = 1, .inputs = x->inputs, .n_outputs = 1, .outputs = x->outputs, .n_segments = N,
                         .segments = x->seg, .n_native = 1, .native = x->native, .unproved = x->unproved, .n_tensors = T, .tensors = x->t};
    memset(x->f.model.b, 1, 32);
    memset(x->f.record.b, 2, 32);
    memset(x->f.statement.b, 3, 32);
    memset(x->f.nonce, 4, 32);
    x->slice[0] = (dsp_stmt_slice){.name = "segment_1", .index = 1, .macs = 22};
    x->other[0] = (dsp_stmt_unproved){"segment_0", DSP_FOREIGN_REASON, 0, 11};
    x->other[1] = (dsp_stmt_unproved){"segment_2", DSP_FOREIGN_REASON, 2, 33};
    x->pub[0] = (dsp_stmt_pub){"a", DSP_STMT_INNER, {1, 2, 2}, SCALE, x->pub_a};
    x->pub[1] = (dsp_stmt_pub){"b", DSP_STMT_INNER, {3, 1, 2}, SCALE, x->pub_b};
    x->st = (dsp_statement){.model = x->f.model, .record = x->f.record, .n_slices = 1, .slices = x->slice, .n_unproved = 2, .unproved = x->other, .n_pubs = 2, .pubs = x->pub,
                            .edges = x->edge};
    memset(x->st.nonce, 4, 32);
    x->q[0] = (dsp_qtensor){.name = "a", .scale_bits = SCALE, .layout = {{1, 2, 2}, 2, {2, 2}, {0, 1}}};
    x->q[1] = (dsp_qtensor){.name = "b", .scale_bits = SCALE, .layout = {{3, 1, 2}, 3, {1, 2, 3}, {2, 0, 1}}};
    x->record = (dsp_record){.n_cuts = 2, .cuts = x->record_cuts, .n_tensors = 2, .tensors = x->q};
    x->use[0] = (dsp_native_use){1, "a", false, true};
    x->use[1] = (dsp_native_use){1, "b", true, true};
    x->run = (dsp_foreign_run){.f = &x->f, .st = &x->st, .st_digest = x->f.statement, .record = &x->record, .uses = x->use, .n_uses = 2, .bytes = x->bytes};
    write_settings(x, 0, "Public", "Public", "Fixed", SCALE, LOGROWS, "[[1,4],[2,2]]");
    write_settings(x, 1, "Public", "Public", "Fixed", SCALE, LOGROWS, "[[1,2,3],[2,2],[3]]");
    strcpy(x->vk[0], "vk 0");
    strcpy(x->vk[1], "vk 2");
    write_proof(x, 0);
    write_proof(x, 1);
    seal(x);
}

static dsp_status ezkl(void *arg, uint32_t at, const uint8_t *proof, size_t len, dsp_err *err)
{
    fixture *x = arg;
    (void)at;
    assert_true(len > 0 && proof);
    x->asked++;
    return x->says == DSP_OK ? DSP_OK : dsp_fail(err, x->says, "ezkl says so");
}

static dsp_status judge(fixture *x, dsp_foreign_verdict *v, uint64_t skip, dsp_err *err)
{
    const dsp_status s = dsp_foreign_check_run(v, &x->run, skip, err);
    return s == DSP_OK ? dsp_foreign_check_proofs(v, &x->run, ezkl, x, skip, err) : s;
}

static void good(void **state)
{
    fixture             x;
    dsp_foreign_verdict v = {0};
    dsp_err             err = {DSP_OK, ""};
    (void)state;
    init(&x);
    if (judge(&x, &v, 0, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(x.asked, N);
    assert_int_equal(v.check, 0);
    /* selected proofs only; the others may be missing */
    const bool only[N] = {true, false};
    x.run.selected = only;
    x.bytes[1].proof = NULL;
    assert_int_equal(judge(&x, &v, 0, &err), DSP_OK);
    assert_int_equal(x.asked, N + 1);
    /* what ezkl cannot say is no rejection */
    x.says = DSP_E_UNAVAILABLE;
    assert_int_equal(judge(&x, &v, 0, &err), DSP_E_UNAVAILABLE);
    assert_int_equal(v.check, 0);
}

/* The same chain with its native segment left out, and the whole as one ezkl segment. */
static void without_native(fixture *x)
{
    x->f.n_native = 0;
    x->f.n_unproved = 1;
    x->unproved[0] = (dsp_foreign_unproved){1, 22, "not compiled"};
    memset(&x->f.record, 0, 32);
    memset(&x->f.statement, 0, 32);
    x->run.st = NULL;
    x->run.record = NULL;
    x->run.n_uses = 0;
}

static void only_ezkl(void **state)
{
    fixture             x;
    dsp_foreign_verdict v = {0};
    dsp_err             err = {DSP_OK, ""};
    (void)state;
    init(&x);
    without_native(&x);
    if (judge(&x, &v, 0, &err) != DSP_OK)
        fail_msg("%s", err.msg);
}

/* ---- one thing wrong each ---- */

static void statement_digest(fixture *x) { x->run.st_digest.b[0] ^= 1; }
static void statement_missing(fixture *x) { x->run.st = NULL; x->run.n_uses = 0; x->f.n_unproved = 1; }
static void statement_too_many(fixture *x) { without_native(x); x->run.st = &x->st; x->run.record = &x->record; }
static void model(fixture *x) { x->st.model.b[0] ^= 1; }
static void record(fixture *x) { x->st.record.b[0] ^= 1; }
static void nonce(fixture *x) { x->st.nonce[31] ^= 1; }
static void cuts(fixture *x) { x->record_cuts[1]++; }
static void fewer_cuts(fixture *x) { x->record.n_cuts--; }
static void binds(fixture *x)
{
    static dsp_dim_bind bind = {"N", 1};
    x->f.binds = &bind;
    x->f.n_binds = 1;
}

static void segment_hidden(fixture *x)
{
    static uint32_t three[] = {1, 2, 3};
    x->f.n_cuts = 3;
    x->record.n_cuts = 3;
    x->f.cuts = x->record.cuts = three;
}
static void segment_twice(fixture *x) { x->seg[1].index = 1; x->other[1].index = 1; x->use[1].segment = 0; }
static void native_unlisted(fixture *x) { x->slice[0].index = 0; }
static void other_macs(fixture *x) { x->other[1].macs++; }
static void other_reason(fixture *x) { x->other[0].reason = "not compiled"; }
static void other_index(fixture *x) { x->other[0].index = 1; }
static void other_more(fixture *x) { x->other[2] = x->other[1]; x->st.n_unproved = 3; }

static void vk(fixture *x) { x->vk[1][0] = 'V'; }
static void vk_of_another(fixture *x) { x->bytes[1].vk = x->bytes[0].vk; }
static void settings_changed(fixture *x) { x->seg[0].settings.b[5] ^= 1; }

static void input_private(fixture *x) { write_settings(x, 0, "Private", "Public", "Fixed", SCALE, LOGROWS, "[[1,4],[2,2]]"); seal(x); }
static void output_private(fixture *x) { write_settings(x, 1, "Public", "Private", "Fixed", SCALE, LOGROWS, "[[1,2,3],[2,2],[3]]"); seal(x); }
static void params_public(fixture *x) { write_settings(x, 0, "Public", "Public", "Private", SCALE, LOGROWS, "[[1,4],[2,2]]"); seal(x); }
static void scale(fixture *x) { write_settings(x, 0, "Public", "Public", "Fixed", SCALE + 1, LOGROWS, "[[1,4],[2,2]]"); seal(x); }
static void rows(fixture *x) { write_settings(x, 0, "Public", "Public", "Fixed", SCALE, LOGROWS + 1, "[[1,4],[2,2]]"); seal(x); }
static void cells(fixture *x) { write_settings(x, 0, "Public", "Public", "Fixed", SCALE, LOGROWS, "[[1,4],[2,3]]"); seal(x); }
static void cells_moved(fixture *x) { write_settings(x, 0, "Public", "Public", "Fixed", SCALE, LOGROWS, "[[1,5],[3]]"); seal(x); }
static void order(fixture *x) { write_settings(x, 1, "Public", "Public", "Fixed", SCALE, LOGROWS, "[[2,2],[1,2,3],[3]]"); seal(x); }
static void one_input(fixture *x)
{
    char *at = strstr(x->settings[1], "[7,7]");
    assert_non_null(at);
    memcpy(at, "[7]  ", 5);
    write_settings(x, 1, "Public", "Public", "Fixed", SCALE, LOGROWS, "[[10],[3]]");
    at = strstr(x->settings[1], "[7,7]");
    memmove(at + 2, at + 4, strlen(at + 4) + 1);
    seal(x);
}
static void spelling(fixture *x) { strcat(x->settings[0], " "); seal(x); }
static void timestamp(fixture *x)
{
    char *at = strstr(x->settings[0], "\"timestamp\":0");
    at[12] = '5';
    seal(x);
}
static void key_twice(fixture *x)
{
    const size_t n = strlen(x->settings[0]);
    strcpy(x->settings[0] + n - 1, ",\"num_rows\":100}");
    seal(x);
}

static void two_makers(fixture *x) { x->use[0].made = true; x->use[2] = (dsp_native_use){1, "a", false, true}; x->run.n_uses = 3; }
static void late(fixture *x) { x->use[1].segment = 2; }    /* b is made by the segment that reads it */
static void own(fixture *x) { x->use[0].segment = 0; }     /* a is read by the segment that makes it */
static void input_made(fixture *x) { x->t[A].use = x->pub[0].use = DSP_STMT_INPUT; x->inputs[1] = "a"; x->f.n_inputs = 2; }

static void nobody_makes(fixture *x) { x->run.n_uses = 1; }
static void nobody_reads(fixture *x) { x->t[Y].use = DSP_STMT_INNER; x->f.n_outputs = 0; }
static void input_unlisted(fixture *x) { x->f.n_inputs = 0; }
static void input_listed(fixture *x) { x->inputs[1] = "a"; x->f.n_inputs = 2; }
static void output_unlisted(fixture *x) { x->f.n_outputs = 0; }
static void output_listed(fixture *x) { x->outputs[1] = "b"; x->f.n_outputs = 2; }
static void output_hidden(fixture *x) { x->outputs[1] = "z"; x->f.n_outputs = 2; }
static void pub_unmade(fixture *x) { x->pub[2] = (dsp_stmt_pub){"c", DSP_STMT_INNER, {1, 1, 1}, SCALE, x->a}; x->st.n_pubs = 3; }
static void pub_unread(fixture *x)
{
    pub_unmade(x);
    x->use[2] = (dsp_native_use){1, "c", true, true};
    x->run.n_uses = 3;
}

static void use(fixture *x) { x->t[B].use = DSP_STMT_OUTPUT; x->outputs[1] = "b"; x->f.n_outputs = 2; }
static void pub_scale(fixture *x) { x->pub[0].scale_bits++; }
static void pub_shape(fixture *x) { x->q[1].layout.onnx_dims[1] = 3; x->q[1].layout.onnx_dims[2] = 2; }
static void pub_layout(fixture *x) { x->pub[1].dims[0] = 2; x->pub[1].dims[2] = 3; }
static void pub_unrecorded(fixture *x) { x->record.n_tensors = 1; }
static void integer_native(fixture *x) { x->pub_b[4]++; }
static void integer_order(fixture *x) { memcpy(x->pub_b, x->b, sizeof x->b); }
static void committed(fixture *x) { x->edge[0].name = "a"; x->st.n_edges = 1; }
static void not_public(fixture *x) { x->use[0].pub = false; }

static void proof_missing(fixture *x) { x->bytes[1].proof = NULL; }
static void proof_cut(fixture *x) { x->bytes[0].proof_len /= 2; }
static void proof_hex(fixture *x) { strstr(x->proof[0], "0x0a")[3] = 'b'; }
static void proof_bytes(fixture *x) { strstr(x->proof[0], "[10,")[2] = '2'; }
static void proof_swapped(fixture *x) { x->bytes[0].proof = x->bytes[1].proof; x->bytes[0].proof_len = x->bytes[1].proof_len; }
static void proof_twice(fixture *x)
{
    char *at = strstr(x->proof[0], ",\"proof\"");
    strcpy(at, ",\"proof\":[9,11],\"proof\":[10,11]}");
    seal(x);
}
static void instance_more(fixture *x)
{
    char *at = strstr(x->proof[0], "]]"), rest[64], felt[65];
    strcpy(rest, at);
    dsp_ezkl_felt(felt, 0);
    sprintf(at, ",\"%s\"%s", felt, rest);
    seal(x);
}
static void instance_fewer(fixture *x)
{
    char *at = strstr(x->proof[0], "]]");
    memmove(at - 67, at, strlen(at) + 1);
    seal(x);
}
static void instance_unreduced(fixture *x)   /* the order of the field itself, which is zero */
{
    char *at = strstr(x->proof[0], "[[\"") + 3;
    memcpy(at, "010000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430", 64);
}
static void two_columns(fixture *x)
{
    char *at = strstr(x->proof[0], ",\"proof\"");
    memmove(at + 3, at - 1, strlen(at - 1) + 1);
    memcpy(at - 1, ",[]]", 4);
    seal(x);
}

static void change(fixture *x, int i, int64_t old, int64_t now)
{
    char was[65], is[65];
    dsp_ezkl_felt(was, old);
    dsp_ezkl_felt(is, now);
    char *at = strstr(x->proof[i], was);
    assert_non_null(at);
    memcpy(at, is, 64);
}
static void instance_input(fixture *x) { change(x, 0, x->x[2], x->x[2] + 1); }
static void instance_output(fixture *x) { change(x, 1, x->y[2], 0); }
static void instance_sign(fixture *x) { change(x, 1, x->y[1], -x->y[1]); }
static void table_input(fixture *x) { x->x[0]++; }
static void table_output(fixture *x) { x->y[0]--; }
static void chain_broken(fixture *x) { x->b[1]++; x->pub_b[2]++; }     /* native and table agree, the proof of segment 2 is about another b */

static void says_no(fixture *x) { x->says = DSP_E_REJECTED; }

static const struct { const char *name; unsigned rule; void (*spoil)(fixture *x); bool skippable; } cases[] = {
#define CASE(rule, f) {#f, rule, f, true}
#define HARD(rule, f) {#f, rule, f, false}   /* what comes after it cannot be looked at without it */
    CASE(DSP_F1, statement_digest), HARD(DSP_F1, statement_missing), HARD(DSP_F1, statement_too_many), CASE(DSP_F1, model), CASE(DSP_F1, record), CASE(DSP_F1, nonce),
    CASE(DSP_F1, cuts), CASE(DSP_F1, fewer_cuts), CASE(DSP_F1, binds),
    CASE(DSP_F2, segment_hidden), HARD(DSP_F2, segment_twice), CASE(DSP_F2, native_unlisted), CASE(DSP_F2, other_macs), CASE(DSP_F2, other_reason), CASE(DSP_F2, other_index),
    CASE(DSP_F2, other_more),
    CASE(DSP_F3, vk), CASE(DSP_F3, vk_of_another), CASE(DSP_F3, settings_changed),
    CASE(DSP_F4, input_private), CASE(DSP_F4, output_private), CASE(DSP_F4, params_public), CASE(DSP_F4, scale), CASE(DSP_F4, rows), CASE(DSP_F4, cells), CASE(DSP_F4, cells_moved),
    CASE(DSP_F4, order), CASE(DSP_F4, one_input), CASE(DSP_F4, spelling), CASE(DSP_F4, timestamp), CASE(DSP_F4, key_twice),
    CASE(DSP_F5, two_makers), CASE(DSP_F5, late), CASE(DSP_F5, own), CASE(DSP_F5, input_made),
    CASE(DSP_F6, nobody_makes), CASE(DSP_F6, nobody_reads), CASE(DSP_F6, input_unlisted), CASE(DSP_F6, input_listed), CASE(DSP_F6, output_unlisted), CASE(DSP_F6, output_listed),
    CASE(DSP_F6, output_hidden), CASE(DSP_F6, pub_unmade), CASE(DSP_F6, pub_unread),
    CASE(DSP_F7, use), CASE(DSP_F7, pub_scale), CASE(DSP_F7, pub_shape), CASE(DSP_F7, pub_layout), CASE(DSP_F7, pub_unrecorded), CASE(DSP_F7, integer_native),
    CASE(DSP_F7, integer_order), CASE(DSP_F7, committed), CASE(DSP_F7, not_public),
    HARD(DSP_F8, proof_missing), CASE(DSP_F8, proof_cut), CASE(DSP_F8, proof_hex), CASE(DSP_F8, proof_bytes), CASE(DSP_F8, proof_swapped), CASE(DSP_F8, proof_twice),
    CASE(DSP_F8, instance_more), CASE(DSP_F8, instance_fewer), CASE(DSP_F8, instance_unreduced), CASE(DSP_F8, two_columns),
    CASE(DSP_F9, instance_input), CASE(DSP_F9, instance_output), CASE(DSP_F9, instance_sign), CASE(DSP_F9, table_input), CASE(DSP_F9, table_output), CASE(DSP_F9, chain_broken),
    CASE(DSP_F10, says_no),
};

static void spoiled(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture             x;
        dsp_foreign_verdict v = {0};
        dsp_err             err = {DSP_OK, ""};
        char                want[8];
        init(&x);
        cases[i].spoil(&x);
        const dsp_status s = judge(&x, &v, 0, &err);
        snprintf(want, sizeof want, "F%u ", cases[i].rule);
        if (s != DSP_E_REJECTED || v.check != cases[i].rule || strncmp(err.msg, want, strlen(want)) != 0)
            fail_msg("%s: F%u expected: %d, F%u, %s", cases[i].name, cases[i].rule, s, v.check, err.msg);
        /* every other rule left out changes nothing */
        init(&x);
        cases[i].spoil(&x);
        if (judge(&x, &v, ~(uint64_t)0 ^ (uint64_t)1 << cases[i].rule, &err) != DSP_E_REJECTED || v.check != cases[i].rule)
            fail_msg("%s: another rule spoke than F%u: %s", cases[i].name, cases[i].rule, err.msg);
        init(&x);
        cases[i].spoil(&x);
        const dsp_status without = judge(&x, &v, (uint64_t)1 << cases[i].rule, &err);
#ifdef DSP_TEST_HOOKS
        if (cases[i].skippable && without != DSP_OK)
            fail_msg("%s: refused without F%u too: %s", cases[i].name, cases[i].rule, err.msg);
#else
        if (without != DSP_E_REJECTED)
            fail_msg("%s: a rule of this build was left out", cases[i].name);
#endif
    }
}

/* With a segment that is truly unproved, what F6 asks for is relaxed and nothing else. */
static void partial(void **state)
{
    fixture             x;
    dsp_foreign_verdict v = {0};
    dsp_err             err = {DSP_OK, ""};
    (void)state;
    init(&x);
    without_native(&x);
    x.t[A].use = DSP_STMT_INPUT;
    assert_int_equal(judge(&x, &v, 0, &err), DSP_E_REJECTED);
    assert_int_equal(v.check, DSP_F5);
    init(&x);
    without_native(&x);
    x.b[0]++;
    assert_int_equal(judge(&x, &v, 0, &err), DSP_E_REJECTED);
    assert_int_equal(v.check, DSP_F9);
}

static void layouts(void **state)
{
    const dsp_layout l = {{3, 1, 2}, 3, {1, 2, 3}, {2, 0, 1}};
    const int64_t    onnx[6] = {0, 1, 2, 3, 4, 5}, chw[6] = {0, 3, 1, 4, 2, 5};
    int64_t          to[6];
    (void)state;
    dsp_cells_from_onnx(to, onnx, &l);
    assert_memory_equal(to, chw, sizeof to);
    dsp_cells_to_onnx(to, chw, &l);
    assert_memory_equal(to, onnx, sizeof to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(only_ezkl), cmocka_unit_test(spoiled), cmocka_unit_test(partial), cmocka_unit_test(layouts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
