/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "fake-xenfork.h"

#define MADE 1700000000

int xenfork_list_disks(xenfork_ctx *ctx, xenfork_list **list_out)
{
    return xenfork_list_all(ctx, list_out);
}

int xenfork_list_all(xenfork_ctx *ctx, xenfork_list **list_out)
{
    (void)ctx;
    if (fails("list"))
        return fails("list");
    *list_out = FAKE_OBJECT(xenfork_list);
    return 0;
}

void xenfork_list_free(xenfork_list *list)
{
    (void)list;
}

uint32_t xenfork_list_count(const xenfork_list *list)
{
    (void)list;
    return getenv("FAKE_JOURNAL") ? 3 : 2;
}

int xenfork_list_kind(const xenfork_list *list, uint32_t index)
{
    (void)list;
    if (index == 2)
        return XENFORK_KIND_JOURNAL;
    return index ? XENFORK_KIND_CLONE : XENFORK_KIND_IMAGE;
}

uint32_t xenfork_list_domid(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? XENFORK_DOMID_NONE : 4;
}

const char *xenfork_list_name(const xenfork_list *list, uint32_t index)
{
    (void)list;
    if (index == 2)
        return "00000000-0000-0000-0000-000000000002";
    if (index && getenv("FAKE_NAME_1"))
        return getenv("FAKE_NAME_1");
    return index ? "web1-1" : "web1-image";
}

const char *xenfork_list_uuid(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? "00000000-0000-0000-0000-000000000001"
                 : "00000000-0000-0000-0000-000000000000";
}

const char *xenfork_list_parent(const xenfork_list *list, uint32_t index)
{
    (void)list;
    if (index == 2)
        return "cannot open /nfs/a.img";
    return index ? "web1-image" : "web1";
}

uint32_t xenfork_list_parent_domid(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? XENFORK_DOMID_NONE : 3;
}

const char *xenfork_list_state(const xenfork_list *list, uint32_t index)
{
    (void)list;
    if (index == 2)
        return "stuck";
    return index ? "stopped" : "ready";
}

const char *xenfork_list_left(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? getenv("FAKE_LEFT") : NULL;
}

const char *xenfork_list_ephemeral(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? getenv("FAKE_EPHEMERAL") : NULL;
}

uint64_t xenfork_list_created(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return MADE + index;
}

uint64_t xenfork_list_total_kib(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 131072;
}

uint64_t xenfork_list_shared_kib(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 126976;
}

uint64_t xenfork_list_private_kib(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 4096;
}

uint32_t xenfork_list_hydrated(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 50;
}

uint32_t xenfork_list_detached(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 100;
}

uint32_t xenfork_list_users(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 1;
}

int xenfork_list_is_kept(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 1;
}

const char *xenfork_list_generation(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? "generation-1" : NULL;
}

int xenfork_list_is_ready(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index != 0;
}

int xenfork_list_is_reseeded(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index != 0;
}

const char *xenfork_list_error(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index == 1 ? "40-network: no \"way\"" : NULL;
}

uint32_t xenfork_list_nic_count(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? 3 : 0;
}

const char *xenfork_list_nic_mac(const xenfork_list *list, uint32_t index,
                                 uint32_t nic)
{
    (void)list;
    (void)index;
    (void)nic;
    return "00:16:3e:00:00:01";
}

/* One of each. */
int xenfork_list_nic_link(const xenfork_list *list, uint32_t index,
                          uint32_t nic)
{
    (void)list;
    (void)index;
    return (int)nic;
}

uint32_t xenfork_list_disk_count(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? 1 : 0;
}

const char *xenfork_list_disk_vdev(const xenfork_list *list, uint32_t index,
                                   uint32_t disk)
{
    (void)list;
    (void)index;
    (void)disk;
    return "xvda";
}

const char *xenfork_list_disk_path(const xenfork_list *list, uint32_t index,
                                   uint32_t disk)
{
    (void)list;
    (void)index;
    (void)disk;
    return "/disks/web1-1.img";
}

const char *xenfork_list_disk_driver(const xenfork_list *list, uint32_t index,
                                     uint32_t disk)
{
    (void)list;
    (void)index;
    (void)disk;
    return "reflink";
}

uint32_t xenfork_list_disk_depth(const xenfork_list *list, uint32_t index,
                                 uint32_t disk)
{
    (void)list;
    (void)index;
    (void)disk;
    return 1;
}

uint32_t xenfork_list_disk_users(const xenfork_list *list, uint32_t index,
                                 uint32_t disk)
{
    (void)list;
    (void)disk;
    return index ? 0 : 1;
}

/* What it takes is known; what of it is its own is not. */
int xenfork_disk_usage(xenfork_ctx *ctx, const xenfork_list *list,
                       uint32_t index, uint32_t disk,
                       uint64_t *allocated_kib_out, uint64_t *own_kib_out)
{
    (void)ctx;
    (void)list;
    (void)index;
    (void)disk;
    if (fails("usage"))
        return fails("usage");
    *allocated_kib_out = 65536;
    *own_kib_out = XENFORK_NOT_KNOWN;
    return 0;
}
