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
