/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arguments of an HVM clone's QEMU: those of
 * libxl__build_device_model_args_new() in libxl_dm.c, 4.17 and 4.20, in its
 * order, for what xen/fast-check.c lets pass.
 */
#include "xen/fast.h"

#include <inttypes.h>
#include <libxl_utils.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define RUN_DIR     "/var/run/xen"       /* XEN_RUN_DIR */
#define HOLE_LEAST  UINT64_C(0xf0000000) /* HVM_BELOW_4G_MMIO_START */
#define NIC_MODEL   "rtl8139"            /* libxl's, if none is given */
#define ON_ITS_SIDE "server=on,wait=off"

struct args {
    char **texts; /* with a final NULL */
    size_t count;
    bool is_short; /* of memory */
};

static void __attribute__((format(printf, 2, 3)))
put_arg(struct args *args, const char *fmt, ...)
{
    char **texts = reallocarray(args->texts, args->count + 2, sizeof(*texts));
    va_list ap;
    int r;

    if (!texts) {
        args->is_short = true;
        return;
    }
    args->texts = texts;
    va_start(ap, fmt);
    r = vasprintf(&texts[args->count], fmt, ap);
    va_end(ap);
    if (r < 0)
        args->is_short = true;
    else
        args->count++;
    texts[args->count] = NULL;
}

static void put_option(struct args *args, const char *option, const char *value)
{
    if (!value)
        return;
    put_arg(args, "%s", option);
    put_arg(args, "%s", value);
}

static void put_list(struct args *args, const char *option, char *const *list)
{
    for (; list && *list; list++)
        put_option(args, option, *list);
}

static void put_sockets(struct args *args, uint32_t domid)
{
    put_arg(args, "-chardev");
    put_arg(args,
            "socket,id=libxl-cmd,path=" RUN_DIR "/qmp-libxl-%" PRIu32
            "," ON_ITS_SIDE,
            domid);
    put_option(args, "-mon", "chardev=libxl-cmd,mode=control");
    put_arg(args, "-chardev");
    put_arg(args,
            "socket,id=libxenstat-cmd,path=" RUN_DIR "/qmp-libxenstat-%" PRIu32
            "," ON_ITS_SIDE,
            domid);
    put_option(args, "-mon", "chardev=libxenstat-cmd,mode=control");
}

static void put_display(struct args *args, const libxl_domain_build_info *b)
{
    const libxl_vnc_info *vnc = &b->u.hvm.vnc;
    const char *password = vnc->passwd && *vnc->passwd ? ",password=on" : "";
    const char *to = xenfork__xl_is_true(vnc->findunused) ? ",to=99" : "";
    const char *listen = vnc->listen ? vnc->listen : "127.0.0.1";

    put_arg(args, "-vnc");
    if (!xenfork__xl_is_true(vnc->enable))
        put_arg(args, "none");
    else if (strchr(listen, ':'))
        put_arg(args, "%s%s%s", listen, password, to);
    else
        put_arg(args, "%s:%d%s%s", listen, vnc->display, password, to);
    put_option(args, "-display", "none");
    put_option(args, "-k", b->u.hvm.keymap);
}

static void put_video(struct args *args, const libxl_domain_build_info *b)
{
    uint64_t mib = (b->video_memkb + 1023) / 1024;

    if (b->u.hvm.vga.kind == LIBXL_VGA_INTERFACE_TYPE_STD) {
        put_arg(args, "-device");
        put_arg(args, "VGA,vgamem_mb=%" PRIu64, mib);
    } else if (b->u.hvm.vga.kind == LIBXL_VGA_INTERFACE_TYPE_CIRRUS) {
        put_arg(args, "-device");
        put_arg(args, "cirrus-vga,vgamem_mb=%" PRIu64, mib);
    }
}

static void put_machine_parts(struct args *args,
                              const libxl_domain_build_info *b)
{
    put_option(args, "-kernel", b->kernel);
    put_option(args, "-initrd", b->ramdisk);
    put_option(args, "-append", b->cmdline);
    put_option(args, "-serial", b->u.hvm.serial);
    if (!b->u.hvm.serial)
        put_list(args, "-serial", b->u.hvm.serial_list);
    if (xenfork__xl_is_true(b->u.hvm.nographic) &&
        !xenfork__xl_is_true(b->u.hvm.vnc.enable))
        put_arg(args, "-nographic");
    put_video(args, b);
    if (b->u.hvm.boot) {
        put_arg(args, "-boot");
        put_arg(args, "order=%s", b->u.hvm.boot);
    }
    if (b->max_vcpus > 1) {
        put_arg(args, "-smp");
        if (b->avail_vcpus.size)
            put_arg(args, "%d,maxcpus=%d",
                    libxl_bitmap_count_set(&b->avail_vcpus), b->max_vcpus);
        else
            put_arg(args, "%d", b->max_vcpus);
    }
}

static void put_nic_args(struct args *args, const libxl_device_nic *nic,
                         uint32_t domid)
{
    char mac[XENFORK__MAC_CHARS], vif[XENFORK__VIF_CHARS];

    xenfork__mac_print(nic->mac, mac);
    xenfork__vif_print(domid, nic->devid, vif);
    put_arg(args, "-device");
    put_arg(args, "%s,id=nic%d,netdev=net%d,mac=%s",
            nic->model ? nic->model : NIC_MODEL, nic->devid, nic->devid, mac);
    put_arg(args, "-netdev");
    put_arg(args,
            "type=tap,id=net%d,ifname=%s-emu,br=%s,script=no,downscript=no",
            nic->devid, vif, xenfork__fast_bridge(nic));
}

static void put_nics(struct args *args, const libxl_domain_config *config,
                     uint32_t domid)
{
    int i, count = 0;

    for (i = 0; i < config->num_nics; i++)
        if (config->nics[i].nictype == LIBXL_NIC_TYPE_VIF_IOEMU) {
            put_nic_args(args, &config->nics[i], domid);
            count++;
        }
    if (!count)
        put_option(args, "-net", "none");
}

static void put_machine(struct args *args, const libxl_domain_build_info *b)
{
    uint64_t hole = b->u.hvm.mmio_hole_memkb << 10;
    uint64_t below = (UINT64_C(1) << 32) - hole;
    const char *machine = xenfork__xl_is_true(b->u.hvm.xen_platform_pci)
                              ? "xenfv,suppress-vmdesc=on"
                              : "pc,accel=xen,suppress-vmdesc=on";

    put_arg(args, "-machine");
    if (hole && below <= HOLE_LEAST)
        put_arg(args, "%s,max-ram-below-4g=%" PRIu64, machine, below);
    else
        put_arg(args, "%s", machine);
    put_arg(args, "-m");
    put_arg(args, "%" PRIu64, (b->max_memkb - b->video_memkb + 1023) / 1024);
}

/* Return what QEMU opens: a disk with a script has a device. */
static const char *disk_file(const libxl_device_disk *disk,
                             const struct xenfork__served *served)
{
    return disk->script ? served->device.node : disk->pdev_path;
}

static void put_disk(struct args *args, const libxl_device_disk *disk,
                     const char *file, bool is_ahci)
{
    uint32_t devid, number = 0;

    if (!xenfork__fast_vdev(disk->vdev, &devid, &number))
        return;
    if (is_ahci && number < XENFORK__FAST_AHCI_DISKS) {
        put_arg(args, "-drive");
        put_arg(args,
                "file=%s,if=none,id=ahcidisk-%" PRIu32
                ",format=raw,cache=writeback",
                file, number);
        put_arg(args, "-device");
        put_arg(args,
                "ide-hd,bus=ahci0.%" PRIu32 ",unit=0,drive=ahcidisk-%" PRIu32,
                number, number);
    } else if (number < XENFORK__FAST_IDE_DISKS) {
        put_arg(args, "-drive");
        put_arg(args,
                "file=%s,if=ide,index=%" PRIu32
                ",media=disk,format=raw,cache=writeback",
                file, number);
    }
}

static void put_disks(struct args *args,
                      const struct xenfork__fast_clone *clone)
{
    const libxl_domain_config *config = clone->config;
    bool is_ahci = config->b_info.u.hvm.hdtype == LIBXL_HDTYPE_AHCI;
    int i;

    if (is_ahci)
        put_option(args, "-device", "ahci,id=ahci0");
    for (i = 0; i < config->num_disks; i++)
        put_disk(args, &config->disks[i],
                 disk_file(&config->disks[i], &clone->disks[i]), is_ahci);
}

/* Return all that was put; NULL: memory was short. */
static char **end_args(struct args *args)
{
    if (!args->is_short)
        return args->texts;
    xenfork__fast_args_free(args->texts);
    return NULL;
}

char **xenfork__fast_args(const struct xenfork__fast_clone *clone)
{
    const libxl_domain_config *config = clone->config;
    const libxl_domain_build_info *b = &config->b_info;
    struct args args = {.texts = NULL};

    put_arg(&args, "%s", b->device_model ? b->device_model : clone->program);
    put_arg(&args, "-xen-domid");
    put_arg(&args, "%" PRIu32, clone->domid);
    put_arg(&args, "-no-shutdown");
    put_sockets(&args, clone->domid);
    put_arg(&args, "-nodefaults");
    put_arg(&args, "-no-user-config");
    put_option(&args, "-name", config->c_info.name);
    put_display(&args, b);
    put_machine_parts(&args, b);
    put_nics(&args, config, clone->domid);
    put_arg(&args, "-incoming");
    put_arg(&args, "fd:%d", XENFORK__FAST_STATE_FD);
    put_machine(&args, b);
    put_disks(&args, clone);
    return end_args(&args);
}

char **xenfork__fast_env(const struct xenfork__fast_clone *clone)
{
    struct args args = {.texts = NULL};

    if (!getenv("XEN_QEMU_CONSOLE_LIMIT")) /* 4.17, XSA-180 */
        put_arg(&args, "XEN_QEMU_CONSOLE_LIMIT=1048576");
    put_arg(&args, "XEN_DOMAIN_ID=%" PRIu32, clone->domid);
    return end_args(&args);
}

void xenfork__fast_args_free(char **args)
{
    size_t i;

    for (i = 0; args && args[i]; i++)
        free(args[i]);
    free(args);
}
