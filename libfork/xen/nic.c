/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NICs of a live domain, as libxl has them in its records. */
#include "xen/handles.h"

#include <inttypes.h>
#include <string.h>

#include "base/ids.h"
#include "xen/xen.h"

/* Return the backend's part of xenstore; NULL with errno. */
static char *backend_path(xenfork_ctx *ctx, xs_transaction_t t, uint32_t domid,
                          int devid)
{
    return xenfork__xs_read(ctx, t, "/libxl/%u/device/vif/%d/backend", domid,
                            devid);
}

static int no_nic(xenfork_ctx *ctx, uint32_t domid, int devid)
{
    return xenfork__miss(ctx, XENFORK_E_DEVICE,
                         "domain %u: cannot find its NIC %d in xenstore", domid,
                         devid);
}

/* Return vifname=, or the name that Linux' netback gives it. */
static char *ifname_of(const char *backend, xenfork_ctx *ctx, uint32_t domid,
                       int devid)
{
    cleanup_free char *name = xenfork__xs_read(ctx, XBT_NULL, "%s/vifname",
                                               backend);
    char vif[XENFORK__VIF_CHARS];

    if (name && *name)
        return steal_ptr(name);
    xenfork__vif_print(domid, devid, vif);
    return strdup(vif);
}

int xenfork__xen_nic_ifname(xenfork_ctx *ctx, uint32_t domid, int devid,
                            char **ifname_out)
{
    cleanup_free char *backend = backend_path(ctx, XBT_NULL, domid, devid);
    uint32_t server;
    char *ifname;

    if (!backend)
        return no_nic(ctx, domid, devid);
    if (sscanf(backend, "/local/domain/%" SCNu32 "/", &server) != 1 || server) {
        xenfork__miss(ctx, XENFORK_E_DEVICE,
                      "its NIC %d is served by another domain (%s)", devid,
                      backend);
        return xenfork__remedy(ctx,
                               "detach it (xl network-detach), or give it a "
                               "backend in domain 0");
    }
    ifname = ifname_of(backend, ctx, domid, devid);
    if (!ifname)
        return xenfork__nomem(ctx);
    *ifname_out = ifname;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const int *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

int xenfork__xen_nic_ids(xenfork_ctx *ctx, uint32_t domid, int **devids_out,
                         uint32_t *count_out)
{
    unsigned int names = 0, i;
    cleanup_free char **list = xenfork__xs_list(ctx, &names,
                                                "/libxl/%u/device/vif", domid);
    uint32_t count = 0;
    int *devids;

    if (!list && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot list the NICs of domain %u", domid);
    devids = calloc((size_t)names + 1, sizeof(*devids));
    if (!devids)
        return xenfork__nomem(ctx);
    for (i = 0; i < names; i++)
        if (sscanf(list[i], "%d", &devids[count]) == 1)
            count++;
    qsort(devids, count, sizeof(*devids), compare);
    *devids_out = devids;
    *count_out = count;
    return 0;
}

int xenfork__xen_nic_mac(xenfork_ctx *ctx, uint32_t domid, int devid,
                         uint8_t mac_out[6])
{
    cleanup_free char *text = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%u/device/vif/%d/mac", domid, devid);

    if (!text || !xenfork__mac_parse(text, mac_out))
        return no_nic(ctx, domid, devid);
    return 0;
}

int xenfork__xen_nic_bridge(xenfork_ctx *ctx, uint32_t domid, int devid,
                            char **bridge_out)
{
    cleanup_free char *backend = backend_path(ctx, XBT_NULL, domid, devid);
    char *bridge;

    if (!backend)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot find its NIC %d in xenstore",
                             domid, devid);
    bridge = xenfork__xs_read(ctx, XBT_NULL, "%s/bridge", backend);
    if (!bridge && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot read the bridge of NIC %d",
                             domid, devid);
    *bridge_out = bridge;
    return 0;
}

/*
 * Try to store a NIC's bridge.  The backend's node is the one that the hotplug
 * scripts read when the NIC goes; the other is libxl's own copy
 * (libxl__device_generic_add, 4.17).
 */
static int try_store(xenfork_ctx *ctx, uint32_t domid, int devid,
                     const char *bridge)
{
    struct xs_handle *xs = ctx->xen->xs;
    xs_transaction_t t = xs_transaction_start(xs);
    cleanup_free char *backend = NULL;
    int e = 0;

    xenfork__xs_count(ctx, 2);
    if (t == XBT_NULL)
        return errno;
    backend = backend_path(ctx, t, domid, devid);
    if (!backend || !xenfork__xs_write(ctx, t, bridge, "%s/bridge", backend) ||
        !xenfork__xs_write(ctx, t, bridge, "/libxl/%u/device/vif/%d/bridge",
                           domid, devid))
        e = errno;
    if (!xs_transaction_end(xs, t, e != 0) && !e)
        e = errno;
    return e;
}

struct move {
    int devid;
    const char *bridge;
};

static bool change(libxl_domain_config *config, const void *opaque)
{
    const struct move *move = opaque;
    int i;

    for (i = 0; i < config->num_nics; i++) {
        if (config->nics[i].devid != move->devid)
            continue;
        free(config->nics[i].bridge);
        config->nics[i].bridge = strdup(move->bridge);
        return config->nics[i].bridge;
    }
    return true;
}

int xenfork__xen_nic_set_bridge(xenfork_ctx *ctx, uint32_t domid, int devid,
                                const char *bridge)
{
    uint32_t tries = 0;
    int e;

    LOG_DEBUG(ctx, "domain %u: NIC %d is on %s from now on", domid, devid,
              bridge);
    do
        e = try_store(ctx, domid, devid, bridge);
    while (e == EAGAIN && ++tries < XENFORK__XS_TRIES);
    if (e)
        return xenfork__fail(ctx, XENFORK_E_XEN, e,
                             "domain %u: cannot write the bridge of NIC %d",
                             domid, devid);
    return xenfork__stored_change(
        ctx, domid, change, &(struct move){.devid = devid, .bridge = bridge});
}
