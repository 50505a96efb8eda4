/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/base.h"

#include <string.h>

#include "base/ids.h"
#include "state/files.h"
#include "state/keyfile.h"
#include "state/lock.h"

#define DIR "bases"

int xenfork__base_keep(xenfork_ctx *ctx, const struct xenfork__record *image,
                       const struct xenfork__record_disk *disk)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    char uuid[XENFORK__UUID_CHARS], name[XENFORK__UUID_CHARS + 32];
    char source[XENFORK__UUID_CHARS];
    cleanup_free char *dir = xenfork__state_path(ctx, DIR, NULL);
    cleanup_free char *path = NULL;
    int rc;

    xenfork__uuid_print(image->uuid, uuid);
    xenfork__uuid_print(image->parent, source);
    snprintf(name, sizeof(name), "%s-%s", uuid, disk->vdev);
    path = xenfork__state_path(ctx, DIR, name, NULL);
    if (!dir || !path)
        return xenfork__nomem(ctx);
    if ((rc = xenfork__keyfile_new(ctx, &keyfile)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "driver", disk->driver)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "path", disk->path)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "from", disk->from)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "source", source)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "name", image->parent_name)) <
            0 ||
        (rc = xenfork__make_dir(ctx, dir)) < 0)
        return rc;
    return xenfork__keyfile_write(ctx, path, keyfile);
}

/* Append one to the list. */
static int append_base(xenfork_ctx *ctx, const char *path,
                       struct xenfork__base *out)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    const char *driver, *file, *from, *source, *name;
    int rc = xenfork__keyfile_read(ctx, path, &keyfile);

    if (rc < 0)
        return rc;
    driver = xenfork__keyfile_get(keyfile, "driver");
    file = xenfork__keyfile_get(keyfile, "path");
    from = xenfork__keyfile_get(keyfile, "from");
    source = xenfork__keyfile_get(keyfile, "source");
    name = xenfork__keyfile_get(keyfile, "name");
    if (!driver || !file || !from || !source || !name ||
        !xenfork__uuid_parse(source, out->source))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is malformed", path);
    out->driver = strdup(driver);
    out->path = strdup(file);
    out->from = strdup(from);
    out->name = strdup(name);
    return out->driver && out->path && out->from && out->name
               ? 0
               : xenfork__nomem(ctx);
}

static void free_one(struct xenfork__base *base)
{
    free(base->driver);
    free(base->path);
    free(base->from);
    free(base->name);
    *base = (struct xenfork__base){0};
}

static int load_named(xenfork_ctx *ctx, struct xenfork__base_list *list,
                      const char *name)
{
    cleanup_free char *path = xenfork__state_path(ctx, DIR, name, NULL);
    int rc;

    list->names[list->count] = strdup(name);
    if (!path || !list->names[list->count])
        return xenfork__nomem(ctx);
    rc = append_base(ctx, path, &list->items[list->count]);
    if (rc == 0) {
        list->count++;
        return 0;
    }
    free_one(&list->items[list->count]);
    free(list->names[list->count]);
    list->names[list->count] = NULL;
    if (rc == XENFORK_E_STATE)
        LOG_WARN(ctx, "%s is unreadable, ignoring", path);
    return rc == XENFORK_E_STATE || rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

static bool is_half_written(const char *name)
{
    size_t length = strlen(name);

    return length > 4 && !strcmp(name + length - 4, ".new");
}

/* Sweep a record that is not finished; its writer has the lock of the image. */
static int sweep_unfinished(xenfork_ctx *ctx, const char *name)
{
    cleanup_free char *path = xenfork__state_path(ctx, DIR, name, NULL);
    cleanup_lock struct xenfork__lock *lock = NULL;
    char image[XENFORK__UUID_CHARS];
    uint8_t uuid[16];
    int rc;

    snprintf(image, sizeof(image), "%s", name);
    if (!path || !xenfork__uuid_parse(image, uuid))
        return path ? 0 : xenfork__nomem(ctx);
    rc = xenfork__lock_take(ctx, image, false, &lock);
    if (rc < 0)
        return rc == XENFORK_E_BUSY ? 0 : rc;
    return xenfork__file_remove(ctx, path);
}

int xenfork__base_sweep_unfinished(xenfork_ctx *ctx)
{
    char **names;
    size_t count, i;
    int rc = xenfork__state_names(ctx, DIR, &names, &count);

    if (rc < 0)
        return rc;
    for (i = 0; i < count && rc >= 0; i++)
        if (is_half_written(names[i]))
            rc = sweep_unfinished(ctx, names[i]);
    xenfork__names_free(names, count);
    return rc;
}

int xenfork__base_load(xenfork_ctx *ctx, struct xenfork__base_list *out)
{
    cleanup_base struct xenfork__base_list list = {0};
    char **names;
    size_t count, i;
    int rc = xenfork__state_names(ctx, DIR, &names, &count);

    if (rc < 0)
        return rc;
    list.items = calloc(count + 1, sizeof(*list.items));
    list.names = calloc(count + 1, sizeof(*list.names));
    if (!list.items || !list.names)
        rc = xenfork__nomem(ctx);
    for (i = 0; i < count && rc >= 0; i++)
        if (!is_half_written(names[i]))
            rc = load_named(ctx, &list, names[i]);
    xenfork__names_free(names, count);
    if (rc < 0)
        return rc;
    *out = list;
    list = (struct xenfork__base_list){0};
    return 0;
}

void xenfork__base_free(struct xenfork__base_list *list)
{
    int e = errno;
    size_t i;

    for (i = 0; i < list->count; i++) {
        free_one(&list->items[i]);
        free(list->names[i]);
    }
    free(list->items);
    free(list->names);
    *list = (struct xenfork__base_list){0};
    errno = e;
}

int xenfork__base_forget(xenfork_ctx *ctx, const char *name)
{
    cleanup_free char *path = xenfork__state_path(ctx, DIR, name, NULL);

    return path ? xenfork__file_remove(ctx, path) : xenfork__nomem(ctx);
}

void xenfork__above_free(struct xenfork__above *above)
{
    size_t i;

    for (i = 0; i < above->count; i++)
        free(above->items[i].path);
    free(above->items);
    *above = (struct xenfork__above){0};
}
