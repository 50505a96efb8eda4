/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loop devices and files of the fake's disks; a loop device is the number of
 * a file.  And what block-fork does for a domain's disk.
 */
#include "config.h"

#include "fake-xen.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/internal.h"
#include "disk/thin/pool.h"
#include "disk/thin/thin.h"
#include "host/dm.h"
#include "power.h"
#include "state/keyfile.h"

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

/* A file in a folder "dev" is a device, which is its inode. */
static bool is_device(const char *path)
{
    return strstr(path, "/dev/");
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
        .is_device = is_device(path),
        .device = is_device(path) ? st.st_ino : st.st_dev,
        .inode = is_device(path) ? 0 : st.st_ino};
    return fake_leave(0);
}

bool xenfork__sys_is_mounted(const char *path)
{
    return !fake->is_unmounted && !strcmp(path, fake->mount);
}

char *xenfork__sys_mount_of(const char *path)
{
    size_t length = strlen(fake->mount);

    return length && !strncmp(path, fake->mount, length) ? strdup(fake->mount)
                                                         : NULL;
}

int xenfork__sys_overlaps(xenfork_ctx *ctx, const char *a, const char *b,
                          bool *is_out)
{
    const char *x = fake->overlapping[0], *y = fake->overlapping[1];

    FAKE_ENTER(ctx);
    if (access(a, F_OK) || access(b, F_OK))
        return fake_dm_refuse(ctx, ENOENT, a);
    *is_out = (!strcmp(a, x) && !strcmp(b, y)) ||
              (!strcmp(a, y) && !strcmp(b, x));
    return fake_leave(0);
}

int xenfork__sys_disk_is(xenfork_ctx *ctx, const char *path,
                         char is_out[XENFORK__DISK_IS])
{
    struct stat st;

    FAKE_ENTER(ctx);
    is_out[0] = '\0';
    if (!stat(path, &st))
        snprintf(is_out, XENFORK__DISK_IS,
                 "file %" PRIu64 XENFORK__DISK_WRITTEN "%lld.%09ld",
                 (uint64_t)st.st_ino, (long long)st.st_mtim.tv_sec,
                 st.st_mtim.tv_nsec);
    return fake_leave(0);
}

int xenfork__sys_device_name(xenfork_ctx *ctx, const char *path,
                             uint64_t number, char **node_out, char **is_out)
{
    FAKE_ENTER(ctx);
    *node_out = realpath(path, NULL);
    if (asprintf(is_out, "fake %" PRIu64, number) < 0 || !*node_out)
        abort();
    return fake_leave(0);
}

int xenfork__sys_device_find(xenfork_ctx *ctx, const char *is, char **node_out)
{
    (void)node_out;
    FAKE_ENTER(ctx);
    return fake_leave(
        xenfork__miss(ctx, XENFORK_E_DISK, "no device \"%s\"", is));
}

int xenfork__sys_disk_size(xenfork_ctx *ctx, const char *path,
                           uint64_t *bytes_out, bool *is_file_out)
{
    struct stat st;

    FAKE_ENTER(ctx);
    if (stat(path, &st))
        return fake_dm_refuse(ctx, errno, path);
    /* Disks of the tests are small. */
    *bytes_out = (uint64_t)st.st_size + 512;
    if (is_file_out)
        *is_file_out = !is_device(path);
    return fake_leave(0);
}

int xenfork__sys_disk_flush(xenfork_ctx *ctx, const char *path)
{
    FAKE_ENTER(ctx);
    if (strncmp(path, "/dev/mapper/", 12) ? access(path, F_OK)
                                          : !fake_dm_named(path + 12))
        return fake_dm_refuse(ctx, ENOENT, path);
    power_flushed(path);
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
    power_flushed(path);
    return fake_leave(0);
}

/* Compare the files, whatever they are called. */
static bool is_same_file(const char *one, const char *other)
{
    struct stat a, b;

    return !strcmp(one, other) ||
           (!stat(one, &a) && !stat(other, &b) && a.st_dev == b.st_dev &&
            a.st_ino == b.st_ino);
}

bool fake_is_protected(const char *path)
{
    uint32_t i;

    for (i = 0; i < FAKE_LOOPS; i++)
        if (fake->is_protected[i][0] &&
            is_same_file(fake->is_protected[i], path))
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
    for (i = 0; is_protected ? fake->is_protected[i][0] != '\0'
                             : !fake->is_protected[i][0] ||
                                   !is_same_file(fake->is_protected[i], path);
         i++)
        if (i == FAKE_LOOPS - 1)
            abort();
    fake_copy_string(fake->is_protected[i], sizeof(fake->is_protected[i]),
                     is_protected ? path : "");
    if (!is_protected)
        power_flushed(path);
    return fake_leave(0);
}

int xenfork__sys_file_is_protected(xenfork_ctx *ctx, const char *path,
                                   bool *is_out)
{
    FAKE_ENTER(ctx);
    *is_out = fake_is_protected(path);
    return fake_leave(0);
}

int xenfork__sys_file_can_protect(xenfork_ctx *ctx, const char *path,
                                  bool *can_out)
{
    FAKE_ENTER(ctx);
    *can_out = !fake->cannot_protect && !is_device(path);
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

/* Nothing fails without it: no call is counted. */
int xenfork__sys_pools(xenfork_ctx *ctx, char ***data_out, size_t *count_out)
{
    uint32_t i, meta, data;

    *data_out = calloc(FAKE_DMS, sizeof(**data_out));
    *count_out = 0;
    (void)ctx;
    for (i = 0; i < FAKE_DMS; i++)
        if (fake->dms[i].name[0] &&
            !strcmp(fake->dms[i].live.type, "thin-pool") &&
            sscanf(fake->dms[i].live.params, "7:%u 7:%u", &meta, &data) == 2)
            (*data_out)[(*count_out)++] = strdup(fake->loops[data]);
    return 0;
}

int xenfork__sys_pool_watch(xenfork_ctx *ctx, const char *dir, const char *data)
{
    (void)dir;
    FAKE_ENTER(ctx);
    if (access(data, F_OK))
        return fake_dm_refuse(ctx, ENOENT, data);
    fake->pools_watched++;
    return fake_leave(0);
}

/* As disk/thin/name.c names it, without a call that could be made to fail. */
static void name_device(const char *path, char name_out[XENFORK__DM_NAME_BYTES])
{
    cleanup_free char *real = realpath(path, NULL);
    char is[64], dir[PATH_MAX + 16];
    struct xenfork__thin thin = {.path = real, .dir = dir, .origin_is = is};
    xenfork_ctx ctx = {.guard_fd = -1};
    struct stat st;

    if (xenfork__thin_ends_in(path, XENFORK__THIN_SUFFIX)) {
        xenfork__thin_name_overlay(path, name_out);
        return;
    }
    if (!real || stat(real, &st)) {
        fake_copy_string(name_out, XENFORK__DM_NAME_BYTES, "none");
        return;
    }
    thin.is_on_device = is_device(real);
    snprintf(is, sizeof(is), "%s %" PRIu64, is_device(real) ? "fake" : "inode",
             (uint64_t)st.st_ino);
    snprintf(dir, sizeof(dir), "%.*s/.xenfork",
             (int)(strrchr(real, '/') - real), real);
    if (xenfork__thin_name_devices(&ctx, &thin) < 0)
        abort();
    fake_copy_string(name_out, XENFORK__DM_NAME_BYTES, thin.device);
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
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    cleanup_free char *dir = strdup(path);
    char pool[XENFORK__DM_NAME_BYTES], name[XENFORK__DM_NAME_BYTES];
    struct fake_dm *dm;
    uint64_t id, sectors;

    name_device(path, name);
    dm = fake_dm_named(name);
    if (dm) { /* the library has attached it */
        dm->is_used = true;
        return;
    }
    *strrchr(dir, '/') = '\0';
    if (xenfork__keyfile_read(&ctx, path, &keyfile) < 0 ||
        !xenfork__keyfile_get_u64(keyfile, "id", &id) ||
        !xenfork__keyfile_get_u64(keyfile, "sectors", &sectors)) {
        fake_violation("there is no disk %s: %s", path, ctx.error.text);
        return;
    }
    xenfork__pool_name(dir, pool);
    dm = use_device(path);
    strcpy(dm->live.type, "thin");
    dm->live.sectors = sectors;
    snprintf(dm->live.params, sizeof(dm->live.params),
             "/dev/mapper/%s %" PRIu64, pool, id);
    if (!fake_thin_below(&dm->live))
        fake_violation("the pool has no disk %s", path);
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
