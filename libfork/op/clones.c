/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All clones of a fork: announced, made side by side, started. */
#include "op/clone.h"

#include <unistd.h>

#include "disk/disk.h"
#include "state/later.h"

/*
 * How many are made at once by libxl, or with a QEMU.  One waits for processes
 * most of the time, its QEMU and scripts; libxl gives each of these so many
 * seconds.
 */
#define MOST_AT_ONCE 8U

static uint32_t most_at_once(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (processors < 1)
        return 2;
    return processors < (long)MOST_AT_ONCE / 2 ? 2 * (uint32_t)processors
                                               : MOST_AT_ONCE;
}

void xenfork__makings_free(struct xenfork__making *makings, uint32_t count)
{
    uint32_t i;

    for (i = 0; makings && i < count; i++) {
        xenfork__record_free(makings[i].record);
        xenfork__plan_free(makings[i].plan);
    }
    free(makings);
}

/* Tell whether libxl still makes it, or its QEMU loads. */
static bool is_served(const struct xenfork__making *making)
{
    return making->restore || making->is_loading;
}

static uint32_t count_served(const struct xenfork__job *job)
{
    uint32_t i, count = 0;

    for (i = 0; i < job->spec->count; i++)
        count += is_served(&job->makings[i]);
    return count;
}

/* Share the time since the last mark out to the clones that are served. */
static void share_time(struct xenfork__job *job)
{
    uint64_t now = xenfork__now_ns(), ns = now - job->mark_ns;
    uint32_t i, count = count_served(job);

    for (i = 0; i < job->spec->count; i++)
        if (is_served(&job->makings[i]))
            job->result->clones[i].ns[XENFORK_STAGE_CREATE] += ns / count;
    job->mark_ns = now;
}

/* Let libxl work for a while, and see to what it makes, and to each QEMU. */
static int serve_all(struct xenfork__job *job)
{
    uint32_t i;
    int rc = 0;

    xenfork__job_account(job);
    xenfork__xen_restore_turn(job->ctx);
    share_time(job);
    if (xenfork__is_cancelled(job->ctx))
        return xenfork__fail(job->ctx, XENFORK_E_CANCELLED, 0,
                             "cancelled while clones are made");
    for (i = 0; i < job->spec->count && rc >= 0; i++)
        if (is_served(&job->makings[i]))
            rc = xenfork__clone_serve(job, i);
    return rc;
}

/* Have libxl give up what it still makes; @rc is why. */
static int break_off(struct xenfork__job *job, int rc)
{
    struct xenfork__kept kept = xenfork__keep(job->ctx);
    uint32_t i;

    for (i = 0; i < job->spec->count; i++)
        if (job->makings[i].restore)
            xenfork__xen_restore_stop(job->ctx, job->makings[i].restore);
    for (i = 0; i < job->spec->count; i++)
        if (job->makings[i].restore &&
            xenfork__clone_break_off(job, i) == XENFORK_E_RESIDUE) {
            kept = xenfork__keep(job->ctx);
            rc = XENFORK_E_RESIDUE;
        }
    xenfork__put_back(&kept);
    return rc;
}

/* Make all domains: those made by libxl, or with a QEMU, side by side. */
static int make_domains(struct xenfork__job *job)
{
    uint32_t next = 0, count = 0, most = most_at_once();
    int rc = 0;

    while (rc >= 0 && (next < job->spec->count || count)) {
        if (next < job->spec->count && count < most)
            rc = xenfork__clone_begin(job, next++);
        else
            rc = serve_all(job);
        count = count_served(job);
    }
    return rc < 0 ? break_off(job, rc) : rc;
}

/*
 * Make all domains first: meanwhile the kernel makes the interfaces of their
 * NICs.
 */
int xenfork__clones_make(struct xenfork__job *job)
{
    uint32_t i;
    int rc;

    job->makings = calloc(job->spec->count, sizeof(*job->makings));
    if (!job->makings)
        return xenfork__nomem(job->ctx);
    /* In a reset the record is the switch, not the journal's end. */
    if (!job->before)
        xenfork__sync_later(job->ctx);
    rc = make_domains(job);
    for (i = 0; i < job->spec->count && rc >= 0; i++)
        rc = xenfork__clone_complete(job, i);
    if (rc >= 0 &&
        (rc = xenfork__job_enter(job, XENFORK_STAGE_SEAL, XENFORK_ALL)) == 0)
        rc = xenfork__sync_all(job->ctx);
    xenfork__sync_forget(job->ctx);
    return rc;
}

/* Enter all that the clones are to have into the journal, not yet written. */
int xenfork__clones_announce(struct xenfork__job *job)
{
    uint32_t i;
    int rc = 0;

    /* One that was drawn is nobody's yet. */
    for (i = 0; i < job->spec->count && rc >= 0; i++)
        if (job->spec->clones[i].has_uuid)
            rc = xenfork__disks_check_new(job->ctx, job->spec, job->config,
                                          job->image, job->ids[i].disks);
    for (i = 0; i < job->spec->count && rc >= 0; i++)
        rc = xenfork__disks_announce(job->ctx, job->journal, job->spec,
                                     job->config, job->image,
                                     job->ids[i].disks);
    return rc;
}

int xenfork__clones_start(struct xenfork__job *job)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < job->spec->count && rc >= 0; i++) {
        xenfork__job_enter_firm(job, XENFORK_STAGE_UNPAUSE, i);
        job->result->clones[i].start_ns = xenfork__now_ns();
        if (!job->spec->clones[i].is_paused)
            rc = xenfork__xen_unpause(job->ctx, job->result->clones[i].domid);
    }
    return rc;
}
