/* A hash table of borrowed names. */
#include <string.h>

#include "onnx/internal.h"

static uint64_t hash(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

bool dsp_names_init(dsp_names *m, dsp_arena *a, size_t n)
{
    uint32_t cap = 16;
    if (n > UINT32_MAX / 4)
        return false;
    while (cap < 2 * n)
        cap *= 2;
    m->key = DSP_ARENA_N(a, const char *, cap);
    m->val = DSP_ARENA_N(a, uint32_t, cap);
    m->cap = cap;
    m->n = 0;
    return m->key && m->val;
}

static uint32_t slot(const dsp_names *m, const char *key)
{
    uint32_t i = (uint32_t)hash(key) & (m->cap - 1);
    while (m->key[i] && strcmp(m->key[i], key) != 0)
        i = (i + 1) & (m->cap - 1);
    return i;
}

bool dsp_names_add(dsp_names *m, const char *key, uint32_t val)
{
    const uint32_t i = slot(m, key);
    if (m->key[i] || m->n >= m->cap - 1)
        return false;
    m->key[i] = key;
    m->val[i] = val;
    m->n++;
    return true;
}

uint32_t dsp_names_get(const dsp_names *m, const char *key)
{
    const uint32_t i = slot(m, key);
    return m->key[i] ? m->val[i] : DSP_NONE;
}
