/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bare domain of a clone that libxl does not restore: by libxc. */
#include "xen/fast.h"

#include <libxl_utils.h>
#include <string.h>
#include <xen/hvm/params.h>
#include <xenguest.h>

/*
 * Make the domain as libxl__domain_make() and
 * libxl__arch_domain_prepare_config() do.
 */
static int make_clone_domain(xenfork_ctx *ctx,
                             const libxl_domain_config *config,
                             uint32_t emulation, uint32_t *domid_out)
{
    const libxl_domain_create_info *c = &config->c_info;
    const libxl_domain_build_info *b = &config->b_info;
    struct xen_domctl_createdomain create = {
        .ssidref = c->ssidref,
        .flags = XEN_DOMCTL_CDF_hvm,
        .max_vcpus = (uint32_t)b->max_vcpus,
        .max_evtchn_port = (int32_t)b->event_channels,
        .max_grant_frames = b->max_grant_frames,
        .max_maptrack_frames = b->max_maptrack_frames,
        .grant_opts = XEN_DOMCTL_GRANT_version((uint32_t)b->max_grant_version),
        .cpupool_id = c->poolid,
        .arch.emulation_flags = emulation,
    };
    uint32_t domid = DOMID_ANY;

    if (libxl_defbool_val(c->hap))
        create.flags |= XEN_DOMCTL_CDF_hap;
    if (!libxl_defbool_val(c->oos))
        create.flags |= XEN_DOMCTL_CDF_oos_off;
    if (libxl_defbool_val(b->arch_x86.msr_relaxed))
        create.arch.misc_flags |= XEN_X86_MSR_RELAXED;
    memcpy(create.handle, libxl_uuid_bytearray_const(&c->uuid),
           sizeof(create.handle));
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (xc_domain_create(ctx->xen->xch, &domid, &create))
        return xenfork__fail(
            ctx, errno == ENOMEM ? XENFORK_E_HOSTMEM : XENFORK_E_XEN, errno,
            "cannot create a domain for the clone %s", c->name);
    *domid_out = domid;
    return 0;
}

/*
 * Place it as libxl__build_pre() does: on a host of one node, "placement" takes
 * all of it.
 */
static int place_anywhere(xenfork_ctx *ctx, uint32_t domid, uint32_t vcpus)
{
    libxl_ctx *xl = ctx->xen->xl;
    libxl_bitmap nodes, cpus;
    int r;

    libxl_bitmap_init(&nodes);
    libxl_bitmap_init(&cpus);
    r = libxl_node_bitmap_alloc(xl, &nodes, 0);
    if (!r)
        r = libxl_cpu_bitmap_alloc(xl, &cpus, 0);
    if (!r) {
        libxl_bitmap_set_any(&nodes);
        libxl_nodemap_to_cpumap(xl, &nodes, &cpus);
        libxl_set_vcpuaffinity_all(xl, domid, vcpus, NULL, &cpus);
        libxl_domain_set_nodeaffinity(xl, domid, &nodes);
    }
    libxl_bitmap_dispose(&nodes);
    libxl_bitmap_dispose(&cpus);
    return r;
}

static int place_clone(xenfork_ctx *ctx, libxl_domain_build_info *b,
                       uint32_t domid)
{
    libxl_ctx *xl = ctx->xen->xl;
    int hard = b->num_vcpu_hard_affinity, soft = b->num_vcpu_soft_affinity;
    int i, r = 0;

    if (libxl_defbool_val(b->numa_placement) && !b->cpumap.size && !soft &&
        !b->nodemap.size)
        r = place_anywhere(ctx, domid, (uint32_t)b->max_vcpus);
    if (b->nodemap.size)
        libxl_domain_set_nodeaffinity(xl, domid, &b->nodemap);
    for (i = 0; !r && (i < hard || i < soft); i++)
        r = libxl_set_vcpuaffinity(xl, domid, (uint32_t)i,
                                   i < hard ? &b->vcpu_hard_affinity[i] : NULL,
                                   i < soft ? &b->vcpu_soft_affinity[i] : NULL);
    return r ? xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "domain %u: cannot set its CPU affinity "
                             "(libxl: %d)",
                             domid, r)
             : 0;
}

/* Set what an HVM domain has besides; the rest is the image's. */
static int set_hvm_params(xc_interface *xch, uint32_t domid,
                          const libxl_domain_build_info *b)
{
    if (b->type != LIBXL_DOMAIN_TYPE_HVM)
        return 0;
    return xc_hvm_param_set(xch, domid, HVM_PARAM_HPET_ENABLED,
                            libxl_defbool_val(b->u.hvm.hpet)) ||
           xc_hvm_param_set(xch, domid, HVM_PARAM_VPT_ALIGN,
                            libxl_defbool_val(b->u.hvm.vpt_align));
}

/*
 * Equip it as libxl__build_pre() and hvm_set_conf_params() do.  The rest comes
 * by the fork.
 */
static int equip_clone(xenfork_ctx *ctx, libxl_domain_build_info *b,
                       struct xenfork__fast_clone *clone)
{
    xc_interface *xch = ctx->xen->xch;
    uint32_t domid = clone->domid;
    int store, console, rc;

    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 7);
    if (xc_domain_max_vcpus(xch, domid, (uint32_t)b->max_vcpus))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot set its number of vCPUs",
                             domid);
    if (xc_set_paging_mempool_size(xch, domid, b->shadow_memkb << 10))
        return xenfork__fail(ctx, XENFORK_E_HOSTMEM, errno,
                             "domain %u: cannot get memory for its page tables",
                             domid);
    if ((rc = place_clone(ctx, b, domid)) < 0)
        return rc;
    store = xc_evtchn_alloc_unbound(xch, domid, 0);
    console = store < 0 ? -1 : xc_evtchn_alloc_unbound(xch, domid, 0);
    if (store < 0 || console < 0 ||
        xc_hvm_param_set(xch, domid, HVM_PARAM_TIMER_MODE,
                         (uint64_t)b->timer_mode) ||
        xc_hvm_param_set(xch, domid, HVM_PARAM_STORE_EVTCHN, (uint64_t)store) ||
        xc_hvm_param_set(xch, domid, HVM_PARAM_CONSOLE_EVTCHN,
                         (uint64_t)console) ||
        set_hvm_params(xch, domid, b))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot set its event channels", domid);
    clone->store_port = (uint32_t)store;
    clone->console_port = (uint32_t)console;
    return 0;
}

/* Return what Xen emulates for the image, as for its source. */
static int read_emulation(xenfork_ctx *ctx, uint32_t image,
                          uint32_t *emulation_out)
{
    xc_domaininfo_t info;

    if (xc_domain_getinfolist(ctx->xen->xch, image, 1, &info) != 1 ||
        info.domain != image)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0, "there is no image %u",
                             image);
    *emulation_out = info.arch_config.emulation_flags;
    return 0;
}

int xenfork__fast_domain(xenfork_ctx *ctx, libxl_domain_config *config,
                         uint32_t image, struct xenfork__fast_clone *clone)
{
    uint32_t emulation = XEN_X86_EMU_LAPIC;
    int rc = 0;

    if (config->c_info.type == LIBXL_DOMAIN_TYPE_HVM)
        rc = read_emulation(ctx, image, &emulation);
    if (rc < 0 ||
        (rc = make_clone_domain(ctx, config, emulation, &clone->domid)) < 0)
        return rc;
    return equip_clone(ctx, &config->b_info, clone);
}
