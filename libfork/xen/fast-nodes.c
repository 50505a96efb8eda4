/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The nodes that libxl writes for a new PVH or HVM domain, 4.17 and 4.20:
 * libxl__domain_make(), libxl__build_post(), libxl__device_generic_add() and
 * the functions that call it, and then Xen's scripts.  A new node has the
 * permissions of its parent (xenstored: construct_node()): only others are
 * written.
 */
#include "xen/fast.h"

#include <inttypes.h>
#include <libxl_utils.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#include "base/ids.h"
#include "xen/pipe.h"

#define DOM    "/local/domain/%" PRIu32
#define BACK   "/local/domain/0/backend/%s/%" PRIu32 "/%" PRIu32
#define LIBXL  "/libxl/%" PRIu32
#define NOBODY XENFORK_DOMID_NONE

#define LIMIT           "1048576" /* LIBXL_XENCONSOLE_LIMIT */
#define MAXMEM_CONSTANT 1024      /* LIBXL_MAXMEM_CONSTANT, KiB */

/* Where nodes go. */
struct at {
    xenfork_ctx *ctx;
    uint32_t t, domid;
};

static void put_node(const struct at *at, const char *name, const char *value)
{
    xenfork__pipe_write(at->ctx, at->t, value, DOM "/%s", at->domid, name);
}

static void put_number(const struct at *at, const char *name, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    put_node(at, name, text);
}

/* Make an empty node that the guest writes. */
static void put_own(const struct at *at, const char *name)
{
    xenfork__pipe_mkdir(at->ctx, at->t, DOM "/%s", at->domid, name);
    xenfork__pipe_permit(at->ctx, at->t, at->domid, NOBODY, DOM "/%s",
                         at->domid, name);
}

static void put_pairs(const struct at *at, char *const *pairs,
                      const char *below)
{
    for (; pairs && pairs[0] && pairs[1]; pairs += 2)
        xenfork__pipe_write(at->ctx, at->t, pairs[1], DOM "/%s%s", at->domid,
                            below, pairs[0]);
}

/* Put the folders of a domain, which only root writes. */
static void put_folders(const struct at *at, const char *uuid)
{
    static const char *const own[] = {
        "device/suspend/event-channel",
        "control/shutdown",
        "control/feature-poweroff",
        "control/feature-reboot",
        "control/feature-suspend",
        "control/sysrq",
        "data",
        "drivers",
        "feature",
        "attr",
        "error",
    };
    xenfork_ctx *ctx = at->ctx;
    uint32_t t = at->t, domid = at->domid;
    size_t i;

    xenfork__pipe_rm(ctx, t, DOM, domid);
    xenfork__pipe_mkdir(ctx, t, DOM, domid);
    xenfork__pipe_permit(ctx, t, 0, domid, DOM, domid);
    xenfork__pipe_rm(ctx, t, "/vm/%s", uuid);
    xenfork__pipe_mkdir(ctx, t, "/vm/%s", uuid);
    xenfork__pipe_permit(ctx, t, 0, domid, "/vm/%s", uuid);
    xenfork__pipe_rm(ctx, t, LIBXL, domid);
    xenfork__pipe_mkdir(ctx, t, LIBXL, domid);
    xenfork__pipe_permit(ctx, t, 0, NOBODY, LIBXL, domid);
    for (i = 0; i < ARRAY_SIZE(own); i++)
        put_own(at, own[i]);
}

static void put_times(const struct at *at, const char *uuid)
{
    struct timeval now;
    char text[40];

    gettimeofday(&now, NULL);
    snprintf(text, sizeof(text), "%" PRIu64 ".%02ld", (uint64_t)now.tv_sec,
             (long)now.tv_usec / 10000);
    xenfork__pipe_write(at->ctx, at->t, text, "/vm/%s/start_time", uuid);
}

static void put_vcpus(const struct at *at, const libxl_domain_build_info *b)
{
    char name[40];
    int i;

    for (i = 0; i < b->max_vcpus; i++) {
        snprintf(name, sizeof(name), "cpu/%d/availability", i);
        put_node(at, name,
                 libxl_bitmap_test(&b->avail_vcpus, i) ? "online" : "offline");
    }
}

/* Return what libxl__get_targetmem_fudge() does. */
static uint64_t target_fudge(const libxl_domain_build_info *b)
{
    bool is_less = b->type == LIBXL_DOMAIN_TYPE_HVM &&
                   b->max_memkb > b->target_memkb;

    return b->video_memkb + (is_less ? MAXMEM_CONSTANT : 0);
}

/*
 * Put what an HVM domain has besides: of libxl__domain_make(),
 * domcreate_stream_done() and libxl__spawn_local_dm().
 */
static void put_hvm(const struct at *at, const libxl_domain_build_info *b,
                    const char *vm)
{
    const libxl_vnc_info *vnc = &b->u.hvm.vnc;

    if (b->type != LIBXL_DOMAIN_TYPE_HVM)
        return;
    put_own(at, "control/feature-s3");
    put_own(at, "control/feature-s4");
    put_node(at, "hvmloader/bios", libxl_bios_type_to_string(b->u.hvm.bios));
    put_node(at, "hvmloader/allow-memory-relocate", "0");
    xenfork__pipe_write(at->ctx, at->t,
                        b->u.hvm.timeoffset ? b->u.hvm.timeoffset : "",
                        "%s/rtc/timeoffset", vm);
    xenfork__pipe_write(at->ctx, at->t, "hvm", "%s/image/ostype", vm);
    if (libxl_defbool_val(vnc->enable) && vnc->passwd)
        xenfork__pipe_write(at->ctx, at->t, vnc->passwd, "%s/vncpasswd", vm);
}

static void put_domain(const struct at *at,
                       const struct xenfork__fast_clone *clone)
{
    const libxl_domain_create_info *c = &clone->config->c_info;
    const libxl_domain_build_info *b = &clone->config->b_info;
    char uuid[XENFORK__UUID_CHARS], vm[XENFORK__UUID_CHARS + 8];
    xenfork_ctx *ctx = at->ctx;
    uint32_t t = at->t;

    xenfork__uuid_print(libxl_uuid_bytearray_const(&c->uuid), uuid);
    snprintf(vm, sizeof(vm), "/vm/%s", uuid);
    put_folders(at, uuid);
    put_node(at, "vm", vm);
    put_node(at, "name", c->name);
    xenfork__pipe_write(ctx, t, c->name, "%s/name", vm);
    xenfork__pipe_write(ctx, t, uuid, "%s/uuid", vm);
    put_times(at, uuid);
    put_pairs(at, c->xsdata, "");
    put_pairs(at, c->platformdata, "platform/");
    put_node(at, "control/platform-feature-multiprocessor-suspend", "1");
    put_node(at, "control/platform-feature-xs_reset_watches", "1");
    put_number(at, "memory/static-max", b->max_memkb);
    put_number(at, "memory/target", b->target_memkb - target_fudge(b));
    put_number(at, "memory/videoram", b->video_memkb);
    put_number(at, "domid", at->domid);
    put_number(at, "store/port", clone->store_port);
    put_number(at, "store/ring-ref", clone->store_gfn);
    put_vcpus(at, b);
    put_hvm(at, b, vm);
    xenfork__pipe_write(ctx, t, libxl_domain_type_to_string(c->type),
                        LIBXL "/type", at->domid);
    xenfork__pipe_write(
        ctx, t, libxl_device_model_version_to_string(b->device_model_version),
        LIBXL "/dm-version", at->domid);
}

/* A device: its kind is that of its backend, too. */
struct device {
    const struct at *at;
    const char *kind;
    uint32_t devid;
};

static void put_front(const struct device *d, const char *name,
                      const char *value)
{
    xenfork__pipe_write(d->at->ctx, d->at->t, value,
                        DOM "/device/%s/%" PRIu32 "/%s", d->at->domid, d->kind,
                        d->devid, name);
}

static void put_back_only(const struct device *d, const char *name,
                          const char *value)
{
    xenfork__pipe_write(d->at->ctx, d->at->t, value, BACK "/%s", d->kind,
                        d->at->domid, d->devid, name);
}

static void put_libxl(const struct device *d, const char *name,
                      const char *value)
{
    xenfork__pipe_write(d->at->ctx, d->at->t, value,
                        LIBXL "/device/%s/%" PRIu32 "/%s", d->at->domid,
                        d->kind, d->devid, name);
}

/* Put a node of the backend; libxl has a copy, which it trusts. */
static void put_backend(const struct device *d, const char *name,
                        const char *value)
{
    put_back_only(d, name, value);
    put_libxl(d, name, value);
}

/* Put what all devices have; @frontend: the path of the guest's side. */
static void put_device(const struct device *d, const char *frontend)
{
    uint32_t domid = d->at->domid;
    char backend[96], text[16];

    snprintf(backend, sizeof(backend), BACK, d->kind, domid, d->devid);
    snprintf(text, sizeof(text), "%" PRIu32, domid);
    xenfork__pipe_mkdir(d->at->ctx, d->at->t, "%s", backend);
    xenfork__pipe_permit(d->at->ctx, d->at->t, 0, domid, "%s", backend);
    put_libxl(d, "backend", backend);
    put_backend(d, "frontend", frontend);
    put_backend(d, "frontend-id", text);
    put_backend(d, "online", "1");
    put_backend(d, "state", "1"); /* XenbusStateInitialising */
}

static void put_console(const struct at *at,
                        const struct xenfork__fast_clone *clone)
{
    const struct device d = {.at = at, .kind = "console", .devid = 0};
    char path[96];

    snprintf(path, sizeof(path), DOM "/console", at->domid);
    put_device(&d, path);
    put_backend(&d, "protocol", "vt100");
    snprintf(path, sizeof(path), BACK, d.kind, at->domid, d.devid);
    put_node(at, "console/backend", path);
    put_node(at, "console/backend-id", "0");
    xenfork__pipe_permit(at->ctx, at->t, at->domid, 0, DOM "/console/%s",
                         at->domid, "backend-id");
    put_node(at, "console/limit", LIMIT);
    put_node(at, "console/type", "xenconsoled");
    put_node(at, "console/output", "pty");
    put_node(at, "console/tty", "");
    put_number(at, "console/port", clone->console_port);
    put_number(at, "console/ring-ref", clone->console_gfn);
}

/* Put the guest's side of a device, which it owns. */
static void put_frontend(const struct device *d)
{
    uint32_t domid = d->at->domid;
    char path[96], backend[96];

    snprintf(path, sizeof(path), DOM "/device/%s/%" PRIu32, domid, d->kind,
             d->devid);
    snprintf(backend, sizeof(backend), BACK, d->kind, domid, d->devid);
    put_device(d, path);
    xenfork__pipe_mkdir(d->at->ctx, d->at->t, "%s", path);
    xenfork__pipe_permit(d->at->ctx, d->at->t, domid, 0, "%s", path);
    put_front(d, "backend", backend);
    put_front(d, "backend-id", "0");
    put_front(d, "state", "1");
}

/* Put the PV keyboard that libxl gives to an HVM domain; QEMU serves it. */
static void put_keyboard(const struct at *at, const libxl_domain_build_info *b)
{
    const struct device d = {.at = at, .kind = "vkbd", .devid = 0};

    if (b->type == LIBXL_DOMAIN_TYPE_HVM &&
        libxl_defbool_val(b->u.hvm.vkb_device))
        put_frontend(&d);
}

/* Put a script's path, made absolute as by libxl__abs_path(). */
static void put_script(const struct device *d, const char *script,
                       const char *otherwise)
{
    char path[512];

    if (!script)
        script = otherwise;
    snprintf(path, sizeof(path), "%s%s",
             script[0] == '/' ? "" : XEN_SCRIPT_DIR "/", script);
    put_backend(d, "script", path);
}

/* Put what the scripts block and block-fork say that they have done. */
static void put_served(const struct device *d,
                       const struct xenfork__served *served)
{
    char text[32];

    snprintf(text, sizeof(text), "%x:%x", major(served->device.number),
             minor(served->device.number));
    if (served->is_forks) {
        put_back_only(d, "xenfork-target", served->target);
        put_back_only(d, "discard-enable", "0");
    } else if (served->device.is_loop) {
        put_back_only(d, "node", served->device.node);
    }
    put_back_only(d, "physical-device", text);
    put_back_only(d, "physical-device-path", served->device.node);
    put_back_only(d, "hotplug-status", "connected");
}

static void put_vbd(const struct at *at, const libxl_device_disk *disk,
                    const struct xenfork__served *served)
{
    bool discards = libxl_defbool_is_default(disk->discard_enable)
                        ? disk->readwrite
                        : libxl_defbool_val(disk->discard_enable);
    bool is_trusted = libxl_defbool_is_default(disk->trusted) ||
                      libxl_defbool_val(disk->trusted);
    struct device d = {.at = at, .kind = "vbd"};
    uint32_t disk_number;
    char number[16];

    xenfork__fast_vdev(disk->vdev, &d.devid, &disk_number);
    snprintf(number, sizeof(number), "%" PRIu32, d.devid);
    put_frontend(&d);
    put_front(&d, "virtual-device", number);
    put_front(&d, "device-type", "disk");
    put_front(&d, "trusted", is_trusted ? "1" : "0");
    put_backend(&d, "params", disk->pdev_path);
    put_script(&d, disk->script, "block");
    put_backend(&d, "removable", disk->removable ? "1" : "0");
    put_backend(&d, "bootable", "1");
    put_backend(&d, "dev", disk->vdev);
    put_backend(&d, "type", "phy");
    put_backend(&d, "mode", disk->readwrite ? "w" : "r");
    put_backend(&d, "device-type", "disk");
    if (disk->direct_io_safe)
        put_backend(&d, "direct-io-safe", "1");
    put_backend(&d, "discard-enable", discards ? "1" : "0");
    put_backend(&d, "specification", "xen");
    put_served(&d, served);
}

static void put_rate(const struct device *d, const libxl_device_nic *nic)
{
    char text[48];

    if (!nic->rate_interval_usecs)
        return;
    snprintf(text, sizeof(text), "%" PRIu64 ",%" PRIu32,
             nic->rate_bytes_per_interval, nic->rate_interval_usecs);
    put_backend(d, "rate", text);
}

static void put_nic(const struct at *at, const libxl_device_nic *nic)
{
    bool is_trusted = libxl_defbool_is_default(nic->trusted) ||
                      libxl_defbool_val(nic->trusted);
    int mtu = nic->mtu ? nic->mtu : XENFORK__FAST_MTU;
    struct device d = {.at = at, .kind = "vif", .devid = (uint32_t)nic->devid};
    char mac[XENFORK__MAC_CHARS], handle[16], text[16];

    xenfork__mac_print(nic->mac, mac);
    snprintf(handle, sizeof(handle), "%d", nic->devid);
    snprintf(text, sizeof(text), "%d", mtu);
    put_frontend(&d);
    put_front(&d, "handle", handle);
    put_front(&d, "mac", mac);
    put_front(&d, "trusted", is_trusted ? "1" : "0");
    put_front(&d, "mtu", text);
    xenfork__pipe_permit(at->ctx, at->t, 0, at->domid,
                         DOM "/device/vif/%" PRIu32 "/mtu", at->domid, d.devid);
    put_script(&d, nic->script, "vif-bridge");
    put_backend(&d, "mac", mac);
    if (nic->ip)
        put_backend(&d, "ip", nic->ip);
    if (nic->gatewaydev)
        put_backend(&d, "gatewaydev", nic->gatewaydev);
    put_rate(&d, nic);
    if (mtu != XENFORK__FAST_MTU)
        put_backend(&d, "mtu", text);
    put_backend(&d, "bridge", xenfork__fast_bridge(nic));
    put_backend(&d, "handle", handle);
    put_backend(&d, "type", libxl_nic_type_to_string(nic->nictype));
    put_backend(&d, "hotplug-status", ""); /* netback waits for the script */
}

void xenfork__fast_nodes(xenfork_ctx *ctx, uint32_t transaction,
                         const void *opaque)
{
    const struct xenfork__fast_clone *clone = opaque;
    const libxl_domain_config *config = clone->config;
    const struct at at = {.ctx = ctx, .t = transaction, .domid = clone->domid};
    int i;

    put_domain(&at, clone);
    put_console(&at, clone);
    put_keyboard(&at, &config->b_info);
    for (i = 0; i < config->num_disks; i++)
        put_vbd(&at, &config->disks[i], &clone->disks[i]);
    for (i = 0; i < config->num_nics; i++)
        put_nic(&at, &config->nics[i]);
}

void xenfork__fast_nic_ready(xenfork_ctx *ctx, uint32_t domid, int devid,
                             uint32_t mtu)
{
    const struct at at = {.ctx = ctx, .t = 0, .domid = domid};
    const struct device d = {
        .at = &at, .kind = "vif", .devid = (uint32_t)devid};
    char text[16];

    snprintf(text, sizeof(text), "%" PRIu32, mtu);
    put_front(&d, "mtu", text);
    put_back_only(&d, "hotplug-status", "connected");
}
