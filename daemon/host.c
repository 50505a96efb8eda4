/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host.h"

#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <string.h>

#include "ids.h"
#include "xen-handles.h"
#include "xen-hotplug.h"

#define TOKEN_DOMAINS "domains"
#define FREEZE_KEY    "/local/domain/%u/data/fork/freeze"
#define ACK_KEY       "/local/domain/%u/data/fork/ack"
#define ERROR_KEY     "/local/domain/%u/fork/error"
#define WATCH_DIR     "/local/domain/%u/data/fork"
#define MARK_KEY      "/libxl/%u/xenforkd"
#define DUMP_DIR      "/var/lib/xen/dump" /* XEN_DUMP_DIR, xl */

int host_fd(xenfork_ctx *ctx)
{
    return xs_fileno(ctx->xen->xs);
}

static int watch(xenfork_ctx *ctx, const char *path, const char *token)
{
    if (!xs_watch(ctx->xen->xs, path, token) && errno != EEXIST)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot watch %s in xenstore", path);
    return 0;
}

int host_watch(xenfork_ctx *ctx)
{
    int rc = watch(ctx, "@releaseDomain", TOKEN_DOMAINS);

    return rc < 0 ? rc : watch(ctx, "@introduceDomain", TOKEN_DOMAINS);
}

static void guest_watch(uint32_t domid, char path[64], char token[16])
{
    snprintf(path, 64, WATCH_DIR, domid);
    snprintf(token, 16, "%u", domid);
}

int host_watch_guest(xenfork_ctx *ctx, uint32_t domid)
{
    char path[64], token[16];

    guest_watch(domid, path, token);
    return watch(ctx, path, token);
}

/* xenstored drops no watch with the domain it is about. */
void host_unwatch_guest(xenfork_ctx *ctx, uint32_t domid)
{
    char path[64], token[16];

    guest_watch(domid, path, token);
    xs_unwatch(ctx->xen->xs, path, token);
}

/* The key itself, or something above it; the guest makes other keys, too. */
static bool is_about(const char *path, const char *key)
{
    return !strncmp(key, path, strlen(path));
}

static uint32_t events_of(const char *path, uint32_t domid)
{
    char freeze[64], ack[64];

    snprintf(freeze, sizeof(freeze), FREEZE_KEY, domid);
    snprintf(ack, sizeof(ack), ACK_KEY, domid);
    return (is_about(path, freeze) ? HOST_EVENT_REQUEST : 0) |
           (is_about(path, ack) ? HOST_EVENT_ACK : 0) | HOST_EVENT_OTHER;
}

int host_event(xenfork_ctx *ctx, uint32_t *events_out, uint32_t *domid_out)
{
    cleanup_free char **event = xs_check_watch(ctx->xen->xs);
    uint32_t domid;

    *events_out = HOST_EVENT_NONE;
    if (!event && errno != EAGAIN)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "the connection to xenstore broke");
    if (!event)
        return 0;
    *domid_out = XENFORK_DOMID_NONE;
    *events_out = HOST_EVENT_DOMAINS;
    if (!strcmp(event[XS_WATCH_TOKEN], TOKEN_DOMAINS))
        return 0;
    *events_out = HOST_EVENT_OTHER;
    if (!xenfork__parse_u32(event[XS_WATCH_TOKEN], &domid))
        return 0;
    *events_out = events_of(event[XS_WATCH_PATH], domid);
    *domid_out = domid;
    return 0;
}

int host_domains(xenfork_ctx *ctx, struct host_domain **domains_out,
                 size_t *count_out)
{
    struct host_domain *domains;
    libxl_dominfo *all;
    size_t n = 0;
    int i, count;

    all = libxl_list_domain(ctx->xen->xl, &count);
    if (!all)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0, "cannot list domains");
    domains = calloc((size_t)count + 1, sizeof(*domains));
    for (i = 0; domains && i < count; i++)
        if (all[i].domid && !all[i].dying)
            domains[n++] = (struct host_domain){
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

/* xenstored never gives more than 4096 bytes, and we look at fewer. */
int host_request(xenfork_ctx *ctx, uint32_t domid, char *value_out,
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

int host_forget_error(xenfork_ctx *ctx, uint32_t domid)
{
    if (!xenfork__xs_rm(ctx, ERROR_KEY, domid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot clear the error of domain %u", domid);
    return 0;
}

void host_config_free(struct host_config *config)
{
    if (!config)
        return;
    free(config->name);
    free(config->json);
    free(config->nics);
    free(config);
}

static int action_of(libxl_action_on_shutdown action)
{
    switch (action) {
    case LIBXL_ACTION_ON_SHUTDOWN_RESTART:
        return HOST_ACTION_RESTART;
    case LIBXL_ACTION_ON_SHUTDOWN_RESTART_RENAME:
        return HOST_ACTION_RENAME;
    case LIBXL_ACTION_ON_SHUTDOWN_PRESERVE:
        return HOST_ACTION_PRESERVE;
    case LIBXL_ACTION_ON_SHUTDOWN_COREDUMP_DESTROY:
        return HOST_ACTION_COREDUMP_DESTROY;
    case LIBXL_ACTION_ON_SHUTDOWN_COREDUMP_RESTART:
        return HOST_ACTION_COREDUMP_RESTART;
    case LIBXL_ACTION_ON_SHUTDOWN_SOFT_RESET:
        return HOST_ACTION_SOFT_RESET;
    default:
        return HOST_ACTION_DESTROY;
    }
}

static int convert(xenfork_ctx *ctx, libxl_domain_config *from,
                   struct host_config **config_out)
{
    struct host_config *config = calloc(1, sizeof(*config));
    int i;

    if (!config)
        return xenfork__nomem(ctx);
    config->name = strdup(from->c_info.name ? from->c_info.name : "");
    config->json = libxl_domain_config_to_json(ctx->xen->xl, from);
    config->nics = calloc((size_t)from->num_nics + 1, sizeof(int));
    if (!config->name || !config->json || !config->nics) {
        host_config_free(config);
        return xenfork__nomem(ctx);
    }
    for (i = 0; i < from->num_nics; i++)
        config->nics[config->nic_count++] = from->nics[i].devid;
    config->actions[HOST_REASON_POWEROFF] = action_of(from->on_poweroff);
    config->actions[HOST_REASON_REBOOT] = action_of(from->on_reboot);
    config->actions[HOST_REASON_CRASH] = action_of(from->on_crash);
    config->actions[HOST_REASON_WATCHDOG] = action_of(from->on_watchdog);
    config->actions[HOST_REASON_SOFT_RESET] = action_of(from->on_soft_reset);
    config->actions[HOST_REASON_SUSPEND] = HOST_ACTION_PRESERVE;
    *config_out = config;
    return 0;
}

int host_config_get(xenfork_ctx *ctx, uint32_t domid,
                    struct host_config **config_out)
{
    libxl_domain_config config;
    struct xenfork__op op;
    int r, rc;

    libxl_domain_config_init(&config);
    xenfork__op_init(&op);
    r = libxl_retrieve_domain_configuration(ctx->xen->xl, domid, &config,
                                            &op.how);
    r = xenfork__op_wait(ctx, &op, r);
    rc = r ? xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "cannot get the configuration of domain %u "
                           "(libxl: %d)",
                           domid, r)
           : convert(ctx, &config, config_out);
    libxl_domain_config_dispose(&config);
    return rc;
}

/* DOMAIN_RESTART_SUSPENDED in xl: from 4.20 on. */
int host_watcher_survives(xenfork_ctx *ctx, bool *survives_out)
{
    const libxl_version_info *info = libxl_get_version_info(ctx->xen->xl);

    if (!info)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot tell Xen's version");
    *survives_out = info->xen_version_major > 4 ||
                    (info->xen_version_major == 4 &&
                     info->xen_version_minor >= 20);
    return 0;
}

int host_is_foreign(xenfork_ctx *ctx, uint32_t domid, bool *is_out)
{
    uint8_t *data = NULL;
    int bytes = 0;

    if (libxl_userdata_retrieve(ctx->xen->xl, domid, "libvirt-xml", &data,
                                &bytes))
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot tell whose domain %u is", domid);
    *is_out = data && bytes > 0;
    free(data);
    return 0;
}

/* Of what xs_read gave; NULL: there is none, or errno says why. */
static int short_word(xenfork_ctx *ctx, uint32_t domid, const char *text,
                      const char *what, char word_out[16])
{
    if (!text && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read the %s of domain %u", what, domid);
    snprintf(word_out, 16, "%s", text ? text : "");
    return 0;
}

int host_was_suspended(xenfork_ctx *ctx, uint32_t domid, bool *was_out)
{
    cleanup_free char *text = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%u/" XENFORK__MARK, domid);
    char word[16];
    int rc = short_word(ctx, domid, text, "mark", word);

    if (rc == 0)
        *was_out = !strcmp(word, XENFORK__MARK_SUSPENDED);
    return rc;
}

int host_mark(xenfork_ctx *ctx, uint32_t domid, char mark_out[16])
{
    cleanup_free char *text = xenfork__xs_read(ctx, XBT_NULL, MARK_KEY, domid);

    return short_word(ctx, domid, text, "mark", mark_out);
}

int host_set_mark(xenfork_ctx *ctx, uint32_t domid, const char *mark)
{
    char path[64];

    snprintf(path, sizeof(path), MARK_KEY, domid);
    if (!xs_write(ctx->xen->xs, XBT_NULL, path, mark,
                  (unsigned int)strlen(mark)))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno, "cannot write %s",
                             path);
    return 0;
}

/* Caller disposes of it, also on failure. */
static int parse(xenfork_ctx *ctx, const char *json,
                 libxl_domain_config *config)
{
    int r;

    libxl_domain_config_init(config);
    r = libxl_domain_config_from_json(ctx->xen->xl, config, json);
    if (r)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot read a stored configuration (libxl: %d)",
                             r);
    config->c_info.domid = (libxl_domid)INVALID_DOMID; /* any that is free */
    return 0;
}

int host_check_memory(xenfork_ctx *ctx, const char *json, uint32_t replaced)
{
    struct xenfork__dominfo info = {0};
    libxl_domain_config config;
    uint64_t need_kib = 0, free_kib = 0;
    int r = 0, rc = parse(ctx, json, &config);

    if (rc == 0) {
        r = libxl_domain_need_memory(ctx->xen->xl, &config,
                                     (uint32_t)INVALID_DOMID, &need_kib);
        if (!r)
            r = libxl_get_free_memory(ctx->xen->xl, &free_kib);
    }
    if (r)
        rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "cannot tell how much memory there is (libxl: %d)",
                           r);
    if (rc == 0 && replaced != XENFORK_DOMID_NONE &&
        xenfork__xen_info(ctx, replaced, &info) == 0)
        free_kib += info.private_pages * XENFORK__PAGE_KIB;
    if (rc == 0 && free_kib < need_kib)
        rc = xenfork__fail(ctx, XENFORK_E_HOSTMEM, 0,
                           "%s cannot begin anew: it needs %" PRIu64
                           " KiB, %" PRIu64 " KiB are free",
                           config.c_info.name, need_kib, free_kib);
    libxl_domain_config_dispose(&config);
    return rc;
}

/* On failure libxl has destroyed what it could not finish. */
int host_create(xenfork_ctx *ctx, const char *json, uint32_t *domid_out)
{
    uint32_t domid = (uint32_t)INVALID_DOMID;
    libxl_domain_config config, by;
    struct xenfork__op op;
    int r, rc = parse(ctx, json, &config);

    if (rc == 0) {
        xenfork__hotplug_use(ctx, &config, NULL);
        xenfork__op_init(&op);
        r = libxl_domain_create_new(ctx->xen->xl, &config, &domid, &op.how,
                                    NULL);
        r = xenfork__op_wait(ctx, &op, r);
        if (r)
            rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                               "cannot create %s (libxl: %d)",
                               config.c_info.name, r);
    }
    libxl_domain_config_dispose(&config);
    if (rc < 0)
        return rc;
    rc = parse(ctx, json, &by);
    if (rc == 0)
        rc = xenfork__hotplug_mend(ctx, domid, &by);
    libxl_domain_config_dispose(&by);
    if (rc == 0)
        *domid_out = domid;
    else
        xenfork__xen_destroy(ctx, domid);
    return rc;
}

int host_soft_reset(xenfork_ctx *ctx, const char *json, uint32_t domid)
{
    libxl_domain_config config;
    struct xenfork__op op;
    int r, rc = parse(ctx, json, &config);

    if (rc == 0) {
        xenfork__op_init(&op);
        r = libxl_domain_soft_reset(ctx->xen->xl, &config, domid, &op.how,
                                    NULL);
        r = xenfork__op_wait(ctx, &op, r);
        if (r)
            rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                               "cannot reset domain %u (libxl: %d)", domid, r);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

int host_core_dump(xenfork_ctx *ctx, uint32_t domid, const char *name)
{
    cleanup_free char *file = NULL;
    struct xenfork__op op;
    int r;

    /* No path but below the directory, whatever the name. */
    if (strchr(name, '/') || asprintf(&file, DUMP_DIR "/%s", name) < 0) {
        file = NULL;
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "no file for the core of domain %u", domid);
    }
    xenfork__op_init(&op);
    r = libxl_domain_core_dump(ctx->xen->xl, domid, file, &op.how);
    r = xenfork__op_wait(ctx, &op, r);
    if (r)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot dump domain %u to %s (libxl: %d)", domid,
                             file, r);
    return 0;
}

static int rename_preserved(xenfork_ctx *ctx, uint32_t domid, const char *json,
                            const char *suffix)
{
    cleanup_free char *name = NULL;
    libxl_domain_config config;
    libxl_uuid uuid;
    int r, rc = parse(ctx, json, &config);

    if (rc == 0)
        rc = xenfork__xen_name(ctx, domid, &name);
    /* Has one who was killed done it? */
    if (rc == 0 && !strcmp(name, config.c_info.name)) {
        libxl_uuid_generate(&uuid);
        r = libxl_domain_preserve(ctx->xen->xl, domid, &config.c_info, suffix,
                                  uuid);
        if (r)
            rc = xenfork__fail(ctx, XENFORK_E_XEN, 0,
                               "cannot rename domain %u (libxl: %d)", domid, r);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

/*
 * libxl_domain_preserve() gives it another UUID in xenstore only (4.17 and
 * 4.20); two domains would have the same for the hypervisor, and for us.
 */
int host_preserve(xenfork_ctx *ctx, uint32_t domid, const char *json,
                  const char *suffix)
{
    cleanup_free char *vm = NULL;
    xen_domain_handle_t handle;
    int rc = rename_preserved(ctx, domid, json, suffix);

    if (rc < 0)
        return rc;
    vm = xenfork__xs_read(ctx, XBT_NULL, "/local/domain/%u/vm", domid);
    if (!vm || strncmp(vm, "/vm/", 4) || !xenfork__uuid_parse(vm + 4, handle))
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "domain %u: xenstore has no UUID of it", domid);
    if (xc_domain_sethandle(ctx->xen->xch, domid, handle) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot set the UUID of domain %u", domid);
    return 0;
}
