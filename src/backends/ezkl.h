/* The stages of ezkl as child processes: the command, or the Python package through ezkl_driver.py.
 *
 * Every stage writes its results under a temporary name and renames them when it has succeeded, so that a result that is there is whole, and its
 * output to <log_dir>/ezkl-<stage>.log. One fixed scale for inputs and parameters, no calibration: output scale equals input scale, and the
 * integers that one segment makes are those that the next one takes. Nothing is ever downloaded.
 */
#ifndef DSP_BACKENDS_EZKL_H
#define DSP_BACKENDS_EZKL_H

#include <stdbool.h>

#include "base/bytes.h"

enum { DSP_EZKL_MIN_MAJOR = 22, DSP_EZKL_MIN_LOGROWS = 4, DSP_EZKL_MAX_LOGROWS = 26, DSP_EZKL_MAX_TENSORS = 64 };

/* ---- finding it ---- */

typedef struct {
    const char        *command;     /* what the user named: no other is tried; NULL: none */
    const char *const *commands;    /* commands to try, NULL at the end */
    const char *const *pythons;     /* then interpreters with the package, NULL at the end */
    const char        *driver;      /* ezkl_driver.py; NULL: commands only */
    const char        *install;     /* the command that installs ezkl, for the message; NULL: none */
    const char        *log_dir;     /* existing folder */
    uint64_t           timeout_ms;  /* of every stage; 0: none */
} dsp_ezkl_places;

typedef struct dsp_ezkl dsp_ezkl;

/* The first candidate that says a version of at least DSP_EZKL_MIN_MAJOR. DSP_E_UNAVAILABLE: none, the message lists what is missing or too old
 * and how to install it. *e is the caller's. */
DSP_MUST_USE dsp_status dsp_ezkl_open(dsp_ezkl **e, const dsp_ezkl_places *places, dsp_err *err);
void        dsp_ezkl_free(dsp_ezkl *e);
const char *dsp_ezkl_version(const dsp_ezkl *e);   /* "23.0.5"; borrowed */
/* The command, or the interpreter that has the package; borrowed. */
const char *dsp_ezkl_program(const dsp_ezkl *e, bool *package);

/* ---- stages ---- */

typedef struct {
    unsigned logrows;
    uint64_t rows;                                      /* as the settings count them */
    uint32_t n_in, n_out;                               /* tensors */
    uint64_t in[DSP_EZKL_MAX_TENSORS], out[DSP_EZKL_MAX_TENSORS];   /* cells of each */
    uint64_t cells_in, cells_out;                       /* of all */
    int      scale;                                     /* of every input and output */
    char     version[32];                               /* of the ezkl that wrote the settings, as they say; empty: not said */
} dsp_ezkl_circuit;

/* Paths of one segment; a stage needs those that it names. */
typedef struct {
    const char *model, *settings, *compiled, *vk, *pk, *input, *witness, *proof, *log_dir;
    const char *srs;
    bool        srs_insecure;    /* made by dsp_ezkl_srs_make */
    bool        allow_insecure;  /* --generate-test-srs was given */
} dsp_ezkl_files;

typedef struct { uint64_t ns, peak_bytes; } dsp_ezkl_use;

/* Common failures: DSP_E_MISSING (a file that it reads is not there), DSP_E_UNAVAILABLE (no SRS; an insecure one that was not allowed; ezkl cannot be
 * started), DSP_E_IO (ended by a signal or at the time limit), DSP_E_UNSUPPORTED (ezkl refused: the message holds the end of its log).
 * use may be NULL. */

/* model -> settings at this scale, with the fewest rows that hold the circuit. DSP_E_UNSUPPORTED also where a scale differs from the one asked for. */
DSP_MUST_USE dsp_status dsp_ezkl_settings(dsp_ezkl_circuit *c, const dsp_ezkl *e, const dsp_ezkl_files *f, int scale, dsp_ezkl_use *use, dsp_err *err);
/* model, settings -> compiled */
DSP_MUST_USE dsp_status dsp_ezkl_compile(const dsp_ezkl *e, const dsp_ezkl_files *f, dsp_ezkl_use *use, dsp_err *err);
/* compiled, srs -> vk, pk */
DSP_MUST_USE dsp_status dsp_ezkl_setup(const dsp_ezkl *e, const dsp_ezkl_files *f, dsp_ezkl_use *use, dsp_err *err);
/* input, compiled -> witness */
DSP_MUST_USE dsp_status dsp_ezkl_witness(const dsp_ezkl *e, const dsp_ezkl_files *f, dsp_ezkl_use *use, dsp_err *err);
/* witness, compiled, pk, srs -> proof */
DSP_MUST_USE dsp_status dsp_ezkl_prove(const dsp_ezkl *e, const dsp_ezkl_files *f, dsp_ezkl_use *use, dsp_err *err);
/* proof, settings, vk, srs. DSP_OK: ezkl accepts the proof; DSP_E_REJECTED: it does not, or the proof is no proof at all. What it is about is the
 * question of dsp_ezkl_proof_read. */
DSP_MUST_USE dsp_status dsp_ezkl_verify(const dsp_ezkl *e, const dsp_ezkl_files *f, dsp_ezkl_use *use, dsp_err *err);

/* ---- SRS ---- */

uint64_t dsp_ezkl_srs_bytes(unsigned logrows);
/* kzg<logrows>.srs of the right size in the first of these folders (NULL at the end). *path is the caller's; DSP_E_UNAVAILABLE names the command that
 * fetches it for this version. */
DSP_MUST_USE dsp_status dsp_ezkl_srs_find(char **path, const dsp_ezkl *e, const char *const *dirs, unsigned logrows, dsp_err *err);
/* The one that dsp_ezkl_srs_make has left there; DSP_E_UNAVAILABLE: none. *path is the caller's. */
DSP_MUST_USE dsp_status dsp_ezkl_srs_own(char **path, const char *dir, unsigned logrows, dsp_err *err);
/* dir/insecure-kzg<logrows>.srs: whoever made it can forge proofs. Made once and kept. */
DSP_MUST_USE dsp_status dsp_ezkl_srs_make(char **path, const dsp_ezkl *e, const char *dir, unsigned logrows, dsp_ezkl_use *use, dsp_err *err);

/* ---- files (ezkl_files.c) ---- */

/* What settings say; *span: values in the widest range check or lookup (may be NULL). DSP_E_FORMAT, also where inputs or outputs are not public or
 * parameters not fixed; DSP_E_UNSUPPORTED: an input or output has another scale. */
DSP_MUST_USE dsp_status dsp_ezkl_settings_read(dsp_ezkl_circuit *c, const char *path, int scale, uint64_t *span, dsp_err *err);
/* Rewrites settings that ezkl has just written in their one spelling. ezkl lists what is a set (range checks, lookups) in an order that changes from run to
 * run, and its keys depend on that order: here it is sorted, so that one model gives one key. */
DSP_MUST_USE dsp_status dsp_ezkl_settings_settle(const char *path, dsp_err *err);
/* dsp_ezkl_settings_read over bytes that anyone may have written. again: gets the settings in their one spelling, without the time at which they were written; the
 * gates that a verifier checks are made from settings, so they are part of what identifies a circuit. May be NULL. */
DSP_MUST_USE dsp_status dsp_ezkl_settings_parse(dsp_ezkl_circuit *c, dsp_buf *again, const uint8_t *p, size_t len, const char *what, int scale, dsp_err *err);
/* input_data of field elements, one list per tensor of the circuit. cells: c->cells_in of them. */
DSP_MUST_USE dsp_status dsp_ezkl_input_write(const char *path, const dsp_ezkl_circuit *c, const int64_t *cells, dsp_err *err);
/* Public integers of a witness or a proof: c->cells_in and c->cells_out entries of the caller. Field elements beyond 63 bits and a sign are refused, so
 * are those that are not reduced. witness: DSP_E_FORMAT; proof: DSP_E_REJECTED, also where hex_proof and proof differ. */
DSP_MUST_USE dsp_status dsp_ezkl_witness_read(int64_t *in, int64_t *out, const char *path, const dsp_ezkl_circuit *c, dsp_err *err);
DSP_MUST_USE dsp_status dsp_ezkl_proof_read(int64_t *in, int64_t *out, const char *path, const dsp_ezkl_circuit *c, dsp_err *err);
/* The same over bytes. again: gets the proof as it was understood here, for ezkl to verify, so that two readers of JSON cannot see two proofs in one
 * file. May be NULL. */
DSP_MUST_USE dsp_status dsp_ezkl_proof_parse(int64_t *in, int64_t *out, dsp_buf *again, const uint8_t *p, size_t len, const char *what, const dsp_ezkl_circuit *c,
                                             dsp_err *err);
/* 64 hexadecimal digits, little-endian, of the BN254 scalar field. */
void dsp_ezkl_felt(char out[65], int64_t v);
bool dsp_ezkl_felt_read(int64_t *v, const char *text);

#endif
