/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/record-text.h"

#include <inttypes.h>
#include <string.h>

#define MAX_DISKS 256U
#define MAX_NICS  256U

enum kind {
    TEXT,
    ARRAY,
    UUID,
    U32,
    U64,
    BOOL,
    SOURCES
};

#define AT(member) .offset = offsetof(struct xenfork__record, member)
#define ARRAY_AT(member)       \
    .kind = ARRAY, AT(member), \
    .limit = sizeof(((struct xenfork__record *)0)->member)

/* In the order in which they are written. */
static const struct field {
    const char *key;
    enum kind kind;
    size_t offset;
    size_t limit; /* of an array: its bytes; of a U32: the highest, 0: any */
    bool is_new;  /* older records do not have it: all zero */
} fields[] = {
    {.key = "name", .kind = TEXT, AT(name)},
    {.key = "uuid", .kind = UUID, AT(uuid)},
    {.key = "domid", .kind = U32, AT(domid)},
    {.key = "boot", ARRAY_AT(boot)},
    {.key = "parent", .kind = UUID, AT(parent)},
    {.key = "image", .kind = UUID, AT(image), .is_new = true},
    {.key = "source", .kind = SOURCES},
    {.key = "parent.name", .kind = TEXT, AT(parent_name)},
    {.key = "journal", ARRAY_AT(journal)},
    {.key = "freeze", ARRAY_AT(freeze)},
    {.key = "created", .kind = U64, AT(created_s)},
    {.key = "pages", .kind = U64, AT(pages)},
    {.key = "kept", .kind = BOOL, AT(is_kept)},
    {.key = "ephemeral",
     .kind = U32,
     AT(ephemeral),
     .limit = XENFORK__EPHEMERAL_CRASH,
     .is_new = true},
    {.key = "priority",
     .kind = U32,
     AT(priority),
     .limit = XENFORK_MAX_PRIORITY,
     .is_new = true},
    {.key = "owned", .kind = U64, AT(owned), .is_new = true},
    {.key = "reserved", .kind = U64, AT(reserved), .is_new = true},
    {.key = "hydrate",
     .kind = U32,
     AT(hydrate),
     .limit = XENFORK__HYDRATE_NEVER},
    {.key = "hydrated", .kind = U32, AT(hydrated)},
    {.key = "detached", .kind = U32, AT(detached), .is_new = true},
    {.key = "left", .kind = TEXT, AT(left), .is_new = true},
    {.key = "left.by", ARRAY_AT(left_by), .is_new = true},
};

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

static int put_field(xenfork_ctx *ctx, const struct xenfork__record *record,
                     struct xenfork__keyfile *keyfile,
                     const struct field *field)
{
    const void *at = (const char *)record + field->offset;
    const char *text;

    switch (field->kind) {
    case TEXT:
        text = *(char *const *)at;
        return xenfork__keyfile_set(ctx, keyfile, field->key, text ? text : "");
    case ARRAY:
        return xenfork__keyfile_set(ctx, keyfile, field->key, at);
    case UUID:
        return set_uuid(ctx, keyfile, field->key, at);
    case U32:
        return xenfork__keyfile_set_u64(ctx, keyfile, field->key,
                                        *(const uint32_t *)at);
    case U64:
        return xenfork__keyfile_set_u64(ctx, keyfile, field->key,
                                        *(const uint64_t *)at);
    case BOOL:
        return xenfork__keyfile_set_u64(ctx, keyfile, field->key,
                                        *(const bool *)at);
    default:
        return sources_to_keyfile(ctx, record, keyfile);
    }
}

int xenfork__record_to_keyfile(xenfork_ctx *ctx,
                               const struct xenfork__record *record,
                               struct xenfork__keyfile *keyfile)
{
    size_t i;
    int rc = 0;

    for (i = 0; i < ARRAY_SIZE(fields) && rc == 0; i++)
        rc = put_field(ctx, record, keyfile, &fields[i]);
    if (rc < 0 || (rc = identity_to_keyfile(ctx, record, keyfile)) < 0 ||
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

static bool get_array(const struct xenfork__keyfile *keyfile,
                      const struct field *field, char *out)
{
    const char *value = xenfork__keyfile_get(keyfile, field->key);

    if (!value || strlen(value) >= field->limit)
        return false;
    strcpy(out, value);
    return true;
}

static bool get_limited(const struct xenfork__keyfile *keyfile,
                        const struct field *field, uint32_t *out)
{
    return xenfork__keyfile_get_u32(keyfile, field->key, out) &&
           (!field->limit || *out <= field->limit);
}

static bool get_field(xenfork_ctx *ctx, struct xenfork__record *record,
                      const struct xenfork__keyfile *keyfile,
                      const struct field *field)
{
    void *at = (char *)record + field->offset;

    if (field->is_new && !xenfork__keyfile_get(keyfile, field->key))
        return true;
    switch (field->kind) {
    case TEXT:
        return get_string(keyfile, field->key, at);
    case ARRAY:
        return get_array(keyfile, field, at);
    case UUID:
        return get_uuid(keyfile, field->key, at);
    case U32:
        return get_limited(keyfile, field, at);
    case U64:
        return xenfork__keyfile_get_u64(keyfile, field->key, at);
    case BOOL:
        return get_bool(keyfile, field->key, at);
    default:
        return sources_from_keyfile(ctx, record, keyfile);
    }
}

bool xenfork__record_from_keyfile(xenfork_ctx *ctx,
                                  struct xenfork__record *record,
                                  const struct xenfork__keyfile *keyfile)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(fields); i++)
        if (!get_field(ctx, record, keyfile, &fields[i]))
            return false;
    return identity_from_keyfile(ctx, record, keyfile) &&
           shared_from_keyfile(ctx, record, keyfile) &&
           disks_from_keyfile(ctx, record, keyfile);
}
