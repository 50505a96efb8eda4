/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal of a disk that is detached while it is in use, like that of a
 * fork: a keeper, or the process that finds the session, has the driver finish
 * what a killed process has left, before the domain runs on.
 */
#include "op/detach.h"

#include "host/host.h"
#include "op/source.h"
#include "xen/xen.h"

struct session {
    struct xenfork__journal *journal;
    int keeper_fd;
};

static int end(xenfork_ctx *ctx, struct session *session, int rc)
{
    if (rc == 0)
        rc = xenfork__source_commit(ctx, session->journal, session->keeper_fd);
    if (rc < 0)
        rc = xenfork__source_undo(ctx, session->journal, rc);
    xenfork__close_fd(&session->keeper_fd);
    return rc;
}

static int begin_session(xenfork_ctx *ctx,
                         const struct xenfork__detach_request *request,
                         const char *to, struct session *session)
{
    const struct xenfork__detaching *job = request->opaque;
    struct xenfork__dominfo info = {.domid = XENFORK_DOMID_NONE};
    int rc;

    *session = (struct session){.keeper_fd = -1};
    if (request->domid != XENFORK_DOMID_NONE &&
        (rc = xenfork__xen_info(ctx, request->domid, &info)) < 0)
        return rc;
    rc = xenfork__journal_begin(ctx, &session->journal);
    if (rc < 0)
        return rc;
    if ((rc = xenfork__sys_keeper(ctx, xenfork__journal_id(session->journal),
                                  &session->keeper_fd)) < 0 ||
        (rc = xenfork__journal_source(ctx, session->journal, job->clone->uuid,
                                      info.domid, info.is_paused)) < 0 ||
        (rc = xenfork__disk_note_place(ctx, to)) < 0 ||
        (rc = xenfork__journal_detach(
             ctx, session->journal, request->driver,
             &(struct xenfork__journal_disk){
                 .path = to, .vdev = request->vdev, .from = request->path})) <
            0)
        return end(ctx, session, rc);
    return 0;
}

static int note_pausing(xenfork_ctx *ctx,
                        const struct xenfork__detach_request *request,
                        const struct session *session)
{
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, request->domid, &info);

    return rc < 0 ? rc
                  : xenfork__journal_stopping(ctx, session->journal,
                                              info.is_paused, info.cpu_ns);
}

int xenfork__detach_journal(xenfork_ctx *ctx,
                            const struct xenfork__detach_request *request,
                            const char *to, bool is_pausing,
                            xenfork__detach_act *act, const void *arg)
{
    struct session session;
    int rc = begin_session(ctx, request, to, &session);

    if (rc < 0)
        return rc;
    if (is_pausing)
        rc = note_pausing(ctx, request, &session);
    if (rc == 0)
        rc = act(ctx, request, arg);
    return end(ctx, &session, rc);
}
