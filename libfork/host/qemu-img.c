/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-img, for files that no QEMU has open. */
#include "host/run.h"

#include "host/host.h"

#include <inttypes.h>
#include <string.h>

#define PROGRAM "qemu-img"

/* Look for it in PATH, as posix_spawnp(3) does. */
bool xenfork__sys_has_qemu_img(void)
{
    const char *path = getenv("PATH");
    cleanup_free char *copy = strdup(path ? path : "/usr/bin:/bin");
    char *dir, *rest = NULL;

    if (!copy)
        return false;
    for (dir = strtok_r(copy, ":", &rest); dir;
         dir = strtok_r(NULL, ":", &rest)) {
        cleanup_free char *file = NULL;

        if (asprintf(&file, "%s/" PROGRAM, dir) < 0)
            file = NULL;
        if (file && access(file, X_OK) == 0)
            return true;
    }
    return false;
}

int xenfork__sys_qemu_img_commit(xenfork_ctx *ctx, const char *path)
{
    const char *const argv[] = {PROGRAM, "commit", "-q", "-d", "-f",
                                "qcow2", "--",     path, NULL};

    return xenfork__sys_run_whole(ctx, XENFORK_E_DISK, argv);
}

int xenfork__sys_qemu_img_create(xenfork_ctx *ctx,
                                 const struct xenfork__image_file *image,
                                 uint64_t bytes)
{
    char size[24];
    const char *const argv[] = {PROGRAM, "create",    "-q", "-f", image->format,
                                "--",    image->path, size, NULL};

    snprintf(size, sizeof(size), "%" PRIu64, bytes);
    return xenfork__sys_run_whole(ctx, XENFORK_E_DISK, argv);
}
