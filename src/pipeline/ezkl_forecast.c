/* What a circuit of ezkl will cost, told from its settings.
 *
 * Cost is proportional to the rows of the padded table (2^logrows) and to its columns. Of the latter ezkl has one set for arithmetic and range
 * checks, about as many again where a circuit sorts (maxima: num_shuffles; taken to hold for dynamic lookups too), and some for every function that is
 * looked up.
 *
 * Measured with ezkl 23.0.5 on 2 cores (models/net cut in five, and iris), per padded row:
 *              logrows   setup     prove     peak memory   proving key   verification key
 *   sorting      19      252 us    326 us    21.4 kB       8.77 kB
 *   sorting      18      248 us    305 us    21.0 kB       8.77 kB       2.38 bytes
 *   plain        15      122 us    153 us    10.2 kB       4.23 kB       2.04 bytes
 *   plain, with one function looked up (a Sigmoid)
 *                17                                       4.99 kB       2.26 bytes
 * The keys of the last row are measured; times and memory are taken to grow as the proving key does.
 * The peak is that of a proof; setup takes half of it. More cores make both shorter, not smaller.
 */
#include <math.h>

#include "pipeline/compile_ezkl.h"

static const double plain[] = {122e-6, 153e-6, 10200, 4230, 2.04}, sorting[] = {252e-6, 326e-6, 21400, 8770, 2.38};
static const double per_lookup = 0.18;
enum { SETUP, PROVE, MEMORY, PK, VK };

dsp_status dsp_ezkl_forecast_make(dsp_ezkl_forecast *f, bool *lookups, const dsp_ezkl_circuit *c, const char *settings, dsp_err *err)
{
    json_t          *j;
    const dsp_status s = dsp_json_load(&j, settings, err);
    if (s != DSP_OK)
        return s;
    const size_t  functions = json_array_size(json_object_get(j, "required_lookups"));
    const double *per = dsp_json_u64(j, "num_dynamic_lookups") > 0 || dsp_json_u64(j, "num_shuffles") > 0 ? sorting : plain;
    const double  rows = ldexp(1, (int)c->logrows) * (1 + per_lookup * (double)functions);
    if (lookups)
        *lookups = functions > 0;
    *f = (dsp_ezkl_forecast){.rows = c->rows, .logrows = c->logrows, .memory_bytes = (uint64_t)(rows * per[MEMORY]), .pk_bytes = (uint64_t)(rows * per[PK]),
                             .vk_bytes = (uint64_t)(rows * per[VK]), .setup_seconds = rows * per[SETUP], .prove_seconds = rows * per[PROVE]};
    json_decref(j);
    return DSP_OK;
}

json_t *dsp_ezkl_forecast_json(const dsp_ezkl_forecast *f)
{
    json_t *o = json_object();
    dsp_json_put(o, "rows", json_integer((json_int_t)f->rows));
    dsp_json_put(o, "logrows", json_integer(f->logrows));
    dsp_json_put(o, "memory_bytes", json_integer((json_int_t)f->memory_bytes));
    dsp_json_put(o, "pk_bytes", json_integer((json_int_t)f->pk_bytes));
    dsp_json_put(o, "vk_bytes", json_integer((json_int_t)f->vk_bytes));
    dsp_json_put(o, "setup_seconds", dsp_json_time(f->setup_seconds));
    dsp_json_put(o, "prove_seconds", dsp_json_time(f->prove_seconds));
    return o;
}
