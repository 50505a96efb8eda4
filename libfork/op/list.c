/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images and clones as the caller sees them. */
#include "op/list.h"

#include <string.h>

#include "base/ids.h"
#include "op/domain.h"
#include "op/frozen.h"
#include "op/leave.h"
#include "op/named.h"
#include "op/recover.h"
#include "state/journal.h"
#include "state/restart.h"
#include "xen/host-memory.h"

XENFORK_API void xenfork_list_free(xenfork_list *list)
{
    uint32_t i;

    if (!list)
        return;
    for (i = 0; i < list->count; i++) {
        free(list->entries[i].disks);
        free(list->entries[i].nics);
    }
    xenfork__records_free(&list->frozen);
    xenfork__records_free(&list->images);
    xenfork__records_free(&list->clones);
    xenfork__records_free(&list->bases);
    xenfork__records_free(&list->journals);
    free(list->entries);
    free(list);
}

/* Tell whether a clone waits for memory, paused by xenforkd or by Xen. */
static bool is_short(xenfork_ctx *ctx, const struct xenfork__record *record,
                     const struct xenfork__dominfo *info)
{
    char is[16];

    return record->kind == XENFORK_KIND_CLONE &&
           xenfork__xen_short(ctx, info->domid, is) == 0 &&
           (!strcmp(is, XENFORK__SHORT_WAITS) ||
            (info->is_paused && (!strcmp(is, XENFORK__SHORT_PAUSING) ||
                                 !strcmp(is, XENFORK__SHORT_PAUSED))));
}

static const char *entry_state(xenfork_ctx *ctx,
                               const struct xenfork__record *record,
                               const struct xenfork__dominfo *info)
{
    if (record->kind == XENFORK_KIND_IMAGE)
        return xenfork__image_is_broken(info) ? "broken" : "ready";
    if (record->kind == XENFORK_KIND_FROZEN)
        return "frozen";
    if (info->is_shutdown)
        return "shutdown";
    if (is_short(ctx, record, info))
        return "paused: memory";
    return info->is_paused ? "paused" : "running";
}

/* Return the state of an image or a clone without a domain. */
static const char *ended_state(xenfork_ctx *ctx,
                               const struct xenfork__record *record)
{
    if (record->kind == XENFORK_KIND_IMAGE)
        return "lost";
    if (xenfork__has_left(record, XENFORK_DOMID_NONE))
        return "left";
    return xenfork__restart_is_pending(ctx, record->uuid) ? "restarting"
                                                          : "stopped";
}

/*
 * Find the domain of a record: the one that was made, or, for a clone that was
 * saved and restored, the one that has its UUID now.
 */
static int look_at_record(xenfork_ctx *ctx,
                          const struct xenfork__record *record,
                          struct xenfork_entry *entry)
{
    struct xenfork__dominfo info;
    uint32_t domid = record->domid;
    int rc;

    rc = xenfork__record_info(ctx, record, &info);
    if (rc == XENFORK_E_NOTFOUND && record->kind == XENFORK_KIND_CLONE) {
        rc = xenfork__clone_domid(ctx, record, &domid);
        if (rc == 0)
            rc = xenfork__xen_info(ctx, domid, &info);
    }
    if (record->kind != XENFORK_KIND_FROZEN &&
        (rc == XENFORK_E_NOTFOUND || rc == XENFORK_E_UUIDTAKEN)) {
        entry->domid = XENFORK_DOMID_NONE;
        entry->state = ended_state(ctx, record);
        return 0;
    }
    if (rc < 0)
        return rc;
    entry->domid = domid;
    entry->state = entry_state(ctx, record, &info);
    entry->shared_pages = info.shared_pages;
    entry->private_pages = info.private_pages;
    if ((rc = xenfork__xen_pool_size(ctx, domid, &entry->pool_bytes)) < 0 ||
        (rc = xenfork__name_refresh(ctx, entry->record, &domid)) < 0)
        return rc;
    if (!xenfork__record_has_domid(ctx, record, entry->domid))
        entry->record->hydrated = 100;
    return 0;
}

static int set_parent_name(xenfork_ctx *ctx, struct xenfork__record *record,
                           const char *parent)
{
    char *name = strdup(parent);

    if (!name)
        return xenfork__nomem(ctx);
    free(record->parent_name);
    record->parent_name = name;
    return 0;
}

/* Ask a clone, unless it has acknowledged. */
static int ask_clone(xenfork_ctx *ctx, struct xenfork_entry *entry)
{
    const struct xenfork__record *record = entry->record;

    if (record->kind != XENFORK_KIND_CLONE || record->is_ready ||
        !record->generation[0] || entry->domid == XENFORK_DOMID_NONE)
        return 0;
    return xenfork__xen_guest_answers(ctx, entry->domid, record->generation,
                                      &entry->answers);
}

static int add_entry(xenfork_ctx *ctx, xenfork_list *list,
                     struct xenfork__record *record)
{
    struct xenfork_entry *entry = &list->entries[list->count];
    uint32_t live;
    int rc;

    *entry = (struct xenfork_entry){.record = record,
                                    .parent_domid = XENFORK_DOMID_NONE};
    xenfork__uuid_print(entry->record->uuid, entry->uuid);
    rc = look_at_record(ctx, entry->record, entry);
    if (rc == 0 && record->kind == XENFORK_KIND_IMAGE)
        rc = xenfork__source_refresh(ctx, entry->record, &entry->parent_domid);
    if (rc == 0)
        rc = ask_clone(ctx, entry);
    if (rc == 0 && record->kind == XENFORK_KIND_CLONE &&
        entry->domid != XENFORK_DOMID_NONE)
        rc = xenfork__list_nics(ctx, entry->domid, record);
    if (rc < 0)
        return rc;
    if (entry->record->kind == XENFORK_KIND_IMAGE &&
        (rc = xenfork__image_users(ctx, entry->record->uuid, &list->clones,
                                   &live, &entry->users)) < 0)
        return rc;
    list->count++;
    return 0;
}

static bool is_source_of(const struct xenfork__records *images,
                         const struct xenfork__record *clone)
{
    size_t i;

    for (i = 0; i < images->count; i++)
        if (!memcmp(images->records[i]->uuid, clone->parent, 16))
            return true;
    return false;
}

/* Name the image from which the forks of a frozen source are made. */
static int name_frozen_image(xenfork_ctx *ctx, const xenfork_list *list,
                             struct xenfork__record *frozen)
{
    size_t i;

    for (i = 0; i < list->images.count; i++) {
        const struct xenfork__record *image = list->images.records[i];
        int rc = 0;

        if (xenfork__frozen_is_image(frozen, image))
            rc = set_parent_name(ctx, frozen, image->name);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* List sources that are still frozen; the records of others mean nothing. */
static int add_frozen(xenfork_ctx *ctx, xenfork_list *list)
{
    struct xenfork__dominfo info;
    size_t i;
    int rc = 0;

    for (i = 0; i < list->frozen.count && rc >= 0; i++) {
        rc = xenfork__frozen_info(ctx, list->frozen.records[i], &info);
        if (rc == 0)
            rc = name_frozen_image(ctx, list, list->frozen.records[i]);
        if (rc == 0)
            rc = add_entry(ctx, list, list->frozen.records[i]);
        if (rc == XENFORK_E_NOTFOUND)
            rc = 0;
    }
    return rc;
}

/* Add each image, then its clones; at last clones whose image is gone. */
static int add_images(xenfork_ctx *ctx, xenfork_list *list)
{
    const struct xenfork__records *images = &list->images;
    const struct xenfork__records *clones = &list->clones;
    size_t i, c;
    int rc = 0;

    for (i = 0; i < images->count && rc >= 0; i++) {
        rc = add_entry(ctx, list, images->records[i]);
        for (c = 0; c < clones->count && rc >= 0; c++)
            if (!memcmp(clones->records[c]->parent, images->records[i]->uuid,
                        16) &&
                (rc = set_parent_name(ctx, clones->records[c],
                                      images->records[i]->name)) == 0)
                rc = add_entry(ctx, list, clones->records[c]);
    }
    for (c = 0; c < clones->count && rc >= 0; c++)
        if (!is_source_of(images, clones->records[c]))
            rc = add_entry(ctx, list, clones->records[c]);
    return rc;
}

static void add_bases(xenfork_list *list)
{
    size_t i;

    for (i = 0; i < list->bases.count; i++) {
        struct xenfork_entry *entry = &list->entries[list->count++];

        *entry = (struct xenfork_entry){.record = list->bases.records[i],
                                        .domid = XENFORK_DOMID_NONE,
                                        .parent_domid = XENFORK_DOMID_NONE,
                                        .state = "base"};
        xenfork__uuid_print(entry->record->uuid, entry->uuid);
    }
}

/* Add journals, which could not be undone. */
static void add_journals(xenfork_list *list)
{
    size_t i;

    for (i = 0; i < list->journals.count; i++) {
        struct xenfork_entry *entry = &list->entries[list->count++];

        *entry = (struct xenfork_entry){.record = list->journals.records[i],
                                        .domid = XENFORK_DOMID_NONE,
                                        .parent_domid = XENFORK_DOMID_NONE};
        entry->state = entry->record->is_kept ? "stuck" : "unreadable";
        xenfork__uuid_print(entry->record->uuid, entry->uuid);
    }
}

static int fill_list(xenfork_ctx *ctx, xenfork_list *list)
{
    int rc;

    if ((rc = xenfork__records_load(ctx, XENFORK_KIND_FROZEN, &list->frozen)) <
            0 ||
        (rc = xenfork__records_load(ctx, XENFORK_KIND_IMAGE, &list->images)) <
            0 ||
        (rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &list->clones)) <
            0)
        return rc;
    list->entries = calloc(list->frozen.count + list->images.count +
                               list->clones.count + list->bases.count +
                               list->journals.count + 1,
                           sizeof(*list->entries));
    if (!list->entries)
        return xenfork__nomem(ctx);
    if ((rc = add_frozen(ctx, list)) < 0 || (rc = add_images(ctx, list)) < 0)
        return rc;
    add_bases(list);
    add_journals(list);
    return 0;
}

/* Fill in the parts of every entry, when all entries are there. */
static int fill_parts(xenfork_ctx *ctx, xenfork_list *list)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < list->count && rc == 0; i++) {
        rc = xenfork__list_fill_disks(ctx, list, &list->entries[i]);
        if (rc == 0)
            rc = xenfork__list_fill_nics(ctx, &list->entries[i]);
    }
    return rc;
}

XENFORK_API int xenfork_list_open(xenfork_ctx *ctx, uint32_t flags,
                                  xenfork_list **list_out)
{
    xenfork_list *list;
    int rc = 0;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!list_out || flags & ~(XENFORK_LIST_BASES | XENFORK_LIST_JOURNALS))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "no list, or unknown flags");
    list = calloc(1, sizeof(*list));
    if (!list)
        return xenfork__nomem(ctx);
    if (flags & XENFORK_LIST_BASES)
        rc = xenfork__list_bases(ctx, &list->bases);
    if (rc == 0 && flags & XENFORK_LIST_JOURNALS)
        rc = xenfork__journals_load(ctx, &list->journals);
    if (rc == 0)
        rc = fill_list(ctx, list);
    if (rc == 0)
        rc = fill_parts(ctx, list);
    if (rc < 0) {
        xenfork_list_free(list);
        return rc;
    }
    *list_out = list;
    return 0;
}
