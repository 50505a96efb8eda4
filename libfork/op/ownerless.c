/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Journals without an owner: undone, or, if that cannot be, shown and put
 * aside.  One that cannot be read or undone keeps nobody from another source.
 */
#include "state/journal-private.h"

#include <string.h>

#include "op/recover.h"
#include "op/rollback.h"
#include "state/files.h"
#include "state/record.h"

#define ASIDE "aside" /* STATE/aside/ID */

int xenfork__journal_recover(xenfork_ctx *ctx, const char *id, bool is_waiting)
{
    struct xenfork__journal *journal;
    int rc;

    rc = xenfork__journal_handle(ctx, id, is_waiting, &journal);
    if (rc == XENFORK_E_BUSY)
        return 0; /* its owner lives */
    if (rc < 0)
        return rc;
    rc = xenfork__keyfile_read(ctx, journal->path, &journal->keyfile);
    if (rc < 0) {
        xenfork__journal_free(ctx, journal);
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    }
    LOG_WARN(ctx, "rolling back journal %s, whose process is gone", id);
    journal->is_ownerless = true;
    return xenfork__journal_rollback(ctx, journal);
}

/* Sweep a "UUID.new": its writer was killed, or writes it now. */
static int sweep_half_written(xenfork_ctx *ctx, const char *name)
{
    cleanup_free char *path = xenfork__state_path(ctx, XENFORK__JOURNAL_DIR,
                                                  name, NULL);
    cleanup_lock struct xenfork__lock *lock = NULL;
    char id[XENFORK__UUID_CHARS];
    int rc;

    snprintf(id, sizeof(id), "%s", name);
    rc = xenfork__lock_take(ctx, id, false, &lock);
    if (rc < 0)
        return rc == XENFORK_E_BUSY ? 0 : rc;
    return path ? xenfork__file_remove(ctx, path) : xenfork__nomem(ctx);
}

int xenfork__journals_recover(xenfork_ctx *ctx)
{
    char **ids;
    size_t count, i;
    int r, rc = xenfork__journal_ids(ctx, &ids, &count);
    uint8_t uuid[16];

    if (rc < 0)
        return rc;
    for (i = 0; i < count; i++) {
        if (xenfork__uuid_parse(ids[i], uuid))
            r = xenfork__journal_recover(ctx, ids[i], false);
        else
            r = sweep_half_written(ctx, ids[i]);
        if (r < 0)
            rc = XENFORK_E_RESIDUE;
    }
    xenfork__names_free(ids, count);
    if (rc < 0) {
        xenfork__fail(
            ctx, rc, 0,
            "not everything that killed processes have left can be undone");
        xenfork__remedy(ctx, XENFORK__JOURNAL_REMEDY);
    }
    return rc;
}

/*
 * Read a journal.  NOTFOUND, not logged: it has ended meanwhile.  STATE: it
 * cannot be read.
 */
static int read_journal(xenfork_ctx *ctx, const char *id,
                        struct xenfork__keyfile **out)
{
    cleanup_free char *path = xenfork__state_path(ctx, XENFORK__JOURNAL_DIR, id,
                                                  NULL);

    return path ? xenfork__keyfile_read(ctx, path, out) : xenfork__nomem(ctx);
}

static bool has_uuid(const char *text, const uint8_t wanted[16])
{
    uint8_t uuid[16];

    return text && xenfork__uuid_parse(text, uuid) && !memcmp(uuid, wanted, 16);
}

/*
 * Tell whether a journal is about this source, this image, or this clone that
 * is being started or reset; is_made_out: or about an image or a clone that was
 * being made, by a process that may live, and is not waited for.
 */
static bool is_journal_about(xenfork_ctx *ctx, const char *id,
                             const uint8_t uuid[16], bool *is_made_out)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    const char *clone;
    uint32_t n;

    *is_made_out = false;
    if (read_journal(ctx, id, &keyfile) < 0)
        return false;
    if (has_uuid(xenfork__keyfile_get(keyfile, "source"), uuid) ||
        has_uuid(xenfork__keyfile_get(keyfile, "claim.image"), uuid) ||
        has_uuid(xenfork__keyfile_get(keyfile, "start"), uuid) ||
        has_uuid(xenfork__keyfile_get(keyfile, "reset"), uuid))
        return true;
    *is_made_out = true;
    if (has_uuid(xenfork__keyfile_get(keyfile, "image"), uuid))
        return true;
    for (n = 0; (clone = xenfork__keyfile_get_nth(keyfile, "clone", n)); n++)
        if (has_uuid(clone, uuid))
            return true;
    return false;
}

int xenfork__journals_recover_about(xenfork_ctx *ctx, const uint8_t uuid[16])
{
    char **ids;
    size_t count, i;
    bool is_made;
    int rc = xenfork__journal_ids(ctx, &ids, &count);

    if (rc < 0)
        return rc;
    for (i = 0; i < count && rc >= 0; i++) {
        if (!is_journal_about(ctx, ids[i], uuid, &is_made))
            continue;
        rc = xenfork__journal_recover(ctx, ids[i], !is_made);
        if (rc == 0 && is_made && xenfork__journal_exists(ctx, ids[i]))
            rc = xenfork__miss(ctx, XENFORK_E_BUSY, "journal %s goes on",
                               ids[i]);
    }
    xenfork__names_free(ids, count);
    return rc;
}

int xenfork__busy(xenfork_ctx *ctx, const char *name)
{
    xenfork__fail(ctx, XENFORK_E_BUSY, 0,
                  "%s: another xenfork operation is on it", name);
    return xenfork__remedy(ctx, "try again when it has ended");
}

int xenfork__lock_domain(xenfork_ctx *ctx, const uint8_t uuid[16],
                         const char *name, struct xenfork__lock **lock_out)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    char text[XENFORK__UUID_CHARS];
    int rc;

    xenfork__uuid_print(uuid, text);
    rc = xenfork__lock_take_soon(ctx, text, &lock);
    if (rc == 0)
        rc = xenfork__journals_recover_about(ctx, uuid);
    if (rc == XENFORK_E_BUSY)
        return xenfork__busy(ctx, name);
    if (rc < 0)
        return rc;
    *lock_out = steal_ptr(lock);
    return 0;
}

/* Add the clones and disks that the journal names. */
static int add_left(xenfork_ctx *ctx, const struct xenfork__keyfile *keyfile,
                    struct xenfork__record *record)
{
    const char *driver, *path;
    uint32_t n;
    int rc = 0;

    for (n = 0;
         rc >= 0 &&
         (driver = xenfork__keyfile_get_nth(keyfile, "disk.driver", n)) &&
         (path = xenfork__keyfile_get_nth(keyfile, "disk.path", n));
         n++) {
        const char *vdev = xenfork__keyfile_get_nth(keyfile, "disk.vdev", n);

        rc = xenfork__record_add_disk(ctx, record, n, vdev ? vdev : "", driver,
                                      path, "");
    }
    return rc;
}

static int describe_journal(xenfork_ctx *ctx, const char *id,
                            struct xenfork__record *record)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    const char *reason = NULL;
    int rc = read_journal(ctx, id, &keyfile);

    if (rc == XENFORK_E_STATE)
        reason = ctx->error.text;
    else if (rc < 0)
        return rc;
    else if (!(reason = xenfork__keyfile_get(keyfile, XENFORK__JOURNAL_REASON)))
        reason = "not undone yet";
    record->is_kept = rc == 0; /* it can be read */
    record->name = strdup(id);
    record->parent_name = strdup(reason);
    if (!record->name || !record->parent_name)
        return xenfork__nomem(ctx);
    return rc == 0 ? add_left(ctx, keyfile, record) : 0;
}

/*
 * Load a journal.  NOTFOUND, not logged: its owner lives, or it is not a
 * journal any more.
 */
static int load_stuck(xenfork_ctx *ctx, const char *id,
                      struct xenfork__record **record_out)
{
    cleanup_record struct xenfork__record *record = calloc(1, sizeof(*record));
    struct xenfork__lock *lock = NULL;
    int rc;

    if (!record)
        return xenfork__nomem(ctx);
    record->kind = XENFORK_KIND_JOURNAL;
    record->domid = XENFORK_DOMID_NONE;
    if (!xenfork__uuid_parse(id, record->uuid))
        return XENFORK_E_NOTFOUND;
    rc = xenfork__lock_take(ctx, id, false, &lock);
    xenfork__lock_drop(lock);
    if (rc < 0)
        return rc == XENFORK_E_BUSY ? XENFORK_E_NOTFOUND : rc;
    rc = describe_journal(ctx, id, record);
    if (rc == 0)
        *record_out = steal_ptr(record);
    return rc;
}

int xenfork__journals_load(xenfork_ctx *ctx,
                           struct xenfork__records *records_out)
{
    cleanup_records struct xenfork__records all = {0};
    char **ids;
    size_t count, i;
    int rc = xenfork__journal_ids(ctx, &ids, &count);

    if (rc < 0)
        return rc;
    all.records = calloc(count + 1, sizeof(struct xenfork__record *));
    if (!all.records)
        rc = xenfork__nomem(ctx);
    for (i = 0; i < count && rc >= 0; i++) {
        rc = load_stuck(ctx, ids[i], &all.records[all.count]);
        all.count += rc == 0;
        if (rc == XENFORK_E_NOTFOUND)
            rc = 0;
    }
    xenfork__names_free(ids, count);
    if (rc < 0)
        return rc;
    *records_out = all;
    all = (struct xenfork__records){0};
    return 0;
}

/* Warn the user of what nobody will undo any more. */
static void say_left(xenfork_ctx *ctx, const struct xenfork__keyfile *keyfile,
                     const char *id)
{
    const char *text;
    uint32_t n;

    for (n = 0; (text = xenfork__keyfile_get_nth(keyfile, "name", n)); n++)
        LOG_WARN(ctx, "journal %s may have left the clone %s", id, text);
    for (n = 0; (text = xenfork__keyfile_get_nth(keyfile, "disk.path", n)); n++)
        LOG_WARN(ctx, "journal %s may have left the disk %s", id, text);
    text = xenfork__keyfile_get(keyfile, "source.domid");
    if (text)
        LOG_WARN(ctx,
                 "journal %s may have left domain %s, its source, paused or "
                 "suspended",
                 id, text);
}

/* Put a journal aside, under its lock. */
static int put_aside(xenfork_ctx *ctx, const char *id)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    cleanup_free char *from = xenfork__state_path(ctx, XENFORK__JOURNAL_DIR, id,
                                                  NULL);
    cleanup_free char *dir = xenfork__state_path(ctx, ASIDE, NULL);
    cleanup_free char *to = xenfork__state_path(ctx, ASIDE, id, NULL);
    int rc;

    if (!from || !dir || !to)
        return xenfork__nomem(ctx);
    if (read_journal(ctx, id, &keyfile) == 0)
        say_left(ctx, keyfile, id);
    rc = xenfork__make_dir(ctx, dir);
    if (rc < 0)
        return rc;
    if (rename(from, to))
        return xenfork__fail(ctx, XENFORK_E_STATE, errno,
                             "cannot put %s aside as %s", from, to);
    LOG_WARN(ctx, "journal %s is %s now", id, to);
    rc = xenfork__names_sync(ctx, to);
    return rc < 0 ? rc : xenfork__names_sync(ctx, from);
}

XENFORK_API int xenfork_journal_set_aside(xenfork_ctx *ctx, const char *id)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    char name[XENFORK__UUID_CHARS];
    uint8_t uuid[16];
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!id || !xenfork__uuid_parse(id, uuid))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "%s is no journal's ID",
                             id ? id : "");
    xenfork__uuid_print(uuid, name);
    if (xenfork__journal_exists(ctx, name) &&
        xenfork__journal_recover(ctx, name, false) == 0 &&
        !xenfork__journal_exists(ctx, name))
        return 0;
    if (!xenfork__journal_exists(ctx, name)) {
        xenfork__fail(ctx, XENFORK_E_NOTFOUND, 0, "there is no journal %s",
                      name);
        return xenfork__remedy(ctx, "xl fork-list shows those that are left");
    }
    rc = xenfork__lock_take(ctx, name, false, &lock);
    if (rc == XENFORK_E_BUSY)
        return xenfork__fail(ctx, rc, 0,
                             "journal %s goes on: its process lives", name);
    return rc < 0 ? rc : put_aside(ctx, name);
}
