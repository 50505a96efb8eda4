/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake's VHDs: files of a line "vhd PARENT", or "vhd -", and then a line
 * for each block.  A domain's disk that is one has its tapdisk.
 */
#include "config.h"

#include "fake-xen.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/internal.h"
#include "host/dm.h"
#include "host/host.h"
#include "power.h"

#define TAPDISKS 1000U /* their pids, one for each domain */

const char *fake_file(const char *path)
{
    size_t length = strlen(XENFORK__VHD_PREFIX);

    return strncmp(path, XENFORK__VHD_PREFIX, length) ? path : path + length;
}

bool xenfork__sys_has_open(uint32_t pid,
                           const struct xenfork__disk_identity *what,
                           bool is_writer)
{
    const struct fake_disk *disk = fake->domains[pid - TAPDISKS].disks;

    return is_writer && !disk->is_tap_paused &&
           (!disk->in_use || disk->in_use == what->inode);
}

/* NULL: no domain has it */
static struct fake_disk *disk_at(const char *path)
{
    cleanup_free char *real = realpath(path, NULL);
    uint32_t i, d;

    for (i = 0; real && i < FAKE_DOMAINS; i++)
        for (d = 0; d < fake->domains[i].disk_count; d++) {
            struct fake_disk *disk = &fake->domains[i].disks[d];

            if (fake->domains[i].domid && fake_file(disk->path) != disk->path &&
                !strcmp(fake_file(disk->path), real))
                return disk;
        }
    return NULL;
}

static struct fake_disk *served(const char *path)
{
    struct fake_disk *disk = disk_at(path);

    return disk && !disk->is_tap_gone ? disk : NULL;
}

static void check_not_in_use(const char *path)
{
    const struct fake_disk *disk = served(path);

    if (disk && !disk->is_tap_paused)
        fake_violation("%s is changed below its tapdisk", path);
}

void fake_make_vhd(uint32_t domid)
{
    struct fake_domain *d = fake_domain(domid);
    struct fake_disk *disk = &d->disks[0];
    char file[FAKE_PATH];
    FILE *f;

    fake_copy_string(file, sizeof(file), disk->path);
    f = fopen(file, "w");
    if (!f || fprintf(f, "vhd -\nbase of %s\n", d->name) < 0 || fclose(f) ||
        snprintf(disk->path, sizeof(disk->path), XENFORK__VHD_PREFIX "%s",
                 file) >= (int)sizeof(disk->path))
        abort();
    fake_copy_string(disk->script, sizeof(disk->script), "block-fork");
}

/* A line of @path, without its end.  False: none */
static bool line_of(const char *path, uint32_t n, char line[FAKE_PATH])
{
    cleanup_file FILE *f = fopen(path, "re");
    uint32_t i;

    for (i = 0; f && i <= n; i++)
        if (!fgets(line, FAKE_PATH, f))
            return false;
    if (f)
        line[strcspn(line, "\n")] = '\0';
    return f;
}

static bool parent_of(const char *path, char parent[FAKE_PATH])
{
    char line[FAKE_PATH];

    if (!line_of(path, 0, line) || strncmp(line, "vhd ", 4) != 0)
        return false;
    fake_copy_string(parent, FAKE_PATH, line + 4);
    return true;
}

int xenfork__sys_vhd_query(xenfork_ctx *ctx, const char *path,
                           struct xenfork__vhd *out)
{
    char parent[FAKE_PATH], below[FAKE_PATH], line[FAKE_PATH];
    struct xenfork__vhd vhd = {.depth = 1};

    FAKE_ENTER(ctx);
    if (access(path, F_OK))
        return fake_leave(
            xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no file %s", path));
    if (!parent_of(path, parent))
        return fake_leave(
            xenfork__fail(ctx, XENFORK_E_IO, 0, "%s is no VHD", path));
    while (line_of(path, 1 + vhd.allocated, line))
        vhd.allocated++;
    if (strcmp(parent, "-") != 0)
        vhd.parent = strdup(parent);
    fake_copy_string(below, sizeof(below), parent);
    for (; strcmp(below, "-") != 0; vhd.depth++)
        if (!parent_of(below, below)) {
            free(vhd.parent);
            return fake_leave(xenfork__fail(ctx, XENFORK_E_IO, 0,
                                            "%s has no backing file", path));
        }
    *out = vhd;
    return fake_leave(0);
}

static int cannot(xenfork_ctx *ctx, const char *path)
{
    return fake_leave(
        xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot write %s", path));
}

int xenfork__sys_vhd_snapshot(xenfork_ctx *ctx, const char *parent,
                              const char *path)
{
    FILE *f;

    FAKE_ENTER(ctx);
    check_not_in_use(path);
    if (fake->is_full)
        return cannot(ctx, path);
    f = fopen(path, "w");
    if (!f || fprintf(f, "vhd %s\n", parent) < 0 || fclose(f))
        return cannot(ctx, path);
    power_durable(path);
    return fake_leave(0);
}

int xenfork__sys_vhd_coalesce(xenfork_ctx *ctx, const char *path)
{
    char parent[FAKE_PATH] = "", line[FAKE_PATH], had[FAKE_PATH];
    uint32_t n, p;
    FILE *f;

    FAKE_ENTER(ctx);
    fake_check_guard(ctx, "vhd-util coalesce");
    check_not_in_use(path);
    parent_of(path, parent);
    chmod(parent, 0600);
    for (n = 1; line_of(path, n, line); n++) {
        for (p = 1; line_of(parent, p, had) && strcmp(had, line) != 0; p++)
            ;
        if (line_of(parent, p, had))
            continue; /* once more */
        f = fopen(parent, "a");
        if (!f || fprintf(f, "%s\n", line) < 0 || fclose(f))
            return cannot(ctx, parent);
    }
    return fake_leave(0);
}

int xenfork__sys_vhd_relink(xenfork_ctx *ctx, const char *path,
                            const char *parent)
{
    cleanup_free char *rest = NULL;
    char line[FAKE_PATH];
    size_t length = 0;
    uint32_t n;
    FILE *f, *text;

    FAKE_ENTER(ctx);
    text = open_memstream(&rest, &length);
    for (n = 1; text && line_of(path, n, line); n++)
        fprintf(text, "%s\n", line);
    if (!text || fclose(text) || access(parent, F_OK))
        return cannot(ctx, path);
    f = fopen(path, "w");
    if (!f || fprintf(f, "vhd %s\n%s", parent, rest) < 0 || fclose(f))
        return cannot(ctx, path);
    return fake_leave(0);
}

int xenfork__sys_vhd_stand_alone(xenfork_ctx *ctx, const char *path,
                                 const char *like)
{
    char line[FAKE_PATH];
    FILE *f;

    FAKE_ENTER(ctx);
    if (line_of(path, 1, line) || access(like, F_OK))
        fake_violation("%s is not empty, or like nothing", path);
    f = fopen(path, "w");
    if (!f || fprintf(f, "vhd -\n") < 0 || fclose(f))
        return cannot(ctx, path);
    return fake_leave(0);
}

/* Its devices are the files themselves. */
int xenfork__sys_tap_attach(xenfork_ctx *ctx, const char *path,
                            const char *user, unsigned int flags,
                            char **node_out)
{
    (void)user;
    (void)flags;
    FAKE_ENTER(ctx);
    check_not_in_use(path);
    *node_out = strdup(path);
    return fake_leave(*node_out ? 0 : xenfork__nomem(ctx));
}

/* All that the chain of one has. */
int xenfork__sys_copy_device(xenfork_ctx *ctx,
                             const struct xenfork__device_copy *job)
{
    char below[FAKE_PATH], line[FAKE_PATH], had[FAKE_PATH];
    uint32_t n, p;
    int rc = job->step(ctx, job->opaque, 1, 2, 512);

    if (rc < 0)
        return rc;
    FAKE_ENTER(ctx);
    fake_copy_string(below, sizeof(below), job->src);
    for (; strcmp(below, "-") != 0; parent_of(below, below))
        for (n = 1; line_of(below, n, line); n++) {
            cleanup_file FILE *f = NULL;

            for (p = 1; line_of(job->dst, p, had) && strcmp(had, line) != 0;
                 p++)
                ;
            if (line_of(job->dst, p, had))
                continue;
            f = fopen(job->dst, "ae");
            if (!f || fprintf(f, "%s\n", line) < 0)
                return cannot(ctx, job->dst);
        }
    return fake_leave(0);
}

int xenfork__sys_vhd_sync(xenfork_ctx *ctx, const char *path)
{
    FAKE_ENTER(ctx);
    if (access(path, F_OK))
        return cannot(ctx, path);
    power_durable(path);
    return fake_leave(0);
}

int xenfork__sys_vhd_usage(xenfork_ctx *ctx, const char *path,
                           uint64_t *kib_out)
{
    FAKE_ENTER(ctx);
    if (access(path, F_OK))
        return cannot(ctx, path);
    *kib_out = 8;
    return fake_leave(0);
}

static int no_tapdisk(xenfork_ctx *ctx, const char *path)
{
    return fake_leave(
        xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no tapdisk for %s", path));
}

/* By libxl's own script, which leaves no record? */
static bool is_of_libxl(const struct fake_disk *disk)
{
    return !strcmp(disk->backend, "tap") &&
           strcmp(disk->script, "block-fork") != 0;
}

static int find(xenfork_ctx *ctx, const char *path, bool of_libxl,
                struct xenfork__tapdisk *tapdisk_out)
{
    /* xenstore has those of the dead as well. */
    const struct fake_disk *disk = of_libxl ? disk_at(path) : served(path);
    uint32_t i;

    if (!disk || is_of_libxl(disk) != of_libxl)
        return no_tapdisk(ctx, path);
    for (i = 0; i < FAKE_DOMAINS; i++)
        if (disk >= fake->domains[i].disks &&
            disk < fake->domains[i].disks + FAKE_DISKS)
            *tapdisk_out = (struct xenfork__tapdisk){
                .pid = TAPDISKS + i,
                .minor = (int)(disk - fake->domains[i].disks)};
    return fake_leave(0);
}

int xenfork__sys_tap_find(xenfork_ctx *ctx, const char *path,
                          struct xenfork__tapdisk *tapdisk_out)
{
    FAKE_ENTER(ctx);
    return find(ctx, path, false, tapdisk_out);
}

int xenfork__xen_tapdisk(xenfork_ctx *ctx, const char *file,
                         struct xenfork__tapdisk *tapdisk_out)
{
    FAKE_ENTER(ctx);
    return find(ctx, file, true, tapdisk_out);
}

static struct fake_disk *disk_of(const struct xenfork__tapdisk *tapdisk)
{
    return &fake->domains[tapdisk->pid - TAPDISKS].disks[tapdisk->minor];
}

bool xenfork__sys_tap_is_alive(const struct xenfork__tapdisk *tapdisk)
{
    return !disk_of(tapdisk)->is_tap_gone;
}

int xenfork__sys_tap_pause(xenfork_ctx *ctx,
                           const struct xenfork__tapdisk *tapdisk)
{
    FAKE_ENTER(ctx);
    disk_of(tapdisk)->is_tap_paused = true;
    return fake_leave(0);
}

int xenfork__sys_tap_resume(xenfork_ctx *ctx,
                            const struct xenfork__tapdisk *tapdisk)
{
    struct fake_disk *disk = disk_of(tapdisk);

    FAKE_ENTER(ctx);
    if (!disk->is_tap_paused)
        return fake_leave(xenfork__fail(ctx, XENFORK_E_DISK, 0,
                                        "%s is not paused", disk->path));
    disk->is_tap_paused = false;
    return fake_leave(0);
}

int xenfork__sys_tap_is_paused(xenfork_ctx *ctx,
                               const struct xenfork__tapdisk *tapdisk,
                               bool *is_paused_out)
{
    FAKE_ENTER(ctx);
    *is_paused_out = disk_of(tapdisk)->is_tap_paused;
    return fake_leave(0);
}

int xenfork__sys_tap_detach(xenfork_ctx *ctx, const char *path,
                            const char *user)
{
    (void)user;
    FAKE_ENTER(ctx);
    if (served(path))
        fake_violation("%s is taken from its domain", path);
    return fake_leave(0);
}

/* The domain that libxl's script has left @path behind of. */
int xenfork__sys_tap_domain(xenfork_ctx *ctx, const char *path,
                            uint32_t *domid_out)
{
    FAKE_ENTER(ctx);
    if (strcmp(fake->tap_left, path) != 0)
        return no_tapdisk(ctx, path);
    *domid_out = fake->tap_left_of;
    return fake_leave(0);
}

int xenfork__sys_tap_release(xenfork_ctx *ctx, const char *path, uint32_t domid)
{
    FAKE_ENTER(ctx);
    if (!strcmp(fake->tap_left, path) && fake->tap_left_of == domid)
        fake->tap_left[0] = '\0';
    return fake_leave(0);
}
