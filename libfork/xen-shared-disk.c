/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks that a second domain writes to, as cluster file systems have them.
 * Xen's block script refuses a second writer, unless the backend's mode says
 * "w!"; QEMU's backend does not ask it.  So who has the disk is looked up in
 * the directories of the backends, which no guest can write.
 */
#include "xen-handles.h"

#include <string.h>
#include <sys/stat.h>

/* One file, or one device, by whatever path. */
struct place {
    bool is_device;
    dev_t dev;
    ino_t ino; /* 0 for a device */
};

static bool place_of(const char *path, struct place *place_out)
{
    struct stat st;

    if (stat(path, &st))
        return false;
    place_out->is_device = S_ISBLK(st.st_mode);
    place_out->dev = place_out->is_device ? st.st_rdev : st.st_dev;
    place_out->ino = place_out->is_device ? 0 : st.st_ino;
    return true;
}

static bool is_same(const struct place *a, const struct place *b)
{
    return a->is_device == b->is_device && a->dev == b->dev && a->ino == b->ino;
}

/* "FORMAT:/path" of QEMU's backend, or the path. */
static const char *path_of(const char *params)
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

/* The mode by which they write there; NULL: they do not.  Caller frees */
static char *writes_to(xenfork_ctx *ctx, const struct backends *at,
                       const char *devid, const struct place *place)
{
    cleanup_free char *mode = xenfork__xs_read(
        ctx, XBT_NULL, "/local/domain/%u/backend/%s/%s/%s/mode", at->own,
        at->kind, at->domid, devid);
    cleanup_free char *params = NULL;
    struct place other;

    if (!mode || mode[0] != 'w')
        return NULL;
    params = xenfork__xs_read(ctx, XBT_NULL,
                              "/local/domain/%u/backend/%s/%s/%s/params",
                              at->own, at->kind, at->domid, devid);
    if (!params || !place_of(path_of(params), &other) ||
        !is_same(place, &other))
        return NULL;
    return steal_ptr(mode);
}

static int refuse(xenfork_ctx *ctx, const struct xenfork__disk *disk,
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
                        const struct place *place)
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
        cleanup_free char *mode = writes_to(ctx, at, devids[i], place);

        if (mode && other != domid)
            return refuse(ctx, disk, who);
        if (mode && strchr(mode, '!'))
            return refuse(ctx, disk, "others: its mode is w!");
    }
    return 0;
}

int xenfork__xen_disk_shared(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__disk *disk)
{
    static const char *const kinds[] = {"vbd", "vbd3", "qdisk"};
    struct backends at = {.own = xenfork__own_domid(ctx)};
    struct place place;
    size_t kind;
    int rc = 0;

    if (!disk->path || !place_of(disk->path, &place))
        return 0;
    for (kind = 0; kind < ARRAY_SIZE(kinds) && rc == 0; kind++) {
        unsigned int i, count = 0;
        cleanup_free char **domids = xenfork__xs_list(
            ctx, &count, "/local/domain/%u/backend/%s", at.own, kinds[kind]);

        at.kind = kinds[kind];
        for (i = 0; domids && i < count && rc == 0; i++) {
            at.domid = domids[i];
            rc = check_domain(ctx, &at, domid, disk, &place);
        }
    }
    return rc;
}
