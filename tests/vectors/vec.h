/* Reading tests/vectors/slice_proof.json. Every helper fails the running test when the file does not hold what it asks. */
#ifndef DSP_TESTS_VEC_H
#define DSP_TESTS_VEC_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/bytes.h"
#include "field/fe.h"
#include "hash/hash.h"

/* The whole file; the caller's (json_decref). */
static inline json_t *vec_load(void)
{
    json_error_t e;
    json_t      *j = json_load_file(DSP_SOURCE_DIR "/tests/vectors/slice_proof.json", JSON_REJECT_DUPLICATES, &e);
    if (!j)
        fail_msg("slice_proof.json, line %d: %s", e.line, e.text);
    return j;
}

/* Member `key` of an object, or element `i` of an array; borrowed. */
static inline const json_t *vec_get(const json_t *o, const char *key)
{
    const json_t *j = json_object_get(o, key);
    if (!j)
        fail_msg("no member '%s'", key);
    return j;
}
static inline const json_t *vec_at(const json_t *a, size_t i)
{
    const json_t *j = json_array_get(a, i);
    if (!j)
        fail_msg("no element %zu", i);
    return j;
}
static inline int64_t vec_int(const json_t *j)
{
    if (!json_is_integer(j))
        fail_msg("integer expected");
    return json_integer_value(j);
}
static inline const char *vec_str(const json_t *j)
{
    const char *s = json_string_value(j);
    if (!s)
        fail_msg("string expected");
    return s;
}

/* Bytes of a hex string; the caller's (free). *n their number. */
static inline uint8_t *vec_hex(const json_t *j, size_t *n)
{
    const char *s = vec_str(j);
    *n = strlen(s) / 2;
    uint8_t *b = malloc(*n + 1);
    assert_non_null(b);
    if (strlen(s) % 2)
        fail_msg("odd number of hex digits");
    for (size_t i = 0; i < *n; i++) {
        char  two[3] = {s[2 * i], s[2 * i + 1], 0}, *end;
        b[i] = (uint8_t)strtoul(two, &end, 16);
        if (*end)
            fail_msg("hex digits expected, '%s' found", two);
    }
    return b;
}

/* Compares with bytes / field elements given as hex. */
static inline void vec_expect(const json_t *j, const void *p, size_t n)
{
    size_t   m;
    uint8_t *b = vec_hex(j, &m);
    assert_int_equal(m, n);
    assert_memory_equal(b, p, n);
    free(b);
}
static inline void vec_expect_fe(const json_t *j, const dsp_fe *v, size_t n)
{
    uint8_t *b = malloc(8 * n + 1);
    assert_non_null(b);
    for (size_t i = 0; i < n; i++)
        dsp_fe_write(b + 8 * i, v[i]);
    vec_expect(j, b, 8 * n);
    free(b);
}
static inline void vec_expect_ke(const json_t *j, dsp_ke v)
{
    uint8_t b[16];
    dsp_ke_write(b, v);
    vec_expect(j, b, sizeof b);
}
/* An array of elements of K, one string each. */
static inline void vec_expect_kes(const json_t *a, const dsp_ke *v, size_t n)
{
    assert_int_equal(json_array_size(a), n);
    for (size_t i = 0; i < n; i++)
        vec_expect_ke(vec_at(a, i), v[i]);
}
static inline void vec_expect_digest(const json_t *j, const dsp_digest *d) { vec_expect(j, d->b, sizeof d->b); }
static inline dsp_ke vec_ke(const json_t *j)
{
    dsp_ke   r = {{0}, {0}};
    size_t   n;
    uint8_t *b = vec_hex(j, &n);
    if (n != 16 || !dsp_ke_read(&r, b))
        fail_msg("an element of K expected");
    free(b);
    return r;
}
static inline dsp_digest vec_digest(const json_t *j)
{
    dsp_digest d;
    memset(&d, 0, sizeof d);
    if (!dsp_digest_unhex(&d, vec_str(j)))
        fail_msg("a digest expected");
    return d;
}

#endif
