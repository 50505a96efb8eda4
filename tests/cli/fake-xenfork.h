/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxenfork's interface for the tests of the verbs: no Xen, no state.  What
 * is asked of it goes to the file named by $FAKE_LOG, a line a call.  One
 * source, "web1" (domid 3), and a list of one image and one clone.
 * $FAKE_FAIL=CALL:CODE makes a call fail; in the call $FAKE_SIGNAL a Ctrl-C
 * comes.
 */
#ifndef FAKE_XENFORK_H
#define FAKE_XENFORK_H

#include <stddef.h>
#include <stdint.h>

#include <xenfork.h>

/* As many as the last spec was for. */
extern uint32_t clones;
extern xenfork_progress_fn *draw;

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The code that the call is to fail with, or 0. */
int fails(const char *call);
/* Return an index as text: 4294967295 is hard to read.  Good for four calls. */
const char *show(uint32_t index);

/* Parts of lists, checks and results. */
struct xenfork_nic {
    const char *vif, *mac;
    int link;
};
struct xenfork_disk {
    const char *vdev, *path;
};

/* An object that no test looks into. */
#define FAKE_OBJECT(type) ((type *)&clones)

#endif
