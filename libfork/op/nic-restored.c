/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NICs of a clone that was saved and comes back: held again. */
#include "host/host.h"
#include "op/domain.h"
#include "op/named.h"
#include "op/nic.h"
#include "state/record.h"

static bool was_held(const struct xenfork__record *clone,
                     const struct xenfork__record_nic *nic)
{
    return nic->link == XENFORK_LINK_HOLD ||
           (nic->link == XENFORK_LINK_AUTO && !clone->is_ready);
}

/* Hold it as soon as there is an interface. */
static int hold_restored(xenfork_ctx *ctx, uint32_t domid, int devid,
                         bool *is_done)
{
    cleanup_free char *ifname = NULL;

    if (xenfork__xen_nic_ifname(ctx, domid, devid, &ifname) < 0 ||
        xenfork__sys_can_hold(ctx, ifname) < 0) {
        *is_done = false;
        return 0;
    }
    return xenfork__sys_is_held(ifname) ? 0 : xenfork__sys_hold(ctx, ifname);
}

int xenfork__nics_hold_restored(xenfork_ctx *ctx, uint32_t domid,
                                bool *is_done_out)
{
    cleanup_record struct xenfork__record *clone = NULL;
    struct xenfork__dominfo info;
    bool is_done = true;
    uint32_t i;
    int rc = xenfork__xen_info(ctx, domid, &info);

    if (rc == 0)
        rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, info.uuid, &clone);
    if (rc == XENFORK_E_NOTFOUND) {
        *is_done_out = true;
        return 0;
    }
    if (rc < 0)
        return rc;
    /* The domain that a fork has made has its NICs as they are to be. */
    if (xenfork__record_info(ctx, clone, &info) == 0 && info.domid == domid) {
        *is_done_out = true;
        return 0;
    }
    /* Forget where it had left for: it is here. */
    rc = xenfork__name_refresh(ctx, clone, &domid);
    if (rc < 0 || domid == XENFORK_DOMID_NONE)
        return rc;
    for (i = 0; i < clone->nic_count && rc == 0; i++)
        if (was_held(clone, &clone->nics[i]) &&
            !xenfork__nic_is_replaced(ctx, domid, &clone->nics[i]))
            rc = hold_restored(ctx, domid, clone->nics[i].devid, &is_done);
    if (rc == 0)
        *is_done_out = is_done;
    return rc;
}
