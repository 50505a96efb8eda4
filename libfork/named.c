/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "named.h"

#include <string.h>

static int not_ours(xenfork_ctx *ctx, const char *name, const char *what)
{
    uint32_t domid;

    if (xenfork_find(ctx, name, &domid) == 0) {
        xenfork__fail(ctx, XENFORK_E_NOTOURS, 0,
                      "domain %s is not %s of xenfork's", name, what);
        return xenfork__remedy(ctx, "xl fork-list shows images and clones; "
                                    "xl destroy is for other domains");
    }
    xenfork__fail(ctx, XENFORK_E_NOTFOUND, 0, "there is no %s named %s",
                  what + strcspn(what, " ") + 1, name);
    return xenfork__remedy(ctx, "xl fork-list shows images and clones");
}

int xenfork__named(xenfork_ctx *ctx, int kind, const char *name,
                   struct xenfork__node **node_out)
{
    cleanup_nodes struct xenfork__nodes nodes = {0};
    struct xenfork__node *node;
    int rc = xenfork__nodes_load(ctx, kind, &nodes);

    if (rc < 0)
        return rc;
    rc = xenfork__nodes_find(ctx, &nodes, name, &node);
    if (rc == XENFORK_E_NOTFOUND)
        return not_ours(ctx, name,
                        kind == XENFORK_KIND_IMAGE ? "an image" : "a clone");
    return rc < 0 ? rc : xenfork__node_load(ctx, kind, node->uuid, node_out);
}
