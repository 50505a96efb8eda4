/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/folder.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define ACL "system.posix_acl_access"

static bool is_owner_ours(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

/*
 * Tell whether only root can change our files there.  In a folder with the
 * sticky bit others make files of their own, but touch none of ours: that is
 * enough for folders above.
 */
static bool is_safe(const char *dir, const struct stat *st, bool is_above)
{
    mode_t others = S_IWOTH;

    /* With an access control list the group's bits are those of all in it. */
    if ((st->st_gid != 0 && st->st_gid != getegid()) ||
        getxattr(dir, ACL, NULL, 0) > 0)
        others |= S_IWGRP;
    return is_owner_ours(st->st_uid) &&
           (!(st->st_mode & others) || (is_above && st->st_mode & S_ISVTX));
}

static int refuse_folder(xenfork_ctx *ctx, const char *dir,
                         const struct stat *st)
{
    xenfork__miss(
        ctx, XENFORK_E_DISK,
        "users other than root can change files in %s (user %u, group %u, mode "
        "%04o)",
        dir, st->st_uid, st->st_gid, st->st_mode & 07777);
    return xenfork__remedy(ctx,
                           "chown root:root and chmod go-w %s, or keep disks "
                           "in a folder that is root's alone",
                           dir);
}

int xenfork__folder_check(xenfork_ctx *ctx, const char *dir)
{
    cleanup_free char *real = realpath(dir, NULL);
    bool is_above = false;
    struct stat st;
    char *slash;

    if (!real)
        return xenfork__miss(ctx, XENFORK_E_DISK, "no folder %s: %s", dir,
                             strerror(errno));
    for (;;) {
        if (stat(real[0] ? real : "/", &st))
            return xenfork__miss(ctx, XENFORK_E_DISK, "cannot examine %s: %s",
                                 real, strerror(errno));
        if (!is_safe(real[0] ? real : "/", &st, is_above))
            return refuse_folder(ctx, real[0] ? real : "/", &st);
        is_above = true;
        slash = strrchr(real, '/');
        if (!slash || !real[1])
            return 0;
        *slash = '\0';
    }
}

/* Return the folder of a path that has a slash. */
static int check_above(xenfork_ctx *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    cleanup_free char *dir = strndup(path, (size_t)(slash - path) + 1);

    return dir ? xenfork__folder_check(ctx, dir) : xenfork__nomem(ctx);
}

int xenfork__folder_check_file(xenfork_ctx *ctx, const char *path)
{
    cleanup_free char *real = realpath(path, NULL);
    int rc;

    if (path[0] != '/' || !real)
        return xenfork__miss(ctx, XENFORK_E_DISK, "no file %s", path);
    rc = check_above(ctx, path);
    return rc < 0 ? rc : check_above(ctx, real);
}
