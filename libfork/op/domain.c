/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domains that records are about. */
#include "op/domain.h"

#include <string.h>

#include "base/ids.h"

/* Return the UUID of the domain with this number. */
static int uuid_of_domid(xenfork_ctx *ctx, const char *name,
                         char uuid_out[XENFORK__UUID_CHARS])
{
    struct xenfork__dominfo info;
    uint32_t domid;
    int rc;

    if (!xenfork__domid_parse(name, &domid))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "%s is not a number",
                             name);
    rc = xenfork__xen_info(ctx, domid, &info);
    if (rc == 0)
        xenfork__uuid_print(info.uuid, uuid_out);
    return rc;
}

int xenfork__records_find(xenfork_ctx *ctx,
                          const struct xenfork__records *records,
                          const char *name, struct xenfork__record **record_out)
{
    char wanted[XENFORK__UUID_CHARS] = "";
    size_t i;
    int rc = uuid_of_domid(ctx, name, wanted);

    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    for (i = 0; i < records->count; i++) {
        struct xenfork__record *record = records->records[i];
        char uuid[XENFORK__UUID_CHARS];

        xenfork__uuid_print(record->uuid, uuid);
        if (!strcasecmp(name, uuid) || !strcmp(wanted, uuid)) {
            *record_out = record;
            return 0;
        }
    }
    return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no record of %s", name);
}

int xenfork__record_info(xenfork_ctx *ctx, const struct xenfork__record *record,
                         struct xenfork__dominfo *info_out)
{
    struct xenfork__dominfo info;
    int rc;

    /* Numbers begin anew with each boot, and UUIDs of sources recur. */
    if (!xenfork__record_has_domid(ctx, record, record->domid))
        return xenfork__miss(
            ctx, XENFORK_E_NOTFOUND,
            "%s had its domain in an earlier boot of this host", record->name);
    rc = xenfork__xen_info(ctx, record->domid, &info);
    if (rc < 0)
        return rc;
    if (info.is_dying || memcmp(info.uuid, record->uuid, 16))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "%s is gone",
                             record->name);
    *info_out = info;
    return 0;
}

static bool is_its_disk(const struct xenfork__record *clone, const char *path)
{
    uint32_t i;

    /* A drive that is empty; so is what a record has of a disk without. */
    if (!*path)
        return false;
    for (i = 0; i < clone->disk_count; i++)
        if (!strcmp(xenfork__path_file(clone->disks[i].path),
                    xenfork__path_file(path)) ||
            (clone->disks[i].other &&
             !strcmp(xenfork__path_file(clone->disks[i].other),
                     xenfork__path_file(path))))
            return true;
    return false;
}

static int has_its_disk(xenfork_ctx *ctx, const struct xenfork__record *clone,
                        uint32_t domid, bool *has_out)
{
    size_t i, count = 0;
    char **paths;
    int rc = xenfork__xen_disk_paths(ctx, domid, &paths, &count);

    if (rc < 0)
        return rc;
    *has_out = false;
    for (i = 0; i < count; i++)
        *has_out |= is_its_disk(clone, paths[i]);
    xenfork__names_free(paths, count);
    return 0;
}

static int has_its_nic(xenfork_ctx *ctx, const struct xenfork__record *clone,
                       uint32_t domid, bool *has_out)
{
    cleanup_free int *devids = NULL;
    uint32_t i, n, count = 0;
    uint8_t mac[6];
    int rc = xenfork__xen_nic_ids(ctx, domid, &devids, &count);

    if (rc < 0)
        return rc;
    *has_out = false;
    for (i = 0; i < count; i++)
        for (n = 0; n < clone->nic_count; n++)
            *has_out |= xenfork__xen_nic_mac(ctx, domid, devids[i], mac) == 0 &&
                        !memcmp(mac, clone->nics[n].mac, 6);
    return 0;
}

static int is_clone(xenfork_ctx *ctx, const struct xenfork__record *clone,
                    uint32_t domid, bool *is_out)
{
    *is_out = xenfork__record_has_domid(ctx, clone, domid);
    if (*is_out)
        return 0;
    if (clone->disk_count)
        return has_its_disk(ctx, clone, domid, is_out);
    if (clone->nic_count)
        return has_its_nic(ctx, clone, domid, is_out);
    *is_out = true; /* there is nothing else to know it by */
    return 0;
}

int xenfork__clone_domid(xenfork_ctx *ctx, const struct xenfork__record *clone,
                         uint32_t *domid_out)
{
    bool is_it = false;
    uint32_t domid;
    int rc = xenfork__xen_by_uuid(ctx, clone->uuid, &domid);

    if (rc < 0 || (rc = is_clone(ctx, clone, domid, &is_it)) < 0)
        return rc;
    if (is_it) {
        *domid_out = domid;
        return 0;
    }
    xenfork__miss(
        ctx, XENFORK_E_UUIDTAKEN,
        "domain %u has the UUID of clone %s, and none of its %s: neither was "
        "touched",
        domid, clone->name, clone->disk_count ? "disks" : "MACs");
    return xenfork__remedy(
        ctx,
        "if the clone is being restored, try again; else give that domain a "
        "UUID of its own");
}

int xenfork__source_refresh(xenfork_ctx *ctx, struct xenfork__record *image,
                            uint32_t *domid_out)
{
    cleanup_free char *name = NULL;
    uint32_t domid;
    int rc = xenfork__xen_by_uuid(ctx, image->parent, &domid);

    *domid_out = XENFORK_DOMID_NONE;
    if (rc == 0)
        rc = xenfork__xen_name(ctx, domid, &name);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    *domid_out = domid;
    free(image->parent_name);
    image->parent_name = steal_ptr(name);
    return 0;
}

bool xenfork__image_is_broken(const struct xenfork__dominfo *info)
{
    return !info->is_paused || info->is_shutdown || info->cpu_ns;
}

int xenfork__image_users(xenfork_ctx *ctx, const uint8_t image[16],
                         const struct xenfork__records *clones,
                         uint32_t *live_out, uint32_t *dependent_out)
{
    /* Clones whose records cannot be read count: they may be of this image. */
    uint32_t live = (uint32_t)clones->unreadable;
    uint32_t dependent = live;
    size_t i;

    for (i = 0; i < clones->count; i++) {
        const struct xenfork__record *clone = clones->records[i];
        struct xenfork__dominfo info;
        int rc;

        if (memcmp(clone->parent, image, 16) || clone->detached == 100)
            continue;
        rc = xenfork__record_info(ctx, clone, &info);
        if (rc == XENFORK_E_NOTFOUND)
            continue;
        if (rc < 0)
            return rc;
        live++;
        if (clone->hydrated < 100)
            dependent++;
    }
    *live_out = live;
    *dependent_out = dependent;
    return 0;
}
