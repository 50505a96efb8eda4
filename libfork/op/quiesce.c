/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/quiesce.h"

#include "xen/xen.h"

static int refuse_pause(xenfork_ctx *ctx, const char *use)
{
    xenfork__miss(ctx, XENFORK_E_NOSUSPEND,
                  "the guest uses %s, which a copy of a domain that is only "
                  "paused would not have",
                  use);
    return xenfork__remedy(ctx, "leave --quiesce=pause out: then the guest is "
                                "asked to suspend");
}

/* Check that the guest can suspend, since it cannot be stopped. */
static int check_suspend(xenfork_ctx *ctx, uint32_t domid, const char *use)
{
    bool can_suspend;
    int rc = xenfork__xen_can_suspend(ctx, domid, &can_suspend);

    if (rc < 0 || can_suspend)
        return rc;
    xenfork__miss(ctx, XENFORK_E_NOSUSPEND,
                  "the guest does not say that it can suspend "
                  "(control/feature-suspend), and it uses %s, which a copy of "
                  "a domain that is only paused would not have",
                  use);
    return xenfork__remedy(ctx, "its kernel needs Xen's PV drivers and suspend "
                                "support (CONFIG_HIBERNATE_CALLBACKS in "
                                "Linux)");
}

int xenfork__quiesce_choose(xenfork_ctx *ctx, uint32_t domid, int how,
                            bool *is_stop_out)
{
    cleanup_free char *use = NULL;
    int rc = xenfork__xen_pv_use(ctx, domid, &use);

    if (rc == 0 && use)
        rc = how == XENFORK_QUIESCE_PAUSE ? refuse_pause(ctx, use)
                                          : check_suspend(ctx, domid, use);
    if (rc < 0)
        return rc;
    *is_stop_out = !use;
    return 0;
}

int xenfork__quiesce_verify(xenfork_ctx *ctx, uint32_t domid)
{
    cleanup_free char *use = NULL;
    int rc = xenfork__xen_pv_use(ctx, domid, &use);

    if (rc < 0 || !use)
        return rc;
    xenfork__fail(ctx, XENFORK_E_BUSY, 0, "domain %u has just begun to use %s",
                  domid, use);
    return xenfork__remedy(ctx, "try again");
}
