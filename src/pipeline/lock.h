/* One writer per folder. A lock is the file .dsperse.lock of the folder, held with flock(): it ends with the process that took it, however
 * that ends. The file says who holds it, and is removed when the lock is given back; one that is found without a holder was left by a
 * process that was killed.
 */
#ifndef DSP_PIPELINE_LOCK_H
#define DSP_PIPELINE_LOCK_H

#include <stdbool.h>

#include "dsperse/status.h"

#define DSP_LOCK_FILE ".dsperse.lock"

typedef enum {
    DSP_LOCK_WRITE,   /* alone; fails at once when someone else is there */
    DSP_LOCK_WAIT,    /* alone; waits, for work of moments */
    DSP_LOCK_READ,    /* beside others of this kind and the next; fails at once when someone is there alone */
    DSP_LOCK_JOIN     /* the same; waits */
} dsp_lock_kind;

typedef struct {
    char *path;
    int   fd;         /* -1: not held */
    char  left[64];   /* what a killed holder was doing ("slice"); empty: nobody was */
} dsp_lock;

#define DSP_LOCK_NONE ((dsp_lock){.fd = -1})

/* Takes the lock of dir, which exists. what: the word for it, such as "compile". DSP_E_IO names the holder and says what to do. Reading a folder
 * that cannot be written to takes no lock: nobody writes there. */
DSP_MUST_USE dsp_status dsp_lock_take(dsp_lock *l, const char *dir, const char *what, dsp_lock_kind kind, dsp_err *err);
/* DSP_LOCK_WRITE where that is possible now; false otherwise. */
bool dsp_lock_try(dsp_lock *l, const char *dir, const char *what);
/* Lets readers in; waits where a writer came between. */
DSP_MUST_USE dsp_status dsp_lock_share(dsp_lock *l, dsp_err *err);
void dsp_lock_release(dsp_lock *l);
/* The same, leaving the file there as a killed holder would: what was begun in the folder is half done. */
void dsp_lock_leave(dsp_lock *l);

/* Removes what killed processes left behind: regular files NAME.tmpXXXXXX, six letters or digits, in dir and depth levels of folders below.
 * stem: only of the file of this name; NULL: of every. The caller holds the lock. */
void dsp_sweep_temporaries(const char *dir, const char *stem, unsigned depth);

#endif
