/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An entry of the list as JSON. */
#include "config.h"

#include <stddef.h>

#include "list-output.h"

static const char *const kinds[] = {
    [XENFORK_KIND_IMAGE] = "image",     [XENFORK_KIND_CLONE] = "clone",
    [XENFORK_KIND_FROZEN] = "frozen",   [XENFORK_KIND_BASE] = "base",
    [XENFORK_KIND_JOURNAL] = "journal",
};

/* Write the parent; a frozen source may have no image yet: null. */
static void json_parent(struct json *json, const xenfork_entry *entry, int kind)
{
    const char *parent = xenfork_entry_parent(entry);

    json_string(json, kind == XENFORK_KIND_IMAGE ? "source" : "image",
                *parent ? parent : NULL);
}

static const char *const links[] = {
    [XENFORK_LINK_HOLD] = "hold",
    [XENFORK_LINK_CONNECT] = "connect",
    [XENFORK_LINK_AUTO] = "auto",
};

/*
 * Return the state of a NIC as in xl fork --json; NULL: the clone has no domain
 */
static const char *net_name(const xenfork_nic *nic)
{
    if (!xenfork_nic_vif(nic))
        return NULL;
    return xenfork_nic_is_held(nic) ? "held" : "connected";
}

/* Write the identity of a clone, and whether it has adapted. */
static void json_identity(struct json *json, const xenfork_entry *entry)
{
    uint32_t i;

    json_string(json, "generation", xenfork_entry_generation(entry));
    json_bool(json, "ready", xenfork_entry_is_ready(entry));
    json_string(json, "rng",
                xenfork_entry_is_reseeded(entry) ? "reseeded" : "not reseeded");
    json_string(json, "error", xenfork_entry_error(entry));
    json_open_list(json, "nics");
    for (i = 0; i < xenfork_entry_nic_count(entry); i++) {
        const xenfork_nic *nic = xenfork_entry_nic(entry, i);

        json_open_map(json, NULL);
        json_string(json, "mac", xenfork_nic_mac(nic));
        json_string(json, "vif", xenfork_nic_vif(nic));
        json_string(json, "link", links[xenfork_nic_link(nic)]);
        json_string(json, "net", net_name(nic));
        json_close_map(json);
    }
    json_close_list(json);
}

static void json_entry_disks(struct json *json, const xenfork_entry *entry)
{
    uint32_t i;

    json_open_list(json, "disks");
    for (i = 0; i < xenfork_entry_disk_count(entry); i++) {
        const xenfork_disk *disk = xenfork_entry_disk(entry, i);

        json_open_map(json, NULL);
        json_string(json, "vdev", xenfork_disk_vdev(disk));
        json_string(json, "driver", xenfork_disk_driver(disk));
        json_string(json, "path", xenfork_disk_path(disk));
        json_close_map(json);
    }
    json_close_list(json);
}

/* Write what a killed process has left. */
static void json_journal(struct json *json, const xenfork_entry *entry)
{
    json_open_map(json, NULL);
    json_string(json, "kind", kinds[XENFORK_KIND_JOURNAL]);
    json_string(json, "name", xenfork_entry_name(entry));
    json_string(json, "state", xenfork_entry_state(entry));
    json_string(json, "reason", xenfork_entry_parent(entry));
    json_entry_disks(json, entry);
    json_close_map(json);
}

void json_entry(struct json *json, const xenfork_entry *entry)
{
    int kind = xenfork_entry_kind(entry);

    if (kind == XENFORK_KIND_JOURNAL) {
        json_journal(json, entry);
        return;
    }
    json_open_map(json, NULL);
    json_string(json, "kind", kinds[kind]);
    json_string(json, "name", xenfork_entry_name(entry));
    json_domid(json, "domid", xenfork_entry_domid(entry));
    json_string(json, "uuid", xenfork_entry_uuid(entry));
    json_parent(json, entry, kind);
    json_string(json, "state", xenfork_entry_state(entry));
    if (kind == XENFORK_KIND_CLONE) {
        json_string(json, "left", xenfork_entry_left(entry));
        json_string(json, "ephemeral", xenfork_entry_ephemeral(entry));
        json_number(json, "priority", xenfork_entry_priority(entry));
    }
    json_number(json, "created", xenfork_entry_created(entry));
    json_number(json, "total_kib", xenfork_entry_total_kib(entry));
    json_number(json, "shared_kib", xenfork_entry_shared_kib(entry));
    json_number(json, "private_kib", xenfork_entry_private_kib(entry));
    json_number(json, "host_kib", xenfork_entry_host_kib(entry));
    if (kind == XENFORK_KIND_CLONE) {
        json_string(json, "hydrate", xenfork_entry_hydrate(entry));
        json_number(json, "hydrated_percent", xenfork_entry_hydrated(entry));
        json_number(json, "detached_percent", xenfork_entry_detached(entry));
        json_identity(json, entry);
    } else if (kind == XENFORK_KIND_IMAGE) {
        json_number(json, "users", xenfork_entry_users(entry));
        json_bool(json, "is_kept", xenfork_entry_is_kept(entry));
    }
    json_entry_disks(json, entry);
    json_close_map(json);
}
