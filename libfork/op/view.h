/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks and NICs as the caller sees them: parts of a list, a check, a result.
 */
#ifndef LIBFORK_OP_VIEW_H
#define LIBFORK_OP_VIEW_H

#include "base/ids.h"
#include "base/internal.h"

/* The strings belong to what the disk is a part of; NULL: not known there. */
struct xenfork_disk {
    const char *vdev, *path, *driver, *why;
    uint32_t depth, users;
};

struct xenfork_nic {
    char vif[XENFORK__VIF_CHARS]; /* "": the clone has no domain */
    char mac[XENFORK__MAC_CHARS];
    int link;     /* XENFORK_LINK_* */
    bool is_held; /* at this moment */
};

#endif
