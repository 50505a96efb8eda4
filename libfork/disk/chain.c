/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Find which file backs which: read from the files that records name, each
 * once.
 */
#include "disk/base.h"

#include <string.h>

#include "disk/disk.h"
#include "state/lock.h"

struct file {
    char *path;    /* canonical, where it is a file's */
    char *parent;  /* NULL: none of ours, or it is not there */
    bool is_owned; /* it is an image's, or a clone's */
    uint8_t clone[16];
};

struct graph {
    const char *skip; /* a leaf that is left out; NULL: none */
    size_t count;
    struct file *files;
};

static void graph_free(struct graph *graph)
{
    const char *skip = graph->skip;
    int e = errno;
    size_t i;

    for (i = 0; i < graph->count; i++) {
        free(graph->files[i].path);
        free(graph->files[i].parent);
    }
    free(graph->files);
    *graph = (struct graph){.skip = skip};
    errno = e;
}
#define cleanup_graph __attribute__((cleanup(graph_free)))

/* Return the canonical path.  NULL: out of memory. */
static char *canonical(const char *path)
{
    char *real = realpath(path, NULL);

    return real ? real : strdup(path);
}

static struct file *find_file(const struct graph *graph, const char *path)
{
    size_t i;

    for (i = 0; i < graph->count; i++)
        if (!strcmp(graph->files[i].path, path))
            return &graph->files[i];
    return NULL;
}

/*
 * Read the backing file of a file.  An absent file has none; one that cannot be
 * read, or whose file system is away, is an error, and its backing file stays.
 */
static int add_file(xenfork_ctx *ctx, struct graph *graph,
                    const struct xenfork__disk_driver *driver, const char *path)
{
    struct file *files = reallocarray(graph->files, graph->count + 1,
                                      sizeof(*files));
    cleanup_free char *parent = NULL;
    struct file file = {0};
    int rc;

    if (!files)
        return xenfork__nomem(ctx);
    graph->files = files;
    rc = driver->parent(ctx, path, &parent);
    if (rc == XENFORK_E_NOTFOUND)
        rc = xenfork__disk_check_place(ctx, path);
    if (rc < 0)
        return rc;
    file.path = strdup(path);
    file.parent = parent ? canonical(parent) : NULL;
    if (!file.path || (parent && !file.parent)) {
        free(file.path);
        return xenfork__nomem(ctx);
    }
    files[graph->count++] = file;
    return 0;
}

/* Add a leaf and its backing files, as far as they are not known yet. */
static int add_chain(xenfork_ctx *ctx, struct graph *graph, const char *name,
                     const char *leaf)
{
    const struct xenfork__disk_driver *driver = xenfork__disk_driver(name);
    cleanup_free char *first = canonical(leaf);
    const char *path = first;
    int rc = first ? 0 : xenfork__nomem(ctx);

    if (!driver || !driver->parent || !leaf[0] ||
        (graph->skip && first && !strcmp(first, graph->skip)))
        return rc;
    while (rc == 0 && path && !find_file(graph, path)) {
        rc = add_file(ctx, graph, driver, path);
        if (rc == 0)
            path = graph->files[graph->count - 1].parent;
    }
    return rc;
}

static int own(xenfork_ctx *ctx, const struct graph *graph,
               const struct xenfork__record *record, const char *path)
{
    cleanup_free char *real = canonical(path);
    struct file *file = real ? find_file(graph, real) : NULL;

    if (!real)
        return xenfork__nomem(ctx);
    if (file) {
        file->is_owned = true;
        if (record->kind == XENFORK_KIND_CLONE)
            memcpy(file->clone, record->uuid, sizeof(file->clone));
    }
    return 0;
}

static int add_record_disks(xenfork_ctx *ctx, struct graph *graph, int kind)
{
    cleanup_records struct xenfork__records records = {0};
    int rc = xenfork__records_load(ctx, kind, &records);
    size_t i;
    uint32_t d;

    /* On what a clone lies that is not known must not be guessed. */
    if (rc == 0 && (records.unwritten || records.unreadable))
        return xenfork__miss(ctx, XENFORK_E_BUSY,
                             "a record is not written, or unreadable");
    for (i = 0; i < records.count; i++)
        for (d = 0; d < records.records[i]->disk_count && rc >= 0; d++) {
            const struct xenfork__record_disk *disk =
                &records.records[i]->disks[d];

            if ((rc = add_chain(ctx, graph, disk->driver, disk->path)) == 0 &&
                (rc = add_chain(ctx, graph, disk->driver, disk->from)) == 0)
                rc = own(ctx, graph, records.records[i], disk->path);
        }
    return rc;
}

static int add_all(xenfork_ctx *ctx, const struct xenfork__base_list *list,
                   struct graph *graph)
{
    size_t i;
    int rc;

    if ((rc = add_record_disks(ctx, graph, XENFORK_KIND_CLONE)) < 0 ||
        (rc = add_record_disks(ctx, graph, XENFORK_KIND_IMAGE)) < 0)
        return rc;
    for (i = 0; i < list->count && rc >= 0; i++)
        rc = add_chain(ctx, graph, list->items[i].driver, list->items[i].from);
    return rc;
}

/* Read the bases, and what is backed by what. */
static int read_graph(xenfork_ctx *ctx, struct xenfork__base_list *list,
                      struct graph *graph)
{
    int rc = xenfork__base_load(ctx, list);

    return rc < 0 ? rc : add_all(ctx, list, graph);
}

static int mark(xenfork_ctx *ctx, uint64_t *mark_out)
{
    static const char *const folders[] = {"images", "clones", "bases"};

    return xenfork__state_mark(ctx, folders, ARRAY_SIZE(folders), mark_out);
}

/*
 * Read the graph and the bases; registry_out: locked until the caller unlocks
 * it.  Files are read before: storage that hangs must not hold up everybody.
 * Only if a record was written meanwhile are they read again.
 */
static int build(xenfork_ctx *ctx, struct xenfork__base_list *list,
                 struct graph *graph, struct xenfork__lock **registry_out)
{
    uint64_t before, now;
    int rc = mark(ctx, &before), read;

    if (rc < 0)
        return rc;
    read = read_graph(ctx, list, graph);
    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true,
                                 registry_out)) < 0 ||
        (rc = mark(ctx, &now)) < 0)
        return rc;
    if (now == before)
        return read;
    graph_free(graph);
    xenfork__base_free(list);
    return read_graph(ctx, list, graph);
}

static const struct file *find_real(const struct graph *graph, const char *path)
{
    cleanup_free char *real = canonical(path);

    return find_file(graph, real ? real : path);
}

static bool is_base(const struct xenfork__base_list *list, const char *path)
{
    size_t i;

    for (i = 0; i < list->count; i++) {
        cleanup_free char *real = canonical(list->items[i].path);

        if (real && !strcmp(real, path))
            return true;
    }
    return false;
}

int xenfork__base_is_free(xenfork_ctx *ctx, const char *path, const char *leaf,
                          bool *is_out)
{
    cleanup_lock struct xenfork__lock *registry = NULL;
    cleanup_base struct xenfork__base_list list = {0};
    cleanup_free char *real = canonical(path);
    cleanup_free char *skip = canonical(leaf);
    cleanup_graph struct graph graph = {.skip = skip};
    int rc;

    if (!real || !skip)
        return xenfork__nomem(ctx);
    rc = build(ctx, &list, &graph, &registry);
    if (rc == 0)
        *is_out = is_base(&list, real) && !find_file(&graph, real);
    return rc;
}

/* Return the only file that it backs; NULL: none, or more. */
static const struct file *only_above(const struct graph *graph,
                                     const struct file *file)
{
    const struct file *above = NULL;
    size_t i;

    for (i = 0; i < graph->count; i++) {
        const struct file *other = &graph->files[i];

        if (!other->parent || strcmp(other->parent, file->path) != 0)
            continue;
        if (above)
            return NULL;
        above = other;
    }
    return above;
}

/* Tell whether it is a base that belongs to no image any more. */
static bool is_left(const struct xenfork__base_list *list,
                    const struct file *file)
{
    return !file->is_owned && is_base(list, file->path);
}

int xenfork__base_pair(xenfork_ctx *ctx, const char *leaf, char **upper_out,
                       char **lower_out)
{
    cleanup_lock struct xenfork__lock *registry = NULL;
    cleanup_base struct xenfork__base_list list = {0};
    cleanup_graph struct graph graph = {0};
    const struct file *upper, *lower;
    int rc = build(ctx, &list, &graph, &registry);

    *upper_out = *lower_out = NULL;
    if (rc < 0)
        return rc;
    lower = find_real(&graph, leaf);
    do {
        upper = lower;
        lower = upper && upper->parent ? find_file(&graph, upper->parent)
                                       : NULL;
    } while (lower && !(is_left(&list, upper) && is_left(&list, lower) &&
                        only_above(&graph, lower) == upper));
    if (!lower)
        return 0;
    *upper_out = strdup(upper->path);
    *lower_out = strdup(lower->path);
    if (*upper_out && *lower_out)
        return 0;
    xenfork__free_ptr(upper_out);
    xenfork__free_ptr(lower_out);
    return xenfork__nomem(ctx);
}

int xenfork__base_above(xenfork_ctx *ctx, const char *path,
                        struct xenfork__above *out)
{
    cleanup_lock struct xenfork__lock *registry = NULL;
    cleanup_base struct xenfork__base_list list = {0};
    cleanup_graph struct graph graph = {0};
    cleanup_above struct xenfork__above above = {0};
    size_t i;
    int rc = build(ctx, &list, &graph, &registry);

    if (rc < 0)
        return rc;
    above.items = calloc(graph.count + 1, sizeof(*above.items));
    if (!above.items)
        return xenfork__nomem(ctx);
    for (i = 0; i < graph.count; i++) {
        const struct file *file = &graph.files[i];

        if (!file->parent || strcmp(file->parent, path) != 0)
            continue;
        above.items[above.count].path = strdup(file->path);
        if (!above.items[above.count].path)
            return xenfork__nomem(ctx);
        memcpy(above.items[above.count++].clone, file->clone,
               sizeof(file->clone));
    }
    *out = above;
    above = (struct xenfork__above){0};
    return 0;
}

/* Remove the file first, and its record last. */
static int remove_base(xenfork_ctx *ctx, const struct xenfork__base_list *list,
                       size_t i)
{
    int rc = xenfork__disk_remove(ctx, list->items[i].driver,
                                  list->items[i].path);

    return rc < 0 ? rc : xenfork__base_forget(ctx, list->names[i]);
}

int xenfork__base_sweep(xenfork_ctx *ctx)
{
    cleanup_lock struct xenfork__lock *registry = NULL;
    cleanup_base struct xenfork__base_list list = {0};
    cleanup_graph struct graph graph = {0};
    size_t i;
    int rc = xenfork__base_load(ctx, &list);

    if (rc < 0 || !list.count)
        return rc;
    xenfork__base_free(&list);
    rc = build(ctx, &list, &graph, &registry);
    if (rc < 0) {
        LOG_WARN(
            ctx,
            "cannot tell which bases are still needed: all are kept, ignoring");
        return 0;
    }
    for (i = 0; i < list.count; i++)
        if (!find_real(&graph, list.items[i].path)) {
            int r = remove_base(ctx, &list, i);

            rc = rc < 0 ? rc : r;
        }
    return rc;
}
