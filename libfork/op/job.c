/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stages of a fork, and where its time goes. */
#include "op/job.h"

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

void xenfork__job_enter_firm(struct xenfork__job *job, int stage,
                             uint32_t clone)
{
    aim(job, clone);
    xenfork__enter_firm(job->ctx, stage, clone);
}
