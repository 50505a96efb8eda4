/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/ids.h"
#include "base/internal.h"
#include "host/run.h"

struct fake_host *fake_host;

void fake_host_setup(void)
{
    void *map;

    fake_host_teardown();
    map = mmap(NULL, sizeof(*fake_host), PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        abort();
    fake_host = map;
}

void fake_host_teardown(void)
{
    if (fake_host)
        munmap(fake_host, sizeof(*fake_host));
    fake_host = NULL;
}

struct fake_host_domain *fake_host_domain(uint32_t domid)
{
    struct fake_host_domain *free_one = NULL;
    uint32_t i;

    for (i = 0; i < FAKE_DOMAINS; i++) {
        struct fake_host_domain *d = &fake_host->domains[i];

        if (d->domid == domid)
            return d;
        if (!d->domid || !fake_domain(d->domid))
            free_one = d;
    }
    if (!free_one)
        abort();
    *free_one = (struct fake_host_domain){
        .domid = domid,
        .asked = XENFORK__ASKED, /* libxl makes the key with the domain */
        .actions = {[XENFORK__SHUTDOWN_POWEROFF] = XENFORK__ACTION_DESTROY,
                    [XENFORK__SHUTDOWN_REBOOT] = XENFORK__ACTION_RESTART,
                    [XENFORK__SHUTDOWN_SUSPEND] = XENFORK__ACTION_PRESERVE,
                    [XENFORK__SHUTDOWN_CRASH] = XENFORK__ACTION_PRESERVE,
                    [XENFORK__SHUTDOWN_WATCHDOG] = XENFORK__ACTION_PRESERVE,
                    [XENFORK__SHUTDOWN_SOFT_RESET] =
                        XENFORK__ACTION_SOFT_RESET},
    };
    return free_one;
}

void fake_request(uint32_t domid, const char *text)
{
    struct fake_host_domain *d = fake_host_domain(domid);

    fake_copy_string(d->request, sizeof(d->request), text);
    fake_copy_string(fake_domain(domid)->asks, 16, text);
    if (d->is_watched)
        d->events |= XENFORK__EVENT_REQUEST;
}

void fake_host_ack(uint32_t domid, const char *text)
{
    struct fake_host_domain *d = fake_host_domain(domid);

    fake_ack(domid, text);
    if (d->is_watched)
        d->events |= XENFORK__EVENT_ACK;
}

void fake_asked(uint32_t domid, int asked)
{
    struct fake_host_domain *d = fake_host_domain(domid);

    d->asked = asked;
    if (d->is_watched)
        d->events |= XENFORK__EVENT_ASKED;
}

void fake_shut_down(uint32_t domid, int reason)
{
    struct fake_domain *d = fake_domain(domid);

    d->is_shutdown = true;
    d->shutdown_reason = reason;
    fake_host->has_domain_event = true;
}

static struct fake_domain *alive(uint32_t domid)
{
    struct fake_domain *d = fake_domain(domid);

    return d && !d->is_dying ? d : NULL;
}

static int refuse(xenfork_ctx *ctx, const char *what, uint32_t domid)
{
    return fake_leave(xenfork__fail(ctx, XENFORK_E_XEN, EINVAL,
                                    "cannot %s domain %u", what, domid));
}

int xenfork__host_fd(xenfork_ctx *ctx)
{
    (void)ctx;
    return -1;
}

int xenfork__host_watch(xenfork_ctx *ctx)
{
    FAKE_ENTER(ctx);
    fake_host->has_domain_event = true;
    return fake_leave(0);
}

int xenfork__host_watch_guest(xenfork_ctx *ctx, uint32_t domid)
{
    FAKE_ENTER(ctx);
    fake_host_domain(domid)->is_watched = true;
    fake_host_domain(domid)->events = XENFORK__EVENT_REQUEST |
                                      XENFORK__EVENT_ACK | XENFORK__EVENT_ASKED;
    return fake_leave(0);
}

void xenfork__host_unwatch_guest(xenfork_ctx *ctx, uint32_t domid)
{
    (void)ctx;
    fake_host_domain(domid)->is_watched = false;
    fake_host_domain(domid)->events = 0;
}

int xenfork__host_event(xenfork_ctx *ctx, uint32_t *events_out,
                        uint32_t *domid_out)
{
    uint32_t i;

    FAKE_ENTER(ctx);
    *events_out = XENFORK__EVENT_NONE;
    if (fake_host->has_domain_event) {
        fake_host->has_domain_event = false;
        *events_out = XENFORK__EVENT_DOMAINS;
        *domid_out = XENFORK_DOMID_NONE;
        return fake_leave(0);
    }
    for (i = 0; i < FAKE_DOMAINS; i++) {
        struct fake_host_domain *d = &fake_host->domains[i];

        if (!d->domid || !d->events)
            continue;
        *events_out = d->events;
        d->events = 0;
        d->told++;
        *domid_out = d->domid;
        break;
    }
    return fake_leave(0);
}

int xenfork__host_domains(xenfork_ctx *ctx,
                          struct xenfork__host_domain **domains_out,
                          size_t *count_out)
{
    struct xenfork__host_domain *domains;
    size_t n = 0, i;

    FAKE_ENTER(ctx);
    fake_host->listings++;
    domains = calloc(FAKE_DOMAINS, sizeof(*domains));
    if (!domains)
        abort();
    for (i = 0; i < FAKE_DOMAINS; i++) {
        const struct fake_domain *d = &fake->domains[i];

        if (d->domid && !d->is_dying)
            domains[n++] = (struct xenfork__host_domain){
                .domid = d->domid,
                .is_shutdown = d->is_shutdown,
                .reason = d->shutdown_reason};
    }
    *domains_out = domains;
    *count_out = n;
    return fake_leave(0);
}

int xenfork__host_request(xenfork_ctx *ctx, uint32_t domid, char *value_out,
                          size_t value_bytes, size_t *bytes_out)
{
    struct fake_host_domain *d = fake_host_domain(domid);
    const char *text = d->request;

    FAKE_ENTER(ctx);
    d->reads++;
    /* The library's answer stands in place of the request. */
    if (alive(domid) && !strcmp(alive(domid)->asks, "0"))
        text = "0";
    snprintf(value_out, value_bytes, "%s", text);
    *bytes_out = strlen(text);
    return fake_leave(0);
}

int xenfork__host_asked(xenfork_ctx *ctx, uint32_t domid, int *asked_out)
{
    FAKE_ENTER(ctx);
    *asked_out = alive(domid) ? fake_host_domain(domid)->asked
                              : XENFORK__ASKED_NOTHING;
    return fake_leave(0);
}

/* systemctl alone is run by the daemon. */
int xenfork__sys_run(xenfork_ctx *ctx, int code, const char *const argv[],
                     char **output_out)
{
    if (strcmp(argv[0], "systemctl"))
        fake_violation("%s is run", argv[0]);
    if (!fake_host->system_state[0])
        return xenfork__fail(ctx, code, 0, "systemctl: failed");
    *output_out = strdup(fake_host->system_state);
    return *output_out ? 0 : xenfork__nomem(ctx);
}

int xenfork__host_forget_error(xenfork_ctx *ctx, uint32_t domid)
{
    FAKE_ENTER(ctx);
    if (!alive(domid))
        return refuse(ctx, "clear the error of", domid);
    alive(domid)->told[0] = '\0';
    return fake_leave(0);
}

void xenfork__host_config_free(struct xenfork__host_config *config)
{
    if (!config)
        return;
    free(config->name);
    free(config->json);
    free(config->nics);
    free(config);
}

int xenfork__host_config_get(xenfork_ctx *ctx, uint32_t domid,
                             struct xenfork__host_config **config_out)
{
    const struct fake_domain *d = alive(domid);
    struct xenfork__host_config *config;
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "get the configuration of", domid);
    config = calloc(1, sizeof(*config));
    if (!config)
        abort();
    config->name = strdup(d->name);
    config->json = fake_to_json(d);
    config->nics = calloc(d->nic_count + 1, sizeof(int));
    if (!config->name || !config->nics)
        abort();
    for (i = 0; i < d->nic_count; i++)
        config->nics[config->nic_count++] = d->nics[i].devid;
    memcpy(config->actions, fake_host_domain(domid)->actions,
           sizeof(config->actions));
    *config_out = config;
    return fake_leave(0);
}

int xenfork__host_watcher_survives(xenfork_ctx *ctx, bool *survives_out)
{
    FAKE_ENTER(ctx);
    *survives_out = fake_host->watcher_survives;
    return fake_leave(0);
}

int xenfork__host_is_foreign(xenfork_ctx *ctx, uint32_t domid, bool *is_out)
{
    FAKE_ENTER(ctx);
    *is_out = fake_host_domain(domid)->is_foreign;
    return fake_leave(0);
}

int xenfork__host_was_suspended(xenfork_ctx *ctx, uint32_t domid, bool *was_out)
{
    FAKE_ENTER(ctx);
    *was_out = alive(domid) && alive(domid)->is_marked &&
               alive(domid)->was_watched;
    return fake_leave(0);
}

int xenfork__host_mark(xenfork_ctx *ctx, uint32_t domid, char mark_out[16])
{
    FAKE_ENTER(ctx);
    fake_copy_string(mark_out, 16, fake_host_domain(domid)->mark);
    return fake_leave(0);
}

int xenfork__host_set_mark(xenfork_ctx *ctx, uint32_t domid, const char *mark)
{
    FAKE_ENTER(ctx);
    if (!alive(domid))
        return refuse(ctx, "mark", domid);
    fake_copy_string(fake_host_domain(domid)->mark, 16, mark);
    return fake_leave(0);
}

int xenfork__host_soft_reset(xenfork_ctx *ctx, const char *json, uint32_t domid)
{
    struct fake_domain *d = alive(domid);

    (void)json;
    FAKE_ENTER(ctx);
    if (!d || !d->is_shutdown)
        return refuse(ctx, "reset", domid);
    d->is_shutdown = false;
    d->is_paused = true;
    fake_host_domain(domid)->soft_resets++;
    return fake_leave(0);
}

int xenfork__host_core_dump(xenfork_ctx *ctx, uint32_t domid, const char *name)
{
    FAKE_ENTER(ctx);
    if (!alive(domid) || strcmp(alive(domid)->name, name))
        return refuse(ctx, "dump", domid);
    fake_host_domain(domid)->dumps++;
    return fake_leave(0);
}

int xenfork__host_preserve(xenfork_ctx *ctx, uint32_t domid, const char *json,
                           const char *suffix)
{
    struct fake_domain *d = alive(domid);
    char name[FAKE_NAME];

    (void)json;
    FAKE_ENTER(ctx);
    if (!d)
        return refuse(ctx, "preserve", domid);
    fake_copy_string(name, sizeof(name), d->name);
    snprintf(d->name, sizeof(d->name), "%.60s%s", name, suffix);
    memset(d->uuid, 0x50 + (int)domid, sizeof(d->uuid));
    return fake_leave(0);
}
