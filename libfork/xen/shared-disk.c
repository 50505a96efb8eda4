/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks that a second domain writes to, as cluster file systems have them.
 * Xen's block script refuses a second writer, unless the backend's mode says
 * "w!"; QEMU's backend does not ask it.  So who has the disk is looked up in
 * the directories of the backends, which no guest can write: what they have
 * open, whatever their paths lead to by now.
 */
#include "xen/handles.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/dm.h"
#include "xen/xen.h"

#define SOCKET "/run/blktap-control/nbd%u." /* see xen/tap.c */

/* Where a disk is: by its path, and by the device that blkback has. */
struct places {
    size_t count;
    struct xenfork__areas at[2];
};

static void free_places(struct places *places)
{
    while (places->count)
        xenfork__areas_free(&places->at[--places->count]);
}

static int add_place(xenfork_ctx *ctx, struct places *places,
                     const struct xenfork__disk_identity *place)
{
    int rc = xenfork__sys_areas(ctx, place, &places->at[places->count]);

    if (rc == 0)
        places->count++;
    return rc;
}

/* Tell whether it is in the list; true also without memory to tell. */
static bool is_in(xenfork_ctx *ctx, const struct places *places,
                  const struct xenfork__disk_identity *place)
{
    cleanup_areas struct xenfork__areas areas = {0};
    size_t i;

    if (xenfork__sys_areas(ctx, place, &areas) < 0)
        return true;
    for (i = 0; i < places->count; i++)
        if (xenfork__areas_meet(&places->at[i], &areas))
            return true;
    return false;
}

/*
 * Identify the file or device of a path.  False: there is none, or it is
 * neither
 */
static bool place_of(const char *path, struct xenfork__disk_identity *place_out)
{
    struct stat st;

    if (stat(path, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
        return false;
    *place_out = xenfork__disk_identity_of(&st);
    return true;
}

/* Return the path in "FORMAT:/path" of QEMU's backend, or the path itself. */
static const char *params_path(const char *params)
{
    const char *colon = strchr(params, ':');

    return colon && params[0] != '/' ? colon + 1 : params;
}

/* Where one domain's disks of one kind of backend are. */
struct backends {
    uint32_t own;
    const char *kind;
    const char *domid;
};

static char *read_backend(xenfork_ctx *ctx, const struct backends *at,
                          const char *devid, const char *key)
{
    return xenfork__xs_read(ctx, XBT_NULL,
                            "/local/domain/%u/backend/%s/%s/%s/%s", at->own,
                            at->kind, at->domid, devid, key);
}

/* Parse blkback's device: "fd:2".  False: it has none, yet or any more */
static bool is_number(const char *text, struct xenfork__disk_identity *out)
{
    unsigned int major, minor;

    if (!text || sscanf(text, "%x:%x", &major, &minor) != 2)
        return false;
    *out = (struct xenfork__disk_identity){.is_device = true,
                                           .device = makedev(major, minor)};
    return true;
}

/* Return the process that serves it; 0: the kernel does, or nothing tells */
static uint32_t server_of(xenfork_ctx *ctx, const struct backends *at,
                          const char *devid)
{
    cleanup_free char *socket = NULL;
    uint32_t pid = 0;

    if (!strcmp(at->kind, "qdisk"))
        return xenfork__xs_u32(ctx, &pid,
                               "/local/domain/%s/image/device-model-pid",
                               at->domid) == 1
                   ? pid
                   : 0;
    socket = read_backend(ctx, at, devid, "physical-device-path");
    return socket && sscanf(socket, SOCKET, &pid) == 1 ? pid : 0;
}

static bool process_writes(xenfork_ctx *ctx, uint32_t pid,
                           const struct places *places)
{
    size_t i;

    for (i = 0; i < places->count; i++)
        if (xenfork__sys_writes(ctx, pid, &places->at[i]))
            return true;
    return false;
}

/*
 * Compare with what is open; if nothing tells that, with what the path leads
 * to.
 */
static bool is_open_there(xenfork_ctx *ctx, const struct backends *at,
                          const char *devid, const struct places *places)
{
    cleanup_free char *params = NULL;
    struct xenfork__disk_identity other;
    uint32_t pid;

    if (!strcmp(at->kind, "vbd")) {
        cleanup_free char *number = read_backend(ctx, at, devid,
                                                 "physical-device");

        if (is_number(number, &other) && is_in(ctx, places, &other))
            return true;
    } else if ((pid = server_of(ctx, at, devid))) {
        return process_writes(ctx, pid, places);
    }
    params = read_backend(ctx, at, devid, "params");
    /* A path alone, of blkback's: it has a device by now, or will ask. */
    if (!params || (!strcmp(at->kind, "vbd") && params[0] == '/') ||
        !place_of(params_path(params), &other))
        return false;
    return is_in(ctx, places, &other);
}

/*
 * Return the mode in which they write there; NULL: they do not.  Caller frees
 */
static char *writes_to(xenfork_ctx *ctx, const struct backends *at,
                       const char *devid, const struct places *places)
{
    cleanup_free char *mode = read_backend(ctx, at, devid, "mode");

    if (!mode || mode[0] != 'w' || !is_open_there(ctx, at, devid, places))
        return NULL;
    return steal_ptr(mode);
}

static int refuse_shared(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                         const char *who)
{
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "disk %s (%s) is writable, and shared with %s", disk->vdev,
                  disk->path, who);
    return xenfork__remedy(ctx,
                           "attach it read-only, detach it, or make "
                           "clones without it (--disk %s=none)",
                           disk->vdev);
}

static int check_domain(xenfork_ctx *ctx, const struct backends *at,
                        uint32_t domid, const struct xenfork__disk *disk,
                        const struct places *places)
{
    unsigned int i, count = 0;
    cleanup_free char **devids = xenfork__xs_list(
        ctx, &count, "/local/domain/%u/backend/%s/%s", at->own, at->kind,
        at->domid);
    char who[48];
    uint32_t other;

    if (!xenfork__parse_u32(at->domid, &other))
        return 0;
    snprintf(who, sizeof(who), "domain %u", other);
    for (i = 0; devids && i < count; i++) {
        cleanup_free char *mode = writes_to(ctx, at, devids[i], places);

        if (mode && other != domid)
            return refuse_shared(ctx, disk, who);
        if (mode && strchr(mode, '!'))
            return refuse_shared(ctx, disk, "others: its mode is w!");
    }
    return 0;
}

static int find_own(xenfork_ctx *ctx, uint32_t domid,
                    const struct xenfork__disk *disk, struct places *places)
{
    cleanup_free char *backend = xenfork__xen_disk_backend(ctx, domid,
                                                           disk->vdev);
    cleanup_free char *number = NULL;
    struct xenfork__disk_identity own;
    int rc = 0;

    if (place_of(params_path(disk->path), &own))
        rc = add_place(ctx, places, &own);
    if (rc < 0 || !backend || !strstr(backend, "/vbd/"))
        return rc;
    number = xenfork__xs_read(ctx, XBT_NULL, "%s/physical-device", backend);
    return is_number(number, &own) ? add_place(ctx, places, &own) : 0;
}

static int check_kind(xenfork_ctx *ctx, struct backends *at, uint32_t domid,
                      const struct xenfork__disk *disk,
                      const struct places *places)
{
    unsigned int i, count = 0;
    cleanup_free char **domids = xenfork__xs_list(
        ctx, &count, "/local/domain/%u/backend/%s", at->own, at->kind);
    int rc = 0;

    for (i = 0; domids && i < count && rc == 0; i++) {
        at->domid = domids[i];
        rc = check_domain(ctx, at, domid, disk, places);
    }
    return rc;
}

int xenfork__xen_disk_shared(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__disk *disk)
{
    static const char *const kinds[] = {"vbd", "vbd3", "qdisk"};
    struct backends at = {.own = xenfork__own_domid(ctx)};
    struct places places = {0};
    size_t kind;
    int rc = 0;

    if (disk->path && !disk->is_foreign)
        rc = find_own(ctx, domid, disk, &places);
    for (kind = 0; kind < ARRAY_SIZE(kinds) && places.count && rc == 0;
         kind++) {
        at.kind = kinds[kind];
        rc = check_kind(ctx, &at, domid, disk, &places);
    }
    free_places(&places);
    return rc;
}
