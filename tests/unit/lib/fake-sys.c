/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake's host: reflinks are copies, keepers are only noted. */
#include "config.h"

#include "fake-xen.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/internal.h"
#include "host/dm.h"
#include "host/host.h"
#include "power.h"

int xenfork__sys_boot(xenfork_ctx *ctx, char boot_out[37])
{
    (void)ctx;
    snprintf(boot_out, 37, "00000000-0000-4000-8000-%012u",
             fake ? fake->boots : 0);
    return 0;
}

int xenfork__sys_reflink(xenfork_ctx *ctx, const char *src, const char *dst,
                         bool is_base)
{
    cleanup_close int from = -1;
    cleanup_close int to = -1;
    char buffer[4096];
    ssize_t n;

    FAKE_ENTER(ctx);
    if (fake->cannot_reflink)
        return fake_leave(xenfork__fail(ctx, XENFORK_E_DISK, EOPNOTSUPP,
                                        "cannot reflink %s", src));
    from = open(src, O_RDONLY | O_CLOEXEC);
    if (from >= 0)
        to = open(dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return fake_leave(xenfork__fail(ctx, XENFORK_E_DISK, errno,
                                        "cannot reflink %s to %s", src, dst));
    while ((n = read(from, buffer, sizeof(buffer))) > 0)
        if (write(to, buffer, (size_t)n) != n)
            break;
    if (n || fchmod(to, is_base ? 0400 : 0600))
        return fake_leave(
            xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot write %s", dst));
    power_durable(dst);
    return fake_leave(0);
}

int xenfork__sys_extents(xenfork_ctx *ctx, const char *path,
                         uint64_t *extents_out)
{
    FAKE_ENTER(ctx);
    if (access(path, F_OK))
        return fake_leave(xenfork__fail(ctx, XENFORK_E_DISK, errno,
                                        "cannot count the extents of %s",
                                        path));
    *extents_out = fake->extents;
    return fake_leave(0);
}

int xenfork__sys_file_usage(xenfork_ctx *ctx, const char *path,
                            uint64_t *allocated_kib_out, uint64_t *own_kib_out)
{
    FAKE_ENTER(ctx);
    if (access(path, F_OK))
        return fake_leave(
            xenfork__fail(ctx, XENFORK_E_DISK, errno, "no file %s", path));
    *allocated_kib_out = 64;
    *own_kib_out = 4;
    return fake_leave(0);
}

bool xenfork__sys_is_full(const char *path)
{
    if (path[0] != '/')
        fake_violation("%s is no path of a file", path);
    return fake->is_full;
}

int xenfork__sys_can_reflink(xenfork_ctx *ctx, const char *path,
                             bool *is_full_out)
{
    FAKE_ENTER(ctx);
    *is_full_out = fake->is_full;
    if (fake->cannot_reflink || fake->is_full)
        return fake_leave(
            xenfork__miss(ctx, XENFORK_E_DISK, "no reflinks for %s", path));
    return fake_leave(0);
}

/* Files of this folder are thin volumes. */
#define VG "/vg0/"

int xenfork__sys_lv_is_thin(xenfork_ctx *ctx, const char *path)
{
    FAKE_ENTER(ctx);
    if (!strstr(path, VG))
        return fake_leave(
            xenfork__miss(ctx, XENFORK_E_DISK, "%s is no thin volume", path));
    return fake_leave(0);
}

int xenfork__sys_lv_check_pool(xenfork_ctx *ctx, const char *path)
{
    FAKE_ENTER(ctx);
    if (!fake->is_full)
        return fake_leave(0);
    xenfork__miss(ctx, XENFORK_E_NOSPC, "the pool of %s is full", path);
    return fake_leave(xenfork__remedy(ctx, "lvextend"));
}

int xenfork__sys_lv_dir(xenfork_ctx *ctx, const char *path, char **dir_out)
{
    const char *vg = strstr(path, VG);

    FAKE_ENTER(ctx);
    if (!vg)
        return fake_leave(
            xenfork__miss(ctx, XENFORK_E_DISK, "%s is no thin volume", path));
    *dir_out = strndup(path, (size_t)(vg - path) + strlen(VG) - 1);
    return fake_leave(*dir_out ? 0 : xenfork__nomem(ctx));
}

int xenfork__sys_lv_snapshot(xenfork_ctx *ctx, const char *src, const char *dst,
                             bool is_base)
{
    bool cannot_reflink = fake->cannot_reflink;
    int rc;

    if (!strstr(src, VG) || !strstr(dst, VG))
        fake_violation("%s or %s is no thin volume", src, dst);
    fake->cannot_reflink = false;
    rc = xenfork__sys_reflink(ctx, src, dst, is_base);
    fake->cannot_reflink = cannot_reflink;
    return rc;
}

int xenfork__sys_lv_usage(xenfork_ctx *ctx, const char *path,
                          uint64_t *allocated_kib_out)
{
    FAKE_ENTER(ctx);
    if (!strstr(path, VG) || access(path, F_OK))
        return fake_leave(xenfork__fail(ctx, XENFORK_E_DISK, ENOENT,
                                        "no thin volume %s", path));
    *allocated_kib_out = 32;
    return fake_leave(0);
}

int xenfork__sys_lv_exists(xenfork_ctx *ctx, const char *path, bool *exists_out)
{
    FAKE_ENTER(ctx);
    if (!strstr(path, VG))
        fake_violation("%s is no thin volume", path);
    *exists_out = access(path, F_OK) == 0;
    return fake_leave(0);
}

int xenfork__sys_lv_remove(xenfork_ctx *ctx, const char *path)
{
    FAKE_ENTER(ctx);
    if (!strstr(path, VG))
        fake_violation("%s is no thin volume", path);
    if (unlink(path) && errno != ENOENT)
        return fake_leave(xenfork__fail(ctx, XENFORK_E_DISK, errno,
                                        "cannot remove %s", path));
    power_durable(path);
    return fake_leave(0);
}

/* The file stays what it is, as for qemu-img. */
static void put_into(const char *from, const char *to)
{
    FILE *in = fopen(from, "r"), *out = fopen(to, "r+");
    int c;

    if (!in || !out || ftruncate(fileno(out), 0))
        abort();
    while ((c = getc(in)) != EOF)
        putc(c, out);
    if (fclose(in) || fclose(out) || unlink(from))
        abort();
}

int xenfork__sys_copy(xenfork_ctx *ctx, const struct xenfork__copy *copy)
{
    char new[FAKE_PATH + 8];
    bool cannot_reflink = fake->cannot_reflink;
    const char *src = copy->src;
    /* It says nothing for a second, and then how far it is. */
    int rc = copy->step(ctx, copy->opaque, UINT32_MAX);

    if (rc == 0)
        rc = copy->step(ctx, copy->opaque, 500);
    if (!strncmp(src, "/dev/mapper/", 12)) {
        if (!fake_dm_named(src + 12))
            fake_violation("no device %s to copy", src);
        src = "/dev/null";
    }

    if (rc < 0)
        return rc;
    if (access(copy->dst, F_OK))
        fake_violation("%s is not there", copy->dst);
    snprintf(new, sizeof(new), "%s.copy", copy->dst);
    remove(new); /* of one that was killed */
    fake->cannot_reflink = false;
    rc = xenfork__sys_reflink(ctx, src, new, false);
    fake->cannot_reflink = cannot_reflink;
    if (rc < 0)
        return rc;
    put_into(new, copy->dst);
    if (!strcmp(copy->dst_format, "qcow2"))
        fake_write_qcow2(copy->dst);
    power_durable(copy->dst);
    return 0;
}

static struct fake_nic *nic_of(const char *ifname)
{
    struct fake_domain *d = NULL;
    uint32_t domid, i;
    int devid;

    for (i = 0; i < FAKE_DOMAINS * FAKE_NICS; i++) {
        struct fake_nic *nic =
            &fake->domains[i / FAKE_NICS].nics[i % FAKE_NICS];

        if (fake->domains[i / FAKE_NICS].domid && nic->ifname[0] &&
            !strcmp(nic->ifname, ifname))
            return nic;
    }
    if (sscanf(ifname, "vif%u.%d", &domid, &devid) == 2)
        d = fake_domain(domid);
    for (i = 0; d && i < d->nic_count; i++)
        if (d->nics[i].devid == devid && !d->nics[i].ifname[0])
            return &d->nics[i];
    return NULL;
}

static int no_interface(xenfork_ctx *ctx, const char *ifname)
{
    return fake_leave(
        xenfork__fail(ctx, XENFORK_E_IO, ENODEV, "no interface %s", ifname));
}

int xenfork__sys_hold(xenfork_ctx *ctx, const char *ifname)
{
    struct fake_nic *nic = nic_of(ifname);

    FAKE_ENTER(ctx);
    if (!nic)
        return no_interface(ctx, ifname);
    nic->is_up = false;
    return fake_leave(0);
}

int xenfork__sys_can_hold(xenfork_ctx *ctx, const char *ifname)
{
    const struct fake_nic *nic = nic_of(ifname);

    FAKE_ENTER(ctx);
    if (!nic || nic->cannot_hold)
        return fake_leave(
            xenfork__miss(ctx, XENFORK_E_DEVICE, "cannot hold %s", ifname));
    return fake_leave(0);
}

bool xenfork__sys_is_held(const char *ifname)
{
    const struct fake_nic *nic = nic_of(ifname);

    return nic && !nic->is_up;
}

int xenfork__sys_connect(xenfork_ctx *ctx, const char *ifname)
{
    struct fake_nic *nic = nic_of(ifname);

    FAKE_ENTER(ctx);
    if (!nic)
        return no_interface(ctx, ifname);
    nic->is_up = true;
    return fake_leave(0);
}

int xenfork__sys_mute(xenfork_ctx *ctx, const char *ifname)
{
    struct fake_nic *nic = nic_of(ifname);

    FAKE_ENTER(ctx);
    if (!nic)
        return no_interface(ctx, ifname);
    if (!nic->is_up || nic->cannot_hold)
        fake_violation("%s muted", ifname);
    nic->is_muted = true;
    return fake_leave(0);
}

int xenfork__sys_unmute(xenfork_ctx *ctx, const char *ifname)
{
    struct fake_nic *nic = nic_of(ifname);

    FAKE_ENTER(ctx);
    if (nic)
        nic->is_muted = false;
    return fake_leave(0);
}

void xenfork__sys_netback(const char *ifname, struct xenfork__netback *netback)
{
    (void)ifname;
    netback->threads[netback->count++] = 1;
}

bool xenfork__sys_netback_wait(const struct xenfork__netback *netback,
                               uint32_t timeout_ms)
{
    (void)timeout_ms;
    return netback->count;
}

int xenfork__sys_move(xenfork_ctx *ctx, const char *ifname, const char *from,
                      const char *to)
{
    struct fake_nic *nic = nic_of(ifname);

    FAKE_ENTER(ctx);
    if (!nic)
        return no_interface(ctx, ifname);
    (void)from; /* one that was killed has recorded it already */
    fake_copy_string(nic->on, sizeof(nic->on), to);
    return fake_leave(0);
}

int xenfork__sys_join(xenfork_ctx *ctx, const char *ifname, const char *bridge,
                      bool is_held, uint32_t *mtu)
{
    struct fake_nic *nic = nic_of(ifname);

    FAKE_ENTER(ctx);
    if (!nic)
        return no_interface(ctx, ifname);
    if (strstr(ifname, "-emu"))
        nic->is_emulated_joined = true;
    fake_copy_string(nic->on, sizeof(nic->on), bridge);
    nic->is_up = nic->was_up = !is_held;
    *mtu = 1500;
    return fake_leave(0);
}

/* All whose names begin so. */
int xenfork__sys_can_join(xenfork_ctx *ctx, const char *script,
                          const char *bridge)
{
    FAKE_ENTER(ctx);
    if (script && !strcmp(script, "nosuch"))
        xenfork__miss(ctx, XENFORK_E_DEVICE, "there is no script %s", script);
    else if (bridge && !strcmp(bridge, "nosuch0"))
        xenfork__miss(ctx, XENFORK_E_DEVICE, "there is no bridge %s", bridge);
    else
        return fake_leave(0);
    return fake_leave(xenfork__remedy(ctx, "make it"));
}

int xenfork__sys_is_bridge(xenfork_ctx *ctx, const char *bridge)
{
    FAKE_ENTER(ctx);
    if (strncmp(bridge, "xenbr", 5))
        return fake_leave(xenfork__fail(ctx, XENFORK_E_NOTFOUND, 0,
                                        "there is no bridge %s", bridge));
    return fake_leave(0);
}

bool xenfork__sys_is_saved(uint32_t domid)
{
    return domid == fake->saved;
}

uint64_t xenfork__sys_process_started(unsigned int pid)
{
    return pid && pid == fake->process ? 77 : 0;
}

bool xenfork__sys_xl_watches(const char *proc, const char *name, uint32_t domid)
{
    const struct fake_domain *d = fake_domain(domid);

    if (strcmp(proc, "/proc") || !name || !d)
        fake_violation("domain %u, which is no domain, is watched", domid);
    return fake->has_watcher || (d && d->is_watched && !d->is_marked);
}

int xenfork__sys_keeper(xenfork_ctx *ctx, const char *journal_id,
                        int *keeper_fd_out)
{
    struct fake_keeper *k;
    int fds[2];

    FAKE_ENTER(ctx);
    if (fake->keeper_count == FAKE_KEEPERS ||
        pipe2(fds, O_CLOEXEC | O_NONBLOCK))
        return fake_leave(
            xenfork__fail(ctx, XENFORK_E_IO, errno, "cannot start the keeper"));
    k = &fake->keepers[fake->keeper_count++];
    *k = (struct fake_keeper){.fd = fds[0], .starter = getpid()};
    fake_copy_string(k->journal_id, sizeof(k->journal_id), journal_id);
    if (fake->keeper_dies) {
        close(fds[0]);
        k->fd = -1;
        k->is_gone = true;
    }
    *keeper_fd_out = fds[1];
    return fake_leave(0);
}

bool xenfork__sys_writer(xenfork_ctx *ctx, const char *path,
                         char name_out[XENFORK__WRITER])
{
    (void)ctx;
    if (!fake->written[0] || strcmp(path, fake->written) || access(path, F_OK))
        return false;
    snprintf(name_out, XENFORK__WRITER, "qemu-nbd (process 7)");
    return true;
}
