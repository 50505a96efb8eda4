/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake's device-mapper: tables, pools with thin devices, loop devices as
 * numbers of files.  What the kernel punishes, or loses data by, is a
 * violation.
 */
#include "config.h"

#include "fake-xen.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "sys-dm.h"
#include "thin-pool.h"
#include "thin.h"

static struct fake_dm *find(const char *name)
{
    uint32_t i;

    for (i = 0; i < FAKE_DMS; i++)
        if (fake->dms[i].name[0] && !strcmp(fake->dms[i].name, name))
            return &fake->dms[i];
    return NULL;
}

static bool is_below(const struct fake_table *table, const char *name)
{
    const char *at = strstr(table->params, name);

    return at && strchr(" ", at[strlen(name)]);
}

/* Who has it open: other devices, and domains. */
static uint32_t openers(const struct fake_dm *dm)
{
    uint32_t i, n = dm->is_used;

    for (i = 0; i < FAKE_DMS; i++)
        if (fake->dms[i].name[0])
            n += is_below(&fake->dms[i].live, dm->name) +
                 is_below(&fake->dms[i].loaded, dm->name);
    return n;
}

static int refuse(xenfork_ctx *ctx, int e, const char *name)
{
    return fake_leave(
        xenfork__fail(ctx, XENFORK_E_DISK, e, "device-mapper: %s", name));
}

int xenfork__sys_dm_check(xenfork_ctx *ctx)
{
    FAKE_ENTER(ctx);
    if (fake->cannot_thin)
        return fake_leave(
            xenfork__miss(ctx, XENFORK_E_DISK, "no dm-thin-pool"));
    return fake_leave(0);
}

int xenfork__sys_dm_info(xenfork_ctx *ctx, const char *name,
                         struct xenfork__dm_info *info_out)
{
    const struct fake_dm *dm = find(name);

    FAKE_ENTER(ctx);
    *info_out = (struct xenfork__dm_info){0};
    if (dm)
        *info_out = (struct xenfork__dm_info){
            .is_there = true,
            .is_suspended = dm->is_suspended,
            .is_readonly = dm->live.is_readonly,
            .open_count = openers(dm)};
    return fake_leave(0);
}

static struct fake_thin *thin_of(const char *pool, uint64_t id)
{
    uint32_t i;

    for (i = 0; i < FAKE_THINS; i++)
        if (fake->thins[i].id == id && !strcmp(fake->thins[i].pool, pool))
            return &fake->thins[i];
    return NULL;
}

/* A thin device's own, by its table: "/dev/mapper/POOL ID /dev/mapper/ORIGIN"
 */
static struct fake_thin *thin_below(const struct fake_table *table)
{
    char pool[FAKE_PATH];
    uint64_t id;

    if (strcmp(table->type, "thin") ||
        sscanf(table->params, "/dev/mapper/%255s %" SCNu64, pool, &id) != 2)
        return NULL;
    return thin_of(pool, id);
}

static bool set_table(struct fake_table *to,
                      const struct xenfork__dm_table *table)
{
    fake_copy_string(to->type, sizeof(to->type), table->type);
    fake_copy_string(to->params, sizeof(to->params), table->params);
    to->sectors = table->sectors;
    to->is_readonly = table->is_readonly;
    return strcmp(to->type, "thin") || thin_below(to);
}

int xenfork__sys_dm_create(xenfork_ctx *ctx, const char *name,
                           const struct xenfork__dm_table *table)
{
    struct fake_dm *dm = fake->dms;

    FAKE_ENTER(ctx);
    if (find(name))
        return refuse(ctx, EBUSY, name);
    while (dm->name[0])
        if (++dm == fake->dms + FAKE_DMS)
            abort();
    memset(dm, 0, sizeof(*dm));
    if (!set_table(&dm->live, table))
        return refuse(ctx, EINVAL, name);
    fake_copy_string(dm->name, sizeof(dm->name), name);
    return fake_leave(0);
}

int xenfork__sys_dm_load(xenfork_ctx *ctx, const char *name,
                         const struct xenfork__dm_table *table)
{
    struct fake_dm *dm = find(name);

    FAKE_ENTER(ctx);
    if (!dm || !set_table(&dm->loaded, table))
        return refuse(ctx, ENXIO, name);
    return fake_leave(0);
}

int xenfork__sys_dm_clear(xenfork_ctx *ctx, const char *name)
{
    struct fake_dm *dm = find(name);

    FAKE_ENTER(ctx);
    if (!dm)
        return refuse(ctx, ENXIO, name);
    memset(&dm->loaded, 0, sizeof(dm->loaded));
    return fake_leave(0);
}

int xenfork__sys_dm_suspend(xenfork_ctx *ctx, const char *name, bool is_flushed)
{
    struct fake_dm *dm = find(name);

    FAKE_ENTER(ctx);
    if (!dm)
        return refuse(ctx, ENXIO, name);
    if (is_flushed == !strcmp(dm->live.type, "thin-pool"))
        fake_violation("%s: what is under way is handled wrongly", name);
    dm->is_suspended = true;
    return fake_leave(0);
}

int xenfork__sys_dm_resume(xenfork_ctx *ctx, const char *name)
{
    struct fake_dm *dm = find(name);

    FAKE_ENTER(ctx);
    if (!dm)
        return refuse(ctx, ENXIO, name);
    if (dm->loaded.type[0]) {
        dm->live = dm->loaded;
        memset(&dm->loaded, 0, sizeof(dm->loaded));
    }
    dm->is_suspended = false;
    return fake_leave(0);
}

int xenfork__sys_dm_remove(xenfork_ctx *ctx, const char *name)
{
    struct fake_dm *dm = find(name);

    FAKE_ENTER(ctx);
    if (dm && openers(dm))
        return fake_leave(xenfork__miss(ctx, XENFORK_E_BUSY, "%s", name));
    if (dm)
        memset(dm, 0, sizeof(*dm));
    return fake_leave(0);
}

static int make_thin(const char *pool, uint64_t id, uint64_t mapped)
{
    struct fake_thin *thin = fake->thins;
    uint32_t meta = 0;

    if (thin_of(pool, id)) {
        fake_violation("%s has a device %" PRIu64, pool, id);
        return EEXIST;
    }
    while (thin->id)
        if (++thin == fake->thins + FAKE_THINS)
            abort();
    fake_copy_string(thin->pool, sizeof(thin->pool), pool);
    if (sscanf(find(pool)->live.params, "7:%u", &meta) != 1)
        abort();
    fake_copy_string(thin->meta, sizeof(thin->meta), fake->loops[meta]);
    thin->id = id;
    thin->mapped = mapped;
    return 0;
}

/* The device in use that a thin device of a pool has. */
static const struct fake_dm *device_of(const struct fake_thin *thin)
{
    uint32_t i;

    for (i = 0; i < FAKE_DMS; i++)
        if (fake->dms[i].name[0] && (thin_below(&fake->dms[i].live) == thin ||
                                     thin_below(&fake->dms[i].loaded) == thin))
            return &fake->dms[i];
    return NULL;
}

static int snapshot(const char *pool, uint64_t id, uint64_t from)
{
    const struct fake_thin *origin = thin_of(pool, from);
    const struct fake_dm *dm = origin ? device_of(origin) : NULL;

    if (!origin)
        return ENODATA;
    if (dm && !dm->is_suspended && !dm->live.is_readonly)
        fake_violation("a snapshot of %s, which is in use", dm->name);
    return make_thin(pool, id, origin->mapped);
}

static int forget(const char *pool, uint64_t id)
{
    struct fake_thin *thin = thin_of(pool, id);

    if (!thin)
        return ENODATA;
    if (device_of(thin))
        return EBUSY;
    memset(thin, 0, sizeof(*thin));
    return 0;
}

static void put64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

static void put_block(FILE *f, uint32_t block, const uint8_t data[4096])
{
    if (fseek(f, (long)block * 4096, SEEK_SET) || !fwrite(data, 4096, 1, f))
        abort();
}

/* A leaf; node[16]: its entries */
static void add_entry(uint8_t node[4096], uint64_t key, uint64_t value)
{
    uint8_t *count = &node[16];

    node[4] = 2;
    node[20] = 252;
    node[24] = 8;
    put64(node + 32 + *count * 8, key);
    put64(node + 32 + (252 + *count) * 8, value);
    ++*count;
}

#define SUPERBLOCK 7U

/* As dm-thin-metadata.c writes it, with one node a tree. */
static int hold(struct fake_dm *pool)
{
    uint8_t super[4096] = {0}, devices[4096] = {0};
    uint32_t i, meta = 0, block = SUPERBLOCK + 2;
    uint64_t n;
    FILE *f;

    if (pool->held_root || sscanf(pool->live.params, "7:%u", &meta) != 1)
        return EBUSY;
    f = fopen(fake->loops[meta], "r+");
    if (!f)
        abort();
    put64(super + 32, 27022010);
    super[40] = 2;
    put64(super + 320, SUPERBLOCK + 1);
    put_block(f, SUPERBLOCK, super);
    add_entry(devices, 0, 0); /* an empty node has no form */
    for (i = 0; i < FAKE_THINS; i++) {
        uint8_t blocks[4096] = {0};

        if (!fake->thins[i].id || strcmp(fake->thins[i].pool, pool->name))
            continue;
        for (n = 0; n < fake->thins[i].mapped / 128 && n < 250; n++)
            add_entry(blocks, n * 3, n << 24);
        add_entry(devices, fake->thins[i].id, block);
        put_block(f, block++, blocks);
    }
    put_block(f, SUPERBLOCK + 1, devices);
    fclose(f);
    pool->held_root = SUPERBLOCK;
    return 0;
}

static int let_go(struct fake_dm *pool)
{
    if (!pool->held_root)
        return EINVAL;
    pool->held_root = 0;
    return 0;
}

int xenfork__sys_dm_message(xenfork_ctx *ctx, const char *name,
                            const char *message)
{
    uint64_t id, from;
    int e = EINVAL;

    FAKE_ENTER(ctx);
    if (!find(name))
        e = ENXIO;
    else if (sscanf(message, "create_thin %" SCNu64, &id) == 1)
        e = make_thin(name, id, 0);
    else if (sscanf(message, "create_snap %" SCNu64 " %" SCNu64, &id, &from) ==
             2)
        e = snapshot(name, id, from);
    else if (sscanf(message, "delete %" SCNu64, &id) == 1)
        e = forget(name, id);
    else if (!strcmp(message, "reserve_metadata_snap"))
        e = hold(find(name));
    else if (!strcmp(message, "release_metadata_snap"))
        e = let_go(find(name));
    if (e == ENODATA)
        return fake_leave(xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no device"));
    return e ? refuse(ctx, e, message) : fake_leave(0);
}

int xenfork__sys_dm_table(xenfork_ctx *ctx, const char *name, char **type_out,
                          char **params_out)
{
    const struct fake_dm *dm = find(name);

    FAKE_ENTER(ctx);
    if (!dm)
        return refuse(ctx, ENXIO, name);
    *type_out = strdup(dm->live.type);
    *params_out = strdup(dm->live.params);
    return fake_leave(*type_out && *params_out ? 0 : xenfork__nomem(ctx));
}

int xenfork__sys_dm_status(xenfork_ctx *ctx, const char *name,
                           char **status_out)
{
    const struct fake_dm *dm = find(name);
    const struct fake_thin *thin = dm ? thin_below(&dm->live) : NULL;
    uint64_t total = dm ? dm->live.sectors / 128 : 0;
    int n;

    FAKE_ENTER(ctx);
    if (!dm)
        return refuse(ctx, ENXIO, name);
    if (thin)
        n = asprintf(status_out, "%" PRIu64 " %" PRIu64, thin->mapped,
                     thin->mapped);
    else
        n = asprintf(status_out,
                     "0 420/4096 %" PRIu64 "/%" PRIu64
                     " %s rw ignore_discard queue_if_no_space - 1024",
                     fake->pool_is_full ? total : 0, total,
                     dm->held_root ? "7" : "-");
    return fake_leave(n < 0 ? xenfork__nomem(ctx) : 0);
}

/* One number for each file. */
int xenfork__sys_loop(xenfork_ctx *ctx, const char *file, bool is_readonly,
                      int *fd_out, char device_out[XENFORK__LOOP_BYTES])
{
    uint32_t i = 0;

    FAKE_ENTER(ctx);
    if (access(file, F_OK))
        return refuse(ctx, ENOENT, file);
    if (!is_readonly && fake_is_protected(file))
        return refuse(ctx, EPERM, file);
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

int xenfork__sys_disk_size(xenfork_ctx *ctx, const char *path,
                           uint64_t *bytes_out, bool *is_file_out)
{
    struct stat st;

    FAKE_ENTER(ctx);
    if (stat(path, &st))
        return refuse(ctx, errno, path);
    /* Those of the tests are small. */
    *bytes_out = (uint64_t)st.st_size + 512;
    if (is_file_out)
        *is_file_out = S_ISREG(st.st_mode);
    return fake_leave(0);
}

int xenfork__sys_disk_flush(xenfork_ctx *ctx, const char *path)
{
    FAKE_ENTER(ctx);
    if (strncmp(path, "/dev/mapper/", 12) || !find(path + 12))
        return refuse(ctx, ENOENT, path);
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
        return refuse(ctx, errno, path);
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
        !find(from + 12) || block_bytes != 65536)
        return refuse(ctx, EPERM, to);
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
        return refuse(ctx, ENOENT, data);
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
    if (!thin_below(&dm->live))
        fake_violation("the pool has no disk %s", path);
    xenfork__thin_close(thin);
}

void fake_detach(const char *path)
{
    char name[XENFORK__DM_NAME_BYTES];
    struct fake_dm *dm;

    name_device(path, name);
    dm = find(name);
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
    dm = find(name);
    thin = dm ? thin_below(&dm->live) : NULL;
    if (thin)
        thin->mapped += 128;
    else if (fake_is_protected(path))
        fake_violation("%s is written to", path);
    return thin;
}

static void put_table(FILE *f, const char *what, const struct fake_table *table)
{
    fprintf(f, " %s: %s %s %" PRIu64 "%s", what, table->type, table->params,
            table->sectors, table->is_readonly ? " ro" : "");
}

void fake_put_dms(FILE *f)
{
    uint32_t i;

    for (i = 0; i < FAKE_DMS; i++) {
        const struct fake_dm *dm = &fake->dms[i];

        if (!dm->name[0])
            continue;
        fprintf(f, "dm %s%s", dm->name, dm->is_suspended ? " suspended" : "");
        put_table(f, "is", &dm->live);
        put_table(f, "loaded", &dm->loaded);
        fputc('\n', f);
    }
    for (i = 0; i < FAKE_THINS; i++)
        if (fake->thins[i].id && access(fake->thins[i].meta, F_OK) == 0)
            fprintf(f, "thin %s %" PRIu64 " %" PRIu64 "\n", fake->thins[i].pool,
                    fake->thins[i].id, fake->thins[i].mapped);
    for (i = 0; i < FAKE_LOOPS; i++)
        if (fake->is_protected[i][0])
            fprintf(f, "protected %s\n", fake->is_protected[i]);
}
