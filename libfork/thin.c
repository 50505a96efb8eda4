/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "thin.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "files.h"

#define SUBDIR       ".xenfork"
#define DEVICES      "disks" /* in the state directory */
#define SECTOR_BYTES 512U

/* FNV-1a; a name is no secret, and a path is root's own. */
static uint64_t digest(const char *text)
{
    uint64_t value = 0xcbf29ce484222325;

    for (; *text; text++)
        value = (value ^ (uint8_t)*text) * 0x100000001b3;
    return value;
}

static void name_device(struct xenfork__thin *thin)
{
    snprintf(thin->device, sizeof(thin->device), "xenfork-%016" PRIx64,
             digest(thin->path));
}

static int no_disk(xenfork_ctx *ctx, const char *path, const char *why)
{
    return xenfork__fail(ctx, XENFORK_E_DISK, 0, "no disk %s: %s", path, why);
}

/* A file's, whatever links lead to it; a device has no better name. */
static int resolve(xenfork_ctx *ctx, const char *path, bool is_file,
                   char **path_out)
{
    char *real = is_file ? realpath(path, NULL) : strdup(path);

    if (!real)
        return no_disk(ctx, path, strerror(errno));
    *path_out = real;
    return 0;
}

static int place(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    const char *slash = strrchr(thin->path, '/');

    if (!thin->is_file)
        thin->dir = xenfork__state_path(ctx, DEVICES, NULL);
    else if (asprintf(&thin->dir, "%.*s/" SUBDIR, (int)(slash - thin->path),
                      thin->path) < 0)
        thin->dir = NULL;
    return thin->dir ? 0 : xenfork__nomem(ctx);
}

static int measure(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    cleanup_close int fd = open(thin->origin, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint64_t bytes = 0;

    if (fd < 0 || fstat(fd, &st) ||
        (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, &bytes)))
        return no_disk(ctx, thin->path, strerror(errno));
    if (S_ISREG(st.st_mode))
        bytes = (uint64_t)st.st_size;
    thin->sectors = bytes / SECTOR_BYTES;
    return thin->sectors ? 0 : no_disk(ctx, thin->path, "it is empty");
}

/* The folder above that of the records, which may not be there yet. */
static int lock(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    cleanup_free char *dir = strdup(thin->dir);
    int r;

    if (!dir)
        return xenfork__nomem(ctx);
    *strrchr(dir, '/') = '\0';
    thin->lock_fd = open(dir[0] ? dir : "/",
                         O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    do {
        r = thin->lock_fd < 0 ? -1 : flock(thin->lock_fd, LOCK_EX);
    } while (r && errno == EINTR);
    return r ? xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot lock %s", dir)
             : 0;
}

static int look_up(xenfork_ctx *ctx, const char *path,
                   struct xenfork__thin *thin)
{
    struct stat st;
    int rc;

    if (path[0] != '/' || stat(path, &st) ||
        !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
        return no_disk(ctx, path, "it is no file and no block device");
    thin->is_file = S_ISREG(st.st_mode);
    if ((rc = resolve(ctx, path, thin->is_file, &thin->path)) < 0 ||
        (rc = place(ctx, thin)) < 0)
        return rc;
    thin->origin = strdup(thin->path);
    if (!thin->origin)
        return xenfork__nomem(ctx);
    name_device(thin);
    rc = lock(ctx, thin);
    return rc < 0 ? rc : measure(ctx, thin);
}

int xenfork__thin_open(xenfork_ctx *ctx, const char *path,
                       struct xenfork__thin **thin_out)
{
    cleanup_thin struct xenfork__thin *thin = calloc(1, sizeof(*thin));
    int rc;

    if (!thin)
        return xenfork__nomem(ctx);
    thin->lock_fd = -1;
    rc = look_up(ctx, path, thin);
    if (rc == 0)
        *thin_out = steal_ptr(thin);
    return rc;
}

void xenfork__thin_close(struct xenfork__thin *thin)
{
    if (!thin)
        return;
    xenfork__close_fd(&thin->lock_fd);
    free(thin->path);
    free(thin->dir);
    free(thin->origin);
    free(thin);
}

/* The file or device itself. */
static int attach_plain(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                        bool is_readonly)
{
    char device[XENFORK__LOOP_BYTES];
    cleanup_close int fd = -1;
    cleanup_free char *params = NULL;
    int rc;

    if (thin->is_file && (rc = xenfork__sys_loop(ctx, thin->origin, is_readonly,
                                                 &fd, device)) < 0)
        return rc;
    if (asprintf(&params, "%s 0", thin->is_file ? device : thin->origin) < 0) {
        params = NULL;
        return xenfork__nomem(ctx);
    }
    return xenfork__sys_dm_create(
        ctx, thin->device,
        &(struct xenfork__dm_table){.sectors = thin->sectors,
                                    .type = "linear",
                                    .params = params,
                                    .is_readonly = is_readonly});
}

/* One domain writes, or several read. */
static int check_use(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                     const struct xenfork__dm_info *info, bool is_readonly)
{
    if (!info->open_count || (is_readonly && info->is_readonly))
        return 0;
    xenfork__fail(ctx, XENFORK_E_INUSE, 0, "disk %s is in use", thin->path);
    return xenfork__remedy(ctx, "detach it from the domain that has it");
}

int xenfork__thin_attach(xenfork_ctx *ctx, const char *path, bool is_readonly,
                         bool is_shared, char **node_out)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    cleanup_free char *node = NULL;
    struct xenfork__dm_info info;
    int rc;

    if ((rc = xenfork__thin_open(ctx, path, &thin)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, thin->device, &info)) < 0 ||
        (!is_shared && (rc = check_use(ctx, thin, &info, is_readonly)) < 0))
        return rc;
    if (asprintf(&node, XENFORK__DM_DIR "%s", thin->device) < 0) {
        node = NULL;
        return xenfork__nomem(ctx);
    }
    if (info.is_there && info.is_readonly != is_readonly && !info.open_count) {
        rc = xenfork__sys_dm_remove(ctx, thin->device);
        info.is_there = false;
    }
    if (rc == 0 && !info.is_there)
        rc = attach_plain(ctx, thin, is_readonly);
    if (rc == 0)
        *node_out = steal_ptr(node);
    return rc;
}

int xenfork__thin_detach(xenfork_ctx *ctx, const char *path)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    struct xenfork__dm_info info;
    int rc;

    if ((rc = xenfork__thin_open(ctx, path, &thin)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, thin->device, &info)) < 0 ||
        !info.is_there)
        return rc;
    return xenfork__sys_dm_remove(ctx, thin->device);
}
