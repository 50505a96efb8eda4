/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the driver vhd calls its files, and its options. */
#include "disk/vhd/vhd.h"

#include <string.h>

#include "base/ids.h"
#include "host/host.h"
#include "state/files.h"

#define OURS              ".xenfork-"
#define DEFAULT_MAX_DEPTH 64U /* reopened in some 0.9 s, blktap 4.0.8 */
#define MAX_MAX_DEPTH     1024U

const char *xenfork__vhd_file(const char *path)
{
    size_t length = strlen(XENFORK__VHD_PREFIX);

    return strncmp(path, XENFORK__VHD_PREFIX, length) ? path : path + length;
}

bool xenfork__vhd_is_ours(const char *file)
{
    const char *slash = strrchr(file, '/');

    return !strncmp(slash ? slash + 1 : file, OURS, strlen(OURS));
}

int xenfork__vhd_max_depth(xenfork_ctx *ctx, const char *options,
                           uint32_t *limit_out)
{
    unsigned int limit = DEFAULT_MAX_DEPTH;
    int end = 0;

    if (options && (sscanf(options, "max-depth=%4u%n", &limit, &end) != 1 ||
                    options[end] || limit < 2 || limit > MAX_MAX_DEPTH)) {
        xenfork__miss(ctx, XENFORK_E_INVAL, "the driver vhd has no option %s",
                      options);
        return xenfork__remedy(ctx, "it has max-depth=N, with N from 2 to %u",
                               MAX_MAX_DEPTH);
    }
    *limit_out = limit;
    return 0;
}

/* Return a canonical path, as vhd-util prints parents. */
int xenfork__vhd_path(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                      const uint8_t uuid[16], char **path_out)
{
    cleanup_free char *file = realpath(xenfork__vhd_file(disk->path), NULL);
    char text[XENFORK__UUID_CHARS];

    if (!file)
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "no file %s",
                             disk->path);
    *strrchr(file, '/') = '\0';
    xenfork__uuid_print(uuid, text);
    if (asprintf(path_out, XENFORK__VHD_PREFIX "%s/" OURS "%s-%s.vhd", file,
                 text, disk->vdev) < 0)
        return xenfork__nomem(ctx);
    return 0;
}
