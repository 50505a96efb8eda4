/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Find the hotplug scripts of Xen that xenfork-hotplug may replace on this
 * host: those that are known to do the same, and nothing more.
 */
#ifndef LIBFORK_XEN_HOTPLUG_SCRIPTS_H
#define LIBFORK_XEN_HOTPLUG_SCRIPTS_H

#include "base/internal.h"

#define XENFORK__HOTPLUG_BLOCK  1U /* block: disks */
#define XENFORK__HOTPLUG_BRIDGE 2U /* vif-bridge: network interfaces */
#define XENFORK__HOTPLUG_FORK   4U /* block-fork, our own: disks */

/* A file of Xen's, and the digest of one version that is known. */
struct xenfork__script {
    const char *name;
    unsigned int uses;      /* XENFORK__HOTPLUG_*: who is made of it */
    bool wants_no_iptables; /* it does nothing only where iptables is not */
    uint64_t digest;
};

/* The scripts of Xen 4.17 to 4.22, as released and as Debian has them. */
extern const struct xenfork__script xenfork__scripts[];
extern const size_t xenfork__script_count;

/*
 * Return the XENFORK__HOTPLUG_* of the scripts in @dir; why the others are not
 * among them is logged.  @path: where commands are looked for, as in $PATH.
 */
unsigned int xenfork__hotplug_known(xenfork_ctx *ctx, const char *dir,
                                    const char *path,
                                    const struct xenfork__script *scripts,
                                    size_t count);
/*
 * Tell whether our own script in @dir is as it was installed, by the copy in
 * @ours.
 */
bool xenfork__hotplug_is_ours(const char *dir, const char *ours);
/* Return what is known on this host at the moment. */
unsigned int xenfork__hotplug_look(xenfork_ctx *ctx);

#endif
