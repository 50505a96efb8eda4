/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disks of a list's entries. */
#include "op/list.h"

#include <string.h>

#include "disk/base.h"
#include "disk/disk.h"

/* No chain is longer. */
#define MAX_DEPTH 4096U

/* Count the layers: a file that cannot be read, or is gone, ends the chain. */
static uint32_t count_layers(xenfork_ctx *ctx,
                             const struct xenfork__record_disk *disk)
{
    const struct xenfork__disk_driver *driver = xenfork__disk_driver(
        disk->driver);
    cleanup_free char *path = strdup(disk->path);
    uint32_t depth = 1;

    while (driver && driver->parent && path && depth < MAX_DEPTH) {
        char *parent = NULL;

        if (driver->parent(ctx, path, &parent) < 0 || !parent)
            break;
        free(path);
        path = parent;
        depth++;
    }
    return depth;
}

/*
 * Make a record of a base, whose own record is called UUID-VDEV, after the
 * former image.
 */
static int base_record(xenfork_ctx *ctx, const char *name,
                       const struct xenfork__base *base,
                       struct xenfork__record **record_out)
{
    cleanup_record struct xenfork__record *record = calloc(1, sizeof(*record));
    char uuid[XENFORK__UUID_CHARS];
    size_t n = sizeof(uuid) - 1;
    int rc;

    if (!record)
        return xenfork__nomem(ctx);
    record->kind = XENFORK_KIND_BASE;
    record->domid = XENFORK_DOMID_NONE;
    snprintf(uuid, sizeof(uuid), "%s", name);
    if (strlen(name) <= n + 1 || !xenfork__uuid_parse(uuid, record->uuid))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "%s is not the name of a base", name);
    rc = xenfork__record_add_disk(ctx, record, 0, name + n + 1, base->driver,
                                  base->path, "");
    if (rc == 0)
        *record_out = steal_ptr(record);
    return rc;
}

int xenfork__list_bases(xenfork_ctx *ctx, struct xenfork__records *out)
{
    cleanup_base struct xenfork__base_list list = {0};
    cleanup_records struct xenfork__records records = {0};
    int rc = xenfork__base_load(ctx, &list);

    if (rc < 0)
        return rc;
    records.records = calloc(list.count + 1, sizeof(*records.records));
    if (!records.records)
        return xenfork__nomem(ctx);
    for (; records.count < list.count; records.count++) {
        rc = base_record(ctx, list.names[records.count],
                         &list.items[records.count],
                         &records.records[records.count]);
        if (rc < 0)
            return rc;
    }
    *out = records;
    records = (struct xenfork__records){0};
    return 0;
}

static bool has_record_disk(const struct xenfork__record *record,
                            uint32_t index)
{
    uint32_t i;

    for (i = 0; i < record->disk_count; i++)
        if (record->disks[i].index == index)
            return true;
    return false;
}

/* Count the clones of an image that have this disk. */
static uint32_t count_users(const xenfork_list *list,
                            const struct xenfork__record *image, uint32_t index)
{
    uint32_t i, users = 0;

    for (i = 0; i < list->count; i++) {
        const struct xenfork__record *record = list->entries[i].record;

        users += record->kind == XENFORK_KIND_CLONE &&
                 !memcmp(record->parent, image->uuid, sizeof(image->uuid)) &&
                 has_record_disk(record, index);
    }
    return users;
}

int xenfork__list_fill_disks(xenfork_ctx *ctx, const xenfork_list *list,
                             struct xenfork_entry *entry)
{
    const struct xenfork__record *record = entry->record;
    uint32_t i;

    entry->disks = calloc(record->disk_count + 1, sizeof(*entry->disks));
    if (!entry->disks)
        return xenfork__nomem(ctx);
    for (i = 0; i < record->disk_count; i++) {
        const struct xenfork__record_disk *disk = &record->disks[i];

        entry->disks[i] = (struct xenfork_disk){
            .vdev = disk->vdev,
            .path = disk->path,
            .driver = disk->driver,
            .depth = record->kind == XENFORK_KIND_JOURNAL
                         ? 0
                         : count_layers(ctx, disk),
            .users = count_users(list, record, disk->index)};
    }
    return 0;
}
