/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake's domains: listed, paused, suspended, made, destroyed. */
#include "config.h"

#include "fake-xen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/internal.h"

int xenfork__xen_open(xenfork_ctx *ctx)
{
    if (fake->cannot_open)
        return xenfork__fail(ctx, XENFORK_E_PERM, EACCES,
                             "cannot open Xen's interfaces");
    ctx->lock_soon_ms = 50;
    /* Nothing that a test counts depends on how long it takes. */
    ctx->last_ns = fake->is_impatient ? 1 : UINT32_MAX;
    return 0;
}

void xenfork__xen_close(xenfork_ctx *ctx)
{
    (void)ctx;
}

static int refuse(xenfork_ctx *ctx, const char *what, uint32_t domid)
{
    return fake_leave(xenfork__fail(ctx, XENFORK_E_XEN, EINVAL,
                                    "cannot %s domain %u", what, domid));
}

/* Dying domains answer xenfork__xen_info() alone. */
static struct fake_domain *alive(uint32_t domid)
{
    struct fake_domain *d = fake_domain(domid);

    return d && !d->is_dying ? d : NULL;
}

int xenfork__xen_info(xenfork_ctx *ctx, uint32_t domid,
                      struct xenfork__dominfo *info_out)
{
    const struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    if (!d)
        return fake_leave(
            xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no domain %u", domid));
    *info_out = (struct xenfork__dominfo){
        .domid = domid,
        .is_hvm = d->type != XENFORK__TYPE_PV,
        .is_paused = d->is_paused,
        .is_shutdown = d->is_shutdown,
        .is_dying = d->is_dying,
        .shutdown_reason = d->shutdown_reason,
        .private_pages = fake_private_pages(d),
        .shared_pages = d->page_count - fake_private_pages(d),
        .claimed_pages = d->claimed_pages,
        .max_pages = d->max_pages,
        .max_vcpus = d->max_vcpus,
        .cpu_ns = d->cpu_ns,
    };
    memcpy(info_out->uuid, d->uuid, 16);
    return fake_leave(0);
}

bool xenfork__xen_has_ended(xenfork_ctx *ctx, uint32_t domid)
{
    const struct fake_domain *d = fake_domain(domid);

    (void)ctx;
    return !d || d->is_dying ||
           (d->is_shutdown && d->shutdown_reason != XENFORK__SHUTDOWN_SUSPEND);
}

int xenfork__xen_by_uuid(xenfork_ctx *ctx, const uint8_t uuid[16],
                         uint32_t *domid_out)
{
    uint32_t i;

    FAKE_ENTER(ctx);
    for (i = 0; i < FAKE_DOMAINS; i++)
        if (alive(fake->domains[i].domid) &&
            !memcmp(fake->domains[i].uuid, uuid, 16)) {
            *domid_out = fake->domains[i].domid;
            return fake_leave(0);
        }
    return fake_leave(
        xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no domain with this UUID"));
}

int xenfork__xen_by_name(xenfork_ctx *ctx, const char *name,
                         uint32_t *domid_out)
{
    const struct fake_domain *d = fake_domain_named(name);

    FAKE_ENTER(ctx);
    if (!d)
        return fake_leave(
            xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no domain %s", name));
    *domid_out = d->domid;
    return fake_leave(0);
}

int xenfork__xen_name(xenfork_ctx *ctx, uint32_t domid, char **name_out)
{
    const struct fake_domain *d = alive(domid);
    char *name;

    FAKE_ENTER(ctx);
    if (!d || !d->name[0])
        return fake_leave(xenfork__miss(ctx, XENFORK_E_NOTFOUND,
                                        "domain %u has no name", domid));
    name = strdup(d->name);
    if (!name)
        return fake_leave(xenfork__nomem(ctx));
    *name_out = name;
    return fake_leave(0);
}

int xenfork__xen_pause(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "pause", domid);
    d->is_paused = true;
    return fake_leave(0);
}

int xenfork__xen_unpause(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "unpause", domid);
    if (d->is_image)
        fake_violation("image %u unpaused", domid);
    else if (!d->has_run && !d->is_whole &&
             strcmp(d->guest.role, XENFORK__ROLE_CLONE))
        fake_violation("clone %u unpaused without an identity", domid);
    else if (!d->has_run && !d->is_whole && !d->parent)
        fake_violation("clone %u unpaused without memory", domid);
    else if (d->is_unfinished || d->loads)
        fake_violation("clone %u unpaused before it is finished", domid);
    d->is_paused = false;
    fake_begin_to_run(d);
    if (fake->on_unpause)
        fake->on_unpause();
    fake_run_on(d, fake->busy_pages / 2);
    return fake_leave(0);
}

int xenfork__xen_pause_vcpus(xenfork_ctx *ctx, uint32_t domid)
{
    return xenfork__xen_pause(ctx, domid);
}

int xenfork__xen_unpause_vcpus(xenfork_ctx *ctx, uint32_t domid)
{
    return xenfork__xen_unpause(ctx, domid);
}

/* Clones that had not touched every page yet go wrong without a warning. */
static void orphan(struct fake_domain *p)
{
    uint32_t i, n;

    for (i = 0; i < FAKE_DOMAINS; i++) {
        struct fake_domain *c = &fake->domains[i];

        if (!c->domid || c->is_dying || c->parent != p->domid)
            continue;
        for (n = 0; n < p->page_count; n++)
            if (!fake_page(c, p->pages[n].gfn)) {
                c->is_shutdown = true;
                c->shutdown_reason = FAKE_SHUTDOWN_CRASH;
                if (c->has_run)
                    fake_violation("image %u destroyed: clone %u is lost",
                                   p->domid, c->domid);
                break;
            }
    }
}

/* A domain goes when no fork of it is left; then its own parent may. */
static void bury(struct fake_domain *d)
{
    while (d && d->is_dying) {
        uint32_t parent = d->parent, i;

        for (i = 0; i < FAKE_DOMAINS; i++)
            if (fake->domains[i].domid && fake->domains[i].parent == d->domid)
                return;
        memset(d, 0, sizeof(*d));
        d = fake_domain(parent);
    }
}

int xenfork__xen_destroy(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_domain *d = alive(domid);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d)
        return fake_leave(0); /* somebody was faster */
    for (i = 0; i < d->disk_count; i++)
        if (d->disks[i].script[0])
            fake_detach(d->disks[i].path);
    orphan(d);
    fake_drop_pages(d);
    d->is_dying = true;
    d->name[0] = '\0';
    d->claimed_pages = 0;
    d->nic_count = d->disk_count = 0;
    memset(&d->guest, 0, sizeof(d->guest));
    bury(d);
    return fake_leave(0);
}

int xenfork__xen_can_share(xenfork_ctx *ctx, uint32_t domid)
{
    const struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (d && d->pod_entries)
        return fake_leave(xenfork__miss(ctx, XENFORK_E_HYPERVISOR,
                                        "pages are populated on demand"));
    if (!fake->cannot_share)
        return fake_leave(0);
    xenfork__fail(ctx, XENFORK_E_HYPERVISOR, 0, "no memory sharing");
    return fake_leave(xenfork__remedy(ctx, "boot another hypervisor"));
}

int xenfork__xen_can_suspend(xenfork_ctx *ctx, uint32_t domid, bool *can_out)
{
    const struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "look at", domid);
    *can_out = d->can_suspend;
    return fake_leave(0);
}

int xenfork__xen_suspend(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms)
{
    struct fake_domain *d = alive(domid);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d || d->is_shutdown || d->is_image || !timeout_ms)
        return refuse(ctx, "suspend", domid);
    if (fake->crash_at == fake->calls) {
        /* Killed while it waits: the guest has the request. */
        d->is_suspend_asked = true;
        return fake_leave(0);
    }
    if (d->on_suspend == FAKE_CANCELS)
        return fake_leave(
            xenfork__fail(ctx, XENFORK_E_CANCELLED, 0, "suspension cancelled"));
    /* A paused guest cannot see the request. */
    if (d->on_suspend == FAKE_IGNORES || d->is_paused)
        return fake_leave(xenfork__fail(ctx, XENFORK_E_TIMEOUT, 0,
                                        "domain %u did not suspend", domid));
    for (i = 0; i < FAKE_DOMAINS; i++)
        if (fake->domains[i].domid && fake->domains[i].parent == domid)
            fake_violation("domain %u runs, and is a parent", domid);
    if (fake->race_gfn)
        fake_write(domid, fake->race_gfn, fake->next_content++);
    if (fake->leaves_gfn)
        fake_remove_page(d, fake->leaves_gfn);
    if (fake->comes_gfn)
        fake_add_page(d, fake->comes_gfn, fake->next_content++);
    d->is_shutdown = true;
    d->shutdown_reason = XENFORK__SHUTDOWN_SUSPEND;
    d->suspensions++;
    if (fake->on_suspended)
        fake->on_suspended();
    return fake_leave(0);
}

int xenfork__xen_resume(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d || !d->is_shutdown ||
        d->shutdown_reason != XENFORK__SHUTDOWN_SUSPEND)
        return refuse(ctx, "resume", domid);
    if (d->is_stopped && d->uses[0])
        fake_violation("domain %u, stopped, has a changed register", domid);
    d->is_shutdown = d->is_stopped = false;
    d->shutdown_reason = 0;
    d->resumptions++;
    return fake_leave(0);
}

int xenfork__xen_pv_use(xenfork_ctx *ctx, uint32_t domid, char **use_out)
{
    const struct fake_domain *d = alive(domid);
    char *use = NULL;

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "look into", domid);
    if (d->uses[0] && !(use = strdup(d->uses)))
        return fake_leave(xenfork__nomem(ctx));
    *use_out = use;
    return fake_leave(0);
}

int xenfork__xen_stop(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms)
{
    struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d || d->is_shutdown || d->is_image || !timeout_ms)
        return refuse(ctx, "stop", domid);
    if (d->never_stops)
        return fake_leave(xenfork__fail(ctx, XENFORK_E_TIMEOUT, 0,
                                        "domain %u did not stop", domid));
    if (d->begins_to_use)
        fake_copy_string(d->uses, sizeof(d->uses), "event channels");
    d->is_shutdown = d->is_stopped = true;
    d->shutdown_reason = XENFORK__SHUTDOWN_SUSPEND;
    return fake_leave(0);
}

int xenfork__xen_go_on(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "let run", domid);
    if (d->is_shutdown && !d->is_stopped)
        fake_violation("domain %u did not stop, and goes on", domid);
    d->is_shutdown = d->is_stopped = false;
    d->shutdown_reason = 0;
    return fake_leave(0);
}

int xenfork__xen_withdraw_suspend(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "withdraw", domid);
    /* It obeys before the request is withdrawn, unless it never does. */
    if (d->is_suspend_asked && d->on_suspend == FAKE_OBEYS && !d->is_paused) {
        d->is_shutdown = true;
        d->shutdown_reason = XENFORK__SHUTDOWN_SUSPEND;
        d->suspensions++;
    }
    d->is_suspend_asked = false;
    return fake_leave(0);
}

int xenfork__xen_guest_role(xenfork_ctx *ctx, uint32_t domid, const char *role)
{
    struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "name the role of", domid);
    fake_copy_string(d->guest.role, sizeof(d->guest.role), role);
    return fake_leave(0);
}

int xenfork__xen_must_mark(xenfork_ctx *ctx, uint32_t domid, bool *must_out)
{
    const struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "tell the mark of", domid);
    *must_out = !d->is_marked;
    return fake_leave(0);
}

int xenfork__xen_mark_suspended(xenfork_ctx *ctx, uint32_t domid,
                                bool is_watched)
{
    struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "mark", domid);
    if (!d->is_marked)
        d->was_watched = is_watched;
    d->is_marked = true;
    return fake_leave(0);
}

int xenfork__xen_guest_answer(xenfork_ctx *ctx, uint32_t domid,
                              const char *error)
{
    struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "answer", domid);
    if (!error)
        d->told[0] = '\0';
    if (strcmp(d->asks, "1"))
        return fake_leave(0);
    if (error)
        fake_copy_string(d->told, sizeof(d->told), error);
    strcpy(d->asks, "0");
    return fake_leave(0);
}

int xenfork__xen_image_create(xenfork_ctx *ctx, uint32_t source,
                              const uint8_t uuid[16], const char *name,
                              uint32_t *image_out)
{
    const struct fake_domain *s = alive(source);
    struct fake_domain *d;

    FAKE_ENTER(ctx);
    if (!s)
        return refuse(ctx, "make an image of", source);
    d = fake_new_domain();
    memcpy(d->uuid, uuid, 16);
    fake_copy_string(d->name, sizeof(d->name), name);
    d->type = s->type;
    d->is_image = d->is_paused = true;
    d->max_vcpus = s->max_vcpus;
    d->max_pages = s->max_pages;
    *image_out = d->domid;
    return fake_leave(0);
}

int xenfork__xen_image_load(xenfork_ctx *ctx, uint32_t image,
                            const struct xenfork__capture *capture)
{
    struct fake_domain *d = alive(image);
    uint64_t gfn;

    FAKE_ENTER(ctx);
    if (!d || !d->is_image || !capture || !capture->context_bytes)
        return refuse(ctx, "load", image);
    for (gfn = 0xfeff8; gfn <= 0xfefff; gfn++)
        if (!fake_page(d, gfn))
            return refuse(ctx, "load without special pages", image);
    d->is_loaded = true;
    return fake_leave(0);
}

int xenfork__xen_image_trim(xenfork_ctx *ctx, uint32_t image, uint64_t max_kib)
{
    struct fake_domain *d = alive(image);

    FAKE_ENTER(ctx);
    if (!d || !d->is_image || !d->is_loaded || !max_kib)
        return refuse(ctx, "trim", image);
    return fake_leave(0);
}

int xenfork__xen_pool_size(xenfork_ctx *ctx, uint32_t domid,
                           uint64_t *bytes_out)
{
    return xenfork__xen_pool(ctx, domid, 1, bytes_out);
}

int xenfork__xen_pool(xenfork_ctx *ctx, uint32_t domid, uint64_t max_pages,
                      uint64_t *bytes_out)
{
    const struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d || !max_pages)
        return refuse(ctx, "look at the page tables of", domid);
    *bytes_out = FAKE_POOL + d->pool;
    return fake_leave(0);
}

int xenfork__xen_pool_limit(xenfork_ctx *ctx, uint32_t domid, uint64_t bytes)
{
    struct fake_domain *d = alive(domid);

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "limit the page tables of", domid);
    if (FAKE_POOL + d->pool > bytes)
        d->pool = bytes - FAKE_POOL;
    return fake_leave(0);
}
