/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What disks of the fake's lie in: loop devices, which are numbers of files,
 * and files; and what block-fork does for a domain's.
 */
#include "config.h"

#include "fake-xen.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "sys-dm.h"
#include "thin-pool.h"
#include "thin.h"

/* One number for each file. */
int xenfork__sys_loop(xenfork_ctx *ctx, const char *file, bool is_readonly,
                      int *fd_out, char device_out[XENFORK__LOOP_BYTES])
{
    uint32_t i = 0;

    FAKE_ENTER(ctx);
    if (access(file, F_OK))
        return fake_dm_refuse(ctx, ENOENT, file);
    if (!is_readonly && fake_is_protected(file))
        return fake_dm_refuse(ctx, EPERM, file);
    while (fake->loops[i][0] && strcmp(fake->loops[i], file))
        if (++i == FAKE_LOOPS)
            abort();
    fake_copy_string(fake->loops[i], sizeof(fake->loops[i]), file);
    snprintf(device_out, XENFORK__LOOP_BYTES, "7:%u", i);
    *fd_out = -1;
    return fake_leave(0);
}

int xenfork__sys_loop_grow(xenfork_ctx *ctx, const char *device)
{
    (void)device;
    FAKE_ENTER(ctx);
    return fake_leave(0);
}

int xenfork__sys_disk_identity(xenfork_ctx *ctx, const char *path,
                               struct xenfork__disk_identity *identity_out)
{
    struct stat st;

    FAKE_ENTER(ctx);
    if (stat(path, &st))
        return fake_dm_refuse(ctx, errno, path);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return fake_dm_refuse(ctx, ENOTBLK, path);
    *identity_out = (struct xenfork__disk_identity){
        .is_device = S_ISBLK(st.st_mode),
        .device = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev,
        .inode = S_ISBLK(st.st_mode) ? 0 : st.st_ino};
    return fake_leave(0);
}

int xenfork__sys_disk_size(xenfork_ctx *ctx, const char *path,
                           uint64_t *bytes_out, bool *is_file_out)
{
    struct stat st;

    FAKE_ENTER(ctx);
    if (stat(path, &st))
        return fake_dm_refuse(ctx, errno, path);
    /* Those of the tests are small. */
    *bytes_out = (uint64_t)st.st_size + 512;
    if (is_file_out)
        *is_file_out = S_ISREG(st.st_mode);
    return fake_leave(0);
}

int xenfork__sys_disk_flush(xenfork_ctx *ctx, const char *path)
{
    FAKE_ENTER(ctx);
    if (strncmp(path, "/dev/mapper/", 12) ? access(path, F_OK)
                                          : !fake_dm_named(path + 12))
        return fake_dm_refuse(ctx, ENOENT, path);
    return fake_leave(0);
}

/* A pool that is made anew has no devices. */
int xenfork__sys_file_extend(xenfork_ctx *ctx, const char *path, uint64_t bytes)
{
    uint32_t i;
    FILE *f;

    FAKE_ENTER(ctx);
    if (fake->has_no_space)
        return fake_leave(xenfork__miss(ctx, XENFORK_E_BUSY, "no space"));
    for (i = 0; i < FAKE_THINS && access(path, F_OK); i++)
        if (!strcmp(fake->thins[i].meta, path))
            memset(&fake->thins[i], 0, sizeof(fake->thins[i]));
    f = fopen(path, "a");
    if (!f || ftruncate(fileno(f), (off_t)bytes))
        return fake_dm_refuse(ctx, errno, path);
    fclose(f);
    return fake_leave(0);
}

bool fake_is_protected(const char *path)
{
    uint32_t i;

    for (i = 0; i < FAKE_LOOPS; i++)
        if (!strcmp(fake->is_protected[i], path))
            return true;
    return false;
}

int xenfork__sys_file_protect(xenfork_ctx *ctx, const char *path,
                              bool is_protected)
{
    uint32_t i;

    FAKE_ENTER(ctx);
    if (access(path, F_OK) || is_protected == fake_is_protected(path))
        return fake_leave(0);
    for (i = 0; strcmp(fake->is_protected[i], is_protected ? "" : path); i++)
        if (i == FAKE_LOOPS - 1)
            abort();
    fake_copy_string(fake->is_protected[i], sizeof(fake->is_protected[i]),
                     is_protected ? path : "");
    return fake_leave(0);
}

int xenfork__sys_disk_copy(xenfork_ctx *ctx, const char *from, const char *to,
                           const uint64_t *blocks, size_t count,
                           size_t block_bytes)
{
    FILE *f;

    FAKE_ENTER(ctx);
    if (fake_is_protected(to) || strncmp(from, "/dev/mapper/", 12) ||
        !fake_dm_named(from + 12) || block_bytes != 65536)
        return fake_dm_refuse(ctx, EPERM, to);
    f = fopen(to, "w");
    if (!f ||
        fprintf(f, "%zu blocks, the last %" PRIu64 "\n", count,
                blocks[count - 1]) < 0 ||
        fclose(f))
        abort();
    return fake_leave(0);
}

int xenfork__sys_pool_watch(xenfork_ctx *ctx, const char *dir, const char *data)
{
    (void)dir;
    FAKE_ENTER(ctx);
    if (access(data, F_OK))
        return fake_dm_refuse(ctx, ENOENT, data);
    return fake_leave(0);
}

/* As thin.c names it. */
static void name_device(const char *path, char name_out[XENFORK__DM_NAME_BYTES])
{
    const char *name = strrchr(path, '/') + 1;
    const char *end = strstr(name, XENFORK__THIN_SUFFIX);

    if (end)
        snprintf(name_out, XENFORK__DM_NAME_BYTES, "xenfork-%.*s",
                 (int)(end - name), name);
    else
        snprintf(name_out, XENFORK__DM_NAME_BYTES, "xenfork-%016" PRIx64,
                 xenfork__pool_digest(path));
}

static struct fake_dm *use_device(const char *path)
{
    struct fake_dm *dm = fake->dms;

    while (dm->name[0])
        if (++dm == fake->dms + FAKE_DMS)
            abort();
    memset(dm, 0, sizeof(*dm));
    name_device(path, dm->name);
    dm->is_used = true;
    return dm;
}

void fake_attach(const char *path)
{
    xenfork_ctx ctx = {.guard_fd = -1};
    struct xenfork__thin *thin = NULL;
    char pool[XENFORK__DM_NAME_BYTES];
    struct fake_dm *dm;

    if (xenfork__thin_peek(&ctx, path, &thin) < 0 || !thin->has_id) {
        fake_violation("there is no disk %s: %s", path, ctx.error.text);
        return;
    }
    xenfork__pool_name(thin->dir, pool);
    dm = use_device(path);
    strcpy(dm->live.type, "thin");
    dm->live.sectors = thin->sectors;
    snprintf(dm->live.params, sizeof(dm->live.params),
             "/dev/mapper/%s %" PRIu64, pool, thin->id);
    if (!fake_thin_below(&dm->live))
        fake_violation("the pool has no disk %s", path);
    xenfork__thin_close(thin);
}

void fake_detach(const char *path)
{
    char name[XENFORK__DM_NAME_BYTES];
    struct fake_dm *dm;

    name_device(path, name);
    dm = fake_dm_named(name);
    if (dm)
        memset(dm, 0, sizeof(*dm));
}

void fake_make_shimmed(uint32_t domid)
{
    struct fake_disk *disk = &fake_domain(domid)->disks[0];
    struct fake_dm *dm = use_device(disk->path);

    fake_copy_string(disk->script, sizeof(disk->script), "block-fork");
    strcpy(dm->live.type, "linear");
    strcpy(dm->live.params, "7:0 0");
    fake_copy_string(fake->loops[0], sizeof(fake->loops[0]), disk->path);
    dm->live.sectors = 1;
}

bool fake_write_disk(uint32_t domid)
{
    const char *path = fake_domain(domid)->disks[0].path;
    char name[XENFORK__DM_NAME_BYTES];
    struct fake_thin *thin;
    struct fake_dm *dm;

    name_device(path, name);
    dm = fake_dm_named(name);
    thin = dm ? fake_thin_below(&dm->live) : NULL;
    if (thin)
        thin->mapped += 128;
    else if (fake_is_protected(path))
        fake_violation("%s is written to", path);
    return thin;
}
