/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clones without libxl's restore: a domain by libxc, its nodes in one
 * transaction, and what libxl leaves for its later calls.  The caller forks
 * the image's memory into the domain between create and finish.
 */
#include "xen/fast.h"

#include <libxl_utils.h>
#include <stdlib.h>
#include <string.h>
#include <xen/hvm/params.h>
#include <xenguest.h>

#include "host/qmp.h"
#include "xen/hotplug-scripts.h"
#include "xen/hotplug.h"
#include "xen/pipe.h"

/*
 * Tell whether libxl of this release was compared: tests/live/fork/twin.t and
 * hvm-twin.t
 */
static bool is_compared(xenfork_ctx *ctx, int type)
{
    int version = xc_version(ctx->xen->xch, XENVER_version, NULL);

    return version == (4 << 16 | 17) ||
           (version == (4 << 16 | 20) && type == XENFORK__TYPE_PVH);
}

/* Tell whether the node is there, and is not 0. */
static bool is_elsewhere(xenfork_ctx *ctx, const char *what)
{
    uint32_t domid = 0;

    return xenfork__xs_u32(ctx, &domid, "/tool/%s/domid", what) < 0 || domid;
}

static const char *object_to_host(xenfork_ctx *ctx, int type)
{
#if ENABLE_TEST_HOOKS
    const char *test = getenv("XENFORK_TEST_CLONES");

    if (test && !strcmp(test, "libxl"))
        return "a test asks for it";
#endif
    if (!is_compared(ctx, type))
        return "the two ways were not compared on this release of Xen";
    if (xenfork__own_domid(ctx) || is_elsewhere(ctx, "xenstored") ||
        is_elsewhere(ctx, "xenconsoled"))
        return "xenstored or xenconsoled is in another domain";
    if (!xenfork__pipe_is_there(ctx))
        return "xenstored cannot be reached";
    return NULL;
}

static bool has_one_node(xenfork_ctx *ctx)
{
    libxl_physinfo info;
    bool is_one;

    libxl_physinfo_init(&info);
    is_one = !libxl_get_physinfo(ctx->xen->xl, &info) && info.nr_nodes <= 1;
    libxl_physinfo_dispose(&info);
    return is_one;
}

int xenfork__xen_fast_open(xenfork_ctx *ctx,
                           const struct xenfork__config *source,
                           struct xenfork__fast **fast_out,
                           const char **why_out)
{
    const char *why = object_to_host(ctx, source->type);
    struct xenfork__fast *fast;
    int rc;

    if (why) {
        *why_out = why;
        return 0;
    }
    fast = calloc(1, sizeof(*fast));
    if (!fast)
        return xenfork__nomem(ctx);
    rc = xenfork__xl_config(ctx, source->json, &fast->config);
    if (rc < 0) {
        xenfork__xen_fast_close(fast);
        return rc;
    }
    fast->source = source;
    fast->scripts = xenfork__hotplug_look(ctx);
    fast->is_on_one_node = has_one_node(ctx);
    if (source->type == XENFORK__TYPE_HVM)
        fast->emulator = xenfork__fast_program(ctx, source->uuid);
    *fast_out = fast;
    return 0;
}

void xenfork__xen_fast_close(struct xenfork__fast *fast)
{
    if (!fast)
        return;
    libxl_domain_config_dispose(&fast->config);
    free(fast->emulator);
    free(fast);
}

void xenfork__plan_free(struct xenfork__plan *plan)
{
    uint32_t i;

    if (!plan)
        return;
    if (plan->configs) {
        xenfork__qmp_hang_up(plan->configs->clone.qmp);
        libxl_domain_config_dispose(&plan->configs->record);
        libxl_domain_config_dispose(&plan->configs->full);
        free(plan->configs);
    }
    for (i = 0; plan->disks && i < plan->disk_count; i++) {
        if (plan->disks[i].device.fd >= 0)
            close(plan->disks[i].device.fd);
        free(plan->disks[i].target);
    }
    free(plan->disks);
    free(plan->nics);
    free(plan);
}

static int list_disks(xenfork_ctx *ctx, struct xenfork__plan *plan)
{
    const libxl_domain_config *config = &plan->configs->full;
    int i;

    plan->disks = calloc((size_t)config->num_disks + 1, sizeof(*plan->disks));
    if (!plan->disks)
        return xenfork__nomem(ctx);
    plan->disk_count = (uint32_t)config->num_disks;
    for (i = 0; i < config->num_disks; i++)
        plan->disks[i].device.fd = -1;
    for (i = 0; i < config->num_disks; i++) {
        const libxl_device_disk *disk = &config->disks[i];

        plan->disks[i].is_forks = xenfork__hotplug_of_disk(disk) ==
                                  XENFORK__HOTPLUG_FORK;
        plan->disks[i].path = disk->pdev_path;
        plan->disks[i].is_readonly = !disk->readwrite;
        if (!plan->disks[i].is_forks)
            continue;
        plan->disks[i].target = realpath(disk->pdev_path, NULL);
        if (!plan->disks[i].target)
            return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot find %s",
                                 disk->pdev_path);
    }
    return 0;
}

static int list_nics(xenfork_ctx *ctx, struct xenfork__plan *plan)
{
    const libxl_domain_config *config = &plan->configs->full;
    int i;

    plan->nics = calloc((size_t)config->num_nics + 1, sizeof(*plan->nics));
    if (!plan->nics)
        return xenfork__nomem(ctx);
    plan->nic_count = (uint32_t)config->num_nics;
    for (i = 0; i < config->num_nics; i++) {
        const libxl_device_nic *nic = &config->nics[i];

        plan->nics[i].devid = nic->devid;
        plan->nics[i].bridge = xenfork__fast_bridge(nic);
        plan->nics[i].is_emulated = nic->nictype == LIBXL_NIC_TYPE_VIF_IOEMU;
        /* The script takes the node, which there is for another one. */
        if (nic->mtu && nic->mtu != XENFORK__FAST_MTU)
            plan->nics[i].mtu = (uint32_t)nic->mtu;
    }
    return 0;
}

/*
 * Change the record of a new domain as libxl__update_domain_configuration()
 * does, libxl_internal.c, 4.17 and 4.20.
 */
static void update_record(libxl_domain_config *record,
                          const libxl_domain_config *full)
{
    int i;

    for (i = 0; i < record->num_nics; i++)
        record->nics[i].nictype = full->nics[i].nictype;
    record->b_info.video_memkb = full->b_info.video_memkb;
    libxl_defbool_setdefault(
        &record->b_info.arch_x86.msr_relaxed,
        libxl_defbool_val(full->b_info.arch_x86.msr_relaxed));
#ifdef LIBXL_HAVE_HVM_PIRQ
    if (full->c_info.type == LIBXL_DOMAIN_TYPE_HVM)
        libxl_defbool_setdefault(&record->b_info.u.hvm.pirq,
                                 libxl_defbool_val(full->b_info.u.hvm.pirq));
#endif
}

/* Fill in a NIC's kind as libxl__device_nic_setdefault() does. */
static void fill_nics(libxl_domain_config *config)
{
    bool is_hvm = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    int i;

    for (i = 0; i < config->num_nics; i++)
        if (!is_hvm || !config->nics[i].nictype)
            config->nics[i].nictype = is_hvm ? LIBXL_NIC_TYPE_VIF_IOEMU
                                             : LIBXL_NIC_TYPE_VIF;
}

/* Have libxl fill in what the configuration leaves to it. */
static int fill_in(xenfork_ctx *ctx, const struct xenfork__fast *fast,
                   const struct xenfork__clone_config *clone,
                   struct xenfork__plan_configs *configs)
{
    uint64_t kib;
    int r, rc;

    libxl_domain_config_copy(ctx->xen->xl, &configs->record, &fast->config);
    rc = xenfork__xl_clone(ctx, &configs->record, clone);
    if (rc < 0)
        return rc;
    libxl_domain_config_copy(ctx->xen->xl, &configs->full, &configs->record);
    r = libxl_domain_need_memory(ctx->xen->xl, &configs->full,
                                 (uint32_t)INVALID_DOMID, &kib);
    if (r)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot complete the configuration of %s "
                             "(libxl: %d)",
                             clone->name, r);
    fill_nics(&configs->full);
    update_record(&configs->record, &configs->full);
    return 0;
}

/* Object to what must be known before libxl is asked. */
static const char *object_early(const struct xenfork__fast *fast,
                                const struct xenfork__clone_config *clone)
{
    const libxl_domain_build_info *b = &fast->config.b_info;
    uint32_t i;

    if (fast->config.c_info.type == LIBXL_DOMAIN_TYPE_PV)
        return "it is a PV domain";
    if (fast->config.c_info.type == LIBXL_DOMAIN_TYPE_HVM && !fast->emulator)
        return "the program of its device model is not known";
    /* libxl_domain_need_memory() would leave pointers to what it frees. */
    if (b->cpumap.size && !b->num_vcpu_hard_affinity)
        return "its CPUs are given in libxl's old way";
    for (i = 0; i < fast->source->disk_count; i++)
        if (!clone->disks[i].path && !clone->disks[i].is_absent)
            return "it shares a disk with its source";
    return NULL;
}

int xenfork__xen_fast_plan(xenfork_ctx *ctx, const struct xenfork__fast *fast,
                           const struct xenfork__clone_config *clone,
                           struct xenfork__plan **plan_out,
                           const char **why_out)
{
    const char *why = object_early(fast, clone);
    struct xenfork__plan *plan;
    int rc;

    if (why) {
        *why_out = why;
        return 0;
    }
    plan = calloc(1, sizeof(*plan));
    if (plan)
        plan->configs = calloc(1, sizeof(*plan->configs));
    if (!plan || !plan->configs) {
        free(plan);
        return xenfork__nomem(ctx);
    }
    libxl_domain_config_init(&plan->configs->record);
    libxl_domain_config_init(&plan->configs->full);
    if ((rc = fill_in(ctx, fast, clone, plan->configs)) == 0)
        why = xenfork__fast_objection(fast, &plan->configs->full);
    if (rc == 0 && !why && (rc = list_disks(ctx, plan)) == 0)
        rc = list_nics(ctx, plan);
    plan->configs->clone.program = fast->emulator;
    plan->has_emulator = fast->emulator;
    if (rc < 0 || why) {
        xenfork__plan_free(plan);
        *why_out = why;
        return rc;
    }
    *plan_out = plan;
    return 0;
}

/*
 * Find the pages of xenstore and console, which every clone has at the same
 * place.
 */
static int find_rings(xenfork_ctx *ctx, uint32_t image,
                      struct xenfork__fast_clone *clone)
{
    xc_interface *xch = ctx->xen->xch;

    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 2);
    if (xc_hvm_param_get(xch, image, HVM_PARAM_STORE_PFN, &clone->store_gfn) ||
        xc_hvm_param_get(xch, image, HVM_PARAM_CONSOLE_PFN,
                         &clone->console_gfn))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "image %u: cannot tell where its rings are",
                             image);
    return 0;
}

int xenfork__xen_fast_create(xenfork_ctx *ctx, struct xenfork__plan *plan,
                             uint32_t image, uint32_t *domid_out)
{
    struct xenfork__plan_configs *configs = plan->configs;
    struct xenfork__fast_clone *clone = &configs->clone;
    int e, rc;

    LOG_DEBUG(ctx, "making the clone %s", configs->full.c_info.name);
    clone->config = &configs->full;
    clone->disks = plan->disks;
    if ((rc = find_rings(ctx, image, clone)) < 0 ||
        (rc = xenfork__fast_domain(ctx, &configs->full, image, clone)) < 0)
        return rc;
    e = xenfork__pipe_transact(ctx, xenfork__fast_nodes, clone);
    if (e)
        return xenfork__fail(ctx, XENFORK_E_XEN, e,
                             "cannot write the clone %s into xenstore",
                             configs->full.c_info.name);
    *domid_out = clone->domid;
    return 0;
}

/*
 * Introduce it as libxl__build_post() does, and libxc when a stream is
 * complete.
 */
static int introduce_clone(xenfork_ctx *ctx,
                           struct xenfork__plan_configs *configs)
{
    const struct xenfork__fast_clone *clone = &configs->clone;
    libxl_domain_sched_params sched;
    uint32_t domid = clone->domid;
    int e, r;

    libxl_domain_sched_params_init(&sched);
    libxl_domain_sched_params_copy(ctx->xen->xl, &sched,
                                   &configs->full.b_info.sched_params);
    sched.sched = LIBXL_SCHEDULER_UNKNOWN; /* take over what fits */
    r = libxl_domain_sched_params_set(ctx->xen->xl, domid, &sched);
    libxl_domain_sched_params_dispose(&sched);
    if (r)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "domain %u: cannot set its scheduling "
                             "(libxl: %d)",
                             domid, r);
    if (xc_dom_gnttab_seed(ctx->xen->xch, domid, true, clone->console_gfn,
                           clone->store_gfn, 0, 0))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot set up its grant table", domid);
    xenfork__pipe_introduce(ctx, domid, clone->store_gfn, clone->store_port);
    e = xenfork__pipe_wait(ctx);
    return e ? xenfork__fail(ctx, XENFORK_E_XEN, e,
                             "cannot introduce domain %u to xenstored", domid)
             : 0;
}

int xenfork__xen_fast_finish(xenfork_ctx *ctx, struct xenfork__plan *plan,
                             char **json_out)
{
    struct xenfork__plan_configs *configs = plan->configs;
    int rc = introduce_clone(ctx, configs);

    return rc < 0 ? rc
                  : xenfork__stored_write(ctx, configs->clone.domid,
                                          &configs->record, json_out);
}

int xenfork__xen_fast_nics(xenfork_ctx *ctx, const struct xenfork__plan *plan)
{
    uint32_t domid = plan->configs->clone.domid, i;
    int e;

    for (i = 0; i < plan->nic_count; i++)
        xenfork__fast_nic_ready(ctx, domid, plan->nics[i].devid,
                                plan->nics[i].mtu);
    e = xenfork__pipe_wait(ctx);
    return e ? xenfork__fail(ctx, XENFORK_E_XEN, e,
                             "domain %u: cannot say that its NICs are ready",
                             domid)
             : 0;
}
