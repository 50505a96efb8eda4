/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "identity.h"

#include <string.h>

#include "ids.h"
#include "lock.h"
#include "node.h"

#define MAX_NUMBER 100000U

void xenfork__identities_free(struct xenfork__identity *ids, uint32_t count)
{
    uint32_t i, n;

    if (!ids)
        return;
    for (i = 0; i < count; i++) {
        for (n = 0; n < ids[i].nic_count; n++)
            free(ids[i].nics[n].bridge);
        free(ids[i].nics);
        free(ids[i].name);
    }
    free(ids);
}

static int take_mac(xenfork_ctx *ctx, struct xenfork__taken *taken,
                    const uint8_t mac[6])
{
    uint8_t *macs = reallocarray(taken->macs, taken->mac_count + 1, 6);

    if (!macs)
        return xenfork__nomem(ctx);
    taken->macs = macs;
    memcpy(macs + 6 * taken->mac_count++, mac, 6);
    return 0;
}

/* Of images, and of clones, which may be saved and come back. */
static int take_recorded(xenfork_ctx *ctx, int kind,
                         struct xenfork__taken *taken)
{
    cleanup_nodes struct xenfork__nodes nodes = {0};
    int rc = xenfork__nodes_load(ctx, kind, &nodes);
    uint32_t n;
    size_t i;

    for (i = 0; i < nodes.count; i++)
        for (n = 0; n < nodes.nodes[i]->nic_count && rc >= 0; n++)
            rc = take_mac(ctx, taken, nodes.nodes[i]->nics[n].mac);
    return rc;
}

int xenfork__taken_load(xenfork_ctx *ctx, struct xenfork__taken *taken_out)
{
    static const int kinds[] = {XENFORK_KIND_IMAGE, XENFORK_KIND_CLONE};
    struct xenfork__taken taken = {0};
    size_t i;
    int rc = xenfork__xen_macs(ctx, &taken.macs, &taken.mac_count);

    for (i = 0; i < ARRAY_SIZE(kinds) && rc >= 0; i++)
        rc = take_recorded(ctx, kinds[i], &taken);
    if (rc < 0)
        xenfork__taken_free(&taken);
    else
        *taken_out = taken;
    return rc;
}

void xenfork__taken_free(struct xenfork__taken *taken)
{
    free(taken->macs);
    *taken = (struct xenfork__taken){0};
}

/* A live domain's, a running fork's, or a record's whose domain is gone. */
static int name_is_taken(xenfork_ctx *ctx, const char *name, bool *taken_out)
{
    cleanup_nodes struct xenfork__nodes clones = {0};
    uint32_t domid;
    size_t i;
    int rc = xenfork__xen_by_name(ctx, name, &domid);

    if (rc == 0) {
        *taken_out = true;
        return 0;
    }
    if (rc != XENFORK_E_NOTFOUND ||
        (rc = xenfork__nodes_load(ctx, XENFORK_KIND_CLONE, &clones)) < 0)
        return rc;
    for (i = 0; i < clones.count; i++)
        if (!strcmp(clones.nodes[i]->name, name)) {
            *taken_out = true;
            return 0;
        }
    return xenfork__txns_taken(ctx, name, NULL, NULL, taken_out);
}

static int mac_is_taken(xenfork_ctx *ctx, const uint8_t mac[6],
                        const struct xenfork__taken *taken, bool *taken_out)
{
    if (xenfork__mac_is_among(mac, taken->macs, taken->mac_count)) {
        *taken_out = true;
        return 0;
    }
    return xenfork__txns_taken(ctx, NULL, NULL, mac, taken_out);
}

static int check_name(xenfork_ctx *ctx, const xenfork_spec *spec,
                      uint32_t clone)
{
    const char *name = spec->clones[clone].name;
    bool is_taken = false;
    uint32_t i;
    int rc;

    if (!name)
        return 0;
    rc = name_is_taken(ctx, name, &is_taken);
    if (rc < 0)
        return rc;
    for (i = 0; i < clone; i++)
        is_taken |= spec->clones[i].name && !strcmp(spec->clones[i].name, name);
    if (!is_taken)
        return 0;
    xenfork__miss(ctx, XENFORK_E_NAMETAKEN, "the name %s is taken", name);
    return xenfork__remedy(ctx,
                           "choose another name; if the clone is gone "
                           "and its disks are not needed, xl "
                           "fork-destroy %s",
                           name);
}

static int check_uuid(xenfork_ctx *ctx, const xenfork_spec *spec,
                      uint32_t clone)
{
    const struct xenfork__clone_spec *c = &spec->clones[clone];
    char text[XENFORK__UUID_CHARS];
    struct xenfork__node *node;
    uint32_t domid, i;
    bool is_taken = false, is_in_journal = false;
    int rc;

    if (!c->has_uuid)
        return 0;
    rc = xenfork__txns_taken(ctx, NULL, c->uuid, NULL, &is_in_journal);
    if (rc == 0)
        rc = xenfork__xen_by_uuid(ctx, c->uuid, &domid);
    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    is_taken = is_in_journal || rc == 0;
    rc = xenfork__node_load(ctx, XENFORK_KIND_CLONE, c->uuid, &node);
    if (rc == 0)
        xenfork__node_free(node);
    is_taken |= rc == 0;
    for (i = 0; i < clone; i++)
        is_taken |= spec->clones[i].has_uuid &&
                    !memcmp(spec->clones[i].uuid, c->uuid, 16);
    if (!is_taken)
        return 0;
    xenfork__uuid_print(c->uuid, text);
    xenfork__miss(ctx, XENFORK_E_UUIDTAKEN, "the UUID %s is taken", text);
    return xenfork__remedy(ctx, "choose another UUID");
}

static bool mac_is_repeated(const xenfork_spec *spec, uint32_t clone,
                            uint32_t entry)
{
    const uint8_t *mac = spec->clones[clone].nics[entry].mac;
    uint32_t c, n;

    for (c = 0; c <= clone; c++)
        for (n = 0; n < spec->clones[c].nic_count; n++) {
            if (c == clone && n == entry)
                return false;
            if (spec->clones[c].nics[n].has_mac &&
                !memcmp(spec->clones[c].nics[n].mac, mac, 6))
                return true;
        }
    return false;
}

static int check_nics(xenfork_ctx *ctx, const xenfork_spec *spec,
                      uint32_t clone, const struct xenfork__config *config,
                      const struct xenfork__taken *taken)
{
    const struct xenfork__clone_spec *c = &spec->clones[clone];
    char text[XENFORK__MAC_CHARS];
    uint32_t i;
    int rc;

    for (i = 0; i < c->nic_count; i++) {
        bool is_taken = false;

        if (c->nics[i].nic >= config->nic_count) {
            xenfork__miss(ctx, XENFORK_E_INVAL,
                          "there is no NIC %u: the domain has %u",
                          c->nics[i].nic, config->nic_count);
            return xenfork__remedy(ctx, "count NICs from 0");
        }
        if (!c->nics[i].has_mac)
            continue;
        rc = mac_is_taken(ctx, c->nics[i].mac, taken, &is_taken);
        if (rc < 0)
            return rc;
        if (!is_taken && !mac_is_repeated(spec, clone, i))
            continue;
        xenfork__mac_print(c->nics[i].mac, text);
        xenfork__miss(ctx, XENFORK_E_MACTAKEN, "the MAC %s is taken", text);
        return xenfork__remedy(ctx, "choose another MAC, or leave it out");
    }
    return 0;
}

int xenfork__identity_check(xenfork_ctx *ctx, const xenfork_spec *spec,
                            uint32_t clone,
                            const struct xenfork__config *config,
                            const struct xenfork__taken *taken)
{
    int rc;

    if ((rc = check_name(ctx, spec, clone)) < 0 ||
        (rc = check_uuid(ctx, spec, clone)) < 0)
        return rc;
    return check_nics(ctx, spec, clone, config, taken);
}

/* Is a name asked for, for whichever clone? */
static bool is_asked(const xenfork_spec *spec, const char *name)
{
    uint32_t i;

    for (i = 0; i < spec->count; i++)
        if (spec->clones[i].name && !strcmp(spec->clones[i].name, name))
            return true;
    return false;
}

/* STEM-1, STEM-2 and on; cut so that the number fits. */
static int make_name(xenfork_ctx *ctx, const xenfork_spec *spec,
                     const char *stem, uint32_t *number, char **name_out)
{
    char own[XENFORK__NAME_MAX + 1];

    xenfork__name_stem(stem, XENFORK__NAME_MAX - 7, own);
    while (++*number < MAX_NUMBER) {
        cleanup_free char *name = NULL;
        bool is_taken = false;
        int rc;

        if (asprintf(&name, "%s-%u", own, *number) < 0) {
            name = NULL;
            return xenfork__nomem(ctx);
        }
        rc = name_is_taken(ctx, name, &is_taken);
        if (rc < 0)
            return rc;
        if (!is_taken && !is_asked(spec, name)) {
            *name_out = steal_ptr(name);
            return 0;
        }
    }
    return xenfork__fail(ctx, XENFORK_E_NAMETAKEN, 0,
                         "no name is left after %s-%u", own, MAX_NUMBER - 1);
}

static int choose_mac(xenfork_ctx *ctx, const uint8_t prefix[3],
                      const struct xenfork__taken *taken, uint8_t mac_out[6])
{
    bool is_taken;
    int rc;

    do {
        if (!xenfork__mac_random(prefix, taken->macs, taken->mac_count,
                                 mac_out))
            return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                                 "cannot draw a MAC");
        rc = mac_is_taken(ctx, mac_out, taken, &is_taken);
    } while (rc == 0 && is_taken);
    return rc;
}

static int choose_nics(xenfork_ctx *ctx, const xenfork_spec *spec,
                       const struct xenfork__clone_spec *c,
                       const struct xenfork__config *config,
                       struct xenfork__taken *taken,
                       struct xenfork__identity *id)
{
    uint32_t n;
    int rc = 0;

    id->nics = calloc(config->nic_count + 1, sizeof(*id->nics));
    if (!id->nics)
        return xenfork__nomem(ctx);
    for (n = 0; n < config->nic_count && rc >= 0; n++) {
        const struct xenfork__nic_spec *entry = xenfork__nic_spec(c, n);
        const char *bridge = entry && entry->bridge ? entry->bridge
                                                    : config->nics[n].bridge;
        struct xenfork__nic *nic = &id->nics[n];

        nic->devid = config->nics[n].devid;
        if (bridge && !(nic->bridge = strdup(bridge)))
            return xenfork__nomem(ctx);
        id->nic_count = n + 1;
        if (entry && entry->has_mac)
            memcpy(nic->mac, entry->mac, 6);
        else
            rc = choose_mac(ctx, spec->mac_prefix, taken, nic->mac);
        if (rc >= 0)
            rc = take_mac(ctx, taken, nic->mac);
    }
    return rc;
}

static int journal(xenfork_ctx *ctx, struct xenfork__txn *txn,
                   const struct xenfork__identity *id)
{
    cleanup_free uint8_t *macs = calloc(id->nic_count + 1, 6);
    uint32_t n;

    if (!macs)
        return xenfork__nomem(ctx);
    for (n = 0; n < id->nic_count; n++)
        memcpy(macs + 6 * n, id->nics[n].mac, 6);
    return xenfork__txn_clone(ctx, txn, id->uuid, id->name, macs,
                              id->nic_count);
}

static int choose_one(xenfork_ctx *ctx, const xenfork_spec *spec,
                      uint32_t clone, const char *stem, uint32_t *number,
                      const struct xenfork__config *config,
                      struct xenfork__taken *taken, struct xenfork__txn *txn,
                      struct xenfork__identity *id)
{
    const struct xenfork__clone_spec *c = &spec->clones[clone];
    int rc;

    rc = xenfork__identity_check(ctx, spec, clone, config, taken);
    if (rc < 0)
        return rc;
    if (c->name && !(id->name = strdup(c->name)))
        return xenfork__nomem(ctx);
    if (!c->name && (rc = make_name(ctx, spec, stem, number, &id->name)) < 0)
        return rc;
    if (c->has_uuid)
        memcpy(id->uuid, c->uuid, 16);
    else if (!xenfork__uuid_random(id->uuid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot draw a random UUID");
    rc = choose_nics(ctx, spec, c, config, taken, id);
    return rc < 0 ? rc : journal(ctx, txn, id);
}

int xenfork__identities_choose(xenfork_ctx *ctx, const xenfork_spec *spec,
                               const char *stem,
                               const struct xenfork__config *config,
                               struct xenfork__txn *txn,
                               struct xenfork__identity **ids_out)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct xenfork__identity *ids;
    struct xenfork__taken taken = {0};
    uint32_t i, number = 0;
    int rc;

    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock)) <
            0 ||
        (rc = xenfork__taken_load(ctx, &taken)) < 0)
        return rc;
    ids = calloc(spec->count, sizeof(*ids));
    if (!ids)
        rc = xenfork__nomem(ctx);
    for (i = 0; i < spec->count && rc >= 0; i++)
        rc = choose_one(ctx, spec, i, stem, &number, config, &taken, txn,
                        &ids[i]);
    xenfork__taken_free(&taken);
    if (rc < 0) {
        xenfork__identities_free(ids, spec->count);
        return rc;
    }
    *ids_out = ids;
    return 0;
}
