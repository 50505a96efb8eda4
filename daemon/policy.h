/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Carry out what a domain's configuration demands when the domain has shut
 * down, as `xl create` does it (tools/xl/xl_vmcontrol.c, handle_domain_death(),
 * 4.20).
 */
#ifndef DAEMON_POLICY_H
#define DAEMON_POLICY_H

#include "xen/events.h"

/*
 * Return the XENFORK__ACTION_* for this reason, also for one that xl does not
 * know.
 */
int policy_action(const struct xenfork__host_config *config, int reason);
const char *policy_action_name(int action);
const char *policy_reason_name(int reason);

/* The owner of a domain. */
#define POLICY_OTHERS 0
#define POLICY_CLONE  1 /* a clone of ours, that xl never saw */
#define POLICY_SOURCE 2 /* a source that xl no longer watches */

struct policy_facts {
    bool is_recorded;      /* a record of a clone has its UUID */
    bool is_as_recorded;   /* and its domid: xl has not restored it since */
    const char *mark;      /* XENFORK__XENFORKD_*, or "" */
    bool was_suspended;    /* by us, once, when a watcher was there */
    bool is_foreign;       /* another toolstack's */
    bool watcher_survives; /* a suspension, with this Xen */
    bool has_watcher;      /* one lives */
};
int policy_owner(const struct policy_facts *facts);

/*
 * Do the worker's job: look at a domain that has shut down; 0, or XENFORK_E_*.
 */
int policy_apply(xenfork_ctx *ctx, uint32_t domid);

#endif
