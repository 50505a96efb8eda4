/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Check whether a clone can be made without libxl's restore. */
#include "xen/fast.h"

#include <string.h>

#include "xen/hotplug-scripts.h"
#include "xen/hotplug.h"

/*
 * Parse a vdev as libxl__device_disk_dev_number() does: "xvda" to "xvdp",
 * "xvda1" to "xvdp15"
 */
bool xenfork__fast_vdev(const char *vdev, uint32_t *devid_out)
{
    uint32_t disk, partition = 0;

    if (!vdev || strncmp(vdev, "xvd", 3) || vdev[3] < 'a' || vdev[3] > 'p')
        return false;
    disk = (uint32_t)(vdev[3] - 'a');
    if (vdev[4] && (vdev[4] == '0' || strlen(vdev + 4) > 2 ||
                    !xenfork__parse_u32(vdev + 4, &partition)))
        return false;
    if (partition > 15)
        return false;
    *devid_out = 202U << 8 | disk << 4 | partition;
    return true;
}

static const char *object_to_settings(const libxl_domain_config *config)
{
    const libxl_domain_create_info *c = &config->c_info;
    const libxl_domain_build_info *b = &config->b_info;
    const struct {
        bool is_there;
        const char *what;
    } kinds[] = {
        {xenfork__xl_is_true(c->driver_domain), "it is a driver domain"},
        {xenfork__xl_is_true(c->xend_suspend_evtchn_compat),
         "it has xend's event channel"},
        {c->passthrough != LIBXL_PASSTHROUGH_DISABLED, "it uses the IOMMU"},
        {c->ssid_label || b->exec_ssid_label || b->exec_ssidref,
         "it has a security label"},
        {xenfork__xl_is_true(b->nested_hvm), "it may run guests"},
        {b->altp2m != LIBXL_ALTP2M_MODE_DISABLED, "it has altp2m"},
        {xenfork__xl_is_true(b->vpmu), "it has performance counters"},
        {b->vmtrace_buf_kb, "it is traced"},
        {xenfork__xl_is_true(b->localtime) || b->rtc_timeoffset,
         "its clock has an offset"},
        {b->num_vnuma_nodes, "it has virtual NUMA nodes"},
        {b->video_memkb, "it has video memory"},
        {xenfork__xl_is_true(b->u.pvh.pvshim), "it runs in a shim"},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].is_there)
            return kinds[i].what;
    return NULL;
}

static const char *object_to_disk(const libxl_device_disk *disk,
                                  unsigned int scripts)
{
    uint32_t devid;

    if (disk->backend_domid || disk->backend_domname)
        return "another domain serves a disk";
    if (disk->is_cdrom || disk->format != LIBXL_DISK_FORMAT_RAW ||
        disk->backend != LIBXL_DISK_BACKEND_PHY || !disk->pdev_path)
        return "a disk is not served by the kernel";
    if ((disk->specification != LIBXL_DISK_SPECIFICATION_UNKNOWN &&
         disk->specification != LIBXL_DISK_SPECIFICATION_XEN) ||
        xenfork__xl_is_true(disk->colo_enable) ||
        !xenfork__fast_vdev(disk->vdev, &devid))
        return "a disk is of another kind";
    if (xenfork__hotplug_of_disk(disk) & scripts)
        return NULL;
    return "the script of a disk is not known";
}

const char *xenfork__fast_bridge(const libxl_device_nic *nic)
{
    return nic->bridge ? nic->bridge : "xenbr0";
}

static const char *object_to_nic(const libxl_device_nic *nic,
                                 unsigned int scripts)
{
    if (nic->backend_domid || nic->backend_domname)
        return "another domain serves a NIC";
    if (nic->nictype == LIBXL_NIC_TYPE_VIF_IOEMU || nic->coloft_forwarddev ||
        nic->devid < 0)
        return "a NIC is of another kind";
    if (nic->ifname || !(xenfork__hotplug_of_nic(nic) & scripts))
        return "the script of a NIC is not known";
    if (!xenfork__sys_has_bridge(xenfork__fast_bridge(nic)))
        return "a NIC is on no bridge of Linux";
#ifdef LIBXL_HAVE_XEN_9PFS /* 4.19, as the VLAN, which has no macro */
    if (nic->vlan)
        return "a NIC is in a VLAN";
#endif
    return NULL;
}

const char *xenfork__fast_objection(const struct xenfork__fast *fast,
                                    const libxl_domain_config *config)
{
    const char *why = object_to_settings(config);
    int i;

    if (!why && fast->source->refused_count)
        why = "it has other devices";
    if (!why && !fast->is_on_one_node &&
        libxl_defbool_val(config->b_info.numa_placement) &&
        !config->b_info.nodemap.size)
        why = "libxl places it on NUMA nodes";
    if (!why && !libxl_defbool_val(config->c_info.run_hotplug_scripts))
        why = "udev runs the scripts of its devices";
    for (i = 0; i < config->num_disks && !why; i++)
        why = object_to_disk(&config->disks[i], fast->scripts);
    for (i = 0; i < config->num_nics && !why; i++)
        why = object_to_nic(&config->nics[i], fast->scripts);
    return why;
}
