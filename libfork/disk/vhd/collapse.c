/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Make chains of VHDs shorter.  A base that backs only the source takes in what
 * the source has written since, as if the fork had been undone.  Meanwhile the
 * source's requests wait, so that must not be much: 256 MiB are written in
 * some 0.3 s (blktap 4.0.8).  Bases further below are coalesced while the
 * source runs: disk/vhd/coalesce.c
 */
#include "disk/vhd/vhd.h"

#include <string.h>

#include "disk/collapse.h"
#include "host/host.h"

#define MAX_BLOCKS 128U /* of 2 MiB */

/*
 * Find a base that backs only the source.  to_out: the source may be put back
 * on it.
 */
static int find_free(xenfork_ctx *ctx,
                     const struct xenfork__collapse_request *request,
                     bool *again_out, char **to_out)
{
    struct xenfork__vhd vhd = {0};
    cleanup_free char *parent = NULL;
    cleanup_free char *to = NULL;
    bool is_free = false;
    int rc = xenfork__sys_vhd_query(ctx, xenfork__vhd_file(request->from),
                                    &vhd);

    if (rc < 0)
        return rc;
    parent = vhd.parent;
    if (!parent || !xenfork__vhd_is_ours(parent) || vhd.allocated > MAX_BLOCKS)
        return 0;
    if (asprintf(&to, XENFORK__VHD_PREFIX "%s", parent) < 0) {
        to = NULL;
        return xenfork__nomem(ctx);
    }
    rc = request->ops->is_free(ctx, to, request->from, &is_free);
    if (rc < 0 || !is_free)
        return rc;
    *again_out |= vhd.depth > 2;
    *to_out = steal_ptr(to);
    return 0;
}

int xenfork__vhd_collapse(xenfork_ctx *ctx,
                          const struct xenfork__collapse_request *request,
                          bool *again_out, char **to_out)
{
    int rc = xenfork__vhd_relink(ctx, request, again_out);

    return rc < 0 ? rc : find_free(ctx, request, again_out, to_out);
}
