/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configurations of the fake's domains, as JSON, and what is read of them.
 */
#include "config.h"

#include "fake-xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ids.h"
#include "base/internal.h"

static char *copy_or_null(const char *text)
{
    char *copy = *text ? strdup(text) : NULL;

    if (*text && !copy)
        abort();
    return copy;
}

/* One field a line; empty lines and quotes, as in libxl's pretty JSON. */
char *fake_to_json(const struct fake_domain *d)
{
    char uuid[XENFORK__UUID_CHARS], mac[XENFORK__MAC_CHARS];
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    uint32_t i;

    if (!f)
        abort();
    xenfork__uuid_print(d->uuid, uuid);
    fprintf(f, "{\n  \"fake\": \"\\n\"\n\n%s\t%s\t%d\t%llu\t%u\t%s\t\n",
            d->name, uuid, d->type, (unsigned long long)d->max_kib,
            d->passthrough_count, d->unsupported);
    for (i = 0; i < d->disk_count; i++) {
        const struct fake_disk *k = &d->disks[i];

        fprintf(f, "disk\t%s\t%s\t%s\t%s\t%s\t%d\t\n", k->vdev, k->path,
                k->format, k->backend, k->script,
                k->is_readwrite | k->is_cdrom << 1 | k->is_foreign << 2);
    }
    for (i = 0; i < d->nic_count; i++) {
        xenfork__mac_print(d->nics[i].mac, mac);
        fprintf(f, "nic\t%d\t%s\t%s\t%s\t%s\t\n", d->nics[i].devid, mac,
                d->nics[i].bridge, d->nics[i].script, d->nics[i].ip);
    }
    fputs("}\n", f);
    if (fclose(f))
        abort();
    return text;
}

static char *field(char **line)
{
    char *text = strsep(line, "\t");

    return text ? text : (char *)"";
}

static void parse_disk(struct xenfork__disk *disk, char *line)
{
    int flags;

    disk->vdev = copy_or_null(field(&line));
    disk->path = copy_or_null(field(&line));
    disk->format = copy_or_null(field(&line));
    disk->backend = copy_or_null(field(&line));
    disk->script = copy_or_null(field(&line));
    flags = atoi(field(&line));
    disk->is_readwrite = flags & 1;
    disk->is_cdrom = flags & 2;
    disk->is_foreign = flags & 4;
}

static void refuse_device(struct xenfork__config *c, int code, const char *what)
{
    struct xenfork__refused *refused;

    if (!*what)
        return;
    c->refused = reallocarray(c->refused, c->refused_count + 1,
                              sizeof(*c->refused));
    if (!c->refused)
        abort();
    refused = &c->refused[c->refused_count++];
    refused->code = code;
    if (asprintf(&refused->what, "%s %u", what, c->refused_count) < 0 ||
        asprintf(&refused->remedy, "remove %s", what) < 0)
        abort();
}

struct xenfork__config *fake_from_json(uint32_t domid, const char *json)
{
    char *text = strdup(json), *rest = text, *line;
    struct xenfork__config *c = calloc(1, sizeof(*c));
    int i;

    if (!text || !c)
        abort();
    c->json = strdup(json);
    c->disks = calloc(FAKE_DISKS, sizeof(*c->disks));
    c->nics = calloc(FAKE_NICS, sizeof(*c->nics));
    strsep(&rest, "\n");
    strsep(&rest, "\n");
    strsep(&rest, "\n");
    line = strsep(&rest, "\n");
    c->name = copy_or_null(field(&line));
    xenfork__uuid_parse(field(&line), c->uuid);
    c->type = atoi(field(&line));
    c->max_kib = strtoull(field(&line), NULL, 10);
    for (i = atoi(field(&line)); i > 0; i--)
        refuse_device(c, XENFORK_E_PASSTHROUGH, "PCI device");
    refuse_device(c, XENFORK_E_DEVICE, field(&line));
    while ((line = strsep(&rest, "\n")) && *line != '}') {
        const char *what = field(&line);

        if (!strcmp(what, "disk")) {
            c->disks[c->disk_count].domid = domid;
            parse_disk(&c->disks[c->disk_count++], line);
        } else {
            struct xenfork__nic *nic = &c->nics[c->nic_count++];

            nic->devid = atoi(field(&line));
            xenfork__mac_parse(field(&line), nic->mac);
            nic->bridge = copy_or_null(field(&line));
            nic->script = copy_or_null(field(&line));
            nic->ip = copy_or_null(field(&line));
        }
    }
    free(text);
    return c;
}

int xenfork__xen_config_get(xenfork_ctx *ctx, uint32_t domid,
                            struct xenfork__config **config_out)
{
    const struct fake_domain *d = fake_domain(domid);
    char *json;

    FAKE_ENTER(ctx);
    if (!d || d->is_dying || d->is_image)
        return fake_leave(xenfork__fail(
            ctx, XENFORK_E_XEN, 0, "no configuration of domain %u", domid));
    json = fake_to_json(d);
    *config_out = fake_from_json(domid, json);
    free(json);
    return fake_leave(0);
}

int xenfork__xen_config_parse(xenfork_ctx *ctx, const char *json,
                              struct xenfork__config **config_out)
{
    FAKE_ENTER(ctx);
    if (strncmp(json, "{\n  \"fake\": \"\\n\"\n\n", 18) || !strstr(json, "}\n"))
        return fake_leave(
            xenfork__fail(ctx, XENFORK_E_XEN, 0, "malformed JSON"));
    *config_out = fake_from_json(XENFORK_DOMID_NONE, json);
    return fake_leave(0);
}

void xenfork__config_free(struct xenfork__config *config)
{
    uint32_t i;

    if (!config)
        return;
    for (i = 0; i < config->disk_count; i++) {
        free(config->disks[i].vdev);
        free(config->disks[i].path);
        free(config->disks[i].format);
        free(config->disks[i].backend);
        free(config->disks[i].script);
    }
    for (i = 0; i < config->nic_count; i++) {
        free(config->nics[i].bridge);
        free(config->nics[i].script);
        free(config->nics[i].ip);
    }
    free(config->disks);
    free(config->nics);
    free(config->json);
    free(config->name);
    for (i = 0; i < config->refused_count; i++) {
        free(config->refused[i].what);
        free(config->refused[i].remedy);
    }
    free(config->refused);
    free(config);
}

int xenfork__xen_macs(xenfork_ctx *ctx, uint8_t **macs_out, size_t *count_out)
{
    uint8_t *macs;
    size_t count = 0;
    uint32_t i, n;

    FAKE_ENTER(ctx);
    macs = calloc(FAKE_DOMAINS * FAKE_NICS, 6);
    if (!macs)
        return fake_leave(xenfork__nomem(ctx));
    for (i = 0; i < FAKE_DOMAINS; i++)
        for (n = 0; fake->domains[i].domid && n < fake->domains[i].nic_count;
             n++)
            memcpy(macs + 6 * count++, fake->domains[i].nics[n].mac, 6);
    *macs_out = macs;
    *count_out = count;
    return fake_leave(0);
}

int xenfork__xen_disk_paths(xenfork_ctx *ctx, uint32_t domid, char ***paths_out,
                            size_t *count_out)
{
    const struct fake_domain *d = fake_domain(domid);
    char **paths;
    uint32_t i;

    FAKE_ENTER(ctx);
    paths = calloc(FAKE_DISKS + 1, sizeof(*paths));
    if (!paths)
        return fake_leave(xenfork__nomem(ctx));
    *count_out = 0;
    for (i = 0; d && i < d->disk_count; i++)
        if (asprintf(&paths[(*count_out)++], "%s", d->disks[i].path) < 0)
            abort();
    *paths_out = paths;
    return fake_leave(0);
}

int xenfork__xen_names(xenfork_ctx *ctx, char ***names_out, size_t *count_out)
{
    char **names;
    size_t count = 0;
    uint32_t i;

    FAKE_ENTER(ctx);
    names = calloc(FAKE_DOMAINS + 1, sizeof(*names));
    if (!names)
        return fake_leave(xenfork__nomem(ctx));
    for (i = 0; i < FAKE_DOMAINS; i++)
        if (fake->domains[i].domid && fake->domains[i].name[0])
            names[count++] = strdup(fake->domains[i].name);
    *names_out = names;
    *count_out = count;
    return fake_leave(0);
}
