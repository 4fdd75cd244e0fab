/* Encoding of keys, their limits, and every rule of V1 broken once. */
#include "unit/circuit/sample.h"

static dsp_buf bytes_of(const dsp_key *k)
{
    dsp_buf b = {0};
    dsp_err err = {0};
    if (dsp_key_write(&b, k, &err) != DSP_OK)
        fail_msg("%s", err.msg);
    return b;
}

static void test_sample_is_accepted(void **state)
{
    (void)state;
    for (uint8_t mode = 0; mode < 2; mode++) {
        dsp_key *k = sample_key(), *r;
        dsp_err  err = {0};
        k->mode = mode;
        dsp_buf b = bytes_of(k), again;
        if (judge_bytes(b.p, b.len, &err) != DSP_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(dsp_key_read(&r, b.p, b.len, &err), DSP_OK);
        again = bytes_of(r);
        assert_int_equal(again.len, b.len);
        assert_memory_equal(again.p, b.p, b.len);
        assert_int_equal(dsp_key_seal(k, &err), DSP_OK);
        assert_true(dsp_digest_eq(&k->digest, &r->digest));
        dsp_buf_release(&b);
        dsp_buf_release(&again);
        dsp_key_free(r);
        dsp_key_free(k);
    }
}

/* ---- one mutation per rule; cell() writes into an array that the key holds as constant ---- */

static void cell(const int64_t *v, size_t i, int64_t x) { ((int64_t *)(uintptr_t)v)[i] = x; }
#define T(i) k->tensors[i]
#define O(i) k->ops[i]
#define M(name, ...) static void m_##name(dsp_key *k) { __VA_ARGS__; }

M(profile_other, k->profile = 2)
M(profile_test, k->profile = 0x8000 + 12)
M(mode, k->mode = 2)
M(few_queries, k->trees[0].t--; k->trees[1].t--)
M(many_queries, k->trees[0].t = k->trees[1].t = 1017)
M(two_t, k->trees[1].t++)
M(c_odd, k->trees[0].C = 24)
M(n_odd, k->trees[1].n = 2000)
M(n_large, k->trees[1].n = 1u << 23)
M(j_zero, k->trees[0].J = 0)
M(j_large, k->trees[0].J = (1 << 16) + 1)
M(t_zero, k->trees[0].t = 0)
M(a_budget, k->trees[1].J = 2; fix_queries(k))
M(pad_k_odd, k->pad_k = 255)
M(pad_few, k->pad_t--)
M(pad_t_large, k->pad_t = k->pad_k)
M(pad_t_zero, k->pad_t = 0)
M(pad_n_small, k->pad_n = 256)
M(no_trees, k->n_trees = 0)
M(only_a, k->trees[0] = k->trees[1]; k->n_trees = 1)
M(extra_tree, k->trees[2] = k->trees[1]; k->trees[1] = k->trees[0]; k->n_trees = 3)
M(tree_not_edge, k->trees[0].edge = H)
M(a_not_last, k->trees[1].edge = X)
static void m_rows(dsp_key *k)
{
    T(Z).role = DSP_ROLE_EDGE;
    T(Z).dims[0] = 1 << 24;
    k->trees[2] = k->trees[1];
    k->trees[1] = k->trees[0];
    k->trees[1].edge = Z;
    k->n_trees = 3;
}
static void m_tree_cells(dsp_key *k)
{
    m_rows(k);
    T(Z).dims[1] = T(Z).dims[2] = 1 << 24;
}
M(leaves, T(X).dims[1] = T(X).dims[2] = 1 << 14)
M(leaves_far, T(X).dims[0] = T(X).dims[1] = T(X).dims[2] = 1 << 24)
M(pub_cells, T(Z).dims[0] = 1 << 24; T(Z).dims[1] = 3)
M(pub_cells_far, T(Z).dims[0] = T(Z).dims[1] = T(Z).dims[2] = 1 << 24)
M(dim_zero, T(X).dims[1] = 0)
M(dim_large, T(X).dims[1] = (1 << 24) + 1)
M(role, T(X).role = 3)
M(range_empty, T(Z).lo = 4)
M(range_wide, T(Z).hi = INT64_MAX)
M(range_low, T(Z).lo = INT64_MIN)
M(tensor_a, T(Z).name = "A")
M(tensor_mult, T(Z).name = "mult.7")
M(tensor_derived, T(Z).name = "conv1.x")
M(op_derived, O(O_FC).name = "conv1.u")
M(tensor_twice, T(Z).name = "y")
M(weight_twice, k->weights[W_FC].name = "w")
M(op_twice, O(O_FC).name = "add")
M(table_zero, k->tables[0].log2_rows = 0)
M(table_large, k->tables[0].log2_rows = 17)
M(table_kind, k->tables[0].kind = 2)
M(table_twice, k->tables[2] = k->tables[0]; k->n_tables = 3)
M(table_relation, cell(k->tables[1].pairs, 2, -16); cell(k->tables[1].pairs, 3, 1))
M(table_beyond, cell(k->tables[1].pairs, 0, INT64_MIN))
M(no_width, O(O_CONV).rem.w[0] = 5)
M(limb_zero, O(O_CONV).rem.w[0] = 0)
M(limb_large, O(O_CONV).rem.w[0] = 17)
M(weight_short, k->weights[W_FC].count--)
M(weight_flat, k->weights[W_FC].dims[3] = 0)
M(weight_far, k->weights[W_FC].dims[0] = k->weights[W_FC].dims[1] = k->weights[W_FC].dims[2] = 1 << 24)
M(conv_groups, k->weights[W_CONV].dims[1] = 3; k->weights[W_CONV].dims[2] = 2)
M(conv_outputs, k->weights[W_CONV].dims[0] = 1; k->weights[W_CONV].dims[2] = 6)
M(conv_outputs_groups, k->weights[W_FC].dims[1] = 1; k->weights[W_FC].dims[2] = 8)
M(conv_stride, O(O_CONV).terms[0].stride[1] = 0)
M(conv_stride_far, O(O_CONV).terms[0].stride[1] = (1 << 24) + 1)
M(conv_pad, O(O_CONV).terms[0].pad[0] = (1 << 24) + 1)
M(conv_dilation, O(O_CONV).terms[0].dil[0] = 0)
M(view_stride, O(O_ADD).terms[0].view.stride[2] = 0)
M(view_offset, O(O_ADD).terms[1].view.off[0] = -(1 << 24) - 1)
M(max_stride, O(O_POOL).a.stride[2] = 0)
M(max_offset, O(O_POOL).b.off[2] = (1 << 24) + 1)
M(m_count, O(O_CONV).M = same(k->arena, 3, 1))
M(m_none, O(O_CONV).M.n = 0)
M(my_count, O(O_ADD).My = same(k->arena, 3, 2))
M(mx_count, O(O_ADD).Mx = same(k->arena, 4, 2))
M(shift, O(O_CONV).s = 5)
M(shift_far, O(O_CONV).s = 255)
M(q_range, T(H).hi = 14)
M(q_public, O(O_FC).q = (dsp_limbs){1, {4}})
M(q_table, T(G).hi = 14)
M(q_no_table, O(O_ACT).x = P)
M(no_terms, O(O_FC).n_terms = 0)
M(op_kind, O(O_IN).kind = 4)
M(term_kind, O(O_ADD).terms[0].kind = 2)
M(bias_count, O(O_CONV).bias = W_FC)
M(wrap_acc, cell(O(O_CONV).M.v, 0, (int64_t)1 << 55))
M(wrap_acc_weight, cell(k->weights[W_FC].v, 0, INT64_MIN))
M(wrap_acc_mult, O(O_ADD).terms[0].mult = INT64_MIN)
M(wrap_acc_far, cell(O(O_CONV).M.v, 0, INT64_MIN); cell(k->weights[W_CONV].v, 0, INT64_MIN))
M(wrap_q, O(O_CONV).u.n = 15; memset(O(O_CONV).u.w, 4, 15))
M(max_below, T(P).lo = 1)
M(max_above, T(P).hi = 14)
M(max_no_limbs, O(O_POOL).w.n = 0)
M(wrap_max, O(O_POOL).w.n = 16; memset(O(O_POOL).w.w, 4, 16))
M(table_op_kind, O(O_ACT).table = 0)
M(table_op_range, T(G).hi = -1; O(O_ADD).q = (dsp_limbs){1, {4}}; O(O_ACT).table = 0)
M(table_op_index, O(O_ACT).table = 2)
M(table_op_shape, T(F).dims[0] = 1; T(F).dims[1] = 8)
M(table_op_low, T(F).lo = 1)
M(table_op_high, T(F).hi = 14)
M(order, const dsp_op o = O(O_POOL); O(O_POOL) = O(O_CONV); O(O_CONV) = o)
M(order_self, O(O_ADD).terms[1].view.x = G)
M(made_twice, O(O_FC).out = H)
M(made_never, T(Z).role = DSP_ROLE_AUX)
M(range_public, O(O_IN).x = Z)
M(range_aux, O(O_IN).x = H; const dsp_op o = O(O_IN); O(O_IN) = O(O_CONV); O(O_CONV) = o)
M(range_no_limbs, O(O_IN).w.n = 0)
M(range_other, T(X).hi = 6)

static const struct { const char *name; void (*mutate)(dsp_key *); const char *expected; } rules[] = {
    {"profile 2", m_profile_other, "profile"},
    {"profile of test builds", m_profile_test, "profile"},
    {"mode 2", m_mode, "mode 0 or 1"},
    {"one query less", m_few_queries, "queries"},
    {"k above n", m_many_queries, "queries"},
    {"two t for one length", m_two_t, "one t per code length"},
    {"C no power of two", m_c_odd, "power of two"},
    {"n no power of two", m_n_odd, "power of two"},
    {"n 2^23", m_n_large, "power of two"},
    {"J 0", m_j_zero, "budget"},
    {"J above 2^16", m_j_large, "budget"},
    {"t 0", m_t_zero, "queries t"},
    {"J of A is 2", m_a_budget, "budget of 'A'"},
    {"pad k no power of two", m_pad_k_odd, "power of two"},
    {"one pad query less", m_pad_few, "pads: "},
    {"pad t = k", m_pad_t_large, "pads: fewer queries"},
    {"pad t 0", m_pad_t_zero, "pads: queries t"},
    {"2k - 1 above n", m_pad_n_small, "pads: "},
    {"no trees", m_no_trees, "trees: 1 to 64"},
    {"edge without tree", m_only_a, "trees: entry 0 must be edge 'x'"},
    {"a tree too many", m_extra_tree, "trees: 1 edges and 'A' expected"},
    {"tree of an aux tensor", m_tree_not_edge, "trees: entry 0 must be edge 'x'"},
    {"A not last", m_a_not_last, "must be 'A'"},
    {"R above 2^16", m_rows, "rows, at most 65536"},
    {"more cells than any tree", m_tree_cells, "2^72 padded cells"},
    {"nu above 27", m_leaves, "fraction tree"},
    {"nu far above 27", m_leaves_far, "padded cells"},
    {"public cells above 2^26", m_pub_cells, "public tensors hold more"},
    {"public cells far above", m_pub_cells_far, "public tensors hold more"},
    {"dimension 0", m_dim_zero, "tensor dimension"},
    {"dimension above 2^24", m_dim_large, "tensor dimension"},
    {"role 3", m_role, "role 0, 1 or 2"},
    {"lo above hi", m_range_empty, "range is empty"},
    {"hi beyond p/2", m_range_wide, "passes p/2"},
    {"lo beyond p/2", m_range_low, "passes p/2"},
    {"tensor A", m_tensor_a, "name of the proof's own"},
    {"tensor mult.7", m_tensor_mult, "name of the proof's own"},
    {"tensor conv1.x", m_tensor_derived, "may clash"},
    {"operation conv1.u", m_op_derived, "may clash"},
    {"two tensors of one name", m_tensor_twice, "two tensors are called 'y'"},
    {"two weights of one name", m_weight_twice, "two weights are called 'w'"},
    {"two operations of one name", m_op_twice, "two operations are called 'add'"},
    {"table of 2^0 rows", m_table_zero, "2^1 to 2^16 rows"},
    {"table of 2^17 rows", m_table_large, "2^1 to 2^16 rows"},
    {"table kind 2", m_table_kind, "kind 0 or 1"},
    {"two range tables of one width", m_table_twice, "one range table per width"},
    {"pairs that are no function", m_table_relation, "is no function"},
    {"pair beyond p/2", m_table_beyond, "beyond p/2"},
    {"limb without table", m_no_width, "no range table of 5 bits"},
    {"limb of 0 bits", m_limb_zero, "a limb has 1 to 16 bits"},
    {"limb of 17 bits", m_limb_large, "a limb has 1 to 16 bits"},
    {"weight with a cell less", m_weight_short, "integers expected"},
    {"weight dimension 0", m_weight_flat, "weight dimension"},
    {"weight dimensions that overflow", m_weight_far, "integers expected"},
    {"channels not a multiple of groups", m_conv_groups, "conv shape"},
    {"conv with other outputs", m_conv_outputs, "conv shape"},
    {"outputs not a multiple of groups", m_conv_outputs_groups, "conv shape"},
    {"conv stride 0", m_conv_stride, "stride"},
    {"conv stride above 2^24", m_conv_stride_far, "stride"},
    {"conv padding above 2^24", m_conv_pad, "padding"},
    {"conv dilation 0", m_conv_dilation, "dilation"},
    {"view stride 0", m_view_stride, "stride"},
    {"view offset below -2^24", m_view_offset, "offset"},
    {"max stride 0", m_max_stride, "stride"},
    {"max offset above 2^24", m_max_offset, "offset"},
    {"M with another length", m_m_count, "requantisation"},
    {"M empty", m_m_none, "requantisation"},
    {"My with another length", m_my_count, "requantisation"},
    {"Mx with another length", m_mx_count, "requantisation"},
    {"remainder narrower than the shift", m_shift, "requantisation"},
    {"shift 255", m_shift_far, "requantisation"},
    {"q range no power of two", m_q_range, "range of q"},
    {"q limbs of a public output", m_q_public, "range of q"},
    {"table wider than q", m_q_table, "range of q"},
    {"q bounded by nothing", m_q_no_table, "no table operation reads it"},
    {"lin without terms", m_no_terms, "terms: 'fc' has none"},
    {"operation of kind 4", m_op_kind, "operation of kind 0 to 3"},
    {"term of kind 2", m_term_kind, "term of kind 0 or 1"},
    {"bias with another length", m_bias_count, "bias"},
    {"accumulator wraps by M", m_wrap_acc, "wrap: accumulator: 'conv1'"},
    {"accumulator wraps by a weight", m_wrap_acc_weight, "wrap: accumulator: 'fc'"},
    {"accumulator wraps by a multiple", m_wrap_acc_mult, "wrap: accumulator: 'add'"},
    {"accumulator passes 2^128", m_wrap_acc_far, "wrap: accumulator: 'conv1'"},
    {"quotient wraps", m_wrap_q, "wrap: q: 'conv1'"},
    {"max of inputs below its range", m_max_below, "max: 'pool1'"},
    {"max of inputs above its range", m_max_above, "max: 'pool1'"},
    {"max without limbs", m_max_no_limbs, "max: 'pool1' has no limbs"},
    {"max wraps", m_wrap_max, "wrap: max: 'pool1'"},
    {"range table for pairs", m_table_op_kind, "range of q"},
    {"range table for pairs, where q has its own", m_table_op_range, "table: 'act' needs a pairs table"},
    {"table index 2 of 2", m_table_op_index, "table below 2"},
    {"table shapes differ", m_table_op_shape, "table: 'act'"},
    {"table value below the output's range", m_table_op_low, "table range: 'act'"},
    {"table value above the output's range", m_table_op_high, "table range: 'act'"},
    {"input made later", m_order, "order of operations: 'pool1'"},
    {"input made by itself", m_order_self, "order of operations: 'add'"},
    {"tensor made twice", m_made_twice, "is made twice"},
    {"aux tensor made by nothing", m_made_never, "is made by no operation"},
    {"range of a public tensor", m_range_public, "range: 'in'"},
    {"range of an aux tensor", m_range_aux, "range: 'in'"},
    {"range without limbs", m_range_no_limbs, "range: 'in'"},
    {"range not a power of two", m_range_other, "range: 'in'"},
};

static void test_every_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        dsp_key *k = sample_key();
        dsp_err  err = {0};
        rules[i].mutate(k);
        dsp_buf          b = bytes_of(k);
        const dsp_status s = judge_bytes(b.p, b.len, &err);
        if (s == DSP_OK)
            fail_msg("%s: accepted", rules[i].name);
        if (!strstr(err.msg, rules[i].expected) || err.code != s)
            fail_msg("%s: '%s' expected, found: %s", rules[i].name, rules[i].expected, err.msg);
        assert_true(s == DSP_E_FORMAT || s == DSP_E_LIMIT || (s == DSP_E_REJECTED && strncmp(err.msg, "V1 ", 3) == 0));
        dsp_buf_release(&b);
        dsp_key_free(k);
    }
}

/* The largest multiplier under which nothing wraps is accepted, the next one refused. */
static void test_wrap_boundary(void **state)
{
    (void)state;
    dsp_key *k = sample_key();
    uint64_t acc = 0;
    for (size_t i = 0; i < 18; i++)
        acc += 8 * (uint64_t)llabs(k->weights[W_CONV].v[i]);
    acc += (uint64_t)llabs(k->weights[W_BIAS].v[0]);
    const int64_t most = (int64_t)((DSP_P / 2 - 8) / acc); /* 2 (acc M + 2^3) < p, p odd */
    for (int64_t m = most - 1; m <= most + 1; m++) {
        dsp_err err = {0};
        cell(O(O_CONV).M.v, 0, -m);
        dsp_buf b = bytes_of(k);
        assert_int_equal(judge_bytes(b.p, b.len, &err), m <= most ? DSP_OK : DSP_E_REJECTED);
        dsp_buf_release(&b);
    }
    dsp_key_free(k);
}

/* Rules that only an in-memory key can break are found by dsp_derive and dsp_key_check too. */
static void test_rules_without_bytes(void **state)
{
    (void)state;
    static const struct { void (*mutate)(dsp_key *); const char *expected; } list[] = {
        {m_dim_zero, "dimensions 1 to"}, {m_c_odd, "geometry out of bounds"}, {m_pad_t_large, "pads: geometry"},
        {m_weight_short, "its dimensions and its"}, {m_conv_dilation, "conv shape"}, {m_view_stride, "view: 'add'"},
        {m_table_large, "2^1 to 2^16 rows"}, {m_conv_groups, "conv shape"},      {m_j_zero, "trees: budget of 'x'"}, {m_mode, "mode: 0 or 1"},
        {m_weight_flat, "weight 'fc.w': dimension 0"},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        dsp_key     *k = sample_key();
        dsp_derived *D = NULL;
        dsp_err      err = {0};
        list[i].mutate(k);
        dsp_status s = dsp_derive(&D, k, &err);
        if (s == DSP_OK)
            s = dsp_key_check(D, &err);
        assert_int_not_equal(s, DSP_OK);
        if (!strstr(err.msg, list[i].expected))
            fail_msg("'%s' expected, found: %s", list[i].expected, err.msg);
        dsp_derived_free(D);
        dsp_key_free(k);
    }
}

static void test_truncated_or_longer(void **state)
{
    (void)state;
    dsp_key *k = sample_key();
    dsp_buf  b = bytes_of(k);
    for (size_t n = 0; n < b.len; n++) {
        dsp_err  err = {0};
        dsp_key *r;
        uint8_t *copy = malloc(n + 1); /* exact size: a read past the end shows in sanitizer builds */
        assert_non_null(copy);
        memcpy(copy, b.p, n);
        assert_int_equal(dsp_key_read(&r, copy, n, &err), DSP_E_FORMAT);
        assert_null(r);
        assert_non_null(strstr(err.msg, "slice key, byte"));
        free(copy);
    }
    dsp_buf_u8(&b, 0);
    dsp_err  err = {0};
    dsp_key *r;
    assert_int_equal(dsp_key_read(&r, b.p, b.len, &err), DSP_E_FORMAT);
    assert_non_null(strstr(err.msg, "1 more bytes"));
    assert_int_equal(dsp_key_read(&r, b.p, b.len, NULL), DSP_E_FORMAT);
    dsp_buf_release(&b);
    dsp_key_free(k);
}

/* Every byte set to several values: refused, or read back to the very same bytes. */
static void test_changed_bytes(void **state)
{
    (void)state;
    static const uint8_t flip[] = {0x01, 0x80, 0xff, 0x10};
    dsp_key *k = sample_key();
    dsp_buf  b = bytes_of(k);
    for (size_t i = 0; i < b.len; i++)
        for (size_t f = 0; f < sizeof flip; f++) {
            dsp_err  err = {0};
            dsp_key *r;
            b.p[i] ^= flip[f];
            if (dsp_key_read(&r, b.p, b.len, &err) == DSP_OK) {
                dsp_buf again = bytes_of(r);
                assert_int_equal(again.len, b.len);
                assert_memory_equal(again.p, b.p, b.len);
                dsp_buf_release(&again);
                dsp_key_free(r);
                (void)!judge_bytes(b.p, b.len, &err);
            }
            b.p[i] ^= flip[f];
        }
    dsp_buf_release(&b);
    dsp_key_free(k);
}

/* Where the bytes `what` begin; they occur once. */
static size_t find(const dsp_buf *b, const void *what, size_t n)
{
    size_t at = SIZE_MAX;
    for (size_t i = 0; i + n <= b->len; i++)
        if (memcmp(b->p + i, what, n) == 0) {
            assert_int_equal(at, SIZE_MAX);
            at = i;
        }
    assert_int_not_equal(at, SIZE_MAX);
    return at;
}

static void refuse(const dsp_buf *b, const char *expected)
{
    dsp_err  err = {0};
    dsp_key *r;
    assert_int_not_equal(dsp_key_read(&r, b->p, b->len, &err), DSP_OK);
    if (!strstr(err.msg, expected))
        fail_msg("'%s' expected, found: %s", expected, err.msg);
}

static void test_canonical_encodings(void **state)
{
    (void)state;
    dsp_key *k = sample_key();
    dsp_buf  good = bytes_of(k), b = {0};
    /* M of conv1, two threes: width 1 as written, then 2, 4, 8, 3 */
    static const uint8_t m[] = {1, 2, 0, 0, 0, 3, 3, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 4};
    const size_t         at = find(&good, m, sizeof m);
    for (unsigned w = 2; w <= 8; w *= 2) {
        static const uint8_t zero[8] = {0};
        dsp_buf_put(&b, good.p, at);
        dsp_buf_u8(&b, (uint8_t)w);
        dsp_buf_u32(&b, 2);
        for (int i = 0; i < 2; i++) {
            dsp_buf_u8(&b, 3);
            dsp_buf_put(&b, zero, w - 1);
        }
        dsp_buf_put(&b, good.p + at + 7, good.len - at - 7);
        refuse(&b, "integer width 1 expected");
        dsp_buf_release(&b);
    }
    dsp_buf_put(&b, good.p, good.len);
    b.p[at] = 3;
    refuse(&b, "integer width 1, 2, 4 or 8");
    b.p[at] = 1;
    b.p[at + 4] = 0x7f;
    refuse(&b, "integers declared, room for");
    b.p[at + 4] = 0;
    /* limbs of conv1's remainder: count, width */
    static const uint8_t limbs[] = {4, 1, 4, 1, 4, 2, 4, 4, 2, 4, 4};
    const size_t         l = find(&good, limbs, sizeof limbs);
    b.p[l + 1] = 17;
    refuse(&b, "at most 16 limbs");
    b.p[l + 1] = 1;
    /* names: unknown, not UTF-8, with a zero byte */
    static const uint8_t fc[] = {4, 0, 'f', 'c', '.', 'w', 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
    const size_t         f = find(&good, fc, sizeof fc);
    b.p[f + 2] = 'F';
    refuse(&b, "no weight is called 'Fc.w'");
    b.p[f + 2] = 0xff;
    refuse(&b, "not UTF-8");
    b.p[f + 2] = 0;
    refuse(&b, "not UTF-8");
    b.p[f + 2] = 'f';
    /* head */
    b.p[0] = 'd';
    refuse(&b, "'DSPK' expected");
    b.p[0] = 'D';
    b.p[4] = 2;
    refuse(&b, "version 1 expected");
    b.p[4] = 1;
    dsp_err err = {0};
    assert_int_equal(judge_bytes(b.p, b.len, &err), DSP_OK);
    dsp_buf_release(&b);
    /* counts far beyond the bytes: refused before memory is asked for */
    const size_t tensors = 4 + 4 + 4 + 2 + strlen(k->name) + 1;
    dsp_buf_put(&b, good.p, good.len);
    memset(b.p + tensors, 0xff, 4);
    refuse(&b, "tensors declared, room for");
    dsp_buf_release(&b);
    dsp_buf_release(&good);
    dsp_key_free(k);
}

static void test_empty_names_are_not_written(void **state)
{
    (void)state;
    dsp_key *k = sample_key();
    dsp_err  err = {0};
    dsp_buf  b = {0};
    T(Z).name = "";
    assert_int_equal(dsp_key_write(&b, k, &err), DSP_E_ARG);
    dsp_buf_release(&b);
    T(Z).name = "\xff";
    assert_int_equal(dsp_key_write(&b, k, &err), DSP_E_ARG);
    assert_int_equal(dsp_key_seal(k, &err), DSP_E_ARG);
    dsp_buf_release(&b);
    dsp_key_free(k);
}

/* 34 claims an operation: the limit speaks before the arrays are made. */
static void test_too_many_claims(void **state)
{
    (void)state;
    enum { N = 31000 };
    dsp_key *k = sample_key();
    dsp_err  err = {0};
    char    *names = dsp_arena_alloc(k->arena, N, 16);
    T(X).dims[0] = T(X).dims[1] = T(X).dims[2] = 1;
    dsp_tensor *t = DSP_ARENA_N(k->arena, dsp_tensor, N + 1);
    dsp_op     *o = DSP_ARENA_N(k->arena, dsp_op, N);
    t[0] = T(X);
    for (uint32_t i = 0; i < N; i++) {
        snprintf(names + 16 * i, 16, "%u", i);
        t[i + 1] = (dsp_tensor){names + 16 * i, DSP_ROLE_AUX, {1, 1, 1}, -8, 7, 0};
        o[i] = (dsp_op){.kind = DSP_OP_MAX, .name = names + 16 * i, .out = i + 1, .w = {16, {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4}}};
        o[i].a = o[i].b = (dsp_view){0, {1, 1, 1}, {0, 0, 0}};
    }
    k->tensors = t, k->n_tensors = N + 1, k->ops = o, k->n_ops = N;
    dsp_buf b = bytes_of(k);
    assert_int_equal(judge_bytes(b.p, b.len, &err), DSP_E_LIMIT);
    assert_non_null(strstr(err.msg, "more than 1048576 claims"));
    dsp_buf_release(&b);
    dsp_key_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_is_accepted),     cmocka_unit_test(test_every_rule),          cmocka_unit_test(test_wrap_boundary),
        cmocka_unit_test(test_rules_without_bytes),
        cmocka_unit_test(test_truncated_or_longer),    cmocka_unit_test(test_changed_bytes),       cmocka_unit_test(test_canonical_encodings),
        cmocka_unit_test(test_empty_names_are_not_written), cmocka_unit_test(test_too_many_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
