/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NICs of clones: those of a live one whoever attached and detached them. */
#include "op/list.h"

#include <string.h>

#include "op/nic.h"

static const struct xenfork__node_nic *recorded(
    const struct xenfork__node *node, int devid)
{
    uint32_t i;

    for (i = 0; i < node->nic_count; i++)
        if (node->nics[i].devid == devid)
            return &node->nics[i];
    return NULL;
}

/* One that xenfork has not made, and has never been told of. */
static int look(xenfork_ctx *ctx, uint32_t domid, int devid,
                struct xenfork__node *now)
{
    bool is_held = false;
    uint8_t mac[6];
    int rc = xenfork__xen_nic_mac(ctx, domid, devid, mac);

    if (rc == XENFORK_E_DEVICE)
        return 0; /* it has just gone */
    if (rc < 0 || (rc = xenfork__nic_is_held(ctx, domid, devid, &is_held)) < 0)
        return rc;
    return xenfork__node_add_nic(ctx, now, devid, mac,
                                 is_held ? XENFORK_LINK_HOLD
                                         : XENFORK_LINK_CONNECT);
}

int xenfork__list_nics(xenfork_ctx *ctx, uint32_t domid,
                       struct xenfork__node *clone)
{
    cleanup_node struct xenfork__node *now = calloc(1, sizeof(*now));
    cleanup_free int *devids = NULL;
    struct xenfork__node_nic *nics;
    uint32_t count = 0, i;
    int rc = now ? xenfork__xen_nic_ids(ctx, domid, &devids, &count)
                 : xenfork__nomem(ctx);

    for (i = 0; i < count && rc == 0; i++) {
        const struct xenfork__node_nic *nic = recorded(clone, devids[i]);

        rc = nic ? xenfork__node_add_nic(ctx, now, nic->devid, nic->mac,
                                         nic->link)
                 : look(ctx, domid, devids[i], now);
    }
    if (rc < 0)
        return rc;
    nics = clone->nics;
    clone->nics = now->nics;
    clone->nic_count = now->nic_count;
    now->nics = nics;
    return 0;
}

static const struct xenfork__node_nic *nic_at(const xenfork_list *list,
                                              uint32_t index, uint32_t nic)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n && nic < n->nic_count ? &n->nics[nic] : NULL;
}

XENFORK_API uint32_t xenfork_list_nic_count(const xenfork_list *list,
                                            uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n ? n->nic_count : 0;
}

XENFORK_API const char *xenfork_list_nic_mac(const xenfork_list *list,
                                             uint32_t index, uint32_t nic)
{
    const struct xenfork__node_nic *n = nic_at(list, index, nic);

    return n ? n->mac_text : NULL;
}

XENFORK_API int xenfork_list_nic_link(const xenfork_list *list, uint32_t index,
                                      uint32_t nic)
{
    const struct xenfork__node_nic *n = nic_at(list, index, nic);

    return n ? n->link : XENFORK_LINK_HOLD;
}
