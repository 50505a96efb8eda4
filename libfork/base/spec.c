/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/spec.h"

#include <string.h>

#include "base/ids.h"

#define DEFAULT_RESERVE_PERCENT 25U
#define DEFAULT_PRIORITY        50U
#define DEFAULT_TIMEOUT_MS      30000U
#define DEFAULT_PACE            50U
#define MAX_PACE                95U
#define MAX_NICS                64U
#define MAX_KEYS_BYTES          4096U /* XENSTORE_PAYLOAD_MAX: the guest lists them */
#define MAX_DISKS               64U

XENFORK_API int xenfork_spec_new(uint32_t count, xenfork_spec **spec_out)
{
    static const uint8_t xen_prefix[3] = {0x00, 0x16, 0x3e};
    xenfork_spec *spec;
    uint32_t i;

    if (count < 1 || count > XENFORK_MAX_CLONES || !spec_out)
        return XENFORK_E_INVAL;
    spec = calloc(1, sizeof(*spec));
    if (!spec)
        return XENFORK_E_NOMEM;
    spec->clones = calloc(count, sizeof(*spec->clones));
    if (!spec->clones) {
        free(spec);
        return XENFORK_E_NOMEM;
    }
    spec->count = count;
    for (i = 0; i < count; i++)
        spec->clones[i].link = XENFORK_LINK_AUTO;
    spec->is_reserve_percent = true;
    spec->reserve = DEFAULT_RESERVE_PERCENT;
    spec->source_reserve = 100;
    spec->priority = DEFAULT_PRIORITY;
    spec->timeout_ms = DEFAULT_TIMEOUT_MS;
    spec->pace = DEFAULT_PACE;
    memcpy(spec->mac_prefix, xen_prefix, sizeof(spec->mac_prefix));
    *spec_out = spec;
    return 0;
}

static void free_pair(struct xenfork__pair *pair)
{
    free(pair->key);
    free(pair->value);
}

XENFORK_API void xenfork_spec_free(xenfork_spec *spec)
{
    uint32_t i, n;

    if (!spec)
        return;
    for (i = 0; i < spec->count; i++) {
        for (n = 0; n < spec->clones[i].nic_count; n++) {
            free(spec->clones[i].nics[n].bridge);
            free(spec->clones[i].nics[n].ip);
        }
        for (n = 0; n < spec->clones[i].param_count; n++)
            free_pair(&spec->clones[i].params[n]);
        free(spec->clones[i].nics);
        free(spec->clones[i].params);
        free(spec->clones[i].name);
    }
    free(spec->clones);
    free(spec->disks);
    free(spec);
}

static bool is_index(const xenfork_spec *spec, uint32_t clone)
{
    return spec && clone < spec->count;
}

/*
 * Return the first, and one past the last clone that an index means; false:
 * none.
 */
static bool clone_range(const xenfork_spec *spec, uint32_t clone,
                        uint32_t *first_out, uint32_t *end_out)
{
    if (!spec || (clone != XENFORK_ALL && clone >= spec->count))
        return false;
    *first_out = clone == XENFORK_ALL ? 0 : clone;
    *end_out = clone == XENFORK_ALL ? spec->count : clone + 1;
    return true;
}

static struct xenfork__nic_spec *nic_entry(struct xenfork__clone_spec *clone,
                                           uint32_t nic)
{
    struct xenfork__nic_spec *nics;
    uint32_t i;

    for (i = 0; i < clone->nic_count; i++)
        if (clone->nics[i].nic == nic)
            return &clone->nics[i];
    nics = reallocarray(clone->nics, clone->nic_count + 1, sizeof(*nics));
    if (!nics)
        return NULL;
    clone->nics = nics;
    nics += clone->nic_count++;
    *nics = (struct xenfork__nic_spec){.nic = nic, .link = -1};
    return nics;
}

#define WORD "abcdefghijklmnopqrstuvwxyz0123456789"

/* Check for letters and digits, up to @end. */
static bool is_plain_word(const char *text, char end)
{
    size_t length = text ? strspn(text, WORD) : 0;

    return length > 0 && length < XENFORK__WORD_CHARS && text[length] == end;
}

/* Check for a word, or "word:key=value,…". */
static bool is_how(const char *text)
{
    const char *options = text ? strchr(text, ':') : NULL;
    size_t length;

    if (!options)
        return is_plain_word(text, '\0');
    length = strspn(options + 1, WORD "=,-");
    return is_plain_word(text, ':') && length > 0 &&
           length < XENFORK__OPTIONS_CHARS && !options[1 + length];
}

static void set_how(struct xenfork__disk_spec *disk, const char *how)
{
    size_t word = strcspn(how, ":");

    memcpy(disk->how, how, word);
    disk->how[word] = '\0';
    strcpy(disk->options, how[word] ? how + word + 1 : "");
}

XENFORK_API int xenfork_spec_set_disk(xenfork_spec *spec, const char *vdev,
                                      const char *how)
{
    struct xenfork__disk_spec *disks;
    uint32_t i;

    if (!spec || !is_plain_word(vdev, '\0') || !is_how(how))
        return XENFORK_E_INVAL;
    for (i = 0; i < spec->disk_count; i++)
        if (!strcmp(spec->disks[i].vdev, vdev))
            break;
    if (i == MAX_DISKS)
        return XENFORK_E_INVAL;
    if (i == spec->disk_count) {
        disks = reallocarray(spec->disks, i + 1, sizeof(*disks));
        if (!disks)
            return XENFORK_E_NOMEM;
        spec->disks = disks;
        spec->disk_count++;
        strcpy(disks[i].vdev, vdev);
    }
    set_how(&spec->disks[i], how);
    return 0;
}

static const struct xenfork__disk_spec *disk_entry(const xenfork_spec *spec,
                                                   const char *vdev)
{
    uint32_t i;

    for (i = 0; spec && i < spec->disk_count; i++)
        if (!strcmp(spec->disks[i].vdev, vdev))
            return &spec->disks[i];
    return NULL;
}

const char *xenfork__spec_disk(const xenfork_spec *spec, const char *vdev)
{
    const struct xenfork__disk_spec *entry = disk_entry(spec, vdev);

    return entry ? entry->how : XENFORK__DISK_AUTO;
}

const char *xenfork__spec_disk_options(const xenfork_spec *spec,
                                       const char *vdev)
{
    const struct xenfork__disk_spec *entry = disk_entry(spec, vdev);

    return entry && entry->options[0] ? entry->options : NULL;
}

XENFORK_API int xenfork_spec_set_name(xenfork_spec *spec, uint32_t clone,
                                      const char *name)
{
    char *copy;

    if (!is_index(spec, clone) || !name || !xenfork__name_is_valid(name))
        return XENFORK_E_INVAL;
    copy = strdup(name);
    if (!copy)
        return XENFORK_E_NOMEM;
    free(spec->clones[clone].name);
    spec->clones[clone].name = copy;
    return 0;
}

XENFORK_API int xenfork_spec_set_uuid(xenfork_spec *spec, uint32_t clone,
                                      const uint8_t uuid[16])
{
    static const uint8_t nil[16];

    if (!is_index(spec, clone) || !uuid || !memcmp(uuid, nil, 16))
        return XENFORK_E_INVAL;
    memcpy(spec->clones[clone].uuid, uuid, 16);
    spec->clones[clone].has_uuid = true;
    return 0;
}

XENFORK_API int xenfork_spec_set_nic_mac(xenfork_spec *spec, uint32_t clone,
                                         uint32_t nic, const uint8_t mac[6])
{
    struct xenfork__nic_spec *entry;

    if (!is_index(spec, clone) || nic >= MAX_NICS || !mac ||
        !xenfork__mac_is_valid(mac))
        return XENFORK_E_INVAL;
    entry = nic_entry(&spec->clones[clone], nic);
    if (!entry)
        return XENFORK_E_NOMEM;
    memcpy(entry->mac, mac, 6);
    entry->has_mac = true;
    return 0;
}

XENFORK_API int xenfork_spec_set_mac_prefix(xenfork_spec *spec,
                                            const uint8_t prefix[3])
{
    static const uint8_t zero[3];

    if (!spec || !prefix || prefix[0] & 1 || !memcmp(prefix, zero, 3))
        return XENFORK_E_INVAL;
    memcpy(spec->mac_prefix, prefix, sizeof(spec->mac_prefix));
    return 0;
}

XENFORK_API int xenfork_spec_set_nic_bridge(xenfork_spec *spec, uint32_t clone,
                                            uint32_t nic, const char *bridge)
{
    uint32_t i, end;

    if (!clone_range(spec, clone, &i, &end) || nic >= MAX_NICS || !bridge ||
        !xenfork__bridge_is_valid(bridge))
        return XENFORK_E_INVAL;
    for (; i < end; i++) {
        struct xenfork__nic_spec *entry = nic_entry(&spec->clones[i], nic);
        char *copy = entry ? strdup(bridge) : NULL;

        if (!copy)
            return XENFORK_E_NOMEM;
        free(entry->bridge);
        entry->bridge = copy;
    }
    return 0;
}

XENFORK_API int xenfork_spec_set_nic_ip(xenfork_spec *spec, uint32_t clone,
                                        uint32_t nic, const char *ip)
{
    struct xenfork__nic_spec *entry;
    char *copy;

    if (!is_index(spec, clone) || nic >= MAX_NICS || !ip ||
        !xenfork__ip_is_valid(ip))
        return XENFORK_E_INVAL;
    entry = nic_entry(&spec->clones[clone], nic);
    copy = entry ? strdup(ip) : NULL;
    if (!copy)
        return XENFORK_E_NOMEM;
    free(entry->ip);
    entry->ip = copy;
    return 0;
}

XENFORK_API int xenfork_spec_set_nic_link(xenfork_spec *spec, uint32_t clone,
                                          uint32_t nic, int link)
{
    uint32_t i, end;

    if (!clone_range(spec, clone, &i, &end) ||
        (nic != XENFORK_ALL && nic >= MAX_NICS) || link < XENFORK_LINK_HOLD ||
        link > XENFORK_LINK_AUTO)
        return XENFORK_E_INVAL;
    for (; i < end; i++) {
        struct xenfork__nic_spec *entry;

        if (nic == XENFORK_ALL) {
            spec->clones[i].link = link;
            continue;
        }
        entry = nic_entry(&spec->clones[i], nic);
        if (!entry)
            return XENFORK_E_NOMEM;
        entry->link = link;
    }
    return 0;
}

/*
 * Return the pair with this key, and make it if need be; NULL: out of memory,
 * or too many.
 */
static int param_entry(struct xenfork__clone_spec *clone, const char *key,
                       struct xenfork__pair **entry_out)
{
    struct xenfork__pair *params;
    size_t bytes = strlen(key) + 1;
    uint32_t i;

    for (i = 0; i < clone->param_count; i++) {
        if (!strcmp(clone->params[i].key, key)) {
            *entry_out = &clone->params[i];
            return 0;
        }
        bytes += strlen(clone->params[i].key) + 1;
    }
    if (clone->param_count == XENFORK_MAX_PARAMS || bytes > MAX_KEYS_BYTES)
        return XENFORK_E_INVAL;
    params = reallocarray(clone->params, clone->param_count + 1,
                          sizeof(*params));
    if (!params)
        return XENFORK_E_NOMEM;
    clone->params = params;
    params += clone->param_count;
    *params = (struct xenfork__pair){.key = strdup(key)};
    if (!params->key)
        return XENFORK_E_NOMEM;
    clone->param_count++;
    *entry_out = params;
    return 0;
}

XENFORK_API int xenfork_spec_set_param(xenfork_spec *spec, uint32_t clone,
                                       const char *key, const char *value)
{
    uint32_t i, end;

    if (!clone_range(spec, clone, &i, &end) || !key || !value ||
        !xenfork__param_key_is_valid(key) ||
        strlen(value) > XENFORK_MAX_PARAM_VALUE ||
        xenfork_param_fault(key, value))
        return XENFORK_E_INVAL;
    for (; i < end; i++) {
        struct xenfork__pair *entry;
        char *copy = strdup(value);
        int rc = copy ? param_entry(&spec->clones[i], key, &entry)
                      : XENFORK_E_NOMEM;

        if (rc < 0) {
            free(copy);
            return rc;
        }
        free(entry->value);
        entry->value = copy;
    }
    return 0;
}

XENFORK_API int xenfork_spec_set_paused(xenfork_spec *spec, uint32_t clone,
                                        int is_paused)
{
    uint32_t i, end;

    if (!clone_range(spec, clone, &i, &end))
        return XENFORK_E_INVAL;
    for (; i < end; i++)
        spec->clones[i].is_paused = is_paused;
    return 0;
}

XENFORK_API int xenfork_spec_set_priority(xenfork_spec *spec, uint32_t priority)
{
    if (!spec || priority > XENFORK_MAX_PRIORITY)
        return XENFORK_E_INVAL;
    spec->priority = priority;
    return 0;
}

XENFORK_API int xenfork_spec_set_timeout_ms(xenfork_spec *spec,
                                            uint32_t timeout_ms)
{
    if (!spec || timeout_ms < 1 || timeout_ms > XENFORK__MAX_TIMEOUT_MS)
        return XENFORK_E_INVAL;
    spec->timeout_ms = timeout_ms;
    return 0;
}

XENFORK_API int xenfork_spec_set_quiesce(xenfork_spec *spec, int how)
{
    if (!spec || (how != XENFORK_QUIESCE_AUTO && how != XENFORK_QUIESCE_PAUSE))
        return XENFORK_E_INVAL;
    spec->quiesce = how;
    return 0;
}

XENFORK_API int xenfork_spec_set_max_stun_ms(xenfork_spec *spec,
                                             uint32_t max_stun_ms)
{
    if (!spec || max_stun_ms < 1 || max_stun_ms > XENFORK__MAX_TIMEOUT_MS)
        return XENFORK_E_INVAL;
    spec->max_stun_ms = max_stun_ms;
    return 0;
}

XENFORK_API int xenfork_spec_set_pace(xenfork_spec *spec, uint32_t percent)
{
    if (!spec || percent > MAX_PACE)
        return XENFORK_E_INVAL;
    spec->pace = percent;
    return 0;
}

XENFORK_API int xenfork_spec_set_flags(xenfork_spec *spec, uint32_t flags)
{
    const uint32_t known = XENFORK_FORK_NO_HYDRATE | XENFORK_FORK_KEEP_IMAGE |
                           XENFORK_FORK_EPHEMERAL |
                           XENFORK_FORK_EPHEMERAL_CRASH |
                           XENFORK_FORK_STUN_ANYWAY | XENFORK_FORK_AUTO_HYDRATE;
    const uint32_t unlike = XENFORK_FORK_NO_HYDRATE | XENFORK_FORK_AUTO_HYDRATE;

    if (!spec || flags & ~known || (flags & unlike) == unlike ||
        ((flags & XENFORK_FORK_EPHEMERAL_CRASH) &&
         !(flags & XENFORK_FORK_EPHEMERAL)))
        return XENFORK_E_INVAL;
    spec->flags = flags;
    return 0;
}

const struct xenfork__nic_spec *xenfork__nic_spec(
    const struct xenfork__clone_spec *clone, uint32_t nic)
{
    uint32_t i;

    for (i = 0; i < clone->nic_count; i++)
        if (clone->nics[i].nic == nic)
            return &clone->nics[i];
    return NULL;
}

int xenfork__nic_link(const struct xenfork__clone_spec *clone, uint32_t nic)
{
    const struct xenfork__nic_spec *entry = xenfork__nic_spec(clone, nic);

    return entry && entry->link >= 0 ? entry->link : clone->link;
}
