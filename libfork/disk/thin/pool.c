/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/thin/pool.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/ids.h"
#include "state/files.h"
#include "state/keyfile.h"

#define BLOCK_SECTORS   (XENFORK__POOL_BLOCK_BYTES / XENFORK__SECTOR_BYTES)
#define META_BLOCK      4096U
#define MAX_META_BYTES  (16ULL << 30) /* THIN_METADATA_MAX_SECTORS */
#define MAX_ID          ((1U << 24) - 1)
#define STEP_BYTES      (256ULL << 20)
#define META_STEP_BYTES (16ULL << 20)
#define MIN_STEP_BYTES  (1ULL << 20)

struct pool {
    char name[XENFORK__DM_NAME_BYTES];
    char *record_path, *data, *meta;
    struct xenfork__keyfile *keyfile;
    uint64_t step_bytes;
};

static void pool_free(struct pool *pool)
{
    int e = errno;

    free(pool->record_path);
    free(pool->data);
    free(pool->meta);
    xenfork__keyfile_free(pool->keyfile);
    errno = e;
}
#define cleanup_pool __attribute__((cleanup(pool_free)))

uint64_t xenfork__pool_digest(const char *text)
{
    return xenfork__digest(text, strlen(text));
}

static char *pool_path(const char *dir, const char *file)
{
    char *path;

    return asprintf(&path, "%s/pool%s", dir, file) < 0 ? NULL : path;
}

void xenfork__pool_name(const char *dir, char name_out[XENFORK__DM_NAME_BYTES])
{
    cleanup_free char *meta = pool_path(dir, "/meta");
    struct stat st = {0};
    char key[64];

    /* Absent files have no device. */
    if (meta && !stat(meta, &st))
        snprintf(key, sizeof(key), "%" PRIu64 " %" PRIu64, (uint64_t)st.st_dev,
                 (uint64_t)st.st_ino);
    else
        snprintf(key, sizeof(key), "none");
    snprintf(name_out, XENFORK__DM_NAME_BYTES, "xenfork-%016" PRIx64 "-pool",
             xenfork__pool_digest(key));
}

/*
 * Load a pool.  NOTFOUND, not logged: there is none, or it was never finished.
 */
static int load_pool(xenfork_ctx *ctx, const char *dir, struct pool *pool)
{
    xenfork__pool_name(dir, pool->name);
    pool->record_path = pool_path(dir, "/record");
    pool->data = pool_path(dir, "/data");
    pool->meta = pool_path(dir, "/meta");
    if (!pool->record_path || !pool->data || !pool->meta)
        return xenfork__nomem(ctx);
    pool->step_bytes = STEP_BYTES;
    return xenfork__keyfile_read(ctx, pool->record_path, &pool->keyfile);
}

static int check_pool_record(xenfork_ctx *ctx, struct pool *pool)
{
    uint64_t next;

    if (!xenfork__keyfile_get(pool->keyfile, "uuid") ||
        !xenfork__keyfile_get_u64(pool->keyfile, "next_id", &next) ||
        !xenfork__keyfile_get_u64(pool->keyfile, "step_bytes",
                                  &pool->step_bytes) ||
        pool->step_bytes < MIN_STEP_BYTES)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is malformed",
                             pool->record_path);
    return 0;
}

static int no_space(xenfork_ctx *ctx, const struct pool *pool)
{
    xenfork__fail(ctx, XENFORK_E_NOSPC, 0,
                  "the file system of the thin pool is full: %s cannot grow",
                  pool->data);
    return xenfork__remedy(
        ctx, "make room there; domains whose writes wait then go on");
}

/* Make the files, and the record last: without it there is no pool. */
static int make_pool_files(xenfork_ctx *ctx, const char *dir, struct pool *pool)
{
    cleanup_free char *folder = pool_path(dir, "");
    char text[XENFORK__UUID_CHARS];
    const char *step = NULL;
    uint8_t uuid[16];
    int rc;

    if (!folder)
        return xenfork__nomem(ctx);
#if ENABLE_TEST_HOOKS
    step = getenv("XENFORK_TEST_POOL_STEP");
#endif
    if (step)
        pool->step_bytes = strtoull(step, NULL, 10);
    if ((rc = xenfork__dir_remove(ctx, folder)) < 0 ||
        (rc = xenfork__make_dir(ctx, folder)) < 0)
        return rc;
    if ((rc = xenfork__sys_file_extend(ctx, pool->meta, META_STEP_BYTES)) < 0 ||
        (rc = xenfork__sys_file_extend(ctx, pool->data, pool->step_bytes)) < 0)
        return rc == XENFORK_E_BUSY ? no_space(ctx, pool) : rc;
    xenfork__pool_name(dir, pool->name);
    if ((rc = xenfork__uuid_random(ctx, uuid)) < 0)
        return rc;
    xenfork__uuid_print(uuid, text);
    if ((rc = xenfork__keyfile_new(ctx, &pool->keyfile)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, pool->keyfile, "uuid", text)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, pool->keyfile, "next_id", 1)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, pool->keyfile, "step_bytes",
                                       pool->step_bytes)) < 0)
        return rc;
    return xenfork__keyfile_write(ctx, pool->record_path, pool->keyfile);
}

/* Return the pool's table; the devices are those of its files. */
static int table_of(xenfork_ctx *ctx, const struct pool *pool, const char *meta,
                    const char *data, uint64_t bytes, char **params_out,
                    struct xenfork__dm_table *table_out)
{
    if (asprintf(params_out, "%s %s %u %" PRIu64 " 1 ignore_discard", meta,
                 data, BLOCK_SECTORS,
                 pool->step_bytes / 2 / XENFORK__POOL_BLOCK_BYTES) < 0) {
        *params_out = NULL;
        return xenfork__nomem(ctx);
    }
    *table_out = (struct xenfork__dm_table){
        .sectors = bytes / XENFORK__POOL_BLOCK_BYTES * BLOCK_SECTORS,
        .type = "thin-pool",
        .params = *params_out};
    return 0;
}

static int activate(xenfork_ctx *ctx, const struct pool *pool)
{
    char meta[XENFORK__LOOP_BYTES], data[XENFORK__LOOP_BYTES];
    cleanup_close int meta_fd = -1;
    cleanup_close int data_fd = -1;
    cleanup_free char *params = NULL;
    struct xenfork__dm_table table;
    uint64_t bytes;
    int rc;

    if ((rc = xenfork__sys_disk_size(ctx, pool->data, &bytes, NULL)) < 0 ||
        (rc = xenfork__sys_loop(ctx, pool->meta, false, &meta_fd, meta)) < 0 ||
        (rc = xenfork__sys_loop(ctx, pool->data, false, &data_fd, data)) < 0 ||
        (rc = table_of(ctx, pool, meta, data, bytes, &params, &table)) < 0)
        return rc;
    return xenfork__sys_dm_create(ctx, pool->name, &table);
}

int xenfork__pool_use(xenfork_ctx *ctx, const char *dir)
{
    cleanup_pool struct pool pool = {0};
    struct xenfork__dm_info info;
    int rc = load_pool(ctx, dir, &pool);

    if (rc == XENFORK_E_NOTFOUND)
        rc = make_pool_files(ctx, dir, &pool);
    if (rc < 0 || (rc = check_pool_record(ctx, &pool)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, pool.name, &info)) < 0)
        return rc;
    if (!info.is_there)
        rc = activate(ctx, &pool);
    else if (info.is_suspended) /* the process that made it larger was killed */
        rc = xenfork__sys_dm_resume(ctx, pool.name);
    return rc < 0 ? rc : xenfork__sys_pool_watch(ctx, dir, pool.data);
}

static int watch_one(xenfork_ctx *ctx, const char *data)
{
    static const char end[] = "/pool/data";
    size_t length = strlen(data);
    cleanup_free char *dir = NULL;

    if (length <= strlen(end) || strcmp(data + length - strlen(end), end) != 0)
        return 0; /* it was removed, or is nobody's of ours */
    dir = strndup(data, length - strlen(end));
    return dir ? xenfork__sys_pool_watch(ctx, dir, data) : xenfork__nomem(ctx);
}

void xenfork__pools_watch(xenfork_ctx *ctx)
{
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);
    char **data = NULL;
    size_t count = 0, i;
    int rc = xenfork__sys_pools(ctx, &data, &count);

    if (rc < 0)
        LOG_WARN(ctx, "cannot list the thin pools to watch: %s, ignoring",
                 ctx->error.text);
    for (i = 0; i < count; i++) {
        if (watch_one(ctx, data[i]) < 0)
            LOG_WARN(ctx,
                     "no process makes the thin pool's %s larger: %s, ignoring",
                     data[i], ctx->error.text);
    }
    xenfork__names_free(data, count);
}

int xenfork__pool_uuid(xenfork_ctx *ctx, const char *dir, char **uuid_out)
{
    cleanup_pool struct pool pool = {0};
    int rc = load_pool(ctx, dir, &pool);

    if (rc < 0 || (rc = check_pool_record(ctx, &pool)) < 0)
        return rc;
    *uuid_out = strdup(xenfork__keyfile_get(pool.keyfile, "uuid"));
    return *uuid_out ? 0 : xenfork__nomem(ctx);
}

struct usage {
    uint64_t meta_used, meta_total, data_used, data_total; /* in blocks */
};

static int ask_usage(xenfork_ctx *ctx, const struct pool *pool,
                     struct usage *usage_out)
{
    cleanup_free char *status = NULL;
    int rc = xenfork__sys_dm_status(ctx, pool->name, &status);

    if (rc < 0)
        return rc;
    if (sscanf(status, "%*u %" SCNu64 "/%" SCNu64 " %" SCNu64 "/%" SCNu64,
               &usage_out->meta_used, &usage_out->meta_total,
               &usage_out->data_used, &usage_out->data_total) != 4)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "the pool %s does not work: its status is %s",
                             pool->name, status);
    return 0;
}

/* Extend the file, as far as its file system has space. */
static int extend(xenfork_ctx *ctx, const char *path, uint64_t step)
{
    uint64_t bytes;
    int rc = xenfork__sys_disk_size(ctx, path, &bytes, NULL);

    if (rc < 0)
        return rc;
    do {
        rc = xenfork__sys_file_extend(ctx, path, bytes + step);
        step /= 2;
    } while (rc == XENFORK_E_BUSY && step >= MIN_STEP_BYTES);
    return rc;
}

static int extend_files(xenfork_ctx *ctx, const struct pool *pool,
                        const struct usage *usage)
{
    uint64_t low = pool->step_bytes / 2 / XENFORK__POOL_BLOCK_BYTES;
    int rc = 0;

    if (usage->meta_total - usage->meta_used < usage->meta_total / 4 &&
        usage->meta_total * META_BLOCK < MAX_META_BYTES)
        rc = extend(ctx, pool->meta, META_STEP_BYTES);
    if (rc == 0 && usage->data_total - usage->data_used <= low)
        rc = extend(ctx, pool->data, pool->step_bytes);
    return rc == XENFORK_E_BUSY ? no_space(ctx, pool) : rc;
}

/* Load the table again: a pool sees the size of its devices only then. */
static int reload_table(xenfork_ctx *ctx, const struct pool *pool,
                        uint64_t bytes)
{
    char meta[XENFORK__LOOP_BYTES], data[XENFORK__LOOP_BYTES];
    cleanup_free char *type = NULL;
    cleanup_free char *now = NULL;
    cleanup_free char *params = NULL;
    struct xenfork__dm_table table;
    int rc = xenfork__sys_dm_table(ctx, pool->name, &type, &now);

    if (rc < 0)
        return rc;
    if (sscanf(now, "%23s %23s", meta, data) != 2)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0, "the pool %s has no table",
                             pool->name);
    if ((rc = xenfork__sys_loop_grow(ctx, meta)) < 0 ||
        (rc = xenfork__sys_loop_grow(ctx, data)) < 0 ||
        (rc = table_of(ctx, pool, meta, data, bytes, &params, &table)) < 0 ||
        (rc = xenfork__sys_dm_load(ctx, pool->name, &table)) < 0 ||
        (rc = xenfork__sys_dm_suspend(ctx, pool->name, false)) < 0)
        return rc;
    return xenfork__sys_dm_resume(ctx, pool->name);
}

int xenfork__pool_grow(xenfork_ctx *ctx, const char *dir)
{
    cleanup_pool struct pool pool = {0};
    uint64_t data_bytes, meta_bytes;
    struct usage usage;
    int rc, r;

    if ((rc = load_pool(ctx, dir, &pool)) < 0 ||
        (rc = check_pool_record(ctx, &pool)) < 0 ||
        (rc = ask_usage(ctx, &pool, &usage)) < 0)
        return rc;
    r = extend_files(ctx, &pool, &usage);
    /* Use the space that there was, even if it was not enough. */
    if ((rc = xenfork__sys_disk_size(ctx, pool.data, &data_bytes, NULL)) < 0 ||
        (rc = xenfork__sys_disk_size(ctx, pool.meta, &meta_bytes, NULL)) < 0)
        return rc;
    if (data_bytes / XENFORK__POOL_BLOCK_BYTES != usage.data_total ||
        meta_bytes / META_BLOCK != usage.meta_total)
        rc = reload_table(ctx, &pool, data_bytes);
    return rc < 0 ? rc : r;
}

int xenfork__pool_new_id(xenfork_ctx *ctx, const char *dir, uint64_t *id_out)
{
    cleanup_pool struct pool pool = {0};
    uint64_t id;
    int rc = load_pool(ctx, dir, &pool);

    if (rc < 0 || (rc = check_pool_record(ctx, &pool)) < 0)
        return rc;
    xenfork__keyfile_get_u64(pool.keyfile, "next_id", &id);
    if (id > MAX_ID) {
        xenfork__fail(ctx, XENFORK_E_DISK, 0,
                      "the pool %s has used up all %u numbers of devices",
                      pool.name, MAX_ID);
        return xenfork__remedy(
            ctx, "destroy the clones whose disks are in it: then a new pool is "
                 "made");
    }
    if ((rc = xenfork__keyfile_set_u64(ctx, pool.keyfile, "next_id", id + 1)) <
            0 ||
        (rc = xenfork__keyfile_write(ctx, pool.record_path, pool.keyfile)) < 0)
        return rc;
    *id_out = id;
    return 0;
}

static int tell_pool(xenfork_ctx *ctx, const char *dir, const char *what,
                     uint64_t id, const uint64_t *from)
{
    char name[XENFORK__DM_NAME_BYTES], text[96];

    xenfork__pool_name(dir, name);
    if (from)
        snprintf(text, sizeof(text), "%s %" PRIu64 " %" PRIu64, what, id,
                 *from);
    else
        snprintf(text, sizeof(text), "%s %" PRIu64, what, id);
    return xenfork__sys_dm_message(ctx, name, text);
}

int xenfork__pool_make(xenfork_ctx *ctx, const char *dir, uint64_t id)
{
    return tell_pool(ctx, dir, "create_thin", id, NULL);
}

int xenfork__pool_snapshot(xenfork_ctx *ctx, const char *dir, uint64_t id,
                           uint64_t from)
{
    return tell_pool(ctx, dir, "create_snap", id, &from);
}

int xenfork__pool_remove_device(xenfork_ctx *ctx, const char *dir, uint64_t id)
{
    int rc = tell_pool(ctx, dir, "delete", id, NULL);

    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

/* Return the first block of a snapshot of the metadata; 0: there is none */
static int held_root(xenfork_ctx *ctx, const struct pool *pool,
                     uint64_t *block_out)
{
    cleanup_free char *status = NULL;
    int rc = xenfork__sys_dm_status(ctx, pool->name, &status);

    *block_out = 0;
    if (rc == 0)
        sscanf(status, "%*u %*s %*s %" SCNu64, block_out);
    return rc;
}

/* Remove first what a killed process has left. */
static int hold_metadata(xenfork_ctx *ctx, const struct pool *pool,
                         uint64_t *block_out)
{
    int rc = held_root(ctx, pool, block_out);

    if (rc == 0 && *block_out)
        rc = xenfork__sys_dm_message(ctx, pool->name, "release_metadata_snap");
    if (rc == 0)
        rc = xenfork__sys_dm_message(ctx, pool->name, "reserve_metadata_snap");
    return rc < 0 ? rc : held_root(ctx, pool, block_out);
}

int xenfork__pool_map(xenfork_ctx *ctx, const char *dir, uint64_t id,
                      struct xenfork__thin_map *map_out)
{
    cleanup_pool struct pool pool = {0};
    cleanup_map struct xenfork__thin_map map = {0};
    uint64_t block;
    int rc = load_pool(ctx, dir, &pool), r;

    if (rc < 0 || (rc = hold_metadata(ctx, &pool, &block)) < 0)
        return rc;
    rc = xenfork__thin_map(ctx, pool.meta, block, id, &map);
    r = xenfork__sys_dm_message(ctx, pool.name, "release_metadata_snap");
    rc = rc < 0 ? rc : r;
    if (rc < 0)
        return rc;
    *map_out = map;
    map = (struct xenfork__thin_map){0};
    return 0;
}

int xenfork__pool_release(xenfork_ctx *ctx, const char *dir)
{
    char name[XENFORK__DM_NAME_BYTES];
    struct xenfork__dm_info info;
    int rc;

    xenfork__pool_name(dir, name);
    rc = xenfork__sys_dm_info(ctx, name, &info);
    if (rc < 0 || !info.is_there || info.open_count)
        return rc;
    rc = xenfork__sys_dm_remove(ctx, name);
    return rc == XENFORK_E_BUSY ? 0 : rc;
}

int xenfork__pool_remove(xenfork_ctx *ctx, const char *dir)
{
    char name[XENFORK__DM_NAME_BYTES];
    cleanup_free char *folder = pool_path(dir, "");
    cleanup_free char *keyfile = pool_path(dir, "/record");
    int rc;

    if (!folder || !keyfile)
        return xenfork__nomem(ctx);
    xenfork__pool_name(dir, name);
    rc = xenfork__sys_dm_remove(ctx, name);
    if (rc == XENFORK_E_BUSY)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0, "the pool %s is in use",
                             name);
    if (rc < 0 || (rc = xenfork__file_remove(ctx, keyfile)) < 0)
        return rc;
    return xenfork__dir_remove(ctx, folder);
}
