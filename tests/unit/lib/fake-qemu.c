/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake's QEMU: which file each disk is served from, told by inode, for a
 * name may lead elsewhere by now.  What QEMU punishes is a violation.
 */
#include "config.h"

#include "fake-xen.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/internal.h"
#include "disk/qcow2/header.h"
#include "host/host.h"
#include "power.h"

static uint64_t inode(const char *path)
{
    struct stat st;

    return stat(path, &st) ? 0 : (uint64_t)st.st_ino;
}

static void open_file(xenfork_ctx *ctx, struct fake_file *file,
                      const char *node, const char *path)
{
    cleanup_qcow2 struct xenfork__qcow2 qcow2 = {0};

    *file = (struct fake_file){.inode = inode(path)};
    fake_copy_string(file->node, sizeof(file->node), node);
    if (xenfork__qcow2_read(ctx, path, &qcow2) == 0 && qcow2.backing)
        fake_copy_string(file->backing, sizeof(file->backing), qcow2.backing);
}

/* NULL: its QEMU is gone. */
static struct fake_disk *served(xenfork_ctx *ctx, uint32_t domid,
                                const char *vdev)
{
    struct fake_domain *d = fake_domain(domid);
    char node[XENFORK__QEMU_NAME];
    uint32_t i;

    for (i = 0; d && i < d->disk_count; i++) {
        struct fake_disk *disk = &d->disks[i];

        if (strcmp(disk->vdev, vdev) || disk->has_no_qemu)
            continue;
        snprintf(node, sizeof(node), "%s-qcow2", vdev);
        if (!disk->top.node[0])
            open_file(ctx, &disk->top, node, disk->path);
        return disk;
    }
    return NULL;
}

/* Return the node of the disk that a name ends in: "oUUID-xvda". */
static struct fake_disk *served_node(xenfork_ctx *ctx, uint32_t domid,
                                     const char *node)
{
    const char *vdev = strrchr(node, '-');

    return vdev ? served(ctx, domid, vdev + 1) : NULL;
}

static int gone(xenfork_ctx *ctx, uint32_t domid)
{
    return fake_leave(xenfork__miss(ctx, XENFORK_E_NOTFOUND,
                                    "QEMU of domain %u is gone", domid));
}

static int refused(xenfork_ctx *ctx, const char *what)
{
    return fake_leave(
        xenfork__fail(ctx, XENFORK_E_DISK, 0, "QEMU refuses: %s", what));
}

/* The nodes of an emulated disk stay as they are. */
static void assert_unplugged(const struct fake_disk *disk)
{
    if (disk->is_plugged)
        fake_violation("the emulated disk of %s goes on with the old file",
                       disk->vdev);
}

void xenfork__qemu_top_free(struct xenfork__qemu_top *top)
{
    free(top->backing);
    top->backing = NULL;
}

int xenfork__sys_qemu_top(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                          struct xenfork__qemu_top *out)
{
    struct fake_disk *disk = served(ctx, domid, vdev);

    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    out->backing = strdup(disk->top.backing);
    fake_copy_string(out->node, sizeof(out->node), disk->top.node);
    return fake_leave(out->backing ? 0 : xenfork__nomem(ctx));
}

int xenfork__sys_qemu_add(xenfork_ctx *ctx, uint32_t domid,
                          const struct xenfork__qemu_top *top, const char *node,
                          const char *path)
{
    struct fake_disk *disk = served_node(ctx, domid, node);

    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    if (strcmp(top->node, disk->top.node) || !inode(path) ||
        disk->overlay.node[0])
        return refused(ctx, "a node");
    open_file(ctx, &disk->overlay, node, path);
    return fake_leave(0);
}

int xenfork__sys_qemu_snapshot(xenfork_ctx *ctx, uint32_t domid,
                               const char *node, const char *overlay)
{
    struct fake_disk *disk = served_node(ctx, domid, overlay);

    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    if (strcmp(node, disk->top.node) || strcmp(overlay, disk->overlay.node) ||
        disk->job.node[0])
        return refused(ctx, "a snapshot");
    if (!fake_domain(domid)->is_shutdown)
        fake_violation("snapshot of domain %u, which runs", domid);
    if (inode(disk->path) != disk->top.inode)
        fake_violation("snapshot of %s, which leads elsewhere", disk->path);
    assert_unplugged(disk);
    disk->top = disk->overlay;
    disk->overlay = (struct fake_file){0};
    return fake_leave(0);
}

int xenfork__sys_qemu_remove(xenfork_ctx *ctx, uint32_t domid, const char *node)
{
    struct fake_disk *disk = served_node(ctx, domid, node);

    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    if (!strcmp(disk->overlay.node, node))
        disk->overlay = (struct fake_file){0};
    return fake_leave(0);
}

int xenfork__sys_qemu_commit(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__qemu_top *top,
                             const char *id, const char *path)
{
    struct fake_disk *disk = served_node(ctx, domid, id);

    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    if (strcmp(top->node, disk->top.node) || disk->job.node[0] || !inode(path))
        return refused(ctx, "a mirror");
    if (inode(path) == disk->top.inode)
        fake_violation("%s is copied to itself", path);
    assert_unplugged(disk);
    if (!fake_domain(domid)->is_shutdown && !fake_domain(domid)->is_paused)
        fake_violation("domain %u runs while its disk begins to be copied",
                       domid);
    open_file(ctx, &disk->job, id, path);
    disk->is_flushed = false;
    if (fake_domain(domid)->unpausings) {
        fake_domain(domid)->unpausings--;
        fake_domain(domid)->cpu_ns++;
        fake_domain(domid)->is_paused = false;
    }
    return fake_leave(0);
}

int xenfork__sys_qemu_stream(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__qemu_top *top,
                             const char *id, uint32_t depth,
                             const char *backing)
{
    struct fake_disk *disk = served_node(ctx, domid, id);
    char from[2 * FAKE_PATH];

    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    if (strcmp(top->node, disk->top.node) || disk->job.node[0] || depth < 2)
        return refused(ctx, "a stream");
    if (inode(disk->path) != disk->top.inode)
        fake_violation("%s leads elsewhere", disk->path);
    assert_unplugged(disk);
    /* The file is backed by another one now: a new one of the fake will do. */
    snprintf(from, sizeof(from), "%.*s/%s",
             (int)(strrchr(disk->path, '/') - disk->path), disk->path, backing);
    unlink(disk->path);
    if (xenfork__qcow2_create(ctx, from, backing, disk->path) < 0)
        return fake_leave(XENFORK_E_DISK);
    open_file(ctx, &disk->top, disk->top.node, disk->path);
    disk->streams++;
    return fake_leave(0);
}

int xenfork__sys_qemu_flatten(xenfork_ctx *ctx, uint32_t domid,
                              const struct xenfork__qemu_top *top,
                              const char *id, uint64_t bytes_per_second)
{
    struct fake_disk *disk = served_node(ctx, domid, id);

    (void)bytes_per_second;
    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    if (strcmp(top->node, disk->top.node) || disk->job.node[0])
        return refused(ctx, "a stream");
    assert_unplugged(disk);
    fake_copy_string(disk->job.node, sizeof(disk->job.node), id);
    disk->is_flattening = true;
    return fake_leave(0);
}

int xenfork__sys_qemu_mirror(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__qemu_top *top,
                             const char *id,
                             const struct xenfork__image_file *to,
                             uint64_t bytes_per_second)
{
    (void)bytes_per_second;
    return xenfork__sys_qemu_commit(ctx, domid, top, id, to->path);
}

int xenfork__sys_qemu_speed(xenfork_ctx *ctx, uint32_t domid, const char *id,
                            uint64_t bytes_per_second)
{
    const struct fake_disk *disk = served_node(ctx, domid, id);

    (void)bytes_per_second;
    FAKE_ENTER(ctx);
    if (!disk || strcmp(disk->job.node, id))
        return refused(ctx, "no such job");
    return fake_leave(0);
}

/* By one that has no backing file, at one instant. */
static bool replace(const char *path)
{
    char new[FAKE_PATH + 8];

    snprintf(new, sizeof(new), "%s.flat", path);
    fake_write_qcow2(new);
    if (renameat(AT_FDCWD, new, AT_FDCWD, path))
        return false;
    power_durable(path);
    return true;
}

/* The second time that it is asked for it is done. */
static void flatten_on(struct fake_disk *disk)
{
    if (!disk->is_flattening)
        return;
    if (!disk->has_progress) {
        disk->has_progress = true;
        return;
    }
    if (!replace(disk->path))
        return;
    disk->top.inode = inode(disk->path);
    disk->top.backing[0] = '\0';
    disk->job = (struct fake_file){0};
    disk->is_flattening = disk->has_progress = false;
}

int xenfork__sys_qemu_job(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                          struct xenfork__qemu_job_info *out)
{
    struct fake_disk *disk = served(ctx, domid, vdev);

    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    *out = (struct xenfork__qemu_job_info){.state = XENFORK__QEMU_JOB_NONE};
    flatten_on(disk);
    if (disk->job.node[0]) {
        out->state = disk->is_flattening ? XENFORK__QEMU_JOB_RUNNING
                                         : XENFORK__QEMU_JOB_READY;
        out->done = 1;
        out->total = 2;
        fake_copy_string(out->id, sizeof(out->id), disk->job.node);
    }
    return fake_leave(0);
}

int xenfork__sys_qemu_cancel(xenfork_ctx *ctx, uint32_t domid, const char *vdev)
{
    struct fake_disk *disk = served(ctx, domid, vdev);

    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    disk->job = (struct fake_file){0};
    disk->is_flattening = disk->has_progress = false;
    return fake_leave(0);
}

int xenfork__sys_qemu_flush(xenfork_ctx *ctx, uint32_t domid, const char *node)
{
    struct fake_disk *disk = served_node(ctx, domid, node);

    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    disk->is_flushed = !strcmp(disk->job.node, node);
    return fake_leave(0);
}

int xenfork__sys_qemu_complete(xenfork_ctx *ctx, uint32_t domid,
                               const char *vdev, const char *id)
{
    struct fake_disk *disk = served(ctx, domid, vdev);
    const struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    if (strcmp(disk->job.node, id))
        return refused(ctx, "no such job");
    if (!d->is_shutdown && !d->is_paused)
        fake_violation("domain %u runs while its disk changes", domid);
    /* A move changes the record, not the path. */
    if (!disk->is_flushed ||
        (id[0] != 'd' && inode(disk->path) != disk->job.inode))
        fake_violation("%s does not lead to all data", disk->path);
    disk->top = disk->job;
    disk->job = (struct fake_file){0};
    return fake_leave(0);
}

int xenfork__sys_qemu_sweep(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *top)
{
    struct fake_disk *disk = served(ctx, domid, vdev);

    FAKE_ENTER(ctx);
    if (!disk)
        return gone(ctx, domid);
    if (strcmp(top, disk->top.node))
        fake_violation("%s is not the top of disk %s", top, vdev);
    return fake_leave(0);
}

void xenfork__sys_qemu_close(xenfork_ctx *ctx)
{
    (void)ctx;
}

bool xenfork__sys_qemu_is_there(uint32_t domid)
{
    const struct fake_domain *d = fake_domain(domid);

    return d && d->disk_count && !d->disks[0].has_no_qemu;
}

bool xenfork__sys_has_qemu_img(void)
{
    return !fake->has_no_qemu_img;
}

int xenfork__sys_qemu_img_commit(xenfork_ctx *ctx, const char *path)
{
    uint32_t i, n;

    FAKE_ENTER(ctx);
    fake_check_guard(ctx, "qemu-img commit");
    for (i = 0; i < FAKE_DOMAINS; i++)
        for (n = 0; n < fake->domains[i].disk_count; n++)
            if (fake->domains[i].domid &&
                !fake->domains[i].disks[n].has_no_qemu &&
                fake->domains[i].disks[n].top.inode == inode(path))
                fake_violation("qemu-img on %s, which is in use", path);
    fake->commits++;
    return fake_leave(0);
}

void fake_put_qemu(FILE *f, const struct fake_disk *disk)
{
    if (disk->top.node[0] && inode(disk->path) != disk->top.inode)
        fprintf(f, "  %s is served from elsewhere\n", disk->vdev);
    if (disk->overlay.node[0] || disk->job.node[0])
        fprintf(f, "  qemu has \"%s\" \"%s\"\n", disk->overlay.node,
                disk->job.node);
}

int xenfork__sys_qemu_img_create(xenfork_ctx *ctx,
                                 const struct xenfork__image_file *image,
                                 uint64_t bytes)
{
    FAKE_ENTER(ctx);
    if (!bytes || access(image->path, F_OK))
        fake_violation("%s is not there", image->path);
    fake_write_qcow2(image->path);
    return fake_leave(0);
}

int xenfork__sys_flatten(xenfork_ctx *ctx, const struct xenfork__copy *copy)
{
    int rc = copy->step(ctx, copy->opaque, 500);

    if (rc < 0)
        return rc;
    FAKE_ENTER(ctx);
    return fake_leave(replace(copy->src)
                          ? 0
                          : xenfork__fail(ctx, XENFORK_E_DISK, errno,
                                          "cannot replace %s", copy->src));
}

void fake_write_qcow2(const char *path)
{
    static const uint8_t header[112] = {
        'Q', 'F', 'I',       0xfb,     0,        0,
        0,   3,   [23] = 16, [28] = 4, [99] = 4, [103] = 104};
    FILE *f = fopen(path, "w");

    if (!f || fwrite(header, sizeof(header), 1, f) != 1 || fclose(f))
        abort();
}

void fake_make_qcow2(uint32_t domid)
{
    struct fake_domain *d = fake_domain(domid);
    struct fake_disk *disk = &d->disks[0];

    if (unlink(disk->path) ||
        snprintf(disk->path, sizeof(disk->path), "%s/%s-%s.qcow2", fake->dir,
                 d->name, disk->vdev) >= (int)sizeof(disk->path))
        abort();
    fake_copy_string(disk->format, sizeof(disk->format), "qcow2");
    fake_copy_string(disk->backend, sizeof(disk->backend), "qdisk");
    fake_write_qcow2(disk->path);
}
