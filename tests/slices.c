#include "slices.h"

#include "vectors/vec_key.h"

static void ok(dsp_status st, const dsp_err *err)
{
    if (st != DSP_OK)
        fail_msg("%s: %s", dsp_status_name(st), err->msg);
}

void slices_rekey(slices *s)
{
    dsp_err            err;
    const dsp_derived *D[SLICES_MAX];
    for (uint32_t i = 0; i < s->n; i++) {
        dsp_derived_free(s->D[i]);
        ok(dsp_key_seal(s->key[i], &err), &err);
        ok(dsp_derive(&s->D[i], s->key[i], &err), &err);
        D[i] = s->D[i];
    }
    ok(dsp_run_key_digest(&s->run_key, D, s->n, &err), &err);
}

static void start(slices *s)
{
    memset(s, 0, sizeof *s);
    for (uint8_t i = 0; i < 32; i++) {
        s->secret[i] = i;
        s->nonce[i] = (uint8_t)(32 + i);
    }
}

void slices_one(slices *s, dsp_key *key)
{
    start(s);
    s->n = 1;
    s->key[0] = key;
    slices_rekey(s);
}

void slices_load(slices *s, const json_t *vec, const char *title)
{
    const json_t *all = vec_get(vec, "proofs"), *p = NULL;
    start(s);
    for (size_t i = 0; i < json_array_size(all); i++)
        if (strcmp(vec_str(vec_get(vec_at(all, i), "title")), title) == 0)
            p = vec_at(all, i);
    if (!p)
        fail_msg("no example '%s'", title);
    const json_t *list = vec_get(p, "slices"), *values = vec_get(p, "values");
    s->n = (uint32_t)json_array_size(list);
    for (uint32_t i = 0; i < s->n; i++)
        s->key[i] = vec_key(vec_get(vec_at(list, i), "key"));
    slices_rekey(s);
    const char *name;
    json_t     *v;
    json_object_foreach((json_t *)(uintptr_t)values, name, v)
    {
        bool made = false;
        for (uint32_t i = 0; i < s->n; i++)
            for (uint32_t o = 0; o < s->key[i]->n_ops; o++)
                if (s->key[i]->ops[o].out != DSP_NONE && strcmp(s->key[i]->tensors[s->key[i]->ops[o].out].name, name) == 0)
                    made = true;
        if (made)
            continue;
        int64_t *cells = calloc(json_array_size(v), sizeof *cells);
        for (size_t k = 0; k < json_array_size(v); k++)
            cells[k] = vec_int(vec_at(v, k));
        slices_set(s, name, cells, json_array_size(v));
        free(cells);
    }
}

static void drop_run(slices *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        dsp_witness_free(s->w[i]);
        s->w[i] = NULL;
    }
    for (uint32_t i = 0; i < s->n_values; i++) {
        dsp_edge_free(s->value[i].edge);
        s->value[i].edge = NULL;
    }
}

void slices_free(slices *s)
{
    drop_run(s);
    for (uint32_t i = 0; i < s->n_values; i++)
        free(s->value[i].v);
    for (uint32_t i = 0; i < s->n; i++) {
        dsp_derived_free(s->D[i]);
        dsp_key_free(s->key[i]);
    }
    memset(s, 0, sizeof *s);
}

static slices_value *find(slices *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_values; i++)
        if (strcmp(s->value[i].name, name) == 0)
            return &s->value[i];
    return NULL;
}

slices_value *slices_get(slices *s, const char *name)
{
    slices_value *v = find(s, name);
    if (!v)
        fail_msg("no value '%s'", name);
    return v;
}

static slices_value *store(slices *s, const char *name, const int64_t *v, uint64_t n)
{
    slices_value *x = find(s, name);
    if (!x) {
        assert_true(s->n_values < SLICES_VALUES && strlen(name) < sizeof x->name);
        x = &s->value[s->n_values++];
        memset(x, 0, sizeof *x);
        strcpy(x->name, name);
    }
    int64_t *copy = calloc(n, sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, v, n * sizeof *copy);
    free(x->v);
    x->v = copy;
    x->n = n;
    return x;
}

void slices_set(slices *s, const char *name, const int64_t *v, uint64_t n) { store(s, name, v, n)->given = true; }

uint32_t slices_tensor(const slices *s, uint32_t i, const char *name)
{
    for (uint32_t t = 0; t < s->key[i]->n_tensors; t++)
        if (strcmp(s->key[i]->tensors[t].name, name) == 0)
            return t;
    fail_msg("no tensor '%s'", name);
    return 0;
}

uint32_t slices_op(const slices *s, uint32_t i, const char *name)
{
    for (uint32_t o = 0; o < s->key[i]->n_ops; o++)
        if (strcmp(s->key[i]->ops[o].name, name) == 0)
            return o;
    fail_msg("no op '%s'", name);
    return 0;
}

static void execute(slices *s, uint32_t i, const dsp_tamper *tamper, const char *name, const int64_t *cells)
{
    const dsp_key *key = s->key[i];
    const int64_t *in[SLICES_TENSORS] = {NULL};
    dsp_err        err;
    assert_true(key->n_tensors <= SLICES_TENSORS);
    for (uint32_t t = 0; t < key->n_tensors; t++) {
        const slices_value *v = find(s, key->tensors[t].name);
        bool                made = false;
        for (uint32_t o = 0; o < key->n_ops; o++)
            made |= key->ops[o].out == t;
        if (v && (!made || v->given))
            in[t] = v->v;
        if (name && strcmp(name, key->tensors[t].name) == 0)
            in[t] = cells;
    }
    dsp_witness_free(s->w[i]);
    s->w[i] = NULL;
    if (tamper)
        ok(dsp_execute_tampered(&s->w[i], s->D[i], in, tamper, &err), &err);
    else
        ok(dsp_execute(&s->w[i], s->D[i], in, true, NULL, &err), &err);
    ok(dsp_witness_count(s->w[i], &err), &err);
}

void slices_reexecute(slices *s, uint32_t i, const dsp_tamper *tamper, const char *name, const int64_t *cells)
{
    execute(s, i, tamper, name, cells);
}

void slices_run(slices *s, const dsp_tamper *const *tamper)
{
    static const dsp_tamper plain; /* no lie, and no check of what the slices before hand over */
    dsp_err                 err;
    drop_run(s);
    for (uint32_t i = 0; i < s->n; i++) {
        const dsp_key *key = s->key[i];
        execute(s, i, tamper ? tamper[i] ? tamper[i] : &plain : NULL, NULL, NULL);
        for (uint32_t t = 0; t < key->n_tensors; t++)
            if (key->tensors[t].role != DSP_ROLE_AUX) {
                const slices_value *v = find(s, key->tensors[t].name);
                if (!v || !v->given)
                    store(s, key->tensors[t].name, s->w[i]->cells[t], dsp_cells(key->tensors[t].dims));
            }
    }
    for (uint32_t i = 0; i < s->n; i++) {
        const dsp_key *key = s->key[i];
        for (uint32_t t = 0; t + 1 < s->D[i]->n_trees; t++) {
            slices_value *v = slices_get(s, key->tensors[s->D[i]->trees[t].edge].name);
            if (!v->edge)
                ok(dsp_edge_commit(&v->edge, s->D[i], t, v->v, &s->run_key, s->secret, NULL, &err), &err);
            s->edge[i][t] = v->edge;
            s->root[i][t] = v->edge->root;
        }
        for (uint32_t t = 0; t < key->n_tensors; t++)
            s->pub[i][t] = key->tensors[t].role == DSP_ROLE_PUB ? slices_get(s, key->tensors[t].name)->v : NULL;
        s->st[i] = (dsp_slice_statement){.tile = 0, .run_key = s->run_key, .pub = s->pub[i], .root = s->root[i]};
        memcpy(s->st[i].nonce, s->nonce, 32);
    }
}

dsp_status slices_prove_raw(slices *s, uint32_t i, const dsp_cheat *cheat, const dsp_prove_rules *rules, dsp_prove_watch *watch,
                            dsp_pool *pool, dsp_buf *proof, dsp_err *err)
{
    const dsp_prove_args a = {.D = s->D[i], .st = &s->st[i], .edges = s->edge[i], .witness = s->w[i], .secret = s->secret,
                              .pool = pool, .cheat = cheat, .rules = rules, .watch = watch};
    return dsp_prove_slice(proof, &a, err);
}

dsp_buf slices_prove(slices *s, uint32_t i, const dsp_cheat *cheat, const dsp_prove_rules *rules, dsp_prove_watch *watch)
{
    dsp_err err;
    dsp_buf b = {0};
    ok(slices_prove_raw(s, i, cheat, rules, watch, NULL, &b, &err), &err);
    return b;
}

unsigned slices_verify(slices *s, uint32_t i, const uint8_t *proof, size_t len, uint64_t skip, const dsp_verify_hooks *hooks,
                       dsp_err *err)
{
    unsigned   check = 0;
    dsp_err    own;
    dsp_status st = DSP_OK;
    if (!err)
        err = &own;
    if (!(skip >> DSP_V1 & 1)) {
        st = dsp_key_check(s->D[i], err);
        if (st != DSP_OK)
            check = DSP_V1;
    }
    if (st == DSP_OK)
        st = dsp_verify_slice_hooked(s->D[i], &s->st[i], proof, len, skip, hooks, &check, err);
    if (st != DSP_OK && st != DSP_E_REJECTED)
        ok(st, err);
    if (st == DSP_OK)
        return 0;
    char text[8];
    snprintf(text, sizeof text, "V%u", check);
    if (strncmp(err->msg, text, strlen(text)) != 0 || (err->msg[strlen(text)] >= '0' && err->msg[strlen(text)] <= '9'))
        fail_msg("check %u spoke, the message is '%s'", check, err->msg);
    return check;
}
