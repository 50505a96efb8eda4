/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compare the blocks of two disks. */
#include "host/dm.h"

int xenfork__sys_overlaps(xenfork_ctx *ctx, const char *a, const char *b,
                          bool *is_out)
{
    cleanup_areas struct xenfork__areas areas_a = {0};
    cleanup_areas struct xenfork__areas areas_b = {0};
    struct xenfork__disk_identity disk_a, disk_b;
    int rc;

    if ((rc = xenfork__sys_disk_identity(ctx, a, &disk_a)) < 0 ||
        (rc = xenfork__sys_disk_identity(ctx, b, &disk_b)) < 0 ||
        (rc = xenfork__sys_areas(ctx, &disk_a, &areas_a)) < 0 ||
        (rc = xenfork__sys_areas(ctx, &disk_b, &areas_b)) < 0)
        return rc;
    *is_out = xenfork__areas_meet(&areas_a, &areas_b);
    return 0;
}
