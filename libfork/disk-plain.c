/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a detached disk has become: a raw file that lies on nothing. */
#include "disk.h"

#include <string.h>

#include "files.h"

static int plain_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                       bool is_frozen)
{
    (void)is_frozen;
    xenfork__miss(ctx, XENFORK_E_DISK, "disk %s: plain forks nothing",
                  disk->vdev);
    return xenfork__remedy(ctx, "leave out the driver");
}

/* And the folder that it was made in, with the last of what is there. */
static int plain_remove(xenfork_ctx *ctx, const char *path)
{
    cleanup_free char *dir = strdup(path);
    char *name;
    int rc = xenfork__file_remove(ctx, path);

    if (rc < 0 || !dir)
        return rc < 0 ? rc : xenfork__nomem(ctx);
    *strrchr(dir, '/') = '\0';
    name = strrchr(dir, '/');
    if (name && !strcmp(name, "/.xenfork"))
        rmdir(dir);
    return 0;
}

const struct xenfork__disk_driver xenfork__disk_plain = {
    .name = "plain",
    .why = "a file of its own",
    .format = "raw",
    .probe = plain_probe,
    .remove = plain_remove,
    .usage = xenfork__sys_file_usage,
};
