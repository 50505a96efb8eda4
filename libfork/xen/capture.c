/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of a suspended domain, read; and given to its image. */
#include "xen/handles.h"

#include "xen/xen.h"

#include <string.h>
#include <xen/hvm/params.h>
#include <xenguest.h>

/*
 * The HVM parameters that libxc saves of an HVM container:
 * xg_sr_save_x86_hvm.c, 4.17 to 4.20.  The event channels are not among them:
 * each restored domain has its own.
 */
static const uint32_t param_indices[] = {
    HVM_PARAM_STORE_PFN,
    HVM_PARAM_IOREQ_PFN,
    HVM_PARAM_BUFIOREQ_PFN,
    HVM_PARAM_PAGING_RING_PFN,
    HVM_PARAM_MONITOR_RING_PFN,
    HVM_PARAM_SHARING_RING_PFN,
    HVM_PARAM_VM86_TSS_SIZED,
    HVM_PARAM_CONSOLE_PFN,
    HVM_PARAM_ACPI_IOPORTS_LOCATION,
    HVM_PARAM_VIRIDIAN,
    HVM_PARAM_IDENT_PT,
    HVM_PARAM_VM_GENERATION_ID_ADDR,
    HVM_PARAM_IOREQ_SERVER_PFN,
    HVM_PARAM_NR_IOREQ_SERVER_PAGES,
    HVM_PARAM_X87_FIP_WIDTH,
    HVM_PARAM_MCA_CAP,
};

void xenfork__capture_free(struct xenfork__capture *capture)
{
    if (!capture)
        return;
    free(capture->cpuid);
    free(capture->msrs);
    free(capture->context);
    free(capture->params);
    free(capture->page_gfns);
    free(capture->pages);
    free(capture->emulator);
    free(capture->emulator_nodes);
    free(capture);
}

static int capture_version(xenfork_ctx *ctx, struct xenfork__capture *c)
{
    int version = xc_version(ctx->xen->xch, XENVER_version, NULL);

    if (version < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read Xen's version");
    c->xen_major = (uint32_t)version >> 16;
    c->xen_minor = (uint32_t)version & 0xffff;
    return 0;
}

static int capture_policy(xenfork_ctx *ctx, uint32_t domid,
                          struct xenfork__capture *c)
{
    xc_interface *xch = ctx->xen->xch;
    xc_cpu_policy_t *policy = xc_cpu_policy_init();
    uint32_t leaves = 0, msrs = 0;
    int rc = 0;

    if (!policy)
        return xenfork__nomem(ctx);
    if (xc_cpu_policy_get_size(xch, &leaves, &msrs) < 0 ||
        !(c->cpuid = calloc(leaves + 1, sizeof(xen_cpuid_leaf_t))) ||
        !(c->msrs = calloc(msrs + 1, sizeof(xen_msr_entry_t))) ||
        xc_cpu_policy_get_domain(xch, domid, policy) ||
        xc_cpu_policy_serialise(xch, policy, (xen_cpuid_leaf_t *)c->cpuid,
                                &leaves, (xen_msr_entry_t *)c->msrs, &msrs))
        rc = xenfork__fail(ctx, XENFORK_E_XEN, errno,
                           "domain %u: cannot read its CPU policy", domid);
    c->cpuid_bytes = leaves * sizeof(xen_cpuid_leaf_t);
    c->msrs_bytes = msrs * sizeof(xen_msr_entry_t);
    xc_cpu_policy_destroy(policy);
    return rc;
}

static int capture_context(xenfork_ctx *ctx, uint32_t domid,
                           struct xenfork__capture *c)
{
    xc_interface *xch = ctx->xen->xch;
    int bytes = xc_domain_hvm_getcontext(xch, domid, NULL, 0);

    if (bytes > 0) {
        c->context = malloc((size_t)bytes);
        if (!c->context)
            return xenfork__nomem(ctx);
        bytes = xc_domain_hvm_getcontext(xch, domid, c->context,
                                         (uint32_t)bytes);
    }
    if (bytes <= 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot read its vCPU state", domid);
    c->context_bytes = (size_t)bytes;
    return 0;
}

static int capture_params(xenfork_ctx *ctx, uint32_t domid,
                          struct xenfork__capture *c)
{
    size_t i;

    c->params = calloc(ARRAY_SIZE(param_indices), sizeof(*c->params));
    if (!c->params)
        return xenfork__nomem(ctx);
    for (i = 0; i < ARRAY_SIZE(param_indices); i++) {
        uint64_t value = 0;

        if (xc_hvm_param_get(ctx->xen->xch, domid, param_indices[i], &value))
            return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                                 "domain %u: cannot read HVM parameter %u",
                                 domid, param_indices[i]);
        if (value)
            c->params[c->param_count++] = (struct xenfork__param){
                .index = param_indices[i], .value = value};
    }
    return 0;
}

static int capture_tsc(xenfork_ctx *ctx, uint32_t domid,
                       struct xenfork__capture *c)
{
    if (xc_domain_get_tsc_info(ctx->xen->xch, domid, &c->tsc_mode, &c->tsc_ns,
                               &c->tsc_khz, &c->tsc_incarnation))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot read its TSC state", domid);
    return 0;
}

static int capture_pages(xenfork_ctx *ctx, uint32_t domid, const uint64_t *gfns,
                         uint32_t count, struct xenfork__capture *c)
{
    c->page_gfns = calloc(count + 1, sizeof(*gfns));
    c->pages = calloc(count + 1, XENFORK__PAGE_SIZE);
    if (!c->page_gfns || !c->pages)
        return xenfork__nomem(ctx);
    memcpy(c->page_gfns, gfns, count * sizeof(*gfns));
    c->page_count = count;
    return xenfork__xen_read_pages(ctx, domid, gfns, count, c->pages);
}

int xenfork__xen_capture(xenfork_ctx *ctx, uint32_t domid, const uint64_t *gfns,
                         uint32_t count, struct xenfork__capture **capture_out)
{
    struct xenfork__capture *c = calloc(1, sizeof(*c));
    int rc;

    if (!c)
        return xenfork__nomem(ctx);
    if ((rc = capture_version(ctx, c)) < 0 ||
        (rc = capture_policy(ctx, domid, c)) < 0 ||
        (rc = capture_context(ctx, domid, c)) < 0 ||
        (rc = capture_params(ctx, domid, c)) < 0 ||
        (rc = capture_tsc(ctx, domid, c)) < 0 ||
        (xenfork__xen_has_emulator(ctx, domid) &&
         (rc = xenfork__xen_emulator_capture(ctx, domid, c)) < 0) ||
        (rc = capture_pages(ctx, domid, gfns, count, c)) < 0) {
        xenfork__capture_free(c);
        return rc;
    }
    *capture_out = c;
    return 0;
}

/* Load it as libxc does when it restores: xg_sr_restore_x86_hvm.c, 4.17. */
static int load_param(xenfork_ctx *ctx, uint32_t image,
                      const struct xenfork__param *param)
{
    int rc = 0;

    switch (param->index) {
    case HVM_PARAM_STORE_PFN:
    case HVM_PARAM_CONSOLE_PFN:
    case HVM_PARAM_IOREQ_PFN:
    case HVM_PARAM_BUFIOREQ_PFN:
        rc = xenfork__xen_clear_page(ctx, image, param->value);
        break;
    default:
        break;
    }
    if (rc < 0)
        return rc;
    if (xc_hvm_param_set(ctx->xen->xch, image, (uint32_t)param->index,
                         param->value))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot set HVM parameter %u", image,
                             (uint32_t)param->index);
    return 0;
}

int xenfork__xen_image_load(xenfork_ctx *ctx, uint32_t image,
                            const struct xenfork__capture *capture)
{
    xc_interface *xch = ctx->xen->xch;
    uint32_t i;
    int rc;

    for (i = 0; i < capture->param_count; i++) {
        rc = load_param(ctx, image, &capture->params[i]);
        if (rc < 0)
            return rc;
    }
    if (xc_domain_set_tsc_info(xch, image, capture->tsc_mode, capture->tsc_ns,
                               capture->tsc_khz, capture->tsc_incarnation))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot set its TSC state", image);
    if (xc_domain_hvm_setcontext(xch, image, capture->context,
                                 (uint32_t)capture->context_bytes) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot set its vCPU state", image);
    return 0;
}
