/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "fake-xenfork.h"

#define MADE 1700000000

/* An image, its clone, and with $FAKE_JOURNAL a journal. */
struct xenfork_entry {
    int kind;
};

static const struct xenfork_entry entries[] = {
    {XENFORK_KIND_IMAGE}, {XENFORK_KIND_CLONE}, {XENFORK_KIND_JOURNAL}};

int xenfork_list_open(xenfork_ctx *ctx, uint32_t flags, xenfork_list **list_out)
{
    (void)ctx;
    (void)flags;
    if (fails("list"))
        return fails("list");
    *list_out = FAKE_OBJECT(xenfork_list);
    return 0;
}

void xenfork_list_free(xenfork_list *list)
{
    (void)list;
}

uint32_t xenfork_list_entry_count(const xenfork_list *list)
{
    (void)list;
    return getenv("FAKE_JOURNAL") ? 3 : 2;
}

const xenfork_entry *xenfork_list_entry(const xenfork_list *list,
                                        uint32_t index)
{
    return index < xenfork_list_entry_count(list) ? &entries[index] : NULL;
}

int xenfork_entry_kind(const xenfork_entry *entry)
{
    return entry->kind;
}

uint32_t xenfork_entry_domid(const xenfork_entry *entry)
{
    return entry->kind != XENFORK_KIND_IMAGE ? XENFORK_DOMID_NONE : 4;
}

const char *xenfork_entry_name(const xenfork_entry *entry)
{
    if (entry->kind == XENFORK_KIND_JOURNAL)
        return "00000000-0000-0000-0000-000000000002";
    if (entry->kind != XENFORK_KIND_IMAGE && getenv("FAKE_NAME_1"))
        return getenv("FAKE_NAME_1");
    return entry->kind != XENFORK_KIND_IMAGE ? "web1-1" : "web1-image";
}

const char *xenfork_entry_uuid(const xenfork_entry *entry)
{
    return entry->kind != XENFORK_KIND_IMAGE
               ? "00000000-0000-0000-0000-000000000001"
               : "00000000-0000-0000-0000-000000000000";
}

const char *xenfork_entry_parent(const xenfork_entry *entry)
{
    if (entry->kind == XENFORK_KIND_JOURNAL)
        return "cannot open /nfs/a.img";
    return entry->kind != XENFORK_KIND_IMAGE ? "web1-image" : "web1";
}

uint32_t xenfork_entry_parent_domid(const xenfork_entry *entry)
{
    return entry->kind != XENFORK_KIND_IMAGE ? XENFORK_DOMID_NONE : 3;
}

const char *xenfork_entry_state(const xenfork_entry *entry)
{
    if (entry->kind == XENFORK_KIND_JOURNAL)
        return "stuck";
    return entry->kind != XENFORK_KIND_IMAGE ? "stopped" : "ready";
}

const char *xenfork_entry_left(const xenfork_entry *entry)
{
    return entry->kind != XENFORK_KIND_IMAGE ? getenv("FAKE_LEFT") : NULL;
}

const char *xenfork_entry_ephemeral(const xenfork_entry *entry)
{
    return entry->kind != XENFORK_KIND_IMAGE ? getenv("FAKE_EPHEMERAL") : NULL;
}

uint32_t xenfork_entry_priority(const xenfork_entry *entry)
{
    (void)entry;
    return 50;
}

uint64_t xenfork_entry_created(const xenfork_entry *entry)
{
    return MADE + (uint64_t)(entry - entries);
}

uint64_t xenfork_entry_total_kib(const xenfork_entry *entry)
{
    (void)entry;
    return 131072;
}

uint64_t xenfork_entry_shared_kib(const xenfork_entry *entry)
{
    (void)entry;
    return 126976;
}

uint64_t xenfork_entry_private_kib(const xenfork_entry *entry)
{
    (void)entry;
    return 4096;
}

uint64_t xenfork_entry_host_kib(const xenfork_entry *entry)
{
    (void)entry;
    return 6144;
}

const char *xenfork_entry_hydrate(const xenfork_entry *entry)
{
    return entry->kind != XENFORK_KIND_IMAGE ? "auto" : NULL;
}

uint32_t xenfork_entry_hydrated(const xenfork_entry *entry)
{
    (void)entry;
    return 50;
}

uint32_t xenfork_entry_detached(const xenfork_entry *entry)
{
    (void)entry;
    return 100;
}

uint32_t xenfork_entry_users(const xenfork_entry *entry)
{
    (void)entry;
    return 1;
}

int xenfork_entry_is_kept(const xenfork_entry *entry)
{
    (void)entry;
    return 1;
}

const char *xenfork_entry_generation(const xenfork_entry *entry)
{
    return entry->kind != XENFORK_KIND_IMAGE ? "generation-1" : NULL;
}

int xenfork_entry_is_ready(const xenfork_entry *entry)
{
    return entry->kind != XENFORK_KIND_IMAGE;
}

int xenfork_entry_is_reseeded(const xenfork_entry *entry)
{
    return entry->kind != XENFORK_KIND_IMAGE;
}

const char *xenfork_entry_error(const xenfork_entry *entry)
{
    return entry->kind == XENFORK_KIND_CLONE ? "40-network: no \"way\"" : NULL;
}

uint32_t xenfork_entry_nic_count(const xenfork_entry *entry)
{
    return entry->kind != XENFORK_KIND_IMAGE ? 3 : 0;
}

/* One of each. */
static const struct xenfork_nic nics[] = {
    {NULL, "00:16:3e:00:00:01", XENFORK_LINK_HOLD},
    {NULL, "00:16:3e:00:00:01", XENFORK_LINK_CONNECT},
    {NULL, "00:16:3e:00:00:01", XENFORK_LINK_AUTO}};

const xenfork_nic *xenfork_entry_nic(const xenfork_entry *entry, uint32_t index)
{
    (void)entry;
    return &nics[index];
}

const char *xenfork_nic_vif(const xenfork_nic *nic)
{
    return nic->vif || !getenv("FAKE_RUNNING") ? nic->vif : "vif5.0";
}

int xenfork_nic_is_held(const xenfork_nic *nic)
{
    return nic->vif ? nic->link != XENFORK_LINK_CONNECT
                    : nic->link == XENFORK_LINK_HOLD;
}

const char *xenfork_nic_mac(const xenfork_nic *nic)
{
    return nic->mac;
}

int xenfork_nic_link(const xenfork_nic *nic)
{
    return nic->link;
}

uint32_t xenfork_entry_disk_count(const xenfork_entry *entry)
{
    return entry->kind != XENFORK_KIND_IMAGE ? 1 : 0;
}

static const struct xenfork_disk clone_disk = {"xvda", "/disks/web1-1.img"};

const xenfork_disk *xenfork_entry_disk(const xenfork_entry *entry,
                                       uint32_t index)
{
    (void)entry;
    (void)index;
    return &clone_disk;
}

const char *xenfork_disk_vdev(const xenfork_disk *disk)
{
    return disk->vdev;
}

const char *xenfork_disk_path(const xenfork_disk *disk)
{
    return disk->path;
}

const char *xenfork_disk_driver(const xenfork_disk *disk)
{
    (void)disk;
    return "reflink";
}

uint32_t xenfork_disk_depth(const xenfork_disk *disk)
{
    (void)disk;
    return 1;
}

uint32_t xenfork_disk_users(const xenfork_disk *disk)
{
    (void)disk;
    return 0;
}

/* All that it takes is known; how much is its own is not. */
int xenfork_disk_usage(xenfork_ctx *ctx, const xenfork_disk *disk,
                       uint64_t *allocated_kib_out, uint64_t *own_kib_out)
{
    (void)ctx;
    (void)disk;
    if (fails("usage"))
        return fails("usage");
    *allocated_kib_out = 65536;
    *own_kib_out = XENFORK_NOT_KNOWN;
    return 0;
}
