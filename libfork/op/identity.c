/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/identity.h"

#include <string.h>

#include "base/ids.h"
#include "state/files.h"
#include "state/keyfile.h"
#include "state/lock.h"
#include "state/record.h"

#define MAX_NUMBER 100000U

void xenfork__identities_free(struct xenfork__identity *ids, uint32_t count)
{
    uint32_t i, n;

    if (!ids)
        return;
    for (i = 0; i < count; i++) {
        for (n = 0; n < ids[i].nic_count; n++) {
            free(ids[i].nics[n].bridge);
            free(ids[i].nics[n].ip);
        }
        free(ids[i].nics);
        free(ids[i].name);
    }
    free(ids);
}

static int check_name_wish(xenfork_ctx *ctx, const xenfork_spec *spec,
                           uint32_t clone, const struct xenfork__taken *taken)
{
    const char *name = spec->clones[clone].name;
    bool is_taken;
    uint32_t i;

    if (!name)
        return 0;
    is_taken = xenfork__taken_has_name(taken, name);
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
                      uint32_t clone, const struct xenfork__taken *taken)
{
    const struct xenfork__clone_spec *c = &spec->clones[clone];
    char text[XENFORK__UUID_CHARS];
    uint32_t domid, i;
    bool is_taken;
    int rc;

    if (!c->has_uuid)
        return 0;
    rc = xenfork__xen_by_uuid(ctx, c->uuid, &domid);
    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    is_taken = rc == 0 || xenfork__taken_has_uuid(taken, c->uuid);
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

static int check_nic_wishes(xenfork_ctx *ctx, const xenfork_spec *spec,
                            uint32_t clone,
                            const struct xenfork__config *config,
                            const struct xenfork__taken *taken)
{
    const struct xenfork__clone_spec *c = &spec->clones[clone];
    char text[XENFORK__MAC_CHARS];
    uint32_t i;

    for (i = 0; i < c->nic_count; i++) {
        if (c->nics[i].nic >= config->nic_count) {
            xenfork__miss(ctx, XENFORK_E_INVAL,
                          "there is no NIC %u: the domain has %u",
                          c->nics[i].nic, config->nic_count);
            return xenfork__remedy(ctx, "count NICs from 0");
        }
        if (!c->nics[i].has_mac)
            continue;
        if (!xenfork__mac_is_among(c->nics[i].mac, taken->macs,
                                   taken->mac_count) &&
            !mac_is_repeated(spec, clone, i))
            continue;
        xenfork__mac_print(c->nics[i].mac, text);
        xenfork__miss(ctx, XENFORK_E_MACTAKEN, "the MAC %s is taken", text);
        return xenfork__remedy(ctx, "choose another MAC, or leave it out");
    }
    return 0;
}

/* Tell whether a script makes routes; these scripts of Xen's do not. */
static bool makes_routes(const char *script)
{
    const char *slash = script ? strrchr(script, '/') : NULL;
    const char *name = slash ? slash + 1 : script;

    return name && strcmp(name, "vif-bridge") &&
           strcmp(name, "vif-openvswitch");
}

/* Tell whether the source, or a NIC of an earlier clone, has this address. */
static bool ip_is_repeated(const xenfork_spec *spec, uint32_t clone,
                           uint32_t nic, const char *source_ip, const char *ip)
{
    uint32_t i;

    if (source_ip && !strcmp(ip, source_ip))
        return true;
    for (i = 0; i < clone; i++) {
        const struct xenfork__nic_spec *other = xenfork__nic_spec(
            &spec->clones[i], nic);

        if (other && other->ip && !strcmp(other->ip, ip))
            return true;
    }
    return false;
}

/* Check the addresses: a second route to one address would fail in the stun. */
static int check_ips(xenfork_ctx *ctx, const xenfork_spec *spec, uint32_t clone,
                     const struct xenfork__config *config)
{
    uint32_t n;

    for (n = 0; n < config->nic_count; n++) {
        const struct xenfork__nic *nic = &config->nics[n];
        const struct xenfork__nic_spec *entry = xenfork__nic_spec(
            &spec->clones[clone], n);
        const char *ip = entry && entry->ip ? entry->ip : nic->ip;

        if (!ip || !makes_routes(nic->script) ||
            (entry && entry->ip &&
             !ip_is_repeated(spec, clone, n, nic->ip, ip)))
            continue;
        xenfork__miss(ctx, XENFORK_E_DEVICE,
                      "NIC %u: its script %s routes ip=%s, which can be on one "
                      "interface only",
                      n, nic->script, ip);
        return xenfork__remedy(ctx,
                               "give the clone an address of its own: --nic "
                               "%u,ip=ADDRESS,clone=%u",
                               n, clone + 1);
    }
    return 0;
}

int xenfork__identity_check(xenfork_ctx *ctx, const xenfork_spec *spec,
                            uint32_t clone,
                            const struct xenfork__config *config,
                            const struct xenfork__taken *taken)
{
    int rc;

    if ((rc = check_name_wish(ctx, spec, clone, taken)) < 0 ||
        (rc = check_uuid(ctx, spec, clone, taken)) < 0 ||
        (rc = check_ips(ctx, spec, clone, config)) < 0 ||
        (rc = xenfork__params_check(ctx, spec, clone, config->nic_count)) < 0)
        return rc;
    return check_nic_wishes(ctx, spec, clone, config, taken);
}

/* Tell whether the name is requested for any clone. */
static bool is_asked(const xenfork_spec *spec, const char *name)
{
    uint32_t i;

    for (i = 0; i < spec->count; i++)
        if (spec->clones[i].name && !strcmp(spec->clones[i].name, name))
            return true;
    return false;
}

/*
 * Make a name STEM-1, STEM-2 and so on; the stem is shortened so that the
 * number fits.
 */
static int make_name(xenfork_ctx *ctx, const xenfork_spec *spec,
                     const char *stem, const struct xenfork__taken *taken,
                     uint32_t *number, char **name_out)
{
    char own[XENFORK__NAME_MAX + 1];

    xenfork__name_stem(stem, XENFORK__NAME_MAX - 7, own);
    while (++*number < MAX_NUMBER) {
        cleanup_free char *name = NULL;

        if (asprintf(&name, "%s-%u", own, *number) < 0) {
            name = NULL;
            return xenfork__nomem(ctx);
        }
        if (!xenfork__taken_has_name(taken, name) && !is_asked(spec, name)) {
            *name_out = steal_ptr(name);
            return 0;
        }
    }
    return xenfork__fail(ctx, XENFORK_E_NAMETAKEN, 0,
                         "no name is left after %s-%u", own, MAX_NUMBER - 1);
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
        if (entry && entry->ip && !(nic->ip = strdup(entry->ip)))
            return xenfork__nomem(ctx);
        id->nic_count = n + 1;
        if (entry && entry->has_mac)
            memcpy(nic->mac, entry->mac, 6);
        else if (!xenfork__mac_random(spec->mac_prefix, taken->macs,
                                      taken->mac_count, nic->mac))
            return xenfork__fail(ctx, XENFORK_E_IO, errno, "cannot draw a MAC");
        rc = xenfork__taken_add_mac(ctx, taken, nic->mac);
    }
    return rc;
}

static int journal_identity(xenfork_ctx *ctx, struct xenfork__journal *journal,
                            const struct xenfork__identity *id)
{
    cleanup_free uint8_t *macs = calloc(id->nic_count + 1, 6);
    uint32_t n;

    if (!macs)
        return xenfork__nomem(ctx);
    for (n = 0; n < id->nic_count; n++)
        memcpy(macs + 6 * n, id->nics[n].mac, 6);
    return xenfork__journal_clone(ctx, journal, id->uuid, id->name, macs,
                                  id->nic_count);
}

static int choose_one(xenfork_ctx *ctx, const xenfork_spec *spec,
                      uint32_t clone, const char *stem, uint32_t *number,
                      const struct xenfork__config *config,
                      struct xenfork__taken *taken,
                      struct xenfork__journal *journal,
                      struct xenfork__identity *id)
{
    const struct xenfork__clone_spec *c = &spec->clones[clone];
    int rc;

    rc = xenfork__identity_check(ctx, spec, clone, config, taken);
    if (rc < 0)
        return rc;
    if (c->name && !(id->name = strdup(c->name)))
        return xenfork__nomem(ctx);
    if (!c->name &&
        (rc = make_name(ctx, spec, stem, taken, number, &id->name)) < 0)
        return rc;
    if (c->has_uuid)
        memcpy(id->uuid, c->uuid, 16);
    else if ((rc = xenfork__uuid_random(ctx, id->uuid)) < 0)
        return rc;
    memcpy(id->disks, id->uuid, 16);
    rc = choose_nics(ctx, spec, c, config, taken, id);
    return rc < 0 ? rc : journal_identity(ctx, journal, id);
}

int xenfork__identities_choose(xenfork_ctx *ctx, const xenfork_spec *spec,
                               const char *stem,
                               const struct xenfork__config *config,
                               struct xenfork__journal *journal,
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
        rc = choose_one(ctx, spec, i, stem, &number, config, &taken, journal,
                        &ids[i]);
    xenfork__taken_free(&taken);
    if (rc >= 0)
        rc = xenfork__journal_chosen(ctx, journal);
    if (rc < 0) {
        xenfork__identities_free(ids, spec->count);
        return rc;
    }
    *ids_out = ids;
    return 0;
}
