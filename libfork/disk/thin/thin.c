/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/thin/thin.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "disk/thin/pool.h"
#include "state/files.h"
#include "state/keyfile.h"

#define HEAD_PREFIX "disk-" /* a leading dot would hide it */
#define MAX_NAME    100

/*
 * Lock a file of root's own, and not the folder, which others may be able to
 * open, and to lock.  It is named by the folder above: that of the records may
 * not exist yet.
 */
int xenfork__thin_lock(xenfork_ctx *ctx, const char *dir,
                       struct xenfork__lock **lock_out)
{
    cleanup_free char *above = strdup(dir);
    char name[64];
    struct stat st;

    if (!above)
        return xenfork__nomem(ctx);
    *strrchr(above, '/') = '\0';
    if (stat(above[0] ? above : "/", &st))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot examine %s",
                             above);
    snprintf(name, sizeof(name), "disks-%" PRIx64 "-%" PRIx64,
             (uint64_t)st.st_dev, (uint64_t)st.st_ino);
    return xenfork__lock_take(ctx, name, true, lock_out);
}

/*
 * Name a head's record; the name is for people: the record itself names its
 * disk.
 */
static int name_head_record(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    const char *name = strrchr(thin->path, '/') + 1;

    if (thin->is_descriptor)
        thin->record = strdup(thin->path);
    else if (asprintf(&thin->record,
                      "%s/" HEAD_PREFIX "%.*s-%016" PRIx64 XENFORK__THIN_HEAD,
                      thin->dir, MAX_NAME, name,
                      xenfork__pool_digest(thin->origin_is)) < 0)
        thin->record = NULL;
    return thin->record ? 0 : xenfork__nomem(ctx);
}

static int malformed_record(xenfork_ctx *ctx, const char *keyfile)
{
    return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is malformed", keyfile);
}

static int set_text(xenfork_ctx *ctx, char **text, const char *value)
{
    free(*text);
    *text = value ? strdup(value) : NULL;
    return value && !*text ? xenfork__nomem(ctx) : 0;
}

/* Tell whether devices are recorded in this folder. */
static bool is_for_devices(const xenfork_ctx *ctx, const char *dir)
{
    cleanup_free char *path = xenfork__state_path(ctx, XENFORK__THIN_DIR, NULL);

    return path && xenfork__is_same_file(path, dir);
}

/*
 * Return the path of the origin.  A file is in the folder above, and is
 * recorded by its name there: a record that somebody has forged cannot make us
 * open anything else, and the folder may have another path by now.
 */
static int set_origin(xenfork_ctx *ctx, struct xenfork__thin *thin,
                      const char *origin)
{
    size_t above = (size_t)(strrchr(thin->dir, '/') - thin->dir);
    cleanup_free char *path = NULL;

    thin->is_on_device = origin[0] == '/' && is_for_devices(ctx, thin->dir);
    if (thin->is_on_device)
        return set_text(ctx, &thin->origin, origin);
    if (strchr(origin, '/') || !strcmp(origin, "..") || !strcmp(origin, ".")) {
        xenfork__miss(ctx, XENFORK_E_DISK,
                      "the record %s names a file in another folder: %s",
                      thin->record, origin);
        return xenfork__remedy(
            ctx,
            "xl fork does not make such records: find out who can write to "
            "its folder");
    }
    if (asprintf(&path, "%.*s/%s", (int)above, thin->dir, origin) < 0) {
        path = NULL;
        return xenfork__nomem(ctx);
    }
    return set_text(ctx, &thin->origin, path);
}

static int parse_thin(xenfork_ctx *ctx, struct xenfork__thin *thin,
                      const struct xenfork__keyfile *keyfile)
{
    const char *kind = xenfork__keyfile_get(keyfile, "kind");
    const char *origin = xenfork__keyfile_get(keyfile, "origin");
    const char *is = xenfork__keyfile_get(keyfile, "origin_is");
    const char *pool = xenfork__keyfile_get(keyfile, "pool");
    int rc;

    if (!xenfork__thin_is_whole(keyfile))
        return malformed_record(ctx, thin->record);
    xenfork__keyfile_get_u64(keyfile, "sectors", &thin->sectors);
    thin->is_base = !strcmp(kind, "base");
    thin->has_id = xenfork__keyfile_get_u64(keyfile, "id", &thin->id);
    if ((rc = set_origin(ctx, thin, origin)) < 0 ||
        (rc = set_text(ctx, &thin->origin_is, is)) < 0)
        return rc;
    return set_text(ctx, &thin->pool, pool);
}

/*
 * Refuse a record that was copied or renamed: there would be two of one disk.
 */
static int check_record_name(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                             const struct xenfork__keyfile *keyfile)
{
    const char *name = xenfork__keyfile_get(keyfile, "name");

    if (name && !strcmp(name, strrchr(thin->path, '/') + 1))
        return 0;
    xenfork__miss(ctx, XENFORK_E_DISK, "%s is the record of another disk, %s",
                  thin->path, name ? name : "without a name");
    return xenfork__remedy(
        ctx, "give it back its name; or remove it, if it is a copy");
}

static int read_descriptor(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    int rc = xenfork__keyfile_read(ctx, thin->record, &keyfile);

    if (rc < 0 || (rc = check_record_name(ctx, thin, keyfile)) < 0)
        return rc;
    return parse_thin(ctx, thin, keyfile);
}

/* Refuse a file that has the name now, but does not back the clones. */
static int replaced(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                    const char *is)
{
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "%s is now %s, and not %s, which backs the disks in %s",
                  thin->origin, thin->origin_is, is, thin->dir);
    return xenfork__remedy(ctx, "put that file back; give this one another "
                                "name");
}

/* Read one head, if it is that of this disk; is_out is left alone otherwise */
static int read_head(xenfork_ctx *ctx, const char *path,
                     struct xenfork__thin *thin, bool *is_out)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    const char *is, *origin;
    int rc = xenfork__keyfile_read(ctx, path, &keyfile);

    if (rc < 0)
        return rc;
    is = xenfork__keyfile_get(keyfile, "origin_is");
    origin = xenfork__keyfile_get(keyfile, "origin");
    if (!is || !origin)
        return malformed_record(ctx, path);
    if (strcmp(is, thin->origin_is) != 0)
        return thin->is_on_device ||
                       strcmp(origin, strrchr(thin->path, '/') + 1) != 0
                   ? 0
                   : replaced(ctx, thin, is);
    *is_out = true;
    rc = set_text(ctx, &thin->record, path);
    return rc < 0 ? rc : parse_thin(ctx, thin, keyfile);
}

struct find_head {
    struct xenfork__thin *thin;
    bool has;
};

/*
 * Tell by its name whether an unreadable record may be this disk's: of the same
 * inode, or of the same name, where the inode is another since.
 */
static bool may_be_own(const struct xenfork__thin *thin, const char *path)
{
    size_t length = strlen(thin->record);
    size_t end = strlen("-0123456789abcdef" XENFORK__THIN_HEAD);

    return xenfork__thin_is_head_of(path, thin->origin_is) ||
           (strlen(path) == length &&
            !strncmp(path, thin->record, length - end));
}

static int look_at_head(xenfork_ctx *ctx, const char *path, void *opaque)
{
    struct find_head *find = opaque;
    int rc;

    if (find->has)
        return 0;
    rc = read_head(ctx, path, find->thin, &find->has);
    if (rc != XENFORK_E_STATE || find->has || may_be_own(find->thin, path))
        return rc;
    LOG_WARN(ctx, "%s is unreadable, and another disk's than %s, ignoring",
             path, find->thin->path);
    return 0;
}

/* Read the record; without one it is a plain file or device. */
static int read_thin_record(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    struct find_head find = {.thin = thin};
    uint64_t bytes;
    int rc;

    if (thin->is_descriptor)
        return read_descriptor(ctx, thin);
    rc = xenfork__thin_each(ctx, thin->dir, XENFORK__THIN_HEAD, look_at_head,
                            &find);
    if (rc < 0 || find.has)
        return rc;
    rc = xenfork__sys_disk_size(ctx, thin->origin, &bytes, NULL);
    if (rc < 0)
        return rc;
    thin->sectors = bytes / XENFORK__SECTOR_BYTES;
    return thin->sectors
               ? 0
               : xenfork__thin_no_disk(ctx, thin->path, "it is empty");
}

static int find_thin(xenfork_ctx *ctx, const char *path, bool is_locking,
                     struct xenfork__thin **thin_out)
{
    cleanup_thin struct xenfork__thin *thin = calloc(1, sizeof(*thin));
    int rc;

    if (!thin)
        return xenfork__nomem(ctx);
    if ((rc = xenfork__thin_resolve(ctx, path, thin)) < 0 ||
        (rc = name_head_record(ctx, thin)) < 0 ||
        (is_locking &&
         (rc = xenfork__thin_lock(ctx, thin->dir, &thin->lock)) < 0) ||
        (rc = read_thin_record(ctx, thin)) < 0 ||
        (rc = xenfork__thin_name_devices(ctx, thin)) < 0)
        return rc;
    *thin_out = steal_ptr(thin);
    return 0;
}

int xenfork__thin_open(xenfork_ctx *ctx, const char *path,
                       struct xenfork__thin **thin_out)
{
    return find_thin(ctx, path, true, thin_out);
}

int xenfork__thin_peek(xenfork_ctx *ctx, const char *path,
                       struct xenfork__thin **thin_out)
{
    return find_thin(ctx, path, false, thin_out);
}

void xenfork__thin_close(struct xenfork__thin *thin)
{
    if (!thin)
        return;
    xenfork__lock_drop(thin->lock);
    free(thin->path);
    free(thin->dir);
    free(thin->record);
    free(thin->origin);
    free(thin->origin_is);
    free(thin->pool);
    free(thin);
}

int xenfork__thin_save(xenfork_ctx *ctx, const struct xenfork__thin *thin)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    const char *kind = !thin->is_descriptor ? "head"
                       : thin->is_base      ? "base"
                                            : "overlay";
    const char *origin = thin->is_on_device ? thin->origin
                                            : strrchr(thin->origin, '/') + 1;
    int rc;

    if ((rc = xenfork__keyfile_new(ctx, &keyfile)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "kind", kind)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "name",
                                   strrchr(thin->record, '/') + 1)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "origin", origin)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "origin_is",
                                   thin->origin_is)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "sectors",
                                       thin->sectors)) < 0 ||
        (thin->has_id &&
         ((rc = xenfork__keyfile_set(ctx, keyfile, "pool", thin->pool)) < 0 ||
          (rc = xenfork__keyfile_set_u64(ctx, keyfile, "id", thin->id)) < 0)))
        return rc;
    return xenfork__keyfile_write(ctx, thin->record, keyfile);
}

int xenfork__thin_is_in_pool(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                             bool *is_out)
{
    cleanup_free char *uuid = NULL;
    int rc = xenfork__pool_uuid(ctx, thin->dir, &uuid);

    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    *is_out = rc == 0 && thin->pool && !strcmp(uuid, thin->pool);
    return 0;
}

static int check_pool(xenfork_ctx *ctx, const struct xenfork__thin *thin)
{
    bool is_in_pool;
    int rc = thin->has_id ? xenfork__thin_is_in_pool(ctx, thin, &is_in_pool)
                          : 0;

    if (rc < 0 || !thin->has_id || is_in_pool)
        return rc;
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "disk %s is in pool %s, which is not the one in %s",
                  thin->path, thin->pool, thin->dir);
    return xenfork__remedy(
        ctx, "put it back into the folder in which it was made, with the other "
             "files of that folder");
}

/* Check a device, which may have another name since the host was started. */
static int check_thin_device(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    cleanup_free char *is = NULL;
    cleanup_free char *path = NULL;
    int rc = access(thin->origin, F_OK)
                 ? 0
                 : xenfork__thin_origin_is(ctx, thin->origin, &is);

    if (rc < 0 || (is && !strcmp(is, thin->origin_is)))
        return rc;
    rc = xenfork__sys_device_find(ctx, thin->origin_is, &path);
    return rc < 0 ? rc : set_text(ctx, &thin->origin, path);
}

static int check_thin_file(xenfork_ctx *ctx, const struct xenfork__thin *thin)
{
    cleanup_free char *is = NULL;
    int rc = xenfork__thin_origin_is(ctx, thin->origin, &is);

    if (rc < 0 || !strcmp(is, thin->origin_is))
        return rc;
    xenfork__miss(
        ctx, XENFORK_E_DISK,
        "disk %s is backed by %s as it was (%s), and another is there now (%s)",
        thin->path, thin->origin, thin->origin_is, is);
    return xenfork__remedy(ctx,
                           "put that file back; where this is a copy of "
                           "it, byte for byte, say so by origin_is in "
                           "the records in %s, whose last lines become \"sum "
                           "by-hand\"",
                           thin->dir);
}

int xenfork__thin_check(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    int rc = thin->is_on_device ? check_thin_device(ctx, thin)
                                : check_thin_file(ctx, thin);

    return rc < 0 ? rc : check_pool(ctx, thin);
}
