/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The boot of this host: domids, and UUIDs of configurations, recur. */
#include "base/internal.h"

#include <fcntl.h>
#include <string.h>

#include "base/ids.h"
#include "host/host.h"

#define FILE_NAME "/proc/sys/kernel/random/boot_id" /* dom0's, so Xen's */

int xenfork__sys_boot(xenfork_ctx *ctx, char boot_out[XENFORK__UUID_CHARS])
{
    cleanup_close int fd = open(FILE_NAME, O_RDONLY | O_CLOEXEC);
    char text[XENFORK__UUID_CHARS] = "";
    uint8_t uuid[16];

    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
        return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot read %s",
                             FILE_NAME);
    if (!xenfork__uuid_parse(text, uuid))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s has no UUID",
                             FILE_NAME);
    memcpy(boot_out, text, sizeof(text));
    return 0;
}
