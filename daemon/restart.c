/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "restart.h"

#include <string.h>
#include <time.h>

#include "base/ids.h"
#include "log.h"
#include "op/hydrate.h"
#include "op/nic.h"
#include "op/restarted.h"
#include "state/files.h"
#include "state/keyfile.h"
#include "state/lock.h"
#include "state/record.h"
#include "state/restart.h"

#define MAX_CONFIG_BYTES (4U << 20)
#define MAX_NICS         256U
#define TRIES            3
#define PAUSE_S          2 /* as xl: some backends take their time to go */

struct restart {
    char uuid_text[XENFORK__UUID_CHARS];
    uint8_t uuid[16];
    char boot[XENFORK__UUID_CHARS]; /* of the host, that domids are of */
    char mark[XENFORK__UUID_CHARS]; /* what is made in its place bears it */
    uint32_t domid;                 /* what has shut down */
    int mode;                       /* RESTART_* */
    uint32_t made; /* what comes in its place; DOMID_NONE: not yet */
    bool is_clone;
    uint32_t held_count;
    int held[MAX_NICS]; /* devids of NICs */
    char *json;
};

static void restart_cleanup(struct restart *restart)
{
    free(restart->json);
}
#define cleanup_restart __attribute__((cleanup(restart_cleanup)))

static int to_record(xenfork_ctx *ctx, const struct restart *restart,
                     struct xenfork__keyfile *keyfile)
{
    uint32_t i;
    int rc;

    if ((rc = xenfork__keyfile_set(ctx, keyfile, "boot", restart->boot)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "mark", restart->mark)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "domid", restart->domid)) <
            0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "mode",
                                       (uint64_t)restart->mode)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "clone",
                                       restart->is_clone)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "made", restart->made)) <
            0)
        return rc;
    for (i = 0; i < restart->held_count; i++) {
        char devid[16];

        snprintf(devid, sizeof(devid), "%d", restart->held[i]);
        rc = xenfork__keyfile_set_nth(ctx, keyfile, "held", i, devid);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int save_restart(xenfork_ctx *ctx, const struct restart *restart)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    cleanup_free char *path = xenfork__restart_path(ctx, restart->uuid,
                                                    XENFORK__FILE_RECORD);
    int rc;

    if (!path)
        return xenfork__nomem(ctx);
    if ((rc = xenfork__keyfile_new(ctx, &keyfile)) < 0 ||
        (rc = to_record(ctx, restart, keyfile)) < 0)
        return rc;
    return xenfork__keyfile_write(ctx, path, keyfile);
}

static bool get_uuid_text(const struct xenfork__keyfile *keyfile,
                          const char *key, char uuid_out[XENFORK__UUID_CHARS])
{
    const char *text = xenfork__keyfile_get(keyfile, key);
    uint8_t uuid[16];

    if (!text || !xenfork__uuid_parse(text, uuid))
        return false;
    strcpy(uuid_out, text);
    return true;
}

static bool from_record(struct restart *restart,
                        const struct xenfork__keyfile *keyfile)
{
    uint32_t mode, is_clone, devid;
    char key[32];

    if (!get_uuid_text(keyfile, "boot", restart->boot) ||
        !get_uuid_text(keyfile, "mark", restart->mark) ||
        !xenfork__keyfile_get_u32(keyfile, "domid", &restart->domid) ||
        !xenfork__keyfile_get_u32(keyfile, "mode", &mode) ||
        mode > RESTART_PRESERVE ||
        !xenfork__keyfile_get_u32(keyfile, "clone", &is_clone) ||
        !xenfork__keyfile_get_u32(keyfile, "made", &restart->made))
        return false;
    restart->mode = (int)mode;
    restart->is_clone = is_clone;
    for (;;) {
        snprintf(key, sizeof(key), "held.%u", restart->held_count);
        if (!xenfork__keyfile_get(keyfile, key))
            return true;
        if (restart->held_count == MAX_NICS ||
            !xenfork__keyfile_get_u32(keyfile, key, &devid))
            return false;
        restart->held[restart->held_count++] = (int)devid;
    }
}

/* Load a restart.  NOTFOUND: none was begun, or nothing was done for it yet. */
static int load_restart(xenfork_ctx *ctx, struct restart *restart)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    cleanup_free char *path = xenfork__restart_path(ctx, restart->uuid,
                                                    XENFORK__FILE_RECORD);
    cleanup_free char *json = xenfork__restart_path(ctx, restart->uuid,
                                                    XENFORK__FILE_CONFIG);
    size_t bytes;
    int rc;

    if (!path || !json)
        return xenfork__nomem(ctx);
    rc = xenfork__keyfile_read(ctx, path, &keyfile);
    if (rc < 0)
        return rc;
    if (!from_record(restart, keyfile))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is malformed", path);
    rc = xenfork__file_read(ctx, json, MAX_CONFIG_BYTES, &restart->json,
                            &bytes);
    if (rc == XENFORK_E_NOTFOUND)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is lost", json);
    return rc;
}

/*
 * Begin a restart, with the configuration first: a record says that everything
 * is there.
 */
static int begin_restart(xenfork_ctx *ctx, const struct restart *restart)
{
    cleanup_free char *dir = xenfork__restart_path(ctx, restart->uuid, NULL);
    cleanup_free char *json = xenfork__restart_path(ctx, restart->uuid,
                                                    XENFORK__FILE_CONFIG);
    int rc;

    if (!dir || !json)
        return xenfork__nomem(ctx);
    if ((rc = xenfork__make_dir(ctx, dir)) < 0 ||
        (rc = xenfork__file_write(ctx, json, restart->json,
                                  strlen(restart->json))) < 0)
        return rc;
    return save_restart(ctx, restart);
}

/*
 * Hydrate a domain that is kept: it must not need the image, which may be
 * removed.
 */
static int hydrate(xenfork_ctx *ctx, const struct restart *restart)
{
    cleanup_record struct xenfork__record *record = NULL;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, restart->uuid,
                                  &record);

    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    if (rc < 0)
        return rc;
    if (!xenfork__record_has_domid(ctx, record, restart->domid) ||
        record->hydrated == 100)
        return 0;
    return xenfork__hydrate(ctx, record, 0);
}

static int preserve(xenfork_ctx *ctx, const struct restart *restart)
{
    time_t now = time(NULL);
    char suffix[24];
    struct tm tm;
    int rc;

    if (!gmtime_r(&now, &tm) ||
        !strftime(suffix, sizeof(suffix), "-%Y%m%dT%H%M%SZ", &tm))
        return xenfork__fail(ctx, XENFORK_E_IO, 0, "cannot tell the time");
    /* Nobody is to apply its policy a second time. */
    if ((rc = hydrate(ctx, restart)) < 0 ||
        (rc = xenfork__host_set_mark(ctx, restart->domid,
                                     XENFORK__XENFORKD_KEEP)) < 0)
        return rc;
    return xenfork__host_preserve(ctx, restart->domid, restart->json, suffix);
}

/*
 * Destroy the domain that has shut down, unless it is gone, is another domain
 * by now, or runs again.
 */
static int retire(xenfork_ctx *ctx, const struct restart *restart)
{
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, restart->domid, &info);

    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    if (rc < 0)
        return rc;
    if (info.is_dying || !info.is_shutdown ||
        memcmp(info.uuid, restart->uuid, 16))
        return 0;
    return restart->mode == RESTART_PRESERVE
               ? preserve(ctx, restart)
               : xenfork__xen_destroy(ctx, restart->domid);
}

/*
 * Look at a domain that has the UUID already: a killed process has half-made
 * it, and then it has this restart's mark, and never ran; or the user was
 * faster.
 */
static int clear_place(xenfork_ctx *ctx, const struct restart *restart,
                       bool *is_free_out)
{
    char mark[XENFORK__UUID_CHARS];
    struct xenfork__dominfo info;
    uint32_t domid;
    int rc = xenfork__xen_by_uuid(ctx, restart->uuid, &domid);

    *is_free_out = true;
    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    if (rc < 0 || (rc = xenfork__xen_info(ctx, domid, &info)) < 0 ||
        (rc = xenfork__xen_made_for(ctx, domid, mark)) < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (info.is_paused && !info.cpu_ns && !strcmp(mark, restart->mark))
        return xenfork__xen_destroy(ctx, domid);
    *is_free_out = false;
    return 0;
}

static int create_domain(xenfork_ctx *ctx, struct restart *restart)
{
    uint32_t domid;
    int rc, i;

    rc = xenfork__xen_create(ctx, restart->json, restart->mark, &domid);
    for (i = 1; i < TRIES && rc == XENFORK_E_XEN; i++) {
        xenfork__sleep_ns(PAUSE_S * 1000000000ULL);
        rc = xenfork__xen_create(ctx, restart->json, restart->mark, &domid);
    }
    if (rc < 0)
        return rc;
    restart->made = domid;
    return save_restart(ctx, restart);
}

/* Hold the NICs; the domain is still paused: no frame has passed. */
static int hold_restart_nics(xenfork_ctx *ctx, const struct restart *restart)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < restart->held_count && rc >= 0; i++)
        rc = xenfork__nic_hold(ctx, restart->made, restart->held[i]);
    return rc;
}

static int start_domain(xenfork_ctx *ctx, const struct restart *restart)
{
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, restart->made, &info);

    /* Destroyed by its user meanwhile. */
    if (rc == XENFORK_E_NOTFOUND ||
        (rc == 0 && (info.is_dying || memcmp(info.uuid, restart->uuid, 16))))
        return xenfork__restart_forget(ctx, restart->uuid);
    if (rc < 0 || (rc = xenfork__host_set_mark(ctx, restart->made,
                                               XENFORK__XENFORKD_WATCH)) < 0)
        return rc;
    /* One that has run was paused by its user. */
    if (info.is_paused && !info.cpu_ns &&
        ((rc = xenfork__restarted_begin(ctx, restart->uuid, restart->made,
                                        restart->json, NULL)) < 0 ||
         (rc = hold_restart_nics(ctx, restart)) < 0 ||
         (rc = xenfork__xen_unpause(ctx, restart->made)) < 0))
        return rc;
    log_info("restart", "uuid=%s domid=%u result=ok", restart->uuid_text,
             restart->made);
    return xenfork__restart_forget(ctx, restart->uuid);
}

static int run_restart(xenfork_ctx *ctx, struct restart *restart)
{
    bool is_free;
    int rc;

    if (restart->made == XENFORK_DOMID_NONE) {
        if ((rc = retire(ctx, restart)) < 0 ||
            (rc = clear_place(ctx, restart, &is_free)) < 0)
            return rc;
        if (!is_free) {
            log_warning("restart",
                        "uuid=%s result=dropped reason=\"a domain "
                        "has the UUID already\"",
                        restart->uuid_text);
            return xenfork__restart_forget(ctx, restart->uuid);
        }
        if ((rc = create_domain(ctx, restart)) < 0)
            return rc;
    }
    return start_domain(ctx, restart);
}

/* Tell whether it is a clone that has no record any more. */
static int is_orphaned(xenfork_ctx *ctx, const struct restart *restart,
                       bool *is_out)
{
    cleanup_record struct xenfork__record *record = NULL;
    int rc = 0;

    if (restart->is_clone)
        rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, restart->uuid,
                                  &record);
    *is_out = rc == XENFORK_E_NOTFOUND;
    return *is_out ? 0 : rc;
}

/* Forget the restart of a clone that was destroyed, or forgotten. */
static int drop_orphan(xenfork_ctx *ctx, const struct restart *restart)
{
    bool is_free;
    int rc = clear_place(ctx, restart, &is_free);

    if (rc < 0)
        return rc;
    log_warning("restart",
                "uuid=%s result=dropped reason=\"the clone's record is gone\"",
                restart->uuid_text);
    return xenfork__restart_forget(ctx, restart->uuid);
}

int restart_begin(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                  const struct xenfork__host_config *config, int mode,
                  bool is_clone)
{
    cleanup_restart struct restart restart = {.domid = info->domid,
                                              .mode = mode,
                                              .made = XENFORK_DOMID_NONE,
                                              .is_clone = is_clone};
    uint8_t mark[16];
    uint32_t i;
    int rc;

    strcpy(restart.boot, ctx->boot);
    memcpy(restart.uuid, info->uuid, 16);
    xenfork__uuid_print(info->uuid, restart.uuid_text);
    rc = xenfork__uuid_random(ctx, mark);
    if (rc < 0)
        return rc;
    xenfork__uuid_print(mark, restart.mark);
    restart.json = strdup(config->json);
    if (!restart.json)
        return xenfork__nomem(ctx);
    /* A clone takes a few MiB, what it comes back as all of its memory. */
    rc = xenfork__xen_check_memory(
        ctx, config->json,
        mode == RESTART_DESTROY ? info->domid : XENFORK_DOMID_NONE);
    if (rc < 0)
        return rc;
    for (i = 0; i < config->nic_count && restart.held_count < MAX_NICS; i++) {
        bool is_held = false;

        rc = xenfork__nic_is_held(ctx, info->domid, config->nics[i], &is_held);
        if (rc < 0)
            return rc;
        if (is_held)
            restart.held[restart.held_count++] = config->nics[i];
    }
    rc = begin_restart(ctx, &restart);
    return rc < 0 ? rc : run_restart(ctx, &restart);
}

int restart_resume(xenfork_ctx *ctx, const char *uuid)
{
    cleanup_restart struct restart restart = {0};
    cleanup_lock struct xenfork__lock *lock = NULL;
    bool is_orphan;
    int rc;

    if (!xenfork__uuid_parse(uuid, restart.uuid))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no UUID");
    xenfork__uuid_print(restart.uuid, restart.uuid_text);
    /* As policies: nobody's place is kept by waiting. */
    rc = xenfork__lock_take(ctx, restart.uuid_text, false, &lock);
    if (rc < 0)
        return rc;
    rc = load_restart(ctx, &restart);
    /* Killed before it was journaled: nothing was done. */
    if (rc == XENFORK_E_NOTFOUND)
        return xenfork__restart_forget(ctx, restart.uuid);
    if (rc < 0)
        return rc;
    if (strcmp(restart.boot, ctx->boot)) {
        log_warning("restart",
                    "uuid=%s result=dropped reason=\"the host was "
                    "booted since\"",
                    restart.uuid_text);
        return xenfork__restart_forget(ctx, restart.uuid);
    }
    if ((rc = is_orphaned(ctx, &restart, &is_orphan)) < 0)
        return rc;
    return is_orphan ? drop_orphan(ctx, &restart) : run_restart(ctx, &restart);
}
