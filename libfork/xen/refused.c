/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that cannot be forked, each with its name and the way out. */
#include "xen/handles.h"

#include "xen/xen.h"

#include <stdarg.h>

/* Make room for one more, which is counted when it is whole. */
static struct xenfork__refused *room(struct xenfork__config *to)
{
    struct xenfork__refused *more = reallocarray(
        to->refused, to->refused_count + 1, sizeof(*more));

    if (!more)
        return NULL;
    to->refused = more;
    more += to->refused_count;
    *more = (struct xenfork__refused){0};
    return more;
}

/* Note a device; @remedy: a format for what it is called, or is set by. */
static bool __attribute__((format(printf, 5, 6)))
add(struct xenfork__config *to, int code, const char *remedy,
    const char *setting, const char *fmt, ...)
{
    struct xenfork__refused *refused = room(to);
    va_list ap;
    int r;

    if (!refused)
        return false;
    va_start(ap, fmt);
    r = vasprintf(&refused->what, fmt, ap);
    va_end(ap);
    if (r < 0)
        return false;
    if (asprintf(&refused->remedy, "%s%s%s", remedy, setting,
                 *setting ? " from its configuration, and start it anew (xl "
                            "shutdown, xl create)"
                          : "") < 0) {
        free(refused->what);
        return false;
    }
    refused->code = code;
    to->refused_count++;
    return true;
}

#define ANEW(code, setting, ...) \
    add(to, XENFORK_E_##code, "remove ", setting, __VA_ARGS__)

/* Note a device that xl can take from a running domain. */
static bool add_removable(struct xenfork__config *to, int code,
                          const char *verb, const char *id, const char *what)
{
    char remedy[256];

    snprintf(remedy, sizeof(remedy), "xl %s %s %s", verb, to->name, id);
    return add(to, code, remedy, "", "%s %s", what, id);
}

/*
 * List PCI devices.  A domain that has had one has an IOMMU context as long as
 * it lives, and Xen shares no memory then: it is not enough to detach the
 * device.
 */
static bool list_pci(struct xenfork__config *to,
                     const libxl_domain_config *from)
{
    int i;

    for (i = 0; i < from->num_pcidevs; i++) {
        const libxl_device_pci *pci = &from->pcidevs[i];

        if (!ANEW(PASSTHROUGH, "pci=", "PCI device %04x:%02x:%02x.%x",
                  pci->domain, pci->bus, pci->dev, pci->func))
            return false;
    }
    return true;
}

static bool list_usb(struct xenfork__config *to,
                     const libxl_domain_config *from)
{
    char id[32];
    int i;

    for (i = 0; i < from->num_usbdevs; i++) {
        snprintf(id, sizeof(id), "%d %d", from->usbdevs[i].ctrl,
                 from->usbdevs[i].port);
        if (!add_removable(to, XENFORK_E_PASSTHROUGH, "usbdev-detach", id,
                           "USB device"))
            return false;
    }
    for (i = 0; i < from->num_usbctrls; i++) {
        snprintf(id, sizeof(id), "%d", from->usbctrls[i].devid);
        if (!add_removable(to, XENFORK_E_DEVICE, "usbctrl-detach", id,
                           "USB controller"))
            return false;
    }
    return true;
}

/* List what of the machine itself the domain may use. */
static bool list_passed(struct xenfork__config *to,
                        const libxl_domain_config *from)
{
    const libxl_domain_build_info *b = &from->b_info;
    int i;

    for (i = 0; i < from->num_dtdevs; i++)
        if (!ANEW(PASSTHROUGH, "dtdev=", "device tree node %s",
                  from->dtdevs[i].path))
            return false;
    for (i = 0; i < b->num_ioports; i++)
        if (!ANEW(PASSTHROUGH, "ioports=", "I/O ports %x-%x",
                  b->ioports[i].first,
                  b->ioports[i].first + b->ioports[i].number - 1))
            return false;
    for (i = 0; i < b->num_irqs; i++)
        if (!ANEW(PASSTHROUGH, "irqs=", "IRQ %u", b->irqs[i]))
            return false;
    for (i = 0; i < b->num_iomem; i++)
        if (!ANEW(PASSTHROUGH, "iomem=", "I/O memory at page %llx",
                  (unsigned long long)b->iomem[i].start))
            return false;
    return true;
}

/* List PV devices that xl can detach, all of one kind. */
#define LIST_DETACHABLE(kind, verb, what)                             \
    do {                                                              \
        for (i = 0; i < from->num_##kind##s; i++) {                   \
            snprintf(id, sizeof(id), "%d", from->kind##s[i].devid);   \
            if (!add_removable(to, XENFORK_E_DEVICE, verb, id, what)) \
                return false;                                         \
        }                                                             \
    } while (0)

static bool list_detachable(struct xenfork__config *to,
                            const libxl_domain_config *from)
{
    char id[16];
    int i;

    LIST_DETACHABLE(vtpm, "vtpm-detach", "virtual TPM");
    LIST_DETACHABLE(vkb, "vkb-detach", "virtual keyboard");
    LIST_DETACHABLE(vdispl, "vdispl-detach", "virtual display");
    LIST_DETACHABLE(vsnd, "vsnd-detach", "virtual sound card");
    return true;
}

/* List kinds of which xl can only start a domain without. */
static bool list_kinds(struct xenfork__config *to,
                       const libxl_domain_config *from)
{
    const struct {
        int count;
        const char *what, *setting;
    } kinds[] = {
        {from->num_p9s, "9p share", "p9="},
        {from->num_vfbs, "virtual frame buffer", "vfb="},
        {from->num_channels, "channel", "channel="},
        {from->num_pvcallsifs, "pvcalls interface", "pvcalls="},
        {from->num_rdms, "reserved device memory", "rdm="},
#ifdef LIBXL_HAVE_XEN_9PFS /* 4.19; the next one came without a macro */
        {from->num_virtios, "virtio device", "virtio="},
#endif
    };
    size_t i;
    int n;

    for (i = 0; i < ARRAY_SIZE(kinds); i++)
        for (n = 0; n < kinds[i].count; n++)
            if (!ANEW(DEVICE, kinds[i].setting, "%s %d", kinds[i].what, n))
                return false;
    return true;
}

static bool list_virtio_disks(struct xenfork__config *to,
                              const libxl_domain_config *from)
{
    int i;

    for (i = 0; i < from->num_disks; i++)
        if (from->disks[i].specification == LIBXL_DISK_SPECIFICATION_VIRTIO &&
            !ANEW(DEVICE, "specification=virtio", "virtio disk %s",
                  from->disks[i].vdev))
            return false;
    return true;
}

/*
 * List what the domain is: Xen shares no memory of one with an IOMMU context,
 * device or not, and a fork copies no state of a guest's own guests.
 */
static bool list_roles(struct xenfork__config *to,
                       const libxl_domain_config *from)
{
    const libxl_domain_create_info *c = &from->c_info;

    if (c->passthrough != LIBXL_PASSTHROUGH_DEFAULT &&
        c->passthrough != LIBXL_PASSTHROUGH_DISABLED &&
        !ANEW(DEVICE, "passthrough=", "IOMMU context"))
        return false;
    if ((xenfork__xl_is_true(from->b_info.nested_hvm) ||
         (c->type == LIBXL_DOMAIN_TYPE_HVM &&
          xenfork__xl_is_true(from->b_info.u.hvm.nested_hvm))) &&
        !ANEW(HVM, "nestedhvm=", "nested virtualisation"))
        return false;
    return !xenfork__xl_is_true(c->driver_domain) ||
           ANEW(DEVICE, "driver_domain=", "backend for other domains");
}

/* Tell whether a serial port is new in each clone: a file or socket is not. */
static bool is_private_serial(const char *serial)
{
    return !serial || !strcmp(serial, "pty") || !strcmp(serial, "none") ||
           !strcmp(serial, "null");
}

static bool list_serials(struct xenfork__config *to,
                         const libxl_domain_build_info *b)
{
    char *const *ports = b->u.hvm.serial_list;

    if (!is_private_serial(b->u.hvm.serial) &&
        !ANEW(HVM, "serial=", "serial port %s", b->u.hvm.serial))
        return false;
    for (; ports && *ports; ports++)
        if (!is_private_serial(*ports) &&
            !ANEW(HVM, "serial=", "serial port %s", *ports))
            return false;
    return true;
}

/* List what of a device model cannot be forked, or has never been tried. */
static bool list_emulated(struct xenfork__config *to,
                          const libxl_domain_config *from)
{
    const libxl_domain_build_info *b = &from->b_info;
    const struct {
        bool is_there;
        const char *what, *setting;
    } kinds[] = {
        {b->device_model_version ==
             LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN_TRADITIONAL,
         "device model of QEMU's old version", "device_model_version="},
        {xenfork__xl_is_true(b->device_model_stubdomain),
         "device model in a stub domain", "device_model_stubdomain_override="},
        {xenfork__xl_is_true(b->u.hvm.spice.enable), "SPICE display", "spice="},
        {b->u.hvm.usbdevice || b->u.hvm.usbdevice_list, "emulated USB device",
         "usbdevice="},
        {b->u.hvm.bios == LIBXL_BIOS_TYPE_OVMF, "UEFI firmware",
         "bios= (a system that boots by UEFI alone must be installed again)"},
        {b->u.hvm.vga.kind == LIBXL_VGA_INTERFACE_TYPE_QXL, "QXL display",
         "vga="},
        {b->extra || b->extra_hvm, "arguments for the device model",
         "device_model_args="},
    };
    size_t i;

    if (from->c_info.type != LIBXL_DOMAIN_TYPE_HVM)
        return true;
    for (i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].is_there &&
            !ANEW(HVM, kinds[i].setting, "%s", kinds[i].what))
            return false;
    return list_serials(to, b);
}

bool xenfork__xl_refused(struct xenfork__config *to,
                         const libxl_domain_config *from)
{
    return list_pci(to, from) && list_usb(to, from) && list_passed(to, from) &&
           list_detachable(to, from) && list_kinds(to, from) &&
           list_virtio_disks(to, from) && list_roles(to, from) &&
           list_emulated(to, from);
}
