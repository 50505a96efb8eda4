/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sealed.h"

#include <string.h>

#include "disk.h"
#include "files.h"
#include "lock.h"
#include "record.h"

#define DIR "sealed"

/* No chain is longer: one that is leads in a circle. */
#define MAX_DEPTH 4096U

int xenfork__sealed_keep(xenfork_ctx *ctx, const struct xenfork__node *image,
                         const struct xenfork__node_disk *disk)
{
    cleanup_record struct xenfork__record *record = NULL;
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
    if ((rc = xenfork__record_new(ctx, &record)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "driver", disk->driver)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "path", disk->path)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "from", disk->from)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "source", source)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "name", image->parent_name)) <
            0 ||
        (rc = xenfork__make_dir(ctx, dir)) < 0)
        return rc;
    return xenfork__record_write(ctx, path, record);
}

/* One more at the end of the list. */
static int load_one(xenfork_ctx *ctx, const char *path,
                    struct xenfork__sealed *out)
{
    cleanup_record struct xenfork__record *record = NULL;
    const char *driver, *file, *from, *source, *name;
    int rc = xenfork__record_read(ctx, path, &record);

    if (rc < 0)
        return rc;
    driver = xenfork__record_get(record, "driver");
    file = xenfork__record_get(record, "path");
    from = xenfork__record_get(record, "from");
    source = xenfork__record_get(record, "source");
    name = xenfork__record_get(record, "name");
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

static void free_one(struct xenfork__sealed *sealed)
{
    free(sealed->driver);
    free(sealed->path);
    free(sealed->from);
    free(sealed->name);
    *sealed = (struct xenfork__sealed){0};
}

static int load_named(xenfork_ctx *ctx, struct xenfork__sealed_list *list,
                      const char *name)
{
    cleanup_free char *path = xenfork__state_path(ctx, DIR, name, NULL);
    int rc;

    list->names[list->count] = strdup(name);
    if (!path || !list->names[list->count])
        return xenfork__nomem(ctx);
    rc = load_one(ctx, path, &list->items[list->count]);
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

int xenfork__sealed_load(xenfork_ctx *ctx, struct xenfork__sealed_list *out)
{
    cleanup_free char *dir = xenfork__state_path(ctx, DIR, NULL);
    cleanup_sealed struct xenfork__sealed_list list = {0};
    char **names;
    size_t count, i;
    int rc;

    if (!dir)
        return xenfork__nomem(ctx);
    rc = xenfork__dir_names(ctx, dir, &names, &count);
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
    list = (struct xenfork__sealed_list){0};
    return 0;
}

void xenfork__sealed_free(struct xenfork__sealed_list *list)
{
    int e = errno;
    size_t i;

    for (i = 0; i < list->count; i++) {
        free_one(&list->items[i]);
        free(list->names[i]);
    }
    free(list->items);
    free(list->names);
    *list = (struct xenfork__sealed_list){0};
    errno = e;
}

/* What a walk from the leaves has come by. */
struct walk {
    const struct xenfork__sealed_list *list;
    const char *skip; /* a leaf that is left out; NULL: none */
    bool *is_needed;
};

static bool same_file(const char *a, const char *b)
{
    cleanup_free char *x = realpath(a, NULL);
    cleanup_free char *y = realpath(b, NULL);

    return !strcmp(a, b) || (x && y && !strcmp(x, y));
}

static void mark(struct walk *walk, const char *path)
{
    size_t i;

    for (i = 0; i < walk->list->count; i++)
        if (same_file(walk->list->items[i].path, path))
            walk->is_needed[i] = true;
}

/*
 * A leaf that is not there leads nowhere; one that cannot be read is an error,
 * and what it leads to stays.
 */
static int walk_from(xenfork_ctx *ctx, struct walk *walk, const char *name,
                     const char *leaf)
{
    const struct xenfork__disk_driver *driver = xenfork__disk_driver(name);
    cleanup_free char *path = strdup(leaf);
    uint32_t depth;

    if (!path)
        return xenfork__nomem(ctx);
    if (!driver || !driver->parent || !leaf[0] ||
        (walk->skip && same_file(leaf, walk->skip)))
        return 0;
    for (depth = 0; depth < MAX_DEPTH; depth++) {
        char *parent = NULL;
        int rc = driver->parent(ctx, path, &parent);

        if (rc < 0)
            return rc == XENFORK_E_NOTFOUND ? 0 : rc;
        if (!parent)
            return 0;
        free(path);
        path = parent;
        mark(walk, path);
    }
    return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                         "%s lies on more than %u others", leaf, MAX_DEPTH);
}

static int walk_nodes(xenfork_ctx *ctx, struct walk *walk, int kind)
{
    cleanup_nodes struct xenfork__nodes nodes = {0};
    int rc = xenfork__nodes_load(ctx, kind, &nodes);
    size_t i;
    uint32_t d;

    /* On what a clone lies that is not known must not be guessed. */
    if (rc == 0 && (nodes.unwritten || nodes.unreadable))
        return xenfork__miss(ctx, XENFORK_E_BUSY,
                             "a record is not written, or unreadable");
    for (i = 0; i < nodes.count; i++)
        for (d = 0; d < nodes.nodes[i]->disk_count && rc >= 0; d++) {
            const struct xenfork__node_disk *disk = &nodes.nodes[i]->disks[d];

            mark(walk, disk->path);
            rc = walk_from(ctx, walk, disk->driver, disk->path);
            if (rc == 0)
                rc = walk_from(ctx, walk, disk->driver, disk->from);
        }
    return rc;
}

static int walk_all(xenfork_ctx *ctx, struct walk *walk)
{
    size_t i;
    int rc;

    if ((rc = walk_nodes(ctx, walk, XENFORK_KIND_CLONE)) < 0 ||
        (rc = walk_nodes(ctx, walk, XENFORK_KIND_IMAGE)) < 0)
        return rc;
    for (i = 0; i < walk->list->count && rc >= 0; i++)
        rc = walk_from(ctx, walk, walk->list->items[i].driver,
                       walk->list->items[i].from);
    return rc;
}

int xenfork__sealed_is_free(xenfork_ctx *ctx, const char *path,
                            const char *leaf, bool *is_out)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_sealed struct xenfork__sealed_list list = {0};
    cleanup_free bool *is_needed = NULL;
    size_t i;
    int rc;

    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock)) <
            0 ||
        (rc = xenfork__sealed_load(ctx, &list)) < 0)
        return rc;
    is_needed = calloc(list.count + 1, sizeof(*is_needed));
    if (!is_needed)
        return xenfork__nomem(ctx);
    rc = walk_all(
        ctx,
        &(struct walk){.list = &list, .skip = leaf, .is_needed = is_needed});
    if (rc < 0)
        return rc;
    *is_out = false;
    for (i = 0; i < list.count; i++)
        if (same_file(list.items[i].path, path))
            *is_out = !is_needed[i];
    return 0;
}

static int remove_sealed(xenfork_ctx *ctx,
                         const struct xenfork__sealed_list *list, size_t i)
{
    cleanup_free char *path = xenfork__state_path(ctx, DIR, list->names[i],
                                                  NULL);
    int rc;

    if (!path)
        return xenfork__nomem(ctx);
    rc = xenfork__disk_remove(ctx, list->items[i].driver, list->items[i].path);
    return rc < 0 ? rc : xenfork__file_remove(ctx, path);
}

static int sweep_locked(xenfork_ctx *ctx)
{
    cleanup_sealed struct xenfork__sealed_list list = {0};
    cleanup_free bool *is_needed = NULL;
    size_t i;
    int rc = xenfork__sealed_load(ctx, &list);

    if (rc < 0)
        return rc;
    is_needed = calloc(list.count + 1, sizeof(*is_needed));
    if (!is_needed)
        return xenfork__nomem(ctx);
    rc = walk_all(ctx, &(struct walk){.list = &list, .is_needed = is_needed});
    if (rc < 0) {
        LOG_WARN(ctx, "what lies on which disk cannot be told: sealed disks "
                      "are kept, ignoring");
        return 0;
    }
    for (i = 0; i < list.count && rc >= 0; i++)
        if (!is_needed[i])
            rc = remove_sealed(ctx, &list, i);
    return rc;
}

int xenfork__sealed_sweep(xenfork_ctx *ctx)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_sealed struct xenfork__sealed_list list = {0};
    int rc = xenfork__sealed_load(ctx, &list);

    if (rc < 0 || !list.count)
        return rc;
    rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock);
    return rc < 0 ? rc : sweep_locked(ctx);
}
