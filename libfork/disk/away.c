/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tell a file that was removed from one whose file system is away.  Where disks
 * were made is noted in STATE/mounts, a file for each mount point: its path,
 * and where links lead there also the folder as the disk's path has it.
 */
#include "disk/disk.h"

#include <inttypes.h>
#include <string.h>

#include "base/digest.h"
#include "host/dm.h"
#include "state/files.h"

#define DIR "mounts"

/* Note a mount point, unless it is noted. */
static int note_mount(xenfork_ctx *ctx, const char *text)
{
    cleanup_free char *dir = xenfork__state_path(ctx, DIR, NULL);
    cleanup_free char *path = NULL;
    char name[17];
    int rc;

    snprintf(name, sizeof(name), "%016" PRIx64,
             xenfork__digest(text, strlen(text)));
    path = xenfork__state_path(ctx, DIR, name, NULL);
    if (!dir || !path)
        return xenfork__nomem(ctx);
    if (!access(path, F_OK))
        return 0;
    rc = xenfork__make_dir(ctx, dir);
    return rc < 0 ? rc : xenfork__file_write(ctx, path, text, strlen(text));
}

/* Return the folder of a path, or what will be above it; NULL: "/" */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, (size_t)(slash - path)) : NULL;

    /* ".xenfork" may be made later. */
    if (dir && access(dir, F_OK) && (slash = strrchr(dir, '/')))
        dir[slash - dir] = '\0';
    return dir;
}

/* Tell whether a path is that of something below a folder. */
static bool is_below(const char *path, const char *mount)
{
    size_t length = strlen(mount);

    return !strncmp(path, mount, length) && path[length] == '/';
}

int xenfork__disk_note_place(xenfork_ctx *ctx, const char *path)
{
    cleanup_free char *dir = path[0] == '/' ? folder_of(path) : NULL;
    cleanup_free char *mount = dir && dir[0] ? xenfork__sys_mount_of(dir)
                                             : NULL;
    cleanup_free char *text = NULL;

    if (!mount)
        return 0;
    if (asprintf(&text, "%s%s%s", mount, is_below(path, mount) ? "" : "\n",
                 is_below(path, mount) ? "" : dir) < 0) {
        text = NULL;
        return xenfork__nomem(ctx);
    }
    return note_mount(ctx, text);
}

static int check_mount(xenfork_ctx *ctx, const char *name, const char *path)
{
    cleanup_free char *file = xenfork__state_path(ctx, DIR, name, NULL);
    cleanup_free char *mount = NULL;
    const char *also;
    size_t bytes;
    int rc = file ? xenfork__file_read(ctx, file, 4096, &mount, &bytes)
                  : xenfork__nomem(ctx);

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    also = mount + strcspn(mount, "\n");
    if (*also)
        mount[also++ - mount] = '\0';
    if ((!is_below(path, mount) && !(*also && is_below(path, also))) ||
        xenfork__sys_is_mounted(mount))
        return 0;
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "the file system of %s is not there: nothing is mounted on "
                  "%s",
                  path, mount);
    return xenfork__remedy(
        ctx, "mount it, and try again; if it is gone for good: xl fork-forget");
}

int xenfork__disk_check_place(xenfork_ctx *ctx, const char *path)
{
    char **names;
    size_t count, i;
    int rc;

    if (path[0] != '/' || !access(path, F_OK))
        return 0;
    rc = xenfork__state_names(ctx, DIR, &names, &count);
    if (rc < 0)
        return rc;
    for (i = 0; i < count && rc >= 0; i++)
        rc = check_mount(ctx, names[i], path);
    xenfork__names_free(names, count);
    return rc;
}

int xenfork__disks_check_places(xenfork_ctx *ctx,
                                const struct xenfork__record *record)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < record->disk_count && rc >= 0; i++)
        rc = xenfork__disk_check_place(ctx, record->disks[i].path);
    return rc;
}
