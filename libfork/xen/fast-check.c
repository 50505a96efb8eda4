/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Check whether a clone can be made without libxl's restore. */
#include "xen/fast.h"

#include <string.h>

#include "xen/hotplug-scripts.h"
#include "xen/hotplug.h"

/* Parse an IDE disk: "hda" to "hdd" */
static bool parse_ide(const char *vdev, uint32_t *devid_out, uint32_t *disk_out)
{
    uint32_t disk;

    if (strncmp(vdev, "hd", 2) || vdev[2] < 'a' || vdev[2] > 'd' || vdev[3])
        return false;
    disk = (uint32_t)(vdev[2] - 'a');
    *devid_out = (disk < 2 ? 3U : 22U) << 8 | (disk & 1) << 6;
    *disk_out = disk;
    return true;
}

/*
 * Parse a vdev as libxl__device_disk_dev_number() does: "xvda" to "xvdp",
 * "xvda1" to "xvdp15", and IDE disks
 */
bool xenfork__fast_vdev(const char *vdev, uint32_t *devid_out,
                        uint32_t *disk_out)
{
    uint32_t disk, partition = 0;

    if (vdev && parse_ide(vdev, devid_out, disk_out))
        return true;
    if (!vdev || strncmp(vdev, "xvd", 3) || vdev[3] < 'a' || vdev[3] > 'p')
        return false;
    disk = (uint32_t)(vdev[3] - 'a');
    if (vdev[4] && (vdev[4] == '0' || strlen(vdev + 4) > 2 ||
                    !xenfork__parse_u32(vdev + 4, &partition)))
        return false;
    if (partition > 15)
        return false;
    *devid_out = 202U << 8 | disk << 4 | partition;
    *disk_out = disk;
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
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].is_there)
            return kinds[i].what;
    return NULL;
}

static const char *object_to_pvh(const libxl_domain_build_info *b)
{
    if (b->video_memkb)
        return "it has video memory";
    return xenfork__xl_is_true(b->u.pvh.pvshim) ? "it runs in a shim" : NULL;
}

static bool has_texts(char *const *list)
{
    return list && *list;
}

/* Object to a device model, or to devices of it, that we do not start so. */
static const char *object_to_emulator(const libxl_domain_build_info *b)
{
    const struct {
        bool is_there;
        const char *what;
    } kinds[] = {
        {b->device_model_version != LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN,
         "its device model is not qemu-xen"},
        {xenfork__xl_is_true(b->device_model_stubdomain),
         "its device model has a domain of its own"},
        {xenfork__xl_is_true(b->dm_restrict) || b->device_model_user,
         "its device model is restricted"},
        {xenfork__xl_is_true(b->u.hvm.spice.enable), "it has SPICE"},
        {xenfork__xl_is_true(b->u.hvm.sdl.enable), "it has a window"},
        {b->u.hvm.vga.kind == LIBXL_VGA_INTERFACE_TYPE_QXL, "it has QXL"},
        {b->u.hvm.usbversion || xenfork__xl_is_true(b->u.hvm.usb) ||
             b->u.hvm.usbdevice || has_texts(b->u.hvm.usbdevice_list),
         "it has USB"},
        {has_texts(b->extra) || has_texts(b->extra_hvm),
         "its device model has arguments of its own"},
        {b->u.hvm.soundhw, "it has a sound card"},
        {xenfork__xl_is_true(b->u.hvm.gfx_passthru),
         "a display is passed through to it"},
        {b->u.hvm.vendor_device != LIBXL_VENDOR_DEVICE_NONE,
         "it has a vendor's device"},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].is_there)
            return kinds[i].what;
    return NULL;
}

static const char *object_to_hvm(const libxl_domain_config *config)
{
    const libxl_domain_build_info *b = &config->b_info;

    if (!libxl_ms_vm_genid_is_zero(&b->u.hvm.ms_vm_genid))
        return "it has a generation id";
    if (xenfork__xl_is_true(b->u.hvm.altp2m))
        return "it has altp2m";
    if (!xenfork__xl_is_true(b->acpi) || !xenfork__xl_is_true(b->u.hvm.acpi))
        return "it has no ACPI";
    if (config->num_vkbs || config->num_vfbs)
        return "it has other devices";
    return object_to_emulator(b);
}

/* Object to an emulated disk that libxl does not start a QEMU with. */
static const char *object_to_ide(const libxl_domain_config *config)
{
    uint32_t devid, number;
    int i;

    for (i = 0; i < config->num_disks; i++)
        if (xenfork__fast_vdev(config->disks[i].vdev, &devid, &number) &&
            number < XENFORK__FAST_AHCI_DISKS && !config->disks[i].readwrite)
            return "an emulated disk is read-only";
    return NULL;
}

static const char *object_to_disk(const libxl_device_disk *disk,
                                  unsigned int scripts)
{
    uint32_t devid, number;

    if (disk->backend_domid || disk->backend_domname)
        return "another domain serves a disk";
    if (disk->is_cdrom || disk->format != LIBXL_DISK_FORMAT_RAW ||
        disk->backend != LIBXL_DISK_BACKEND_PHY || !disk->pdev_path)
        return "a disk is not served by the kernel";
    if ((disk->specification != LIBXL_DISK_SPECIFICATION_UNKNOWN &&
         disk->specification != LIBXL_DISK_SPECIFICATION_XEN) ||
        xenfork__xl_is_true(disk->colo_enable) ||
        !xenfork__fast_vdev(disk->vdev, &devid, &number))
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
    if (nic->coloft_forwarddev || nic->devid < 0)
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

    if (!why)
        why = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM
                  ? object_to_hvm(config)
                  : object_to_pvh(&config->b_info);
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
    if (!why && config->c_info.type == LIBXL_DOMAIN_TYPE_HVM)
        why = object_to_ide(config);
    for (i = 0; i < config->num_nics && !why; i++)
        why = object_to_nic(&config->nics[i], fast->scripts);
    return why;
}
