/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/record-text.h"

#include <inttypes.h>
#include <string.h>

#define MAX_DISKS 256U
#define MAX_NICS  256U

static int set_uuid(xenfork_ctx *ctx, struct xenfork__record *record,
                    const char *key, const uint8_t uuid[16])
{
    char text[XENFORK__UUID_CHARS];

    xenfork__uuid_print(uuid, text);
    return xenfork__record_set(ctx, record, key, text);
}

static int disks_to_record(xenfork_ctx *ctx, const struct xenfork__node *node,
                           struct xenfork__record *record)
{
    uint32_t i;
    int rc;

    for (i = 0; i < node->disk_count; i++) {
        char index[16];

        snprintf(index, sizeof(index), "%u", node->disks[i].index);
        if ((rc = xenfork__record_set_nth(ctx, record, "disk.index", i,
                                          index)) < 0 ||
            (rc = xenfork__record_set_nth(ctx, record, "disk.vdev", i,
                                          node->disks[i].vdev)) < 0 ||
            (rc = xenfork__record_set_nth(ctx, record, "disk.driver", i,
                                          node->disks[i].driver)) < 0 ||
            (rc = xenfork__record_set_nth(ctx, record, "disk.path", i,
                                          node->disks[i].path)) < 0 ||
            (rc = xenfork__record_set_nth(ctx, record, "disk.from", i,
                                          node->disks[i].from)) < 0 ||
            (rc = xenfork__record_set_nth(ctx, record, "disk.other_driver", i,
                                          node->disks[i].other_driver)) < 0 ||
            (rc = xenfork__record_set_nth(ctx, record, "disk.other", i,
                                          node->disks[i].other)) < 0)
            return rc;
    }
    return 0;
}

/* Write "VDEV IS" */
static int shared_to_record(xenfork_ctx *ctx, const struct xenfork__node *node,
                            struct xenfork__record *record)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < node->shared_count && rc >= 0; i++) {
        char text[sizeof(*node->shared)];

        snprintf(text, sizeof(text), "%s %s", node->shared[i].vdev,
                 node->shared[i].is);
        rc = xenfork__record_set_nth(ctx, record, "shared", i, text);
    }
    return rc;
}

/* Write "DEVID MAC LINK" */
static int nics_to_record(xenfork_ctx *ctx, const struct xenfork__node *node,
                          struct xenfork__record *record)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < node->nic_count && rc >= 0; i++) {
        char text[48];

        snprintf(text, sizeof(text), "%d %s %d", node->nics[i].devid,
                 node->nics[i].mac_text, node->nics[i].link);
        rc = xenfork__record_set_nth(ctx, record, "nic", i, text);
    }
    return rc;
}

static int identity_to_record(xenfork_ctx *ctx,
                              const struct xenfork__node *node,
                              struct xenfork__record *record)
{
    int rc;

    if ((rc = xenfork__record_set(ctx, record, "generation",
                                  node->generation)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, record, "ready", node->is_ready)) <
            0 ||
        (rc = xenfork__record_set_u64(ctx, record, "reseeded",
                                      node->is_reseeded)) < 0)
        return rc;
    return nics_to_record(ctx, node, record);
}

int xenfork__node_to_record(xenfork_ctx *ctx, const struct xenfork__node *node,
                            struct xenfork__record *record)
{
    int rc;

    if ((rc = xenfork__record_set(ctx, record, "name", node->name)) < 0 ||
        (rc = set_uuid(ctx, record, "uuid", node->uuid)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, record, "domid", node->domid)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "boot", node->boot)) < 0 ||
        (rc = set_uuid(ctx, record, "parent", node->parent)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "parent.name",
                                  node->parent_name)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "txn", node->txn)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "freeze", node->freeze)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, record, "created",
                                      node->created_s)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, record, "pages", node->pages)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, record, "kept", node->is_kept)) <
            0 ||
        (rc = xenfork__record_set_u64(ctx, record, "ephemeral",
                                      node->ephemeral)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, record, "hydrating",
                                      node->is_hydrating)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, record, "hydrated",
                                      node->hydrated)) < 0 ||
        (rc = xenfork__record_set_u64(ctx, record, "detached",
                                      node->detached)) < 0 ||
        (rc = xenfork__record_set(ctx, record, "left",
                                  node->left ? node->left : "")) < 0 ||
        (rc = xenfork__record_set(ctx, record, "left.by", node->left_by)) < 0 ||
        (rc = identity_to_record(ctx, node, record)) < 0 ||
        (rc = shared_to_record(ctx, node, record)) < 0)
        return rc;
    return disks_to_record(ctx, node, record);
}

static bool get_string(const struct xenfork__record *record, const char *key,
                       char **out)
{
    const char *value = xenfork__record_get(record, key);

    return value && (*out = strdup(value));
}

static bool get_uuid(const struct xenfork__record *record, const char *key,
                     uint8_t uuid_out[16])
{
    const char *value = xenfork__record_get(record, key);

    return value && xenfork__uuid_parse(value, uuid_out);
}

static bool get_u32(const struct xenfork__record *record, const char *key,
                    uint32_t *out)
{
    uint64_t value;

    if (!xenfork__record_get_u64(record, key, &value) || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

/* Read a number that older records do not have: 0. */
static bool get_new_u32(const struct xenfork__record *record, const char *key,
                        uint32_t *out)
{
    return !xenfork__record_get(record, key) || get_u32(record, key, out);
}

static bool get_bool(const struct xenfork__record *record, const char *key,
                     bool *out)
{
    uint32_t value;

    if (!get_u32(record, key, &value) || value > 1)
        return false;
    *out = value;
    return true;
}

static bool disks_from_record(xenfork_ctx *ctx, struct xenfork__node *node,
                              const struct xenfork__record *record)
{
    uint32_t i;

    for (i = 0; i < MAX_DISKS; i++) {
        const char *vdev = xenfork__record_get_nth(record, "disk.vdev", i);
        const char *path = xenfork__record_get_nth(record, "disk.path", i);
        const char *driver = xenfork__record_get_nth(record, "disk.driver", i);
        const char *from = xenfork__record_get_nth(record, "disk.from", i);
        const char *by = xenfork__record_get_nth(record, "disk.other_driver",
                                                 i);
        const char *other = xenfork__record_get_nth(record, "disk.other", i);
        char key[32];
        uint32_t index;

        if (!vdev)
            return true;
        snprintf(key, sizeof(key), "disk.index.%u", i);
        if (!path || !get_u32(record, key, &index) ||
            /* Records of before there were other drivers name none. */
            xenfork__node_add_disk(ctx, node, index, vdev,
                                   driver ? driver : "reflink", path,
                                   from ? from : "") < 0 ||
            xenfork__node_disk_beside(ctx, node, i, by ? by : "",
                                      other ? other : "") < 0)
            return false;
    }
    return false;
}

static bool shared_from_record(xenfork_ctx *ctx, struct xenfork__node *node,
                               const struct xenfork__record *record)
{
    uint32_t i;

    for (i = 0; i < MAX_DISKS; i++) {
        const char *text = xenfork__record_get_nth(record, "shared", i);
        char is[XENFORK__DISK_IS];
        char vdev[32];

        if (!text)
            return true;
        if (sscanf(text, "%31s %95[^\n]", vdev, is) != 2 ||
            xenfork__node_add_shared(ctx, node, vdev, is) < 0)
            return false;
    }
    return false;
}

/* Read an ID into one of the record's arrays. */
static bool get_id(const struct xenfork__record *record, const char *key,
                   char out[XENFORK__UUID_CHARS])
{
    const char *value = xenfork__record_get(record, key);

    if (!value || strlen(value) >= XENFORK__UUID_CHARS)
        return false;
    strcpy(out, value);
    return true;
}

static bool nic_from_text(xenfork_ctx *ctx, struct xenfork__node *node,
                          const char *text)
{
    char mac_text[XENFORK__MAC_CHARS];
    uint8_t mac[6];
    int devid, link;

    return sscanf(text, "%d %17s %d", &devid, mac_text, &link) == 3 &&
           xenfork__mac_parse(mac_text, mac) && link >= XENFORK_LINK_HOLD &&
           link <= XENFORK_LINK_AUTO &&
           xenfork__node_add_nic(ctx, node, devid, mac, link) == 0;
}

/* Read the identity, which older records do not have. */
static bool identity_from_record(xenfork_ctx *ctx, struct xenfork__node *node,
                                 const struct xenfork__record *record)
{
    const char *generation = xenfork__record_get(record, "generation");
    const char *text;
    uint32_t i;

    if (!generation)
        return true;
    if (strlen(generation) >= sizeof(node->generation) ||
        !get_bool(record, "ready", &node->is_ready) ||
        (xenfork__record_get(record, "reseeded") &&
         !get_bool(record, "reseeded", &node->is_reseeded)))
        return false;
    strcpy(node->generation, generation);
    for (i = 0; i < MAX_NICS; i++) {
        text = xenfork__record_get_nth(record, "nic", i);
        if (!text || !nic_from_text(ctx, node, text))
            return !text;
    }
    return true;
}

static bool get_left_by(const struct xenfork__record *record,
                        struct xenfork__node *node)
{
    const char *text = xenfork__record_get(record, "left.by");

    if (text && strlen(text) >= sizeof(node->left_by))
        return false;
    strcpy(node->left_by, text ? text : "");
    return true;
}

bool xenfork__node_from_record(xenfork_ctx *ctx, struct xenfork__node *node,
                               const struct xenfork__record *record)
{
    return get_id(record, "txn", node->txn) &&
           get_id(record, "freeze", node->freeze) &&
           get_string(record, "name", &node->name) &&
           get_uuid(record, "uuid", node->uuid) &&
           get_u32(record, "domid", &node->domid) &&
           get_id(record, "boot", node->boot) &&
           get_uuid(record, "parent", node->parent) &&
           get_string(record, "parent.name", &node->parent_name) &&
           xenfork__record_get_u64(record, "created", &node->created_s) &&
           xenfork__record_get_u64(record, "pages", &node->pages) &&
           get_bool(record, "kept", &node->is_kept) &&
           get_new_u32(record, "ephemeral", &node->ephemeral) &&
           node->ephemeral <= XENFORK__EPHEMERAL_CRASH &&
           get_bool(record, "hydrating", &node->is_hydrating) &&
           get_u32(record, "hydrated", &node->hydrated) &&
           get_new_u32(record, "detached", &node->detached) &&
           (!xenfork__record_get(record, "left") ||
            get_string(record, "left", &node->left)) &&
           get_left_by(record, node) &&
           identity_from_record(ctx, node, record) &&
           shared_from_record(ctx, node, record) &&
           disks_from_record(ctx, node, record);
}
