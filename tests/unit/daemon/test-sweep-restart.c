/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart.c, ephemeral.c: failed, and killed, at every call; the next one
 * finishes it.
 */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "daemon/ephemeral.h"
#include "daemon/log.h"
#include "daemon/policy.h"
#include "../lib/fake-host.h"
#include "../lib/restarts.h"
#include "../lib/scene.h"
#include "state/record.h"
#include "../lib/sweep.h"

static int mode;
static uint32_t gone;
static char disk[FAKE_PATH]; /* its */

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
    assert_int_equal(scene_fork(fake_domain_named("src")->domid, 1, 0), 0);
    clone = fake_domain_named("src-1");
    fake_host_domain(clone->domid)->actions[XENFORK__SHUTDOWN_REBOOT] = action;
    fake_shut_down(clone->domid, XENFORK__SHUTDOWN_REBOOT);
    mode = action;
}

static void prepare_restart(void)
{
    prepare(XENFORK__ACTION_RESTART);
}

static void prepare_rename(void)
{
    prepare(XENFORK__ACTION_RENAME);
}

/* As the daemon does it: what was begun, then what has shut down. */
static int run(void *opaque)
{
    xenfork_ctx *ctx = scene_open();
    int rc = restarts_resume(ctx);
    uint32_t i;

    (void)opaque;
    for (i = 0; i < FAKE_DOMAINS && rc >= 0; i++) {
        const struct fake_domain *d = &fake->domains[i];

        if (d->domid && d->is_shutdown && !d->is_image)
            rc = policy_apply(ctx, d->domid);
    }
    return sweep_end(ctx, rc);
}

static uint32_t names_like(const char *name)
{
    uint32_t i, n = 0;

    for (i = 0; i < FAKE_DOMAINS; i++)
        n += fake->domains[i].domid && !fake->domains[i].is_dying &&
             !strncmp(fake->domains[i].name, name, strlen(name));
    return n;
}

/* One domain runs under the clone's name, recorded; nothing is pending. */
static bool is_done(void)
{
    const struct fake_domain *d = fake_domain_named("src-1");
    struct xenfork__record *record = NULL;
    xenfork_ctx *ctx = scene_open();
    uint32_t pending = 0;
    bool ok;

    ok = d && !d->is_paused && !d->is_shutdown && !d->parent &&
         !d->nics[0].is_up &&
         !strcmp(fake_host_domain(d->domid)->mark, XENFORK__XENFORKD_WATCH) &&
         names_like("src-1") == (mode == XENFORK__ACTION_RENAME ? 2 : 1) &&
         xenfork__record_load(ctx, XENFORK_KIND_CLONE, d->uuid, &record) == 0 &&
         record->domid == d->domid && record->hydrated == 100 &&
         state_restarts(ctx, restarts_count_one, &pending) == 0 && !pending;
    xenfork__record_free(record);
    xenfork_close(ctx);
    return ok;
}

static void prepare_removal(void)
{
    struct xenfork__record *record;
    xenfork_ctx *ctx;

    fake_host_setup();
    log_set_level(LOG_LEVEL_ERROR);
    fake_add_guest("src");
    assert_int_equal(
        scene_fork(fake_domain_named("src")->domid, 1, XENFORK_FORK_EPHEMERAL),
        0);
    gone = fake_domain_named("src-1")->domid;
    ctx = scene_open();
    assert_int_equal(xenfork__record_load(ctx, XENFORK_KIND_CLONE,
                                          fake_domain(gone)->uuid, &record),
                     0);
    fake_copy_string(disk, sizeof(disk), record->disks[0].path);
    xenfork__record_free(record);
    assert_int_equal(xenfork__xen_destroy(ctx, gone), 0);
    xenfork_close(ctx);
}

/* As the daemon does it, which recovers whenever a domain has gone. */
static int run_removal(void *opaque)
{
    xenfork_ctx *ctx = scene_open();
    int rc = ephemeral_remove(ctx, gone, "");

    (void)opaque;
    return sweep_end(ctx, rc < 0 ? rc : xenfork_recover(ctx));
}

/* Neither record nor disk nor image; an empty directory means nothing. */
static bool is_removed(void)
{
    struct xenfork__records clones = {0}, images = {0};
    xenfork_ctx *ctx = scene_open();
    bool ok = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones) == 0 &&
              xenfork__records_load(ctx, XENFORK_KIND_IMAGE, &images) == 0 &&
              !clones.count && !images.count && access(disk, F_OK) != 0;

    xenfork__records_free(&clones);
    xenfork__records_free(&images);
    xenfork_close(ctx);
    return ok;
}

static const struct sweep sweeps[] = {
    {"restart", SWEEP_REPEATS, prepare_restart, run, is_done, 0},
    {"rename-restart", SWEEP_REPEATS, prepare_rename, run, is_done, 0},
    {"remove", SWEEP_REPEATS, prepare_removal, run_removal, is_removed, 0},
};

static int group_teardown(void **state)
{
    fake_host_teardown();
    return sweep_group_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SWEEPS(0),
        SWEEPS(1),
        SWEEPS(2),
    };

    return cmocka_run_group_tests(tests, NULL, group_teardown);
}
