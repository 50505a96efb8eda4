/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Undoing what a journal says was begun: by its owner, or for a dead one. */
#include "state/journal-private.h"

#include <string.h>

#include "disk/disk.h"
#include "op/claims.h"
#include "op/detach.h"
#include "op/reserve.h"
#include "op/restarted.h"
#include "op/rollback.h"
#include "state/files.h"
#include "state/record.h"

/* A disk as a journal speaks of it. */
struct entry {
    const char *operation, *driver;
    struct xenfork__snapshot snapshot;
};

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* Read an entry.  False: there are no more. */
static bool entry_of(const struct xenfork__journal *journal, uint32_t n,
                     struct entry *out)
{
    const struct xenfork__keyfile *keyfile = journal->keyfile;

    *out = (struct entry){
        .operation = or_empty(
            xenfork__keyfile_get_nth(keyfile, "disk.operation", n)),
        .driver = xenfork__keyfile_get_nth(keyfile, "disk.driver", n),
        .snapshot = {
            .domid = XENFORK_DOMID_NONE,
            .vdev = or_empty(xenfork__keyfile_get_nth(keyfile, "disk.vdev", n)),
            .from = or_empty(xenfork__keyfile_get_nth(keyfile, "disk.from", n)),
            .to = xenfork__keyfile_get_nth(keyfile, "disk.path", n)}};
    return n < XENFORK__JOURNAL_MAX_NTH && out->driver && out->snapshot.to;
}

static bool is_detach(const struct entry *entry)
{
    return !strcmp(entry->operation, XENFORK__JOURNAL_DETACH);
}

/* Tell whether it is a disk that a reset removes when it is done. */
static bool is_replaced(const struct entry *entry)
{
    return !strcmp(entry->operation, XENFORK__JOURNAL_REPLACED);
}

/*
 * Undo a detach; a disk that was switched already stays so, and the records say
 * it.
 */
static int undo_detach(xenfork_ctx *ctx, const struct entry *entry)
{
    bool is_switched;
    int rc = xenfork__disk_detach_recover(ctx, entry->driver, &entry->snapshot,
                                          &is_switched);

    return rc == 0 && is_switched
               ? xenfork__detach_switched(ctx, &entry->snapshot)
               : rc;
}

/*
 * Undo the snapshots, best before the source runs on.  The domain that has its
 * UUID now has its disks open.
 */
static int undo_snapshots(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    uint32_t n, domid = XENFORK_DOMID_NONE;
    struct entry entry;
    uint8_t uuid[16];
    int rc = 0, r;

    if (xenfork__journal_uuid(journal, "source", UINT32_MAX, uuid) &&
        (r = xenfork__xen_by_uuid(ctx, uuid, &domid)) < 0 &&
        r != XENFORK_E_NOTFOUND)
        return r;
    for (n = 0; entry_of(journal, n, &entry); n++) {
        entry.snapshot.domid = domid;
        if (is_detach(&entry))
            r = undo_detach(ctx, &entry);
        else if (!strcmp(entry.operation, XENFORK__JOURNAL_SNAPSHOT))
            r = xenfork__disk_abort(ctx, entry.driver, &entry.snapshot);
        else if (!strcmp(entry.operation, XENFORK__JOURNAL_OVERLAY) ||
                 is_replaced(&entry))
            continue;
        else
            r = xenfork__fail(ctx, XENFORK_E_STATE, 0,
                              "the journal has an unknown operation on %s",
                              entry.snapshot.to);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

static int undo_frozen(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    uint8_t uuid[16];

    if (!xenfork__journal_flag(journal, "source.freezing") ||
        !xenfork__journal_uuid(journal, "source", UINT32_MAX, uuid))
        return 0;
    return xenfork__record_remove(ctx, XENFORK_KIND_FROZEN, uuid);
}

/*
 * Tell whether a clone's domain is the one that we began: its record says so,
 * or, before there is a record, it has never run.  The user may have chosen the
 * UUID, and may have made an own domain with it.
 */
static int is_begun(xenfork_ctx *ctx, const struct xenfork__journal *journal,
                    uint32_t n, const struct xenfork__record *record,
                    uint32_t domid, bool *is_out)
{
    const char *wanted = xenfork__keyfile_get_nth(journal->keyfile, "name", n);
    cleanup_free char *name = NULL;
    struct xenfork__dominfo info;
    int rc;

    if (record && xenfork__record_has_domid(ctx, record, domid)) {
        *is_out = true;
        return 0;
    }
    if ((rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc;
    rc = xenfork__xen_name(ctx, domid, &name);
    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    *is_out = info.is_paused && !info.cpu_ns &&
              (!name || !wanted || !strcmp(name, wanted));
    return 0;
}

/* Undo a domain that was begun, found by its UUID. */
static int undo_domain(xenfork_ctx *ctx, const struct xenfork__journal *journal,
                       uint32_t n, const struct xenfork__record *record,
                       const uint8_t uuid[16])
{
    bool is_ours = false;
    uint32_t domid;
    int rc;

    if (!xenfork__journal_is_of_this_boot(ctx, journal))
        return 0; /* it went with the host */
    rc = xenfork__xen_by_uuid(ctx, uuid, &domid);
    if (rc == 0 && n != UINT32_MAX)
        rc = is_begun(ctx, journal, n, record, domid, &is_ours);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (is_ours || n == UINT32_MAX)
        return xenfork__xen_destroy(ctx, domid);
    LOG_WARN(ctx, "domain %u is not the clone that was begun, leaving it",
             domid);
    return 0;
}

/*
 * Destroy a domain, and remove its record; n UINT32_MAX: the image, whose UUID
 * we drew.
 */
static int undo_record(xenfork_ctx *ctx, const struct xenfork__journal *journal,
                       int kind, uint32_t n, const uint8_t uuid[16])
{
    cleanup_record struct xenfork__record *record = NULL;
    int rc = xenfork__record_load(ctx, kind, uuid, &record);
    if (rc < 0 && rc != XENFORK_E_NOTFOUND && rc != XENFORK_E_STATE)
        return rc;
    if (record && strcmp(record->journal, journal->id))
        return 0; /* another fork's */
    /* While the domain is there its record is what says that it is ours. */
    rc = undo_domain(ctx, journal, n, record, uuid);
    return rc < 0 ? rc : xenfork__record_remove(ctx, kind, uuid);
}

static int undo_records(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    uint8_t uuid[16];
    uint32_t n;
    int rc = 0, r;

    for (n = 0; n < XENFORK__JOURNAL_MAX_NTH &&
                xenfork__journal_uuid(journal, "clone", n, uuid);
         n++) {
        r = undo_record(ctx, journal, XENFORK_KIND_CLONE, n, uuid);
        rc = rc < 0 ? rc : r;
    }
    if (xenfork__journal_uuid(journal, "image", UINT32_MAX, uuid)) {
        r = undo_record(ctx, journal, XENFORK_KIND_IMAGE, UINT32_MAX, uuid);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

/*
 * Undo a start, but only what we made: a domain that has run was complete, and
 * the clone has started.
 */
static int undo_start(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    struct xenfork__dominfo info;
    uint8_t uuid[16];
    uint32_t domid;
    char mark[37];
    int rc;

    if (!xenfork__journal_is_of_this_boot(ctx, journal) ||
        !xenfork__journal_uuid(journal, "start", UINT32_MAX, uuid))
        return 0;
    if ((rc = xenfork__xen_by_uuid(ctx, uuid, &domid)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if ((rc = xenfork__xen_made_for(ctx, domid, mark)) < 0)
        return rc;
    if (strcmp(mark, journal->id) != 0)
        return 0;
    if (info.is_paused && !info.cpu_ns)
        return xenfork__xen_destroy(ctx, domid);
    xenfork__restarted_here(ctx, uuid);
    return 0;
}

/*
 * Tell whether a file that abort() has not put back, or of a detach that has
 * not ended, is still needed; or is not ours to remove here.
 */
static bool is_undone_by_driver(const struct entry *entry)
{
    const struct xenfork__disk_driver *driver = xenfork__disk_driver(
        entry->driver);

    return is_detach(entry) || is_replaced(entry) ||
           (!strcmp(entry->operation, XENFORK__JOURNAL_SNAPSHOT) && driver &&
            driver->abort);
}

static int undo_disks(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    struct entry entry;
    bool is_done;
    uint32_t n;
    int rc = xenfork__reset_is_done(ctx, journal, &is_done), r;

    if (rc < 0 || is_done)
        return rc;
    for (n = 0; entry_of(journal, n, &entry); n++) {
        if (is_undone_by_driver(&entry))
            continue;
        r = xenfork__disk_remove(ctx, entry.driver, entry.snapshot.to);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

/* Undo the reservation of an image that existed before the fork. */
static int undo_image_claim(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    uint64_t max_pages;
    uint8_t uuid[16];
    uint32_t domid;
    int rc;

    if (!xenfork__journal_uuid(journal, "claim.image", UINT32_MAX, uuid) ||
        !xenfork__keyfile_get_u64(journal->keyfile, "claim.max_pages",
                                  &max_pages))
        return 0;
    rc = xenfork__xen_by_uuid(ctx, uuid, &domid);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    return xenfork__reservation_end(ctx, domid, max_pages);
}

static int undo_source_claim(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    uint8_t uuid[16];

    if (!xenfork__journal_uuid(journal, "source", UINT32_MAX, uuid))
        return 0;
    return xenfork__claim_adjust(ctx, uuid, NULL);
}

/*
 * Reduce the reservation to what is left of the old one: the domain has used a
 * part of it.
 */
static int undo_reserve(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    struct xenfork__dominfo info;
    uint64_t pages;
    uint8_t uuid[16];
    uint32_t domid;
    int rc;

    if (!xenfork__journal_is_of_this_boot(ctx, journal) ||
        !xenfork__journal_uuid(journal, "reserve", UINT32_MAX, uuid) ||
        !xenfork__keyfile_get_u64(journal->keyfile, "reserve.pages", &pages))
        return 0;
    if ((rc = xenfork__xen_by_uuid(ctx, uuid, &domid)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    return xenfork__xen_claim(ctx, domid,
                              pages > info.private_pages ? pages : 0);
}

static bool has_suspended(const struct xenfork__journal *journal)
{
    return xenfork__journal_flag(journal, XENFORK__UNDO_SUSPENDED) ||
           xenfork__journal_flag(journal, XENFORK__UNDO_STOPPED);
}

/*
 * Note in a journal that stays why it does, and that its source runs on.
 * Without space for that it is as before, which is all that undoing needs.
 */
static void note_reason(xenfork_ctx *ctx, struct xenfork__journal *journal,
                        const char *reason, bool was_suspended)
{
    const char *noted = xenfork__keyfile_get(journal->keyfile,
                                             XENFORK__JOURNAL_REASON);

    if (noted && !strcmp(noted, reason) &&
        was_suspended == has_suspended(journal))
        return;
    if (xenfork__keyfile_set(ctx, journal->keyfile, XENFORK__JOURNAL_REASON,
                             reason) == 0)
        xenfork__keyfile_write(ctx, journal->path, journal->keyfile);
}

/*
 * Roll back without writing anything, so that a full disk is no reason to fail.
 */
int xenfork__journal_rollback(xenfork_ctx *ctx,
                              struct xenfork__journal *journal)
{
    static int (*const steps[])(xenfork_ctx *, struct xenfork__journal *) = {
        undo_snapshots,
        xenfork__undo_source,
        xenfork__undo_muting,
        xenfork__undo_logging,
        xenfork__undo_pool,
        undo_frozen,
        xenfork__undo_published,
        undo_start,
        xenfork__undo_reset,
        undo_records,
        undo_disks,
        undo_image_claim,
        undo_source_claim,
        undo_reserve,
    };
    bool was_suspended = has_suspended(journal);
    cleanup_free char *reason = NULL;
    size_t i;
    int rc = 0;

    for (i = 0; i < ARRAY_SIZE(steps); i++)
        if (steps[i](ctx, journal) < 0) {
            rc = XENFORK_E_RESIDUE;
            if (!reason)
                reason = strdup(ctx->error.text);
        }
    if (rc == 0 && xenfork__file_remove(ctx, journal->path) < 0)
        rc = XENFORK_E_RESIDUE;
    if (reason)
        note_reason(ctx, journal, reason, was_suspended);
    if (rc < 0) {
        xenfork__fail(ctx, rc, 0, "journal %s cannot be undone completely",
                      journal->id);
        xenfork__remedy(ctx, XENFORK__JOURNAL_REMEDY);
    }
    xenfork__journal_free(ctx, journal);
    return rc;
}
