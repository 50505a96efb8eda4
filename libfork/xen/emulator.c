/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The device model of an HVM domain.  libxl stops QEMU when it has suspended
 * such a domain, and has it write its state to a file (libxl_qmp.c, 4.17).
 */
#include "xen/handles.h"

#include "host/qmp.h"
#include "xen/xen.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define SAVE_FILE       "/var/lib/xen/qemu-save.%u"
#define MAX_STATE_BYTES (64U << 20)

bool xenfork__xen_has_emulator(xenfork_ctx *ctx, uint32_t domid)
{
    xc_domaininfo_t info;

    return xc_domain_getinfolist(ctx->xen->xch, domid, 1, &info) == 1 &&
           info.domain == domid &&
           (info.arch_config.emulation_flags & XEN_X86_EMU_PM);
}

void xenfork__xen_emulator_forget(uint32_t domid)
{
    char path[64];

    snprintf(path, sizeof(path), SAVE_FILE, domid);
    unlink(path);
}

static int cannot_read(xenfork_ctx *ctx, uint32_t domid, int e)
{
    return xenfork__fail(ctx, XENFORK_E_XEN, e,
                         "domain %u: cannot read the state of its device model",
                         domid);
}

static int read_state(xenfork_ctx *ctx, uint32_t domid,
                      struct xenfork__capture *c)
{
    cleanup_close int fd = -1;
    char path[64];
    struct stat st;
    size_t used = 0;
    ssize_t n;

    snprintf(path, sizeof(path), SAVE_FILE, domid);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st))
        return cannot_read(ctx, domid, errno);
    if (st.st_size <= 0 || st.st_size > MAX_STATE_BYTES)
        return cannot_read(ctx, domid, EFBIG);
    c->emulator = malloc((size_t)st.st_size);
    if (!c->emulator)
        return xenfork__nomem(ctx);
    while (used < (size_t)st.st_size) {
        n = read(fd, c->emulator + used, (size_t)st.st_size - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return cannot_read(ctx, domid, n ? errno : EIO);
        used += (size_t)n;
    }
    c->emulator_bytes = used;
    return 0;
}

/* Append "KEY\0VALUE\0", as the stream has it. */
static int add_node(xenfork_ctx *ctx, uint32_t domid, const char *region,
                    const char *key, FILE *f)
{
    cleanup_free char *value = xenfork__xs_read(
        ctx, XBT_NULL, "/local/domain/0/device-model/%u/physmap/%s/%s", domid,
        region, key);

    if (!value)
        return cannot_read(ctx, domid, errno);
    fprintf(f, "physmap/%s/%s%c%s%c", region, key, 0, value, 0);
    return 0;
}

/* Read where QEMU has moved memory of its own to, as a frame buffer. */
static int read_nodes(xenfork_ctx *ctx, uint32_t domid,
                      struct xenfork__capture *c)
{
    static const char *const keys[] = {"start_addr", "size", "name"};
    unsigned int i, count = 0;
    cleanup_free char **regions = xenfork__xs_list(
        ctx, &count, "/local/domain/0/device-model/%u/physmap", domid);
    FILE *f = open_memstream(&c->emulator_nodes, &c->emulator_nodes_bytes);
    size_t k;
    int rc = 0;

    if (!f)
        return xenfork__nomem(ctx);
    for (i = 0; regions && i < count && rc >= 0; i++)
        for (k = 0; k < ARRAY_SIZE(keys) && rc >= 0; k++)
            rc = add_node(ctx, domid, regions[i], keys[k], f);
    if (fclose(f) && rc >= 0)
        rc = xenfork__nomem(ctx);
    return rc;
}

int xenfork__xen_emulator_capture(xenfork_ctx *ctx, uint32_t domid,
                                  struct xenfork__capture *c)
{
    int rc = read_state(ctx, domid, c);

    return rc < 0 ? rc : read_nodes(ctx, domid, c);
}

int xenfork__xen_ram_pages(xenfork_ctx *ctx, uint32_t domid,
                           uint64_t *pages_out)
{
    uint32_t most = 0, video = 0;

    if (xenfork__xs_u32(ctx, &most, "/local/domain/%u/memory/static-max",
                        domid) != 1 ||
        xenfork__xs_u32(ctx, &video, "/local/domain/%u/memory/videoram",
                        domid) < 0 ||
        video > most)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot read how much memory it has",
                             domid);
    *pages_out = (most - video) / XENFORK__PAGE_KIB;
    return 0;
}

int xenfork__xen_emulator_is_loaded(xenfork_ctx *ctx, uint32_t domid,
                                    bool *is_out)
{
    cleanup_free char *status = NULL;
    int rc = xenfork__qmp_status(ctx, domid, &status);

    *is_out = status &&
              (!strcmp(status, "paused") || !strcmp(status, "prelaunch"));
    return rc;
}

int xenfork__xen_emulator_run(xenfork_ctx *ctx, uint32_t domid)
{
    int rc = xenfork__qmp(ctx, domid, "cont", NULL, NULL);

    xenfork__sys_qemu_close(ctx);
    return rc;
}
