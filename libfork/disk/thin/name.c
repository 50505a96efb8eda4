/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Find the disk for which a path stands.  Two paths are one disk if they lead
 * to one inode, or to one block device; a path that leads elsewhere by now is
 * another disk.  Names are for people, and for finding the folder.
 */
#include "disk/thin/thin.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "disk/thin/pool.h"
#include "state/files.h"

#define MAX_NAME 100U

int xenfork__thin_no_disk(xenfork_ctx *ctx, const char *path, const char *why)
{
    return xenfork__fail(ctx, XENFORK_E_DISK, 0, "no disk %s: %s", path, why);
}

bool xenfork__thin_ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length > end_length && !strcmp(text + length - end_length, end);
}

int xenfork__thin_each(xenfork_ctx *ctx, const char *dir, const char *end,
                       xenfork__thin_file_fn *look, void *opaque)
{
    char **names;
    size_t count, i;
    int rc = xenfork__dir_names(ctx, dir, &names, &count);

    if (rc < 0)
        return rc;
    for (i = 0; i < count && rc >= 0; i++) {
        cleanup_free char *path = NULL;

        if (!xenfork__thin_ends_in(names[i], end))
            continue;
        if (asprintf(&path, "%s/%s", dir, names[i]) < 0) {
            path = NULL;
            rc = xenfork__nomem(ctx);
        } else {
            rc = look(ctx, path, opaque);
        }
    }
    xenfork__names_free(names, count);
    return rc;
}

/* Name a device after a clone's disk: readable, and never too long. */
void xenfork__thin_name_overlay(const char *path,
                                char name_out[XENFORK__DM_NAME_BYTES])
{
    const char *name = strrchr(path, '/') + 1;
    size_t length = strlen(name) - strlen(XENFORK__THIN_SUFFIX);

    if (length < MAX_NAME &&
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(name))
        snprintf(name_out, XENFORK__DM_NAME_BYTES, "xenfork-%.*s", (int)length,
                 name);
    else
        snprintf(name_out, XENFORK__DM_NAME_BYTES, "xenfork-%016" PRIx64,
                 xenfork__pool_digest(name));
}

/*
 * Return the device of an inode's file system: that of the folder above the
 * records, which exists even if the file does not.
 */
int xenfork__thin_name_devices(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    cleanup_free char *key = NULL;
    cleanup_free char *above = strdup(thin->dir);
    struct stat st;
    uint64_t digest;

    if (!above)
        return xenfork__nomem(ctx);
    *strrchr(above, '/') = '\0';
    if (stat(above[0] ? above : "/", &st))
        return xenfork__thin_no_disk(ctx, thin->path, strerror(errno));
    if (asprintf(&key, "%" PRIu64 " %s",
                 thin->is_on_device ? 0 : (uint64_t)st.st_dev,
                 thin->origin_is) < 0) {
        key = NULL;
        return xenfork__nomem(ctx);
    }
    digest = xenfork__pool_digest(key);
    snprintf(thin->base, sizeof(thin->base), "xenfork-%016" PRIx64 "-origin",
             digest);
    if (thin->is_descriptor)
        xenfork__thin_name_overlay(thin->path, thin->device);
    else
        snprintf(thin->device, sizeof(thin->device), "xenfork-%016" PRIx64,
                 digest);
    return 0;
}

static int name_inode(xenfork_ctx *ctx, uint64_t inode, char **is_out)
{
    if (asprintf(is_out, "inode %" PRIu64, inode) < 0)
        return xenfork__nomem(ctx);
    return 0;
}

int xenfork__thin_origin_is(xenfork_ctx *ctx, const char *path, char **is_out)
{
    struct xenfork__disk_identity identity;
    cleanup_free char *node = NULL;
    int rc = xenfork__sys_disk_identity(ctx, path, &identity);

    if (rc < 0)
        return rc;
    return identity.is_device ? xenfork__sys_device_name(
                                    ctx, path, identity.device, &node, is_out)
                              : name_inode(ctx, identity.inode, is_out);
}

/* Return the folder of @path, and @below in it. */
static int name_dir(xenfork_ctx *ctx, const char *path, const char *below,
                    char **dir_out)
{
    if (asprintf(dir_out, "%.*s%s", (int)(strrchr(path, '/') - path), path,
                 below) < 0) {
        *dir_out = NULL;
        return xenfork__nomem(ctx);
    }
    return 0;
}

static int resolve_device(xenfork_ctx *ctx, const char *path, uint64_t number,
                          struct xenfork__thin *thin)
{
    int rc = xenfork__make_dir(ctx, ctx->state_dir);

    if (rc < 0 || (rc = xenfork__sys_device_name(ctx, path, number, &thin->path,
                                                 &thin->origin_is)) < 0)
        return rc;
    thin->is_on_device = true;
    thin->dir = xenfork__state_path(ctx, XENFORK__THIN_DIR, NULL);
    return thin->dir ? 0 : xenfork__nomem(ctx);
}

static int resolve_file(xenfork_ctx *ctx, const char *real, uint64_t inode,
                        struct xenfork__thin *thin)
{
    int rc;

    thin->path = strdup(real);
    if (!thin->path)
        return xenfork__nomem(ctx);
    if (thin->is_descriptor)
        return name_dir(ctx, thin->path, "", &thin->dir);
    rc = name_inode(ctx, inode, &thin->origin_is);
    return rc < 0
               ? rc
               : name_dir(ctx, thin->path, "/" XENFORK__THIN_DIR, &thin->dir);
}

/* Check for ".xenfork/NAME.thin" */
static bool is_descriptor(const char *path)
{
    size_t folder = (size_t)(strrchr(path, '/') - path);
    size_t length = strlen("/" XENFORK__THIN_DIR);

    return xenfork__thin_ends_in(path, XENFORK__THIN_SUFFIX) &&
           folder >= length &&
           !strncmp(path + folder - length, "/" XENFORK__THIN_DIR, length);
}

int xenfork__thin_resolve(xenfork_ctx *ctx, const char *path,
                          struct xenfork__thin *thin)
{
    struct xenfork__disk_identity identity;
    cleanup_free char *real = NULL;
    int rc;

    if (path[0] != '/')
        return xenfork__thin_no_disk(ctx, path, "its path is not absolute");
    real = realpath(path, NULL);
    if (!real && errno == ENOENT && is_descriptor(path))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no disk %s", path);
    if (!real)
        return xenfork__thin_no_disk(ctx, path, strerror(errno));
    thin->is_descriptor = is_descriptor(real);
    if ((rc = xenfork__sys_disk_identity(ctx, real, &identity)) < 0 ||
        (rc = identity.is_device
                  ? resolve_device(ctx, real, identity.device, thin)
                  : resolve_file(ctx, real, identity.inode, thin)) < 0)
        return rc;
    thin->is_descriptor &= !identity.is_device;
    if (thin->is_descriptor)
        return xenfork__dir_check(ctx, thin->dir);
    thin->origin = strdup(thin->path);
    return thin->origin ? xenfork__dir_check(ctx, thin->dir)
                        : xenfork__nomem(ctx);
}
