/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host loses power while xenforkd restarts a clone. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "../lib/cuts.h"
#include "daemon/log.h"
#include "daemon/policy.h"
#include "../lib/fake-host.h"
#include "../lib/restarts.h"
#include "../lib/scene.h"

/* Nobody waits: -Wl,--wrap. */
int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
    (void)t;
    (void)left;
    return 0;
}

static void prepare(int action)
{
    struct fake_domain *clone;

    fake_host_setup();
    log_set_level(LOG_LEVEL_ERROR);
    fake_add_guest("src");
    cuts_note_source("reflink");
    assert_int_equal(scene_fork(cuts_source(), 1, 0), 0);
    clone = fake_domain_named("src-1");
    fake_host_domain(clone->domid)->actions[XENFORK__SHUTDOWN_REBOOT] = action;
    fake_shut_down(clone->domid, XENFORK__SHUTDOWN_REBOOT);
}

static void prepare_restart(void)
{
    prepare(XENFORK__ACTION_RESTART);
}

static void prepare_rename(void)
{
    prepare(XENFORK__ACTION_RENAME);
}

static int restart(void)
{
    xenfork_ctx *ctx = scene_open();
    int rc = policy_apply(ctx, fake_domain_named("src-1")->domid);

    xenfork_close(ctx);
    return rc;
}

/* As the daemon does when the host has come up: no restart is left over. */
static int resume_all(xenfork_ctx *ctx)
{
    uint32_t pending = 0;
    int rc = restarts_resume(ctx);

    if (rc < 0)
        return rc;
    rc = state_restarts(ctx, restarts_count_one, &pending);
    return rc == 0 && pending ? XENFORK_E_RESIDUE : rc;
}

static const struct cut cuts[] = {
    {"restart", prepare_restart, restart, 1, 1, resume_all, false},
    {"rename-restart", prepare_rename, restart, 1, 1, resume_all, false},
};

int main(int argc, char **argv)
{
    int failed = cuts_main(cuts, sizeof(cuts) / sizeof(cuts[0]), argc, argv);

    fake_host_teardown();
    return failed;
}
