/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tapdisk that serves a VHD, started by our script or by libxl's own. */
#include "disk/vhd/vhd.h"

#include "host/dm.h"
#include "host/host.h"

static int find_tapdisk(xenfork_ctx *ctx, const char *file,
                        struct xenfork__tapdisk *tapdisk_out)
{
    struct xenfork__tapdisk tapdisk;
    int rc = xenfork__sys_tap_find(ctx, file, tapdisk_out);

    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    rc = xenfork__xen_tapdisk(ctx, file, &tapdisk);
    if (rc < 0)
        return rc;
    if (!xenfork__sys_tap_is_alive(&tapdisk))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "tapdisk %u is gone",
                             tapdisk.pid);
    *tapdisk_out = tapdisk;
    return 0;
}

int xenfork__vhd_is_served(xenfork_ctx *ctx, const char *file)
{
    struct xenfork__tapdisk tapdisk;

    return find_tapdisk(ctx, file, &tapdisk);
}

int xenfork__vhd_check_served(xenfork_ctx *ctx, const char *file)
{
    struct xenfork__disk_identity there;
    struct xenfork__tapdisk tapdisk;
    bool is_paused = false;
    int rc = find_tapdisk(ctx, file, &tapdisk);

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if ((rc = xenfork__sys_disk_identity(ctx, file, &there)) < 0 ||
        xenfork__sys_has_open(tapdisk.pid, &there, true) ||
        (rc = xenfork__sys_tap_is_paused(ctx, &tapdisk, &is_paused)) < 0 ||
        is_paused)
        return rc;
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "%s is not the file that its tapdisk (%u) has open", file,
                  tapdisk.pid);
    return xenfork__remedy(
        ctx,
        "put that file back; or shut the domain down, and create it with this "
        "one");
}

int xenfork__vhd_pause(xenfork_ctx *ctx, const char *file)
{
    struct xenfork__tapdisk tapdisk;
    int rc = find_tapdisk(ctx, file, &tapdisk);

    return rc < 0 ? rc : xenfork__sys_tap_pause(ctx, &tapdisk);
}

int xenfork__vhd_resume(xenfork_ctx *ctx, const char *file)
{
    struct xenfork__tapdisk tapdisk;
    int rc = find_tapdisk(ctx, file, &tapdisk);

    return rc < 0 ? rc : xenfork__sys_tap_resume(ctx, &tapdisk);
}

int xenfork__vhd_is_paused(xenfork_ctx *ctx, const char *file,
                           bool *is_paused_out)
{
    struct xenfork__tapdisk tapdisk;
    int rc = find_tapdisk(ctx, file, &tapdisk);

    return rc < 0 ? rc
                  : xenfork__sys_tap_is_paused(ctx, &tapdisk, is_paused_out);
}

/*
 * Release the tapdisk of a domain that is gone, unless another domain has the
 * file by now.
 */
int xenfork__vhd_release(xenfork_ctx *ctx, const char *path)
{
    const char *file = xenfork__vhd_file(path);
    struct xenfork__dominfo info;
    uint32_t domid;
    int rc = xenfork__sys_tap_domain(ctx, file, &domid);

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    rc = xenfork__xen_info(ctx, domid, &info);
    if (rc == XENFORK_E_NOTFOUND || (rc == 0 && info.is_dying))
        return xenfork__sys_tap_release(ctx, file, domid);
    return rc;
}
