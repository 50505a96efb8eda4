/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For xenforkd: domains that begin anew, are dumped, or kept as they ended. */
#include "xen-host.h"

#include <inttypes.h>
#include <string.h>

#include "ids.h"
#include "xen-handles.h"
#include "xen-hotplug.h"

#define MADE_FOR "xenfork-restart"   /* below the domain's folder */
#define DUMP_DIR "/var/lib/xen/dump" /* XEN_DUMP_DIR, xl */

/* Caller disposes of it, also on failure. */
static int parse(xenfork_ctx *ctx, const char *json,
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

int xenfork__host_check_memory(xenfork_ctx *ctx, const char *json,
                               uint32_t replaced)
{
    struct xenfork__dominfo info = {0};
    libxl_domain_config config;
    uint64_t need_kib = 0, free_kib = 0;
    int r = 0, rc = parse(ctx, json, &config);

    if (rc == 0) {
        r = libxl_domain_need_memory(ctx->xen->xl, &config,
                                     (uint32_t)INVALID_DOMID, &need_kib);
        if (!r)
            r = libxl_get_free_memory(ctx->xen->xl, &free_kib);
    }
    if (r)
        rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "cannot tell how much memory there is (libxl: %d)",
                           r);
    if (rc == 0 && replaced != XENFORK_DOMID_NONE &&
        xenfork__xen_info(ctx, replaced, &info) == 0)
        free_kib += info.private_pages * XENFORK__PAGE_KIB;
    if (rc == 0 && free_kib < need_kib)
        rc = xenfork__fail(ctx, XENFORK_E_HOSTMEM, 0,
                           "%s cannot begin anew: it needs %" PRIu64
                           " KiB, %" PRIu64 " KiB are free",
                           config.c_info.name, need_kib, free_kib);
    libxl_domain_config_dispose(&config);
    return rc;
}

/*
 * libxl writes these below the domain's own folder in the transaction in which
 * it enters the domain at all: libxl__domain_make(), 4.17 to 4.22.  What the
 * configuration had of them was of an earlier restart: xl has no such key.
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

int xenfork__host_made_for(xenfork_ctx *ctx, uint32_t domid, char mark_out[37])
{
    cleanup_free char *text = xenfork__xs_read(
        ctx, XBT_NULL, "/local/domain/%u/" MADE_FOR, domid);

    if (!text && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot tell what domain %u was made for", domid);
    snprintf(mark_out, 37, "%s", text ? text : "");
    return 0;
}

/* On failure libxl has destroyed what it could not finish. */
int xenfork__host_create(xenfork_ctx *ctx, const char *json, const char *mark,
                         uint32_t *domid_out)
{
    uint32_t domid = (uint32_t)INVALID_DOMID;
    libxl_domain_config config, by;
    struct xenfork__op op;
    int r, rc = parse(ctx, json, &config);

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
    rc = parse(ctx, json, &by);
    if (rc == 0)
        rc = xenfork__hotplug_mend(ctx, domid, &by);
    libxl_domain_config_dispose(&by);
    if (rc == 0)
        *domid_out = domid;
    else
        xenfork__xen_destroy(ctx, domid);
    return rc;
}

int xenfork__host_soft_reset(xenfork_ctx *ctx, const char *json, uint32_t domid)
{
    libxl_domain_config config;
    struct xenfork__op op;
    int r, rc = parse(ctx, json, &config);

    if (rc == 0) {
        xenfork__op_init(&op);
        r = libxl_domain_soft_reset(ctx->xen->xl, &config, domid, &op.how,
                                    NULL);
        r = xenfork__op_wait(ctx, &op, r);
        if (r)
            rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                               "cannot reset domain %u (libxl: %d)", domid, r);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

int xenfork__host_core_dump(xenfork_ctx *ctx, uint32_t domid, const char *name)
{
    cleanup_free char *file = NULL;
    struct xenfork__op op;
    int r;

    /* No path but below the directory, whatever the name. */
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
    int r, rc = parse(ctx, json, &config);

    if (rc == 0)
        rc = xenfork__xen_name(ctx, domid, &name);
    /* Has one who was killed done it? */
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
 * libxl_domain_preserve() gives it another UUID in xenstore only (4.17 and
 * 4.20); two domains would have the same for the hypervisor, and for us.
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
