/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configurations of domains: libxl's, in our words. */
#include "xen/handles.h"

#include "host/host.h"
#include "xen/xen.h"

#include <inttypes.h>
#include <string.h>

static void free_disk(struct xenfork__disk *disk)
{
    free(disk->vdev);
    free(disk->path);
    free(disk->format);
    free(disk->backend);
    free(disk->script);
}

void xenfork__config_free(struct xenfork__config *config)
{
    uint32_t i;

    if (!config)
        return;
    for (i = 0; i < config->disk_count; i++)
        free_disk(&config->disks[i]);
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

static void cleanup_config_ptr(struct xenfork__config **config)
{
    xenfork__config_free(*config);
}

#define cleanup_config __attribute__((cleanup(cleanup_config_ptr)))

/* Copy a text, or NULL for an empty one; false: out of memory. */
static bool copy_text(char **to, const char *from)
{
    *to = from && *from ? strdup(from) : NULL;
    return *to || !from || !*from;
}

/*
 * Copy a path in the form that tapdisk gets, and that libxl writes into
 * xenstore.
 */
static bool copy_path(char **to, const libxl_device_disk *from)
{
    const char *prefix = from->format == LIBXL_DISK_FORMAT_VHD
                             ? XENFORK__VHD_PREFIX
                             : XENFORK__AIO_PREFIX;

    if (from->backend != LIBXL_DISK_BACKEND_TAP || !from->pdev_path ||
        !*from->pdev_path)
        return copy_text(to, from->pdev_path);
    if (asprintf(to, "%s%s", prefix, from->pdev_path) < 0)
        *to = NULL;
    return *to;
}

static bool copy_disk(struct xenfork__disk *to, const libxl_device_disk *from)
{
    to->is_readwrite = from->readwrite;
    to->is_cdrom = from->is_cdrom;
    to->is_foreign = from->backend_domid || from->backend_domname;
    return copy_text(&to->vdev, from->vdev) && copy_path(&to->path, from) &&
           copy_text(&to->format, libxl_disk_format_to_string(from->format)) &&
           copy_text(&to->backend,
                     libxl_disk_backend_to_string(from->backend)) &&
           copy_text(&to->script, from->script);
}

static bool copy_devices(struct xenfork__config *to,
                         const libxl_domain_config *from)
{
    uint32_t i;

    to->disks = calloc((size_t)from->num_disks + 1, sizeof(*to->disks));
    to->nics = calloc((size_t)from->num_nics + 1, sizeof(*to->nics));
    if (!to->disks || !to->nics)
        return false;
    to->disk_count = (uint32_t)from->num_disks;
    to->nic_count = (uint32_t)from->num_nics;
    for (i = 0; i < to->disk_count; i++)
        if (!copy_disk(&to->disks[i], &from->disks[i]))
            return false;
    for (i = 0; i < to->nic_count; i++) {
        to->nics[i].devid = from->nics[i].devid;
        memcpy(to->nics[i].mac, from->nics[i].mac, sizeof(to->nics[i].mac));
        if (!copy_text(&to->nics[i].bridge, from->nics[i].bridge) ||
            !copy_text(&to->nics[i].script, from->nics[i].script) ||
            !copy_text(&to->nics[i].ip, from->nics[i].ip))
            return false;
    }
    return true;
}

static int type_of(const libxl_domain_config *from)
{
    switch (from->c_info.type) {
    case LIBXL_DOMAIN_TYPE_HVM:
        return XENFORK__TYPE_HVM;
    case LIBXL_DOMAIN_TYPE_PVH:
        return XENFORK__TYPE_PVH;
    default:
        return XENFORK__TYPE_PV;
    }
}

static int convert_config(xenfork_ctx *ctx, uint32_t domid,
                          libxl_domain_config *from,
                          struct xenfork__config **config_out)
{
    cleanup_config struct xenfork__config *config = calloc(1, sizeof(*config));
    const libxl_domain_build_info *b = &from->b_info;
    uint32_t i;

    if (!config)
        return xenfork__nomem(ctx);
    config->json = libxl_domain_config_to_json(ctx->xen->xl, from);
    if (!config->json)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot write the configuration of %s as JSON",
                             from->c_info.name);
    memcpy(config->uuid, libxl_uuid_bytearray_const(&from->c_info.uuid),
           sizeof(config->uuid));
    config->type = type_of(from);
    config->max_kib = b->max_memkb;
    if (config->type == XENFORK__TYPE_HVM)
        config->hole_kib = b->u.hvm.mmio_hole_memkb;
    if (!copy_text(&config->name, from->c_info.name) ||
        !xenfork__xl_refused(config, from) || !copy_devices(config, from))
        return xenfork__nomem(ctx);
    for (i = 0; i < config->disk_count; i++)
        config->disks[i].domid = domid;
    *config_out = steal_ptr(config);
    return 0;
}

static libxl_disk_backend backend_kind(const char *kind)
{
    static const struct {
        const char *kind; /* libxl__device_kind, in the backend's path */
        libxl_disk_backend backend;
    } kinds[] = {
        {"vbd", LIBXL_DISK_BACKEND_PHY},
        {"vbd3", LIBXL_DISK_BACKEND_TAP},
        {"qdisk", LIBXL_DISK_BACKEND_QDISK},
        {"virtio_disk", LIBXL_DISK_BACKEND_STANDALONE},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(kinds); i++)
        if (!strcmp(kind, kinds[i].kind))
            return kinds[i].backend;
    return LIBXL_DISK_BACKEND_UNKNOWN;
}

static libxl_device_disk *disk_by_vdev(libxl_domain_config *config,
                                       const char *vdev)
{
    int i;

    for (i = 0; i < config->num_disks; i++)
        if (config->disks[i].vdev && !strcmp(config->disks[i].vdev, vdev))
            return &config->disks[i];
    return NULL;
}

static void correct_served_path(xenfork_ctx *ctx, uint32_t domid,
                                const char *devid, libxl_domain_config *config)
{
    cleanup_free char *vdev = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%u/device/vbd/%s/dev", domid, devid);
    cleanup_free char *path = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%u/device/vbd/%s/backend", domid, devid);
    libxl_device_disk *disk;
    char kind[16];
    uint32_t server;

    if (!vdev || !path ||
        sscanf(path, "/local/domain/%" SCNu32 "/backend/%15[^/]/", &server,
               kind) != 2)
        return;
    disk = disk_by_vdev(config, vdev);
    if (!disk)
        return;
    disk->backend = backend_kind(kind);
    disk->backend_domid = server;
    free(disk->backend_domname);
    disk->backend_domname = NULL;
    xenfork__xl_disk_name(ctx, disk, path);
}

/*
 * Read what libxl chose at creation, because xl left it open, and did not
 * record in the JSON: the backend, and the domid behind a backend's name.  It
 * is in libxl's own part of xenstore, which neither guest nor backend can
 * write.
 */
static void correct_disks(xenfork_ctx *ctx, uint32_t domid,
                          libxl_domain_config *config)
{
    unsigned int i, count = 0;
    cleanup_free char **devids = xenfork__xs_list(
        ctx, &count, "/libxl/%u/device/vbd", domid);

    for (i = 0; devids && i < count; i++)
        correct_served_path(ctx, domid, devids[i], config);
}

int xenfork__xen_config_get(xenfork_ctx *ctx, uint32_t domid,
                            struct xenfork__config **config_out)
{
    libxl_domain_config config;
    struct xenfork__dominfo info;
    struct xenfork__op op;
    int r, rc;

    rc = xenfork__xen_info(ctx, domid, &info);
    if (rc < 0)
        return rc;
    libxl_domain_config_init(&config);
    xenfork__op_init(&op);
    r = libxl_retrieve_domain_configuration(ctx->xen->xl, domid, &config,
                                            &op.how);
    r = xenfork__op_wait(ctx, &op, r);
    if (r) {
        rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "cannot get the configuration of domain %u "
                           "(libxl: %d)",
                           domid, r);
    } else {
        correct_disks(ctx, domid, &config);
        rc = convert_config(ctx, domid, &config, config_out);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

int xenfork__xen_config_parse(xenfork_ctx *ctx, const char *json,
                              struct xenfork__config **config_out)
{
    libxl_domain_config config;
    int r, rc;

    libxl_domain_config_init(&config);
    r = libxl_domain_config_from_json(ctx->xen->xl, &config, json);
    if (r)
        rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "cannot read a stored configuration (libxl: %d)", r);
    else
        rc = convert_config(ctx, XENFORK_DOMID_NONE, &config, config_out);
    libxl_domain_config_dispose(&config);
    return rc;
}
