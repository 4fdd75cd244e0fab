/* Pieces shared by the readers and writers of keys and statements: integer lists of minimal width, names, sorted name
 * tables. */
#ifndef DSP_CIRCUIT_CODEC_H
#define DSP_CIRCUIT_CODEC_H

#include "base/bytes.h"
#include "base/mem.h"
#include "circuit/key.h"

enum { DSP_MAX_AXIS = 1 << 24, DSP_MAX_CODE = 1 << 22, DSP_MAX_J = 1 << 16, DSP_MAX_ROWS = 1 << 16, DSP_MAX_TREES = 64,
       DSP_MAX_CLAIMS = 1 << 20, DSP_MAX_PUB_CELLS = 1 << 26, DSP_MAX_NU = 27, DSP_MAX_TABLE_BITS = 16 };

/* u8 width (the smallest of 1, 2, 4, 8 that holds all), u32 count, two's complement. */
void dsp_ints_write(dsp_buf *out, const int64_t *v, size_t n);
/* Values in the arena; NULL and a bad cursor when the width is not minimal, bytes or memory are short. */
const int64_t *dsp_ints_read(dsp_rd *rd, dsp_arena *a, uint32_t *n, const char *what);
/* The same without memory: the bytes inside the input, count and width. NULL and a bad cursor as above. */
const uint8_t *dsp_ints_take(dsp_rd *rd, uint32_t *n, uint8_t *width, const char *what);
/* n integers of w bytes at p. */
void dsp_ints_unpack(int64_t *v, const uint8_t *p, size_t n, unsigned w);
static inline int64_t dsp_int_at(const uint8_t *p, unsigned w, size_t i)
{
    uint64_t v = 0;
    for (unsigned b = 0; b < w; b++)
        v |= (uint64_t)p[w * i + b] << 8 * b;
    return w < 8 && v >> (8 * w - 1) ? (int64_t)(v | ~(uint64_t)0 << 8 * w) : (int64_t)v;
}
/* A non-empty name, copied into the arena and terminated; NULL and a bad cursor otherwise. */
const char *dsp_name_read(dsp_rd *rd, dsp_arena *a, const char *what);
/* Appends a name; false when it is empty, longer than 65535 bytes or not UTF-8. */
bool dsp_name_write(dsp_buf *out, const char *s);

/* A table of names, sorted by bytes, for lookups and duplicates. */
typedef struct { const char *s; uint32_t i; } dsp_name;
void     dsp_names_sort(dsp_name *v, size_t n);
/* A name that occurs twice, or NULL. */
const char *dsp_names_twice(const dsp_name *v, size_t n);
/* Index of the name of len bytes at s, DSP_NONE when it is not there. */
uint32_t dsp_names_find(const dsp_name *v, size_t n, const char *s, size_t len);
/* Place of the first name that is not below the len bytes at s. */
size_t   dsp_names_lower(const dsp_name *v, size_t n, const char *s, size_t len);

#endif
