/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Count the disks that a file backs, by their records. */
#include "disk/thin/thin.h"

#include <inttypes.h>
#include <string.h>

#include "disk/thin/pool.h"
#include "state/files.h"
#include "state/keyfile.h"

struct count {
    const char *origin_is;
    struct xenfork__thin_users users;
};

bool xenfork__thin_is_whole(const struct xenfork__keyfile *keyfile)
{
    const char *origin = xenfork__keyfile_get(keyfile, "origin");
    uint64_t number;

    return xenfork__keyfile_get(keyfile, "kind") && origin && origin[0] &&
           xenfork__keyfile_get(keyfile, "origin_is") &&
           xenfork__keyfile_get_u64(keyfile, "sectors", &number) &&
           xenfork__keyfile_get_u64(keyfile, "id", &number) ==
               (xenfork__keyfile_get(keyfile, "pool") != NULL);
}

bool xenfork__thin_is_head_of(const char *record, const char *origin_is)
{
    char end[32];

    snprintf(end, sizeof(end), "-%016" PRIx64 XENFORK__THIN_HEAD,
             xenfork__pool_digest(origin_is));
    return xenfork__thin_ends_in(record, end);
}

int xenfork__thin_may_back(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                           const struct xenfork__thin_users *users,
                           bool *may_out)
{
    *may_out = users->unreadable;
    return *may_out && !thin->is_on_device
               ? xenfork__sys_file_is_protected(ctx, thin->origin, may_out)
               : 0;
}

int xenfork__thin_check_doubt(xenfork_ctx *ctx,
                              const struct xenfork__thin *thin,
                              const struct xenfork__thin_users *users)
{
    bool may_back;
    int rc = xenfork__thin_may_back(ctx, thin, users, &may_back);

    if (rc < 0 || !may_back)
        return rc;
    xenfork__fail(ctx, XENFORK_E_INUSE, 0,
                  "%s must not be written: a record in %s is unreadable, and "
                  "its disk may be backed by it",
                  thin->path, thin->dir);
    return xenfork__remedy(
        ctx, "put the record back, from a backup; or remove it, and destroy "
             "the clone whose UUID its name begins with");
}

/* Count an unreadable record so that nothing is freed which it may need. */
static void count_unreadable(xenfork_ctx *ctx, const char *path,
                             struct count *count)
{
    LOG_WARN(ctx, "%s is unreadable: what may back its disk stays, ignoring",
             path);
    if (xenfork__thin_ends_in(path, XENFORK__THIN_SUFFIX))
        count->users.unreadable++;
    else
        count->users.has_head |= xenfork__thin_is_head_of(path,
                                                          count->origin_is);
}

/* Add what one record says. */
static int count_one(xenfork_ctx *ctx, const char *path, void *opaque)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    struct count *count = opaque;
    const char *kind, *of;
    int rc = xenfork__keyfile_read(ctx, path, &keyfile);

    if (rc < 0 && rc != XENFORK_E_STATE)
        return rc;
    count->users.records++;
    if (rc < 0 || !xenfork__thin_is_whole(keyfile)) {
        count_unreadable(ctx, path, count);
        return 0;
    }
    kind = xenfork__keyfile_get(keyfile, "kind");
    of = xenfork__keyfile_get(keyfile, "origin_is");
    if (strcmp(of, count->origin_is))
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
