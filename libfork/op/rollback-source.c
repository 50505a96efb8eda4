/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Undoing what was done to a source: it runs on as before. */
#include "op/rollback.h"

#include <string.h>

#include "host/host.h"
#include "op/memory.h"
#include "op/saved.h"
#include "xen/xen.h"

/*
 * Find the very domain that was the source; another one that has its UUID by
 * now is not touched.  NOTFOUND, not logged
 */
static int find_source(xenfork_ctx *ctx, struct xenfork__journal *journal,
                       struct xenfork__dominfo *info_out)
{
    struct xenfork__dominfo info;
    uint8_t uuid[16];
    uint64_t domid;
    int rc;

    if (!xenfork__journal_uuid(journal, "source", UINT32_MAX, uuid) ||
        !xenfork__keyfile_get_u64(journal->keyfile, "source.domid", &domid) ||
        domid >= XENFORK_DOMID_NONE ||
        !xenfork__journal_is_of_this_boot(ctx, journal))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no source");
    rc = xenfork__xen_info(ctx, (uint32_t)domid, &info);
    if (rc < 0)
        return rc;
    if (info.is_dying || memcmp(info.uuid, uuid, 16))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "the source is gone");
    *info_out = info;
    return 0;
}

/* Undo a suspension that we made, or were about to make: the source runs on. */
static int undo_suspension(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           uint32_t domid)
{
    struct xenfork__dominfo info;
    int rc;

    if ((rc = xenfork__xen_withdraw_suspend(ctx, domid)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc;
    if (xenfork__journal_flag(journal, "source.was_paused") &&
        !info.is_paused && (rc = xenfork__xen_pause(ctx, domid)) < 0)
        return rc;
    if (info.is_shutdown && info.shutdown_reason == XENFORK__SHUTDOWN_SUSPEND &&
        (rc = xenfork__xen_resume(ctx, domid)) < 0)
        return rc;
    /* Not written: it is only if something else cannot be undone. */
    return xenfork__keyfile_set_u64(ctx, journal->keyfile,
                                    XENFORK__UNDO_SUSPENDED, false);
}

/* Undo that we stopped the source, or were about to. */
static int undo_stop(xenfork_ctx *ctx, struct xenfork__journal *journal,
                     uint32_t domid)
{
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, domid, &info);

    if (rc < 0)
        return rc;
    /* A source that has powered off or crashed before stays as it is. */
    if ((!info.is_shutdown ||
         info.shutdown_reason == XENFORK__SHUTDOWN_SUSPEND) &&
        ((xenfork__journal_flag(journal, "source.was_paused") &&
          !info.is_paused && (rc = xenfork__xen_pause(ctx, domid)) < 0) ||
         (rc = xenfork__xen_go_on(ctx, domid)) < 0))
        return rc;
    return xenfork__keyfile_set_u64(ctx, journal->keyfile,
                                    XENFORK__UNDO_STOPPED, false);
}

/* Tell whether the source has run since its user paused it. */
static bool has_run(const struct xenfork__journal *journal,
                    const struct xenfork__dominfo *info)
{
    uint64_t cpu_ns;

    return xenfork__keyfile_get_u64(journal->keyfile, "source.cpu_ns",
                                    &cpu_ns) &&
           info->cpu_ns != cpu_ns;
}

/*
 * Undo a pause that we made.  xenforkd pauses no domain that is paused: one
 * that it has paused since we were killed was running, and is not ours to
 * resume.
 */
static int undo_pause(xenfork_ctx *ctx, struct xenfork__journal *journal,
                      uint32_t domid)
{
    struct xenfork__dominfo info;
    bool is_theirs;
    int rc = xenfork__xen_info(ctx, domid, &info);

    if (rc < 0 || !info.is_paused ||
        (rc = xenfork__memory_has_paused(ctx, &info, &is_theirs)) < 0 ||
        is_theirs ||
        (xenfork__journal_flag(journal, "source.was_paused") &&
         !has_run(journal, &info)))
        return rc;
    return xenfork__xen_unpause(ctx, domid);
}

/*
 * Let a source run that was suspended or stopped.  Long after that it may be
 * somebody who saves it now that has suspended it: then the journal waits until
 * that has ended.
 */
static int let_run(xenfork_ctx *ctx, struct xenfork__journal *journal,
                   uint32_t domid)
{
    int rc = journal->is_ownerless ? xenfork__saved_refuse(ctx, domid) : 0;

    if (rc < 0)
        return rc;
    return xenfork__journal_flag(journal, XENFORK__UNDO_SUSPENDED)
               ? undo_suspension(ctx, journal, domid)
               : undo_stop(ctx, journal, domid);
}

/* Undo everything about the source, which runs on as before. */
int xenfork__undo_source(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    struct xenfork__dominfo info;
    int rc = find_source(ctx, journal, &info);

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (xenfork__journal_flag(journal, XENFORK__UNDO_SUSPENDED) ||
        xenfork__journal_flag(journal, XENFORK__UNDO_STOPPED))
        return let_run(ctx, journal, info.domid);
    return xenfork__journal_flag(journal, "source.pausing")
               ? undo_pause(ctx, journal, info.domid)
               : 0;
}

/* Let the source's NICs hear again. */
int xenfork__undo_muting(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    struct xenfork__dominfo info;
    const char *ifname;
    uint32_t n;
    int rc, r;

    if (!xenfork__journal_flag(journal, "source.muted"))
        return 0;
    rc = find_source(ctx, journal, &info);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    for (n = 0;
         (ifname = xenfork__keyfile_get_nth(journal->keyfile, "source.nic", n));
         n++) {
        r = xenfork__sys_unmute(ctx, ifname);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

/* End the log of what the source writes, which slows it down. */
int xenfork__undo_logging(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    struct xenfork__dominfo info;
    int rc;

    if (!xenfork__journal_flag(journal, "source.logging"))
        return 0;
    rc = find_source(ctx, journal, &info);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (!xenfork__sys_is_saved(info.domid))
        return xenfork__xen_dirty_end(ctx, info.domid);
    LOG_WARN(ctx,
             "domain %u is being migrated: Xen goes on logging what it "
             "writes, ignoring",
             info.domid);
    return 0;
}

/* Take back what the source's page tables did not need. */
int xenfork__undo_pool(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    struct xenfork__dominfo info;
    uint64_t bytes;
    int rc;

    if (!xenfork__keyfile_get_u64(journal->keyfile, "source.pool", &bytes))
        return 0;
    rc = find_source(ctx, journal, &info);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    return xenfork__xen_pool_limit(ctx, info.domid, bytes);
}

/* Undo that the domain was told that it is a source. */
int xenfork__undo_published(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    struct xenfork__dominfo info;
    int rc;

    if (!xenfork__journal_flag(journal, "source.published"))
        return 0;
    rc = find_source(ctx, journal, &info);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    return xenfork__xen_guest_remove(ctx, info.domid);
}
