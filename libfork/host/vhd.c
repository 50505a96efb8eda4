/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDs, by blktap's vhd-util.  Its status is 0 after some failures. */
#include "host/run.h"

#include "base/file.h"
#include "host/host.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH "chain depth: "

static int malformed_query(xenfork_ctx *ctx, const char *path)
{
    return xenfork__fail(ctx, XENFORK_E_IO, 0,
                         "vhd-util cannot read %s, or a VHD below it", path);
}

/* Parse "PARENT", or that there is none, "chain depth: N", "ALLOCATED". */
static int parse_query(xenfork_ctx *ctx, const char *path, char *output,
                       struct xenfork__vhd *out)
{
    char *depth = strstr(output, "\n" DEPTH);
    int end = 0;

    if (!depth ||
        sscanf(depth + 1, DEPTH "%u\n%u\n%n", &out->depth, &out->allocated,
               &end) != 2 ||
        !end || depth[1 + end] || !out->depth)
        return malformed_query(ctx, path);
    if (out->depth == 1)
        return 0;
    *depth = '\0';
    if (output[0] != '/')
        return malformed_query(ctx, path);
    out->parent = strdup(output);
    return out->parent ? 0 : xenfork__nomem(ctx);
}

int xenfork__sys_vhd_query(xenfork_ctx *ctx, const char *path,
                           struct xenfork__vhd *out)
{
    const char *const argv[] = {"vhd-util", "query", "-p", "-d",
                                "-a",       "-n",    path, NULL};
    cleanup_free char *output = NULL;
    struct xenfork__vhd vhd = {0};
    int rc;

    if (access(path, F_OK) && errno == ENOENT)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no file %s", path);
    if ((rc = xenfork__sys_run(ctx, XENFORK_E_IO, argv, &output)) < 0 ||
        (rc = parse_query(ctx, path, output, &vhd)) < 0)
        return rc;
    *out = vhd;
    return 0;
}

int xenfork__sys_vhd_sync(xenfork_ctx *ctx, const char *path)
{
    return xenfork__sync_file(path) || xenfork__sync_parent(path)
               ? xenfork__fail(ctx, XENFORK_E_DISK, errno,
                               "cannot write out %s", path)
               : 0;
}

/*
 * Take owner and mode from the parent; a link that was put there is not ours.
 */
static int take_parents_owner(const char *parent, const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -1 : xenfork__take_owner(fd, parent);
}

int xenfork__sys_vhd_snapshot(xenfork_ctx *ctx, const char *parent,
                              const char *path)
{
    /* -e: of this parent, though it be empty. */
    const char *const argv[] = {"vhd-util", "snapshot", "-e",   "-n",
                                path,       "-p",       parent, NULL};
    int rc = xenfork__sys_run_whole(ctx, XENFORK_E_DISK, argv);

    if (rc < 0)
        return rc;
    if (take_parents_owner(parent, path))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno,
                             "cannot set owner and mode of %s", path);
    return xenfork__sys_vhd_sync(ctx, path);
}

/* Let the caller do something meanwhile. */
static int go_on(xenfork_ctx *ctx, void *opaque, const char *text)
{
    (void)opaque;
    (void)text;
    xenfork__progress(ctx, 0, 0, 0);
    return 0;
}

int xenfork__sys_vhd_coalesce(xenfork_ctx *ctx, const char *path)
{
    const char *const argv[] = {"vhd-util", "coalesce", "-n", path, NULL};

    return xenfork__sys_run_long(ctx, XENFORK_E_DISK, argv, go_on, NULL);
}

int xenfork__sys_vhd_relink(xenfork_ctx *ctx, const char *path,
                            const char *parent)
{
    const char *const argv[] = {"vhd-util", "modify", "-n", path,
                                "-p",       parent,   NULL};

    return xenfork__sys_run_whole(ctx, XENFORK_E_DISK, argv);
}

int xenfork__sys_vhd_usage(xenfork_ctx *ctx, const char *path,
                           uint64_t *kib_out)
{
    struct stat st;

    if (stat(path, &st))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot examine %s",
                             path);
    *kib_out = (uint64_t)st.st_blocks / 2;
    return 0;
}
