/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * "vhd:/srv/web1.vhd": a VHD, served by a tapdisk of its own: through the
 * kernel's nbd, or for tapback.  One domain may write to it.
 */
#include "target.h"

#include "host/host.h"

#include <stdlib.h>
#include <string.h>

#define TAPBACK_PREFIX "backend/vbd3/" /* of devices that it has */

/* Return the device, which libxl tells the script.  NULL: run by hand */
static const char *device(void)
{
    return getenv("XENBUS_PATH");
}

static bool is_for_tapback(void)
{
    return device() &&
           !strncmp(device(), TAPBACK_PREFIX, strlen(TAPBACK_PREFIX));
}

static int attach_vhd(xenfork_ctx *ctx, const char *name, char mode,
                      char **node_out)
{
    unsigned int flags = (mode == MODE_READ ? XENFORK__TAP_READONLY : 0) |
                         (is_for_tapback() ? XENFORK__TAP_SOCKET : 0);

    if (name[0] != '/')
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "not an absolute path: %s", name);
    if (access(name, F_OK))
        return xenfork__fail(ctx, XENFORK_E_NOTFOUND, errno, "%s", name);
    if (mode == MODE_SHARED)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "a VHD cannot be shared for writing: %s", name);
    return xenfork__sys_tap_attach(ctx, name, device() ? device() : "hand",
                                   flags, node_out);
}

static int detach_vhd(xenfork_ctx *ctx, const char *name, const char *node)
{
    (void)node;
    return xenfork__sys_tap_detach(ctx, name, device());
}

const struct target target_vhd = {
    .prefix = XENFORK__VHD_PREFIX,
    .attach = attach_vhd,
    .detach = detach_vhd,
    .status = xenfork__sys_tap_status,
};
