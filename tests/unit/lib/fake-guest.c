/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake's xenstore: what guests are told, and answer; their bridges. */
#include "config.h"

#include "fake-xen.h"

#include <string.h>

#include "base/ids.h"
#include "base/internal.h"
#include "base/spec.h"
#include "state/lock.h"

static struct fake_guest *guest_of(uint32_t domid)
{
    struct fake_domain *d = fake_domain(domid);

    return d && !d->is_dying ? &d->guest : NULL;
}

static int no_domain(xenfork_ctx *ctx, uint32_t domid)
{
    return fake_leave(
        xenfork__fail(ctx, XENFORK_E_XEN, ENOENT, "no domain %u", domid));
}

void fake_ack(uint32_t domid, const char *text)
{
    struct fake_guest *guest = guest_of(domid);

    if (!guest)
        return;
    fake_copy_string(guest->ack, sizeof(guest->ack),
                     text ? text : guest->generation);
    guest->has_event = guest->is_watched;
}

void fake_reseeded(uint32_t domid)
{
    struct fake_guest *guest = guest_of(domid);

    if (guest)
        memcpy(guest->reseeded, guest->generation, sizeof(guest->reseeded));
}

void fake_fault(uint32_t domid, const char *text)
{
    struct fake_guest *guest = guest_of(domid);

    if (!guest)
        return;
    fake_copy_string(guest->error, sizeof(guest->error), text);
    guest->has_event = guest->is_watched;
}

int xenfork__xen_guest_publish(xenfork_ctx *ctx, uint32_t domid,
                               const struct xenfork__guest *guest)
{
    struct fake_domain *d = fake_domain(domid);
    struct fake_guest *to = guest_of(domid);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!to || guest->param_count > FAKE_PARAMS)
        return no_domain(ctx, domid);
    if (guest->source && (!d->is_paused || d->has_run))
        fake_violation("clone %u is told too late who it is", domid);
    fake_copy_string(to->role, sizeof(to->role), guest->role);
    fake_copy_string(to->generation, sizeof(to->generation), guest->generation);
    fake_copy_string(to->source, sizeof(to->source), guest->source);
    fake_copy_string(to->entropy, sizeof(to->entropy), guest->entropy);
    fake_copy_string(to->source_macs, sizeof(to->source_macs),
                     guest->source_macs);
    to->index = guest->index;
    for (i = 0; i < guest->param_count; i++)
        snprintf(to->params[i], sizeof(to->params[i]), "%s=%s",
                 guest->params[i].key, guest->params[i].value);
    to->param_count = guest->param_count;
    return fake_leave(0);
}

int xenfork__xen_guest_remove(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_guest *guest = guest_of(domid);

    FAKE_ENTER(ctx);
    if (guest)
        memset(guest, 0, sizeof(*guest));
    return fake_leave(0);
}

int xenfork__xen_guest_generation(xenfork_ctx *ctx, uint32_t domid,
                                  char **generation_out)
{
    const struct fake_guest *guest = guest_of(domid);
    char *copy;

    FAKE_ENTER(ctx);
    if (!guest || !guest->role[0])
        return fake_leave(xenfork__miss(ctx, XENFORK_E_NOTFOUND,
                                        "domain %u has no generation", domid));
    copy = strdup(guest->generation);
    if (!copy)
        return fake_leave(xenfork__nomem(ctx));
    *generation_out = copy;
    return fake_leave(0);
}

int xenfork__xen_guest_answers(xenfork_ctx *ctx, uint32_t domid,
                               const char *generation,
                               struct xenfork__answers *answers_out)
{
    const struct fake_guest *guest = guest_of(domid);

    FAKE_ENTER(ctx);
    if (!guest)
        return no_domain(ctx, domid);
    *answers_out = (struct xenfork__answers){
        .has_acked = !strcmp(guest->ack, generation),
        .has_reseeded = !strcmp(guest->reseeded, generation)};
    if (!answers_out->has_acked)
        xenfork__clean(guest->error, strlen(guest->error), answers_out->fault,
                       sizeof(answers_out->fault));
    return fake_leave(0);
}

int xenfork__xen_guest_remove_entropy(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_guest *guest = guest_of(domid);

    FAKE_ENTER(ctx);
    if (!guest)
        return no_domain(ctx, domid);
    guest->entropy[0] = '\0';
    return fake_leave(0);
}

int xenfork__xen_guest_watch(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_guest *guest = guest_of(domid);

    FAKE_ENTER(ctx);
    if (guest)
        guest->is_watched = guest->has_event = true;
    return fake_leave(0);
}

void xenfork__xen_guest_unwatch(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_guest *guest = guest_of(domid);

    (void)ctx;
    if (guest)
        guest->is_watched = guest->has_event = false;
}

int xenfork__xen_wait_event(xenfork_ctx *ctx, int wake_fd, int timeout_ms,
                            uint32_t *domid_out)
{
    uint32_t i;

    (void)wake_fd;
    (void)ctx;
    FAKE_ENTER(ctx);
    if (fake->on_wait)
        fake->on_wait();
    *domid_out = XENFORK_DOMID_NONE;
    for (i = 0; i < FAKE_DOMAINS; i++) {
        struct fake_domain *d = &fake->domains[i];

        if (!d->domid || !d->guest.has_event)
            continue;
        d->guest.has_event = false;
        *domid_out = d->domid;
        return fake_leave(0);
    }
    /* Nothing comes: no test waits for all of it. */
    if (timeout_ms > 0)
        usleep(timeout_ms > 5 ? 5000 : (useconds_t)timeout_ms * 1000);
    return fake_leave(0);
}

int xenfork__xen_frozen_request(xenfork_ctx *ctx, uint32_t domid,
                                bool *wants_out)
{
    const struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    *wants_out = d && d->wants_to_run;
    return fake_leave(0);
}

int xenfork__xen_watch_frozen(xenfork_ctx *ctx, uint32_t domid)
{
    (void)domid;
    FAKE_ENTER(ctx);
    return fake_leave(0);
}

static struct fake_nic *nic_of(uint32_t domid, int devid)
{
    struct fake_domain *d = fake_domain(domid);
    uint32_t i;

    for (i = 0; d && i < d->nic_count; i++)
        if (d->nics[i].devid == devid)
            return &d->nics[i];
    return NULL;
}

int xenfork__xen_nic_ifname(xenfork_ctx *ctx, uint32_t domid, int devid,
                            char **ifname_out)
{
    const struct fake_nic *nic = nic_of(domid, devid);
    char vif[XENFORK__VIF_CHARS];
    char *copy;

    FAKE_ENTER(ctx);
    if (!nic || nic->server)
        return fake_leave(xenfork__miss(
            ctx, XENFORK_E_DEVICE, "its NIC %d is not served here", devid));
    xenfork__vif_print(domid, devid, vif);
    copy = strdup(nic->ifname[0] ? nic->ifname : vif);
    if (!copy)
        return fake_leave(xenfork__nomem(ctx));
    *ifname_out = copy;
    return fake_leave(0);
}

void xenfork__xen_nic_flush(xenfork_ctx *ctx, uint32_t domid, int devid,
                            uint32_t timeout_ms)
{
    cleanup_lock struct xenfork__lock *lock = NULL;

    (void)timeout_ms;
    if (xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, false, &lock) ==
        XENFORK_E_BUSY)
        fake_violation("NIC %d is flushed while others wait", devid);
    if (nic_of(domid, devid) && nic_of(domid, devid)->is_up)
        fake_violation("NIC %d of domain %u is flushed too late", devid, domid);
}

int xenfork__xen_nic_ids(xenfork_ctx *ctx, uint32_t domid, int **devids_out,
                         uint32_t *count_out)
{
    const struct fake_domain *d = fake_domain(domid);
    uint32_t i;
    int *devids;

    FAKE_ENTER(ctx);
    if (!d)
        return no_domain(ctx, domid);
    devids = calloc(FAKE_NICS, sizeof(*devids));
    if (!devids)
        return fake_leave(xenfork__nomem(ctx));
    for (i = 0; i < d->nic_count; i++)
        devids[i] = d->nics[i].devid;
    *devids_out = devids;
    *count_out = d->nic_count;
    return fake_leave(0);
}

int xenfork__xen_nic_mac(xenfork_ctx *ctx, uint32_t domid, int devid,
                         uint8_t mac_out[6])
{
    const struct fake_nic *nic = nic_of(domid, devid);

    FAKE_ENTER(ctx);
    if (!nic)
        return no_domain(ctx, domid);
    memcpy(mac_out, nic->mac, 6);
    return fake_leave(0);
}

int xenfork__xen_nic_bridge(xenfork_ctx *ctx, uint32_t domid, int devid,
                            char **bridge_out)
{
    const struct fake_nic *nic = nic_of(domid, devid);
    char *copy = NULL;

    FAKE_ENTER(ctx);
    if (!nic)
        return no_domain(ctx, domid);
    if (nic->bridge[0] && !(copy = strdup(nic->bridge)))
        return fake_leave(xenfork__nomem(ctx));
    *bridge_out = copy;
    return fake_leave(0);
}

int xenfork__xen_disk_moved(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *path, const char *format)
{
    struct fake_domain *d = fake_domain(domid);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d)
        return no_domain(ctx, domid);
    for (i = 0; i < d->disk_count; i++)
        if (!strcmp(d->disks[i].vdev, vdev)) {
            fake_copy_string(d->disks[i].path, sizeof(d->disks[i].path), path);
            d->disks[i].script[0] = '\0';
            fake_copy_string(d->disks[i].format, sizeof(d->disks[i].format),
                             format);
        }
    return fake_leave(0);
}

int xenfork__xen_nic_set_bridge(xenfork_ctx *ctx, uint32_t domid, int devid,
                                const char *bridge)
{
    struct fake_nic *nic = nic_of(domid, devid);

    FAKE_ENTER(ctx);
    if (!nic)
        return no_domain(ctx, domid);
    fake_copy_string(nic->bridge, sizeof(nic->bridge), bridge);
    return fake_leave(0);
}
