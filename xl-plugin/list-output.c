/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An entry of the list as JSON. */
#include "config.h"

#include <stddef.h>

#include "list-output.h"

static const char *const kinds[] = {
    [XENFORK_KIND_IMAGE] = "image",
    [XENFORK_KIND_CLONE] = "clone",
    [XENFORK_KIND_FROZEN] = "frozen",
    [XENFORK_KIND_JOURNAL] = "journal",
};

/* A frozen source may have no image yet: null. */
static void json_parent(struct json *json, const xenfork_list *list,
                        uint32_t index, int kind)
{
    const char *parent = xenfork_list_parent(list, index);

    json_string(json, kind == XENFORK_KIND_IMAGE ? "source" : "image",
                *parent ? parent : NULL);
}

static const char *const links[] = {
    [XENFORK_LINK_HOLD] = "hold",
    [XENFORK_LINK_CONNECT] = "connect",
    [XENFORK_LINK_AUTO] = "auto",
};

/* Who the clone is, and whether it knows. */
static void json_identity(struct json *json, const xenfork_list *list,
                          uint32_t index)
{
    uint32_t nic;

    json_string(json, "generation", xenfork_list_generation(list, index));
    json_bool(json, "ready", xenfork_list_is_ready(list, index));
    json_string(json, "rng",
                xenfork_list_is_reseeded(list, index) ? "reseeded"
                                                      : "not reseeded");
    json_string(json, "error", xenfork_list_error(list, index));
    json_open_list(json, "nics");
    for (nic = 0; nic < xenfork_list_nic_count(list, index); nic++) {
        json_open_map(json, NULL);
        json_string(json, "mac", xenfork_list_nic_mac(list, index, nic));
        json_string(json, "link",
                    links[xenfork_list_nic_link(list, index, nic)]);
        json_close_map(json);
    }
    json_close_list(json);
}

static void json_disks(struct json *json, const xenfork_list *list,
                       uint32_t index)
{
    uint32_t disk;

    json_open_list(json, "disks");
    for (disk = 0; disk < xenfork_list_disk_count(list, index); disk++) {
        json_open_map(json, NULL);
        json_string(json, "vdev", xenfork_list_disk_vdev(list, index, disk));
        json_string(json, "driver",
                    xenfork_list_disk_driver(list, index, disk));
        json_string(json, "path", xenfork_list_disk_path(list, index, disk));
        json_close_map(json);
    }
    json_close_list(json);
}

/* What a killed process has left. */
static void json_journal(struct json *json, const xenfork_list *list,
                         uint32_t index)
{
    json_open_map(json, NULL);
    json_string(json, "kind", kinds[XENFORK_KIND_JOURNAL]);
    json_string(json, "name", xenfork_list_name(list, index));
    json_string(json, "state", xenfork_list_state(list, index));
    json_string(json, "reason", xenfork_list_parent(list, index));
    json_disks(json, list, index);
    json_close_map(json);
}

void json_entry(struct json *json, const xenfork_list *list, uint32_t index)
{
    int kind = xenfork_list_kind(list, index);

    if (kind == XENFORK_KIND_JOURNAL) {
        json_journal(json, list, index);
        return;
    }
    json_open_map(json, NULL);
    json_string(json, "kind", kinds[kind]);
    json_string(json, "name", xenfork_list_name(list, index));
    json_domid(json, "domid", xenfork_list_domid(list, index));
    json_string(json, "uuid", xenfork_list_uuid(list, index));
    json_parent(json, list, index, kind);
    json_string(json, "state", xenfork_list_state(list, index));
    if (kind == XENFORK_KIND_CLONE) {
        json_string(json, "left", xenfork_list_left(list, index));
        json_string(json, "ephemeral", xenfork_list_ephemeral(list, index));
    }
    json_number(json, "created", xenfork_list_created(list, index));
    json_number(json, "total_kib", xenfork_list_total_kib(list, index));
    json_number(json, "shared_kib", xenfork_list_shared_kib(list, index));
    json_number(json, "private_kib", xenfork_list_private_kib(list, index));
    if (kind == XENFORK_KIND_CLONE) {
        json_number(json, "hydrated_percent",
                    xenfork_list_hydrated(list, index));
        json_number(json, "detached_percent",
                    xenfork_list_detached(list, index));
        json_identity(json, list, index);
    } else if (kind == XENFORK_KIND_IMAGE) {
        json_number(json, "users", xenfork_list_users(list, index));
        json_bool(json, "is_kept", xenfork_list_is_kept(list, index));
    }
    json_disks(json, list, index);
    json_close_map(json);
}
