/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clones: domains that libxl restores from a stream without pages, several
 * side by side.
 */
#include "xen/hotplug.h"

#include "host/host.h"

#include <string.h>

struct xenfork__restore {
    struct xenfork__op op;
    libxl_domain_config config; /* libxl's as long as it works */
    int stream_fd;              /* likewise */
    char *json;
    uint8_t uuid[16];
    int (*populate)(void *opaque, uint32_t domid);
    void *opaque;
    struct xenfork__qmp *qmp; /* our connection to its QEMU; NULL: none */
    uint32_t domid, made;     /* found by us; libxl's answer */
    bool is_hvm, is_stopped;
    bool is_running; /* its QEMU is, and it has its memory */
};

static bool apply_nic(libxl_device_nic *nic, const struct xenfork__nic *by)
{
    memcpy(nic->mac, by->mac, sizeof(nic->mac));
    /* vifname=: a second interface of that name could not be made. */
    free(nic->ifname);
    nic->ifname = NULL;
    return (!by->bridge || xenfork__replace_text(&nic->bridge, by->bridge)) &&
           (!by->ip || xenfork__replace_text(&nic->ip, by->ip));
}

/* Renew the generation id, by which Windows learns that it was copied. */
static bool renew_genid(libxl_ctx *xl, libxl_domain_config *config)
{
    libxl_ms_vm_genid *id = &config->b_info.u.hvm.ms_vm_genid;

    return config->c_info.type != LIBXL_DOMAIN_TYPE_HVM ||
           libxl_ms_vm_genid_is_zero(id) ||
           libxl_ms_vm_genid_generate(xl, id) == 0;
}

/*
 * Return a path for libxl: tapdisk's form has the kind before the path, libxl
 * has it apart.
 */
static const char *libxl_path(const libxl_device_disk *disk, const char *path)
{
    const char *colon = strchr(path, ':');

    return disk->backend == LIBXL_DISK_BACKEND_TAP && colon ? colon + 1 : path;
}

static bool apply_disk(libxl_device_disk *disk,
                       const struct xenfork__clone_disk *by)
{
    if (by->path &&
        !xenfork__replace_text(&disk->pdev_path, libxl_path(disk, by->path)))
        return false;
    if (!by->script)
        return true;
    if (disk->backend != LIBXL_DISK_BACKEND_TAP) {
        disk->backend = LIBXL_DISK_BACKEND_PHY;
        disk->format = LIBXL_DISK_FORMAT_RAW;
    }
    return xenfork__replace_text(&disk->script, by->script);
}

static bool apply_disks(libxl_domain_config *config,
                        const struct xenfork__clone_disk *disks)
{
    int i, kept = 0;

    for (i = 0; i < config->num_disks; i++)
        if (!apply_disk(&config->disks[i], &disks[i]))
            return false;
    for (i = 0; i < config->num_disks; i++) {
        if (disks[i].is_absent)
            libxl_device_disk_dispose(&config->disks[i]);
        else
            config->disks[kept++] = config->disks[i];
    }
    config->num_disks = kept;
    return true;
}

int xenfork__xl_clone(xenfork_ctx *ctx, libxl_domain_config *config,
                      const struct xenfork__clone_config *clone)
{
    bool ok = xenfork__replace_text(&config->c_info.name, clone->name);
    int i;

    memcpy(libxl_uuid_bytearray(&config->c_info.uuid), clone->uuid, 16);
    config->c_info.domid = (libxl_domid)INVALID_DOMID; /* any that is free */
    ok = ok && renew_genid(ctx->xen->xl, config);
    /* Its display has the next port that is free. */
    if (config->c_info.type == LIBXL_DOMAIN_TYPE_HVM)
        libxl_defbool_set(&config->b_info.u.hvm.vnc.findunused, true);
    for (i = 0; ok && i < config->num_nics; i++)
        ok = apply_nic(&config->nics[i], &clone->nics[i]);
    return ok && apply_disks(config, clone->disks) ? 0 : xenfork__nomem(ctx);
}

/*
 * Tell whether it is gone: libxl destroys what it could not finish
 * (domcreate_complete, 4.17), but says the domid all the same, and goes on when
 * that fails, too.  The UUID tells whether it is our domain that is still
 * there.
 */
static bool is_removed(xenfork_ctx *ctx, uint32_t domid, const uint8_t *uuid)
{
    struct xenfork__dominfo info;
    int rc;

    if (domid == (uint32_t)INVALID_DOMID || domid == 0)
        return true;
    rc = xenfork__xen_info(ctx, domid, &info);
    if (rc == XENFORK_E_NOTFOUND)
        return true;
    if (rc < 0)
        return false;
    if (info.is_dying || memcmp(info.uuid, uuid, sizeof(info.uuid)))
        return true;
    return xenfork__xen_destroy(ctx, domid) == 0;
}

/* Put a clone's connection into the context's place, and back. */
static void swap_qmp(xenfork_ctx *ctx, struct xenfork__restore *restore)
{
    struct xenfork__qmp *qmp = ctx->qmp;

    ctx->qmp = restore->qmp;
    restore->qmp = qmp;
}

/*
 * Return QEMU's arguments, and one by which it waits after it has loaded its
 * state (-S); NULL: out of memory.
 */
static char **add_wait(const libxl_domain_config *config)
{
    char **extra = config->b_info.extra, **more;
    size_t n = 0;

    while (extra && extra[n])
        n++;
    more = calloc(n + 2, sizeof(*more));
    if (!more || !(more[n] = strdup("-S"))) {
        free(more);
        return NULL;
    }
    if (n)
        memcpy(more, extra, n * sizeof(*more));
    return more;
}

static void restore_free(xenfork_ctx *ctx, struct xenfork__restore *restore)
{
    swap_qmp(ctx, restore);
    xenfork__sys_qemu_close(ctx);
    swap_qmp(ctx, restore);
    libxl_domain_config_dispose(&restore->config);
    close(restore->stream_fd);
    free(restore->json);
    free(restore);
}

/* Make the clone's configuration of the source's. */
static int configure(xenfork_ctx *ctx, struct xenfork__restore *restore,
                     const struct xenfork__config *source,
                     const struct xenfork__clone_config *clone)
{
    libxl_domain_config *config = &restore->config;
    int r = libxl_domain_config_from_json(ctx->xen->xl, config, source->json);
    int rc;

    if (r)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot read the configuration of %s (libxl: %d)",
                             source->name, r);
    if ((uint32_t)config->num_nics != source->nic_count ||
        (uint32_t)config->num_disks != source->disk_count)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "the configuration of %s is not its own",
                             source->name);
    rc = xenfork__xl_clone(ctx, config, clone);
    if (rc < 0)
        return rc;
    restore->json = libxl_domain_config_to_json(ctx->xen->xl, config);
    return restore->json ? 0 : xenfork__nomem(ctx);
}

/*
 * Have libxl begin.  The domain comes out paused: Xen creates it so, and only
 * the caller of libxl ever unpauses.  xl holds a lock of its own, /var/lock/xl,
 * around a creation; it guards the moment between ballooning memory free and
 * using it.  We do not balloon and our memory is claimed before: we need no
 * such lock.
 */
static int start(xenfork_ctx *ctx, struct xenfork__restore *restore,
                 const struct xenfork__clone_config *clone)
{
    libxl_domain_config *config = &restore->config;
    libxl_domain_restore_params params;
    char **waiting = NULL;
    int r;

    restore->is_hvm = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    if (restore->is_hvm && !(waiting = add_wait(config)))
        return xenfork__nomem(ctx);
    libxl_domain_restore_params_init(&params);
    params.stream_version = 2;
    params.checkpointed_stream = LIBXL_CHECKPOINTED_STREAM_NONE;
    r = libxl_domain_create_restore(ctx->xen->xl, config, &restore->made,
                                    restore->stream_fd, -1, &params,
                                    &restore->op.how, NULL);
    libxl_domain_restore_params_dispose(&params);
    /* libxl's record is a copy, made by now: it names neither. */
    if (waiting) {
        free(config->b_info.extra);
        config->b_info.extra = waiting;
    }
    xenfork__hotplug_use(ctx, config, clone->nics);
    restore->op.rc = r;
    restore->op.is_done = r;
    return 0;
}

int xenfork__xen_restore_begin(xenfork_ctx *ctx,
                               const struct xenfork__config *source,
                               const struct xenfork__clone_config *clone,
                               int stream_fd,
                               struct xenfork__restore **restore_out)
{
    struct xenfork__restore *restore = calloc(1, sizeof(*restore));
    int rc;

    LOG_DEBUG(ctx, "creating the clone %s of %s", clone->name, source->name);
    if (!restore) {
        close(stream_fd);
        return xenfork__nomem(ctx);
    }
    restore->stream_fd = stream_fd;
    restore->populate = clone->populate;
    restore->opaque = clone->opaque;
    memcpy(restore->uuid, clone->uuid, sizeof(restore->uuid));
    restore->domid = restore->made = (uint32_t)INVALID_DOMID;
    xenfork__op_init(&restore->op);
    libxl_domain_config_init(&restore->config);
    if ((rc = configure(ctx, restore, source, clone)) < 0 ||
        (rc = start(ctx, restore, clone)) < 0) {
        restore_free(ctx, restore);
        return rc;
    }
    *restore_out = restore;
    return 0;
}

void xenfork__xen_restore_turn(xenfork_ctx *ctx)
{
    xenfork__op_turn(ctx);
}

/*
 * Populate an HVM clone when its QEMU has loaded, then let QEMU run: libxl
 * waits for that.
 */
static int see_to_emulator(xenfork_ctx *ctx, struct xenfork__restore *restore)
{
    bool is_loaded = false;
    int rc;

    if (restore->domid == (uint32_t)INVALID_DOMID) {
        rc = xenfork__xen_by_uuid(ctx, restore->uuid, &restore->domid);
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    }
    rc = xenfork__xen_emulator_is_loaded(ctx, restore->domid, &is_loaded);
    if (rc < 0 || !is_loaded)
        return rc;
    LOG_DEBUG(ctx, "domain %u: its device model has loaded", restore->domid);
    if ((rc = restore->populate(restore->opaque, restore->domid)) < 0 ||
        (rc = xenfork__xen_emulator_run(ctx, restore->domid)) < 0)
        return rc;
    restore->is_running = true;
    return 0;
}

int xenfork__xen_restore_serve(xenfork_ctx *ctx,
                               struct xenfork__restore *restore,
                               bool *is_done_out)
{
    int rc = 0;

    *is_done_out = restore->op.is_done;
    if (restore->op.is_done || restore->is_running || !restore->is_hvm)
        return 0;
    swap_qmp(ctx, restore);
    rc = see_to_emulator(ctx, restore);
    swap_qmp(ctx, restore);
    return rc;
}

void xenfork__xen_restore_stop(xenfork_ctx *ctx,
                               struct xenfork__restore *restore)
{
    restore->is_stopped = true;
    if (!restore->op.is_done)
        libxl_ao_abort(ctx->xen->xl, &restore->op.how);
}

int xenfork__xen_restore_end(xenfork_ctx *ctx, struct xenfork__restore *restore,
                             char **json_out, uint32_t *domid_out)
{
    int r = xenfork__op_wait(ctx, &restore->op, 0);
    uint32_t domid = restore->made;
    int rc = 0;

    if (r && !is_removed(ctx, domid, restore->uuid))
        rc = xenfork__fail(ctx, XENFORK_E_RESIDUE, 0,
                           "domain %u is left of the clone %s", domid,
                           restore->config.c_info.name);
    else if (r && restore->is_stopped)
        rc = xenfork__miss(ctx, XENFORK_E_XEN, "the clone %s was given up",
                           restore->config.c_info.name);
    else if (r)
        rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "cannot create the clone %s (libxl: %d)",
                           restore->config.c_info.name, r);
    else if ((rc = xenfork__hotplug_check(ctx, domid)) < 0)
        rc = is_removed(ctx, domid, restore->uuid) ? rc : XENFORK_E_RESIDUE;
    if (rc == 0) {
        *json_out = steal_ptr(restore->json);
        *domid_out = domid;
    }
    restore_free(ctx, restore);
    return rc;
}
