/* What a slice will cost: sizes from its derivation, times and memory from unit costs.
 *
 * Bytes are exact but for the siblings, whose mean is taken (observed within 1 %). Times are those of one thread with the AVX2 kernels on
 * AMD EPYC (family 25 model 1), fitted to the five slices of models/net, 37 to 1.4 ms each; trust them to a factor of 1.5. Memory is the
 * prover's: committed rows, the fraction tree and the pad tree.
 */
#include "base/size.h"
#include "lower/cost.h"
#include "lower/lower.h"

/* Tenths of ns with AVX2: of transforms and hashing against cost.h, per leaf of the fraction tree, per committed cell in the opening, per
 * cell of a product or zero-check; the verifier against the unit costs in cost.h. */
enum { COMMIT_PERCENT = 230, LOOKUP = 1200, OPEN = 1000, ZERO = 2000, MESSAGE = 2500, VERIFY_PERCENT = 270 };

static uint64_t weight_count(const dsp_key *key)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < key->n_weights; i++)
        n += key->weights[i].count;
    return n;
}

/* Cells of a tensor times kernel rows, over all convolutions: work of putting their functionals on the stack. */
static uint64_t conv_cells(const dsp_key *key)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < key->n_ops; i++)
        for (uint32_t j = 0; key->ops[i].kind == DSP_OP_LIN && j < key->ops[i].n_terms; j++) {
            const dsp_term *t = &key->ops[i].terms[j];
            if (t->kind == DSP_TERM_CONV)
                n += dsp_cells(key->tensors[t->view.x].dims) * (key->weights[t->weight].dims[2] / t->stride[0] + 1);
        }
    return n;
}

void dsp_cost_predict(dsp_cost *c, const dsp_derived *D)
{
    const dsp_key *key = D->key;
    const unsigned lp = dsp_lg(key->pad_n);
    const uint64_t pad_column = 16 + 16 * (uint64_t)D->pad_rows, weights = weight_count(key);
    uint64_t       leaves = 0, zero = 0, pub = 0, tables = 0;
    uint64_t       prove = 0, verify = 0, bytes = 0, memory = 0;

    *c = (dsp_cost){0};
    for (uint32_t i = 0; i < D->n_tensors; i++) {
        if (D->tensor_tree[i] != DSP_NONE)
            c->cells += (uint64_t)1 << D->tensor_bits[i];
        else if (i < key->n_tensors)
            pub += dsp_cells(key->tensors[i].dims);
    }
    for (uint32_t i = 0; i < D->n_segs; i++)
        c->lookups += (uint64_t)1 << D->segs[i].log2;
    for (uint32_t i = 0; i < D->n_used; i++)
        tables += (uint64_t)1 << D->used[i].log2;
    leaves = c->lookups + tables;
    for (uint32_t i = 0; i < D->n_members; i++)
        zero += (uint64_t)1 << D->members[i].n_vars;

    /* Trees and their masks: encoding, hashing; the verifier's columns, paths and row combinations. */
    for (uint32_t i = 0; i < D->n_trees; i++) {
        const dsp_tree_info *T = &D->trees[i];
        const unsigned       l = dsp_lg(T->n);
        c->rows += T->R;
        bytes += 32 * dsp_expected_siblings(l, T->t);
        prove += T->width * dsp_cost_ntt(l) + dsp_cost_tree(l, 16 + 8 * (uint64_t)T->width) + 2 * dsp_cost_ntt(l);
        verify += 2 * dsp_cost_ntt(l) + T->t * ((uint64_t)DSP_COST_LEAF + l * DSP_COST_NODE + T->width * 32);
        memory += 8 * (uint64_t)T->width * T->n + 64 * (uint64_t)T->n;
    }
    for (uint32_t i = 0; i < D->n_lengths; i++) {
        const dsp_length *L = &D->lengths[i];
        const unsigned    l = dsp_lg(L->n);
        const uint64_t    width = 4 * (uint64_t)L->n_trees;
        if (!L->is_mask)
            continue;
        c->rows += width;
        bytes += 32 * dsp_expected_siblings(l, L->t);
        prove += width * dsp_cost_ntt(l) + dsp_cost_tree(l, 16 + 8 * width);
        verify += L->t * ((uint64_t)DSP_COST_LEAF + l * DSP_COST_NODE + width * 32);
        memory += (8 * width + 64) * L->n;
    }
    /* Pads. */
    c->rows += D->pad_rows;
    bytes += 32 * dsp_expected_siblings(lp, key->pad_t);
    prove += 2 * (uint64_t)D->pad_rows * dsp_cost_ntt(lp) + dsp_cost_tree(lp, pad_column) + 12 * (uint64_t)D->pad_rows * dsp_cost_ntt(dsp_lg(key->pad_k) + 1);
    verify += 2 * ((uint64_t)D->pad_rows + 3) * dsp_cost_ntt(lp) + key->pad_t * (DSP_COST_LEAF + lp * DSP_COST_NODE + (uint64_t)D->pad_rows * 3 * DSP_COST_KMUL);
    memory += 32 * (uint64_t)D->pad_rows * key->pad_n;

    /* Lookups, zero-checks, functionals, opening, messages. */
    prove = prove * COMMIT_PERCENT / 100 + leaves * LOOKUP + zero * ZERO + conv_cells(key) * 4 * DSP_COST_KMUL + c->cells * OPEN + weights * 10;
    prove += (uint64_t)D->npad * MESSAGE;
    verify += (uint64_t)D->npad * (DSP_COST_MESSAGE + 10 * DSP_COST_KMUL) + D->n_expect * 100ull * DSP_COST_KMUL;
    verify += weights * 3 + (pub + tables) * 2 * DSP_COST_KMUL;
    memory += 40 * c->cells + 48 * leaves + 8 * weights;

    c->proof_bytes = D->fixed_bytes + bytes;
    c->prove_ns = prove / 10;
    c->verify_ns = verify / 1000 * VERIFY_PERCENT;
    c->peak_bytes = memory;
}
