/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Take the devices of a domain that is to be destroyed from it at once.  libxl
 * waits for each backend in turn, and executes a script for each device; the
 * kernel's backends let go by themselves when their nodes are removed.
 */
#include "xen/hotplug.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "host/host.h"
#include "xen/hotplug-scripts.h"
#include "xen/pipe.h"

#define BACK        "/local/domain/0/backend/%s/%" PRIu32
#define MAX_DEVICES 32U
#ifndef RELEASE_WAIT_MS
#define RELEASE_WAIT_MS 10000U /* as libxl, LIBXL_DESTROY_TIMEOUT */
#endif
#define PAUSE_NS 1000000L

struct device {
    const char *kind; /* "vbd", "vif" */
    uint32_t devid;
    char *loop, *file; /* a disk's loop device, and what it serves; or NULL */
};

struct devices {
    uint32_t domid, count;
    struct device items[MAX_DEVICES];
};

static void free_devices(struct devices *devices)
{
    uint32_t i;

    for (i = 0; i < devices->count; i++) {
        free(devices->items[i].loop);
        free(devices->items[i].file);
    }
}

/* Read a node of the backend; NULL: there is none. */
static char *read_back(xenfork_ctx *ctx, const struct devices *devices,
                       const struct device *device, const char *name)
{
    return xenfork__xs_read(ctx, XBT_NULL, BACK "/%" PRIu32 "/%s", device->kind,
                            devices->domid, device->devid, name);
}

/*
 * Find what the script block has done: a loop device of a file, or nothing for
 * a block device.
 */
static bool find_disk(xenfork_ctx *ctx, const struct devices *devices,
                      struct device *device)
{
    struct stat st;

    device->loop = read_back(ctx, devices, device, "node");
    device->file = read_back(ctx, devices, device, "params");
    if (!device->file || stat(device->file, &st))
        return false;
    return device->loop ? S_ISREG(st.st_mode) : S_ISBLK(st.st_mode);
}

/* Add a device; false: libxl must take it apart. */
static bool note_device(xenfork_ctx *ctx, struct devices *devices,
                        const char *kind, const char *name)
{
    cleanup_free char *script = NULL;
    cleanup_free char *renamed = NULL;
    bool is_disk = !strcmp(kind, "vbd");
    struct device *device = &devices->items[devices->count];

    if (devices->count == MAX_DEVICES)
        return false;
    *device = (struct device){.kind = is_disk ? "vbd" : "vif"};
    if (!xenfork__parse_u32(name, &device->devid))
        return false;
    devices->count++;
    script = read_back(ctx, devices, device, "script");
    if (!script ||
        !xenfork__hotplug_is_stock(script, is_disk ? "block" : "vif-bridge"))
        return false;
    if (is_disk)
        return find_disk(ctx, devices, device);
    renamed = read_back(ctx, devices, device, "vifname");
    return !renamed;
}

/* Add all devices of one kind; libxl removes a console's nodes at once. */
static bool add_kind(xenfork_ctx *ctx, struct devices *devices,
                     const char *kind, unsigned int known)
{
    unsigned int count = 0, i;
    cleanup_free char **names = NULL;
    bool ok = true;

    if (!strcmp(kind, "console"))
        return true;
    if ((strcmp(kind, "vbd") || !(known & XENFORK__HOTPLUG_BLOCK)) &&
        (strcmp(kind, "vif") || !(known & XENFORK__HOTPLUG_BRIDGE)))
        return false;
    names = xenfork__xs_list(ctx, &count, "/libxl/%" PRIu32 "/device/%s",
                             devices->domid, kind);
    for (i = 0; names && ok && i < count; i++)
        ok = note_device(ctx, devices, kind, names[i]);
    return names && ok;
}

/* Find all devices; false: one is of a kind that libxl must take apart. */
static bool find_devices(xenfork_ctx *ctx, struct devices *devices)
{
    unsigned int known = xenfork__hotplug_look(ctx), count = 0, i;
    cleanup_free char **kinds = xenfork__xs_list(
        ctx, &count, "/libxl/%" PRIu32 "/device", devices->domid);
    bool ok = kinds && !xenfork__own_domid(ctx);

    for (i = 0; ok && i < count; i++)
        ok = add_kind(ctx, devices, kinds[i], known);
    return ok;
}

/* Remove the folders, too: nothing else of the domain is below them. */
static void put_removals(xenfork_ctx *ctx, uint32_t transaction,
                         const void *opaque)
{
    const struct devices *devices = opaque;
    uint32_t t = transaction, domid = devices->domid, i;

    for (i = 0; i < devices->count; i++) {
        const struct device *d = &devices->items[i];

        xenfork__pipe_rm(ctx, t, BACK "/%" PRIu32, d->kind, domid, d->devid);
        xenfork__pipe_rm(ctx, t, "/libxl/%" PRIu32 "/device/%s/%" PRIu32, domid,
                         d->kind, d->devid);
    }
    for (i = 0; i < devices->count; i++)
        xenfork__pipe_rm(ctx, t, BACK, devices->items[i].kind, domid);
}

/* Wait until the kernel's backends have let go. */
static void wait_released(xenfork_ctx *ctx, const struct devices *devices)
{
    uint64_t end_ns = xenfork__now_ns() + RELEASE_WAIT_MS * 1000000ULL;
    char name[64];
    uint32_t i;

    for (i = 0; i < devices->count; i++) {
        snprintf(name, sizeof(name), "%s-%" PRIu32 "-%" PRIu32,
                 devices->items[i].kind, devices->domid,
                 devices->items[i].devid);
        while (xenfork__sys_has_backend(name)) {
            if (xenfork__now_ns() >= end_ns) {
                LOG_WARN(ctx, "backend %s does not let go, ignoring", name);
                return;
            }
            xenfork__sleep_ns(PAUSE_NS);
        }
    }
}

static bool release_all(xenfork_ctx *ctx, const struct devices *devices)
{
    uint32_t i;

    if (!devices->count || xc_domain_pause(ctx->xen->xch, devices->domid) < 0)
        return false;
    /* From now on a loop device goes with its last user, the backend. */
    for (i = 0; i < devices->count; i++)
        if (devices->items[i].loop)
            xenfork__sys_remove_loop(devices->items[i].loop,
                                     devices->items[i].file);
    if (xenfork__pipe_transact(ctx, put_removals, devices))
        return false;
    wait_released(ctx, devices);
    return true;
}

bool xenfork__release_devices(xenfork_ctx *ctx, uint32_t domid)
{
    struct devices devices = {.domid = domid};
    bool is_done = find_devices(ctx, &devices) && release_all(ctx, &devices);

    free_devices(&devices);
    return is_done;
}
