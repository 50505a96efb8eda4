/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/detach.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "op/domain.h"
#include "op/hydrate.h"
#include "op/leave.h"
#include "op/named.h"
#include "op/recover.h"
#include "state/files.h"
#include "state/folder.h"
#include "state/lock.h"
#include "xen/xen.h"

#define STOP_FILE "stop-detach"

static int say_where(xenfork_ctx *ctx, const char *name)
{
    return xenfork__remedy(ctx,
                           "make sure that nothing else uses its disks; then "
                           "start it here (xl fork-start --yes %s), and detach "
                           "it as it runs",
                           name);
}

static int detach_all(xenfork_ctx *ctx, struct xenfork__detaching *job)
{
    uint32_t i, domid = XENFORK_DOMID_NONE;
    int rc = xenfork__clone_domid(ctx, job->clone, &domid);

    if (rc == XENFORK_E_NOTFOUND)
        rc = xenfork__leave_check(ctx, job->clone, say_where);
    if (rc < 0 || (rc = xenfork__detach_stays(ctx, job, domid)) < 0)
        return rc;
    job->start_ns = xenfork__now_ns();
    job->parts = 1 + job->clone->disk_count;
    /* Restored since: another domain, that never had an image. */
    if (xenfork__record_has_domid(ctx, job->clone, domid) &&
        ((rc = xenfork__hydrate_check(ctx, job->clone)) < 0 ||
         (rc = xenfork__detach_memory(ctx, job, domid)) < 0))
        return rc;
    for (i = 0; i < job->clone->disk_count; i++) {
        job->part++;
        if ((rc = xenfork__enter(ctx, XENFORK_STAGE_DETACH, 0, 0)) < 0 ||
            (rc = xenfork__detach_disk(ctx, job, i)) < 0)
            return rc;
    }
    return xenfork__detach_save(ctx, job, 100);
}

/*
 * Allow one detach of a clone at a time; while its memory is detached the clone
 * may be forked and destroyed.
 */
static int lock(xenfork_ctx *ctx, const struct xenfork__record *clone,
                struct xenfork__lock **lock_out)
{
    char name[sizeof("detach-") + XENFORK__UUID_CHARS];
    char uuid[XENFORK__UUID_CHARS];
    int rc;

    xenfork__uuid_print(clone->uuid, uuid);
    snprintf(name, sizeof(name), "detach-%s", uuid);
    rc = xenfork__lock_take(ctx, name, false, lock_out);
    if (rc == 0 && xenfork__journal_exists(ctx, clone->journal))
        return xenfork__busy(ctx, clone->name);
    if (rc != XENFORK_E_BUSY)
        return rc;
    xenfork__fail(ctx, rc, 0, "%s is being detached already", clone->name);
    return xenfork__remedy(ctx, "xl fork-info shows how far it is; xl "
                                "fork-detach --stop stops it");
}

static int find_detaching(xenfork_ctx *ctx, const char *name,
                          struct xenfork__record **clone_out,
                          char **stop_path_out)
{
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no name");
    rc = xenfork__named(ctx, XENFORK_KIND_CLONE, name, clone_out);
    if (rc < 0)
        return rc;
    ctx->domid = (*clone_out)->domid;
    *stop_path_out = xenfork__record_path(ctx, XENFORK_KIND_CLONE,
                                          (*clone_out)->uuid, STOP_FILE);
    return *stop_path_out ? 0 : xenfork__nomem(ctx);
}

/*
 * Check that the path is absolute, and plain in every file that will have it.
 */
static int check_place(xenfork_ctx *ctx, const char *dir, const char *format)
{
    struct stat st;

    if (!dir)
        return format ? xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                                      "a format without a folder")
                      : 0;
    if (strcmp(format, "raw") && strcmp(format, "qcow2"))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "the format %s is neither raw nor qcow2", format);
    if (dir[0] != '/' || stat(dir, &st) || !S_ISDIR(st.st_mode))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "%s is not the absolute path of a folder", dir);
    return xenfork__folder_check(ctx, dir);
}

XENFORK_API int xenfork_detach(xenfork_ctx *ctx, const char *name,
                               const char *dir, const char *format,
                               uint64_t kib_per_second)
{
    cleanup_record struct xenfork__record *clone = NULL;
    cleanup_free char *stop_path = NULL;
    int rc = find_detaching(ctx, name, &clone, &stop_path);

    if (dir && !format)
        format = "raw";
    if (rc < 0 || (rc = check_place(ctx, dir, format)) < 0)
        return rc;
    {
        cleanup_lock struct xenfork__lock *held = NULL;

        if ((rc = lock(ctx, clone, &held)) < 0 ||
            (rc = xenfork__file_remove(ctx, stop_path)) < 0)
            return rc;
        rc = detach_all(ctx, &(struct xenfork__detaching){
                                 .clone = clone,
                                 .stop_path = stop_path,
                                 .dir = dir,
                                 .format = format,
                                 .kib_per_second = kib_per_second});
        if (rc < 0)
            return rc;
    }
    return xenfork__images_sweep(ctx, clone->parent);
}

XENFORK_API int xenfork_detach_stop(xenfork_ctx *ctx, const char *name)
{
    cleanup_record struct xenfork__record *clone = NULL;
    cleanup_free char *stop_path = NULL;
    int rc = find_detaching(ctx, name, &clone, &stop_path);

    return rc < 0 ? rc : xenfork__file_write(ctx, stop_path, "", 0);
}
