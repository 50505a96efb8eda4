/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "txn.h"

#include <string.h>

#include "admission.h"
#include "files.h"
#include "lock.h"
#include "node.h"
#include "record.h"

#define TXN_DIR "txn"
#define MAX_NTH 65536U

struct xenfork__txn {
    char id[XENFORK__UUID_CHARS];
    char *path;
    struct xenfork__lock *lock;
    struct xenfork__record *record;
    uint32_t files, clones, macs;
};

static void txn_free(struct xenfork__txn *txn)
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

/* The handle of a journal: locked, its record not yet read or made. */
static int txn_handle(xenfork_ctx *ctx, const char *id, bool is_waiting,
                      struct xenfork__txn **txn_out)
{
    struct xenfork__txn *txn = calloc(1, sizeof(*txn));
    int rc;

    if (!txn)
        return xenfork__nomem(ctx);
    snprintf(txn->id, sizeof(txn->id), "%s", id);
    txn->path = xenfork__state_path(ctx, TXN_DIR, txn->id, NULL);
    rc = txn->path ? xenfork__lock_take(ctx, txn->id, is_waiting,
                                         &txn->lock)
                   : xenfork__nomem(ctx);
    if (rc < 0) {
        txn_free(txn);
        return rc;
    }
    *txn_out = txn;
    return 0;
}

int xenfork__txn_begin(xenfork_ctx *ctx, struct xenfork__txn **txn_out)
{
    cleanup_free char *dir = xenfork__state_path(ctx, TXN_DIR, NULL);
    struct xenfork__txn *txn;
    char id[XENFORK__UUID_CHARS];
    uint8_t uuid[16];
    int rc;

    if (!dir)
        return xenfork__nomem(ctx);
    if (!xenfork__uuid_random(uuid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot draw a random UUID");
    xenfork__uuid_print(uuid, id);
    rc = xenfork__make_dir(ctx, dir);
    if (rc < 0)
        return rc;
    rc = txn_handle(ctx, id, false, &txn);
    if (rc < 0)
        return rc;
    if ((rc = xenfork__record_new(ctx, &txn->record)) < 0 ||
        (rc = save(ctx, txn)) < 0) {
        unlink(txn->path);
        txn_free(txn);
        return rc;
    }
    *txn_out = txn;
    return 0;
}

const char *xenfork__txn_id(const struct xenfork__txn *txn)
{
    return txn->id;
}

static int set_uuid(xenfork_ctx *ctx, struct xenfork__txn *txn,
                    const char *key, const uint8_t uuid[16])
{
    char text[XENFORK__UUID_CHARS];

    xenfork__uuid_print(uuid, text);
    return xenfork__record_set(ctx, txn->record, key, text);
}

int xenfork__txn_source(xenfork_ctx *ctx, struct xenfork__txn *txn,
                        const uint8_t uuid[16], uint32_t domid,
                        bool was_paused)
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

int xenfork__txn_pausing(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    int rc = xenfork__record_set_u64(ctx, txn->record, "source.pausing", true);

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

int xenfork__txn_file(xenfork_ctx *ctx, struct xenfork__txn *txn,
                      const char *path)
{
    int rc = xenfork__record_set_nth(ctx, txn->record, "file", txn->files,
                                     path);

    if (rc < 0)
        return rc;
    txn->files++;
    return save(ctx, txn);
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
    return save(ctx, txn);
}

int xenfork__txn_commit(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    int rc = xenfork__file_remove(ctx, txn->path);

    if (rc == 0)
        txn_free(txn);
    return rc;
}

static bool uuid_of(const struct xenfork__txn *txn, const char *key,
                    uint32_t n, uint8_t uuid_out[16])
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

/* Suspended by us, or about to be: it runs on. */
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
    if (info.is_shutdown &&
        info.shutdown_reason == XENFORK__SHUTDOWN_SUSPEND &&
        (rc = xenfork__xen_resume(ctx, domid)) < 0)
        return rc;
    return xenfork__txn_resumed(ctx, txn);
}

/* Paused by us. */
static int undo_pause(xenfork_ctx *ctx, struct xenfork__txn *txn,
                      uint32_t domid)
{
    struct xenfork__dominfo info;
    int rc;

    if (flag_of(txn, "source.was_paused"))
        return 0;
    rc = xenfork__xen_info(ctx, domid, &info);
    return rc == 0 && info.is_paused ? xenfork__xen_unpause(ctx, domid) : rc;
}

/* The source runs on as before. */
static int undo_source(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    uint8_t uuid[16];
    uint32_t domid;
    int rc;

    if (!uuid_of(txn, "source", UINT32_MAX, uuid))
        return 0;
    rc = xenfork__xen_by_uuid(ctx, uuid, &domid);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (flag_of(txn, "source.suspended"))
        return undo_suspension(ctx, txn, domid);
    return flag_of(txn, "source.pausing") ? undo_pause(ctx, txn, domid) : 0;
}

static int undo_domain(xenfork_ctx *ctx, const uint8_t uuid[16])
{
    uint32_t domid;
    int rc = xenfork__xen_by_uuid(ctx, uuid, &domid);

    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    return rc < 0 ? rc : xenfork__xen_destroy(ctx, domid);
}

/* A domain that was begun, and what is kept of it. */
static int undo_node(xenfork_ctx *ctx, int kind, const uint8_t uuid[16])
{
    int rc = undo_domain(ctx, uuid);
    int r = xenfork__node_remove(ctx, kind, uuid);

    return rc < 0 ? rc : r;
}

static int undo_nodes(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    uint8_t uuid[16];
    uint32_t n;
    int rc = 0, r;

    for (n = 0; n < MAX_NTH && uuid_of(txn, "clone", n, uuid); n++) {
        r = undo_node(ctx, XENFORK_KIND_CLONE, uuid);
        rc = rc < 0 ? rc : r;
    }
    if (uuid_of(txn, "image", UINT32_MAX, uuid)) {
        r = undo_node(ctx, XENFORK_KIND_IMAGE, uuid);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

static int undo_files(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    const char *path;
    uint32_t n;
    int rc = 0, r;

    for (n = 0; n < MAX_NTH; n++) {
        path = xenfork__record_get_nth(txn->record, "file", n);
        if (!path)
            break;
        r = xenfork__file_remove(ctx, path);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

/* Of an image that stood before us. */
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

int xenfork__txn_rollback(xenfork_ctx *ctx, struct xenfork__txn *txn)
{
    static int (*const steps[])(xenfork_ctx *, struct xenfork__txn *) = {
        undo_source,      undo_nodes,        undo_files,
        undo_image_claim, undo_source_claim,
    };
    size_t i;
    int rc = 0;

    for (i = 0; i < ARRAY_SIZE(steps); i++)
        if (steps[i](ctx, txn) < 0)
            rc = XENFORK_E_RESIDUE;
    if (rc == 0 && xenfork__file_remove(ctx, txn->path) < 0)
        rc = XENFORK_E_RESIDUE;
    if (rc < 0)
        xenfork__fail(ctx, rc, 0, "fork %s cannot be undone whole", txn->id);
    txn_free(txn);
    return rc;
}

bool xenfork__txn_exists(xenfork_ctx *ctx, const char *id)
{
    cleanup_free char *path = xenfork__state_path(ctx, TXN_DIR, id, NULL);

    return !path || access(path, F_OK) == 0;
}

int xenfork__txn_recover(xenfork_ctx *ctx, const char *id, bool is_waiting)
{
    struct xenfork__txn *txn;
    int rc;

    rc = txn_handle(ctx, id, is_waiting, &txn);
    if (rc == XENFORK_E_BUSY)
        return 0; /* its owner lives */
    if (rc < 0)
        return rc;
    rc = xenfork__record_read(ctx, txn->path, &txn->record);
    if (rc < 0) {
        txn_free(txn);
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    }
    LOG_WARN(ctx, "rolling back fork %s, whose process is gone", id);
    return xenfork__txn_rollback(ctx, txn);
}

/* The ids of all journals.  Caller frees */
static int txn_ids(xenfork_ctx *ctx, char ***ids_out, size_t *count_out)
{
    cleanup_free char *dir = xenfork__state_path(ctx, TXN_DIR, NULL);

    if (!dir)
        return xenfork__nomem(ctx);
    return xenfork__dir_names(ctx, dir, ids_out, count_out);
}

/* "UUID.new": its writer was killed, or writes it now. */
static int sweep_half_written(xenfork_ctx *ctx, const char *name)
{
    cleanup_free char *path = xenfork__state_path(ctx, TXN_DIR, name, NULL);
    cleanup_lock struct xenfork__lock *lock = NULL;
    char id[XENFORK__UUID_CHARS];
    int rc;

    snprintf(id, sizeof(id), "%s", name);
    rc = xenfork__lock_take(ctx, id, false, &lock);
    if (rc < 0)
        return rc == XENFORK_E_BUSY ? 0 : rc;
    return path ? xenfork__file_remove(ctx, path) : xenfork__nomem(ctx);
}

int xenfork__txns_recover(xenfork_ctx *ctx)
{
    char **ids;
    size_t count, i;
    int r, rc = txn_ids(ctx, &ids, &count);
    uint8_t uuid[16];

    if (rc < 0)
        return rc;
    for (i = 0; i < count; i++) {
        if (xenfork__uuid_parse(ids[i], uuid))
            r = xenfork__txn_recover(ctx, ids[i], false);
        else
            r = sweep_half_written(ctx, ids[i]);
        if (r < 0)
            rc = XENFORK_E_RESIDUE;
    }
    xenfork__names_free(ids, count);
    return rc < 0 ? xenfork__fail(ctx, rc, 0, "what a killed fork has left "
                                              "cannot all be undone")
                  : 0;
}

/* Does a journal concern this source?  No: it has ended meanwhile. */
static bool is_about(xenfork_ctx *ctx, const char *id,
                     const uint8_t source[16])
{
    cleanup_free char *path = xenfork__state_path(ctx, TXN_DIR, id, NULL);
    cleanup_record struct xenfork__record *record = NULL;
    const char *text;
    uint8_t uuid[16];

    if (!path || xenfork__record_read(ctx, path, &record) < 0)
        return false;
    text = xenfork__record_get(record, "source");
    return text && xenfork__uuid_parse(text, uuid) &&
           !memcmp(uuid, source, 16);
}

int xenfork__txns_settle(xenfork_ctx *ctx, const uint8_t source[16])
{
    char **ids;
    size_t count, i;
    int rc = txn_ids(ctx, &ids, &count);

    if (rc < 0)
        return rc;
    for (i = 0; i < count && rc >= 0; i++)
        if (is_about(ctx, ids[i], source))
            rc = xenfork__txn_recover(ctx, ids[i], true);
    xenfork__names_free(ids, count);
    return rc;
}

static bool has_value(const struct xenfork__record *record, const char *key,
                      const char *value)
{
    const char *v;
    uint32_t n;

    for (n = 0; n < MAX_NTH; n++) {
        v = xenfork__record_get_nth(record, key, n);
        if (!v || !strcmp(v, value))
            return v;
    }
    return false;
}

int xenfork__txns_taken(xenfork_ctx *ctx, const char *name,
                        const uint8_t *mac, bool *is_taken_out)
{
    char mac_text[XENFORK__MAC_CHARS];
    bool is_taken = false;
    char **ids;
    size_t count, i;
    int rc = txn_ids(ctx, &ids, &count);

    if (rc < 0)
        return rc;
    if (mac)
        xenfork__mac_print(mac, mac_text);
    for (i = 0; i < count && !is_taken; i++) {
        cleanup_free char *path =
            xenfork__state_path(ctx, TXN_DIR, ids[i], NULL);
        cleanup_record struct xenfork__record *record = NULL;

        if (!path || xenfork__record_read(ctx, path, &record) < 0)
            continue; /* it ended meanwhile, or never chose anything */
        is_taken = (name && has_value(record, "name", name)) ||
                   (mac && has_value(record, "mac", mac_text));
    }
    xenfork__names_free(ids, count);
    *is_taken_out = is_taken;
    return 0;
}
