/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the tests of `xl fork-reset` start: "src-1", one of two clones. */
#ifndef RESET_SCENE_H
#define RESET_SCENE_H

#include <stddef.h>
#include <stdint.h>

#include "fake-xen.h"

#define RESET_GFN   5U /* a page of the guest's */
#define RESET_WROTE 0xd1d1U

struct reset_scene {
    uint32_t src;
    uint64_t memory;           /* at the fork */
    struct fake_domain before; /* the clone, as it was forked */
    size_t files;              /* beside the overlay */
};

extern struct reset_scene reset_scene;

/* Fork "src" twice, into "src-1" and "src-2". */
void reset_fork(uint32_t flags);
/* Fork "src": the first clone of two has run, acknowledged and written. */
void reset_prepare(void);
/* Return the clone's domain; NULL: it has none. */
struct fake_domain *reset_clone(void);
/* Reset the clone, in a context of its own. */
int reset_run(void *opaque);
/* Count the files in a disk's folder. */
size_t reset_count_files(const char *path);

#endif
