/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks by device-mapper, each behind a device of a fixed name, whatever is
 * below it at the moment.  A disk is called by
 *   - a raw file, or a block device: "plain" until it is cut for the first
 *     time.  From then on it is never written: a record beside it says that
 *     what its domain sees is a thin device over it, its "head";
 *   - a descriptor, UUID-VDEV.thin: a small record of a delta, or of what is
 *     sealed.
 * Records and the pool of the thin devices lie in a folder ".xenfork" beside
 * the file; for block devices, in the state directory.
 */
#ifndef LIBFORK_THIN_H
#define LIBFORK_THIN_H

#include "internal.h"
#include "sys-dm.h"

struct xenfork__thin {
    char *path;
    char *dir; /* of records and pool */
    char device[XENFORK__DM_NAME_BYTES];
    char *origin; /* the file or device below */
    bool is_file; /* that is one */
    uint64_t sectors;
    int lock_fd; /* of the folder */
};

/*
 * Look up a disk, and lock all that are in the same folder until it is closed.
 * DISK: there is no such disk
 */
int xenfork__thin_open(xenfork_ctx *ctx, const char *path,
                       struct xenfork__thin **thin_out);
void xenfork__thin_close(struct xenfork__thin *thin);

/* Put it behind its device.  INUSE: a domain has it */
int xenfork__thin_attach(xenfork_ctx *ctx, const char *path, bool is_readonly,
                         bool is_shared, char **node_out);
/* Nobody needs the device any more.  Absent already: success */
int xenfork__thin_detach(xenfork_ctx *ctx, const char *path);

static inline void xenfork__thin_cleanup(struct xenfork__thin **thin)
{
    int e = errno;

    xenfork__thin_close(*thin);
    errno = e;
}
#define cleanup_thin __attribute__((cleanup(xenfork__thin_cleanup)))

#endif
