/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tell a guest that asks to be frozen, or is frozen, by xenstore. */
#include "xen/handles.h"

#include "xen/events.h"
#include "xen/xen.h"

#include <string.h>

#define HOME    "/local/domain/%u/"
#define ASKED   HOME "data/fork/freeze"
#define ERROR   HOME "fork/error"
#define ROLE    HOME "fork/role"
#define REQUEST HOME "control/shutdown"

/*
 * Write a node of the guest's home.  It inherits the home's permissions: dom0
 * owns it, the guest may read it (construct_node(), tools/xenstored, 4.17).
 */
static int put_home_node(xenfork_ctx *ctx, const char *path, const char *value)
{
    xenfork__xs_count(ctx, 1);
    if (!xs_write(ctx->xen->xs, XBT_NULL, path, value, strlen(value)))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot write %s to xenstore", path);
    return 0;
}

int xenfork__xen_guest_role(xenfork_ctx *ctx, uint32_t domid, const char *role)
{
    cleanup_free char *path = NULL;

    if (asprintf(&path, ROLE, domid) < 0) {
        path = NULL;
        return xenfork__nomem(ctx);
    }
    return put_home_node(ctx, path, role);
}

int xenfork__xen_guest_answer(xenfork_ctx *ctx, uint32_t domid,
                              const char *error)
{
    cleanup_free char *asked = xenfork__xs_read(ctx, XBT_NULL, ASKED, domid);
    cleanup_free char *path = NULL;
    cleanup_free char *text_path = NULL;
    int rc;

    if (!asked && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read what domain %u asks for", domid);
    if (!error && !xenfork__xs_rm(ctx, ERROR, domid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot tell domain %u the outcome", domid);
    if (!asked || strcmp(asked, "1"))
        return 0;
    if (asprintf(&path, ASKED, domid) < 0)
        path = NULL;
    if (asprintf(&text_path, ERROR, domid) < 0)
        text_path = NULL;
    if (!path || !text_path)
        return xenfork__nomem(ctx);
    if (error && (rc = put_home_node(ctx, text_path, error)) < 0)
        return rc;
    return put_home_node(ctx, path, "0");
}

int xenfork__xen_frozen_request(xenfork_ctx *ctx, uint32_t domid,
                                bool *wants_out)
{
    cleanup_free char *request = xenfork__xs_read(ctx, XBT_NULL, REQUEST,
                                                  domid);

    if (!request && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read what is asked of domain %u", domid);
    if (request && !strcmp(request, "suspend"))
        return xenfork__xen_acknowledge_suspend(ctx, domid);
    *wants_out = request && *request;
    return 0;
}

/*
 * Tell whether xl's watcher survives a freeze: it knows
 * DOMAIN_RESTART_SUSPENDED from 4.20 on.
 */
int xenfork__host_watcher_survives(xenfork_ctx *ctx, bool *survives_out)
{
    const libxl_version_info *info = libxl_get_version_info(ctx->xen->xl);

    if (!info)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot tell Xen's version");
    *survives_out = info->xen_version_major > 4 ||
                    (info->xen_version_major == 4 &&
                     info->xen_version_minor >= 20);
    return 0;
}

int xenfork__xen_must_mark(xenfork_ctx *ctx, uint32_t domid, bool *must_out)
{
    cleanup_free char *mark = NULL;
    bool survives;
    int rc = xenfork__host_watcher_survives(ctx, &survives);

    if (rc < 0)
        return rc;
    if (!survives) {
        mark = xenfork__xs_read(ctx, XBT_NULL, "/libxl/%u/" XENFORK__MARK,
                                domid);
        if (!mark && errno != ENOENT)
            return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                                 "cannot tell whether domain %u was suspended "
                                 "before",
                                 domid);
    }
    *must_out = !survives && !mark;
    return 0;
}

int xenfork__xen_mark_suspended(xenfork_ctx *ctx, uint32_t domid,
                                bool is_watched)
{
    char path[48];

    snprintf(path, sizeof(path), "/libxl/%u/" XENFORK__MARK, domid);
    return put_home_node(ctx, path,
                         is_watched ? XENFORK__MARK_SUSPENDED
                                    : XENFORK__MARK_UNWATCHED);
}

static int watch_node(xenfork_ctx *ctx, char *path)
{
    cleanup_free char *own = path;

    if (!own)
        return xenfork__nomem(ctx);
    xenfork__xs_count(ctx, 1);
    if (!xs_watch(ctx->xen->xs, own, "xenfork") && errno != EEXIST)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot watch %s in xenstore", own);
    return 0;
}

/* Watch libxl's request to suspend, and the end of being frozen. */
int xenfork__xen_watch_frozen(xenfork_ctx *ctx, uint32_t domid)
{
    char *path;
    int rc;

    rc = watch_node(ctx, asprintf(&path, REQUEST, domid) < 0 ? NULL : path);
    if (rc < 0)
        return rc;
    return watch_node(ctx, asprintf(&path, ROLE, domid) < 0 ? NULL : path);
}
