/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * List the NICs of clones: a live clone's as they are now, by whatever
 * toolstack attached or detached them.
 */
#include "op/list.h"

#include <string.h>

#include "op/nic.h"

/* Add a NIC; one that is not recorded, xenfork has never been told of. */
static int add_nic(xenfork_ctx *ctx, uint32_t domid, int devid,
                   const struct xenfork__record *clone,
                   struct xenfork__record *now)
{
    const struct xenfork__record_nic *nic;
    bool is_held = false;
    uint8_t mac[6];
    int rc = xenfork__xen_nic_mac(ctx, domid, devid, mac);

    if (rc == XENFORK_E_DEVICE)
        return 0; /* it has just gone */
    if (rc < 0 || (rc = xenfork__nic_is_held(ctx, domid, devid, &is_held)) < 0)
        return rc;
    nic = xenfork__record_find_nic(clone, devid, mac);
    if ((rc = xenfork__record_add_nic(ctx, now, devid, mac,
                                      nic       ? nic->link
                                      : is_held ? XENFORK_LINK_HOLD
                                                : XENFORK_LINK_CONNECT)) < 0)
        return rc;
    now->nics[now->nic_count - 1].is_held = is_held;
    return 0;
}

int xenfork__list_nics(xenfork_ctx *ctx, uint32_t domid,
                       struct xenfork__record *clone)
{
    cleanup_record struct xenfork__record *now = calloc(1, sizeof(*now));
    cleanup_free int *devids = NULL;
    struct xenfork__record_nic *nics;
    uint32_t count = 0, i;
    int rc = now ? xenfork__xen_nic_ids(ctx, domid, &devids, &count)
                 : xenfork__nomem(ctx);

    for (i = 0; i < count && rc == 0; i++)
        rc = add_nic(ctx, domid, devids[i], clone, now);
    if (rc < 0)
        return rc;
    nics = clone->nics;
    clone->nics = now->nics;
    clone->nic_count = now->nic_count;
    now->nics = nics;
    return 0;
}

int xenfork__list_fill_nics(xenfork_ctx *ctx, struct xenfork_entry *entry)
{
    const struct xenfork__record *record = entry->record;
    uint32_t i;

    entry->nics = calloc(record->nic_count + 1, sizeof(*entry->nics));
    if (!entry->nics)
        return xenfork__nomem(ctx);
    for (i = 0; i < record->nic_count; i++) {
        struct xenfork_nic *nic = &entry->nics[i];

        if (entry->domid != XENFORK_DOMID_NONE)
            xenfork__vif_print(entry->domid, record->nics[i].devid, nic->vif);
        memcpy(nic->mac, record->nics[i].mac_text, sizeof(nic->mac));
        nic->link = record->nics[i].link;
        nic->is_held = record->nics[i].is_held;
    }
    return 0;
}
