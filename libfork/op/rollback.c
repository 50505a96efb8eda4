/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Undoing what a journal says was begun: by its owner, or for a dead one. */
#include "state/journal-private.h"

#include <string.h>

#include "disk/disk.h"
#include "op/detach.h"
#include "op/reserve.h"
#include "state/files.h"
#include "state/record.h"

#define SUSPENDED "source.suspended"

static bool uuid_of(const struct xenfork__txn *txn, const char *key, uint32_t n,
                    uint8_t uuid_out[16])
{
    const char *text = n == UINT32_MAX
                           ? xenfork__record_get(txn->record, key)
                           : xenfork__record_get_nth(txn->record, key, n);

    return text && xenfork__uuid_parse(text, uuid_out);
}

static bool flag_of(const struct xenfork__txn *txn, const char *key)
{
    uint64_t value;

    return xenfork__record_get_u64(txn->record, key, &value) && value;
}

/* Tell whether it was begun since this host was booted. */
static bool is_of_this_boot(xenfork_ctx *ctx, const struct xenfork__txn *txn)
{
    const char *boot = xenfork__record_get(txn->record, "boot");

    return boot && !strcmp(boot, ctx->boot);
}

/*
 * Find the very domain that was the source; another one that has its UUID by
 * now is not touched.  NOTFOUND, not logged
 */
static int find_source(xenfork_ctx *ctx, struct xenfork__txn *txn,
                       struct xenfork__dominfo *info_out)
{
    struct xenfork__dominfo info;
    uint8_t uuid[16];
    uint64_t domid;
    int rc;

    if (!uuid_of(txn, "source", UINT32_MAX, uuid) ||
        !xenfork__record_get_u64(txn->record, "source.domid", &domid) ||
        domid >= XENFORK_DOMID_NONE || !is_of_this_boot(ctx, txn))
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
static int undo_suspension(xenfork_ctx *ctx, struct xenfork__txn *txn,
                           uint32_t domid)
{
    struct xenfork__dominfo info;
    int rc;

    if ((rc = xenfork__xen_settle_suspend(ctx, domid)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc;
    if (flag_of(txn, "source.was_paused") && !info.is_paused &&
        (rc = xenfork__xen_pause(ctx, domid)) < 0)
        return rc;
    if (info.is_shutdown && info.shutdown_reason == XENFORK__SHUTDOWN_SUSPEND &&
        (rc = xenfork__xen_resume(ctx, domid)) < 0)
        return rc;
    /* Not written: it is only if something else cannot be undone. */
    return xenfork__record_set_u64(ctx, txn->record, SUSPENDED, false);
}

/* Tell whether the source has run since its user paused it. */
static bool has_run(const struct xenfork__txn *txn,
                    const struct xenfork__dominfo *info)
{
    uint64_t cpu_ns;

    return xenfork__record_get_u64(txn->record, "source.cpu_ns", &cpu_ns) &&
           info->cpu_ns != cpu_ns;
}

/* Undo a pause that we made. */
static int undo_pause(xenfork_ctx *ctx, struct xenfork__txn *txn,
                      uint32_t domid)
{
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, domid, &info);

    if (rc < 0 || !info.is_paused ||
        (flag_of(txn, "source.was_paused") && !has_run(txn, &info)))
        return rc;
    return xenfork__xen_unpause(ctx, domid);
}

/* A disk as a journal speaks of it. */
struct entry {
    const char *operation, *driver;
    struct xenfork__cut cut;
};

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* Read an entry.  False: there are no more. */
static bool entry_of(const struct xenfork__txn *txn, uint32_t n,
                     struct entry *out)
{
    const struct xenfork__record *record = txn->record;

    *out = (struct entry){
        .operation = or_empty(
            xenfork__record_get_nth(record, "disk.operation", n)),
        .driver = xenfork__record_get_nth(record, "disk.driver", n),
        .cut = {
            .domid = XENFORK_DOMID_NONE,
            .vdev = or_empty(xenfork__record_get_nth(record, "disk.vdev", n)),
            .from = or_empty(xenfork__record_get_nth(record, "disk.from", n)),
            .to = xenfork__record_get_nth(record, "disk.path", n)}};
    return n < XENFORK__TXN_MAX_NTH && out->driver && out->cut.to;
}

static bool is_detach(const struct entry *entry)
{
    return !strcmp(entry->operation, XENFORK__TXN_DETACH);
}

/*
 * Undo a detach; a disk that was switched already stays so, and the records say
 * it.
 */
static int undo_detach(xenfork_ctx *ctx, const struct entry *entry)
{
    bool is_switched;
    int rc = xenfork__disk_detach_settle(ctx, entry->driver, &entry->cut,
                                         &is_switched);

    return rc == 0 && is_switched ? xenfork__detach_switched(ctx, &entry->cut)
                                  : rc;
}

/*
 * Undo the snapshots, best before the source runs on.  The domain that has its
 * UUID now has its disks open.
 */
static int undo_cuts(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    uint32_t n, domid = XENFORK_DOMID_NONE;
    struct entry entry;
    uint8_t uuid[16];
    int rc = 0, r;

    if (uuid_of(txn, "source", UINT32_MAX, uuid) &&
        (r = xenfork__xen_by_uuid(ctx, uuid, &domid)) < 0 &&
        r != XENFORK_E_NOTFOUND)
        return r;
    for (n = 0; entry_of(txn, n, &entry); n++) {
        entry.cut.domid = domid;
        if (is_detach(&entry))
            r = undo_detach(ctx, &entry);
        else if (!strcmp(entry.operation, XENFORK__TXN_SNAPSHOT))
            r = xenfork__disk_abort(ctx, entry.driver, &entry.cut);
        else if (!strcmp(entry.operation, XENFORK__TXN_OVERLAY))
            continue;
        else
            r = xenfork__fail(ctx, XENFORK_E_STATE, 0,
                              "the journal has an unknown operation on %s",
                              entry.cut.to);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

/* Undo everything about the source, which runs on as before. */
static int undo_source(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    struct xenfork__dominfo info;
    int rc = find_source(ctx, txn, &info);

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (flag_of(txn, SUSPENDED))
        return undo_suspension(ctx, txn, info.domid);
    return flag_of(txn, "source.pausing") ? undo_pause(ctx, txn, info.domid)
                                          : 0;
}

static int undo_frozen(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    uint8_t uuid[16];

    if (!flag_of(txn, "source.freezing") ||
        !uuid_of(txn, "source", UINT32_MAX, uuid))
        return 0;
    return xenfork__node_remove(ctx, XENFORK_KIND_FROZEN, uuid);
}

/* Undo that the domain was told that it is a source. */
static int undo_published(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    struct xenfork__dominfo info;
    int rc;

    if (!flag_of(txn, "source.published"))
        return 0;
    rc = find_source(ctx, txn, &info);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    return xenfork__xen_guest_retract(ctx, info.domid);
}

/*
 * Tell whether a clone's domain is the one that we began: its record says so,
 * or, before there is a record, it has never run.  The user may have chosen the
 * UUID, and may have made an own domain with it.
 */
static int is_begun(xenfork_ctx *ctx, const struct xenfork__txn *txn,
                    uint32_t n, const struct xenfork__node *node,
                    uint32_t domid, bool *is_out)
{
    const char *wanted = xenfork__record_get_nth(txn->record, "name", n);
    cleanup_free char *name = NULL;
    struct xenfork__dominfo info;
    int rc;

    if (node && xenfork__node_has_domid(ctx, node, domid)) {
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
static int undo_domain(xenfork_ctx *ctx, const struct xenfork__txn *txn,
                       uint32_t n, const struct xenfork__node *node,
                       const uint8_t uuid[16])
{
    bool is_ours = false;
    uint32_t domid;
    int rc;

    if (!is_of_this_boot(ctx, txn))
        return 0; /* it went with the host */
    rc = xenfork__xen_by_uuid(ctx, uuid, &domid);
    if (rc == 0 && n != UINT32_MAX)
        rc = is_begun(ctx, txn, n, node, domid, &is_ours);
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
static int undo_node(xenfork_ctx *ctx, const struct xenfork__txn *txn, int kind,
                     uint32_t n, const uint8_t uuid[16])
{
    cleanup_node struct xenfork__node *node = NULL;
    int rc = xenfork__node_load(ctx, kind, uuid, &node);
    if (rc < 0 && rc != XENFORK_E_NOTFOUND && rc != XENFORK_E_STATE)
        return rc;
    if (node && strcmp(node->txn, txn->id))
        return 0; /* another fork's */
    /* While the domain is there its record is what says that it is ours. */
    rc = undo_domain(ctx, txn, n, node, uuid);
    return rc < 0 ? rc : xenfork__node_remove(ctx, kind, uuid);
}

static int undo_nodes(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    uint8_t uuid[16];
    uint32_t n;
    int rc = 0, r;

    for (n = 0; n < XENFORK__TXN_MAX_NTH && uuid_of(txn, "clone", n, uuid);
         n++) {
        r = undo_node(ctx, txn, XENFORK_KIND_CLONE, n, uuid);
        rc = rc < 0 ? rc : r;
    }
    if (uuid_of(txn, "image", UINT32_MAX, uuid)) {
        r = undo_node(ctx, txn, XENFORK_KIND_IMAGE, UINT32_MAX, uuid);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

/*
 * Undo a start, but only what we made: a domain that has run was complete, and
 * the clone has started.
 */
static int undo_start(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    struct xenfork__dominfo info;
    uint8_t uuid[16];
    uint32_t domid;
    char mark[37];
    int rc;

    if (!is_of_this_boot(ctx, txn) || !uuid_of(txn, "start", UINT32_MAX, uuid))
        return 0;
    if ((rc = xenfork__xen_by_uuid(ctx, uuid, &domid)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if ((rc = xenfork__xen_made_for(ctx, domid, mark)) < 0)
        return rc;
    return !strcmp(mark, txn->id) && info.is_paused && !info.cpu_ns
               ? xenfork__xen_destroy(ctx, domid)
               : 0;
}

/*
 * Tell whether a file that abort() has not put back, or of a detach that has
 * not ended, is still needed.
 */
static bool is_undone_by_driver(const struct entry *entry)
{
    const struct xenfork__disk_driver *driver = xenfork__disk_driver(
        entry->driver);

    return is_detach(entry) ||
           (!strcmp(entry->operation, XENFORK__TXN_SNAPSHOT) && driver &&
            driver->abort);
}

static int undo_disks(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    struct entry entry;
    uint32_t n;
    int rc = 0, r;

    for (n = 0; entry_of(txn, n, &entry); n++) {
        if (is_undone_by_driver(&entry))
            continue;
        r = xenfork__disk_remove(ctx, entry.driver, entry.cut.to);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

/* Undo the reservation of an image that existed before the fork. */
static int undo_image_claim(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    uint64_t max_pages;
    uint8_t uuid[16];
    uint32_t domid;
    int rc;

    if (!uuid_of(txn, "claim.image", UINT32_MAX, uuid) ||
        !xenfork__record_get_u64(txn->record, "claim.max_pages", &max_pages))
        return 0;
    rc = xenfork__xen_by_uuid(ctx, uuid, &domid);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    return xenfork__promise_end(ctx, domid, max_pages);
}

static int undo_source_claim(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    uint8_t uuid[16];

    if (!uuid_of(txn, "source", UINT32_MAX, uuid))
        return 0;
    return xenfork__claim_settle(ctx, uuid, NULL);
}

/*
 * Reduce the reservation to what is left of the old one: the domain has used a
 * part of it.
 */
static int undo_reserve(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    struct xenfork__dominfo info;
    uint64_t pages;
    uint8_t uuid[16];
    uint32_t domid;
    int rc;

    if (!is_of_this_boot(ctx, txn) ||
        !uuid_of(txn, "reserve", UINT32_MAX, uuid) ||
        !xenfork__record_get_u64(txn->record, "reserve.pages", &pages))
        return 0;
    if ((rc = xenfork__xen_by_uuid(ctx, uuid, &domid)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    return xenfork__xen_claim(ctx, domid,
                              pages > info.private_pages ? pages : 0);
}

/*
 * Note in a journal that stays why it does, and that its source runs on.
 * Without space for that it is as before, which is all that undoing needs.
 */
static void note_reason(xenfork_ctx *ctx, struct xenfork__txn *txn,
                        const char *reason, bool was_suspended)
{
    const char *noted = xenfork__record_get(txn->record, XENFORK__TXN_REASON);

    if (noted && !strcmp(noted, reason) &&
        was_suspended == flag_of(txn, SUSPENDED))
        return;
    if (xenfork__record_set(ctx, txn->record, XENFORK__TXN_REASON, reason) == 0)
        xenfork__record_write(ctx, txn->path, txn->record);
}

/*
 * Roll back without writing anything, so that a full disk is no reason to fail.
 */
int xenfork__txn_rollback(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    static int (*const steps[])(xenfork_ctx *, struct xenfork__txn *) = {
        undo_cuts,         undo_source,  undo_frozen, undo_published,
        undo_start,        undo_nodes,   undo_disks,  undo_image_claim,
        undo_source_claim, undo_reserve,
    };
    bool was_suspended = flag_of(txn, SUSPENDED);
    cleanup_free char *reason = NULL;
    size_t i;
    int rc = 0;

    for (i = 0; i < ARRAY_SIZE(steps); i++)
        if (steps[i](ctx, txn) < 0) {
            rc = XENFORK_E_RESIDUE;
            if (!reason)
                reason = strdup(ctx->error.text);
        }
    if (rc == 0 && xenfork__file_remove(ctx, txn->path) < 0)
        rc = XENFORK_E_RESIDUE;
    if (reason)
        note_reason(ctx, txn, reason, was_suspended);
    if (rc < 0) {
        xenfork__fail(ctx, rc, 0, "journal %s cannot be undone completely",
                      txn->id);
        xenfork__remedy(ctx, XENFORK__TXN_REMEDY);
    }
    ctx->guard_fd = -1;
    xenfork__txn_free(txn);
    return rc;
}
