/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/journal-private.h"

#include <string.h>

#include "state/files.h"

void xenfork__journal_free(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    if (!journal)
        return;
    ctx->guard_fd = journal->outer_guard_fd;
    xenfork__lock_drop(journal->lock);
    xenfork__keyfile_free(journal->keyfile);
    free(journal->path);
    free(journal);
}

static int write_journal(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    return xenfork__keyfile_write(ctx, journal->path, journal->keyfile);
}

int xenfork__journal_handle(xenfork_ctx *ctx, const char *id, bool is_waiting,
                            struct xenfork__journal **journal_out)
{
    struct xenfork__journal *journal = calloc(1, sizeof(*journal));
    int rc;

    if (!journal)
        return xenfork__nomem(ctx);
    journal->outer_guard_fd = ctx->guard_fd;
    snprintf(journal->id, sizeof(journal->id), "%s", id);
    journal->path = xenfork__state_path(ctx, XENFORK__JOURNAL_DIR, journal->id,
                                        NULL);
    rc = journal->path
             ? xenfork__lock_take(ctx, journal->id, is_waiting, &journal->lock)
             : xenfork__nomem(ctx);
    if (rc < 0) {
        xenfork__journal_free(ctx, journal);
        return rc;
    }
    ctx->guard_fd = xenfork__lock_fd(journal->lock);
    *journal_out = journal;
    return 0;
}

int xenfork__journal_begin(xenfork_ctx *ctx,
                           struct xenfork__journal **journal_out)
{
    cleanup_free char *dir = xenfork__state_path(ctx, XENFORK__JOURNAL_DIR,
                                                 NULL);
    struct xenfork__journal *journal;
    char id[XENFORK__UUID_CHARS];
    uint8_t uuid[16];
    int rc;

    if (!dir)
        return xenfork__nomem(ctx);
    if ((rc = xenfork__uuid_random(ctx, uuid)) < 0 ||
        (rc = xenfork__make_dir(ctx, dir)) < 0)
        return rc;
    xenfork__uuid_print(uuid, id);
    rc = xenfork__journal_handle(ctx, id, false, &journal);
    if (rc < 0)
        return rc;
    if ((rc = xenfork__keyfile_new(ctx, &journal->keyfile)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, journal->keyfile, "boot", ctx->boot)) <
            0) {
        xenfork__journal_free(ctx, journal);
        return rc;
    }
    *journal_out = journal;
    return 0;
}

const char *xenfork__journal_id(const struct xenfork__journal *journal)
{
    return journal->id;
}

static int put_uuid(xenfork_ctx *ctx, struct xenfork__journal *journal,
                    const char *key, const uint8_t uuid[16])
{
    char text[XENFORK__UUID_CHARS];

    xenfork__uuid_print(uuid, text);
    return xenfork__keyfile_set(ctx, journal->keyfile, key, text);
}

int xenfork__journal_source(xenfork_ctx *ctx, struct xenfork__journal *journal,
                            const uint8_t uuid[16], uint32_t domid,
                            bool was_paused)
{
    int rc;

    if ((rc = put_uuid(ctx, journal, "source", uuid)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "source.domid",
                                       domid)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, journal->keyfile,
                                       "source.was_paused", was_paused)) < 0)
        return rc;
    return write_journal(ctx, journal);
}

int xenfork__journal_image(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           const uint8_t uuid[16])
{
    int rc = put_uuid(ctx, journal, "image", uuid);

    return rc < 0 ? rc : write_journal(ctx, journal);
}

int xenfork__journal_claim(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           const uint8_t image[16], uint64_t max_pages)
{
    int rc;

    if ((rc = put_uuid(ctx, journal, "claim.image", image)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "claim.max_pages",
                                       max_pages)) < 0)
        return rc;
    return write_journal(ctx, journal);
}

int xenfork__journal_reserve(xenfork_ctx *ctx, struct xenfork__journal *journal,
                             const uint8_t uuid[16], uint64_t pages)
{
    int rc;

    if ((rc = put_uuid(ctx, journal, "reserve", uuid)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "reserve.pages",
                                       pages)) < 0)
        return rc;
    return write_journal(ctx, journal);
}

int xenfork__journal_publishing(xenfork_ctx *ctx,
                                struct xenfork__journal *journal)
{
    int rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "source.published",
                                      true);

    return rc < 0 ? rc : write_journal(ctx, journal);
}

int xenfork__journal_pool(xenfork_ctx *ctx, struct xenfork__journal *journal,
                          uint64_t bytes)
{
    return xenfork__keyfile_set_u64(ctx, journal->keyfile, "source.pool",
                                    bytes);
}

int xenfork__journal_pausing(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    int rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "source.pausing",
                                      true);

    return rc < 0 ? rc : write_journal(ctx, journal);
}

int xenfork__journal_logging(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    int rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "source.logging",
                                      true);

    return rc < 0 ? rc : xenfork__journal_pausing(ctx, journal);
}

int xenfork__journal_muting(xenfork_ctx *ctx, struct xenfork__journal *journal,
                            uint32_t n, const char *ifname)
{
    int rc = xenfork__keyfile_set_nth(ctx, journal->keyfile, "source.nic", n,
                                      ifname);

    return rc < 0 ? rc
                  : xenfork__keyfile_set_u64(ctx, journal->keyfile,
                                             "source.muted", true);
}

int xenfork__journal_muted(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    return xenfork__keyfile_set_u64(ctx, journal->keyfile, "source.muted",
                                    false);
}

int xenfork__journal_logged(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    return xenfork__keyfile_set_u64(ctx, journal->keyfile, "source.logging",
                                    false);
}

int xenfork__journal_stopping(xenfork_ctx *ctx,
                              struct xenfork__journal *journal, bool was_paused,
                              uint64_t cpu_ns)
{
    int rc;

    if ((rc = xenfork__keyfile_set_u64(ctx, journal->keyfile,
                                       "source.was_paused", was_paused)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "source.cpu_ns",
                                       cpu_ns)) < 0)
        return rc;
    return xenfork__journal_pausing(ctx, journal);
}

int xenfork__journal_freezing(xenfork_ctx *ctx,
                              struct xenfork__journal *journal)
{
    int rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "source.freezing",
                                      true);

    return rc < 0 ? rc : write_journal(ctx, journal);
}

static int set_suspended(xenfork_ctx *ctx, struct xenfork__journal *journal,
                         bool is_suspended, bool is_stopped)
{
    int rc;

    /* From here on no pause is ours: its user may have paused it. */
    if ((rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "source.pausing",
                                       false)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, journal->keyfile,
                                       "source.suspended", is_suspended)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "source.stopped",
                                       is_stopped)) < 0)
        return rc;
    return write_journal(ctx, journal);
}

int xenfork__journal_suspending(xenfork_ctx *ctx,
                                struct xenfork__journal *journal, bool is_stop)
{
    return set_suspended(ctx, journal, !is_stop, is_stop);
}

int xenfork__journal_resumed(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    return set_suspended(ctx, journal, false, false);
}

static int put_disk_keys(xenfork_ctx *ctx, struct xenfork__journal *journal,
                         const char *operation, const char *driver,
                         const struct xenfork__journal_disk *disk)
{
    uint32_t n = journal->disks;
    int rc;

    if ((rc = xenfork__keyfile_set_nth(ctx, journal->keyfile, "disk.driver", n,
                                       driver)) < 0 ||
        (rc = xenfork__keyfile_set_nth(ctx, journal->keyfile, "disk.operation",
                                       n, operation)) < 0 ||
        (rc = xenfork__keyfile_set_nth(ctx, journal->keyfile, "disk.path", n,
                                       disk->path)) < 0 ||
        (rc = xenfork__keyfile_set_nth(ctx, journal->keyfile, "disk.vdev", n,
                                       disk->vdev)) < 0 ||
        (rc = xenfork__keyfile_set_nth(ctx, journal->keyfile, "disk.from", n,
                                       disk->from)) < 0)
        return rc;
    journal->disks++;
    return 0;
}

static int add_disk_entry(xenfork_ctx *ctx, struct xenfork__journal *journal,
                          const char *operation, const char *driver,
                          const struct xenfork__journal_disk *disk)
{
    int rc = put_disk_keys(ctx, journal, operation, driver, disk);

    return rc < 0 ? rc : write_journal(ctx, journal);
}

int xenfork__journal_snapshot(xenfork_ctx *ctx,
                              struct xenfork__journal *journal,
                              const char *driver,
                              const struct xenfork__journal_disk *disk)
{
    return add_disk_entry(ctx, journal, XENFORK__JOURNAL_SNAPSHOT, driver,
                          disk);
}

int xenfork__journal_overlay(xenfork_ctx *ctx, struct xenfork__journal *journal,
                             const char *driver, const char *path)
{
    return put_disk_keys(
        ctx, journal, XENFORK__JOURNAL_OVERLAY, driver,
        &(struct xenfork__journal_disk){.path = path, .vdev = "", .from = ""});
}

int xenfork__journal_replaced(xenfork_ctx *ctx,
                              struct xenfork__journal *journal,
                              const char *driver, const char *path)
{
    return put_disk_keys(
        ctx, journal, XENFORK__JOURNAL_REPLACED, driver,
        &(struct xenfork__journal_disk){.path = path, .vdev = "", .from = ""});
}

int xenfork__journal_detach(xenfork_ctx *ctx, struct xenfork__journal *journal,
                            const char *driver,
                            const struct xenfork__journal_disk *disk)
{
    return add_disk_entry(ctx, journal, XENFORK__JOURNAL_DETACH, driver, disk);
}

int xenfork__journal_clone(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           const uint8_t uuid[16], const char *name,
                           const uint8_t *macs, size_t mac_count)
{
    char text[XENFORK__UUID_CHARS];
    size_t i;
    int rc;

    xenfork__uuid_print(uuid, text);
    if ((rc = xenfork__keyfile_set_nth(ctx, journal->keyfile, "clone",
                                       journal->clones, text)) < 0 ||
        (rc = xenfork__keyfile_set_nth(ctx, journal->keyfile, "name",
                                       journal->clones, name)) < 0)
        return rc;
    for (i = 0; i < mac_count; i++) {
        char mac[XENFORK__MAC_CHARS];

        xenfork__mac_print(macs + 6 * i, mac);
        rc = xenfork__keyfile_set_nth(ctx, journal->keyfile, "mac",
                                      journal->macs, mac);
        if (rc < 0)
            return rc;
        journal->macs++;
    }
    journal->clones++;
    return 0;
}

int xenfork__journal_chosen(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    return write_journal(ctx, journal);
}

int xenfork__journal_start(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           const uint8_t uuid[16])
{
    int rc = put_uuid(ctx, journal, "start", uuid);

    return rc < 0 ? rc : write_journal(ctx, journal);
}

int xenfork__journal_reset(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           const uint8_t uuid[16], uint32_t domid,
                           bool is_paused)
{
    int rc;

    if ((rc = put_uuid(ctx, journal, "reset", uuid)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "reset.domid",
                                       domid)) < 0)
        return rc;
    return xenfork__keyfile_set_u64(ctx, journal->keyfile, "reset.paused",
                                    is_paused);
}

int xenfork__journal_retiring(xenfork_ctx *ctx,
                              struct xenfork__journal *journal)
{
    int rc = xenfork__keyfile_set_u64(ctx, journal->keyfile, "reset.retiring",
                                      true);

    if (rc < 0 || (rc = write_journal(ctx, journal)) == 0)
        return rc;
    /* The old domain is not destroyed, and must not be when this is undone. */
    xenfork__keyfile_set_u64(ctx, journal->keyfile, "reset.retiring", false);
    return rc;
}

/*
 * End the journal: under another name it counts no more, and a name takes no
 * space.  If that cannot be made durable it is a journal again, to be undone
 * by.
 */
int xenfork__journal_commit(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    cleanup_free char *done = NULL;
    int rc;

    if (asprintf(&done, "%s.done", journal->path) < 0) {
        done = NULL;
        return xenfork__nomem(ctx);
    }
    if (rename(journal->path, done))
        return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot end %s",
                             journal->path);
    rc = xenfork__names_sync(ctx, done);
    if (rc < 0) {
        if (link(done, journal->path) == 0)
            unlink(done);
        return rc;
    }
    unlink(done); /* if not, the sweep of half-written ones does it */
    xenfork__journal_free(ctx, journal);
    return 0;
}

bool xenfork__journal_exists(xenfork_ctx *ctx, const char *id)
{
    cleanup_free char *path = xenfork__state_path(ctx, XENFORK__JOURNAL_DIR, id,
                                                  NULL);

    return !path || access(path, F_OK) == 0;
}

bool xenfork__journal_uuid(const struct xenfork__journal *journal,
                           const char *key, uint32_t n, uint8_t uuid_out[16])
{
    const char *text = n == UINT32_MAX
                           ? xenfork__keyfile_get(journal->keyfile, key)
                           : xenfork__keyfile_get_nth(journal->keyfile, key, n);

    return text && xenfork__uuid_parse(text, uuid_out);
}

bool xenfork__journal_flag(const struct xenfork__journal *journal,
                           const char *key)
{
    uint64_t value;

    return xenfork__keyfile_get_u64(journal->keyfile, key, &value) && value;
}

/* Tell whether it was begun since this host was booted. */
bool xenfork__journal_is_of_this_boot(xenfork_ctx *ctx,
                                      const struct xenfork__journal *journal)
{
    const char *boot = xenfork__keyfile_get(journal->keyfile, "boot");

    return boot && !strcmp(boot, ctx->boot);
}

int xenfork__journal_ids(xenfork_ctx *ctx, char ***ids_out, size_t *count_out)
{
    return xenfork__state_names(ctx, XENFORK__JOURNAL_DIR, ids_out, count_out);
}

int xenfork__journals_each(xenfork_ctx *ctx, xenfork__journal_fn *look,
                           void *opaque)
{
    char **ids;
    size_t count, i;
    int rc = xenfork__journal_ids(ctx, &ids, &count);

    if (rc < 0)
        return rc;
    for (i = 0; i < count && rc >= 0; i++) {
        cleanup_free char *path = xenfork__state_path(ctx, XENFORK__JOURNAL_DIR,
                                                      ids[i], NULL);
        cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;

        if (!path || xenfork__keyfile_read(ctx, path, &keyfile) < 0)
            continue; /* it ended meanwhile, or never chose anything */
        rc = look(ctx, keyfile, opaque);
    }
    xenfork__names_free(ids, count);
    return rc;
}
