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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/internal.h"
#include "host/dm.h"

struct fake_dm *fake_dm_named(const char *name)
{
    uint32_t i;

    for (i = 0; i < FAKE_DMS; i++)
        if (fake->dms[i].name[0] && !strcmp(fake->dms[i].name, name))
            return &fake->dms[i];
    return NULL;
}

#define MAJOR 252U /* minors: indices of fake->dms */

static bool is_below(const struct fake_table *table, const char *name)
{
    const char *at = strstr(table->params, name);

    return at && strchr(" ", at[strlen(name)]);
}

/* Count those that have it open: other devices, and domains. */
static uint32_t openers(const struct fake_dm *dm)
{
    uint32_t i, n = dm->is_used;

    for (i = 0; i < FAKE_DMS; i++)
        if (fake->dms[i].name[0])
            n += is_below(&fake->dms[i].live, dm->name) +
                 is_below(&fake->dms[i].loaded, dm->name);
    return n;
}

int fake_dm_refuse(xenfork_ctx *ctx, int e, const char *name)
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
    const struct fake_dm *dm = fake_dm_named(name);

    FAKE_ENTER(ctx);
    *info_out = (struct xenfork__dm_info){0};
    if (dm)
        *info_out = (struct xenfork__dm_info){
            .is_there = true,
            .is_suspended = dm->is_suspended,
            .is_readonly = dm->live.is_readonly,
            .open_count = openers(dm),
            .major = MAJOR,
            .minor = (uint32_t)(dm - fake->dms)};
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
struct fake_thin *fake_thin_below(const struct fake_table *table)
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
    const struct xenfork__dm_table *line;
    size_t used = 0;

    memset(to, 0, sizeof(*to));
    fake_copy_string(to->type, sizeof(to->type), table->type);
    for (line = table; line; line = line->next) {
        used += (size_t)snprintf(to->params + used, sizeof(to->params) - used,
                                 "%s%s", used ? " | " : "", line->params);
        if (used >= sizeof(to->params))
            abort();
        to->sectors += line->sectors;
    }
    to->is_readonly = table->is_readonly;
    return strcmp(to->type, "thin") || fake_thin_below(to);
}

int xenfork__sys_dm_create(xenfork_ctx *ctx, const char *name,
                           const struct xenfork__dm_table *table)
{
    struct fake_dm *dm = fake->dms;

    FAKE_ENTER(ctx);
    if (fake_dm_named(name))
        return fake_dm_refuse(ctx, EBUSY, name);
    while (dm->name[0])
        if (++dm == fake->dms + FAKE_DMS)
            abort();
    memset(dm, 0, sizeof(*dm));
    if (!set_table(&dm->live, table))
        return fake_dm_refuse(ctx, EINVAL, name);
    fake_copy_string(dm->name, sizeof(dm->name), name);
    return fake_leave(0);
}

int xenfork__sys_dm_load(xenfork_ctx *ctx, const char *name,
                         const struct xenfork__dm_table *table)
{
    struct fake_dm *dm = fake_dm_named(name);

    FAKE_ENTER(ctx);
    if (!dm || !set_table(&dm->loaded, table))
        return fake_dm_refuse(ctx, ENXIO, name);
    return fake_leave(0);
}

int xenfork__sys_dm_clear(xenfork_ctx *ctx, const char *name)
{
    struct fake_dm *dm = fake_dm_named(name);

    FAKE_ENTER(ctx);
    if (!dm)
        return fake_dm_refuse(ctx, ENXIO, name);
    memset(&dm->loaded, 0, sizeof(dm->loaded));
    return fake_leave(0);
}

int xenfork__sys_dm_suspend(xenfork_ctx *ctx, const char *name, bool is_flushed)
{
    struct fake_dm *dm = fake_dm_named(name);

    FAKE_ENTER(ctx);
    if (!dm)
        return fake_dm_refuse(ctx, ENXIO, name);
    if (is_flushed == !strcmp(dm->live.type, "thin-pool"))
        fake_violation("%s: what is under way is handled wrongly", name);
    dm->is_suspended = true;
    return fake_leave(0);
}

int xenfork__sys_dm_resume(xenfork_ctx *ctx, const char *name)
{
    struct fake_dm *dm = fake_dm_named(name);

    FAKE_ENTER(ctx);
    if (!dm)
        return fake_dm_refuse(ctx, ENXIO, name);
    if (dm->loaded.type[0]) {
        dm->live = dm->loaded;
        memset(&dm->loaded, 0, sizeof(dm->loaded));
    }
    dm->is_suspended = false;
    return fake_leave(0);
}

static int remove_device(xenfork_ctx *ctx, const char *name)
{
    struct fake_dm *dm = fake_dm_named(name);

    if (dm && openers(dm))
        return fake_leave(xenfork__miss(ctx, XENFORK_E_BUSY, "%s", name));
    if (dm)
        memset(dm, 0, sizeof(*dm));
    return fake_leave(0);
}

int xenfork__sys_dm_remove(xenfork_ctx *ctx, const char *name)
{
    struct fake_dm *dm = fake_dm_named(name);

    FAKE_ENTER(ctx);
    if (dm && dm->live.is_readonly && openers(dm))
        fake_violation("%s is shared, and is waited for", name);
    return remove_device(ctx, name);
}

int xenfork__sys_dm_remove_soon(xenfork_ctx *ctx, const char *name)
{
    FAKE_ENTER(ctx);
    return remove_device(ctx, name);
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
    if (sscanf(fake_dm_named(pool)->live.params, "7:%u", &meta) != 1)
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
        if (fake->dms[i].name[0] &&
            (fake_thin_below(&fake->dms[i].live) == thin ||
             fake_thin_below(&fake->dms[i].loaded) == thin))
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
    if (!fake_dm_named(name))
        e = ENXIO;
    else if (sscanf(message, "create_thin %" SCNu64, &id) == 1)
        e = make_thin(name, id, 0);
    else if (sscanf(message, "create_snap %" SCNu64 " %" SCNu64, &id, &from) ==
             2)
        e = snapshot(name, id, from);
    else if (sscanf(message, "delete %" SCNu64, &id) == 1)
        e = forget(name, id);
    else if (!strcmp(message, "reserve_metadata_snap"))
        e = hold(fake_dm_named(name));
    else if (!strcmp(message, "release_metadata_snap"))
        e = let_go(fake_dm_named(name));
    if (e == ENODATA)
        return fake_leave(xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no device"));
    return e ? fake_dm_refuse(ctx, e, message) : fake_leave(0);
}

/* The kernel says numbers for names. */
static char *print_params(const struct fake_dm *dm)
{
    const struct fake_thin *thin = fake_thin_below(&dm->live);
    const struct fake_dm *pool = thin ? fake_dm_named(thin->pool) : NULL;
    char *text;

    if (!thin)
        return strdup(dm->live.params);
    if (asprintf(&text, "%u:%u %" PRIu64, MAJOR,
                 pool ? (uint32_t)(pool - fake->dms) : FAKE_DMS, thin->id) < 0)
        return NULL;
    return text;
}

int xenfork__sys_dm_table(xenfork_ctx *ctx, const char *name, char **type_out,
                          char **params_out)
{
    const struct fake_dm *dm = fake_dm_named(name);

    FAKE_ENTER(ctx);
    if (!dm)
        return fake_dm_refuse(ctx, ENXIO, name);
    *type_out = strdup(dm->live.type);
    *params_out = print_params(dm);
    return fake_leave(*type_out && *params_out ? 0 : xenfork__nomem(ctx));
}

int xenfork__sys_dm_status(xenfork_ctx *ctx, const char *name,
                           char **status_out)
{
    const struct fake_dm *dm = fake_dm_named(name);
    const struct fake_thin *thin = dm ? fake_thin_below(&dm->live) : NULL;
    uint64_t total = dm ? dm->live.sectors / 128 : 0;
    int n;

    FAKE_ENTER(ctx);
    if (!dm)
        return fake_dm_refuse(ctx, ENXIO, name);
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

/* A mirrored write is in both at once. */
int xenfork__sys_dm_status_at(xenfork_ctx *ctx, const char *name,
                              uint64_t start, char **status_out)
{
    const struct fake_dm *dm = fake_dm_named(name);

    FAKE_ENTER(ctx);
    if (!dm || strcmp(dm->live.type, "mirror") || start >= dm->live.sectors)
        return fake_dm_refuse(ctx, ENXIO, name);
    *status_out = strdup(fake->mirror_is_broken
                             ? "2 253:1 7:0 1/4 1 AD 1 core"
                             : "2 253:1 7:0 4/4 1 AA 1 core");
    return fake_leave(*status_out ? 0 : xenfork__nomem(ctx));
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
