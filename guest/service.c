/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenfork-agent watch, the service, and adapt, one turn of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "adapt.h"
#include "commands.h"
#include "util.h"

/*
 * Run before everything else that wakes up in the clone; hooks are scheduled
 * like all others.
 */
static void hurry(void)
{
    struct sched_param param = {.sched_priority = 1};

    /* Not everywhere allowed, and not needed. */
    (void)sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param);
}

/* Wait for a change; many changes at once are one. */
static int wait_change(struct store *store)
{
    int rc = store_wait(store, -1);

    while (rc > 0) {
        rc = store_wait(store, 0);
        if (rc == 0)
            return 0;
    }
    return rc;
}

int run_watch(struct store *store, const struct options *options)
{
    int rc = store_watch(store, "fork");

    hurry();
    /*
     * Linux registers the watch anew in a clone, and a watch that was just
     * registered fires (xs_resume() in drivers/xen/xenbus/xenbus_xs.c).
     */
    while (rc == 0) {
        rc = wait_change(store);
        if (rc == -EINTR) {
            rc = 0;
            continue;
        }
        if (rc == 0) {
            int adapt_rc = adapt(store, options, 0);

            if (adapt_rc < 0 && adapt_rc != -ECANCELED)
                complain("cannot adapt to the fork: %s", strerror(-adapt_rc));
            if (store->fd < 0)
                rc = adapt_rc;
        }
    }
    complain("xenstore: %s", strerror(-rc));
    return AGENT_FAILED;
}

int run_adapt(struct store *store, const struct options *options)
{
    int rc = adapt(store, options, ADAPT_AGAIN);

    if (rc < 0) {
        if (rc != -ECANCELED)
            complain("cannot adapt to the fork: %s", strerror(-rc));
        return AGENT_FAILED;
    }
    return AGENT_DONE;
}
