/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Move an overlay into a file while a domain uses it, by device-mapper's
 * mirror.  The disk is worked through in steps: what is behind us is written to
 * both, the step itself is being copied, what is before us is the thin device
 * alone.  So the thin device always has everything: stopped or killed half-way,
 * nothing is lost.
 */
#include "disk/thin/thin.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "disk/detach.h"
#include "disk/thin/pool.h"
#include "host/host.h"
#include "state/files.h"

#define STEP_SECTORS   (32768U * 4) /* 64 MiB: each suspends the disk once */
#define REGION_SECTORS 1024U        /* 512 KiB, in the two lines below, too */
#define SYNCED         "2 1024 nosync"
#define UNSYNCED       "1 1024"
#define POLL_NS        50000000L

struct move {
    const struct xenfork__detach_request *request;
    const struct xenfork__thin *thin;
    char under[XENFORK__DM_NAME_BYTES];
    char loop[XENFORK__LOOP_BYTES];
};

/* Use a table from here on. */
static int use_table(xenfork_ctx *ctx, const struct move *move,
                     const struct xenfork__dm_table *table)
{
    const char *device = move->thin->device;
    int rc, r;

    if ((rc = xenfork__sys_dm_load(ctx, device, table)) < 0 ||
        (rc = xenfork__sys_dm_suspend(ctx, device, true)) < 0)
        return rc;
    r = xenfork__sys_dm_resume(ctx, device);
    return rc < 0 ? rc : r;
}

/* Return the table of the mirror; caller frees. */
static char *mirror_params(const struct move *move, uint64_t start,
                           const char *is_synced)
{
    char *params;

    if (asprintf(&params,
                 "core %s 2 " XENFORK__DM_DIR "%s %" PRIu64 " %s %" PRIu64
                 " 1 handle_errors",
                 is_synced, move->under, start, move->loop, start) < 0)
        return NULL;
    return params;
}

/* Copy @sectors from @start on. */
static int use_step(xenfork_ctx *ctx, const struct move *move, uint64_t start,
                    uint64_t sectors)
{
    cleanup_free char *done = mirror_params(move, 0, SYNCED);
    cleanup_free char *now = mirror_params(move, start, UNSYNCED);
    cleanup_free char *rest = NULL;
    uint64_t end = start + sectors;
    struct xenfork__dm_table lines[3];

    if (asprintf(&rest, XENFORK__DM_DIR "%s %" PRIu64, move->under, end) < 0)
        rest = NULL;
    if (!done || !now || !rest)
        return xenfork__nomem(ctx);
    lines[2] = (struct xenfork__dm_table){
        .sectors = move->thin->sectors - end, .type = "linear", .params = rest};
    lines[1] = (struct xenfork__dm_table){
        .next = end < move->thin->sectors ? &lines[2] : NULL,
        .sectors = sectors,
        .type = "mirror",
        .params = now};
    lines[0] = (struct xenfork__dm_table){
        .next = &lines[1], .sectors = start, .type = "mirror", .params = done};
    return use_table(ctx, move, start ? &lines[0] : &lines[1]);
}

/* Parse "2 253:4 7:1 5/128 1 AA 1 core": AA means that both are well. */
static int look_at_core(xenfork_ctx *ctx, const struct move *move,
                        uint64_t start, uint64_t *done_out, uint64_t *total_out)
{
    cleanup_free char *status = NULL;
    char health[8];
    int rc = xenfork__sys_dm_status_at(ctx, move->thin->device, start, &status);

    if (rc < 0)
        return rc;
    if (sscanf(status, "2 %*s %*s %" SCNu64 "/%" SCNu64 " 1 %7s", done_out,
               total_out, health) != 3 ||
        strcmp(health, "AA") != 0)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0, "cannot copy into %s: %s",
                             move->request->to, status);
    return 0;
}

static int wait_step(xenfork_ctx *ctx, const struct move *move, uint64_t start,
                     uint64_t sectors)
{
    uint64_t done = 0, total = 1, before = 0;
    int rc = 0;

    while (rc == 0 && done < total) {
        xenfork__sleep_ns(POLL_NS);
        if ((rc = look_at_core(ctx, move, start, &done, &total)) < 0)
            return rc;
        done = done < total ? done : total;
        /* Regions may be out of sync again: what is done is not undone. */
        done = done > before ? done : before;
        rc = xenfork__request_step(
            ctx, move->request,
            (start + sectors * done / (total ? total : 1)) *
                XENFORK__SECTOR_BYTES,
            move->thin->sectors * XENFORK__SECTOR_BYTES,
            (done - before) * REGION_SECTORS * XENFORK__SECTOR_BYTES);
        before = done;
    }
    return rc;
}

static int copy_thin(xenfork_ctx *ctx, const struct move *move)
{
    uint64_t start, sectors;
    int rc = 0;

    for (start = 0; start < move->thin->sectors && rc == 0; start += sectors) {
        sectors = move->thin->sectors - start;
        if (sectors > STEP_SECTORS)
            sectors = STEP_SECTORS;
        rc = use_step(ctx, move, start, sectors);
        if (rc == 0)
            rc = wait_step(ctx, move, start, sectors);
    }
    return rc;
}

/* Use a table of one line: everything is in both. */
static int use_both(xenfork_ctx *ctx, const struct move *move)
{
    cleanup_free char *params = mirror_params(move, 0, SYNCED);

    if (!params)
        return xenfork__nomem(ctx);
    return use_table(ctx, move,
                     &(struct xenfork__dm_table){.sectors = move->thin->sectors,
                                                 .type = "mirror",
                                                 .params = params});
}

/* Go back to the thin device alone. */
static int undo_move(xenfork_ctx *ctx, const struct move *move)
{
    cleanup_free char *params = NULL;
    int rc = xenfork__thin_table(ctx, move->thin, &params);

    if (rc == 0)
        rc = use_table(
            ctx, move,
            &(struct xenfork__dm_table){.sectors = move->thin->sectors,
                                        .type = "thin",
                                        .params = params});
    return rc < 0 ? rc : xenfork__sys_dm_remove(ctx, move->under);
}

/*
 * Give the thin device another name, so that the disk's device can be on two
 * things.
 */
static int rename_thin(xenfork_ctx *ctx, const struct move *move)
{
    cleanup_free char *params = NULL;
    int rc;

    if ((rc = undo_move(ctx, move)) < 0 ||
        (rc = xenfork__thin_table(ctx, move->thin, &params)) < 0)
        return rc;
    return xenfork__sys_dm_create(
        ctx, move->under,
        &(struct xenfork__dm_table){
            .sectors = move->thin->sectors, .type = "thin", .params = params});
}

static int make_file(xenfork_ctx *ctx, const char *path, uint64_t bytes)
{
    int rc = xenfork__sys_file_extend(ctx, path, bytes);

    if (rc != XENFORK_E_BUSY)
        return rc;
    xenfork__fail(ctx, XENFORK_E_NOSPC, 0, "no space for %s: %" PRIu64 " MiB",
                  path, bytes >> 20);
    return xenfork__remedy(ctx, "make room there, or choose another place");
}

/*
 * Move an overlay into a file.  The folder's lock is held only briefly: other
 * disks of the folder are forked meanwhile.  The caller makes sure that this
 * clone is not.
 */
int xenfork__thin_move(xenfork_ctx *ctx,
                       const struct xenfork__detach_request *request)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    cleanup_close int loop_fd = -1;
    struct xenfork__dm_info info;
    struct move move = {.request = request};
    int rc;

    if ((rc = xenfork__thin_open(ctx, request->path, &thin)) < 0 ||
        (rc = xenfork__thin_check(ctx, thin)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, thin->device, &info)) < 0)
        return rc;
    if (!info.is_there || !thin->has_id)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0, "disk %s is not in use",
                             request->path);
    move.thin = thin;
    xenfork__thin_name_under(thin, move.under);
    if ((rc = make_file(ctx, request->to,
                        thin->sectors * XENFORK__SECTOR_BYTES)) < 0 ||
        (rc = xenfork__sys_loop(ctx, request->to, false, &loop_fd, move.loop)) <
            0 ||
        (rc = rename_thin(ctx, &move)) < 0)
        return rc;
    xenfork__lock_drop(steal_ptr(thin->lock));
    rc = copy_thin(ctx, &move);
    if (rc == 0)
        rc = use_both(ctx, &move);
    if (rc == 0)
        rc = xenfork__sys_disk_flush(ctx, request->to);
    if (rc == 0)
        rc = xenfork__names_sync(ctx, request->to);
    if (rc == 0)
        rc = request->ops->stays(ctx, request);
    if (rc < 0) {
        keep_error struct xenfork__kept kept = xenfork__keep(ctx);

        if (undo_move(ctx, &move) < 0)
            LOG_WARN(ctx, "the copy of disk %s goes on, ignoring",
                     request->path);
    }
    return rc;
}

/* Parse the second device of a table that has everything in both. */
static bool parse_both(const char *type, const char *params,
                       char loop_out[XENFORK__LOOP_BYTES])
{
    return !strcmp(type, "mirror") &&
           sscanf(params, "core " SYNCED " 2 %*s 0 %23s 0 1", loop_out) == 1;
}

int xenfork__thin_is_in_both(xenfork_ctx *ctx, const char *path, bool *is_out)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    cleanup_free char *type = NULL;
    cleanup_free char *params = NULL;
    char loop[XENFORK__LOOP_BYTES];
    struct xenfork__dm_info info;
    int rc = xenfork__thin_peek(ctx, path, &thin);

    *is_out = false;
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if ((rc = xenfork__sys_dm_info(ctx, thin->device, &info)) < 0 ||
        !info.is_there ||
        (rc = xenfork__sys_dm_table(ctx, thin->device, &type, &params)) < 0)
        return rc;
    *is_out = parse_both(type, params, loop);
    return 0;
}

/* Finish a move; it may have been finished before, without its record. */
static int finish_move(xenfork_ctx *ctx, struct move *move, const char *type,
                       const char *params, bool *is_moved_out)
{
    char linear[XENFORK__LOOP_BYTES + 2];
    int rc = 0;

    *is_moved_out = !strcmp(type, "linear");
    if (parse_both(type, params, move->loop)) {
        snprintf(linear, sizeof(linear), "%s 0", move->loop);
        rc = use_table(
            ctx, move,
            &(struct xenfork__dm_table){.sectors = move->thin->sectors,
                                        .type = "linear",
                                        .params = linear});
        *is_moved_out = true;
    }
    return rc == 0 && *is_moved_out ? xenfork__sys_dm_remove(ctx, move->under)
                                    : rc;
}

int xenfork__thin_finish_move(xenfork_ctx *ctx,
                              const struct xenfork__thin *thin,
                              bool *is_moved_out)
{
    struct move move = {.thin = thin};
    cleanup_free char *type = NULL;
    cleanup_free char *params = NULL;
    struct xenfork__dm_info info;
    int rc = xenfork__sys_dm_info(ctx, thin->device, &info);

    *is_moved_out = false;
    if (rc < 0 || !info.is_there || !info.open_count || !thin->has_id)
        return rc;
    rc = xenfork__sys_dm_table(ctx, thin->device, &type, &params);
    if (rc < 0)
        return rc;
    xenfork__thin_name_under(thin, move.under);
    return finish_move(ctx, &move, type, params, is_moved_out);
}
