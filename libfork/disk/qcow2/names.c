/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the driver qcow2 calls its files, and QEMU's nodes and jobs. */
#include "disk/qcow2/driver.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/digest.h"

#define ID_DIGITS 20U
#define MAX_VDEV  12U

const char *xenfork__qcow2_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

int xenfork__qcow2_id(xenfork_ctx *ctx, char kind, const char *base,
                      const char *vdev, char out[XENFORK__QEMU_NAME])
{
    const char *name = xenfork__qcow2_base(base);
    size_t i = 0;

    out[i++] = kind;
    if (!strncmp(name, XENFORK__QCOW2_PREFIX, strlen(XENFORK__QCOW2_PREFIX)))
        for (name += strlen(XENFORK__QCOW2_PREFIX); *name && i <= ID_DIGITS;
             name++)
            if (isxdigit((unsigned char)*name))
                out[i++] = *name;
    if (i <= ID_DIGITS || strlen(vdev) > MAX_VDEV)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "%s (disk %s) is not named by xenfork", base,
                             vdev);
    snprintf(out + i, XENFORK__QEMU_NAME - i, "-%s", vdev);
    return 0;
}

int xenfork__qcow2_new(xenfork_ctx *ctx, const char *base, char **path_out)
{
    if (asprintf(path_out, "%s.new", base) < 0)
        return xenfork__nomem(ctx);
    return 0;
}

int xenfork__qcow2_follow(xenfork_ctx *ctx, struct xenfork__snapshot *snapshot,
                          char **real_out)
{
    char *real = realpath(snapshot->from, NULL);

    if (!real && errno == ENOMEM)
        return xenfork__nomem(ctx);
    if (real)
        snapshot->from = real;
    *real_out = real;
    return 0;
}

void xenfork__qcow2_path_id(char kind, const char *path, const char *vdev,
                            char out[XENFORK__QEMU_NAME])
{
    snprintf(out, XENFORK__QEMU_NAME, "%c%020" PRIx64 "-%.12s", kind,
             xenfork__digest(path, strlen(path)), vdev);
}
