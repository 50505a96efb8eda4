/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "policy.h"

#include <string.h>

#include "base/ids.h"
#include "host/host.h"
#include "log.h"
#include "op/domain.h"
#include "restart.h"
#include "state/journal.h"
#include "state/lock.h"
#include "state/record.h"

static const char *const action_names[] = {
    [XENFORK__ACTION_DESTROY] = "destroy",
    [XENFORK__ACTION_RESTART] = "restart",
    [XENFORK__ACTION_RENAME] = "rename-restart",
    [XENFORK__ACTION_PRESERVE] = "preserve",
    [XENFORK__ACTION_COREDUMP_DESTROY] = "coredump-destroy",
    [XENFORK__ACTION_COREDUMP_RESTART] = "coredump-restart",
    [XENFORK__ACTION_SOFT_RESET] = "soft-reset",
};

static const char *const reason_names[XENFORK__SHUTDOWNS] = {
    [XENFORK__SHUTDOWN_POWEROFF] = "poweroff",
    [XENFORK__SHUTDOWN_REBOOT] = "reboot",
    [XENFORK__SHUTDOWN_SUSPEND] = "suspend",
    [XENFORK__SHUTDOWN_CRASH] = "crash",
    [XENFORK__SHUTDOWN_WATCHDOG] = "watchdog",
    [XENFORK__SHUTDOWN_SOFT_RESET] = "soft-reset",
};

const char *policy_action_name(int action)
{
    if (action <= 0 || (size_t)action >= ARRAY_SIZE(action_names))
        return "unknown";
    return action_names[action];
}

const char *policy_reason_name(int reason)
{
    if (reason < 0 || reason >= XENFORK__SHUTDOWNS)
        return "unknown";
    return reason_names[reason];
}

int policy_action(const struct xenfork__host_config *config, int reason)
{
    if (reason < 0 || reason >= XENFORK__SHUTDOWNS ||
        reason == XENFORK__SHUTDOWN_SUSPEND)
        return XENFORK__ACTION_DESTROY;
    return config->actions[reason];
}

int policy_owner(const struct policy_facts *facts)
{
    if (!strcmp(facts->mark, XENFORK__XENFORKD_KEEP) || facts->is_foreign ||
        facts->has_watcher)
        return POLICY_OTHERS;
    if (facts->is_recorded && facts->is_as_recorded)
        return POLICY_CLONE;
    if (!strcmp(facts->mark, XENFORK__XENFORKD_WATCH))
        return facts->is_recorded ? POLICY_CLONE : POLICY_SOURCE;
    /*
     * The watcher of `xl create` and `xl restore` is gone because we
     * suspended the domain.  Where there was none before, or it survives that,
     * its user wanted it so (xl create -e).
     */
    if (facts->watcher_survives || !facts->was_suspended)
        return POLICY_OTHERS;
    return facts->is_recorded ? POLICY_CLONE : POLICY_SOURCE;
}

static int gather(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                  const char *name, int *owner_out)
{
    cleanup_record struct xenfork__record *record = NULL;
    struct policy_facts facts = {0};
    uint32_t domid;
    char mark[16];
    int rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, info->uuid, &record);

    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    /* Made or started by a process that may undo it still. */
    if (record && xenfork__journal_exists(ctx, record->journal))
        return XENFORK_E_BUSY;
    rc = record ? xenfork__clone_domid(ctx, record, &domid) : 0;
    if (rc < 0 && rc != XENFORK_E_UUIDTAKEN)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    facts.is_recorded = record && rc == 0;
    facts.is_as_recorded = record &&
                           xenfork__record_has_domid(ctx, record, info->domid);
    facts.mark = mark;
    if ((rc = xenfork__host_mark(ctx, info->domid, mark)) < 0 ||
        (rc = xenfork__host_was_suspended(ctx, info->domid,
                                          &facts.was_suspended)) < 0 ||
        (rc = xenfork__host_is_foreign(ctx, info->domid, &facts.is_foreign)) <
            0 ||
        (rc = xenfork__host_watcher_survives(ctx, &facts.watcher_survives)) < 0)
        return rc;
    /*
     * xl does not know a clone as xenfork has made it, though the name may
     * recur.
     */
    facts.has_watcher = !facts.is_as_recorded &&
                        xenfork__sys_xl_watches("/proc", name, info->domid);
    *owner_out = policy_owner(&facts);
    return 0;
}

/* Write a core dump.  xl goes on when that fails, and so do we. */
static int dump(xenfork_ctx *ctx, uint32_t domid, const char *name, int action)
{
    if (action != XENFORK__ACTION_COREDUMP_DESTROY &&
        action != XENFORK__ACTION_COREDUMP_RESTART)
        return action;
    if (xenfork__host_core_dump(ctx, domid, name) < 0)
        log_warning("policy", "domid=%u coredump=failed", domid);
    return action == XENFORK__ACTION_COREDUMP_DESTROY ? XENFORK__ACTION_DESTROY
                                                      : XENFORK__ACTION_RESTART;
}

static int carry_out(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                     const struct xenfork__host_config *config, int owner)
{
    int action = policy_action(config, info->shutdown_reason);
    char quoted[LOG_QUOTED];
    int rc;

    log_info("policy", "domid=%u name=%s kind=%s reason=%s action=%s",
             info->domid, log_quote(config->name, strlen(config->name), quoted),
             owner == POLICY_CLONE ? "clone" : "source",
             policy_reason_name(info->shutdown_reason),
             policy_action_name(action));
    switch (dump(ctx, info->domid, config->name, action)) {
    case XENFORK__ACTION_DESTROY:
        /* Disks and records go by the verbs that say so, never by an end. */
        return xenfork__xen_destroy(ctx, info->domid);
    case XENFORK__ACTION_RESTART:
        return restart_begin(ctx, info, config, RESTART_DESTROY,
                             owner == POLICY_CLONE);
    case XENFORK__ACTION_RENAME:
        return restart_begin(ctx, info, config, RESTART_PRESERVE,
                             owner == POLICY_CLONE);
    case XENFORK__ACTION_SOFT_RESET:
        rc = xenfork__host_soft_reset(ctx, config->json, info->domid);
        return rc < 0 ? rc : xenfork__xen_unpause(ctx, info->domid);
    default:
        return 0;
    }
}

static bool is_dead(xenfork_ctx *ctx, uint32_t domid,
                    struct xenfork__dominfo *info_out, int *rc_out)
{
    *rc_out = xenfork__xen_info(ctx, domid, info_out);
    if (*rc_out == XENFORK_E_NOTFOUND)
        *rc_out = 0;
    else if (*rc_out == 0)
        return info_out->is_shutdown && !info_out->is_dying &&
               info_out->shutdown_reason != XENFORK__SHUTDOWN_SUSPEND;
    return false;
}

int policy_apply(xenfork_ctx *ctx, uint32_t domid)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct xenfork__host_config *config = NULL;
    struct xenfork__dominfo info;
    cleanup_free char *name = NULL;
    char uuid[XENFORK__UUID_CHARS];
    int rc, owner = POLICY_OTHERS;

    if (!is_dead(ctx, domid, &info, &rc))
        return rc;
    xenfork__uuid_print(info.uuid, uuid);
    /* Another operation on the domain ends first; no worker waits for it. */
    rc = xenfork__lock_take(ctx, uuid, false, &lock);
    if (rc < 0 || !is_dead(ctx, domid, &info, &rc))
        return rc;
    rc = xenfork__xen_name(ctx, domid, &name);
    if (rc == XENFORK_E_NOTFOUND)
        return 0; /* half destroyed */
    if (rc < 0 || (rc = gather(ctx, &info, name, &owner)) < 0)
        return rc;
    if (owner == POLICY_OTHERS)
        return 0;
    rc = xenfork__host_config_get(ctx, domid, &config);
    if (rc == 0)
        rc = carry_out(ctx, &info, config, owner);
    xenfork__host_config_free(config);
    return rc;
}
