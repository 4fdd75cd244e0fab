/* What a run keeps of a finished segment (outputs.bin), put back into the store of a model with one compiled and one uncompiled segment. First byte: bit 0
 * picks the segment (1: uncompiled), bit 1 puts in what is expected of nonce, input, key and the tensors that were read, bit 2 corrects the digest at
 * the end. */
#include "fuzz/fuzz.h"

#include <stdio.h>

#include "base/mem.h"
#include "onnx/ort.h"
#include "pipeline/checkpoint.h"

const bool fuzz_by_path = true;

enum { IN, COMPILED, FREE, N_VALUES, CELLS = 4, HEAD = 52, EXPECTED = 4 * 32 + 1 }; /* a container with two chunks: the first begins at HEAD */

typedef struct {
    dsp_value      value[N_VALUES];
    dsp_graph      g;
    dsp_slices     slices;
    dsp_digest     segment_digest[2];
    dsp_io         io[2];
    dsp_slice      slice;
    uint32_t       io_value[2], in, out;
    dsp_model      m;
    dsp_seg        seg[2];
    dsp_val        v[N_VALUES];
    dsp_store      st;
    dsp_checkpoint c;
} setup;

/* A run in which the input is known and nothing was made. */
static void start(setup *s)
{
    static const uint8_t nonce[32] = "nonce of a run";
    memset(s, 0, sizeof *s);
    for (uint32_t i = 0; i < N_VALUES; i++)
        s->value[i].name = i == IN ? "x" : i == COMPILED ? "h" : "y";
    s->g = (dsp_graph){.n_values = N_VALUES, .values = s->value};
    s->slices.segment_digest = s->segment_digest;
    s->io[0] = (dsp_io){.name = "x", .pub = true, .dims = {1, 1, CELLS}, .lo = -8, .hi = 7, .count = CELLS};
    s->io[1] = (dsp_io){.name = "h", .made = true, .dims = {1, 1, CELLS}, .lo = -8, .hi = 7, .count = CELLS};
    s->slice = (dsp_slice){.n_io = 2, .io = s->io};
    s->io_value[1] = COMPILED;
    s->in = IN;
    s->out = FREE;
    s->m = (dsp_model){.g = &s->g, .slices = &s->slices, .n = 2, .segs = s->seg};
    s->seg[0] = (dsp_seg){.index = 0, .slice = &s->slice, .io_value = s->io_value};
    s->seg[1] = (dsp_seg){.index = 1, .n_in = 1, .n_out = 1, .in = &s->in, .out = &s->out};
    s->st = (dsp_store){s->v, N_VALUES};
    s->c = (dsp_checkpoint){.dir = fuzz_dir(), .nonce = nonce};
    memset(s->c.input.b, 'i', sizeof s->c.input.b);
    memset(s->slice.digest.b, 'k', sizeof s->slice.digest.b);
    memset(s->segment_digest[1].b, 'o', sizeof s->segment_digest[1].b);
    s->v[IN].io = &s->io[0];
    s->v[IN].cells = DSP_NEW_N(int64_t, CELLS);
    s->v[IN].f = (dsp_array){.dtype = DSP_DT_FLOAT, .rank = 1, .dims = {CELLS}, .count = CELLS, .bytes = 4 * CELLS, .data = DSP_NEW_N(float, CELLS)};
    s->v[IN].owned = true;
    FUZZ_CHECK(s->v[IN].cells && s->v[IN].f.data);
}

static void end(setup *s)
{
    for (uint32_t i = 0; i < N_VALUES; i++) {
        dsp_free(s->v[i].cells);
        if (s->v[i].owned)
            dsp_array_release(&s->v[i].f);
    }
}

/* What a good file of each segment says first, from files as the program writes them. */
static const uint8_t *expected(uint32_t segment)
{
    static uint8_t head[2][EXPECTED];
    static bool    ready;
    for (uint32_t i = 0; i < 2 && !ready; i++) {
        setup   s;
        dsp_err err = {DSP_OK, ""};
        char    path[512];
        start(&s);
        s.v[COMPILED].io = &s.io[1];
        FUZZ_CHECK((s.v[COMPILED].cells = DSP_NEW_N(int64_t, CELLS)));
        s.v[FREE].f = (dsp_array){.dtype = DSP_DT_FLOAT, .rank = 0, .count = 1, .bytes = 4, .data = DSP_NEW_N(float, 1)};
        s.v[FREE].owned = true;
        FUZZ_CHECK(dsp_checkpoint_write(&s.c, &s.m, &s.seg[i], &s.st, &err) == DSP_OK);
        snprintf(path, sizeof path, "%s/segment_%u/outputs.bin", fuzz_dir(), i);
        FILE *f = fopen(path, "rb");
        FUZZ_CHECK(f && fseek(f, HEAD, SEEK_SET) == 0 && fread(head[i], 1, EXPECTED, f) == EXPECTED);
        fclose(f);
        end(&s);
    }
    ready = true;
    return head[segment];
}

dsp_status fuzz_one(const uint8_t *p, size_t n, dsp_err *err)
{
    const unsigned flags = n ? p[0] : 0, k = flags & 1;
    const size_t   len = n - (n > 0);
    const uint8_t *want = expected(k);
    uint8_t       *own = malloc(len + 1), *sealed = NULL;
    setup          s;
    bool           done = true;
    FUZZ_CHECK(own);
    if (len)
        memcpy(own, p + 1, len);
    if (flags & 2 && len >= HEAD + EXPECTED + 32)
        memcpy(own + HEAD, want, EXPECTED);
    if (flags & 4 && len >= 32) {
        sealed = fuzz_seal(own, len);
        free(own);
        own = sealed;
    }
    fuzz_file(k ? "segment_1/outputs.bin" : "segment_0/outputs.bin", own, len);
    start(&s);
    const dsp_status r = dsp_checkpoint_restore(&done, &s.c, &s.m, &s.seg[k], &s.st, err);
    FUZZ_CHECK(r == DSP_OK || !done);
    if (done) { /* everything is there, and is written as it was read */
        const dsp_val *v = &s.v[k ? FREE : COMPILED];
        dsp_err        other = {DSP_OK, ""};
        FUZZ_CHECK(k ? v->f.data != NULL : v->cells != NULL);
        FUZZ_CHECK(memcmp(own + HEAD, want, EXPECTED) == 0);
        FUZZ_CHECK(dsp_checkpoint_write(&s.c, &s.m, &s.seg[k], &s.st, &other) == DSP_OK);
    }
    end(&s);
    free(own);
    return done ? DSP_OK : r != DSP_OK ? r : dsp_fail(err, DSP_E_FORMAT, "not a checkpoint of this run");
}
