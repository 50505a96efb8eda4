/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen/fast-args.c and xen/fast-check.c: what a QEMU is started with, as libxl
 * 4.17 has logged it; and which HVM domains are left to libxl.
 */
#include "config.h"

#include "xen/fast.h"

#include <libxl_utils.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/host.h"
#include "xen/hotplug.h"

/* Stubs. */

bool libxl_defbool_is_default(libxl_defbool value)
{
    return !value.val;
}

bool libxl_defbool_val(libxl_defbool value)
{
    return value.val > 0;
}

int libxl_bitmap_count_set(const libxl_bitmap *map)
{
    return map->map[0] == 3 ? 2 : 1;
}

bool libxl_ms_vm_genid_is_zero(const libxl_ms_vm_genid *id)
{
    return !id->bytes[0];
}

unsigned int xenfork__hotplug_of_disk(const libxl_device_disk *disk)
{
    (void)disk;
    return 1;
}

unsigned int xenfork__hotplug_of_nic(const libxl_device_nic *nic)
{
    (void)nic;
    return 1;
}

bool xenfork__sys_has_bridge(const char *bridge)
{
    (void)bridge;
    return true;
}

static libxl_domain_config config;
static libxl_device_disk disks[2];
static libxl_device_nic nics[2];
static struct xenfork__served served[2];
static struct xenfork__fast_clone clone;
static struct xenfork__config source;
static struct xenfork__fast fast;

static void set(libxl_defbool *value, bool is)
{
    value->val = is ? 1 : -1;
}

static void set_disk(uint32_t i, const char *vdev, const char *path)
{
    disks[i] = (libxl_device_disk){
        .vdev = (char *)(uintptr_t)vdev,
        .pdev_path = (char *)(uintptr_t)path,
        .backend = LIBXL_DISK_BACKEND_PHY,
        .format = LIBXL_DISK_FORMAT_RAW,
        .readwrite = 1,
    };
}

/* As hvm-twin.t: a display, a serial port, a disk and a NIC. */
static int setup(void **state)
{
    libxl_domain_build_info *b = &config.b_info;

    (void)state;
    memset(&config, 0, sizeof(config));
    memset(nics, 0, sizeof(nics));
    memset(served, 0, sizeof(served));
    config.c_info.type = b->type = LIBXL_DOMAIN_TYPE_HVM;
    config.c_info.name = (char *)(uintptr_t) "qc";
    config.c_info.passthrough = LIBXL_PASSTHROUGH_DISABLED;
    set(&config.c_info.run_hotplug_scripts, true);
    set(&b->numa_placement, false);
    b->device_model_version = LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN;
    b->max_memkb = 64 << 10;
    b->video_memkb = 16 << 10;
    b->max_vcpus = 1;
    set(&b->acpi, true);
    set(&b->u.hvm.acpi, true);
    set(&b->u.hvm.xen_platform_pci, true);
    set(&b->u.hvm.vnc.enable, true);
    set(&b->u.hvm.vnc.findunused, true);
    b->u.hvm.vnc.listen = (char *)(uintptr_t) "127.0.0.1";
    b->u.hvm.vga.kind = LIBXL_VGA_INTERFACE_TYPE_STD;
    b->u.hvm.serial = (char *)(uintptr_t) "pty";
    b->u.hvm.boot = (char *)(uintptr_t) "cda";
    b->u.hvm.hdtype = LIBXL_HDTYPE_IDE;
    set_disk(0, "xvda", "/data/a.raw");
    config.disks = disks;
    config.num_disks = 1;
    nics[0] = (libxl_device_nic){.nictype = LIBXL_NIC_TYPE_VIF_IOEMU,
                                 .mac = {0, 0x16, 0x3e, 0, 0, 9}};
    config.nics = nics;
    config.num_nics = 1;
    clone = (struct xenfork__fast_clone){.config = &config,
                                         .disks = served,
                                         .domid = 14,
                                         .program = "/usr/libexec/qemu"};
    fast = (struct xenfork__fast){
        .source = &source, .scripts = 1, .is_on_one_node = true};
    return 0;
}

/* Return all arguments, each between two spaces. */
static char *all_args(void)
{
    static char text[4096];
    char **args = xenfork__fast_args(&clone);
    size_t i, n = 0;

    assert_non_null(args);
    for (i = 0; args[i]; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", args[i]);
    snprintf(text + n, sizeof(text) - n, " ");
    xenfork__fast_args_free(args);
    return text;
}

static void test_golden(void **state)
{
    (void)state;
    assert_string_equal(
        all_args(),
        " /usr/libexec/qemu -xen-domid 14 -no-shutdown -chardev "
        "socket,id=libxl-cmd,path=/var/run/xen/qmp-libxl-14,server=on,wait=off "
        "-mon chardev=libxl-cmd,mode=control -chardev "
        "socket,id=libxenstat-cmd,path=/var/run/xen/qmp-libxenstat-14,"
        "server=on,wait=off -mon chardev=libxenstat-cmd,mode=control "
        "-nodefaults -no-user-config -name qc -vnc 127.0.0.1:0,to=99 -display "
        "none -serial pty -device VGA,vgamem_mb=16 -boot order=cda -device "
        "rtl8139,id=nic0,netdev=net0,mac=00:16:3e:00:00:09 -netdev "
        "type=tap,id=net0,ifname=vif14.0-emu,br=xenbr0,script=no,"
        "downscript=no -incoming fd:3 -machine xenfv,suppress-vmdesc=on -m 48 "
        "-drive file=/data/a.raw,if=ide,index=0,media=disk,format=raw,"
        "cache=writeback ");
}

static void assert_has(const char *wanted)
{
    const char *args = all_args();

    if (!strstr(args, wanted))
        print_error("no \"%s\" in%s\n", wanted, args);
    assert_non_null(strstr(args, wanted));
}

static void test_display(void **state)
{
    libxl_domain_build_info *b = &config.b_info;

    (void)state;
    b->u.hvm.vnc.passwd = (char *)(uintptr_t) "secret";
    b->u.hvm.vnc.display = 3;
    assert_has(" -vnc 127.0.0.1:3,password=on,to=99 -display none ");
    b->u.hvm.vnc.passwd = (char *)(uintptr_t) "";
    b->u.hvm.vnc.listen = (char *)(uintptr_t) "0.0.0.0:4";
    assert_has(" -vnc 0.0.0.0:4,to=99 ");
    b->u.hvm.keymap = (char *)(uintptr_t) "de";
    assert_has(" -display none -k de ");
    b->u.hvm.vga.kind = LIBXL_VGA_INTERFACE_TYPE_CIRRUS;
    b->video_memkb = 8 << 10;
    assert_has(" -device cirrus-vga,vgamem_mb=8 ");
    assert_has(" -m 56 ");
    b->u.hvm.vga.kind = LIBXL_VGA_INTERFACE_TYPE_NONE;
    set(&b->u.hvm.vnc.enable, false);
    set(&b->u.hvm.nographic, true);
    assert_has(" -vnc none -display none -k de -serial pty -nographic -boot ");
}

static void test_devices(void **state)
{
    uint8_t both = 3;

    (void)state;
    config.b_info.u.hvm.hdtype = LIBXL_HDTYPE_AHCI;
    set_disk(0, "hdb", "/data/b.raw");
    set_disk(1, "xvdc2", "/data/c.raw");
    disks[1].script = (char *)(uintptr_t) "block-fork";
    strcpy(served[1].device.node, "/dev/mapper/c");
    config.num_disks = 2;
    assert_has(" -device ahci,id=ahci0 -drive file=/data/b.raw,if=none,"
               "id=ahcidisk-1,format=raw,cache=writeback -device "
               "ide-hd,bus=ahci0.1,unit=0,drive=ahcidisk-1 -drive "
               "file=/dev/mapper/c,if=none,id=ahcidisk-2,");
    config.b_info.u.hvm.hdtype = LIBXL_HDTYPE_IDE;
    set_disk(0, "xvde", "/data/b.raw"); /* QEMU has four at most */
    assert_null(strstr(all_args(), "b.raw"));
    nics[0].nictype = LIBXL_NIC_TYPE_VIF;
    assert_has(" -net none ");
    config.b_info.max_vcpus = 4;
    config.b_info.avail_vcpus = (libxl_bitmap){.size = 1, .map = &both};
    assert_has(" -smp 2,maxcpus=4 ");
    set(&config.b_info.u.hvm.xen_platform_pci, false);
    config.b_info.u.hvm.mmio_hole_memkb = 1 << 20;
    assert_has(" -machine pc,accel=xen,suppress-vmdesc=on,"
               "max-ram-below-4g=3221225472 -m ");
}

static const char *objection(void)
{
    const char *why = xenfork__fast_objection(&fast, &config);

    return why ? why : "";
}

/* Each setting alone leaves the clone to libxl. */
static void test_objections(void **state)
{
    libxl_domain_build_info *b = &config.b_info;
    static char sb16[] = "sb16", *one[] = {sb16, NULL};
    libxl_device_vkb vkb;

    assert_string_equal(objection(), "");
#define REFUSES(change, wanted)                   \
    do {                                          \
        setup(state);                             \
        change;                                   \
        assert_string_equal(objection(), wanted); \
    } while (0)
    REFUSES(b->device_model_version =
                LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN_TRADITIONAL,
            "its device model is not qemu-xen");
    REFUSES(set(&b->device_model_stubdomain, true),
            "its device model has a domain of its own");
    REFUSES(set(&b->dm_restrict, true), "its device model is restricted");
    REFUSES(b->device_model_user = sb16, "its device model is restricted");
    REFUSES(set(&b->u.hvm.spice.enable, true), "it has SPICE");
    REFUSES(set(&b->u.hvm.sdl.enable, true), "it has a window");
    REFUSES(b->u.hvm.vga.kind = LIBXL_VGA_INTERFACE_TYPE_QXL, "it has QXL");
    REFUSES(b->u.hvm.usbdevice = sb16, "it has USB");
    REFUSES(b->u.hvm.usbdevice_list = one, "it has USB");
    REFUSES(b->u.hvm.usbversion = 2, "it has USB");
    REFUSES(set(&b->u.hvm.usb, true), "it has USB");
    REFUSES(b->extra = one, "its device model has arguments of its own");
    REFUSES(b->extra_hvm = one, "its device model has arguments of its own");
    REFUSES(b->u.hvm.soundhw = sb16, "it has a sound card");
    REFUSES(b->u.hvm.vendor_device = LIBXL_VENDOR_DEVICE_XENSERVER,
            "it has a vendor's device");
    REFUSES(set(&b->u.hvm.gfx_passthru, true),
            "a display is passed through to it");
    REFUSES(b->u.hvm.ms_vm_genid.bytes[0] = 1, "it has a generation id");
    REFUSES(set(&b->u.hvm.altp2m, true), "it has altp2m");
    REFUSES(set(&b->acpi, false), "it has no ACPI");
    REFUSES(set(&b->u.hvm.acpi, false), "it has no ACPI");
    REFUSES((config.vkbs = &vkb, config.num_vkbs = 1), "it has other devices");
    REFUSES(disks[0].readwrite = 0, "an emulated disk is read-only");
    REFUSES(disks[0].is_cdrom = 1, "a disk is not served by the kernel");
}

static void test_env(void **state)
{
    char **env;

    (void)state;
    unsetenv("XEN_QEMU_CONSOLE_LIMIT");
    env = xenfork__fast_env(&clone);
    assert_string_equal(env[0], "XEN_QEMU_CONSOLE_LIMIT=1048576");
    assert_string_equal(env[1], "XEN_DOMAIN_ID=14");
    assert_null(env[2]);
    xenfork__fast_args_free(env);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_golden),     TEST(test_display), TEST(test_devices),
        TEST(test_objections), TEST(test_env),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
