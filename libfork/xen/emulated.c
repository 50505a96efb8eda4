/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Emulated disks of an HVM domain.  Its QEMU has a disk's file open twice: for
 * the PV backend, and for the emulated disk that the BIOS boots from
 * (libxl__build_device_model_args_new(), libxl_dm.c, 4.17).  PV drivers unplug
 * the latter when the guest boots, and once more when it is restored (Linux,
 * xen_hvm_post_suspend()): then QEMU closes the file (pci_unplug_disks(),
 * hw/i386/xen/xen_platform.c), and nothing plugs the disk in again.
 *
 * Files are told by what QEMU has open: of a node it says only by which name
 * the file was opened, and that may lead elsewhere by now.
 */
#include "xen/handles.h"

#include "host/dm.h"
#include "xen/xen.h"

int xenfork__xen_disk_is_emulated(xenfork_ctx *ctx, uint32_t domid,
                                  const char *path, bool *is_out)
{
    struct xenfork__disk_identity there;
    uint32_t pid;
    int rc;

    *is_out = false;
    if (!xenfork__xen_has_emulator(ctx, domid))
        return 0;
    if (xenfork__xs_u32(ctx, &pid, "/local/domain/%u/image/device-model-pid",
                        domid) != 1)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot find its device model", domid);
    rc = xenfork__sys_disk_identity(ctx, path, &there);
    if (rc == 0)
        *is_out = xenfork__sys_count_open(pid, &there) > 1;
    return rc;
}
