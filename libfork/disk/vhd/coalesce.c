/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Coalesce two adjacent bases that belong to no image, of which the lower one
 * backs only the upper one.  The upper one is written into the lower one, which
 * changes nothing that is seen through the upper one, however long it takes.
 * Then a file in the same folder notes this, and the files that the upper one
 * backs get the lower one as their parent.  A tapdisk that has the upper one
 * open goes on with it, until it opens its disk again.
 *
 * vhd-util writes a VHD's parent in several steps.  If it was stopped between
 * two, the note in the same folder tells what to repeat.
 */
#include "disk/vhd/vhd.h"

#include <string.h>
#include <sys/stat.h>

#include "disk/base.h"
#include "disk/collapse.h"
#include "host/host.h"
#include "state/files.h"
#include "state/keyfile.h"
#include "state/lock.h"

#define COALESCED ".coalesced"

static char *marker_of(xenfork_ctx *ctx, const char *upper)
{
    char *marker;

    if (asprintf(&marker, "%s" COALESCED, xenfork__vhd_file(upper)) >= 0)
        return marker;
    xenfork__nomem(ctx);
    return NULL;
}

static int note_coalesced(xenfork_ctx *ctx, const char *marker,
                          const char *lower)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    int rc;

    if ((rc = xenfork__keyfile_new(ctx, &keyfile)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "lower", lower)) < 0)
        return rc;
    return xenfork__keyfile_write(ctx, marker, keyfile);
}

int xenfork__vhd_coalesce(xenfork_ctx *ctx,
                          const struct xenfork__collapse_request *request,
                          bool *again_out)
{
    cleanup_free char *upper = NULL;
    cleanup_free char *lower = NULL;
    cleanup_free char *marker = NULL;
    int rc = request->ops->pair(ctx, request->from, &upper, &lower);

    if (rc < 0 || !upper)
        return rc;
    marker = marker_of(ctx, upper);
    if (!marker)
        return XENFORK_E_NOMEM;
    *again_out = true;
    if (access(marker, F_OK) == 0)
        return 0;
    if ((rc = xenfork__sys_vhd_coalesce(ctx, xenfork__vhd_file(upper))) < 0 ||
        (rc = xenfork__sys_vhd_sync(ctx, xenfork__vhd_file(lower))) < 0)
        return rc;
    return note_coalesced(ctx, marker, lower);
}

/*
 * Note every file that is to get the lower one as its parent, before the first
 * one does.
 */
static int note_above(xenfork_ctx *ctx,
                      const struct xenfork__collapse_request *request,
                      const char *marker, const char *upper,
                      struct xenfork__keyfile *keyfile)
{
    cleanup_above struct xenfork__above above = {0};
    int rc = request->ops->above(ctx, upper, &above);
    uint32_t i;

    for (i = 0; i < above.count && rc >= 0; i++) {
        char clone[XENFORK__UUID_CHARS];

        xenfork__uuid_print(above.items[i].clone, clone);
        if ((rc = xenfork__keyfile_set_nth(ctx, keyfile, "above", i,
                                           above.items[i].path)) == 0)
            rc = xenfork__keyfile_set_nth(ctx, keyfile, "clone", i, clone);
    }
    return rc < 0 ? rc : xenfork__keyfile_write(ctx, marker, keyfile);
}

/*
 * Give a file another parent.  A file that has another one meanwhile has been
 * forked, and is left alone.
 */
static int relink(xenfork_ctx *ctx, const char *path, const char *upper,
                  const char *lower)
{
    struct xenfork__vhd vhd = {0};
    cleanup_free char *parent = NULL;
    const char *file = xenfork__vhd_file(path);
    int rc = xenfork__sys_vhd_query(ctx, file, &vhd);

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    parent = vhd.parent;
    if (!parent || (strcmp(parent, xenfork__vhd_file(upper)) != 0 &&
                    strcmp(parent, xenfork__vhd_file(lower)) != 0))
        return 0;
    rc = xenfork__sys_vhd_relink(ctx, file, xenfork__vhd_file(lower));
    return rc < 0 ? rc : xenfork__sys_vhd_sync(ctx, file);
}

/* Lock the clone that has the file.  BUSY: it is being forked, or moved */
static int lock_clone_of_file(xenfork_ctx *ctx, const char *clone,
                              struct xenfork__lock **lock_out)
{
    static const uint8_t none[16];
    uint8_t uuid[16];

    if (!clone || !xenfork__uuid_parse(clone, uuid) ||
        !memcmp(uuid, none, sizeof(uuid)))
        return 0;
    return xenfork__lock_take(ctx, clone, false, lock_out);
}

static int relink_all(xenfork_ctx *ctx, const struct xenfork__keyfile *keyfile,
                      const char *upper, bool is_locking)
{
    const char *lower = xenfork__keyfile_get(keyfile, "lower"), *path;
    uint32_t i;
    int rc = 0;

    for (i = 0; lower && rc >= 0 &&
                (path = xenfork__keyfile_get_nth(keyfile, "above", i));
         i++) {
        cleanup_lock struct xenfork__lock *lock = NULL;

        if (is_locking)
            rc = lock_clone_of_file(
                ctx, xenfork__keyfile_get_nth(keyfile, "clone", i), &lock);
        if (rc == 0)
            rc = relink(ctx, path, upper, lower);
    }
    return rc;
}

/*
 * Relink the files above a coalesced one.  NOTFOUND, not logged: it was not
 * coalesced.
 */
static int relink_coalesced(xenfork_ctx *ctx,
                            const struct xenfork__collapse_request *request,
                            const char *upper)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    cleanup_free char *marker = marker_of(ctx, upper);
    int rc;

    if (!marker)
        return XENFORK_E_NOMEM;
    if ((rc = xenfork__keyfile_read(ctx, marker, &keyfile)) < 0 ||
        (!xenfork__keyfile_get_nth(keyfile, "above", 0) &&
         (rc = note_above(ctx, request, marker, upper, keyfile)) < 0))
        return rc;
    return relink_all(ctx, keyfile, upper, true);
}

int xenfork__vhd_relink(xenfork_ctx *ctx,
                        const struct xenfork__collapse_request *request,
                        bool *again_out)
{
    cleanup_base struct xenfork__base_list list = {0};
    bool has_done = false;
    size_t i;
    int rc = xenfork__base_load(ctx, &list);

    for (i = 0; i < list.count && rc >= 0; i++) {
        if (strcmp(list.items[i].from, request->from) != 0)
            continue;
        rc = relink_coalesced(ctx, request, list.items[i].path);
        has_done |= rc == 0;
        *again_out |= rc == 0 || rc == XENFORK_E_BUSY;
        if (rc == XENFORK_E_NOTFOUND || rc == XENFORK_E_BUSY)
            rc = 0;
    }
    return rc == 0 && has_done ? request->ops->sweep(ctx) : rc;
}

int xenfork__vhd_forget_coalesced(xenfork_ctx *ctx, const char *file)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    cleanup_free char *marker = marker_of(ctx, file);
    int rc = marker ? xenfork__keyfile_read(ctx, marker, &keyfile)
                    : XENFORK_E_NOMEM;

    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    if (rc == 0)
        rc = relink_all(ctx, keyfile, file, false);
    return rc < 0 ? rc : xenfork__file_remove(ctx, marker);
}
