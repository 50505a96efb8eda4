/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NICs of clones that live: held, connected, moved to another bridge. */
#include "nic.h"

#include <string.h>

#include "again.h"
#include "ids.h"
#include "lock.h"
#include "named.h"
#include "node.h"

/* A clone, its domain of now, and what it is configured with. */
struct target {
    struct xenfork__lock *lock; /* nobody else changes its record */
    struct xenfork__node *node;
    struct xenfork__config *config;
    uint32_t domid;
    uint32_t first, end; /* of its NICs, those that are meant */
};

int xenfork__nic_connect(xenfork_ctx *ctx, uint32_t domid, int devid)
{
    cleanup_free char *bridge = NULL;
    char vif[XENFORK__VIF_CHARS];
    int rc = xenfork__xen_nic_bridge(ctx, domid, devid, &bridge);

    if (rc < 0)
        return rc;
    xenfork__vif_print(domid, devid, vif);
    return xenfork__sys_connect(ctx, vif, bridge);
}

int xenfork__nic_hold(xenfork_ctx *ctx, uint32_t domid, int devid)
{
    char vif[XENFORK__VIF_CHARS];

    xenfork__vif_print(domid, devid, vif);
    return xenfork__sys_hold(ctx, vif);
}

bool xenfork__nic_is_held(uint32_t domid, int devid)
{
    char vif[XENFORK__VIF_CHARS];

    xenfork__vif_print(domid, devid, vif);
    return xenfork__sys_is_held(vif);
}

/* Its domain: the one that was made, or that it has been restored as. */
static int find_domain(xenfork_ctx *ctx, struct target *target)
{
    int rc = xenfork__xen_by_uuid(ctx, target->node->uuid, &target->domid);

    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    return xenfork__fail(ctx, XENFORK_E_NOTRUNNING, 0,
                         "clone %s has no domain any more", target->node->name);
}

static int find_clone(xenfork_ctx *ctx, const char *name, struct target *target)
{
    int rc;

    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true,
                                 &target->lock)) < 0 ||
        (rc = xenfork__named(ctx, XENFORK_KIND_CLONE, name, &target->node)) <
            0 ||
        (rc = find_domain(ctx, target)) < 0)
        return rc;
    ctx->domid = target->domid;
    return xenfork__xen_config_get(ctx, target->domid, &target->config);
}

static int find_nics(xenfork_ctx *ctx, uint32_t nic, struct target *target)
{
    uint32_t count = target->config->nic_count;

    if (nic != XENFORK_ALL && nic >= count)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "clone %s has no NIC %u: it has %u",
                             target->node->name, nic, count);
    if (!count)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "clone %s has no NIC",
                             target->node->name);
    target->first = nic == XENFORK_ALL ? 0 : nic;
    target->end = nic == XENFORK_ALL ? count : nic + 1;
    return 0;
}

static int find(xenfork_ctx *ctx, const char *name, uint32_t nic,
                struct target *target)
{
    int rc = find_clone(ctx, name, target);

    return rc < 0 ? rc : find_nics(ctx, nic, target);
}

static void drop(struct target *target)
{
    xenfork__config_free(target->config);
    xenfork__node_free(target->node);
    xenfork__lock_drop(target->lock);
}

/* What the user has said is not undone by an acknowledgement. */
static int set_link(xenfork_ctx *ctx, const struct target *target, int devid,
                    int link)
{
    uint32_t i;

    for (i = 0; i < target->node->nic_count; i++)
        if (target->node->nics[i].devid == devid)
            target->node->nics[i].link = link;
    return link == XENFORK_LINK_CONNECT
               ? xenfork__nic_connect(ctx, target->domid, devid)
               : xenfork__nic_hold(ctx, target->domid, devid);
}

XENFORK_API int xenfork_nic_link(xenfork_ctx *ctx, const char *clone,
                                 uint32_t nic, int link)
{
    struct target target = {0};
    uint32_t i;
    int rc, r;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!clone || (link != XENFORK_LINK_HOLD && link != XENFORK_LINK_CONNECT))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no clone or no link");
    rc = find(ctx, clone, nic, &target);
    for (i = target.first; i < target.end && rc >= 0; i++)
        rc = set_link(ctx, &target, target.config->nics[i].devid, link);
    /* What has been done is recorded, whatever failed after it. */
    if (target.end) {
        r = xenfork__node_save(ctx, target.node);
        rc = rc < 0 ? rc : r;
    }
    drop(&target);
    return rc;
}

/* The record first: it can be put back, also when the interface has gone. */
static int move(xenfork_ctx *ctx, const struct target *target,
                const char *bridge)
{
    int devid = target->config->nics[target->first].devid;
    cleanup_free char *old = NULL;
    char vif[XENFORK__VIF_CHARS];
    int rc;

    if ((rc = xenfork__xen_nic_bridge(ctx, target->domid, devid, &old)) < 0)
        return rc;
    if (!old) {
        xenfork__fail(ctx, XENFORK_E_DEVICE, 0,
                      "NIC %u of clone %s is on no bridge", target->first,
                      target->node->name);
        return xenfork__remedy(ctx, "it is routed, by its script= or xl.conf");
    }
    xenfork__vif_print(target->domid, devid, vif);
    rc = xenfork__xen_nic_set_bridge(ctx, target->domid, devid, bridge);
    if (rc == 0)
        rc = xenfork__sys_move(ctx, vif, bridge);
    if (rc == 0)
        rc = xenfork__again_change(
            ctx, target->node,
            &(struct xenfork__config_change){.devid = devid, .bridge = bridge});
    if (rc < 0) {
        __auto_type error = ctx->error;

        if (xenfork__xen_nic_set_bridge(ctx, target->domid, devid, old) < 0)
            rc = error.code = XENFORK_E_RESIDUE;
        ctx->error = error;
    }
    return rc;
}

XENFORK_API int xenfork_nic_bridge(xenfork_ctx *ctx, const char *clone,
                                   uint32_t nic, const char *bridge)
{
    struct target target = {0};
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!clone || !bridge || !xenfork__bridge_is_valid(bridge))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "no clone, or malformed name of a bridge");
    rc = xenfork__sys_is_bridge(ctx, bridge);
    if (rc < 0)
        return rc;
    rc = find(ctx, clone, nic, &target);
    if (rc == 0 && target.end - target.first > 1) {
        xenfork__fail(ctx, XENFORK_E_INVAL, 0, "clone %s has %u NICs",
                      target.node->name, target.end);
        rc = xenfork__remedy(ctx, "say which one, counted from 0");
    }
    if (rc == 0)
        rc = move(ctx, &target, bridge);
    drop(&target);
    return rc;
}
