/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NICs of clones that live: held, connected, moved to another bridge. */
#include "op/nic.h"

#include <string.h>

#include "base/ids.h"
#include "host/host.h"
#include "op/domain.h"
#include "op/named.h"
#include "op/saved-config.h"
#include "state/lock.h"
#include "state/record.h"

#define FLUSH_MS 2000U

/* A clone, its domain of now, and what it is configured with. */
struct target {
    struct xenfork__lock *lock; /* nobody else changes its record */
    struct xenfork__record *record;
    struct xenfork__config *config;
    uint32_t domid;
    uint32_t first, end; /* of its NICs, those that are meant */
};

void xenfork__nic_flush(xenfork_ctx *ctx, uint32_t domid, int devid)
{
    cleanup_free char *ifname = NULL;

    /* A rate= makes frames wait: those are of before. */
    if (xenfork__xen_nic_ifname(ctx, domid, devid, &ifname) == 0 &&
        xenfork__sys_is_held(ifname))
        xenfork__xen_nic_flush(ctx, domid, devid, FLUSH_MS);
}

int xenfork__nic_connect(xenfork_ctx *ctx, uint32_t domid, int devid)
{
    cleanup_free char *ifname = NULL;
    int rc = xenfork__xen_nic_ifname(ctx, domid, devid, &ifname);

    return rc < 0 ? rc : xenfork__sys_connect(ctx, ifname);
}

int xenfork__nic_hold(xenfork_ctx *ctx, uint32_t domid, int devid)
{
    cleanup_free char *ifname = NULL;
    int rc = xenfork__xen_nic_ifname(ctx, domid, devid, &ifname);

    return rc < 0 ? rc : xenfork__sys_hold(ctx, ifname);
}

int xenfork__nic_is_held(xenfork_ctx *ctx, uint32_t domid, int devid,
                         bool *is_held_out)
{
    cleanup_free char *ifname = NULL;
    int rc = xenfork__xen_nic_ifname(ctx, domid, devid, &ifname);

    if (rc < 0 && rc != XENFORK_E_DEVICE)
        return rc;
    *is_held_out = rc == 0 && xenfork__sys_is_held(ifname);
    return 0;
}

bool xenfork__nic_is_replaced(xenfork_ctx *ctx, uint32_t domid,
                              const struct xenfork__record_nic *nic)
{
    uint8_t mac[6];

    return xenfork__xen_nic_mac(ctx, domid, nic->devid, mac) == 0 &&
           memcmp(mac, nic->mac, 6) != 0;
}

/*
 * Find the clone's domain: the one that was made, or as which it was restored.
 */
static int find_clone_domain(xenfork_ctx *ctx, struct target *target)
{
    int rc = xenfork__clone_domid(ctx, target->record, &target->domid);

    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    return xenfork__fail(ctx, XENFORK_E_NOTRUNNING, 0,
                         "clone %s has no domain any more",
                         target->record->name);
}

static int find_clone(xenfork_ctx *ctx, const char *name, struct target *target)
{
    int rc;

    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true,
                                 &target->lock)) < 0 ||
        (rc = xenfork__named(ctx, XENFORK_KIND_CLONE, name, &target->record)) <
            0 ||
        (rc = find_clone_domain(ctx, target)) < 0)
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
                             target->record->name, nic, count);
    if (!count)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "clone %s has no NIC",
                             target->record->name);
    target->first = nic == XENFORK_ALL ? 0 : nic;
    target->end = nic == XENFORK_ALL ? count : nic + 1;
    return 0;
}

static int find_nic(xenfork_ctx *ctx, const char *name, uint32_t nic,
                    struct target *target)
{
    int rc = find_clone(ctx, name, target);

    return rc < 0 ? rc : find_nics(ctx, nic, target);
}

static void free_target(struct target *target)
{
    xenfork__config_free(target->config);
    xenfork__record_free(target->record);
    xenfork__lock_drop(target->lock);
}

static int set_carrier(xenfork_ctx *ctx, uint32_t domid, int devid, int link)
{
    return link == XENFORK_LINK_CONNECT
               ? xenfork__nic_connect(ctx, domid, devid)
               : xenfork__nic_hold(ctx, domid, devid);
}

/*
 * Record the user's choice, which an acknowledgement does not undo.  A NIC that
 * the clone was given later has no entry yet.
 */
static int note_link(xenfork_ctx *ctx, const struct target *target,
                     const struct xenfork__nic *nic, int link)
{
    struct xenfork__record_nic *entry = xenfork__record_find_nic(
        target->record, nic->devid, nic->mac);

    if (!entry)
        return xenfork__record_add_nic(ctx, target->record, nic->devid,
                                       nic->mac, link);
    entry->link = link;
    return 0;
}

/* Set all links and the record, or none. */
static int set_links(xenfork_ctx *ctx, const struct target *target, int link)
{
    const struct xenfork__nic *nics = target->config->nics;
    cleanup_free int *before = calloc(target->end + 1, sizeof(*before));
    cleanup_record struct xenfork__record *was = NULL;
    uint32_t i, done = target->first;
    int rc = before ? xenfork__record_load(ctx, XENFORK_KIND_CLONE,
                                           target->record->uuid, &was)
                    : xenfork__nomem(ctx);

    for (i = target->first; i < target->end && rc == 0; i++) {
        bool is_held = false;

        rc = xenfork__nic_is_held(ctx, target->domid, nics[i].devid, &is_held);
        if (rc < 0)
            break;
        before[i] = is_held ? XENFORK_LINK_HOLD : XENFORK_LINK_CONNECT;
        rc = set_carrier(ctx, target->domid, nics[i].devid, link);
        if (rc < 0)
            break;
        done = i + 1;
        rc = note_link(ctx, target, &nics[i], link);
    }
    if (rc == 0)
        rc = xenfork__record_save(ctx, target->record);
    if (rc < 0) {
        keep_error struct xenfork__kept kept = xenfork__keep(ctx);

        for (i = target->first; i < done; i++)
            if (set_carrier(ctx, target->domid, nics[i].devid, before[i]) < 0)
                rc = kept.error.code = XENFORK_E_RESIDUE;
        /* The new one may be there, though it could not be made durable. */
        if (was && xenfork__record_save(ctx, was) < 0)
            rc = kept.error.code = XENFORK_E_RESIDUE;
    }
    return rc;
}

/* Let held NICs drop what they were given, while nobody is kept waiting. */
static int flush_nics(xenfork_ctx *ctx, const char *name, uint32_t nic)
{
    struct target target = {0};
    uint32_t i;
    int rc = find_nic(ctx, name, nic, &target);

    xenfork__lock_drop(target.lock);
    target.lock = NULL;
    for (i = target.first; i < target.end && rc == 0; i++)
        xenfork__nic_flush(ctx, target.domid, target.config->nics[i].devid);
    free_target(&target);
    return rc;
}

XENFORK_API int xenfork_clone_set_nic_link(xenfork_ctx *ctx, const char *name,
                                           uint32_t nic, int link)
{
    struct target target = {0};
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name || (link != XENFORK_LINK_HOLD && link != XENFORK_LINK_CONNECT))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no clone or no link");
    rc = link == XENFORK_LINK_CONNECT ? flush_nics(ctx, name, nic) : 0;
    if (rc == 0)
        rc = find_nic(ctx, name, nic, &target);
    if (rc == 0)
        rc = set_links(ctx, &target, link);
    free_target(&target);
    return rc;
}

/*
 * Move a NIC, the record first: that can be put back, also when the interface
 * is gone.
 */
static int move_nic(xenfork_ctx *ctx, const struct target *target,
                    const char *bridge)
{
    int devid = target->config->nics[target->first].devid;
    cleanup_free char *old = NULL;
    cleanup_free char *ifname = NULL;
    bool is_moved = false;
    int rc;

    if ((rc = xenfork__xen_nic_ifname(ctx, target->domid, devid, &ifname)) <
            0 ||
        (rc = xenfork__xen_nic_bridge(ctx, target->domid, devid, &old)) < 0)
        return rc;
    if (!old) {
        xenfork__fail(ctx, XENFORK_E_DEVICE, 0,
                      "NIC %u of clone %s is on no bridge", target->first,
                      target->record->name);
        return xenfork__remedy(ctx, "it is routed, by its script= or xl.conf");
    }
    rc = xenfork__xen_nic_set_bridge(ctx, target->domid, devid, bridge);
    if (rc == 0)
        rc = xenfork__sys_move(ctx, ifname, old, bridge);
    is_moved = rc == 0;
    if (rc == 0)
        rc = xenfork__saved_config_change(
            ctx, target->record,
            &(struct xenfork__config_change){.devid = devid, .bridge = bridge});
    if (rc < 0) {
        keep_error struct xenfork__kept kept = xenfork__keep(ctx);

        if ((is_moved && xenfork__sys_move(ctx, ifname, bridge, old) < 0) ||
            xenfork__xen_nic_set_bridge(ctx, target->domid, devid, old) < 0)
            rc = kept.error.code = XENFORK_E_RESIDUE;
    }
    return rc;
}

XENFORK_API int xenfork_clone_set_nic_bridge(xenfork_ctx *ctx, const char *name,
                                             uint32_t nic, const char *bridge)
{
    struct target target = {0};
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name || !bridge || !xenfork__bridge_is_valid(bridge))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "no clone, or malformed name of a bridge");
    rc = xenfork__sys_is_bridge(ctx, bridge);
    if (rc < 0)
        return rc;
    rc = find_nic(ctx, name, nic, &target);
    if (rc == 0 && target.end - target.first > 1) {
        xenfork__fail(ctx, XENFORK_E_INVAL, 0, "clone %s has %u NICs",
                      target.record->name, target.end);
        rc = xenfork__remedy(ctx, "say which one, counted from 0");
    }
    if (rc == 0)
        rc = move_nic(ctx, &target, bridge);
    free_target(&target);
    return rc;
}
