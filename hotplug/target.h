/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenfork-block: puts what a disk's target stands for behind a device, for the
 * script block-fork.  A kind of target is a prefix and a file target-*.c.
 */
#ifndef HOTPLUG_TARGET_H
#define HOTPLUG_TARGET_H

#include "base/internal.h"
#include "host/dm.h"

/* Return 0 or a negative XENFORK_E_*, as the library's functions do. */
struct target {
    const char *prefix; /* "vhd:"; "": targets without a prefix */
    /*
     * @name: without the prefix.  node_out: "/dev/…", or the socket that
     * tapback is to have; caller frees
     */
    int (*attach)(xenfork_ctx *ctx, const char *name, char mode,
                  char **node_out);
    /*
     * Detach a target.  Absent already: success.  node: the device that was
     * attached; NULL: not known
     */
    int (*detach)(xenfork_ctx *ctx, const char *name, const char *node);
    /* Return a line for people; caller frees.  NOTFOUND: it is not attached */
    int (*status)(xenfork_ctx *ctx, const char *name, char **text_out);
    /*
     * Write it back into its file, and make it a plain disk again, when it
     * backs nothing any more.  NULL: it always is one
     */
    int (*write_back)(xenfork_ctx *ctx, const char *name);
};

#define MODE_READ   'r'
#define MODE_SHARED '!' /* others may write, too */

extern const struct target target_thin;
extern const struct target target_vhd;

/* Watch the pool in this folder in the background, as long as it is in use. */
int watch_pool(xenfork_ctx *ctx, const char *dir);
/* Wait for the pool once, and make it larger.  False: it is gone */
struct watch {
    char pool[XENFORK__DM_NAME_BYTES];
    bool is_troubled; /* come back soon, for any reason */
    uint32_t now;
    const uint32_t *after; /* NULL: do not wait */
};
bool watch_turn(xenfork_ctx *ctx, const char *dir, struct watch *watch);

#endif
