/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For xenforkd: what happens to domains, and what guests ask for. */
#include "xen/events.h"

#include <string.h>

#include "xen/handles.h"

#define TOKEN_DOMAINS "domains"
#define FREEZE_KEY    "/local/domain/%u/data/fork/freeze"
#define ACK_KEY       "/local/domain/%u/data/fork/ack"
#define ERROR_KEY     "/local/domain/%u/fork/error"
#define WATCH_DIR     "/local/domain/%u/data/fork"
#define ASKED_KEY     "/local/domain/%u/control/shutdown"

int xenfork__host_fd(xenfork_ctx *ctx)
{
    return xs_fileno(ctx->xen->xs);
}

static int watch_path(xenfork_ctx *ctx, const char *path, const char *token)
{
    if (!xs_watch(ctx->xen->xs, path, token) && errno != EEXIST)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot watch %s in xenstore", path);
    return 0;
}

int xenfork__host_watch(xenfork_ctx *ctx)
{
    int rc = watch_path(ctx, "@releaseDomain", TOKEN_DOMAINS);

    return rc < 0 ? rc : watch_path(ctx, "@introduceDomain", TOKEN_DOMAINS);
}

struct guest_watch {
    char dir[64], asked[64], token[16];
};

static void guest_watch(uint32_t domid, struct guest_watch *w)
{
    snprintf(w->dir, sizeof(w->dir), WATCH_DIR, domid);
    snprintf(w->asked, sizeof(w->asked), ASKED_KEY, domid);
    snprintf(w->token, sizeof(w->token), "%u", domid);
}

int xenfork__host_watch_guest(xenfork_ctx *ctx, uint32_t domid)
{
    struct guest_watch w;
    int rc;

    guest_watch(domid, &w);
    rc = watch_path(ctx, w.asked, w.token);
    return rc < 0 ? rc : watch_path(ctx, w.dir, w.token);
}

/*
 * Remove a guest's watches: xenstored drops none with the domain that it is
 * about.
 */
void xenfork__host_unwatch_guest(xenfork_ctx *ctx, uint32_t domid)
{
    struct guest_watch w;

    guest_watch(domid, &w);
    xs_unwatch(ctx->xen->xs, w.dir, w.token);
    xs_unwatch(ctx->xen->xs, w.asked, w.token);
}

/*
 * Tell whether it is the key itself, or a node above it; the guest makes other
 * keys, too.
 */
static bool is_above(const char *path, const char *key)
{
    return !strncmp(key, path, strlen(path));
}

static uint32_t events_of(const char *path, uint32_t domid)
{
    char freeze[64], ack[64], asked[64];

    snprintf(asked, sizeof(asked), ASKED_KEY, domid);
    snprintf(freeze, sizeof(freeze), FREEZE_KEY, domid);
    snprintf(ack, sizeof(ack), ACK_KEY, domid);
    return (is_above(path, freeze) ? XENFORK__EVENT_REQUEST : 0) |
           (is_above(path, ack) ? XENFORK__EVENT_ACK : 0) |
           (is_above(path, asked) ? XENFORK__EVENT_ASKED : 0) |
           XENFORK__EVENT_OTHER;
}

int xenfork__host_event(xenfork_ctx *ctx, uint32_t *events_out,
                        uint32_t *domid_out)
{
    cleanup_free char **event = xs_check_watch(ctx->xen->xs);
    uint32_t domid;

    *events_out = XENFORK__EVENT_NONE;
    if (!event && errno != EAGAIN)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "the connection to xenstore broke");
    if (!event)
        return 0;
    *domid_out = XENFORK_DOMID_NONE;
    *events_out = XENFORK__EVENT_DOMAINS;
    if (!strcmp(event[XS_WATCH_TOKEN], TOKEN_DOMAINS))
        return 0;
    *events_out = XENFORK__EVENT_OTHER;
    if (!xenfork__parse_u32(event[XS_WATCH_TOKEN], &domid))
        return 0;
    *events_out = events_of(event[XS_WATCH_PATH], domid);
    *domid_out = domid;
    return 0;
}

int xenfork__host_domains(xenfork_ctx *ctx,
                          struct xenfork__host_domain **domains_out,
                          size_t *count_out)
{
    struct xenfork__host_domain *domains;
    libxl_dominfo *all;
    size_t n = 0;
    int i, count;

    all = libxl_list_domain(ctx->xen->xl, &count);
    if (!all)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0, "cannot list domains");
    domains = calloc((size_t)count + 1, sizeof(*domains));
    for (i = 0; domains && i < count; i++)
        if (all[i].domid && !all[i].dying)
            domains[n++] = (struct xenfork__host_domain){
                .domid = all[i].domid,
                .is_shutdown = all[i].shutdown,
                .reason = (int)all[i].shutdown_reason};
    libxl_dominfo_list_free(all, count);
    if (!domains)
        return xenfork__nomem(ctx);
    *domains_out = domains;
    *count_out = n;
    return 0;
}

/*
 * Read a request.  xenstored never gives more than 4096 bytes, and we look at
 * fewer.
 */
int xenfork__host_request(xenfork_ctx *ctx, uint32_t domid, char *value_out,
                          size_t value_bytes, size_t *bytes_out)
{
    cleanup_free char *value = NULL;
    unsigned int bytes = 0;
    size_t n;
    char path[64];

    snprintf(path, sizeof(path), FREEZE_KEY, domid);
    value = xs_read(ctx->xen->xs, XBT_NULL, path, &bytes);
    if (!value && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno, "cannot read %s", path);
    n = bytes < value_bytes ? bytes : value_bytes - 1;
    if (value)
        memcpy(value_out, value, n);
    value_out[value ? n : 0] = '\0';
    *bytes_out = value ? bytes : 0;
    return 0;
}

int xenfork__host_asked(xenfork_ctx *ctx, uint32_t domid, int *asked_out)
{
    cleanup_free char *value = xenfork__xs_read(ctx, XBT_NULL, ASKED_KEY,
                                                domid);

    if (!value && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read what domain %u was asked", domid);
    if (!value)
        *asked_out = XENFORK__ASKED_NO_KEY;
    else if (!strcmp(value, "poweroff") || !strcmp(value, "halt") ||
             !strcmp(value, "reboot"))
        *asked_out = XENFORK__ASKED_NOTHING;
    else
        *asked_out = value[0] ? XENFORK__ASKED_SUSPEND : XENFORK__ASKED;
    return 0;
}

int xenfork__host_forget_error(xenfork_ctx *ctx, uint32_t domid)
{
    if (!xenfork__xs_rm(ctx, ERROR_KEY, domid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot clear the error of domain %u", domid);
    return 0;
}
