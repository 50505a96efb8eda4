/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of xen.h that is of clones without libxl's restore. */
#ifndef LIBFORK_XEN_PLAN_H
#define LIBFORK_XEN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/host.h"
#include "xenfork.h"

struct xenfork__config; /* xen/xen.h */
struct xenfork__clone_config;

/*
 * Clones without libxl's restore, where that makes no difference: xen/fast.c.
 * @why_out: why a clone is refused, a constant; untouched otherwise.
 */
struct xenfork__fast; /* for all clones of one image */

/* How a disk is served, as its hotplug script would have done. */
struct xenfork__served {
    const char *path; /* lives as long as the plan, as target */
    char *target;     /* that without links, of block-fork */
    bool is_forks;    /* by block-fork; otherwise by Xen's own block */
    bool is_readonly;
    struct xenfork__device device; /* for the caller to fill in */
};

struct xenfork__plan_nic {
    int devid;
    const char *bridge; /* lives as long as the plan */
    uint32_t mtu;       /* 0: the bridge's, for the caller to fill in */
    bool is_emulated;   /* its QEMU has an interface, too */
};

struct xenfork__plan {
    bool has_emulator; /* a QEMU of its own */
    uint32_t disk_count, nic_count;
    struct xenfork__served *disks;
    struct xenfork__plan_nic *nics;
    struct xenfork__plan_configs *configs; /* of libxl */
};

/*
 * Open the fast way for a source, which lives as long as what is opened.  NULL:
 * refused
 */
int xenfork__xen_fast_open(xenfork_ctx *ctx,
                           const struct xenfork__config *source,
                           struct xenfork__fast **fast_out,
                           const char **why_out);
void xenfork__xen_fast_close(struct xenfork__fast *fast);
/* Plan a clone; nothing is made yet.  NULL: refused */
int xenfork__xen_fast_plan(xenfork_ctx *ctx, const struct xenfork__fast *fast,
                           const struct xenfork__clone_config *clone,
                           struct xenfork__plan **plan_out,
                           const char **why_out);
void xenfork__plan_free(struct xenfork__plan *plan);
/*
 * Make the paused domain, with its nodes in xenstore, but for memory.  On
 * failure it may be there: its journal names its UUID, and undoing that
 * destroys it.
 */
int xenfork__xen_fast_create(xenfork_ctx *ctx, struct xenfork__plan *plan,
                             uint32_t image, uint32_t *domid_out);
/*
 * Finish a domain that has the image's memory.  json_out: its configuration;
 * caller frees
 */
int xenfork__xen_fast_finish(xenfork_ctx *ctx, struct xenfork__plan *plan,
                             char **json_out);
/* The state of a QEMU, in a stream. */
struct xenfork__emulator_state {
    int fd;            /* QEMU reads from where it stands */
    const char *nodes; /* "KEY\0VALUE\0…" */
    size_t nodes_bytes;
};
/*
 * Start the QEMU of a clone that has the image's memory; it loads its state.
 * Destroying the domain ends it: its process is in xenstore before it is QEMU.
 */
int xenfork__xen_fast_emulator(xenfork_ctx *ctx, struct xenfork__plan *plan,
                               const struct xenfork__emulator_state *state);
/*
 * See to it, again and again until it runs, and all that libxl writes of it is
 * in xenstore.
 */
int xenfork__xen_fast_serve(xenfork_ctx *ctx, struct xenfork__plan *plan,
                            bool *is_up_out);
/* Say that all NICs are ready. */
int xenfork__xen_fast_nics(xenfork_ctx *ctx, const struct xenfork__plan *plan);

#endif
