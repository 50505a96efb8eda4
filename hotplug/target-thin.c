/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Targets without a prefix: files, devices, and the thin driver's overlays. */
#include "disk/thin/thin.h"
#include "target.h"

static int attach_thin(xenfork_ctx *ctx, const char *name, char mode,
                       char **node_out)
{
    return xenfork__thin_attach(ctx, name, mode == MODE_READ,
                                mode == MODE_SHARED, node_out);
}

static int print_thin_status(xenfork_ctx *ctx, const char *name,
                             char **text_out)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    cleanup_free char *type = NULL;
    cleanup_free char *params = NULL;
    struct xenfork__dm_info info;
    int rc;

    if ((rc = xenfork__thin_open(ctx, name, &thin)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, thin->device, &info)) < 0)
        return rc;
    if (!info.is_there)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "%s is not attached",
                             name);
    rc = xenfork__sys_dm_table(ctx, thin->device, &type, &params);
    if (rc == 0 && asprintf(text_out, "%s%s: %s, %s, opened %u times",
                            XENFORK__DM_DIR, thin->device, type,
                            info.is_readonly ? "read-only" : "writable",
                            info.open_count) < 0)
        rc = xenfork__nomem(ctx);
    return rc;
}

const struct target target_thin = {
    .prefix = "",
    .attach = attach_thin,
    .detach = xenfork__thin_detach,
    .status = print_thin_status,
    .write_back = xenfork__thin_write_back,
};
