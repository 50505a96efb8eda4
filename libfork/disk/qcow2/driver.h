/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For disk/qcow2/driver.c, which takes snapshots, and the others, which undo
 * and shorten them.
 */
#ifndef LIBFORK_DISK_QCOW2_DRIVER_H
#define LIBFORK_DISK_QCOW2_DRIVER_H

#include "disk/disk.h"
#include "host/host.h"

#define XENFORK__QCOW2_OVERLAY 'o' /* a node: of the source's new file */
#define XENFORK__QCOW2_COMMIT  'm' /* a job, and its node: of the base */
#define XENFORK__QCOW2_COPY    's' /* a job */
#define XENFORK__QCOW2_MOVE    'd' /* a job, and its node: of the new file */
#define XENFORK__QCOW2_FLAT    'f' /* a job: in place */

#define XENFORK__QCOW2_PREFIX ".xenfork-"

/* Return the name of a node or job, "oUUID-xvda", after the base.  STATE */
int xenfork__qcow2_id(xenfork_ctx *ctx, char kind, const char *base,
                      const char *vdev, char out[XENFORK__QEMU_NAME]);
/* Return the name of a node or job after the path of any file. */
void xenfork__qcow2_path_id(char kind, const char *path, const char *vdev,
                            char out[XENFORK__QEMU_NAME]);
/* Return where the source's new file is before the snapshot; caller frees. */
int xenfork__qcow2_new(xenfork_ctx *ctx, const char *base, char **path_out);
const char *xenfork__qcow2_base(const char *path);
/*
 * Make the snapshot of the file itself where @from is a link to it; caller
 * frees real.
 */
int xenfork__qcow2_follow(xenfork_ctx *ctx, struct xenfork__snapshot *snapshot,
                          char **real_out);
/*
 * Check that QEMU has the file open for no emulated disk, see
 * disk/qcow2/emulated.c.  DISK with remedy, not logged: it has
 */
int xenfork__qcow2_check_unplugged(xenfork_ctx *ctx, uint32_t domid,
                                   const char *vdev, const char *path);
/*
 * Stop the guest, until no request to its disks is under way.  has_paused_out:
 * we have paused it, and the caller has to unpause it
 */
int xenfork__qcow2_stop(xenfork_ctx *ctx, uint32_t domid, bool *has_paused_out);
/*
 * Run @begin, which has QEMU begin to copy the disk, while the guest stands
 * still, and repeat it as needed.  BUSY: the guest does not stand still
 */
typedef int xenfork__qcow2_copy_fn(xenfork_ctx *ctx, const void *opaque);
int xenfork__qcow2_copy(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                        xenfork__qcow2_copy_fn *begin, const void *opaque);
/* Begin to commit to the base. */
int xenfork__qcow2_begin(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot,
                         const struct xenfork__qemu_top *top, const char *id);

/* See disk.h. */
int xenfork__qcow2_abort(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot);
int xenfork__qcow2_collapse(xenfork_ctx *ctx,
                            const struct xenfork__collapse_request *request,
                            bool *again_out, char **to_out);
int xenfork__qcow2_detach(xenfork_ctx *ctx,
                          const struct xenfork__detach_request *request);
int xenfork__qcow2_detach_recover(xenfork_ctx *ctx,
                                  const struct xenfork__snapshot *snapshot,
                                  bool *is_switched_out);

#endif
