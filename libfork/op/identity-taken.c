/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The identities that are in use on this host. */
#include "op/identity.h"

#include <string.h>

#include "base/ids.h"
#include "state/files.h"
#include "state/keyfile.h"
#include "state/lock.h"
#include "state/record.h"

/* Make room for one more element of so many bytes; NULL: out of memory. */
static void *grow_array(xenfork_ctx *ctx, void *array, size_t count,
                        size_t bytes)
{
    void *more = array;

    /* Doubled: at powers of two it is full. */
    if (!(count & (count - 1)))
        more = reallocarray(array, count ? 2 * count : 1, bytes);
    if (!more)
        xenfork__nomem(ctx);
    return more;
}

int xenfork__taken_add_mac(xenfork_ctx *ctx, struct xenfork__taken *taken,
                           const uint8_t mac[6])
{
    uint8_t *macs = grow_array(ctx, taken->macs, taken->mac_count, 6);

    if (!macs)
        return XENFORK_E_NOMEM;
    taken->macs = macs;
    memcpy(macs + 6 * taken->mac_count++, mac, 6);
    return 0;
}

static int take_uuid(xenfork_ctx *ctx, struct xenfork__taken *taken,
                     const uint8_t uuid[16])
{
    uint8_t *uuids = grow_array(ctx, taken->uuids, taken->uuid_count, 16);

    if (!uuids)
        return XENFORK_E_NOMEM;
    taken->uuids = uuids;
    memcpy(uuids + 16 * taken->uuid_count++, uuid, 16);
    return 0;
}

static int take_name(xenfork_ctx *ctx, struct xenfork__taken *taken,
                     const char *name)
{
    char **names = grow_array(ctx, taken->names, taken->name_count,
                              sizeof(*names));
    char *copy;

    if (!names)
        return XENFORK_E_NOMEM;
    taken->names = names;
    copy = strdup(name);
    if (!copy)
        return xenfork__nomem(ctx);
    names[taken->name_count++] = copy;
    return 0;
}

/*
 * Take what records name: the NICs of images; everything of clones, which may
 * be saved and come back.
 */
static int take_recorded(xenfork_ctx *ctx, int kind,
                         struct xenfork__taken *taken)
{
    cleanup_records struct xenfork__records records = {0};
    int rc = xenfork__records_load(ctx, kind, &records);
    uint32_t n;
    size_t i;

    for (i = 0; i < records.count && rc >= 0; i++) {
        const struct xenfork__record *record = records.records[i];

        for (n = 0; n < record->nic_count && rc >= 0; n++)
            rc = xenfork__taken_add_mac(ctx, taken, record->nics[n].mac);
        if (kind == XENFORK_KIND_CLONE && rc >= 0 &&
            (rc = take_name(ctx, taken, record->name)) >= 0)
            rc = take_uuid(ctx, taken, record->uuid);
    }
    return rc;
}

/* Take what a fork that is under way has chosen. */
static int take_journal(xenfork_ctx *ctx,
                        const struct xenfork__keyfile *keyfile, void *opaque)
{
    struct xenfork__taken *taken = opaque;
    const char *text;
    uint8_t uuid[16], mac[6];
    uint32_t n;
    int rc = 0;

    for (n = 0; rc >= 0 && n < XENFORK__JOURNAL_MAX_NTH &&
                (text = xenfork__keyfile_get_nth(keyfile, "name", n));
         n++)
        rc = take_name(ctx, taken, text);
    for (n = 0; rc >= 0 && n < XENFORK__JOURNAL_MAX_NTH &&
                (text = xenfork__keyfile_get_nth(keyfile, "clone", n));
         n++)
        if (xenfork__uuid_parse(text, uuid))
            rc = take_uuid(ctx, taken, uuid);
    for (n = 0; rc >= 0 && n < XENFORK__JOURNAL_MAX_NTH &&
                (text = xenfork__keyfile_get_nth(keyfile, "mac", n));
         n++)
        if (xenfork__mac_parse(text, mac))
            rc = xenfork__taken_add_mac(ctx, taken, mac);
    return rc;
}

static int take_live(xenfork_ctx *ctx, struct xenfork__taken *taken)
{
    cleanup_free uint8_t *macs = NULL;
    char **names = NULL;
    size_t count = 0, i;
    int rc = xenfork__xen_macs(ctx, &macs, &count);

    for (i = 0; i < count && rc >= 0; i++)
        rc = xenfork__taken_add_mac(ctx, taken, macs + 6 * i);
    if (rc < 0 || (rc = xenfork__xen_names(ctx, &names, &count)) < 0)
        return rc;
    for (i = 0; i < count && rc >= 0; i++)
        rc = take_name(ctx, taken, names[i]);
    xenfork__names_free(names, count);
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int xenfork__taken_load(xenfork_ctx *ctx, struct xenfork__taken *taken_out)
{
    struct xenfork__taken taken = {0};
    int rc;

    if ((rc = take_live(ctx, &taken)) < 0 ||
        (rc = take_recorded(ctx, XENFORK_KIND_IMAGE, &taken)) < 0 ||
        (rc = take_recorded(ctx, XENFORK_KIND_CLONE, &taken)) < 0 ||
        (rc = xenfork__journals_each(ctx, take_journal, &taken)) < 0) {
        xenfork__taken_free(&taken);
        return rc;
    }
    if (taken.name_count)
        qsort(taken.names, taken.name_count, sizeof(*taken.names),
              compare_names);
    *taken_out = taken;
    return 0;
}

void xenfork__taken_free(struct xenfork__taken *taken)
{
    xenfork__names_free(taken->names, taken->name_count);
    free(taken->uuids);
    free(taken->macs);
    *taken = (struct xenfork__taken){0};
}

bool xenfork__taken_has_name(const struct xenfork__taken *taken,
                             const char *name)
{
    return taken->name_count && bsearch(&name, taken->names, taken->name_count,
                                        sizeof(*taken->names), compare_names);
}

bool xenfork__taken_has_uuid(const struct xenfork__taken *taken,
                             const uint8_t uuid[16])
{
    size_t i;

    for (i = 0; i < taken->uuid_count; i++)
        if (!memcmp(taken->uuids + 16 * i, uuid, 16))
            return true;
    return false;
}
