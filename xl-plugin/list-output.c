/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An entry of the list as JSON. */
#include "config.h"

#include <stddef.h>

#include "list-output.h"

void json_entry(struct json *json, const xenfork_list *list, uint32_t index)
{
    bool is_clone = xenfork_list_kind(list, index) == XENFORK_KIND_CLONE;
    uint32_t disk;

    json_open_map(json, NULL);
    json_string(json, "kind", is_clone ? "clone" : "image");
    json_string(json, "name", xenfork_list_name(list, index));
    json_domid(json, "domid", xenfork_list_domid(list, index));
    json_string(json, "uuid", xenfork_list_uuid(list, index));
    json_string(json, is_clone ? "image" : "source",
                xenfork_list_parent(list, index));
    json_string(json, "state", xenfork_list_state(list, index));
    json_number(json, "created", xenfork_list_created(list, index));
    json_number(json, "total_kib", xenfork_list_total_kib(list, index));
    json_number(json, "shared_kib", xenfork_list_shared_kib(list, index));
    json_number(json, "private_kib", xenfork_list_private_kib(list, index));
    if (is_clone) {
        json_number(json, "hydrated_percent",
                    xenfork_list_hydrated(list, index));
    } else {
        json_number(json, "users", xenfork_list_users(list, index));
        json_bool(json, "is_kept", xenfork_list_is_kept(list, index));
    }
    json_open_list(json, "disks");
    for (disk = 0; disk < xenfork_list_disk_count(list, index); disk++) {
        json_open_map(json, NULL);
        json_string(json, "vdev", xenfork_list_disk_vdev(list, index, disk));
        json_string(json, "path", xenfork_list_disk_path(list, index, disk));
        json_close_map(json);
    }
    json_close_list(json);
    json_close_map(json);
}
