/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/mute.h"

#include "xen/xen.h"

#define SETTLE_MS 100U

void xenfork__mute_free(struct xenfork__mute *mute)
{
    uint32_t i;

    for (i = 0; i < mute->count; i++)
        free(mute->ifnames[i]);
    free(mute->ifnames);
    *mute = (struct xenfork__mute){0};
}

/* Find a NIC's interface.  *ifname_out NULL: it is none that we can mute */
static int find_interface(xenfork_ctx *ctx, uint32_t domid, int devid,
                          char **ifname_out)
{
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);
    cleanup_free char *ifname = NULL;
    int rc;

    *ifname_out = NULL;
    rc = xenfork__xen_nic_ifname(ctx, domid, devid, &ifname);
    if (rc == 0 && !xenfork__sys_is_held(ifname)) {
        rc = xenfork__sys_can_hold(ctx, ifname);
        if (rc == 0)
            *ifname_out = steal_ptr(ifname);
    }
    if (rc == XENFORK_E_DEVICE) {
        LOG_DEBUG(ctx, "domain %u: NIC %d cannot be muted: %s", domid, devid,
                  ctx->error.text);
        return 0;
    }
    if (rc < 0)
        kept.error = ctx->error;
    return rc;
}

int xenfork__mute_prepare(xenfork_ctx *ctx, struct xenfork__journal *journal,
                          uint32_t domid, struct xenfork__mute *mute)
{
    cleanup_free int *devids = NULL;
    uint32_t i, count = 0;
    int rc = xenfork__xen_nic_ids(ctx, domid, &devids, &count);

    if (rc < 0)
        return rc;
    mute->ifnames = calloc(count + 1, sizeof(*mute->ifnames));
    if (!mute->ifnames)
        return xenfork__nomem(ctx);
    for (i = 0; i < count && rc == 0; i++) {
        char *ifname;

        rc = find_interface(ctx, domid, devids[i], &ifname);
        if (rc < 0 || !ifname)
            continue;
        mute->ifnames[mute->count++] = ifname;
        xenfork__sys_netback(ifname, &mute->netback);
        rc = xenfork__journal_muting(ctx, journal, mute->count - 1, ifname);
    }
    return rc;
}

int xenfork__mute(xenfork_ctx *ctx, const struct xenfork__mute *mute)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < mute->count && rc == 0; i++)
        rc = xenfork__sys_mute(ctx, mute->ifnames[i]);
    if (rc == 0 && !xenfork__sys_netback_wait(&mute->netback, SETTLE_MS))
        LOG_WARN(ctx,
                 "domain %u: its NICs are busy after %u ms: what they write "
                 "into it may be missing in the image, ignoring",
                 ctx->domid, SETTLE_MS);
    return rc;
}

int xenfork__mute_end(xenfork_ctx *ctx, struct xenfork__journal *journal,
                      const struct xenfork__mute *mute)
{
    uint32_t i;
    int rc = 0, r;

    for (i = 0; i < mute->count; i++) {
        r = xenfork__sys_unmute(ctx, mute->ifnames[i]);
        rc = rc < 0 ? rc : r;
    }
    return rc < 0 ? rc : xenfork__journal_muted(ctx, journal);
}
