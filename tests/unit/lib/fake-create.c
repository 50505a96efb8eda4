/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains of the fake that are captured, restored and created. */
#include "config.h"

#include "fake-xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/internal.h"
#include "stream-parser.h"

static uint8_t *bytes_of(size_t bytes, uint8_t first)
{
    uint8_t *p = malloc(bytes);
    size_t i;

    if (!p)
        abort();
    for (i = 0; i < bytes; i++)
        p[i] = (uint8_t)(first + i);
    return p;
}

int xenfork__xen_capture(xenfork_ctx *ctx, uint32_t domid, const uint64_t *gfns,
                         uint32_t count, struct xenfork__capture **capture_out)
{
    const struct fake_domain *d = fake_domain(domid);
    struct xenfork__capture *c;
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d || !d->is_shutdown)
        return fake_leave(xenfork__fail(ctx, XENFORK_E_XEN, 0,
                                        "domain %u is not suspended", domid));
    if (d->is_stopped && d->uses[0])
        fake_violation("domain %u, stopped, uses %s", domid, d->uses);
    c = calloc(1, sizeof(*c));
    if (!c)
        return fake_leave(xenfork__nomem(ctx));
    c->xen_major = 4;
    c->xen_minor = 17;
    /* xen_cpuid_leaf_t has 24 bytes, xen_msr_entry_t 16. */
    c->cpuid = bytes_of(c->cpuid_bytes = 3 * 24, 1);
    c->msrs = bytes_of(c->msrs_bytes = 16, 2);
    c->tsc_mode = 2;
    c->tsc_khz = 2000000;
    c->tsc_incarnation = 1;
    c->tsc_ns = 123456789012345;
    c->context = bytes_of(c->context_bytes = 1021, 3); /* needs padding */
    c->param_count = 3;
    c->params = calloc(3, sizeof(*c->params));
    c->page_gfns = calloc(count + 1, sizeof(*c->page_gfns));
    c->pages = calloc(count + 1, XENFORK__PAGE_SIZE);
    if (!c->params || !c->page_gfns || !c->pages)
        abort();
    for (i = 0; i < 3; i++)
        c->params[i] = (struct xenfork__param){.index = 1 + i,
                                               .value = 0xfeff8 + i};
    c->page_count = count;
    for (i = 0; i < count; i++) {
        uint64_t content = 0;

        if (!fake_read(domid, gfns[i], &content))
            fake_violation("capture of gfn %llx, a hole",
                           (unsigned long long)gfns[i]);
        c->page_gfns[i] = gfns[i];
        memcpy(c->pages + i * XENFORK__PAGE_SIZE, &content, sizeof(content));
    }
    if (d->type == XENFORK__TYPE_HVM) {
        c->emulator = bytes_of(c->emulator_bytes = FAKE_STATE_BYTES,
                               FAKE_STATE_FIRST);
        c->emulator_nodes = malloc(sizeof(FAKE_NODES));
        memcpy(c->emulator_nodes, FAKE_NODES, sizeof(FAKE_NODES));
        c->emulator_nodes_bytes = sizeof(FAKE_NODES);
    }
    *capture_out = c;
    return fake_leave(0);
}

void xenfork__capture_free(struct xenfork__capture *capture)
{
    if (!capture)
        return;
    free(capture->cpuid);
    free(capture->msrs);
    free(capture->context);
    free(capture->params);
    free(capture->page_gfns);
    free(capture->pages);
    free(capture->emulator);
    free(capture->emulator_nodes);
    free(capture);
}

void fake_copy_devices(struct fake_domain *d,
                       const struct xenfork__config *source,
                       const struct xenfork__clone_config *clone)
{
    uint32_t i;

    for (i = 0; i < source->disk_count && i < FAKE_DISKS; i++) {
        const struct xenfork__disk *s = &source->disks[i];
        struct fake_disk *k = &d->disks[d->disk_count];
        const char *path = clone->disks[i].path ? clone->disks[i].path
                                                : s->path;

        if (clone->disks[i].is_absent)
            continue;
        d->disk_count++;
        fake_copy_string(k->vdev, sizeof(k->vdev), s->vdev);
        fake_copy_string(k->path, sizeof(k->path), path);
        fake_copy_string(k->format, sizeof(k->format), s->format);
        fake_copy_string(k->backend, sizeof(k->backend), s->backend);
        k->is_readwrite = s->is_readwrite;
        k->is_cdrom = s->is_cdrom;
        k->is_plugged = d->type == XENFORK__TYPE_HVM && !k->is_cdrom;
        if (clone->disks[i].script || s->script)
            fake_copy_string(k->script, sizeof(k->script),
                             clone->disks[i].script ? clone->disks[i].script
                                                    : s->script);
        if (!strcmp(k->script, "block-fork") && strncmp(k->path, "vhd:", 4))
            fake_attach(k->path);
        if (k->is_readwrite && !clone->disks[i].path)
            fake_violation("clone %s writes to its source's disk", d->name);
        if (k->path[0] && access(fake_file(k->path), R_OK))
            fake_violation("disk %s of clone %s is absent", k->path, d->name);
    }
    for (i = 0; i < source->nic_count && i < FAKE_NICS; i++) {
        struct fake_nic *n = &d->nics[d->nic_count++];

        n->devid = clone->nics[i].devid;
        memcpy(n->mac, clone->nics[i].mac, 6);
        fake_copy_string(n->bridge, sizeof(n->bridge), clone->nics[i].bridge);
        fake_copy_string(n->ip, sizeof(n->ip),
                         clone->nics[i].ip ? clone->nics[i].ip
                                           : source->nics[i].ip);
        /* vif-bridge brings it up, xenfork-hotplug obeys. */
        n->is_up = n->was_up = fake->has_stock_scripts ||
                               !clone->nics[i].is_held;
        fake_copy_string(n->on, sizeof(n->on), n->bridge);
    }
}

static bool read_all(int fd, uint8_t **data_out, size_t *bytes_out)
{
    uint8_t *data = NULL;
    size_t used = 0;

    for (;;) {
        uint8_t *more = realloc(data, used + 65536);
        ssize_t n = more ? read(fd, more + used, 65536) : -1;

        if (more)
            data = more;
        if (n < 0) {
            free(data);
            return false;
        }
        used += (size_t)n;
        if (!n)
            break;
    }
    *data_out = data;
    *bytes_out = used;
    return true;
}

/* The special pages that the stream carries. */
static const char *load_stream(struct fake_domain *d, int fd)
{
    struct stream *s;
    uint8_t *data;
    size_t bytes;
    uint32_t i;
    const char *why;

    if (!read_all(fd, &data, &bytes))
        return "the stream cannot be read";
    s = stream_parse(data, bytes, &why);
    if (!s) {
        free(data);
        return why;
    }
    for (i = 0; i < s->page_count; i++) {
        uint64_t content;

        memcpy(&content, s->pages + (size_t)i * 4096, sizeof(content));
        if (!fake_add_page(d, s->gfns[i], content))
            why = "no memory for special pages";
    }
    stream_free(s);
    free(data);
    return why;
}

/* libxl makes it in three turns; its QEMU has loaded after the first. */
struct xenfork__restore {
    struct fake_domain *d;
    int (*populate)(void *opaque, uint32_t domid);
    void *opaque;
    uint32_t turns; /* that it has had, up to 3 */
    bool is_populated, is_stopped;
};

int xenfork__xen_restore_begin(xenfork_ctx *ctx,
                               const struct xenfork__config *source,
                               const struct xenfork__clone_config *clone,
                               int stream_fd,
                               struct xenfork__restore **restore_out)
{
    cleanup_close int fd = stream_fd;
    struct xenfork__restore *restore;
    struct fake_domain *d;
    const char *why;

    FAKE_ENTER(ctx);
    if (fake_domain_named(clone->name))
        return fake_leave(xenfork__fail(ctx, XENFORK_E_XEN, 0,
                                        "name %s is taken", clone->name));
    d = fake_new_domain();
    fake_copy_string(d->name, sizeof(d->name), clone->name);
    memcpy(d->uuid, clone->uuid, 16);
    d->type = source->type;
    d->is_paused = d->can_suspend = true;
    fake_copy_string(d->uses, sizeof(d->uses), "device vbd 51712");
    d->max_vcpus = 2;
    d->max_kib = source->max_kib;
    d->max_pages = source->max_kib / XENFORK__PAGE_KIB + 64;
    d->max_gfn = 0xfefff;
    why = load_stream(d, fd);
    if (why) {
        fake_drop_pages(d);
        memset(d, 0, sizeof(*d));
        return fake_leave(xenfork__fail(
            ctx, XENFORK_E_XEN, 0, "cannot restore %s: %s", clone->name, why));
    }
    fake_copy_devices(d, source, clone);
    if (fake->crash_at == fake->calls)
        d->name[0] = '\0'; /* killed in the middle: half-made */
    restore = calloc(1, sizeof(*restore));
    restore->d = d;
    restore->populate = clone->populate;
    restore->opaque = clone->opaque;
    fake->restores[fake->restoring++] = restore;
    if (fake->restoring > fake->restored_at_once)
        fake->restored_at_once = fake->restoring;
    *restore_out = restore;
    return fake_leave(0);
}

void xenfork__xen_restore_turn(xenfork_ctx *ctx)
{
    uint32_t i;

    (void)ctx;
    for (i = 0; i < fake->restoring; i++)
        if (fake->restores[i]->turns < 3)
            fake->restores[i]->turns++;
    for (i = 0; i < FAKE_DOMAINS; i++)
        if (fake->domains[i].domid && fake->domains[i].loads > 1)
            fake->domains[i].loads--;
    if (fake->on_turn)
        fake->on_turn();
}

int xenfork__xen_restore_serve(xenfork_ctx *ctx,
                               struct xenfork__restore *restore,
                               bool *is_done_out)
{
    int rc;

    FAKE_ENTER(ctx);
    if (restore->d->type == XENFORK__TYPE_HVM && !restore->is_populated) {
        rc = restore->populate(restore->opaque, restore->d->domid);
        if (rc < 0)
            return fake_leave(rc);
        restore->is_populated = true;
    }
    *is_done_out = restore->turns == 3;
    return fake_leave(0);
}

void xenfork__xen_restore_stop(xenfork_ctx *ctx,
                               struct xenfork__restore *restore)
{
    (void)ctx;
    restore->is_stopped = true;
}

int xenfork__xen_restore_end(xenfork_ctx *ctx, struct xenfork__restore *restore,
                             char **json_out, uint32_t *domid_out)
{
    struct fake_domain *d = restore->d;
    bool is_stopped = restore->is_stopped && restore->turns < 3;
    uint32_t i = 0;

    while (fake->restores[i] != restore)
        i++;
    fake->restores[i] = fake->restores[--fake->restoring];
    if (restore->turns < 3 && !is_stopped)
        fake_violation("waits for one clone alone");
    free(restore);
    if (is_stopped)
        return xenfork__xen_destroy(ctx, d->domid) < 0
                   ? XENFORK_E_RESIDUE
                   : xenfork__miss(ctx, XENFORK_E_XEN, "given up");
    FAKE_ENTER(ctx);
    *json_out = fake_to_json(d);
    *domid_out = d->domid;
    return fake_leave(0);
}

int xenfork__xen_check_memory(xenfork_ctx *ctx, const char *json,
                              uint32_t replaced)
{
    (void)json;
    (void)replaced;
    FAKE_ENTER(ctx);
    if (fake->has_no_memory)
        return fake_leave(
            xenfork__fail(ctx, XENFORK_E_HOSTMEM, 0, "no memory"));
    return fake_leave(0);
}

/* Two that have one UUID would share their disks. */
static bool is_unique(const struct xenfork__config *config)
{
    uint32_t i;

    for (i = 0; i < FAKE_DOMAINS; i++) {
        const struct fake_domain *d = &fake->domains[i];

        if (d->domid && !d->is_dying &&
            (!memcmp(d->uuid, config->uuid, 16) ||
             !strcmp(d->name, config->name)))
            return false;
    }
    return true;
}

static void create_devices(struct fake_domain *d,
                           const struct xenfork__config *config)
{
    uint32_t i;

    for (i = 0; i < config->disk_count; i++) {
        const struct xenfork__disk *s = &config->disks[i];
        struct fake_disk *k = &d->disks[d->disk_count++];

        fake_copy_string(k->vdev, sizeof(k->vdev), s->vdev);
        fake_copy_string(k->path, sizeof(k->path), s->path);
        fake_copy_string(k->format, sizeof(k->format), s->format);
        fake_copy_string(k->backend, sizeof(k->backend), s->backend);
        fake_copy_string(k->script, sizeof(k->script),
                         s->script ? s->script : "");
        k->is_readwrite = s->is_readwrite;
        k->is_cdrom = s->is_cdrom;
    }
    for (i = 0; i < config->nic_count; i++) {
        struct fake_nic *n = &d->nics[d->nic_count++];

        n->devid = config->nics[i].devid;
        memcpy(n->mac, config->nics[i].mac, 6);
        fake_copy_string(n->bridge, sizeof(n->bridge),
                         config->nics[i].bridge ? config->nics[i].bridge : "");
        fake_copy_string(n->on, sizeof(n->on), n->bridge);
        n->is_up = true;
    }
}

int xenfork__xen_made_for(xenfork_ctx *ctx, uint32_t domid, char mark_out[37])
{
    FAKE_ENTER(ctx);
    fake_copy_string(mark_out, 37,
                     fake_domain(domid) ? fake_domain(domid)->made_for : "");
    return fake_leave(0);
}

int xenfork__xen_create(xenfork_ctx *ctx, const char *json, const char *mark,
                        uint32_t *domid_out)
{
    struct xenfork__config *config;
    struct fake_domain *d;

    FAKE_ENTER(ctx);
    config = fake_from_json(XENFORK_DOMID_NONE, json);
    if (!is_unique(config)) {
        xenfork__config_free(config);
        return fake_leave(xenfork__fail(ctx, XENFORK_E_XEN, EINVAL,
                                        "cannot create a second time"));
    }
    d = fake_new_domain();
    memcpy(d->uuid, config->uuid, 16);
    fake_copy_string(d->name, sizeof(d->name), config->name);
    d->type = config->type;
    d->max_kib = config->max_kib;
    d->is_paused = d->is_whole = true;
    create_devices(d, config);
    fake_copy_string(d->made_for, sizeof(d->made_for), mark);
    xenfork__config_free(config);
    fake->created++;
    *domid_out = d->domid;
    return fake_leave(0);
}

int xenfork__xen_config_change(xenfork_ctx *ctx, const char *json,
                               const struct xenfork__config_change *change,
                               char **json_out)
{
    struct xenfork__config *config;
    struct fake_domain d = {0};
    uint32_t i;

    FAKE_ENTER(ctx);
    if (fake->on_change)
        fake->on_change();
    config = fake_from_json(XENFORK_DOMID_NONE, json);
    memcpy(d.uuid, config->uuid, 16);
    fake_copy_string(d.name, sizeof(d.name),
                     change->name ? change->name : config->name);
    d.type = config->type;
    d.max_kib = config->max_kib;
    create_devices(&d, config);
    for (i = 0; i < d.disk_count; i++)
        if (change->vdev && !strcmp(d.disks[i].vdev, change->vdev)) {
            fake_copy_string(d.disks[i].path, sizeof(d.disks[i].path),
                             change->path);
            fake_copy_string(d.disks[i].format, sizeof(d.disks[i].format),
                             change->format);
            d.disks[i].script[0] = '\0';
        }
    for (i = 0; i < d.nic_count; i++)
        if (change->bridge && d.nics[i].devid == change->devid)
            fake_copy_string(d.nics[i].bridge, sizeof(d.nics[i].bridge),
                             change->bridge);
    xenfork__config_free(config);
    *json_out = fake_to_json(&d);
    return fake_leave(0);
}
