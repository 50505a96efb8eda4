/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Power cuts of a verb, in the ways of power.h: after each call that makes
 * something durable, once, in a way that is chosen at random; in the
 * environment of XENFORK_TEST_ALL after every call that changes a disk, in
 * each way that makes a difference.  The host comes up, and recovers.  Then
 * each record has its disks, each disk its record, the source has what it had,
 * and what was reported as done is done.
 */
#ifndef CUTS_H
#define CUTS_H

#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenfork.h"

struct cut {
    const char *name;
    void (*prepare)(void);
    int (*run)(void);
    uint32_t clones_before, clones_after;
    int (*again)(xenfork_ctx *ctx); /* does the rest; NOTFOUND: it was done */
    bool leaves_files;              /* of a record that it forgets */
};

/* The domain "src". */
uint32_t cuts_source(void);
/* Note the state in which its disk, of this driver or "", must be again. */
void cuts_note_source(const char *driver);
/* All of them; with an argument the one of that name.  As main(). */
int cuts_main(const struct cut *cuts, size_t count, int argc, char **argv);

#endif
