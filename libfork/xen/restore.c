/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clones: domains that libxl restores from a stream without pages. */
#include "xen/hotplug.h"

#include "host/host.h"

#include <string.h>

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

/*
 * Have QEMU wait after it has loaded its state (-S): by then libxl works with
 * our configuration, and its record is a copy without.
 */
static bool have_wait(libxl_domain_config *config)
{
    char **extra = config->b_info.extra, **more;
    size_t n = 0;

    while (extra && extra[n])
        n++;
    more = reallocarray(extra, n + 2, sizeof(*more));
    if (!more)
        return false;
    config->b_info.extra = more;
    more[n] = strdup("-S");
    more[n + 1] = NULL;
    return more[n];
}

/*
 * Populate an HVM clone when its QEMU has loaded, then let QEMU run: libxl
 * waits for that.
 */
static int serve_emulator(xenfork_ctx *ctx, struct xenfork__op *op,
                          const struct xenfork__clone_config *clone)
{
    uint32_t domid = (uint32_t)INVALID_DOMID;
    bool is_loaded = false;
    int rc = 0;

    while (!op->is_done && rc == 0 && !is_loaded) {
        xenfork__op_turn(ctx);
        if (domid == (uint32_t)INVALID_DOMID) {
            rc = xenfork__xen_by_uuid(ctx, clone->uuid, &domid);
            rc = rc == XENFORK_E_NOTFOUND ? 0 : rc;
        } else {
            rc = xenfork__xen_emulator_is_loaded(ctx, domid, &is_loaded);
        }
    }
    if (rc == 0 && is_loaded &&
        (rc = clone->populate(clone->opaque, domid)) == 0)
        rc = xenfork__xen_emulator_run(ctx, domid);
    xenfork__sys_qemu_close(ctx);
    if (rc < 0 && !op->is_done)
        libxl_ao_abort(ctx->xen->xl, &op->how);
    return rc;
}

/* Make the error of before the one that counts. */
static int not_served(struct xenfork__kept *kept)
{
    xenfork__put_back(kept);
    return kept->error.code;
}

/*
 * Restore by libxl.  The domain comes out paused: Xen creates it so, and only
 * the caller of libxl ever unpauses.  xl holds a lock of its own, /var/lock/xl,
 * around a creation; it guards the moment between ballooning memory free and
 * using it.  We do not balloon and our memory is claimed before: we need no
 * such lock.
 */
static int libxl_restore(xenfork_ctx *ctx, libxl_domain_config *config,
                         const struct xenfork__clone_config *clone,
                         int stream_fd, uint32_t *domid_out)
{
    libxl_domain_restore_params params;
    uint32_t domid = (uint32_t)INVALID_DOMID;
    struct xenfork__op op;
    bool is_hvm = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    struct xenfork__kept kept;
    int r, rc = 0, served = 0;

    libxl_domain_restore_params_init(&params);
    params.stream_version = 2;
    params.checkpointed_stream = LIBXL_CHECKPOINTED_STREAM_NONE;
    xenfork__op_init(&op);
    r = libxl_domain_create_restore(ctx->xen->xl, config, &domid, stream_fd, -1,
                                    &params, &op.how, NULL);
    if (!r)
        xenfork__hotplug_use(ctx, config, clone->nics);
    if (!r && is_hvm)
        served = have_wait(config) ? serve_emulator(ctx, &op, clone)
                                   : xenfork__nomem(ctx);
    kept = xenfork__keep(ctx);
    r = xenfork__op_wait(ctx, &op, r);
    libxl_domain_restore_params_dispose(&params);
    if (r && !is_removed(ctx, domid, clone->uuid))
        rc = xenfork__fail(ctx, XENFORK_E_RESIDUE, 0,
                           "domain %u is left of the clone %s", domid,
                           config->c_info.name);
    else if (served < 0 && (r || is_removed(ctx, domid, clone->uuid)))
        rc = not_served(&kept);
    else if (served < 0)
        rc = XENFORK_E_RESIDUE;
    else if (r)
        rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "cannot create the clone %s (libxl: %d)",
                           config->c_info.name, r);
    else if ((rc = xenfork__hotplug_check(ctx, domid)) < 0)
        rc = is_removed(ctx, domid, clone->uuid) ? rc : XENFORK_E_RESIDUE;
    else
        *domid_out = domid;
    return rc;
}

int xenfork__xen_restore(xenfork_ctx *ctx, const struct xenfork__config *source,
                         const struct xenfork__clone_config *clone,
                         int stream_fd, char **json_out, uint32_t *domid_out)
{
    cleanup_free char *json = NULL;
    libxl_domain_config config;
    int r, rc = 0;

    LOG_DEBUG(ctx, "creating the clone %s of %s", clone->name, source->name);
    libxl_domain_config_init(&config);
    r = libxl_domain_config_from_json(ctx->xen->xl, &config, source->json);
    if (r)
        rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "cannot read the configuration of %s (libxl: %d)",
                           source->name, r);
    else if ((uint32_t)config.num_nics != source->nic_count ||
             (uint32_t)config.num_disks != source->disk_count)
        rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "the configuration of %s is not its own",
                           source->name);
    else if ((rc = xenfork__xl_clone(ctx, &config, clone)) == 0 &&
             !(json = libxl_domain_config_to_json(ctx->xen->xl, &config)))
        rc = xenfork__nomem(ctx);
    if (rc == 0)
        rc = libxl_restore(ctx, &config, clone, stream_fd, domid_out);
    libxl_domain_config_dispose(&config);
    if (rc == 0)
        *json_out = steal_ptr(json);
    return rc;
}
