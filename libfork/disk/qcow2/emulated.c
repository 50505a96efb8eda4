/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The emulated disk of an HVM domain beside the PV one.  QEMU has nodes of its
 * own for it, on the same file: they do not follow when the PV disk switches to
 * another file, and would go on to write a base.  So a disk whose emulated one
 * is plugged in is neither forked, nor is its chain changed.
 */
#include "disk/qcow2/driver.h"

int xenfork__qcow2_check_unplugged(xenfork_ctx *ctx, uint32_t domid,
                                   const char *vdev, const char *path)
{
    bool is_emulated;
    int rc = xenfork__xen_disk_is_emulated(ctx, domid, path, &is_emulated);

    if (rc < 0 || !is_emulated)
        return rc;
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "disk %s (%s): the device model of domain %u has the file "
                  "open for an emulated disk, too, which cannot switch to "
                  "another file",
                  vdev, path, domid);
    return xenfork__remedy(
        ctx, "let the guest's PV drivers unplug the emulated disk, which they "
             "do when the guest boots, and when a clone runs for the first "
             "time; or give the domain a raw file on XFS or btrfs, or a thin "
             "volume of LVM");
}
