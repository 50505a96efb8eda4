/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/record-text.h"

#include <inttypes.h>
#include <string.h>

#define MAX_DISKS 256U
#define MAX_NICS  256U

static int set_uuid(xenfork_ctx *ctx, struct xenfork__keyfile *keyfile,
                    const char *key, const uint8_t uuid[16])
{
    char text[XENFORK__UUID_CHARS];

    xenfork__uuid_print(uuid, text);
    return xenfork__keyfile_set(ctx, keyfile, key, text);
}

static int disks_to_keyfile(xenfork_ctx *ctx,
                            const struct xenfork__record *record,
                            struct xenfork__keyfile *keyfile)
{
    uint32_t i;
    int rc;

    for (i = 0; i < record->disk_count; i++) {
        char index[16];

        snprintf(index, sizeof(index), "%u", record->disks[i].index);
        if ((rc = xenfork__keyfile_set_nth(ctx, keyfile, "disk.index", i,
                                           index)) < 0 ||
            (rc = xenfork__keyfile_set_nth(ctx, keyfile, "disk.vdev", i,
                                           record->disks[i].vdev)) < 0 ||
            (rc = xenfork__keyfile_set_nth(ctx, keyfile, "disk.driver", i,
                                           record->disks[i].driver)) < 0 ||
            (rc = xenfork__keyfile_set_nth(ctx, keyfile, "disk.path", i,
                                           record->disks[i].path)) < 0 ||
            (rc = xenfork__keyfile_set_nth(ctx, keyfile, "disk.from", i,
                                           record->disks[i].from)) < 0 ||
            (rc = xenfork__keyfile_set_nth(ctx, keyfile, "disk.other_driver", i,
                                           record->disks[i].other_driver)) <
                0 ||
            (rc = xenfork__keyfile_set_nth(ctx, keyfile, "disk.other", i,
                                           record->disks[i].other)) < 0)
            return rc;
    }
    return 0;
}

/* Write "VDEV IS" */
static int shared_to_keyfile(xenfork_ctx *ctx,
                             const struct xenfork__record *record,
                             struct xenfork__keyfile *keyfile)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < record->shared_count && rc >= 0; i++) {
        char text[sizeof(*record->shared)];

        snprintf(text, sizeof(text), "%s %s", record->shared[i].vdev,
                 record->shared[i].is);
        rc = xenfork__keyfile_set_nth(ctx, keyfile, "shared", i, text);
    }
    return rc;
}

/* Write "DEVID MAC LINK FIRST" */
static int nics_to_keyfile(xenfork_ctx *ctx,
                           const struct xenfork__record *record,
                           struct xenfork__keyfile *keyfile)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < record->nic_count && rc >= 0; i++) {
        char text[48];

        snprintf(text, sizeof(text), "%d %s %d %d", record->nics[i].devid,
                 record->nics[i].mac_text, record->nics[i].link,
                 record->nics[i].first);
        rc = xenfork__keyfile_set_nth(ctx, keyfile, "nic", i, text);
    }
    return rc;
}

static int identity_to_keyfile(xenfork_ctx *ctx,
                               const struct xenfork__record *record,
                               struct xenfork__keyfile *keyfile)
{
    int rc;

    if ((rc = xenfork__keyfile_set(ctx, keyfile, "generation",
                                   record->generation)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "ready",
                                       record->is_ready)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "reseeded",
                                       record->is_reseeded)) < 0)
        return rc;
    return nics_to_keyfile(ctx, record, keyfile);
}

static int sources_to_keyfile(xenfork_ctx *ctx,
                              const struct xenfork__record *record,
                              struct xenfork__keyfile *keyfile)
{
    char text[XENFORK__UUID_CHARS];
    uint32_t i;
    int rc = 0;

    for (i = 0; i < record->source_count && rc == 0; i++) {
        xenfork__uuid_print(record->sources[i], text);
        rc = xenfork__keyfile_set_nth(ctx, keyfile, "source", i, text);
    }
    return rc;
}

int xenfork__record_to_keyfile(xenfork_ctx *ctx,
                               const struct xenfork__record *record,
                               struct xenfork__keyfile *keyfile)
{
    int rc;

    if ((rc = xenfork__keyfile_set(ctx, keyfile, "name", record->name)) < 0 ||
        (rc = set_uuid(ctx, keyfile, "uuid", record->uuid)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "domid", record->domid)) <
            0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "boot", record->boot)) < 0 ||
        (rc = set_uuid(ctx, keyfile, "parent", record->parent)) < 0 ||
        (rc = set_uuid(ctx, keyfile, "image", record->image)) < 0 ||
        (rc = sources_to_keyfile(ctx, record, keyfile)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "parent.name",
                                   record->parent_name)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "journal", record->journal)) <
            0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "freeze", record->freeze)) <
            0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "created",
                                       record->created_s)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "pages", record->pages)) <
            0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "kept", record->is_kept)) <
            0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "ephemeral",
                                       record->ephemeral)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "priority",
                                       record->priority)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "owned", record->owned)) <
            0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "reserved",
                                       record->reserved)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "hydrate",
                                       record->hydrate)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "hydrated",
                                       record->hydrated)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "detached",
                                       record->detached)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "left",
                                   record->left ? record->left : "")) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "left.by", record->left_by)) <
            0 ||
        (rc = identity_to_keyfile(ctx, record, keyfile)) < 0 ||
        (rc = shared_to_keyfile(ctx, record, keyfile)) < 0)
        return rc;
    return disks_to_keyfile(ctx, record, keyfile);
}

static bool get_string(const struct xenfork__keyfile *keyfile, const char *key,
                       char **out)
{
    const char *value = xenfork__keyfile_get(keyfile, key);

    return value && (*out = strdup(value));
}

static bool get_uuid(const struct xenfork__keyfile *keyfile, const char *key,
                     uint8_t uuid_out[16])
{
    const char *value = xenfork__keyfile_get(keyfile, key);

    return value && xenfork__uuid_parse(value, uuid_out);
}

/* Read numbers that older records do not have: 0. */
static bool get_new_u64(const struct xenfork__keyfile *keyfile, const char *key,
                        uint64_t *out)
{
    return !xenfork__keyfile_get(keyfile, key) ||
           xenfork__keyfile_get_u64(keyfile, key, out);
}

static bool get_new_u32(const struct xenfork__keyfile *keyfile, const char *key,
                        uint32_t *out)
{
    return !xenfork__keyfile_get(keyfile, key) ||
           xenfork__keyfile_get_u32(keyfile, key, out);
}

static bool get_bool(const struct xenfork__keyfile *keyfile, const char *key,
                     bool *out)
{
    uint32_t value;

    if (!xenfork__keyfile_get_u32(keyfile, key, &value) || value > 1)
        return false;
    *out = value;
    return true;
}

static bool disks_from_keyfile(xenfork_ctx *ctx, struct xenfork__record *record,
                               const struct xenfork__keyfile *keyfile)
{
    uint32_t i;

    for (i = 0; i < MAX_DISKS; i++) {
        const char *vdev = xenfork__keyfile_get_nth(keyfile, "disk.vdev", i);
        const char *path = xenfork__keyfile_get_nth(keyfile, "disk.path", i);
        const char *driver = xenfork__keyfile_get_nth(keyfile, "disk.driver",
                                                      i);
        const char *from = xenfork__keyfile_get_nth(keyfile, "disk.from", i);
        const char *by = xenfork__keyfile_get_nth(keyfile, "disk.other_driver",
                                                  i);
        const char *other = xenfork__keyfile_get_nth(keyfile, "disk.other", i);
        char key[32];
        uint32_t index;

        if (!vdev)
            return true;
        snprintf(key, sizeof(key), "disk.index.%u", i);
        if (!path || !xenfork__keyfile_get_u32(keyfile, key, &index) ||
            /* Records of before there were other drivers name none. */
            xenfork__record_add_disk(ctx, record, index, vdev,
                                     driver ? driver : "reflink", path,
                                     from ? from : "") < 0 ||
            xenfork__record_disk_beside(ctx, record, i, by ? by : "",
                                        other ? other : "") < 0)
            return false;
    }
    return false;
}

static bool shared_from_keyfile(xenfork_ctx *ctx,
                                struct xenfork__record *record,
                                const struct xenfork__keyfile *keyfile)
{
    uint32_t i;

    for (i = 0; i < MAX_DISKS; i++) {
        const char *text = xenfork__keyfile_get_nth(keyfile, "shared", i);
        char is[XENFORK__DISK_IS];
        char vdev[32];

        if (!text)
            return true;
        if (sscanf(text, "%31s %95[^\n]", vdev, is) != 2 ||
            xenfork__record_add_shared(ctx, record, vdev, is) < 0)
            return false;
    }
    return false;
}

/* Read an ID into one of the record's arrays. */
static bool get_id(const struct xenfork__keyfile *keyfile, const char *key,
                   char out[XENFORK__UUID_CHARS])
{
    const char *value = xenfork__keyfile_get(keyfile, key);

    if (!value || strlen(value) >= XENFORK__UUID_CHARS)
        return false;
    strcpy(out, value);
    return true;
}

static bool is_link(int link)
{
    return link >= XENFORK_LINK_HOLD && link <= XENFORK_LINK_AUTO;
}

static bool nic_from_text(xenfork_ctx *ctx, struct xenfork__record *record,
                          const char *text)
{
    char mac_text[XENFORK__MAC_CHARS];
    uint8_t mac[6];
    int devid, link, first;
    int count = sscanf(text, "%d %17s %d %d", &devid, mac_text, &link, &first);

    if (count < 3 || !xenfork__mac_parse(mac_text, mac) || !is_link(link) ||
        (count == 4 && !is_link(first)) ||
        xenfork__record_add_nic(ctx, record, devid, mac, link) < 0)
        return false;
    if (count == 4)
        record->nics[record->nic_count - 1].first = first;
    return true;
}

/* Read the identity, which older records do not have. */
static bool identity_from_keyfile(xenfork_ctx *ctx,
                                  struct xenfork__record *record,
                                  const struct xenfork__keyfile *keyfile)
{
    const char *generation = xenfork__keyfile_get(keyfile, "generation");
    const char *text;
    uint32_t i;

    if (!generation)
        return true;
    if (strlen(generation) >= sizeof(record->generation) ||
        !get_bool(keyfile, "ready", &record->is_ready) ||
        (xenfork__keyfile_get(keyfile, "reseeded") &&
         !get_bool(keyfile, "reseeded", &record->is_reseeded)))
        return false;
    strcpy(record->generation, generation);
    for (i = 0; i < MAX_NICS; i++) {
        text = xenfork__keyfile_get_nth(keyfile, "nic", i);
        if (!text || !nic_from_text(ctx, record, text))
            return !text;
    }
    return true;
}

static bool sources_from_keyfile(xenfork_ctx *ctx,
                                 struct xenfork__record *record,
                                 const struct xenfork__keyfile *keyfile)
{
    const char *text;
    uint8_t uuid[16];
    uint32_t i;

    for (i = 0; (text = xenfork__keyfile_get_nth(keyfile, "source", i)); i++)
        if (!xenfork__uuid_parse(text, uuid) ||
            xenfork__record_add_source(ctx, record, uuid) < 0)
            return false;
    return true;
}

static bool get_left_by(const struct xenfork__keyfile *keyfile,
                        struct xenfork__record *record)
{
    const char *text = xenfork__keyfile_get(keyfile, "left.by");

    if (text && strlen(text) >= sizeof(record->left_by))
        return false;
    strcpy(record->left_by, text ? text : "");
    return true;
}

bool xenfork__record_from_keyfile(xenfork_ctx *ctx,
                                  struct xenfork__record *record,
                                  const struct xenfork__keyfile *keyfile)
{
    return get_id(keyfile, "journal", record->journal) &&
           get_id(keyfile, "freeze", record->freeze) &&
           get_string(keyfile, "name", &record->name) &&
           get_uuid(keyfile, "uuid", record->uuid) &&
           xenfork__keyfile_get_u32(keyfile, "domid", &record->domid) &&
           get_id(keyfile, "boot", record->boot) &&
           get_uuid(keyfile, "parent", record->parent) &&
           (!xenfork__keyfile_get(keyfile, "image") ||
            get_uuid(keyfile, "image", record->image)) &&
           sources_from_keyfile(ctx, record, keyfile) &&
           get_string(keyfile, "parent.name", &record->parent_name) &&
           xenfork__keyfile_get_u64(keyfile, "created", &record->created_s) &&
           xenfork__keyfile_get_u64(keyfile, "pages", &record->pages) &&
           get_bool(keyfile, "kept", &record->is_kept) &&
           get_new_u32(keyfile, "ephemeral", &record->ephemeral) &&
           get_new_u64(keyfile, "owned", &record->owned) &&
           get_new_u64(keyfile, "reserved", &record->reserved) &&
           get_new_u32(keyfile, "priority", &record->priority) &&
           record->priority <= XENFORK_MAX_PRIORITY &&
           record->ephemeral <= XENFORK__EPHEMERAL_CRASH &&
           xenfork__keyfile_get_u32(keyfile, "hydrate", &record->hydrate) &&
           record->hydrate <= XENFORK__HYDRATE_NEVER &&
           xenfork__keyfile_get_u32(keyfile, "hydrated", &record->hydrated) &&
           get_new_u32(keyfile, "detached", &record->detached) &&
           (!xenfork__keyfile_get(keyfile, "left") ||
            get_string(keyfile, "left", &record->left)) &&
           get_left_by(keyfile, record) &&
           identity_from_keyfile(ctx, record, keyfile) &&
           shared_from_keyfile(ctx, record, keyfile) &&
           disks_from_keyfile(ctx, record, keyfile);
}
