/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "thin.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "files.h"
#include "record.h"
#include "thin-pool.h"

#define HEAD_PREFIX "disk-" /* a leading dot would hide it */
#define MAX_NAME    100U

bool xenfork__thin_ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length > end_length && !strcmp(text + length - end_length, end);
}

static int no_disk(xenfork_ctx *ctx, const char *path, const char *why)
{
    return xenfork__fail(ctx, XENFORK_E_DISK, 0, "no disk %s: %s", path, why);
}

int xenfork__thin_dir(xenfork_ctx *ctx, const char *path, bool is_file,
                      char **dir_out)
{
    const char *slash = strrchr(path, '/');
    size_t length = (size_t)(slash - path);
    char *dir;

    if (xenfork__thin_ends_in(path, XENFORK__THIN_SUFFIX)) {
        dir = strndup(path, length);
    } else if (!is_file) {
        int rc = xenfork__make_dir(ctx, ctx->state_dir);

        if (rc < 0)
            return rc;
        dir = xenfork__state_path(ctx, XENFORK__THIN_DIR, NULL);
    } else if (asprintf(&dir, "%.*s/" XENFORK__THIN_DIR, (int)length, path) <
               0) {
        dir = NULL;
    }
    if (!dir)
        return xenfork__nomem(ctx);
    *dir_out = dir;
    return 0;
}

/* The folder above: that of the records may not be there yet. */
int xenfork__thin_lock(xenfork_ctx *ctx, const char *dir, int *fd_out)
{
    cleanup_free char *above = strdup(dir);
    cleanup_close int fd = -1;
    int r;

    if (!above)
        return xenfork__nomem(ctx);
    *strrchr(above, '/') = '\0';
    fd = open(above[0] ? above : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    do {
        r = fd < 0 ? -1 : flock(fd, LOCK_EX);
    } while (r && errno == EINTR);
    if (r)
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot lock %s",
                             above);
    *fd_out = steal_fd(&fd);
    return 0;
}

/* A clone's own is readable, and never too long. */
void xenfork__thin_name_device(const char *path,
                               char name_out[XENFORK__DM_NAME_BYTES])
{
    const char *name = strrchr(path, '/') + 1;
    size_t length = strlen(name) - strlen(XENFORK__THIN_SUFFIX);

    if (xenfork__thin_ends_in(path, XENFORK__THIN_SUFFIX) &&
        length < MAX_NAME &&
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(name))
        snprintf(name_out, XENFORK__DM_NAME_BYTES, "xenfork-%.*s", (int)length,
                 name);
    else
        snprintf(name_out, XENFORK__DM_NAME_BYTES, "xenfork-%016" PRIx64,
                 xenfork__pool_digest(path));
}

/* Of a device the whole path is its name. */
static int name_record(xenfork_ctx *ctx, struct xenfork__thin *thin,
                       bool is_file)
{
    const char *name = is_file ? strrchr(thin->path, '/') + 1 : thin->path + 1;
    char *slash;

    if (thin->is_descriptor)
        thin->record = strdup(thin->path);
    else if (asprintf(&thin->record, "%s/" HEAD_PREFIX "%s" XENFORK__THIN_HEAD,
                      thin->dir, name) < 0)
        thin->record = NULL;
    if (!thin->record)
        return xenfork__nomem(ctx);
    if (!thin->is_descriptor)
        for (slash = thin->record + strlen(thin->dir) + 1; *slash; slash++)
            if (*slash == '/')
                *slash = '!';
    return 0;
}

static int parse(xenfork_ctx *ctx, struct xenfork__thin *thin,
                 const struct xenfork__record *record)
{
    const char *kind = xenfork__record_get(record, "kind");
    const char *origin = xenfork__record_get(record, "origin");

    if (!kind || !origin || origin[0] != '/' ||
        !xenfork__record_get_u64(record, "sectors", &thin->sectors))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is malformed",
                             thin->record);
    thin->is_sealed = !strcmp(kind, "sealed");
    thin->has_id = xenfork__record_get_u64(record, "id", &thin->id);
    free(thin->origin);
    thin->origin = strdup(origin);
    return thin->origin ? 0 : xenfork__nomem(ctx);
}

/* What has no record is a file, or a device, as it stands. */
static int read_record(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    cleanup_record struct xenfork__record *record = NULL;
    uint64_t bytes;
    int rc = xenfork__record_read(ctx, thin->record, &record);

    if (rc == 0)
        return parse(ctx, thin, record);
    if (rc != XENFORK_E_NOTFOUND || thin->is_descriptor)
        return rc;
    thin->origin = strdup(thin->path);
    if (!thin->origin)
        return xenfork__nomem(ctx);
    rc = xenfork__sys_disk_size(ctx, thin->origin, &bytes, NULL);
    thin->sectors = bytes / XENFORK__SECTOR_BYTES;
    return rc == 0 && !thin->sectors ? no_disk(ctx, thin->path, "it is empty")
                                     : rc;
}

/* A file has the name that all links lead to; a device has no better one. */
static int look_up(xenfork_ctx *ctx, const char *path,
                   struct xenfork__thin *thin, bool *is_file_out)
{
    struct stat st;
    int r = path[0] == '/' ? stat(path, &st) : -1;

    thin->is_descriptor = xenfork__thin_ends_in(path, XENFORK__THIN_SUFFIX);
    if (r && thin->is_descriptor)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no disk %s", path);
    if (r || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
        return no_disk(ctx, path, "it is no file and no block device");
    *is_file_out = S_ISREG(st.st_mode);
    thin->path = S_ISREG(st.st_mode) ? realpath(path, NULL) : strdup(path);
    return thin->path ? 0 : no_disk(ctx, path, strerror(errno));
}

static int find(xenfork_ctx *ctx, const char *path, bool is_locking,
                struct xenfork__thin **thin_out)
{
    cleanup_thin struct xenfork__thin *thin = calloc(1, sizeof(*thin));
    bool is_file = false;
    int rc;

    if (!thin)
        return xenfork__nomem(ctx);
    thin->lock_fd = -1;
    if ((rc = look_up(ctx, path, thin, &is_file)) < 0 ||
        (rc = xenfork__thin_dir(ctx, thin->path, is_file, &thin->dir)) < 0 ||
        (rc = name_record(ctx, thin, is_file)) < 0 ||
        (is_locking &&
         (rc = xenfork__thin_lock(ctx, thin->dir, &thin->lock_fd)) < 0))
        return rc;
    xenfork__thin_name_device(thin->path, thin->device);
    rc = read_record(ctx, thin);
    if (rc == 0)
        *thin_out = steal_ptr(thin);
    return rc;
}

int xenfork__thin_open(xenfork_ctx *ctx, const char *path,
                       struct xenfork__thin **thin_out)
{
    return find(ctx, path, true, thin_out);
}

int xenfork__thin_peek(xenfork_ctx *ctx, const char *path,
                       struct xenfork__thin **thin_out)
{
    return find(ctx, path, false, thin_out);
}

void xenfork__thin_close(struct xenfork__thin *thin)
{
    if (!thin)
        return;
    xenfork__close_fd(&thin->lock_fd);
    free(thin->path);
    free(thin->dir);
    free(thin->record);
    free(thin->origin);
    free(thin);
}

int xenfork__thin_save(xenfork_ctx *ctx, const struct xenfork__thin *thin)
{
    cleanup_record struct xenfork__record *record = NULL;
    const char *kind = !thin->is_descriptor ? "head"
                       : thin->is_sealed    ? "sealed"
                                            : "delta";
    int rc;

    if ((rc = xenfork__record_new(ctx, &record)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "kind", kind)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "origin", thin->origin)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, record, "sectors", thin->sectors)) <
            0 ||
        (thin->has_id &&
         (rc = xenfork__record_set_u64(ctx, record, "id", thin->id)) < 0))
        return rc;
    return xenfork__record_write(ctx, thin->record, record);
}
