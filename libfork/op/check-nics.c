/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Check that the clones' NICs can be made and held as requested. */
#include "op/nic.h"

#include "host/host.h"

/*
 * Tell whether any clone holds the NIC.  @spec NULL: the source is frozen, for
 * clones that are not known yet.
 */
static bool is_held_by_any(const xenfork_spec *spec, uint32_t nic)
{
    uint32_t i;

    for (i = 0; spec && i < spec->count; i++)
        if (xenfork__nic_link(&spec->clones[i], nic) != XENFORK_LINK_CONNECT)
            return true;
    return false;
}

int xenfork__nic_check_place(xenfork_ctx *ctx, const xenfork_spec *spec,
                             const struct xenfork__config *config, uint32_t nic)
{
    const struct xenfork__nic *source = &config->nics[nic];
    uint32_t i;
    int rc = 0;

    for (i = 0; i < spec->count && rc == 0; i++) {
        const struct xenfork__nic_spec *wish = xenfork__nic_spec(
            &spec->clones[i], nic);

        rc = xenfork__sys_can_join(ctx, source->script,
                                   wish && wish->bridge ? wish->bridge
                                                        : source->bridge);
    }
    return rc;
}

int xenfork__nic_check(xenfork_ctx *ctx, const xenfork_spec *spec,
                       uint32_t domid, const struct xenfork__config *config,
                       uint32_t nic)
{
    cleanup_free char *ifname = NULL;
    int rc = xenfork__xen_nic_ifname(ctx, domid, config->nics[nic].devid,
                                     &ifname);

    if (rc == 0 && spec)
        rc = xenfork__nic_check_place(ctx, spec, config, nic);
    /* The script makes the same of a clone's NIC as of the source's. */
    return rc < 0 || !is_held_by_any(spec, nic)
               ? rc
               : xenfork__sys_can_hold(ctx, ifname);
}
