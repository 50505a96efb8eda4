/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/journal-private.h"

#include <string.h>

#include "state/files.h"

void xenfork__txn_free(struct xenfork__txn *txn)
{
    if (!txn)
        return;
    xenfork__lock_drop(txn->lock);
    xenfork__record_free(txn->record);
    free(txn->path);
    free(txn);
}

static int save(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    return xenfork__record_write(ctx, txn->path, txn->record);
}

int xenfork__txn_handle(xenfork_ctx *ctx, const char *id, bool is_waiting,
                        struct xenfork__txn **txn_out)
{
    struct xenfork__txn *txn = calloc(1, sizeof(*txn));
    int rc;

    if (!txn)
        return xenfork__nomem(ctx);
    snprintf(txn->id, sizeof(txn->id), "%s", id);
    txn->path = xenfork__state_path(ctx, XENFORK__TXN_DIR, txn->id, NULL);
    rc = txn->path ? xenfork__lock_take(ctx, txn->id, is_waiting, &txn->lock)
                   : xenfork__nomem(ctx);
    if (rc < 0) {
        xenfork__txn_free(txn);
        return rc;
    }
    *txn_out = txn;
    return 0;
}

int xenfork__txn_begin(xenfork_ctx *ctx, struct xenfork__txn **txn_out)
{
    cleanup_free char *dir = xenfork__state_path(ctx, XENFORK__TXN_DIR, NULL);
    struct xenfork__txn *txn;
    char id[XENFORK__UUID_CHARS];
    uint8_t uuid[16];
    int rc;

    if (!dir)
        return xenfork__nomem(ctx);
    if (!xenfork__uuid_random(uuid))
        return xenfork__fail(ctx, XENFORK_E_IO, errno,
                             "cannot draw a random UUID");
    xenfork__uuid_print(uuid, id);
    rc = xenfork__make_dir(ctx, dir);
    if (rc < 0)
        return rc;
    rc = xenfork__txn_handle(ctx, id, false, &txn);
    if (rc < 0)
        return rc;
    if ((rc = xenfork__record_new(ctx, &txn->record)) < 0 ||
        (rc = xenfork__record_set(ctx, txn->record, "boot", ctx->boot)) < 0 ||
        (rc = save(ctx, txn)) < 0) {
        unlink(txn->path);
        xenfork__txn_free(txn);
        return rc;
    }
    ctx->guard_fd = xenfork__lock_fd(txn->lock);
    *txn_out = txn;
    return 0;
}

const char *xenfork__txn_id(const struct xenfork__txn *txn)
{
    return txn->id;
}

static int set_uuid(xenfork_ctx *ctx, struct xenfork__txn *txn, const char *key,
                    const uint8_t uuid[16])
{
    char text[XENFORK__UUID_CHARS];

    xenfork__uuid_print(uuid, text);
    return xenfork__record_set(ctx, txn->record, key, text);
}

int xenfork__txn_source(xenfork_ctx *ctx, struct xenfork__txn *txn,
                        const uint8_t uuid[16], uint32_t domid, bool was_paused)
{
    int rc;

    if ((rc = set_uuid(ctx, txn, "source", uuid)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, txn->record, "source.domid",
                                      domid)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, txn->record, "source.was_paused",
                                      was_paused)) < 0)
        return rc;
    return save(ctx, txn);
}

int xenfork__txn_image(xenfork_ctx *ctx, struct xenfork__txn *txn,
                       const uint8_t uuid[16])
{
    int rc = set_uuid(ctx, txn, "image", uuid);

    return rc < 0 ? rc : save(ctx, txn);
}

int xenfork__txn_claim(xenfork_ctx *ctx, struct xenfork__txn *txn,
                       const uint8_t image[16], uint64_t max_pages)
{
    int rc;

    if ((rc = set_uuid(ctx, txn, "claim.image", image)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, txn->record, "claim.max_pages",
                                      max_pages)) < 0)
        return rc;
    return save(ctx, txn);
}

int xenfork__txn_reserve(xenfork_ctx *ctx, struct xenfork__txn *txn,
                         const uint8_t uuid[16], uint64_t pages)
{
    int rc;

    if ((rc = set_uuid(ctx, txn, "reserve", uuid)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, txn->record, "reserve.pages",
                                      pages)) < 0)
        return rc;
    return save(ctx, txn);
}

int xenfork__txn_publishing(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    int rc = xenfork__record_set_u64(ctx, txn->record, "source.published",
                                     true);

    return rc < 0 ? rc : save(ctx, txn);
}

int xenfork__txn_pausing(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    int rc = xenfork__record_set_u64(ctx, txn->record, "source.pausing", true);

    return rc < 0 ? rc : save(ctx, txn);
}

int xenfork__txn_stopping(xenfork_ctx *ctx, struct xenfork__txn *txn,
                          bool was_paused, uint64_t cpu_ns)
{
    int rc;

    if ((rc = xenfork__record_set_u64(ctx, txn->record, "source.was_paused",
                                      was_paused)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, txn->record, "source.cpu_ns",
                                      cpu_ns)) < 0)
        return rc;
    return xenfork__txn_pausing(ctx, txn);
}

int xenfork__txn_freezing(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    int rc = xenfork__record_set_u64(ctx, txn->record, "source.freezing", true);

    return rc < 0 ? rc : save(ctx, txn);
}

static int set_suspended(xenfork_ctx *ctx, struct xenfork__txn *txn,
                         bool is_suspended)
{
    int rc = xenfork__record_set_u64(ctx, txn->record, "source.suspended",
                                     is_suspended);

    return rc < 0 ? rc : save(ctx, txn);
}

int xenfork__txn_suspending(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    return set_suspended(ctx, txn, true);
}

int xenfork__txn_resumed(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    return set_suspended(ctx, txn, false);
}

static int add_disk(xenfork_ctx *ctx, struct xenfork__txn *txn,
                    const char *operation, const char *driver,
                    const struct xenfork__txn_disk *disk)
{
    uint32_t n = txn->disks;
    int rc;

    if ((rc = xenfork__record_set_nth(ctx, txn->record, "disk.driver", n,
                                      driver)) < 0 ||
        (rc = xenfork__record_set_nth(ctx, txn->record, "disk.operation", n,
                                      operation)) < 0 ||
        (rc = xenfork__record_set_nth(ctx, txn->record, "disk.path", n,
                                      disk->path)) < 0 ||
        (rc = xenfork__record_set_nth(ctx, txn->record, "disk.vdev", n,
                                      disk->vdev)) < 0 ||
        (rc = xenfork__record_set_nth(ctx, txn->record, "disk.from", n,
                                      disk->from)) < 0)
        return rc;
    txn->disks++;
    return save(ctx, txn);
}

int xenfork__txn_snapshot(xenfork_ctx *ctx, struct xenfork__txn *txn,
                          const char *driver,
                          const struct xenfork__txn_disk *disk)
{
    return add_disk(ctx, txn, XENFORK__TXN_SNAPSHOT, driver, disk);
}

int xenfork__txn_overlay(xenfork_ctx *ctx, struct xenfork__txn *txn,
                         const char *driver, const char *path)
{
    return add_disk(
        ctx, txn, XENFORK__TXN_OVERLAY, driver,
        &(struct xenfork__txn_disk){.path = path, .vdev = "", .from = ""});
}

int xenfork__txn_detach(xenfork_ctx *ctx, struct xenfork__txn *txn,
                        const char *driver,
                        const struct xenfork__txn_disk *disk)
{
    return add_disk(ctx, txn, XENFORK__TXN_DETACH, driver, disk);
}

int xenfork__txn_clone(xenfork_ctx *ctx, struct xenfork__txn *txn,
                       const uint8_t uuid[16], const char *name,
                       const uint8_t *macs, size_t mac_count)
{
    char text[XENFORK__UUID_CHARS];
    size_t i;
    int rc;

    xenfork__uuid_print(uuid, text);
    if ((rc = xenfork__record_set_nth(ctx, txn->record, "clone", txn->clones,
                                      text)) < 0 ||
        (rc = xenfork__record_set_nth(ctx, txn->record, "name", txn->clones,
                                      name)) < 0)
        return rc;
    for (i = 0; i < mac_count; i++) {
        char mac[XENFORK__MAC_CHARS];

        xenfork__mac_print(macs + 6 * i, mac);
        rc = xenfork__record_set_nth(ctx, txn->record, "mac", txn->macs, mac);
        if (rc < 0)
            return rc;
        txn->macs++;
    }
    txn->clones++;
    return 0;
}

int xenfork__txn_chosen(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    return save(ctx, txn);
}

int xenfork__txn_start(xenfork_ctx *ctx, struct xenfork__txn *txn,
                       const uint8_t uuid[16])
{
    int rc = set_uuid(ctx, txn, "start", uuid);

    return rc < 0 ? rc : save(ctx, txn);
}

/*
 * Under another name it counts no more, and a name takes no space.  If that
 * cannot be made durable it is a journal again, to be undone by.
 */
int xenfork__txn_commit(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    cleanup_free char *done = NULL;
    int rc;

    if (asprintf(&done, "%s.done", txn->path) < 0) {
        done = NULL;
        return xenfork__nomem(ctx);
    }
    if (rename(txn->path, done))
        return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot end %s",
                             txn->path);
    rc = xenfork__names_sync(ctx, done);
    if (rc < 0) {
        if (link(done, txn->path) == 0)
            unlink(done);
        return rc;
    }
    unlink(done); /* if not, whoever sweeps half-written ones does it */
    ctx->guard_fd = -1;
    xenfork__txn_free(txn);
    return 0;
}

bool xenfork__txn_exists(xenfork_ctx *ctx, const char *id)
{
    cleanup_free char *path = xenfork__state_path(ctx, XENFORK__TXN_DIR, id,
                                                  NULL);

    return !path || access(path, F_OK) == 0;
}

int xenfork__txn_ids(xenfork_ctx *ctx, char ***ids_out, size_t *count_out)
{
    cleanup_free char *dir = xenfork__state_path(ctx, XENFORK__TXN_DIR, NULL);

    if (!dir)
        return xenfork__nomem(ctx);
    return xenfork__dir_names(ctx, dir, ids_out, count_out);
}

int xenfork__txns_each(xenfork_ctx *ctx, xenfork__txn_fn *look, void *opaque)
{
    char **ids;
    size_t count, i;
    int rc = xenfork__txn_ids(ctx, &ids, &count);

    if (rc < 0)
        return rc;
    for (i = 0; i < count && rc >= 0; i++) {
        cleanup_free char *path = xenfork__state_path(ctx, XENFORK__TXN_DIR,
                                                      ids[i], NULL);
        cleanup_record struct xenfork__record *record = NULL;

        if (!path || xenfork__record_read(ctx, path, &record) < 0)
            continue; /* it ended meanwhile, or never chose anything */
        rc = look(ctx, record, opaque);
    }
    xenfork__names_free(ids, count);
    return rc;
}
