/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Failure and crash sweeps over one operation of the library. */
#ifndef SWEEP_H
#define SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "xenfork.h"

/* The promise of an operation that was interrupted. */
#define SWEEP_UNDOES  0 /* the state from before, at once */
#define SWEEP_REPEATS 1 /* called again, it gets to where it would have got */

struct sweep {
    const char *name;
    int promise;
    /* From a fresh fake to where the operation starts. */
    void (*prepare)(void);
    /* The operation, in a context of its own. */
    int (*run)(void *opaque);
    /*
     * SWEEP_UNDOES: was it killed when all was done?  Then it is not undone.
     * SWEEP_REPEATS: is it where it should be?  NULL: as fake_mark()ed.
     */
    bool (*is_done)(void);
    /* The code that every injected failure turns into; 0: as injected. */
    int code;
};

/* Run, and return the code; what is said of it must be consistent. */
int sweep_end(xenfork_ctx *ctx, int rc);

/* Fail call 1, 2, 3, … until it succeeds. */
void sweep_failures(const struct sweep *sweep);
/* Fail call n and all after it, the undoing too; then recover. */
void sweep_residues(const struct sweep *sweep);
/*
 * Kill at call 1, 2, 3, …, before and after its effect; then recover.  After it
 * only where the next call would not tell the same, or with XENFORK_TEST_ALL.
 */
void sweep_crashes(const struct sweep *sweep);

/* Run a sweep as a test of cmocka, whose state it is. */
void sweep_test_failures(void **state);
void sweep_test_residues(void **state);
void sweep_test_crashes(void **state);
int sweep_group_teardown(void **state);

/* KIND: failures, residues or crashes of sweeps[N] */
#define SWEEP(n, kind) \
    {"sweep_" #n "_" #kind, sweep_test_##kind, NULL, NULL, (void *)&sweeps[n]}
#define SWEEPS(n) SWEEP(n, failures), SWEEP(n, crashes)

#endif
