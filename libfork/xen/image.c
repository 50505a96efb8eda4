/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image domain: bare, never run, known to xl by its name. */
#include "xen/handles.h"

#include "xen/xen.h"

#include <string.h>
#include <xenguest.h>

/*
 * libxl marks a "xenstore domain" never_stop (libxl_domain.c): `xl shutdown -a`
 * and `xl reboot -a` pass it over.  The flag grants privileges to a domain that
 * makes hypercalls, which an image never does.  xenstored 4.22 takes the last
 * domain that has it for its own when it is updated live (init_domains() in
 * tools/xenstored/domain.c): there an image must not have it, and
 * xl-plugin/all.c alone sees to -a.
 */
#ifdef XEN_DOMCTL_GETDOMSTATE_CAP_XENSTORE
#define NEVER_STOP 0U
#else
#define NEVER_STOP XEN_DOMCTL_CDF_xs_domain
#endif

#define PAUSES 64 /* in addition to the one that it is created with */

static int get_info(xenfork_ctx *ctx, uint32_t domid, xc_domaininfo_t *info_out)
{
    xc_domaininfo_t info;

    if (xc_domain_getinfolist(ctx->xen->xch, domid, 1, &info) != 1 ||
        info.domain != domid)
        return xenfork__fail(ctx, XENFORK_E_NOTFOUND, 0,
                             "there is no domain %u", domid);
    *info_out = info;
    return 0;
}

/*
 * Create a domain that is like the source as far as a fork copies or compares.
 */
static int create_image(xenfork_ctx *ctx, const xc_domaininfo_t *source,
                        const uint8_t uuid[16], uint32_t *image_out)
{
    struct xen_domctl_createdomain config = {
        .ssidref = source->ssidref,
        .flags = XEN_DOMCTL_CDF_hvm | NEVER_STOP,
        .max_vcpus = source->max_vcpu_id + 1,
        .max_grant_frames = 1,
        .max_maptrack_frames = 1,
        .grant_opts = XEN_DOMCTL_GRANT_version(1),
        .cpupool_id = source->cpupool,
        .arch = source->arch_config,
    };
    uint32_t image = DOMID_ANY;

    if (source->flags & XEN_DOMINF_hap)
        config.flags |= XEN_DOMCTL_CDF_hap;
    memcpy(config.handle, uuid, sizeof(config.handle));
    if (xc_domain_create(ctx->xen->xch, &image, &config))
        return xenfork__fail(
            ctx, errno == ENOMEM ? XENFORK_E_HOSTMEM : XENFORK_E_XEN, errno,
            "cannot create the image domain");
    *image_out = image;
    return 0;
}

static int copy_policy(xenfork_ctx *ctx, uint32_t source, uint32_t image)
{
    xc_cpu_policy_t *policy = xc_cpu_policy_init();
    int rc = 0;

    if (!policy)
        return xenfork__nomem(ctx);
    if (xc_cpu_policy_get_domain(ctx->xen->xch, source, policy) ||
        xc_cpu_policy_set_domain(ctx->xen->xch, image, policy))
        rc = xenfork__fail(ctx, XENFORK_E_XEN, errno,
                           "domain %u: cannot copy its CPU policy", source);
    xc_cpu_policy_destroy(policy);
    return rc;
}

static int equip_image(xenfork_ctx *ctx, uint32_t source,
                       const xc_domaininfo_t *info, uint32_t image)
{
    xc_interface *xch = ctx->xen->xch;
    int rc = xenfork__pools_set(ctx, source, info->max_pages, image);

    if (rc < 0)
        return rc;
    if (xc_domain_max_vcpus(xch, image, info->max_vcpu_id + 1) ||
        xc_domain_setmaxmem(xch, image, info->max_pages * XENFORK__PAGE_KIB))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot set up the image", image);
    return 0;
}

/*
 * Pause the image often: Xen counts how often its toolstack has paused a
 * domain; it runs when all has been taken back
 * (domain_unpause_by_systemcontroller(), 4.17 to 4.22; 255 is the limit).  One
 * xl unpause, or some, of an image does nothing.
 */
static int pause_firmly(xenfork_ctx *ctx, uint32_t image)
{
    int i;

    for (i = 0; i < PAUSES; i++)
        if (xc_domain_pause(ctx->xen->xch, image))
            return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                                 "cannot pause image domain %u", image);
    return 0;
}

/*
 * Allow sharing for a domain.  For the source this says only that its pages may
 * be shared.
 */
static int allow_sharing(xenfork_ctx *ctx, uint32_t domid)
{
    int e;

    if (!xc_memshr_control(ctx->xen->xch, domid, 1))
        return 0;
    e = errno;
    if (e == EXDEV)
        return xenfork__fail(ctx, XENFORK_E_PASSTHROUGH, e,
                             "domain %u: it uses the IOMMU", domid);
    xenfork__fail(ctx,
                  e == EOPNOTSUPP || e == ENOSYS ? XENFORK_E_HYPERVISOR
                                                 : XENFORK_E_XEN,
                  e, "domain %u: cannot share its memory", domid);
    return xenfork__remedy(ctx, "docs/hypervisor.md says what the hypervisor "
                                "needs");
}

/* Write the nodes that xl list and libxl_domain_destroy() look for. */
static int introduce_image(xenfork_ctx *ctx, uint32_t image, const char *name)
{
    const struct {
        const char *dir, *node, *value;
    } nodes[] = {
        {"/local/domain", "name", name},
        {"/libxl", "type", "pvh"},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(nodes); i++) {
        cleanup_free char *path = NULL;

        if (asprintf(&path, "%s/%u/%s", nodes[i].dir, image, nodes[i].node) <
            0) {
            path = NULL;
            return xenfork__nomem(ctx);
        }
        xenfork__xs_count(ctx, 1);
        if (!xs_write(ctx->xen->xs, XBT_NULL, path, nodes[i].value,
                      (unsigned int)strlen(nodes[i].value)))
            return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                                 "domain %u: cannot write %s", image, path);
    }
    return 0;
}

int xenfork__xen_image_create(xenfork_ctx *ctx, uint32_t source,
                              const uint8_t uuid[16], const char *name,
                              uint32_t *image_out)
{
    xc_domaininfo_t info = {0};
    uint32_t image = XENFORK_DOMID_NONE;
    int rc;

    if ((rc = get_info(ctx, source, &info)) < 0 ||
        (rc = create_image(ctx, &info, uuid, &image)) < 0)
        return rc;
    if ((rc = equip_image(ctx, source, &info, image)) < 0 ||
        (rc = copy_policy(ctx, source, image)) < 0 ||
        (rc = pause_firmly(ctx, image)) < 0 ||
        (rc = allow_sharing(ctx, source)) < 0 ||
        (rc = allow_sharing(ctx, image)) < 0 ||
        (rc = introduce_image(ctx, image, name)) < 0) {
        xenfork__xen_destroy(ctx, image);
        return rc;
    }
    *image_out = image;
    return 0;
}
