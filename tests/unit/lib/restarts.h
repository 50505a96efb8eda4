/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resume the restarts that are pending, as xenforkd does. */
#ifndef RESTARTS_H
#define RESTARTS_H

#include "daemon/restart.h"
#include "daemon/state.h"

struct restarts {
    xenfork_ctx *ctx;
    int rc;
};

static inline void restarts_resume_one(void *opaque, const char *uuid)
{
    struct restarts *restarts = opaque;
    int rc = restart_resume(restarts->ctx, uuid);

    restarts->rc = restarts->rc < 0 ? restarts->rc : rc;
}

static inline void restarts_count_one(void *opaque, const char *uuid)
{
    (void)uuid;
    ++*(uint32_t *)opaque;
}

/* The first failure, or 0. */
static inline int restarts_resume(xenfork_ctx *ctx)
{
    struct restarts restarts = {.ctx = ctx};
    int rc = state_restarts(ctx, restarts_resume_one, &restarts);

    return rc < 0 ? rc : restarts.rc;
}

#endif
