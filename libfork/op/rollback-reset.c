/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Undoing a reset of a clone, or completing it, by what its journal says.  As
 * long as the clone's record names another journal, nothing has changed but
 * that its domain may be gone; from then on the new domain and the new disks
 * are the clone's.
 */
#include "op/rollback.h"

#include <string.h>

#include "disk/disk.h"
#include "op/domain.h"
#include "op/hydrate.h"
#include "op/reserve.h"

/* Load the clone.  NOTFOUND, not logged: it is gone, or it is no reset */
static int load_reset(xenfork_ctx *ctx, const struct xenfork__journal *journal,
                      struct xenfork__record **record_out)
{
    uint8_t uuid[16];

    if (!xenfork__journal_uuid(journal, "reset", UINT32_MAX, uuid))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND,
                             "journal %s is not of a reset", journal->id);
    return xenfork__record_load(ctx, XENFORK_KIND_CLONE, uuid, record_out);
}

int xenfork__reset_is_done(xenfork_ctx *ctx,
                           const struct xenfork__journal *journal, bool *is_out)
{
    cleanup_record struct xenfork__record *clone = NULL;
    int rc = load_reset(ctx, journal, &clone);

    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    *is_out = clone && !strcmp(clone->journal, journal->id);
    return 0;
}

/* Let the new domain run, if it is to; it must not lack what Xen cannot give.
 */
static int start_reset(xenfork_ctx *ctx, const struct xenfork__journal *journal,
                       struct xenfork__record *clone)
{
    struct xenfork__dominfo info;
    bool is_covered;
    int rc = xenfork__record_info(ctx, clone, &info);

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (xenfork__journal_flag(journal, "reset.paused") || !info.is_paused ||
        info.cpu_ns)
        return 0;
    if (clone->hydrated < 100 &&
        ((rc = xenfork__cover(
              ctx, clone,
              &(struct xenfork__reservation){.asked_pages = clone->reserved},
              &is_covered)) < 0 ||
         (!is_covered && (rc = xenfork__hydrate(ctx, clone, 0)) < 0)))
        return rc;
    return xenfork__xen_unpause(ctx, clone->domid);
}

static int remove_replaced(xenfork_ctx *ctx,
                           const struct xenfork__journal *journal)
{
    const char *operation, *driver, *path;
    uint32_t n;
    int rc = 0, r;

    for (n = 0; (operation = xenfork__keyfile_get_nth(journal->keyfile,
                                                      "disk.operation", n));
         n++) {
        driver = xenfork__keyfile_get_nth(journal->keyfile, "disk.driver", n);
        path = xenfork__keyfile_get_nth(journal->keyfile, "disk.path", n);
        if (strcmp(operation, XENFORK__JOURNAL_REPLACED) || !driver || !path)
            continue;
        r = xenfork__disk_remove(ctx, driver, path);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

int xenfork__reset_complete(xenfork_ctx *ctx,
                            const struct xenfork__journal *journal)
{
    cleanup_record struct xenfork__record *clone = NULL;
    int rc;

    if ((rc = load_reset(ctx, journal, &clone)) < 0 ||
        (rc = start_reset(ctx, journal, clone)) < 0)
        return rc;
    return remove_replaced(ctx, journal);
}

/*
 * Tell whether a domain is one that the reset leaves behind: the new one, which
 * has never run; or the old one, which it had begun to destroy.
 */
static bool is_left_by_reset(const struct xenfork__journal *journal,
                             uint32_t domid,
                             const struct xenfork__dominfo *info)
{
    uint64_t old;

    if (!xenfork__keyfile_get_u64(journal->keyfile, "reset.domid", &old))
        return false;
    return domid == old ? xenfork__journal_flag(journal, "reset.retiring")
                        : info->is_paused && !info->cpu_ns;
}

static int undo_reset_domain(xenfork_ctx *ctx,
                             const struct xenfork__journal *journal)
{
    struct xenfork__dominfo info;
    uint8_t uuid[16];
    uint32_t domid;
    int rc;

    if (!xenfork__journal_is_of_this_boot(ctx, journal) ||
        !xenfork__journal_uuid(journal, "reset", UINT32_MAX, uuid))
        return 0;
    if ((rc = xenfork__xen_by_uuid(ctx, uuid, &domid)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    return is_left_by_reset(journal, domid, &info)
               ? xenfork__xen_destroy(ctx, domid)
               : 0;
}

int xenfork__undo_reset(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    bool is_done;
    int rc = xenfork__reset_is_done(ctx, journal, &is_done);

    if (rc < 0)
        return rc;
    return is_done ? xenfork__reset_complete(ctx, journal)
                   : undo_reset_domain(ctx, journal);
}
