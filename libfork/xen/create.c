/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains out of a configuration that was kept, and changes to that. */
#include "xen/hotplug.h"
#include "xen/memory.h"

#include <inttypes.h>
#include <string.h>

#define MADE_FOR "xenfork-restart" /* below the domain's folder */

int xenfork__xl_config(xenfork_ctx *ctx, const char *json,
                       libxl_domain_config *config)
{
    int r;

    libxl_domain_config_init(config);
    r = libxl_domain_config_from_json(ctx->xen->xl, config, json);
    if (r)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot read a stored configuration (libxl: %d)",
                             r);
    config->c_info.domid = (libxl_domid)INVALID_DOMID; /* any that is free */
    return 0;
}

int xenfork__xen_check_memory(xenfork_ctx *ctx, const char *json,
                              uint32_t replaced)
{
    struct xenfork__dominfo info = {0};
    libxl_domain_config config;
    uint64_t need_kib = 0, free_kib = 0, pages = 0;
    int r = 0, rc = xenfork__xl_config(ctx, json, &config);

    if (rc == 0) {
        /*
         * If CPUs were given in the old way, libxl would leave pointers to
         * memory that it frees (libxl__domain_config_setdefault(), 4.17 to
         * 4.22).
         */
        libxl_bitmap_dispose(&config.b_info.cpumap);
        r = libxl_domain_need_memory(ctx->xen->xl, &config,
                                     (uint32_t)INVALID_DOMID, &need_kib);
    }
    if (r)
        rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "cannot tell how much memory there is (libxl: %d)",
                           r);
    /* libxl_get_free_memory() has what is reserved for other domains, too. */
    if (rc == 0)
        rc = xenfork__xen_free_pages(ctx, &pages);
    if (rc == 0 && replaced != XENFORK_DOMID_NONE &&
        xenfork__xen_info(ctx, replaced, &info) == 0)
        pages += info.private_pages + info.claimed_pages;
    free_kib = pages * XENFORK__PAGE_KIB;
    if (rc == 0 && free_kib < need_kib)
        rc = xenfork__fail(ctx, XENFORK_E_HOSTMEM, 0,
                           "%s cannot start: it needs %" PRIu64 " KiB, %" PRIu64
                           " KiB are free and not reserved",
                           config.c_info.name, need_kib, free_kib);
    libxl_domain_config_dispose(&config);
    return rc;
}

/*
 * Mark the configuration.  libxl writes the mark below the domain's own folder,
 * in the transaction in which it enters the domain at all:
 * libxl__domain_make(), 4.17 to 4.22.  A mark that the configuration has is of
 * an earlier restart: xl has no such key.
 */
static int mark_config(xenfork_ctx *ctx, libxl_domain_config *config,
                       const char *mark)
{
    char **pairs = calloc(3, sizeof(*pairs));

    libxl_key_value_list_dispose(&config->c_info.xsdata);
    config->c_info.xsdata = pairs;
    if (!pairs || !(pairs[0] = strdup(MADE_FOR)) || !(pairs[1] = strdup(mark)))
        return xenfork__nomem(ctx);
    return 0;
}

int xenfork__xen_made_for(xenfork_ctx *ctx, uint32_t domid, char mark_out[37])
{
    cleanup_free char *text = xenfork__xs_read(
        ctx, XBT_NULL, "/local/domain/%u/" MADE_FOR, domid);

    if (!text && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot tell what domain %u was made for", domid);
    snprintf(mark_out, 37, "%s", text ? text : "");
    return 0;
}

/* Create a domain.  On failure libxl has destroyed what it could not finish. */
int xenfork__xen_create(xenfork_ctx *ctx, const char *json, const char *mark,
                        uint32_t *domid_out)
{
    uint32_t domid = (uint32_t)INVALID_DOMID;
    libxl_domain_config config, by;
    struct xenfork__op op;
    int r, rc = xenfork__xl_config(ctx, json, &config);

    if (rc == 0)
        rc = mark_config(ctx, &config, mark);
    if (rc == 0) {
        xenfork__hotplug_use(ctx, &config, NULL);
        xenfork__op_init(&op);
        r = libxl_domain_create_new(ctx->xen->xl, &config, &domid, &op.how,
                                    NULL);
        r = xenfork__op_wait(ctx, &op, r);
        if (r)
            rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                               "cannot create %s (libxl: %d)",
                               config.c_info.name, r);
    }
    libxl_domain_config_dispose(&config);
    if (rc < 0)
        return rc;
    rc = xenfork__xl_config(ctx, json, &by);
    if (rc == 0)
        rc = xenfork__hotplug_mend(ctx, domid, &by);
    libxl_domain_config_dispose(&by);
    if (rc == 0)
        *domid_out = domid;
    else
        xenfork__xen_destroy(ctx, domid);
    return rc;
}

static bool change_nics(libxl_domain_config *config,
                        const struct xenfork__config_change *change)
{
    int i;

    for (i = 0; change->bridge && i < config->num_nics; i++)
        if (config->nics[i].devid == change->devid &&
            !xenfork__replace_text(&config->nics[i].bridge, change->bridge))
            return false;
    return true;
}

int xenfork__xen_config_change(xenfork_ctx *ctx, const char *json,
                               const struct xenfork__config_change *change,
                               char **json_out)
{
    libxl_domain_config config;
    char *text = NULL;
    int rc = xenfork__xl_config(ctx, json, &config);

    if (rc == 0 && change->vdev)
        rc = xenfork__xl_disk_moved(ctx, &config, change->vdev, change->path,
                                    change->format);
    if (rc == 0 &&
        ((change->name &&
          !xenfork__replace_text(&config.c_info.name, change->name)) ||
         !change_nics(&config, change) ||
         !(text = libxl_domain_config_to_json(ctx->xen->xl, &config))))
        rc = xenfork__nomem(ctx);
    libxl_domain_config_dispose(&config);
    if (rc == 0)
        *json_out = text;
    return rc;
}
