/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenfork-hotplug in place of Xen's scripts, while libxl makes a clone.
 *
 * libxl puts the configuration of a new domain aside before it does anything
 * (do_domain_create(), libxl_create.c, 4.17 and 4.20): that copy becomes the
 * domain's record.  It works with ours, and comes to the devices only when the
 * stream has been read by its helper process.  In between, scripts are
 * replaced in ours: the record never names them, and xenfork-hotplug sets
 * xenstore right before it does anything else.
 *
 * When a domain goes libxl has xenstore alone tell it what to run
 * (libxl__get_hotplug_script_info(), libxl_linux.c).
 */
#include "xen/hotplug.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "xen/hotplug-scripts.h"

#define HELPER          XENFORK_LIBEXEC_DIR "/xenfork-hotplug"
#define HELPER_HOLD     HELPER "-hold"
#define HELPER_FORK     HELPER "-fork"
#define MAX_DEVID_CHARS 12U

/*
 * Tell whether it is Xen's own script; libxl takes a relative name for one in
 * its folder.
 */
bool xenfork__hotplug_is_stock(const char *script, const char *name)
{
    const char *dir = XEN_SCRIPT_DIR "/";

    if (!script || !strcmp(script, name))
        return true;
    return !strncmp(script, dir, strlen(dir)) &&
           !strcmp(script + strlen(dir), name);
}

static bool is_local_disk(const libxl_device_disk *disk)
{
    return disk->backend == LIBXL_DISK_BACKEND_PHY && !disk->backend_domid &&
           !disk->backend_domname && disk->pdev_path;
}

unsigned int xenfork__hotplug_of_disk(const libxl_device_disk *disk)
{
    struct stat file;

    if (!is_local_disk(disk))
        return 0;
    if (disk->script && xenfork__hotplug_is_stock(disk->script, "block-fork"))
        return XENFORK__HOTPLUG_FORK;
    return xenfork__hotplug_is_stock(disk->script, "block") &&
           !stat(disk->pdev_path, &file) &&
                   (S_ISREG(file.st_mode) || S_ISBLK(file.st_mode))
               ? XENFORK__HOTPLUG_BLOCK
               : 0;
}

unsigned int xenfork__hotplug_of_nic(const libxl_device_nic *nic)
{
    return !nic->backend_domid && !nic->backend_domname && !nic->ifname &&
                   xenfork__hotplug_is_stock(nic->script, "vif-bridge")
               ? XENFORK__HOTPLUG_BRIDGE
               : 0;
}

/* Return the helper that replaces the disk's script; NULL: none does. */
static const char *helper_of_disk(const libxl_device_disk *disk,
                                  unsigned int known)
{
    switch (xenfork__hotplug_of_disk(disk) & known) {
    case XENFORK__HOTPLUG_BLOCK:
        return HELPER;
    case XENFORK__HOTPLUG_FORK:
        return HELPER_FORK;
    default:
        return NULL;
    }
}

/*
 * Tell whether libxl runs the scripts, and not udev, which does not know how
 * they are called.
 */
static bool runs_scripts(const libxl_domain_config *config)
{
    libxl_defbool runs = config->c_info.run_hotplug_scripts;

    return libxl_defbool_is_default(runs) || libxl_defbool_val(runs);
}

/* Replace a script; if there is no memory, the script is run. */
static void set_script(char **script, const char *by)
{
    char *copy = strdup(by);

    if (!copy)
        return;
    free(*script);
    *script = copy;
}

void xenfork__hotplug_use(xenfork_ctx *ctx, libxl_domain_config *config,
                          const struct xenfork__nic *nics)
{
    unsigned int known = xenfork__hotplug_look(ctx);
    const char *by;
    int i;

    if (!runs_scripts(config) || access(HELPER, X_OK) ||
        access(HELPER_HOLD, X_OK) || access(HELPER_FORK, X_OK))
        return;
    for (i = 0; i < config->num_disks; i++)
        if ((by = helper_of_disk(&config->disks[i], known)))
            set_script(&config->disks[i].script, by);
    for (i = 0; i < config->num_nics; i++)
        if (xenfork__hotplug_of_nic(&config->nics[i]) & known)
            set_script(&config->nics[i].script,
                       nics && nics[i].is_held ? HELPER_HOLD : HELPER);
}

static bool is_helper(const char *script)
{
    return script && !strncmp(script, HELPER, strlen(HELPER));
}

/* Mend a script's name; @by NULL: it had none. */
static bool mend(char **script, const char *by)
{
    char *copy = NULL;

    if (!is_helper(*script))
        return true;
    if (by && !(copy = strdup(by)))
        return false;
    free(*script);
    *script = copy;
    return true;
}

static bool mend_all(libxl_domain_config *record, const void *opaque)
{
    const libxl_domain_config *by = opaque;
    int i;

    for (i = 0; i < record->num_disks && i < by->num_disks; i++)
        if (!mend(&record->disks[i].script, by->disks[i].script))
            return false;
    for (i = 0; i < record->num_nics && i < by->num_nics; i++)
        if (!mend(&record->nics[i].script, by->nics[i].script))
            return false;
    return true;
}

int xenfork__hotplug_mend(xenfork_ctx *ctx, uint32_t domid,
                          const libxl_domain_config *config)
{
    int rc = xenfork__stored_change(ctx, domid, mend_all, config);

    return rc < 0 ? rc : xenfork__hotplug_check(ctx, domid);
}

static bool names_helper(const libxl_domain_config *config)
{
    int i;

    for (i = 0; i < config->num_disks; i++)
        if (is_helper(config->disks[i].script))
            return true;
    for (i = 0; i < config->num_nics; i++)
        if (is_helper(config->nics[i].script))
            return true;
    return false;
}

/*
 * Check that libxl's record does not name our script, against a libxl that
 * makes its copy later: no domain is to depend on us.
 */
int xenfork__hotplug_check(xenfork_ctx *ctx, uint32_t domid)
{
    libxl_domain_config config;
    int rc;

    libxl_domain_config_init(&config);
    rc = xenfork__stored_config(ctx, domid, &config);
    if (rc == 0 && names_helper(&config))
        rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "libxl's record of domain %u names " HELPER, domid);
    libxl_domain_config_dispose(&config);
    return rc;
}

static void set_for_end(xenfork_ctx *ctx, uint32_t domid, const char *kind,
                        const char *devid, const char *stock, const char *by)
{
    cleanup_free char *backend = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%u/device/%s/%s/backend", domid, kind, devid);
    cleanup_free char *script = NULL;
    char ours[96];

    /* Another domain's devices have no scripts here. */
    snprintf(ours, sizeof(ours), "/local/domain/0/backend/%s/%u/%s", kind,
             domid, devid);
    if (!backend || strcmp(backend, ours))
        return;
    script = xenfork__xs_read(ctx, XBT_NULL, "%s/script", ours);
    if (script && xenfork__hotplug_is_stock(script, stock))
        xenfork__xs_write(ctx, XBT_NULL, by, "%s/script", ours);
}

static void set_all_for_end(xenfork_ctx *ctx, uint32_t domid, const char *kind,
                            const char *stock, const char *by)
{
    unsigned int count = 0, i;
    cleanup_free char **devids = xenfork__xs_list(
        ctx, &count, "/libxl/%u/device/%s", domid, kind);

    for (i = 0; devids && i < count; i++)
        if (strlen(devids[i]) < MAX_DEVID_CHARS)
            set_for_end(ctx, domid, kind, devids[i], stock, by);
}

void xenfork__hotplug_use_at_end(xenfork_ctx *ctx, uint32_t domid)
{
    unsigned int known = xenfork__hotplug_look(ctx);

    if (access(HELPER, X_OK) || access(HELPER_FORK, X_OK))
        return;
    if (known & XENFORK__HOTPLUG_BLOCK)
        set_all_for_end(ctx, domid, "vbd", "block", HELPER);
    if (known & XENFORK__HOTPLUG_FORK)
        set_all_for_end(ctx, domid, "vbd", "block-fork", HELPER_FORK);
    if (known & XENFORK__HOTPLUG_BRIDGE)
        set_all_for_end(ctx, domid, "vif", "vif-bridge", HELPER);
}
