/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's own record of a domain, for which it has no call to change a part.
 * The text goes back as the same libxl has read it, with the NUL at its end,
 * as libxl__set_domain_configuration() writes it (4.17).
 */
#include "xen/handles.h"

#include <string.h>

#define RECORD "libxl-json"

static int read_stored(xenfork_ctx *ctx, uint32_t domid, char **json_out)
{
    cleanup_free uint8_t *data = NULL;
    int bytes = 0;
    int r = libxl_userdata_retrieve(ctx->xen->xl, domid, RECORD, &data, &bytes);

    if (r || !data || bytes <= 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot read libxl's record of domain %u "
                             "(libxl: %d)",
                             domid, r);
    *json_out = strndup((const char *)data, (size_t)bytes);
    return *json_out ? 0 : xenfork__nomem(ctx);
}

int xenfork__stored_write(xenfork_ctx *ctx, uint32_t domid,
                          libxl_domain_config *config, char **json_out)
{
    cleanup_free char *json = libxl_domain_config_to_json(ctx->xen->xl, config);
    int r = json ? libxl_userdata_store(ctx->xen->xl, domid, RECORD,
                                        (const uint8_t *)json,
                                        (int)strlen(json) + 1)
                 : ERROR_FAIL;

    if (r)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot store libxl's record of domain %u "
                             "(libxl: %d)",
                             domid, r);
    if (json_out)
        *json_out = steal_ptr(json);
    return 0;
}

int xenfork__stored_config(xenfork_ctx *ctx, uint32_t domid,
                           libxl_domain_config *config)
{
    cleanup_free char *json = NULL;
    int r, rc = read_stored(ctx, domid, &json);

    if (rc < 0)
        return rc;
    r = libxl_domain_config_from_json(ctx->xen->xl, config, json);
    return r ? xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "libxl's record of domain %u is malformed "
                             "(libxl: %d)",
                             domid, r)
             : 0;
}

int xenfork__stored_change(xenfork_ctx *ctx, uint32_t domid,
                           xenfork__stored_change_fn *change,
                           const void *opaque)
{
    libxl_domain_config config;
    int rc;

    libxl_domain_config_init(&config);
    rc = xenfork__stored_config(ctx, domid, &config);
    if (rc == 0)
        rc = change(&config, opaque)
                 ? xenfork__stored_write(ctx, domid, &config, NULL)
                 : xenfork__nomem(ctx);
    libxl_domain_config_dispose(&config);
    return rc;
}
