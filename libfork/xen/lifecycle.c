/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For xenforkd: domains that begin anew, are dumped, or kept as they ended. */
#include "xen/events.h"

#include <string.h>

#include "base/ids.h"
#include "xen/handles.h"
#include "xen/xen.h"

#define DUMP_DIR "/var/lib/xen/dump" /* XEN_DUMP_DIR, xl */

int xenfork__host_soft_reset(xenfork_ctx *ctx, const char *json, uint32_t domid)
{
    libxl_domain_config config;
    struct xenfork__op op;
    int rc = xenfork__xl_config(ctx, json, &config);

    if (rc == 0) {
        xenfork__op_init(&op);
        rc = xenfork__op_done(ctx, &op,
                              libxl_domain_soft_reset(ctx->xen->xl, &config,
                                                      domid, &op.how, NULL),
                              "reset", domid);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

int xenfork__host_core_dump(xenfork_ctx *ctx, uint32_t domid, const char *name)
{
    cleanup_free char *file = NULL;
    struct xenfork__op op;
    int r;

    /* Return a path below the directory, for any name. */
    if (strchr(name, '/') || asprintf(&file, DUMP_DIR "/%s", name) < 0) {
        file = NULL;
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "no file for the core of domain %u", domid);
    }
    xenfork__op_init(&op);
    r = libxl_domain_core_dump(ctx->xen->xl, domid, file, &op.how);
    r = xenfork__op_wait(ctx, &op, r);
    if (r)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot dump domain %u to %s (libxl: %d)", domid,
                             file, r);
    return 0;
}

static int rename_preserved(xenfork_ctx *ctx, uint32_t domid, const char *json,
                            const char *suffix)
{
    cleanup_free char *name = NULL;
    libxl_domain_config config;
    libxl_uuid uuid;
    int r, rc = xenfork__xl_config(ctx, json, &config);

    if (rc == 0)
        rc = xenfork__xen_name(ctx, domid, &name);
    /* A process that was killed may have done it already. */
    if (rc == 0 && !strcmp(name, config.c_info.name)) {
        libxl_uuid_generate(&uuid);
        r = libxl_domain_preserve(ctx->xen->xl, domid, &config.c_info, suffix,
                                  uuid);
        if (r)
            rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                               "cannot rename domain %u (libxl: %d)", domid, r);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

/*
 * Preserve a domain.  libxl_domain_preserve() gives it another UUID in xenstore
 * only (4.17 and 4.20); two domains would have the same for the hypervisor, and
 * for us.
 */
int xenfork__host_preserve(xenfork_ctx *ctx, uint32_t domid, const char *json,
                           const char *suffix)
{
    cleanup_free char *vm = NULL;
    xen_domain_handle_t handle;
    int rc = rename_preserved(ctx, domid, json, suffix);

    if (rc < 0)
        return rc;
    vm = xenfork__xs_read(ctx, XBT_NULL, "/local/domain/%u/vm", domid);
    if (!vm || strncmp(vm, "/vm/", 4) || !xenfork__uuid_parse(vm + 4, handle))
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "domain %u: xenstore has no UUID of it", domid);
    if (xc_domain_sethandle(ctx->xen->xch, domid, handle) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot set the UUID of domain %u", domid);
    return 0;
}
