/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stages of a fork, and where its time goes. */
#include "op/job.h"

#include <string.h>

/* Account the time since the last mark to the stage that ends. */
void xenfork__job_account(struct xenfork__job *job)
{
    uint64_t now = xenfork__now_ns();

    job->ns[job->ctx->stage] += now - job->mark_ns;
    job->mark_ns = now;
}

static void aim(struct xenfork__job *job, uint32_t clone)
{
    xenfork__job_account(job);
    job->ns = clone == XENFORK_ALL ? job->result->ns
                                   : job->result->clones[clone].ns;
}

int xenfork__job_enter(struct xenfork__job *job, int stage, uint32_t clone)
{
    aim(job, clone);
    return xenfork__enter(job->ctx, stage, clone, 0);
}

void xenfork__job_go_on(struct xenfork__job *job, int stage, uint32_t clone)
{
    aim(job, clone);
    job->ctx->stage = stage;
}

void xenfork__job_enter_firm(struct xenfork__job *job, int stage,
                             uint32_t clone)
{
    aim(job, clone);
    xenfork__enter_firm(job->ctx, stage, clone);
}

static void fill_memory(const struct xenfork__job *job)
{
    const struct xenfork__reservation *reservation = &job->reservation;
    uint64_t *kib = job->result->kib, count = job->spec->count;

    kib[XENFORK_RESULT_RESERVED] = count * reservation->clone_pages *
                                   XENFORK__PAGE_KIB;
    kib[XENFORK_RESULT_MAY_WRITE] = count * job->image->pages *
                                    XENFORK__PAGE_KIB;
    kib[XENFORK_RESULT_SOURCE] = reservation->source_limit * XENFORK__PAGE_KIB;
}

void xenfork__job_end(struct xenfork__job *job, uint64_t start_ns)
{
    xenfork_result *result = job->result;

    xenfork__job_account(job);
    fill_memory(job);
    result->image_domid = job->image->domid;
    result->image_name = steal_ptr(job->image->name);
    result->ns[XENFORK_STAGE_TOTAL] = xenfork__now_ns() - start_ns;
    memcpy(result->counters, job->ctx->counters, sizeof(result->counters));
}
