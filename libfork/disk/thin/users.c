/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Count the disks that a file backs, by their records. */
#include "disk/thin/thin.h"

#include <string.h>

#include "disk/thin/pool.h"
#include "state/files.h"
#include "state/keyfile.h"

/* Add what one record says. */
static int count_one(xenfork_ctx *ctx, const char *path, const char *origin_is,
                     struct xenfork__thin_users *users)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    const char *kind, *of;
    int rc = xenfork__keyfile_read(ctx, path, &keyfile);

    if (rc < 0)
        return rc;
    kind = xenfork__keyfile_get(keyfile, "kind");
    of = xenfork__keyfile_get(keyfile, "origin_is");
    users->records++;
    if (!kind || !of || strcmp(of, origin_is))
        return 0;
    users->has_head |= !strcmp(kind, "head");
    users->base += !strcmp(kind, "base");
    users->overlays += !strcmp(kind, "overlay");
    return 0;
}

int xenfork__thin_users(xenfork_ctx *ctx, const char *dir,
                        const char *origin_is,
                        struct xenfork__thin_users *users_out)
{
    struct xenfork__thin_users users = {0};
    char **names;
    size_t count, i;
    int rc = xenfork__dir_names(ctx, dir, &names, &count);

    if (rc < 0)
        return rc;
    for (i = 0; i < count && rc >= 0; i++) {
        cleanup_free char *path = NULL;

        if (!xenfork__thin_ends_in(names[i], XENFORK__THIN_HEAD) &&
            !xenfork__thin_ends_in(names[i], XENFORK__THIN_SUFFIX))
            continue;
        if (asprintf(&path, "%s/%s", dir, names[i]) < 0) {
            path = NULL;
            rc = xenfork__nomem(ctx);
        } else {
            rc = count_one(ctx, path, origin_is, &users);
        }
    }
    xenfork__names_free(names, count);
    if (rc == 0)
        *users_out = users;
    return rc;
}

int xenfork__thin_drop_head(xenfork_ctx *ctx, const struct xenfork__thin *head)
{
    int rc = xenfork__file_remove_durably(ctx, head->record);

    if (rc == 0)
        rc = xenfork__pool_delete(ctx, head->dir, head->id);
    return rc;
}
