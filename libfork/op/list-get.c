/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The getters of lists and of their entries. */
#include "op/list.h"

#include "op/leave.h"

XENFORK_API uint32_t xenfork_list_entry_count(const xenfork_list *list)
{
    return list ? list->count : 0;
}

XENFORK_API const xenfork_entry *xenfork_list_entry(const xenfork_list *list,
                                                    uint32_t index)
{
    return list && index < list->count ? &list->entries[index] : NULL;
}

XENFORK_API int xenfork_entry_kind(const xenfork_entry *entry)
{
    return entry ? entry->record->kind : 0;
}

XENFORK_API uint32_t xenfork_entry_domid(const xenfork_entry *entry)
{
    return entry ? entry->domid : XENFORK_DOMID_NONE;
}

XENFORK_API const char *xenfork_entry_name(const xenfork_entry *entry)
{
    return entry ? entry->record->name : NULL;
}

XENFORK_API const char *xenfork_entry_uuid(const xenfork_entry *entry)
{
    return entry ? entry->uuid : NULL;
}

XENFORK_API const char *xenfork_entry_parent(const xenfork_entry *entry)
{
    return entry ? entry->record->parent_name : NULL;
}

XENFORK_API uint32_t xenfork_entry_parent_domid(const xenfork_entry *entry)
{
    return entry ? entry->parent_domid : XENFORK_DOMID_NONE;
}

XENFORK_API const char *xenfork_entry_state(const xenfork_entry *entry)
{
    return entry ? entry->state : NULL;
}

XENFORK_API const char *xenfork_entry_left(const xenfork_entry *entry)
{
    return entry && xenfork__has_left(entry->record, entry->domid)
               ? entry->record->left
               : NULL;
}

XENFORK_API const char *xenfork_entry_ephemeral(const xenfork_entry *entry)
{
    static const char *const words[] = {
        [XENFORK__EPHEMERAL_POWEROFF] = "poweroff",
        [XENFORK__EPHEMERAL_CRASH] = "crash",
    };

    return entry ? words[entry->record->ephemeral] : NULL;
}

XENFORK_API uint32_t xenfork_entry_priority(const xenfork_entry *entry)
{
    return entry ? entry->record->priority : 0;
}

XENFORK_API uint64_t xenfork_entry_created(const xenfork_entry *entry)
{
    return entry ? entry->record->created_s : 0;
}

XENFORK_API uint64_t xenfork_entry_total_kib(const xenfork_entry *entry)
{
    return entry ? entry->record->pages * XENFORK__PAGE_KIB : 0;
}

XENFORK_API uint64_t xenfork_entry_shared_kib(const xenfork_entry *entry)
{
    return entry ? entry->shared_pages * XENFORK__PAGE_KIB : 0;
}

XENFORK_API uint64_t xenfork_entry_private_kib(const xenfork_entry *entry)
{
    return entry ? entry->private_pages * XENFORK__PAGE_KIB : 0;
}

/*
 * Return what Xen's records of shared pages take: one for each page of each
 * domain, and one for each page that an image shares with them.  48 bytes, with
 * what its allocator adds.
 */
static uint64_t records_kib(const xenfork_entry *entry)
{
    uint64_t each = entry->record->kind == XENFORK_KIND_IMAGE ? 96 : 48;

    return entry->shared_pages * each / 1024;
}

XENFORK_API uint64_t xenfork_entry_host_kib(const xenfork_entry *entry)
{
    if (!entry || entry->domid == XENFORK_DOMID_NONE)
        return 0;
    return XENFORK__DOMAIN_KIB + entry->private_pages * XENFORK__PAGE_KIB +
           entry->pool_bytes / 1024 + records_kib(entry);
}

XENFORK_API uint32_t xenfork_entry_hydrated(const xenfork_entry *entry)
{
    return entry ? entry->record->hydrated : 0;
}

XENFORK_API const char *xenfork_entry_hydrate(const xenfork_entry *entry)
{
    static const char *const words[] = {
        [XENFORK__HYDRATE_NOW] = "now",
        [XENFORK__HYDRATE_AUTO] = "auto",
        [XENFORK__HYDRATE_NEVER] = "never",
    };

    return entry && entry->record->kind == XENFORK_KIND_CLONE
               ? words[entry->record->hydrate]
               : NULL;
}

XENFORK_API uint32_t xenfork_entry_detached(const xenfork_entry *entry)
{
    return entry ? entry->record->detached : 0;
}

XENFORK_API uint32_t xenfork_entry_users(const xenfork_entry *entry)
{
    return entry ? entry->users : 0;
}

XENFORK_API int xenfork_entry_is_kept(const xenfork_entry *entry)
{
    return entry && entry->record->is_kept;
}

XENFORK_API const char *xenfork_entry_generation(const xenfork_entry *entry)
{
    return entry && entry->record->generation[0] ? entry->record->generation
                                                 : NULL;
}

XENFORK_API int xenfork_entry_is_ready(const xenfork_entry *entry)
{
    return entry && entry->record->is_ready;
}

XENFORK_API int xenfork_entry_is_reseeded(const xenfork_entry *entry)
{
    return entry && (entry->record->is_reseeded || entry->answers.has_reseeded);
}

XENFORK_API const char *xenfork_entry_error(const xenfork_entry *entry)
{
    return entry && entry->answers.fault[0] ? entry->answers.fault : NULL;
}

XENFORK_API uint32_t xenfork_entry_nic_count(const xenfork_entry *entry)
{
    return entry ? entry->record->nic_count : 0;
}

XENFORK_API const xenfork_nic *xenfork_entry_nic(const xenfork_entry *entry,
                                                 uint32_t index)
{
    return entry && index < entry->record->nic_count ? &entry->nics[index]
                                                     : NULL;
}

XENFORK_API uint32_t xenfork_entry_disk_count(const xenfork_entry *entry)
{
    return entry ? entry->record->disk_count : 0;
}

XENFORK_API const xenfork_disk *xenfork_entry_disk(const xenfork_entry *entry,
                                                   uint32_t index)
{
    return entry && index < entry->record->disk_count ? &entry->disks[index]
                                                      : NULL;
}
