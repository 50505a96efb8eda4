/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Count the disks that a file backs, by their records. */
#include "disk/thin/thin.h"

#include <string.h>

#include "disk/thin/pool.h"
#include "state/files.h"
#include "state/keyfile.h"

struct count {
    const char *origin_is;
    struct xenfork__thin_users users;
};

/* Add what one record says. */
static int count_one(xenfork_ctx *ctx, const char *path, void *opaque)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    struct count *count = opaque;
    const char *kind, *of;
    int rc = xenfork__keyfile_read(ctx, path, &keyfile);

    if (rc < 0)
        return rc;
    kind = xenfork__keyfile_get(keyfile, "kind");
    of = xenfork__keyfile_get(keyfile, "origin_is");
    count->users.records++;
    if (!kind || !of || strcmp(of, count->origin_is))
        return 0;
    count->users.has_head |= !strcmp(kind, "head");
    count->users.base += !strcmp(kind, "base");
    count->users.overlays += !strcmp(kind, "overlay");
    return 0;
}

int xenfork__thin_users(xenfork_ctx *ctx, const char *dir,
                        const char *origin_is,
                        struct xenfork__thin_users *users_out)
{
    struct count count = {.origin_is = origin_is};
    int rc;

    if ((rc = xenfork__thin_each(ctx, dir, XENFORK__THIN_HEAD, count_one,
                                 &count)) < 0 ||
        (rc = xenfork__thin_each(ctx, dir, XENFORK__THIN_SUFFIX, count_one,
                                 &count)) < 0)
        return rc;
    *users_out = count.users;
    return 0;
}

int xenfork__thin_remove_head(xenfork_ctx *ctx,
                              const struct xenfork__thin *head)
{
    int rc = xenfork__file_remove_durably(ctx, head->record);

    if (rc == 0)
        rc = xenfork__pool_remove_device(ctx, head->dir, head->id);
    return rc;
}
