/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/saved-config.h"

#include <string.h>

#include "state/files.h"

#define MAX_CONFIG_BYTES (4U << 20)

static char *saved_config_path(const xenfork_ctx *ctx, const uint8_t clone[16])
{
    return xenfork__record_path(ctx, XENFORK_KIND_CLONE, clone,
                                XENFORK__FILE_CONFIG);
}

int xenfork__saved_config_write(xenfork_ctx *ctx, const uint8_t clone[16],
                                const char *json)
{
    cleanup_free char *dir = xenfork__record_path(ctx, XENFORK_KIND_CLONE,
                                                  clone, NULL);
    cleanup_free char *path = saved_config_path(ctx, clone);
    int rc;

    if (!dir || !path)
        return xenfork__nomem(ctx);
    rc = xenfork__make_dir(ctx, dir);
    return rc < 0 ? rc : xenfork__file_write(ctx, path, json, strlen(json));
}

static int load_configuration(xenfork_ctx *ctx, const uint8_t clone[16],
                              char **json_out)
{
    cleanup_free char *path = saved_config_path(ctx, clone);
    size_t bytes;

    return path ? xenfork__file_read(ctx, path, MAX_CONFIG_BYTES, json_out,
                                     &bytes)
                : xenfork__nomem(ctx);
}

int xenfork__saved_config_read(xenfork_ctx *ctx,
                               const struct xenfork__record *clone,
                               char **json_out)
{
    int rc = load_configuration(ctx, clone->uuid, json_out);

    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    xenfork__fail(ctx, XENFORK_E_STATE, 0,
                  "the configuration of clone %s is lost", clone->name);
    return xenfork__remedy(ctx, "xl create starts it, with the UUID, disks and "
                                "MAC addresses that xl fork-info shows");
}

int xenfork__saved_config_change(xenfork_ctx *ctx,
                                 const struct xenfork__record *clone,
                                 const struct xenfork__config_change *change)
{
    cleanup_free char *json = NULL;
    cleanup_free char *changed = NULL;
    int rc = load_configuration(ctx, clone->uuid, &json);

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    rc = xenfork__xen_config_change(ctx, json, change, &changed);
    return rc < 0 ? rc : xenfork__saved_config_write(ctx, clone->uuid, changed);
}
